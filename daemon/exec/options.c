/* SPDX-License-Identifier: MIT */
#include "exec/options.h"
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

/* Beyond every letter. */
enum { FIRST_ROW = 256, N_COMMON = 3 };

static const struct option common[N_COMMON] = {
	{"test", no_argument, NULL, 't'},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
};

static void set_row(const struct option_row *row, const char *value)
{
	if (row->value)
		*row->value = value;
	else
		*row->given = true;
}

int options_parse(const char *program, const char *help, const struct option_row *rows, int argc,
	char **argv, bool *ret_check)
{
	struct option all[OPTIONS_MAX_ROWS + N_COMMON + 1] = {0};
	int c, n = 0;

	for (; rows[n].name; n++) {
		assert(n < OPTIONS_MAX_ROWS);
		all[n] = (struct option){.name = rows[n].name,
			.has_arg = rows[n].value ? required_argument : no_argument,
			.val = FIRST_ROW + n};
	}
	for (int i = 0; i < N_COMMON; i++)
		all[n + i] = common[i];
	while ((c = getopt_long(argc, argv, "tVh", all, NULL)) >= 0) {
		if (c >= FIRST_ROW) {
			set_row(&rows[c - FIRST_ROW], optarg);
		} else if (c == 't') {
			*ret_check = true;
		} else if (c == 'V') {
			(void)printf("%s " TEND_VERSION "\n", program);
			return 0;
		} else {
			(void)fputs(help, c == 'h' ? stdout : stderr);
			return c == 'h' ? 0 : -EINVAL;
		}
	}
	if (optind == argc)
		return 1;
	(void)fprintf(stderr, "%s: '%s' is not an option\n", program, argv[optind]);
	return -EINVAL;
}
