/* SPDX-License-Identifier: MIT */
/*
 * A policy whose runs end by a mistake of its own (an error of Lua's, a limit) three times in a row
 * is disabled until its file changes or somebody enables it. Kept in the store, as is when a person
 * closed the breakers of a policy: what it did before that is forgiven.
 */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "policy/gates.h"
#include "policy/private.h"

enum { STRIKES = 3 };

struct strike {
	struct policies *policies;
	uint64_t token; /* of the page that goes with the third one */
	char hash[65];	/* of the file that it was */
	unsigned n;
	usec_t disabled_wall; /* 0 = not */
	char *why;
};

static void strike_free(struct strike *strike)
{
	free(strike->why);
	free(strike);
}

void strikes_free(struct policies *p)
{
	MAP_FOREACH (&p->strikes, struct strike *, strike)
		strike_free(strike);
	map_clear(&p->strikes);
	json_decref(TAKE(p->breakers_closed));
}

static struct strike *strike_get(struct policies *p, const char *policy)
{
	struct strike *strike = map_get(&p->strikes, policy);

	if (strike)
		return strike;
	strike = calloc(1, sizeof(*strike));
	if (!strike)
		return NULL;
	strike->policies = p;
	if (map_put(&p->strikes, policy, strike) == 0)
		return strike;
	strike_free(strike);
	return NULL;
}

/* ---- breakers that a person closed ------------------------------------------------------------
 */

#define CLOSED_KEY "breakers_closed" /* in the table meta: {policy: {wall, mono, boot}} */

static int64_t integer_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static int closed_set(json_t *closed, const char *policy, struct moment at)
{
	return json_object_set_new(closed, policy,
		json_pack("{s:I, s:I, s:s?}", "wall", (json_int_t)at.wall, "mono",
			(json_int_t)at.mono, "boot", boot_id()));
}

/* Those of an earlier boot get a place on the clock of this one, once. The first version kept the
 * time of day alone. */
static int closed_add(json_t *closed, const char *policy, const json_t *kept)
{
	const char *boot = json_string_value(json_object_get(kept, "boot"));
	bool plain = json_is_integer(kept);
	struct moment at = {
		.wall = (usec_t)(plain ? json_integer_value(kept) : integer_of(kept, "wall")),
		.mono = boot && str_eq(boot, boot_id()) ? (usec_t)integer_of(kept, "mono") : 0,
	};

	at.mono = limits_mono_of(at, limits_now());
	return closed_set(closed, policy, at);
}

static int closed_load(struct policies *p)
{
	auto_json json_t *rows = NULL;
	int r = store_read_now(p->deps.store, STORE_QUERY_META, &rows, "s", CLOSED_KEY);
	const char *text = json_string_value(json_object_get(json_array_get(rows, 0), "value")),
		   *policy;
	auto_json json_t *kept = text ? json_loads(text, 0, NULL) : NULL;
	json_t *one;

	p->breakers_closed = json_object();
	json_object_foreach (kept, policy, one)
		if (r == 0 && closed_add(p->breakers_closed, policy, one) < 0)
			r = -ENOMEM;
	return r;
}

struct moment breakers_closed_at(const struct policies *p, const char *policy)
{
	const json_t *at = json_object_get(p->breakers_closed, policy);

	return (struct moment){(usec_t)integer_of(at, "wall"), (usec_t)integer_of(at, "mono")};
}

static bool breaker_is_open(const struct policies *p, const char *policy)
{
	auto_json json_t *breakers = breakers_to_json(p);
	json_t *breaker;
	size_t i;

	json_array_foreach (breakers, i, breaker)
		if (str_eq(json_string_value(json_object_get(breaker, "policy")), policy) &&
			!str_eq(json_string_value(json_object_get(breaker, "state")), "closed"))
			return true;
	return false;
}

static int close_breakers(struct policies *p, const char *policy)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	auto_free char *text = NULL;
	int r = store_batch_new(&batch);

	if (closed_set(p->breakers_closed, policy, limits_now()) < 0)
		return -ENOMEM;
	text = json_dumps(p->breakers_closed, JSON_COMPACT);
	if (r == 0)
		r = text ? store_batch_add(batch, STORE_META_PUT, "ss", CLOSED_KEY, text) : -ENOMEM;
	return r == 0 ? store_commit(p->deps.store, TAKE(batch), NULL, NULL) : r;
}

int strikes_load(struct policies *p)
{
	auto_json json_t *rows = NULL;
	int r = closed_load(p);
	size_t i;
	json_t *row;

	if (r == 0)
		r = store_read_now(p->deps.store, STORE_QUERY_STRIKES, &rows, "");

	json_array_foreach (rows, i, row) {
		const char *policy = json_string_value(json_object_get(row, "policy"));
		const char *hash = json_string_value(json_object_get(row, "hash"));
		const char *why = json_string_value(json_object_get(row, "why"));
		struct strike *strike = policy ? strike_get(p, policy) : NULL;

		if (!strike)
			return -ENOMEM;
		(void)snprintf(strike->hash, sizeof(strike->hash), "%s", hash ? hash : "");
		strike->n = (unsigned)json_integer_value(json_object_get(row, "n"));
		strike->disabled_wall =
			(usec_t)json_integer_value(json_object_get(row, "disabled_at"));
		free(strike->why);
		strike->why = why ? strdup(why) : NULL;
	}
	return r;
}

