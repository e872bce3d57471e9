/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "incident/private.h"

static void timeline_entry_free(struct timeline_entry *entry)
{
	if (entry)
		free(entry->text);
	free(entry);
}

struct incident *incident_free(struct incident *incident)
{
	if (!incident)
		return NULL;
	VEC_FOREACH (&incident->timeline, struct timeline_entry *, entry)
		timeline_entry_free(entry);
	vec_clear(&incident->timeline);
	map_clear(&incident->members);
	free(incident->fingerprint);
	free(incident->system);
	free(incident->component);
	free(incident->check);
	free(incident->text);
	free(incident->ack_author);
	free(incident->ack_comment);
	free(incident->summary);
	free(incident);
	return NULL;
}

int incident_add_timeline(struct incident *incident, struct store_batch *batch, usec_t wall,
	const char *kind, const char *text)
{
	struct timeline_entry *entry = calloc(1, sizeof(*entry));
	int r;

	if (!entry)
		return -ENOMEM;
	entry->wall = wall;
	(void)snprintf(entry->kind, sizeof(entry->kind), "%s", kind);
	entry->text = strdup(text);
	r = entry->text ? vec_push(&incident->timeline, entry) : -ENOMEM;
	if (r < 0) {
		timeline_entry_free(entry);
		return r;
	}
	/* The beginning says what happened, the end how it stands: the middle goes first. */
	if (incident->timeline.len > INCIDENT_MAX_TIMELINE) {
		timeline_entry_free(incident->timeline.items[INCIDENT_MAX_TIMELINE / 2]);
		vec_remove(&incident->timeline, INCIDENT_MAX_TIMELINE / 2);
	}
	if (!batch)
		return 0;
	return store_batch_add(
		batch, STORE_TIMELINE_ADD, "siss", incident->id, (int64_t)wall, kind, text);
}

json_t *incident_members_to_json(const struct incident *incident)
{
	json_t *members = json_array();

	MAP_FOREACH_KEY (&incident->members, slot) {
		if (json_array_size(members) == INCIDENT_MAX_LISTED)
			break;
		(void)json_array_append_new(members, json_string(slot->key));
	}
	return members;
}

int incident_put(struct incident *incident, struct store_batch *batch)
{
	auto_json json_t *doc = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:b, s:o, "
		"s:s?, s:s?, s:I, s:s?, s:b, s:b, s:I, s:b, s:s, s:I, s:b, s:s}",
		"system", incident->system, "component", incident->component, "check",
		incident->check, "severity", conf_severity_names[incident->severity], "reason",
		tend_reason_name(incident->reason), "text", incident->text, "located",
		(json_int_t)incident->located_wall, "unconfirmed", incident->unconfirmed, "told",
		incident->told, "members", incident_members_to_json(incident), "ack_author",
		incident->ack_author, "ack_comment", incident->ack_comment, "ack_at",
		(json_int_t)incident->ack_wall, "summary", incident->summary, "change_held",
		incident->change_held, "close_held", incident->close_held, "ack_until",
		(json_int_t)incident->ack_until_wall, "ack_sticky", incident->ack_sticky,
		"ack_severity", conf_severity_names[incident->ack_severity], "unacked_at",
		(json_int_t)incident->unacked_wall, "flapping", incident->flapping, "class",
		fault_class_names[incident->class]);

	int r;

	if (!doc)
		return -ENOMEM;
	r = store_batch_add(batch, STORE_INCIDENT_PUT, "sssiij", incident->id,
		incident->fingerprint, incident_phase_names[incident->phase],
		(int64_t)incident->opened_wall, (int64_t)incident->closed_wall, doc);
	if (r == 0)
		incident->unsaved = false;
	return r;
}

void incident_keep(struct incidents *incidents, struct incident *incident)
{
	incident->unsaved = true;
	loop_defer_set(incidents->save_defer, true);
}

void incident_save(struct incidents *incidents, struct incident *incident)
{
	struct store_batch *batch;
	int r;

	if (!incident->unsaved)
		return;
	r = store_batch_new(&batch);
	if (r == 0) {
		r = incident_put(incident, batch);
		if (r == 0)
			r = store_commit(incidents->store, batch, NULL, NULL);
		else
			store_batch_free(batch);
	}
	if (r < 0)
		log_warning("incident %s: its change is not kept over a restart", incident->id);
}

void incidents_save(void *data)
{
	struct incidents *incidents = data;

	VEC_FOREACH (&incidents->open, struct incident *, open)
		incident_save(incidents, open);
	VEC_FOREACH (&incidents->recent, struct incident *, closed)
		incident_save(incidents, closed);
}

