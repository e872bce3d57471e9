/* SPDX-License-Identifier: MIT */
#include "run/decl_fields.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <tend/reason.h>

#include "base/fault.h"
#include "base/str.h"
#include "run/env.h"
#include "run/param.h"

/* Of longer lists only the nearest is told. */
enum { MAX_NAMES_TOLD = 16 };

static const struct decl_field *field_find(
	const struct decl_field *fields, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

__attribute__((noreturn)) static void refuse_key(lua_State *L, const struct decl_place *place,
	const struct decl_field *fields, size_t n, const char *name)
{
	const char *names[24], *nearest;
	size_t n_names = MIN(n, ARRAY_SIZE(names));

	for (size_t i = 0; i < n_names; i++)
		names[i] = fields[i].name;
	nearest = str_nearest(name, names, n_names);
	if (nearest)
		decl_place_error(
			L, place, name, "unknown key '%.64s'; did you mean '%s'?", name, nearest);
	decl_place_error(L, place, name, "unknown key '%.64s'", name);
}

void decl_check_table(
	lua_State *L, const struct decl_place *place, const struct decl_field *fields, size_t n)
{
	int from = lua_gettop(L), to = from + 1, keys = from + 2;

	luaL_checkstack(L, 16, NULL);
	lua_newtable(L);
	env_push_sorted_keys(L, from);
	for (lua_Integer i = 1; lua_rawgeti(L, keys, i) != LUA_TNIL; i++) {
		const struct decl_field *field;
		const char *name;

		if (lua_type(L, -1) != LUA_TSTRING)
			decl_place_error(L, place, NULL,
				"a value without a name; a comma or a key is missing before it");
		name = lua_tostring(L, -1);
		field = field_find(fields, n, name);
		if (!field)
			refuse_key(L, place, fields, n, name);
		if (lua_getfield(L, from, name) != field->type && field->type != LUA_TNONE)
			decl_place_error(L, place, name, "'%s' must be a %s, not a %s", name,
				lua_typename(L, field->type), luaL_typename(L, -1));
		if (field->check)
			field->check(L, &(struct decl_place){place->source, place->line,
						place->policy, field->name});
		lua_setfield(L, to, name);
		lua_settop(L, keys);
	}
	lua_settop(L, to);
	lua_replace(L, from);
}

void decl_check_list(lua_State *L, const struct decl_place *place)
{
	lua_Integer n;

	if (lua_type(L, -1) == LUA_TSTRING) {
		lua_createtable(L, 1, 0);
		lua_insert(L, -2);
		lua_rawseti(L, -2, 1);
	}
	if (lua_type(L, -1) != LUA_TTABLE)
		decl_place_error(L, place, place->key, "'%s' must be a string or a list of strings",
			place->key);
	env_push_sorted_keys(L, -1);
	n = (lua_Integer)lua_rawlen(L, -1);
	lua_pop(L, 1);
	if (n == 0)
		decl_place_error(L, place, place->key,
			"'%s' is an empty list, which nothing would match; leave it out",
			place->key);
	for (lua_Integer i = 1; i <= n; i++) {
		if (lua_rawgeti(L, -1, i) != LUA_TSTRING)
			decl_place_error(L, place, place->key,
				"'%s' must be a string or a list of strings", place->key);
		lua_pop(L, 1);
	}
}

static const char *join(const char *const *names, size_t n_names, char ret_text[256])
{
	int len = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; i < n_names && len < 256; i++)
		len += snprintf(
			ret_text + len, (size_t)(256 - len), "%s%s", i ? ", " : "", names[i]);
	return ret_text;
}

static void check_word(lua_State *L, const struct decl_place *place, const char *word,
	const char *const *names, size_t n_names)
{
	const char *nearest;
	char told[256];

	for (size_t i = 0; i < n_names; i++)
		if (strcmp(word, names[i]) == 0)
			return;
	nearest = str_nearest(word, names, n_names);
	if (nearest)
		decl_place_error(L, place, word, "unknown %s '%.64s'; did you mean '%s'?",
			place->key, word, nearest);
	decl_place_error(L, place, word, "unknown %s '%.64s'%s%s", place->key, word,
		n_names <= MAX_NAMES_TOLD ? "; there are " : "",
		n_names <= MAX_NAMES_TOLD ? join(names, n_names, told) : "");
}

