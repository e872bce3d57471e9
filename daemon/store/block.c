/* SPDX-License-Identifier: MIT */
#include "store/block.h"
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include "base/cleanup.h"

enum {
	BITS_EXACT = 27, /* every value is a whole number of steps: at most so many bits */
	BITS_MAX = 14,
	BITS_MIN = 5,
	FORMAT = 1,
	/* Rice parameters: RICE_NONE says that every value is 0 and takes no bit. */
	RICE_MAX = 26,
	RICE_NONE = 31,
	RICE_ESCAPE = 18, /* so many ones: the value follows as it is */
	SCALE_BIAS = 1100,
};

enum { STREAM_N, STREAM_MEAN, STREAM_LOW, STREAM_HIGH, STREAM_MAX };

/* ---- bits ----------------------------------------------------------------------------------- */

struct bits {
	uint8_t *out; /* NULL: read */
	const uint8_t *in;
	size_t pos, end; /* in bits */
	bool over;
};

static void put(struct bits *b, uint32_t value, unsigned n)
{
	for (unsigned i = n; i-- > 0; b->pos++) {
		if (b->pos >= b->end) {
			b->over = true;
			return;
		}
		if (value >> i & 1)
			b->out[b->pos / 8] |= (uint8_t)(0x80u >> b->pos % 8);
	}
}

static uint32_t get(struct bits *b, unsigned n)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < n; i++, b->pos++) {
		if (b->pos >= b->end) {
			b->over = true;
			return 0;
		}
		value = value << 1 | (b->in[b->pos / 8] >> (7 - b->pos % 8) & 1u);
	}
	return value;
}

static uint32_t zigzag(int32_t v)
{
	return (uint32_t)v << 1 ^ (v < 0 ? UINT32_MAX : 0);
}

static int32_t unzigzag(uint32_t v)
{
	return (int32_t)(v >> 1 ^ (v & 1 ? UINT32_MAX : 0));
}

/* ---- one value as a whole number ------------------------------------------------------------ */

/* Linear below 2^(bits + 1) steps of 2^scale, from there on logarithmic with 2^bits steps an
 * octave: without a break, and monotone. */
static int32_t quantize(double v, int scale, unsigned bits)
{
	int top = v == 0 ? 0 : ilogb(v) - scale, octave = MAX(0, top - (int)bits);
	int32_t q =
		(int32_t)(octave * (1 << bits)) + (int32_t)lrint(scalbn(fabs(v), -scale - octave));

	return v < 0 ? -q : q;
}

static double dequantize(int32_t q, int scale, unsigned bits)
{
	int64_t a = q < 0 ? -(int64_t)q : q;
	int octave = a < 2LL << bits ? 0 : (int)(a >> bits) - 1;
	double x = scalbn((double)(a - octave * (1LL << bits)), octave + scale);

	return q < 0 ? -x : x;
}

/* The exponent of the lowest bit that is set: v is a multiple of 2^it. */
static int lowest_bit(double v)
{
	int exponent;
	int64_t mantissa = (int64_t)scalbn(frexp(v, &exponent), 53);

	return exponent - 53 + __builtin_ctzll((unsigned long long)mantissa);
}

struct span {
	int least; /* exponent of the least value that is not 0 */
	int greatest;
	int lowest; /* bit that any of them has set */
	bool any;
};

static void span_add(struct span *span, double v)
{
	if (v == 0)
		return;
	if (!span->any || ilogb(v) < span->least)
		span->least = ilogb(v);
	if (!span->any || ilogb(v) > span->greatest)
		span->greatest = ilogb(v);
	if (!span->any || lowest_bit(v) < span->lowest)
		span->lowest = lowest_bit(v);
	span->any = true;
}

static bool is_exact(const struct span *span)
{
	return span->greatest - span->lowest < BITS_EXACT;
}

static int scale_of(const struct span *span, unsigned bits)
{
	return span->any ? MAX(span->least - (int)bits, span->lowest) : 0;
}

