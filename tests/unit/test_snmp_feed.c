/* SPDX-License-Identifier: MIT */
/*
 * The feed over tables of this test's own, with a real helper process that writes what it is told
 * to a file, or does not read.
 */
#include <malloc.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/fs.h"
#include "loop/child.h"
#include "calendar/window.h"
#include "snmp/feed.h"
#include "snmp/mib.h"
#include "snmp/rows.h"
#include "snmp/sent.h"

enum { N_CHECKS = 3000 };

/* What the feed reads of the other parts. */
static struct fixture {
	char folder[64];
	struct conf conf;
	struct conf_system system;
	struct conf_component component_conf;
	struct component component;
	struct map components, checks;
	struct check check[N_CHECKS];
	struct conf_check check_conf[N_CHECKS];
	char names[N_CHECKS][32];
	struct vec incidents;
	struct incident incident;
	uint64_t outbox;
	struct manager manager;
	struct agentx *agentx;
	/* what the helper wrote */
	json_t *rows[MIB_TABLE_MAX], *scalars;
	/* reads of the store: records, log */
	unsigned reads[2];
	struct answer {
		store_rows_fn fn;
		void *data;
		json_t *rows;
	} answers[16];
	size_t n_answers;
	size_t n_full, n_updates, consumed;
	bool configured;
} f;

const char *const conf_component_kinds[] = {"web", NULL};

struct conf *conf_ref(struct conf *conf)
{
	conf->n_refs++;
	return conf;
}

struct conf *conf_unref(struct conf *conf)
{
	if (conf)
		conf->n_refs--;
	return NULL;
}

struct conf *watch_conf(const struct watch *watch)
{
	return &f.conf;
}

const struct map *watch_checks(const struct watch *watch)
{
	return &f.checks;
}

const struct map *watch_components(const struct watch *watch)
{
	return &f.components;
}

struct check *watch_find_check(struct watch *watch, const char *name)
{
	return map_get(&f.checks, name);
}

enum tend_state watch_check_shown_state(const struct check *check)
{
	return check->state.hard;
}

enum tend_state watch_system_state(const struct watch *watch, const struct conf_system *system)
{
	return TEND_STATE_WARNING;
}

enum tend_state watch_worst_state(const struct watch *watch)
{
	return TEND_STATE_CRITICAL;
}

bool state_is_soft(const struct state *s)
{
	return s->now != s->hard;
}

const struct vec *incidents_open(const struct incidents *incidents)
{
	return &f.incidents;
}

size_t alert_get_stats(const struct alert *alert, struct alert_receiver_stats *stats, size_t max)
{
	assert_true(max >= 2);
	stats[0] = (struct alert_receiver_stats){.name = "ops", .sequence = 99};
	stats[1] = (struct alert_receiver_stats){.name = "nms", .sequence = 7};
	return 2;
}

uint64_t alert_outbox_depth(const struct alert *alert)
{
	return f.outbox;
}

bool policies_actions_enabled(const struct policies *policies)
{
	return true;
}

json_t *alert_receivers_to_json(const struct alert *alert)
{
	return json_pack("[{s:s, s:s, s:b, s:b, s:i, s:I, s:i, s:i, s:i, s:i, s:i, s:n, s:n}]",
		"name", "nms", "type", "snmp", "enabled", 1, "breaker_open", 1, "waiting", 3,
		"oldest", (json_int_t)5000000, "delivered", 40, "failed", 2, "shed", 1, "tries", 60,
		"sequence", 7, "last_error", "last_delivered");
}

void policies_glance(const struct policies *policies, policies_glance_fn fn, void *data)
{
	const struct policies_glance glance = {.name = "restart-unit",
		.mode = MODE_AUTO,
		.modes = "crm=auto",
		.enabled = true,
		.state = "failed",
		.message = "in vain",
		.started_wall = 9,
		.ended_wall = 10,
		.next_wall = 11};

	fn(&glance, data);
}

