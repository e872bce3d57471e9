/* SPDX-License-Identifier: MIT */
#include "answer.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADERS = 64, NAME_BYTES = 64, VALUE_BYTES = 4096 };
/* One of so many was cut, perhaps within a character. */
enum { CUT_BYTES = VALUE_BYTES - 3 };

/* ---- text ----------------------------------------------------------------------------------- */

/* The length of the character that begins here; 0: it is none. */
static size_t character(const unsigned char *p, size_t len)
{
	size_t n = p[0] < 0x80			 ? 1
		   : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
		   : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
		   : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
						 : 0;

	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Too long forms, surrogates, beyond the last. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
		(p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static void clean(char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		unsigned char *p = (unsigned char *)text + i;
		size_t n = character(p, len - i);

		if (n == 0)
			*p = '?';
		else if ((*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f)
			*p = ' ';
		i += n ? n : 1;
	}
}

json_t *answer_body(const struct secrets *secrets, char *body, size_t *len, bool cut)
{
	if (!body)
		return json_string("");
	if (cut)
		secrets_redact_cut(secrets, body, len);
	else
		secrets_redact(secrets, body, len);
	clean(body, *len);
	secrets_redact(secrets, body, len); /* what is one only now */
	return json_stringn(body, *len);
}

static json_t *part_of_text(const struct secrets *secrets, const char *text, size_t len, bool cut)
{
	char *copy = malloc(len + 1);
	json_t *json;

	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	json = answer_body(secrets, copy, &len, cut);
	secrets_wipe(copy);
	return json;
}

json_t *answer_text(const struct secrets *secrets, const char *text, size_t len)
{
	return part_of_text(secrets, text, len, false);
}

/* ---- headers -------------------------------------------------------------------------------- */

static size_t trim(const char **text, size_t len)
{
	while (len > 0 && strchr(" \t", **text)) {
		(*text)++;
		len--;
	}
	while (len > 0 && strchr(" \t\r\n", (*text)[len - 1]))
		len--;
	return len;
}

void answer_header(json_t *headers, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len), *value = colon ? colon + 1 : NULL;
	char name[NAME_BYTES], text[VALUE_BYTES];
	size_t n, before = 0;
	const char *former;

	if (!headers || !colon || colon == line || (size_t)(colon - line) >= sizeof(name))
		return;
	n = (size_t)(colon - line);
	for (size_t i = 0; i < n; i++)
		name[i] = line[i] >= 'A' && line[i] <= 'Z' ? (char)(line[i] + 32) : line[i];
	name[n] = '\0';
	clean(name, n);
	/* The cookies are kept here; a session's is as good as a password. */
	if (strcmp(name, "set-cookie") == 0 || strcmp(name, "set-cookie2") == 0)
		return;
	former = json_string_value(json_object_get(headers, name));
	if (!former && json_object_size(headers) >= MAX_HEADERS)
		return;
	n = trim(&value, len - (size_t)(value - line));
	if (former) {
		before = strlen(former);
		if (before + 2 >= sizeof(text))
			return;
		memcpy(text, former, before);
		memcpy(text + before, ", ", 2);
		before += 2;
	}
	if (n > sizeof(text) - before) {
		n = sizeof(text) - before;
		while (n > 0 && (value[n] & 0xc0) == 0x80) /* whole characters */
			n--;
	}
	memcpy(text + before, value, n);
	clean(text, before + n);
	(void)json_object_set_new(headers, name, json_stringn(text, before + n));
}

void answer_headers_redact(json_t *headers, const struct secrets *secrets)
{
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(headers, next, name, value)(void)
		json_object_set_new(headers, name,
			part_of_text(secrets, json_string_value(value), json_string_length(value),
				json_string_length(value) >= CUT_BYTES));
}
