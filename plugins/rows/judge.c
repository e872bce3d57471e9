/* SPDX-License-Identifier: MIT */
/* What is there against what was there, by name. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "rows.h"

struct judging {
	struct tend_attempt *attempt;
	const struct rows_conf *conf;
	const struct rows_schema *schema;
	const json_t *before, *before_rows; /* NULL: nothing is known */
	double wall, lost;
	size_t n_told; /* tables with a metric */
	struct sqlkit_names changes, losses;
	json_t *rows; /* for the memory */
};

__attribute__((format(printf, 2, 3))) static void add(
	struct sqlkit_names *names, const char *format, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	sqlkit_names_add(names, text);
}

/* ---- columns and indexes
 * ---------------------------------------------------------------------------- */

static void compare_columns(
	struct judging *j, const char *table, const json_t *old, const json_t *now)
{
	const char *name;
	json_t *type;

	json_object_foreach ((json_t *)(uintptr_t)old, name, type) {
		const json_t *other = json_object_get(now, name);

		if (!other)
			add(&j->changes, "column %.60s.%.60s is gone", table, name);
		else if (!json_equal(type, other))
			add(&j->changes, "column %.60s.%.60s is %.40s, was %.40s", table, name,
				json_string_value(other), json_string_value(type));
	}
	json_object_foreach ((json_t *)(uintptr_t)now, name, type)
		if (!json_object_get(old, name))
			add(&j->changes, "column %.60s.%.60s (%.40s) is new", table, name,
				json_string_value(type));
}

static void compare_indexes(
	struct judging *j, const char *table, const json_t *old, const json_t *now)
{
	const char *name;
	json_t *kind;

	json_object_foreach ((json_t *)(uintptr_t)old, name, kind) {
		const json_t *other = json_object_get(now, name);

		if (!other)
			add(&j->changes, "index %.60s of %.60s is gone", name, table);
		else if (!json_equal(kind, other))
			add(&j->changes, "index %.60s of %.60s is %s unique", name, table,
				json_string_length(other) ? "now" : "no more");
	}
	json_object_foreach ((json_t *)(uintptr_t)now, name, kind)
		if (!json_object_get(old, name))
			add(&j->changes, "index %.60s of %.60s is new", name, table);
}

/* Where the memory holds hashes only, which column it was cannot be told. */
static void compare_table(struct judging *j, const char *key, const json_t *old, const json_t *now,
	const json_t *hashes)
{
	if (json_is_string(old)) {
		if (!json_equal(old, json_object_get(hashes, key)))
			add(&j->changes, "columns or indexes of %.60s have changed", key);
		return;
	}
	compare_columns(j, key, json_object_get(old, "c"), json_object_get(now, "c"));
	compare_indexes(j, key, json_object_get(old, "i"), json_object_get(now, "i"));
}

/* A table with the same columns that was not there before: this one under another name. NULL. */
static const char *renamed_to(const struct judging *j, const json_t *old, const json_t *hashes)
{
	const json_t *columns = json_object_get(old, "c");
	const char *key;
	json_t *table;

	json_object_foreach (j->schema->doc, key, table) {
		if (json_object_get(j->before, key))
			continue;
		if (json_is_string(old) ? json_equal(old, json_object_get(hashes, key))
					: json_object_size(columns) > 0 &&
						  json_equal(columns, json_object_get(table, "c")))
			return key;
	}
	return NULL;
}

static void compare_schema(struct judging *j)
{
	bool hashed = json_is_string(
		json_object_iter_value(json_object_iter((json_t *)(uintptr_t)j->before)));
	json_t *hashes = hashed ? rows_schema_hashes(j->schema->doc) : NULL;
	json_t *renamed = json_object(), *table;
	const char *key;

	if (!j->before)
		goto end;
	json_object_foreach ((json_t *)(uintptr_t)j->before, key, table) {
		const json_t *now = json_object_get(j->schema->doc, key);
		const char *other = now ? NULL : renamed_to(j, table, hashes);

		if (now)
			compare_table(j, key, table, now, hashes);
		else if (other)
			add(&j->changes, "table %.80s is now called %.80s", key, other);
		else
			add(&j->changes, "table %.80s is gone", key);
		if (other)
			(void)json_object_set_new(renamed, other, json_true());
	}
	json_object_foreach (j->schema->doc, key, table)
		if (!json_object_get(j->before, key) && !json_object_get(renamed, key))
			add(&j->changes, "table %.80s is new", key);
end:
	json_decref(renamed);
	json_decref(hashes);
}

/* ---- rows
 * ------------------------------------------------------------------------------------------- */

