/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <dirent.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "loop/child.h"
#include "loop/rpc.h"

struct side {
	struct rpc *rpc;
	int n_calls, n_notes, n_replies, n_closed, last_r;
	char text[64];
	bool free_in_call;
};

static void on_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data)
{
	struct side *side = data;

	if (id)
		side->n_calls++;
	else
		side->n_notes++;
	(void)snprintf(side->text, sizeof(side->text), "%s", call);
	if (side->free_in_call)
		side->rpc = rpc_free(rpc);
	else if (strcmp(call, "fail") == 0)
		rpc_error(rpc, id, "invalid", "no\nway");
	else if (strcmp(call, "silence") != 0)
		rpc_ok(rpc, id, json_incref(args));
}

static void on_close(struct rpc *rpc, const char *why, void *data)
{
	struct side *side = data;

	side->n_closed++;
	side->rpc = rpc_free(rpc);
}

static void on_reply(const struct rpc_reply *reply, void *data)
{
	struct side *side = data;

	side->n_replies++;
	side->last_r = reply->r;
	(void)snprintf(side->text, sizeof(side->text), "%s",
		reply->r ? reply->message : json_string_value(json_object_get(reply->ok, "x")));
}

static void turn_until(struct loop *loop, const int *counter, int wanted)
{
	usec_t end = clock_now() + 10 * USEC_PER_SEC;

	while (*counter < wanted && clock_now() < end)
		assert_true(loop_turn(loop, USEC_PER_SEC / 10) >= 0);
	assert_int_equal(*counter, wanted);
}

static void make_pair(struct loop *loop, struct side *a, struct side *b)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(rpc_new(loop, pair[0], "a", on_call, on_close, a, &a->rpc), 0);
	assert_int_equal(rpc_new(loop, pair[1], "b", on_call, on_close, b, &b->rpc), 0);
}

static void test_calls(void **unused)
{
	struct side a = {0}, b = {0};
	struct loop *loop;

	assert_int_equal(loop_new(&loop), 0);
	make_pair(loop, &a, &b);
	assert_int_equal(
		rpc_call(a.rpc, "echo", json_pack("{s:s}", "x", "hello"), 0, on_reply, &a, NULL),
		0);
	turn_until(loop, &a.n_replies, 1);
	assert_string_equal(a.text, "hello");
	assert_int_equal(rpc_call(a.rpc, "fail", NULL, 0, on_reply, &a, NULL), 0);
	turn_until(loop, &a.n_replies, 2);
	assert_int_equal(a.last_r, -EREMOTEIO);
	assert_string_equal(a.text, "no\\nway");
	assert_int_equal(rpc_call(b.rpc, "note", NULL, 0, NULL, NULL, NULL), 0);
	turn_until(loop, &a.n_notes, 1);
	assert_int_equal(rpc_call(a.rpc, "silence", NULL, 20000, on_reply, &a, NULL), 0);
	turn_until(loop, &a.n_replies, 3);
	assert_int_equal(a.last_r, -ETIMEDOUT);
	/* The peer goes: what waits ends once, then the close. */
	assert_int_equal(rpc_call(a.rpc, "silence", NULL, 0, on_reply, &a, NULL), 0);
	b.rpc = rpc_free(b.rpc);
	turn_until(loop, &a.n_closed, 1);
	assert_int_equal(a.n_replies, 4);
	assert_int_equal(a.last_r, -ECONNRESET);
	loop_free(loop);
}

static void test_freed_in_call(void **unused)
{
	struct side a = {0}, b = {.free_in_call = true};
	struct loop *loop;

	assert_int_equal(loop_new(&loop), 0);
	make_pair(loop, &a, &b);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rpc_call(a.rpc, "x", NULL, 0, NULL, NULL, NULL), 0);
	turn_until(loop, &a.n_closed, 1);
	assert_int_equal(b.n_notes, 1);
	loop_free(loop);
}

