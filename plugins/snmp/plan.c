/* SPDX-License-Identifier: MIT */
#include "plan.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789_"

/* ---- pieces -------------------------------------------------------------------------------- */

static size_t n_of(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

/* "name=value", as a MAP has it. The value; NULL: the name cannot be one of a metric. */
static const char *split(const char *pair, char ret_name[PLAN_NAME_BYTES])
{
	size_t n = strcspn(pair, "=");

	if (n == 0 || n >= PLAN_NAME_BYTES || pair[n] != '=' || strspn(pair, NAME_CHARS) != n)
		return NULL;
	memcpy(ret_name, pair, n);
	ret_name[n] = '\0';
	return pair + n + 1;
}

static int read_oid(const char *option, const char *name, const char *text, struct oid *ret_oid,
	struct tend_error *err)
{
	if (oid_parse(text, ret_oid) < 0)
		return tend_error_set(err, -EINVAL,
			"%s%s: '%.64s' is no OID in numbers, as in 1.3.6.1.2.1.1.3.0", option, name,
			text);
	if (ret_oid->n > PLAN_MAX_OID_PARTS)
		return tend_error_set(err, -EINVAL, "%s%s: an OID of more than %d numbers", option,
			name, (int)PLAN_MAX_OID_PARTS);
	return 0;
}

static bool is_reserved(const char *name)
{
	static const char *const names[] = {
		"rows", "uptime_seconds", "answer_seconds", "total_seconds", "dns_seconds"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static size_t n_items(const struct plan *plan)
{
	return plan->n_gets + plan->n_walks;
}

static int find_item(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < n_items(plan); i++)
		if (strcmp(plan->items[i].name, name) == 0)
			return (int)i;
	return -ENOENT;
}

/* The name of a metric that nothing else has. */
static const char *take_name(const struct plan *plan, const char *option, const char *pair,
	char ret_name[PLAN_NAME_BYTES], struct tend_error *err)
{
	const char *value = split(pair, ret_name);

	if (!value)
		(void)tend_error_set(err, -EINVAL,
			"%s%.64s: a metric has a name of a-z, 0-9 and _, at most %d", option, pair,
			PLAN_NAME_BYTES - 1);
	else if (is_reserved(ret_name))
		(void)tend_error_set(err, -EINVAL,
			"%s%s: the probe has a metric of this name itself", option, ret_name);
	else if (find_item(plan, ret_name) >= 0)
		(void)tend_error_set(
			err, -EINVAL, "%s%s: there are two metrics of this name", option, ret_name);
	else
		return value;
	return NULL;
}

/* ---- items --------------------------------------------------------------------------------- */

static int add_items(struct plan *plan, const char *option, char *const *pairs, size_t *n,
	struct tend_error *err)
{
	for (; pairs && *pairs; pairs++) {
		struct plan_item item = {.scale = 1, .unit = ""};
		const char *value = take_name(plan, option, *pairs, item.name, err);
		int r = value ? read_oid(option, item.name, value, &item.oid, err) : -EINVAL;

		if (r < 0)
			return r;
		plan->items[n_items(plan)] = item;
		++*n;
	}
	return 0;
}

/* Of "name" or "name=value"; an error if there is no such metric. */
static int find_named(const struct plan *plan, const char *option, const char *pair,
	struct plan_item **ret_item, const char **ret_value, struct tend_error *err)
{
	size_t n = strcspn(pair, "=");
	char name[PLAN_NAME_BYTES] = "";
	int i;

	if (n < sizeof(name)) {
		memcpy(name, pair, n);
		name[n] = '\0';
	}
	i = name[0] ? find_item(plan, name) : -ENOENT;
	if (i < 0)
		return tend_error_set(err, -EINVAL,
			"%s%.64s: there is no get.%.*s and no walk.%.*s", option, pair,
			(int)(n < 64 ? n : 64), pair, (int)(n < 64 ? n : 64), pair);
	*ret_item = &plan->items[i];
	*ret_value = pair[n] ? pair + n + 1 : "";
	return 0;
}

static int set_unit(struct plan_item *item, const char *value, struct tend_error *err)
{
	static const char *const units[] = {"", "s", "ms", "us", "%", "B", "c"};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(value, units[i]) == 0) {
			item->unit = value;
			return 0;
		}
	return tend_error_set(err, -EINVAL,
		"unit.%s: '%.16s' is none of s, ms, us, %%, B, c; leave it out for others",
		item->name, value);
}

/* "0.1", or "/10" for what has no exact binary fraction. */
static int set_scale(struct plan_item *item, const char *value, struct tend_error *err)
{
	const char *digits = *value == '/' ? value + 1 : value;
	char *end;
	double scale = strtod(digits, &end);

	if (end == digits || *end || !isfinite(scale) || scale == 0 || *digits == ' ')
		return tend_error_set(err, -EINVAL,
			"scale.%s: '%.32s' is no factor (0.1) or divisor (/10)", item->name, value);
	item->scale = *value == '/' ? 1 / scale : scale;
	return 0;
}

static int set_expect(struct plan_item *item, const char *value, struct tend_error *err)
{
	if (value[strspn(value, " |")] == '\0')
		return tend_error_set(err, -EINVAL, "expect.%s: there is no value", item->name);
	item->expect = value;
	return 0;
}

static int set_words(struct plan_item *item, const char *value, struct tend_error *err)
{
	for (const char *p = value; *p; p += strcspn(p, ","), p += *p == ',') {
		size_t n = strcspn(p, ","), name = strcspn(p, "=");

		if (name == 0 || name + 1 >= n)
			return tend_error_set(err, -EINVAL,
				"words.%s: it is written as 1=unknown, 2=normal", item->name);
	}
	item->words = value;
	return 0;
}

static int set_total(struct plan_item *item, const char *value, struct tend_error *err)
{
	item->total = true;
	return 0;
}

static int set_optional(struct plan_item *item, const char *value, struct tend_error *err)
{
	item->optional = true;
	return 0;
}

static int set_all(const struct plan *plan, const char *option, char *const *pairs,
	int (*set)(struct plan_item *item, const char *value, struct tend_error *err),
	struct tend_error *err)
{
	for (; pairs && *pairs; pairs++) {
		struct plan_item *item = NULL;
		const char *value = NULL;
		int r = find_named(plan, option, *pairs, &item, &value, err);

		if (r == 0 && item && value)
			r = set(item, value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- columns, shares ----------------------------------------------------------------------- */

static int add_share(struct plan *plan, const char *pair, struct tend_error *err)
{
	struct plan_share *share = &plan->shares[plan->n_shares];
	const char *value = take_name(plan, "share.", pair, share->name, err);
	char part[PLAN_NAME_BYTES], whole[PLAN_NAME_BYTES], rest;
	int a = -1, b = -1;

	if (!value)
		return -EINVAL;
	if (sscanf(value, " %31[" NAME_CHARS "] , %31[" NAME_CHARS "] %c", part, whole, &rest) ==
		2) {
		a = find_item(plan, part);
		b = find_item(plan, whole);
	}
	if (a < 0 || b < 0 || ((size_t)a < plan->n_gets) != ((size_t)b < plan->n_gets))
		return tend_error_set(err, -EINVAL,
			"share.%s: it is PART, WHOLE of two names of get. or of walk.",
			share->name);
	share->part = (size_t)a;
	share->whole = (size_t)b;
	plan->n_shares++;
	return 0;
}

static int add_shares(struct plan *plan, char *const *pairs, struct tend_error *err)
{
	int r = 0;

	if (n_of(pairs) > PLAN_MAX_SHARES)
		return tend_error_set(
			err, -EINVAL, "share: there are more than %d", (int)PLAN_MAX_SHARES);
	for (; r == 0 && pairs && *pairs; pairs++)
		r = add_share(plan, *pairs, err);
	return r;
}

static int add_where(struct plan *plan, char *const *pairs, struct tend_error *err)
{
	if (n_of(pairs) > PLAN_MAX_WHERE)
		return tend_error_set(
			err, -EINVAL, "where: there are more than %d", (int)PLAN_MAX_WHERE);
	for (; pairs && *pairs; pairs++) {
		struct plan_where *where = &plan->where[plan->n_where];
		size_t n = strcspn(*pairs, "=");
		char text[PLAN_MAX_OID_PARTS * 11 + 1];
		int r;

		if (n >= sizeof(text) || (*pairs)[n] != '=')
			return tend_error_set(
				err, -EINVAL, "where: '%.64s' is no OID=VALUE", *pairs);
		while (n > 0 && (*pairs)[n - 1] == ' ')
			n--;
		memcpy(text, *pairs, n);
		text[n] = '\0';
		r = read_oid("where", "", text, &where->oid, err);
		if (r < 0)
			return r;
		where->value = strchr(*pairs, '=') + 1;
		where->value += strspn(where->value, " ");
		plan->n_where++;
	}
	return 0;
}

static int add_columns(struct plan *plan, const struct agent_conf *conf, struct tend_error *err)
{
	int r = 0;

	plan->has_label = conf->label != NULL;
	plan->has_decimals = conf->decimals != NULL;
	if (conf->label)
		r = read_oid("instance", "", conf->label, &plan->label, err);
	if (r == 0 && conf->decimals)
		r = read_oid("decimals", "", conf->decimals, &plan->decimals, err);
	if (r == 0)
		r = add_where(plan, conf->where, err);
	if (r == 0 && plan->n_walks == 0 &&
		(plan->has_label || plan->has_decimals || plan->n_where > 0))
		r = tend_error_set(err, -EINVAL,
			"instance, where and decimals are of tables: there is no walk.");
	return r;
}

static int fill(struct plan *plan, const struct agent_conf *conf, struct tend_error *err)
{
	const struct {
		const char *option;
		char *const *pairs;
		int (*set)(struct plan_item *item, const char *value, struct tend_error *err);
	} attributes[] = {
		{"unit.", conf->units, set_unit},
		{"scale.", conf->scales, set_scale},
		{"expect.", conf->expect, set_expect},
		{"words.", conf->words, set_words},
		{"total: ", conf->totals, set_total},
		{"optional: ", conf->optional, set_optional},
	};
	int r = add_items(plan, "get.", conf->get, &plan->n_gets, err);

	if (r == 0)
		r = add_items(plan, "walk.", conf->walk, &plan->n_walks, err);
	for (size_t i = 0; r == 0 && i < sizeof(attributes) / sizeof(attributes[0]); i++)
		r = set_all(
			plan, attributes[i].option, attributes[i].pairs, attributes[i].set, err);
	if (r == 0)
		r = add_shares(plan, conf->shares, err);
	return r == 0 ? add_columns(plan, conf, err) : r;
}

int plan_new(const struct agent_conf *conf, struct tend_error *err, struct plan **ret_plan)
{
	size_t n_gets = n_of(conf->get), n_walks = n_of(conf->walk);
	struct plan *plan;
	int r;

	if (n_gets > PLAN_MAX_GETS || n_walks > PLAN_MAX_WALKS)
		return tend_error_set(err, -EINVAL, "at most %d of get. and %d of walk.",
			(int)PLAN_MAX_GETS, (int)PLAN_MAX_WALKS);
	plan = calloc(1, sizeof(*plan));
	if (!plan)
		return -ENOMEM;
	plan->items = calloc(n_gets + n_walks + 1, sizeof(*plan->items));
	r = plan->items ? fill(plan, conf, err) : -ENOMEM;
	if (r < 0) {
		plan_free(plan);
		return r;
	}
	*ret_plan = plan;
	return 0;
}

struct plan *plan_free(struct plan *plan)
{
	if (plan)
		free(plan->items);
	free(plan);
	return NULL;
}

/* ---- values against it --------------------------------------------------------------------- */

const char *plan_word(const struct plan_item *item, const char *value, size_t *ret_len)
{
	size_t len = strlen(value);

	for (const char *p = item->words; p && *p; p += strcspn(p, ","), p += *p == ',') {
		size_t n;

		p += strspn(p, " ");
		n = strcspn(p, ",");
		if (n <= len || strncmp(p, value, len) != 0 || p[len] != '=')
			continue;
		*ret_len = n - len - 1;
		return p + len + 1;
	}
	return NULL;
}

static bool is_one_of(const char *list, const char *text, size_t len)
{
	for (const char *p = list; *p; p += strcspn(p, "|"), p += *p == '|') {
		size_t n;

		p += strspn(p, " ");
		n = strcspn(p, "|");
		while (n > 0 && p[n - 1] == ' ')
			n--;
		if (n == len && strncmp(p, text, n) == 0)
			return true;
	}
	return false;
}

bool plan_expects(const struct plan_item *item, const char *value)
{
	size_t len = 0;
	const char *word = plan_word(item, value, &len);

	return !item->expect || is_one_of(item->expect, value, strlen(value)) ||
	       (word && is_one_of(item->expect, word, len));
}
