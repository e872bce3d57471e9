/* SPDX-License-Identifier: MIT */
#include "expect.h"
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/pattern.h"
#include "pointer.h"

enum {
	MAX_RANGES = 32,
	MAX_POINTERS = 64,
};

struct range {
	long first, last;
};
struct pointer {
	char *path;
	char *text;    /* as written */
	json_t *value; /* NULL: anything but null */
};
struct expect {
	size_t n_ranges, n_pointers;
	struct range *ranges;
	struct pointer *pointers;
	struct pattern *body; /* or NULL */
};

/* ---- text
 * ---------------------------------------------------------------------------------------- */

const char *expect_quote(const char *text, size_t len, size_t max, char *buf, size_t size)
{
	size_t out = 0, used = 0;
	bool blank = false;

	if (size < 8)
		return "";
	buf[out++] = '"';
	for (; used < len && out < max && out < size - 6; used++) {
		unsigned char c = (unsigned char)text[used];
		bool is_blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';

		if (is_blank && (blank || out == 1))
			continue;
		buf[out++] = is_blank ? ' ' : (char)c;
		blank = is_blank;
	}
	/* Not within a character of UTF-8. */
	while (used < len && out > 1 && ((unsigned char)text[used] & 0xc0) == 0x80 &&
		((unsigned char)buf[out - 1] & 0x80)) {
		used--;
		out--;
	}
	if (out > 1 && buf[out - 1] == ' ')
		out--;
	(void)snprintf(buf + out, size - out, used < len ? "...\"" : "\"");
	return buf;
}

/* ---- status
 * -------------------------------------------------------------------------------------- */

static int parse_range(const char *text, struct range *ret_range)
{
	char *end = NULL;
	struct range r;

	if (text[0] >= '1' && text[0] <= '5' && strcmp(text + 1, "xx") == 0) {
		r.first = (text[0] - '0') * 100L;
		r.last = r.first + 99;
	} else {
		r.first = strtol(text, &end, 10);
		r.last = r.first;
		if (end != text && *end == '-') {
			const char *last = end + 1;
			r.last = strtol(last, &end, 10);
			if (end == last)
				return -EINVAL;
		}
		if (end == text || *end)
			return -EINVAL;
	}
	if (r.first < 100 || r.last > 599 || r.last < r.first)
		return -EINVAL;
	*ret_range = r;
	return 0;
}

static int add_statuses(struct expect *e, char *const *status, struct tend_error *err)
{
	if (!status || !status[0]) {
		e->ranges[e->n_ranges++] = (struct range){200, 299};
		return 0;
	}
	for (; *status; status++) {
		if (e->n_ranges == MAX_RANGES)
			return tend_error_set(err, -E2BIG,
				"expect_status has more than %d codes and ranges", MAX_RANGES);
		if (parse_range(*status, &e->ranges[e->n_ranges]) < 0)
			return tend_error_set(err, -EINVAL,
				"expect_status '%s' is no status; write 200, 200-299 or 2xx",
				*status);
		e->n_ranges++;
	}
	return 0;
}

bool expect_status(const struct expect *e, long status)
{
	for (size_t i = 0; i < e->n_ranges; i++)
		if (status >= e->ranges[i].first && status <= e->ranges[i].last)
			return true;
	return false;
}

void expect_status_text(const struct expect *e, char *buf, size_t size)
{
	size_t out = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < e->n_ranges && out < size; i++) {
		const struct range *r = &e->ranges[i];
		const char *comma = i > 0 ? ", " : "";
		int n = r->first == r->last
				? snprintf(buf + out, size - out, "%s%ld", comma, r->first)
				: snprintf(buf + out, size - out, "%s%ld-%ld", comma, r->first,
					  r->last);

		out += n > 0 ? (size_t)n : 0;
	}
}

/* ---- expression
 * ----------------------------------------------------------------------------------- */

static int match_body(const struct expect *e, const char *body, size_t len, bool cut, char *why)
{
	int r = pattern_match(e->body, body, len);
	char quoted[200];

	if (r > 0)
		return 0;
	if (r == -ENOMEM) {
		(void)snprintf(why, EXPECT_WHY_BYTES, "no memory to match expect_body");
		return r;
	}
	if (r < 0)
		(void)snprintf(why, EXPECT_WHY_BYTES,
			"expect_body takes too long on this body (%zu bytes): simplify it", len);
	else
		(void)snprintf(why, EXPECT_WHY_BYTES, "expected %s to match /%.100s/, got %s",
			cut ? "the first part of the body" : "the body", pattern_text(e->body),
			len ? expect_quote(body, len, 150, quoted, sizeof(quoted))
			    : "an empty one");
	return -EBADMSG;
}

/* ---- JSON
 * ------------------------------------------------------------------------------------------ */

/* A JSON scalar, or else a string as it stands. */
static int parse_value(const char *text, json_t **ret_value)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	if (json_is_array(value) || json_is_object(value)) {
		json_decref(value);
		return -EINVAL;
	}
	if (!value)
		value = json_string(text);
	if (!value)
		return -EILSEQ; /* no UTF-8 */
	*ret_value = value;
	return 0;
}

