/* SPDX-License-Identifier: MIT */
/*
 * net/transfer.h: libcurl on the loop, in shards of at most 1,000 handles (one multi with many more
 * is superlinear). Owns the multis and a struct net_transfer for each running handle; the handle
 * stays the caller's. Never blocks: names are resolved before libcurl sees them. Every transfer
 * ends by its own absolute deadline, whatever libcurl does.
 */
#ifndef NET_TRANSFER_H
#define NET_TRANSFER_H

#include "net/net.h"
#include "net/resolver.h"

enum { TRANSFER_SHARD_MAX = 1000, TRANSFER_MAX_RUNNING = 50000 };

struct transfers;
int transfers_new(struct loop *loop, struct resolver *resolver, struct transfers **ret_transfers);
struct transfers *transfers_free(
	struct transfers *transfers); /* callbacks are not called any more */
DEFINE_AUTO(struct transfers *, transfers_free)

/* As net_transfer_start_guarded(); guard NULL: anywhere. */
enum transfer_kind { TRANSFER_DIRECT, TRANSFER_HELD, TRANSFER_PROXIED };
int transfers_start(struct transfers *transfers, CURL *easy, const char *url, usec_t deadline,
	struct net_guard *guard, enum transfer_kind kind, net_transfer_fn fn, void *data,
	struct net_transfer **ret_transfer);
void transfers_add_stats(const struct transfers *transfers, struct net_stats *stats);

#endif
