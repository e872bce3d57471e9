/* SPDX-License-Identifier: MIT */
#include "watch/units.h"
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "watch/unit_props.h"
#include "watch/units_private.h"

#define SYSTEMD		 UNITS_SYSTEMD
#define SYSTEMD_PATH	 "/org/freedesktop/systemd1"
#define MANAGER		 SYSTEMD ".Manager"
#define PROPERTIES	 UNITS_PROPERTIES
#define CALL_USEC	 (5 * USEC_PER_SEC)
#define BACKOFF_MIN_USEC (250 * USEC_PER_MSEC)
#define BACKOFF_MAX_USEC (15 * USEC_PER_SEC)

bool units_connected(const struct tend_units *units)
{
	return units->phase == BUS_READY;
}

/* ---- telling of changes --------------------------------------------------------------------- */

void unit_changed(struct unit *unit)
{
	unit->changed = true;
	loop_defer_set(unit->units->tell, true);
}

static struct unit *next_changed(struct tend_units *units)
{
	MAP_FOREACH (&units->units, struct unit *, unit)
		if (unit->changed)
			return unit;
	return NULL;
}

/* Watches may be freed and made meanwhile: each is marked by moving it to the end of a new list. */
static void tell_watches(struct unit *unit)
{
	struct units_watch *w;
	struct watch_list old;

	LIST_INIT(&old);
	old.lh_first = unit->watches.lh_first;
	if (old.lh_first)
		old.lh_first->link.le_prev = &old.lh_first;
	LIST_INIT(&unit->watches);
	while ((w = LIST_FIRST(&old))) {
		LIST_REMOVE(w, link);
		LIST_INSERT_HEAD(&unit->watches, w, link);
		w->fn(unit->name, w->data);
	}
}

static void on_tell(void *data)
{
	struct tend_units *units = data;
	struct unit *unit;

	while ((unit = next_changed(units))) {
		unit->changed = false;
		tell_watches(unit);
	}
}

/* ---- jobs
 * ---------------------------------------------------------------------------------------- */

struct job_question {
	struct unit *unit;
	uint32_t id;
};

static void job_question_free(void *data)
{
	free(data);
}

static int on_job_type(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct job_question *q = data;
	const char *type = NULL;

	/* An error: the job is over already; what was guessed stands. */
	if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "v", "s", &type) < 0)
		return 0;
	unit_state_job_type(&q->unit->state, q->id, type);
	unit_changed(q->unit);
	return 0;
}

static void job_seen(struct unit *unit, uint32_t id, const char *path)
{
	sd_bus_slot *slot = NULL;

	if (unit_state_job(&unit->state, id))
		return;
	unit_state_job_new(&unit->state, id,
		unit->n_expect_stop > 0 ? UNIT_JOB_OUR_STOP
		: unit->n_expect > 0	? UNIT_JOB_OURS
					: UNIT_JOB_FOREIGN);
	auto_free struct job_question *q = calloc(1, sizeof(*q));
	if (!q)
		return;
	*q = (struct job_question){unit, id};
	if (sd_bus_call_method_async(unit->units->bus, &slot, SYSTEMD, path, PROPERTIES, "Get",
		    on_job_type, q, "ss", SYSTEMD ".Job", "JobType") < 0)
		return;
	/* Units live as long as the bus connection; the question lives as long as its slot. */
	(void)sd_bus_slot_set_destroy_callback(slot, job_question_free);
	(void)TAKE(q);
	(void)sd_bus_slot_set_floating(slot, true);
	sd_bus_slot_unref(slot);
}

static struct unit *unit_by_id(struct tend_units *units, const char *id)
{
	MAP_FOREACH (&units->units, struct unit *, unit)
		if (str_eq(unit->id, id) || str_eq(unit->name, id))
			return unit;
	return NULL;
}

