/* SPDX-License-Identifier: MIT */
#include "net/address.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_zone(const char *zone, uint32_t *ret_scope)
{
	char *end = NULL;
	unsigned long number = strtoul(zone, &end, 10);
	unsigned index;

	if (end != zone && !*end && number > 0 && number <= UINT32_MAX) {
		*ret_scope = (uint32_t)number;
		return 0;
	}
	index = if_nametoindex(zone);
	if (index == 0)
		return -EINVAL;
	*ret_scope = index;
	return 0;
}

static int parse_in6(char *text, struct tend_address *ret_address)
{
	struct tend_address a = {.length = sizeof(a.in6)};
	char *zone = strchr(text, '%');

	if (zone)
		*zone++ = '\0';
	a.in6.sin6_family = AF_INET6;
	if (inet_pton(AF_INET6, text, &a.in6.sin6_addr) != 1)
		return -EINVAL;
	if (zone && parse_zone(zone, &a.in6.sin6_scope_id) < 0)
		return -EINVAL;
	*ret_address = a;
	return 0;
}

int address_parse(const char *text, struct tend_address *ret_address)
{
	struct tend_address a = {.length = sizeof(a.in)};
	size_t n = strlen(text);
	char copy[INET6_ADDRSTRLEN + IF_NAMESIZE + 2];

	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	} else if (!strchr(text, ':')) {
		a.in.sin_family = AF_INET;
		if (inet_pton(AF_INET, text, &a.in.sin_addr) != 1)
			return -EINVAL;
		*ret_address = a;
		return 0;
	}
	if (n >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, n);
	copy[n] = '\0';
	return parse_in6(copy, ret_address);
}

const char *address_format(const struct tend_address *address, char buf[ADDRESS_TEXT_BYTES])
{
	char plain[INET6_ADDRSTRLEN] = "";

	if (address->sa.sa_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &address->in6.sin6_addr, plain, sizeof(plain));
		(void)snprintf(buf, ADDRESS_TEXT_BYTES, "[%s]", plain);
	} else {
		(void)inet_ntop(AF_INET, &address->in.sin_addr, plain, sizeof(plain));
		(void)snprintf(buf, ADDRESS_TEXT_BYTES, "%s", plain);
	}
	return buf;
}

bool address_eq(const struct tend_address *a, const struct tend_address *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET6)
		return a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
		       memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) == 0;
	return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
}
