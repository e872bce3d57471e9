/* SPDX-License-Identifier: MIT */
/* Branches, cancelling and clean-up, strikes, and what a newer Tend makes of an older journal. */
#include "policy_fixture.h"

static json_t *steps_of(struct world *w, const char *run)
{
	auto_json json_t *rows = show(w, run);

	return json_incref(json_object_get(json_array_get(rows, 0), "steps"));
}

/* How often a step of that verb and path is in the journal, in that state ("" = any). */
static size_t count_steps(struct world *w, const char *run, const char *path, const char *state)
{
	auto_json json_t *steps = steps_of(w, run);
	size_t i, n = 0;
	json_t *step;

	json_array_foreach (steps, i, step)
		n += str_glob(path, json_string_value(json_object_get(step, "path"))) &&
		     (!*state || str_eq(json_string_value(json_object_get(step, "state")), state));
	return n;
}

/* What the step was told to say: the text of a tend.log. */
static void check_text(struct world *w, const char *run, const char *path, const char *expected)
{
	auto_json json_t *steps = steps_of(w, run);
	size_t i;
	json_t *step;

	json_array_foreach (steps, i, step)
		if (str_eq(json_string_value(json_object_get(step, "path")), path)) {
			assert_string_equal(json_string_value(json_object_get(
						    json_object_get(step, "args"), "text")),
				expected);
			return;
		}
	fail_msg("there is no step %s", path);
}

static void keep_id(struct world *w, char id[UUID_TEXT_BYTES])
{
	(void)snprintf(id, UUID_TEXT_BYTES, "%s", live_run(w)->id);
}

/* ---- branches
 * ------------------------------------------------------------------------------------------------
 */

/* The second branch was first. Whoever begins anew must find it first again, although the runner
 * asks for the first one first and both answers are there. */
static void test_any_replayed(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];

	write_policy(w, "race",
		"policy 'race' { hand = true, run = function(ctx)\n"
		"  local first, said = tend.any(\n"
		"    function() tend.sleep('300ms') return 'slow' end,\n"
		"    function() tend.sleep('50ms') return 'fast' end)\n"
		"  tend.log('first ' .. first .. ' ' .. said)\n"
		"  tend.sleep('2s')\n"
		"  tend.log('still ' .. first)\n"
		"  return true\nend }\n");
	ready(w);
	run_by_hand(w, "race");
	keep_id(w, id);
	WAIT_FOR(w->core.loop, step_of(w, "3") && step_of(w, "3")->timer);
	for (int i = 0; i < 2; i++) {
		restart(w);
		WAIT_FOR(w->core.loop, live(w) == 0 || (step_of(w, "3") && step_of(w, "3")->timer));
	}
	WAIT_FOR(w->core.loop, ended(w, 1));
	if (last_run(w)->state != RUN_DONE)
		fail_msg("%s", last_run(w)->message);
	check_text(w, id, "2", "first 2 fast");
	check_text(w, id, "4", "still 2");
	assert_int_equal(count_steps(w, id, "*", ""), 6); /* with the winner */
}

/* All are awaited; each is done once, however often the runner dies in between. */
static void test_all_killed(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];
	pid_t pid;

	write_policy(w, "both",
		"policy 'both' { hand = true, run = function(ctx)\n"
		"  local got = tend.all(\n"
		"    function() tend.command.run('mend') tend.sleep('400ms') return 1 end,\n"
		"    function() tend.sleep('100ms') tend.log('b') tend.sleep('300ms') return 2 "
		"end,\n"
		"    function() for i = 1, 20 do tend.now() end return 3 end)\n"
		"  tend.log('all ' .. #got)\n"
		"  return true\nend }\n");
	ready(w);
	break_web(w);
	run_by_hand(w, "both");
	keep_id(w, id);
	for (int i = 0; i < 2; i++) {
		WAIT_FOR(w->core.loop, live_run(w)->pid > 0 && live_run(w)->steps.len > 3);
		pid = live_run(w)->pid;
		assert_int_equal(kill(pid, SIGKILL), 0);
		WAIT_FOR(w->core.loop, live_run(w)->pid != pid);
	}
	WAIT_FOR(w->core.loop, ended(w, 1));
	if (last_run(w)->state != RUN_DONE && last_run(w)->state != RUN_FAILED)
		fail_msg("%s", last_run(w)->message);
	check_text(w, id, "2", "all 3");
	assert_int_equal(requests(w, "command"), 1);
	assert_int_equal(count_steps(w, id, "1.b3.*", "done"), 20);
}

