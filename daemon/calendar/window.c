/* SPDX-License-Identifier: MIT */
#include "calendar/window.h"
#include <string.h>
#include "alert/match.h"
#include "alert/plan.h"
#include "base/clock.h"

/* Openings that overlap are one. Beyond so many in a row nobody wants to know its ends. */
enum { MAX_MERGED = 512, MAX_MERGED_BACK = 64 };

/* ---- one window: its times ------------------------------------------------------------------ */

static usec_t next_start(const struct conf_window *w, usec_t after)
{
	return cron_next(&w->cron, w->zone, after);
}

static usec_t merge_forward(const struct conf_window *w, usec_t opens)
{
	usec_t closes = opens + w->duration;
	usec_t next = opens;

	for (size_t i = 0; i < MAX_MERGED; i++) {
		next = next_start(w, next);
		if (next > closes)
			return closes;
		closes = next + w->duration;
	}
	return USEC_INFINITY;
}

static usec_t merge_back(const struct conf_window *w, usec_t opens)
{
	for (size_t i = 0; i < MAX_MERGED_BACK; i++) {
		usec_t earlier = next_start(w, opens - w->duration - 1);

		if (earlier >= opens)
			break;
		opens = earlier;
	}
	return opens;
}

bool window_open(const struct conf_window *window, usec_t wall, struct window_span *ret_span)
{
	struct window_span span = {window->start_wall, window->end_wall};
	bool open;

	if (window->cron_text) {
		usec_t before = wall > window->duration ? wall - window->duration : 0;

		span.opens = next_start(window, before);
		open = span.opens <= wall;
	} else {
		open = span.opens <= wall && wall < span.closes;
	}
	if (!open || !ret_span)
		return open;
	if (window->cron_text) {
		span.closes = merge_forward(window, span.opens);
		span.opens = merge_back(window, span.opens);
	}
	*ret_span = span;
	return true;
}

bool window_next(const struct conf_window *window, usec_t wall, struct window_span *ret_span)
{
	struct window_span span = {.closes = wall};

	if (!window->cron_text) {
		if (window->start_wall <= wall)
			return false;
		*ret_span = (struct window_span){window->start_wall, window->end_wall};
		return true;
	}
	(void)window_open(window, wall, &span);
	if (span.closes == USEC_INFINITY)
		return false;
	span.opens = next_start(window, span.closes);
	if (span.opens == USEC_INFINITY)
		return false;
	span.closes = merge_forward(window, span.opens);
	*ret_span = span;
	return true;
}

/* ---- one window: what it is about ----------------------------------------------------------- */

/* No globs at all: everything. */
static bool any_glob(char *const *globs, const char *text)
{
	if (!globs || !*globs)
		return true;
	for (; *globs; globs++)
		if (str_glob(*globs, text))
			return true;
	return false;
}

static bool labels_fit(const struct conf_window *window, const struct conf_component *c,
	const struct conf_check *check)
{
	auto_json json_t *labels = NULL;

	if (!window->match)
		return true;
	/* Without memory nothing is held back and nothing may be done. */
	if (labels_of_place(c, check, &labels) < 0)
		return window->freeze;
	return matchers_fit(window->match, labels, NULL);
}

bool window_matches(const struct conf_window *window, const struct conf_component *c,
	const struct conf_check *check)
{
	return any_glob(window->match_component, c->name) &&
	       any_glob(
		       window->match_environment, conf_environment_names[c->system->environment]) &&
	       labels_fit(window, c, check);
}

static bool freezes_policy(const struct conf_window *freeze, const char *policy)
{
	if (freeze->except && *freeze->except && any_glob(freeze->except, policy))
		return false;
	return any_glob(freeze->policies, policy);
}

static bool allows_policy(const struct conf_window *window, const char *policy)
{
	return window->actions == WINDOW_ACTIONS_ALLOW && any_glob(window->policies, policy);
}

/* ---- what may be done ----------------------------------------------------------------------- */

/* The freeze that holds the longest. */
static const struct conf_window *find_freeze(const struct conf *conf,
	const struct conf_component *c, const char *policy, usec_t wall,
	struct window_span *ret_span)
{
	const struct conf_window *found = NULL;
	struct window_span span;

