/* SPDX-License-Identifier: MIT */
#include "alert/alert.h"
#include <assert.h>
#include <string.h>
#include "alert/private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#define HEALTHY_LATENESS (10 * USEC_PER_SEC)

/* ---- life ----------------------------------------------------------------------------------- */

void alert_set_undurable(struct alert *alert, bool undurable)
{
	if (alert->undurable == undurable || alert->freeing)
		return;
	alert->undurable = undurable;
	if (undurable)
		log_warning("outbox: the store does not take notices, they go out from memory");
	else
		log_notice("outbox: every notice is in the store again");
	if (alert->deps.on_undurable)
		alert->deps.on_undurable(undurable, alert->deps.data);
}

static void on_store_health(bool healthy, void *data)
{
	if (healthy)
		ledger_flush(data);
}

static void on_flush(void *data)
{
	ledger_flush(data);
}

int alert_new(const struct alert_deps *deps, struct alert **ret_alert)
{
	auto(alert_free) struct alert *alert = calloc(1, sizeof(*alert));
	int r;

	if (!alert)
		return -ENOMEM;
	alert->deps = *deps;
	alert->started = clock_now();
	if (gethostname(alert->host, sizeof(alert->host) - 1) < 0)
		snprintf(alert->host, sizeof(alert->host), "localhost");
	r = loop_defer_new(deps->loop, on_flush, alert, &alert->flush_defer);
	if (r == 0)
		r = loop_timer_new(deps->loop, on_flush, alert, &alert->flush_timer);
	if (r < 0)
		return r;
	loop_source_name(alert->flush_defer, "outbox-flush");
	loop_source_name(alert->flush_timer, "outbox-flush");
	loop_defer_set(alert->flush_defer, false);
	r = ledger_load(alert);
	if (r == 0)
		r = told_load(alert);
	if (r < 0)
		return r;
	store_on_health(deps->store, on_store_health, alert);
	*ret_alert = TAKE(alert);
	return 0;
}

struct alert *alert_free(struct alert *alert)
{
	if (!alert)
		return NULL;
	alert->freeing = true;
	snmp_notifier_free(alert->notifier);
	ledger_flush_last(alert);
	ledger_clear(alert);
	MAP_FOREACH (&alert->receivers, struct receiver *, receiver)
		receiver_free(receiver);
	map_clear(&alert->receivers);
	told_clear(alert);
	loop_source_free(alert->flush_defer);
	loop_source_free(alert->flush_timer);
	conf_unref(alert->conf);
	free(alert);
	return NULL;
}

struct receiver *alert_find_receiver(struct alert *alert, const char *name)
{
	return map_get(&alert->receivers, name);
}

/* ---- configuration -------------------------------------------------------------------------- */

static int ensure_receivers(struct alert *alert, struct conf *conf)
{
	int r = 0;

	MAP_FOREACH (&conf->receivers, struct conf_receiver *, one) {
		struct receiver *receiver;

		if (map_get(&alert->receivers, one->name))
			continue;
		r = receiver_new(alert, one->name, &receiver);
		if (r == 0)
			r = map_put(&alert->receivers, one->name, receiver);
		if (r < 0)
			break;
	}
	return r;
}

static void set_conf(struct receiver *receiver, const struct conf_receiver *conf, bool reload)
{
	char digest[17];

	receiver->conf = conf;
	if (!conf)
		return;
	outbox_set_expiry(&receiver->outbox, conf->ttl, clock_wall(), clock_now());
	receiver->breaker_until = 0;
	if (!receiver->disabled_wall)
		return;
	signature_digest(conf->url ? conf->url : "", digest);
	if (reload || !strstr(receiver->disabled_why, digest))
		receiver_enable(receiver);
}

static int apply_notifier(struct alert *alert)
{
	bool wanted = false;

	MAP_FOREACH (&alert->receivers, struct receiver *, receiver)
		wanted = wanted || (receiver->conf && receiver->conf->type == RECEIVER_SNMP);
	if (wanted && !alert->notifier)
		return snmp_notifier_new(alert, &alert->notifier);
	if (!wanted && alert->notifier)
		alert->notifier = snmp_notifier_free(alert->notifier);
	return 0;
}

int alert_apply(struct alert *alert, struct conf *conf)
{
	bool reload = alert->conf != NULL;
	struct conf *old = alert->conf;
	int r = ensure_receivers(alert, conf);

	if (r < 0)
		return r;
	alert->conf = conf_ref(conf);
	MAP_FOREACH (&alert->receivers, struct receiver *, receiver)
		set_conf(receiver, map_get(&conf->receivers, receiver->name), reload);
	conf_unref(old);
	r = apply_notifier(alert);
	MAP_FOREACH (&alert->receivers, struct receiver *, receiver)
		receiver_pump(receiver);
	return r;
}

/* ---- adding --------------------------------------------------------------------------------- */

