/* SPDX-License-Identifier: MIT */
/* tendctl's arguments: what is understood, and what people are told when they slip. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/str.h"
#include "ctl/check.h"
#include "ctl/commands.h"
#include "ctl/policy.h"

enum { MAX_WORDS = 80 };

/* Splits at blanks; '_' stands for an empty word, '~' for a blank in one. */
static int split(const char *line, char *buf, size_t size, char *argv[MAX_WORDS])
{
	int argc = 0;

	(void)snprintf(buf, size, "tendctl %s", line);
	for (char *p = strtok(buf, " "); p && argc < MAX_WORDS - 1; p = strtok(NULL, " "))
		argv[argc++] = p;
	argv[argc] = NULL;
	return argc;
}

static void test_parse(void **state)
{
	static const struct {
		const char *line, *command, *verb, *args;
		int option;
		const char *value;
	} rows[] = {
		{"status", "status", NULL, "", -1, NULL},
		{"status --watch", "status", NULL, "", CTL_OPT_WATCH, ""},
		{"status -w", "status", NULL, "", CTL_OPT_WATCH, ""},
		{"-o json check list", "check", "list", "", CTL_OPT_OUTPUT, "json"},
		{"-ojson check list", "check", "list", "", CTL_OPT_OUTPUT, "json"},
		{"check list --output=json", "check", "list", "", CTL_OPT_OUTPUT, "json"},
		{"check list --output json", "check", "list", "", CTL_OPT_OUTPUT, "json"},
		{"check list --output=", "check", "list", "", CTL_OPT_OUTPUT, ""},
		{"check", "check", "list", "", -1, NULL},
		{"check show a/b/c", "check", "show", "a/b/c", -1, NULL},
		{"check run -s /x a/b/c", "check", "run", "a/b/c", CTL_OPT_SOCKET, "/x"},
		{"check show -- -x", "check", "show", "-x", -1, NULL},
		{"check show -", "check", "show", "-", -1, NULL},
		{"incident acknowledge 01 -m why", "incident", "acknowledge", "01", CTL_OPT_COMMENT,
			"why"},
		{"incident acknowledge 01 -m -x", "incident", "acknowledge", "01", CTL_OPT_COMMENT,
			"-x"},
		{"policy run p t k=v x=1", "policy", "run", "p t k=v x=1", -1, NULL},
		{"action", "action", "show", "", -1, NULL},
		{"delivery list --incident 01 -n 5", "delivery", "list", "", CTL_OPT_LIMIT, "5"},
		{"explain a/b/c", "explain", NULL, "a/b/c", -1, NULL},
		{"check show -h", "check", "show", "", CTL_OPT_HELP, ""},
		{"help check", "help", NULL, "check", -1, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_str struct str joined = STR_INIT(1000);
		struct tend_error err = {0};
		struct ctl_args args;
		char buf[256], *argv[MAX_WORDS];
		int argc = split(rows[i].line, buf, sizeof(buf), argv);

		if (ctl_parse(argc, argv, &err, &args) < 0)
			fail_msg("'%s': %s", rows[i].line, err.text);
		assert_string_equal(args.command->name, rows[i].command);
		assert_true(str_eq(args.verb->name, rows[i].verb));
		for (int k = 0; k < args.n_args; k++)
			assert_int_equal(
				str_appendf(&joined, "%s%s", k ? " " : "", args.args[k]), 0);
		assert_string_equal(str_get(&joined), rows[i].args);
		assert_null(args.args[args.n_args]);
		if (rows[i].option >= 0)
			assert_string_equal(args.values[rows[i].option], rows[i].value);
	}
}

static void test_parse_wrong(void **state)
{
	static const struct {
		const char *line, *says;
	} rows[] = {
		{"chekk list", "there is no command 'chekk', did you mean 'check'?"},
		{"zzzzzzzz", "there is no command 'zzzzzzzz': see 'tendctl help'"},
		{"check lisst", "'check' cannot 'lisst', did you mean 'list'?"},
		{"check zzzzzzzz", "'check' cannot 'zzzzzzzz', only: list, show, run"},
		{"status --wacth", "there is no option '--wacth', did you mean '--watch'?"},
		{"status --wacth=1", "did you mean '--watch'?"},
		{"status -x", "there is no option '-x': see 'tendctl help'"},
		{"status --watch=1", "option '--watch' takes no value"},
		{"check list -o", "option '--output' needs a value: --output=FORMAT"},
		{"check show", "too few arguments: tendctl check show CHECK"},
		{"check show a b", "too many arguments: tendctl check show CHECK"},
		{"explain", "too few arguments: tendctl explain ID|CHECK"},
		{"check list --watch", "option '--watch' means nothing to 'check list'"},
		{"status -m x", "option '--comment' means nothing to 'status'"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ctl_args args = {.n_args = 99};
		struct tend_error err = {0};
		char buf[256], *argv[MAX_WORDS];
		int argc = split(rows[i].line, buf, sizeof(buf), argv);

		assert_int_equal(ctl_parse(argc, argv, &err, &args), -EINVAL);
		if (!strstr(err.text, rows[i].says))
			fail_msg("'%s': %s", rows[i].line, err.text);
		assert_int_equal(args.n_args, 99);
	}
}

static void test_parse_bounds(void **state)
{
	char *argv[CTL_MAX_ARGS + 3], word[] = "x", policy[] = "policy", run[] = "run";
	struct tend_error err = {0};
	struct ctl_args args;

	for (size_t i = 0; i < ARRAY_SIZE(argv); i++)
		argv[i] = word;
	argv[1] = policy;
	argv[2] = run;
	assert_int_equal(ctl_parse(CTL_MAX_ARGS + 1, argv, &err, &args), 0);
	assert_int_equal(args.n_args, CTL_MAX_ARGS - 2);
	assert_int_equal(ctl_parse(CTL_MAX_ARGS + 2, argv, &err, &args), -E2BIG);
}

/* Every command can be found by its name, has a help text, and its verbs' options exist. */
static void test_commands(void **state)
{
	for (const struct ctl_command *const *c = ctl_commands; *c; c++) {
		size_t n = 0;

		assert_true(strlen((*c)->help) > 10);
		for (const struct ctl_verb *v = (*c)->verbs; v->run; v++, n++) {
			assert_true(strlen(v->help) > 10);
			assert_true(v->max_args >= v->min_args);
			assert_int_equal(v->options & ~(CTL_BIT(MAX) - 1), 0);
			if (!v->name)
				assert_null(v[1].run);
		}
		assert_true(n > 0);
		for (const struct ctl_command *const *d = c + 1; *d; d++)
			assert_string_not_equal((*c)->name, (*d)->name);
	}
}

static void test_policy_request(void **state)
{
	static const struct {
		const char *line, *json, *error;
	} rows[] = {
		{"", "{\"params\":{},\"target\":null}", NULL},
		{"crm/web", "{\"params\":{},\"target\":\"crm/web\"}", NULL},
		{"crm/web limit=30 x=a=b y=",
			"{\"params\":{\"limit\":\"30\",\"x\":\"a=b\",\"y\":\"\"},"
			"\"target\":\"crm/web\"}",
			NULL},
		{"limit=30", "{\"params\":{\"limit\":\"30\"},\"target\":null}", NULL},
		{"a b", NULL, "'b' is a second target"},
		{"=x", NULL, "'=x' has no name before the '='"},
		{"x=1 x=2", NULL, "'x' is given twice"},
		{"x=\xff", NULL, "'x' is no valid UTF-8"},
		{"\xff", NULL, "the target is no valid UTF-8"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *text = NULL;
		struct tend_error err = {0};
		json_t *body = NULL;
		char buf[256], *argv[MAX_WORDS];
		int argc = split(rows[i].line, buf, sizeof(buf), argv);
		int r = policy_request(argv + 1, argc - 1, &err, &body);

		if (rows[i].error) {
			assert_int_equal(r, -EINVAL);
			assert_non_null(strstr(err.text, rows[i].error));
			assert_null(body);
			continue;
		}
		assert_int_equal(r, 0);
		text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
		assert_string_equal(text, rows[i].json);
		json_decref(body);
	}
}

static void test_paths(void **state)
{
	static const struct {
		const char *subject, *path;
	} rows[] = {
		{"crm/web/login", "/v1/checks/crm/web/login/run"},
		{"a b?c=d&e#f%", "/v1/checks/a%20b%3Fc%3Dd%26e%23f%25/run"},
		{"\xc3\xa9", "/v1/checks/%C3%A9/run"},
		{"", "/v1/checks//run"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *path = client_path("/v1/checks/", rows[i].subject, "/run");

		assert_string_equal(path, rows[i].path);
	}
	auto_free char *plain = client_escape("a/b", false);

	assert_string_equal(plain, "a%2Fb");
}

static void test_exit_codes(void **state)
{
	assert_int_equal(client_exit_of(200), 0);
	assert_int_equal(client_exit_of(202), 0);
	assert_int_equal(client_exit_of(401), CTL_NOPERM);
	assert_int_equal(client_exit_of(403), CTL_NOPERM);
	assert_int_equal(client_exit_of(404), CTL_FAILED);
	assert_int_equal(client_exit_of(301), CTL_FAILED);
	assert_int_equal(client_exit_of(500), CTL_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_wrong),
		cmocka_unit_test(test_parse_bounds),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_policy_request),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_exit_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
