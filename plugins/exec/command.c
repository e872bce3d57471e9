/* SPDX-License-Identifier: MIT */
#include "command.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <tend/plugin.h>

/* What tend-spawn takes. */
enum { MAX_ARG_BYTES = 8192, MAX_ALL_BYTES = 32768 };

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

void command_free(char **argv)
{
	for (char **p = argv; p && *p; p++)
		free(*p);
	free(argv);
}

/* The next word, without its quotes, to `word` (as long as the text). NULL: a quote is not closed.
 */
static const char *take_word(const char *p, char *word)
{
	char quote = '\0';

	for (; *p && (quote || !is_space(*p)); p++) {
		if (quote && *p == quote)
			quote = '\0';
		else if (!quote && (*p == '"' || *p == '\''))
			quote = *p;
		else
			*word++ = *p;
	}
	*word = '\0';
	return quote ? NULL : p;
}

static const char *take_line(const char *p, char *word)
{
	size_t n = strcspn(p, "\n");
	const char *next = p[n] ? p + n + 1 : p + n;

	while (n > 0 && (is_space(p[n - 1]) || p[n - 1] == '\r'))
		n--;
	memcpy(word, p, n);
	word[n] = '\0';
	return next;
}

static int split(const char *text, char **argv, char *word, struct tend_error *err)
{
	bool lines = strchr(text, '\n') != NULL;
	const char *p = text;
	size_t n = 0;

	for (;;) {
		while (is_space(*p) || *p == '\n')
			p++;
		if (!*p)
			return 0;
		if (n == TEND_SPAWN_MAX_ARGS)
			return tend_error_set(err, -EINVAL, "command has more than %d arguments",
				TEND_SPAWN_MAX_ARGS);
		p = lines ? take_line(p, word) : take_word(p, word);
		if (!p)
			return tend_error_set(err, -EINVAL,
				"command has a quote that is not closed; with one argument a line "
				"no quotes are needed");
		if (strlen(word) > MAX_ARG_BYTES)
			return tend_error_set(err, -EINVAL,
				"command has an argument of more than %d bytes", MAX_ARG_BYTES);
		argv[n] = strdup(word);
		if (!argv[n++])
			return -ENOMEM;
	}
}

static int check_program(const char *path, struct tend_error *err)
{
	if (!path || path[0] != '/')
		return tend_error_set(err, -EINVAL,
			"command begins with '%.200s', which is not the absolute path of a "
			"program (there is no shell and no search path here)",
			path ? path : "");
	if (strstr(path, "//") || strstr(path, "/./") || strstr(path, "/../"))
		return tend_error_set(err, -EINVAL,
			"command: the program's path has an empty step, '.' or '..' in it");
	return 0;
}

int command_parse(const char *text, char ***ret_argv, struct tend_error *err)
{
	char **argv = calloc(TEND_SPAWN_MAX_ARGS + 1, sizeof(char *));
	char *word = malloc(strlen(text) + 1);
	int r = argv && word ? 0 : -ENOMEM;

	if (r == 0 && strlen(text) > MAX_ALL_BYTES - TEND_SPAWN_MAX_ARGS)
		r = tend_error_set(err, -EINVAL, "command is longer than %d bytes", MAX_ALL_BYTES);
	if (r == 0)
		r = split(text, argv, word, err);
	if (r == 0 && !argv[0])
		r = tend_error_set(err, -EINVAL, "command is empty");
	if (r == 0)
		r = check_program(argv[0], err);
	free(word);
	if (r < 0) {
		command_free(argv);
		return r;
	}
	*ret_argv = argv;
	return 0;
}
