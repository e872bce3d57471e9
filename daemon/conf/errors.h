/* SPDX-License-Identifier: MIT */
/*
 * conf/errors.h: every error of a configuration, not only the first. The list owns its items; it is
 * bounded: beyond CONF_MAX_ERRORS errors are counted and one last item says how many. Never blocks.
 * An error that finds no memory is dropped, but is still counted, so that a list is never wrongly
 * empty.
 */
#ifndef CONF_ERRORS_H
#define CONF_ERRORS_H

#include <stdio.h>
#include <tend/error.h>

enum { CONF_MAX_ERRORS = 100 };

struct conf_errors {
	struct tend_error *items; /* in order of file and line once conf_errors_sort() ran */
	size_t len, cap;	  /* at most CONF_MAX_ERRORS, then one that says so */
	size_t n_total;		  /* all that were added */
};

/* `errors` NULL: nothing is kept. Returns `code`. */
__attribute__((format(printf, 5, 6))) int conf_errors_add(struct conf_errors *errors,
	const char *file, unsigned line, int code, const char *format, ...);
void conf_errors_sort(struct conf_errors *errors);
/* "FILE:LINE: text" a line; without a file only the text. */
void conf_errors_print(const struct conf_errors *errors, FILE *f);
void conf_errors_clear(struct conf_errors *errors);

#endif
