/* SPDX-License-Identifier: MIT */
/* One question after another, and the end of a run. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "sqlkit.h"

void sqlkit_begin(struct sqlkit *kit, struct tend_attempt *a, void (*clear)(struct sqlkit *kit))
{
	kit->attempt = a;
	kit->clear = clear;
	tend_attempt_set_data(a, kit);
}

void sqlkit_finish(struct sqlkit *kit, enum tend_reason reason, const char *format, ...)
{
	struct tend_attempt *a = kit->attempt;
	char text[SQLKIT_TEXT_BYTES];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)tend_attempt_metric(
		a, "total_seconds", (double)(tend_now() - tend_attempt_started(a)) / 1e6, "s");
	tend_attempt_set_data(a, NULL);
	kit->clear(kit);
	tend_attempt_finish(a, reason, "%s", text);
}

double sqlkit_wall(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void sqlkit_cancel(struct tend_attempt *a)
{
	struct sqlkit *kit = tend_attempt_data(a);

	tend_attempt_set_data(a, NULL);
	if (kit)
		kit->clear(kit);
}

static void answered(struct tend_attempt *a, enum tend_reason reason, const char *text,
	const json_t *rows, void *data)
{
	struct sqlkit *kit = data;
	struct sqlkit_table table;

	if (reason != TEND_REASON_OK)
		sqlkit_finish(kit, reason, "%s", text);
	else if (!sqlkit_table_read(rows, &table))
		sqlkit_finish(kit, TEND_REASON_PROTOCOL, "the database's plugin gave no table");
	else
		kit->fn(kit, &table);
}

void sqlkit_ask(struct sqlkit *kit, const char *database, const char *sql, json_t *params,
	size_t max_rows, sqlkit_fn fn)
{
	int r;

	kit->fn = fn;
	kit->n_asked++;
	r = tend_sql(kit->attempt, database, sql, params, max_rows, answered, kit);
	json_decref(params);
	if (r == -ENOENT)
		sqlkit_finish(kit, TEND_REASON_NO_EVIDENCE, "there is no [database %s]",
			database ? database : "of the component");
	else if (r < 0)
		sqlkit_finish(kit, TEND_REASON_INTERNAL, "the database cannot be asked: %s",
			strerror(-r));
}
