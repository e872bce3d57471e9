/* SPDX-License-Identifier: MIT */
#include "snmp/sent.h"
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

uint64_t sent_hash_text(uint64_t hash, const char *text)
{
	/* With its end, so that "a" "b" is not "ab" "". */
	return hash_bytes(hash, text ? text : "", text ? strlen(text) + 1 : 1);
}

static size_t slot_of(const struct sent *s, uint64_t index)
{
	size_t i = (size_t)(index * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (s->cap - 1);

	while (s->rows[i].index != 0 && s->rows[i].index != index)
		i = (i + 1) & (s->cap - 1);
	return i;
}

static int resize(struct sent *s, size_t cap)
{
	struct sent old = *s;
	struct sent_row *rows = calloc(cap, sizeof(*rows));

	if (!rows)
		return -1;
	s->rows = rows;
	s->cap = cap;
	for (size_t i = 0; i < old.cap; i++)
		if (old.rows[i].index != 0)
			s->rows[slot_of(s, old.rows[i].index)] = old.rows[i];
	free(old.rows);
	return 0;
}

struct sent_row *sent_get(struct sent *s, uint64_t index)
{
	size_t i;

	if (index == 0 || (s->len * 2 >= s->cap && resize(s, s->cap ? s->cap * 2 : 64) < 0))
		return NULL;
	i = slot_of(s, index);
	if (s->rows[i].index == 0) {
		s->rows[i].index = index;
		s->len++;
	}
	return &s->rows[i];
}

void sent_sweep(struct sent *s, uint64_t pass, void (*gone)(uint64_t index, void *data), void *data)
{
	size_t n_gone = 0;

	for (size_t i = 0; i < s->cap; i++) {
		struct sent_row *row = &s->rows[i];

		if (row->index == 0 || row->pass == pass)
			continue;
		if (row->has)
			gone(row->index, data);
		row->index = 0;
		n_gone++;
	}
	s->len -= n_gone;
	/* Open addressing: what follows a hole must find its place again. */
	if (n_gone > 0 && resize(s, s->cap) < 0)
		sent_clear(s);
}

void sent_clear(struct sent *s)
{
	free(s->rows);
	*s = (struct sent){0};
}
