/* SPDX-License-Identifier: MIT */
/* What comes in between: an approval that expires or a mode that changes during the last probe, a
 * tick that waits in the queue, events that bring about themselves. */
#include "policy_fixture.h"
#include "policy/approve.h"

static bool asked(const struct world *w)
{
	const struct approval *a =
		w->policies->approvals.len == 1 ? w->policies->approvals.items[0] : NULL;

	return a && a->state == APPROVAL_WAITING && !a->busy;
}

static void on_decided(int r, void *data)
{
	int *got = data;

	*got = r;
}

static void approve(struct world *w)
{
	const struct approval *a = w->policies->approvals.items[0];
	struct policies_voter voter = {.name = "ann"};
	struct tend_error err = {0};
	int got = 1;

	if (policies_approval_decide(
		    w->policies, a->id, &voter, true, NULL, on_decided, &got, &err) < 0)
		fail_msg("%s", err.text);
	WAIT_FOR(w->core.loop, got != 1);
}

static bool probing(const struct world *w)
{
	const struct step *step = live(w) ? step_of(w, "1") : NULL;

	return step && step->probing;
}

static const char slow[] = "policy 'mend' { on = { incident = { component = 's/web' } },\n"
			   "run = function(ctx)\n"
			   "  tend.command.run('mend')\n"
			   "  tend.sleep('1s')\n"
			   "  return true\nend }\n";

/* Refused once, not again by the probe's answer. */
static void test_expired_in_probe(void **state)
{
	struct world *w = *state;
	struct approval *a;

	write_policy(w, "mend", slow);
	w->daemon = "mode.production = approve\ncooldown = 1h\n";
	ready(w);
	break_web(w);
	WAIT_FOR(w->core.loop, asked(w));
	core_tell(&w->core, "s/web/a", "silence");
	approve(w);
	WAIT_FOR(w->core.loop, probing(w));
	a = w->policies->approvals.items[0];
	a->expires = clock_wall();
	loop_timer_set(a->timer, clock_now());
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(requests(w, "command"), 0);
	assert_int_equal(w->policies->actions.len, 0);
	assert_non_null(strstr(last_run(w)->message, "nobody approved it"));
}

/* The mode is approve by now: people are asked. */
static void test_mode_in_probe(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend", slow);
	w->daemon = "mode.production = auto\ncooldown = 1h\n";
	ready(w);
	break_web(w);
	core_tell(&w->core, "s/web/a", "silence");
	WAIT_FOR(w->core.loop, probing(w));
	w->daemon = "mode.production = approve\ncooldown = 1h\n";
	apply(w);
	WAIT_FOR(w->core.loop, asked(w));
	assert_int_equal(requests(w, "command"), 0);
}

static const char hold[] =
	"policy 'hold' { hand = true, run = function(ctx) tend.sleep('1h') end }\n";

/* One waits at most. */
static void test_queue_by_hand(void **state)
{
	struct world *w = *state;
	struct tend_error err = {0};
	char id[UUID_TEXT_BYTES];

	write_policy(w, "hold", hold);
	write_policy(w, "next",
		"policy 'next' { hand = true, concurrency = 'queue',\n"
		"run = function(ctx) tend.sleep('1h') end }\n");
	ready(w);
	run_by_hand(w, "hold");
	run_by_hand(w, "next");
	assert_int_equal(policies_run(w->policies, "next", "s/web", NULL, "ann", id, &err), -EBUSY);
	assert_int_equal(live(w), 2);
}

/* ---- ticks ------------------------------------------------------------------------------------
 */

static const char minutely[] =
	"policy 'minutely' { schedule = { cron = '* * * * *', missed = 'once' },\n"
	"targets = { component = 's/web' }, concurrency = 'queue',\n"
	"run = function(ctx) tend.sleep('1h') end }\n";

static struct run *run_of(const struct world *w, const char *policy)
{
	VEC_FOREACH (&w->policies->runs, struct run *, run)
		if (!run->describing && str_eq(run->policy, policy))
			return run;
	return NULL;
}

