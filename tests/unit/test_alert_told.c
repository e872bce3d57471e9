/* SPDX-License-Identifier: MIT */
/* Who hears of an incident's end, and what of the ledger must not be lost when it does not fit. */
#include "alert_fixture.h"
#include "alert/private.h"
#include "alert/silence.h"

static void add_as(struct world *w, enum notice_kind kind, const char *incident,
	enum conf_severity severity, bool told_only)
{
	struct notice n = {.kind = kind,
		.severity = severity,
		.fingerprint = incident,
		.incident_id = incident,
		.component = "crm/web",
		.text = "t",
		.told_only = told_only};

	assert_true(alert_add(w->alert, &n, NULL) >= 0);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
}

/* "raised changed ": the kinds that came to a sink. */
static void assert_kinds(struct world *w, int sink, const char *want)
{
	auto_json json_t *log = sink_log(w, sink);
	char got[256] = "";

	for (size_t i = 0; i < json_array_size(log); i++) {
		json_t *event = json_object_get(json_array_get(log, i), "body");
		const char *type = json_string_value(json_object_get(event, "type"));
		size_t len = strlen(got);

		snprintf(got + len, sizeof(got) - len, "%s ", strrchr(type, '.') + 1);
	}
	assert_string_equal(got, want);
}

static void put_open(struct world *w, const char *id)
{
	struct store_batch *batch;

	assert_int_equal(store_batch_new(&batch), 0);
	assert_int_equal(store_batch_add(batch, STORE_INCIDENT_PUT, "sssiij", id, id, "located",
				 (int64_t)1, (int64_t)0, NULL),
		0);
	assert_int_equal(store_commit(w->f->store, batch, NULL, NULL), 0);
}

/* Who was told hears of the end, whatever the routes say of it by then; nobody else does; and who
 * comes in by a change hears of a raise. Also over a restart. */
static void test_told(void **state)
{
	struct world *w = *state;
	int a = sink_start(w, 0, ""), c = sink_start(w, 0, "");

	world_open(w,
		RECEIVER("a", "") RECEIVER("c", "") "[route c]\nreceivers = c\ncontinue = yes\n"
						    "min_severity = critical\n[route a]\n"
						    "receivers = a\nmin_severity = warning\n",
		a, w->f->dir, c, w->f->dir);
	put_open(w, "i1");
	add_as(w, NOTICE_INCIDENT_RAISED, "i1", SEVERITY_WARNING, false);
	add_as(w, NOTICE_INCIDENT_CHANGED, "i1", SEVERITY_CRITICAL, true);
	assert_kinds(w, 0, "raised changed ");
	assert_kinds(w, 1, ""); /* the check that it is now has notify = no */
	add_as(w, NOTICE_INCIDENT_CHANGED, "i1", SEVERITY_CRITICAL, false);
	assert_kinds(w, 0, "raised changed changed ");
	assert_kinds(w, 1, "raised ");
	world_restart(w);
	add_as(w, NOTICE_INCIDENT_CHANGED, "i1", SEVERITY_INFO, false);
	assert_kinds(w, 1, "raised changed ");
	add_as(w, NOTICE_INCIDENT_CLEARED, "i1", SEVERITY_INFO, true);
	assert_kinds(w, 0, "raised changed changed changed cleared ");
	assert_kinds(w, 1, "raised changed cleared ");
	/* No route took the raise: no clear, whatever it is now, also not a second one of i1. */
	add_as(w, NOTICE_INCIDENT_RAISED, "i2", SEVERITY_INFO, false);
	add_as(w, NOTICE_INCIDENT_CLEARED, "i2", SEVERITY_CRITICAL, false);
	add_as(w, NOTICE_INCIDENT_CLEARED, "i1", SEVERITY_CRITICAL, false);
	assert_int_equal(sink_n(w, 0), 5);
	assert_int_equal(sink_n(w, 1), 3);
}

/* A fallback that got the raise is told of the end, although only the first is routed to. */
static void test_told_by_fallback(void **state)
{
	struct world *w = *state;
	int a = sink_start(w, 0, "400"), b = sink_start(w, 0, "");

	world_open(w, RECEIVER("a", "fallback = b") RECEIVER("b", "") "[route r]\nreceivers = a\n",
		a, w->f->dir, b, w->f->dir);
	add_as(w, NOTICE_INCIDENT_RAISED, "i1", SEVERITY_WARNING, false);
	assert_kinds(w, 1, "raised ");
	add_as(w, NOTICE_INCIDENT_CLEARED, "i1", SEVERITY_WARNING, false);
	assert_kinds(w, 0, "raised "); /* it refused that */
	assert_kinds(w, 1, "raised cleared ");
}

