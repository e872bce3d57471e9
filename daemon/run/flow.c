/* SPDX-License-Identifier: MIT */
#include "run/flow.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "run/bound.h"
#include "run/env.h"
#include "run/lib.h"
#include "run/library.h"
#include "run/sandbox.h"
#include "run/value.h"
#include "run/wire.h"

enum { MESSAGE_BYTES = 4096, CHUNK_BYTES = 256, EXIT_PROTOCOL = 2, EXIT_SANDBOX = 3 };
enum { FILE_BYTES = 256 << 10, LIBRARY_FILES = 64, MAX_SECRETS = 1000 };
/* Of the CPU's time: what steps may use; the rest is the clean-up's. */
enum { CPU_STEPS_PERCENT = 75 };

static const char placeholder[] = "${secret:";

struct session {
	struct wire wire;
	struct env_memory memory;
	struct bound bound;
	lua_State *L;
	json_t *start; /* its texts live as long as the process */
	json_t *args;
	json_t *library;
	const char *mode;
	char *source;
	char chunk[CHUNK_BYTES];
	json_t *reply; /* the last; kept here so that it is not lost when Lua raises */
	uint64_t last_id;
};

/* ---- words with the daemon ------------------------------------------------------------------ */

__attribute__((noreturn)) static void tell(struct session *s, const char *call, json_t *args)
{
	_exit(wire_note(&s->wire, call, args) < 0 ? EXIT_PROTOCOL : 0);
}

__attribute__((noreturn)) static void tell_failed(struct session *s, const char *message)
{
	char text[MESSAGE_BYTES];

	str_sanitize(text, sizeof(text), message, strlen(message));
	tell(s, "failed", json_pack("{s:s}", "message", text));
}

/* From within Lua's allocator: fixed text only. */
__attribute__((noreturn)) static void tell_out_of_memory(const struct session *s)
{
	static const char line[] = "{\"call\":\"failed\",\"args\":{\"message\":\"not enough "
				   "memory: a flow has 64 MiB\"}}\n";

	_Static_assert(SANDBOX_LUA_BYTES == 64 << 20, "the text says how much");
	_exit(write(s->wire.fd, line, sizeof(line) - 1) < 0 ? EXIT_PROTOCOL : 0);
}

static void out_of_memory(void *data)
{
	struct session *s = data;

	if (!bound_take_reserve(&s->bound))
		tell_out_of_memory(s);
}

static void wait_for_reply(struct session *s, uint64_t id)
{
	for (;;) {
		json_t *message = NULL;
		int r = wire_read(&s->wire, &message);

		if (r == 0 || r == -ECONNRESET)
			_exit(0);
		if (r < 0)
			_exit(EXIT_PROTOCOL);
		if ((uint64_t)json_integer_value(json_object_get(message, "id")) == id) {
			json_decref(s->reply);
			s->reply = message;
			return;
		}
		json_decref(message);
	}
}

/* tend.ask(name, arguments) -> what the daemon answers. */
static int ask(lua_State *L)
{
	struct session *s = lua_touserdata(L, lua_upvalueindex(1));
	const char *name = luaL_checkstring(L, 1);
	struct tend_error err = {0};
	json_t *args, *message, *error;
	usec_t asked;
	int r;

	lua_settop(L, 2);
	if (value_to_json(L, 2, name, &args, &err) < 0)
		env_error(L, "%s", err.text);
	message = json_pack(
		"{s:I, s:s, s:o}", "id", (json_int_t)++s->last_id, "call", name, "args", args);
	r = message ? wire_write(&s->wire, message) : -ENOMEM;
	json_decref(message);
	if (r == -EMSGSIZE)
		env_error(
			L, "%s: what is to be sent is larger than %d bytes", name, WIRE_LINE_BYTES);
	if (r < 0)
		_exit(EXIT_PROTOCOL);
	asked = clock_now();
	wait_for_reply(s, s->last_id);
	bound_answered(&s->bound, asked);
	error = json_object_get(s->reply, "error");
	if (error) {
		const char *why = json_string_value(json_object_get(error, "message"));
		env_error(L, "%s: %s", name, why ? why : "refused");
	}
	value_push(L, json_object_get(s->reply, "ok"));
	return 1;
}

