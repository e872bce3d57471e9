/* SPDX-License-Identifier: MIT */
#include "snmp/date.h"
#include <string.h>
#include <time.h>
#include "base/clock.h"

void date_format(usec_t wall, unsigned char ret_date[MIB_DATE_BYTES])
{
	time_t seconds = (time_t)(wall / USEC_PER_SEC);
	struct tm tm;

	memset(ret_date, 0, MIB_DATE_BYTES);
	if (wall == 0 || !gmtime_r(&seconds, &tm) || tm.tm_year + 1900 > UINT16_MAX)
		return;
	ret_date[0] = (unsigned char)((tm.tm_year + 1900) >> 8);
	ret_date[1] = (unsigned char)(tm.tm_year + 1900);
	ret_date[2] = (unsigned char)(tm.tm_mon + 1);
	ret_date[3] = (unsigned char)tm.tm_mday;
	ret_date[4] = (unsigned char)tm.tm_hour;
	ret_date[5] = (unsigned char)tm.tm_min;
	ret_date[6] = (unsigned char)tm.tm_sec;
	ret_date[7] = (unsigned char)(wall % USEC_PER_SEC / 100000);
	ret_date[8] = '+';
}
