/* SPDX-License-Identifier: MIT */
/*
 * alert/receiver.c: the life of a receiver, and what the configuration says of it.
 */
#include <string.h>
#include "alert/private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

static void on_timer(void *data)
{
	receiver_pump(data);
}

int receiver_new(struct alert *alert, const char *name, struct receiver **ret_receiver)
{
	auto(receiver_free) struct receiver *receiver = calloc(1, sizeof(*receiver));
	struct loop *loop = alert->deps.loop;
	int r;

	if (!receiver)
		return -ENOMEM;
	receiver->alert = alert;
	outbox_init(&receiver->outbox);
	receiver->name = strdup(name);
	if (!receiver->name)
		return -ENOMEM;
	r = loop_timer_new(loop, on_timer, receiver, &receiver->timer);
	if (r == 0)
		r = loop_timer_new(loop, receiver_tell_lost, receiver, &receiver->tell_timer);
	if (r == 0)
		r = loop_timer_new(loop, heartbeat_beat, receiver, &receiver->heartbeat);
	if (r < 0)
		return r;
	loop_source_name(receiver->timer, "receiver");
	loop_source_name(receiver->tell_timer, "receiver-lost");
	loop_source_name(receiver->heartbeat, "heartbeat");
	*ret_receiver = TAKE(receiver);
	return 0;
}

struct receiver *receiver_free(struct receiver *receiver)
{
	if (!receiver)
		return NULL;
	VEC_FOREACH (&receiver->flying, struct shipment *, s) {
		if (s->try)
			s->type->cancel(s);
		shipment_forget_conf(s);
		shipment_unref(s);
	}
	vec_clear(&receiver->flying);
	loop_source_free(receiver->timer);
	loop_source_free(receiver->tell_timer);
	loop_source_free(receiver->heartbeat);
	fallback_clear(receiver);
	outbox_clear(&receiver->outbox);
	free(receiver->fallback);
	free(receiver->name);
	free(receiver);
	return NULL;
}

usec_t receiver_ttl(const struct conf_receiver *conf, enum conf_severity severity)
{
	return conf->ttl_of[severity] ? conf->ttl_of[severity] : conf->ttl;
}

void receiver_set_pace(struct receiver *receiver)
{
	const struct conf_receiver *conf = receiver->conf;
	const struct try_type *type = try_type_of(conf);
	const struct outbox_pace pace = {
		.can_group = type->can_group && type->can_group(receiver->alert, conf),
		.max_notices = type->max_notices ? type->max_notices(receiver->alert, conf) : 0,
		.storm_burst = (size_t)conf->storm_burst,
		.storm_wait = conf->storm_wait,
		.storm_interval = conf->storm_interval};
	usec_t ttl[SEVERITY_MAX];

	for (enum conf_severity i = 0; i < SEVERITY_MAX; i++)
		ttl[i] = receiver_ttl(conf, i);
	outbox_set_pace(&receiver->outbox, &pace, clock_now());
	outbox_set_expiry(&receiver->outbox, ttl, clock_wall(), clock_now());
}

void receiver_keep_fallback(struct receiver *receiver)
{
	const struct conf_receiver *conf = receiver->conf;
	char *copy = conf && conf->fallback ? strdup(conf->fallback) : NULL;

	if (!conf)
		return;
	if (conf->fallback && !copy)
		log_error(
			"receiver '%s': out of memory: its fallback is not known when it is taken "
			"out of the configuration",
			receiver->name);
	free(receiver->fallback);
	receiver->fallback = copy;
}

void receiver_set_conf(struct receiver *receiver, const struct conf_receiver *conf, bool reload)
{
	char digest[17];

	receiver->conf = conf;
	heartbeat_apply(receiver);
	if (!conf)
		return;
	receiver_set_pace(receiver);
	/* Nobody knows whether it answered when tendd ended. */
	if (!reload)
		receiver_retry_soon(receiver);
	if (!reload && conf->drain_rate_per_minute > 0)
		outbox_mark_backlog(&receiver->outbox, clock_now());
	receiver->breaker_until = 0;
	receiver->n_refusals = 0;
	if (!receiver->disabled_wall)
		return;
	signature_digest(conf->url ? conf->url : "", digest);
	if (reload || !strstr(receiver->disabled_why, digest))
		receiver_enable(receiver);
}
