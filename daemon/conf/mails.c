/* SPDX-License-Identifier: MIT */
/* What a mail server and a program need as receivers. */
#include <errno.h>
#include <string.h>
#include "alert/mail_address.h"
#include "conf/conf_internal.h"
#include "conf/options.h"
#include "net/address.h"
#include "net/allow.h"

enum { MAX_RECIPIENTS = 50, MAX_ARGS = 16, COMMAND_NAME_BYTES = 64 };

/* A mail server has accepted a mail when it has it on its disk, which takes longer than a webhook's
 * answer; who gives up too soon sends it twice. */
#define DEFAULT_TIMEOUT_USEC (30 * USEC_PER_SEC)

/* Nothing but a host and a port: what logs in has keys of its own. */
static bool url_is_valid(const char *url)
{
	const char *after = strstr(url, "://");
	char host[256];

	if (!after || (!str_startswith(url, "smtp://") && !str_startswith(url, "smtps://")))
		return false;
	if (strpbrk(after + 3, "/?#@ \t\n\"<>\\{}"))
		return false;
	url_host(url, host);
	return host[0] && check_host_port(after + 3, false, false);
}

static void check_address(
	struct builder *b, const struct conf_section *section, const char *key, const char *text)
{
	struct mail_address address;

	if (text && mail_address_parse(text, &address) < 0)
		conf_section_error(section, key, b->errors,
			"%s: '%.200s' is no mail address, as in ops@crm.example or Ops "
			"<ops@crm.example>",
			key, text);
}

static void check_tls(
	struct builder *b, const struct conf_section *section, struct conf_receiver *receiver)
{
	bool smtps = receiver->url && str_startswith(receiver->url, "smtps://");

	if (receiver->tls < 0 && !conf_section_key(section, "tls"))
		receiver->tls = smtps ? CONF_TLS_IMPLICIT : CONF_TLS_STARTTLS;
	if (receiver->tls < 0 || !receiver->url)
		return;
	if (smtps != (receiver->tls == CONF_TLS_IMPLICIT))
		conf_section_error(section, "tls", b->errors,
			"tls: the url says otherwise: smtps:// is implicit, smtp:// starttls or "
			"none");
}

void check_smtp(
	struct builder *b, const struct conf_section *section, struct conf_receiver *receiver)
{
	if (!conf_section_key(section, "timeout"))
		receiver->timeout = DEFAULT_TIMEOUT_USEC;
	receiver_needs(b, section, "url", "the mail server, smtp://HOST:PORT");
	receiver_needs(b, section, "from", "whom mails are from");
	receiver_needs(b, section, "to", "who gets them");
	if (receiver->url && strchr(receiver->url, '@'))
		conf_section_error(section, "url", b->errors,
			"url: who logs in does not stand in it, but in `user' and `password'");
	else if (receiver->url && !url_is_valid(receiver->url))
		conf_section_error(section, "url", b->errors,
			"url: '%.200s' is not smtp://HOST:PORT or smtps://HOST:PORT",
			receiver->url);
	check_address(b, section, "from", receiver->from);
	for (char **to = receiver->to; to && *to; to++)
		check_address(b, section, "to", *to);
	if (receiver->to && strv_len(receiver->to) > MAX_RECIPIENTS)
		conf_section_error(section, "to", b->errors,
			"to: more than %d addresses; let the mail server have a list",
			MAX_RECIPIENTS);
	if (!receiver->user != !receiver->password)
		conf_section_error(section, receiver->user ? "user" : "password", b->errors,
			"user and password: one is no use without the other");
	check_tls(b, section, receiver);
	check_file(b, section, "ca_file", receiver->ca_file);
	check_file(b, section, "cert_file", receiver->cert_file);
	check_file(b, section, "key_file", receiver->key_file);
	check_nets(b, section, "allow", receiver->allow);
}

/* In the clear only to this machine, or where somebody says so. */
void resolve_smtp(
	struct builder *b, const struct conf_section *section, const struct conf_receiver *receiver)
{
	struct tend_address address;
	char host[256];

	if (receiver->tls != CONF_TLS_NONE || receiver->insecure || !receiver->url ||
		!url_is_valid(receiver->url))
		return;
	url_host(receiver->url, host);
	if (strcasecmp(host, "localhost") == 0 ||
		(address_parse(host, &address) == 0 &&
			address_class_of(&address) == ADDRESS_LOOPBACK))
		return;
	conf_section_error(section, "tls", b->errors,
		"tls: with none, mails and the password go to '%.100s' in the clear; use starttls, "
		"or say `insecure = yes'",
		host);
}

static bool name_is_valid(const char *name, size_t len, const char *more)
{
	for (size_t i = 0; i < len; i++)
		if (!((name[i] >= 'a' && name[i] <= 'z') ||
			    (i > 0 &&
				    ((name[i] >= '0' && name[i] <= '9') || strchr(more, name[i])))))
			return false;
	return len > 0 && len <= COMMAND_NAME_BYTES;
}

void check_exec(
	struct builder *b, const struct conf_section *section, const struct conf_receiver *receiver)
{
	receiver_needs(b, section, "command", "NAME of [command NAME] in spawn.conf");
	if (receiver->command &&
		!name_is_valid(receiver->command, strlen(receiver->command), "-_."))
		conf_section_error(section, "command", b->errors,
			"command: '%.100s' is not the name of a command (a-z, 0-9, '-', '_', '.'); "
			"the program itself stands in spawn.conf, which is root's",
			receiver->command);
	for (char **arg = receiver->args; arg && *arg; arg++) {
		size_t len = strcspn(*arg, "=");
		auto_free char *key = str_printf("arg.%.*s", (int)len, *arg);

		if (key && !name_is_valid(*arg, len, "_"))
			conf_section_error(section, key, b->errors,
				"%s: '%.*s' is not the name of a parameter (a-z, 0-9, _)", key,
				(int)len, *arg);
	}
	if (receiver->args && strv_len(receiver->args) > MAX_ARGS)
		conf_section_error(section, NULL, b->errors, "more than %d arguments", MAX_ARGS);
}
