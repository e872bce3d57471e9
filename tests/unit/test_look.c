/* SPDX-License-Identifier: MIT */
/*
 * tend-look without a box: what it reads of /proc as tables, and the whole way of a look, attempt -
 * host - client - server - warden - tend-look - plugin, in one loop.
 */
#include "plugin_fixture.h"
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "../../plugins/host/host.h"
#include "../../plugins/machine/sift.h"
#include "exec/look/answer.h"
#include "exec/look/proc.h"
#include "exec/look/sieve.h"
#include "exec/spawn/client.h"
#include "exec/spawn/server.h"

extern const struct tend_probe *const tend_plugin_host;

/* ---- /proc ---- */

static void test_mounts(void **state)
{
	static const struct {
		const char *line;
		int r;
		const char *mount, *type, *source;
		bool read_only;
	} rows[] = {
		{"36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue", 0,
			"/mnt", "ext3", "/dev/root", false},
		{"36 35 98:0 / /mnt ro - ext4 /dev/sda rw", 0, "/mnt", "ext4", "/dev/sda", false},
		{"36 35 98:0 / /mnt rw shared:1 master:2 - ext4 /dev/sda ro,x", 0, "/mnt", "ext4",
			"/dev/sda", true},
		{"36 35 98:0 / /mnt rw - ext4 /dev/sda rw,emergency_ro", 0, "/mnt", "ext4",
			"/dev/sda", true},
		{"36 35 0:7 /x /a\\040b\\134 rw - nfs4 server:/vol\\040x rw", 0, "/a b\\", "nfs4",
			"server:/vol x", false},
		{"36 35 98:0 / /mnt", -EINVAL, NULL, NULL, NULL, false},
		{"36 35 98:0 / /mnt rw - ", -EINVAL, NULL, NULL, NULL, false},
		{"", -EINVAL, NULL, NULL, NULL, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct proc_mount m;

		assert_int_equal(proc_mount_parse(rows[i].line, &m), rows[i].r);
		if (rows[i].r < 0)
			continue;
		assert_string_equal(m.mount, rows[i].mount);
		assert_string_equal(m.type, rows[i].type);
		assert_string_equal(m.source, rows[i].source);
		assert_int_equal(m.read_only, rows[i].read_only);
	}
}

static void test_stat(void **state)
{
	struct proc_stat s;

	assert_int_equal(
		proc_stat_parse("42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 100 23 7 8 20 0 5 0 "
				"987 1000 77 18446744073709551615\n",
			&s),
		0);
	assert_string_equal(s.name, "a) b (c");
	assert_int_equal(s.state, 'S');
	assert_int_equal(s.parent, 1);
	assert_int_equal(s.ticks, 123);
	assert_int_equal(s.threads, 5);
	assert_int_equal(s.start_ticks, 987);
	assert_int_equal(s.rss_pages, 77);
	assert_int_equal(proc_stat_parse("42 (a S 1", &s), -EINVAL);
	assert_int_equal(proc_stat_parse("42 )a( S 1", &s), -EINVAL);
	assert_int_equal(proc_stat_parse("42 (a) S 1 2 3", &s), -EINVAL);
}

static void test_sockets(void **state)
{
	char text[INET6_ADDRSTRLEN];
	struct proc_socket s;

	assert_int_equal(proc_socket_parse("   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 "
					   "00:00000000 00000000   105        0 1234 1 x",
				 false, &s),
		0);
	assert_string_equal(inet_ntop(AF_INET, &s.local.v4, text, sizeof(text)), "127.0.0.1");
	assert_int_equal(s.port, 5432);
	assert_int_equal(s.state, 10);
	assert_int_equal(s.uid, 105);
	assert_int_equal(s.inode, 1234);
	assert_int_equal(
		proc_socket_parse("   1: 00000000000000000000000001000000:0016 "
				  "00000000000000000000000000000000:0000 0A "
				  "00000000:00000000 00:00000000 00000000     0        0 9",
			true, &s),
		0);
	assert_string_equal(inet_ntop(AF_INET6, &s.local.v6, text, sizeof(text)), "::1");
	assert_int_equal(s.port, 22);
	assert_int_equal(proc_socket_parse("  sl  local_address rem_address", false, &s), -EINVAL);
	assert_int_equal(proc_socket_parse("   0: 0100:1538 0", false, &s), -EINVAL);
}

static void test_counters(void **state)
{
	struct proc_cpu cpu;
	struct proc_pressure pressure;
	struct proc_disk disk;
	struct proc_net net;

	assert_int_equal(proc_cpu_parse("cpu  10 1 5 100 7 1 2 3 0 0\ncpu0 1 1 1 1\n", &cpu), 0);
	assert_int_equal(cpu.total, 129);
	assert_int_equal(cpu.idle, 100);
	assert_int_equal(cpu.iowait, 7);
	assert_int_equal(cpu.steal, 3);
	assert_int_equal(proc_cpu_parse("cpu0 1 2 3 4\n", &cpu), -EINVAL);
	assert_int_equal(proc_cpu_parse("", &cpu), -EINVAL);
	assert_int_equal(proc_pressure_parse("some avg10=1.50 avg60=2.25 avg300=0.00 total=12345\n"
					     "full avg10=0.00 avg60=0.50 avg300=0.00 total=99\n",
				 &pressure),
		0);
	assert_true(pressure.some_known && pressure.full_known);
	assert_true(pressure.some_avg60 == 2.25 && pressure.full_avg60 == 0.5);
	assert_int_equal(pressure.some_total_usec, 12345);
	assert_int_equal(proc_pressure_parse("none", &pressure), -EINVAL);
	assert_int_equal(
		proc_disk_parse(" 254 0 vda 10 0 200 5 20 0 400 9 0 77 88 0 0 0 0 0 0", &disk), 0);
	assert_string_equal(disk.name, "vda");
	assert_int_equal(disk.busy_msec, 77);
	assert_int_equal(disk.read_sectors, 200);
	assert_int_equal(proc_disk_parse("254 0 vda 10", &disk), -EINVAL);
	assert_int_equal(proc_net_parse("  eth0: 100 1 2 3 0 0 0 0 200 1 4 5 0 0 0 0", &net), 0);
	assert_string_equal(net.name, "eth0");
	assert_int_equal(net.rx_bytes, 100);
	assert_int_equal(net.rx_drops, 3);
	assert_int_equal(net.tx_errors, 4);
	assert_int_equal(proc_net_parse(" face |bytes packets", &net), -EINVAL);
	assert_int_equal(proc_kib("A: 1 kB\nMemTotal:  12 kB\n", "MemTotal:"), 12288);
	assert_int_equal(proc_kib("A: 1 kB\n", "MemTotal:"), 0);
}

static void test_answers(void **state)
{
	static const struct {
		const char *text;
		int status, r;
		const char *says;
	} rows[] = {
		{"{\"a\":1}", 0, 0, ""},
		{"{\"error\":{\"code\":\"not-found\",\"message\":\"no /x\"}}", 1, -ENOENT, "no /x"},
		{"{\"error\":{\"code\":\"access-denied\",\"message\":\"x\"}}", 1, -EACCES, "x"},
		{"{\"error\":{\"code\":7}}", 1, -EIO, "does not say why"},
		{"", 127, -EPROTO, "status 127: gone"},
		{"", 0, -EPROTO, "no JSON object"},
		{"[1]", 0, -EPROTO, "no JSON object"},
		{"{\"a\":1", 0, -EPROTO, "no JSON object"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *doc = NULL;
		struct tend_error err = {0};

		assert_int_equal(look_answer_read(rows[i].text, strlen(rows[i].text),
					 rows[i].status, "gone\nmore", &doc, &err),
			rows[i].r);
		assert_non_null(strstr(err.text, rows[i].says));
		assert_int_equal(doc != NULL, rows[i].r == 0);
	}
}

/* ---- judging a machine ---- */

static struct host_conf host_defaults(void)
{
	static char root[] = "/";
	static char *writable[] = {root, NULL};

	return (struct host_conf){.writable = writable,
		.full_within = 3 * 86400 * USEC_PER_SEC,
		.full_over = 6 * 3600 * USEC_PER_SEC};
}

static struct verdict judge_host(
	const struct host_conf *conf, const char *doc, const json_t *memory)
{
	auto_json json_t *json = json_loads(doc, 0, NULL);
	struct verdict v = {0};

	assert_non_null(json);
	host_judge(conf, json, memory, &v);
	return v;
}

static double value_of(const struct verdict *v, const char *name, const char *instance)
{
	const struct verdict_metric *m = verdict_find(v, name, instance);

	if (!m)
		fail_msg("no metric %s{%s}", name, instance);
	return m ? m->value : 0;
}

static void test_host_rates(void **state)
{
	struct host_conf conf = host_defaults();
	struct verdict first = judge_host(&conf,
		"{\"boot_id\":\"a\",\"at_usec\":1000000,\"cpu\":{\"total\":1000,\"idle\":900,"
		"\"iowait\":0,\"user\":60,\"system\":40,\"steal\":0},\"net\":{\"eth0\":{\"rx\":100,"
		"\"tx\":0,\"errors\":0,\"drops\":0}},\"disks\":{\"sda\":{\"busy_msec\":0}},"
		"\"pressure\":{\"io\":{\"some\":3,\"some_total\":0}}}",
		NULL);
	struct verdict second = judge_host(&conf,
		"{\"boot_id\":\"a\",\"at_usec\":11000000,\"cpu\":{\"total\":2000,\"idle\":1650,"
		"\"iowait\":50,\"user\":260,\"system\":40,\"steal\":0},\"net\":{\"eth0\":{"
		"\"rx\":1100,\"tx\":0,\"errors\":0,\"drops\":0},\"eth1\":{\"rx\":5}},"
		"\"disks\":{\"sda\":{\"busy_msec\":2500}},\"pressure\":{\"io\":{\"some\":3,"
		"\"some_total\":1000000}},\"memory\":{\"total\":1000,\"available\":250,"
		"\"swap_total\":100,\"swap_free\":90}}",
		first.memory);
	struct verdict rebooted = judge_host(&conf,
		"{\"boot_id\":\"b\",\"at_usec\":12000000,\"cpu\":{\"total\":5000,\"idle\":1650,"
		"\"iowait\":50}}",
		second.memory);

	assert_null(verdict_find(&first, "cpu_pct", ""));
	assert_true(value_of(&first, "pressure_io_pct", "") == 3);
	assert_true(value_of(&second, "cpu_pct", "") == 20);
	assert_true(value_of(&second, "cpu_user_pct", "") == 20);
	assert_true(value_of(&second, "iowait_pct", "") == 5);
	assert_true(value_of(&second, "net_rx", "eth0") == 100);
	assert_null(verdict_find(&second, "net_rx", "eth1"));
	assert_true(value_of(&second, "disk_busy_pct", "sda") == 25);
	assert_true(value_of(&second, "pressure_io_pct", "") == 10);
	assert_true(value_of(&second, "memory_used_pct", "") == 75);
	assert_true(value_of(&second, "swap_used_pct", "") == 10);
	assert_null(verdict_find(&rebooted, "cpu_pct", ""));
	verdict_clear(&first);
	verdict_clear(&second);
	verdict_clear(&rebooted);
}

static void test_host_faults(void **state)
{
	static const struct {
		const char *mount;
		enum tend_reason reason;
		const char *says;
	} rows[] = {
		{"{\"mount\":\"/\",\"size\":100,\"used\":50,\"available\":45,\"inodes\":10,"
		 "\"inodes_free\":5}",
			TEND_REASON_OK, "/ 53 % full"},
		{"{\"mount\":\"/srv\",\"missing\":true}", TEND_REASON_OBJECT_MISSING,
			"/srv is not mounted"},
		{"{\"mount\":\"/nfs\",\"hung\":{\"pid\":7,\"start\":9}}", TEND_REASON_TOO_SLOW,
			"/nfs does not answer"},
		{"{\"mount\":\"/\",\"read_only\":true,\"used\":1,\"available\":1}",
			TEND_REASON_READ_ONLY, "/ has become read-only"},
		{"{\"mount\":\"/cd\",\"read_only\":true,\"used\":1,\"available\":1}",
			TEND_REASON_OK, ""},
		{"{\"mount\":\"/x\",\"error\":\"Permission denied\"}", TEND_REASON_NO_EVIDENCE,
			"/x: Permission denied"},
		{"{\"mount\":7,\"hung\":1}", TEND_REASON_OK, ""},
		{"7", TEND_REASON_OK, ""},
	};
	struct host_conf conf = host_defaults();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *doc = str_printf("{\"mounts\":[%s]}", rows[i].mount);
		struct verdict v = judge_host(&conf, doc, NULL);

		if (v.reason != rows[i].reason || !strstr(v.text, rows[i].says))
			fail_msg("%s: %s %s", doc, tend_reason_name(v.reason), v.text);
		if (v.reason == TEND_REASON_TOO_SLOW)
			assert_non_null(
				json_object_get(json_object_get(v.memory, "stuck"), "/nfs"));
		verdict_clear(&v);
	}
}

/* How full a file system is at an hour of its life, in % */
static double logs_cleaned_daily(double hour)
{
	return 60 + fmod(hour, 24);
}

static double much_cleaned_daily(double hour)
{
	return 60 + fmod(hour, 24) * 1.5;
}

static double cleaned_every_week(double hour)
{
	return 60 + fmod(hour, 168) / 8;
}

/* From midnight on for two hours, gone at six. */
static double nightly_dump(double hour)
{
	double since = fmod(hour, 24);

	return 70 + (since < 6 ? fmin(since, 2) * 7.5 : 0);
}

static double nightly_dump_on_logs(double hour)
{
	return nightly_dump(hour) - 10 + fmod(hour, 24) / 2;
}

static double one_copy(double hour)
{
	return 55 + fmin(fmax(hour - 30, 0) * 30, 30);
}

static double one_jump_undone(double hour)
{
	return 60 + (hour >= 30 && hour < 30.2 ? 35 : 0);
}

static double still(double hour)
{
	return 90 + fmod(hour * 7, 3) / 10;
}

static double emptying(double hour)
{
	return 95 - hour / 10;
}

static double steady(double hour)
{
	return 60 + fmax(hour - 48, 0);
}

static double steady_over_midnight(double hour)
{
	return 70 + fmax(hour - 20, 0);
}

static double steady_from_the_start(double hour)
{
	return 60 + hour + fmod(hour * 60, 7) * 0.01;
}

static double slow(double hour)
{
	return 60 + hour / 5;
}

static double slow_with_logs_cleaned_daily(double hour)
{
	return 60 + hour / 12 + fmod(hour, 24) / 3;
}

/* Twice as fast every three hours. */
static double accelerating(double hour)
{
	return 60 + 0.02 * exp2(hour / 3);
}

/* Three weeks of samples of five minutes: ordinary days are quiet, and what fills is told some
 * hours before it is full, but not days before there is anything to be seen. */
static void test_forecast(void **state)
{
	static const struct {
		const char *what;
		double (*used)(double hour);
		double quiet_hours; /* nothing is told before: it may be learning */
		double least, most; /* hours between the first word and the end; 0: no word */
	} rows[] = {
		{"logs cleaned daily", logs_cleaned_daily, 480, 0, 0},
		{"a nightly dump", nightly_dump, 480, 0, 0},
		{"a nightly dump on logs", nightly_dump_on_logs, 480, 0, 0},
		{"cleaned every week", cleaned_every_week, 480, 0, 0},
		{"one big copy", one_copy, 480, 0, 0},
		{"a jump that is undone", one_jump_undone, 480, 0, 0},
		{"still", still, 480, 0, 0},
		{"emptying", emptying, 480, 0, 0},
		{"1 %/h after quiet days", steady, 48, 5, 7},
		{"1 %/h over midnight", steady_over_midnight, 24, 5, 7},
		{"1 %/h from the start", steady_from_the_start, 24, 5, 7},
		{"0.2 %/h", slow, 72, 48, 73},
		{"2 % a day, and logs", slow_with_logs_cleaned_daily, 72, 48, 96},
		{"accelerating", accelerating, 12, 1.5, 6},
	};
	const double over = 6 * 3600, within = 3 * 86400;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *seen = json_object();
		double told = -1, hour = 0, used = 0;

		for (int k = 0; k < 480 * 12 && used < 100; k++) {
			hour = k / 12.0;
			used = rows[i].used(hour);
			json_t *next = forecast_append(seen, hour * 3600, used, over);
			double left = forecast_reaches(next, 100, over);

			json_decref(seen);
			seen = next;
			if (told < 0 && used < 100 && left >= 0 && left < within)
				told = hour;
			/* But the daily cleaning hides it for some hours. */
			if (told >= 0 && left < 0 && rows[i].used != slow_with_logs_cleaned_daily)
				fail_msg("%s: silent again in hour %.1f", rows[i].what, hour);
		}
		json_decref(seen);
		if (rows[i].most > 0
				? told < 0 || hour - told < rows[i].least ||
					  hour - told > rows[i].most || told < rows[i].quiet_hours
				: told >= 0)
			fail_msg("%s: told in hour %.1f, the end in hour %.1f", rows[i].what, told,
				hour);
	}
}

