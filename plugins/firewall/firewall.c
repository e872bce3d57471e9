/* SPDX-License-Identifier: MIT */
/* The firewall probe: the packet filter of the component's machine against a declared baseline. */
#include "firewall.h"
#include <errno.h>
#include <string.h>

static const struct tend_option firewall_options[] = {
	TEND_OPT(STRING, struct firewall_conf, snapshot, "snapshot", NULL,
		"File with the rules, as root has left them (`nft -j list ruleset' or "
		"iptables-save); else /run/tend-firewall/ruleset, see tend-firewall.timer."),
	TEND_OPT(USEC, struct firewall_conf, max_age, "max_age", "10m",
		"That file must not be older.", .min = 1e6, .max = 3.2e13, .unit = "s"),
	TEND_OPT(INT, struct firewall_conf, min_rules, "min_rules", "1",
		"So many rules must be loaded.", .min = 0, .max = 1e7),
	TEND_OPT(LIST, struct firewall_conf, tables, "tables", NULL,
		"Tables that must be there, as in `inet filter'."),
	TEND_OPT(MAP, struct firewall_conf, policies, "policy", NULL,
		"What a hook does with what no rule takes: policy.input = drop."),
	TEND_OPT(STRING, struct firewall_conf, fingerprint, "fingerprint", NULL,
		"SHA-256 of the rules in hex, as the probe tells it; `remember': the first one "
		"that is seen. Counters, handles and elements of sets do not count."),
	TEND_OPT(BOOL, struct firewall_conf, ufw, "ufw", "no", "ufw must be switched on."),
	TEND_OPTION_END,
};

static int firewall_check(void *conf, struct tend_error *err)
{
	const struct firewall_conf *c = conf;

	if (c->snapshot && c->snapshot[0] != '/')
		return tend_error_set(
			err, -EINVAL, "snapshot: '%s' is no absolute path", c->snapshot);
	if (c->fingerprint && strcmp(c->fingerprint, "remember") != 0 &&
		strlen(c->fingerprint) != 64)
		return tend_error_set(
			err, -EINVAL, "fingerprint: 64 hexadecimal digits, or `remember'");
	for (char **row = c->policies; row && *row; row++)
		if (strcmp(strchr(*row, '=') + 1, "drop") != 0 &&
			strcmp(strchr(*row, '=') + 1, "accept") != 0)
			return tend_error_set(
				err, -EINVAL, "policy: '%s' is neither drop nor accept", *row);
	return 0;
}

static const struct machine_probe firewall_machine = {
	.kind = "firewall",
	.missing = TEND_REASON_NO_EVIDENCE,
	.judge = firewall_judge,
};

static int firewall_start(struct tend_attempt *a, const void *conf)
{
	const struct firewall_conf *c = conf;

	return machine_start(
		a, conf, &firewall_machine, json_pack("{s:s*}", "snapshot", c->snapshot));
}

static const struct tend_metric_doc firewall_metric_docs[] = {
	TEND_METRIC("age", "s", "of the file that the rules were read from"),
	TEND_METRIC("rules", "", "in all tables"),
	{0},
};

static const struct tend_reason_doc firewall_reason_docs[] = {
	{TEND_REASON_OBJECT_MISSING, "too few rules, a table is missing"},
	{TEND_REASON_UNDECLARED, "another policy, another fingerprint, ufw is off"},
	{TEND_REASON_STALE, "the file with the rules is old"},
	{TEND_REASON_ACCESS_DENIED, "the user tend-probe may not look there"},
	MACHINE_REASONS,
	{0},
};

static size_t firewall_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	return machine_metric_names(firewall_metric_docs, ret_names);
}

static const struct tend_probe firewall_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "firewall",
	.doc = "Compares the packet filter's rules with what is declared.",
	.options = firewall_options,
	.conf_size = sizeof(struct firewall_conf),
	.check = firewall_check,
	.start = firewall_start,
	.metrics = firewall_metrics,
	.metric_docs = firewall_metric_docs,
	.reason_docs = firewall_reason_docs,
	.example = "tables = inet filter\npolicy.input = drop\n",
};
TEND_PROBE(firewall, &firewall_probe);
