/* SPDX-License-Identifier: MIT */
#include "exec/look/look.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/str.h"

static const char *const type_names[LOOK_TYPE_MAX + 1] = {
	[LOOK_TEXT] = "a text",
	[LOOK_INT] = "a whole number",
	[LOOK_BOOL] = "true or false",
	[LOOK_TEXTS] = "a list of texts",
	[LOOK_OBJECT] = "an object",
	[LOOK_TYPE_MAX] = "of a known type",
};

const struct look_kind *look_find(const char *name)
{
	for (const struct look_kind *const *kind = look_kinds; *kind; kind++)
		if (strcmp((*kind)->name, name) == 0)
			return *kind;
	return NULL;
}

static bool is_text(const json_t *value)
{
	const char *text = json_string_value(value);

	return text && strlen(text) == json_string_length(value);
}

static bool has_type(const json_t *value, enum look_type type)
{
	const json_t *item;
	size_t i;

	switch (type) {
	case LOOK_TEXT:
		return is_text(value);
	case LOOK_INT:
		return json_is_integer(value);
	case LOOK_BOOL:
		return json_is_boolean(value);
	case LOOK_TEXTS:
		json_array_foreach (value, i, item)
			if (!is_text(item))
				return false;
		return json_is_array(value);
	case LOOK_OBJECT:
		return json_is_object(value);
	case LOOK_TYPE_MAX:
		break;
	}
	return false;
}

static const struct look_arg *find_arg(const struct look_kind *kind, const char *name)
{
	for (const struct look_arg *arg = kind->args; arg->name; arg++)
		if (strcmp(arg->name, name) == 0)
			return arg;
	return NULL;
}

int look_check(const struct look_kind *kind, const json_t *args, struct tend_error *err)
{
	const char *key = NULL;
	const json_t *value;

	if (!json_is_object(args))
		return tend_error_set(err, -EINVAL, "the arguments are no object");
	json_object_foreach ((json_t *)(uintptr_t)args, key, value) {
		const struct look_arg *arg = find_arg(kind, key);

		if (!arg)
			return tend_error_set(
				err, -EINVAL, "%s has no argument '%.64s'", kind->name, key);
		if (!has_type(value, arg->type))
			return tend_error_set(
				err, -EINVAL, "'%s' is not %s", key, type_names[arg->type]);
	}
	for (const struct look_arg *arg = kind->args; arg->name; arg++)
		if (arg->required && !json_object_get(args, arg->name))
			return tend_error_set(
				err, -EINVAL, "%s needs the argument '%s'", kind->name, arg->name);
	return 0;
}

const char *look_text(const json_t *args, const char *name)
{
	return json_string_value(json_object_get(args, name));
}

int64_t look_int(const json_t *args, const char *name, int64_t otherwise)
{
	const json_t *value = json_object_get(args, name);

	return value ? json_integer_value(value) : otherwise;
}

bool look_bool(const json_t *args, const char *name)
{
	return json_is_true(json_object_get(args, name));
}

json_t *look_string(const char *text)
{
	char clean[512];

	str_sanitize(clean, sizeof(clean), text, strlen(text));
	return json_string(clean);
}

json_t *look_user(unsigned uid)
{
	const struct passwd *user = getpwuid(uid);

	return user ? look_string(user->pw_name) : json_sprintf("%u", uid);
}

json_t *look_group(unsigned gid)
{
	const struct group *group = getgrgid(gid);

	return group ? look_string(group->gr_name) : json_sprintf("%u", gid);
}

int look_errno(struct tend_error *err, int r, const char *what)
{
	return tend_error_set(err, r == -EPERM ? -EACCES : r, "%s: %s", what, strerror(-r));
}
