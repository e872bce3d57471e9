/* SPDX-License-Identifier: MIT */
/*
 * exec/manifest_internal.h: between manifest.c (units, commands, the whole) and manifest_sql.c
 * (statements): what they share of parameters and names. Nothing else includes it.
 */
#ifndef EXEC_MANIFEST_INTERNAL_H
#define EXEC_MANIFEST_INTERNAL_H

#include "conf/section.h"
#include "exec/manifest.h"

bool command_name_valid(const char *name);

/* `param.NAME` keys of a section; every fault is added to `errors`. */
int params_parse(const struct conf_section *section, char *const *texts, struct param **params,
	size_t *n_params, struct conf_errors *errors);
void params_free(struct param *params, size_t n);
/* Every parameter has a value and every value a parameter; `what` is "command" or "statement". */
int params_check(const char *what, const char *name, const struct param *params, size_t n,
	const json_t *args, struct tend_error *err);

int manifest_add_sql(
	struct manifest *manifest, const struct conf_section *section, struct conf_errors *errors);
struct sql_rule *sql_rule_free(struct sql_rule *rule);
DEFINE_AUTO(struct sql_rule *, sql_rule_free)

#endif
