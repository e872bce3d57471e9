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

enum { TEND_METRICS_MAX = 32 };	 /* names that metrics() may give */
enum { TEND_SAMPLES_MAX = 256 }; /* an attempt: metrics, those of all instances counted */

struct tend_attempt;
struct json_t;

/* Whether a metric comes with each good result of a check that is configured to give it. A
 * threshold that is then not judged is no evidence; of the others the result only says so. */
enum tend_metric_comes {
	TEND_COMES_SOMETIMES =
		false, /* a rate not the first time, a share only of what has a limit */
	TEND_COMES_IN_INSTANCES = true, /* by tend_attempt_metric_of(): they come and go */
	TEND_COMES_ALWAYS,
};

/* What `tendctl probe show`, tend-probes(7) and the tests know of a metric. A name in capitals
 * stands for those that are known only when it runs (the columns of a query). */
struct tend_metric_doc {
	const char *name; /* NULL ends the table */
	const char *unit; /* as tend_attempt_metric() has it */
	const char *help;
	enum tend_metric_comes comes;
};
#define TEND_METRIC(metric, of_unit, text)                                                         \
	{                                                                                          \
		.name = (metric), .unit = (of_unit), .help = "" text ""                            \
	}
#define TEND_METRIC_OF(metric, of_unit, text)                                                      \
	{                                                                                          \
		.name = (metric), .unit = (of_unit), .help = "" text "",                           \
		.comes = TEND_COMES_IN_INSTANCES                                                   \
	}
#define TEND_METRIC_ALWAYS(metric, of_unit, text)                                                  \
	{                                                                                          \
		.name = (metric), .unit = (of_unit), .help = "" text "",                           \
		.comes = TEND_COMES_ALWAYS                                                         \
	}
/* A reason that the probe itself gives, and when. Those that the core gives for any probe (ok,
 * threshold, off-baseline, too-slow, overrun, cancelled, internal) may be left out. */
struct tend_reason_doc {
	enum tend_reason reason;
	const char *when; /* NULL ends the table */
};

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
	/* Instead of start() and call(), for client libraries that block: runs in a tend-work
	 * process, may block, is killed at the deadline, and ends the attempt before it returns.
	 * `method` NULL: the check itself. It sees a conf of its own, read from the same options;
	 * of the calls below those marked [work] only. */
	void (*work)(struct tend_attempt *a, const void *conf, const char *method,
		const struct json_t *args);
	/* The host that work() connects to: its name is looked up before, see
	 * tend_attempt_addresses(). NULL (or a NULL answer): none. */
	const char *(*work_host)(const void *conf);
	/* The verbs that work() serves, NULL-terminated; NULL: none. */
	const char *const *work_methods;
	/* All metrics and reasons that it can give. */
	const struct tend_metric_doc *metric_docs;
	const struct tend_reason_doc *reason_docs;
	/* A check for the manual, as lines "key = value" without probe and interval. */
	const char *example;
	/* NULL, or of a metric that the table has under no name of its own: whether it comes with
	 * each good result of this configuration. */
	bool (*always_comes)(const void *conf, const char *name);
};

/* One symbol; `tend_plugin_NAME` so that two plugins can be linked into one test. */
#define TEND_PROBE(ident, pointer)                                                                 \
	__attribute__((visibility("default")))                                                     \
	const struct tend_probe *const tend_plugin_##ident = (pointer)

/* ---- attempt -------------------------------------------------------------------------------- */

/* Text is foreign: the values of SECRET options become ***, it is cut to 512 bytes at a character
 * boundary and control characters are escaped. Ends the attempt. */
__attribute__((format(printf, 3, 4))) void tend_attempt_finish(
	struct tend_attempt *a, enum tend_reason reason, const char *format, ...);

/* Adds a metric (before finish). Name: [a-z0-9_]+, unit as in the Nagios plugin API ("s", "%", "B",
 * "c" or ""). At most TEND_SAMPLES_MAX an attempt: -ENOSPC. [work] */
int tend_attempt_metric(struct tend_attempt *a, const char *name, double value, const char *unit);
/* The same of one of several: a file system, a queue, a table. `instance` is foreign text: cut to
 * 63 bytes, escaped; unique for its name. Thresholds of `name` hold for each instance. [work] */
int tend_attempt_metric_of(struct tend_attempt *a, const char *name, const char *instance,
	double value, const char *unit);

/* What the last attempt of this check that ended by tend_attempt_finish() has remembered, also
 * before a restart of tendd: cursors, counters, fingerprints. Borrowed; NULL: nothing yet, or the
 * options of the check have changed since. [work] */
const struct json_t *tend_attempt_memory(const struct tend_attempt *a);
/* Remembers `doc` (steals the reference, also on failure) when this attempt finishes. At most 256
 * KiB as text: -EMSGSIZE. Written at once if the result is not ok or the state changes, else once a
 * minute and at the end: after a crash the next attempt may be given that of a minute ago. [work]
 */