static int add_pointer(struct expect *e, const char *entry, struct tend_error *err)
{
	const char *equals = strchr(entry, '=');
	struct pointer *p = &e->pointers[e->n_pointers];

	if (!equals || e->n_pointers == MAX_POINTERS)
		return tend_error_set(
			err, -E2BIG, "more than %d expect_json options", MAX_POINTERS);
	e->n_pointers++; /* owned from here on */
	p->path = strndup(entry, (size_t)(equals - entry));
	p->text = strdup(equals + 1);
	if (!p->path || !p->text)
		return tend_error_set(err, -ENOMEM, "no memory");
	if (!json_pointer_valid(p->path))
		return tend_error_set(err, -EINVAL,
			"expect_json.%s: '%s' is no JSON Pointer; it begins with '/', as in "
			"expect_json./result/status",
			p->path, p->path);
	if (strcmp(p->text, "*") == 0)
		return 0;
	if (parse_value(p->text, &p->value) < 0)
		return tend_error_set(err, -EINVAL,
			"expect_json.%s: '%s' is no scalar; write *, a number, true, false, null "
			"or a "
			"text",
			p->path, p->text);
	return 0;
}

static bool values_equal(const json_t *expected, const json_t *got)
{
	/* 3 and 3.0 are one number; the difference is the serialiser's. */
	if (json_is_number(expected) && json_is_number(got) &&
		json_is_integer(expected) != json_is_integer(got))
		return fabs(json_number_value(expected) - json_number_value(got)) == 0;
	return json_equal(expected, got);
}

static bool pointer_holds(const struct pointer *p, const json_t *got)
{
	if (!got)
		return false;
	return p->value ? values_equal(p->value, got) : !json_is_null(got);
}

/* An API's error beside a missing result is what one wants to read at night. */
static void describe_got(json_t *root, const json_t *got, char *buf, size_t size)
{
	const char *also = "";
	json_t *error = got ? NULL : json_object_get(root, "error");
	char quoted[160];
	const json_t *shown = got;

	if (error && !json_is_null(error)) {
		also = "nothing, but error ";
		shown = error;
	} else if (!got) {
		(void)snprintf(buf, size, "nothing there");
		return;
	}
	char *text = json_dumps(shown, JSON_ENCODE_ANY | JSON_COMPACT);
	(void)snprintf(buf, size, "%s%s", also,
		text ? expect_quote(text, strlen(text), 120, quoted, sizeof(quoted)) : "?");
	free(text);
}

static int match_json(const struct expect *e, const char *body, size_t len, bool cut, char *why)
{
	json_error_t error;
	char got_text[200];
	int r = 0;

	if (cut) {
		(void)snprintf(why, EXPECT_WHY_BYTES,
			"the JSON body is longer than max_body_bytes (%zu)", len);
		return -EBADMSG;
	}
	json_t *root = json_loadb(body, len, JSON_DECODE_ANY, &error);
	if (!root) {
		char quoted[200];
		(void)snprintf(why, EXPECT_WHY_BYTES, "expected JSON, got %s (line %d: %.80s)",
			len ? expect_quote(body, len, 120, quoted, sizeof(quoted))
			    : "an empty body",
			error.line, error.text);
		return -EBADMSG;
	}
	for (size_t i = 0; i < e->n_pointers && r == 0; i++) {
		const struct pointer *p = &e->pointers[i];
		json_t *got = json_pointer_get(root, p->path);

		if (pointer_holds(p, got))
			continue;
		describe_got(root, got, got_text, sizeof(got_text));
		(void)snprintf(why, EXPECT_WHY_BYTES, "expected %.80s = %.80s, got %s", p->path,
			p->value ? p->text : "anything", got_text);
		r = -EBADMSG;
	}
	json_decref(root);
	return r;
}

/* ---- the whole
 * ------------------------------------------------------------------------------------- */

static size_t count(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

/* There may be thousands, and most judge by 200-299 alone. */
static struct expect *expect_alloc(const struct expect_spec *spec)
{
	size_t n_ranges = count(spec->status), n_pointers = count(spec->json);
	struct expect *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->ranges = calloc(n_ranges ? n_ranges : 1, sizeof(*e->ranges));
	e->pointers = calloc(n_pointers ? n_pointers : 1, sizeof(*e->pointers));
	return e->ranges && e->pointers ? e : expect_free(e);
}

int expect_new(const struct expect_spec *spec, struct tend_error *err, struct expect **ret_expect)
{
	struct expect *e = expect_alloc(spec);
	int r;

	if (!e)
		return tend_error_set(err, -ENOMEM, "no memory");
	r = add_statuses(e, spec->status, err);
	if (r == 0 && spec->body)
		r = pattern_new("expect_body", spec->body, err, &e->body);
	for (char *const *entry = spec->json; r == 0 && entry && *entry; entry++)
		r = add_pointer(e, *entry, err);
	if (r < 0) {
		expect_free(e);
		return r;
	}
	*ret_expect = e;
	return 0;
}

struct expect *expect_free(struct expect *e)
{
	if (!e)
		return NULL;
	for (size_t i = 0; i < e->n_pointers; i++) {
		free(e->pointers[i].path);
		free(e->pointers[i].text);
		json_decref(e->pointers[i].value);
	}
	free(e->ranges);
	free(e->pointers);
	pattern_free(e->body);
	free(e);
	return NULL;
}

bool expect_wants_body(const struct expect *e)
{
	return e->body || e->n_pointers > 0;
}

int expect_body(
	const struct expect *e, const char *body, size_t len, bool cut, char why[EXPECT_WHY_BYTES])
{
	int r = 0;

	if (e->body)
		r = match_body(e, body, len, cut, why);
	if (r == 0 && e->n_pointers > 0)
		r = match_json(e, body, len, cut, why);
	return r;
}
