/* SPDX-License-Identifier: MIT */
#include "conf/options.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "base/fs.h"
#include "conf/conf.h"

static const struct {
	size_t size;
	const char *name;
} types[TEND_OPT_TYPE_MAX] = {
	[TEND_OPT_BOOL] = {sizeof(bool), "yes or no"},
	[TEND_OPT_INT] = {sizeof(int64_t), "number"},
	[TEND_OPT_DOUBLE] = {sizeof(double), "decimal number"},
	[TEND_OPT_USEC] = {sizeof(usec_t), "duration"},
	[TEND_OPT_BYTES] = {sizeof(uint64_t), "size"},
	[TEND_OPT_STRING] = {sizeof(char *), "text"},
	[TEND_OPT_LIST] = {sizeof(char **), "list"},
	[TEND_OPT_ENUM] = {sizeof(int), "word"},
	[TEND_OPT_SECRET] = {sizeof(char *), "secret"},
	[TEND_OPT_MAP] = {sizeof(char **), "text by name"},
	[TEND_OPT_SECRET_MAP] = {sizeof(char **), "secret by name"},
};

size_t conf_option_size(enum tend_option_type type)
{
	return types[type].size;
}

const char *conf_option_type_name(enum tend_option_type type)
{
	return types[type].name;
}

static void *member(const struct tend_option *row, void *into)
{
	return (char *)into + row->offset;
}

/* ---- parse ---------------------------------------------------------------------------------- */

enum { SHOWN_BYTES = 96 };

/* A value for a message: escaped, and cut when it is long. */
static const char *shown(const char *text, char buf[128])
{
	char safe[SHOWN_BYTES + 4];
	size_t n;

	str_sanitize(safe, sizeof(safe), text, strlen(text));
	n = str_cut_utf8(safe, strlen(safe), SHOWN_BYTES);
	(void)snprintf(buf, 128, "%.*s%s", (int)n, safe, safe[n] ? "..." : "");
	return buf;
}