static void test_bad_lines(void **unused)
{
	static const char *const lines[] = {"\n", "{}\n", "[1]\n", "{\"id\":-1,\"call\":\"x\"}\n",
		"{\"id\":\"1\",\"call\":\"x\"}\n", "{\"call\":\"x\",\"call\":\"y\"}\n",
		"garbage\n"};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct side a = {0};
		struct loop *loop;
		int pair[2];

		assert_int_equal(loop_new(&loop), 0);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		assert_int_equal(rpc_new(loop, pair[0], "a", on_call, on_close, &a, &a.rpc), 0);
		assert_int_equal(write(pair[1], lines[i], strlen(lines[i])), strlen(lines[i]));
		turn_until(loop, &a.n_closed, 1);
		assert_int_equal(a.n_calls + a.n_notes, 0);
		close(pair[1]);
		loop_free(loop);
	}
}

static void test_long_line(void **unused)
{
	struct side a = {0};
	struct loop *loop;
	int pair[2];
	static char chunk[65536];
	usec_t end = clock_now() + 10 * USEC_PER_SEC;

	memset(chunk, 'x', sizeof(chunk));
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(rpc_new(loop, pair[0], "a", on_call, on_close, &a, &a.rpc), 0);
	while (a.n_closed == 0 && clock_now() < end) {
		(void)send(pair[1], chunk, sizeof(chunk), MSG_NOSIGNAL);
		assert_true(loop_turn(loop, 0) >= 0);
	}
	assert_int_equal(a.n_closed, 1);
	close(pair[1]);
	loop_free(loop);
}

