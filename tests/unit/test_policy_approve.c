/* SPDX-License-Identifier: MIT */
/* People's word before an action: asked for, given once, denied, too late, over a restart. */
#include "policy_fixture.h"
#include "policy/approve.h"

static const char wipe[] = "policy 'wipe' { hand = true, run = function(ctx)\n"
			   "  local done, why, outcome = tend.command.run('wipe')\n"
			   "  return done and true or nil, why, outcome\nend }\n";

static struct approval *only(const struct world *w)
{
	assert_int_equal(w->policies->approvals.len, 1);
	return w->policies->approvals.items[0];
}

/* There is one, and it can be decided on. */
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

/* 0 = it counts; else why not (`error` has the words). */
static int decide(
	struct world *w, const char *id, const char *name, bool approve, struct tend_error *err)
{
	struct policies_voter voter = {.name = name, .root = strcmp(name, "root") == 0};
	int got = 1, r = policies_approval_decide(w->policies, id, &voter, approve,
			     approve ? NULL : "not now", on_decided, &got, err);

	if (r < 0)
		return r;
	WAIT_FOR(w->core.loop, got != 1);
	return got;
}

static void approve(struct world *w, const char *name)
{
	struct tend_error err = {0};
	char id[UUID_TEXT_BYTES];

	memcpy(id, only(w)->id, sizeof(id));
	if (decide(w, id, name, true, &err) < 0)
		fail_msg("%s: %s", name, err.text);
}

static void refused(struct world *w, const char *name, int r, const char *why)
{
	struct tend_error err = {0};
	char id[UUID_TEXT_BYTES];

	memcpy(id, only(w)->id, sizeof(id));
	assert_int_equal(decide(w, id, name, true, &err), r);
	if (!strstr(err.text, why))
		fail_msg("'%s'", err.text);
}

static json_t *rows_of(struct world *w)
{
	struct rows got = {0};

	assert_int_equal(policies_approvals(w->policies, NULL, 100, on_rows, &got), 0);
	WAIT_FOR(w->core.loop, got.come);
	return got.rows;
}

/* What the store says of the only approval. */
static void check_row(struct world *w, const char *state, json_int_t given)
{
	auto_json json_t *rows = rows_of(w);
	const json_t *row = json_array_get(rows, 0);

	assert_int_equal(json_array_size(rows), 1);
	assert_string_equal(json_string_value(json_object_get(row, "state")), state);
	assert_int_equal(json_integer_value(json_object_get(row, "given")), given);
}

/* Mode approve, a fault, and the run waits. */
static void wait_for_people(struct world *w, const char *daemon)
{
	write_policy(w, "mend", mend);
	w->daemon = daemon;
	ready(w);
	break_web(w);
	WAIT_FOR(w->core.loop, asked(w));
	assert_int_equal(requests(w, "command"), 0);
}

#define APPROVE "mode.production = approve\ncooldown = 0\n"

/* ---- given ------------------------------------------------------------------------------------
 */

static void test_granted(void **state)
{
	struct world *w = *state;
	const struct incident *incident;
	auto_free char *command = NULL;
	auto_json json_t *shown = NULL;
	const json_t *step;
	size_t n = 0;
	char id[UUID_TEXT_BYTES];

	wait_for_people(w, APPROVE);
	memcpy(id, only(w)->id, sizeof(id));
	command = str_printf("tendctl approval grant %s", id);
	incident = incidents_open(w->incidents)->items[0];
	VEC_FOREACH (&incident->timeline, const struct timeline_entry *, entry)
		n += strcmp(entry->kind, "approval") == 0 && strstr(entry->text, command) &&
		     strstr(entry->text, "command.run {\"command\":\"mend\"}");
	assert_int_equal(n, 1);
	assert_int_equal(notices(w, "policy.message"), 1);
	check_row(w, "waiting", 0);
	approve(w, "ann");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_int_equal(requests(w, "command"), 1);
	check_row(w, "used", 1);
	shown = show(w, last_run(w)->id);
	step = json_array_get(json_object_get(json_array_get(shown, 0), "steps"), 0);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(step, "approved_by"), 0)), "ann");
	refused(w, "bob", -EALREADY, "is used: it cannot be given again");
}

