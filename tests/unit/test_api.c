/* SPDX-License-Identifier: MIT */
/* A running tendd, asked over both of its sockets, and by tendctl. */
#include "api_fixture.h"
#include <grp.h>
#include <poll.h>
#include <sqlite3.h>

enum { OTHER_UID = 65534 };

static void test_status(void **state)
{
	auto_reply struct reply reply = fixture_call(*state, "GET", "/v1/status", NULL);

	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.type, "application/json");
	assert_string_equal(fixture_text(reply.json, "version"), TEND_VERSION);
	assert_int_equal(json_integer_value(json_object_get(reply.json, "checks")), 3);
	assert_int_equal(json_array_size(json_object_get(reply.json, "systems")), 1);
	assert_int_equal(json_array_size(json_object_get(reply.json, "receivers")), 1);
	assert_true(json_is_true(json_object_get(json_object_get(reply.json, "store"), "healthy")));
	assert_true(json_is_object(json_object_get(reply.json, "actions")));
	assert_true(json_is_true(json_object_get(json_object_get(reply.json, "reload"), "ok")));
}

/* Every GET without a name answers with JSON of the kind that is promised. */
static void test_lists(void **state)
{
	static const struct {
		const char *path;
		bool object;
		size_t n; /* of an array; SIZE_MAX: any */
	} rows[] = {
		{"/v1/systems", false, 1},
		{"/v1/components", false, 2},
		{"/v1/components?system=crm", false, 2},
		{"/v1/components?system=other", false, 0},
		{"/v1/components/crm/web", true, 0},
		{"/v1/checks", false, 3},
		{"/v1/checks?component=crm/web", false, 2},
		{"/v1/checks?component=crm%2Fweb", false, 2},
		{"/v1/checks/crm/web/healthz", true, 0},
		{"/v1/incidents", false, SIZE_MAX},
		{"/v1/incidents?state=recent", false, SIZE_MAX},
		{"/v1/policies", false, SIZE_MAX},
		{"/v1/runs", false, 0},
		{"/v1/actions", true, 0},
		{"/v1/receivers", false, 1},
		{"/v1/deliveries", false, SIZE_MAX},
		{"/v1/deliveries?receiver=ops&limit=1", false, SIZE_MAX},
		{"/v1/config", true, 0},
		{"/v1/explain/crm/web/healthz", true, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_reply struct reply reply = fixture_call(*state, "GET", rows[i].path, NULL);
		auto_reply struct reply head = fixture_call(*state, "HEAD", rows[i].path, NULL);

		if (reply.status != 200 || head.status != 200)
			fail_msg("%s: %ld %s", rows[i].path, reply.status, reply.text);
		assert_string_equal(head.text, "");
		if (rows[i].object)
			assert_true(json_is_object(reply.json));
		else if (rows[i].n != SIZE_MAX)
			assert_int_equal(json_array_size(reply.json), rows[i].n);
		else
			assert_true(json_is_array(reply.json));
	}
}

static void test_refusals(void **state)
{
	static const struct {
		const char *method, *path, *body;
		long status;
		const char *code, *says;
	} rows[] = {
		{"GET", "/", NULL, 404, "not-found", "there is no /"},
		{"GET", "/v1/nothing", NULL, 404, "not-found", "there is no /v1/nothing"},
		{"GET", "/v1/checks/crm/web/healtz", NULL, 404, "not-found",
			"did you mean 'crm/web/healthz'?"},
		{"GET", "/v1/checks/a%00b", NULL, 404, "not-found", "there is no check"},
		{"GET", "/v1/checks/%1b%5b2J", NULL, 404, "not-found", "'?[2J'"},
		{"GET", "/v1/components/crm/x", NULL, 404, "not-found", "no component 'crm/x'"},
		{"GET", "/v1/incidents/ffffffff", NULL, 404, "not-found", "no incident"},
		{"GET", "/v1/incidents?state=odd", NULL, 400, "invalid", "open or recent"},
		{"GET", "/v1/runs?limit=0", NULL, 400, "invalid", "from 1 to 10000"},
		{"GET", "/v1/runs?limit=1x", NULL, 400, "invalid", "from 1 to 10000"},
		{"GET", "/v1/deliveries?receiver=x", NULL, 404, "not-found", "no receiver 'x'"},
		{"GET", "/v1/config?format=xml", NULL, 400, "invalid", "json or ini"},
		{"GET", "/v1/explain/nothing", NULL, 404, "not-found", "neither a check"},
		{"GET", "/v1/reload", NULL, 405, "method-not-allowed", "POST only"},
		{"DELETE", "/v1/status", NULL, 405, "method-not-allowed", "GET, HEAD only"},
		{"POST", "/v1/checks/crm/web/x/run", "{}", 404, "not-found", "no check"},
		{"POST", "/v1/policies/none/run", "{}", 404, "not-found", "none"},
		{"POST", "/v1/policies/none/run", "{\"target\":7}", 400, "invalid", "'target'"},
		{"POST", "/v1/policies/none/run", "{\"params\":[]}", 400, "invalid", "'params'"},
		{"POST", "/v1/actions/pause", "{}", 400, "invalid", "a comment is needed"},
		{"POST", "/v1/actions/pause", "{\"comment\":\" \"}", 400, "invalid", "comment"},
		{"POST", "/v1/actions/pause", "{\"comment\":7}", 400, "invalid", "comment"},
		{"POST", "/v1/actions/pause", "[]", 400, "invalid", "must be a JSON object"},
		{"POST", "/v1/actions/pause", "{", 400, "invalid", "the body is no JSON"},
		{"POST", "/v1/actions/pause", "{\"comment\":\"a\",\"comment\":\"b\"}", 400,
			"invalid", "the body is no JSON"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_reply struct reply reply =
			fixture_call(*state, rows[i].method, rows[i].path, rows[i].body);
		const json_t *error = json_object_get(reply.json, "error");

		if (reply.status != rows[i].status ||
			!strstr(fixture_text(error, "message"), rows[i].says))
			fail_msg("%s %s: %ld %s", rows[i].method, rows[i].path, reply.status,
				reply.text);
		assert_string_equal(fixture_text(error, "code"), rows[i].code);
		assert_int_equal(reply.status == 405, reply.allow != NULL);
	}
}

static void test_body_limit(void **state)
{
	struct fixture *f = *state;
	static const char *const chunked[] = {"Transfer-Encoding: chunked", NULL};
	size_t len = (1 << 20) + 100;
	char *body = malloc(len + 1);
	struct reply announced = {0}, streamed = {0}, alive;

	memset(body, ' ', len);
	body[len] = '\0';
	/* Either the refusal arrives, or the connection is cut while we still send. */
	if (fixture_try(f, false, "POST", "/v1/reload", body, NULL, &announced) == 0)
		assert_int_equal(announced.status, 413);
	if (fixture_try(f, false, "POST", "/v1/reload", body, chunked, &streamed) == 0)
		assert_int_equal(streamed.status, 413);
	alive = fixture_call(f, "GET", "/healthz", NULL);
	assert_int_equal(alive.status, 200);
	reply_clear(&announced);
	reply_clear(&streamed);
	reply_clear(&alive);
	free(body);
}

static void test_check_run(void **state)
{
	auto_reply struct reply good =
		fixture_call(*state, "POST", "/v1/checks/crm/web/healthz/run", NULL);
	auto_reply struct reply bad =
		fixture_call(*state, "POST", "/v1/checks/crm/database/down/run", "{}");

	assert_int_equal(good.status, 200);
	assert_string_equal(fixture_text(good.json, "now"), "ok");
	assert_int_equal(bad.status, 200);
	assert_string_equal(fixture_text(bad.json, "now"), "critical");
	assert_string_equal(fixture_text(bad.json, "reason"), "connect-refused");
}

static bool one_incident(const struct reply *reply)
{
	return json_array_size(reply->json) == 1;
}

static bool is_tried(const struct reply *reply)
{
	const json_t *row = json_array_get(reply->json, 0);

	return json_integer_value(json_object_get(row, "tries")) > 0;
}

static void test_incident(void **state)
{
	struct fixture *f = *state;
	auto_reply struct reply list = fixture_wait(f, "/v1/incidents?state=open", one_incident);
	const char *id = fixture_text(json_array_get(list.json, 0), "id");
	auto_reply struct reply tried = fixture_wait(f, "/v1/deliveries?receiver=ops", is_tried);
	auto_reply struct reply acknowledged = {0}, shown = {0}, explained = {0};
	auto_free char *acknowledge = str_printf("/v1/incidents/%s/acknowledge", id);
	auto_free char *show = str_printf("/v1/incidents/%.18s", id);
	auto_free char *because = NULL;

	assert_string_equal(fixture_text(json_array_get(tried.json, 0), "kind"), "incident.raised");
	assert_string_equal(
		fixture_text(json_array_get(list.json, 0), "check"), "crm/database/down");
	assert_string_equal(fixture_text(json_array_get(list.json, 0), "class"), "software");
	assert_string_equal(fixture_text(json_array_get(list.json, 0), "category"), "network");
	acknowledged = fixture_call(
		f, "POST", acknowledge, "{\"comment\":\"on it\\u001b\",\"author\":\"mallory\"}");
	assert_int_equal(acknowledged.status, 200);
	shown = fixture_call(f, "GET", show, NULL);
	assert_string_equal(fixture_text(shown.json, "id"), id);
	/* the author is who asks, whatever the body says */
	const json_t *ack = json_object_get(shown.json, "acknowledged");

	if (geteuid() == 0)
		assert_string_equal(fixture_text(ack, "author"), "root");
	assert_string_equal(fixture_text(ack, "comment"), "on it?");
	assert_true(json_array_size(json_object_get(shown.json, "timeline")) >= 2);

	explained = fixture_call(f, "GET", "/v1/explain/crm/database/down", NULL);
	because = json_dumps(json_object_get(explained.json, "because"), 0);
	assert_non_null(strstr(because, "connect-refused"));
	assert_non_null(strstr(because, "on it?"));
	assert_non_null(strstr(because, "receiver 'ops' has not taken incident.raised"));
	assert_true(json_array_size(json_object_get(explained.json, "deliveries")) >= 1);
}

/* Those of a histogram have names of their own. */
static bool is_of_family(const char *name, const char *family)
{
	size_t n = strlen(family);
	const char *rest = name + n;

	return n > 0 && strncmp(name, family, n) == 0 &&
	       (str_eq(rest, "") || str_eq(rest, "_bucket") || str_eq(rest, "_sum") ||
		       str_eq(rest, "_count"));
}

/* The text format 0.0.4: each sample's family was announced just before, once. */
static void check_metrics(char *text, const char *const *wanted)
{
	char family[128] = "", *line, *save = NULL;
	size_t n;

	for (n = 0; wanted[n]; n++)
		if (!strstr(text, wanted[n]))
			fail_msg("no '%s' in:\n%s", wanted[n], text);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char name[128];

		if (sscanf(line, "# TYPE %127s", name) == 1)
			memcpy(family, name, sizeof(name));
		if (line[0] == '#')
			continue;
		assert_int_equal(sscanf(line, "%127[a-z_]", name), 1);
		if (!is_of_family(name, family))
			fail_msg("%s is of the family %s", name, family);
		assert_true(str_startswith(name, "tend_"));
		assert_non_null(strrchr(line, ' '));
	}
}

static void test_metrics(void **state)
{
	static const char build_info[] = "tend_build_info{version=\"" TEND_VERSION "\"} 1\n";
	static const char check_state[] = "tend_check_state{system=\"crm\",component=\"crm/web\","
					  "check=\"crm/web/healthz\"} 0\n";
	static const char *const wanted[] = {
		build_info,
		"tend_healthy 1\n",
		"tend_checks{state=\"pending\"}",
		check_state,
		"tend_check_duration_seconds{system=\"crm\",",
		"tend_check_metric{system=\"crm\",",
		"tend_loop_lag_seconds ",
		"# TYPE tend_check_start_delay_seconds histogram\n",
		"tend_check_start_delay_seconds_bucket{le=\"0.001\"} ",
		"tend_check_start_delay_seconds_bucket{le=\"1\"} ",
		"tend_check_start_delay_seconds_bucket{le=\"+Inf\"} ",
		"tend_check_start_delay_seconds_sum ",
		"tend_check_start_delay_seconds_count ",
		"tend_outbox_depth ",
		"tend_notices_delivered_total{receiver=\"ops\"} 0\n",
		"tend_notices_failed_total{receiver=\"ops\",reason=\"refused\"} 0\n",
		"tend_notices_failed_total{receiver=\"ops\",reason=\"shed\"} 0\n",
		"tend_notice_oldest_seconds{receiver=\"ops\"} ",
		"tend_receiver_disabled{receiver=\"ops\"} 0\n",
		"tend_store_healthy 1\n",
		"tend_config_last_reload_successful 1\n",
		"tend_actions_enabled ",
		"tend_incidents_open 1\n",
		NULL,
	};
	struct fixture *f = *state;
	auto_reply struct reply local = fixture_call(f, "GET", "/metrics", NULL);
	auto_reply struct reply tcp = fixture_call_tcp(f, "GET", "/metrics", NULL, NULL);

	assert_int_equal(local.status, 200);
	assert_string_equal(local.type, "text/plain; version=0.0.4; charset=utf-8");
	check_metrics(local.text, wanted);
	assert_int_equal(tcp.status, 200);
	check_metrics(tcp.text, wanted);
}

static void test_tcp(void **state)
{
	static const char *const evil_host[] = {"Host: evil.example", NULL};
	static const char *const evil_origin[] = {
		"Origin: http://evil.example", "Authorization: Bearer " FIXTURE_TOKEN, NULL};
	static const char *const token[] = {"Authorization: Bearer " FIXTURE_TOKEN, NULL};
	static const char *const wrong[] = {"Authorization: Bearer a-token-for-testz", NULL};
	static const char *const shorter[] = {"Authorization: Bearer a-token", NULL};
	static const char *const empty[] = {"Authorization: Bearer ", NULL};
	static const char *const basic[] = {"Authorization: Basic YTpi", NULL};
	static const struct {
		const char *method, *path, *body;
		const char *const *headers;
		long status;
	} rows[] = {
		{"GET", "/healthz", NULL, NULL, 200},
		{"GET", "/healthz", NULL, evil_host, 403},
		{"GET", "/metrics", NULL, evil_host, 403},
		{"GET", "/v1/status", NULL, NULL, 401},
		{"GET", "/v1/nothing", NULL, NULL, 401},
		{"GET", "/v1/status", NULL, wrong, 401},
		{"GET", "/v1/status", NULL, shorter, 401},
		{"GET", "/v1/status", NULL, empty, 401},
		{"GET", "/v1/status", NULL, basic, 401},
		{"GET", "/v1/status", NULL, token, 200},
		{"GET", "/v1/status", NULL, evil_origin, 403},
		{"POST", "/v1/checks/crm/web/healthz/run", "{}", NULL, 401},
		{"POST", "/v1/checks/crm/web/healthz/run", "{}", token, 200},
		{"POST", "/v1/checks/crm/web/healthz/run", "{}", evil_origin, 403},
		{"POST", "/v1/reload", "{}", token, 403}, /* for admins, by name only */
		{"POST", "/v1/actions/resume", "{}", token, 403},
		{"POST", "/metrics", "{}", NULL, 401},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_reply struct reply reply = fixture_call_tcp(
			*state, rows[i].method, rows[i].path, rows[i].body, rows[i].headers);

		if (reply.status != rows[i].status)
			fail_msg("%zu: %s %s: %ld %s", i, rows[i].method, rows[i].path,
				reply.status, reply.text);
	}
}

/* What a user without a role may: in a child of its own, whose exit code is the HTTP status - 300.
 */
static int status_as(const struct fixture *f, uid_t uid, const char *method, const char *path)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct reply reply = {0};

		if (setgroups(0, NULL) < 0 || setgid(uid) < 0 || setuid(uid) < 0 ||
			fixture_try(f, false, method, path, NULL, NULL, &reply) < 0)
			_exit(255);
		_exit((int)reply.status - 200);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) + 200 : -1;
}

