/* SPDX-License-Identifier: MIT */
#include "init/tool.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/str.h"

enum { OUTPUT_MAX_BYTES = 4 << 20 };

/* Its number, or -errno. */
static pid_t start(const char *const *argv, int out)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int r = posix_spawn_file_actions_init(&actions);

	if (r == 0)
		r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	if (r == 0)
		r = posix_spawnp(
			&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return r == 0 ? pid : -r;
}

static int read_all(int fd, usec_t deadline, struct str *out)
{
	char buffer[65536];

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		usec_t now = clock_now();
		ssize_t n;

		if (now >= deadline)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)((deadline - now) / USEC_PER_MSEC) + 1) <= 0)
			continue;
		n = read(fd, buffer, sizeof(buffer));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (str_append(out, buffer, (size_t)n) < 0)
			return -EFBIG;
	}
}

int tool_run(const char *const *argv, usec_t timeout, char **ret_out, int *ret_status)
{
	auto_str struct str out = STR_INIT(OUTPUT_MAX_BYTES);
	usec_t deadline = clock_now() + timeout;
	int fds[2] = {-EBADF, -EBADF}, status = 0, r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = start(argv, fds[1]);
	(void)close(fds[1]);
	if (pid < 0) {
		(void)close(fds[0]);
		return pid;
	}
	r = read_all(fds[0], deadline, &out);
	(void)close(fds[0]);
	if (r < 0)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return r;
	if (str_append(&out, "", 0) < 0)
		return -ENOMEM;
	*ret_out = out.data ? str_take(&out) : strdup("");
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return *ret_out ? 0 : -ENOMEM;
}
