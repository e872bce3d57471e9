/* SPDX-License-Identifier: MIT */
#include "init/plan.h"
#include <stdarg.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/str.h"

enum { MAX_TIMERS = 40, MAX_SITES = 16 };

const char *plan_get(const json_t *doc, const char *key)
{
	const char *text = json_string_value(json_object_get(doc, key));

	return text ? text : "";
}

/* ---- pieces --------------------------------------------------------------------------------- */

/* What a section's name may hold; nothing else of foreign text gets there. */
static void make_name(char *dst, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 1 < size; text++)
		if ((*text >= 'a' && *text <= 'z') || (*text >= '0' && *text <= '9'))
			dst[n++] = *text;
		else if (*text >= 'A' && *text <= 'Z')
			dst[n++] = (char)(*text - 'A' + 'a');
		else if (n && dst[n - 1] != '-')
			dst[n++] = '-';
	while (n && dst[n - 1] == '-')
		n--;
	dst[n] = '\0';
	if (n == 0)
		(void)snprintf(dst, size, "x");
}

json_t *plan_find(const struct plan *plan, const char *name)
{
	size_t i;
	json_t *component;

	json_array_foreach (json_object_get(plan->doc, "components"), i, component)
		if (strcmp(plan_get(component, "name"), name) == 0)
			return component;
	return NULL;
}

json_t *plan_component(
	struct plan *plan, const char *name, const char *kind, const char *unit, const char *doc)
{
	json_t *component = plan_find(plan, name);

	if (component)
		return component;
	component = json_pack("{s:s, s:s, s:s?, s:s, s:[], s:[], s:[]}", "name", name, "kind", kind,
		"unit", unit, "doc", doc, "depends", "checks", "notes");
	(void)json_array_append_new(json_object_get(plan->doc, "components"), component);
	return component;
}

void plan_depends(json_t *component, const char *on)
{
	(void)json_array_append_new(json_object_get(component, "depends"), json_string(on));
}

static bool has_check(const json_t *component, const char *name)
{
	size_t i;
	json_t *check;

	json_array_foreach (json_object_get(component, "checks"), i, check)
		if (strcmp(plan_get(check, "name"), name) == 0)
			return true;
	return false;
}

json_t *plan_check(json_t *component, const char *name, const char *probe, const char *interval,
	const char *doc)
{
	char plain[48], unique[64];
	json_t *check;

	make_name(plain, sizeof(plain), name);
	(void)snprintf(unique, sizeof(unique), "%s", plain);
	for (int i = 2; has_check(component, unique); i++)
		(void)snprintf(unique, sizeof(unique), "%s-%d", plain, i);
	check = json_pack("{s:s, s:s, s:s, s:[], s:n}", "name", unique, "probe", probe, "doc", doc,
		"options", "off");
	(void)json_array_append_new(json_object_get(component, "checks"), check);
	plan_option(check, "interval", "%s", interval);
	return check;
}

void plan_option(json_t *check, const char *key, const char *format, ...)
{
	char raw[1024], clean[1024];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	str_sanitize(clean, sizeof(clean), raw, strlen(raw));
	(void)json_array_append_new(
		json_object_get(check, "options"), json_pack("[s, s]", key, clean));
}

void plan_off(json_t *check, const char *why)
{
	(void)json_object_set_new(check, "off", json_string(why));
}

bool plan_drop_thresholds(json_t *check)
{
	bool any = false;
	size_t i;
	json_t *option;

	json_array_foreach (json_object_get(check, "options"), i, option) {
		const char *key = json_string_value(json_array_get(option, 0));

		if (json_array_size(option) > 2 ||
			(!str_startswith(key, "warning.") && !str_startswith(key, "critical.")))
			continue;
		(void)json_array_append_new(option, json_string("off"));
		any = true;
	}
	return any;
}

void plan_note(json_t *at, const char *format, ...)
{
	char raw[1024], clean[1024];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	str_sanitize(clean, sizeof(clean), raw, strlen(raw));
	(void)json_array_append_new(json_object_get(at, "notes"), json_string(clean));
}

const char *plan_unit(const struct plan *plan, const char *pattern)
{
	size_t i;
	json_t *unit;

	json_array_foreach (json_object_get(plan->facts, "units"), i, unit)
		if (str_glob(pattern, plan_get(unit, "name")) &&
			strcmp(plan_get(unit, "state"), "active") == 0)
			return plan_get(unit, "name");
	return NULL;
}

