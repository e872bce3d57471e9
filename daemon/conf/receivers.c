/* SPDX-License-Identifier: MIT */
/* What a type of receiver needs, and what it has no use for. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "conf/conf_internal.h"
#include "conf/options.h"

enum { PASSWORD_MIN_BYTES = 8, PASSWORD_MAX_BYTES = 256, USER_MAX_BYTES = 32 };

#define OF(type) (1u << RECEIVER_##type)

/* Which keys belong to which types; a key that is not here belongs to all. */
static const struct {
	const char *key;
	unsigned types; /* bit by enum conf_receiver_type */
} owned[] = {
	{"url", OF(WEBHOOK) | OF(SMTP)},
	{"secret", OF(WEBHOOK)},
	{"secret_old", OF(WEBHOOK)},
	{"ca_file", OF(WEBHOOK) | OF(SMTP)},
	{"cert_file", OF(WEBHOOK) | OF(SMTP)},
	{"key_file", OF(WEBHOOK) | OF(SMTP)},
	{"token", OF(WEBHOOK)},
	{"format", OF(WEBHOOK)},
	{"sign", OF(WEBHOOK)},
	{"allow", OF(WEBHOOK) | OF(SMTP)},
	{"host", OF(SNMP)},
	{"notify", OF(SNMP)},
	{"version", OF(SNMP)},
	{"user", OF(SNMP) | OF(SMTP)},
	{"auth_protocol", OF(SNMP)},
	{"auth_password", OF(SNMP)},
	{"priv_protocol", OF(SNMP)},
	{"priv_password", OF(SNMP)},
	{"community", OF(SNMP)},
	{"password", OF(SMTP)},
	{"from", OF(SMTP)},
	{"to", OF(SMTP)},
	{"tls", OF(SMTP)},
	{"command", OF(EXEC)},
};

static bool port_is_valid(const char *text)
{
	int64_t port;

	return conf_parse_int(text, &port) == 0 && port >= 1 && port <= 65535;
}

static bool is_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool host_is_valid(const char *host, bool bracketed)
{
	struct in6_addr v6;

	if (bracketed)
		return inet_pton(AF_INET6, host, &v6) == 1;
	return *host && strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789-._") == strlen(host);
}

/* HOST, HOST:PORT or [IPv6]:PORT. */
bool check_host_port(const char *text, bool port_required, bool loopback_only)
{
	char host[256];
	bool bracketed = *text == '[';
	size_t n = strcspn(text + bracketed, bracketed ? "]" : ":");
	const char *after = text + bracketed + n;

	if (n >= sizeof(host) || (bracketed && *after++ != ']'))
		return false;
	memcpy(host, text + bracketed, n);
	host[n] = '\0';
	if (!host_is_valid(host, bracketed) || (loopback_only && !is_loopback(host)))
		return false;
	if (!*after)
		return !port_required;
	return *after == ':' && port_is_valid(after + 1);
}

/* One that is there and was refused has had its error. */
void receiver_needs(
	struct builder *b, const struct conf_section *section, const char *key, const char *what)
{
	const struct conf_key *given = conf_section_key(section, key);

	if (!given || !*given->value)
		conf_section_error(section, key, b->errors, "[receiver %s] needs '%s' (%s)",
			section->name, key, what);
}

static void check_password(struct builder *b, const struct conf_section *section, const char *key,
	const char *password)
{
	if (password && strlen(password) < PASSWORD_MIN_BYTES)
		conf_section_error(section, key, b->errors,
			"%s: SNMPv3 wants at least %d characters (RFC 3414)", key,
			PASSWORD_MIN_BYTES);
	if (password && strlen(password) > PASSWORD_MAX_BYTES)
		conf_section_error(section, key, b->errors, "%s: has more than %d bytes", key,
			PASSWORD_MAX_BYTES);
}

