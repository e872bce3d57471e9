/* SPDX-License-Identifier: MIT */
#include "exec/spawn/server.h"
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "exec/peer.h"
#include "exec/spawn/icmp.h"
#include "exec/spawn/keeper.h"
#include "exec/spawn/program.h"
#include "exec/spawn/request.h"
#include "loop/rpc.h"

struct connection {
	struct spawn_server *server;
	struct rpc *rpc; /* NULL until the peer is known to be tendd */
	int fd;		 /* until then */
	long pid, uid;
	bool remote;
	struct peer_ask *ask;
	struct map jobs; /* struct job *, by the peer's id */
	void (*closed)(void *data);
	void *data;
};

struct job {
	struct spawn_server *server;
	struct connection *connection; /* NULL: nobody waits for it any more */
	char id[SPAWN_MAX_ID_BYTES + 1];
	uint64_t rpc_id;
	json_t *args;		 /* while it waits */
	usec_t give_up;		 /* the same */
	struct program *program; /* NULL: it waits */
	struct loop_source *timer;
};

struct spawn_server {
	struct loop *loop;
	struct cgroups *cgroups;
	struct spawn_rules *rules;
	const char *look;
	const struct icmp_sockets *icmp;
	const struct keeper *keeper;
	char why_no_rules[512];
	struct loop_source *io, *remote_io, *forget_pid1;
	int fd, remote_fd;
	struct pid1 *pid1; /* only while somebody is asked about */
	struct vec connections, queue, running;
	void (*on_foul)(void *data);
	void *data;
};

static void start_waiting(struct spawn_server *server);

static void vec_drop(struct vec *v, const void *item)
{
	for (size_t i = v->len; i-- > 0;)
		if (v->items[i] == item)
			vec_remove(v, i);
}

/* ---- jobs ---- */

/* The peer hears no more of it. */
static void job_detach(struct job *job)
{
	if (job->connection)
		(void)map_remove(&job->connection->jobs, job->id);
	job->connection = NULL;
}

static struct job *job_free(struct job *job)
{
	if (!job)
		return NULL;
	job_detach(job);
	vec_drop(&job->server->queue, job);
	vec_drop(&job->server->running, job);
	program_free(job->program);
	loop_source_free(job->timer);
	json_decref(job->args);
	free(job);
	return NULL;
}

__attribute__((format(printf, 3, 4))) static void refuse(
	struct job *job, const char *code, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (job->connection)
		(void)rpc_error(job->connection->rpc, job->rpc_id, code, "%s", text);
	job_detach(job);
}

/* Output as JSON text: what is not UTF-8, and control characters, become '?'. */
static json_t *output_text(const struct str *output)
{
	auto_free char *text = malloc(output->len + 1);
	size_t at = 0;

	if (!text)
		return NULL;
	while (at < output->len) {
		unsigned char c = (unsigned char)output->data[at];
		size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
		bool bad = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ||
			   at + n > output->len || !str_utf8_valid(output->data + at, n);

		if (bad)
			n = 1;
		memcpy(text + at, bad ? "?" : output->data + at, n);
		at += n;
	}
	return json_stringn(text, output->len);
}

static json_t *result_json(const struct program_result *result)
{
	json_t *json = json_pack("{s:o, s:o, s:b, s:b, s:I}", "stdout", output_text(result->out),
		"stderr", output_text(result->err), "truncated", result->truncated, "timed_out",
		result->timed_out, "elapsed_usec", (json_int_t)result->elapsed);

	if (json && result->exit_status >= 0)
		(void)json_object_set_new(json, "exit_status", json_integer(result->exit_status));
	if (json && result->signo > 0)
		(void)json_object_set_new(json, "signal", json_integer(result->signo));
	return json;
}

static void on_answered(const struct program_result *result, void *data)
{
	struct job *job = data;

	if (!job->connection)
		return;
	if (result->start_errno) {
		refuse(job, "cannot-start", "it cannot be started: %s",
			strerror(result->start_errno));
		return;
	}
	(void)rpc_ok(job->connection->rpc, job->rpc_id, result_json(result));
	job_detach(job);
}

static void on_gone(void *data)
{
	struct job *job = data;
	struct spawn_server *server = job->server;

	job->program = NULL; /* it frees itself */
	job_free(job);
	start_waiting(server);
}

