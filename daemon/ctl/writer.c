/* SPDX-License-Identifier: MIT */
#include "ctl/writer.h"
#include <assert.h>
#include <string.h>
#include "base/str.h"

enum { TABLE_MAX_COLUMNS = 16, LAST_COLUMN_LEAST = 20 };

static const struct {
	const char *word, *colour;
} colours[] = {
	{"ok", "32"},
	{"delivered", "32"},
	{"done", "32"},
	{"enabled", "32"},
	{"warning", "33"},
	{"waiting", "33"},
	{"recovering", "33"},
	{"running", "33"},
	{"critical", "31;1"},
	{"failed", "31;1"},
	{"expired", "31;1"},
	{"stopped", "31;1"},
	{"unknown", "35;1"},
	{"unreachable", "36"},
	{"pending", "2"},
	{"superseded", "2"},
	{"closed", "2"},
};

static const char *colour_of(const struct ctl *ctl, const char *word)
{
	if (!ctl->colour)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(colours); i++)
		if (strcmp(colours[i].word, word) == 0)
			return colours[i].colour;
	return NULL;
}

static void put_coloured(struct ctl *ctl, const char *text, enum ctl_format format)
{
	const char *colour = format == CTL_STATE ? colour_of(ctl, text) : NULL;

	if (colour)
		(void)fprintf(ctl->out, "\033[%sm%s\033[0m", colour, text);
	else
		(void)fputs(text, ctl->out);
}

void text_put(struct ctl *ctl, const char *text)
{
	auto_json json_t *value = json_string_nocheck(text);
	auto_free char *clean = ctl_format_value(ctl, value, CTL_TEXT);

	(void)fputs(clean ? clean : "?", ctl->out);
}

void text_state(struct ctl *ctl, const char *state)
{
	auto_json json_t *value = json_string_nocheck(state);
	auto_free char *clean = ctl_format_value(ctl, value, CTL_TEXT);

	put_coloured(ctl, clean ? clean : "?", CTL_STATE);
}

void text_title(struct ctl *ctl, const char *title)
{
	(void)fprintf(ctl->out, ctl->colour ? "\n\033[1m%s\033[0m\n" : "\n%s\n", title);
}

static void pad(struct ctl *ctl, size_t width, size_t to)
{
	(void)fprintf(ctl->out, "%*s", (int)(to > width ? to - width : 0), "");
}

/* Cuts at a character so that at most `width` columns are left, with a mark. */
static void cut(char *text, size_t width)
{
	size_t len = strlen(text);

	if (ctl_display_width(text) <= width || width < 2)
		return;
	while (len > 0 && ctl_display_width(text) > width - 1) {
		len = str_cut_utf8(text, len, len - 1);
		text[len] = '\0';
	}
	/* "~" and not an ellipsis: it fits every locale and every terminal. */
	memcpy(text + len, "~", 2);
}

struct table {
	size_t n_columns, n_rows;
	char **cells; /* n_rows x n_columns */
	size_t width[TABLE_MAX_COLUMNS];
};

static void table_drop(struct table *t)
{
	for (size_t i = 0; i < t->n_columns * t->n_rows; i++)
		free(t->cells[i]);
	free(t->cells);
}

static int table_fill(
	struct ctl *ctl, struct table *t, const json_t *rows, const struct ctl_column *columns)
{
	t->cells = calloc(t->n_rows * t->n_columns + 1, sizeof(char *));
	if (!t->cells) {
		t->n_rows = 0;
		return -ENOMEM;
	}
	for (size_t c = 0; c < t->n_columns; c++)
		t->width[c] = strlen(columns[c].title);
	for (size_t r = 0; r < t->n_rows; r++)
		for (size_t c = 0; c < t->n_columns; c++) {
			const json_t *row = json_array_get(rows, r);
			char *cell = ctl_format_value(
				ctl, ctl_lookup(row, columns[c].path), columns[c].format);
			size_t width = cell ? ctl_display_width(cell) : 0;

			t->cells[r * t->n_columns + c] = cell;
			t->width[c] = MAX(t->width[c], width);
		}
	return 0;
}

