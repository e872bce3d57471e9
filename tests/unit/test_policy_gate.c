/* SPDX-License-Identifier: MIT */
/* The gates in front of an action, through the whole engine. test_limits.c has the pure parts. */
#include "policy_fixture.h"
#include "exec/people.h"

#define MORE_CHECKS(name)                                                                          \
	"[component s/" name "]\ndepends = db\n" CHECK("s/" name "/a", "s." name ".a", "")

/* Three that hang on a fourth. */
static const char crm[] = "[component s/db]\nkind = database\n" CHECK("s/db/a", "s.db.a", "")
	MORE_CHECKS("app") MORE_CHECKS("mail") MORE_CHECKS("jobs");

/* Mends what it is told to, and looks at nothing else. */
static const char mend_mail[] =
	"policy 'mend-mail' { on = { incident = { component = 's/mail' } }, hand = true,\n"
	"run = function(ctx)\n"
	"  local done, why, outcome = tend.command.run('mend')\n"
	"  return done and true or nil, why, outcome\nend }\n";

static void well(struct world *w, const char *const *checks)
{
	for (; *checks; checks++)
		core_run(&w->core, *checks);
}

static const char *with_crm(const char *daemon)
{
	static char text[4096];

	(void)snprintf(text, sizeof(text), "mode.production = auto\n%s\n%s", daemon, crm);
	return text;
}

static const char *const all_checks[] = {
	"s/web/a", "s/db/a", "s/app/a", "s/mail/a", "s/jobs/a", NULL};

static void ready_crm(struct world *w, const char *daemon)
{
	w->daemon = with_crm(daemon);
	begin(w);
	WAIT_FOR(w->core.loop, described(w));
	well(w, all_checks);
}

/* ---- one cause --------------------------------------------------------------------------------
 */

static void test_common_cause(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend-mail", mend_mail);
	ready_crm(w, "");
	assert_string_equal(group_of(w->policies, "s/app"), group_of(w->policies, "s/jobs"));
	assert_string_not_equal(group_of(w->policies, "s/app"), group_of(w->policies, "s/web"));
	core_fail(&w->core, "s/app/a", "too-slow");
	core_fail(&w->core, "s/jobs/a", "too-slow");
	core_fail(&w->core, "s/mail/a", "too-slow");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
	assert_non_null(strstr(last_run(w)->message, "a common cause is suspected: 3 of the 4 "
						     "components that hang together with s/mail"));
	assert_int_equal(requests(w, "command"), 0);
	assert_int_equal(notices(w, "policy.failed"), 1);
}

/* Two of four are not more than half, and fewer than three. */
static void test_no_common_cause(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend-mail", mend_mail);
	ready_crm(w, "");
	core_fail(&w->core, "s/app/a", "too-slow");
	core_fail(&w->core, "s/mail/a", "too-slow");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(requests(w, "command"), 1);
}

/* ---- worse ------------------------------------------------------------------------------------
 */

static const char harm[] = "policy 'mend-mail' { on = { incident = { component = 's/mail' } },\n"
			   "run = function(ctx)\n"
			   "  ctx:finally(function() tend.log('cleaned up') end)\n"
			   "  tend.command.run('mend')\n"
			   "  tend.sleep('1m')\n"
			   "  tend.command.run('mend')\n"
			   "  return true\nend }\n";

static void test_made_worse(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];

	write_policy(w, "mend-mail", harm);
	ready_crm(w, "");
	core_fail(&w->core, "s/mail/a", "too-slow");
	WAIT_FOR(w->core.loop, live(w) == 1 && step_of(w, "2") && step_of(w, "2")->timer);
	(void)snprintf(id, sizeof(id), "%s", live_run(w)->id);
	core_fail(&w->core, "s/web/a", "too-slow"); /* of another group */
	assert_null(live_run(w)->worse);
	core_fail(&w->core, "s/jobs/a", "too-slow");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_CANCELLED);
	assert_non_null(strstr(last_run(w)->message,
		"it made things worse: after command.run mend, s/jobs fails"));
	assert_int_equal(requests(w, "command"), 1);
	assert_int_equal(notices(w, "policy.failed"), 1);
	assert_int_equal(((struct action_row *)w->policies->actions.items[0])->action.verdict,
		ACTION_UNVERIFIED);
}

