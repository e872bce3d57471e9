/* SPDX-License-Identifier: MIT */
/*
 * exec/record.h: one job in the ledger: a file of JSON lines, one an event, in order:
 *   begun      the intent; written and fsynced before anything else happens
 *   armed      unit verbs: what ran before; from here on the verb may have been carried out
 *   job        PID 1 took it; its job number
 *   outcome    the end; what attach answers
 *   collected  the transient unit is gone, and the output files
 * A last line without its newline was cut off by a crash and counts as not written. Pure. Frees:
 * record_clear(). A file that is no record is -EBADMSG: then nothing of that id is ever begun.
 */
#ifndef EXEC_RECORD_H
#define EXEC_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/uuid.h"
#include "exec/manifest.h"

enum { INVOCATION_BYTES = 33, BOOT_ID_BYTES = 64 };

enum record_kind { RECORD_UNIT, RECORD_COMMAND, RECORD_NEVER, RECORD_SQL, RECORD_KIND_MAX };
extern const char *const record_kind_names[RECORD_KIND_MAX + 1];

struct record {
	char id[UUID_TEXT_BYTES];
	enum record_kind kind; /* NEVER: attached to before it was begun: it can begin no more */
	char name[MANIFEST_MAX_NAME_BYTES + 1];
	enum exec_verb verb;
	uint64_t deed; /* of a command: what its command line hashes to; 0 = not known */
	char boot_id[BOOT_ID_BYTES];
	usec_t begun_wall, begun_boot; /* CLOCK_BOOTTIME: of use within the same boot */
	usec_t timeout;
	bool empty; /* not even the intent was written whole */
	bool armed, collected;
	char invocation_before[INVOCATION_BYTES];
	uint32_t job;	 /* 0 = not known */
	json_t *outcome; /* NULL = still open */
	size_t good_len; /* bytes of whole lines */
};

int record_parse(const char *id, const char *text, size_t len, struct record *ret_record);
void record_clear(struct record *record);

json_t *record_begun(const struct record *record, const char *why, long peer_pid);
json_t *record_armed(const char *invocation_before);
json_t *record_job(uint32_t job);
json_t *record_outcome(json_t *outcome); /* borrows */
json_t *record_collected(void);

/* How long ago it began, as far as can be told: by the boot clock in the same boot, else by the
 * wall clock. USEC_INFINITY if it seems to lie in the future. */
usec_t record_age(
	const struct record *record, const char *boot_id, usec_t now_boot, usec_t now_wall);

#endif
