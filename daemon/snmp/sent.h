/* SPDX-License-Identifier: MIT */
/*
 * snmp/sent.h: which rows of one table the other side has, by index, and what they held (a hash).
 * Pure bookkeeping; owns its memory, sent_clear() frees it. -ENOMEM shows as NULL.
 */
#ifndef SNMP_SENT_H
#define SNMP_SENT_H

#include <tend/option.h>

struct sent_row {
	uint64_t index;	 /* 0 = free slot; of two parts the first in the upper half */
	bool has;	 /* the other side has the row */
	uint64_t brief;	 /* of what is cheap to look at; equal: nothing to do */
	uint64_t urgent; /* of what the other side is to know at once */
	usec_t when;	 /* it was sent */
	uint64_t pass;	 /* in which it was last met */
};

struct sent {
	struct sent_row *rows;
	size_t len, cap; /* cap: a power of two */
};

struct sent_row *sent_get(struct sent *sent, uint64_t index); /* makes it; 0 gives NULL */
/* Forgets the rows that were not met in `pass`. Calls `gone` for those that the other side has. */
void sent_sweep(
	struct sent *sent, uint64_t pass, void (*gone)(uint64_t index, void *data), void *data);
void sent_clear(struct sent *sent);

/* To see that something changed: a text and its end; NULL is "". */
uint64_t sent_hash_text(uint64_t hash, const char *text);

#endif
