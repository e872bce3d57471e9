/* SPDX-License-Identifier: MIT */
/*
 * A plugin run by the real host on a real loop: options as text in, the end of the attempt out. And
 * a helper program that prints one line of JSON when it is up, and ends with its standard input.
 */
#ifndef PLUGIN_FIXTURE_H
#define PLUGIN_FIXTURE_H

#include "unit.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "conf/options.h"
#include "loop/loop.h"
#include "net/net.h"
#include "watch/host.h"
#include "watch/units.h"

enum { FIXTURE_MAX_OPTIONS = 24 };

struct fixture {
	struct loop *loop;
	struct net *net;
	struct tend_units *units;
	struct host *host;
	struct conf conf; /* owns nothing; never freed */
	char dir[64];
	pid_t server;
	int server_stdin;
	json_t *ports;
};

struct fixture_end {
	bool ended;
	enum tend_reason reason;
	char text[RESULT_TEXT_BYTES];
	size_t n_metrics;
	struct metric metrics[TEND_SAMPLES_MAX];
	json_t *outcome;
	usec_t took;
};

static inline void fixture_no_unit(const char *check, void *data)
{
}

static inline int fixture_open(struct fixture *f)
{
	*f = (struct fixture){.server_stdin = -EBADF, .conf.n_refs = 1};
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/tend-plugin-XXXXXX");
	if (!mkdtemp(f->dir) || loop_new(&f->loop) < 0 || net_new(f->loop, &f->net) < 0)
		return -1;
	return host_new(f->loop, f->net, f->units, fixture_no_unit, NULL, &f->host);
}

static inline void fixture_close(struct fixture *f)
{
	auto_free char *command = str_printf("rm -rf %s", f->dir);

	host_free(f->host);
	net_free(f->net);
	units_free(f->units);
	loop_free(f->loop);
	safe_close(f->server_stdin);
	if (f->server > 0)
		(void)waitpid(f->server, NULL, 0);
	json_decref(f->ports);
	if (command && system(command) != 0)
		print_message("left behind: %s\n", f->dir);
}

/* Runs `program FOLDER` and reads its line. */
static inline int fixture_serve(struct fixture *f, const char *program)
{
	int in[2], out[2];
	char line[4096] = "";
	size_t n = 0;

	if (pipe(in) < 0 || pipe(out) < 0)
		return -1;
	f->server = fork();
	if (f->server == 0) {
		sigset_t none;
		(void)sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		(void)dup2(in[0], 0);
		(void)dup2(out[1], 1);
		for (int fd = 3; fd < 256; fd++)
			(void)close(fd);
		(void)execlp("python3", "python3", "-B", program, f->dir, (char *)NULL);
		_exit(127);
	}
	(void)close(in[0]);
	(void)close(out[1]);
	f->server_stdin = in[1];
	while (n < sizeof(line) - 1 && !memchr(line, '\n', n)) {
		ssize_t got = read(out[0], line + n, sizeof(line) - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	(void)close(out[0]);
	f->ports = json_loads(line, 0, NULL);
	return f->ports ? 0 : -1;
}

static inline int fixture_port(const struct fixture *f, const char *name)
{
	return (int)json_integer_value(json_object_get(f->ports, name));
}

static inline void fixture_on_end(struct attempt_end *end, void *data)
{
	struct fixture_end *e = data;

	assert_false(e->ended);
	e->ended = true;
	e->reason = end->reason;
	(void)snprintf(e->text, sizeof(e->text), "%s", end->text);
	e->n_metrics = end->n_metrics;
	if (end->n_metrics)
		memcpy(e->metrics, end->metrics, end->n_metrics * sizeof(*end->metrics));
	e->outcome = json_incref(end->outcome);
	e->took = end->finished - end->started;
}

/* "key = value" or "map.key = value" */
static inline int fixture_option(
	const struct tend_option *rows, void *conf, const char *line, struct tend_error *err)
{
	const char *equals = strstr(line, " = ");
	char key[256];

	assert_non_null(equals);
	(void)snprintf(key, sizeof(key), "%.*s", (int)(equals - line), line);
	for (const struct tend_option *row = rows; row->name; row++) {
		size_t n = strlen(row->name);
		if (conf_option_is_map(row) && strncmp(key, row->name, n) == 0 && key[n] == '.')
			return conf_option_map_add(row, conf, key + n + 1, equals + 3, err);
		if (strcmp(row->name, key) == 0)
			return conf_option_set(row, conf, equals + 3, err);
	}
	fail_msg("no option %s", key);
	return -ENOENT;
}

/* Also runs check(); the configuration is freed by fixture_conf_free(). */
static inline int fixture_conf(const struct tend_probe *probe, const char *const *options,
	struct tend_error *err, void **ret_conf)
{
	void *conf = calloc(1, probe->conf_size);
	int r = conf_options_init(probe->options, conf, err);

	for (; r == 0 && options && *options; options++)
		r = fixture_option(probe->options, conf, *options, err);
	if (r == 0 && probe->check)
		r = probe->check(conf, err);
	*ret_conf = conf;
	return r;
}

static inline void fixture_conf_free(const struct tend_probe *probe, void *conf)
{
	if (probe->clear)
		probe->clear(conf);
	conf_options_free(probe->options, conf);
	free(conf);
}

static inline void fixture_wait(struct fixture *f, const bool *done, usec_t timeout)
{
	usec_t until = clock_now() + timeout;

	while (!*done && clock_now() < until)
		(void)loop_turn(f->loop, 100 * USEC_PER_MSEC);
	assert_true(*done);
}

static inline struct fixture_end fixture_run_conf(struct fixture *f, const struct tend_probe *probe,
	const void *conf, usec_t timeout, const char *method, json_t *args)
{
	struct fixture_end end = {0};
	struct tend_attempt *a = NULL;
	struct attempt_spec spec = {.owner = &f->conf,
		.probe = probe,
		.probe_conf = conf,
		.name = "a/b/c",
		.timeout = timeout,
		.method = method,
		.args = args,
		.done = fixture_on_end,
		.data = &end};

	assert_int_equal(attempt_start(f->host, &spec, &a), 0);
	fixture_wait(f, &end.ended, timeout + 5 * USEC_PER_SEC);
	return end;
}

static inline struct fixture_end fixture_run(struct fixture *f, const struct tend_probe *probe,
	const char *const *options, usec_t timeout)
{
	void *conf = NULL;
	struct tend_error err = {0};

	if (fixture_conf(probe, options, &err, &conf) < 0)
		fail_msg("configuration: %s", err.text);
	struct fixture_end end = fixture_run_conf(f, probe, conf, timeout, NULL, NULL);
	fixture_conf_free(probe, conf);
	return end;
}

static inline const struct metric *fixture_metric(const struct fixture_end *end, const char *name)
{
	for (size_t i = 0; i < end->n_metrics; i++)
		if (strcmp(end->metrics[i].name, name) == 0)
			return &end->metrics[i];
	return NULL;
}

#endif
