/* SPDX-License-Identifier: MIT */
/* What is written of baselines and forecasts. */
#include <errno.h>
#include <string.h>
#include "base/str.h"
#include "conf/conf.h"
#include "conf/options.h"

enum { MAX_WORDS = 4, WORD_BYTES = 32 };
#define FORECAST_MIN (3600 * USEC_PER_SEC)
#define FORECAST_MAX (365 * 86400 * USEC_PER_SEC)

/* How many words; -EINVAL: too many, or one that is too long. */
static int split(const char *text, char words[MAX_WORDS][WORD_BYTES])
{
	int n = 0;

	while (*(text += strspn(text, " \t"))) {
		size_t len = strcspn(text, " \t");

		if (n == MAX_WORDS || len >= WORD_BYTES)
			return -EINVAL;
		memcpy(words[n], text, len);
		words[n++][len] = '\0';
		text += len;
	}
	return n;
}

int baseline_parse(const char *text, struct baseline *ret_baseline)
{
	struct baseline b = {.side = BASELINE_BOTH};
	char words[MAX_WORDS][WORD_BYTES];
	int n = split(text, words);

	if (n < 1 || n > 3 || conf_parse_double(words[0], &b.n_deviations) < 0 ||
		!(b.n_deviations >= 1 && b.n_deviations <= 1000))
		return -EINVAL;
	if (n > 1 && strcmp(words[1], "above") == 0)
		b.side = BASELINE_ABOVE;
	else if (n > 1 && strcmp(words[1], "below") == 0)
		b.side = BASELINE_BELOW;
	else if (n > 1)
		return -EINVAL;
	if (n > 2 && (conf_parse_double(words[2], &b.at_least) < 0 || !(b.at_least >= 0)))
		return -EINVAL;
	*ret_baseline = b;
	return 0;
}

int forecast_parse(const char *text, struct forecast *ret_forecast)
{
	char words[MAX_WORDS][WORD_BYTES];
	struct forecast f = {0};
	int n = split(text, words);

	if (n != 3 || strcmp(words[1], "within") != 0 || range_parse(words[0], &f.range) < 0 ||
		conf_parse_span(words[2], &f.within) < 0 || f.within < FORECAST_MIN ||
		f.within > FORECAST_MAX)
		return -EINVAL;
	*ret_forecast = f;
	return 0;
}
