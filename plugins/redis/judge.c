/* SPDX-License-Identifier: MIT */
#include "judge.h"
#include <stdio.h>
#include <string.h>

static bool is_replica(const struct info *info)
{
	return strcmp(info->role, "slave") == 0;
}

static enum tend_reason judge_role(
	const struct redis_conf *conf, const struct info *info, char text[REDIS_TEXT_BYTES])
{
	if (conf->role == REDIS_MASTER && is_replica(info)) {
		(void)snprintf(text, REDIS_TEXT_BYTES, "it is a replica of %.60s, no master",
			info->master);
		return TEND_REASON_READ_ONLY;
	}
	if (conf->role == REDIS_REPLICA && !is_replica(info)) {
		(void)snprintf(text, REDIS_TEXT_BYTES, "it is a %.15s, no replica", info->role);
		return TEND_REASON_REPLICATION_BROKEN;
	}
	return TEND_REASON_OK;
}

static enum tend_reason judge_replication(
	const struct redis_conf *conf, const struct info *info, char text[REDIS_TEXT_BYTES])
{
	size_t online = 0;

	if (is_replica(info) && info->link_down) {
		(void)snprintf(text, REDIS_TEXT_BYTES, "the link to its master %.60s is down%s",
			info->master, info->syncing ? ", a full copy is under way" : "");
		return TEND_REASON_REPLICATION_BROKEN;
	}
	for (size_t i = 0; i < info->n_replicas; i++)
		online += info->replica[i].online;
	if ((int64_t)online < conf->min_replicas) {
		(void)snprintf(text, REDIS_TEXT_BYTES, "%zu replicas are online, %lld are wanted",
			online, (long long)conf->min_replicas);
		return TEND_REASON_REPLICATION_BROKEN;
	}
	return TEND_REASON_OK;
}

static enum tend_reason judge_persistence(const struct redis_conf *conf, const struct info *info,
	double now, char text[REDIS_TEXT_BYTES])
{
	double age = now - info->save_at, most = (double)conf->max_save_age / (double)USEC_PER_SEC;

	if (info->aof_enabled && info->aof_write_failed) {
		(void)snprintf(text, REDIS_TEXT_BYTES,
			"the append-only file cannot be written: writes are refused");
		return TEND_REASON_READ_ONLY;
	}
	if (info->save_failed) {
		(void)snprintf(text, REDIS_TEXT_BYTES,
			"the last save failed: writes are refused, unless "
			"stop-writes-on-bgsave-error is off");
		return TEND_REASON_READ_ONLY;
	}
	if (conf->max_save_age && info->has_save && info->unsaved > 0 && age > most) {
		(void)snprintf(text, REDIS_TEXT_BYTES,
			"%.0f changes are not saved, the last save was %.0f s ago", info->unsaved,
			age);
		return TEND_REASON_STALE;
	}
	return TEND_REASON_OK;
}

/* What INFO tells of writes that are refused. A replica takes none anyway. */
static enum tend_reason judge_writes(const struct info *info, char text[REDIS_TEXT_BYTES])
{
	if (is_replica(info))
		return TEND_REASON_OK;
	if (info->no_eviction && info->max_memory > 0 &&
		info->memory - info->not_counted > info->max_memory) {
		(void)snprintf(text, REDIS_TEXT_BYTES,
			"maxmemory (%.1f MiB) is reached and nothing is evicted: writes are "
			"refused",
			info->max_memory / 1048576);
		return TEND_REASON_READ_ONLY;
	}
	if (info->no_good_replica) {
		(void)snprintf(text, REDIS_TEXT_BYTES,
			"no replica is near enough for min-replicas-to-write: writes are refused");
		return TEND_REASON_READ_ONLY;
	}
	return TEND_REASON_OK;
}

enum tend_reason redis_judge(const struct redis_conf *conf, const struct info *info, double now,
	char text[REDIS_TEXT_BYTES])
{
	enum tend_reason reason = TEND_REASON_OK;

	if (info->loading) {
		(void)snprintf(text, REDIS_TEXT_BYTES, "it loads its data, for %.0f s more",
			info->loading_eta);
		return TEND_REASON_STARTING;
	}
	reason = judge_role(conf, info, text);
	if (reason == TEND_REASON_OK)
		reason = judge_replication(conf, info, text);
	if (reason == TEND_REASON_OK)
		reason = judge_writes(info, text);
	if (reason == TEND_REASON_OK)
		reason = judge_persistence(conf, info, now, text);
	if (reason == TEND_REASON_OK)
		(void)snprintf(text, REDIS_TEXT_BYTES,
			"Redis %.31s, %s, %.0f clients, %.1f MiB, %.0f keys", info->version,
			is_replica(info) ? "replica" : info->role, info->clients,
			info->memory / 1048576, info->keys);
	return reason;
}