/* What was not well before was not harmed; nor is what fails for another's sake. */
static void test_not_made_worse(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend-mail", harm);
	ready_crm(w, "");
	core_fail(&w->core, "s/jobs/a", "too-slow");
	core_fail(&w->core, "s/mail/a", "too-slow");
	WAIT_FOR(w->core.loop, live(w) == 1 && step_of(w, "2") && step_of(w, "2")->timer);
	core_fail(&w->core, "s/jobs/a", "connect-refused");
	assert_null(live_run(w)->worse);
	assert_int_equal(live(w), 1);
}

/* The run has ended: people are told, nobody undoes anything. */
static void test_worse_afterwards(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend-mail", mend_mail);
	ready_crm(w, "");
	core_fail(&w->core, "s/mail/a", "too-slow");
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_int_equal(notices(w, "policy.failed"), 0);
	core_fail(&w->core, "s/app/a", "too-slow");
	assert_int_equal(notices(w, "policy.failed"), 1);
}

/* ---- budgets, breakers, cool-down -------------------------------------------------------------
 */

static const char often[] = "policy 'often' { hand = true, run = function(ctx)\n"
			    "  local done, why, outcome = tend.command.run('mend')\n"
			    "  return nil, why or 'no help', outcome\nend }\n";

static void run_on(struct world *w, const char *name, const char *target, size_t n)
{
	char id[UUID_TEXT_BYTES];
	struct tend_error err = {0};

	if (policies_run(w->policies, name, target, NULL, "ann", id, &err) < 0)
		fail_msg("%s", err.text);
	WAIT_FOR(w->core.loop, ended(w, n));
}

static const struct {
	const char *daemon, *first, *second, *why;
} budgets[] = {
	{"budget_per_target = 1\n", "s/app", "s/app", "the budget of s/app is used up until"},
	{"budget_per_target = 1\nbudget_per_group = 1\n", "s/app", "s/mail",
		"the budget of the components that hang together with s/mail is used up until"},
	{"budget_global = 1\n", "s/app", "s/web", "the budget of all targets together is used up"},
	{"[policy often]\nbudget_total = 1\n", "s/app", "s/web",
		"the budget of policy often is used up until"},
};

static void test_budgets(void **state)
{
	struct world *w = *state;
	size_t n = 0;

	write_policy(w, "often", often);
	for (size_t i = 0; i < ARRAY_SIZE(budgets); i++) {
		struct conf *before = w->core.conf;

		w->daemon = with_crm(budgets[i].daemon);
		if (!before) {
			begin(w);
			WAIT_FOR(w->core.loop, described(w));
			well(w, all_checks);
		} else {
			apply(w);
			WAIT_FOR(w->core.loop, described(w));
		}
		run_on(w, "often", budgets[i].first, ++n);
		run_on(w, "often", budgets[i].second, ++n);
		assert_int_equal(last_run(w)->state, RUN_REFUSED);
		if (!strstr(last_run(w)->message, budgets[i].why))
			fail_msg("%s", last_run(w)->message);
		/* the next row begins without a history */
		while (w->policies->actions.len > 0) {
			action_row_free(w->policies->actions.items[0]);
			vec_remove(&w->policies->actions, 0);
		}
	}
	assert_int_equal(requests(w, "command"), ARRAY_SIZE(budgets));
}

static json_int_t budget(const struct world *w, const char *key)
{
	auto_json json_t *seen = policies_actions_to_json(w->policies);

	return json_integer_value(json_object_get(json_object_get(seen, "budgets"), key));
}

