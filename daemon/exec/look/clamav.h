/* SPDX-License-Identifier: MIT */
/* exec/look/clamav.h: the head of a file of ClamAV's signatures. Pure. -EINVAL: it is none. */
#ifndef EXEC_LOOK_CLAMAV_H
#define EXEC_LOOK_CLAMAV_H

#include <stddef.h>
#include <stdint.h>

enum { CLAMAV_HEAD_BYTES = 512 };

struct clamav_head {
	int64_t built; /* seconds of Unix time */
	uint64_t version, n_signatures;
};
int clamav_head_parse(const char *head, size_t len, struct clamav_head *ret_head);

#endif
