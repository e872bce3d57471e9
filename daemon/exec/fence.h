/* SPDX-License-Identifier: MIT */
/*
 * exec/fence.h: fencing tokens: of each lock the highest token that was ever seen, in
 * STATE/fences/LOCK. A higher one is on the disk, with its folder, before fence_admit() returns; a
 * lower one comes from a holder whose lock has gone to another, and is refused. Frees:
 * fences_free(). Blocks on the disk: that is its purpose. What cannot be written or read is
 * refused.
 */
#ifndef EXEC_FENCE_H
#define EXEC_FENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <tend/error.h>
#include "base/cleanup.h"

enum { FENCE_MAX_NAME_BYTES = 64, FENCE_MAX_LOCKS = 1000 };

struct fence {
	char lock[FENCE_MAX_NAME_BYTES + 1]; /* "" = none */
	uint64_t token;			     /* 1 .. INT64_MAX */
};
bool fence_lock_valid(const char *name);

struct fences;

/* Reads all of STATE/fences, which is made if need be. -EBADMSG: a file there cannot be read; to
 * forget a token would let an old holder act. */
int fences_open(const char *state_dir, struct fences **ret_fences, struct tend_error *err);
struct fences *fences_free(struct fences *fences);
DEFINE_AUTO(struct fences *, fences_free)

/* 0; -ESTALE: a higher one was seen; -EDQUOT: too many locks; else the disk's error. `ret_highest`
 * may be NULL. */
int fence_admit(struct fences *fences, const struct fence *fence, uint64_t *ret_highest);
uint64_t fence_highest(const struct fences *fences, const char *lock); /* 0 = none */

#endif
