/* SPDX-License-Identifier: MIT */
/*
 * store/block.h: many points of one metric in few bytes: 60 minutes, or 24 hours. A point has the
 * number of samples, their least, mean and greatest value. Values are kept to a relative precision
 * of 2^-(BITS + 1), BITS as many of 5 to 14 as fit into the room a block may take; counts, and
 * whatever is a multiple of one power of two, are exact while there is room. The mean goes
 * as the difference from the one before, the others as distances from the mean, each in Rice codes
 * of its own parameter (R. F. Rice, JPL Publication 79-22, 1979). Pure; nothing is kept.
 */
#ifndef STORE_BLOCK_H
#define STORE_BLOCK_H

#include <stddef.h>
#include <stdint.h>

enum { BLOCK_MAX_POINTS = 60, BLOCK_MAX_BYTES = 1200 };

struct point {
	uint32_t n; /* samples; 0: none, the values mean nothing */
	double min, mean, max;
};

/* How many samples `b` adds to `a`; `a` becomes both. */
void point_add(struct point *a, const struct point *b);

/* Writes the points into `buf`, in `room` bytes if any precision does that. Returns the bytes
 * written; 0: there is no sample at all, or more than BLOCK_MAX_POINTS. */
size_t block_encode(
	const struct point *points, size_t n_points, size_t room, uint8_t buf[BLOCK_MAX_BYTES]);

/* Reads a block of at most `max` points; how many it has, or -EBADMSG: not one of ours. Bits of the
 * precision in *ret_bits (may be NULL). */
int block_decode(
	const uint8_t *buf, size_t len, struct point *points, size_t max, unsigned *ret_bits);

#endif
