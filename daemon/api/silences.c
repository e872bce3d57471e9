/* SPDX-License-Identifier: MIT */
/* /v1/silences: ad-hoc quiet, made and ended in the name of the peer; and taking an
 * acknowledgement back. */
#include <errno.h>
#include <string.h>
#include "alert/silence.h"
#include "api/private.h"
#include "telling.h"

enum { MAX_SECONDS = 366 * 86400 };

static struct silences *silences_of(const struct request *request)
{
	return alert_silences(request->api->manager->alert);
}

static void fail_with(struct request *request, int r, const struct tend_error *err)
{
	request_fail(request, r == -ENOSPC ? API_ERROR_CONFLICT : api_error_of(r), "%s",
		err->text[0] ? err->text : strerror(-r));
}

/* ---- times ---------------------------------------------------------------------------------- */

static bool time_of(struct request *request, const char *key, usec_t *ret_wall)
{
	const char *text = request_string(request, key);

	if (!json_object_get(request->json, key))
		return true;
	if (text && clock_parse(text, ret_wall) == 0)
		return true;
	request_fail(
		request, API_ERROR_INVALID, "'%s' must be a time, as in 2026-12-01T02:00:00Z", key);
	return false;
}

bool api_end_of(struct request *request, usec_t *ret_wall)
{
	const json_t *seconds = json_object_get(request->json, "for");

	if (seconds && (!json_is_integer(seconds) || json_integer_value(seconds) < 1 ||
			       json_integer_value(seconds) > MAX_SECONDS)) {
		request_fail(request, API_ERROR_INVALID,
			"'for' must be a number of seconds, at most %d", MAX_SECONDS);
		return false;
	}
	if (seconds)
		*ret_wall = clock_wall() + (usec_t)json_integer_value(seconds) * USEC_PER_SEC;
	return time_of(request, "until", ret_wall);
}

/* ---- reading -------------------------------------------------------------------------------- */

static json_t *matched(const struct manager *m, const struct silence *silence)
{
	json_t *list = json_array();

	VEC_FOREACH (incidents_open(m->incidents), const struct incident *, incident) {
		auto_json json_t *labels = NULL;

		if (telling_labels(m, incident, &labels) == 0 &&
			matchers_fit(silence->matchers, labels, NULL))
			(void)json_array_append_new(list, json_string(incident->id));
	}
	return list;
}

static json_t *show(const struct request *request, const struct silence *silence)
{
	json_t *object = silence_to_json(silence);

	(void)json_object_set_new(object, "incidents", matched(request->api->manager, silence));
	return object;
}

/* ?all=1: also those that have ended. */
void api_get_silences(struct request *request)
{
	const char *all = request_query(request, "all");
	json_t *list = json_array();

	VEC_FOREACH (silences_list(silences_of(request)), const struct silence *, silence)
		if (all || silence_state(silence, clock_wall()) != SILENCE_ENDED)
			(void)json_array_append_new(list, silence_to_json(silence));
	request_json(request, 200, list);
}

void api_get_silence(struct request *request)
{
	const struct silence *silence = silences_find(silences_of(request), request->subject);

	if (!silence)
		request_fail(request, API_ERROR_NOT_FOUND,
			"there is no silence '%s', or several begin like it", request->subject);
	else
		request_json(request, 200, show(request, silence));
}

/* ---- acts ----------------------------------------------------------------------------------- */

static void on_kept(int r, const struct silence *silence, void *data)
{
	struct request *request = data;

	if (!request->server) {
		request_unref(request);
		return;
	}
	if (r < 0)
		request_fail(request, API_ERROR_UNAVAILABLE,
			"the store cannot write it, so it does not count: %s", strerror(-r));
	else
		request_json(request, 200, show(request, silence));
	request_unref(request);
}

/* Matchers as one text, or as a list of such, as amtool's arguments. */
static char *matchers_of(const struct request *request)
{
	json_t *member = json_object_get(request->json, "matchers"), *one;
	auto_str struct str text = STR_INIT(2 * MATCH_TEXT_BYTES);
	size_t i;

	if (json_is_string(member))
		return strdup(json_string_value(member));
	json_array_foreach (member, i, one) {
		if (!json_is_string(one) ||
			str_appendf(&text, "%s%s", i ? ", " : "", json_string_value(one)) < 0)
			return NULL;
	}
	return text.len ? str_take(&text) : NULL;
}

void api_post_silence(struct request *request)
{
	char author[ROLE_USER_BYTES];
	auto_free char *matchers = matchers_of(request);
	struct silence_wanted wanted = {
		.matchers = matchers,
		.author = api_author(request, author),
		.comment = request_string(request, "comment"),
		.starts_wall = clock_wall(),
		.until_resolved = json_is_true(json_object_get(request->json, "until_resolved")),
	};
	struct tend_error err = {0};
	int r;

	if (!time_of(request, "starts", &wanted.starts_wall) ||
		!api_end_of(request, &wanted.ends_wall))
		return;
	if (!wanted.ends_wall) {
		request_fail(request, API_ERROR_INVALID,
			"how long? 'for' (seconds) or 'until' (a time) is needed");
		return;
	}
	r = silences_add(silences_of(request), &wanted, on_kept, request_ref(request), &err);
	if (r < 0) {
		fail_with(request, r, &err);
		request_unref(request);
	}
}

void api_post_silence_expire(struct request *request)
{
	char author[ROLE_USER_BYTES];
	struct tend_error err = {0};
	int r = silences_expire(silences_of(request), request->subject, api_author(request, author),
		on_kept, request_ref(request), &err);

	if (r < 0) {
		fail_with(request, r, &err);
		request_unref(request);
	}
}

void api_post_unacknowledge(struct request *request)
{
	struct incidents *incidents = request->api->manager->incidents;
	struct incident *incident = incidents_find(incidents, request->subject);
	char author[ROLE_USER_BYTES];
	struct tend_error err = {0};
	int r;

	if (!incident) {
		request_fail(request, API_ERROR_NOT_FOUND,
			"there is no incident '%s', open or recent, or several begin like it",
			request->subject);
		return;
	}
	r = incident_unacknowledge(incidents, incident, api_author(request, author),
		request_string(request, "comment"), &err);
	if (r < 0) {
		fail_with(request, r, &err);
		return;
	}
	telling_look(request->api->manager->telling);
	request_json(request, 200, incident_to_json(incident, true));
}
