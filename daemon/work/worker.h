/* SPDX-License-Identifier: MIT */
/*
 * work/worker.h: one tend-work process. It has one call at a time. `on_idle` comes when a call was
 * answered, `on_gone` once when the process has ended, and then it must be freed. worker_kill() is
 * for one that nobody waits for any more: it reports nothing but on_gone. Never blocks:
 * one that lives is killed by worker_free(), and reaped later or by children_drain().
 */
#ifndef WORK_WORKER_H
#define WORK_WORKER_H

#include <jansson.h>
#include <stdbool.h>
#include "loop/loop.h"

struct worker;

struct worker_events {
	void (*on_phase)(int reason, const char *text, void *data);
	/* r < 0: `message` says why; the process is broken or goes on. -ESTALE: it cannot do this
	 * one, nothing was begun. */
	void (*on_answer)(int r, const json_t *ok, const char *message, void *data);
	/* `how`: "ended by signal 11 (Segmentation fault)", which is `signalled`. */
	void (*on_gone)(const char *how, bool signalled, void *data);
	void *data;
};

int worker_new(struct loop *loop, const char *program, const char *name,
	const struct worker_events *events, struct worker **ret_worker);
struct worker *worker_free(struct worker *worker);
/* Borrows `args`. -ENOTCONN: it has closed its connection, and on_gone comes. */
int worker_call(struct worker *worker, json_t *args);
void worker_kill(struct worker *worker);

#endif
