/* SPDX-License-Identifier: MIT */
/*
 * News of a live run for those who follow it: its steps, their outcomes, the lines of long
 * commands. Kept in memory as long as the run lives, and a little longer; the journal has what
 * matters.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "base/clock.h"
#include "policy/private.h"

enum {
	FEED_MAX = 200,	    /* kept of a run; who is further behind misses the oldest */
	FOLLOWERS_MAX = 64, /* that wait at once */
};
#define FOLLOW_WAIT_USEC (10 * USEC_PER_SEC) /* then the answer is that there is no news */

struct feed {
	struct vec events; /* json_t *, oldest first */
	uint64_t last;	   /* number of the youngest */
};

struct follower {
	struct policies *policies;
	char run[UUID_TEXT_BYTES];
	uint64_t after;
	policies_rows_fn fn;
	void *data;
	struct loop_source *timer;
};

void feed_free(struct run *run)
{
	struct feed *feed = TAKE(run->feed);

	if (!feed)
		return;
	VEC_FOREACH (&feed->events, json_t *, event)
		json_decref(event);
	vec_clear(&feed->events);
	free(feed);
}

/* ---- who waits
 * -------------------------------------------------------------------------------------------------
 */

static void follower_free(struct follower *follower)
{
	struct vec *all = &follower->policies->followers;

	for (size_t i = 0; i < all->len; i++)
		if (all->items[i] == follower) {
			vec_remove(all, i);
			break;
		}
	loop_source_free(follower->timer);
	free(follower);
}

/* Steals nothing; the follower is gone afterwards. */
static void tell_follower(struct follower *follower, const struct run *run)
{
	const struct feed *feed = run ? run->feed : NULL;
	auto_json json_t *events = json_array();
	auto_json json_t *answer = NULL;
	policies_rows_fn fn = follower->fn;
	void *data = follower->data;
	uint64_t last = feed ? feed->last : follower->after;

	if (feed)
		VEC_FOREACH (&feed->events, json_t *, event)
			if ((uint64_t)json_integer_value(json_object_get(event, "seq")) >
				follower->after)
				(void)json_array_append(events, event);
	answer = json_pack("[{s:s, s:b, s:I, s:O}]", "run", follower->run, "live",
		run && run->state == RUN_LIVE, "last", (json_int_t)last, "events", events);
	follower_free(follower);
	fn(answer ? 0 : -ENOMEM, answer, data);
}

static struct run *find_run(const struct policies *p, const char *id)
{
	VEC_FOREACH (&p->runs, struct run *, run)
		if (!run->describing && strcmp(run->id, id) == 0)
			return run;
	VEC_FOREACH (&p->recent, struct run *, run)
		if (run->feed && strcmp(run->id, id) == 0)
			return run;
	return NULL;
}

static void on_no_news(void *data)
{
	struct follower *follower = data;

	tell_follower(follower, find_run(follower->policies, follower->run));
}

void followers_free(struct policies *p)
{
	while (p->followers.len > 0)
		on_no_news(p->followers.items[0]);
	vec_clear(&p->followers);
}

static void tell_followers(const struct run *run)
{
	struct vec *all = &run->policies->followers;

	for (size_t i = all->len; i-- > 0;) {
		struct follower *follower = all->items[i];

		/* A callback may have brought others in: the end of the list was seen. */
		if (strcmp(follower->run, run->id) == 0)
			tell_follower(follower, run);
	}
}

int policies_run_follow(
	struct policies *policies, const char *id, uint64_t after, policies_rows_fn fn, void *data)
{
	const struct run *run = find_run(policies, id);
	bool news = run && (run->state != RUN_LIVE || (run->feed && run->feed->last > after));
	struct follower *follower;
	int r;

	if (!run)
		return -ENOENT;
	if (policies->followers.len >= FOLLOWERS_MAX)
		return -ENOBUFS;
	follower = calloc(1, sizeof(*follower));
	if (!follower)
		return -ENOMEM;
	*follower = (struct follower){.policies = policies, .after = after, .fn = fn, .data = data};
	memcpy(follower->run, run->id, UUID_TEXT_BYTES);
	r = loop_timer_new(policies->deps.loop, on_no_news, follower, &follower->timer);
	if (r == 0)
		r = vec_push(&policies->followers, follower);
	if (r < 0) {
		loop_source_free(follower->timer);
		free(follower);
		return r;
	}
	/* What there is already is told from the loop as well: never from within this call. */
	loop_timer_set(follower->timer, clock_now() + (news ? 0 : FOLLOW_WAIT_USEC));
	return 0;
}

/* ---- what is told
 * ----------------------------------------------------------------------------------------------
 */

static int feed_push(struct run *run, json_t *event)
{
	struct feed *feed = run->feed;

	if (!feed) {
		feed = calloc(1, sizeof(*feed));
		if (!feed)
			return -ENOMEM;
		run->feed = feed;
	}
	(void)json_object_set_new(event, "seq", json_integer((json_int_t)++feed->last));
	if (vec_push(&feed->events, event) < 0)
		return -ENOMEM;
	if (feed->events.len > FEED_MAX) {
		json_decref(feed->events.items[0]);
		vec_remove(&feed->events, 0);
	}
	return 0;
}

void feed_add(struct run *run, const char *kind, const struct step *step, const char *format, ...)
{
	char at[CLOCK_TEXT_BYTES], raw[1024], text[1024];
	json_t *event;
	va_list ap;

	if (run->describing)
		return;
	va_start(ap, format);
	(void)vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	str_sanitize(text, sizeof(text), raw, strlen(raw));
	event = json_pack("{s:s, s:s, s:s*, s:s*, s:O*, s:s*, s:s*}", "at",
		clock_format(clock_wall(), at), "kind", kind, "path", step ? step->path : NULL,
		"verb", step ? step->verb->name : NULL, "args", step ? step->args : NULL, "state",
		step && step->state != STEP_INTENT ? step_state_names[step->state] : NULL, "text",
		*text ? text : NULL);
	if (!event)
		return;
	if (feed_push(run, event) < 0)
		json_decref(event);
	tell_followers(run);
}

void feed_on_progress(const char *job, const char *line, void *data)
{
	struct policies *p = data;

	VEC_FOREACH (&p->runs, struct run *, run)
		MAP_FOREACH (&run->steps, struct step *, step)
			if (step->state == STEP_INTENT && strcmp(step->job, job) == 0) {
				feed_add(run, "progress", step, "%s", line);
				return;
			}
}
