/* SPDX-License-Identifier: MIT */
/*
 * Notices on their whole way: a real store, the real loop and libcurl, and an HTTP server in a
 * process of its own that checks the signatures and misbehaves as it is told.
 */
#include "alert_fixture.h"
#include "alert/shipment.h"

/* ---- the tests ------------------------------------------------------------------------------ */

static void test_delivered(void **state)
{
	struct world *w = *state;
	int port = sink_start(w, 0, "");
	char raised[UUID_TEXT_BYTES], cleared[UUID_TEXT_BYTES];

	world_open(w, RECEIVER("a", ""), port, w->f->dir);
	add(w, NOTICE_INCIDENT_RAISED, "i1", raised);
	WAIT_FOR(w->f->loop, strcmp(w->ends, "a:delivered ") == 0);
	add(w, NOTICE_INCIDENT_CLEARED, "i1", cleared);
	WAIT_FOR(w->f->loop, strcmp(w->ends, "a:delivered a:delivered ") == 0);

	auto_json json_t *log = sink_log(w, 0);
	assert_int_equal(json_array_size(log), 2);
	assert_string_equal(entry_text(log, 0, "id"), raised);
	assert_string_equal(entry_text(log, 1, "id"), cleared);
	assert_string_equal(entry_text(log, 0, "type"), "application/cloudevents+json");
	json_t *event = json_object_get(json_array_get(log, 0), "body");
	assert_string_equal(
		json_string_value(json_object_get(event, "epoch")), store_epoch(w->f->store));
	assert_string_equal(json_string_value(json_object_get(event, "sequence")), "1");
	assert_true(json_is_false(json_object_get(entry_data(log, 0), "undurable")));
	assert_null(json_object_get(entry_data(log, 1), "superseded"));
	assert_int_equal(alert_outbox_depth(w->alert), 0);
	/* The ledger of the store says the same after a restart, and nothing is sent again. */
	world_restart(w);
	assert_ledger(w, raised, "a 1 delivered 1");
	assert_ledger(w, cleared, "a 2 delivered 1");
	add(w, NOTICE_POLICY_MESSAGE, NULL, raised);
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 3);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	assert_ledger(w, raised, "a 3 delivered 1");
	assert_int_equal(w->n_undurable, 0);
}

/* Each row: how the receiver answers, the tries and the end. */
static void test_answers(void **state)
{
	static const struct {
		const char *steps, *end, *ledger;
		size_t n;
	} rows[] = {
		{"500", "a:delivered ", "a 1 delivered 2", 2},
		{"503 408 425", "a:delivered ", "a 1 delivered 4", 4},
		{"hang", "a:delivered ", "a 1 delivered 2", 2},
		{"huge", "a:delivered ", "a 1 delivered 1", 1},
		{"302", "a:failed ", "a 1 failed 1", 1}, {"400", "a:failed ", "a 1 failed 1", 1},
		{"500 500 500 500 500 500 500", "a:delivered ", "a 1 delivered 8", 8}, /* breaker */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world *w;
		char id[UUID_TEXT_BYTES];

		assert_int_equal(setup(state), 0);
		w = *state;
		world_open(w, RECEIVER("a", "timeout = 300ms"), sink_start(w, 0, rows[i].steps),
			w->f->dir);
		add(w, NOTICE_INCIDENT_RAISED, "i1", id);
		WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
		assert_string_equal(w->ends, rows[i].end);
		assert_ledger(w, id, rows[i].ledger);
		auto_json json_t *log = sink_log(w, 0);
		assert_int_equal(json_array_size(log), rows[i].n);
		for (size_t j = 0; j < rows[i].n; j++) { /* same id, signed each time */
			assert_string_equal(entry_text(log, j, "id"), id);
			assert_true(
				json_is_true(json_object_get(json_array_get(log, j), "verified")));
		}
		if (i + 1 < ARRAY_SIZE(rows))
			assert_int_equal(teardown(state), 0);
	}
}

static void test_retry_after(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];

	world_open(w, RECEIVER("a", ""), sink_start(w, 0, "429/1"), w->f->dir);
	add(w, NOTICE_INCIDENT_RAISED, "i1", id);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	auto_json json_t *log = sink_log(w, 0);
	assert_int_equal(json_array_size(log), 2);
	double first = json_number_value(json_object_get(json_array_get(log, 0), "time"));
	double second = json_number_value(json_object_get(json_array_get(log, 1), "time"));
	assert_true(second - first >= 0.99);
}

