/* SPDX-License-Identifier: MIT */
/*
 * exec/manifest_internal.h: between manifest.c (units, commands, the whole) and manifest_sql.c
 * (statements): what they share of parameters and names. Nothing else includes it.
 */
#ifndef EXEC_MANIFEST_INTERNAL_H
#define EXEC_MANIFEST_INTERNAL_H

#include "conf/section.h"
#include "exec/argv.h"
#include "exec/manifest.h"

int manifest_add_sql(
	struct manifest *manifest, const struct conf_section *section, struct conf_errors *errors);
struct sql_rule *sql_rule_free(struct sql_rule *rule);
DEFINE_AUTO(struct sql_rule *, sql_rule_free)

#endif
