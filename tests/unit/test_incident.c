/* SPDX-License-Identifier: MIT */
/* The life of an incident with the real store: every event counted, over faults, reloads and
 * restarts. */
#include "core_fixture.h"
#include "incident/private.h"

struct world {
	struct core core;
	struct incidents *incidents;
	size_t n[INCIDENT_EVENT_MAX];
	size_t n_told, n_committed;
	uint64_t last_token;
	char fingerprint[128]; /* of the last event */
	char note[64];	       /* noted from within the next event */
};

static uint64_t on_event(
	struct incident *incident, enum incident_event event, struct store_batch *batch, void *data)
{
	struct world *w = data;

	assert_non_null(batch);
	w->n[event]++;
	(void)snprintf(w->fingerprint, sizeof(w->fingerprint), "%s", incident->fingerprint);
	if (w->note[0])
		incident_note(w->incidents, incident, "test", "%s", w->note);
	return ++w->last_token;
}

static void on_commit(uint64_t token, int r, void *data)
{
	struct world *w = data;

	assert_int_equal(r, 0);
	assert_in_range(token, 1, w->last_token);
	w->n_committed++;
}

static void on_told(struct incident *incident, enum incident_event event, void *data)
{
	struct world *w = data;

	w->n_told++;
	assert_int_equal(w->n_told + w->n[INCIDENT_ACKNOWLEDGED], w->last_token);
}

static void on_result(struct check *check, unsigned events, void *data)
{
	struct world *w = data;

	incidents_on_result(w->incidents, check, events);
}

static const char body[] =
	"[system s]\nenvironment = production\n"
	"[component s/db]\nkind = database\n"
	"[component s/web]\nkind = web\ndepends = db\n"
	"[component s/app]\nkind = app\ndepends = db\n" CHECK("s/db/a", "s.db.a", "")
		CHECK("s/web/a", "s.web.a", "") CHECK("s/web/b", "s.web.b", "")
			CHECK("s/app/a", "s.app.a", "");
static const char *const names[] = {"s/db/a", "s/web/a", "s/web/b", "s/app/a"};

static void begin(struct world *w)
{
	struct incidents_hooks hooks = {on_event, on_commit, on_told, NULL, w};

	assert_int_equal(
		incidents_new(w->core.loop, w->core.store, w->core.watch, &w->incidents), 0);
	incidents_set_hooks(w->incidents, &hooks);
	watch_on_result(w->core.watch, on_result, w);
}

static void apply(struct world *w, const char *text)
{
	core_apply(&w->core, core_load(&w->core, "", text));
	incidents_apply(w->incidents);
}

static void restart(struct world *w)
{
	w->incidents = incidents_free(w->incidents);
	core_close(&w->core);
	core_open(&w->core);
	begin(w);
	apply(w, body);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	core_setup(&w->core);
	begin(w);
	apply(w, body);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		core_run(&w->core, names[i]);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	incidents_free(w->incidents);
	w->incidents = NULL;
	core_teardown(&w->core);
	free(w);
	return 0;
}

static void check_counts(const struct world *w, size_t raised, size_t changed, size_t cleared)
{
	if (w->n[INCIDENT_RAISED] != raised || w->n[INCIDENT_CHANGED] != changed ||
		w->n[INCIDENT_CLEARED] != cleared)
		fail_msg("%zu raised, %zu changed, %zu cleared; expected %zu, %zu, %zu",
			w->n[INCIDENT_RAISED], w->n[INCIDENT_CHANGED], w->n[INCIDENT_CLEARED],
			raised, changed, cleared);
	assert_int_equal(incidents_open(w->incidents)->len, raised - cleared);
}

static void tell_all(struct world *w, const char *answer)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		core_tell(&w->core, names[i], answer);
}

static struct incident *only(struct world *w)
{
	assert_int_equal(incidents_open(w->incidents)->len, 1);
	return incidents_open(w->incidents)->items[0];
}

static bool quiet(struct world *w)
{
	return !core_locating(&w->core);
}

