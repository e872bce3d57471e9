/* SPDX-License-Identifier: MIT */
/* Many notices for a real HTTP server: what goes together, under which id, also after a crash; what
 * the ledger says of every try; what is lost is told; heartbeats. */
#include "alert_fixture.h"
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "alert/private.h"
#include "base/log.h"
#include "base/str.h"

enum { N_STORM = 60, BURST = 10 };
#define STORM "storm_wait = 300ms\nstorm_interval = 500ms\n"

/* Notice i of a storm: each of a check of its own. */
static void add_one(struct world *w, unsigned i, char *ret_id)
{
	auto_free char *fingerprint = str_printf("crm/web/c%u", i);
	struct notice n = {.kind = NOTICE_POLICY_MESSAGE,
		.severity = SEVERITY_WARNING,
		.fingerprint = fingerprint,
		.text = "t"};

	assert_true(alert_add(w->alert, &n, NULL) >= 0);
	if (ret_id)
		memcpy(ret_id, n.id, sizeof(n.id));
}

/* Alerts of one request: those of a group, or the one. */
static size_t n_alerts(json_t *log, size_t i)
{
	json_t *alerts = json_object_get(entry_data(log, i), "alerts");

	return alerts ? json_array_size(alerts) : 1;
}

static size_t n_alerts_at(struct world *w, int sink)
{
	auto_json json_t *log = sink_log(w, sink);
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(log); i++)
		n += n_alerts(log, i);
	return n;
}

/* The first go alone and at once, the rest in one, signed, with an id of its own. */
static void test_storm(void **state)
{
	struct world *w = *state;
	char ids[N_STORM][UUID_TEXT_BYTES];

	/* However long the adding takes, all of it is one burst. */
	world_open(w, RECEIVER("a", "storm_wait = 300ms\nstorm_interval = 60s\n"),
		sink_start(w, 0, ""), w->f->dir);
	for (unsigned i = 0; i < N_STORM; i++)
		add_one(w, i, ids[i]);
	WAIT_FOR(w->f->loop, n_alerts_at(w, 0) == N_STORM && alert_outbox_depth(w->alert) == 0);
	auto_json json_t *log = sink_log(w, 0);
	size_t group = 0;
	assert_int_equal(json_array_size(log), BURST + 1);
	for (size_t i = 0; i <= BURST; i++) {
		assert_true(json_is_true(json_object_get(json_array_get(log, i), "verified")));
		if (n_alerts(log, i) > 1) /* a slow answer to one alone may come after it */
			group = i;
	}
	assert_int_equal(n_alerts(log, group), N_STORM - BURST);
	for (size_t i = 0; i < N_STORM; i++)
		assert_string_not_equal(entry_text(log, group, "id"), ids[i]);
	/* Each has its own number and end in the ledger. */
	assert_ledger(w, ids[0], "a 1 delivered 1");
	assert_ledger(w, ids[N_STORM - 1], "a 60 delivered 1");
}

/* What comes during the wait for an answer is not in the set that is tried again; after a crash the
 * same set goes under the same id. */
static void test_crash(void **state)
{
	struct world *w = *state;

	world_open(w,
		RECEIVER("a", "") "[route all]\nreceivers = a\ngroup_by = source\n"
				  "group_wait = 200ms\ngroup_interval = 1s\n",
		sink_start(w, 0, "500 500"), w->f->dir);
	for (unsigned i = 0; i < N_STORM; i++)
		add_one(w, i, NULL);
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 1);
	for (unsigned i = 0; i < 5; i++) /* the same checks again: behind them */
		add_one(w, N_STORM - 1 - i, NULL);
	WAIT_FOR(w->f->loop, w->alert->unwritten.len == 0 && store_idle(w->f->store));
	world_restart(w);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	auto_json json_t *log = sink_log(w, 0);
	size_t n = json_array_size(log);
	assert_true(n >= 4); /* the crash may have cost an answer */
	for (size_t i = 0; i < n - 1; i++) {
		assert_string_equal(entry_text(log, i, "id"), entry_text(log, 0, "id"));
		assert_int_equal(n_alerts(log, i), N_STORM);
	}
	assert_string_not_equal(entry_text(log, n - 1, "id"), entry_text(log, 0, "id"));
	assert_int_equal(n_alerts(log, n - 1), 5);
}

