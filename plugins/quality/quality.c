/* SPDX-License-Identifier: MIT */
#include "quality.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
	struct sqlkit kit;
	const struct quality_conf *conf;
	enum sqlkit_dialect dialect;
	size_t i; /* the rule that is asked */
	struct sqlkit_names errors, warnings, few;
	char broken[96];   /* what is wrong with that rule, until its examples are known */
	bool broken_error; /* beyond error_above */
};

#define DUPLICATES_HELP                                                                            \
	"duplicates.NAME = TABLE COLUMN[, COLUMN...] [where CONDITION]: records that agree in "    \
	"these columns; capitals, blanks around it and empty ones do not count."
#define MAIL_HELP                                                                                  \
	"mail.NAME = TABLE COLUMN [where CONDITION]: values that cannot be a mail address."
#define PHONE_HELP                                                                                 \
	"phone.NAME = TABLE COLUMN [where CONDITION]: values that cannot be a phone number."
#define ORPHANS_HELP                                                                               \
	"orphans.NAME = TABLE COLUMN -> TABLE COLUMN [where CONDITION]: records that refer to "    \
	"one that is not there. The condition is about the first table."
#define LEAVERS_HELP                                                                               \
	"leavers.NAME = STATEMENT: gives accounts that are still active and should not be, one a " \
	"row, its name first."
#define LIST_HELP                                                                                  \
	"rule.NAME = STATEMENT: gives the records that break any other rule, one a row, what "     \
	"names it first."