const json_t *plan_listener(
	const struct plan *plan, const char *process, const char *unit, int port)
{
	size_t i;
	json_t *row;

	json_array_foreach (json_object_get(plan->facts, "listeners"), i, row)
		if ((process && str_glob(process, plan_get(row, "process"))) ||
			(unit && strcmp(plan_get(row, "unit"), unit) == 0) ||
			(port && json_integer_value(json_object_get(row, "port")) == port))
			return row;
	return NULL;
}

static void check_unit(json_t *component, const char *unit)
{
	json_t *check;

	if (!unit)
		return;
	check = plan_check(
		component, "unit", "unit", "60s", "Its systemd unit; a change is seen at once.");
	plan_option(check, "unit", "%s", unit);
	plan_option(check, "confirm", "1 of 1");
}

/* Where a client on this host reaches it. */
static const char *reach(const json_t *listener)
{
	const char *address = plan_get(listener, "address");

	if (!*address || strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0)
		return "127.0.0.1";
	return address;
}

static int port_of(const json_t *listener, int otherwise)
{
	int port = (int)json_integer_value(json_object_get(listener, "port"));

	return port ? port : otherwise;
}

/* ---- the machine ---------------------------------------------------------------------------- */

static bool is_loopback(const char *address)
{
	return str_startswith(address, "127.") || strcmp(address, "::1") == 0;
}

static void check_ports(struct plan *plan, json_t *component)
{
	json_t *check = plan_check(component, "ports", "ports", "5m",
		"The ports that were open to others today: another one is told.");
	size_t i;
	json_t *row;

	json_array_foreach (json_object_get(plan->facts, "open"), i, row) {
		int port = (int)json_integer_value(json_object_get(row, "port"));
		const char *protocol = plan_get(row, "protocol");
		char key[64];

		if (is_loopback(plan_get(row, "address")))
			continue;
		(void)snprintf(key, sizeof(key), "port.%.8s-%d", protocol, port);
		plan_option(check, key, "%d/%s", port, protocol);
	}
}

static void plan_host(struct plan *plan)
{
	json_t *component =
		plan_component(plan, "host", "host", NULL, "The machine that all of it runs on.");
	json_t *check = plan_check(component, "machine", "host", "60s",
		"CPU, memory, load, disks. More thresholds: tendctl probe show host.");

	plan_option(check, "confirm", "3 of 3");
	plan_option(check, "warning.fs_used_pct", "90");
	plan_option(check, "critical.fs_used_pct", "97");
	plan_option(check, "critical.fs_inodes_pct", "95");
	plan_option(check, "warning.memory_used_pct", "95");
	check_ports(plan, component);
}

/* ---- data ----------------------------------------------------------------------------------- */

static void check_postgres_login(json_t *component, const char *host, int port)
{
	json_t *check = plan_check(component, "login", "postgres", "30s",
		"Logs in and asks. For it: create role tend_read login; grant pg_monitor to it.");

	plan_option(check, "hostaddr", "%s", host);
	plan_option(check, "port", "%d", port);
	plan_option(check, "dbname", "postgres");
	plan_option(check, "user", "tend_read");
	plan_option(check, "password", "file:/etc/tend/secrets/db-read");
	plan_option(check, "query", "select 1 as one");
	plan_off(check, "it needs a role and its password in a file");
}

/* What the probes sql, rows, queue and their like ask. */
static void plan_database(json_t *component, const char *host, int port)
{
	json_t *rows = json_pack("[[s, s], [s, s], [s, o], [s, s], [s, s], [s, s]]", "service",
		"postgres", "hostaddr", host, "port", json_sprintf("%d", port), "dbname",
		"DATABASE", "user", "tend_read", "password", "file:/etc/tend/secrets/db-read");

	(void)json_object_set_new(component, "database", rows);
}

static void plan_postgres(struct plan *plan)
{
	const char *unit = plan_unit(plan, "postgresql@*.service");
	const json_t *listener = plan_listener(plan, "postgres", unit, 0);
	const char *socket =
		json_string_value(json_array_get(json_object_get(plan->facts, "sockets"), 0));
	json_t *component, *check;

	if (!unit && !listener && !socket)
		return;
	if (!unit && *plan_get(listener, "unit"))
		unit = plan_get(listener, "unit");
	component = plan_component(plan, "postgres", "database", unit, "PostgreSQL.");
	check_unit(component, unit);
	check = plan_check(component, "connect", "tcp", "30s",
		"It takes connections: this alone needs no role.");
	if (listener || !socket) {
		plan_option(check, "host", "%s", reach(listener));
		plan_option(check, "port", "%d", port_of(listener, 5432));
	} else {
		plan_option(check, "host", "%s", socket);
	}
	check_postgres_login(component, reach(listener), port_of(listener, 5432));
	plan_database(component, reach(listener), port_of(listener, 5432));
}

