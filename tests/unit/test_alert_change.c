/* SPDX-License-Identifier: MIT */
/* What holds when the configuration changes, or tendd starts again, while notices are on their way;
 * and that no answer brings a secret into the ledger. */
#include "alert_fixture.h"
#include <string.h>
#include <time.h>
#include "alert/private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#define OLD_SECRET "whsec_dGVuZGJveDogdGhpcnR5LXR3byBieXRlcyBvZiBrZXk="
#define NEW_SECRET "whsec_YW5vdGhlciBrZXksIHdoaWNoIGlzIG5vdCB0aGUgb25l"

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

static void change_conf(struct world *w, const char *text)
{
	struct conf *conf = load_conf(w, text);

	assert_int_equal(alert_apply(w->alert, conf), 0);
	conf_unref(w->conf);
	w->conf = conf;
}

static void let_go(struct world *w, int sink)
{
	auto_free char *name = str_printf("sink.%d.go", sink);

	write_file(w, name, "");
}

/* ---- secrets -------------------------------------------------------------------------------- */

static void assert_no_secret(struct world *w, const char *id)
{
	WAIT_FOR(w->f->loop, w->alert->unwritten.len == 0 && w->alert->tries.len == 0);
	auto_json json_t *doc = show(w, id);
	auto_free char *text = json_dumps(doc, JSON_COMPACT);

	assert_true(json_array_size(json_object_get(doc, "attempts")) > 0);
	if (strstr(text, "whsec_"))
		fail_msg("the secret is in the ledger: %s", text);
}

/* While the receiver thinks, its secret is another, or the receiver is gone. */
static void test_secret_then(void **state)
{
	struct world *w = *state;
	auto_free char *rotated = NULL;
	char id[UUID_TEXT_BYTES];
	int a = sink_start(w, 0, "wait-400=" OLD_SECRET " wait-500=" OLD_SECRET);

	world_open(w, RECEIVER("a", ""), a, w->f->dir);
	add(w, NOTICE_INCIDENT_RAISED, "i1", id);
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 1);
	write_file(w, "new", NEW_SECRET "\n");
	rotated = str_printf("[receiver a]\ntype = webhook\nurl = http://127.0.0.1:%d/hook\n"
			     "secret = file:%s/new\n",
		a, w->f->dir);
	change_conf(w, rotated);
	let_go(w, 0);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	assert_no_secret(w, id);

	auto_free char *go = str_printf("%s/sink.0.go", w->f->dir);
	assert_int_equal(unlink(go), 0);
	write_file(w, "new", OLD_SECRET "\n");
	change_conf(w, rotated);
	add(w, NOTICE_INCIDENT_RAISED, "i2", id);
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 2);
	change_conf(w, "");
	let_go(w, 0);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	assert_no_secret(w, id);
	assert_ledger(w, id, "a 2 failed 1");
}

/* The answer is longer than what the ledger keeps, and the secret stands at the edge. */
static void test_secret_cut(void **state)
{
	static const int widths[] = {100, 110, 150, 1000, 1012};
	struct world *w = *state;

	world_open(w, RECEIVER("b", ""), free_port(), w->f->dir);
	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		auto_free char *step = str_printf("'400=%0*d" OLD_SECRET "'", widths[i], 0);
		auto_free char *text = NULL;
		char id[UUID_TEXT_BYTES];
		int port = sink_start(w, 0, step);

		text = str_printf(RECEIVER("a", ""), port, w->f->dir);
		change_conf(w, text);
		add(w, NOTICE_POLICY_MESSAGE, NULL, id);
		WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
		assert_no_secret(w, id);
		kill(w->pids[--w->n_sinks], SIGKILL);
		pclose(w->sinks[w->n_sinks]);
	}
}

/* A zero byte is no end of it. */
static void test_secret_behind_zero(void **state)
{
	static char secret[] = OLD_SECRET;
	const struct conf_receiver conf = {.secret = secret};
	char text[] = "no\0" OLD_SECRET "!";

	secrets_redact_bytes(&conf, text, sizeof(text) - 1);
	assert_null(memmem(text, sizeof(text), "dGVu", 4));
	assert_int_equal(text[sizeof(text) - 2], '!');
}