static void on_foul(const char *what, void *data)
{
	struct job *job = data;
	struct spawn_server *server = job->server;

	log_error("the process that watches a program %s, by that program or another: %s", what,
		server->on_foul ? "all programs are ended" : "some of it may be left");
	if (server->on_foul)
		server->on_foul(server->data);
}

/* tend-look reads its arguments from standard input: there is room, and nobody sees them in ps. */
static int prepare_look(struct job *job, struct spawn_request *request, char **ret_stdin)
{
	auto_free char *text = json_dumps(request->args, JSON_COMPACT);

	if (!text)
		return -ENOMEM;
	if (strlen(text) > SPAWN_MAX_STDIN_BYTES) {
		refuse(job, "invalid", "'args' has more than %d bytes", SPAWN_MAX_STDIN_BYTES);
		return 0;
	}
	request->argv[0] = job->server->look;
	request->argv[1] = request->look;
	request->argv[2] = "-";
	*ret_stdin = TAKE(text);
	request->stdin_text = *ret_stdin;
	return 0;
}

/* Refused, or it has what is to be executed; of a command that is *ret_argv, the caller's. */
static void check_program(struct job *job, const struct spawn_request *request, char ***ret_argv)
{
	struct spawn_server *server = job->server;
	struct tend_error err = {0};
	int r;

	if (!server->rules) {
		refuse(job, "not-allowed", "spawn.conf cannot be used: %s", server->why_no_rules);
		return;
	}
	if (request->look) /* a program of ours, that no configuration names */
		return;
	r = request->command ? spawn_rules_fill(server->rules, request->command, request->args,
				       ret_argv, &err)
			     : spawn_rules_check(server->rules, request->argv[0], &err);
	if (r == 0)
		return;
	log_warning("'%s' is not run for tendd: %s",
		request->command ? request->command : request->argv[0], err.text);
	refuse(job,
		r == -ENOENT   ? "missing"
		: r == -EACCES ? "not-executable"
			       : "not-allowed",
		"%s", err.text);
}

/* Without control groups this alone stops a fork bomb. A program, its warden and a child or two are
 * what is usual. */
static uint64_t user_tasks_max(const struct spawn_rules *rules)
{
	return (uint64_t)rules->max_programs * 4 + (uint64_t)rules->tasks_max;
}

/* False: refused, and freed. */
static bool job_start(struct job *job)
{
	struct spawn_server *server = job->server;
	struct spawn_request request;
	struct program_spec spec;
	auto(strv_free) char **argv = NULL;
	auto_free char *look_args = NULL;
	int r = spawn_request_parse("run", job->args, &request, NULL);

	if (r == 0)
		check_program(job, &request, &argv);
	if (r == 0 && request.look)
		r = prepare_look(job, &request, &look_args);
	if (r < 0 || !job->connection) {
		job_free(job);
		return false;
	}
	spec = (struct program_spec){
		.argv = argv ? (const char *const *)argv : request.argv,
		.stdin_text = request.stdin_text,
		.timeout = request.timeout,
		.output_max_bytes = request.output_max_bytes,
		.user_tasks_max = user_tasks_max(server->rules),
		.memory_max_bytes =
			program_memory_max(server->rules->memory_max_bytes, request.look != NULL),
		.keeper = keeper_is_for(server->keeper, request.look) ? server->keeper : NULL,
		.answered = on_answered,
		.gone = on_gone,
		.foul = on_foul,
		.data = job,
	};
	r = cgroup_new(server->cgroups, server->rules->tasks_max, server->rules->memory_max_bytes,
		&spec.cgroup);
	/* What has waited has less time left: the caller's clock began when it asked. */
	if (job->give_up)
		spec.timeout =
			MAX(job->give_up - MIN(clock_now(), job->give_up), SPAWN_MIN_TIMEOUT_USEC);
	if (r == 0)
		r = program_start(server->loop, &spec, &job->program);
	if (r == 0)
		r = vec_push(&server->running, job);
	if (r < 0) {
		log_error("'%s' cannot be started: %s", spec.argv[0], strerror(-r));
		refuse(job, "cannot-start", "it cannot be started: %s", strerror(-r));
		if (r == -ETIMEDOUT)
			on_foul("was stopped", job);
		job_free(job);
		return false;
	}
	vec_drop(&server->queue, job);
	job->timer = loop_source_free(job->timer);
	json_decref(TAKE(job->args));
	return true;
}

