/* SPDX-License-Identifier: MIT */
/* How the reader builds sections; for conf/ only. */
#ifndef CONF_SECTION_INTERNAL_H
#define CONF_SECTION_INTERNAL_H

#include "conf/section.h"

/* The copy that sections and errors point to. NULL: no memory. */
const char *conf_sections_add_file(struct conf_sections *sections, const char *path);
/* `text` is the whole header line, "[kind NAME]". */
int conf_sections_begin(struct conf_sections *sections, const char *file, unsigned line,
	const char *text, size_t len, struct conf_section **ret_section, struct tend_error *err);
int conf_section_add_key(
	struct conf_section *section, const char *name, const char *value, unsigned line);

#endif
