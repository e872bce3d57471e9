/* SPDX-License-Identifier: MIT */
/* What a webhook needs: an address that is one, a way to it that nobody reads, keys that are keys,
 * a format that is there. What the format itself says of its receiver is looked at when it has been
 * loaded (alert/format_check.c). */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include "base/base64.h"
#include "base/vec.h"
#include "conf/conf_internal.h"
#include "net/address.h"
#include "net/allow.h"

enum { KEY_MIN_BYTES = 16, MAX_FORMATS = 200 };

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

void url_host(const char *url, char ret_host[256])
{
	const char *host = strstr(url, "://"), *at;
	size_t len;

	ret_host[0] = '\0';
	if (!host)
		return;
	host += 3;
	len = strcspn(host, "/?#");
	at = memrchr(host, '@', len);
	if (at) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	if (*host == '[') {
		host++;
		len = strcspn(host, "]");
	} else {
		len = MIN(len, strcspn(host, ":/?#"));
	}
	if (len < 256) {
		memcpy(ret_host, host, len);
		ret_host[len] = '\0';
	}
}

static bool url_is_valid(const char *url)
{
	const char *host = str_startswith(url, "https://")  ? url + 8
			   : str_startswith(url, "http://") ? url + 7
							    : NULL;
	char name[256];

	if (!host || !*host || strchr("/:?#", *host) || strpbrk(url, " \t\n\"<>\\"))
		return false;
	url_host(url, name);
	return name[0] && !strpbrk(name, "{}");
}

void check_file(
	struct builder *b, const struct conf_section *section, const char *key, const char *path)
{
	if (path && path[0] != '/')
		conf_section_error(
			section, key, b->errors, "%s: '%.200s' is not an absolute path", key, path);
}

void check_nets(
	struct builder *b, const struct conf_section *section, const char *key, char *const *nets)
{
	for (; nets && *nets; nets++) {
		struct address_net net;

		if (address_net_parse(*nets, &net) < 0)
			conf_section_error(section, key, b->errors,
				"%s: '%.64s' is not an address or a net, as in 192.0.2.7 or "
				"10.0.0.0/8",
				key, *nets);
	}
}

static bool is_built_in(const struct conf_receiver *receiver)
{
	return !receiver->format || strcmp(receiver->format, "cloudevents") == 0;
}

static void check_url(
	struct builder *b, const struct conf_section *section, const struct conf_receiver *receiver)
{
	bool has_token = receiver->url && strstr(receiver->url, "{token}");

	if (receiver->url && !url_is_valid(receiver->url))
		conf_section_error(section, "url", b->errors,
			"url: '%.200s' is not an http:// or https:// address", receiver->url);
	if (has_token && !receiver->token)
		conf_section_error(section, "url", b->errors,
			"url: it has {token}, and there is no key 'token'");
	/* A dump shows what is behind the host as ***. */
	if (receiver->token && receiver->url && !has_token && !strstr(receiver->url, "/***"))
		conf_section_error(section, "token", b->errors,
			"token: the url does not say where it belongs; write {token} there");
}

void check_webhook(
	struct builder *b, const struct conf_section *section, const struct conf_receiver *receiver)
{
	bool standard =
		receiver->sign == SIGN_STANDARD || (receiver->sign < 0 && is_built_in(receiver));

	receiver_needs(b, section, "url", "where notices are posted");
	if (standard || receiver->sign > SIGN_NONE)
		receiver_needs(
			b, section, "secret", "key of the signature, file:PATH or cred:NAME");
	check_url(b, section, receiver);
	if (standard) {
		check_key(b, section, "secret", receiver->secret);
		check_key(b, section, "secret_old", receiver->secret_old);
	}
	check_file(b, section, "ca_file", receiver->ca_file);
	check_file(b, section, "cert_file", receiver->cert_file);
	check_file(b, section, "key_file", receiver->key_file);
	if (receiver->key_file && !receiver->cert_file)
		conf_section_error(section, "key_file", b->errors,
			"key_file: a key without a certificate; set cert_file as well");
	check_nets(b, section, "allow", receiver->allow);
	if (is_built_in(receiver) && receiver->format_options)
		conf_section_error(section, "option", b->errors,
			"option.*: there is no format to take it; set `format'");
}

/* ---- with the whole configuration ----------------------------------------------------------- */

/* In the clear only to loopback, to what is listed, or where somebody says so. A name is looked up
 * when it is used: then only what is listed will do. */
static void check_way(
	struct builder *b, const struct conf_section *section, const struct conf_receiver *receiver)
{
	char *const *const lists[] = {receiver->allow, b->conf->daemon.allow_addresses};
	const struct address_guard guard = {.lists = lists,
		.n_lists = ARRAY_SIZE(lists),
		.is_literal = true,
		.listed_only = true};
	char host[256], refusal[ADDRESS_REFUSAL_BYTES];
	struct tend_address address;
	bool fine;

	if (receiver->insecure || !receiver->url || !str_startswith(receiver->url, "http://") ||
		!url_is_valid(receiver->url))
		return;
	url_host(receiver->url, host);
	if (address_parse(host, &address) == 0)
		fine = address_is_allowed(&guard, &address, refusal);
	else
		fine = strcasecmp(host, "localhost") == 0 || lists[0] || lists[1];
	if (!fine)
		conf_section_error(section, "url", b->errors,
			"url: http:// is not encrypted; use https://, list the address of '%.100s' "
			"in `allow', or say `insecure = yes'",
			host);
}

static int lua_files_only(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && str_endswith(entry->d_name, ".lua");
}

static void unknown_format(
	struct builder *b, const struct conf_section *section, const char *name, const char *folder)
{
	struct dirent **entries = NULL;
	const char *names[MAX_FORMATS] = {"cloudevents"}, *nearest;
	int n = scandir(folder, &entries, lua_files_only, alphasort);
	size_t n_names = 1;

	for (int i = 0; i < n; i++) {
		entries[i]->d_name[strlen(entries[i]->d_name) - 4] = '\0';
		if (n_names < MAX_FORMATS)
			names[n_names++] = entries[i]->d_name;
	}
	nearest = str_nearest(name, names, n_names);
	conf_section_error(section, "format", b->errors,
		"format: there is no '%.64s' in %.200s%s%s%s", name, folder,
		nearest ? ", did you mean '" : "; one of your own is an absolute path",
		nearest ? nearest : "", nearest ? "'?" : "");
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
}

static void check_format(struct builder *b, const struct conf_section *section, const char *name)
{
	auto_free char *folder = str_printf("%s/formats", b->conf->daemon.lua_dir);
	auto_free char *path = NULL;
	bool is_path = strchr(name, '/');

	if (is_path && name[0] != '/') {
		conf_section_error(section, "format", b->errors,
			"format: '%.200s' is neither a name nor an absolute path", name);
		return;
	}
	path = is_path ? strdup(name) : str_printf("%s/%s.lua", folder, name);
	if (!folder || !path || access(path, R_OK) == 0)
		return;
	if (is_path)
		conf_section_error(section, "format", b->errors, "format: '%.200s': %s", name,
			strerror(errno));
	else
		unknown_format(b, section, name, folder);
}

void resolve_webhook(
	struct builder *b, const struct conf_section *section, const struct conf_receiver *receiver)
{
	check_way(b, section, receiver);
	if (!is_built_in(receiver))
		check_format(b, section, receiver->format);
}