/* Another step, another approval: the first is not good for the second. */
static void test_once(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend",
		"policy 'mend' { on = { incident = {} }, run = function(ctx)\n"
		"  tend.command.run('mend')\n"
		"  local done, why, outcome = tend.command.run('mend')\n"
		"  return done, why, outcome\nend }\n");
	behave(w, "failed"); /* so that it goes on to fail */
	w->daemon = APPROVE;
	ready(w);
	break_web(w);
	WAIT_FOR(w->core.loop, asked(w));
	approve(w, "ann");
	WAIT_FOR(w->core.loop, w->policies->approvals.len == 2);
	assert_int_equal(requests(w, "command"), 1);
	assert_int_equal(live(w), 1);
}

static void test_denied(void **state)
{
	struct world *w = *state;
	struct tend_error err = {0};
	char id[UUID_TEXT_BYTES];

	wait_for_people(w, APPROVE "approval_expires = 2h\n");
	memcpy(id, only(w)->id, sizeof(id));
	assert_int_equal(decide(w, "abcdefgh", "ann", true, &err), -ENOENT);
	assert_int_equal(decide(w, id, "ann", false, &err), 0);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
	assert_string_equal(last_run(w)->message, "ann has denied it: not now");
	assert_int_equal(requests(w, "command"), 0);
	assert_int_equal(notices(w, "policy.failed"), 0);
	check_row(w, "denied", 0);
	refused(w, "bob", -EALREADY, "is denied");
}

static void test_expired(void **state)
{
	struct world *w = *state;

	wait_for_people(w, "mode.production = approve\ncooldown = 1h\napproval_expires = 1s\n");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
	assert_string_equal(last_run(w)->message, "nobody approved it within 1s");
	assert_int_equal(requests(w, "command"), 0);
	assert_int_equal(notices(w, "policy.failed"), 1);
	check_row(w, "expired", 0);
	refused(w, "ann", -EALREADY, "is expired");
}

/* ---- the world goes on meanwhile --------------------------------------------------------------
 */

static void test_well_before_approved(void **state)
{
	struct world *w = *state;

	wait_for_people(w, APPROVE);
	core_tell(&w->core, "s/web/a", "ok");
	approve(w, "ann");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
	assert_non_null(strstr(last_run(w)->message, "well again"));
	assert_int_equal(requests(w, "command"), 0);
	WAIT_FOR(w->core.loop, !only(w)->busy);
	check_row(w, "void", 1);
}

static void test_switched_off_before_approved(void **state)
{
	struct world *w = *state;
	struct tend_error err = {0};

	wait_for_people(w, APPROVE);
	assert_int_equal(policies_pause(w->policies, "ann", "stop", NULL, NULL, &err), 0);
	approve(w, "bob");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_non_null(strstr(last_run(w)->message, "actions are off: paused by ann: stop"));
	assert_int_equal(requests(w, "command"), 0);
	WAIT_FOR(w->core.loop, !only(w)->busy);
	check_row(w, "void", 1);
}

/* People take longer than the run may: that time is not the run's. */
static void test_slow_people(void **state)
{
	struct world *w = *state;
	usec_t until;

	write_policy(w, "mend",
		"policy 'mend' { on = { incident = {} }, timeout = '1s', run = function(ctx)\n"
		"  return tend.command.run('mend') and true\nend }\n");
	w->daemon = APPROVE;
	ready(w);
	break_web(w);
	WAIT_FOR(w->core.loop, asked(w));
	until = live_run(w)->started_wall + 1500 * USEC_PER_MSEC;
	WAIT_FOR(w->core.loop, clock_wall() > until);
	assert_null(live_run(w)->cancelled);
	approve(w, "ann");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
}

/* A run that is cancelled waits no more, and its approval is worth nothing. */
static void test_cancelled(void **state)
{
	struct world *w = *state;

	wait_for_people(w, APPROVE);
	cancel_run(live_run(w), "by ann");
	WAIT_FOR(w->core.loop, ended(w, 1) && !only(w)->busy);
	assert_int_equal(last_run(w)->state, RUN_CANCELLED);
	check_row(w, "void", 0);
	refused(w, "ann", -EALREADY, "is void");
	assert_int_equal(requests(w, "command"), 0);
}

/* ---- over a restart ---------------------------------------------------------------------------
 */

