/* SPDX-License-Identifier: MIT */
/* What a first configuration is made of: files of web servers, facts, the plan, its text. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "base/str.h"
#include "init/plan.h"
#include "init/webconf.h"

/* ---- files of web servers ------------------------------------------------------------------- */

static void check_sites(
	void (*parse)(const char *text, json_t *sites), const char *text, const char *wanted)
{
	auto_json json_t *sites = json_array(), *want = json_loads(wanted, 0, NULL);
	auto_free char *got = NULL;
	size_t i;
	json_t *site, *w;

	assert_non_null(want);
	parse(text, sites);
	got = json_dumps(sites, 0);
	if (json_array_size(sites) != json_array_size(want))
		fail_msg("%s", got);
	json_array_foreach (want, i, w) {
		const char *key;
		json_t *value;

		site = json_array_get(sites, i);
		json_object_foreach (w, key, value)
			if (!json_equal(json_object_get(site, key), value))
				fail_msg("%s: %s", key, got);
	}
}

static void test_nginx(void **state)
{
	check_sites(webconf_nginx,
		"# server { listen 1; }\nhttp { server { listen 80 default_server; server_name _;\n"
		"root /var/www/html; location / { try_files $uri =404; } } }\n"
		"server {\n\tlisten [::]:443 ssl http2;\n\tlisten 443 ssl;\n"
		"\tserver_name crm.example www.crm.example;\n\tssl_certificate \"/etc/a b.pem\";\n"
		"\tlocation /api { proxy_pass http://127.0.0.1:8000; }\n}\n",
		"[{\"name\": null, \"port\": 80, \"tls\": false, \"root\": \"/var/www/html\"},"
		"{\"name\": \"crm.example\", \"port\": 443, \"tls\": true, \"certificate\": "
		"\"/etc/a b.pem\", \"proxy\": \"http://127.0.0.1:8000\"}]");
	check_sites(webconf_nginx, "server { listen unix:/run/a.sock; }",
		"[{\"port\": 80, \"name\": null}]");
	/* Cut short, closed too often, quotes left open: no site, no crash. */
	check_sites(webconf_nginx, "server { listen 80;", "[]");
	check_sites(webconf_nginx, "}}} server", "[]");
	check_sites(webconf_nginx, "server { root \"/a", "[]");
	/* A variable is no path. */
	check_sites(webconf_nginx, "server { root $here; }", "[{\"root\": null}]");
}

static void test_apache(void **state)
{
	check_sites(webconf_apache,
		"<VirtualHost *:443>\n  # ServerName no.example\n  ServerName crm.example\n"
		"  DocumentRoot \"/var/www/crm\"\n  SSLEngine on\n"
		"  SSLCertificateFile /etc/ssl/crm.pem\n  ProxyPass /api http://127.0.0.1:8000/\n"
		"</VirtualHost>\n<virtualhost _default_>\n</virtualhost>\nServerName global\n",
		"[{\"server\": \"apache\", \"name\": \"crm.example\", \"port\": 443, \"tls\": true,"
		"\"root\": \"/var/www/crm\", \"certificate\": \"/etc/ssl/crm.pem\","
		"\"proxy\": \"http://127.0.0.1:8000/\"}, {\"port\": 80, \"name\": null}]");
	check_sites(webconf_apache, "<VirtualHost *:80>\nServerName a\n", "[]");
	check_sites(webconf_apache, "</VirtualHost>", "[]");
}

static void test_sites_are_bounded(void **state)
{
	auto_json json_t *sites = json_array();

	for (int i = 0; i < WEBCONF_MAX_SITES + 5; i++)
		webconf_nginx("server { listen 80; }", sites);
	assert_int_equal(json_array_size(sites), WEBCONF_MAX_SITES);
}

/* ---- the plan ------------------------------------------------------------------------------- */

