/* SPDX-License-Identifier: MIT */
/* What is promised over a restart and between two moments: harm that was found, runs that wait,
 * turns in a dependency group, the last look before a deed, and who asks while policies are read.
 */
#include "policy_fixture.h"

#define MORE_CHECKS(name)                                                                          \
	"[component s/" name "]\ndepends = db\n" CHECK("s/" name "/a", "s." name ".a", "")

/* Two that hang on a third. */
static const char crm[] = "mode.production = auto\n[component s/db]\nkind = database\n" CHECK(
	"s/db/a", "s.db.a", "") MORE_CHECKS("app") MORE_CHECKS("mail");

static void ready_crm(struct world *w)
{
	static const char *const checks[] = {"s/web/a", "s/db/a", "s/app/a", "s/mail/a"};

	w->daemon = crm;
	begin(w);
	WAIT_FOR(w->core.loop, described(w));
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		core_run(&w->core, checks[i]);
}

static void start_on(struct world *w, const char *name, const char *target)
{
	char id[UUID_TEXT_BYTES];
	struct tend_error err = {0};

	if (policies_run(w->policies, name, target, NULL, "ann", id, &err) < 0)
		fail_msg("%s", err.text);
}

static struct run *run_of(const struct world *w, const char *policy, const char *target)
{
	VEC_FOREACH (&w->policies->runs, struct run *, run)
		if (!run->describing && run->state == RUN_LIVE && str_eq(run->policy, policy) &&
			str_eq(run->component, target))
			return run;
	return NULL;
}

static void turn(struct world *w, int n)
{
	for (int i = 0; i < n; i++)
		assert_true(loop_turn(w->core.loop, 10 * USEC_PER_MSEC) >= 0);
}

/* ---- made worse ------------------------------------------------------------------------------ */

static const char harm[] = "policy 'harm' { on = { incident = { component = 's/mail' } },\n"
			   "run = function(ctx)\n"
			   "  ctx:finally(function() tend.log('cleaned up') end)\n"
			   "  tend.command.run('mend')\n"
			   "  tend.sleep('10s')\n"
			   "  tend.command.run('mend')\n"
			   "  return true\nend }\n";

/* Whenever Tend dies after it has seen the harm: the run is cancelled, nothing more is done, people
 * are paged once. */
static void test_worse_over_restart(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];

	write_policy(w, "harm", harm);
	ready_crm(w);
	core_fail(&w->core, "s/mail/a", "too-slow");
	WAIT_FOR(w->core.loop, live(w) == 1 && step_of(w, "2") && step_of(w, "2")->timer);
	(void)snprintf(id, sizeof(id), "%s", live_run(w)->id);
	core_fail(&w->core, "s/app/a", "too-slow");
	assert_non_null(live_run(w)->worse);
	for (int i = 0; i < 12 && !ended(w, 1); i++) {
		restart(w);
		turn(w, i);
	}
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_string_equal(last_run(w)->id, id);
	assert_int_equal(last_run(w)->state, RUN_CANCELLED);
	assert_non_null(strstr(
		last_run(w)->message, "it made things worse: after command.run mend, s/app fails"));
	assert_int_equal(requests(w, "command"), 1);
	assert_int_equal(notices(w, "policy.failed"), 1);
	check_step(w, id, "f1.1", "done");
	check_step(w, id, "3", "");
	assert_int_equal(((struct action_row *)w->policies->actions.items[0])->action.verdict,
		ACTION_UNVERIFIED);
}

static int add_step(struct store_batch *batch, const struct run *run, const char *path,
	const char *verb, const char *undoes)
{
	auto_json json_t *args = json_pack("{s:{s:s}, s:s, s:s, s:s*}", "args", "unit",
		"nobody.service", "job", "0190a0a0-0000-7000-8000-000000000001", "target", "s/web",
		"undoes", undoes);

	assert_int_equal(store_batch_add(batch, STORE_STEP_INTENT, "sssji", run->id, path, verb,
				 args, (int64_t)clock_wall()),
		0);
	return store_batch_add(batch, STORE_ACTION_ADD, "sisssssisi", "s/web",
		(int64_t)clock_wall(), run->id, path, verb, "open", run->policy, (int64_t)0, NULL,
		(int64_t)0);
}

