/* SPDX-License-Identifier: MIT */
/*
 * quality/quality.h: rules that records should keep: no duplicates, mail addresses and phone
 * numbers that can be ones, nothing that refers to what is gone, and lists of records that should
 * not be. rule.c (pure) reads them and writes their statements; quality.c asks and judges.
 */
#ifndef QUALITY_QUALITY_H
#define QUALITY_QUALITY_H

#include "sqlkit/sqlkit.h"

enum { QUALITY_MAX_RULES = 60, QUALITY_MAX_COLUMNS = 8 };

enum quality_kind {
	QUALITY_DUPLICATES,
	QUALITY_MAIL,
	QUALITY_PHONE,
	QUALITY_ORPHANS,
	QUALITY_LEAVERS,
	QUALITY_LIST,
	QUALITY_KIND_MAX,
};

struct quality_level { /* a number of records, or a share of them */
	double value;
	bool is_share, given;
};

struct quality_rule {
	enum quality_kind kind;
	char *name;
	char *text; /* cut into pieces, which the others point to */
	const char *table, *columns[QUALITY_MAX_COLUMNS], *where, *other_table, *other_column;
	size_t n_columns;
	const char *sql; /* of a list: as given */
	struct quality_level warn, error;
	double min_records;
};

struct quality_conf {
	char *database, **maps[QUALITY_KIND_MAX], **warn_above, **error_above, **min_records;
	char *mail_pattern, *phone_pattern;
	int64_t examples, share_least;
	struct quality_rule *rules;
	size_t n_rules;
};

/* "NAME=TEXT" of the map of this kind. -EINVAL with a text. */
int quality_rule_parse(enum quality_kind kind, const char *item, struct quality_rule *ret_rule,
	struct tend_error *err);
void quality_rule_clear(struct quality_rule *rule);
int quality_level_parse(const char *text, struct quality_level *ret_level);

/* One row: `bad' and, where it is known, `checked'. NULL: no memory. */
char *quality_count_sql(const struct quality_rule *rule, enum sqlkit_dialect dialect);
/* Rows whose first column names a record that breaks the rule. */
char *quality_examples_sql(const struct quality_rule *rule, enum sqlkit_dialect dialect, int64_t n);
/* The pattern that $1 stands for; NULL: there is no $1. */
const char *quality_pattern(const struct quality_rule *rule, const struct quality_conf *conf);

#endif