int tend_attempt_remember(struct tend_attempt *a, struct json_t *doc);
/* What work_host() named, resolved; 0: nothing was. [work] */
struct tend_address;
size_t tend_attempt_addresses(
	const struct tend_attempt *a, const struct tend_address **ret_addresses);
/* What work() is about to wait for, "the answer to the log-in": the reason and a part of the text
 * if the deadline comes meanwhile. [work] */
void tend_attempt_phase(struct tend_attempt *a, enum tend_reason reason, const char *text);

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
/* The same through a proxy; `proxy` is its URL (http:// or socks5h://, host, port) and its host is
 * what is resolved. The target's name is the proxy's to look up. */
int tend_transfer_start_proxied(
	struct tend_attempt *a, void *easy, const char *proxy, tend_transfer_fn fn, void *data);
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

/* ---- looks at a machine: by tend-look, a child of tend-spawn, here or on the component's host ---
 */

/* `kind` is a row of daemon/exec/look (host, process, file, journal, ...), `args` its arguments
 * (borrowed; they go by its standard input, so ps does not show them). r < 0: `message` says why,
 * as with tend_spawn(). `doc` is borrowed, and as foreign as the machine. Called once, maybe before
 * tend_look() returns (r < 0 then). Its time is the attempt's, less a moment. */
typedef void (*tend_look_fn)(
	struct tend_attempt *a, int r, const char *message, const struct json_t *doc, void *data);
int tend_look(struct tend_attempt *a, const char *kind, const struct json_t *args, tend_look_fn fn,
	void *data);

/* ---- SQL: by the plugin that serves [database NAME] ------------------------------------------ */

/* One statement under the read-only role of [database NAME], as the verb sql.query; `database`
 * NULL: that of the check's own component. `params`: a JSON array of texts, numbers, booleans and
 * nulls for $1, $2, ..., or NULL. reason OK: `rows` is {"columns":[...], "rows":[[...]],
 * "truncated":bool}, borrowed; else `text` says why. Called once, never before tend_sql() has
 * returned 0. -ENOENT: there is no such database. */
typedef void (*tend_sql_fn)(struct tend_attempt *a, enum tend_reason reason, const char *text,
	const struct json_t *rows, void *data);
int tend_sql(struct tend_attempt *a, const char *database, const char *sql,
	const struct json_t *params, size_t max_rows, tend_sql_fn fn, void *data);

/* ---- ICMP echo: by the socket that tend-spawn opened ------------------------------------------
 */

enum { TEND_PING_MAX = 20 };
/* rtt_usec[i]: of the i-th packet, USEC_INFINITY: no reply. r < 0: -ENOTCONN (no socket), -EPERM,
 * -ENETUNREACH, ... Called once. */
typedef void (*tend_ping_fn)(
	struct tend_attempt *a, int r, const usec_t *rtt_usec, size_t n_sent, void *data);
int tend_ping(struct tend_attempt *a, const struct tend_address *address, unsigned n_packets,
	size_t payload_bytes, usec_t interval, usec_t wait, tend_ping_fn fn, void *data);

/* ---- Lua: a file of steps in a process of its own, which has no rights (tend-run --flow) ------
 */

struct tend_script;
/* The script asks: answer it once by tend_script_answer(), now or later. `args` is borrowed. */
typedef void (*tend_script_call_fn)(struct tend_attempt *a, uint64_t id, const char *call,
	const struct json_t *args, void *data);
/* Called once. 0: `value` is what it returned, borrowed; -ENOEXEC: the file cannot be used, -EPIPE:
 * its process went; `message` says why. */
typedef void (*tend_script_end_fn)(
	struct tend_attempt *a, int r, const char *message, const struct json_t *value, void *data);
/* `file`: an absolute path, or the name of a shipped one (lua/flows/NAME.lua); `start` is told to
 * the library tend.flow; stolen. The process is killed when the attempt ends. -EBUSY: too many run.
 */
int tend_script_start(struct tend_attempt *a, const char *file, struct json_t *start,
	tend_script_call_fn call, tend_script_end_fn end, void *data,
	struct tend_script **ret_script);
/* Steals `answer`. */
int tend_script_answer(struct tend_script *script, uint64_t id, struct json_t *answer);

/* ---- progress ------------------------------------------------------------------------------- */

/* What an attempt is at, for who tries one by hand; at most 512 bytes, foreign. */
__attribute__((format(printf, 2, 3))) void tend_attempt_progress(
	struct tend_attempt *a, const char *format, ...);

/* ---- reports -------------------------------------------------------------------------------- */

/* What somebody else found out about this check and told Tend (the verb check.report). */
struct tend_report {
	enum tend_state state;	 /* pending: nothing was reported yet */
	enum tend_reason reason; /* of the same verdict as `state` */
	const char *text;	 /* lives until the attempt ends */
	usec_t age;		 /* of pending: how long it has been waited for */
	usec_t ttl;		 /* it is believed for so long; 0: as long as the check says */
	bool judged; /* the core has looked at its age (a heartbeat): it holds as it is */
};
/* Also adds the report's metrics to the attempt. */
void tend_report_get(struct tend_attempt *a, struct tend_report *ret_report);

#endif
