/* SPDX-License-Identifier: MIT */
/* The exec probe's pure parts (plugins/exec): the command line, the output of a plugin. */
#include "unit.h"
#include <string.h>
#include <tend/error.h>
#include "base/cleanup.h"
#include "../../plugins/exec/command.h"
#include "../../plugins/exec/output.h"

struct output_row {
	const char *data;
	const char *text;
	const char *metrics; /* "name=value unit ..." as printed below */
	size_t n_unread;
};

static const struct output_row output_rows[] = {
	{"", "", "", 0},
	{"OK\n", "OK", "", 0},
	{"  OK - fine \r\n", "OK - fine", "", 0},
	{"OK | time=0.5s;1;2;0;10", "OK", "time=0.5s", 0},
	{"PING OK - rta 0.05 ms|rta=0.050000ms;100.0;500.0;0 pl=0%;20;60;0",
		"PING OK - rta 0.05 ms", "rta=5e-05s pl=0%", 0},
	{"DISK OK| /=2643MB;5948;5958;0;5968 /boot=68MB;88;93;0;98", "DISK OK",
		"root=2771386368B boot=71303168B", 0},
	{"x | 'a label'=1 'it''s'=2c 'x=y'=3B", "x", "a_label=1 it_s=2c x_y=3B", 0},
	{"x | 'é'=1 'Ü b'=2", "x", "value=1 b=2", 0},
	{"x | a=1 A=2 a_2=3", "x", "a=1 a_2=2 a_2_2=3", 0},
	{"x | a=1e3 b=-2.5E-1s c=+3", "x", "a=1000 b=-0.25s c=3", 0},
	{"x | a=U b=1", "x", "b=1", 0},
	{"x | a=1,5s b=0x10 c=nan d=inf e= f=1.2.3 g=1;2 h=--1 i=U1", "x", "g=1", 8},
	/* Units of all kinds; what there is no room for, or is no ASCII, is left out. */
	{"x | a=2KiB b=1MiB c=1GiB d=1TiB e=1PB f=5ns", "x",
		"a=2048B b=1048576B c=1073741824B d=1099511627776B e=1.12589990684262e+15B "
		"f=5e-09s",
		0},
	{"x | a=9Mbps b=21.5C c=1req/s d=1furlong e=2furlongs f=3°C g=4\x01", "x",
		"a=9Mbps b=21.5C c=1req/s d=1furlong e=2 f=3", 1},
	{"x | junk more=1 =5 'open=3", "x", "more=1", 3},
	{"x | 'closed'5 b=2", "x", "b=2", 1},
	{"first | a=1\nlong one\n\nlong two | b=2\nc=3\nd=4 e=5\n", "first; long one; long two",
		"a=1 b=2 c=3 d=4 e=5", 0},
	{"first\nlong | b=2\nc=3 d=4", "first; long", "b=2 c=3 d=4", 0},
	{"| a=1", "", "a=1", 0},
	{"a=1GB", "a=1GB", "", 0},
	{"x|a=1;;;; b=2;10:20;@5:6;~:7;", "x", "a=1 b=2", 0},
	/* As long as a number may be (47), and an exponent then. */
	{"x|a=0.500000000000000000000000000000000000000000000e5 b=1", "x", "b=1", 1},
	{"x|a=0.50000000000000000000000000000000000000000000e5 b=1", "x", "b=1", 1},
	{"x|a=0.5000000000000000000000000000000000000000000e5 b=1", "x", "a=50000 b=1", 0},
	{"x|t=3us u=2TB v=1KB", "x", "t=3e-06s u=2199023255552B v=1024B", 0},
	{"x|a=999999999999999999999999999999999999999999999999999", "x", "", 1},
};

static void print_metrics(const struct output *out, char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0; i < out->n_metrics; i++) {
		size_t n = strlen(text);

		(void)snprintf(text + n, size - n, "%s%s=%.15g%s", i ? " " : "",
			out->metrics[i].name, out->metrics[i].value, out->metrics[i].unit);
	}
}