static bool in_timeline(const struct incident *incident, const char *kind, const char *text)
{
	VEC_FOREACH (&incident->timeline, const struct timeline_entry *, entry)
		if (strcmp(entry->kind, kind) == 0 && strstr(entry->text, text))
			return true;
	return false;
}

/* A database and both its children: one fault, one raise, one clear; whoever confirms first. */
static void test_parent_and_children(void **state)
{
	struct world *w = *state;
	static const char *const orders[][4] = {{"s/web/a", "s/app/a", "s/db/a", "s/web/b"},
		{"s/db/a", "s/web/b", "s/app/a", "s/web/a"},
		{"s/app/a", "s/db/a", "s/web/a", "s/web/b"}};

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		tell_all(w, "connect-refused");
		for (size_t k = 0; k < 4; k++)
			core_fail(&w->core, orders[i][k], "connect-refused");
		check_counts(w, i + 1, 0, i);
		assert_string_equal(only(w)->check, "s/db/a");
		assert_int_equal(only(w)->members.len, 4);
		for (size_t k = 0; k < 4; k++)
			assert_ptr_equal(incidents_of_check(w->incidents, names[k]), only(w));
		tell_all(w, "ok");
		core_run(&w->core, "s/db/a");
		WAIT_FOR(w->core.loop, w->n[INCIDENT_CLEARED] == i + 1);
		WAIT_FOR(w->core.loop, quiet(w));
		check_counts(w, i + 1, 0, i + 1);
		assert_string_equal(w->fingerprint, "s/db/a");
	}
	WAIT_FOR(w->core.loop, w->n_committed == w->last_token);
	assert_int_equal(w->n_told + w->n[INCIDENT_ACKNOWLEDGED], w->last_token);
}

/* The child is told before the parent's fault is known: the incident moves, it is not raised again.
 */
static void test_reparent(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];

	core_fail(&w->core, "s/web/a", "too-slow");
	check_counts(w, 1, 0, 0);
	memcpy(id, only(w)->id, sizeof(id));
	core_fail(&w->core, "s/db/a", "connect-refused");
	check_counts(w, 1, 1, 0);
	assert_string_equal(only(w)->id, id);
	assert_string_equal(only(w)->component, "s/db");
	/* receivers match a clear to its raise by it */
	assert_string_equal(only(w)->fingerprint, "s/web/a");
	core_tell(&w->core, "s/db/a", "ok");
	core_run(&w->core, "s/db/a");
	WAIT_FOR(w->core.loop, quiet(w));
	check_counts(w, 1, 1, 0); /* the child fails still */
	core_tell(&w->core, "s/web/a", "ok");
	core_run(&w->core, "s/web/a");
	WAIT_FOR(w->core.loop, w->n[INCIDENT_CLEARED] == 1);
	check_counts(w, 1, 1, 1);
	assert_string_equal(w->fingerprint, "s/web/a");
}

/* The child whose incident has moved to the parent fails anew for itself: no receiver may take the
 * end of the one for that of the other. */
static void test_fingerprints_differ(void **state)
{
	struct world *w = *state;

	core_fail(&w->core, "s/web/a", "too-slow");
	core_fail(&w->core, "s/db/a", "connect-refused");
	core_fail(&w->core, "s/app/a", "connect-refused");
	check_counts(w, 1, 1, 0);
	core_tell(&w->core, "s/web/a", "ok");
	core_tell(&w->core, "s/db/a", "ok");
	core_run(&w->core, "s/web/a");
	core_run(&w->core, "s/db/a");
	WAIT_FOR(w->core.loop, quiet(w));
	check_counts(w, 1, 1, 0); /* s/app/a fails still */
	core_fail(&w->core, "s/web/a", "connect-refused");
	check_counts(w, 2, 1, 0);
	assert_string_equal(w->fingerprint, "s/web/a#2");
	restart(w);
	core_tell(&w->core, "s/app/a", "ok");
	core_run(&w->core, "s/app/a");
	core_run(&w->core, "s/db/a");
	WAIT_FOR(w->core.loop, w->n[INCIDENT_CLEARED] == 1);
	assert_string_equal(w->fingerprint, "s/web/a");
	assert_string_equal(only(w)->fingerprint, "s/web/a#2");
	core_tell(&w->core, "s/web/a", "ok");
	core_run(&w->core, "s/web/a");
	WAIT_FOR(w->core.loop, w->n[INCIDENT_CLEARED] == 2);
	core_fail(&w->core, "s/web/a", "connect-refused");
	assert_string_equal(w->fingerprint, "s/web/a");
}

