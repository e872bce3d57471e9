/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "alert/private.h"
#include "base/clock.h"
#include "base/str.h"

static const char *const kind_names[NOTICE_KIND_MAX] = {
#define X(code, name) [NOTICE_##code] = name,
	NOTICE_KINDS(X)
#undef X
};

const char *notice_kind_name(enum notice_kind kind)
{
	return kind < NOTICE_KIND_MAX ? kind_names[kind] : "unknown";
}

/* ---- records -------------------------------------------------------------------------------- */

static int find_name(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; name && i < n; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -EINVAL;
}

/* Foreign text may be no UTF-8, too long, or hold control characters. */
static int set_text(json_t *doc, const char *key, const char *text, size_t max)
{
	auto_free char *clean = NULL;
	size_t len;

	if (!text)
		return 0;
	len = strnlen(text, max);
	clean = malloc(max + 1);
	if (!clean)
		return -ENOMEM;
	str_sanitize(clean, max + 1, text, strlen(text) > max ? len : strlen(text));
	return json_object_set_new(doc, key, json_string(clean)) < 0 ? -ENOMEM : 0;
}

static const char *get_text(const json_t *doc, const char *key)
{
	return json_string_value(json_object_get(doc, key));
}

static int doc_fill(json_t *doc, const struct notice *n)
{
	const struct {
		const char *key, *text;
		size_t max;
	} texts[] = {
		{"id", n->id, UUID_TEXT_BYTES},
		{"kind", notice_kind_name(n->kind), 64},
		{"severity", conf_severity_names[n->severity], 64},
		{"fingerprint", n->fingerprint, 512},
		{"incident", n->incident_id, UUID_TEXT_BYTES},
		{"system", n->system, 512},
		{"environment", n->environment, 64},
		{"component", n->component, 512},
		{"check", n->check, 512},
		{"state", n->state, 64},
		{"reason", n->reason, 64},
		{"text", n->text, NOTICE_TEXT_BYTES},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(texts) && r == 0; i++)
		r = set_text(doc, texts[i].key, texts[i].text, texts[i].max);
	if (r == 0 && json_object_set_new(doc, "at", json_integer((json_int_t)n->wall)) < 0)
		r = -ENOMEM;
	if (r == 0 &&
		json_object_set_new(doc, "since", json_integer((json_int_t)n->since_wall)) < 0)
		r = -ENOMEM;
	if (r == 0 && n->labels && json_object_set(doc, "labels", n->labels) < 0)
		r = -ENOMEM;
	if (r == 0 && n->told && json_object_set(doc, "told", n->told) < 0)
		r = -ENOMEM;
	if (r == 0 && n->details &&
		json_dumpb(n->details, NULL, 0, JSON_COMPACT) <= NOTICE_BODY_BYTES &&
		json_object_set_new(doc, "details", json_deep_copy(n->details)) < 0)
		r = -ENOMEM;
	return r;
}

int record_from_json(json_t *doc, struct record **ret_record)
{
	const char *id = get_text(doc, "id");
	int kind = find_name(kind_names, NOTICE_KIND_MAX, get_text(doc, "kind"));
	int severity = find_name(conf_severity_names, SEVERITY_MAX, get_text(doc, "severity"));
	struct record *record;

	if (!id || strlen(id) >= UUID_TEXT_BYTES || kind < 0 || severity < 0)
		return -EINVAL;
	record = calloc(1, sizeof(*record));
	if (!record)
		return -ENOMEM;
	record->n_refs = 1;
	record->version = 1;
	record->doc = json_incref(doc);
	record->n_bytes = json_dumpb(doc, NULL, 0, JSON_COMPACT);
	record->notice = (struct notice){
		.kind = (enum notice_kind)kind,
		.severity = (enum conf_severity)severity,
		.fingerprint = get_text(doc, "fingerprint"),
		.incident_id = get_text(doc, "incident"),
		.system = get_text(doc, "system"),
		.environment = get_text(doc, "environment"),
		.component = get_text(doc, "component"),
		.check = get_text(doc, "check"),
		.state = get_text(doc, "state"),
		.reason = get_text(doc, "reason"),
		.text = get_text(doc, "text"),
		.wall = (usec_t)json_integer_value(json_object_get(doc, "at")),
		.since_wall = (usec_t)json_integer_value(json_object_get(doc, "since")),
		.details = json_object_get(doc, "details"),
		.labels = json_object_get(doc, "labels"),
		.told = json_object_get(doc, "told"),
	};
	memcpy(record->notice.id, id, strlen(id) + 1);
	if (!record->notice.fingerprint)
		record->notice.fingerprint = "";
	*ret_record = record;
	return 0;
}

int record_new(const struct notice *notice, struct record **ret_record)
{
	auto_json json_t *doc = json_object();
	int r = doc ? doc_fill(doc, notice) : -ENOMEM;

	return r < 0 ? r : record_from_json(doc, ret_record);
}

bool record_has_receiver(const struct record *record, const char *name)
{
	json_t *one;
	size_t i;

	json_array_foreach (json_object_get(record->doc, "receivers"), i, one)
		if (json_is_string(one) && strcmp(json_string_value(one), name) == 0)
			return true;
	return false;
}

int record_note_receiver(struct record *record, const char *name)
{
	json_t *names = json_object_get(record->doc, "receivers");

	if (record_has_receiver(record, name))
		return 0;
	if (!names) {
		names = json_array();
		if (json_object_set_new(record->doc, "receivers", names) < 0)
			return -ENOMEM;
	}
	if (json_array_append_new(names, json_string(name)) < 0)
		return -ENOMEM;
	record->version++;
	return 1;
}

int record_note_gates(struct record *record, const struct vec *gates)
{
	json_t *list = json_array();

	VEC_FOREACH (gates, const char *, gate)
		(void)json_array_append_new(list, json_string(gate));
	return json_object_set_new(record->doc, "gates", list) < 0 ? -ENOMEM : 0;
}

struct record *record_ref(struct record *record)
{
	record->n_refs++;
	return record;
}

struct record *record_unref(struct record *record)
{
	if (record && --record->n_refs == 0) {
		json_decref(record->doc);
		free(record);
	}
	return NULL;
}

/* ---- events --------------------------------------------------------------------------------- */

char *notice_compose_text(const struct notice *notice, json_t *merged)
{
	const char *text = notice->text ? notice->text : "", *kind;
	json_t *one;
	size_t i;

	json_array_foreach (merged, i, one) {
		kind = get_text(one, "kind");
		if (notice->kind == NOTICE_INCIDENT_CLEARED && kind &&
			strcmp(kind, kind_names[NOTICE_INCIDENT_RAISED]) == 0)
			return str_printf("was raised and cleared: %s", text);
	}
	return strdup(text);
}