static bool has_room(const struct spawn_server *server)
{
	size_t max = server->rules ? (size_t)server->rules->max_programs : 1;

	return server->running.len < max;
}

static void start_waiting(struct spawn_server *server)
{
	while (server->queue.len > 0 && has_room(server))
		(void)job_start(server->queue.items[0]);
}

static void on_give_up(void *data)
{
	struct job *job = data;

	refuse(job, "busy", "%zu programs run already, its time was over before there was room",
		job->server->running.len);
	job_free(job);
}

static int wait_in_queue(struct job *job, usec_t timeout)
{
	struct spawn_server *server = job->server;
	int r = loop_timer_new(server->loop, on_give_up, job, &job->timer);

	if (r == 0)
		r = vec_push(&server->queue, job);
	if (r < 0)
		return r;
	job->give_up = clock_now() + timeout;
	loop_timer_set(job->timer, job->give_up);
	return 0;
}

static int job_new(struct connection *c, uint64_t rpc_id, json_t *args,
	const struct spawn_request *request, struct job **ret_job)
{
	struct job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	*job = (struct job){.server = c->server, .rpc_id = rpc_id, .args = json_incref(args)};
	(void)snprintf(job->id, sizeof(job->id), "%s", request->id);
	r = map_put(&c->jobs, job->id, job);
	if (r < 0) {
		job_free(job);
		return r;
	}
	job->connection = c;
	*ret_job = job;
	return 0;
}

static void call_run(
	struct connection *c, uint64_t rpc_id, json_t *args, const struct spawn_request *request)
{
	struct spawn_server *server = c->server;
	size_t max_queue = server->rules ? (size_t)server->rules->max_queue : 1;
	struct job *job = NULL;
	int r;

	if (map_get(&c->jobs, request->id)) {
		(void)rpc_error(c->rpc, rpc_id, "exists", "the id '%s' runs already", request->id);
		return;
	}
	if (!has_room(server) && server->queue.len >= max_queue) {
		(void)rpc_error(c->rpc, rpc_id, "busy", "%zu programs run and %zu wait already",
			server->running.len, server->queue.len);
		return;
	}
	r = job_new(c, rpc_id, args, request, &job);
	if (r == 0 && (has_room(server) && server->queue.len == 0)) {
		(void)job_start(job);
		return;
	}
	if (r == 0)
		r = wait_in_queue(job, request->timeout);
	if (r < 0) {
		(void)rpc_error(c->rpc, rpc_id, "cannot-start", "%s", strerror(-r));
		job_free(job);
	}
}

/* Its processes go on for up to 2 s, but nobody hears of it any more. */
static void job_cancel(struct job *job)
{
	job_detach(job);
	if (job->program)
		program_cancel(job->program);
	else
		job_free(job);
}

static void call_cancel(struct connection *c, uint64_t rpc_id, const struct spawn_request *request)
{
	struct job *job = map_get(&c->jobs, request->id);

	if (job) {
		refuse(job, "cancelled", "cancelled");
		job_cancel(job);
	}
	if (rpc_id)
		(void)rpc_ok(c->rpc, rpc_id, json_pack("{s:b}", "found", job != NULL));
}

static void call_hello(struct connection *c, uint64_t rpc_id)
{
	const struct spawn_server *server = c->server;
	json_t *paths = json_array(), *commands = json_array();

	for (char **p = server->rules ? server->rules->paths : NULL; p && *p; p++)
		(void)json_array_append_new(paths, json_string(*p));
	for (size_t i = 0; server->rules && i < server->rules->commands.len; i++)
		(void)json_array_append_new(
			commands, json_string(server->rules->commands.slots[i].key));
	(void)rpc_ok(c->rpc, rpc_id,
		json_pack("{s:s, s:o, s:o, s:b, s:i, s:i}", "version", TEND_VERSION, "paths", paths,
			"commands", commands, "cgroups", server->cgroups != NULL, "running",
			(int)server->running.len, "waiting", (int)server->queue.len));
}