bool window_open(const struct conf_window *window, usec_t wall, struct window_span *ret_span)
{
	*ret_span = (struct window_span){100, USEC_INFINITY};
	return true;
}

bool window_next(const struct conf_window *window, usec_t wall, struct window_span *ret_span)
{
	return false;
}

/* Answered at once, unlike the real one; the log only with what it was asked for. */
int store_read(struct store *store, enum store_query query, store_rows_fn fn, void *data,
	const char *format, ...)
{
	auto_json json_t *rows = NULL;
	const char *receiver;
	va_list ap;

	va_start(ap, format);
	receiver = va_arg(ap, const char *);
	va_end(ap);
	if (query == STORE_QUERY_RECORDS) {
		rows = json_loads(
			"[{\"scope\":\"crm/database\",\"doc_json\":{\"value\":"
			"{\"label\":\"b\",\"at\":200.5,\"why\":\"cut\"}}},"
			"{\"scope\":\"crm/database\",\"doc_json\":{\"value\":"
			"{\"label\":\"a\",\"at\":100,\"verified_at\":110,\"proven_at\":150,"
			"\"rto\":3.2,\"rpo\":60}}},{\"scope\":\"crm/files\"}]",
			0, NULL);
	} else {
		assert_int_equal(query, STORE_QUERY_NOTICE_LOG);
		assert_string_equal(receiver, "nms");
		rows = json_pack("[{s:I, s:s, s:I, s:s, s:s, s:n, s:s, s:s, s:I, s:s},"
				 " {s:i, s:s, s:i}]",
			"sequence", ((json_int_t)1 << 32) + 7, "state", "superseded",
			"delivered_at", (json_int_t)0, "id", "n7", "kind", "incident.raised",
			"incident", "fingerprint", "crm/web/c1", "severity", "critical", "at",
			(json_int_t)clock_wall(), "text", "refused\x1b", "sequence", 6, "id",
			"too old", "at", 1);
	}
	assert_non_null(rows);
	f.reads[query == STORE_QUERY_NOTICE_LOG]++;
	/* The caller counts what it has asked for only when it is asked. */
	f.answers[f.n_answers].fn = fn;
	f.answers[f.n_answers].data = data;
	f.answers[f.n_answers++].rows = TAKE(rows);
	assert_true(f.n_answers < ARRAY_SIZE(f.answers));
	return 0;
}

static void answer_reads(void)
{
	while (f.n_answers > 0) {
		struct answer a = f.answers[--f.n_answers];

		a.fn(0, a.rows, a.data);
		json_decref(a.rows);
	}
}

const char *store_epoch(const struct store *store)
{
	return "epoch-1";
}

static char *path_of(const char *name)
{
	char *path = str_printf("%s/%s", f.folder, name);

	assert_non_null(path);
	return path;
}

/* The helper is this program under another name: writes its pid, then all that it is sent. */
static void write_helper(void)
{
	auto_free char *path = path_of("tend-agentx");
	char self[4096] = "";

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_int_equal(symlink(self, path), 0);
}

static int helper_main(const char *self)
{
	auto_free char *folder = strndup(self, strlen(self) - strlen("/tend-agentx"));
	auto_free char *out_path = str_printf("%s/out", folder);
	auto_free char *pid_path = str_printf("%s/pid", folder);
	auto_free char *pid = str_printf("%d", getpid());
	struct pollfd p = {.fd = 3, .events = POLLIN};
	static char buf[65536];
	auto_file FILE *out = fopen(out_path, "a");

	if (!out || fs_write_file_atomic(pid_path, pid, strlen(pid), 0600) < 0)
		return 1;
	while (poll(&p, 1, -1) >= 0) {
		ssize_t n = read(3, buf, sizeof(buf));

		if (n == 0)
			return 0;
		if (n > 0 && (fwrite(buf, 1, (size_t)n, out) != (size_t)n || fflush(out) != 0))
			return 1;
	}
	return 1;
}

