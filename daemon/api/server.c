/* SPDX-License-Identifier: MIT */
#include "api/server.h"
#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/epoll.h>
#include "base/clock.h"
#include "base/log.h"

enum {
	SERVER_MAX_CONNECTIONS = 64,
	SERVER_IDLE_SEC = 30,
	SERVER_HEADER_BYTES = 32 << 10,
	/* How much of a body that is too long is read (and dropped) before the line is cut. */
	SERVER_DRAIN_BYTES = 4 << 20,
};

struct server {
	struct MHD_Daemon *mhd;
	enum request_origin origin;
	struct server_calls calls;
	struct loop_source *io, *timer;
	struct loop_source *sweep; /* at the nearest deadline of those that wait */
	struct request *requests;  /* under way */
};

static bool server_is_full(struct server *s)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info && info->num_connections >= SERVER_MAX_CONNECTIONS;
}

static void server_run(struct server *s)
{
	MHD_UNSIGNED_LONG_LONG timeout_msec;
	bool was_full = server_is_full(s);

	(void)MHD_run(s->mhd);
	/* When it is full, MHD takes the listening socket out of its epoll set, and puts it back at
	 * the beginning of a run only: without another one, those who wait in the queue wait for
	 * the next timeout, up to 30 s (seen with 0.9.75). */
	if (was_full && !server_is_full(s))
		(void)MHD_run(s->mhd);
	if (MHD_get_timeout(s->mhd, &timeout_msec) == MHD_YES)
		loop_timer_set(s->timer, clock_now() + timeout_msec * USEC_PER_MSEC);
	else
		loop_timer_set(s->timer, 0);
}

static void server_on_io(int fd, uint32_t events, void *data)
{
	server_run(data);
}

static void server_on_timer(void *data)
{
	server_run(data);
}

void server_resume(struct request *request)
{
	request->suspended = false;
	request->deadline = 0;
	if (!request->server || !request->connection)
		return;
	MHD_resume_connection(request->connection);
	/* MHD must run after a resume; not here: the caller may be deep in another part. */
	loop_timer_set(request->server->timer, clock_now());
}

static void sweep_arm(struct server *s)
{
	usec_t next = USEC_INFINITY;

	for (const struct request *request = s->requests; request; request = request->next)
		if (request->suspended)
			next = MIN(next, request->deadline);
	loop_timer_set(s->sweep, next);
}

/* The part that was asked may still answer: that answer is dropped then. Resuming takes nobody off
 * the list, so it can be walked. */
static void server_on_sweep(void *data)
{
	struct server *s = data;
	usec_t now = clock_now();

	for (struct request *request = s->requests; request; request = request->next)
		if (request->suspended && request->deadline <= now)
			request_fail(request, API_ERROR_TIMEOUT,
				"what was asked is not there in time: the store or a check hangs");
	sweep_arm(s);
}

/* Until it is answered; MHD's own timeout does not run meanwhile. */
static void request_suspend(struct request *request)
{
	usec_t wait = request->wait_usec ? request->wait_usec : REQUEST_WAIT_USEC;

	request->suspended = true;
	request->deadline = clock_now() + wait;
	MHD_suspend_connection(request->connection);
	sweep_arm(request->server);
}

void server_forget(struct request *request)
{
	if (request->prev)
		request->prev->next = request->next;
	else if (request->server && request->server->requests == request)
		request->server->requests = request->next;
	if (request->next)
		request->next->prev = request->prev;
	request->next = request->prev = NULL;
	request->server = NULL;
}

const char *request_query(const struct request *request, const char *key)
{
	return request->connection ? MHD_lookup_connection_value(
					     request->connection, MHD_GET_ARGUMENT_KIND, key)
				   : NULL;
}

const char *request_header(const struct request *request, const char *name)
{
	return request->connection
		       ? MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name)
		       : NULL;
}

static enum MHD_Result queue_answer(struct request *request, struct MHD_Connection *connection)
{
	struct MHD_Response *response;
	enum MHD_Result ok;
	char seconds[16];

	response = MHD_create_response_from_buffer(
		request->answer_len, request->answer, MHD_RESPMEM_MUST_FREE);
	if (!response)
		return MHD_NO;
	request->answer = NULL; /* the response's now */
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, request->type);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (request->partial)
		(void)MHD_add_response_header(response, "Tend-Partial", "the store cannot be read");
	if (request->allow)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, request->allow);
	(void)snprintf(seconds, sizeof(seconds), "%u", request->retry_after_sec);
	if (request->retry_after_sec)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
	if (request->status == 401)
		(void)MHD_add_response_header(
			response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"tend\"");
	if (request->refused)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	ok = MHD_queue_response(connection, request->status, response);
	MHD_destroy_response(response);
	request->queued = true;
	return ok;
}

static struct request *request_new(
	struct server *s, struct MHD_Connection *connection, const char *method, const char *url)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->n_refs = 1;
	request->server = s;
	request->connection = connection;
	request->origin = s->origin;
	request->body = (struct str)STR_INIT(REQUEST_BODY_BYTES);
	request->read_only = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
	(void)snprintf(request->path, sizeof(request->path), "%s", url);
	request->next = s->requests;
	if (s->requests)
		s->requests->prev = request;
	s->requests = request;
	return request;
}

