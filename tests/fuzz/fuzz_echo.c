/* SPDX-License-Identifier: MIT */
/* What comes by a socket for ICMP, of IPv4 with and without the IP header, and of IPv6.
 * Parser: daemon/net/echo.c.
 */
#include <stdint.h>
#include <sys/socket.h>
#include "net/echo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char buf[128];
	struct echo echo;

	(void)echo_parse(AF_INET, false, data, size, &echo);
	(void)echo_parse(AF_INET6, false, data, size, &echo);
	if (!echo_parse(AF_INET, true, data, size, &echo))
		return 0;
	if (echo_build(AF_INET, &echo, 7, buf, sizeof(buf)) != 0 ||
		echo_build(AF_INET, &echo, 121, buf, sizeof(buf)) != 0 ||
		echo_build(AF_INET, &echo, 57, buf, sizeof(buf)) != 65 ||
		echo_build(AF_INET6, &echo, 16, buf, sizeof(buf)) != 24)
		__builtin_trap();
	return 0;
}
