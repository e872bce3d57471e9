/* SPDX-License-Identifier: MIT */
/*
 * store/statements.h: everything the store can be asked, by name; the SQL is in statements.c. The
 * second column is the format that store_batch_add() and store_read() must be given (asserted): s
 * text or NULL, i int64_t, d double, j json_t * or NULL. Times are usec of the wall clock; 0 = not
 * yet (it reads back as null in the columns closed, ended, delivered_at, at_outcome).
 */
#ifndef STORE_STATEMENTS_H
#define STORE_STATEMENTS_H

/* X(CODE, "format") */
#define STORE_STATEMENTS(X)                                                                        \
	X(META_PUT, "ss")	   /* key, value */                                                \
	X(CHECK_STATE_PUT, "sji")  /* name, state_json, at; replaces */                            \
	X(CHECK_STATE_DELETE, "s") /* name */                                                      \
	X(CHECK_MEMORY_PUT,                                                                        \
		"ssji") /* name, options (their fingerprint), doc_json, at; replaces */            \
	X(CHECK_MEMORY_DELETE, "s") /* name */                                                     \
	X(INCIDENT_PUT, "sssiij") /* id, fingerprint, phase, opened, closed, doc_json; replaces */ \
	X(TIMELINE_ADD, "siss")	  /* incident, at, kind, text; seq is given by the store */        \
	X(NOTICE_PUT, "sssssij")  /* id, kind, incident, fingerprint, severity, at, doc_json */    \
	X(DELIVERY_PUT, "ssisiiissjisssjiii") /* notice, receiver, sequence, state, tries,         \
						 next_at, delivered_at, last_error, superseded_by, \
						 merged_json, added_at, via, group_key, batch,     \
						 group_json, due_at, group_wait, group_interval;   \
						 replaces */                                       \
	X(TRY_PUT, "ssiiiisiss") /* shipment (a notice or a batch), receiver, slot, n, at,         \
				    elapsed_msec, verdict, code, error, detail; replaces by        \
				    (shipment, receiver, slot) */                                  \
	X(RECEIVER_PUT,                                                                            \
		"siis") /* name, sequence, disabled_at, disabled_why; the sequence only rises */   \
	X(RUN_PUT, "sssssiij") /* id, policy, target, incident, state, started, ended, doc_json;   \
				  replaces */                                                      \
	X(SOURCE_PUT, "ss")    /* hash, text; an existing hash is left as it is */                 \
	X(STEP_INTENT,                                                                             \
		"sssji") /* run, path, verb, args_json, at; a path that exists fails the batch */  \
	X(STEP_OUTCOME, "sssij")      /* run, path, state, at, outcome_json; a path without intent \
					 fails the batch */                                        \
	X(ACTION_ADD, "sisssssisi")   /* target, at, run, path, verb, outcome, policy, own, boot,  \
					 mono; replaces by (run, path) all but the last three */   \
	X(SWITCH_PUT, "issi")	      /* enabled, author, comment, at */                           \
	X(APPROVAL_PUT, "sssssiiiij") /* id, run, path, hash, state, needed, created, expires,     \
					 ended, doc_json; replaces */                              \
	X(APPROVAL_VOTE_PUT, "ssiss") /* approval, author, at, decision (approve, deny), comment;  \
					 a second one of an author replaces his first */           \
	X(SCHEDULE_PUT, "ssij")	      /* policy, target, last tick, doc_json; replaces */          \
	X(EVENT_PUT, "sij")	      /* id, at, doc_json */                                       \
	X(EVENT_DELETE, "s")	      /* id */                                                     \
	X(STRIKE_PUT, "ssiis")	      /* policy, hash, n, disabled_at, why; replaces */            \
	X(RECORD_PUT, "sssij")	      /* kind, scope, key, at, doc_json; replaces */               \
	X(RECORD_DELETE, "sss")	      /* kind, scope, key */                                       \
	X(SILENCE_PUT, "siiij")	      /* id, starts, ends, ended, doc_json; replaces */            \
	X(FEEDBACK_PUT, "ssij")	      /* id, component, at, doc_json; its members replace */       \
	X(FEEDBACK_END, "ssis")	      /* component, incident, closed, summary: of what had none */ \
	X(COMPONENT_STATE_PUT, "sis") /* component, at, state from then on; replaces */
enum store_statement {
#define X(code, format) STORE_##code,
	STORE_STATEMENTS(X)
#undef X
		STORE_STATEMENT_MAX
};

