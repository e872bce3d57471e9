/* SPDX-License-Identifier: MIT */
/*
 * loop/loop.h: the one event loop; the only user of sd-event. Timers, fds, children, signals,
 * deferred calls, the bus, the watchdog. Handlers return void (sd-event silently disables a handler
 * that returns a negative value). One thread; nothing here blocks. Sources are owned by their maker
 * and freed by loop_source_free() (NULL is fine; also from within its own handler).
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <tend/option.h>
#include "base/cleanup.h"

struct loop;
struct loop_source;
struct sd_bus;

int loop_new(struct loop **ret_loop); /* blocks SIGCHLD, ignores SIGPIPE */
struct loop *loop_free(struct loop *loop);
DEFINE_AUTO(struct loop *, loop_free)
int loop_run(struct loop *loop); /* the code given to loop_stop(), or a negative errno */
void loop_stop(struct loop *loop, int code);
int loop_turn(struct loop *loop, usec_t timeout); /* one turn, for tests; > 0 if it did anything */

struct loop_source *loop_source_free(struct loop_source *s);
DEFINE_AUTO(struct loop_source *, loop_source_free)

typedef void (*loop_fn)(void *data);
typedef void (*loop_io_fn)(int fd, uint32_t events, void *data);
typedef void (*loop_child_fn)(pid_t pid, int code, int status, void *data); /* as siginfo: CLD_* */
typedef void (*loop_signal_fn)(int signo, void *data);

/* A timer is born off. loop_timer_set(t, at): absolute clock_now() time; 0 and USEC_INFINITY = off.
 * It fires once a set. Accuracy 1 ms. */
int loop_timer_new(struct loop *loop, loop_fn fn, void *data, struct loop_source **ret_s);
void loop_timer_set(struct loop_source *timer, usec_t at);
/* From now on it fires only in a turn in which nothing else is ready. A simulated one does anyway.
 */
void loop_timer_set_patient(struct loop_source *timer);

/* events: EPOLLIN | EPOLLOUT (level-triggered); 0 = off. The fd stays the caller's: free the source
 * before closing it. */
int loop_io_new(struct loop *loop, int fd, uint32_t events, loop_io_fn fn, void *data,
	struct loop_source **ret_s);
int loop_io_set(struct loop_source *io, uint32_t events);

/* Called once when the child has ended, and reaped. */
int loop_child_new(
	struct loop *loop, pid_t pid, loop_child_fn fn, void *data, struct loop_source **ret_s);
/* The signal is blocked for the process from here on. */
int loop_signal_new(
	struct loop *loop, int signo, loop_signal_fn fn, void *data, struct loop_source **ret_s);
/* Called once, in the next turn, before any I/O; loop_defer_set() arms it again. */
int loop_defer_new(struct loop *loop, loop_fn fn, void *data, struct loop_source **ret_s);
void loop_defer_set(struct loop_source *defer, bool on);

int loop_attach_bus(struct loop *loop, struct sd_bus *bus);
void loop_detach_bus(struct sd_bus *bus);

/* Service manager: READY=1 etc. by sd_notify; nothing when not started by it. */
void loop_notify(const char *state);
/* Sends WATCHDOG=1 at half of WatchdogSec= while `healthy(data)` says so (NULL: always). */
int loop_watchdog_start(struct loop *loop, bool (*healthy)(void *data), void *data);

/* Simulated time, for rehearsals: from here on (before any timer is made) clock_now() and
 * clock_wall() are this loop's, begin at `wall`, and stand still but for jumps to the next timer.
 * One such loop a process. */
int loop_simulate(struct loop *loop, usec_t wall);
void loop_simulate_shift(int64_t usec); /* sets the wall clock forward or back */
struct loop_simulation {
	usec_t until;		    /* of clock_now() */
	usec_t real_until;	    /* of CLOCK_MONOTONIC; then -ETIMEDOUT */
	bool (*busy)(void *data);   /* something real is under way: time must not jump; NULL = no */
	void (*turned)(void *data); /* after each turn; NULL */
	void *data;
};
/* Serves what is ready and due; when nothing is, and nothing real is under way, time jumps. 0 when
 * `until` has come. */
int loop_simulate_until(struct loop *loop, const struct loop_simulation *simulation);

/* For how long one handler held the loop at most, over the last 10 to 20 s. > 1 s is logged with
 * its name (loop_source_name). */
usec_t loop_recent_busy(struct loop *loop);
void loop_source_name(struct loop_source *s, const char *static_name);

#endif
