/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "base/str.h"
#include "conf/options.h"
#include "exec/manifest_internal.h"

#define SECONDS(n) ((double)(n)*1e6)

const struct tend_option manifest_sql_rows[] = {
	TEND_OPT(STRING, struct sql_rule, text, "statement", NULL,
		"one SQL statement; {NAME} stands for a parameter, never within quotes",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(ENUM, struct sql_rule, risk, "risk", "change",
		"what it may do: observe, change, destroy", .names = exec_risk_names),
	TEND_OPT(LIST, struct sql_rule, components, "components", NULL,
		"the components on whose databases it may be run, SYSTEM/COMPONENT with * and ?; "
		"by default all"),
	TEND_OPT(INT, struct sql_rule, max_rows, "max_rows_affected", "100",
		"when it would change more rows it is rolled back; 0 is no limit", .min = 0,
		.max = 1e9),
	TEND_OPT(INT, struct sql_rule, max_per_hour, "max_per_hour", "12",
		"how often it is run in an hour at most", .min = 1, .max = 1000),
	TEND_OPT(USEC, struct sql_rule, lock_timeout, "lock_timeout", "5s",
		"it gives up when it has waited so long for a lock", .min = 1000,
		.max = SECONDS(3600)),
	TEND_OPT(BOOL, struct sql_rule, repeatable, "repeatable", "no",
		"with yes it is run again when nobody knows whether it happened"),
	TEND_OPT(BOOL, struct sql_rule, transaction, "transaction", "yes",
		"with no it is run outside of a transaction (VACUUM, REINDEX CONCURRENTLY): then "
		"max_rows_affected must be 0"),
	TEND_OPT(MAP, struct sql_rule, param_texts, "param", NULL,
		"the type of the parameter NAME: `enum a, b`, `int 1..100`, `pattern REGEX`"),
	TEND_OPTION_END,
};

struct sql_rule *sql_rule_free(struct sql_rule *rule)
{
	if (!rule)
		return NULL;
	params_free(rule->params, rule->n_params);
	conf_options_free(manifest_sql_rows, rule);
	free(rule->statement);
	free(rule->name);
	free(rule);
	return NULL;
}

/* The length of "{name}" at `p`; 0 if there is none. */
static size_t placeholder_len(const char *p)
{
	size_t n = *p == '{' ? strspn(p + 1, "abcdefghijklmnopqrstuvwxyz0123456789_") : 0;

	return n > 0 && p[n + 1] == '}' && p[1] >= 'a' ? n + 2 : 0;
}

static size_t find_param(const struct sql_rule *rule, const char *name, size_t len)
{
	for (size_t i = 0; i < rule->n_params; i++)
		if (strlen(rule->params[i].name) == len &&
			memcmp(rule->params[i].name, name, len) == 0)
			return i;
	return rule->n_params;
}

/* What of the text is no plain SQL: skips quotes and comments, in which nothing is replaced. */
static size_t quoted_len(const char *p)
{
	const char *end = NULL;

	if (*p == '\'' || *p == '"') {
		end = strchr(p + 1, *p);
		return end ? (size_t)(end - p) + 1 : strlen(p);
	}
	if (strncmp(p, "--", 2) == 0)
		return strcspn(p, "\n");
	if (strncmp(p, "/*", 2) == 0) {
		end = strstr(p + 2, "*/");
		return end ? (size_t)(end - p) + 2 : strlen(p);
	}
	return 0;
}

static int check_quoted(const struct conf_section *section, const struct sql_rule *rule,
	const char *p, size_t len, struct conf_errors *errors)
{
	for (size_t i = 0; i < len; i++) {
		size_t n = placeholder_len(p + i);

		if (n > 0 && find_param(rule, p + i + 1, n - 2) < rule->n_params)
			return conf_section_error(section, "statement", errors,
				"%.*s stands within quotes or a comment, where it is plain text",
				(int)n, p + i);
	}
	return 0;
}

static int check_used(const struct conf_section *section, const struct sql_rule *rule,
	const bool *used, struct conf_errors *errors)
{
	for (size_t i = 0; i < rule->n_params; i++)
		if (!used[i])
			return conf_section_error(section, "statement", errors,
				"the parameter '%s' is not used; write {%s} in it",
				rule->params[i].name, rule->params[i].name);
	return 0;
}

/* {name} -> $N; values never become part of the text. */
static int number_params(const struct conf_section *section, const struct sql_rule *rule,
	struct str *out, struct conf_errors *errors)
{
	bool used[ARGV_MAX_PARAMS] = {false};
	int r = 0;

	for (const char *p = rule->text; *p && r == 0;) {
		size_t quoted = quoted_len(p), n = placeholder_len(p);
		size_t i = n ? find_param(rule, p + 1, n - 2) : 0;

		if (quoted) {
			r = check_quoted(section, rule, p, quoted, errors);
			r = r < 0 ? r : str_append(out, p, quoted);
			p += quoted;
		} else if (*p == '$' || (n && i == rule->n_params)) {
			return conf_section_error(section, "statement", errors,
				*p == '$' ? "'%.*s': parameters are written as {NAME}, and there "
					    "are no dollar quotes here"
					  : "there is no parameter for '%.*s'; add param.NAME",
				*p == '$' ? 2 : (int)n, p);
		} else if (n) {
			used[i] = true;
			r = str_appendf(out, "$%zu", i + 1);
			p += n;
		} else {
			r = str_append(out, p++, 1);
		}
	}
	return r < 0 ? r : check_used(section, rule, used, errors);
}

static int make_statement(
	const struct conf_section *section, struct sql_rule *rule, struct conf_errors *errors)
{
	struct str out = STR_INIT(2 * CONF_MAX_VALUE_BYTES);
	int r = number_params(section, rule, &out, errors);

	if (r == 0 && !(rule->statement = strdup(str_get(&out))))
		r = -ENOMEM;
	str_clear(&out);
	return r;
}

static int check_sql(
	const struct conf_section *section, struct sql_rule *rule, struct conf_errors *errors)
{
	int result = 0;

	for (size_t i = 0; i < rule->n_params; i++)
		if (rule->params[i].type == PARAM_PATH)
			result = conf_section_error(section, NULL, errors,
				"param.%s: a statement has no parameters of type path",
				rule->params[i].name);
	if (!rule->transaction && rule->max_rows > 0)
		result = conf_section_error(section, "max_rows_affected", errors,
			"max_rows_affected must be 0 with transaction = no: nothing can be rolled "
			"back");
	return result;
}

int manifest_add_sql(
	struct manifest *manifest, const struct conf_section *section, struct conf_errors *errors)
{
	auto(sql_rule_free) struct sql_rule *rule = calloc(1, sizeof(*rule));
	int r, r2;

	if (!rule || !(rule->name = strdup(section->name)))
		return -ENOMEM;
	if (!command_name_valid(rule->name))
		return conf_section_error(section, NULL, errors,
			"'%s' is not a name of a statement (a-z, 0-9, -, _, .; at most 64)",
			rule->name);
	if (manifest->sql.len >= MANIFEST_MAX_SQL)
		return conf_section_error(
			section, NULL, errors, "more than %d statements", MANIFEST_MAX_SQL);
	r = conf_section_parse(section, manifest_sql_rows, rule, errors);
	r2 = params_parse(section, rule->param_texts, &rule->params, &rule->n_params, errors);
	if (r == 0 && r2 == 0)
		r2 = check_sql(section, rule, errors);
	if (r == 0 && r2 == 0)
		r2 = make_statement(section, rule, errors);
	r = r < 0 ? r : r2;
	if (r == 0)
		r = map_put(&manifest->sql, rule->name, rule);
	if (r == 0)
		TAKE(rule);
	return r;
}

static json_t *strings(char *const *list)
{
	json_t *array = json_array();

	for (char *const *p = list; p && *p; p++)
		(void)json_array_append_new(array, json_string(*p));
	return array;
}

json_t *manifest_sql(const struct manifest *manifest)
{
	json_t *all = json_object();

	MAP_FOREACH (&manifest->sql, const struct sql_rule *, rule)
		(void)json_object_set_new(all, rule->name,
			json_pack("{s:s, s:o, s:I, s:s, s:b, s:b, s:o}", "statement",
				rule->statement, "params", strings(rule->param_texts), "max_rows",
				(json_int_t)rule->max_rows, "risk", exec_risk_names[rule->risk],
				"repeatable", rule->repeatable, "transaction", rule->transaction,
				"components", strings(rule->components)));
	return all;
}

int sql_values(const struct sql_rule *rule, const json_t *args, json_t **ret_values,
	struct tend_error *err)
{
	auto_json json_t *values = json_array();
	int r = params_check("statement", rule->name, rule->params, rule->n_params, args, err);

	for (size_t i = 0; r == 0 && i < rule->n_params; i++) {
		auto_free char *text = NULL;

		r = param_render(&rule->params[i], json_object_get(args, rule->params[i].name), 0,
			&text, err);
		if (r == 0 && json_array_append_new(values, json_string(text)) < 0)
			r = -ENOMEM;
	}
	if (r < 0)
		return r;
	*ret_values = TAKE(values);
	return 0;
}

bool sql_allowed_on(const struct sql_rule *rule, const char *component)
{
	if (!rule->components)
		return true;
	for (char **p = rule->components; *p; p++)
		if (str_glob(*p, component))
			return true;
	return false;
}