/* Each try is there from when it ended, once, also while its row is on the way to the store. */
static void test_every_try_shows(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];
	unsigned n = 0;

	world_open(w, RECEIVER("a", ""), free_port(), w->f->dir);
	add(w, NOTICE_INCIDENT_RAISED, "i1", id);
	for (unsigned i = 0; i < 60; i++) {
		const struct delivery *d = alert_find_receiver(w->alert, "a")->outbox.oldest;

		if (i % 4 == 0)
			WAIT_FOR(w->f->loop, d->n_tries > n);
		else
			assert_true(loop_turn(w->f->loop, 1000) >= 0);
		n = d->n_tries;
		auto_json json_t *doc = show(w, id);
		json_t *tries = json_object_get(doc, "attempts"), *one;
		uint64_t seen = 0;
		size_t k;

		json_array_foreach (tries, k, one) {
			uint64_t bit = 1ull << json_integer_value(json_object_get(one, "n"));

			assert_int_equal(seen & bit, 0);
			seen |= bit;
		}
		for (unsigned j = 1; j <= n; j++)
			if (!(seen & 1ull << j))
				fail_msg("try %u of %u does not show", j, n);
	}
}

/* ---- a receiver that is gone ---------------------------------------------------------------- */

/* It took the notice: that it is no longer configured when it says so changes nothing. */
static void test_delivered_when_gone(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];

	world_open(w, RECEIVER("a", ""), sink_start(w, 0, "wait-204"), w->f->dir);
	add(w, NOTICE_INCIDENT_RAISED, "i1", id);
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 1);
	change_conf(w, "");
	let_go(w, 0);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	assert_ledger(w, id, "a 1 delivered 1");
}

/* ---- the fallback --------------------------------------------------------------------------- */

static void on_committed(int r, void *data)
{
	uint64_t *state = data; /* the token, then 0 */
	struct world *w = (struct world *)(uintptr_t)state[1];

	alert_committed(w->alert, state[0], r);
	state[0] = 0;
}

/* The raise waited until its clear came; what the fallback gets says that there was one. */
static void test_fallback_hears_all(void **state)
{
	struct world *w = *state;
	struct notice n = {.kind = NOTICE_INCIDENT_RAISED,
		.severity = SEVERITY_CRITICAL,
		.fingerprint = "crm/web/login",
		.incident_id = "i1",
		.component = "crm/web",
		.text = "t"};
	uint64_t token[2] = {0, (uint64_t)(uintptr_t)w};
	struct store_batch *batch;
	int a = sink_start(w, 0, "400"), b = sink_start(w, 0, "");

	world_open(w, RECEIVER("a", "fallback = b") RECEIVER("b", "") "[route r]\nreceivers = a\n",
		a, w->f->dir, b, w->f->dir);
	assert_int_equal(store_batch_new(&batch), 0);
	assert_int_equal(alert_add(w->alert, &n, batch), 1);
	n.kind = NOTICE_INCIDENT_CLEARED;
	n.id[0] = '\0';
	assert_int_equal(alert_add(w->alert, &n, batch), 1);
	token[0] = alert_seal(w->alert);
	assert_int_equal(store_commit(w->f->store, batch, on_committed, token), 0);
	WAIT_FOR(w->f->loop, token[0] == 0 && alert_outbox_depth(w->alert) == 0);
	for (int i = 0; i < 2; i++) {
		auto_json json_t *log = sink_log(w, i);
		json_t *one = json_array_get(json_object_get(entry_data(log, 0), "superseded"), 0);

		assert_int_equal(json_array_size(log), 1);
		assert_string_equal(json_string_value(json_object_get(entry_data(log, 0), "text")),
			"was raised and cleared: t");
		/* The fallback never gave the raise a number. */
		assert_int_equal(json_object_get(one, "sequence") != NULL, i == 0);
	}
}

/* ---- a restart ------------------------------------------------------------------------------ */

static usec_t wall_offset;

static usec_t real_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

