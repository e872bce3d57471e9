/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>
#include "base/str.h"
#include "store/private.h"

/* A run's step keeps its rowid: it is the order of intents. */
static const char version_1[] =
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE check_state(name TEXT PRIMARY KEY, state_json TEXT NOT NULL,"
	" at INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE incident(id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, phase TEXT NOT NULL,"
	" opened INTEGER NOT NULL, closed INTEGER, doc_json TEXT);"
	"CREATE INDEX incident_open ON incident(opened) WHERE closed IS NULL;"
	"CREATE INDEX incident_closed ON incident(closed) WHERE closed IS NOT NULL;"
	"CREATE TABLE timeline(incident TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,"
	" kind TEXT NOT NULL, text TEXT, PRIMARY KEY(incident, seq)) WITHOUT ROWID;"
	"CREATE TABLE notice(id TEXT PRIMARY KEY, kind TEXT NOT NULL, incident TEXT,"
	" fingerprint TEXT, severity TEXT NOT NULL, at INTEGER NOT NULL, doc_json TEXT NOT NULL);"
	"CREATE INDEX notice_at ON notice(at);"
	"CREATE INDEX notice_incident ON notice(incident, at);"
	"CREATE TABLE delivery(notice TEXT NOT NULL, receiver TEXT NOT NULL,"
	" sequence INTEGER NOT NULL, state TEXT NOT NULL CHECK(state IN"
	" ('waiting', 'delivered', 'failed', 'superseded', 'expired')), tries INTEGER NOT NULL,"
	" next_at INTEGER, delivered_at INTEGER, last_error TEXT, superseded_by TEXT,"
	" merged_json TEXT, added_at INTEGER NOT NULL, via TEXT, PRIMARY KEY(notice, receiver))"
	" WITHOUT ROWID;"
	"CREATE INDEX delivery_waiting ON delivery(receiver, sequence) WHERE state = 'waiting';"
	"CREATE TABLE receiver(name TEXT PRIMARY KEY, sequence INTEGER NOT NULL,"
	" disabled_at INTEGER NOT NULL DEFAULT 0, disabled_why TEXT) WITHOUT ROWID;"
	"CREATE TABLE run(id TEXT PRIMARY KEY, policy TEXT NOT NULL, target TEXT, incident TEXT,"
	" state TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER, doc_json TEXT);"
	"CREATE INDEX run_started ON run(started);"
	"CREATE INDEX run_live ON run(started) WHERE ended IS NULL;"
	"CREATE INDEX run_incident ON run(incident) WHERE incident IS NOT NULL;"
	"CREATE TABLE source(hash TEXT PRIMARY KEY, text TEXT NOT NULL);"
	"CREATE TABLE step(run TEXT NOT NULL, path TEXT NOT NULL, verb TEXT NOT NULL,"
	" args_json TEXT, state TEXT NOT NULL CHECK(state IN"
	" ('intent', 'done', 'failed', 'refused', 'unknown')), at_intent INTEGER NOT NULL,"
	" at_outcome INTEGER, outcome_json TEXT, PRIMARY KEY(run, path));"
	"CREATE TABLE action(target TEXT NOT NULL, at INTEGER NOT NULL, run TEXT NOT NULL,"
	" path TEXT NOT NULL, verb TEXT NOT NULL, outcome TEXT, PRIMARY KEY(run, path));"
	"CREATE INDEX action_at ON action(at);"
	"CREATE TABLE switch(id INTEGER PRIMARY KEY CHECK(id = 1), enabled INTEGER NOT NULL,"
	" author TEXT, comment TEXT, at INTEGER NOT NULL);";

/* Policies that admins can trust: approvals, schedules, strikes, records; a step's outcome_seq is
 * the order in which the outcomes of a run became known, which is the order a replay answers in. */
static const char version_2[] =
	"ALTER TABLE step ADD COLUMN outcome_seq INTEGER;"
	"ALTER TABLE action ADD COLUMN policy TEXT;"
	"CREATE TABLE approval(id TEXT PRIMARY KEY, run TEXT NOT NULL, path TEXT NOT NULL,"
	" hash TEXT NOT NULL, state TEXT NOT NULL CHECK(state IN"
	" ('waiting', 'granted', 'denied', 'expired', 'used', 'void')), needed INTEGER NOT NULL,"
	" created INTEGER NOT NULL, expires INTEGER NOT NULL, ended INTEGER, doc_json TEXT);"
	"CREATE INDEX approval_run ON approval(run, path);"
	"CREATE INDEX approval_created ON approval(created);"
	"CREATE TABLE approval_vote(approval TEXT NOT NULL, author TEXT NOT NULL, at INTEGER NOT "
	"NULL,"
	" decision TEXT NOT NULL CHECK(decision IN ('approve', 'deny')), comment TEXT,"
	" PRIMARY KEY(approval, author)) WITHOUT ROWID;"
	"CREATE TABLE schedule(policy TEXT NOT NULL, target TEXT NOT NULL, last INTEGER NOT NULL,"
	" doc_json TEXT, PRIMARY KEY(policy, target)) WITHOUT ROWID;"
	"CREATE TABLE strike(policy TEXT PRIMARY KEY, hash TEXT NOT NULL, n INTEGER NOT NULL,"
	" disabled_at INTEGER, why TEXT) WITHOUT ROWID;"
	"CREATE TABLE record(kind TEXT NOT NULL, scope TEXT NOT NULL, key TEXT NOT NULL,"
	" at INTEGER NOT NULL, doc_json TEXT NOT NULL, PRIMARY KEY(kind, scope, key)) WITHOUT "
	"ROWID;";

/* What pruning looks for, without walking whole tables. */
static const char version_3[] = "CREATE INDEX record_at ON record(kind, scope, at);"
				"CREATE INDEX schedule_last ON schedule(last);"
				"CREATE INDEX strike_none ON strike(policy) WHERE n = 0 AND"
				" disabled_at IS NULL;"
				"ALTER TABLE run ADD COLUMN source TEXT;"
				"ALTER TABLE run ADD COLUMN library TEXT;"
				"UPDATE run SET source = json_extract(doc_json, '$.source'),"
				" library = json_extract(doc_json, '$.library_hash');"
				"CREATE INDEX run_source ON run(source);"
				"CREATE INDEX run_library ON run(library);";

/* Notices: what goes together, and every try of it. */
static const char version_4[] =
	"ALTER TABLE delivery ADD COLUMN group_key TEXT;"
	"ALTER TABLE delivery ADD COLUMN batch TEXT;"
	"ALTER TABLE delivery ADD COLUMN group_json TEXT;"
	"CREATE INDEX delivery_batch ON delivery(batch) WHERE batch IS NOT NULL;"
	"CREATE TABLE try(shipment TEXT NOT NULL, receiver TEXT NOT NULL, slot INTEGER NOT NULL,"
	" n INTEGER NOT NULL, at INTEGER NOT NULL, elapsed_msec INTEGER NOT NULL,"
	" verdict TEXT NOT NULL, code INTEGER, error TEXT, detail TEXT,"
	" PRIMARY KEY(shipment, receiver, slot)) WITHOUT ROWID;"
	"CREATE INDEX try_at ON try(at);"
	"CREATE TABLE silence(id TEXT PRIMARY KEY, starts INTEGER NOT NULL, ends INTEGER NOT NULL,"
	" ended INTEGER, doc_json TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE feedback(id TEXT PRIMARY KEY, component TEXT NOT NULL, at INTEGER NOT NULL,"
	" doc_json TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX feedback_at ON feedback(at);";

/* When a delivery was to go, and the pace of its group, which the configuration may say no more. */
static const char version_5[] = "ALTER TABLE delivery ADD COLUMN due_at INTEGER;"
				"ALTER TABLE delivery ADD COLUMN group_wait INTEGER;"
				"ALTER TABLE delivery ADD COLUMN group_interval INTEGER;";

/* What the attempts of a check remember, and the options it was remembered under. */
static const char version_6[] =
	"CREATE TABLE check_memory(name TEXT PRIMARY KEY, options TEXT NOT NULL,"
	" doc_json TEXT NOT NULL, at INTEGER NOT NULL);"
	"CREATE TABLE component_state(component TEXT NOT NULL, at INTEGER NOT NULL,"
	" state TEXT NOT NULL, PRIMARY KEY(component, at)) WITHOUT ROWID;"
	"CREATE INDEX component_state_at ON component_state(at);";

/* An action: is it on an account of its policy's own; and when it was by the monotonic clock of
 * which boot, since the time of day may step. What happened, until its policies are started. */
static const char version_7[] = "ALTER TABLE action ADD COLUMN own INTEGER;"
				"ALTER TABLE action ADD COLUMN boot TEXT;"
				"ALTER TABLE action ADD COLUMN mono INTEGER;"
				"CREATE TABLE event(id TEXT PRIMARY KEY, at INTEGER NOT NULL,"
				" doc_json TEXT NOT NULL);";

const char *const schema_migrations[] = {
	version_1, version_2, version_3, version_4, version_5, version_6, version_7};
const int schema_version = (int)ARRAY_SIZE(schema_migrations);

static int backup_steps(sqlite3 *from, sqlite3 *to)
{
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
	int r;

	if (!backup)
		return sqlite_errno(to, sqlite3_errcode(to));
	do {
		r = sqlite3_backup_step(backup, 1000);
	} while (r == SQLITE_OK);
	(void)sqlite3_backup_finish(backup);
	return r == SQLITE_DONE ? 0 : sqlite_errno(to, r);
}

static int schema_backup(sqlite3 *db, const char *path, int version, struct tend_error *err)
{
	auto_free char *copy = str_printf("%s.v%d-backup", path, version);
	auto(database_close) sqlite3 *to = NULL;
	int r;

	if (!copy)
		return -ENOMEM;
	(void)unlink(copy);
	r = sqlite3_open_v2(copy, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	r = r == SQLITE_OK ? backup_steps(db, to) : sqlite_errno(to, r);
	if (r < 0)
		return tend_error_set(err, r, "cannot copy '%s' to '%s' before its migration: %s",
			path, copy, strerror(-r));
	return 0;
}

int schema_migrate(sqlite3 *db, const char *path, const char *const *migrations, int from, int to,
	struct tend_error *err)
{
	auto_free char *version = str_printf("PRAGMA user_version = %d", to);
	int r;

	if (!version)
		return -ENOMEM;
	r = from > 0 ? schema_backup(db, path, from, err) : 0;
	if (r == 0)
		r = database_exec(db, "BEGIN IMMEDIATE", err);
	if (r < 0)
		return r;
	for (int v = from; v < to && r == 0; v++)
		r = database_exec(db, migrations[v], err);
	if (r == 0)
		r = database_exec(db, version, err);
	if (r == 0)
		r = database_exec(db, "COMMIT", err);
	if (r < 0)
		(void)database_exec(db, "ROLLBACK", NULL);
	return r;
}
