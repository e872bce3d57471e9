/* SPDX-License-Identifier: MIT */
/* A store, a loop, and receivers that are processes of their own, for the tests of alert/. */
#ifndef TESTS_UNIT_ALERT_FIXTURE_H
#define TESTS_UNIT_ALERT_FIXTURE_H

#include "store_fixture.h"
#include <signal.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include "alert/alert.h"
#include "base/fs.h"
#include "net/net.h"

enum { MAX_SINKS = 4 };

struct world {
	struct fixture *f;
	struct net *net;
	struct alert *alert;
	struct conf *conf;
	FILE *sinks[MAX_SINKS];
	pid_t pids[MAX_SINKS];
	int n_sinks;
	int n_undurable, n_durable;
	char ends[512]; /* "a:delivered b:failed ..." */
};

/* ---- sinks ---------------------------------------------------------------------------------- */

static inline int free_port_of(int type)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	auto_close int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	return ntohs(in.sin_port);
}

static inline int free_port(void)
{
	return free_port_of(SOCK_STREAM);
}

static inline int free_udp_port(void)
{
	return free_port_of(SOCK_DGRAM);
}

/* port 0: any. Its log is DIR/sink.N. */
static inline int sink_start(struct world *w, int port, const char *steps)
{
	auto_free char *command =
		str_printf("exec python3 '" ALERT_SINK "' '%s/sink.%d' '%s/secret' %d %s",
			w->f->dir, w->n_sinks, w->f->dir, port, steps);
	FILE *out = popen(command, "re");
	long pid;

	assert_non_null(out);
	assert_true(w->n_sinks < MAX_SINKS);
	assert_int_equal(fscanf(out, "%ld %d", &pid, &port), 2);
	w->sinks[w->n_sinks] = out;
	w->pids[w->n_sinks++] = (pid_t)pid;
	return port;
}

/* What came to the sink, as an array. */
static inline json_t *sink_log(struct world *w, int sink)
{
	auto_free char *path = str_printf("%s/sink.%d", w->f->dir, sink);
	auto_free char *text = NULL;
	json_t *list = json_array();

	if (fs_read_file(path, 16 << 20, &text, NULL) < 0)
		return list;
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		json_array_append_new(list, json_loads(line, 0, NULL));
	}
	return list;
}

static inline size_t sink_n(struct world *w, int sink)
{
	auto_json json_t *list = sink_log(w, sink);

	return json_array_size(list);
}

static inline const char *entry_text(json_t *list, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(list, i), key));
}

static inline json_t *entry_data(json_t *list, size_t i)
{
	return json_object_get(json_object_get(json_array_get(list, i), "body"), "data");
}

/* ---- the world ------------------------------------------------------------------------------ */

static inline void on_undurable(bool undurable, void *data)
{
	struct world *w = data;

	if (undurable)
		w->n_undurable++;
	else
		w->n_durable++;
}

static inline void on_delivery(const char *incident_id, const char *receiver, const char *kind,
	const char *state, unsigned n_tries, void *data)
{
	struct world *w = data;
	size_t len = strlen(w->ends);

	snprintf(w->ends + len, sizeof(w->ends) - len, "%s:%s ", receiver, state);
}

static inline void write_file(struct world *w, const char *name, const char *text)
{
	auto_free char *path = str_printf("%s/%s", w->f->dir, name);

	assert_int_equal(fs_write_file_atomic(path, text, strlen(text), 0600), 0);
}

static inline struct conf *load_conf(struct world *w, const char *receivers)
{
	auto_free char *path = str_printf("%s/tend.conf", w->f->dir);
	struct conf_errors errors = {0};
	struct conf *conf = NULL;

	write_file(w, "tend.conf", receivers);
	if (conf_load(path, NULL, &errors, &conf) < 0)
		fail_msg("%s:%u: %s", errors.items[0].file, errors.items[0].line,
			errors.items[0].text);
	conf_errors_clear(&errors);
	return conf;
}

