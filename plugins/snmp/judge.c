/* SPDX-License-Identifier: MIT */
/* Memory: {"wall": seconds, "uptime": ticks, "counters": {KEY: [type, count]}}, where KEY is the
 * metric's name, or name.INDEX of a row. */
#include "judge.h"
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INSTANCE_BYTES = 64, KEY_BYTES = PLAN_NAME_BYTES + OID_TEXT_BYTES, MAX_TOLD = 4 };

struct scene {
	const struct judge_case *c;
	const struct plan *plan;
	struct judge_verdict *v;
	const json_t *before; /* counters of the attempt before; NULL: none that count */
	json_t *counters;     /* of this one */
	double elapsed;
	size_t n_faults, n_shown, n_rows, n_rates_to_come;
	char **instances; /* of the rows; NULL: is not looked at */
};

/* ---- what is told -------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 0))) static void append(
	char *text, const char *between, const char *format, va_list ap)
{
	size_t used = strlen(text);
	int n = snprintf(text + used, JUDGE_TEXT_BYTES - used, "%s", used ? between : "");

	used += n > 0 ? (size_t)n : 0;
	if (used < JUDGE_TEXT_BYTES)
		(void)vsnprintf(text + used, JUDGE_TEXT_BYTES - used, format, ap);
}

/* The first reason counts; the first few are told. */
__attribute__((format(printf, 3, 4))) static void blame(
	struct scene *s, enum tend_reason reason, const char *format, ...)
{
	va_list ap;

	if (s->n_faults == 0) {
		s->v->reason = reason;
		s->v->text[0] = '\0';
	}
	if (s->n_faults++ >= MAX_TOLD)
		return;
	va_start(ap, format);
	append(s->v->text, "; ", format, ap);
	va_end(ap);
}

__attribute__((format(printf, 2, 3))) static void show(struct scene *s, const char *format, ...)
{
	va_list ap;

	if (s->n_faults > 0 || s->n_shown++ >= 2 * MAX_TOLD)
		return;
	va_start(ap, format);
	append(s->v->text, ", ", format, ap);
	va_end(ap);
}

/* ---- values -------------------------------------------------------------------------------- */

struct place {
	const struct plan_item *item;
	const char *instance; /* "" of a get */
	const struct oid *index;
	double factor; /* of the row's decimals */
};

static void add_metric(
	struct scene *s, const char *name, const char *instance, double value, const char *unit)
{
	if (tend_attempt_metric_of(s->c->attempt, name, instance, value, unit) == -ENOSPC)
		blame(s, TEND_REASON_CONTENT_UNEXPECTED,
			"more than %d metrics: walk fewer columns or rows", (int)TEND_SAMPLES_MAX);
}

static bool is_counter(const struct datum *d)
{
	return d->type == VALUE_COUNTER32 || d->type == VALUE_COUNTER64;
}

static void add_rate(struct scene *s, const struct place *p, const struct datum *d)
{
	char key[KEY_BYTES], index[OID_TEXT_BYTES] = "";
	const json_t *before;
	double rate;

	if (p->index)
		(void)oid_text(p->index, index, sizeof(index));
	(void)snprintf(key, sizeof(key), "%s%s%s", p->item->name, p->index ? "." : "", index);
	before = json_object_get(s->before, key);
	/* As signed, which is all that JSON here has; it comes back the same. */
	(void)json_object_set_new(
		s->counters, key, json_pack("[i, I]", (int)d->type, (json_int_t)d->count));
	if (json_integer_value(json_array_get(before, 0)) != (json_int_t)d->type)
		s->n_rates_to_come++;
	else if (rate_of((uint64_t)json_integer_value(json_array_get(before, 1)), d->count,
			 d->type == VALUE_COUNTER64, s->elapsed, &rate))
		add_metric(s, p->item->name, p->instance, rate * p->item->scale, p->item->unit);
}

static void look_at_expected(struct scene *s, const struct place *p, const struct datum *d)
{
	size_t len = 0;
	const char *word = plan_word(p->item, d->text, &len);

	if (plan_expects(p->item, d->text))
		return;
	blame(s, TEND_REASON_CONTENT_UNEXPECTED, "%s%s%s is %.64s%s%.*s%s, expected %.64s",
		p->item->name, p->instance[0] ? " of " : "", p->instance,
		d->text[0] ? d->text : "empty", word ? " (" : "", word ? (int)len : 0,
		word ? word : "", word ? ")" : "", p->item->expect);
}

