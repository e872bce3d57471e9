/* SPDX-License-Identifier: MIT */
#include "trim.h"
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include "base/clock.h"

#define TRIM_INTERVAL (10 * USEC_PER_SEC)

enum {
	/* A page of /metrics or a long body never comes to lie in the heap. libc would raise this
	 * to the largest that was ever freed. */
	MMAP_BYTES = 128 << 10,
	/* The heap's top goes up and down all the time; the timer takes what stays. */
	TOP_BYTES = 4 << 20,
};

struct trim {
	struct loop_source *timer;
};

static void on_timer(void *data)
{
	struct trim *trim = data;

	(void)malloc_trim(0);
	loop_timer_set(trim->timer, clock_now() + TRIM_INTERVAL);
}

int trim_new(struct loop *loop, struct trim **ret_trim)
{
	struct trim *trim = calloc(1, sizeof(*trim));
	int r;

	if (!trim)
		return -ENOMEM;
	r = loop_timer_new(loop, on_timer, trim, &trim->timer);
	if (r < 0) {
		free(trim);
		return r;
	}
	loop_source_name(trim->timer, "memory");
	(void)mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
	(void)mallopt(M_TRIM_THRESHOLD, TOP_BYTES);
	loop_timer_set(trim->timer, clock_now() + TRIM_INTERVAL);
	*ret_trim = trim;
	return 0;
}

struct trim *trim_free(struct trim *trim)
{
	if (trim)
		loop_source_free(trim->timer);
	free(trim);
	return NULL;
}
