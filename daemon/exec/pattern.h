/* SPDX-License-Identifier: MIT */
/*
 * exec/pattern.h: a regular expression of the manifest against a foreign value: the whole value
 * must match, and a match that takes too much work counts as none. The only user of PCRE2 in
 * tend-exec. Frees: pattern_free(). Never blocks. Fails with -EINVAL and a text on a bad
 * expression.
 */
#ifndef EXEC_PATTERN_H
#define EXEC_PATTERN_H

#include <stdbool.h>
#include <tend/error.h>
#include "base/cleanup.h"

struct pattern;

int pattern_new(const char *expression, struct pattern **ret_pattern, struct tend_error *err);
struct pattern *pattern_free(struct pattern *pattern);
DEFINE_AUTO(struct pattern *, pattern_free)
bool pattern_matches(const struct pattern *pattern, const char *value);

#endif
