/* SPDX-License-Identifier: MIT */
/*
 * alert/told.c: who was told of an incident. Its changes and its clear go to these, whatever the
 * routes, its severity or its root have become since: no raise stays without its clear, and no
 * clear comes out of the blue. The map and its names are alert's; the ledger of the store is what
 * outlives a restart. Reads the store only at start-up. Without memory for an incident, the routes
 * decide again.
 */
#include <string.h>
#include "alert/private.h"
#include "base/clock.h"
#include "base/log.h"

enum { TOLD_MAX_INCIDENTS = 20000, TOLD_MAX_RECEIVERS = 256 };

struct told {
	struct vec list; /* struct told_one * */
};

static struct told_one *one_free(struct told_one *one)
{
	if (one)
		free(one->name);
	free(one);
	return NULL;
}
DEFINE_AUTO(struct told_one *, one_free)

static struct told *told_free(struct told *told)
{
	if (!told)
		return NULL;
	VEC_FOREACH (&told->list, struct told_one *, one)
		one_free(one);
	vec_clear(&told->list);
	free(told);
	return NULL;
}
DEFINE_AUTO(struct told *, told_free)

static int told_need(struct alert *alert, const char *incident, struct told **ret_told)
{
	auto(told_free) struct told *made = NULL;
	struct told *told = map_get(&alert->told, incident);
	int r;

	if (!told) {
		if (alert->told.len >= TOLD_MAX_INCIDENTS)
			return -ENOSPC;
		told = made = calloc(1, sizeof(*made));
		r = made ? map_put(&alert->told, incident, made) : -ENOMEM;
		if (r < 0)
			return r;
		TAKE(made);
	}
	*ret_told = told;
	return 0;
}

bool told_open(const struct alert *alert, const char *incident)
{
	return map_get(&alert->told, incident);
}

static struct told_one *told_find(
	const struct alert *alert, const char *incident, const char *receiver)
{
	const struct told *told = map_get(&alert->told, incident);

	if (!told)
		return NULL;
	VEC_FOREACH (&told->list, struct told_one *, one)
		if (strcmp(one->name, receiver) == 0)
			return one;
	return NULL;
}

bool told_has(const struct alert *alert, const char *incident, const char *receiver)
{
	const struct told_one *one = told_find(alert, incident, receiver);

	return one && !one->refused;
}

/* Wraps around where the wall clock is behind the monotonic one, and back by the same. */
static usec_t clock_of_day(void)
{
	return clock_wall() - clock_now();
}

usec_t told_by_clock(const struct told_one *one, usec_t wall)
{
	return MIN(wall + (clock_of_day() - one->clock), clock_wall());
}

const struct vec *told_list(const struct alert *alert, const char *incident)
{
	const struct told *told = map_get(&alert->told, incident);

	return told ? &told->list : NULL;
}

bool told_knows(const struct alert *alert, const char *incident)
{
	return told_open(alert, incident) || !alert->told_incomplete;
}

static int told_note(struct alert *alert, const char *incident, const char *receiver, usec_t wall)
{
	auto(one_free) struct told_one *one = NULL;
	struct told_one *before;
	struct told *told;
	int r = told_need(alert, incident, &told);

	if (r < 0)
		return r;
	before = told_find(alert, incident, receiver);
	if (before) {
		if (before->refused)
			before->told_wall = before->last_wall = wall;
		before->refused = false;
		return 0;
	}
	if (told->list.len >= TOLD_MAX_RECEIVERS)
		return -ENOSPC;
	one = calloc(1, sizeof(*one));
	if (!one)
		return -ENOMEM;
	/* What was told in a future that the clock knew before a restart was told just now. */
	one->told_wall = one->last_wall = MIN(wall, clock_wall());
	one->clock = clock_of_day();
	one->name = strdup(receiver);
	r = one->name ? vec_push(&told->list, one) : -ENOMEM;
	if (r == 0)
		TAKE(one);
	return r;
}

