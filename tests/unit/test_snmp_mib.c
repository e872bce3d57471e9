/* SPDX-License-Identifier: MIT */
/* The MIB's text against the tables of the code: names, numbers, types, enumerations. */
#include <ctype.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "alert/alert.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/str.h"
#include "conf/conf.h"
#include "incident/incident.h"
#include "snmp/mib.h"
#include "snmp/varbinds.h"

static char *mib;

static int read_mib(void **state)
{
	size_t len;

	return fs_read_file(TEST_MIB, 1 << 20, &mib, &len);
}

static int free_mib(void **state)
{
	free(mib);
	return 0;
}

/* Formats into a buffer of the caller's; a name that does not fit is a fault of the test. */
#define FORMAT(buf, ...) assert_true(snprintf((buf), sizeof(buf), __VA_ARGS__) < (int)sizeof(buf))

/* Where `part` stands in `text`, which must have it. */
static const char *find(const char *text, const char *part)
{
	const char *found = text ? strstr(text, part) : NULL;

	if (!found) {
		print_error("'%s' is not in: %.300s\n", part, text ? text : "nothing");
		fail();
		abort(); /* which fail() does not come back to, but does not say */
	}
	return found;
}

/* The text of a definition: from its name at the begin of a line to its "::= { ... }". */
static char *definition(const char *name, const char *macro)
{
	char head[128];
	const char *start, *end;

	FORMAT(head, "\n%s %s", name, macro);
	start = strstr(mib, head);
	if (!start)
		return NULL;
	end = strstr(start, "::= {");
	assert_non_null(end);
	end = strchr(end, '}');
	assert_non_null(end);
	return strndup(start, (size_t)(end - start) + 1);
}

static const char *syntax_of(enum mib_type type, const char *syntax)
{
	switch (type) {
	case MIB_TEXT:
		return "SnmpAdminString (SIZE (0..255))";
	case MIB_UNSIGNED:
	case MIB_AGE:
		return "Gauge32";
	case MIB_TICKS:
		return "TimeTicks";
	case MIB_COUNTER64:
		return "Counter64";
	case MIB_COUNTER32:
		return "Counter32";
	case MIB_DATE:
		return "DateAndTime";
	case MIB_INTEGER: /* one of our conventions, or TruthValue */
		return str_startswith(syntax, "Tend") || str_startswith(syntax, "TruthValue")
			       ? syntax
			       : "an enumeration";
	case MIB_OID:
	case MIB_TYPE_MAX:
		break;
	}
	return "?";
}

static void check_object(const struct mib_object *o, const char *parent, const char *access)
{
	auto_free char *text = definition(o->name, "OBJECT-TYPE");
	char number[128], max_access[64];
	const char *syntax;

	FORMAT(number, "::= { %s %u }", parent, o->id);
	FORMAT(max_access, "MAX-ACCESS   %s\n", access);
	if (!text)
		print_error("%s is not in the MIB\n", o->name);
	find(text, number);
	find(text, max_access);
	syntax = find(text, "SYNTAX       ") + strlen("SYNTAX       ");
	assert_true(str_startswith(syntax, syntax_of(o->type, syntax)));
}

static void objects_are_the_tables_of_the_code(void **state)
{
	size_t n = 0;

	for (size_t i = 0; i < mib_n_daemon; i++, n++)
		check_object(&mib_daemon[i], "tendDaemon", "read-only");
	for (size_t i = 0; i < MIB_NOTICE_MAX; i++, n++)
		check_object(&mib_notice[i], "tendNotice", "accessible-for-notify");
	for (size_t t = 0; t < MIB_TABLE_MAX; t++) {
		const struct mib_table *table = &mib_tables[t];
		auto_free char *text = definition(table->name, "OBJECT-TYPE");
		char entry[64], number[64];

		FORMAT(entry, "%.*sEntry", (int)(strlen(table->name) - 5), table->name);
		FORMAT(number, "::= { tendObjects %u }", table->id);
		assert_non_null(text);
		assert_non_null(strstr(text, number));
		for (size_t i = 0; i < table->n_columns; i++, n++)
			check_object(&table->columns[i], entry, "read-only");
		n += 3; /* the table, its entry, its index */
	}
	for (const char *p = mib; (p = strstr(p, " OBJECT-TYPE\n")); p++)
		n--;
	assert_int_equal(n, 0); /* and nothing else is in the MIB */
}

/* "dns-failed" -> "dnsFailed" */
static void label_of(const char *name, char *label)
{
	while (*name) {
		if (*name == '-') {
			name++;
			*label++ = (char)toupper((unsigned char)*name++);
		} else {
			*label++ = *name++;
		}
	}
	*label = '\0';
}

static void check_enumeration(const char *convention, const char *(*name)(int), int n)
{
	char head[128], expected[128];
	const char *start, *list, *end;

	FORMAT(head, "\n%s ::= TEXTUAL-CONVENTION", convention);
	start = find(mib, head);
	list = find(start, "INTEGER {");
	end = find(list, "}");
	for (int i = 0; i < n; i++) {
		char label[64];

		label_of(name(i), label);
		FORMAT(expected, " %s(%d)%s\n", label, i, i + 1 < n ? "," : "");
		list = find(list, expected);
		assert_true(list < end);
		list += strlen(expected) - 1;
	}
	while (list < end)
		assert_true(isspace((unsigned char)*list++)); /* and no more */
}

