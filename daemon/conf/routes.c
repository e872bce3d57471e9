/* SPDX-License-Identifier: MIT */
/* Routes, rotas, inhibitions and labels: what their texts say, and whether what they name is there.
 */
#include <errno.h>
#include <string.h>
#include "base/fault.h"
#include "base/fs.h"
#include "conf/conf_internal.h"

enum { MAX_STEPS = 16, LABEL_VALUE_BYTES = 256 };

/* The text of `err` at the key. */
static void at_key(struct builder *b, const struct conf_section *section, const char *key,
	const struct tend_error *err)
{
	conf_section_error(section, key, b->errors, "%s: %s", key, err->text);
}

/* ---- labels --------------------------------------------------------------------------------- */

/* Those that alert/labels.c makes. */
static const char *const own_labels[] = {"system", "environment", "component", "kind", "check",
	"severity", "state", "reason", "class", "host", "source", "alertname", NULL};

bool conf_label_is_own(const char *name)
{
	return strv_contains((char *const *)(uintptr_t)own_labels, name);
}

void check_labels(struct builder *b, const struct conf_section *section, char *const *labels)
{
	for (; labels && *labels; labels++) {
		size_t n = strcspn(*labels, "=");
		auto_free char *name = strndup(*labels, n);
		auto_free char *key = str_printf("label.%.*s", (int)n, *labels);

		if (!name || !key)
			continue;
		if (!match_name_valid(name, n) || name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
								    "0123456789_")])
			conf_section_error(section, key, b->errors,
				"%s: the name of a label has a-z, 0-9 and '_', at most %d, and no "
				"digit in front",
				key, MATCH_NAME_BYTES - 1);
		else if (conf_label_is_own(name))
			conf_section_error(section, key, b->errors,
				"%s: Tend itself says what '%s' is", key, name);
		else if (strlen(*labels + n) > LABEL_VALUE_BYTES)
			conf_section_error(section, key, b->errors,
				"%s: the value is longer than %d bytes", key,
				LABEL_VALUE_BYTES - 1);
	}
}

static void check_label_names(
	struct builder *b, const struct conf_section *section, const char *key, char *const *names)
{
	for (; names && *names; names++)
		if (!match_name_valid(*names, strlen(*names)))
			conf_section_error(section, key, b->errors,
				"%s: '%.80s' is no name of a label", key, *names);
}

void check_matchers(struct builder *b, const struct conf_section *section, const char *key,
	const char *text, struct matchers **ret_matchers)
{
	struct tend_error err = {0};

	if (text && matchers_parse(text, &err, ret_matchers) < 0)
		at_key(b, section, key, &err);
}

/* ---- routes --------------------------------------------------------------------------------- */

static void check_words(struct builder *b, const struct conf_section *section, const char *key,
	char *const *words, const char *const *known, size_t n_known)
{
	for (; words && *words; words++) {
		const char *nearest;
		bool found = false;

		for (size_t i = 0; i < n_known; i++)
			found = found || strcmp(known[i], *words) == 0;
		if (found)
			continue;
		nearest = str_nearest(*words, known, n_known);
		conf_section_error(section, key, b->errors, "%s: there is no %s '%.80s'%s%s%s", key,
			key, *words, nearest ? "; the nearest is '" : "", nearest ? nearest : "",
			nearest ? "'" : "");
	}
}

static int compare_steps(const void *a, const void *b)
{
	const struct conf_step *x = a, *y = b;

	return (x->after > y->after) - (x->after < y->after);
}

/* "boss, rota:chiefs": words between blanks or commas. */
static char **split_words(const char *text)
{
	char **words = calloc(strlen(text) / 2 + 2, sizeof(char *));
	size_t n = 0;

	while (words && *(text += strspn(text, " \t\n,"))) {
		size_t len = strcspn(text, " \t\n,");

		words[n] = strndup(text, len);
		if (!words[n++]) {
			strv_free(words);
			return NULL;
		}
		text += len;
	}
	return words;
}

static void add_step(struct builder *b, const struct conf_section *section,
	struct conf_route *route, const char *text)
{
	size_t n = strcspn(text, "=");
	auto_free char *span = strndup(text, n);
	auto_free char *key = str_printf("escalate.%.*s", (int)n, text);
	struct conf_step *step;
	usec_t after;

	if (!span || !key)
		return;
	if (conf_parse_span(span, &after) < 0 || after == 0 || route->steps.len == MAX_STEPS) {
		conf_section_error(section, key, b->errors,
			"%s: '%.40s' is no time to wait, as in escalate.15m; at most %d of them",
			key, span, MAX_STEPS);
		return;
	}
	step = calloc(1, sizeof(*step));
	if (!step)
		return;
	step->after = after;
	step->receivers = split_words(text + n + 1);
	if (!step->receivers || vec_push(&route->steps, step) < 0) {
		strv_free(step->receivers);
		free(step);
	} else if (!*step->receivers) {
		conf_section_error(section, key, b->errors, "%s: who is to be told?", key);
	}
}