static usec_t moved_wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return wall_offset + (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

static void stop(struct world *w)
{
	w->alert = alert_free(w->alert);
	w->f->store = store_free(w->f->store);
}

static void start(struct world *w)
{
	assert_int_equal(fixture_open(w->f), 0);
	world_start(w);
}

static const struct outbox *outbox_of(struct world *w, const char *receiver)
{
	return &alert_find_receiver(w->alert, receiver)->outbox;
}

/* The group waits as long as it was to, and what it has waited before counts. */
static void test_group_waits_on(void **state)
{
	struct world *w = *state;
	int a = sink_start(w, 0, "");
	const struct delivery *d;
	usec_t left;

	world_open(w,
		RECEIVER("a", "") "[route r]\nreceivers = a\ngroup_by = system\n"
				  "group_wait = 1h\ngroup_interval = 2h\n",
		a, w->f->dir);
	add(w, NOTICE_INCIDENT_RAISED, "i1", NULL);
	WAIT_FOR(w->f->loop, outbox_of(w, "a")->oldest->released);
	stop(w);
	wall_offset += 1200 * USEC_PER_SEC;
	start(w);
	d = outbox_of(w, "a")->oldest;
	assert_non_null(d);
	assert_int_equal(d->wait, 3600 * USEC_PER_SEC);
	assert_int_equal(d->interval, 7200 * USEC_PER_SEC);
	assert_int_equal(outbox_of(w, "a")->n_in_flight, 0);
	left = outbox_wake_at(outbox_of(w, "a")) - clock_now();
	assert_true(left > 2300 * USEC_PER_SEC && left <= 2400 * USEC_PER_SEC);
	stop(w);
	wall_offset += 2400 * USEC_PER_SEC;
	start(w);
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 1);
}

/* A digest lives from its time on, also when a try of it failed before tendd ended. */
static void test_digest_lives(void **state)
{
	struct world *w = *state;
	struct notice n = {.kind = NOTICE_INCIDENT_RAISED,
		.severity = SEVERITY_WARNING,
		.fingerprint = "f",
		.incident_id = "i1",
		.component = "crm/web",
		.text = "t"};
	const struct delivery *d;
	int port = free_port();

	world_open(w, RECEIVER("a", "ttl = 1h") "[route r]\nreceivers = a\ndigest = daily 08:00\n",
		port, w->f->dir);
	wall_offset += 86400 * USEC_PER_SEC - clock_wall() % (86400 * USEC_PER_SEC); /* midnight */
	assert_true(alert_add(w->alert, &n, NULL) >= 0);
	WAIT_FOR(w->f->loop, outbox_of(w, "a")->oldest->released);
	stop(w);
	wall_offset += 8 * 3600 * USEC_PER_SEC;
	start(w);
	WAIT_FOR(w->f->loop, outbox_of(w, "a")->oldest->n_tries > 0);
	stop(w);
	start(w);
	d = outbox_of(w, "a")->oldest;
	if (!d)
		fail_msg("it has expired: %s", alert_find_receiver(w->alert, "a")->last_error);
	assert_true(d->expires_at > clock_now() + 3000 * USEC_PER_SEC);
	stop(w);
	(void)sink_start(w, port, "");
	start(w);
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 1);
	auto_json json_t *log = sink_log(w, 0);
	assert_null(json_object_get(entry_data(log, 0), "late_seconds"));
}

/* What waits since before the start goes at the pace of what waited through an outage. */
static void test_backlog_after_start(void **state)
{
	struct world *w = *state;
	int port = free_port();
	char id[UUID_TEXT_BYTES];

	wall_offset = 0;
	world_open(w,
		RECEIVER("a",
			"storm_burst = 0\ndrain_rate_per_minute = 6") "[route r]\nreceivers = a\n",
		port, w->f->dir);
	for (unsigned i = 0; i < 3; i++) {
		auto_free char *fingerprint = str_printf("f%u", i);
		struct notice n = {.kind = NOTICE_POLICY_MESSAGE,
			.severity = SEVERITY_WARNING,
			.fingerprint = fingerprint,
			.component = "crm/web",
			.text = "t"};

		assert_true(alert_add(w->alert, &n, NULL) >= 0);
	}
	WAIT_FOR(w->f->loop, alert_find_receiver(w->alert, "a")->n_tries >= 3);
	stop(w);
	(void)sink_start(w, port, "");
	start(w);
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 1);
	add(w, NOTICE_INCIDENT_RAISED, "i1", id);
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 2 && alert_outbox_depth(w->alert) == 2);
	auto_json json_t *log = sink_log(w, 0);
	assert_string_equal(entry_text(log, 1, "id"), id);
	assert_int_equal(outbox_of(w, "a")->n_backlog, 2);
}

