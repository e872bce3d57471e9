/* SPDX-License-Identifier: MIT */
#include "alert/mail_encode.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "base/base64.h"

enum {
	/* Of text in an encoded word: in base64, with what is around it, 68 and 56. */
	WORD_BYTES = 42,
	SHORT_WORD_BYTES = 33,
	NAME_BYTES = 10, /* "Subject: " and less leave room for the longer */
	LONGEST_NAME_BYTES = 18,
	HEADER_TEXT_BYTES = 2000,
};

static int append(struct str *out, const char *text)
{
	return str_append(out, text, strlen(text));
}

/* ---- foreign text --------------------------------------------------------------------------- */

/* The length of the character there; 0 when it is none. */
static size_t char_len(const char *p)
{
	unsigned char c = (unsigned char)*p;
	size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

	return strnlen(p, n) == n && str_utf8_valid(p, n) ? n : 0;
}

/* C1, marks and overrides of direction, separators of lines and paragraphs. */
static bool is_unwanted(const char *p, size_t n)
{
	const unsigned char *c = (const unsigned char *)p;

	if (n == 2)
		return c[0] == 0xc2 && c[1] < 0xa0;
	if (n != 3 || c[0] != 0xe2)
		return false;
	return (c[1] == 0x80 && (c[2] == 0x8e || c[2] == 0x8f || (c[2] >= 0xa8 && c[2] <= 0xae))) ||
	       (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9);
}

int mail_clean(struct str *out, const char *text, bool lines)
{
	bool space = true; /* none at the beginning */
	int r = 0;

	for (size_t n; r == 0 && *text; text += MAX(n, (size_t)1)) {
		unsigned char c = (unsigned char)*text;

		n = char_len(text);
		if (n == 0) {
			r = append(out, "?");
			space = false;
		} else if (lines && c == '\n') {
			r = append(out, "\n");
			space = false;
		} else if (c <= 0x20 || c == 0x7f) {
			r = space && !lines ? 0 : append(out, " ");
			space = true;
		} else if (!is_unwanted(text, n)) {
			r = str_append(out, text, n);
			space = false;
		}
	}
	return r;
}

int mail_html(struct str *out, const char *text)
{
	static const struct {
		char c;
		const char *is;
	} rows[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"},
		{'\n', "<br>\n"}};
	auto_str struct str clean = STR_INIT(out->max);
	int r = mail_clean(&clean, text, true);

	for (const char *p = str_get(&clean); r == 0 && *p; p++) {
		const char *is = NULL;

		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			if (rows[i].c == *p)
				is = rows[i].is;
		r = is ? append(out, is) : str_append(out, p, 1);
	}
	return r;
}

/* ---- headers -------------------------------------------------------------------------------- */

/* Can stand in a header as it is, folded at its spaces. */
static bool is_plain(const char *text)
{
	size_t word = 0;

	if (strstr(text, "=?"))
		return false;
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c >= 0x7f)
			return false;
		word = c == ' ' ? 0 : word + 1;
		if (word > MAIL_LINE_BYTES - LONGEST_NAME_BYTES)
			return false;
	}
	return true;
}

static int append_folded(struct str *out, const char *text, size_t column)
{
	int r = 0;

	while (r == 0 && *text) {
		size_t n = strcspn(text, " "), gap = strspn(text + n, " ");

		r = str_append(out, text, n);
		column += n;
		text += n + gap;
		if (r < 0 || !*text)
			break;
		if (column + 1 + strcspn(text, " ") > MAIL_LINE_BYTES) {
			r = append(out, "\r\n ");
			column = 1;
		} else {
			r = append(out, " ");
			column++;
		}
	}
	return r;
}

static int append_word(struct str *out, const char *text, size_t len)
{
	auto_free char *base64 = base64_encode(text, len);

	return base64 ? str_appendf(out, "=?UTF-8?B?%s?=", base64) : -ENOMEM;
}

/* Encoded words, each whole characters. */
static int append_words(struct str *out, const char *text, size_t column)
{
	size_t len = strlen(text), max = column <= NAME_BYTES ? WORD_BYTES : SHORT_WORD_BYTES;
	bool first = true;
	int r = 0;

	while (r == 0 && len > 0) {
		size_t n = str_cut_utf8(text, len, max);

		if (n == 0)
			n = MIN(len, max);
		r = first ? 0 : append(out, "\r\n ");
		if (r == 0)
			r = append_word(out, text, n);
		first = false;
		text += n;
		len -= n;
	}
	return r;
}

