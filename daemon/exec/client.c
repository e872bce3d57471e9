/* SPDX-License-Identifier: MIT */
#include "exec/client.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "base/uuid.h"
#include "base/vec.h"
#include "loop/rpc.h"

#define BACKOFF_MIN_USEC (100 * USEC_PER_MSEC)
#define BACKOFF_MAX_USEC (5 * USEC_PER_SEC)
#define HELLO_IN_USEC	 (20 * USEC_PER_SEC)
#define ASK_AGAIN_USEC	 (2 * USEC_PER_SEC)

/* One action or attachment of the caller's. */
struct wanted {
	struct exec_client *client;
	char id[UUID_TEXT_BYTES];
	const char *call; /* unit, command; NULL = attach from the beginning */
	json_t *args;	  /* until it is sent */
	enum { UNSENT, ASKED, TO_ATTACH, OVER } state;
	uint64_t rpc_id; /* ASKED */
	usec_t since;	 /* UNSENT: when it was made */
	usec_t again;	 /* TO_ATTACH: not before */
	exec_client_fn fn;
	void *data;
	/* OVER: told by the loop */
	json_t *answer;
	enum exec_outcome outcome;
	char code[24], message[512];
};

/* A question that is no action: asked now or not at all. */
struct exec_ask {
	struct exec_client *client;
	uint64_t rpc_id;
	exec_ask_fn fn;
	void *data;
};

struct exec_client {
	struct loop *loop;
	char *path;	 /* of the socket; for ssh USER@ADDRESS, for the log */
	char **ssh_argv; /* NULL: the socket */
	struct ssh_link *ssh;
	exec_progress_fn progress;
	void *data;
	struct loop_source *timer, *io, *teller;
	int fd; /* while connecting */
	struct rpc *rpc;
	bool up; /* tend-exec has said hello */
	bool dead;
	usec_t backoff, connect_at;
	json_t *hello;
	char trouble[256];
	struct map wanted; /* struct wanted *, by id */
	struct vec asks;   /* struct exec_ask * */
};

static void pump(struct exec_client *client);
static void drop(struct exec_client *client, const char *why);
static void say_hello(struct exec_client *client);

static struct wanted *wanted_free(struct wanted *w)
{
	if (!w)
		return NULL;
	(void)map_remove(&w->client->wanted, w->id);
	if (w->client->rpc && w->rpc_id)
		rpc_forget(w->client->rpc, w->rpc_id);
	json_decref(w->args);
	json_decref(w->answer);
	free(w);
	return NULL;
}

/* ---- outcomes ---- */

static const char *text_of(const json_t *answer, const char *key)
{
	const char *text = json_string_value(json_object_get(answer, key));

	return text ? text : "";
}

static void tell(struct wanted *w)
{
	const json_t *exit_status = json_object_get(w->answer, "exit_status");
	char job[24] = "";
	struct exec_result result = {
		.id = w->id,
		.outcome = w->outcome,
		.code = w->code,
		.result = text_of(w->answer, "result"),
		.message = w->answer ? text_of(w->answer, "message") : w->message,
		.job = job,
		.invocation_before = text_of(w->answer, "invocation_before"),
		.invocation_after = text_of(w->answer, "invocation_after"),
		.exit_status =
			json_is_integer(exit_status) ? (int)json_integer_value(exit_status) : -1,
		.out = text_of(w->answer, "stdout"),
		.err = text_of(w->answer, "stderr"),
		.answer = w->answer,
	};
	json_int_t number = json_integer_value(json_object_get(w->answer, "job"));

	if (number > 0)
		(void)snprintf(job, sizeof(job), "%" JSON_INTEGER_FORMAT, number);
	w->fn(&result, w->data);
}

/* Tells what is over, one after the other: a callback may make or forget others, or free the
 * client. */
static void on_teller(void *data)
{
	struct exec_client *client = data;
	struct wanted *over = NULL;

	MAP_FOREACH (&client->wanted, struct wanted *, w) {
		if (w->state != OVER)
			continue;
		over = w;
		break;
	}
	if (!over)
		return;
	loop_defer_set(client->teller, true); /* there may be more */
	(void)map_remove(&client->wanted, over->id);
	tell(over);
	json_decref(over->args);
	json_decref(over->answer);
	free(over);
}

