/* SPDX-License-Identifier: MIT */
#include "calendar/keeper.h"
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"

#define LOOK_USEC (30 * USEC_PER_SEC)

enum { MAX_RECORDS = 10000 };

#define RECORD_KIND "window-opened"

struct keeper {
	struct keeper_deps deps;
	struct conf *conf;
	struct loop_source *timer;
	struct map seen; /* struct seen *, by "window NAME" */
};

struct seen {
	bool open;
	usec_t told; /* the opening that was told last; 0 */
};

/* ---- what was seen -------------------------------------------------------------------------- */

static struct seen *seen_of(struct keeper *keeper, const struct conf_window *window)
{
	char key[80];
	struct seen *seen;

	(void)snprintf(
		key, sizeof(key), "%s %.64s", window->freeze ? "freeze" : "window", window->name);
	seen = map_get(&keeper->seen, key);
	if (seen)
		return seen;
	seen = calloc(1, sizeof(*seen));
	if (seen && map_put(&keeper->seen, key, seen) < 0) {
		free(seen);
		return NULL;
	}
	return seen;
}

static int load_seen(struct keeper *keeper)
{
	auto_json json_t *rows = NULL;
	json_t *row;
	size_t i;
	int r;

	if (!keeper->deps.store)
		return 0;
	r = store_read_now(keeper->deps.store, STORE_QUERY_RECORDS, &rows, "ssi", RECORD_KIND, NULL,
		(int64_t)MAX_RECORDS);
	json_array_foreach (rows, i, row) {
		struct conf_window named = {
			.name = (char *)(uintptr_t)json_string_value(json_object_get(row, "key"))};
		struct seen *seen = named.name ? seen_of(keeper, &named) : NULL;

		if (seen)
			seen->told = (usec_t)json_integer_value(json_object_get(row, "at"));
	}
	return r;
}

static void save_seen(struct keeper *keeper, const struct conf_window *window, usec_t opens)
{
	auto_json json_t *doc = json_object();
	struct store_batch *batch;

	if (!keeper->deps.store || !doc || store_batch_new(&batch) < 0)
		return;
	if (store_batch_add(batch, STORE_RECORD_PUT, "sssij", RECORD_KIND, "", window->name,
		    (int64_t)opens, doc) < 0)
		store_batch_free(batch);
	else if (store_commit(keeper->deps.store, batch, NULL, NULL) < 0)
		log_warning("window '%s': that it opened is not kept over a restart", window->name);
}

/* ---- looking -------------------------------------------------------------------------------- */

static void note_opened(struct keeper *keeper, const struct conf_window *window, struct seen *seen,
	const struct window_span *span)
{
	char until[ZONE_TEXT_BYTES];

	log_notice("%s '%s': open until %s", window->freeze ? "freeze" : "window", window->name,
		span->closes == USEC_INFINITY ? "further notice"
					      : zone_format(window->zone, span->closes, until));
	/* Told already: tendd was restarted inside, or the clock went back and forth. */
	if (window->freeze || seen->told >= span->opens)
		return;
	seen->told = span->opens;
	save_seen(keeper, window, span->opens);
	if (keeper->deps.on_opened)
		keeper->deps.on_opened(window, span, keeper->deps.data);
}

static void look_at(struct keeper *keeper, const struct conf_window *window, usec_t wall)
{
	struct seen *seen = seen_of(keeper, window);
	struct window_span span = {0};
	bool open = window_open(window, wall, &span);

	if (!seen || seen->open == open)
		return;
	seen->open = open;
	if (open)
		note_opened(keeper, window, seen, &span);
	else
		log_notice("%s '%s': closed", window->freeze ? "freeze" : "window", window->name);
}

static void arm(struct keeper *keeper)
{
	usec_t wall = clock_wall(), edge = windows_edge(keeper->conf, wall);
	usec_t wait = edge > wall ? MIN(edge - wall, LOOK_USEC) : LOOK_USEC;

	if (keeper->conf->windows.len + keeper->conf->freezes.len > 0)
		loop_timer_set(keeper->timer, clock_now() + wait);
	else
		loop_timer_set(keeper->timer, 0);
}

