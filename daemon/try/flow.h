/* SPDX-License-Identifier: MIT */
/* try/flow.h: `tendctl flow`: flow files listed, checked, run by hand. Blocks: a person's program.
 */
#ifndef TRY_FLOW_H
#define TRY_FLOW_H

#include "try/try.h"

/* Exit codes. */
int try_flow_list(const struct try_options *options);
int try_flow_check(const struct try_options *options, const char *file);
/* NAME=VALUE sets a parameter; KEY=VALUE with a dot, or an option of the check, is as it is. */
int try_flow_run(
	const struct try_options *options, const char *file, char *const *words, size_t n_words);

#endif
