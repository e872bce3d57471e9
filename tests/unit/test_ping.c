/* SPDX-License-Identifier: MIT */
/* Echo requests over sockets as tend-spawn opens them, on loopback: who gets which reply. */
#include "unit.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "exec/spawn/icmp.h"
#include "net/echo.h"
#include "net/ping.h"

enum { N_MANY = 40 };

struct outcome {
	bool done;
	int r;
	size_t n_sent, n_replies;
};

struct fixture {
	struct loop *loop;
	struct pinger *pinger;
	struct icmp_sockets sockets;
};

static int open_all(void **state)
{
	static struct fixture f;

	f = (struct fixture){0};
	if (loop_new(&f.loop) < 0 || pinger_new(f.loop, &f.pinger) < 0)
		return -1;
	icmp_sockets_open(&f.sockets);
	*state = &f;
	return 0;
}

static int close_all(void **state)
{
	struct fixture *f = *state;

	pinger_free(f->pinger);
	icmp_sockets_close(&f->sockets);
	loop_free(f->loop);
	return 0;
}

/* False: this user may open none; the test then has nothing to say. */
static bool hand_over(struct fixture *f)
{
	if (f->sockets.fd4 < 0 || f->sockets.fd6 < 0)
		return false;
	assert_int_equal(
		pinger_take_raw(f->pinger, AF_INET, TAKE_FD(f->sockets.fd4), f->sockets.echo_id),
		0);
	assert_int_equal(
		pinger_take_raw(f->pinger, AF_INET6, TAKE_FD(f->sockets.fd6), f->sockets.echo_id),
		0);
	return true;
}

static void on_ping(int r, const usec_t *rtt, size_t n_sent, void *data)
{
	struct outcome *o = data;

	assert_false(o->done);
	o->done = true;
	o->r = r;
	o->n_sent = n_sent;
	for (size_t i = 0; i < n_sent; i++)
		o->n_replies += rtt[i] != USEC_INFINITY && rtt[i] < USEC_PER_SEC;
}

static struct tend_address address(const char *text)
{
	struct tend_address a = {.length = sizeof(a.in6)};

	if (strchr(text, ':')) {
		a.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
		assert_int_equal(inet_pton(AF_INET6, text, &a.in6.sin6_addr), 1);
		return a;
	}
	a.length = sizeof(a.in);
	a.in.sin_family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, text, &a.in.sin_addr), 1);
	return a;
}

static struct ping *start(struct fixture *f, const char *to, unsigned n, struct outcome *o)
{
	struct tend_address a = address(to);
	const struct ping_order order = {.address = &a,
		.n_packets = n,
		.payload_bytes = 32,
		.interval = USEC_PER_MSEC,
		.wait = 2 * USEC_PER_SEC};
	struct ping *ping = NULL;

	*o = (struct outcome){0};
	assert_int_equal(pinger_start(f->pinger, &order, on_ping, o, &ping), 0);
	return ping;
}

static void wait_for(struct fixture *f, const struct outcome *o)
{
	usec_t until = clock_now() + 5 * USEC_PER_SEC;

	while (!o->done && clock_now() < until)
		(void)loop_turn(f->loop, 50 * USEC_PER_MSEC);
	assert_true(o->done);
}

static void test_no_socket(void **state)
{
	struct fixture *f = *state;
	struct tend_address a = address("127.0.0.1");
	const struct ping_order order = {.address = &a, .n_packets = 1, .payload_bytes = 32};
	struct ping *ping = NULL;

	assert_int_equal(pinger_start(f->pinger, &order, on_ping, NULL, &ping), -ENOTCONN);
}

