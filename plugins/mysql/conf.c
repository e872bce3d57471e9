/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "myprobe.h"
#include "sqlkit/first_row.h"

static const char *const sslmodes[] = {
	"disable", "prefer", "require", "verify-ca", "verify-full", NULL};
static const char *const roles[] = {"any", "primary", "replica", NULL};
const char *const myprobe_sights[] = {
	[SIGHT_LOCKS] = "locks", [SIGHT_REPLICATION] = "replication", NULL};

const struct tend_option myprobe_options[] = {
	TEND_OPT(STRING, struct myprobe_conf, host, "host", NULL,
		"Name or address of the server; without host and hostaddr the unix socket is "
		"used."),
	TEND_OPT(STRING, struct myprobe_conf, hostaddr, "hostaddr", NULL,
		"Address to connect to instead of looking up host; host is then only what the "
		"certificate must say."),
	TEND_OPT(INT, struct myprobe_conf, port, "port", "3306", "Port of the server.", .min = 1,
		.max = 65535),
	TEND_OPT(STRING, struct myprobe_conf, socket, "socket", "/run/mysqld/mysqld.sock",
		"The server's unix socket, when neither host nor hostaddr is set."),
	TEND_OPT(STRING, struct myprobe_conf, dbname, "dbname", NULL,
		"Database to use after the log-in; none by default."),
	TEND_OPT(STRING, struct myprobe_conf, user, "user", "tend", "User to log in as."),
	TEND_OPT(SECRET, struct myprobe_conf, password, "password", NULL, "Password of the user."),
	TEND_OPT(ENUM, struct myprobe_conf, sslmode, "sslmode", "prefer",
		"How TLS is used over TCP: not at all (disable), when the server offers it "
		"(prefer), always (require), with a certificate of an authority in ca_file "
		"(verify-ca), and for the name host as well (verify-full).",
		.names = sslmodes),
	TEND_OPT(STRING, struct myprobe_conf, ca_file, "ca_file",
		"/etc/ssl/certs/ca-certificates.crt",
		"PEM file of the authorities to trust, for verify-ca and verify-full.",
		.flags = TEND_OPTION_FILE),
	TEND_OPT(STRING, struct myprobe_conf, query, "query", NULL,
		"One statement to run after the log-in, instead of a look at the server's state."),
	TEND_OPT(STRING, struct myprobe_conf, expect, "expect", NULL,
		"What the first column of the one row must be, as text."),
	TEND_OPT(STRING, struct myprobe_conf, metric, "metric", NULL,
		"Name of the metric that the first column of the one row is; * makes every column "
		"a metric of its own name."),
	TEND_OPT(ENUM, struct myprobe_conf, role, "role", "any",
		"What the server must be: a primary that takes writes (primary), a replica that "
		"runs (replica), or either (any): then replication must run where it is set up.",
		.names = roles),
	TEND_OPT(LIST, struct myprobe_conf, may_lack, "may_lack", NULL,
		"What the user need not be allowed to see: locks (with transactions), replication. "
		"Else a right that is missing is a fault, as what it hides may be one."),
	TEND_OPT(USEC, struct myprobe_conf, max_lock_wait, "max_lock_wait", "30s",
		"Somebody waits longer than this for a lock: the reason is locked, with the "
		"blockers' names. 0: never."),
	TEND_OPTION_END,
};

bool myprobe_may_lack(const struct myprobe_conf *conf, enum myprobe_sight sight)
{
	for (size_t i = 0; conf->may_lack && conf->may_lack[i]; i++)
		if (strcmp(conf->may_lack[i], myprobe_sights[sight]) == 0)
			return true;
	return false;
}

static int check_may_lack(const struct myprobe_conf *c, struct tend_error *err)
{
	for (size_t i = 0; c->may_lack && c->may_lack[i]; i++) {
		int sight = 0;

		while (myprobe_sights[sight] && strcmp(myprobe_sights[sight], c->may_lack[i]) != 0)
			sight++;
		if (!myprobe_sights[sight])
			return tend_error_set(err, -EINVAL,
				"may_lack '%s' is neither locks nor replication", c->may_lack[i]);
	}
	if (c->role == ROLE_REPLICA && myprobe_may_lack(c, SIGHT_REPLICATION))
		return tend_error_set(err, -EINVAL,
			"role = replica must see replication: leave it out of may_lack");
	return 0;
}

int myprobe_conf_check(void *conf, struct tend_error *err)
{
	const struct myprobe_conf *c = conf;
	int r = first_row_check(c->query, c->expect, c->metric, err);

	if (r < 0)
		return r;
	if (c->sslmode == SSL_VERIFY_FULL && !c->host)
		return tend_error_set(err, -EINVAL,
			"sslmode = verify-full needs host: the name in the certificate");
	if (!c->host && !c->hostaddr && (!c->socket || c->socket[0] != '/'))
		return tend_error_set(err, -EINVAL, "socket must be an absolute path");
	return check_may_lack(c, err);
}
