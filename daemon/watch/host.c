/* SPDX-License-Identifier: MIT */
#include "watch/host.h"
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "base/clock.h"
#include "base/heap.h"
#include "base/log.h"
#include "exec/spawn/client.h"
#include "net/net.h"
#include "watch/units.h"

/* Later than this is not the target's fault: the daemon was stopped, or the machine paused. */
#define LATE_DEADLINE_USEC (USEC_PER_SEC)

enum held_kind { HELD_IO, HELD_TIMER, HELD_LOOKUP, HELD_TRANSFER, HELD_ASK, HELD_SPAWN };

/* Something an attempt holds and that ends with it. */
struct held {
	enum held_kind kind;
	struct tend_attempt *attempt;
	struct held *next, **prev;
	void *fn_data;
	union {
		struct {
			struct loop_source *source;
			union {
				tend_io_fn io;
				tend_timer_fn timer;
			} fn;
		} loop;
		struct {
			struct net_lookup *lookup;
			tend_resolve_fn fn;
		} name;
		struct {
			struct net_transfer *transfer;
			CURL *easy;
			tend_transfer_fn fn;
		} http;
		struct {
			struct units_ask *ask;
			tend_unit_fn fn;
		} unit;
		struct {
			struct spawn_ask *ask;
			tend_spawn_fn fn;
		} spawn;
	} u;
};

struct tend_io {
	struct held held;
};
struct tend_timer {
	struct held held;
};

struct tend_attempt {
	struct host *host;
	struct attempt_spec spec;
	char *name;
	void *data;
	struct heap_node deadline;
	usec_t started, finished;
	struct held *held;
	struct metric *metrics;
	size_t n_metrics, metrics_cap;
	json_t *outcome;
	enum tend_reason reason;
	char text[RESULT_TEXT_BYTES];
	bool ended;
	struct tend_attempt *next, **prev; /* running, or ended and not yet drained */
};

/* A unit that checks asked for: its changes re-run them. */
struct unit_interest {
	struct host *host;
	struct units_watch *watch;
	struct map checks; /* names */
};

struct host {
	struct loop *loop;
	struct net *net;
	struct tend_units *units;
	struct spawn_client *spawn;
	void (*on_unit)(const char *check, void *data);
	void *data;
	struct heap deadlines;
	struct loop_source *timer, *drain;
	struct tend_attempt *running, *ended, **ended_tail;
	size_t n_running;
	struct map interests; /* by unit */
};

static void list_remove(struct tend_attempt *a)
{
	*a->prev = a->next;
	if (a->next)
		a->next->prev = a->prev;
}

static struct held *held_new(struct tend_attempt *a, enum held_kind kind, void *fn_data)
{
	struct held *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->kind = kind;
	h->attempt = a;
	h->fn_data = fn_data;
	h->next = a->held;
	h->prev = &a->held;
	if (h->next)
		h->next->prev = &h->next;
	a->held = h;
	return h;
}

/* Forgets it without cancelling: it has ended by itself. */
static void held_drop(struct held *h)
{
	*h->prev = h->next;
	if (h->next)
		h->next->prev = h->prev;
	free(h);
}

static void held_cancel(struct held *h)
{
	switch (h->kind) {
	case HELD_IO:
	case HELD_TIMER:
		loop_source_free(h->u.loop.source);
		break;
	case HELD_LOOKUP:
		net_lookup_cancel(h->u.name.lookup);
		break;
	case HELD_TRANSFER:
		net_transfer_cancel(h->u.http.transfer);
		break;
	case HELD_ASK:
		units_ask_cancel(h->u.unit.ask);
		break;
	case HELD_SPAWN:
		spawn_ask_cancel(h->u.spawn.ask);
		break;
	}
	held_drop(h);
}

static void arm_deadline(struct host *host)
{
	struct heap_node *top = heap_top(&host->deadlines);

	loop_timer_set(host->timer, top ? top->at : 0);
}

static void attempt_free(struct tend_attempt *a)
{
	conf_unref(a->spec.owner);
	json_decref(a->spec.args);
	json_decref(a->outcome);
	free(a->metrics);
	free(a->name);
	free(a);
}