/* Every word of the list must be one of `names`. */
static void check_words(
	lua_State *L, const struct decl_place *place, const char *const *names, size_t n_names)
{
	decl_check_list(L, place);
	for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
		check_word(L, place, lua_tostring(L, -1), names, n_names);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static void check_reasons(lua_State *L, const struct decl_place *place)
{
	const char *names[TEND_REASON_MAX];

	for (int i = 0; i < TEND_REASON_MAX; i++)
		names[i] = tend_reason_name((enum tend_reason)i);
	check_words(L, place, names, ARRAY_SIZE(names));
	for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
		const char *word = lua_tostring(L, -1);

		if (strcmp(word, tend_reason_name(TEND_REASON_UNIT_STOPPED)) == 0)
			decl_place_error(L, place, word,
				"'%s' starts nothing: what an operator stopped is left alone",
				word);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/* A word of the other list: the two are easily taken for each other. */
static void refuse_words_of(lua_State *L, const struct decl_place *place, const char *key,
	const char *const *names, size_t n_names)
{
	decl_check_list(L, place);
	for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
		const char *word = lua_tostring(L, -1);

		for (size_t k = 0; k < n_names; k++)
			if (strcmp(word, names[k]) == 0)
				decl_place_error(L, place, word,
					"'%s' is no %s but a %s; say %s = \"%s\"", word, place->key,
					key, key, word);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static void check_categories(lua_State *L, const struct decl_place *place)
{
	const char *names[TEND_REASON_MAX_CATEGORIES];
	size_t n = tend_reason_categories(names);

	refuse_words_of(L, place, "class", fault_class_names, FAULT_CLASS_MAX);
	check_words(L, place, names, n);
}

static void check_classes(lua_State *L, const struct decl_place *place)
{
	const char *categories[TEND_REASON_MAX_CATEGORIES];
	size_t n = tend_reason_categories(categories);

	refuse_words_of(L, place, "category", categories, n);
	check_words(L, place, fault_class_names, FAULT_CLASS_MAX);
}

static void check_severities(lua_State *L, const struct decl_place *place)
{
	static const char *const names[] = {"info", "warning", "critical"};

	check_words(L, place, names, ARRAY_SIZE(names));
}

static void check_incident(lua_State *L, const struct decl_place *place)
{
	static const struct decl_field fields[] = {
		{"component", LUA_TNONE, decl_check_list},
		{"kind", LUA_TNONE, decl_check_list},
		{"unit", LUA_TNONE, decl_check_list},
		{"reason", LUA_TNONE, check_reasons},
		{"check", LUA_TNONE, decl_check_list},
		{"severity", LUA_TNONE, check_severities},
		{"class", LUA_TNONE, check_classes},
		{"category", LUA_TNONE, check_categories},
		{"environment", LUA_TNONE, decl_check_list},
	};

	decl_check_table(L, place, fields, ARRAY_SIZE(fields));
}

static void check_event_types(lua_State *L, const struct decl_place *place)
{
	static const char *const names[] = {
		"policy-ended", "version-changed", "heartbeat-late", "window-opened"};

	check_words(L, place, names, ARRAY_SIZE(names));
}

static void check_event(lua_State *L, const struct decl_place *place)
{
	static const struct decl_field fields[] = {
		{"type", LUA_TNONE, check_event_types},
		{"policy", LUA_TNONE, decl_check_list},
		{"state", LUA_TNONE, decl_check_list},
		{"component", LUA_TNONE, decl_check_list},
	};

	decl_check_table(L, place, fields, ARRAY_SIZE(fields));
	if (lua_getfield(L, -1, "type") == LUA_TNIL)
		decl_place_error(L, place, place->key, "'event' has no 'type'");
	lua_pop(L, 1);
}

static void check_on(lua_State *L, const struct decl_place *place)
{
	static const struct decl_field fields[] = {
		{"incident", LUA_TTABLE, check_incident}, {"event", LUA_TTABLE, check_event}};
	bool any = false;

	decl_check_table(L, place, fields, ARRAY_SIZE(fields));
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		any = lua_getfield(L, -1, fields[i].name) != LUA_TNIL || any;
		lua_pop(L, 1);
	}
	if (!any)
		decl_place_error(L, place, place->key, "'on' names no trigger");
}

/* A duration becomes seconds, of which at least one and at most `most_sec`. */
static void check_duration(lua_State *L, const struct decl_place *place, double most_sec)
{
	struct tend_error err = {0};

	if (param_convert(L, PARAM_DURATION, &err) < 0)
		decl_place_error(L, place, place->key, "'%s' %s", place->key, err.text);
	if (lua_tonumber(L, -1) < 1 || lua_tonumber(L, -1) > most_sec)
		decl_place_error(L, place, place->key,
			"'%s' must be at least 1 second and at most %.14g hours", place->key,
			most_sec / 3600);
}

static void check_timeout(lua_State *L, const struct decl_place *place)
{
	check_duration(L, place, DECL_TIMEOUT_SEC);
}

static void check_budget(lua_State *L, const struct decl_place *place)
{
	if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 1 ||
		lua_tointeger(L, -1) > DECL_BUDGET_MAX)
		decl_place_error(L, place, place->key,
			"'%s' must be a whole number of actions in an hour, 1 to %d", place->key,
			DECL_BUDGET_MAX);
}

static void check_jitter(lua_State *L, const struct decl_place *place)
{
	check_duration(L, place, DECL_JITTER_SEC);
}

/* The zone itself is looked for by the daemon, which has files; here only what no zone can be. */
static void check_timezone(lua_State *L, const struct decl_place *place)
{
	const char *zone = lua_tostring(L, -1);
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";

	if (!*zone || strlen(zone) > 64 || strspn(zone, letters) != strlen(zone) || *zone == '/')
		decl_place_error(L, place, zone,
			"'%.64s' is no name of a time zone such as \"Europe/Berlin\"", zone);
}

static unsigned count_fields(const char *text)
{
	unsigned n = 0;

	while (*(text += strspn(text, " \t"))) {
		text += strcspn(text, " \t");
		n++;
	}
	return n;
}

/* Its shape; what each field may hold is said by the daemon, which keeps calendars. */
static void check_cron(lua_State *L, const struct decl_place *place)
{
	static const char *const words[] = {
		"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"};
	const char *text = lua_tostring(L, -1);
	struct decl_place here = *place;

	if (*text == '@') {
		here.key = "time";
		check_word(L, &here, text, words, ARRAY_SIZE(words));
	} else if (count_fields(text) != 5) {
		decl_place_error(L, place, text,
			"'%.64s' is no time: five fields (minute hour day month weekday) or a word "
			"such as @daily",
			text);
	}
}

static void check_missed(lua_State *L, const struct decl_place *place)
{
	static const char *const names[] = {"skip", "once", "all"};

	check_word(L, place, lua_tostring(L, -1), names, ARRAY_SIZE(names));
}

static void check_schedule(lua_State *L, const struct decl_place *place)
{
	static const struct decl_field fields[] = {
		{"cron", LUA_TSTRING, check_cron},
		{"timezone", LUA_TSTRING, check_timezone},
		{"missed", LUA_TSTRING, check_missed},
		{"jitter", LUA_TNONE, check_jitter},
	};

	if (lua_type(L, -1) == LUA_TSTRING) {
		lua_createtable(L, 0, 1);
		lua_insert(L, -2);
		lua_setfield(L, -2, "cron");
	}
	if (lua_type(L, -1) != LUA_TTABLE)
		decl_place_error(L, place, place->key,
			"'schedule' must be a time such as \"0 2 * * *\" or a table {cron=, "
			"timezone=, missed=, jitter=}");
	decl_check_table(L, place, fields, ARRAY_SIZE(fields));
	if (lua_getfield(L, -1, "cron") == LUA_TNIL)
		decl_place_error(L, place, place->key, "'schedule' has no 'cron'");
	lua_pop(L, 1);
}

static void check_targets(lua_State *L, const struct decl_place *place)
{
	static const struct decl_field fields[] = {
		{"component", LUA_TNONE, decl_check_list},
		{"kind", LUA_TNONE, decl_check_list},
		{"unit", LUA_TNONE, decl_check_list},
		{"environment", LUA_TNONE, decl_check_list},
	};

	decl_check_table(L, place, fields, ARRAY_SIZE(fields));
}

static void check_concurrency(lua_State *L, const struct decl_place *place)
{
	static const char *const names[] = {"skip", "queue", "replace"};

	check_word(L, place, lua_tostring(L, -1), names, ARRAY_SIZE(names));
}

static void check_window(lua_State *L, const struct decl_place *place)
{
	static const char *const names[] = {"required", "ignored"};

	check_word(L, place, lua_tostring(L, -1), names, ARRAY_SIZE(names));
}

/* Leaves nothing on the stack. */
static bool has(lua_State *L, int table, const char *name)
{
	bool there = lua_getfield(L, table, name) != LUA_TNIL;

	lua_pop(L, 1);
	return there;
}

static bool has_event(lua_State *L, int body)
{
	bool there = lua_getfield(L, body, "on") == LUA_TTABLE && has(L, -1, "event");

	lua_pop(L, 1);
	return there;
}

/* What nothing can start is a mistake; what only a hand can start needs not say so. */
static void check_triggers(lua_State *L, const struct decl_place *place)
{
	int body = lua_gettop(L);
	bool started = has(L, body, "on") || has(L, body, "schedule");

	if (!has(L, body, "hand")) {
		lua_pushboolean(L, !started);
		lua_setfield(L, body, "hand");
	}
	lua_getfield(L, body, "hand");
	if (!started && !lua_toboolean(L, -1))
		decl_place_error(L, place, "hand",
			"has neither 'on' nor 'schedule' nor 'hand': nothing can start it");
	lua_pop(L, 1);
	if (has(L, body, "targets") && !has(L, body, "schedule") && !has_event(L, body))
		decl_place_error(L, place, "targets",
			"'targets' is for 'schedule' and 'on.event'; an incident has its own "
			"component, and a hand names one");
}

void decl_check_body(lua_State *L, const struct decl_place *place)
{
	static const struct decl_field fields[] = {
		{"doc", LUA_TSTRING, NULL},
		{"on", LUA_TTABLE, check_on},
		{"schedule", LUA_TNONE, check_schedule},
		{"targets", LUA_TTABLE, check_targets},
		{"hand", LUA_TBOOLEAN, NULL},
		{"params", LUA_TTABLE, decl_check_params},
		{"concurrency", LUA_TSTRING, check_concurrency},
		{"timeout", LUA_TNONE, check_timeout},
		{"budget", LUA_TNONE, check_budget},
		{"window", LUA_TSTRING, check_window},
		{"run", LUA_TFUNCTION, NULL},
	};

	decl_check_table(L, place, fields, ARRAY_SIZE(fields));
	if (!has(L, -1, "run"))
		decl_place_error(L, place, NULL, "has no 'run'");
	check_triggers(L, place);
}
