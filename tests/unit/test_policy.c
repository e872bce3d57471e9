/* SPDX-License-Identifier: MIT */
/*
 * Policies from the file to the deed: the real store, the real tend-run, checks that answer what they are
 * told, and a stand-in for the executor that counts what reaches it (executor.py).
 */
#include "core_fixture.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include "alert/alert.h"
#include "policy/private.h"

struct world {
	struct core core;
	struct alert *alert;
	struct incidents *incidents;
	struct policies *policies;
	pid_t executor;
	int executor_stdin;
	const char *daemon; /* more of [daemon], and sections after it */
};

/* ---- the world --------------------------------------------------------------------------------------------- */

static uint64_t on_event(struct incident *incident, enum incident_event event,
	struct store_batch *batch, void *data)
{
	struct world *w = data;

	return alert_seal(w->alert);
}

static void on_commit(uint64_t token, int r, void *data)
{
	struct world *w = data;

	alert_committed(w->alert, token, r);
}

static void on_told(struct incident *incident, enum incident_event event, void *data)
{
	struct world *w = data;

	policies_on_incident(w->policies, incident, event);
}

static void on_result(struct check *check, unsigned events, void *data)
{
	struct world *w = data;

	incidents_on_result(w->incidents, check, events);
	policies_on_result(w->policies, check, events);
}

static const char site[] = "[system s]\nenvironment = production\n"
	"[component s/web]\nkind = web\n"
	CHECK("s/web/a", "s.web.a", "confirm_recoveries = 1\n")
	"[receiver ops]\ntype = webhook\nurl = http://127.0.0.1:9/\n"
	"secret = file:@/secret\n[route default]\nreceivers = ops\n";

static void apply(struct world *w)
{
	auto_free char *daemon = str_printf(
		"lua_dir = @/lua\nlibexec_dir = %s\nexec_socket = @/exec.sock\n%s", TEST_LIBEXEC,
		w->daemon);
	struct conf *conf = core_load(&w->core, daemon, site);

	core_apply(&w->core, conf);
	assert_int_equal(alert_apply(w->alert, conf), 0);
	assert_int_equal(policies_apply(w->policies, conf), 0);
	incidents_apply(w->incidents);
}

static bool described(struct world *w)
{
	return w->policies->catalog && !w->policies->loading;
}

static void begin(struct world *w)
{
	struct incidents_hooks hooks = { on_event, on_commit, on_told, w };
	struct alert_deps alert_deps = {
		.loop = w->core.loop,
		.store = w->core.store,
		.net = w->core.net,
		.libexec_dir = TEST_LIBEXEC,
		.state_dir = w->core.dir,
	};
	struct policies_deps deps = {
		.loop = w->core.loop, .store = w->core.store, .watch = w->core.watch
	};

	assert_int_equal(alert_new(&alert_deps, &w->alert), 0);
	assert_int_equal(
		incidents_new(w->core.loop, w->core.store, w->core.watch, &w->incidents), 0);
	deps.incidents = w->incidents;
	deps.alert = w->alert;
	assert_int_equal(policies_new(&deps, &w->policies), 0);
	incidents_set_hooks(w->incidents, &hooks);
	watch_on_result(w->core.watch, on_result, w);
	apply(w);
}

/* As tendd ends, and as far as its journal goes, as it is killed: live runs are not ended. */
static void end(struct world *w)
{
	w->policies = policies_free(w->policies);
	watch_stop(w->core.watch);
	w->incidents = incidents_free(w->incidents);
	w->alert = alert_free(w->alert);
	core_close(&w->core);
}

static void restart(struct world *w)
{
	end(w);
	core_open(&w->core);
	begin(w);
}

static char *path_of(const struct world *w, const char *name)
{
	return str_printf("%s/%s", w->core.dir, name);
}

static void behave(const struct world *w, const char *how)
{
	auto_free char *path = path_of(w, "behaviour");

	core_write(path, how);
}