/* Nobody listens; what waits is merged; then somebody does, after a restart of ours. */
static void test_refused_and_restart(void **state)
{
	struct world *w = *state;
	int port = free_port();
	char raised[UUID_TEXT_BYTES], changed[UUID_TEXT_BYTES], cleared[UUID_TEXT_BYTES];
	struct alert_receiver_stats stats;

	world_open(w, RECEIVER("a", ""), port, w->f->dir);
	add(w, NOTICE_INCIDENT_RAISED, "i1", raised);
	WAIT_FOR(w->f->loop, alert_get_stats(w->alert, &stats, 1) == 1 && stats.breaker_open);
	assert_non_null(strstr(stats.last_error, "onnect"));
	add(w, NOTICE_INCIDENT_CHANGED, "i1", changed);
	add(w, NOTICE_INCIDENT_CLEARED, "i1", cleared);
	world_restart(w);
	WAIT_FOR(w->f->loop, alert_get_stats(w->alert, &stats, 1) == 1 && stats.n_tries > 0);
	(void)sink_start(w, port, "");
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);

	auto_json json_t *log = sink_log(w, 0);
	assert_int_equal(json_array_size(log), 1);
	assert_string_equal(entry_text(log, 0, "id"), cleared);
	json_t *superseded = json_object_get(entry_data(log, 0), "superseded");
	assert_int_equal(json_array_size(superseded), 2);
	const char *text = json_string_value(json_object_get(entry_data(log, 0), "text"));
	assert_string_equal(text, "was raised and cleared: no answer");
	auto_free char *got = ledger_of(w, raised);
	assert_true(str_startswith(got, "a 1 superseded "));
	assert_ledger(w, changed, "a 2 superseded 0");
	json_t *receivers = alert_receivers_to_json(w->alert);
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(receivers, 0), "sequence")), 3);
	json_decref(receivers);
}

/* 410: no more notices to a until a reload; its fallback and the others go on, and people are told.
 */
static void test_gone(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];
	int a = sink_start(w, 0, "410"), b = sink_start(w, 0, "");

	world_open(w, RECEIVER("a", "fallback = b") RECEIVER("b", ""), a, w->f->dir, b, w->f->dir);
	add(w, NOTICE_INCIDENT_RAISED, "i1", id);
	WAIT_FOR(w->f->loop, sink_n(w, 1) >= 2);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	auto_json json_t *log = sink_log(w, 1);
	int n_raised = 0, n_disabled = 0;
	for (size_t i = 0; i < json_array_size(log); i++) {
		json_t *event = json_object_get(json_array_get(log, i), "body");
		const char *type = json_string_value(json_object_get(event, "type"));

		n_raised += strcmp(type, "tend.incident.raised") == 0;
		n_disabled += strcmp(type, "tend.receiver.disabled") == 0;
	}
	assert_int_equal(n_raised, 1); /* b had it by its own route: not twice */
	assert_int_equal(n_disabled, 1);
	assert_int_equal(sink_n(w, 0), 1);
	/* Also after a restart; not after a reload. */
	world_restart(w);
	add(w, NOTICE_POLICY_MESSAGE, NULL, id);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	assert_int_equal(sink_n(w, 0), 1);
	assert_int_equal(alert_apply(w->alert, w->conf), 0);
	add(w, NOTICE_POLICY_MESSAGE, NULL, id);
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 2);
}

/* Its time to live ends: shown as expired, the fallback gets it under the same id. */
static void test_expired(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];

	world_open(w,
		RECEIVER("a", "ttl = 1s\nfallback = b")
			RECEIVER("b", "") "[route r]\nreceivers = a\n",
		free_port(), w->f->dir, sink_start(w, 0, ""), w->f->dir);
	add(w, NOTICE_INCIDENT_RAISED, "i1", id);
	/* and that a fails, as the route names nobody else */
	WAIT_FOR(w->f->loop, strcmp(w->ends, "a:expired b:delivered b:delivered ") == 0);
	auto_json json_t *log = sink_log(w, 0);
	assert_int_equal(
		str_eq(entry_text(log, 0, "id"), id) + str_eq(entry_text(log, 1, "id"), id), 1);
}

