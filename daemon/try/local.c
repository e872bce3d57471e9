/* SPDX-License-Identifier: MIT */
/*
 * exec/spawn/client.h without tend-spawn, which listens to tendd alone: programs and tend-look are
 * run from here, as who tries the check, with the same warden, deadline and bounds. What may be run
 * is what that user may run. Other hosts are not asked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "base/str.h"
#include "exec/spawn/client.h"
#include "exec/spawn/icmp.h"
#include "exec/spawn/program.h"

enum { MEMORY_MAX_BYTES = 512 << 20 };

struct spawn_client {
	struct loop *loop;
	bool elsewhere;
	struct icmp_sockets icmp;
	bool icmp_open;
	LIST_HEAD(, spawn_ask) asks;
};

struct spawn_ask {
	struct spawn_client *client;
	struct program *program;    /* NULL: it is about a socket */
	struct loop_source *answer; /* of a socket */
	spawn_fn fn;
	spawn_icmp_fn icmp_fn;
	void *data;
	int family;
	bool over; /* answered or cancelled: waits for its program to be gone */
	LIST_ENTRY(spawn_ask) link;
};

static int ask_new(struct spawn_client *client, void *data, struct spawn_ask **ret_ask)
{
	struct spawn_ask *ask = calloc(1, sizeof(*ask));

	if (!ask)
		return -ENOMEM;
	ask->client = client;
	ask->data = data;
	LIST_INSERT_HEAD(&client->asks, ask, link);
	*ret_ask = ask;
	return 0;
}

static void ask_free(struct spawn_ask *ask)
{
	LIST_REMOVE(ask, link);
	loop_source_free(ask->answer);
	program_free(ask->program);
	free(ask);
}

static int client_new(struct loop *loop, bool elsewhere, struct spawn_client **ret_client)
{
	struct spawn_client *client = calloc(1, sizeof(*client));

	if (!client)
		return -ENOMEM;
	client->loop = loop;
	client->elsewhere = elsewhere;
	*ret_client = client;
	return 0;
}

int spawn_client_new(struct loop *loop, const char *path, struct spawn_client **ret_client)
{
	return client_new(loop, false, ret_client);
}

int spawn_client_new_ssh(struct loop *loop, char *const *ssh_argv, struct spawn_client **ret_client)
{
	return client_new(loop, true, ret_client);
}

int spawn_client_set_ssh(struct spawn_client *client, char *const *ssh_argv)
{
	return 0;
}

int spawn_client_set_path(struct spawn_client *client, const char *path)
{
	return 0;
}

struct spawn_client *spawn_client_free(struct spawn_client *client)
{
	if (!client)
		return NULL;
	while (!LIST_EMPTY(&client->asks))
		ask_free(LIST_FIRST(&client->asks));
	if (client->icmp_open)
		icmp_sockets_close(&client->icmp);
	free(client);
	return NULL;
}

/* ---- programs ------------------------------------------------------------------------------- */

static void describe_start(int code, const char *what, struct spawn_reply *reply, char text[256])
{
	reply->r = code == ENOENT ? -ENOENT : -ENOEXEC;
	(void)snprintf(text, 256, "%.150s: %s", what, strerror(code));
	reply->message = text;
}

static void on_answered(const struct program_result *result, void *data)
{
	struct spawn_ask *ask = data;
	char text[256];
	struct spawn_reply reply = {.exit_status = -1, .out = "", .err = ""};

	if (!result || ask->over)
		return;
	ask->over = true;
	if (result->start_errno) {
		describe_start(result->start_errno, "it cannot be started", &reply, text);
		ask->fn(&reply, ask->data);
		return;
	}
	reply.timed_out = result->timed_out;
	reply.exit_status = result->exit_status;
	reply.signo = result->signo;
	reply.out = str_get(result->out);
	reply.err = str_get(result->err);
	reply.out_len = result->out->len;
	reply.err_len = result->err->len;
	reply.truncated = result->truncated;
	reply.elapsed = result->elapsed;
	ask->fn(&reply, ask->data);
}

