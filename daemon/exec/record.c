/* SPDX-License-Identifier: MIT */
#include "exec/record.h"
#include <errno.h>
#include <string.h>
#include "base/str.h"

const char *const record_kind_names[RECORD_KIND_MAX + 1] = {
	[RECORD_UNIT] = "unit",
	[RECORD_COMMAND] = "command",
	[RECORD_NEVER] = "never",
	[RECORD_SQL] = "sql",
};

void record_clear(struct record *record)
{
	json_decref(record->outcome);
	*record = (struct record){0};
}

static int copy_text(const json_t *event, const char *key, size_t size, char *ret)
{
	const char *text = json_string_value(json_object_get(event, key));

	if (!text || strlen(text) >= size)
		return -EBADMSG;
	memcpy(ret, text, strlen(text) + 1);
	return 0;
}

static int apply_begun(struct record *record, const json_t *event)
{
	char verb[16] = "";
	const char *kind = json_string_value(json_object_get(event, "kind"));
	int r;

	record->kind = RECORD_KIND_MAX;
	for (int i = 0; kind && i < RECORD_KIND_MAX; i++)
		if (strcmp(kind, record_kind_names[i]) == 0)
			record->kind = (enum record_kind)i;
	if (record->kind == RECORD_KIND_MAX ||
		copy_text(event, "name", sizeof(record->name), record->name) < 0 ||
		copy_text(event, "boot_id", sizeof(record->boot_id), record->boot_id) < 0)
		return -EBADMSG;
	record->begun_wall = (usec_t)json_integer_value(json_object_get(event, "wall_usec"));
	record->begun_boot = (usec_t)json_integer_value(json_object_get(event, "boot_usec"));
	record->timeout = (usec_t)json_integer_value(json_object_get(event, "timeout_usec"));
	record->deed = (uint64_t)json_integer_value(json_object_get(event, "deed"));
	record->empty = false;
	if (record->kind != RECORD_UNIT)
		return 0;
	if (copy_text(event, "verb", sizeof(verb), verb) < 0)
		return -EBADMSG;
	r = exec_verb_from_name(verb);
	if (r < 0)
		return -EBADMSG;
	record->verb = (enum exec_verb)r;
	return 0;
}

static int apply_event(struct record *record, const json_t *event)
{
	const char *name = json_string_value(json_object_get(event, "event"));

	if (!name)
		return -EBADMSG;
	if (strcmp(name, "begun") == 0)
		return record->empty ? apply_begun(record, event) : -EBADMSG;
	if (record->empty)
		return -EBADMSG;
	if (strcmp(name, "armed") == 0) {
		record->armed = true;
		return copy_text(event, "invocation_before", sizeof(record->invocation_before),
			record->invocation_before);
	}
	if (strcmp(name, "job") == 0) {
		record->job = (uint32_t)json_integer_value(json_object_get(event, "job"));
	} else if (strcmp(name, "outcome") == 0) {
		json_t *outcome = json_object_get(event, "outcome");

		if (!json_is_object(outcome))
			return -EBADMSG;
		json_decref(record->outcome);
		record->outcome = json_incref(outcome);
	} else if (strcmp(name, "collected") == 0) {
		record->collected = true;
	} else {
		return -EBADMSG;
	}
	return 0;
}

int record_parse(const char *id, const char *text, size_t len, struct record *ret_record)
{
	struct record record = {.empty = true};
	const char *p = text, *nl;
	int r = 0;

	(void)snprintf(record.id, sizeof(record.id), "%s", id);
	while (r == 0 && (nl = memchr(p, '\n', len - (size_t)(p - text)))) {
		auto_json json_t *event =
			json_loadb(p, (size_t)(nl - p), JSON_REJECT_DUPLICATES, NULL);

		r = json_is_object(event) ? apply_event(&record, event) : -EBADMSG;
		p = nl + 1;
	}
	if (r < 0) {
		record_clear(&record);
		return r;
	}
	record.good_len = (size_t)(p - text);
	*ret_record = record;
	return 0;
}

json_t *record_begun(const struct record *record, const char *why, long peer_pid)
{
	json_t *event = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:I}", "event", "begun",
		"kind", record_kind_names[record->kind], "name", record->name, "boot_id",
		record->boot_id, "wall_usec", (json_int_t)record->begun_wall, "boot_usec",
		(json_int_t)record->begun_boot, "timeout_usec", (json_int_t)record->timeout, "why",
		why, "peer_pid", (json_int_t)peer_pid);

	if (record->deed)
		(void)json_object_set_new(event, "deed", json_integer((json_int_t)record->deed));
	if (record->kind == RECORD_UNIT)
		(void)json_object_set_new(
			event, "verb", json_string(exec_verb_names[record->verb]));
	return event;
}

json_t *record_armed(const char *invocation_before)
{
	return json_pack("{s:s, s:s}", "event", "armed", "invocation_before", invocation_before);
}

json_t *record_job(uint32_t job)
{
	return json_pack("{s:s, s:I}", "event", "job", "job", (json_int_t)job);
}

json_t *record_outcome(json_t *outcome)
{
	return json_pack("{s:s, s:O}", "event", "outcome", "outcome", outcome);
}

json_t *record_collected(void)
{
	return json_pack("{s:s}", "event", "collected");
}

usec_t record_age(
	const struct record *record, const char *boot_id, usec_t now_boot, usec_t now_wall)
{
	bool same = strcmp(record->boot_id, boot_id) == 0;
	usec_t now = same ? now_boot : now_wall;
	usec_t begun = same ? record->begun_boot : record->begun_wall;

	return begun > now ? USEC_INFINITY : now - begun;
}
