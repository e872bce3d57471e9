/* SPDX-License-Identifier: MIT */
/*
 * ctl/writer.h: how JSON becomes what people or machines read: a vtable with the writers text, json
 * and names. Columns and fields are rows of a table. Foreign text is made harmless to terminals
 * here and nowhere else. Nothing is owned.
 */
#ifndef CTL_WRITER_H
#define CTL_WRITER_H

#include "ctl/ctl.h"

enum ctl_format {
	CTL_TEXT,  /* a string, number or bool as it is */
	CTL_STATE, /* coloured by what it says: ok, critical, delivered, failed... */
	CTL_ID,	   /* a UUID, cut where it is still unique */
	CTL_TIME,  /* usec or RFC 3339 -> local time and how long ago */
	CTL_AGO,   /* the same, only how long ago */
	CTL_SPAN,  /* seconds -> 2m5s */
	CTL_YESNO,
	CTL_COUNT, /* of an array */
	CTL_JOIN,  /* an array of strings; of an object, its different values */
	CTL_JSON,  /* compact JSON */
};

struct ctl_column {
	const char *title;
	const char *path; /* "last.text"; alternatives after '|' */
	enum ctl_format format;
};

/* Draws a page of text from the answer. */
typedef void (*ctl_page_fn)(struct ctl *ctl, const json_t *json);

struct ctl_writer {
	const char *name;
	void (*list)(struct ctl *ctl, const json_t *rows, const struct ctl_column *columns);
	void (*object)(struct ctl *ctl, const json_t *object, const struct ctl_column *fields);
	void (*page)(struct ctl *ctl, const json_t *json, ctl_page_fn page);
};
extern const struct ctl_writer
	ctl_writers[]; /* ended by one without a name; the first is the default */
const struct ctl_writer *ctl_writer_find(const char *name); /* NULL */

/* For pages; all write to ctl->out. */
void text_list(struct ctl *ctl, const json_t *rows, const struct ctl_column *columns);
void text_object(struct ctl *ctl, const json_t *object, const struct ctl_column *fields);
void text_state(struct ctl *ctl, const char *state); /* coloured */
void text_title(struct ctl *ctl, const char *title);
/* Foreign text, cleaned. */
void text_put(struct ctl *ctl, const char *text);

const json_t *ctl_lookup(const json_t *object, const char *path); /* NULL */
const char *ctl_string(const json_t *object, const char *path);	  /* "" when there is none */
/* The value as text for people; the caller frees; NULL: no memory. */
char *ctl_format_value(const struct ctl *ctl, const json_t *value, enum ctl_format format);
size_t ctl_display_width(const char *text);
bool ctl_time_of(const json_t *value, usec_t *ret_wall);
int ctl_exit_of_state(const char *state); /* 0..3 */

#endif
