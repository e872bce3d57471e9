/* SPDX-License-Identifier: MIT */
/* Questions about units, and the journal where only it can answer. */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "watch/units_private.h"

#define JOURNAL_WAIT_USEC  (300 * USEC_PER_MSEC) /* how long units_get() waits for it */
#define JOURNAL_AGAIN_USEC (5 * USEC_PER_SEC)	 /* the end may not have been written yet */
enum { MAX_JOURNALS = 2 };

static void journal_start_due(struct tend_units *units);

/* ---- asks
 * ------------------------------------------------------------------------------------------ */

static void ask_free(struct units_ask *ask)
{
	struct tend_units *units = ask->unit->units;

	TAILQ_REMOVE(&units->asks, ask, link);
	units->n_asks--;
	sd_bus_slot_unref(ask->call);
	loop_source_free(ask->timer);
	free(ask);
}

static void fill_info(const struct unit *unit, const char *intent, struct tend_unit_info *info)
{
	const struct unit_facts *f = &unit->state.facts;
	const struct unit_job *job = unit_state_job(&unit->state, f->job_id);

	*info = (struct tend_unit_info){.name = unit->name,
		.load_state = f->load_state,
		.active_state = f->active_state,
		.sub_state = f->sub_state,
		.result = f->result,
		.job_id = f->job_id,
		.job_type = job ? job->type : "",
		.stopped_by_job =
			unit->state.stopped_by_job || unit->state.evidence == UNIT_EVIDENCE_STOPPED,
		.end_seen_live = unit->state.end_seen_live,
		.main_pid = f->main_pid,
		.n_restarts = f->n_restarts,
		.exit_code = f->exit_code,
		.exit_status = f->exit_status,
		.intent = intent};
	memcpy(info->invocation_id, f->invocation_id, sizeof(info->invocation_id));
}

/* Ends the ask: what it calls may do anything but touch it. */
static void ask_end(struct units_ask *ask, int r)
{
	struct unit *unit = ask->unit;
	units_info_fn info_fn = ask->info_fn;
	units_intent_fn intent_fn = ask->intent_fn;
	void *data = ask->data;
	const char *why = "the bus cannot be asked";
	enum units_intent intent = UNITS_INTENT_UNKNOWN;
	/* The facts may change under the callback; what it was told must not. */
	struct unit copy;
	struct tend_unit_info info;

	ask_free(ask);
	if (r == 0)
		intent = unit_state_intent(&unit->state, &why);
	copy = *unit;
	fill_info(&copy, units_intent_name(intent), &info);
	if (info_fn)
		info_fn(r, r == 0 ? &info : NULL, data);
	else
		intent_fn(r, intent, why, r == 0 ? &info : NULL, data);
}

static void ask_await_journal(struct units_ask *ask)
{
	struct unit *unit = ask->unit;
	usec_t now = clock_now(), until = ask->deadline;
	bool fresh = unit->state.evidence == UNIT_EVIDENCE_ENDED ||
		     unit->state.evidence == UNIT_EVIDENCE_STOPPED ||
		     (unit->journal_at && now < unit->journal_at + JOURNAL_AGAIN_USEC &&
			     unit->state.evidence == UNIT_EVIDENCE_UNKNOWN);

	if (!unit_state_wants_evidence(&unit->state) || fresh) {
		ask_end(ask, 0);
		return;
	}
	ask->phase = ASK_JOURNAL;
	if (ask->info_fn)
		until = MIN(until, now + JOURNAL_WAIT_USEC);
	loop_timer_set(ask->timer, until);
	unit->journal_due = !unit->journal;
	journal_start_due(unit->units);
}

static int on_ask_get_all(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct units_ask *ask = data;
	int r = unit_take_reply(ask->unit, m);

	ask->call = sd_bus_slot_unref(ask->call);
	if (r < 0)
		ask_end(ask, r);
	else
		ask_await_journal(ask);
	return 0;
}

static void ask_get_all(struct units_ask *ask)
{
	int r = unit_call_get_all(ask->unit, &ask->call, on_ask_get_all, ask);

	if (r < 0)
		ask_end(ask, r);
}

/* The answer comes after all signals that were sent before it: if it says what is known, then all
 * that is known is fresh. */
static int on_ask_get(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct units_ask *ask = data;
	const struct unit_state *s = &ask->unit->state;
	const char *active = "";

	ask->call = sd_bus_slot_unref(ask->call);
	if (!sd_bus_message_is_method_error(m, NULL) &&
		sd_bus_message_read(m, "v", "s", &active) >= 0 && s->known &&
		str_eq(active, s->facts.active_state))
		ask_end(ask, 0);
	else
		ask_get_all(ask);
	return 0;
}

/* Most asks are for units that run: there one small property is enough. */
static int ask_send(struct units_ask *ask)
{
	struct unit *unit = ask->unit;
	const struct unit_state *s = &unit->state;

	ask->phase = ASK_CALL;
	if (!ask->info_fn || !s->known || !str_eq(s->facts.active_state, "active"))
		return unit_call_get_all(unit, &ask->call, on_ask_get_all, ask);
	return unit_call_get_active(unit, &ask->call, on_ask_get, ask);
}

