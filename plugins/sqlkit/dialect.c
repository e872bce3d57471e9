/* SPDX-License-Identifier: MIT */
/* Where databases use different words for the same thing; and patterns of names. Pure. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sqlkit.h"

const char *const sqlkit_dialects[] = {"postgres", "mysql", NULL};

enum sqlkit_dialect sqlkit_dialect_of(const struct sqlkit_table *table)
{
	const char *text = json_string_value(sqlkit_cell(table, 0, 0));

	return text && strncmp(text, "PostgreSQL", 10) == 0 ? SQLKIT_POSTGRES : SQLKIT_MYSQL;
}

/* `%s` stands for the word's argument. Sessions of the plugin postgres are set to UTC: what local
 * time is to the server is told by the zone of its log. */
#define PG_LOCAL "(now() at time zone current_setting('log_timezone'))"
static const struct {
	const char *word;
	const char *sql[SQLKIT_DIALECT_MAX];
} words[] = {
	{"since", {"extract(epoch from " PG_LOCAL " - (%s))", "timestampdiff(second, %s, now())"}},
	{"since_utc", {"extract(epoch from (now() at time zone 'utc') - (%s))",
			      "timestampdiff(second, %s, utc_timestamp())"}},
	{"now", {PG_LOCAL, "now()"}},
	{"utc", {"(now() at time zone 'utc')", "utc_timestamp()"}},
	/* As a number with a sign: a time ahead of it makes the difference negative. */
	{"unix", {"extract(epoch from now())", "cast(unix_timestamp() as decimal)"}},
};

static bool put_word(
	FILE *out, const char *word, size_t len, enum sqlkit_dialect dialect, const char *prefix)
{
	size_t n = strcspn(word, " }");
	const char *argument = word + n, *sql = NULL, *hole;

	if (n == 6 && memcmp(word, "prefix", 6) == 0)
		return fputs(prefix ? prefix : "", out) >= 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].word) == n && memcmp(words[i].word, word, n) == 0)
			sql = words[i].sql[dialect];
	if (!sql)
		return false;
	while (*argument == ' ')
		argument++;
	hole = strstr(sql, "%s");
	if (!hole)
		return fputs(sql, out) >= 0;
	return fprintf(out, "%.*s%.*s%s", (int)(hole - sql), sql, (int)(word + len - argument),
		       argument, hole + 2) > 0;
}

char *sqlkit_expand(const char *sql, enum sqlkit_dialect dialect, const char *prefix)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool good = out != NULL;

	while (good && *sql) {
		size_t n = strcspn(sql, "{");

		good = fwrite(sql, 1, n, out) == n;
		sql += n;
		if (*sql != '{')
			break;
		n = strcspn(++sql, "}");
		good = good && sql[n] == '}' && put_word(out, sql, n, dialect, prefix);
		sql += n + (sql[n] == '}');
	}
	if (out && fclose(out) != 0)
		good = false;
	if (good)
		return text;
	free(text);
	return NULL;
}

bool sqlkit_matches(char *const *patterns, const char *name)
{
	for (; patterns && *patterns; patterns++)
		if (fnmatch(*patterns, name, 0) == 0)
			return true;
	return false;
}

const char *sqlkit_map_get(char *const *map, const char *key)
{
	size_t n = strlen(key);

	for (; map && *map; map++)
		if (strncmp(*map, key, n) == 0 && (*map)[n] == '=')
			return *map + n + 1;
	return NULL;
}
