/* SPDX-License-Identifier: MIT */
/* redis/judge.h: the configuration, and whether what INFO says is well. Pure. */
#ifndef REDIS_JUDGE_H
#define REDIS_JUDGE_H

#include "common/stream.h"
#include "info.h"

enum redis_role { REDIS_ANY, REDIS_MASTER, REDIS_REPLICA };

struct redis_conf {
	struct stream_conf net;
	char *user, *password;
	int64_t db, min_replicas;
	int role;
	usec_t max_save_age;
	char **queues;
};

enum { REDIS_TEXT_BYTES = 300 };
/* `now`: Unix time in seconds. OK: `text` says what was seen. */
enum tend_reason redis_judge(const struct redis_conf *conf, const struct info *info, double now,
	char text[REDIS_TEXT_BYTES]);

#endif
