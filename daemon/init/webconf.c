/* SPDX-License-Identifier: MIT */
#include "init/webconf.h"
#include <string.h>
#include <strings.h>
#include "base/cleanup.h"
#include "base/str.h"

enum { MAX_WORDS = 8, MAX_WORD_BYTES = 256, MAX_PORT = 65535 };

struct words {
	char word[MAX_WORDS][MAX_WORD_BYTES];
	size_t n;
};

static json_t *new_site(const char *server)
{
	return json_pack("{s:s, s:n, s:n, s:b, s:n, s:n, s:n}", "server", server, "name", "port",
		"tls", 0, "certificate", "root", "proxy");
}

static void set_text(json_t *site, const char *key, const char *text)
{
	if (json_is_null(json_object_get(site, key)) && *text && !strchr(text, '$') &&
		str_utf8_valid(text, strlen(text)))
		(void)json_object_set_new(site, key, json_string(text));
}

static void set_port(json_t *site, const char *text)
{
	long port = strtol(text, NULL, 10);

	if (port > 0 && port <= MAX_PORT && json_is_null(json_object_get(site, "port")))
		(void)json_object_set_new(site, "port", json_integer(port));
}

/* "8080", "*:80", "[::]:443", "127.0.0.1:80"; an address alone is port 80. */
static void set_listen(json_t *site, const char *text)
{
	const char *colon = strrchr(text, ':'), *bracket = strrchr(text, ']');

	if (str_startswith(text, "unix:"))
		return;
	if (colon && (!bracket || colon > bracket))
		set_port(site, colon + 1);
	else if (!bracket && text[strspn(text, "0123456789")] == '\0')
		set_port(site, text);
	else
		set_port(site, "80");
}

static bool is_name(const char *name)
{
	return *name && *name != '_' && !strpbrk(name, "*~\"^") && strcmp(name, "localhost") != 0;
}

static void end_site(json_t *site, json_t *sites)
{
	if (json_array_size(sites) >= WEBCONF_MAX_SITES) {
		json_decref(site);
		return;
	}
	if (json_is_null(json_object_get(site, "port")))
		set_port(site, json_is_true(json_object_get(site, "tls")) ? "443" : "80");
	(void)json_array_append_new(sites, site);
}

/* ---- nginx ---------------------------------------------------------------------------------- */

static void add_word(struct words *words, const char *text, size_t len)
{
	if (words->n < MAX_WORDS)
		(void)snprintf(words->word[words->n++], MAX_WORD_BYTES, "%.*s",
			(int)MIN(len, (size_t)MAX_WORD_BYTES - 1), text);
}

/* The next directive's words; *ret_end is ';', '{', '}' or NUL. */
static const char *next_nginx(const char *p, struct words *words, char *ret_end)
{
	words->n = 0;
	for (;;) {
		p += strspn(p, " \t\r\n");
		if (*p == '#') {
			p += strcspn(p, "\n");
		} else if (*p == '"' || *p == '\'') {
			size_t n = strcspn(p + 1, *p == '"' ? "\"" : "'");

			add_word(words, p + 1, n);
			p += 1 + n + (p[1 + n] != '\0');
		} else if (!*p || strchr(";{}", *p)) {
			*ret_end = *p;
			return *p ? p + 1 : p;
		} else {
			size_t n = strcspn(p, " \t\r\n;{}");

			add_word(words, p, n);
			p += n;
		}
	}
}

static void take_nginx(json_t *site, const struct words *words)
{
	const char *key = words->word[0];

	if (words->n < 2)
		return;
	if (strcmp(key, "listen") == 0) {
		set_listen(site, words->word[1]);
		for (size_t i = 2; i < words->n; i++)
			if (strcmp(words->word[i], "ssl") == 0)
				(void)json_object_set_new(site, "tls", json_true());
	} else if (strcmp(key, "server_name") == 0) {
		for (size_t i = 1; i < words->n; i++)
			if (is_name(words->word[i]))
				set_text(site, "name", words->word[i]);
	} else if (strcmp(key, "ssl_certificate") == 0) {
		set_text(site, "certificate", words->word[1]);
	} else if (strcmp(key, "root") == 0) {
		set_text(site, "root", words->word[1]);
	} else if (strcmp(key, "proxy_pass") == 0) {
		set_text(site, "proxy", words->word[1]);
	}
}

void webconf_nginx(const char *text, json_t *sites)
{
	size_t depth = 0, inside = 0;
	json_t *site = NULL;
	struct words words;
	char end;

	do {
		text = next_nginx(text, &words, &end);
		if (end == '{') {
			depth++;
			if (!site && words.n == 1 && strcmp(words.word[0], "server") == 0) {
				site = new_site("nginx");
				inside = depth;
			}
		} else if (end == '}') {
			if (site && depth == inside)
				end_site(TAKE(site), sites);
			depth -= depth > 0;
		} else if (site) {
			take_nginx(site, &words);
		}
	} while (end);
	json_decref(site); /* never closed: not a site that nginx would take */
}

/* ---- Apache --------------------------------------------------------------------------------- */

static void split(const char *line, size_t len, struct words *words)
{
	const char *end = line + len;

	words->n = 0;
	while (line < end) {
		size_t skip = strspn(line, " \t\r<>"), n;

		line += skip;
		if (line >= end)
			return;
		if (*line == '"') {
			n = strcspn(line + 1, "\"\n");
			add_word(words, line + 1, n);
			line += n + 2;
			continue;
		}
		n = strcspn(line, " \t\r\n>");
		add_word(words, line, n);
		line += n;
	}
}

static void take_apache(json_t *site, const struct words *words)
{
	static const struct {
		const char *directive, *key;
	} texts[] = {
		{"SSLCertificateFile", "certificate"},
		{"DocumentRoot", "root"},
	};
	const char *key = words->word[0];

	if (words->n < 2)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (strcasecmp(key, texts[i].directive) == 0)
			set_text(site, texts[i].key, words->word[1]);
	if (strcasecmp(key, "ServerName") == 0) {
		char *colon = strchr(words->word[1], ':');

		if (is_name(words->word[1]) && !colon)
			set_text(site, "name", words->word[1]);
	} else if (strcasecmp(key, "SSLEngine") == 0 && strcasecmp(words->word[1], "on") == 0) {
		(void)json_object_set_new(site, "tls", json_true());
	} else if (strcasecmp(key, "ProxyPass") == 0 && words->n >= 3) {
		set_text(site, "proxy", words->word[2]);
	}
}

void webconf_apache(const char *text, json_t *sites)
{
	json_t *site = NULL;
	struct words words;

	while (*text) {
		size_t n = strcspn(text, "\n");

		split(text, n, &words);
		if (words.n == 0 || words.word[0][0] == '#') {
			;
		} else if (strcasecmp(words.word[0], "VirtualHost") == 0) {
			json_decref(site);
			site = new_site("apache");
			if (words.n > 1)
				set_listen(site, words.word[1]);
		} else if (strcasecmp(words.word[0], "/VirtualHost") == 0) {
			if (site)
				end_site(TAKE(site), sites);
		} else if (site) {
			take_apache(site, &words);
		}
		text += n + (text[n] == '\n');
	}
	json_decref(site);
}
