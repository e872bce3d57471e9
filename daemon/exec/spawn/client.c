/* SPDX-License-Identifier: MIT */
#include "exec/spawn/client.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "exec/ssh.h"
#include "loop/rpc.h"

/* tend-spawn answers at the deadline; so much later it hangs. */
#define ANSWER_WITHIN_USEC (5 * USEC_PER_SEC)
/* Of a socket, which it has at hand. */
#define ICMP_WITHIN_USEC (USEC_PER_SEC)
/* A host that cannot be reached is not tried for each of its checks. */
#define SSH_AGAIN_USEC (5 * USEC_PER_SEC)

struct spawn_ask {
	struct spawn_client *client;
	char id[24];
	uint64_t rpc_id;
	spawn_fn fn;
	spawn_icmp_fn icmp_fn; /* instead of fn */
	void *data;
	LIST_ENTRY(spawn_ask) link;
};

struct spawn_client {
	struct loop *loop;
	char *path;	 /* NULL: by ssh */
	char **ssh_argv; /* NULL: the socket */
	struct ssh_link *ssh;
	usec_t not_before; /* by ssh: the next try */
	bool heard;	   /* this connection has got as far as tend-spawn */
	struct rpc *rpc;
	uint64_t n_asks;
	char refused[256]; /* what tend-spawn said when it turned us away */
	LIST_HEAD(, spawn_ask) asks;
};

static struct spawn_ask *ask_free(struct spawn_ask *ask)
{
	LIST_REMOVE(ask, link);
	free(ask);
	return NULL;
}

static void end(struct spawn_ask *ask, const struct spawn_reply *reply)
{
	spawn_fn fn = ask->fn;
	void *data = ask->data;

	ask_free(ask);
	fn(reply, data);
}

static int code_errno(const char *code)
{
	static const struct {
		const char *code;
		int r;
	} rows[] = {
		{"not-allowed", -EPERM},
		{"missing", -ENOENT},
		{"not-executable", -ENOEXEC},
		{"cannot-start", -ENOEXEC},
		{"busy", -EBUSY},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].code, code) == 0)
			return rows[i].r;
	return -EPROTO;
}

static void get_text(const json_t *ok, const char *key, const char **ret_text, size_t *ret_len)
{
	const json_t *value = json_object_get(ok, key);

	*ret_text = json_is_string(value) ? json_string_value(value) : "";
	*ret_len = json_string_length(value);
}

static int get_number(const json_t *ok, const char *key, int otherwise)
{
	const json_t *value = json_object_get(ok, key);

	return json_is_integer(value) ? (int)json_integer_value(value) : otherwise;
}

static void read_result(const json_t *ok, struct spawn_reply *reply)
{
	get_text(ok, "stdout", &reply->out, &reply->out_len);
	get_text(ok, "stderr", &reply->err, &reply->err_len);
	reply->timed_out = json_is_true(json_object_get(ok, "timed_out"));
	reply->truncated = json_is_true(json_object_get(ok, "truncated"));
	reply->exit_status = get_number(ok, "exit_status", -1);
	reply->signo = get_number(ok, "signal", 0);
	reply->elapsed = (usec_t)json_integer_value(json_object_get(ok, "elapsed_usec"));
	if (!reply->timed_out && reply->exit_status < 0 && reply->signo <= 0) {
		reply->r = -EPROTO;
		reply->message = "tend-spawn's answer says nothing of its end";
	}
}

static void note_ssh_failure(struct spawn_client *client)
{
	const char *said = client->ssh ? ssh_link_said(client->ssh) : "";
	char text[200];

	str_sanitize(text, sizeof(text), said, strcspn(said, "\r\n"));
	(void)snprintf(client->refused, sizeof(client->refused),
		"tend-spawn of the other host cannot be reached by ssh%s%s", text[0] ? ": " : "",
		text);
}

static void on_reply(const struct rpc_reply *rpc_reply, void *data)
{
	struct spawn_ask *ask = data;
	struct spawn_client *client = ask->client;
	struct spawn_reply reply = {.r = rpc_reply->r, .out = "", .err = "", .exit_status = -1};

	ask->rpc_id = 0;
	if (rpc_reply->r == 0) {
		read_result(rpc_reply->ok, &reply);
	} else if (rpc_reply->r == -EREMOTEIO) {
		reply.r = code_errno(rpc_reply->error_code);
		reply.message = rpc_reply->message;
	} else if (client->refused[0]) {
		reply.r = -ENOTCONN;
		reply.message = client->refused;
	} else if (client->ssh_argv && !client->heard) {
		note_ssh_failure(client);
		reply.r = -ENOTCONN;
		reply.message = client->refused;
	} else {
		reply.message = rpc_reply->r == -ETIMEDOUT
					? "tend-spawn does not answer"
					: "tend-spawn ended while the program ran";
	}
	end(ask, &reply);
}

