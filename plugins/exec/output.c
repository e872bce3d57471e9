/* SPDX-License-Identifier: MIT */
#include "output.h"
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct span {
	const char *at, *end;
};

static struct span trim(struct span s)
{
	while (s.at < s.end && (*s.at == ' ' || *s.at == '\t' || *s.at == '\r'))
		s.at++;
	while (s.end > s.at && (s.end[-1] == ' ' || s.end[-1] == '\t' || s.end[-1] == '\r'))
		s.end--;
	return s;
}

/* Up to `c` or the end; `s` goes on after it. */
static struct span take_until(struct span *s, char c)
{
	const char *found = memchr(s->at, c, (size_t)(s->end - s->at));
	struct span head = {s->at, found ? found : s->end};

	s->at = found ? found + 1 : s->end;
	return head;
}

/* ---- text ---- */

static void append_text(struct output *out, struct span line)
{
	size_t used = strlen(out->text);

	line = trim(line);
	if (line.at == line.end || used + 1 >= sizeof(out->text))
		return;
	(void)snprintf(out->text + used, sizeof(out->text) - used, "%s%.*s", used ? "; " : "",
		(int)(line.end - line.at), line.at);
}

/* ---- performance data ---- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Labels are free text: what is not a letter or a digit becomes one '_'; "/" is a file system's. */
static void make_name(struct span label, char ret_name[OUTPUT_NAME_BYTES])
{
	size_t n = 0;

	for (const char *p = label.at; p < label.end && n < OUTPUT_NAME_BYTES - 1; p++) {
		char c = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;

		if (is_name_char(c))
			ret_name[n++] = c;
		else if (n > 0 && ret_name[n - 1] != '_')
			ret_name[n++] = '_';
	}
	while (n > 0 && ret_name[n - 1] == '_')
		n--;
	ret_name[n] = '\0';
	if (n == 0)
		(void)snprintf(ret_name, OUTPUT_NAME_BYTES, "%s",
			label.end - label.at == 1 && *label.at == '/' ? "root" : "value");
}

static bool has_metric(const struct output *out, const char *name)
{
	for (size_t i = 0; i < out->n_metrics; i++)
		if (strcmp(out->metrics[i].name, name) == 0)
			return true;
	return false;
}

/* "disk_2": two labels may become one name. */
static void make_unique(const struct output *out, char name[OUTPUT_NAME_BYTES])
{
	char base[OUTPUT_NAME_BYTES];

	memcpy(base, name, sizeof(base));
	for (unsigned i = 2; has_metric(out, name); i++)
		(void)snprintf(name, OUTPUT_NAME_BYTES, "%.*s_%u", OUTPUT_NAME_BYTES - 5, base, i);
}

/* Letters, signs and what is beyond ASCII; not the rest of a number ("1,5", "0x10"). */
static bool is_unit(struct span text)
{
	for (; text.at < text.end; text.at++)
		if ((unsigned char)*text.at < 0x80 && !is_letter(*text.at) &&
			!(*text.at && strchr("/%_-*", *text.at)))
			return false;
	return true;
}

/* As it stands, if there is room for it. */
static bool copy_unit(struct span unit, char ret_unit[OUTPUT_UNIT_BYTES])
{
	size_t n = (size_t)(unit.end - unit.at);

	if (!is_unit(unit))
		return false;
	ret_unit[0] = '\0';
	for (size_t i = 0; i < n; i++)
		if (n >= OUTPUT_UNIT_BYTES || (unsigned char)unit.at[i] >= 0x80)
			return true;
	(void)snprintf(ret_unit, OUTPUT_UNIT_BYTES, "%.*s", (int)n, unit.at);
	return true;
}

static bool read_unit(struct span unit, char ret_unit[OUTPUT_UNIT_BYTES], double *ret_factor)
{
	static const struct {
		const char *from, *to;
		double factor;
	} rows[] = {
		{"", "", 1},
		{"s", "s", 1},
		{"ms", "s", 1e-3},
		{"us", "s", 1e-6},
		{"ns", "s", 1e-9},
		{"%", "%", 1},
		{"B", "B", 1},
		{"KB", "B", 1024.0},
		{"MB", "B", 1048576.0},
		{"GB", "B", 1073741824.0},
		{"TB", "B", 1099511627776.0},
		{"PB", "B", 1125899906842624.0},
		{"KiB", "B", 1024.0},
		{"MiB", "B", 1048576.0},
		{"GiB", "B", 1073741824.0},
		{"TiB", "B", 1099511627776.0},
		{"PiB", "B", 1125899906842624.0},
		{"c", "c", 1},
	};
	size_t n = (size_t)(unit.end - unit.at);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strlen(rows[i].from) == n && memcmp(rows[i].from, unit.at, n) == 0) {
			(void)snprintf(ret_unit, OUTPUT_UNIT_BYTES, "%s", rows[i].to);
			*ret_factor = rows[i].factor;
			return true;
		}
	*ret_factor = 1;
	return copy_unit(unit, ret_unit);
}

