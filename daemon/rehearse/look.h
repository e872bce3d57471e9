/* SPDX-License-Identifier: MIT */
/*
 * rehearse/look.h: what can be said of a policy's source without running it: its calls of verbs
 * against the verb table, changes that nobody verifies, parameters that nobody reads. It sees calls
 * written out as tend.GROUP.VERB; of a verb or a name that is chosen at run time (tend.unit[verb],
 * policy(name)) it says that it could not be checked. Pure.
 */
#ifndef REHEARSE_LOOK_H
#define REHEARSE_LOOK_H

#include <jansson.h>
#include "rehearse/tokens.h"

enum look_level { LOOK_ERROR, LOOK_WARNING };
typedef void (*look_fn)(enum look_level level, unsigned line, const char *text, void *data);

void look_at_verbs(const struct tokens *tokens, look_fn fn, void *data);
void look_at_changes(const struct tokens *tokens, look_fn fn, void *data);
/* Names of policies that are not written out: nobody finds them in the source. */
void look_at_names(const struct tokens *tokens, look_fn fn, void *data);
/* `declared`: the policy's declaration; `library`: sources that the file requires, one after the
 * other, or NULL. */
void look_at_params(const struct tokens *tokens, const json_t *declared,
	const struct tokens *library, size_t n_library, look_fn fn, void *data);
/* The line of `policy "NAME"`; 1 when it is not found. */
unsigned look_line_of(const struct tokens *tokens, const char *policy);
/* That of KEY = ... in it, or its own. */
unsigned look_line_of_key(const struct tokens *tokens, const char *policy, const char *key);
/* "tend.x" of each require "tend.x", in a JSON array. */
json_t *look_requires(const struct tokens *tokens);

#endif
