/* SPDX-License-Identifier: MIT */
/* When checks are due: a heap of them over two timers, one that waits until nothing else is ready
 * and one that does not wait for long; and how late they begin. */
#include "base/clock.h"
#include "base/log.h"
#include "base/uuid.h"
#include "watch/private.h"

/* Checks due in the same slot start together: one wake-up serves many. */
#define SLOT_USEC (10 * USEC_PER_MSEC)
/* Of those, so many at once. The next begin when nothing that runs waits for the loop: after the
 * machine stood still thousands may be due, and what each takes while it runs would be there for
 * all, and each would wait for all, and be called slow. */
enum { START_BATCH = 64 };
/* But one batch in this time begins, however much is ready. */
#define BATCH_USEC (20 * USEC_PER_MSEC)
/* First starts are spread over this at most, so that a start is not a thundering herd. */
#define SPREAD_MAX_USEC (10 * USEC_PER_SEC)
/* Later than this, it was Tend that stood still: nothing is judged by it. */
#define LATE_USEC USEC_PER_SEC
/* What a systemd unit does makes its checks run at once, but no faster than this: a restart of a
 * moment must not count as a failure confirmed twice. */
#define SOON_USEC USEC_PER_SEC

const usec_t watch_late_bounds[WATCH_LATE_MAX] = {
	1 * USEC_PER_MSEC,
	2 * USEC_PER_MSEC,
	5 * USEC_PER_MSEC,
	10 * USEC_PER_MSEC,
	20 * USEC_PER_MSEC,
	50 * USEC_PER_MSEC,
	100 * USEC_PER_MSEC,
	200 * USEC_PER_MSEC,
	500 * USEC_PER_MSEC,
	1 * USEC_PER_SEC,
};

static void note_late(struct watch_stats *stats, usec_t late)
{
	size_t i = 0;

	while (i < WATCH_LATE_MAX && late > watch_late_bounds[i])
		i++;
	stats->n_late[i]++;
	stats->sum_late_usec += late;
	stats->max_late_usec = MAX(stats->max_late_usec, late);
}

static void arm(struct watch *w)
{
	struct heap_node *top = heap_top(&w->due);

	loop_timer_set(w->timer, top ? top->at : 0);
	loop_timer_set(w->overdue, top ? MAX(top->at, w->last_batch + BATCH_USEC) : 0);
}

static void put(struct watch *w, struct check *check, usec_t at)
{
	usec_t slot = (at + SLOT_USEC - 1) / SLOT_USEC * SLOT_USEC;

	if (heap_put(&w->due, &check->due, slot) < 0)
		log_error("check '%s': out of memory, it is not scheduled", check->conf->name);
}

void schedule_put(struct watch *w, struct check *check, usec_t at)
{
	put(w, check, at);
	arm(w);
}

void schedule_first(struct watch *w, struct check *check)
{
	usec_t spread = MIN(check->conf->interval, SPREAD_MAX_USEC);

	schedule_put(w, check, clock_now() + random_below(spread));
}

void schedule_soon(struct watch *w, struct check *check)
{
	usec_t now = clock_now(), at = now;

	if (check->last.number)
		at = MAX(now, check->last.started + MIN(check->conf->interval / 2, SOON_USEC));
	if (check->due.index == HEAP_NOWHERE || check->due.at > at)
		schedule_put(w, check, at);
}

usec_t schedule_following(usec_t due, usec_t interval, usec_t now)
{
	usec_t at = due + interval, least = now + interval / 2;

	if (at >= least || interval == 0)
		return MAX(at, now);
	return at + (least - at + interval - 1) / interval * interval;
}

static usec_t next_interval(const struct check *check)
{
	const struct conf_check *conf = check->conf;

	return state_is_soft(&check->state) && conf->retry_interval ? conf->retry_interval
								    : conf->interval;
}

static void on_due(void *data)
{
	struct watch *w = data;
	usec_t now = clock_now();
	struct heap_node *top;

	for (int n = 0; n < START_BATCH && (top = heap_top(&w->due)) && top->at <= now; n++) {
		struct check *check = container_of(top, struct check, due);
		usec_t due = top->at;

		note_late(&w->stats, clock_now() - due);
		put(w, check, schedule_following(due, next_interval(check), now));
		watch_take_turn(w, check, now - due > LATE_USEC);
	}
	w->last_batch = clock_now();
	arm(w);
}

int schedule_begin(struct watch *w)
{
	int r = loop_timer_new(w->loop, on_due, w, &w->timer);

	if (r == 0)
		r = loop_timer_new(w->loop, on_due, w, &w->overdue);
	if (r < 0)
		return r;
	loop_source_name(w->timer, "schedule");
	loop_source_name(w->overdue, "schedule");
	loop_timer_set_patient(w->timer);
	return 0;
}

void schedule_end(struct watch *w)
{
	heap_clear(&w->due);
	loop_source_free(w->timer);
	loop_source_free(w->overdue);
}

bool watch_healthy(const struct watch *watch)
{
	struct heap_node *top = heap_top(&watch->due);

	return !top || top->at + 10 * USEC_PER_SEC > clock_now();
}