/* The journal of a Tend that died between the intent of an undo and the request for it. */
static void write_dead_undo(struct world *w)
{
	struct run *run = live_run(w);
	auto_json json_t *outcome = json_object(), *doc = NULL;
	struct store_batch *batch;

	run->worse = strdup("it made things worse: after unit.start, s/app fails");
	run->undoing = true;
	doc = run_doc(run);
	assert_int_equal(store_batch_new(&batch), 0);
	assert_int_equal(add_step(batch, run, "2", "unit.start", NULL), 0);
	assert_int_equal(store_batch_add(batch, STORE_STEP_OUTCOME, "sssij", run->id, "2", "done",
				 (int64_t)clock_wall(), outcome),
		0);
	assert_int_equal(add_step(batch, run, "u1", "unit.stop", "2"), 0);
	assert_int_equal(
		store_batch_add(batch, STORE_RUN_PUT, "sssssiij", run->id, run->policy,
			run->component, NULL, "live", (int64_t)run->started_wall, (int64_t)0, doc),
		0);
	assert_int_equal(store_commit(w->core.store, batch, NULL, NULL), 0);
}

/* It is asked after, was never begun, and so is tried again: not left out, not taken for done. */
static void test_undo_never_begun(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];

	write_policy(w, "hold",
		"policy 'hold' { hand = true, run = function(ctx) tend.sleep('1h') end }\n");
	ready(w);
	run_by_hand(w, "hold");
	WAIT_FOR(w->core.loop, step_of(w, "1") && step_of(w, "1")->timer);
	(void)snprintf(id, sizeof(id), "%s", live_run(w)->id);
	write_dead_undo(w);
	restart(w);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(requests(w, "attach"), 1);
	check_step(w, id, "u1", "refused");
	{
		auto_json json_t *rows = show(w, id);
		json_t *steps = json_object_get(json_array_get(rows, 0), "steps");

		/* What became of it depends on whether there is a systemd to ask. */
		assert_string_equal(
			json_string_value(json_object_get(
				json_array_get(steps, json_array_size(steps) - 1), "path")),
			"u2");
	}
	assert_int_equal(last_run(w)->state, RUN_CANCELLED);
	assert_int_equal(notices(w, "policy.failed"), 1);
}

/* ---- between the intent and the deed ----------------------------------------------------------
 */

/* What changes while the intent is written counts: nothing is done, and no budget is used. */
static void test_last_look(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *conf, *why;
	} rows[] = {
		{"mode.production = auto\n[freeze year-end]\n", "year-end"},
		{"mode.production = auto\n[policy often]\nwindow = required\n", "window"},
		{"mode.production = auto\nactions = no\n", "actions are off"},
	};

	write_policy(w, "often",
		"policy 'often' { hand = true, run = function(ctx)\n"
		"  local done, why, outcome = tend.command.run('mend')\n"
		"  return done and true or nil, why, outcome\nend }\n");
	ready(w);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		run_by_hand(w, "often");
		WAIT_FOR(w->core.loop, step_of(w, "1") && step_of(w, "1")->intent_wall);
		assert_int_equal(w->policies->actions.len, 1);
		w->daemon = rows[i].conf;
		apply(w);
		WAIT_FOR(w->core.loop, ended(w, i + 1));
		assert_int_equal(last_run(w)->state, RUN_REFUSED);
		if (!strstr(last_run(w)->message, rows[i].why))
			fail_msg("%s", last_run(w)->message);
		check_step(w, last_run(w)->id, "1", "refused");
		assert_int_equal(requests(w, "command"), 0);
		assert_int_equal(w->policies->actions.len, 0);
		w->daemon = "mode.production = auto\n";
		apply(w);
		WAIT_FOR(w->core.loop, described(w));
	}
	/* nor after a restart */
	restart(w);
	WAIT_FOR(w->core.loop, described(w));
	assert_int_equal(w->policies->actions.len, 0);
}

/* ---- who waits ------------------------------------------------------------------------------- */

static const char hold[] =
	"policy 'hold' { hand = true, run = function(ctx) tend.sleep('1h') end }\n";