/* ---- streams -------------------------------------------------------------------------------- */

struct streams {
	uint32_t values[STREAM_MAX][BLOCK_MAX_POINTS];
	size_t len[STREAM_MAX];
};

static void append(struct streams *s, unsigned which, uint32_t value)
{
	s->values[which][s->len[which]++] = value;
}

static void split(
	const struct point *points, size_t n_points, int scale, unsigned bits, struct streams *s)
{
	int32_t mean = 0, n = 0;

	memset(s->len, 0, sizeof(s->len));
	for (size_t i = 0; i < n_points; i++) {
		const struct point *p = &points[i];
		int32_t q;

		append(s, STREAM_N, zigzag((int32_t)p->n - n));
		n = (int32_t)p->n;
		if (p->n == 0)
			continue;
		q = quantize(p->mean, scale, bits);
		append(s, STREAM_MEAN, zigzag(q - mean));
		/* The mean of equal values may differ from them in its last bit. */
		append(s, STREAM_LOW, (uint32_t)MAX(0, q - quantize(p->min, scale, bits)));
		append(s, STREAM_HIGH, (uint32_t)MAX(0, quantize(p->max, scale, bits) - q));
		mean = q;
	}
}

static size_t rice_bits(const uint32_t *values, size_t n, unsigned k)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += values[i] >> k < RICE_ESCAPE ? (values[i] >> k) + 1 + k : RICE_ESCAPE + 32;
	return sum;
}

static unsigned rice_parameter(const uint32_t *values, size_t n)
{
	unsigned best = 0;
	size_t least = SIZE_MAX;
	uint32_t all = 0;

	for (size_t i = 0; i < n; i++)
		all |= values[i];
	if (all == 0)
		return RICE_NONE;
	for (unsigned k = 0; k <= RICE_MAX; k++) {
		size_t sum = rice_bits(values, n, k);

		if (sum < least) {
			least = sum;
			best = k;
		}
	}
	return best;
}

static void rice_put(struct bits *b, uint32_t value, unsigned k)
{
	uint32_t ones = value >> k;

	if (ones >= RICE_ESCAPE) {
		put(b, (1u << RICE_ESCAPE) - 1, RICE_ESCAPE);
		put(b, value, 32);
		return;
	}
	put(b, (1u << ones) - 1, ones);
	put(b, 0, 1);
	put(b, value & ((1u << k) - 1), k);
}

static uint32_t rice_get(struct bits *b, unsigned k)
{
	uint32_t ones = 0;

	if (k == RICE_NONE)
		return 0;
	while (ones < RICE_ESCAPE && get(b, 1))
		ones++;
	return ones == RICE_ESCAPE ? get(b, 32) : ones << k | get(b, k);
}

/* The first of a stream says where it begins: outside of the code, which is for changes. */
static void first_put(struct bits *b, uint32_t value)
{
	unsigned n = value ? 32 - (unsigned)__builtin_clz(value) : 0;

	put(b, n, 6);
	put(b, value, n);
}

static uint32_t first_get(struct bits *b)
{
	unsigned n = get(b, 6);

	return n > 32 ? (b->over = true, 0) : get(b, n);
}

/* ---- the block ------------------------------------------------------------------------------ */

/* Head: format (3 bits), bits of precision (4), points (6), scale (12); then the streams, each with
 * its parameter (5) before it. */
static size_t write_block(const struct streams *s, size_t n_points, int scale, unsigned bits,
	uint8_t buf[BLOCK_MAX_BYTES])
{
	struct bits b = {.out = buf, .end = (size_t)BLOCK_MAX_BYTES * 8};

	memset(buf, 0, BLOCK_MAX_BYTES);
	put(&b, FORMAT, 3);
	put(&b, bits == BITS_EXACT ? 0 : bits, 4);
	put(&b, (uint32_t)n_points, 6);
	put(&b, (uint32_t)(scale + SCALE_BIAS), 12);
	for (unsigned which = 0; which < STREAM_MAX; which++) {
		const uint32_t *values = s->values[which];
		size_t first = which == STREAM_N || which == STREAM_MEAN ? 1 : 0;
		unsigned k = rice_parameter(values + first, s->len[which] - first);

		if (first)
			first_put(&b, values[0]);
		put(&b, k, 5);
		for (size_t i = first; k != RICE_NONE && i < s->len[which]; i++)
			rice_put(&b, values[i], k);
	}
	return b.over ? 0 : (b.pos + 7) / 8;
}