static void add_check(size_t i)
{
	snprintf(f.names[i], sizeof(f.names[i]), "crm/web/c%zu", i);
	f.check_conf[i] = (struct conf_check){.name = f.names[i], .component = &f.component_conf};
	f.check[i] = (struct check){.conf = &f.check_conf[i], .snmp_index = (uint32_t)i + 1};
	f.check[i].last.number = 1;
	assert_int_equal(map_put(&f.checks, f.names[i], &f.check[i]), 0);
}

static char socket_text[] = "unix:/nowhere", crm[] = "crm", owner[] = "ops\x1b";
static char web[] = "crm/web", root[] = "crm/web/c1";

static int setup(void **state)
{
	static struct conf_receiver nms = {.type = RECEIVER_SNMP}, ops;

	memset(&f, 0, sizeof(f));
	strcpy(f.folder, "/tmp/tend-feed-XXXXXX");
	assert_non_null(mkdtemp(f.folder));
	write_helper();
	f.conf.daemon.libexec_dir = f.folder;
	f.conf.daemon.agentx_socket = socket_text;
	f.conf.daemon.agentx_ping = 5 * USEC_PER_SEC;
	f.conf.daemon.agentx_log_rows = 1000;
	f.conf.daemon.agentx_log_age = 3600 * USEC_PER_SEC;
	f.system = (struct conf_system){.name = crm, .owner = owner};
	f.component_conf = (struct conf_component){.name = web, .system = &f.system};
	f.component = (struct component){.conf = &f.component_conf, .snmp_index = 4};
	assert_int_equal(map_put(&f.conf.systems, "crm", &f.system), 0);
	assert_int_equal(map_put(&f.conf.receivers, "nms", &nms), 0);
	assert_int_equal(map_put(&f.conf.receivers, "ops", &ops), 0);
	assert_int_equal(map_put(&f.components, "crm/web", &f.component), 0);
	for (size_t i = 0; i < 3; i++)
		add_check(i);
	f.incident = (struct incident){.id = "I",
		.fingerprint = root,
		.check = root,
		.severity = SEVERITY_CRITICAL,
		.snmp_index = 12};
	for (size_t i = 0; i < MIB_TABLE_MAX; i++)
		f.rows[i] = json_object();
	f.scalars = json_object();
	assert_int_equal(loop_new(&f.manager.loop), 0);
	assert_int_equal(agentx_new(&f.manager, &f.agentx), 0);
	return agentx_apply(f.agentx, &f.conf);
}

static int teardown(void **state)
{
	static const char *const files[] = {"tend-agentx", "pid", "out"};

	agentx_free(f.agentx);
	answer_reads(); /* which come too late, and are not used */
	children_drain(10 * USEC_PER_SEC);
	loop_free(f.manager.loop);
	assert_int_equal(f.conf.n_refs, 0);
	for (size_t i = 0; i < MIB_TABLE_MAX; i++)
		json_decref(f.rows[i]);
	json_decref(f.scalars);
	map_clear(&f.conf.systems);
	map_clear(&f.conf.receivers);
	map_clear(&f.components);
	map_clear(&f.checks);
	vec_clear(&f.incidents);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		auto_free char *path = path_of(files[i]);
		unlink(path);
	}
	return rmdir(f.folder);
}

