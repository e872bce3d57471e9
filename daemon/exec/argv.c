/* SPDX-License-Identifier: MIT */
#include "exec/argv.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"

bool command_name_valid(const char *name)
{
	for (const char *p = name; *p; p++)
		if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) &&
			(p == name || !strchr("-_.", *p)))
			return false;
	return strlen(name) <= 64;
}

void params_free(struct param *params, size_t n)
{
	for (size_t i = 0; i < n; i++)
		param_clear(&params[i]);
	free(params);
}

int params_parse(const struct conf_section *section, char *const *texts, struct param **params,
	size_t *n_params, struct conf_errors *errors)
{
	size_t n = strv_len((char **)(uintptr_t)texts);
	int result = 0;

	if (n > ARGV_MAX_PARAMS)
		return conf_section_error(
			section, NULL, errors, "more than %d parameters", ARGV_MAX_PARAMS);
	*params = calloc(n + 1, sizeof(**params));
	if (!*params)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const char *text = texts[i], *equals = strchr(text, '=');
		auto_free char *name = strndup(text, (size_t)(equals - text));
		auto_free char *key = name ? str_printf("param.%s", name) : NULL;
		struct tend_error err = {0};
		int r;

		if (!key)
			return -ENOMEM;
		r = param_parse(name, equals + 1, &(*params)[*n_params], &err);
		if (r == 0)
			(*n_params)++;
		else
			result = conf_section_error(section, key, errors, "%s", err.text);
	}
	return result;
}

/* "{name}" -> the parameter; an argument with braces elsewhere is as it is. */
static bool placeholder(const char *arg, size_t *ret_len)
{
	size_t n = strlen(arg);

	if (n < 3 || arg[0] != '{' || arg[n - 1] != '}')
		return false;
	*ret_len = n - 2;
	return true;
}

static const struct param *find_param(const struct param *params, size_t n_params, const char *arg)
{
	size_t len;

	if (!placeholder(arg, &len))
		return NULL;
	for (size_t i = 0; i < n_params; i++)
		if (strlen(params[i].name) == len && memcmp(params[i].name, arg + 1, len) == 0)
			return &params[i];
	return NULL;
}

static int check_argv(const struct conf_section *section, char *const *argv,
	const struct param *params, size_t n_params, struct conf_errors *errors)
{
	size_t len;

	if (argv[0][0] != '/' || strpbrk(argv[0], " \t"))
		return conf_section_error(section, "argv", errors,
			"'%s' is not an absolute path; write the program and every argument on a "
			"line of its own",
			argv[0]);
	for (char *const *arg = argv; *arg; arg++)
		if (placeholder(*arg, &len) && !find_param(params, n_params, *arg))
			return conf_section_error(section, "argv", errors,
				"there is no parameter for '%s'; add param.%.*s", *arg, (int)len,
				*arg + 1);
	for (size_t i = 0; i < n_params; i++) {
		bool used = false;

		for (char *const *arg = argv; *arg; arg++)
			used = used || find_param(params, n_params, *arg) == &params[i];
		if (!used)
			return conf_section_error(section, "argv", errors,
				"the parameter '%s' is not used; write {%s} on a line of its own",
				params[i].name, params[i].name);
	}
	return 0;
}

int argv_parse(const struct conf_section *section, const char *text, const struct param *params,
	size_t n_params, struct conf_errors *errors, char ***ret_argv)
{
	auto(strv_free) char **argv = calloc(ARGV_MAX_ARGS + 1, sizeof(char *));
	size_t n = 0;
	int r;

	if (!argv)
		return -ENOMEM;
	for (const char *p = text; *p;) {
		size_t len = strcspn(p, "\n");

		if (len > 0 && n == ARGV_MAX_ARGS)
			return conf_section_error(
				section, "argv", errors, "more than %d arguments", ARGV_MAX_ARGS);
		if (len > 0 && !(argv[n++] = strndup(p, len)))
			return -ENOMEM;
		p += len + (p[len] == '\n');
	}
	if (n == 0)
		return conf_section_error(section, "argv", errors, "there is no program");
	r = check_argv(section, argv, params, n_params, errors);
	if (r == 0)
		*ret_argv = TAKE(argv);
	return r;
}

int params_check(const char *what, const char *name, const struct param *params, size_t n,
	const json_t *args, struct tend_error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)args, key, value) {
		bool known = false;

		for (size_t i = 0; i < n; i++)
			known = known || strcmp(params[i].name, key) == 0;
		if (!known)
			return tend_error_set(
				err, -EINVAL, "the %s '%s' has no parameter '%s'", what, name, key);
	}
	for (size_t i = 0; i < n; i++)
		if (!json_object_get(args, params[i].name))
			return tend_error_set(err, -EINVAL, "the %s '%s' needs the parameter '%s'",
				what, name, params[i].name);
	return 0;
}

int argv_fill(const struct argv_template *t, const json_t *args, uid_t uid, char ***ret_argv,
	struct tend_error *err)
{
	auto(strv_free) char **argv = calloc(strv_len(t->argv) + 1, sizeof(char *));
	int r = argv ? params_check(t->what, t->name, t->params, t->n_params, args, err) : -ENOMEM;

	for (size_t i = 0; r == 0 && t->argv[i]; i++) {
		const struct param *param = find_param(t->params, t->n_params, t->argv[i]);

		if (param)
			r = param_render(
				param, json_object_get(args, param->name), uid, &argv[i], err);
		else if (!(argv[i] = strdup(t->argv[i])))
			r = -ENOMEM;
	}
	if (r < 0)
		return r;
	*ret_argv = TAKE(argv);
	return 0;
}
