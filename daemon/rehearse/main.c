/* SPDX-License-Identifier: MIT */
/* tend-rehearse: policies checked, rehearsed and replayed; what tendctl policy calls. */
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "base/str.h"
#include "rehearse/rehearse.h"

static int usage(void)
{
	(void)fputs(
		"tend-rehearse test [--verbose] [--json] [--junit=FILE] [--config=FILE] FILE...\n"
		"tend-rehearse check [--json] [--config=FILE] FILE...\n"
		"tend-rehearse replay [--json] [--verbose] --config=FILE [--file=FILE] NAME < "
		"HISTORY\n",
		stderr);
	return REHEARSE_USAGE;
}

static const char *place(const char *variable, const char *fallback)
{
	const char *value = getenv(variable);

	return value && *value ? value : fallback;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"verbose", no_argument, NULL, 'v'},
		{"json", no_argument, NULL, 'j'},
		{"colour", no_argument, NULL, 'c'},
		{"junit", required_argument, NULL, 'u'},
		{"config", required_argument, NULL, 'f'},
		{"file", required_argument, NULL, 'p'},
		{NULL, 0, NULL, 0},
	};
	struct rehearse_options o = {
		.play = {.libexec_dir = place("TEND_LIBEXECDIR", TEND_LIBEXECDIR),
			.plugin_dir = place("TEND_PLUGINDIR", TEND_PLUGINDIR),
			.lua_dir = place("TEND_LUADIR", TEND_DATADIR "/lua")},
	};
	const char *command = argc > 1 ? argv[1] : "";
	int c;

	optind = 2;
	while (argc > 1 && (c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		switch (c) {
		case 'v':
			o.play.verbose = true;
			break;
		case 'j':
			o.json = true;
			break;
		case 'c':
			o.colour = true;
			break;
		case 'u':
			o.junit = optarg;
			break;
		case 'f':
			o.play.config = optarg;
			break;
		case 'p':
			o.play.policy_file = optarg;
			break;
		default:
			return usage();
		}
	if (argc < 2 || (optind >= argc && strcmp(command, "check") != 0))
		return usage();
	o.files = argv + optind;
	o.n_files = argc - optind;
	if (strcmp(command, "test") == 0)
		return rehearse_test(&o);
	if (strcmp(command, "check") == 0)
		return rehearse_check(&o);
	if (strcmp(command, "replay") == 0)
		return rehearse_replay(&o);
	return usage();
}
