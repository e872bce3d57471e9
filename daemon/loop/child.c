/* SPDX-License-Identifier: MIT */
#include "loop/child.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#define BACKOFF_MIN_USEC   (100 * USEC_PER_MSEC)
#define BACKOFF_MAX_USEC   (30 * USEC_PER_SEC)
#define BACKOFF_RESET_USEC (60 * USEC_PER_SEC)

struct child {
	struct loop *loop;
	struct child_spec spec;
	char *name;
	char **argv;
	struct rpc *rpc;
	struct loop_source *exited, *timer;
	pid_t pid;
	usec_t started, backoff;
	uint64_t n_starts;
};

/* What is left of a child that was told to go: it gets TERM, then KILL, and is reaped. */
struct leaver {
	struct loop *loop;
	struct loop_source *exited, *timer;
	pid_t pid;
	int n_signals;
	struct leaver *next, **prev;
};
static struct leaver *leavers;

static void child_start(struct child *child);

static void leaver_free(struct leaver *l)
{
	*l->prev = l->next;
	if (l->next)
		l->next->prev = l->prev;
	loop_source_free(l->exited);
	loop_source_free(l->timer);
	free(l);
}

static void leaver_exited(pid_t pid, int code, int status, void *data)
{
	leaver_free(data);
}

static void leaver_timer(void *data)
{
	struct leaver *l = data;

	(void)kill(l->pid, l->n_signals++ ? SIGKILL : SIGTERM);
	loop_timer_set(l->timer, clock_now() + 2 * USEC_PER_SEC);
}

static void leave(struct loop *loop, pid_t pid, bool at_once)
{
	struct leaver *l = calloc(1, sizeof(*l));

	if (at_once || !l)
		(void)kill(pid, SIGKILL);
	if (!l)
		return;
	l->loop = loop;
	l->pid = pid;
	l->n_signals = at_once;
	if (loop_timer_new(l->loop, leaver_timer, l, &l->timer) < 0 ||
		loop_child_new(l->loop, l->pid, leaver_exited, l, &l->exited) < 0) {
		(void)kill(pid, SIGKILL);
		loop_source_free(l->timer);
		free(l);
		return;
	}
	loop_timer_set(l->timer, clock_now() + USEC_PER_SEC);
	l->next = leavers;
	l->prev = &leavers;
	if (l->next)
		l->next->prev = &l->next;
	leavers = l;
}

static void child_leave(struct child *child)
{
	child->exited = loop_source_free(child->exited);
	leave(child->loop, child->pid, false);
}

void child_abandon(struct loop *loop, pid_t pid)
{
	leave(loop, pid, true);
}

static bool gone_by(pid_t pid, usec_t end)
{
	auto_close int fd = (int)syscall(SYS_pidfd_open, pid, 0u);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	usec_t now = clock_now();

	return fd >= 0 && poll(&p, 1, end > now ? (int)((end - now) / USEC_PER_MSEC) : 0) > 0;
}

void children_drain(usec_t patience)
{
	usec_t end = clock_now() + patience;

	while (leavers) {
		pid_t pid = leavers->pid;

		if (!gone_by(pid, end))
			(void)kill(pid, SIGKILL);
		leaver_free(leavers);
		(void)waitpid(pid, NULL, 0);
	}
}

static void child_down(struct child *child, const char *why)
{
	char span[CLOCK_TEXT_BYTES];
	usec_t now = clock_now();

	if (now - child->started > BACKOFF_RESET_USEC)
		child->backoff = BACKOFF_MIN_USEC;
	log_warning("%s: %s, starts again in %s", child->name, why,
		clock_format_span(child->backoff, span));
	child->pid = 0;
	if (child->spec.on_down)
		child->spec.on_down(child, why, child->spec.data);
	child->rpc = rpc_free(child->rpc);
	loop_timer_set(child->timer, now + child->backoff);
	child->backoff = MIN(child->backoff * 2, BACKOFF_MAX_USEC);
}

static void on_exited(pid_t pid, int code, int status, void *data)
{
	struct child *child = data;
	char why[128];

	loop_source_free(child->exited);
	child->exited = NULL;
	(void)snprintf(why, sizeof(why),
		code == CLD_EXITED ? "exited with status %d" : "ended by signal %d", status);
	child_down(child, why);
}

static void on_close(struct rpc *rpc, const char *why, void *data)
{
	struct child *child = data;

	/* It should end by itself now; if it does not, it is helped along. */
	child->rpc = rpc_free(child->rpc);
	if (child->pid > 0) {
		log_warning("%s: its connection closed (%s)", child->name, why);
		(void)kill(child->pid, SIGTERM);
		loop_timer_set(child->timer, clock_now() + 2 * USEC_PER_SEC);
	}
}