static inline void world_start(struct world *w)
{
	const struct alert_deps deps = {.loop = w->f->loop,
		.store = w->f->store,
		.net = w->net,
		.libexec_dir = LIBEXEC_DIR,
		.state_dir = w->f->dir,
		.on_undurable = on_undurable,
		.on_delivery = on_delivery,
		.data = w};

	assert_int_equal(alert_new(&deps, &w->alert), 0);
	assert_int_equal(alert_apply(w->alert, w->conf), 0);
}

/* `format` has the ports in it: "[receiver a] ... url = http://127.0.0.1:%d/hook". */
__attribute__((format(printf, 2, 3))) static inline void world_open(
	struct world *w, const char *format, ...)
{
	auto_free char *text = NULL;
	va_list ap;

	va_start(ap, format);
	assert_true(vasprintf(&text, format, ap) > 0);
	va_end(ap);
	w->conf = load_conf(w, text);
	assert_int_equal(fixture_open(w->f), 0);
	world_start(w);
}

static inline void world_restart(struct world *w)
{
	w->alert = alert_free(w->alert);
	w->f->store = store_free(w->f->store);
	assert_int_equal(fixture_open(w->f), 0);
	world_start(w);
}

static inline int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (fixture_setup((void **)&w->f) < 0 || net_new(w->f->loop, &w->net) < 0)
		return -1;
	write_file(w, "secret", "whsec_dGVuZGJveDogdGhpcnR5LXR3byBieXRlcyBvZiBrZXk=\n");
	*state = w;
	return 0;
}

static inline int teardown(void **state)
{
	struct world *w = *state;
	void *fixture = w->f;

	alert_free(w->alert);
	conf_unref(w->conf);
	net_free(w->net);
	for (int i = 0; i < w->n_sinks; i++) {
		kill(w->pids[i], SIGKILL);
		pclose(w->sinks[i]);
	}
	free(w);
	return fixture_teardown(&fixture);
}

#define RECEIVER(name, more)                                                                       \
	"[receiver " name "]\ntype = webhook\nurl = http://127.0.0.1:%d/hook\n"                    \
	"secret = file:%s/secret\nretry_min = 50ms\nretry_max = 200ms\n" more "\n"

static inline void add(struct world *w, enum notice_kind kind, const char *incident, char *ret_id)
{
	struct notice n = {.kind = kind,
		.severity = SEVERITY_CRITICAL,
		.fingerprint = "crm/web/login",
		.incident_id = incident,
		.system = "crm",
		.component = "crm/web",
		.check = "crm/web/login",
		.state = "critical",
		.reason = "connect-refused",
		.text = "no answer"};

	assert_true(alert_add(w->alert, &n, NULL) >= 0);
	if (ret_id)
		memcpy(ret_id, n.id, sizeof(n.id));
}

struct ledger {
	bool done;
	json_t *rows;
};

static inline void on_ledger(int r, json_t *rows, void *data)
{
	struct ledger *l = data;

	assert_int_equal(r, 0);
	l->rows = json_incref(rows);
	l->done = true;
}

/* "a 3 delivered 2": receiver, sequence, state, tries of a notice, from the ledger alone or from
 * memory. */
static inline char *ledger_of(struct world *w, const char *id)
{
	struct ledger l = {0};
	char *text = strdup("(none)");
	json_t *row;
	size_t i;

	assert_int_equal(alert_deliveries(w->alert, NULL, NULL, 1000, on_ledger, &l), 0);
	WAIT_FOR(w->f->loop, l.done);
	json_array_foreach (l.rows, i, row) {
		if (strcmp(json_string_value(json_object_get(row, "notice")), id) != 0)
			continue;
		free(text);
		text = str_printf("%s %d %s %d",
			json_string_value(json_object_get(row, "receiver")),
			(int)json_integer_value(json_object_get(row, "sequence")),
			json_string_value(json_object_get(row, "state")),
			(int)json_integer_value(json_object_get(row, "tries")));
	}
	json_decref(l.rows);
	return text;
}

static inline void assert_ledger(struct world *w, const char *id, const char *want)
{
	auto_free char *got = ledger_of(w, id);

	assert_string_equal(got, want);
}

#endif