/* ---- loading
 * ------------------------------------------------------------------------------------------- */

static char *dup_member(json_t *doc, const char *key)
{
	const char *text = json_string_value(json_object_get(doc, key));

	return text ? strdup(text) : NULL;
}

static int index_of(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; name && i < n; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return 0;
}

static void load_timeline(struct incidents *incidents, struct incident *incident)
{
	auto_json json_t *rows = NULL;
	size_t i;
	json_t *row;

	if (store_read_now(incidents->store, STORE_QUERY_TIMELINE_OF, &rows, "s", incident->id) < 0)
		return;
	json_array_foreach (rows, i, row) {
		const char *kind = json_string_value(json_object_get(row, "kind"));
		const char *text = json_string_value(json_object_get(row, "text"));

		(void)incident_add_timeline(incident, NULL,
			(usec_t)json_integer_value(json_object_get(row, "at")), kind ? kind : "",
			text ? text : "");
	}
}

/* Rows of before it was kept have none. */
static enum fault_class load_class(json_t *doc, enum tend_reason reason)
{
	const char *name = json_string_value(json_object_get(doc, "class"));

	return name ? (enum fault_class)index_of(fault_class_names, FAULT_CLASS_MAX, name)
		    : fault_class_of(reason, NULL);
}

/* By the time of day, as it comes from another run; one of the future is none that was just opened.
 */
static usec_t young_until(usec_t opened_wall)
{
	usec_t wall = clock_wall();

	if (opened_wall > wall || opened_wall + INCIDENT_YOUNG_USEC <= wall)
		return 0;
	return clock_now() + (opened_wall + INCIDENT_YOUNG_USEC - wall);
}

static struct incident *incident_from_row(struct incidents *incidents, json_t *row)
{
	auto(incident_free) struct incident *incident = calloc(1, sizeof(*incident));
	json_t *doc = json_object_get(row, "doc_json"), *member;
	const char *id = json_string_value(json_object_get(row, "id"));
	const char *reason = json_string_value(json_object_get(doc, "reason"));
	size_t i;
	int r = reason ? tend_reason_from_name(reason) : -ENOENT;

	if (!incident || !id || !uuid_valid(id))
		return NULL;
	memcpy(incident->id, id, UUID_TEXT_BYTES);
	incident->fingerprint = dup_member(row, "fingerprint");
	incident->system = dup_member(doc, "system");
	incident->component = dup_member(doc, "component");
	incident->check = dup_member(doc, "check");
	incident->text = dup_member(doc, "text");
	if (!incident->fingerprint || !incident->system || !incident->component ||
		!incident->check || !incident->text)
		return NULL;
	incident->reason = r < 0 ? TEND_REASON_INTERNAL : (enum tend_reason)r;
	incident->class = load_class(doc, incident->reason);
	incident->phase = (enum incident_phase)index_of(incident_phase_names, INCIDENT_PHASE_MAX,
		json_string_value(json_object_get(row, "phase")));
	incident->severity = (enum conf_severity)index_of(conf_severity_names, SEVERITY_MAX,
		json_string_value(json_object_get(doc, "severity")));
	incident->opened_wall = (usec_t)json_integer_value(json_object_get(row, "opened"));
	incident->young_until = young_until(incident->opened_wall);
	incident->closed_wall = (usec_t)json_integer_value(json_object_get(row, "closed"));
	incident->located_wall = (usec_t)json_integer_value(json_object_get(doc, "located"));
	incident->ack_wall = (usec_t)json_integer_value(json_object_get(doc, "ack_at"));
	incident->ack_until_wall = (usec_t)json_integer_value(json_object_get(doc, "ack_until"));
	incident->unacked_wall = (usec_t)json_integer_value(json_object_get(doc, "unacked_at"));
	incident->ack_sticky = json_is_true(json_object_get(doc, "ack_sticky"));
	incident->ack_severity = (enum conf_severity)index_of(conf_severity_names, SEVERITY_MAX,
		json_string_value(json_object_get(doc, "ack_severity")));
	incident->unconfirmed = json_is_true(json_object_get(doc, "unconfirmed"));
	incident->flapping = json_is_true(json_object_get(doc, "flapping"));
	incident->told = json_is_true(json_object_get(doc, "told"));
	incident->change_held = json_is_true(json_object_get(doc, "change_held"));
	incident->close_held = json_is_true(json_object_get(doc, "close_held"));
	incident->ack_author = dup_member(doc, "ack_author");
	incident->ack_comment = dup_member(doc, "ack_comment");
	incident->summary = dup_member(doc, "summary");
	incident->snmp_index = ++incidents->next_index;
	json_array_foreach (json_object_get(doc, "members"), i, member)
		if (json_is_string(member))
			(void)map_put(&incident->members, json_string_value(member), incident);
	load_timeline(incidents, incident);
	return TAKE(incident);
}

