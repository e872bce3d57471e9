/* SPDX-License-Identifier: MIT */
/*
 * snmp/feed_private.h: what feed.c (the helper, and what is looked at every 250 ms) and feed_slow.c
 * (what is looked at every 5 s, or read from the store) share.
 */
#ifndef SNMP_FEED_PRIVATE_H
#define SNMP_FEED_PRIVATE_H

#include "loop/child.h"
#include "snmp/feed.h"
#include "snmp/mib.h"
#include "snmp/sent.h"

/* How old what changes with every result (values, times) and the heartbeat may become. */
#define SLOW_USEC (5 * USEC_PER_SEC)

struct scalars {
	uint64_t worst, n_by_state[TEND_STATE_MAX], sequence, outbox, incidents, actions, config;
};

/* What was read from the store for the slow tables; answers outlive the feed. */
struct slow {
	unsigned n_refs;
	struct agentx *agentx; /* NULL: it has gone */
	usec_t look_at;	       /* the next look; 0 = at once */
	usec_t backups_at, log_at;
	bool backups_asked;
	unsigned n_log_asked;
	uint64_t log_seen;	/* a hash: what was there when the log was read */
	json_t *backups, *logs; /* component or receiver -> rows */
};
int slow_new(struct agentx *agentx, struct slow **ret_slow);
struct slow *slow_free(struct slow *slow); /* answers still to come are dropped */

struct agentx {
	struct manager *manager;
	struct conf *conf; /* reference; what the helper was started with */
	struct child *child;
	struct loop_source *timer;
	struct sent sent[MIB_TABLE_MAX];
	/* name -> its index; names stay, so that an index is never another's */
	struct map names[MIB_TABLE_MAX];
	uint64_t pass, generation, heartbeat;
	struct scalars scalars;
	usec_t scalars_sent; /* 0 = never */
	struct slow *slow;
	bool connected;
};

/* One pass over everything, as far as the helper reads it. */
struct pass {
	struct agentx *agentx;
	struct rpc *rpc;
	usec_t now;
	json_t *rows[MIB_TABLE_MAX], *removed[MIB_TABLE_MAX];
	size_t n_rows;
	bool full; /* the helper does not read: the rest waits for the next pass */
	bool slow; /* the slow tables are looked at, too */
};

/* The row, if it is to be sent now. `urgent` covers what must be told at once. */
struct sent_row *pass_changed(
	struct pass *p, enum mib_table_id table, uint64_t index, uint64_t brief, uint64_t urgent);
/* Steals `values`. */
void pass_add(struct pass *p, enum mib_table_id table, struct sent_row *row, json_t *values);
/* The row as it is, if that is not what was sent. Steals `values`; NULL is fine. */
void pass_put(struct pass *p, enum mib_table_id table, uint64_t index, json_t *values);
uint32_t feed_index(struct agentx *agentx, enum mib_table_id table, const char *name); /* 0: none */
bool feed_is_slow(enum mib_table_id table);
void slow_pass(struct pass *p);

#endif