static void test_roles(void **state)
{
	static const struct {
		const char *method, *path;
		int none, viewer, operator;
	} rows[] = {
		{"GET", "/healthz", 200, 200, 200},
		{"GET", "/v1/status", 403, 200, 200},
		{"GET", "/metrics", 403, 200, 200},
		{"GET", "/v1/nothing", 404, 404, 404},
		{"POST", "/v1/checks/crm/web/healthz/run", 403, 403, 200},
		{"POST", "/v1/actions/pause", 403, 403, 400},
		{"POST", "/v1/reload", 403, 403, 403},
		{"POST", "/v1/actions/resume", 403, 403, 403},
		{"POST", "/v1/records/remove", 403, 403, 403},
	};
	static const char *const names[] = {"", "viewers = 65534\n", "operators = @65534\n"};
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
		struct reply reloaded;

		/* One [daemon] section only: put the roles into it. */
		fixture_configure(f, "");
		if (*names[n]) {
			auto_free char *command =
				str_printf("sed -i 's/^\\[daemon\\]$/[daemon]\\n%.*s/' %s",
					(int)strcspn(names[n], "\n"), names[n], f->conf);

			assert_int_equal(system(command), 0);
		}
		reloaded = fixture_call(f, "POST", "/v1/reload", NULL);
		if (reloaded.status != 200)
			fail_msg("%s", reloaded.text);
		reply_clear(&reloaded);
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			int want = n == 0   ? rows[i].none
				   : n == 1 ? rows[i].viewer
					    : rows[i].operator;
			int got = status_as(f, OTHER_UID, rows[i].method, rows[i].path);

			if (got != want)
				fail_msg("%s%s %s: %d, not %d", names[n], rows[i].method,
					rows[i].path, got, want);
		}
	}
	fixture_configure(f, "");
}