/* Into the batch, and if that has no room, at least into memory. */
static void write_or_keep(struct store_batch *batch, struct token *token, struct delivery *d)
{
	int r = ledger_write(batch, d);

	if (r < 0)
		log_warning("receiver '%s': notice %s does not fit into its batch (%s), it is "
			    "written after it",
			d->receiver->name, d->record->notice.id, strerror(-r));
	if (token_add(token, d, r < 0) < 0)
		ledger_keep(d);
}

static void settle_superseded(
	struct delivery *superseded, struct store_batch *batch, struct token *token)
{
	while (superseded) {
		auto(delivery_unref) struct delivery *old = superseded;

		superseded = old->next;
		old->next = NULL;
		delivery_settle(old, DELIVERY_SUPERSEDED, NULL);
		write_or_keep(batch, token, old);
	}
}

static void shed(struct receiver *receiver)
{
	while (receiver->outbox.n_waiting > OUTBOX_MAX_WAITING) {
		struct delivery *victim = outbox_victim(&receiver->outbox);

		if (!victim)
			return;
		receiver->n_shed++;
		delivery_end(victim, DELIVERY_FAILED,
			"shed: too many notices wait for this receiver", false);
	}
}

int alert_queue(struct alert *alert, struct record *record, struct receiver *receiver,
	const char *via, struct store_batch *batch, struct token *token)
{
	auto(delivery_unref) struct delivery *d = NULL;
	struct delivery *superseded;
	int r = delivery_new(record, receiver, &d);

	if (r < 0)
		return r;
	d->added_wall = clock_wall();
	if (receiver->conf)
		d->expires_at = clock_now() + receiver->conf->ttl;
	d->via = via ? strdup(via) : NULL;
	d->sequence = receiver->sequence + 1;
	r = outbox_add(&receiver->outbox, d, &superseded);
	if (r < 0)
		return r;
	receiver->sequence++;
	settle_superseded(superseded, batch, token);
	shed(receiver);
	write_or_keep(batch, token, d);
	return 0;
}

static void on_own_committed(int r, void *data)
{
	struct token *token = data;
	struct alert *alert = token->alert;

	alert_committed(alert, token->number, r);
}

static int commit_own(struct alert *alert, struct store_batch *batch, struct token *token)
{
	int r;

	assert(token);
	r = vec_push(&alert->tokens, token);
	if (r < 0) {
		store_batch_free(batch);
		token_end(token, r);
		return r;
	}
	r = store_commit(alert->deps.store, batch, on_own_committed, token);
	if (r < 0)
		alert_committed(alert, token->number, r);
	return 0;
}

int alert_queue_now(
	struct alert *alert, struct record *record, struct receiver *receiver, const char *via)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	auto(token_free) struct token *token = NULL;
	int r = store_batch_new(&batch);

	if (r == 0)
		r = token_new(alert, &token);
	if (r == 0)
		r = alert_queue(alert, record, receiver, via, batch, token);
	return r == 0 ? commit_own(alert, TAKE(batch), TAKE(token)) : r;
}

/* A notice for nobody is in the ledger all the same: it answers why nobody was told. */
static int queue_all(struct alert *alert, struct record *record, const struct vec *found,
	struct store_batch *batch, struct token *token)
{
	int n = 0, r;

	if (found->len == 0)
		return store_batch_add(batch, STORE_NOTICE_PUT, "sssssij", record->notice.id,
			notice_kind_name(record->notice.kind), record->notice.incident_id,
			record->notice.fingerprint, conf_severity_names[record->notice.severity],
			(int64_t)record->notice.wall, record->doc);
	/* All of them, before the first row with the notice is written. */
	VEC_FOREACH (found, struct conf_receiver *, conf) {
		r = record_note_receiver(record, conf->name);
		if (r < 0)
			return r;
	}
	VEC_FOREACH (found, struct conf_receiver *, conf) {
		struct receiver *receiver = alert_find_receiver(alert, conf->name);

		r = receiver ? alert_queue(alert, record, receiver, NULL, batch, token) : -ENOENT;
		if (r < 0)
			log_error("receiver '%s': notice %s is lost: %s", conf->name,
				record->notice.id, strerror(-r));
		else
			n++;
	}
	return n;
}

static int add_routed(struct alert *alert, struct record *record, bool told_only,
	struct store_batch *batch, struct token *token)
{
	const struct notice *n = &record->notice;
	struct vec found = {0};
	int r = alert->conf && !told_only ? routes_match(alert->conf, n, &found) : 0;

	/* First of all: one that is shed while it is queued counts as not told. */
	if (n->kind == NOTICE_INCIDENT_RAISED && n->incident_id)
		VEC_FOREACH (&found, struct conf_receiver *, conf)
			told_add(alert, n->incident_id, conf->name);
	if (r == 0)
		r = queue_all(alert, record, &found, batch, token);
	vec_clear(&found);
	return r;
}

/* To those who know of the incident. Nothing is recorded when nobody ever did. */
static int add_told(
	struct alert *alert, struct record *record, struct store_batch *batch, struct token *token)
{
	const char *incident = record->notice.incident_id;
	struct vec found = {0};
	int r;