static void on_kept(int r, void *data)
{
	struct strike *strike = data;

	alert_committed(strike->policies->deps.alert, strike->token, r);
	if (r < 0 && r != -EINPROGRESS)
		log_warning("policies: a strike is not kept over a restart: %s", strerror(-r));
}

static int put(const struct strike *strike, const char *policy, struct store_batch *batch)
{
	return store_batch_add(batch, STORE_STRIKE_PUT, "ssiis", policy, strike->hash,
		(int64_t)strike->n, (int64_t)strike->disabled_wall, strike->why);
}

/* The third one and the page about it are accepted by one commit. `run`: paged; NULL: not. */
static void keep(
	struct policies *p, struct strike *strike, const char *policy, const struct run *run)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	int r = store_batch_new(&batch);

	if (r == 0)
		r = put(strike, policy, batch);
	if (r < 0)
		batch = store_batch_free(batch);
	if (run)
		policies_page(p, run, batch,
			"policy %s is disabled after %u runs in a row that ended by its own "
			"mistake, "
			"the last: %s; mend its file, or: tendctl policy enable %s",
			policy, strike->n, strike->why ? strike->why : "?", policy);
	if (!batch) {
		log_error("policies: a strike is not kept: out of memory");
		return;
	}
	if (run)
		strike->token = alert_seal(p->deps.alert);
	r = store_commit(p->deps.store, TAKE(batch), run ? on_kept : NULL, strike);
	if (r < 0 && run)
		on_kept(r, strike);
}

void strike_count(struct policies *p, const struct run *run, bool mistake, const char *why)
{
	struct strike *strike = map_get(&p->strikes, run->policy);
	bool out;

	if (run->dry || (!mistake && (!strike || strike->n == 0)))
		return;
	strike = strike_get(p, run->policy);
	if (!strike)
		return;
	if (!mistake || strcmp(strike->hash, run->hash) != 0) {
		strike->n = 0;
		strike->disabled_wall = 0;
	}
	memcpy(strike->hash, run->hash, sizeof(strike->hash));
	if (mistake) {
		char text[512];

		str_sanitize(text, sizeof(text), why ? why : "", why ? strlen(why) : 0);
		free(strike->why);
		strike->why = strdup(text);
		strike->n++;
	}
	out = mistake && strike->n >= STRIKES && !strike->disabled_wall;
	if (out) {
		strike->disabled_wall = clock_wall();
		log_error("policy '%s' is disabled after %u mistakes in a row: tendctl policy "
			  "enable %s",
			run->policy, strike->n, run->policy);
	}
	keep(p, strike, run->policy, out ? run : NULL);
}

const char *strike_disabled(const struct policies *p, const struct policy_def *def)
{
	static char why[700];
	const struct strike *strike = map_get(&p->strikes, def->name);

	if (!strike || !strike->disabled_wall || strcmp(strike->hash, def->file->hash) != 0)
		return NULL;
	(void)snprintf(why, sizeof(why), "three of its runs in a row ended by its own mistake: %s",
		strike->why ? strike->why : "?");
	return why;
}

json_t *strike_to_json(const struct policies *p, const struct policy_def *def)
{
	const struct strike *strike = map_get(&p->strikes, def->name);
	bool same = strike && strcmp(strike->hash, def->file->hash) == 0;

	if (!same || strike->n == 0)
		return NULL;
	return json_pack("{s:i, s:b, s:o, s:s?}", "n", (int)strike->n, "disabled",
		strike->disabled_wall != 0, "disabled_at", clock_to_json(strike->disabled_wall),
		"why", strike->why);
}

int policies_enable(
	struct policies *policies, const char *name, const char *author, struct tend_error *err)
{
	const struct policy_def *def =
		policies->catalog ? map_get(&policies->catalog->defs, name) : NULL;
	struct strike *strike = map_get(&policies->strikes, name);
	bool disabled = strike && strike->disabled_wall, open, held;
	int r = 0;

	if (!def)
		return tend_error_set(
			err, -ENOENT, "there is no policy '%s', see 'tendctl policy list'", name);
	open = breaker_is_open(policies, name);
	held = holds_release(policies, name) > 0;
	if (!disabled && !open && !held)
		return tend_error_set(err, -EALREADY,
			"%s is not disabled by its mistakes, no breaker of it is open, and none of "
			"its runs holds an incident",
			name);
	if (disabled) {
		strike->n = 0;
		strike->disabled_wall = 0;
		keep(policies, strike, name, NULL);
	}
	/* What is not to count any more over a restart, is by the same word. */
	if (open || held)
		r = close_breakers(policies, name);
	if (r < 0)
		return tend_error_set(err, r, "its breakers cannot be closed: %s", strerror(-r));
	log_notice("policy '%s' is enabled again by %s%s", name, author,
		open ? ", its breakers are closed" : "");
	trigger_wish(policies, clock_now());
	return 0;
}