#define KIND(kind, key, help)                                                                      \
	TEND_OPT(MAP, struct quality_conf, maps[QUALITY_##kind], key, NULL, help)

static const struct tend_option options[] = {
	TEND_OPT(STRING, struct quality_conf, database, "database", NULL,
		"The [database SYSTEM/COMPONENT] that is asked; by default that of the check's own "
		"component.",
		.flags = TEND_OPTION_DATABASE),
	KIND(DUPLICATES, "duplicates", DUPLICATES_HELP),
	KIND(MAIL, "mail", MAIL_HELP),
	KIND(PHONE, "phone", PHONE_HELP),
	KIND(ORPHANS, "orphans", ORPHANS_HELP),
	KIND(LEAVERS, "leavers", LEAVERS_HELP),
	KIND(LIST, "rule", LIST_HELP),
	TEND_OPT(MAP, struct quality_conf, warn_above, "warn_above", NULL,
		"warn_above.NAME = 20 or 1.5%: so many records may break this rule; by default "
		"none. More is a warning."),
	TEND_OPT(MAP, struct quality_conf, error_above, "error_above", NULL,
		"error_above.NAME: more than this is critical."),
	TEND_OPT(MAP, struct quality_conf, min_records, "min_records", NULL,
		"min_records.NAME = 100: that there are fewer records to look at is critical, "
		"too."),
	TEND_OPT(INT, struct quality_conf, share_least, "share_least", "20",
		"Shares (1.5%) are not judged where fewer records than this are looked at.",
		.min = 1, .max = 1e9),
	TEND_OPT(INT, struct quality_conf, examples, "examples", "3",
		"So many records are named in the text; they may be personal data. 0: none.",
		.min = 0, .max = 10),
	TEND_OPT(STRING, struct quality_conf, mail_pattern, "mail_pattern",
		"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?([.][A-"
		"Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$",
		"What a mail address looks like, as a regular expression of the database."),
	TEND_OPT(STRING, struct quality_conf, phone_pattern, "phone_pattern",
		"^[+]?[(]?[0-9]([ ()./-]*[0-9]){4,19}( *(x|ext[.]?) *[0-9]{1,6})?$",
		"What a phone number looks like."),
	TEND_OPTION_END,
};

/* ---- configuration
 * --------------------------------------------------------------------------------- */

static struct quality_rule *find_rule(struct quality_conf *conf, const char *item, size_t *ret_name)
{
	*ret_name = strcspn(item, "=");
	for (size_t i = 0; i < conf->n_rules; i++)
		if (strlen(conf->rules[i].name) == *ret_name &&
			memcmp(conf->rules[i].name, item, *ret_name) == 0)
			return &conf->rules[i];
	return NULL;
}

static int add_rules(struct quality_conf *conf, enum quality_kind kind, struct tend_error *err)
{
	for (char **item = conf->maps[kind]; item && *item; item++) {
		size_t n;
		int r;

		if (conf->n_rules == QUALITY_MAX_RULES)
			return tend_error_set(
				err, -EINVAL, "more than %d rules", (int)QUALITY_MAX_RULES);
		if (find_rule(conf, *item, &n))
			return tend_error_set(
				err, -EINVAL, "two rules are called '%.*s'", (int)n, *item);
		r = quality_rule_parse(kind, *item, &conf->rules[conf->n_rules], err);
		if (r < 0)
			return r;
		conf->rules[conf->n_rules++].warn.given = true;
	}
	return 0;
}

static int take_levels(struct quality_conf *conf, char *const *map, const char *key, size_t offset,
	struct tend_error *err)
{
	for (; map && *map; map++) {
		size_t n;
		struct quality_rule *rule = find_rule(conf, *map, &n);
		struct quality_level level;

		if (!rule)
			return tend_error_set(
				err, -EINVAL, "%s: there is no rule '%.*s'", key, (int)n, *map);
		if (quality_level_parse(*map + n + 1, &level) < 0)
			return tend_error_set(err, -EINVAL,
				"%s: '%.40s' is neither a number nor a share like 1.5%%", key,
				*map + n + 1);
		if (offset == offsetof(struct quality_rule, min_records))
			rule->min_records = level.value;
		else
			memcpy((char *)rule + offset, &level, sizeof(level));
	}
	return 0;
}

static int quality_check(void *data, struct tend_error *err)
{
	struct quality_conf *conf = data;
	int r = 0;

	conf->rules = calloc(QUALITY_MAX_RULES, sizeof(*conf->rules));
	if (!conf->rules)
		return -ENOMEM;
	conf->n_rules = 0;
	for (enum quality_kind kind = 0; kind < QUALITY_KIND_MAX && r == 0; kind++)
		r = add_rules(conf, kind, err);
	if (r == 0 && conf->n_rules == 0)
		r = tend_error_set(err, -EINVAL,
			"there is no rule: duplicates.NAME, mail.NAME, phone.NAME, orphans.NAME, "
			"leavers.NAME or rule.NAME");
	if (r == 0)
		r = take_levels(conf, conf->warn_above, "warn_above",
			offsetof(struct quality_rule, warn), err);
	if (r == 0)
		r = take_levels(conf, conf->error_above, "error_above",
			offsetof(struct quality_rule, error), err);
	if (r == 0)
		r = take_levels(conf, conf->min_records, "min_records",
			offsetof(struct quality_rule, min_records), err);
	return r;
}

static void quality_clear(void *data)
{
	struct quality_conf *conf = data;

	for (size_t i = 0; i < conf->n_rules; i++)
		quality_rule_clear(&conf->rules[i]);
	free(conf->rules);
	conf->rules = NULL;
	conf->n_rules = 0;
}

static void clear(struct sqlkit *kit)
{
	free(kit);
}

/* ---- judging
 * ---------------------------------------------------------------------------------------- */

static bool beyond(const struct quality_conf *conf, const struct quality_level *level, double bad,
	double checked)
{
	if (!level->given)
		return false;
	if (!level->is_share)
		return bad > level->value;
	return checked >= (double)conf->share_least && bad > checked * level->value / 100;
}

static const char *const words[QUALITY_KIND_MAX] = {
	[QUALITY_DUPLICATES] = "duplicates",
	[QUALITY_MAIL] = "bad mail addresses",
	[QUALITY_PHONE] = "bad phone numbers",
	[QUALITY_ORPHANS] = "orphans",
	[QUALITY_LEAVERS] = "active accounts of leavers",
	[QUALITY_LIST] = "records",
};

static void add_metrics(struct tend_attempt *a, const char *name, double bad, double checked)
{
	(void)tend_attempt_metric_of(a, "bad", name, bad, "");
	if (checked < 0)
		return;
	(void)tend_attempt_metric_of(a, "checked", name, checked, "");
	(void)tend_attempt_metric_of(
		a, "bad_pct", name, checked > 0 ? bad * 100 / checked : 0, "%");
}

/* Is it broken? Then its examples are asked for. */
static bool judge_rule(struct run *run, double bad, double checked)
{
	const struct quality_rule *rule = &run->conf->rules[run->i];
	char of[32] = "", text[160];

	add_metrics(run->kit.attempt, rule->name, bad, checked);
	if (checked >= 0)
		(void)snprintf(of, sizeof(of), " of %.0f", checked);
	if (checked >= 0 && checked < rule->min_records) {
		(void)snprintf(text, sizeof(text),
			"%.60s: there are only %.0f records, at least "
			"%.0f are expected",
			rule->name, checked, rule->min_records);
		sqlkit_names_add(&run->few, text);
	}
	run->broken_error = beyond(run->conf, &rule->error, bad, checked);
	if (!run->broken_error && !beyond(run->conf, &rule->warn, bad, checked))
		return false;
	(void)snprintf(run->broken, sizeof(run->broken), "%.30s: %.0f%s %s", rule->name, bad, of,
		words[rule->kind]);
	return true;
}

static void finish(struct run *run)
{
	struct tend_attempt *a = run->kit.attempt;
	const char *errors, *warnings, *few;
	enum tend_reason reason = run->few.n > 0	? TEND_REASON_ROWS_LOST
				  : run->errors.n > 0	? TEND_REASON_THRESHOLD
				  : run->warnings.n > 0 ? TEND_REASON_DATA_QUALITY
							: TEND_REASON_OK;
	size_t n_broken = run->errors.n + run->warnings.n;

	(void)tend_attempt_metric(a, "rules", (double)run->conf->n_rules, "");
	(void)tend_attempt_metric(a, "broken_rules", (double)n_broken, "");
	few = sqlkit_names_text(&run->few);
	errors = sqlkit_names_text(&run->errors);
	warnings = sqlkit_names_text(&run->warnings);
	if (reason == TEND_REASON_OK)
		sqlkit_finish(&run->kit, reason, "%zu rules are kept", run->conf->n_rules);
	else
		sqlkit_finish(&run->kit, reason, "%.200s%s%.300s%s%.200s", few,
			*few && *errors ? "; " : "", errors,
			(*few || *errors) && *warnings ? "; " : "", warnings);
}

/* ---- asking
 * ----------------------------------------------------------------------------------------- */

static void ask_rule(struct run *run);

static void ask(struct run *run, char *sql, size_t max_rows, sqlkit_fn fn)
{
	const char *pattern = quality_pattern(&run->conf->rules[run->i], run->conf);

	if (sql)
		sqlkit_ask(&run->kit, run->conf->database, sql,
			pattern ? json_pack("[s]", pattern) : NULL, max_rows, fn);
	else
		sqlkit_finish(&run->kit, TEND_REASON_INTERNAL, "no memory");
	free(sql);
}

static void on_examples(struct sqlkit *kit, const struct sqlkit_table *table)
{
	struct run *run = (struct run *)kit;
	struct sqlkit_names *names = run->broken_error ? &run->errors : &run->warnings;
	char text[280];
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", run->broken);

	for (size_t row = 0; row < table->n_rows && row < 10 && len + 70 < sizeof(text); row++) {
		char example[48];

		(void)sqlkit_text(sqlkit_cell(table, row, 0), example, sizeof(example));
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%s%s", row ? ", " : " (", example);
	}
	if (table->n_rows > 0)
		(void)snprintf(text + len, sizeof(text) - len, ")");
	sqlkit_names_add(names, text);
	run->i++;
	ask_rule(run);
}

static void on_count(struct sqlkit *kit, const struct sqlkit_table *table)
{
	struct run *run = (struct run *)kit;
	const struct quality_rule *rule = &run->conf->rules[run->i];
	double bad = 0, checked = -1;

	if (!sqlkit_number(sqlkit_cell(table, 0, 0), &bad)) {
		sqlkit_finish(
			kit, TEND_REASON_PROTOCOL, "%.60s: the count is no number", rule->name);
		return;
	}
	(void)sqlkit_number(sqlkit_cell(table, 0, 1), &checked);
	if (!judge_rule(run, bad, checked)) {
		run->i++;
		ask_rule(run);
	} else if (run->conf->examples > 0) {
		ask(run, quality_examples_sql(rule, run->dialect, run->conf->examples),
			(size_t)run->conf->examples, on_examples);
	} else {
		sqlkit_names_add(run->broken_error ? &run->errors : &run->warnings, run->broken);
		run->i++;
		ask_rule(run);
	}
}

static void ask_rule(struct run *run)
{
	if (run->i == run->conf->n_rules)
		finish(run);
	else
		ask(run, quality_count_sql(&run->conf->rules[run->i], run->dialect), 1, on_count);
}

static void on_version(struct sqlkit *kit, const struct sqlkit_table *table)
{
	struct run *run = (struct run *)kit;

	run->dialect = sqlkit_dialect_of(table);
	ask_rule(run);
}

static int quality_start(struct tend_attempt *a, const void *data)
{
	const struct quality_conf *conf = data;
	struct run *run = calloc(1, sizeof(*run));

	if (!run)
		return -ENOMEM;
	run->conf = conf;
	sqlkit_begin(&run->kit, a, clear);
	sqlkit_ask(&run->kit, conf->database, SQLKIT_VERSION, NULL, 1, on_version);
	return 0;
}

static size_t quality_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	static const char *const names[] = {
		"bad", "checked", "bad_pct", "rules", "broken_rules", "total_seconds"};

	memcpy(ret_names, names, sizeof(names));
	return sizeof(names) / sizeof(names[0]);
}

static const struct tend_metric_doc metric_docs[] = {
	{"bad", "", "records that break a rule", true},
	{"checked", "", "records that were looked at", true},
	{"bad_pct", "%", "the share of the bad ones", true},
	{"rules", "", "rules", false},
	{"broken_rules", "", "rules that are broken", false},
	{"total_seconds", "s", "all questions together", false},
	{NULL, NULL, NULL, false},
};

static const struct tend_reason_doc reason_docs[] = {
	SQLKIT_REASON_DOCS,
	{TEND_REASON_DATA_QUALITY, "more records than warn_above break a rule"},
	{TEND_REASON_THRESHOLD, "more records than error_above break a rule"},
	{TEND_REASON_ROWS_LOST, "there are fewer records than min_records"},
	{TEND_REASON_OK, NULL},
};

static const struct tend_probe quality_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "quality",
	.doc = "Looks for duplicates, bad mail addresses and phone numbers, orphans, leavers.",
	.options = options,
	.conf_size = sizeof(struct quality_conf),
	.check = quality_check,
	.clear = quality_clear,
	.start = quality_start,
	.cancel = sqlkit_cancel,
	.metric_docs = metric_docs,
	.reason_docs = reason_docs,
	.example = "duplicates.address = party_contact_mechanism value where type = 'email' and "
		   "active\n"
		   "mail.mail = party_contact_mechanism value where type = 'email' and active\n"
		   "orphans.contact = party_contact_mechanism party -> party_party id\n"
		   "warn_above.mail = 1%\n",
	.metrics = quality_metrics,
};
TEND_PROBE(quality, &quality_probe);
