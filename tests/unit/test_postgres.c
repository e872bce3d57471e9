/* SPDX-License-Identifier: MIT */
/* The postgres probe and the verbs sql.* against a PostgreSQL server of its own
 * (postgres_server.py). */
#include "plugin_fixture.h"
#include "../../plugins/postgres/postgres.h"

extern const struct tend_probe *const tend_plugin_postgres;

#define FAST (700 * USEC_PER_MSEC)
#define LONG (10 * USEC_PER_SEC)

static struct fixture fixture;

struct row {
	const char *name;
	const char *port;
	const char *options[6];
	usec_t timeout;
	enum tend_reason reason;
	const char *text;
};

#define TCP    "hostaddr = 127.0.0.1"
#define PASS   "password = file:@DIR@/password"
#define SOCKET "host = @DIR@/pg/run"

static const struct row rows[] = {
	{"log in", "postgres", {TCP, PASS}, LONG, TEND_REASON_OK, "logged in"},
	{"log in by name", "postgres", {"host = localhost", PASS}, LONG, TEND_REASON_OK,
		"logged in"},
	{"log in by IPv6", "postgres", {"hostaddr = ::1", PASS}, LONG, TEND_REASON_OK, "logged in"},
	{"the second of two addresses", "postgres", {"host = www.localhost", PASS}, LONG,
		TEND_REASON_OK, "logged in"},
	{"unix socket", "postgres", {SOCKET}, LONG, TEND_REASON_OK, "logged in"},
	{"wrong password", "postgres", {TCP, "password = file:@DIR@/wrong"}, LONG,
		TEND_REASON_AUTH_FAILED, "password authentication failed for user \"tend\""},
	{"no password", "postgres", {TCP}, LONG, TEND_REASON_AUTH_FAILED, "a password is needed"},
	{"NOLOGIN", "postgres", {TCP, PASS, "user = nobody_in"}, LONG, TEND_REASON_AUTH_FAILED,
		"is not permitted to log in"},
	{"no database", "postgres", {TCP, PASS, "dbname = none"}, LONG,
		TEND_REASON_DATABASE_MISSING, "database \"none\" does not exist"},
	{"refused", NULL, {TCP, "port = 1"}, LONG, TEND_REASON_CONNECT_REFUSED,
		"127.0.0.1 port 1: Connection refused"},
	{"no socket", NULL, {"host = @DIR@"}, LONG, TEND_REASON_CONNECT_REFUSED, "No such file"},
	{"no name", NULL, {"host = no-such-name.invalid"}, LONG, TEND_REASON_DNS_FAILED,
		"no such name"},
	{"mute", "mute", {TCP, PASS}, FAST, TEND_REASON_TOO_SLOW, "the log-in was not answered"},
	{"babble", "babble", {TCP, PASS}, LONG, TEND_REASON_PROTOCOL, ""},
	{"TLS demanded", "postgres", {TCP, PASS, "sslmode = require"}, LONG, TEND_REASON_TLS_FAILED,
		"SSL"},
	{"query", "postgres", {SOCKET, "query = select count(*) from accounts"}, LONG,
		TEND_REASON_OK, "the query gives 3"},
	{"expect", "postgres",
		{SOCKET, "query = select name from accounts where id = 2", "expect = name 2"}, LONG,
		TEND_REASON_OK, ""},
	{"not as expected", "postgres",
		{SOCKET, "query = select name from accounts where id = 2", "expect = name 3"}, LONG,
		TEND_REASON_CONTENT_UNEXPECTED, "expected 'name 3', got 'name 2'"},
	{"NULL", "postgres", {SOCKET, "query = select null", "expect = x"}, LONG,
		TEND_REASON_CONTENT_UNEXPECTED, "got NULL"},
	{"no row", "postgres", {SOCKET, "query = select 1 where false", "metric = n"}, LONG,
		TEND_REASON_CONTENT_UNEXPECTED, "gives none"},
	{"many rows", "postgres",
		{SOCKET, "query = select generate_series(1, 10000000)", "metric = n"}, LONG,
		TEND_REASON_CONTENT_UNEXPECTED, "gives more"},
	{"no number", "postgres", {SOCKET, "query = select 'many'", "metric = n"}, LONG,
		TEND_REASON_CONTENT_UNEXPECTED, "expected a number for n, got 'many'"},
	{"bad SQL", "postgres", {SOCKET, "query = selec 1"}, LONG, TEND_REASON_QUERY_FAILED,
		"syntax error at or near \"selec\" (SQLSTATE 42601)"},
	{"two statements", "postgres", {SOCKET, "query = select 1; select 2"}, LONG,
		TEND_REASON_QUERY_FAILED, "42601"},
	{"COPY", "postgres", {SOCKET, "query = copy accounts to stdout"}, LONG,
		TEND_REASON_QUERY_FAILED, "COPY"},
	{"slow query", "postgres", {SOCKET, "query = select pg_sleep(30)"}, FAST,
		TEND_REASON_TOO_SLOW, "the query was not answered in time"},
};

