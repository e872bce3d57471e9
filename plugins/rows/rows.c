/* SPDX-License-Identifier: MIT */
#include "rows.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLES_A_COUNT = 40 };

struct run {
	struct sqlkit kit;
	const struct rows_conf *conf;
	enum sqlkit_dialect dialect;
	struct rows_schema schema;
	char *last[4]; /* where the next page begins: behind it */
	size_t n_counted, n_asked;
	size_t asked[TABLES_A_COUNT]; /* tables of the count that runs */
};

static const char *const count_names[] = {"exact", "estimate", "none", NULL};

static const struct tend_option options[] = {
	TEND_OPT(STRING, struct rows_conf, database, "database", NULL,
		"The [database SYSTEM/COMPONENT] that is asked; by default that of the check's own "
		"component.",
		.flags = TEND_OPTION_DATABASE),
	TEND_OPT(LIST, struct rows_conf, schemas, "schemas", NULL,
		"PostgreSQL: the schemas whose tables are looked at; by default public. MySQL and "
		"MariaDB: databases; by default the one that is logged in to."),
	TEND_OPT(LIST, struct rows_conf, tables, "tables", NULL,
		"Patterns (as a shell's) of the tables that are looked at; by default all."),
	TEND_OPT(LIST, struct rows_conf, ignore, "ignore", NULL,
		"Patterns of tables that are not looked at."),
	TEND_OPT(LIST, struct rows_conf, uncounted, "uncounted", NULL,
		"Patterns of tables whose columns are looked at, and whose rows are not counted: "
		"sessions, queues, logs that are emptied."),
	TEND_OPT(ENUM, struct rows_conf, count, "count", "exact",
		"exact: count(*). estimate: what the database believes, at no cost. none: the "
		"schema alone.",
		.names = count_names),
	TEND_OPT(BOOL, struct rows_conf, columns, "columns", "yes",
		"Are columns and their types compared?"),
	TEND_OPT(BOOL, struct rows_conf, indexes, "indexes", "yes", "Are indexes compared?"),
	TEND_OPT(DOUBLE, struct rows_conf, max_loss, "max_loss", "10",
		"A table may lose this share of its rows within a window.", .min = 0, .max = 100,
		.unit = "%"),
	TEND_OPT(INT, struct rows_conf, min_loss, "min_loss", "10",
		"Fewer lost rows than this are never told.", .min = 1, .max = 1e12),
	TEND_OPT(USEC, struct rows_conf, window, "window", "1d",
		"Losses are measured by the most rows of this time.", .min = 60e6,
		.max = 400 * 86400e6),
	TEND_OPT(USEC, struct rows_conf, accept_after, "accept_after", NULL,
		"A change is taken as meant after this time; by default never by itself.",
		.min = 60e6, .max = 400 * 86400e6),
	TEND_OPT(STRING, struct rows_conf, accept, "accept", NULL,
		"Any words: a new date or ticket here says that all is meant as it is now."),
	TEND_OPTION_END,
};

static void clear(struct sqlkit *kit)
{
	struct run *run = (struct run *)kit;

	rows_schema_clear(&run->schema);
	for (size_t i = 0; i < 4; i++)
		free(run->last[i]);
	free(run);
}

/* ---- the verdict
 * ------------------------------------------------------------------------------------ */

static void conclude(struct run *run)
{
	struct tend_attempt *a = run->kit.attempt;
	struct rows_verdict v;
	json_t *hashes;
	int r;

	rows_judge(a, run->conf, &run->schema, tend_attempt_memory(a), sqlkit_wall(), &v);
	/* A big CRM has more columns than can be remembered by name. */
	hashes = v.memory ? json_copy(v.memory) : NULL;
	r = tend_attempt_remember(a, v.memory);
	if (r == -EMSGSIZE && hashes &&
		!json_is_string(json_object_iter_value(
			json_object_iter(json_object_get(hashes, "schema"))))) {
		(void)json_object_set_new(
			hashes, "schema", rows_schema_hashes(json_object_get(hashes, "schema")));
		r = tend_attempt_remember(a, json_incref(hashes));
	}
	json_decref(hashes);
	if (r < 0)
		sqlkit_finish(&run->kit, TEND_REASON_INTERNAL, "%s",
			r == -EMSGSIZE ? "there are too many tables to be remembered: name those "
					 "that matter in `tables'"
				       : strerror(-r));
	else
		sqlkit_finish(&run->kit, v.reason, "%s", v.text);
}

