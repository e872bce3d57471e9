/* SPDX-License-Identifier: MIT */
#include "work/worker.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <tend/reason.h>
#include "base/clock.h"
#include "base/str.h"
#include "loop/child.h"
#include "loop/rpc.h"
#include "work/values.h"

/* One whose connection is closed and that does not end. */
#define CLOSED_PATIENCE_USEC USEC_PER_SEC

struct worker {
	struct worker_events events;
	struct loop *loop;
	char *name;
	struct rpc *rpc;
	struct loop_source *exited, *patience;
	pid_t pid; /* 0: reaped */
	bool busy, killed, signalled;
	char how[96];
};

static void on_patience(void *data)
{
	worker_kill(data);
}

static void end_if_over(struct worker *w)
{
	/* Its last words come before its end: the connection is read to the end of file. */
	if (w->pid == 0 && !w->rpc)
		w->events.on_gone(w->how, w->signalled, w->events.data);
}

static void on_exited(pid_t pid, int code, int status, void *data)
{
	struct worker *w = data;

	w->pid = 0;
	w->signalled = code != CLD_EXITED;
	if (!w->signalled)
		(void)snprintf(w->how, sizeof(w->how), "exited with status %d", status);
	else
		(void)snprintf(w->how, sizeof(w->how), "ended by signal %d (%s)", status,
			strsignal(status));
	if (w->killed)
		w->rpc = rpc_free(w->rpc);
	end_if_over(w);
}

static void on_closed(struct rpc *rpc, const char *why, void *data)
{
	struct worker *w = data;

	w->rpc = rpc_free(w->rpc);
	if (w->pid > 0)
		loop_timer_set(w->patience, clock_now() + CLOSED_PATIENCE_USEC);
	end_if_over(w);
}

static void on_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data)
{
	struct worker *w = data;
	const char *reason = json_string_value(json_object_get(args, "reason"));
	const char *text = json_string_value(json_object_get(args, "text"));

	if (id)
		rpc_error(rpc, id, "invalid", "nothing answers '%s' here", call);
	else if (w->busy && str_eq(call, "phase") && reason && text)
		w->events.on_phase(tend_reason_from_name(reason), text, w->events.data);
}

static void on_reply(const struct rpc_reply *reply, void *data)
{
	struct worker *w = data;

	if (w->killed || reply->r == -ECONNRESET)
		return; /* on_gone() tells */
	w->busy = false;
	w->events.on_answer(str_eq(reply->error_code, WORK_STALE) ? -ESTALE : reply->r, reply->ok,
		reply->message, w->events.data);
}

static int spawn(struct loop *loop, const char *program, struct worker *w)
{
	auto_free char *copy = strdup(program);
	char *argv[] = {copy, NULL};
	auto_close int sock = -EBADF;
	int r = copy ? child_spawn(argv, &w->pid, &sock) : -ENOMEM;

	if (r < 0)
		return r;
	r = loop_child_new(loop, w->pid, on_exited, w, &w->exited);
	return r < 0 ? r : rpc_new(loop, TAKE_FD(sock), w->name, on_call, on_closed, w, &w->rpc);
}

int worker_new(struct loop *loop, const char *program, const char *name,
	const struct worker_events *events, struct worker **ret_worker)
{
	struct worker *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->events = *events;
	w->loop = loop;
	w->name = str_printf("tend-work (%s)", name);
	r = w->name ? loop_timer_new(loop, on_patience, w, &w->patience) : -ENOMEM;
	if (r == 0)
		r = spawn(loop, program, w);
	if (r < 0) {
		worker_free(w);
		return r;
	}
	*ret_worker = w;
	return 0;
}

struct worker *worker_free(struct worker *w)
{
	if (!w)
		return NULL;
	w->killed = true;
	w->rpc = rpc_free(w->rpc);
	loop_source_free(w->exited);
	if (w->pid > 0)
		child_abandon(w->loop, w->pid);
	loop_source_free(w->patience);
	free(w->name);
	free(w);
	return NULL;
}

int worker_call(struct worker *w, json_t *args)
{
	int r = w->rpc ? rpc_call(w->rpc, "attempt", json_incref(args), 0, on_reply, w, NULL)
		       : -ENOTCONN;

	w->busy = r == 0;
	return r;
}

void worker_kill(struct worker *w)
{
	w->killed = true;
	w->busy = false;
	/* Not reaped yet, so the number is still its own. */
	if (w->pid > 0)
		(void)kill(w->pid, SIGKILL);
}