static void start_executor(struct world *w)
{
	auto_free char *sock = path_of(w, "exec.sock"), *log = path_of(w, "exec.log");
	auto_free char *behaviour = path_of(w, "behaviour"), *mended = path_of(w, "s.web.a");
	int in[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	w->executor = fork();
	assert_true(w->executor >= 0);
	if (w->executor == 0) {
		(void)dup2(in[0], STDIN_FILENO);
		execl("/usr/bin/python3", "python3", "-B", EXECUTOR, sock, log, behaviour, mended,
			NULL);
		_exit(127);
	}
	close(in[0]);
	w->executor_stdin = in[1];
	for (usec_t until = clock_now() + 10 * USEC_PER_SEC; access(sock, F_OK) < 0;) {
		assert_true(clock_now() < until);
		(void)usleep(5000);
	}
}

static void write_policy(const struct world *w, const char *name, const char *text)
{
	auto_free char *path = str_printf("%s/lua/policies/%s.lua", w->core.dir, name);

	core_write(path, text);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	auto_free char *lua = NULL, *policies = NULL, *secret = NULL;

	core_setup(&w->core);
	lua = path_of(w, "lua");
	policies = path_of(w, "lua/policies");
	secret = path_of(w, "secret");
	assert_int_equal(mkdir(lua, 0700), 0);
	assert_int_equal(mkdir(policies, 0700), 0);
	core_write(secret, "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\n");
	assert_int_equal(chmod(secret, 0600), 0);
	w->daemon = "mode.production = auto\n";
	behave(w, "done");
	start_executor(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	if (w->policies)
		end(w);
	close(w->executor_stdin);
	assert_int_equal(waitpid(w->executor, NULL, 0), w->executor);
	core_teardown(&w->core);
	free(w);
	return 0;
}

/* ---- what is seen ------------------------------------------------------------------------------------------- */

/* Lines of the executor's log that begin with `call`. */
static size_t requests(const struct world *w, const char *call)
{
	auto_free char *path = path_of(w, "exec.log"), *text = NULL;
	size_t len, n = 0;

	if (fs_read_file(path, 1 << 20, &text, &len) < 0)
		return 0;
	for (char *line = text; line && *line; line = strchr(line, '\n') + 1)
		n += str_startswith(line, call);
	return n;
}

static const struct run *last_run(const struct world *w)
{
	size_t n = w->policies->recent.len;

	return n ? w->policies->recent.items[n - 1] : NULL;
}

/* Runs that are not over, those that describe a file apart. */
static size_t live(const struct world *w)
{
	size_t n = 0;

	VEC_FOREACH(&w->policies->runs, const struct run *, run)
		n += !run->describing;
	return n;
}

static bool ended(const struct world *w, size_t n)
{
	return w->policies->recent.len == n && live(w) == 0;
}

struct rows {
	bool come;
	json_t *rows;
};

static void on_rows(int r, json_t *rows, void *data)
{
	struct rows *got = data;

	assert_int_equal(r, 0);
	got->rows = json_incref(rows);
	got->come = true;
}

/* Notices of a kind for the receiver, whatever became of them. */
static size_t notices(struct world *w, const char *kind)
{
	struct rows got = { 0 };
	size_t i, n = 0;
	json_t *row;

	assert_int_equal(alert_deliveries(w->alert, NULL, "ops", 100, on_rows, &got), 0);
	WAIT_FOR(w->core.loop, got.come);
	json_array_foreach(got.rows, i, row)
		n += str_eq(json_string_value(json_object_get(row, "kind")), kind);
	json_decref(got.rows);
	return n;
}

static json_t *show(struct world *w, const char *id)
{
	struct rows got = { 0 };

	assert_int_equal(policies_run_show(w->policies, id, on_rows, &got), 0);
	WAIT_FOR(w->core.loop, got.come);
	return got.rows;
}

/* The state of a step as the journal has it; "" = none. */
static void check_step(struct world *w, const char *run, const char *path, const char *expected)
{
	auto_json json_t *rows = show(w, run);
	json_t *steps = json_object_get(json_array_get(rows, 0), "steps"), *step;
	const char *state = "";
	size_t i;

	json_array_foreach(steps, i, step)
		if (str_eq(json_string_value(json_object_get(step, "path")), path))
			state = json_string_value(json_object_get(step, "state"));
	assert_string_equal(state, expected);
}

static bool explained(const struct world *w, const char *part)
{
	VEC_FOREACH(&w->policies->gates, const struct gate *, gate)
		if (strstr(gate->why, part))
			return true;
	return false;
}

static const struct step *step_of(const struct world *w, const char *path)
{
	VEC_FOREACH(&w->policies->runs, const struct run *, run)
		if (!run->describing)
			return map_get(&run->steps, path);
	return NULL;
}

static void ready(struct world *w)
{
	begin(w);
	WAIT_FOR(w->core.loop, described(w));
	core_run(&w->core, "s/web/a");
}

static void break_web(struct world *w)
{
	core_fail(&w->core, "s/web/a", "connect-refused");
}

static void run_by_hand(struct world *w, const char *name)
{
	char id[UUID_TEXT_BYTES];
	struct tend_error err = { 0 };

	if (policies_run(w->policies, name, "s/web", NULL, "ann", id, &err) < 0)
		fail_msg("%s", err.text);
}

static const char mend[] = "policy 'mend' {\n"
	"on = { incident = { component = 's/web' } }, hand = true,\n"
	"run = function(ctx)\n"
	"  local done, why, outcome = tend.command.run('mend')\n"
	"  if not done then return nil, why, outcome end\n"
	"  return tend.verify(ctx.check, { ok = 1, within = '4s' })\n"
	"end }\n";

/* ---- files ---------------------------------------------------------------------------------------------------- */

static const char *file_error(const struct world *w, const char *chunk)
{
	VEC_FOREACH(&w->policies->catalog->files, const struct policy_file *, file)
		if (strcmp(file->chunk, chunk) == 0)
			return file->error ? file->error : "";
	fail_msg("there is no file %s", chunk);
	return NULL;
}

/* A broken file is told by file and line, the others run; more files than runs may live at once. */
static void test_files(void **state)
{
	struct world *w = *state;
	auto_json json_t *list = NULL;

	write_policy(w, "mend", mend);
	write_policy(w, "broken", "policy 'broken' {\n  run = function( end,\n}\n");
	write_policy(w, "twin", mend);
	for (int i = 0; i < POLICY_MAX_RUNS + 10; i++) {
		auto_free char *name = str_printf("many-%d", i);
		auto_free char *text =
			str_printf("policy 'many-%d' { run = function() return true end }\n", i);

		write_policy(w, name, text);
	}
	begin(w);
	WAIT_FOR(w->core.loop, described(w));
	assert_true(str_startswith(file_error(w, "broken.lua"), "broken.lua:2: "));
	assert_non_null(strstr(file_error(w, "twin.lua"), "declared in another file"));
	assert_string_equal(file_error(w, "mend.lua"), "");
	assert_int_equal(w->policies->catalog->defs.len, POLICY_MAX_RUNS + 11);
	list = policies_to_json(w->policies);
	assert_int_equal(json_array_size(list), POLICY_MAX_RUNS + 13);
	/* a reload while it is being described, and one that mends the file */
	write_policy(w, "broken", "policy 'broken' { run = function() return true end }\n");
	apply(w);
	apply(w);
	assert_int_equal(w->policies->catalog->defs.len, POLICY_MAX_RUNS + 11);
	WAIT_FOR(w->core.loop, described(w));
	assert_string_equal(file_error(w, "broken.lua"), "");
	assert_int_equal(w->policies->catalog->defs.len, POLICY_MAX_RUNS + 12);
	WAIT_FOR(w->core.loop, w->policies->runs.len == 0);
}

/* ---- a fault is healed ----------------------------------------------------------------------------------------- */

static void test_healed(void **state)
{
	struct world *w = *state;
	struct incident *incident;

	write_policy(w, "mend", mend);
	ready(w);
	break_web(w);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_true(last_run(w)->verified);
	assert_int_equal(requests(w, "command"), 1);
	WAIT_FOR(w->core.loop, incidents_open(w->incidents)->len == 0);
	incident = incidents_recent(w->incidents)->items[0];
	assert_non_null(strstr(incident->summary, "last action: command.run mend: done"));
	assert_int_equal(((struct action_row *)w->policies->actions.items[0])->action.verdict,
		ACTION_VERIFIED);
	assert_int_equal(notices(w, "policy.failed"), 0);
}

/* An incident that was open before the policies were known, or before Tend's start, is healed as well. */
static void test_healed_after_restart(void **state)
{
	struct world *w = *state;

	begin(w);
	WAIT_FOR(w->core.loop, described(w));
	core_run(&w->core, "s/web/a");
	break_web(w);
	write_policy(w, "mend", mend);
	restart(w);
	core_run(&w->core, "s/web/a");
	WAIT_FOR(w->core.loop, ended(w, 1) || requests(w, "command") == 1);
	WAIT_FOR(w->core.loop, ended(w, 1) && incidents_open(w->incidents)->len == 0);
}

static const struct {
	const char *daemon, *why;
	size_t n_suggested;
} quiet_modes[] = {
	{ "mode.production = observe\n", "mode is observe: it would run now", 0 },
	{ "mode.production = suggest\n", "mode is suggest: it would run now", 1 },
	{ "mode.production = auto\nactions = no\n", "actions are off: [daemon] actions = no", 0 },
	{ "mode.production = auto\n[policy mend]\nmode = observe\n", "mode is observe", 0 },
	{ "mode.production = auto\n[policy mend]\nenabled = no\n", "disables it", 0 },
	{ "mode.production = auto\n[policy mend]\nmatch_component = other/*\n", "narrows it", 0 },
};

static void test_quiet_modes(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend", mend);
	for (size_t i = 0; i < ARRAY_SIZE(quiet_modes); i++) {
		const struct incident *incident;
		size_t n = 0;

		w->daemon = quiet_modes[i].daemon;
		ready(w);
		break_web(w);
		incident = incidents_open(w->incidents)->items[0];
		trigger_all(w->policies);
		trigger_all(w->policies);
		assert_int_equal(live(w), 0);
		if (!explained(w, quiet_modes[i].why))
			fail_msg("'%s' is not explained", quiet_modes[i].why);
		VEC_FOREACH(&incident->timeline, const struct timeline_entry *, entry)
			n += strcmp(entry->kind, "suggested") == 0;
		assert_int_equal(n, quiet_modes[i].n_suggested);
		core_tell(&w->core, "s/web/a", "ok");
		core_run(&w->core, "s/web/a");
		WAIT_FOR(w->core.loop, incidents_open(w->incidents)->len == 0);
		end(w);
		core_open(&w->core);
	}
	assert_int_equal(requests(w, "command"), 0);
	begin(w); /* for the teardown */
}

static void test_pause(void **state)
{
	struct world *w = *state;
	struct tend_error err = { 0 };

	write_policy(w, "mend", mend);
	ready(w);
	assert_int_equal(policies_pause(w->policies, "ann", "moving house", &err), 0);
	restart(w); /* the switch holds */
	WAIT_FOR(w->core.loop, described(w));
	core_run(&w->core, "s/web/a");
	break_web(w);
	assert_true(explained(w, "actions are off: paused by ann: moving house"));
	assert_int_equal(live(w) + w->policies->recent.len, 0);
	assert_int_equal(policies_resume(w->policies, "ann", &err), 0);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_int_equal(requests(w, "command"), 1);
	assert_int_equal(notices(w, "policy.failed"), 0);
	assert_int_equal(notices(w, "actions.frozen"), 1);
}

/* Frozen and thawed again: told once each, and what waited is healed. */
static void test_freeze(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend", mend);
	ready(w);
	policies_freeze(w->policies, "store", true);
	policies_freeze(w->policies, "outbox", true);
	break_web(w);
	assert_int_equal(live(w), 0);
	policies_freeze(w->policies, "store", false);
	assert_false(policies_actions_enabled(w->policies));
	policies_freeze(w->policies, "outbox", false);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(requests(w, "command"), 1);
	assert_true(notices(w, "actions.frozen") >= 1);
}

/* ---- what is refused --------------------------------------------------------------------------------------------- */

/* Wrong arguments are named before anything happens. */
static void test_wrong_arguments(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend", "policy 'mend' { hand = true, run = function(ctx)\n"
				"  tend.command.run{ comand = 'mend' }\nend }\n");
	ready(w);
	run_by_hand(w, "mend");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_FAILED);
	assert_string_equal(last_run(w)->message,
		"mend.lua:2: tend.command.run takes no argument 'comand', did you mean 'command'?");
	assert_int_equal(requests(w, "command"), 0);
	assert_int_equal(w->policies->actions.len, 0);
	assert_int_equal(notices(w, "policy.failed"), 1);
}

static void test_by_hand(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *policy, *target, *error;
	} rows[] = {
		{ "mand", "s/web", "there is no policy 'mand'" },
		{ "mend", "s/wob", "'s/wob' is no component" },
		{ "mend", NULL, "name one" },
		{ "alone", "s/web", "cannot be started by hand" },
	};
	char id[UUID_TEXT_BYTES];

	write_policy(w, "mend", mend);
	write_policy(w, "alone",
		"policy 'alone' { on = { incident = { component = 'x/y' } }, run = function() end }\n");
	w->daemon = "mode.production = suggest\n"; /* by hand is by hand */
	ready(w);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tend_error err = { 0 };

		assert_true(policies_run(w->policies, rows[i].policy, rows[i].target, NULL, "ann",
				    id, &err) < 0);
		if (!strstr(err.text, rows[i].error))
			fail_msg("'%s'", err.text);
	}
	break_web(w);
	behave(w, "silent");
	run_by_hand(w, "mend");
	{
		struct tend_error err = { 0 };

		assert_int_equal(
			policies_run(w->policies, "mend", "s/web/a", NULL, "bob", id, &err), -EBUSY);
	}
	WAIT_FOR(w->core.loop, requests(w, "command") == 1);
	behave(w, "done");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
}

