/* SPDX-License-Identifier: MIT */
/* What each known CRM shows of its health without a log-in, and what could be seen with one. */
#include <string.h>
#include "base/str.h"
#include "init/plan.h"

static json_t *check_url(json_t *app, const char *name, const char *doc, const char *url)
{
	json_t *check = plan_check(app, name, "http", "30s", doc);

	plan_option(check, "url", "%s", url);
	plan_option(check, "confirm", "2 of 3");
	return check;
}

/* ---- with a server of their own ------------------------------------------------------------- */

static void check_files(json_t *app, const json_t *crm)
{
	const char *config = plan_get(crm, "config"), *store = plan_get(crm, "store");
	json_t *check;

	if (*config) {
		check = plan_check(app, "configuration", "file", "60s",
			"Its configuration is there, and not empty.");
		plan_option(check, "path", "%s", config);
		plan_option(check, "critical.size", "1:");
	}
	if (*store) {
		check = plan_check(app, "attachments", "file", "60s",
			"The files that users have attached: none of them is lost.");
		plan_option(check, "path", "%s", store);
		plan_option(check, "type", "folder");
		plan_option(check, "recurse", "yes");
		plan_option(check, "min_files", "1");
		plan_option(check, "drop_pct", "50");
	}
}

static void check_tryton_login(json_t *app, int port)
{
	char url[128];
	json_t *check;

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/DATABASE/", port);
	check = check_url(app, "login",
		"A log-in, through to the database. In the file: {\"id\": 1, \"method\": "
		"\"common.db.login\", \"params\": [USER, {\"password\": PASSWORD}]}.",
		url);
	plan_option(check, "method", "POST");
	plan_option(check, "header.Content-Type", "application/json");
	plan_option(check, "body_secret", "file:/etc/tend/secrets/login.json");
	plan_option(check, "expect_json./result/0", "*");
	plan_off(check, "it needs the name of the database, and a user of the CRM");
	check = plan_check(app, "flow", "flow", "5m",
		"What a user does: log in, find a party, make one, take it away.");
	plan_option(check, "file", "tryton");
	plan_option(check, "timeout", "30s");
	plan_option(check, "param.url", "http://127.0.0.1:%d", port);
	plan_option(check, "param.database", "DATABASE");
	plan_option(check, "param.user", "monitor");
	plan_option(check, "secret.password", "file:/etc/tend/secrets/crm-monitor");
	plan_off(check, "it needs the name of the database, and a user of the CRM");
}

static const char no_role[] = "it needs the [database] of postgres, with a role that reads";

/* By tend_sql(), with the role of [database]. */
static json_t *check_data(const struct plan *plan, json_t *app, const char *name, const char *probe,
	const char *interval, const char *doc)
{
	json_t *check = plan_check(app, name, probe, interval, doc);

	plan_option(check, "database", "%s/postgres", plan_get(plan->doc, "system"));
	plan_off(check, no_role);
	return check;
}

static void check_tryton_data(const struct plan *plan, json_t *app, json_t *database)
{
	json_t *check = check_data(plan, app, "scheduled", "scheduler", "60s",
		"Its scheduled jobs run when they are due.");

	plan_option(check, "rule", "tryton");
	check = check_data(plan, app, "queued", "queue", "60s", "What is queued is worked off.");
	plan_option(check, "rule", "tryton");
	plan_option(check, "max_age", "15m");
	check = check_data(plan, app, "records", "quality", "1h",
		"Addresses that two parties share, contacts of no party.");
	plan_option(check, "duplicates.mail",
		"party_contact_mechanism value where type = 'email' and active");
	plan_option(check, "orphans.contact", "party_contact_mechanism party -> party_party id");
	/* A table that is gone is the database's fault, not the server's. */
	check = check_data(plan, database, "tables", "rows", "5m",
		"The CRM's tables and their rows: what is lost, or changed by an upgrade, by "
		"name.");
	plan_option(check, "uncounted",
		"ir_session*, ir_queue*, ir_cache*, ir_cron_log, "
		"res_user_login_attempt");
}

static void plan_tryton(struct plan *plan, json_t *app, const json_t *crm)
{
	int port = (int)json_integer_value(json_object_get(crm, "port"));
	const char *cron = plan_unit(plan, "*tryton*cron*.service");
	json_t *database = plan_find(plan, "postgres");
	char url[128];
	json_t *check;

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port);
	check = check_url(app, "rpc", "The server answers a call; this one needs no log-in.", url);
	plan_option(check, "method", "POST");
	plan_option(check, "header.Content-Type", "application/json");
	plan_option(check, "body",
		"{\"id\": 1, \"method\": \"common.server.version\", \"params\": []}");
	plan_option(check, "expect_json./result", "*");
	plan_option(check, "warning.total_seconds", "2");
	check_files(app, crm);
	if (cron) {
		check = plan_check(app, "cron", "unit", "60s", "The unit that runs its jobs.");
		plan_option(check, "unit", "%s", cron);
		plan_option(check, "confirm", "1 of 1");
	} else {
		plan_note(app, "No unit that runs trytond-cron was found: are its jobs run?");
	}
	check_tryton_login(app, port);
	if (database)
		check_tryton_data(plan, app, database);
}