static void check_clock(
	struct builder *b, const struct conf_section *section, struct conf_route *route)
{
	struct tend_error err = {0};

	if (zone_get(route->timezone ? route->timezone : "UTC", &route->zone, &err) < 0)
		at_key(b, section, "timezone", &err);
	if (route->times_text && times_parse(route->times_text, &err, &route->times) < 0)
		at_key(b, section, "times", &err);
	if (route->digest_text && times_parse_moment(route->digest_text, &err, &route->digest) < 0)
		at_key(b, section, "digest", &err);
}

void check_route(struct builder *b, const struct conf_section *section, struct conf_route *route)
{
	check_matchers(b, section, "match", route->match_text, &route->match);
	check_words(b, section, "class", route->classes, fault_class_names, FAULT_CLASS_MAX);
	check_words(b, section, "environment", route->environments, conf_environment_names,
		ENVIRONMENT_MAX);
	check_label_names(b, section, "group_by", route->group_by);
	check_clock(b, section, route);
	for (char **text = route->escalate; text && *text; text++)
		add_step(b, section, route, *text);
	vec_sort(&route->steps, compare_steps);
}

/* ---- rotas, inhibitions --------------------------------------------------------------------- */

static void read_rota(struct builder *b, struct conf_rota *rota)
{
	auto_free char *text = NULL;
	struct tend_error err = {0};
	unsigned line = 0;
	int r = fs_read_file(rota->path, ROTA_MAX_BYTES, &text, NULL);

	if (r < 0)
		conf_errors_add(b->errors, rota->where.file, rota->where.line, r,
			"[rota %s] file: cannot read '%s': %s", rota->name, rota->path,
			strerror(-r));
	else if (rota_parse(text, rota->zone, &err, &line, &rota->rota) < 0)
		conf_errors_add(b->errors, rota->where.file, rota->where.line, -EINVAL,
			"[rota %s] file: %s:%u: %s", rota->name, rota->path, line, err.text);
}

void check_rota(struct builder *b, const struct conf_section *section, struct conf_rota *rota)
{
	struct tend_error err = {0};

	if (!rota->path)
		return; /* that it is required is said */
	if (rota->path[0] != '/')
		conf_section_error(section, "file", b->errors,
			"file: '%.200s' is not an absolute path", rota->path);
	else if (zone_get(rota->timezone ? rota->timezone : "UTC", &rota->zone, &err) < 0)
		at_key(b, section, "timezone", &err);
	else
		read_rota(b, rota);
}

void check_inhibit(
	struct builder *b, const struct conf_section *section, struct conf_inhibit *inhibit)
{
	check_matchers(b, section, "source_match", inhibit->source_text, &inhibit->source);
	check_matchers(b, section, "target_match", inhibit->target_text, &inhibit->target);
	check_label_names(b, section, "equal", inhibit->equal);
}

/* ---- references ----------------------------------------------------------------------------- */

static void resolve_names(
	struct builder *b, const struct conf_section *section, const char *key, char *const *names)
{
	for (; names && *names; names++) {
		if (str_startswith(*names, "rota:")) {
			if (!map_get(&b->conf->rotas, *names + 5))
				unknown_reference(
					b, section, key, "rota", *names + 5, &b->conf->rotas);
		} else if (!map_get(&b->conf->receivers, *names)) {
			unknown_reference(b, section, key, "receiver", *names, &b->conf->receivers);
		}
	}
}

struct rota_check {
	struct builder *b;
	const struct conf_rota *rota;
};

static int check_rota_name(const char *name, unsigned line, void *data)
{
	const struct rota_check *check = data;
	const struct conf_rota *rota = check->rota;

	if (!map_get(&check->b->conf->receivers, name))
		conf_errors_add(check->b->errors, rota->where.file, rota->where.line, -EINVAL,
			"[rota %s] file: %s:%u: there is no receiver '%.80s'", rota->name,
			rota->path, line, name);
	return 0;
}

static void resolve_rotas(struct builder *b)
{
	MAP_FOREACH (&b->conf->rotas, const struct conf_rota *, rota) {
		struct rota_check check = {b, rota};

		if (rota->rota)
			(void)rota_each_name(rota->rota, check_rota_name, &check);
		if (rota->fallback && !map_get(&b->conf->receivers, rota->fallback))
			unknown_reference(b, conf_sections_find(b->sections, "rota", rota->name),
				"fallback", "receiver", rota->fallback, &b->conf->receivers);
	}
}

void resolve_routes(struct builder *b)
{
	VEC_FOREACH (&b->conf->routes, const struct conf_route *, route) {
		const struct conf_section *section =
			conf_sections_find(b->sections, "route", route->name);

		if (!section)
			continue;
		resolve_names(b, section, "receivers", route->receivers);
		VEC_FOREACH (&route->steps, const struct conf_step *, step)
			resolve_names(b, section, "escalate", step->receivers);
	}
	resolve_rotas(b);
}