static void on_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data)
{
	struct spawn_client *client = data;
	const char *message = json_string_value(json_object_get(args, "message"));

	if (strcmp(call, "refused") == 0 && message)
		(void)snprintf(client->refused, sizeof(client->refused),
			"tend-spawn refused the connection: %s", message);
	if (id)
		(void)rpc_error(rpc, id, "unknown", "nothing is called here");
}

static void on_close(struct rpc *rpc, const char *why, void *data)
{
	struct spawn_client *client = data;

	if (client->ssh_argv && !client->heard && !client->refused[0])
		note_ssh_failure(client);
	log_warning("tend-spawn: the connection is lost (%s), the next exec check makes a new one",
		client->refused[0] ? client->refused : why);
	client->rpc = rpc_free(client->rpc);
	client->ssh = ssh_link_free(client->ssh);
}

static void on_hello(const struct rpc_reply *reply, void *data)
{
	struct spawn_client *client = data;

	client->heard = client->heard || reply->r == 0;
}

static int connect_ssh(struct spawn_client *client, struct tend_error *err)
{
	int fd = -EBADF, r;

	if (client->not_before > clock_now())
		return tend_error_set(err, -ENOTCONN, "%s", client->refused);
	client->not_before = clock_now() + SSH_AGAIN_USEC;
	client->heard = false;
	ssh_link_free(client->ssh);
	client->ssh = NULL;
	r = ssh_link_new(client->loop, client->ssh_argv, &client->ssh, &fd);
	if (r < 0) {
		(void)snprintf(client->refused, sizeof(client->refused), "ssh cannot be run: %s",
			strerror(-r));
		return tend_error_set(err, -ENOTCONN, "%s", client->refused);
	}
	client->refused[0] = '\0';
	r = rpc_new(client->loop, fd, "tend-spawn", on_call, on_close, client, &client->rpc);
	if (r == 0)
		r = rpc_call(client->rpc, "hello", NULL, 0, on_hello, client, NULL);
	return r;
}

static int connect_to(struct spawn_client *client, struct tend_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (client->rpc)
		return 0;
	if (client->ssh_argv)
		return connect_ssh(client, err);
	if (strlen(client->path) >= sizeof(address.sun_path))
		return tend_error_set(
			err, -ENOTCONN, "spawn_socket '%s' is too long", client->path);
	memcpy(address.sun_path, client->path, strlen(client->path) + 1);
	/* A unix socket answers at once; EAGAIN: its queue is full. */
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return tend_error_set(err, -ENOTCONN,
			"tend-spawn, which runs foreign programs, cannot be reached at %s: %s",
			client->path, strerror(errno));
	client->refused[0] = '\0';
	r = rpc_new(
		client->loop, TAKE_FD(fd), "tend-spawn", on_call, on_close, client, &client->rpc);
	if (r == 0)
		rpc_accept_fds(client->rpc);
	return r;
}

static void on_icmp(const struct rpc_reply *reply, void *data)
{
	struct spawn_ask *ask = data;
	spawn_icmp_fn fn = ask->icmp_fn;
	void *fn_data = ask->data;
	int fd = ask->client->rpc ? rpc_take_fd(ask->client->rpc) : -EBADF;
	json_int_t id = json_integer_value(json_object_get(reply->ok, "echo_id"));

	ask_free(ask);
	if (reply->r == 0 && fd >= 0) {
		fn(0, fd, (uint16_t)id, NULL, fn_data);
		return;
	}
	safe_close(fd);
	fn(reply->r == -EREMOTEIO ? code_errno(reply->error_code)
		: reply->r < 0	  ? reply->r
				  : -EPROTO,
		-EBADF, 0, reply->message ? reply->message : "tend-spawn's answer has no socket",
		fn_data);
}

int spawn_client_icmp(struct spawn_client *client, int family, spawn_icmp_fn fn, void *data,
	struct spawn_ask **ret_ask, struct tend_error *err)
{
	struct spawn_ask *ask;
	int r = client->ssh_argv ? -EOPNOTSUPP : connect_to(client, err);

	if (r < 0)
		return r;
	ask = calloc(1, sizeof(*ask));
	if (!ask)
		return -ENOMEM;
	*ask = (struct spawn_ask){.client = client, .icmp_fn = fn, .data = data};
	LIST_INSERT_HEAD(&client->asks, ask, link);
	r = rpc_call(client->rpc, "icmp",
		json_pack("{s:s}", "family", family == AF_INET6 ? "ipv6" : "ipv4"),
		ICMP_WITHIN_USEC, on_icmp, ask, &ask->rpc_id);
	if (r < 0) {
		ask_free(ask);
		return tend_error_set(
			err, r, "tend-spawn cannot be asked for a socket: %s", strerror(-r));
	}
	*ret_ask = ask;
	return 0;
}

