/* SPDX-License-Identifier: MIT */
/*
 * sync/sync.h: two sides that should hold the same records, each read in pages in the order of its
 * keys, so that two pages is all that is in memory. merge.c (pure) compares what is there and says
 * which side's next page it needs; sync.c asks.
 */
#ifndef SYNC_SYNC_H
#define SYNC_SYNC_H

#include "sqlkit/sqlkit.h"

enum sync_key { SYNC_KEY_NUMBER, SYNC_KEY_TEXT };
enum sync_which { SYNC_LEFT, SYNC_RIGHT };

struct sync_side {
	json_t *rows; /* the page; a reference */
	int key, value, age;
	size_t i, n_rows;
	bool ended;	 /* there is no page behind this one */
	char *last;	 /* the last key of all; NULL: none yet */
	uint64_t n_seen; /* records */
};

struct sync_merge {
	enum sync_key key;
	double lag; /* seconds that a record may need to get across */
	struct sync_side sides[2];
	uint64_t n_missing, n_extra, n_different, n_pending;
	double lag_seconds; /* of the oldest on the left that is not on the right as it is */
	bool has_age;
	struct sqlkit_names missing, extra, different;
	char wrong[128]; /* what cannot be compared; "": nothing */
};

void sync_merge_clear(struct sync_merge *merge);
/* The next page of this side. */
void sync_merge_add(
	struct sync_merge *merge, enum sync_which which, const struct sqlkit_table *page);
/* Compares as far as it goes. true: it needs the next page of *ret_which; false: it is done, or
 * something is wrong. */
bool sync_merge_run(struct sync_merge *merge, enum sync_which *ret_which);

/* The statement of a page; $1 is the last key, unless it is the first page. NULL: no memory. */
char *sync_page_sql(
	const char *query, enum sync_key key, enum sqlkit_dialect dialect, bool is_first);

#endif
