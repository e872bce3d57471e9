/* SPDX-License-Identifier: MIT */
/*
 * exec/spawn/server.h: the socket of tend-spawn, the queue, the answers. Listens to tendd only
 * (exec/peer.h); `max_programs` run at once, `max_queue` wait, what has waited as long as it may
 * run is refused as busy. When a connection ends, so do its programs. Frees: spawn_server_free(),
 * which kills what runs. Never blocks, but on stat() of programs.
 */
#ifndef EXEC_SPAWN_SERVER_H
#define EXEC_SPAWN_SERVER_H

#include "exec/spawn/cgroup.h"
#include "exec/spawn/rules.h"
#include "loop/loop.h"

enum { SPAWN_MAX_CONNECTIONS = 16 };
#define SPAWN_REMOTE_USER   "tend-remote"
#define SPAWN_REMOTE_NAME   "remote"
#define SPAWN_REMOTE_SOCKET "/run/tend-spawn/remote.sock"

struct spawn_server;
struct icmp_sockets;

struct spawn_server_deps {
	struct loop *loop;
	struct cgroups *cgroups;   /* NULL: none were handed over */
	struct spawn_rules *rules; /* taken over; NULL = `why_no_rules` */
	const char *why_no_rules;
	const char *look;		 /* the program tend-look; NULL: the installed one */
	const struct keeper *keeper;	 /* for looks at logs; lives longer; NULL: there is none */
	const struct icmp_sockets *icmp; /* to hand out; lives longer; NULL: there are none */
	/* A program has interfered with those that watch it: only an end of this process, and of
	 * all that runs in its unit, makes sure that nothing is left. NULL: nothing can be done. */
	void (*on_foul)(void *data);
	void *data;
};
int spawn_server_new(const struct spawn_server_deps *deps, struct spawn_server **ret_server);
struct spawn_server *spawn_server_free(struct spawn_server *server);
DEFINE_AUTO(struct spawn_server *, spawn_server_free)
/* Rules read anew, taken over; NULL: nothing may be run, because of `why`. */
void spawn_server_set_rules(
	struct spawn_server *server, struct spawn_rules *rules, const char *why);
/* Takes a listening socket over: each peer is looked at. `remote`: it is for those that sshd runs
 * for other hosts, `tend-spawn --stdio`; their user is tend-remote or root. */
int spawn_server_listen(struct spawn_server *server, int fd, bool remote);
/* Takes a connected one over whose peer is trusted: the standard input of --stdio, a test's. */
int spawn_server_serve(struct spawn_server *server, int fd, void (*closed)(void *data), void *data);
size_t spawn_server_n_running(const struct spawn_server *server);

#endif
