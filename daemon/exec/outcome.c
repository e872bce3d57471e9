/* SPDX-License-Identifier: MIT */
#include "exec/outcome.h"
#include <errno.h>
#include <string.h>

const char *const exec_outcome_names[EXEC_OUTCOME_MAX + 1] = {
	[EXEC_DONE] = "done",
	[EXEC_FAILED] = "failed",
	[EXEC_REFUSED] = "refused",
	[EXEC_UNKNOWN] = "unknown",
};

int exec_outcome_from_name(const char *name)
{
	for (int i = 0; i < EXEC_OUTCOME_MAX; i++)
		if (strcmp(exec_outcome_names[i], name) == 0)
			return i;
	return -ENOENT;
}
