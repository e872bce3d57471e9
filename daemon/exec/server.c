/* SPDX-License-Identifier: MIT */
#include "exec/server.h"
#include <pwd.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "base/log.h"
#include "base/str.h"
#include "base/vec.h"
#include "exec/peer.h"

struct connection {
	struct server *server;
	struct peer peer; /* .rpc NULL until the peer is known to be tendd */
	int fd;		  /* until then */
	struct peer_ask *ask;
};

struct server {
	struct loop *loop;
	struct loop_source *io;
	int fd;
	bool remote;
	struct pid1 *pid1;
	struct jobs *jobs;
	struct vec connections; /* struct connection * */
};

static struct connection *connection_free(struct connection *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < c->server->connections.len; i++)
		if (c->server->connections.items[i] == c)
			vec_remove(&c->server->connections, i--);
	peer_ask_free(c->ask);
	if (c->peer.rpc) {
		jobs_forget(c->server->jobs, c->peer.rpc);
		rpc_free(c->peer.rpc);
	}
	safe_close(c->fd);
	free(c);
	return NULL;
}

static void turn_away(struct connection *c, const char *why)
{
	log_warning("connection from pid %ld, uid %ld refused: %s", c->peer.pid, c->peer.uid, why);
	peer_tell_refused(c->fd);
	connection_free(c);
}

static void on_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data)
{
	struct connection *c = data;
	struct request request;
	struct tend_error err = {0};

	if (id == 0)
		return; /* a note: there is none that means anything here */
	if (request_parse(call, args, &request, &err) < 0) {
		log_warning("request of pid %ld, uid %ld refused: invalid: %s", c->peer.pid,
			c->peer.uid, err.text);
		(void)rpc_error(rpc, id, "invalid", "%s", err.text);
		return;
	}
	jobs_request(c->server->jobs, &c->peer, id, &request);
}

static void on_close(struct rpc *rpc, const char *why, void *data)
{
	struct connection *c = data;

	log_info("connection of pid %ld closed: %s", c->peer.pid, why);
	connection_free(c);
}

static void drop_older(struct server *server, const struct connection *keep)
{
	for (size_t i = server->connections.len; i-- > 0;) {
		struct connection *c = server->connections.items[i];

		if (!c->peer.rpc || c->peer.pid == keep->peer.pid)
			continue;
		log_notice("connection of pid %ld closed: %s now is pid %ld", c->peer.pid,
			PEER_UNIT, keep->peer.pid);
		connection_free(c);
	}
}

static void on_peer(const char *why, void *data)
{
	struct connection *c = data;
	int r;

	c->ask = NULL;
	if (why) {
		turn_away(c, why);
		return;
	}
	if (!c->server->remote)
		drop_older(c->server, c);
	r = rpc_new(c->server->loop, TAKE_FD(c->fd), "tendd", on_call, on_close, c, &c->peer.rpc);
	if (r < 0) {
		log_error("connection of pid %ld: %s, closed", c->peer.pid, strerror(-r));
		connection_free(c);
		return;
	}
	log_info("connection from pid %ld, uid %ld accepted%s", c->peer.pid, c->peer.uid,
		c->server->remote ? ", another host's" : "");
}

/* Root could do all of it anyhow. */
static bool is_remote_user(long uid)
{
	const struct passwd *user = getpwnam(SERVER_REMOTE_USER);

	return uid == 0 || (user && (long)user->pw_uid == uid);
}

static void look_at(struct server *server, int fd)
{
	struct connection *c = calloc(1, sizeof(*c));
	int r;

	if (!c || peer_credentials(fd, &c->peer.pid, &c->peer.uid) < 0 ||
		vec_push(&server->connections, c) < 0) {
		log_error("connection closed: its peer cannot be looked at");
		safe_close(fd);
		free(c);
		return;
	}
	c->server = server;
	c->fd = fd;
	if (server->remote) {
		is_remote_user(c->peer.uid) ? on_peer(NULL, c)
					    : turn_away(c, "its user is not " SERVER_REMOTE_USER);
		return;
	}
	r = peer_ask_new(server->pid1, c->peer.pid, c->peer.uid, on_peer, c, &c->ask);
	if (r == -EPERM)
		turn_away(c, "its user is not " PEER_USER);
	else if (r < 0)
		turn_away(c, "PID 1 cannot be asked who it is");
}

static void on_listen(int listen_fd, uint32_t events, void *data)
{
	struct server *server = data;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			log_error("cannot accept a connection: %s", strerror(errno));
		return;
	}
	/* Of a link that was cut the old connection may hang about for hours. */
	if (server->remote && server->connections.len >= SERVER_MAX_CONNECTIONS / 2)
		connection_free(server->connections.items[0]);
	if (server->connections.len >= SERVER_MAX_CONNECTIONS) {
		log_warning("connection closed: there are %d already", SERVER_MAX_CONNECTIONS);
		safe_close(fd);
		return;
	}
	look_at(server, fd);
}

int server_new(struct loop *loop, int fd, bool remote, struct pid1 *pid1, struct jobs *jobs,
	struct server **ret_server)
{
	struct server *server = calloc(1, sizeof(*server));
	int r;

	if (!server) {
		safe_close(fd);
		return -ENOMEM;
	}
	*server = (struct server){
		.loop = loop, .fd = fd, .remote = remote, .pid1 = pid1, .jobs = jobs};
	r = loop_io_new(loop, fd, EPOLLIN, on_listen, server, &server->io);
	if (r < 0) {
		server_free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

struct server *server_free(struct server *server)
{
	if (!server)
		return NULL;
	while (server->connections.len > 0)
		connection_free(server->connections.items[0]);
	vec_clear(&server->connections);
	loop_source_free(server->io);
	safe_close(server->fd);
	free(server);
	return NULL;
}

void server_tell_manifest(struct server *server)
{
	if (!server)
		return;
	VEC_FOREACH (&server->connections, struct connection *, c)
		if (c->peer.rpc)
			(void)rpc_call(c->peer.rpc, "manifest", NULL, 0, NULL, NULL, NULL);
}

int server_listen(const char *path, int *ret_fd, struct tend_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		return tend_error_set(err, -ENAMETOOLONG, "'%s' is too long for a socket", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (fd < 0)
		return tend_error_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return tend_error_set(err, -EADDRINUSE, "somebody listens on '%s' already", path);
	if (errno == ECONNREFUSED)
		(void)unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0660) < 0 ||
		listen(fd, SERVER_MAX_CONNECTIONS) < 0)
		return tend_error_set(
			err, -errno, "cannot listen on '%s': %s", path, strerror(errno));
	*ret_fd = TAKE_FD(fd);
	return 0;
}
