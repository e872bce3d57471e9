/* SPDX-License-Identifier: MIT */
#include "loop/rpc.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

/* A call of ours that waits for its answer. */
struct waiting {
	uint64_t id;
	usec_t deadline; /* USEC_INFINITY = none */
	rpc_reply_fn fn;
	void *data;
	struct waiting *next;
};

/* A descriptor goes with the first byte at `offset` of the output stream. */
struct passed_fd {
	uint64_t offset;
	int fd;
	struct passed_fd *next;
};

struct rpc {
	struct loop *loop;
	struct loop_source *io, *timer, *closer;
	char *name;
	int fd;
	rpc_call_fn on_call;
	rpc_close_fn on_close;
	void *data;
	char *in; /* RPC_LINE_BYTES at most, grown as needed */
	size_t in_len, in_cap, in_scanned;
	struct str out;
	size_t out_sent;
	uint64_t out_total; /* bytes ever written to the socket */
	struct passed_fd *fds;
	struct waiting *waiting; /* oldest first */
	struct waiting **waiting_tail;
	size_t n_waiting;
	uint64_t next_id;
	const char *closed; /* why; NULL = open */
	bool in_dispatch, free_later;
	bool accepts_fds;
	int got_fd; /* valid if accepts_fds */
};

static void rpc_close(struct rpc *rpc, const char *why);

static void fail_waiting(struct rpc *rpc, int r)
{
	static const char *const message = "the connection was closed";

	while (rpc->waiting) {
		struct waiting *w = rpc->waiting;
		struct rpc_reply reply = {.r = r, .error_code = "closed", .message = message};

		rpc->waiting = w->next;
		if (!rpc->waiting)
			rpc->waiting_tail = &rpc->waiting;
		rpc->n_waiting--;
		if (w->fn)
			w->fn(&reply, w->data);
		free(w);
	}
}

static void rpc_destroy(struct rpc *rpc)
{
	loop_source_free(rpc->io);
	loop_source_free(rpc->timer);
	loop_source_free(rpc->closer);
	safe_close(rpc->fd);
	while (rpc->fds) {
		struct passed_fd *p = rpc->fds;
		rpc->fds = p->next;
		safe_close(p->fd);
		free(p);
	}
	if (rpc->accepts_fds)
		safe_close(rpc->got_fd);
	str_clear(&rpc->out);
	free(rpc->in);
	free(rpc->name);
	free(rpc);
}

struct rpc *rpc_free(struct rpc *rpc)
{
	if (!rpc || rpc->free_later)
		return NULL;
	rpc->on_close = NULL;
	if (!rpc->closed)
		rpc->closed = "freed";
	bool nested = rpc->in_dispatch;
	rpc->free_later = true;
	rpc->in_dispatch = true;
	fail_waiting(rpc, -ECONNRESET);
	if (nested)
		loop_io_set(rpc->io, 0); /* whoever dispatches destroys it on the way out */
	else
		rpc_destroy(rpc);
	return NULL;
}

static struct waiting *take_waiting(struct rpc *rpc, uint64_t id)
{
	for (struct waiting **p = &rpc->waiting; *p; p = &(*p)->next) {
		struct waiting *w = *p;
		if (w->id != id)
			continue;
		*p = w->next;
		if (rpc->waiting_tail == &w->next)
			rpc->waiting_tail = p;
		rpc->n_waiting--;
		return w;
	}
	return NULL;
}

static void dispatch_reply(struct rpc *rpc, uint64_t id, json_t *message)
{
	struct waiting *w = take_waiting(rpc, id);
	json_t *ok = json_object_get(message, "ok"), *error = json_object_get(message, "error");
	struct rpc_reply reply = {.ok = ok};

	if (!w)
		return; /* forgotten, or timed out */
	if (!ok) {
		reply.r = -EREMOTEIO;
		reply.error_code = json_string_value(json_object_get(error, "code"));
		reply.message = json_string_value(json_object_get(error, "message"));
		reply.error_code = reply.error_code ? reply.error_code : "unknown";
		reply.message = reply.message ? reply.message : "no message";
	}
	if (w->fn)
		w->fn(&reply, w->data);
	free(w);
}