static const char facts_text[] =
	"{\"host\": \"One\", \"root\": true, \"units\": ["
	"{\"name\": \"postgresql@15-main.service\", \"description\": \"\", \"state\": \"active\"},"
	"{\"name\": \"tryton-server.service\", \"description\": \"\", \"state\": \"active\"},"
	"{\"name\": \"redis-server.service\", \"description\": \"\", \"state\": \"failed\"},"
	"{\"name\": \"nginx.service\", \"description\": \"\", \"state\": \"active\"}],"
	"\"timers\": [{\"name\": \"back[up].timer\", \"unit\": \"backup.service\"}],"
	"\"listeners\": ["
	"{\"port\": 5433, \"address\": \"127.0.0.1\", \"process\": \"postgres\","
	" \"unit\": \"postgresql@15-main.service\"}],"
	"\"open\": [{\"port\": 22, \"protocol\": \"tcp\", \"address\": \"0.0.0.0\"},"
	"{\"port\": 5433, \"protocol\": \"tcp\", \"address\": \"127.0.0.1\"}],"
	"\"sites\": [{\"server\": \"nginx\", \"name\": \"crm.example\", \"port\": 443,"
	" \"tls\": true, \"certificate\": null, \"root\": null, \"proxy\": null}],"
	"\"crms\": [{\"kind\": \"tryton\", \"unit\": \"tryton-server.service\", \"config\": null,"
	" \"port\": 8000}],"
	"\"certificates\": [\"/etc/a.pem\"], \"sockets\": [], \"unseen\": [\"a\\nzzz\"]}";

static char *text_of(const char *facts_json)
{
	auto_json json_t *facts = json_loads(facts_json, 0, NULL), *plan;
	char *text;

	assert_non_null(facts);
	plan = plan_make(facts);
	assert_non_null(plan);
	text = plan_text(facts, plan, "today");
	json_decref(TAKE(plan));
	assert_non_null(text);
	return text;
}

static void assert_has(const char *text, const char *wanted)
{
	if (!strstr(text, wanted))
		fail_msg("'%s' is not in:\n%s", wanted, text);
}

static void assert_has_not(const char *text, const char *unwanted)
{
	if (strstr(text, unwanted))
		fail_msg("'%s' is in:\n%s", unwanted, text);
}

static void test_plan(void **state)
{
	auto_free char *text = text_of(facts_text);

	assert_has(text, "[system tryton]\n");
	assert_has(text, "[component tryton/postgres]\nkind = database\n");
	assert_has(text, "unit = postgresql@15-main.service\n");
	assert_has(text, "host = 127.0.0.1\nport = 5433\n");
	assert_has(text, "[component tryton/tryton]\nkind = app\n");
	assert_has(text, "depends = postgres\n");
	assert_has(text, "url = http://127.0.0.1:8000/\n");
	assert_has(text, "common.server.version");
	assert_has(text, "[component tryton/nginx]\n");
	assert_has(text, "url = https://crm.example:443/\n");
	assert_has(text, "port.tcp-22 = 22/tcp\n");
	assert_has(text, "paths = /etc/a.pem\n");
	assert_has(text, "[check tryton/jobs/back-up-timer]\n");
	/* What needs a secret is there, as a comment. */
	assert_has(text, "\n#password = file:/etc/tend/secrets/db-read\n");
	/* A loopback port is open to nobody; a failed unit is no cache. */
	assert_has_not(text, "5433/tcp");
	assert_has_not(text, "[component tryton/redis]");
	assert_has(text, "# Not found: MariaDB or MySQL, Redis, Apache, Postfix.");
	/* Foreign text stays in its comment. */
	assert_has_not(text, "\nzzz");
}

static void test_an_empty_machine(void **state)
{
	auto_free char *text = text_of("{\"host\": \"\\u00fc\", \"units\": [], \"crms\": []}");

	assert_has(text, "[system x]\n");
	assert_has(text, "No known CRM was found");
	assert_has(text, "[component x/host]\n");
}

static void test_php_crm(void **state)
{
	auto_free char *text = text_of(
		"{\"host\": \"a\", \"units\": [{\"name\": \"mariadb.service\", \"state\": "
		"\"active\"}, {\"name\": \"php8.2-fpm.service\", \"state\": \"active\"}],"
		"\"crms\": [{\"kind\": \"dolibarr\", \"root\": \"/var/www/d\", \"config\": "
		"\"/var/www/d/conf/conf.php\"}], \"sites\": [{\"server\": \"nginx\", \"name\": "
		"\"d.example\", \"port\": 80, \"root\": \"/var/www/d\"}]}");

	assert_has(text, "[component dolibarr/dolibarr]\n");
	assert_has(text, "unit = php8.2-fpm.service\ndepends = mysql\n");
	assert_has(text, "#url = http://d.example/api/index.php/status\n");
	assert_has(text, "path = /var/www/d/conf/conf.php\ncritical.size = 1:\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nginx),
		cmocka_unit_test(test_apache),
		cmocka_unit_test(test_sites_are_bounded),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_an_empty_machine),
		cmocka_unit_test(test_php_crm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