/* Wherever Tend dies: the branches go on as they went, the same one wins, nothing is done twice. */
static void test_restart_in_branches(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES] = "";
	int n_restarts = 0;

	write_policy(w, "maze",
		"policy 'maze' { hand = true, run = function(ctx)\n"
		"  ctx:finally(function() tend.log('end') end)\n"
		"  local words = {}\n"
		"  for round = 1, 3 do\n"
		"    local first = tend.any(\n"
		"      function() tend.sleep('30ms') tend.now() return true end,\n"
		"      function()\n"
		"        local got = tend.all(\n"
		"          function() tend.sleep('10ms') return 1 end,\n"
		"          function() tend.now() tend.now() return 2 end)\n"
		"        return #got == 2\n"
		"      end,\n"
		"      function() tend.sleep('20ms') tend.sleep('20ms') return true end)\n"
		"    words[#words + 1] = first\n"
		"    tend.log('round ' .. round .. ' ' .. table.concat(words, ' '))\n"
		"  end\n"
		"  tend.command.run('mend')\n"
		"  tend.log(table.concat(words, ' '))\n"
		"  return true\nend }\n");
	ready(w);
	break_web(w);
	run_by_hand(w, "maze");
	keep_id(w, id);
	WAIT_FOR(w->core.loop, live_run(w)->intent_committed);
	for (int turns = 0; turns < 60 && !ended(w, 1); turns++) {
		for (int i = 0; i < 3 + turns; i++)
			assert_true(loop_turn(w->core.loop, 5 * USEC_PER_MSEC) >= 0);
		if (ended(w, 1))
			break;
		restart(w);
		n_restarts++;
	}
	WAIT_FOR(w->core.loop, live(w) == 0);
	assert_true(n_restarts >= 3);
	assert_string_equal(last_run(w)->id, id);
	/* what was about to be sent and was not, is refused: then the run is so, too */
	if (last_run(w)->state != RUN_DONE && last_run(w)->state != RUN_REFUSED)
		fail_msg("%s: %s", run_state_names[last_run(w)->state], last_run(w)->message);
	assert_in_range(requests(w, "command"), 0, 1);
	assert_int_equal(count_steps(w, id, "f1.1", "done"), 1);
	assert_int_equal(count_steps(w, id, "8", "done"), 1); /* the last word, once */
}

/* ---- to be ended
 * --------------------------------------------------------------------------------------------- */

static void cancel(struct world *w, const char *id)
{
	struct tend_error err = {0};

	if (policies_run_cancel(w->policies, id, "ann", "enough", &err) < 0)
		fail_msg("%s", err.text);
}

static const char cleaning[] = "policy 'work' { hand = true, run = function(ctx)\n"
			       "  ctx:finally(function()\n"
			       "    tend.log('clean')\n"
			       "    tend.sleep('1s')\n"
			       "    tend.command.run('mend')\n"
			       "  end)\n"
			       "  tend.command.run('mend')\n"
			       "  pcall(tend.sleep, '1h')\n"
			       "  tend.log('never')\n"
			       "  return true\nend }\n";

/* What waits is told; nothing more is begun, but the clean-up; and that is done once, whenever Tend
 * dies in the midst of it. */
static void test_cancel(void **state)
{
	struct world *w = *state;
	struct tend_error err = {0};
	char id[UUID_TEXT_BYTES];

	write_policy(w, "work", cleaning);
	ready(w);
	run_by_hand(w, "work");
	keep_id(w, id);
	WAIT_FOR(w->core.loop, step_of(w, "2") && step_of(w, "2")->timer);
	assert_int_equal(policies_run_cancel(w->policies, "nonsense", "ann", NULL, &err), -ENOENT);
	cancel(w, id);
	assert_int_equal(policies_run_cancel(w->policies, id, "ann", NULL, &err), -EALREADY);
	for (int i = 0; i < 2; i++) {
		WAIT_FOR(w->core.loop, step_of(w, "f1.2") && step_of(w, "f1.2")->timer);
		restart(w);
	}
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_CANCELLED);
	assert_string_equal(last_run(w)->message, "by ann: enough");
	assert_int_equal(count_steps(w, id, "f1.*", "done"), 3);
	assert_int_equal(requests(w, "command"), 2);
	assert_int_equal(count_steps(w, id, "3", ""), 0);
	assert_int_equal(notices(w, "policy.failed"), 0);
}

