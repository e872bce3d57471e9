/* SPDX-License-Identifier: MIT */
/*
 * common/pattern.h: a PCRE2 expression that foreign bytes are matched against, within limits of
 * steps, depth, memory and 20 ms of CPU. Made by check(), owned by the configuration. Pure.
 */
#ifndef COMMON_PATTERN_H
#define COMMON_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <tend/error.h>

struct pattern;
/* `option` is what the message calls it. */
int pattern_new(
	const char *option, const char *text, struct tend_error *err, struct pattern **ret_pattern);
struct pattern *pattern_free(struct pattern *pattern);
/* 1: it matches, 0: not, -E2BIG: it would take too long, -ENOMEM. */
int pattern_match(const struct pattern *pattern, const char *data, size_t len);
const char *pattern_text(const struct pattern *pattern);

#endif
