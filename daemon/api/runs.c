/* SPDX-License-Identifier: MIT */
/* Policies and their runs: what is asked of them beyond lists. */
#include <errno.h>
#include <string.h>
#include "api/private.h"

enum { RUNS_MAX = 10000, RUNS_DEFAULT = 100, NEXT_DEFAULT = 5, NEXT_MAX = 1000 };

static struct policies *policies_of(const struct request *request)
{
	return request->api->manager->policies;
}

static void fail_with(struct request *request, int r, const struct tend_error *err)
{
	request_fail(request, api_error_of(r), "%s", err->text[0] ? err->text : strerror(-r));
}

/* ---- the catalog is being read --------------------------------------------------------------- */

/* Less than a request may take. Each file has 10 s, and several are read at once. */
#define READ_WAIT_USEC (15 * USEC_PER_SEC)

struct reading {
	struct request *request;
	void (*answer)(struct request *request);
};

static void on_read(int r, void *data)
{
	auto_free struct reading *reading = data;
	struct request *request = reading->request;

	if (r == -ESHUTDOWN || !request->api)
		request_fail(request, API_ERROR_UNAVAILABLE, "Tend is ending");
	else
		reading->answer(request);
	request_unref(request);
}

void api_when_read(struct request *request, void (*answer)(struct request *request))
{
	auto_free struct reading *reading = NULL;

	if (!policies_reading(policies_of(request))) {
		answer(request);
		return;
	}
	reading = calloc(1, sizeof(*reading));
	if (!reading) {
		request_fail(request, API_ERROR_INTERNAL, "no memory");
		return;
	}
	*reading = (struct reading){request_ref(request), answer};
	if (policies_await(policies_of(request), READ_WAIT_USEC, on_read, reading) < 0) {
		request_fail(request, API_ERROR_UNAVAILABLE,
			"the policies are being read, and too many wait for that");
		request_unref(request);
		return;
	}
	(void)TAKE(reading);
}

static void answer_policies(struct request *request)
{
	json_t *list = policies_to_json(policies_of(request));

	if (json_array_size(list) > 0 || !policies_reading(policies_of(request))) {
		request_json(request, 200, list);
		return;
	}
	json_decref(list);
	request_fail(
		request, API_ERROR_UNAVAILABLE, "the policies are still being read: try again");
}

void api_get_policies(struct request *request)
{
	api_when_read(request, answer_policies);
}

static bool is_run_state(const char *text)
{
	static const char *const states[] = {
		"queued", "live", "done", "refused", "failed", "unknown", "cancelled"};

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(states[i], text) == 0)
			return true;
	return false;
}

void api_get_runs(struct request *request)
{
	struct policies_filter filter = {
		.policy = request_query(request, "policy"),
		.target = request_query(request, "target"),
		.state = request_query(request, "state"),
	};
	int r;

	if (request_query_int(request, "limit", 1, RUNS_MAX, RUNS_DEFAULT, &filter.limit) < 0)
		return;
	if (filter.state && !is_run_state(filter.state)) {
		request_fail(request, API_ERROR_INVALID,
			"a run has no state '%.32s', only queued, live, done, refused, failed, "
			"unknown or cancelled",
			filter.state);
		return;
	}
	r = policies_runs_where(
		policies_of(request), &filter, api_answer_rows, request_ref(request));
	if (r < 0)
		api_answer_rows(r, NULL, request);
}

/* One row: the run, with its steps; or the news of it. */
static void answer_run(int r, json_t *rows, void *data)
{
	struct request *request = data;
	json_t *run = r < 0 ? NULL : json_array_get(rows, 0);

	if (r == -ENOTUNIQ)
		request_fail(request, API_ERROR_CONFLICT,
			"several runs begin with '%s': write more of it", request->subject);
	else if (r == -ENOENT || (r >= 0 && !run))
		request_fail(
			request, API_ERROR_NOT_FOUND, "there is no run '%s'", request->subject);
	else if (r < 0)
		request_fail(
			request, api_error_of(r), "the store cannot be read: %s", strerror(-r));
	else
		request_json(request, 200, json_incref(run));
	request_unref(request);
}

void api_get_run(struct request *request)
{
	int r = policies_run_show(
		policies_of(request), request->subject, answer_run, request_ref(request));

	if (r < 0)
		answer_run(r, NULL, request);
}

void api_get_follow(struct request *request)
{
	int after, r;

	if (request_query_int(request, "after", 0, INT32_MAX, 0, &after) < 0)
		return;
	r = policies_run_follow(policies_of(request), request->subject, (uint64_t)after, answer_run,
		request_ref(request));
	if (r == 0)
		return;
	if (r == -ENOENT)
		request_fail(request, API_ERROR_NOT_FOUND,
			"no run '%s' is live, see GET "
			"/v1/runs/ID",
			request->subject);
	else
		request_fail(request, api_error_of(r), "too many follow runs now");
	request_unref(request);
}

void api_post_cancel(struct request *request)
{
	const char *comment = request_string(request, "comment");
	char author[ROLE_USER_BYTES], id[REQUEST_PATH_BYTES];
	struct tend_error err = {0};
	int r;

	(void)snprintf(id, sizeof(id), "%s", request->subject);
	r = policies_run_cancel(
		policies_of(request), id, api_author(request, author), comment, &err);
	if (r < 0)
		fail_with(request, r, &err);
	else
		request_json(request, 202, json_pack("{s:s}", "run", id));
}

static void answer_next(struct request *request)
{
	struct tend_error err = {0};
	json_t *rows;
	int n;

	if (request_query_int(request, "n", 1, NEXT_MAX, NEXT_DEFAULT, &n) < 0)
		return;
	rows = policies_next(policies_of(request), request->subject, n, &err);
	if (rows)
		request_json(request, 200, rows);
	else
		fail_with(request,
			err.text[0] && strstr(err.text, "there is no") ? -ENOENT : -EINVAL, &err);
}

void api_get_policy_next(struct request *request)
{
	api_when_read(request, answer_next);
}

void api_post_policy_enable(struct request *request)
{
	char author[ROLE_USER_BYTES];
	struct tend_error err = {0};
	int r = policies_enable(
		policies_of(request), request->subject, api_author(request, author), &err);

	if (r < 0)
		fail_with(request, r, &err);
	else
		request_json(request, 200,
			json_pack("{s:s, s:b}", "policy", request->subject, "enabled", 1));
}

void api_post_drain(struct request *request)
{
	struct policies *policies = policies_of(request);
	const json_t *on = json_object_get(request->json, "on");
	char author[ROLE_USER_BYTES];

	if (on && !json_is_boolean(on)) {
		request_fail(request, API_ERROR_INVALID, "'on' must be true or false");
		return;
	}
	policies_drain(policies, !on || json_is_true(on), api_author(request, author));
	request_json(request, 200, policies_drain_to_json(policies));
}
