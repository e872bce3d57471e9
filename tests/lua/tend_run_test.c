/* SPDX-License-Identifier: MIT */
/*
 * tend-run with one addition, for tests of the sandbox: the Lua function test_syscall(name) tries
 * what no policy can ask for. Never installed.
 */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/parent.h"
#include "run/sanitizer.h"

enum { TRY_MAX = 6 };

static const struct {
	const char *name;
	long number;
	long args[TRY_MAX];
} tries[] = {
	{"openat", SYS_openat, {-100, 0, 0}},
	{"socket", SYS_socket, {2, 1, 0}},
	{"clone", SYS_clone, {17, 0, 0, 0, 0}},
	{"execve", SYS_execve, {0, 0, 0}},
	{"kill", SYS_kill, {1, 0}},
	{"ptrace", SYS_ptrace, {0, 0, 0, 0}},
	{"getuid", SYS_getuid, {0}},
	{"sendmsg", SYS_sendmsg, {3, 0, 0}},
	{"dup", SYS_dup, {3}},
	{"read_other", SYS_read, {5, 0, 0}},
	{"mmap_exec", SYS_mmap,
		{0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}},
	{"mmap_file", SYS_mmap, {0, 4096, PROT_READ, MAP_PRIVATE, 3, 0}},
	/* Allowed: shows that the function works and the filter lets through what it should. */
	{"mmap_plain", SYS_mmap,
		{0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}},
};

static int test_syscall(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);

	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		const long *a = tries[i].args;

		if (strcmp(tries[i].name, name) != 0)
			continue;
		lua_pushboolean(
			L, syscall(tries[i].number, a[0], a[1], a[2], a[3], a[4], a[5]) != -1);
		return 1;
	}
	return luaL_error(L, "no such try: %s", name);
}

static void prepare(lua_State *L)
{
	lua_register(L, "test_syscall", test_syscall);
}

int main(void)
{
	return parent_run(3, prepare) < 0;
}
