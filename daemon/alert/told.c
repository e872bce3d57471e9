/* SPDX-License-Identifier: MIT */
/*
 * alert/told.c: who was told of an incident. Its changes and its clear go to these, whatever the
 * routes, its severity or its root have become since: no raise stays without its clear, and no
 * clear comes out of the blue. And under which labels, for those to whom these are what it is
 * known by: another severity or root gives it other ones. The map and its names are alert's; the
 * ledger of the store is what outlives a restart. Reads the store only at start-up. Without memory
 * for an incident, the routes decide again.
 */
#include <string.h>
#include "alert/private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

enum { TOLD_MAX_INCIDENTS = 20000, TOLD_MAX_RECEIVERS = 256, TOLD_MAX_LABELS = 8 };

struct told {
	struct vec list;    /* struct told_one * */
	struct vec labels;  /* char *: JSON; the last told last */
	bool moved;	    /* there were several */
	unsigned n_changes; /* deliveries of changes that have not ended */
	bool unsure;	    /* one has ended otherwise than delivered: it ended nothing there */
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
	VEC_FOREACH (&told->labels, char *, labels)
		free(labels);
	vec_clear(&told->list);
	vec_clear(&told->labels);
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

	return one && !one->refused && !one->untold;
}

static bool is_gone(const struct alert *alert, const struct told *told)
{
	if (!told || told->list.len == 0 || !alert->conf)
		return false;
	VEC_FOREACH (&told->list, const struct told_one *, one)
		if (map_get(&alert->conf->receivers, one->name))
			return false;
	return true;
}

bool told_is_gone(const struct alert *alert, const char *incident)
{
	return is_gone(alert, map_get(&alert->told, incident));
}

