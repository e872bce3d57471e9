/* SPDX-License-Identifier: MIT */
/* The pure parts of the probes that ask a database: values, words, rules, pages that are merged. */
#include "unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tend/error.h>
#include "../../plugins/quality/quality.h"
#include "../../plugins/rows/rows.h"
#include "../../plugins/sync/sync.h"

static void test_numbers(void **state)
{
	static const struct {
		const char *json;
		bool good;
		double value;
	} rows[] = {
		{"1", true, 1},
		{"-2.5", true, -2.5},
		{"true", true, 1},
		{"false", true, 0},
		{"\"12\"", true, 12},
		{"\"1e3\"", true, 1000},
		{"\"-0.5\"", true, -0.5},
		{"null", false, 0},
		{"\"\"", false, 0},
		{"\" 1\"", false, 0},
		{"\"nan\"", false, 0},
		{"\"0x10\"", false, 0},
		{"\"1.2.3\"", false, 0},
		{"\"1e999\"", false, 0},
		{"\"-\"", false, 0},
		{"[1]", false, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *cell = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
		double value = 0;

		if (sqlkit_number(cell, &value) != rows[i].good || value != rows[i].value)
			fail_msg("%s: %g", rows[i].json, value);
		json_decref(cell);
	}
}

static void test_words(void **state)
{
	static const struct {
		const char *sql, *postgres, *mysql;
	} rows[] = {
		{"select 1", "select 1", "select 1"},
		{"{prefix}job", "llx_job", "llx_job"},
		{"{unix} - a", "extract(epoch from now()) - a",
			"cast(unix_timestamp() as decimal) - a"},
		{"{since_utc max(a, b)}",
			"extract(epoch from (now() at time zone 'utc') - (max(a, b)))",
			"timestampdiff(second, max(a, b), utc_timestamp())"},
		{"{utc}{utc}", "(now() at time zone 'utc')(now() at time zone 'utc')",
			"utc_timestamp()utc_timestamp()"},
		{"{other}", NULL, NULL},
		{"{since a", NULL, NULL},
	};
	char span[SQLKIT_SPAN_BYTES], name[32];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int d = 0; d < SQLKIT_DIALECT_MAX; d++) {
			const char *want = d == SQLKIT_MYSQL ? rows[i].mysql : rows[i].postgres;
			char *got = sqlkit_expand(rows[i].sql, (enum sqlkit_dialect)d, "llx_");

			if (!want ? got != NULL : !got || strcmp(got, want) != 0)
				fail_msg("%s: %s", rows[i].sql, got);
			free(got);
		}
	assert_string_equal(sqlkit_span(119, span), "119 s");
	assert_string_equal(sqlkit_span(120, span), "2 min");
	assert_string_equal(sqlkit_span(7199, span), "119 min");
	assert_string_equal(sqlkit_span(50 * 3600, span), "2 d");
	assert_true(sqlkit_metric_name("Orders_24h", name));
	assert_string_equal(name, "orders_24h");
	assert_false(sqlkit_metric_name("no name", name));
	assert_false(sqlkit_metric_name("", name));
	assert_false(sqlkit_metric_name("a_name_that_is_32_letters_long_xx", name));
}

static void test_names(void **state)
{
	struct sqlkit_names few = {.max_shown = 2}, many = {.n = 0};

	assert_string_equal(sqlkit_names_text(&few), "");
	for (int i = 0; i < 5; i++)
		sqlkit_names_add(&few, "abc");
	assert_string_equal(sqlkit_names_text(&few), "abc, abc and 3 more");
	for (int i = 0; i < 1000; i++)
		sqlkit_names_add(&many, "a name of some length");
	assert_non_null(strstr(sqlkit_names_text(&many), " and 98"));
	assert_true(strlen(many.text) < sizeof(many.text));
}

static void test_cut_text(void **state)
{
	json_t *cell = json_string("aé€");
	char buf[8];

	assert_string_equal(sqlkit_text(cell, buf, 7), "aé€");
	assert_string_equal(sqlkit_text(cell, buf, 6), "aé");
	assert_string_equal(sqlkit_text(cell, buf, 3), "a");
	json_decref(cell);
}

