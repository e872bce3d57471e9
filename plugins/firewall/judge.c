/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "firewall.h"

static void judge_tables(const struct firewall_conf *c, const json_t *doc, struct verdict *v)
{
	const json_t *tables = json_object_get(doc, "tables"), *table;
	size_t i;

	for (char **wanted = c->tables; wanted && *wanted; wanted++) {
		bool there = false;

		json_array_foreach (tables, i, table)
			there = there || (json_is_string(table) &&
						 strcmp(json_string_value(table), *wanted) == 0);
		if (!there)
			verdict_fault(v, TEND_REASON_OBJECT_MISSING, "the firewall has no table %s",
				*wanted);
	}
}

static void judge_policies(const struct firewall_conf *c, const json_t *doc, struct verdict *v)
{
	const json_t *hooks = json_object_get(doc, "hooks");

	for (char **row = c->policies; row && *row; row++) {
		size_t n = strcspn(*row, "=");
		char hook[32];
		const char *is;

		(void)snprintf(hook, sizeof(hook), "%.*s", (int)n, *row);
		is = doc_text(hooks, hook);
		if (strcmp(is, *row + n + 1) != 0)
			verdict_fault(v, TEND_REASON_UNDECLARED, "the policy of %s is %s, not %s",
				hook, is[0] ? is : "not set by any chain", *row + n + 1);
	}
}

static void judge_fingerprint(
	const struct firewall_conf *c, const json_t *doc, const json_t *memory, struct verdict *v)
{
	const char *is = doc_text(doc, "fingerprint"), *known = c->fingerprint;

	if (!known)
		return;
	if (strcmp(known, "remember") == 0) {
		known = doc_text(memory, "fingerprint");
		if (!known[0])
			known = is;
		v->memory = json_pack("{s:s}", "fingerprint", known);
	}
	if (strcasecmp(is, known) != 0)
		verdict_fault(v, TEND_REASON_UNDECLARED,
			"the rules are not those declared: fingerprint %.16s..., not %.16s...", is,
			known);
}

void firewall_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict)
{
	const struct firewall_conf *c = conf;
	double rules = doc_number(doc, "rules", 0), age = doc_number(doc, "age", 0);
	char text[32];

	verdict_metric(ret_verdict, "rules", NULL, rules, "");
	verdict_metric(ret_verdict, "age", NULL, age, "s");
	if (age > (double)c->max_age / 1e6)
		verdict_fault(ret_verdict, TEND_REASON_STALE,
			"the rules were read %s ago: does tend-firewall.timer run?",
			span_text(age, text));
	if (c->ufw && !doc_flag(doc, "ufw"))
		verdict_fault(ret_verdict, TEND_REASON_UNDECLARED, "ufw is not switched on");
	if (rules < (double)c->min_rules)
		verdict_fault(ret_verdict, TEND_REASON_OBJECT_MISSING,
			"the firewall has %.0f rules, %lld are needed", rules,
			(long long)c->min_rules);
	judge_tables(c, doc, ret_verdict);
	judge_policies(c, doc, ret_verdict);
	judge_fingerprint(c, doc, memory, ret_verdict);
	verdict_well(ret_verdict, "%.0f rules in %zu tables", rules,
		json_array_size(json_object_get(doc, "tables")));
}
