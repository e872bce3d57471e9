/* SPDX-License-Identifier: MIT */
/*
 * exec/options.h: the command lines of tend-exec and tend-spawn: options of their own, and those
 * that both have (-t, -V, -h). Values point into argv. Tells people what is wrong, on stderr.
 */
#ifndef EXEC_OPTIONS_H
#define EXEC_OPTIONS_H

#include <stdbool.h>

enum { OPTIONS_MAX_ROWS = 8 };

struct option_row {
	const char *name;   /* NULL ends the rows */
	const char **value; /* "--name VALUE", or */
	bool *given;	    /* "--name" */
};

/* 1: go on; 0: all is said (--help, --version); -EINVAL. */
int options_parse(const char *program, const char *help, const struct option_row *rows, int argc,
	char **argv, bool *ret_check);

#endif