static void plan_mysql(struct plan *plan)
{
	const char *unit = plan_unit(plan, "mariadb*.service");
	const json_t *listener;
	json_t *component, *check;

	if (!unit)
		unit = plan_unit(plan, "mysql*.service");
	listener = plan_listener(plan, "m*d", unit, 3306);
	if (!unit && port_of(listener, 0) != 3306)
		return;
	component = plan_component(plan, "mysql", "database", unit, "MariaDB or MySQL.");
	check_unit(component, unit);
	check = plan_check(component, "login", "mysql", "30s",
		"Logs in and looks at its state. For it: create user tend_read; grant process, "
		"slave monitor on *.* to it (MySQL: process, replication client).");
	plan_option(check, "host", "%s", reach(listener));
	plan_option(check, "user", "tend_read");
	plan_option(check, "password", "file:/etc/tend/secrets/mysql-read");
	plan_off(check, "it needs a user and its password in a file");
	plan_note(component,
		"Not by tcp: the server counts connections without a log-in and shuts out hosts "
		"that make many.");
}

static void plan_redis(struct plan *plan)
{
	const char *unit = plan_unit(plan, "redis-server*.service");
	const json_t *listener = plan_listener(plan, "redis-server", unit, 6379);
	json_t *component, *check;

	if (!unit && !listener)
		return;
	component = plan_component(plan, "redis", "cache", unit, "Redis.");
	check_unit(component, unit);
	check = plan_check(component, "state", "redis", "30s",
		"Refused writes (memory, persistence, replicas), clients, how long it takes to "
		"answer. Where maxmemory is set and nothing is evicted: warning.memory_pct = 90. "
		"With a password: password = file:/etc/tend/secrets/redis.");
	plan_option(check, "host", "%s", reach(listener));
	plan_option(check, "port", "%d", port_of(listener, 6379));
	plan_option(check, "warning.clients_pct", "80");
	plan_option(check, "critical.clients_pct", "95");
	plan_option(check, "warning.answer_seconds", "0.5");
}

/* ---- web and mail --------------------------------------------------------------------------- */

static void check_site(json_t *component, const json_t *site)
{
	const char *name = plan_get(site, "name");
	bool tls = json_is_true(json_object_get(site, "tls"));
	int port = port_of(site, tls ? 443 : 80);
	json_t *check = plan_check(component,
		*name ? name
		: tls ? "https"
		      : "http",
		"http", "30s", "The site answers.");

	plan_option(check, "url", "%s://%s:%d/", tls ? "https" : "http",
		tls && *name ? name : "127.0.0.1", port);
	if (!tls && *name)
		plan_option(check, "header.Host", "%s", name);
	plan_option(check, "expect_status", "200-399, 401, 403");
	plan_option(check, "confirm", "2 of 3");
	plan_option(check, "warning.total_seconds", "2");
	if (!tls)
		return;
	check = plan_check(component, "tls", "tls", "1h",
		"Certificate, chain, protocol; warns three weeks before it ends.");
	plan_option(check, "host", "127.0.0.1");
	plan_option(check, "port", "%d", port);
	if (*name)
		plan_option(check, "tls_name", "%s", name);
}

static void plan_sites(struct plan *plan, json_t *component, const char *server)
{
	size_t i, n = 0;
	json_t *site;

	json_array_foreach (json_object_get(plan->facts, "sites"), i, site) {
		if (strcmp(plan_get(site, "server"), server) != 0)
			continue;
		if (n++ < MAX_SITES)
			check_site(component, site);
	}
	if (n > MAX_SITES)
		plan_note(component, "Of its %zu sites, %d have checks.", n, MAX_SITES);
	if (n == 0)
		plan_note(component, "No site of it could be read from its files.");
}

static void plan_web_server(
	struct plan *plan, const char *server, const char *pattern, const char *process)
{
	const char *unit = plan_unit(plan, pattern);
	json_t *component;

	if (!unit && !plan_listener(plan, process, NULL, 0))
		return;
	component = plan_component(
		plan, server, "web", unit, strcmp(server, "nginx") == 0 ? "nginx." : "Apache.");
	check_unit(component, unit);
	plan_sites(plan, component, server);
}