static int parse_bool(const char *text, bool *ret)
{
	static const char *const yes[] = {"yes", "true", "on", "1"};
	static const char *const no[] = {"no", "false", "off", "0"};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			*ret = strcmp(text, yes[i]) == 0;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_list(const char *text, char ***ret)
{
	auto(strv_free) char **list = NULL;
	size_t n = 0;

	while (*text) {
		size_t len = strcspn(text, ",\n");
		const char *start = text + strspn(text, " \t");
		const char *end = text + len;

		while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
			end--;
		if (start < end) {
			char **p = realloc(list, (n + 2) * sizeof(*p));

			if (!p)
				return -ENOMEM;
			list = p;
			list[n + 1] = NULL;
			list[n] = strndup(start, (size_t)(end - start));
			if (!list[n++])
				return -ENOMEM;
		}
		text += len;
		if (*text)
			text++;
	}
	*ret = TAKE(list);
	return 0;
}

static int parse_enum(
	const struct tend_option *row, const char *text, int *ret, struct tend_error *err)
{
	auto_str struct str choice = STR_INIT(TEND_ERROR_TEXT_BYTES / 2);
	char buf[128];
	const char *nearest;
	size_t n = 0;

	for (; row->names[n]; n++) {
		if (strcmp(row->names[n], text) == 0) {
			*ret = (int)n;
			return 0;
		}
		(void)str_appendf(&choice, "%s%s", n ? ", " : "", row->names[n]);
	}
	nearest = str_nearest(text, row->names, n);
	if (nearest)
		return tend_error_set(err, -EINVAL, "'%s' is not one of %s; the nearest is '%s'",
			shown(text, buf), str_get(&choice), nearest);
	return tend_error_set(
		err, -EINVAL, "'%s' is not one of %s", shown(text, buf), str_get(&choice));
}

static const char *format_limit(const struct tend_option *row, double limit, char *buf)
{
	if (row->type == TEND_OPT_USEC)
		return conf_format_span((usec_t)limit, buf);
	if (row->type == TEND_OPT_BYTES)
		return conf_format_bytes((uint64_t)limit, buf);
	return conf_format_double(limit, buf);
}

static int check_limits(
	const struct tend_option *row, const char *text, double value, struct tend_error *err)
{
	char buf[128], low[CONF_VALUE_BYTES], high[CONF_VALUE_BYTES];

	if ((row->min == 0 && row->max == 0) || (value >= row->min && value <= row->max))
		return 0;
	if (row->max < row->min) { /* a row with .min alone has no upper limit */
		if (value >= row->min)
			return 0;
		return tend_error_set(err, -ERANGE, "'%s' is too small, the least is %s",
			shown(text, buf), format_limit(row, row->min, low));
	}
	return tend_error_set(err, -ERANGE, "'%s' is out of range, it must be %s to %s",
		shown(text, buf), format_limit(row, row->min, low),
		format_limit(row, row->max, high));
}

static int bad_number(int r, const char *text, const char *what, struct tend_error *err)
{
	char buf[128];

	if (r == -ERANGE)
		return tend_error_set(err, r, "'%s' is too large", shown(text, buf));
	return tend_error_set(err, r, "'%s' is not %s", shown(text, buf), what);
}

/* Numbers of every kind: parse, check the limits, only then store. */
static int set_number(
	const struct tend_option *row, void *to, const char *text, struct tend_error *err)
{
	union {
		int64_t i;
		uint64_t u;
		double d;
	} v;
	const char *what;
	double value;
	int r;

	switch (row->type) {
	case TEND_OPT_INT:
		r = conf_parse_int(text, &v.i);
		what = "a whole number";
		value = r < 0 ? 0 : (double)v.i;
		break;
	case TEND_OPT_DOUBLE:
		r = conf_parse_double(text, &v.d);
		what = "a decimal number";
		value = r < 0 ? 0 : v.d;
		break;
	case TEND_OPT_USEC:
		r = conf_parse_span(text, &v.u);
		what = "a duration, write it with units as in 500ms, 2s, 5m or 1h30m";
		value = r < 0 ? 0 : (double)v.u;
		break;
	default:
		r = conf_parse_bytes(text, &v.u);
		what = "a size, write it as in 512, 64K, 1M or 2G";
		value = r < 0 ? 0 : (double)v.u;
	}
	if (r < 0)
		return bad_number(r, text, what, err);
	r = check_limits(row, text, value, err);
	if (r < 0)
		return r;
	memcpy(to, &v, types[row->type].size); /* all of them are 8 bytes */
	return 0;
}

static int set_string(char **to, const char *text)
{
	char *copy = NULL;

	if (*text) {
		copy = strdup(text);
		if (!copy)
			return -ENOMEM;
	}
	free(*to);
	*to = copy;
	return 0;
}

static int set_secret(char **to, const char *text, struct tend_error *err)
{
	char *secret = NULL;
	int r;

	if (*text) {
		r = fs_read_secret(text, &secret, err);
		if (r < 0)
			return r;
	}
	fs_free_secret(*to);
	*to = secret;
	return 0;
}

static int set_list(char ***to, const char *text)
{
	char **list;
	int r = parse_list(text, &list);

	if (r < 0)
		return r;
	strv_free(*to);
	*to = list;
	return 0;
}

int conf_option_set(
	const struct tend_option *row, void *into, const char *text, struct tend_error *err)
{
	void *to = member(row, into);
	char buf[128];
	int r;

	switch (row->type) {
	case TEND_OPT_BOOL:
		if (parse_bool(text, to) < 0)
			return tend_error_set(
				err, -EINVAL, "'%s' is neither yes nor no", shown(text, buf));
		return 0;
	case TEND_OPT_ENUM:
		return parse_enum(row, text, to, err);
	case TEND_OPT_STRING:
		r = set_string(to, text);
		break;
	case TEND_OPT_SECRET:
		return set_secret(to, text, err);
	case TEND_OPT_LIST:
		r = set_list(to, text);
		break;
	case TEND_OPT_MAP:
	case TEND_OPT_SECRET_MAP:
		return tend_error_set(err, -EINVAL, "needs a name: %s.NAME = VALUE", row->name);
	default:
		return set_number(row, to, text, err);
	}
	return r < 0 ? tend_error_set(err, r, "%s", strerror(-r)) : 0;
}

bool conf_option_is_map(const struct tend_option *row)
{
	return row->type == TEND_OPT_MAP || row->type == TEND_OPT_SECRET_MAP;
}

static int map_append(char ***map, const char *key, const char *value)
{
	size_t n = strv_len(*map);
	auto_free char *item = str_printf("%s=%s", key, value);
	char **p = item ? realloc(*map, (n + 2) * sizeof(*p)) : NULL;

	if (!p)
		return -ENOMEM;
	*map = p;
	p[n] = TAKE(item);
	p[n + 1] = NULL;
	return 0;
}

int conf_option_map_add(const struct tend_option *row, void *into, const char *key,
	const char *value, struct tend_error *err)
{
	char *secret = NULL;
	int r = 0;

	if (row->type == TEND_OPT_SECRET_MAP)
		r = fs_read_secret(value, &secret, err);
	if (r < 0)
		return r;
	r = map_append(member(row, into), key, secret ? secret : value);
	fs_free_secret(secret);
	return r < 0 ? tend_error_set(err, r, "%s", strerror(-r)) : 0;
}

int conf_options_init(const struct tend_option *rows, void *into, struct tend_error *err)
{
	for (const struct tend_option *row = rows; row->name; row++) {
		struct tend_error why;
		int r;

		if (row->type == TEND_OPT_ENUM)
			*(int *)member(row, into) = -1;
		if (!row->def)
			continue;
		r = conf_option_set(row, into, row->def, &why);
		if (r < 0)
			return tend_error_set(
				err, r, "the default of '%s': %s", row->name, why.text);
	}
	return 0;
}

/* ---- check, free, compare ------------------------------------------------------------------- */

static int check_row(const struct tend_option *row, size_t size, struct tend_error *err)
{
	if ((unsigned)row->type >= TEND_OPT_TYPE_MAX)
		return tend_error_set(err, -EINVAL, "option '%s' has an unknown type", row->name);
	if (row->offset > size || types[row->type].size > size - row->offset)
		return tend_error_set(
			err, -EINVAL, "option '%s' lies outside its struct", row->name);
	if (!row->help || !*row->help)
		return tend_error_set(err, -EINVAL, "option '%s' has no help text", row->name);
	if (row->type == TEND_OPT_ENUM && !row->names)
		return tend_error_set(err, -EINVAL, "option '%s' has no names", row->name);
	if (row->type == TEND_OPT_SECRET && row->def)
		return tend_error_set(
			err, -EINVAL, "option '%s' is a secret with a default", row->name);
	return 0;
}

int conf_options_check(const struct tend_option *rows, size_t size, struct tend_error *err)
{
	auto_free void *trial = calloc(1, size ? size : 1);
	int r;

	if (!trial)
		return tend_error_set(err, -ENOMEM, "no memory");
	for (const struct tend_option *row = rows; row->name; row++) {
		r = check_row(row, size, err);
		if (r < 0)
			return r;
		for (const struct tend_option *other = rows; other < row; other++)
			if (strcmp(other->name, row->name) == 0)
				return tend_error_set(
					err, -EINVAL, "option '%s' is there twice", row->name);
	}
	r = conf_options_init(rows, trial, err);
	conf_options_free(rows, trial);
	return r;
}

static void free_secrets(char **map)
{
	for (char **item = map; item && *item; item++)
		fs_free_secret(*item);
	free(map);
}

void conf_options_free(const struct tend_option *rows, void *into)
{
	for (const struct tend_option *row = rows; into && row && row->name; row++) {
		void *m = member(row, into);

		switch (row->type) {
		case TEND_OPT_STRING:
			free(*(char **)m);
			break;
		case TEND_OPT_SECRET:
			fs_free_secret(*(char **)m);
			break;
		case TEND_OPT_LIST:
		case TEND_OPT_MAP:
			strv_free(*(char ***)m);
			break;
		case TEND_OPT_SECRET_MAP:
			free_secrets(*(char ***)m);
			break;
		default:
			continue;
		}
		*(void **)m = NULL;
	}
}

static bool same_list(char *const *a, char *const *b)
{
	size_t n = strv_len(a);

	if (n != strv_len(b))
		return false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

/* The order in which the keys of a map stand in the file means nothing. */
static bool same_map(char *const *a, char *const *b)
{
	if (strv_len(a) != strv_len(b))
		return false;
	for (; a && *a; a++)
		if (!strv_contains(b, *a))
			return false;
	return true;
}

static bool same_member(const struct tend_option *row, const void *a, const void *b)
{
	const void *pa = (const char *)a + row->offset, *pb = (const char *)b + row->offset;

	switch (row->type) {
	case TEND_OPT_STRING:
	case TEND_OPT_SECRET:
		return str_eq(*(char *const *)pa, *(char *const *)pb);
	case TEND_OPT_LIST:
		return same_list(*(char **const *)pa, *(char **const *)pb);
	case TEND_OPT_MAP:
	case TEND_OPT_SECRET_MAP:
		return same_map(*(char **const *)pa, *(char **const *)pb);
	default:
		return memcmp(pa, pb, types[row->type].size) == 0;
	}
}

bool conf_options_same(const struct tend_option *rows, const void *a, const void *b)
{
	for (const struct tend_option *row = rows; row->name; row++)
		if (!same_member(row, a, b))
			return false;
	return true;
}
