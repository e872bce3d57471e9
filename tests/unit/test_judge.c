/* SPDX-License-Identifier: MIT */
/* Results, thresholds, locating: checks that answer what they are told, on a real loop. */
#include "core_fixture.h"

enum { MAX_TOLD = 64 };

struct told { /* what watch tells: confirmed changes only */
	char check[64];
	enum tend_state hard;
	bool unreachable, unconfirmed;
};

struct judge {
	struct core core;
	struct told told[MAX_TOLD];
	size_t n_told;
	size_t n_results;
};

static void on_result(struct check *check, unsigned events, void *data)
{
	struct judge *j = data;
	struct told *t;

	j->n_results++;
	if (!(events & STATE_EVENT_HARD))
		return;
	assert_true(j->n_told < MAX_TOLD);
	t = &j->told[j->n_told++];
	(void)snprintf(t->check, sizeof(t->check), "%s", check->conf->name);
	t->hard = check->state.hard;
	t->unreachable = check->unreachable;
	t->unconfirmed = check->unconfirmed;
}

static int setup(void **state)
{
	struct judge *j = calloc(1, sizeof(*j));

	core_setup(&j->core);
	watch_on_result(j->core.watch, on_result, j);
	*state = j;
	return 0;
}

static int teardown(void **state)
{
	struct judge *j = *state;

	core_teardown(&j->core);
	free(j);
	return 0;
}

/* How often this was told of the check; -1 = any state. */
static size_t count(const struct judge *j, const char *check, int hard)
{
	size_t n = 0;

	for (size_t i = 0; i < j->n_told; i++)
		n += strcmp(j->told[i].check, check) == 0 &&
		     (hard < 0 || j->told[i].hard == (enum tend_state)hard);
	return n;
}

static const struct told *last_told(const struct judge *j, const char *check)
{
	for (size_t i = j->n_told; i-- > 0;)
		if (strcmp(j->told[i].check, check) == 0)
			return &j->told[i];
	fail_msg("nothing was told of %s", check);
	return NULL;
}

/* db <- web <- app */
static const char three[] =
	"[system s]\nenvironment = production\n"
	"[component s/db]\nkind = database\n"
	"[component s/web]\nkind = web\ndepends = db\n"
	"[component s/app]\nkind = app\ndepends = web\n" CHECK("s/db/a", "s.db.a", "")
		CHECK("s/web/a", "s.web.a", "") CHECK("s/web/unit", "s.web.unit", "")
			CHECK("s/app/a", "s.app.a", "");

static void all_well(struct judge *j)
{
	static const char *const names[] = {"s/db/a", "s/web/a", "s/web/unit", "s/app/a"};

	core_apply(&j->core, core_load(&j->core, "", three));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (watch_find_check(j->core.watch, names[i]))
			core_run(&j->core, names[i]);
	j->n_told = 0;
}

/* ---- thresholds
 * ------------------------------------------------------------------------------------------ */

