/* SPDX-License-Identifier: MIT */
/* /v1/records/remove: an administrator takes back what a policy keeps. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "api/private.h"

enum { REMOVE_TEXT_BYTES = 500, REMOVE_MAX_NAME_BYTES = 200 };

/* What was asked, until it is known that there is such a record. */
struct removing {
	struct request *request;
	char *kind, *scope, *key;
	char author[ROLE_USER_BYTES], why[REMOVE_TEXT_BYTES];
};

static void removing_free(struct removing *one)
{
	request_unref(one->request);
	free(one->kind);
	free(one->scope);
	free(one->key);
	free(one);
}

static void remove_failed(struct removing *one, int r)
{
	request_fail(one->request, api_error_of(r), "it cannot be removed: %s", strerror(-r));
	removing_free(one);
}

static void on_removed(int r, void *data)
{
	struct removing *one = data;

	if (r == -EINPROGRESS)
		return;
	if (r < 0) {
		remove_failed(one, r);
		return;
	}
	log_notice("the %s '%s' of %s is removed by %s: %s", one->kind, one->key, one->scope,
		one->author, one->why);
	request_json(one->request, 200, json_pack("{s:b}", "removed", true));
	removing_free(one);
}

static void on_record(int r, json_t *rows, void *data)
{
	struct removing *one = data;
	struct store_batch *batch = NULL;

	if (r == 0 && json_array_size(rows) == 0) {
		request_fail(one->request, API_ERROR_NOT_FOUND,
			"%s has no %s '%s': see 'tendctl record list %s'", one->scope, one->kind,
			one->key, one->kind);
		removing_free(one);
		return;
	}
	if (r == 0)
		r = store_batch_new(&batch);
	if (r == 0)
		r = store_batch_add(
			batch, STORE_RECORD_DELETE, "sss", one->kind, one->scope, one->key);
	if (r == 0)
		r = store_commit(one->request->api->manager->store, TAKE(batch), on_removed, one);
	store_batch_free(batch);
	if (r < 0)
		remove_failed(one, r);
}

static void remove_begin(struct request *request, const char *kind, const char *scope,
	const char *key, const char *comment)
{
	struct removing *one = calloc(1, sizeof(*one));
	int r;

	if (!one) {
		request_fail(request, api_error_of(-ENOMEM), "it cannot be removed: no memory");
		return;
	}
	one->request = request_ref(request);
	one->kind = strdup(kind);
	one->scope = strdup(scope);
	one->key = strdup(key);
	str_sanitize(one->why, sizeof(one->why), comment, strlen(comment));
	api_author(request, one->author);
	r = one->kind && one->scope && one->key
		    ? store_read(request->api->manager->store, STORE_QUERY_RECORD_ONE, on_record,
			      one, "sss", kind, scope, key)
		    : -ENOMEM;
	if (r < 0)
		remove_failed(one, r);
}

static bool is_name(const char *text)
{
	return text && *text && strlen(text) <= REMOVE_MAX_NAME_BYTES;
}

void api_post_record_remove(struct request *request)
{
	const char *kind = request_string(request, "kind"), *key = request_string(request, "key");
	const char *scope = request_string(request, "scope");
	const char *comment = request_string(request, "comment");

	if (!is_name(kind) || !is_name(scope) || !is_name(key))
		request_fail(request, API_ERROR_INVALID,
			"'kind', 'scope' and 'key' are needed, as 'tendctl record list' shows "
			"them");
	else if (!comment || !*comment)
		request_fail(request, API_ERROR_INVALID, "a comment is needed: say why");
	else
		remove_begin(request, kind, scope, key, comment);
}
