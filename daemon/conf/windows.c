/* SPDX-License-Identifier: MIT */
/* What the times of a window say together, and whether what it matches is there. */
#include <errno.h>
#include <string.h>
#include "conf/conf_internal.h"

static bool given(const struct conf_section *section, const char *key)
{
	const struct conf_key *k = conf_section_key(section, key);

	return k && *k->value;
}

/* The text of `err` at the key; one that finds no zone leaves the window without. */
static void at_key(struct builder *b, const struct conf_section *section, const char *key,
	const struct tend_error *err)
{
	conf_section_error(section, key, b->errors, "%s: %s", key, err->text);
}

static void check_repeating(
	struct builder *b, const struct conf_section *section, struct conf_window *window)
{
	struct tend_error err = {0};

	if (cron_parse(window->cron_text, &window->cron, &err) < 0)
		at_key(b, section, "cron", &err);
	if (given(section, "start") || given(section, "end"))
		conf_section_error(section, given(section, "start") ? "start" : "end", b->errors,
			"%s: it is for one that opens once; this opens by cron",
			given(section, "start") ? "start" : "end");
	if (!window->duration)
		conf_section_error(section, "cron", b->errors,
			"cron: how long it is open is not said, add 'duration'");
}

static void check_once(
	struct builder *b, const struct conf_section *section, struct conf_window *window)
{
	struct tend_error err = {0};

	window->end_wall = USEC_INFINITY;
	if (window->start && zone_parse(window->zone, window->start, &window->start_wall, &err) < 0)
		at_key(b, section, "start", &err);
	if (window->end && zone_parse(window->zone, window->end, &window->end_wall, &err) < 0)
		at_key(b, section, "end", &err);
	if (window->duration && window->end)
		conf_section_error(section, "duration", b->errors,
			"duration: the end is given as well, one of the two is enough");
	else if (window->duration && !window->start)
		conf_section_error(
			section, "duration", b->errors, "duration: it needs 'cron' or 'start'");
	else if (window->duration)
		window->end_wall = window->start_wall + window->duration;
	if (window->end && window->end_wall <= window->start_wall)
		conf_section_error(section, "end", b->errors, "end: it is not after the start");
	if (!window->freeze && !window->start)
		conf_section_error(section, NULL, b->errors, "[window %s] needs 'cron' or 'start'",
			window->name);
}

static void check_environments(
	struct builder *b, const struct conf_section *section, const struct conf_window *window)
{
	for (char **glob = window->match_environment; glob && *glob; glob++) {
		const char *nearest;
		bool any = false;

		for (size_t i = 0; i < ENVIRONMENT_MAX; i++)
			any = any || str_glob(*glob, conf_environment_names[i]);
		if (any)
			continue;
		nearest = str_nearest(*glob, conf_environment_names, ENVIRONMENT_MAX);
		conf_section_error(section, "match_environment", b->errors,
			"match_environment: there is no environment '%.80s'%s%s%s", *glob,
			nearest ? "; the nearest is '" : "", nearest ? nearest : "",
			nearest ? "'" : "");
	}
}

void check_window(struct builder *b, const struct conf_section *section, struct conf_window *window)
{
	struct tend_error err = {0};

	check_environments(b, section, window);
	check_matchers(b, section, "match", window->match_text, &window->match);
	if (zone_get(window->timezone ? window->timezone : "UTC", &window->zone, &err) < 0) {
		at_key(b, section, "timezone", &err);
		return;
	}
	if (window->cron_text)
		check_repeating(b, section, window);
	else
		check_once(b, section, window);
}

/* A name without wildcards that nothing has is a slip, and the window would do nothing. */
static void resolve_window(struct builder *b, const struct conf_window *window)
{
	const struct conf_section *section =
		conf_sections_find(b->sections, window->freeze ? "freeze" : "window", window->name);

	for (char **glob = window->match_component; section && glob && *glob; glob++)
		if (!strpbrk(*glob, "*?") && !map_get(&b->conf->components, *glob))
			unknown_reference(b, section, "match_component", "component", *glob,
				&b->conf->components);
}

void resolve_windows(struct builder *b)
{
	MAP_FOREACH (&b->conf->windows, const struct conf_window *, window)
		resolve_window(b, window);
	MAP_FOREACH (&b->conf->freezes, const struct conf_window *, window)
		resolve_window(b, window);
}
