/* SPDX-License-Identifier: MIT */
/* Attempts in tend-work processes: the real host, pool and program, with a plugin that does what no
 * plugin should (blocker_plugin.c). */
#include "plugin_fixture.h"
#include <linux/landlock.h>
#include <sys/syscall.h>
#include "base/sanitized.h"
#include "conf/plugins.h"
#include "loop/child.h"
#include "work/pool.h"

#define SHORT (1500 * USEC_PER_MSEC) /* a busy machine starts a process in less than half of it */
#define LONG  (10 * USEC_PER_SEC)

static struct fixture f;
static struct work_pool *pool;
static const struct tend_probe *blocker, *blocker2;

static int set_up(void **state)
{
	struct tend_error err = {0};

	if (fixture_open(&f) < 0 || work_pool_new(f.loop, &pool) < 0)
		return -1;
	host_set_work(f.host, pool);
	if (plugin_load(BLOCKERS, "blocker", &blocker, &err) < 0 ||
		plugin_load(BLOCKERS, "blocker2", &blocker2, &err) < 0) {
		print_message("%s\n", err.text);
		return -1;
	}
	return work_pool_set(pool, TEND_WORK, 8);
}

static int tear_down(void **state)
{
	host_free(f.host);
	f.host = NULL;
	pool = work_pool_free(pool);
	children_drain(USEC_PER_SEC);
	fixture_close(&f);
	return 0;
}

static struct work_stats stats(void)
{
	struct work_stats s;

	work_pool_stats(pool, &s);
	return s;
}

static uint64_t n_crashed(void)
{
	struct work_stats s = stats();

	return s.n_ended[WORK_CRASHED_SIGNAL] + s.n_ended[WORK_CRASHED_EXIT] +
	       s.n_ended[WORK_CRASHED_START];
}

static struct fixture_end run(const char *const *options, usec_t timeout)
{
	return fixture_run(&f, blocker, options, timeout);
}

static void ended(struct fixture_end end, enum tend_reason reason, const char *words)
{
	if (end.reason != reason || !strstr(end.text, words))
		fail_msg("expected %s with '%s', got %s: %s", tend_reason_name(reason), words,
			tend_reason_name(end.reason), end.text);
	json_decref(end.outcome);
}

/* ---- what goes there and back --------------------------------------------------------------- */