static const struct {
	const char *answer, *more;
	const char *reason;
	enum tend_state verdict;
	const char *text; /* a part of it; NULL = whatever */
} judged[] = {
	{"ok x=5", "", "ok", TEND_STATE_OK, NULL},
	{"ok x=5", "warning.x = 10\ncritical.x = 20\n", "ok", TEND_STATE_OK, NULL},
	{"ok x=15", "warning.x = 10\ncritical.x = 20\n", "threshold", TEND_STATE_WARNING,
		"x is 15, warning outside the range 10"},
	{"ok x=25", "warning.x = 10\ncritical.x = 20\n", "threshold", TEND_STATE_CRITICAL,
		"critical outside the range 20"},
	{"ok x=5", "critical.x = @10\n", "threshold", TEND_STATE_CRITICAL,
		"critical inside the range 10"},
	{"ok x=25", "warning.x = 10\ncritical.x = 20\nseverity = warning\n", "threshold",
		TEND_STATE_WARNING, NULL},
	/* another metric's range is not this one's */
	{"ok xy=25 x=1", "critical.x = 20\n", "ok", TEND_STATE_OK, NULL},
	/* the worst of several wins, whatever the order */
	{"ok x=15 y=25", "warning.x = 10\ncritical.y = 20\n", "threshold", TEND_STATE_CRITICAL,
		"y is 25"},
	{"ok y=25 x=15", "warning.x = 10\ncritical.y = 20\n", "threshold", TEND_STATE_CRITICAL,
		"y is 25"},
	/* a good metric makes no bad result good, nor does a warning */
	{"connect-refused x=1", "critical.x = 20\n", "connect-refused", TEND_STATE_CRITICAL, NULL},
	{"connect-refused x=15", "warning.x = 10\n", "connect-refused", TEND_STATE_CRITICAL, NULL},
	{"unit-changing x=25", "critical.x = 20\n", "unit-changing", TEND_STATE_CRITICAL, NULL},
	/* a range whose metric does not come is no good news */
	{"ok x=1", "critical.y = 20\n", "no-evidence", TEND_STATE_UNKNOWN,
		"threshold of 'y': the check has no such metric (it has: x)"},
	{"ok", "warning.y = 20\n", "ok", TEND_STATE_OK, "(it has: none)"},
	{"ok x=1", "critical.sometimes = 20\n", "ok", TEND_STATE_OK, "no such metric"},
	{"ok x=1", "critical.ever = 20\n", "no-evidence", TEND_STATE_UNKNOWN, "no such metric"},
	{"ok x=1", "critical.sometimes = 20\nwarning.ever = 1\n", "no-evidence", TEND_STATE_UNKNOWN,
		"threshold of 'ever'"},
	{"ok", "critical.ever = 20\n", "ok", TEND_STATE_OK, "(it has: none)"},
	{"locked x=1", "critical.ever = 20\n", "locked", TEND_STATE_CRITICAL, NULL},
	{"ok x=1", "critical.y_rate = 20\n", "ok", TEND_STATE_OK, "no such metric"},
	{"connect-refused x=1", "critical.y = 20\n", "connect-refused", TEND_STATE_CRITICAL, NULL},
	{"silence", "", "too-slow", TEND_STATE_CRITICAL, "no answer within 500ms"},
};

static void test_thresholds(void **state)
{
	struct judge *j = *state;

	for (size_t i = 0; i < ARRAY_SIZE(judged); i++) {
		auto_free char *body = str_printf("[system s]\nenvironment = staging\n"
						  "[component s/db]\nkind = database\n%s%s",
			CHECK("s/db/a", "s.db.a", ""), judged[i].more);
		const struct result *last;

		core_apply(&j->core, core_load(&j->core, "", body));
		core_tell(&j->core, "s/db/a", judged[i].answer);
		core_run(&j->core, "s/db/a");
		last = &core_check(&j->core, "s/db/a")->last;
		if (strcmp(tend_reason_name(last->reason), judged[i].reason) != 0 ||
			last->verdict != judged[i].verdict ||
			(judged[i].text && !strstr(last->text, judged[i].text)))
			fail_msg("'%s' with '%s': %s, %s: %s", judged[i].answer, judged[i].more,
				tend_reason_name(last->reason), tend_state_name(last->verdict),
				last->text);
	}
}

/* ---- secrets
 * ------------------------------------------------------------------------------------------ */

/* What the target says of them goes to logs, store and receivers: there it is stars. A short one
 * may be a part of any name, so names keep it. */
static void test_secrets(void **state)
{
	static const struct {
		const char *secret, *echo, *text, *label, *shown;
	} cases[] = {
		{"s3cret+PW", "user s3cret+PW, s3cret%2BPW", "user ***, ***", "as3cret+PWb",
			"a***b"},
		{"s3cret+PW", "Basic dTpzM2NyZXQrUFc=, AHUAczNjcmV0K1BX", "Basic dTp***=, AHUA***",
			"AHUAczNjcmV0K1BX", "AHUA***"},
		{"s3cret+PW, which is long", "got 's3cret+PW, wh'", "got '***'", "x", "x"},
		{"tend", "tend_read may not", "***_read may not", "tend_a", "tend_a"},
		{"123", "123", "123", "123", "123"},
	};
	struct judge *j = *state;
	auto_free char *path = str_printf("%s/secret", j->core.dir);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *more = str_printf(
			"secret = file:@/secret\necho = %s\nsalt = %zu\n", cases[i].echo, i);
		auto_free char *body = str_printf("[system s]\nenvironment = staging\n"
						  "[component s/db]\nkind = database\n%s%s",
			CHECK("s/db/a", "s.db.a", ""), more);
		auto_free char *answer =
			str_printf("ok m:%s=1 remember:%s=0", cases[i].label, cases[i].label);
		auto_free char *memory = NULL, *said = str_printf("[\"%s\"]", cases[i].shown);
		const struct check *check;

		core_write(path, cases[i].secret);
		assert_int_equal(chmod(path, 0600), 0);
		core_apply(&j->core, core_load(&j->core, "", body));
		core_tell(&j->core, "s/db/a", answer);
		core_run(&j->core, "s/db/a");
		check = core_check(&j->core, "s/db/a");
		if (!strstr(check->last.text, cases[i].text))
			fail_msg("%s: %s", cases[i].echo, check->last.text);
		assert_string_equal(check->last.metrics[0].instance, cases[i].shown);
		memory = json_dumps(json_object_get(check->memory, "said"), JSON_COMPACT);
		assert_string_equal(memory, said);
	}
}

