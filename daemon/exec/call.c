/* SPDX-License-Identifier: MIT */
#include "exec/call.h"
#include <errno.h>
#include <stdint.h>
#include <string.h>

int call_find(const char *const *names, const char *name)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -ENOENT;
}

int call_check_keys(
	const char *call, const char *const *keys, const json_t *args, struct tend_error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)args, key, value)
		if (call_find(keys, key) < 0)
			return tend_error_set(
				err, -EINVAL, "%s: '%.64s' is not one of its keys", call, key);
	return 0;
}
