/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <string.h>
#include "base/clock.h"
#include "base/str.h"
#include "policy/approve.h"
#include "policy/private.h"
#include "rehearse/play.h"

json_t *seen_add(enum seen_kind kind, json_t *fields)
{
	if (!fields)
		return NULL;
	if (json_array_size(play->seen) >= PLAY_MAX_SEEN) {
		json_decref(fields);
		return NULL;
	}
	(void)json_object_set_new(fields, "kind", json_string(seen_kind_names[kind]));
	(void)json_object_set_new(
		fields, "at", json_integer((json_int_t)(clock_now() - play->began)));
	(void)json_object_set_new(fields, "wall", json_integer((json_int_t)clock_wall()));
	(void)json_array_append_new(play->seen, fields);
	return fields;
}

void seen_tell(const char *what, const char *format, ...)
{
	char text[2048];
	va_list ap;

	if (!play->options->verbose)
		return;
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)seen_add(SEEN_OTHER, json_pack("{s:s, s:s}", "what", what, "text", text));
}

void play_fault(const char *format, ...)
{
	char text[2048], span[CLOCK_TEXT_BYTES];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (json_array_size(play->faults) < 50)
		(void)json_array_append_new(play->faults,
			json_sprintf("after %s: %s",
				clock_format_span(clock_now() - play->began, span), text));
}

/* ---- runs and gates: looked at after every turn
 * --------------------------------------------------------------------- */

static void see_run(const struct run *run)
{
	(void)seen_add(SEEN_RUN,
		json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:s, s:I, s:s}", "policy", run->policy,
			"state", run_state_names[run->state], "message", run->message, "on",
			run->component, "check", run->check, "run", run->id, "started",
			(json_int_t)run->started_wall, "incident", run->incident));
}

/* Ended runs come to the end of their list once they are settled. */
static void look_at_runs(struct play *p)
{
	const struct vec *recent = &p->manager.policies->recent;
	size_t i = recent->len;

	while (i > 0 && strcmp(((struct run *)recent->items[i - 1])->id, p->last_run) != 0)
		i--;
	for (; i < recent->len; i++) {
		const struct run *run = recent->items[i];

		see_run(run);
		(void)snprintf(p->last_run, sizeof(p->last_run), "%s", run->id);
	}
}

static void look_at_gates(struct play *p)
{
	const struct vec *gates = &p->manager.policies->gates;

	size_t i = gates->len;

	/* The oldest leave the list when it is full. */
	while (i > 0 && gates->items[i - 1] != p->last_gate)
		i--;
	for (; i < gates->len; i++) {
		const struct gate *gate = gates->items[i];

		p->last_gate = gates->items[i];
		(void)seen_add(SEEN_REFUSAL,
			json_pack("{s:s, s:s}", "policy", gate->policy, "text", gate->why));
	}
}

static void look_at_approvals(struct play *p)
{
	const struct vec *approvals = &p->manager.policies->approvals;

	VEC_FOREACH (approvals, const struct approval *, a) {
		auto_free char *text = NULL;

		/* Ids are in order of time. */
		if (a->state != APPROVAL_WAITING || strcmp(a->id, p->last_approval) <= 0)
			continue;
		(void)snprintf(p->last_approval, sizeof(p->last_approval), "%s", a->id);
		text = approval_notice_text(a);
		(void)seen_add(SEEN_APPROVAL,
			json_pack("{s:O?, s:O?, s:s?}", "policy", json_object_get(a->doc, "policy"),
				"on", json_object_get(a->doc, "target"), "text", text));
	}
}

void seen_look(struct play *p)
{
	if (!p->manager.policies)
		return;
	look_at_runs(p);
	look_at_gates(p);
	look_at_approvals(p);
}

void seen_states(struct play *p)
{
	const struct map *checks = watch_checks(p->manager.watch);

	MAP_FOREACH (checks, const struct check *, check)
		(void)seen_add(
			SEEN_STATE, json_pack("{s:s, s:s}", "check", check->conf->name, "state",
					    tend_state_name(watch_check_shown_state(check))));
}
