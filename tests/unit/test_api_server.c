/* SPDX-License-Identifier: MIT */
/* Requests that wait: answered later, never, too late, or when the server has gone. */
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
#include "api/listen.h"
#include "api/server.h"
#include "base/clock.h"

struct fixture {
	char dir[32], path[64];
	struct loop *loop;
	struct server *server;
	struct listen_file file;
	struct request *waiting; /* a reference */
	usec_t wait_usec;
	unsigned n_admitted;
};

static bool admit(struct request *request, const char *method, int fd, void *data)
{
	struct fixture *f = data;

	f->n_admitted++;
	return true;
}

static void dispatch(struct request *request, void *data)
{
	struct fixture *f = data;

	request->wait_usec = f->wait_usec;
	if (strcmp(request->path, "/now") == 0)
		request_json(request, 200, json_pack("{s:s}", "body", str_get(&request->body)));
	else if (!f->waiting)
		f->waiting = request_ref(request);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct server_calls calls = {admit, dispatch, f};
	struct tend_error err = {0};
	int fd = -1;

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/tend-api-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
	assert_int_equal(loop_new(&f->loop), 0);
	assert_int_equal(listen_unix(f->path, &err, &f->file, &fd), 0);
	assert_int_equal(server_new(f->loop, fd, ORIGIN_UNIX, &calls, &f->server), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->server = server_free(f->server);
	request_unref(f->waiting);
	listen_unix_remove(f->path, &f->file);
	assert_int_equal(rmdir(f->dir), 0);
	loop_free(f->loop);
	free(f);
	return 0;
}

static int ask(const struct fixture *f, const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char text[256];
	int len = snprintf(text, sizeof(text),
		"POST %s HTTP/1.1\r\nHost: tend\r\nContent-Length: 4\r\n\r\nbody", path);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(write(fd, text, (size_t)len), len);
	return fd;
}

/* Turns the loop until the answer is there; it closes the connection. */
static void expect(struct fixture *f, int fd, const char *status, const char *says)
{
	usec_t until = clock_now() + 20 * USEC_PER_SEC;
	char buf[4096];
	ssize_t n, total = 0;

	do {
		assert_true(loop_turn(f->loop, 10 * USEC_PER_MSEC) >= 0);
		n = read(fd, buf + total, sizeof(buf) - 1 - (size_t)total);
		total += n > 0 ? n : 0;
		buf[total] = '\0';
	} while (!strstr(buf, says) && n != 0 && clock_now() < until);
	if (!strstr(buf, status) || !strstr(buf, says))
		fail_msg("not '%s' but: %s", says, buf);
	close(fd);
}

static void turn_until_waiting(struct fixture *f)
{
	while (!f->waiting || !f->waiting->suspended)
		assert_true(loop_turn(f->loop, USEC_PER_SEC) >= 0);
}

static void test_at_once(void **state)
{
	expect(*state, ask(*state, "/now"), "HTTP/1.1 200", "{\"body\":\"body\"}");
}

static void test_later(void **state)
{
	struct fixture *f = *state;
	int fd = ask(f, "/later");

	turn_until_waiting(f);
	/* others are served meanwhile */
	expect(f, ask(f, "/now"), "HTTP/1.1 200", "body");
	request_json(f->waiting, 202, json_pack("{s:i}", "later", 1));
	/* only the first answer counts */
	request_fail(f->waiting, API_ERROR_INTERNAL, "twice");
	expect(f, fd, "HTTP/1.1 202", "{\"later\":1}");
}

static void test_never(void **state)
{
	struct fixture *f = *state;
	int fd;

	f->wait_usec = 50 * USEC_PER_MSEC;
	fd = ask(f, "/never");
	turn_until_waiting(f);
	expect(f, fd, "HTTP/1.1 504", "\"code\":\"timeout\"");
	/* it comes after all, when nobody is there */
	request_json(f->waiting, 200, json_object());
	expect(f, ask(f, "/now"), "HTTP/1.1 200", "body");
}

static void test_client_gone(void **state)
{
	struct fixture *f = *state;
	int fd = ask(f, "/later");

	turn_until_waiting(f);
	close(fd);
	request_json(f->waiting, 200, json_object());
	expect(f, ask(f, "/now"), "HTTP/1.1 200", "body");
}

static void test_server_gone(void **state)
{
	struct fixture *f = *state;
	int fd = ask(f, "/later");

	turn_until_waiting(f);
	f->server = server_free(f->server);
	assert_null(f->waiting->server);
	request_json(f->waiting, 200, json_object());
	close(fd);
}

/* More that wait than there are connections: they end by their deadline, then others get in. */
static void test_all_wait(void **state)
{
	struct fixture *f = *state;
	int fds[64], late;

	f->wait_usec = 300 * USEC_PER_MSEC;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = ask(f, "/never");
	while (f->n_admitted < ARRAY_SIZE(fds))
		assert_true(loop_turn(f->loop, USEC_PER_SEC) >= 0);
	late = ask(f, "/now");
	expect(f, fds[0], "HTTP/1.1 504", "timeout");
	for (size_t i = 1; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	expect(f, late, "HTTP/1.1 200", "body");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_never, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_server_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_wait, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