/* What fails after its parent is well again has an incident of its own; the parent's ends without
 * it. */
static void test_child_stays(void **state)
{
	struct world *w = *state;

	core_tell(&w->core, "s/db/a", "connect-refused");
	core_fail(&w->core, "s/web/a", "too-slow");
	core_run(&w->core, "s/db/a");
	check_counts(w, 1, 0, 0);
	core_tell(&w->core, "s/db/a", "ok");
	core_run(&w->core, "s/db/a");
	WAIT_FOR(w->core.loop, quiet(w));
	core_fail(&w->core, "s/web/a", "too-slow");
	core_run(&w->core, "s/db/a");
	WAIT_FOR(w->core.loop, w->n[INCIDENT_CLEARED] == 1);
	check_counts(w, 2, 0, 1);
	assert_string_equal(only(w)->component, "s/web");
	core_tell(&w->core, "s/web/a", "ok");
	core_run(&w->core, "s/web/a");
	WAIT_FOR(w->core.loop, w->n[INCIDENT_CLEARED] == 2);
}

static void test_severity(void **state)
{
	struct world *w = *state;

	core_fail(&w->core, "s/web/a", "unit-changing"); /* a warning */
	check_counts(w, 1, 0, 0);
	assert_int_equal(only(w)->severity, SEVERITY_WARNING);
	core_fail(&w->core, "s/web/b", "unit-changing");
	check_counts(w, 1, 0, 0);
	core_fail(&w->core, "s/web/a", "connect-refused");
	check_counts(w, 1, 1, 0);
	assert_int_equal(only(w)->severity, SEVERITY_CRITICAL);
	core_fail(&w->core, "s/web/b", "too-slow");
	check_counts(w, 1, 1, 0);
}

static usec_t ahead;

static usec_t shifted_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

static usec_t shifted_wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000 + ahead;
}

/* The root is well, what still fails is less: that is told, once. What hung on the incident ends
 * with the last of it. */
static void test_what_still_fails_is_less(void **state)
{
	static const struct clock_source shifted = {shifted_now, shifted_wall};
	struct world *w = *state;

	clock_set_source(&shifted);
	core_fail(&w->core, "s/web/a", "connect-refused");
	core_fail(&w->core, "s/web/b", "unit-changing");
	check_counts(w, 1, 0, 0);
	core_tell(&w->core, "s/web/a", "ok");
	core_run(&w->core, "s/web/a");
	core_run(&w->core, "s/web/b");
	check_counts(w, 1, 0, 0);
	ahead = 31 * USEC_PER_SEC;
	core_run(&w->core, "s/web/b");
	assert_string_equal(only(w)->check, "s/web/b");
	assert_int_equal(only(w)->severity, SEVERITY_WARNING);
	check_counts(w, 1, 1, 0);
	assert_string_equal(w->fingerprint, "s/web/a");
	assert_ptr_equal(incidents_at(w->incidents, "s/web"), only(w));
	core_run(&w->core, "s/web/b");
	check_counts(w, 1, 1, 0);
	restart(w);
	assert_int_equal(only(w)->severity, SEVERITY_WARNING);
	core_tell(&w->core, "s/web/b", "ok");
	core_run(&w->core, "s/web/b");
	core_run(&w->core, "s/web/a");
	WAIT_FOR(w->core.loop, w->n[INCIDENT_CLEARED] == 1);
	clock_set_source(NULL);
	ahead = 0;
}

