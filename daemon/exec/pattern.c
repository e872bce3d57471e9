/* SPDX-License-Identifier: MIT */
#include "exec/pattern.h"
#include <string.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* Values are at most 256 bytes: an honest expression needs a few thousand steps at most. */
enum { PATTERN_MATCH_LIMIT = 20000, PATTERN_DEPTH_LIMIT = 1000, PATTERN_HEAP_KIB = 256 };

struct pattern {
	pcre2_code *code;
	pcre2_match_context *context;
	pcre2_match_data *match;
};

struct pattern *pattern_free(struct pattern *pattern)
{
	if (!pattern)
		return NULL;
	pcre2_match_data_free(pattern->match);
	pcre2_match_context_free(pattern->context);
	pcre2_code_free(pattern->code);
	free(pattern);
	return NULL;
}

int pattern_new(const char *expression, struct pattern **ret_pattern, struct tend_error *err)
{
	auto(pattern_free) struct pattern *pattern = calloc(1, sizeof(*pattern));
	int code;
	PCRE2_SIZE offset;

	if (!pattern)
		return -ENOMEM;
	pattern->code = pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED,
		PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY | PCRE2_UTF |
			PCRE2_NEVER_BACKSLASH_C,
		&code, &offset, NULL);
	if (!pattern->code) {
		PCRE2_UCHAR text[256];

		(void)pcre2_get_error_message(code, text, sizeof(text));
		return tend_error_set(err, -EINVAL, "pattern '%s': %s (at character %zu)",
			expression, (const char *)text, offset + 1);
	}
	pattern->context = pcre2_match_context_create(NULL);
	pattern->match = pcre2_match_data_create_from_pattern(pattern->code, NULL);
	if (!pattern->context || !pattern->match)
		return -ENOMEM;
	(void)pcre2_set_match_limit(pattern->context, PATTERN_MATCH_LIMIT);
	(void)pcre2_set_depth_limit(pattern->context, PATTERN_DEPTH_LIMIT);
	(void)pcre2_set_heap_limit(pattern->context, PATTERN_HEAP_KIB);
	*ret_pattern = TAKE(pattern);
	return 0;
}

bool pattern_matches(const struct pattern *pattern, const char *value)
{
	return pcre2_match(pattern->code, (PCRE2_SPTR)value, strlen(value), 0, 0, pattern->match,
		       pattern->context) >= 0;
}