/* What is kept stays small, and a day that was that full before is an ordinary one. */
static void test_forecast_learns(void **state)
{
	json_t *seen = json_object();

	assert_true(forecast_slope(NULL, 0) == 0);
	for (int k = 0; k < 336 * 12; k++) {
		json_t *next =
			forecast_append(seen, k * 300.0, much_cleaned_daily(k / 12.0), 6 * 3600);

		json_decref(seen);
		seen = next;
		assert_true(json_array_size(json_object_get(seen, "samples")) <= FORECAST_SAMPLES);
		assert_true(json_array_size(json_object_get(seen, "days")) <= FORECAST_DAYS);
		if (k > 48 * 12 && forecast_reaches(seen, 100, 6 * 3600) >= 0)
			fail_msg("told in hour %.1f", k / 12.0);
	}
	json_decref(seen);
}

/* ---- expressions ---- */

/* An expression that takes too long has not been looked for, which is not that it is not there. */
static void test_sieve_gives_up(void **state)
{
	static const char line[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ERROR";
	static char rule[] = "bad=(a+)+X|ERROR", *rules[] = {rule, NULL};
	static const struct sift_conf conf = {.patterns = rules, .window = 60 * USEC_PER_SEC};
	auto_json json_t *patterns = json_pack("{s:s}", "bad", "(a+)+X|ERROR");
	auto(sieve_free) struct sieve *sieve = NULL;
	auto_json json_t *doc = NULL;
	struct verdict v = {0};

	assert_int_equal(sieve_new(patterns, NULL, NULL, &sieve, NULL), 0);
	sieve_line(sieve, "", line, strlen(line));
	sieve_line(sieve, "", "well", 4);
	doc = sieve_result(sieve);
	(void)json_object_set_new(doc, "now", json_real(1000));
	sift_judge(&conf, doc, NULL, false, &v);
	assert_int_equal(v.reason, TEND_REASON_NO_EVIDENCE);
	if (!strstr(v.text, "bad: 1 lines took too long to be matched"))
		fail_msg("%s", v.text);
	verdict_clear(&v);
}

/* ---- the whole way ---- */

static struct fixture fixture;
static struct spawn_server *server;
static struct spawn_client *client;
static struct loop_source *listener;
static int listen_fd = -EBADF;

static void on_listen(int fd, uint32_t events, void *data)
{
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	assert_int_equal(spawn_server_serve(server, peer, NULL, NULL), 0);
}

static int start(const char *program)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct spawn_server_deps deps = {.why_no_rules = "", .look = program};

	assert_int_equal(fixture_open(&fixture), 0);
	deps.loop = fixture.loop;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", fixture.dir);
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listen_fd, 8), 0);
	assert_int_equal(
		loop_io_new(fixture.loop, listen_fd, EPOLLIN, on_listen, NULL, &listener), 0);
	assert_int_equal(spawn_client_new(fixture.loop, address.sun_path, &client), 0);
	host_set_spawn(fixture.host, client);
	assert_int_equal(spawn_rules_parse("[spawn]\n", 8, NULL, &deps.rules), 0);
	assert_int_equal(spawn_server_new(&deps, &server), 0);
	return 0;
}

