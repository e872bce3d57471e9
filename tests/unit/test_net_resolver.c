/* SPDX-License-Identifier: MIT */
/* Names: literals, hosts, the cache, and name servers that answer, fail and keep silent. */
#include "unit.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "dns_server.h"
#include "net/address.h"
#include "net/hosts.h"
#include "net/resolver.h"

static usec_t ahead; /* the test's clock runs this much before the real one */
static usec_t real_now(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}
static usec_t test_now(void)
{
	return real_now() + ahead;
}
static usec_t test_wall(void)
{
	return 0;
}

struct fixture {
	struct loop *loop;
	struct dns_server dns[2];
	struct resolver *resolver;
	char dir[64], hosts[96], resolv_conf[96], servers[64];
};

struct answer {
	unsigned n_calls;
	int r;
	size_t n;
	struct tend_address addresses[TEND_RESOLVE_MAX];
	struct net_lookup *lookup;
};

static void on_answer(int r, const struct tend_address *addresses, size_t n, void *data)
{
	struct answer *a = data;

	a->n_calls++;
	a->r = r;
	a->n = n;
	a->lookup = NULL;
	if (n)
		memcpy(a->addresses, addresses, n * sizeof(*addresses));
}

static void write_file(const char *path, const char *text)
{
	auto_file FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
}