static void on_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data)
{
	struct child *child = data;

	if (child->spec.on_call)
		child->spec.on_call(rpc, id, call, args, child->spec.data);
	else
		rpc_error(rpc, id, "invalid", "nothing answers '%s' here", call);
}

/* Its number, or -errno. */
static pid_t spawn(char *const *argv, int sock)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, defaults;
	/* Emptied, but for where the journal is. */
	auto_free char *stream = getenv("JOURNAL_STREAM")
					 ? str_printf("JOURNAL_STREAM=%s", getenv("JOURNAL_STREAM"))
					 : NULL;
	char *envp[] = {stream, NULL};
	pid_t pid;
	int r;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (r) {
		posix_spawn_file_actions_destroy(&actions);
		return -r;
	}
	r = posix_spawn_file_actions_adddup2(&actions, sock, 3);
	if (!r)
		r = posix_spawnattr_setsigmask(&attr, &none);
	if (!r)
		r = posix_spawnattr_setsigdefault(&attr, &defaults);
	if (!r)
		r = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (!r)
		r = posix_spawn(&pid, argv[0], &actions, &attr, argv, envp);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return r == 0 ? pid : -r;
}

int child_spawn(char *const *argv, pid_t *ret_pid, int *ret_sock)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	auto_close int ours = pair[0], theirs = pair[1];
	pid = spawn(argv, theirs);
	if (pid < 0)
		return pid;
	*ret_pid = pid;
	*ret_sock = TAKE_FD(ours);
	return 0;
}

static int child_try_start(struct child *child)
{
	auto_close int sock = -EBADF;
	int r = child_spawn(child->argv, &child->pid, &sock);

	if (r < 0)
		return r;
	child->n_starts++;
	child->started = clock_now();
	r = loop_child_new(child->loop, child->pid, on_exited, child, &child->exited);
	if (r < 0) {
		(void)kill(child->pid, SIGKILL);
		(void)waitpid(child->pid, NULL, 0);
		child->pid = 0;
		return r;
	}
	return rpc_new(
		child->loop, TAKE_FD(sock), child->name, on_call, on_close, child, &child->rpc);
}

static void child_start(struct child *child)
{
	int r = child_try_start(child);

	if (r < 0 && child->pid == 0) {
		char why[512];
		(void)snprintf(
			why, sizeof(why), "cannot start %s: %s", child->argv[0], strerror(-r));
		child->started = clock_now();
		child_down(child, why);
	} else if (r < 0) {
		(void)kill(child->pid, SIGTERM); /* on_exited() tries again */
	} else if (child->spec.on_up) {
		child->spec.on_up(child, child->rpc, child->spec.data);
	}
}

static void on_timer(void *data)
{
	struct child *child = data;

	if (child->pid > 0)
		child_kill(child); /* it was asked to go and did not */
	else
		child_start(child);
}

void child_kill(struct child *child)
{
	if (child->pid > 0)
		(void)kill(child->pid, SIGKILL);
}

static char **copy_argv(const char *const *argv)
{
	size_t n = 0;

	while (argv[n])
		n++;
	auto(strv_free) char **copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = strdup(argv[i]);
		if (!copy[i])
			return NULL;
	}
	return TAKE(copy);
}

int child_new(struct loop *loop, const struct child_spec *spec, struct child **ret_child)
{
	auto(child_free) struct child *child = calloc(1, sizeof(*child));
	int r;

	if (!child)
		return -ENOMEM;
	child->loop = loop;
	child->spec = *spec;
	child->backoff = BACKOFF_MIN_USEC;
	child->name = strdup(spec->name);
	child->argv = copy_argv(spec->argv);
	if (!child->name || !child->argv)
		return -ENOMEM;
	r = loop_timer_new(loop, on_timer, child, &child->timer);
	if (r < 0)
		return r;
	/* From the loop, so that the maker has its pointer when on_up comes. */
	loop_timer_set(child->timer, clock_now());
	*ret_child = TAKE(child);
	return 0;
}

struct child *child_free(struct child *child)
{
	if (!child)
		return NULL;
	child->rpc = rpc_free(child->rpc);
	if (child->pid > 0)
		child_leave(child);
	loop_source_free(child->exited);
	loop_source_free(child->timer);
	strv_free(child->argv);
	free(child->name);
	free(child);
	return NULL;
}

struct rpc *child_rpc(struct child *child)
{
	return child->rpc;
}

pid_t child_pid(const struct child *child)
{
	return child->pid;
}

usec_t child_cpu(const struct child *child)
{
	struct timespec spent;
	clockid_t clock;

	if (child->pid <= 0 || clock_getcpuclockid(child->pid, &clock) != 0 ||
		clock_gettime(clock, &spent) < 0)
		return 0;
	return (usec_t)spent.tv_sec * USEC_PER_SEC + (usec_t)spent.tv_nsec / 1000;
}

uint64_t child_n_starts(const struct child *child)
{
	return child->n_starts;
}
