/* SPDX-License-Identifier: MIT */
/* tend-try: probes listed, shown and tried; what `tendctl probe` and `tendctl check try` start. It
 * needs neither a daemon nor a configuration. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "conf/plugins.h"
#include "try/catalog.h"
#include "try/flow.h"
#include "try/try.h"
#include "run/sanitizer.h"

static const char *place(const char *variable, const char *fallback)
{
	const char *value = getenv(variable);

	return value && *value ? value : fallback;
}

static int usage(const struct try_options *o)
{
	if (o->nagios) {
		(void)puts("UNKNOWN: tend-try check --nagios PROBE KEY=VALUE...");
		return TRY_UNKNOWN;
	}
	(void)fputs("tend-try list [--json|--names]\n"
		    "tend-try show [--json] PROBE\n"
		    "tend-try check [--json|--nagios] [--verbose] PROBE KEY=VALUE...\n"
		    "tend-try flow-list [--json|--names]\n"
		    "tend-try flow-check [--json] FILE|NAME\n"
		    "tend-try flow-run [--json] [--verbose] FILE|NAME [NAME=VALUE...]\n",
		stderr);
	return TRY_USAGE;
}

static void dump(const json_t *doc)
{
	(void)json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	(void)putchar('\n');
}

static int list(const struct try_options *o)
{
	auto_json json_t *probes = NULL;
	int r = catalog_read(o->places.plugin_dir, stderr, &probes);
	size_t i;
	json_t *probe;

	if (!probes) {
		(void)fprintf(stderr, "tend-try: %s: %s\n", o->places.plugin_dir, strerror(-r));
		return 1;
	}
	if (o->json)
		dump(probes);
	else if (!o->names)
		page_list(stdout, probes);
	else
		json_array_foreach (probes, i, probe)
			(void)puts(json_string_value(json_object_get(probe, "name")));
	return r < 0;
}

static int show(const struct try_options *o, const char *name)
{
	const struct tend_probe *probe;
	struct tend_error err;
	auto_json json_t *doc = NULL;

	if (plugin_load(o->places.plugin_dir, name, &probe, &err) < 0) {
		(void)fprintf(stderr, "tend-try: %s\n", err.text);
		return 1;
	}
	doc = catalog_probe(probe);
	if (!doc)
		return 1;
	if (o->json)
		dump(doc);
	else if (o->names)
		(void)puts(name);
	else
		page_probe(stdout, doc);
	return 0;
}

static int parse(int argc, char **argv, struct try_options *o)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"names", no_argument, NULL, 'n'},
		{"nagios", no_argument, NULL, 'N'},
		{"verbose", no_argument, NULL, 'v'},
		{NULL, 0, NULL, 0},
	};

	optind = 2;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
		switch (c) {
		case 'j':
			o->json = true;
			break;
		case 'n':
			o->names = true;
			break;
		case 'N':
			o->nagios = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		default:
			return -1;
		}
	return 0;
}

int main(int argc, char **argv)
{
	struct try_options o = {
		.places =
			{
				.libexec_dir = place("TEND_LIBEXECDIR", TEND_LIBEXECDIR),
				.plugin_dir = place("TEND_PLUGINDIR", TEND_PLUGINDIR),
				.lua_dir = place("TEND_LUADIR", TEND_DATADIR "/lua"),
				.run_dir = "/run/tend",
			},
	};
	const char *command = argc > 1 ? argv[1] : "";

	log_open("tend-try", LOG_CRIT);
	if (argc < 2 || parse(argc, argv, &o) < 0)
		return usage(&o);
	if (strcmp(command, "list") == 0 && optind == argc)
		return list(&o);
	if (strcmp(command, "show") == 0 && optind + 1 == argc)
		return show(&o, argv[optind]);
	if (strcmp(command, "check") == 0 && optind < argc)
		return try_check(&o, argv[optind], argv + optind + 1, (size_t)(argc - optind - 1));
	if (strcmp(command, "flow-list") == 0 && optind == argc)
		return try_flow_list(&o);
	if (strcmp(command, "flow-check") == 0 && optind + 1 == argc)
		return try_flow_check(&o, argv[optind]);
	if (strcmp(command, "flow-run") == 0 && optind < argc)
		return try_flow_run(
			&o, argv[optind], argv + optind + 1, (size_t)(argc - optind - 1));
	return usage(&o);
}
