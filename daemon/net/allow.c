/* SPDX-License-Identifier: MIT */
#include "net/allow.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "net/address.h"

const char *const address_class_names[ADDRESS_CLASS_MAX] = {
	[ADDRESS_PUBLIC] = "public",
	[ADDRESS_LOOPBACK] = "loopback",
	[ADDRESS_LINK_LOCAL] = "link-local",
	[ADDRESS_METADATA] = "a cloud's metadata",
	[ADDRESS_PRIVATE] = "private",
	[ADDRESS_MULTICAST] = "multicast",
	[ADDRESS_RESERVED] = "reserved",
};

/* The registries of special addresses (RFC 6890 and its successors), narrower nets first. */
static const struct {
	const char *net;
	enum address_class class;
} classes[] = {
	{"169.254.169.254/32", ADDRESS_METADATA}, /* AWS, Azure, GCP, OpenStack */
	{"169.254.170.2/32", ADDRESS_METADATA},	  /* AWS, containers */
	{"169.254.169.253/32", ADDRESS_METADATA}, /* AWS, DNS */
	{"100.100.100.200/32", ADDRESS_METADATA}, /* Alibaba */
	{"168.63.129.16/32", ADDRESS_METADATA},	  /* Azure, host agent */
	{"192.0.0.192/32", ADDRESS_METADATA},	  /* Oracle */
	{"127.0.0.0/8", ADDRESS_LOOPBACK},
	{"169.254.0.0/16", ADDRESS_LINK_LOCAL},
	{"10.0.0.0/8", ADDRESS_PRIVATE},
	{"172.16.0.0/12", ADDRESS_PRIVATE},
	{"192.168.0.0/16", ADDRESS_PRIVATE},
	{"100.64.0.0/10", ADDRESS_PRIVATE}, /* a provider's own */
	{"0.0.0.0/8", ADDRESS_RESERVED},    /* Linux takes 0.0.0.0 for loopback */
	{"192.0.0.0/24", ADDRESS_RESERVED},
	{"192.0.2.0/24", ADDRESS_RESERVED},
	{"192.88.99.0/24", ADDRESS_RESERVED},
	{"198.18.0.0/15", ADDRESS_RESERVED},
	{"198.51.100.0/24", ADDRESS_RESERVED},
	{"203.0.113.0/24", ADDRESS_RESERVED},
	{"224.0.0.0/4", ADDRESS_MULTICAST},
	{"240.0.0.0/4", ADDRESS_RESERVED},
	{"fd00:ec2::254/128", ADDRESS_METADATA}, /* AWS */
	{"fd20:ce::254/128", ADDRESS_METADATA},	 /* GCP */
	{"fd00:42::42/128", ADDRESS_METADATA},	 /* Scaleway */
	{"::1/128", ADDRESS_LOOPBACK},
	{"::/128", ADDRESS_RESERVED},
	{"fe80::/10", ADDRESS_LINK_LOCAL},
	{"fc00::/7", ADDRESS_PRIVATE},
	{"fec0::/10", ADDRESS_PRIVATE},
	{"64:ff9b:1::/48", ADDRESS_PRIVATE}, /* NAT64 of one's own */
	{"ff00::/8", ADDRESS_MULTICAST},
	{"100::/64", ADDRESS_RESERVED},
	{"2001::/23", ADDRESS_RESERVED}, /* Teredo, ORCHID, benchmarks */
	{"2001:db8::/32", ADDRESS_RESERVED},
	{"3fff::/20", ADDRESS_RESERVED},
	{"5f00::/16", ADDRESS_RESERVED},
};

/* Where an IPv6 address of a net carries an IPv4 one. */
static const struct {
	const char *net;
	unsigned at;
} carriers[] = {
	{"::ffff:0:0/96", 12},
	{"::ffff:0:0:0/96", 12}, /* RFC 2765 */
	{"64:ff9b::/96", 12},
	{"64:ff9b:1::/48", 12},
	{"2002::/16", 2},
};

static bool bits_equal(const unsigned char *a, const unsigned char *b, unsigned n_bits)
{
	unsigned n_bytes = n_bits / 8, rest = n_bits % 8;

	if (memcmp(a, b, n_bytes) != 0)
		return false;
	return rest == 0 || (a[n_bytes] ^ b[n_bytes]) >> (8 - rest) == 0;
}

static const unsigned char *bytes_of(const struct tend_address *address)
{
	return address->sa.sa_family == AF_INET6
		       ? address->in6.sin6_addr.s6_addr
		       : (const unsigned char *)&address->in.sin_addr.s_addr;
}

