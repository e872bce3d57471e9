/* SPDX-License-Identifier: MIT */
#include "info.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VALUE_BYTES = 512 };

enum kind { NUMBER, TEXT, IS, IS_NOT };
/* IS: the value is `word`; IS_NOT: it is another. */
struct row {
	const char *key;
	enum kind kind;
	size_t offset, size;
	const char *word;
};
#define NUM(key, member)                                                                           \
	{                                                                                          \
		key, NUMBER, offsetof(struct info, member), 0, NULL                                \
	}
#define STR(key, member)                                                                           \
	{                                                                                          \
		key, TEXT, offsetof(struct info, member), sizeof(((struct info *)0)->member), NULL \
	}
#define FLAG(key, member, word)                                                                    \
	{                                                                                          \
		key, IS, offsetof(struct info, member), 0, word                                    \
	}
#define UNLESS(key, member, word)                                                                  \
	{                                                                                          \
		key, IS_NOT, offsetof(struct info, member), 0, word                                \
	}
static const struct row rows[] = {
	STR("redis_version", version),
	STR("role", role),
	STR("run_id", run_id),
	STR("master_host", master),
	FLAG("loading", loading, "1"),
	FLAG("aof_enabled", aof_enabled, "1"),
	FLAG("rdb_bgsave_in_progress", saving, "1"),
	FLAG("master_link_status", link_down, "down"),
	FLAG("master_sync_in_progress", syncing, "1"),
	UNLESS("rdb_last_bgsave_status", save_failed, "ok"),
	UNLESS("aof_last_write_status", aof_write_failed, "ok"),
	FLAG("maxmemory_policy", no_eviction, "noeviction"),
	/* Told when min-replicas-to-write is set. */
	FLAG("min_slaves_good_slaves", no_good_replica, "0"),
	NUM("loading_eta_seconds", loading_eta),
	NUM("uptime_in_seconds", uptime),
	NUM("connected_clients", clients),
	NUM("maxclients", max_clients),
	NUM("blocked_clients", blocked),
	NUM("used_memory", memory),
	NUM("maxmemory", max_memory),
	NUM("mem_not_counted_for_evict", not_counted),
	NUM("used_memory_rss", rss),
	NUM("mem_fragmentation_ratio", fragmentation),
	NUM("instantaneous_ops_per_sec", ops),
	NUM("keyspace_hits", hits),
	NUM("keyspace_misses", misses),
	NUM("evicted_keys", evicted),
	NUM("rejected_connections", rejected),
	NUM("rdb_changes_since_last_save", unsaved),
	NUM("rdb_last_save_time", save_at),
	NUM("master_link_down_since_seconds", link_down_seconds),
	NUM("master_last_io_seconds_ago", master_io_seconds),
	NUM("connected_slaves", replicas),
	NUM("master_repl_offset", offset),
};

static double number_of(const char *text)
{
	double value = strtod(text, NULL);

	return isfinite(value) ? value : 0;
}

/* "ip=::1,port=6380,state=online,offset=14,lag=1" */
static void take_replica(struct info *info, const char *value)
{
	struct info_replica *r = &info->replica[info->n_replicas];
	char copy[MAX_VALUE_BYTES], *save = NULL, ip[48] = "", port[8] = "";

	if (info->n_replicas == INFO_MAX_REPLICAS)
		return;
	*r = (struct info_replica){.online = false};
	(void)snprintf(copy, sizeof(copy), "%s", value);
	for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		char *equals = strchr(word, '=');

		if (!equals)
			return;
		*equals++ = '\0';
		if (strcmp(word, "ip") == 0)
			(void)snprintf(ip, sizeof(ip), "%.40s", equals);
		else if (strcmp(word, "port") == 0)
			(void)snprintf(port, sizeof(port), "%.5s", equals);
		else if (strcmp(word, "state") == 0)
			r->online = strcmp(equals, "online") == 0;
		else if (strcmp(word, "offset") == 0)
			r->offset = number_of(equals);
		else if (strcmp(word, "lag") == 0)
			r->lag_seconds = number_of(equals);
	}
	(void)snprintf(r->name, sizeof(r->name), "%s:%s", ip, port);
	info->n_replicas++;
}

static bool is_numbered(const char *key, const char *name)
{
	size_t n = strlen(name);

	return strncmp(key, name, n) == 0 && key[n] >= '0' && key[n] <= '9' &&
	       key[n + strspn(key + n, "0123456789")] == '\0';
}

static void take_row(struct info *info, const struct row *row, const char *value)
{
	char *at = (char *)info + row->offset;

	switch (row->kind) {
	case NUMBER:
		*(double *)(void *)at = number_of(value);
		break;
	case TEXT:
		(void)snprintf(at, row->size, "%s", value);
		break;
	case IS:
		*(bool *)(void *)at = strcmp(value, row->word) == 0;
		break;
	case IS_NOT:
		*(bool *)(void *)at = strcmp(value, row->word) != 0;
		break;
	}
}

static void take(struct info *info, const char *key, const char *value)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strcmp(rows[i].key, key) == 0) {
			take_row(info, &rows[i], value);
			info->has_save = info->has_save || strcmp(key, "rdb_last_save_time") == 0;
			return;
		}
	if (is_numbered(key, "slave"))
		take_replica(info, value);
	else if (is_numbered(key, "db") && strncmp(value, "keys=", 5) == 0)
		info->keys += number_of(value + 5);
}

bool info_parse(const char *text, size_t len, struct info *ret_info)
{
	struct info info = {.role = ""};
	char line[MAX_VALUE_BYTES];

	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t all = end ? (size_t)(end - text) + 1 : len, n = end ? all - 1 : all;
		char *colon;

		n = n > 0 && text[n - 1] == '\r' ? n - 1 : n;
		n = n < sizeof(line) ? n : sizeof(line) - 1;
		memcpy(line, text, n);
		line[n] = '\0';
		colon = line[0] == '#' ? NULL : strchr(line, ':');
		if (colon) {
			*colon = '\0';
			take(&info, line, colon + 1);
		}
		text += all;
		len -= all;
	}
	*ret_info = info;
	return info.version[0] && info.role[0];
}