/* Who refuses the raise hears neither of a change nor of the end, over a restart too; as with one
 * who was not told, a change comes to it as a raise, and then also the end. */
static void test_refused(void **state)
{
	struct world *w = *state;
	int a = sink_start(w, 0, "400 204 400 410");

	world_open(w, RECEIVER("a", "") "[route r]\nreceivers = a\nmin_severity = warning\n", a,
		w->f->dir);
	put_open(w, "i1");
	add_as(w, NOTICE_INCIDENT_RAISED, "i1", SEVERITY_WARNING, false);
	add_as(w, NOTICE_INCIDENT_CHANGED, "i1", SEVERITY_INFO, false);
	assert_kinds(w, 0, "raised ");
	world_restart(w);
	add_as(w, NOTICE_INCIDENT_CHANGED, "i1", SEVERITY_INFO, false);
	assert_kinds(w, 0, "raised ");
	add_as(w, NOTICE_INCIDENT_CHANGED, "i1", SEVERITY_CRITICAL, false);
	assert_kinds(w, 0, "raised raised ");
	world_restart(w);
	add_as(w, NOTICE_INCIDENT_CLEARED, "i1", SEVERITY_INFO, true);
	assert_kinds(w, 0, "raised raised cleared ");
}

/* An end that cannot be delivered is not for a fallback that never heard of the beginning. */
static void test_end_by_fallback(void **state)
{
	struct world *w = *state;
	int a = sink_start(w, 0, "204 400"), b = sink_start(w, 0, "");

	world_open(w, RECEIVER("a", "fallback = b") RECEIVER("b", "") "[route r]\nreceivers = a\n",
		a, w->f->dir, b, w->f->dir);
	add_as(w, NOTICE_INCIDENT_RAISED, "i1", SEVERITY_WARNING, false);
	add_as(w, NOTICE_INCIDENT_CLEARED, "i1", SEVERITY_WARNING, false);
	assert_string_equal(w->ends, "a:delivered a:failed ");
	assert_kinds(w, 1, "");
}

/* One that says both is. */
static void test_both_by_fallback(void **state)
{
	struct world *w = *state;

	world_open(w,
		RECEIVER("a", "fallback = b\nttl = 1s")
			RECEIVER("b", "") "[route r]\nreceivers = a\n",
		free_port(), w->f->dir, sink_start(w, 0, ""), w->f->dir);
	add(w, NOTICE_INCIDENT_RAISED, "i1", NULL);
	add(w, NOTICE_INCIDENT_CLEARED, "i1", NULL);
	WAIT_FOR(w->f->loop, w->ends[0] && alert_outbox_depth(w->alert) == 0);
	auto_json json_t *log = sink_log(w, 0);
	size_t n = 0;
	for (size_t i = 0; i < json_array_size(log); i++)
		n += str_eq(
			json_string_value(json_object_get(entry_data(log, i), "incident")), "i1");
	assert_int_equal(n, 1);
}

/* A reminder is of what is still so: the fallback hears of the end then. */
static void test_reminder_by_fallback(void **state)
{
	struct world *w = *state;
	int a = sink_start(w, 0, "204 400"), b = sink_start(w, 0, "");

	world_open(w, RECEIVER("a", "fallback = b") RECEIVER("b", "") "[route r]\nreceivers = a\n",
		a, w->f->dir, b, w->f->dir);
	add_as(w, NOTICE_INCIDENT_RAISED, "i1", SEVERITY_WARNING, false);
	add_as(w, NOTICE_INCIDENT_REMINDER, "i1", SEVERITY_WARNING, false);
	assert_kinds(w, 1, "reminder ");
	add_as(w, NOTICE_INCIDENT_CLEARED, "i1", SEVERITY_WARNING, false);
	assert_kinds(w, 1, "reminder cleared ");
}

/* A receiver that is renamed while the raise waits: the fallback it had gets it, and hears of the
 * end. */
