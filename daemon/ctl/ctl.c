/* SPDX-License-Identifier: MIT */
#include "ctl/ctl.h"
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/str.h"
#include "ctl/commands.h"
#include "ctl/writer.h"

#define CTL_SOCKET "/run/tend/tend.sock"

void ctl_complain(struct ctl *ctl, const char *format, ...)
{
	char text[2048], clean[2048];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	str_sanitize(clean, sizeof(clean), text, strlen(text));
	(void)fprintf(ctl->err, "tendctl: %s\n", clean);
}

/* Colour is for terminals, and for those who have not said no (https://no-color.org). */
static bool want_colour(const struct ctl_args *args)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return !args->values[CTL_OPT_NO_COLOR] && !(no && *no) && isatty(STDOUT_FILENO) &&
	       !(term && strcmp(term, "dumb") == 0);
}

static unsigned terminal_width(void)
{
	struct winsize size = {0};

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col;
}

/* Widths of characters need some UTF-8 locale; everything else stays as in C. */
static void take_locale(void)
{
	if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		(void)setlocale(LC_CTYPE, "C.UTF-8");
}

static int run(struct ctl *ctl, const struct ctl_args *args)
{
	int code = args->verb->run(ctl, args->args, args->n_args);

	/* Nobody read it to the end, or the disk is full: not a success. */
	if (fflush(ctl->out) != 0 && code == CTL_OK) {
		ctl_complain(ctl, "cannot write the output: %m");
		return CTL_FAILED;
	}
	return code;
}

/* Who runs it as a Nagios plugin knows 0 to 3 alone, also when its words are wrong. */
static bool is_plugin(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--nagios") == 0) {
			(void)puts("UNKNOWN: tendctl cannot read its arguments");
			return true;
		}
	return false;
}

int ctl_main(int argc, char **argv)
{
	struct ctl_args args = {0};
	struct tend_error err = {0};
	struct ctl ctl = {.out = stdout, .err = stderr, .writer = ctl_writers};
	const char *from_environment = getenv("TEND_SOCKET");

	take_locale();
	if (ctl_parse(argc, argv, &err, &args) < 0) {
		ctl_complain(&ctl, "%s", err.text);
		return is_plugin(argc, argv) ? CTL_NAGIOS_UNKNOWN : CTL_USAGE;
	}
	if (args.values[CTL_OPT_VERSION]) {
		(void)printf("tendctl %s\n", TEND_VERSION);
		return CTL_OK;
	}
	if (args.values[CTL_OPT_HELP] || !args.command) {
		ctl_print_help(args.values[CTL_OPT_HELP] ? stdout : stderr, args.command);
		return args.values[CTL_OPT_HELP] ? CTL_OK : CTL_USAGE;
	}
	/* init writes a file: there is nothing to format. */
	if (args.values[CTL_OPT_OUTPUT] && args.command != &ctl_init)
		ctl.writer = ctl_writer_find(args.values[CTL_OPT_OUTPUT]);
	if (!ctl.writer) {
		ctl_complain(&ctl, "there is no output format '%s': text, json or names",
			args.values[CTL_OPT_OUTPUT]);
		return CTL_USAGE;
	}
	ctl.socket = from_environment && *from_environment ? from_environment : CTL_SOCKET;
	if (args.values[CTL_OPT_SOCKET])
		ctl.socket = args.values[CTL_OPT_SOCKET];
	ctl.values = args.values;
	ctl.colour = want_colour(&args);
	ctl.width = terminal_width();
	ctl.now = clock_wall();
	return run(&ctl, &args);
}