static void on_gone(void *data)
{
	struct spawn_ask *ask = data;

	ask->program = NULL; /* it frees itself */
	ask_free(ask);
}

static const char *look_path(void)
{
	static char path[4096];
	const char *dir = getenv("TEND_LIBEXECDIR");

	(void)snprintf(path, sizeof(path), "%s/tend-look", dir && *dir ? dir : TEND_LIBEXECDIR);
	return path;
}

static int start(struct spawn_ask *ask, const struct spawn_order *order)
{
	auto_free char *look_args = order->look ? json_dumps(order->args, JSON_COMPACT) : NULL;
	const char *look_argv[] = {look_path(), order->look, "-", NULL};
	const struct program_spec spec = {
		.argv = order->look ? look_argv : order->argv,
		.stdin_text = order->look ? look_args : order->stdin_text,
		.timeout = order->timeout,
		.output_max_bytes = order->output_max_bytes,
		.user_tasks_max = UINT64_MAX,
		.memory_max_bytes = program_memory_max(MEMORY_MAX_BYTES, order->look != NULL),
		.answered = on_answered,
		.gone = on_gone,
		.data = ask,
	};

	return order->look && !look_args ? -ENOMEM
					 : program_start(ask->client->loop, &spec, &ask->program);
}

int spawn_client_run(struct spawn_client *client, const struct spawn_order *order, spawn_fn fn,
	void *data, struct spawn_ask **ret_ask, struct tend_error *err)
{
	struct spawn_ask *ask;
	int r;

	if (client->elsewhere || (!order->look && !order->argv))
		return tend_error_set(
			err, -ENOTCONN, "a check that is tried runs programs of this host only");
	r = ask_new(client, data, &ask);
	if (r < 0)
		return r;
	ask->fn = fn;
	r = start(ask, order);
	if (r < 0) {
		ask_free(ask);
		return tend_error_set(
			err, r, "%s: %s", order->look ? "tend-look" : order->argv[0], strerror(-r));
	}
	*ret_ask = ask;
	return 0;
}

/* ---- a socket for echo requests ------------------------------------------------------------- */

static void on_socket(void *data)
{
	struct spawn_ask *ask = data;
	const struct icmp_sockets *icmp = &ask->client->icmp;
	int kept = ask->family == AF_INET6 ? icmp->fd6 : icmp->fd4;
	int fd = kept < 0 ? kept : fcntl(kept, F_DUPFD_CLOEXEC, 3);
	spawn_icmp_fn fn = ask->icmp_fn;
	void *fn_data = ask->data;

	ask_free(ask);
	if (fd < 0)
		fn(-EPERM, -EBADF, 0, "only root may open a socket for ICMP", fn_data);
	else
		fn(0, fd, icmp->echo_id, NULL, fn_data);
}

int spawn_client_icmp(struct spawn_client *client, int family, spawn_icmp_fn fn, void *data,
	struct spawn_ask **ret_ask, struct tend_error *err)
{
	struct spawn_ask *ask;
	int r = ask_new(client, data, &ask);

	if (r < 0)
		return r;
	if (!client->icmp_open)
		icmp_sockets_open(&client->icmp);
	client->icmp_open = true;
	ask->icmp_fn = fn;
	ask->family = family;
	r = loop_defer_new(client->loop, on_socket, ask, &ask->answer);
	if (r < 0) {
		ask_free(ask);
		return r;
	}
	*ret_ask = ask;
	return 0;
}

struct spawn_ask *spawn_ask_cancel(struct spawn_ask *ask)
{
	if (!ask || ask->over)
		return NULL;
	ask->over = true;
	if (ask->program) {
		program_cancel(ask->program); /* freed when it is gone */
		return NULL;
	}
	ask_free(ask);
	return NULL;
}