static void test_renamed(void **state)
{
	struct world *w = *state;
	int b = sink_start(w, 0, ""), c = sink_start(w, 0, "");
	auto_free char *text =
		str_printf(RECEIVER("b", "") RECEIVER("c", "") "[route r]\nreceivers = c\n", b,
			w->f->dir, c, w->f->dir);
	struct conf *conf;

	world_open(w,
		RECEIVER("a", "fallback = b") RECEIVER("b", "")
			RECEIVER("c", "") "[route r]\nreceivers = a\n",
		free_port(), w->f->dir, b, w->f->dir, c, w->f->dir);
	add(w, NOTICE_INCIDENT_RAISED, "i1", NULL);
	WAIT_FOR(w->f->loop, alert_find_receiver(w->alert, "a")->n_tries > 0);
	conf = load_conf(w, text);
	assert_int_equal(alert_apply(w->alert, conf), 0);
	conf_unref(w->conf);
	w->conf = conf;
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 1 && alert_outbox_depth(w->alert) == 0);
	add_as(w, NOTICE_INCIDENT_CLEARED, "i1", SEVERITY_WARNING, false);
	assert_kinds(w, 0, "raised cleared ");
	assert_kinds(w, 1, "");
}

/* Without a fallback the others hear that it is lost. */
static void test_removed(void **state)
{
	struct world *w = *state;
	int b = sink_start(w, 0, "");
	auto_free char *text =
		str_printf(RECEIVER("b", "") "[route r]\nreceivers = b\n", b, w->f->dir);
	struct conf *conf;

	world_open(w, RECEIVER("a", "") RECEIVER("b", "") "[route r]\nreceivers = a\n", free_port(),
		w->f->dir, b, w->f->dir);
	add(w, NOTICE_INCIDENT_RAISED, "i1", NULL);
	WAIT_FOR(w->f->loop, alert_find_receiver(w->alert, "a")->n_tries > 0);
	conf = load_conf(w, text);
	assert_int_equal(alert_apply(w->alert, conf), 0);
	conf_unref(w->conf);
	w->conf = conf;
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 1);
	assert_kinds(w, 0, "failing ");
}

static void change_conf(struct world *w, const char *text)
{
	struct conf *conf = load_conf(w, text);

	assert_int_equal(alert_apply(w->alert, conf), 0);
	conf_unref(w->conf);
	w->conf = conf;
}

/* What telling.c asks for an incident that is still open. */
static int follow(struct world *w, const char *incident)
{
	const struct notice n = {.kind = NOTICE_INCIDENT_RAISED,
		.severity = SEVERITY_WARNING,
		.fingerprint = incident,
		.incident_id = incident,
		.component = "crm/web",
		.text = "t"};
	const struct alert_followed followed = {.notice = &n};
	usec_t next;
	int r = alert_follow(w->alert, &followed, &next);

	assert_true(r >= 0);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	return r;
}

/* Who was told of what is open is no longer configured, also over a restart: whom the routes name
 * now gets it, once, and its end. One that nobody was to be told of stays so. */
static void test_all_gone(void **state)
{
	struct world *w = *state;
	int a = sink_start(w, 0, ""), b = sink_start(w, 0, ""), c = sink_start(w, 0, "");
	auto_free char *only_b =
		str_printf(RECEIVER("b", "") "[route r]\nreceivers = b\nmin_severity = warning\n",
			b, w->f->dir);
	auto_free char *only_c =
		str_printf(RECEIVER("c", "") "[route r]\nreceivers = c\nmin_severity = warning\n",
			c, w->f->dir);

	world_open(w, RECEIVER("a", "") "[route r]\nreceivers = a\nmin_severity = warning\n", a,
		w->f->dir);
	put_open(w, "i1");
	put_open(w, "i2");
	add_as(w, NOTICE_INCIDENT_RAISED, "i1", SEVERITY_WARNING, false);
	add_as(w, NOTICE_INCIDENT_RAISED, "i2", SEVERITY_INFO, false);
	assert_false(alert_any_abandoned(w->alert));
	assert_int_equal(follow(w, "i1"), 0);
	change_conf(w, only_b);
	assert_true(alert_any_abandoned(w->alert));
	assert_true(alert_is_abandoned(w->alert, "i1"));
	assert_false(alert_is_abandoned(w->alert, "i2"));
	assert_int_equal(follow(w, "i1"), 1);
	assert_false(alert_any_abandoned(w->alert));
	assert_int_equal(follow(w, "i1"), 0);
	assert_int_equal(follow(w, "i2"), 0);
	assert_kinds(w, 1, "raised ");
	conf_unref(w->conf);
	w->conf = load_conf(w, only_c);
	world_restart(w);
	assert_true(alert_is_abandoned(w->alert, "i1"));
	assert_int_equal(follow(w, "i1"), 1);
	assert_int_equal(follow(w, "i2"), 0);
	add_as(w, NOTICE_INCIDENT_CLEARED, "i1", SEVERITY_WARNING, false);
	assert_kinds(w, 0, "raised ");
	assert_kinds(w, 1, "raised ");
	assert_kinds(w, 2, "raised cleared ");
	assert_false(alert_any_abandoned(w->alert));
}

