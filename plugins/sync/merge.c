/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sync.h"

enum { KEY_BYTES = 64 };

void sync_merge_clear(struct sync_merge *merge)
{
	for (int i = 0; i < 2; i++) {
		json_decref(merge->sides[i].rows);
		free(merge->sides[i].last);
		merge->sides[i] = (struct sync_side){.rows = NULL};
	}
}

static const json_t *cell(const struct sync_side *side, size_t row, int column)
{
	return column < 0 ? NULL : json_array_get(json_array_get(side->rows, row), (size_t)column);
}

static bool read_integer(const json_t *key, long long *ret_value)
{
	const char *text = json_string_value(key);
	char *end;

	if (json_is_integer(key)) {
		*ret_value = json_integer_value(key);
		return true;
	}
	if (!text || !*text || text[strspn(text, "-0123456789")])
		return false;
	errno = 0;
	*ret_value = strtoll(text, &end, 10);
	return errno == 0 && !*end;
}

/* A key as it goes into the next question: all of it. */
static char *key_text(const json_t *key)
{
	char buf[32];
	const char *text = json_string_value(key);

	return strdup(text ? text : sqlkit_text(key, buf, sizeof(buf)));
}

static bool key_is_good(const struct sync_merge *m, const json_t *key)
{
	long long value;

	return m->key == SYNC_KEY_NUMBER ? read_integer(key, &value) : json_is_string(key);
}

static int compare_keys(const struct sync_merge *m, const json_t *a, const json_t *b)
{
	long long x = 0, y = 0;

	if (m->key == SYNC_KEY_TEXT)
		return strcmp(json_string_value(a), json_string_value(b));
	(void)read_integer(a, &x);
	(void)read_integer(b, &y);
	return x < y ? -1 : x > y;
}

/* The two sides can only be walked together when both rise. */
static bool page_is_good(struct sync_merge *m, struct sync_side *side)
{
	json_t *last = side->last ? json_string(side->last) : NULL;
	const json_t *before = last;
	char text[KEY_BYTES];
	bool good = true;

	for (size_t row = 0; row < side->n_rows && good; row++) {
		const json_t *key = cell(side, row, side->key);

		if (!key_is_good(m, key))
			(void)snprintf(m->wrong, sizeof(m->wrong), "the key '%s' is %s",
				sqlkit_text(key, text, sizeof(text)),
				json_is_null(key)	    ? "NULL"
				: m->key == SYNC_KEY_NUMBER ? "no whole number"
							    : "no text");
		else if (before && compare_keys(m, before, key) >= 0)
			(void)snprintf(m->wrong, sizeof(m->wrong),
				"the key '%s' comes twice, or not in its place",
				sqlkit_text(key, text, sizeof(text)));
		good = !m->wrong[0];
		before = key;
	}
	json_decref(last);
	return good;
}

void sync_merge_add(
	struct sync_merge *merge, enum sync_which which, const struct sqlkit_table *page)
{
	struct sync_side *side = &merge->sides[which];

	json_decref(side->rows);
	side->rows = json_incref((json_t *)(uintptr_t)page->rows);
	side->i = 0;
	side->n_rows = page->n_rows;
	side->key = sqlkit_column(page, "k");
	side->value = sqlkit_column(page, "v");
	side->age = sqlkit_column(page, "age");
	side->ended = page->n_rows < SQLKIT_MAX_ROWS && !page->truncated;
	side->n_seen += page->n_rows;
	if (side->key < 0 || side->value < 0)
		(void)snprintf(
			merge->wrong, sizeof(merge->wrong), "the rows have no columns `k' and `v'");
	else if (page->truncated && page->n_rows == 0)
		(void)snprintf(
			merge->wrong, sizeof(merge->wrong), "a row is too long: give a hash of it");
	else if (page_is_good(merge, side) && side->n_rows > 0) {
		free(side->last);
		side->last = key_text(cell(side, side->n_rows - 1, side->key));
		if (!side->last)
			(void)snprintf(merge->wrong, sizeof(merge->wrong), "no memory");
	}
}

/* ---- comparing
 * -------------------------------------------------------------------------------------- */

static bool has_row(const struct sync_side *side)
{
	return side->i < side->n_rows;
}

static double age_of(const struct sync_side *side)
{
	double age;

	return sqlkit_number(cell(side, side->i, side->age), &age) ? age : -1;
}

