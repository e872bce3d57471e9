/* SPDX-License-Identifier: MIT */
#include "exec/look/ruleset.h"
#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/str.h"

enum { MAX_TABLES = 64 };

struct reading {
	json_t *tables, *hooks;
	uint64_t n_rules;
	EVP_MD_CTX *digest;
};

static void add_table(struct reading *r, const char *family, const char *name)
{
	char text[200], clean[200];

	(void)snprintf(text, sizeof(text), "%.20s %.150s", family, name);
	str_sanitize(clean, sizeof(clean), text, strlen(text));
	if (json_array_size(r->tables) < MAX_TABLES)
		(void)json_array_append_new(r->tables, json_string(clean));
}

static bool is_drop(const char *policy)
{
	return strcasecmp(policy, "drop") == 0 || strcasecmp(policy, "reject") == 0;
}

static void add_policy(struct reading *r, const char *hook, const char *policy)
{
	char lower[32] = "";
	const char *known = json_string_value(json_object_get(r->hooks, hook));

	for (size_t i = 0; policy[i] && i < sizeof(lower) - 1; i++)
		lower[i] = (char)tolower((unsigned char)policy[i]);
	if (!str_utf8_valid(lower, strlen(lower)) || json_object_size(r->hooks) > 20)
		return;
	if (!known || !is_drop(known))
		(void)json_object_set_new(r->hooks, hook, json_string(lower));
}

/* ---- nft ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* What changes by itself. */
static void strip(json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_array(value)) {
		json_array_foreach (value, i, item)
			strip(item);
		return;
	}
	(void)json_object_del(value, "handle");
	if (json_is_object(json_object_get(value, "counter")))
		(void)json_object_set_new(value, "counter", json_null());
	(void)json_object_del(value, "elem"); /* sets fill and empty: fail2ban */
	json_object_foreach (value, key, item)
		strip(item);
}

static int dump_into(const char *buf, size_t len, void *data)
{
	return EVP_DigestUpdate(data, buf, len) == 1 ? 0 : -1;
}

static void take_object(struct reading *r, json_t *object)
{
	json_t *table = json_object_get(object, "table"), *chain = json_object_get(object, "chain");

	if (json_object_get(object, "metainfo"))
		return;
	if (table)
		add_table(r, text_of(table, "family"), text_of(table, "name"));
	if (chain && strcmp(text_of(chain, "type"), "filter") == 0 && text_of(chain, "hook")[0])
		add_policy(r, text_of(chain, "hook"), text_of(chain, "policy"));
	if (json_object_get(object, "rule"))
		r->n_rules++;
	strip(object);
	(void)json_dump_callback(object, dump_into, r->digest, JSON_COMPACT | JSON_SORT_KEYS);
}

static int read_nft(struct reading *r, const char *text, size_t len, struct tend_error *err)
{
	auto_json json_t *doc = json_loadb(text, len, 0, NULL);
	json_t *list = json_object_get(doc, "nftables"), *object;
	size_t i;

	if (!json_is_array(list))
		return tend_error_set(err, -EIO, "this is no output of `nft -j list ruleset'");
	json_array_foreach (list, i, object)
		take_object(r, object);
	return 0;
}

/* ---- iptables-save ---- */

/* ":INPUT DROP [12:345]" */
static void take_chain(struct reading *r, const char *line)
{
	char name[64], policy[32], hook[64];

	if (sscanf(line, ":%63s %31s", name, policy) != 2 || strcmp(policy, "-") == 0)
		return;
	for (size_t i = 0; i <= strlen(name); i++)
		hook[i] = (char)tolower((unsigned char)name[i]);
	if (str_utf8_valid(hook, strlen(hook)))
		add_policy(r, hook, policy);
	(void)EVP_DigestUpdate(r->digest, name, strlen(name));
	(void)EVP_DigestUpdate(r->digest, policy, strlen(policy));
}

static void take_line(struct reading *r, const char *line, bool *filter, bool *any)
{
	if (line[0] == '*') {
		*any = true;
		*filter = strcmp(line, "*filter") == 0;
		add_table(r, "ip", line + 1);
	} else if (line[0] == ':' && *filter) {
		take_chain(r, line);
	} else if (strncmp(line, "-A ", 3) == 0) {
		r->n_rules++;
	}
	if (line[0] != '#' && line[0] != ':')
		(void)EVP_DigestUpdate(r->digest, line, strlen(line));
}

static int read_iptables(struct reading *r, const char *text, size_t len, struct tend_error *err)
{
	bool filter = false, any = false;
	char line[2048];

	for (size_t at = 0, n; at < len; at += n + 1) {
		const char *end = memchr(text + at, '\n', len - at);

		n = end ? (size_t)(end - text) - at : len - at;
		(void)snprintf(
			line, sizeof(line), "%.*s", (int)MIN(n, sizeof(line) - 1), text + at);
		take_line(r, line, &filter, &any);
	}
	if (!any && len > 0)
		return tend_error_set(
			err, -EIO, "this is neither nft's JSON nor the output of iptables-save");
	return 0;
}

static json_t *finish(struct reading *r)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	char hex[2 * EVP_MAX_MD_SIZE + 1] = "";

	(void)EVP_DigestFinal_ex(r->digest, digest, &n);
	for (unsigned i = 0; i < n; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return json_pack("{s:O, s:O, s:I, s:s}", "tables", r->tables, "hooks", r->hooks, "rules",
		(json_int_t)r->n_rules, "fingerprint", hex);
}

int ruleset_read(const char *text, size_t len, json_t **ret_doc, struct tend_error *err)
{
	auto_json json_t *tables = json_array(), *hooks = json_object();
	struct reading reading = {.tables = tables, .hooks = hooks, .digest = EVP_MD_CTX_new()};
	int r = -ENOMEM;

	if (reading.digest && EVP_DigestInit_ex(reading.digest, EVP_sha256(), NULL) == 1)
		r = len > 0 && text[0] == '{' ? read_nft(&reading, text, len, err)
					      : read_iptables(&reading, text, len, err);
	if (r == 0)
		*ret_doc = finish(&reading);
	EVP_MD_CTX_free(reading.digest);
	return r;
}
