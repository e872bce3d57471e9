/* SPDX-License-Identifier: MIT */
/*
 * snmp/mib.h: TEND-MIB as tables of rows: what has which number and type, and which member of a
 * notice or of an update for tend-agentx it comes from. The one place with numbers below
 * TEND_OID_ROOT; a test holds it against contrib/mibs/TEND-MIB.txt. Constant data, nothing to free.
 */
#ifndef SNMP_MIB_H
#define SNMP_MIB_H

#include <stddef.h>
#include <stdint.h>

enum {
	MIB_TEXT_BYTES = 255, /* of every text; SnmpAdminString (SIZE (0..255)) */
	MIB_DATE_BYTES = 11,  /* DateAndTime with its zone, which is always +0:00 */
	MIB_MAX_ROWS = 100000 /* of one table, in tend-agentx */
};

/* On the wire between our processes; see mib_type_names. */
enum mib_type {
	MIB_TEXT,      /* "s": SnmpAdminString */
	MIB_INTEGER,   /* "i": INTEGER, an enumeration */
	MIB_UNSIGNED,  /* "u": Gauge32, Unsigned32 */
	MIB_TICKS,     /* "t": TimeTicks, hundredths of a second */
	MIB_OID,       /* "o" */
	MIB_COUNTER64, /* "c64" */
	MIB_COUNTER32, /* "c" */
	MIB_DATE,      /* "d": DateAndTime; on our wire microseconds of Unix time, 0 = not known */
	MIB_AGE,       /* "a": Gauge32, seconds since; on our wire the time, 0 = none: 0 */
	MIB_TYPE_MAX,
};
extern const char *const mib_type_names[MIB_TYPE_MAX];

struct mib_object {
	const char *key;  /* member of an update */
	const char *name; /* descriptor in the MIB */
	uint32_t id;	  /* last part of its number */
	enum mib_type type;
};

/* TEND_OID_ROOT.1.1: scalars */
enum { MIB_OBJECTS = 1, MIB_DAEMON = 1, MIB_NOTICE = 20 };
extern const struct mib_object mib_daemon[];
extern const size_t mib_n_daemon;
const struct mib_object *mib_daemon_find(const char *key); /* which must be there */

/* TEND_OID_ROOT.1.ID.1.COLUMN.INDEX; the first columns are the indexes and not accessible. Rows of
 * this array are in the order of their ids, columns are numbered without gaps. */
struct mib_table {
	const char *key;
	const char *name; /* "tendSystemTable" */
	uint32_t id;
	unsigned n_indexes; /* 1 or 2 */
	const struct mib_object *columns;
	size_t n_columns;
};
enum mib_table_id {
	MIB_TABLE_SYSTEM,
	MIB_TABLE_COMPONENT,
	MIB_TABLE_CHECK,
	MIB_TABLE_INCIDENT,
	MIB_TABLE_POLICY,
	MIB_TABLE_BACKUP,
	MIB_TABLE_RECEIVER,
	MIB_TABLE_LOG, /* by receiver and sequence */
	MIB_TABLE_WINDOW,
	MIB_TABLE_MAX,
};
extern const struct mib_table mib_tables[MIB_TABLE_MAX];

/* Enumerations that are the MIB's own: the values are the places in these. */
enum { MIB_N_RUN_STATES = 7, MIB_N_BACKUP_WORTHS = 5, MIB_N_RECEIVER_HEALTHS = 4 };
extern const char *const mib_run_states[MIB_N_RUN_STATES + 1];
extern const char *const mib_backup_worths[MIB_N_BACKUP_WORTHS + 1];
extern const char *const mib_receiver_healths[MIB_N_RECEIVER_HEALTHS + 1];
enum { MIB_N_DELIVERY_STATES = 5, MIB_N_WINDOW_TYPES = 2 };
extern const char *const mib_delivery_states[MIB_N_DELIVERY_STATES + 1];
extern const char *const mib_window_types[MIB_N_WINDOW_TYPES + 1];
int mib_value(const char *const *names, const char *name); /* 0, the first, if it is not there */

/* TEND_OID_ROOT.1.20: what notifications carry, in the order in which they carry it */
enum mib_notice_object {
	MIB_NOTICE_ID,
	MIB_NOTICE_SEQUENCE,
	MIB_NOTICE_EPOCH,
	MIB_NOTICE_INCIDENT,
	MIB_NOTICE_FINGERPRINT,
	MIB_NOTICE_SEVERITY,
	MIB_NOTICE_SYSTEM,
	MIB_NOTICE_COMPONENT,
	MIB_NOTICE_CHECK,
	MIB_NOTICE_STATE,
	MIB_NOTICE_REASON,
	MIB_NOTICE_TEXT,
	MIB_NOTICE_SINCE,
	MIB_NOTICE_TIME,
	MIB_NOTICE_MAX,
};
extern const struct mib_object mib_notice[MIB_NOTICE_MAX];

#endif
