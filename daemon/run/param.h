/* SPDX-License-Identifier: MIT */
/*
 * run/param.h: the parameters of a policy: types, defaults, ranges, and what the configuration
 * gave. Values arrive as text (from an ini file) or as what they are (from the API) and reach the
 * policy in their type; a duration reaches it as seconds. Pure but for the Lua stack; param_take()
 * raises nothing.
 */
#ifndef RUN_PARAM_H
#define RUN_PARAM_H

#include <lua.h>
#include <tend/error.h>

enum { PARAM_MAX_ENTRIES = 1000 };

enum param_type {
	PARAM_STRING,
	PARAM_INTEGER,
	PARAM_NUMBER,
	PARAM_BOOLEAN,
	PARAM_DURATION,
	PARAM_LIST, /* of strings; as text: separated by commas */
	PARAM_TYPE_MAX,
};

extern const char *const param_type_names[PARAM_TYPE_MAX + 1]; /* ends with NULL, for Lua */

/* "1m30s", "500ms", "2h" or plain seconds; -EINVAL. */
int param_parse_duration(const char *text, double *ret_sec);
/* Replaces the value on top of the stack by the same in `type`; -EINVAL with the text in err ("must
 * be an integer"), the value then stays. */
int param_convert(lua_State *L, enum param_type type, struct tend_error *err);
/* From the declaration at `spec` (name -> {type, default, min, max}) and the values at `given` (a
 * table) pushes the table the policy sees. Raises on unknown, missing and wrong ones. */
void param_push_all(lua_State *L, int spec, int given);
/* The value on top against the fields min, max (of a number its value, of a list its length) and
 * choices of the table at `spec`; -ERANGE. */
int param_check_range(lua_State *L, int spec, struct tend_error *err);

#endif
