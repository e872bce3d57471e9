/* SPDX-License-Identifier: MIT */
/*
 * alert/deliver.c: the pace of one receiver: what is tried when, and what an answer means for the
 * shipment, for the others that wait, and for the fallback.
 */
#include <string.h>
#include "alert/private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

enum { RATE_DEFAULT = 600, END_AT_ONCE = 100 };
#define BREAKER_PROBE_MAX (30 * USEC_PER_SEC)
#define RETRY_AFTER_MAX	  (3600 * USEC_PER_SEC)

/* ---- the end of a delivery ------------------------------------------------------------------ */

static void log_end(const struct delivery *d)
{
	const struct notice *n = &d->record->notice;
	auto_free char *field = str_printf("TEND_NOTICE=%s", n->id);
	const char *fields[] = {LOG_ID_DELIVERY, field, NULL};
	bool well = d->state == DELIVERY_DELIVERED || d->state == DELIVERY_SUPERSEDED;
	/* Of a shipment of several one line says it all. */
	int level = d->memory_only ? LOG_DEBUG : well ? LOG_INFO : LOG_WARNING;

	if (strcmp(d->batch, "") != 0 && strcmp(d->batch, n->id) != 0)
		level = LOG_DEBUG;
	log_at(level, fields, "receiver '%s': notice %s (%s, %s) %s after %u tries%s%s",
		d->receiver->name, n->id, notice_kind_name(n->kind), n->fingerprint,
		delivery_state_names[d->state], d->n_tries, d->error[0] ? ": " : "", d->error);
}

/* A raise that was never even tried, or was refused: the receiver is not to hear of the end either,
 * but may be told anew by a later change. */
static void forget_untold(const struct delivery *d)
{
	const struct notice *n = &d->record->notice;
	struct alert *alert = d->receiver->alert;

	if (n->kind != NOTICE_INCIDENT_RAISED || !n->incident_id)
		return;
	if (d->n_tries == 0)
		told_fail(alert, n->incident_id, d->receiver->name);
	else if (d->refused && !outbox_find(&d->receiver->outbox, n, NOTICE_INCIDENT_CHANGED))
		told_refuse(alert, n->incident_id, d->receiver->name);
}

static void note_error(struct receiver *receiver, const char *error)
{
	snprintf(receiver->last_error, sizeof(receiver->last_error), "%s", error);
	receiver->last_error_wall = clock_wall();
}

void delivery_settle(struct delivery *d, enum delivery_state state, const char *why)
{
	struct receiver *receiver = d->receiver;
	const struct alert_deps *deps = &receiver->alert->deps;

	d->state = state;
	d->next_wall = 0;
	if (why)
		snprintf(d->error, sizeof(d->error), "%s", why);
	if (state == DELIVERY_DELIVERED) {
		d->delivered_wall = receiver->last_delivered_wall = clock_wall();
		if (!why)
			d->error[0] = '\0';
		receiver->n_delivered++;
		rate_add(&receiver->rate_delivered, clock_now(), 1);
	} else if (state != DELIVERY_SUPERSEDED && !d->memory_only) {
		forget_untold(d);
		receiver->n_failed++;
		receiver->n_expired += state == DELIVERY_EXPIRED;
		note_error(receiver, d->error);
	}
	log_end(d);
	if (d->record->notice.incident_id && d->record->notice.kind == NOTICE_INCIDENT_CHANGED)
		told_change_ended(receiver->alert, d->record->notice.incident_id,
			state == DELIVERY_DELIVERED);
	if (d->memory_only)
		return;
	ledger_touch(d);
	if (d->record->notice.kind == NOTICE_TEST)
		test_notice_settled(d);
	if (deps->on_delivery)
		deps->on_delivery(d->record->notice.incident_id, receiver->name,
			notice_kind_name(d->record->notice.kind), delivery_state_names[state],
			d->n_tries, deps->data);
}

void delivery_end(struct delivery *d, enum delivery_state state, const char *why, enum leaving how)
{
	auto(delivery_unref) struct delivery *held = delivery_ref(d);

	outbox_remove(&d->receiver->outbox, d, clock_now());
	delivery_settle(held, state, why);
	fallback_push(held, how);
}

