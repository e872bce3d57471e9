/* SPDX-License-Identifier: MIT */
/*
 * alert/sign.h: the schemes by which webhooks' requests are signed, by name. Secrets stay here: no
 * Lua ever sees one. Pure, but for the time that is passed in; fails with the text in `err`, which
 * has no secret in it.
 */
#ifndef ALERT_SIGN_H
#define ALERT_SIGN_H

#include <tend/error.h>
#include "base/vec.h"
#include "conf/conf.h"

struct sign_input {
	enum conf_sign scheme;
	const char *secret, *secret_old; /* NULL: not signed */
	const char *id;			 /* of what is sent */
	usec_t wall;
};

struct sign_pair {
	char *name, *value;
};
struct sign_output {
	struct vec headers, query; /* struct sign_pair * */
};
void sign_output_clear(struct sign_output *output);
static inline void cleanup_sign_output_clear(struct sign_output *output)
{
	sign_output_clear(output);
}

/* What goes into the body, before it becomes text (Feishu). `body` is an object, or NULL when it is
 * text already. */
int sign_body(const struct sign_input *input, json_t *body, struct tend_error *err);
/* What goes beside it. */
int sign_request(const struct sign_input *input, const char *body, struct sign_output *output,
	struct tend_error *err);

int sign_from_name(const char *name); /* enum conf_sign; -ENOENT */
/* Is this scheme of no use without a secret? With the others a request then goes unsigned. */
bool sign_needs_secret(enum conf_sign scheme);

#endif
