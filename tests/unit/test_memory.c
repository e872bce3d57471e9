/* SPDX-License-Identifier: MIT */
/* What attempts remember, metrics of many instances, and tend_sql(): the host's side. */
#include "core_fixture.h"

struct memory {
	struct core core;
	const char *head;
};

static const char head[] = "[system s]\nenvironment = production\n"
			   "[component s/db]\nkind = database\n"
			   "[component s/web]\nkind = web\n"
			   "[database s/db]\nservice = told\nfile = @/database\n";

/* The same with the database elsewhere. */
static const char moved[] = "[system s]\nenvironment = production\n"
			    "[component s/db]\nkind = database\n"
			    "[component s/web]\nkind = web\n"
			    "[database s/db]\nservice = told\nfile = @/elsewhere\n";

static int setup(void **state)
{
	struct memory *m = calloc(1, sizeof(*m));

	m->head = head;
	core_setup(&m->core);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct memory *m = *state;

	core_teardown(&m->core);
	free(m);
	return 0;
}

static void apply(struct memory *m, const char *checks)
{
	auto_free char *body = str_printf("%s%s", m->head, checks);

	core_apply(&m->core, core_load(&m->core, "", body));
}

static void restart(struct memory *m, const char *checks)
{
	core_close(&m->core);
	core_open(&m->core);
	apply(m, checks);
}

static const struct metric *metric_of(struct memory *m, const char *check, const char *name)
{
	const struct result *last = &core_check(&m->core, check)->last;

	for (size_t i = 0; i < last->n_metrics; i++)
		if (strcmp(last->metrics[i].name, name) == 0)
			return &last->metrics[i];
	fail_msg("%s has no metric %s: %s", check, name, last->text);
	return NULL;
}

/* What an attempt that begins now is given; -1: nothing. */
static double recalled(struct memory *m, const char *check)
{
	core_tell(&m->core, check, "ok recall=0");
	core_run(&m->core, check);
	return metric_of(m, check, "recall")->value;
}

static void remember(struct memory *m, const char *check, const char *answer)
{
	core_tell(&m->core, check, answer);
	core_run(&m->core, check);
}

static json_t *read_rows(struct memory *m, enum store_query query)
{
	json_t *rows = NULL;
	int r = query == STORE_QUERY_CHECK_MEMORIES
			? store_read_now(m->core.store, query, &rows, "ii", (int64_t)1 << 10,
				  (int64_t)1 << 20)
			: store_read_now(m->core.store, query, &rows, "");

	assert_int_equal(r, 0);
	return rows;
}

static size_t n_rows(struct memory *m)
{
	auto_json json_t *rows = read_rows(m, STORE_QUERY_CHECK_MEMORIES);

	return json_array_size(rows);
}

static void test_it_outlives_a_restart(void **state)
{
	static const char one[] = CHECK("s/db/a", "s.db.a", "");
	static const char slower[] = CHECK("s/db/a", "s.db.a", "warning.x = 3\n");
	static const char other[] = CHECK("s/db/a", "s.db.a", "salt = 1\n");
	struct memory *m = *state;

	apply(m, one);
	assert_true(recalled(m, "s/db/a") == -1);
	remember(m, "s/db/a", "ok remember=7");
	assert_true(recalled(m, "s/db/a") == 7);
	/* What does not remember anything leaves it as it is; a failure remembers as well. */
	assert_true(recalled(m, "s/db/a") == 7);
	remember(m, "s/db/a", "threshold remember=8");
	restart(m, one);
	assert_true(recalled(m, "s/db/a") == 8);
	/* Schedule and thresholds are not the probe's options. */
	apply(m, slower);
	assert_true(recalled(m, "s/db/a") == 8);
	restart(m, slower);
	assert_true(recalled(m, "s/db/a") == 8);
	/* Other options: what was remembered is about something else. */
	apply(m, other);
	assert_true(recalled(m, "s/db/a") == -1);
	remember(m, "s/db/a", "ok remember=9");
	restart(m, other);
	assert_true(recalled(m, "s/db/a") == 9);
	restart(m, one);
	assert_true(recalled(m, "s/db/a") == -1);
	restart(m, one);
	assert_int_equal(n_rows(m), 0);
}

