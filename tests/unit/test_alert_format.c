/* SPDX-License-Identifier: MIT */
/*
 * Formats on their whole way: the real tend-run, the real store and libcurl, an HTTP server in a
 * process of its own. What a format makes is posted; whatever fails in it, people are told.
 */
#include "alert_fixture.h"
#include "alert/format.h"

#define HEAD(more)                                                                                 \
	"return { name = 'f', doc = 'd', sign = 'standard', " more                                 \
	" format = function(notice, options)\n"
/* "code" of the answer: 0 is well, 1 too fast, else for good. */
#define JUDGE                                                                                      \
	"end, judge = function(response)\n"                                                        \
	"local code = response.json and response.json.code\n"                                      \
	"if code == 0 then return 'delivered' end\n"                                               \
	"if code == 1 then return 'retry', 0.05, 'too fast' end\n"                                 \
	"return 'failed', 'code ' .. tostring(code) end }\n"
#define UNCLEAR                                                                                    \
	HEAD("")                                                                                   \
	"return { body = { mine = true } } end, judge = function(r) if r.json and r.json.code == " \
	"0 then return 'delivered' end return 'unclear', 'a page' end }"
#define GOOD		      HEAD("") "return { body = { title = notice.title, mine = true } }\n" JUDGE
#define YES		      "'200={\"code\":0}' "
#define FAST		      "'200={\"code\":1}' "
#define NO		      "'200={\"code\":7}' "
#define DAEMON		      "[daemon]\nlibexec_dir = " RUN_DIR "\nlua_dir = " LUA_DIR "\n"
#define FORMATTED(name, more) RECEIVER(name, "format = %s/f.lua\n" more)

static void open_with(struct world *w, const char *format, int port)
{
	write_file(w, "f.lua", format);
	world_open(w, DAEMON FORMATTED("a", ""), port, w->f->dir, w->f->dir);
}

static bool is_mine(json_t *log, size_t i)
{
	json_t *body = json_object_get(json_array_get(log, i), "body");

	return json_is_true(json_object_get(body, "mine"));
}

/* What the ledger says of why. */
static char *error_of(struct world *w, const char *id)
{
	struct ledger l = {0};
	char *text = NULL;
	json_t *row;
	size_t i;

	assert_int_equal(alert_deliveries(w->alert, NULL, NULL, 1000, on_ledger, &l), 0);
	WAIT_FOR(w->f->loop, l.done);
	json_array_foreach (l.rows, i, row)
		if (strcmp(json_string_value(json_object_get(row, "notice")), id) == 0) {
			const char *error = json_string_value(json_object_get(row, "last_error"));

			free(text);
			text = strdup(error ? error : "");
		}
	json_decref(l.rows);
	return text;
}

static void assert_error(struct world *w, const char *id, const char *needle)
{
	auto_free char *error = error_of(w, id);

	if (!error || !strstr(error, needle))
		fail_msg("'%s' is not in '%s'", needle, error ? error : "(none)");
}

/* Each row: the format, the answers, what the ledger says at the end, how many came in the format's
 * own shape. */
