/* SPDX-License-Identifier: MIT */
/* Scripts of attempts (tend/plugin.h): a tend-run --flow each, which ends with its attempt. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "base/log.h"
#include "base/str.h"
#include "flow/script.h"
#include "watch/host_private.h"

/* Each is a process; what is more is told, not waited for. */
enum { PROGRESS_BYTES = 512, MAX_SCRIPTS = 64 };

static host_progress_fn progress_fn;
static void *progress_data;

void host_on_progress(host_progress_fn fn, void *data)
{
	progress_fn = fn;
	progress_data = data;
}

static void cancel_script(struct held *h)
{
	h->attempt->host->n_scripts--;
	script_free(h->u.script.script);
}

static void host_script_calls(uint64_t id, const char *call, const json_t *args, void *data)
{
	struct held *h = data;

	h->u.script.call(h->attempt, id, call, args, h->fn_data);
}

/* What is left of it goes with the attempt. */
static void host_script_ended(int r, const char *message, const json_t *value, void *data)
{
	struct held *h = data;

	h->u.script.end(h->attempt, r, message, value, h->fn_data);
}

/* "x": of the shipped ones. */
static char *path_of(const struct conf_daemon *daemon, const char *file)
{
	return file[0] == '/' ? strdup(file) : str_printf("%s/flows/%s.lua", daemon->lua_dir, file);
}

int tend_script_start(struct tend_attempt *a, const char *file, json_t *start,
	tend_script_call_fn call, tend_script_end_fn end, void *data,
	struct tend_script **ret_script)
{
	const struct conf_daemon *daemon = &a->spec.owner->daemon;
	auto_free char *path = path_of(daemon, file);
	auto_json json_t *args = json_pack("{s:s, s:s, s:s, s:o}", "mode", "run", "library",
		daemon->lua_dir, "file", path ? path : "", "start", start);
	auto_free char *program = str_printf("%s/tend-run", daemon->libexec_dir);
	struct script_events events = {.on_call = host_script_calls, .on_end = host_script_ended};
	struct held *h = NULL;
	int r;

	if (a->host->n_scripts >= MAX_SCRIPTS)
		return -EBUSY;
	if (args && path && program)
		h = held_new(a, cancel_script, data);
	if (!h)
		return -ENOMEM;
	events.data = h;
	h->u.script.call = call;
	h->u.script.end = end;
	r = script_new(a->host->loop, program, TAKE(args), &events, &h->u.script.script);
	if (r < 0) {
		held_drop(h);
		return r;
	}
	a->host->n_scripts++;
	*ret_script = (struct tend_script *)h;
	return 0;
}

int tend_script_answer(struct tend_script *script, uint64_t id, json_t *answer)
{
	struct held *h = (struct held *)script;

	return script_answer(h->u.script.script, id, answer);
}

void tend_attempt_progress(struct tend_attempt *a, const char *format, ...)
{
	char raw[PROGRESS_BYTES], text[PROGRESS_BYTES];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	str_sanitize(text, sizeof(text), raw, strlen(raw));
	log_debug("%s: %s", a->name, text);
	if (progress_fn)
		progress_fn(a->name, text, progress_data);
}