	MAP_FOREACH (&conf->freezes, const struct conf_window *, freeze) {
		if (!window_matches(freeze, c, NULL) || !freezes_policy(freeze, policy) ||
			!window_open(freeze, wall, &span))
			continue;
		if (found && span.closes <= ret_span->closes)
			continue;
		found = freeze;
		*ret_span = span;
	}
	return found;
}

/* The open one that closes last, or the one that opens next; NULL: there will be none. */
static const struct conf_window *find_window(const struct conf *conf,
	const struct conf_component *c, const char *policy, usec_t wall, bool *ret_open,
	struct window_span *ret_span)
{
	const struct conf_window *found = NULL;
	bool any_open = false;

	MAP_FOREACH (&conf->windows, const struct conf_window *, window) {
		struct window_span span;
		bool open, better;

		if (!allows_policy(window, policy) || !window_matches(window, c, NULL))
			continue;
		open = window_open(window, wall, &span);
		if (!open && (any_open || !window_next(window, wall, &span)))
			continue;
		better = open ? !any_open || span.closes > ret_span->closes
			      : !found || span.opens < ret_span->opens;
		any_open = any_open || open;
		if (!better)
			continue;
		found = window;
		*ret_span = span;
	}
	*ret_open = any_open;
	return found;
}

bool windows_may_act(const struct conf *conf, const struct conf_component *c, const char *policy,
	bool required, usec_t wall, char why[WINDOW_WHY_BYTES])
{
	char when[ZONE_TEXT_BYTES];
	struct window_span span;
	const struct conf_window *w = find_freeze(conf, c, policy, wall, &span);
	bool open;

	if (w && span.closes == USEC_INFINITY)
		(void)snprintf(why, WINDOW_WHY_BYTES,
			"the freeze '%s' holds until it is taken out of the configuration",
			w->name);
	else if (w)
		(void)snprintf(why, WINDOW_WHY_BYTES, "the freeze '%s' holds until %.100s", w->name,
			zone_format(w->zone, span.closes, when));
	if (w)
		return false;
	if (!required)
		return true;
	w = find_window(conf, c, policy, wall, &open, &span);
	if (w && open)
		return true;
	if (w)
		(void)snprintf(why, WINDOW_WHY_BYTES,
			"no window is open for it, the next is '%s' on %.100s", w->name,
			zone_format(w->zone, span.opens, when));
	else
		(void)snprintf(why, WINDOW_WHY_BYTES,
			"it needs a window, and no [window] with actions = allow that matches "
			"%.100s will open",
			c->name);
	return false;
}

json_t *windows_check(
	const struct conf *conf, const struct conf_component *c, const char *policy, usec_t wall)
{
	struct window_span frozen = {0}, span = {0}, next = {0};
	const struct conf_window *freeze = find_freeze(conf, c, policy, wall, &frozen);
	bool open = false, later = false;
	const struct conf_window *window = find_window(conf, c, policy, wall, &open, &span);

	if (window && open)
		(void)find_window(conf, c, policy, span.closes, &later, &next);
	else if (window)
		next = span;
	return json_pack("{s:b, s:s?, s:o, s:o, s:o, s:s?, s:o}", "open", open && !freeze, "window",
		open && window ? window->name : NULL, "until",
		open && span.closes != USEC_INFINITY ? clock_to_json(span.closes) : json_null(),
		"left",
		open && span.closes != USEC_INFINITY
			? json_integer((json_int_t)((span.closes - wall) / USEC_PER_SEC))
			: json_null(),
		"next", next.opens ? clock_to_json(next.opens) : json_null(), "freeze",
		freeze ? freeze->name : NULL, "frozen_until",
		freeze && frozen.closes != USEC_INFINITY ? clock_to_json(frozen.closes)
							 : json_null());
}

/* ---- checks and notices --------------------------------------------------------------------- */

static const struct conf_window *find_open(const struct conf *conf, const struct conf_component *c,
	const struct conf_check *check, bool (*wanted)(const struct conf_window *window),
	usec_t wall, struct window_span *ret_span)
{
	const struct conf_window *found = NULL;
	struct window_span span, longest = {0};

	MAP_FOREACH (&conf->windows, const struct conf_window *, window) {
		if (!wanted(window) || !window_open(window, wall, &span) ||
			!window_matches(window, c, check))
			continue;
		if (found && span.closes <= longest.closes)
			continue;
		found = window;
		longest = span;
	}
	if (found && ret_span)
		*ret_span = longest;
	return found;
}