static void take(struct scene *s, const struct place *p, const struct datum *d)
{
	look_at_expected(s, p, d);
	if (is_counter(d) && !p->item->total)
		add_rate(s, p, d);
	else if (d->is_number)
		add_metric(s, p->item->name, p->instance,
			d->number * p->item->scale * (d->type == VALUE_INTEGER ? p->factor : 1),
			p->item->unit);
}

static void show_get(struct scene *s, const struct plan_item *item, const struct datum *d)
{
	size_t len = 0;
	const char *word = plan_word(item, d->text, &len);

	if (is_counter(d) && !item->total)
		return;
	if (word)
		show(s, "%s %.*s", item->name, (int)len, word);
	else if (d->is_number)
		show(s, "%s %.6g%s%s", item->name, d->number * item->scale,
			item->unit[0] ? " " : "", item->unit);
	else
		show(s, "%s '%.64s'", item->name, d->text);
}

static bool is_missing(const struct datum *d)
{
	const struct value v = {.type = d->type};

	return d->type == 0 || value_missing(&v);
}

static void judge_gets(struct scene *s)
{
	for (size_t i = 0; i < s->plan->n_gets; i++) {
		const struct place p = {&s->plan->items[i], "", NULL, 1};

		if (!is_missing(&s->c->gets[i])) {
			take(s, &p, &s->c->gets[i]);
			show_get(s, p.item, &s->c->gets[i]);
		}
	}
}

/* ---- rows ---------------------------------------------------------------------------------- */

size_t judge_first_walk(const struct plan *plan)
{
	return plan->n_where + (plan->has_label ? 1 : 0) + (plan->has_decimals ? 1 : 0);
}

static bool is_wanted(const struct scene *s, const struct table_row *row, const char *label)
{
	const struct datum *cell = row->cells + judge_first_walk(s->plan) - s->plan->n_where;

	for (size_t i = 0; i < s->plan->n_where; i++)
		if (strcmp(cell[i].text, s->plan->where[i].value) != 0)
			return false;
	for (char **glob = s->c->conf->ignore; glob && *glob; glob++)
		if (fnmatch(*glob, label, 0) == 0)
			return false;
	return true;
}

static bool is_taken(const struct scene *s, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (s->instances[i] && strcmp(s->instances[i], name) == 0)
			return true;
	return false;
}

/* Its label, with the index when that is another's, too; or the index. */
static char *instance_of(const struct scene *s, size_t row)
{
	const struct table_row *r = &s->c->table->rows[row];
	const char *label = s->plan->has_label ? r->cells[0].text : "";
	char index[OID_TEXT_BYTES], name[INSTANCE_BYTES];

	(void)oid_text(&r->index, index, sizeof(index));
	if (!is_wanted(s, r, label[0] ? label : index))
		return NULL;
	(void)snprintf(name, sizeof(name), "%.63s", label[0] ? label : index);
	if (label[0] && is_taken(s, row, name))
		(void)snprintf(name, sizeof(name), "%.30s %.32s", label, index);
	return strdup(name);
}

static void judge_row(struct scene *s, const struct table_row *row, const char *instance)
{
	size_t first = judge_first_walk(s->plan);
	const struct datum *decimals = &row->cells[s->plan->has_label ? 1 : 0];
	struct place p = {NULL, instance, &row->index, 1};

	/* Below 0 it says how exact they are (RFC 3433, EntitySensorPrecision). */
	if (s->plan->has_decimals && decimals->is_number && decimals->number > 0 &&
		decimals->number <= 18)
		p.factor = pow(10, -decimals->number);
	for (size_t i = 0; i < s->plan->n_walks; i++) {
		p.item = &s->plan->items[s->plan->n_gets + i];
		if (!is_missing(&row->cells[first + i]))
			take(s, &p, &row->cells[first + i]);
	}
}

static void judge_rows(struct scene *s)
{
	for (size_t i = 0; i < s->c->table->n_rows; i++) {
		s->instances[i] = instance_of(s, i);
		if (!s->instances[i])
			continue;
		s->n_rows++;
		judge_row(s, &s->c->table->rows[i], s->instances[i]);
	}
	if (s->plan->n_walks == 0)
		return;
	(void)tend_attempt_metric(s->c->attempt, "rows", (double)s->n_rows, "");
	show(s, "%zu row%s", s->n_rows, s->n_rows == 1 ? "" : "s");
}

/* ---- shares -------------------------------------------------------------------------------- */