/* X(CODE, "format") */
#define STORE_QUERIES(X)                                                                           \
	X(META, "s")		/* key: value */                                                   \
	X(CHECK_STATES, "")	/* name, state_json, at */                                         \
	X(CHECK_MEMORIES, "ii") /* most bytes of one, of all: name, options, doc_json, or NULL     \
				   where it is too long or newer ones have filled the bound */     \
	X(INCIDENTS_OPEN, "") /* id, fingerprint, phase, opened, closed, doc_json; oldest first */ \
	X(INCIDENTS_RECENT, "i") /* limit: the same of closed ones; newest first */                \
	X(INCIDENT_ONE, "s")	 /* id: the same */                                                \
	X(TIMELINE_OF, "s")	 /* incident: seq, at, kind, text; in order, the last 1,000 */     \
	X(DELIVERIES_WAITING, "sisi") /* receiver, sequence and notice after which, limit: for     \
					 alert: notice and delivery joined, in order */            \
	X(RECEIVERS_TOLD, "") /* incident, receiver, at, refused, untold (it was to be, but        \
				 nothing went): of open incidents */                               \
	X(LABELS_TOLD, "") /* incident, labels_json: of open ones; the last told last, of all */   \
	X(RECEIVERS_REMINDED, "") /* incident, receiver, at (the last), n: of open incidents */    \
	X(DELIVERIES, "ssi")	  /* incident or NULL, receiver or NULL, limit; newest first */    \
	X(DELIVERIES_OF, "s") /* notice or batch, or its beginning: the same, with n.doc_json; in  \
				 order */                                                          \
	X(TRIES_OF, "s")      /* notice or batch: shipment, receiver, n, at, elapsed_msec,         \
				 verdict, code, error, detail; in order */                         \
	X(RECEIVERS, "")      /* name, sequence, disabled_at, disabled_why */                      \
	X(RUNS, "i")	/* limit: id, policy, target, incident, state, started, ended, doc_json;   \
			   newest first */                                                         \
	X(RUN_ONE, "s") /* id or its beginning: the same; at most 2 */                             \
	X(RUNS_OF, "s") /* incident: the same; oldest first */                                     \
	X(RUNS_OF_OPEN, "")   /* the same, ended, of open incidents; oldest first */               \
	X(RUNS_LIVE, "")      /* the same, not ended; oldest first */                              \
	X(STEPS_OF, "s")      /* run: path, verb, args_json, state, at_intent, at_outcome,         \
				 outcome_json, outcome_seq; in order of intent */                  \
	X(ACTIONS_SINCE, "i") /* at: target, at, run, path, verb, outcome, policy; oldest first */ \
	X(ACTIONS_KEPT, "isi") /* at, boot, mono: those of either clock since then, in the order   \
				  in which they were begun: target, at, run, path, verb, outcome,  \
				  policy, own, mono (of that boot; else NULL) */                   \
	X(SWITCH, "")	       /* enabled, author, comment, at; no row: never touched */           \
	X(SOURCE_GET, "s")     /* hash: text */                                                    \
	X(APPROVALS, "si")     /* run or NULL, limit: id, run, path, hash, state, needed, created, \
				  expires, ended, doc_json; newest first */                        \
	X(APPROVALS_WAITING, "") /* the same, waiting or granted; oldest first */                  \
	X(APPROVAL_VOTES, "s")	 /* approval: author, at, decision, comment; oldest first */       \
	X(SCHEDULES, "")	 /* policy, target, last, doc_json */                              \
	X(EVENTS, "")		 /* id, at, doc_json; oldest first */                              \
	X(STRIKES, "")		 /* policy, hash, n, disabled_at, why */                           \
	X(RECORDS, "ssi")    /* kind, scope or NULL, limit: kind, scope, key, at, doc_json; newest \
				first */                                                           \
	X(RECORD_ONE, "sss") /* kind, scope, key: the same */                                      \
	X(INCIDENTS_SINCE, "ii") /* opened since, limit: as INCIDENT_ONE; oldest first */          \
	X(SILENCES, "ii") /* wall, limit: id, starts, ends, ended, doc_json: that have not ended,  \
			     and the last `limit` of those that have; oldest first */              \
	X(FEEDBACK_ONE, "s")	 /* id: id, component, at, doc_json */                             \
	X(FEEDBACKS, "si")	 /* component or NULL, limit: the same; newest first */            \
	X(AVAILABILITY, "iissi") /* since, until, component (NULL: all), after which, limit:       \
				    component, up_usec, down_usec, unknown_usec, failures */       \
	X(STANDINGS, "")	 /* component, state: its last one */                              \
	X(RUNS_SINCE, "ii")	 /* started since, limit: as RUNS; oldest first */                 \
	X(NOTICE_LOG, "sii")	 /* receiver, at since, limit: sequence, state, delivered_at, id,  \
				    kind, incident, fingerprint, severity, at, text; newest first */
enum store_query {
#define X(code, format) STORE_QUERY_##code,
	STORE_QUERIES(X)
#undef X
		STORE_QUERY_MAX
};

struct store_sql {
	const char *name, *format, *sql;
	int must_change; /* a statement that changes no row fails its batch: -ENOENT */
};
extern const struct store_sql store_statements[STORE_STATEMENT_MAX];
extern const struct store_sql store_queries[STORE_QUERY_MAX];

#endif
