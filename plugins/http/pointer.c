/* SPDX-License-Identifier: MIT */
#include "pointer.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_POINTER_BYTES = 1024 };

bool json_pointer_valid(const char *path)
{
	if (path[0] != '/' || strlen(path) >= MAX_POINTER_BYTES)
		return false;
	for (const char *p = path; *p; p++)
		if (*p == '~' && p[1] != '0' && p[1] != '1')
			return false;
	return true;
}

/* RFC 6901 section 4: no sign, no leading zero. */
static json_t *array_item(json_t *array, const char *token)
{
	size_t n = strlen(token);

	if (n == 0 || n > 9 || strspn(token, "0123456789") != n || (n > 1 && token[0] == '0'))
		return NULL;
	return json_array_get(array, strtoul(token, NULL, 10));
}

json_t *json_pointer_get(json_t *from, const char *path)
{
	char token[MAX_POINTER_BYTES];

	while (from && *path == '/') {
		size_t n = 0;
		for (path++; *path && *path != '/'; path++) {
			if (*path == '~')
				token[n++] = *++path == '1' ? '/' : '~';
			else
				token[n++] = *path;
		}
		token[n] = '\0';
		from = json_is_array(from) ? array_item(from, token) : json_object_get(from, token);
	}
	return from;
}
