/* SPDX-License-Identifier: MIT */
/* tendd: options and run, nothing else. */
#include <getopt.h>
#include <stdio.h>
#include "alert/format.h"
#include "base/log.h"
#include "conf/errors.h"
#include "flow/describe.h"
#include "manager.h"

#define DEFAULT_CONFIG "/etc/tend/tend.conf"

static const char usage_text[] =
	"Usage: tendd [OPTION]... [-t [FILE]]\n"
	"Watches CRM systems, finds the cause of a fault, heals it and tells people.\n\n"
	"  -c, --config FILE      read FILE and the conf.d folder beside it [" DEFAULT_CONFIG "]\n"
	"  -t, --test             check the configuration and exit: 0 it is ok, 1 it is not\n"
	"  -f, --foreground       log to the terminal instead of the journal\n"
	"      --plugin-dir DIR   load plugins from DIR instead of the configured folder\n"
	"      --calendar FILE    rehearsal on a test machine: the time of day is shifted by the\n"
	"                         seconds in FILE, which is read each second\n"
	"  -V, --version          print the version and exit\n"
	"  -h, --help             print this and exit\n\n"
	"See tendd(8), tend.conf(5) and tendctl(1).\n";

static int test_config(const char *path, const char *plugin_dir)
{
	struct conf_errors errors = {0};
	struct conf *conf = NULL;
	int r = conf_load(path, plugin_dir, &errors, &conf);

	if (r == 0)
		r = format_check_all(conf, &errors);
	if (r == 0)
		r = flow_check_all(conf, &errors);
	if (r == 0 && errors.len > 0)
		r = -EINVAL;
	if (r < 0)
		conf_errors_print(&errors, stdout);
	else
		puts("configuration ok");
	conf_errors_clear(&errors);
	conf_unref(conf);
	return r < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	enum { OPT_PLUGIN_DIR = 256, OPT_CALENDAR };
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"test", no_argument, NULL, 't'},
		{"foreground", no_argument, NULL, 'f'},
		{"plugin-dir", required_argument, NULL, OPT_PLUGIN_DIR},
		{"calendar", required_argument, NULL, OPT_CALENDAR},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct manager_options m = {.config_path = DEFAULT_CONFIG};
	bool test = false;

	for (int c; (c = getopt_long(argc, argv, "c:tfVh", options, NULL)) != -1;) {
		switch (c) {
		case 'c':
			m.config_path = optarg;
			break;
		case 't':
			test = true;
			break;
		case 'f':
			m.foreground = true;
			break;
		case OPT_PLUGIN_DIR:
			m.plugin_dir = optarg;
			break;
		case OPT_CALENDAR:
			m.calendar = optarg;
			break;
		case 'V':
			puts("tendd " TEND_VERSION);
			return 0;
		case 'h':
			fputs(usage_text, stdout);
			return 0;
		default:
			fputs("Try 'tendd --help'.\n", stderr);
			return 64;
		}
	}
	if (test && optind < argc)
		m.config_path = argv[optind++];
	if (optind < argc) {
		fprintf(stderr, "tendd: '%s' is one argument too many\nTry 'tendd --help'.\n",
			argv[optind]);
		return 64;
	}
	return test ? test_config(m.config_path, m.plugin_dir) : manager_run(&m);
}
