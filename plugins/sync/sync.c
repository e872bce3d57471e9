/* SPDX-License-Identifier: MIT */
/* The probe sync: asks for the pages, in turns, and judges. */
#include "sync.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sync_conf {
	char *left, *right, *left_query, *right_query;
	int key;
	usec_t lag;
	int64_t max_differences, max_records;
};

struct run {
	struct sqlkit kit;
	const struct sync_conf *conf;
	struct sync_merge merge;
	enum sync_which which; /* the side that is asked */
	enum sqlkit_dialect dialects[2];
};

static const char *const key_names[] = {"number", "text", NULL};

#define QUERY_HELP                                                                                 \
	"statement, with the columns k (a key that is there once), v (what must be the same: a "   \
	"hash, a version, a time) and perhaps age (seconds since it was changed). No `order by', " \
	"no `limit'."

static const struct tend_option options[] = {
	TEND_OPT(STRING, struct sync_conf, left, "left", NULL,
		"The [database SYSTEM/COMPONENT] that records come from; by default that of the "
		"check's own component.",
		.flags = TEND_OPTION_DATABASE),
	TEND_OPT(STRING, struct sync_conf, right, "right", NULL, "The one that they go to.",
		.flags = TEND_OPTION_DATABASE),
	TEND_OPT(STRING, struct sync_conf, left_query, "left_query", NULL, "Its " QUERY_HELP,
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(STRING, struct sync_conf, right_query, "right_query", NULL, "Its " QUERY_HELP,
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(ENUM, struct sync_conf, key, "key", "number",
		"number: keys are whole numbers, read by their index. text: any others; then each "
		"page sorts its side.",
		.names = key_names),
	TEND_OPT(USEC, struct sync_conf, lag, "lag", "0",
		"What was changed more recently than this (by `age') may still be on its way.",
		.min = 0, .max = 400 * 86400e6),
	TEND_OPT(INT, struct sync_conf, max_differences, "max_differences", "0",
		"So many records may be missing, extra or different.", .min = 0, .max = 1e12),
	TEND_OPT(INT, struct sync_conf, max_records, "max_records", "1000000",
		"More on one side are not compared: they would take too long.", .min = 1,
		.max = 1e9),
	TEND_OPTION_END,
};

static void clear(struct sqlkit *kit)
{
	struct run *run = (struct run *)kit;

	sync_merge_clear(&run->merge);
	free(run);
}

/* ---- the verdict
 * ------------------------------------------------------------------------------------ */

static void add_metrics(struct tend_attempt *a, const struct sync_merge *m)
{
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
		{"left_records", m->sides[SYNC_LEFT].n_seen},
		{"right_records", m->sides[SYNC_RIGHT].n_seen},
		{"missing", m->n_missing},
		{"extra", m->n_extra},
		{"different", m->n_different},
		{"pending", m->n_pending},
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		(void)tend_attempt_metric(a, counts[i].name, (double)counts[i].value, "");
	if (m->has_age)
		(void)tend_attempt_metric(a, "lag_seconds", m->lag_seconds, "s");
}

static void put(char *text, size_t size, uint64_t n, const char *what, struct sqlkit_names *names)
{
	size_t len = strlen(text);

	if (n > 0)
		(void)snprintf(text + len, size - len, "%s%" PRIu64 " %s (%.100s)", len ? ", " : "",
			n, what, sqlkit_names_text(names));
}

static void finish(struct run *run)
{
	struct sync_merge *m = &run->merge;
	uint64_t n = m->n_missing + m->n_extra + m->n_different;
	char text[SQLKIT_TEXT_BYTES] = "";

	add_metrics(run->kit.attempt, m);
	put(text, sizeof(text), m->n_missing, "missing on the right", &m->missing);
	put(text, sizeof(text), m->n_extra, "only on the right", &m->extra);
	put(text, sizeof(text), m->n_different, "different", &m->different);
	if (n == 0)
		(void)snprintf(text, sizeof(text), "%" PRIu64 " records are the same%s",
			m->sides[SYNC_LEFT].n_seen, m->n_pending ? ", some are on their way" : "");
	sqlkit_finish(&run->kit,
		n > (uint64_t)run->conf->max_differences ? TEND_REASON_OUT_OF_SYNC : TEND_REASON_OK,
		"%s", text);
}

/* ---- pages
 * ------------------------------------------------------------------------------------------ */

static void go_on(struct run *run);

static const char *database_of(const struct run *run, enum sync_which which)
{
	return which == SYNC_LEFT ? run->conf->left : run->conf->right;
}

static void on_page(struct sqlkit *kit, const struct sqlkit_table *table)
{
	struct run *run = (struct run *)kit;

	sync_merge_add(&run->merge, run->which, table);
	go_on(run);
}

/* A key of numbers goes out as one: some databases do not compare texts with numbers. */
static json_t *key_param(const struct run *run, const char *last)
{
	if (run->merge.key == SYNC_KEY_NUMBER)
		return json_pack("[I]", (json_int_t)strtoll(last, NULL, 10));
	return json_pack("[s]", last);
}

static void ask_page(struct run *run)
{
	const struct sync_side *side = &run->merge.sides[run->which];
	char *sql = sync_page_sql(
		run->which == SYNC_LEFT ? run->conf->left_query : run->conf->right_query,
		run->merge.key, run->dialects[run->which], !side->last);

	if (sql)
		sqlkit_ask(&run->kit, database_of(run, run->which), sql,
			side->last ? key_param(run, side->last) : NULL, SQLKIT_MAX_ROWS, on_page);
	else
		sqlkit_finish(&run->kit, TEND_REASON_INTERNAL, "no memory");
	free(sql);
}

static void go_on(struct run *run)
{
	struct sync_merge *m = &run->merge;
	bool more = sync_merge_run(m, &run->which);
	const char *side = run->which == SYNC_LEFT ? "left" : "right";

	if (m->wrong[0])
		sqlkit_finish(&run->kit, TEND_REASON_CONTENT_UNEXPECTED, "%s: %s", side, m->wrong);
	else if (!more)
		finish(run);
	else if (m->sides[run->which].n_seen >= (uint64_t)run->conf->max_records)
		sqlkit_finish(&run->kit, TEND_REASON_NO_EVIDENCE,
			"more than %lld records on the %s: they are not compared",
			(long long)run->conf->max_records, side);
	else
		ask_page(run);
}

static void on_version(struct sqlkit *kit, const struct sqlkit_table *table)
{
	struct run *run = (struct run *)kit;

	run->dialects[run->which] = sqlkit_dialect_of(table);
	if (run->which == SYNC_RIGHT) {
		go_on(run);
		return;
	}
	run->which = SYNC_RIGHT;
	sqlkit_ask(kit, database_of(run, SYNC_RIGHT), SQLKIT_VERSION, NULL, 1, on_version);
}

static int sync_start(struct tend_attempt *a, const void *data)
{
	const struct sync_conf *conf = data;
	struct run *run = calloc(1, sizeof(*run));

	if (!run)
		return -ENOMEM;
	run->conf = conf;
	run->merge.key = (enum sync_key)conf->key;
	run->merge.lag = (double)conf->lag / 1e6;
	run->merge.missing.max_shown = run->merge.extra.max_shown = 3;
	run->merge.different.max_shown = 3;
	sqlkit_begin(&run->kit, a, clear);
	/* Only texts are compared in words of the database's own. */
	if (run->merge.key == SYNC_KEY_TEXT)
		sqlkit_ask(&run->kit, database_of(run, SYNC_LEFT), SQLKIT_VERSION, NULL, 1,
			on_version);
	else
		go_on(run);
	return 0;
}

static size_t sync_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	static const char *const names[] = {"left_records", "right_records", "missing", "extra",
		"different", "pending", "lag_seconds", "total_seconds"};

	memcpy(ret_names, names, sizeof(names));
	return sizeof(names) / sizeof(names[0]);
}

static const struct tend_metric_doc metric_docs[] = {
	{"left_records", "", "records of the left side", false},
	{"right_records", "", "records of the right side", false},
	{"missing", "", "on the left, not on the right", false},
	{"extra", "", "on the right, not on the left", false},
	{"different", "", "on both sides, and not the same", false},
	{"pending", "", "of these: young enough to be on their way, not counted above", false},
	{"lag_seconds", "s", "how long the oldest has waited that is missing or different", false},
	{"total_seconds", "s", "all questions together", false},
	{NULL, NULL, NULL, false},
};

static const struct tend_reason_doc reason_docs[] = {
	SQLKIT_REASON_DOCS,
	{TEND_REASON_OUT_OF_SYNC, "more than max_differences are missing, extra or different"},
	{TEND_REASON_CONTENT_UNEXPECTED,
		"a key is NULL, of another type, there twice or not in order"},
	{TEND_REASON_OK, NULL},
};

static const struct tend_probe sync_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "sync",
	.doc = "Compares the records of two databases by key and hash: missing, extra, different.",
	.options = options,
	.conf_size = sizeof(struct sync_conf),
	.start = sync_start,
	.cancel = sqlkit_cancel,
	.metric_docs = metric_docs,
	.reason_docs = reason_docs,
	.example = "left = crm/database\n"
		   "right = crm/erp\n"
		   "left_query = select id as k, md5(name || mail) as v, extract(epoch from now() "
		   "- changed) as age from customer\n"
		   "right_query = select crm_id as k, md5(name || mail) as v from debtor\n"
		   "lag = 15m\n",
	.metrics = sync_metrics,
};
TEND_PROBE(sync, &sync_probe);
