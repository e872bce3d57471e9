/* SPDX-License-Identifier: MIT */
/* References between objects, and what takes more than one section to tell. */
#include <errno.h>
#include <string.h>
#include "conf/conf_internal.h"
#include "conf/rows.h"
#include "conf/options.h"

enum { MAX_FALLBACKS = 8 }; /* in a row */

void unknown_reference(struct builder *b, const struct conf_section *section, const char *key,
	const char *what, const char *name, const struct map *candidates)
{
	struct vec names = {0};
	const char *nearest;

	/* A renamed system can make ten thousand of these, each with as many candidates; what is
	 * not shown any more needs no nearest name. */
	for (size_t i = 0; i < candidates->len && b->errors->n_total < CONF_MAX_ERRORS; i++)
		(void)vec_push(&names, candidates->slots[i].key);
	nearest = str_nearest(name, (const char *const *)(void *)names.items, names.len);
	if (nearest)
		conf_section_error(section, key, b->errors,
			"%s%sthere is no %s '%.200s'; the nearest is '%s'", key ? key : "",
			key ? ": " : "", what, name, nearest);
	else
		conf_section_error(section, key, b->errors, "%s%sthere is no %s '%.200s'",
			key ? key : "", key ? ": " : "", what, name);
	vec_clear(&names);
}

/* The name without its last part; NULL: no memory. */
static char *parent_name(const char *name)
{
	return strndup(name, (size_t)(strrchr(name, '/') - name));
}

static int resolve_component(struct builder *b, const struct conf_section *section)
{
	struct conf_component *component = map_get(&b->conf->components, section->name);
	auto_free char *system = parent_name(section->name);

	if (!system)
		return -ENOMEM;
	component->system = map_get(&b->conf->systems, system);
	if (!component->system) {
		unknown_reference(b, section, NULL, "system", system, &b->conf->systems);
		return 0;
	}
	if (component->host_name) {
		component->host = map_get(&b->conf->hosts, component->host_name);
		if (!component->host)
			unknown_reference(
				b, section, "host", "host", component->host_name, &b->conf->hosts);
	}
	return vec_push(&component->system->components, component);
}

static int resolve_depends(struct builder *b, const struct conf_section *section)
{
	struct conf_component *component = map_get(&b->conf->components, section->name);
	auto_free char *system = parent_name(section->name);
	int r = 0;

	if (!system)
		return -ENOMEM;
	for (char **name = component->depends; name && *name && r == 0; name++) {
		auto_free char *full =
			strchr(*name, '/') ? strdup(*name) : str_printf("%s/%s", system, *name);
		struct conf_component *parent = full ? map_get(&b->conf->components, full) : NULL;
		bool twice = false;

		if (!full)
			return -ENOMEM;
		if (!parent) {
			unknown_reference(
				b, section, "depends", "component", full, &b->conf->components);
			continue;
		}
		VEC_FOREACH (&component->parents, struct conf_component *, other)
			twice = twice || other == parent;
		if (twice) {
			conf_section_error(section, "depends", b->errors,
				"depends: '%s' stands there twice", full);
			continue;
		}
		r = vec_push(&component->parents, parent);
		if (r == 0)
			r = vec_push(&parent->children, component);
	}
	return r;
}

static int resolve_database(struct builder *b, const struct conf_section *section)
{
	struct conf_database *database = map_get(&b->conf->databases, section->name);

	database->component = map_get(&b->conf->components, section->name);
	if (database->component)
		database->component->database = database;
	else
		unknown_reference(
			b, section, NULL, "component", section->name, &b->conf->components);
	return 0;
}

/* What its probe asks by SQL must be there to be asked. */
static void resolve_check_databases(
	struct builder *b, const struct conf_section *section, const struct conf_check *check)
{
	for (const struct tend_option *row = check->probe ? check->probe->options : NULL;
		row && row->name && check->probe_conf; row++) {
		char *name;

		if (!(row->flags & TEND_OPTION_DATABASE))
			continue;
		memcpy(&name, (const char *)check->probe_conf + row->offset, sizeof(name));
		if (name && !map_get(&b->conf->databases, name))
			unknown_reference(
				b, section, row->name, "database", name, &b->conf->databases);
		else if (!name && !map_get(&b->conf->databases, check->component->name))
			conf_section_error(section, "probe", b->errors,
				"probe: %s asks a database: there is no [database %.128s], and no "
				"option `%s' names another",
				check->probe->name, check->component->name, row->name);
	}
}