/* What is young may still be on its way. */
static bool is_pending(struct sync_merge *m, double age)
{
	if (age < 0 || age >= m->lag)
		return false;
	m->n_pending++;
	return true;
}

static void note(struct sync_merge *m, const struct sync_side *side, double age, uint64_t *n,
	struct sqlkit_names *names)
{
	char text[KEY_BYTES];

	if (is_pending(m, age))
		return;
	(*n)++;
	sqlkit_names_add(names, sqlkit_text(cell(side, side->i, side->key), text, sizeof(text)));
}

static void note_lag(struct sync_merge *m, double age)
{
	m->lag_seconds = age > m->lag_seconds ? age : m->lag_seconds;
}

static bool is_container(const json_t *value)
{
	return json_is_object(value) || json_is_array(value);
}

/* JSON is a type of PostgreSQL; to MariaDB it is a text. */
static bool same_json(const json_t *a, const json_t *b)
{
	const json_t *other = is_container(a) ? b : a;
	const char *text = json_string_value(other);
	json_t *parsed = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
	bool same = json_equal(is_container(a) ? a : b, parsed ? parsed : other);

	json_decref(parsed);
	return same;
}

static bool same_value(const json_t *a, const json_t *b)
{
	char x[512], y[512];
	const char *s = json_string_value(a), *t = json_string_value(b);
	double n;

	if (json_is_null(a) || json_is_null(b))
		return json_is_null(a) && json_is_null(b);
	if (s && t)
		return strcmp(s, t) == 0;
	if (is_container(a) || is_container(b))
		return same_json(a, b);
	/* A boolean is 1 or 0 to MariaDB. */
	if (json_is_boolean(a) != json_is_boolean(b) &&
		sqlkit_number(json_is_boolean(a) ? b : a, &n))
		return n == json_is_true(json_is_boolean(a) ? a : b);
	/* 1 and "1": the two databases may say it differently. */
	return strcmp(sqlkit_text(a, x, sizeof(x)), sqlkit_text(b, y, sizeof(y))) == 0;
}

static void compare_row(struct sync_merge *m)
{
	struct sync_side *left = &m->sides[SYNC_LEFT], *right = &m->sides[SYNC_RIGHT];
	int order = !has_row(left)    ? 1
		    : !has_row(right) ? -1
				      : compare_keys(m, cell(left, left->i, left->key),
						cell(right, right->i, right->key));
	double age = has_row(left) ? age_of(left) : -1;

	if (order <= 0 && age >= 0)
		m->has_age = true;
	if (order < 0) {
		note_lag(m, age);
		note(m, left, age, &m->n_missing, &m->missing);
	} else if (order > 0) {
		note(m, right, age_of(right), &m->n_extra, &m->extra);
	} else if (!same_value(
			   cell(left, left->i, left->value), cell(right, right->i, right->value))) {
		note_lag(m, age);
		note(m, left, age, &m->n_different, &m->different);
	}
	left->i += order <= 0;
	right->i += order >= 0;
}

bool sync_merge_run(struct sync_merge *merge, enum sync_which *ret_which)
{
	while (!merge->wrong[0]) {
		for (int i = 0; i < 2; i++)
			if (!has_row(&merge->sides[i]) && !merge->sides[i].ended) {
				*ret_which = (enum sync_which)i;
				return true;
			}
		if (!has_row(&merge->sides[SYNC_LEFT]) && !has_row(&merge->sides[SYNC_RIGHT]))
			return false;
		compare_row(merge);
	}
	return false;
}

/* ---- the pages
 * -------------------------------------------------------------------------------------- */

char *sync_page_sql(
	const char *query, enum sync_key key, enum sqlkit_dialect dialect, bool is_first)
{
	/* Texts are compared by their bytes in UTF-8, here and on either side, whatever its
	 * character set and collation. */
	const char *k = key == SYNC_KEY_NUMBER	  ? "q.k"
			: dialect == SQLKIT_MYSQL ? "cast(convert(q.k using utf8mb4) as binary)"
						  : "cast(q.k as text) collate \"C\"";
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	(void)fprintf(out, "select * from (%s) q", query);
	if (!is_first)
		(void)fprintf(out, " where %s > $1", k);
	(void)fprintf(out, " order by %s limit %d", k, (int)SQLKIT_MAX_ROWS);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