static int on_job_new(sd_bus_message *m, void *data, sd_bus_error *error)
{
	const char *path, *id;
	uint32_t job;

	if (sd_bus_message_read(m, "uos", &job, &path, &id) < 0)
		return 0;
	struct unit *unit = unit_by_id(data, id);
	if (unit) {
		job_seen(unit, job, path);
		unit_changed(unit);
	}
	return 0;
}

static int on_job_removed(sd_bus_message *m, void *data, sd_bus_error *error)
{
	const char *path, *id, *result;
	uint32_t job;

	if (sd_bus_message_read(m, "uoss", &job, &path, &id, &result) < 0)
		return 0;
	struct unit *unit = unit_by_id(data, id);
	if (unit) {
		unit_state_job_removed(&unit->state, job);
		unit_changed(unit);
	}
	return 0;
}

/* ---- state
 * ---------------------------------------------------------------------------------------- */

static int on_properties_changed(sd_bus_message *m, void *data, sd_bus_error *error);

static char *path_of(const char *unit_name)
{
	char *path = NULL;

	return sd_bus_path_encode(SYSTEMD_PATH "/unit", unit_name, &path) < 0 ? NULL : path;
}

static void watch_signals(struct unit *unit, const char *path)
{
	sd_bus_slot_unref(unit->match);
	unit->match = NULL;
	(void)sd_bus_match_signal_async(unit->units->bus, &unit->match, SYSTEMD, path, PROPERTIES,
		"PropertiesChanged", on_properties_changed, NULL, unit);
}

/* The name was an alias: signals come from the path of the unit's own name. */
static void follow_id(struct unit *unit, const char *id)
{
	if (!id[0] || str_eq(unit->id, id))
		return;
	(void)snprintf(unit->id, sizeof(unit->id), "%s", id);
	char *path = path_of(id);
	if (!path || str_eq(path, unit->id_path)) {
		free(path);
		return;
	}
	free(unit->id_path);
	unit->id_path = path;
	watch_signals(unit, path);
}

static bool facts_equal(const struct unit_facts *a, const struct unit_facts *b)
{
	return strcmp(a->load_state, b->load_state) == 0 &&
	       strcmp(a->active_state, b->active_state) == 0 &&
	       strcmp(a->sub_state, b->sub_state) == 0 && strcmp(a->result, b->result) == 0 &&
	       strcmp(a->invocation_id, b->invocation_id) == 0 && a->job_id == b->job_id &&
	       a->main_pid == b->main_pid && a->n_restarts == b->n_restarts &&
	       a->exit_code == b->exit_code && a->exit_status == b->exit_status;
}

static void unit_take(struct unit *unit, const struct unit_props *props)
{
	bool known = unit->state.known;
	struct unit_facts was = unit->state.facts;

	follow_id(unit, props->id);
	/* The job first: a stop that is seen together with its effect must be known by then. Only
	 * one that this message names: else it may be over. */
	if (props->facts.job_id != 0 && props->job_path[0])
		job_seen(unit, props->facts.job_id, props->job_path);
	unit_state_step(&unit->state, &props->facts);
	if (!known || !facts_equal(&was, &props->facts))
		unit_changed(unit);
}

static int on_properties_changed(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct unit *unit = data;
	struct unit_props props = {.facts = unit->state.facts};

	if (!unit->state.known || sd_bus_message_skip(m, "s") < 0 || unit_props_read(m, &props) < 0)
		return 0;
	unit_take(unit, &props);
	return 0;
}

int unit_take_reply(struct unit *unit, sd_bus_message *m)
{
	struct unit_props props = {0};

	if (sd_bus_message_is_method_error(m, NULL)) {
		int e = sd_bus_message_get_errno(m);
		return e == ETIMEDOUT || e == ECONNRESET ? -e : -EIO;
	}
	int r = unit_props_read(m, &props);
	if (r < 0)
		return r;
	unit_take(unit, &props);
	return 0;
}