/* A declared budget is an account of its own, as long as nothing is healed; those of all policies
 * together have an end, too. */
static void test_maintenance(void **state)
{
	struct world *w = *state;

	write_policy(w, "upkeep",
		"policy 'upkeep' { hand = true, budget = 5,\n"
		"on = { incident = { component = 's/web' } },\n"
		"run = function(ctx)\n"
		"  local done, why, outcome = tend.command.run('mend')\n"
		"  return nil, why or 'no help', outcome\nend }\n");
	ready_crm(w, "cooldown = 0\nbudget_per_target = 1\nbudget_maintenance = 3\n");
	run_on(w, "upkeep", "s/web", 1);
	run_on(w, "upkeep", "s/web", 2);
	assert_int_equal(requests(w, "command"), 2);
	assert_int_equal(budget(w, "used"), 0);
	assert_int_equal(budget(w, "maintenance_used"), 2);
	break_web(w);
	WAIT_FOR(w->core.loop, ended(w, 3));
	assert_int_equal(requests(w, "command"), 3);
	assert_int_equal(budget(w, "used"), 1);
	assert_int_equal(budget(w, "maintenance_used"), 2);
	run_on(w, "upkeep", "s/app", 4);
	assert_int_equal(requests(w, "command"), 4);
	run_on(w, "upkeep", "s/mail", 5);
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
	assert_non_null(strstr(
		last_run(w)->message, "the budget of all maintenance together is used up until"));
	assert_int_equal(requests(w, "command"), 4);
}

/* Nothing was sent: it uses no budget and moves no breaker. */
static void test_nothing_was_sent(void **state)
{
	struct world *w = *state;

	write_policy(w, "end-session",
		"policy 'end-session' { hand = true, run = function(ctx)\n"
		"  local done, why, outcome =\n"
		"    tend.sql.terminate_backend(1, { backend_start = '2026-01-01' })\n"
		"  return done, why, outcome\nend }\n");
	ready(w);
	run_on(w, "end-session", "s/web", 1);
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
	assert_non_null(strstr(last_run(w)->message, "is not configured"));
	assert_int_equal(w->policies->actions.len, 0);
	restart(w);
	assert_int_equal(w->policies->actions.len, 0);
}

/* What a command may do the executor says a moment after tendd has begun: that is waited for. */
static void test_query_waits(void **state)
{
	struct world *w = *state;

	write_policy(w, "look",
		"policy 'look' { hand = true, run = function(ctx)\n"
		"  local seen, why, outcome = tend.command.query('look')\n"
		"  return seen and true or nil, why, outcome\nend }\n");
	assert_int_equal(kill(w->executor, SIGSTOP), 0);
	ready(w);
	run_by_hand(w, "look");
	WAIT_FOR(w->core.loop, ended(w, 1) || (step_of(w, "1") && step_of(w, "1")->timer));
	assert_int_equal(kill(w->executor, SIGCONT), 0);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_DONE);
	assert_int_equal(requests(w, "command"), 1);
}

/* Without an incident nobody was told of the "no" before: each such run is a deed left undone. */
static void test_each_refusal_pages(void **state)
{
	struct world *w = *state;
	struct tend_error err = {0};

	write_policy(w, "often", often);
	ready_crm(w, "");
	assert_int_equal(policies_pause(w->policies, "ann", "lunch", NULL, NULL, &err), 0);
	run_on(w, "often", "s/app", 1);
	run_on(w, "often", "s/web", 2);
	run_on(w, "often", "s/web", 3);
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
	assert_int_equal(notices(w, "policy.failed"), 3);
}

