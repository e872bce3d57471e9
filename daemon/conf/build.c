/* SPDX-License-Identifier: MIT */
/* Sections -> objects. Everything that one section alone can tell is checked here. */
#include <errno.h>
#include <string.h>
#include "conf/conf_internal.h"
#include "conf/options.h"
#include "conf/plugins.h"
#include "conf/rows.h"

enum { MAX_PART_BYTES = 64, MAX_METRIC_BYTES = 31 };

struct plugin_entry {
	const struct tend_probe *probe; /* NULL: `err` says why */
	struct tend_error err;
};

/* ---- names ---------------------------------------------------------------------------------- */

static bool part_is_valid(const char *part, size_t len)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

	return len > 0 && len <= MAX_PART_BYTES && part[0] != '.' && part[0] != '-' &&
	       strspn(part, allowed) >= len;
}

static bool name_is_valid(const char *name, unsigned n_parts)
{
	for (unsigned i = 0; i < n_parts; i++) {
		size_t len = strcspn(name, "/");

		if (!part_is_valid(name, len))
			return false;
		if (name[len] != (i + 1 < n_parts ? '/' : '\0'))
			return false;
		name += len + 1;
	}
	return true;
}

static bool check_name(
	struct builder *b, const struct conf_section *section, const struct conf_kind *kind)
{
	char title[CONF_TITLE_BYTES];

	if (kind->n_parts == 0) {
		if (!section->name)
			return true;
		conf_section_error(section, NULL, b->errors, "[%s] takes no name", kind->kind);
		return false;
	}
	if (section->name && name_is_valid(section->name, kind->n_parts))
		return true;
	conf_section_error(section, NULL, b->errors,
		"%s: the name must be %s, each part letters, digits, '_', '-' and '.', at most %d "
		"of them",
		conf_section_title(section, title), kind->name_form, MAX_PART_BYTES);
	return false;
}

/* ---- plugins -------------------------------------------------------------------------------- */

static const struct tend_probe *find_plugin(
	struct builder *b, const struct conf_section *section, const char *key)
{
	const struct conf_key *named = conf_section_key(section, key);
	struct plugin_entry *entry;

	if (!named || !*named->value)
		return NULL; /* that it is required is said elsewhere */
	entry = map_get(&b->plugins, named->value);
	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return NULL;
		if (plugin_load(b->plugin_dir, named->value, &entry->probe, &entry->err) < 0)
			entry->probe = NULL;
		if (map_put(&b->plugins, named->value, entry) < 0) {
			free(entry);
			return NULL;
		}
	}
	if (!entry->probe)
		conf_section_error(section, key, b->errors, "%s: %s", key, entry->err.text);
	return entry->probe;
}

void probe_conf_free(const struct tend_probe *probe, void *probe_conf)
{
	if (!probe || !probe_conf)
		return;
	if (probe->clear)
		probe->clear(probe_conf);
	conf_options_free(probe->options, probe_conf);
	free(probe_conf);
}

/* A probe's error belongs to the key its text begins with ("url: ..."), else to the section. */
static void probe_error(
	struct builder *b, const struct conf_section *section, const struct tend_error *err)
{
	const char *text = err->text;
	size_t quote = *text == '\'';
	const char *key = NULL;

	for (size_t i = 0; i < section->n_keys; i++) {
		const char *name = section->keys[i].name;
		size_t n = strlen(name);

		if (strncmp(text + quote, name, n) == 0 && strchr("': ", text[quote + n]) &&
			(!key || strlen(key) < n))
			key = name;
	}
	conf_section_error(section, key, b->errors, "%s", text);
}

