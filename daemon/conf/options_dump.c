/* SPDX-License-Identifier: MIT */
/* Options as ini lines and as JSON. Secrets leave here as "***" only, webhooks without path. */
#include <inttypes.h>
#include <string.h>
#include "conf/options.h"

static const char REDACTED[] = "***";

enum { SHOWN_BYTES = 320 }; /* a scheme, a host's name of 255 bytes, a port */

static const void *member(const struct tend_option *row, const void *from)
{
	return (const char *)from + row->offset;
}

/* Neither user, path nor query: they may be what lets one in. */
static const char *url_text(const char *url, char buf[SHOWN_BYTES])
{
	const char *scheme = strstr(url, "://"), *host = scheme ? scheme + 3 : url, *at;
	size_t n = strcspn(host, "/?#");
	const char *rest = host + n;

	at = memrchr(host, '@', n);
	if (at) {
		n -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	(void)snprintf(buf, SHOWN_BYTES, "%.*s%.*s%s%s", scheme ? (int)MIN(scheme + 3 - url, 8) : 0,
		url, (int)MIN(n, (size_t)280), host, *rest ? "/" : "",
		*rest && strcmp(rest, "/") != 0 ? REDACTED : "");
	return buf;
}

/* The text of a scalar as it would be written; NULL when it is not set. */
static const char *scalar_text(
	const struct tend_option *row, const void *from, char buf[SHOWN_BYTES])
{
	const void *m = member(row, from);

	switch (row->type) {
	case TEND_OPT_BOOL:
		return *(const bool *)m ? "yes" : "no";
	case TEND_OPT_INT:
		(void)snprintf(buf, CONF_VALUE_BYTES, "%" PRId64, *(const int64_t *)m);
		return !row->def && *(const int64_t *)m == 0 ? NULL : buf;
	case TEND_OPT_DOUBLE:
		conf_format_double(*(const double *)m, buf);
		return !row->def && *(const double *)m == 0 ? NULL : buf;
	case TEND_OPT_USEC:
		conf_format_span(*(const usec_t *)m, buf);
		return !row->def && *(const usec_t *)m == 0 ? NULL : buf;
	case TEND_OPT_BYTES:
		conf_format_bytes(*(const uint64_t *)m, buf);
		return !row->def && *(const uint64_t *)m == 0 ? NULL : buf;
	case TEND_OPT_ENUM:
		return *(const int *)m < 0 ? NULL : row->names[*(const int *)m];
	case TEND_OPT_SECRET:
		return *(char *const *)m ? REDACTED : NULL;
	default:
		if (*(char *const *)m && row->flags & TEND_OPTION_PRIVATE_URL)
			return url_text(*(char *const *)m, buf);
		return *(char *const *)m;
	}
}

static const char *map_value(const struct tend_option *row, const char *value)
{
	return row->type == TEND_OPT_SECRET_MAP ? REDACTED : value;
}

/* A line break in a value becomes an indented line, which reads back as a line break. */
static int dump_value(struct str *out, const char *value)
{
	int r = 0;

	while (r == 0) {
		size_t n = strcspn(value, "\n");

		r = str_append(out, value, n);
		if (r == 0)
			r = str_append(out, value[n] ? "\n\t" : "\n", value[n] ? 2 : 1);
		if (!value[n])
			break;
		value += n + 1;
	}
	return r;
}

static int dump_map(
	const struct tend_option *row, const void *from, const char *prefix, struct str *out)
{
	char *const *map = *(char **const *)member(row, from);
	int r = 0;

	for (; map && *map && r == 0; map++) {
		size_t n = strcspn(*map, "=");

		r = str_appendf(out, "%s%s.%.*s = ", prefix, row->name, (int)n, *map);
		if (r == 0)
			r = dump_value(out, map_value(row, *map + n + 1));
	}
	return r;
}

static int dump_list(struct str *out, char *const *list)
{
	int r = 0;

	for (size_t i = 0; list && list[i] && r == 0; i++)
		r = str_appendf(out, "%s%s", i ? ", " : "", list[i]);
	return r < 0 ? r : str_append(out, "\n", 1);
}

static int dump_row(
	const struct tend_option *row, const void *from, const char *prefix, struct str *out)
{
	char buf[SHOWN_BYTES];
	const char *text = NULL;
	int r;

	if (conf_option_is_map(row))
		return dump_map(row, from, prefix, out);
	if (row->type != TEND_OPT_LIST)
		text = scalar_text(row, from, buf);
	/* What is not set is left out, unless a default would come in its place. */
	if (!row->def && (row->type == TEND_OPT_LIST ? !*(char **const *)member(row, from) : !text))
		return 0;
	r = str_appendf(out, "%s%s = ", prefix, row->name);
	if (r < 0)
		return r;
	if (row->type == TEND_OPT_LIST)
		return dump_list(out, *(char **const *)member(row, from));
	return dump_value(out, text ? text : "");
}

int conf_options_dump(
	const struct tend_option *rows, const void *from, const char *prefix, struct str *out)
{
	int r = 0;

	for (const struct tend_option *row = rows; row->name && r == 0; row++)
		r = dump_row(row, from, prefix, out);
	return r;
}

static json_t *list_to_json(char *const *list)
{
	json_t *array = json_array();

	for (; array && list && *list; list++)
		if (json_array_append_new(array, json_string(*list)) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *map_to_json(const struct tend_option *row, const void *from)
{
	char *const *map = *(char **const *)member(row, from);
	json_t *object = json_object();

	for (; object && map && *map; map++) {
		size_t n = strcspn(*map, "=");
		auto_free char *key = strndup(*map, n);

		if (!key || json_object_set_new(
				    object, key, json_string(map_value(row, *map + n + 1))) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static json_t *row_to_json(const struct tend_option *row, const void *from)
{
	const void *m = member(row, from);
	char buf[SHOWN_BYTES];
	const char *text;

	switch (row->type) {
	case TEND_OPT_BOOL:
		return json_boolean(*(const bool *)m);
	case TEND_OPT_INT:
		return json_integer(*(const int64_t *)m);
	case TEND_OPT_DOUBLE:
		return json_real(*(const double *)m);
	case TEND_OPT_LIST:
		return list_to_json(*(char **const *)m);
	case TEND_OPT_MAP:
	case TEND_OPT_SECRET_MAP:
		return map_to_json(row, from);
	default:
		text = scalar_text(row, from, buf);
		return text ? json_string(text) : json_null();
	}
}

json_t *conf_options_to_json(const struct tend_option *rows, const void *from)
{
	auto_json json_t *object = json_object();

	for (const struct tend_option *row = rows; object && row->name; row++)
		if (json_object_set_new(object, row->name, row_to_json(row, from)) < 0)
			return NULL;
	return TAKE(object);
}