/* What a receiver refuses, its fallback gets, together too. */
static void test_fallback(void **state)
{
	struct world *w = *state;
	int a, b;

	a = sink_start(w, 0, "400 400 400 400 400 400 400 400 400 400 400");
	b = sink_start(w, 0, "");
	world_open(w,
		RECEIVER("a", STORM "fallback = b")
			RECEIVER("b", STORM) "[route all]\nreceivers = a\n",
		a, w->f->dir, b, w->f->dir);
	for (unsigned i = 0; i < N_STORM; i++)
		add_one(w, i, NULL);
	WAIT_FOR(w->f->loop, n_alerts_at(w, 1) == N_STORM);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	auto_json json_t *log = sink_log(w, 1);
	assert_true(json_array_size(log) < N_STORM / 2);
}

/* ---- the ledger ----------------------------------------------------------------------------- */

struct shown {
	bool done;
	json_t *doc;
};

static void on_shown(int r, json_t *doc, void *data)
{
	struct shown *s = data;

	assert_int_equal(r, 0);
	s->doc = json_incref(doc);
	s->done = true;
}

static json_t *show(struct world *w, const char *id)
{
	struct shown s = {0};

	assert_int_equal(alert_delivery(w->alert, id, on_shown, &s), 0);
	WAIT_FOR(w->f->loop, s.done);
	return s.doc;
}

static void test_tries(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];

	world_open(w, RECEIVER("a", ""), sink_start(w, 0, "500 429 204"), w->f->dir);
	add_one(w, 1, id);
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 3 && alert_outbox_depth(w->alert) == 0);
	WAIT_FOR(w->f->loop, w->alert->unwritten.len == 0 && w->alert->tries.len == 0);
	world_restart(w);
	auto_json json_t *doc = show(w, id);
	json_t *deliveries = json_object_get(doc, "deliveries");
	json_t *tries = json_object_get(doc, "attempts");
	static const struct {
		const char *verdict;
		int code;
	} want[] = {{"retry", 500}, {"retry", 429}, {"delivered", 204}};

	assert_int_equal(json_array_size(deliveries), 1);
	assert_int_equal(json_array_size(tries), 3);
	for (size_t i = 0; i < 3; i++) {
		json_t *one = json_array_get(tries, i);

		assert_int_equal(json_integer_value(json_object_get(one, "n")), i + 1);
		assert_string_equal(
			json_string_value(json_object_get(one, "verdict")), want[i].verdict);
		assert_int_equal(json_integer_value(json_object_get(one, "code")), want[i].code);
		assert_true(json_integer_value(json_object_get(one, "at")) > 0);
	}
	auto_json json_t *nobody = show(w, "nobody");
	assert_int_equal(json_array_size(json_object_get(nobody, "deliveries")), 0);
	/* Its beginning will do. */
	id[20] = '\0';
	auto_json json_t *again = show(w, id);
	assert_int_equal(json_array_size(json_object_get(again, "attempts")), 3);
}

static void test_redact(void **state)
{
	static char url[] = "https://hooks.example/services/T012345678/AbCdEfGhIjKlMnOp?x=1";
	static char secret[] = "whsec_c2VjcmV0";
	const struct conf_receiver conf = {.url = url, .secret = secret};
	char text[] = "no /services/T012345678/AbCdEfGhIjKlMnOp?x=1; AbCdEfGhIjKlMnOp; "
		      "whsec_c2VjcmV0 services";

	secrets_redact(&conf, text);
	assert_null(strstr(text, "AbCd"));
	assert_null(strstr(text, "c2Vj"));
	assert_non_null(strstr(text, " services"));
}

/* ---- what is lost --------------------------------------------------------------------------- */

