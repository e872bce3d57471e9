/* SPDX-License-Identifier: MIT */
/*
 * ctl/check.h: a check's latest result in the format of Nagios plugins. Pure; the caller frees;
 * NULL: no memory.
 */
#ifndef CTL_CHECK_H
#define CTL_CHECK_H

#include <jansson.h>

/* "CRITICAL: TEXT | 'label'=value[UOM];[warn];[crit]"; the code is 0..3. */
char *check_nagios_line(const json_t *check, int *ret_code);

#endif
