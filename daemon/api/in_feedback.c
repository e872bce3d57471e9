/* SPDX-License-Identifier: MIT */
/* /v1/feedback: a user says that something does not work. It is a warning on the component, so it
 * opens an incident or joins the one that is there; and whoever reported it can ask what became of
 * it, by the reference. */
#include <errno.h>
#include <string.h>
#include "api/private.h"
#include "base/uuid.h"
#include "watch/event.h"

enum { TEXT_BYTES = 1001, CONTACT_BYTES = 201, LIST_DEFAULT = 100, LIST_MAX = 1000 };

/* ---- taking it ------------------------------------------------------------------------------ */

static struct check *check_at(const struct request *request, const char *component)
{
	return watch_find_event(request->api->manager->watch, component, EVENT_SOURCE_FEEDBACK, "");
}

static bool stands(const struct check *check)
{
	return check && check->report && state_failed(check->report->state);
}

/* A text of the body, of one line, or "" when it is optional; false: answered. */
static bool text_of(struct request *request, const char *key, bool required, char *buf, size_t size)
{
	const char *text = request_string(request, key);
	size_t len = text ? strlen(text) : 0;

	buf[0] = '\0';
	if (required && (len == 0 || strspn(text, " \t\r\n") == len)) {
		request_fail(request, API_ERROR_INVALID, "'%s' must be a text", key);
		return false;
	}
	if (len >= size) {
		request_fail(
			request, API_ERROR_INVALID, "'%s' has at most %zu bytes", key, size - 1);
		return false;
	}
	if (text)
		str_sanitize(buf, size, text, len);
	return true;
}

/* Told to the check: what it shows, and with it its incident. */
static int tell_check(struct request *request, const struct conf_component *component,
	enum tend_state state, double n, const char *text, struct store_batch *batch,
	struct tend_error *err, struct check **ret_check)
{
	struct manager *m = request->api->manager;
	const struct event_in in = {
		.source = EVENT_SOURCE_FEEDBACK,
		.fingerprint = "",
		.component = component,
		.state = state,
		.text = text,
		.ttl = m->conf->daemon.feedback_ttl,
		.max = EVENT_MAX,
		.count = n,
	};

	return watch_event(m->watch, &in, batch, ret_check, err);
}

static int take_feedback(struct request *request, const struct conf_component *component,
	const char *text, const char *contact, struct tend_error *err, char id[UUID_TEXT_BYTES])
{
	struct manager *m = request->api->manager;
	struct check *check = check_at(request, component->name);
	double n =
		stands(check) && check->report->n_metrics ? check->report->metrics[0].value + 1 : 1;
	const struct incident *open = incidents_at(m->incidents, component->name);
	auto(store_batch_free) struct store_batch *batch = NULL;
	auto_json json_t *doc = NULL;
	char author[ROLE_USER_BYTES], said[RESULT_TEXT_BYTES];
	struct incident *incident;
	int r = store_batch_new(&batch);

	uuid7(id);
	(void)snprintf(said, sizeof(said), "reported by %.0f %s, the last: %.400s", n,
		n > 1 ? "users" : "user", text);
	doc = json_pack("{s:s, s:s, s:s, s:s*}", "text", text, "contact", contact, "author",
		api_author(request, author), "incident", open ? open->id : NULL);
	if (r == 0)
		r = doc ? store_batch_add(batch, STORE_FEEDBACK_PUT, "ssij", id, component->name,
				  (int64_t)clock_wall(), doc)
			: -ENOMEM;
	if (r == 0)
		r = tell_check(request, component, TEND_STATE_WARNING, n, said, batch, err, &check);
	if (r == 0)
		r = store_commit(m->store, TAKE(batch), NULL, NULL);
	incident = r == 0 ? incidents_of_check(m->incidents, check->conf->name) : NULL;
	if (incident)
		incident_note(m->incidents, incident, "feedback", "%s", said);
	return r;
}

void api_post_feedback(struct request *request)
{
	const struct conf *conf = request->api->manager->conf;
	const char *name = request_string(request, "component");
	const struct conf_component *component = name ? map_get(&conf->components, name) : NULL;
	char text[TEXT_BYTES], contact[CONTACT_BYTES], id[UUID_TEXT_BYTES];
	struct tend_error err = {0};
	int r;

	if (!component) {
		request_fail(request, API_ERROR_UNPROCESSABLE,
			"there is no component '%s'; 'component' names one, as in crm/web",
			name ? name : "");
		return;
	}
	if (!text_of(request, "text", true, text, sizeof(text)) ||
		!text_of(request, "contact", false, contact, sizeof(contact)) ||
		!api_limit(request, API_INBOUND_FEEDBACK, NULL))
		return;
	r = take_feedback(request, component, text, contact, &err, id);
	if (r < 0)
		request_fail(request, api_error_of(r), "it was not taken: %s",
			err.text[0] ? err.text : strerror(-r));
	else
		request_json(request, 201,
			json_pack("{s:s, s:s, s:s}", "id", id, "component", component->name,
				"state", "received"));
}

