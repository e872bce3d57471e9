/* SPDX-License-Identifier: MIT */
/*
 * try/ask.h: a check given as words ("url=http://...", "warning.total_seconds=1") as the text of a
 * configuration that has nothing else. Pure; the caller frees. -EINVAL with what is wrong.
 */
#ifndef TRY_ASK_H
#define TRY_ASK_H

#include <stdbool.h>
#include <tend/error.h>
#include <tend/plugin.h>

#define ASK_CHECK "try/it/now"

struct ask_places {
	const char *libexec_dir, *plugin_dir, *lua_dir, *run_dir;
};
/* Of `words`, `database.KEY=VALUE` is of the [database] that sql, rows and their like ask.
 * `rows` are the probe's: hyphens in the names of options are taken for underscores. */
int ask_text(const struct tend_probe *probe, const struct ask_places *places, char *const *words,
	size_t n_words, char **ret_text, struct tend_error *err);

#endif