/* A change that was begun is awaited: what came of it stands in the journal before the clean-up. */
static void test_cancel_in_action(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];

	write_policy(w, "work",
		"policy 'work' { hand = true, run = function(ctx)\n"
		"  ctx:finally(function() tend.log('clean') end)\n"
		"  tend.command.run('mend')\n"
		"  tend.log('never')\nend }\n");
	ready(w);
	break_web(w);
	behave(w, "silent");
	run_by_hand(w, "work");
	keep_id(w, id);
	WAIT_FOR(w->core.loop, requests(w, "command") == 1);
	cancel(w, id);
	assert_non_null(step_of(w, "1"));
	assert_true(step_of(w, "1")->rpc_id);
	assert_null(step_of(w, "f1.1"));
	behave(w, "done");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_CANCELLED);
	check_step(w, id, "1", "done");
	check_step(w, id, "f1.1", "done");
	check_step(w, id, "2", "");
	assert_int_equal(notices(w, "policy.failed"), 0);
}

/* Too long: it is cancelled, cleans up, and people hear of it. */
static void test_time_limit(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];

	write_policy(w, "work",
		"policy 'work' { hand = true, timeout = '1s', run = function(ctx)\n"
		"  ctx:finally(function() tend.log('clean') end)\n"
		"  tend.sleep('1h')\nend }\n");
	ready(w);
	run_by_hand(w, "work");
	keep_id(w, id);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_CANCELLED);
	assert_non_null(strstr(last_run(w)->message, "it ran longer than 1"));
	check_step(w, id, "f1.1", "done");
	assert_int_equal(notices(w, "policy.failed"), 1);
}

/* Before it had begun, there is nothing to clean up. */
static void test_cancel_at_once(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];

	write_policy(w, "work", cleaning);
	ready(w);
	run_by_hand(w, "work");
	keep_id(w, id);
	cancel(w, id);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_CANCELLED);
	assert_int_equal(count_steps(w, id, "*", ""), 0);
}

/* ---- mistakes
 * ------------------------------------------------------------------------------------------------
 */

static int try_hand(struct world *w, const char *name, struct tend_error *err)
{
	char id[UUID_TEXT_BYTES];

	return policies_run(w->policies, name, "s/web", NULL, "ann", id, err);
}

/* Three mistakes in a row disable a policy, over a restart, until its file changes or somebody
 * enables it. To say no is no mistake. */
static void test_strikes(void **state)
{
	struct world *w = *state;
	struct tend_error err = {0};
	static const char *const bodies[] = {"error('oh')", "error('oh')",
		"return nil, 'it is no use'", "local x = nil; x.y = 1", "error('oh')",
		"error('oh')"};

	write_policy(w, "bad",
		"policy 'bad' { hand = true, params = { what = 'integer' }, run = function(ctx)\n"
		"  local what = ctx.params.what\n"
		"  if what == 2 then return nil, 'it is no use' end\n"
		"  error('oh')\nend }\n");
	ready(w);
	for (int i = 0; i < (int)ARRAY_SIZE(bodies); i++) {
		auto_json json_t *params = json_pack("{s:i}", "what", i);
		char id[UUID_TEXT_BYTES];

		assert_int_equal(
			policies_run(w->policies, "bad", "s/web", params, "ann", id, &err), 0);
		WAIT_FOR(w->core.loop, ended(w, (size_t)i + 1));
		assert_int_equal(last_run(w)->state, RUN_FAILED);
	}
	assert_int_equal(try_hand(w, "bad", &err), -EINVAL);
	assert_non_null(strstr(err.text, "bad is disabled: three of its runs in a row"));
	assert_non_null(strstr(err.text, "bad.lua:4: oh"));
	assert_int_equal(policies_n_broken(w->policies), 1);
	assert_int_equal(notices(w, "policy.failed"), ARRAY_SIZE(bodies) + 1);
	restart(w);
	WAIT_FOR(w->core.loop, described(w));
	assert_int_equal(try_hand(w, "bad", &err), -EINVAL);
	assert_int_equal(policies_enable(w->policies, "bad", "ann", &err), 0);
	assert_int_equal(policies_enable(w->policies, "bad", "ann", &err), -EALREADY);
	assert_int_equal(policies_n_broken(w->policies), 0);
	restart(w);
	WAIT_FOR(w->core.loop, described(w));
	assert_int_equal(policies_n_broken(w->policies), 0);
}