/* All of it ends alike. */
static void shipment_end(
	struct shipment *s, enum delivery_state state, const char *why, enum leaving how)
{
	auto(shipment_unref) struct shipment *held = shipment_ref(s);
	struct receiver *receiver = s->receiver;
	size_t n = s->deliveries.len;

	outbox_end(&receiver->outbox, s, clock_now());
	VEC_FOREACH (&held->deliveries, struct delivery *, d) {
		delivery_settle(d, state, why);
		fallback_push(d, how);
	}
	if (n > 1) {
		log_at(state == DELIVERY_DELIVERED ? LOG_INFO : LOG_WARNING, NULL,
			"receiver '%s': %zu notices in one (%s) %s after %u tries%s%s",
			receiver->name, n, held->id, delivery_state_names[state], held->n_tries,
			why ? ": " : "", why ? why : "");
		ledger_put_shipment(held, false);
	}
}

/* ---- what is lost --------------------------------------------------------------------------- */

#define TELL_LOST_INTERVAL (600 * USEC_PER_SEC)

static void tell_lost(struct receiver *receiver)
{
	const char *worst =
		receiver->n_untold_shed ? conf_severity_names[receiver->worst_shed] : NULL;
	auto_json json_t *details = json_pack("{s:s, s:I, s:s*, s:I, s:I, s:I}", "receiver",
		receiver->name, "shed", (json_int_t)receiver->n_untold_shed, "worst_shed", worst,
		"expired", (json_int_t)receiver->n_untold_expired, "refused",
		(json_int_t)receiver->n_untold_refused, "waiting",
		(json_int_t)receiver->outbox.n_waiting);
	auto_free char *text = str_printf(
		"receiver '%s' does not get its notices: %llu given up for want of room%s%s%s, "
		"%llu because they waited too long, %llu refused, %zu wait; last error: %s",
		receiver->name, (unsigned long long)receiver->n_untold_shed,
		worst ? " (the most severe: " : "", worst ? worst : "", worst ? ")" : "",
		(unsigned long long)receiver->n_untold_expired,
		(unsigned long long)receiver->n_untold_refused, receiver->outbox.n_waiting,
		receiver->last_error[0] ? receiver->last_error : "none");
	auto_free char *fingerprint = str_printf("daemon/receiver/%s", receiver->name);
	struct notice notice = {.kind = NOTICE_RECEIVER_FAILING,
		.severity = SEVERITY_CRITICAL,
		.fingerprint = fingerprint,
		.text = text,
		.details = details};
	int r = details && text && fingerprint ? alert_add(receiver->alert, &notice, NULL)
					       : -ENOMEM;

	if (r < 0)
		log_error("receiver '%s': cannot tell that it loses notices: %s", receiver->name,
			strerror(-r));
	receiver->n_untold_shed = receiver->n_untold_expired = receiver->n_untold_refused = 0;
	receiver->worst_shed = 0;
}

void receiver_tell_lost(void *data)
{
	struct receiver *receiver = data;

	receiver->told_failing_at = clock_now();
	if (receiver->n_untold_shed + receiver->n_untold_expired + receiver->n_untold_refused > 0)
		tell_lost(receiver);
}

/* Not from here: whoever lost something may be in the middle of adding to another receiver. */
void receiver_note_lost(
	struct receiver *receiver, uint64_t n_shed, uint64_t n_expired, uint64_t n_refused)
{
	usec_t now = clock_now(), at = now;

	receiver->n_untold_shed += n_shed;
	receiver->n_untold_expired += n_expired;
	receiver->n_untold_refused += n_refused;
	if (receiver->told_failing_at)
		at = MAX(now, receiver->told_failing_at + TELL_LOST_INTERVAL);
	loop_timer_set(receiver->tell_timer, at);
}

/* ---- answers -------------------------------------------------------------------------------- */

static double random_part(void)
{
	return (double)random_below(1u << 30) / (double)(1u << 30);
}

/* After a start its rows are all that is known of it, and they may be of another clock. All by one
 * time are no stampede: the rate, the window and the breaker hold. */