static void test_formats(void **state)
{
	static const struct {
		const char *format, *steps, *ledger, *error;
		size_t n, n_mine;
	} rows[] = {
		{GOOD, YES, "a 1 delivered 1", "", 1, 1},
		{GOOD, FAST FAST YES, "a 1 delivered 3", "", 3, 3},
		{GOOD, NO, "a 1 failed 1", "HTTP 200: code 7", 1, 1},
		{GOOD, "204", "a 1 failed 1", "HTTP 204: code nil", 1, 1}, /* nothing said yes */
		{GOOD, "'400={\"code\":1}' " YES, "a 1 delivered 2", "", 2, 2},
		{GOOD, "500 429/0 " YES, "a 1 delivered 3", "", 3, 3},
		{GOOD, "302", "a 1 failed 1", "a redirect", 1, 1},
		/* no judge(): HTTP alone */
		{HEAD("") "return { body = { mine = true } } end }", NO, "a 1 delivered 1", "", 1,
			1},
		/* what fails in format() */
		{HEAD("") "error('oh') " JUDGE, YES, "a 1 delivered 1", "f.lua:2: oh; sent as Clo",
			1, 0},
		{HEAD("") "return 7 " JUDGE, YES, "a 1 delivered 1", "returned a number", 1, 0},
		{HEAD("") "return { body = {}, path = '/../x' } " JUDGE, YES, "a 1 delivered 1",
			"path: '/../x'", 1, 0},
		{HEAD("") "return { body = {}, headers = { Host = 'x' } } " JUDGE, YES,
			"a 1 delivered 1", "headers: 'Host'", 1, 0},
		{HEAD("max_bytes = 256,") "return { body = ('x'):rep(300) } " JUDGE, YES,
			"a 1 delivered 1", "it has 300 bytes, and the limit is 256", 1, 0},
		{HEAD("") "while true do end " JUDGE, YES, "a 1 delivered 1", "no answer within", 1,
			0},
		{HEAD("") "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end " JUDGE,
			YES, "a 1 delivered 1", "sent as CloudEvents", 1, 0},
		{"this is no Lua", YES, "a 1 failed 3", "the answer cannot be judged", 3, 0},
		{"while true do end", "204 204 204", "a 1 failed 3", "cannot be judged", 3, 0},
		/* in place of it, and refused: it may be well the next time, but not for ever */
		{HEAD("") "error('oh') " JUDGE, NO NO YES, "a 1 delivered 3", "oh", 3, 0},
		{HEAD("") "error('oh') " JUDGE, NO NO NO, "a 1 failed 3", "code 7", 3, 0},
		{HEAD("") "error('oh') " JUDGE, "400 400 400", "a 1 failed 3", "code nil", 3, 0},
		/* what fails in judge(): a yes that nobody has read is none */
		{HEAD("") "return { body = { mine = true } } end, judge = function(r) error('j') "
			  "end }",
			YES YES YES, "a 1 failed 3", "the answer cannot be judged: f.lua:2: j", 3,
			3},
		{HEAD("") "return { body = { mine = true } } end, judge = function(r) return 'yes' "
			  "end }",
			YES YES YES, "a 1 failed 3", "none of delivered, retry, failed, unclear", 3,
			3},
		/* what is none of the service's answers: somebody else's 200, perhaps only now */
		{UNCLEAR, NO YES, "a 1 delivered 2", "", 2, 2},
		{UNCLEAR, NO NO NO, "a 1 failed 3", "the answer cannot be judged: a page", 3, 3},
		{UNCLEAR, "400", "a 1 failed 1", "HTTP 400", 1, 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world *w;
		char id[UUID_TEXT_BYTES];
		size_t n_mine = 0;

		print_message("row %zu: %s\n", i, rows[i].ledger);
		assert_int_equal(setup(state), 0);
		w = *state;
		open_with(w, rows[i].format, sink_start(w, 0, rows[i].steps));
		add(w, NOTICE_INCIDENT_RAISED, "i1", id);
		WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
		assert_ledger(w, id, rows[i].ledger);
		assert_error(w, id, rows[i].error);
		auto_json json_t *log = sink_log(w, 0);
		assert_int_equal(json_array_size(log), rows[i].n);
		for (size_t k = 0; k < rows[i].n; k++) { /* the same id, signed */
			assert_string_equal(entry_text(log, k, "id"), id);
			assert_true(
				json_is_true(json_object_get(json_array_get(log, k), "verified")));
			n_mine += is_mine(log, k);
		}
		assert_int_equal(n_mine, rows[i].n_mine);
		if (i + 1 < ARRAY_SIZE(rows))
			assert_int_equal(teardown(state), 0);
	}
}

/* An answer without end is cut, and judged as far as it was read; each says why. */
static void test_endless_answers(void **state)
{
	enum { N = 12 };
	struct world *w = *state;
	char ids[N][UUID_TEXT_BYTES], incident[16];

	open_with(w, GOOD,
		sink_start(w, 0, "huge huge huge huge huge huge huge huge huge huge huge huge"));
	for (int i = 0; i < N; i++) {
		snprintf(incident, sizeof(incident), "i%d", i);
		add(w, NOTICE_INCIDENT_RAISED, incident, ids[i]);
	}
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	for (int i = 0; i < N; i++)
		assert_error(w, ids[i], "HTTP 200: code nil");
}

/* One that hangs on one notice is started again and serves the next; another format, and a receiver
 * without any, know nothing of it. */
static void test_a_hanging_format_hurts_nobody_else(void **state)
{
	struct world *w = *state;
	const char *dir = w->f->dir;
	int a = sink_start(w, 0, YES YES), b = sink_start(w, 0, YES YES), c = sink_start(w, 0, "");
	char first[UUID_TEXT_BYTES], second[UUID_TEXT_BYTES];

	write_file(w, "f.lua",
		HEAD("") "if notice.alerts[1].incident == 'i1' then while true do end end\n"
			 "return { body = { mine = true } } " JUDGE);
	write_file(w, "g.lua", GOOD);
	world_open(w,
		DAEMON FORMATTED("a", "") RECEIVER("b", "format = %s/g.lua") RECEIVER("c", ""), a,
		dir, dir, b, dir, dir, c, dir);
	add(w, NOTICE_INCIDENT_RAISED, "i1", first);
	add(w, NOTICE_INCIDENT_RAISED, "i2", second);
	/* The others have theirs while a's is killed. */
	WAIT_FOR(w->f->loop, sink_n(w, 1) == 2 && sink_n(w, 2) == 2);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	auto_json json_t *log = sink_log(w, 0);
	assert_int_equal(json_array_size(log), 2);
	assert_false(is_mine(log, 0));
	assert_true(is_mine(log, 1));
	assert_string_equal(entry_text(log, 0, "id"), first);
}

static pid_t only_child(const char *comm)
{
	auto_free char *list = NULL, *path = str_printf("/proc/self/task/%d/children", getpid());
	char *rest;

	assert_int_equal(fs_read_file(path, 65536, &list, NULL), 0);
	for (char *word = strtok_r(list, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		auto_free char *name = NULL, *file = str_printf("/proc/%s/comm", word);

		if (fs_read_file(file, 64, &name, NULL) == 0 && str_startswith(name, comm))
			return (pid_t)atoi(word);
	}
	fail_msg("no child is a %s", comm);
	return -1;
}

/* One that gets no time for longer than it may take is no broken one: what it spends counts. */
static void test_a_starved_format(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];
	pid_t pid;

	open_with(w, GOOD, sink_start(w, 0, YES YES));
	add(w, NOTICE_INCIDENT_RAISED, "i1", NULL);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	pid = only_child("tend-run");
	assert_int_equal(kill(pid, SIGSTOP), 0);
	add(w, NOTICE_INCIDENT_RAISED, "i2", id);
	usec_t until = clock_now() + 2 * FORMAT_CALL_CPU_USEC;
	WAIT_FOR(w->f->loop, clock_now() >= until);
	assert_int_equal(kill(pid, SIGCONT), 0);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	assert_ledger(w, id, "a 2 delivered 1");
	auto_free char *error = error_of(w, id);
	assert_string_equal(error, "");
	auto_json json_t *log = sink_log(w, 0);
	assert_true(is_mine(log, 0) && is_mine(log, 1));
	assert_int_equal(only_child("tend-run"), pid);
}

/* The file was mended: a reload is enough, and what waits for the old runner is not lost. */
static void test_reload(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];
	int port = sink_start(w, 0, YES YES YES);
	struct conf *old;

	open_with(w, GOOD, port);
	add(w, NOTICE_INCIDENT_RAISED, "i1", NULL);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	write_file(w, "f.lua", HEAD("") "return { body = { mine = true, version = 2 } }\n" JUDGE);
	old = w->conf;
	auto_free char *path = str_printf("%s/tend.conf", w->f->dir), *text = NULL;
	assert_int_equal(fs_read_file(path, 65536, &text, NULL), 0);
	w->conf = load_conf(w, text);
	/* Under way while the configuration changes. */
	add(w, NOTICE_INCIDENT_RAISED, "i2", id);
	assert_int_equal(alert_apply(w->alert, w->conf), 0);
	conf_unref(old);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	assert_ledger(w, id, "a 2 delivered 1");
	auto_json json_t *log = sink_log(w, 0);
	assert_int_equal(json_array_size(log), 2);
	assert_true(is_mine(log, 0) && is_mine(log, 1));
	json_t *body = json_object_get(json_array_get(log, 1), "body");
	assert_int_equal(json_integer_value(json_object_get(body, "version")), 2);
}