/* A limit is final: no other runner is tried. A mended file begins with no strikes. */
static void test_limit(void **state)
{
	struct world *w = *state;
	struct tend_error err = {0};

	write_policy(w, "work",
		"policy 'work' { hand = true, run = function(ctx) tend.sleep('1h') end }\n");
	ready(w);
	for (size_t i = 1; i <= 3; i++) {
		run_by_hand(w, "work");
		WAIT_FOR(w->core.loop,
			live_run(w)->pid > 0 && step_of(w, "1") && step_of(w, "1")->timer);
		assert_int_equal(kill(live_run(w)->pid, SIGXCPU), 0);
		WAIT_FOR(w->core.loop, ended(w, i));
		assert_int_equal(last_run(w)->state, RUN_FAILED);
		assert_int_equal(last_run(w)->n_restarts, 0);
		assert_non_null(strstr(last_run(w)->message, "computed for longer"));
	}
	assert_int_equal(try_hand(w, "work", &err), -EINVAL);
	write_policy(
		w, "work", "policy 'work' { hand = true, run = function() return true end }\n");
	apply(w);
	WAIT_FOR(w->core.loop, described(w));
	run_by_hand(w, "work");
	WAIT_FOR(w->core.loop, ended(w, 4));
	assert_int_equal(last_run(w)->state, RUN_DONE);
}

/* ---- another version of Tend
 * --------------------------------------------------------------------------------- */

static void commit(struct world *w, struct store_batch *batch)
{
	assert_int_equal(store_commit(w->core.store, batch, NULL, NULL), 0);
}

/* The journal speaks of what this Tend does not have: the run fails, and people are told why. */
static void test_older_journal(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *verb, *args, *why;
	} rows[] = {
		{"unit.paint", "{}", "'unit.paint', which this version of Tend does not have"},
		{"sleep", "{\"duration\":\"1s\",\"softly\":true}", "takes no argument 'softly'"},
	};

	write_policy(w, "work",
		"policy 'work' { hand = true, run = function(ctx) tend.sleep('1h') end }\n");
	ready(w);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct store_batch *batch;
		auto_json json_t *args = json_loads(rows[i].args, 0, NULL);
		auto_json json_t *intent = json_pack(
			"{s:O, s:s}", "args", args, "job", "00000000-0000-7000-8000-000000000000");
		auto_json json_t *outcome = json_object();

		run_by_hand(w, "work");
		WAIT_FOR(w->core.loop, step_of(w, "1") && step_of(w, "1")->timer);
		assert_int_equal(store_batch_new(&batch), 0);
		assert_int_equal(store_batch_add(batch, STORE_STEP_INTENT, "sssji", live_run(w)->id,
					 "9", rows[i].verb, intent, (int64_t)clock_wall()),
			0);
		assert_int_equal(
			store_batch_add(batch, STORE_STEP_OUTCOME, "sssij", live_run(w)->id, "9",
				"done", (int64_t)clock_wall(), outcome),
			0);
		commit(w, batch);
		restart(w);
		WAIT_FOR(w->core.loop, ended(w, i + 1) && described(w));
		assert_int_equal(last_run(w)->state, RUN_FAILED);
		if (!strstr(last_run(w)->message, rows[i].why))
			fail_msg("%s", last_run(w)->message);
		assert_int_equal(notices(w, "policy.failed"), i + 1);
	}
}

/* The library goes by its hash; a run goes on with the one that it began with. */
static void test_library(void **state)
{
	struct world *w = *state;
	auto_free char *path = path_of(w, "lua/tend/words.lua");
	char id[UUID_TEXT_BYTES];

	core_write(path, "return { word = 'old' }\n");
	write_policy(w, "work",
		"policy 'work' { hand = true, run = function(ctx)\n"
		"  tend.sleep('500ms')\n"
		"  tend.log(require('tend.words').word)\n  return true\nend }\n");
	ready(w);
	run_by_hand(w, "work");
	keep_id(w, id);
	WAIT_FOR(w->core.loop, step_of(w, "1") && step_of(w, "1")->timer);
	{
		auto_json json_t *doc = run_doc(live_run(w));

		assert_null(json_object_get(doc, "library"));
		assert_true(json_dumpb(doc, NULL, 0, 0) < 2000);
	}
	core_write(path, "return { word = 'new' }\n");
	restart(w);
	WAIT_FOR(w->core.loop, ended(w, 1));
	check_text(w, id, "2", "old");
}

