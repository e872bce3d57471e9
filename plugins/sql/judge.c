/* SPDX-License-Identifier: MIT */
/* Rows to metrics, rates and drops. Memory: {"at": seconds, "counters": {KEY: value}, "usual":
 * {KEY:
 * {"mean", "n", "since"}}}, where KEY is NAME or NAME:INSTANCE and `since` is when it fell. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sql.h"

enum { KEY_BYTES = 100 };

/* Of the newest value in what is usual: ten results, about. */
#define NEWEST 0.1

struct judging {
	struct tend_attempt *attempt;
	const struct sql_conf *conf;
	const struct sqlkit_table *table;
	const json_t *memory;
	json_t *counters, *usual;
	double wall, elapsed; /* elapsed 0: nothing to compare with */
	struct sql_verdict *verdict;
	size_t n_metrics;
};

static bool is_one_of(char *const *names, const char *name)
{
	for (; names && *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static bool is_label(const struct judging *j, size_t column)
{
	for (char **name = j->conf->label; name && *name; name++)
		if (sqlkit_column(j->table, *name) == (int)column)
			return true;
	return false;
}

/* The worst is told; of equals the first. */
__attribute__((format(printf, 3, 4))) static void say(
	struct judging *j, enum tend_reason reason, const char *format, ...)
{
	va_list ap;

	if (j->verdict->reason != TEND_REASON_OK &&
		(tend_reason_verdict(reason) != TEND_STATE_CRITICAL ||
			tend_reason_verdict(j->verdict->reason) == TEND_STATE_CRITICAL))
		return;
	j->verdict->reason = reason;
	va_start(ap, format);
	(void)vsnprintf(j->verdict->text, sizeof(j->verdict->text), format, ap);
	va_end(ap);
}

static const char *key_of(const char *name, const char *instance, char buf[KEY_BYTES])
{
	(void)snprintf(buf, KEY_BYTES, "%s%s%s", name, instance[0] ? ":" : "", instance);
	return buf;
}

/* ---- drops
 * ------------------------------------------------------------------------------------------ */

static void remember_usual(
	struct judging *j, const char *key, double mean, json_int_t n, double since)
{
	(void)json_object_set_new(
		j->usual, key, json_pack("{s:f, s:I, s:f}", "mean", mean, "n", n, "since", since));
}

static void look_for_drop(struct judging *j, const char *name, const char *instance, double value)
{
	char key[KEY_BYTES], span[SQLKIT_SPAN_BYTES];
	const json_t *before =
		json_object_get(json_object_get(j->memory, "usual"), key_of(name, instance, key));
	double mean = json_number_value(json_object_get(before, "mean"));
	double since = json_number_value(json_object_get(before, "since"));
	json_int_t n = json_integer_value(json_object_get(before, "n"));
	bool known = n >= j->conf->drop_after && mean >= (double)j->conf->drop_least;
	bool nothing = value <= 0, little = value <= mean * j->conf->drop_share / 100;

	if (!known || (!nothing && !little)) {
		double weight = n + 1 < 10 ? 1.0 / (double)(n + 1) : NEWEST;

		remember_usual(j, key, mean + (value - mean) * weight, n < 1000 ? n + 1 : n, 0);
		return;
	}
	if (since <= 0)
		since = j->wall;
	if ((j->wall - since) * 1e6 > (double)j->conf->drop_forget)
		return; /* forgotten: the next results say what is usual */
	remember_usual(j, key, mean, n, since);
	say(j, nothing ? TEND_REASON_THRESHOLD : TEND_REASON_OFF_BASELINE,
		"%s%s%s has %s %g since %s; usual is about %g", name, instance[0] ? " of " : "",
		instance, nothing ? "fallen to" : "been only", value,
		sqlkit_span(j->wall - since, span), mean);
}

/* ---- metrics
 * ---------------------------------------------------------------------------------------- */

static void add_metric(
	struct judging *j, const char *name, const char *instance, double value, const char *unit)
{
	int r = tend_attempt_metric_of(j->attempt, name, instance, value, unit);

	if (r == -ENOSPC)
		say(j, TEND_REASON_CONTENT_UNEXPECTED,
			"the rows make more than %d metrics: ask for fewer columns or rows",
			(int)TEND_SAMPLES_MAX);
	else if (r == -EEXIST)
		say(j, TEND_REASON_CONTENT_UNEXPECTED,
			"two rows are called '%s': `instance' must tell them apart", instance);
	else if (r == 0)
		j->n_metrics++;
	if (r == 0 && is_one_of(j->conf->drop, name))
		look_for_drop(j, name, instance, value);
}

/* Of a figure that this result cannot know: nothing is missed. */
static void keep_usual(struct judging *j, const char *name, const char *instance)
{
	char key[KEY_BYTES];
	json_t *before =
		json_object_get(json_object_get(j->memory, "usual"), key_of(name, instance, key));

	if (before)
		(void)json_object_set(j->usual, key, before);
}

/* A counter that is lower than before was set anew: what it has counted since is not known. */
static void add_counter(struct judging *j, const char *name, const char *instance, double value)
{
	char key[KEY_BYTES], rate[48];
	const json_t *before = json_object_get(
		json_object_get(j->memory, "counters"), key_of(name, instance, key));
	double last = json_number_value(before);

	(void)json_object_set_new(j->counters, key, json_real(value));
	(void)snprintf(rate, sizeof(rate), "%.22s_per_hour", name);
	if (json_is_number(before) && j->elapsed > 0 && value >= last)
		add_metric(j, rate, instance, (value - last) * 3600 / j->elapsed, "");
	else
		keep_usual(j, rate, instance);
}

static void instance_of(const struct judging *j, size_t row, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (char **label = j->conf->label; label && *label && len + 1 < size; label++) {
		char text[64];
		const json_t *cell = sqlkit_cell(j->table, row, sqlkit_column(j->table, *label));

		(void)snprintf(buf + len, size - len, "%s%s", label != j->conf->label ? "/" : "",
			json_is_null(cell) ? "NULL" : sqlkit_text(cell, text, sizeof(text)));
		len = strlen(buf);
	}
}

static void take_cell(struct judging *j, size_t row, size_t column, const char *instance)
{
	const char *title = sqlkit_column_name(j->table, column);
	const json_t *cell = sqlkit_cell(j->table, row, (int)column);
	const char *unit = sqlkit_map_get(j->conf->units, title);
	char name[32];
	double value;

	if (is_label(j, column) || !sqlkit_number(cell, &value))
		return;
	if (!sqlkit_metric_name(title, name)) {
		say(j, TEND_REASON_CONTENT_UNEXPECTED,
			"the column '%.64s' cannot be a metric: write `as name' (a-z, 0-9, _; at "
			"most 31)",
			title);
		return;
	}
	add_metric(j, name, instance, value, unit);
	if (is_one_of(j->conf->counters, name))
		add_counter(j, name, instance, value);
}

static void take_row(struct judging *j, size_t row)
{
	char instance[64];

	instance_of(j, row, instance, sizeof(instance));
	for (size_t column = 0; column < j->table->n_columns; column++)
		take_cell(j, row, column, instance);
}

/* ---- the answer as a whole
 * ------------------------------------------------------------------------- */

static bool shape_is_good(struct judging *j)
{
	const struct sql_conf *conf = j->conf;
	const struct sqlkit_table *t = j->table;

	for (char **label = conf->label; label && *label; label++)
		if (sqlkit_column(t, *label) < 0) {
			say(j, TEND_REASON_CONTENT_UNEXPECTED,
				"the rows have no column '%.64s' (of instance)", *label);
			return false;
		}
	if (t->n_rows < (size_t)conf->min_rows)
		say(j, TEND_REASON_CONTENT_UNEXPECTED, "%zu rows, at least %lld are expected",
			t->n_rows, (long long)conf->min_rows);
	else if (t->n_rows > (size_t)conf->max_rows || t->truncated)
		say(j, TEND_REASON_CONTENT_UNEXPECTED, "more than %lld rows",
			(long long)conf->max_rows);
	else if (t->n_rows > 1 && !conf->label)
		say(j, TEND_REASON_CONTENT_UNEXPECTED,
			"%zu rows: one is expected, or `instance' to tell them apart", t->n_rows);
	return j->verdict->reason == TEND_REASON_OK;
}

static void look_at_expected(struct judging *j)
{
	const json_t *cell = sqlkit_cell(j->table, 0, 0);
	char text[SQLKIT_TEXT_BYTES];

	if (!j->conf->expect)
		return;
	(void)sqlkit_text(cell, text, sizeof(text));
	if (!cell || json_is_null(cell) || strcmp(text, j->conf->expect) != 0)
		say(j, TEND_REASON_CONTENT_UNEXPECTED, "expected '%.100s', got %s%.100s%s",
			j->conf->expect, cell && !json_is_null(cell) ? "'" : "",
			!cell		     ? "no row"
			: json_is_null(cell) ? "NULL"
					     : text,
			cell && !json_is_null(cell) ? "'" : "");
}

/* A row that is missing, or one with NULL (the sum of no rows), is a figure that has fallen to
 * nothing, when it is one that must not. */
static void look_for_gone(struct judging *j)
{
	const char *key;
	json_t *value;

	json_object_foreach (json_object_get(j->memory, "usual"), key, value) {
		size_t n = strcspn(key, ":");
		char name[32];

		if (json_object_get(j->usual, key) || n >= sizeof(name))
			continue;
		(void)snprintf(name, sizeof(name), "%.*s", (int)n, key);
		if (is_one_of(j->conf->drop, name) &&
			json_object_size(j->usual) < (size_t)TEND_SAMPLES_MAX)
			look_for_drop(j, name, key[n] ? key + n + 1 : "", 0);
	}
}

static void first_words(struct judging *j)
{
	char text[128];
	const json_t *cell = sqlkit_cell(j->table, 0, 0);

	if (j->table->n_rows == 1 && j->table->n_columns > 0)
		(void)snprintf(j->verdict->text, sizeof(j->verdict->text), "the query gives %s",
			json_is_null(cell) ? "NULL" : sqlkit_text(cell, text, sizeof(text)));
	else
		(void)snprintf(
			j->verdict->text, sizeof(j->verdict->text), "%zu rows", j->table->n_rows);
}

void sql_judge(struct tend_attempt *a, const struct sql_conf *conf,
	const struct sqlkit_table *table, const json_t *memory, double wall,
	struct sql_verdict *ret_verdict)
{
	struct judging j = {
		.attempt = a,
		.conf = conf,
		.table = table,
		.memory = memory,
		.counters = json_object(),
		.usual = json_object(),
		.wall = wall,
		.verdict = ret_verdict,
	};
	double at = json_number_value(json_object_get(memory, "at"));

	*ret_verdict = (struct sql_verdict){.reason = TEND_REASON_OK};
	j.elapsed = at > 0 && wall > at ? wall - at : 0;
	if (shape_is_good(&j)) {
		for (size_t row = 0; row < table->n_rows; row++)
			take_row(&j, row);
		look_for_gone(&j);
		look_at_expected(&j);
		if (conf->counters || conf->drop)
			ret_verdict->memory = json_pack("{s:f, s:O, s:O}", "at", wall, "counters",
				j.counters, "usual", j.usual);
	}
	(void)tend_attempt_metric(a, "rows", (double)table->n_rows, "");
	if (ret_verdict->reason == TEND_REASON_OK)
		first_words(&j);
	json_decref(j.counters);
	json_decref(j.usual);
}
