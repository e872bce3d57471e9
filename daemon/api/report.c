/* SPDX-License-Identifier: MIT */
/* GET /v1/reports/availability[?component=&since=&until=&after=&limit=]: how well each component
 * stood, by name; as many rows as the limit: there may be more, after the last one. */
#include <errno.h>
#include <string.h>
#include "api/private.h"
#include "history/standing.h"

#define DEFAULT_SECONDS ((int64_t)30 * 86400)

enum { ROWS_DEFAULT = 5000, ROWS_MAX = 10000 };

static void on_rows(int r, json_t *rows, void *data)
{
	struct request *request = data;
	const char *component = request_query(request, "component");
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row)
		standing_report(row);
	/* One that is gone has a report for as long as its past is kept. */
	if (r == 0 && component && json_array_size(rows) == 0 &&
		!watch_find_component(request->api->manager->watch, component))
		request_fail(request, API_ERROR_NOT_FOUND,
			"there is no component '%.200s', nor was there in that time", component);
	else if (r < 0)
		request_fail(
			request, api_error_of(r), "the store cannot be read: %s", strerror(-r));
	else
		request_json(request, 200, json_incref(rows));
	request_unref(request);
}

void api_get_availability(struct request *request)
{
	const char *after = request_query(request, "after");
	int64_t until, since;
	int limit, r;

	if (!api_query_time(request, "until", (int64_t)(clock_wall() / USEC_PER_SEC), &until) ||
		!api_query_time(request, "since", until - DEFAULT_SECONDS, &since) ||
		request_query_int(request, "limit", 1, ROWS_MAX, ROWS_DEFAULT, &limit) < 0)
		return;
	if (since >= until) {
		request_fail(request, API_ERROR_INVALID, "'since' must be before 'until'");
		return;
	}
	r = store_read(request->api->manager->store, STORE_QUERY_AVAILABILITY, on_rows,
		request_ref(request), "iissi", since * (int64_t)USEC_PER_SEC,
		request_query(request, "until") ? until * (int64_t)USEC_PER_SEC
						: (int64_t)clock_wall(),
		request_query(request, "component"), after ? after : "", (int64_t)limit);
	if (r < 0)
		on_rows(r, NULL, request);
}
