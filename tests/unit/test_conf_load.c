/* SPDX-License-Identifier: MIT */
/* Whole configurations: conf.d, what points at what, what is the same after a reload. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <cmocka.h>
#include "conf/conf.h"

static char dir[] = "/tmp/tend-test-conf-XXXXXX";

static char *path_of(const char *name)
{
	return str_printf("%s/%s", dir, name);
}

static void put(const char *name, const char *text)
{
	auto_free char *path = path_of(name);
	auto_file FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
}

static void drop(const char *name)
{
	auto_free char *path = path_of(name);

	(void)remove(path);
}

static int make_dir(void **state)
{
	auto_free char *folder = NULL;

	if (!mkdtemp(dir))
		return -1;
	folder = path_of("conf.d");
	return mkdir(folder, 0755);
}

static int remove_dir(void **state)
{
	drop("tend.conf");
	drop("conf.d");
	return remove(dir);
}

static struct conf *load(const char *text)
{
	auto_free char *path = path_of("tend.conf");
	struct conf_errors errors = {0};
	struct conf *conf = NULL;

	put("tend.conf", text);
	if (conf_load(path, FIXTURE_PLUGINS, &errors, &conf) < 0)
		conf_errors_print(&errors, stderr);
	conf_errors_clear(&errors);
	return conf;
}

#define TREE                                                                                       \
	"[system crm]\nenvironment = pilot\n[component crm/db]\nkind = database\n"                 \
	"[component crm/web]\nkind = web\ndepends = db\n[component crm/cron]\ndepends = crm/db, "  \
	"web\n"

static void test_tree(void **state)
{
	auto(conf_unref) struct conf *conf =
		load(TREE "[database crm/db]\nservice = echo\nsay = r\nadmin.say = w\n"
			  "[check crm/web/login]\nprobe = echo\nconfirm = 3 of 5\ninterval = 4s\n"
			  "[check crm/web/page]\nprobe = echo\nseverity = warning\n"
			  "[receiver spare]\ntype = snmp\nversion = 2c\nhost = "
			  "127.0.0.1\ncommunity = cred:c\n");
	assert_null(conf); /* the credential is not there */

	conf = load(TREE "[database crm/db]\nservice = echo\nsay = r\nadmin.say = w\n"
			 "[check crm/web/login]\nprobe = echo\nconfirm = 3 of 5\ninterval = 4s\n"
			 "[check crm/web/page]\nprobe = echo\nseverity = warning\n");
	assert_non_null(conf);
	const struct conf_system *crm = map_get(&conf->systems, "crm");
	const struct conf_component *db = map_get(&conf->components, "crm/db");
	const struct conf_component *web = map_get(&conf->components, "crm/web");
	const struct conf_component *cron = map_get(&conf->components, "crm/cron");
	const struct conf_check *login = map_get(&conf->checks, "crm/web/login");
	const struct conf_check *page = map_get(&conf->checks, "crm/web/page");

	assert_int_equal(crm->environment, ENVIRONMENT_PILOT);
	assert_int_equal(crm->components.len, 3);
	assert_string_equal(conf_component_kinds[db->kind], "database");
	assert_ptr_equal(web->system, crm);
	assert_string_equal(web->short_name, "web");
	assert_ptr_equal(web->parents.items[0], db);
	assert_int_equal(db->children.len, 2);
	assert_ptr_equal(db->children.items[0], web);
	assert_ptr_equal(cron->parents.items[1], web);
	assert_ptr_equal(db->database->component, db);
	assert_non_null(db->database->query_conf);
	assert_non_null(db->database->admin_conf);
	assert_null(web->database);
	assert_ptr_equal(login->component, web);
	assert_ptr_equal(web->checks.items[1], page);
	assert_string_equal(login->short_name, "login");
	assert_int_equal(login->confirm_failures, 3);
	assert_int_equal(login->confirm_window, 5);
	assert_int_equal(login->interval, 4 * USEC_PER_SEC);
	assert_int_equal(login->timeout, 4 * USEC_PER_SEC); /* 10s, but never over the interval */
	assert_int_equal(login->severity, -1);
	assert_int_equal(page->severity, SEVERITY_WARNING);
	assert_int_equal(page->interval, 60 * USEC_PER_SEC);
	assert_int_equal(page->timeout, 10 * USEC_PER_SEC);
	assert_int_equal(page->confirm_failures, 2);
	assert_int_equal(page->confirm_window, 3);
	assert_int_equal(login->where.line, 14);
	assert_int_equal(conf->daemon.mode[ENVIRONMENT_PRODUCTION], MODE_SUGGEST);
	assert_int_equal(conf_log_level(&conf->daemon), LOG_INFO);
	assert_int_equal(conf->routes.len, 0);
}

