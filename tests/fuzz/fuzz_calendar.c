/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a schedule: what is parsed comes at a minute that fits, later than asked for, and the
 * instant before it comes to the same. The first byte chooses the zone and the rest is also read as
 * a time and as the name of a zone.
 * Parser: daemon/calendar/cron.c, daemon/calendar/zone.c.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include "calendar/cron.h"
#include "calendar/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
	"UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo"};

static void check_times(const struct cron *cron, const struct zone *zone)
{
	usec_t at = UINT64_C(1325100000) * USEC_PER_SEC; /* in December 2011 */

	for (int i = 0; i < 8; i++) {
		usec_t next = cron_next(cron, zone, at);

		if (next == USEC_INFINITY)
			return;
		assert(next > at && next % (60 * USEC_PER_SEC) == 0);
		assert(cron_next(cron, zone, next - 1) == next);
		at = next;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct zone *zones[ARRAY_SIZE(names)]; /* held: reading one takes a millisecond */
	struct tend_error err;
	const struct zone *zone;
	struct zone *other = NULL;
	char text[512];
	struct cron cron;
	usec_t wall;

	if (size < 1 || size > sizeof(text))
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert(zones[i] || zone_get(names[i], &zones[i], &err) == 0);
	zone = zones[data[0] % ARRAY_SIZE(names)];
	if (cron_parse(text, &cron, &err) == 0) {
		assert(cron.minutes && cron.hours && cron.days && cron.months && cron.weekdays);
		check_times(&cron, zone);
	}
	if (zone_parse(zone, text, &wall, &err) == 0 && wall > 0) {
		char written[ZONE_TEXT_BYTES];

		assert(strlen(zone_format(zone, wall, written)) > 15);
	}
	if (size < 24 && zone_get(text, &other, &err) == 0) /* a wrong one costs a look at all */
		assert(strcmp(zone_name(other), text) == 0);
	zone_free(other);
	return 0;
}