/* The raise was never tried when its receiver went: it is as one that was told and is gone, by
 * memory and by the ledger; and when it comes back, it has not heard of the beginning. */
static void test_gone_untried(void **state)
{
	struct world *w = *state;
	int a = sink_start(w, 0, ""), b = sink_start(w, 0, "");
	auto_free char *only_b =
		str_printf(RECEIVER("b", "") "[route r]\nreceivers = b\n", b, w->f->dir);
	auto_free char *both = str_printf(RECEIVER("a", "") RECEIVER("b", "") "[route r]\n"
									      "receivers = b\n",
		a, w->f->dir, b, w->f->dir);

	world_open(w,
		RECEIVER("a", "") "[route r]\nreceivers = a\ngroup_by = system\n"
				  "group_wait = 60s\ngroup_interval = 60s\n",
		a, w->f->dir);
	put_open(w, "i1");
	add(w, NOTICE_INCIDENT_RAISED, "i1", NULL);
	WAIT_FOR(w->f->loop, w->alert->tokens.len == 0);
	assert_int_equal(alert_outbox_depth(w->alert), 1);
	change_conf(w, only_b);
	WAIT_FOR(w->f->loop, sink_n(w, 1) == 1 && alert_outbox_depth(w->alert) == 0); /* the loss */
	for (int i = 0; i < 2; i++) {
		assert_true(alert_is_abandoned(w->alert, "i1"));
		WAIT_FOR(w->f->loop, w->alert->unwritten.len == 0);
		if (i == 0)
			world_restart(w);
	}
	assert_int_equal(follow(w, "i1"), 1);
	change_conf(w, both);
	add_as(w, NOTICE_INCIDENT_CLEARED, "i1", SEVERITY_WARNING, false);
	assert_kinds(w, 0, "");
	assert_kinds(w, 1, "failing raised cleared ");
}

/* What waits while the raise is refused: an end alone goes with it, a change tells what is so. */
static void test_refused_with_more(void **state)
{
	static const struct {
		enum notice_kind kind;
		const char *kinds;
	} rows[] = {
		{NOTICE_INCIDENT_CLEARED, "raised "},
		{NOTICE_INCIDENT_CHANGED, "raised changed cleared "},
	};
	struct world *w = *state;
	char incident[] = "i0";

	for (int i = 0; i < (int)ARRAY_SIZE(rows); i++) {
		auto_free char *go = str_printf("sink.%d.go", i);
		int a = sink_start(w, 0, "wait-400");

		incident[1] = (char)('1' + i);
		if (w->alert) {
			w->alert = alert_free(w->alert);
			w->f->store = store_free(w->f->store);
			w->conf = conf_unref(w->conf);
		}
		world_open(w, RECEIVER("a", ""), a, w->f->dir);
		add(w, NOTICE_INCIDENT_RAISED, incident, NULL);
		WAIT_FOR(w->f->loop, sink_n(w, i) == 1);
		add(w, rows[i].kind, incident, NULL);
		write_file(w, go, "");
		WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
		if (rows[i].kind == NOTICE_INCIDENT_CHANGED)
			add(w, NOTICE_INCIDENT_CLEARED, incident, NULL);
		WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
		assert_kinds(w, i, rows[i].kinds);
	}
}