static void add_of(
	struct world *w, enum notice_kind kind, const char *incident, enum conf_severity severity)
{
	struct notice n = {.kind = kind,
		.severity = severity,
		.fingerprint = incident,
		.incident_id = incident,
		.text = "t"};

	assert_int_equal(alert_add(w->alert, &n, NULL), 1);
}

/* A raise that was never tried ends; with it what is said of the incident since, which lives longer
 * but would come out of the blue. A fallback gets all of it, in order; another incident stays. */
static void test_expired_untold(void **state)
{
	struct world *w = *state;
	static const char *const want[] = {"tend.incident.raised", "tend.incident.changed"};
	int a = sink_start(w, 0, ""), b = sink_start(w, 0, "");

	world_open(w,
		RECEIVER("a", "ttl = 1h\nttl.info = 1s\nrate_per_minute = 1\nfallback = b")
			RECEIVER("b", "") "[route r]\nreceivers = a\n",
		a, w->f->dir, b, w->f->dir);
	add_of(w, NOTICE_INCIDENT_RAISED, "i1", SEVERITY_INFO);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0); /* the one of this minute */
	add_of(w, NOTICE_INCIDENT_CHANGED, "i1", SEVERITY_CRITICAL);
	add_of(w, NOTICE_INCIDENT_RAISED, "i2", SEVERITY_INFO);
	add_of(w, NOTICE_INCIDENT_CHANGED, "i2", SEVERITY_CRITICAL);
	add_of(w, NOTICE_INCIDENT_RAISED, "i3", SEVERITY_CRITICAL);
	assert_int_equal(alert_outbox_depth(w->alert), 4);
	/* and that a fails, as the route names nobody else */
	WAIT_FOR(w->f->loop, str_eq(w->ends, "a:delivered a:expired a:expired b:delivered "
					     "b:delivered b:delivered "));
	assert_int_equal(alert_outbox_depth(w->alert), 2); /* i1, which was told; i3 */
	auto_json json_t *log = sink_log(w, 1);
	size_t n = 0;
	for (size_t i = 0; i < json_array_size(log); i++) {
		json_t *body = json_object_get(json_array_get(log, i), "body");
		const char *type = json_string_value(json_object_get(body, "type"));

		if (str_eq(type, "tend.receiver.failing"))
			continue;
		assert_in_range(n, 0, ARRAY_SIZE(want) - 1);
		assert_string_equal(type, want[n++]);
		assert_string_equal(json_string_value(json_object_get(body, "subject")), "i2");
	}
	assert_int_equal(n, ARRAY_SIZE(want));
	assert_int_equal(sink_n(w, 0), 1);
}

static sqlite3 *lock_store(struct world *w)
{
	auto_free char *path = str_printf("%s/tend.db", w->f->dir);
	sqlite3 *other;

	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return other;
}

/* The store hangs: told from memory within a second and a half, marked; written when it is well
 * again. */
static void test_undurable(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];
	sqlite3 *other;

	world_open(w, RECEIVER("a", ""), sink_start(w, 0, ""), w->f->dir);
	other = lock_store(w);
	add(w, NOTICE_INCIDENT_RAISED, "i1", id);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	assert_int_equal(w->n_undurable, 1);
	assert_int_equal(w->n_durable, 0);
	auto_json json_t *log = sink_log(w, 0);
	assert_int_equal(json_array_size(log), 1);
	assert_string_equal(entry_text(log, 0, "id"), id);
	assert_true(json_is_true(json_object_get(entry_data(log, 0), "undurable")));
	assert_ledger(w, id, "a 1 delivered 1"); /* from memory */

	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	WAIT_FOR(w->f->loop, w->n_durable == 1);
	world_restart(w);
	assert_ledger(w, id, "a 1 delivered 1"); /* from the store */
	assert_int_equal(sink_n(w, 0), 1);
}

