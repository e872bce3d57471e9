/* SPDX-License-Identifier: MIT */
/*
 * ssh/kex.h: the beginning of a key exchange (RFC 4253, RFC 8731, curve25519-sha256), as far as the
 * server has shown its host key and proven that it holds it. Nothing is encrypted yet, nobody logs
 * in. Pure but for random numbers; what the server says is foreign and bounded. Freed by
 * kex_free().
 */
#ifndef SSH_KEX_H
#define SSH_KEX_H

#include <stdbool.h>
#include <stddef.h>

enum {
	KEX_MAX_PACKET_BYTES = 35000, /* RFC 4253 section 6.1 */
	KEX_OUT_BYTES = 2048,
	KEX_FINGERPRINT_BYTES = 64,
	KEX_TYPE_BYTES = 32,
};
enum kex_what {
	KEX_MORE,
	KEX_SEND, /* `out` is to be sent, then go on */
	KEX_DONE, /* the key is known and proven */
	KEX_BROKEN,
};

struct kex;
/* Identification strings without their ends of line. NULL: no memory, no random numbers. */
struct kex *kex_new(const char *ours, const char *theirs);
struct kex *kex_free(struct kex *kex);
/* Our first packet. */
size_t kex_begin(struct kex *kex, unsigned char out[KEX_OUT_BYTES]);
/* What the server sends after its banner. */
enum kex_what kex_feed(struct kex *kex, const unsigned char *data, size_t len, size_t *ret_used,
	unsigned char out[KEX_OUT_BYTES], size_t *ret_out);
const char *kex_why(const struct kex *kex);	    /* of KEX_BROKEN */
const char *kex_fingerprint(const struct kex *kex); /* "SHA256:...", as ssh-keygen -l has it */
const char *kex_type(const struct kex *kex);	    /* "ssh-ed25519", ... */

#endif