static int dispatch_line(struct rpc *rpc, const char *line, size_t len)
{
	auto_json json_t *message = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	json_t *id_json = json_object_get(message, "id"), *args;
	const char *call = json_string_value(json_object_get(message, "call"));
	json_int_t id = json_integer_value(id_json);

	if (!json_is_object(message) || (id_json && (!json_is_integer(id_json) || id <= 0)))
		return -EBADMSG;
	if (!call && !id_json)
		return -EBADMSG;
	if (!call) {
		dispatch_reply(rpc, (uint64_t)id, message);
		return 0;
	}
	args = json_object_get(message, "args");
	if (rpc->on_call)
		rpc->on_call(rpc, (uint64_t)id, call, args ? args : json_null(), rpc->data);
	return 0;
}

/* Dispatches whole lines; a callback may close or free the rpc. */
static void dispatch_input(struct rpc *rpc)
{
	size_t start = 0;

	while (!rpc->closed && !rpc->free_later) {
		char *nl = memchr(rpc->in + rpc->in_scanned, '\n', rpc->in_len - rpc->in_scanned);
		if (!nl)
			break;
		size_t len = (size_t)(nl - (rpc->in + start));
		rpc->in_scanned = start + len + 1;
		if (dispatch_line(rpc, rpc->in + start, len) < 0) {
			rpc_close(rpc, "a line is not what the protocol says");
			return;
		}
		start = rpc->in_scanned;
	}
	if (start > 0) {
		memmove(rpc->in, rpc->in + start, rpc->in_len - start);
		rpc->in_len -= start;
	}
	rpc->in_scanned = rpc->in_len;
}

static int grow_input(struct rpc *rpc)
{
	size_t cap = rpc->in_cap ? rpc->in_cap * 2 : 4096;

	if (rpc->in_len < rpc->in_cap)
		return 0;
	if (rpc->in_cap >= RPC_LINE_BYTES)
		return -EMSGSIZE;
	char *p = realloc(rpc->in, cap);
	if (!p)
		return -ENOMEM;
	rpc->in = p;
	rpc->in_cap = cap;
	return 0;
}

/* Keeps the first and closes the others: their number. */
static size_t take_fds(struct rpc *rpc, struct msghdr *m)
{
	size_t n_fds = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + (at - CMSG_LEN(0)), sizeof(fd));
			if (n_fds++ > 0) {
				safe_close(fd);
				continue;
			}
			safe_close(rpc->got_fd);
			rpc->got_fd = fd;
		}
	}
	return n_fds;
}

static ssize_t receive_with_fd(struct rpc *rpc, void *buf, size_t size)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {buf, size};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(rpc->fd, &m, MSG_CMSG_CLOEXEC);

	/* There is room for two, because of alignment. */
	if (n >= 0 && take_fds(rpc, &m) > 1) {
		rpc_close(rpc, "more than one descriptor came with a line");
		errno = EPROTO;
		return -1;
	}
	return n;
}

static void rpc_read(struct rpc *rpc)
{
	int r = grow_input(rpc);

	if (r < 0) {
		rpc_close(rpc, r == -EMSGSIZE ? "a line is longer than 1 MiB" : strerror(-r));
		return;
	}
	char *at = rpc->in + rpc->in_len;
	size_t room = rpc->in_cap - rpc->in_len;
	ssize_t n = rpc->accepts_fds ? receive_with_fd(rpc, at, room) : read(rpc->fd, at, room);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			rpc_close(rpc, strerror(errno));
		return;
	}
	if (n == 0) {
		rpc_close(rpc, "end of file");
		return;
	}
	rpc->in_len += (size_t)n;
	dispatch_input(rpc);
}

/* One sendmsg: up to the next descriptor's byte, or with that descriptor from it. */
static ssize_t send_piece(struct rpc *rpc)
{
	size_t left = rpc->out.len - rpc->out_sent;
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {rpc->out.data + rpc->out_sent, left};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct passed_fd *p = rpc->fds;

	if (p && p->offset > rpc->out_total) {
		iov.iov_len = MIN(left, (size_t)(p->offset - rpc->out_total));
	} else if (p) {
		struct cmsghdr *c;

		if (p->next)
			iov.iov_len = MIN(left, (size_t)(p->next->offset - rpc->out_total));
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &p->fd, sizeof(int));
	}
	ssize_t n = sendmsg(rpc->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0 && m.msg_control) {
		rpc->fds = p->next;
		safe_close(p->fd);
		free(p);
	}
	return n;
}