/* The last look before the deed says that it is well again. Recorded as refused, also over a restart. */
static void test_well_again(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];

	write_policy(w, "mend",
		"policy 'mend' { on = { incident = {} }, run = function(ctx)\n"
		"  local done, why, outcome = tend.command.run('mend')\n"
		"  tend.sleep('2s')\n"
		"  return nil, why, outcome\nend }\n");
	ready(w);
	core_tell(&w->core, "s/web/a", "connect-refused");
	core_run(&w->core, "s/web/a");
	core_run(&w->core, "s/web/a");
	core_tell(&w->core, "s/web/a", "ok");
	WAIT_FOR(w->core.loop, step_of(w, "2"));
	memcpy(id, ((struct run *)w->policies->runs.items[0])->id, sizeof(id));
	WAIT_FOR(w->core.loop, step_of(w, "2")->timer);
	restart(w);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_string_equal(last_run(w)->id, id);
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
	assert_non_null(strstr(last_run(w)->message, "well again"));
	check_step(w, id, "1", "refused");
	assert_int_equal(requests(w, "command"), 0);
	assert_int_equal(notices(w, "policy.failed"), 0);
}

/* What never helps: the budget, then the breaker, and each is paged once. */
static void test_budget_and_breaker(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend",
		"policy 'mend' { hand = true, run = function(ctx)\n"
		"  local done, why, outcome = tend.command.run('mend')\n"
		"  return nil, why or 'no help', outcome\nend }\n");
	w->daemon = "budget_per_target = 2\n";
	ready(w);
	break_web(w);
	for (size_t i = 1; i <= 3; i++) {
		behave(w, "failed");
		run_by_hand(w, "mend");
		WAIT_FOR(w->core.loop, ended(w, i));
	}
	assert_int_equal(requests(w, "command"), 2);
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
	assert_non_null(strstr(last_run(w)->message, "the budget of s/web is used up"));
	assert_int_equal(notices(w, "policy.failed"), 3);
	run_by_hand(w, "mend");
	WAIT_FOR(w->core.loop, ended(w, 4));
	assert_int_equal(notices(w, "policy.failed"), 3); /* said before */
	w->daemon = "budget_per_target = 9\n";
	restart(w); /* the history of actions holds */
	WAIT_FOR(w->core.loop, described(w));
	core_run(&w->core, "s/web/a");
	run_by_hand(w, "mend");
	WAIT_FOR(w->core.loop, ended(w, 1));
	run_by_hand(w, "mend");
	WAIT_FOR(w->core.loop, ended(w, 2));
	assert_int_equal(requests(w, "command"), 3);
	assert_non_null(strstr(last_run(w)->message, "the breaker of s/web is open after 3"));
	assert_int_equal(notices(w, "policy.failed"), 5);
}