static void cancel(struct world *w, const char *policy)
{
	const struct run *run = run_of(w, policy);
	char id[UUID_TEXT_BYTES];
	struct tend_error err = {0};

	assert_non_null(run);
	memcpy(id, run->id, sizeof(id));
	if (policies_run_cancel(w->policies, id, "ann", "enough", &err) < 0)
		fail_msg("%s", err.text);
	WAIT_FOR(w->core.loop, !run_of(w, policy));
}

/* The last tick that the store has of the only schedule. */
static usec_t kept(struct world *w)
{
	struct rows got = {0};
	usec_t last;

	assert_int_equal(store_read(w->core.store, STORE_QUERY_SCHEDULES, on_rows, &got, ""), 0);
	WAIT_FOR(w->core.loop, got.come);
	last = (usec_t)json_integer_value(json_object_get(json_array_get(got.rows, 0), "last"));
	json_decref(got.rows);
	return last;
}

/* The target is held, and `n` ticks are due; the first one waits in the queue. */
static void hold_ticks(struct world *w, unsigned n)
{
	usec_t minute = 60 * USEC_PER_SEC, now = clock_wall();
	struct store_batch *batch;

	write_policy(w, "hold", hold);
	ready(w);
	run_by_hand(w, "hold");
	assert_int_equal(store_batch_new(&batch), 0);
	assert_int_equal(
		store_batch_add(batch, STORE_SCHEDULE_PUT, "ssij", "minutely", "s/web",
			(int64_t)(now - now % minute - (n - 1) * minute - minute / 2), NULL),
		0);
	assert_int_equal(store_commit(w->core.store, batch, NULL, NULL), 0);
	write_policy(w, "minutely", minutely);
	WAIT_FOR(w->core.loop, kept(w) > 0);
	restart(w);
	WAIT_FOR(w->core.loop, described(w) && run_of(w, "hold"));
	WAIT_FOR(w->core.loop, run_of(w, "minutely"));
	assert_true(run_of(w, "minutely")->queued);
}

/* It was cancelled while it waited: it does not come again. */
static void test_cancelled_in_queue(void **state)
{
	struct world *w = *state;

	hold_ticks(w, 1);
	usec_t due = run_of(w, "minutely")->due;
	cancel(w, "minutely");
	assert_true(kept(w) >= due);
}

/* A later one came to nothing while it waited: that one does not come again, either. */
static void test_passed_in_queue(void **state)
{
	struct world *w = *state;

	hold_ticks(w, 2);
	usec_t due = run_of(w, "minutely")->due;
	cancel(w, "hold");
	WAIT_FOR(w->core.loop, run_of(w, "minutely")->intent_committed);
	assert_true(kept(w) > due);
}

/* ---- events -----------------------------------------------------------------------------------
 */

/* A change that is made by whoever waits for changes: the chain is cut. */
static void test_version_chain(void **state)
{
	struct world *w = *state;

	write_policy(w, "inv",
		"policy 'inv' { hand = true, concurrency = 'queue',\n"
		"on = { event = { type = 'version-changed' } }, run = function(ctx)\n"
		"  local old = tend.record.get { kind = 'inventory', key = 'x' } or 0\n"
		"  tend.record.put { kind = 'inventory', key = 'x', value = old + 1 }\n"
		"  return true\nend }\n");
	ready(w);
	run_by_hand(w, "inv");
	WAIT_FOR(w->core.loop, ended(w, 1));
	run_by_hand(w, "inv");
	WAIT_FOR(w->core.loop, ended(w, 7));
	for (int i = 0; i < 50; i++)
		assert_true(loop_turn(w->core.loop, 10 * USEC_PER_MSEC) >= 0);
	assert_true(ended(w, 7));
}

/* ---- killed between what happened and what waits for it ---------------------------------------
 */

/* The run ends, and tendd before anybody has looked at what happened. */
static void end_unseen(struct world *w)
{
	struct catalog *catalog;

	run_by_hand(w, "first");
	WAIT_FOR(w->core.loop, step_of(w, "1") && step_of(w, "1")->timer);
	catalog = TAKE(w->policies->catalog);
	loop_timer_set(step_of(w, "1")->timer, clock_now());
	WAIT_FOR(w->core.loop, ended(w, 1));
	w->policies->catalog = catalog;
	restart(w);
}