/* ---- locating
 * ---------------------------------------------------------------------------------------------- */

static void test_own_fault(void **state)
{
	struct judge *j = *state;

	all_well(j);
	core_tell(&j->core, "s/app/a", "connect-refused");
	core_run(&j->core, "s/app/a");
	WAIT_FOR(j->core.loop, !core_locating(&j->core));
	assert_int_equal(j->n_told, 0); /* soft */
	core_run(&j->core, "s/app/a");
	WAIT_FOR(j->core.loop, !core_locating(&j->core));
	assert_int_equal(j->n_told, 1);
	assert_int_equal(last_told(j, "s/app/a")->hard, TEND_STATE_CRITICAL);
	assert_false(last_told(j, "s/app/a")->unreachable);
	assert_false(last_told(j, "s/app/a")->unconfirmed);
	/* every ancestor was asked once */
	assert_int_equal(core_check(&j->core, "s/db/a")->n_attempts, 2);
	assert_int_equal(core_check(&j->core, "s/web/a")->n_attempts, 2);
	core_run(&j->core, "s/app/a");
	assert_int_equal(j->n_told, 1);
}

/* One failing answer of a parent is enough; it is told first, and once. */
static void test_parents_fault(void **state)
{
	struct judge *j = *state;

	all_well(j);
	core_tell(&j->core, "s/db/a", "connect-refused");
	core_tell(&j->core, "s/web/a", "too-slow");
	core_fail(&j->core, "s/app/a", "too-slow");
	assert_string_equal(j->told[0].check, "s/db/a");
	assert_int_equal(count(j, "s/db/a", TEND_STATE_CRITICAL), 1);
	assert_true(last_told(j, "s/app/a")->unreachable);
	assert_string_equal(core_check(&j->core, "s/app/a")->unreachable_why, "s/db");
	assert_int_equal(watch_find_component(j->core.watch, "s/db")->state, TEND_STATE_CRITICAL);
	assert_int_equal(
		watch_find_component(j->core.watch, "s/app")->state, TEND_STATE_UNREACHABLE);
	/* the child between is confirmed by its own results, and is not to blame either */
	core_run(&j->core, "s/web/a");
	WAIT_FOR(j->core.loop, !core_locating(&j->core));
	assert_true(last_told(j, "s/web/a")->unreachable);
	core_run(&j->core, "s/db/a");
	assert_int_equal(count(j, "s/db/a", -1), 1);
}

/* In a component the check nearest to the cause is told, though it is not confirmed itself. */
static void test_root_check(void **state)
{
	struct judge *j = *state;

	all_well(j);
	core_tell(&j->core, "s/web/unit", "unit-failed");
	core_run(&j->core, "s/web/unit");
	core_fail(&j->core, "s/web/a", "connect-refused");
	assert_string_equal(j->told[0].check, "s/web/unit");
	assert_int_equal(j->n_told, 2);
	assert_int_equal(core_check(&j->core, "s/web/unit")->state.hard, TEND_STATE_CRITICAL);
}

