/* SPDX-License-Identifier: MIT */
/*
 * tend/error.h: an error for people.
 *
 * A function that takes a `struct tend_error *` fills it only when it fails, accepts NULL, and also
 * returns a negative errno. The text is one sentence without a final stop: what is wrong, then what
 * would mend it. `file` and `line` are set when the error belongs to a place in a file.
 */
#ifndef TEND_ERROR_H
#define TEND_ERROR_H

enum { TEND_ERROR_TEXT_BYTES = 1024 };

struct tend_error {
	int code; /* negative errno, 0 = none */
	unsigned line;
	char file[256];
	char text[TEND_ERROR_TEXT_BYTES];
};

/* Sets `err` (if not NULL) and returns `code`, so that `return tend_error_set(err, -EINVAL, ...)`
 * reads well. */
__attribute__((format(printf, 3, 4))) int tend_error_set(
	struct tend_error *err, int code, const char *format, ...);

#endif