static void test_replies(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", "::1", "127.0.0.2"};
	struct fixture *f = *state;
	struct outcome outcomes[N_MANY], cancelled;

	if (!hand_over(f))
		skip();
	for (size_t i = 0; i < N_MANY; i++)
		(void)start(f, hosts[i % 3], 1 + (unsigned)i % TEND_PING_MAX, &outcomes[i]);
	ping_cancel(start(f, "127.0.0.1", 5, &cancelled));
	for (size_t i = 0; i < N_MANY; i++) {
		wait_for(f, &outcomes[i]);
		assert_int_equal(outcomes[i].r, 0);
		assert_int_equal(outcomes[i].n_sent, 1 + i % TEND_PING_MAX);
		assert_int_equal(outcomes[i].n_replies, outcomes[i].n_sent);
	}
	assert_false(cancelled.done);
}

static void test_bounds(void **state)
{
	struct fixture *f = *state;
	struct tend_address a = address("127.0.0.1");
	struct ping_order order = {.address = &a, .n_packets = 0, .payload_bytes = 32};
	struct ping *ping = NULL;

	if (!hand_over(f))
		skip();
	assert_int_equal(pinger_start(f->pinger, &order, on_ping, NULL, &ping), -EINVAL);
	order.n_packets = TEND_PING_MAX + 1;
	assert_int_equal(pinger_start(f->pinger, &order, on_ping, NULL, &ping), -EINVAL);
	order.n_packets = 1;
	order.payload_bytes = ECHO_MAX_PAYLOAD_BYTES + 1;
	assert_int_equal(pinger_start(f->pinger, &order, on_ping, NULL, &ping), -EINVAL);
}

/* Only an ICMP socket of the family is taken; any other is closed. */
static void test_other_sockets(void **state)
{
	static const struct {
		int domain, type, family;
	} rows[] = {
		{AF_INET, SOCK_DGRAM, AF_INET},
		{AF_INET6, SOCK_DGRAM, AF_INET6},
		{AF_UNIX, SOCK_STREAM, AF_INET},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int fd = socket(rows[i].domain, rows[i].type | SOCK_CLOEXEC, 0);

		assert_true(fd >= 0);
		assert_int_equal(pinger_take_raw(f->pinger, rows[i].family, fd, 1), -EPROTOTYPE);
		assert_false(pinger_ready(f->pinger, rows[i].family));
		assert_int_equal(fcntl(fd, F_GETFD), -1);
	}
	if (f->sockets.fd6 >= 0)
		assert_int_equal(pinger_take_raw(f->pinger, AF_INET, TAKE_FD(f->sockets.fd6), 1),
			-EPROTOTYPE);
}

/* The filter: nothing of other ids, and it cannot be taken off. */
static void test_filter(void **state)
{
	struct fixture *f = *state;
	struct tend_address to = address("127.0.0.1");
	unsigned char data[200];
	struct echo echo = {.sequence = 9, .nonce = 99};
	int off = 0;

	if (f->sockets.fd4 < 0)
		skip();
	for (int own = 0; own < 2; own++) {
		echo.id = (uint16_t)(f->sockets.echo_id + !own);
		size_t len = echo_build(AF_INET, &echo, 32, data, sizeof(data));
		assert_int_equal(sendto(f->sockets.fd4, data, len, 0, &to.sa, to.length), len);
	}
	/* On loopback a reply is there when sendto() returns, the other's first. */
	ssize_t n = recv(f->sockets.fd4, data, sizeof(data), MSG_DONTWAIT);
	assert_true(n > 0 && echo_parse(AF_INET, true, data, (size_t)n, &echo));
	assert_int_equal(echo.id, f->sockets.echo_id);
	assert_int_equal(recv(f->sockets.fd4, data, sizeof(data), MSG_DONTWAIT), -1);
	assert_int_equal(
		setsockopt(f->sockets.fd4, SOL_SOCKET, SO_DETACH_FILTER, &off, sizeof(off)), -1);
	assert_int_equal(errno, EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_socket, open_all, close_all),
		cmocka_unit_test_setup_teardown(test_replies, open_all, close_all),
		cmocka_unit_test_setup_teardown(test_bounds, open_all, close_all),
		cmocka_unit_test_setup_teardown(test_other_sockets, open_all, close_all),
		cmocka_unit_test_setup_teardown(test_filter, open_all, close_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