/* Parses the core's rows and the probe's, and lets the probe check. NULL when that failed. */
static void *parse_with_probe(struct builder *b, const struct conf_section *section,
	const struct tend_option *rows, void *into, const struct tend_probe *probe)
{
	void *probe_conf = probe ? calloc(1, MAX(probe->conf_size, (size_t)1)) : NULL;
	struct tend_error err = {0};
	struct conf_table tables[2] = {
		{.rows = rows, .into = into},
		{.rows = probe ? probe->options : NULL, .into = probe_conf},
	};
	int r;

	if (probe && !probe_conf)
		return NULL;
	r = conf_section_parse_tables(section, tables, 2, b->errors);
	if (r < 0 || !probe) {
		if (probe)
			conf_options_free(probe->options, probe_conf);
		free(probe_conf);
		return NULL;
	}
	if (probe->check && probe->check(probe_conf, &err) < 0) {
		probe_error(b, section, &err);
		probe_conf_free(probe, probe_conf);
		return NULL;
	}
	return probe_conf;
}

/* ---- objects -------------------------------------------------------------------------------- */

static struct conf_where where(const struct conf_section *section)
{
	return (struct conf_where){.file = section->file, .line = section->line};
}

/* Allocates, names and enters into `map`. NULL: no memory. */
static void *new_object(const struct conf_section *section, struct map *map, size_t size,
	size_t name_offset, size_t where_offset)
{
	char *object = calloc(1, size);
	char *name = strdup(section->name);

	if (!object || !name || (map && map_put(map, section->name, object) < 0)) {
		free(object);
		free(name);
		return NULL;
	}
	memcpy(object + name_offset, &name, sizeof(name));
	*(struct conf_where *)(void *)(object + where_offset) = where(section);
	return object;
}
#define NEW_OBJECT(section, map, type)                                                             \
	((type *)new_object(                                                                       \
		section, map, sizeof(type), offsetof(type, name), offsetof(type, where)))

static char *short_name_of(const char *name)
{
	return strdup(strrchr(name, '/') + 1);
}

static void check_absolute(
	struct builder *b, const struct conf_section *section, const char *key, const char *path)
{
	if (path && path[0] != '/')
		conf_section_error(
			section, key, b->errors, "%s: '%.200s' is not an absolute path", key, path);
}

/* AgentX knows no passwords: over TCP it stays on this machine. */
static void check_agentx(struct builder *b, const struct conf_section *section, const char *address)
{
	const char *path = address;

	if (!address)
		return;
	if (str_startswith(address, "unix:"))
		path += strlen("unix:");
	if (path[0] == '/' || (str_startswith(address, "tcp:") &&
				      check_host_port(address + strlen("tcp:"), true, true)))
		return;
	conf_section_error(section, "agentx_socket", b->errors,
		"agentx_socket: '%.200s' is no absolute path, nor tcp:ADDRESS:PORT of loopback, as "
		"in tcp:127.0.0.1:705",
		address);
}

