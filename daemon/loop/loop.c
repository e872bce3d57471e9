/* SPDX-License-Identifier: MIT */
#include "loop/loop.h"
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "loop/private.h"

#define BUSY_PERIOD (10 * USEC_PER_SEC)

int loop_new(struct loop **ret_loop)
{
	auto(loop_free) struct loop *loop = calloc(1, sizeof(*loop));
	sigset_t mask;
	int r;

	if (!loop)
		return -ENOMEM;
	/* Before any thread exists, so that every thread inherits it. */
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	r = sd_event_new(&loop->event);
	if (r >= 0)
		r = nest_new(loop, &loop->nest);
	if (r < 0)
		return r;
	*ret_loop = TAKE(loop);
	return 0;
}

struct loop *loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;
	loop_source_free(loop->watchdog);
	loop->sim = sim_free(loop->sim);
	nest_free(loop->nest);
	sd_event_unref(loop->event);
	free(loop);
	return NULL;
}

int loop_run(struct loop *loop)
{
	return sd_event_loop(loop->event);
}

void loop_stop(struct loop *loop, int code)
{
	(void)sd_event_exit(loop->event, code);
}

int loop_turn(struct loop *loop, usec_t timeout)
{
	return sd_event_run(loop->event, timeout);
}

struct loop_source *loop_source_free(struct loop_source *s)
{
	if (!s)
		return NULL;
	if (s->sim_index)
		sim_timer_set(s, 0);
	if (s->slot)
		nest_remove(s->loop->nest, s);
	sd_event_source_disable_unref(s->source);
	free(s);
	return NULL;
}

void loop_source_name(struct loop_source *s, const char *static_name)
{
	s->name = static_name;
	if (s->source)
		(void)sd_event_source_set_description(s->source, static_name);
}

/* busy[0] is of the period that runs, busy[1] of the one before. */
static void rotate_busy(struct loop *loop)
{
	usec_t since = clock_now() - loop->busy_since;

	if (since < BUSY_PERIOD)
		return;
	loop->busy[1] = since < 2 * BUSY_PERIOD ? loop->busy[0] : 0;
	loop->busy[0] = 0;
	loop->busy_since = clock_now();
}

usec_t loop_note_busy(struct loop *loop, usec_t started)
{
	usec_t busy = clock_now() - started;

	rotate_busy(loop);
	loop->busy[0] = MAX(loop->busy[0], busy);
	return busy;
}

/* Handlers may free their own source: nothing of it is touched after the call, only copies. */
static void note_busy(struct loop *loop, const char *name, usec_t started)
{
	usec_t busy = loop_note_busy(loop, started);

	if (busy > USEC_PER_SEC)
		log_warning("loop: %s held the loop for %" PRIu64 " ms", name ? name : "a handler",
			busy / USEC_PER_MSEC);
}

usec_t loop_recent_busy(struct loop *loop)
{
	rotate_busy(loop);
	return MAX(loop->busy[0], loop->busy[1]);
}

static int on_plain(struct loop_source *s)
{
	struct loop *loop = s->loop;
	const char *name = s->name;
	usec_t started = clock_now();

	s->fn.plain(s->data);
	note_busy(loop, name, started);
	return 0;
}

static int on_time(sd_event_source *source, uint64_t usec, void *data)
{
	return on_plain(data);
}

static int on_defer(sd_event_source *source, void *data)
{
	return on_plain(data);
}

void loop_dispatch_io(struct loop_source *io, uint32_t events)
{
	struct loop *loop = io->loop;
	const char *name = io->name;
	usec_t started = clock_now();

	io->fn.io(io->fd, events, io->data);
	note_busy(loop, name, started);
}

static int on_child(sd_event_source *source, const siginfo_t *si, void *data)
{
	struct loop_source *s = data;
	struct loop *loop = s->loop;
	const char *name = s->name;
	usec_t started = clock_now();

	s->fn.child(si->si_pid, si->si_code, si->si_status, s->data);
	note_busy(loop, name, started);
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *data)
{
	struct loop_source *s = data;
	struct loop *loop = s->loop;
	const char *name = s->name;
	usec_t started = clock_now();

	s->fn.signal((int)si->ssi_signo, s->data);
	note_busy(loop, name, started);
	return 0;
}

static struct loop_source *source_new(struct loop *loop, void *data)
{
	struct loop_source *s = calloc(1, sizeof(*s));

	if (s) {
		s->loop = loop;
		s->data = data;
	}
	return s;
}

static int source_done(int r, struct loop_source *s, struct loop_source **ret_s)
{
	if (r < 0) {
		loop_source_free(s);
		return r;
	}
	*ret_s = s;
	return 0;
}

