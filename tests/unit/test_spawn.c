/* SPDX-License-Identifier: MIT */
/*
 * tend-spawn without a box: its requests and rules as tables, and the whole way of an exec check,
 * host - client - server - warden - program - plugin, in one loop.
 */
#include "plugin_fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "exec/spawn/client.h"
#include "exec/spawn/request.h"
#include "exec/spawn/server.h"

extern const struct tend_probe *const tend_plugin_exec;

/* ---- requests ---- */

#define RUN "\"id\":\"a-1\",\"argv\":[\"/bin/x\"],\"timeout_msec\":1000,\"output_max\":9"

#define COMMAND "\"id\":\"a-1\",\"command\":\"page\",\"timeout_msec\":1000,\"output_max\":9"

#define LOOK "\"id\":\"a-1\",\"look\":\"host\",\"timeout_msec\":1000,\"output_max\":9"

static void test_requests(void **state)
{
	static const struct {
		const char *call, *args, *says; /* says NULL = good */
	} rows[] = {
		{"hello", "{}", NULL},
		{"hello", "null", NULL},
		{"hello", "{\"id\":1}", "'id'"},
		{"hello", "[]", "object"},
		{"run", "{" RUN "}", NULL},
		{"run", "{" RUN ",\"stdin\":\"x\"}", NULL},
		{"run", "{" RUN ",\"stdin\":7}", "'stdin'"},
		{"run", "{" RUN ",\"stdin\":\"a\\u0000\"}", "'stdin'"},
		{"run", "{" RUN ",\"shell\":true}", "'shell'"},
		{"run", "null", "object"},
		{"run", "{\"argv\":[\"/x\"],\"timeout_msec\":1000,\"output_max\":9}", "'id'"},
		{"run", "{\"id\":\"../x\",\"argv\":[\"/x\"]}", "'id'"},
		{"run", "{\"id\":\"a\\u0000\",\"argv\":[\"/x\"]}", "'id'"},
		{"run", "{\"id\":\"a\"}", "'argv'"},
		{"run", "{\"id\":\"a\",\"argv\":[]}", "'argv'"},
		{"run", "{\"id\":\"a\",\"argv\":\"/x\"}", "'argv'"},
		{"run", "{\"id\":\"a\",\"argv\":[\"x\"]}", "absolute"},
		{"run", "{\"id\":\"a\",\"argv\":[\"-x\"]}", "absolute"},
		{"run", "{\"id\":\"a\",\"argv\":[\"\"]}", "absolute"},
		{"run", "{\"id\":\"a\",\"argv\":[\"/\"]}", "empty step"},
		{"run", "{\"id\":\"a\",\"argv\":[\"/x/\"]}", "empty step"},
		{"run", "{\"id\":\"a\",\"argv\":[\"/x/../y\"]}", "empty step"},
		{"run", "{\"id\":\"a\",\"argv\":[\"/x/..\"]}", "empty step"},
		{"run", "{\"id\":\"a\",\"argv\":[\"/./x\"]}", "empty step"},
		{"run", "{\"id\":\"a\",\"argv\":[\"/x\",\"a\\u0000b\"]}", "argv[1]"},
		{"run", "{\"id\":\"a\",\"argv\":[\"/x\",null]}", "argv[1]"},
		{"run", "{\"id\":\"a\",\"argv\":[\"/...x\"]}", "'timeout_msec'"},
		{"run", "{\"id\":\"a\",\"argv\":[\"/x\"],\"timeout_msec\":49}", "'timeout_msec'"},
		{"run", "{\"id\":\"a\",\"argv\":[\"/x\"],\"timeout_msec\":1e3}", "'timeout_msec'"},
		{"run", "{\"id\":\"a\",\"argv\":[\"/x\"],\"timeout_msec\":600001}",
			"'timeout_msec'"},
		{"run", "{\"id\":\"a\",\"argv\":[\"/x\"],\"timeout_msec\":99,\"output_max\":65537}",
			"'output_max'"},
		{"run", "{" COMMAND ",\"args\":{}}", NULL},
		{"run", "{" COMMAND ",\"args\":{\"to\":\"ops\"}}", NULL},
		{"run", "{" COMMAND "}", "'args'"},
		{"run", "{" COMMAND ",\"args\":[]}", "'args'"},
		{"run", "{" COMMAND ",\"args\":{},\"argv\":[\"/bin/x\"]}", "not both"},
		{"run", "{" RUN ",\"args\":{}}", "'args'"},
		{"run", "{\"id\":\"a\",\"command\":\"../x\",\"args\":{}}", "'command'"},
		{"run", "{\"id\":\"a\",\"command\":\"\",\"args\":{}}", "'command'"},
		{"run", "{\"id\":\"a\",\"command\":7,\"args\":{}}", "'command'"},
		{"run", "{" LOOK ",\"args\":{\"mounts\":[\"/\"]}}", NULL},
		{"run", "{" LOOK ",\"args\":{},\"stdin\":\"x\"}", "no 'stdin'"},
		{"run", "{" LOOK "}", "'args'"},
		{"run", "{" LOOK ",\"args\":[]}", "'args'"},
		{"run", "{" LOOK ",\"args\":{},\"argv\":[\"/bin/x\"]}", "not two of them"},
		{"run", "{" LOOK ",\"args\":{},\"command\":\"page\"}", "not two of them"},
		{"run", "{\"id\":\"a\",\"look\":\"../x\",\"args\":{}}", "'look'"},
		{"run", "{\"id\":\"a\",\"look\":\"-x\",\"args\":{}}", "'look'"},
		{"run", "{\"id\":\"a\",\"look\":\"\",\"args\":{}}", "'look'"},
		{"run", "{\"id\":\"a\",\"look\":7,\"args\":{}}", "'look'"},
		{"cancel", "{\"id\":\"a\"}", NULL},
		{"cancel", "{}", "'id'"},
		{"kill", "{}", "no call"},
		{"", "{}", "no call"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *args =
			json_loads(rows[i].args, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		struct tend_error err = {0};
		struct spawn_request request;
		int r;

		assert_non_null(args);
		r = spawn_request_parse(rows[i].call, args, &request, &err);
		if (r != (rows[i].says ? -EINVAL : 0) ||
			(rows[i].says && !strstr(err.text, rows[i].says)))
			fail_msg("%s %s: %d %s", rows[i].call, rows[i].args, r, err.text);
	}
}

/* ---- rules ---- */

static void test_rules(void **state)
{
	static const char text[] = "[spawn]\npaths = /usr/bin, /tmp, /bin\nmax_programs = 3\n";
	auto(spawn_rules_free) struct spawn_rules *rules = NULL;
	static const struct {
		const char *program;
		int r;
		const char *says;
	} rows[] = {
		{"/usr/bin/true", 0, ""},
		{"/bin/sh", 0, ""},	 /* a link within what is listed */
		{"/usr/bin/awk", 0, ""}, /* leads over /etc/alternatives back to it */
		{"/usr/bin/no-such-program", -ENOENT, "No such file"},
		{"/usr/sbin/chroot", -EPERM, "none of the folders"},
		{"/usr/binary", -EPERM, "none of the folders"},
		{"/usr/bin", -EPERM, "none of the folders"},
		{"/tmp", -EPERM, "none of the folders"},
	};

	assert_int_equal(spawn_rules_parse(text, strlen(text), NULL, &rules), 0);
	assert_int_equal(rules->max_programs, 3);
	assert_int_equal(rules->memory_max_bytes, 512 << 20);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tend_error err = {0};
		int r = spawn_rules_check(rules, rows[i].program, &err);

		if (r != rows[i].r || !strstr(err.text, rows[i].says))
			fail_msg("%s: %d %s", rows[i].program, r, err.text);
	}
	/* In a folder where anybody can put things. */
	struct tend_error err = {0};
	char program[] = "/tmp/tend-spawn-XXXXXX";
	auto_close int fd = mkostemp(program, O_CLOEXEC);

	assert_int_equal(fchmod(fd, 0755), 0);
	assert_int_equal(spawn_rules_check(rules, program, &err), -EPERM);
	assert_non_null(strstr(err.text, getuid() == 0 ? "by others" : "belong to root"));
	(void)unlink(program);
}

static void test_bad_rules(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"[spawn]\npath = /x\n", "'paths'"},
		{"[spawn]\npaths = x\n", "not the absolute path"},
		{"[spawn]\npaths = /\n", "not the absolute path"},
		{"[spawn]\npaths = /x/\n", "not the absolute path"},
		{"[spawn]\npaths = /x/../y\n", "not the absolute path"},
		{"[spawn]\nmax_programs = 0\n", "max_programs"},
		{"[spawn]\nmax_programs = 1001\n", "max_programs"},
		{"[spawn x]\n", "only the sections [spawn] and [command NAME]"},
		{"[command]\n", "only the sections [spawn] and [command NAME]"},
		{"[host x]\n", "only the sections [spawn] and [command NAME]"},
		{"[command x]\n", "argv"},
		{"[command X]\nargv = /bin/true\n", "not the name of a command"},
		{"[command x]\nargv = true\n", "not an absolute path"},
		{"[command x]\nargv = /bin/true\nuser = root\n", "user"},
		{"[command x]\nargv = /bin/true\n {to}\n", "no parameter for '{to}'"},
		{"[command x]\nargv = /bin/true\nparam.to = int 1..2\n", "not used"},
		{"[command x]\nargv = /bin/true\n {to}\nparam.to = word\n", "not a type"},
		{"[command x]\nargv = /bin/true\n {f}\nparam.f = path /tmp\n", "tend-exec only"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct conf_errors errors = {0};
		struct spawn_rules *rules = NULL;

		assert_true(
			spawn_rules_parse(rows[i].text, strlen(rows[i].text), &errors, &rules) < 0);
		assert_null(rules);
		if (errors.len == 0 || !strstr(errors.items[0].text, rows[i].says))
			fail_msg("%s: %s", rows[i].text, errors.len ? errors.items[0].text : "");
		conf_errors_clear(&errors);
	}
}

