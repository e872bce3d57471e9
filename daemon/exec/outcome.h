/* SPDX-License-Identifier: MIT */
/*
 * exec/outcome.h: the four ways an action can end, on both sides of the socket. Pure.
 */
#ifndef EXEC_OUTCOME_H
#define EXEC_OUTCOME_H

enum exec_outcome {
	EXEC_DONE,
	EXEC_FAILED,
	EXEC_REFUSED, /* nothing was begun */
	EXEC_UNKNOWN, /* it may have happened */
	EXEC_OUTCOME_MAX,
};
extern const char *const exec_outcome_names[EXEC_OUTCOME_MAX + 1];
int exec_outcome_from_name(const char *name); /* -ENOENT */

#endif
