/* SPDX-License-Identifier: MIT */
/* journal/journal.h: options of the journal probe, and its pure judgement. */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "../machine/sift.h"

struct journal_conf {
	char **units;
	int priority;
	bool marker;
	struct sift_conf sift;
};

/* What tend-look needs to know of what it told the last time; a new object. */
json_t *journal_written(const json_t *memory);
void journal_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict);

#endif