int unit_call_get_all(
	struct unit *unit, sd_bus_slot **slot, sd_bus_message_handler_t fn, void *data)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(
		unit->units->bus, &m, SYSTEMD, unit->path, PROPERTIES, "GetAll");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "");
	if (r >= 0)
		r = sd_bus_call_async(unit->units->bus, slot, m, fn, data, CALL_USEC);
	sd_bus_message_unref(m);
	return r;
}

int unit_call_get_active(
	struct unit *unit, sd_bus_slot **slot, sd_bus_message_handler_t fn, void *data)
{
	return sd_bus_call_method_async(unit->units->bus, slot, SYSTEMD, unit->path, PROPERTIES,
		"Get", fn, data, "ss", SYSTEMD ".Unit", "ActiveState");
}

static int on_read(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct unit *unit = data;

	unit->read = sd_bus_slot_unref(unit->read);
	(void)unit_take_reply(unit, m);
	return 0;
}

static void unit_read(struct unit *unit)
{
	if (unit->units->phase == BUS_READY && !unit->read)
		(void)unit_call_get_all(unit, &unit->read, on_read, unit);
}

static void unit_track(struct unit *unit)
{
	if (!unit->match)
		watch_signals(unit, unit->id_path ? unit->id_path : unit->path);
	unit_read(unit);
}

static void unit_untrack(struct unit *unit)
{
	unit->match = sd_bus_slot_unref(unit->match);
	unit->read = sd_bus_slot_unref(unit->read);
	unit_state_gap(&unit->state);
	unit_changed(unit);
}

static void unit_free(struct unit *unit)
{
	struct units_watch *w;

	sd_bus_slot_unref(unit->match);
	sd_bus_slot_unref(unit->read);
	unit_journal_free(unit->journal);
	while ((w = LIST_FIRST(&unit->watches))) {
		LIST_REMOVE(w, link);
		w->unit = NULL;
	}
	free(unit->name);
	free(unit->path);
	free(unit->id_path);
	free(unit);
}
DEFINE_AUTO(struct unit *, unit_free)

int unit_get(struct tend_units *units, const char *name, struct unit **ret_unit)
{
	struct unit *found = map_get(&units->units, name);

	if (found) {
		*ret_unit = found;
		return 0;
	}
	if (units->units.len >= UNITS_MAX_TRACKED)
		return -ENOSPC;
	auto(unit_free) struct unit *unit = calloc(1, sizeof(*unit));
	if (!unit)
		return -ENOMEM;
	LIST_INIT(&unit->watches);
	unit->units = units;
	unit->name = strdup(name);
	unit->path = path_of(name);
	if (!unit->name || !unit->path)
		return -ENOMEM;
	int r = map_put(&units->units, name, unit);
	if (r < 0)
		return r;
	if (units->phase == BUS_READY)
		unit_track(unit);
	*ret_unit = TAKE(unit);
	return 0;
}

/* ---- watches and expectations
 * ----------------------------------------------------------------------- */

int units_watch_new(struct tend_units *units, const char *name, units_change_fn fn, void *data,
	struct units_watch **ret_watch)
{
	struct unit *unit = NULL;
	int r = unit_get(units, name, &unit);

	if (r < 0)
		return r;
	struct units_watch *watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	*watch = (struct units_watch){.unit = unit, .fn = fn, .data = data};
	LIST_INSERT_HEAD(&unit->watches, watch, link);
	*ret_watch = watch;
	return 0;
}

struct units_watch *units_watch_free(struct units_watch *watch)
{
	if (!watch)
		return NULL;
	if (watch->unit)
		LIST_REMOVE(watch, link);
	free(watch);
	return NULL;
}

static void expect_end(void *data)
{
	struct unit *unit = data;

	if (unit->n_expect > 0)
		unit->n_expect--;
}

static void expect_stop_end(void *data)
{
	struct unit *unit = data;

	if (unit->n_expect_stop > 0)
		unit->n_expect_stop--;
}

