/* SPDX-License-Identifier: MIT */
/* A web server for benches and faults that costs next to nothing: one thread, one static answer,
 * then it closes. It listens on every address of the loopback, on a free port, and prints the port;
 * for each line on its standard input it prints how many requests it has answered. `hold' makes it
 * keep what comes, and prints how many it keeps; `fail' and `well' make it answer that, and all
 * that comes, by 503 or 200. It ends with that input. */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096, N_EVENTS = 256, REQUEST_BYTES = 4096 };

#define ANSWER(status, body)                                                                       \
	"HTTP/1.1 " status "\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"                 \
	"Connection: close\r\n\r\n" body

static const char well[] = ANSWER("200 OK", "ok\n");
static const char failing[] = ANSWER("503 Service Unavailable", "no\n");
static bool fails, holds;
static uint64_t n_answered;
static int *held;
static size_t n_held, max_held;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int listen_anywhere(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, BACKLOG) < 0 ||
		getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		fail("listen");
	(void)printf("%u\n", ntohs(address.sin_port));
	return fd;
}

static void watch(int epoll_fd, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		fail("epoll_ctl");
}

static void answer(int fd)
{
	const char *text = fails ? failing : well;
	const size_t len = strlen(text);

	if (send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len)
		n_answered++;
	(void)close(fd);
}

static void hold(int epoll_fd, int fd)
{
	if (n_held == max_held) {
		max_held = max_held ? 2 * max_held : 1024;
		held = realloc(held, max_held * sizeof(*held));
		if (!held)
			fail("realloc");
	}
	(void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	held[n_held++] = fd;
}

static void let_go(void)
{
	for (size_t i = 0; i < n_held; i++)
		answer(held[i]);
	n_held = 0;
}

/* False if nothing has come yet. A request of these clients is one segment without a body. */
static int serve(int epoll_fd, int fd)
{
	char request[REQUEST_BYTES];
	ssize_t n = recv(fd, request, sizeof(request), 0);

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 4 || memcmp(request + n - 4, "\r\n\r\n", 4) != 0)
		(void)close(fd);
	else if (holds)
		hold(epoll_fd, fd);
	else
		answer(fd);
	return 1;
}

static void accept_all(int epoll_fd, int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		if (!serve(epoll_fd, fd))
			watch(epoll_fd, fd);
}

static void tell(void)
{
	char line[64];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line));

	if (n <= 0)
		exit(0);
	if (n > 1) {
		holds = line[0] == 'h';
		fails = line[0] == 'f';
		if (!holds)
			let_go();
	}
	(void)printf("%" PRIu64 "\n", holds ? (uint64_t)n_held : n_answered);
}

int main(void)
{
	struct epoll_event events[N_EVENTS];
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), listener;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (epoll_fd < 0)
		fail("epoll");
	listener = listen_anywhere();
	watch(epoll_fd, listener);
	watch(epoll_fd, STDIN_FILENO);
	for (;;) {
		int n = epoll_wait(epoll_fd, events, N_EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				accept_all(epoll_fd, listener);
			else if (events[i].data.fd == STDIN_FILENO)
				tell();
			else
				(void)serve(epoll_fd, events[i].data.fd);
		}
	}
}
