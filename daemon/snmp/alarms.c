/* SPDX-License-Identifier: MIT */
#include "snmp/alarms.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/str.h"
#include "snmp/date.h"
#include "snmp/serve.h"

enum {
	/* Columns of alarmActiveEntry; those before are its index. */
	ENGINE_ID = 4,
	ENGINE_ADDRESS_TYPE,
	ENGINE_ADDRESS,
	CONTEXT_NAME,
	VARIABLES,
	NOTIFICATION_ID,
	RESOURCE_ID,
	DESCRIPTION,
	LOG_POINTER,
	MODEL_POINTER,
	SPECIFIC_POINTER,
	COLUMN_END,
	N_COLUMNS = COLUMN_END - ENGINE_ID,
};

const struct wire_oid alarms_root = {.n = 10, .ids = {1, 3, 6, 1, 2, 1, 118, 1, 2, 2}};
static const char list_name[] = "tend"; /* alarmListName */

/* Of tendIncidentTable, by the places of their columns in mib.c. */
enum { INCIDENT_ID, INCIDENT_FINGERPRINT, INCIDENT_SEVERITY, INCIDENT_CHECK = 5 };
enum { INCIDENT_TEXT = 8, INCIDENT_SINCE };

static struct {
	struct wire_oid root;		/* TEND_OID_ROOT */
	const struct mirror_row **rows; /* by time, then by index */
	size_t n, cap;
	uint64_t generation;
} alarms;

static int compare_rows(const void *a, const void *b)
{
	const struct mirror_row *x = *(const struct mirror_row *const *)a;
	const struct mirror_row *y = *(const struct mirror_row *const *)b;
	/* A DateAndTime has tenths of a second. */
	uint64_t at_x = x->cells[INCIDENT_SINCE].number / 100000;
	uint64_t at_y = y->cells[INCIDENT_SINCE].number / 100000;

	if (at_x != at_y)
		return at_x < at_y ? -1 : 1;
	return (x->key > y->key) - (x->key < y->key);
}

/* The rows as the mirror has them now. */
static void refresh(void)
{
	const struct mirror_table *table = mirror_table(MIB_TABLE_INCIDENT);

	if (alarms.generation == mirror_generation())
		return;
	alarms.generation = mirror_generation();
	alarms.n = 0;
	if (table->n > alarms.cap) {
		const struct mirror_row **rows = reallocarray(alarms.rows, table->n, sizeof(*rows));

		if (!rows)
			return;
		alarms.rows = rows;
		alarms.cap = table->n;
	}
	for (size_t i = 0; i < table->n; i++)
		alarms.rows[alarms.n++] = table->rows[i];
	if (alarms.n > 0)
		qsort(alarms.rows, alarms.n, sizeof(struct mirror_row *), compare_rows);
}

/* Of the place-th instance, in the order of the tree: column by column. */
static void name_of(size_t place, struct wire_oid *name)
{
	const struct mirror_row *row = alarms.rows[place % alarms.n];
	unsigned char date[MIB_DATE_BYTES];
	unsigned n = alarms_root.n;

	memcpy(name->ids, alarms_root.ids, n * sizeof(name->ids[0]));
	name->ids[n++] = 1;
	name->ids[n++] = (uint32_t)(ENGINE_ID + place / alarms.n);
	name->ids[n++] = sizeof(list_name) - 1;
	for (size_t i = 0; i < sizeof(list_name) - 1; i++)
		name->ids[n++] = (unsigned char)list_name[i];
	date_format(row->cells[INCIDENT_SINCE].number, date);
	name->ids[n++] = sizeof(date);
	for (size_t i = 0; i < sizeof(date); i++)
		name->ids[n++] = date[i];
	name->ids[n++] = (uint32_t)row->key;
	name->n = n;
	name->include = false;
}

