/* SPDX-License-Identifier: MIT */
/* alert/views.c: receivers and deliveries for the API, from memory and from the ledger. */
#include <string.h>
#include "alert/format.h"
#include "alert/private.h"
#include "base/clock.h"
#include "base/str.h"

/* Without path and query, which hold the secrets of many services. */
static json_t *target_json(const struct conf_receiver *conf)
{
	const char *url = conf->url, *host, *at;

	if (conf->type == RECEIVER_SMTP)
		return json_sprintf("%s", url ? url : "");
	if (conf->type == RECEIVER_EXEC)
		return json_sprintf("%s", conf->command ? conf->command : "");
	if (conf->type == RECEIVER_SNMP || !url)
		return json_string(conf->host ? conf->host : "");
	host = strstr(url, "://");
	host = host ? host + 3 : url;
	at = memchr(host, '@', strcspn(host, "/?#"));
	if (at)
		host = at + 1;
	return json_sprintf("%.*s%.*s", str_startswith(url, "https") ? 8 : 7, url,
		(int)strcspn(host, "/?#"), host);
}

static json_t *wall_json(usec_t wall)
{
	return wall ? json_integer((json_int_t)wall) : json_null();
}

static json_t *text_json(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

/* While anything waits for it. */
static usec_t next_try_wall(const struct receiver *r)
{
	usec_t now = clock_now();

	if (!r->wake_at || r->outbox.n_waiting == 0)
		return 0;
	return clock_wall() + (r->wake_at > now ? r->wake_at - now : 0);
}

static json_t *receiver_to_json(const struct receiver *r)
{
	const struct conf_receiver *conf = r->conf;
	const struct outbox *outbox = &r->outbox;
	const struct format *format = conf ? formats_find(r->alert->formats, conf) : NULL;
	usec_t now = clock_now();
	json_t *more = json_pack("{s:I, s:I, s:I, s:f, s:f, s:f, s:b, s:o, s:o}", "waiting_bytes",
		(json_int_t)outbox->n_bytes, "in_flight", (json_int_t)outbox->n_in_flight,
		"backlog", (json_int_t)outbox->n_backlog, "delivered_per_minute",
		rate_per_minute_of(&r->rate_delivered, now, 1), "delivered_per_minute_15",
		rate_per_minute_of(&r->rate_delivered, now, RATE_SLOTS - 1), "tries_per_minute",
		rate_per_minute_of(&r->rate_tries, now, 1), "storming", outbox->guard.storming,
		"next_try", wall_json(next_try_wall(r)), "last_error_at",
		wall_json(r->last_error_wall));
	json_t *json = json_pack(
		"{s:s, s:s?, s:o, s:b, s:o, s:b, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
		"name", r->name, "type", conf ? conf_receiver_type_names[conf->type] : NULL,
		"target", conf ? target_json(conf) : json_null(), "enabled",
		conf && !r->disabled_wall, "disabled_why",
		text_json(r->disabled_wall ? r->disabled_why : NULL), "breaker_open",
		r->breaker_open, "waiting", (json_int_t)r->outbox.n_waiting, "oldest",
		wall_json(outbox_oldest_wall(&r->outbox)), "sequence", (json_int_t)r->sequence,
		"delivered", (json_int_t)r->n_delivered, "failed", (json_int_t)r->n_failed, "shed",
		(json_int_t)r->n_shed, "tries", (json_int_t)r->n_tries, "last_error",
		text_json(r->last_error), "last_delivered", wall_json(r->last_delivered_wall));

	if (json && more)
		(void)json_object_update(json, more);
	json_decref(more);
	if (json)
		(void)json_object_set_new(
			json, "engine_id", text_json(snmp_engine_id(r->alert, conf)));
	if (json)
		(void)json_object_set_new(
			json, "format", format ? format_to_json(format) : json_null());
	return json;
}

json_t *alert_receivers_to_json(const struct alert *alert)
{
	json_t *list = json_array();

	MAP_FOREACH (&alert->receivers, struct receiver *, receiver)
		if (receiver->conf || receiver->outbox.n_waiting > 0)
			(void)json_array_append_new(list, receiver_to_json(receiver));
	return list;
}

/* One answer that says no may be of the notice; several in a row are of the receiver. */
enum { REFUSALS_TOLD = 3 };

static json_t *problem_json(const struct receiver *r)
{
	if (!r->conf)
		return NULL;
	if (r->disabled_wall)
		return json_sprintf(
			"receiver '%s' answered 410 Gone, it gets no notices until a reload",
			r->name);
	if (r->breaker_open)
		return json_sprintf("receiver '%s' is failing, %zu notices wait: %s", r->name,
			r->outbox.n_waiting, r->last_error);
	if (r->n_refusals >= REFUSALS_TOLD)
		return json_sprintf(
			"receiver '%s' is failing, it has refused the last %u tries: %s", r->name,
			r->n_refusals, r->last_error);
	return NULL;
}

void alert_add_problems(const struct alert *alert, json_t *problems)
{
	MAP_FOREACH (&alert->receivers, const struct receiver *, receiver) {
		json_t *problem = problem_json(receiver);

		if (problem)
			(void)json_array_append_new(problems, problem);
	}
}

/* The gate it stands at, as `tendctl explain` says it; NULL: it does not wait. */
static json_t *waits_json(const struct delivery *d)
{
	const struct receiver *r = d->receiver;
	char until[CLOCK_TEXT_BYTES];

	if (d->state != DELIVERY_WAITING || d->in_flight)
		return json_null();
	if (!r->conf)
		return json_string("disabled: the receiver is not configured any more");
	if (r->disabled_wall)
		return json_string("disabled: the receiver has answered 410 Gone");
	if (!d->released)
		return json_string("store: it is on its way to the disk");
	if (d->next_wall > clock_wall())
		return json_sprintf("%s: until %s", d->n_tries ? "retry" : "digest",
			clock_format(d->next_wall, until));
	if (r->breaker_open)
		return json_string("breaker: the receiver fails, one notice at a time is tried");
	if (d->group && *d->group)
		return json_sprintf("group: it waits for more of %s", d->group);
	if (d->group)
		return json_string("storm: many come at once, they are gathered");
	return json_string("rate: it waits its turn");
}

json_t *delivery_to_json(const struct delivery *d)
{
	const struct notice *n = &d->record->notice;

	return json_pack(
		"{s:s, s:s, s:I, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:s, s:s, "
		"s:o, s:b, s:b, s:s?, s:o, s:o}",
		"notice", n->id, "receiver", d->receiver->name, "sequence", (json_int_t)d->sequence,
		"state", delivery_state_names[d->state], "tries", (int)d->n_tries, "next_at",
		wall_json(d->next_wall), "delivered_at", wall_json(d->delivered_wall), "last_error",
		text_json(d->error), "superseded_by", text_json(d->superseded_by), "added_at",
		wall_json(d->added_wall), "via", text_json(d->via), "kind",
		notice_kind_name(n->kind), "incident", text_json(n->incident_id), "fingerprint",
		n->fingerprint, "severity", conf_severity_names[n->severity], "at",
		wall_json(n->wall), "undurable", d->undurable, "in_flight", d->in_flight,
		"group_key", d->group, "batch", text_json(d->batch), "waits", waits_json(d));
}

/* ---- deliveries ----------------------------------------------------------------------------- */

struct listing {
	struct alert *alert;
	char *incident_id, *receiver;
	size_t limit;
	/* What memory said when it was asked: later the ledger may be ahead of memory, or behind
	 * it. */
	json_t *list, *seen;
	alert_deliveries_fn fn;
	void *data;
};

static void listing_free(struct listing *l)
{
	free(l->incident_id);
	free(l->receiver);
	json_decref(l->list);
	json_decref(l->seen);
	free(l);
}
DEFINE_AUTO(struct listing *, listing_free)

static bool wanted(const struct listing *l, const struct delivery *d)
{
	return !d->memory_only &&
	       (!l->incident_id || str_eq(l->incident_id, d->record->notice.incident_id)) &&
	       (!l->receiver || strcmp(l->receiver, d->receiver->name) == 0);
}

static void list_add(const struct listing *l, const struct delivery *d)
{
	auto_free char *key = str_printf("%s %s", d->record->notice.id, d->receiver->name);

	if (!wanted(l, d) || !key || json_object_get(l->seen, key))
		return;
	(void)json_object_set_new(l->seen, key, json_true());
	if (json_array_size(l->list) < l->limit)
		(void)json_array_append_new(l->list, delivery_to_json(d));
}

static void list_memory(const struct listing *l)
{
	MAP_FOREACH (&l->alert->receivers, struct receiver *, receiver) {
		auto_free struct delivery **all = NULL;
		size_t n = outbox_list(&receiver->outbox, &all);

		for (size_t i = 0; i < n; i++)
			list_add(l, all[i]);
	}
	VEC_FOREACH (&l->alert->unwritten, struct delivery *, d)
		list_add(l, d);
}

static void list_ledger(const struct listing *l, json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		auto_free char *key =
			str_printf("%s %s", json_string_value(json_object_get(row, "notice")),
				json_string_value(json_object_get(row, "receiver")));

		if (json_array_size(l->list) >= l->limit)
			break;
		if (key && !json_object_get(l->seen, key))
			(void)json_array_append(l->list, row);
	}
}

