/* SPDX-License-Identifier: MIT */
/* One JSON value as text for people. */
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <wchar.h>
#include "base/clock.h"
#include "base/str.h"
#include "ctl/writer.h"

enum {
	CELL_BYTES = 4096,
	ID_CHARACTERS = 18 /* of a UUIDv7: time and counter, unique in a daemon */
};

static const json_t *lookup_one(const json_t *object, const char *path, size_t len)
{
	const char *end = path + len;

	while (object && path < end) {
		size_t n = strcspn(path, ".|");
		char key[64];

		if (n >= sizeof(key))
			return NULL;
		memcpy(key, path, n);
		key[n] = '\0';
		object = json_object_get(object, key);
		path += n + (path[n] == '.');
	}
	return object;
}

const json_t *ctl_lookup(const json_t *object, const char *path)
{
	const json_t *found = NULL;

	for (;;) {
		size_t len = strcspn(path, "|");

		found = lookup_one(object, path, len);
		if ((found && !json_is_null(found)) || path[len] == '\0')
			return found;
		path += len + 1;
	}
}

const char *ctl_string(const json_t *object, const char *path)
{
	const char *text = json_string_value(ctl_lookup(object, path));

	return text ? text : "";
}

/* Marks that turn the direction of writing can make a line read as another (CVE-2021-42574). */
static bool is_bidi(const unsigned char *p)
{
	return p[0] == 0xe2 && ((p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae) ||
				       (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
}

static char *clean(const char *text)
{
	size_t len = strlen(text);
	char *out;

	len = str_cut_utf8(text, len, CELL_BYTES);
	out = malloc(2 * len + 1);
	if (!out)
		return NULL;
	str_sanitize(out, 2 * len + 1, text, len);
	for (unsigned char *p = (unsigned char *)out; *p; p++)
		if (is_bidi(p))
			memset(p, '?', 3);
	return out;
}

bool ctl_time_of(const json_t *value, usec_t *ret_wall)
{
	usec_t wall = 0;

	if (json_is_string(value))
		return clock_parse(json_string_value(value), ret_wall) == 0;
	if (json_is_integer(value))
		wall = (usec_t)MAX(json_integer_value(value), 0);
	else if (json_is_real(value) && json_real_value(value) > 0 && json_real_value(value) < 1e12)
		wall = (usec_t)(json_real_value(value) * 1e6);
	if (wall == 0)
		return false;
	*ret_wall = wall;
	return true;
}

static char *format_ago(usec_t now, usec_t wall)
{
	char span[CLOCK_TEXT_BYTES];
	usec_t distance = now > wall ? now - wall : wall - now;

	/* Seconds are enough for people; less than one is now. */
	distance -= distance % USEC_PER_SEC;
	if (distance == 0)
		return strdup("now");
	clock_format_span(distance, span);
	return now > wall ? str_printf("%s ago", span) : str_printf("in %s", span);
}

static char *format_time(usec_t now, usec_t wall, bool only_ago)
{
	auto_free char *ago = format_ago(now, wall);
	time_t seconds = (time_t)(wall / USEC_PER_SEC);
	char text[32];
	struct tm tm;

	if (only_ago || !ago)
		return TAKE(ago);
	if (!localtime_r(&seconds, &tm) || strftime(text, sizeof(text), "%F %T", &tm) == 0)
		return TAKE(ago);
	return str_printf("%s (%s)", text, ago);
}

static char *format_join(const json_t *array)
{
	auto_str struct str text = STR_INIT(CELL_BYTES);
	size_t i;
	json_t *item;

	json_array_foreach (array, i, item) {
		auto_free char *word = ctl_format_value(NULL, item, CTL_TEXT);

		if (!word || str_appendf(&text, "%s%s", i ? ", " : "", word) < 0)
			break;
	}
	return text.len ? str_take(&text) : strdup("-");
}

/* {"crm":"auto","hr":"auto"} -> auto; {"crm":"auto","hr":"observe"} -> auto, observe */
static char *format_values(const json_t *object)
{
	auto_json json_t *values = json_array(), *seen = json_object();
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		const char *text = json_string_value(value);

		if (text && !json_object_get(seen, text)) {
			(void)json_object_set(seen, text, value);
			(void)json_array_append(values, value);
		}
	}
	return format_join(values);
}

static char *format_scalar(const json_t *value)
{
	auto_free char *compact = NULL;

	switch (json_typeof(value)) {
	case JSON_STRING:
		return *json_string_value(value) ? clean(json_string_value(value)) : strdup("-");
	case JSON_INTEGER:
		return str_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	case JSON_REAL:
		return str_printf("%.6g", json_real_value(value));
	case JSON_TRUE:
		return strdup("yes");
	case JSON_FALSE:
		return strdup("no");
	case JSON_NULL:
		return strdup("-");
	default:
		compact = json_dumps(value, JSON_COMPACT);
		return compact ? clean(compact) : NULL;
	}
}

static char *format_id(const json_t *value)
{
	char *text = format_scalar(value);

	if (text && strlen(text) > ID_CHARACTERS)
		text[ID_CHARACTERS] = '\0';
	return text;
}

static char *format_span(const json_t *value)
{
	double seconds = json_number_value(value);
	char text[CLOCK_TEXT_BYTES];

	if (!json_is_number(value) || !isfinite(seconds) || seconds < 0 || seconds > 1e12)
		return format_scalar(value);
	return strdup(clock_format_span((usec_t)(seconds * 1e6), text));
}

char *ctl_format_value(const struct ctl *ctl, const json_t *value, enum ctl_format format)
{
	usec_t wall = 0;

	if (!value)
		return strdup("-");
	switch (format) {
	case CTL_ID:
		return format_id(value);
	case CTL_TIME:
	case CTL_AGO:
		return ctl && ctl_time_of(value, &wall)
			       ? format_time(ctl->now, wall, format == CTL_AGO)
			       : strdup("-");
	case CTL_SPAN:
		return format_span(value);
	case CTL_COUNT:
		return str_printf("%zu", json_array_size(value));
	case CTL_JOIN:
		return json_is_array(value)    ? format_join(value)
		       : json_is_object(value) ? format_values(value)
					       : format_scalar(value);
	default:
		return format_scalar(value);
	}
}

/* Columns on a terminal. Text that is not valid in the locale counts a column a character. */
size_t ctl_display_width(const char *text)
{
	size_t width = 0, left = strlen(text);
	mbstate_t state = {0};

	while (left > 0) {
		wchar_t c;
		size_t n = mbrtowc(&c, text, left, &state);
		int w = 1;

		if (n == 0 || n > left) {
			n = 1;
			memset(&state, 0, sizeof(state));
		} else {
			w = wcwidth(c);
		}
		width += w > 0 ? (size_t)w : 0;
		text += n;
		left -= n;
	}
	return width;
}

int ctl_exit_of_state(const char *state)
{
	static const struct {
		const char *state;
		int code;
	} rows[] = {{"ok", 0}, {"warning", 1}, {"critical", 2}, {"unreachable", 2}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].state, state) == 0)
			return rows[i].code;
	return 3;
}
