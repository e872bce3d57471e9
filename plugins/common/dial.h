/* SPDX-License-Identifier: MIT */
/*
 * common/dial.h: from a name and a port to a connected socket. Addresses are tried in the order of
 * RFC 8305: families in turn, the next one after 250 ms or as soon as one has failed; the first
 * that answers wins. A struct dial lies in its user's memory, which must live until the attempt
 * ends. Never blocks. `fn` is called once; the socket is then the callee's.
 */
#ifndef COMMON_DIAL_H
#define COMMON_DIAL_H

#include <netinet/in.h>
#include <tend/plugin.h>

enum { DIAL_WHERE_BYTES = 128 };

struct dial;
struct dial_try {
	struct dial *dial;
	int fd;
	struct tend_io *io;
	size_t address;
};
typedef void (*dial_fn)(int fd, enum tend_reason reason, const char *why, void *data);
struct dial {
	struct tend_attempt *attempt;
	const char *host;
	uint16_t port;
	int family; /* AF_UNSPEC, AF_INET, AF_INET6 */
	dial_fn fn;
	void *data;
	bool over, resolved;
	usec_t started, dns_usec, connect_usec; /* as far as it came */
	size_t n_addresses, n_begun, n_failed;
	struct tend_address addresses[TEND_RESOLVE_MAX];
	struct dial_try tries[TEND_RESOLVE_MAX];
	struct tend_timer *timers[TEND_RESOLVE_MAX];
	int error;		      /* the most telling one */
	char where[DIAL_WHERE_BYTES]; /* "127.0.0.1 port 25", of the address that says most */
};

void dial_start(struct dial *d, struct tend_attempt *a, const char *host, int64_t port, int family,
	dial_fn fn, void *data);
void dial_stop(struct dial *d); /* closes what is open; idempotent */

/* What is said to this host never leaves the machine, as far as its name tells. */
bool dial_stays_here(const char *host);
void dial_address_text(const struct tend_address *address, unsigned port, char *buf, size_t size);
/* Puts the families in turn, beginning with that of the first; drops those not wanted. */
size_t dial_order(const struct tend_address *addresses, size_t n, int family,
	struct tend_address ret_addresses[TEND_RESOLVE_MAX]);

#endif