static bool is_quiet(const struct conf_window *window)
{
	return window->alerts == WINDOW_ALERTS_QUIET;
}

static bool is_pausing(const struct conf_window *window)
{
	return window->checks == WINDOW_CHECKS_PAUSE;
}

const struct conf_window *windows_quiet(const struct conf *conf, const struct conf_component *c,
	const struct conf_check *check, usec_t wall, struct window_span *ret_span)
{
	return find_open(conf, c, check, is_quiet, wall, ret_span);
}

const struct conf_window *windows_paused(const struct conf *conf, const struct conf_component *c,
	const struct conf_check *check, usec_t wall, struct window_span *ret_span)
{
	return find_open(conf, c, check, is_pausing, wall, ret_span);
}

int windows_pausing(const struct conf *conf, usec_t wall, struct vec *ret_windows)
{
	struct vec found = {0};
	int r = 0;

	MAP_FOREACH (&conf->windows, struct conf_window *, window)
		if (r == 0 && is_pausing(window) && window_open(window, wall, NULL))
			r = vec_push(&found, window);
	if (r < 0) {
		vec_clear(&found);
		return r;
	}
	*ret_windows = found;
	return 0;
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* Open ones first, then by opening, then by name. */
static bool comes_before(const struct window_opening *a, const struct window_opening *b)
{
	if (a->open != b->open)
		return a->open;
	if (a->span.opens != b->span.opens)
		return a->span.opens < b->span.opens;
	return strcmp(a->window->name, b->window->name) < 0;
}

/* Puts it where it belongs, the last one may fall out. False: it is behind all, and they are full.
 */
static bool insert(struct window_opening *openings, size_t *n, size_t max,
	const struct window_opening *opening)
{
	size_t i = *n;

	while (i > 0 && comes_before(opening, &openings[i - 1]))
		i--;
	if (i == max)
		return false;
	if (*n < max)
		(*n)++;
	memmove(&openings[i + 1], &openings[i], (*n - i - 1) * sizeof(*openings));
	openings[i] = *opening;
	return true;
}

static void list_open(const struct map *windows, usec_t wall, struct window_opening *openings,
	size_t *n, size_t max)
{
	MAP_FOREACH (windows, const struct conf_window *, window) {
		struct window_opening opening = {.window = window, .open = true};

		if (window_open(window, wall, &opening.span))
			(void)insert(openings, n, max, &opening);
	}
}

size_t windows_open_now(
	const struct conf *conf, usec_t wall, struct window_opening *ret_openings, size_t max)
{
	size_t n = 0;

	list_open(&conf->windows, wall, ret_openings, &n, max);
	list_open(&conf->freezes, wall, ret_openings, &n, max);
	return n;
}

static void list(const struct map *windows, const char *name, usec_t wall,
	struct window_opening *openings, size_t *n, size_t max)
{
	MAP_FOREACH (windows, const struct conf_window *, window) {
		struct window_opening opening = {.window = window};
		usec_t after = wall;

		if (name && strcmp(window->name, name) != 0)
			continue;
		opening.open = window_open(window, wall, &opening.span);
		if (opening.open)
			(void)insert(openings, n, max, &opening);
		opening.open = false;
		while (window_next(window, after, &opening.span) &&
			insert(openings, n, max, &opening))
			after = opening.span.opens;
	}
}

size_t windows_next(const struct conf *conf, const char *name, usec_t wall,
	struct window_opening *ret_openings, size_t max)
{
	size_t n = 0;

	list(&conf->windows, name, wall, ret_openings, &n, max);
	list(&conf->freezes, name, wall, ret_openings, &n, max);
	return n;
}

static usec_t edge_of(const struct conf_window *window, usec_t wall)
{
	struct window_span span;

	if (window_open(window, wall, &span))
		return span.closes;
	return window_next(window, wall, &span) ? span.opens : USEC_INFINITY;
}

usec_t windows_edge(const struct conf *conf, usec_t wall)
{
	usec_t edge = USEC_INFINITY;

	MAP_FOREACH (&conf->windows, const struct conf_window *, window)
		edge = MIN(edge, edge_of(window, wall));
	MAP_FOREACH (&conf->freezes, const struct conf_window *, freeze)
		edge = MIN(edge, edge_of(freeze, wall));
	return edge;
}
