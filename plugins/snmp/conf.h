/* SPDX-License-Identifier: MIT */
/* snmp/conf.h: the options of a check; plan.h has the struct. */
#ifndef SNMP_CONF_H
#define SNMP_CONF_H

#include "plan.h"
#include "usm.h"

extern const struct tend_option agent_options[];
int agent_conf_check(void *conf, struct tend_error *err);
void agent_conf_clear(void *conf);

#endif