/* The caller's batch is full to the last byte: told all the same, and in the ledger afterwards. */
static void test_no_room(void **state)
{
	struct world *w = *state;
	struct notice n = {.kind = NOTICE_INCIDENT_RAISED,
		.severity = SEVERITY_WARNING,
		.fingerprint = "f",
		.incident_id = "i1",
		.text = "t"};
	auto_free char *fill = calloc(1, (1 << 20) + 1);
	struct store_batch *batch;
	struct outcome o = {0};
	uint64_t token;

	world_open(w, RECEIVER("a", ""), sink_start(w, 0, ""), w->f->dir);
	assert_int_equal(store_batch_new(&batch), 0);
	memset(fill, 'x', 1 << 20);
	for (size_t size = 1 << 20; size > 0; size /= 2) {
		fill[size] = '\0';
		while (store_batch_add(batch, STORE_META_PUT, "ss", "fill", fill) == 0)
			;
	}
	assert_int_equal(alert_add(w->alert, &n, batch), 1);
	token = alert_seal(w->alert);
	assert_int_equal(store_commit(w->f->store, batch, on_done, &o), 0);
	WAIT_FOR(w->f->loop, o.n > 0 && o.last != -EINPROGRESS);
	assert_int_equal(o.last, 0);
	alert_committed(w->alert, token, o.last);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	assert_int_equal(sink_n(w, 0), 1);
	world_restart(w);
	assert_ledger(w, n.id, "a 1 delivered 1");
}

/* The end of the daemon with more than a batch holds, and a start with more than an answer of the
 * store's holds: nothing is lost. */
static void test_much_at_the_end(void **state)
{
	enum { N = 600, LARGE = 60000 };
	struct world *w = *state;
	auto_free char *large = calloc(1, LARGE + 1);
	auto_json json_t *details = NULL;

	memset(large, 'x', LARGE);
	details = json_pack("{s:s}", "large", large);
	world_open(w, RECEIVER("a", ""), free_port(), w->f->dir);
	for (size_t i = 0; i < N; i++) {
		auto_free char *fingerprint = str_printf("crm/c%zu/x", i);
		struct notice n = {.kind = NOTICE_POLICY_MESSAGE,
			.fingerprint = fingerprint,
			.severity = SEVERITY_CRITICAL,
			.details = details,
			.text = "t"};
		struct store_batch *batch;

		assert_int_equal(store_batch_new(&batch), 0);
		assert_int_equal(alert_add(w->alert, &n, batch), 1);
		store_batch_free(batch);
		alert_committed(w->alert, alert_seal(w->alert), -ENOSPC);
	}
	world_restart(w);
	assert_int_equal(alert_outbox_depth(w->alert), N);
}

static void on_silence(int r, const struct silence *silence, void *data)
{
	int *n = data;

	assert_int_equal(r, 0);
	(*n)++;
}

/* Of what has no incident nothing can be looked at again: it is in the ledger with what said no. */
static void test_silenced(void **state)
{
	struct world *w = *state;
	const struct silence_wanted wanted = {.matchers = "source=daemon",
		.author = "ann",
		.comment = "upgrade",
		.starts_wall = clock_wall(),
		.ends_wall = clock_wall() + 3600 * USEC_PER_SEC};
	struct notice one = {.kind = NOTICE_CONFIG_FAILED, .fingerprint = "f", .text = "t"};
	struct notice two = {.kind = NOTICE_POLICY_FAILED,
		.fingerprint = "g",
		.component = "crm/web",
		.text = "t"};
	struct tend_error err = {0};
	int n = 0;

	world_open(w, RECEIVER("a", ""), sink_start(w, 0, ""), w->f->dir);
	assert_int_equal(silences_add(alert_silences(w->alert), &wanted, on_silence, &n, &err), 0);
	WAIT_FOR(w->f->loop, n == 1);
	assert_int_equal(alert_add(w->alert, &one, NULL), 0);
	assert_int_equal(alert_add(w->alert, &two, NULL), 1); /* it is of a component */
	WAIT_FOR(w->f->loop, sink_n(w, 0) == 1 && alert_outbox_depth(w->alert) == 0);
	world_restart(w); /* silences are there before anything is told */
	one.id[0] = '\0';
	assert_int_equal(alert_add(w->alert, &one, NULL), 0);
	assert_int_equal(sink_n(w, 0), 1);
}

