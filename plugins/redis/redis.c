/* SPDX-License-Identifier: MIT */
/* The redis probe: log in, INFO, the lengths of queues; all of it reads only. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "common/text.h"
#include "judge.h"
#include "resp.h"

enum { MAX_QUEUES = 64, MAX_KEY_BYTES = 512, COMMAND_BYTES = 4096, ANSWER_BYTES = 512 << 10 };

static const char *const roles[] = {"any", "master", "replica", NULL};

static const struct tend_option redis_options[] = {
	STREAM_OPTIONS(struct redis_conf, "6379"),
	STREAM_TLS_OPTION(struct redis_conf),
	STREAM_VERIFY_OPTIONS(struct redis_conf),
	STREAM_SECURE_OPTIONS(struct redis_conf),
	TEND_OPT(STRING, struct redis_conf, user, "user", NULL,
		"User of an ACL to log in as; without one the password is that of `default`."),
	TEND_OPT(SECRET, struct redis_conf, password, "password", NULL, "Password to log in with."),
	TEND_OPT(INT, struct redis_conf, db, "db", "0", "Number of the database the queues are in.",
		.min = 0, .max = 65535),
	TEND_OPT(LIST, struct redis_conf, queues, "queues", NULL,
		"Keys of lists, streams, sets, sorted sets or hashes whose lengths are metrics."),
	TEND_OPT(ENUM, struct redis_conf, role, "role", "any",
		"What it must be: master, replica, or any of both.", .names = roles),
	TEND_OPT(INT, struct redis_conf, min_replicas, "min_replicas", "0",
		"Fewer replicas that are online are replication-broken.", .min = 0, .max = 32),
	TEND_OPT(USEC, struct redis_conf, max_save_age, "max_save_age", NULL,
		"With changes not saved for so long it is stale; by default any age is good."),
	TEND_OPTION_END,
};

/* Replies come in the order of the commands. */
enum ask { ASK_AUTH, ASK_SELECT, ASK_INFO, ASK_TYPE, ASK_LENGTH };
struct run {
	const struct redis_conf *conf;
	usec_t sent;
	size_t n_asks, i_ask, n_queues;
	struct {
		enum ask what;
		size_t queue;
	} asks[3 + 2 * MAX_QUEUES];
	struct info info;
	double lengths[MAX_QUEUES];
	usec_t info_usec;
};

static int redis_check(void *conf, struct tend_error *err)
{
	const struct redis_conf *c = conf;
	size_t n = 0;

	for (char **key = c->queues; key && *key; key++, n++)
		if (strlen(*key) > MAX_KEY_BYTES)
			return tend_error_set(
				err, -EINVAL, "queues: a key has at most %d bytes", MAX_KEY_BYTES);
	if (n > MAX_QUEUES)
		return tend_error_set(err, -EINVAL, "queues: at most %d keys", MAX_QUEUES);
	if (c->user && !c->password)
		return tend_error_set(err, -EINVAL, "user needs password");
	return stream_conf_check(&c->net, err);
}

/* ---- asking ------------------------------------------------------------------------------- */

static void ask(struct stream *s, enum ask what, size_t queue, const char *const *words, size_t n)
{
	struct run *run = stream_owner(s);
	char buf[COMMAND_BYTES];
	size_t len = resp_command(buf, sizeof(buf), words, n);

	if (stream_ended(s))
		return;
	if (len == 0) {
		stream_finish(s, TEND_REASON_INTERNAL, "user or password is too long");
		return;
	}
	run->asks[run->n_asks].what = what;
	run->asks[run->n_asks++].queue = queue;
	stream_send(s, buf, len);
	explicit_bzero(buf, sizeof(buf));
}

static void on_opened(struct stream *s, void *owner)
{
	struct run *run = owner;
	const struct redis_conf *c = run->conf;
	char db[24];

	stream_doing(s, "waiting for the answer to INFO");
	run->sent = tend_now();
	if (c->password) {
		const char *words[] = {"AUTH", c->user ? c->user : c->password, c->password};

		ask(s, ASK_AUTH, 0, words, c->user ? 3 : 2);
	}
	if (c->db > 0) {
		(void)snprintf(db, sizeof(db), "%lld", (long long)c->db);
		ask(s, ASK_SELECT, 0, (const char *[]){"SELECT", db}, 2);
	}
	ask(s, ASK_INFO, 0, (const char *[]){"INFO"}, 1);
	for (char **key = c->queues; key && *key; key++)
		ask(s, ASK_TYPE, run->n_queues++, (const char *[]){"TYPE", *key}, 2);
}

