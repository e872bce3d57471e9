/* SPDX-License-Identifier: MIT */
/*
 * base/uuid.h: UUIDv7 (RFC 9562): 48 bits of wall-clock milliseconds, a 12-bit counter that keeps
 * ids of one process in order within a millisecond, 62 random bits. Random bytes from getrandom().
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UUID_TEXT_BYTES = 37 };
char *uuid7(char buf[UUID_TEXT_BYTES]); /* returns buf */
bool uuid_valid(const char *text);

void random_bytes(void *buf, size_t n);
uint64_t random_below(uint64_t limit); /* 0 .. limit-1; 0 for limit 0 */

#endif