static void test_commands(void **state)
{
	static const char text[] = "[command page]\nargv = /usr/bin/env\n to={not}\n {to}\n {n}\n"
				   "param.to = enum ops, db\nparam.n = int 1..9\n"
				   "[command gone]\nargv = /usr/bin/no-such-program\n";
	auto(spawn_rules_free) struct spawn_rules *rules = NULL;
	static const struct {
		const char *name, *args;
		int r;
		const char *says; /* or the last argument */
	} rows[] = {
		{"page", "{\"to\":\"ops\",\"n\":\"3\"}", 0, "3"},
		{"page", "{\"to\":\"ops\",\"n\":7}", 0, "7"},
		{"page", "{\"to\":\"root\",\"n\":\"3\"}", -EPERM, "'to' is none of"},
		{"page", "{\"to\":\"ops\",\"n\":\"10\"}", -EPERM, "'n' is 10"},
		{"page", "{\"to\":\"ops\"}", -EPERM, "needs the parameter 'n'"},
		{"page", "{\"to\":\"ops\",\"n\":\"1\",\"x\":\"\"}", -EPERM, "no parameter 'x'"},
		{"other", "{}", -EPERM, "no [command other]"},
		{"gone", "{}", -ENOENT, "No such file"},
	};

	assert_int_equal(spawn_rules_parse(text, strlen(text), NULL, &rules), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *args = json_loads(rows[i].args, 0, NULL);
		auto(strv_free) char **argv = NULL;
		struct tend_error err = {0};
		int r = spawn_rules_fill(rules, rows[i].name, args, &argv, &err);

		if (r != rows[i].r || (r < 0 && !strstr(err.text, rows[i].says)))
			fail_msg("%s %s: %d %s", rows[i].name, rows[i].args, r, err.text);
		if (r < 0)
			continue;
		assert_int_equal(strv_len(argv), 4);
		assert_string_equal(argv[3], rows[i].says);
	}
}

