/* SPDX-License-Identifier: MIT */
/*
 * alert/match.h: matchers over labels, the same everywhere (routes, silences, inhibition, `tendctl
 * route test`): NAME=VALUE, NAME!=VALUE, NAME=~REGEX, NAME!~REGEX, separated by commas, all of
 * which must fit. A label that is not there is "". struct matchers owns what it parsed and is
 * immutable; matchers_free() frees it. Pure, bounded (also the time of a regular expression: PCRE2
 * with match limits); never blocks. Below conf/: knows nothing of it.
 */
#ifndef ALERT_MATCH_H
#define ALERT_MATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <tend/error.h>
#include "base/cleanup.h"

enum {
	MATCH_MAX = 32,		 /* matchers in one text */
	MATCH_TEXT_BYTES = 4096, /* of that text */
	MATCH_NAME_BYTES = 64,
	MATCH_VALUE_BYTES = 1024,
};

struct matchers;
/* -EINVAL with what is wrong; -ENOMEM. An empty text is none: it fits everything. */
int matchers_parse(const char *text, struct tend_error *err, struct matchers **ret_matchers);
struct matchers *matchers_free(struct matchers *matchers); /* NULL is fine */
DEFINE_AUTO(struct matchers *, matchers_free)

/* `labels`: an object text -> text, NULL = none. False: `ret_no` (may be NULL) is the text of the
 * first matcher that did not fit, borrowed from `matchers`. matchers NULL: fits. A regular
 * expression that takes too long does not fit, whichever way it is used. */
bool matchers_fit(const struct matchers *matchers, const json_t *labels, const char **ret_no);
size_t matchers_len(const struct matchers *matchers);
/* In the form that matchers_parse() takes; the caller frees; NULL: no memory. */
char *matchers_format(const struct matchers *matchers);
/* [a-z_A-Z][a-z_A-Z0-9]*, shorter than MATCH_NAME_BYTES. */
bool match_name_valid(const char *name, size_t len);

#endif
