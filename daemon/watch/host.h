/* SPDX-License-Identifier: MIT */
/*
 * watch/host.h: the other side of tend/plugin.h: the life of an attempt. One absolute deadline,
 * exactly one end: the plugin finishes it, or the deadline, or attempt_abandon(). What it watched
 * ends with it; `done` is called later, from the loop, never from within a call of the plugin.
 * Never blocks.
 */
#ifndef WATCH_HOST_H
#define WATCH_HOST_H

#include "conf/conf.h"
#include "loop/loop.h"
#include "watch/watch.h"

struct host;
struct net;
struct spawn_client;
struct work_pool;

enum { MEMORY_MAX_BYTES = 256 << 10 }; /* what an attempt may remember, as text */

struct attempt_end {
	enum tend_reason reason;
	const char *text;
	struct metric *metrics;	      /* TAKE them */
	size_t n_metrics, n_left_out; /* metrics beyond TEND_SAMPLES_MAX */
	json_t *outcome;	      /* of a call; borrowed */
	json_t *remembered;	      /* borrowed; NULL: nothing new */
	usec_t started, finished;
};
typedef void (*attempt_done_fn)(struct attempt_end *end, void *data);

struct attempt_spec {
	struct conf *owner; /* referenced while the attempt lives */
	const struct tend_probe *probe;
	const void *probe_conf;
	const char *name;
	usec_t timeout;
	const char *method;	     /* NULL: start(); else call() */
	json_t *args;		     /* of the method; borrowed, referenced */
	const json_t *memory;	     /* of the check; borrowed, referenced; NULL */
	const struct report *report; /* of the check; NULL: of no check. Read in start() only */
	/* Of a component on another host: who runs programs there, NULL if nobody can. */
	bool elsewhere;
	struct spawn_client *spawn;
	attempt_done_fn done;
	void *data;
};

/* on_unit(name): a systemd unit that some attempt asked for has changed. */
int host_new(struct loop *loop, struct net *net, struct tend_units *units,
	void (*on_unit)(const char *check, void *data), void *data, struct host **ret_host);
struct host *host_free(struct host *host); /* abandons what runs */
DEFINE_AUTO(struct host *, host_free)
/* Who runs foreign programs; borrowed, and must outlive the host. NULL: nobody. */
void host_set_spawn(struct host *host, struct spawn_client *spawn);
/* Where plugins that block are run; as borrowed. */
void host_set_work(struct host *host, struct work_pool *pool);
/* What attempts say of themselves while they run: for who tries one by hand. NULL: nobody listens.
 */
typedef void (*host_progress_fn)(const char *check, const char *text, void *data);
void host_on_progress(host_progress_fn fn, void *data);
size_t host_n_running(const struct host *host);

/* Drops what was subscribed for a check that is gone or looks elsewhere now. */
void host_forget(struct host *host, const char *check);

int attempt_start(
	struct host *host, const struct attempt_spec *spec, struct tend_attempt **ret_attempt);
void attempt_abandon(struct tend_attempt *a); /* ends it; `done` is not called */

#endif
