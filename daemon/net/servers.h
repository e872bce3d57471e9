/* SPDX-License-Identifier: MIT */
/*
 * net/servers.h: one c-ares channel for each name server, so that it is known which of them
 * answers: c-ares 1.18 does not remember dead servers, and would make every name wait for them.
 * Ranks: a server that did not answer goes to the end for 30 s. The only file that knows <ares.h>.
 * Never blocks after servers_new(), which reads resolv.conf.
 */
#ifndef NET_SERVERS_H
#define NET_SERVERS_H

#include <tend/plugin.h>
#include "loop/loop.h"

enum { SERVERS_MAX = 3 }; /* as the C library */

struct servers;
/* `csv` NULL: what resolv_conf says; else "127.0.0.1:5353,[::1]:5353". Reads small files. */
int servers_new(
	struct loop *loop, const char *resolv_conf, const char *csv, struct servers **ret_servers);
/* Running queries end with -ECANCELED. Never from a servers_fn of the same set. */
struct servers *servers_free(struct servers *servers);
DEFINE_AUTO(struct servers *, servers_free)
size_t servers_count(const struct servers *servers);
size_t servers_running(const struct servers *servers); /* queries; > 0 within a servers_fn */

/* The server to ask as number `nth` (0 = the best now). */
size_t servers_rank(const struct servers *servers, size_t nth);

struct servers_answer {
	int r; /* 0; -ENOENT: no such name; -ETIMEDOUT; -EAGAIN: the server failed;
		  -EINVAL; -ECANCELED; -ENOMEM */
	size_t n_addresses;
	struct tend_address addresses[TEND_RESOLVE_MAX];
	unsigned ttl_sec; /* smallest */
};
/* Always called once, maybe before servers_query() returns. */
typedef void (*servers_fn)(const struct servers_answer *answer, void *data);
void servers_query(
	struct servers *servers, size_t server, const char *name, servers_fn fn, void *data);

#endif