static void attempt_end(struct tend_attempt *a, enum tend_reason reason)
{
	struct host *host = a->host;

	a->ended = true;
	a->reason = reason;
	a->finished = clock_now();
	/* A failure that was noticed so late speaks of Tend, whoever noticed it. */
	if (reason != TEND_REASON_OK &&
		a->finished > a->started + a->spec.timeout + LATE_DEADLINE_USEC)
		a->reason = TEND_REASON_CANCELLED;
	while (a->held)
		held_cancel(a->held);
	heap_remove(&host->deadlines, &a->deadline);
	list_remove(a);
	host->n_running--;
	a->next = NULL;
	a->prev = host->ended_tail;
	*host->ended_tail = a;
	host->ended_tail = &a->next;
	loop_defer_set(host->drain, true);
}

static void attempt_stop(struct tend_attempt *a, enum tend_reason reason, const char *text)
{
	if (a->ended)
		return;
	(void)snprintf(a->text, sizeof(a->text), "%s", text);
	if (a->spec.probe->cancel)
		a->spec.probe->cancel(a);
	if (!a->ended)
		attempt_end(a, reason);
}

static void on_drain(void *data)
{
	struct host *host = data;

	while (host->ended) {
		struct tend_attempt *a = host->ended;
		struct attempt_end end = {
			.reason = a->reason,
			.text = a->text,
			.n_metrics = a->n_metrics,
			.outcome = a->outcome,
			.started = a->started,
			.finished = a->finished,
		};

		host->ended = a->next;
		if (!host->ended)
			host->ended_tail = &host->ended;
		end.metrics = TAKE(a->metrics);
		if (a->spec.done)
			a->spec.done(&end, a->spec.data);
		free(end.metrics);
		attempt_free(a);
	}
}

static void on_deadline(void *data)
{
	struct host *host = data;
	struct heap_node *top;
	usec_t now = clock_now();

	while ((top = heap_top(&host->deadlines)) && top->at <= now) {
		struct tend_attempt *a = container_of(top, struct tend_attempt, deadline);
		char span[CLOCK_TEXT_BYTES], text[128];

		(void)snprintf(text, sizeof(text), "no answer within %s",
			clock_format_span(a->spec.timeout, span));
		attempt_stop(a, TEND_REASON_TOO_SLOW, text);
	}
	arm_deadline(host);
}

int host_new(struct loop *loop, struct net *net, struct tend_units *units,
	void (*on_unit)(const char *check, void *data), void *data, struct host **ret_host)
{
	auto(host_free) struct host *host = calloc(1, sizeof(*host));
	int r;

	if (!host)
		return -ENOMEM;
	host->loop = loop;
	host->net = net;
	host->units = units;
	host->on_unit = on_unit;
	host->data = data;
	host->ended_tail = &host->ended;
	r = loop_timer_new(loop, on_deadline, host, &host->timer);
	if (r == 0)
		r = loop_defer_new(loop, on_drain, host, &host->drain);
	if (r < 0)
		return r;
	loop_source_name(host->timer, "attempt deadlines");
	loop_source_name(host->drain, "results");
	*ret_host = TAKE(host);
	return 0;
}

static void interest_free(struct unit_interest *i)
{
	units_watch_free(i->watch);
	map_clear(&i->checks);
	free(i);
}

struct host *host_free(struct host *host)
{
	if (!host)
		return NULL;
	while (host->running)
		attempt_abandon(host->running);
	while (host->ended) {
		struct tend_attempt *a = host->ended;
		host->ended = a->next;
		attempt_free(a);
	}
	MAP_FOREACH (&host->interests, struct unit_interest *, i)
		interest_free(i);
	map_clear(&host->interests);
	heap_clear(&host->deadlines);
	loop_source_free(host->timer);
	loop_source_free(host->drain);
	free(host);
	return NULL;
}

void host_set_spawn(struct host *host, struct spawn_client *spawn)
{
	host->spawn = spawn;
}

size_t host_n_running(const struct host *host)
{
	return host->n_running;
}