/* The others hear of it, once; it does not. */
static void test_lost(void **state)
{
	struct world *w = *state;
	int a = free_port(), b = sink_start(w, 0, "");

	world_open(w,
		RECEIVER("a", "outbox_rows = 100")
			RECEIVER("b", "") "[route own]\nmatch = source=daemon\nreceivers = a, b\n"
					  "[route all]\nreceivers = a\n",
		a, w->f->dir, b, w->f->dir);
	for (unsigned i = 0; i < 150; i++) {
		auto_free char *fingerprint = str_printf("crm/web/c%u", i);
		struct notice n = {.kind = NOTICE_POLICY_MESSAGE,
			.severity = SEVERITY_WARNING,
			.fingerprint = fingerprint,
			.system = "crm",
			.component = "crm/web",
			.text = "t"};

		assert_true(alert_add(w->alert, &n, NULL) >= 0);
	}
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 1);
	auto_json json_t *log = sink_log(w, 0);
	json_t *data = entry_data(log, 0);
	assert_string_equal(json_string_value(json_object_get(data, "receiver")), "a");
	assert_int_equal(json_integer_value(json_object_get(data, "shed")), 50);
	assert_int_equal(alert_find_receiver(w->alert, "a")->outbox.n_waiting, 100);
}

/* A receiver that refuses for good, and no fallback: the others hear of that too, once; but not of
 * a refused word about another's trouble, which would never end. */
static void test_lost_by_refusal(void **state)
{
	struct world *w = *state;
	int a = sink_start(w, 0, "404 404 404 404"), b = sink_start(w, 0, "400");

	world_open(w,
		RECEIVER("a", "storm_burst = 0")
			RECEIVER("b", "") "[route own]\nmatch = source=daemon\n"
					  "receivers = a, b\n"
					  "[route all]\nreceivers = a\n",
		a, w->f->dir, b, w->f->dir);
	add(w, NOTICE_POLICY_MESSAGE, NULL, NULL);
	WAIT_FOR(w->f->loop, sink_n(w, 1) == 1);
	auto_json json_t *log = sink_log(w, 1);
	json_t *data = entry_data(log, 0);
	assert_string_equal(json_string_value(json_object_get(data, "receiver")), "a");
	assert_int_equal(json_integer_value(json_object_get(data, "refused")), 1);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	assert_int_equal(alert_find_receiver(w->alert, "b")->told_failing_at, 0);
	assert_int_equal(alert_find_receiver(w->alert, "b")->n_untold_refused, 0);
	add(w, NOTICE_POLICY_MESSAGE, NULL, NULL);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	assert_int_equal(alert_find_receiver(w->alert, "a")->n_untold_refused, 1);
	assert_int_equal(sink_n(w, 1), 1);
}

/* One that refuses everything is a problem for people to see, until it takes something. */
static void test_refuses_everything(void **state)
{
	struct world *w = *state;
	const size_t want[] = {0, 0, 1, 1, 0};

	world_open(w, RECEIVER("a", ""), sink_start(w, 0, "404 401 403 404"), w->f->dir);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		auto_json json_t *problems = json_array();

		add(w, NOTICE_POLICY_MESSAGE, NULL, NULL);
		WAIT_FOR(w->f->loop, sink_n(w, 0) > i && alert_outbox_depth(w->alert) == 0);
		alert_add_problems(w->alert, problems);
		assert_int_equal(json_array_size(problems), want[i]);
		if (want[i])
			assert_non_null(strstr(json_string_value(json_array_get(problems, 0)),
				"receiver 'a' is failing"));
	}
}

/* The route of all names only the receiver whose trouble it is: then the others hear of it. */
static void test_lost_by_the_only(void **state)
{
	struct world *w = *state;
	int a = sink_start(w, 0, "404"), b = sink_start(w, 0, "");

	world_open(w,
		RECEIVER("a", "min_severity = critical")
			RECEIVER("b", "") "[route all]\nreceivers = a\n",
		a, w->f->dir, b, w->f->dir);
	add(w, NOTICE_POLICY_MESSAGE, NULL, NULL);
	WAIT_FOR(w->f->loop, sink_n(w, 1) == 1);
	assert_int_equal(sink_n(w, 0), 1);
}

/* Its fallback, where it has one: what was refused, and that it is gone. */
static void test_gone_of_the_only(void **state)
{
	struct world *w = *state;
	int a = sink_start(w, 0, "410"), b = sink_start(w, 0, ""), c = sink_start(w, 0, "");

	world_open(w,
		RECEIVER("a", "fallback = c") RECEIVER("b", "")
			RECEIVER("c", "") "[route all]\nreceivers = a\n",
		a, w->f->dir, b, w->f->dir, c, w->f->dir);
	add(w, NOTICE_POLICY_MESSAGE, NULL, NULL);
	WAIT_FOR(w->f->loop, sink_n(w, 2) == 2);
	assert_int_equal(sink_n(w, 0), 1);
	assert_int_equal(sink_n(w, 1), 0);
}

