/* SPDX-License-Identifier: MIT */
/* A systemd unit, and how it ended: by the same code that tendd asks about its own host's. */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "exec/look/look.h"
#include "loop/loop.h"
#include "watch/unit_memory.h"
#include "watch/units.h"

#define ANSWER_IN_USEC (8 * USEC_PER_SEC)

struct answer {
	struct loop *loop;
	bool came;
	int r;
	char why[200];
	json_t *doc;
};

static void on_intent(int r, enum units_intent intent, const char *why,
	const struct tend_unit_info *info, void *data)
{
	struct answer *answer = data;

	answer->came = true;
	answer->r = r;
	(void)snprintf(answer->why, sizeof(answer->why), "%s", why);
	if (r < 0)
		return;
	answer->doc = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:b, s:I, s:I, "
				"s:i, s:i, s:o}",
		"intent", units_intent_name(intent), "why", why, "unit", info->name, "load_state",
		info->load_state, "active_state", info->active_state, "sub_state", info->sub_state,
		"result", info->result, "invocation_id", info->invocation_id, "job_id",
		(json_int_t)info->job_id, "job_type", info->job_type, "stopped_by_job",
		info->stopped_by_job, "main_pid", (json_int_t)info->main_pid, "restarts",
		(json_int_t)info->n_restarts, "exit_code", (int)info->exit_code, "exit_status",
		(int)info->exit_status, "memory_bytes", unit_memory(info));
}

/* The bus may take a moment: until then the answer is -ENOTCONN. */
static int ask(struct loop *loop, struct tend_units *units, const char *name, struct answer *answer)
{
	usec_t until = clock_now() + ANSWER_IN_USEC;
	struct units_ask *one = NULL;
	int r;

	while (!units_connected(units) && clock_now() < until)
		if (loop_turn(loop, 100 * USEC_PER_MSEC) < 0)
			return -EIO;
	r = units_ask_intent(units, name, ANSWER_IN_USEC, on_intent, answer, &one);
	while (r >= 0 && !answer->came && clock_now() < until + USEC_PER_SEC)
		r = loop_turn(loop, 100 * USEC_PER_MSEC);
	if (r < 0)
		return r;
	if (!answer->came)
		units_ask_cancel(one);
	return answer->came ? answer->r : -ETIMEDOUT;
}

static int look(const json_t *args, json_t **ret_doc, struct tend_error *err)
{
	struct answer answer = {0};
	auto(loop_free) struct loop *loop = NULL;
	struct tend_units *units = NULL;
	int r = loop_new(&loop);

	if (r == 0)
		r = units_new(loop, NULL, &units);
	if (r == 0)
		r = ask(loop, units, look_text(args, "unit"), &answer);
	units_free(units);
	if (r == 0 && !answer.doc)
		r = -ENOMEM;
	if (r == 0)
		*ret_doc = answer.doc;
	else
		(void)look_errno(err, r, "systemd cannot be asked");
	return r;
}

static const struct look_arg rows[] = {
	{"unit", LOOK_TEXT, true, "name of the unit, with its suffix"},
	{.name = NULL},
};

const struct look_kind look_unit = {
	"unit", "a systemd unit: its state, and who ended it", rows, look};