/* The end of the daemon in the midst of it: nothing is lost, nothing leaks (a sanitizer looks). */
static void test_end_in_the_midst(void **state)
{
	struct world *w = *state;
	char id[UUID_TEXT_BYTES];

	open_with(w, HEAD("") "while true do end " JUDGE, sink_start(w, 0, YES));
	add(w, NOTICE_INCIDENT_RAISED, "i1", id);
	for (int i = 0; i < 20; i++)
		(void)loop_turn(w->f->loop, 5 * USEC_PER_MSEC);
	write_file(w, "f.lua", GOOD);
	world_restart(w);
	WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
	assert_ledger(w, id, "a 1 delivered 1");
	auto_json json_t *log = sink_log(w, 0);
	assert_true(is_mine(log, 0));
}

/* Where a webhook may go: a name must not lead here (this one always does), an address that is
 * written may. */
static void test_addresses(void **state)
{
	static const struct {
		const char *host, *more, *ledger, *error;
	} rows[] = {
		{"127.0.0.1", "", "a 1 delivered 1", ""},
		{"localhost", "", "a 1 delivered 1", ""},
		{"crm.localhost", "allow = 192.0.2.0/24", "a 1 expired ",
			"is not listed in 'allow'"},
		{"crm.localhost", "insecure = yes", "a 1 expired ", "is loopback"},
		{"crm.localhost", "allow = 127.0.0.0/8", "a 1 delivered 1", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world *w;
		char id[UUID_TEXT_BYTES];
		int port;

		print_message("row %zu: %s %s\n", i, rows[i].host, rows[i].more);
		assert_int_equal(setup(state), 0);
		w = *state;
		port = sink_start(w, 0, "");
		world_open(w,
			"[receiver a]\ntype = webhook\nurl = http://%s:%d/hook\nsecret = "
			"file:%s/secret\nretry_min = 50ms\nretry_max = 200ms\nttl = 1s\n%s\n",
			rows[i].host, port, w->f->dir, rows[i].more);
		add(w, NOTICE_INCIDENT_RAISED, "i1", id);
		WAIT_FOR(w->f->loop, alert_outbox_depth(w->alert) == 0);
		auto_free char *ledger = ledger_of(w, id);
		assert_true(str_startswith(ledger, rows[i].ledger));
		assert_error(w, id, rows[i].error);
		if (i + 1 < ARRAY_SIZE(rows))
			assert_int_equal(teardown(state), 0);
	}
}

static void test_check_all(void **state)
{
	struct world *w = *state;
	struct conf_errors errors = {0};
	const char *dir = w->f->dir;

	write_file(w, "f.lua", GOOD);
	write_file(w, "bad.lua", "return {\n\tname = 'f',\n\tnmae = 1,\n}\n");
	auto_free char *text =
		str_printf(DAEMON FORMATTED("a", "") RECEIVER("b", "format = %s/bad.lua")
				   FORMATTED("c", "option.x = 1"),
			1, dir, dir, 2, dir, dir, 3, dir, dir);
	w->conf = load_conf(w, text);
	assert_int_equal(format_check_all(w->conf, &errors), 0);
	assert_int_equal(errors.len, 2);
	assert_true(str_endswith(errors.items[0].file, "/tend.conf"));
	assert_string_equal(errors.items[0].text,
		"[receiver b] format: bad.lua:3: unknown key 'nmae'; did you mean 'name'?");
	assert_string_equal(
		errors.items[1].text, "[receiver c] option.x: the format 'f' has no such option");
	conf_errors_clear(&errors);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_formats, teardown),
		TEST(test_endless_answers),
		TEST(test_a_hanging_format_hurts_nobody_else),
		TEST(test_a_starved_format),
		TEST(test_reload),
		TEST(test_end_in_the_midst),
		cmocka_unit_test_teardown(test_addresses, teardown),
		TEST(test_check_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