int loop_timer_new(struct loop *loop, loop_fn fn, void *data, struct loop_source **ret_s)
{
	struct loop_source *s = source_new(loop, data);
	int r;

	if (!s)
		return -ENOMEM;
	s->fn.plain = fn;
	if (loop->sim)
		return source_done(0, s, ret_s);
	r = sd_event_add_time(
		loop->event, &s->source, CLOCK_MONOTONIC, UINT64_MAX, USEC_PER_MSEC, on_time, s);
	if (r >= 0)
		r = sd_event_source_set_enabled(s->source, SD_EVENT_OFF);
	return source_done(r, s, ret_s);
}

void loop_timer_set(struct loop_source *timer, usec_t at)
{
	if (timer->loop->sim) {
		sim_timer_set(timer, at);
		return;
	}
	if (at == 0 || at == USEC_INFINITY) {
		(void)sd_event_source_set_enabled(timer->source, SD_EVENT_OFF);
		return;
	}
	(void)sd_event_source_set_time(timer->source, at);
	(void)sd_event_source_set_enabled(timer->source, SD_EVENT_ONESHOT);
}

void loop_timer_set_patient(struct loop_source *timer)
{
	if (timer->source)
		(void)sd_event_source_set_priority(timer->source, SD_EVENT_PRIORITY_IDLE);
}

int loop_io_new(struct loop *loop, int fd, uint32_t events, loop_io_fn fn, void *data,
	struct loop_source **ret_s)
{
	struct loop_source *s = source_new(loop, data);
	int r;

	if (!s)
		return -ENOMEM;
	s->fn.io = fn;
	s->fd = fd;
	r = nest_add(loop->nest, s);
	if (r == 0)
		r = nest_set(loop->nest, s, events);
	return source_done(r, s, ret_s);
}

int loop_io_set(struct loop_source *io, uint32_t events)
{
	return nest_set(io->loop->nest, io, events);
}

int loop_child_new(
	struct loop *loop, pid_t pid, loop_child_fn fn, void *data, struct loop_source **ret_s)
{
	struct loop_source *s = source_new(loop, data);

	if (!s)
		return -ENOMEM;
	s->fn.child = fn;
	return source_done(
		sd_event_add_child(loop->event, &s->source, pid, WEXITED, on_child, s), s, ret_s);
}

int loop_signal_new(
	struct loop *loop, int signo, loop_signal_fn fn, void *data, struct loop_source **ret_s)
{
	struct loop_source *s = source_new(loop, data);
	sigset_t mask;

	if (!s)
		return -ENOMEM;
	s->fn.signal = fn;
	sigemptyset(&mask);
	sigaddset(&mask, signo);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return source_done(-errno, s, ret_s);
	return source_done(
		sd_event_add_signal(loop->event, &s->source, signo, on_signal, s), s, ret_s);
}

int loop_defer_new(struct loop *loop, loop_fn fn, void *data, struct loop_source **ret_s)
{
	struct loop_source *s = source_new(loop, data);
	int r;

	if (!s)
		return -ENOMEM;
	s->fn.plain = fn;
	r = sd_event_add_defer(loop->event, &s->source, on_defer, s);
	if (r >= 0)
		r = sd_event_source_set_priority(s->source, SD_EVENT_PRIORITY_IMPORTANT);
	return source_done(r, s, ret_s);
}

void loop_defer_set(struct loop_source *defer, bool on)
{
	(void)sd_event_source_set_enabled(defer->source, on ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

int loop_attach_bus(struct loop *loop, struct sd_bus *bus)
{
	return sd_bus_attach_event(bus, loop->event, SD_EVENT_PRIORITY_NORMAL);
}

void loop_detach_bus(struct sd_bus *bus)
{
	(void)sd_bus_detach_event(bus);
}

void loop_notify(const char *state)
{
	(void)sd_notify(0, state);
}

static void on_watchdog(void *data)
{
	struct loop *loop = data;
	bool well = !loop->healthy || loop->healthy(loop->healthy_data);

	if (well)
		(void)sd_notify(0, "WATCHDOG=1");
	else if (!loop->sick)
		log_error(
			"loop: not healthy, the watchdog of the service manager is no longer fed");
	loop->sick = !well;
	loop_timer_set(loop->watchdog, clock_now() + loop->watchdog_usec / 4);
}

int loop_watchdog_start(struct loop *loop, bool (*healthy)(void *data), void *data)
{
	int r = sd_watchdog_enabled(0, &loop->watchdog_usec);

	if (r <= 0)
		return r;
	loop->healthy = healthy;
	loop->healthy_data = data;
	r = loop_timer_new(loop, on_watchdog, loop, &loop->watchdog);
	if (r < 0)
		return r;
	loop_timer_set(loop->watchdog, clock_now() + loop->watchdog_usec / 4);
	return 0;
}