/* ---- mended --------------------------------------------------------------------------------- */

/* Something that was measured has hung on it, and nothing measured fails any more. */
static bool is_mended(
	const struct manager *m, const struct incident *incident, const char *feedback)
{
	size_t n_measured = 0;

	MAP_FOREACH_KEY (&incident->members, slot) {
		const struct check *member = watch_find_check(m->watch, slot->key);

		if (!member || strcmp(slot->key, feedback) == 0)
			continue;
		if (state_failed(member->state.hard))
			return false;
		n_measured++;
	}
	return n_measured > 0;
}

void api_feedback_look(struct manager *m, const struct check *check)
{
	const struct conf_component *component = check->conf->component;
	struct check *feedback =
		watch_find_event(m->watch, component->name, EVENT_SOURCE_FEEDBACK, "");
	const struct incident *incident =
		stands(feedback) ? incidents_of_check(m->incidents, feedback->conf->name) : NULL;
	const struct event_in over = {
		.source = EVENT_SOURCE_FEEDBACK,
		.fingerprint = "",
		.component = component,
		.state = TEND_STATE_OK,
		.text = "what was found at the component is well again",
		.ttl = m->conf->daemon.feedback_ttl,
		.max = EVENT_MAX,
	};
	auto(store_batch_free) struct store_batch *batch = NULL;

	if (!incident || feedback == check || !is_mended(m, incident, feedback->conf->name) ||
		store_batch_new(&batch) < 0)
		return;
	if (watch_event(m->watch, &over, batch, &feedback, NULL) == 0)
		(void)store_commit(m->store, TAKE(batch), NULL, NULL);
}

/* ---- what became of it ---------------------------------------------------------------------- */

/* Where the report went. It names the incident that was there; else the first one that the check
 * of the reports hung on since. */
static const struct incident *incident_of(
	const struct request *request, const json_t *row, const json_t *doc)
{
	struct incidents *incidents = request->api->manager->incidents;
	const char *id = json_string_value(json_object_get(doc, "incident"));
	const char *component = json_string_value(json_object_get(row, "component"));
	usec_t at = (usec_t)json_integer_value(json_object_get(row, "at"));
	auto_free char *check = str_printf("%s/" EVENT_SOURCE_FEEDBACK, component);

	if (id)
		return incidents_find(incidents, id);
	VEC_FOREACH (incidents_recent(incidents), const struct incident *, incident)
		if (check && incident->closed_wall >= at && map_get(&incident->members, check))
			return incident;
	VEC_FOREACH (incidents_open(incidents), const struct incident *, incident)
		if (check && map_get(&incident->members, check))
			return incident;
	return NULL;
}

static json_t *show(const struct request *request, const json_t *row)
{
	const json_t *doc = json_object_get(row, "doc_json");
	const struct incident *incident = incident_of(request, row, doc);
	const json_t *answer = json_object_get(doc, "answer");
	const char *id = json_string_value(json_object_get(doc, "incident"));
	const char *kept = json_string_value(json_object_get(doc, "summary"));
	/* All that are open are remembered: one that is not has ended. */
	bool ended =
		incident ? incident->phase == INCIDENT_CLOSED : id || json_object_get(doc, "ended");
	bool closed = ended || json_is_true(json_object_get(answer, "close"));
	/* Who reported is not for everybody to read. */
	bool all = request->role >= ROLE_OPERATOR;

	return json_pack("{s:O, s:O, s:o, s:s, s:O?, s:s*, s:s*, s:s*, s:O*, s:O*, s:O*}", "id",
		json_object_get(row, "id"), "component", json_object_get(row, "component"), "at",
		api_time((usec_t)json_integer_value(json_object_get(row, "at"))), "state",
		closed	   ? "closed"
		: incident ? "open"
			   : "received",
		"text", json_object_get(doc, "text"), "incident", incident ? incident->id : id,
		"phase",
		incident ? incident_phase_names[incident->phase]
		: ended	 ? incident_phase_names[INCIDENT_CLOSED]
			 : NULL,
		"summary", incident ? incident->summary : kept, "answer",
		json_object_get(answer, "text"), "contact",
		all ? json_object_get(doc, "contact") : NULL, "author",
		all ? json_object_get(doc, "author") : NULL);
}