int attempt_start(
	struct host *host, const struct attempt_spec *spec, struct tend_attempt **ret_attempt)
{
	struct tend_attempt *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->host = host;
	a->spec = *spec;
	a->spec.owner = conf_ref(spec->owner);
	a->spec.args = json_incref(spec->args);
	a->name = strdup(spec->name);
	a->started = clock_now();
	a->deadline.index = HEAP_NOWHERE;
	if (!a->name || heap_put(&host->deadlines, &a->deadline, a->started + spec->timeout) < 0) {
		attempt_free(a);
		return -ENOMEM;
	}
	a->next = host->running;
	a->prev = &host->running;
	if (a->next)
		a->next->prev = &a->next;
	host->running = a;
	host->n_running++;
	arm_deadline(host);
	/* Ended attempts are freed from the loop only, so `a` outlives start() whatever it does. */
	*ret_attempt = a;
	if (spec->method)
		r = spec->probe->call
			    ? spec->probe->call(a, spec->probe_conf, spec->method, spec->args)
			    : -EOPNOTSUPP;
	else
		r = spec->probe->start(a, spec->probe_conf);
	if (r < 0)
		attempt_stop(a, TEND_REASON_INTERNAL, strerror(-r));
	return 0;
}

void attempt_abandon(struct tend_attempt *a)
{
	a->spec.done = NULL;
	attempt_stop(a, TEND_REASON_CANCELLED, "cancelled");
}

/* ---- tend/plugin.h: attempt ----------------------------------------------------------------- */

void tend_attempt_finish(struct tend_attempt *a, enum tend_reason reason, const char *format, ...)
{
	char raw[2048];
	va_list ap;

	if (a->ended) {
		log_error("check '%s': the probe '%s' ended an attempt twice", a->name,
			a->spec.probe->name);
		return;
	}
	va_start(ap, format);
	(void)vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	str_sanitize(a->text, sizeof(a->text), raw, strlen(raw));
	attempt_end(a, reason);
}

static bool metric_name_valid(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && name[n] == '\0' && n < sizeof(((struct metric *)0)->name);
}

int tend_attempt_metric(struct tend_attempt *a, const char *name, double value, const char *unit)
{
	if (a->ended || !metric_name_valid(name) || !isfinite(value))
		return -EINVAL;
	if (a->n_metrics == RESULT_MAX_METRICS)
		return -ENOSPC;
	if (a->n_metrics == a->metrics_cap) {
		size_t cap = a->metrics_cap ? a->metrics_cap * 2 : 4;
		struct metric *p = reallocarray(a->metrics, cap, sizeof(*p));

		if (!p)
			return -ENOMEM;
		a->metrics = p;
		a->metrics_cap = cap;
	}
	struct metric *m = &a->metrics[a->n_metrics++];
	*m = (struct metric){.value = value};
	(void)snprintf(m->name, sizeof(m->name), "%s", name);
	(void)snprintf(m->unit, sizeof(m->unit), "%s", unit ? unit : "");
	return 0;
}

void tend_attempt_outcome(struct tend_attempt *a, json_t *outcome)
{
	json_decref(a->outcome);
	a->outcome = outcome;
}

void tend_attempt_set_data(struct tend_attempt *a, void *data)
{
	a->data = data;
}

void *tend_attempt_data(struct tend_attempt *a)
{
	return a->data;
}

const char *tend_attempt_name(const struct tend_attempt *a)
{
	return a->name;
}

usec_t tend_attempt_started(const struct tend_attempt *a)
{
	return a->started;
}

usec_t tend_attempt_deadline(const struct tend_attempt *a)
{
	return a->started + a->spec.timeout;
}

usec_t tend_now(void)
{
	return clock_now();
}

/* ---- tend/plugin.h: loop -------------------------------------------------------------------- */

static void host_io(int fd, uint32_t events, void *data)
{
	struct held *h = data;

	h->u.loop.fn.io(h->attempt, fd, events, h->fn_data);
}

static void host_timer(void *data)
{
	struct held *h = data;

	h->u.loop.fn.timer(h->attempt, h->fn_data);
}

int tend_io_new(struct tend_attempt *a, int fd, uint32_t events, tend_io_fn fn, void *data,
	struct tend_io **ret_io)
{
	struct held *h = held_new(a, HELD_IO, data);
	int r;

	if (!h)
		return -ENOMEM;
	h->u.loop.fn.io = fn;
	r = loop_io_new(a->host->loop, fd, events, host_io, h, &h->u.loop.source);
	if (r < 0) {
		held_drop(h);
		return r;
	}
	loop_source_name(h->u.loop.source, a->spec.probe->name);
	*ret_io = container_of(h, struct tend_io, held);
	return 0;
}

int tend_io_set_events(struct tend_io *io, uint32_t events)
{
	return loop_io_set(io->held.u.loop.source, events);
}

