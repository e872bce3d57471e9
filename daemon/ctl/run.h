/* SPDX-License-Identifier: MIT */
/*
 * ctl/run.h: `tendctl run follow`, which is more than a question and its answer. Blocks until the
 * run has ended or tendd cannot be reached; owns nothing.
 */
#ifndef CTL_RUN_H
#define CTL_RUN_H

#include "ctl/ctl.h"

/* A line for each approval that the run waits for. */
void run_put_waiting(struct ctl *ctl, const json_t *run);
int run_follow(struct ctl *ctl, char *const *args, int n_args);

#endif
