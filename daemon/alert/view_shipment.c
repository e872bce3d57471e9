/* SPDX-License-Identifier: MIT */
/* What is about to be tried, as a source of views and events. */
#include "alert/private.h"
#include "alert/view.h"
#include "base/clock.h"

int view_source_of(const struct try_context *context, const struct shipment *s,
	struct view_entry **ret_entries, struct view_source *ret_source)
{
	const struct alert *alert = context->alert;
	struct view_entry *entries = calloc(s->deliveries.len, sizeof(*entries));
	size_t n = 0;

	if (!entries)
		return -ENOMEM;
	VEC_FOREACH (&s->deliveries, const struct delivery *, d)
		entries[n++] = (struct view_entry){
			.notice = &d->record->notice, .sequence = d->sequence, .merged = d->merged};
	*ret_source = (struct view_source){.id = s->id,
		.receiver = context->conf->name,
		.via = shipment_first(s)->via,
		.host = alert->host,
		.epoch = store_epoch(alert->deps.store),
		.language = (enum conf_language)MAX(context->conf->language, 0),
		.undurable = shipment_undurable(s),
		.wall = clock_wall(),
		.late_seconds = shipment_late_seconds(s, clock_wall()),
		.group_key = shipment_group(s),
		.group_labels = shipment_group_labels(s),
		.entries = entries,
		.n_entries = n};
	*ret_entries = entries;
	return 0;
}

int view_of_shipment(const struct try_context *context, const struct shipment *s, json_t **ret_view)
{
	auto_free struct view_entry *entries = NULL;
	struct view_source source;
	int r = view_source_of(context, s, &entries, &source);

	return r < 0 ? r : view_compose(&source, ret_view);
}
