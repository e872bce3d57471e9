/* SPDX-License-Identifier: MIT */
/*
 * exec/param.h: the typed parameters of a command: `enum a, b`, `int 1..100`, `pattern REGEX`,
 * `path /root/dir`. A struct param owns its texts; param_clear() frees them. Only a path touches
 * the disk (opens, never reads). A value that does not fit is -EINVAL with a text that names the
 * parameter.
 */
#ifndef EXEC_PARAM_H
#define EXEC_PARAM_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>
#include <tend/error.h>
#include "exec/pattern.h"

enum { PARAM_MAX_NAME_BYTES = 64, PARAM_MAX_VALUE_BYTES = 256, PARAM_MAX_PATH_BYTES = 1024 };

enum param_type { PARAM_ENUM, PARAM_INT, PARAM_PATTERN, PARAM_PATH, PARAM_TYPE_MAX };
extern const char *const param_type_names[PARAM_TYPE_MAX + 1];

struct param {
	char *name;
	enum param_type type;
	char **choices;		 /* ENUM */
	int64_t min, max;	 /* INT, both allowed */
	struct pattern *pattern; /* PATTERN */
	char *root;		 /* PATH: absolute, normal, without a final slash */
};

bool param_name_valid(const char *name);
/* `spec` as in the manifest. `ret_param` must be zeroed; it is left zeroed on failure. */
int param_parse(
	const char *name, const char *spec, struct param *ret_param, struct tend_error *err);
void param_clear(struct param *param);

/* Checks a value and gives the one argument it becomes (the caller frees). A path is opened beneath
 * its root without following links; every folder on the way must belong to root or to `uid`, and be
 * writable by nobody else, so that what was checked is what the command will see. */
int param_render(const struct param *param, const json_t *value, uid_t uid, char **ret_text,
	struct tend_error *err);

#endif
