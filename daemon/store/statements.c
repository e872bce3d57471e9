/* SPDX-License-Identifier: MIT */
#include "store/statements.h"

#define RUN_COLUMNS	 "id, policy, target, incident, state, started, ended, doc_json"
#define INCIDENT_COLUMNS "id, fingerprint, phase, opened, closed, doc_json"
#define APPROVAL_COLUMNS "id, run, path, hash, state, needed, created, expires, ended, doc_json"
#define DELIVERY_COLUMNS                                                                           \
	"d.notice AS notice, d.receiver AS receiver, d.sequence AS sequence, d.state AS state, "   \
	"d.tries AS tries, d.next_at AS next_at, d.delivered_at AS delivered_at, "                 \
	"d.last_error AS last_error, d.superseded_by AS superseded_by, "                           \
	"d.added_at AS added_at, d.via AS via, d.group_key AS group_key, d.batch AS batch, "       \
	"d.group_json AS group_json, "                                                             \
	"n.kind AS kind, n.incident AS incident, n.fingerprint AS fingerprint, "                   \
	"n.severity AS severity, n.at AS at"

/* One literal a format, so that the tables below stay constant expressions. */
#define X(code, format) static const char statement_format_##code[] = format;
STORE_STATEMENTS(X)
#undef X
#define X(code, format) static const char query_format_##code[] = format;
STORE_QUERIES(X)
#undef X

