/* SPDX-License-Identifier: MIT */
/* Times and spans as people write them. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include "ctl/ctl.h"

int ctl_span_of(const char *text, int64_t *ret_seconds)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
	int64_t total = 0;
	size_t at = 0;

	while (*text) {
		int64_t n = 0;
		const char *digits = text;

		for (; *text >= '0' && *text <= '9' && n < 1000000; text++)
			n = n * 10 + *text - '0';
		while (at < ARRAY_SIZE(units) && units[at].letter != *text)
			at++;
		if (text == digits || at == ARRAY_SIZE(units))
			return -EINVAL;
		total += n * units[at++].seconds;
		text++;
	}
	if (total == 0)
		return -EINVAL;
	*ret_seconds = total;
	return 0;
}

/* The clock shows it next. */
static int next_clock(const char *text, time_t now, time_t *ret_at)
{
	struct tm tm;
	char *end;
	time_t at;

	(void)localtime_r(&now, &tm);
	end = strptime(text, "%H:%M", &tm);
	if (!end || *end)
		return -EINVAL;
	tm.tm_sec = 0;
	tm.tm_isdst = -1;
	at = mktime(&tm);
	if (at <= now) {
		tm.tm_mday++;
		tm.tm_isdst = -1;
		at = mktime(&tm);
	}
	*ret_at = at;
	return 0;
}

static int calendar_time(const char *text, time_t *ret_at)
{
	struct tm tm = {.tm_isdst = -1};
	char *end = strptime(text, "%Y-%m-%dT%H:%M", &tm);

	if (end && *end == ':')
		end = strptime(end, ":%S", &tm);
	if (!end || (strcmp(end, "") != 0 && strcmp(end, "Z") != 0))
		return -EINVAL;
	*ret_at = *end == 'Z' ? timegm(&tm) : mktime(&tm);
	return *ret_at < 0 ? -EINVAL : 0;
}

int ctl_time_text(const char *text, usec_t now, char ret_text[CTL_TIME_BYTES])
{
	time_t at;
	struct tm tm;
	int r = strchr(text, 'T') ? calendar_time(text, &at)
				  : next_clock(text, (time_t)(now / USEC_PER_SEC), &at);

	if (r < 0)
		return r;
	(void)gmtime_r(&at, &tm);
	(void)strftime(ret_text, CTL_TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return 0;
}

static int put_time(struct ctl *ctl, enum ctl_option_id option, const char *key, json_t *body)
{
	const char *value = ctl->values[option];
	char text[CTL_TIME_BYTES];

	if (!value)
		return CTL_OK;
	if (ctl_time_text(value, ctl->now, text) < 0) {
		ctl_complain(ctl, "--%s=%s is no time: write 18:00, 2026-12-01T02:00 or with Z",
			ctl_options[option].name, value);
		return CTL_USAGE;
	}
	(void)json_object_set_new(body, key, json_string(text));
	return CTL_OK;
}

int ctl_put_times(struct ctl *ctl, json_t *body)
{
	const char *span = ctl->values[CTL_OPT_FOR];
	int64_t seconds;

	if (span && ctl->values[CTL_OPT_UNTIL]) {
		ctl_complain(ctl, "--for and --until say the same: one of them is enough");
		return CTL_USAGE;
	}
	if (span && ctl_span_of(span, &seconds) < 0) {
		ctl_complain(ctl, "--for=%s is no span of time: write 30m, 2h, 1d12h", span);
		return CTL_USAGE;
	}
	if (span)
		(void)json_object_set_new(body, "for", json_integer(seconds));
	if (put_time(ctl, CTL_OPT_FROM, "starts", body) != CTL_OK)
		return CTL_USAGE;
	return put_time(ctl, CTL_OPT_UNTIL, "until", body);
}