/* It opens for this policy on this target only; it pages when it does, and is seen. */
static void test_breaker(void **state)
{
	struct world *w = *state;
	auto_json json_t *seen = NULL;
	json_t *row;

	write_policy(w, "often", often);
	write_policy(w, "other",
		"policy 'other' { hand = true, run = function(ctx)\n"
		"  local done, why, outcome = tend.command.run('mend')\n"
		"  return nil, why or 'no help', outcome\nend }\n");
	ready_crm(w, "budget_per_target = 9\n");
	for (size_t i = 1; i <= 3; i++)
		run_on(w, "often", "s/app", i);
	assert_int_equal(notices(w, "policy.failed"), 4); /* three that failed, and the breaker */
	run_on(w, "often", "s/app", 4);
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
	assert_non_null(strstr(last_run(w)->message,
		"the breaker of s/app is open after 3 runs of policy often that did not help"));
	assert_int_equal(notices(w, "policy.failed"), 4);
	run_on(w, "often", "s/mail", 5);
	run_on(w, "other", "s/app", 6);
	assert_int_equal(requests(w, "command"), 5);
	seen = policies_actions_to_json(w->policies);
	row = json_array_get(json_object_get(seen, "breakers"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "policy")), "often");
	assert_string_equal(json_string_value(json_object_get(row, "target")), "s/app");
	assert_string_equal(json_string_value(json_object_get(row, "state")), "open");
}

/* A person closes it, also over a restart; new failures open it again. */
static void test_breaker_closed_by_hand(void **state)
{
	struct world *w = *state;
	struct tend_error err = {0};

	write_policy(w, "often", often);
	ready_crm(w, "budget_per_target = 9\n");
	assert_int_equal(policies_enable(w->policies, "often", "ann", &err), -EALREADY);
	for (size_t i = 1; i <= 4; i++)
		run_on(w, "often", "s/app", i);
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
	assert_int_equal(policies_enable(w->policies, "often", "ann", &err), 0);
	assert_int_equal(policies_enable(w->policies, "often", "ann", &err), -EALREADY);
	run_on(w, "often", "s/app", 5);
	assert_int_equal(last_run(w)->state, RUN_FAILED);
	restart(w);
	WAIT_FOR(w->core.loop, described(w));
	for (size_t i = 6; i <= 8; i++)
		run_on(w, "often", "s/app", i);
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
}

/* What was mended and fails again soon is not mended again at once. */
static void test_cooldown(void **state)
{
	struct world *w = *state;

	write_policy(w, "mend", mend);
	w->daemon = "mode.production = auto\ncooldown = 1h\n";
	ready(w);
	break_web(w);
	WAIT_FOR(w->core.loop, ended(w, 1) && incidents_open(w->incidents)->len == 0);
	assert_int_equal(last_run(w)->state, RUN_DONE);
	break_web(w);
	assert_int_equal(incidents_open(w->incidents)->len, 1);
	assert_true(explained(w, "cools down until"));
	assert_int_equal(live(w), 0);
	w->daemon = "mode.production = auto\ncooldown = 0\n";
	apply(w);
	WAIT_FOR(w->core.loop, ended(w, 2));
	assert_int_equal(requests(w, "command"), 2);
}

/* Two branches ask at the same time for the last action of the hour: one has it. */
static void test_last_of_the_hour(void **state)
{
	struct world *w = *state;

	write_policy(w, "both",
		"policy 'both' { hand = true, run = function(ctx)\n"
		"  local function act() return tend.command.run('mend') end\n"
		"  tend.all(act, act, act)\n"
		"  return true\nend }\n");
	w->daemon = "mode.production = auto\nbudget_per_target = 1\n";
	ready(w);
	run_on(w, "both", "s/web", 1);
	assert_int_equal(requests(w, "command"), 1);
	assert_int_equal(w->policies->actions.len, 1);
}

