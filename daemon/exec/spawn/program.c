/* SPDX-License-Identifier: MIT */
#include "exec/spawn/program.h"
#include <sys/resource.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/sanitized.h"
#include "exec/spawn/keeper.h"
#include "exec/spawn/warden.h"

/* From TERM to KILL; a little less than the 2 s that all of it has to be gone in. */
#define KILL_AFTER_USEC (1900 * USEC_PER_MSEC)
/* Nobody survives KILL for so long but in the kernel, or because the warden was stopped. */
#define STUCK_AFTER_USEC (3 * USEC_PER_SEC)
/* A descendant may hold the output open when the program has ended: so long it is waited for. */
#define LINGER_USEC (250 * USEC_PER_MSEC)

enum { READ_BYTES = 65536 };

struct output {
	struct program *program;
	struct loop_source *io;
	int fd;
	struct str kept;
	bool truncated;
};

struct program {
	struct loop *loop;
	struct program_spec spec;
	pid_t warden;
	struct loop_source *child, *timer, *control_io;
	int control;
	struct output out, err;
	usec_t started;
	bool ended; /* `status` counts */
	int status, start_errno;
	bool answered, terminating, killed;
};

static void answer(struct program *p, bool timed_out)
{
	struct program_result result = {
		.start_errno = p->start_errno,
		.timed_out = timed_out,
		.exit_status = p->ended && WIFEXITED(p->status) ? WEXITSTATUS(p->status) : -1,
		.signo = p->ended && WIFSIGNALED(p->status) ? WTERMSIG(p->status) : 0,
		.out = &p->out.kept,
		.err = &p->err.kept,
		.truncated = p->out.truncated || p->err.truncated,
		.elapsed = clock_now() - p->started,
	};

	if (p->answered)
		return;
	p->answered = true;
	p->spec.answered(&result, p->spec.data);
}