static int resolve_check(struct builder *b, const struct conf_section *section)
{
	struct conf_check *check = map_get(&b->conf->checks, section->name);
	auto_free char *component = parent_name(section->name);

	if (!component)
		return -ENOMEM;
	check->component = map_get(&b->conf->components, component);
	if (check->component) {
		resolve_check_databases(b, section, check);
		return vec_push(&check->component->checks, check);
	}
	unknown_reference(b, section, NULL, "component", component, &b->conf->components);
	return 0;
}

/* A notice that nobody takes must not go round for ever. */
static int resolve_receiver(struct builder *b, const struct conf_section *section)
{
	const struct conf_receiver *receiver = map_get(&b->conf->receivers, section->name);
	const struct conf_receiver *next = receiver;
	size_t n = 0;

	if (receiver->type == RECEIVER_WEBHOOK)
		resolve_webhook(b, section, receiver);
	if (receiver->type == RECEIVER_SMTP)
		resolve_smtp(b, section, receiver);
	if (receiver->fallback && !map_get(&b->conf->receivers, receiver->fallback)) {
		unknown_reference(b, section, "fallback", "receiver", receiver->fallback,
			&b->conf->receivers);
		return 0;
	}
	for (; next && next->fallback && n <= MAX_FALLBACKS; n++) {
		next = map_get(&b->conf->receivers, next->fallback);
		if (next == receiver) {
			conf_section_error(section, "fallback", b->errors,
				"fallback: '%s' would fall back on itself, by way of %zu receivers",
				receiver->name, n + 1);
			return 0;
		}
	}
	if (n > MAX_FALLBACKS)
		conf_section_error(section, "fallback", b->errors,
			"fallback: there are more than %d fallbacks in a row from here",
			MAX_FALLBACKS);
	return 0;
}

/* A configuration with receivers and no route means that they get everything. */
static int add_default_route(struct conf *conf)
{
	struct conf_route *route;
	size_t n = 0;

	if (conf->routes.len > 0 || conf->receivers.len == 0)
		return 0;
	route = calloc(1, sizeof(*route));
	if (!route)
		return -ENOMEM;
	if (conf_options_init(conf_route_rows, route, NULL) < 0) {
		free(route);
		return -ENOMEM;
	}
	route->name = strdup("default");
	route->receivers = calloc(conf->receivers.len + 1, sizeof(char *));
	MAP_FOREACH (&conf->receivers, struct conf_receiver *, receiver)
		if (route->receivers)
			route->receivers[n++] = strdup(receiver->name);
	if (!route->name || !route->receivers || n != strv_len(route->receivers) ||
		vec_push(&conf->routes, route) < 0) {
		conf_options_free(conf_route_rows, route);
		free(route->name);
		free(route);
		return -ENOMEM;
	}
	route->where.file = conf->path;
	return 0;
}

/* ---- cycles --------------------------------------------------------------------------------- */

/* Of a component, while parents are taken away one after the other (Kahn). */
struct node {
	struct conf_component *component;
	size_t n_parents; /* that are still there */
	bool gone;
	bool seen; /* on the way to a cycle */
};

static struct node *node_of(const struct map *nodes, const struct conf_component *component)
{
	return map_get(nodes, component->name);
}

static int take_parent(
	const struct map *nodes, struct vec *ready, const struct conf_component *component)
{
	struct node *n = node_of(nodes, component);

	return n->n_parents > 0 && --n->n_parents == 0 && !n->gone ? vec_push(ready, n) : 0;
}

/* Takes away what depends on nothing, and then what depended only on that. */
static int take_away_free(const struct map *nodes, struct vec *ready)
{
	int r = 0;

	while (ready->len > 0 && r == 0) {
		struct node *node = ready->items[ready->len - 1];

		vec_remove(ready, ready->len - 1);
		node->gone = true;
		VEC_FOREACH (&node->component->children, struct conf_component *, child)
			if (r == 0)
				r = take_parent(nodes, ready, child);
		VEC_FOREACH (&node->component->groups, struct conf_component *, group)
			if (r == 0)
				r = take_parent(nodes, ready, group);
	}
	return r;
}