static void end(struct wanted *w, enum exec_outcome outcome, const char *code, const char *message)
{
	w->state = OVER;
	w->rpc_id = 0;
	w->outcome = outcome;
	(void)snprintf(w->code, sizeof(w->code), "%s", code);
	str_sanitize(w->message, sizeof(w->message), message, strlen(message));
	loop_defer_set(w->client->teller, true);
}

static void end_by_answer(struct wanted *w, json_t *answer)
{
	const char *name = json_string_value(json_object_get(answer, "outcome"));
	int outcome = name ? exec_outcome_from_name(name) : -EBADMSG;

	w->answer = json_incref(answer);
	if (outcome < 0)
		end(w, EXEC_UNKNOWN, "", "the answer has no outcome");
	else if (outcome == EXEC_REFUSED && strcmp(text_of(answer, "message"), "never begun") == 0)
		end(w, EXEC_REFUSED, "never-begun", "never begun");
	else
		end(w, (enum exec_outcome)outcome, "", "");
}

static void attach_later(struct wanted *w, usec_t after)
{
	w->state = TO_ATTACH;
	w->rpc_id = 0;
	w->again = clock_now() + after;
	json_decref(w->args);
	w->args = NULL;
	w->call = NULL;
}

static void on_reply(const struct rpc_reply *reply, void *data)
{
	struct wanted *w = data;
	struct exec_client *client = w->client;
	bool attach = w->call == NULL;

	w->rpc_id = 0;
	if (reply->r == -EREMOTEIO && strcmp(reply->error_code, "risk") == 0)
		say_hello(client);
	if (reply->r == 0)
		end_by_answer(w, reply->ok);
	else if (reply->r != -EREMOTEIO)
		attach_later(w, 0); /* the connection is lost, the question stays open */
	else if (strcmp(reply->error_code, "duplicate") == 0)
		attach_later(w, 0);
	else if (attach && strcmp(reply->error_code, "invalid") != 0)
		attach_later(w, ASK_AGAIN_USEC); /* it could not say: still open */
	else
		end(w, attach ? EXEC_UNKNOWN : EXEC_REFUSED, reply->error_code, reply->message);
	if (client->up)
		pump(client);
}

/* ---- sending ---- */

/* A tend-exec of before would refuse a request with a key that it does not know. */
static bool takes(const struct exec_client *client, const char *key)
{
	const json_t *list = json_object_get(client->hello, "takes"), *item;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)list, i, item)
		if (str_eq(json_string_value(item), key))
			return true;
	return false;
}

static void send_wanted(struct wanted *w)
{
	struct exec_client *client = w->client;
	bool attach = w->state == TO_ATTACH;
	json_t *args = attach ? json_pack("{s:s}", "id", w->id) : json_incref(w->args);
	int r;

	if (!attach && !takes(client, "risk"))
		(void)json_object_del(args, "risk");
	r = rpc_call(client->rpc, attach ? "attach" : w->call, args, 0, on_reply, w, &w->rpc_id);

	if (r == 0) {
		w->state = ASKED;
		json_decref(w->args);
		w->args = NULL;
		return;
	}
	w->rpc_id = 0;
	if (r == -ECONNRESET) {
		client->up = false; /* on_close is on its way; it waits for the next connection */
		return;
	}
	if (attach)
		w->again = clock_now() + ASK_AGAIN_USEC;
	else
		end(w, EXEC_REFUSED, "unavailable", "the request could not be sent");
}

static void arm(struct exec_client *client)
{
	usec_t next = client->connect_at ? client->connect_at : USEC_INFINITY;

	MAP_FOREACH (&client->wanted, struct wanted *, w) {
		usec_t at = USEC_INFINITY;

		if (w->state == UNSENT && !client->up)
			at = w->since + EXEC_CLIENT_PATIENCE_MSEC * USEC_PER_MSEC;
		else if (w->state == TO_ATTACH && client->up)
			at = w->again;
		next = MIN(next, at);
	}
	loop_timer_set(client->timer, next);
}

/* Sends what is due, gives up what waited too long to be sent. */
static void pump(struct exec_client *client)
{
	usec_t now = clock_now();

	MAP_FOREACH (&client->wanted, struct wanted *, w) {
		if (client->up &&
			(w->state == UNSENT || (w->state == TO_ATTACH && w->again <= now)))
			send_wanted(w);
		else if (w->state == UNSENT &&
			 w->since + EXEC_CLIENT_PATIENCE_MSEC * USEC_PER_MSEC <= now)
			end(w, EXEC_REFUSED, "unavailable", client->trouble);
	}
	arm(client);
}