static void test_reload(void **state)
{
	struct fixture *f = *state;
	auto_reply struct reply bad = {0}, status = {0}, good = {0}, after = {0};
	const json_t *reload;

	fixture_configure(
		f, "[check crm/web/more]\nprobe = http\nurl = http://127.0.0.1:1/\nurll = x\n");
	bad = fixture_call(f, "POST", "/v1/reload", NULL);
	assert_int_equal(bad.status, 422);
	assert_non_null(strstr(bad.text, "tend.conf:"));
	if (!strstr(bad.text, "urll"))
		fail_msg("%s", bad.text);
	status = fixture_call(f, "GET", "/v1/status", NULL);
	reload = json_object_get(status.json, "reload");
	assert_true(json_is_false(json_object_get(reload, "ok")));
	assert_non_null(strstr(fixture_text(reload, "error"), "urll"));
	assert_non_null(strstr(status.text, "the last reload was refused"));
	assert_int_equal(json_integer_value(json_object_get(status.json, "checks")), 3);
	fixture_configure(f, "[check crm/web/more]\nprobe = http\nurl = http://127.0.0.1:1/\n");
	good = fixture_call(f, "POST", "/v1/reload", NULL);
	assert_int_equal(good.status, 200);
	after = fixture_call(f, "GET", "/v1/checks/crm/web/more", NULL);
	assert_int_equal(after.status, 200);
	fixture_configure(f, "");
}

