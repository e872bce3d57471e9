/* SPDX-License-Identifier: MIT */
/* dns/judge.h: the configuration, what each name server said, and whether that is well. Pure. */
#ifndef DNS_JUDGE_H
#define DNS_JUDGE_H

#include <tend/plugin.h>
#include "message.h"

enum { DNS_MAX_SERVERS = 8, DNS_WHY_BYTES = 400 };
enum dns_match { DNS_MATCH_EXACT, DNS_MATCH_CONTAINS };

struct dns_conf {
	char *name;
	int type, match, rcode;
	char **servers, **expect;
	int64_t port;
	bool authoritative, recursion, agree, tcp, validated;
};
extern const char *const dns_type_names[];
extern const unsigned dns_types[];	    /* their numbers, by the index of the option */
extern const char *const dns_rcode_names[]; /* of the option: noerror, nxdomain */

/* How a server answered; r 0: `message` is set. */
struct dns_answer {
	char server[128];
	bool done;
	/* On the last socket: something came (without an answer: it did not fit), or a connection
	 * by TCP was taken. */
	bool heard, taken;
	int r; /* -ETIMEDOUT, -ECONNREFUSED, -EBADMSG, -ENOENT (its own name), ... */
	usec_t took;
	struct dns_message message;
};
/* Of one server; OK: as expected. `why` says what was expected and what came. */
enum tend_reason dns_judge(
	const struct dns_conf *conf, const struct dns_answer *answer, char why[DNS_WHY_BYTES]);
/* Of two servers that are well: whether they say the same (of a SOA: the serial). */
bool dns_same(
	const struct dns_conf *conf, const struct dns_message *a, const struct dns_message *b);
/* "10.0.0.1, 10.0.0.2, ..." */
void dns_records_text(const struct dns_message *message, char *buf, size_t size);

#endif