static void on_ask_timer(void *data)
{
	struct units_ask *ask = data;
	static const int results[] = {
		[ASK_BUS] = -ENOTCONN,
		[ASK_CALL] = -ETIMEDOUT,
		[ASK_JOURNAL] = 0, /* with what is known */
		[ASK_ENDING] = -ENOTCONN,
	};

	ask_end(ask, results[ask->phase]);
}

static int ask_new(struct tend_units *units, const char *name, usec_t timeout,
	const struct units_ask *what, struct units_ask **ret_ask)
{
	struct unit *unit = NULL;
	usec_t now = clock_now();
	int r;

	if (units->n_asks >= UNITS_MAX_ASKS)
		return -EBUSY;
	r = unit_get(units, name, &unit);
	if (r < 0)
		return r;
	auto_free struct units_ask *ask = calloc(1, sizeof(*ask));
	if (!ask)
		return -ENOMEM;
	*ask = *what;
	ask->unit = unit;
	/* A little less, so that the answer that there is none comes before the caller's own end.
	 */
	ask->deadline = now + timeout - timeout / 10;
	r = loop_timer_new(units->loop, on_ask_timer, ask, &ask->timer);
	if (r < 0)
		return r;
	loop_source_name(ask->timer, "unit ask");
	/* Without a bus: not before this returns. While it is being connected, wait for it. */
	loop_timer_set(ask->timer, units->phase == BUS_OFF ? now : ask->deadline);
	if (units->phase == BUS_READY)
		r = ask_send(ask);
	if (r < 0) {
		loop_source_free(ask->timer);
		return r;
	}
	TAILQ_INSERT_TAIL(&units->asks, ask, link);
	units->n_asks++;
	*ret_ask = TAKE(ask);
	return 0;
}

int units_get(struct tend_units *units, const char *name, usec_t timeout, units_info_fn fn,
	void *data, struct units_ask **ret_ask)
{
	struct units_ask what = {.info_fn = fn, .data = data};

	return ask_new(units, name, timeout, &what, ret_ask);
}

int units_ask_intent(struct tend_units *units, const char *name, usec_t timeout, units_intent_fn fn,
	void *data, struct units_ask **ret_ask)
{
	struct units_ask what = {.intent_fn = fn, .data = data};

	return ask_new(units, name, timeout, &what, ret_ask);
}

void units_ask_cancel(struct units_ask *ask)
{
	if (ask)
		ask_free(ask);
}

static struct units_ask *next_ask(
	struct tend_units *units, const struct unit *unit, enum ask_phase phase)
{
	struct units_ask *ask;

	TAILQ_FOREACH(ask, &units->asks, link)
	if ((!unit || ask->unit == unit) && ask->phase == phase)
		return ask;
	return NULL;
}

/* Marked first: callbacks may add asks, which are not meant. */
void asks_end_all(struct tend_units *units, int r)
{
	struct units_ask *ask;

	TAILQ_FOREACH(ask, &units->asks, link)
	ask->phase = ASK_ENDING;
	while ((ask = next_ask(units, NULL, ASK_ENDING)))
		ask_end(ask, r);
}

/* ---- journal
 * --------------------------------------------------------------------------------------- */

static void journal_take(struct unit *unit, enum unit_evidence evidence)
{
	unit->journal_at = clock_now();
	if (unit_state_wants_evidence(&unit->state)) {
		if (unit->state.evidence != evidence && evidence != UNIT_EVIDENCE_UNKNOWN)
			unit_changed(unit);
		unit->state.evidence = evidence;
	}
}

static void on_journal(enum unit_evidence evidence, void *data)
{
	struct unit *unit = data;
	struct tend_units *units = unit->units;
	struct units_ask *ask;

	unit->journal = unit_journal_free(unit->journal);
	units->n_journals--;
	journal_take(unit, evidence);
	journal_start_due(units);
	while ((ask = next_ask(units, unit, ASK_JOURNAL)))
		ask_end(ask, 0);
}

static void journal_start(struct unit *unit)
{
	struct tend_units *units = unit->units;

	unit->journal_due = false;
	int r = unit_journal_new(units->loop, units->journal_folder,
		unit->id[0] ? unit->id : unit->name, unit->state.facts.invocation_id, on_journal,
		unit, &unit->journal);
	if (r < 0) {
		log_warning("units: cannot read the journal of %s: %s", unit->name, strerror(-r));
		journal_take(unit, UNIT_EVIDENCE_UNKNOWN); /* who waits for it gets that in time */
		return;
	}
	units->n_journals++;
}

static void journal_start_due(struct tend_units *units)
{
	MAP_FOREACH (&units->units, struct unit *, unit) {
		if (units->n_journals >= MAX_JOURNALS)
			return;
		if (unit->journal_due)
			journal_start(unit);
	}
}

/* ---- for units.c
 * ------------------------------------------------------------------------------------- */

void asks_send_waiting(struct tend_units *units)
{
	struct units_ask *ask;

	while ((ask = next_ask(units, NULL, ASK_BUS))) {
		int r = ask_send(ask);
		if (r < 0)
			ask_end(ask, r);
	}
}
