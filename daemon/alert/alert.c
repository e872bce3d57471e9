/* SPDX-License-Identifier: MIT */
#include "alert/alert.h"
#include <assert.h>
#include <string.h>
#include "alert/format.h"
#include "alert/private.h"
#include "alert/silence.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "exec/spawn/client.h"

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

static void on_format_known(void *data)
{
	struct alert *alert = data;

	MAP_FOREACH (&alert->receivers, struct receiver *, receiver) {
		if (!receiver->conf || !formats_find(alert->formats, receiver->conf))
			continue;
		receiver_set_pace(receiver);
		receiver_pump(receiver);
	}
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
	if (r == 0)
		r = formats_new(deps->loop, on_format_known, alert, &alert->formats);
	if (r == 0)
		r = silences_new(deps->loop, deps->store, &alert->silences);
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
	test_notices_clear(alert);
	ledger_flush_last(alert);
	ledger_clear(alert);
	MAP_FOREACH (&alert->receivers, struct receiver *, receiver)
		receiver_free(receiver);
	map_clear(&alert->receivers);
	formats_free(alert->formats);
	mail_progress_clear(alert);
	spawn_client_free(alert->spawn);
	told_clear(alert);
	silences_free(alert->silences);
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

static int apply_notifier(struct alert *alert)
{
	bool wanted = false;

	MAP_FOREACH (&alert->receivers, struct receiver *, receiver)
		wanted = wanted || (receiver->conf && receiver->conf->type == RECEIVER_SNMP);
	if (wanted && !alert->notifier)
		return snmp_notifier_new(alert, &alert->notifier);
	if (!wanted && alert->notifier)
		alert->notifier = snmp_notifier_free(alert->notifier);
	if (alert->notifier)
		snmp_notifier_apply(alert->notifier);
	return 0;
}

int alert_apply(struct alert *alert, struct conf *conf)
{
	bool reload = alert->conf != NULL;
	struct conf *old = alert->conf;
	int r = ensure_receivers(alert, conf);

	if (r < 0)
		return r;
	/* A format that cannot start has its receivers look at what waits, before we get there. */
	alert->conf = conf_ref(conf);
	MAP_FOREACH (&alert->receivers, struct receiver *, receiver) {
		receiver_keep_fallback(receiver);
		receiver->conf = map_get(&conf->receivers, receiver->name);
	}
	r = formats_apply(alert->formats, conf);
	MAP_FOREACH (&alert->receivers, struct receiver *, receiver)
		receiver_set_conf(receiver, map_get(&conf->receivers, receiver->name), reload);
	conf_unref(old);
	if (r == 0)
		r = apply_notifier(alert);
	MAP_FOREACH (&alert->receivers, struct receiver *, receiver)
		receiver_pump(receiver);
	return r;
}

/* ---- adding --------------------------------------------------------------------------------- */

static int add_own(struct alert *alert, struct record *record, bool told_only)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	auto(token_free) struct token *token = NULL;
	int r = store_batch_new(&batch), n;

	if (r == 0)
		r = token_new(alert, &token);
	if (r < 0)
		return r;
	n = tell(alert, record, told_only, batch, token);
	if (n < 0)
		return n;
	r = alert_commit_own(alert, TAKE(batch), TAKE(token));
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
	r = tell_new_record(alert, notice, &record);
	if (r == 0 && batch && !alert->unsealed)
		r = token_new(alert, &alert->unsealed);
	if (r < 0)
		return r;
	return batch ? tell(alert, record, notice->told_only, batch, alert->unsealed)
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

void alert_get_withheld(const struct alert *alert, uint64_t *ret_silenced, uint64_t *ret_unrouted)
{
	*ret_silenced = alert->n_silenced;
	*ret_unrouted = alert->n_unrouted;
}

struct silences *alert_silences(struct alert *alert)
{
	return alert->silences;
}

const char *alert_host(const struct alert *alert)
{
	return alert->host;
}

bool alert_healthy(const struct alert *alert)
{
	usec_t now = clock_now();

	MAP_FOREACH (&alert->receivers, struct receiver *, receiver)
		if (receiver->wake_at && now > receiver->wake_at + HEALTHY_LATENESS)
			return false;
	return true;
}