static void on_rows(int r, json_t *rows, void *data)
{
	auto(listing_free) struct listing *l = data;

	if (r == 0)
		list_ledger(l, rows);
	l->fn(r, l->list, l->data);
}

int alert_deliveries(struct alert *alert, const char *incident_id, const char *receiver, int limit,
	alert_deliveries_fn fn, void *data)
{
	auto(listing_free) struct listing *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	*l = (struct listing){.alert = alert, .fn = fn, .data = data};
	l->limit = (size_t)MIN(MAX(limit, 1), 10000);
	l->incident_id = incident_id ? strdup(incident_id) : NULL;
	l->receiver = receiver ? strdup(receiver) : NULL;
	l->list = json_array();
	l->seen = json_object();
	list_memory(l);
	r = store_read(alert->deps.store, STORE_QUERY_DELIVERIES, on_rows, l, "ssi", incident_id,
		receiver, (int64_t)l->limit);
	if (r == 0)
		TAKE(l);
	return r;
}

/* ---- figures -------------------------------------------------------------------------------- */

size_t alert_get_stats(const struct alert *alert, struct alert_receiver_stats *stats, size_t max)
{
	size_t n = 0;

	MAP_FOREACH (&alert->receivers, struct receiver *, r) {
		if (!r->conf || n == max)
			continue;
		stats[n] = (struct alert_receiver_stats){.name = r->name,
			.n_delivered = r->n_delivered,
			.n_failed = r->n_failed,
			.n_shed = r->n_shed,
			.n_expired = r->n_expired,
			.n_tries = r->n_tries,
			.n_waiting = r->outbox.n_waiting,
			.sequence = r->sequence,
			.oldest_wall = outbox_oldest_wall(&r->outbox),
			.breaker_open = r->breaker_open,
			.disabled = r->disabled_wall != 0};
		memcpy(stats[n].last_error, r->last_error, sizeof(stats[n].last_error));
		n++;
	}
	return n;
}

uint64_t alert_outbox_depth(const struct alert *alert)
{
	uint64_t n = 0;

	MAP_FOREACH (&alert->receivers, struct receiver *, receiver)
		n += receiver->outbox.n_waiting + receiver->leaving.len;
	return n;
}
