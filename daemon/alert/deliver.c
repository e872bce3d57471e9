/* SPDX-License-Identifier: MIT */
/*
 * alert/deliver.c: the pace of one receiver: what is tried when, and what an answer means for the
 * delivery, for the others that wait, and for the fallback.
 */
#include <string.h>
#include "alert/private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#define BREAKER_PROBE_MAX (30 * USEC_PER_SEC)
#define RETRY_AFTER_MAX	  (3600 * USEC_PER_SEC)

static void on_timer(void *data)
{
	receiver_pump(data);
}

int receiver_new(struct alert *alert, const char *name, struct receiver **ret_receiver)
{
	auto(receiver_free) struct receiver *receiver = calloc(1, sizeof(*receiver));
	int r;

	if (!receiver)
		return -ENOMEM;
	receiver->alert = alert;
	receiver->name = strdup(name);
	if (!receiver->name)
		return -ENOMEM;
	r = loop_timer_new(alert->deps.loop, on_timer, receiver, &receiver->timer);
	if (r < 0)
		return r;
	loop_source_name(receiver->timer, "receiver");
	*ret_receiver = TAKE(receiver);
	return 0;
}

struct receiver *receiver_free(struct receiver *receiver)
{
	if (!receiver)
		return NULL;
	while (receiver->tries.len > 0)
		webhook_cancel(receiver->tries.items[0]);
	vec_clear(&receiver->tries);
	loop_source_free(receiver->timer);
	outbox_clear(&receiver->outbox);
	free(receiver->name);
	free(receiver);
	return NULL;
}

/* ---- the end of a delivery ------------------------------------------------------------------ */

static void log_end(const struct delivery *d)
{
	const struct notice *n = &d->record->notice;
	auto_free char *field = str_printf("TEND_NOTICE=%s", n->id);
	const char *fields[] = {LOG_ID_DELIVERY, field, NULL};
	int level = d->state == DELIVERY_DELIVERED || d->state == DELIVERY_SUPERSEDED ? LOG_INFO
										      : LOG_WARNING;

	log_at(level, fields, "receiver '%s': notice %s (%s, %s) %s after %u tries%s%s",
		d->receiver->name, n->id, notice_kind_name(n->kind), n->fingerprint,
		delivery_state_names[d->state], d->n_tries, d->error[0] ? ": " : "", d->error);
}

/* A raise that was never even tried: the receiver is not to hear of the end either, but may be told
 * anew by a later change. */
static void forget_untold(const struct delivery *d)
{
	const struct notice *n = &d->record->notice;

	if (n->kind == NOTICE_INCIDENT_RAISED && n->incident_id && d->n_tries == 0)
		told_remove(d->receiver->alert, n->incident_id, d->receiver->name);
}

void delivery_settle(struct delivery *d, enum delivery_state state, const char *why)
{
	struct receiver *receiver = d->receiver;
	const struct alert_deps *deps = &receiver->alert->deps;

	d->state = state;
	if (why)
		snprintf(d->error, sizeof(d->error), "%s", why);
	if (state == DELIVERY_DELIVERED) {
		d->delivered_wall = receiver->last_delivered_wall = clock_wall();
		d->error[0] = '\0';
		receiver->n_delivered++;
	} else if (state != DELIVERY_SUPERSEDED) {
		forget_untold(d);
		receiver->n_failed++;
		snprintf(receiver->last_error, sizeof(receiver->last_error), "%s", d->error);
	}
	log_end(d);
	ledger_touch(d);
	if (deps->on_delivery)
		deps->on_delivery(d->record->notice.incident_id, receiver->name,
			notice_kind_name(d->record->notice.kind), delivery_state_names[state],
			d->n_tries, deps->data);
}

static void hand_over(struct delivery *d, struct receiver *fallback)
{
	struct receiver *receiver = d->receiver;
	int r = record_note_receiver(d->record, fallback->name);

	if (r > 0)
		r = alert_queue_now(receiver->alert, d->record, fallback, receiver->name);
	if (r < 0)
		log_error("receiver '%s': cannot hand notice %s to '%s': %s", receiver->name,
			d->record->notice.id, fallback->name, strerror(-r));
}

/* One hop only: what a fallback cannot deliver either is shown as undelivered. One that got the
 * notice by its own route does not get it again. */