/* ---- the connection ---- */

static void drop(struct exec_client *client, const char *what)
{
	const char *said = client->ssh ? ssh_link_said(client->ssh) : "";
	char why[256];

	/* ssh knows better why than the end of its output does. */
	str_sanitize(why, sizeof(why), *said ? said : what, strlen(*said ? said : what));
	if (strcmp(client->trouble, why) != 0)
		log_warning("tend-exec at %s: %s, next try in %llu ms", client->path, why,
			(unsigned long long)(client->backoff / USEC_PER_MSEC));
	(void)snprintf(client->trouble, sizeof(client->trouble), "%s", why);
	client->up = false;
	client->io = loop_source_free(client->io);
	client->fd = safe_close(client->fd);
	client->rpc = rpc_free(client->rpc);
	client->ssh = ssh_link_free(client->ssh);
	client->connect_at = clock_now() + client->backoff;
	client->backoff = MIN(client->backoff * 2, BACKOFF_MAX_USEC);
	pump(client);
}

static void on_hello(const struct rpc_reply *reply, void *data)
{
	struct exec_client *client = data;

	if (client->dead || reply->r == -ECONNRESET)
		return; /* on_close tells */
	if (reply->r < 0) {
		drop(client, reply->message);
		return;
	}
	json_decref(client->hello);
	client->hello = json_incref(reply->ok);
	if (client->up)
		return; /* it was said again */
	client->up = true;
	client->backoff = BACKOFF_MIN_USEC;
	client->trouble[0] = '\0';
	log_info("tend-exec at %s: connected, version %s", client->path,
		text_of(client->hello, "version"));
	pump(client);
}

static void say_hello(struct exec_client *client)
{
	int r = rpc_call(client->rpc, "hello", NULL, HELLO_IN_USEC, on_hello, client, NULL);

	if (r < 0 && r != -ECONNRESET)
		log_warning("tend-exec at %s: what it may do cannot be asked again: %s",
			client->path, strerror(-r));
}

static void on_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data)
{
	struct exec_client *client = data;
	const char *job = text_of(args, "id"), *line = text_of(args, "line");

	if (id != 0)
		(void)rpc_error(rpc, id, "invalid", "tendd answers no calls here");
	else if (strcmp(call, "refused") == 0)
		drop(client, text_of(args, "message"));
	else if (strcmp(call, "manifest") == 0 && client->up)
		say_hello(client);
	else if (strcmp(call, "progress") == 0 && client->progress && uuid_valid(job))
		client->progress(job, line, client->data);
}

static void on_close(struct rpc *rpc, const char *why, void *data)
{
	drop(data, why);
}

static void on_connected(struct exec_client *client)
{
	int r;

	client->io = loop_source_free(client->io);
	r = rpc_new(client->loop, TAKE_FD(client->fd), "tend-exec", on_call, on_close, client,
		&client->rpc);
	if (r == 0)
		r = rpc_call(client->rpc, "hello", NULL, HELLO_IN_USEC, on_hello, client, NULL);
	if (r < 0)
		drop(client, strerror(-r));
}

static void on_writable(int fd, uint32_t events, void *data)
{
	struct exec_client *client = data;
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error)
		drop(client, strerror(error));
	else
		on_connected(client);
}

static void start_ssh(struct exec_client *client)
{
	int r;

	client->connect_at = 0;
	r = ssh_link_new(client->loop, client->ssh_argv, &client->ssh, &client->fd);
	if (r < 0)
		drop(client, strerror(-r));
	else
		on_connected(client);
}

