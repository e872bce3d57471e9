/* SPDX-License-Identifier: MIT */
/*
 * net/allow.h: which addresses a webhook may be posted to. Whoever can set a name in the DNS must
 * not be able to point Tend at the machine it runs on, at its network, or at the cloud's metadata:
 * a name may lead only to public addresses, unless the address is listed. An address that is
 * written in the configuration as such is consent for itself. Pure; borrows everything.
 */
#ifndef NET_ALLOW_H
#define NET_ALLOW_H

#include <tend/plugin.h>

enum address_class {
	ADDRESS_PUBLIC,
	ADDRESS_LOOPBACK,
	ADDRESS_LINK_LOCAL,
	ADDRESS_METADATA, /* of a cloud: gives credentials to whoever asks */
	ADDRESS_PRIVATE,
	ADDRESS_MULTICAST,
	ADDRESS_RESERVED, /* no host of the internet has it */
	ADDRESS_CLASS_MAX,
};
extern const char *const address_class_names[ADDRESS_CLASS_MAX];

/* An IPv6 address that carries an IPv4 one (mapped, NAT64, 6to4, ISATAP) is what that one is. */
enum address_class address_class_of(const struct tend_address *address);

struct address_net { /* "10.0.0.0/8", "2001:db8::/32", "192.0.2.7" */
	int family;
	unsigned n_bits;
	unsigned char bytes[16];
};
/* -EINVAL: no address, a prefix that is too long, or bits set behind it. */
int address_net_parse(const char *text, struct address_net *ret_net);
/* Also when the address carries one of the net in itself, as ::ffff:10.0.0.1 that of 10.0.0.0/8. */
bool address_net_has(const struct address_net *net, const struct tend_address *address);

enum { ADDRESS_REFUSAL_BYTES = 160 };
struct address_guard {
	char *const *const
		*lists; /* lists of nets as text, each NULL-terminated or NULL; good ones */
	size_t n_lists;
	bool is_literal;  /* the address itself was written, not a name */
	bool listed_only; /* nothing but loopback that was written, and what is listed */
};
/* `refusal` says why not. */
bool address_is_allowed(const struct address_guard *guard, const struct tend_address *address,
	char refusal[ADDRESS_REFUSAL_BYTES]);

#endif