/* ---- a kill between the row of a fallback and that of whom it stands in for ------------------ */

static void exec_sql(struct world *w, const char *sql)
{
	auto_free char *path = str_printf("%s/tend.db", w->f->dir);
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_changes(db), 1);
	sqlite3_close(db);
}

/* The fallback has it, and the store knows: it is not handed over again. */
static void test_handed_over_once(void **state)
{
	struct world *w = *state;
	int a = sink_start(w, 0, "400 400"), b = sink_start(w, 0, "");
	char id[UUID_TEXT_BYTES];

	world_open(w, RECEIVER("a", "fallback = b") RECEIVER("b", "") "[route r]\nreceivers = a\n",
		a, w->f->dir, b, w->f->dir);
	add(w, NOTICE_INCIDENT_RAISED, "i1", id);
	WAIT_FOR(w->f->loop, sink_n(w, 1) == 1 && alert_outbox_depth(w->alert) == 0);
	w->alert = alert_free(w->alert);
	w->f->store = store_free(w->f->store);
	exec_sql(w, "UPDATE delivery SET state = 'waiting', tries = 0, last_error = NULL "
		    "WHERE receiver = 'a'");
	assert_int_equal(fixture_open(w->f), 0);
	world_start(w);
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 2 && alert_outbox_depth(w->alert) == 0);
	assert_int_equal(alert_find_receiver(w->alert, "b")->sequence, 1);
	assert_int_equal(sink_n(w, 1), 1);
}

/* ---- a start with a clock that was set back ------------------------------------------------- */

static void set_back(struct world *w, int64_t seconds)
{
	auto_free char *sql = str_printf("UPDATE delivery SET next_at = next_at + %lld, "
					 "added_at = added_at + %lld WHERE state = 'waiting'",
		(long long)seconds * (long long)USEC_PER_SEC,
		(long long)seconds * (long long)USEC_PER_SEC);

	exec_sql(w, sql);
}

/* What was tried is tried again soon after the start, although its row says in two hours. */
static void test_set_back(void **state)
{
	struct world *w = *state;
	int port = free_port();
	char id[UUID_TEXT_BYTES];

	world_open(w, RECEIVER("a", ""), port, w->f->dir);
	add(w, NOTICE_INCIDENT_RAISED, "i1", id);
	WAIT_FOR(w->f->loop, alert_find_receiver(w->alert, "a")->n_tries > 0);
	WAIT_FOR(w->f->loop, w->alert->unwritten.len == 0);
	w->alert = alert_free(w->alert);
	w->f->store = store_free(w->f->store);
	set_back(w, 7200);
	sink_start(w, port, "");
	assert_int_equal(fixture_open(w->f), 0);
	world_start(w);
	assert_in_range(alert_find_receiver(w->alert, "a")->wake_at, 0, clock_now() + USEC_PER_SEC);
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 1 && alert_outbox_depth(w->alert) == 0);
	auto_json json_t *log = sink_log(w, 0);
	assert_string_equal(entry_text(log, 0, "id"), id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_secret_then),
		TEST(test_secret_cut),
		cmocka_unit_test(test_secret_behind_zero),
		TEST(test_every_try_shows),
		TEST(test_delivered_when_gone),
		TEST(test_fallback_hears_all),
		TEST(test_group_waits_on),
		TEST(test_digest_lives),
		TEST(test_backlog_after_start),
		TEST(test_handed_over_once),
		TEST(test_set_back),
	};

	static const struct clock_source moved = {.now = real_now, .wall = moved_wall};

	clock_set_source(&moved);
	log_set_level(LOG_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