static void open_resolver(struct fixture *f, unsigned n_servers)
{
	struct resolver_options options = {f->resolv_conf, f->hosts, f->servers};

	(void)snprintf(f->servers, sizeof(f->servers),
		n_servers == 2 ? "127.0.0.1:%d,127.0.0.1:%d" : "127.0.0.1:%d", f->dns[0].port,
		f->dns[1].port);
	resolver_free(f->resolver);
	assert_int_equal(resolver_new(f->loop, &options, &f->resolver), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	ahead = 0;
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/tend-net-XXXXXX");
	if (!mkdtemp(f->dir) || loop_new(&f->loop) < 0 || dns_open(&f->dns[0], f->loop) < 0 ||
		dns_open(&f->dns[1], f->loop) < 0)
		return -1;
	(void)snprintf(f->hosts, sizeof(f->hosts), "%s/hosts", f->dir);
	(void)snprintf(f->resolv_conf, sizeof(f->resolv_conf), "%s/resolv.conf", f->dir);
	write_file(f->hosts, "127.0.0.9 fixed.test Other # comment\n::9 fixed.test\nbad line\n");
	write_file(f->resolv_conf, "search test\nnameserver 127.0.0.1\n");
	open_resolver(f, 1);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	resolver_free(f->resolver);
	dns_close(&f->dns[0]);
	dns_close(&f->dns[1]);
	loop_free(f->loop);
	clock_set_source(NULL);
	(void)unlink(f->hosts);
	(void)unlink(f->resolv_conf);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

static void ask(struct fixture *f, const char *name, struct answer *a)
{
	*a = (struct answer){0};
	int r = resolver_resolve(f->resolver, name, on_answer, a, &a->lookup);
	if (a->n_calls == 0)
		a->r = r;
}

static void wait_for(struct fixture *f, const struct answer *a, usec_t timeout)
{
	usec_t until = real_now() + timeout;

	while (a->n_calls == 0 && real_now() < until)
		(void)loop_turn(f->loop, 50 * USEC_PER_MSEC);
	assert_int_equal(a->n_calls, 1);
}

static bool has(const struct answer *a, const char *text)
{
	struct tend_address wanted;

	assert_int_equal(address_parse(text, &wanted), 0);
	for (size_t i = 0; i < a->n; i++)
		if (address_eq(&a->addresses[i], &wanted))
			return true;
	return false;
}

static void test_at_once(void **state)
{
	static const struct {
		const char *name, *address;
		size_t n;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1", 1},
		{"2001:db8::1", "2001:db8::1", 1},
		{"[2001:db8::1]", "2001:db8::1", 1},
		{"localhost", "127.0.0.1", 2},
		{"LOCALHOST.", "::1", 2},
		{"a.b.localhost", "::1", 2},
		{"fixed.test", "127.0.0.9", 2},
		{"FIXED.test", "::9", 2},
		{"other", "127.0.0.9", 1},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct answer a;
		ask(f, rows[i].name, &a);
		if (a.n_calls != 1 || a.r != 0 || a.n != rows[i].n || !has(&a, rows[i].address))
			fail_msg("%s: %d %zu", rows[i].name, a.r, a.n);
		assert_null(a.lookup);
	}
	assert_int_equal(f->dns[0].n_questions, 0);
}

static void test_bad_names(void **state)
{
	static const char *const names[] = {"", ".", "a b", "a/b", "[::1", "::1]", "a\nb", "ü.test",
		"user@host", "1.2.3.4:80", "fe80::1%no-such-interface"};
	char longest[300];
	struct answer a;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		ask(*state, names[i], &a);
		if (a.r != -EINVAL || a.n_calls != 0)
			fail_msg("'%s': %d", names[i], a.r);
	}
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ask(*state, longest, &a);
	assert_int_equal(a.r, -EINVAL);
}

static void test_servers_answer(void **state)
{
	struct fixture *f = *state;
	struct answer a, b;

	ask(f, "host.test", &a);
	ask(f, "HOST.test.", &b);
	assert_int_equal(a.n_calls + b.n_calls, 0);
	wait_for(f, &a, 3 * USEC_PER_SEC);
	wait_for(f, &b, 0);
	assert_int_equal(a.r, 0);
	assert_true(a.n == 2 && has(&a, "192.0.2.7") && has(&a, "2001:db8::7"));
	assert_true(b.n == 2);
	assert_int_equal(f->dns[0].n_questions, 2); /* A and AAAA, for both who asked */
	ask(f, "nothing.test", &a);
	wait_for(f, &a, 3 * USEC_PER_SEC);
	assert_int_equal(a.r, -ENOENT);
	ask(f, "broken.test", &a);
	wait_for(f, &a, 6 * USEC_PER_SEC);
	assert_int_equal(a.r, -EAGAIN);
}

static unsigned questions_after(struct fixture *f, usec_t later)
{
	struct answer a;
	unsigned before = f->dns[0].n_questions;

	ahead += later;
	ask(f, "host.test", &a);
	wait_for(f, &a, 3 * USEC_PER_SEC);
	assert_int_equal(a.r, 0);
	return f->dns[0].n_questions - before;
}

static void test_cache(void **state)
{
	static const struct clock_source source = {test_now, test_wall};
	struct fixture *f = *state;
	struct answer a;

	clock_set_source(&source);
	f->dns[0].ttl = 60;
	assert_int_equal(questions_after(f, 0), 2);
	assert_int_equal(questions_after(f, 59 * USEC_PER_SEC), 0);
	f->dns[0].ttl = 0; /* less than the least */
	assert_int_equal(questions_after(f, 2 * USEC_PER_SEC), 2);
	assert_int_equal(questions_after(f, 4 * USEC_PER_SEC), 0);
	f->dns[0].ttl = 50000; /* more than the most */
	assert_int_equal(questions_after(f, 2 * USEC_PER_SEC), 2);
	assert_int_equal(questions_after(f, 299 * USEC_PER_SEC), 0);
	assert_int_equal(questions_after(f, 2 * USEC_PER_SEC), 2);
	ask(f, "nothing.test", &a);
	wait_for(f, &a, 3 * USEC_PER_SEC);
	ahead += 9 * USEC_PER_SEC;
	ask(f, "nothing.test", &a);
	assert_int_equal(a.n_calls, 1); /* from the cache */
	assert_int_equal(a.r, -ENOENT);
}

static void test_one_server_dead(void **state)
{
	struct fixture *f = *state;
	struct answer a;

	open_resolver(f, 2);
	f->dns[0].deaf = true;
	usec_t began = real_now();
	ask(f, "one.test", &a);
	wait_for(f, &a, 3 * USEC_PER_SEC);
	assert_int_equal(a.r, 0);
	assert_in_range(real_now() - began, 200 * USEC_PER_MSEC, 1200 * USEC_PER_MSEC);
	/* Once its silence is known it is asked last. */
	while (real_now() - began < 4 * USEC_PER_SEC)
		(void)loop_turn(f->loop, 50 * USEC_PER_MSEC);
	unsigned before = f->dns[0].n_questions;
	began = real_now();
	ask(f, "two.test", &a);
	wait_for(f, &a, 3 * USEC_PER_SEC);
	assert_int_equal(a.r, 0);
	assert_true(real_now() - began < 250 * USEC_PER_MSEC);
	assert_int_equal(f->dns[0].n_questions, before);
}

/* With every server silent: nobody waits longer than 5 s, the loop stays free, at most 64 are
 * asked. */
static void test_all_servers_dead(void **state)
{
	enum { N = 1000 };
	struct fixture *f = *state;
	struct answer *a = calloc(N, sizeof(*a));
	usec_t began = real_now(), slowest = 0;
	unsigned n_done = 0;

	f->dns[0].deaf = true;
	for (int i = 0; i < N; i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "n%d.test", i);
		ask(f, name, &a[i]);
		assert_int_equal(a[i].r, 0);
	}
	(void)loop_turn(f->loop, 0);
	while (n_done < N && real_now() - began < 8 * USEC_PER_SEC) {
		usec_t turn = real_now();
		int r = loop_turn(f->loop, 10 * USEC_PER_MSEC);
		turn = real_now() - turn;
		if (r > 0 && turn > slowest)
			slowest = turn;
		n_done = 0;
		for (int i = 0; i < N; i++)
			n_done += a[i].n_calls;
	}
	assert_int_equal(n_done, N);
	for (int i = 0; i < N; i++)
		assert_int_equal(a[i].r, -ETIMEDOUT);
	assert_true(real_now() - began < 6 * USEC_PER_SEC);
	assert_true(slowest < 200 * USEC_PER_MSEC);
	/* Two questions (A, AAAA), two tries each, for those that had a place. */
	assert_in_range(f->dns[0].n_questions, 64, 64 * 2 * 2 * 3);
	free(a);
}

