/* SPDX-License-Identifier: MIT */
/*
 * work/values.h: the values of a plugin's options as JSON, from tendd to tend-work, by the rows of
 * both sides' same plugin. Secrets are in it, in base64: a secret is bytes. What unpack fills is
 * freed by conf_options_free(), also after a failure. Pure.
 */
#ifndef WORK_VALUES_H
#define WORK_VALUES_H

#include <jansson.h>
#include <tend/option.h>

/* An object, by the names of the rows. -ENOMEM; -EILSEQ: a text that is not UTF-8. */
int work_values_pack(const struct tend_option *rows, const void *conf, json_t **ret_values);
/* `into` is zeroed. -EBADMSG: not what pack makes of these rows; -ENOMEM. */
int work_values_unpack(const struct tend_option *rows, const json_t *values, void *into);

/* The files that the rows name, a line each: what a process that was confined to these may be
 * asked. NULL: no memory. */
char *work_values_files(const struct tend_option *rows, const void *conf);

/* The code of the error of a process that cannot read them, for they are others by now. */
#define WORK_STALE "stale"

#endif
