/* SPDX-License-Identifier: MIT */
/*
 * alert/heartbeat.c: the notice that Tend lives, for a watcher outside. It goes past the routes and
 * the ledger: only the newest is of any use, and one that could not go in time of none.
 */
#include <string.h>
#include "alert/private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#define FIRST_BEAT USEC_PER_SEC

static json_t *compose_details(const struct receiver *receiver)
{
	const struct alert *alert = receiver->alert;
	auto_json json_t *details = alert->deps.heartbeat_details
					    ? alert->deps.heartbeat_details(alert->deps.data)
					    : json_object();
	auto_json json_t *own = json_pack("{s:I, s:I, s:I, s:f, s:s}", "outbox_depth",
		(json_int_t)alert_outbox_depth(alert), "waiting",
		(json_int_t)receiver->outbox.n_waiting, "last_sequence",
		(json_int_t)receiver->sequence, "interval_seconds",
		(double)receiver->conf->heartbeat / USEC_PER_SEC, "version", TEND_VERSION);

	if (!details || !own || json_object_update(details, own) < 0)
		return NULL;
	return TAKE(details);
}

static int make(struct receiver *receiver, struct delivery **ret_delivery)
{
	auto_json json_t *details = compose_details(receiver);
	auto(record_unref) struct record *record = NULL;
	struct notice notice = {.kind = NOTICE_HEARTBEAT,
		.severity = SEVERITY_INFO,
		.fingerprint = "daemon/heartbeat",
		.text = "Tend lives",
		.wall = clock_wall(),
		.details = details};
	struct delivery *d;
	int r;

	if (!details)
		return -ENOMEM;
	uuid7(notice.id);
	r = record_new(&notice, &record);
	if (r < 0)
		return r;
	r = delivery_new(record, receiver, &d);
	if (r < 0)
		return r;
	d->memory_only = d->released = true;
	d->sequence = receiver->sequence; /* the last one given: a gap shows at once */
	d->added_wall = clock_wall();
	d->expires_at = clock_now() + receiver->conf->heartbeat;
	*ret_delivery = d;
	return 0;
}

static int add(struct receiver *receiver)
{
	auto(delivery_unref) struct delivery *d = NULL;
	struct delivery *superseded = NULL;
	int r = make(receiver, &d);

	if (r == 0)
		r = outbox_add(&receiver->outbox, d, clock_now(), &superseded);
	while (superseded) {
		struct delivery *old = superseded;

		superseded = old->next;
		old->next = NULL;
		delivery_settle(old, DELIVERY_SUPERSEDED, NULL);
		delivery_unref(old);
	}
	return r;
}

void heartbeat_beat(void *data)
{
	struct receiver *receiver = data;
	int r;

	if (receiver->alert->freeing || !receiver->conf || !receiver->conf->heartbeat)
		return;
	loop_timer_set(receiver->heartbeat, clock_now() + receiver->conf->heartbeat);
	if (receiver->disabled_wall)
		return;
	r = add(receiver);
	if (r < 0)
		log_warning("receiver '%s': no heartbeat: %s", receiver->name, strerror(-r));
	receiver_pump(receiver);
}

void heartbeat_apply(struct receiver *receiver)
{
	usec_t interval = receiver->conf ? receiver->conf->heartbeat : 0;

	loop_timer_set(receiver->heartbeat, interval ? clock_now() + MIN(interval, FIRST_BEAT) : 0);
}