static void test_config(void **state)
{
	auto_reply struct reply ini = fixture_call(*state, "GET", "/v1/config?format=ini", NULL);
	auto_reply struct reply json = fixture_call(*state, "GET", "/v1/config", NULL);

	assert_int_equal(ini.status, 200);
	assert_non_null(strstr(ini.text, "[receiver ops]"));
	assert_null(strstr(ini.text, FIXTURE_TOKEN));
	assert_null(strstr(ini.text, "MDEyMzQ1"));
	assert_null(strstr(json.text, FIXTURE_TOKEN));
	assert_null(strstr(json.text, "MDEyMzQ1"));
}

static int connect_local(const struct fixture *f)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", f->socket);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* Clients that leave while their check still runs, and then others: nothing waits, nothing leaks.
 */
static void test_clients_that_leave(void **state)
{
	static const char request[] = "POST /v1/checks/crm/web/silent/run HTTP/1.1\r\nHost: "
				      "tend\r\nContent-Length: 0\r\n\r\n";
	struct fixture *f = *state;
	auto_reply struct reply run = {0};

	for (int i = 0; i < 8; i++) {
		int fd = connect_local(f);

		assert_int_equal(write(fd, request, sizeof(request) - 1), sizeof(request) - 1);
		close(fd);
	}
	run = fixture_call(f, "POST", "/v1/checks/crm/web/silent/run", NULL);
	assert_int_equal(run.status, 200);
	assert_string_equal(fixture_text(run.json, "now"), "critical");
}

