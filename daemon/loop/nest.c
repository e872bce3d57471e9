/* SPDX-License-Identifier: MIT */
/*
 * loop/nest.c: descriptors of the loop are in an epoll of our own, which sd-event sees as one
 * source. sd-event fetches every ready descriptor again for each one it dispatches, so that with
 * thousands of them ready a turn costs as much as all together, and the loop cannot catch up
 * (measured: 10,000 HTTP checks a second fell over). Here a turn takes a batch. An event names a
 * slot and its generation: one of a source that was freed meanwhile finds nobody.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "loop/private.h"

/* Then it is the turn of timers and of what else there is. */
#define BATCH_USEC (20 * USEC_PER_MSEC)
enum { BATCH = 64, SLOTS_MIN = 64, NO_SLOT = 0 };

struct slot {
	struct loop_source *io; /* NULL: free */
	uint32_t generation;
	uint32_t next_free;
};

struct nest {
	struct loop *loop;
	int fd;
	sd_event_source *source;
	struct slot *slots; /* from 1 */
	uint32_t n_slots, first_free;
};

static struct loop_source *find(const struct nest *nest, uint64_t key)
{
	uint32_t index = (uint32_t)key, generation = (uint32_t)(key >> 32);

	return index < nest->n_slots && nest->slots[index].generation == generation
		       ? nest->slots[index].io
		       : NULL;
}

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct nest *nest = data;
	struct epoll_event ready[BATCH];
	usec_t started = clock_now(), until = started + BATCH_USEC;
	int n = epoll_wait(fd, ready, BATCH, 0);

	for (int i = 0; i < n && (i == 0 || clock_now() < until); i++) {
		struct loop_source *io = find(nest, ready[i].data.u64);
		uint32_t events = io ? ready[i].events & (io->events | EPOLLERR | EPOLLHUP) : 0;

		if (events && io->events)
			loop_dispatch_io(io, events);
	}
	/* Each may have been quick: whoever waits, waits for all of them. */
	(void)loop_note_busy(nest->loop, started);
	return 0;
}

int nest_new(struct loop *loop, struct nest **ret_nest)
{
	auto(nest_free) struct nest *nest = calloc(1, sizeof(*nest));
	int r;

	if (!nest)
		return -ENOMEM;
	nest->loop = loop;
	nest->fd = epoll_create1(EPOLL_CLOEXEC);
	if (nest->fd < 0)
		return -errno;
	r = sd_event_add_io(loop->event, &nest->source, nest->fd, EPOLLIN, on_ready, nest);
	if (r < 0)
		return r;
	*ret_nest = TAKE(nest);
	return 0;
}

struct nest *nest_free(struct nest *nest)
{
	if (!nest)
		return NULL;
	sd_event_source_disable_unref(nest->source);
	safe_close(nest->fd);
	free(nest->slots);
	free(nest);
	return NULL;
}

static int grow(struct nest *nest)
{
	uint32_t n = nest->n_slots ? nest->n_slots * 2 : SLOTS_MIN;
	struct slot *slots = reallocarray(nest->slots, n, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (uint32_t i = nest->n_slots; i < n; i++)
		slots[i] = (struct slot){.next_free = i + 1 < n ? i + 1 : NO_SLOT};
	nest->first_free = nest->n_slots ? nest->n_slots : 1; /* 0 is NO_SLOT */
	nest->slots = slots;
	nest->n_slots = n;
	return 0;
}

int nest_add(struct nest *nest, struct loop_source *io)
{
	struct slot *slot;
	int r = nest->first_free == NO_SLOT ? grow(nest) : 0;

	if (r < 0)
		return r;
	io->slot = nest->first_free;
	slot = &nest->slots[io->slot];
	nest->first_free = slot->next_free;
	slot->io = io;
	return 0;
}

int nest_set(struct nest *nest, struct loop_source *io, uint32_t events)
{
	uint64_t key = (uint64_t)nest->slots[io->slot].generation << 32 | io->slot;
	struct epoll_event event = {.events = events, .data.u64 = key};
	int op = !events ? EPOLL_CTL_DEL : io->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (events == io->events)
		return 0;
	if (epoll_ctl(nest->fd, op, io->fd, &event) < 0 && op != EPOLL_CTL_DEL)
		return -errno;
	io->events = events;
	return 0;
}

void nest_remove(struct nest *nest, struct loop_source *io)
{
	struct slot *slot = &nest->slots[io->slot];

	(void)nest_set(nest, io, 0);
	slot->io = NULL;
	slot->generation++;
	slot->next_free = nest->first_free;
	nest->first_free = io->slot;
	io->slot = NO_SLOT;
}
