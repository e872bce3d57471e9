/* SPDX-License-Identifier: MIT */
/*
 * rehearse/source.h: which policies a Lua file declares, without running it: policy "NAME" in its
 * tokens. Blocks for the reading of files. What cannot be read declares nothing.
 */
#ifndef REHEARSE_SOURCE_H
#define REHEARSE_SOURCE_H

#include <stdbool.h>

bool policy_declares(const char *path, const char *name);
/* The first one of a file, and the file of a folder that declares it; the caller frees; NULL. */
char *policy_first(const char *path);
char *policy_find(const char *folder, const char *name);

#endif
