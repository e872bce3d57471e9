/* SPDX-License-Identifier: MIT */
/* tend-format: formats of webhooks listed and tried; what `tendctl format` starts. It needs no
 * daemon, and reads the configuration only for a receiver. */
#include <dirent.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "alert/format.h"
#include "alert/format_try.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "loop/child.h"

enum { EXIT_USAGE = 64, MAX_FORMATS = 200 };
#define START_USEC (10 * USEC_PER_SEC)

static const char *place(const char *variable, const char *fallback)
{
	const char *value = getenv(variable);

	return value && *value ? value : fallback;
}

static int usage(void)
{
	fputs("tend-format list [--json]\n"
	      "tend-format test [--receiver=NAME] [--config=FILE] [--language=en|zh] "
	      "[--sample=NAME]\n"
	      "                 [--send] [--json] FILE|NAME [OPTION=VALUE...]\n"
	      "samples:",
		stderr);
	for (size_t i = 0; sample_names[i]; i++)
		fprintf(stderr, " %s", sample_names[i]);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

/* ---- list ----------------------------------------------------------------------------------- */

static int lua_files_only(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && str_endswith(entry->d_name, ".lua");
}

static int wait_for(struct format_tools *tools, const struct format *f)
{
	usec_t until = clock_now() + START_USEC;
	int r = 0;

	while (r >= 0 && format_get_state(f) == FORMAT_STARTING && clock_now() < until)
		r = loop_turn(tools->loop, 100 * USEC_PER_MSEC);
	return r < 0 ? r : 0;
}

static json_t *row_of(struct format_tools *tools, const char *name)
{
	const struct format_spec *spec;
	struct format *f;
	json_t *row = json_pack("{s:s}", "format", name);

	if (formats_want(tools->formats, name, &f) < 0 || wait_for(tools, f) < 0)
		return row;
	spec = format_get_spec(f);
	if (spec && format_get_state(f) == FORMAT_UP)
		(void)json_object_update_missing(row, spec->doc);
	else
		(void)json_object_set_new(row, "error", json_string(format_get_error(f)));
	return row;
}

static void print_row(const json_t *row)
{
	const char *error = json_string_value(json_object_get(row, "error"));
	const char *doc = json_string_value(json_object_get(row, "doc")), *name;
	json_t *options = json_object_get(row, "options"), *option;

	printf("%-18s %s\n", json_string_value(json_object_get(row, "format")),
		error ? error : doc);
	json_object_foreach (options, name, option) {
		const char *text = json_string_value(json_object_get(option, "doc"));
		const char *def = json_string_value(json_object_get(option, "default"));

		printf("    option.%-14s %s%s%s%s%s\n", name, text ? text : "", def ? " [" : "",
			def ? def : "", def ? "]" : "",
			json_is_true(json_object_get(option, "required")) ? " (needed)" : "");
	}
}

static int list(struct format_tools *tools, const struct format_try *try)
{
	auto_free char *folder = str_printf("%s/formats", tools->lua_dir);
	auto_json json_t *rows = json_array();
	struct dirent **entries = NULL;
	int n = scandir(folder, &entries, lua_files_only, alphasort);
	bool bad = false;
	json_t *row;
	size_t i;

	(void)json_array_append_new(rows,
		json_pack("{s:s, s:s, s:b, s:s}", "format", "cloudevents", "doc",
			"CloudEvents 1.0, signed as Standard Webhooks; built in, the default.",
			"group", 1, "sign", "standard"));
	for (int k = 0; k < n; k++) {
		entries[k]->d_name[strlen(entries[k]->d_name) - 4] = '\0';
		if (k < MAX_FORMATS)
			(void)json_array_append_new(rows, row_of(tools, entries[k]->d_name));
		free(entries[k]);
	}
	free(entries);
	json_array_foreach (rows, i, row)
		bad = bad || json_object_get(row, "error");
	if (try->as_json) {
		(void)json_dumpf(rows, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		json_array_foreach (rows, i, row)
			if (try->as_names)
				puts(json_string_value(json_object_get(row, "format")));
			else
				print_row(row);
	}
	if (n < 0)
		fprintf(stderr, "tend-format: %s: %s\n", folder, strerror(errno));
	return n < 0 || bad;
}

/* ---- options -------------------------------------------------------------------------------- */

static int language_from(const char *name)
{
	for (int i = 0; i < LANGUAGE_MAX; i++)
		if (strcmp(conf_language_names[i], name) == 0)
			return i;
	fprintf(stderr, "tend-format: '%s' is no language that Tend speaks: en, zh\n", name);
	return -EINVAL;
}

static int parse(int argc, char **argv, struct format_try *try)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"names", no_argument, NULL, 'n'},
		{"send", no_argument, NULL, 's'},
		{"receiver", required_argument, NULL, 'r'},
		{"config", required_argument, NULL, 'c'},
		{"language", required_argument, NULL, 'l'},
		{"sample", required_argument, NULL, 'm'},
		{NULL, 0, NULL, 0},
	};

	optind = 2;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
		switch (c) {
		case 'j':
			try->as_json = true;
			break;
		case 'n':
			try->as_names = true;
			break;
		case 's':
			try->send = true;
			break;
		case 'r':
			try->receiver = optarg;
			break;
		case 'c':
			try->config = optarg;
			break;
		case 'l':
			try->language = language_from(optarg);
			if (try->language < 0)
				return -EINVAL;
			break;
		case 'm':
			try->sample = optarg;
			break;
		default:
			return -EINVAL;
		}
	return 0;
}

static int tools_new(struct format_tools *tools)
{
	int r = loop_new(&tools->loop);

	tools->lua_dir = place("TEND_LUADIR", TEND_DATADIR "/lua");
	if (r == 0)
		r = formats_new(tools->loop, NULL, NULL, &tools->formats);
	if (r == 0)
		r = formats_open(
			tools->formats, place("TEND_LIBEXECDIR", TEND_LIBEXECDIR), tools->lua_dir);
	return r;
}

int main(int argc, char **argv)
{
	struct format_try try = {.language = -1, .sample = "raised"};
	struct format_tools tools = {0};
	const char *command = argc > 1 ? argv[1] : "";
	int r = 1;

	if (argc < 2 || parse(argc, argv, &try) < 0)
		return usage();
	log_open("tend-format", LOG_CRIT);
	if (tools_new(&tools) < 0)
		fputs("tend-format: cannot start\n", stderr);
	else if (strcmp(command, "list") == 0 && optind == argc)
		r = list(&tools, &try);
	else if (strcmp(command, "test") == 0 && optind < argc) {
		try.format = argv[optind];
		try.options = argv + optind + 1;
		r = format_try(&tools, &try);
	} else {
		r = usage();
	}
	formats_free(tools.formats);
	children_drain(USEC_PER_SEC);
	loop_free(tools.loop);
	return r;
}
