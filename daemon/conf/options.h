/* SPDX-License-Identifier: MIT */
/*
 * conf/options.h: the engine over option rows: one table gives parsing, ranges, defaults, dump,
 * comparison and the manual. Members are owned by the struct and freed by conf_options_free();
 * secrets are wiped first and never printed. Only secrets are read from (small) files.
 */
#ifndef CONF_OPTIONS_H
#define CONF_OPTIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <tend/error.h>
#include <tend/option.h>
#include "base/str.h"

size_t conf_option_size(enum tend_option_type type); /* of the member */
const char *conf_option_type_name(enum tend_option_type type);
/* Are these rows usable for a struct of `size` bytes? For rows that come from a plugin. */
int conf_options_check(const struct tend_option *rows, size_t size, struct tend_error *err);

/* Without a default: NULL, 0, no; an ENUM is -1. */
int conf_options_init(const struct tend_option *rows, void *into, struct tend_error *err);
/* Parses `text` into the member. An empty text sets a STRING to NULL, a LIST to none. */
int conf_option_set(
	const struct tend_option *row, void *into, const char *text, struct tend_error *err);
bool conf_option_is_map(const struct tend_option *row);
int conf_option_map_add(const struct tend_option *row, void *into, const char *key,
	const char *value, struct tend_error *err);
void conf_options_free(const struct tend_option *rows, void *into);
bool conf_options_same(const struct tend_option *rows, const void *a, const void *b);

/* "KEY = VALUE" lines that parse to the same again, but secrets, which are "***". */
int conf_options_dump(
	const struct tend_option *rows, const void *from, const char *prefix, struct str *out);
json_t *conf_options_to_json(const struct tend_option *rows, const void *from);

/* How values are written, exactly: "1h30m", "64K", the shortest decimal of a double. */
enum { CONF_VALUE_BYTES = 64 };
const char *conf_format_span(usec_t span, char buf[CONF_VALUE_BYTES]);
const char *conf_format_bytes(uint64_t n, char buf[CONF_VALUE_BYTES]);
const char *conf_format_double(double d, char buf[CONF_VALUE_BYTES]);
/* Decimal only: no hex, inf, nan or locale. -EINVAL, -ERANGE */
int conf_parse_double(const char *text, double *ret);
int conf_parse_int(const char *text, int64_t *ret);

#endif
