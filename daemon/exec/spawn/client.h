/* SPDX-License-Identifier: MIT */
/*
 * exec/spawn/client.h: tendd's side of tend-spawn. Connects when the first program is asked for,
 * and again when one is asked for after the connection was lost; a program that ran when that
 * happened ends with -ECONNRESET and is not run again by itself. Each ask is answered once, from
 * the loop, or cancelled. Frees: spawn_client_free(), open asks get no answer then. Never blocks.
 */
#ifndef EXEC_SPAWN_CLIENT_H
#define EXEC_SPAWN_CLIENT_H

#include <jansson.h>
#include <tend/error.h>
#include "base/cleanup.h"
#include "loop/loop.h"

struct spawn_client;
struct spawn_ask;

/* r < 0: `message` says why, and nothing else is set. -ENOTCONN: tend-spawn cannot be asked,
 * -ECONNRESET: it went away meanwhile, -EPERM: it must not run this, -ENOENT: no such program,
 * -ENOEXEC: it cannot be started, -EBUSY: too much else runs. All is borrowed for the callback. */
struct spawn_reply {
	int r;
	const char *message;
	bool timed_out;	 /* it had not ended: no status, no signal */
	int exit_status; /* -1 = none */
	int signo;	 /* 0 = none */
	const char *out, *err;
	size_t out_len, err_len;
	bool truncated;
	usec_t elapsed;
};
typedef void (*spawn_fn)(const struct spawn_reply *reply, void *data);

struct spawn_order {
	const char *const *argv;
	const char *command;	/* argv NULL: [command NAME] of spawn.conf */
	const char *look;	/* or a kind of tend-look */
	const json_t *args;	/* parameters of either; an object, borrowed */
	const char *stdin_text; /* NULL = none */
	usec_t timeout;
	size_t output_max_bytes;
};

int spawn_client_new(struct loop *loop, const char *path, struct spawn_client **ret_client);
struct spawn_client *spawn_client_free(struct spawn_client *client);
DEFINE_AUTO(struct spawn_client *, spawn_client_free)
/* By ssh to another host, whose sshd answers our key with `tend-spawn --stdio`. The vector (see
 * exec/ssh.h) is copied. */
int spawn_client_new_ssh(
	struct loop *loop, char *const *ssh_argv, struct spawn_client **ret_client);
int spawn_client_set_ssh(struct spawn_client *client, char *const *ssh_argv);
/* Another socket: the connection to the former ends, and what runs there. */
int spawn_client_set_path(struct spawn_client *client, const char *path);

/* The same codes as in a reply; then `fn` is not called. */
int spawn_client_run(struct spawn_client *client, const struct spawn_order *order, spawn_fn fn,
	void *data, struct spawn_ask **ret_ask, struct tend_error *err);

/* A socket for echo requests: r 0: the descriptor is the callee's, `echo_id` is the id that its
 * filter lets through. */
typedef void (*spawn_icmp_fn)(int r, int fd, uint16_t echo_id, const char *message, void *data);
int spawn_client_icmp(struct spawn_client *client, int family, spawn_icmp_fn fn, void *data,
	struct spawn_ask **ret_ask, struct tend_error *err);
struct spawn_ask *spawn_ask_cancel(struct spawn_ask *ask); /* NULL is fine; its program is ended */

#endif