/* Not for other hosts: a descriptor does not go through a pipe. */
static void call_icmp(struct connection *c, uint64_t rpc_id, int family)
{
	const struct icmp_sockets *icmp = c->server->icmp;
	int have = !icmp ? -EBADF : family == AF_INET ? icmp->fd4 : icmp->fd6;
	int fd = have >= 0 && !c->remote ? fcntl(have, F_DUPFD_CLOEXEC, 3) : -1;

	if (fd < 0)
		(void)rpc_error(c->rpc, rpc_id, "not-allowed",
			"there is no socket for ICMP: tend-spawn was started without CAP_NET_RAW");
	else
		(void)rpc_ok_fd(c->rpc, rpc_id, json_pack("{s:i}", "echo_id", icmp->echo_id), fd);
}

/* ---- connections ---- */

static struct connection *connection_free(struct connection *c)
{
	if (!c)
		return NULL;
	vec_drop(&c->server->connections, c);
	while (c->jobs.len > 0)
		job_cancel(c->jobs.slots[0].value);
	map_clear(&c->jobs);
	peer_ask_free(c->ask);
	rpc_free(c->rpc);
	safe_close(c->fd);
	free(c);
	return NULL;
}

static void on_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data)
{
	struct connection *c = data;
	struct spawn_request request;
	struct tend_error err = {0};

	if (spawn_request_parse(call, args, &request, &err) < 0) {
		log_warning("request of pid %ld, uid %ld refused: invalid: %s", c->pid, c->uid,
			err.text);
		if (id)
			(void)rpc_error(rpc, id, "invalid", "%s", err.text);
		return;
	}
	if (request.call == SPAWN_CANCEL)
		call_cancel(c, id, &request);
	else if (id && request.call == SPAWN_RUN)
		call_run(c, id, args, &request);
	else if (id && request.call == SPAWN_ICMP)
		call_icmp(c, id, request.family);
	else if (id)
		call_hello(c, id);
}

static void on_close(struct rpc *rpc, const char *why, void *data)
{
	struct connection *c = data;
	void (*closed)(void *data) = c->closed;
	void *closed_data = c->data;

	log_info("connection of pid %ld closed: %s", c->pid, why);
	connection_free(c);
	if (closed)
		closed(closed_data);
}

static int connection_new(struct spawn_server *server, int fd, struct connection **ret_connection)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c || vec_push(&server->connections, c) < 0) {
		safe_close(fd);
		free(c);
		return -ENOMEM;
	}
	c->server = server;
	c->fd = fd;
	*ret_connection = c;
	return 0;
}

static int connection_open(struct connection *c)
{
	return rpc_new(c->server->loop, TAKE_FD(c->fd), "tendd", on_call, on_close, c, &c->rpc);
}

static void turn_away(struct connection *c, const char *why)
{
	log_warning("connection from pid %ld, uid %ld refused: %s", c->pid, c->uid, why);
	peer_tell_refused(c->fd);
	connection_free(c);
}

/* The bus is not kept: nothing of PID 1's is needed when nobody knocks. Not from within its own
 * answer, so a turn later. */
static void on_forget_pid1(void *data)
{
	struct spawn_server *server = data;

	VEC_FOREACH (&server->connections, struct connection *, c)
		if (c->ask)
			return;
	server->pid1 = pid1_free(server->pid1);
}

static void on_peer(const char *why, void *data)
{
	struct connection *c = data;
	struct spawn_server *server = c->server;

	c->ask = NULL;
	loop_defer_set(server->forget_pid1, true);
	if (why) {
		turn_away(c, why);
		return;
	}
	for (size_t i = c->remote ? 0 : server->connections.len; i-- > 0;) {
		struct connection *older = server->connections.items[i];

		if (!older->rpc || older->remote || older->pid == c->pid)
			continue;
		log_notice("connection of pid %ld closed: " PEER_UNIT " now is pid %ld", older->pid,
			c->pid);
		connection_free(older);
	}
	if (connection_open(c) < 0)
		connection_free(c);
	else
		log_info("connection from pid %ld, uid %ld accepted", c->pid, c->uid);
}

static void on_pid1_ready(void *data)
{
}

static void on_pid1_job(uint32_t job, const char *unit, const char *result, void *data)
{
}

static int ask_about(struct connection *c)
{
	static const struct pid1_handlers handlers = {
		.ready = on_pid1_ready, .job_removed = on_pid1_job};
	struct spawn_server *server = c->server;
	int r = 0;

	if (!server->pid1)
		r = pid1_new(server->loop, &handlers, &server->pid1, NULL);
	return r < 0 ? r : peer_ask_new(server->pid1, c->pid, c->uid, on_peer, c, &c->ask);
}

