/* SPDX-License-Identifier: MIT */
/*
 * http/form.c: as much of HTML as a log-in form needs: tags and their attributes, character
 * references, comments, and the elements whose text is no markup.
 */
#include "form.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct span {
	const char *at;
	size_t len;
};
struct tag {
	struct span name, body; /* body: the attributes */
	bool closes;
};
struct reader {
	const char *at, *end;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.at, text, s.len) == 0;
}

/* ---- tags --------------------------------------------------------------------------------- */

static void skip_past(struct reader *r, const char *what)
{
	const char *p = memmem(r->at, (size_t)(r->end - r->at), what, strlen(what));

	r->at = p ? p + strlen(what) : r->end;
}

/* To the end of the tag: a '>' in quotes is part of a value. */
static const char *end_of_tag(const char *p, const char *end)
{
	char quote = 0, last = 0;

	for (; p < end; p++) {
		if (quote) {
			if (*p == quote)
				quote = 0;
			continue;
		}
		if (*p == '>')
			return p;
		/* Quotes begin a value only behind '='. */
		if ((*p == '"' || *p == '\'') && last == '=')
			quote = *p;
		if (!is_blank(*p))
			last = *p;
	}
	return end;
}

/* The next tag; false: there is none. */
static bool next_tag(struct reader *r, struct tag *ret_tag)
{
	while (r->at < r->end) {
		const char *p = memchr(r->at, '<', (size_t)(r->end - r->at)), *name;
		bool closes;

		if (!p || r->end - p < 2)
			break;
		if (r->end - p >= 4 && memcmp(p, "<!--", 4) == 0) {
			r->at = p + 4;
			skip_past(r, "-->");
			continue;
		}
		closes = p[1] == '/';
		name = p + 1 + closes;
		if (name >= r->end || !is_letter(*name)) {
			r->at = p + 1;
			continue;
		}
		ret_tag->closes = closes;
		ret_tag->name.at = name;
		for (p = name; p < r->end && !is_blank(*p) && *p != '>' && *p != '/'; p++)
			;
		ret_tag->name.len = (size_t)(p - name);
		ret_tag->body.at = p;
		p = end_of_tag(p, r->end);
		ret_tag->body.len = (size_t)(p - ret_tag->body.at);
		r->at = p < r->end ? p + 1 : p;
		return true;
	}
	r->at = r->end;
	return false;
}

/* The text up to the closing tag, which stays to be read; the rest when there is none. */
static struct span text_until(struct reader *r, struct span name)
{
	const char *from = r->at, *p = r->at;

	while ((p = memchr(p, '<', (size_t)(r->end - p)))) {
		if ((size_t)(r->end - p) >= 2 + name.len && p[1] == '/' &&
			strncasecmp(p + 2, name.at, name.len) == 0) {
			r->at = p;
			return (struct span){from, (size_t)(p - from)};
		}
		p++;
	}
	r->at = r->end;
	return (struct span){from, (size_t)(r->end - from)};
}

