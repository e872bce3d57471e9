/* SPDX-License-Identifier: MIT */
/* A web server for bench_http.py that costs next to nothing: one thread, one static answer, then it
 * closes. It listens on every address of the loopback, on a free port, and prints the port; for
 * each line on its standard input it prints how many requests it has answered; it ends with that
 * input. */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096, N_EVENTS = 256, REQUEST_BYTES = 4096 };

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
			     "Connection: close\r\n\r\nok\n";
static uint64_t n_answered;

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

/* False if nothing has come yet. A request of these clients is one segment without a body. */
static int serve(int fd)
{
	char request[REQUEST_BYTES];
	ssize_t n = recv(fd, request, sizeof(request), 0);

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n > 4 && memcmp(request + n - 4, "\r\n\r\n", 4) == 0 &&
		send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(answer) - 1)
		n_answered++;
	(void)close(fd);
	return 1;
}

static void accept_all(int epoll_fd, int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		if (!serve(fd))
			watch(epoll_fd, fd);
}

static void tell(void)
{
	char line[64];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line));

	if (n <= 0)
		exit(0);
	(void)printf("%" PRIu64 "\n", n_answered);
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
				(void)serve(events[i].data.fd);
		}
	}
}
