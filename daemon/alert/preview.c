/* SPDX-License-Identifier: MIT */
/*
 * alert/preview.c: what a receiver would get of a notice, without sending it: the view, the
 * built-in event, and what the receiver's format makes of it. Nothing is kept, counted or signed.
 */
#include <string.h>
#include "alert/format.h"
#include "alert/private.h"
#include "alert/view.h"
#include "base/clock.h"

struct preview {
	json_t *answer;
	alert_preview_fn fn;
	void *data;
};

static void preview_end(struct preview *p, int r)
{
	p->fn(r, p->answer, p->data);
	json_decref(p->answer);
	free(p);
}

static void on_formatted(int r, json_t *ok, const char *why, void *data)
{
	struct preview *p = data;

	if (r < 0)
		(void)json_object_set_new(p->answer, "format_error", json_string(why));
	else
		(void)json_object_set(p->answer, "request", ok);
	preview_end(p, 0);
}

static int compose(const struct alert *alert, const struct record *record,
	const struct conf_receiver *conf, json_t **ret_answer)
{
	struct view_entry entry = {.notice = &record->notice, .sequence = 0};
	const struct view_source source = {.id = record->notice.id,
		.receiver = conf->name,
		.host = alert->host,
		.epoch = store_epoch(alert->deps.store),
		.language = (enum conf_language)MAX(conf->language, 0),
		.wall = clock_wall(),
		.entries = &entry,
		.n_entries = 1};
	auto_free char *event = NULL;
	json_t *view = NULL;
	int r = view_compose(&source, &view);

	if (r == 0)
		r = event_compose(&source, &event);
	if (r < 0) {
		json_decref(view);
		return r;
	}
	*ret_answer = json_pack("{s:s, s:s, s:s?, s:o, s:o}", "receiver", conf->name, "type",
		conf_receiver_type_names[conf->type], "format", conf->format, "view", view, "event",
		json_loads(event, 0, NULL));
	return *ret_answer ? 0 : -ENOMEM;
}

/* True: it is asked, and the end comes by itself. */
static bool ask(struct alert *alert, const struct conf_receiver *conf, struct preview *p)
{
	struct format *format = conf->type == RECEIVER_WEBHOOK && alert->formats
					? formats_find(alert->formats, conf)
					: NULL;
	struct format_call *call;
	json_t *args;

	if (!format)
		return false;
	args = json_pack("{s:O, s:o}", "notice", json_object_get(p->answer, "view"), "options",
		format_options(conf));
	if (args && format_ask(format, "format", args, on_formatted, p, &call) == 0)
		return true;
	(void)json_object_set_new(
		p->answer, "format_error", json_string("too many wait for the format"));
	return false;
}

int alert_preview(struct alert *alert, const struct notice *notice, const char *receiver,
	alert_preview_fn fn, void *data)
{
	const struct conf_receiver *conf =
		alert->conf ? map_get(&alert->conf->receivers, receiver) : NULL;
	auto(record_unref) struct record *record = NULL;
	struct notice one = *notice;
	struct preview *p;
	int r;

	if (!conf)
		return -ENOENT;
	uuid7(one.id);
	r = tell_new_record(alert, &one, &record);
	if (r < 0)
		return r;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->fn = fn;
	p->data = data;
	r = compose(alert, record, conf, &p->answer);
	if (r < 0 || !ask(alert, conf, p))
		preview_end(p, r);
	return 0;
}