static void order(struct program *p, char what)
{
	if (p->control >= 0)
		(void)!send(p->control, &what, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void kill_all(struct program *p)
{
	if (p->killed)
		return;
	p->killed = true;
	loop_timer_set(p->timer, clock_now() + STUCK_AFTER_USEC);
	order(p, WARDEN_KILL);
	cgroup_kill(p->spec.cgroup);
}

static void terminate(struct program *p)
{
	if (p->terminating || p->killed)
		return;
	p->terminating = true;
	order(p, WARDEN_TERM);
	loop_timer_set(p->timer, clock_now() + KILL_AFTER_USEC);
}

static bool outputs_ended(const struct program *p)
{
	return p->out.fd < 0 && p->err.fd < 0;
}

/* The program has ended: answer when its output is complete, or has lingered long enough. */
static void settle(struct program *p, bool patient)
{
	if (!p->ended || p->answered)
		return;
	if (!outputs_ended(p) && patient) {
		loop_timer_set(p->timer, clock_now() + LINGER_USEC);
		return;
	}
	answer(p, false);
	kill_all(p);
}

static void output_close(struct output *o)
{
	o->io = loop_source_free(o->io);
	o->fd = safe_close(o->fd);
}

/* False at its end. */
static bool output_read(struct output *o)
{
	static char buffer[READ_BYTES]; /* one thread, and nothing is kept in it */
	ssize_t n = read(o->fd, buffer, sizeof(buffer));
	size_t room = o->kept.max - o->kept.len;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	if ((size_t)n > room)
		o->truncated = true;
	if (str_append(&o->kept, buffer, MIN((size_t)n, room)) < 0)
		o->truncated = true;
	return true;
}

static void on_output(int fd, uint32_t events, void *data)
{
	struct output *o = data;

	if (output_read(o))
		return;
	output_close(o);
	settle(o->program, true);
}

/* The letter of /proc/PID/stat, which follows the last ')'. */
static char process_state(pid_t pid)
{
	auto_free char *path = str_printf("/proc/%ld/stat", (long)pid);
	auto_free char *text = NULL;
	size_t n;
	const char *end;

	if (!path || fs_read_file(path, 4096, &text, &n) < 0)
		return '?';
	end = strrchr(text, ')');
	return end && end[1] == ' ' ? end[2] : '?';
}

static void look_why_stuck(struct program *p)
{
	char state = process_state(p->warden);

	if (state == 'T' || state == 't') {
		p->spec.foul("was stopped", p->spec.data);
		return;
	}
	log_warning("a program still has processes %d s after KILL, stuck in the kernel: its place "
		    "stays taken",
		(int)(STUCK_AFTER_USEC / USEC_PER_SEC));
}

static void on_timer(void *data)
{
	struct program *p = data;

	if (p->killed) {
		look_why_stuck(p);
	} else if (p->terminating) {
		kill_all(p);
	} else if (p->ended) {
		settle(p, false);
	} else {
		answer(p, true);
		terminate(p);
	}
}

static void take_message(struct program *p, const struct warden_message *message)
{
	if (message->what == WARDEN_FAILED) {
		p->start_errno = message->value ? message->value : EIO;
		answer(p, false);
		kill_all(p);
	} else {
		p->ended = true;
		p->status = message->value;
		settle(p, true);
	}
}

static void on_control(int fd, uint32_t events, void *data)
{
	struct program *p = data;
	struct warden_message message;
	ssize_t n = recv(fd, &message, sizeof(message), MSG_DONTWAIT);

	if (n == (ssize_t)sizeof(message))
		take_message(p, &message);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		p->control_io = loop_source_free(p->control_io);
}

/* The last of the family is gone, so the output cannot grow any more. */
static void on_warden_end(pid_t pid, int code, int status, void *data)
{
	struct program *p = data;
	struct warden_message message;

	while (recv(p->control, &message, sizeof(message), MSG_DONTWAIT) ==
		(ssize_t)sizeof(message))
		take_message(p, &message);
	for (int i = 0; i < 64 && p->out.fd >= 0 && output_read(&p->out); i++)
		;
	for (int i = 0; i < 64 && p->err.fd >= 0 && output_read(&p->err); i++)
		;
	if (!p->ended && !p->start_errno)
		p->start_errno = EPIPE;
	answer(p, false);
	p->warden = 0;
	if (code != CLD_EXITED) {
		cgroup_kill(p->spec.cgroup);
		p->spec.foul("was killed", p->spec.data);
	}
	p->spec.gone(p->spec.data);
	program_free(p);
}

/* ---- start ---- */

static int open_stdin(const char *text, int *ret_fd)
{
	auto_close int fd = -EBADF;
	size_t n = text ? strlen(text) : 0;

	if (!text) {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		*ret_fd = TAKE_FD(fd);
		return 0;
	}
	fd = memfd_create("stdin", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < n;) {
		ssize_t got = write(fd, text + done, n - done);

		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		done += (size_t)got;
	}
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* The program's end stays blocking: it is its standard output. */
static int open_output(struct program *p, struct output *o, size_t max_bytes, int *ret_fd)
{
	int fds[2];
	int r;

	o->program = p;
	o->kept.max = max_bytes;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	o->fd = fds[0];
	*ret_fd = fds[1];
	if (fcntl(o->fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = loop_io_new(p->loop, o->fd, EPOLLIN, on_output, o, &o->io);
	if (r == 0)
		loop_source_name(o->io, "output of a program");
	return r;
}

static int start(struct program *p)
{
	auto_close int in = -EBADF;
	auto_close int out = -EBADF;
	auto_close int err = -EBADF;
	auto_close int control = -EBADF;
	int pair[2];
	int r = open_stdin(p->spec.stdin_text, &in);

	if (r == 0)
		r = open_output(p, &p->out, p->spec.output_max_bytes, &out);
	if (r == 0)
		r = open_output(p, &p->err, p->spec.output_max_bytes, &err);
	if (r == 0)
		r = loop_timer_new(p->loop, on_timer, p, &p->timer);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	p->control = pair[0];
	control = pair[1];
	r = loop_io_new(p->loop, p->control, EPOLLIN, on_control, p, &p->control_io);
	if (r < 0)
		return r;
	struct warden_spec warden = {.argv = p->spec.argv,
		.in = in,
		.out = out,
		.err = err,
		.cgroup_procs = cgroup_procs_fd(p->spec.cgroup),
		.user_tasks_max = p->spec.user_tasks_max,
		.memory_max_bytes = p->spec.memory_max_bytes,
		.control = control};
	r = p->spec.keeper ? keeper_warden(p->spec.keeper, &warden, &p->warden)
			   : warden_start(&warden, &p->warden);
	if (r < 0)
		return r;
	p->started = clock_now();
	loop_timer_set(p->timer, p->started + p->spec.timeout);
	return loop_child_new(p->loop, p->warden, on_warden_end, p, &p->child);
}

uint64_t program_memory_max(uint64_t max_bytes, bool is_look)
{
	return SANITIZED && is_look ? RLIM_INFINITY : max_bytes;
}

int program_start(struct loop *loop, const struct program_spec *spec, struct program **ret_program)
{
	struct program *p = calloc(1, sizeof(*p));
	int r;

	if (!p) {
		cgroup_free(spec->cgroup);
		return -ENOMEM;
	}
	*p = (struct program){.loop = loop, .spec = *spec, .control = -EBADF};
	p->out.fd = p->err.fd = -EBADF;
	r = start(p);
	if (r < 0) {
		program_free(p);
		return r;
	}
	*ret_program = p;
	return 0;
}

void program_cancel(struct program *program)
{
	program->answered = true;
	if (program->ended)
		kill_all(program);
	else
		terminate(program);
}

struct program *program_free(struct program *program)
{
	if (!program)
		return NULL;
	if (program->warden > 0)
		kill_all(program);
	output_close(&program->out);
	output_close(&program->err);
	str_clear(&program->out.kept);
	str_clear(&program->err.kept);
	loop_source_free(program->child);
	loop_source_free(program->timer);
	loop_source_free(program->control_io);
	safe_close(program->control);
	cgroup_free(program->spec.cgroup);
	free(program);
	return NULL;
}

pid_t program_pid(const struct program *program)
{
	return program->warden;
}
