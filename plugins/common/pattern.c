/* SPDX-License-Identifier: MIT */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "common/pattern.h"
#include <errno.h>
#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	MATCH_LIMIT = 1000000,
	DEPTH_LIMIT = 10000,
	HEAP_LIMIT_KIB = 4096,
	CALLOUTS_PER_LOOK = 1024,
};
#define MATCH_NSEC INT64_C(20000000)

struct pattern {
	char *text;
	pcre2_code *code;
	pcre2_match_context *context;
};

struct budget {
	struct timespec started;
	unsigned n_callouts;
};

/* PCRE2 counts its limit for each place where a match may start, so it bounds no long text.
 * Callouts stand between all items of the expression and end it by the clock. */
static int on_callout(pcre2_callout_block *block, void *data)
{
	struct budget *budget = data;
	struct timespec now;

	if (++budget->n_callouts % CALLOUTS_PER_LOOK != 0)
		return 0;
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	int64_t spent = (now.tv_sec - budget->started.tv_sec) * INT64_C(1000000000) +
			(now.tv_nsec - budget->started.tv_nsec);
	return spent > MATCH_NSEC ? PCRE2_ERROR_MATCHLIMIT : 0;
}

int pattern_new(
	const char *option, const char *text, struct tend_error *err, struct pattern **ret_pattern)
{
	struct pattern *p = calloc(1, sizeof(*p));
	int code = 0;
	PCRE2_SIZE offset = 0;
	PCRE2_UCHAR why[120];

	if (p) {
		p->text = strdup(text);
		p->context = pcre2_match_context_create(NULL);
	}
	if (!p || !p->text || !p->context) {
		pattern_free(p);
		return tend_error_set(err, -ENOMEM, "no memory");
	}
	(void)pcre2_set_match_limit(p->context, MATCH_LIMIT);
	(void)pcre2_set_depth_limit(p->context, DEPTH_LIMIT);
	(void)pcre2_set_heap_limit(p->context, HEAP_LIMIT_KIB);
	p->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
		PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_AUTO_CALLOUT,
		&code, &offset, NULL);
	if (!p->code) {
		pattern_free(p);
		(void)pcre2_get_error_message(code, why, sizeof(why));
		return tend_error_set(err, -EINVAL, "%s: %s at character %zu", option,
			(const char *)why, offset + 1);
	}
	*ret_pattern = p;
	return 0;
}

struct pattern *pattern_free(struct pattern *p)
{
	if (!p)
		return NULL;
	pcre2_code_free(p->code);
	pcre2_match_context_free(p->context);
	free(p->text);
	free(p);
	return NULL;
}

int pattern_match(const struct pattern *p, const char *data, size_t len)
{
	struct budget budget = {.n_callouts = 0};
	pcre2_match_data *match = pcre2_match_data_create(1, NULL);
	int r;

	if (!match)
		return -ENOMEM;
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &budget.started);
	/* The context is shared, but attempts run one after the other on one thread. */
	(void)pcre2_set_callout(p->context, on_callout, &budget);
	r = pcre2_match(p->code, (PCRE2_SPTR)data, len, 0, 0, match, p->context);
	pcre2_match_data_free(match);
	if (r >= 0)
		return 1;
	return r == PCRE2_ERROR_NOMATCH ? 0 : -E2BIG;
}

const char *pattern_text(const struct pattern *p)
{
	return p->text;
}