/* Copies characters of this kind, as many as there are and fit. */
static size_t take_chars(struct span *field, const char *kind, char *to, size_t room)
{
	size_t n = 0;

	while (n < room && field->at < field->end && *field->at && strchr(kind, *field->at))
		to[n++] = *field->at++;
	return n;
}

/* A decimal number in the C locale, the unit after it. */
static bool read_value(struct span field, double *ret_value, struct span *ret_unit)
{
	char number[48];
	const size_t max = sizeof(number) - 1;
	size_t n = take_chars(&field, "0123456789.+-", number, max);
	char *end;

	/* An exponent, but not the 'E' of some unit. */
	if (n > 0 && n < max && field.end - field.at >= 2 &&
		(*field.at == 'e' || *field.at == 'E') && field.at[1] &&
		strchr("0123456789+-", field.at[1])) {
		number[n++] = *field.at++;
		n += take_chars(&field, "0123456789+-", number + n, max - n);
	}
	number[n] = '\0';
	*ret_value = strtod(number, &end);
	*ret_unit = field;
	return n > 0 && *end == '\0' && end != number && isfinite(*ret_value);
}

static void add_metric(struct output *out, struct span label, struct span fields)
{
	struct output_metric m = {.name = ""};
	struct span unit_text, value = take_until(&fields, ';');
	double factor;

	/* "U": the program cannot tell. */
	if (value.end - value.at == 1 && *value.at == 'U')
		return;
	if (out->n_metrics == OUTPUT_MAX_METRICS || !read_value(value, &m.value, &unit_text) ||
		!read_unit(unit_text, m.unit, &factor) || !isfinite(m.value * factor)) {
		out->n_unread++;
		return;
	}
	m.value *= factor;
	make_name(label, m.name);
	make_unique(out, m.name);
	out->metrics[out->n_metrics++] = m;
}

/* 'label with spaces'=...; a quote within is doubled, which a name has no use for. */
static bool take_label(struct span *s, struct span *ret_label)
{
	if (*s->at != '\'') {
		*ret_label = take_until(s, '=');
		return memchr(ret_label->at, ' ', (size_t)(ret_label->end - ret_label->at)) == NULL;
	}
	s->at++;
	ret_label->at = s->at;
	for (; s->at < s->end; s->at++) {
		if (*s->at != '\'')
			continue;
		if (s->end - s->at >= 2 && s->at[1] == '\'') {
			s->at++;
			continue;
		}
		ret_label->end = s->at++;
		if (s->at == s->end || *s->at != '=')
			return false;
		s->at++;
		return true;
	}
	return false;
}

static void read_performance(struct output *out, struct span s)
{
	for (;;) {
		struct span label, fields, rest;

		s = trim(s);
		if (s.at == s.end)
			return;
		rest = s;
		if (!take_label(&s, &label) || label.at == label.end) {
			/* Not in the form: on with the next word. */
			out->n_unread++;
			(void)take_until(&rest, ' ');
			s = rest;
			continue;
		}
		fields = take_until(&s, ' ');
		add_metric(out, label, fields);
	}
}

/* First line: TEXT | performance data. Then long text, and after a second '|' nothing but
 * performance data. */
void output_parse(const char *data, size_t len, struct output *ret_output)
{
	struct span all = {data, data + len};
	bool first = true, only_performance = false;

	*ret_output = (struct output){.n_metrics = 0};
	while (all.at < all.end) {
		struct span line = take_until(&all, '\n');
		bool bar = memchr(line.at, '|', (size_t)(line.end - line.at)) != NULL;

		if (!only_performance)
			append_text(ret_output, take_until(&line, '|'));
		if (only_performance || bar)
			read_performance(ret_output, line);
		only_performance = only_performance || (bar && !first);
		first = false;
	}
}
