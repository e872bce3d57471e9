/* SPDX-License-Identifier: MIT */
/*
 * run/lib.h: what policies have beyond Lua's own: json, re (regular expressions), time (values, no
 * clock). All in memory and in C without the kernel; what each may take is bounded. Made once,
 * before the first fork. What cannot be is nil and a message where the text is foreign
 * (json.decode, time.parse), and raised with the policy's line where it is the policy's own
 * mistake.
 */
#ifndef RUN_LIB_H
#define RUN_LIB_H

#include <lua.h>

enum { LIB_JSON_BYTES = 1 << 20, LIB_RE_PATTERN_BYTES = 4096, LIB_RE_CACHED = 32 };
/* What one match may take: some tenths of a second at the worst, and 8 MiB. */
enum { LIB_RE_STEPS = 2000000, LIB_RE_DEPTH = 20000, LIB_RE_HEAP_KIB = 8192 };

/* Each defines a global of its name. */
void lib_open_json(lua_State *L);
void lib_open_re(lua_State *L);
void lib_open_time(lua_State *L);
void lib_open_html(lua_State *L); /* of flows only */

#endif
