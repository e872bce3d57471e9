/* SPDX-License-Identifier: MIT */
/* The probes that ask a database by tend_sql(), whole, with a database that answers what the input
 * says: the first byte chooses a check, the rest are lines of JSON, an answer each; a line that
 * begins with '!' is a failure. Runs again with what it remembered until the lines are used up. The
 * configuration of `quality` is a line, too.
 * Parser: plugins/sqlkit/table.c plugins/sqlkit/ask.c plugins/sql/judge.c plugins/queue/queue.c
 * plugins/scheduler/scheduler.c plugins/rows/judge.c plugins/rows/schema.c plugins/quality/rule.c
 * plugins/sync/merge.c.
 */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/sqlkit/sqlkit.h"
#include "conf/options.h"

extern const struct tend_probe *const tend_plugin_sql,
	*const tend_plugin_queue, *const tend_plugin_scheduler,
					  *const tend_plugin_rows, *const tend_plugin_quality,
									   *const tend_plugin_sync;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_OPTIONS = 8, MAX_RUNS = 4, MAX_QUESTIONS = 200 };

/* `@` is a line of the input. */
static const struct {
	const struct tend_probe *const *probe;
	const char *options[MAX_OPTIONS];
} checks[] = {
	{&tend_plugin_sql,
		{"query=q", "instance=region,kind", "counter=last", "drop=orders,last_per_hour",
			"drop_share=50", "drop_after=1", "drop_least=1", "unit.orders=c"}},
	{&tend_plugin_sql, {"query=q", "expect=north", "min_rows=1", "max_rows=3"}},
	{&tend_plugin_queue, {"query=q", "max_age=1m", "max_waiting=3"}},
	{&tend_plugin_queue, {"rule=espocrm"}},
	{&tend_plugin_scheduler, {"query=q", "ignore=old*", "max_age=1m", "empty=ok"}},
	{&tend_plugin_scheduler, {"rule=vtiger"}},
	{&tend_plugin_rows, {"min_loss=1", "schemas=a,b", "ignore=tmp*", "uncounted=log"}},
	{&tend_plugin_rows, {"count=estimate", "tables=t*", "accept_after=1m"}},
	{&tend_plugin_rows, {"count=none", "indexes=no"}},
	{&tend_plugin_quality, {"@", "warn_above.x=1", "error_above.x=50%", "min_records.x=3"}},
	{&tend_plugin_quality,
		{"duplicates.a=t c, d where x", "mail.b=t c", "phone.c=t c", "orphans.d=t a -> u b",
			"leavers.e=select 1", "rule.f=select 2"}},
	{&tend_plugin_sync, {"left_query=l", "right_query=r", "lag=1m"}},
	{&tend_plugin_sync, {"left_query=l", "right_query=r", "key=text", "max_records=1500"}},
};

/* The host, as far as these probes see of it. */
struct tend_attempt {
	void *data;
	json_t *memory, *remembered;
	tend_sql_fn fn;
	void *fn_data;
	unsigned n_metrics;
	bool ended;
};

usec_t tend_now(void)
{
	return 1000;
}
usec_t tend_attempt_started(const struct tend_attempt *a)
{
	return 1;
}
void tend_attempt_set_data(struct tend_attempt *a, void *data)
{
	a->data = data;
}
void *tend_attempt_data(struct tend_attempt *a)
{
	return a->data;
}
const json_t *tend_attempt_memory(const struct tend_attempt *a)
{
	return a->memory;
}
int tend_attempt_remember(struct tend_attempt *a, json_t *doc)
{
	char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	size_t n = text ? strlen(text) : 0;

	free(text);
	json_decref(a->remembered);
	a->remembered = n <= 2000 ? doc : NULL;
	if (n > 2000)
		json_decref(doc);
	return !doc ? -EINVAL : n > 2000 ? -EMSGSIZE : 0;
}
int tend_attempt_metric_of(struct tend_attempt *a, const char *name, const char *instance,
	double value, const char *unit)
{
	assert(!a->ended);
	assert(name[0] && strlen(name) < 32);
	if (!isfinite(value))
		return -EINVAL;
	return ++a->n_metrics > TEND_SAMPLES_MAX ? -ENOSPC : 0;
}
int tend_attempt_metric(struct tend_attempt *a, const char *name, double value, const char *unit)
{
	return tend_attempt_metric_of(a, name, "", value, unit);
}
void tend_attempt_finish(struct tend_attempt *a, enum tend_reason reason, const char *format, ...)
{
	assert(!a->ended && reason < TEND_REASON_MAX);
	a->ended = true;
}
int tend_sql(struct tend_attempt *a, const char *database, const char *sql, const json_t *params,
	size_t max_rows, tend_sql_fn fn, void *data)
{
	assert(!a->ended && !a->fn && strlen(sql) > 0 && max_rows > 0);
	a->fn = fn;
	a->fn_data = data;
	return 0;
}