static void cancel(struct world *w, const char *policy, const char *target)
{
	char id[UUID_TEXT_BYTES];
	struct tend_error err = {0};

	memcpy(id, run_of(w, policy, target)->id, sizeof(id));
	if (policies_run_cancel(w->policies, id, "ann", "enough", &err) < 0)
		fail_msg("%s", err.text);
	WAIT_FOR(w->core.loop, !run_of(w, policy, target));
}

static size_t n_queued(const struct world *w)
{
	size_t n = 0;

	VEC_FOREACH (&w->policies->runs, const struct run *, run)
		n += run->queued;
	return n;
}

/* Its turn comes after a restart, with what it was given, and once. */
static void test_queue_over_restart(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES], other[UUID_TEXT_BYTES];
	struct tend_error err = {0};
	auto_json json_t *params = json_pack("{s:s}", "word", "kept");

	write_policy(w, "hold", hold);
	write_policy(w, "next",
		"policy 'next' { hand = true, concurrency = 'queue',\n"
		"params = { word = { type = 'string', default = 'none' } },\n"
		"run = function(ctx) tend.log(ctx.params.word) return true end }\n");
	ready(w);
	run_by_hand(w, "hold");
	assert_int_equal(policies_run(w->policies, "next", "s/web", params, "ann", id, &err), 0);
	restart(w);
	WAIT_FOR(w->core.loop, described(w));
	assert_int_equal(n_queued(w), 1);
	{
		auto_json json_t *rows = show(w, id);

		assert_string_equal(
			json_string_value(json_object_get(json_array_get(rows, 0), "state")),
			"queued");
	}
	/* one waits at most, also now */
	assert_int_equal(
		policies_run(w->policies, "next", "s/web", NULL, "ann", other, &err), -EBUSY);
	cancel(w, "hold", "s/web");
	WAIT_FOR(w->core.loop, ended(w, 2));
	assert_string_equal(last_run(w)->id, id);
	assert_int_equal(last_run(w)->state, RUN_DONE);
	check_step(w, id, "1", "done");
	restart(w);
	WAIT_FOR(w->core.loop, described(w));
	turn(w, 20);
	assert_int_equal(live(w), 0);
	/* and who is cancelled while it waits does not come again, either */
	run_by_hand(w, "hold");
	run_by_hand(w, "next");
	restart(w);
	WAIT_FOR(w->core.loop, described(w) && n_queued(w) == 1);
	cancel(w, "next", "s/web");
	cancel(w, "hold", "s/web");
	restart(w);
	WAIT_FOR(w->core.loop, described(w));
	turn(w, 20);
	assert_int_equal(live(w), 0);
}

static void write_on_event(struct world *w, const char *name, const char *concurrency)
{
	auto_free char *text = str_printf(
		"policy '%s' { on = { event = { type = 'heartbeat-late' } }, concurrency = '%s',\n"
		"targets = { component = '*' },\n"
		"run = function(ctx) tend.log(ctx.trigger.event.word) return true end }\n",
		name, concurrency);

	write_policy(w, name, text);
}

static void happen(struct world *w, const char *word)
{
	policies_event(
		w->policies, POLICY_EVENT_HEARTBEAT_LATE, NULL, json_pack("{s:s}", "word", word));
	WAIT_FOR(w->core.loop, w->policies->events.len == 0);
}

static const char *word_of(const struct run *run)
{
	const json_t *event = json_object_get(json_object_get(run->ctx, "trigger"), "event");

	return json_string_value(json_object_get(event, "word"));
}

static void on_kept(int r, void *data)
{
	bool *kept = data;

	assert_int_equal(r, 0);
	*kept = true;
}

static void pause_actions(struct world *w)
{
	struct tend_error err = {0};
	bool kept = false;

	assert_int_equal(policies_pause(w->policies, "ann", "later", on_kept, &kept, &err), 0);
	WAIT_FOR(w->core.loop, kept);
}