static void on_list(int r, json_t *rows, void *data)
{
	struct request *request = data;
	json_t *list = json_array(), *row;
	size_t i;

	if (r < 0) {
		json_decref(list);
		request_fail(
			request, api_error_of(r), "the store cannot be read: %s", strerror(-r));
	} else if (request->api) {
		json_array_foreach (rows, i, row)
			(void)json_array_append_new(list, show(request, row));
		request_json(request, 200, list);
	} else {
		json_decref(list);
	}
	request_unref(request);
}

void api_get_feedback(struct request *request)
{
	const char *component = request_query(request, "component");
	int limit, r;

	if (request_query_int(request, "limit", 1, LIST_MAX, LIST_DEFAULT, &limit) < 0)
		return;
	r = store_read(request->api->manager->store, STORE_QUERY_FEEDBACKS, on_list,
		request_ref(request), "si", component, (int64_t)limit);
	if (r < 0)
		on_list(r, NULL, request);
}

/* The row of a reference; NULL: answered. */
static const json_t *one_row(struct request *request, int r, const json_t *rows)
{
	const json_t *row = r < 0 ? NULL : json_array_get(rows, 0);

	if (r < 0)
		request_fail(
			request, api_error_of(r), "the store cannot be read: %s", strerror(-r));
	else if (!row)
		request_fail(
			request, API_ERROR_NOT_FOUND, "there is no report '%s'", request->subject);
	return row;
}

static void on_one(int r, json_t *rows, void *data)
{
	struct request *request = data;
	const json_t *row = one_row(request, r, rows);

	if (row && request->api)
		request_json(request, 200, show(request, row));
	request_unref(request);
}

static void read_one(struct request *request, store_rows_fn fn)
{
	int r = store_read(request->api->manager->store, STORE_QUERY_FEEDBACK_ONE, fn,
		request_ref(request), "s", request->subject);

	if (r < 0)
		fn(r, NULL, request);
}

void api_get_feedback_one(struct request *request)
{
	read_one(request, on_one);
}

/* ---- answering ------------------------------------------------------------------------------ */

static int keep_answer(struct request *request, const json_t *row, struct tend_error *err)
{
	struct manager *m = request->api->manager;
	const char *name = json_string_value(json_object_get(row, "component"));
	const struct conf_component *component = map_get(&m->conf->components, name);
	bool closes = json_is_true(json_object_get(request->json, "close"));
	auto_json json_t *doc = json_copy(json_object_get(row, "doc_json"));
	auto(store_batch_free) struct store_batch *batch = NULL;
	char text[TEXT_BYTES], author[ROLE_USER_BYTES];
	struct check *check = check_at(request, name);
	int r = store_batch_new(&batch);

	if (!text_of(request, "text", true, text, sizeof(text)))
		return 0;
	api_author(request, author);
	(void)json_object_set_new(doc, "answer",
		json_pack("{s:s, s:s, s:o, s:b}", "text", text, "author", author, "at",
			api_time(clock_wall()), "close", closes));
	if (r == 0)
		r = store_batch_add(batch, STORE_FEEDBACK_PUT, "ssij",
			json_string_value(json_object_get(row, "id")), name,
			(int64_t)json_integer_value(json_object_get(row, "at")), doc);
	if (r == 0 && closes && component && stands(check)) {
		auto_free char *said = str_printf("closed by %s: %s", author, text);

		r = tell_check(request, component, TEND_STATE_OK, 0, said ? said : text, batch, err,
			&check);
	}
	if (r == 0)
		r = store_commit(m->store, TAKE(batch), NULL, NULL);
	if (r == 0)
		request_json(
			request, 200, json_pack("{s:b, s:b}", "answered", true, "closed", closes));
	return r;
}

static void on_to_answer(int r, json_t *rows, void *data)
{
	struct request *request = data;
	const json_t *row = one_row(request, r, rows);
	struct tend_error err = {0};

	if (row && request->api) {
		r = keep_answer(request, row, &err);
		if (r < 0)
			request_fail(request, api_error_of(r), "it was not taken: %s",
				err.text[0] ? err.text : strerror(-r));
	}
	request_unref(request);
}

void api_post_feedback_answer(struct request *request)
{
	read_one(request, on_to_answer);
}
