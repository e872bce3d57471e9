/* SPDX-License-Identifier: MIT */
/* net/echo.h: echo requests and replies of ICMP and ICMPv6 as bytes. Pure. */
#ifndef NET_ECHO_H
#define NET_ECHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ECHO_HEADER_BYTES = 8, ECHO_NONCE_BYTES = 8, ECHO_MAX_PAYLOAD_BYTES = 16384 };

struct echo {
	uint16_t id, sequence;
	uint64_t nonce; /* the payload's first bytes */
};
/* Of IPv4 or IPv6; payload_bytes >= ECHO_NONCE_BYTES. Returns the bytes written. The checksum of
 * ICMPv6 is the kernel's. */
size_t echo_build(
	int family, const struct echo *echo, size_t payload_bytes, unsigned char *buf, size_t size);
/* `with_ip`: it begins with an IPv4 header. False: it is no echo reply with a nonce. */
bool echo_parse(int family, bool with_ip, const void *data, size_t len, struct echo *ret_echo);

#endif
