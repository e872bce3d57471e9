/* SPDX-License-Identifier: MIT */
/*
 * tendd's side of tend-exec against a peer that follows a script: what cannot be brought about with
 * the real one at will (a connection lost right after a request, a helper that never comes). The
 * real one is in tests/system/test_exec*.py.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/str.h"
#include "exec/client.h"
#include "loop/rpc.h"

#define ID  "0192a6f0-1111-7222-8333-444455556666"
#define ID2 "0192a6f0-1111-7222-8333-444455557777"

/* What the peer does, one step a call (hello is always answered). */
enum step { STEP_OK, STEP_HANG_UP, STEP_ERROR, STEP_WAIT, STEP_REFUSE_PEER };
struct script {
	const char *call; /* expected */
	enum step step;
	const char *text; /* the answer as JSON, or the error's code */
};

struct fixture {
	struct loop *loop;
	char dir[64], path[80];
	int fd;
	struct loop_source *io;
	struct rpc *peer;
	struct rpc *gone[16]; /* freed at the end: not from within their own callbacks */
	size_t n_gone;
	const struct script *script;
	size_t n_calls, n_hellos;
	struct exec_client *client;
	unsigned n_results;
	enum exec_outcome outcome;
	char code[32], message[256], id[40], progress[64];
	int exit_status;
};

static usec_t shift;

static usec_t shifted_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000 + shift;
}

static usec_t shifted_wall(void)
{
	return shifted_now();
}

static void hang_up(struct fixture *f)
{
	(void)shutdown(rpc_fd(f->peer), SHUT_RDWR);
}

static void peer_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data)
{
	struct fixture *f = data;
	const struct script *s = &f->script[f->n_calls];

	if (strcmp(call, "hello") == 0) {
		f->n_hellos++;
		if (s->step == STEP_REFUSE_PEER) {
			f->n_calls++;
			(void)rpc_call(rpc, "refused", json_pack("{s:s}", "message", s->text), 0,
				NULL, NULL, NULL);
			return;
		}
		(void)rpc_ok(rpc, id, json_pack("{s:s}", "version", "9"));
		return;
	}
	if (!s->call)
		fail_msg("an unexpected call: %s", call);
	assert_string_equal(call, s->call);
	assert_string_equal(json_string_value(json_object_get(args, "id")), ID);
	f->n_calls++;
	if (s->step == STEP_OK)
		(void)rpc_ok(rpc, id, json_loads(s->text, 0, NULL));
	else if (s->step == STEP_ERROR)
		(void)rpc_error(rpc, id, s->text, "because");
	else if (s->step == STEP_HANG_UP)
		hang_up(f);
}

static void peer_close(struct rpc *rpc, const char *why, void *data)
{
}

static void on_accept(int listen_fd, uint32_t events, void *data)
{
	struct fixture *f = data;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	assert_true(fd >= 0);
	if (f->peer) {
		assert_true(f->n_gone < ARRAY_SIZE(f->gone));
		f->gone[f->n_gone++] = f->peer;
	}
	assert_int_equal(rpc_new(f->loop, fd, "peer", peer_call, peer_close, f, &f->peer), 0);
}

static void start_listening(struct fixture *f)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(f->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(f->fd, 5), 0);
	assert_int_equal(loop_io_new(f->loop, f->fd, EPOLLIN, on_accept, f, &f->io), 0);
}

static void on_progress(const char *id, const char *line, void *data)
{
	struct fixture *f = data;

	assert_string_equal(id, ID);
	(void)snprintf(f->progress, sizeof(f->progress), "%s", line);
}

