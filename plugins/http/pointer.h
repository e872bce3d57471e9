/* SPDX-License-Identifier: MIT */
/* http/pointer.h: JSON Pointers (RFC 6901). Pure; nothing is owned. */
#ifndef HTTP_POINTER_H
#define HTTP_POINTER_H

#include <jansson.h>
#include <stdbool.h>

bool json_pointer_valid(const char *path);
/* What stands there, borrowed; NULL: nothing. `path` is valid. */
json_t *json_pointer_get(json_t *from, const char *path);

#endif
