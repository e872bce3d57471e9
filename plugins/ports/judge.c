/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "ports.h"

int ports_rule_parse(const char *text, struct ports_rule *ret_rule)
{
	struct ports_rule rule = {0};
	char protocol[8] = "";
	int n = 0;

	if (sscanf(text, "%5u-%5u/%7[a-z] %47s%n", &rule.first, &rule.last, protocol, rule.address,
		    &n) < 3) {
		rule.address[0] = '\0';
		n = 0;
		if (sscanf(text, "%5u/%7[a-z] %47s%n", &rule.first, protocol, rule.address, &n) < 2)
			return -EINVAL;
		rule.last = rule.first;
	}
	if (n > 0 && text[n])
		return -EINVAL;
	rule.udp = strcmp(protocol, "udp") == 0;
	if ((!rule.udp && strcmp(protocol, "tcp") != 0) || rule.first < 1 || rule.last > 65535 ||
		rule.last < rule.first || strspn(text, " ") > 0)
		return -EINVAL;
	*ret_rule = rule;
	return 0;
}

static bool is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 ||
	       strncmp(address, "::ffff:127.", 11) == 0;
}

static bool fits_port(const struct ports_rule *rule, const json_t *port)
{
	double number = doc_number(port, "port", 0);

	return rule->udp == (strcmp(doc_text(port, "protocol"), "udp") == 0) &&
	       number >= rule->first && number <= rule->last;
}

static bool fits_address(const struct ports_rule *rule, const json_t *port)
{
	const char *address = doc_text(port, "address");

	if (!rule->address[0])
		return true;
	return strcmp(rule->address, "loopback") == 0 ? is_loopback(address)
						      : strcmp(rule->address, address) == 0;
}

/* "8080/tcp (http-alt) on 0.0.0.0, app.service" */
static const char *describe(const json_t *port, char buf[200])
{
	const char *service = doc_text(port, "service"), *unit = doc_text(port, "unit"),
		   *user = doc_text(port, "user");

	(void)snprintf(buf, 200, "%.0f/%.8s%s%.24s%s on %.48s, %s%.60s",
		doc_number(port, "port", 0), doc_text(port, "protocol"), service[0] ? " (" : "",
		service, service[0] ? ")" : "", doc_text(port, "address"), unit[0] ? "" : "user ",
		unit[0] ? unit : user);
	return buf;
}

static void judge_open(const struct ports_conf *c, const json_t *port, struct verdict *v)
{
	const struct ports_rule *elsewhere = NULL;
	bool udp = strcmp(doc_text(port, "protocol"), "udp") == 0;
	char text[200];

	for (size_t i = 0; i < c->n_rules; i++) {
		if (!fits_port(&c->rules[i], port))
			continue;
		if (fits_address(&c->rules[i], port))
			return;
		elsewhere = &c->rules[i];
	}
	if (elsewhere && !is_loopback(doc_text(port, "address"))) {
		verdict_fault(v, TEND_REASON_UNDECLARED, "%s (%s), declared for %s only",
			describe(port, text), elsewhere->name, elsewhere->address);
		return;
	}
	/* What only this machine can reach, and the passing ports of clients. */
	if ((!c->loopback && is_loopback(doc_text(port, "address"))) ||
		(udp && doc_number(port, "port", 0) >= (double)c->udp_below))
		return;
	verdict_fault(v, TEND_REASON_UNDECLARED, "not declared: %s", describe(port, text));
}

static void judge_missing(const struct ports_rule *rule, const json_t *ports, struct verdict *v)
{
	const json_t *port;
	size_t i;

	json_array_foreach (ports, i, port)
		if (fits_port(rule, port) && fits_address(rule, port))
			return;
	verdict_fault(v, TEND_REASON_OBJECT_MISSING, "nothing listens on %s: %u/%s%s%s", rule->name,
		rule->first, rule->udp ? "udp" : "tcp", rule->address[0] ? " " : "", rule->address);
}

void ports_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict)
{
	const struct ports_conf *c = conf;
	const json_t *ports = json_object_get(doc, "ports"), *port;
	size_t i, n_exposed = 0;

	json_array_foreach (ports, i, port) {
		judge_open(c, port, ret_verdict);
		n_exposed += !is_loopback(doc_text(port, "address"));
	}
	verdict_metric(ret_verdict, "undeclared", NULL, (double)ret_verdict->n_faults, "");
	/* Beyond what is told there may be any. */
	if (doc_flag(doc, "cut"))
		verdict_fault(ret_verdict, TEND_REASON_NO_EVIDENCE,
			"more than %zu ports listen, the rest is not seen", json_array_size(ports));
	for (i = 0; i < c->n_rules && !doc_flag(doc, "cut"); i++)
		judge_missing(&c->rules[i], ports, ret_verdict);
	verdict_metric(ret_verdict, "open", NULL, (double)json_array_size(ports), "");
	verdict_metric(ret_verdict, "exposed", NULL, (double)n_exposed, "");
	verdict_well(ret_verdict, "%zu ports listen, %zu of them beyond this machine, as declared",
		json_array_size(ports), n_exposed);
}
