/* SPDX-License-Identifier: MIT */
/*
 * base/base64.h: RFC 4648 section 4, with padding, strict. Results are the caller's to free.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

char *base64_encode(const void *data, size_t len);		       /* NULL: no memory */
int base64_decode(const char *text, void **ret_data, size_t *ret_len); /* -EINVAL, -ENOMEM */

#endif