/* The attribute; false: it is not there. One without a value is empty. */
static bool attribute(struct span body, const char *name, struct span *ret_value)
{
	const char *p = body.at, *end = body.at + body.len;

	while (p < end) {
		struct span key, value = {end, 0};

		while (p < end && (is_blank(*p) || *p == '/'))
			p++;
		key.at = p;
		/* A '=' at the start is part of the name, so that something is always taken. */
		for (; p < end && !is_blank(*p) && *p != '/' && (*p != '=' || p == key.at); p++)
			;
		key.len = (size_t)(p - key.at);
		while (p < end && is_blank(*p))
			p++;
		if (p < end && *p == '=') {
			for (p++; p < end && is_blank(*p); p++)
				;
			value.at = p;
			if (p < end && (*p == '"' || *p == '\'')) {
				const char *close = memchr(p + 1, *p, (size_t)(end - p - 1));

				value = (struct span){
					p + 1, (size_t)((close ? close : end) - p - 1)};
				p = close ? close + 1 : end;
			} else {
				for (; p < end && !is_blank(*p); p++)
					;
				value.len = (size_t)(p - value.at);
			}
		}
		if (key.len > 0 && span_is(key, name)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

/* ---- character references ------------------------------------------------------------------ */

static size_t put_utf8(uint32_t c, char out[4])
{
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		c = 0xfffd;
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static int digit_of(char c, unsigned base)
{
	int d = c >= '0' && c <= '9'   ? c - '0'
		: c >= 'a' && c <= 'f' ? c - 'a' + 10
		: c >= 'A' && c <= 'F' ? c - 'A' + 10
				       : 99;

	return d < (int)base ? d : -1;
}

/* "&#38;" and "&#x26;": how long it is; 0: none. */
static size_t numeric(struct span s, char out[4], size_t *ret_n)
{
	bool hex = s.len > 2 && (s.at[2] == 'x' || s.at[2] == 'X');
	size_t i = hex ? 3 : 2, first = i;
	uint32_t c = 0;

	for (; i < s.len && digit_of(s.at[i], hex ? 16 : 10) >= 0; i++)
		if (c <= 0x10ffff)
			c = c * (hex ? 16 : 10) + (uint32_t)digit_of(s.at[i], hex ? 16 : 10);
	if (i == first)
		return 0;
	*ret_n = put_utf8(c, out);
	return i < s.len && s.at[i] == ';' ? i + 1 : i;
}

static size_t reference(struct span s, char out[4], size_t *ret_n)
{
	static const struct {
		const char *name;
		uint32_t c;
	} names[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'},
		{"&apos;", '\''}, {"&nbsp;", 0xa0}};

	if (s.len > 2 && s.at[1] == '#')
		return numeric(s, out, ret_n);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		size_t n = strlen(names[i].name);

		if (s.len >= n && memcmp(s.at, names[i].name, n) == 0) {
			*ret_n = put_utf8(names[i].c, out);
			return n;
		}
	}
	return 0;
}

/* No reference is shorter than what it stands for. */
static int decode(struct span s, size_t max, char **ret_text)
{
	char *text, *out, one[4];

	if (s.len > max)
		return -E2BIG;
	text = out = malloc(s.len + 1);
	if (!text)
		return -ENOMEM;
	while (s.len > 0) {
		size_t n_out = 1, n = s.at[0] == '&' ? reference(s, one, &n_out) : 0;

		if (n > 0)
			memcpy(out, one, n_out);
		else
			*out = s.at[0] ? s.at[0] : ' ';
		out += n > 0 ? n_out : 1;
		n = n > 0 ? n : 1;
		s.at += n;
		s.len -= n;
	}
	*out = '\0';
	*ret_text = text;
	return 0;
}

/* ---- fields ------------------------------------------------------------------------------- */

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void form_clear(struct form *form)
{
	for (size_t i = 0; i < form->n_fields; i++) {
		free(form->fields[i].name);
		wipe(form->fields[i].value);
	}
	free(form->action);
	*form = (struct form){0};
}

static int add_owned(struct form *form, char *name, char *value)
{
	if (form->n_fields == FORM_MAX_FIELDS)
		return -E2BIG;
	form->fields[form->n_fields++] = (struct form_field){name, value};
	return 0;
}

static int add_field(struct form *form, struct span name, struct span value)
{
	char *name_text = NULL, *value_text = NULL;
	int r = decode(name, FORM_NAME_BYTES, &name_text);

	if (r == 0)
		r = decode(value, FORM_VALUE_BYTES, &value_text);
	if (r == 0)
		r = add_owned(form, name_text, value_text);
	if (r < 0) {
		free(name_text);
		wipe(value_text);
	}
	return r;
}

int form_set(struct form *form, const char *name, const char *value)
{
	char *copy = strdup(value), *name_copy;
	int r;

	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < form->n_fields; i++)
		if (strcmp(form->fields[i].name, name) == 0) {
			wipe(form->fields[i].value);
			form->fields[i].value = copy;
			return 0;
		}
	name_copy = strdup(name);
	r = name_copy ? add_owned(form, name_copy, copy) : -ENOMEM;
	if (r < 0) {
		free(name_copy);
		wipe(copy);
	}
	return r;
}

/* What a browser would send of it without anybody touching it, and the first button. */
static bool is_sent(struct span body, struct span type, bool *has_button)
{
	static const char *const never[] = {"button", "reset", "file", "image"};
	struct span ignored;

	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++)
		if (span_is(type, never[i]))
			return false;
	if (attribute(body, "disabled", &ignored))
		return false;
	if (span_is(type, "checkbox") || span_is(type, "radio"))
		return attribute(body, "checked", &ignored);
	if (!span_is(type, "submit"))
		return true;
	if (*has_button)
		return false;
	*has_button = true;
	return true;
}

static int add_input(struct form *form, const struct tag *tag, bool *has_button)
{
	struct span name, value = {"", 0}, type = {"text", 4};
	bool box;

	if (!attribute(tag->body, "type", &type) && span_is(tag->name, "button"))
		type = (struct span){"submit", 6};
	if (span_is(type, "password"))
		form->password = true;
	if (!is_sent(tag->body, type, has_button) || !attribute(tag->body, "name", &name) ||
		name.len == 0)
		return 0;
	box = span_is(type, "checkbox") || span_is(type, "radio");
	if (!attribute(tag->body, "value", &value) && box)
		value = (struct span){"on", 2};
	return add_field(form, name, value);
}

/* The option that is chosen, else the first. */
static int add_select(struct form *form, struct reader *r, const struct tag *select)
{
	struct span name, value = {"", 0}, ignored;
	bool any = false, chosen = false, named;
	struct tag tag;

	named = attribute(select->body, "name", &name) && name.len > 0;
	while (next_tag(r, &tag) && !span_is(tag.name, "select")) {
		bool selected = attribute(tag.body, "selected", &ignored);

		if (tag.closes || !span_is(tag.name, "option") || chosen || (any && !selected))
			continue;
		any = true;
		chosen = selected;
		if (!attribute(tag.body, "value", &value)) {
			const char *text = r->at,
				   *end = memchr(r->at, '<', (size_t)(r->end - r->at));

			value = (struct span){text, (size_t)((end ? end : r->end) - text)};
		}
	}
	return named && any ? add_field(form, name, value) : 0;
}

static int add_textarea(struct form *form, struct reader *r, const struct tag *tag)
{
	struct span text = text_until(r, tag->name), name;

	if (text.len > 0 && text.at[0] == '\n')
		text = (struct span){text.at + 1, text.len - 1};
	return attribute(tag->body, "name", &name) && name.len > 0 ? add_field(form, name, text)
								   : 0;
}

/* ---- forms -------------------------------------------------------------------------------- */

static bool is_raw(struct span name)
{
	return span_is(name, "script") || span_is(name, "style") || span_is(name, "title") ||
	       span_is(name, "noscript") || span_is(name, "template");
}

static int begin(const struct tag *tag, struct form *form)
{
	struct span action = {"", 0}, method = {"", 0}, enctype = {"", 0};
	int r;

	(void)attribute(tag->body, "action", &action);
	(void)attribute(tag->body, "method", &method);
	(void)attribute(tag->body, "enctype", &enctype);
	r = decode(action, FORM_ACTION_BYTES, &form->action);
	form->post = span_is(method, "post");
	form->multipart = span_is(enctype, "multipart/form-data");
	return r;
}

/* Up to its end, or the end of the page. */
static int read_form(struct reader *r, const struct tag *first, struct form *form)
{
	struct tag tag;
	bool has_button = false;
	int result = begin(first, form);

	while (result == 0 && next_tag(r, &tag) && !span_is(tag.name, "form")) {
		if (tag.closes)
			continue;
		if (span_is(tag.name, "input") || span_is(tag.name, "button"))
			result = add_input(form, &tag, &has_button);
		else if (span_is(tag.name, "select"))
			result = add_select(form, r, &tag);
		else if (span_is(tag.name, "textarea"))
			result = add_textarea(form, r, &tag);
		else if (is_raw(tag.name))
			(void)text_until(r, tag.name);
	}
	return result;
}

static bool is_wanted(const struct tag *tag, const char *wanted)
{
	struct span value;

	return (attribute(tag->body, "id", &value) && span_is(value, wanted)) ||
	       (attribute(tag->body, "name", &value) && span_is(value, wanted));
}

int form_find(const char *page, size_t len, const char *wanted, struct form *ret_form)
{
	struct reader r = {page, page + len};
	struct form form = {0}, first = {0};
	struct tag tag;
	unsigned n = 0;

	while (next_tag(&r, &tag)) {
		int result;

		if (is_raw(tag.name) && !tag.closes)
			(void)text_until(&r, tag.name);
		if (tag.closes || !span_is(tag.name, "form") ||
			(wanted && !is_wanted(&tag, wanted)))
			continue;
		if (++n > FORM_MAX_FORMS)
			break;
		result = read_form(&r, &tag, &form);
		if (result < 0) {
			form_clear(&form);
			form_clear(&first);
			return result;
		}
		if (wanted || form.password) {
			form_clear(&first);
			*ret_form = form;
			return 0;
		}
		if (n == 1)
			first = form;
		else
			form_clear(&form);
		form = (struct form){0};
	}
	if (n == 0)
		return -ENOENT;
	*ret_form = first;
	return 0;
}

/* ---- sent --------------------------------------------------------------------------------- */

static char *put_encoded(char *out, const char *text)
{
	static const char plain[] = "*-._", hex[] = "0123456789ABCDEF";

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (is_letter(*text) || (c >= '0' && c <= '9') || strchr(plain, c)) {
			*out++ = *text;
		} else if (c == ' ') {
			*out++ = '+';
		} else {
			*out++ = '%';
			*out++ = hex[c >> 4];
			*out++ = hex[c & 15];
		}
	}
	return out;
}

char *form_encode(const struct form *form)
{
	size_t size = 1;
	char *text, *out;

	for (size_t i = 0; i < form->n_fields; i++)
		size += 2 + 3 * (strlen(form->fields[i].name) + strlen(form->fields[i].value));
	text = out = malloc(size);
	for (size_t i = 0; text && i < form->n_fields; i++) {
		if (i > 0)
			*out++ = '&';
		out = put_encoded(out, form->fields[i].name);
		*out++ = '=';
		out = put_encoded(out, form->fields[i].value);
	}
	if (text)
		*out = '\0';
	return text;
}