static void test_output(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(output_rows); i++) {
		const struct output_row *row = &output_rows[i];
		struct output out;
		char metrics[2048];

		output_parse(row->data, strlen(row->data), &out);
		print_metrics(&out, metrics, sizeof(metrics));
		if (strcmp(out.text, row->text) != 0 || strcmp(metrics, row->metrics) != 0 ||
			out.n_unread != row->n_unread)
			fail_msg("'%s': text '%s', metrics '%s', %zu unread", row->data, out.text,
				metrics, out.n_unread);
	}
}

static void test_output_is_bounded(void **state)
{
	char data[20000];
	struct output out;
	size_t n = 0;

	memset(data, 'x', sizeof(data));
	output_parse(data, sizeof(data), &out);
	assert_int_equal(strlen(out.text), OUTPUT_TEXT_BYTES - 1);
	data[0] = '|';
	for (n = 1; n < sizeof(data) - 16;)
		n += (size_t)snprintf(data + n, 16, "aaaa=%zu ", n);
	output_parse(data, n, &out);
	assert_int_equal(out.n_metrics, OUTPUT_MAX_METRICS);
	assert_true(out.n_unread > 1000);
	assert_string_equal(out.metrics[OUTPUT_MAX_METRICS - 1].name, "aaaa_255");
	/* A label longer than a name. */
	memset(data, 'y', 100);
	memcpy(data, "|", 1);
	memcpy(data + 100, "=1", 2);
	output_parse(data, 102, &out);
	assert_int_equal(strlen(out.metrics[0].name), OUTPUT_NAME_BYTES - 1);
}

struct command_row {
	const char *text;
	const char *argv[6];
	const char *error;
};

static const struct command_row command_rows[] = {
	{"/bin/x", {"/bin/x"}, NULL},
	{"  /bin/x  -w 5,4,3\t-c 6 ", {"/bin/x", "-w", "5,4,3", "-c", "6"}, NULL},
	{"/bin/x 'a b' \"c d\" e'f g'h ''", {"/bin/x", "a b", "c d", "ef gh", ""}, NULL},
	{"/bin/x \"it's\" '\"'", {"/bin/x", "it's", "\""}, NULL},
	{"/bin/x $HOME *;id", {"/bin/x", "$HOME", "*;id"}, NULL},
	{"\n\t/bin/x\n\t-a b 'c\n\n  d  \n", {"/bin/x", "-a b 'c", "d"}, NULL},
	{"/bin/x 'open", {0}, "not closed"},
	{"", {0}, "empty"},
	{" \n ", {0}, "empty"},
	{"x -a", {0}, "not the absolute path"},
	{"'' -a", {0}, "not the absolute path"},
	{"-x", {0}, "not the absolute path"},
	{"/bin/../bin/x", {0}, "'..'"},
	{"/bin//x", {0}, "empty step"},
};

static void test_command(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(command_rows); i++) {
		const struct command_row *row = &command_rows[i];
		struct tend_error err = {0};
		char **argv = NULL;
		int r = command_parse(row->text, &argv, &err);

		if (row->error) {
			assert_true(r < 0);
			if (!strstr(err.text, row->error))
				fail_msg("'%s': %s", row->text, err.text);
			continue;
		}
		if (r < 0)
			fail_msg("'%s': %s", row->text, err.text);
		for (size_t k = 0; k < ARRAY_SIZE(row->argv); k++) {
			if (!row->argv[k]) {
				assert_null(argv[k]);
				break;
			}
			assert_string_equal(argv[k], row->argv[k]);
		}
		command_free(argv);
	}
}

static void test_command_bounds(void **state)
{
	auto_free char *text = calloc(1, 40000);
	struct tend_error err = {0};
	char **argv = NULL;

	memcpy(text, "/x", 2);
	for (size_t i = 0; i < 63; i++)
		memcpy(text + 2 + 2 * i, " a", 2);
	assert_int_equal(command_parse(text, &argv, &err), 0);
	command_free(argv);
	memcpy(text + 2 + 2 * 63, " a", 2);
	assert_true(command_parse(text, &argv, &err) < 0);
	assert_non_null(strstr(err.text, "more than 64"));
	memset(text, 'a', 8193);
	text[0] = '/';
	text[8193] = '\0';
	assert_true(command_parse(text, &argv, &err) < 0);
	memset(text, 'a', 39999);
	assert_true(command_parse(text, &argv, &err) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_output_is_bounded),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_command_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