/* The most that was there in the last window is what losses are measured by. */
static void judge_count(struct judging *j, const struct rows_table *t)
{
	const json_t *before = json_object_get(j->before_rows, t->key);
	double n = json_number_value(json_array_get(before, 0));
	double at = json_number_value(json_array_get(before, 1));
	double window = (double)j->conf->window / 1e6, lost = n - t->n_rows;

	/* Room is kept for what is said of all of them. */
	if (j->n_told++ < TEND_SAMPLES_MAX - 16)
		(void)tend_attempt_metric_of(j->attempt, "rows", t->key, t->n_rows, "");
	if (!before || t->n_rows > n || (t->n_rows == n && j->wall - at > window / 4)) {
		n = t->n_rows;
		at = j->wall;
	} else if (lost > 0 && lost >= (double)j->conf->min_loss &&
		   lost > n * j->conf->max_loss / 100) {
		add(&j->losses, "%.60s has lost %.0f of %.0f rows", t->key, lost, n);
		j->lost += lost;
	} else if (lost > 0 && j->wall - at > window) {
		n = t->n_rows;
		at = j->wall;
	}
	(void)json_object_set_new(j->rows, t->key, json_pack("[f, f]", n, at));
}

static void judge_counts(struct judging *j)
{
	double total = 0;
	const char *key;
	json_t *row;

	for (size_t i = 0; i < j->schema->n_tables; i++) {
		if (j->schema->tables[i].n_rows < 0)
			continue;
		total += j->schema->tables[i].n_rows;
		judge_count(j, &j->schema->tables[i]);
	}
	/* Of a table that is gone: it may come back with less. */
	json_object_foreach ((json_t *)(uintptr_t)j->before_rows, key, row)
		if (json_object_get(j->before, key) && !json_object_get(j->rows, key) &&
			!json_object_get(j->schema->doc, key))
			(void)json_object_set(j->rows, key, row);
	if (j->conf->count != ROWS_COUNT_NONE)
		(void)tend_attempt_metric(j->attempt, "rows_total", total, "");
}

/* ---- together
 * --------------------------------------------------------------------------------------- */

/* All that is there now becomes what was there. */
static json_t *fresh_rows(const struct judging *j)
{
	json_t *rows = json_object();

	for (size_t i = 0; i < j->schema->n_tables; i++)
		if (j->schema->tables[i].n_rows >= 0)
			(void)json_object_set_new(rows, j->schema->tables[i].key,
				json_pack("[f, f]", j->schema->tables[i].n_rows, j->wall));
	return rows;
}

static bool accepts(const struct judging *j, double since)
{
	return j->conf->accept_after && since > 0 &&
	       (j->wall - since) * 1e6 > (double)j->conf->accept_after;
}

static void say(struct judging *j, struct rows_verdict *v)
{
	const char *changes, *losses;

	if (j->changes.n == 0 && j->losses.n == 0) {
		(void)snprintf(v->text, sizeof(v->text), "%zu tables%s", j->schema->n_tables,
			j->before ? ", nothing has changed" : " learnt");
		return;
	}
	v->reason = j->changes.n > 0 ? TEND_REASON_SCHEMA_CHANGED : TEND_REASON_ROWS_LOST;
	changes = sqlkit_names_text(&j->changes);
	losses = sqlkit_names_text(&j->losses);
	(void)snprintf(v->text, sizeof(v->text), "%.250s%s%.250s", changes,
		*changes && *losses ? "; " : "", losses);
}

void rows_judge(struct tend_attempt *a, const struct rows_conf *conf,
	const struct rows_schema *schema, const json_t *memory, double wall,
	struct rows_verdict *ret_verdict)
{
	double since = json_number_value(json_object_get(memory, "since"));
	struct judging j = {
		.attempt = a,
		.conf = conf,
		.schema = schema,
		.before = json_object_get(memory, "schema"),
		.before_rows = json_object_get(memory, "rows"),
		.wall = wall,
		.rows = json_object(),
	};
	bool accepted = accepts(&j, since);

	*ret_verdict = (struct rows_verdict){.reason = TEND_REASON_OK};
	if (accepted)
		j.before = j.before_rows = NULL;
	(void)tend_attempt_metric(a, "tables", (double)schema->n_tables, "");
	compare_schema(&j);
	(void)tend_attempt_metric(a, "changes", (double)j.changes.n, "");
	judge_counts(&j);
	(void)tend_attempt_metric(a, "lost_rows", j.lost, "");
	if (j.changes.n + j.losses.n == 0)
		since = 0;
	else if (since <= 0)
		since = wall;
	if (accepted) {
		json_decref(j.rows);
		j.rows = fresh_rows(&j);
	}
	ret_verdict->memory = json_pack("{s:O, s:o, s:f}", "schema",
		j.changes.n > 0 ? (json_t *)(uintptr_t)j.before : schema->doc, "rows", j.rows,
		"since", since);
	say(&j, ret_verdict);
}
