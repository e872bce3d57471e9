/* SPDX-License-Identifier: MIT */
/* What journalctl's lines prove of a unit's end; pure. */
#include <jansson.h>
#include <string.h>
#include "base/str.h"
#include "watch/unit_journal.h"

/* From systemd's sd-messages.h and catalog: what PID 1 writes when a unit's processes have ended.
 */
#define ID_UNIT_SUCCESS	  "7ad2d189f7e94e70a38c781354912448"
#define ID_UNIT_FAILURE	  "d9b373ed55a64feb8242e02dbe79a49c"
#define ID_PROCESS_EXITED "98e322203f7a4ed290d09fe03c09fe15"

struct findings {
	char invocation[33];
	bool any, ended, restarted, stopped;
};

static const char *field(const json_t *entry, const char *name)
{
	const char *value = json_string_value(json_object_get(entry, name));

	return value ? value : "";
}

static bool is_end(const char *message_id)
{
	return str_eq(message_id, ID_UNIT_SUCCESS) || str_eq(message_id, ID_UNIT_FAILURE) ||
	       str_eq(message_id, ID_PROCESS_EXITED);
}

/* A restart says "Stopping" with JOB_TYPE=stop as well; only its later "Stopped" says
 * JOB_TYPE=restart. Entries come newest first, so that one has been seen by then. */
static void judge_entry(struct findings *f, const json_t *entry)
{
	const char *invocation = field(entry, "INVOCATION_ID");
	const char *job_type = field(entry, "JOB_TYPE");

	if (!f->invocation[0] && strlen(invocation) == sizeof(f->invocation) - 1)
		memcpy(f->invocation, invocation, sizeof(f->invocation));
	if (!f->invocation[0] || !str_eq(invocation, f->invocation))
		return;
	f->any = true;
	if (is_end(field(entry, "MESSAGE_ID")))
		f->ended = true;
	if (str_eq(job_type, "restart"))
		f->restarted = true;
	if (str_eq(job_type, "stop") && (field(entry, "JOB_RESULT")[0] || !f->restarted))
		f->stopped = true;
}

enum unit_evidence unit_journal_judge(const char *text, size_t len, const char *invocation)
{
	struct findings f = {0};
	size_t n;

	(void)snprintf(f.invocation, sizeof(f.invocation), "%s", invocation);
	for (; len > 0; text += n, len -= n) {
		const char *end = memchr(text, '\n', len);
		if (!end)
			break; /* cut off: the oldest entry, and half of it */
		n = (size_t)(end - text) + 1;
		auto_json json_t *entry = json_loadb(text, n - 1, 0, NULL);
		if (json_is_object(entry))
			judge_entry(&f, entry);
	}
	if (f.stopped)
		return UNIT_EVIDENCE_STOPPED;
	/* Without the end itself the journal may lack what came after, too: it proves nothing. */
	return f.ended ? UNIT_EVIDENCE_ENDED : UNIT_EVIDENCE_UNKNOWN;
}