/* ---- files, before the sandbox -------------------------------------------------------------- */

static int read_text(const char *path, char **ret_text, size_t *ret_len)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	auto_free char *text = NULL;
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > FILE_BYTES)
		return -EFBIG;
	text = malloc(FILE_BYTES + 1);
	if (!text)
		return -ENOMEM;
	while (n > 0 && len < FILE_BYTES) {
		n = read(fd, text + len, FILE_BYTES - len);
		if (n < 0)
			return -errno;
		len += (size_t)n;
	}
	text[len] = '\0';
	*ret_text = TAKE(text);
	*ret_len = len;
	return 0;
}

static void read_module(struct session *s, const char *folder, const char *name)
{
	auto_free char *path = str_printf("%s/%s", folder, name), *text = NULL;
	char key[CHUNK_BYTES + sizeof("tend/")];
	size_t len = 0;

	if (!path || read_text(path, &text, &len) < 0)
		return; /* require() tells that it is not there */
	(void)snprintf(key, sizeof(key), "tend/%s", name);
	(void)json_object_set_new(s->library, key, json_stringn(text, len));
}

static void read_library(struct session *s, const char *root)
{
	auto_free char *folder = str_printf("%s/tend", root);
	DIR *dir = folder ? opendir(folder) : NULL;
	const struct dirent *entry;
	int n = 0;

	s->library = json_object();
	while (dir && (entry = readdir(dir)) && n < LIBRARY_FILES)
		if (entry->d_name[0] != '.' && str_endswith(entry->d_name, ".lua") && ++n)
			read_module(s, folder, entry->d_name);
	if (dir)
		(void)closedir(dir);
}

/* A placeholder in the file itself gets a word that nobody else knows: what a server answers and a
 * flow sends on cannot hold one. */
static int mark_placeholders(const char *text, const char *mark, char **ret_text)
{
	auto_str struct str out = STR_INIT(2 * FILE_BYTES);
	const char *found;
	int r = 0, n = 0;

	while (r == 0 && (found = strstr(text, placeholder))) {
		if (++n > MAX_SECRETS)
			return -E2BIG;
		r = str_append(&out, text, (size_t)(found - text));
		if (r == 0)
			r = str_appendf(&out, "%s%s:", placeholder, mark);
		text = found + strlen(placeholder);
	}
	if (r == 0)
		r = str_appendf(&out, "%s", text);
	if (r == 0)
		*ret_text = str_take(&out);
	return r == 0 && !*ret_text ? -ENOMEM : r;
}