/* What cleans up passes the budget, as often as there was something to clean up after. */
static void test_cleanup(void **state)
{
	struct world *w = *state;

	write_policy(w, "drain",
		"policy 'drain' { hand = true, run = function(ctx)\n"
		"  ctx:finally(function()\n"
		"    tend.command.run('mend')\n"
		"    tend.command.run('mend')\n"
		"  end)\n"
		"  tend.command.run('mend')\n"
		"  local done, why = tend.command.run('mend')\n"
		"  return done, why\nend }\n");
	w->daemon = "mode.production = auto\nbudget_per_target = 1\n";
	ready(w);
	run_on(w, "drain", "s/web", 1);
	assert_int_equal(requests(w, "command"), 2);
	check_step(w, last_run(w)->id, "1", "done");
	check_step(w, last_run(w)->id, "2", "refused");
	check_step(w, last_run(w)->id, "f1.1", "done");
	check_step(w, last_run(w)->id, "f1.2", "refused");
	assert_true(explained(w, "cleaned up as often as it has acted (1)"));
}

static void test_windows(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *conf, *why;
	} rows[] = {
		{"[freeze year-end]\n", "year-end"},
		{"[policy often]\nwindow = required\n", "window"},
		{"[window soon]\ncron = 0 0 29 2 *\nduration = 1h\nactions = allow\n"
		 "[policy often]\nwindow = required\n",
			"soon"},
	};

	write_policy(w, "often", often);
	w->daemon = "mode.production = auto\n";
	ready(w);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		w->daemon = rows[i].conf;
		apply(w);
		WAIT_FOR(w->core.loop, described(w));
		run_on(w, "often", "s/web", i + 1);
		assert_int_equal(last_run(w)->state, RUN_REFUSED);
		if (!strstr(last_run(w)->message, rows[i].why))
			fail_msg("%s", last_run(w)->message);
	}
	assert_int_equal(requests(w, "command"), 0);
}

/* ---- evidence for what destroys ----------------------------------------------------------------
 */

static const char wipe[] = "policy 'wipe' { on = { incident = { component = 's/web' } },\n"
			   "run = function(ctx)\n"
			   "  local done, why, outcome = tend.command.run('wipe')\n"
			   "  return done and true or nil, why, outcome\nend }\n";

static void test_second_evidence(void **state)
{
	struct world *w = *state;
	static const char *const both[] = {"s/web/a", "s/web/b", NULL};

	write_policy(w, "wipe", wipe);
	w->daemon = "mode.production = auto\ncooldown = 0\n[policy wipe]\ndestroy_unattended = "
		    "yes\n" CHECK("s/web/b", "s.web.b", "");
	begin(w);
	WAIT_FOR(w->core.loop, described(w));
	well(w, both);
	break_web(w);
	WAIT_FOR(w->core.loop, ended(w, 1));
	assert_int_equal(last_run(w)->state, RUN_REFUSED);
	assert_non_null(strstr(last_run(w)->message,
		"what destroys needs a second kind of evidence: no other check of s/web fails"));
	assert_int_equal(requests(w, "command"), 0);
	/* People know of the incident: they are told once. */
	WAIT_FOR(w->core.loop, ended(w, 2));
	assert_int_equal(notices(w, "policy.failed"), 1);
	core_fail(&w->core, "s/web/b", "too-slow");
	WAIT_FOR(w->core.loop, requests(w, "command") == 1);
}

/* A check that asks systemd for the unit's state is no second witness beside that state. */
static void test_unit_is_one_witness(void **state)
{
	struct world *w = *state;
	struct check *check;
	const struct conf_check *before;
	struct conf_check conf;
	struct run run;
	struct step step = {.run = &run, .unit_down = true};

	ready(w);
	check = watch_find_check(w->core.watch, "s/web/a");
	before = check->conf;
	conf = *before;
	run = (struct run){.policies = w->policies, .check = before->name};
	assert_true(evidence_unit_speaks(&step));
	conf.probe_name = (char *)(uintptr_t) "unit";
	check->conf = &conf;
	assert_false(evidence_unit_speaks(&step));
	check->conf = before;
	step.unit_down = false;
	assert_false(evidence_unit_speaks(&step));
}

