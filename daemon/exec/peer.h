/* SPDX-License-Identifier: MIT */
/*
 * exec/peer.h: who is at the other end of a unix socket. The programs that act for tendd listen to
 * the main process of tendd.service, run by the user tend, and to nobody else; PID 1 is asked anew
 * for each connection, before a byte of it is read. There is no option that weakens this. Frees:
 * peer_ask_free(). Never blocks.
 */
#ifndef EXEC_PEER_H
#define EXEC_PEER_H

#include "exec/pid1.h"

#define PEER_UNIT "tendd.service"
#define PEER_USER "tend"

struct peer_ask;
/* `why` is NULL if it is tendd, else for the log; the ask is freed already. */
typedef void (*peer_fn)(const char *why, void *data);

int peer_credentials(int fd, long *ret_pid, long *ret_uid);
/* -EPERM: its user is another; then, and at any other failure, `fn` is not called. */
int peer_ask_new(
	struct pid1 *pid1, long pid, long uid, peer_fn fn, void *data, struct peer_ask **ret_ask);
struct peer_ask *peer_ask_free(struct peer_ask *ask); /* no answer then; NULL is fine */
/* The peer learns that it was refused, so that a tendd that is not set up right can say why. */
void peer_tell_refused(int fd);

#endif
