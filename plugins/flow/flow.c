/* SPDX-License-Identifier: MIT */
/*
 * The flow probe: a Lua file of steps in a process without rights, which asks for each request by
 * tend_script_*(); the requests are made here. The first step that fails names the reason.
 */
#include "flow.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "answer.h"

/* Between our own end and the core's deadline, which knows nothing of steps. */
#define END_MARGIN_USEC (50 * USEC_PER_MSEC)

static usec_t end_of(const struct flow_run *run)
{
	usec_t started = tend_attempt_started(run->attempt);
	usec_t deadline = tend_attempt_deadline(run->attempt), margin = (deadline - started) / 10;

	return deadline - (margin < END_MARGIN_USEC ? margin : END_MARGIN_USEC);
}

usec_t flow_run_deadline(const struct flow_run *run)
{
	usec_t started = tend_attempt_started(run->attempt), end = end_of(run);
	/* A little for the way to the last words. */
	usec_t last = end - (end - started) / 20;

	if (run->step.cleanup || !run->has_cleanup)
		return last;
	return last - (end - started) * (usec_t)run->conf->cleanup_share / 100;
}

void flow_run_free(struct flow_run *run)
{
	if (!run)
		return;
	tend_attempt_set_data(run->attempt, NULL);
	request_clear(run);
	if (run->easy) {
		tend_transfer_abort(run->attempt, run->easy);
		curl_easy_cleanup(run->easy);
	}
	secrets_clear(&run->secrets);
	free(run);
}

static void flow_cancel(struct tend_attempt *a)
{
	flow_run_free(tend_attempt_data(a));
}

/* ---- answers -------------------------------------------------------------------------------- */

void flow_answer(struct flow_run *run, uint64_t id, json_t *answer)
{
	(void)tend_script_answer(run->script, id, answer ? answer : json_null());
}

void flow_vshow(
	const struct flow_run *run, char buf[FLOW_TEXT_BYTES], const char *format, va_list ap)
{
	char *text = NULL;

	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	secrets_show(&run->secrets, text ? text : "no memory", buf, FLOW_TEXT_BYTES);
	secrets_wipe(text);
}

void flow_answer_failed(
	struct flow_run *run, uint64_t id, enum tend_reason reason, const char *format, ...)
{
	char text[FLOW_TEXT_BYTES];
	va_list ap;

	va_start(ap, format);
	flow_vshow(run, text, format, ap);
	va_end(ap);
	flow_answer(run, id,
		json_pack("{s:s, s:o}", "failed", tend_reason_name(reason), "message",
			answer_text(&run->secrets, text, strlen(text))));
}

static double seconds_since(usec_t at)
{
	return (double)(tend_now() - at) / (double)USEC_PER_SEC;
}

/* ---- the end -------------------------------------------------------------------------------- */

void flow_finish(struct flow_run *run, enum tend_reason reason, const char *text)
{
	struct tend_attempt *a = run->attempt;
	char clean[FLOW_TEXT_BYTES * 2];

	flow_step_close(run);
	(void)tend_attempt_metric(a, "total_seconds", seconds_since(tend_attempt_started(a)), "s");
	(void)tend_attempt_metric(a, "requests", run->n_requests, "");
	secrets_show(&run->secrets, text, clean, sizeof(clean));
	flow_run_free(run);
	tend_attempt_finish(a, reason, "%s", clean);
}

/* After a step that failed: what failed then is said besides, and is not the reason. */
static void finish_ended(struct flow_run *run, enum tend_reason reason, const char *how)
{
	char text[FLOW_TEXT_BYTES * 2];

	if (run->failed)
		(void)snprintf(text, sizeof(text), "%s; and %s%s%s", run->failed_text,
			run->step.cleanup ? "the clean-up " : "",
			run->step.name[0] ? run->step.name : "its end", how);
	else if (run->step.started)
		(void)snprintf(text, sizeof(text), "%s '%s'%s",
			run->step.cleanup ? "clean-up" : "step", run->step.name, how);
	else
		(void)snprintf(text, sizeof(text), "%s", how + strspn(how, ": "));
	flow_finish(run, run->failed ? run->failed_reason : reason, text);
}

static void on_late(struct tend_attempt *a, void *data)
{
	struct flow_run *run = data;

	(void)a;
	finish_ended(run, TEND_REASON_TOO_SLOW,
		run->failed	    ? " was not over in time"
		: run->step.started ? ": not over in time"
				    : "not over in time");
}

