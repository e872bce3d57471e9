/* SPDX-License-Identifier: MIT */
/* What a type of receiver needs, and what it has no use for. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "base/base64.h"
#include "conf/conf_internal.h"
#include "conf/options.h"

enum { KEY_MIN_BYTES = 16, PASSWORD_MIN_BYTES = 8 };

/* Which keys belong to which type; a key that is not here belongs to all. */
static const struct {
	const char *key;
	enum conf_receiver_type type;
} owned[] = {
	{"url", RECEIVER_WEBHOOK},
	{"secret", RECEIVER_WEBHOOK},
	{"secret_old", RECEIVER_WEBHOOK},
	{"ca_file", RECEIVER_WEBHOOK},
	{"host", RECEIVER_SNMP},
	{"version", RECEIVER_SNMP},
	{"user", RECEIVER_SNMP},
	{"auth_protocol", RECEIVER_SNMP},
	{"auth_password", RECEIVER_SNMP},
	{"priv_protocol", RECEIVER_SNMP},
	{"priv_password", RECEIVER_SNMP},
	{"community", RECEIVER_SNMP},
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
static void needs(
	struct builder *b, const struct conf_section *section, const char *key, const char *what)
{
	const struct conf_key *given = conf_section_key(section, key);

	if (!given || !*given->value)
		conf_section_error(section, key, b->errors, "[receiver %s] needs '%s' (%s)",
			section->name, key, what);
}

/* whsec_BASE64, as https://www.standardwebhooks.com writes its keys; its text is never shown. */
static void check_key(
	struct builder *b, const struct conf_section *section, const char *key, const char *secret)
{
	auto_free void *data = NULL;
	size_t len = 0;

	if (!secret)
		return;
	if (!str_startswith(secret, "whsec_") || base64_decode(secret + 6, &data, &len) < 0)
		conf_section_error(section, key, b->errors,
			"%s: what stands there is not a key of Standard Webhooks: whsec_ and then "
			"base64",
			key);
	else if (len < KEY_MIN_BYTES)
		conf_section_error(section, key, b->errors,
			"%s: the key has %zu bytes, at least %d are needed", key, len,
			KEY_MIN_BYTES);
	if (data)
		explicit_bzero(data, len);
}

static bool url_is_valid(const char *url)
{
	const char *host = str_startswith(url, "https://")  ? url + 8
			   : str_startswith(url, "http://") ? url + 7
							    : NULL;

	return host && *host && !strchr("/:?#", *host) && !strpbrk(url, " \t\n\"<>\\");
}

static void check_webhook(
	struct builder *b, const struct conf_section *section, const struct conf_receiver *receiver)
{
	needs(b, section, "url", "where notices are posted");
	needs(b, section, "secret", "key of the signature, file:PATH or cred:NAME");
	if (receiver->url && !url_is_valid(receiver->url))
		conf_section_error(section, "url", b->errors,
			"url: '%.200s' is not an http:// or https:// address", receiver->url);
	check_key(b, section, "secret", receiver->secret);
	check_key(b, section, "secret_old", receiver->secret_old);
	if (receiver->ca_file && receiver->ca_file[0] != '/')
		conf_section_error(section, "ca_file", b->errors,
			"ca_file: '%.200s' is not an absolute path", receiver->ca_file);
}

static void check_password(struct builder *b, const struct conf_section *section, const char *key,
	const char *password)
{
	if (password && strlen(password) < PASSWORD_MIN_BYTES)
		conf_section_error(section, key, b->errors,
			"%s: SNMPv3 wants at least %d characters (RFC 3414)", key,
			PASSWORD_MIN_BYTES);
}

static void check_snmp(
	struct builder *b, const struct conf_section *section, struct conf_receiver *receiver)
{
	/* Not defaults of the rows, which would show in the dump of a webhook. */
	receiver->snmp_version = MAX(receiver->snmp_version, 0);
	receiver->auth_protocol = MAX(receiver->auth_protocol, 0);
	receiver->priv_protocol = MAX(receiver->priv_protocol, 0);
	needs(b, section, "host", "ADDRESS:PORT of the manager");
	if (receiver->host && !check_host_port(receiver->host, false, false))
		conf_section_error(section, "host", b->errors,
			"host: '%.200s' is not ADDRESS or ADDRESS:PORT; an IPv6 address stands in "
			"[brackets]",
			receiver->host);
	if (receiver->snmp_version == CONF_SNMP_2C) {
		needs(b, section, "community", "for version = 2c");
		return;
	}
	needs(b, section, "user", "for version = 3");
	needs(b, section, "auth_password", "for version = 3");
	needs(b, section, "priv_password", "for version = 3");
	check_password(b, section, "auth_password", receiver->auth_password);
	check_password(b, section, "priv_password", receiver->priv_password);
}

void check_receiver(
	struct builder *b, const struct conf_section *section, struct conf_receiver *receiver)
{
	for (size_t i = 0; i < ARRAY_SIZE(owned); i++)
		if ((int)owned[i].type != receiver->type && conf_section_key(section, owned[i].key))
			conf_section_error(section, owned[i].key, b->errors,
				"%s: this key is for type = %s", owned[i].key,
				conf_receiver_type_names[owned[i].type]);
	if (receiver->retry_min > receiver->retry_max)
		conf_section_error(
			section, "retry_min", b->errors, "retry_min: it is longer than retry_max");
	if (receiver->type == RECEIVER_WEBHOOK)
		check_webhook(b, section, receiver);
	else
		check_snmp(b, section, receiver);
}