bool told_any_gone(const struct alert *alert)
{
	MAP_FOREACH (&alert->told, const struct told *, told)
		if (is_gone(alert, told))
			return true;
	return false;
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

static void told_remove(struct told *told, struct told_one *one)
{
	for (size_t i = 0; i < told->list.len; i++)
		if (told->list.items[i] == one) {
			vec_remove(&told->list, i);
			one_free(one);
			return;
		}
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
	if (before && before->untold) { /* the last now, in the order of the telling */
		told_remove(told, before);
	} else if (before) {
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

void told_fail(struct alert *alert, const char *incident, const char *receiver)
{
	struct told_one *one = told_find(alert, incident, receiver);

	if (one)
		one->untold = true;
}

void told_refuse(struct alert *alert, const char *incident, const char *receiver)
{
	struct told_one *one = told_find(alert, incident, receiver);

	if (one)
		one->refused = true;
}

static char *identity_of(const json_t *labels)
{
	static const char *const fleeting[] = {"state", "reason", "class"};
	auto_json json_t *copy = json_copy((json_t *)(uintptr_t)labels);

	for (size_t i = 0; copy && i < ARRAY_SIZE(fleeting); i++)
		(void)json_object_del(copy, fleeting[i]);
	return copy ? json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
}

/* Takes the text out if it is there, or else the oldest if there are too many. */
static void make_room(struct vec *list, const char *text)
{
	size_t i = 0;

	while (i < list->len && strcmp(list->items[i], text) != 0)
		i++;
	if (i == list->len && i < TOLD_MAX_LABELS)
		return;
	i = i < list->len ? i : 0;
	free(list->items[i]);
	vec_remove(list, i);
}

/* What another incident was known by before its root moved is this one's now, and not to be ended
 * with that one. */
static void take_from_others(struct alert *alert, const struct told *told, const char *text)
{
	if (alert->n_told_moved == 0)
		return;
	MAP_FOREACH (&alert->told, struct told *, other)
		for (size_t i = 0; other != told && i + 1 < other->labels.len; i++) {
			if (strcmp(other->labels.items[i], text) != 0)
				continue;
			free(other->labels.items[i]);
			vec_remove(&other->labels, i);
			break;
		}
}

void told_keep_labels(struct alert *alert, const char *incident, const json_t *labels)
{
	struct told *told = map_get(&alert->told, incident);
	auto_free char *text = told && labels ? identity_of(labels) : NULL;

	if (!text)
		return;
	take_from_others(alert, told, text);
	make_room(&told->labels, text);
	if (vec_push(&told->labels, text) == 0)
		TAKE(text);
	else
		log_error("incident %s: out of memory: under which labels it was told is lost",
			incident);
	if (told->labels.len > 1 && !told->moved) {
		told->moved = true;
		alert->n_told_moved++;
	}
}

void told_change_queued(struct alert *alert, const char *incident)
{
	struct told *told = map_get(&alert->told, incident);

	if (told)
		told->n_changes++;
}

void told_change_ended(struct alert *alert, const char *incident, bool delivered)
{
	struct told *told = map_get(&alert->told, incident);

	if (!told)
		return;
	told->n_changes -= told->n_changes > 0;
	told->unsure = told->unsure || !delivered;
}

int told_labels(
	const struct alert *alert, const char *incident, const json_t *labels, json_t **ret_list)
{
	const struct told *told = map_get(&alert->told, incident);
	auto_free char *own = told && labels ? identity_of(labels) : NULL;
	auto_json json_t *list = NULL;
	size_t i = told ? told->labels.len : 0;

	if (i == 0)
		return 0;
	/* A change that has arrived has ended those before it. */
	i = told->unsure || told->n_changes > 0 ? 0 : i - 1;
	if (i + 1 == told->labels.len && str_eq(told->labels.items[i], own))
		return 0;
	list = json_array();
	for (; i < told->labels.len; i++)
		if (json_array_append_new(list, json_loads(told->labels.items[i], 0, NULL)) < 0)
			return -ENOMEM;
	*ret_list = TAKE(list);
	return 0;
}

void told_drop(struct alert *alert, const char *incident)
{
	struct told *told = map_remove(&alert->told, incident);

	alert->n_told_moved -= told && told->moved;
	told_free(told);
}

void told_clear(struct alert *alert)
{
	MAP_FOREACH (&alert->told, struct told *, told)
		told_free(told);
	map_clear(&alert->told);
	alert->n_told_moved = 0;
}

int told_match(const struct alert *alert, const char *incident, struct vec *ret_receivers)
{
	const struct told *told = map_get(&alert->told, incident);
	struct vec found = {0};
	int r = 0;

	for (size_t i = 0; told && alert->conf && i < told->list.len && r == 0; i++) {
		const struct told_one *one = told->list.items[i];
		struct conf_receiver *conf = map_get(&alert->conf->receivers, one->name);

		if (conf && !one->refused && !one->untold)
			r = vec_push(&found, conf);
	}
	if (r < 0) {
		vec_clear(&found);
		return r;
	}
	*ret_receivers = found;
	return 0;
}

/* Calls fn with every row of the query. */
static int load_rows(struct alert *alert, enum store_query query,
	void (*fn)(struct alert *alert, const char *incident, json_t *row))
{
	auto_json json_t *rows = NULL;
	json_t *row;
	size_t i;
	int r = store_read_now(alert->deps.store, query, &rows, "");

	json_array_foreach (rows, i, row) {
		const char *incident = json_string_value(json_object_get(row, "incident"));

		if (incident)
			fn(alert, incident, row);
	}
	return r;
}

static void load_told(struct alert *alert, const char *incident, json_t *row)
{
	const char *receiver = json_string_value(json_object_get(row, "receiver"));

	if (!receiver)
		return;
	told_add(alert, incident, receiver, (usec_t)json_integer_value(json_object_get(row, "at")));
	if (json_integer_value(json_object_get(row, "refused")))
		told_refuse(alert, incident, receiver);
	if (json_integer_value(json_object_get(row, "untold")))
		told_fail(alert, incident, receiver);
}

static void load_reminded(struct alert *alert, const char *incident, json_t *row)
{
	const char *receiver = json_string_value(json_object_get(row, "receiver"));

	if (!receiver)
		return;
	told_remind(alert, incident, receiver,
		(usec_t)json_integer_value(json_object_get(row, "at")),
		(unsigned)json_integer_value(json_object_get(row, "n")));
}

static void load_labels(struct alert *alert, const char *incident, json_t *row)
{
	told_keep_labels(alert, incident, json_object_get(row, "labels_json"));
}

int told_load(struct alert *alert)
{
	int r = load_rows(alert, STORE_QUERY_RECEIVERS_TOLD, load_told);

	if (r == 0)
		r = load_rows(alert, STORE_QUERY_LABELS_TOLD, load_labels);
	/* What became of its changes is not looked up. */
	MAP_FOREACH (&alert->told, struct told *, told)
		told->unsure = told->moved;
	return r < 0 ? r : load_rows(alert, STORE_QUERY_RECEIVERS_REMINDED, load_reminded);
}
