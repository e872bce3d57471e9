/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "dirprobe.h"

static const char *const tls_names[] = {"none", "starttls", "ldaps", NULL};
static const char *const scopes[] = {"base", "one", "sub", NULL};

const struct tend_option dirprobe_options[] = {
	TEND_OPT(STRING, struct dirprobe_conf, host, "host", NULL,
		"Name or address of the server; also what its certificate must be for.",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(STRING, struct dirprobe_conf, hostaddr, "hostaddr", NULL,
		"Address to connect to instead of looking up host."),
	TEND_OPT(INT, struct dirprobe_conf, port, "port", "0",
		"Port of the server; 0: 389, or 636 with tls = ldaps.", .min = 0, .max = 65535),
	TEND_OPT(ENUM, struct dirprobe_conf, tls, "tls", "none",
		"TLS by the extended operation (starttls), from the first byte (ldaps), or none.",
		.names = tls_names),
	TEND_OPT(BOOL, struct dirprobe_conf, verify, "verify", "yes",
		"The certificate must be of an authority in ca_file, and for host."),
	TEND_OPT(STRING, struct dirprobe_conf, ca_file, "ca_file",
		"/etc/ssl/certs/ca-certificates.crt", "PEM file of the authorities to trust.",
		.flags = TEND_OPTION_FILE),
	TEND_OPT(STRING, struct dirprobe_conf, bind_dn, "bind_dn", NULL,
		"Entry to log in as; without one the log-in is anonymous."),
	TEND_OPT(SECRET, struct dirprobe_conf, password, "password", NULL, "Password of bind_dn."),
	TEND_OPT(STRING, struct dirprobe_conf, base, "base", NULL,
		"Entry below which to search. Without base, filter and attribute the log-in is "
		"all; without base alone the server's own entry is read."),
	TEND_OPT(ENUM, struct dirprobe_conf, scope, "scope", "sub",
		"The base itself, one level below it, or all below it.", .names = scopes),
	TEND_OPT(STRING, struct dirprobe_conf, filter, "filter", NULL,
		"Filter of the search, as in (uid=alice)."),
	TEND_OPT(INT, struct dirprobe_conf, min_entries, "min_entries", "1",
		"The search must find at least so many entries.", .min = 0, .max = 100000),
	TEND_OPT(INT, struct dirprobe_conf, max_entries, "max_entries", "1000",
		"The search must find at most so many entries; no more are read.", .min = 1,
		.max = 100000),
	TEND_OPT(STRING, struct dirprobe_conf, attribute, "attribute", NULL, "Attribute to read."),
	TEND_OPT(STRING, struct dirprobe_conf, expect, "expect", NULL,
		"A value that the attribute must have in one of the entries."),
	TEND_OPTION_END,
};

int dirprobe_conf_check(void *conf, struct tend_error *err)
{
	const struct dirprobe_conf *c = conf;

	if (c->expect && !c->attribute)
		return tend_error_set(err, -EINVAL, "expect needs an attribute");
	/* RFC 4513, 5.1.2: the server would take it for an anonymous log-in, and say yes. */
	if (c->bind_dn && !c->password)
		return tend_error_set(err, -EINVAL, "bind_dn needs a password");
	if (c->password && !c->bind_dn)
		return tend_error_set(err, -EINVAL, "password needs a bind_dn");
	if (c->min_entries > c->max_entries)
		return tend_error_set(err, -EINVAL, "min_entries is more than max_entries");
	return 0;
}

bool dirprobe_searches(const struct dirprobe_conf *conf)
{
	return conf->base || conf->filter || conf->attribute;
}

int dirprobe_port(const struct dirprobe_conf *conf)
{
	if (conf->port)
		return (int)conf->port;
	return conf->tls == DIRPROBE_LDAPS ? 636 : 389;
}
