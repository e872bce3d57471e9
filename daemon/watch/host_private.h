/* SPDX-License-Identifier: MIT */
/*
 * watch/host_private.h: what the files of the plugins' host share. host.c has the life of an
 * attempt; host_*.c have the calls of tend/plugin.h, each of which hangs what it began on the
 * attempt as a `held`, so that all of it ends with the attempt. Everything runs on the loop.
 */
#ifndef WATCH_HOST_PRIVATE_H
#define WATCH_HOST_PRIVATE_H

#include "base/heap.h"
#include "net/net.h"
#include "watch/host.h"
#include "watch/units.h"
#include "work/pool.h"

/* Something an attempt holds and that ends with it. */
struct held {
	struct tend_attempt *attempt;
	struct held *next, **prev;
	void (*cancel)(struct held *h); /* stops what it stands for; NULL: nothing to stop */
	void *fn_data;
	union {
		struct {
			struct loop_source *source;
			union {
				tend_io_fn io;
				tend_timer_fn timer;
			} fn;
		} loop;
		struct {
			struct net_lookup *lookup;
			tend_resolve_fn fn;
		} name;
		struct {
			struct net_transfer *transfer;
			CURL *easy;
			tend_transfer_fn fn;
		} http;
		struct {
			struct units_ask *ask;
			tend_unit_fn fn;
		} unit;
		struct {
			struct spawn_ask *ask;
			tend_spawn_fn fn;
		} spawn;
		struct {
			struct work_job *job;
		} work;
		struct {
			struct tend_attempt *call; /* the database's own attempt */
			tend_sql_fn fn;
		} sql;
		struct {
			struct spawn_ask *ask;
			union {
				tend_look_fn look;
				tend_unit_fn unit;
			} fn;
		} look;
		struct {
			struct ping_request *request;
			struct spawn_ask *ask; /* for a socket */
			struct ping *ping;
			tend_ping_fn fn;
		} ping;
		struct {
			struct script *script;
			tend_script_call_fn call;
			tend_script_end_fn end;
		} script;
	} u;
};

struct tend_attempt {
	struct host *host;
	struct attempt_spec spec;
	char *name;
	void *data;
	struct heap_node deadline;
	usec_t started, finished;
	struct held *held;
	struct work_job *work; /* of a plugin that blocks; NULL: it was not asked yet */
	struct metric *metrics;
	size_t n_metrics, metrics_cap, n_left_out;
	struct map instances; /* "name:instance", to itself */
	json_t *outcome, *remembered;
	struct hidden
		*hidden; /* from the first text on; NULL: it has no secrets, or had no text yet */
	enum tend_reason reason;
	char text[RESULT_TEXT_BYTES];
	bool ended;
	bool finished_itself;		   /* by tend_attempt_finish() */
	struct tend_attempt *next, **prev; /* running, or ended and not yet drained */
};

struct host {
	struct loop *loop;
	struct net *net;
	struct tend_units *units;
	struct spawn_client *spawn;
	struct pinger *pinger; /* from the first tend_ping() on */
	struct work_pool *work;
	void (*on_unit)(const char *check, void *data);
	void *data;
	struct heap deadlines;
	struct loop_source *timer, *drain;
	struct tend_attempt *running, *ended, **ended_tail;
	size_t n_running, n_scripts;
	struct map interests; /* by unit */
};

struct held *held_new(struct tend_attempt *a, void (*cancel)(struct held *h), void *fn_data);
void held_drop(struct held *h); /* forgets it without cancelling: it has ended by itself */
void held_cancel(struct held *h);
void host_forget_interests(struct host *host);
/* host_hide.c: what the options of the attempt's probe keep secret becomes *** before anybody else
 * sees it: in a text, before it is cut, or in a name or a document. */
void host_hide_in_text(struct tend_attempt *a, char *text);
void host_hide_in_name(struct tend_attempt *a, char *name);
void host_hide_in_json(struct tend_attempt *a, json_t *doc);
void hidden_free(struct hidden *h);
/* Of tend_spawn() and what is like it: who runs programs at the attempt's place, NULL and why if
 * nobody; and for how long. */
struct spawn_client *host_spawn_place(const struct tend_attempt *a, const char **ret_why);
usec_t host_spawn_time(const struct tend_attempt *a);
/* Of a plugin with work(): its start, and what it is when its deadline has come. */
int host_work_start(struct tend_attempt *a);
enum tend_reason host_work_late(const struct tend_attempt *a, char *buf, size_t size);
/* tend_unit_get() of a component on another host. */
int host_look_at_unit(struct tend_attempt *a, const char *unit, tend_unit_fn fn, void *data);

#endif
