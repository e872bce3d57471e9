/* SPDX-License-Identifier: MIT */
#include "flow/script.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "base/str.h"
#include "loop/child.h"
#include "loop/rpc.h"

struct script {
	struct loop *loop;
	struct script_events events;
	struct rpc *rpc;
	struct loop_source *exited;
	pid_t pid; /* 0: reaped */
	bool ended;
	char how[96];
};

/* ---- its end -------------------------------------------------------------------------------- */

static void end(struct script *s, int r, const char *message, const json_t *value)
{
	if (s->ended)
		return;
	s->ended = true;
	s->events.on_end(r, message, value, s->events.data);
}

/* The exit says more than the end of file, and its last words come before both. */
static void end_if_over(struct script *s)
{
	char message[160];

	if (s->pid != 0 || s->rpc)
		return;
	(void)snprintf(message, sizeof(message), "tend-run %s", s->how);
	end(s, -EPIPE, message, NULL);
}

static void on_exited(pid_t pid, int code, int status, void *data)
{
	struct script *s = data;

	s->pid = 0;
	if (code == CLD_EXITED)
		(void)snprintf(s->how, sizeof(s->how), "exited with status %d", status);
	else
		(void)snprintf(s->how, sizeof(s->how), "was ended by signal %d (%s)", status,
			status == SIGSYS    ? "a forbidden system call"
			: status == SIGXCPU ? "it computed for longer than it may"
					    : strsignal(status));
	end_if_over(s);
}

static void on_closed(struct rpc *rpc, const char *why, void *data)
{
	struct script *s = data;

	s->rpc = rpc_free(s->rpc);
	if (s->pid > 0) /* it broke the protocol, or is about to exit */
		(void)kill(s->pid, SIGTERM);
	end_if_over(s);
}

static void on_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data)
{
	struct script *s = data;
	const char *message = json_string_value(json_object_get(args, "message"));
	char text[SCRIPT_TEXT_BYTES];

	if (s->ended)
		return;
	if (id) {
		s->events.on_call(id, call, args, s->events.data);
	} else if (str_eq(call, "described") || str_eq(call, "ended")) {
		end(s, 0, NULL, args);
	} else if (str_eq(call, "failed")) {
		message = message ? message : "it cannot be used";
		str_sanitize(text, sizeof(text), message, strlen(message));
		end(s, -ENOEXEC, text, NULL);
	}
}

/* ---- its start ------------------------------------------------------------------------------ */

static int spawn(struct script *s, const char *program)
{
	auto_free char *copy = strdup(program);
	char option[] = "--flow", *argv[] = {copy, option, NULL};
	auto_close int sock = -EBADF;
	int r = copy ? child_spawn(argv, &s->pid, &sock) : -ENOMEM;

	if (r < 0)
		return r;
	r = loop_child_new(s->loop, s->pid, on_exited, s, &s->exited);
	return r < 0 ? r
		     : rpc_new(s->loop, TAKE_FD(sock), "tend-run --flow", on_call, on_closed, s,
			       &s->rpc);
}

int script_new(struct loop *loop, const char *program, json_t *start,
	const struct script_events *events, struct script **ret_script)
{
	auto_json json_t *args = start;
	struct script *s = start ? calloc(1, sizeof(*s)) : NULL;
	int r;

	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->events = *events;
	r = spawn(s, program);
	if (r == 0)
		r = rpc_call(s->rpc, "start", TAKE(args), 0, NULL, NULL, NULL);
	if (r < 0) {
		script_free(s);
		return r;
	}
	*ret_script = s;
	return 0;
}

struct script *script_free(struct script *s)
{
	if (!s)
		return NULL;
	s->ended = true;
	s->rpc = rpc_free(s->rpc);
	s->exited = loop_source_free(s->exited);
	if (s->pid > 0)
		child_abandon(s->loop, s->pid);
	free(s);
	return NULL;
}

int script_answer(struct script *s, uint64_t id, json_t *ok)
{
	if (s->rpc)
		return rpc_ok(s->rpc, id, ok);
	json_decref(ok);
	return -ENOTCONN;
}
