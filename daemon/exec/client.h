/* SPDX-License-Identifier: MIT */
/*
 * exec/client.h: tendd's side of tend-exec. Keeps one connection (connects, says hello, comes back
 * with backoff) and gives every request exactly one outcome, by the loop, never from within the
 * call that made it. An action is sent at most once: when the connection is lost after that, the
 * client reconnects and attaches by id. The way there is a unix socket or an ssh. Frees:
 * exec_client_free(); requests still open then get no outcome (their ids can be attached by the
 * next process). Never blocks.
 */
#ifndef EXEC_CLIENT_H
#define EXEC_CLIENT_H

#include <jansson.h>
#include "base/cleanup.h"
#include "exec/outcome.h"
#include "exec/ssh.h"
#include "loop/loop.h"

enum {
	EXEC_CLIENT_MAX_REQUESTS = 256,
	/* A request that could not be sent for so long is refused: nothing was begun. */
	EXEC_CLIENT_PATIENCE_MSEC = 10000,
};

/* All is borrowed for the time of the callback. */
struct exec_result {
	const char *id;
	enum exec_outcome outcome;
	const char *code;    /* of a request refused: invalid, not-allowed, limited, busy, fenced,
				held,    risk, unavailable; never-begun from attach; else "" */
	const char *result;  /* systemd's word: done, failed, timeout, exit-code, ...; "" if none */
	const char *message; /* one sentence for people; "" if none */
	/* of a unit verb */
	const char *job;	       /* its number as text; "" */
	const char *invocation_before; /* 32 hex digits; "" = the unit was not running */
	const char *invocation_after;
	/* of a command */
	int exit_status;       /* -1 = it has none (a signal, a timeout) */
	const char *out, *err; /* the tails of what it wrote, at most 16 KiB each; "" */
	json_t *answer;	       /* the whole answer of tend-exec; NULL if there was none */
};
typedef void (*exec_client_fn)(const struct exec_result *result, void *data);
typedef void (*exec_progress_fn)(const char *id, const char *line, void *data);

struct exec_client;

/* `path` is the socket; connects in the background. `progress` (may be NULL) gets a line of a
 * command that is running. */
int exec_client_new(struct loop *loop, const char *path, exec_progress_fn progress, void *data,
	struct exec_client **ret_client);
struct exec_client *exec_client_free(struct exec_client *client);
DEFINE_AUTO(struct exec_client *, exec_client_free)

/* The same to a host by ssh; `host` is copied. */
int exec_client_new_ssh(struct loop *loop, const struct ssh_host *host, exec_progress_fn progress,
	void *data, struct exec_client **ret_client);

struct exec_order {
	const char *id;	  /* a UUID of the caller's making, journalled before it is sent */
	const char *why;  /* for the log and the ledger */
	const char *lock; /* the lock whose holder asks, and its fencing token; NULL = none */
	uint64_t token;
	/* A command, a statement: what was believed that it may do, "change"; NULL = not told. One
	 * that may do more is refused, code risk, and hello is said again. */
	const char *risk;
	/* A unit verb: the unit's InvocationID when it was looked at; one that has another by now
	 * is left alone. NULL = whatever it is, "" = it had none. */
	const char *seen;
	/* A unit verb: one that came up less long ago is left alone; 0 = however long. */
	uint64_t min_up_msec;
	/* Another host: nothing is begun while packages are installed there (`hold_on_dpkg`), or
	 * one of these users and @groups is logged in; NULL = no matter. */
	bool hold_on_dpkg;
	char *const *hold_on_login;
};

/* verb: start, stop, restart, reload. 0, or -EINVAL, -ENOBUFS (too many requests), -EEXIST (this id
 * is open here already), -ENOMEM: then nothing was sent and `fn` is not called. */
int exec_client_unit(struct exec_client *client, const struct exec_order *order, const char *verb,
	const char *unit, exec_client_fn fn, void *data);
/* `args`: a JSON object of strings and integers by parameter; stolen, also on failure; NULL = {}.
 */
int exec_client_command(struct exec_client *client, const struct exec_order *order,
	const char *command, json_t *args, exec_client_fn fn, void *data);
/* May the statement be run on this component now? If so the answer has it: {"statement","values",
 * "max_rows","lock_timeout_msec","transaction"}; the caller runs it, once. */
int exec_client_sql(struct exec_client *client, const struct exec_order *order, const char *name,
	const char *component, json_t *args, exec_client_fn fn, void *data);
/* Waits for the outcome of a request that was made before, maybe by a process that has died. An id
 * that was never begun is `refused`, code never-begun, and from then on can never begin. Waits for
 * as long as tend-exec cannot be asked: an open question is not an outcome. */
int exec_client_attach(struct exec_client *client, const char *id, exec_client_fn fn, void *data);
/* No outcome is wanted any more; what was begun goes on. */
void exec_client_forget(struct exec_client *client, const char *id);

/* What a unit looks like there and how it ended: {"intent","why","load_state", ...}. Called once,
 * never before it returns: answer NULL and a text on failure. -ENOTCONN: it cannot be asked now. */
struct exec_ask;
typedef void (*exec_ask_fn)(const json_t *answer, const char *error, void *data);
int exec_client_inspect(struct exec_client *client, const char *unit, usec_t timeout,
	exec_ask_fn fn, void *data, struct exec_ask **ret_ask);
void exec_ask_cancel(struct exec_ask *ask); /* before its callback only; NULL is fine */

/* Actions and attachments whose outcome is still to come. */
size_t exec_client_n_open(const struct exec_client *client);
bool exec_client_connected(const struct exec_client *client);
/* Why it is not connected, "" when it is. */
const char *exec_client_trouble(const struct exec_client *client);
/* The answer to hello: {"version","boot_id","takes":["risk"],"commands":[...],"units":[...],
 * "risks":{COMMAND:RISK},"timeouts":{"commands":{NAME:SECONDS},"units":{NAME:SECONDS}},
 * "sql":{NAME:{"statement","params","max_rows","risk",...}}}; NULL before the first. */
json_t *exec_client_hello(const struct exec_client *client);

#endif
