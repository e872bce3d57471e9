/* SPDX-License-Identifier: MIT */
/*
 * run/keys.h: the keys of a Lua table in the one order that does not vary between processes:
 * numbers by value, then strings by bytes; every other key is refused. Own merge sort: qsort() may
 * allocate and asks the kernel how much memory there is, which the filter kills. Never raises,
 * never allocates; strings are borrowed from the table and live while it keeps them.
 */
#ifndef RUN_KEYS_H
#define RUN_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <lua.h>

struct key {
	enum { KEY_INTEGER, KEY_FLOAT, KEY_STRING } kind;
	lua_Integer integer;
	lua_Number number;
	const char *text;
	size_t len;
	int slot; /* the reader's: where it left the value on the stack */
};

/* Needs two free stack slots. False when a key has no order; *ret_refused is then its type. */
bool keys_count(lua_State *L, int table, size_t *ret_n, int *ret_refused);
/* The number or string at `index`. */
void keys_read(lua_State *L, int index, struct key *ret_key);
/* `scratch` has room for n, too. */
void keys_sort(struct key *keys, struct key *scratch, size_t n);
int keys_compare(const struct key *a, const struct key *b);
void keys_push(lua_State *L, const struct key *key); /* may raise (memory) */

#endif