#define STATEMENT(code, text, ...)                                                                 \
	[STORE_##code] = {                                                                         \
		.name = #code, .format = statement_format_##code, .sql = text, __VA_ARGS__}
#define QUERY(code, text)                                                                          \
	[STORE_QUERY_##code] = {.name = #code, .format = query_format_##code, .sql = text}

const struct store_sql store_statements[STORE_STATEMENT_MAX] = {
	STATEMENT(META_PUT, "INSERT INTO meta(key, value) VALUES(?1, ?2) "
			    "ON CONFLICT(key) DO UPDATE SET value = excluded.value"),
	STATEMENT(CHECK_STATE_PUT, "INSERT INTO check_state(name, state_json, at) "
				   "VALUES(?1, ?2, ?3) ON CONFLICT(name) DO UPDATE SET "
				   "state_json = excluded.state_json, at = excluded.at"),
	STATEMENT(CHECK_STATE_DELETE, "DELETE FROM check_state WHERE name = ?1"),
	STATEMENT(CHECK_MEMORY_PUT,
		"INSERT INTO check_memory(name, options, doc_json, at) VALUES(?1, ?2, ?3, ?4) "
		"ON CONFLICT(name) DO UPDATE SET options = excluded.options, "
		"doc_json = excluded.doc_json, at = excluded.at"),
	STATEMENT(CHECK_MEMORY_DELETE, "DELETE FROM check_memory WHERE name = ?1"),
	STATEMENT(INCIDENT_PUT,
		"INSERT INTO incident(" INCIDENT_COLUMNS ") "
		"VALUES(?1, ?2, ?3, ?4, nullif(?5, 0), ?6) ON CONFLICT(id) DO UPDATE SET "
		"fingerprint = excluded.fingerprint, phase = excluded.phase, "
		"opened = excluded.opened, closed = excluded.closed, doc_json = excluded.doc_json"),
	STATEMENT(TIMELINE_ADD,
		"INSERT INTO timeline(incident, seq, at, kind, text) "
		"VALUES(?1, (SELECT coalesce(max(seq), 0) + 1 FROM timeline WHERE incident = ?1), "
		"?2, ?3, ?4)"),
	STATEMENT(NOTICE_PUT,
		"INSERT INTO notice(id, kind, incident, fingerprint, severity, at, "
		"doc_json) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(id) DO UPDATE SET "
		"doc_json = ?7 WHERE doc_json IS NOT ?7"),
	STATEMENT(DELIVERY_PUT,
		"INSERT INTO delivery(notice, receiver, sequence, state, tries, "
		"next_at, delivered_at, last_error, superseded_by, merged_json, added_at, via, "
		"group_key, batch, group_json, due_at, group_wait, group_interval) "
		"VALUES(?1, ?2, ?3, ?4, ?5, ?6, nullif(?7, 0), ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
		"?15, ?16, ?17, ?18) "
		"ON CONFLICT(notice, receiver) DO UPDATE SET sequence = excluded.sequence, "
		"state = excluded.state, tries = excluded.tries, next_at = excluded.next_at, "
		"delivered_at = excluded.delivered_at, last_error = excluded.last_error, "
		"superseded_by = excluded.superseded_by, merged_json = excluded.merged_json, "
		"batch = excluded.batch, due_at = excluded.due_at"),
	STATEMENT(TRY_PUT,
		"INSERT INTO try(shipment, receiver, slot, n, at, elapsed_msec, verdict, code, "
		"error, detail) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, nullif(?8, 0), ?9, ?10) "
		"ON CONFLICT(shipment, receiver, slot) DO UPDATE SET n = excluded.n, "
		"at = excluded.at, elapsed_msec = excluded.elapsed_msec, "
		"verdict = excluded.verdict, code = excluded.code, error = excluded.error, "
		"detail = excluded.detail"),
	STATEMENT(RECEIVER_PUT,
		"INSERT INTO receiver(name, sequence, disabled_at, disabled_why) "
		"VALUES(?1, ?2, ?3, ?4) ON CONFLICT(name) DO UPDATE SET "
		"sequence = max(sequence, excluded.sequence), "
		"disabled_at = excluded.disabled_at, disabled_why = excluded.disabled_why"),
	STATEMENT(RUN_PUT,
		"INSERT INTO run(" RUN_COLUMNS ", source, library) "
		"VALUES(?1, ?2, ?3, ?4, ?5, ?6, nullif(?7, 0), ?8, json_extract(?8, '$.source'), "
		"json_extract(?8, '$.library_hash')) ON CONFLICT(id) DO UPDATE SET "
		"source = excluded.source, library = excluded.library, "
		"policy = excluded.policy, target = excluded.target, incident = excluded.incident, "
		"state = excluded.state, started = excluded.started, ended = excluded.ended, "
		"doc_json = excluded.doc_json"),
	STATEMENT(SOURCE_PUT, "INSERT INTO source(hash, text) VALUES(?1, ?2) "
			      "ON CONFLICT(hash) DO NOTHING"),
	STATEMENT(STEP_INTENT, "INSERT INTO step(run, path, verb, args_json, state, at_intent) "
			       "VALUES(?1, ?2, ?3, ?4, 'intent', ?5)"),
	STATEMENT(STEP_OUTCOME,
		"UPDATE step SET state = ?3, at_outcome = nullif(?4, 0), "
		"outcome_json = ?5, outcome_seq = (SELECT coalesce(max(outcome_seq), 0) + 1 "
		"FROM step WHERE run = ?1) WHERE run = ?1 AND path = ?2",
		.must_change = 1),
	STATEMENT(ACTION_ADD,
		"INSERT INTO action(target, at, run, path, verb, outcome, policy, own, boot, mono) "
		"VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT(run, path) DO UPDATE "
		"SET target = excluded.target, at = excluded.at, verb = excluded.verb, "
		"outcome = excluded.outcome, policy = excluded.policy"),
	STATEMENT(SWITCH_PUT, "INSERT INTO switch(id, enabled, author, comment, at) "
			      "VALUES(1, ?1, ?2, ?3, ?4) ON CONFLICT(id) DO UPDATE SET "
			      "enabled = excluded.enabled, author = excluded.author, "
			      "comment = excluded.comment, at = excluded.at"),
	STATEMENT(APPROVAL_PUT,
		"INSERT INTO approval(" APPROVAL_COLUMNS ") "
		"VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, nullif(?9, 0), ?10) "
		"ON CONFLICT(id) DO UPDATE SET state = excluded.state, ended = excluded.ended, "
		"expires = excluded.expires, doc_json = excluded.doc_json"),
	STATEMENT(APPROVAL_VOTE_PUT,
		"INSERT INTO approval_vote(approval, author, at, decision, comment) "
		"VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(approval, author) DO UPDATE SET "
		"at = excluded.at, decision = excluded.decision, comment = excluded.comment"),
	STATEMENT(SCHEDULE_PUT,
		"INSERT INTO schedule(policy, target, last, doc_json) VALUES(?1, ?2, ?3, ?4) "
		"ON CONFLICT(policy, target) DO UPDATE SET last = excluded.last, "
		"doc_json = excluded.doc_json"),
	STATEMENT(EVENT_PUT, "INSERT INTO event(id, at, doc_json) VALUES(?1, ?2, ?3)"),
	STATEMENT(EVENT_DELETE, "DELETE FROM event WHERE id = ?1"),
	STATEMENT(STRIKE_PUT,
		"INSERT INTO strike(policy, hash, n, disabled_at, why) "
		"VALUES(?1, ?2, ?3, nullif(?4, 0), ?5) ON CONFLICT(policy) DO UPDATE SET "
		"hash = excluded.hash, n = excluded.n, disabled_at = excluded.disabled_at, "
		"why = excluded.why"),
	STATEMENT(RECORD_PUT,
		"INSERT INTO record(kind, scope, key, at, doc_json) VALUES(?1, ?2, ?3, ?4, ?5) "
		"ON CONFLICT(kind, scope, key) DO UPDATE SET at = excluded.at, "
		"doc_json = excluded.doc_json"),
	STATEMENT(SILENCE_PUT,
		"INSERT INTO silence(id, starts, ends, ended, doc_json) "
		"VALUES(?1, ?2, ?3, nullif(?4, 0), ?5) ON CONFLICT(id) DO UPDATE SET "
		"ended = excluded.ended, doc_json = excluded.doc_json"),
	STATEMENT(FEEDBACK_PUT,
		"INSERT INTO feedback(id, component, at, doc_json) VALUES(?1, ?2, ?3, ?4) "
		"ON CONFLICT(id) DO UPDATE SET "
		"doc_json = json_patch(feedback.doc_json, excluded.doc_json)"),
	STATEMENT(FEEDBACK_END,
		"UPDATE feedback SET doc_json = json_set(doc_json, '$.incident', ?2, '$.ended', "
		"?3, '$.summary', ?4) WHERE component = ?1 AND at <= ?3 AND "
		"json_extract(doc_json, '$.ended') IS NULL"),
	STATEMENT(RECORD_DELETE, "DELETE FROM record WHERE kind = ?1 AND scope = ?2 AND key = ?3"),
	STATEMENT(COMPONENT_STATE_PUT,
		"INSERT OR REPLACE INTO component_state(component, at, state) "
		"VALUES(?1, ?2, ?3)"),
};

const struct store_sql store_queries[STORE_QUERY_MAX] = {
	QUERY(META, "SELECT value FROM meta WHERE key = ?1"),
	QUERY(CHECK_STATES, "SELECT name, state_json, at FROM check_state ORDER BY name"),
	/* What held at the beginning, then every change. A fault that nobody watched for a while,
	 * as Tend was restarted or did not know, and that is still there then, is one outage. What
	 * was not there at all in that time has no row. */
	QUERY(AVAILABILITY,
		"WITH said AS (SELECT component, at, state FROM component_state WHERE (?3 IS NULL "
		"OR component = ?3) AND component > ?4), edge AS (SELECT component, ?1 AS at, "
		"state FROM (SELECT component, max(at), state FROM said WHERE at <= ?1 GROUP BY "
		"component) UNION ALL SELECT component, at, state FROM said WHERE at > ?1 AND at < "
		"?2), kinds AS (SELECT component, at, CASE WHEN state IN ('ok', 'warning') THEN "
		"'up' WHEN state IN ('critical', 'unreachable') THEN 'down' WHEN state = "
		"'unmonitored' THEN 'gone' ELSE 'unknown' END AS kind FROM edge), spans AS (SELECT "
		"component, kind, lead(at, 1, ?2) OVER w - at AS length FROM kinds WINDOW w AS "
		"(PARTITION BY component ORDER BY at)), known AS (SELECT component, kind, "
		"lag(kind) OVER w AS before FROM kinds WHERE kind IN ('up', 'down') WINDOW w AS "
		"(PARTITION BY component ORDER BY at)), failed AS (SELECT component, count(*) AS n "
		"FROM known WHERE kind = 'down' AND before IS NOT 'down' GROUP BY component) "
		"SELECT component, sum(iif(kind = 'up', length, 0)) AS up_usec, sum(iif(kind = "
		"'down', length, 0)) AS down_usec, sum(iif(kind IN ('unknown', 'gone'), length, "
		"0)) AS unknown_usec, coalesce(n, 0) AS failures FROM spans LEFT JOIN failed USING "
		"(component) GROUP BY component HAVING sum(kind <> 'gone') > 0 ORDER BY component "
		"LIMIT ?5"),
	/* The last of each, found by its key and not by reading them all. */
	QUERY(STANDINGS,
		"WITH RECURSIVE name(component) AS (SELECT min(component) FROM component_state "
		"UNION ALL SELECT (SELECT min(component) FROM component_state c WHERE c.component "
		"> name.component) FROM name WHERE name.component IS NOT NULL) SELECT component, "
		"(SELECT state FROM component_state c WHERE c.component = name.component ORDER BY "
		"at DESC LIMIT 1) AS state FROM name WHERE component IS NOT NULL"),
	QUERY(CHECK_MEMORIES,
		"WITH sized AS (SELECT name, at, length(CAST(doc_json AS BLOB)) AS size FROM "
		"check_memory), summed AS (SELECT name, size, sum(iif(size <= ?1, size, 0)) OVER "
		"(ORDER BY at DESC, name ROWS UNBOUNDED PRECEDING) AS total FROM sized) SELECT "
		"m.name AS name, m.options AS options, iif(s.size <= ?1 AND s.total <= ?2, "
		"m.doc_json, NULL) AS doc_json FROM summed s JOIN check_memory m ON m.name = "
		"s.name ORDER BY m.name"),
	QUERY(INCIDENTS_OPEN, "SELECT " INCIDENT_COLUMNS " FROM incident WHERE closed IS NULL "
			      "ORDER BY opened, id"),
	QUERY(INCIDENTS_RECENT, "SELECT " INCIDENT_COLUMNS " FROM incident "
				"WHERE closed IS NOT NULL ORDER BY closed DESC, id DESC LIMIT ?1"),
	QUERY(INCIDENT_ONE, "SELECT " INCIDENT_COLUMNS " FROM incident WHERE id = ?1"),
	QUERY(TIMELINE_OF, "SELECT seq, at, kind, text FROM (SELECT * FROM timeline "
			   "WHERE incident = ?1 ORDER BY seq DESC LIMIT 1000) ORDER BY seq"),
	QUERY(DELIVERIES_WAITING,
		"SELECT " DELIVERY_COLUMNS ", d.merged_json AS merged_json, "
		"d.due_at AS due_at, d.group_wait AS group_wait, "
		"d.group_interval AS group_interval, n.doc_json AS doc_json FROM delivery d JOIN "
		"notice n ON n.id = d.notice "
		"WHERE d.state = 'waiting' AND d.receiver = ?1 AND (d.sequence, d.notice) > (?2, "
		"?3) "
		"ORDER BY d.sequence, d.notice LIMIT ?4"),
	/* What was shed, or refused before any try, was never told. */
	QUERY(RECEIVERS_TOLD, "SELECT i.id AS incident, d.receiver AS receiver, n.at AS at, "
			      "n.kind = 'incident.raised' AND d.state = 'failed' AND d.tries = 1 "
			      "AND EXISTS (SELECT 1 FROM try t WHERE t.shipment = "
			      "ifnull(d.batch, d.notice) AND t.receiver = d.receiver AND "
			      "t.verdict IN ('failed', 'gone')) AS refused, "
			      "d.tries = 0 AND d.state IN ('failed', 'expired') AS untold "
			      "FROM incident i "
			      "JOIN notice n ON n.incident = i.id "
			      "AND n.kind IN ('incident.raised', 'incident.changed') "
			      "JOIN delivery d ON d.notice = n.id WHERE i.closed IS NULL "
			      "AND NOT (n.kind = 'incident.changed' AND d.tries = 0 "
			      "AND d.state IN ('failed', 'expired')) "
			      "ORDER BY i.opened, i.id, n.at, d.sequence"),
	/* Without what says how it was just then: of each set of the others one row. */
	QUERY(LABELS_TOLD,
		"SELECT i.id AS incident, json_remove(json_extract(n.doc_json, '$.labels'), "
		"'$.state', '$.reason', '$.class') AS labels_json FROM incident i "
		"JOIN notice n ON n.incident = i.id "
		"AND n.kind IN ('incident.raised', 'incident.changed') WHERE i.closed IS NULL "
		"GROUP BY i.id, labels_json ORDER BY max(n.at), max(n.id)"),
	QUERY(RECEIVERS_REMINDED,
		"SELECT i.id AS incident, d.receiver AS receiver, max(n.at) AS at, count(*) AS n "
		"FROM incident i JOIN notice n ON n.incident = i.id "
		"AND n.kind = 'incident.reminder' JOIN delivery d ON d.notice = n.id "
		"WHERE i.closed IS NULL GROUP BY i.id, d.receiver"),
	QUERY(DELIVERIES,
		"SELECT " DELIVERY_COLUMNS " FROM notice n "
		"JOIN delivery d ON d.notice = n.id WHERE (?1 IS NULL OR n.incident = ?1) "
		"AND (?2 IS NULL OR d.receiver = ?2) ORDER BY n.at DESC, n.id DESC, d.receiver "
		"LIMIT ?3"),
	QUERY(DELIVERIES_OF,
		"SELECT " DELIVERY_COLUMNS ", d.merged_json AS merged_json, "
		"n.doc_json AS doc_json FROM delivery d JOIN notice n ON n.id = d.notice "
		"WHERE d.notice BETWEEN ?1 AND ?1 || '~' UNION ALL "
		"SELECT " DELIVERY_COLUMNS ", d.merged_json AS merged_json, "
		"n.doc_json AS doc_json FROM delivery d JOIN notice n ON n.id = d.notice "
		"WHERE d.batch BETWEEN ?1 AND ?1 || '~' "
		"AND d.notice NOT BETWEEN ?1 AND ?1 || '~' ORDER BY receiver, sequence LIMIT 1000"),
	QUERY(TRIES_OF,
		"SELECT shipment, receiver, n, at, elapsed_msec, verdict, code, error, detail "
		"FROM try WHERE shipment = ?1 UNION ALL "
		"SELECT t.shipment, t.receiver, t.n, t.at, t.elapsed_msec, t.verdict, t.code, "
		"t.error, t.detail FROM delivery d JOIN try t ON t.shipment = d.batch "
		"AND t.receiver = d.receiver WHERE d.notice = ?1 AND d.batch <> ?1 "
		"ORDER BY receiver, at, n"),
	QUERY(RECEIVERS, "SELECT name, sequence, disabled_at, disabled_why FROM receiver "
			 "ORDER BY name"),
	QUERY(RUNS, "SELECT " RUN_COLUMNS " FROM run ORDER BY started DESC, id DESC LIMIT ?1"),
	QUERY(RUN_ONE, "SELECT " RUN_COLUMNS " FROM run "
		       "WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id LIMIT 2"),
	QUERY(RUNS_OF, "SELECT " RUN_COLUMNS " FROM run WHERE incident = ?1 ORDER BY started, id"),
	QUERY(RUNS_OF_OPEN,
		"SELECT " RUN_COLUMNS " FROM run WHERE ended IS NOT NULL AND incident IN "
		"(SELECT id FROM incident WHERE closed IS NULL) ORDER BY started, id"),
	QUERY(RUNS_LIVE, "SELECT " RUN_COLUMNS " FROM run WHERE ended IS NULL "
			 "ORDER BY started, id"),
	QUERY(STEPS_OF, "SELECT path, verb, args_json, state, at_intent, at_outcome, outcome_json, "
			"outcome_seq FROM step WHERE run = ?1 ORDER BY rowid"),
	QUERY(ACTIONS_SINCE, "SELECT target, at, run, path, verb, outcome, policy FROM action "
			     "WHERE at >= ?1 ORDER BY at, run, path"),
	QUERY(ACTIONS_KEPT, "SELECT target, at, run, path, verb, outcome, policy, own, "
			    "CASE WHEN boot = ?2 THEN mono END AS mono FROM action "
			    "WHERE at >= ?1 OR (boot = ?2 AND mono >= ?3) ORDER BY rowid"),
	QUERY(SWITCH, "SELECT enabled, author, comment, at FROM switch WHERE id = 1"),
	QUERY(SOURCE_GET, "SELECT text FROM source WHERE hash = ?1"),
	QUERY(APPROVALS, "SELECT " APPROVAL_COLUMNS " FROM approval WHERE (?1 IS NULL OR run = ?1) "
			 "ORDER BY created DESC, id DESC LIMIT ?2"),
	QUERY(APPROVALS_WAITING, "SELECT " APPROVAL_COLUMNS " FROM approval "
				 "WHERE state IN ('waiting', 'granted') ORDER BY created, id"),
	QUERY(APPROVAL_VOTES, "SELECT author, at, decision, comment FROM approval_vote "
			      "WHERE approval = ?1 ORDER BY at, author"),
	QUERY(SCHEDULES, "SELECT policy, target, last, doc_json FROM schedule"),
	QUERY(EVENTS, "SELECT id, at, doc_json FROM event ORDER BY rowid"),
	QUERY(STRIKES, "SELECT policy, hash, n, disabled_at, why FROM strike"),
	QUERY(RECORDS, "SELECT kind, scope, key, at, doc_json FROM record WHERE kind = ?1 "
		       "AND (?2 IS NULL OR scope = ?2) ORDER BY at DESC, scope, key LIMIT ?3"),
	QUERY(RECORD_ONE, "SELECT kind, scope, key, at, doc_json FROM record "
			  "WHERE kind = ?1 AND scope = ?2 AND key = ?3"),
	QUERY(INCIDENTS_SINCE, "SELECT " INCIDENT_COLUMNS " FROM incident WHERE opened >= ?1 "
			       "ORDER BY opened, id LIMIT ?2"),
	QUERY(SILENCES,
		"SELECT id, starts, ends, ended, doc_json FROM (SELECT * FROM silence "
		"WHERE ended IS NULL AND ends > ?1 UNION ALL SELECT * FROM (SELECT * FROM silence "
		"WHERE ended IS NOT NULL OR ends <= ?1 ORDER BY id DESC LIMIT ?2)) ORDER BY id"),
	QUERY(FEEDBACK_ONE, "SELECT id, component, at, doc_json FROM feedback WHERE id = ?1"),
	QUERY(FEEDBACKS, "SELECT id, component, at, doc_json FROM feedback "
			 "WHERE ?1 IS NULL OR component = ?1 ORDER BY at DESC, id DESC LIMIT ?2"),
	QUERY(RUNS_SINCE, "SELECT " RUN_COLUMNS " FROM run WHERE started >= ?1 "
			  "ORDER BY started, id LIMIT ?2"),
	QUERY(NOTICE_LOG,
		"SELECT d.sequence AS sequence, d.state AS state, d.delivered_at AS delivered_at, "
		"n.id AS id, n.kind AS kind, n.incident AS incident, "
		"n.fingerprint AS fingerprint, n.severity AS severity, n.at AS at, "
		"json_extract(n.doc_json, '$.text') AS text FROM notice n "
		"JOIN delivery d ON d.notice = n.id AND d.receiver = ?1 WHERE n.at >= ?2 "
		"ORDER BY n.at DESC, n.id DESC LIMIT ?3"),
};
