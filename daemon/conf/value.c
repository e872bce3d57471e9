/* SPDX-License-Identifier: MIT */
/* Numbers, durations and sizes as people write them, whatever the locale, and exactly back. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "conf/conf.h"
#include "conf/options.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/* Falling, so that a value is written with the greatest units first. */
static const struct unit span_units[] = {
	{"d", 86400 * USEC_PER_SEC},
	{"h", 3600 * USEC_PER_SEC},
	{"m", 60 * USEC_PER_SEC},
	{"s", USEC_PER_SEC},
	{"ms", USEC_PER_MSEC},
	{"us", 1},
};
static const struct unit byte_units[] = {
	{"T", 1ULL << 40},
	{"G", 1ULL << 30},
	{"M", 1ULL << 20},
	{"K", 1ULL << 10},
};

static const struct unit *find_unit(
	const struct unit *units, size_t n_units, const char *text, size_t len)
{
	for (size_t i = 0; i < n_units; i++)
		if (strlen(units[i].name) == len && memcmp(units[i].name, text, len) == 0)
			return &units[i];
	return NULL;
}

/* "12" or "1.5" times factor, exact; fractions below one are cut. */
static int parse_scaled(const char *digits, size_t n_digits, const char *fraction,
	size_t n_fraction, uint64_t factor, uint64_t *ret)
{
	uint64_t whole = 0, part = 0, scale = factor;

	for (size_t i = 0; i < n_digits; i++)
		if (__builtin_mul_overflow(whole, (uint64_t)10, &whole) ||
			__builtin_add_overflow(whole, (uint64_t)(digits[i] - '0'), &whole))
			return -ERANGE;
	for (size_t i = 0; i < n_fraction; i++) {
		/* factor * 0.1, 0.01, ...: exact to a unit is enough */
		part += scale / 10 * (uint64_t)(fraction[i] - '0') +
			scale % 10 * (uint64_t)(fraction[i] - '0') / 10;
		scale /= 10;
	}
	if (__builtin_mul_overflow(whole, factor, &whole) ||
		__builtin_add_overflow(whole, part, &whole))
		return -ERANGE;
	*ret = whole;
	return 0;
}

static size_t count_digits(const char *p)
{
	return strspn(p, "0123456789");
}

/* One "12ms" at *p; moves on. */
static int parse_span_part(const char **p, size_t *unit_index, usec_t *ret)
{
	const char *digits = *p, *fraction = NULL, *name;
	size_t n = count_digits(digits), n_fraction = 0, n_name;
	const struct unit *unit;

	name = digits + n;
	if (n > 0 && *name == '.') {
		fraction = name + 1;
		n_fraction = count_digits(fraction);
		name = fraction + n_fraction;
		if (n_fraction == 0)
			return -EINVAL;
	}
	n_name = strspn(name, "abcdefghijklmnopqrstuvwxyz");
	unit = find_unit(span_units, ARRAY_SIZE(span_units), name, n_name);
	if (n == 0 || !unit || (size_t)(unit - span_units) < *unit_index)
		return -EINVAL;
	*unit_index = (size_t)(unit - span_units) + 1;
	*p = name + n_name;
	return parse_scaled(digits, n, fraction, n_fraction, unit->factor, ret);
}

int conf_parse_span(const char *text, usec_t *ret_usec)
{
	usec_t sum = 0;
	size_t unit_index = 0;

	if (strcmp(text, "0") == 0) {
		*ret_usec = 0;
		return 0;
	}
	if (!*text)
		return -EINVAL;
	while (*text) {
		usec_t part;
		int r = parse_span_part(&text, &unit_index, &part);

		if (r < 0)
			return r;
		if (__builtin_add_overflow(sum, part, &sum) || sum == USEC_INFINITY)
			return -ERANGE;
		while (*text == ' ')
			text++;
	}
	*ret_usec = sum;
	return 0;
}

