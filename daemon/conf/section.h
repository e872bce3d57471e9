/* SPDX-License-Identifier: MIT */
/*
 * conf/section.h: ini files as sections with file:line, and sections as structs by option rows. For
 * the daemon's configuration and the executor's manifest; knows no plugin. struct conf_sections
 * owns all it read. Blocks on small files. Every fault is added to `errors`; what could be read is
 * still given, so that one run finds them all.
 *
 * The language: `[kind]` or `[kind NAME]`, `key = value` from the first column, a value goes on on
 * indented lines (joined by a newline), comments on lines of their own begin with '#' or ';'.
 */
#ifndef CONF_SECTION_H
#define CONF_SECTION_H

#include <stdbool.h>
#include <tend/option.h>
#include "base/map.h"
#include "base/vec.h"
#include "conf/errors.h"

enum {
	CONF_MAX_FILE_BYTES = 16 << 20,
	CONF_MAX_FILES = 1000,
	CONF_MAX_LINE_BYTES = 16384,
	CONF_MAX_VALUE_BYTES = 65536,
	CONF_MAX_KEY_BYTES = 128,
	CONF_MAX_NAME_BYTES = 200,
	CONF_MAX_KEYS = 1000, /* in one section */
	CONF_MAX_SECTIONS = 100000,
};

struct conf_key {
	char *name;
	char *value;
	unsigned line;
};

struct conf_section {
	char *kind;
	char *name; /* NULL for `[kind]` */
	const char *file;
	unsigned line;
	struct conf_key *keys;
	size_t n_keys, cap_keys;
};

struct conf_sections {
	struct vec list;  /* struct conf_section *, in order of appearance */
	struct map index; /* by "kind NAME" */
	struct vec files; /* char *, in order */
};

/* Adds the sections of one file; a section that was read before (in any file) is an error. 0, or
 * -EINVAL when errors were added (or -ENOMEM). */
int conf_file_read(const char *path, struct conf_sections *sections, struct conf_errors *errors);
/* The same for the *.conf of a folder, by name; a folder that is not there is an empty one. */
int conf_folder_read(
	const char *folder, struct conf_sections *sections, struct conf_errors *errors);
/* The same for text in memory; `name` stands for the file. */
int conf_text_read(const char *name, const char *text, size_t len, struct conf_sections *sections,
	struct conf_errors *errors);
void conf_sections_clear(struct conf_sections *sections);

const struct conf_section *conf_sections_find(
	const struct conf_sections *sections, const char *kind, const char *name);
/* NULL if the key is not there. */
const struct conf_key *conf_section_key(const struct conf_section *section, const char *name);
/* "[kind NAME]" for messages. */
enum { CONF_TITLE_BYTES = CONF_MAX_NAME_BYTES + 64 };
const char *conf_section_title(const struct conf_section *section, char buf[CONF_TITLE_BYTES]);
/* An error at the key's line (or the section's, when there is no such key or `key` is NULL). */
__attribute__((format(printf, 4, 5))) int conf_section_error(const struct conf_section *section,
	const char *key, struct conf_errors *errors, const char *format, ...);

/* Rows and the struct they fill. The struct must be zeroed before; free with conf_options_free().
 * Rows NULL take, unread, any key that no other table has. */
struct conf_table {
	const struct tend_option *rows;
	void *into;
};
/* Sets defaults and every key; a key goes to the first table that has a row for it. Unknown keys,
 * values that do not parse, are out of range or missing are errors with file:line and, for names,
 * the nearest. 0 or -EINVAL; the structs can be freed either way. */
int conf_section_parse_tables(const struct conf_section *section, const struct conf_table *tables,
	size_t n_tables, struct conf_errors *errors);
int conf_section_parse(const struct conf_section *section, const struct tend_option *rows,
	void *into, struct conf_errors *errors);

/* A copy in which PREFIX.KEY takes the place of KEY (`over`), or in which PREFIX.* is left out. The
 * copy borrows nothing but the file name; *ret_any tells whether there were such keys. */
int conf_section_overlay(const struct conf_section *section, const char *prefix, bool over,
	struct conf_section **ret_section, bool *ret_any);
struct conf_section *conf_section_free(struct conf_section *section);

#endif
