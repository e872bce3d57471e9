/* SPDX-License-Identifier: MIT */
/*
 * tend/plugin.h: the whole ABI between tendd and a probe.
 *
 * A plugin is a shared object with one symbol, made by TEND_PROBE(). The core owns schedule,
 * deadline, retry, state and storage; the plugin owns I/O. Everything here runs on tendd's one loop
 * thread: nothing may block, not for a disk, a name or a child.
 *
 * Life of an attempt: the core makes it and calls start(). The plugin does its I/O through the
 * calls below and ends the attempt exactly once with tend_attempt_finish(), from start() itself or
 * from a later callback; after that it must not touch the attempt. At the absolute deadline, on
 * reload and on shut-down the core calls cancel() and ends the attempt itself. All I/O watches,
 * timers and look-ups made through an attempt end with it. `conf` lives at least as long as the
 * attempt.
 */
#ifndef TEND_PLUGIN_H
#define TEND_PLUGIN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <tend/error.h>
#include <tend/option.h>
#include <tend/reason.h>

#define TEND_PLUGIN_ABI 1u

enum { TEND_METRICS_MAX = 32 }; /* an attempt */

struct tend_attempt;
struct json_t;

struct tend_probe {
	uint32_t abi;
	const char *name; /* `probe = NAME` of a check */
	const char *doc;  /* one sentence for the manual */
	const struct tend_option *options;
	size_t conf_size;
	/* Checks what the rows cannot (no I/O; serves `tendd -t`); may prepare `conf` (compile an
	 * expression, parse a URL). NULL when there is nothing to check. */
	int (*check)(void *conf, struct tend_error *err);
	void (*clear)(void *conf); /* frees what check() prepared; NULL when nothing */
	/* Starts an attempt; must end it (now or later) whatever it returns: a negative errno ends
	 * it with TEND_REASON_INTERNAL. Never blocks. */
	int (*start)(struct tend_attempt *a, const void *conf);
	/* Drops the plugin's data; idempotent; NULL = nothing. */
	void (*cancel)(struct tend_attempt *a);
	/* Optional: serves verbs of policies (sql.query, ...) with the same attempt life cycle.
	 * `method` is the verb, `args` its arguments; the outcome goes out by
	 * tend_attempt_outcome() before tend_attempt_finish(OK). */
	int (*call)(struct tend_attempt *a, const void *conf, const char *method,
		const struct json_t *args);
	/* Optional: the names of all metrics that a check with this configuration can have, at most
	 * TEND_METRICS_MAX, for thresholds that name another one. Returns how many; 0: that is
	 * known only when it runs. */
	size_t (*metrics)(const void *conf, const char *ret_names[TEND_METRICS_MAX]);
};

/* One symbol; `tend_plugin_NAME` so that two plugins can be linked into one test. */
#define TEND_PROBE(ident, pointer)                                                                 \
	__attribute__((visibility("default")))                                                     \
	const struct tend_probe *const tend_plugin_##ident = (pointer)

/* ---- attempt -------------------------------------------------------------------------------- */

/* Text is foreign: it is cut to 512 bytes at a character boundary and control characters are
 * escaped. Ends the attempt. */
__attribute__((format(printf, 3, 4))) void tend_attempt_finish(
	struct tend_attempt *a, enum tend_reason reason, const char *format, ...);

/* Adds a metric (before finish). Name: [a-z0-9_]+, unit as in the Nagios plugin API ("s", "%", "B",
 * "c" or ""). At most 32 an attempt: -ENOSPC. */
int tend_attempt_metric(struct tend_attempt *a, const char *name, double value, const char *unit);

/* The outcome of a call(); steals the reference. */
void tend_attempt_outcome(struct tend_attempt *a, struct json_t *outcome);

void tend_attempt_set_data(struct tend_attempt *a, void *data);
void *tend_attempt_data(struct tend_attempt *a);
const char *tend_attempt_name(const struct tend_attempt *a); /* "system/component/check" */
usec_t tend_attempt_started(const struct tend_attempt *a);
usec_t tend_attempt_deadline(const struct tend_attempt *a); /* absolute, of tend_now() */
usec_t tend_now(void);					    /* monotonic */

/* ---- loop ----------------------------------------------------------------------------------- */

struct tend_io;
struct tend_timer;
typedef void (*tend_io_fn)(struct tend_attempt *a, int fd, uint32_t events, void *data);
typedef void (*tend_timer_fn)(struct tend_attempt *a, void *data);

/* `events` are EPOLLIN | EPOLLOUT; the fd stays the caller's. */
int tend_io_new(struct tend_attempt *a, int fd, uint32_t events, tend_io_fn fn, void *data,
	struct tend_io **ret_io);
int tend_io_set_events(struct tend_io *io, uint32_t events);
void tend_io_free(struct tend_io *io); /* NULL is fine; also called by the core at the end */

int tend_timer_new(struct tend_attempt *a, usec_t at, tend_timer_fn fn, void *data,
	struct tend_timer **ret_timer);

/* ---- names ---------------------------------------------------------------------------------- */

struct tend_address {
	socklen_t length; /* port is 0 */
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
};
enum { TEND_RESOLVE_MAX = 16 };

