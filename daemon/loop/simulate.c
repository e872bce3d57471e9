/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdatomic.h>
#include <time.h>
#include "base/clock.h"
#include "loop/private.h"

/* Time begins somewhat later than 0, which means `off' to timers. */
#define BEGIN_USEC (1000 * USEC_PER_SEC)
/* How long a turn waits for something real before it looks again whether it still is under way. */
#define LOOK_USEC (500u)

struct sim {
	struct loop_source **heap; /* heap[0] is not used */
	size_t len, cap;
	uint64_t n_set;
};

/* Read by the store's threads as well. */
static _Atomic usec_t sim_now;
static _Atomic int64_t sim_wall_offset;

static usec_t read_now(void)
{
	return atomic_load(&sim_now);
}

static usec_t read_wall(void)
{
	return (usec_t)((int64_t)atomic_load(&sim_now) + atomic_load(&sim_wall_offset));
}

static const struct clock_source sim_clock = {read_now, read_wall};

/* ---- the heap of timers
 * ------------------------------------------------------------------------------------ */

static bool is_before(const struct loop_source *a, const struct loop_source *b)
{
	return a->sim_at < b->sim_at || (a->sim_at == b->sim_at && a->sim_number < b->sim_number);
}

static void place(struct sim *sim, size_t i, struct loop_source *timer)
{
	sim->heap[i] = timer;
	timer->sim_index = i;
}

static void sift(struct sim *sim, size_t i, struct loop_source *timer)
{
	for (; i > 1 && is_before(timer, sim->heap[i / 2]); i /= 2)
		place(sim, i, sim->heap[i / 2]);
	for (size_t child; (child = 2 * i) <= sim->len; i = child) {
		if (child < sim->len && is_before(sim->heap[child + 1], sim->heap[child]))
			child++;
		if (!is_before(sim->heap[child], timer))
			break;
		place(sim, i, sim->heap[child]);
	}
	place(sim, i, timer);
}

static void take_out(struct sim *sim, struct loop_source *timer)
{
	size_t i = timer->sim_index;
	struct loop_source *last;

	if (i == 0)
		return;
	timer->sim_index = 0;
	last = sim->heap[sim->len--];
	if (last != timer)
		sift(sim, i, last);
}

static int grow(struct sim *sim)
{
	size_t cap = sim->cap ? sim->cap * 2 : 256;
	struct loop_source **heap = reallocarray(sim->heap, cap, sizeof(struct loop_source *));

	if (!heap)
		return -ENOMEM;
	sim->heap = heap;
	sim->cap = cap;
	return 0;
}

void sim_timer_set(struct loop_source *timer, usec_t at)
{
	struct sim *sim = timer->loop->sim;

	take_out(sim, timer);
	if (at == 0 || at == USEC_INFINITY)
		return;
	/* As a rehearsal that loses a timer is worth nothing, it ends there. */
	if (sim->len + 2 > sim->cap && grow(sim) < 0)
		abort();
	timer->sim_at = at;
	timer->sim_number = sim->n_set++;
	sift(sim, ++sim->len, timer);
}

static bool fire_due(struct sim *sim)
{
	struct loop_source *timer = sim->len > 0 ? sim->heap[1] : NULL;

	if (!timer || timer->sim_at > read_now())
		return false;
	take_out(sim, timer);
	timer->fn.plain(timer->data);
	return true;
}

/* ---- turns
 * ------------------------------------------------------------------------------------------------
 */

static usec_t real_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

/* Nothing is ready and nothing is due. 0: time has gone on, or has come to the end (*ret_end). */
static int wait_or_jump(struct loop *loop, const struct loop_simulation *s, bool *ret_end)
{
	struct loop_source *next = loop->sim->len > 0 ? loop->sim->heap[1] : NULL;

	if (s->busy && s->busy(s->data)) {
		if (real_now() > s->real_until)
			return -ETIMEDOUT;
		return sd_event_run(loop->event, LOOK_USEC);
	}
	*ret_end = !next || next->sim_at > s->until;
	atomic_store(&sim_now, *ret_end ? MAX(s->until, read_now()) : next->sim_at);
	return 0;
}

int loop_simulate_until(struct loop *loop, const struct loop_simulation *s)
{
	unsigned n_turns = 0;
	bool end = false;

	while (!end) {
		int r = sd_event_run(loop->event, 0);

		if (r < 0)
			return r;
		if (r == 0 && !fire_due(loop->sim)) {
			r = wait_or_jump(loop, s, &end);
			if (r < 0)
				return r;
		}
		if (s->turned)
			s->turned(s->data);
		if (sd_event_get_state(loop->event) == SD_EVENT_FINISHED)
			return -ECANCELED;
		if ((++n_turns & 1023) == 0 && real_now() > s->real_until)
			return -ETIMEDOUT;
	}
	return 0;
}

int loop_simulate(struct loop *loop, usec_t wall)
{
	loop->sim = calloc(1, sizeof(*loop->sim));
	if (!loop->sim)
		return -ENOMEM;
	atomic_store(&sim_now, BEGIN_USEC);
	atomic_store(&sim_wall_offset, (int64_t)wall - (int64_t)BEGIN_USEC);
	clock_set_source(&sim_clock);
	return 0;
}

void loop_simulate_shift(int64_t usec)
{
	atomic_fetch_add(&sim_wall_offset, usec);
}

struct sim *sim_free(struct sim *sim)
{
	if (!sim)
		return NULL;
	for (size_t i = 1; i <= sim->len; i++)
		sim->heap[i]->sim_index = 0;
	clock_set_source(NULL);
	free(sim->heap);
	free(sim);
	return NULL;
}