/* ---- the end ------------------------------------------------------------------------------ */

static void add(struct tend_attempt *a, const char *name, double value, const char *unit)
{
	(void)tend_attempt_metric(a, name, value, unit);
}

static double remembered(const json_t *memory, const char *key)
{
	return json_number_value(json_object_get(memory, key));
}

/* Rates, from what the last attempt saw of the same process. */
static void add_rates(struct tend_attempt *a, const struct info *info, double now)
{
	const json_t *memory = tend_attempt_memory(a);
	const char *run_id = json_string_value(json_object_get(memory, "run_id"));
	double span = now - remembered(memory, "at");

	if (run_id && strcmp(run_id, info->run_id) == 0 && span > 0) {
		double hits = info->hits - remembered(memory, "hits");
		double misses = info->misses - remembered(memory, "misses");
		double evicted = info->evicted - remembered(memory, "evicted");

		if (evicted >= 0)
			add(a, "evicted_per_second", evicted / span, "");
		if (hits >= 0 && misses >= 0 && hits + misses > 0)
			add(a, "hit_pct", 100 * hits / (hits + misses), "%");
	}
	(void)tend_attempt_remember(
		a, json_pack("{s:s, s:f, s:f, s:f, s:f}", "run_id", info->run_id, "at", now, "hits",
			   info->hits, "misses", info->misses, "evicted", info->evicted));
}

static void add_replication(struct tend_attempt *a, const struct info *info)
{
	add(a, "replicas", info->replicas, "");
	for (size_t i = 0; i < info->n_replicas; i++) {
		const struct info_replica *r = &info->replica[i];
		double behind = info->offset - r->offset;

		(void)tend_attempt_metric_of(
			a, "replica_lag_bytes", r->name, behind > 0 ? behind : 0, "B");
		(void)tend_attempt_metric_of(
			a, "replica_lag_seconds", r->name, r->lag_seconds, "s");
	}
	if (strcmp(info->role, "slave") != 0)
		return;
	if (info->link_down)
		add(a, "link_down_seconds", info->link_down_seconds, "s");
	else
		add(a, "master_silent_seconds", info->master_io_seconds, "s");
}

static void add_metrics(struct tend_attempt *a, const struct info *info, double now)
{
	add(a, "memory_bytes", info->memory, "B");
	add(a, "rss_bytes", info->rss, "B");
	if (info->max_memory > 0)
		add(a, "memory_pct", 100 * info->memory / info->max_memory, "%");
	add(a, "fragmentation", info->fragmentation, "");
	add(a, "clients", info->clients, "");
	if (info->max_clients > 0)
		add(a, "clients_pct", 100 * info->clients / info->max_clients, "%");
	add(a, "blocked_clients", info->blocked, "");
	add(a, "ops_per_second", info->ops, "");
	add(a, "keys", info->keys, "");
	add(a, "evicted_total", info->evicted, "c");
	add(a, "rejected_total", info->rejected, "c");
	add(a, "uptime_seconds", info->uptime, "s");
	if (info->has_save) {
		add(a, "save_age_seconds", now > info->save_at ? now - info->save_at : 0, "s");
		add(a, "unsaved_changes", info->unsaved, "");
	}
	add_replication(a, info);
	add_rates(a, info, now);
}

static void all_said(struct stream *s, struct run *run)
{
	struct timespec wall;
	char text[REDIS_TEXT_BYTES];
	enum tend_reason reason;

	(void)clock_gettime(CLOCK_REALTIME, &wall);
	double now = (double)wall.tv_sec + (double)wall.tv_nsec / 1e9;
	reason = redis_judge(run->conf, &run->info, now, text);
	stream_metric_seconds(s, "answer_seconds", run->info_usec);
	/* While it loads, its figures are not yet those of its data, and no queue was asked. */
	if (!run->info.loading)
		add_metrics(stream_attempt(s), &run->info, now);
	for (size_t i = 0; i < run->n_queues && !run->info.loading; i++)
		(void)tend_attempt_metric_of(stream_attempt(s), "queue_length",
			run->conf->queues[i], run->lengths[i], "");
	stream_finish(s, reason, "%s", text);
}

