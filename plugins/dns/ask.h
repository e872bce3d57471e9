/* SPDX-License-Identifier: MIT */
/*
 * dns/ask.h: one question to one name server, by a c-ares channel of its own on the attempt's I/O
 * and timers. A struct ask lies in the probe's memory. Never blocks: the channel is given all that
 * c-ares would read from files. The answer is noted only; the probe looks after each turn
 * (`turned`), since a channel cannot be freed from its own callback.
 */
#ifndef DNS_ASK_H
#define DNS_ASK_H

#include <ares.h>
#include "judge.h"

enum { ASK_MAX_SOCKETS = 4 };

struct ask {
	struct tend_attempt *attempt;
	const struct dns_conf *conf;
	ares_channel channel;
	struct ask_socket {
		struct ask *ask;
		int fd;
		struct tend_io *io;
	} sockets[ASK_MAX_SOCKETS];
	usec_t began;
	struct dns_answer *answer;
	void (*turned)(void *data);
	void *data;
};
/* Begins; the answer may be there when it returns. `span`: how long it may take. */
void ask_begin(struct ask *ask, const struct tend_address *server, usec_t span);
void ask_end(struct ask *ask); /* idempotent */

#endif
