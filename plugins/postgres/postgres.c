/* SPDX-License-Identifier: MIT */
/* The postgres probe, and the verbs sql.*: what the core sees of this plugin. */
#include "postgres.h"
#include <string.h>
#include "session.h"

static int postgres_start(struct tend_attempt *a, const void *conf)
{
	return postgres_check_start(a, conf);
}

static int postgres_call(
	struct tend_attempt *a, const void *conf, const char *method, const struct json_t *args)
{
	return postgres_call_start(a, conf, method, args);
}

static void postgres_cancel(struct tend_attempt *a)
{
	session_free(tend_attempt_data(a));
}

/* With metric = * they are the columns of whatever the query gives. */
static size_t postgres_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	const struct postgres_conf *c = conf;
	size_t n = 0;

	if (c->metric && strcmp(c->metric, "*") == 0)
		return 0;
	ret_names[n++] = "total_seconds";
	ret_names[n++] = "connect_seconds";
	if (c->query)
		ret_names[n++] = "query_seconds";
	if (c->metric)
		ret_names[n++] = c->metric;
	return n;
}

static const struct tend_probe postgres_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "postgres",
	.doc = "Logs in to a PostgreSQL server, runs a query and judges its row.",
	.options = postgres_options,
	.conf_size = sizeof(struct postgres_conf),
	.check = postgres_conf_check,
	.start = postgres_start,
	.cancel = postgres_cancel,
	.call = postgres_call,
	.metrics = postgres_metrics,
};
TEND_PROBE(postgres, &postgres_probe);