static int setup(void **state)
{
	return start(LOOK_PROGRAM);
}

static int setup_without(void **state)
{
	return start("/nowhere/tend-look");
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

#define LONG (20 * USEC_PER_SEC)

static void test_the_whole_way(void **state)
{
	const char *options[] = {"mounts = /, /proc", NULL};
	struct fixture_end end = fixture_run(&fixture, tend_plugin_host, options, LONG);
	const struct metric *m = fixture_metric(&end, "memory_used_pct");

	if (end.reason != TEND_REASON_OK)
		fail_msg("%s: %s", tend_reason_name(end.reason), end.text);
	assert_true(m && m->value > 0 && m->value < 100);
	m = fixture_metric(&end, "fs_used_pct");
	assert_true(m && m->value > 0 && m->value <= 100 && strcmp(m->instance, "/") == 0);
	const char *missing[] = {"mounts = /no/such", NULL};
	end = fixture_run(&fixture, tend_plugin_host, missing, LONG);
	assert_int_equal(end.reason, TEND_REASON_OBJECT_MISSING);
	assert_non_null(strstr(end.text, "/no/such is not mounted"));
}

static void test_no_tend_look(void **state)
{
	struct fixture_end end = fixture_run(&fixture, tend_plugin_host, NULL, LONG);

	assert_int_equal(end.reason, TEND_REASON_PROGRAM_FAILED);
	assert_non_null(strstr(end.text, "No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_stat),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_host_rates),
		cmocka_unit_test(test_host_faults),
		cmocka_unit_test(test_forecast),
		cmocka_unit_test(test_forecast_learns),
		cmocka_unit_test(test_sieve_gives_up),
		cmocka_unit_test_setup_teardown(test_the_whole_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_tend_look, setup_without, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