/* ---- the whole way ---- */

static struct fixture fixture;
static struct spawn_server *server;
static struct spawn_client *client;
static struct loop_source *listener;
static int listen_fd = -EBADF;
static bool refuse;

static void on_listen(int fd, uint32_t events, void *data)
{
	static const char note[] = "{\"call\":\"refused\",\"args\":{\"message\":\"not you\"}}\n";
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (refuse) {
		char unread[4096];

		(void)!recv(peer, unread, sizeof(unread), 0);
		(void)!write(peer, note, strlen(note));
		(void)close(peer);
	} else {
		assert_int_equal(spawn_server_serve(server, peer, NULL, NULL), 0);
	}
}

static void start_server(const char *text)
{
	struct spawn_server_deps deps = {.loop = fixture.loop, .why_no_rules = ""};

	assert_int_equal(spawn_rules_parse(text, strlen(text), NULL, &deps.rules), 0);
	assert_int_equal(spawn_server_new(&deps, &server), 0);
}

#define RULES "[spawn]\npaths = /usr/bin, /bin\nmax_programs = 4\nmax_queue = 2\n"

static int setup(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	assert_int_equal(fixture_open(&fixture), 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", fixture.dir);
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listen_fd, 8), 0);
	assert_int_equal(
		loop_io_new(fixture.loop, listen_fd, EPOLLIN, on_listen, NULL, &listener), 0);
	assert_int_equal(spawn_client_new(fixture.loop, address.sun_path, &client), 0);
	host_set_spawn(fixture.host, client);
	start_server(RULES);
	return 0;
}