static void read_files(struct session *s)
{
	const char *path = json_string_value(json_object_get(s->args, "file"));
	const char *library = json_string_value(json_object_get(s->args, "library"));
	const char *mark =
		json_string_value(json_object_get(json_object_get(s->args, "start"), "mark"));
	auto_free char *text = NULL;
	char why[MESSAGE_BYTES];
	size_t len = 0;
	int r;

	if (!path || !library)
		_exit(EXIT_PROTOCOL);
	(void)snprintf(s->chunk, sizeof(s->chunk), "@%.200s",
		strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	r = read_text(path, &text, &len);
	if (r == 0 && (!text || strlen(text) != len || !str_utf8_valid(text, len)))
		r = -EILSEQ;
	if (r == 0)
		r = mark_placeholders(text, mark ? mark : "", &s->source);
	if (r < 0) {
		(void)snprintf(why, sizeof(why), "%.1000s: %s", path,
			r == -EINVAL   ? "it is no file"
			: r == -EILSEQ ? "it is no text in UTF-8"
				       : strerror(-r));
		tell_failed(s, why);
	}
	read_library(s, library);
}

/* ---- the flow ------------------------------------------------------------------------------- */

/* Of tend.flow: what describes or runs the flow the file returned. */
static void push_library_function(lua_State *L, const char *name)
{
	lua_getglobal(L, "require");
	lua_pushliteral(L, "tend.flow");
	lua_call(L, 1, 1);
	if (lua_type(L, -1) != LUA_TTABLE || lua_getfield(L, -1, name) != LUA_TFUNCTION)
		env_error(L, "the library's tend/flow.lua is not of this version");
	lua_remove(L, -2);
}

static int body(lua_State *L)
{
	struct session *s = lua_touserdata(L, 1);

	lua_settop(L, 0);
	bound_open(L, &s->bound);
	library_open(L, s->library);
	lib_open_html(L);
	lua_newtable(L);
	value_push_null(L);
	lua_setfield(L, -2, "null");
	lua_pushlightuserdata(L, s);
	lua_pushcclosure(L, ask, 1);
	lua_setfield(L, -2, "ask");
	lua_pushlightuserdata(L, &s->bound);
	lua_pushcclosure(L, bound_call, 1);
	lua_setfield(L, -2, "bounded");
	lua_setglobal(L, "tend");
	if (luaL_loadbufferx(L, s->source, strlen(s->source), s->chunk, "t") != LUA_OK)
		return lua_error(L);
	push_library_function(L, s->mode);
	lua_insert(L, 1);
	lua_call(L, 0, 1);
	value_push(L, json_object_get(s->args, "start"));
	lua_call(L, 2, 1);
	return 1;
}

static int read_start(struct session *s)
{
	const char *call;
	int r = wire_read(&s->wire, &s->start);

	if (r <= 0)
		return r < 0 ? r : -ECONNRESET;
	call = json_string_value(json_object_get(s->start, "call"));
	s->args = json_object_get(s->start, "args");
	s->mode = json_string_value(json_object_get(s->args, "mode"));
	return str_eq(call, "start") && (str_eq(s->mode, "run") || str_eq(s->mode, "describe"))
		       ? 0
		       : -EBADMSG;
}

static int prepare(struct session *s, struct sandbox **ret_sandbox)
{
	sigset_t none;
	int r;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	/* Else the first object would open /dev/urandom. */
	json_object_seed(0);
	r = sandbox_new(true, ret_sandbox);
	return r == 0 ? env_new(&s->memory, &s->L) : r;
}

__attribute__((noreturn)) static void perform(struct session *s)
{
	struct tend_error err = {0};
	json_t *value;

	lua_pushcfunction(s->L, body);
	lua_pushlightuserdata(s->L, s);
	if (lua_pcall(s->L, 1, 1, 0) != LUA_OK) {
		if (s->memory.refused_new_bytes > 0)
			tell_out_of_memory(s);
		tell_failed(s, lua_tostring(s->L, -1) ? lua_tostring(s->L, -1)
						      : "an error that is no text");
	}
	if (value_to_json(s->L, -1, s->chunk + 1, &value, &err) < 0)
		tell_failed(s, err.text);
	tell(s, str_eq(s->mode, "run") ? "ended" : "described", value);
}

int flow_run(int fd)
{
	static struct session s;
	struct sandbox *sandbox;
	json_int_t wall_msec;
	int r;

	s.memory.max_bytes = SANDBOX_LUA_BYTES;
	r = prepare(&s, &sandbox);
	if (r < 0) {
		log_error("cannot prepare the sandbox of flows: %s", strerror(-r));
		return r;
	}
	s.wire.fd = fd;
	if (sandbox_make_blocking(fd) < 0 || read_start(&s) < 0)
		_exit(EXIT_PROTOCOL);
	read_files(&s);
	wall_msec =
		json_integer_value(json_object_get(json_object_get(s.args, "start"), "wall_msec"));
	if (sandbox_apply(sandbox, fd, wall_msec > 0 ? (uint64_t)wall_msec : 0) < 0)
		_exit(EXIT_SANDBOX);
	s.wire.fd = SANDBOX_FD;
	s.bound.memory = &s.memory;
	s.bound.cpu_max = sandbox_cpu_sec(wall_msec > 0 ? (uint64_t)wall_msec : 0) * USEC_PER_SEC *
			  CPU_STEPS_PERCENT / 100;
	s.memory.exhausted = out_of_memory;
	s.memory.data = &s;
	perform(&s);
}