static const char *state_name(int i)
{
	return tend_state_name((enum tend_state)i);
}

static const char *reason_name(int i)
{
	return tend_reason_name((enum tend_reason)i);
}

static const char *severity_name(int i)
{
	static const char *const names[] = {"info", "warning", "critical"};

	return names[i];
}

static const char *class_name(int i)
{
	return fault_class_names[i];
}

static const char *phase_name(int i)
{
	static const char *const names[] = {
		"discovered", "located", "recovering", "verified", "closed"};

	return names[i];
}

static const char *environment_name(int i)
{
	static const char *const names[] = {"production", "pilot", "staging"};

	return names[i];
}

static const char *mode_name(int i)
{
	static const char *const names[] = {"observe", "suggest", "approve", "auto"};

	return names[i];
}

static const char *run_name(int i)
{
	return mib_run_states[i];
}

static const char *worth_name(int i)
{
	return mib_backup_worths[i];
}

static const char *health_name(int i)
{
	return mib_receiver_healths[i];
}

static const char *delivery_name(int i)
{
	return mib_delivery_states[i];
}

static const char *window_name(int i)
{
	return mib_window_types[i];
}

static void enumerations_are_the_tables_of_the_code(void **state)
{
	check_enumeration("TendState", state_name, TEND_STATE_MAX);
	check_enumeration("TendReason", reason_name, TEND_REASON_MAX);
	check_enumeration("TendSeverity", severity_name, SEVERITY_MAX);
	check_enumeration("TendFaultClass", class_name, FAULT_CLASS_MAX);
	check_enumeration("TendPhase", phase_name, INCIDENT_PHASE_MAX);
	check_enumeration("TendEnvironment", environment_name, ENVIRONMENT_MAX);
	check_enumeration("TendMode", mode_name, MODE_MAX);
	check_enumeration("TendRunState", run_name, MIB_N_RUN_STATES);
	check_enumeration("TendBackupWorth", worth_name, MIB_N_BACKUP_WORTHS);
	check_enumeration("TendReceiverHealth", health_name, MIB_N_RECEIVER_HEALTHS);
	check_enumeration("TendDeliveryState", delivery_name, MIB_N_DELIVERY_STATES);
	check_enumeration("TendWindowType", window_name, MIB_N_WINDOW_TYPES);
}

/* Each notification carries what its OBJECTS say, in that order, and every kind has one but what is
 * told to people only. */
static void notifications_carry_their_objects(void **state)
{
	unsigned seen = 0, n_in_mib = 0, n_untold = 0;

	for (enum notice_kind kind = 0; kind < NOTICE_KIND_MAX; kind++) {
		struct notice notice = {.kind = kind};
		auto_json json_t *list = NULL;
		char head[64];
		const char *oid, *objects, *end, *start = NULL;
		unsigned id;

		if (kind == NOTICE_INCIDENT_REMINDER || kind == NOTICE_INCIDENT_ACKNOWLEDGED) {
			assert_false(snmp_tells(kind));
			assert_int_equal(snmp_notice_varbinds(&notice, 1, "e", 0, &list), -EINVAL);
			n_untold++;
			continue;
		}
		assert_true(snmp_tells(kind));
		assert_int_equal(snmp_notice_varbinds(&notice, 1, "e", 0, &list), 0);
		oid = json_string_value(json_object_get(json_array_get(list, 1), "value"));
		assert_int_equal(sscanf(oid, TEND_OID_ROOT ".0.%u", &id), 1);
		assert_int_equal(seen & (1u << id), 0);
		seen |= 1u << id;
		FORMAT(head, "::= { tendNotifications %u }", id);
		end = find(mib, head);
		for (const char *p = mib; (p = strstr(p, " NOTIFICATION-TYPE\n")) && p < end; p++)
			start = p;
		objects = find(start, "{");
		for (size_t i = 2; i < json_array_size(list); i++) {
			json_t *varbind = json_array_get(list, i);
			const char *name = "?";
			unsigned column, used = 0;

			oid = json_string_value(json_object_get(varbind, "oid"));
			if (sscanf(oid, TEND_OID_ROOT ".1.20.%u.0", &column) == 1)
				name = mib_notice[column - 1].name;
			else if (sscanf(oid, TEND_OID_ROOT ".1.1.%u.0", &column) == 1)
				name = mib_daemon[column - 1].name;
			sscanf(objects, "%*[ \n{,]%n", &used);
			objects += used;
			assert_true(str_startswith(objects, name));
			objects += strlen(name);
		}
		while (isspace((unsigned char)*objects))
			objects++;
		assert_int_equal(*objects, '}');
	}
	for (const char *p = mib; (p = strstr(p, " NOTIFICATION-TYPE\n")); p++)
		n_in_mib++;
	assert_int_equal(n_in_mib + n_untold, NOTICE_KIND_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_the_tables_of_the_code),
		cmocka_unit_test(enumerations_are_the_tables_of_the_code),
		cmocka_unit_test(notifications_carry_their_objects),
	};

	return cmocka_run_group_tests(tests, read_mib, free_mib);
}