/* "warning critical ": the severities of notice.told. */
static void assert_told_as(struct world *w, json_t *own, const char *want)
{
	auto_json json_t *list = NULL;
	char got[256] = "";
	json_t *one;
	size_t i;

	assert_int_equal(told_labels(w->alert, "i1", own, &list), 0);
	json_array_foreach (list, i, one) {
		assert_null(json_object_get(one, "state"));
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s ",
			json_string_value(json_object_get(one, "severity")));
	}
	assert_string_equal(got, want);
}

static json_t *labels_with(int n)
{
	return json_pack("{s:o, s:s}", "severity", json_sprintf("%d", n), "state", "critical");
}

/* The label sets of the raise and of the changes: the last, and where a change may not have arrived
 * all of them, each once. After a restart nobody knows. What is told in between is none. */
static void test_labels(void **state)
{
	struct world *w = *state;

	world_open(w, RECEIVER("a", ""), sink_start(w, 0, "204 204 400"), w->f->dir);
	put_open(w, "i1");
	add_as(w, NOTICE_INCIDENT_RAISED, "i1", SEVERITY_CRITICAL, false);
	assert_told_as(w, NULL, "critical ");
	add_as(w, NOTICE_INCIDENT_CHANGED, "i1", SEVERITY_WARNING, false);
	assert_told_as(w, NULL, "warning ");
	add_as(w, NOTICE_INCIDENT_CHANGED, "i1", SEVERITY_CRITICAL, false); /* 400 */
	add_as(w, NOTICE_INCIDENT_REMINDER, "i1", SEVERITY_INFO, false);
	assert_told_as(w, NULL, "warning critical ");
	world_restart(w);
	assert_told_as(w, NULL, "warning critical ");
	for (int i = 0; i < 12; i++) {
		auto_json json_t *more = labels_with(i);

		told_keep_labels(w->alert, "i1", more);
		told_keep_labels(w->alert, "nobody was told of it", more);
	}
	assert_told_as(w, NULL, "4 5 6 7 8 9 10 11 ");
	assert_false(told_open(w->alert, "nobody was told of it"));
	add_as(w, NOTICE_INCIDENT_CLEARED, "i1", SEVERITY_CRITICAL, false);
	assert_told_as(w, NULL, "");
}

/* While a change is on its way it may yet be lost. What a root that has moved left behind may be
 * another incident's by now: that one's alert is not ended with this one. */
static void test_labels_of_another(void **state)
{
	struct world *w = *state;
	auto_json json_t *one = labels_with(1), *two = labels_with(2), *three = labels_with(3);

	world_open(w, RECEIVER("a", ""), sink_start(w, 0, ""), w->f->dir);
	told_add(w->alert, "i1", "a", clock_wall());
	told_add(w->alert, "i2", "a", clock_wall());
	told_keep_labels(w->alert, "i1", one);
	assert_told_as(w, one, "");
	assert_told_as(w, two, "1 ");
	told_change_queued(w->alert, "i1");
	told_keep_labels(w->alert, "i1", two);
	told_change_queued(w->alert, "i1");
	told_keep_labels(w->alert, "i1", three);
	assert_told_as(w, three, "1 2 3 ");
	told_change_ended(w->alert, "i1", true);
	assert_told_as(w, three, "1 2 3 ");
	told_keep_labels(w->alert, "i2", two);
	assert_told_as(w, three, "1 3 ");
	told_change_ended(w->alert, "i1", true);
	assert_told_as(w, three, "");
	told_change_ended(w->alert, "i1", false);
	assert_told_as(w, three, "1 3 ");
	told_drop(w->alert, "i1");
	assert_int_equal(w->alert->n_told_moved, 0);
}

int main(void)
{
#define ALERT_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		ALERT_TEST(test_told),
		ALERT_TEST(test_told_by_fallback),
		ALERT_TEST(test_labels),
		ALERT_TEST(test_labels_of_another),
		ALERT_TEST(test_refused),
		ALERT_TEST(test_renamed),
		ALERT_TEST(test_removed),
		ALERT_TEST(test_all_gone),
		ALERT_TEST(test_gone_untried),
		ALERT_TEST(test_end_by_fallback),
		ALERT_TEST(test_both_by_fallback),
		ALERT_TEST(test_reminder_by_fallback),
		ALERT_TEST(test_refused_with_more),
		ALERT_TEST(test_no_room),
		ALERT_TEST(test_much_at_the_end),
		ALERT_TEST(test_silenced),
	};

	log_to_stderr();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