/* The first place whose name is the given one (if `inclusive`) or comes after it. */
static size_t seek(const struct wire_oid *wanted, bool inclusive)
{
	size_t from = 0, to = alarms.n * N_COLUMNS;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		struct wire_oid name;
		int order;

		name_of(middle, &name);
		order = wire_oid_compare(&name, wanted);
		if (order < 0 || (order == 0 && !inclusive))
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static void set_text(struct wire_value *value, const char *text)
{
	value->type = WIRE_TEXT;
	value->data = text;
	value->len = strlen(text);
}

static void set_number(struct wire_value *value, enum wire_type type, uint32_t number)
{
	value->type = type;
	value->number = number;
}

/* What is below TEND_OID_ROOT. */
static void set_ours(struct wire_value *value, const uint32_t *tail, unsigned n)
{
	value->type = WIRE_OID;
	value->oid.include = false;
	value->oid.n = alarms.root.n + n;
	memcpy(value->oid.ids, alarms.root.ids, alarms.root.n * sizeof(uint32_t));
	memcpy(value->oid.ids + alarms.root.n, tail, n * sizeof(uint32_t));
}

/* An instance of the incident's row in tendIncidentTable. */
static void set_pointer(struct wire_value *value, const struct mirror_row *row, size_t column)
{
	const struct mib_table *table = &mib_tables[MIB_TABLE_INCIDENT];
	const uint32_t tail[] = {
		MIB_OBJECTS, table->id, 1, table->columns[column].id, (uint32_t)row->key};

	set_ours(value, tail, ARRAY_SIZE(tail));
}

static void set_nowhere(struct wire_value *value)
{
	value->type = WIRE_OID;
	value->oid.include = false;
	value->oid.n = 2;
	value->oid.ids[0] = value->oid.ids[1] = 0;
}

/* ALARM-MIB itself has no severity. */
static void set_description(struct wire_value *value, const struct mirror_row *row)
{
	static const char *const severities[] = {"info", "warning", "critical"};
	const struct cell *cells = row->cells;
	size_t severity = MIN((size_t)cells[INCIDENT_SEVERITY].number, ARRAY_SIZE(severities) - 1);
	const char *fingerprint = cells[INCIDENT_FINGERPRINT].text;
	const char *text = cells[INCIDENT_TEXT].text;
	char *buf = (char *)value->small;
	int n = snprintf(buf, sizeof(value->small), "%s: %s: %s", severities[severity],
		fingerprint ? fingerprint : "", text ? text : "");

	value->type = WIRE_TEXT;
	value->data = buf;
	value->len = str_cut_utf8(buf, (size_t)n, MIB_TEXT_BYTES);
}

static void value_of(size_t place, struct wire_value *value)
{
	static const uint32_t raised[] = {0, 1}; /* tendIncidentRaised */
	const struct mirror_row *row = alarms.rows[place % alarms.n];

	switch (ENGINE_ID + place / alarms.n) {
	case ENGINE_ID: /* this agent's own */
	case ENGINE_ADDRESS:
	case CONTEXT_NAME:
		set_text(value, "");
		break;
	case ENGINE_ADDRESS_TYPE: /* unknown(0): with an empty engine id it does not matter */
		set_number(value, WIRE_INTEGER, 0);
		break;
	case VARIABLES:
		set_number(value, WIRE_GAUGE32, 0);
		break;
	case NOTIFICATION_ID:
		set_ours(value, raised, ARRAY_SIZE(raised));
		break;
	case RESOURCE_ID:
		set_pointer(value, row, INCIDENT_CHECK);
		break;
	case DESCRIPTION:
		set_description(value, row);
		break;
	case SPECIFIC_POINTER:
		set_pointer(value, row, INCIDENT_ID);
		break;
	default:
		set_nowhere(value);
		break;
	}
}

bool alarms_next(const struct wire_oid *from, bool inclusive, struct wire_oid *ret_name,
	struct wire_value *ret_value)
{
	size_t place;

	refresh();
	place = seek(from, inclusive);
	if (place == alarms.n * N_COLUMNS)
		return false;
	name_of(place, ret_name);
	value_of(place, ret_value);
	return true;
}

/* The places above are those of mib.c. */
static bool places_fit(void)
{
	static const struct {
		size_t place;
		const char *key;
	} needed[] = {{INCIDENT_ID, "id"}, {INCIDENT_FINGERPRINT, "fingerprint"},
		{INCIDENT_SEVERITY, "severity"}, {INCIDENT_CHECK, "check"}, {INCIDENT_TEXT, "text"},
		{INCIDENT_SINCE, "since"}};
	const struct mib_table *table = &mib_tables[MIB_TABLE_INCIDENT];

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!str_eq(table->columns[needed[i].place].key, needed[i].key))
			return false;
	return true;
}

int alarms_init(void)
{
	if (!places_fit())
		return -EPROTO;
	return wire_oid_parse(TEND_OID_ROOT, &alarms.root);
}