/* More than the daemon takes: the others wait in the queue and are served when some leave. */
static void test_many_connections(void **state)
{
	static const char request[] =
		"GET /healthz HTTP/1.1\r\nHost: tend\r\nConnection: close\r\n\r\n";
	struct fixture *f = *state;
	usec_t begun = clock_now();
	int fds[100];
	char buf[4096];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = connect_local(f);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		ssize_t n = write(fds[i], request, sizeof(request) - 1), total = 0;

		while (n > 0) {
			n = read(fds[i], buf + total, sizeof(buf) - 1 - (size_t)total);
			total += n > 0 ? n : 0;
		}
		buf[total] = '\0';
		assert_non_null(strstr(buf, "200 OK"));
		close(fds[i]);
	}
	/* well before silent ones are cut */
	assert_true(clock_now() - begun < 25 * USEC_PER_SEC);
	auto_reply struct reply alive = fixture_call(f, "GET", "/healthz", NULL);

	assert_int_equal(alive.status, 200);
}

/* Bytes that are no HTTP, from clients that then leave: the daemon goes on. */
static void test_garbage(void **state)
{
	static const char *const rows[] = {
		"\r\n\r\n\r\n",
		"GET\r\n\r\n",
		"GET /healthz HTTP/9.9\r\n\r\n",
		"GET /healthz HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"POST /v1/reload HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"POST /v1/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int fd = connect_local(f);

		assert_true(write(fd, rows[i], strlen(rows[i])) > 0);
		close(fd);
	}
	auto_reply struct reply alive = fixture_call(f, "GET", "/healthz", NULL);

	assert_int_equal(alive.status, 200);
}

