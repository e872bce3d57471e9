/* SPDX-License-Identifier: MIT */
/*
 * base/hash.h: FNV-1a, to find things and to see that they changed. Not against those who gain by
 * two that are alike: there is no seed, and what is kept on the disk counts on that.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_INIT   UINT64_C(0xcbf29ce484222325)
#define HASH32_INIT UINT32_C(0x811c9dc5)

static inline uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* Without its end: "a" "b" is "ab" "". */
static inline uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash;
}

static inline uint32_t hash32_bytes(uint32_t hash, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * UINT32_C(0x1000193);
	return hash;
}

#endif
