/* SPDX-License-Identifier: MIT */
/* certfile/certfile.h: options of the certfile probe, and its pure judgement. */
#ifndef CERTFILE_CERTFILE_H
#define CERTFILE_CERTFILE_H

#include "../machine/verdict.h"

struct certfile_conf {
	char **paths, **names;
	char *key;
	bool bundle;
	usec_t expires_within;
	int64_t min_bits;
};

void certfile_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict);

#endif