/* ---- counting
 * --------------------------------------------------------------------------------------- */

static void count_some(struct run *run);

static void counted(struct sqlkit *kit, const struct sqlkit_table *table)
{
	struct run *run = (struct run *)kit;

	for (size_t row = 0; row < table->n_rows; row++) {
		double i, n;

		if (sqlkit_number(sqlkit_cell(table, row, 0), &i) &&
			sqlkit_number(sqlkit_cell(table, row, 1), &n) && i >= 0 &&
			i < (double)run->n_asked && n >= 0)
			run->schema.tables[run->asked[(size_t)i]].n_rows = n;
	}
	count_some(run);
}

static void count_some(struct run *run)
{
	struct rows_table tables[TABLES_A_COUNT];
	char *sql;

	run->n_asked = 0;
	for (; run->n_counted < run->schema.n_tables && run->n_asked < TABLES_A_COUNT;
		run->n_counted++) {
		const struct rows_table *t = &run->schema.tables[run->n_counted];

		if (run->conf->count == ROWS_COUNT_NONE ||
			sqlkit_matches(run->conf->uncounted, t->name) ||
			sqlkit_matches(run->conf->uncounted, t->key))
			continue;
		tables[run->n_asked] = *t;
		run->asked[run->n_asked++] = run->n_counted;
	}
	if (run->n_asked == 0) {
		conclude(run);
		return;
	}
	sql = rows_count_sql(tables, run->n_asked, run->dialect, (enum rows_count)run->conf->count);
	if (sql)
		sqlkit_ask(&run->kit, run->conf->database, sql, NULL, TABLES_A_COUNT, counted);
	else
		sqlkit_finish(&run->kit, TEND_REASON_INTERNAL, "no memory");
	free(sql);
}

/* ---- the schema
 * ------------------------------------------------------------------------------------- */

/* $1 the schemas, $2..$5 what the last page ended with. */
static const char *const schema_sql[SQLKIT_DIALECT_MAX] = {
	[SQLKIT_POSTGRES] =
		"select s, t, k, n, d from (select n.nspname::text as s, c.relname::text as t, 'c' "
		"as k, a.attname::text as n, format_type(a.atttypid, a.atttypmod) || case when "
		"a.attnotnull then ' not null' else '' end as d from pg_class c join pg_namespace "
		"n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid and "
		"a.attnum > 0 and not a.attisdropped where c.relkind in ('r', 'p') and n.nspname = "
		"any (string_to_array($1, ',')) union all select n.nspname::text, c.relname::text, "
		"'i', i.relname::text, case when x.indisunique then 'unique' else '' end from "
		"pg_index x join pg_class c on c.oid = x.indrelid join pg_class i on i.oid = "
		"x.indexrelid join pg_namespace n on n.oid = c.relnamespace where x.indisvalid and "
		"c.relkind in ('r', 'p') and n.nspname = any (string_to_array($1, ','))) q where "
		"(s "
		"collate \"C\", t collate \"C\", k collate \"C\", n collate \"C\") > ($2, $3, $4, "
		"$5) order by s collate \"C\", t collate \"C\", k collate \"C\", n collate \"C\" "
		"limit 1000",
	[SQLKIT_MYSQL] =
		"select s, t, k, n, d from (select c.table_schema as s, c.table_name as t, 'c' as "
		"k, c.column_name as n, concat(c.column_type, if(c.is_nullable = 'NO', ' not "
		"null', ''), if(c.collation_name is null, '', concat(' ', "
		"if(left(c.collation_name, 5) = 'utf8_', concat('utf8mb3', "
		"substr(c.collation_name, 5)), c.collation_name)))) as d "
		"from information_schema.columns c join information_schema.tables b on "
		"b.table_schema = c.table_schema and b.table_name = c.table_name and b.table_type "
		"in ('BASE TABLE', 'SYSTEM VERSIONED') where find_in_set(c.table_schema, if($1 = "
		"'', database(), $1)) "
		"union select i.table_schema, i.table_name, 'i', i.index_name, if(i.non_unique, "
		"'', 'unique') from information_schema.statistics i where "
		"find_in_set(i.table_schema, if($1 = '', database(), $1))) q where (cast(s as "
		"binary), cast(t as binary), cast(k as binary), cast(n as binary)) > ($2, $3, $4, "
		"$5) order by cast(s as binary), cast(t as binary), cast(k as binary), cast(n as "
		"binary) limit 1000",
};

static void ask_page(struct run *run);