/* Called once, maybe before tend_resolve() returns (a literal or a cached name). r: 0 or a negative
 * errno (-ENOENT: no such name, -ETIMEDOUT). Literals of IPv6 may stand in [brackets]. */
typedef void (*tend_resolve_fn)(struct tend_attempt *a, int r, const struct tend_address *addresses,
	size_t n_addresses, void *data);
int tend_resolve(struct tend_attempt *a, const char *name, tend_resolve_fn fn, void *data);

/* ---- HTTP: the shared libcurl multi --------------------------------------------------------- */

/* `easy` is a CURL *; the caller has set its options, the core adds resolve results (names are
 * looked up by tend_resolve() and handed over by CURLOPT_CONNECT_TO), NOSIGNAL, QUICK_EXIT and
 * PRIVATE. `result` is a CURLcode. The easy handle stays the caller's; on cancel call
 * tend_transfer_abort() before curl_easy_cleanup(). */
typedef void (*tend_transfer_fn)(struct tend_attempt *a, void *easy, int result, void *data);
/* `url` as given to CURLOPT_URL (its host is resolved first). */
int tend_transfer_start(
	struct tend_attempt *a, void *easy, const char *url, tend_transfer_fn fn, void *data);
void tend_transfer_abort(struct tend_attempt *a, void *easy); /* idempotent */

/* ---- systemd units -------------------------------------------------------------------------- */

/* What the bus says of a unit, kept by signals; strings live until the callback returns. */
struct tend_unit_info {
	const char *name;
	const char *load_state;	  /* loaded, not-found, masked, ... */
	const char *active_state; /* active, activating, deactivating, inactive, failed, ... */
	const char *sub_state;	  /* running, dead, ... */
	const char *result;	  /* success, signal, exit-code, watchdog, ...; "" if it has none */
	char invocation_id[33];	  /* of the last start, hex; "" if none */
	uint32_t job_id;	  /* 0 = none queued */
	const char *job_type;	  /* start, stop, restart, ...; "" if unknown */
	bool stopped_by_job; /* it went down while a stop job that is not Tend's stood: seen live,
				or read in the journal */
	bool end_seen_live;  /* its way down was seen on the bus as it happened */
	uint64_t main_pid;
	uint64_t n_restarts;
	int32_t exit_code;   /* CLD_EXITED, CLD_KILLED, CLD_DUMPED of the main process; 0 = none */
	int32_t exit_status; /* exit status or signal */
	const char *intent;  /* what its state means: running, ended, stopped, masked, changing,
				missing, unknown (see watch/units.h) */
};
/* Called once; r < 0: the bus cannot be asked (-ENOTCONN, -ETIMEDOUT, ...). */
typedef void (*tend_unit_fn)(
	struct tend_attempt *a, int r, const struct tend_unit_info *info, void *data);
/* Also subscribes: from now on a change of the unit re-runs the check at once. */
int tend_unit_get(struct tend_attempt *a, const char *unit, tend_unit_fn fn, void *data);

/* ---- foreign programs: by tend-spawn, never as a child of tendd ----------------------------- */

enum { TEND_SPAWN_MAX_ARGS = 64, TEND_SPAWN_OUTPUT_BYTES = 65536 };

/* r < 0: only `message` is set. -ENOTCONN: tend-spawn cannot be asked, -ECONNRESET: it ended while
 * the program ran, -EPERM: it must not run this one, -ENOENT: no such program, -ENOEXEC: it cannot
 * be started, -EBUSY: too many others run. `out` and `err` are text (UTF-8, at most
 * TEND_SPAWN_OUTPUT_BYTES each, the beginning of what was written) and foreign. */
struct tend_spawn_result {
	const char *message;
	bool timed_out;	 /* it had not ended in time, and is being killed: no status, no signal */
	int exit_status; /* -1 = none */
	int signo;	 /* 0 = none */
	const char *out, *err;
	size_t out_len, err_len;
	bool truncated; /* there was more output */
	uint64_t elapsed_usec;
};
/* Called once, maybe before tend_spawn() returns (r < 0 then). */
typedef void (*tend_spawn_fn)(
	struct tend_attempt *a, int r, const struct tend_spawn_result *result, void *data);
/* argv[0] is an absolute path in a folder that tend-spawn's own configuration lists. Its time is
 * the attempt's, less a moment for the answer. */
int tend_spawn(struct tend_attempt *a, const char *const *argv, tend_spawn_fn fn, void *data);

/* ---- reports -------------------------------------------------------------------------------- */

/* What somebody else found out about this check and told Tend (the verb check.report). */
struct tend_report {
	enum tend_state state;	 /* pending: nothing was reported yet */
	enum tend_reason reason; /* of the same verdict as `state` */
	const char *text;	 /* lives until the attempt ends */
	usec_t age;  /* by the time of day; of pending: how long it has been waited for */
	bool judged; /* the core has looked at its age (a heartbeat): it holds as it is */
};
/* Also adds the report's metrics to the attempt. */
void tend_report_get(struct tend_attempt *a, struct tend_report *ret_report);

#endif
