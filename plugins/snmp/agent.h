/* SPDX-License-Identifier: MIT */
/*
 * snmp/agent.h: one agent, asked one question after another over a UDP socket of our own: name,
 * socket, the engine of SNMPv3 and its clock, what is sent again, and what silence means. A struct
 * agent lies in its user's memory. Never blocks. `ready`, `answered` and `failed` are called from
 * the loop; after `failed` nothing more is, and its user then calls agent_stop().
 */
#ifndef SNMP_AGENT_H
#define SNMP_AGENT_H

#include <tend/plugin.h>
#include "message.h"
#include "plan.h"

enum { AGENT_MAX_OIDS = 16, AGENT_WHERE_BYTES = 128, AGENT_TEXT_BYTES = 300 };

enum agent_state { AGENT_NAME, AGENT_DISCOVER, AGENT_HELLO, AGENT_OPEN, AGENT_OVER };

struct agent;
struct agent_user {
	void (*ready)(struct agent *agent);
	/* `answer` is borrowed, and lives until it returns. */
	void (*answered)(struct agent *agent, const struct pdu_answer *answer);
	void (*failed)(struct agent *agent, enum tend_reason reason, const char *text);
};

struct agent {
	const struct agent_user *user;
	struct tend_attempt *attempt;
	const struct agent_conf *conf;
	enum agent_state state;
	int fd;
	struct tend_io *io;
	char where[AGENT_WHERE_BYTES]; /* "192.0.2.1 port 161" */
	usec_t dns_usec, answer_usec;  /* 0: not known */
	int64_t uptime_ticks;	       /* sysUpTime; -1: it does not tell */

	struct message_way way;
	uint32_t engine_time; /* as it was told at: */
	usec_t engine_at;
	uint64_t salt;
	bool heard, waiting, tuned, found_again, unsealed_heard;
	unsigned n_sent, n_bad;	  /* n_bad: since the last question */
	int bad;		  /* what was wrong with the last of these */
	uint32_t id, unsealed_id; /* unsealed: see send_unsealed() */
	usec_t asked_at, sent_at;
	struct pdu_ask ask;
	const struct oid *oids[AGENT_MAX_OIDS];
	char what[PLAN_NAME_BYTES + 16]; /* is asked for, for people */
};

/* 0 or -errno, then nothing is called. */
int agent_start(struct agent *agent, const struct agent_user *user, struct tend_attempt *a,
	const struct agent_conf *conf);
void agent_stop(struct agent *agent); /* idempotent */
/* Of an agent that is ready and not asked. The OIDs must live until the answer comes. */
void agent_ask(struct agent *agent, enum pdu_type type, const struct oid *const *oids, size_t n,
	int repetitions, const char *what);

#endif
