/* SPDX-License-Identifier: MIT */
/*
 * base/heap.h: an intrusive binary min-heap over a time, and among equals over a rank that the
 * owner sets before it is put. An element keeps its own place (`index`), so that it can be moved
 * and removed in O(log n). Owns its array only.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tend/option.h>

#define HEAP_NOWHERE ((size_t)-1)

struct heap_node {
	usec_t at;
	uint64_t rank;
	size_t index; /* HEAP_NOWHERE when not in a heap */
};

struct heap {
	struct heap_node **nodes;
	size_t len, cap;
};

/* Room for n in all, so that putting them cannot fail. */
int heap_reserve(struct heap *h, size_t n);
int heap_put(struct heap *h, struct heap_node *node, usec_t at); /* inserts or moves; -ENOMEM */
void heap_remove(struct heap *h, struct heap_node *node);	 /* fine when it is not in */
struct heap_node *heap_top(const struct heap *h);		 /* NULL when empty */
void heap_clear(struct heap *h);
/* What the node is part of: heap_owner(node, offsetof(struct x, node)). */
static inline void *heap_owner(const struct heap_node *node, size_t offset)
{
	return (void *)((uintptr_t)node - offset);
}

#endif
