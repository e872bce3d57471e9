/* SPDX-License-Identifier: MIT */
/*
 * net/address.h: addresses as text. Pure; never blocks (an interface name in a zone is looked up in
 * the kernel).
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <tend/plugin.h>

enum { ADDRESS_TEXT_BYTES = INET6_ADDRSTRLEN + 3 };

/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]", "fe80::1%eth0". -EINVAL when it is no literal. */
int address_parse(const char *text, struct tend_address *ret_address);
/* "192.0.2.1", "[2001:db8::1]": as it stands in a URL, without a zone. */
const char *address_format(const struct tend_address *address, char buf[ADDRESS_TEXT_BYTES]);
bool address_eq(const struct tend_address *a, const struct tend_address *b);

#endif
