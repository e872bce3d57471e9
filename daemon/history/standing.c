/* SPDX-License-Identifier: MIT */
#include "history/standing.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"

#define ALIVE_INTERVAL (60 * USEC_PER_SEC)
/* The store's queue is shared: thousands of components are few batches. */
enum { MAX_ROWS = 500 };
static const char alive_key[] = "alive_at";

enum { UNMONITORED = TEND_STATE_MAX };
struct said {
	int state; /* of the last row of a component */
};

struct standing {
	struct loop *loop;
	struct store *store;
	struct watch *watch;
	struct loop_source *timer;
	struct map said;   /* struct said * */
	usec_t alive_wall; /* of the tendd before; 0: there was none, or its end has been put */
	struct store_batch *batch; /* that is being filled; NULL */
	size_t n_rows;
};

static const char *name_of(int state)
{
	return state == UNMONITORED ? "unmonitored" : tend_state_name((enum tend_state)state);
}

static struct said *said_of(struct standing *s, const char *component)
{
	struct said *said = map_get(&s->said, component);

	if (said)
		return said;
	said = calloc(1, sizeof(*said));
	if (said && map_put(&s->said, component, said) < 0) {
		free(said);
		return NULL;
	}
	return said;
}

static int add_alive(struct store_batch *batch)
{
	char now[32];

	(void)snprintf(now, sizeof(now), "%llu", (unsigned long long)clock_wall());
	return store_batch_add(batch, STORE_META_PUT, "ss", alive_key, now);
}

static void put_alive(struct standing *s)
{
	auto(store_batch_free) struct store_batch *batch = NULL;

	if (store_batch_new(&batch) == 0 && add_alive(batch) == 0)
		(void)store_commit(s->store, TAKE(batch), NULL, NULL);
}

static void flush(struct standing *s)
{
	auto(store_batch_free) struct store_batch *batch = TAKE(s->batch);
	int r = batch ? add_alive(batch) : 0;

	if (batch && r == 0)
		r = store_commit(s->store, TAKE(batch), NULL, NULL);
	if (r < 0)
		log_warning("the states of %zu components are not kept for reports: %s", s->n_rows,
			strerror(-r));
	s->n_rows = 0;
}

static void put_row(struct standing *s, const char *component, usec_t at, int state)
{
	int r = s->batch ? 0 : store_batch_new(&s->batch);

	if (r == 0)
		r = store_batch_add(s->batch, STORE_COMPONENT_STATE_PUT, "sis", component,
			(int64_t)at, name_of(state));
	if (r < 0)
		log_warning("component '%s': that it is %s is not kept for reports: %s", component,
			name_of(state), strerror(-r));
	if (++s->n_rows >= MAX_ROWS)
		flush(s);
}

/* flush() writes it. */
static void put(struct standing *s, const char *component, usec_t at, int state)
{
	struct said *said = said_of(s, component);

	if (said)
		said->state = state;
	put_row(s, component, at, state);
}

/* What it was while nobody looked is not known. */
static void put_gap(struct standing *s, const char *component)
{
	if (!map_get(&s->said, component) && s->alive_wall > 0 && s->alive_wall < clock_wall())
		put(s, component, s->alive_wall, UNMONITORED);
}

static void on_component(const struct component *component, void *data)
{
	struct standing *s = data;

	put_gap(s, component->conf->name);
	put(s, component->conf->name, component->since_wall, (int)component->state);
	flush(s);
}

static void on_timer(void *data)
{
	struct standing *s = data;

	put_alive(s);
	loop_timer_set(s->timer, clock_now() + ALIVE_INTERVAL);
}

/* Those that were taken out of the configuration while no tendd ran. */
static void put_gone(struct standing *s, const struct map *components)
{
	auto_json json_t *rows = NULL;
	size_t i;
	json_t *row;

	if (s->alive_wall == 0 || store_read_now(s->store, STORE_QUERY_STANDINGS, &rows, "") < 0)
		return;
	json_array_foreach (rows, i, row) {
		const char *name = json_string_value(json_object_get(row, "component"));
		const char *state = json_string_value(json_object_get(row, "state"));

		if (name && state && !map_get(components, name) &&
			strcmp(state, name_of(UNMONITORED)) != 0)
			put_row(s, name, s->alive_wall, UNMONITORED);
	}
}

void standing_apply(struct standing *s)
{
	const struct map *components = watch_components(s->watch);
	usec_t now = clock_wall();

	put_gone(s, components);
	for (size_t i = s->said.len; i-- > 0;) {
		const struct said *said = s->said.slots[i].value;

		if (!map_get(components, s->said.slots[i].key) && said->state != UNMONITORED)
			put(s, s->said.slots[i].key, now, UNMONITORED);
	}
	MAP_FOREACH (components, struct component *, component) {
		const char *name = component->conf->name;
		const struct said *said;

		put_gap(s, name);
		said = map_get(&s->said, name);
		if (!said || said->state != (int)component->state)
			put(s, name, now, (int)component->state);
	}
	s->alive_wall = 0;
	flush(s);
}

static usec_t read_alive(struct store *store)
{
	auto_json json_t *rows = NULL;
	const char *text;

	if (store_read_now(store, STORE_QUERY_META, &rows, "s", alive_key) < 0)
		return 0;
	text = json_string_value(json_object_get(json_array_get(rows, 0), "value"));
	return text ? (usec_t)strtoull(text, NULL, 10) : 0;
}

int standing_new(
	struct loop *loop, struct store *store, struct watch *watch, struct standing **ret_standing)
{
	auto(standing_free) struct standing *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->store = store;
	s->alive_wall = read_alive(store);
	r = loop_timer_new(loop, on_timer, s, &s->timer);
	if (r < 0)
		return r;
	loop_source_name(s->timer, "standing");
	s->watch = watch;
	watch_on_component(watch, on_component, s);
	on_timer(s);
	*ret_standing = TAKE(s);
	return 0;
}

struct standing *standing_free(struct standing *s)
{
	if (!s)
		return NULL;
	if (s->watch) {
		watch_on_component(s->watch, NULL, NULL);
		put_alive(s);
	}
	loop_source_free(s->timer);
	store_batch_free(s->batch);
	MAP_FOREACH (&s->said, struct said *, said)
		free(said);
	map_clear(&s->said);
	free(s);
	return NULL;
}

static double seconds_of(json_t *row, const char *name)
{
	return (double)json_integer_value(json_object_get(row, name)) / 1e6;
}

static json_t *share(double of, double by)
{
	return by > 0 ? json_real(of / by) : json_null();
}

void standing_report(json_t *row)
{
	double up = seconds_of(row, "up_usec"), down = seconds_of(row, "down_usec"),
	       unknown = seconds_of(row, "unknown_usec"),
	       failures = (double)json_integer_value(json_object_get(row, "failures"));

	(void)json_object_del(row, "up_usec");
	(void)json_object_del(row, "down_usec");
	(void)json_object_del(row, "unknown_usec");
	(void)json_object_set_new(row, "availability", share(up, up + down));
	(void)json_object_set_new(row, "mtbf_seconds", share(up, failures));
	(void)json_object_set_new(row, "mttr_seconds", share(down, failures));
	(void)json_object_set_new(row, "up_seconds", json_real(up));
	(void)json_object_set_new(row, "down_seconds", json_real(down));
	(void)json_object_set_new(row, "unmonitored_seconds", json_real(unknown));
}