void tend_io_free(struct tend_io *io)
{
	if (io)
		held_cancel(&io->held);
}

int tend_timer_new(struct tend_attempt *a, usec_t at, tend_timer_fn fn, void *data,
	struct tend_timer **ret_timer)
{
	struct held *h = held_new(a, HELD_TIMER, data);
	int r;

	if (!h)
		return -ENOMEM;
	h->u.loop.fn.timer = fn;
	r = loop_timer_new(a->host->loop, host_timer, h, &h->u.loop.source);
	if (r < 0) {
		held_drop(h);
		return r;
	}
	loop_timer_set(h->u.loop.source, MAX(at, (usec_t)1));
	if (ret_timer)
		*ret_timer = container_of(h, struct tend_timer, held);
	return 0;
}

/* ---- tend/plugin.h: names, transfers, units
 * ------------------------------------------------------ */

static void host_resolved(
	int r, const struct tend_address *addresses, size_t n_addresses, void *data)
{
	struct held *h = data;
	struct tend_attempt *a = h->attempt;
	tend_resolve_fn fn = h->u.name.fn;
	void *fn_data = h->fn_data;

	held_drop(h);
	fn(a, r, addresses, n_addresses, fn_data);
}

int tend_resolve(struct tend_attempt *a, const char *name, tend_resolve_fn fn, void *data)
{
	struct held *h = held_new(a, HELD_LOOKUP, data);
	struct net_lookup *lookup = NULL;
	int r;

	if (!h)
		return -ENOMEM;
	h->u.name.fn = fn;
	r = net_resolve(a->host->net, name, host_resolved, h, &lookup);
	if (r < 0)
		held_drop(h);
	else if (lookup)
		h->u.name.lookup = lookup; /* else it answered already, and `h` is gone */
	return r;
}

static void host_transferred(CURL *easy, int result, void *data)
{
	struct held *h = data;
	struct tend_attempt *a = h->attempt;
	tend_transfer_fn fn = h->u.http.fn;
	void *fn_data = h->fn_data;

	held_drop(h);
	fn(a, easy, result, fn_data);
}

int tend_transfer_start(
	struct tend_attempt *a, void *easy, const char *url, tend_transfer_fn fn, void *data)
{
	struct held *h = held_new(a, HELD_TRANSFER, data);
	struct net_transfer *transfer = NULL;
	int r;

	if (!h)
		return -ENOMEM;
	h->u.http.fn = fn;
	h->u.http.easy = easy;
	r = net_transfer_start(
		a->host->net, easy, url, tend_attempt_deadline(a), host_transferred, h, &transfer);
	if (r < 0)
		held_drop(h);
	else if (transfer)
		h->u.http.transfer = transfer;
	return r;
}

void tend_transfer_abort(struct tend_attempt *a, void *easy)
{
	for (struct held *h = a->held; h; h = h->next)
		if (h->kind == HELD_TRANSFER && h->u.http.easy == easy) {
			held_cancel(h);
			return;
		}
}

static void host_unit_changed(const char *name, void *data)
{
	struct unit_interest *i = data;

	for (size_t k = 0; k < i->checks.len; k++)
		i->host->on_unit(i->checks.slots[k].key, i->host->data);
}

/* From the first question on, a change of the unit re-runs the check. */
static int host_subscribe(struct host *host, const char *unit, const char *check)
{
	struct unit_interest *i = map_get(&host->interests, unit);
	int r;

	if (!i) {
		i = calloc(1, sizeof(*i));
		if (!i)
			return -ENOMEM;
		i->host = host;
		r = units_watch_new(host->units, unit, host_unit_changed, i, &i->watch);
		if (r >= 0)
			r = map_put(&host->interests, unit, i);
		if (r < 0) {
			units_watch_free(i->watch);
			free(i);
			return r;
		}
	}
	return map_put(&i->checks, check, i);
}

void host_forget(struct host *host, const char *check)
{
	for (size_t k = host->interests.len; k-- > 0;) {
		struct unit_interest *i = host->interests.slots[k].value;

		if (!map_remove(&i->checks, check) || i->checks.len > 0)
			continue;
		/* Removing moves the last one here, which was looked at already. */
		(void)map_remove(&host->interests, host->interests.slots[k].key);
		interest_free(i);
	}
}