static int teardown(void **state)
{
	host_free(fixture.host);
	fixture.host = NULL;
	client = spawn_client_free(client);
	server = spawn_server_free(server);
	listener = loop_source_free(listener);
	listen_fd = safe_close(listen_fd);
	fixture_close(&fixture);
	return 0;
}

static struct fixture_end run_check(const char *command, usec_t timeout)
{
	auto_free char *option = str_printf("command = %s", command);
	const char *options[] = {option, NULL};

	return fixture_run(&fixture, tend_plugin_exec, options, timeout);
}

static bool idle(void)
{
	return spawn_server_n_running(server) == 0;
}

static void wait_idle(void)
{
	usec_t until = clock_now() + 4 * USEC_PER_SEC;

	while (!idle() && clock_now() < until)
		(void)loop_turn(fixture.loop, 20 * USEC_PER_MSEC);
	assert_true(idle());
}

#define LONG (10 * USEC_PER_SEC)

static void test_checks(void **state)
{
	static const struct {
		const char *command;
		usec_t timeout;
		enum tend_reason reason;
		const char *text, *metric;
		double value;
	} rows[] = {
		{"/bin/sh -c 'echo \"OK - fine | t=5ms;1;2\"'", LONG, TEND_REASON_OK, "OK - fine",
			"t", 0.005},
		{"/bin/sh -c 'echo WARN; exit 1'", LONG, TEND_REASON_PROGRAM_WARNING, "WARN", NULL,
			0},
		{"/bin/sh -c 'echo CRIT; echo more; exit 2'", LONG, TEND_REASON_PROGRAM_CRITICAL,
			"CRIT; more", NULL, 0},
		{"/bin/sh -c 'echo why >&2; exit 3'", LONG, TEND_REASON_PROGRAM_UNKNOWN, "why",
			NULL, 0},
		{"/usr/bin/true", LONG, TEND_REASON_OK, "wrote nothing", "run_time", -1},
		{"/bin/sh -c 'echo bad >&2; exit 127'", LONG, TEND_REASON_PROGRAM_FAILED,
			"status 127, which says nothing of a state: bad", NULL, 0},
		{"/bin/sh -c 'echo half; kill -KILL $$'", LONG, TEND_REASON_PROGRAM_FAILED,
			"sh was killed by SIGKILL: half", NULL, 0},
		{"/bin/sh -c 'echo begun; sleep 100'", 400000, TEND_REASON_TOO_SLOW, " s: begun",
			NULL, 0},
		{"/usr/bin/no-such", LONG, TEND_REASON_PROGRAM_FAILED,
			"no-such was not run: '/usr/bin/no-such': No such file", NULL, 0},
		{"/sbin/init", LONG, TEND_REASON_PROGRAM_FAILED, "none of the folders", NULL, 0},
		{"/bin/sh -c 'printf \"\\033[1mx\\377\\n\"'", LONG, TEND_REASON_OK, "?[1mx?", NULL,
			0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fixture_end end = run_check(rows[i].command, rows[i].timeout);
		const struct metric *m =
			rows[i].metric ? fixture_metric(&end, rows[i].metric) : NULL;

		if (end.reason != rows[i].reason || !strstr(end.text, rows[i].text))
			fail_msg("%s: %s: %s", rows[i].command, tend_reason_name(end.reason),
				end.text);
		if (rows[i].metric && (!m || (rows[i].value >= 0 && m->value != rows[i].value)))
			fail_msg("%s: no metric %s", rows[i].command, rows[i].metric);
	}
	wait_idle();
}

static void test_no_tend_spawn(void **state)
{
	auto_free char *path = str_printf("%s/other", fixture.dir);
	auto_free char *before = str_printf("%s/s", fixture.dir);
	struct fixture_end end;

	assert_int_equal(spawn_client_set_path(client, path), 0);
	end = run_check("/usr/bin/true", LONG);
	assert_int_equal(end.reason, TEND_REASON_NO_EVIDENCE);
	assert_non_null(strstr(end.text, "cannot be reached at"));
	assert_int_equal(spawn_client_set_path(client, before), 0);
	refuse = true;
	end = run_check("/usr/bin/true", LONG);
	refuse = false;
	assert_int_equal(end.reason, TEND_REASON_NO_EVIDENCE);
	assert_non_null(strstr(end.text, "refused the connection: not you"));
	end = run_check("/usr/bin/true", LONG);
	assert_int_equal(end.reason, TEND_REASON_OK);
}

static void on_kill_time(void *data)
{
	server = spawn_server_free(server);
	start_server(RULES);
}

static void test_lost_in_the_middle(void **state)
{
	struct loop_source *timer = NULL;
	struct fixture_end end;

	assert_int_equal(loop_timer_new(fixture.loop, on_kill_time, NULL, &timer), 0);
	loop_timer_set(timer, clock_now() + 300 * USEC_PER_MSEC);
	end = run_check("/usr/bin/sleep 100", LONG);
	loop_source_free(timer);
	assert_int_equal(end.reason, TEND_REASON_SPAWN_LOST);
	assert_true(end.took < 60 * USEC_PER_SEC); /* the program takes 100 s */
	end = run_check("/usr/bin/true", LONG);
	assert_int_equal(end.reason, TEND_REASON_OK);
}

struct counts {
	int ok, busy, other, n;
	bool done;
	int wanted;
};

static void on_counted(const struct spawn_reply *reply, void *data)
{
	struct counts *c = data;

	*(reply->r == 0 ? &c->ok : reply->r == -EBUSY ? &c->busy : &c->other) += 1;
	c->done = ++c->n == c->wanted;
}

static void test_many(void **state)
{
	static const char *const argv[] = {"/bin/sleep", "0.3", NULL};
	const struct spawn_order order = {.argv = argv, .timeout = LONG, .output_max_bytes = 1};
	struct counts counts = {.wanted = 9};
	struct spawn_ask *asks[9];

	for (int i = 0; i < 9; i++)
		assert_int_equal(
			spawn_client_run(client, &order, on_counted, &counts, &asks[i], NULL), 0);
	fixture_wait(&fixture, &counts.done, LONG);
	assert_int_equal(counts.ok, 6);
	assert_int_equal(counts.busy, 3);
	/* Cancelled asks leave nothing behind, running or waiting. */
	for (int i = 0; i < 6; i++)
		assert_int_equal(
			spawn_client_run(client, &order, on_counted, &counts, &asks[i], NULL), 0);
	for (int i = 0; i < 6; i++)
		spawn_ask_cancel(asks[i]);
	wait_idle();
	assert_int_equal(counts.n, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_bad_rules),
		cmocka_unit_test(test_commands),
		cmocka_unit_test_setup_teardown(test_checks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_tend_spawn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_in_the_middle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
