/* SPDX-License-Identifier: MIT */
#include "base/vec.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int vec_push(struct vec *v, void *item)
{
	if (v->len == v->cap) {
		size_t cap = v->cap ? v->cap * 2 : 8;
		void **p = reallocarray(v->items, cap, sizeof(*p));

		if (!p)
			return -ENOMEM;
		v->items = p;
		v->cap = cap;
	}
	v->items[v->len++] = item;
	return 0;
}

void vec_remove(struct vec *v, size_t index)
{
	memmove(v->items + index, v->items + index + 1, (v->len - index - 1) * sizeof(*v->items));
	v->len--;
}

void vec_clear(struct vec *v)
{
	free(v->items);
	*v = (struct vec){0};
}

static int vec_compare(const void *a, const void *b, void *compare)
{
	int (**fn)(const void *, const void *) = compare;

	return (*fn)(*(void *const *)a, *(void *const *)b);
}

void vec_sort(struct vec *v, int (*compare)(const void *a, const void *b))
{
	if (v->len > 1)
		qsort_r(v->items, v->len, sizeof(*v->items), vec_compare, &compare);
}