static void test_restart_while_waiting(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];

	wait_for_people(w, APPROVE);
	memcpy(id, only(w)->id, sizeof(id));
	restart(w);
	core_run(&w->core, "s/web/a");
	WAIT_FOR(w->core.loop, only(w)->step);
	assert_string_equal(only(w)->id, id);
	assert_int_equal(notices(w, "policy.message"), 1); /* not asked again */
	approve(w, "ann");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_int_equal(requests(w, "command"), 1);
	check_row(w, "used", 1);
}

/* Granted, and tendd died before it could act on that: it acts once when it is back. */
static void test_restart_after_grant(void **state)
{
	struct world *w = *state;
	struct policies_voter ann = {.name = "ann"};
	struct tend_error err = {0};

	wait_for_people(w, APPROVE);
	assert_int_equal(policies_approval_decide(
				 w->policies, only(w)->id, &ann, true, NULL, NULL, NULL, &err),
		0);
	restart(w);
	assert_int_equal(only(w)->state, APPROVAL_GRANTED);
	core_run(&w->core, "s/web/a");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_int_equal(requests(w, "command"), 1);
	restart(w);
	WAIT_FOR(w->core.loop, described(w));
	assert_int_equal(only(w)->state, APPROVAL_USED);
	assert_int_equal(requests(w, "command"), 1);
}

/* It ran out while Tend was away. Without a cool-down people would be asked anew at once. */
static void test_expired_while_away(void **state)
{
	struct world *w = *state;
	usec_t until;

	wait_for_people(w, "mode.production = approve\ncooldown = 1h\napproval_expires = 1s\n");
	end(w);
	until = clock_now() + 1100 * USEC_PER_MSEC;
	while (clock_now() < until)
		(void)usleep(10000);
	core_open(&w->core);
	begin(w);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_string_equal(last_run(w)->message, "nobody approved it within 1s");
	assert_int_equal(requests(w, "command"), 0);
}

/* ---- two people -------------------------------------------------------------------------------
 */

static void test_two_people(void **state)
{
	struct world *w = *state;

	write_policy(w, "wipe", wipe);
	w->daemon = "mode.production = suggest\n"; /* by hand is by hand, but not for this */
	ready(w);
	run_by_hand(w, "wipe");
	WAIT_FOR(w->core.loop, asked(w));
	assert_int_equal(only(w)->needed, 2);
	refused(w, "root", -EPERM, "2 different people must approve this, and root is no person");
	approve(w, "ann");
	WAIT_FOR(w->core.loop, !only(w)->busy);
	assert_int_equal(only(w)->state, APPROVAL_WAITING);
	refused(w, "ann", -EALREADY, "ann has approved it already: another person must");
	restart(w); /* one word is kept */
	WAIT_FOR(w->core.loop, only(w)->step);
	assert_int_equal(requests(w, "command"), 0);
	check_row(w, "waiting", 1);
	refused(w, "ann", -EALREADY, "another person must");
	approve(w, "bob");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(requests(w, "command"), 1);
	check_row(w, "used", 2);
}

static const char plain[] = "policy 'plain' { hand = true, run = function(ctx)\n"
			    "  local done, why, outcome = tend.command.run('mend')\n"
			    "  return done and true or nil, why, outcome\nend }\n";

/* The manifest says meanwhile that the command destroys: nobody was asked, so it is not done. The
 * next time people are asked. */
static void test_risk_has_risen(void **state)
{
	struct world *w = *state;
	auto_free char *risks = path_of(w, "exec.sock.risks");

	write_policy(w, "plain", plain);
	ready(w);
	run_by_hand(w, "plain");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	core_write(risks, "{\"mend\":\"destroy\"}");
	run_by_hand(w, "plain");
	WAIT_FOR(w->core.loop, ended(w, 2));
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
	assert_non_null(strstr(last_run(w)->message, "its risk is destroy, not change"));
	assert_int_equal(requests(w, "command"), 1);
	assert_int_equal(w->policies->actions.len, 1);
	run_by_hand(w, "plain");
	WAIT_FOR(w->core.loop, asked(w));
	assert_int_equal(only(w)->needed, 2);
	approve(w, "ann");
	WAIT_FOR(w->core.loop, asked(w));
	approve(w, "bob");
	WAIT_FOR(w->core.loop, ended(w, 3));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_int_equal(requests(w, "command"), 2);
}