static void test_references(void **state)
{
	struct conf *conf = load(TREE);

	assert_int_equal(conf->n_refs, 1);
	assert_ptr_equal(conf_ref(conf), conf);
	assert_null(conf_unref(conf));
	assert_int_equal(conf->n_refs, 1);
	assert_null(conf_unref(conf));
	assert_null(conf_unref(NULL));
}

static void test_same(void **state)
{
#define CHECK "[check crm/web/login]\nprobe = echo\nheader.A = 1\nheader.B = 2\nwarning.t = 5\n"
	static const struct {
		const char *text;
		bool same;
	} rows[] = {
		{TREE CHECK, true},
		{"# moved\n\n" TREE "[check crm/db/x]\nprobe = echo\n" CHECK, true},
		{TREE CHECK "interval = 60s\ncount = 1\n", true},
		{TREE "[check crm/web/login]\nwarning.t = 5\nheader.B = 2\nheader.A = 1\nprobe = "
		      "echo\n",
			true},
		{TREE CHECK "interval = 61s\n", false},
		{TREE CHECK "critical.t = 9\n", false},
		{TREE CHECK "confirm = 1 of 1\n", false},
		{TREE CHECK "notify = no\n", false},
		{TREE CHECK "count = 2\n", false},
		{TREE CHECK "text = else\n", false},
		{TREE CHECK "header.C = 2\n", false},
	};
	auto(conf_unref) struct conf *old = load(TREE CHECK);
	const struct conf_check *check = map_get(&old->checks, "crm/web/login");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto(conf_unref) struct conf *conf = load(rows[i].text);

		print_message("row %zu\n", i);
		assert_non_null(conf);
		assert_int_equal(conf_check_same(check, map_get(&conf->checks, "crm/web/login")),
			rows[i].same);
	}
}

static void test_conf_d(void **state)
{
	auto_free char *path = path_of("tend.conf");
	struct conf_errors errors = {0};
	struct conf *conf = NULL;
	auto_free char *expected = NULL;

	put("conf.d/20-checks.conf", "[check crm/web/login]\nprobe = echo\n");
	put("conf.d/10-more.conf", "[component crm/mail]\n");
	put("conf.d/ignored", "nonsense\n");
	put("conf.d/.hidden.conf", "nonsense\n");
	conf = load(TREE);
	assert_non_null(conf);
	assert_non_null(map_get(&conf->checks, "crm/web/login"));
	assert_int_equal(conf->files.len, 3);
	assert_true(str_endswith(conf->files.items[1], "/conf.d/10-more.conf"));
	conf_unref(conf);

	/* A section that is there already, in another file; every other error as well. */
	put("conf.d/10-more.conf", "[component crm/web]\n[component crm/mial]\ndepends = mail\n");
	assert_int_equal(conf_load(path, FIXTURE_PLUGINS, &errors, &conf), -EINVAL);
	assert_int_equal(errors.len, 2);
	expected = str_printf("[component crm/web] is there already, at %s/tend.conf:5", dir);
	assert_string_equal(errors.items[0].text, expected);
	assert_int_equal(errors.items[0].line, 1);
	assert_true(str_endswith(errors.items[0].file, "/conf.d/10-more.conf"));
	assert_int_equal(errors.items[1].line, 3);
	conf_errors_clear(&errors);
	drop("conf.d/20-checks.conf");
	drop("conf.d/10-more.conf");
	drop("conf.d/ignored");
	drop("conf.d/.hidden.conf");
}

static void test_unreadable(void **state)
{
	struct conf_errors errors = {0};
	struct conf *conf = (struct conf *)&errors;

	assert_int_equal(conf_load("/nonexistent/tend.conf", NULL, &errors, &conf), -EINVAL);
	assert_ptr_equal(conf, &errors); /* untouched */
	assert_int_equal(errors.len, 1);
	assert_string_equal(errors.items[0].file, "/nonexistent/tend.conf");
	assert_non_null(strstr(errors.items[0].text, "No such file"));
	conf_errors_clear(&errors);
	assert_int_equal(conf_load(dir, NULL, &errors, &conf), -EINVAL);
	assert_non_null(strstr(errors.items[0].text, "Is a directory"));
	conf_errors_clear(&errors);
}

/* Ten thousand components in a chain: no recursion, and nothing that takes the square of it. */
static void test_many(void **state)
{
	struct str text = STR_INIT(16 << 20);
	struct conf *conf;

	assert_int_equal(str_appendf(&text, "[system crm]\n[component crm/c0]\n"), 0);
	for (int i = 1; i < 10000; i++)
		assert_int_equal(
			str_appendf(&text, "[component crm/c%d]\ndepends = c%d\n", i, i - 1), 0);
	conf = load(str_get(&text));
	assert_non_null(conf);
	assert_int_equal(conf->components.len, 10000);
	conf_unref(conf);
	str_clear(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_conf_d),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
