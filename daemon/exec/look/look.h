/* SPDX-License-Identifier: MIT */
/*
 * exec/look/look.h: what the kinds of tend-look share. A kind is a row: name, what it tells, its
 * arguments, a function. The function may block on anything, for tend-spawn ends it at its
 * deadline; it must not change anything (the journal's marker excepted, see written.h). Its
 * document is the caller's. Fails with a negative errno and a text for people.
 */
#ifndef EXEC_LOOK_LOOK_H
#define EXEC_LOOK_LOOK_H

#include <jansson.h>
#include <stdbool.h>
#include <tend/error.h>
#include <tend/option.h>

enum look_type { LOOK_TEXT, LOOK_INT, LOOK_BOOL, LOOK_TEXTS, LOOK_OBJECT, LOOK_TYPE_MAX };

struct look_arg {
	const char *name; /* NULL ends the rows */
	enum look_type type;
	bool required;
	const char *help;
};

struct look_kind {
	const char *name, *doc;
	const struct look_arg *args;
	int (*fn)(const json_t *args, json_t **ret_doc, struct tend_error *err);
};

extern const struct look_kind *const look_kinds[]; /* ends with NULL */
const struct look_kind *look_find(const char *name);
/* Against the rows of the kind; -EINVAL. */
int look_check(const struct look_kind *kind, const json_t *args, struct tend_error *err);

/* Arguments that have been checked; `otherwise` if there is none. */
const char *look_text(const json_t *args, const char *name); /* NULL */
int64_t look_int(const json_t *args, const char *name, int64_t otherwise);
bool look_bool(const json_t *args, const char *name);

/* ---- what several kinds do ---- */

json_t *look_string(const char *text); /* foreign: sanitised, cut to 511 bytes */
/* Names of a user and a group, their numbers if they have none. */
json_t *look_user(unsigned uid);
json_t *look_group(unsigned gid);
/* -errno -> a text of `what` and why; EPERM is told as EACCES. */
int look_errno(struct tend_error *err, int r, const char *what);

extern const struct look_kind look_antivirus, look_certfile, look_file, look_firewall, look_host,
	look_journal, look_logfile, look_ports, look_process, look_timer, look_unit;

#endif
