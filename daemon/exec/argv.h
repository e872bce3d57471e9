/* SPDX-License-Identifier: MIT */
/*
 * exec/argv.h: the command lines of root's files (commands.d, spawn.conf): a program and its
 * arguments, a line each, and typed parameters of which each {NAME} alone on a line is filled in.
 * No shell, no splitting: a value is one argument, whatever is in it. Pure but for parameters that
 * are paths. What is given out the caller frees; -EINVAL comes with file:line or a text.
 */
#ifndef EXEC_ARGV_H
#define EXEC_ARGV_H

#include "conf/section.h"
#include "exec/param.h"

enum { ARGV_MAX_ARGS = 64, ARGV_MAX_PARAMS = 16 };

bool command_name_valid(const char *name);

/* `param.NAME` keys of a section; every fault is added to `errors`. */
int params_parse(const struct conf_section *section, char *const *texts, struct param **params,
	size_t *n_params, struct conf_errors *errors);
void params_free(struct param *params, size_t n);
/* Every parameter has a value and every value a parameter; `what` is "command" or "statement". */
int params_check(const char *what, const char *name, const struct param *params, size_t n,
	const json_t *args, struct tend_error *err);

/* The key `argv` of a section whose parameters are known; strv_free(). */
int argv_parse(const struct conf_section *section, const char *text, const struct param *params,
	size_t n_params, struct conf_errors *errors, char ***ret_argv);

struct argv_template {		 /* borrowed */
	const char *what, *name; /* for texts: "command", its name */
	char *const *argv;
	const struct param *params;
	size_t n_params;
};
/* What is executed for `args` (a JSON object with a value for every parameter); `uid` is who it
 * runs as. strv_free(). */
int argv_fill(const struct argv_template *t, const json_t *args, uid_t uid, char ***ret_argv,
	struct tend_error *err);

#endif
