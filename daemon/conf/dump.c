/* SPDX-License-Identifier: MIT */
/* The whole configuration, as ini and as JSON, and the comparison of checks. */
#include <errno.h>
#include <string.h>
#include "conf/conf.h"
#include "conf/options.h"
#include "conf/rows.h"

static int dump_object(struct str *out, const char *kind, const char *name,
	const struct tend_option *rows, const void *o)
{
	int r = str_appendf(out, "%s[%s %s]\n", out->len ? "\n" : "", kind, name);

	return r < 0 ? r : conf_options_dump(rows, o, "", out);
}

static int dump_check(struct str *out, const struct conf_check *check)
{
	int r = dump_object(out, "check", check->name, conf_check_rows, check);

	return r < 0 ? r : conf_options_dump(check->probe->options, check->probe_conf, "", out);
}

static int dump_database(struct str *out, const struct conf_database *database)
{
	const struct tend_option *rows = database->service->options;
	int r = dump_object(out, "database", database->name, conf_database_rows, database);

	if (r == 0)
		r = conf_options_dump(rows, database->query_conf, "", out);
	if (r == 0 && database->admin_conf)
		r = conf_options_dump(rows, database->admin_conf, "admin.", out);
	return r;
}

int conf_dump(const struct conf *conf, struct str *out)
{
	int r = str_appendf(out, "[daemon]\n");

	if (r == 0)
		r = conf_options_dump(conf_daemon_rows, &conf->daemon, "", out);
	MAP_FOREACH (&conf->systems, struct conf_system *, system)
		r = r < 0 ? r : dump_object(out, "system", system->name, conf_system_rows, system);
	MAP_FOREACH (&conf->hosts, struct conf_host *, host)
		r = r < 0 ? r : dump_object(out, "host", host->name, conf_host_rows, host);
	MAP_FOREACH (&conf->components, struct conf_component *, component)
		r = r < 0 ? r
			  : dump_object(out, "component", component->name, conf_component_rows,
				    component);
	MAP_FOREACH (&conf->databases, struct conf_database *, database)
		r = r < 0 ? r : dump_database(out, database);
	MAP_FOREACH (&conf->checks, struct conf_check *, check)
		if (check->probe != &conf_group_probe)
			r = r < 0 ? r : dump_check(out, check);
	MAP_FOREACH (&conf->receivers, struct conf_receiver *, receiver)
		r = r < 0 ? r
			  : dump_object(
				    out, "receiver", receiver->name, conf_receiver_rows, receiver);
	VEC_FOREACH (&conf->routes, struct conf_route *, route)
		r = r < 0 ? r : dump_object(out, "route", route->name, conf_route_rows, route);
	MAP_FOREACH (&conf->rotas, struct conf_rota *, rota)
		r = r < 0 ? r : dump_object(out, "rota", rota->name, conf_rota_rows, rota);
	MAP_FOREACH (&conf->inhibits, struct conf_inhibit *, inhibit)
		r = r < 0 ? r
			  : dump_object(out, "inhibit", inhibit->name, conf_inhibit_rows, inhibit);
	MAP_FOREACH (&conf->policies, struct conf_policy *, policy)
		r = r < 0 ? r : dump_object(out, "policy", policy->name, conf_policy_rows, policy);
	MAP_FOREACH (&conf->sources, struct conf_source *, source)
		r = r < 0 ? r : dump_object(out, "source", source->name, conf_source_rows, source);
	MAP_FOREACH (&conf->windows, struct conf_window *, window)
		r = r < 0 ? r : dump_object(out, "window", window->name, conf_window_rows, window);
	MAP_FOREACH (&conf->freezes, struct conf_window *, window)
		r = r < 0 ? r : dump_object(out, "freeze", window->name, conf_freeze_rows, window);
	return r;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

/* {"name", "file", "line", every option...}; steals nothing. NULL: no memory. */
static json_t *object_to_json(const char *name, const struct conf_where *where,
	const struct tend_option *rows, const void *o)
{
	auto_json json_t *object = json_pack("{s:s, s:s, s:i}", "name", name, "file",
		where->file ? where->file : "", "line", (int)where->line);
	auto_json json_t *options = conf_options_to_json(rows, o);

	if (!object || !options || json_object_update(object, options) < 0)
		return NULL;
	return TAKE(object);
}

static json_t *check_to_json(const struct conf_check *check)
{
	auto_json json_t *object =
		object_to_json(check->name, &check->where, conf_check_rows, check);

	if (!object || json_object_set_new(object, "options",
			       conf_options_to_json(check->probe->options, check->probe_conf)) < 0)
		return NULL;
	return TAKE(object);
}

static json_t *database_to_json(const struct conf_database *database)
{
	const struct tend_option *rows = database->service->options;
	auto_json json_t *object =
		object_to_json(database->name, &database->where, conf_database_rows, database);

	if (!object || json_object_set_new(object, "options",
			       conf_options_to_json(rows, database->query_conf)) < 0)
		return NULL;
	if (database->admin_conf && json_object_set_new(object, "admin",
					    conf_options_to_json(rows, database->admin_conf)) < 0)
		return NULL;
	return TAKE(object);
}

#define OBJECTS_TO_JSON(array, list, FOREACH, type, expression)                                    \
	FOREACH(list, type, it)                                                                    \
	if (json_array_append_new(array, expression) < 0)                                          \
	failed = true

json_t *conf_to_json(const struct conf *conf)
{
	auto_json json_t *all = json_object();
	json_t *systems = json_array(), *components = json_array(), *databases = json_array();
	json_t *checks = json_array(), *receivers = json_array(), *routes = json_array();
	json_t *policies = json_array(), *windows = json_array(), *freezes = json_array();
	json_t *hosts = json_array(), *rotas = json_array(), *inhibits = json_array();
	json_t *sources = json_array();
	bool failed = false;

	OBJECTS_TO_JSON(systems, &conf->systems, MAP_FOREACH, struct conf_system *,
		object_to_json(it->name, &it->where, conf_system_rows, it));
	OBJECTS_TO_JSON(components, &conf->components, MAP_FOREACH, struct conf_component *,
		object_to_json(it->name, &it->where, conf_component_rows, it));
	OBJECTS_TO_JSON(databases, &conf->databases, MAP_FOREACH, struct conf_database *,
		database_to_json(it));
	OBJECTS_TO_JSON(checks, &conf->checks, MAP_FOREACH, struct conf_check *, check_to_json(it));
	OBJECTS_TO_JSON(receivers, &conf->receivers, MAP_FOREACH, struct conf_receiver *,
		object_to_json(it->name, &it->where, conf_receiver_rows, it));
	OBJECTS_TO_JSON(routes, &conf->routes, VEC_FOREACH, struct conf_route *,
		object_to_json(it->name, &it->where, conf_route_rows, it));
	OBJECTS_TO_JSON(rotas, &conf->rotas, MAP_FOREACH, struct conf_rota *,
		object_to_json(it->name, &it->where, conf_rota_rows, it));
	OBJECTS_TO_JSON(inhibits, &conf->inhibits, MAP_FOREACH, struct conf_inhibit *,
		object_to_json(it->name, &it->where, conf_inhibit_rows, it));
	OBJECTS_TO_JSON(policies, &conf->policies, MAP_FOREACH, struct conf_policy *,
		object_to_json(it->name, &it->where, conf_policy_rows, it));
	OBJECTS_TO_JSON(sources, &conf->sources, MAP_FOREACH, struct conf_source *,
		object_to_json(it->name, &it->where, conf_source_rows, it));
	OBJECTS_TO_JSON(hosts, &conf->hosts, MAP_FOREACH, struct conf_host *,
		object_to_json(it->name, &it->where, conf_host_rows, it));
	OBJECTS_TO_JSON(windows, &conf->windows, MAP_FOREACH, struct conf_window *,
		object_to_json(it->name, &it->where, conf_window_rows, it));
	OBJECTS_TO_JSON(freezes, &conf->freezes, MAP_FOREACH, struct conf_window *,
		object_to_json(it->name, &it->where, conf_freeze_rows, it));
	/* Every set_new takes its reference, even when it fails. */
	failed = json_object_set_new(all, "daemon",
			 conf_options_to_json(conf_daemon_rows, &conf->daemon)) < 0 ||
		 failed;
	failed = json_object_set_new(all, "systems", systems) < 0 || failed;
	failed = json_object_set_new(all, "components", components) < 0 || failed;
	failed = json_object_set_new(all, "databases", databases) < 0 || failed;
	failed = json_object_set_new(all, "checks", checks) < 0 || failed;
	failed = json_object_set_new(all, "receivers", receivers) < 0 || failed;
	failed = json_object_set_new(all, "routes", routes) < 0 || failed;
	failed = json_object_set_new(all, "rotas", rotas) < 0 || failed;
	failed = json_object_set_new(all, "inhibits", inhibits) < 0 || failed;
	failed = json_object_set_new(all, "policies", policies) < 0 || failed;
	failed = json_object_set_new(all, "hosts", hosts) < 0 || failed;
	failed = json_object_set_new(all, "sources", sources) < 0 || failed;
	failed = json_object_set_new(all, "windows", windows) < 0 || failed;
	failed = json_object_set_new(all, "freezes", freezes) < 0 || failed;
	return failed ? NULL : TAKE(all);
}

bool conf_check_same(const struct conf_check *a, const struct conf_check *b)
{
	return strcmp(a->name, b->name) == 0 && a->probe == b->probe &&
	       conf_options_same(conf_check_rows, a, b) &&
	       conf_options_same(a->probe->options, a->probe_conf, b->probe_conf);
}