static void host_unit(int r, const struct tend_unit_info *info, void *data)
{
	struct held *h = data;
	struct tend_attempt *a = h->attempt;
	tend_unit_fn fn = h->u.unit.fn;
	void *fn_data = h->fn_data;

	held_drop(h);
	fn(a, r, info, fn_data);
}

int tend_unit_get(struct tend_attempt *a, const char *unit, tend_unit_fn fn, void *data)
{
	struct held *h;
	int r = host_subscribe(a->host, unit, a->name);

	if (r < 0)
		return r;
	h = held_new(a, HELD_ASK, data);
	if (!h)
		return -ENOMEM;
	h->u.unit.fn = fn;
	r = units_get(a->host->units, unit, a->spec.timeout, host_unit, h, &h->u.unit.ask);
	if (r < 0)
		held_drop(h);
	return r;
}

/* ---- tend/plugin.h: reports ----------------------------------------------------------------- */

void tend_report_get(struct tend_attempt *a, struct tend_report *ret_report)
{
	static const struct report none = {.state = TEND_STATE_PENDING};
	const struct report *report = a->spec.report ? a->spec.report : &none;
	usec_t now = clock_wall(), at = report->at_wall ? report->at_wall : now;

	for (size_t i = 0; i < report->n_metrics; i++)
		(void)tend_attempt_metric(a, report->metrics[i].name, report->metrics[i].value,
			report->metrics[i].unit);
	*ret_report = (struct tend_report){
		.state = report->state,
		.reason = report->reason,
		.text = report->text,
		.age = now > at ? now - at : 0,
		.judged = report->judged,
	};
}

/* ---- tend/plugin.h: foreign programs -------------------------------------------------------- */

/* The answer of a program that ran into its end is on its way when the attempt's deadline comes. */
#define SPAWN_MARGIN_USEC (50 * USEC_PER_MSEC)

static void host_spawned(const struct spawn_reply *reply, void *data)
{
	struct held *h = data;
	struct tend_attempt *a = h->attempt;
	tend_spawn_fn fn = h->u.spawn.fn;
	void *fn_data = h->fn_data;
	const struct tend_spawn_result result = {
		.message = reply->message ? reply->message : "",
		.timed_out = reply->timed_out,
		.exit_status = reply->exit_status,
		.signo = reply->signo,
		.out = reply->out,
		.err = reply->err,
		.out_len = reply->out_len,
		.err_len = reply->err_len,
		.truncated = reply->truncated,
		.elapsed_usec = reply->elapsed,
	};

	held_drop(h);
	fn(a, reply->r, &result, fn_data);
}

/* A failure to ask is a result like others. */
static int host_refuse_spawn(
	struct tend_attempt *a, int r, const char *message, tend_spawn_fn fn, void *data)
{
	const struct tend_spawn_result result = {
		.message = message, .exit_status = -1, .out = "", .err = ""};

	fn(a, r, &result, data);
	return 0;
}

int tend_spawn(struct tend_attempt *a, const char *const *argv, tend_spawn_fn fn, void *data)
{
	usec_t deadline = tend_attempt_deadline(a), now = clock_now();
	usec_t left = deadline > now + SPAWN_MARGIN_USEC ? deadline - now - SPAWN_MARGIN_USEC : 0;
	const struct spawn_order order = {
		.argv = argv,
		.timeout = MAX(left, SPAWN_MARGIN_USEC),
		.output_max_bytes = TEND_SPAWN_OUTPUT_BYTES,
	};
	struct spawn_client *spawn = a->spec.elsewhere ? a->spec.spawn : a->host->spawn;
	struct tend_error err = {0};
	struct held *h;
	int r;

	if (!spawn)
		return host_refuse_spawn(a, -ENOTCONN,
			a->spec.elsewhere ? "its component is on another host, and the [host] has "
					    "no spawn_identity_file"
					  : "no tend-spawn is set up",
			fn, data);
	h = held_new(a, HELD_SPAWN, data);
	if (!h)
		return -ENOMEM;
	h->u.spawn.fn = fn;
	r = spawn_client_run(spawn, &order, host_spawned, h, &h->u.spawn.ask, &err);
	if (r < 0) {
		held_drop(h);
		if (r != -ENOMEM)
			return host_refuse_spawn(a, r, err.text, fn, data);
	}
	return r;
}
