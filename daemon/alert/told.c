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
#include "base/log.h"

enum { TOLD_MAX_INCIDENTS = 20000, TOLD_MAX_RECEIVERS = 256 };

struct told {
	struct vec names; /* char *, of receivers */
};

static struct told *told_free(struct told *told)
{
	if (!told)
		return NULL;
	VEC_FOREACH (&told->names, char *, name)
		free(name);
	vec_clear(&told->names);
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

bool told_has(const struct alert *alert, const char *incident, const char *receiver)
{
	const struct told *told = map_get(&alert->told, incident);

	if (!told)
		return false;
	VEC_FOREACH (&told->names, const char *, name)
		if (strcmp(name, receiver) == 0)
			return true;
	return false;
}

bool told_knows(const struct alert *alert, const char *incident)
{
	return told_open(alert, incident) || !alert->told_incomplete;
}

static int told_note(struct alert *alert, const char *incident, const char *receiver)
{
	struct told *told;
	char *name;
	int r = told_need(alert, incident, &told);

	if (r < 0 || told_has(alert, incident, receiver))
		return r;
	if (told->names.len >= TOLD_MAX_RECEIVERS)
		return -ENOSPC;
	name = strdup(receiver);
	r = name ? vec_push(&told->names, name) : -ENOMEM;
	if (r < 0)
		free(name);
	return r;
}

void told_add(struct alert *alert, const char *incident, const char *receiver)
{
	int r = told_note(alert, incident, receiver);

	if (r == 0)
		return;
	if (!alert->told_incomplete)
		log_error("incident %s: cannot keep that '%s' was told: %s; the routes decide who "
			  "hears of its end",
			incident, receiver, strerror(-r));
	alert->told_incomplete = true;
}

void told_remove(struct alert *alert, const char *incident, const char *receiver)
{
	struct told *told = map_get(&alert->told, incident);

	for (size_t i = 0; told && i < told->names.len; i++) {
		if (strcmp(told->names.items[i], receiver) != 0)
			continue;
		free(told->names.items[i]);
		vec_remove(&told->names, i);
		return;
	}
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

	for (size_t i = 0; told && alert->conf && i < told->names.len && r == 0; i++) {
		struct conf_receiver *conf = map_get(&alert->conf->receivers, told->names.items[i]);

		if (conf)
			r = vec_push(&found, conf);
	}
	if (r < 0) {
		vec_clear(&found);
		return r;
	}
	*ret_receivers = found;
	return 0;
}

int told_load(struct alert *alert)
{
	auto_json json_t *rows = NULL;
	json_t *row;
	size_t i;
	int r = store_read_now(alert->deps.store, STORE_QUERY_RECEIVERS_TOLD, &rows, "");

	json_array_foreach (rows, i, row) {
		const char *incident = json_string_value(json_object_get(row, "incident"));
		const char *receiver = json_string_value(json_object_get(row, "receiver"));

		if (incident && receiver)
			told_add(alert, incident, receiver);
	}
	return r;
}
