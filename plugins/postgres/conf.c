/* SPDX-License-Identifier: MIT */
#include "postgres.h"
#include <errno.h>
#include <string.h>
#include "questions.h"
#include "sqlkit/first_row.h"

const char *const postgres_sslmodes[] = {
	"disable", "prefer", "require", "verify-ca", "verify-full", NULL};

const struct tend_option postgres_options[] = {
	TEND_OPT(STRING, struct postgres_conf, host, "host", NULL,
		"Name or address of the server, or the folder of its unix socket; the default is "
		"/run/postgresql when hostaddr is not set either."),
	TEND_OPT(STRING, struct postgres_conf, hostaddr, "hostaddr", NULL,
		"Address to connect to instead of looking up host; host is then only what the "
		"certificate must say."),
	TEND_OPT(INT, struct postgres_conf, port, "port", "5432", "Port of the server.", .min = 1,
		.max = 65535),
	TEND_OPT(STRING, struct postgres_conf, dbname, "dbname", "postgres",
		"Database to log in to."),
	TEND_OPT(STRING, struct postgres_conf, user, "user", "tend", "Role to log in as."),
	TEND_OPT(SECRET, struct postgres_conf, password, "password", NULL, "Password of the role."),
	TEND_OPT(ENUM, struct postgres_conf, sslmode, "sslmode", "prefer",
		"How TLS is used, as libpq defines it.", .names = postgres_sslmodes),
	TEND_OPT(STRING, struct postgres_conf, ca_file, "ca_file",
		"/etc/ssl/certs/ca-certificates.crt",
		"PEM file of the authorities to trust, for verify-ca and verify-full."),
	TEND_OPT(STRING, struct postgres_conf, query, "query", NULL,
		"One statement to run after the log-in; without one the log-in is all."),
	TEND_OPT(STRING, struct postgres_conf, expect, "expect", NULL,
		"What the first column of the one row must be, as text."),
	TEND_OPT(STRING, struct postgres_conf, metric, "metric", NULL,
		"Name of the metric that the first column of the one row is; * makes every column "
		"a "
		"metric of its own name."),
	TEND_OPT(LIST, struct postgres_conf, look, "look", NULL,
		"What of the server's state to look at: connections, blocked, transactions, "
		"replication, archiving, wraparound, bloat, cache, statements, indexes."),
	TEND_OPT(USEC, struct postgres_conf, max_lock_wait, "max_lock_wait", "30s",
		"look = blocked: a session that waits longer for a lock is a fault; 0: none is."),
	TEND_OPTION_END,
};

static int check_look(const struct postgres_conf *c, struct tend_error *err)
{
	if (c->look && c->query)
		return tend_error_set(
			err, -EINVAL, "look and query exclude each other: make two checks");
	for (size_t i = 0; c->look && c->look[i]; i++) {
		if (!postgres_question_find(c->look[i]))
			return tend_error_set(err, -EINVAL,
				"look '%s' is none of connections, blocked, transactions, "
				"replication, archiving, wraparound, bloat, cache, statements, "
				"indexes",
				c->look[i]);
		for (size_t j = 0; j < i; j++)
			if (strcmp(c->look[i], c->look[j]) == 0)
				return tend_error_set(
					err, -EINVAL, "look '%s' stands there twice", c->look[i]);
	}
	return 0;
}

int postgres_conf_check(void *conf, struct tend_error *err)
{
	const struct postgres_conf *c = conf;
	int r = first_row_check(c->query, c->expect, c->metric, err);

	if (r < 0)
		return r;
	if (c->hostaddr && c->host && c->host[0] == '/')
		return tend_error_set(
			err, -EINVAL, "host is the folder of a unix socket: hostaddr has no use");
	if (c->sslmode == 4 && !c->host)
		return tend_error_set(err, -EINVAL,
			"sslmode = verify-full needs host: the name in the certificate");
	return check_look(c, err);
}