static void test_silent_parent(void **state)
{
	struct judge *j = *state;
	static const char slow_parent[] =
		"[system s]\nenvironment = production\n"
		"[component s/db]\nkind = database\n"
		"[component s/web]\nkind = web\ndepends = db\n" CHECK(
			"s/db/a", "s.db.a", "delay = 400ms\n") CHECK("s/web/a", "s.web.a", "");

	core_apply(&j->core, core_load(&j->core, "", slow_parent));
	core_run(&j->core, "s/web/a");
	core_tell(&j->core, "s/db/a", "silence");
	j->n_told = 0;
	core_tell(&j->core, "s/web/a", "too-slow");
	core_run(&j->core, "s/web/a");
	core_run(&j->core, "s/web/a");
	assert_int_equal(j->n_told, 0); /* it is held until the parent has answered */
	WAIT_FOR(j->core.loop, j->n_told > 0);
	/* the parent's silence is its answer: it is down */
	WAIT_FOR(j->core.loop, !core_locating(&j->core));
	assert_true(last_told(j, "s/web/a")->unreachable);
	assert_int_equal(last_told(j, "s/db/a")->hard, TEND_STATE_CRITICAL);
}

/* A parent's attempt that does not end in time: told all the same, the cause unconfirmed. */
static void test_unconfirmed(void **state)
{
	struct judge *j = *state;
	static const char body[] =
		"[system s]\nenvironment = production\n"
		"[component s/db]\nkind = database\n"
		"[component s/web]\nkind = web\ndepends = db\n"
		"[check s/db/a]\nprobe = told\nfile = @/s.db.a\ninterval = 1h\ntimeout = 30s\n"
		"confirm = 2 of 2\n" CHECK("s/web/a", "s.web.a", "");

	core_apply(&j->core, core_load(&j->core, "", body));
	core_run(&j->core, "s/web/a");
	j->n_told = 0;
	core_tell(&j->core, "s/db/a", "silence");
	core_tell(&j->core, "s/web/a", "too-slow");
	core_run(&j->core, "s/web/a");
	core_run(&j->core, "s/web/a");
	WAIT_FOR(j->core.loop, j->n_told > 0); /* 5 s */
	assert_int_equal(j->n_told, 1);
	assert_true(last_told(j, "s/web/a")->unconfirmed);
	assert_false(last_told(j, "s/web/a")->unreachable);
}

static void parent_down(struct judge *j)
{
	all_well(j);
	core_tell(&j->core, "s/db/a", "connect-refused");
	core_fail(&j->core, "s/web/a", "too-slow");
	assert_true(core_check(&j->core, "s/web/a")->unreachable);
	core_run(&j->core, "s/db/a");
	j->n_told = 0;
}

/* When the parent is well again the children are asked at once, and confirm a failure anew. */
static void test_parent_recovers(void **state)
{
	struct judge *j = *state;
	struct check *child;
	uint64_t before;

	parent_down(j);
	child = core_check(&j->core, "s/web/a");
	before = child->last.number;
	core_tell(&j->core, "s/db/a", "ok");
	core_run(&j->core, "s/db/a");
	WAIT_FOR(j->core.loop, child->last.number == before + 1);
	assert_int_equal(count(j, "s/db/a", TEND_STATE_OK), 1);
	assert_int_equal(
		count(j, "s/web/a", -1), 0); /* it fails still, but that is not confirmed */
	assert_true(child->unreachable);
	core_run(&j->core, "s/web/a");
	WAIT_FOR(j->core.loop, !core_locating(&j->core));
	assert_int_equal(count(j, "s/web/a", TEND_STATE_CRITICAL), 1);
	assert_false(child->unreachable);
}

static void test_child_recovers_with_parent(void **state)
{
	struct judge *j = *state;

	parent_down(j);
	core_tell(&j->core, "s/db/a", "ok");
	core_tell(&j->core, "s/web/a", "ok");
	core_run(&j->core, "s/db/a");
	WAIT_FOR(j->core.loop, count(j, "s/web/a", TEND_STATE_OK) == 1);
	assert_int_equal(j->n_told, 2);
	assert_int_equal(watch_worst_state(j->core.watch), TEND_STATE_OK);
}

