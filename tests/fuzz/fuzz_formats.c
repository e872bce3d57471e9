/* SPDX-License-Identifier: MIT */
/*
 * The shipped webhook formats on foreign text, in the Lua they run in; fuzz_formats.lua says what
 * must hold. The first byte chooses: 'j' an answer for the judges (then which format, which
 * status), 't' a template, to the end of the line, and words, 'w' (then which format) words in
 * every place of a notice that others write. With TEND_LUA_LINES it writes to that file which lines
 * of Lua it has reached: NAME LINE.
 * Parser: lua/tend/text.lua, lua/tend/notice.lua, lua/tend/judge.lua, lua/tend/alertmanager.lua,
 * lua/formats/alertmanager-api.lua, lua/formats/alertmanager.lua, lua/formats/dingtalk.lua,
 * lua/formats/feishu.lua, lua/formats/pagerduty.lua, lua/formats/slack.lua, lua/formats/teams.lua,
 * lua/formats/template.lua, lua/formats/wecom.lua.
 */
#include <assert.h>
#include <dirent.h>
#include <jansson.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/str.h"
#include "run/env.h"
#include "run/library.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SOURCE_MAX_BYTES = 1 << 20 };

static void add_sources(json_t *library, const char *folder)
{
	auto_free char *path = str_printf("%s/%s", TEND_SOURCE_LUA, folder);
	DIR *dir = path ? opendir(path) : NULL;

	if (!dir)
		abort();
	for (struct dirent *entry; (entry = readdir(dir));) {
		auto_free char *file = str_printf("%s/%s", path, entry->d_name);
		auto_free char *name = str_printf("%s/%s", folder, entry->d_name);
		auto_free char *text = NULL;

		if (!str_endswith(entry->d_name, ".lua"))
			continue;
		if (fs_read_file(file, SOURCE_MAX_BYTES, &text, NULL) < 0 ||
			json_object_set_new(library, name, json_string(text)) < 0)
			abort();
	}
	closedir(dir);
}

/* ---- which lines were reached ---------------------------------------------------------------- */

enum { MAX_FILES = 32, MAX_LINES = 800 };

static struct {
	char name[LUA_IDSIZE];
	bool lines[MAX_LINES];
} reached[MAX_FILES];

static void on_line(lua_State *L, lua_Debug *at)
{
	size_t i = 0;

	(void)lua_getinfo(L, "S", at);
	while (i < MAX_FILES && reached[i].name[0] && strcmp(reached[i].name, at->short_src) != 0)
		i++;
	if (i == MAX_FILES || at->currentline < 0 || at->currentline >= MAX_LINES)
		return;
	memcpy(reached[i].name, at->short_src, sizeof(reached[i].name));
	reached[i].lines[at->currentline] = true;
}

static void write_reached(void)
{
	FILE *file = fopen(getenv("TEND_LUA_LINES"), "we");

	for (size_t i = 0; file && i < MAX_FILES; i++)
		for (size_t line = 0; line < MAX_LINES; line++)
			if (reached[i].lines[line])
				fprintf(file, "%s %zu\n", reached[i].name, line);
	if (file)
		fclose(file);
}

/* ---- the target ------------------------------------------------------------------------------ */

/* Leaves the function that tries on the stack, at 1. */
static lua_State *state(void)
{
	static struct env_memory memory = {.max_bytes = 256 << 20};
	static lua_State *L;
	static json_t *library;

	if (L) {
		lua_settop(L, 1);
		return L;
	}
	library = json_object();
	add_sources(library, "tend");
	add_sources(library, "formats");
	if (env_new(&memory, &L) < 0)
		abort();
	if (getenv("TEND_LUA_LINES")) {
		lua_sethook(L, on_line, LUA_MASKLINE, 0);
		atexit(write_reached);
	}
	library_open(L, library);
	if (luaL_loadfile(L, TEND_FUZZ_LUA) != LUA_OK || lua_pcall(L, 0, 1, 0) != LUA_OK) {
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
		abort();
	}
	return L;
}

static void call(lua_State *L, int n_args)
{
	if (lua_pcall(L, n_args, 0, 0) != LUA_OK) {
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1, *line;
	lua_State *L = state();
	size_t head = size > 4 && data[0] == 'j' ? 3 : size > 4 && data[0] == 'w' ? 2 : 1;

	/* tendd hands over nothing but UTF-8, and nothing longer. */
	if (size < 4 || size > 8192 || !str_utf8_valid((const char *)data + head, size - head) ||
		memchr(data + head, 0, size - head))
		return 0;
	size--;
	lua_pushvalue(L, 1);
	lua_pushlstring(L, (const char *)data, 1);
	switch (data[0]) {
	case 'j':
		lua_pushinteger(L, text[0]);
		lua_pushinteger(L, text[1]);
		lua_pushlstring(L, text + 2, size - 2);
		call(L, 4);
		break;
	case 't':
		line = memchr(text, '\n', size);
		lua_pushlstring(L, text, line ? (size_t)(line - text) : size);
		lua_pushlstring(
			L, line ? line + 1 : "", line ? size - (size_t)(line - text) - 1 : 0);
		call(L, 3);
		break;
	case 'w':
		lua_pushinteger(L, text[0]);
		lua_pushlstring(L, text + 1, size - 1);
		call(L, 3);
		break;
	default:
		break;
	}
	return 0;
}
