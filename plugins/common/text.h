/* SPDX-License-Identifier: MIT */
/* common/text.h: foreign bytes for people, and bytes written in a configuration. Pure. */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include <stddef.h>
#include <tend/error.h>

/* The start as one line in quotes: blanks collapse, what is not printable ASCII is '.', "..." if
 * there was more than `max` characters. Returns buf; it needs max + 6 bytes. */
const char *text_quote(const char *data, size_t len, size_t max, char *buf, size_t size);
/* \r \n \t \0 \\ \xHH. The caller frees. -EINVAL: another escape, -ENOMEM. */
int text_unescape(const char *text, char **ret_data, size_t *ret_len);

#endif