/* What was remembered of one database says nothing of another. */
static void test_of_another_database(void **state)
{
	static const char plain[] = CHECK("s/db/a", "s.db.a", "");
	static const char asking[] = "[check s/db/b]\nprobe = tolddb\nfile = @/s.db.b\n"
				     "interval = 1h\ntimeout = 500ms\nconfirm = 2 of 2\n";
	auto_free char *both = str_printf("%s%s", plain, asking);
	auto_free char *other =
		str_printf("%s[database s/web]\nservice = told\nfile = @/x\n", both);
	struct memory *m = *state;

	apply(m, both);
	remember(m, "s/db/a", "ok remember=1");
	remember(m, "s/db/b", "ok remember=2");
	restart(m, other);
	assert_true(recalled(m, "s/db/a") == 1);
	assert_true(recalled(m, "s/db/b") == 2);
	m->head = moved;
	apply(m, both);
	assert_true(recalled(m, "s/db/a") == 1);
	assert_true(recalled(m, "s/db/b") == -1);
	remember(m, "s/db/b", "ok remember=3");
	restart(m, both);
	assert_true(recalled(m, "s/db/b") == 3);
	m->head = head;
	restart(m, both);
	assert_true(recalled(m, "s/db/a") == 1);
	assert_true(recalled(m, "s/db/b") == -1);
}

static void test_it_goes_with_its_check(void **state)
{
	static const char two[] = CHECK("s/db/a", "s.db.a", "") CHECK("s/db/b", "s.db.b", "");
	static const char one[] = CHECK("s/db/a", "s.db.a", "");
	struct memory *m = *state;

	apply(m, two);
	remember(m, "s/db/a", "ok remember=1");
	remember(m, "s/db/b", "ok remember=2");
	restart(m, two);
	assert_int_equal(n_rows(m), 2);
	apply(m, one);
	restart(m, one);
	assert_int_equal(n_rows(m), 1);
	apply(m, two);
	assert_true(recalled(m, "s/db/b") == -1);
	remember(m, "s/db/b", "ok remember=3");
	/* One that went while Tend was down. */
	restart(m, one);
	restart(m, one);
	assert_int_equal(n_rows(m), 1);
	assert_true(recalled(m, "s/db/a") == 1);
}

/* The text of the row's column as it is on the disk; "": no row. */
static void on_disk(struct memory *m, enum store_query query, const char *check, const char *column,
	char buf[64])
{
	size_t i;
	json_t *row;

	WAIT_FOR(m->core.loop, store_idle(m->core.store));
	auto_json json_t *rows = read_rows(m, query);
	buf[0] = '\0';
	json_array_foreach (rows, i, row) {
		auto_free char *text =
			json_dumps(json_object_get(row, column), JSON_COMPACT | JSON_ENCODE_ANY);

		if (strcmp(json_string_value(json_object_get(row, "name")), check) == 0)
			(void)snprintf(buf, 64, "%s", text);
	}
}

static void assert_saved(struct memory *m, const char *check, const char *doc)
{
	char buf[64];

	on_disk(m, STORE_QUERY_CHECK_MEMORIES, check, "doc_json", buf);
	assert_string_equal(buf, doc);
}

/* What changes with every attempt is not a commit each. */
static void test_it_is_saved_once_a_minute(void **state)
{
	static const char one[] = CHECK("s/db/a", "s.db.a", "");
	struct memory *m = *state;
	char before[64], after[64];

	apply(m, one);
	remember(m, "s/db/a", "ok remember=1"); /* the first, and a new state */
	assert_saved(m, "s/db/a", "{\"n\":1.0}");
	on_disk(m, STORE_QUERY_CHECK_STATES, "s/db/a", "at", before);
	assert_string_not_equal(before, "");
	remember(m, "s/db/a", "ok remember=2");
	assert_saved(m, "s/db/a", "{\"n\":1.0}");
	core_check(&m->core, "s/db/a")->memory_saved -= 60 * USEC_PER_SEC;
	remember(m, "s/db/a", "ok remember=3");
	assert_saved(m, "s/db/a", "{\"n\":3.0}");
	/* A cursor that has passed a fault, though it is not confirmed yet. */
	remember(m, "s/db/a", "threshold remember=4");
	assert_saved(m, "s/db/a", "{\"n\":4.0}");
	on_disk(m, STORE_QUERY_CHECK_STATES, "s/db/a", "at", after);
	assert_string_equal(after, before);
	remember(m, "s/db/a", "ok remember=5");
	assert_saved(m, "s/db/a", "{\"n\":4.0}");
	restart(m, one);
	assert_saved(m, "s/db/a", "{\"n\":5.0}");
	assert_true(recalled(m, "s/db/a") == 5);
}

