/* SPDX-License-Identifier: MIT */
/* redis/info.h: the text of INFO: "key:value" lines. Pure; the text is foreign. */
#ifndef REDIS_INFO_H
#define REDIS_INFO_H

#include <stdbool.h>
#include <stddef.h>

enum { INFO_MAX_REPLICAS = 32 };

struct info_replica {
	char name[64]; /* address:port */
	bool online;
	double offset, lag_seconds;
};
struct info {
	char version[32], role[16], run_id[44], master[64];
	bool loading, aof_enabled, aof_write_failed, save_failed, saving, link_down, syncing;
	bool has_save, no_eviction, no_good_replica;
	double loading_eta, uptime, clients, max_clients, blocked, memory, max_memory, not_counted,
		rss, fragmentation, ops, hits, misses, evicted, rejected, keys, unsaved, save_at,
		link_down_seconds, master_io_seconds, replicas, offset;
	size_t n_replicas;
	struct info_replica replica[INFO_MAX_REPLICAS];
};
/* False: there is nothing of Redis in it. */
bool info_parse(const char *text, size_t len, struct info *ret_info);

#endif