/* ---- replies ------------------------------------------------------------------------------ */

static void bad_reply(struct stream *s, const char *what, const struct resp *reply)
{
	char quoted[140];

	stream_finish(s, TEND_REASON_PROTOCOL, "%s is answered with %s", what,
		text_quote(reply->text, reply->len, 120, quoted, sizeof(quoted)));
}

static void take_type(struct stream *s, struct run *run, size_t queue, const struct resp *reply)
{
	static const char *const lengths[][2] = {{"list", "LLEN"}, {"stream", "XLEN"},
		{"zset", "ZCARD"}, {"set", "SCARD"}, {"hash", "HLEN"}};
	const char *words[] = {NULL, run->conf->queues[queue]};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		if (reply->len == strlen(lengths[i][0]) &&
			memcmp(reply->text, lengths[i][0], reply->len) == 0)
			words[0] = lengths[i][1];
	if (words[0])
		ask(s, ASK_LENGTH, queue, words, 2);
	else if (reply->len == 4 && memcmp(reply->text, "none", 4) == 0)
		run->lengths[queue] = 0; /* a queue that is empty is no key */
	else
		stream_finish(s, TEND_REASON_CONTENT_UNEXPECTED,
			"the key '%.100s' is a %.*s, no queue", words[1],
			(int)(reply->len < 20 ? reply->len : 20), reply->text);
}

static void take_reply(struct stream *s, struct run *run, const struct resp *reply)
{
	enum ask what = run->asks[run->i_ask].what;
	size_t queue = run->asks[run->i_ask].queue;
	char quoted[180];

	run->i_ask++;
	if (reply->type == RESP_ERROR) {
		stream_finish(s, resp_error_reason(reply->text, reply->len), "%s",
			text_quote(reply->text, reply->len, 160, quoted, sizeof(quoted)));
	} else if (what == ASK_INFO) {
		run->info_usec = tend_now() - run->sent;
		if (reply->type != RESP_BULK || !info_parse(reply->text, reply->len, &run->info))
			bad_reply(s, "INFO", reply);
		else if (run->info.loading)
			all_said(s, run);
		stream_doing(s, "waiting for the lengths of the queues");
	} else if (what == ASK_TYPE && reply->type == RESP_STATUS) {
		take_type(s, run, queue, reply);
	} else if (what == ASK_LENGTH && reply->type == RESP_INTEGER) {
		run->lengths[queue] = (double)reply->integer;
	} else if (what > ASK_INFO || reply->type != RESP_STATUS) {
		bad_reply(s, "a command", reply);
	}
}

static size_t on_input(struct stream *s, const char *data, size_t len, bool eof, void *owner)
{
	struct run *run = owner;
	size_t used = 0;
	struct resp reply;
	char quoted[140];

	while (!stream_ended(s) && run->i_ask < run->n_asks) {
		ssize_t n = resp_next(data + used, len - used, &reply);

		if (n < 0)
			stream_finish(s, TEND_REASON_PROTOCOL, "it does not speak Redis: %s",
				text_quote(data + used, len - used, 120, quoted, sizeof(quoted)));
		if (n <= 0)
			return used;
		take_reply(s, run, &reply);
		used += (size_t)n;
	}
	if (!stream_ended(s))
		all_said(s, run);
	return used;
}

static const struct stream_handlers handlers = {
	.opened = on_opened, .input = on_input, .free_owner = free};

static int redis_start(struct tend_attempt *a, const void *conf)
{
	const struct redis_conf *c = conf;
	struct run *run = calloc(1, sizeof(*run));
	struct stream_spec spec = {
		.conf = &c->net,
		.handlers = &handlers,
		.owner = run,
		.max_input_bytes = ANSWER_BYTES + 65536,
	};

	if (!run)
		return -ENOMEM;
	run->conf = c;
	return stream_start(a, &spec);
}

static size_t redis_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	static const char *const names[] = {"answer_seconds", "memory_bytes", "rss_bytes",
		"memory_pct", "fragmentation", "clients", "clients_pct", "blocked_clients",
		"ops_per_second", "keys", "evicted_total", "evicted_per_second", "hit_pct",
		"rejected_total", "uptime_seconds", "save_age_seconds", "unsaved_changes",
		"replicas", "replica_lag_bytes", "replica_lag_seconds", "link_down_seconds",
		"master_silent_seconds", "queue_length"};
	const struct redis_conf *c = conf;
	size_t n = stream_metric_names(&c->net, ret_names);

	memcpy(ret_names + n, names, sizeof(names));
	return n + sizeof(names) / sizeof(*names);
}