/* The reader has said what there is; these say why what was known once is not among it. */
static void check_protocols(struct builder *b, const struct conf_section *section)
{
	static const struct {
		const char *key, *value, *why;
	} weak[] = {
		{"auth_protocol", "MD5", "MD5 is broken; use SHA-256, also at the manager"},
		{"auth_protocol", "SHA", "SHA-1 is too weak; use SHA-256, also at the manager"},
		{"auth_protocol", "SHA-1", "SHA-1 is too weak; use SHA-256, also at the manager"},
		{"auth_protocol", "SHA-224",
			"SHA-224 is too weak; use SHA-256, also at the manager"},
		{"priv_protocol", "DES", "DES is broken; use AES, also at the manager"},
		{"priv_protocol", "3DES", "3DES is too weak; use AES, also at the manager"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(weak); i++) {
		const struct conf_key *given = conf_section_key(section, weak[i].key);

		if (given && given->value && strcasecmp(given->value, weak[i].value) == 0)
			conf_section_error(section, weak[i].key, b->errors, "%s: %s", weak[i].key,
				weak[i].why);
	}
}

static void check_snmp_host(struct builder *b, const struct conf_section *section, const char *host)
{
	char address[INET6_ADDRSTRLEN];
	unsigned char raw[sizeof(struct in6_addr)];

	if (!host)
		return;
	snprintf(address, sizeof(address), "%.*s", (int)strcspn(host, ":"), host);
	if (!check_host_port(host, false, false) ||
		(*host != '[' && inet_pton(AF_INET, address, raw) != 1))
		conf_section_error(section, "host", b->errors,
			"host: '%.200s' is not ADDRESS or ADDRESS:PORT, without a name; an IPv6 "
			"address stands in [brackets]",
			host);
}

static void check_snmp_user(
	struct builder *b, const struct conf_section *section, const struct conf_receiver *receiver)
{
	receiver_needs(b, section, "user", "for version = 3");
	receiver_needs(b, section, "auth_password", "for version = 3");
	receiver_needs(b, section, "priv_password", "for version = 3");
	if (receiver->user && strlen(receiver->user) > USER_MAX_BYTES)
		conf_section_error(section, "user", b->errors,
			"user: has more than %d bytes (RFC 3414)", USER_MAX_BYTES);
	check_password(b, section, "auth_password", receiver->auth_password);
	check_password(b, section, "priv_password", receiver->priv_password);
}

/* What was given and refused has had its error; nothing follows from it. */
static bool is_refused(const struct conf_section *section, const char *key, int value)
{
	return value < 0 && conf_section_key(section, key);
}

static void check_snmp(
	struct builder *b, const struct conf_section *section, struct conf_receiver *receiver)
{
	bool bad_version = is_refused(section, "version", receiver->snmp_version);
	bool bad_notify = is_refused(section, "notify", receiver->snmp_notify);

	/* Not defaults of the rows, which would show in the dump of a webhook. */
	receiver->snmp_version = MAX(receiver->snmp_version, 0);
	receiver->snmp_notify = MAX(receiver->snmp_notify, 0);
	receiver->auth_protocol = MAX(receiver->auth_protocol, 0);
	receiver->priv_protocol = MAX(receiver->priv_protocol, 0);
	receiver_needs(b, section, "host", "ADDRESS:PORT of the manager");
	check_snmp_host(b, section, receiver->host);
	check_protocols(b, section);
	if (bad_version)
		return;
	if (receiver->snmp_version == CONF_SNMP_1 && receiver->snmp_notify != CONF_SNMP_TRAP &&
		!bad_notify)
		conf_section_error(section, "version", b->errors,
			"version: SNMPv1 has no informs; write `notify = trap', which nobody "
			"acknowledges");
	if (receiver->snmp_version == CONF_SNMP_3)
		check_snmp_user(b, section, receiver);
	else
		receiver_needs(b, section, "community", "for version = 2c and 1");
}

/* "webhook or smtp" */
static void name_types(unsigned types, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (int i = 0; i < RECEIVER_TYPE_MAX && len < size; i++)
		if (types & 1u << i)
			len += (size_t)snprintf(buf + len, size - len, "%s%s", len ? " or " : "",
				conf_receiver_type_names[i]);
}

static void check_owners(
	struct builder *b, const struct conf_section *section, const struct conf_receiver *receiver)
{
	char types[64];

	for (size_t i = 0; i < ARRAY_SIZE(owned); i++) {
		if (owned[i].types & 1u << receiver->type ||
			!conf_section_key(section, owned[i].key))
			continue;
		name_types(owned[i].types, types, sizeof(types));
		conf_section_error(section, owned[i].key, b->errors,
			"%s: this key is for type = %s", owned[i].key, types);
	}
	if (receiver->args && receiver->type != RECEIVER_EXEC)
		conf_section_error(
			section, NULL, b->errors, "arg.*: these keys are for type = exec");
}

void check_receiver(
	struct builder *b, const struct conf_section *section, struct conf_receiver *receiver)
{
	check_owners(b, section, receiver);
	if (receiver->heartbeat && receiver->type != RECEIVER_WEBHOOK &&
		receiver->type != RECEIVER_SNMP)
		conf_section_error(section, "heartbeat", b->errors,
			"heartbeat: only a webhook or an SNMP manager can watch for one");
	if (receiver->retry_min > receiver->retry_max)
		conf_section_error(
			section, "retry_min", b->errors, "retry_min: it is longer than retry_max");
	if (receiver->type == RECEIVER_WEBHOOK)
		check_webhook(b, section, receiver);
	else if (receiver->type == RECEIVER_SNMP)
		check_snmp(b, section, receiver);
	else if (receiver->type == RECEIVER_SMTP)
		check_smtp(b, section, receiver);
	else
		check_exec(b, section, receiver);
}