/* ---- what dies meanwhile ------------------------------------------------------------------------------------------ */

/* In the middle of an action: the next Tend asks after it and does not do it again. */
static void test_restart_in_action(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend", mend);
	ready(w);
	behave(w, "silent");
	break_web(w);
	WAIT_FOR(w->core.loop, requests(w, "command") == 1);
	for (int i = 0; i < 3; i++) {
		restart(w);
		WAIT_FOR(w->core.loop, requests(w, "attach") == (size_t)i + 1);
	}
	behave(w, "done");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_int_equal(requests(w, "command"), 1);
	WAIT_FOR(w->core.loop, incidents_open(w->incidents)->len == 0);
	assert_int_equal(((struct action_row *)w->policies->actions.items[0])->action.verdict,
		ACTION_VERIFIED);
}

/* At any moment: however often, and wherever, it is one request. */
static void test_restart_anywhere(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend", mend);
	ready(w);
	break_web(w);
	for (int turns = 0; turns < 40 && !ended(w, 1); turns++) {
		for (int i = 0; i < turns; i++)
			assert_true(loop_turn(w->core.loop, 5 * USEC_PER_MSEC) >= 0);
		if (!ended(w, 1))
			restart(w);
	}
	WAIT_FOR(w->core.loop, w->policies->recent.len > 0 && live(w) == 0);
	assert_in_range(requests(w, "command"), 0, 1);
	/* One that was never sent is told apart: nothing was begun. */
	assert_int_equal(last_run(w)->state, requests(w, "command") ? RUN_DONE : RUN_REFUSED);
}