static char *option_of(const char *text)
{
	const char *at = strstr(text, "@DIR@");

	return at ? str_printf("%.*s%s%s", (int)(at - text), text, fixture.dir, at + 5)
		  : strdup(text);
}

struct options {
	char *items[10];
	size_t n;
};

static void options_fill(struct options *o, const char *port, const char *const *more, size_t n)
{
	o->n = 0;
	memset(o->items, 0, sizeof(o->items));
	for (size_t i = 0; i < n && more[i]; i++)
		o->items[o->n++] = option_of(more[i]);
	if (port)
		o->items[o->n++] = str_printf("port = %d", fixture_port(&fixture, port));
}

static void options_clear(struct options *o)
{
	for (size_t i = 0; i < o->n; i++)
		free(o->items[i]);
}

static struct fixture_end run_row(const struct row *row)
{
	struct options o;

	options_fill(&o, row->port, row->options, ARRAY_SIZE(row->options));
	struct fixture_end end = fixture_run(
		&fixture, tend_plugin_postgres, (const char *const *)o.items, row->timeout);
	options_clear(&o);
	return end;
}

static void test_rows(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fixture_end end = run_row(&rows[i]);

		if (end.reason != rows[i].reason || !strstr(end.text, rows[i].text))
			fail_msg(
				"%s: %s: %s", rows[i].name, tend_reason_name(end.reason), end.text);
		if (end.took > rows[i].timeout + 100 * USEC_PER_MSEC)
			fail_msg("%s: took %llu us", rows[i].name, (unsigned long long)end.took);
	}
}

static void test_metrics(void **state)
{
	static const struct row one = {"", "postgres",
		{SOCKET, "query = select 41.5, 7 as b", "metric = load"}, LONG, TEND_REASON_OK, ""};
	static const struct row all = {"", "postgres",
		{SOCKET, "query = select 1 as \"One\", 'x' as name, true as up, 2.5 as b",
			"metric = *"},
		LONG, TEND_REASON_OK, ""};
	struct fixture_end end = run_row(&one);

	assert_int_equal(end.reason, TEND_REASON_OK);
	assert_true(fixture_metric(&end, "load")->value == 41.5);
	assert_null(fixture_metric(&end, "b"));
	assert_true(fixture_metric(&end, "connect_seconds")->value > 0);
	assert_true(fixture_metric(&end, "query_seconds")->value > 0);
	end = run_row(&all);
	assert_int_equal(end.reason, TEND_REASON_OK);
	assert_true(fixture_metric(&end, "one")->value == 1);
	assert_true(fixture_metric(&end, "up")->value == 1);
	assert_true(fixture_metric(&end, "b")->value == 2.5);
	assert_null(fixture_metric(&end, "name"));
}

/* ---- verbs
 * ------------------------------------------------------------------------------------------- */

static struct fixture_end call(const char *method, const char *args_text, usec_t timeout)
{
	static const char *const more[] = {SOCKET};
	struct options o;
	void *conf = NULL;
	struct tend_error err = {0};
	json_t *args = json_loads(args_text, 0, NULL);

	assert_non_null(args);
	options_fill(&o, "postgres", more, 1);
	assert_int_equal(
		fixture_conf(tend_plugin_postgres, (const char *const *)o.items, &err, &conf), 0);
	struct fixture_end end =
		fixture_run_conf(&fixture, tend_plugin_postgres, conf, timeout, method, args);
	fixture_conf_free(tend_plugin_postgres, conf);
	options_clear(&o);
	json_decref(args);
	return end;
}