static int on_expect_end(sd_bus_message *m, void *data, sd_bus_error *error)
{
	return 0;
}

void units_expect_job(struct tend_units *units, const char *name, bool stops, bool expect)
{
	sd_bus_destroy_t end = stops ? expect_stop_end : expect_end;
	struct unit *unit = NULL;
	sd_bus_slot *slot = NULL;

	if (unit_get(units, name, &unit) < 0)
		return;
	if (expect) {
		unit->n_expect += !stops;
		unit->n_expect_stop += stops;
		return;
	}
	/* The answer comes after the signals of the job; the slot ends with it, or with the bus. */
	if (units->phase != BUS_READY ||
		unit_call_get_active(unit, &slot, on_expect_end, unit) < 0) {
		end(unit);
		return;
	}
	(void)sd_bus_slot_set_destroy_callback(slot, end);
	(void)sd_bus_slot_set_floating(slot, true);
	sd_bus_slot_unref(slot);
}

/* ---- the bus
 * ---------------------------------------------------------------------------------------- */

static void retry_later(struct tend_units *units, const char *why)
{
	if (units->backoff == BACKOFF_MIN_USEC)
		log_warning("units: cannot connect to the system bus: %s, trying again", why);
	loop_timer_set(units->retry, clock_now() + units->backoff);
	units->backoff = MIN(units->backoff * 2, BACKOFF_MAX_USEC);
}

/* May be within a callback of the bus: it is closed later. One that was never ready backs off, lest
 * a bus that drops us at once is asked without pause. */
static void bus_lost(struct tend_units *units, const char *why)
{
	if (units->lost)
		return;
	units->lost = true;
	if (units->phase == BUS_READY) {
		log_warning("units: the system bus was lost: %s, connecting again", why);
		loop_timer_set(units->retry, clock_now());
	} else {
		retry_later(units, why);
	}
	units->phase = BUS_OFF;
}

static int on_disconnected(sd_bus_message *m, void *data, sd_bus_error *error)
{
	bus_lost(data, "disconnected");
	return 0;
}

static int on_owner_changed(sd_bus_message *m, void *data, sd_bus_error *error)
{
	bus_lost(data, "systemd left it");
	return 0;
}

static int on_reloading(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct tend_units *units = data;

	/* Masking is no job, and LoadState changes without a signal. */
	MAP_FOREACH (&units->units, struct unit *, unit)
		unit_read(unit);
	return 0;
}

static int on_subscribed(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct tend_units *units = data;

	if (sd_bus_message_is_method_error(m, NULL)) {
		bus_lost(units, "systemd does not answer");
		return 0;
	}
	units->phase = BUS_READY;
	units->backoff = BACKOFF_MIN_USEC;
	log_debug("units: connected to the system bus");
	MAP_FOREACH (&units->units, struct unit *, unit)
		unit_track(unit);
	asks_send_waiting(units);
	return 0;
}

static int bus_match(struct tend_units *units)
{
	static const struct {
		const char *sender, *path, *interface, *member;
		sd_bus_message_handler_t fn;
	} signals[] = {
		{"org.freedesktop.DBus.Local", NULL, "org.freedesktop.DBus.Local", "Disconnected",
			on_disconnected},
		{SYSTEMD, SYSTEMD_PATH, MANAGER, "JobNew", on_job_new},
		{SYSTEMD, SYSTEMD_PATH, MANAGER, "JobRemoved", on_job_removed},
		{SYSTEMD, SYSTEMD_PATH, MANAGER, "Reloading", on_reloading},
		{SYSTEMD, SYSTEMD_PATH, MANAGER, "UnitFilesChanged", on_reloading},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(signals) && r >= 0; i++)
		r = sd_bus_match_signal_async(units->bus, NULL, signals[i].sender, signals[i].path,
			signals[i].interface, signals[i].member, signals[i].fn, NULL, units);
	if (r < 0)
		return r;
	return sd_bus_add_match_async(units->bus, NULL,
		"type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
		"interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" SYSTEMD "'",
		on_owner_changed, NULL, units);
}

