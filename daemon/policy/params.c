/* SPDX-License-Identifier: MIT */
/*
 * The values of a policy's parameters against its declaration. tend-run converts them for Lua by
 * the same rules (run/param.c); here they are looked at before anything begins.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "policy/private.h"

enum { LIST_MAX = 1000 };

enum type {
	TYPE_STRING,
	TYPE_INTEGER,
	TYPE_NUMBER,
	TYPE_BOOLEAN,
	TYPE_DURATION,
	TYPE_LIST,
	TYPE_MAX
};
static const struct {
	const char *name, *must;
} types[TYPE_MAX] = {
	[TYPE_STRING] = {"string", "must be a text"},
	[TYPE_INTEGER] = {"integer", "must be a whole number"},
	[TYPE_NUMBER] = {"number", "must be a number"},
	[TYPE_BOOLEAN] = {"boolean", "must be true or false"},
	[TYPE_DURATION] = {"duration", "must be a duration such as 30s, 2m or 1h30m"},
	[TYPE_LIST] = {"list", "must be a list, written a, b, c"},
};

static int text_to_number(const char *text, double *ret_number)
{
	char *end;
	double number;

	/* No hexadecimal, no infinity, no blanks. */
	if (!*text || strspn(text, "0123456789+-.eE") != strlen(text))
		return -EINVAL;
	number = strtod(text, &end);
	if (*end || !isfinite(number))
		return -EINVAL;
	*ret_number = number;
	return 0;
}

static int to_number(const json_t *value, double *ret_number)
{
	if (json_is_string(value))
		return text_to_number(json_string_value(value), ret_number);
	if (!json_is_number(value))
		return -EINVAL;
	*ret_number = json_number_value(value);
	return 0;
}

static int to_seconds(const json_t *value, double *ret_sec)
{
	usec_t usec;

	if (verb_duration(value, &usec) < 0)
		return -EINVAL;
	*ret_sec = (double)usec / (double)USEC_PER_SEC;
	return 0;
}

static bool is_boolean(const json_t *value)
{
	static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "1", "0"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq(json_string_value(value), words[i]))
			return true;
	return json_is_boolean(value);
}

/* "a, b" or a list of texts, as a new list; NULL. */
static json_t *to_list(const json_t *value)
{
	const char *text = json_string_value(value);
	json_t *list, *item;
	size_t i;

	if (json_is_array(value)) {
		json_array_foreach ((json_t *)(uintptr_t)value, i, item)
			if (!json_is_string(item))
				return NULL;
		return json_array_size(value) <= LIST_MAX ? json_copy((json_t *)(uintptr_t)value)
							  : NULL;
	}
	if (!text)
		return NULL;
	list = json_array();
	while (*(text += strspn(text, ", \t")) && json_array_size(list) < LIST_MAX) {
		size_t len = strcspn(text, ","), kept = len;

		while (kept > 0 && (text[kept - 1] == ' ' || text[kept - 1] == '\t'))
			kept--;
		(void)json_array_append_new(list, json_stringn(text, kept));
		text += len;
	}
	if (!*text)
		return list;
	json_decref(list);
	return NULL;
}

static enum type type_of(const json_t *spec)
{
	const char *name = json_string_value(json_object_get(spec, "type"));

	for (int i = 0; i < TYPE_MAX; i++)
		if (str_eq(types[i].name, name))
			return (enum type)i;
	return TYPE_STRING;
}

static char *check_range(const json_t *spec, double n, bool is_list)
{
	const json_t *min = json_object_get(spec, "min"), *max = json_object_get(spec, "max");
	const char *entries = is_list ? " entries" : "";

	if (json_is_number(min) && n < json_number_value(min))
		return str_printf("must %s at least %.14g%s", is_list ? "have" : "be",
			json_number_value(min), entries);
	if (json_is_number(max) && n > json_number_value(max))
		return str_printf("must %s at most %.14g%s", is_list ? "have" : "be",
			json_number_value(max), entries);
	return NULL;
}

static bool same_value(enum type type, const json_t *a, const json_t *b)
{
	double left, right;

	if (type == TYPE_INTEGER || type == TYPE_NUMBER)
		return to_number(a, &left) == 0 && to_number(b, &right) == 0 &&
		       !(left < right || left > right);
	if (type == TYPE_DURATION)
		return to_seconds(a, &left) == 0 && to_seconds(b, &right) == 0 &&
		       !(left < right || left > right);
	return json_equal(a, b);
}

static char *check_choice(const json_t *spec, enum type type, const json_t *value)
{
	json_t *choices = json_object_get(spec, "choices"), *choice;
	auto_str struct str text = STR_INIT(256);
	size_t i;

	json_array_foreach (choices, i, choice)
		if (same_value(type, value, choice))
			return NULL;
	if (!choices)
		return NULL;
	json_array_foreach (choices, i, choice) {
		auto_free char *word = json_is_string(choice) ? strdup(json_string_value(choice))
							      : json_dumps(choice, JSON_ENCODE_ANY);

		(void)str_appendf(&text, "%s%s", i ? ", " : "", word ? word : "?");
	}
	return str_printf("must be one of %s", str_get(&text));
}

static char *check_list(const json_t *spec, const json_t *list)
{
	char *why = check_range(spec, (double)json_array_size(list), true);
	json_t *item;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)list, i, item)
		if (!why)
			why = check_choice(spec, TYPE_STRING, item);
	return why;
}

static char *check_one(const json_t *spec, const json_t *value)
{
	enum type type = type_of(spec);
	auto_json json_t *list = type == TYPE_LIST ? to_list(value) : NULL;
	bool counts = type == TYPE_INTEGER || type == TYPE_NUMBER || type == TYPE_DURATION;
	double n = 0;
	char *why;

	if ((type == TYPE_STRING && !json_is_string(value)) ||
		(type == TYPE_BOOLEAN && !is_boolean(value)) || (type == TYPE_LIST && !list) ||
		(type == TYPE_DURATION && to_seconds(value, &n) < 0) ||
		((type == TYPE_INTEGER || type == TYPE_NUMBER) && to_number(value, &n) < 0) ||
		(type == TYPE_INTEGER && (n > floor(n) || fabs(n) > 9e15)))
		return strdup(types[type].must);
	if (type == TYPE_LIST)
		return check_list(spec, list);
	why = counts ? check_range(spec, n, false) : NULL;
	return why ? why : check_choice(spec, type, value);
}

static char *name_shown(json_t *value)
{
	return json_is_string(value) ? strdup(json_string_value(value))
				     : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
}

char *params_check(const struct policy_def *def, const json_t *params, bool complete)
{
	json_t *declared = json_object_get(def->decl, "params"), *value, *spec;
	const char *name;

	json_object_foreach ((json_t *)(uintptr_t)params, name, value) {
		char *text = catalog_unknown_param(def, name);
		auto_free char *why =
			text ? NULL : check_one(json_object_get(declared, name), value);
		auto_free char *shown = why ? name_shown(value) : NULL;

		if (why)
			text = str_printf("%s: parameter '%s' %s, not '%.80s'", def->name, name,
				why, shown ? shown : "");
		if (text)
			return text;
	}
	json_object_foreach (declared, name, spec) {
		const char *doc = json_string_value(json_object_get(spec, "doc"));

		if (complete && !json_object_get(spec, "default") && !json_object_get(params, name))
			return str_printf("%s: parameter '%s' is not given%s%s: %s=%s", def->name,
				name, doc ? ": " : "", doc ? doc : "", name,
				types[type_of(spec)].name);
	}
	return NULL;
}