/* People have approved what is done there, not elsewhere. */
static void test_elsewhere(void **state)
{
	struct world *w = *state;
	struct store_batch *batch;
	const struct run *run;

	write_policy(w, "wipe", wipe);
	w->daemon = "mode.production = auto\n[component s/app]\n";
	ready(w);
	run_by_hand(w, "wipe");
	WAIT_FOR(w->core.loop, asked(w));
	run = live_run(w);
	{
		auto_json json_t *doc = run_doc(run);

		assert_int_equal(store_batch_new(&batch), 0);
		assert_int_equal(store_batch_add(batch, STORE_RUN_PUT, "sssssiij", run->id,
					 run->policy, "s/app", run->incident, "live",
					 (int64_t)run->started_wall, (int64_t)0, doc),
			0);
		assert_int_equal(store_commit(w->core.store, batch, NULL, NULL), 0);
	}
	restart(w);
	WAIT_FOR(w->core.loop, ended(w, 1) || only(w)->step);
	assert_true(ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
	assert_non_null(strstr(last_run(w)->message, "was for something else"));
	assert_int_equal(only(w)->state, APPROVAL_VOID);
	assert_int_equal(requests(w, "command"), 0);
}

/* Two words at the same time: neither is lost, none counts twice. */
static void test_at_the_same_time(void **state)
{
	struct world *w = *state;
	struct policies_voter ann = {.name = "ann"}, bob = {.name = "bob"};
	struct tend_error err = {0};
	int got = 1;

	write_policy(w, "wipe", wipe);
	ready(w);
	run_by_hand(w, "wipe");
	WAIT_FOR(w->core.loop, asked(w));
	assert_int_equal(policies_approval_decide(w->policies, only(w)->id, &ann, true, NULL,
				 on_decided, &got, &err),
		0);
	assert_int_equal(policies_approval_decide(w->policies, only(w)->id, &bob, true, NULL,
				 on_decided, &got, &err),
		-EBUSY);
	WAIT_FOR(w->core.loop, got != 1);
	assert_int_equal(got, 0);
	check_row(w, "waiting", 1);
	assert_int_equal(requests(w, "command"), 0);
}

/* ---- sign-offs --------------------------------------------------------------------------------
 */

static const char staged[] =
	"policy 'staged' { hand = true, run = function(ctx)\n"
	"  local ok, why = tend.sign_off{ text = 'Is staging fine?', people = 2, within = '1h' }\n"
	"  if not ok then return nil, why end\n"
	"  return 'by ' .. table.concat(ok.by, '+')\nend }\n";

static void test_sign_off(void **state)
{
	struct world *w = *state;

	write_policy(w, "staged", staged);
	ready(w);
	run_by_hand(w, "staged");
	WAIT_FOR(w->core.loop, asked(w));
	refused(w, "root", -EPERM, "root is no person");
	approve(w, "ann");
	restart(w);
	WAIT_FOR(w->core.loop, only(w)->step);
	approve(w, "bob");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_string_equal(last_run(w)->message, "by ann+bob");
	check_row(w, "granted", 2);
}

static void test_no_sign_off(void **state)
{
	struct world *w = *state;
	struct tend_error err = {0};
	char id[UUID_TEXT_BYTES];

	write_policy(w, "staged", staged);
	ready(w);
	run_by_hand(w, "staged");
	WAIT_FOR(w->core.loop, asked(w));
	memcpy(id, only(w)->id, sizeof(id));
	assert_int_equal(decide(w, id, "ann", false, &err), 0);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_FAILED);
	assert_string_equal(last_run(w)->message, "ann has not signed off: not now");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_granted),
		TEST(test_once),
		TEST(test_denied),
		TEST(test_expired),
		TEST(test_well_before_approved),
		TEST(test_switched_off_before_approved),
		TEST(test_slow_people),
		TEST(test_cancelled),
		TEST(test_restart_while_waiting),
		TEST(test_restart_after_grant),
		TEST(test_expired_while_away),
		TEST(test_two_people),
		TEST(test_risk_has_risen),
		TEST(test_elsewhere),
		TEST(test_at_the_same_time),
		TEST(test_sign_off),
		TEST(test_no_sign_off),
	};

	log_set_level(getenv("TEST_LOG") ? LOG_DEBUG : LOG_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