static int bus_new(const char *address, sd_bus **ret_bus)
{
	sd_bus *bus = NULL;
	int r;

	if (!address)
		return sd_bus_open_system(ret_bus); /* connects and says hello without waiting */
	r = sd_bus_new(&bus);
	if (r < 0)
		return r;
	r = sd_bus_set_address(bus, address);
	if (r >= 0)
		r = sd_bus_set_bus_client(bus, true);
	if (r >= 0)
		r = sd_bus_start(bus);
	if (r < 0) {
		sd_bus_unref(bus);
		return r;
	}
	*ret_bus = bus;
	return 0;
}

static int bus_open(struct tend_units *units)
{
	sd_bus_message *m = NULL;
	int r = bus_new(units->address, &units->bus);

	if (r < 0)
		return r;
	r = loop_attach_bus(units->loop, units->bus);
	if (r >= 0)
		r = bus_match(units);
	if (r >= 0)
		r = sd_bus_message_new_method_call(
			units->bus, &m, SYSTEMD, SYSTEMD_PATH, MANAGER, "Subscribe");
	if (r >= 0)
		r = sd_bus_call_async(units->bus, NULL, m, on_subscribed, units, CALL_USEC);
	sd_bus_message_unref(m);
	return r;
}

static void bus_close(struct tend_units *units)
{
	if (!units->bus)
		return;
	MAP_FOREACH (&units->units, struct unit *, unit)
		unit_untrack(unit);
	loop_detach_bus(units->bus);
	/* Never flushed: that would wait. */
	sd_bus_close(units->bus);
	units->bus = sd_bus_unref(units->bus);
}

/* Closes what was lost, connects again. */
static void on_retry(void *data)
{
	struct tend_units *units = data;

	units->phase = BUS_OFF;
	units->lost = false;
	asks_end_all(units, -ENOTCONN);
	bus_close(units);
	int r = bus_open(units);
	if (r >= 0) {
		units->phase = BUS_CONNECTING; /* until the answer to Subscribe, or its timeout */
		return;
	}
	bus_close(units);
	retry_later(units, strerror(-r));
}

/* ---- the whole
 * --------------------------------------------------------------------------------------- */

int units_new(struct loop *loop, const char *address, struct tend_units **ret_units)
{
	auto(units_free) struct tend_units *units = calloc(1, sizeof(*units));
	int r;

	if (!units)
		return -ENOMEM;
	units->loop = loop;
	units->backoff = BACKOFF_MIN_USEC;
	TAILQ_INIT(&units->asks);
	if (address && !(units->address = strdup(address)))
		return -ENOMEM;
	r = loop_timer_new(loop, on_retry, units, &units->retry);
	if (r == 0)
		r = loop_defer_new(loop, on_tell, units, &units->tell);
	if (r < 0)
		return r;
	loop_source_name(units->retry, "system bus");
	loop_source_name(units->tell, "unit changes");
	loop_defer_set(units->tell, false);
	on_retry(units);
	*ret_units = TAKE(units);
	return 0;
}

int units_set_journal_folder(struct tend_units *units, const char *folder)
{
	char *copy = strdup(folder);

	if (!copy)
		return -ENOMEM;
	free(units->journal_folder);
	units->journal_folder = copy;
	return 0;
}

struct tend_units *units_free(struct tend_units *units)
{
	if (!units)
		return NULL;
	asks_end_all(units, -ESHUTDOWN);
	bus_close(units);
	MAP_FOREACH (&units->units, struct unit *, unit)
		unit_free(unit);
	map_clear(&units->units);
	loop_source_free(units->retry);
	loop_source_free(units->tell);
	free(units->address);
	free(units->journal_folder);
	free(units);
	return NULL;
}
