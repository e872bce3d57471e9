/* SPDX-License-Identifier: MIT */
/* antivirus/antivirus.h: options of the antivirus probe, and its pure judgement. */
#ifndef ANTIVIRUS_ANTIVIRUS_H
#define ANTIVIRUS_ANTIVIRUS_H

#include "../machine/verdict.h"

struct antivirus_conf {
	char *socket, *folder;
	bool daemon, test;
	usec_t max_age;
};

void antivirus_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict);

#endif