static void test_second_daemon(void **state)
{
	struct fixture *f = *state;
	auto_free char *log = str_printf("%s/second", f->dir);
	auto_free char *other = str_printf("%s/second.conf", f->dir);
	auto_free char *command = NULL;
	struct fixture second = *f;
	int status = 0;
	pid_t pid;

	/* Its own state, the same socket. */
	(void)snprintf(second.conf, sizeof(second.conf), "%s", other);
	command = str_printf(
		"mkdir %s/state2 && sed 's|/state$|/state2|' %s > %s", f->dir, f->conf, other);
	assert_int_equal(system(command), 0);
	pid = fixture_spawn(&second, log);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
	free(TAKE(command));
	command = str_printf("grep -q 'another tendd is listening on %s' %s", f->socket, log);
	assert_int_equal(system(command), 0);
	auto_reply struct reply alive = fixture_call(f, "GET", "/healthz", NULL);

	assert_int_equal(alive.status, 200);
}

static int ctl(const struct fixture *f, const char *arguments, char *out, size_t size)
{
	char command[512];
	size_t len = 0;
	FILE *pipe;
	int status;

	(void)snprintf(
		command, sizeof(command), TEST_TENDCTL " -s %s %s 2>&1", f->socket, arguments);
	pipe = popen(command, "re");
	assert_non_null(pipe);
	len = fread(out, 1, size - 1, pipe);
	out[len] = '\0';
	status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_ctl(void **state)
{
	static const struct {
		const char *arguments;
		int code;
		const char *says;
	} rows[] = {
		{"status", 2, "Open incidents"},
		{"status -o json", 2, "\"incidents_open\": 1"},
		{"system list", 0, "crm"},
		{"system show crm", 0, "crm/web"},
		{"system show none", 1, "there is no system 'none'"},
		{"component show crm/web", 0, "crm/web/healthz"},
		{"check list", 0, "connect-refused"},
		{"check list -o names", 0, "crm/web/healthz\n"},
		{"check list --component crm/database", 0, "crm/database/down"},
		{"check show crm/web/healthz", 0, "Metrics"},
		{"check run crm/web/healthz", 0, "OK: "},
		{"check run crm/database/down", 2, "CRITICAL: "},
		{"check run crm/web/none", 1, "there is no check 'crm/web/none'"},
		{"incident list --open", 0, "crm/database/down"},
		{"incident show 0", 0, "Timeline"},
		{"incident show 0", 0, "software"},
		{"incident acknowledge 0", 64, "a comment is needed"},
		{"incident acknowledge 0 -m 'by hand'", 0, "acknowledged 0"},
		{"incident acknowledge 0 -m 'by \xff'", 64, "no valid UTF-8"},
		{"incident unacknowledge 0 -m 'by \xff'", 64, "no valid UTF-8"},
		{"incident unacknowledge 0 -m 'no time'", 0, "nobody has 0"},
		{"incident list", 0, "crm/database/down"},
		{"silence list --all", 0, "MATCHERS"},
		{"rota show --next 0", 1, "'limit' must be a number"},
		{"window list 'a&b' --next 3", 1, "a&b"},
		{"record list inventory", 0, ""},
		{"record list nothing", 64, "no records of the kind 'nothing'"},
		{"feedback add crm/web -m 'it is slow'", 0, "the reference is"},
		{"feedback list --component crm/web", 0, "it is slow"},
		{"feedback list --component crm/database", 0, ""},
		{"feedback answer 0", 64, "say it: -m"},
		{"approval list", 0, "APPROVAL"},
		{"approval deny 0", 64, "a comment is needed"},
		{"approval grant 0 -m '\xff'", 64, "no valid UTF-8"},
		{"backup list crm/database -n 5", 0, ""},
		{"finding list", 0, ""},
		{"finding accept crm a 2030-01-01", 64, "a comment is needed"},
		{"explain crm/database/down", 0, "- check 'crm/database/down' is critical since"},
		{"policy list", 0, "POLICY"},
		{"policy run no-such-policy", 1, "no-such-policy"},
		{"run list", 0, "RUN"},
		{"run show 0190", 1, "tendctl: "},
		{"action pause", 64, "a comment is needed"},
		{"action pause -m 'maintenance'", 0, "paused by root: maintenance"},
		{"status", 2, "stopped"},
		{"action resume", 0, "Enabled:"},
		{"delivery list --receiver ops", 0, "incident.raised"},
		{"delivery list --receiver none", 1, "there is no receiver 'none'"},
		{"delivery list -n 0", 1, "'limit' must be a number from 1 to 10000"},
		{"receiver list", 0, "webhook"},
		{"receiver show ops", 0, "Latest deliveries"},
		{"receiver show none", 1, "there is no receiver 'none'"},
		{"reload", 0, "the new configuration is in force"},
		{"config dump", 0, "[check crm/web/healthz]"},
		{"config dump -o json", 0, "{"},
		{"version", 0, "tendctl " TEND_VERSION},
		{"help check", 0, "check run CHECK"},
		{"-s /tmp/no/such/socket status", 69, "is it running?"},
	};
	char out[65536];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int code = ctl(*state, rows[i].arguments, out, sizeof(out));

		if (code != rows[i].code || !strstr(out, rows[i].says))
			fail_msg("tendctl %s: %d: %s", rows[i].arguments, code, out);
		/* never a colour or a control when it is no terminal */
		assert_null(strchr(out, '\033'));
	}
}

