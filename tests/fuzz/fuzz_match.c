/* SPDX-License-Identifier: MIT */
/*
 * Bytes as matchers, as times of a week and as a rota; the first byte chooses. Matchers that are
 * taken are written and read again as the same; a time says itself when it begins; somebody is on
 * call without a gap once the first line has begun.
 * Parser: daemon/alert/match.c, daemon/alert/times.c, daemon/alert/rota.c.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include "alert/match.h"
#include "alert/rota.h"
#include "alert/times.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_matchers(const char *text)
{
	auto(matchers_free) struct matchers *m = NULL, *again = NULL;
	auto_free char *written = NULL, *written_again = NULL;
	static json_t *labels;
	struct tend_error err;
	const char *no = NULL;

	if (!labels)
		labels = json_pack("{s:s, s:s, s:s}", "a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
			"severity", "critical", "system", "crm");
	if (matchers_parse(text, &err, &m) < 0)
		return;
	assert(matchers_fit(m, labels, &no) == !no);
	written = matchers_format(m);
	assert(written);
	if (matchers_parse(written, &err, &again) < 0)
		return; /* longer than allowed, once all is quoted */
	written_again = matchers_format(again);
	assert(strcmp(written, written_again) == 0);
	assert(matchers_fit(again, labels, NULL) == !no);
}

static void try_times(const char *text, const struct zone *zone)
{
	usec_t wall = UINT64_C(1325100000) * USEC_PER_SEC; /* in December 2011 */
	struct tend_error err;
	struct times times;

	if (times_parse(text, &err, &times) < 0 && times_parse_moment(text, &err, &times) < 0)
		return;
	assert(times.n > 0 && times.n <= TIMES_MAX_SPANS);
	for (int i = 0; i < 8; i++) {
		usec_t next = times_next(&times, zone, wall);

		assert(next > wall && next != USEC_INFINITY);
		wall = next;
	}
	(void)times_inside(&times, zone, wall);
}

static void try_rota(const char *text, const struct zone *zone)
{
	auto(rota_free) struct rota *rota = NULL;
	usec_t wall = UINT64_C(1325100000) * USEC_PER_SEC, until;
	struct tend_error err;
	bool begun = false;

	if (rota_parse(text, zone, &err, NULL, &rota) < 0)
		return;
	for (int i = 0; i < 32; i++) {
		char *const *names = NULL;
		size_t n = rota_at(rota, wall, &names, &until);

		assert(n <= ROTA_MAX_NAMES && (n == 0 || names[0]));
		assert(until > wall);
		begun = begun || n > 0;
		if (until == USEC_INFINITY)
			break;
		wall = until;
	}
	(void)begun;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"UTC", "Europe/Berlin", "Pacific/Apia"};
	static struct zone *zones[ARRAY_SIZE(names)];
	struct tend_error err;
	char text[8192];

	if (size < 1 || size > sizeof(text))
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert(zones[i] || zone_get(names[i], &zones[i], &err) == 0);
	if (data[0] % 3 == 0)
		try_matchers(text);
	else if (data[0] % 3 == 1)
		try_times(text, zones[data[0] / 3 % ARRAY_SIZE(names)]);
	else
		try_rota(text, zones[data[0] / 3 % ARRAY_SIZE(names)]);
	return 0;
}
