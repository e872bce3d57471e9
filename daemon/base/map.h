/* SPDX-License-Identifier: MIT */
/*
 * base/map.h: string -> pointer, open addressing. Keys are copied; values stay the caller's.
 * Iteration is in order of insertion unless something was removed.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>

struct map_slot {
	char *key;
	void *value;
};
struct map {
	struct map_slot *slots; /* dense, in order */
	unsigned *index;	/* hash table of slot number + 1 */
	size_t len, cap, index_cap;
};

int map_put(struct map *m, const char *key, void *value); /* replaces; -ENOMEM */
void *map_get(const struct map *m, const char *key);	  /* NULL */
void *map_remove(struct map *m, const char *key);	  /* the value, NULL if none */
void map_clear(struct map *m);

/* MAP_FOREACH(&m, struct foo *, foo) { ... break works; do not add or remove ... } */
#define MAP_FOREACH(m, type, name)                                                                 \
	for (type name = NULL, **name##_s_ = (void *)(m)->slots;                                   \
		(size_t)((struct map_slot *)(void *)name##_s_ - (m)->slots) < (m)->len &&          \
		((name = ((struct map_slot *)(void *)name##_s_)->value), 1);                       \
		name##_s_ = (void *)((struct map_slot *)(void *)name##_s_ + 1))

/* MAP_FOREACH_KEY(&m, slot) { ... slot->key ... do not add or remove ... } */
#define MAP_FOREACH_KEY(m, slot)                                                                   \
	for (const struct map_slot *slot = (m)->slots; (size_t)(slot - (m)->slots) < (m)->len;     \
		slot++)

#endif
