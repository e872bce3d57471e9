/* SPDX-License-Identifier: MIT */
/*
 * tend-look without a box: what it reads of /proc as tables, and the whole way of a look, attempt -
 * host - client - server - warden - tend-look - plugin, in one loop.
 */
#include "plugin_fixture.h"
#include <arpa/inet.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "../../plugins/host/host.h"
#include "exec/look/answer.h"
#include "exec/look/proc.h"
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

/* A disk that fills by 1 % an hour, with noise and one jump that is undone. */
static void test_forecast(void **state)
{
	json_t *samples = json_array();
	double at = 0, left = 0;

	assert_true(forecast_slope(NULL, 0) == 0);
	for (int i = 0; i <= 360; i++, at += 60) {
		double used = 50 + at / 3600 + (i % 7) * 0.01 + (i == 200 ? 30 : 0);
		json_t *next = forecast_append(samples, at, used, 6 * 3600);

		json_decref(samples);
		samples = next;
		assert_true(json_array_size(samples) <= FORECAST_SAMPLES);
		if (i < 80)
			assert_true(forecast_reaches(samples, 100, 6 * 3600) < 0);
	}
	left = forecast_reaches(samples, 100, 6 * 3600);
	if (left < 43 * 3600 || left > 45 * 3600)
		fail_msg("full in %.1f h", left / 3600);
	json_decref(samples);
	/* One that stands still, or empties, is never full. */
	for (int slope = 0; slope >= -1; slope--) {
		samples = json_array();
		for (int i = 0; i <= 360; i++) {
			json_t *next = forecast_append(
				samples, i * 60, 50 + slope * i / 60.0 + (i % 5) * 0.05, 6 * 3600);

			json_decref(samples);
			samples = next;
		}
		assert_true(forecast_reaches(samples, 100, 6 * 3600) < 0);
		json_decref(samples);
	}
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
		cmocka_unit_test_setup_teardown(test_the_whole_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_tend_look, setup_without, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
