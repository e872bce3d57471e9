/* SPDX-License-Identifier: MIT */
/*
 * Echo requests (tend/plugin.h): the socket is tend-spawn's, asked for when it is needed first;
 * without tend-spawn a ping socket of our own, where the kernel allows it. It is kept for all.
 */
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "exec/spawn/client.h"
#include "net/ping.h"
#include "watch/host_private.h"

struct ping_request {
	struct tend_address address;
	unsigned n_packets;
	size_t payload_bytes;
	usec_t interval, wait;
};

static void cancel_ping(struct held *h)
{
	spawn_ask_cancel(h->u.ping.ask);
	ping_cancel(h->u.ping.ping);
	free(h->u.ping.request);
}

static void finish(struct held *h, int r, const usec_t *rtt_usec, size_t n_sent)
{
	struct tend_attempt *a = h->attempt;
	tend_ping_fn fn = h->u.ping.fn;
	void *fn_data = h->fn_data;

	free(h->u.ping.request);
	held_drop(h);
	fn(a, r, rtt_usec, n_sent, fn_data);
}

static void host_pinged(int r, const usec_t *rtt_usec, size_t n_sent, void *data)
{
	finish(data, r, rtt_usec, n_sent);
}

static int begin(struct held *h)
{
	const struct ping_request *q = h->u.ping.request;
	const struct ping_order order = {
		.address = &q->address,
		.n_packets = q->n_packets,
		.payload_bytes = q->payload_bytes,
		.interval = q->interval,
		.wait = q->wait,
	};

	return pinger_start(h->attempt->host->pinger, &order, host_pinged, h, &h->u.ping.ping);
}

static void host_got_socket(int r, int fd, uint16_t echo_id, const char *message, void *data)
{
	struct held *h = data;
	struct host *host = h->attempt->host;
	int family = h->u.ping.request->address.sa.sa_family;

	h->u.ping.ask = NULL;
	/* Others may have asked at the same time. */
	if (pinger_ready(host->pinger, family))
		safe_close(fd);
	else if (r == 0)
		r = pinger_take_raw(host->pinger, family, fd, echo_id);
	if (!pinger_ready(host->pinger, family) && pinger_open(host->pinger, family) == 0)
		log_info("icmp: a ping socket of our own, since %s",
			message ? message : strerror(-r));
	if (pinger_ready(host->pinger, family))
		r = begin(h);
	else
		r = -ENOTCONN;
	if (r < 0)
		finish(h, r, NULL, 0);
}

/* 0: it will be answered; < 0: there is no socket, and will be none. */
static int get_socket(struct held *h, int family)
{
	struct host *host = h->attempt->host;
	struct tend_error err = {0};
	int r = host->spawn ? spawn_client_icmp(
				      host->spawn, family, host_got_socket, h, &h->u.ping.ask, &err)
			    : -ENOTCONN;

	if (r == 0)
		return 0;
	return pinger_open(host->pinger, family) == 0 ? begin(h) : -ENOTCONN;
}

int tend_ping(struct tend_attempt *a, const struct tend_address *address, unsigned n_packets,
	size_t payload_bytes, usec_t interval, usec_t wait, tend_ping_fn fn, void *data)
{
	struct host *host = a->host;
	int family = address->sa.sa_family, r = 0;
	struct held *h;

	if (!host->pinger)
		r = pinger_new(host->loop, &host->pinger);
	if (r < 0)
		return r;
	h = held_new(a, cancel_ping, data);
	if (!h)
		return -ENOMEM;
	h->u.ping.fn = fn;
	h->u.ping.request = malloc(sizeof(*h->u.ping.request));
	if (!h->u.ping.request) {
		held_drop(h);
		return -ENOMEM;
	}
	*h->u.ping.request = (struct ping_request){.address = *address,
		.n_packets = n_packets,
		.payload_bytes = payload_bytes,
		.interval = interval,
		.wait = wait};
	r = pinger_ready(host->pinger, family) ? begin(h) : get_socket(h, family);
	if (r < 0) {
		free(h->u.ping.request);
		held_drop(h);
	}
	return r;
}