static void fall_back_from(struct delivery *d)
{
	struct receiver *receiver = d->receiver, *fallback;
	const struct notice *n = &d->record->notice;
	struct delivery *clear;

	if (d->via || !receiver->conf || !receiver->conf->fallback)
		return;
	fallback = alert_find_receiver(receiver->alert, receiver->conf->fallback);
	if (!fallback || fallback == receiver)
		return;
	hand_over(d, fallback);
	if (n->kind != NOTICE_INCIDENT_RAISED && n->kind != NOTICE_INCIDENT_CHANGED)
		return;
	/* Now it knows of the incident, so the end is for it as well. */
	clear = outbox_find_clear(&receiver->outbox, n);
	if (clear)
		hand_over(clear, fallback);
	else if (n->incident_id && told_open(receiver->alert, n->incident_id))
		told_add(receiver->alert, n->incident_id, fallback->name);
}

void delivery_end(struct delivery *d, enum delivery_state state, const char *why, bool fall_back)
{
	auto(delivery_unref) struct delivery *held = delivery_ref(d);

	outbox_remove(&d->receiver->outbox, d);
	delivery_settle(held, state, why);
	if (fall_back)
		fall_back_from(held);
}

/* ---- answers -------------------------------------------------------------------------------- */

static double random_part(void)
{
	return (double)random_below(1u << 30) / (double)(1u << 30);
}

static void close_breaker(struct receiver *receiver)
{
	receiver->n_failures = 0;
	receiver->breaker_until = 0;
	if (!receiver->breaker_open)
		return;
	receiver->breaker_open = false;
	log_notice("receiver '%s': answers again, %zu notices follow", receiver->name,
		receiver->outbox.n_waiting);
	outbox_retry_now(&receiver->outbox, clock_now());
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
				    "try at "
				    "a time, the next in %s",
				receiver->name, receiver->n_failures, j->error,
				clock_format_span(wait, span));
		receiver->breaker_open = true;
	}
	if (wait > 0)
		receiver->breaker_until = now + wait;
	snprintf(receiver->last_error, sizeof(receiver->last_error), "%s", j->error);
}

static void plan_retry(struct delivery *d, const struct judgement *j)
{
	const struct conf_receiver *conf = d->receiver->conf;
	usec_t wait = backoff_delay(d->n_tries, conf->retry_min, conf->retry_max, random_part());
	char span[CLOCK_TEXT_BYTES];

	wait = MAX(wait, MIN(j->retry_after, RETRY_AFTER_MAX));
	d->next_at = clock_now() + wait;
	d->next_wall = clock_wall() + wait;
	snprintf(d->error, sizeof(d->error), "%s", j->error);
	log_at(d->n_tries == 1 ? LOG_WARNING : LOG_DEBUG, NULL,
		"receiver '%s': notice %s not delivered: %s, try %u in %s", d->receiver->name,
		d->record->notice.id, d->error, d->n_tries + 1, clock_format_span(wait, span));
	ledger_touch(d);
}