/* In the middle of a sleep: what is left of it is slept, what was done is done. */
static void test_restart_in_sleep(void **state)
{
	struct world *w = *state;
	usec_t began;

	write_policy(w, "mend",
		"policy 'mend' { on = { incident = {} }, run = function(ctx)\n"
		"  local before = tend.now().unix\n"
		"  tend.command.run('mend')\n"
		"  tend.sleep('2s')\n"
		"  return tend.verify(ctx.check, { ok = 1, within = '4s' })\nend }\n");
	ready(w);
	break_web(w);
	WAIT_FOR(w->core.loop, step_of(w, "3") && step_of(w, "3")->timer);
	began = clock_now();
	restart(w);
	WAIT_FOR(w->core.loop, step_of(w, "3") && step_of(w, "3")->timer);
	restart(w);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_true(clock_now() - began > 1500 * USEC_PER_MSEC);
	assert_int_equal(requests(w, "command"), 1);
	assert_int_equal(requests(w, "attach"), 0);
}

/* Its file was changed meanwhile: the run goes on with what it began with. */
static void test_restart_with_other_source(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend", mend);
	ready(w);
	behave(w, "silent");
	break_web(w);
	WAIT_FOR(w->core.loop, requests(w, "command") == 1);
	write_policy(w, "mend",
		"policy 'mend' { hand = true, run = function() tend.command.run('other') end }\n");
	behave(w, "done");
	restart(w);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_int_equal(requests(w, "command"), 1);
}

