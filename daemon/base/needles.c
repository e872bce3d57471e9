/* SPDX-License-Identifier: MIT */
#include "base/needles.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/base64.h"

static const char stars[] = "***";

void needles_wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

/* ---- escapes -------------------------------------------------------------------------------- */

static bool is_plain(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       strchr("-._~", c);
}

size_t needles_percent(unsigned char c, char out[8])
{
	if (is_plain(c)) {
		out[0] = (char)c;
		return 1;
	}
	return (size_t)snprintf(out, 8, "%%%02X", c);
}

size_t needles_json(unsigned char c, char out[8])
{
	if (c == '"' || c == '\\') {
		out[0] = '\\';
		out[1] = (char)c;
		return 2;
	}
	if (c < 0x20 || c == 0x7f)
		return (size_t)snprintf(out, 8, "\\u%04x", c);
	out[0] = (char)c;
	return 1;
}

char *needles_escape(const char *value, size_t (*one)(unsigned char c, char out[8]))
{
	char *text = malloc(strlen(value) * 6 + 1), *out = text, piece[8];

	for (; text && *value; value++) {
		size_t n = one((unsigned char)*value, piece);

		memcpy(out, piece, n);
		out += n;
	}
	if (text)
		*out = '\0';
	return text;
}

/* As forms have it: a blank is '+'. */
static size_t form_one(unsigned char c, char out[8])
{
	if (c == ' ') {
		out[0] = '+';
		return 1;
	}
	return needles_percent(c, out);
}

/* As a page would show it. */
static size_t html_one(unsigned char c, char out[8])
{
	const char *text = c == '&'   ? "&amp;"
			   : c == '<' ? "&lt;"
			   : c == '>' ? "&gt;"
			   : c == '"' ? "&quot;"
				      : NULL;

	if (text)
		return (size_t)snprintf(out, 8, "%s", text);
	out[0] = (char)c;
	return 1;
}

/* ---- the needles ---------------------------------------------------------------------------- */

static bool has(const struct needles *n, const char *item)
{
	for (size_t i = 0; i < n->n; i++)
		if (strcmp(n->items[i], item) == 0)
			return true;
	return false;
}

/* Takes the item over. */
static int add(struct needles *n, char *item)
{
	if (!item)
		return -ENOMEM;
	if (has(n, item) || strlen(item) < NEEDLES_MIN_BYTES) {
		needles_wipe(item);
		return 0;
	}
	if (n->n == n->cap) {
		size_t cap = n->cap ? n->cap * 2 : 16;
		char **items = realloc(n->items, cap * sizeof(*items));

		if (!items) {
			needles_wipe(item);
			return -ENOMEM;
		}
		n->items = items;
		n->cap = cap;
	}
	n->begins[(unsigned char)*item] = true;
	n->items[n->n++] = item;
	return 0;
}

/* The characters of base64 that the value alone decides, when `before` bytes stand before it; and
 * the one that what stands behind it decides, too, when that is nothing. */
static char *inside_base64(const char *value, size_t before, bool ends)
{
	size_t len = before + strlen(value), from = (before * 8 + 5) / 6;
	size_t to = (len * 8 + (ends ? 5 : 0)) / 6;
	char *plain = calloc(1, len + 1), *text, *part = NULL;

	if (!plain)
		return NULL;
	memcpy(plain + before, value, len - before);
	text = base64_encode(plain, len);
	if (text)
		part = strndup(text + from, to - from);
	explicit_bzero(plain, len);
	free(plain);
	needles_wipe(text);
	return part;
}

/* The alphabet of URLs (RFC 4648, section 5). */
static char *for_url(const char *base64)
{
	char *text = base64 ? strdup(base64) : NULL;

	for (char *p = text; p && *p; p++)
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
	return text;
}

static int add_base64(struct needles *n, const char *value)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < 6; i++) {
		char *text = inside_base64(value, i / 2, i % 2), *url = for_url(text);

		r = add(n, text);
		if (r == 0)
			r = add(n, url);
		else
			needles_wipe(url);
	}
	return r;
}

static int add_value(struct needles *n, const char *value)
{
	static size_t (*const ways[])(unsigned char c, char out[8]) = {
		needles_percent, form_one, needles_json, html_one};
	int r = add(n, strdup(value));

	for (size_t i = 0; r == 0 && i < sizeof(ways) / sizeof(*ways); i++)
		r = add(n, needles_escape(value, ways[i]));
	return r < 0 ? r : add_base64(n, value);
}

int needles_add(struct needles *n, const char *value)
{
	char *known;
	int r;

	if (strlen(value) < NEEDLES_MIN_BYTES)
		return 0;
	known = strndup(value, NEEDLES_MAX_BYTES);
	r = known ? add_value(n, known) : -ENOMEM;
	needles_wipe(known);
	return r;
}

void needles_clear(struct needles *n)
{
	for (size_t i = 0; i < n->n; i++)
		needles_wipe(n->items[i]);
	free(n->items);
	*n = (struct needles){0};
}

/* ---- in a text ------------------------------------------------------------------------------ */

static size_t common(const char *a, const char *b, size_t max)
{
	size_t n = 0;

	while (n < max && a[n] && a[n] == b[n])
		n++;
	return n;
}

/* How much of the text is one, or begins as one: the longest, for one may hold another. */
static size_t needle_at(const struct needles *n, const char *text, size_t len)
{
	size_t longest = 0;

	for (size_t i = 0; n->begins[(unsigned char)*text] && i < n->n; i++) {
		size_t same = common(n->items[i], text, len);

		if (same > longest && (n->items[i][same] == '\0' || same >= NEEDLES_PART_BYTES))
			longest = same;
	}
	return longest;
}

static bool ends_within(const struct needles *n, const char *text, size_t len)
{
	for (size_t i = 0; n->begins[(unsigned char)*text] && i < n->n; i++)
		if (strlen(n->items[i]) > len && common(n->items[i], text, len) == len)
			return true;
	return false;
}

void needles_redact(const struct needles *n, char *text, size_t *len, bool cut)
{
	size_t from = 0, to = 0;

	while (from < *len && !(cut && ends_within(n, text + from, *len - from))) {
		size_t found = needle_at(n, text + from, *len - from);

		if (found == 0) {
			text[to++] = text[from++];
			continue;
		}
		memcpy(text + to, stars, sizeof(stars) - 1);
		to += sizeof(stars) - 1;
		from += found;
	}
	*len = to;
	text[to] = '\0';
}
