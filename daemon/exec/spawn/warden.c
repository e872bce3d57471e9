/* SPDX-License-Identifier: MIT */
#include "exec/spawn/warden.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/cleanup.h"

enum { CONTROL = 3, SIGNALS = 4, MAX_FILE_BYTES = 64 << 20 };

static void tell(int control, int what, int value)
{
	struct warden_message message = {.value = value};

	message.what = (__typeof__(message.what))what;
	(void)!send(control, &message, sizeof(message), MSG_NOSIGNAL);
}

/* ---- the program ---- */

static void set_limits(const struct warden_spec *spec)
{
	const struct {
		int resource;
		rlim_t max;
	} rows[] = {
		{RLIMIT_CORE, 0},
		{RLIMIT_NOFILE, 256},
		{RLIMIT_FSIZE, MAX_FILE_BYTES},
		{RLIMIT_NPROC, spec->user_tasks_max},
		{RLIMIT_DATA, spec->memory_max_bytes},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rlimit limit = {0};

		(void)getrlimit((__rlimit_resource_t)rows[i].resource, &limit);
		limit.rlim_max = MIN(limit.rlim_max, rows[i].max);
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit((__rlimit_resource_t)rows[i].resource, &limit);
	}
}

static void write_text(const char *path, const char *text)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)!write(fd, text, strlen(text));
}

static void reset_signals(void)
{
	sigset_t none;

	(void)sigemptyset(&none);
	for (int signo = 1; signo < NSIG; signo++)
		(void)signal(signo, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Returns the errno of what went wrong. */
static int become_program(const struct warden_spec *spec)
{
	static const char *const environment[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
		NULL};

	if (spec->cgroup_procs >= 0 && write(spec->cgroup_procs, "0", 1) < 0)
		return errno;
	/* A session of its own: no terminal, and a group that TERM goes to. */
	if (setsid() < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		dup2(spec->in, STDIN_FILENO) < 0 || dup2(spec->out, STDOUT_FILENO) < 0 ||
		dup2(spec->err, STDERR_FILENO) < 0 ||
		close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0 || chdir("/") < 0)
		return errno;
	(void)umask(077);
	set_limits(spec);
	/* Foreign programs go first when memory is short. The file is root's until the process is
	 * dumpable again. */
	(void)prctl(PR_SET_DUMPABLE, 1);
	write_text("/proc/self/oom_score_adj", "500");
	reset_signals();
	(void)execve(spec->argv[0], (char *const *)(uintptr_t)spec->argv,
		(char *const *)(uintptr_t)environment);
	return errno;
}

/* ---- the warden ---- */

/* Whoever is left becomes our child when its parent goes: to the last generation. */
static void signal_children(int signo)
{
	char text[8192], *next = text, *end;
	auto_close int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	for (;; next = end) {
		long pid = strtol(next, &end, 10);

		if (end == next || pid <= 1)
			return;
		(void)kill((pid_t)pid, signo);
	}
}

static _Noreturn void kill_all(void)
{
	for (;;) {
		struct pollfd wait = {.fd = SIGNALS, .events = POLLIN};
		struct signalfd_siginfo info;
		pid_t pid;

		signal_children(SIGKILL);
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (pid < 0 && errno == ECHILD)
			_exit(0);
		(void)poll(&wait, 1, 100);
		(void)!read(SIGNALS, &info, sizeof(info));
	}
}

/* Is anybody left? */
static bool reap(pid_t program, bool *running)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid == 0)
			return true;
		if (pid < 0)
			return errno != ECHILD;
		if (pid == program) {
			*running = false;
			tell(CONTROL, WARDEN_ENDED, status);
		}
	}
}

static _Noreturn void watch(pid_t program)
{
	bool running = true;

	while (reap(program, &running)) {
		struct pollfd waits[] = {
			{.fd = CONTROL, .events = POLLIN}, {.fd = SIGNALS, .events = POLLIN}};
		struct signalfd_siginfo info;
		char order = WARDEN_KILL;

		if (poll(waits, 2, -1) < 0)
			continue;
		(void)!read(SIGNALS, &info, sizeof(info));
		if (!waits[0].revents)
			continue;
		/* End of file: tend-spawn is gone, and nobody wants to know any more. */
		if (recv(CONTROL, &order, 1, MSG_DONTWAIT) <= 0 || order == WARDEN_KILL)
			kill_all();
		/* Once the program is gone its group's number may be somebody else's. */
		if (running)
			(void)kill(-program, SIGTERM);
		signal_children(SIGTERM);
	}
	_exit(0);
}

/* Descriptors of tend-spawn must not stay open here: its peers would not see it end. */
static void keep_only(int control)
{
	sigset_t child;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int signals;

	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	(void)sigprocmask(SIG_SETMASK, &child, NULL);
	for (int fd = 0; fd < 3; fd++)
		(void)dup2(null, fd);
	(void)dup3(control, 100, O_CLOEXEC);
	(void)close_range(3, 99, 0);
	(void)close_range(101, ~0u, 0);
	(void)dup3(100, CONTROL, O_CLOEXEC);
	(void)close(100);
	signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals != SIGNALS)
		_exit(1);
}

static _Noreturn void run(const struct warden_spec *spec)
{
	pid_t program;

	/* A stop of the unit, or Ctrl-C: tend-spawn says what happens. */
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	(void)prctl(PR_SET_NAME, "tend-warden");
	program = fork();
	if (program == 0) {
		tell(spec->control, WARDEN_FAILED, become_program(spec));
		_exit(127);
	}
	if (program < 0) {
		tell(spec->control, WARDEN_FAILED, errno);
		_exit(1);
	}
	keep_only(spec->control);
	watch(program);
}

int warden_start(const struct warden_spec *spec, pid_t *ret_pid)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		run(spec);
	*ret_pid = pid;
	return 0;
}

/* There are no threads whose locks the clone could inherit. */
int warden_start_sibling(const struct warden_spec *spec, pid_t *ret_pid)
{
	pid_t pid = (pid_t)syscall(SYS_clone, (unsigned long)CLONE_PARENT, NULL, NULL, NULL, 0ul);

	if (pid < 0)
		return -errno;
	if (pid == 0)
		run(spec);
	*ret_pid = pid;
	return 0;
}
