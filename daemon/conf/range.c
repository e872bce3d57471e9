/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <string.h>
#include "conf/conf.h"
#include "conf/options.h"

/* One end; `text` is not terminated. */
static int parse_end(const char *text, size_t len, double *ret)
{
	char buf[64];

	if (len == 0 || len >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, len);
	buf[len] = '\0';
	return conf_parse_double(buf, ret) < 0 ? -EINVAL : 0;
}

/* Monitoring Plugins Development Guidelines, "Threshold and Ranges". */
int range_parse(const char *text, struct range *ret_range)
{
	struct range r = {.start = 0, .end = INFINITY};
	const char *colon;

	if (*text == '@') {
		r.inside = true;
		text++;
	}
	colon = strchr(text, ':');
	if (!colon) {
		if (parse_end(text, strlen(text), &r.end) < 0)
			return -EINVAL;
	} else {
		size_t n = (size_t)(colon - text);

		if (n == 1 && *text == '~')
			r.start = -INFINITY;
		else if (n > 0 && parse_end(text, n, &r.start) < 0)
			return -EINVAL;
		if (colon[1] && parse_end(colon + 1, strlen(colon + 1), &r.end) < 0)
			return -EINVAL;
		if (n == 0 && !colon[1])
			return -EINVAL;
	}
	if (r.start > r.end)
		return -EINVAL;
	*ret_range = r;
	return 0;
}

bool range_alerts(const struct range *r, double value)
{
	bool within;

	if (isnan(value))
		return true;
	within = value >= r->start && value <= r->end;
	return r->inside ? within : !within;
}