static int clean_value(const char *text, struct str *ret)
{
	int r = mail_clean(ret, text, false);

	while (r == 0 && ret->len > 0 && ret->data[ret->len - 1] == ' ')
		ret->data[--ret->len] = '\0';
	if (ret->len > HEADER_TEXT_BYTES) {
		ret->len = str_cut_utf8(ret->data, ret->len, HEADER_TEXT_BYTES);
		ret->data[ret->len] = '\0';
	}
	return r;
}

int mail_header(struct str *out, const char *name, const char *value)
{
	auto_str struct str clean = STR_INIT(out->max);
	int r = clean_value(value, &clean);

	if (r == 0)
		r = str_appendf(out, "%s: ", name);
	if (r == 0)
		r = is_plain(str_get(&clean))
			    ? append_folded(out, str_get(&clean), strlen(name) + 2)
			    : append_words(out, str_get(&clean), strlen(name) + 2);
	return r < 0 ? r : append(out, "\r\n");
}

int mail_phrase(struct str *out, const char *text)
{
	auto_str struct str clean = STR_INIT(out->max);
	int r = clean_value(text, &clean);
	const char *value = str_get(&clean);

	if (r < 0)
		return r;
	if (!is_plain(value) || strpbrk(value, "\"\\") || clean.len > MAIL_LINE_BYTES - NAME_BYTES)
		return append_words(out, value, 6);
	return str_appendf(out, "\"%s\"", value);
}

/* ---- bodies --------------------------------------------------------------------------------- */

static int append_base64(struct str *out, const char *text, size_t len)
{
	/* Of text, lines end by CRLF in base64 as well (RFC 2045, 6.8). */
	auto_str struct str crlf = STR_INIT(out->max);
	auto_free char *base64 = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < len; i++)
		r = text[i] == '\n' ? append(&crlf, "\r\n") : str_append(&crlf, text + i, 1);
	base64 = r == 0 ? base64_encode(str_get(&crlf), crlf.len) : NULL;
	if (!base64)
		return r < 0 ? r : -ENOMEM;
	for (const char *p = base64; r == 0 && *p;) {
		size_t n = strnlen(p, MAIL_LINE_BYTES);

		r = str_append(out, p, n);
		if (r == 0)
			r = append(out, "\r\n");
		p += n;
	}
	return r;
}

/* Dots and "From " at the beginning of a line are encoded too: they mean something on the way. */
static bool is_safe(const char *text, size_t at, size_t len, size_t column)
{
	unsigned char c = (unsigned char)text[at];

	if (c == ' ')
		return at + 1 < len && text[at + 1] != '\n';
	if (column == 0 && (c == '.' || c == 'F'))
		return false;
	return c > ' ' && c < 0x7f && c != '=';
}

static int append_quoted(struct str *out, const char *text, size_t len)
{
	size_t column = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < len; i++) {
		bool safe = is_safe(text, i, len, column);

		if (text[i] == '\n') {
			r = append(out, "\r\n");
			column = 0;
			continue;
		}
		if (column + (safe ? 1 : 3) > MAIL_LINE_BYTES - 1) {
			r = append(out, "=\r\n");
			column = 0;
			safe = is_safe(text, i, len, column);
		}
		if (r == 0)
			r = safe ? str_append(out, text + i, 1)
				 : str_appendf(out, "=%02X", (unsigned char)text[i]);
		column += safe ? 1 : 3;
	}
	return r == 0 && column > 0 ? append(out, "\r\n") : r;
}

int mail_body(struct str *out, const char *text, size_t len)
{
	size_t n_quoted = 0;
	int r;

	for (size_t i = 0; i < len; i++)
		n_quoted += (unsigned char)text[i] >= 0x80 || text[i] == '=';
	bool quoted = n_quoted * 2 <= len / 3;
	r = str_appendf(out, "Content-Transfer-Encoding: %s\r\n\r\n",
		quoted ? "quoted-printable" : "base64");
	if (r < 0)
		return r;
	return quoted ? append_quoted(out, text, len) : append_base64(out, text, len);
}
