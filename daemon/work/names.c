/* SPDX-License-Identifier: MIT */
/*
 * getaddrinfo() for the client libraries in tend-work: the program's own goes before libc's. tendd
 * has looked up the one host that the attempt is about: that is what every name means here;
 * literals need no looking up. So no library ever waits for a name server, and none asks one behind
 * tendd's back.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include "work/attempt.h"

struct node {
	struct addrinfo info;
	struct tend_address address;
};

static int parse_port(const char *service, in_port_t *ret_port)
{
	char *end = NULL;
	unsigned long n = service ? strtoul(service, &end, 10) : 0;

	if (service && (*end || end == service || n > 65535))
		return EAI_SERVICE;
	*ret_port = htons((uint16_t)n);
	return 0;
}

static bool parse_literal(const char *text, struct tend_address *ret_address)
{
	*ret_address = (struct tend_address){0};
	if (inet_pton(AF_INET, text, &ret_address->in.sin_addr) == 1) {
		ret_address->length = sizeof(ret_address->in);
		ret_address->in.sin_family = AF_INET;
		return true;
	}
	if (inet_pton(AF_INET6, text, &ret_address->in6.sin6_addr) == 1) {
		ret_address->length = sizeof(ret_address->in6);
		ret_address->in6.sin6_family = AF_INET6;
		return true;
	}
	return false;
}

static struct node *node_new(
	const struct tend_address *address, in_port_t port, const struct addrinfo *hints)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->address = *address;
	if (address->sa.sa_family == AF_INET6)
		node->address.in6.sin6_port = port;
	else
		node->address.in.sin_port = port;
	node->info.ai_family = address->sa.sa_family;
	node->info.ai_socktype = hints && hints->ai_socktype ? hints->ai_socktype : SOCK_STREAM;
	node->info.ai_protocol = hints ? hints->ai_protocol : 0;
	node->info.ai_addr = &node->address.sa;
	node->info.ai_addrlen = address->length;
	return node;
}

/* The names of its parameters are libc's own, which may not be used. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
	struct addrinfo **ret_list)
{
	const struct tend_address *addresses;
	struct tend_address literal;
	struct addrinfo *first = NULL, **tail = &first;
	size_t n = 0;
	in_port_t port;
	int r = parse_port(service, &port);

	if (r != 0)
		return r;
	if (host && parse_literal(host, &literal)) {
		addresses = &literal;
		n = 1;
	} else if (host) {
		n = attempt_current_addresses(&addresses);
	}
	for (size_t i = 0; i < n; i++) {
		struct node *node;

		if (hints && hints->ai_family != AF_UNSPEC &&
			hints->ai_family != addresses[i].sa.sa_family)
			continue;
		node = node_new(&addresses[i], port, hints);
		if (!node) {
			freeaddrinfo(first);
			return EAI_MEMORY;
		}
		*tail = &node->info;
		tail = &node->info.ai_next;
	}
	*ret_list = first;
	return first ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list)
{
	while (list) {
		struct addrinfo *next = list->ai_next;

		free(list); /* the node begins with it */
		list = next;
	}
}