/* While actions are off an event waits: the older one, or the newer one where that replaces. */
static void test_event_waits(void **state)
{
	struct world *w = *state;
	struct tend_error err = {0};

	write_on_event(w, "older", "skip");
	write_on_event(w, "newer", "replace");
	ready(w);
	pause_actions(w);
	happen(w, "first");
	happen(w, "second");
	WAIT_FOR(w->core.loop, n_queued(w) == 2);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(word_of(run_of(w, "older", "s/web")), "first");
		assert_string_equal(word_of(run_of(w, "newer", "s/web")), "second");
		restart(w);
		WAIT_FOR(w->core.loop, described(w));
		assert_int_equal(n_queued(w), 2);
	}
	assert_int_equal(policies_resume(w->policies, "ann", NULL, NULL, &err), 0);
	/* with the one whose place was taken */
	WAIT_FOR(w->core.loop, ended(w, 3));
	assert_int_equal(w->policies->n_dropped, 0);
}

/* Many targets: more than may run at once, and more than may wait. */
static void with_many(struct world *w, struct str *conf)
{
	assert_int_equal(str_appendf(conf, "mode.production = auto\n"), 0);
	for (int i = 0; i < POLICY_MAX_RUNS + 10; i++)
		assert_int_equal(str_appendf(conf, "[component s/n%d]\nkind = app\n", i), 0);
	w->daemon = conf->data;
}

static void test_no_room(void **state)
{
	struct world *w = *state;
	struct str conf = {.max = 64 << 10};
	struct tend_error err = {0};
	char id[UUID_TEXT_BYTES];

	write_policy(w, "hold", hold);
	write_policy(w, "work",
		"policy 'work' { on = { event = { type = 'heartbeat-late' } },\n"
		"run = function(ctx) tend.log(ctx.trigger.event.word) return true end }\n");
	with_many(w, &conf);
	ready(w);
	for (int i = 0; i < POLICY_MAX_RUNS; i++) {
		char target[32];

		(void)snprintf(target, sizeof(target), "s/n%d", i);
		start_on(w, "hold", target);
	}
	assert_int_equal(policies_run(w->policies, "hold", "s/n70", NULL, "ann", id, &err), -EBUSY);
	policies_event(
		w->policies, POLICY_EVENT_HEARTBEAT_LATE, "s/web", json_pack("{s:s}", "word", "x"));
	WAIT_FOR(w->core.loop, n_queued(w) == 1);
	cancel(w, "hold", "s/n7");
	WAIT_FOR(w->core.loop, w->policies->recent.len == 2);
	assert_string_equal(last_run(w)->policy, "work");
	assert_int_equal(last_run(w)->state, RUN_DONE);
	str_clear(&conf);
}

/* At the bound an event is counted and told. */
static void test_dropped(void **state)
{
	struct world *w = *state;
	struct str conf = {.max = 64 << 10};
	auto_json json_t *told = NULL;
	size_t n;

	write_on_event(w, "a", "skip");
	write_on_event(w, "b", "queue");
	write_on_event(w, "c", "replace");
	with_many(w, &conf);
	ready(w);
	break_web(w); /* its incident has a timeline */
	pause_actions(w);
	n = 3 * w->policies->conf->components.len;
	assert_true(n > POLICY_MAX_QUEUED);
	happen(w, "x");
	assert_int_equal(n_queued(w), POLICY_MAX_QUEUED);
	assert_int_equal(w->policies->n_dropped, n - POLICY_MAX_QUEUED);
	told = policies_actions_to_json(w->policies);
	assert_int_equal(
		json_integer_value(json_object_get(told, "dropped_events")), n - POLICY_MAX_QUEUED);
	restart(w);
	assert_int_equal(n_queued(w), POLICY_MAX_QUEUED);
	str_clear(&conf);
}

/* ---- one at a time in a dependency group ------------------------------------------------------
 */

static const char recycle[] = "policy 'recycle' { hand = true, run = function(ctx)\n"
			      "  tend.command.run('mend')\n"
			      "  tend.sleep('300ms')\n"
			      "  tend.command.run('mend')\n"
			      "  return true\nend }\n";