static size_t n_live_of(const struct world *w, const char *policy)
{
	size_t n = 0;

	VEC_FOREACH (&w->policies->runs, const struct run *, run)
		n += !run->describing && str_eq(run->policy, policy);
	return n;
}

static size_t n_events(struct world *w)
{
	struct rows got = {0};
	size_t n;

	assert_int_equal(store_read(w->core.store, STORE_QUERY_EVENTS, on_rows, &got, ""), 0);
	WAIT_FOR(w->core.loop, got.come);
	n = json_array_size(got.rows);
	json_decref(got.rows);
	return n;
}

static void test_ended_unseen(void **state)
{
	struct world *w = *state;

	write_policy(w, "first",
		"policy 'first' { hand = true,\n"
		"run = function(ctx) tend.sleep('1h') return true end }\n");
	write_policy(w, "seen",
		"policy 'seen' { on = { event = { type = 'policy-ended', policy = 'first' } },\n"
		"concurrency = 'queue', run = function(ctx) tend.sleep('1h') end }\n");
	ready(w);
	end_unseen(w);
	WAIT_FOR(w->core.loop, n_live_of(w, "seen") == 1 && n_events(w) == 0);
	restart(w);
	WAIT_FOR(w->core.loop, described(w) && n_live_of(w, "seen") == 1);
	assert_int_equal(live(w), 1);
}

static void test_change_unseen(void **state)
{
	struct world *w = *state;

	write_policy(w, "first",
		"policy 'first' { hand = true, run = function(ctx)\n"
		"  tend.sleep('1h')\n"
		"  tend.record.put { kind = 'inventory', key = 'x', value = 1 }\n"
		"  tend.record.put { kind = 'inventory', key = 'x', value = 2 }\n"
		"  return true\nend }\n");
	write_policy(w, "seen",
		"policy 'seen' { on = { event = { type = 'version-changed' } },\n"
		"concurrency = 'queue', run = function(ctx) tend.sleep('1h') end }\n");
	ready(w);
	end_unseen(w);
	WAIT_FOR(w->core.loop, n_live_of(w, "seen") == 1 && n_events(w) == 0);
}

/* Killed when its run was begun, and the event not done with: it is the same run. */
static void test_event_begins_once(void **state)
{
	struct world *w = *state;
	struct store_batch *batch;
	const json_t *event;

	write_policy(w, "first",
		"policy 'first' { hand = true, run = function(ctx) return true end }\n");
	write_policy(w, "seen",
		"policy 'seen' { on = { event = { type = 'policy-ended', policy = 'first' } },\n"
		"concurrency = 'queue', run = function(ctx) tend.sleep('1h') end }\n");
	ready(w);
	run_by_hand(w, "first");
	WAIT_FOR(w->core.loop, n_live_of(w, "seen") == 1 && n_events(w) == 0);
	event = json_object_get(json_object_get(run_of(w, "seen")->ctx, "trigger"), "event");
	assert_int_equal(store_batch_new(&batch), 0);
	assert_int_equal(
		store_batch_add(batch, STORE_EVENT_PUT, "sij",
			json_string_value(json_object_get(event, "id")), (int64_t)1, event),
		0);
	assert_int_equal(store_commit(w->core.store, batch, NULL, NULL), 0);
	restart(w);
	WAIT_FOR(w->core.loop, described(w) && n_events(w) == 0);
	assert_int_equal(n_live_of(w, "seen"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_expired_in_probe),
		TEST(test_mode_in_probe),
		TEST(test_queue_by_hand),
		TEST(test_cancelled_in_queue),
		TEST(test_passed_in_queue),
		TEST(test_version_chain),
		TEST(test_ended_unseen),
		TEST(test_change_unseen),
		TEST(test_event_begins_once),
	};

	log_set_level(getenv("TEST_LOG") ? LOG_DEBUG : LOG_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
