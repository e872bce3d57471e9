/* SPDX-License-Identifier: MIT */
/* /v1/records: what policies keep; /v1/findings/accept: a person lives with a finding until a day.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "api/private.h"

enum { RECORDS_MAX = 1000, RECORDS_DEFAULT = 100, ACCEPT_TEXT_BYTES = 500 };

static json_t *record_to_json(json_t *row)
{
	json_t *doc = json_object_get(row, "doc_json");

	return json_pack("{s:O?, s:O?, s:O?, s:o, s:O?, s:O?, s:O?}", "kind",
		json_object_get(row, "kind"), "scope", json_object_get(row, "scope"), "key",
		json_object_get(row, "key"), "at",
		api_time((usec_t)json_integer_value(json_object_get(row, "at"))), "value",
		json_object_get(doc, "value"), "policy", json_object_get(doc, "policy"), "author",
		json_object_get(doc, "author"));
}

static void answer_records(int r, json_t *rows, void *data)
{
	json_t *list = json_array(), *row;
	size_t i;

	json_array_foreach (rows, i, row)
		(void)json_array_append_new(list, record_to_json(row));
	api_answer_rows(r, list, data);
	json_decref(list);
}

void api_get_records(struct request *request)
{
	struct store *store = request->api->manager->store;
	const char *kind = request_query(request, "kind"), *scope = request_query(request, "scope");
	const char *key = request_query(request, "key");
	int limit, r;

	if (request_query_int(request, "limit", 1, RECORDS_MAX, RECORDS_DEFAULT, &limit) < 0)
		return;
	if (!kind) {
		request_fail(request, API_ERROR_INVALID,
			"a kind is needed: note, backup, inventory, baseline, report, finding or "
			"exception");
		return;
	}
	if (key && !scope) {
		request_fail(request, API_ERROR_INVALID, "a key is of a scope, which is needed");
		return;
	}
	if (key)
		r = store_read(store, STORE_QUERY_RECORD_ONE, answer_records, request_ref(request),
			"sss", kind, scope, key);
	else
		r = store_read(store, STORE_QUERY_RECORDS, answer_records, request_ref(request),
			"ssi", kind, scope, (int64_t)limit);
	if (r < 0)
		api_answer_rows(r, NULL, request);
}

/* "2026-12-31", a day that is none is refused by the calendar's own reader. */
static bool is_day(const char *text)
{
	char full[CLOCK_TEXT_BYTES];
	usec_t wall;

	if (strlen(text) != strlen("2026-12-31"))
		return false;
	(void)snprintf(full, sizeof(full), "%sT00:00:00Z", text);
	return clock_parse(full, &wall) == 0 && strncmp(clock_format(wall, full), text, 10) == 0;
}

/* What was asked, until it is known that there is such a finding. */
struct accepting {
	struct request *request;
	char *scope, *key, *until;
	char author[ROLE_USER_BYTES], why[ACCEPT_TEXT_BYTES];
};

static struct accepting *accepting_free(struct accepting *a)
{
	if (a) {
		request_unref(a->request);
		free(a->scope);
		free(a->key);
		free(a->until);
		free(a);
	}
	return NULL;
}

static void accept_failed(struct accepting *a, int r)
{
	request_fail(a->request, api_error_of(r), "that cannot be kept: %s", strerror(-r));
	accepting_free(a);
}

static void on_accepted(int r, void *data)
{
	struct accepting *a = data;

	if (r == -EINPROGRESS)
		return;
	if (r < 0) {
		accept_failed(a, r);
		return;
	}
	log_notice("finding '%s' of %s is accepted until %s by %s: %s", a->key, a->scope, a->until,
		a->author, a->why);
	request_json(a->request, 200, json_pack("{s:b}", "accepted", true));
	accepting_free(a);
}

static void on_finding(int r, json_t *rows, void *data)
{
	struct accepting *a = data;
	struct store_batch *batch = NULL;
	auto_json json_t *doc = NULL;

	if (r == 0 && json_array_size(rows) == 0) {
		request_fail(a->request, API_ERROR_NOT_FOUND,
			"%s has no finding '%s': see 'tendctl finding list'", a->scope, a->key);
		accepting_free(a);
		return;
	}
	doc = json_pack("{s:{s:s, s:s, s:s}, s:s}", "value", "until_date", a->until, "why", a->why,
		"author", a->author, "author", a->author);
	if (r == 0)
		r = doc ? store_batch_new(&batch) : -ENOMEM;
	if (r == 0)
		r = store_batch_add(batch, STORE_RECORD_PUT, "sssij", "exception", a->scope, a->key,
			(int64_t)clock_wall(), doc);
	if (r == 0)
		r = store_commit(a->request->api->manager->store, TAKE(batch), on_accepted, a);
	store_batch_free(batch);
	if (r < 0)
		accept_failed(a, r);
}

static void accept_begin(struct request *request, const char *scope, const char *key,
	const char *until, const char *comment)
{
	struct accepting *a = calloc(1, sizeof(*a));
	int r;

	if (!a) {
		request_fail(request, api_error_of(-ENOMEM), "that cannot be kept: no memory");
		return;
	}
	a->request = request_ref(request);
	a->scope = strdup(scope);
	a->key = strdup(key);
	a->until = strdup(until);
	str_sanitize(a->why, sizeof(a->why), comment, strlen(comment));
	api_author(request, a->author);
	r = a->scope && a->key && a->until
		    ? store_read(request->api->manager->store, STORE_QUERY_RECORD_ONE, on_finding,
			      a, "sss", "finding", scope, key)
		    : -ENOMEM;
	if (r < 0)
		accept_failed(a, r);
}

void api_post_accept(struct request *request)
{
	const char *scope = request_string(request, "scope"), *key = request_string(request, "key");
	const char *until = request_string(request, "until");
	const char *comment = request_string(request, "comment");
	char today[CLOCK_TEXT_BYTES];

	if (!scope || !key || !*scope || !*key || strlen(scope) > 200 || strlen(key) > 200)
		request_fail(request, API_ERROR_INVALID,
			"'scope' and 'key' of the finding are needed, as 'tendctl finding list' "
			"shows them");
	else if (!until || !is_day(until))
		request_fail(request, API_ERROR_INVALID,
			"'until' must be a day as in 2026-12-31: an exception has an end");
	else if (strncmp(until, clock_format(clock_wall(), today), strlen(until)) < 0)
		request_fail(request, API_ERROR_INVALID, "%s is over", until);
	else if (!comment || !*comment)
		request_fail(request, API_ERROR_INVALID, "a comment is needed: say why");
	else
		accept_begin(request, scope, key, until, comment);
}
