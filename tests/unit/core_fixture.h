/* SPDX-License-Identifier: MIT */
/*
 * A loop, a store and a watch in a folder of their own. What checks answer is told by files; they
 * run when the test says so, never by themselves. core_close() and core_open() are a restart.
 */
#ifndef CORE_FIXTURE_H
#define CORE_FIXTURE_H

#include "unit.h"
#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "conf/conf.h"
#include "loop/child.h"
#include "net/net.h"
#include "store/store.h"
#include "watch/private.h"

struct core {
	char dir[64];
	struct loop *loop;
	struct store *store;
	struct net *net;
	struct watch *watch;
	struct conf *conf;
	bool fresh;
};

#define WAIT_FOR(loop, condition)                                                                  \
	do {                                                                                       \
		usec_t until_ = clock_now() + 60 * USEC_PER_SEC;                                   \
		while (!(condition)) {                                                             \
			if (clock_now() > until_)                                                  \
				fail_msg("waited in vain for %s", #condition);                     \
			assert_true(loop_turn(loop, 100 * USEC_PER_MSEC) >= 0);                    \
		}                                                                                  \
	} while (0)

static inline void core_write(const char *path, const char *text)
{
	auto_free char *next = str_printf("%s.new", path);
	FILE *file = fopen(next, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(next, path), 0);
}

/* What "system/component/check" answers from now on. */
static inline void core_tell(const struct core *c, const char *check, const char *answer)
{
	auto_free char *path = str_printf("%s/%s", c->dir, check);

	for (char *p = path + strlen(c->dir) + 1; *p; p++)
		if (*p == '/')
			*p = '.';
	core_write(path, answer);
}

/* A check's section: it answers by its file, and is not due within the test. That it fails and
 * recovers all the time is the test's, not flapping. */
#define CHECK(name, file, more)                                                                    \
	"[check " name "]\nprobe = told\nfile = @/" file                                           \
	"\ninterval = 1h\ntimeout = 500ms\nconfirm = 2 of 2\nflap_high = 0\n" more

/* `daemon` goes into [daemon]; '@' stands for the folder's name, but not
 * before a digit (ranges). */
static inline struct conf *core_load(const struct core *c, const char *daemon, const char *body)
{
	auto_free char *path = str_printf("%s/tend.conf", c->dir);
	auto_free char *text =
		str_printf("[daemon]\nstate_dir = @/state\nrun_dir = @\n%s\n%s", daemon, body);
	struct str whole = STR_INIT(1 << 20);
	struct conf_errors errors = {0};
	struct conf *conf = NULL;

	for (const char *p = text; *p; p++)
		assert_int_equal(*p == '@' && !isdigit((unsigned char)p[1])
					 ? str_append(&whole, c->dir, strlen(c->dir))
					 : str_append(&whole, p, 1),
			0);
	core_write(path, str_get(&whole));
	str_clear(&whole);
	if (conf_load(path, TOLD_PLUGINS, &errors, &conf) < 0)
		fail_msg("%s:%u: %s", errors.items[0].file, errors.items[0].line,
			errors.items[0].text);
	conf_errors_clear(&errors);
	return conf;
}

/* Steals `conf`. */
static inline void core_apply(struct core *c, struct conf *conf)
{
	conf_unref(c->conf);
	c->conf = conf;
	assert_int_equal(watch_apply(c->watch, conf), 0);
	MAP_FOREACH (&c->watch->checks, struct check *, check)
		assert_int_equal(
			heap_put(&c->watch->due, &check->due, clock_now() + 3600 * USEC_PER_SEC),
			0);
}

static inline void core_open(struct core *c)
{
	auto_free char *state = str_printf("%s/state", c->dir);
	struct tend_error err = {0};
	usec_t until = clock_now() + 5 * USEC_PER_SEC;
	int r;

	/* A helper that was just spawned may hold the lock until its exec() has closed it. */
	while ((r = store_open(c->loop, state, &err, &c->fresh, &c->store)) == -EBUSY &&
		clock_now() < until)
		(void)usleep(1000);
	if (r < 0)
		fail_msg("%s", err.text);
	assert_int_equal(net_new(c->loop, &c->net), 0);
	assert_int_equal(watch_new(c->loop, c->store, c->net, &c->watch), 0);
}

static inline void core_close(struct core *c)
{
	c->watch = watch_free(c->watch);
	c->net = net_free(c->net);
	c->store = store_free(c->store);
	c->conf = conf_unref(c->conf);
}

static inline void core_setup(struct core *c)
{
	*c = (struct core){0};
	(void)snprintf(c->dir, sizeof(c->dir), "/tmp/tend-core-XXXXXX");
	assert_non_null(mkdtemp(c->dir));
	assert_int_equal(loop_new(&c->loop), 0);
	core_open(c);
}

static inline void core_teardown(struct core *c)
{
	auto_free char *command = str_printf("rm -rf '%s'", c->dir);

	core_close(c);
	children_drain(USEC_PER_SEC);
	loop_free(c->loop);
	assert_int_equal(system(command), 0);
}

static inline struct check *core_check(struct core *c, const char *name)
{
	struct check *check = watch_find_check(c->watch, name);

	assert_non_null(check);
	return check;
}

static inline void core_count(int r, struct check *check, void *data)
{
	int *n = data;

	*n += r == 0 ? 1 : 1000;
}

/* One attempt, and all that comes of it at once. It counts as if its time had come. */
static inline void core_run(struct core *c, const char *name)
{
	struct check *check = core_check(c, name);
	int n = 0;

	check->counted = 0;
	assert_int_equal(watch_run_now(c->watch, name, clock_now(), core_count, &n), 0);
	WAIT_FOR(c->loop, n == 1);
}

static inline bool core_locating(struct core *c)
{
	MAP_FOREACH (&c->watch->checks, const struct check *, check)
		if (check->locate || check->attempt)
			return true;
	return false;
}

/* Tells, runs twice (confirm = 2 of 2) and waits until whoever is asked has answered. */
static inline void core_fail(struct core *c, const char *name, const char *reason)
{
	core_tell(c, name, reason);
	core_run(c, name);
	core_run(c, name);
	WAIT_FOR(c->loop, !core_locating(c));
}

#endif
