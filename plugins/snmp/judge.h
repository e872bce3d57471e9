/* SPDX-License-Identifier: MIT */
/*
 * snmp/judge.h: what the values mean: metrics, rates, expectations. Adds metrics to the attempt and
 * says what is to be told; no I/O.
 */
#ifndef SNMP_JUDGE_H
#define SNMP_JUDGE_H

#include <jansson.h>
#include <tend/plugin.h>
#include "plan.h"
#include "rate.h"
#include "table.h"

enum { JUDGE_TEXT_BYTES = 400 };

struct judge_case {
	struct tend_attempt *attempt;
	const struct agent_conf *conf;
	const struct datum *gets;
	const struct table *table; /* its last columns are the walks */
	struct rate_time now;
};
struct judge_verdict {
	enum tend_reason reason;
	char text[JUDGE_TEXT_BYTES];
	json_t *memory; /* the caller's; NULL: nothing to remember */
};
/* The columns of a table before those of the walks: label, decimals, each where. */
size_t judge_first_walk(const struct plan *plan);
void judge(const struct judge_case *c, struct judge_verdict *ret_verdict);

#endif
