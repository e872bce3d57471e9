/* SPDX-License-Identifier: MIT */
/* file/file.h: options of the file probe, and its pure judgement. */
#ifndef FILE_FILE_H
#define FILE_FILE_H

#include "../machine/verdict.h"

enum file_type { FILE_ANY, FILE_FILE, FILE_FOLDER, FILE_SOCKET };

struct file_conf {
	char *path, *owner, *group, *mode, *mode_max, *checksum, *pattern;
	int type;
	bool absent, recurse;
	usec_t max_age, max_age_inside;
	int64_t min_files, drop_pct;
};

bool file_wants_checksum(const struct file_conf *conf);
void file_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict);

#endif
