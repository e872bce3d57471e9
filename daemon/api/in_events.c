/* SPDX-License-Identifier: MIT */
/* /v1/events: other systems push what they found out: see api/inbound.h. */
#include <errno.h>
#include <string.h>
#include "api/inbound.h"
#include "api/private.h"

enum { MAX_UNKNOWN = 10 }; /* that are shown */

/* Looks at all of them, so that the time it takes says nothing. */
static const struct conf_source *source_of_token(const struct conf *conf, const char *token)
{
	const struct conf_source *found = NULL;

	MAP_FOREACH (&conf->sources, const struct conf_source *, source)
		if (str_equal_secret(token, source->token))
			found = source;
	return found;
}

/* Whose token came along; or, for an operator, the one that ?source= names. NULL: answered. */
static const struct conf_source *find_source(struct request *request)
{
	const struct conf *conf = request->api->manager->conf;
	const char *authorization = request_header(request, "Authorization");
	const char *name = request_query(request, "source");
	const struct conf_source *source = NULL;

	if (authorization && strncmp(authorization, "Bearer ", 7) == 0)
		source = source_of_token(conf, authorization + 7);
	if (!source && name && request->role >= ROLE_OPERATOR)
		source = map_get(&conf->sources, name);
	else
		name = NULL;
	if (!api_limit(request, API_INBOUND_EVENTS, source ? source->name : NULL))
		return NULL;
	if (!source && name)
		request_fail(request, API_ERROR_NOT_FOUND, "there is no source '%s'", name);
	else if (!source)
		request_fail(request, API_ERROR_UNAUTHENTICATED,
			"the bearer token of a [source] is needed");
	return source;
}

struct taken {
	size_t n_taken, n_ignored, n_refused;
	json_t *problems;
	enum api_error error;
};

static void refuse(struct taken *taken, enum api_error error, const char *why)
{
	taken->n_refused++;
	taken->error = error;
	if (json_array_size(taken->problems) < MAX_UNKNOWN)
		(void)json_array_append_new(taken->problems, json_string(why ? why : ""));
}

static void take(struct watch *watch, const struct conf_source *source,
	const struct inbound_event *event, struct store_batch *batch, struct taken *taken)
{
	const struct event_in in = {
		.source = source->name,
		.fingerprint = event->fingerprint,
		.component = event->component,
		.state = event->state,
		.text = event->text,
		.labels = event->told,
		.ttl = source->ttl,
		.max = source->max,
	};
	struct tend_error err = {0};
	struct check *check;
	int r;

	if (event->refused) {
		refuse(taken, API_ERROR_UNPROCESSABLE, event->text);
		return;
	}
	/* The end of what stands is taken though nothing says any more where it would be put. */
	r = watch_event(watch, &in, batch, &check, &err);
	if (event->ignored && (r == 0 || r == -ENOENT)) {
		taken->n_ignored++;
	} else if (r == -ENOENT) {
		auto_free char *advice = inbound_advice(source, event);

		refuse(taken, API_ERROR_UNPROCESSABLE, advice);
	} else if (r < 0) {
		refuse(taken, r == -ENOBUFS ? API_ERROR_LIMITED : api_error_of(r),
			err.text[0] ? err.text : strerror(-r));
	} else {
		taken->n_taken++;
	}
}

static void answer(struct request *request, const struct conf_source *source, struct taken *taken)
{
	auto_json json_t *problems = taken->problems;
	const char *first = json_string_value(json_array_get(problems, 0));
	json_t *counts;

	if (taken->n_refused)
		log_warning("source '%s': %zu of its events are not taken: %.500s", source->name,
			taken->n_refused, first ? first : "");
	counts = json_pack("{s:I, s:I, s:I}", "accepted", (json_int_t)taken->n_taken, "ignored",
		(json_int_t)taken->n_ignored, "refused", (json_int_t)taken->n_refused);
	if (counts && taken->n_refused)
		(void)json_object_update_new(
			counts, json_pack("{s:{s:s, s:s}, s:O}", "error", "code",
					api_error_name(taken->error), "message", first ? first : "",
					"problems", problems));
	request_json(request, taken->n_refused ? api_error_status(taken->error) : 200, counts);
}

void api_post_events(struct request *request)
{
	const struct manager *m = request->api->manager;
	const struct conf_source *source = find_source(request);
	auto(store_batch_free) struct store_batch *batch = NULL;
	struct inbound inbound = {0};
	struct taken taken = {.problems = json_array()};
	struct tend_error err = {0};
	int r;

	if (!source) {
		json_decref(taken.problems);
		return;
	}
	r = inbound_parse(m->conf, source, request->body.len ? request->body.data : "",
		request->body.len, &err, &inbound);
	if (r == 0)
		r = store_batch_new(&batch);
	for (size_t i = 0; i < inbound.n && r == 0; i++)
		take(m->watch, source, &inbound.events[i], batch, &taken);
	inbound_clear(&inbound);
	if (r == 0)
		r = store_commit(m->store, TAKE(batch), NULL, NULL);
	if (r < 0) {
		json_decref(taken.problems);
		request_fail(request, r == -E2BIG ? API_ERROR_TOO_LARGE : api_error_of(r), "%s",
			err.text[0] ? err.text : strerror(-r));
		return;
	}
	answer(request, source, &taken);
}
