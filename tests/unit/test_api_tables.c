/* SPDX-License-Identifier: MIT */
/* The API's pure parts: routes, roles, addresses, errors, and the sentences of explain. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>
#include "api/private.h"

static void test_routes(void **state)
{
	static const struct {
		const char *method, *path;
		int r;
		const char *pattern, *subject, *allow;
	} rows[] = {
		{"GET", "/v1/status", 0, "/v1/status", "", NULL},
		{"HEAD", "/v1/status", 0, "/v1/status", "", NULL},
		{"GET", "/v1/status/", -ENOENT, NULL, NULL, NULL},
		{"GET", "/", -ENOENT, NULL, NULL, NULL},
		{"GET", "", -ENOENT, NULL, NULL, NULL},
		{"GET", "/v1/checks", 0, "/v1/checks", "", NULL},
		{"GET", "/v1/checks/", -ENOENT, NULL, NULL, NULL},
		{"GET", "/v1/checks/crm/web/login", 0, "/v1/checks/*", "crm/web/login", NULL},
		{"POST", "/v1/checks/crm/web/login/run", 0, "/v1/checks/*/run", "crm/web/login",
			NULL},
		{"POST", "/v1/checks//run", -EOPNOTSUPP, NULL, NULL, "GET, HEAD"},
		{"POST", "/v1/checks/crm/web/login", -EOPNOTSUPP, NULL, NULL, "GET, HEAD"},
		{"DELETE", "/v1/silences/01", 0, "/v1/silences/*", "01", NULL},
		{"PUT", "/v1/silences/01", -EOPNOTSUPP, NULL, NULL, "GET, HEAD, DELETE"},
		{"DELETE", "/v1/reload", -EOPNOTSUPP, NULL, NULL, "POST"},
		{"GET", "/v1/reload", -EOPNOTSUPP, NULL, NULL, "POST"},
		{"GET", "/v1/incidents/01", 0, "/v1/incidents/*", "01", NULL},
		{"POST", "/v1/incidents/01/acknowledge", 0, "/v1/incidents/*/acknowledge", "01",
			NULL},
		{"GET", "/v1/explain/a/b/c", 0, "/v1/explain/*", "a/b/c", NULL},
		{"get", "/v1/status", -EOPNOTSUPP, NULL, NULL, "GET, HEAD"},
		{"GET", "/V1/status", -ENOENT, NULL, NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct route *route = NULL;
		const char *allow = NULL;
		char subject[REQUEST_PATH_BYTES];
		int r = route_find(
			routes, n_routes, rows[i].method, rows[i].path, subject, &route, &allow);

		if (r != rows[i].r)
			fail_msg("%s %s: %d", rows[i].method, rows[i].path, r);
		assert_true(str_eq(allow, rows[i].allow));
		if (r < 0) {
			assert_null(route);
			continue;
		}
		assert_string_equal(route->pattern, rows[i].pattern);
		assert_string_equal(subject, rows[i].subject);
	}
}

/* Nothing that changes anything may be had by a viewer, or without a token; no row is hidden. */
static void test_route_table(void **state)
{
	for (size_t i = 0; i < n_routes; i++) {
		const struct route *found = NULL;
		const char *allow = NULL;
		char subject[REQUEST_PATH_BYTES], path[128] = "", *star;

		assert_non_null(routes[i].handle);
		/* What brings a secret of its own; and whoever may read may also say what is
		 * broken, or ask what would be told. */
		bool own = strcmp(routes[i].pattern, "/v1/heartbeats/*") == 0 ||
			   strcmp(routes[i].pattern, "/v1/checks/*/report") == 0 ||
			   strcmp(routes[i].pattern, "/v1/events") == 0;
		bool viewers = strcmp(routes[i].pattern, "/v1/feedback") == 0 ||
			       strcmp(routes[i].pattern, "/v1/routes/test") == 0;

		assert_int_equal(routes[i].open == ROUTE_OWN, own);
		if (strcmp(routes[i].method, "GET") != 0) {
			assert_true(
				own || routes[i].role >= (viewers ? ROLE_VIEWER : ROLE_OPERATOR));
			assert_true(own || !routes[i].open);
			assert_true(strcmp(routes[i].method, "POST") == 0 ||
				    strcmp(routes[i].method, "DELETE") == 0);
		}
		if (routes[i].open == ROUTE_OPEN)
			assert_true(strcmp(routes[i].pattern, "/metrics") == 0 ||
				    strcmp(routes[i].pattern, "/healthz") == 0);
		(void)snprintf(path, sizeof(path), "%s", routes[i].pattern);
		star = strchr(path, '*');
		if (star)
			*star = 'x';
		assert_int_equal(route_find(routes, n_routes, routes[i].method, path, subject,
					 &found, &allow),
			0);
		assert_ptr_equal(found, &routes[i]);
	}
}