void receiver_retry_soon(struct receiver *receiver)
{
	const struct conf_receiver *conf = receiver->conf;
	usec_t longest = MIN(conf->retry_max, BREAKER_PROBE_MAX);
	usec_t pause = backoff_delay(1, longest, longest, random_part());

	outbox_retry_by(&receiver->outbox, clock_now() + pause, clock_wall() + pause);
}

static void close_breaker(struct receiver *receiver)
{
	usec_t now = clock_now();

	receiver->n_failures = 0;
	receiver->breaker_until = 0;
	if (!receiver->breaker_open)
		return;
	receiver->breaker_open = false;
	log_notice("receiver '%s': answers again, %zu notices follow", receiver->name,
		receiver->outbox.n_waiting);
	if (receiver->conf && receiver->conf->drain_rate_per_minute > 0)
		outbox_mark_backlog(&receiver->outbox, now);
	outbox_retry_now(&receiver->outbox, now);
}

/* What failed for now says something of the receiver: after some in a row only one at a time is
 * tried. */
static void note_failure(struct receiver *receiver, const struct judgement *j)
{
	char span[CLOCK_TEXT_BYTES];
	usec_t wait = MIN(j->retry_after, RETRY_AFTER_MAX), now = clock_now();

	if (++receiver->n_failures >= BREAKER_FAILURES) {
		usec_t pause = backoff_delay(receiver->n_failures, receiver->conf->retry_min,
			MIN(receiver->conf->retry_max, BREAKER_PROBE_MAX), random_part());

		wait = MAX(wait, pause);
		if (!receiver->breaker_open)
			log_warning("receiver '%s': %u tries failed in a row (%s), from now on one "
				    "try at a time, the next in %s",
				receiver->name, receiver->n_failures, j->error,
				clock_format_span(wait, span));
		receiver->breaker_open = true;
	}
	if (wait > 0)
		receiver->breaker_until = now + wait;
	note_error(receiver, j->error);
}

static void plan_retry(struct shipment *s, const struct judgement *j)
{
	struct receiver *receiver = s->receiver;
	const struct conf_receiver *conf = receiver->conf;
	usec_t wait = backoff_delay(s->n_tries, conf->retry_min, conf->retry_max, random_part());
	char span[CLOCK_TEXT_BYTES];

	wait = MAX(wait, MIN(j->retry_after, RETRY_AFTER_MAX));
	log_at(s->n_tries == 1 ? LOG_WARNING : LOG_DEBUG, NULL,
		"receiver '%s': notice %s not delivered: %s, try %u in %s", receiver->name, s->id,
		j->error, s->n_tries + 1, clock_format_span(wait, span));
	VEC_FOREACH (&s->deliveries, struct delivery *, d) {
		d->next_wall = clock_wall() + wait;
		snprintf(d->error, sizeof(d->error), "%s", j->error);
		if (!d->memory_only)
			ledger_touch(d);
	}
	outbox_retry(&receiver->outbox, s, clock_now() + wait);
	if (s->deliveries.len > 1)
		ledger_put_shipment(s, false);
}

static void disable(struct receiver *receiver)
{
	auto_free char *text = NULL;
	auto_json json_t *details = json_pack("{s:s}", "receiver", receiver->name);
	struct notice notice = {.kind = NOTICE_RECEIVER_DISABLED,
		.severity = SEVERITY_WARNING,
		.fingerprint = "daemon/receiver",
		.details = details};
	char digest[17];
	int r;

	signature_digest(receiver->conf->url ? receiver->conf->url : "", digest);
	receiver->disabled_wall = clock_wall();
	snprintf(receiver->disabled_why, sizeof(receiver->disabled_why),
		"it answered 410 Gone (address %s)", digest);
	ledger_put_receiver(receiver->alert, receiver);
	text = str_printf("receiver '%s' answered 410 Gone and gets no more notices until a reload",
		receiver->name);
	log_error("receiver '%s': answered 410 Gone, it gets no more notices until a reload",
		receiver->name);
	notice.text = text;
	r = text ? alert_add(receiver->alert, &notice, NULL) : -ENOMEM;
	if (r < 0)
		log_error("receiver '%s': cannot tell that it is gone: %s", receiver->name,
			strerror(-r));
}