/* ---- quality
 * ---------------------------------------------------------------------------------------- */

static void test_rules(void **state)
{
	static const struct {
		enum quality_kind kind;
		const char *item, *count, *examples; /* NULL: it is none */
	} rows[] = {
		{QUALITY_DUPLICATES, "a=t c WHERE x = 1",
			"select coalesce(sum(n - 1), 0) as bad, coalesce(sum(n), 0) as checked "
			"from (select"
			" count(*) as n from t where (x = 1) and c is not null and "
			"lower(trim(cast(c as"
			" text))) <> '' group by lower(trim(cast(c as text)))) g",
			"select concat_ws(', ', k0) as example, n from (select "
			"lower(trim(cast(c as text))) as k0, count(*) as n from t where (x = 1) "
			"and c is not null and lower(trim(cast(c as text))) <> '' group by 1 "
			"having count(*) > 1) g order by n desc limit 3"},
		{QUALITY_MAIL, "a=s.t c",
			"select coalesce(sum(case when trim(cast(c as text)) ~ $1 then 0 else 1 "
			"end), 0) as"
			" bad, count(*) as checked from s.t where c is not null and "
			"lower(trim(cast(c as"
			" text))) <> ''",
			"select distinct c as example from s.t where c is not null and "
			"lower(trim(cast(c as"
			" text))) <> '' and not (trim(cast(c as text)) ~ $1) limit 3"},
		{QUALITY_ORPHANS, "a=t c->p id where y",
			"select coalesce(sum(case when p.id is null then 1 else 0 end), 0) as bad, "
			"count(*)"
			" as checked from (select * from t where y) c left join p p on p.id = c.c "
			"where c.c"
			" is not null",
			"select distinct c.c as example from (select * from t where y) c left join "
			"p p on"
			" p.id = c.c where c.c is not null and p.id is null limit 3"},
		{QUALITY_LEAVERS, "a=select x", "select count(*) as bad from (select x) q",
			"select * from (select x) q limit 3"},
		{QUALITY_MAIL, "a=t", NULL, NULL},
		{QUALITY_MAIL, "a=t c d", NULL, NULL},
		{QUALITY_MAIL, "a=t c; d", NULL, NULL},
		{QUALITY_MAIL, "a=", NULL, NULL},
		{QUALITY_PHONE, "a=t where x", NULL, NULL},
		{QUALITY_ORPHANS, "a=t c p id", NULL, NULL},
		{QUALITY_ORPHANS, "a=t c d -> p id", NULL, NULL},
		{QUALITY_ORPHANS, "a=t c -> p", NULL, NULL},
		{QUALITY_DUPLICATES, "a=t a,b,c,d,e,f,g,h,i", NULL, NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct quality_rule rule = {.name = NULL};
		int r = quality_rule_parse(rows[i].kind, rows[i].item, &rule, NULL);
		char *count, *examples;

		if (!rows[i].count != (r < 0))
			fail_msg("%s: %d", rows[i].item, r);
		if (r < 0)
			continue;
		count = quality_count_sql(&rule, SQLKIT_POSTGRES);
		examples = quality_examples_sql(&rule, SQLKIT_POSTGRES, 3);
		assert_string_equal(count, rows[i].count);
		assert_string_equal(examples, rows[i].examples);
		free(count);
		free(examples);
		quality_rule_clear(&rule);
	}
}

static void test_levels(void **state)
{
	struct quality_level level;

	assert_int_equal(quality_level_parse("20", &level), 0);
	assert_true(level.value == 20 && !level.is_share && level.given);
	assert_int_equal(quality_level_parse("1.5%", &level), 0);
	assert_true(level.value == 1.5 && level.is_share);
	assert_int_equal(quality_level_parse("", &level), -EINVAL);
	assert_int_equal(quality_level_parse("-1", &level), -EINVAL);
	assert_int_equal(quality_level_parse("101%", &level), -EINVAL);
	assert_int_equal(quality_level_parse("5 %", &level), -EINVAL);
	assert_int_equal(quality_level_parse("nan", &level), -EINVAL);
}

/* ---- rows
 * ------------------------------------------------------------------------------------------- */

static void test_count_sql(void **state)
{
	char schema[] = "pu\"blic", name[] = "it's \\ `x`", plain[] = "t";
	const struct rows_table tables[] = {
		{.schema = schema, .name = name}, {.schema = plain, .name = plain}};
	static const struct {
		enum sqlkit_dialect dialect;
		enum rows_count count;
		const char *sql;
	} rows[] = {
		{SQLKIT_POSTGRES, ROWS_COUNT_EXACT,
			"select 0 as i, count(*) as n from \"pu\"\"blic\".\"it's \\ `x`\" union "
			"all select"
			" 1 as i, count(*) as n from \"t\".\"t\""},
		{SQLKIT_MYSQL, ROWS_COUNT_EXACT,
			"select 0 as i, count(*) as n from `pu\"blic`.`it's \\ ``x```"
			" union all select 1 as i, count(*) as n from `t`.`t`"},
		{SQLKIT_MYSQL, ROWS_COUNT_ESTIMATE,
			"select 0 as i, table_rows as n from information_schema.tables where "
			"table_schema ="
			" 'pu\"blic' and table_name = 'it''s \\\\ `x`' union all select 1 as i, "
			"table_rows as"
			" n from information_schema.tables where table_schema = 't' and table_name "
			"= 't'"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *sql = rows_count_sql(tables, 2, rows[i].dialect, rows[i].count);

		assert_string_equal(sql, rows[i].sql);
		free(sql);
	}
}

/* ---- sync
 * ------------------------------------------------------------------------------------------- */

enum { N_KEYS = 5000 };

/* What a side holds: 0 nothing, else the value. */
static unsigned char sides[2][N_KEYS];

static void key_of(enum sync_key kind, int i, char buf[16])
{
	/* As text the order is that of bytes, so the numbers have as many digits each. */
	if (kind == SYNC_KEY_TEXT)
		(void)snprintf(buf, 16, "k%05d", i);
	else
		(void)snprintf(buf, 16, "%d", i - 700);
}

/* The page behind the last key, as a database gives it: of random size when `cut`. */
static void give_page(struct sync_merge *m, enum sync_which which, bool cut)
{
	size_t most = cut ? (size_t)(rand() % 1000 + 1) : SQLKIT_MAX_ROWS;
	json_t *rows = json_array();
	json_t *doc = json_pack("{s:[s, s], s:o}", "columns", "k", "v", "rows", rows);
	const char *last = m->sides[which].last;
	struct sqlkit_table table;
	bool truncated = false;

	for (int i = 0; i < N_KEYS && !truncated; i++) {
		char key[16];
		json_t *cell;

		key_of(m->key, i, key);
		if (!sides[which][i] ||
			(last && (m->key == SYNC_KEY_TEXT ? strcmp(key, last) <= 0
							  : atoi(key) <= atoi(last))))
			continue;
		truncated = json_array_size(rows) == most;
		cell = m->key == SYNC_KEY_TEXT ? json_string(key) : json_integer(atoi(key));
		if (truncated)
			json_decref(cell);
		else
			(void)json_array_append_new(
				rows, json_pack("[o, i]", cell, sides[which][i]));
	}
	assert_true(sqlkit_table_read(doc, &table));
	table.truncated = truncated && most < SQLKIT_MAX_ROWS;
	sync_merge_add(m, which, &table);
	json_decref(doc);
}

static void play(enum sync_key kind, int percent_there, int percent_same, bool cut)
{
	uint64_t missing = 0, extra = 0, different = 0;
	struct sync_merge m = {.key = kind};
	enum sync_which which;

	for (int i = 0; i < N_KEYS; i++) {
		sides[0][i] = rand() % 100 < percent_there;
		sides[1][i] = (unsigned char)(rand() % 100 < percent_there
						      ? rand() % 100 < percent_same ? 1 : 2
						      : 0);
		missing += sides[0][i] && !sides[1][i];
		extra += !sides[0][i] && sides[1][i];
		different += sides[0][i] && sides[1][i] && sides[0][i] != sides[1][i];
	}
	while (sync_merge_run(&m, &which))
		give_page(&m, which, cut);
	if (m.wrong[0])
		fail_msg("%s", m.wrong);
	assert_int_equal(m.n_missing, missing);
	assert_int_equal(m.n_extra, extra);
	assert_int_equal(m.n_different, different);
	sync_merge_clear(&m);
}

static void test_merge(void **state)
{
	static const int there[] = {0, 1, 50, 99, 100};

	srand(1);
	for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++)
		for (int round = 0; round < 4; round++) {
			play(SYNC_KEY_NUMBER, there[i], 90, round & 1);
			play(SYNC_KEY_TEXT, there[i], round & 2 ? 100 : 50, round & 1);
		}
}

/* What two databases call the same. */
static void test_values(void **state)
{
	static const struct {
		const char *left, *right;
		bool same;
	} rows[] = {
		{"1", "\"1\"", true},
		{"1.5", "\"1.50\"", false},
		{"null", "null", true},
		{"null", "\"\"", false},
		{"true", "1", true},
		{"true", "\"1\"", true},
		{"true", "0", false},
		{"0", "false", true},
		{"1", "false", false},
		{"true", "false", false},
		{"true", "\"true\"", true},
		{"{\"a\": 1}", "{\"a\": 1}", true},
		{"{\"a\": 1}", "{\"a\": 2}", false},
		{"{\"a\": [1]}", "\"{ \\\"a\\\":[1]}\"", true},
		{"\"[2]\"", "[1]", false},
		{"\"no JSON\"", "[]", false},
		{"[]", "1", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sync_merge m = {.key = SYNC_KEY_NUMBER};
		enum sync_which which;

		for (int side = 0; side < 2; side++) {
			json_t *value = json_loads(
				side ? rows[i].right : rows[i].left, JSON_DECODE_ANY, NULL);
			json_t *doc = json_pack(
				"{s:[s, s], s:[[i, o]]}", "columns", "k", "v", "rows", 1, value);
			struct sqlkit_table table;

			assert_true(sqlkit_table_read(doc, &table));
			sync_merge_add(&m, (enum sync_which)side, &table);
			json_decref(doc);
		}
		assert_false(sync_merge_run(&m, &which));
		if ((m.n_different == 0) != rows[i].same)
			fail_msg("%s and %s", rows[i].left, rows[i].right);
		sync_merge_clear(&m);
	}
}

static void test_pages(void **state)
{
	static const struct {
		enum sync_key key;
		enum sqlkit_dialect dialect;
		bool first;
		const char *sql;
	} rows[] = {
		{SYNC_KEY_NUMBER, SQLKIT_POSTGRES, true,
			"select * from (Q) q order by q.k limit 1000"},
		{SYNC_KEY_NUMBER, SQLKIT_MYSQL, false,
			"select * from (Q) q where q.k > $1 order by q.k limit 1000"},
		{SYNC_KEY_TEXT, SQLKIT_POSTGRES, false,
			"select * from (Q) q where cast(q.k as text) collate \"C\" > $1 order by "
			"cast(q.k"
			" as text) collate \"C\" limit 1000"},
		{SYNC_KEY_TEXT, SQLKIT_MYSQL, false,
			"select * from (Q) q where cast(convert(q.k using utf8mb4) as binary) > $1 "
			"order by cast(convert(q.k using utf8mb4) as binary) limit 1000"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *sql = sync_page_sql("Q", rows[i].key, rows[i].dialect, rows[i].first);

		assert_string_equal(sql, rows[i].sql);
		free(sql);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_cut_text),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_count_sql),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