static void start_connect(struct exec_client *client)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	client->connect_at = 0;
	memcpy(address.sun_path, client->path, strlen(client->path) + 1);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (client->fd < 0) {
		drop(client, strerror(errno));
		return;
	}
	if (connect(client->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		on_connected(client);
	else if (errno != EINPROGRESS || loop_io_new(client->loop, client->fd, EPOLLOUT,
						 on_writable, client, &client->io) < 0)
		drop(client, strerror(errno)); /* EAGAIN: its queue is full */
}

static void on_timer(void *data)
{
	struct exec_client *client = data;

	if (client->connect_at && client->connect_at <= clock_now())
		client->ssh_argv ? start_ssh(client) : start_connect(client);
	pump(client);
}

/* ---- what callers see ---- */

/* Takes `path` and `ssh_argv` over. */
static int client_new(struct loop *loop, char *path, char **ssh_argv, exec_progress_fn progress,
	void *data, struct exec_client **ret_client)
{
	auto(exec_client_free) struct exec_client *client = calloc(1, sizeof(*client));
	int r;

	if (!client || !path) {
		free(path);
		strv_free(ssh_argv);
		return -ENOMEM;
	}
	client->path = path;
	client->ssh_argv = ssh_argv;
	client->loop = loop;
	client->fd = -EBADF;
	client->progress = progress;
	client->data = data;
	client->backoff = BACKOFF_MIN_USEC;
	(void)snprintf(client->trouble, sizeof(client->trouble), "not connected yet");
	r = loop_timer_new(loop, on_timer, client, &client->timer);
	if (r == 0)
		r = loop_defer_new(loop, on_teller, client, &client->teller);
	if (r < 0)
		return r;
	loop_defer_set(client->teller, false);
	client->connect_at = clock_now();
	arm(client);
	*ret_client = TAKE(client);
	return 0;
}

int exec_client_new(struct loop *loop, const char *path, exec_progress_fn progress, void *data,
	struct exec_client **ret_client)
{
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return -ENAMETOOLONG;
	return client_new(loop, strdup(path), NULL, progress, data, ret_client);
}

int exec_client_new_ssh(struct loop *loop, const struct ssh_host *host, exec_progress_fn progress,
	void *data, struct exec_client **ret_client)
{
	char **argv = ssh_argv(host);

	return argv ? client_new(loop, str_printf("%s@%s", host->user, host->address), argv,
			      progress, data, ret_client)
		    : -ENOMEM;
}

struct exec_client *exec_client_free(struct exec_client *client)
{
	if (!client)
		return NULL;
	client->dead = true;
	while (client->wanted.len > 0)
		wanted_free(client->wanted.slots[0].value);
	while (client->asks.len > 0)
		exec_ask_cancel(client->asks.items[0]);
	vec_clear(&client->asks);
	client->rpc = rpc_free(client->rpc);
	ssh_link_free(client->ssh);
	strv_free(client->ssh_argv);
	map_clear(&client->wanted);
	loop_source_free(client->io);
	loop_source_free(client->timer);
	loop_source_free(client->teller);
	safe_close(client->fd);
	json_decref(client->hello);
	free(client->path);
	free(client);
	return NULL;
}

/* Steals `args`. */
static int add(struct exec_client *client, const char *id, const char *call, json_t *args,
	exec_client_fn fn, void *data)
{
	auto_json json_t *owned = args;
	struct wanted *w;
	int r;

	if (!uuid_valid(id) || (call && !args))
		return -EINVAL;
	if (map_get(&client->wanted, id))
		return -EEXIST;
	if (client->wanted.len >= EXEC_CLIENT_MAX_REQUESTS)
		return -ENOBUFS;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	*w = (struct wanted){
		.client = client,
		.call = call,
		.state = call ? UNSENT : TO_ATTACH,
		.since = clock_now(),
		.fn = fn,
		.data = data,
	};
	memcpy(w->id, id, sizeof(w->id));
	r = map_put(&client->wanted, id, w);
	if (r < 0) {
		free(w);
		return r;
	}
	w->args = TAKE(owned);
	pump(client);
	return 0;
}

static json_t *hold_to_json(const struct exec_order *order)
{
	json_t *hold = json_pack("{s:b}", "dpkg", order->hold_on_dpkg);
	json_t *login = order->hold_on_login ? json_array() : NULL;

	for (char *const *name = order->hold_on_login; name && *name; name++)
		(void)json_array_append_new(login, json_string(*name));
	if (login)
		(void)json_object_set_new(hold, "login", login);
	return hold;
}

/* What all actions have; steals `args`. */
static int add_order(struct exec_client *client, const struct exec_order *order, const char *call,
	json_t *args, exec_client_fn fn, void *data)
{
	bool good =
		args && json_object_set_new(args, "id", json_string(order->id)) == 0 &&
		json_object_set_new(args, "why", json_string(order->why ? order->why : "")) == 0;

	if (good && order->lock)
		good = json_object_set_new(args, "fence",
			       json_pack("{s:s, s:I}", "lock", order->lock, "token",
				       (json_int_t)order->token)) == 0;
	if (good && order->seen)
		good = json_object_set_new(args, "seen", json_string(order->seen)) == 0;
	if (good && order->risk)
		good = json_object_set_new(args, "risk", json_string(order->risk)) == 0;
	if (good && order->min_up_msec)
		good = json_object_set_new(args, "min_up_msec",
			       json_integer((json_int_t)order->min_up_msec)) == 0;
	if (good && (order->hold_on_dpkg || order->hold_on_login))
		good = json_object_set_new(args, "hold", hold_to_json(order)) == 0;
	if (!good) {
		json_decref(args);
		return -EINVAL;
	}
	return add(client, order->id, call, args, fn, data);
}

int exec_client_unit(struct exec_client *client, const struct exec_order *order, const char *verb,
	const char *unit, exec_client_fn fn, void *data)
{
	return add_order(client, order, "unit", json_pack("{s:s, s:s}", "verb", verb, "unit", unit),
		fn, data);
}

int exec_client_command(struct exec_client *client, const struct exec_order *order,
	const char *command, json_t *args, exec_client_fn fn, void *data)
{
	return add_order(client, order, "command",
		json_pack("{s:s, s:o}", "command", command, "args", args ? args : json_object()),
		fn, data);
}

int exec_client_sql(struct exec_client *client, const struct exec_order *order, const char *name,
	const char *component, json_t *args, exec_client_fn fn, void *data)
{
	return add_order(client, order, "sql",
		json_pack("{s:s, s:s, s:o}", "sql", name, "component", component, "args",
			args ? args : json_object()),
		fn, data);
}

int exec_client_attach(struct exec_client *client, const char *id, exec_client_fn fn, void *data)
{
	return add(client, id, NULL, NULL, fn, data);
}

void exec_client_forget(struct exec_client *client, const char *id)
{
	wanted_free(map_get(&client->wanted, id));
}

/* ---- questions ---- */

void exec_ask_cancel(struct exec_ask *ask)
{
	struct exec_client *client = ask ? ask->client : NULL;

	if (!ask)
		return;
	for (size_t i = 0; i < client->asks.len; i++)
		if (client->asks.items[i] == ask)
			vec_remove(&client->asks, i--);
	if (ask->rpc_id && client->rpc)
		rpc_forget(client->rpc, ask->rpc_id);
	free(ask);
}

static void on_inspected(const struct rpc_reply *reply, void *data)
{
	struct exec_ask *ask = data;
	exec_ask_fn fn = ask->fn;
	void *fn_data = ask->data;

	ask->rpc_id = 0;
	exec_ask_cancel(ask);
	if (reply->r == 0 && json_is_object(reply->ok))
		fn(reply->ok, "", fn_data);
	else
		fn(NULL, reply->r == -EREMOTEIO ? reply->message : strerror(-reply->r), fn_data);
}

int exec_client_inspect(struct exec_client *client, const char *unit, usec_t timeout,
	exec_ask_fn fn, void *data, struct exec_ask **ret_ask)
{
	struct exec_ask *ask;
	int r;

	if (!client->up)
		return -ENOTCONN;
	ask = calloc(1, sizeof(*ask));
	if (!ask)
		return -ENOMEM;
	*ask = (struct exec_ask){.client = client, .fn = fn, .data = data};
	r = vec_push(&client->asks, ask);
	if (r == 0)
		r = rpc_call(client->rpc, "inspect", json_pack("{s:s}", "unit", unit), timeout,
			on_inspected, ask, &ask->rpc_id);
	if (r < 0) {
		ask->rpc_id = 0;
		exec_ask_cancel(ask);
		return r;
	}
	*ret_ask = ask;
	return 0;
}

size_t exec_client_n_open(const struct exec_client *client)
{
	return client->wanted.len;
}

bool exec_client_connected(const struct exec_client *client)
{
	return client->up;
}

const char *exec_client_trouble(const struct exec_client *client)
{
	return client->trouble;
}

json_t *exec_client_hello(const struct exec_client *client)
{
	return client->hello;
}
