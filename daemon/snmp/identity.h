/* SPDX-License-Identifier: MIT */
/*
 * snmp/identity.h: who we are to an SNMPv3 peer (a user of USM, RFC 3414) and which engine the peer
 * is. net-snmp keeps one global list of users by engine and name; what is put there and taken away
 * is decided here. Passwords and keys are wiped when freed and never logged. Nothing blocks.
 */
#ifndef SNMP_IDENTITY_H
#define SNMP_IDENTITY_H

#include <tend/error.h>
#include "snmp/library.h"

struct sink_spec;

struct identity {
	char *user; /* NULL: none (v2c) */
	char *auth_password, *priv_password;
	int auth, priv; /* rows of the tables of protocols */
	unsigned char auth_key[USM_AUTH_KU_LEN], priv_key[USM_PRIV_KU_LEN]; /* not localized */
	size_t auth_key_len, priv_key_len;
	uint64_t mark; /* of these keys; marks the user in net-snmp's list */
};

struct engine {
	unsigned char id[32];
	size_t len; /* 0 = not known */
};

int identity_init(struct identity *id, const struct sink_spec *spec, struct tend_error *err);
void identity_clear(struct identity *id);
bool identity_is(const struct identity *id, const struct sink_spec *spec);
void identity_fill(const struct identity *id, netsnmp_session *session);
void identity_clear_session(netsnmp_session *session); /* what identity_fill() gave it, wiped */
void identity_wipe(void *data, size_t len);

/* -EINVAL: not 5 to 32 bytes (RFC 3411, SnmpEngineID). */
int engine_set(struct engine *engine, const unsigned char *id, size_t len);
/* Drops the engine, what is known of its clock and the user there; NULL-safe when nothing is known.
 */
void engine_forget(struct identity *id, struct engine *engine);
/* Makes the user of this engine known to net-snmp, and the engine to the session. */
int engine_install(struct identity *id, const struct engine *engine, netsnmp_session *session);
void engine_use(netsnmp_session *session, const struct engine *engine);
/* The same user of the same engine, with other keys? */
bool engine_conflict(const struct identity *a, const struct engine *a_engine,
	const struct identity *b, const struct engine *b_engine);

/* An unauthenticated, reportable GET (RFC 3414, 4); the caller frees. NULL: no memory. */
netsnmp_pdu *engine_discovery_pdu(void);
const char *engine_report_text(int report); /* of SNMPERR_*, for people */

#endif
