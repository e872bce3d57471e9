/* SPDX-License-Identifier: MIT */
/*
 * ctl/rehearse.h: the verbs of `tendctl policy` that need no daemon (check, test) or only its
 * history (replay): tend-rehearse does the work, in place of this process.
 */
#ifndef CTL_REHEARSE_H
#define CTL_REHEARSE_H

#include "ctl/ctl.h"

int policy_check(struct ctl *ctl, char *const *args, int n_args);
int policy_test(struct ctl *ctl, char *const *args, int n_args);
int policy_replay(struct ctl *ctl, char *const *args, int n_args);
/* "30d", "12h" before now, as Unix seconds; -EINVAL. Pure. */
int rehearse_since(const char *text, usec_t now, long long *ret_sec);

#endif
