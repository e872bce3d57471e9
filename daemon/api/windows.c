/* SPDX-License-Identifier: MIT */
/* /v1/windows: what is open, and what opens next. */
#include <stdlib.h>
#include "api/private.h"

enum { OPENINGS_DEFAULT = 10, OPENINGS_MAX = 200 };

json_t *api_open_windows(const struct conf *conf)
{
	struct window_opening openings[OPENINGS_MAX];
	size_t n = windows_open_now(conf, clock_wall(), openings, OPENINGS_MAX);

	return window_openings_to_json(openings, n);
}

const char *api_window_text(const struct conf_window *window, const struct window_span *span,
	char buf[API_WINDOW_TEXT_BYTES])
{
	char until[ZONE_TEXT_BYTES];

	if (span->closes == USEC_INFINITY)
		(void)snprintf(buf, API_WINDOW_TEXT_BYTES,
			"the window '%.64s' is open until it is taken out of the configuration",
			window->name);
	else
		(void)snprintf(buf, API_WINDOW_TEXT_BYTES, "the window '%.64s' is open until %.96s",
			window->name, zone_format(window->zone, span->closes, until));
	return buf;
}

/* Of each window and freeze what is open, or else its next opening. */
static size_t first_of_each(const struct map *windows, usec_t wall, struct window_opening *openings,
	size_t n, size_t max)
{
	MAP_FOREACH (windows, const struct conf_window *, window) {
		struct window_opening opening = {.window = window};

		if (n == max)
			return n;
		opening.open = window_open(window, wall, &opening.span);
		if (opening.open || window_next(window, wall, &opening.span))
			openings[n++] = opening;
	}
	return n;
}

static int compare_openings(const void *a, const void *b)
{
	const struct window_opening *x = a, *y = b;

	if (x->open != y->open)
		return x->open ? -1 : 1;
	return (x->span.opens > y->span.opens) - (x->span.opens < y->span.opens);
}

static bool is_listed(
	const struct window_opening *openings, size_t n, const struct window_opening *opening)
{
	for (size_t i = 0; i < n; i++)
		if (openings[i].window == opening->window && openings[i].open == opening->open &&
			openings[i].span.opens == opening->span.opens)
			return true;
	return false;
}

/* One that opens every hour would else take all rows: each has its first one, then the rest. */
static size_t list_openings(
	const struct conf *conf, usec_t wall, struct window_opening *openings, size_t max)
{
	struct window_opening all[OPENINGS_MAX];
	size_t n = first_of_each(&conf->windows, wall, openings, 0, max), n_all, n_first;

	n = n_first = first_of_each(&conf->freezes, wall, openings, n, max);
	qsort(openings, n, sizeof(*openings), compare_openings);
	n_all = windows_next(conf, NULL, wall, all, max);
	for (size_t i = 0; i < n_all && n < max; i++)
		if (!is_listed(openings, n_first, &all[i]))
			openings[n++] = all[i];
	return n;
}

/* What is open counts as well: it comes first. */
void api_get_windows(struct request *request)
{
	const struct conf *conf = request->api->manager->conf;
	const char *name = request_query(request, "name");
	struct window_opening openings[OPENINGS_MAX];
	size_t n;
	int limit;

	if (request_query_int(request, "limit", 1, OPENINGS_MAX, OPENINGS_DEFAULT, &limit) < 0)
		return;
	if (name && !map_get(&conf->windows, name) && !map_get(&conf->freezes, name)) {
		request_fail(
			request, API_ERROR_NOT_FOUND, "there is no window or freeze '%s'", name);
		return;
	}
	n = name ? windows_next(conf, name, clock_wall(), openings, (size_t)limit)
		 : list_openings(conf, clock_wall(), openings, (size_t)limit);
	request_json(request, 200, window_openings_to_json(openings, n));
}
