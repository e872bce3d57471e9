/* SPDX-License-Identifier: MIT */
/*
 * snmp/text.h: any text as a value of ours for SnmpAdminString (SIZE (0..255)).
 */
#ifndef SNMP_TEXT_H
#define SNMP_TEXT_H

#include <jansson.h>
#include <string.h>
#include "base/str.h"
#include "snmp/mib.h"

/* Never a JSON null (NULL gives ""): valid UTF-8, no controls, cut at a character. NULL: no memory.
 */
static inline json_t *text_json(const char *text)
{
	char buf[MIB_TEXT_BYTES + 1] = "";

	if (text)
		str_sanitize(buf, sizeof(buf), text, strlen(text));
	return json_string(buf);
}

#endif