/* What others do at an opening may reload the configuration: it is held meanwhile. */
void keeper_look(struct keeper *keeper)
{
	auto(conf_unref) struct conf *conf = conf_ref(keeper->conf);
	usec_t wall = clock_wall();

	MAP_FOREACH (&conf->windows, const struct conf_window *, window)
		look_at(keeper, window, wall);
	MAP_FOREACH (&conf->freezes, const struct conf_window *, freeze)
		look_at(keeper, freeze, wall);
	if (keeper->deps.on_look)
		keeper->deps.on_look(keeper->deps.data);
	arm(keeper);
}

static void on_timer(void *data)
{
	keeper_look(data);
}

int keeper_new(const struct keeper_deps *deps, struct keeper **ret_keeper)
{
	auto(keeper_free) struct keeper *keeper = calloc(1, sizeof(*keeper));
	int r;

	if (!keeper)
		return -ENOMEM;
	keeper->deps = *deps;
	r = loop_timer_new(deps->loop, on_timer, keeper, &keeper->timer);
	if (r == 0)
		r = load_seen(keeper);
	if (r < 0)
		return r;
	loop_source_name(keeper->timer, "windows");
	*ret_keeper = TAKE(keeper);
	return 0;
}

struct keeper *keeper_free(struct keeper *keeper)
{
	if (!keeper)
		return NULL;
	loop_source_free(keeper->timer);
	MAP_FOREACH (&keeper->seen, struct seen *, seen)
		free(seen);
	map_clear(&keeper->seen);
	conf_unref(keeper->conf);
	free(keeper);
	return NULL;
}

int keeper_apply(struct keeper *keeper, struct conf *conf)
{
	struct conf *old = keeper->conf;

	keeper->conf = conf_ref(conf);
	conf_unref(old);
	keeper_look(keeper);
	return 0;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void join(struct str *out, const char *what, char *const *globs)
{
	if (!globs || !*globs)
		return;
	(void)str_appendf(out, "%s%s", out->len ? "; " : "", what);
	for (; *globs; globs++)
		(void)str_appendf(out, " %s", *globs);
}

static json_t *matches_to_json(const struct conf_window *w)
{
	auto_str struct str out = STR_INIT(4096);

	join(&out, "components", w->match_component);
	join(&out, "environments", w->match_environment);
	join(&out, "labels", w->match_text ? (char *const[]){w->match_text, NULL} : NULL);
	join(&out, "policies", w->policies);
	if (!out.len)
		(void)str_appendf(&out, "everything");
	join(&out, "except", w->except);
	return json_string(str_get(&out));
}

static json_t *switches_to_json(const struct conf_window *w)
{
	auto_str struct str out = STR_INIT(128);

	if (w->freeze)
		return json_string("actions refused");
	if (w->checks == WINDOW_CHECKS_PAUSE)
		(void)str_appendf(&out, "checks paused");
	if (w->alerts == WINDOW_ALERTS_QUIET)
		(void)str_appendf(&out, "%salerts quiet", out.len ? ", " : "");
	if (w->actions == WINDOW_ACTIONS_ALLOW)
		(void)str_appendf(&out, "%sactions allowed", out.len ? ", " : "");
	return json_string(out.len ? str_get(&out) : "none");
}

static json_t *opening_to_json(const struct window_opening *opening)
{
	const struct conf_window *w = opening->window;
	const struct window_span *span = &opening->span;
	char opens[ZONE_TEXT_BYTES], closes[ZONE_TEXT_BYTES];

	return json_pack("{s:s, s:s, s:b, s:o, s:o, s:s, s:s, s:s, s:s?, s:o, s:o}", "name",
		w->name, "kind", w->freeze ? "freeze" : "window", "open", opening->open, "opens",
		clock_to_json(span->opens), "closes",
		span->closes == USEC_INFINITY ? json_null() : clock_to_json(span->closes),
		"opens_text", span->opens ? zone_format(w->zone, span->opens, opens) : "always",
		"closes_text", zone_format(w->zone, span->closes, closes), "timezone",
		zone_name(w->zone), "doc", w->doc, "matches", matches_to_json(w), "switches",
		switches_to_json(w));
}

json_t *window_openings_to_json(const struct window_opening *openings, size_t n)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(rows, opening_to_json(&openings[i]));
	return rows;
}