static void on_end(
	struct tend_attempt *a, int r, const char *message, const json_t *value, void *data)
{
	struct flow_run *run = data;
	const char *name = json_string_value(json_object_get(value, "reason"));
	const char *text = json_string_value(json_object_get(value, "text"));
	int reason = name ? tend_reason_from_name(name) : -ENOENT;
	char shown[FLOW_SHOWN_BYTES], spoken[FLOW_TEXT_BYTES];

	if (r < 0) {
		(void)snprintf(spoken, sizeof(spoken), ": %s", message);
		finish_ended(run, TEND_REASON_INTERNAL, spoken);
	} else if (reason < 0 || !text)
		flow_finish(run, TEND_REASON_INTERNAL, "the library's last word is none");
	else if (reason == TEND_REASON_OK) {
		secrets_show(&run->secrets, text, shown, sizeof(shown));
		(void)snprintf(spoken, sizeof(spoken), "%s in %.3f s", shown,
			seconds_since(tend_attempt_started(a)));
		flow_finish(run, TEND_REASON_OK, spoken);
	} else
		flow_finish(run, (enum tend_reason)reason, text);
}

/* ---- the start ------------------------------------------------------------------------------ */

static json_t *pairs_json(char *const *pairs, bool names_only)
{
	json_t *json = json_object();

	for (; pairs && *pairs; pairs++) {
		const char *equals = strchr(*pairs, '=');

		if (equals)
			(void)json_object_setn_new(json, *pairs, (size_t)(equals - *pairs),
				names_only ? json_true() : json_string(equals + 1));
	}
	return json;
}

static json_t *start_json(const struct flow_run *run)
{
	usec_t wall = tend_attempt_deadline(run->attempt) - tend_attempt_started(run->attempt);

	return json_pack("{s:o, s:o, s:s, s:I}", "params", pairs_json(run->conf->params, false),
		"secrets", pairs_json(run->conf->secrets, true), "mark", run->secrets.mark,
		"wall_msec", (json_int_t)(wall / USEC_PER_MSEC));
}

static int flow_start(struct tend_attempt *a, const void *conf)
{
	struct flow_run *run = calloc(1, sizeof(*run));
	struct tend_timer *late = NULL;
	int r;

	if (!run)
		return -ENOMEM;
	run->attempt = a;
	run->conf = conf;
	run->request.fd = -1;
	tend_attempt_set_data(a, run);
	r = secrets_init(&run->secrets, run->conf->secrets);
	if (r < 0)
		return r;
	run->easy = curl_easy_init();
	if (!run->easy)
		return -ENOMEM;
	/* No cookie, but from here on they are kept. COOKIEFILE "" leaks at each reset
	 * (libcurl 7.88). */
	(void)curl_easy_setopt(run->easy, CURLOPT_COOKIELIST, "none");
	r = tend_timer_new(a, end_of(run), on_late, run, &late);
	if (r < 0)
		return r;
	r = tend_script_start(
		a, run->conf->file, start_json(run), flow_on_call, on_end, run, &run->script);
	if (r < 0) {
		char text[160];

		(void)snprintf(text, sizeof(text), "tend-run cannot be started: %s",
			r == -EBUSY ? "too many flows run at once" : strerror(-r));
		flow_finish(
			run, r == -EBUSY ? TEND_REASON_NO_EVIDENCE : TEND_REASON_INTERNAL, text);
	}
	return 0;
}

/* ---- what the rows cannot say --------------------------------------------------------------- */

static bool is_name(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(text);
}

static int flow_check(void *conf, struct tend_error *err)
{
	const struct flow_conf *c = conf;

	if (c->file[0] != '/' && !is_name(c->file))
		return tend_error_set(err, -EINVAL,
			"file '%s' is neither an absolute path nor the name of a shipped flow",
			c->file);
	return 0;
}

static const struct tend_probe flow_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "flow",
	.doc = "Does what a user does, step by step, as a Lua file says; each step is timed, and a "
	       "clean-up always runs.",
	.options = flow_options,
	.conf_size = sizeof(struct flow_conf),
	.check = flow_check,
	.start = flow_start,
	.cancel = flow_cancel,
	.metric_docs = flow_metrics,
	.reason_docs = flow_reasons,
	.example = "file = tryton\n"
		   "param.url = http://crm.example:8000\n"
		   "param.database = crm\n"
		   "param.user = monitor\n"
		   "secret.password = file:/etc/tend/secrets/monitor\n"
		   "timeout = 30s\n"
		   "warning.step_seconds = 2\n",
};
TEND_PROBE(flow, &flow_probe);
