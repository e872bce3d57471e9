/* SPDX-License-Identifier: MIT */
/* The POSTs: each is done in the name of the peer, never of an argument. */
#include <errno.h>
#include <string.h>
#include "api/private.h"

enum { COMMENT_BYTES = 1000 };

const char *api_author(const struct request *request, char buf[ROLE_USER_BYTES])
{
	if (request->origin == ORIGIN_TCP)
		(void)snprintf(buf, ROLE_USER_BYTES, "http token");
	else
		role_user_name(request->uid, buf);
	return buf;
}

/* The comment that an act needs; false: answered. */
static bool comment_of(struct request *request, char buf[COMMENT_BYTES])
{
	const char *comment = request_string(request, "comment");
	size_t len = comment ? strlen(comment) : 0;

	if (len == 0 || strspn(comment, " \t\r\n") == len) {
		request_fail(request, API_ERROR_INVALID,
			"a comment is needed: say why, for those who look later");
		return false;
	}
	if (len >= COMMENT_BYTES) {
		request_fail(request, API_ERROR_INVALID, "a comment has at most %d bytes",
			COMMENT_BYTES - 1);
		return false;
	}
	str_sanitize(buf, COMMENT_BYTES, comment, len);
	return true;
}

static void fail_with(struct request *request, int r, const struct tend_error *err)
{
	request_fail(request, api_error_of(r), "%s", err->text[0] ? err->text : strerror(-r));
}

static void on_check_run(int r, struct check *check, void *data)
{
	struct request *request = data;

	if (r < 0 || !check)
		request_fail(request, api_error_of(r < 0 ? r : -ENOENT),
			"check '%s' was not run: %s", request->subject,
			strerror(r < 0 ? -r : ENOENT));
	else
		request_json(request, 200, watch_check_to_json(check, true));
	request_unref(request);
}

void api_post_check_run(struct request *request)
{
	struct watch *watch = request->api->manager->watch;
	const struct check *check = watch_find_check(watch, request->subject);
	int r;

	if (!check) {
		request_fail(
			request, API_ERROR_NOT_FOUND, "there is no check '%s'", request->subject);
		return;
	}
	/* One that runs already is waited for first. */
	request->wait_usec = 2 * check->conf->timeout + REQUEST_WAIT_USEC;
	r = watch_run_now(watch, request->subject, clock_now(), on_check_run, request_ref(request));
	if (r < 0)
		on_check_run(r, NULL, request);
}

void api_post_acknowledge(struct request *request)
{
	struct incidents *incidents = request->api->manager->incidents;
	struct incident *incident = incidents_find(incidents, request->subject);
	char author[ROLE_USER_BYTES], comment[COMMENT_BYTES];
	struct incident_ack ack = {.author = author,
		.comment = comment,
		.sticky = json_is_true(json_object_get(request->json, "sticky"))};
	struct tend_error err = {0};
	int r;

	if (!incident) {
		request_fail(request, API_ERROR_NOT_FOUND,
			"there is no incident '%s', open or recent, or several begin like it",
			request->subject);
		return;
	}
	if (!comment_of(request, comment) || !api_end_of(request, &ack.until_wall))
		return;
	(void)api_author(request, author);
	r = incident_acknowledge(incidents, incident, &ack, &err);
	if (r < 0)
		fail_with(request, r, &err);
	else
		request_json(request, 200, incident_to_json(incident, true));
}

static void start_policy(struct request *request)
{
	struct policies *policies = request->api->manager->policies;
	const json_t *target = json_object_get(request->json, "target");
	json_t *params = json_object_get(request->json, "params");
	struct policies_request start = {
		.name = request->subject,
		.target = json_string_value(target),
		.params = json_is_object(params) ? params : NULL,
		.dry = json_is_true(json_object_get(request->json, "dry_run")),
	};
	char author[ROLE_USER_BYTES], run[UUID_TEXT_BYTES] = "";
	struct tend_error err = {0};
	int r;

	if (target && !json_is_string(target) && !json_is_null(target)) {
		request_fail(request, API_ERROR_INVALID, "'target' must be a component or a check");
		return;
	}
	if (params && !json_is_object(params) && !json_is_null(params)) {
		request_fail(request, API_ERROR_INVALID, "'params' must be an object");
		return;
	}
	start.author = api_author(request, author);
	r = policies_start(policies, &start, run, &err);
	if (r < 0)
		fail_with(request, r, &err);
	else
		request_json(request, 202, json_pack("{s:s}", "run", run));
}

void api_post_policy_run(struct request *request)
{
	api_when_read(request, start_policy);
}

static void on_switch_kept(int r, void *data)
{
	struct request *request = data;
	struct policies *policies = request->api->manager->policies;

	if (r < 0)
		request_fail(request, API_ERROR_UNAVAILABLE,
			"actions are %s now, but that is not kept over a restart: the store cannot "
			"write: %s",
			policies_actions_enabled(policies) ? "on" : "off", strerror(-r));
	else
		request_json(request, 200, policies_actions_to_json(policies));
	request_unref(request);
}

void api_post_pause(struct request *request)
{
	struct policies *policies = request->api->manager->policies;
	char author[ROLE_USER_BYTES], comment[COMMENT_BYTES];
	struct tend_error err = {0};
	int r;

	if (!comment_of(request, comment))
		return;
	r = policies_pause(policies, api_author(request, author), comment, on_switch_kept,
		request_ref(request), &err);
	if (r < 0) {
		fail_with(request, r, &err);
		request_unref(request);
	}
}

void api_post_resume(struct request *request)
{
	struct policies *policies = request->api->manager->policies;
	char author[ROLE_USER_BYTES];
	struct tend_error err = {0};
	int r = policies_resume(
		policies, api_author(request, author), on_switch_kept, request_ref(request), &err);

	if (r < 0) {
		fail_with(request, r, &err);
		request_unref(request);
	}
}

void api_post_reload(struct request *request)
{
	struct api *api = request->api;
	int r = vec_push(&api->reload_waiters, request_ref(request));

	if (r < 0) {
		request_fail(request, api_error_of(r), "no memory");
		request_unref(request);
		return;
	}
	api_author(request, api->reload_author);
	loop_defer_set(api->reload_defer, true);
}