static void plan_odoo(struct plan *plan, json_t *app, const json_t *crm)
{
	char url[128];

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/web/health",
		(int)json_integer_value(json_object_get(crm, "port")));
	(void)check_url(app, "health", "The server's own word on its health.", url);
	check_files(app, crm);
}

/* ---- in PHP: the web server runs them ------------------------------------------------------- */

struct php_crm {
	const char *kind, *probe_path, *what;
};

static const struct php_crm php_crms[] = {
	{"dolibarr", "/api/index.php/status",
		"Its status, version and lock; needs header_secret.DOLAPIKEY."},
	{"espocrm", "/api/v1/App/user",
		"A log-in: the page alone answers 200 with its database dead; needs auth = basic."},
	{"suitecrm", "/service/v4_1/rest.php", "get_server_info and log-in; needs a user."},
	{"vtiger", "/webservice.php?operation=getchallenge&username=USER",
		"A challenge for a log-in; needs the name of a user."},
	{"civicrm", "/civicrm/ajax/rest", "System.check by the API; needs a key."},
};

static const json_t *site_of(const struct plan *plan, const char *root)
{
	size_t i;
	json_t *site;

	json_array_foreach (json_object_get(plan->facts, "sites"), i, site)
		if (*plan_get(site, "root") && *root &&
			(str_startswith(plan_get(site, "root"), root) ||
				str_startswith(root, plan_get(site, "root"))))
			return site;
	return NULL;
}

static void check_php_api(
	const struct plan *plan, json_t *app, const json_t *crm, const struct php_crm *php)
{
	const json_t *site = site_of(plan, plan_get(crm, "root"));
	const char *name = plan_get(site, "name");
	bool tls = json_is_true(json_object_get(site, "tls"));
	char url[512];
	json_t *check;

	(void)snprintf(url, sizeof(url), "%s://%.200s%s", tls ? "https" : "http",
		*name ? name : "127.0.0.1", php->probe_path);
	check = check_url(app, "api", php->what, url);
	plan_off(check, "it needs a user or a key of the CRM");
}

static const char *php_unit(const struct plan *plan)
{
	return plan_unit(plan, "php*-fpm.service");
}

static void plan_php(struct plan *plan, json_t *app, const json_t *crm)
{
	for (size_t i = 0; i < sizeof(php_crms) / sizeof(php_crms[0]); i++)
		if (strcmp(php_crms[i].kind, plan_get(crm, "kind")) == 0)
			check_php_api(plan, app, crm, &php_crms[i]);
	check_files(app, crm);
	plan_note(app, "Its files: %s", plan_get(crm, "root"));
}

/* ---- all ------------------------------------------------------------------------------------ */

static void plan_one(struct plan *plan, const json_t *crm)
{
	const char *kind = plan_get(crm, "kind"), *unit = plan_get(crm, "unit");
	bool served = strcmp(kind, "tryton") == 0 || strcmp(kind, "odoo") == 0;
	const char *databases[] = {served ? "postgres" : "mysql", served ? NULL : "postgres"};
	json_t *app, *check;

	if (!*unit)
		unit = served ? NULL : php_unit(plan);
	app = plan_component(plan, kind, "app", unit, "The CRM.");
	if (unit) {
		check = plan_check(
			app, "unit", "unit", "60s", "Its systemd unit; a change is seen at once.");
		plan_option(check, "unit", "%s", unit);
		plan_option(check, "confirm", "1 of 1");
	}
	for (size_t i = 0; i < 2; i++)
		if (databases[i] && plan_find(plan, databases[i])) {
			plan_depends(app, databases[i]);
			break;
		}
	if (plan_find(plan, "redis"))
		plan_depends(app, "redis");
	if (strcmp(kind, "tryton") == 0)
		plan_tryton(plan, app, crm);
	else if (strcmp(kind, "odoo") == 0)
		plan_odoo(plan, app, crm);
	else
		plan_php(plan, app, crm);
}

void plan_crms(struct plan *plan)
{
	size_t i;
	json_t *crm;

	json_array_foreach (json_object_get(plan->facts, "crms"), i, crm)
		plan_one(plan, crm);
}
