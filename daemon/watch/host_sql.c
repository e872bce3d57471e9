/* SPDX-License-Identifier: MIT */
/* tend_sql(): a question to the plugin that serves a [database], in an attempt of its own that ends
 * with the one that asked. */
#include <errno.h>
#include "base/clock.h"
#include "watch/host_private.h"

/* The database's own reason (connect-timeout, too-slow) must come before the check's deadline. */
#define SQL_MARGIN_USEC (30 * USEC_PER_MSEC)

static void cancel_sql(struct held *h)
{
	attempt_abandon(h->u.sql.call);
}

static void host_answered(struct attempt_end *end, void *data)
{
	struct held *h = data;
	struct tend_attempt *a = h->attempt;
	tend_sql_fn fn = h->u.sql.fn;
	void *fn_data = h->fn_data;
	enum tend_reason reason = end->reason;

	held_drop(h);
	if (reason == TEND_REASON_OK && !end->outcome)
		reason = TEND_REASON_PROTOCOL;
	fn(a, reason, end->text, reason == TEND_REASON_OK ? end->outcome : NULL, fn_data);
}

static const struct conf_database *find_database(const struct tend_attempt *a, const char *name)
{
	const struct conf_check *check;

	if (name)
		return map_get(&a->spec.owner->databases, name);
	check = map_get(&a->spec.owner->checks, a->name);
	return check && check->component ? check->component->database : NULL;
}

static json_t *query_args(const char *sql, const json_t *params, size_t max_rows)
{
	json_t *args = json_pack("{s:s, s:I}", "sql", sql, "max_rows", (json_int_t)max_rows);

	if (args && params && json_object_set(args, "params", (json_t *)(uintptr_t)params) < 0) {
		json_decref(args);
		return NULL;
	}
	return args;
}

int tend_sql(struct tend_attempt *a, const char *database, const char *sql,
	const struct json_t *params, size_t max_rows, tend_sql_fn fn, void *data)
{
	const struct conf_database *found = find_database(a, database);
	usec_t deadline = tend_attempt_deadline(a), now = clock_now();
	auto_json json_t *args = NULL;
	struct attempt_spec spec = {
		.owner = a->spec.owner,
		.name = a->name,
		.timeout = deadline > now + SQL_MARGIN_USEC ? deadline - now - SQL_MARGIN_USEC : 1,
		.method = "sql.query",
		.done = host_answered,
	};
	struct held *h;
	int r;

	if (!found || !found->service)
		return -ENOENT;
	args = query_args(sql, params, max_rows);
	h = args ? held_new(a, cancel_sql, data) : NULL;
	if (!h)
		return -ENOMEM;
	h->u.sql.fn = fn;
	spec.probe = found->service;
	spec.probe_conf = found->query_conf;
	spec.args = args;
	spec.data = h;
	r = attempt_start(a->host, &spec, &h->u.sql.call);
	if (r < 0)
		held_drop(h);
	return r;
}
