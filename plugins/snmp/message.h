/* SPDX-License-Identifier: MIT */
/*
 * snmp/message.h: what is around a PDU: version and community (RFC 1901), or SNMPv3's header with
 * the parameters of its security model (RFC 3412, 6; RFC 3414, 2.4). Pure but for OpenSSL's
 * arithmetic; what is read is foreign.
 */
#ifndef SNMP_MESSAGE_H
#define SNMP_MESSAGE_H

#include "pdu.h"
#include "usm.h"

enum { MESSAGE_MAX_BYTES = 65507, MESSAGE_ASK_BYTES = 8192 };
enum message_version { MESSAGE_V2C = 1, MESSAGE_V3 = 3 };

/* How we speak: the same for each question of an attempt. */
struct message_way {
	enum message_version version;
	const char *community;	    /* of v2c */
	const char *user, *context; /* of v3 */
	struct usm_engine engine;   /* not known: without user, digest and encryption (discovery) */
	struct usm_keys keys;
};

/* Of v3 `engine.time` is what it is now. The message ends where `buf` ends: *ret_start, ret_len.
 * -EMSGSIZE: it does not fit; -EIO. */
int message_write(const struct message_way *way, uint32_t msg_id, uint64_t salt,
	const struct pdu_ask *ask, unsigned char buf[MESSAGE_ASK_BYTES],
	const unsigned char **ret_start, size_t *ret_len);

struct message {
	bool authentic;		  /* the digest is right; of v2c the community is */
	uint32_t msg_id;	  /* of v3 */
	struct usm_engine engine; /* of v3: who answers, and its time */
	struct pdu_answer answer;
};
/* Changes `data`: it is decrypted in place, and the answer points there. -EBADMSG: no message of
 * this version, -EKEYREJECTED: with another community, user or engine, a wrong digest, or less
 * protected than was asked (but for a REPORT, which then is not authentic); msg_id and authentic
 * hold then, too. */
int message_read(const struct message_way *way, unsigned char *data, size_t len,
	struct message *ret_message);

#endif