/* The descriptor arrives no earlier than its line begins, and is the one that was sent. */
static void test_pass_fd(void **unused)
{
	struct side a = {0};
	struct loop *loop;
	int pair[2], pipes[2], got = -1;
	char buf[256], control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	usec_t end = clock_now() + 10 * USEC_PER_SEC;

	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(rpc_new(loop, pair[0], "a", on_call, on_close, &a, &a.rpc), 0);
	assert_int_equal(rpc_call(a.rpc, "first", NULL, 0, NULL, NULL, NULL), 0);
	assert_int_equal(rpc_call_fd(a.rpc, "fork", NULL, pipes[0], 0, on_reply, &a), 0);
	while (got < 0 && clock_now() < end) {
		assert_true(loop_turn(loop, USEC_PER_SEC / 100) >= 0);
		m.msg_controllen = sizeof(control);
		ssize_t n = recvmsg(pair[1], &m, MSG_CMSG_CLOEXEC);
		if (n <= 0 || !CMSG_FIRSTHDR(&m))
			continue;
		assert_non_null(memmem(buf, (size_t)n, "fork", 4));
		memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	}
	assert_true(got >= 0);
	assert_int_equal(write(pipes[1], "!", 1), 1);
	assert_int_equal(read(got, buf, 1), 1);
	close(got);
	close(pipes[1]);
	close(pair[1]);
	a.rpc = rpc_free(a.rpc);
	loop_free(loop);
}

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void send_line_with_fds(int fd, int n_fds)
{
	int fds[3] = {fd, fd, fd};
	char control[CMSG_SPACE(sizeof(fds))] = {0}, line[] = "{\"call\":\"take\"}\n";
	struct iovec iov = {line, sizeof(line) - 1};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE((size_t)n_fds * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN((size_t)n_fds * sizeof(int));
	memcpy(CMSG_DATA(c), fds, (size_t)n_fds * sizeof(int));
	assert_int_equal(sendmsg(fd, &m, MSG_NOSIGNAL), (ssize_t)iov.iov_len);
}

/* One descriptor is kept; of more none stays open, and the peer is not talked to any more. */
static void test_take_fd(void **unused)
{
	for (int n_fds = 1; n_fds <= 3; n_fds++) {
		struct side a = {0};
		struct loop *loop;
		int pair[2], before = count_fds(), got;

		assert_int_equal(loop_new(&loop), 0);
		assert_int_equal(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			0);
		assert_int_equal(rpc_new(loop, pair[0], "a", on_call, on_close, &a, &a.rpc), 0);
		rpc_accept_fds(a.rpc);
		send_line_with_fds(pair[1], n_fds);
		turn_until(loop, n_fds == 1 ? &a.n_notes : &a.n_closed, 1);
		if (n_fds == 1) {
			got = rpc_take_fd(a.rpc);
			assert_true(got >= 0);
			assert_int_equal(close(got), 0);
			assert_int_equal(rpc_take_fd(a.rpc), -EBADF);
			a.rpc = rpc_free(a.rpc);
		}
		assert_int_equal(a.n_notes, n_fds == 1);
		close(pair[1]);
		loop_free(loop);
		assert_int_equal(count_fds(), before);
	}
}

static int n_up, n_down;

static void on_up(struct child *child, struct rpc *rpc, void *data)
{
	n_up++;
}

static void on_down(struct child *child, const char *why, void *data)
{
	n_down++;
}

static void test_child_comes_back(void **unused)
{
	const char *const argv[] = {"/bin/true", NULL};
	struct child_spec spec = {.name = "true", .argv = argv, .on_up = on_up, .on_down = on_down};
	struct loop *loop;
	struct child *child;

	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(child_new(loop, &spec, &child), 0);
	turn_until(loop, &n_down, 3);
	assert_true(n_up >= 3);
	assert_true(child_n_starts(child) >= 3);
	child_free(child);
	loop_free(loop);
}

static void on_slow(int fd, uint32_t events, void *data)
{
	usec_t until = clock_now() + USEC_PER_MSEC;
	uint64_t n;

	assert_int_equal(read(fd, &n, sizeof(n)), sizeof(n));
	while (clock_now() < until)
		;
	++*(int *)data;
}

/* What is quick for each of many is long for who waits for all of them. */
static void test_busy_with_many(void **unused)
{
	enum { MANY = 15 };
	struct loop_source *sources[MANY];
	struct loop *loop;
	int fds[MANY], n = 0;

	assert_int_equal(loop_new(&loop), 0);
	for (int i = 0; i < MANY; i++) {
		fds[i] = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
		assert_true(fds[i] >= 0);
		assert_int_equal(loop_io_new(loop, fds[i], EPOLLIN, on_slow, &n, &sources[i]), 0);
	}
	turn_until(loop, &n, MANY);
	assert_true(loop_recent_busy(loop) >= MANY * USEC_PER_MSEC);
	for (int i = 0; i < MANY; i++) {
		loop_source_free(sources[i]);
		assert_int_equal(close(fds[i]), 0);
	}
	loop_free(loop);
}

static void on_one(int fd, uint32_t events, void *data)
{
	uint64_t n;

	assert_int_equal(read(fd, &n, sizeof(n)), sizeof(n));
	++*(int *)data;
}

struct look {
	const int *n;
	int seen;
	int n_fired;
};

static void on_patient(void *data)
{
	struct look *look = data;

	look->seen = *look->n;
	look->n_fired++;
}

/* It is due from the start, and still comes after all that is ready. */
static void test_patient_timer(void **unused)
{
	enum { MANY = 500 };
	int n = 0, fd = eventfd(MANY, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
	struct look look = {.n = &n};
	struct loop_source *io, *timer;
	struct loop *loop;

	assert_true(fd >= 0);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(loop_timer_new(loop, on_patient, &look, &timer), 0);
	loop_timer_set_patient(timer);
	loop_timer_set(timer, clock_now());
	assert_int_equal(loop_io_new(loop, fd, EPOLLIN, on_one, &n, &io), 0);
	turn_until(loop, &look.n_fired, 1);
	assert_int_equal(look.n_fired, 1);
	assert_int_equal(look.seen, MANY);
	loop_source_free(io);
	loop_source_free(timer);
	assert_int_equal(close(fd), 0);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_freed_in_call),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_pass_fd),
		cmocka_unit_test(test_take_fd),
		cmocka_unit_test(test_child_comes_back),
		cmocka_unit_test(test_busy_with_many),
		cmocka_unit_test(test_patient_timer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
