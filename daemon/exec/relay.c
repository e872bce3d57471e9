/* SPDX-License-Identifier: MIT */
#include "exec/relay.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/cleanup.h"

enum { BUFFER_BYTES = 65536 };

struct pipe_way {
	int from, to;
	char buf[BUFFER_BYTES];
	size_t start, len;
	bool ended;
};

static int reach(const char *path, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		return fd < 0 ? -errno : -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* In the words of the protocol, so that it stands in the log of the tendd that asked. */
static void tell(const char *program, int r)
{
	(void)printf("{\"call\":\"refused\",\"args\":{\"message\":\"%s of this host cannot be "
		     "reached: %s\"}}\n",
		program, strerror(-r));
	(void)fflush(stdout);
}

static bool would_block(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void fill(struct pipe_way *way)
{
	ssize_t n = read(way->from, way->buf, sizeof(way->buf));

	way->start = 0;
	way->len = n > 0 ? (size_t)n : 0;
	if (n == 0 || (n < 0 && !would_block(n)))
		way->ended = true;
}

static void empty(struct pipe_way *way)
{
	ssize_t n = write(way->to, way->buf + way->start, way->len);

	if (n > 0) {
		way->start += (size_t)n;
		way->len -= (size_t)n;
	} else if (!would_block(n)) {
		way->len = 0;
		way->ended = true;
	}
}

/* One side has gone, and what it said has been passed on. */
static bool is_over(const struct pipe_way ways[2])
{
	return (ways[0].ended && ways[0].len == 0) || (ways[1].ended && ways[1].len == 0);
}

static int copy(struct pipe_way ways[2])
{
	while (!is_over(ways)) {
		struct pollfd p[2];

		for (int i = 0; i < 2; i++)
			p[i] = ways[i].len > 0
				       ? (struct pollfd){.fd = ways[i].to, .events = POLLOUT}
				       : (struct pollfd){.fd = ways[i].from, .events = POLLIN};
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return EXIT_FAILURE;
		for (int i = 0; i < 2; i++) {
			if (!p[i].revents)
				continue;
			if (ways[i].len > 0)
				empty(&ways[i]);
			else
				fill(&ways[i]);
		}
	}
	return EXIT_SUCCESS;
}

int relay_run(const char *program, const char *socket_path)
{
	static struct pipe_way ways[2];
	auto_close int fd = -EBADF;
	int r;

	if (getenv("SSH_ORIGINAL_COMMAND")) {
		(void)fprintf(
			stderr, "%s: this key is for Tend's messages, not for commands\n", program);
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	r = reach(socket_path, &fd);
	if (r < 0) {
		tell(program, r);
		return EXIT_FAILURE;
	}
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) < 0 ||
		fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK) < 0)
		return EXIT_FAILURE;
	ways[0].from = STDIN_FILENO;
	ways[0].to = ways[1].from = fd;
	ways[1].to = STDOUT_FILENO;
	return copy(ways);
}
