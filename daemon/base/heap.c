/* SPDX-License-Identifier: MIT */
#include "base/heap.h"
#include <errno.h>
#include <stdlib.h>

static bool heap_before(const struct heap_node *a, const struct heap_node *b)
{
	return a->at != b->at ? a->at < b->at : a->rank < b->rank;
}

static void heap_set(struct heap *h, size_t i, struct heap_node *node)
{
	h->nodes[i] = node;
	node->index = i;
}

static void heap_up(struct heap *h, size_t i, struct heap_node *node)
{
	while (i > 0 && heap_before(node, h->nodes[(i - 1) / 2])) {
		heap_set(h, i, h->nodes[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_set(h, i, node);
}

static void heap_down(struct heap *h, size_t i, struct heap_node *node)
{
	for (size_t child; (child = 2 * i + 1) < h->len; i = child) {
		if (child + 1 < h->len && heap_before(h->nodes[child + 1], h->nodes[child]))
			child++;
		if (!heap_before(h->nodes[child], node))
			break;
		heap_set(h, i, h->nodes[child]);
	}
	heap_set(h, i, node);
}

static void heap_place(struct heap *h, size_t i, struct heap_node *node)
{
	if (i > 0 && heap_before(node, h->nodes[(i - 1) / 2]))
		heap_up(h, i, node);
	else
		heap_down(h, i, node);
}

int heap_reserve(struct heap *h, size_t n)
{
	size_t cap = h->cap ? h->cap : 64;
	struct heap_node **p;

	if (n <= h->cap)
		return 0;
	while (cap < n)
		cap *= 2;
	p = reallocarray(h->nodes, cap, sizeof(struct heap_node *));
	if (!p)
		return -ENOMEM;
	h->nodes = p;
	h->cap = cap;
	return 0;
}

int heap_put(struct heap *h, struct heap_node *node, usec_t at)
{
	node->at = at;
	if (node->index != HEAP_NOWHERE) {
		heap_place(h, node->index, node);
		return 0;
	}
	if (heap_reserve(h, h->len + 1) < 0)
		return -ENOMEM;
	heap_up(h, h->len++, node);
	return 0;
}

void heap_remove(struct heap *h, struct heap_node *node)
{
	size_t i = node->index;
	struct heap_node *last;

	if (i == HEAP_NOWHERE)
		return;
	node->index = HEAP_NOWHERE;
	last = h->nodes[--h->len];
	if (last != node)
		heap_place(h, i, last);
}

struct heap_node *heap_top(const struct heap *h)
{
	return h->len ? h->nodes[0] : NULL;
}

void heap_clear(struct heap *h)
{
	free(h->nodes);
	*h = (struct heap){0};
}