static int load_rows(struct incidents *incidents, json_t *rows, struct vec *list)
{
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row) {
		struct incident *incident = incident_from_row(incidents, row);

		if (!incident) {
			log_warning(
				"incidents: a row of the database cannot be read, it is left out");
			continue;
		}
		if (vec_push(list, incident) < 0) {
			incident_free(incident);
			return -ENOMEM;
		}
	}
	return 0;
}

int incidents_load(struct incidents *incidents)
{
	auto_json json_t *open = NULL, *recent = NULL;
	int r;

	if (!incidents->store)
		return 0;
	r = store_read_now(incidents->store, STORE_QUERY_INCIDENTS_OPEN, &open, "");
	if (r == 0)
		r = load_rows(incidents, open, &incidents->open);
	if (r == 0)
		r = store_read_now(
			incidents->store, STORE_QUERY_INCIDENTS_RECENT, &recent, "i", (int64_t)50);
	if (r == 0)
		r = load_rows(incidents, recent, &incidents->recent);
	/* Newest first in the database, newest last here. */
	for (size_t i = 0, n = incidents->recent.len; i < n / 2; i++) {
		void *swap = incidents->recent.items[i];
		incidents->recent.items[i] = incidents->recent.items[n - 1 - i];
		incidents->recent.items[n - 1 - i] = swap;
	}
	VEC_FOREACH (&incidents->open, struct incident *, incident)
		MAP_FOREACH_KEY (&incident->members, slot)
			if (map_put(&incidents->by_check, slot->key, incident) < 0)
				r = -ENOMEM;
	return r;
}

/* ---- views
 * --------------------------------------------------------------------------------------------- */

char *incident_summary(const struct incident *incident)
{
	char span[CLOCK_TEXT_BYTES];
	const char *action = NULL;
	size_t n_actions = 0;

	VEC_FOREACH (&incident->timeline, const struct timeline_entry *, entry)
		if (strcmp(entry->kind, "action") == 0) {
			action = entry->text;
			n_actions++;
		}
	return str_printf("%s failed (%s: %s) for %s; %zu checks hung on it; %s%s",
		incident->component, tend_reason_name(incident->reason), incident->text,
		clock_format_span(incident->closed_wall - incident->opened_wall, span),
		incident->members.len, n_actions ? "last action: " : "Tend did nothing to it",
		action ? action : "");
}

json_t *incident_to_json(const struct incident *incident, bool full)
{
	json_t *timeline, *ack = json_null();
	json_t *doc;

	if (incident->ack_author)
		ack = json_pack("{s:s, s:s, s:o, s:b, s:o}", "author", incident->ack_author,
			"comment", incident->ack_comment, "at", clock_to_json(incident->ack_wall),
			"sticky", incident->ack_sticky, "until",
			clock_to_json(incident->ack_until_wall));
	doc = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, "
			"s:s?, s:b, s:o, s:I, s:b, s:s, s:s}",
		"id", incident->id, "fingerprint", incident->fingerprint, "system",
		incident->system, "component", incident->component, "check", incident->check,
		"phase", incident_phase_names[incident->phase], "state",
		incident->phase == INCIDENT_CLOSED ? "closed" : "open", "severity",
		conf_severity_names[incident->severity], "reason",
		tend_reason_name(incident->reason), "text", incident->text, "opened",
		clock_to_json(incident->opened_wall), "located",
		clock_to_json(incident->located_wall), "closed",
		clock_to_json(incident->closed_wall), "acknowledged", ack, "summary",
		incident->summary, "unconfirmed", incident->unconfirmed, "members",
		incident_members_to_json(incident), "n_members", (json_int_t)incident->members.len,
		"held",
		incident->phase != INCIDENT_CLOSED &&
			(!incident->told || incident->change_held || incident->close_held),
		"class", fault_class_names[incident->class], "category",
		tend_reason_category(incident->reason));
	if (doc)
		(void)json_object_set_new(doc, "flapping", json_boolean(incident->flapping));
	if (!doc || !full)
		return doc;
	timeline = json_array();
	VEC_FOREACH (&incident->timeline, const struct timeline_entry *, entry)
		(void)json_array_append_new(
			timeline, json_pack("{s:o, s:s, s:s}", "at", clock_to_json(entry->wall),
					  "kind", entry->kind, "text", entry->text));
	(void)json_object_set_new(doc, "timeline", timeline);
	return doc;
}
