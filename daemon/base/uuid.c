/* SPDX-License-Identifier: MIT */
#include "base/uuid.h"
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include "base/clock.h"

void random_bytes(void *buf, size_t n)
{
	unsigned char *p = buf;

	while (n > 0) {
		ssize_t k = getrandom(p, n, 0);
		if (k < 0) {
			assert(errno == EINTR);
			continue;
		}
		p += k;
		n -= (size_t)k;
	}
}

uint64_t random_below(uint64_t limit)
{
	uint64_t r;

	if (limit < 2)
		return 0;
	random_bytes(&r, sizeof(r));
	/* The bias is limit / 2^64: far below anything a jitter could show. */
	return r % limit;
}

char *uuid7(char buf[UUID_TEXT_BYTES])
{
	static uint64_t last_msec;
	static unsigned counter;
	unsigned char b[16];
	uint64_t msec = clock_wall() / USEC_PER_MSEC;

	random_bytes(b, sizeof(b));
	if (msec > last_msec) {
		last_msec = msec;
		counter = b[6] & 0x07;
	} else if (++counter > 0xfff) {
		/* The clock stands or went back: borrow from the future, order matters more. */
		last_msec++;
		counter = 0;
	}
	for (int i = 0; i < 6; i++)
		b[i] = (unsigned char)(last_msec >> (40 - 8 * i));
	b[6] = (unsigned char)(0x70 | counter >> 8);
	b[7] = (unsigned char)counter;
	b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
	(void)snprintf(buf, UUID_TEXT_BYTES,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
	return buf;
}

bool uuid_valid(const char *text)
{
	for (int i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return text[36] == '\0';
}
