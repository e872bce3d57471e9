/* SPDX-License-Identifier: MIT */
/*
 * alert/format_try.h: a format tried on a made-up notice: the request that would go out is printed,
 * without secrets, and, if asked, posted once. Blocks in a loop of its own. 0, or 1 and a line on
 * stderr.
 */
#ifndef ALERT_FORMAT_TRY_H
#define ALERT_FORMAT_TRY_H

#include "alert/format.h"
#include "alert/sample.h"

struct format_tools {
	struct loop *loop;
	struct formats *formats;
	const char *lua_dir;
};
struct format_try {
	const char *format;   /* a name, or a file; NULL: the receiver's */
	char *const *options; /* NAME=VALUE, NULL-terminated */
	const char *receiver, *config;
	const char *sample;
	int language; /* -1: the receiver's */
	bool send, as_json, as_names;
};
int format_try(struct format_tools *tools, const struct format_try *try);

#endif
