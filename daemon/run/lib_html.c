/* SPDX-License-Identifier: MIT */
/* html.form(page, name) of flows: the parser is the http probe's. */
#include <errno.h>
#include <lauxlib.h>
#include <string.h>

#include "http/form.h"
#include "run/lib.h"

/* A form outlives an error of Lua's in here (no memory): then the process ends. */
static void push_form(lua_State *L, const struct form *form)
{
	lua_createtable(L, 0, 4);
	lua_pushstring(L, form->action);
	lua_setfield(L, -2, "action");
	lua_pushstring(L, form->post ? "POST" : "GET");
	lua_setfield(L, -2, "method");
	lua_pushboolean(L, form->multipart);
	lua_setfield(L, -2, "multipart");
	lua_createtable(L, 0, (int)form->n_fields);
	for (size_t i = 0; i < form->n_fields; i++) {
		lua_pushstring(L, form->fields[i].value);
		lua_setfield(L, -2, form->fields[i].name);
	}
	lua_setfield(L, -2, "fields");
}

/* html.form(page[, id or name]) -> {action, method, multipart, fields}, or nil and why. */
static int find_form(lua_State *L)
{
	size_t len;
	const char *page = luaL_checklstring(L, 1, &len);
	const char *wanted = luaL_optstring(L, 2, NULL);
	struct form form = {0};
	int r = form_find(page, len, wanted, &form);

	if (r < 0) {
		lua_pushnil(L);
		lua_pushstring(L, r == -ENOENT	? "there is no such form in the page"
				  : r == -E2BIG ? "the form has too many or too long fields"
						: strerror(-r));
		return 2;
	}
	push_form(L, &form);
	form_clear(&form);
	return 1;
}

void lib_open_html(lua_State *L)
{
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, find_form);
	lua_setfield(L, -2, "form");
	lua_setglobal(L, "html");
}