static void add_incident(
	struct world *w, enum notice_kind kind, unsigned i, enum conf_severity severity)
{
	auto_free char *fingerprint = str_printf("crm/web/c%u", i);
	struct notice n = {.kind = kind,
		.severity = severity,
		.fingerprint = fingerprint,
		.incident_id = fingerprint,
		.system = "crm",
		.component = "crm/web",
		.text = "t"};

	assert_true(alert_add(w->alert, &n, NULL) >= 0);
}

/* With a raise that is given up goes its change, and no clear of it comes. */
static void test_shed_change(void **state)
{
	struct world *w = *state;
	struct receiver *a;

	world_open(w, RECEIVER("a", "outbox_rows = 100\nstorm_burst = 0"), free_port(), w->f->dir);
	a = alert_find_receiver(w->alert, "a");
	add_incident(w, NOTICE_INCIDENT_RAISED, 0, SEVERITY_INFO);
	add_incident(w, NOTICE_INCIDENT_CHANGED, 0, SEVERITY_CRITICAL);
	for (unsigned i = 1; i < 100; i++)
		add_incident(w, NOTICE_INCIDENT_RAISED, i, SEVERITY_CRITICAL);
	assert_int_equal(a->n_shed, 2);
	assert_int_equal(a->outbox.n_waiting, 99);
	add_incident(w, NOTICE_INCIDENT_CLEARED, 0, SEVERITY_INFO);
	assert_int_equal(a->outbox.n_waiting, 99);
}

/* Each by the time of its severity. */
static void test_ttl(void **state)
{
	struct world *w = *state;

	world_open(w, RECEIVER("a", "ttl = 1h\nttl.warning = 1s"), free_port(), w->f->dir);
	add_one(w, 1, NULL);
	add(w, NOTICE_POLICY_MESSAGE, NULL, NULL); /* critical */
	WAIT_FOR(w->f->loop, strcmp(w->ends, "a:expired ") == 0);
	assert_int_equal(alert_outbox_depth(w->alert), 1);
}

/* ---- heartbeats ----------------------------------------------------------------------------- */

static json_t *heartbeat_details(void *data)
{
	return json_pack("{s:b}", "config_ok", 1);
}

/* It says how things are, is in no ledger, and takes no number. */
static void test_heartbeat(void **state)
{
	struct world *w = *state;
	struct ledger l = {0};

	world_open(w, RECEIVER("a", "heartbeat = 1s"), sink_start(w, 0, ""), w->f->dir);
	w->alert->deps.heartbeat_details = heartbeat_details;
	add_one(w, 1, NULL);
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 3);
	auto_json json_t *log = sink_log(w, 0);
	for (size_t i = 1; i < 3; i++) {
		json_t *body = json_object_get(json_array_get(log, i), "body");
		json_t *data = entry_data(log, i);

		assert_string_equal(
			json_string_value(json_object_get(body, "type")), "tend.heartbeat");
		assert_string_equal(json_string_value(json_object_get(body, "sequence")), "1");
		assert_true(json_is_true(json_object_get(data, "config_ok")));
		assert_true(json_is_integer(json_object_get(data, "outbox_depth")));
	}
	assert_int_equal(alert_deliveries(w->alert, NULL, NULL, 100, on_ledger, &l), 0);
	WAIT_FOR(w->f->loop, l.done);
	assert_int_equal(json_array_size(l.rows), 1);
	json_decref(l.rows);
}

/* Nobody listens: the newest alone waits, and that does not disturb anybody. */
static void test_heartbeat_lost(void **state)
{
	struct world *w = *state;
	struct receiver *a;

	world_open(w, RECEIVER("a", "heartbeat = 1s"), free_port(), w->f->dir);
	a = alert_find_receiver(w->alert, "a");
	WAIT_FOR(w->f->loop, a->n_tries >= 3);
	assert_true(a->outbox.n_waiting <= 1);
	assert_int_equal(a->n_failed, 0);
	assert_string_equal(w->ends, "");
}

