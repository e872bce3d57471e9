/* SPDX-License-Identifier: MIT */
#include "base/map.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

/* The place in the index of `key`, or the free place where it would go. Keys come from root-owned
 * configuration, so no seed is needed. */
static size_t map_place(const struct map *m, const char *key)
{
	size_t i = (size_t)hash_text(HASH_INIT, key) & (m->index_cap - 1);

	while (m->index[i] && strcmp(m->slots[m->index[i] - 1].key, key) != 0)
		i = (i + 1) & (m->index_cap - 1);
	return i;
}

static void map_reindex(struct map *m)
{
	memset(m->index, 0, m->index_cap * sizeof(*m->index));
	for (size_t i = 0; i < m->len; i++)
		m->index[map_place(m, m->slots[i].key)] = (unsigned)i + 1;
}

static int map_grow(struct map *m)
{
	size_t cap = m->cap ? m->cap * 2 : 16;
	struct map_slot *slots = reallocarray(m->slots, cap, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	m->slots = slots;
	unsigned *index = calloc(cap * 2, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(m->index);
	m->index = index;
	m->index_cap = cap * 2;
	m->cap = cap;
	map_reindex(m);
	return 0;
}

int map_put(struct map *m, const char *key, void *value)
{
	if (m->len == m->cap) {
		int r = map_grow(m);
		if (r < 0)
			return r;
	}
	size_t i = map_place(m, key);
	if (m->index[i]) {
		m->slots[m->index[i] - 1].value = value;
		return 0;
	}
	char *copy = strdup(key);
	if (!copy)
		return -ENOMEM;
	m->slots[m->len] = (struct map_slot){copy, value};
	m->index[i] = (unsigned)++m->len;
	return 0;
}

void *map_get(const struct map *m, const char *key)
{
	if (m->len == 0)
		return NULL;
	size_t i = map_place(m, key);
	return m->index[i] ? m->slots[m->index[i] - 1].value : NULL;
}

/* Takes a place out of the index; what was pushed past it by collisions moves up. */
static void map_unindex(struct map *m, size_t hole)
{
	size_t mask = m->index_cap - 1;

	for (size_t i = (hole + 1) & mask; m->index[i]; i = (i + 1) & mask) {
		size_t home = (size_t)hash_text(HASH_INIT, m->slots[m->index[i] - 1].key) & mask;

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		m->index[hole] = m->index[i];
		hole = i;
	}
	m->index[hole] = 0;
}

void *map_remove(struct map *m, const char *key)
{
	if (m->len == 0)
		return NULL;
	size_t place = map_place(m, key);
	if (!m->index[place])
		return NULL;
	size_t i = m->index[place] - 1;
	void *value = m->slots[i].value;
	map_unindex(m, place);
	free(m->slots[i].key);
	if (i < --m->len) {
		m->index[map_place(m, m->slots[m->len].key)] = (unsigned)i + 1;
		m->slots[i] = m->slots[m->len];
	}
	return value;
}

void map_clear(struct map *m)
{
	for (size_t i = 0; i < m->len; i++)
		free(m->slots[i].key);
	free(m->slots);
	free(m->index);
	*m = (struct map){0};
}