static void test_roles(void **state)
{
	enum { ALICE = 1001, BOB = 1002, EVE = 1003, TEND = 900, OPS = 50, CRM = 51 };
	struct role_entry entries[] = {
		{true, 40, ROLE_VIEWER},
		{false, ALICE, ROLE_OPERATOR},
		{true, OPS, ROLE_OPERATOR},
		{true, CRM, ROLE_ADMIN},
		{false, TEND, ROLE_ADMIN},
	};
	const struct role_table table = {
		.entries = entries,
		.n_entries = ARRAY_SIZE(entries),
		.capped = {TEND},
		.n_capped = 1,
	};
	static const struct {
		uid_t uid;
		gid_t gid, groups[2];
		size_t n_groups;
		enum role role;
	} rows[] = {
		{0, 0, {0}, 0, ROLE_ADMIN},
		{0, 99, {99}, 1, ROLE_ADMIN},
		{EVE, 100, {0}, 0, ROLE_NONE},
		{EVE, 100, {0}, 1, ROLE_NONE}, /* group root is no role */
		{EVE, 40, {0}, 0, ROLE_VIEWER},
		{EVE, 100, {7, 40}, 2, ROLE_VIEWER},
		{ALICE, 100, {0}, 0, ROLE_OPERATOR},
		{ALICE, 100, {CRM}, 1, ROLE_ADMIN},
		{BOB, OPS, {0}, 0, ROLE_OPERATOR},
		{BOB, 100, {OPS}, 0, ROLE_NONE}, /* not among the groups given */
		{OPS, 100, {0}, 0, ROLE_NONE},	 /* a uid is no gid */
		{BOB, ALICE, {ALICE}, 1, ROLE_NONE},
		{TEND, TEND, {CRM, OPS}, 2, ROLE_VIEWER},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(
			role_of(&table, rows[i].uid, rows[i].gid, rows[i].groups, rows[i].n_groups),
			rows[i].role);
}

static void test_role_names(void **state)
{
	char root[] = "root", group_root[] = "@root", nobody[] = "no-such-user-x",
	     number[] = "4242", group_number[] = "@4243", bad[] = "-1", empty_group[] = "@";
	char *admins[] = {number, nobody, bad, empty_group, NULL};
	char *operators[] = {group_number, group_root, root, NULL};
	const struct conf_daemon conf = {.admins = admins, .operators = operators};
	struct role_table table;
	const gid_t groups[] = {4243};
	char name[ROLE_USER_BYTES];

	assert_int_equal(role_table_build(&conf, &table), 0);
	assert_int_equal(role_of(&table, 4242, 9, NULL, 0), ROLE_ADMIN);
	assert_int_equal(role_of(&table, 4243, 9, NULL, 0), ROLE_NONE);
	assert_int_equal(role_of(&table, 9, 9, groups, 1), ROLE_OPERATOR);
	assert_int_equal(role_of(&table, 9, 0, NULL, 0), ROLE_OPERATOR);
	assert_int_equal(role_of(&table, UINT32_MAX, 9, NULL, 0), ROLE_NONE);
	role_table_clear(&table);
	role_table_clear(&table);
	role_user_name(0, name);
	assert_string_equal(name, "root");
	role_user_name(4294000000u, name);
	assert_string_equal(name, "uid 4294000000");
}

static void test_listen_addresses(void **state)
{
	static const struct {
		const char *text;
		int r;
		const char *says;
	} rows[] = {
		{"127.0.0.1:9273", 0, NULL},
		{"127.8.9.10:0", 0, NULL},
		{"[::1]:9273", 0, NULL},
		{"0.0.0.0:9273", -EINVAL, "no loopback address"},
		{"192.0.2.1:80", -EINVAL, "no loopback address"},
		{"[::]:80", -EINVAL, "no loopback address"},
		{"[2001:db8::1]:80", -EINVAL, "no loopback address"},
		{"[::ffff:127.0.0.1]:80", -EINVAL, "no loopback address"},
		{"localhost:80", -EINVAL, "no IP address"},
		{"127.1:80", -EINVAL, "no IP address"},
		{"127.0.0.1", -EINVAL, "no ADDRESS:PORT"},
		{"127.0.0.1:", -EINVAL, "no ADDRESS:PORT"},
		{"127.0.0.1:65536", -EINVAL, "no ADDRESS:PORT"},
		{"127.0.0.1:-1", -EINVAL, "no ADDRESS:PORT"},
		{"127.0.0.1:80x", -EINVAL, "no ADDRESS:PORT"},
		{"::1:80", -EINVAL, "no ADDRESS:PORT"},
		{"[::1:80", -EINVAL, "no ADDRESS:PORT"},
		{"", -EINVAL, "no ADDRESS:PORT"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct listen_address address = {.len = 77};
		struct tend_error err = {0};
		int r = listen_parse(rows[i].text, &err, &address);

		if (r != rows[i].r || (rows[i].says && !strstr(err.text, rows[i].says)))
			fail_msg("'%s': %d %s", rows[i].text, r, err.text);
		if (r < 0)
			assert_int_equal(address.len, 77);
	}
}

static void test_hosts(void **state)
{
	static const struct {
		const char *listen, *host;
		bool allowed;
	} rows[] = {
		{"127.0.0.1:9273", "127.0.0.1:9273", true},
		{"127.0.0.1:9273", "localhost:9273", true},
		{"127.0.0.1:9273", "LOCALHOST:9273", true},
		{"127.0.0.1:9273", "127.0.0.1", false},
		{"127.0.0.1:80", "127.0.0.1", true},
		{"[::1]:9273", "[::1]:9273", true},
		{"[::1]:9273", "127.0.0.1:9273", false},
		{"127.0.0.1:9273", "127.0.0.1:9274", false},
		{"127.0.0.1:9273", "evil.example:9273", false},
		{"127.0.0.1:9273", "127.0.0.1.evil.example:9273", false},
		{"127.0.0.1:9273", "localhost.evil.example:9273", false},
		{"127.0.0.1:9273", "127.0.0.1:9273@evil", false},
		{"127.0.0.1:9273", "", false},
		{"127.0.0.1:9273", NULL, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(
			listen_host_allowed(rows[i].listen, rows[i].host), rows[i].allowed);
	assert_true(listen_origin_allowed("127.0.0.1:9273", "http://localhost:9273"));
	assert_false(listen_origin_allowed("127.0.0.1:9273", "https://localhost:9273"));
	assert_false(listen_origin_allowed("127.0.0.1:9273", "http://evil.example"));
	assert_false(listen_origin_allowed("127.0.0.1:9273", "null"));
}

static void test_unix_socket(void **state)
{
	char dir[] = "/tmp/tend-api-XXXXXX", path[64], long_path[200];
	struct listen_file file = {0}, other = {0};
	struct tend_error err = {0};
	struct stat st;
	int fd = -1, second = -1;

	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/tend.sock", dir);
	assert_int_equal(listen_unix(path, &err, &file, &fd), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);

	/* somebody answers: never touched */
	assert_int_equal(listen_unix(path, &err, &other, &second), -EADDRINUSE);
	assert_non_null(strstr(err.text, "another tendd is listening on"));
	assert_int_equal(second, -1);
	assert_int_equal(access(path, F_OK), 0);

	/* left by the dead: replaced */
	close(fd);
	assert_int_equal(listen_unix(path, &err, &other, &fd), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(other.ino == st.st_ino);
	/* another's file is not ours to remove */
	file.ino = other.ino + 1;
	listen_unix_remove(path, &file);
	assert_int_equal(access(path, F_OK), 0);
	listen_unix_remove(path, &other);
	assert_int_equal(access(path, F_OK), -1);
	close(fd);

	/* no socket at all */
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(listen_unix(path, &err, &other, &fd), -EEXIST);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(unlink(path), 0);

	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(listen_unix(long_path, &err, &other, &fd), -ENAMETOOLONG);
	assert_int_equal(rmdir(dir), 0);
}

static void test_errors(void **state)
{
	static const struct {
		int r;
		unsigned status;
	} rows[] = {
		{-EINVAL, 400},
		{-ENOENT, 404},
		{-EPERM, 403},
		{-EBUSY, 409},
		{-ENOBUFS, 503},
		{-ESHUTDOWN, 503},
		{-ETIMEDOUT, 504},
		{-ENOMEM, 500},
		{-EIO, 500},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(api_error_status(api_error_of(rows[i].r)), rows[i].status);
	for (int e = 0; e < API_ERROR_MAX; e++)
		assert_true(strlen(api_error_name((enum api_error)e)) > 3);
}

/* ---- explain
 * -------------------------------------------------------------------------------------- */

struct story {
	struct conf_check conf;
	struct check check;
	struct incident incident;
};

static char check_name[] = "crm/web/login", root_name[] = "crm/database/login",
	    component_name[] = "crm/database", text[] = "cannot connect", alice[] = "alice",
	    comment[] = "on it";

static void story_begin(struct story *s)
{
	*s = (struct story){
		.conf = {.name = check_name,
			.confirm_failures = 2,
			.confirm_window = 3,
			.notify = true},
		.incident = {.id = "01900000-0000-7000-8000-000000000001",
			.fingerprint = root_name,
			.component = component_name,
			.check = root_name,
			.text = text,
			.told = true,
			.severity = SEVERITY_CRITICAL,
			.opened_wall = 1700000000000000},
	};
	s->check.conf = &s->conf;
	state_init(&s->check.state, 1700000000000000);
	s->check.state.now = s->check.state.hard = TEND_STATE_CRITICAL;
	s->check.last = (struct result){.number = 9,
		.reason = TEND_REASON_CONNECT_REFUSED,
		.verdict = TEND_STATE_CRITICAL,
		.text = "connection refused"};
}

static bool says(const struct explain *x, const char *what)
{
	auto_json json_t *because = explain_because(x);
	size_t i;
	json_t *sentence;

	json_array_foreach (because, i, sentence)
		if (strstr(json_string_value(sentence), what))
			return true;
	json_array_foreach (because, i, sentence)
		print_message("  %s\n", json_string_value(sentence));
	print_message("nothing says: %s\n", what);
	return false;
}

static void test_explain_check(void **state)
{
	struct story s;
	struct explain x = {.check = &s.check, .n_receivers = 1};

	story_begin(&s);
	assert_true(says(&x, "check 'crm/web/login' is critical since 2023-11-14T22:13:20Z;"));
	assert_true(says(&x, "connect-refused: connection refused"));
	assert_true(says(&x, "there is no incident of it"));
	s.check.state.hard = TEND_STATE_OK;
	assert_true(says(&x, "not confirmed: 2 of the last 3 must fail"));
	s.check.unreachable = true;
	(void)snprintf(s.check.unreachable_why, sizeof(s.check.unreachable_why), "crm/database");
	assert_true(says(&x, "crm/database is down, on which it depends"));
	s.conf.notify = false;
	assert_true(says(&x, "it has notify = no"));
	story_begin(&s);
	s.check.last.number = 0;
	assert_true(says(&x, "has no result yet"));
	story_begin(&s);
	s.check.state.now = s.check.state.hard = TEND_STATE_OK;
	assert_true(says(&x, "nothing to tell, nothing to heal"));
}

static void test_explain_incident(void **state)
{
	static const char *const rows[][2] = {
		{"[{\"receiver\":\"ops\",\"kind\":\"incident.raised\",\"state\":\"delivered\","
		 "\"tries\":1,\"delivered_at\":1700000001000000}]",
			"receiver 'ops' has taken incident.raised at 2023-11-14T22:13:21Z, "
			"after 1 try"},
		{"[{\"receiver\":\"nms\",\"kind\":\"incident.raised\",\"state\":\"waiting\","
		 "\"tries\":0}]",
			"receiver 'nms' has not been tried yet"},
		{"[{\"receiver\":\"nms\",\"kind\":\"incident.raised\",\"state\":\"waiting\","
		 "\"tries\":3,\"last_error\":\"timeout\\u001b\",\"next_at\":1700000002000000}]",
			"has not taken incident.raised in 3 tries (timeout?); next try at "
			"2023-11-14"},
		{"[{\"receiver\":\"nms\",\"kind\":\"incident.raised\",\"state\":\"expired\","
		 "\"tries\":9,\"last_error\":\"timeout\"}]",
			"did not get incident.raised: expired after 9 tries: timeout"},
		{"[{\"receiver\":\"nms\",\"kind\":\"incident.changed\",\"state\":\"superseded\","
		 "\"tries\":9}]",
			"overtaken by newer news"},
	};
	struct story s;
	struct explain x = {.check = &s.check, .incident = &s.incident, .n_receivers = 1};

	story_begin(&s);
	assert_true(says(&x, "opened at 2023-11-14T22:13:20Z at its root 'crm/database/login'"));
	assert_true(says(&x, "'crm/web/login' hangs on it"));
	assert_true(says(&x, "no [route ...] leads from 'crm/database' at severity critical"));
	s.incident.told = false;
	assert_true(says(&x, "no raise went out"));
	x.n_receivers = 0;
	assert_true(says(&x, "there is no [receiver ...]"));
	x.deliveries_error = -EIO;
	assert_true(says(&x, "cannot be read from the store: Input/output error"));
	x.deliveries_error = 0;
	s.incident.ack_author = alice;
	s.incident.ack_comment = comment;
	assert_true(says(&x, "alice acknowledged it"));
	s.incident.unconfirmed = true;
	assert_true(says(&x, "cause is not confirmed"));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *deliveries = json_loads(rows[i][0], 0, NULL);

		assert_non_null(deliveries);
		x.deliveries = deliveries;
		assert_true(says(&x, rows[i][1]));
	}
}

static void test_explain_windows(void **state)
{
	struct story s;
	struct explain x = {.check = &s.check, .incident = &s.incident, .n_receivers = 1};

	story_begin(&s);
	s.incident.told = false;
	x.quiet = "the window 'w' is open until 03:00";
	x.paused = "the window 'p' is open until 04:00";
	assert_true(says(&x, "the check does not run: the window 'p' is open until 04:00"));
	assert_true(says(&x, "its notices are held: the window 'w' is open until 03:00"));
	x.quiet = NULL;
	s.incident.settle = 1;
	assert_true(says(&x, "what held it has ended: its checks are looked at anew"));
	s.incident.settle = 0;
	s.incident.phase = INCIDENT_CLOSED;
	assert_true(says(&x, "it came and went in a window with alerts = quiet"));
}

static void test_explain_gates(void **state)
{
	auto_json json_t *actions =
		json_loads("{\"enabled\":false,\"why\":\"paused by alice\"}", 0, NULL);
	auto_json json_t *gates = json_loads("[{\"at\":\"2023-11-14T22:13:20.500000Z\",\"policy\":"
					     "\"p\",\"why\":\"its budget is used "
					     "up\"},{\"x\":1},7]",
		0, NULL);
	struct story s;
	struct explain x = {.check = &s.check, .incident = &s.incident, .n_receivers = 1};

	story_begin(&s);
	assert_true(says(&x, "no policy has anything to say"));
	x.gates = gates;
	x.actions = actions;
	assert_true(says(&x, "actions are stopped: paused by alice"));
	assert_true(says(&x, "policy 'p': its budget is used up (at 2023-11-14T22:13:20Z)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_route_table),
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_role_names),
		cmocka_unit_test(test_listen_addresses),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_unix_socket),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_explain_check),
		cmocka_unit_test(test_explain_incident),
		cmocka_unit_test(test_explain_windows),
		cmocka_unit_test(test_explain_gates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
