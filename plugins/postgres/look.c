/* SPDX-License-Identifier: MIT */
/*
 * Looks at the server's state: the questions of questions.c one after the other, on one
 * connection. A fault of one look keeps no other from being asked; the worst is the reason. All
 * memory hangs on the session.
 */
#include "postgres.h"
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "questions.h"
#include "session.h"

enum { MAX_PARTS_BYTES = 480, MAX_SQL_BYTES = 4096, MAX_COUNTERS = 4 };

struct counter {
	char name[32];
	double value;
};

struct look {
	const struct postgres_conf *conf;
	const struct postgres_question *asked; /* NULL: the first question */
	size_t i_next;			       /* of conf->look */
	bool monitor;			       /* the role may see others' sessions */
	char role[64], schema[140];
	enum tend_reason reason; /* OK: no fault yet */
	char faults[MAX_PARTS_BYTES], parts[MAX_PARTS_BYTES], denied[160];
	struct counter counters[MAX_COUNTERS];
	size_t n_counters;
};

/* From the worst on: the first of them that was seen is the reason. */
static const struct {
	const char *what;
	enum tend_reason reason;
} faults[] = {
	{"!connections-full", TEND_REASON_CONNECTIONS_FULL},
	{"!locked", TEND_REASON_LOCKED},
	{"!replication-broken", TEND_REASON_REPLICATION_BROKEN},
	{"!access-denied", TEND_REASON_ACCESS_DENIED},
};
enum { N_FAULTS = sizeof(faults) / sizeof(faults[0]) };

static size_t rank(enum tend_reason reason)
{
	size_t i = 0;

	while (i < N_FAULTS && faults[i].reason != reason)
		i++;
	return i;
}

static void append(char *buf, size_t size, const char *separator, const char *part)
{
	size_t n = strlen(buf);

	(void)snprintf(buf + n, size - n, "%s%s", n ? separator : "", part);
}

static void take_fault(struct look *l, const char *what, const char *text)
{
	for (size_t i = 0; i < N_FAULTS; i++) {
		if (strcmp(what, faults[i].what) != 0)
			continue;
		if (i < rank(l->reason))
			l->reason = faults[i].reason;
		append(l->faults, sizeof(l->faults), "; ", text);
	}
}

static void take_counter(struct look *l, const char *name, double value)
{
	struct counter *c = &l->counters[l->n_counters];

	if (l->n_counters == MAX_COUNTERS)
		return;
	(void)snprintf(c->name, sizeof(c->name), "%s", name);
	c->value = value;
	l->n_counters++;
}

static void take_row(struct session *s, struct look *l, const PGresult *result)
{
	const char *name = PQgetvalue(result, 0, 0), *about = PQgetvalue(result, 0, 1);
	double value = strtod(PQgetvalue(result, 0, 2), NULL);

	if (name[0] == '.')
		append(l->parts, sizeof(l->parts), "; ", about);
	else if (name[0] == '!')
		take_fault(l, name, about);
	else if (PQgetisnull(result, 0, 2) || !isfinite(value))
		return;
	else if (name[0] == '#')
		take_counter(l, name + 1, value);
	else
		(void)tend_attempt_metric_of(
			session_attempt(s), name, about, value, postgres_metric_unit(name));
}

static void take_first(struct look *l, const PGresult *result)
{
	l->monitor = strcmp(PQgetvalue(result, 0, 0), "t") == 0;
	(void)snprintf(l->role, sizeof(l->role), "%s", PQgetvalue(result, 0, 1));
	(void)snprintf(l->schema, sizeof(l->schema), "%s", PQgetvalue(result, 0, 2));
}

static void tell_cache_hits(struct session *s, struct look *l, double percent)
{
	char text[48];

	(void)tend_attempt_metric(session_attempt(s), "cache_hit_percent", percent, "%");
	(void)snprintf(text, sizeof(text), "%.1f %% of blocks from the cache", percent);
	append(l->parts, sizeof(l->parts), "; ", text);
}

