/* SPDX-License-Identifier: MIT */
/* The options of a check, and what the rows cannot say of them. */
#include "conf.h"
#include <errno.h>
#include <string.h>

static const char *const versions[] = {"2c", "3", NULL};
static const char *const families[] = {"any", "ipv4", "ipv6", NULL};
/* In the order of enum usm_auth and enum usm_priv. */
static const char *const auths[] = {"SHA-256", "SHA-384", "SHA-512", NULL};
static const char *const privs[] = {"none", "AES-128", "AES-192", "AES-256", NULL};

const struct tend_option agent_options[] = {
	TEND_OPT(STRING, struct agent_conf, host, "host", NULL, "Name or address of the agent.",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(INT, struct agent_conf, port, "port", "161", "Its UDP port.", .min = 1,
		.max = 65535),
	TEND_OPT(ENUM, struct agent_conf, family, "family", "any",
		"Which address of the name to use: the first, or the first of this family.",
		.names = families),
	TEND_OPT(ENUM, struct agent_conf, version, "version", "3",
		"SNMPv3 with a user, or SNMPv2c, whose community goes unencrypted.",
		.names = versions),
	TEND_OPT(SECRET, struct agent_conf, community, "community", NULL, "Community of SNMPv2c."),
	TEND_OPT(STRING, struct agent_conf, user, "user", NULL, "User of SNMPv3."),
	TEND_OPT(ENUM, struct agent_conf, auth, "auth", "SHA-256",
		"How messages are signed; MD5 and SHA-1 are too weak and not served.",
		.names = auths),
	TEND_OPT(SECRET, struct agent_conf, auth_password, "auth_password", NULL,
		"Its password, 8 characters or more."),
	TEND_OPT(ENUM, struct agent_conf, priv, "priv", "AES-128",
		"How messages are encrypted; DES is too weak and not served. none: they are not.",
		.names = privs),
	TEND_OPT(SECRET, struct agent_conf, priv_password, "priv_password", NULL,
		"Its password, 8 characters or more."),
	TEND_OPT(STRING, struct agent_conf, context, "context", NULL,
		"Context of SNMPv3, of an agent that has several."),
	TEND_OPT(MAP, struct agent_conf, get, "get", NULL,
		"OID in numbers, with its instance (.0), to read; it becomes the metric of this "
		"name. A counter becomes a rate per second, TimeTicks seconds; a text that is no "
		"number only stands in the result."),
	TEND_OPT(MAP, struct agent_conf, walk, "walk", NULL,
		"OID of a column of a table to read, as a metric with an instance a row."),
	TEND_OPT(STRING, struct agent_conf, label, "instance", NULL,
		"OID of the column whose texts name the rows of walk.; without it their index "
		"does."),
	TEND_OPT(LIST, struct agent_conf, where, "where", NULL,
		"OID=VALUE: only rows with this value in that column are looked at."),
	TEND_OPT(LIST, struct agent_conf, ignore, "ignore", NULL,
		"Patterns (lo, docker*) of instances that are left out."),
	TEND_OPT(STRING, struct agent_conf, decimals, "decimals", NULL,
		"OID of the column that says how many decimals each row's integers have."),
	TEND_OPT(MAP, struct agent_conf, expect, "expect", NULL,
		"What the value of this name must be, as number, text or word: 2 or 2|3."),
	TEND_OPT(MAP, struct agent_conf, words, "words", NULL,
		"What the numbers of an enumeration mean, as in 1=unknown, 2=normal."),
	TEND_OPT(MAP, struct agent_conf, units, "unit", NULL,
		"Unit of the metric of this name: s, ms, us, %, B or c."),
	TEND_OPT(MAP, struct agent_conf, scales, "scale", NULL,
		"What the value of this name is multiplied by (0.1) or divided by (/10)."),
	TEND_OPT(MAP, struct agent_conf, shares, "share", NULL,
		"A metric in percent: PART, WHOLE of two names of get. or of walk."),
	TEND_OPT(LIST, struct agent_conf, totals, "total", NULL,
		"Names of counters that are wanted as they are, not as rates."),
	TEND_OPT(LIST, struct agent_conf, optional, "optional", NULL,
		"Names that an agent need not have."),
	TEND_OPT(INT, struct agent_conf, min_rows, "min_rows", "1",
		"At least so many rows must be there.", .min = 0, .max = 500),
	TEND_OPT(INT, struct agent_conf, max_rows, "max_rows", "64",
		"More rows than this are an error; no more are read.", .min = 1, .max = 500),
	TEND_OPT(INT, struct agent_conf, repetitions, "repetitions", "20",
		"Rows to ask for at once (GETBULK).", .min = 1, .max = 50),
	TEND_OPT(USEC, struct agent_conf, resend, "resend", "1s",
		"A question without an answer is sent again after this time, at the latest after a "
		"quarter of the timeout.",
		.min = 50000, .max = 60000000),
	TEND_OPTION_END,
};

static int check_password(const char *name, const char *password, struct tend_error *err)
{
	if (!password)
		return tend_error_set(err, -EINVAL, "version 3 needs %s", name);
	if (strlen(password) < USM_PASSWORD_MIN_CHARS || strlen(password) > USM_PASSWORD_MAX_CHARS)
		return tend_error_set(err, -EINVAL, "%s must have %d to %d characters", name,
			(int)USM_PASSWORD_MIN_CHARS, (int)USM_PASSWORD_MAX_CHARS);
	return 0;
}

static int check_v3(const struct agent_conf *c, struct tend_error *err)
{
	int r;

	if (c->community)
		return tend_error_set(err, -EINVAL, "community is of version = 2c");
	if (!c->user || !c->user[0] || strlen(c->user) > USM_NAME_MAX_BYTES)
		return tend_error_set(err, -EINVAL, "version 3 needs a user of 1 to %d bytes",
			(int)USM_NAME_MAX_BYTES);
	if (c->context && strlen(c->context) > 255)
		return tend_error_set(err, -EINVAL, "context has more than 255 bytes");
	r = check_password("auth_password", c->auth_password, err);
	if (r == 0 && c->priv != USM_NO_PRIV)
		r = check_password("priv_password", c->priv_password, err);
	if (r == 0 && c->priv == USM_NO_PRIV && c->priv_password)
		r = tend_error_set(err, -EINVAL, "priv_password needs a priv");
	return r;
}

static int check_v2c(const struct agent_conf *c, struct tend_error *err)
{
	if (c->user || c->auth_password || c->priv_password || c->context)
		return tend_error_set(
			err, -EINVAL, "user, passwords and context are of version = 3");
	if (!c->community || strlen(c->community) > 255)
		return tend_error_set(
			err, -EINVAL, "version 2c needs a community of at most 255 bytes");
	return 0;
}

int agent_conf_check(void *conf, struct tend_error *err)
{
	struct agent_conf *c = conf;
	int r;

	if (!c->host[0])
		return tend_error_set(err, -EINVAL, "host is empty");
	if (c->min_rows > c->max_rows)
		return tend_error_set(err, -EINVAL, "min_rows is more than max_rows");
	r = c->version ? check_v3(c, err) : check_v2c(c, err);
	return r == 0 ? plan_new(c, err, &c->plan) : r;
}

void agent_conf_clear(void *conf)
{
	struct agent_conf *c = conf;

	c->plan = plan_free(c->plan);
}
