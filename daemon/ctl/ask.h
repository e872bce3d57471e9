/* SPDX-License-Identifier: MIT */
/*
 * ctl/ask.h: what most commands consist of: one request, and its answer shown by the writer. Each
 * function waits for tendd and gives an exit code; the reason for any but CTL_OK has been told.
 * Owns nothing, but for bodies, which it takes.
 */
#ifndef CTL_ASK_H
#define CTL_ASK_H

#include "ctl/ctl.h"
#include "ctl/writer.h"

/* "?key=value"; those without a value are left out. Ended by one without a key. */
struct ask_param {
	const char *key, *value;
};

/* What is at `path`, as a page; NULL: no memory. The `show` of most commands. */
int ask_page(struct ctl *ctl, const char *path, ctl_page_fn page);
/* The same at `prefix` + name. */
int ask_show(struct ctl *ctl, const char *prefix, const char *name, ctl_page_fn page);

/* The rows at `path` (NULL: no memory); params NULL: none. */
int ask_rows(struct ctl *ctl, const char *path, const struct ask_param *params, json_t **ret_rows);
/* The same as a list. The `list` of most commands. */
int ask_list(struct ctl *ctl, const char *path, const struct ask_param *params,
	const struct ctl_column *columns);
/* --limit, or as many as are shown without it. */
const char *ask_limit(const struct ctl *ctl, const char *otherwise);

/* What changes something. `body` is taken; NULL: a word of it is no valid UTF-8. */
int ask_change(struct ctl *ctl, const char *path, json_t *body, json_t **ret_answer);
/* The same, and the answer as a page. */
int ask_do(struct ctl *ctl, const char *path, json_t *body, ctl_page_fn page);
/* -m; without it NULL, and `hint` is told: "a comment is needed: -m 'why'". */
const char *ask_comment(struct ctl *ctl, const char *hint);

#endif