/* What is left of the terminal for the last column; 0 = no limit. */
static size_t table_room(const struct ctl *ctl, const struct table *t)
{
	size_t used = 0;

	for (size_t c = 0; c + 1 < t->n_columns; c++)
		used += t->width[c] + 2;
	if (ctl->width == 0 || used + LAST_COLUMN_LEAST > ctl->width)
		return 0;
	return ctl->width - used;
}

static void table_print(struct ctl *ctl, const struct table *t, const struct ctl_column *columns)
{
	size_t room = table_room(ctl, t);

	for (size_t c = 0; c < t->n_columns; c++) {
		assert(columns[c].title);
		(void)fputs(columns[c].title, ctl->out);
		if (c + 1 < t->n_columns)
			pad(ctl, strlen(columns[c].title), t->width[c] + 2);
	}
	(void)fputc('\n', ctl->out);
	for (size_t r = 0; r < t->n_rows; r++) {
		for (size_t c = 0; c < t->n_columns; c++) {
			char *cell = t->cells[r * t->n_columns + c];
			bool last = c + 1 == t->n_columns;

			if (!cell)
				continue;
			if (last && room)
				cut(cell, room);
			put_coloured(ctl, cell, columns[c].format);
			if (!last)
				pad(ctl, ctl_display_width(cell), t->width[c] + 2);
		}
		(void)fputc('\n', ctl->out);
	}
}

void text_list(struct ctl *ctl, const json_t *rows, const struct ctl_column *columns)
{
	__attribute__((cleanup(table_drop))) struct table t = {.n_rows = json_array_size(rows)};

	while (columns[t.n_columns].title && t.n_columns < TABLE_MAX_COLUMNS)
		t.n_columns++;
	if (table_fill(ctl, &t, rows, columns) < 0) {
		ctl_complain(ctl, "no memory");
		return;
	}
	table_print(ctl, &t, columns);
}

void text_object(struct ctl *ctl, const json_t *object, const struct ctl_column *fields)
{
	size_t width = 0;

	for (const struct ctl_column *f = fields; f->title; f++) {
		size_t len = strlen(f->title);

		width = MAX(width, len);
	}
	for (const struct ctl_column *f = fields; f->title; f++) {
		const json_t *value = ctl_lookup(object, f->path);
		auto_free char *text = ctl_format_value(ctl, value, f->format);

		if (!value || json_is_null(value) || !text)
			continue;
		(void)fprintf(ctl->out, "%s:", f->title);
		pad(ctl, strlen(f->title), width + 1);
		put_coloured(ctl, text, f->format);
		(void)fputc('\n', ctl->out);
	}
}

static void text_page(struct ctl *ctl, const json_t *json, ctl_page_fn page)
{
	page(ctl, json);
}

static void json_out(struct ctl *ctl, const json_t *json)
{
	(void)json_dumpf(json, ctl->out, JSON_INDENT(2) | JSON_ENCODE_ANY);
	(void)fputc('\n', ctl->out);
}

static void json_list(struct ctl *ctl, const json_t *rows, const struct ctl_column *columns)
{
	json_out(ctl, rows);
}

static void json_page(struct ctl *ctl, const json_t *json, ctl_page_fn page)
{
	json_out(ctl, json);
}

static void names_list(struct ctl *ctl, const json_t *rows, const struct ctl_column *columns)
{
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row) {
		/* Whole ids here: these lines are for other programs. */
		text_put(ctl, ctl_string(row, columns[0].path));
		(void)fputc('\n', ctl->out);
	}
}

static void names_object(struct ctl *ctl, const json_t *object, const struct ctl_column *fields)
{
	text_put(ctl, ctl_string(object, fields[0].path));
	(void)fputc('\n', ctl->out);
}

const struct ctl_writer ctl_writers[] = {
	{"text", text_list, text_object, text_page},
	{"json", json_list, json_list, json_page},
	{"names", names_list, names_object, text_page},
	{NULL, NULL, NULL, NULL},
};

const struct ctl_writer *ctl_writer_find(const char *name)
{
	for (const struct ctl_writer *w = ctl_writers; w->name; w++)
		if (strcmp(w->name, name) == 0)
			return w;
	return NULL;
}
