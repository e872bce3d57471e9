/* SPDX-License-Identifier: MIT */
/* Known CRMs by their marks: files that each has and nobody else, units, the ports of their
 * processes. */
#include <glob.h>
#include <string.h>
#include "base/fs.h"
#include "base/str.h"
#include "init/look.h"

struct mark {
	const char *kind;
	const char *files[3]; /* in its folder, or beside it: all must be there */
	const char *config;   /* the same */
};

static const struct mark marks[] = {
	{"dolibarr", {"main.inc.php", "filefunc.inc.php"}, "conf/conf.php"},
	{"espocrm", {"application/Espo", "bootstrap.php"}, "data/config.php"},
	{"suitecrm", {"suitecrm_version.php", "sugar_version.php"}, "config.php"},
	{"suitecrm", {"public/legacy/suitecrm_version.php"}, "public/legacy/config.php"},
	{"vtiger", {"vtigerversion.php", "config.template.php"}, "config.inc.php"},
	{"civicrm", {"civicrm-version.php"}, NULL},
	{"civicrm", {"sites/default/civicrm.settings.php"}, "sites/default/civicrm.settings.php"},
	{"civicrm", {"wp-content/plugins/civicrm/civicrm.php"}, NULL},
};

/* Of those with a server of their own: by the name of a unit, or of a process that listens. */
static const struct server {
	const char *kind, *unit, *process, *config;
} servers[] = {
	{"tryton", "tryton*server*.service", "trytond*", "/etc/tryton/trytond.conf"},
	{"tryton", "trytond*.service", "trytond*", "/etc/tryton/trytond.conf"},
	{"odoo", "odoo*.service", "odoo*", "/etc/odoo/odoo.conf"},
};

static const char *get(const json_t *doc, const char *key)
{
	const char *text = json_string_value(json_object_get(doc, key));

	return text ? text : "";
}

static bool is_known(const json_t *facts, const char *kind)
{
	size_t i;
	json_t *crm;

	json_array_foreach (json_object_get(facts, "crms"), i, crm)
		if (strcmp(get(crm, "kind"), kind) == 0)
			return true;
	return false;
}

static void add(json_t *facts, json_t *crm)
{
	(void)json_array_append_new(json_object_get(facts, "crms"), crm);
}

/* ---- by files ------------------------------------------------------------------------------- */

static bool is_there(const char *folder, const char *file)
{
	auto_free char *path = str_printf("%s/%s", folder, file);

	return path && access(path, F_OK) == 0;
}

static bool fits(const struct mark *mark, const char *folder)
{
	for (size_t i = 0; i < ARRAY_SIZE(mark->files) && mark->files[i]; i++)
		if (!is_there(folder, mark->files[i]))
			return false;
	return true;
}

static void look_into(json_t *facts, const char *folder)
{
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		auto_free char *config = NULL;

		if (is_known(facts, marks[i].kind) || !fits(&marks[i], folder))
			continue;
		if (marks[i].config && is_there(folder, marks[i].config))
			config = str_printf("%s/%s", folder, marks[i].config);
		add(facts, json_pack("{s:s, s:s, s:s?}", "kind", marks[i].kind, "root", folder,
				   "config", config));
	}
}

static void look_into_all(json_t *facts, const char *pattern)
{
	glob_t found;

	if (glob(pattern, GLOB_ONLYDIR, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		look_into(facts, found.gl_pathv[i]);
	globfree(&found);
}

static void look_for_files(json_t *facts)
{
	static const char *const places[] = {"/usr/share/dolibarr/htdocs", "/var/www/*",
		"/var/www/*/htdocs", "/var/www/*/public_html", "/var/www/html/*",
		"/var/www/html/*/htdocs", "/srv/*", "/srv/www/*", "/opt/*"};
	size_t i;
	json_t *site;

	json_array_foreach (json_object_get(facts, "sites"), i, site) {
		const char *root = get(site, "root");
		auto_free char *above = NULL;

		if (*root != '/')
			continue;
		look_into(facts, root);
		/* EspoCRM and SuiteCRM 8 serve the folder `public' of theirs. */
		above = strndup(root, (size_t)(strrchr(root, '/') - root));
		if (above && *above)
			look_into(facts, above);
	}
	for (size_t k = 0; k < ARRAY_SIZE(places); k++)
		look_into_all(facts, places[k]);
}

/* ---- by units and processes ----------------------------------------------------------------- */

/* What runs its jobs is not the server. */
static bool is_helper(const char *unit)
{
	return strstr(unit, "cron") || strstr(unit, "worker");
}

static const char *find_by_unit(const json_t *facts, const char *pattern)
{
	size_t i;
	json_t *unit;

	json_array_foreach (json_object_get(facts, "units"), i, unit)
		if (str_glob(pattern, get(unit, "name")) && !is_helper(get(unit, "name")))
			return get(unit, "name");
	return NULL;
}

static const json_t *find_listener(const json_t *facts, const char *unit, const char *process)
{
	size_t i;
	json_t *row;

	json_array_foreach (json_object_get(facts, "listeners"), i, row)
		if ((unit && strcmp(get(row, "unit"), unit) == 0) ||
			str_glob(process, get(row, "process")))
			return row;
	return NULL;
}

/* The value of the first `key = ...' in an ini file; NULL: there is none. */
static char *value_in(json_t *facts, const char *config, const char *key)
{
	auto_free char *text = NULL;
	char *line, *rest;
	int r = fs_read_file(config, 1 << 20, &text, NULL);

	if (r < 0) {
		look_unseen(facts, "%s: %s", config, strerror(-r));
		return NULL;
	}
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		size_t n = strlen(key);
		char *value;

		if (strncmp(line, key, n) != 0)
			continue;
		value = line + n + strspn(line + n, " \t");
		if (*value != '=')
			continue;
		value++;
		value += strspn(value, " \t");
		return strndup(value, strcspn(value, " \t\r"));
	}
	return NULL;
}

/* "8000", or what stands behind the last colon of "localhost:8000". */
static long port_in(json_t *facts, const char *config, const char *key)
{
	auto_free char *value = value_in(facts, config, key);
	const char *colon = value ? strrchr(value, ':') : NULL;

	return value ? strtol(colon ? colon + 1 : value, NULL, 10) : 0;
}

static void look_for_server(json_t *facts, const struct server *server)
{
	const char *unit = find_by_unit(facts, server->unit);
	const json_t *listener = find_listener(facts, unit, server->process);
	auto_free char *store = NULL;
	bool has_config = access(server->config, F_OK) == 0;
	long port = 0;

	if (is_known(facts, server->kind) || (!unit && !listener))
		return;
	if (listener)
		port = (long)json_integer_value(json_object_get(listener, "port"));
	if (!port && has_config)
		port = port_in(facts, server->config,
			strcmp(server->kind, "odoo") == 0 ? "http_port" : "listen");
	if (has_config)
		store = value_in(facts, server->config,
			strcmp(server->kind, "odoo") == 0 ? "data_dir" : "path");
	if (!port)
		port = strcmp(server->kind, "odoo") == 0 ? 8069 : 8000;
	if (!unit && *get(listener, "unit"))
		unit = get(listener, "unit");
	if (store && (*store != '/' || !str_utf8_valid(store, strlen(store))))
		free(TAKE(store));
	add(facts, json_pack("{s:s, s:s?, s:s?, s:s?, s:i}", "kind", server->kind, "unit", unit,
			   "config", has_config ? server->config : NULL, "store", store, "port",
			   (int)port));
}

void look_crms(json_t *facts)
{
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++)
		look_for_server(facts, &servers[i]);
	look_for_files(facts);
}