static void check_daemon(struct builder *b, const struct conf_section *section)
{
	struct conf_daemon *daemon = &b->conf->daemon;
	const struct {
		const char *key;
		const char *path;
	} required[] = {
		{"state_dir", daemon->state_dir},
		{"run_dir", daemon->run_dir},
		{"plugin_dir", daemon->plugin_dir},
		{"libexec_dir", daemon->libexec_dir},
		{"lua_dir", daemon->lua_dir},
	};

	check_absolute(b, section, "socket", daemon->socket);
	check_absolute(b, section, "exec_socket", daemon->exec_socket);
	check_absolute(b, section, "spawn_socket", daemon->spawn_socket);
	check_absolute(b, section, "fence_token_file", daemon->fence_token_file);
	if (!daemon->fence_lock != !daemon->fence_token_file)
		conf_section_error(section, daemon->fence_lock ? "fence_lock" : "fence_token_file",
			b->errors, "fence_lock and fence_token_file are needed both, or neither");
	if (daemon->fence_lock &&
		(!part_is_valid(daemon->fence_lock, strlen(daemon->fence_lock)) ||
			strpbrk(daemon->fence_lock, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")))
		conf_section_error(section, "fence_lock", b->errors,
			"fence_lock: '%.80s' is not a name of a-z, 0-9, '_', '-' and '.'",
			daemon->fence_lock);
	for (char **dir = daemon->policy_dirs; dir && *dir; dir++)
		check_absolute(b, section, "policy_dirs", *dir);
	for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
		if (required[i].path)
			check_absolute(b, section, required[i].key, required[i].path);
		else
			conf_section_error(section, required[i].key, b->errors,
				"%s: it cannot be empty", required[i].key);
	}
	check_agentx(b, section, daemon->agentx_socket);
	check_agentx(b, section, daemon->agentx_socket);
	check_nets(b, section, "allow_addresses", daemon->allow_addresses);
	if (daemon->http_listen && !check_host_port(daemon->http_listen, true, true))
		conf_section_error(section, "http_listen", b->errors,
			"http_listen: '%.200s' is not ADDRESS:PORT of loopback, as in "
			"127.0.0.1:9273 or [::1]:9273",
			daemon->http_listen);
}

static int build_system(struct builder *b, const struct conf_section *section)
{
	struct conf_system *system = NEW_OBJECT(section, &b->conf->systems, struct conf_system);

	if (!system)
		return -ENOMEM;
	conf_section_parse(section, conf_system_rows, system, b->errors);
	check_labels(b, section, system->labels);
	return 0;
}

static int build_component(struct builder *b, const struct conf_section *section)
{
	struct conf_component *component =
		NEW_OBJECT(section, &b->conf->components, struct conf_component);

	if (!component)
		return -ENOMEM;
	component->short_name = short_name_of(component->name);
	conf_section_parse(section, conf_component_rows, component, b->errors);
	check_labels(b, section, component->labels);
	return component->short_name ? 0 : -ENOMEM;
}

/* Arguments of ssh: nothing that it could take for an option or for more than it is. */
static bool host_word_is_valid(const char *word)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-.:%";

	return word && *word && *word != '-' && strlen(word) <= 255 &&
	       strspn(word, allowed) == strlen(word);
}

static int build_host(struct builder *b, const struct conf_section *section)
{
	struct conf_host *host = NEW_OBJECT(section, &b->conf->hosts, struct conf_host);

	if (!host)
		return -ENOMEM;
	if (conf_section_parse(section, conf_host_rows, host, b->errors) < 0)
		return 0;
	check_absolute(b, section, "identity_file", host->identity_file);
	check_absolute(b, section, "known_hosts", host->known_hosts);
	check_absolute(b, section, "spawn_identity_file", host->spawn_identity_file);
	/* ssh expands what begins with % in these. */
	if (strpbrk(host->identity_file, "% \t\"'") || !host->known_hosts ||
		strpbrk(host->known_hosts, "% \t\"'") ||
		(host->spawn_identity_file && strpbrk(host->spawn_identity_file, "% \t\"'")))
		conf_section_error(section, "identity_file", b->errors,
			"identity_file and known_hosts are paths without blanks, quotes and '%%'");
	if (!host_word_is_valid(host->address))
		conf_section_error(section, "address", b->errors,
			"address: '%.200s' is no name or address of a host", host->address);
	if (!host_word_is_valid(host->user))
		conf_section_error(section, "user", b->errors, "user: '%.200s' is no user's name",
			host->user ? host->user : "");
	return 0;
}

static void check_thresholds(struct builder *b, const struct conf_section *section, const char *row,
	char *const *thresholds)
{
	for (; thresholds && *thresholds; thresholds++) {
		size_t n = strcspn(*thresholds, "=");
		const char *text = *thresholds + n + 1;
		auto_free char *key = str_printf("%s.%.*s", row, (int)n, *thresholds);
		struct range range;

		if (n > MAX_METRIC_BYTES ||
			strspn(*thresholds, "abcdefghijklmnopqrstuvwxyz0123456789_") < n)
			conf_section_error(section, key, b->errors,
				"%s: a metric has small letters, digits and '_', at most %d",
				key ? key : row, MAX_METRIC_BYTES);
		else if (range_parse(text, &range) < 0)
			conf_section_error(section, key, b->errors,
				"%s: '%.80s' is not a range, write it as in 10, 10:, ~:10, 10:20 "
				"or @10:20",
				key ? key : row, text);
	}
}

/* A threshold of a metric that never comes would never be judged. */
static void check_metrics(struct builder *b, const struct conf_section *section, const char *row,
	char *const *thresholds, const struct conf_check *check)
{
	const char *names[TEND_METRICS_MAX];
	size_t n_names = check->probe && check->probe->metrics && check->probe_conf
				 ? check->probe->metrics(check->probe_conf, names)
				 : 0;

	for (; n_names > 0 && thresholds && *thresholds; thresholds++) {
		auto_free char *name = strndup(*thresholds, strcspn(*thresholds, "="));
		auto_free char *key = str_printf("%s.%s", row, name ? name : "");
		const char *near;
		size_t i = 0;

		while (name && i < n_names && strcmp(names[i], name) != 0)
			i++;
		if (!name || i < n_names)
			continue;
		near = str_nearest(name, names, n_names);
		conf_section_error(section, key, b->errors,
			"%s: the check has no such metric; %s '%s'", key ? key : row,
			near ? "did you mean" : "it has, for example,", near ? near : names[0]);
	}
}

static void check_usual(
	struct builder *b, const struct conf_section *section, const struct conf_check *check)
{
	struct baseline baseline;
	struct forecast forecast;

	for (char *const *row = check->baselines; row && *row; row++) {
		const char *value = strchr(*row, '=') + 1;
		auto_free char *key = str_printf("baseline.%.*s", (int)(value - *row) - 1, *row);

		if (baseline_parse(value, &baseline) < 0)
			conf_section_error(section, key, b->errors,
				"%s: '%.80s' is not N [above|below [AT_LEAST]], as in 4 above 0.5",
				key ? key : "baseline", value);
	}
	for (char *const *row = check->forecasts; row && *row; row++) {
		const char *value = strchr(*row, '=') + 1;
		auto_free char *key = str_printf("forecast.%.*s", (int)(value - *row) - 1, *row);

		if (forecast_parse(value, &forecast) < 0)
			conf_section_error(section, key, b->errors,
				"%s: '%.80s' is not RANGE within SPAN (1h to 365d), as in 95 "
				"within 7d",
				key ? key : "forecast", value);
	}
}

static void check_times(
	struct builder *b, const struct conf_section *section, struct conf_check *check)
{
	usec_t shortest = check->retry_interval ? MIN(check->interval, check->retry_interval)
						: check->interval;
	char timeout[CONF_VALUE_BYTES], interval[CONF_VALUE_BYTES];

	if (check->timeout <= shortest)
		return;
	if (!conf_section_key(section, "timeout")) {
		check->timeout = shortest;
		return;
	}
	conf_section_error(section, "timeout", b->errors,
		"timeout: %s is longer than the %s %s: the next attempt would find this one "
		"running",
		conf_format_span(check->timeout, timeout),
		shortest < check->interval ? "retry_interval" : "interval",
		conf_format_span(shortest, interval));
}

static void check_confirm(
	struct builder *b, const struct conf_section *section, struct conf_check *check)
{
	if (check->confirm && conf_parse_confirm(check->confirm, &check->confirm_failures,
				      &check->confirm_window) == 0)
		return;
	conf_section_error(section, "confirm", b->errors,
		"confirm: '%.80s' is not N of M with N at most M and M at most 64, as in 2 of 3",
		check->confirm ? check->confirm : "");
}

static int build_check(struct builder *b, const struct conf_section *section)
{
	struct conf_check *check = NEW_OBJECT(section, &b->conf->checks, struct conf_check);

	if (!check)
		return -ENOMEM;
	check->short_name = short_name_of(check->name);
	if (!check->short_name)
		return -ENOMEM;
	check->probe = find_plugin(b, section, "probe");
	check->probe_conf = parse_with_probe(b, section, conf_check_rows, check, check->probe);
	check_times(b, section, check);
	check_confirm(b, section, check);
	check_heartbeat(b, section, check);
	check_labels(b, section, check->labels);
	check_thresholds(b, section, "warning", check->thresholds_warning);
	check_thresholds(b, section, "critical", check->thresholds_critical);
	check_thresholds(b, section, "clear", check->thresholds_clear);
	check_usual(b, section, check);
	check_metrics(b, section, "baseline", check->baselines, check);
	check_metrics(b, section, "forecast", check->forecasts, check);
	check_metrics(b, section, "warning", check->thresholds_warning, check);
	check_metrics(b, section, "critical", check->thresholds_critical, check);
	return 0;
}

/* The same section with admin.KEY in the place of KEY. */
static int build_admin(struct builder *b, const struct conf_section *section,
	const struct conf_section *admin, struct conf_database *database)
{
	struct conf_database unused = {0};

	if (conf_section_key(section, "admin.service"))
		conf_section_error(section, "admin.service", b->errors,
			"admin.service: both roles are reached by the same service");
	database->admin_conf =
		parse_with_probe(b, admin, conf_database_rows, &unused, database->service);
	conf_options_free(conf_database_rows, &unused);
	return 0;
}

static int build_database(struct builder *b, const struct conf_section *section)
{
	struct conf_database *database =
		NEW_OBJECT(section, &b->conf->databases, struct conf_database);
	struct conf_section *query = NULL, *admin = NULL;
	bool any;
	int r;

	if (!database)
		return -ENOMEM;
	r = conf_section_overlay(section, "admin.", false, &query, &any);
	if (r == 0 && any)
		r = conf_section_overlay(section, "admin.", true, &admin, &any);
	if (r == 0) {
		database->service = find_plugin(b, section, "service");
		if (database->service && !database->service->call &&
			!database->service->work_methods)
			conf_section_error(section, "service", b->errors,
				"service: the plugin '%s' does not serve databases",
				database->service->name);
		database->query_conf =
			parse_with_probe(b, query, conf_database_rows, database, database->service);
		if (admin)
			r = build_admin(b, section, admin, database);
	}
	conf_section_free(query);
	conf_section_free(admin);
	return r;
}

static int build_receiver(struct builder *b, const struct conf_section *section)
{
	struct conf_receiver *receiver =
		NEW_OBJECT(section, &b->conf->receivers, struct conf_receiver);

	if (!receiver)
		return -ENOMEM;
	(void)conf_section_parse(section, conf_receiver_rows, receiver, b->errors);
	if (receiver->type >= 0)
		check_receiver(b, section, receiver);
	return 0;
}

static int build_route(struct builder *b, const struct conf_section *section)
{
	struct conf_route *route = NEW_OBJECT(section, NULL, struct conf_route);

	if (!route)
		return -ENOMEM;
	if (vec_push(&b->conf->routes, route) < 0) {
		free(route->name);
		free(route);
		return -ENOMEM;
	}
	conf_section_parse(section, conf_route_rows, route, b->errors);
	check_route(b, section, route);
	return 0;
}

static int build_rota(struct builder *b, const struct conf_section *section)
{
	struct conf_rota *rota = NEW_OBJECT(section, &b->conf->rotas, struct conf_rota);

	if (!rota)
		return -ENOMEM;
	conf_section_parse(section, conf_rota_rows, rota, b->errors);
	check_rota(b, section, rota);
	return 0;
}

static int build_inhibit(struct builder *b, const struct conf_section *section)
{
	struct conf_inhibit *inhibit = NEW_OBJECT(section, &b->conf->inhibits, struct conf_inhibit);

	if (!inhibit)
		return -ENOMEM;
	conf_section_parse(section, conf_inhibit_rows, inhibit, b->errors);
	check_inhibit(b, section, inhibit);
	return 0;
}

static int build_source(struct builder *b, const struct conf_section *section)
{
	struct conf_source *source = NEW_OBJECT(section, &b->conf->sources, struct conf_source);

	if (!source)
		return -ENOMEM;
	if (conf_section_parse(section, conf_source_rows, source, b->errors) == 0)
		check_source(b, section, source);
	return 0;
}

static void check_schedule(
	struct builder *b, const struct conf_section *section, const struct conf_policy *policy)
{
	struct tend_error err = {0};
	struct cron cron;
	struct zone *zone;

	if (policy->schedule && cron_parse(policy->schedule, &cron, &err) < 0)
		conf_section_error(section, "schedule", b->errors, "schedule: %s", err.text);
	if (!policy->timezone)
		return;
	if (zone_get(policy->timezone, &zone, &err) < 0)
		conf_section_error(section, "timezone", b->errors, "timezone: %s", err.text);
	else
		zone_free(zone);
}

static int build_policy(struct builder *b, const struct conf_section *section)
{
	struct conf_policy *policy = NEW_OBJECT(section, &b->conf->policies, struct conf_policy);

	if (!policy)
		return -ENOMEM;
	conf_section_parse(section, conf_policy_rows, policy, b->errors);
	check_schedule(b, section, policy);
	return 0;
}

static int build_window(struct builder *b, const struct conf_section *section)
{
	bool freeze = strcmp(section->kind, "freeze") == 0;
	struct conf_window *window = NEW_OBJECT(
		section, freeze ? &b->conf->freezes : &b->conf->windows, struct conf_window);

	if (!window)
		return -ENOMEM;
	window->freeze = freeze;
	if (conf_section_parse(
		    section, freeze ? conf_freeze_rows : conf_window_rows, window, b->errors) == 0)
		check_window(b, section, window);
	return 0;
}

/* ---- all of them ---------------------------------------------------------------------------- */

static const struct conf_kind *find_kind(const char *name)
{
	for (const struct conf_kind *kind = conf_kinds; kind->kind; kind++)
		if (strcmp(kind->kind, name) == 0)
			return kind;
	return NULL;
}

static void unknown_kind(struct builder *b, const struct conf_section *section)
{
	const char *names[16];
	const char *nearest;
	size_t n = 0;

	for (const struct conf_kind *kind = conf_kinds; kind->kind; kind++)
		names[n++] = kind->kind;
	nearest = str_nearest(section->kind, names, n);
	if (nearest)
		conf_section_error(section, NULL, b->errors,
			"unknown section [%s]; the nearest is [%s]", section->kind, nearest);
	else
		conf_section_error(section, NULL, b->errors, "unknown section [%s]", section->kind);
}

static int build_section(struct builder *b, const struct conf_section *section)
{
	static const struct {
		const struct tend_option *rows;
		int (*build)(struct builder *b, const struct conf_section *section);
	} builders[] = {
		{conf_system_rows, build_system},
		{conf_component_rows, build_component},
		{conf_host_rows, build_host},
		{conf_database_rows, build_database},
		{conf_check_rows, build_check},
		{conf_receiver_rows, build_receiver},
		{conf_route_rows, build_route},
		{conf_rota_rows, build_rota},
		{conf_inhibit_rows, build_inhibit},
		{conf_source_rows, build_source},
		{conf_policy_rows, build_policy},
		{conf_window_rows, build_window},
		{conf_freeze_rows, build_window},
	};
	const struct conf_kind *kind = find_kind(section->kind);

	if (!kind) {
		unknown_kind(b, section);
		return 0;
	}
	if (!check_name(b, section, kind))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(builders); i++)
		if (builders[i].rows == kind->rows)
			return builders[i].build(b, section);
	return 0; /* [daemon] was first */
}

int build_all(struct builder *b)
{
	const struct conf_section *daemon = conf_sections_find(b->sections, "daemon", NULL);
	int r = 0;

	/* First, because it says where the plugins are. */
	if (daemon) {
		(void)conf_section_parse(daemon, conf_daemon_rows, &b->conf->daemon, b->errors);
		check_daemon(b, daemon);
	} else {
		r = conf_options_init(conf_daemon_rows, &b->conf->daemon, NULL);
	}
	if (!b->plugin_dir)
		b->plugin_dir =
			b->conf->daemon.plugin_dir ? b->conf->daemon.plugin_dir : TEND_PLUGINDIR;
	VEC_FOREACH (&b->sections->list, const struct conf_section *, section)
		if (r == 0)
			r = build_section(b, section);
	MAP_FOREACH (&b->plugins, struct plugin_entry *, entry)
		free(entry);
	map_clear(&b->plugins);
	return r;
}
