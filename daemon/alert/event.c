/* SPDX-License-Identifier: MIT */
/* alert/event.c: notices as CloudEvents, the only place that makes these. Pure. */
#include <string.h>
#include "alert/private.h"
#include "alert/view.h"
#include "base/clock.h"
#include "base/str.h"

enum { GROUP_BODY_BYTES = 512 << 10 };

static json_t *time_json(usec_t wall)
{
	char text[CLOCK_TEXT_BYTES];

	return wall ? json_string(clock_format(wall, text)) : json_null();
}

static json_t *optional(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *event_data(
	const struct notice *n, const struct event_context *context, bool with_details)
{
	auto_free char *text = notice_compose_text(n, context->merged);
	json_t *data = NULL;

	if (!text)
		return NULL;
	data = json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:b}", "incident",
		optional(n->incident_id), "severity", conf_severity_names[n->severity], "system",
		optional(n->system), "environment", optional(n->environment), "component",
		optional(n->component), "check", optional(n->check), "state", optional(n->state),
		"reason", optional(n->reason), "text", text, "since", time_json(n->since_wall),
		"undurable", context->undurable);
	if (!data)
		return NULL;
	if (n->labels && (json_object_set(data, "labels", n->labels) < 0 ||
				 json_object_set_new(data, "class",
					 optional(json_string_value(
						 json_object_get(n->labels, "class")))) < 0))
		return json_decref(data), NULL;
	if (context->late_seconds > 0 &&
		json_object_set_new(
			data, "late_seconds", json_integer((json_int_t)context->late_seconds)) < 0)
		return json_decref(data), NULL;
	if (json_array_size(context->merged) > 0 &&
		json_object_set(data, "superseded", context->merged) < 0)
		return json_decref(data), NULL;
	if (with_details && json_is_object(n->details) &&
		json_object_update_missing(data, n->details) < 0)
		return json_decref(data), NULL;
	return data;
}

static char *compose(const struct notice *n, const struct event_context *context, bool with_details)
{
	auto_free char *type = str_printf("tend.%s", notice_kind_name(n->kind));
	auto_free char *source = str_printf("/tend/%s", context->host);
	auto_free char *sequence = str_printf("%llu", (unsigned long long)context->sequence);
	auto_json json_t *event = NULL;

	if (!type || !source || !sequence)
		return NULL;
	event = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:o}", "specversion",
		"1.0", "id", n->id, "source", source, "type", type, "subject",
		n->fingerprint && *n->fingerprint ? n->fingerprint : "daemon", "time",
		time_json(n->wall), "datacontenttype", "application/json", "sequence", sequence,
		"epoch", context->epoch, "data", event_data(n, context, with_details));
	return event ? json_dumps(event, JSON_COMPACT) : NULL;
}

int notice_compose_event(
	const struct notice *notice, const struct event_context *context, char **ret_body)
{
	char *body = compose(notice, context, true);

	if (body && strlen(body) > NOTICE_BODY_BYTES) {
		free(body);
		body = compose(notice, context, false);
	}
	if (!body)
		return -ENOMEM;
	*ret_body = body;
	return 0;
}

/* ---- groups --------------------------------------------------------------------------------- */

static json_t *entry_data(
	const struct view_source *source, const struct view_entry *entry, bool with_details)
{
	const struct event_context context = {.host = source->host,
		.epoch = source->epoch,
		.sequence = entry->sequence,
		.undurable = source->undurable,
		.merged = entry->merged};
	const struct notice *n = entry->notice;
	json_t *data = event_data(n, &context, with_details);

	if (json_object_update_new(data,
		    json_pack("{s:s, s:I, s:s, s:s, s:s, s:o}", "id", n->id, "sequence",
			    (json_int_t)entry->sequence, "kind", notice_kind_name(n->kind),
			    "status", view_status_names[view_status_of(n->kind)], "fingerprint",
			    n->fingerprint && *n->fingerprint ? n->fingerprint : "daemon", "time",
			    time_json(n->wall))) < 0)
		return json_decref(data), NULL;
	return data;
}

static json_t *group_data(const struct view_source *source, bool with_details)
{
	unsigned n[VIEW_STATUS_MAX] = {0};
	int worst = 0;
	json_t *alerts = json_array();

	for (size_t i = 0; i < source->n_entries; i++) {
		const struct notice *notice = source->entries[i].notice;

		n[view_status_of(notice->kind)]++;
		worst = MAX(worst, (int)notice->severity);
		if (json_array_append_new(
			    alerts, entry_data(source, &source->entries[i], with_details)) < 0)
			return json_decref(alerts), NULL;
	}
	return json_pack("{s:o, s:s, s:i, s:i, s:o, s:I, s:b}", "alerts", alerts, "severity",
		conf_severity_names[worst], "n_firing", (int)n[VIEW_FIRING], "n_resolved",
		(int)n[VIEW_RESOLVED], "group",
		source->group_key ? json_pack("{s:s, s:O?}", "key", source->group_key, "labels",
					    source->group_labels)
				  : json_null(),
		"late_seconds", (json_int_t)source->late_seconds, "undurable", source->undurable);
}

static char *compose_group(const struct view_source *source, bool with_details)
{
	const struct view_entry *last = &source->entries[source->n_entries - 1];
	auto_free char *from = str_printf("/tend/%s", source->host);
	auto_free char *sequence = str_printf("%llu", (unsigned long long)last->sequence);
	auto_json json_t *event = NULL;

	if (!from || !sequence)
		return NULL;
	event = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:o}", "specversion",
		"1.0", "id", source->id, "source", from, "type", "tend.incident.group", "subject",
		source->group_key && *source->group_key ? source->group_key : "group", "time",
		time_json(last->notice->wall), "datacontenttype", "application/json", "sequence",
		sequence, "epoch", source->epoch, "data", group_data(source, with_details));
	return event ? json_dumps(event, JSON_COMPACT) : NULL;
}

int event_compose(const struct view_source *source, char **ret_body)
{
	const struct event_context context = {.host = source->host,
		.epoch = source->epoch,
		.sequence = source->entries[0].sequence,
		.undurable = source->undurable,
		.late_seconds = source->late_seconds,
		.merged = source->entries[0].merged};
	char *body;

	if (source->n_entries == 1)
		return notice_compose_event(source->entries[0].notice, &context, ret_body);
	body = compose_group(source, true);
	if (body && strlen(body) > GROUP_BODY_BYTES) {
		free(body);
		body = compose_group(source, false);
	}
	if (!body)
		return -ENOMEM;
	*ret_body = body;
	return 0;
}
