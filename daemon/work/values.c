/* SPDX-License-Identifier: MIT */
#include "work/values.h"
#include <errno.h>
#include <string.h>
#include "base/base64.h"
#include "base/cleanup.h"
#include "base/str.h"

enum { FILES_MAX_BYTES = 1 << 16 };

/* ---- to JSON -------------------------------------------------------------------------------- */

static json_t *pack_secret(const char *secret)
{
	char *text = base64_encode(secret, strlen(secret));
	json_t *value = text ? json_string(text) : NULL;

	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	return value;
}

static json_t *pack_list(char *const *list, json_t *(*pack)(const char *text))
{
	json_t *array = json_array();

	for (; list && *list; list++) {
		if (json_array_append_new(array, pack(*list)) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *pack_text(const char *text)
{
	return json_string(text);
}

static json_t *pack_value(const struct tend_option *row, const void *member)
{
	const char *text = row->type == TEND_OPT_STRING || row->type == TEND_OPT_SECRET
				   ? *(char *const *)member
				   : NULL;

	switch (row->type) {
	case TEND_OPT_BOOL:
		return json_boolean(*(const bool *)member);
	case TEND_OPT_INT:
		return json_integer(*(const int64_t *)member);
	case TEND_OPT_DOUBLE:
		return json_real(*(const double *)member);
	case TEND_OPT_USEC:
	case TEND_OPT_BYTES: /* no option is beyond what an integer of JSON holds but "for ever" */
		return json_integer((json_int_t) * (const uint64_t *)member);
	case TEND_OPT_ENUM:
		return json_integer(*(const int *)member);
	case TEND_OPT_STRING:
		return text ? json_string(text) : json_null();
	case TEND_OPT_SECRET:
		return text ? pack_secret(text) : json_null();
	case TEND_OPT_SECRET_MAP:
		return pack_list(*(char **const *)member, pack_secret);
	default:
		return pack_list(*(char **const *)member, pack_text);
	}
}

int work_values_pack(const struct tend_option *rows, const void *conf, json_t **ret_values)
{
	auto_json json_t *values = json_object();

	if (!values)
		return -ENOMEM;
	for (const struct tend_option *row = rows; row->name; row++) {
		json_t *value = pack_value(row, (const char *)conf + row->offset);

		if (!value)
			return -EILSEQ;
		if (json_object_set_new(values, row->name, value) < 0)
			return -ENOMEM;
	}
	*ret_values = TAKE(values);
	return 0;
}

/* ---- and back ------------------------------------------------------------------------------- */

static int unpack_text(const json_t *value, char **ret_text)
{
	const char *text = json_string_value(value);
	char *copy = text ? strdup(text) : NULL;

	if (!copy)
		return text ? -ENOMEM : -EBADMSG;
	*ret_text = copy;
	return 0;
}

static int unpack_secret(const json_t *value, char **ret_text)
{
	const char *text = json_string_value(value);
	void *data = NULL;
	char *copy;
	size_t len;
	int r = text ? base64_decode(text, &data, &len) : -EINVAL;

	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	copy = strndup(len ? data : "", len);
	if (data)
		explicit_bzero(data, len);
	free(data);
	if (!copy)
		return -ENOMEM;
	*ret_text = copy;
	return 0;
}

static int unpack_list(
	const json_t *array, int (*unpack)(const json_t *value, char **ret_text), char ***ret_list)
{
	size_t n = json_array_size(array);

	if (!json_is_array(array))
		return -EBADMSG;
	if (n == 0)
		return 0;
	/* In place at once, so that what there is of it is freed with the rest. */
	*ret_list = calloc(n + 1, sizeof(**ret_list));
	if (!*ret_list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int r = unpack(json_array_get(array, i), &(*ret_list)[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int unpack_integer(const struct tend_option *row, const json_t *value, void *member)
{
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value))
		return -EBADMSG;
	if (row->type == TEND_OPT_INT)
		*(int64_t *)member = n;
	else if (row->type == TEND_OPT_ENUM)
		*(int *)member = (int)n;
	else
		*(uint64_t *)member = (uint64_t)n;
	return 0;
}

static int unpack_value(const struct tend_option *row, const json_t *value, void *member)
{
	switch (row->type) {
	case TEND_OPT_BOOL:
		*(bool *)member = json_is_true(value);
		return json_is_boolean(value) ? 0 : -EBADMSG;
	case TEND_OPT_DOUBLE:
		*(double *)member = json_real_value(value);
		return json_is_real(value) ? 0 : -EBADMSG;
	case TEND_OPT_INT:
	case TEND_OPT_USEC:
	case TEND_OPT_BYTES:
	case TEND_OPT_ENUM:
		return unpack_integer(row, value, member);
	case TEND_OPT_STRING:
		return json_is_null(value) ? 0 : unpack_text(value, member);
	case TEND_OPT_SECRET:
		return json_is_null(value) ? 0 : unpack_secret(value, member);
	case TEND_OPT_SECRET_MAP:
		return unpack_list(value, unpack_secret, member);
	default:
		return unpack_list(value, unpack_text, member);
	}
}

int work_values_unpack(const struct tend_option *rows, const json_t *values, void *into)
{
	for (const struct tend_option *row = rows; row->name; row++) {
		int r = unpack_value(
			row, json_object_get(values, row->name), (char *)into + row->offset);

		if (r < 0)
			return r;
	}
	return 0;
}

char *work_values_files(const struct tend_option *rows, const void *conf)
{
	auto_str struct str text = STR_INIT(FILES_MAX_BYTES);

	for (const struct tend_option *row = rows; row->name; row++) {
		const char *path;

		if (row->type != TEND_OPT_STRING || !(row->flags & TEND_OPTION_FILE))
			continue;
		memcpy(&path, (const char *)conf + row->offset, sizeof(path));
		if (str_appendf(&text, "%s\n", path ? path : "") < 0)
			return NULL;
	}
	return strdup(str_get(&text));
}
