/* SPDX-License-Identifier: MIT */
/* process/process.h: options of the process probe, and its pure judgement. */
#ifndef PROCESS_PROCESS_H
#define PROCESS_PROCESS_H

#include "../machine/verdict.h"

struct process_conf {
	char *name, *exe, *cmdline, *user, *unit;
	int64_t min, max;
};

void process_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict);

#endif
