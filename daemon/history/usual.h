/* SPDX-License-Identifier: MIT */
/*
 * history/usual.h: is a metric as it usually is, and where does its trend lead? For each metric
 * with `baseline.` or `forecast.` it keeps what this hour of the week usually has (the minutes of
 * this hour and its two neighbours, one to six weeks ago: median and deviation of the least and of
 * the greatest values) and the trend of the last seven days, learned anew each hour from the
 * history. A result is compared on the loop, from memory. Without enough history there is no
 * verdict.
 */
#ifndef HISTORY_USUAL_H
#define HISTORY_USUAL_H

#include "history/history.h"

struct usual;

int usual_new(
	struct loop *loop, struct history *history, struct watch *watch, struct usual **ret_usual);
struct usual *usual_free(struct usual *usual);
DEFINE_AUTO(struct usual *, usual_free)
void usual_apply(struct usual *usual, const struct conf *conf);

/* A result after its thresholds: what is not as usual makes a good one a warning. */
void usual_judge(struct usual *usual, const struct conf_check *conf, struct result *result);

/* What is known of a metric, for people: {"median", "deviation", "low", "high", "samples"}, or
 * NULL: nothing yet. */
json_t *usual_to_json(
	const struct usual *usual, const char *check, const char *metric, const char *instance);

/* ---- pure, for tests ------------------------------------------------------------------------ */

struct profile {
	size_t n; /* minutes that it knows; 0: not enough */
	double low, low_deviation, high, high_deviation;
	size_t n_trend;		       /* hours */
	double last, slope, agreement; /* the slope is by the hour */
};
enum { PROFILE_MIN_MINUTES = 60, TREND_MIN_HOURS = 24, TREND_HOURS = 168 };

void profile_learn(struct profile *profile, const struct point *minutes, size_t n);
void profile_trend(struct profile *profile, const struct point *hours, size_t n);
/* False: as usual. `ret_text`: what is not. */
bool profile_is_off(const struct profile *profile, const struct baseline *baseline, double value,
	char *ret_text, size_t size);
bool profile_leads_out(const struct profile *profile, const struct forecast *forecast, double value,
	char *ret_text, size_t size);

#endif
