/* SPDX-License-Identifier: MIT */
/*
 * http/fault.h: the error code that an API puts into a body whose status may well be 200. Pure:
 * the body is foreign and bounded by its reader. What fault_new() makes belongs to the
 * configuration; immutable.
 */
#ifndef HTTP_FAULT_H
#define HTTP_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <tend/error.h>
#include <tend/reason.h>

enum { FAULT_WHY_BYTES = 400 };

struct fault_spec {
	const char *pointer;			      /* to the code */
	const char *text;			      /* to what it means; NULL */
	char *const *ok, *const *auth, *const *quota; /* codes; NULL-terminated, or NULL */
};
/* -EINVAL: not a JSON Pointer. */
int fault_check(const struct fault_spec *spec, struct tend_error *err);
/* OK: no code, or a good one. `must_parse`: a body that is no JSON is a fault, too. */
enum tend_reason fault_judge(const struct fault_spec *spec, const char *body, size_t len,
	bool must_parse, char why[FAULT_WHY_BYTES]);

#endif
