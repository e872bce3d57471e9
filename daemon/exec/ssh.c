/* SPDX-License-Identifier: MIT */
#include "exec/ssh.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/str.h"

#define PROGRAM	      "/usr/bin/ssh"
#define PATIENCE_USEC (2 * USEC_PER_SEC)
enum { SAID_BYTES = 512, MAX_ARGS = 64 };

struct ssh_link {
	struct loop *loop;
	pid_t pid;
	int err_fd;
	char said[SAID_BYTES];
	struct loop_source *exited, *timer;
	bool left; /* nobody wants it any more */
};

char **ssh_argv(const struct ssh_host *host)
{
	static const char *const options[] = {
		/* Nothing but what stands here: no file of a user or of the host, no agent. */
		"BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none",
		"PreferredAuthentications=publickey", "StrictHostKeyChecking=yes",
		"GlobalKnownHostsFile=/dev/null", "UpdateHostKeys=no", "VerifyHostKeyDNS=no",
		"ControlMaster=no", "ControlPath=none", "ClearAllForwardings=yes",
		"ForwardAgent=no", "ForwardX11=no", "PermitLocalCommand=no", "ProxyCommand=none",
		"Tunnel=no", "RequestTTY=no", "EscapeChar=none", "LogLevel=ERROR",
		/* A link that is cut is noticed within 15 s. */
		"ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=2",
		"TCPKeepAlive=yes"};
	char **argv = calloc(MAX_ARGS, sizeof(*argv));
	size_t n = 0;

	if (!argv)
		return NULL;
	argv[n++] = strdup(PROGRAM);
	argv[n++] = strdup("-T");
	argv[n++] = strdup("-F");
	argv[n++] = strdup("none");
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		argv[n++] = str_printf("-o%s", options[i]);
	argv[n++] = str_printf("-oUserKnownHostsFile=%s", host->known_hosts);
	argv[n++] = str_printf("-oIdentityFile=%s", host->identity_file);
	argv[n++] = str_printf("-oUser=%s", host->user);
	argv[n++] = str_printf("-oPort=%" PRId64, host->port);
	argv[n++] = strdup("--");
	argv[n++] = strdup(host->address);
	for (size_t i = 0; i < n; i++)
		if (!argv[i]) {
			for (size_t k = 0; k < n; k++)
				free(argv[k]);
			free(argv);
			return NULL;
		}
	return argv;
}

static void link_destroy(struct ssh_link *link)
{
	loop_source_free(link->exited);
	loop_source_free(link->timer);
	safe_close(link->err_fd);
	free(link);
}

static void on_exited(pid_t pid, int code, int status, void *data)
{
	struct ssh_link *link = data;

	link->pid = 0;
	link->exited = loop_source_free(link->exited);
	if (link->left)
		link_destroy(link);
}

static void on_impatient(void *data)
{
	struct ssh_link *link = data;

	if (link->pid > 0)
		(void)kill(link->pid, SIGKILL);
}

static int spawn(char *const *argv, int sock, int err, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, defaults;
	char *envp[] = {NULL};
	int r;

	(void)sigemptyset(&none);
	(void)sigemptyset(&defaults);
	(void)sigaddset(&defaults, SIGPIPE);
	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return -ENOMEM;
	}
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setsigdefault(&attr, &defaults);
	r = posix_spawn_file_actions_adddup2(&actions, sock, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, sock, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
	if (r == 0)
		r = posix_spawn(ret_pid, argv[0], &actions, &attr, argv, envp);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int ssh_link_new(struct loop *loop, char *const *argv, struct ssh_link **ret_link, int *ret_fd)
{
	int pair[2], pipe_fds[2], r;
	auto_free struct ssh_link *link = calloc(1, sizeof(*link));

	if (!link)
		return -ENOMEM;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	auto_close int err_ours = pipe_fds[0], err_theirs = pipe_fds[1];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	auto_close int ours = pair[0], theirs = pair[1];
	/* Theirs blocks: ssh makes of it what it wants. */
	if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0 || fcntl(err_ours, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	link->loop = loop;
	r = loop_timer_new(loop, on_impatient, link, &link->timer);
	if (r == 0)
		r = spawn(argv, theirs, err_theirs, &link->pid);
	if (r == 0 && (r = loop_child_new(loop, link->pid, on_exited, link, &link->exited)) < 0)
		(void)kill(link->pid, SIGKILL);
	if (r < 0) {
		loop_source_free(link->timer);
		return r;
	}
	link->err_fd = TAKE_FD(err_ours);
	*ret_fd = TAKE_FD(ours);
	*ret_link = TAKE(link);
	return 0;
}

struct ssh_link *ssh_link_free(struct ssh_link *link)
{
	if (!link)
		return NULL;
	link->left = true;
	if (link->pid == 0) {
		link_destroy(link);
		return NULL;
	}
	/* The caller has closed its end: ssh goes by itself, or is helped along. */
	(void)kill(link->pid, SIGTERM);
	loop_timer_set(link->timer, clock_now() + PATIENCE_USEC);
	return NULL;
}

const char *ssh_link_said(struct ssh_link *link)
{
	char buf[4096];
	ssize_t n;

	/* Bounded: what is more than one look brings stays unread. */
	n = read(link->err_fd, buf, sizeof(buf) - 1);
	if (n > 0) {
		char *end = buf + n, *start;

		while (end > buf && (end[-1] == '\n' || end[-1] == '\r'))
			end--;
		*end = '\0';
		start = strrchr(buf, '\n');
		(void)snprintf(link->said, sizeof(link->said), "%.500s", start ? start + 1 : buf);
	}
	return link->said;
}
