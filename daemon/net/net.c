/* SPDX-License-Identifier: MIT */
#include "net/net.h"
#include <errno.h>
#include <stdlib.h>
#include "net/resolver.h"
#include "net/transfer.h"

struct net {
	struct resolver *resolver;
	struct transfers *transfers;
};

int net_new(struct loop *loop, struct net **ret_net)
{
	auto(net_free) struct net *net = calloc(1, sizeof(*net));
	int r;

	if (!net)
		return -ENOMEM;
	/* Never undone: other users of the process may live on. */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -EIO;
	r = resolver_new(loop, NULL, &net->resolver);
	if (r < 0)
		return r;
	r = transfers_new(loop, net->resolver, &net->transfers);
	if (r < 0)
		return r;
	*ret_net = TAKE(net);
	return 0;
}

struct net *net_free(struct net *net)
{
	if (!net)
		return NULL;
	/* Transfers first: they wait for look-ups. */
	transfers_free(net->transfers);
	resolver_free(net->resolver);
	free(net);
	return NULL;
}

int net_resolve(struct net *net, const char *name, net_lookup_fn fn, void *data,
	struct net_lookup **ret_lookup)
{
	return resolver_resolve(net->resolver, name, fn, data, ret_lookup);
}

int net_transfer_start(struct net *net, CURL *easy, const char *url, usec_t deadline,
	net_transfer_fn fn, void *data, struct net_transfer **ret_transfer)
{
	return transfers_start(
		net->transfers, easy, url, deadline, NULL, TRANSFER_DIRECT, fn, data, ret_transfer);
}

int net_transfer_start_guarded(struct net *net, CURL *easy, const char *url, usec_t deadline,
	struct net_guard *guard, net_transfer_fn fn, void *data, struct net_transfer **ret_transfer)
{
	return transfers_start(net->transfers, easy, url, deadline, guard, TRANSFER_DIRECT, fn,
		data, ret_transfer);
}

int net_transfer_start_held(struct net *net, CURL *easy, const char *url, usec_t deadline,
	struct net_guard *guard, net_transfer_fn fn, void *data, struct net_transfer **ret_transfer)
{
	return transfers_start(
		net->transfers, easy, url, deadline, guard, TRANSFER_HELD, fn, data, ret_transfer);
}

int net_transfer_start_proxied(struct net *net, CURL *easy, const char *proxy, usec_t deadline,
	net_transfer_fn fn, void *data, struct net_transfer **ret_transfer)
{
	return transfers_start(net->transfers, easy, proxy, deadline, NULL, TRANSFER_PROXIED, fn,
		data, ret_transfer);
}

void net_get_stats(const struct net *net, struct net_stats *ret_stats)
{
	struct net_stats stats = {0};

	resolver_add_stats(net->resolver, &stats);
	transfers_add_stats(net->transfers, &stats);
	*ret_stats = stats;
}