static void rpc_write(struct rpc *rpc)
{
	while (rpc->out_sent < rpc->out.len) {
		ssize_t n = send_piece(rpc);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			/* The peer has gone; reading finds its last words, then the end of file. */
			rpc->out_sent = rpc->out.len;
			break;
		}
		rpc->out_sent += (size_t)n;
		rpc->out_total += (uint64_t)n;
	}
	if (rpc->out_sent == rpc->out.len) {
		str_clear(&rpc->out);
		rpc->out_sent = 0;
	} else if (rpc->out_sent > rpc->out.len / 2) {
		rpc->out.len -= rpc->out_sent;
		memmove(rpc->out.data, rpc->out.data + rpc->out_sent, rpc->out.len + 1);
		rpc->out_sent = 0;
	}
	loop_io_set(rpc->io, EPOLLIN | (rpc->out.len ? EPOLLOUT : 0u));
}

static void leave_dispatch(struct rpc *rpc)
{
	rpc->in_dispatch = false;
	if (rpc->free_later)
		rpc_destroy(rpc);
}

static void on_io(int fd, uint32_t events, void *data)
{
	struct rpc *rpc = data;

	rpc->in_dispatch = true;
	/* Read first: a peer that has gone may have left its last words. */
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		rpc_read(rpc);
	if (!rpc->closed && (events & EPOLLOUT))
		rpc_write(rpc);
	leave_dispatch(rpc);
}

static void on_closer(void *data)
{
	struct rpc *rpc = data;

	rpc->in_dispatch = true;
	fail_waiting(rpc, -ECONNRESET);
	if (rpc->on_close && !rpc->free_later)
		rpc->on_close(rpc, rpc->closed, rpc->data);
	leave_dispatch(rpc);
}

/* Callbacks come from the loop's next turn: the caller of rpc_call() is not called back from
 * within. */
static void rpc_close(struct rpc *rpc, const char *why)
{
	if (rpc->closed)
		return;
	rpc->closed = why;
	loop_io_set(rpc->io, 0);
	(void)shutdown(rpc->fd, SHUT_RDWR);
	loop_defer_set(rpc->closer, true);
}

static void arm_timer(struct rpc *rpc)
{
	usec_t next = USEC_INFINITY;

	for (struct waiting *w = rpc->waiting; w; w = w->next)
		next = MIN(next, w->deadline);
	loop_timer_set(rpc->timer, next);
}

static void on_timer(void *data)
{
	struct rpc *rpc = data;
	usec_t now = clock_now();
	bool again = true;

	rpc->in_dispatch = true;
	while (again && !rpc->free_later) {
		again = false;
		for (struct waiting *w = rpc->waiting; w; w = w->next) {
			struct rpc_reply reply = {.r = -ETIMEDOUT,
				.error_code = "timeout",
				.message = "no answer in time"};
			if (w->deadline > now)
				continue;
			w = take_waiting(rpc, w->id);
			if (w->fn)
				w->fn(&reply, w->data);
			free(w);
			again = true;
			break;
		}
	}
	if (!rpc->free_later)
		arm_timer(rpc);
	leave_dispatch(rpc);
}

int rpc_new(struct loop *loop, int fd, const char *name, rpc_call_fn on_call, rpc_close_fn on_close,
	void *data, struct rpc **ret_rpc)
{
	struct rpc *rpc = calloc(1, sizeof(*rpc));
	int r = rpc ? 0 : -ENOMEM, flags;

	if (r < 0) {
		safe_close(fd);
		return r;
	}
	*rpc = (struct rpc){
		.loop = loop,
		.fd = fd,
		.on_call = on_call,
		.on_close = on_close,
		.data = data,
		.next_id = 1,
		.out = STR_INIT(RPC_MAX_OUTPUT_BYTES),
	};
	rpc->waiting_tail = &rpc->waiting;
	rpc->name = strdup(name);
	flags = fcntl(fd, F_GETFL);
	if (!rpc->name)
		r = -ENOMEM;
	else if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		r = -errno;
	if (r == 0)
		r = loop_io_new(loop, fd, EPOLLIN, on_io, rpc, &rpc->io);
	if (r == 0)
		r = loop_timer_new(loop, on_timer, rpc, &rpc->timer);
	if (r == 0)
		r = loop_defer_new(loop, on_closer, rpc, &rpc->closer);
	if (r < 0) {
		rpc_destroy(rpc);
		return r;
	}
	loop_defer_set(rpc->closer, false);
	loop_source_name(rpc->io, "rpc");
	*ret_rpc = rpc;
	return 0;
}