/* The root is well, and what still fails is as bad: nobody hears of it. */
static void test_what_still_fails_is_as_bad(void **state)
{
	static const struct clock_source shifted = {shifted_now, shifted_wall};
	struct world *w = *state;

	clock_set_source(&shifted);
	core_fail(&w->core, "s/web/a", "connect-refused");
	core_fail(&w->core, "s/web/b", "too-slow");
	core_tell(&w->core, "s/web/a", "ok");
	core_run(&w->core, "s/web/a");
	ahead = 31 * USEC_PER_SEC;
	core_run(&w->core, "s/web/b");
	assert_string_equal(only(w)->check, "s/web/b");
	check_counts(w, 1, 0, 0);
	clock_set_source(NULL);
	ahead = 0;
}

/* The root's check is taken out of the configuration: there is nothing to wait for. */
static void test_reload_takes_the_root(void **state)
{
	struct world *w = *state;

	core_fail(&w->core, "s/web/a", "too-slow");
	apply(w, "[system s]\nenvironment = production\n[component s/db]\nkind = database\n"
		 "[component s/web]\nkind = web\ndepends = db\n" CHECK("s/db/a", "s.db.a", "")
			 CHECK("s/web/b", "s.web.b", ""));
	WAIT_FOR(w->core.loop, w->n[INCIDENT_CLEARED] == 1);
	check_counts(w, 1, 0, 1);
}

static void test_restart(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];
	struct tend_error err = {0};

	tell_all(w, "connect-refused");
	core_fail(&w->core, "s/web/a", "connect-refused");
	memcpy(id, only(w)->id, sizeof(id));
	assert_int_equal(incident_acknowledge(w->incidents, only(w),
				 &(struct incident_ack){.author = "ann", .comment = "on it"}, &err),
		0);
	restart(w);
	assert_string_equal(only(w)->id, id);
	assert_string_equal(only(w)->ack_author, "ann");
	assert_int_equal(only(w)->members.len, 2);
	assert_true(in_timeline(only(w), "acknowledged", "on it"));
	check_counts(w, 1, 0, 0);
	/* it still fails: nothing new to tell */
	core_run(&w->core, "s/db/a");
	core_run(&w->core, "s/web/a");
	WAIT_FOR(w->core.loop, quiet(w));
	check_counts(w, 1, 0, 0);
	tell_all(w, "ok");
	core_run(&w->core, "s/db/a");
	core_run(&w->core, "s/web/a");
	WAIT_FOR(w->core.loop, w->n[INCIDENT_CLEARED] == 1);
	restart(w);
	assert_int_equal(incidents_open(w->incidents)->len, 0);
	assert_string_equal(((struct incident *)incidents_recent(w->incidents)->items[0])->id, id);
}

/* It is kept: the component may be gone when it is read again. */
static void test_class(void **state)
{
	struct world *w = *state;
	auto_json json_t *doc = NULL;

	core_fail(&w->core, "s/web/a", "auth-failed");
	assert_int_equal(only(w)->class, FAULT_SECURITY);
	WAIT_FOR(w->core.loop, quiet(w));
	restart(w);
	assert_int_equal(only(w)->class, FAULT_SECURITY);
	doc = incident_to_json(only(w), false);
	assert_string_equal(json_string_value(json_object_get(doc, "class")), "security");
	assert_string_equal(json_string_value(json_object_get(doc, "category")), "auth");
	/* with the reason it changes */
	core_fail(&w->core, "s/web/a", "connect-refused");
	assert_int_equal(only(w)->class, FAULT_SOFTWARE);
}

static void acknowledge(struct world *w, bool sticky, usec_t until_wall)
{
	const struct incident_ack ack = {
		.author = "ann", .comment = "on it", .sticky = sticky, .until_wall = until_wall};
	struct tend_error err = {0};

	if (incident_acknowledge(w->incidents, only(w), &ack, &err) < 0)
		fail_msg("%s", err.text);
}

