/* SPDX-License-Identifier: MIT */
/*
 * Policies from the file to the deed: the real store, the real tend-run, checks that answer what
 * they are told, and a stand-in for the executor that counts what reaches it (executor.py).
 */
#ifndef POLICY_FIXTURE_H
#define POLICY_FIXTURE_H

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

/* ---- the world
 * --------------------------------------------------------------------------------------------- */

static inline uint64_t on_event(
	struct incident *incident, enum incident_event event, struct store_batch *batch, void *data)
{
	struct world *w = data;

	return alert_seal(w->alert);
}

static inline void on_commit(uint64_t token, int r, void *data)
{
	struct world *w = data;

	alert_committed(w->alert, token, r);
}

static inline void on_told(struct incident *incident, enum incident_event event, void *data)
{
	struct world *w = data;

	policies_on_incident(w->policies, incident, event);
}

static inline void on_reason(struct incident *incident, void *data)
{
	struct world *w = data;

	policies_on_incident(w->policies, incident, INCIDENT_CHANGED);
}

static inline void on_result(struct check *check, unsigned events, void *data)
{
	struct world *w = data;

	incidents_on_result(w->incidents, check, events);
	policies_on_result(w->policies, check, events);
}

static const char site[] =
	"[system s]\nenvironment = production\n"
	"[component s/web]\nkind = web\n" CHECK("s/web/a", "s.web.a",
		"confirm_recoveries = 1\n") "[receiver ops]\ntype = webhook\nurl = "
					    "http://127.0.0.1:9/\n"
					    "secret = file:@/secret\n[route default]\nreceivers = "
					    "ops\n";

static inline void apply(struct world *w)
{
	auto_free char *daemon =
		str_printf("lua_dir = @/lua\nlibexec_dir = %s\nexec_socket = @/exec.sock\n"
			   "hold_on_dpkg = no\n%s",
			TEST_LIBEXEC, w->daemon);
	struct conf *conf = core_load(&w->core, daemon, site);

	core_apply(&w->core, conf);
	assert_int_equal(alert_apply(w->alert, conf), 0);
	assert_int_equal(policies_apply(w->policies, conf), 0);
	incidents_apply(w->incidents);
}

static inline bool described(struct world *w)
{
	return w->policies->catalog && !w->policies->loading;
}

static inline void begin(struct world *w)
{
	struct incidents_hooks hooks = {on_event, on_commit, on_told, on_reason, w};
	struct alert_deps alert_deps = {
		.loop = w->core.loop,
		.store = w->core.store,
		.net = w->core.net,
		.libexec_dir = TEST_LIBEXEC,
		.state_dir = w->core.dir,
	};
	struct policies_deps deps = {
		.loop = w->core.loop, .store = w->core.store, .watch = w->core.watch};

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
static inline void end(struct world *w)
{
	w->policies = policies_free(w->policies);
	watch_stop(w->core.watch);
	w->incidents = incidents_free(w->incidents);
	w->alert = alert_free(w->alert);
	core_close(&w->core);
}

static inline void restart(struct world *w)
{
	end(w);
	core_open(&w->core);
	begin(w);
}

static inline char *path_of(const struct world *w, const char *name)
{
	return str_printf("%s/%s", w->core.dir, name);
}

static inline void behave(const struct world *w, const char *how)
{
	auto_free char *path = path_of(w, "behaviour");

	core_write(path, how);
}

static inline void start_executor(struct world *w)
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

static inline void write_policy(const struct world *w, const char *name, const char *text)
{
	auto_free char *path = str_printf("%s/lua/policies/%s.lua", w->core.dir, name);

	core_write(path, text);
}

static inline int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	auto_free char *lua = NULL, *library = NULL, *policies = NULL, *secret = NULL;

	core_setup(&w->core);
	lua = path_of(w, "lua");
	library = path_of(w, "lua/tend");
	policies = path_of(w, "lua/policies");
	secret = path_of(w, "secret");
	assert_int_equal(mkdir(lua, 0700), 0);
	assert_int_equal(mkdir(library, 0700), 0);
	assert_int_equal(mkdir(policies, 0700), 0);
	core_write(secret, "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\n");
	assert_int_equal(chmod(secret, 0600), 0);
	w->daemon = "mode.production = auto\n";
	behave(w, "done");
	start_executor(w);
	*state = w;
	return 0;
}