static void add_share(struct scene *s, const struct plan_share *share, const char *instance,
	const struct datum *part, const struct datum *whole)
{
	const struct plan_item *items = s->plan->items;
	double below = whole->number * items[share->whole].scale;

	if (part->is_number && whole->is_number && below > 0)
		add_metric(s, share->name, instance,
			100 * part->number * items[share->part].scale / below, "%");
}

static void judge_shares(struct scene *s)
{
	size_t n_gets = s->plan->n_gets, first = judge_first_walk(s->plan);

	for (size_t i = 0; i < s->plan->n_shares; i++) {
		const struct plan_share *share = &s->plan->shares[i];

		if (share->part < n_gets) {
			add_share(
				s, share, "", &s->c->gets[share->part], &s->c->gets[share->whole]);
			continue;
		}
		for (size_t row = 0; row < s->c->table->n_rows; row++) {
			const struct datum *cells = s->c->table->rows[row].cells + first;

			if (s->instances[row])
				add_share(s, share, s->instances[row], &cells[share->part - n_gets],
					&cells[share->whole - n_gets]);
		}
	}
}

/* ---- what is not there --------------------------------------------------------------------- */

static bool column_is_empty(const struct scene *s, size_t walk)
{
	size_t column = judge_first_walk(s->plan) + walk;

	for (size_t i = 0; i < s->c->table->n_rows; i++)
		if (!is_missing(&s->c->table->rows[i].cells[column]))
			return false;
	return true;
}

static void blame_missing(struct scene *s, const struct plan_item *item, const char *what)
{
	char text[OID_TEXT_BYTES];

	blame(s, TEND_REASON_OBJECT_MISSING, "there is no %s%s (%s)", what, item->name,
		oid_text(&item->oid, text, sizeof(text)));
}

static void judge_missing(struct scene *s)
{
	const struct plan_item *items = s->plan->items;
	int64_t min_rows = s->c->conf->min_rows;

	for (size_t i = 0; i < s->plan->n_gets; i++)
		if (is_missing(&s->c->gets[i]) && !items[i].optional)
			blame_missing(s, &items[i], "");
	for (size_t i = 0; i < s->plan->n_walks && min_rows > 0; i++)
		if (!items[s->plan->n_gets + i].optional && column_is_empty(s, i))
			blame_missing(s, &items[s->plan->n_gets + i], "column ");
	if (s->plan->n_walks > 0 && (int64_t)s->n_rows < min_rows && s->c->table->n_rows > 0)
		blame(s, TEND_REASON_CONTENT_UNEXPECTED,
			"%zu of %zu rows are as wanted, at least "
			"%lld are expected",
			s->n_rows, s->c->table->n_rows, (long long)min_rows);
}

static void look_back(struct scene *s)
{
	const json_t *memory = tend_attempt_memory(s->c->attempt);
	const json_t *uptime = json_object_get(memory, "uptime");
	struct rate_time then = {
		.wall = json_number_value(json_object_get(memory, "wall")),
		.uptime_ticks = json_is_integer(uptime) ? json_integer_value(uptime) : -1,
	};

	if (!memory)
		return;
	s->elapsed = rate_elapsed(&then, &s->c->now);
	if (s->elapsed > 0)
		s->before = json_object_get(memory, "counters");
}

void judge(const struct judge_case *c, struct judge_verdict *ret_verdict)
{
	struct scene s = {
		.c = c,
		.plan = c->conf->plan,
		.v = ret_verdict,
		.counters = json_object(),
		.instances = calloc(c->table->n_rows + 1, sizeof(char *)),
	};

	*ret_verdict = (struct judge_verdict){.reason = TEND_REASON_OK};
	if (!s.instances || !s.counters) {
		ret_verdict->reason = TEND_REASON_INTERNAL;
	} else {
		look_back(&s);
		judge_gets(&s);
		judge_rows(&s);
		judge_shares(&s);
		judge_missing(&s);
		if (s.n_rates_to_come > 0)
			show(&s, "rates come with the next result");
		if (s.n_faults > MAX_TOLD)
			(void)snprintf(ret_verdict->text + strlen(ret_verdict->text),
				JUDGE_TEXT_BYTES - strlen(ret_verdict->text), "; %zu more",
				s.n_faults - MAX_TOLD);
		if (json_object_size(s.counters) > 0)
			ret_verdict->memory = json_pack("{s:f, s:I, s:O}", "wall", c->now.wall,
				"uptime", (json_int_t)c->now.uptime_ticks, "counters", s.counters);
	}
	for (size_t i = 0; s.instances && i < c->table->n_rows; i++)
		free(s.instances[i]);
	free(s.instances);
	json_decref(s.counters);
}
