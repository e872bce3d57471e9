/* SPDX-License-Identifier: MIT */
/* Rules as they are written, and the statements they make. Pure. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "quality.h"

#define IDENTIFIER "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.$\"`"

static bool is_identifier(const char *word)
{
	return word && *word && !word[strspn(word, IDENTIFIER)];
}

/* ---- reading
 * ---------------------------------------------------------------------------------------- */

/* Cuts " where CONDITION" off. */
static const char *take_where(char *text)
{
	for (char *p = strcasestr(text, " where "); p;) {
		*p = '\0';
		return p + 7;
	}
	return NULL;
}

static int take_orphans(struct quality_rule *rule, char *text, struct tend_error *err)
{
	char *arrow = strstr(text, "->"), *rest = NULL;

	if (!arrow)
		return tend_error_set(err, -EINVAL,
			"'%.64s' is not TABLE COLUMN -> TABLE COLUMN [where CONDITION]", text);
	*arrow = '\0';
	rule->table = strtok_r(text, " \t\n", &rest);
	rule->columns[0] = strtok_r(NULL, " \t\n", &rest);
	rule->n_columns = 1;
	if (strtok_r(NULL, " \t\n", &rest))
		rule->table = NULL;
	rest = NULL;
	rule->other_table = strtok_r(arrow + 2, " \t\n", &rest);
	rule->other_column = strtok_r(NULL, " \t\n", &rest);
	if (strtok_r(NULL, " \t\n", &rest) || !is_identifier(rule->table) ||
		!is_identifier(rule->columns[0]) || !is_identifier(rule->other_table) ||
		!is_identifier(rule->other_column))
		return tend_error_set(err, -EINVAL,
			"'%.64s' is not TABLE COLUMN -> TABLE COLUMN [where CONDITION]", text);
	return 0;
}

static int take_columns(struct quality_rule *rule, char *text, struct tend_error *err)
{
	size_t most = rule->kind == QUALITY_DUPLICATES ? QUALITY_MAX_COLUMNS : 1;
	char *rest = NULL, *word;

	rule->table = strtok_r(text, " \t\n", &rest);
	while ((word = strtok_r(NULL, " ,\t\n", &rest))) {
		if (rule->n_columns == most || !is_identifier(word))
			return tend_error_set(err, -EINVAL,
				"'%.64s': %zu column%s after the table, then perhaps `where'", word,
				most, most > 1 ? "s at most" : "");
		rule->columns[rule->n_columns++] = word;
	}
	if (!is_identifier(rule->table) || rule->n_columns == 0)
		return tend_error_set(
			err, -EINVAL, "'%.64s' is not TABLE COLUMN [where CONDITION]", text);
	return 0;
}

int quality_rule_parse(enum quality_kind kind, const char *item, struct quality_rule *ret_rule,
	struct tend_error *err)
{
	const char *equals = strchr(item, '=');
	struct quality_rule rule = {.kind = kind};
	int r = 0;

	if (!equals)
		return -EINVAL;
	rule.name = strndup(item, (size_t)(equals - item));
	rule.text = strdup(equals + 1);
	if (!rule.name || !rule.text) {
		r = -ENOMEM;
	} else if (kind == QUALITY_LEAVERS || kind == QUALITY_LIST) {
		rule.sql = rule.text;
	} else {
		rule.where = take_where(rule.text);
		r = kind == QUALITY_ORPHANS ? take_orphans(&rule, rule.text, err)
					    : take_columns(&rule, rule.text, err);
	}
	if (r < 0)
		quality_rule_clear(&rule);
	else
		*ret_rule = rule;
	return r;
}

void quality_rule_clear(struct quality_rule *rule)
{
	free(rule->name);
	free(rule->text);
	*rule = (struct quality_rule){.name = NULL};
}

int quality_level_parse(const char *text, struct quality_level *ret_level)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || !(value >= 0) || value > 1e15 || strspn(text, " \t") > 0)
		return -EINVAL;
	if (*end && (strcmp(end, "%") != 0 || value > 100))
		return -EINVAL;
	*ret_level = (struct quality_level){value, *end == '%', true};
	return 0;
}

/* ---- writing
 * ---------------------------------------------------------------------------------------- */

static const char *text_type(enum sqlkit_dialect dialect)
{
	return dialect == SQLKIT_MYSQL ? "char" : "text";
}

/* As people compare: without blanks around it, small or big. Most of MySQL's collations would take
 * an u for an umlaut as well. */
static void put_folded(FILE *out, const char *column, enum sqlkit_dialect dialect)
{
	(void)fprintf(out, "lower(trim(cast(%s as %s)))%s", column, text_type(dialect),
		dialect == SQLKIT_MYSQL ? " collate utf8mb4_bin" : "");
}

static void put_folded_list(FILE *out, const struct quality_rule *rule, enum sqlkit_dialect dialect)
{
	for (size_t i = 0; i < rule->n_columns; i++) {
		(void)fputs(i ? ", " : "", out);
		put_folded(out, rule->columns[i], dialect);
	}
}

