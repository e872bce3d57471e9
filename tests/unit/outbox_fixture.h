/* SPDX-License-Identifier: MIT */
/* Deliveries and an outbox of their own, for its tests: no receiver, no store. */
#ifndef TESTS_UNIT_OUTBOX_FIXTURE_H
#define TESTS_UNIT_OUTBOX_FIXTURE_H

#include "unit.h"
#include <stdio.h>
#include <string.h>
#include "alert/private.h"
#include "base/str.h"

#define SEC USEC_PER_SEC

static inline struct delivery *make_in(const char *group, enum notice_kind kind,
	const char *fingerprint, const char *incident, uint64_t sequence,
	enum conf_severity severity)
{
	struct notice n = {.kind = kind,
		.severity = severity,
		.fingerprint = fingerprint,
		.incident_id = incident,
		.wall = 1000000,
		.text = "text"};
	auto(record_unref) struct record *record = NULL;
	struct delivery *d;

	uuid7(n.id);
	assert_int_equal(record_new(&n, &record), 0);
	assert_int_equal(delivery_new(record, NULL, &d), 0);
	d->sequence = sequence;
	d->released = true;
	d->group = group ? strdup(group) : NULL;
	return d;
}

static inline struct delivery *make(enum notice_kind kind, const char *fingerprint,
	const char *incident, uint64_t sequence, enum conf_severity severity)
{
	return make_in(NULL, kind, fingerprint, incident, sequence, severity);
}

/* Adds a message; the outbox alone keeps it. */
static inline struct delivery *put(
	struct outbox *o, const char *group, const char *fingerprint, uint64_t sequence, usec_t now)
{
	struct delivery *superseded = NULL, *d = make_in(group, NOTICE_POLICY_MESSAGE, fingerprint,
						    NULL, sequence, SEVERITY_WARNING);

	assert_int_equal(outbox_add(o, d, now, &superseded), 0);
	assert_null(superseded);
	return delivery_unref(d), d;
}

static inline struct shipment *pick_at(struct outbox *o, usec_t now)
{
	const struct outbox_gate gate = {.now = now, .window = 8};

	return outbox_pick(o, &gate);
}

static inline struct delivery *picked(struct outbox *o, usec_t now)
{
	struct shipment *s = pick_at(o, now);

	return s ? shipment_first(s) : NULL;
}

/* "1 2 3": the sequences of the shipment. */
static inline const char *members(const struct shipment *s, char text[256])
{
	text[0] = '\0';
	if (s)
		VEC_FOREACH (&s->deliveries, const struct delivery *, d)
			snprintf(text + strlen(text), 256 - strlen(text), "%s%u", *text ? " " : "",
				(unsigned)d->sequence);
	return text;
}

static inline void end(struct outbox *o, struct shipment *s, usec_t now)
{
	shipment_ref(s);
	outbox_end(o, s, now);
	shipment_unref(s);
}

#define assert_ships(o, now, want)                                                                 \
	do {                                                                                       \
		char text_[256];                                                                   \
		assert_string_equal(members(pick_at(o, now), text_), want);                        \
	} while (0)

static inline void set_pace(struct outbox *o, size_t burst)
{
	const struct outbox_pace pace = {.can_group = true,
		.storm_burst = burst,
		.storm_wait = 5 * SEC,
		.storm_interval = 30 * SEC};

	outbox_init(o);
	outbox_set_pace(o, &pace, 1);
}

#endif