static void plan_certificates(struct plan *plan)
{
	json_t *list = json_object_get(plan->facts, "certificates"), *component, *check, *path;
	char paths[900] = "";
	size_t i;

	if (json_array_size(list) == 0)
		return;
	json_array_foreach (list, i, path) {
		size_t len = strlen(paths);

		(void)snprintf(paths + len, sizeof(paths) - len, "%s%s", len ? ", " : "",
			json_string_value(path));
	}
	component = plan_component(plan, "certificates", "web", NULL, "Certificate files.");
	check = plan_check(component, "files", "certfile", "12h", "None of them ends soon.");
	plan_option(check, "paths", "%s", paths);
}

static void plan_mail(struct plan *plan)
{
	const char *unit = plan_unit(plan, "postfix@*.service");
	const json_t *listener = plan_listener(plan, NULL, NULL, 25);
	json_t *component, *check;

	if (!unit)
		unit = plan_unit(plan, "postfix.service");
	if (!unit)
		return;
	component = plan_component(plan, "mail", "mail", unit, "Postfix.");
	check_unit(component, unit);
	if (!listener)
		return;
	check = plan_check(component, "greeting", "tcp", "5m", "It greets as SMTP does.");
	plan_option(check, "host", "%s", reach(listener));
	plan_option(check, "port", "25");
	plan_option(check, "expect", "^220 ");
	plan_option(check, "quit", "QUIT\\r\\n");
}

/* ---- jobs ----------------------------------------------------------------------------------- */

static void plan_timers(struct plan *plan)
{
	json_t *list = json_object_get(plan->facts, "timers"), *component, *timer;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	component = plan_component(plan, "jobs", "scheduler", NULL, "What systemd's timers start.");
	json_array_foreach (list, i, timer) {
		const char *name = plan_get(timer, "name");
		json_t *check;

		if (i >= MAX_TIMERS)
			break;
		check = plan_check(component, name, "timer", "5m", "It ran when it was due.");
		plan_option(check, "timer", "%s", name);
	}
	if (json_array_size(list) > MAX_TIMERS)
		plan_note(component, "Of %zu timers, %d have checks.", json_array_size(list),
			MAX_TIMERS);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void name_system(struct plan *plan)
{
	const json_t *crms = json_object_get(plan->facts, "crms");
	char name[48];

	make_name(name, sizeof(name),
		json_array_size(crms) == 1 ? plan_get(json_array_get(crms, 0), "kind")
					   : plan_get(plan->facts, "host"));
	(void)json_object_set_new(plan->doc, "system", json_string(name));
}

static void note_absent(struct plan *plan)
{
	static const struct {
		const char *component, *what;
	} rows[] = {
		{"postgres", "PostgreSQL"},
		{"mysql", "MariaDB or MySQL"},
		{"redis", "Redis"},
		{"nginx", "nginx"},
		{"apache", "Apache"},
		{"mail", "Postfix"},
		{"certificates", "certificate files that everybody may read"},
		{"jobs", "timers"},
	};
	auto_str struct str absent = STR_INIT(1024);

	for (size_t k = 0; k < ARRAY_SIZE(rows); k++)
		if (!plan_find(plan, rows[k].component))
			(void)str_appendf(&absent, "%s%s", absent.len ? ", " : "", rows[k].what);
	if (absent.len)
		plan_note(plan->doc, "Not found: %s.", str_get(&absent));
	if (json_array_size(json_object_get(plan->facts, "crms")) == 0)
		plan_note(plan->doc, "No known CRM was found (Tryton, Odoo, Dolibarr, EspoCRM, "
				     "SuiteCRM, vtiger, CiviCRM).");
}

json_t *plan_make(const json_t *facts)
{
	struct plan plan = {
		.facts = facts, .doc = json_pack("{s:[], s:[]}", "components", "notes")};

	if (!plan.doc)
		return NULL;
	name_system(&plan);
	plan_host(&plan);
	plan_postgres(&plan);
	plan_mysql(&plan);
	plan_redis(&plan);
	plan_crms(&plan);
	plan_web_server(&plan, "nginx", "nginx.service", "nginx");
	plan_web_server(&plan, "apache", "apache2.service", "apache2");
	plan_certificates(&plan);
	plan_mail(&plan);
	plan_timers(&plan);
	note_absent(&plan);
	return plan.doc;
}
