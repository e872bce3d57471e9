/* SPDX-License-Identifier: MIT */
/*
 * haproxy-node: takes one server of an HAProxy backend out and puts it back, over the runtime
 * socket (`stats socket PATH level admin`). For the policy `rolling-restart`; socket and backend
 * are words of the executor's manifest, the node is a parameter that is checked there and here.
 * In C, because nothing that a server has by itself talks to a unix socket.
 * Exit 0: it is so; 1: it is not; 64: usage. It never waits longer than WAIT_SEC.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MAX_BYTES = 4 << 20, COMMAND_BYTES = 512, WAIT_SEC = 15, NAME_MAX_BYTES = 100 };

/* Columns of `show stat`, from 0; the order is fixed, new ones are appended. */
enum {
	COLUMN_BACKEND = 0,
	COLUMN_NODE = 1,
	COLUMN_QUEUED = 2,
	COLUMN_SESSIONS = 4,
	COLUMN_STATUS = 17
};

struct node {
	char status[64];
	long queued, sessions;
};

__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...)
{
	va_list args;

	(void)fputs("haproxy-node: ", stderr);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	return 1;
}

static bool name_is_plain(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= NAME_MAX_BYTES &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-:") ==
		       len;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = WAIT_SEC};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		int r = -errno;

		(void)close(fd);
		return r;
	}
	return fd;
}

/* One command a connection: HAProxy closes it after the answer. NULL: told. */
static char *ask(const char *path, const char *command)
{
	size_t len = strlen(command), n = 0;
	char *answer = malloc(ANSWER_MAX_BYTES);
	int fd = answer ? connect_to(path) : -ENOMEM;
	ssize_t got = -1;

	if (fd < 0) {
		(void)fail("%s: %s", path, strerror(-fd));
		free(answer);
		return NULL;
	}
	if (send(fd, command, len, MSG_NOSIGNAL) == (ssize_t)len)
		do {
			got = recv(fd, answer + n, ANSWER_MAX_BYTES - 1 - n, 0);
			n += got > 0 ? (size_t)got : 0;
		} while (got > 0 && n < ANSWER_MAX_BYTES - 1);
	(void)close(fd);
	if (got != 0) {
		(void)fail("%s: no whole answer", path);
		free(answer);
		return NULL;
	}
	answer[n] = '\0';
	return answer;
}

/* Fields of one line of CSV; those with commas in them are quoted and come after what is read. */
static bool take_row(char *line, const char *backend, const char *name, struct node *ret_node)
{
	char *fields[COLUMN_STATUS + 1];

	for (size_t i = 0; i <= COLUMN_STATUS; i++) {
		fields[i] = strsep(&line, ",");
		if (!fields[i])
			return false;
	}
	if (strcmp(fields[COLUMN_BACKEND], backend) != 0 || strcmp(fields[COLUMN_NODE], name) != 0)
		return false;
	(void)snprintf(ret_node->status, sizeof(ret_node->status), "%s", fields[COLUMN_STATUS]);
	ret_node->queued = strtol(fields[COLUMN_QUEUED], NULL, 10);
	ret_node->sessions = strtol(fields[COLUMN_SESSIONS], NULL, 10);
	return true;
}

static int look(const char *path, const char *backend, const char *name, struct node *ret_node)
{
	char *answer = ask(path, "show stat\n"), *rest = answer, *line;
	bool found = false;

	if (!answer)
		return -EIO;
	while (!found && (line = strsep(&rest, "\n")))
		found = take_row(line, backend, name, ret_node);
	free(answer);
	if (!found)
		(void)fail("there is no server %s in the backend %s", name, backend);
	return found ? 0 : -ENOENT;
}

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* "no check" is of a server that HAProxy does not check: it gets requests. "UP 1/3" is going down.
 */
static bool is_in_use(const struct node *node)
{
	return starts_with(node->status, "UP") || strcmp(node->status, "no check") == 0;
}

static bool is_out(const struct node *node)
{
	return starts_with(node->status, "DRAIN") || starts_with(node->status, "MAINT") ||
	       starts_with(node->status, "DOWN");
}

/* Sets the state and sees that it is so: checks need a moment to call a server up. */
static int set_state(const char *path, const char *backend, const char *name, const char *state,
	bool (*is_so)(const struct node *node))
{
	char command[COMMAND_BYTES];
	struct node node = {0};
	char *answer;
	bool refused;

	if (look(path, backend, name, &node) < 0)
		return 1;
	(void)snprintf(
		command, sizeof(command), "set server %s/%s state %s\n", backend, name, state);
	answer = ask(path, command);
	if (!answer)
		return 1;
	refused = answer[strspn(answer, " \r\n")] != '\0';
	if (refused)
		(void)fail("%s/%s: %.200s", backend, name, answer);
	free(answer);
	if (refused)
		return 1;
	for (int i = 0; i < WAIT_SEC * 10; i++) {
		if (look(path, backend, name, &node) < 0)
			return 1;
		if (is_so(&node)) {
			(void)printf("status=%s\nsessions=%ld\n", node.status, node.sessions);
			return 0;
		}
		(void)poll(NULL, 0, 100);
	}
	return fail("%s/%s is %s", backend, name, node.status);
}

static int tell_idle(const char *path, const char *backend, const char *name)
{
	struct node node = {0};

	if (look(path, backend, name, &node) < 0)
		return 1;
	(void)printf(
		"status=%s\nsessions=%ld\nqueued=%ld\n", node.status, node.sessions, node.queued);
	return node.sessions == 0 && node.queued == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *command = argc > 3 ? argv[3] : "";

	if (argc != 5) {
		(void)fputs("Usage: haproxy-node SOCKET BACKEND drain|idle|close|ready NODE\n"
			    "  drain  no new ones, but of those whom a cookie ties to it\n"
			    "  idle   exit 0: it has nothing left to do\n"
			    "  close  nobody at all\n"
			    "  ready  in use again; exit 1: HAProxy does not use it\n",
			stderr);
		return 64;
	}
	if (!name_is_plain(argv[2]) || !name_is_plain(argv[4]))
		return fail("a backend and a node are letters, digits and _.-:");
	if (strcmp(command, "drain") == 0)
		return set_state(argv[1], argv[2], argv[4], "drain", is_out);
	if (strcmp(command, "close") == 0)
		return set_state(argv[1], argv[2], argv[4], "maint", is_out);
	if (strcmp(command, "ready") == 0)
		return set_state(argv[1], argv[2], argv[4], "ready", is_in_use);
	if (strcmp(command, "idle") == 0)
		return tell_idle(argv[1], argv[2], argv[4]);
	return fail("there is no command '%.50s'", command);
}
