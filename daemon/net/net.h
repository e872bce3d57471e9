/* SPDX-License-Identifier: MIT */
/*
 * net/net.h: names and transfers on the loop: c-ares behind a cache of ours, and libcurl multis in
 * shards. The only user of both libraries' event interfaces. Names are resolved first and handed to
 * libcurl as literals, so that no thread is ever made and what was checked is what is connected to.
 * Bounded: 64 look-ups in flight, the rest wait their turn. Never blocks.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <curl/curl.h>
#include <tend/plugin.h>
#include "loop/loop.h"
#include "net/allow.h"

struct net;
int net_new(struct loop *loop, struct net **ret_net);
struct net *net_free(struct net *net);
DEFINE_AUTO(struct net *, net_free)

struct net_lookup;
typedef void (*net_lookup_fn)(
	int r, const struct tend_address *addresses, size_t n_addresses, void *data);
/* Literals and cached names answer before it returns (then *ret_lookup is NULL). */
int net_resolve(struct net *net, const char *name, net_lookup_fn fn, void *data,
	struct net_lookup **ret_lookup);
void net_lookup_cancel(struct net_lookup *lookup); /* NULL is fine */

struct net_transfer;
/* result: a CURLcode, or -errno of the look-up (then nothing was sent). A request that is not safe
 * to repeat goes out once: libcurl's own second try on a kept connection that ended without an
 * answer is CURLE_GOT_NOTHING. */
typedef void (*net_transfer_fn)(CURL *easy, int result, void *data);
/* Resolves the host of the easy handle's CURLOPT_URL, then runs it. `deadline` absolute (the
 * transfer's own: CURLE_OPERATION_TIMEDOUT); the easy stays the caller's. */
int net_transfer_start(struct net *net, CURL *easy, const char *url, usec_t deadline,
	net_transfer_fn fn, void *data, struct net_transfer **ret_transfer);
/* The same, to addresses that the guard allows only (net/allow.h); the others are left out, and
 * when none is left it ends with -EACCES. The guard is the caller's and lives as long as the
 * transfer. */
struct net_guard {
	char *const *const *lists; /* as struct address_guard's */
	size_t n_lists;
	bool listed_only;
	char refusal[ADDRESS_REFUSAL_BYTES]; /* why the last was left out; "" */
};
int net_transfer_start_guarded(struct net *net, CURL *easy, const char *url, usec_t deadline,
	struct net_guard *guard, net_transfer_fn fn, void *data,
	struct net_transfer **ret_transfer);
/* The same of a handle with CURLOPT_CONNECT_ONLY: when it ends with CURLE_OK, it and its connection
 * (curl_easy_send(), curl_easy_recv(), CURLINFO_ACTIVESOCKET) stay the caller's until
 * net_transfer_cancel(), and the deadline is over. */
int net_transfer_start_held(struct net *net, CURL *easy, const char *url, usec_t deadline,
	struct net_guard *guard, net_transfer_fn fn, void *data,
	struct net_transfer **ret_transfer);
/* The same as net_transfer_start() of a handle that goes through a proxy: `proxy` is its URL
 * (scheme, host, port), and its host is what is resolved. The target's name is the proxy's to look
 * up. */
int net_transfer_start_proxied(struct net *net, CURL *easy, const char *proxy, usec_t deadline,
	net_transfer_fn fn, void *data, struct net_transfer **ret_transfer);
void net_transfer_cancel(struct net_transfer *transfer); /* NULL is fine; fn is not called */

struct net_stats {
	uint64_t n_lookups, n_cached, n_failed, n_transfers, n_running;
};
void net_get_stats(const struct net *net, struct net_stats *ret_stats);

#endif