int address_net_parse(const char *text, struct address_net *ret_net)
{
	struct tend_address address;
	struct address_net net = {0};
	size_t len = strcspn(text, "/");
	char copy[64], *end;
	unsigned max;

	if (len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (strchr(copy, '%') || address_parse(copy, &address) < 0)
		return -EINVAL;
	net.family = address.sa.sa_family;
	max = net.family == AF_INET6 ? 128 : 32;
	memcpy(net.bytes, bytes_of(&address), max / 8);
	net.n_bits = max;
	if (text[len] == '/') {
		unsigned long n = strtoul(text + len + 1, &end, 10);

		if (end == text + len + 1 || *end || text[len + 1] == '-' || text[len + 1] == '+' ||
			n > max)
			return -EINVAL;
		net.n_bits = (unsigned)n;
	}
	for (unsigned bit = net.n_bits; bit < max; bit++)
		if (net.bytes[bit / 8] & (0x80u >> bit % 8))
			return -EINVAL;
	*ret_net = net;
	return 0;
}

static bool net_has_itself(const struct address_net *net, const struct tend_address *address)
{
	return net->family == address->sa.sa_family &&
	       bits_equal(net->bytes, bytes_of(address), net->n_bits);
}

static bool text_net_has(const char *text, const struct tend_address *address)
{
	struct address_net net;

	return address_net_parse(text, &net) == 0 && net_has_itself(&net, address);
}

/* ISATAP: ...:0:5efe:a.b.c.d, with the bit of a unique address or without (RFC 5214). */
static bool is_isatap(const unsigned char *bytes)
{
	return (bytes[8] & 0xfd) == 0 && bytes[9] == 0 && bytes[10] == 0x5e && bytes[11] == 0xfe;
}

/* The IPv4 address that this one carries. */
static bool get_carried(const struct tend_address *address, struct tend_address *ret_carried)
{
	struct tend_address carried = {.length = sizeof(carried.in)};
	const unsigned char *bytes = bytes_of(address);
	unsigned at = 0;

	if (address->sa.sa_family != AF_INET6)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(carriers) && !at; i++)
		if (text_net_has(carriers[i].net, address))
			at = carriers[i].at;
	if (!at && is_isatap(bytes))
		at = 12;
	/* ::a.b.c.d, of old; not :: and ::1 */
	if (!at && text_net_has("::/96", address) && (bytes[12] || bytes[13] || bytes[14]))
		at = 12;
	if (!at)
		return false;
	carried.in.sin_family = AF_INET;
	memcpy(&carried.in.sin_addr.s_addr, bytes + at, 4);
	*ret_carried = carried;
	return true;
}

static enum address_class own_class(const struct tend_address *address)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (text_net_has(classes[i].net, address))
			return classes[i].class;
	return ADDRESS_PUBLIC;
}

enum address_class address_class_of(const struct tend_address *address)
{
	enum address_class class = own_class(address);
	struct tend_address carried;

	/* The worse of both: neither may hide the other. */
	if (class != ADDRESS_PUBLIC || !get_carried(address, &carried))
		return class;
	return own_class(&carried);
}

bool address_net_has(const struct address_net *net, const struct tend_address *address)
{
	struct tend_address carried;

	return net_has_itself(net, address) ||
	       (get_carried(address, &carried) && net_has_itself(net, &carried));
}

static bool is_listed(const struct address_guard *guard, const struct tend_address *address)
{
	for (size_t i = 0; i < guard->n_lists; i++)
		for (char *const *text = guard->lists[i]; text && *text; text++) {
			struct address_net net;

			if (address_net_parse(*text, &net) == 0 && address_net_has(&net, address))
				return true;
		}
	return false;
}

bool address_is_allowed(const struct address_guard *guard, const struct tend_address *address,
	char refusal[ADDRESS_REFUSAL_BYTES])
{
	enum address_class class = address_class_of(address);
	char text[ADDRESS_TEXT_BYTES];

	if (is_listed(guard, address))
		return true;
	address_format(address, text);
	if (guard->listed_only && !(guard->is_literal && class == ADDRESS_LOOPBACK)) {
		snprintf(refusal, ADDRESS_REFUSAL_BYTES,
			"%s is not listed in 'allow', and http:// is not encrypted", text);
		return false;
	}
	if (class == ADDRESS_PUBLIC || (guard->is_literal && class != ADDRESS_METADATA))
		return true;
	snprintf(refusal, ADDRESS_REFUSAL_BYTES,
		"the address %s is %s, where notices do not go unless 'allow' lists it", text,
		address_class_names[class]);
	return false;
}