/* ---- the input
 * -------------------------------------------------------------------------------------- */

static char *next_line(const uint8_t **data, size_t *size)
{
	const uint8_t *end = memchr(*data, '\n', *size);
	size_t n = end ? (size_t)(end - *data) : *size;
	char *line = strndup((const char *)*data, n);

	*data += n + (end ? 1 : 0);
	*size -= n + (end ? 1 : 0);
	return line;
}

static int set_option(
	const struct tend_option *rows, void *conf, const char *option, struct tend_error *err)
{
	const char *equals = strchr(option, '=');
	char key[64];

	if (!equals || equals - option > 60)
		return -EINVAL;
	(void)snprintf(key, sizeof(key), "%.*s", (int)(equals - option), option);
	for (const struct tend_option *row = rows; row->name; row++) {
		size_t n = strlen(row->name);

		if (conf_option_is_map(row) && strncmp(key, row->name, n) == 0 && key[n] == '.')
			return conf_option_map_add(row, conf, key + n + 1, equals + 1, err);
		if (strcmp(row->name, key) == 0)
			return conf_option_set(row, conf, equals + 1, err);
	}
	return -ENOENT;
}

static void answer(struct tend_attempt *a, char *line)
{
	tend_sql_fn fn = a->fn;
	json_t *doc = line[0] == '!' ? NULL : json_loads(line, 0, NULL);

	a->fn = NULL;
	fn(a, doc ? TEND_REASON_OK : TEND_REASON_LOCKED, line, doc, a->fn_data);
	json_decref(doc);
}

static void run(
	const struct tend_probe *probe, const void *conf, const uint8_t **data, size_t *size)
{
	json_t *memory = NULL;

	for (int i = 0; i < MAX_RUNS && (*size > 0 || i == 0); i++) {
		struct tend_attempt a = {.memory = memory};

		assert(probe->start(&a, conf) == 0);
		for (int n = 0; !a.ended && *size > 0 && n < MAX_QUESTIONS; n++) {
			char *line = next_line(data, size);

			assert(a.fn);
			answer(&a, line);
			free(line);
		}
		if (!a.ended)
			probe->cancel(&a);
		assert(!a.data);
		if (a.ended && a.remembered) {
			json_decref(memory);
			memory = json_incref(a.remembered);
		}
		json_decref(a.remembered);
	}
	json_decref(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct tend_probe *probe;
	struct tend_error err = {0};
	size_t i;
	void *conf;
	int r;

	if (size == 0)
		return 0;
	i = (size_t)data[0] % (sizeof(checks) / sizeof(checks[0]));
	data++;
	size--;
	probe = *checks[i].probe;
	conf = calloc(1, probe->conf_size);
	r = conf_options_init(probe->options, conf, &err);
	for (int k = 0; k < MAX_OPTIONS && checks[i].options[k] && r == 0; k++) {
		char *line = checks[i].options[k][0] == '@' ? next_line(&data, &size) : NULL;

		r = set_option(probe->options, conf, line ? line : checks[i].options[k], &err);
		free(line);
	}
	if (r == 0 && probe->check)
		r = probe->check(conf, &err);
	if (r == 0)
		run(probe, conf, &data, &size);
	if (probe->clear)
		probe->clear(conf);
	conf_options_free(probe->options, conf);
	free(conf);
	return 0;
}