/* Does to f.rows and f.scalars what the real helper does to its tables. */
static void take_update(json_t *args)
{
	const char *key;
	json_t *value, *values;
	size_t n;

	f.n_updates++;
	for (size_t i = 0; i < MIB_TABLE_MAX; i++) {
		json_t *rows = json_object_get(json_object_get(args, "rows"), mib_tables[i].key);
		json_t *gone = json_object_get(json_object_get(args, "removed"), mib_tables[i].key);

		if (json_is_true(json_object_get(args, "full")))
			json_object_clear(f.rows[i]);
		json_array_foreach (gone, n, value) {
			char index[24];

			snprintf(index, sizeof(index), "%lld", json_integer_value(value));
			assert_int_equal(json_object_del(f.rows[i], index), 0);
		}
		json_object_foreach (rows, key, values) {
			/* Whole rows, with exactly the columns of the MIB. */
			assert_int_equal(json_object_size(values), mib_tables[i].n_columns);
			for (n = 0; n < mib_tables[i].n_columns; n++)
				assert_non_null(
					json_object_get(values, mib_tables[i].columns[n].key));
			json_object_set(f.rows[i], key, values);
		}
	}
	if (json_is_true(json_object_get(args, "full")))
		f.n_full++;
	json_object_update(f.scalars, json_object_get(args, "scalars"));
}

static void read_helper(void)
{
	auto_free char *path = path_of("out"), *text = NULL;
	size_t len;
	char *line, *end;

	if (fs_read_file(path, 64 << 20, &text, &len) < 0)
		return;
	for (line = text + f.consumed; (end = strchr(line, '\n')); line = end + 1) {
		auto_json json_t *message = json_loadb(line, (size_t)(end - line), 0, NULL);
		const char *call = json_string_value(json_object_get(message, "call"));
		json_t *args = json_object_get(message, "args");

		assert_non_null(call);
		if (strcmp(call, "config") == 0) {
			assert_string_equal(json_string_value(json_object_get(args, "socket")),
				"unix:/nowhere");
			f.configured = true;
		} else {
			assert_true(f.configured);
			take_update(args);
		}
	}
	f.consumed = (size_t)(line - text);
}