void told_add(struct alert *alert, const char *incident, const char *receiver, usec_t wall)
{
	int r = told_note(alert, incident, receiver, wall);

	if (r == 0)
		return;
	if (!alert->told_incomplete)
		log_error("incident %s: cannot keep that '%s' was told: %s; the routes decide who "
			  "hears of its end",
			incident, receiver, strerror(-r));
	alert->told_incomplete = true;
}

void told_remind(
	struct alert *alert, const char *incident, const char *receiver, usec_t wall, unsigned n)
{
	struct told_one *one = told_find(alert, incident, receiver);

	if (!one)
		return;
	one->told_wall = told_by_clock(one, one->told_wall);
	one->last_wall = MAX(told_by_clock(one, one->last_wall), MIN(wall, clock_wall()));
	one->clock = clock_of_day();
	one->n_reminders += n;
}

void told_remove(struct alert *alert, const char *incident, const char *receiver)
{
	struct told *told = map_get(&alert->told, incident);

	for (size_t i = 0; told && i < told->list.len; i++) {
		struct told_one *one = told->list.items[i];

		if (strcmp(one->name, receiver) != 0)
			continue;
		one_free(one);
		vec_remove(&told->list, i);
		return;
	}
}

void told_refuse(struct alert *alert, const char *incident, const char *receiver)
{
	struct told_one *one = told_find(alert, incident, receiver);

	if (one)
		one->refused = true;
}

void told_drop(struct alert *alert, const char *incident)
{
	told_free(map_remove(&alert->told, incident));
}

void told_clear(struct alert *alert)
{
	MAP_FOREACH (&alert->told, struct told *, told)
		told_free(told);
	map_clear(&alert->told);
}

int told_match(const struct alert *alert, const char *incident, struct vec *ret_receivers)
{
	const struct told *told = map_get(&alert->told, incident);
	struct vec found = {0};
	int r = 0;

	for (size_t i = 0; told && alert->conf && i < told->list.len && r == 0; i++) {
		const struct told_one *one = told->list.items[i];
		struct conf_receiver *conf = map_get(&alert->conf->receivers, one->name);

		if (conf && !one->refused)
			r = vec_push(&found, conf);
	}
	if (r < 0) {
		vec_clear(&found);
		return r;
	}
	*ret_receivers = found;
	return 0;
}

/* Calls fn with every row of the query that has both names. */
static int load_rows(struct alert *alert, enum store_query query,
	void (*fn)(struct alert *alert, const char *incident, const char *receiver, json_t *row))
{
	auto_json json_t *rows = NULL;
	json_t *row;
	size_t i;
	int r = store_read_now(alert->deps.store, query, &rows, "");

	json_array_foreach (rows, i, row) {
		const char *incident = json_string_value(json_object_get(row, "incident"));
		const char *receiver = json_string_value(json_object_get(row, "receiver"));

		if (incident && receiver)
			fn(alert, incident, receiver, row);
	}
	return r;
}

static void load_told(struct alert *alert, const char *incident, const char *receiver, json_t *row)
{
	told_add(alert, incident, receiver, (usec_t)json_integer_value(json_object_get(row, "at")));
	if (json_integer_value(json_object_get(row, "refused")))
		told_refuse(alert, incident, receiver);
}

static void load_reminded(
	struct alert *alert, const char *incident, const char *receiver, json_t *row)
{
	told_remind(alert, incident, receiver,
		(usec_t)json_integer_value(json_object_get(row, "at")),
		(unsigned)json_integer_value(json_object_get(row, "n")));
}

int told_load(struct alert *alert)
{
	int r = load_rows(alert, STORE_QUERY_RECEIVERS_TOLD, load_told);

	return r < 0 ? r : load_rows(alert, STORE_QUERY_RECEIVERS_REMINDED, load_reminded);
}