static int set_up(void **state)
{
	static const struct clock_source source = {shifted_now, shifted_wall};
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	shift = 0;
	clock_set_source(&source);
	assert_int_equal(loop_new(&f->loop), 0);
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/tend-client-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
	f->fd = -EBADF;
	assert_int_equal(exec_client_new(f->loop, f->path, on_progress, f, &f->client), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	exec_client_free(f->client);
	rpc_free(f->peer);
	for (size_t i = 0; i < f->n_gone; i++)
		rpc_free(f->gone[i]);
	loop_source_free(f->io);
	safe_close(f->fd);
	loop_free(f->loop);
	(void)unlink(f->path);
	(void)rmdir(f->dir);
	clock_set_source(NULL);
	free(f);
	return 0;
}

static void on_result(const struct exec_result *result, void *data)
{
	struct fixture *f = data;

	f->n_results++;
	f->outcome = result->outcome;
	f->exit_status = result->exit_status;
	(void)snprintf(f->code, sizeof(f->code), "%s", result->code);
	(void)snprintf(f->message, sizeof(f->message), "%s", result->message);
	(void)snprintf(f->id, sizeof(f->id), "%s", result->id);
}

/* Real time: the loop's clock cannot be turned. */
#define WAIT_FOR(f, condition)                                                                     \
	do {                                                                                       \
		usec_t until_ = shifted_now() - shift + 20 * USEC_PER_SEC;                         \
		while (!(condition)) {                                                             \
			if (shifted_now() - shift > until_)                                        \
				fail_msg("waited in vain for " #condition);                        \
			assert_true(loop_turn((f)->loop, 50000) >= 0);                             \
		}                                                                                  \
	} while (0)

static const struct exec_order order = {.id = ID, .why = "why"};

static void send_unit(struct fixture *f)
{
	assert_int_equal(
		exec_client_unit(f->client, &order, "restart", "a.service", on_result, f), 0);
}

static void send_command(struct fixture *f)
{
	assert_int_equal(exec_client_command(f->client, &order, "c", NULL, on_result, f), 0);
}

static void send_attach(struct fixture *f)
{
	assert_int_equal(exec_client_attach(f->client, ID, on_result, f), 0);
}

static void test_scripts(void **state)
{
#define DONE "{\"outcome\":\"done\",\"message\":\"m\"}"
	static const struct {
		const char *name;
		void (*send)(struct fixture *f);
		struct script script[6];
		enum exec_outcome outcome;
		const char *code, *message;
	} rows[] = {
		{"done", send_unit, {{"unit", STEP_OK, DONE}}, EXEC_DONE, "", "m"},
		{"failed", send_command,
			{{"command", STEP_OK, "{\"outcome\":\"failed\",\"message\":\"m\"}"}},
			EXEC_FAILED, "", "m"},
		{"lost after it was sent", send_unit,
			{{"unit", STEP_HANG_UP, NULL}, {"attach", STEP_OK, DONE}}, EXEC_DONE, "",
			"m"},
		{"lost again and again", send_command,
			{{"command", STEP_HANG_UP, NULL}, {"attach", STEP_HANG_UP, NULL},
				{"attach", STEP_HANG_UP, NULL}, {"attach", STEP_OK, DONE}},
			EXEC_DONE, "", "m"},
		{"lost, and never begun", send_unit,
			{{"unit", STEP_HANG_UP, NULL},
				{"attach", STEP_OK,
					"{\"outcome\":\"refused\",\"message\":\"never begun\"}"}},
			EXEC_REFUSED, "never-begun", "never begun"},
		{"begun before", send_unit,
			{{"unit", STEP_ERROR, "duplicate"}, {"attach", STEP_OK, DONE}}, EXEC_DONE,
			"", "m"},
		{"limited", send_unit, {{"unit", STEP_ERROR, "limited"}}, EXEC_REFUSED, "limited",
			"because"},
		{"attach cannot be answered yet", send_attach,
			{{"attach", STEP_ERROR, "unavailable"}, {"attach", STEP_OK, DONE}},
			EXEC_DONE, "", "m"},
		{"attach makes no sense", send_attach, {{"attach", STEP_ERROR, "invalid"}},
			EXEC_UNKNOWN, "invalid", "because"},
		{"an answer without outcome", send_unit, {{"unit", STEP_OK, "{}"}}, EXEC_UNKNOWN,
			"", ""},
		{"not the main process yet", send_unit,
			{{NULL, STEP_REFUSE_PEER, "not you"}, {NULL, STEP_REFUSE_PEER, "not you"},
				{"unit", STEP_OK, DONE}},
			EXEC_DONE, "", "m"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *fresh = NULL;
		struct fixture *f;
		size_t n = 0;

		assert_int_equal(set_up(&fresh), 0);
		f = fresh;
		f->script = rows[i].script;
		start_listening(f);
		rows[i].send(f);
		assert_int_equal(f->n_results, 0); /* never from within the call */
		WAIT_FOR(f, f->n_results > 0);
		while (rows[i].script[n].call || rows[i].script[n].text)
			n++;
		if (f->outcome != rows[i].outcome || strcmp(f->code, rows[i].code) != 0 ||
			strcmp(f->message, rows[i].message) != 0 || f->n_calls != n)
			fail_msg("%s: %s, '%s', '%s', %zu calls", rows[i].name,
				exec_outcome_names[f->outcome], f->code, f->message, f->n_calls);
		assert_string_equal(f->id, ID);
		assert_int_equal(f->n_results, 1);
		assert_int_equal(tear_down(&fresh), 0);
	}
}

static void test_command_fields(void **state)
{
	static const struct script script[] = {
		{"command", STEP_WAIT, NULL},
		{NULL, STEP_OK, NULL},
	};
	struct fixture *f = *state;

	f->script = script;
	start_listening(f);
	send_command(f);
	WAIT_FOR(f, f->n_calls == 1);
	assert_true(exec_client_connected(f->client));
	assert_string_equal(exec_client_trouble(f->client), "");
	assert_string_equal(
		json_string_value(json_object_get(exec_client_hello(f->client), "version")), "9");
	assert_int_equal(
		rpc_call(f->peer, "progress", json_pack("{s:s, s:s}", "id", ID, "line", "half"), 0,
			NULL, NULL, NULL),
		0);
	WAIT_FOR(f, f->progress[0]);
	assert_string_equal(f->progress, "half");
	assert_int_equal(
		rpc_ok(f->peer, 2, json_pack("{s:s, s:i}", "outcome", "failed", "exit_status", 7)),
		0);
	WAIT_FOR(f, f->n_results);
	assert_int_equal(f->exit_status, 7);
}

static void test_never_there(void **state)
{
	struct fixture *f = *state;

	send_unit(f);
	assert_int_equal(exec_client_attach(f->client, ID2, on_result, f), 0);
	for (int i = 0; i < 5; i++)
		assert_true(loop_turn(f->loop, 50000) >= 0);
	assert_int_equal(f->n_results, 0);
	shift = (EXEC_CLIENT_PATIENCE_MSEC + 1000) * USEC_PER_MSEC;
	WAIT_FOR(f, f->n_results);
	assert_int_equal(f->outcome, EXEC_REFUSED);
	assert_string_equal(f->code, "unavailable");
	assert_string_equal(f->message, "No such file or directory");
	assert_string_equal(f->id, ID);
	/* An open question is not an outcome: the attachment waits on. */
	assert_int_equal(f->n_results, 1);
	assert_int_equal(exec_client_attach(f->client, ID2, on_result, f), -EEXIST);
}

static void test_bad_calls(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(exec_client_unit(f->client, &(struct exec_order){.id = "x"}, "start",
				 "a.service", on_result, f),
		-EINVAL);
	assert_int_equal(
		exec_client_unit(f->client, &order, "start", "\xff", on_result, f), -EINVAL);
	send_unit(f);
	assert_int_equal(
		exec_client_command(f->client, &order, "c", json_object(), on_result, f), -EEXIST);
	exec_client_forget(f->client, ID);
	exec_client_forget(f->client, ID);
	send_unit(f);
	for (int i = 0; i < EXEC_CLIENT_MAX_REQUESTS - 1; i++) {
		char id[40];

		(void)snprintf(id, sizeof(id), "0192a6f0-1111-7222-8333-%012d", i);
		assert_int_equal(exec_client_attach(f->client, id, on_result, f), 0);
	}
	assert_int_equal(exec_client_attach(f->client, ID2, on_result, f), -ENOBUFS);
}

static void free_client(const struct exec_result *result, void *data)
{
	struct fixture *f = data;

	f->client = exec_client_free(f->client);
	f->n_results++;
}

static void test_freed_by_its_callback(void **state)
{
	static const struct script script[] = {
		{"unit", STEP_OK, DONE},
		{NULL, STEP_OK, NULL},
	};
	struct fixture *f = *state;

	f->script = script;
	start_listening(f);
	assert_int_equal(
		exec_client_unit(f->client, &order, "start", "a.service", free_client, f), 0);
	WAIT_FOR(f, f->n_results);
	assert_null(f->client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test_setup_teardown(test_command_fields, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_never_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_calls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_freed_by_its_callback, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
