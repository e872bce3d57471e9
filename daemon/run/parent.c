/* SPDX-License-Identifier: MIT */
#include "run/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "run/env.h"
#include "run/sandbox.h"
#include "run/session.h"
#include "run/wire.h"

enum { MAX_FDS = 16, EXIT_SANDBOX = 3 };

struct parent {
	struct wire wire;
	int fds[MAX_FDS]; /* received, for the fork requests that follow, in order */
	size_t n_fds;
	struct sandbox *sandbox;
	struct env_memory memory;
	lua_State *L;
};

static ssize_t refuse_fds(struct parent *p)
{
	for (size_t i = 0; i < p->n_fds; i++)
		safe_close(p->fds[i]);
	p->n_fds = 0;
	errno = EBADMSG;
	return -1;
}

/* A read ends with the piece that brought a descriptor, so descriptors and requests keep one order.
 */
static ssize_t receive(struct wire *wire, void *buf, size_t size)
{
	struct parent *p = wire->data;
	union {
		char space[CMSG_SPACE(MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(wire->fd, &msg, MSG_CMSG_CLOEXEC);
	bool too_many = n >= 0 && (msg.msg_flags & MSG_CTRUNC);

	if (n < 0)
		return n;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		size_t n_new = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n_new; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (p->n_fds == MAX_FDS) {
				too_many = true;
				safe_close(fd);
			} else {
				p->fds[p->n_fds++] = fd;
			}
		}
	}
	return too_many ? refuse_fds(p) : n;
}

static int take_fd(struct parent *p)
{
	int fd;

	if (p->n_fds == 0)
		return -EBADF;
	fd = p->fds[0];
	p->n_fds--;
	memmove(p->fds, p->fds + 1, p->n_fds * sizeof(p->fds[0]));
	return fd;
}

/* The clone is tendd's child and ends with tendd's signal for ended children. There are no threads
 * here whose locks it could inherit. */
static pid_t clone_sibling(void)
{
	return (pid_t)syscall(SYS_clone, (unsigned long)CLONE_PARENT, NULL, NULL, NULL, 0ul);
}

__attribute__((noreturn)) static void child(struct parent *p, int fd, uint64_t wall_msec)
{
	if (sandbox_make_blocking(fd) < 0 || sandbox_apply(p->sandbox, fd, wall_msec) < 0)
		_exit(EXIT_SANDBOX);
	session_run(p->L, &p->memory, SANDBOX_FD);
}

static json_t *fork_run(struct parent *p, const json_t *args)
{
	auto_close int fd = take_fd(p);
	json_int_t wall_msec = json_integer_value(json_object_get(args, "wall_msec"));
	pid_t pid;

	if (fd < 0)
		return json_pack("{s:{s:s, s:s}}", "error", "code", "invalid", "message",
			"no descriptor came with the request");
	if (wall_msec < 0)
		return json_pack("{s:{s:s, s:s}}", "error", "code", "invalid", "message",
			"wall_msec is negative");
	pid = clone_sibling();
	if (pid == 0)
		child(p, fd, (uint64_t)wall_msec);
	if (pid < 0)
		return json_pack("{s:{s:s, s:s}}", "error", "code", "unavailable", "message",
			strerror(errno));
	return json_pack("{s:{s:i}}", "ok", "pid", (int)pid);
}

static int answer(struct parent *p, const json_t *message)
{
	const char *call = json_string_value(json_object_get(message, "call"));
	json_t *id = json_object_get(message, "id");
	auto_json json_t *reply = NULL;

	if (!call || !json_is_integer(id))
		return 0; /* a note, and we know none */
	if (strcmp(call, "fork") == 0)
		reply = fork_run(p, json_object_get(message, "args"));
	else
		reply = json_pack("{s:{s:s, s:s}}", "error", "code", "invalid", "message",
			"tend-run knows the call 'fork' only");
	if (!reply || json_object_set(reply, "id", id) < 0)
		return -ENOMEM;
	return wire_write(&p->wire, reply);
}

static int serve(struct parent *p)
{
	for (;;) {
		auto_json json_t *message = NULL;
		int r = wire_read(&p->wire, &message);

		if (r > 0)
			r = answer(p, message);
		else if (r == 0)
			return 0;
		if (r == -EPIPE || r == -ECONNRESET)
			return 0;
		if (r < 0)
			return r;
	}
}

static void prepare_process(void)
{
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	/* Else the first object of each run would open /dev/urandom. */
	json_object_seed(0);
}

int parent_run(int fd, void (*prepare)(lua_State *L))
{
	struct parent p = {.wire = {.fd = fd, .fill = receive, .data = &p},
		.memory = {.max_bytes = SANDBOX_LUA_BYTES}};
	int r;

	prepare_process();
	r = sandbox_make_blocking(fd);
	if (r == 0)
		r = sandbox_new(false, &p.sandbox);
	if (r == 0)
		r = env_new(&p.memory, &p.L);
	if (r < 0) {
		log_error("cannot prepare the sandbox of policies: %s, no policy can run",
			strerror(-r));
		return r;
	}
	if (prepare)
		prepare(p.L);
	r = serve(&p);
	if (r < 0)
		log_error("the daemon broke the protocol: %s, ending", strerror(-r));
	(void)refuse_fds(&p);
	wire_done(&p.wire);
	lua_close(p.L);
	p.sandbox = sandbox_free(p.sandbox);
	return r;
}
