/* SPDX-License-Identifier: MIT */
#include "exec/spawn/keeper.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/str.h"
#include "exec/spawn/icmp.h"

enum {
	MAX_GROUPS = 64,
	N_FDS = 4, /* in, out, err, control; then the control group's, if there is one */
	KIND_BYTES = 64,
	/* Less than the watchdog's patience; a fork takes well under a millisecond. */
	PATIENCE_MSEC = 4000,
};

/* Journals, files that may lie among logs, and units: how one ended stands in the journal. */
static const char *const kinds[] = {"file", "journal", "logfile", "unit", NULL};

struct order {
	char kind[KIND_BYTES];
	uint64_t user_tasks_max, memory_max_bytes;
};

bool keeper_is_for(const struct keeper *keeper, const char *kind)
{
	return keeper && keeper->fd >= 0 && kind && strv_contains((char **)(uintptr_t)kinds, kind);
}

/* ---- the keeper ----------------------------------------------------------------------------- */

static void take_fds(const struct msghdr *m, int fds[N_FDS + 1])
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c;
		c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(fds, CMSG_DATA(c),
				MIN(c->cmsg_len - CMSG_LEN(0), (N_FDS + 1) * sizeof(int)));
}

static int serve_order(const char *look, struct order *order, const int fds[N_FDS + 1])
{
	const char *const argv[] = {look, order->kind, "-", NULL};
	const struct warden_spec spec = {.argv = argv,
		.in = fds[0],
		.out = fds[1],
		.err = fds[2],
		.control = fds[3],
		.cgroup_procs = fds[N_FDS],
		.user_tasks_max = order->user_tasks_max,
		.memory_max_bytes = order->memory_max_bytes};
	pid_t pid;
	int r;

	order->kind[KIND_BYTES - 1] = '\0';
	if (fds[N_FDS - 1] < 0 || !strv_contains((char **)(uintptr_t)kinds, order->kind))
		return -EPERM;
	r = warden_start_sibling(&spec, &pid);
	return r < 0 ? r : pid;
}

/* False: tend-spawn is gone. */
static bool serve(int fd, const char *look)
{
	union {
		char space[CMSG_SPACE((N_FDS + 1) * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct order order = {.kind = ""};
	struct iovec iov = {&order, sizeof(order)};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	int fds[N_FDS + 1] = {-1, -1, -1, -1, -1}, answer;
	ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0)
		return false;
	take_fds(&m, fds);
	answer = n == (ssize_t)sizeof(order) ? serve_order(look, &order, fds) : -EBADMSG;
	for (int i = 0; i <= N_FDS; i++)
		safe_close(fds[i]);
	return send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) == (ssize_t)sizeof(answer);
}

static _Noreturn void keep(int fd, const char *look)
{
	/* Nor the sockets of tend-spawn: those for ping, its listening ones. */
	if (dup3(fd, 100, O_CLOEXEC) < 0 || close_range(3, 99, 0) < 0 ||
		close_range(101, ~0u, 0) < 0)
		_exit(1);
	fd = 100;
	/* A stop of the unit: tend-spawn says what happens. */
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)prctl(PR_SET_NAME, "tend-keeper");
	while (serve(fd, look))
		;
	_exit(0);
}

/* ---- tend-spawn ------------------------------------------------------------------------------ */

/* The first other one becomes the group of the keeper; its own stays among the others. */
static int become_keeper(gid_t first)
{
	gid_t groups[MAX_GROUPS + 1];
	int n = getgroups(MAX_GROUPS, groups);

	if (n < 0)
		return -errno;
	groups[n++] = getegid();
	if (setgroups((size_t)n, groups) < 0 || setresgid(first, first, first) < 0)
		return -errno;
	return icmp_give_up_rights();
}

static bool first_group(gid_t *ret_first)
{
	gid_t groups[MAX_GROUPS];
	int n = getgroups(MAX_GROUPS, groups);

	for (int i = 0; i < n; i++)
		if (groups[i] != getegid()) {
			*ret_first = groups[i];
			return true;
		}
	return n < 0; /* too many: all are given up, and none is kept */
}

int keeper_start(const char *look, struct keeper *ret_keeper)
{
	int pair[2];
	gid_t first = getegid();
	pid_t pid;

	*ret_keeper = (struct keeper){.fd = -EBADF};
	if (!first_group(&first))
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	auto_close int ours = pair[0], theirs = pair[1];
	pid = fork();
	if (pid == 0) {
		safe_close(TAKE_FD(ours));
		if (become_keeper(first) < 0)
			_exit(1);
		keep(theirs, look);
	}
	if (pid < 0 || setgroups(0, NULL) < 0)
		return -errno;
	*ret_keeper = (struct keeper){.fd = TAKE_FD(ours), .pid = pid};
	return 0;
}

static int send_order(int fd, const struct warden_spec *spec)
{
	struct order order = {
		.user_tasks_max = spec->user_tasks_max, .memory_max_bytes = spec->memory_max_bytes};
	const int fds[N_FDS + 1] = {
		spec->in, spec->out, spec->err, spec->control, spec->cgroup_procs};
	size_t n_bytes = (N_FDS + (spec->cgroup_procs >= 0)) * sizeof(int);
	union {
		char space[CMSG_SPACE((N_FDS + 1) * sizeof(int))];
		struct cmsghdr align;
	} control = {.space = {0}};
	struct iovec iov = {&order, sizeof(order)};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(n_bytes)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	(void)snprintf(order.kind, sizeof(order.kind), "%s", spec->argv[1]);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n_bytes);
	memcpy(CMSG_DATA(c), fds, n_bytes);
	return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -EPIPE : 0;
}

int keeper_warden(const struct keeper *keeper, const struct warden_spec *spec, pid_t *ret_pid)
{
	struct pollfd wait = {.fd = keeper->fd, .events = POLLIN};
	int r = send_order(keeper->fd, spec), answer;

	if (r < 0)
		return r;
	do
		r = poll(&wait, 1, PATIENCE_MSEC);
	while (r < 0 && errno == EINTR);
	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	if (recv(keeper->fd, &answer, sizeof(answer), MSG_DONTWAIT) != (ssize_t)sizeof(answer))
		return -EPIPE;
	if (answer < 0)
		return answer;
	*ret_pid = answer;
	return 0;
}