/* One that does not stick ends when it gets worse, not when another check fails as badly. */
static void test_acknowledged_and_worse(void **state)
{
	struct world *w = *state;

	for (int sticky = 0; sticky < 2; sticky++) {
		core_fail(&w->core, "s/web/a", "reported-warning");
		acknowledge(w, sticky, 0);
		assert_int_equal(w->n[INCIDENT_ACKNOWLEDGED], (size_t)sticky + 1);
		core_fail(&w->core, "s/web/b", "connect-refused");
		assert_int_equal(only(w)->severity, SEVERITY_CRITICAL);
		assert_int_equal(only(w)->ack_author != NULL, sticky);
		assert_int_equal(
			in_timeline(only(w), "unacknowledged", "it is critical now"), !sticky);
		assert_int_equal(only(w)->unacked_wall == 0, false);
		restart(w);
		assert_int_equal(only(w)->ack_author != NULL, sticky);
		assert_int_equal(only(w)->ack_sticky, sticky);
		tell_all(w, "ok");
		core_run(&w->core, "s/web/a");
		core_run(&w->core, "s/web/b");
		WAIT_FOR(w->core.loop, incidents_open(w->incidents)->len == 0);
	}
}

static usec_t real_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

static usec_t hour_later(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ((usec_t)ts.tv_sec + 3600) * USEC_PER_SEC;
}

static void test_acknowledged_for_a_time(void **state)
{
	static const struct clock_source later = {real_now, hour_later};
	struct world *w = *state;
	usec_t until = clock_wall() + 1800 * USEC_PER_SEC;
	struct tend_error err = {0};

	core_fail(&w->core, "s/db/a", "connect-refused");
	assert_true(incidents_expire_acks(w->incidents) == USEC_INFINITY);
	assert_int_equal(incident_acknowledge(w->incidents, only(w),
				 &(struct incident_ack){.author = "ann",
					 .comment = "on it",
					 .until_wall = clock_wall() - 1},
				 &err),
		-EINVAL);
	acknowledge(w, false, until);
	restart(w);
	assert_true(incidents_expire_acks(w->incidents) == until);
	assert_non_null(only(w)->ack_author);
	clock_set_source(&later);
	assert_true(incidents_expire_acks(w->incidents) == USEC_INFINITY);
	clock_set_source(NULL);
	assert_null(only(w)->ack_author);
	assert_true(in_timeline(only(w), "unacknowledged", "its time is over"));
	assert_int_equal(
		incident_unacknowledge(w->incidents, only(w), "ann", NULL, &err), -EALREADY);
	acknowledge(w, true, 0);
	assert_int_equal(incident_unacknowledge(w->incidents, only(w), "bob", "why", &err), 0);
	assert_null(only(w)->ack_author);
	assert_true(in_timeline(only(w), "unacknowledged", "by bob: why"));
}

/* Tend died after the state was kept and before the incident was: it is raised by the next result.
 */
static void test_died_between(void **state)
{
	struct world *w = *state;
	struct store_batch *batch;
	auto_json json_t *doc = json_pack("{s:s, s:i}", "hard", "critical", "hard_since", 1);

	core_tell(&w->core, "s/app/a", "too-slow");
	assert_int_equal(store_batch_new(&batch), 0);
	assert_int_equal(
		store_batch_add(batch, STORE_CHECK_STATE_PUT, "sji", "s/app/a", doc, (int64_t)1),
		0);
	assert_int_equal(store_commit(w->core.store, batch, NULL, NULL), 0);
	restart(w);
	check_counts(w, 0, 0, 0);
	core_run(&w->core, "s/app/a");
	WAIT_FOR(w->core.loop, quiet(w));
	check_counts(w, 1, 0, 0);
	assert_string_equal(only(w)->check, "s/app/a");
}

/* An open incident whose checks were never seen since the start is not well. */
static void test_nothing_known(void **state)
{
	struct world *w = *state;
	struct store_batch *batch;

	core_fail(&w->core, "s/web/a", "too-slow");
	assert_int_equal(store_batch_new(&batch), 0);
	assert_int_equal(store_batch_add(batch, STORE_CHECK_STATE_DELETE, "s", "s/web/a"), 0);
	assert_int_equal(store_commit(w->core.store, batch, NULL, NULL), 0);
	restart(w);
	check_counts(w, 1, 0, 0);
	core_tell(&w->core, "s/web/a", "ok");
	core_run(&w->core, "s/web/a");
	WAIT_FOR(w->core.loop, w->n[INCIDENT_CLEARED] == 1);
}

