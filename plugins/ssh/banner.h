/* SPDX-License-Identifier: MIT */
/* ssh/banner.h: how an SSH server introduces itself (RFC 4253 section 4.2). Pure. */
#ifndef SSH_BANNER_H
#define SSH_BANNER_H

#include <stdbool.h>
#include <stddef.h>

enum { BANNER_MAX_LINES = 64, BANNER_MAX_LINE_BYTES = 1024, BANNER_BYTES = 256 };
enum banner_what {
	BANNER_MORE,
	BANNER_FOUND,
	BANNER_BROKEN, /* not SSH */
	BANNER_FULL,   /* too many others log in just now */
	BANNER_DENIED, /* we are not let in */
};
struct banner {
	char protocol[16];	     /* "2.0" */
	char software[BANNER_BYTES]; /* "OpenSSH_9.2p1 Debian-2" */
	size_t used;		     /* how much of the input it and the lines before it take */
};
/* All that has come so far. Lines before the one that counts are skipped. */
enum banner_what banner_find(const char *data, size_t len, struct banner *ret_banner);

#endif
