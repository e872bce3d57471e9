/* SPDX-License-Identifier: MIT */
/*
 * alert/test_notice.c: a notice by hand to one receiver, whose asker waits for the outcome. A test
 * ends by that, by its time, or by whoever began it; the notice itself is as any other.
 */
#include <string.h>
#include "alert/private.h"
#include "base/clock.h"
#include "base/str.h"

enum { MAX_TESTS = 16 };
#define TEST_WAIT (10 * USEC_PER_SEC)

struct alert_test {
	struct alert *alert;
	char id[UUID_TEXT_BYTES];
	struct delivery *delivery; /* held */
	struct loop_source *timer;
	alert_test_fn fn;
	void *data;
};

static struct alert_test *test_free(struct alert_test *test)
{
	if (!test)
		return NULL;
	loop_source_free(test->timer);
	delivery_unref(test->delivery);
	free(test);
	return NULL;
}
DEFINE_AUTO(struct alert_test *, test_free)

void alert_test_cancel(struct alert_test *test)
{
	struct vec *tests = &test->alert->tests;

	for (size_t i = 0; i < tests->len; i++)
		if (tests->items[i] == test) {
			vec_remove(tests, i);
			test_free(test);
			return;
		}
}

static void test_end(struct alert_test *test, const char *state)
{
	alert_test_fn fn = test->fn;
	auto(delivery_unref) struct delivery *d = delivery_ref(test->delivery);
	void *data = test->data;

	alert_test_cancel(test);
	fn(state, d->n_tries, d->error, data);
}

static void on_timeout(void *data)
{
	test_end(data, delivery_state_names[DELIVERY_WAITING]);
}

void test_notice_settled(struct delivery *d)
{
	struct vec *tests = &d->receiver->alert->tests;

	for (size_t i = 0; i < tests->len; i++) {
		struct alert_test *test = tests->items[i];

		if (test->delivery == d) {
			test_end(test, delivery_state_names[d->state]);
			return;
		}
	}
}

void test_notices_clear(struct alert *alert)
{
	VEC_FOREACH (&alert->tests, struct alert_test *, test) {
		test_free(test);
	}
	vec_clear(&alert->tests);
}

static int queue_test(struct receiver *receiver, struct alert_test *test)
{
	auto(record_unref) struct record *record = NULL;
	auto_free char *text = str_printf("a test of receiver '%s'", receiver->name);
	struct notice notice = {.kind = NOTICE_TEST,
		.severity = SEVERITY_INFO,
		.fingerprint = "daemon/test",
		.text = text,
		.wall = clock_wall()};
	int r;

	if (!text)
		return -ENOMEM;
	uuid7(notice.id);
	memcpy(test->id, notice.id, sizeof(test->id));
	r = record_new(&notice, &record);
	if (r == 0)
		r = record_note_receiver(record, receiver->name);
	if (r >= 0)
		r = alert_queue_now(receiver->alert, record, receiver);
	if (r < 0)
		return r;
	/* It has just been added, and the loop has not turned. */
	for (struct delivery *d = receiver->outbox.newest; d; d = d->older)
		if (d->record == record) {
			test->delivery = delivery_ref(d);
			return 0;
		}
	return -ENOBUFS;
}

int alert_test_start(struct alert *alert, const char *name, alert_test_fn fn, void *data,
	char ret_id[UUID_TEXT_BYTES], struct alert_test **ret_test)
{
	auto(test_free) struct alert_test *test = NULL;
	struct receiver *receiver = alert_find_receiver(alert, name);
	int r;

	if (!receiver || !receiver->conf)
		return -ENOENT;
	if (alert->tests.len >= MAX_TESTS)
		return -EBUSY;
	test = calloc(1, sizeof(*test));
	if (!test)
		return -ENOMEM;
	test->alert = alert;
	test->fn = fn;
	test->data = data;
	r = loop_timer_new(alert->deps.loop, on_timeout, test, &test->timer);
	if (r == 0)
		r = queue_test(receiver, test);
	if (r == 0)
		r = vec_push(&alert->tests, test);
	if (r < 0)
		return r;
	loop_source_name(test->timer, "receiver-test");
	loop_timer_set(test->timer, clock_now() + TEST_WAIT);
	memcpy(ret_id, test->id, sizeof(test->id));
	*ret_test = TAKE(test);
	return 0;
}
