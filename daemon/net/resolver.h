/* SPDX-License-Identifier: MIT */
/*
 * net/resolver.h: names to addresses: literals, localhost, /etc/hosts, a cache, name servers. Owns
 * the cache and the look-ups; answers of one name are shared by all who wait for it. Bounds: 64
 * names in flight, 8192 waiting, 16384 cached, 5 s a name in all, cached 5 s to 5 min (no such
 * name: 10 s; no answer: 2 s). Never blocks but for small files (resolv.conf, hosts) when they
 * changed.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include "net/net.h"

enum { RESOLVER_MAX_IN_FLIGHT = 64, RESOLVER_MAX_WAITING = 8192, RESOLVER_MAX_NAMES = 16384 };

struct resolver;
struct resolver_options {
	const char *resolv_conf; /* NULL: /etc/resolv.conf; lives as long as the resolver */
	const char *hosts;	 /* NULL: /etc/hosts */
	const char *servers;	 /* NULL: those of resolv.conf; "127.0.0.1:5353,..." */
};
int resolver_new(
	struct loop *loop, const struct resolver_options *options, struct resolver **ret_resolver);
struct resolver *resolver_free(struct resolver *resolver); /* callbacks are not called any more */
DEFINE_AUTO(struct resolver *, resolver_free)

/* As net_resolve(). */
int resolver_resolve(struct resolver *resolver, const char *name, net_lookup_fn fn, void *data,
	struct net_lookup **ret_lookup);
void resolver_add_stats(const struct resolver *resolver, struct net_stats *stats);

#endif
