/* SPDX-License-Identifier: MIT */
/*
 * An incident on which a run ended and nobody knows what it did, or whether that still goes on: no
 * policy begins there by itself any more. One on which a person has cancelled a run: not that
 * policy. It holds until a person says otherwise, by a run of theirs there or by `tendctl policy
 * enable`, or the incident is over. All of it stands in the journal of runs, and is read at a
 * start.
 */
#include <string.h>
#include "base/log.h"
#include "policy/private.h"

struct hold {
	enum limits_hold what;
	char incident[UUID_TEXT_BYTES], run[UUID_TEXT_BYTES];
	char *policy;
};

static void hold_free(struct hold *hold)
{
	free(hold->policy);
	free(hold);
}

void holds_free(struct policies *p)
{
	VEC_FOREACH (&p->holds, struct hold *, hold)
		hold_free(hold);
	vec_clear(&p->holds);
}

/* `incident` or `policy` may be NULL: any. */
static bool fits(const struct hold *hold, const char *incident, const char *policy)
{
	return (!incident || strcmp(hold->incident, incident) == 0) &&
	       (!policy || strcmp(hold->policy, policy) == 0);
}

static void add(struct policies *p, enum limits_hold what, const char *incident, const char *policy,
	const char *run)
{
	struct hold *hold = calloc(1, sizeof(*hold));

	if (!hold)
		return;
	hold->what = what;
	(void)snprintf(hold->incident, sizeof(hold->incident), "%s", incident);
	(void)snprintf(hold->run, sizeof(hold->run), "%s", run);
	hold->policy = strdup(policy);
	if (!hold->policy || vec_push(&p->holds, hold) < 0)
		hold_free(hold);
}

static bool is_open(const struct policies *p, const char *id)
{
	const struct incident *incident = incidents_find(p->deps.incidents, id);

	return incident && incident->phase != INCIDENT_CLOSED;
}

static void forget_closed(struct policies *p)
{
	for (size_t i = p->holds.len; i-- > 0;) {
		struct hold *hold = p->holds.items[i];

		if (is_open(p, hold->incident))
			continue;
		vec_remove(&p->holds, i);
		hold_free(hold);
	}
}

/* A person runs the policy there: they have looked. What they cancelled before stays so for the
 * other policies. */
static void release_incident(struct policies *p, const char *incident, const char *policy)
{
	for (size_t i = p->holds.len; i-- > 0;) {
		struct hold *hold = p->holds.items[i];

		if (!fits(hold, incident, hold->what == LIMITS_HOLD_ALL ? NULL : policy))
			continue;
		vec_remove(&p->holds, i);
		hold_free(hold);
	}
}

static bool by_hand(const char *author)
{
	return strcmp(author, "tend") != 0;
}

void hold_begun(struct run *run)
{
	if (run->incident[0] && !run->dry && by_hand(run->author))
		release_incident(run->policies, run->incident, run->policy);
}

bool hold_ended(struct run *run)
{
	enum limits_hold what = limits_hold(run->state == RUN_UNKNOWN, run->stopped);

	if (what == LIMITS_HOLD_NONE || run->dry || !run_incident(run))
		return false;
	forget_closed(run->policies);
	add(run->policies, what, run->incident, run->policy, run->id);
	return what == LIMITS_HOLD_ALL;
}

bool hold_is(const struct policies *p, const char *policy, const char *incident,
	char why[HOLD_WHY_BYTES])
{
	VEC_FOREACH (&p->holds, const struct hold *, hold) {
		if (!fits(hold, incident, hold->what == LIMITS_HOLD_ALL ? NULL : policy))
			continue;
		if (hold->what == LIMITS_HOLD_ALL)
			(void)snprintf(why, HOLD_WHY_BYTES,
				"nobody knows what run %s of policy %s did, or whether it still "
				"goes on: look, then run a policy there by hand, or: tendctl "
				"policy enable %s",
				hold->run, hold->policy, hold->policy);
		else
			(void)snprintf(why, HOLD_WHY_BYTES,
				"its run %s on this incident was cancelled by a person: run it "
				"there by hand, or: tendctl policy enable %s",
				hold->run, hold->policy);
		return true;
	}
	return false;
}

size_t holds_release(struct policies *p, const char *policy)
{
	size_t n = 0;

	for (size_t i = p->holds.len; i-- > 0;) {
		struct hold *hold = p->holds.items[i];

		if (!fits(hold, NULL, policy))
			continue;
		vec_remove(&p->holds, i);
		hold_free(hold);
		n++;
	}
	return n;
}

/* ---- over a restart ------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void load_one(struct policies *p, const json_t *row)
{
	const json_t *doc = json_object_get(row, "doc_json");
	const char *policy = text_of(row, "policy"), *incident = text_of(row, "incident");
	struct moment ended = {.wall = (usec_t)json_integer_value(json_object_get(row, "ended"))};
	enum limits_hold what =
		limits_hold(strcmp(text_of(row, "state"), run_state_names[RUN_UNKNOWN]) == 0,
			json_is_true(json_object_get(doc, "stopped")));

	if (json_is_true(json_object_get(doc, "dry")))
		return;
	if (by_hand(text_of(doc, "author")))
		release_incident(p, incident, policy);
	ended.mono = limits_mono_of(ended, limits_now());
	if (what != LIMITS_HOLD_NONE && !limits_until(ended, breakers_closed_at(p, policy)))
		add(p, what, incident, policy, text_of(row, "id"));
}

int holds_load(struct policies *p)
{
	auto_json json_t *rows = NULL;
	size_t i;
	json_t *row;
	int r = store_read_now(p->deps.store, STORE_QUERY_RUNS_OF_OPEN, &rows, "");

	json_array_foreach (rows, i, row)
		load_one(p, row);
	return r;
}
