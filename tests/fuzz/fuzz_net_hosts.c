/* SPDX-License-Identifier: MIT */
/* /etc/hosts, and each of its words as an address.
 * Parser: daemon/net/hosts.c, daemon/net/address.c.
 */
#include <stdint.h>
#include <string.h>
#include "net/address.h"
#include "net/hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hosts hosts = {0};
	struct tend_address address;
	char word[128], text[ADDRESS_TEXT_BYTES];
	size_t n = size < sizeof(word) - 1 ? size : sizeof(word) - 1;

	if (hosts_parse(&hosts, (const char *)data, size) == 0)
		(void)hosts_find(&hosts, "localhost");
	/* A file without a word takes the place of what was there. */
	if (hosts_refresh(&hosts, "/dev/null") < 0 || hosts_find(&hosts, "localhost"))
		__builtin_trap();
	hosts_clear(&hosts);
	memcpy(word, data, n);
	word[n] = '\0';
	if (address_parse(word, &address) == 0) {
		struct tend_address again;
		if (address.in6.sin6_family == AF_INET6)
			address.in6.sin6_scope_id = 0; /* text has no zone */
		if (address_parse(address_format(&address, text), &again) < 0 ||
			!address_eq(&address, &again))
			__builtin_trap();
	}
	return 0;
}