/* The caller's batch: nothing leaves before it is accepted; one that fails leaves from memory. */
static void test_batch_of_the_caller(void **state)
{
	struct world *w = *state;
	struct notice n = {.kind = NOTICE_INCIDENT_RAISED,
		.severity = SEVERITY_WARNING,
		.fingerprint = "f",
		.incident_id = "i1",
		.text = "t"};
	struct store_batch *batch;
	struct outcome o = {0};
	uint64_t token;

	world_open(w, RECEIVER("a", ""), sink_start(w, 0, ""), w->f->dir);
	assert_int_equal(store_batch_new(&batch), 0);
	assert_int_equal(alert_add(w->alert, &n, batch), 1);
	token = alert_seal(w->alert);
	assert_true(token != 0);
	assert_int_equal(alert_seal(w->alert), 0);
	assert_int_equal(store_commit(w->f->store, batch, on_done, &o), 0);
	WAIT_FOR(w->f->loop, o.n == 1);
	for (int i = 0; i < 20; i++)
		assert_true(loop_turn(w->f->loop, 1000) >= 0);
	assert_int_equal(alert_outbox_depth(w->alert), 1);
	assert_int_equal(sink_n(w, 0), 0);
	alert_committed(w->alert, token, o.last);
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 1);

	n.id[0] = '\0';
	assert_int_equal(store_batch_new(&batch), 0);
	assert_int_equal(alert_add(w->alert, &n, batch), 1);
	token = alert_seal(w->alert);
	store_batch_free(batch);
	alert_committed(w->alert, token, -ENOSPC);
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 2 && alert_outbox_depth(w->alert) == 0);
	auto_json json_t *log = sink_log(w, 0);
	assert_true(json_is_true(json_object_get(entry_data(log, 1), "undurable")));
	assert_int_equal(w->n_undurable, 1);
	WAIT_FOR(w->f->loop, w->n_durable == 1);
	world_restart(w);
	assert_ledger(w, n.id, "a 2 delivered 1");
}

/* Without rate_per_minute it is as the help of that key says. */
static void test_rates(void **state)
{
	static const int64_t want[RECEIVER_TYPE_MAX] = {[RECEIVER_WEBHOOK] = 600,
		[RECEIVER_SNMP] = 6000,
		[RECEIVER_SMTP] = 60,
		[RECEIVER_EXEC] = 60};
	struct world *w = *state;

	world_open(w, RECEIVER("a", ""), free_port(), w->f->dir);
	for (int type = 0; type < RECEIVER_TYPE_MAX; type++) {
		static char name[] = "a";
		const struct conf_receiver conf = {.name = name, .type = type};

		assert_int_equal(try_type_of(&conf)->rate_per_minute(w->alert, &conf), want[type]);
	}
}

/* More wait than are kept: the least severe go, and the ledger says why. */
static void test_shedding(void **state)
{
	enum { N = 2003 };
	struct world *w = *state;
	struct ledger l = {0};
	struct alert_receiver_stats stats;
	json_t *row;
	size_t i, n_shed = 0;

	world_open(w, RECEIVER("a", "outbox_rows = 2000"), free_port(), w->f->dir);
	for (i = 0; i < N; i++) {
		auto_free char *fingerprint = str_printf("crm/c%zu/x", i);
		struct notice n = {.kind = NOTICE_INCIDENT_RAISED,
			.fingerprint = fingerprint,
			.severity = i == 1000 || i == 1001 ? SEVERITY_INFO : SEVERITY_CRITICAL,
			.incident_id = fingerprint,
			.text = "t"};

		assert_int_equal(alert_add(w->alert, &n, NULL), 1);
	}
	assert_int_equal(alert_outbox_depth(w->alert), 2000);
	assert_int_equal(alert_get_stats(w->alert, &stats, 1), 1);
	assert_int_equal(stats.n_failed, 3);
	assert_int_equal(alert_deliveries(w->alert, NULL, NULL, 10000, on_ledger, &l), 0);
	WAIT_FOR(w->f->loop, l.done);
	assert_int_equal(json_array_size(l.rows), N);
	json_array_foreach (l.rows, i, row) {
		const char *why = json_string_value(json_object_get(row, "last_error"));
		json_int_t sequence = json_integer_value(json_object_get(row, "sequence"));

		if (strcmp(json_string_value(json_object_get(row, "state")), "failed") != 0)
			continue;
		n_shed++;
		assert_true(str_startswith(why, "shed: "));
		assert_true(sequence == 1 || sequence == 1001 || sequence == 1002);
	}
	assert_int_equal(n_shed, 3);
	json_decref(l.rows);
}

