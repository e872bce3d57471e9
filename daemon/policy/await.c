/* SPDX-License-Identifier: MIT */
/*
 * Who asks about policies while their files are being read waits for that, not for long: what is
 * said of a catalog that is about to be replaced is wrong a moment later.
 */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "policy/private.h"

enum { READERS_MAX = 256 };

struct reader {
	struct policies *policies;
	policies_kept_fn fn;
	void *data;
	struct loop_source *timer;
};

static void tell(struct reader *reader, int r)
{
	struct vec *all = &reader->policies->readers;
	policies_kept_fn fn = reader->fn;
	void *data = reader->data;

	for (size_t i = 0; i < all->len; i++)
		if (all->items[i] == reader) {
			vec_remove(all, i);
			break;
		}
	loop_source_free(reader->timer);
	free(reader);
	fn(r, data);
}

static void on_late(void *data)
{
	struct reader *reader = data;

	tell(reader, policies_reading(reader->policies) ? -ETIMEDOUT : 0);
}

bool policies_reading(const struct policies *policies)
{
	return policies->loading != NULL;
}

int policies_await(struct policies *policies, usec_t timeout, policies_kept_fn fn, void *data)
{
	struct reader *reader;
	int r;

	if (policies->readers.len >= READERS_MAX)
		return -ENOBUFS;
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	*reader = (struct reader){.policies = policies, .fn = fn, .data = data};
	r = loop_timer_new(policies->deps.loop, on_late, reader, &reader->timer);
	if (r == 0)
		r = vec_push(&policies->readers, reader);
	if (r < 0) {
		loop_source_free(reader->timer);
		free(reader);
		return r;
	}
	/* What is read already is told from the loop as well: never from within this call. */
	loop_timer_set(reader->timer, clock_now() + (policies_reading(policies) ? timeout : 0));
	return 0;
}

void readers_tell(struct policies *p, int r)
{
	/* Who comes by being told is for the next time. */
	struct vec all = p->readers;

	p->readers = (struct vec){0};
	VEC_FOREACH (&all, struct reader *, reader)
		tell(reader, r);
	vec_clear(&all);
}