void receiver_enable(struct receiver *receiver)
{
	if (!receiver->disabled_wall)
		return;
	receiver->disabled_wall = 0;
	receiver->disabled_why[0] = '\0';
	ledger_put_receiver(receiver->alert, receiver);
	log_notice("receiver '%s': is tried again", receiver->name);
}

void shipment_forget_conf(struct shipment *s)
{
	conf_unref(s->held);
	s->held = NULL;
	s->conf = NULL;
}

static void land(struct receiver *receiver, struct shipment *s)
{
	for (size_t i = 0; i < receiver->flying.len; i++)
		if (receiver->flying.items[i] == s) {
			vec_remove(&receiver->flying, i);
			shipment_unref(s);
			return;
		}
}

static void count_try(struct shipment *s, struct judgement *j)
{
	struct receiver *receiver = s->receiver;
	bool refused = j->verdict == VERDICT_FAILED || j->verdict == VERDICT_GONE;

	receiver->n_tries++;
	rate_add(&receiver->rate_tries, clock_now(), 1);
	s->n_tries++;
	VEC_FOREACH (&s->deliveries, struct delivery *, d)
		d->refused = ++d->n_tries == 1 && refused;
	if (!j->elapsed && s->started_at)
		j->elapsed = clock_now() - s->started_at;
	secrets_redact(s->conf, j->error);
	secrets_redact(s->conf, j->detail);
	ledger_add_try(s, j);
	shipment_forget_conf(s);
}

/* It has said no: so have all of them ended, and what waits behind a raise among them. */
static void shipment_refused(struct shipment *s, const char *why, enum leaving how)
{
	auto(shipment_unref) struct shipment *held = shipment_ref(s);
	struct receiver *receiver = s->receiver;

	shipment_end(s, DELIVERY_FAILED, why, how);
	VEC_FOREACH (&held->deliveries, const struct delivery *, d) {
		struct delivery *orphan;

		while (d->refused && (orphan = outbox_orphan(&receiver->outbox, d)))
			delivery_end(
				orphan, DELIVERY_FAILED, "the raise before it was refused", how);
	}
}

static const char unconfigured[] = "the receiver is no longer configured";

static void take_judgement(struct shipment *s, const struct judgement *judgement)
{
	struct receiver *receiver = s->receiver;
	struct judgement j = *judgement;

	land(receiver, s);
	count_try(s, &j);
	if (!receiver->conf && j.verdict != VERDICT_DELIVERED) {
		shipment_end(s, DELIVERY_FAILED, unconfigured, LEAVE_COUNTED);
		return;
	}
	switch (j.verdict) {
	case VERDICT_DELIVERED:
		receiver->n_refusals = 0;
		close_breaker(receiver);
		shipment_end(s, DELIVERY_DELIVERED, j.error[0] ? j.error : NULL, LEAVE_NOT);
		break;
	case VERDICT_RETRY:
		note_failure(receiver, &j);
		plan_retry(s, &j);
		break;
	case VERDICT_FAILED:
		receiver->n_refusals++;
		close_breaker(receiver);
		shipment_refused(s, j.error, LEAVE_COUNTED);
		break;
	case VERDICT_MAX:
	case VERDICT_GONE:
		if (!receiver->disabled_wall)
			disable(receiver);
		shipment_refused(s, j.error, LEAVE_QUIETLY);
		break;
	}
	receiver_pump(receiver);
}

static void on_judged(struct shipment *s, const struct judgement *judgement)
{
	shipment_ref(s);
	take_judgement(s, judgement);
	shipment_unref(s);
}

/* ---- the pump ------------------------------------------------------------------------------- */

static bool is_ready(const struct receiver *receiver)
{
	const struct try_type *type = try_type_of(receiver->conf);

	return !type->is_ready || type->is_ready(receiver->alert);
}

static bool is_open(const struct receiver *receiver)
{
	return !receiver->alert->freeing && receiver->conf && !receiver->disabled_wall;
}

static size_t window_of(const struct receiver *receiver)
{
	return receiver->breaker_open ? 1 : try_type_of(receiver->conf)->window;
}