static void test_one_at_a_time(void **state)
{
	struct world *w = *state;
	const struct run *first = NULL, *second = NULL;

	write_policy(w, "recycle", recycle);
	ready_crm(w);
	start_on(w, "recycle", "s/app");
	WAIT_FOR(w->core.loop, requests(w, "command") == 1);
	start_on(w, "recycle", "s/mail"); /* hangs together with s/app */
	start_on(w, "recycle", "s/web");  /* does not */
	WAIT_FOR(w->core.loop,
		requests(w, "command") == 2 && explained(w, "one at a time in a dependency group"));
	assert_non_null(run_of(w, "recycle", "s/app"));
	assert_false(run_of(w, "recycle", "s/mail")->acted);
	restart(w); /* it waits over a restart, too */
	WAIT_FOR(w->core.loop, ended(w, 3));
	assert_int_equal(requests(w, "command"), 6);
	second = last_run(w);
	assert_string_equal(second->component, "s/mail");
	VEC_FOREACH (&w->policies->recent, const struct run *, run) {
		assert_int_equal(run->state, RUN_DONE);
		if (str_eq(run->component, "s/app"))
			first = run;
	}
	assert_non_null(first);
	VEC_FOREACH (&w->policies->actions, const struct action_row *, row)
		if (str_eq(row->target, "s/mail"))
			assert_true(row->action.at.wall >= first->ended_wall);
}

/* What fails is healed whoever is at it besides. */
static void test_healing_does_not_wait(void **state)
{
	struct world *w = *state;

	write_policy(w, "hold",
		"policy 'heal' { hand = true, on = { incident = { component = 's/mail' } },\n"
		"run = function(ctx)\n"
		"  tend.command.run('mend')\n"
		"  tend.sleep('1h')\nend }\n");
	ready_crm(w);
	start_on(w, "heal", "s/app");
	WAIT_FOR(w->core.loop, step_of(w, "2") && step_of(w, "2")->timer);
	worse_free_all(w->policies); /* that is for another test */
	core_fail(&w->core, "s/mail/a", "too-slow");
	WAIT_FOR(w->core.loop, requests(w, "command") == 2);
	assert_int_equal(live(w), 2);
}

/* ---- who asks while they are read --------------------------------------------------------------
 */

struct asked {
	int r, n;
};

static void on_read(int r, void *data)
{
	struct asked *asked = data;

	asked->r = r;
	asked->n++;
}

static void test_await(void **state)
{
	struct world *w = *state;
	struct asked early = {0}, asked = {0}, late = {0};
	struct tend_error err = {0};
	char id[UUID_TEXT_BYTES];

	write_policy(w, "hold", hold);
	begin(w);
	assert_true(policies_reading(w->policies));
	assert_int_equal(
		policies_run(w->policies, "hold", "s/web", NULL, "ann", id, &err), -EAGAIN);
	assert_int_equal(policies_await(w->policies, 1, on_read, &early), 0);
	assert_int_equal(policies_await(w->policies, 60 * USEC_PER_SEC, on_read, &asked), 0);
	WAIT_FOR(w->core.loop, early.n == 1);
	assert_int_equal(early.r, -ETIMEDOUT);
	WAIT_FOR(w->core.loop, asked.n == 1);
	assert_int_equal(asked.r, 0);
	assert_false(policies_reading(w->policies));
	run_by_hand(w, "hold");
	/* read again: what is in force until then is not what is asked for */
	apply(w);
	assert_true(policies_reading(w->policies));
	asked = (struct asked){0};
	assert_int_equal(policies_await(w->policies, 60 * USEC_PER_SEC, on_read, &asked), 0);
	apply(w);
	WAIT_FOR(w->core.loop, asked.n == 1);
	assert_false(policies_reading(w->policies));
	assert_int_equal(asked.r, 0);
	/* it is read: never from within the call */
	assert_int_equal(policies_await(w->policies, 60 * USEC_PER_SEC, on_read, &late), 0);
	assert_int_equal(late.n, 0);
	end(w);
	assert_int_equal(late.n, 1);
	assert_int_equal(late.r, -ESHUTDOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_worse_over_restart),
		TEST(test_undo_never_begun),
		TEST(test_last_look),
		TEST(test_queue_over_restart),
		TEST(test_event_waits),
		TEST(test_no_room),
		TEST(test_dropped),
		TEST(test_one_at_a_time),
		TEST(test_healing_does_not_wait),
		TEST(test_await),
	};

	log_set_level(getenv("TEST_LOG") ? LOG_DEBUG : LOG_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
