/* SPDX-License-Identifier: MIT */
/*
 * exec/ledger.h: makes actions at-most-once. STATE/jobs/ID is created O_EXCL and is on the disk,
 * with its folder, before ledger_begin() returns; an id is never begun twice, also not by another
 * process (the folder is locked). Frees: ledger_free(). Blocks on the disk: that is its purpose.
 * When it cannot write it fails, and then nothing may be begun.
 */
#ifndef EXEC_LEDGER_H
#define EXEC_LEDGER_H

#include "exec/record.h"

enum {
	LEDGER_MAX_RECORDS = 100000,
	LEDGER_MAX_RECORD_BYTES = 1 << 20,
	LEDGER_KEEP_DAYS = 30, /* finished records; open ones stay */
};

struct ledger;

/* Makes STATE/jobs and STATE/output if need be. -EBUSY: another process has it. */
int ledger_open(const char *state_dir, struct ledger **ret_ledger, struct tend_error *err);
struct ledger *ledger_free(struct ledger *ledger);
DEFINE_AUTO(struct ledger *, ledger_free)
int ledger_output_dir(const struct ledger *ledger); /* the descriptor stays the ledger's */
const char *ledger_output_path(const struct ledger *ledger);

/* -EEXIST: begun before. Steals `begun`. */
int ledger_begin(struct ledger *ledger, const char *id, json_t *begun);
/* One more event, fsynced. Steals `event`. */
int ledger_append(struct ledger *ledger, const char *id, json_t *event);
int ledger_read(struct ledger *ledger, const char *id, struct record *ret_record); /* -ENOENT */

/* Every record; one that cannot be read comes with `r` < 0 and only its id. */
typedef void (*ledger_fn)(int r, const struct record *record, void *data);
int ledger_scan(struct ledger *ledger, ledger_fn fn, void *data);
/* Removes a finished record. */
int ledger_remove(struct ledger *ledger, const char *id);
size_t ledger_n_records(const struct ledger *ledger);

#endif