static const struct tend_metric_doc redis_metric_docs[] = {
	STREAM_METRIC_DOCS,
	STREAM_TLS_METRIC_DOCS,
	{"answer_seconds", "s", "from the log-in to the answer to INFO", TEND_COMES_ALWAYS},
	{"memory_bytes", "B", "memory of the data", TEND_COMES_ALWAYS},
	{"rss_bytes", "B", "memory of the process", TEND_COMES_ALWAYS},
	{"memory_pct", "%", "of maxmemory, if there is one", false},
	{"fragmentation", "", "rss to memory", TEND_COMES_ALWAYS},
	{"clients", "", "connections", TEND_COMES_ALWAYS},
	{"clients_pct", "%", "of maxclients", false},
	{"blocked_clients", "", "clients that wait in a blocking command", TEND_COMES_ALWAYS},
	{"ops_per_second", "", "commands", TEND_COMES_ALWAYS},
	{"keys", "", "of all databases", TEND_COMES_ALWAYS},
	{"evicted_total", "c", "keys thrown out for want of memory, since its start",
		TEND_COMES_ALWAYS},
	{"evicted_per_second", "", "the same, since the last attempt", false},
	{"hit_pct", "%", "of the look-ups since the last attempt, those that found a key", false},
	{"rejected_total", "c", "connections turned away for maxclients, since its start",
		TEND_COMES_ALWAYS},
	{"uptime_seconds", "s", "since its start", TEND_COMES_ALWAYS},
	{"save_age_seconds", "s", "since the last save", false},
	{"unsaved_changes", "", "changes since then", false},
	{"replicas", "", "replicas that are connected", TEND_COMES_ALWAYS},
	{"replica_lag_bytes", "B", "how far a replica is behind", true},
	{"replica_lag_seconds", "s", "since a replica said how far it is", true},
	{"link_down_seconds", "s", "of a replica: since when it has no master", false},
	{"master_silent_seconds", "s", "of a replica: since its master said anything", false},
	{"queue_length", "", "length of a key of `queues`", true},
	STREAM_DOCS_END,
};

static const struct tend_reason_doc redis_reason_docs[] = {
	STREAM_REASON_DOCS,
	STREAM_TLS_REASON_DOCS,
	{TEND_REASON_AUTH_FAILED, "user or password is wrong, or one is wanted"},
	{TEND_REASON_ACCESS_DENIED, "the user's ACL forbids a command, or protected mode all"},
	{TEND_REASON_CONNECTIONS_FULL, "maxclients are connected"},
	{TEND_REASON_STARTING, "it loads its data"},
	{TEND_REASON_LOCKED, "a script keeps it busy"},
	{TEND_REASON_READ_ONLY, "it takes no writes: a replica, or it cannot save"},
	{TEND_REASON_REPLICATION_BROKEN, "no link to the master, too few replicas, another role"},
	{TEND_REASON_STALE, "changes are not saved for longer than max_save_age"},
	{TEND_REASON_DATABASE_MISSING, "there is no database of this number"},
	{TEND_REASON_QUERY_FAILED, "a command is refused for another reason"},
	{TEND_REASON_CONTENT_UNEXPECTED, "a key of `queues` is a plain text"},
	{TEND_REASON_PROTOCOL, "it does not speak Redis, or hangs up"},
	STREAM_REASONS_END,
};

static const struct tend_probe redis_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "redis",
	.doc = "Looks at Redis: memory, replication, persistence, clients, lengths of queues.",
	.options = redis_options,
	.conf_size = sizeof(struct redis_conf),
	.check = redis_check,
	.start = redis_start,
	.cancel = stream_cancel,
	.metrics = redis_metrics,
	.metric_docs = redis_metric_docs,
	.reason_docs = redis_reason_docs,
	.example = "host = cache.crm.example\n"
		   "user = tend\n"
		   "password = file:/etc/tend/secrets/redis\n"
		   "role = master\n"
		   "min_replicas = 1\n"
		   "queues = mail, import\n"
		   "warning.queue_length = 1000\n",
};
TEND_PROBE(redis, &redis_probe);