static void start_try(struct shipment *s)
{
	struct receiver *receiver = s->receiver;
	const struct try_context context = {
		.alert = receiver->alert, .conf = receiver->conf, .done = on_judged};
	struct judgement j = {.verdict = VERDICT_RETRY};
	int r;

	s->type = try_type_of(receiver->conf);
	s->conf = receiver->conf;
	s->held = conf_ref(receiver->alert->conf);
	s->started_at = clock_now();
	r = vec_push(&receiver->flying, s);
	if (r == 0) {
		shipment_ref(s);
		r = s->type->start(&context, s);
		if (r == 0)
			return;
		land(receiver, s);
	}
	if (r == -EOPNOTSUPP)
		snprintf(j.error, sizeof(j.error), "its type cannot say what this notice says");
	else if (r == -EKEYREJECTED)
		snprintf(j.error, sizeof(j.error), "the secret is not whsec_ and base64");
	else
		snprintf(j.error, sizeof(j.error), "cannot start the try: %s", strerror(-r));
	if (r == -EOPNOTSUPP)
		j.verdict = VERDICT_FAILED;
	count_try(s, &j);
	if (r == -EOPNOTSUPP) {
		shipment_refused(s, j.error, LEAVE_COUNTED);
		return;
	}
	note_failure(receiver, &j);
	plan_retry(s, &j);
}

void shipment_committed(struct shipment *s)
{
	struct receiver *receiver = s->receiver;

	if (!s->commit || !s->in_flight)
		return;
	s->commit = false;
	if (is_open(receiver) && is_ready(receiver)) {
		start_try(s);
		return;
	}
	outbox_retry(&receiver->outbox, s, clock_now());
}

static void ship(struct shipment *s)
{
	if (!s->commit) {
		start_try(s);
		return;
	}
	VEC_FOREACH (&s->deliveries, struct delivery *, d) {
		memcpy(d->batch, s->id, sizeof(d->batch));
		ledger_touch(d);
	}
	ledger_put_shipment(s, true);
}

static int64_t rate_of(const struct receiver *receiver)
{
	const struct try_type *type = try_type_of(receiver->conf);

	if (receiver->conf->rate_per_minute >= 0)
		return receiver->conf->rate_per_minute;
	return type->rate_per_minute ? type->rate_per_minute(receiver->alert, receiver->conf)
				     : RATE_DEFAULT;
}

/* Starts what may be started; returns when to come again. */
static usec_t pump_tries(struct receiver *receiver)
{
	struct outbox *outbox = &receiver->outbox;
	int64_t drain_rate = receiver->conf->drain_rate_per_minute;

	for (;;) {
		struct outbox_gate gate = {.now = clock_now(),
			.probing = receiver->breaker_open,
			.window = try_type_of(receiver->conf)->window};
		usec_t wait, drain_wait = 0;
		struct shipment *s;

		if (!is_ready(receiver) || outbox->n_in_flight >= window_of(receiver))
			return USEC_INFINITY; /* an event will come */
		if (gate.now < receiver->breaker_until)
			return outbox->n_waiting ? receiver->breaker_until : USEC_INFINITY;
		if (outbox->n_backlog > 0)
			drain_wait = bucket_wait(&receiver->drain, drain_rate, gate.now);
		gate.no_backlog = drain_wait > 0;
		if (!outbox_is_due(outbox, &gate)) {
			usec_t at = outbox_wake_at(outbox);

			return drain_wait > 0 ? MAX(MIN(at, gate.now + drain_wait), gate.now + 1)
					      : at;
		}
		wait = bucket_take(&receiver->bucket, rate_of(receiver), gate.now);
		if (wait > 0)
			return gate.now + wait;
		s = outbox_pick(outbox, &gate);
		if (!s) /* no memory */
			return gate.now + USEC_PER_SEC;
		if (s->backlog)
			(void)bucket_take(&receiver->drain, drain_rate, gate.now);
		ship(s);
	}
}

static const char *expired_why(const struct delivery *d, char why[DELIVERY_ERROR_BYTES])
{
	const struct conf_receiver *conf = d->receiver->conf;
	char span[CLOCK_TEXT_BYTES];

	snprintf(why, DELIVERY_ERROR_BYTES, "not delivered within %s; last: %.180s",
		clock_format_span(d->memory_only ? conf->heartbeat
						 : receiver_ttl(conf, d->record->notice.severity),
			span),
		d->error[0] ? d->error : "never tried");
	return why;
}

