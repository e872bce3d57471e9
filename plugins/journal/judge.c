/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "journal.h"

json_t *journal_written(const json_t *memory)
{
	static const char *const keys[] = {"newest", "proved", "marked"};
	const json_t *before = json_object_get(memory, "written");
	const char *mark = doc_text(before, "mark");
	json_t *written = json_object();

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const json_t *value = json_object_get(before, keys[i]);

		if (json_is_integer(value))
			(void)json_object_set(written, keys[i], (json_t *)(uintptr_t)value);
	}
	if (mark[0] && strlen(mark) <= 32)
		(void)json_object_set_new(written, "mark", json_string(mark));
	return written;
}

/* Nothing is known of what was not written, so that nothing matched means nothing. */
static void judge_written(const json_t *doc, struct verdict *v)
{
	const json_t *written = json_object_get(doc, "written");
	const char *why = doc_text(written, "why");
	double now = doc_number(written, "now", 0), newest = doc_number(written, "newest", 0);
	char ago[32], last[40] = "not known";

	if (doc_flag(written, "ok"))
		return;
	if (newest > 0)
		(void)snprintf(last, sizeof(last), "%s ago", span_text((now - newest) / 1e6, ago));
	if (why[0])
		verdict_fault(v, TEND_REASON_NO_EVIDENCE,
			"the journal is not being written: systemd-journald takes no messages: "
			"%.100s; its last entry is %s",
			why, last);
	else
		verdict_fault(v, TEND_REASON_NO_EVIDENCE,
			"the journal is not being written: a message that was sent %s ago has not "
			"come into it; its last entry is %s",
			span_text((now - doc_number(written, "marked", now)) / 1e6, ago), last);
}

void journal_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict)
{
	const struct journal_conf *c = conf;
	const char *cursor = doc_text(doc, "cursor");

	sift_judge(&c->sift, doc, memory, !doc_text(memory, "cursor")[0], ret_verdict);
	judge_written(doc, ret_verdict);
	if (cursor[0])
		(void)json_object_set_new(ret_verdict->memory, "cursor", json_string(cursor));
	(void)json_object_set_new(ret_verdict->memory, "written", journal_written(doc));
}
