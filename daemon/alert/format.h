/* SPDX-License-Identifier: MIT */
/*
 * alert/format.h: formats of webhooks: Lua files, each in a resident tend-run of its own that makes
 * requests and judges answers. Owns the processes and what waits for them; a call takes at most
 * 250 ms of CPU time, and 2 s by our clock, else the process is killed and started again (with
 * backoff) and the call is asked once more. Bounded: 256 calls wait, none longer than 5 s. Never
 * blocks but for reading the files when a configuration is applied. Every call ends once: with an
 * answer or with why not.
 */
#ifndef ALERT_FORMAT_H
#define ALERT_FORMAT_H

#include <tend/error.h>
#include "conf/conf.h"
#include "loop/loop.h"

enum { FORMAT_MAX_WAITING = 256, FORMAT_ERROR_BYTES = 512, FORMAT_NAME_BYTES = 64 };
#define FORMAT_CALL_CPU_USEC (250 * USEC_PER_MSEC)
#define FORMAT_CALL_USEC     (2 * USEC_PER_SEC)
#define FORMAT_START_USEC    (5 * USEC_PER_SEC)
#define FORMAT_WAIT_USEC     (5 * USEC_PER_SEC)

struct formats;
struct format;
struct format_call;

/* `known` (may be NULL): what a file declares has become known, or is so no longer. */
int formats_new(
	struct loop *loop, void (*known)(void *data), void *data, struct formats **ret_formats);
struct formats *formats_free(struct formats *formats); /* calls end without a word */
DEFINE_AUTO(struct formats *, formats_free)
/* Reads the files of all receivers, starts and ends runners. What cannot be read is a format that
 * fails with that, not an error. */
int formats_apply(struct formats *formats, const struct conf *conf);

/* What formats_apply() is made of: where things are; and one that is to run. */
int formats_open(struct formats *formats, const char *libexec_dir, const char *lua_dir);
int formats_want(struct formats *formats, const char *name, struct format **ret_format);

/* NULL: the built-in one. */
struct format *formats_find(const struct formats *formats, const struct conf_receiver *conf);

/* What a file declares. */
struct format_spec {
	char name[FORMAT_NAME_BYTES];
	bool group, judges;
	int64_t rate_per_minute; /* -1: not declared */
	int64_t repeat_seconds;	 /* 0: none */
	size_t max_bytes;	 /* 0: not declared */
	size_t max_notices;	 /* in one request; 0: not declared */
	enum conf_sign sign;
	json_t *doc; /* the declaration as the file has it; the format's */
};
/* NULL: not known (yet, or the file is bad). */
const struct format_spec *format_get_spec(const struct format *format);
enum format_state { FORMAT_STARTING, FORMAT_UP, FORMAT_BAD, FORMAT_STATE_MAX };
extern const char *const format_state_names[FORMAT_STATE_MAX];
enum format_state format_get_state(const struct format *format);
const char *format_get_error(const struct format *format); /* the last; "" */
json_t *format_to_json(const struct format *format);	   /* for views; NULL: no memory */

/* r: 0 with `ok` (borrowed), or a negative errno with why. */
typedef void (*format_fn)(int r, json_t *ok, const char *why, void *data);
/* Asks "format" or "judge". Steals `args`, also on failure. fn is called once, never before this
 * returned; not after a cancel. -EBUSY: too many wait. */
int format_ask(struct format *format, const char *call, json_t *args, format_fn fn, void *data,
	struct format_call **ret_call);
void format_cancel(struct format_call *call); /* NULL is fine */

/* ---- format_spec.c -------------------------------------------------------------------------- */

int format_spec_parse(json_t *doc, struct format_spec *spec, struct tend_error *err);
void format_spec_clear(struct format_spec *spec);
/* The options that the receiver gives; the runner adds the defaults. */
json_t *format_options(const struct conf_receiver *conf);
/* Does the receiver fit its format: options known, those required there, a secret to sign with?
 * 0, or -EINVAL with `err` and the key it is about. */
int format_check_receiver(const struct format_spec *spec, const struct conf_receiver *conf,
	const char **ret_key, struct tend_error *err);
/* The scheme that holds for this receiver. */
enum conf_sign format_sign_of(const struct format_spec *spec, const struct conf_receiver *conf);

/* ---- format_file.c -------------------------------------------------------------------------- */

enum { FORMAT_FILE_BYTES = 256 << 10 };
/* Where a format is: its shipped file, or its path as it is. */
char *format_path(const char *lua_dir, const char *name);
int format_read(const char *path, char **ret_source, struct tend_error *err);
/* {"tend/text.lua": TEXT, ...}; what cannot be read is left out. */
int format_read_library(const char *lua_dir, json_t **ret_library);

/* ---- format_check.c ------------------------------------------------------------------------- */

/* For `tendd -t`: starts every format of the configuration in a loop of its own and adds what is
 * wrong to the errors. Blocks, at most some seconds. 0 also when there are errors. */
int format_check_all(const struct conf *conf, struct conf_errors *errors);

#endif