/* Whatever it is, a new state takes the memory along. */
static void test_it_is_saved_with_the_state(void **state)
{
	static const char one[] = CHECK("s/db/a", "s.db.a", "");
	struct memory *m = *state;

	apply(m, one);
	core_fail(&m->core, "s/db/a", "threshold remember=1");
	assert_true(state_failed(core_check(&m->core, "s/db/a")->state.hard));
	assert_saved(m, "s/db/a", "{\"n\":1.0}");
	core_tell(&m->core, "s/db/a", "ok remember=2");
	for (int i = 0; i < 10 && state_failed(core_check(&m->core, "s/db/a")->state.hard); i++) {
		assert_saved(m, "s/db/a", "{\"n\":1.0}");
		core_run(&m->core, "s/db/a");
	}
	assert_int_equal(core_check(&m->core, "s/db/a")->state.hard, TEND_STATE_OK);
	assert_saved(m, "s/db/a", "{\"n\":2.0}");
}

/* The deadline ends it: nothing of it is remembered. And there is a bound. */
static void test_what_is_not_remembered(void **state)
{
	static const char one[] = CHECK("s/db/a", "s.db.a", "delay = 10ms\n");
	struct memory *m = *state;

	apply(m, one);
	remember(m, "s/db/a", "ok remember_long=262000");
	assert_true(metric_of(m, "s/db/a", "remember_long")->value == 0);
	remember(m, "s/db/a", "ok remember_long=263000");
	assert_true(metric_of(m, "s/db/a", "remember_long")->value == -EMSGSIZE);
	core_tell(&m->core, "s/db/a", "silence");
	core_run(&m->core, "s/db/a");
	assert_int_equal(core_check(&m->core, "s/db/a")->last.reason, TEND_REASON_TOO_SLOW);
	assert_true(recalled(m, "s/db/a") == 0); /* the long one has no "n" */
}

/* Rows of a version that did not keep to the bounds: the newest stay, the others go for good. */
static void test_too_much_is_left_out(void **state)
{
	enum { ROW = 250 << 10, N = (64 << 20) / ROW + 3 };
	static const char two[] = CHECK("s/db/a", "s.db.a", "") CHECK("s/db/b", "s.db.b", "");
	struct memory *m = *state;
	auto_free char *text = calloc(1, (300 << 10) + 1);
	struct watch_stats stats;

	apply(m, two);
	remember(m, "s/db/a", "ok remember=7");
	remember(m, "s/db/b", "ok remember=8");
	restart(m, two);
	watch_get_stats(m->core.watch, &stats);
	assert_int_equal(stats.memory_bytes, 2 * strlen("{\"n\":7.0}"));
	assert_int_equal(stats.n_memories_refused, 0);
	memset(text, 'x', 300 << 10);
	for (int i = 0; i <= N; i++) {
		auto_free char *name = str_printf("old/%d", i);
		struct store_batch *batch;

		if (i == 1)
			text[ROW] = '\0';
		assert_int_equal(store_batch_new(&batch), 0);
		auto_json json_t *doc = json_pack("[s]", text);
		assert_int_equal(store_batch_add(batch, STORE_CHECK_MEMORY_PUT, "ssji", name, "x",
					 doc, (int64_t)(1 + i)),
			0);
		assert_int_equal(store_commit(m->core.store, batch, NULL, NULL), 0);
		WAIT_FOR(m->core.loop, store_idle(m->core.store));
	}
	core_close(&m->core);
	core_open(&m->core);
	watch_get_stats(m->core.watch, &stats);
	/* The one that is too long, and the oldest ones. */
	assert_in_range(stats.n_memories_refused, 4, 6);
	apply(m, two);
	assert_true(recalled(m, "s/db/a") == 7);
	assert_true(recalled(m, "s/db/b") == 8);
	WAIT_FOR(m->core.loop, n_rows(m) == 2); /* no check has taken the others */
}

static void test_instances(void **state)
{
	static const char one[] = CHECK(
		"s/db/a", "s.db.a", "critical.used = 90\nclear.used = 80\nwarning.free = 1:\n");
	struct memory *m = *state;
	struct check *check;
	char wide[80];

	apply(m, one);
	core_fail(&m->core, "s/db/a", "ok used:/=50 used:/var=95 used:/=1 free=2");
	check = core_check(&m->core, "s/db/a");
	/* The same instance twice would make two series of one name. */
	assert_int_equal(check->last.n_metrics, 3);
	assert_int_equal(check->last.reason, TEND_REASON_THRESHOLD);
	assert_string_equal(check->last.text, "used of /var is 95, critical outside the range 90");
	auto_json json_t *doc = watch_check_to_json(check, true);
	json_t *metrics = json_object_get(doc, "metrics");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(metrics, 1), "instance")), "/var");
	assert_null(json_object_get(json_array_get(metrics, 2), "instance"));
	/* Hysteresis is each instance's own, and outlives a restart. */
	restart(m, one);
	core_tell(&m->core, "s/db/a", "ok used:/=85 used:/var=85 free=2");
	core_run(&m->core, "s/db/a");
	check = core_check(&m->core, "s/db/a");
	assert_int_equal(check->last.metrics[0].verdict, TEND_STATE_OK);
	assert_int_equal(check->last.metrics[1].verdict, TEND_STATE_CRITICAL);
	/* An instance that is gone keeps nothing. */
	core_tell(&m->core, "s/db/a", "ok used:/=1 free=2");
	core_run(&m->core, "s/db/a");
	assert_int_equal(json_object_size(core_check(&m->core, "s/db/a")->raised), 0);
	memset(wide, 'w', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	auto_free char *answer = str_printf("ok used:%s=1 free=2", wide);
	core_tell(&m->core, "s/db/a", answer);
	core_run(&m->core, "s/db/a");
	assert_int_equal(strlen(core_check(&m->core, "s/db/a")->last.metrics[0].instance), 63);
}