	if (!told_open(alert, incident))
		return 0;
	r = told_match(alert, incident, &found);
	if (r == 0)
		r = queue_all(alert, record, &found, batch, token);
	vec_clear(&found);
	return r;
}

/* A change is news of a kind of its own to whom the routes name only now: a raise. */
static int raise_to_more(
	struct alert *alert, const struct notice *n, struct store_batch *batch, struct token *token)
{
	auto(record_unref) struct record *record = NULL;
	struct notice raise = *n;
	struct vec found = {0};
	size_t n_more = 0;
	int r = alert->conf ? routes_match(alert->conf, n, &found) : 0;

	for (size_t i = 0; i < found.len; i++) {
		struct conf_receiver *conf = found.items[i];

		if (!told_has(alert, n->incident_id, conf->name))
			found.items[n_more++] = conf;
	}
	found.len = n_more;
	raise.kind = NOTICE_INCIDENT_RAISED;
	uuid7(raise.id);
	if (r == 0 && n_more > 0)
		r = record_new(&raise, &record);
	for (size_t i = 0; i < n_more && r == 0; i++)
		told_add(alert, n->incident_id, ((struct conf_receiver *)found.items[i])->name);
	if (r == 0 && n_more > 0)
		r = queue_all(alert, record, &found, batch, token);
	vec_clear(&found);
	return r;
}

static int add_to(struct alert *alert, struct record *record, bool told_only,
	struct store_batch *batch, struct token *token)
{
	const struct notice *n = &record->notice;
	int r, n_more = 0;

	if (!n->incident_id || !told_knows(alert, n->incident_id) ||
		(n->kind != NOTICE_INCIDENT_CHANGED && n->kind != NOTICE_INCIDENT_CLEARED))
		return add_routed(alert, record, told_only, batch, token);
	r = add_told(alert, record, batch, token);
	if (n->kind == NOTICE_INCIDENT_CLEARED)
		told_drop(alert, n->incident_id);
	else if (!told_only)
		n_more = raise_to_more(alert, n, batch, token);
	/* What one half queued must be sealed, whatever became of the other. */
	if (r <= 0 && n_more <= 0)
		return r < 0 ? r : n_more;
	return MAX(r, 0) + MAX(n_more, 0);
}

static int add_own(struct alert *alert, struct record *record, bool told_only)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	auto(token_free) struct token *token = NULL;
	int r = store_batch_new(&batch), n;

	if (r == 0)
		r = token_new(alert, &token);
	if (r < 0)
		return r;
	n = add_to(alert, record, told_only, batch, token);
	if (n < 0)
		return n;
	r = commit_own(alert, TAKE(batch), TAKE(token));
	return r < 0 ? r : n;
}

int alert_add(struct alert *alert, struct notice *notice, struct store_batch *batch)
{
	auto(record_unref) struct record *record = NULL;
	int r;

	assert(notice->kind < NOTICE_KIND_MAX && notice->severity < SEVERITY_MAX);
	if (!notice->id[0])
		uuid7(notice->id);
	if (!notice->wall)
		notice->wall = clock_wall();
	r = record_new(notice, &record);
	if (r == 0 && batch && !alert->unsealed)
		r = token_new(alert, &alert->unsealed);
	if (r < 0)
		return r;
	return batch ? add_to(alert, record, notice->told_only, batch, alert->unsealed)
		     : add_own(alert, record, notice->told_only);
}

uint64_t alert_seal(struct alert *alert)
{
	struct token *token = TAKE(alert->unsealed);
	uint64_t number;
	int r;

	if (!token)
		return 0;
	number = token->number;
	r = vec_push(&alert->tokens, token);
	if (r < 0) { /* nobody could end it: do so now, from memory */
		token_end(token, r);
		return 0;
	}
	return number;
}

void alert_committed(struct alert *alert, uint64_t number, int r)
{
	for (size_t i = 0; number && i < alert->tokens.len; i++) {
		struct token *token = alert->tokens.items[i];

		if (token->number != number)
			continue;
		if (r != -EINPROGRESS)
			vec_remove(&alert->tokens, i);
		token_end(token, r);
		ledger_flush(alert);
		return;
	}
}

void alert_tell(struct alert *alert, enum notice_kind kind, enum conf_severity severity,
	const char *fingerprint, const char *text)
{
	struct notice notice = {
		.kind = kind, .severity = severity, .fingerprint = fingerprint, .text = text};
	int r = alert_add(alert, &notice, NULL);

	if (r < 0)
		log_error("notice '%s' is lost: %s", text, strerror(-r));
}

bool alert_healthy(const struct alert *alert)
{
	usec_t now = clock_now();

	MAP_FOREACH (&alert->receivers, struct receiver *, receiver)
		if (receiver->wake_at && now > receiver->wake_at + HEALTHY_LATENESS)
			return false;
	return true;
}