/* What is empty is not wrong. */
static void put_filter(FILE *out, const struct quality_rule *rule, enum sqlkit_dialect dialect)
{
	(void)fprintf(out, " from %s where ", rule->table);
	if (rule->where)
		(void)fprintf(out, "(%s) and ", rule->where);
	for (size_t i = 0; i < rule->n_columns; i++) {
		(void)fprintf(out, "%s%s is not null and ", i ? " and " : "", rule->columns[i]);
		put_folded(out, rule->columns[i], dialect);
		(void)fputs(" <> ''", out);
	}
}

/* ONLY_FULL_GROUP_BY, that MySQL sets by default, knows an expression again when it stands alone.
 */
static void put_duplicates(
	FILE *out, const struct quality_rule *rule, enum sqlkit_dialect dialect, int64_t n)
{
	(void)fputs("select concat_ws(', '", out);
	for (size_t i = 0; i < rule->n_columns; i++)
		(void)fprintf(out, ", k%zu", i);
	(void)fputs(") as example, n from (select ", out);
	for (size_t i = 0; i < rule->n_columns; i++) {
		put_folded(out, rule->columns[i], dialect);
		(void)fprintf(out, " as k%zu, ", i);
	}
	(void)fputs("count(*) as n", out);
	put_filter(out, rule, dialect);
	(void)fputs(" group by 1", out);
	for (size_t i = 1; i < rule->n_columns; i++)
		(void)fprintf(out, ", %zu", i + 1);
	(void)fprintf(out, " having count(*) > 1) g order by n desc limit %lld", (long long)n);
}

/* The parameter stands once: not every database's library takes it twice. */
static void put_match(FILE *out, const struct quality_rule *rule, enum sqlkit_dialect dialect)
{
	const char *column = rule->columns[0];

	/* `$' is before the last line break, too, to MySQL. */
	if (dialect == SQLKIT_MYSQL)
		(void)fprintf(out,
			"trim(cast(%s as char)) regexp $1 and right(trim(%s), 1) not in "
			"(char(10 using utf8mb4), char(13 using utf8mb4))",
			column, column);
	else
		(void)fprintf(out, "trim(cast(%s as text)) ~ $1", column);
}

static void put_orphans(FILE *out, const struct quality_rule *rule)
{
	(void)fprintf(out,
		" from (select * from %s%s%s) c left join %s p on p.%s = c.%s where "
		"c.%s is not null",
		rule->table, rule->where ? " where " : "", rule->where ? rule->where : "",
		rule->other_table, rule->other_column, rule->columns[0], rule->columns[0]);
}

static void put_count(FILE *out, const struct quality_rule *rule, enum sqlkit_dialect dialect)
{
	switch (rule->kind) {
	case QUALITY_DUPLICATES:
		(void)fputs("select coalesce(sum(n - 1), 0) as bad, coalesce(sum(n), 0) as checked "
			    "from (select count(*) as n",
			out);
		put_filter(out, rule, dialect);
		(void)fputs(" group by ", out);
		put_folded_list(out, rule, dialect);
		(void)fputs(") g", out);
		break;
	case QUALITY_MAIL:
	case QUALITY_PHONE:
		(void)fputs("select coalesce(sum(case when ", out);
		put_match(out, rule, dialect);
		(void)fputs(" then 0 else 1 end), 0) as bad, count(*) as checked", out);
		put_filter(out, rule, dialect);
		break;
	case QUALITY_ORPHANS:
		(void)fprintf(out,
			"select coalesce(sum(case when p.%s is null then 1 else 0 end), 0) as bad, "
			"count(*) as checked",
			rule->other_column);
		put_orphans(out, rule);
		break;
	default:
		(void)fprintf(out, "select count(*) as bad from (%s) q", rule->sql);
	}
}

static void put_examples(
	FILE *out, const struct quality_rule *rule, enum sqlkit_dialect dialect, int64_t n)
{
	switch (rule->kind) {
	case QUALITY_DUPLICATES:
		put_duplicates(out, rule, dialect, n);
		break;
	case QUALITY_MAIL:
	case QUALITY_PHONE:
		(void)fprintf(out, "select distinct %s as example", rule->columns[0]);
		put_filter(out, rule, dialect);
		(void)fputs(" and not (", out);
		put_match(out, rule, dialect);
		(void)fprintf(out, ") limit %lld", (long long)n);
		break;
	case QUALITY_ORPHANS:
		(void)fprintf(out, "select distinct c.%s as example", rule->columns[0]);
		put_orphans(out, rule);
		(void)fprintf(
			out, " and p.%s is null limit %lld", rule->other_column, (long long)n);
		break;
	default:
		(void)fprintf(out, "select * from (%s) q limit %lld", rule->sql, (long long)n);
	}
}

static char *finish(FILE *out, char **text)
{
	if (fclose(out) == 0)
		return *text;
	free(*text);
	return NULL;
}

char *quality_count_sql(const struct quality_rule *rule, enum sqlkit_dialect dialect)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	put_count(out, rule, dialect);
	return finish(out, &text);
}

char *quality_examples_sql(const struct quality_rule *rule, enum sqlkit_dialect dialect, int64_t n)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	put_examples(out, rule, dialect, n);
	return finish(out, &text);
}

const char *quality_pattern(const struct quality_rule *rule, const struct quality_conf *conf)
{
	if (rule->kind == QUALITY_MAIL)
		return conf->mail_pattern;
	return rule->kind == QUALITY_PHONE ? conf->phone_pattern : NULL;
}