static void assert_outcome(struct fixture_end *end, const char *expected)
{
	auto_free char *text =
		end->outcome ? json_dumps(end->outcome, JSON_SORT_KEYS | JSON_COMPACT) : NULL;

	if (end->reason != TEND_REASON_OK || !text || strcmp(text, expected) != 0)
		fail_msg("%s: %s: %s", tend_reason_name(end->reason), end->text, text ? text : "-");
	json_decref(end->outcome);
	end->outcome = NULL;
}

static const struct {
	const char *args, *outcome;
} queries[] = {
	{"{\"sql\":\"select * from accounts where id <= $1 order by id\",\"params\":[2]}",
		"{\"columns\":[\"id\",\"name\"],\"rows\":[[1,\"name 1\"],[2,\"name "
		"2\"]],\"truncated\":false}"},
	{"{\"sql\":\"select $1::text, $2::bool, $3::float8, $4::int, 12.5::numeric, '[1]'::jsonb\","
	 "\"params\":[\"a'b\",true,1.5,null]}",
		"{\"columns\":[\"text\",\"bool\",\"float8\",\"int4\",\"numeric\",\"jsonb\"],"
		"\"rows\":[[\"a'b\",true,1.5,null,12.5,[1]]],\"truncated\":false}"},
	{"{\"sql\":\"select generate_series(1, 1000000)\",\"max_rows\":2}",
		"{\"columns\":[\"generate_series\"],\"rows\":[[1],[2]],\"truncated\":true}"},
	{"{\"sql\":\"select repeat('x', 600000)\"}",
		"{\"columns\":[\"repeat\"],\"rows\":[],\"truncated\":true}"},
	{"{\"sql\":\"select 1 as a where false\"}",
		"{\"columns\":[\"a\"],\"rows\":[],\"truncated\":false}"},
};

static const struct {
	const char *args, *text;
	enum tend_reason reason;
} refusals[] = {
	{"{\"sql\":\"insert into accounts values (9, 'x')\"}", "read-only transaction",
		TEND_REASON_READ_ONLY},
	{"{\"sql\":\"select 1; commit; insert into accounts values (9, 'x')\"}", "42601",
		TEND_REASON_QUERY_FAILED},
	{"{\"sql\":\"select $1::int\",\"params\":[[1]]}", "wrong arguments", TEND_REASON_INTERNAL},
	{"{\"sql\":\"select 1\",\"max_rows\":0}", "wrong arguments", TEND_REASON_INTERNAL},
	{"{}", "wrong arguments", TEND_REASON_INTERNAL},
	{"{\"sql\":\"select pg_sleep(30)\"}", "not answered in time", TEND_REASON_TOO_SLOW},
};

static void test_sql_query(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
		struct fixture_end end = call("sql.query", queries[i].args, LONG);
		assert_outcome(&end, queries[i].outcome);
	}
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct fixture_end end = call("sql.query", refusals[i].args, USEC_PER_SEC);
		if (end.reason != refusals[i].reason || !strstr(end.text, refusals[i].text))
			fail_msg("%s: %s: %s", refusals[i].args, tend_reason_name(end.reason),
				end.text);
		assert_null(end.outcome);
	}
	struct fixture_end end = call("sql.drop", "{}", LONG);
	assert_int_equal(end.reason, TEND_REASON_INTERNAL);
	/* Nothing was written by any of them, whatever was answered. */
	end = call("sql.query", "{\"sql\":\"select count(*) from accounts\"}", LONG);
	assert_outcome(&end, "{\"columns\":[\"count\"],\"rows\":[[3]],\"truncated\":false}");
}

/* What sql.execute is given: the manifest's statement, and what belongs to it. */
#define EXECUTE(sql, params, max_rows, transaction)                                                \
	"{\"sql\":\"" sql "\",\"params\":" params ",\"max_rows\":" max_rows                        \
	",\"lock_timeout_msec\":200,\"transaction\":" transaction "}"

