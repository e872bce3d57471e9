/* SPDX-License-Identifier: MIT */
/*
 * base/vec.h: a growable array of pointers. The vector owns its array, never what it points to.
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include <stddef.h>

struct vec {
	void **items;
	size_t len, cap;
};

int vec_push(struct vec *v, void *item);      /* -ENOMEM */
void vec_remove(struct vec *v, size_t index); /* keeps the order */
void vec_clear(struct vec *v);
void vec_sort(struct vec *v, int (*compare)(const void *a, const void *b)); /* gets the items */

/* VEC_FOREACH(&v, struct foo *, foo) { ... break works ... } */
#define VEC_FOREACH(v, type, name)                                                                 \
	for (type name = NULL, **name##_p_ = (void *)(v)->items;                                   \
		(size_t)(name##_p_ - (__typeof__(name##_p_))(void *)(v)->items) < (v)->len &&      \
		((name = *name##_p_), 1);                                                          \
		name##_p_++)

#endif
