/* SPDX-License-Identifier: MIT */
/* The manifest and the parameters of commands: what is refused, where, and what an argument
 * becomes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/str.h"
#include "exec/manifest.h"

static void test_good(void **state)
{
	static const char text[] = "[unit a@b.service]\n"
				   "allow = start, restart\n"
				   "max_per_hour = 7\n"
				   "[command do-it]\n"
				   "argv =\n\t/bin/echo\n\tsome words, and a comma\n\t{x}\n\t{x}y\n"
				   "user = root\n"
				   "timeout = 90s\n"
				   "concurrent = yes\n"
				   "writable = /srv/a, /srv/b\n"
				   "param.x = int 1..9\n";
	auto(manifest_free) struct manifest *m = NULL;
	struct conf_errors errors = {0};
	auto(strv_free) char **argv = NULL;
	auto_json json_t *args = json_pack("{s:i}", "x", 5);

	assert_int_equal(manifest_parse(text, strlen(text), &errors, &m), 0);
	const struct unit_rule *unit = map_get(&m->units, "a@b.service");
	const struct command_rule *command = map_get(&m->commands, "do-it");
	assert_non_null(unit);
	assert_int_equal(unit->verbs, 1u << EXEC_VERB_START | 1u << EXEC_VERB_RESTART);
	assert_int_equal(unit->max_per_hour, 7);
	assert_int_equal(unit->timeout, 600 * USEC_PER_SEC);
	assert_non_null(command);
	assert_true(command->concurrent);
	assert_int_equal(command->timeout, 90 * USEC_PER_SEC);
	assert_int_equal(command->memory_max_bytes, 512u << 20);
	assert_int_equal(command->uid, 0);
	assert_string_equal(command->writable[1], "/srv/b");
	assert_int_equal(command_argv(command, args, &argv, NULL), 0);
	assert_int_equal(strv_len(argv), 4);
	assert_string_equal(argv[1], "some words, and a comma");
	assert_string_equal(argv[2], "5");
	assert_string_equal(argv[3], "{x}y"); /* only whole arguments are parameters */
	conf_errors_clear(&errors);
}

