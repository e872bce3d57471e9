/* SPDX-License-Identifier: MIT */
/*
 * watch/heap.h: an intrusive binary min-heap over a time. An element keeps its own place (`index`),
 * so that it can be moved and removed in O(log n). Owns its array only.
 */
#ifndef WATCH_HEAP_H
#define WATCH_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <tend/option.h>

#define HEAP_NOWHERE ((size_t)-1)

struct heap_node {
	usec_t at;
	size_t index; /* HEAP_NOWHERE when not in a heap */
};

struct heap {
	struct heap_node **nodes;
	size_t len, cap;
};

int heap_put(struct heap *h, struct heap_node *node, usec_t at); /* inserts or moves; -ENOMEM */
void heap_remove(struct heap *h, struct heap_node *node);	 /* fine when it is not in */
struct heap_node *heap_top(const struct heap *h);		 /* NULL when empty */
void heap_clear(struct heap *h);

#endif