/* Whether it happened cannot be known: the run is unknown, and people are told. */
static void test_unknown(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend", mend);
	ready(w);
	behave(w, "unknown");
	break_web(w);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_UNKNOWN);
	assert_int_equal(notices(w, "policy.failed"), 1);
	assert_int_equal(requests(w, "command"), 1);
}

/* Its run cannot be taken up again after a restart: an action without an outcome is unknown, and paged. */
static void test_journal_not_whole(void **state)
{
	struct world *w = *state;
	struct store_batch *batch;
	const struct run *run;

	write_policy(w, "mend", mend);
	ready(w);
	behave(w, "silent");
	break_web(w);
	WAIT_FOR(w->core.loop, requests(w, "command") == 1);
	run = w->policies->runs.items[0];
	{
		auto_json json_t *doc = run_doc(run);

		(void)json_object_set_new(doc, "source", json_string("lost"));
		assert_int_equal(store_batch_new(&batch), 0);
		assert_int_equal(store_batch_add(batch, STORE_RUN_PUT, "sssssiij", run->id,
					 run->policy, run->component, run->incident, "live",
					 (int64_t)run->started_wall, (int64_t)0, doc),
			0);
		assert_int_equal(store_commit(w->core.store, batch, NULL, NULL), 0);
	}
	restart(w);
	WAIT_FOR(w->core.loop, w->policies->recent.len >= 1);
	assert_int_equal(((struct run *)w->policies->recent.items[0])->state, RUN_UNKNOWN);
	assert_int_equal(notices(w, "policy.failed"), 1);
	assert_int_equal(requests(w, "command"), 1);
	/* it counts: for the budget, and as one that did not help */
	assert_int_equal(w->policies->actions.len, 1);
	assert_int_equal(((struct action_row *)w->policies->actions.items[0])->action.verdict,
		ACTION_UNVERIFIED);
}