/* Root could do all of it anyhow. */
static bool is_remote_user(long uid)
{
	const struct passwd *user = getpwnam(SPAWN_REMOTE_USER);

	return uid == 0 || (user && (long)user->pw_uid == uid);
}

static void look_at(struct spawn_server *server, int fd, bool remote)
{
	struct connection *c = NULL;
	int r = connection_new(server, fd, &c);

	if (r == 0)
		r = peer_credentials(c->fd, &c->pid, &c->uid);
	if (r < 0) {
		log_error("connection closed: its peer cannot be looked at: %s", strerror(-r));
		connection_free(c);
		return;
	}
	c->remote = remote;
	if (remote) {
		is_remote_user(c->uid) ? on_peer(NULL, c)
				       : turn_away(c, "its user is not " SPAWN_REMOTE_USER);
		return;
	}
	r = ask_about(c);
	if (r == -EPERM)
		turn_away(c, "its user is not " PEER_USER);
	else if (r < 0)
		turn_away(c, "PID 1 cannot be asked who it is");
}

static void on_listen(int listen_fd, uint32_t events, void *data)
{
	struct spawn_server *server = data;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			log_error("cannot accept a connection: %s", strerror(errno));
		return;
	}
	if (server->connections.len >= SPAWN_MAX_CONNECTIONS) {
		log_warning("connection closed: there are %d already", SPAWN_MAX_CONNECTIONS);
		safe_close(fd);
		return;
	}
	look_at(server, fd, listen_fd == server->remote_fd);
}

/* ---- life ---- */

int spawn_server_new(const struct spawn_server_deps *deps, struct spawn_server **ret_server)
{
	auto(spawn_server_free) struct spawn_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return -ENOMEM;
	server->loop = deps->loop;
	server->cgroups = deps->cgroups;
	server->fd = server->remote_fd = -EBADF;
	server->on_foul = deps->on_foul;
	server->data = deps->data;
	server->icmp = deps->icmp;
	server->keeper = deps->keeper;
	server->look = deps->look ? deps->look : TEND_LIBEXECDIR "/tend-look";
	spawn_server_set_rules(server, deps->rules, deps->why_no_rules);
	r = loop_defer_new(deps->loop, on_forget_pid1, server, &server->forget_pid1);
	if (r < 0)
		return r;
	loop_defer_set(server->forget_pid1, false);
	*ret_server = TAKE(server);
	return 0;
}

void spawn_server_set_rules(struct spawn_server *server, struct spawn_rules *rules, const char *why)
{
	spawn_rules_free(server->rules);
	server->rules = rules;
	(void)snprintf(server->why_no_rules, sizeof(server->why_no_rules), "%s", why ? why : "");
}

int spawn_server_listen(struct spawn_server *server, int fd, bool remote)
{
	*(remote ? &server->remote_fd : &server->fd) = fd;
	return loop_io_new(server->loop, fd, EPOLLIN, on_listen, server,
		remote ? &server->remote_io : &server->io);
}

int spawn_server_serve(struct spawn_server *server, int fd, void (*closed)(void *data), void *data)
{
	struct connection *c = NULL;
	int r = connection_new(server, fd, &c);

	if (r < 0)
		return r;
	r = connection_open(c);
	if (r < 0) {
		connection_free(c);
		return r;
	}
	c->closed = closed;
	c->data = data;
	return 0;
}

size_t spawn_server_n_running(const struct spawn_server *server)
{
	return server->running.len;
}

struct spawn_server *spawn_server_free(struct spawn_server *server)
{
	if (!server)
		return NULL;
	while (server->connections.len > 0)
		connection_free(server->connections.items[0]);
	while (server->queue.len > 0)
		job_free(server->queue.items[0]);
	while (server->running.len > 0)
		job_free(server->running.items[0]);
	vec_clear(&server->connections);
	vec_clear(&server->queue);
	vec_clear(&server->running);
	pid1_free(server->pid1);
	loop_source_free(server->forget_pid1);
	loop_source_free(server->io);
	loop_source_free(server->remote_io);
	spawn_rules_free(server->rules);
	safe_close(server->fd);
	safe_close(server->remote_fd);
	free(server);
	return NULL;
}
