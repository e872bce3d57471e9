/* SPDX-License-Identifier: MIT */
/* The postgres probe, and the verbs sql.*: what the core sees of this plugin. */
#include "postgres.h"
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
};
TEND_PROBE(postgres, &postgres_probe);
