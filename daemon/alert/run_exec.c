/* SPDX-License-Identifier: MIT */
/*
 * alert/run_exec.c: one try of one shipment by a program: tend-spawn runs the [command NAME] of its
 * file, which is root's; the view is its standard input, as JSON, and nothing of it is ever an
 * argument or in the environment. Its exit status is the answer. A program that has not ended in
 * time is killed with all that it has started, by tend-spawn.
 */
#include <string.h>
#include "alert/private.h"
#include "alert/view.h"
#include "base/str.h"
#include "exec/spawn/client.h"
#include "loop/loop.h"

enum {
	EXIT_LATER = 75,	/* EX_TEMPFAIL of sysexits.h */
	OUTPUT_BYTES = 4096,	/* more than the ledger keeps, as control characters take room */
	STDIN_BYTES = 60 << 10, /* tend-spawn takes 64 KiB */
	DEFAULT_RATE = 60,
	MAX_NOTICES = 40, /* so that their views have room */
};

struct exec_try {
	struct shipment *shipment;
	try_fn done;
	struct spawn_ask *ask;
	struct loop_source *defer; /* it could not even be asked for */
	struct judgement refused;
};

/* ---- the answer ----------------------------------------------------------------------------- */

static void append_said(char *buf, size_t size, const char *text, size_t text_len)
{
	size_t len = strlen(buf);

	while (text_len > 0 && strchr("\r\n \t", text[text_len - 1]))
		text_len--;
	if (text_len == 0 || len + 4 >= size)
		return;
	if (len > 0) {
		snprintf(buf + len, size - len, "; ");
		len += 2;
	}
	str_sanitize(buf + len, size - len, text, text_len);
}

/* -EPERM and the like: root's file must be changed first. The fallback is to hear of it now. */
static enum verdict verdict_of_errno(int r)
{
	return r == -EPERM || r == -ENOENT || r == -ENOEXEC ? VERDICT_FAILED : VERDICT_RETRY;
}

void exec_judge(const struct spawn_reply *reply, struct judgement *ret_judgement)
{
	struct judgement j = {.verdict = VERDICT_RETRY};

	if (reply->r < 0) {
		j.verdict = verdict_of_errno(reply->r);
		snprintf(j.error, sizeof(j.error), "%.240s",
			reply->message ? reply->message : strerror(-reply->r));
		*ret_judgement = j;
		return;
	}
	/* What it complains of first. */
	append_said(j.detail, sizeof(j.detail), reply->err, reply->err_len);
	append_said(j.detail, sizeof(j.detail), reply->out, reply->out_len);
	if (reply->timed_out) {
		snprintf(j.error, sizeof(j.error), "timeout: it was ended");
	} else if (reply->signo > 0) {
		snprintf(j.error, sizeof(j.error), "ended by signal %d", reply->signo);
	} else {
		j.code = reply->exit_status;
		j.verdict = reply->exit_status == 0	       ? VERDICT_DELIVERED
			    : reply->exit_status == EXIT_LATER ? VERDICT_RETRY
							       : VERDICT_FAILED;
		if (j.verdict != VERDICT_DELIVERED)
			snprintf(j.error, sizeof(j.error), "exit status %d", reply->exit_status);
	}
	if (j.error[0] && j.detail[0]) {
		size_t len = strlen(j.error);

		snprintf(j.error + len, sizeof(j.error) - len, ": %.*s",
			(int)str_cut_utf8(j.detail, strlen(j.detail), sizeof(j.error) - len - 3),
			j.detail);
	}
	*ret_judgement = j;
}

static void try_free(struct exec_try *try)
{
	loop_source_free(try->defer);
	shipment_unref(try->shipment);
	free(try);
}

static void finish(struct exec_try *try, const struct judgement *j)
{
	try->shipment->try = NULL;
	try->done(try->shipment, j);
	try_free(try);
}

static void on_ended(const struct spawn_reply *reply, void *data)
{
	struct exec_try *try = data;
	struct judgement j;

	try->ask = NULL;
	exec_judge(reply, &j);
	finish(try, &j);
}