static int keep_last(struct run *run, const struct sqlkit_table *table)
{
	for (int i = 0; i < 4; i++) {
		const char *text = json_string_value(sqlkit_cell(table, table->n_rows - 1, i));

		free(run->last[i]);
		run->last[i] = strdup(text ? text : "");
		if (!run->last[i])
			return -ENOMEM;
	}
	return 0;
}

static void on_page(struct sqlkit *kit, const struct sqlkit_table *table)
{
	struct run *run = (struct run *)kit;
	int r = rows_schema_add(&run->schema, run->conf, table);

	if (r == 0 && table->n_rows > 0)
		r = keep_last(run, table);
	if (r == -E2BIG)
		sqlkit_finish(kit, TEND_REASON_NO_EVIDENCE,
			"more than %d tables or %d columns: name those that matter in `tables'",
			(int)ROWS_MAX_TABLES, (int)ROWS_MAX_PARTS);
	else if (r < 0)
		sqlkit_finish(kit, r == -EINVAL ? TEND_REASON_PROTOCOL : TEND_REASON_INTERNAL,
			"the list of columns cannot be read: %s", strerror(-r));
	else if (table->truncated || table->n_rows == SQLKIT_MAX_ROWS)
		ask_page(run);
	else if (run->schema.n_tables == 0)
		sqlkit_finish(kit, TEND_REASON_OBJECT_MISSING,
			"there is no table that the role can see and that the options mean");
	else
		count_some(run);
}

static json_t *schemas_of(const struct run *run)
{
	char text[512] = "";
	size_t len = 0;

	for (char **name = run->conf->schemas; name && *name && len < sizeof(text); name++)
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%s%s", len ? "," : "", *name);
	if (!text[0] && run->dialect == SQLKIT_POSTGRES)
		return json_string("public");
	return json_string(text);
}

static void ask_page(struct run *run)
{
	json_t *params = json_array();

	(void)json_array_append_new(params, schemas_of(run));
	for (int i = 0; i < 4; i++)
		(void)json_array_append_new(params, json_string(run->last[i] ? run->last[i] : ""));
	sqlkit_ask(&run->kit, run->conf->database, schema_sql[run->dialect], params,
		SQLKIT_MAX_ROWS, on_page);
}

static void on_version(struct sqlkit *kit, const struct sqlkit_table *table)
{
	struct run *run = (struct run *)kit;

	run->dialect = sqlkit_dialect_of(table);
	ask_page(run);
}

static int rows_start(struct tend_attempt *a, const void *data)
{
	const struct rows_conf *conf = data;
	struct run *run = calloc(1, sizeof(*run));

	if (!run)
		return -ENOMEM;
	run->conf = conf;
	sqlkit_begin(&run->kit, a, clear);
	sqlkit_ask(&run->kit, conf->database, SQLKIT_VERSION, NULL, 1, on_version);
	return 0;
}

static size_t rows_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	static const char *const names[] = {
		"rows", "tables", "changes", "rows_total", "lost_rows", "total_seconds"};

	memcpy(ret_names, names, sizeof(names));
	return sizeof(names) / sizeof(names[0]);
}

static const struct tend_metric_doc metric_docs[] = {
	{"rows", "", "rows of a table", true},
	{"tables", "", "tables that were looked at", false},
	{"rows_total", "", "rows of all tables that are counted", false},
	{"lost_rows", "", "rows that are missing, of the tables that have lost too many", false},
	{"changes", "", "differences of the schema", false},
	{"total_seconds", "s", "all questions together", false},
	{NULL, NULL, NULL, false},
};

static const struct tend_reason_doc reason_docs[] = {
	SQLKIT_REASON_DOCS,
	{TEND_REASON_SCHEMA_CHANGED, "a table, a column or an index is new, gone or another"},
	{TEND_REASON_ROWS_LOST, "a table has lost more rows than it may"},
	{TEND_REASON_OK, NULL},
};

static const struct tend_probe rows_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "rows",
	.doc = "Counts the rows of tables and compares their columns and indexes with what was.",
	.options = options,
	.conf_size = sizeof(struct rows_conf),
	.start = rows_start,
	.cancel = sqlkit_cancel,
	.metric_docs = metric_docs,
	.reason_docs = reason_docs,
	.example = "ignore = tmp_*\n"
		   "uncounted = session*, *_log\n"
		   "max_loss = 5\n",
	.metrics = rows_metrics,
};
TEND_PROBE(rows, &rows_probe);
