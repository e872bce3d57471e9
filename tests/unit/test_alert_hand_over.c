/* SPDX-License-Identifier: MIT */
/* What a receiver does not get goes to its fallback: some at a time, and of what is shed as much as
 * there is room for. */
#include "alert_fixture.h"
#include "alert/private.h"
#include "base/clock.h"
#include "base/log.h"

enum { MANY = 20000, AT_ONCE = 200, SHIPMENT = 2000 };

static void change_conf(struct world *w, const char *text)
{
	struct conf *conf = load_conf(w, text);

	assert_int_equal(alert_apply(w->alert, conf), 0);
	conf_unref(w->conf);
	w->conf = conf;
}

static void add_of(struct world *w, enum notice_kind kind, unsigned i, enum conf_severity severity)
{
	auto_free char *incident = str_printf("i%u", i);
	struct notice n = {.kind = kind,
		.severity = severity,
		.fingerprint = incident,
		.incident_id = incident,
		.component = "crm/web",
		.text = "t"};

	assert_true(alert_add(w->alert, &n, NULL) >= 0);
}

/* Many that wait for one that is taken out: the loop turns meanwhile, and all of it gets there. */
static void drain_many(struct world *w, const char *options, size_t most)
{
	auto_free char *only_b =
		str_printf(RECEIVER("b", "") "[route r]\nreceivers = b\n", free_port(), w->f->dir);
	auto_free char *both = str_printf(RECEIVER("a", "fallback = b\n%s")
						  RECEIVER("b", "") "[route r]\nreceivers = a\n",
		free_port(), w->f->dir, options, free_port(), w->f->dir);
	struct receiver *a;

	world_open(w, "%s", both);
	a = alert_find_receiver(w->alert, "a");
	for (unsigned i = 0; i < MANY; i++) {
		add_of(w, NOTICE_INCIDENT_RAISED, i, SEVERITY_CRITICAL);
		if (i % 100 == 0)
			assert_true(loop_turn(w->f->loop, 0) >= 0);
	}
	WAIT_FOR(w->f->loop, w->alert->tokens.len == 0);
	WAIT_FOR(w->f->loop, a->breaker_open);
	assert_int_equal(a->outbox.n_waiting, MANY);
	for (bool begun = false; a->outbox.n_waiting > 0 || a->outbox.n_in_flight > 0;
		begun = true) {
		size_t before = a->outbox.n_waiting;

		if (!begun)
			change_conf(w, only_b);
		else
			assert_true(loop_turn(w->f->loop, 100 * USEC_PER_MSEC) >= 0);
		assert_in_range(before - a->outbox.n_waiting, 0, most);
	}
	WAIT_FOR(w->f->loop, alert_find_receiver(w->alert, "b")->outbox.n_waiting == MANY);
	assert_false(alert_any_abandoned(w->alert));
}

static void test_many_alone(void **state)
{
	drain_many(*state, "storm_burst = 0", AT_ONCE);
}

static void test_many_gathered(void **state)
{
	drain_many(*state, "", AT_ONCE + SHIPMENT);
}

/* What is shed goes to the fallback as far as there is room, with its end, and nothing of what the
 * fallback has is shed for it; what is over by then does not go. It hears how much it was. */
static void test_shed(void **state)
{
	enum { N = 260, ROWS = 100, ROOM = 50 };
	struct world *w = *state;
	int b = sink_start(w, 0, "wait-204");
	struct receiver *to;
	json_t *data = NULL;
	size_t n_raised = 0;

	world_open(w,
		RECEIVER("a", "fallback = b\noutbox_rows = 100\nstorm_burst = 0")
			RECEIVER("b", "outbox_rows = 100\nstorm_burst = 0") "[route r]\n"
									    "receivers = a\n",
		free_port(), w->f->dir, b, w->f->dir);
	to = alert_find_receiver(w->alert, "b");
	for (unsigned i = 0; i < N; i++) {
		add_of(w, NOTICE_INCIDENT_RAISED, i, i < 20 ? SEVERITY_WARNING : SEVERITY_CRITICAL);
		if (i == 110) /* of the first to be shed: it is over before the loop turns */
			add_of(w, NOTICE_INCIDENT_CLEARED, 3, SEVERITY_WARNING);
	}
	assert_int_equal(alert_find_receiver(w->alert, "a")->n_shed, N - ROWS);
	WAIT_FOR(w->f->loop,
		alert_find_receiver(w->alert, "a")->leaving.len == 0 && to->sequence > ROOM);
	assert_int_equal(to->n_shed, 0);
	assert_int_equal(to->sequence, ROOM + 1); /* and that a fails */
	write_file(w, "sink.0.go", "");
	WAIT_FOR(w->f->loop, to->outbox.n_waiting == 0);
	add_of(w, NOTICE_INCIDENT_CLEARED, 5, SEVERITY_WARNING);
	WAIT_FOR(w->f->loop, sink_n(w, 0) == ROOM + 2 && to->outbox.n_waiting == 0);
	auto_json json_t *log = sink_log(w, 0);
	for (size_t i = 0; i < json_array_size(log); i++) {
		json_t *one = entry_data(log, i);
		const char *incident = json_string_value(json_object_get(one, "incident"));

		n_raised += incident != NULL;
		data = incident ? data : one;
		assert_string_not_equal(incident ? incident : "", "i3");
	}
	assert_int_equal(n_raised, ROOM + 1);
	assert_int_equal(json_integer_value(json_object_get(data, "shed")), N - ROWS);
	assert_string_equal(json_string_value(json_object_get(data, "worst_shed")), "critical");
}

int main(void)
{
#define HAND_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		HAND_TEST(test_many_alone),
		HAND_TEST(test_many_gathered),
		HAND_TEST(test_shed),
	};

	log_to_stderr();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
