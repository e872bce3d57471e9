/* SPDX-License-Identifier: MIT */
#include "watch/unit_journal.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include "base/clock.h"
#include "base/str.h"

#define READ_USEC (2 * USEC_PER_SEC)
enum { MAX_OUTPUT_BYTES = 256 << 10, MAX_ARGS = 20 };

struct unit_journal {
	struct loop *loop;
	pid_t pid; /* 0: reaped */
	int fd;
	struct loop_source *io, *child, *timer;
	struct str output;
	bool eof, exited, well;
	char invocation[33];
	unit_journal_fn fn;
	void *data;
};

static void finish_if_done(struct unit_journal *j)
{
	enum unit_evidence evidence = UNIT_EVIDENCE_UNKNOWN;

	if (!j->exited || !j->eof || !j->fn)
		return;
	if (j->well)
		evidence = unit_journal_judge(str_get(&j->output), j->output.len, j->invocation);
	TAKE(j->fn)(evidence, j->data);
}

static void end_output(struct unit_journal *j)
{
	j->io = loop_source_free(j->io);
	j->fd = safe_close(j->fd);
	j->eof = true;
}

static void on_output(int fd, uint32_t events, void *data)
{
	struct unit_journal *j = data;
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		/* Beyond the bound only older entries come: read on, keep nothing. */
		(void)str_append(&j->output, buf, (size_t)n);
		return;
	}
	end_output(j);
	finish_if_done(j);
}

static void on_exit_of_child(pid_t pid, int code, int status, void *data)
{
	struct unit_journal *j = data;

	j->pid = 0;
	j->exited = true;
	j->well = code == CLD_EXITED && status == 0;
	finish_if_done(j);
}

static void on_timeout(void *data)
{
	struct unit_journal *j = data;

	if (j->pid > 0)
		(void)kill(j->pid, SIGKILL);
	/* One in uninterruptible sleep does not even die: go on without it, by the same callback.
	 */
	j->exited = true;
	j->well = false;
	end_output(j);
	finish_if_done(j);
}

struct argv {
	const char *items[MAX_ARGS];
	size_t n;
};

static void fill_argv(
	struct argv *a, const char *folder, const char *unit_match, const char *invocation_match)
{
	static const char *const fixed[] = {"/usr/bin/journalctl", "--quiet", "--no-pager",
		"--reverse", "--lines=200", "--output=json",
		"--output-fields=MESSAGE_ID,JOB_TYPE,JOB_RESULT,INVOCATION_ID", "_PID=1"};

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		a->items[a->n++] = fixed[i];
	a->items[a->n++] = unit_match;
	/* An invocation is of one boot anyhow; and in a container the boot that journalctl sees
	 * from within a hardened unit is the host's, of which there are no entries. */
	a->items[a->n++] = invocation_match ? invocation_match : "--boot";
	if (folder) {
		a->items[a->n++] = "--directory";
		a->items[a->n++] = folder;
	}
}

static int spawn(const struct argv *a, int out, pid_t *ret_pid)
{
	static const char *const env[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, defaults;
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
	r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(
			&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (r == 0)
		r = posix_spawn(ret_pid, a->items[0], &actions, &attr,
			(char *const *)(uintptr_t)a->items, (char *const *)(uintptr_t)env);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static int start(struct unit_journal *j, struct loop *loop, const struct argv *argv)
{
	auto_close int out = -EBADF;
	int pipe_fds[2], r;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	j->fd = pipe_fds[0];
	out = pipe_fds[1];
	if (fcntl(j->fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = spawn(argv, out, &j->pid);
	if (r < 0)
		return r;
	r = loop_io_new(loop, j->fd, EPOLLIN, on_output, j, &j->io);
	if (r == 0)
		r = loop_child_new(loop, j->pid, on_exit_of_child, j, &j->child);
	if (r == 0)
		r = loop_timer_new(loop, on_timeout, j, &j->timer);
	if (r < 0)
		return r;
	loop_source_name(j->io, "journalctl");
	loop_timer_set(j->timer, clock_now() + READ_USEC);
	return 0;
}

int unit_journal_new(struct loop *loop, const char *folder, const char *unit,
	const char *invocation, unit_journal_fn fn, void *data, struct unit_journal **ret_journal)
{
	auto(unit_journal_free) struct unit_journal *j = calloc(1, sizeof(*j));
	auto_free char *unit_match = str_printf("UNIT=%s", unit);
	auto_free char *invocation_match = str_printf("INVOCATION_ID=%s", invocation);
	struct argv argv = {0};

	if (!j)
		return -ENOMEM;
	j->loop = loop;
	j->fd = -EBADF;
	if (!unit_match || !invocation_match)
		return -ENOMEM;
	j->output = (struct str)STR_INIT(MAX_OUTPUT_BYTES);
	(void)snprintf(j->invocation, sizeof(j->invocation), "%s", invocation);
	j->fn = fn;
	j->data = data;
	fill_argv(&argv, folder, unit_match, invocation[0] ? invocation_match : NULL);
	int r = start(j, loop, &argv);
	if (r < 0)
		return r;
	*ret_journal = TAKE(j);
	return 0;
}

struct orphan {
	struct loop_source *child;
};

static void on_orphan_exit(pid_t pid, int code, int status, void *data)
{
	struct orphan *orphan = data;

	loop_source_free(orphan->child);
	free(orphan);
}

/* Not waited for here: it may hang in the kernel, as long as the disk does. */
static void abandon(struct loop *loop, pid_t pid)
{
	auto_free struct orphan *orphan = calloc(1, sizeof(*orphan));

	(void)kill(pid, SIGKILL);
	if (orphan && loop_child_new(loop, pid, on_orphan_exit, orphan, &orphan->child) == 0)
		(void)TAKE(orphan);
}

struct unit_journal *unit_journal_free(struct unit_journal *journal)
{
	if (!journal)
		return NULL;
	loop_source_free(journal->io);
	loop_source_free(journal->child);
	loop_source_free(journal->timer);
	safe_close(journal->fd);
	if (journal->pid > 0)
		abandon(journal->loop, journal->pid);
	str_clear(&journal->output);
	free(journal);
	return NULL;
}