/* The test holds the database's lock: whatever needs a commit waits. */
static sqlite3 *lock_store(const struct fixture *f)
{
	auto_free char *path = str_printf("%s/state/tend.db", f->dir);
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_busy_timeout(db, 10000), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static int post_raw(const struct fixture *f, const char *path, const char *body)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	auto_free char *text =
		str_printf("POST %s HTTP/1.1\r\nHost: tend\r\nContent-Length: %zu\r\n"
			   "\r\n%s",
			path, strlen(body), body);

	assert_non_null(text);
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", f->socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static bool is_draining(const struct reply *reply)
{
	return json_is_true(json_object_get(json_object_get(reply->json, "drain"), "draining"));
}

/* What was answered is on the disk: nothing is said while it is not, and a kill -9 right after the
 * answer forgets nothing. */
static void test_kept_before_it_is_said(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = lock_store(f);
	int fd = post_raw(f, "/v1/drain", "{\"on\":true}"), status;
	struct pollfd answer = {.fd = fd, .events = POLLIN};
	auto_reply struct reply holds = fixture_wait(f, "/v1/status", is_draining), up = {0};
	char buf[512] = "";

	/* it holds, is not kept, and so is not said */
	assert_int_equal(holds.status, 200);
	assert_int_equal(poll(&answer, 1, 300), 0);
	assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_true(read(fd, buf, sizeof(buf) - 1) > 0);
	close(fd);
	assert_int_equal(kill(f->pid, SIGKILL), 0);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	assert_non_null(strstr(buf, "HTTP/1.1 200"));
	f->pid = fixture_spawn(f, f->log);
	up = fixture_wait(f, "/v1/status", fixture_is_up);
	assert_true(is_draining(&up));

	auto_reply struct reply off = fixture_call(f, "POST", "/v1/drain", "{\"on\":false}");
	assert_int_equal(off.status, 200);
	assert_int_equal(kill(f->pid, SIGKILL), 0);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	f->pid = fixture_spawn(f, f->log);
	auto_reply struct reply again = fixture_wait(f, "/v1/status", fixture_is_up);
	assert_false(is_draining(&again));
}

/* What the store cannot write is done, but no success is told. */
static void test_not_kept(void **state)
{
	struct fixture *f = *state;
	auto_free char *path = str_printf("%s/state/tend.db", f->dir);
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_busy_timeout(db, 10000), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				 "CREATE TRIGGER broken BEFORE INSERT ON meta BEGIN SELECT "
				 "abs(-9223372036854775807 - 1); END",
				 NULL, NULL, NULL),
		SQLITE_OK);
	auto_reply struct reply refused = fixture_call(f, "POST", "/v1/drain", "{\"on\":true}");

	assert_int_equal(sqlite3_exec(db, "DROP TRIGGER broken", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	if (refused.status != 503 || !strstr(refused.text, "a restart may forget it"))
		fail_msg("%ld: %s", refused.status, refused.text);
	auto_reply struct reply holds = fixture_wait(f, "/v1/status", is_draining);
	auto_reply struct reply well = fixture_wait(f, "/healthz", fixture_is_up);
	auto_reply struct reply off = fixture_call(f, "POST", "/v1/drain", "{\"on\":false}");

	assert_int_equal(holds.status, 200);
	if (well.status != 200)
		fail_msg("%ld: %s", well.status, well.text);
	if (off.status != 200)
		fail_msg("%ld: %s", off.status, off.text);
}

/* The end comes while an answer is still awaited. */
static void test_stop_while_waiting(void **state)
{
	static const char request[] = "POST /v1/checks/crm/web/silent/run HTTP/1.1\r\nHost: "
				      "tend\r\nContent-Length: 0\r\n\r\n";
	struct fixture *f = *state;
	int fd = connect_local(f);
	char buf[512];

	assert_int_equal(write(fd, request, sizeof(request) - 1), sizeof(request) - 1);
	/* It was read when a later one is answered. */
	auto_reply struct reply later = fixture_call(f, "GET", "/healthz", NULL);

	if (later.status != 200)
		fail_msg("%ld: %s", later.status, later.text);
	assert_int_equal(fixture_stop(f), 0);
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
	assert_int_equal(access(f->socket, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_body_limit),
		cmocka_unit_test(test_check_run),
		cmocka_unit_test(test_incident),
		cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_clients_that_leave),
		cmocka_unit_test(test_many_connections),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_second_daemon),
		cmocka_unit_test(test_ctl),
		cmocka_unit_test(test_kept_before_it_is_said),
		cmocka_unit_test(test_not_kept),
		cmocka_unit_test(test_stop_while_waiting),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
