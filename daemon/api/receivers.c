/* SPDX-License-Identifier: MIT */
/* Was it delivered? And: is it, now, when a notice is sent by hand? */
#include <errno.h>
#include <string.h>
#include "api/private.h"

enum { ID_MIN_BYTES = 8 };

static void on_delivery(int r, json_t *doc, void *data)
{
	auto(request_unref) struct request *request = data;

	if (r == -ENOTUNIQ)
		request_fail(request, API_ERROR_CONFLICT, "several notices begin with '%s'",
			request->subject);
	else if (r < 0)
		request_fail(
			request, api_error_of(r), "the ledger cannot be read: %s", strerror(-r));
	else if (json_array_size(json_object_get(doc, "deliveries")) == 0)
		request_fail(request, API_ERROR_NOT_FOUND,
			"there is no notice '%s' that was to go to anybody", request->subject);
	else
		request_json(request, 200, json_incref(doc));
}

void api_get_delivery(struct request *request)
{
	int r;

	if (strlen(request->subject) < ID_MIN_BYTES) {
		request_fail(request, API_ERROR_INVALID,
			"at least %d characters of an id are needed", ID_MIN_BYTES);
		return;
	}
	r = alert_delivery(
		request->api->manager->alert, request->subject, on_delivery, request_ref(request));
	if (r < 0)
		on_delivery(r, NULL, request);
}

struct asked {
	struct request *request;
	char id[UUID_TEXT_BYTES];
};

static void on_tested(const char *state, unsigned n_tries, const char *error, void *data)
{
	struct asked *asked = data;

	request_json(asked->request, 200,
		json_pack("{s:s, s:s, s:s, s:I, s:s?}", "notice", asked->id, "receiver",
			asked->request->subject, "state", state, "tries", (json_int_t)n_tries,
			"error", *error ? error : NULL));
	request_unref(asked->request);
	free(asked);
}

void api_post_receiver_test(struct request *request)
{
	struct asked *asked = calloc(1, sizeof(*asked));
	struct alert_test *test;
	int r = asked ? 0 : -ENOMEM;

	if (r == 0) {
		asked->request = request_ref(request);
		r = alert_test_start(request->api->manager->alert, request->subject, on_tested,
			asked, asked->id, &test);
	}
	if (r == 0)
		return;
	if (r == -ENOENT)
		request_fail(request, API_ERROR_NOT_FOUND, "there is no receiver '%s'",
			request->subject);
	else if (r == -EBUSY)
		request_fail(request, API_ERROR_UNAVAILABLE,
			"too many tests at once, try again in a few seconds");
	else
		request_fail(request, api_error_of(r), "cannot test '%s': %s", request->subject,
			strerror(-r));
	if (asked)
		request_unref(asked->request);
	free(asked);
}