/* How many count. */
static uint64_t expire_one(struct delivery *d, const char *why)
{
	bool counts = !d->memory_only;

	delivery_end(d, DELIVERY_EXPIRED, why, LEAVE_QUIETLY);
	return counts;
}

static uint64_t expire_orphans(const struct receiver *receiver, const struct delivery *ended)
{
	struct delivery *orphan;
	uint64_t n = 0;

	while ((orphan = outbox_orphan(&receiver->outbox, ended)))
		n += expire_one(orphan, "the raise before it waited too long");
	return n;
}

/* Some at once: thousands that expire together must not hold up the loop. */
static void expire(struct receiver *receiver)
{
	struct outbox *outbox = &receiver->outbox;
	char why[DELIVERY_ERROR_BYTES];
	struct shipment *s;
	struct delivery *d;
	uint64_t n = 0;

	while (n < END_AT_ONCE && (d = outbox_expired(outbox, clock_now()))) {
		auto(delivery_unref) struct delivery *held = delivery_ref(d);

		n += expire_one(d, expired_why(d, why));
		n += expire_orphans(receiver, held);
	}
	while (n < END_AT_ONCE && (s = outbox_expired_shipment(outbox, clock_now()))) {
		auto(shipment_unref) struct shipment *held = shipment_ref(s);

		n += s->deliveries.len;
		shipment_end(
			s, DELIVERY_EXPIRED, expired_why(shipment_first(s), why), LEAVE_QUIETLY);
		VEC_FOREACH (&held->deliveries, const struct delivery *, ended)
			n += expire_orphans(receiver, ended);
	}
	if (n > 0)
		receiver_note_lost(receiver, 0, n, 0);
}

/* The first of them are looked at: in flight, or on their way to the disk, are few. */
static size_t list_idle(const struct receiver *receiver, struct delivery *ret_list[END_AT_ONCE])
{
	size_t n = 0;

	for (struct delivery *d = receiver->outbox.oldest; d && n < END_AT_ONCE; d = d->newer)
		if (d->released && !d->in_flight)
			ret_list[n++] = delivery_ref(d);
	return n;
}

/* Some at once, in order. Are there more? */
static bool fail_released(struct receiver *receiver)
{
	const char *why = receiver->conf ? receiver->disabled_why : unconfigured;
	enum leaving how = receiver->conf ? LEAVE_QUIETLY : LEAVE_COUNTED;
	struct delivery *list[END_AT_ONCE];
	size_t n = list_idle(receiver, list), n_ended = 0;

	for (size_t i = 0; i < n; i++) {
		auto(delivery_unref) struct delivery *d = list[i];

		if (d->state != DELIVERY_WAITING || n_ended >= END_AT_ONCE)
			continue;
		if (d->shipment && d->shipment->deliveries.len > 1) {
			n_ended += d->shipment->deliveries.len;
			shipment_end(d->shipment, DELIVERY_FAILED, why, how);
			continue;
		}
		n_ended++;
		delivery_end(d, DELIVERY_FAILED, why, how);
	}
	return n == END_AT_ONCE;
}

/* What has ended leaves before more ends. */
static usec_t pump(struct receiver *receiver)
{
	bool more = receiver->leaving.len > 0;
	usec_t at = USEC_INFINITY;

	if (is_open(receiver)) {
		if (!more)
			expire(receiver);
		at = MIN(pump_tries(receiver), outbox_wake_expiry(&receiver->outbox));
	} else if (!more) {
		more = fail_released(receiver);
	}
	return fallback_pump(receiver) || more ? clock_now() : at;
}

void receiver_pump(struct receiver *receiver)
{
	usec_t wake;

	if (receiver->alert->freeing || !receiver->alert->conf || receiver->pumping)
		return;
	/* What it starts may end at once and come back here. */
	receiver->pumping = true;
	wake = pump(receiver);
	receiver->pumping = false;
	receiver->wake_at = wake == USEC_INFINITY ? 0 : wake;
	loop_timer_set(receiver->timer, receiver->wake_at);
}