static void test_many_instances(void **state)
{
	static const char one[] = CHECK("s/db/a", "s.db.a", "");
	struct memory *m = *state;
	struct str answer = STR_INIT(64 << 10);
	struct watch_stats stats;

	apply(m, one);
	assert_int_equal(str_appendf(&answer, "ok"), 0);
	for (int i = 0; i < 40; i++)
		assert_int_equal(str_appendf(&answer, " n:%d=1", i), 0);
	core_tell(&m->core, "s/db/a", str_get(&answer));
	core_run(&m->core, "s/db/a");
	assert_int_equal(core_check(&m->core, "s/db/a")->last.n_metrics, 40);
	assert_int_equal(core_check(&m->core, "s/db/a")->last.n_left_out, 0);
	for (int i = 40; i < TEND_SAMPLES_MAX + 4; i++)
		assert_int_equal(str_appendf(&answer, " n:%d=1", i), 0);
	core_tell(&m->core, "s/db/a", str_get(&answer));
	core_run(&m->core, "s/db/a");
	assert_int_equal(core_check(&m->core, "s/db/a")->last.n_metrics, TEND_SAMPLES_MAX);
	assert_int_equal(core_check(&m->core, "s/db/a")->last.n_left_out, 4);
	assert_true(core_check(&m->core, "s/db/a")->left_out_told);
	watch_get_stats(m->core.watch, &stats);
	assert_int_equal(stats.n_left_out, 4);
	str_clear(&answer);
}

static void test_sql(void **state)
{
	static const char two[] = CHECK("s/db/own", "s.db.own", "ask = own\nsalt = 5\n")
		CHECK("s/web/named", "s.web.named", "ask = s/db\nsalt = 6\n")
			CHECK("s/web/none", "s.web.none", "ask = own\n");
	struct memory *m = *state;
	usec_t began;

	apply(m, two);
	core_tell(&m->core, "database", "ok");
	core_run(&m->core, "s/db/own");
	assert_true(metric_of(m, "s/db/own", "asked")->value == 5);
	core_run(&m->core, "s/web/named");
	assert_true(metric_of(m, "s/web/named", "asked")->value == 6);
	core_run(&m->core, "s/web/none");
	assert_int_equal(core_check(&m->core, "s/web/none")->last.reason, TEND_REASON_INTERNAL);
	/* The database's own reason. */
	core_tell(&m->core, "database", "locked");
	core_run(&m->core, "s/web/named");
	assert_int_equal(core_check(&m->core, "s/web/named")->last.reason, TEND_REASON_LOCKED);
	core_tell(&m->core, "database", "silence");
	began = clock_now();
	core_run(&m->core, "s/web/named");
	assert_int_equal(core_check(&m->core, "s/web/named")->last.reason, TEND_REASON_TOO_SLOW);
	assert_true(clock_now() - began < 2 * USEC_PER_SEC);
	assert_true(str_startswith(core_check(&m->core, "s/web/named")->last.text, "asked: "));
	/* It goes while the database is still being asked. */
	assert_int_equal(watch_run_now(m->core.watch, "s/web/named", 0, NULL, NULL), 0);
	apply(m, CHECK("s/db/own", "s.db.own", ""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_it_outlives_a_restart),
		TEST(test_of_another_database),
		TEST(test_it_goes_with_its_check),
		TEST(test_it_is_saved_once_a_minute),
		TEST(test_it_is_saved_with_the_state),
		TEST(test_what_is_not_remembered),
		TEST(test_too_much_is_left_out),
		TEST(test_instances),
		TEST(test_many_instances),
		TEST(test_sql),
	};

	log_set_level(LOG_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
