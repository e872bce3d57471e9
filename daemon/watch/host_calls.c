/* SPDX-License-Identifier: MIT */
/* What plugins do through the core: loop, names, transfers, units, reports, programs. */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "exec/spawn/client.h"
#include "watch/host_private.h"
#include "watch/report_read.h"

struct tend_io {
	struct held held;
};
struct tend_timer {
	struct held held;
};

/* A unit that checks asked for: its changes re-run them. */
struct unit_interest {
	struct host *host;
	struct units_watch *watch;
	struct map checks; /* names */
};

/* ---- tend/plugin.h: loop -------------------------------------------------------------------- */

static void cancel_source(struct held *h)
{
	loop_source_free(h->u.loop.source);
}

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
	struct held *h = held_new(a, cancel_source, data);
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
	struct held *h = held_new(a, cancel_source, data);
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

static void cancel_lookup(struct held *h)
{
	net_lookup_cancel(h->u.name.lookup);
}

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
	struct held *h = held_new(a, cancel_lookup, data);
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

static void cancel_transfer(struct held *h)
{
	net_transfer_cancel(h->u.http.transfer);
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

static int start_transfer(struct tend_attempt *a, void *easy, const char *url, bool is_proxy,
	tend_transfer_fn fn, void *data)
{
	struct held *h = held_new(a, cancel_transfer, data);
	struct net_transfer *transfer = NULL;
	int r;

	if (!h)
		return -ENOMEM;
	h->u.http.fn = fn;
	h->u.http.easy = easy;
	r = (is_proxy ? net_transfer_start_proxied : net_transfer_start)(
		a->host->net, easy, url, tend_attempt_deadline(a), host_transferred, h, &transfer);
	if (r < 0)
		held_drop(h);
	else if (transfer)
		h->u.http.transfer = transfer;
	return r;
}

int tend_transfer_start(
	struct tend_attempt *a, void *easy, const char *url, tend_transfer_fn fn, void *data)
{
	return start_transfer(a, easy, url, false, fn, data);
}

int tend_transfer_start_proxied(
	struct tend_attempt *a, void *easy, const char *proxy, tend_transfer_fn fn, void *data)
{
	return start_transfer(a, easy, proxy, true, fn, data);
}

void tend_transfer_abort(struct tend_attempt *a, void *easy)
{
	for (struct held *h = a->held; h; h = h->next)
		if (h->cancel == cancel_transfer && h->u.http.easy == easy) {
			held_cancel(h);
			return;
		}
}

static void interest_free(struct unit_interest *i)
{
	units_watch_free(i->watch);
	map_clear(&i->checks);
	free(i);
}

void host_forget_interests(struct host *host)
{
	MAP_FOREACH (&host->interests, struct unit_interest *, i)
		interest_free(i);
	map_clear(&host->interests);
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

static void cancel_ask(struct held *h)
{
	units_ask_cancel(h->u.unit.ask);
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
	int r;

	if (a->spec.elsewhere)
		return host_look_at_unit(a, unit, fn, data);
	r = host_subscribe(a->host, unit, a->name);
	if (r < 0)
		return r;
	h = held_new(a, cancel_ask, data);
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

	for (size_t i = 0; i < report->n_metrics; i++)
		(void)tend_attempt_metric(a, report->metrics[i].name, report->metrics[i].value,
			report->metrics[i].unit);
	*ret_report = (struct tend_report){
		.state = report->state,
		.reason = report->reason,
		.text = report->text,
		.age = report->at_wall ? report_age(report, clock_now()) : 0,
		.ttl = report->ttl,
		.judged = report->judged,
	};
}

/* ---- tend/plugin.h: foreign programs -------------------------------------------------------- */

/* The answer of a program that ran into its end is on its way when the attempt's deadline comes. */
#define SPAWN_MARGIN_USEC (50 * USEC_PER_MSEC)

static void cancel_spawn(struct held *h)
{
	spawn_ask_cancel(h->u.spawn.ask);
}

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

struct spawn_client *host_spawn_place(const struct tend_attempt *a, const char **ret_why)
{
	*ret_why = a->spec.elsewhere ? "its component is on another host, and the [host] has no "
				       "spawn_identity_file"
				     : "no tend-spawn is set up";
	return a->spec.elsewhere ? a->spec.spawn : a->host->spawn;
}

usec_t host_spawn_time(const struct tend_attempt *a)
{
	usec_t deadline = tend_attempt_deadline(a), now = clock_now();
	usec_t left = deadline > now + SPAWN_MARGIN_USEC ? deadline - now - SPAWN_MARGIN_USEC : 0;

	return MAX(left, SPAWN_MARGIN_USEC);
}

int tend_spawn(struct tend_attempt *a, const char *const *argv, tend_spawn_fn fn, void *data)
{
	const struct spawn_order order = {
		.argv = argv,
		.timeout = host_spawn_time(a),
		.output_max_bytes = TEND_SPAWN_OUTPUT_BYTES,
	};
	const char *why;
	struct spawn_client *spawn = host_spawn_place(a, &why);
	struct tend_error err = {0};
	struct held *h;
	int r;

	if (!spawn)
		return host_refuse_spawn(a, -ENOTCONN, why, fn, data);
	h = held_new(a, cancel_spawn, data);
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
