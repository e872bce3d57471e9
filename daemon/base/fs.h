/* SPDX-License-Identifier: MIT */
/*
 * base/fs.h: small files, read and written whole. These block on the disk: for start-up, helper
 * processes and the store's threads, never on tendd's loop (small files of configuration excepted).
 */
#ifndef BASE_FS_H
#define BASE_FS_H

#include <stddef.h>
#include <tend/error.h>

/* Reads at most `max` bytes; -EFBIG if there is more. NUL-terminated; the caller frees. */
int fs_read_file(const char *path, size_t max, char **ret_data, size_t *ret_len);
/* Writes to a temporary neighbour, fsyncs it, renames, fsyncs the folder: whole or not at all. */
int fs_write_file_atomic(const char *path, const void *data, size_t len, unsigned mode);
/* Resolves "cred:NAME" ($CREDENTIALS_DIRECTORY/NAME) or "file:PATH" and reads the secret (one
 * trailing newline is dropped, at most 64 KiB). A file that others can read, or that is not a
 * regular file, is refused. The caller frees with fs_free_secret(). */
int fs_read_secret(const char *reference, char **ret_secret, struct tend_error *err);
void fs_free_secret(char *secret); /* wipes it first; NULL is fine */
int fs_fsync_parent(const char *path);

#endif
