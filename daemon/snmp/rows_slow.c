/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "calendar/window.h"
#include "snmp/mib.h"
#include "snmp/rows.h"
#include "snmp/text.h"

/* An age counts from here where there is nothing: a threshold raises. */
enum { NO_TIME = 1 };

json_t *rows_policy(const struct policies_glance *g)
{
	return json_pack("{s:o, s:i, s:o, s:b, s:I, s:I, s:i, s:o, s:I, s:o}", "name",
		text_json(g->name), "mode", (int)g->mode, "modes", text_json(g->modes), "enabled",
		(int)g->enabled, "started", (json_int_t)g->started_wall, "ended",
		(json_int_t)g->ended_wall, "result", mib_value(mib_run_states, g->state), "text",
		text_json(g->message), "next", (json_int_t)g->next_wall, "error",
		text_json(g->error));
}

/* As lua/tend/sets.lua has it, and `tendctl backup`. */
static const char *worth_of(const json_t *set)
{
	if (json_object_get(set, "why"))
		return "bad";
	if (!json_object_get(set, "verified_at"))
		return "unverified";
	return json_object_get(set, "proven_at") ? "proven" : "good";
}

/* Seconds, as policies write them; foreign enough to be looked at. 0: none. */
static double seconds_of(const json_t *set, const char *key)
{
	double sec = set ? json_number_value(json_object_get(set, key)) : 0;

	return sec > 0 && sec < 1e11 ? sec : 0;
}

static json_int_t wall_of(const json_t *set, const char *key)
{
	return (json_int_t)(seconds_of(set, key) * 1e6);
}

static json_int_t span_of(const json_t *set, const char *key)
{
	double sec = MIN(seconds_of(set, key), (double)UINT32_MAX);

	return (json_int_t)sec + (sec > (double)(json_int_t)sec);
}

struct newest {
	const json_t *any, *good, *proven;
};

static void keep_newer(const json_t **newest, const json_t *set, const char *key)
{
	if (!*newest || seconds_of(set, key) > seconds_of(*newest, key))
		*newest = set;
}

json_t *rows_backup(const char *component, const json_t *sets)
{
	struct newest newest = {0};
	const char *label, *why;
	json_t *set;
	size_t i;

	json_array_foreach (sets, i, set) {
		const char *worth = worth_of(set);
		bool proven = strcmp(worth, "proven") == 0;

		keep_newer(&newest.any, set, "at");
		if (proven || strcmp(worth, "good") == 0)
			keep_newer(&newest.good, set, "at");
		if (proven)
			keep_newer(&newest.proven, set, "proven_at");
	}
	label = newest.any ? json_string_value(json_object_get(newest.any, "label")) : NULL;
	why = newest.any ? json_string_value(json_object_get(newest.any, "why")) : NULL;
	return json_pack("{s:o, s:i, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "component",
		text_json(component), "state",
		mib_value(mib_backup_worths, newest.any ? worth_of(newest.any) : "none"), "newest",
		text_json(label), "taken", wall_of(newest.any, "at"), "good",
		wall_of(newest.good, "at"), "proven", wall_of(newest.proven, "proven_at"), "age",
		MAX(wall_of(newest.good, "at"), (json_int_t)NO_TIME), "rpo",
		span_of(newest.good, "rpo"), "rto", span_of(newest.proven, "rto"), "sets",
		(json_int_t)json_array_size(sets), "text", text_json(why));
}

static const char *string_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *health_of(const json_t *receiver)
{
	if (!json_is_true(json_object_get(receiver, "enabled")))
		return "disabled";
	if (json_is_true(json_object_get(receiver, "breaker_open")))
		return "open";
	return string_of(receiver, "last_error") && number_of(receiver, "waiting") > 0 ? "retrying"
										       : "ok";
}

json_t *rows_receiver(const json_t *r)
{
	return json_pack("{s:o, s:o, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "name",
		text_json(string_of(r, "name")), "type", text_json(string_of(r, "type")), "state",
		mib_value(mib_receiver_healths, health_of(r)), "waiting", number_of(r, "waiting"),
		"oldest", number_of(r, "oldest"), "delivered", number_of(r, "delivered"), "failed",
		number_of(r, "failed"), "shed", number_of(r, "shed"), "tries",
		number_of(r, "tries"), "sequence", number_of(r, "sequence"), "last_delivered",
		number_of(r, "last_delivered"), "last_error",
		text_json(string_of(r, "last_error")));
}

static int severity_value(const char *name)
{
	static const char *const names[] = {"info", "warning", "critical", NULL};

	return mib_value(names, name);
}

json_t *rows_log(const json_t *row)
{
	return json_pack("{s:o, s:o, s:I, s:i, s:o, s:o, s:o, s:i, s:I}", "id",
		text_json(string_of(row, "id")), "kind", text_json(string_of(row, "kind")), "time",
		number_of(row, "at"), "severity", severity_value(string_of(row, "severity")),
		"incident", text_json(string_of(row, "incident")), "fingerprint",
		text_json(string_of(row, "fingerprint")), "text", text_json(string_of(row, "text")),
		"state", mib_value(mib_delivery_states, string_of(row, "state")), "delivered",
		number_of(row, "delivered_at"));
}

json_t *rows_window(const struct conf_window *window, usec_t wall)
{
	struct window_span span = {0};
	bool open = window_open(window, wall, &span);

	if (!open && !window_next(window, wall, &span))
		span = (struct window_span){0};
	return json_pack("{s:o, s:i, s:b, s:I, s:I, s:o}", "name", text_json(window->name), "kind",
		mib_value(mib_window_types, window->freeze ? "freeze" : "window"), "open",
		(int)open, "opens", (json_int_t)span.opens, "closes",
		span.closes == USEC_INFINITY ? (json_int_t)0 : (json_int_t)span.closes, "text",
		text_json(window->doc));
}