/* ---- SNMP ----------------------------------------------------------------------------------- */

#define TRAPD_AUTH "inform-auth-pass"
#define TRAPD_PRIV "inform-priv-pass"

/* A real snmptrapd, v3 authPriv; a line a trap in DIR/trapd.log. */
static void trapd_start(struct world *w, int port)
{
	auto_free char *command = str_printf("cd '%s' && echo $$ && SNMP_PERSISTENT_DIR='%s' MIBS= "
					     "exec snmptrapd -f -C -c trapd.conf "
					     "-On -Lf trapd.log udp:127.0.0.1:%d 2>trapd.err",
		w->f->dir, w->f->dir, port);
	FILE *out;
	long pid;

	write_file(w, "trapd.conf",
		"createUser tend SHA-256 \"" TRAPD_AUTH "\" AES \"" TRAPD_PRIV "\"\n"
		"authUser log tend priv\nformat2 %v\\n\n");
	out = popen(command, "re");
	assert_non_null(out);
	assert_int_equal(fscanf(out, "%ld", &pid), 1);
	w->sinks[w->n_sinks] = out;
	w->pids[w->n_sinks++] = (pid_t)pid;
}

static bool trapd_says(struct world *w, const char *what)
{
	auto_free char *path = str_printf("%s/trapd.log", w->f->dir);
	auto_free char *text = NULL;

	return fs_read_file(path, 1 << 20, &text, NULL) == 0 && strstr(text, what);
}

static pid_t helper_pid(void)
{
	auto_free char *text = NULL;
	auto_free char *path = str_printf("/proc/self/task/%d/children", (int)getpid());
	char *rest, *word;

	assert_int_equal(fs_read_file(path, 4096, &text, NULL), 0);
	for (word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		auto_free char *comm = str_printf("/proc/%s/comm", word), *name = NULL;

		if (fs_read_file(comm, 64, &name, NULL) == 0 && str_startswith(name, "tend-snmp"))
			return atoi(word);
	}
	return 0;
}

/* With nobody there the inform waits; it is delivered when it is acknowledged, also by a helper
 * that was killed and started again. */
static void test_inform(void **state)
{
	struct world *w = *state;
	struct alert_receiver_stats stats;
	char raised[UUID_TEXT_BYTES], message[UUID_TEXT_BYTES];
	int port = free_udp_port();

	write_file(w, "auth", TRAPD_AUTH "\n");
	write_file(w, "priv", TRAPD_PRIV "\n");
	world_open(w,
		"[receiver nms]\ntype = snmp\nhost = 127.0.0.1:%d\nuser = tend\ntimeout = 500ms\n"
		"auth_password = file:%s/auth\npriv_password = file:%s/priv\nretry_min = 50ms\n"
		"retry_max = 200ms\n",
		port, w->f->dir, w->f->dir);
	add(w, NOTICE_INCIDENT_RAISED, "i1", raised);
	WAIT_FOR(w->f->loop, alert_get_stats(w->alert, &stats, 1) == 1 && stats.n_tries >= 1);
	assert_int_equal(alert_outbox_depth(w->alert), 1);
	trapd_start(w, port);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	assert_string_equal(w->ends, "nms:delivered ");
	WAIT_FOR(w->f->loop, trapd_says(w, raised));

	pid_t pid = helper_pid();
	assert_true(pid > 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	add(w, NOTICE_POLICY_MESSAGE, NULL, message);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	assert_string_equal(w->ends, "nms:delivered nms:delivered ");
	WAIT_FOR(w->f->loop, trapd_says(w, message));
	assert_true(helper_pid() != pid);
}

int main(void)
{
#define ALERT_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		ALERT_TEST(test_delivered),
		cmocka_unit_test_teardown(test_answers, teardown),
		ALERT_TEST(test_retry_after),
		ALERT_TEST(test_refused_and_restart),
		ALERT_TEST(test_gone),
		ALERT_TEST(test_expired),
		ALERT_TEST(test_expired_untold),
		ALERT_TEST(test_rates),
		ALERT_TEST(test_undurable),
		ALERT_TEST(test_batch_of_the_caller),
		ALERT_TEST(test_shedding),
		ALERT_TEST(test_inform),
	};

	log_to_stderr();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