static void disable(struct receiver *receiver)
{
	auto_free char *text = NULL;
	char digest[17];

	signature_digest(receiver->conf->url ? receiver->conf->url : "", digest);
	receiver->disabled_wall = clock_wall();
	snprintf(receiver->disabled_why, sizeof(receiver->disabled_why),
		"it answered 410 Gone (address %s)", digest);
	ledger_put_receiver(receiver->alert, receiver);
	text = str_printf("receiver '%s' answered 410 Gone and gets no more notices until a reload",
		receiver->name);
	log_error("receiver '%s': answered 410 Gone, it gets no more notices until a reload",
		receiver->name);
	if (text)
		alert_tell(receiver->alert, NOTICE_RECEIVER_DISABLED, SEVERITY_WARNING,
			"daemon/receiver", text);
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

static void on_judged(struct delivery *d, const struct judgement *j)
{
	struct receiver *receiver = d->receiver;

	outbox_stop(&receiver->outbox, d);
	receiver->n_tries++;
	d->n_tries++;
	if (!receiver->conf) {
		delivery_end(d, DELIVERY_FAILED, "the receiver is no longer configured", false);
		return;
	}
	switch (j->verdict) {
	case VERDICT_DELIVERED:
		close_breaker(receiver);
		delivery_end(d, DELIVERY_DELIVERED, NULL, false);
		break;
	case VERDICT_RETRY:
		note_failure(receiver, j);
		plan_retry(d, j);
		break;
	case VERDICT_FAILED:
		close_breaker(receiver);
		delivery_end(d, DELIVERY_FAILED, j->error, true);
		break;
	case VERDICT_GONE:
		if (!receiver->disabled_wall)
			disable(receiver);
		delivery_end(d, DELIVERY_FAILED, j->error, true);
		break;
	}
	receiver_pump(receiver);
}

/* ---- the pump ------------------------------------------------------------------------------- */

static bool is_ready(const struct receiver *receiver)
{
	return receiver->conf->type != RECEIVER_SNMP ||
	       (receiver->alert->notifier && snmp_notifier_ready(receiver->alert->notifier));
}

static size_t window_of(const struct receiver *receiver)
{
	if (receiver->breaker_open)
		return 1;
	return receiver->conf->type == RECEIVER_SNMP ? SNMP_WINDOW : WEBHOOK_WINDOW;
}

static void start_try(struct receiver *receiver, struct delivery *d)
{
	const struct try_context context = {
		.alert = receiver->alert, .conf = receiver->conf, .done = on_judged};
	struct webhook_try *try;
	struct judgement j = {.verdict = VERDICT_RETRY};
	int r;

	outbox_start(&receiver->outbox, d);
	if (receiver->conf->type == RECEIVER_SNMP)
		r = snmp_start(receiver->alert->notifier, &context, d);
	else
		r = webhook_start(&context, d, &try);
	if (r == 0)
		return;
	outbox_stop(&receiver->outbox, d);
	d->n_tries++;
	if (r == -EOPNOTSUPP) {
		delivery_end(d, DELIVERY_FAILED, "no notification of TEND-MIB says this", true);
		return;
	}
	snprintf(j.error, sizeof(j.error), "cannot start the try: %s", strerror(-r));
	if (r == -EKEYREJECTED)
		snprintf(j.error, sizeof(j.error), "the secret is not whsec_ and base64");
	note_failure(receiver, &j);
	plan_retry(d, &j);
}

/* Starts what may be started; returns when to come again. */
static usec_t pump_tries(struct receiver *receiver)
{
	for (;;) {
		usec_t now = clock_now(), wait;
		struct delivery *d;

		if (!is_ready(receiver) || receiver->outbox.n_in_flight >= window_of(receiver))
			return USEC_INFINITY; /* an event will come */
		if (now < receiver->breaker_until)
			return receiver->outbox.n_waiting ? receiver->breaker_until : USEC_INFINITY;
		if (receiver->breaker_open)
			outbox_retry_now(&receiver->outbox, now);
		d = outbox_pick(&receiver->outbox, now);
		if (!d)
			return outbox_wake_at(&receiver->outbox);
		wait = bucket_take(&receiver->bucket, receiver->conf->rate_per_minute, now);
		if (wait > 0)
			return now + wait;
		start_try(receiver, d);
	}
}

static void expire(struct receiver *receiver)
{
	char span[CLOCK_TEXT_BYTES], why[DELIVERY_ERROR_BYTES];
	struct delivery *d;

	while ((d = outbox_expired(&receiver->outbox, clock_now()))) {
		snprintf(why, sizeof(why), "not delivered within %s; last: %.180s",
			clock_format_span(receiver->conf->ttl, span),
			d->error[0] ? d->error : "never tried");
		delivery_end(d, DELIVERY_EXPIRED, why, true);
	}
}

static void fail_released(struct receiver *receiver, const char *why)
{
	struct delivery *d;

	while ((d = outbox_pick(&receiver->outbox, USEC_INFINITY - 1)))
		delivery_end(d, DELIVERY_FAILED, why, true);
}

void receiver_pump(struct receiver *receiver)
{
	usec_t wake = USEC_INFINITY;

	if (receiver->alert->freeing || !receiver->alert->conf)
		return;
	if (!receiver->conf) {
		fail_released(receiver, "the receiver is no longer configured");
	} else if (receiver->disabled_wall) {
		fail_released(receiver, receiver->disabled_why);
	} else {
		expire(receiver);
		wake = MIN(pump_tries(receiver), outbox_wake_expiry(&receiver->outbox));
	}
	receiver->wake_at = wake == USEC_INFINITY ? 0 : wake;
	loop_timer_set(receiver->timer, receiver->wake_at);
}