/* First call for a request: headers only. A refusal goes out before any body is read. */
static enum MHD_Result request_begin(struct server *s, struct MHD_Connection *connection,
	const char *method, const char *url, struct request *request)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	const char *length = request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);

	request->begun = true;
	if (strlen(url) >= sizeof(request->path))
		request_fail(request, API_ERROR_NOT_FOUND, "the path is too long");
	else if (length && strtoull(length, NULL, 10) > REQUEST_BODY_BYTES)
		request_fail(request, API_ERROR_TOO_LARGE, "a body has at most %d bytes",
			REQUEST_BODY_BYTES);
	else if (s->calls.admit(request, method, info ? info->connect_fd : -EBADF, s->calls.data))
		return MHD_YES;
	assert(request->answered);
	request->refused = true;
	return queue_answer(request, connection);
}

static enum MHD_Result request_take_body(struct request *request, const char *data, size_t len)
{
	if (str_append(&request->body, data, len) == 0)
		return MHD_YES;
	request->n_dropped_bytes += len;
	return request->n_dropped_bytes > SERVER_DRAIN_BYTES ? MHD_NO : MHD_YES;
}

static enum MHD_Result server_on_request(void *data, struct MHD_Connection *connection,
	const char *url, const char *method, const char *version, const char *upload,
	size_t *upload_len, void **con_cls)
{
	struct server *s = data;
	struct request *request = *con_cls;
	enum MHD_Result ok;

	if (!request) {
		request = request_new(s, connection, method, url);
		if (!request)
			return MHD_NO;
		*con_cls = request;
		return request_begin(s, connection, method, url, request);
	}
	if (*upload_len) {
		ok = request_take_body(request, upload, *upload_len);
		*upload_len = 0;
		return ok;
	}
	if (request->queued)
		return MHD_YES;
	if (!request->dispatched) {
		request->dispatched = true;
		if (request->n_dropped_bytes)
			request_fail(request, API_ERROR_TOO_LARGE, "a body has at most %d bytes",
				REQUEST_BODY_BYTES);
		else
			s->calls.dispatch(request, s->calls.data);
	}
	if (request->answered)
		return queue_answer(request, connection);
	if (!request->suspended)
		request_suspend(request);
	return MHD_YES;
}

static void server_on_completed(void *data, struct MHD_Connection *connection, void **con_cls,
	enum MHD_RequestTerminationCode code)
{
	struct request *request = *con_cls;

	*con_cls = NULL;
	if (!request)
		return;
	request->connection = NULL;
	server_forget(request);
	request_unref(request);
}

__attribute__((format(printf, 2, 0))) static void server_on_log(
	void *data, const char *format, va_list ap)
{
	char text[512], clean[512];

	(void)vsnprintf(text, sizeof(text), format, ap);
	str_sanitize(clean, sizeof(clean), text, strcspn(text, "\n"));
	log_debug("api: libmicrohttpd: %s", clean);
}

static int server_start(struct server *s, struct loop *loop, int fd)
{
	const union MHD_DaemonInfo *info;
	int r;

	s->mhd = MHD_start_daemon(MHD_USE_ERROR_LOG | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0,
		NULL, NULL, server_on_request, s,		 /* options: */
		MHD_OPTION_EXTERNAL_LOGGER, server_on_log, NULL, /* first, says its documentation */
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)SERVER_MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)SERVER_IDLE_SEC, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)SERVER_HEADER_BYTES, MHD_OPTION_NOTIFY_COMPLETED, server_on_completed, s,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (!s->mhd) {
		safe_close(fd);
		return -EIO;
	}
	info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return -EIO;
	r = loop_timer_new(loop, server_on_timer, s, &s->timer);
	if (r < 0)
		return r;
	r = loop_timer_new(loop, server_on_sweep, s, &s->sweep);
	if (r < 0)
		return r;
	r = loop_io_new(loop, info->epoll_fd, EPOLLIN, server_on_io, s, &s->io);
	if (r < 0)
		return r;
	loop_source_name(s->io, "api");
	loop_source_name(s->timer, "api timer");
	loop_timer_set(s->timer, clock_now());
	return 0;
}

int server_new(struct loop *loop, int fd, enum request_origin origin,
	const struct server_calls *calls, struct server **ret_server)
{
	auto(server_free) struct server *s = calloc(1, sizeof(*s));
	int r;

	if (!s) {
		safe_close(fd);
		return -ENOMEM;
	}
	s->origin = origin;
	s->calls = *calls;
	r = server_start(s, loop, fd);
	if (r < 0)
		return r;
	*ret_server = TAKE(s);
	return 0;
}

struct server *server_free(struct server *s)
{
	if (!s)
		return NULL;
	s->io = loop_source_free(s->io);
	/* MHD_stop_daemon() aborts the process when a connection is still suspended. */
	for (struct request *request = s->requests; request; request = request->next)
		if (request->suspended)
			server_resume(request);
	if (s->mhd)
		MHD_stop_daemon(s->mhd);
	/* What is left has no connection any more but somebody's reference. */
	while (s->requests)
		server_forget(s->requests);
	s->timer = loop_source_free(s->timer);
	s->sweep = loop_source_free(s->sweep);
	free(s);
	return NULL;
}
