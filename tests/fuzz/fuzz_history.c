/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a block of the history, as numbers to be packed into one, and as what a configuration
 * says of baselines and forecasts. What was packed is read again as it was, as precisely as it
 * says. Parser: daemon/store/block.c, daemon/conf/usual.c.
 */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include "base/cleanup.h"
#include "conf/conf.h"
#include "store/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static double number(const uint8_t *from)
{
	double v;

	memcpy(&v, from, sizeof(v));
	return isfinite(v) && fabs(v) < 1e300 ? v : (double)*from;
}

static void pack(const uint8_t *data, size_t size)
{
	struct point points[BLOCK_MAX_POINTS], read[BLOCK_MAX_POINTS];
	uint8_t block[BLOCK_MAX_BYTES];
	size_t n = 0, len, n_known = 0;
	unsigned bits;

	for (; n < BLOCK_MAX_POINTS && size >= 9; n++, data += 9, size -= 9) {
		double v = number(data + 1), spread = fabs(v) * data[0] / 512;

		points[n] = (struct point){data[0], v - spread, v, v + spread / 2};
		n_known += data[0] > 0;
	}
	len = block_encode(points, n, 150, block);
	assert((len > 0) == (n_known > 0));
	if (len == 0)
		return;
	assert(block_decode(block, len, read, BLOCK_MAX_POINTS, &bits) == (int)n);
	for (size_t i = 0; i < n; i++) {
		assert(read[i].n == points[i].n);
		assert(read[i].n == 0 ||
			fabs(read[i].mean - points[i].mean) <=
				scalbn(fabs(points[i].mean), -(int)MIN(bits, 20U)));
		assert(read[i].n == 0 ||
			(read[i].min <= read[i].mean && read[i].mean <= read[i].max));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct point points[BLOCK_MAX_POINTS];
	struct baseline baseline;
	struct forecast forecast;
	char text[128];
	int n = block_decode(data, size, points, BLOCK_MAX_POINTS, NULL);

	assert(n <= BLOCK_MAX_POINTS);
	pack(data, size);
	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (baseline_parse(text, &baseline) == 0)
		assert(baseline.n_deviations >= 1 && baseline.at_least >= 0);
	if (forecast_parse(text, &forecast) == 0)
		assert(forecast.within > 0 && forecast.range.start <= forecast.range.end);
	return 0;
}
