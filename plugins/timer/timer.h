/* SPDX-License-Identifier: MIT */
/* timer/timer.h: options of the timer probe, and its pure judgement. */
#ifndef TIMER_TIMER_H
#define TIMER_TIMER_H

#include "../machine/verdict.h"

struct timer_conf {
	char *timer;
	usec_t max_age, max_run, late;
};

void timer_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict);

#endif
