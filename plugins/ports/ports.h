/* SPDX-License-Identifier: MIT */
/* ports/ports.h: options of the ports probe, and its pure parts. */
#ifndef PORTS_PORTS_H
#define PORTS_PORTS_H

#include "../machine/verdict.h"

enum { PORTS_MAX = 200 };

struct ports_rule {
	char name[64];	  /* of the option */
	char address[48]; /* "": any, "loopback" */
	unsigned first, last;
	bool udp;
};

struct ports_conf {
	char **declared; /* "NAME=22/tcp [ADDRESS]" */
	bool loopback;
	int64_t udp_below;
	struct ports_rule *rules; /* of check(); by clear() */
	size_t n_rules;
};

/* "22/tcp", "8000-8010/tcp 127.0.0.1", "53/udp loopback"; -EINVAL. */
int ports_rule_parse(const char *text, struct ports_rule *ret_rule);
void ports_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict);

#endif
