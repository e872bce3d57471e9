/* SPDX-License-Identifier: MIT */
/* GET /v1/reports/availability[?component=&since=&until=]: how well each component stood. */
#include <errno.h>
#include <string.h>
#include "api/private.h"
#include "history/standing.h"

#define DEFAULT_SECONDS ((int64_t)30 * 86400)

struct ask {
	struct request *request;
	char *component; /* NULL: all */
};

static void on_rows(int r, json_t *rows, void *data)
{
	struct ask *ask = data;
	json_t *answer = json_array();

	for (size_t i = 0; i < json_array_size(rows) && r == 0; i++) {
		json_t *row = json_array_get(rows, i);
		const char *name = json_string_value(json_object_get(row, "component"));

		if (ask->component && (!name || strcmp(name, ask->component) != 0))
			continue;
		standing_report(row);
		(void)json_array_append(answer, row);
	}
	if (r < 0)
		request_fail(ask->request, api_error_of(r), "the store cannot be read: %s",
			strerror(-r));
	else
		request_json(ask->request, 200, json_incref(answer));
	json_decref(answer);
	request_unref(ask->request);
	free(ask->component);
	free(ask);
}

void api_get_availability(struct request *request)
{
	const char *component = request_query(request, "component");
	int64_t until, since;
	struct ask *ask;
	int r;

	if (!api_query_time(request, "until", (int64_t)(clock_wall() / USEC_PER_SEC), &until) ||
		!api_query_time(request, "since", until - DEFAULT_SECONDS, &since))
		return;
	if (since >= until) {
		request_fail(request, API_ERROR_INVALID, "'since' must be before 'until'");
		return;
	}
	if (component && !watch_find_component(request->api->manager->watch, component)) {
		request_fail(
			request, API_ERROR_NOT_FOUND, "there is no component '%.200s'", component);
		return;
	}
	ask = calloc(1, sizeof(*ask));
	if (ask && component)
		ask->component = strdup(component);
	r = ask && (!component || ask->component)
		    ? store_read(request->api->manager->store, STORE_QUERY_AVAILABILITY, on_rows,
			      ask, "ii", since * (int64_t)USEC_PER_SEC,
			      request_query(request, "until") ? until * (int64_t)USEC_PER_SEC
							      : (int64_t)clock_wall())
		    : -ENOMEM;
	if (r == 0) {
		ask->request = request_ref(request);
		return;
	}
	if (ask)
		free(ask->component);
	free(ask);
	request_fail(request, api_error_of(r), "the store cannot be read: %s", strerror(-r));
}