static struct node *parent_that_is_left(const struct map *nodes, const struct node *node)
{
	VEC_FOREACH (&node->component->parents, struct conf_component *, parent) {
		struct node *n = node_of(nodes, parent);

		if (!n->gone)
			return n;
	}
	VEC_FOREACH (&node->component->members, struct conf_component *, member) {
		struct node *n = node_of(nodes, member);

		if (!n->gone)
			return n;
	}
	return NULL;
}

/* Every node that is left has a parent that is left, so the way up ends in a cycle. */
static struct node *find_cycle(const struct map *nodes, struct node *node)
{
	while (node && !node->seen) {
		node->seen = true;
		node = parent_that_is_left(nodes, node);
	}
	return node;
}

static void report_cycle(struct builder *b, const struct map *nodes, struct node *start)
{
	auto_str struct str way = STR_INIT(TEND_ERROR_TEXT_BYTES / 2);
	struct node *node = start;
	const struct conf_section *section;

	do {
		const struct conf_section *at =
			conf_sections_find(b->sections, "component", node->component->name);
		const struct conf_key *key = at ? conf_section_key(at, "depends") : NULL;

		if (!key && at)
			key = conf_section_key(at, "needs");

		if (key)
			(void)str_appendf(&way, "%s%s (%s:%u)", way.len ? " -> " : "",
				node->component->name, at->file, key->line);
		node = parent_that_is_left(nodes, node);
	} while (node && node != start);
	section = conf_sections_find(b->sections, "component", start->component->name);
	if (section)
		conf_section_error(section, "depends", b->errors,
			"depends: the components depend on each other in a circle: %s -> %s",
			str_get(&way), start->component->name);
}

static int check_cycles(struct builder *b, const struct map *nodes)
{
	struct vec ready = {0};
	int r = 0;

	MAP_FOREACH (nodes, struct node *, first)
		if (first->n_parents == 0 && r == 0)
			r = vec_push(&ready, first);
	if (r == 0)
		r = take_away_free(nodes, &ready);
	MAP_FOREACH (nodes, struct node *, node) {
		struct node *start;

		if (node->gone || r < 0)
			continue;
		MAP_FOREACH (nodes, struct node *, each)
			each->seen = false;
		start = find_cycle(nodes, node);
		if (!start)
			continue;
		report_cycle(b, nodes, start);
		/* Cut it there, to find the next one and not the same again. */
		r = vec_push(&ready, start);
		if (r == 0)
			r = take_away_free(nodes, &ready);
		if (b->errors->n_total > CONF_MAX_ERRORS)
			break;
	}
	vec_clear(&ready);
	return r;
}

static int check_depends(struct builder *b)
{
	struct map nodes = {0};
	size_t n = 0;
	struct node *all = calloc(b->conf->components.len + 1, sizeof(*all));
	int r = all ? 0 : -ENOMEM;

	MAP_FOREACH (&b->conf->components, struct conf_component *, component) {
		if (r < 0)
			break;
		all[n] = (struct node){.component = component,
			.n_parents = component->parents.len + component->members.len};
		r = map_put(&nodes, component->name, &all[n++]);
	}
	if (r == 0)
		r = check_cycles(b, &nodes);
	map_clear(&nodes);
	free(all);
	return r;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int resolve_each(struct builder *b, const char *kind, const struct map *objects,
	int (*resolve)(struct builder *b, const struct conf_section *section))
{
	int r = 0;

	VEC_FOREACH (&b->sections->list, const struct conf_section *, section) {
		if (r < 0 || strcmp(section->kind, kind) != 0)
			continue;
		if (section->name && map_get(objects, section->name))
			r = resolve(b, section);
	}
	return r;
}

int resolve_all(struct builder *b)
{
	struct conf *conf = b->conf;
	int r = resolve_each(b, "component", &conf->components, resolve_component);

	if (r == 0)
		r = resolve_each(b, "component", &conf->components, resolve_depends);
	if (r == 0)
		r = resolve_each(b, "component", &conf->components, resolve_needs);
	if (r == 0)
		r = resolve_each(b, "source", &conf->sources, resolve_source);
	if (r == 0)
		r = check_depends(b);
	if (r == 0)
		r = resolve_each(b, "database", &conf->databases, resolve_database);
	if (r == 0)
		r = resolve_each(b, "check", &conf->checks, resolve_check);
	if (r == 0)
		r = resolve_each(b, "receiver", &conf->receivers, resolve_receiver);
	if (r < 0)
		return r;
	resolve_routes(b);
	resolve_windows(b);
	return add_default_route(conf);
}
