/* SPDX-License-Identifier: MIT */
/* What a format declares, and whether a receiver fits it. Pure. */
#include <errno.h>
#include <string.h>
#include "alert/format.h"
#include "alert/sign.h"
#include "base/str.h"

enum { MAX_OPTIONS = 64, MAX_NUMBER = 1000000000 };

/* What a format declares may be any number; nothing here means more than MAX_NUMBER. */
static int64_t get_int(const json_t *doc, const char *key, int64_t missing)
{
	const json_t *value = json_object_get(doc, key);
	double number = json_number_value(value);

	if (!json_is_number(value))
		return missing;
	return (int64_t)MIN(MAX(number, -MAX_NUMBER), MAX_NUMBER);
}

void format_spec_clear(struct format_spec *spec)
{
	json_decref(spec->doc);
	*spec = (struct format_spec){0};
}

int format_spec_parse(json_t *doc, struct format_spec *spec, struct tend_error *err)
{
	static const char standard[] = "standard";
	const char *name = json_string_value(json_object_get(doc, "name"));
	const char *sign = json_string_value(json_object_get(doc, "sign"));
	int scheme = sign_from_name(sign ? sign : standard);

	if (!name || strlen(name) >= FORMAT_NAME_BYTES)
		return tend_error_set(err, -EINVAL, "it has no name");
	if (scheme < 0)
		return tend_error_set(err, -EINVAL, "sign: there is no scheme '%.64s'", sign);
	format_spec_clear(spec);
	*spec = (struct format_spec){.group = json_is_true(json_object_get(doc, "group")),
		.judges = json_is_true(json_object_get(doc, "judge")),
		.rate_per_minute = get_int(doc, "rate_per_minute", -1),
		.repeat_seconds = get_int(doc, "repeat_seconds", 0),
		.max_bytes = (size_t)MAX(get_int(doc, "max_bytes", 0), (int64_t)0),
		.max_notices = (size_t)MAX(get_int(doc, "max_notices", 0), (int64_t)0),
		.sign = (enum conf_sign)scheme,
		.doc = json_incref(doc)};
	memcpy(spec->name, name, strlen(name) + 1);
	return 0;
}

/* ---- receivers ------------------------------------------------------------------------------ */

enum conf_sign format_sign_of(const struct format_spec *spec, const struct conf_receiver *conf)
{
	if (conf->sign >= 0)
		return (enum conf_sign)conf->sign;
	return spec ? spec->sign : SIGN_STANDARD;
}

json_t *format_options(const struct conf_receiver *conf)
{
	json_t *options = json_object();

	for (char **kv = conf->format_options; kv && *kv; kv++) {
		const char *eq = strchr(*kv, '=');
		auto_free char *key = eq ? strndup(*kv, (size_t)(eq - *kv)) : NULL;

		if (key)
			(void)json_object_set_new(options, key, json_string(eq + 1));
	}
	return options;
}

static int unknown_option(const struct format_spec *spec, const char *name, struct tend_error *err)
{
	json_t *declared = json_object_get(spec->doc, "options"), *one;
	const char *names[MAX_OPTIONS], *key, *near;
	size_t n = 0;

	json_object_foreach (declared, key, one)
		if (n < MAX_OPTIONS)
			names[n++] = key;
	near = str_nearest(name, names, n);
	return tend_error_set(err, -EINVAL,
		"option.%.64s: the format '%s' has no such option%s%s%s", name, spec->name,
		near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

int format_check_receiver(const struct format_spec *spec, const struct conf_receiver *conf,
	const char **ret_key, struct tend_error *err)
{
	json_t *declared = json_object_get(spec->doc, "options"), *one;
	auto_json json_t *options = format_options(conf);
	enum conf_sign scheme = format_sign_of(spec, conf);
	const char *name;

	*ret_key = "option";
	json_object_foreach (options, name, one)
		if (!json_object_get(declared, name))
			return unknown_option(spec, name, err);
	json_object_foreach (declared, name, one)
		if (json_is_true(json_object_get(one, "required")) &&
			!json_object_get(one, "default") && !json_object_get(options, name))
			return tend_error_set(err, -EINVAL,
				"option.%.64s: the format '%s' needs it: %.200s", name, spec->name,
				json_string_value(json_object_get(one, "doc")));
	*ret_key = "secret";
	if (sign_needs_secret(scheme) && !conf->secret)
		return tend_error_set(err, -EINVAL,
			"the format '%s' is signed (%s), which needs 'secret'; or say `sign = "
			"none'",
			spec->name, conf_sign_names[scheme]);
	if (scheme == SIGN_STANDARD && conf->secret && !str_startswith(conf->secret, "whsec_"))
		return tend_error_set(err, -EINVAL,
			"secret: what stands there is not a key of Standard Webhooks: whsec_ and "
			"then base64");
	return 0;
}
