/* SPDX-License-Identifier: MIT */
/*
 * ctl/check.h: results in the format of Nagios plugins, given out and taken in. Pure but for
 * check_report(); the caller frees; NULL: no memory.
 */
#ifndef CTL_CHECK_H
#define CTL_CHECK_H

#include "ctl/ctl.h"

/* "CRITICAL: TEXT | 'label'=value[UOM];[warn];[crit]"; the code is 0..3. */
char *check_nagios_line(const json_t *check, int *ret_code);

/* cmd_check_report.c: the body of POST /v1/checks/NAME/report. words: STATE [TEXT]
 * [METRIC=VALUE...]; `input` (NULL: none) stands for TEXT. NULL with *err, if it is not for want of
 * memory. */
json_t *check_report_body(char *const *words, size_t n_words, const char *input, size_t input_len,
	size_t *ret_left_out, struct tend_error *err);
int check_report(struct ctl *ctl, char *const *args, int n_args);

#endif