static json_t *run_args(const struct spawn_ask *ask, const struct spawn_order *order)
{
	json_t *argv = order->argv ? json_array() : NULL;

	for (const char *const *arg = order->argv; arg && *arg; arg++)
		(void)json_array_append_new(argv, json_string(*arg));
	return json_pack("{s:s, s:o*, s:s*, s:s*, s:o*, s:I, s:I, s:s*}", "id", ask->id, "argv",
		argv, "command", order->command, "look", order->look, "args",
		order->args ? json_deep_copy(order->args) : NULL, "timeout_msec",
		(json_int_t)(order->timeout / USEC_PER_MSEC), "output_max",
		(json_int_t)order->output_max_bytes, "stdin", order->stdin_text);
}

int spawn_client_run(struct spawn_client *client, const struct spawn_order *order, spawn_fn fn,
	void *data, struct spawn_ask **ret_ask, struct tend_error *err)
{
	struct spawn_ask *ask;
	int r = connect_to(client, err);

	if (r < 0)
		return r;
	ask = calloc(1, sizeof(*ask));
	if (!ask)
		return -ENOMEM;
	*ask = (struct spawn_ask){.client = client, .fn = fn, .data = data};
	(void)snprintf(ask->id, sizeof(ask->id), "%" PRIu64, ++client->n_asks);
	LIST_INSERT_HEAD(&client->asks, ask, link);
	r = rpc_call(client->rpc, "run", run_args(ask, order), order->timeout + ANSWER_WITHIN_USEC,
		on_reply, ask, &ask->rpc_id);
	if (r < 0) {
		ask_free(ask);
		return tend_error_set(err, r == -ENOMEM ? r : -EBUSY,
			"tend-spawn cannot be asked for more: %s", strerror(-r));
	}
	*ret_ask = ask;
	return 0;
}

struct spawn_ask *spawn_ask_cancel(struct spawn_ask *ask)
{
	if (!ask)
		return NULL;
	if (ask->client->rpc && ask->rpc_id) {
		rpc_forget(ask->client->rpc, ask->rpc_id);
		if (!ask->icmp_fn)
			(void)rpc_call(ask->client->rpc, "cancel",
				json_pack("{s:s}", "id", ask->id), 0, NULL, NULL, NULL);
	}
	return ask_free(ask);
}

int spawn_client_new(struct loop *loop, const char *path, struct spawn_client **ret_client)
{
	auto(spawn_client_free) struct spawn_client *client = calloc(1, sizeof(*client));

	if (!client)
		return -ENOMEM;
	client->loop = loop;
	client->path = strdup(path);
	if (!client->path)
		return -ENOMEM;
	*ret_client = TAKE(client);
	return 0;
}

static char **copy_argv(char *const *argv)
{
	char **copy = calloc(strv_len(argv) + 1, sizeof(char *));

	for (size_t i = 0; copy && argv[i]; i++) {
		copy[i] = strdup(argv[i]);
		if (!copy[i]) {
			strv_free(copy);
			return NULL;
		}
	}
	return copy;
}

int spawn_client_new_ssh(struct loop *loop, char *const *ssh_argv, struct spawn_client **ret_client)
{
	auto(spawn_client_free) struct spawn_client *client = calloc(1, sizeof(*client));

	if (!client)
		return -ENOMEM;
	client->loop = loop;
	client->ssh_argv = copy_argv(ssh_argv);
	if (!client->ssh_argv)
		return -ENOMEM;
	*ret_client = TAKE(client);
	return 0;
}

static bool same_argv(char *const *a, char *const *b)
{
	while (*a && *b && strcmp(*a, *b) == 0)
		a++, b++;
	return !*a && !*b;
}

int spawn_client_set_ssh(struct spawn_client *client, char *const *ssh_argv)
{
	char **copy;

	if (same_argv(client->ssh_argv, ssh_argv))
		return 0;
	copy = copy_argv(ssh_argv);
	if (!copy)
		return -ENOMEM;
	strv_free(client->ssh_argv);
	client->ssh_argv = copy;
	client->not_before = 0;
	client->rpc = rpc_free(client->rpc);
	client->ssh = ssh_link_free(client->ssh);
	return 0;
}

int spawn_client_set_path(struct spawn_client *client, const char *path)
{
	char *copy;

	if (strcmp(client->path, path) == 0)
		return 0;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	free(client->path);
	client->path = copy;
	client->rpc = rpc_free(client->rpc);
	return 0;
}

struct spawn_client *spawn_client_free(struct spawn_client *client)
{
	if (!client)
		return NULL;
	while (!LIST_EMPTY(&client->asks)) {
		struct spawn_ask *ask = LIST_FIRST(&client->asks);

		if (client->rpc && ask->rpc_id)
			rpc_forget(client->rpc, ask->rpc_id);
		ask_free(ask);
	}
	rpc_free(client->rpc);
	ssh_link_free(client->ssh);
	strv_free(client->ssh_argv);
	free(client->path);
	free(client);
	return NULL;
}
