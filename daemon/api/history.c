/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/history?since=UNIX: what a replay of a policy needs of the past: incidents, runs and
 * actions since then, oldest first, as the store has them.
 */
#include <errno.h>
#include <string.h>
#include "api/private.h"

enum { HISTORY_MAX_ROWS = 5000 };
#define HISTORY_DEFAULT_USEC (30 * 86400 * USEC_PER_SEC)

struct past {
	struct request *request;
	struct store *store;
	usec_t since;
	json_t *answer;
};

static void history_end(struct past *h, int r)
{
	if (r < 0)
		request_fail(
			h->request, api_error_of(r), "the store cannot be read: %s", strerror(-r));
	else
		request_json(h->request, 200, TAKE(h->answer));
	json_decref(h->answer);
	request_unref(h->request);
	free(h);
}

static void on_actions(int r, json_t *rows, void *data)
{
	struct past *h = data;

	if (r == 0)
		(void)json_object_set(h->answer, "actions", rows);
	history_end(h, r);
}

static void on_runs(int r, json_t *rows, void *data)
{
	struct past *h = data;
	size_t i;
	json_t *row;

	/* How a run went is in its own page; here it only counts, unless it was a dry one. */
	json_array_foreach (rows, i, row) {
		bool dry = json_is_true(json_object_get(json_object_get(row, "doc_json"), "dry"));

		(void)json_object_set_new(row, "dry", json_boolean(dry));
		(void)json_object_del(row, "doc_json");
	}
	if (r == 0)
		(void)json_object_set(h->answer, "runs", rows);
	/* The API has gone meanwhile: so has its store, maybe. */
	if (r == 0 && !h->request->api)
		r = -ESHUTDOWN;
	if (r == 0)
		r = store_read(
			h->store, STORE_QUERY_ACTIONS_SINCE, on_actions, h, "i", (int64_t)h->since);
	if (r < 0)
		history_end(h, r);
}

static void on_incidents(int r, json_t *rows, void *data)
{
	struct past *h = data;

	if (r == 0)
		(void)json_object_set(h->answer, "incidents", rows);
	if (r == 0 && !h->request->api)
		r = -ESHUTDOWN;
	if (r == 0)
		r = store_read(h->store, STORE_QUERY_RUNS_SINCE, on_runs, h, "ii",
			(int64_t)h->since, (int64_t)HISTORY_MAX_ROWS);
	if (r < 0)
		history_end(h, r);
}

/* since: Unix time in seconds. False: answered. */
static bool since_of(struct request *request, usec_t *ret_since)
{
	const char *text = request_query(request, "since");
	usec_t wall = clock_wall();
	unsigned long long sec;
	char *end;

	*ret_since = wall > HISTORY_DEFAULT_USEC ? wall - HISTORY_DEFAULT_USEC : 1;
	if (!text)
		return true;
	errno = 0;
	sec = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || sec == 0 || sec > wall / USEC_PER_SEC) {
		request_fail(request, API_ERROR_INVALID,
			"since is a time in seconds since 1970 that has passed");
		return false;
	}
	*ret_since = (usec_t)sec * USEC_PER_SEC;
	return true;
}

void api_get_history(struct request *request)
{
	struct past *h;
	usec_t since;
	int r;

	if (!since_of(request, &since))
		return;
	h = calloc(1, sizeof(*h));
	if (!h) {
		request_fail(request, API_ERROR_INTERNAL, "no memory");
		return;
	}
	h->request = request_ref(request);
	h->store = request->api->manager->store;
	h->since = since;
	h->answer = json_pack(
		"{s:I, s:I}", "since", (json_int_t)since, "until", (json_int_t)clock_wall());
	r = store_read(h->store, STORE_QUERY_INCIDENTS_SINCE, on_incidents, h, "ii", (int64_t)since,
		(int64_t)HISTORY_MAX_ROWS);
	if (r < 0)
		history_end(h, r);
}
