/* SPDX-License-Identifier: MIT */
/* tend-look: looks at this machine once and says what it saw as JSON. Changes nothing. */
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "exec/look/answer.h"
#include "exec/look/look.h"
#include "run/sanitizer.h"

enum { MAX_ARGS_BYTES = 128 * 1024 };

const struct look_kind *const look_kinds[] = {
	&look_antivirus,
	&look_certfile,
	&look_file,
	&look_firewall,
	&look_host,
	&look_journal,
	&look_logfile,
	&look_ports,
	&look_process,
	&look_timer,
	&look_unit,
	NULL,
};

static void print_help(void)
{
	(void)printf("Usage: tend-look KIND [JSON|-]\n"
		     "Looks at this machine once and writes what it saw as JSON. Changes\n"
		     "nothing. Arguments are a JSON object, `-': on standard input.\n\n"
		     "  -V, --version    print the version and exit\n"
		     "  -h, --help       print this and exit\n");
	for (const struct look_kind *const *kind = look_kinds; *kind; kind++) {
		(void)printf("\n%s: %s\n", (*kind)->name, (*kind)->doc);
		for (const struct look_arg *arg = (*kind)->args; arg->name; arg++)
			(void)printf("  %-14s %s%s\n", arg->name, arg->help,
				arg->required ? " (needed)" : "");
	}
}

static int read_stdin(char **ret_text)
{
	auto_free char *text = malloc(MAX_ARGS_BYTES + 1);
	size_t n;

	if (!text)
		return -ENOMEM;
	n = fread(text, 1, MAX_ARGS_BYTES + 1, stdin);
	if (n > MAX_ARGS_BYTES)
		return -EMSGSIZE;
	text[n] = '\0';
	*ret_text = TAKE(text);
	return 0;
}

static int parse_args(const char *given, json_t **ret_args, struct tend_error *err)
{
	auto_free char *text = NULL;
	json_error_t json_error;
	int r = 0;

	if (given && strcmp(given, "-") == 0)
		r = read_stdin(&text);
	if (r < 0)
		return look_errno(err, r, "the arguments");
	*ret_args = json_loads(text    ? text
			       : given ? given
				       : "{}",
		JSON_REJECT_DUPLICATES, &json_error);
	if (!*ret_args)
		return tend_error_set(
			err, -EINVAL, "the arguments are no JSON: %s", json_error.text);
	return 0;
}

static int look(const char *name, const char *given, json_t **ret_doc, struct tend_error *err)
{
	const struct look_kind *kind = look_find(name);
	auto_json json_t *args = NULL;
	int r;

	if (!kind)
		return tend_error_set(err, -EINVAL, "there is no kind '%.64s'", name);
	r = parse_args(given, &args, err);
	if (r == 0)
		r = look_check(kind, args, err);
	if (r == 0)
		r = kind->fn(args, ret_doc, err);
	return r;
}

static int answer(int r, const json_t *doc, const struct tend_error *err)
{
	auto_free char *text = r == 0 ? json_dumps(doc, JSON_COMPACT) : NULL;
	auto_json json_t *error = NULL;

	if (r == 0 && (!text || strlen(text) > LOOK_ANSWER_MAX_BYTES)) {
		free(TAKE(text));
		r = -EMSGSIZE;
		error = look_answer_error(r, "there is too much to tell");
	} else if (r < 0) {
		error = look_answer_error(r, err->text);
	}
	if (error)
		text = json_dumps(error, JSON_COMPACT);
	(void)puts(text ? text : "{\"error\":{\"code\":\"failed\",\"message\":\"no memory\"}}");
	return r == 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	auto_json json_t *doc = NULL;
	struct tend_error err = {0};

	if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
		print_help();
		return EXIT_SUCCESS;
	}
	if (argc == 2 && (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0)) {
		(void)puts("tend-look " TEND_VERSION);
		return EXIT_SUCCESS;
	}
	if (argc < 2 || argc > 3 || argv[1][0] == '-') {
		(void)fprintf(stderr, "Usage: tend-look KIND [JSON|-]; see tend-look --help\n");
		return 2;
	}
	int r = look(argv[1], argv[2], &doc, &err);

	return answer(r, doc, &err);
}