/* Steals `message` and `pass_fd` (-1 = none). */
static int rpc_send(struct rpc *rpc, json_t *message, int pass_fd)
{
	auto_json __attribute__((unused)) json_t *owned = message;
	auto_close int fd = pass_fd;
	auto_free char *line = message ? json_dumps(message, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	struct passed_fd *p = NULL;
	bool idle = rpc->out.len == 0;
	size_t len = line ? strlen(line) : 0;

	if (rpc->closed)
		return -ECONNRESET;
	if (!line)
		return -ENOMEM;
	if (len + 1 > RPC_LINE_BYTES)
		return -EMSGSIZE;
	if (fd >= 0) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return -ENOMEM;
		p->offset = rpc->out_total + (rpc->out.len - rpc->out_sent);
	}
	line[len] = '\n';
	if (str_append(&rpc->out, line, len + 1) < 0) {
		free(p);
		rpc_close(rpc, "the peer does not read: 8 MiB wait");
		return -ENOBUFS;
	}
	if (p) {
		struct passed_fd **tail = &rpc->fds;
		while (*tail)
			tail = &(*tail)->next;
		p->fd = TAKE_FD(fd);
		*tail = p;
	}
	/* Written from the loop: a burst of small messages costs one system call. */
	if (idle)
		loop_io_set(rpc->io, EPOLLIN | EPOLLOUT);
	return 0;
}

static int call_with_fd(struct rpc *rpc, const char *call, json_t *args, int fd, usec_t timeout,
	rpc_reply_fn fn, void *data, uint64_t *ret_id)
{
	uint64_t id = fn ? rpc->next_id++ : 0;
	json_t *message =
		json_pack("{s:s, s:o}", "call", call, "args", args ? args : json_object());
	struct waiting *w = NULL;
	int r;

	if (!message) {
		safe_close(fd);
		return -ENOMEM;
	}
	if (fn) {
		w = rpc->n_waiting < RPC_MAX_CALLS ? calloc(1, sizeof(*w)) : NULL;
		if (!w || json_object_set_new(message, "id", json_integer((json_int_t)id)) < 0) {
			json_decref(message);
			safe_close(fd);
			free(w);
			return rpc->n_waiting < RPC_MAX_CALLS ? -ENOMEM : -ENOBUFS;
		}
	}
	r = rpc_send(rpc, message, fd);
	if (r < 0 || !w) {
		free(w);
		return r;
	}
	w->id = id;
	w->fn = fn;
	w->data = data;
	w->deadline = timeout ? clock_now() + timeout : USEC_INFINITY;
	*rpc->waiting_tail = w;
	rpc->waiting_tail = &w->next;
	rpc->n_waiting++;
	if (timeout)
		arm_timer(rpc);
	if (ret_id)
		*ret_id = id;
	return 0;
}

int rpc_call(struct rpc *rpc, const char *call, json_t *args, usec_t timeout, rpc_reply_fn fn,
	void *data, uint64_t *ret_id)
{
	return call_with_fd(rpc, call, args, -1, timeout, fn, data, ret_id);
}

int rpc_call_fd(struct rpc *rpc, const char *call, json_t *args, int fd, usec_t timeout,
	rpc_reply_fn fn, void *data)
{
	return call_with_fd(rpc, call, args, fd, timeout, fn, data, NULL);
}

void rpc_forget(struct rpc *rpc, uint64_t id)
{
	free(take_waiting(rpc, id));
}

int rpc_ok_fd(struct rpc *rpc, uint64_t id, json_t *ok, int fd)
{
	if (id == 0) {
		json_decref(ok);
		safe_close(fd);
		return 0;
	}
	return rpc_send(rpc,
		json_pack("{s:I, s:o}", "id", (json_int_t)id, "ok", ok ? ok : json_null()), fd);
}

int rpc_ok(struct rpc *rpc, uint64_t id, json_t *ok)
{
	return rpc_ok_fd(rpc, id, ok, -1);
}

void rpc_accept_fds(struct rpc *rpc)
{
	rpc->accepts_fds = true;
	rpc->got_fd = -EBADF;
}

int rpc_take_fd(struct rpc *rpc)
{
	return rpc->accepts_fds ? TAKE_FD(rpc->got_fd) : -EBADF;
}

int rpc_error(struct rpc *rpc, uint64_t id, const char *code, const char *format, ...)
{
	char raw[1024], text[1024];
	va_list ap;

	if (id == 0)
		return 0;
	va_start(ap, format);
	(void)vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	str_sanitize(text, sizeof(text), raw, strlen(raw));
	return rpc_send(rpc,
		json_pack("{s:I, s:{s:s, s:s}}", "id", (json_int_t)id, "error", "code", code,
			"message", text),
		-1);
}

size_t rpc_output_pending(const struct rpc *rpc)
{
	return rpc->out.len - rpc->out_sent;
}

int rpc_fd(const struct rpc *rpc)
{
	return rpc->fd;
}