/* What the server did between the attempt before and this one; not since it was started. */
static void add_cache_hits(struct session *s, struct look *l)
{
	struct tend_attempt *a = session_attempt(s);
	const json_t *before = tend_attempt_memory(a);
	json_t *now = json_object();
	double grown[2] = {0, 0};
	bool known = l->n_counters == 2;

	for (size_t i = 0; i < l->n_counters; i++) {
		const json_t *old = json_object_get(before, l->counters[i].name);

		known = known && json_is_number(old);
		if (known)
			grown[i] = l->counters[i].value - json_number_value(old);
		(void)json_object_set_new(
			now, l->counters[i].name, json_real(l->counters[i].value));
	}
	if (now && l->n_counters > 0)
		(void)tend_attempt_remember(a, now);
	else
		json_decref(now);
	if (known && grown[0] >= 0 && grown[1] >= 0 && grown[0] + grown[1] > 0)
		tell_cache_hits(s, l, 100 * grown[0] / (grown[0] + grown[1]));
}

static void finish(struct session *s, struct look *l)
{
	char text[1024];

	if (l->denied[0]) {
		(void)snprintf(text, sizeof(text),
			"the role %s lacks pg_read_all_stats (grant pg_monitor to it) for: %s",
			l->role, l->denied);
		take_fault(l, "!access-denied", text);
	}
	add_cache_hits(s, l);
	(void)snprintf(text, sizeof(text), "%s%s%s", l->faults,
		l->faults[0] && l->parts[0] ? "; " : "", l->parts);
	session_finish(s, l->reason, text[0] ? text : "looked");
}

static bool skipped(struct look *l, const struct postgres_question *q)
{
	if (q->needs_monitor && !l->monitor) {
		append(l->denied, sizeof(l->denied), ", ", q->look);
		return true;
	}
	if (q->takes_schema && !l->schema[0]) {
		append(l->parts, sizeof(l->parts), "; ",
			"the extension pg_stat_statements is not in this database");
		return true;
	}
	return false;
}

static bool ask(struct session *s, const struct look *l, const struct postgres_question *q)
{
	char sql[MAX_SQL_BYTES], wait[32];
	const char *values[] = {wait}, *place = q->takes_schema ? strstr(q->sql, "%s") : NULL;
	int n = place ? (int)(place - q->sql) : 0;

	(void)snprintf(
		wait, sizeof(wait), "%.3f", (double)l->conf->max_lock_wait / (double)USEC_PER_SEC);
	if (place)
		(void)snprintf(sql, sizeof(sql), "%.*s%s%s", n, q->sql, l->schema, place + 2);
	return session_query(s, place ? sql : q->sql, q->takes_wait ? 1 : 0, values) >= 0;
}

static bool look_connected(struct session *s, void *owner)
{
	if (session_query(s, postgres_first_question, 0, NULL) < 0) {
		session_finish(s, TEND_REASON_PROTOCOL, "the question cannot be sent");
		return false;
	}
	return true;
}

static bool look_result(struct session *s, const PGresult *result, void *owner)
{
	struct look *l = owner;

	if (PQntuples(result) == 0 || PQnfields(result) != 3)
		return true;
	if (l->asked)
		take_row(s, l, result);
	else
		take_first(l, result);
	return true;
}

static bool look_done(struct session *s, void *owner)
{
	struct look *l = owner;

	while (l->conf->look[l->i_next]) {
		const struct postgres_question *q =
			postgres_question_find(l->conf->look[l->i_next++]);

		if (!q || skipped(l, q))
			continue;
		l->asked = q;
		if (ask(s, l, q))
			return true;
		session_finish(s, TEND_REASON_PROTOCOL, "the question cannot be sent");
		return false;
	}
	finish(s, l);
	return false;
}

static void look_failed(struct session *s, enum tend_reason reason, const char *text, void *owner)
{
	const struct look *l = owner;
	char buf[1024];

	(void)snprintf(buf, sizeof(buf), "%s%s%s", l->asked ? l->asked->look : "",
		l->asked ? ": " : "", text);
	session_finish(s, reason, buf);
}

static const struct session_handlers handlers = {
	.connected = look_connected,
	.result = look_result,
	.done = look_done,
	.failed = look_failed,
	.free_owner = free,
};

int postgres_look_start(struct tend_attempt *a, const struct postgres_conf *conf)
{
	struct look *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->conf = conf;
	l->reason = TEND_REASON_OK;
	return session_start(a, conf, &handlers, l);
}
