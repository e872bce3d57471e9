/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/metrics?check=NAME: the metrics of a check, as far as they have a history, with what they
 * were last. GET /v1/metrics/points?check=&metric=[&instance=][&since=&until=][&step=minute|hour]:
 * what one was. Times are seconds since 1970.
 */
#include <errno.h>
#include <string.h>
#include "api/private.h"
#include "history/usual.h"

enum { DEFAULT_SECONDS = 86400, MINUTES_UP_TO = 2 * 86400 };

static const struct metric *last_of(const struct check *check, const struct history_series *series)
{
	for (size_t i = 0; check && i < check->last.n_metrics; i++)
		if (strcmp(check->last.metrics[i].name, series->metric) == 0 &&
			strcmp(check->last.metrics[i].instance, series->instance) == 0)
			return &check->last.metrics[i];
	return NULL;
}

struct listing {
	json_t *rows;
	const struct check *check;
	const struct usual *usual;
	const char *name;
};

static void add_row(const struct history_series *series, void *data)
{
	struct listing *listing = data;
	const struct metric *last = last_of(listing->check, series);
	json_t *usual =
		usual_to_json(listing->usual, listing->name, series->metric, series->instance);

	(void)json_array_append_new(
		listing->rows, json_pack("{s:s, s:s, s:s, s:o, s:o}", "metric", series->metric,
				       "instance", series->instance, "unit", series->unit, "value",
				       last ? json_real(last->value) : json_null(), "usual",
				       usual ? usual : json_null()));
}

static const char *needed(struct request *request, const char *key)
{
	const char *value = request_query(request, key);

	if (!value)
		request_fail(request, API_ERROR_INVALID, "'%s' is missing", key);
	return value;
}

void api_get_metric_list(struct request *request)
{
	struct manager *m = request->api->manager;
	const char *name = needed(request, "check");
	struct listing listing = {.rows = json_array(), .usual = m->usual, .name = name};

	if (!name) {
		json_decref(listing.rows);
		return;
	}
	listing.check = watch_find_check(m->watch, name);
	history_each(m->history, name, add_row, &listing);
	if (!listing.check && json_array_size(listing.rows) == 0) {
		json_decref(listing.rows);
		request_fail(request, API_ERROR_NOT_FOUND, "there is no check '%.200s'", name);
		return;
	}
	request_json(request, 200, listing.rows);
}

/* ---- points --------------------------------------------------------------------------------- */

struct ask {
	struct request *request;
	json_t *answer;
};

static json_t *point_json(const struct point *p)
{
	return p->n == 0 ? json_null()
			 : json_pack("[I, f, f, f]", (json_int_t)p->n, p->min, p->mean, p->max);
}

static void on_points(int r, const struct point *points, size_t n, int64_t from, void *data)
{
	struct ask *ask = data;
	json_t *rows = json_array();

	for (size_t i = 0; i < n && r == 0; i++)
		(void)json_array_append_new(rows, point_json(&points[i]));
	(void)json_object_set_new(ask->answer, "from", json_integer(from));
	(void)json_object_set_new(ask->answer, "points", rows);
	if (r < 0)
		request_fail(ask->request, api_error_of(r), "the history cannot be read: %s",
			strerror(-r));
	else
		request_json(ask->request, 200, json_incref(ask->answer));
	json_decref(ask->answer);
	request_unref(ask->request);
	free(ask);
}

bool api_query_time(struct request *request, const char *key, int64_t def, int64_t *ret_time)
{
	const char *text = request_query(request, key);
	char *end;

	*ret_time = def;
	if (!text)
		return true;
	errno = 0;
	*ret_time = strtoll(text, &end, 10);
	if (!errno && end != text && !*end && *ret_time > 0)
		return true;
	request_fail(request, API_ERROR_INVALID, "%s is a time in seconds since 1970", key);
	return false;
}

static bool read_step(struct request *request, int64_t span, enum rollups_step *ret_step)
{
	const char *text = request_query(request, "step");

	*ret_step = span <= MINUTES_UP_TO ? ROLLUPS_MINUTES : ROLLUPS_HOURS;
	if (!text)
		return true;
	if (strcmp(text, "minute") == 0 || strcmp(text, "hour") == 0) {
		*ret_step = *text == 'm' ? ROLLUPS_MINUTES : ROLLUPS_HOURS;
		return true;
	}
	request_fail(request, API_ERROR_INVALID, "step is minute or hour");
	return false;
}

static bool find(struct request *request, struct history_series *ret_series)
{
	const char *check = needed(request, "check");
	const char *metric = check ? needed(request, "metric") : NULL;
	const char *instance = request_query(request, "instance");
	bool one_of = instance && *instance;

	if (!metric)
		return false;
	if (history_find(request->api->manager->history, check, metric, instance ? instance : "",
		    ret_series) == 0)
		return true;
	request_fail(request, API_ERROR_NOT_FOUND,
		"'%.200s' has no history of a metric '%.64s'%s%.64s%s: GET /v1/metrics?check= "
		"lists them",
		check, metric, one_of ? " of '" : "", one_of ? instance : "", one_of ? "'" : "");
	return false;
}

void api_get_metric_points(struct request *request)
{
	struct manager *m = request->api->manager;
	int64_t now = (int64_t)(clock_wall() / USEC_PER_SEC), since, until;
	struct history_series series;
	enum rollups_step step;
	struct ask *ask;
	int r;

	if (!find(request, &series) || !api_query_time(request, "until", now + 60, &until) ||
		!api_query_time(request, "since", until - DEFAULT_SECONDS, &since) ||
		!read_step(request, until - since, &step))
		return;
	ask = calloc(1, sizeof(*ask));
	if (!ask) {
		request_fail(request, API_ERROR_INTERNAL, "no memory");
		return;
	}
	ask->answer = json_pack("{s:s, s:s, s:s, s:s, s:i}", "check",
		request_query(request, "check"), "metric", series.metric, "instance",
		series.instance, "unit", series.unit, "step", step == ROLLUPS_MINUTES ? 60 : 3600);
	r = history_read(m->history, series.id, step, since, until, on_points, ask);
	if (r == 0) {
		ask->request = request_ref(request);
		return;
	}
	json_decref(ask->answer);
	free(ask);
	request_fail(request, r == -E2BIG || r == -EINVAL ? API_ERROR_INVALID : api_error_of(r),
		r == -E2BIG    ? "so many points are too much: ask for step=hour"
		: r == -EINVAL ? "'since' must be before 'until'"
		: r == -ENODEV ? "there is no history: its file cannot be opened"
			       : "the history is busy: try again");
}