/* ---- operators --------------------------------------------------------------------------------
 */

static int not_ours_pid;
static bool ours(int pid)
{
	return pid != not_ours_pid;
}

static void test_lock_lines(void **state)
{
	static const struct {
		const char *locks;
		bool held;
	} rows[] = {
		{"", false},
		{"1: POSIX  ADVISORY  WRITE 42 fe:01:77 0 EOF\n", true},
		{"1: POSIX  ADVISORY  WRITE 42 fe:01:7 0 EOF\n", false},
		{"1: POSIX  ADVISORY  READ 42 fe:01:77 0 EOF\n", false},
		{"1: FLOCK  ADVISORY  WRITE 42 fe:01:77 0 EOF\n", false},
		{"1: POSIX  ADVISORY  WRITE 43 fe:01:77 0 EOF\n", false},    /* ours */
		{"1: -> POSIX  ADVISORY  WRITE 42 fe:01:77 0 EOF\n", false}, /* it waits */
		{"1: FLOCK  ADVISORY  WRITE 1 00:1a:9 0 EOF\n"
		 "2: POSIX  ADVISORY  WRITE 42 00:1a:77 0 0\nrubbish",
			true},
		{"rubbish: POSIX\n\n\n", false},
	};

	not_ours_pid = 42;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (people_lock_held(rows[i].locks, 77, ours) != rows[i].held)
			fail_msg("row %zu", i);
}

/* The kernel's own lines: a lock as dpkg takes it, seen without a right to the file. */
static void test_real_lock(void **state)
{
	struct world *w = *state;
	auto_free char *path = path_of(w, "lock"), *locks = NULL;
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct stat st;
	int told[2], end[2];
	pid_t pid;
	char byte;
	size_t len;

	core_write(path, "");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	assert_int_equal(pipe2(end, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = open(path, O_RDWR | O_CLOEXEC);

		close(end[1]);
		if (fd < 0 || fcntl(fd, F_SETLK, &lock) < 0 || write(told[1], "", 1) != 1)
			_exit(1);
		_exit(read(end[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(end[0]);
	assert_int_equal(read(told[0], &byte, 1), 1);
	not_ours_pid = pid;
	assert_int_equal(fs_read_file("/proc/locks", 1 << 20, &locks, &len), 0);
	assert_true(people_lock_held(locks, (unsigned long)st.st_ino, ours));
	not_ours_pid = 0;
	assert_false(people_lock_held(locks, (unsigned long)st.st_ino, ours));
	close(end[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(told[0]);
	close(told[1]);
}

static void test_named(void **state)
{
	char ann[] = "ann", at_root[] = "@root", nobody[] = "@no-such-group";
	char *const names[] = {ann, at_root, nobody, NULL};

	assert_true(people_named(names, "ann", 1000));
	assert_true(people_named(names, "bob", 0)); /* root's group is bob's first */
	assert_false(people_named(names, "bob", 1000));
	assert_false(people_named(NULL, "ann", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_common_cause),
		TEST(test_no_common_cause),
		TEST(test_made_worse),
		TEST(test_not_made_worse),
		TEST(test_worse_afterwards),
		TEST(test_budgets),
		TEST(test_maintenance),
		TEST(test_nothing_was_sent),
		TEST(test_query_waits),
		TEST(test_each_refusal_pages),
		TEST(test_breaker),
		TEST(test_breaker_closed_by_hand),
		TEST(test_cooldown),
		TEST(test_last_of_the_hour),
		TEST(test_cleanup),
		TEST(test_windows),
		TEST(test_second_evidence),
		TEST(test_unit_is_one_witness),
		TEST(test_lock_lines),
		TEST(test_real_lock),
		cmocka_unit_test(test_named),
	};

	log_set_level(getenv("TEST_LOG") ? LOG_DEBUG : LOG_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
