/* SPDX-License-Identifier: MIT */
/*
 * net/ping.h: echo requests over one socket a family, whoever asks. Owns the sockets that it is
 * given, and a struct ping for each run of requests until its callback or ping_cancel(). Replies
 * are told apart by sequence, a random number in the payload and the sender. Bounds: 4,096 requests
 * whose reply is awaited. Never blocks.
 */
#ifndef NET_PING_H
#define NET_PING_H

#include <tend/plugin.h>
#include "loop/loop.h"

struct pinger;
struct ping;

int pinger_new(struct loop *loop, struct pinger **ret_pinger);
struct pinger *pinger_free(struct pinger *pinger); /* callbacks are not called any more */
DEFINE_AUTO(struct pinger *, pinger_free)

bool pinger_ready(const struct pinger *pinger, int family);
/* A raw socket that lets through replies with `echo_id` only; taken over, also on failure.
 * -EPROTOTYPE: it is something else. */
int pinger_take_raw(struct pinger *pinger, int family, int fd, uint16_t echo_id);
/* A ping socket of our own: -EACCES when net.ipv4.ping_group_range does not allow it. */
int pinger_open(struct pinger *pinger, int family);

struct ping_order {
	const struct tend_address *address;
	unsigned n_packets; /* 1 to TEND_PING_MAX */
	size_t payload_bytes;
	usec_t interval, wait; /* between requests; for the reply to each */
};
/* Called once, from the loop. r < 0: the first request could not be sent. */
typedef void (*ping_fn)(int r, const usec_t *rtt_usec, size_t n_sent, void *data);
/* -ENOTCONN: there is no socket, -EINVAL, -EBUSY: too many wait for replies. */
int pinger_start(struct pinger *pinger, const struct ping_order *order, ping_fn fn, void *data,
	struct ping **ret_ping);
struct ping *ping_cancel(struct ping *ping); /* NULL is fine */

#endif