/* What is noted while an event is told goes into its batch: no row of the incident comes before its
 * notices. */
static void test_note_within_event(void **state)
{
	struct world *w = *state;

	(void)snprintf(w->note, sizeof(w->note), "from within");
	core_fail(&w->core, "s/web/a", "too-slow");
	w->note[0] = '\0';
	assert_true(in_timeline(only(w), "test", "from within"));
	restart(w);
	assert_true(in_timeline(only(w), "test", "from within"));
	assert_true(in_timeline(only(w), "located", "root cause is at s/web"));
}

static void test_find(void **state)
{
	struct world *w = *state;
	char prefix[9];
	struct tend_error err = {0};

	core_fail(&w->core, "s/web/a", "too-slow");
	memcpy(prefix, only(w)->id, 8);
	prefix[8] = '\0';
	assert_ptr_equal(incidents_find(w->incidents, prefix), only(w));
	assert_null(incidents_find(w->incidents, ""));
	assert_null(incidents_find(w->incidents, "zz"));
	assert_int_equal(incident_acknowledge(w->incidents, only(w),
				 &(struct incident_ack){.author = "ann", .comment = ""}, &err),
		-EINVAL);
}

/* Who hangs on whom at a component, whatever the order in which they come and go. */
static void test_places(void **unused)
{
	static const struct {
		uint32_t comes[3], goes[3], oldest[3]; /* after each that went; 0: nobody */
	} rows[] = {
		{{1, 2, 3}, {1, 2, 3}, {2, 3, 0}},
		{{3, 2, 1}, {1, 2, 3}, {2, 3, 0}},
		{{2, 3, 1}, {3, 1, 2}, {1, 2, 0}},
		{{1, 3, 2}, {2, 1, 3}, {1, 3, 0}},
		{{2, 1, 3}, {1, 3, 2}, {2, 2, 0}},
	};
	char component[] = "s/web", other[] = "s/db";
	char fingerprints[][2] = {"0", "1", "2", "3", "4"};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct incident list[5] = {
			{.component = other, .fingerprint = fingerprints[0], .snmp_index = 9},
			[4] = {.component = component,
				.fingerprint = fingerprints[4],
				.snmp_index = 4}};
		struct incidents incidents = {0};

		incident_enter(&incidents, &list[0]);
		for (size_t k = 0; k < 3; k++) {
			struct incident *incident = &list[rows[i].comes[k]];

			incident->component = component;
			incident->fingerprint = fingerprints[rows[i].comes[k]];
			incident->snmp_index = rows[i].comes[k];
			incident_enter(&incidents, incident);
		}
		assert_ptr_equal(incidents_at(&incidents, component), &list[1]);
		for (size_t k = 0; k < 3; k++) {
			const struct incident *oldest;

			incident_leave(&incidents, &list[rows[i].goes[k]]);
			oldest = incidents_at(&incidents, component);
			if ((oldest ? oldest->snmp_index : 0) != rows[i].oldest[k])
				fail_msg("row %zu, %zu went: %u is the oldest", i, k + 1,
					oldest ? oldest->snmp_index : 0);
		}
		incident_leave(&incidents, &list[4]); /* who never came */
		assert_ptr_equal(incidents_at(&incidents, other), &list[0]);
		map_clear(&incidents.by_component);
		map_clear(&incidents.by_fingerprint);
	}
}

/* Whoever goes through the list goes on where it was, though some have closed meanwhile. */
static void test_list_goes_on(void **state)
{
	struct world *w = *state;
	const struct vec *open = incidents_open(w->incidents);
	uint32_t seen;

	core_fail(&w->core, "s/web/a", "too-slow");
	core_fail(&w->core, "s/app/a", "too-slow");
	assert_int_equal(open->len, 2);
	assert_int_equal(incidents_after(w->incidents, 0), 0);
	seen = ((struct incident *)open->items[0])->snmp_index;
	assert_int_equal(incidents_after(w->incidents, seen), 1);
	core_tell(&w->core, "s/web/a", "ok");
	core_run(&w->core, "s/web/a");
	WAIT_FOR(w->core.loop, open->len == 1);
	assert_int_equal(incidents_after(w->incidents, seen), 0);
	assert_string_equal(only(w)->component, "s/app");
	assert_int_equal(incidents_after(w->incidents, only(w)->snmp_index), 1);
}

