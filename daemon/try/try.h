/* SPDX-License-Identifier: MIT */
/* try/try.h: what main.c hands to check.c. Blocks: a program of a person's. */
#ifndef TRY_TRY_H
#define TRY_TRY_H

#include <stdbool.h>
#include <stddef.h>
#include "try/ask.h"

struct try_options {
	struct ask_places places;
	bool json, names, nagios, verbose;
};
enum { TRY_UNKNOWN = 3, TRY_USAGE = 64 };

/* Exit code: 0 to 3, as Nagios has them, or TRY_USAGE (never with `nagios`). */
int try_check(
	const struct try_options *options, const char *name, char *const *words, size_t n_words);

#endif