/* A run that asks otherwise than the journal says is stopped: an order, an argument. An empty table
 * is a list or an object. */
static void test_same(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{"{}", "[]", true},
		{"{\"a\":{}}", "{\"a\":[]}", true},
		{"{\"a\":1,\"b\":[1,{}]}", "{\"b\":[1,[]],\"a\":1}", true},
		{"{\"a\":1}", "{\"a\":2}", false},
		{"{\"a\":1}", "{\"a\":1,\"b\":null}", false},
		{"[1,2]", "[2,1]", false},
		{"[1]", "[]", false},
		{"\"1\"", "1", false},
		{"1.5", "1.5", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *a = json_loads(rows[i].a, JSON_DECODE_ANY, NULL);
		auto_json json_t *b = json_loads(rows[i].b, JSON_DECODE_ANY, NULL);

		if (replay_same(a, b) != rows[i].same || replay_same(b, a) != rows[i].same)
			fail_msg("%s %s", rows[i].a, rows[i].b);
	}
}

/* ---- to be followed
 * ------------------------------------------------------------------------------------------ */

struct news {
	size_t n_calls, n_events;
	uint64_t last;
	bool live;
	char kinds[512];
};

static void on_news(int r, json_t *rows, void *data)
{
	struct news *news = data;
	json_t *row = json_array_get(rows, 0), *events = json_object_get(row, "events"), *event;
	size_t i, len;

	assert_int_equal(r, 0);
	news->n_calls++;
	news->last = (uint64_t)json_integer_value(json_object_get(row, "last"));
	news->live = json_is_true(json_object_get(row, "live"));
	json_array_foreach (events, i, event) {
		const char *path = json_string_value(json_object_get(event, "path"));

		len = strlen(news->kinds);
		(void)snprintf(news->kinds + len, sizeof(news->kinds) - len, "%s%s%s ",
			json_string_value(json_object_get(event, "kind")), path ? ":" : "",
			path ? path : "");
		news->n_events++;
	}
}

static void test_follow(void **state)
{
	struct world *w = *state;
	struct news news = {.live = true};
	char id[UUID_TEXT_BYTES];

	write_policy(w, "work",
		"policy 'work' { hand = true, run = function(ctx)\n"
		"  tend.sleep('200ms')\n  tend.log('x')\n  return true\nend }\n");
	ready(w);
	run_by_hand(w, "work");
	keep_id(w, id);
	assert_int_equal(policies_run_follow(w->policies, "nobody", 0, on_news, &news), -ENOENT);
	while (news.live) {
		size_t n = news.n_calls + 1;

		assert_int_equal(
			policies_run_follow(w->policies, id, news.last, on_news, &news), 0);
		assert_int_equal(news.n_calls, n - 1); /* never from within */
		WAIT_FOR(w->core.loop, news.n_calls == n);
	}
	assert_string_equal(news.kinds, "step:1 outcome:1 step:2 outcome:2 ended ");
	assert_int_equal(news.n_events, news.last);
	WAIT_FOR(w->core.loop, ended(w, 1));
	/* who waits when Tend ends is answered */
	run_by_hand(w, "work");
	keep_id(w, id);
	news = (struct news){0};
	assert_int_equal(policies_run_follow(w->policies, id, 0, on_news, &news), 0);
	end(w);
	assert_int_equal(news.n_calls, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_any_replayed),
		TEST(test_all_killed),
		TEST(test_restart_in_branches),
		TEST(test_cancel),
		TEST(test_cancel_in_action),
		TEST(test_time_limit),
		TEST(test_cancel_at_once),
		TEST(test_strikes),
		TEST(test_limit),
		TEST(test_older_journal),
		TEST(test_library),
		cmocka_unit_test(test_same),
		TEST(test_follow),
	};

	log_set_level(getenv("TEST_LOG") ? LOG_DEBUG : LOG_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
