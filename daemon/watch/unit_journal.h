/* SPDX-License-Identifier: MIT */
/*
 * watch/unit_journal.h: reads in the journal how a unit ended. sd_journal reads block on the disk
 * and map whole files into the process, so journalctl does it: a child, killed after 2 s, of whose
 * answer at most 256 KiB are kept. Never blocks. Owned by the caller; the callback comes once, from
 * the loop.
 */
#ifndef WATCH_UNIT_JOURNAL_H
#define WATCH_UNIT_JOURNAL_H

#include "loop/loop.h"
#include "watch/unit_state.h"

/* Pure. `text`: journalctl's JSON lines, newest first, of PID 1 on the unit. `invocation` "": that
 * of the newest entry. Entries of other invocations, and lines that are no JSON, are passed over.
 */
enum unit_evidence unit_journal_judge(const char *text, size_t len, const char *invocation);

struct unit_journal;
typedef void (*unit_journal_fn)(enum unit_evidence evidence, void *data);
/* `folder` NULL: the system's journal of this boot. */
int unit_journal_new(struct loop *loop, const char *folder, const char *unit,
	const char *invocation, unit_journal_fn fn, void *data, struct unit_journal **ret_journal);
struct unit_journal *unit_journal_free(struct unit_journal *journal); /* also from the callback */
DEFINE_AUTO(struct unit_journal *, unit_journal_free)

#endif
