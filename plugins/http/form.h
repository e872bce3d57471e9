/* SPDX-License-Identifier: MIT */
/*
 * http/form.h: the form of a log-in page: where it goes and what its fields hold, tokens against
 * forged requests among them; and how such a form is sent. Pure; a page is foreign: fields, names
 * and values are bounded, and so is the time (one pass over the page). The caller frees with
 * form_clear(); values may be secret and are wiped.
 */
#ifndef HTTP_FORM_H
#define HTTP_FORM_H

#include <stdbool.h>
#include <stddef.h>

enum {
	FORM_MAX_FIELDS = 128,
	FORM_MAX_FORMS = 64,
	FORM_NAME_BYTES = 128,
	FORM_VALUE_BYTES = 16384,
	FORM_ACTION_BYTES = 2048,
};

struct form_field {
	char *name, *value;
};
struct form {
	char *action; /* as written; "" = the page itself */
	bool post;
	bool multipart, password;
	size_t n_fields;
	struct form_field fields[FORM_MAX_FIELDS];
};
/* The form that `wanted` names (its id or its name), or NULL: the first with a field for a
 * password, else the first. -ENOENT: no such form, -ENOMEM, -E2BIG: more than the bounds. */
int form_find(const char *page, size_t len, const char *wanted, struct form *ret_form);
/* Replaces the field or adds it; -E2BIG, -ENOMEM. */
int form_set(struct form *form, const char *name, const char *value);
/* application/x-www-form-urlencoded. NULL: no memory. */
char *form_encode(const struct form *form);
void form_clear(struct form *form);

#endif