static void test_cancel(void **state)
{
	struct fixture *f = *state;
	struct answer a, b, c;

	ask(f, "host.test", &a);
	ask(f, "host.test", &b);
	net_lookup_cancel(a.lookup);
	wait_for(f, &b, 3 * USEC_PER_SEC);
	assert_int_equal(a.n_calls, 0);
	/* Freed while a question runs. */
	f->dns[0].deaf = true;
	ask(f, "later.test", &c);
	for (int i = 0; i < 5; i++)
		(void)loop_turn(f->loop, 5 * USEC_PER_MSEC);
	f->resolver = resolver_free(f->resolver);
	assert_int_equal(c.n_calls, 0);
}

static void test_files_change(void **state)
{
	static const struct clock_source source = {test_now, test_wall};
	struct fixture *f = *state;
	struct answer a;

	clock_set_source(&source);
	write_file(f->hosts, "192.0.2.99 fixed.test brand-new\n");
	ask(f, "fixed.test", &a);
	assert_true(has(&a, "127.0.0.9")); /* looked at once a second */
	ahead += 2 * USEC_PER_SEC;
	ask(f, "brand-new", &a);
	assert_true(a.n_calls == 1 && has(&a, "192.0.2.99"));
	/* resolv.conf: new channels, while a question runs on the old ones. */
	f->dns[0].deaf = true;
	ask(f, "slow.test", &a);
	while (f->dns[0].n_questions < 2)
		(void)loop_turn(f->loop, 10 * USEC_PER_MSEC);
	f->dns[0].deaf = false;
	write_file(f->resolv_conf, "search test\nnameserver 127.0.0.1\noptions ndots:2\n");
	ahead += 2 * USEC_PER_SEC;
	assert_int_equal(questions_after(f, 0), 2);
	/* The loop's timers keep real time: the retry comes as late as the clock was put ahead. */
	wait_for(f, &a, 10 * USEC_PER_SEC);
	assert_int_equal(a.r, 0);
	assert_int_equal(unlink(f->resolv_conf), 0);
	assert_int_equal(questions_after(f, 400 * USEC_PER_SEC), 2);
}

static void test_stats(void **state)
{
	struct fixture *f = *state;
	struct net_stats stats = {0};
	struct answer a;

	for (int i = 0; i < 3; i++) {
		ask(f, i < 2 ? "host.test" : "nothing.test", &a);
		wait_for(f, &a, 3 * USEC_PER_SEC);
	}
	resolver_add_stats(f->resolver, &stats);
	assert_int_equal(stats.n_lookups, 3);
	assert_int_equal(stats.n_cached, 1);
	assert_int_equal(stats.n_failed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_at_once),
		TEST(test_bad_names),
		TEST(test_servers_answer),
		TEST(test_cache),
		TEST(test_one_server_dead),
		TEST(test_all_servers_dead),
		TEST(test_cancel),
		TEST(test_files_change),
		TEST(test_stats),
#undef TEST
	};

	log_to_stderr();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
