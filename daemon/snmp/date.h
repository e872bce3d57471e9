/* SPDX-License-Identifier: MIT */
/*
 * snmp/date.h: DateAndTime (RFC 2579) in UTC. Pure.
 */
#ifndef SNMP_DATE_H
#define SNMP_DATE_H

#include <tend/option.h>
#include "snmp/mib.h"

void date_format(usec_t wall, unsigned char ret_date[MIB_DATE_BYTES]); /* 0 gives all zeros */

#endif
