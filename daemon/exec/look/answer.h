/* SPDX-License-Identifier: MIT */
/*
 * exec/look/answer.h: what tend-look writes, and how it is read: one JSON object on standard
 * output, status 0; or {"error":{"code","message"}}, status 1. Pure; the reader takes it as foreign
 * bytes. Documents are the caller's. Fails with the errno that the code stands for.
 */
#ifndef EXEC_LOOK_ANSWER_H
#define EXEC_LOOK_ANSWER_H

#include <jansson.h>
#include <stddef.h>
#include <tend/error.h>

enum { LOOK_ANSWER_MAX_BYTES = 60 * 1024 };

/* `complaint`: what it wrote to standard error. */
int look_answer_read(const char *text, size_t len, int exit_status, const char *complaint,
	json_t **ret_doc, struct tend_error *err);
json_t *look_answer_error(int r, const char *message);

#endif