/* What everybody at a component answers, asked all at once. */
static void run_many(struct world *w, size_t n, const char *answer)
{
	int done = 0;

	core_tell(&w->core, "s/web/a", answer);
	for (size_t i = 0; i < n; i++) {
		auto_free char *name = str_printf("s/web/m%zu", i);

		core_check(&w->core, name)->counted = 0;
		assert_int_equal(
			watch_run_now(w->core.watch, name, clock_now(), core_count, &done), 0);
	}
	WAIT_FOR(w->core.loop, done == (int)n);
	WAIT_FOR(w->core.loop, quiet(w));
}

/* More hang on it than its row names. When what was below them is well again, all of them move. */
static void test_many_members(void **state)
{
	enum { N = INCIDENT_MAX_LISTED + 50 };
	struct world *w = *state;
	struct str text = STR_INIT(1 << 20);
	const struct incident *own;
	json_t *doc;

	assert_int_equal(str_append(&text, body, strlen(body)), 0);
	for (size_t i = 0; i < N; i++) {
		auto_free char *check = str_printf("[check s/web/m%zu]\nprobe = told\n"
						   "file = @/s.web.a\ninterval = 1h\n"
						   "confirm = 1 of 1\nflap_high = 0\n",
			i);

		assert_int_equal(str_append(&text, check, strlen(check)), 0);
	}
	apply(w, str_get(&text));
	run_many(w, N, "ok");
	core_fail(&w->core, "s/db/a", "connect-refused");
	run_many(w, N, "connect-refused");
	check_counts(w, 1, 0, 0);
	assert_int_equal(only(w)->members.len, N + 1);
	doc = incident_to_json(only(w), false);
	assert_int_equal(json_array_size(json_object_get(doc, "members")), INCIDENT_MAX_LISTED);
	assert_int_equal(json_integer_value(json_object_get(doc, "n_members")), N + 1);
	json_decref(doc);
	core_tell(&w->core, "s/db/a", "ok");
	core_run(&w->core, "s/db/a");
	core_run(&w->core, "s/db/a");
	run_many(w, N, "connect-refused");
	WAIT_FOR(w->core.loop, w->n[INCIDENT_CLEARED] == 1);
	check_counts(w, 2, 0, 1);
	own = only(w);
	assert_string_equal(own->component, "s/web");
	assert_int_equal(own->members.len, N);

	w->incidents = incidents_free(w->incidents);
	core_close(&w->core);
	core_open(&w->core);
	begin(w);
	apply(w, str_get(&text));
	str_clear(&text);
	assert_int_equal(only(w)->members.len, N);
	core_run(&w->core, "s/db/a");
	run_many(w, N, "ok");
	core_run(&w->core, "s/web/a");
	core_run(&w->core, "s/web/b");
	WAIT_FOR(w->core.loop, w->n[INCIDENT_CLEARED] == 2);
	check_counts(w, 2, 0, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_parent_and_children),
		TEST(test_reparent),
		TEST(test_fingerprints_differ),
		TEST(test_child_stays),
		TEST(test_severity),
		TEST(test_what_still_fails_is_less),
		TEST(test_what_still_fails_is_as_bad),
		TEST(test_reload_takes_the_root),
		TEST(test_restart),
		TEST(test_class),
		TEST(test_acknowledged_and_worse),
		TEST(test_acknowledged_for_a_time),
		TEST(test_died_between),
		TEST(test_nothing_known),
		TEST(test_note_within_event),
		TEST(test_find),
		cmocka_unit_test(test_places),
		TEST(test_list_goes_on),
		TEST(test_many_members),
	};

	log_set_level(LOG_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
