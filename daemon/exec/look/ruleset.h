/* SPDX-License-Identifier: MIT */
/*
 * exec/look/ruleset.h: rules of a packet filter as nft (JSON) or iptables-save write them. Pure.
 */
#ifndef EXEC_LOOK_RULESET_H
#define EXEC_LOOK_RULESET_H

#include <jansson.h>
#include <stddef.h>
#include <tend/error.h>

/* {"tables":["inet filter",...],"rules":N,"hooks":{"input":"drop",...},"fingerprint":HEX}. A hook
 * has the strictest policy of its filter chains; counters and handles are left out of the
 * fingerprint. -EIO: it is neither. */
int ruleset_read(const char *text, size_t len, json_t **ret_doc, struct tend_error *err);

#endif
