/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include "base/clock.h"
#include "conf/conf_internal.h"
#include "conf/options.h"
#include "conf/rows.h"

/* ---- the life of a configuration ------------------------------------------------------------ */

static void system_free(struct conf_system *system)
{
	conf_options_free(conf_system_rows, system);
	vec_clear(&system->components);
	free(system->name);
	free(system);
}

static void component_free(struct conf_component *component)
{
	conf_options_free(conf_component_rows, component);
	vec_clear(&component->parents);
	vec_clear(&component->children);
	vec_clear(&component->checks);
	vec_clear(&component->members);
	vec_clear(&component->groups);
	free(component->name);
	free(component->short_name);
	free(component);
}

static void check_free(struct conf_check *check)
{
	conf_options_free(conf_check_rows, check);
	probe_conf_free(check->probe, check->probe_conf);
	if (check->heartbeat)
		zone_free(check->heartbeat->zone);
	free(check->heartbeat);
	free(check->name);
	free(check->short_name);
	free(check);
}

static void database_free(struct conf_database *database)
{
	conf_options_free(conf_database_rows, database);
	probe_conf_free(database->service, database->query_conf);
	probe_conf_free(database->service, database->admin_conf);
	free(database->name);
	free(database);
}

/* Of those that own nothing but their rows and a name. */
static void named_free(const struct tend_option *rows, void *object, char *name)
{
	conf_options_free(rows, object);
	free(name);
	free(object);
}

static void window_free(const struct tend_option *rows, struct conf_window *window)
{
	matchers_free(window->match);
	zone_free(window->zone);
	named_free(rows, window, window->name);
}

static void route_free(struct conf_route *route)
{
	VEC_FOREACH (&route->steps, struct conf_step *, step) {
		strv_free(step->receivers);
		free(step);
	}
	vec_clear(&route->steps);
	matchers_free(route->match);
	zone_free(route->zone);
	named_free(conf_route_rows, route, route->name);
}

static void rota_section_free(struct conf_rota *rota)
{
	rota_free(rota->rota);
	zone_free(rota->zone);
	named_free(conf_rota_rows, rota, rota->name);
}

static void source_free(struct conf_source *source)
{
	VEC_FOREACH (&source->rules, struct conf_source_rule *, rule) {
		matchers_free(rule->match);
		free(rule);
	}
	vec_clear(&source->rules);
	named_free(conf_source_rows, source, source->name);
}

static void inhibit_free(struct conf_inhibit *inhibit)
{
	matchers_free(inhibit->source);
	matchers_free(inhibit->target);
	named_free(conf_inhibit_rows, inhibit, inhibit->name);
}

static struct conf *conf_free(struct conf *conf)
{
	MAP_FOREACH (&conf->systems, struct conf_system *, system)
		system_free(system);
	MAP_FOREACH (&conf->components, struct conf_component *, component)
		component_free(component);
	MAP_FOREACH (&conf->checks, struct conf_check *, check)
		check_free(check);
	MAP_FOREACH (&conf->databases, struct conf_database *, database)
		database_free(database);
	MAP_FOREACH (&conf->receivers, struct conf_receiver *, receiver)
		named_free(conf_receiver_rows, receiver, receiver->name);
	MAP_FOREACH (&conf->policies, struct conf_policy *, policy)
		named_free(conf_policy_rows, policy, policy->name);
	MAP_FOREACH (&conf->windows, struct conf_window *, window)
		window_free(conf_window_rows, window);
	MAP_FOREACH (&conf->freezes, struct conf_window *, window)
		window_free(conf_freeze_rows, window);
	MAP_FOREACH (&conf->hosts, struct conf_host *, host)
		named_free(conf_host_rows, host, host->name);
	VEC_FOREACH (&conf->routes, struct conf_route *, route)
		route_free(route);
	MAP_FOREACH (&conf->rotas, struct conf_rota *, rota)
		rota_section_free(rota);
	MAP_FOREACH (&conf->inhibits, struct conf_inhibit *, inhibit)
		inhibit_free(inhibit);
	MAP_FOREACH (&conf->sources, struct conf_source *, source)
		source_free(source);
	map_clear(&conf->sources);
	map_clear(&conf->rotas);
	map_clear(&conf->inhibits);
	map_clear(&conf->systems);
	map_clear(&conf->components);
	map_clear(&conf->checks);
	map_clear(&conf->databases);
	map_clear(&conf->receivers);
	map_clear(&conf->policies);
	map_clear(&conf->hosts);
	map_clear(&conf->windows);
	map_clear(&conf->freezes);
	vec_clear(&conf->routes);
	conf_options_free(conf_daemon_rows, &conf->daemon);
	VEC_FOREACH (&conf->files, char *, file)
		free(file);
	vec_clear(&conf->files);
	free(conf->path);
	free(conf);
	return NULL;
}

struct conf *conf_ref(struct conf *conf)
{
	conf->n_refs++;
	return conf;
}

struct conf *conf_unref(struct conf *conf)
{
	if (conf && --conf->n_refs == 0)
		return conf_free(conf);
	return NULL;
}

/* ---- load ----------------------------------------------------------------------------------- */

static int read_files(const char *path, struct conf_sections *sections, struct conf_errors *errors)
{
	auto_free char *copy = strdup(path);
	auto_free char *folder = copy ? str_printf("%s/conf.d", dirname(copy)) : NULL;

	if (!folder)
		return -ENOMEM;
	(void)conf_file_read(path, sections, errors);
	(void)conf_folder_read(folder, sections, errors);
	return 0;
}

static int build(struct conf *conf, const char *plugin_dir, struct conf_sections *sections,
	struct conf_errors *errors)
{
	struct builder b = {
		.conf = conf,
		.sections = sections,
		.errors = errors,
		.plugin_dir = plugin_dir,
	};
	int r = build_all(&b);

	return r < 0 ? r : resolve_all(&b);
}

int conf_load(const char *path, const char *plugin_dir, struct conf_errors *errors,
	struct conf **ret_conf)
{
	auto(conf_unref) struct conf *conf = calloc(1, sizeof(*conf));
	struct conf_sections sections = {0};
	struct conf_errors own = {0};
	size_t n_errors;
	int r;

	if (!conf)
		return -ENOMEM;
	conf->n_refs = 1;
	conf->loaded_wall = clock_wall();
	conf->path = strdup(path);
	r = conf->path ? read_files(path, &sections, &own) : -ENOMEM;
	if (r == 0)
		r = build(conf, plugin_dir, &sections, &own);
	/* Objects and errors of the files stand on the same names; the conf keeps them. */
	conf->files = sections.files;
	sections.files = (struct vec){0};
	conf_sections_clear(&sections);
	if (r < 0)
		conf_errors_add(&own, path, 0, r, "%s", strerror(-r));
	conf_errors_sort(&own);
	n_errors = own.n_total;
	if (errors) {
		conf_errors_clear(errors);
		*errors = own;
	} else {
		conf_errors_clear(&own);
	}
	if (n_errors > 0)
		return -EINVAL;
	*ret_conf = TAKE(conf);
	return 0;
}