static char *secret_file(const char *name, const char *text)
{
	char *path = str_printf("%s/%s", f.dir, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	(void)fclose(file);
	assert_int_equal(chmod(path, 0600), 0);
	return path;
}

static void test_values(void **state)
{
	auto_free char *path = secret_file("secret", "s\xff"
						     "cret");
	auto_free char *secret = str_printf("secret = file:%s", path);
	auto_free char *secrets = str_printf("secrets.k = file:%s", path);
	const char *const options[] = {secret, secrets, "map.x = y = z", "list = one, two",
		"yes = no", "number = 42", NULL};

	ended(run(NULL, LONG), TEND_REASON_OK,
		"prepared täxt - a - - 1 -7 0.125 90000000 3145728 a/b/c");
	/* A byte that is no UTF-8 arrives as it is: in the text it is made harmless. */
	ended(run(options, LONG), TEND_REASON_OK,
		"prepared täxt s?cret one x=y = z k=s?cret 0 42 0.125 90000000 3145728 a/b/c");
}

static void test_metrics_and_memory(void **state)
{
	struct fixture_end end = run(NULL, LONG);
	auto_json json_t *memory = json_pack("{s:i}", "n", 41);
	struct attempt_spec spec = {.owner = &f.conf,
		.probe = blocker,
		.name = "a/b/c",
		.timeout = LONG,
		.memory = memory,
		.done = fixture_on_end,
		.data = &end};
	struct tend_attempt *a;
	void *conf;

	assert_true(fixture_metric(&end, "n")->value == 1);
	assert_string_equal(fixture_metric(&end, "n")->unit, "c");
	assert_string_equal(fixture_metric(&end, "free_bytes")->instance, "/srv\\n");
	end = (struct fixture_end){0};
	assert_int_equal(fixture_conf(blocker, NULL, NULL, &conf), 0);
	spec.probe_conf = conf;
	assert_int_equal(attempt_start(f.host, &spec, &a), 0);
	fixture_wait(&f, &end.ended, LONG);
	assert_true(fixture_metric(&end, "n")->value == 42);
	fixture_conf_free(blocker, conf);
}

static void test_method(void **state)
{
	auto_json json_t *args = json_pack("{s:[i, n, s]}", "x", 1, "two");
	struct fixture_end end;
	void *conf;

	assert_int_equal(fixture_conf(blocker, NULL, NULL, &conf), 0);
	end = fixture_run_conf(&f, blocker, conf, LONG, "ask", args);
	assert_int_equal(end.reason, TEND_REASON_OK);
	assert_string_equal(json_string_value(json_object_get(end.outcome, "method")), "ask");
	assert_true(json_equal(json_object_get(end.outcome, "args"), args));
	json_decref(end.outcome);
	fixture_conf_free(blocker, conf);
}

static void test_names(void **state)
{
	const char *const here[] = {"act = names", "host = localhost", NULL};
	const char *const literal[] = {"act = names", "host = [2001:db8::1]", NULL};
	const char *const none[] = {"act = names", NULL};
	const char *const gone[] = {"act = names", "host = nothing.invalid", NULL};

	ended(run(here, LONG), TEND_REASON_OK, "127.0.0.1 192.0.2.7");
	ended(run(literal, LONG), TEND_REASON_OK, "1: 2001:db8::1 192.0.2.7");
	ended(run(none, LONG), TEND_REASON_OK, "0: 192.0.2.7");
	ended(run(gone, LONG), TEND_REASON_DNS_FAILED, "nothing.invalid");
}

#if !SANITIZED /* its builds need some rights: harden.c */
static void test_no_rights(void **state)
{
	const char *const options[] = {"act = try", NULL};
	struct fixture_end end;

	end = run(options, LONG);
	assert_string_equal(end.text, "possible:");
}

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

/* Of Tend's own files: what the configuration names, and no other; also when that is replaced, as
 * certificates are. */
static void test_what_it_can_read(void **state)
{
	auto_free char *one = secret_file("one.pem", "1"), *two = secret_file("two.pem", "2"),
		       *next = secret_file("next.pem", "3");
	auto_free char *file = str_printf("file = %s", one), *other = str_printf("file = %s", two),
		       *text = str_printf("text = %s", two);
	const char *const first[] = {"act = read", file, text, NULL}, *const second[] = {
									      "act = read", other,
									      NULL};

	if (!has_landlock()) {
		print_message("this kernel has no Landlock\n");
		return;
	}
	ended(run(first, LONG), TEND_REASON_OK, " read not read read not:");
	ended(run(first, LONG), TEND_REASON_OK, " read not read read not:");
	assert_int_equal(stats().n_started, 1);
	/* Who names another file gets a process of its own, and both stay warm. */
	ended(run(second, LONG), TEND_REASON_OK, " read not read read not:");
	ended(run(first, LONG), TEND_REASON_OK, " read not read read not:");
	assert_int_equal(stats().n_started, 2);
	assert_int_equal(rename(next, one), 0);
	ended(run(first, LONG), TEND_REASON_OK, " read not read read not:");
	assert_int_equal(stats().n_started, 3);
	assert_int_equal(n_crashed(), 0);
	/* One that is not there is the plugin's affair. */
	assert_int_equal(unlink(one), 0);
	ended(run(first, LONG), TEND_REASON_OK, " not not read read not:");
}
#endif

/* ---- ends ----------------------------------------------------------------------------------- */

static void test_hangs(void **state)
{
	static const struct {
		const char *act;
		enum tend_reason reason;
		const char *words;
	} table[] = {
		{"act = hang", TEND_REASON_CONNECT_TIMEOUT,
			"no answer within 1.5s: nobody\\nthere"},
		{"act = loop", TEND_REASON_TOO_SLOW, "no answer within 1.5s"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const char *const options[] = {table[i].act, NULL};
		uint64_t killed = stats().n_ended[WORK_KILLED_DEADLINE];
		struct fixture_end end = run(options, SHORT);

		ended(end, table[i].reason, table[i].words);
		assert_in_range(end.took, SHORT, 2 * SHORT);
		assert_int_equal(stats().n_ended[WORK_KILLED_DEADLINE], killed + 1);
		assert_int_equal(stats().n_busy, 0);
	}
	ended(run(NULL, LONG), TEND_REASON_OK, "prepared");
	assert_int_equal(n_crashed(), 0);
	assert_int_equal(stats().n_ended[WORK_KILLED_CANCELLED], 0);
}

static void test_crashes(void **state)
{
	const char *const crash[] = {"act = crash", NULL}, *const leave[] = {"act = exit", NULL};
	struct fixture_end end;

	ended(run(crash, LONG), TEND_REASON_INTERNAL, "tend-work ended by signal 10");
	assert_int_equal(stats().n_ended[WORK_CRASHED_SIGNAL], 1);
	assert_int_equal(n_crashed(), 1);
	/* The next one waits a little, the one after a little more. */
	end = run(leave, LONG);
	ended(end, TEND_REASON_INTERNAL, "tend-work exited with status 7");
	assert_true(end.took >= 80 * USEC_PER_MSEC);
	end = run(NULL, LONG);
	ended(end, TEND_REASON_OK, "prepared");
	assert_true(end.took >= 180 * USEC_PER_MSEC);
	assert_int_equal(stats().n_ended[WORK_CRASHED_EXIT], 1);
	assert_int_equal(n_crashed(), 2);
	/* It goes on with the one that lives. */
	end = run(NULL, LONG);
	assert_true(end.took < 180 * USEC_PER_MSEC);
	/* And what cannot wait so long is told why. */
	ended(run(crash, LONG), TEND_REASON_INTERNAL, "signal 10");
	end = run(NULL, 50 * USEC_PER_MSEC);
	ended(end, TEND_REASON_NO_EVIDENCE, "tend-work has failed, it starts again in");
}

static void test_bad_answers(void **state)
{
	const char *const nothing[] = {"act = nothing", NULL}, *const big[] = {"act = big", NULL};
	struct fixture_end end;

	ended(run(nothing, LONG), TEND_REASON_INTERNAL, "the probe 'blocker' did not end it");
	ended(run(big, LONG), TEND_REASON_INTERNAL, "more than a message holds");
	ended(run(NULL, LONG), TEND_REASON_OK, "prepared");
	assert_int_equal(stats().n_started, 1);
	assert_int_equal(work_pool_set(pool, "/nowhere/tend-work", 8), 0);
	end = fixture_run(&f, blocker2, NULL, LONG);
	ended(end, TEND_REASON_INTERNAL, "cannot start /nowhere/tend-work: No such file");
	assert_int_equal(stats().n_ended[WORK_CRASHED_START], 1);
}

/* ---- places --------------------------------------------------------------------------------- */

enum { MAX_MANY = 8 };
struct many {
	struct fixture_end ends[MAX_MANY];
	struct tend_attempt *attempts[MAX_MANY];
	void *confs[MAX_MANY];
	const struct tend_probe *probes[MAX_MANY];
	size_t n;
};

static void many_add(struct many *m, const struct tend_probe *probe, const char *act,
	const char *name, usec_t timeout)
{
	const char *const options[] = {act, NULL};
	struct attempt_spec spec = {.owner = &f.conf,
		.probe = probe,
		.name = name,
		.timeout = timeout,
		.done = fixture_on_end,
		.data = &m->ends[m->n]};

	m->probes[m->n] = probe;
	assert_int_equal(fixture_conf(probe, options, NULL, &m->confs[m->n]), 0);
	spec.probe_conf = m->confs[m->n];
	assert_int_equal(attempt_start(f.host, &spec, &m->attempts[m->n]), 0);
	m->n++;
}

static void many_wait(struct many *m)
{
	for (size_t i = 0; i < m->n; i++) {
		fixture_wait(&f, &m->ends[i].ended, LONG);
		fixture_conf_free(m->probes[i], m->confs[i]);
	}
}

static void test_a_quarter_for_a_plugin(void **state)
{
	struct many m = {.n = 0};

	many_add(&m, blocker, "act = hang", "a/one/c", SHORT);
	many_add(&m, blocker, "act = hang", "a/two/c", SHORT);
	many_add(&m, blocker, "act = tell", "a/three/c", SHORT / 2);
	many_add(&m, blocker, "act = tell", "a/four/c", LONG);
	many_add(&m, blocker, "act = exit", "a/five/c", LONG);
	many_add(&m, blocker2, "act = tell", "a/six/c", SHORT);
	many_wait(&m);
	ended(m.ends[0], TEND_REASON_CONNECT_TIMEOUT, "");
	ended(m.ends[1], TEND_REASON_CONNECT_TIMEOUT, "");
	ended(m.ends[2], TEND_REASON_NO_EVIDENCE,
		"not asked: no tend-work process was free within 750ms (all 2 places of blocker "
		"are "
		"taken");
	ended(m.ends[3], TEND_REASON_OK, "a/four/c");
	assert_true(m.ends[3].took >= SHORT - 50 * USEC_PER_MSEC);
	ended(m.ends[4], TEND_REASON_INTERNAL, "status 7");
	/* Nobody else waits. */
	ended(m.ends[5], TEND_REASON_OK, "a/six/c");
	assert_true(m.ends[5].took < SHORT - 50 * USEC_PER_MSEC);
	assert_true(stats().waited >= SHORT);
}

static void test_a_quarter_for_a_component(void **state)
{
	struct many m = {.n = 0};

	many_add(&m, blocker, "act = hang", "a/b/1", SHORT);
	many_add(&m, blocker2, "act = hang", "a/b/2", SHORT);
	many_add(&m, blocker2, "act = tell", "a/b/3", SHORT / 2);
	many_add(&m, blocker2, "act = tell", "a/other/3", SHORT);
	many_wait(&m);
	ended(m.ends[2], TEND_REASON_NO_EVIDENCE, "all 2 places of a/b are taken");
	ended(m.ends[3], TEND_REASON_OK, "a/other/3");
}

/* One slot: each plugin in turn has it, in the order of asking. */
static void test_one_slot(void **state)
{
	struct many m = {.n = 0};

	assert_int_equal(work_pool_set(pool, TEND_WORK, 1), 0);
	assert_int_equal(work_pool_share(pool), 1);
	many_add(&m, blocker, "act = tell", "a/b/1", LONG);
	many_add(&m, blocker2, "act = tell", "a/b/2", LONG);
	many_add(&m, blocker, "act = tell", "a/b/3", LONG);
	many_wait(&m);
	for (size_t i = 0; i < 3; i++)
		ended(m.ends[i], TEND_REASON_OK, "prepared");
	assert_true(m.ends[0].took <= m.ends[1].took && m.ends[1].took <= m.ends[2].took);
	assert_int_equal(stats().n_started, 3); /* of two plugins, and never two at once */
	assert_int_equal(stats().n_processes, 1);
	assert_int_equal(n_crashed(), 0);
}

static void test_kept_warm(void **state)
{
	for (int i = 0; i < 20; i++)
		ended(run(NULL, LONG), TEND_REASON_OK, "prepared");
	assert_int_equal(stats().n_started, 1);
	assert_int_equal(stats().n_processes, 1);
}

/* One that has closed its connection and is not gone yet gets no work, nor does the job fail. */
static void test_closed(void **state)
{
	const char *const closes[] = {"act = close", NULL};
	struct fixture_end end = run(closes, LONG);
	siginfo_t info;
	pid_t pid = 0;

	assert_int_equal(end.reason, TEND_REASON_OK);
	assert_int_equal(sscanf(end.text, "%d", &pid), 1);
	json_decref(end.outcome);
	assert_int_equal(kill(pid, SIGUSR2), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT), 0);
	for (int i = 0; i < 20; i++)
		(void)loop_turn(f.loop, USEC_PER_MSEC);
	end = run(NULL, LONG);
	ended(end, TEND_REASON_OK, "prepared");
	assert_true(end.took < 900 * USEC_PER_MSEC);
	assert_int_equal(stats().n_started, 2);
}

static void test_abandoned(void **state)
{
	struct many m = {.n = 0};

	many_add(&m, blocker, "act = hang", "a/b/1", LONG);
	for (usec_t until = clock_now() + LONG; stats().n_busy == 0 && clock_now() < until;)
		(void)loop_turn(f.loop, 10 * USEC_PER_MSEC);
	assert_int_equal(stats().n_busy, 1);
	attempt_abandon(m.attempts[0]);
	assert_int_equal(stats().n_busy, 0);
	assert_int_equal(stats().n_ended[WORK_KILLED_CANCELLED], 1);
	assert_int_equal(stats().n_ended[WORK_KILLED_DEADLINE], 0);
	fixture_conf_free(blocker, m.confs[0]);
	/* And one that still hangs when all ends, as tear_down() does. */
	m = (struct many){.n = 0};
	many_add(&m, blocker, "act = hang", "a/b/1", LONG);
	many_add(&m, blocker, "act = hang", "a/b/1", LONG);
	many_add(&m, blocker, "act = hang", "a/b/1", LONG);
	for (usec_t until = clock_now() + LONG; stats().n_busy < 2 && clock_now() < until;)
		(void)loop_turn(f.loop, 10 * USEC_PER_MSEC);
	assert_int_equal(stats().n_waiting, 1);
	for (size_t i = 0; i < m.n; i++) {
		attempt_abandon(m.attempts[i]);
		fixture_conf_free(blocker, m.confs[i]);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_values),
		TEST(test_metrics_and_memory),
		TEST(test_method),
		TEST(test_names),
#if !SANITIZED
		TEST(test_no_rights),
		TEST(test_what_it_can_read),
#endif
		TEST(test_hangs),
		TEST(test_crashes),
		TEST(test_bad_answers),
		TEST(test_a_quarter_for_a_plugin),
		TEST(test_a_quarter_for_a_component),
		TEST(test_one_slot),
		TEST(test_kept_warm),
		TEST(test_closed),
		TEST(test_abandoned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