static const struct {
	const char *args;
	enum tend_reason reason;
	const char *text;    /* a part of it */
	const char *outcome; /* whole */
	int n_free;	     /* rows that were changed, after it */
} executions[] = {
	{EXECUTE("update jobs set state = 'free' where id <= $1", "[\"3\"]", "5", "true"),
		TEND_REASON_OK, "3 rows affected",
		"{\"affected\":3,\"columns\":[],\"rows\":[],\"truncated\":false}", 3},
	{EXECUTE("update jobs set state = 'free'", "[]", "5", "true"), TEND_REASON_QUERY_FAILED,
		"10 rows, at most 5 are allowed: rolled back", "{\"nothing_done\":true}", 3},
	{EXECUTE("update jobs set state = 'stuck' where id = $1::int returning id, state",
		 "[\"1\"]", "1", "true"),
		TEND_REASON_OK, "1 rows",
		"{\"affected\":1,\"columns\":[\"id\",\"state\"],\"rows\":[[1,\"stuck\"]],"
		"\"truncated\":false}",
		2},
	{EXECUTE("update jobs set state = 'free' where id <= $1::int", "[\"3; drop table jobs\"]",
		 "5", "true"),
		TEND_REASON_QUERY_FAILED, "22P02", "{\"nothing_done\":true}", 2},
	{EXECUTE("update jobs set state = 'free'; commit", "[]", "5", "true"),
		TEND_REASON_QUERY_FAILED, "42601", "{\"nothing_done\":true}", 2},
	/* It is only the COMMIT that fails. */
	{EXECUTE("insert into job_notes values (99)", "[]", "5", "true"), TEND_REASON_QUERY_FAILED,
		"23503", "{\"nothing_done\":false}", 2},
	/* The session is ended in the midst of COMMIT: nobody knows. */
	{EXECUTE("insert into suicides values (1)", "[]", "5", "true"), TEND_REASON_STARTING,
		"57P01", "{\"nothing_done\":false}", 2},
	{EXECUTE("vacuum jobs", "[]", "0", "true"), TEND_REASON_QUERY_FAILED, "25001",
		"{\"nothing_done\":true}", 2},
	{EXECUTE("vacuum jobs", "[]", "0", "false"), TEND_REASON_OK, "0 rows",
		"{\"affected\":0,\"columns\":[],\"rows\":[],\"truncated\":false}", 2},
	{EXECUTE("update jobs set state = pg_sleep(30)::text", "[]", "0", "true"),
		TEND_REASON_TOO_SLOW, "in time", "{\"nothing_done\":true}", 2},
	{EXECUTE("update jobs set state = pg_sleep(30)::text", "[]", "0", "false"),
		TEND_REASON_TOO_SLOW, "in time", "{\"nothing_done\":false}", 2},
	{EXECUTE("select 1", "{}", "0", "true"), TEND_REASON_INTERNAL, "wrong arguments", NULL, 2},
	{EXECUTE("select 1", "[]", "5", "false"), TEND_REASON_INTERNAL, "wrong arguments", NULL, 2},
};

static json_t *query_row(const char *args);

