/* SPDX-License-Identifier: MIT */
/*
 * scheduler/rules.h: when the scheduler of a known CRM is dead, by that CRM's own tables. The
 * statements give the columns of the probe's `query`; {words} are those of sqlkit_expand().
 */
#ifndef SCHEDULER_RULES_H
#define SCHEDULER_RULES_H

#include "sqlkit/sqlkit.h"

struct scheduler_rule {
	const char *name, *sql;
	enum sqlkit_dialect dialect;
	const char *prefix;
	/* Defaults of the options of these names; seconds. */
	double max_age, max_overdue, max_running;
};
extern const struct scheduler_rule scheduler_rules[];
extern const char *const scheduler_rule_names[]; /* in the same order */

#endif
