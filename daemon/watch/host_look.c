/* SPDX-License-Identifier: MIT */
/*
 * Looks at a machine (tend/plugin.h): a question to tend-look, which tend-spawn runs, here or on
 * the component's host. Also systemd's units of another host, whose bus only tend-look there can
 * ask.
 */
#include <errno.h>
#include <string.h>
#include "base/str.h"
#include "exec/look/answer.h"
#include "exec/spawn/client.h"
#include "watch/host_private.h"

enum { LOOK_OUTPUT_BYTES = 65536 };

static void cancel_look(struct held *h)
{
	spawn_ask_cancel(h->u.look.ask);
}

/* What tend-look wrote, or why it wrote nothing of use. */
static int read_answer(const struct spawn_reply *reply, json_t **ret_doc, struct tend_error *err)
{
	if (reply->r < 0)
		return tend_error_set(
			err, reply->r, "%s", reply->message ? reply->message : strerror(-reply->r));
	if (reply->timed_out)
		return tend_error_set(err, -ETIMEDOUT, "tend-look had not ended after %.1f s",
			(double)reply->elapsed / 1e6);
	if (reply->signo > 0)
		return tend_error_set(
			err, -EPROTO, "tend-look was ended by signal %d", reply->signo);
	if (reply->truncated)
		return tend_error_set(err, -EMSGSIZE, "tend-look's answer is too long");
	return look_answer_read(
		reply->out, reply->out_len, reply->exit_status, reply->err, ret_doc, err);
}

static void host_looked(const struct spawn_reply *reply, void *data)
{
	struct held *h = data;
	struct tend_attempt *a = h->attempt;
	tend_look_fn fn = h->u.look.fn.look;
	void *fn_data = h->fn_data;
	auto_json json_t *doc = NULL;
	struct tend_error err = {0};
	int r = read_answer(reply, &doc, &err);

	held_drop(h);
	fn(a, r, err.text, doc, fn_data);
}

/* The caller sets what is called at the end. */
static int begin(struct tend_attempt *a, const char *kind, const json_t *args, spawn_fn fn,
	void *data, struct held **ret_held, struct tend_error *err)
{
	const struct spawn_order order = {
		.look = kind,
		.args = args,
		.timeout = host_spawn_time(a),
		.output_max_bytes = LOOK_OUTPUT_BYTES,
	};
	const char *why;
	struct spawn_client *spawn = host_spawn_place(a, &why);
	struct held *h;
	int r;

	if (!spawn)
		return tend_error_set(err, -ENOTCONN, "%s", why);
	h = held_new(a, cancel_look, data);
	if (!h)
		return -ENOMEM;
	r = spawn_client_run(spawn, &order, fn, h, &h->u.look.ask, err);
	if (r < 0)
		held_drop(h);
	else
		*ret_held = h;
	return r;
}

int tend_look(
	struct tend_attempt *a, const char *kind, const json_t *args, tend_look_fn fn, void *data)
{
	auto_json json_t *none = args ? NULL : json_object();
	struct tend_error err = {0};
	struct held *h = NULL;
	int r = begin(a, kind, args ? args : none, host_looked, data, &h, &err);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		fn(a, r, err.text, NULL, data);
	else if (h)
		h->u.look.fn.look = fn;
	return 0;
}

/* ---- units of another host ---- */

static const char *text_of(const json_t *doc, const char *key)
{
	const char *text = json_string_value(json_object_get(doc, key));

	return text ? text : "";
}

static int64_t number_of(const json_t *doc, const char *key)
{
	return json_integer_value(json_object_get(doc, key));
}

static struct tend_unit_info info_of(const json_t *doc)
{
	struct tend_unit_info info = {
		.name = text_of(doc, "unit"),
		.load_state = text_of(doc, "load_state"),
		.active_state = text_of(doc, "active_state"),
		.sub_state = text_of(doc, "sub_state"),
		.result = text_of(doc, "result"),
		.job_id = (uint32_t)number_of(doc, "job_id"),
		.job_type = text_of(doc, "job_type"),
		.stopped_by_job = json_is_true(json_object_get(doc, "stopped_by_job")),
		.main_pid = (uint64_t)number_of(doc, "main_pid"),
		.n_restarts = (uint64_t)number_of(doc, "restarts"),
		.exit_code = (int32_t)number_of(doc, "exit_code"),
		.exit_status = (int32_t)number_of(doc, "exit_status"),
		.intent = text_of(doc, "intent"),
	};

	(void)snprintf(info.invocation_id, sizeof(info.invocation_id), "%s",
		text_of(doc, "invocation_id"));
	return info;
}

static void host_unit_looked(const struct spawn_reply *reply, void *data)
{
	struct held *h = data;
	struct tend_attempt *a = h->attempt;
	tend_unit_fn fn = h->u.look.fn.unit;
	void *fn_data = h->fn_data;
	auto_json json_t *doc = NULL;
	struct tend_error err = {0};
	int r = read_answer(reply, &doc, &err);
	struct tend_unit_info info = info_of(doc);

	held_drop(h);
	fn(a, r, r < 0 ? NULL : &info, fn_data);
}

int host_look_at_unit(struct tend_attempt *a, const char *unit, tend_unit_fn fn, void *data)
{
	auto_json json_t *args = json_pack("{s:s}", "unit", unit);
	struct tend_error err = {0};
	struct held *h = NULL;
	int r = begin(a, "unit", args, host_unit_looked, data, &h, &err);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		fn(a, r, NULL, data);
	else if (h)
		h->u.look.fn.unit = fn;
	return 0;
}