/* A parent that answers once, but whose recovery takes three, does not pass the blame on. */
static void test_parent_half_recovered(void **state)
{
	struct judge *j = *state;
	static const char body[] = "[system s]\nenvironment = production\n"
				   "[component s/db]\nkind = database\n"
				   "[component s/web]\nkind = web\ndepends = db\n" CHECK(
					   "s/db/a", "s.db.a", "confirm_recoveries = 3\n")
					   CHECK("s/web/a", "s.web.a", "");

	parent_down(j);
	core_apply(&j->core, core_load(&j->core, "", body));
	j->n_told = 0;
	core_tell(&j->core, "s/db/a", "ok");
	core_run(&j->core, "s/db/a");
	core_fail(&j->core, "s/web/a", "too-slow");
	assert_int_equal(count(j, "s/web/a", -1), 0);
	assert_true(core_check(&j->core, "s/web/a")->unreachable);
}

/* ---- what goes away meanwhile
 * -------------------------------------------------------------------------------- */

/* Two wait for the same parent; what the first makes of its answer ends the second's wait. */
static void test_waiters_forget_each_other(void **state)
{
	struct judge *j = *state;
	static const char body[] =
		"[system s]\nenvironment = production\n"
		"[component s/db]\nkind = database\n"
		"[component s/web]\nkind = web\ndepends = db\n"
		"[component s/app]\nkind = app\ndepends = web\n" CHECK(
			"s/db/a", "s.db.a", "delay = 300ms\n") CHECK("s/web/a", "s.web.a", "")
			CHECK("s/app/a", "s.app.a", "");
	static const char *const orders[2][2] = {{"s/web/a", "s/app/a"}, {"s/app/a", "s/web/a"}};

	for (int i = 0; i < 2; i++) {
		core_tell(&j->core, "s/web/a", "ok");
		core_tell(&j->core, "s/app/a", "ok");
		core_apply(&j->core, core_load(&j->core, "", body));
		core_run(&j->core, "s/web/a");
		core_run(&j->core, "s/app/a");
		WAIT_FOR(j->core.loop, !core_locating(&j->core));
		j->n_told = 0;
		core_tell(&j->core, "s/web/a", "connect-refused");
		core_tell(&j->core, "s/app/a", "too-slow");
		for (int k = 0; k < 4; k++)
			core_run(&j->core, orders[i][k / 2]);
		assert_non_null(core_check(&j->core, orders[i][0])->locate);
		assert_non_null(core_check(&j->core, orders[i][1])->locate);
		WAIT_FOR(j->core.loop, !core_locating(&j->core));
		assert_int_equal(count(j, "s/web/a", TEND_STATE_CRITICAL), 1);
		assert_true(last_told(j, "s/app/a")->unreachable);
	}
}

static void on_gone(int r, struct check *check, void *data)
{
	*(int *)data = r;
}

static const char slow_three[] =
	"[system s]\nenvironment = production\n"
	"[component s/db]\nkind = database\n"
	"[component s/web]\nkind = web\ndepends = db\n" CHECK("s/db/a", "s.db.a", "delay = 400ms\n")
		CHECK("s/web/a", "s.web.a", "")
			CHECK("s/web/unit", "s.web.unit", "delay = 400ms\n");

static void start_locating(struct judge *j)
{
	core_apply(&j->core, core_load(&j->core, "", slow_three));
	core_run(&j->core, "s/web/a");
	j->n_told = 0;
	core_tell(&j->core, "s/web/a", "too-slow");
	core_run(&j->core, "s/web/a");
	core_run(&j->core, "s/web/a");
	assert_non_null(core_check(&j->core, "s/web/a")->locate);
}

/* A reload in the midst of it: what stays is located with the new tables, what is gone says so. */
static void test_reload_while_locating(void **state)
{
	struct judge *j = *state;
	int gone = 1, kept = 0;

	start_locating(j);
	assert_int_equal(watch_run_now(j->core.watch, "s/web/unit", 0, on_gone, &gone), 0);
	assert_int_equal(watch_run_now(j->core.watch, "s/db/a", 0, core_count, &kept), 0);
	core_apply(&j->core,
		core_load(&j->core, "",
			"[system s]\nenvironment = production\n"
			"[component s/db]\nkind = database\n"
			"[component s/web]\nkind = web\ndepends = db\n" CHECK("s/db/a", "s.db.a",
				"delay = 400ms\n") CHECK("s/web/a", "s.web.a", "")));
	assert_int_equal(gone, -ESHUTDOWN);
	WAIT_FOR(j->core.loop, !core_locating(&j->core));
	assert_int_equal(kept, 1);
	assert_int_equal(count(j, "s/web/a", TEND_STATE_CRITICAL), 1);
	assert_int_equal(watch_run_now(j->core.watch, "s/web/unit", 0, on_gone, &gone), -ENOENT);
}

