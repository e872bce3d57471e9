/* SPDX-License-Identifier: MIT */
#include "flow/describe.h"
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/str.h"
#include "flow/script.h"
#include "loop/child.h"

#define WAIT_USEC (10 * USEC_PER_SEC)
enum { WAIT_MSEC = 10000, MAX_NAMES = 256 };

struct asking {
	bool done;
	int r;
	char why[SCRIPT_TEXT_BYTES];
	json_t *declared;
};

/* A file that asks for something while it is loaded gets an error there. */
static void on_call(uint64_t id, const char *call, const json_t *args, void *data)
{
	struct asking *asking = data;

	asking->done = true;
	asking->r = -ENOEXEC;
	(void)snprintf(
		asking->why, sizeof(asking->why), "it asks for '%.32s' outside of its steps", call);
}

static void on_end(int r, const char *message, const json_t *value, void *data)
{
	struct asking *asking = data;

	asking->done = true;
	asking->r = r;
	(void)snprintf(asking->why, sizeof(asking->why), "%s", message ? message : "");
	asking->declared = value ? json_deep_copy(value) : NULL;
}

static int ask(struct loop *loop, const char *program, json_t *start, struct asking *asking,
	struct tend_error *err)
{
	const struct script_events events = {.on_call = on_call, .on_end = on_end, .data = asking};
	auto(script_free) struct script *script = NULL;
	usec_t until = clock_now() + WAIT_USEC;
	int r = script_new(loop, program, start, &events, &script);

	if (r < 0)
		return tend_error_set(err, r, "cannot start %s: %s", program, strerror(-r));
	while (r >= 0 && !asking->done && clock_now() < until)
		r = loop_turn(loop, 100 * USEC_PER_MSEC);
	if (!asking->done)
		return tend_error_set(err, -ETIMEDOUT, "it is not loaded within 10 s");
	if (asking->r < 0)
		return tend_error_set(err, asking->r, "%s", asking->why);
	return asking->declared ? 0 : -ENOMEM;
}

int flow_describe(const char *libexec_dir, const char *lua_dir, const char *file,
	json_t **ret_declared, struct tend_error *err)
{
	auto_free char *program = str_printf("%s/tend-run", libexec_dir);
	auto_free char *path =
		file[0] == '/' ? strdup(file) : str_printf("%s/flows/%s.lua", lua_dir, file);
	auto(loop_free) struct loop *loop = NULL;
	struct asking asking = {0};
	int r = program && path ? loop_new(&loop) : -ENOMEM;

	if (r == 0)
		r = ask(loop, program,
			json_pack("{s:s, s:s, s:s, s:{s:s, s:i}}", "mode", "describe", "file", path,
				"library", lua_dir, "start", "mark", "0", "wall_msec", WAIT_MSEC),
			&asking, err);
	children_drain(USEC_PER_SEC);
	if (r == 0)
		*ret_declared = TAKE(asking.declared);
	json_decref(asking.declared);
	return r;
}

/* ---- a configuration ------------------------------------------------------------------------ */

/* The value of an option of a check, whose structure only the plugin knows. */
static const void *option_of(const struct conf_check *check, const char *name)
{
	for (const struct tend_option *row = check->probe->options; row->name; row++)
		if (strcmp(row->name, name) == 0)
			return (const char *)check->probe_conf + row->offset;
	return NULL;
}

__attribute__((format(printf, 3, 4))) static void complain(
	const struct conf_check *check, struct conf_errors *errors, const char *format, ...)
{
	char text[SCRIPT_TEXT_BYTES];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)conf_errors_add(errors, check->where.file, check->where.line, -EINVAL,
		"[check %s] %s", check->name, text);
}

static bool is_given(char *const *pairs, const char *name)
{
	size_t n = strlen(name);

	for (; pairs && *pairs; pairs++)
		if (strncmp(*pairs, name, n) == 0 && (*pairs)[n] == '=')
			return true;
	return false;
}

static void check_unknown(const struct conf_check *check, const char *prefix, json_t *declared,
	const char *pair, struct conf_errors *errors)
{
	auto_free char *name = strndup(pair, strcspn(pair, "="));
	const char *names[MAX_NAMES], *known, *nearest;
	size_t n = 0;
	json_t *one;

	if (!name || json_object_get(declared, name))
		return;
	json_object_foreach (declared, known, one)
		if (n < MAX_NAMES)
			names[n++] = known;
	nearest = str_nearest(name, names, n);
	complain(check, errors, "%s.%s: the flow has no such %s%s%s%s", prefix, name,
		strcmp(prefix, "param") == 0 ? "parameter" : "secret",
		nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static void check_names(const struct conf_check *check, const char *prefix, json_t *declared,
	struct conf_errors *errors)
{
	char *const *const *pairs = option_of(check, prefix);
	const char *name;
	json_t *one;

	for (char *const *pair = pairs ? *pairs : NULL; pair && *pair; pair++)
		check_unknown(check, prefix, declared, *pair, errors);
	json_object_foreach (declared, name, one) {
		const char *doc = json_string_value(json_object_get(one, "doc"));

		if (json_is_true(json_object_get(one, "required")) && pairs &&
			!is_given(*pairs, name))
			complain(check, errors, "%s.%s is not set: %s", prefix, name,
				doc ? doc : "the flow needs it");
	}
}

static void check_one(
	const struct conf *conf, const struct conf_check *check, struct conf_errors *errors)
{
	const char *const *file = option_of(check, "file");
	auto_json json_t *declared = NULL;
	struct tend_error err = {0};
	int r = file && *file ? flow_describe(conf->daemon.libexec_dir, conf->daemon.lua_dir, *file,
					&declared, &err)
			      : 0;

	if (r < 0)
		complain(check, errors, "file: %s", err.text[0] ? err.text : strerror(-r));
	if (!declared)
		return;
	check_names(check, "param", json_object_get(declared, "params"), errors);
	check_names(check, "secret", json_object_get(declared, "secrets"), errors);
}

int flow_check_all(const struct conf *conf, struct conf_errors *errors)
{
	MAP_FOREACH (&conf->checks, const struct conf_check *, check)
		if (check->probe && strcmp(check->probe->name, "flow") == 0)
			check_one(conf, check, errors);
	return 0;
}