size_t block_encode(
	const struct point *points, size_t n_points, size_t room, uint8_t buf[BLOCK_MAX_BYTES])
{
	struct streams streams;
	struct span span = {0};
	bool any = false;
	size_t len = 0;

	for (size_t i = 0; i < n_points && n_points <= BLOCK_MAX_POINTS; i++) {
		if (points[i].n == 0)
			continue;
		any = true;
		span_add(&span, points[i].min);
		span_add(&span, points[i].mean);
		span_add(&span, points[i].max);
	}
	if (!any)
		return 0;
	for (unsigned bits = is_exact(&span) ? BITS_EXACT : BITS_MAX; bits >= BITS_MIN;
		bits = bits == BITS_EXACT ? BITS_MAX : bits - 1) {
		int scale = scale_of(&span, bits);

		split(points, n_points, scale, bits, &streams);
		len = write_block(&streams, n_points, scale, bits, buf);
		if (len > 0 && len <= room)
			break;
	}
	return len;
}

static void read_values(struct bits *b, int scale, unsigned bits, struct point *points, size_t n)
{
	int32_t means[BLOCK_MAX_POINTS] = {0};
	int32_t mean = unzigzag(first_get(b));
	unsigned k = get(b, 5);
	bool first = true;

	for (size_t i = 0; i < n; i++) {
		if (points[i].n == 0)
			continue;
		if (!first)
			mean = (int32_t)((uint32_t)mean + (uint32_t)unzigzag(rice_get(b, k)));
		first = false;
		means[i] = mean;
		points[i].mean = dequantize(mean, scale, bits);
	}
	k = get(b, 5);
	for (size_t i = 0; i < n; i++)
		if (points[i].n > 0)
			points[i].min = dequantize(
				(int32_t)((uint32_t)means[i] - rice_get(b, k)), scale, bits);
	k = get(b, 5);
	for (size_t i = 0; i < n; i++)
		if (points[i].n > 0)
			points[i].max = dequantize(
				(int32_t)((uint32_t)means[i] + rice_get(b, k)), scale, bits);
}

int block_decode(
	const uint8_t *buf, size_t len, struct point *points, size_t max, unsigned *ret_bits)
{
	struct bits b = {.in = buf, .end = len * 8};
	unsigned format = get(&b, 3), bits = get(&b, 4), k;
	size_t n = get(&b, 6);
	int scale = (int)get(&b, 12) - SCALE_BIAS;
	uint32_t samples;

	if (bits == 0)
		bits = BITS_EXACT;
	if (b.over || format != FORMAT || bits < BITS_MIN ||
		(bits > BITS_MAX && bits != BITS_EXACT) || n > max || n > BLOCK_MAX_POINTS ||
		scale > 1023)
		return -EBADMSG;
	samples = (uint32_t)unzigzag(first_get(&b));
	k = get(&b, 5);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			samples += (uint32_t)unzigzag(rice_get(&b, k));
		points[i] = (struct point){.n = samples};
	}
	read_values(&b, scale, bits, points, n);
	if (b.over)
		return -EBADMSG;
	if (ret_bits)
		*ret_bits = bits;
	return (int)n;
}

void point_add(struct point *a, const struct point *b)
{
	if (b->n == 0)
		return;
	if (a->n == 0) {
		*a = *b;
		return;
	}
	a->min = fmin(a->min, b->min);
	a->max = fmax(a->max, b->max);
	a->mean += (b->mean - a->mean) * ((double)b->n / ((double)a->n + (double)b->n));
	a->n += b->n;
}