static void test_reload_takes_the_parent(void **state)
{
	struct judge *j = *state;

	start_locating(j);
	core_apply(&j->core,
		core_load(&j->core, "",
			"[system s]\nenvironment = production\n"
			"[component s/web]\nkind = web\n" CHECK("s/web/a", "s.web.a", "")));
	WAIT_FOR(j->core.loop, !core_locating(&j->core));
	assert_int_equal(count(j, "s/web/a", TEND_STATE_CRITICAL), 1);
	assert_int_equal(j->n_told, 1);
}

/* The teardown frees all of it while it is under way. */
static void test_end_while_locating(void **state)
{
	struct judge *j = *state;
	static int gone;

	gone = 1;
	start_locating(j);
	assert_int_equal(watch_run_now(j->core.watch, "s/web/unit", 0, on_gone, &gone), 0);
	watch_stop(j->core.watch);
	assert_int_equal(gone, -ESHUTDOWN);
	assert_int_equal(watch_run_now(j->core.watch, "s/web/a", 0, on_gone, &gone), -ESHUTDOWN);
}

/* ---- time
 * ------------------------------------------------------------------------------------------------------
 */

/* The process stood still for longer than an attempt may take: that says nothing of the target. */
static void test_standstill(void **state)
{
	struct judge *j = *state;
	struct check *check;
	int n = 0;

	all_well(j);
	check = core_check(&j->core, "s/db/a");
	core_tell(&j->core, "s/db/a", "silence");
	assert_int_equal(watch_run_now(j->core.watch, "s/db/a", clock_now(), core_count, &n), 0);
	(void)usleep(1700 * 1000); /* the fault itself: timeout 500 ms, and a second */
	core_tell(&j->core, "s/db/a", "ok");
	WAIT_FOR(j->core.loop, n == 1); /* by a fresh attempt */
	assert_int_equal(check->state.now, TEND_STATE_OK);
	assert_int_equal(check->n_failed, 0);
	assert_int_equal(check->n_attempts, 3);
}

/* The state of before a restart holds until something is known; a failure is then told again, as
 * Tend may have died before it was. */
static void test_restart(void **state)
{
	struct judge *j = *state;

	parent_down(j);
	core_close(&j->core);
	core_open(&j->core);
	watch_on_result(j->core.watch, on_result, j);
	core_apply(&j->core, core_load(&j->core, "", three));
	assert_int_equal(core_check(&j->core, "s/db/a")->state.hard, TEND_STATE_CRITICAL);
	assert_int_equal(
		watch_check_shown_state(core_check(&j->core, "s/web/a")), TEND_STATE_UNREACHABLE);
	assert_string_equal(core_check(&j->core, "s/web/a")->unreachable_why, "s/db");
	assert_int_equal(watch_check_shown_state(core_check(&j->core, "s/app/a")), TEND_STATE_OK);
	j->n_told = 0;
	core_run(&j->core, "s/db/a");
	WAIT_FOR(j->core.loop, !core_locating(&j->core));
	assert_int_equal(count(j, "s/db/a", TEND_STATE_CRITICAL), 1);
	core_run(&j->core, "s/web/a");
	WAIT_FOR(j->core.loop, !core_locating(&j->core));
	assert_true(last_told(j, "s/web/a")->unreachable);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_thresholds),
		TEST(test_secrets),
		TEST(test_own_fault),
		TEST(test_parents_fault),
		TEST(test_root_check),
		TEST(test_silent_parent),
		TEST(test_unconfirmed),
		TEST(test_parent_recovers),
		TEST(test_child_recovers_with_parent),
		TEST(test_parent_half_recovered),
		TEST(test_waiters_forget_each_other),
		TEST(test_reload_while_locating),
		TEST(test_reload_takes_the_parent),
		TEST(test_end_while_locating),
		TEST(test_standstill),
		TEST(test_restart),
	};

	log_set_level(LOG_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