static pid_t runner_of(const struct world *w)
{
	VEC_FOREACH(&w->policies->runs, const struct run *, run)
		if (!run->describing)
			return run->pid;
	return 0;
}

/* The runner dies: the run goes on with another, from its journal; the fourth time it has failed. */
static void test_runner_killed(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend",
		"policy 'mend' { hand = true, run = function(ctx)\n"
		"  tend.command.run('mend')\n"
		"  tend.sleep('1h')\nend }\n");
	ready(w);
	break_web(w);
	run_by_hand(w, "mend");
	for (int i = 0; i <= RUN_MAX_RESTARTS; i++) {
		pid_t pid;

		WAIT_FOR(w->core.loop, runner_of(w) > 0 && step_of(w, "2") &&
				step_of(w, "2")->timer && step_of(w, "2")->rpc_id);
		pid = runner_of(w);
		assert_int_equal(kill(pid, SIGKILL), 0);
		WAIT_FOR(w->core.loop, runner_of(w) != pid);
		assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* reaped */
	}
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_FAILED);
	assert_int_equal(requests(w, "command"), 1);
	assert_null(((struct step *)map_get(&last_run(w)->steps, "2"))->timer);
}

/* tend-run itself dies while it describes and while runs live: it is started again, nothing is lost. */
static void test_parent_killed(void **state)
{
	struct world *w = *state;
	pid_t pid;

	write_policy(w, "mend",
		"policy 'mend' { on = { incident = {} }, run = function(ctx)\n"
		"  tend.sleep('1s')\n"
		"  tend.command.run('mend')\n"
		"  return tend.verify(ctx.check, { ok = 1, within = '4s' })\nend }\n");
	begin(w);
	WAIT_FOR(w->core.loop, child_pid(w->policies->runner) > 0);
	assert_int_equal(kill(child_pid(w->policies->runner), SIGKILL), 0);
	WAIT_FOR(w->core.loop, described(w));
	assert_string_equal(file_error(w, "mend.lua"), "");
	core_run(&w->core, "s/web/a");
	break_web(w);
	WAIT_FOR(w->core.loop, runner_of(w) > 0);
	pid = child_pid(w->policies->runner);
	assert_int_equal(kill(pid, SIGKILL), 0);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_int_equal(requests(w, "command"), 1);
	WAIT_FOR(w->core.loop, child_pid(w->policies->runner) > 0);
	assert_int_not_equal(child_pid(w->policies->runner), pid);
}

/* The teardown takes everything away under a probe, a verify, an action and a description. */
static void test_end_in_flight(void **state)
{
	struct world *w = *state;
	static const char *const steps[] = { "tend.check.run('s/web/a')",
		"tend.verify('s/web/a', { within = '10m' })", "tend.sleep('1h')",
		"tend.command.run('mend')" };

	behave(w, "silent");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		auto_free char *text = str_printf(
			"policy 'mend' { hand = true, run = function(ctx) %s end }\n", steps[i]);

		write_policy(w, "mend", text);
		ready(w);
		break_web(w);
		core_tell(&w->core, "s/web/a", "silence");
		run_by_hand(w, "mend");
		WAIT_FOR(w->core.loop, step_of(w, "1") || w->policies->recent.len);
		apply(w);
		end(w);
		{ /* the run is not wanted any more */
			auto_free char *command =
				str_printf("rm -rf %s/state %s/s.web.a", w->core.dir, w->core.dir);

			assert_int_equal(system(command), 0);
		}
		core_open(&w->core);
	}
	begin(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_files),
		TEST(test_healed),
		TEST(test_healed_after_restart),
		TEST(test_quiet_modes),
		TEST(test_pause),
		TEST(test_freeze),
		TEST(test_wrong_arguments),
		TEST(test_by_hand),
		TEST(test_well_again),
		TEST(test_budget_and_breaker),
		TEST(test_restart_in_action),
		TEST(test_restart_anywhere),
		TEST(test_restart_in_sleep),
		TEST(test_restart_with_other_source),
		TEST(test_unknown),
		TEST(test_journal_not_whole),
		TEST(test_runner_killed),
		TEST(test_parent_killed),
		TEST(test_end_in_flight),
	};

	log_set_level(getenv("TEST_LOG") ? LOG_DEBUG : LOG_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
