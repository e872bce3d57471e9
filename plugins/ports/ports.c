/* SPDX-License-Identifier: MIT */
/* The ports probe: what listens on the component's machine, against a declared baseline. */
#include "ports.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct tend_option ports_options[] = {
	TEND_OPT(MAP, struct ports_conf, declared, "port", NULL,
		"A port that must be open, by a name: port.ssh = 22/tcp, port.db = 5432/tcp "
		"loopback, port.ftp = 30000-30100/tcp 192.0.2.1. With an address: there only."),
	TEND_OPT(BOOL, struct ports_conf, loopback, "loopback", "no",
		"Undeclared ports that only the machine itself can reach are told, too."),
	TEND_OPT(INT, struct ports_conf, udp_below, "udp_below", "32768",
		"Undeclared UDP ports from this one on are those of clients, and not told.",
		.min = 0, .max = 65536),
	TEND_OPTION_END,
};

static void ports_clear(void *conf)
{
	struct ports_conf *c = conf;

	free(c->rules);
	c->rules = NULL;
	c->n_rules = 0;
}

static int ports_check(void *conf, struct tend_error *err)
{
	struct ports_conf *c = conf;

	ports_clear(conf);
	c->rules = calloc(PORTS_MAX, sizeof(*c->rules));
	if (!c->rules)
		return -ENOMEM;
	for (char **row = c->declared; row && *row; row++) {
		char *equals = strchr(*row, '=');

		if (c->n_rules == PORTS_MAX)
			return tend_error_set(err, -EINVAL, "more than %d ports", PORTS_MAX);
		if (ports_rule_parse(equals + 1, &c->rules[c->n_rules]) < 0)
			return tend_error_set(err, -EINVAL,
				"port.%.*s: '%s' is not as 22/tcp, 8000-8010/tcp or 53/udp "
				"loopback",
				(int)(equals - *row), *row, equals + 1);
		(void)snprintf(c->rules[c->n_rules].name, sizeof(c->rules[0].name), "%.*s",
			(int)(equals - *row), *row);
		c->n_rules++;
	}
	return 0;
}

static const struct machine_probe ports_machine = {
	.kind = "ports",
	.missing = TEND_REASON_NO_EVIDENCE,
	.judge = ports_judge,
};

static int ports_start(struct tend_attempt *a, const void *conf)
{
	return machine_start(a, conf, &ports_machine, json_object());
}

static const struct tend_metric_doc ports_metric_docs[] = {
	TEND_METRIC("exposed", "", "ports that others can reach"),
	TEND_METRIC("open", "", "ports that listen"),
	TEND_METRIC("undeclared", "", "those that are told"),
	{0},
};

static const struct tend_reason_doc ports_reason_docs[] = {
	{TEND_REASON_UNDECLARED, "a port that is not declared, or on another address"},
	{TEND_REASON_OBJECT_MISSING, "nothing listens on a declared one"},
	{TEND_REASON_ACCESS_DENIED, "the user tend-probe may not look there"},
	MACHINE_REASONS,
	{0},
};

static size_t ports_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	return machine_metric_names(ports_metric_docs, ret_names);
}

static const struct tend_probe ports_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "ports",
	.doc = "Compares the ports that are open with those that are declared.",
	.options = ports_options,
	.conf_size = sizeof(struct ports_conf),
	.check = ports_check,
	.clear = ports_clear,
	.start = ports_start,
	.metrics = ports_metrics,
	.metric_docs = ports_metric_docs,
	.reason_docs = ports_reason_docs,
	.example = "port.ssh = 22/tcp\nport.db = 5432/tcp loopback\n",
};
TEND_PROBE(ports, &ports_probe);