static inline int teardown(void **state)
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

/* ---- what is seen
 * ------------------------------------------------------------------------------------------- */

/* Lines of the executor's log that begin with `call`. */
static inline size_t requests(const struct world *w, const char *call)
{
	auto_free char *path = path_of(w, "exec.log"), *text = NULL;
	size_t len, n = 0;

	if (fs_read_file(path, 1 << 20, &text, &len) < 0)
		return 0;
	for (char *line = text; line && *line; line = strchr(line, '\n') + 1)
		n += str_startswith(line, call);
	return n;
}

static inline const struct run *last_run(const struct world *w)
{
	size_t n = w->policies->recent.len;

	return n ? w->policies->recent.items[n - 1] : NULL;
}

/* Runs that are not over, those that describe a file apart. */
static inline size_t live(const struct world *w)
{
	size_t n = 0;

	VEC_FOREACH (&w->policies->runs, const struct run *, run)
		n += !run->describing;
	return n;
}

static inline struct run *live_run(const struct world *w)
{
	VEC_FOREACH (&w->policies->runs, struct run *, run)
		if (!run->describing)
			return run;
	fail_msg("no run lives");
	return NULL;
}

static inline bool ended(const struct world *w, size_t n)
{
	return w->policies->recent.len == n && live(w) == 0;
}

struct rows {
	bool come;
	json_t *rows;
};

static inline void on_rows(int r, json_t *rows, void *data)
{
	struct rows *got = data;

	assert_int_equal(r, 0);
	got->rows = json_incref(rows);
	got->come = true;
}

/* Notices of a kind for the receiver, whatever became of them. */
static inline size_t notices(struct world *w, const char *kind)
{
	struct rows got = {0};
	size_t i, n = 0;
	json_t *row;

	assert_int_equal(alert_deliveries(w->alert, NULL, "ops", 100, on_rows, &got), 0);
	WAIT_FOR(w->core.loop, got.come);
	json_array_foreach (got.rows, i, row)
		n += str_eq(json_string_value(json_object_get(row, "kind")), kind);
	json_decref(got.rows);
	return n;
}

static inline json_t *show(struct world *w, const char *id)
{
	struct rows got = {0};

	assert_int_equal(policies_run_show(w->policies, id, on_rows, &got), 0);
	WAIT_FOR(w->core.loop, got.come);
	return got.rows;
}

/* The state of a step as the journal has it; "" = none. */
static inline void check_step(
	struct world *w, const char *run, const char *path, const char *expected)
{
	auto_json json_t *rows = show(w, run);
	json_t *steps = json_object_get(json_array_get(rows, 0), "steps"), *step;
	const char *state = "";
	size_t i;

	json_array_foreach (steps, i, step)
		if (str_eq(json_string_value(json_object_get(step, "path")), path))
			state = json_string_value(json_object_get(step, "state"));
	assert_string_equal(state, expected);
}

static inline bool explained(const struct world *w, const char *part)
{
	VEC_FOREACH (&w->policies->gates, const struct gate *, gate)
		if (strstr(gate->why, part))
			return true;
	return false;
}

static inline const struct step *step_of(const struct world *w, const char *path)
{
	VEC_FOREACH (&w->policies->runs, const struct run *, run)
		if (!run->describing)
			return map_get(&run->steps, path);
	return NULL;
}

static inline void ready(struct world *w)
{
	begin(w);
	WAIT_FOR(w->core.loop, described(w));
	core_run(&w->core, "s/web/a");
}

static inline void break_web(struct world *w)
{
	core_fail(&w->core, "s/web/a", "connect-refused");
}

static inline void run_by_hand(struct world *w, const char *name)
{
	char id[UUID_TEXT_BYTES];
	struct tend_error err = {0};

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

static inline const char *file_error(const struct world *w, const char *chunk)
{
	VEC_FOREACH (&w->policies->catalog->files, const struct policy_file *, file)
		if (strcmp(file->chunk, chunk) == 0)
			return file->error ? file->error : "";
	fail_msg("there is no file %s", chunk);
	return NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
