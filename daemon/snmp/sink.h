/* SPDX-License-Identifier: MIT */
/*
 * snmp/sink.h: one place that informs or traps are sent to: a net-snmp single session of its own,
 * the engine id (of a v3 peer; ours for traps), what waits and what is in flight (at most
 * SINK_WINDOW). Never blocks: engine discovery is an unauthenticated GET whose Report brings the
 * engine id, never the library's own probe. Callbacks of the library only record; sink_step() acts.
 * Owned by notify.c.
 */
#ifndef SNMP_SINK_H
#define SNMP_SINK_H

#include "loop/loop.h"
#include <tend/error.h>
#include "snmp/boots.h"
#include "snmp/library.h"

enum {
	SINK_WINDOW = 64,
	SINK_MAX_WAITING = 1024,
	SINK_RETRIES = 2,	   /* of one request, within its timeout */
	SINK_ENGINE_MAX_BYTES = 32 /* SnmpEngineID, RFC 3411 */
};

enum inform_outcome {
	INFORM_PENDING,
	INFORM_ACKNOWLEDGED,
	INFORM_SENT, /* a trap: nobody will say more */
	INFORM_TIMEOUT,
	INFORM_USM,
	INFORM_SEND,
	INFORM_REJECTED,
	INFORM_BUSY, /* refused for now */
	INFORM_OUTCOME_MAX,
};
extern const char *const inform_outcome_names[INFORM_OUTCOME_MAX]; /* error codes of rpc */

struct sink;

struct inform {
	struct sink *sink;
	netsnmp_pdu *pdu;  /* ours; a copy is sent, for it may be sent again to another engine */
	netsnmp_pdu *copy; /* the library's, while `sent` */
	usec_t deadline, timeout;
	bool sent;	 /* the library has it and will call back once more */
	bool answered;	 /* the caller was told */
	bool retried;	 /* was already sent again after an unknown engine */
	int report;	 /* SNMPERR_* of a Report */
	uint64_t engine; /* which of the sink's engines it went to */
	enum inform_outcome outcome;
	char why[200];
	void (*done)(struct inform *inform, void *data); /* once; `outcome` and `why` are set */
	void *data;
	struct inform *next;
};

struct sink_spec {
	const char *host;	   /* ADDRESS:PORT, [ADDRESS]:PORT; never a name */
	const char *version;	   /* "3", "2c", for traps also "1" */
	bool trap;		   /* traps go there, else informs */
	const struct boots *boots; /* of v3 traps; must outlive the sink */
	const char *user, *auth_protocol, *auth_password, *priv_protocol, *priv_password;
	const char *community;
};

int sink_command(const struct sink_spec *spec); /* SNMP_MSG_*: of the PDUs for sink_send() */
/* -EINVAL with err when the specification is not usable. */
int sink_new(struct loop *loop, const struct sink_spec *spec, struct tend_error *err,
	struct sink **ret_sink);
/* Everything pending ends as `send` first. */
struct sink *sink_free(struct sink *sink);
bool sink_is(const struct sink *sink, const struct sink_spec *spec); /* for exactly this? */
bool sink_idle(const struct sink *sink);
usec_t sink_last_used(const struct sink *sink);

/* Steals `pdu`. `done` is called from sink_step() or sink_free(). -ENOBUFS: too many wait. */
int sink_send(struct sink *sink, netsnmp_pdu *pdu, usec_t timeout,
	void (*done)(struct inform *inform, void *data), void *data);
/* After every event: ends what is due, sends what may go. Returns when to call again at the latest.
 */
usec_t sink_step(struct sink *sink, struct sink *const *others, size_t n_others);

#endif
