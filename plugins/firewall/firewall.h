/* SPDX-License-Identifier: MIT */
/* firewall/firewall.h: options of the firewall probe, and its pure judgement. */
#ifndef FIREWALL_FIREWALL_H
#define FIREWALL_FIREWALL_H

#include "../machine/verdict.h"

struct firewall_conf {
	char *snapshot, *fingerprint;
	char **tables, **policies; /* policies: "input=drop" */
	int64_t min_rules;
	usec_t max_age;
	bool ufw;
};

void firewall_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict);

#endif
