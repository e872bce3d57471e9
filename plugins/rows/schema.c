/* SPDX-License-Identifier: MIT */
/* What the database says of its tables, page by page. Pure. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "rows.h"

static bool is_wanted(const struct rows_conf *conf, const char *key, const char *name)
{
	if (sqlkit_matches(conf->ignore, key) || sqlkit_matches(conf->ignore, name))
		return false;
	return !conf->tables || sqlkit_matches(conf->tables, key) ||
	       sqlkit_matches(conf->tables, name);
}

static int add_table(
	struct rows_schema *schema, const char *owner, const char *name, const char *key)
{
	json_t *doc = json_pack("{s:{}, s:{}}", "c", "i");
	struct rows_table *t;

	if (schema->n_tables == ROWS_MAX_TABLES) {
		json_decref(doc);
		return -E2BIG;
	}
	if (schema->n_tables == schema->cap_tables) {
		size_t cap = schema->cap_tables ? schema->cap_tables * 2 : 64;
		struct rows_table *more = reallocarray(schema->tables, cap, sizeof(*more));

		if (!more) {
			json_decref(doc);
			return -ENOMEM;
		}
		schema->tables = more;
		schema->cap_tables = cap;
	}
	if (json_object_set_new(schema->doc, key, doc) < 0)
		return -ENOMEM;
	t = &schema->tables[schema->n_tables];
	*t = (struct rows_table){
		.schema = strdup(owner),
		.name = strdup(name),
		.key = json_object_iter_key(json_object_iter_at(schema->doc, key)),
		.n_rows = -1,
	};
	schema->n_tables++;
	return t->schema && t->name ? 0 : -ENOMEM;
}

static int add_part(
	struct rows_schema *schema, const struct rows_conf *conf, const char *const words[5])
{
	bool several = conf->schemas && conf->schemas[0] && conf->schemas[1];
	const char *owner = words[0], *name = words[1], *kind = words[2];
	char key[400];
	json_t *table;
	int r;

	(void)snprintf(key, sizeof(key), "%s%s%s", several ? owner : "", several ? "." : "", name);
	if (!is_wanted(conf, key, name))
		return 0;
	if (++schema->n_parts > ROWS_MAX_PARTS)
		return -E2BIG;
	table = json_object_get(schema->doc, key);
	if (!table) {
		r = add_table(schema, owner, name, key);
		if (r < 0)
			return r;
		table = json_object_get(schema->doc, key);
	}
	if (!(kind[0] == 'c' ? conf->columns : conf->indexes))
		return 0;
	return json_object_set_new(json_object_get(table, kind[0] == 'c' ? "c" : "i"), words[3],
		       json_string(words[4])) < 0
		       ? -ENOMEM
		       : 0;
}

int rows_schema_add(
	struct rows_schema *schema, const struct rows_conf *conf, const struct sqlkit_table *page)
{
	int r = 0;

	if (!schema->doc)
		schema->doc = json_object();
	if (!schema->doc)
		return -ENOMEM;
	if (page->n_columns != 5)
		return -EINVAL;
	for (size_t row = 0; row < page->n_rows && r == 0; row++) {
		const char *words[5];

		for (int i = 0; i < 5; i++) {
			words[i] = json_string_value(sqlkit_cell(page, row, i));
			if (!words[i])
				return -EINVAL;
		}
		if (strlen(words[0]) + strlen(words[1]) > 190)
			return -EINVAL;
		r = add_part(schema, conf, words);
	}
	return r;
}

void rows_schema_clear(struct rows_schema *schema)
{
	for (size_t i = 0; i < schema->n_tables; i++) {
		free(schema->tables[i].schema);
		free(schema->tables[i].name);
	}
	free(schema->tables);
	json_decref(schema->doc);
	*schema = (struct rows_schema){.doc = NULL};
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	while (*text++);
	return hash;
}

json_t *rows_schema_hashes(const json_t *doc)
{
	json_t *hashes = json_object(), *table;
	const char *key;

	json_object_foreach ((json_t *)(uintptr_t)doc, key, table) {
		char *text = json_dumps(table, JSON_SORT_KEYS | JSON_COMPACT);
		char hash[17];

		(void)snprintf(hash, sizeof(hash), "%016" PRIx64,
			hash_text(UINT64_C(0xcbf29ce484222325), text ? text : ""));
		free(text);
		(void)json_object_set_new(hashes, key, json_string(hash));
	}
	return hashes;
}

/* ---- counting
 * --------------------------------------------------------------------------------------- */

static void put_quoted(FILE *out, const char *name, char quote)
{
	(void)putc(quote, out);
	for (; *name; name++) {
		if (*name == quote)
			(void)putc(quote, out);
		(void)putc(*name, out);
	}
	(void)putc(quote, out);
}

static void put_table(FILE *out, const struct rows_table *t, char quote)
{
	put_quoted(out, t->schema, quote);
	(void)putc('.', out);
	put_quoted(out, t->name, quote);
}

/* MySQL reads a backslash in a text, PostgreSQL does not. */
static void put_text(FILE *out, const char *text, enum sqlkit_dialect dialect)
{
	(void)putc('\'', out);
	for (; *text; text++) {
		if (*text == '\'' || (*text == '\\' && dialect == SQLKIT_MYSQL))
			(void)putc(*text, out);
		(void)putc(*text, out);
	}
	(void)putc('\'', out);
}

static void put_estimate(FILE *out, const struct rows_table *t, enum sqlkit_dialect dialect)
{
	if (dialect == SQLKIT_MYSQL)
		(void)fputs("table_rows as n from information_schema.tables where table_schema = ",
			out);
	else
		(void)fputs("c.reltuples::bigint as n from pg_class c join pg_namespace s on s.oid "
			    "= c.relnamespace where s.nspname = ",
			out);
	put_text(out, t->schema, dialect);
	(void)fputs(dialect == SQLKIT_MYSQL ? " and table_name = " : " and c.relname = ", out);
	put_text(out, t->name, dialect);
}

char *rows_count_sql(const struct rows_table *tables, size_t n, enum sqlkit_dialect dialect,
	enum rows_count count)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		(void)fprintf(out, "%sselect %zu as i, ", i ? " union all " : "", i);
		if (count == ROWS_COUNT_ESTIMATE) {
			put_estimate(out, &tables[i], dialect);
			continue;
		}
		(void)fputs("count(*) as n from ", out);
		put_table(out, &tables[i], dialect == SQLKIT_MYSQL ? '`' : '"');
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