static void on_refused(void *data)
{
	struct exec_try *try = data;
	const struct judgement j = try->refused;

	finish(try, &j);
}

/* The end never comes before the start has returned. */
static int end_later(struct exec_try *try, struct loop *loop, int r, const char *why)
{
	const struct spawn_reply reply = {.r = r, .message = why[0] ? why : NULL};

	exec_judge(&reply, &try->refused);
	return loop_defer_new(loop, on_refused, try, &try->defer);
}

void exec_cancel(struct shipment *s)
{
	struct exec_try *try = s->try;

	s->try = NULL;
	spawn_ask_cancel(try->ask);
	try_free(try);
}

/* ---- the question --------------------------------------------------------------------------- */

/* Details go first, then notices from the end, which are counted. */
char *exec_stdin(json_t *view, size_t max)
{
	json_t *alerts = json_object_get(view, "alerts"), *one;
	bool with_details = true;
	size_t i;

	for (;;) {
		char *text = json_dumps(view, JSON_COMPACT);
		size_t n = json_array_size(alerts);

		if (!text || strlen(text) < max)
			return text;
		free(text);
		if (!with_details && n <= 1)
			return NULL;
		if (with_details) {
			json_array_foreach (alerts, i, one)
				(void)json_object_set_new(one, "details", json_object());
			with_details = false;
			continue;
		}
		(void)json_array_remove(alerts, n - 1);
		(void)json_object_set_new(view, "n_more",
			json_integer(json_integer_value(json_object_get(view, "n_more")) + 1));
	}
}

static json_t *args_of(const struct conf_receiver *conf)
{
	json_t *args = json_object();

	for (char **arg = conf->args; arg && *arg; arg++) {
		const char *equals = strchr(*arg, '=');
		auto_free char *name = strndup(*arg, (size_t)(equals - *arg));

		if (name)
			(void)json_object_set_new(args, name, json_string(equals + 1));
	}
	return args;
}

static int ensure_client(struct alert *alert)
{
	const char *path = alert->conf->daemon.spawn_socket;

	if (!path)
		return -ENOTCONN;
	return alert->spawn ? spawn_client_set_path(alert->spawn, path)
			    : spawn_client_new(alert->deps.loop, path, &alert->spawn);
}

static int ask(struct alert *alert, const struct conf_receiver *conf, const char *text,
	struct exec_try *try, struct tend_error *err)
{
	auto_json json_t *args = args_of(conf);
	const struct spawn_order order = {.command = conf->command,
		.args = args,
		.stdin_text = text,
		.timeout = conf->timeout,
		.output_max_bytes = OUTPUT_BYTES};
	int r = args ? ensure_client(alert) : -ENOMEM;

	return r < 0 ? r : spawn_client_run(alert->spawn, &order, on_ended, try, &try->ask, err);
}

int exec_start(const struct try_context *context, struct shipment *s)
{
	auto_json json_t *view = NULL;
	auto_free char *text = NULL;
	struct tend_error err = {0};
	struct exec_try *try;
	int r = view_of_shipment(context, s, &view);

	text = r == 0 ? exec_stdin(view, STDIN_BYTES) : NULL;
	if (!text)
		return r < 0 ? r : -EOPNOTSUPP;
	try = calloc(1, sizeof(*try));
	if (!try)
		return -ENOMEM;
	*try = (struct exec_try){.shipment = shipment_ref(s), .done = context->done};
	r = ask(context->alert, context->conf, text, try, &err);
	if (r < 0)
		r = end_later(try, context->alert->deps.loop, r, err.text);
	if (r < 0) {
		try_free(try);
		return r;
	}
	s->try = try;
	return 0;
}

bool exec_can_group(struct alert *alert, const struct conf_receiver *conf)
{
	return true;
}

size_t exec_max_notices(struct alert *alert, const struct conf_receiver *conf)
{
	return MAX_NOTICES;
}

int64_t exec_rate(struct alert *alert, const struct conf_receiver *conf)
{
	return DEFAULT_RATE;
}