static void test_bad(void **state)
{
#define COMMAND "[command c]\nuser = root\nargv = /bin/true\n"
	static const struct {
		const char *text;
		unsigned line;
		const char *says;
	} rows[] = {
		{"[unit foo]\nallow = start\n", 1, "full name of a unit"},
		{"[unit -x.service]\nallow = start\n", 1, "full name of a unit"},
		{"[unit a/b.service]\nallow = start\n", 1, "full name of a unit"},
		{"[unit .service]\nallow = start\n", 1, "full name of a unit"},
		{"[unit tend-exec.service]\nallow = stop\n", 1, "does not act on itself"},
		{"[unit tend-job-x.service]\nallow = stop\n", 1, "does not act on itself"},
		{"[unit a.service]\nallow = start, sotp\n", 2, "did you mean 'stop'"},
		{"[unit a.service]\n", 1, "allow"},
		{"[unit a.service]\nallow = start\nmax_per_hour = 0\n", 3, "out of range"},
		{"[unit a.service]\nallow = start\ntimeout = 0s\n", 3, "timeout"},
		{"[unit a.service]\nallow = start\n[unit a.service]\nallow = stop\n", 3, "already"},
		{"[unit]\nallow = start\n", 1, "needs a name"},
		{"[service a]\nx = y\n", 1, "not a kind of section"},
		{"[command A]\nargv = /bin/true\nuser = root\n", 1, "not a name of a command"},
		{"[command a]\nargv = true\nuser = root\n", 2, "absolute path"},
		{"[command a]\nargv = /bin/echo hi\nuser = root\n", 2, "line of its own"},
		{"[command a]\nargv = /bin/echo\n", 1, "user"},
		{"[command a]\nargv = /bin/echo\nuser = no-such-user\n", 3, "no user"},
		{"[command a]\nargv =\n\t/bin/echo\n\t{x}\nuser = root\n", 2, "add param.x"},
		{COMMAND "param.x = int 1..2\n", 3, "not used"},
		{COMMAND "param.X = int 1..2\n", 4, "name of a parameter"},
		{COMMAND "param.x = imt 1..2\n", 4, "did you mean 'int'"},
		{COMMAND "param.x = int 2..1\n", 4, "empty"},
		{COMMAND "param.x = int -1..1\n", 4, "negative"},
		{COMMAND "param.x = int 1-2\n", 4, "range like"},
		{COMMAND "param.x = enum a,,b\n", 4, "empty"},
		{COMMAND "param.x = enum a, -b\n", 4, "'-'"},
		{COMMAND "param.x = pattern (\n", 4, "pattern '('"},
		{COMMAND "param.x = path srv\n", 4, "absolute folder"},
		{COMMAND "param.x = path /srv/../etc\n", 4, "absolute folder"},
		{COMMAND "param.x = path /\n", 4, "absolute folder"},
		{COMMAND "param.x = int\n", 4, "nothing about its values"},
		{COMMAND "writable = srv\n", 4, "absolute path"},
		{COMMAND "memory_max = lots\n", 4, "memory_max"},
		{COMMAND "risk = none\n", 4, "risk"},
		{"[sql A]\nstatement = select 1\n", 1, "not a name of a statement"},
		{"[sql]\nstatement = select 1\n", 1, "needs a name"},
		{"[sql a]\n", 1, "statement"},
		{"[sql a]\nstatement = select {x}\n", 2, "add param.NAME"},
		{"[sql a]\nstatement = select '{x}'\nparam.x = int 1..2\n", 2, "plain text"},
		{"[sql a]\nstatement = select 1 -- {x}\nparam.x = int 1..2\n", 2, "plain text"},
		{"[sql a]\nstatement = select $1\n", 2, "'$1'"},
		{"[sql a]\nstatement = select $$x$$\n", 2, "'$$'"},
		{"[sql a]\nstatement = select 1\nparam.x = int 1..2\n", 2, "not used"},
		{"[sql a]\nstatement = select {x}\nparam.x = path /srv\n", 1, "type path"},
		{"[sql a]\nstatement = vacuum\ntransaction = no\n", 1, "max_rows_affected"},
		{"[sql a]\nstatement = select 1\nmax_rows_affected = -1\n", 3, "out of range"},
		{"[executor x]\nfencing = required\n", 1, "no name"},
		{"[executor]\nfencing = maybe\n", 2, "fencing"},
		{"[executor]\nlocks = Crm\n", 2, "name of a lock"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct conf_errors errors = {0};
		struct manifest *m = NULL;
		int r = manifest_parse(rows[i].text, strlen(rows[i].text), &errors, &m);

		if (r != -EINVAL && r != -EEXIST)
			fail_msg("%s: accepted (%d)", rows[i].text, r);
		assert_null(m);
		if (errors.len < 1 || errors.items[0].line != rows[i].line ||
			!strstr(errors.items[0].text, rows[i].says))
			fail_msg("%s: %u: %s", rows[i].text, errors.len ? errors.items[0].line : 0,
				errors.len ? errors.items[0].text : "no error");
		conf_errors_clear(&errors);
	}
}

static void test_statements(void **state)
{
	static const struct {
		const char *text, *args; /* args NULL: as written, without parameters */
		const char *statement, *values;
	} rows[] = {
		{"[sql a]\nstatement = select 1\n", "{}", "select 1", "[]"},
		{"[sql a]\nstatement = update t set a = {b} where c = {a}\n"
		 "param.a = int 1..9\nparam.b = enum x y, z\n",
			"{\"a\":3,\"b\":\"x y\"}", "update t set a = $2 where c = $1",
			"[\"3\",\"x y\"]"},
		{"[sql a]\nstatement = select '{}', \"{x\", /* } */ {a}, {a}\nparam.a = int 1..9\n",
			"{\"a\":3}", "select '{}', \"{x\", /* } */ $1, $1", "[\"3\"]"},
		{"[sql a]\nstatement = select 'it''s {y}', array[{a}]\nparam.a = pattern .*\n",
			"{\"a\":\"'; drop table t\"}", "select 'it''s {y}', array[$1]",
			"[\"'; drop table t\"]"},
		{"[sql a]\nstatement = select {a}\nparam.a = int 1..9\n", "{\"a\":10}", NULL, NULL},
		{"[sql a]\nstatement = select {a}\nparam.a = int 1..9\n", "{}", NULL, NULL},
		{"[sql a]\nstatement = select {a}\nparam.a = int 1..9\n", "{\"a\":1,\"b\":1}", NULL,
			NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto(manifest_free) struct manifest *m = NULL;
		auto_json json_t *args = json_loads(rows[i].args, 0, NULL), *values = NULL;
		struct conf_errors errors = {0};
		const struct sql_rule *rule;

		if (manifest_parse(rows[i].text, strlen(rows[i].text), &errors, &m) < 0)
			fail_msg("%s: %s", rows[i].text, errors.len ? errors.items[0].text : "");
		rule = map_get(&m->sql, "a");
		int r = sql_values(rule, args, &values, NULL);
		auto_free char *text = values ? json_dumps(values, JSON_COMPACT) : NULL;
		assert_int_equal(r, rows[i].statement ? 0 : -EINVAL);
		if (rows[i].statement) {
			assert_string_equal(rule->statement, rows[i].statement);
			assert_string_equal(text, rows[i].values);
		}
	}
}

static void test_every_error_at_once(void **state)
{
	static const char text[] = "[unit foo]\nallow = start\n"
				   "[unit b.service]\nallow = strt\nmax_per_hour = 0\n"
				   "[command c]\nargv = x\nuser = nobody-here\nparam.a = enmu x\n";
	struct conf_errors errors = {0};
	struct manifest *m = NULL;
	static const unsigned lines[] = {1, 4, 5, 8, 9};

	assert_int_equal(manifest_parse(text, strlen(text), &errors, &m), -EINVAL);
	conf_errors_sort(&errors);
	assert_int_equal(errors.len, ARRAY_SIZE(lines));
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(errors.items[i].line, lines[i]);
	conf_errors_clear(&errors);
}

/* ---- whose files ---------------------------------------------------------------------------- */

static char dir[64];

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_owner(void **state)
{
	auto_free char *path = str_printf("%s/a.conf", dir);
	auto_free char *other = str_printf("%s/b.conf", dir);
	static const struct {
		mode_t folder, file;
		bool link, other_owner, ok;
	} rows[] = {
		{0755, 0644, false, false, true},
		{0700, 0600, false, false, true},
		{0775, 0644, false, false, false},
		{0757, 0644, false, false, false},
		{0755, 0664, false, false, false},
		{0755, 0646, false, false, false},
		{0755, 0644, true, false, false},
		{0755, 0644, false, true, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct conf_errors errors = {0};
		auto(manifest_free) struct manifest *m = NULL;

		write_file(path, "[unit a.service]\nallow = start\n", rows[i].file);
		if (rows[i].link)
			assert_int_equal(symlink(path, other), 0);
		assert_int_equal(chmod(dir, rows[i].folder), 0);
		int r = manifest_load(dir, geteuid() + rows[i].other_owner, &errors, &m);
		assert_int_equal(chmod(dir, 0700), 0);
		(void)unlink(other);
		assert_int_equal(r == 0, rows[i].ok);
		assert_int_equal(m != NULL, rows[i].ok);
		assert_int_equal(errors.len > 0, !rows[i].ok);
		conf_errors_clear(&errors);
	}
	assert_int_equal(unlink(path), 0);
}

/* ---- parameters ----------------------------------------------------------------------------- */

static void test_values(void **state)
{
	static const struct {
		const char *spec, *value; /* JSON */
		const char *text;	  /* NULL = refused */
	} rows[] = {
		{"enum a, b c", "\"a\"", "a"},
		{"enum a, b c", "\"b c\"", "b c"},
		{"enum a, b c", "\"c\"", NULL},
		{"enum a, b c", "\"\"", NULL},
		{"enum a, b c", "\"a\\u0000\"", NULL},
		{"enum a, b c", "1", NULL},
		{"int 1..100", "1", "1"},
		{"int 1..100", "100", "100"},
		{"int 1..100", "\"7\"", "7"},
		{"int 1..100", "\"007\"", "7"},
		{"int 1..100", "0", NULL},
		{"int 1..100", "101", NULL},
		{"int 1..100", "\"\"", NULL},
		{"int 1..100", "\" 7\"", NULL},
		{"int 1..100", "\"+7\"", NULL},
		{"int 1..100", "\"7 \"", NULL},
		{"int 1..100", "\"7\\u0000\"", NULL},
		{"int 1..100", "\"99999999999999999999\"", NULL},
		{"int 1..100", "7.0", NULL},
		{"int 1..100", "true", NULL},
		{"int 1..100", "[7]", NULL},
		{"pattern [a-z]+", "\"abc\"", "abc"},
		{"pattern [a-z]+", "\"abc1\"", NULL},
		{"pattern [a-z]+", "\"1abc\"", NULL},
		{"pattern [a-z]+", "\"abc\\n\"", NULL},
		{"pattern a|ab", "\"ab\"", "ab"},
		{"pattern .*", "\"-rf\"", NULL},
		{"pattern .*", "\"a\\u0007\"", NULL},
		{"pattern .*", "\"a\\u0000b\"", NULL},
		{"pattern .*", "\"a\\u009b\"", NULL},
		{"pattern .*", "\"a\\u00a0\"", "a\xc2\xa0"},
		{"pattern .*", "\"\"", NULL},
		{"pattern .*", "\"gr\\u00fcn\"", "gr\xc3\xbcn"},
		{"pattern .*", "null", NULL},
		/* runs away in an unbounded engine: no match, and at once */
		{"pattern (a+)+b", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac\"",
			NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct param param = {0};
		struct tend_error err = {0};
		auto_json json_t *value =
			json_loads(rows[i].value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		auto_free char *text = NULL;

		assert_non_null(value);
		assert_int_equal(param_parse("p", rows[i].spec, &param, &err), 0);
		int r = param_render(&param, value, 0, &text, &err);
		if ((r == 0) != (rows[i].text != NULL) ||
			(r == 0 && strcmp(text, rows[i].text) != 0))
			fail_msg("%s: %s: %d, %s", rows[i].spec, rows[i].value, r,
				text ? text : err.text);
		if (r < 0)
			assert_non_null(strstr(err.text, "'p'"));
		param_clear(&param);
	}
}

static void test_long_value(void **state)
{
	char text[PARAM_MAX_VALUE_BYTES + 2];
	struct param param = {0};

	memset(text, 'a', sizeof(text));
	assert_int_equal(param_parse("p", "pattern a*", &param, NULL), 0);
	for (size_t len = PARAM_MAX_VALUE_BYTES; len <= PARAM_MAX_VALUE_BYTES + 1; len++) {
		auto_json json_t *value = json_stringn(text, len);
		auto_free char *rendered = NULL;

		assert_int_equal(param_render(&param, value, 0, &rendered, NULL),
			len > PARAM_MAX_VALUE_BYTES ? -EINVAL : 0);
	}
	param_clear(&param);
}

static int make(const char *what, const char *name)
{
	auto_free char *path = str_printf("%s/%s", dir, name);

	if (*what == 'd')
		return mkdir(path, 0755);
	if (*what == 'w')
		return mkdir(path, 0777) < 0 ? -1 : chmod(path, 0777);
	if (*what == 'f')
		write_file(path, "x", 0644);
	else
		return symlink(what + 1, path);
	return 0;
}

static void test_paths(void **state)
{
	static const struct {
		const char *path;
		bool ok;
	} rows[] = {
		{"sub", true},
		{"sub/file", true},
		{"sub/none", false},
		{"link", false},
		{"away/file", false},
		{"sub/up/file", false},
		{"open/file", false},
		{"open", true}, /* itself; nothing in it */
		{"sub/file/x", false},
		{"../sub", false},
		{"sub/../sub", false},
		{"./sub", false},
		{"/etc/passwd", false},
		{"sub/", false},
		{"sub//file", false},
		{"-x", false},
	};
	struct param param = {0};
	auto_free char *spec = str_printf("path %s/root", dir);

	assert_int_equal(make("d", "root") | make("d", "root/sub") | make("f", "root/sub/file"), 0);
	assert_int_equal(make("w", "root/open") | make("f", "root/open/file"), 0);
	assert_int_equal(make("d", "other") | make("f", "other/file"), 0);
	assert_int_equal(make("lsub/file", "root/link") | make("l../other", "root/away"), 0);
	assert_int_equal(make("l..", "root/sub/up"), 0);
	assert_int_equal(param_parse("p", spec, &param, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *value = json_string(rows[i].path);
		auto_free char *text = NULL;
		auto_free char *expected = str_printf("%s/root/%s", dir, rows[i].path);
		int r = param_render(&param, value, geteuid(), &text, NULL);

		if ((r == 0) != rows[i].ok)
			fail_msg("%s: %d", rows[i].path, r);
		if (r == 0)
			assert_string_equal(text, expected);
	}
	param_clear(&param);
}

/* Not below /tmp: there everybody can make and swap things. */
static int set_up(void **state)
{
	(void)snprintf(dir, sizeof(dir), "/var/lib/tend-test-XXXXXX");
	if (mkdtemp(dir))
		return 0;
	const char *home = getenv("HOME");
	(void)snprintf(dir, sizeof(dir), "%.40s/tend-test-XXXXXX", home ? home : "");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"root/link", "root/away", "root/sub/up",
		"root/sub/file", "root/sub", "root/open/file", "root/open", "root", "other/file",
		"other", ""};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *path = str_printf("%s/%s", dir, names[i]);
		(void)remove(path);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_statements),
		cmocka_unit_test(test_every_error_at_once),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_long_value),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
