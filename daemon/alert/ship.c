/* SPDX-License-Identifier: MIT */
/* alert/ship.c: shipments as objects, and what their deliveries say of them. */
#include "alert/outbox.h"
#include "base/str.h"

struct shipment *shipment_ref(struct shipment *s)
{
	s->n_refs++;
	return s;
}

struct shipment *shipment_unref(struct shipment *s)
{
	if (s && --s->n_refs == 0) {
		VEC_FOREACH (&s->deliveries, struct delivery *, d) {
			delivery_unref(d);
		}
		vec_clear(&s->deliveries);
		free(s);
	}
	return NULL;
}

struct delivery *shipment_first(const struct shipment *s)
{
	return s->deliveries.items[0];
}

const char *shipment_group(const struct shipment *s)
{
	const struct delivery *d = shipment_first(s);

	return d->group && *d->group ? d->group : NULL;
}

json_t *shipment_group_labels(const struct shipment *s)
{
	return shipment_first(s)->group_labels;
}

int64_t shipment_late_seconds(const struct shipment *s, usec_t wall)
{
	usec_t late = 0;

	VEC_FOREACH (&s->deliveries, const struct delivery *, d) {
		usec_t due = MAX(d->due_wall, d->added_wall);

		if (wall > due)
			late = MAX(late, wall - due);
	}
	return late < 60 * USEC_PER_SEC ? 0 : (int64_t)(late / USEC_PER_SEC);
}

bool shipment_undurable(const struct shipment *s)
{
	VEC_FOREACH (&s->deliveries, const struct delivery *, d)
		if (d->undurable)
			return true;
	return false;
}