#define WAIT_FOR(condition)                                                                        \
	do {                                                                                       \
		usec_t deadline_ = clock_now() + 20 * USEC_PER_SEC;                                \
		while (!(condition)) {                                                             \
			if (clock_now() > deadline_)                                               \
				fail_msg("waited too long for %s", #condition);                    \
			(void)loop_turn(f.manager.loop, 20 * USEC_PER_MSEC);                       \
			answer_reads();                                                            \
			read_helper();                                                             \
		}                                                                                  \
	} while (0)

static json_t *row(enum mib_table_id table, const char *index)
{
	return json_object_get(f.rows[table], index);
}

static json_int_t number(json_t *values, const char *key)
{
	return json_integer_value(json_object_get(values, key));
}

static const char *text(json_t *values, const char *key)
{
	return json_string_value(json_object_get(values, key));
}

static void everything_at_first(void **state)
{
	WAIT_FOR(row(MIB_TABLE_CHECK, "3") && json_object_size(f.scalars));
	assert_int_equal(f.n_full, 1);
	assert_string_equal(text(row(MIB_TABLE_SYSTEM, "1"), "name"), "crm");
	assert_null(strchr(text(row(MIB_TABLE_SYSTEM, "1"), "owner"), '\x1b'));
	assert_string_equal(text(row(MIB_TABLE_COMPONENT, "4"), "kind"), "web");
	assert_string_equal(text(row(MIB_TABLE_CHECK, "1"), "component"), "crm/web");
	assert_int_equal(json_object_size(f.rows[MIB_TABLE_CHECK]), 3);
	assert_int_equal(json_object_size(f.scalars), mib_n_daemon);
	for (size_t i = 0; i < mib_n_daemon; i++)
		assert_non_null(json_object_get(f.scalars, mib_daemon[i].key));
	assert_int_equal(number(f.scalars, "ok"), 3);
	assert_int_equal(number(f.scalars, "sequence"), 7); /* not the webhook's */
	assert_string_equal(text(f.scalars, "epoch"), "epoch-1");
}

static void what_changes_seldom_is_told_too(void **state)
{
	static struct conf_window freeze = {.freeze = true, .name = root, .doc = owner};
	json_t *r;

	assert_int_equal(map_put(&f.conf.freezes, "x", &freeze), 0);
	WAIT_FOR(row(MIB_TABLE_LOG, "1.7") && row(MIB_TABLE_BACKUP, "1") &&
		 row(MIB_TABLE_WINDOW, "1"));
	r = row(MIB_TABLE_POLICY, "1");
	assert_string_equal(text(r, "name"), "restart-unit");
	assert_int_equal(number(r, "mode"), MODE_AUTO);
	assert_int_equal(number(r, "result"), 4);
	assert_int_equal(number(r, "next"), 11);
	r = row(MIB_TABLE_BACKUP, "1");
	assert_int_equal(number(r, "state"), 4); /* the newest is bad, the one before is proven */
	assert_string_equal(text(r, "text"), "cut");
	assert_int_equal(number(r, "taken"), 200500000);
	assert_int_equal(number(r, "age"), 100000000);
	assert_int_equal(number(r, "rto"), 4);
	assert_int_equal(number(r, "rpo"), 60);
	assert_int_equal(json_object_size(f.rows[MIB_TABLE_BACKUP]), 1);
	r = row(MIB_TABLE_RECEIVER, "1");
	assert_string_equal(text(r, "name"), "nms");
	assert_int_equal(number(r, "state"), 2);
	r = row(MIB_TABLE_LOG, "1.7");
	assert_int_equal(json_object_size(f.rows[MIB_TABLE_LOG]), 1);
	assert_int_equal(number(r, "state"), 3);
	assert_int_equal(number(r, "severity"), 2);
	assert_null(strchr(text(r, "text"), '\x1b'));
	r = row(MIB_TABLE_WINDOW, "1");
	assert_int_equal(number(r, "kind"), 1);
	assert_int_equal(number(r, "opens"), 100);
	assert_int_equal(number(r, "closes"), 0);
	/* It is gone; nothing else is told again, and nothing happened that the log would have. */
	map_clear(&f.conf.freezes);
	WAIT_FOR(!row(MIB_TABLE_WINDOW, "1"));
	assert_non_null(row(MIB_TABLE_LOG, "1.7"));
	assert_non_null(row(MIB_TABLE_POLICY, "1"));
	assert_int_equal(f.reads[0], 1);
	assert_in_range(f.reads[1], 1, 2);
}

static void only_changes_afterwards(void **state)
{
	static char deeper[] = "crm/database";
	size_t before;

	WAIT_FOR(row(MIB_TABLE_CHECK, "3") && json_object_size(f.scalars));
	before = f.n_updates;
	/* Results that change nothing but the numbers are not told at once. */
	f.check[0].last.number++;
	f.check[2].state.hard = TEND_STATE_CRITICAL;
	f.check[2].last.reason = TEND_REASON_CONNECT_REFUSED;
	strcpy(f.check[2].last.text, "refused");
	assert_int_equal(vec_push(&f.incidents, &f.incident), 0);
	f.check[1].state.hard = TEND_STATE_CRITICAL;
	WAIT_FOR(row(MIB_TABLE_INCIDENT, "12"));
	assert_int_equal(f.n_updates, before + 1);
	assert_int_equal(number(row(MIB_TABLE_CHECK, "3"), "state"), TEND_STATE_CRITICAL);
	assert_string_equal(text(row(MIB_TABLE_CHECK, "3"), "text"), "refused");
	assert_int_equal(number(row(MIB_TABLE_INCIDENT, "12"), "state"), TEND_STATE_CRITICAL);
	assert_int_equal(number(f.scalars, "critical"), 2);
	assert_int_equal(number(f.scalars, "incidents"), 1);
	assert_int_equal(number(row(MIB_TABLE_INCIDENT, "12"), "class"), FAULT_HARDWARE);
	/* Its root is another one, which says the same. */
	f.incident.component = deeper;
	WAIT_FOR(strcmp(text(row(MIB_TABLE_INCIDENT, "12"), "component"), deeper) == 0);
	f.incident.check = f.names[1];
	WAIT_FOR(strcmp(text(row(MIB_TABLE_INCIDENT, "12"), "check"), f.names[1]) == 0);
	f.incident.class = FAULT_SECURITY;
	WAIT_FOR(number(row(MIB_TABLE_INCIDENT, "12"), "class") == FAULT_SECURITY);
	/* The incident closes, a check is no longer configured. */
	vec_clear(&f.incidents);
	assert_non_null(map_remove(&f.checks, f.names[2]));
	WAIT_FOR(!row(MIB_TABLE_INCIDENT, "12") && !row(MIB_TABLE_CHECK, "3"));
	assert_int_equal(json_object_size(f.rows[MIB_TABLE_CHECK]), 2);
	assert_int_equal(f.n_full, 1);
}

static void values_and_the_heartbeat_follow(void **state)
{
	static struct metric metric = {.name = "seconds", .unit = "s", .value = 0.25};
	json_int_t heartbeat;

	WAIT_FOR(json_object_size(f.scalars));
	heartbeat = number(f.scalars, "heartbeat");
	f.check[0].last.number++;
	f.check[0].last.metrics = &metric;
	f.check[0].last.n_metrics = 1;
	WAIT_FOR(strcmp(text(row(MIB_TABLE_CHECK, "1"), "value"), "seconds=0.25s") == 0);
	WAIT_FOR(number(f.scalars, "heartbeat") > heartbeat);
}

static pid_t helper_pid(void)
{
	auto_free char *path = path_of("pid"), *pid = NULL;
	size_t len;

	return fs_read_file(path, 64, &pid, &len) == 0 ? atoi(pid) : 0;
}

static void a_new_helper_gets_everything(void **state)
{
	pid_t first;

	WAIT_FOR(row(MIB_TABLE_CHECK, "3") && helper_pid());
	first = helper_pid();
	assert_int_equal(kill(first, SIGKILL), 0);
	WAIT_FOR(f.n_full == 2 && row(MIB_TABLE_CHECK, "3"));
	assert_int_equal(json_object_size(f.rows[MIB_TABLE_CHECK]), 3);
	assert_int_not_equal(helper_pid(), first);
}

static void a_helper_that_does_not_read_costs_nothing(void **state)
{
	usec_t until;
	size_t before, most = 0;
	unsigned round = 0;
	pid_t pid;

	WAIT_FOR(row(MIB_TABLE_CHECK, "3") && helper_pid());
	pid = helper_pid();
	assert_int_equal(kill(pid, SIGSTOP), 0);
	for (size_t i = 3; i < N_CHECKS; i++)
		add_check(i);
	before = mallinfo2().uordblks;
	/* Each round is far more than the socket holds. */
	for (until = clock_now() + 3 * USEC_PER_SEC; clock_now() < until; round++) {
		for (size_t i = 0; i < N_CHECKS; i++)
			f.check[i].state.hard = round % 4;
		(void)loop_turn(f.manager.loop, 20 * USEC_PER_MSEC);
		most = MAX(most, (size_t)mallinfo2().uordblks);
	}
	assert_true(round > 20);
	assert_in_range(most - before, 0, 6 << 20);
	for (size_t i = 0; i < N_CHECKS; i++)
		f.check[i].state.hard = TEND_STATE_UNKNOWN;
	before = f.n_updates;
	assert_int_equal(kill(pid, SIGCONT), 0);
	WAIT_FOR(number(f.scalars, "unknown") == N_CHECKS &&
		 json_object_size(f.rows[MIB_TABLE_CHECK]) == N_CHECKS);
	for (size_t i = 1; i <= N_CHECKS; i++) {
		char index[24];

		snprintf(index, sizeof(index), "%zu", i);
		assert_int_equal(number(row(MIB_TABLE_CHECK, index), "state"), TEND_STATE_UNKNOWN);
	}
	/* What happened meanwhile was coalesced: the newest, and what was on its way. */
	assert_in_range(f.n_updates - before, 1, 3 * (N_CHECKS / 200 + 2));
}

static void switched_off_and_on(void **state)
{
	struct conf other = f.conf;

	WAIT_FOR(row(MIB_TABLE_CHECK, "3"));
	other.n_refs = 0;
	other.daemon.agentx_socket = NULL;
	assert_int_equal(agentx_apply(f.agentx, &other), 0);
	assert_false(agentx_connected(f.agentx));
	assert_int_equal(agentx_apply(f.agentx, &f.conf), 0);
	assert_int_equal(other.n_refs, 0);
	WAIT_FOR(f.n_full == 2 && row(MIB_TABLE_CHECK, "3"));
	/* A reload that leaves the socket as it is keeps the helper. */
	assert_int_equal(agentx_apply(f.agentx, &f.conf), 0);
	f.check[0].state.hard = TEND_STATE_WARNING;
	WAIT_FOR(number(row(MIB_TABLE_CHECK, "1"), "state") == TEND_STATE_WARNING);
	assert_int_equal(f.n_full, 2);
}

static void metrics_as_text(void **state)
{
	struct metric metrics[TEND_SAMPLES_MAX];
	struct result result = {.metrics = metrics};
	char buf[ROWS_VALUE_BYTES];

	rows_format_value(&result, buf);
	assert_string_equal(buf, "");
	for (size_t i = 0; i < TEND_SAMPLES_MAX; i++) {
		metrics[i] = (struct metric){.value = -1.5 * (double)i, .unit = "MiB"};
		snprintf(
			metrics[i].name, sizeof(metrics[i].name), "a_long_name_of_a_metric_%zu", i);
	}
	result.n_metrics = 2;
	rows_format_value(&result, buf);
	assert_string_equal(
		buf, "a_long_name_of_a_metric_0=-0MiB a_long_name_of_a_metric_1=-1.5MiB");
	/* Cut at a metric, never within one. */
	result.n_metrics = TEND_SAMPLES_MAX;
	rows_format_value(&result, buf);
	assert_true(str_endswith(buf, "MiB"));
	assert_true(strlen(buf) <= MIB_TEXT_BYTES);
}

static unsigned n_gone;

static void count_gone(uint64_t index, void *data)
{
	n_gone++;
	assert_int_equal(index % 3, 0);
}

static void rows_that_were_sent(void **state)
{
	struct sent sent = {0};

	assert_null(sent_get(&sent, 0));
	for (uint32_t i = 1; i <= 10000; i++) {
		struct sent_row *r = sent_get(&sent, i * 7919);

		assert_non_null(r);
		r->pass = 1;
		r->brief = i;
		r->has = i % 2;
	}
	assert_int_equal(sent.len, 10000);
	for (uint32_t i = 1; i <= 10000; i++) {
		struct sent_row *r = sent_get(&sent, i * 7919);

		assert_int_equal(r->brief, i);
		r->has = true;
		r->pass = i * 7919 % 3 ? 2 : 1;
	}
	sent_sweep(&sent, 2, count_gone, NULL);
	assert_int_equal(n_gone, 3333);
	assert_int_equal(sent.len, 6667);
	for (uint32_t i = 1; i <= 10000; i++)
		assert_int_equal(sent_get(&sent, i * 7919)->brief, i * 7919 % 3 ? i : 0);
	sent_clear(&sent);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(everything_at_first, setup, teardown),
		cmocka_unit_test_setup_teardown(only_changes_afterwards, setup, teardown),
		cmocka_unit_test_setup_teardown(what_changes_seldom_is_told_too, setup, teardown),
		cmocka_unit_test_setup_teardown(values_and_the_heartbeat_follow, setup, teardown),
		cmocka_unit_test_setup_teardown(a_new_helper_gets_everything, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_helper_that_does_not_read_costs_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(switched_off_and_on, setup, teardown),
		cmocka_unit_test(metrics_as_text),
		cmocka_unit_test(rows_that_were_sent),
	};

	if (str_endswith(argv[0], "/tend-agentx"))
		return helper_main(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