/* ---- a test notice -------------------------------------------------------------------------- */

struct tested {
	bool done;
	char state[32], error[256];
};

static void on_tested(const char *test_state, unsigned n_tries, const char *error, void *data)
{
	struct tested *o = data;

	snprintf(o->state, sizeof(o->state), "%s", test_state);
	snprintf(o->error, sizeof(o->error), "%s", error);
	o->done = true;
}

static void test_test(void **state)
{
	struct world *w = *state;
	struct tested o = {0};
	struct alert_test *test;
	char id[UUID_TEXT_BYTES];

	world_open(w, RECEIVER("a", "") RECEIVER("b", ""), sink_start(w, 0, "204 404"), w->f->dir,
		free_port(), w->f->dir);
	assert_int_equal(alert_test_start(w->alert, "nobody", on_tested, &o, id, &test), -ENOENT);
	assert_int_equal(alert_test_start(w->alert, "a", on_tested, &o, id, &test), 0);
	WAIT_FOR(w->f->loop, o.done);
	assert_string_equal(o.state, "delivered");
	auto_json json_t *log = sink_log(w, 0);
	assert_string_equal(entry_text(log, 0, "id"), id);
	assert_ledger(w, id, "a 1 delivered 1");
	o.done = false;
	assert_int_equal(alert_test_start(w->alert, "a", on_tested, &o, id, &test), 0);
	WAIT_FOR(w->f->loop, o.done);
	assert_string_equal(o.state, "failed");
	assert_non_null(strstr(o.error, "404"));
	/* One that waits can be given up by who asked. */
	assert_int_equal(alert_test_start(w->alert, "b", on_tested, &o, id, &test), 0);
	alert_test_cancel(test);
}

/* ---- at scale ------------------------------------------------------------------------------- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Five thousand wait for a dead receiver; it comes back: all arrive, in order. The figures are for
 * people. */
static void test_dead(void **state)
{
	enum { N = 5000, CHECKS = 2000 };
	struct world *w = *state;
	int port = free_port();
	double began, back;
	size_t n = 0;

	world_open(w, RECEIVER("a", STORM), port, w->f->dir);
	began = seconds();
	for (unsigned i = 0; i < N; i++) {
		add_one(w, i % CHECKS, NULL);
		if (i % 50 == 0)
			assert_true(loop_turn(w->f->loop, 0) >= 0);
	}
	WAIT_FOR(w->f->loop, alert_find_receiver(w->alert, "a")->breaker_open);
	assert_int_equal(alert_outbox_depth(w->alert), N);
	back = seconds();
	sink_start(w, port, "");
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	print_message("%d added in %.1f s, gone %.1f s after it was back, in %zu requests\n", N,
		back - began, seconds() - back, sink_n(w, 0));
	auto_json json_t *log = sink_log(w, 0);
	auto_free json_int_t *last = calloc(CHECKS, sizeof(*last));
	for (size_t i = 0; i < json_array_size(log); i++) {
		json_t *alerts = json_object_get(entry_data(log, i), "alerts"), *one;
		size_t j;

		n += n_alerts(log, i);
		json_array_foreach (alerts, j, one) {
			const char *f = json_string_value(json_object_get(one, "fingerprint"));
			json_int_t sequence = json_integer_value(json_object_get(one, "sequence"));
			unsigned check = (unsigned)strtoul(f + strlen("crm/web/c"), NULL, 10);

			assert_true(sequence > last[check]);
			last[check] = sequence;
		}
	}
	assert_int_equal(n, N);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_storm),
		TEST(test_crash),
		TEST(test_fallback),
		TEST(test_tries),
		cmocka_unit_test(test_redact),
		TEST(test_lost),
		TEST(test_lost_by_refusal),
		TEST(test_refuses_everything),
		TEST(test_lost_by_the_only),
		TEST(test_gone_of_the_only),
		TEST(test_shed_change),
		TEST(test_ttl),
		TEST(test_heartbeat),
		TEST(test_heartbeat_lost),
		TEST(test_test),
		TEST(test_dead),
	};

	log_set_level(LOG_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