static void test_sql_execute(void **state)
{
	static const char count[] = "{\"sql\":\"select count(*) from jobs where state = 'free'\"}";

	for (size_t i = 0; i < ARRAY_SIZE(executions); i++) {
		struct fixture_end end = call("sql.execute", executions[i].args, USEC_PER_SEC);
		auto_free char *outcome =
			end.outcome ? json_dumps(end.outcome, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
		json_t *row = query_row(count);

		if (end.reason != executions[i].reason || !strstr(end.text, executions[i].text) ||
			!str_eq(outcome, executions[i].outcome) ||
			json_integer_value(json_array_get(row, 0)) != executions[i].n_free)
			fail_msg("%s: %s: %s: %s, %lld free", executions[i].args,
				tend_reason_name(end.reason), end.text, outcome ? outcome : "-",
				(long long)json_integer_value(json_array_get(row, 0)));
		json_decref(end.outcome);
		json_decref(row);
	}
}

/* It gives up on a lock that somebody holds. */
static void test_sql_execute_locked(void **state)
{
	static const char held[] = "{\"sql\":\"select 1 from pg_locks where relation = "
				   "'jobs'::regclass and mode = 'AccessExclusiveLock'\"}";
	usec_t until = clock_now() + LONG;
	json_t *row = NULL;
	auto_free char *command = str_printf("psql -q -h %s/pg/run -p %d -U tend postgres -c "
					     "'begin; lock table jobs; select pg_sleep(30)' "
					     ">/dev/null 2>&1",
		fixture.dir, fixture_port(&fixture, "postgres"));

	pid_t holder = fork();
	if (holder == 0) {
		(void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	while (!(row = query_row(held)) && clock_now() < until)
		(void)loop_turn(fixture.loop, 20 * USEC_PER_MSEC);
	assert_non_null(row);
	json_decref(row);
	struct fixture_end end = call(
		"sql.execute", EXECUTE("update jobs set state = 'free'", "[]", "5", "true"), LONG);
	assert_int_equal(end.reason, TEND_REASON_LOCKED);
	assert_non_null(strstr(end.text, "55P03"));
	json_decref(end.outcome);
	json_decref(query_row("{\"sql\":\"select count(pg_terminate_backend(pid)) from "
			      "pg_stat_activity where query like '%lock table jobs%' and pid <> "
			      "pg_backend_pid()\"}"));
	assert_int_equal(waitpid(holder, NULL, 0), holder);
}

static json_t *query_row(const char *args)
{
	struct fixture_end end = call("sql.query", args, LONG);
	json_t *row = json_incref(json_array_get(json_object_get(end.outcome, "rows"), 0));

	json_decref(end.outcome);
	return row;
}

/* A session that waits is ended; one with its number but another start is not. */
static void test_terminate_backend(void **state)
{
	static const char find[] =
		"{\"sql\":\"select pid, backend_start::text from pg_stat_activity where "
		"application_name = 'victim' and state = 'active'\"}";
	usec_t until = clock_now() + LONG;
	json_t *row = NULL;
	auto_free char *command = str_printf("psql -q -h %s/pg/run -p %d -U tend postgres -c \"set "
					     "application_name = 'victim'\" "
					     "-c 'select pg_sleep(30)' >/dev/null 2>&1",
		fixture.dir, fixture_port(&fixture, "postgres"));

	pid_t victim = fork();
	if (victim == 0) {
		(void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	while (!(row = query_row(find)) && clock_now() < until)
		(void)loop_turn(fixture.loop, 20 * USEC_PER_MSEC);
	assert_non_null(row);
	json_int_t pid = json_integer_value(json_array_get(row, 0));
	const char *start = json_string_value(json_array_get(row, 1));

	auto_free char *wrong = str_printf(
		"{\"pid\":%lld,\"backend_start\":\"2020-01-01 00:00:00+00\"}", (long long)pid);
	struct fixture_end end = call("sql.terminate_backend", wrong, LONG);
	assert_outcome(&end, "{\"terminated\":false}");
	assert_int_equal(waitpid(victim, NULL, WNOHANG), 0);

	auto_free char *right =
		str_printf("{\"pid\":%lld,\"backend_start\":\"%s\"}", (long long)pid, start);
	end = call("sql.terminate_backend", right, LONG);
	assert_outcome(&end, "{\"terminated\":true}");
	assert_int_equal(waitpid(victim, NULL, 0), victim);
	end = call("sql.terminate_backend", right, LONG);
	assert_outcome(&end, "{\"terminated\":false}");
	json_decref(row);
}

/* The server ends what runs when nobody waits for it any more. */
static void test_nothing_goes_on(void **state)
{
	static const char count[] = "{\"sql\":\"select count(*) from pg_stat_activity where "
				    "application_name = 'tend' and "
				    "query like '%pg_sleep(29)%' and pid <> pg_backend_pid()\"}";
	static const struct row row = {"", "postgres", {SOCKET, "query = select pg_sleep(29)"},
		FAST, TEND_REASON_TOO_SLOW, ""};
	usec_t until = clock_now() + LONG;
	json_int_t n = 1;

	assert_int_equal(run_row(&row).reason, TEND_REASON_TOO_SLOW);
	while (n > 0 && clock_now() < until) {
		json_t *found = query_row(count);
		n = json_integer_value(json_array_get(found, 0));
		json_decref(found);
	}
	assert_int_equal(n, 0);
}

static const struct {
	const char *message, *sqlstate, *text;
	bool needs_password;
	enum tend_reason reason;
} messages[] = {
	{"connection to server at \"::1\", port 5432 failed: FATAL:  28P01: password "
	 "authentication "
	 "failed for user \"x\"\nLOCATION:  auth_failed, auth.c:334\n",
		"28P01", "password authentication failed for user \"x\"", false,
		TEND_REASON_AUTH_FAILED},
	{"connection to server failed: FATAL:  57P03: the database system is starting up\n",
		"57P03", "the database system is starting up", false, TEND_REASON_STARTING},
	{"connection to server failed: FATALE:  28000: nein", "28000", "nein", false,
		TEND_REASON_AUTH_FAILED},
	{"connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n\tIs the "
	 "server "
	 "running?\n",
		"", "Connection refused", false, TEND_REASON_CONNECT_REFUSED},
	{"fe_sendauth: no password supplied\n", "", "fe_sendauth: no password supplied", true,
		TEND_REASON_AUTH_FAILED},
	{"SSL error: certificate verify failed\n", "", "SSL error: certificate verify failed",
		false, TEND_REASON_TLS_UNTRUSTED},
	{"server certificate for \"a\" does not match host name \"b\"\n", "",
		"server certificate for \"a\" does not match host name \"b\"", false,
		TEND_REASON_TLS_NAME},
	{":  2800", "", ":  2800", false, TEND_REASON_CONNECT_FAILED},
	{"", "", "", false, TEND_REASON_CONNECT_FAILED},
};

static void test_messages(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		char sqlstate[6] = "", text[200];

		assert_int_equal(postgres_message_sqlstate(messages[i].message, sqlstate),
			messages[i].sqlstate[0] != '\0');
		assert_string_equal(sqlstate, messages[i].sqlstate);
		assert_string_equal(postgres_message_text(messages[i].message, text, sizeof(text)),
			messages[i].text);
		assert_int_equal(
			postgres_connect_reason(messages[i].message, messages[i].needs_password),
			messages[i].reason);
	}
}

static const struct {
	const char *options[3];
	const char *text;
} bad[] = {
	{{"expect = 1"}, "need a query"},
	{{"query = select 1", "metric = A b"}, "no name of a metric"},
	{{"host = /run/x", "hostaddr = ::1"}, "folder of a unix socket"},
	{{"hostaddr = ::1", "sslmode = verify-full"}, "needs host"},
	{{"port = 70000"}, ""},
	{{"look = blocked", "query = select 1"}, "exclude each other"},
	{{"look = blocked, mood"}, "look 'mood' is none of"},
	{{"look = cache, blocked, cache"}, "look 'cache' stands there twice"},
};

/* All looks at once must fit into what metrics() may name, and each is documented. */
static void test_look_metrics(void **state)
{
	static const char *const options[] = {
		"look = connections, blocked, transactions, replication, archiving, wraparound, "
		"bloat, cache, statements, indexes",
		NULL};
	const struct tend_probe *probe = tend_plugin_postgres;
	const char *names[TEND_METRICS_MAX];
	struct tend_error err = {0};
	void *conf = NULL;

	assert_int_equal(fixture_conf(probe, options, &err, &conf), 0);
	size_t n = probe->metrics(conf, names);
	assert_int_equal(n, 31);
	for (size_t i = 0; i < n; i++) {
		const struct tend_metric_doc *doc = probe->metric_docs;

		while (doc->name && strcmp(doc->name, names[i]) != 0)
			doc++;
		assert_non_null(doc->name);
		assert_true(strlen(names[i]) < 32);
	}
	fixture_conf_free(probe, conf);
}

static void test_bad_options(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct tend_error err = {0};
		void *conf = NULL;

		if (fixture_conf(tend_plugin_postgres, bad[i].options, &err, &conf) >= 0 ||
			!strstr(err.text, bad[i].text))
			fail_msg("%s: %s", bad[i].options[0], err.text);
		fixture_conf_free(tend_plugin_postgres, conf);
	}
}

static int write_secret(const char *name, const char *text)
{
	auto_free char *path = str_printf("%s/%s", fixture.dir, name);
	auto_file FILE *f = fopen(path, "we");

	return f && fputs(text, f) >= 0 && fchmod(fileno(f), 0600) == 0 ? 0 : -1;
}

static int setup(void **state)
{
	log_to_stderr();
	if (fixture_open(&fixture) < 0 || fixture_serve(&fixture, POSTGRES_SERVER) < 0)
		return -1;
	return write_secret("password", "s3cret\n") < 0 || write_secret("wrong", "x") < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	fixture_close(&fixture);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_sql_query),
		cmocka_unit_test(test_sql_execute),
		cmocka_unit_test(test_sql_execute_locked),
		cmocka_unit_test(test_terminate_backend),
		cmocka_unit_test(test_nothing_goes_on),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_bad_options),
		cmocka_unit_test(test_look_metrics),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