int conf_parse_bytes(const char *text, uint64_t *ret_bytes)
{
	size_t n = count_digits(text), n_name;
	const struct unit *unit = NULL;
	const char *name = text + n;

	while (*name == ' ')
		name++;
	n_name = strlen(name);
	if (n_name >= 2 && memcmp(name + n_name - 2, "iB", 2) == 0)
		n_name -= 2;
	else if (n_name >= 1 && name[n_name - 1] == 'B')
		n_name -= 1;
	if (n_name > 0)
		unit = find_unit(byte_units, ARRAY_SIZE(byte_units), name, n_name);
	if (n == 0 || (n_name > 0 && !unit))
		return -EINVAL;
	return parse_scaled(text, n, NULL, 0, unit ? unit->factor : 1, ret_bytes);
}

int conf_parse_int(const char *text, int64_t *ret)
{
	bool negative = *text == '-';
	size_t n = count_digits(text + negative);
	uint64_t u;

	if (n == 0 || text[(size_t)negative + n])
		return -EINVAL;
	if (parse_scaled(text + negative, n, NULL, 0, 1, &u) < 0)
		return -ERANGE;
	if (u > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	*ret = (int64_t)(negative ? 0 - u : u);
	return 0;
}

/* "C" for this thread while it reads or prints a double; made once, kept for good. */
static locale_t c_locale(void)
{
	static locale_t locale;

	if (!locale)
		locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	return locale;
}

int conf_parse_double(const char *text, double *ret)
{
	char *end;
	double d;

	if (!*text || text[strspn(text, "0123456789+-.eE")])
		return -EINVAL;
	errno = 0;
	d = strtod_l(text, &end, c_locale());
	if (*end || end == text)
		return -EINVAL;
	if (!isfinite(d))
		return -ERANGE;
	*ret = d;
	return 0;
}

const char *conf_format_double(double d, char buf[CONF_VALUE_BYTES])
{
	locale_t old = uselocale(c_locale());

	for (int precision = 15; precision <= 17; precision++) {
		double back;

		(void)snprintf(buf, CONF_VALUE_BYTES, "%.*g", precision, d);
		if (conf_parse_double(buf, &back) == 0 && back == d)
			break;
	}
	uselocale(old);
	return buf;
}

const char *conf_format_span(usec_t span, char buf[CONF_VALUE_BYTES])
{
	size_t len = 0;

	(void)snprintf(buf, CONF_VALUE_BYTES, "0s");
	for (size_t i = 0; i < ARRAY_SIZE(span_units); i++) {
		uint64_t n = span / span_units[i].factor;

		if (n == 0)
			continue;
		span %= span_units[i].factor;
		len += (size_t)snprintf(
			buf + len, CONF_VALUE_BYTES - len, "%" PRIu64 "%s", n, span_units[i].name);
	}
	return buf;
}

const char *conf_format_bytes(uint64_t n, char buf[CONF_VALUE_BYTES])
{
	for (size_t i = 0; i < ARRAY_SIZE(byte_units); i++) {
		if (n == 0 || n % byte_units[i].factor)
			continue;
		(void)snprintf(buf, CONF_VALUE_BYTES, "%" PRIu64 "%s", n / byte_units[i].factor,
			byte_units[i].name);
		return buf;
	}
	(void)snprintf(buf, CONF_VALUE_BYTES, "%" PRIu64, n);
	return buf;
}

int conf_parse_confirm(const char *text, int64_t *ret_failures, int64_t *ret_window)
{
	size_t n = count_digits(text);
	const char *of = text + n;
	int64_t failures, window;
	char first[8];

	if (n == 0 || n >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, n);
	first[n] = '\0';
	of += strspn(of, " ");
	if (of == text + n || strncmp(of, "of ", 3) != 0)
		return -EINVAL;
	of += 3;
	of += strspn(of, " ");
	if (conf_parse_int(first, &failures) < 0 || conf_parse_int(of, &window) < 0)
		return -EINVAL;
	if (failures < 1 || window > 64 || failures > window)
		return -ERANGE;
	*ret_failures = failures;
	*ret_window = window;
	return 0;
}
