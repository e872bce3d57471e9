/* SPDX-License-Identifier: MIT */
/*
 * alert/webhook.c: one try of one shipment at a webhook: a view goes to the receiver's format,
 * which makes the request, or the built-in event is posted; the answer is judged by what HTTP says,
 * then by the format. Whatever fails in a format, the built-in event goes out.
 */
#include <string.h>
#include "alert/format.h"
#include "alert/post.h"
#include "alert/private.h"
#include "alert/view.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

enum { DEFAULT_RATE = 600 };
/* So often a shipment is tried whose format fails, or whose answer nobody can judge, before it is
 * given up and the fallback tells. */
enum { DOUBTFUL_TRIES = 3 };

struct webhook_try {
	struct alert *alert;
	struct shipment *shipment;
	const struct conf_receiver *conf;
	struct conf *held; /* that it is part of */
	try_fn done;
	struct format_call *call; /* of the format, under way */
	struct request *request;
	struct post *post;
	struct judgement judgement; /* by HTTP, while the format judges */
	bool instead;		    /* the built-in event went out in place of the format's */
	struct str answer;
	char note[FORMAT_ERROR_BYTES + 64]; /* for the ledger: what failed in the format */
	char retry_after[64];
};

/* ---- the end -------------------------------------------------------------------------------- */

static struct webhook_try *try_free(struct webhook_try *try)
{
	if (!try)
		return NULL;
	post_free(try->post);
	request_free(try->request);
	str_clear(&try->answer);
	shipment_unref(try->shipment);
	conf_unref(try->held);
	free(try);
	return NULL;
}
DEFINE_AUTO(struct webhook_try *, try_free)

void webhook_cancel(struct shipment *s)
{
	struct webhook_try *try = s->try;

	s->try = NULL;
	format_cancel(try->call);
	try_free(try);
}

static void fill_detail(const struct webhook_try *try, struct judgement *j)
{
	size_t len = 0;

	if (try->note[0])
		len = (size_t)snprintf(j->detail, sizeof(j->detail), "%s%s", try->note,
			try->answer.len ? "; the answer: " : "");
	if (len < sizeof(j->detail))
		str_sanitize(j->detail + len, sizeof(j->detail) - len, str_get(&try->answer),
			try->answer.len);
}

/* What went out in place of a format's request says nothing of the notice when it is refused: the
 * format may be well the next time. */
static void doubt(const struct webhook_try *try, struct judgement *j)
{
	if (try->instead && j->verdict == VERDICT_FAILED &&
		try->shipment->n_tries + 1 < DOUBTFUL_TRIES)
		j->verdict = VERDICT_RETRY;
}

static void finish(struct webhook_try *owned, const struct judgement *judged)
{
	auto(try_free) struct webhook_try *try = owned;
	struct judgement own = *judged, *j = &own;

	doubt(try, j);
	fill_detail(try, j);
	if (j->verdict == VERDICT_DELIVERED && try->note[0])
		snprintf(j->error, sizeof(j->error), "%.*s",
			(int)str_cut_utf8(try->note, strlen(try->note), sizeof(j->error) - 1),
			try->note);
	try->shipment->try = NULL;
	try->done(try->shipment, j);
}

static void fail(struct webhook_try *try, const char *what, const char *why)
{
	struct judgement j = {.verdict = VERDICT_RETRY};

	snprintf(j.error, sizeof(j.error), "%.64s: %.180s", what, why);
	finish(try, &j);
}

/* ---- judging -------------------------------------------------------------------------------- */

static const struct format_spec *spec_of(const struct webhook_try *try)
{
	const struct format *f = formats_find(try->alert->formats, try->conf);

	return f ? format_get_spec(f) : NULL;
}

/* A 200 that nobody could look at is no delivery; nor is it tried for ever, as it may have been
 * one.
 */
static void leave_unjudged(struct webhook_try *try, const char *why)
{
	struct judgement j = try->judgement;

	snprintf(try->note, sizeof(try->note), "format '%.64s': the answer cannot be judged: %s",
		try->conf->format, why);
	if (j.verdict == VERDICT_DELIVERED) {
		j.verdict = try->shipment->n_tries + 1 < DOUBTFUL_TRIES ? VERDICT_RETRY
									: VERDICT_FAILED;
		snprintf(j.error, sizeof(j.error), "HTTP %ld: %.200s", j.code, try->note);
	}
	finish(try, &j);
}

static void on_format_judged(int r, json_t *ok, const char *why, void *data)
{
	struct webhook_try *try = data;
	struct judgement j = try->judgement;

	try->call = NULL;
	if (r < 0) {
		leave_unjudged(try, why);
		return;
	}
	webhook_judge_more(ok, try->retry_after, clock_wall(), &j);
	if (j.verdict == VERDICT_MAX)
		leave_unjudged(try, j.error);
	else
		finish(try, &j);
}

static bool ask_judge(struct webhook_try *try)
{
	struct format *f = formats_find(try->alert->formats, try->conf);
	const struct format_spec *spec = f ? format_get_spec(f) : NULL;

	if (!f || (spec && !spec->judges) || !webhook_has_more(&try->judgement))
		return false;
	if (!spec) {
		/* A bad file: for all we know it would have said no. */
		leave_unjudged(try, format_get_error(f));
		return true;
	}
	if (format_ask(f, "judge",
		    webhook_judge_args(try->judgement.code, try->retry_after, &try->answer,
			    format_options(try->conf)),
		    on_format_judged, try, &try->call) < 0)
		leave_unjudged(try, "too many wait for the format");
	return true;
}

static void on_posted(const struct post_answer *answer, void *data)
{
	struct webhook_try *try = data;

	try->judgement = answer->judgement;
	snprintf(try->retry_after, sizeof(try->retry_after), "%s", answer->retry_after);
	(void)str_append(&try->answer, str_get(answer->body), answer->body->len);
	if (!answer->answered || !ask_judge(try))
		finish(try, &try->judgement);
}

static int post(struct webhook_try *try)
{
	const struct post_order order = {.net = try->alert->deps.net,
		.daemon = &try->held->daemon,
		.conf = try->conf,
		.request = try->request};

	return post_start(&order, on_posted, try, &try->post);
}

/* ---- the request ---------------------------------------------------------------------------- */

static struct try_context context_of(const struct webhook_try *try)
{
	return (struct try_context){.alert = try->alert, .conf = try->conf, .done = try->done};
}

static struct request_context request_context_of(
	const struct webhook_try *try, const struct format_spec *spec)
{
	return (struct request_context){.conf = try->conf,
		.id = try->shipment->id,
		.wall = clock_wall(),
		.scheme = format_sign_of(spec, try->conf),
		.max_bytes = spec ? spec->max_bytes : 0};
}

/* The built-in event; signed as Standard Webhooks, whatever the format that it stands in for. */
static int make_event(struct webhook_try *try, struct tend_error *err)
{
	const struct try_context context = context_of(try);
	struct request_context request = request_context_of(try, NULL);
	auto_free struct view_entry *entries = NULL;
	auto_free char *body = NULL;
	struct view_source source;
	int r = view_source_of(&context, try->shipment, &entries, &source);

	if (r == 0)
		r = event_compose(&source, &body);
	if (r < 0)
		return r;
	if (try->instead)
		request.scheme = SIGN_STANDARD;
	return request_of_event(&request, body, try->instead, &try->request, err);
}

/* Nobody may stay untold for the want of a format. */
static void post_instead(struct webhook_try *try, const char *why)
{
	struct tend_error err = {0};
	int r;

	try->instead = true;
	snprintf(try->note, sizeof(try->note), "format '%.64s': %.400s; sent as CloudEvents",
		try->conf->format, why);
	log_warning("receiver '%s': %s", try->conf->name, try->note);
	r = make_event(try, &err);
	if (r == 0)
		r = post(try);
	if (r < 0)
		fail(try, "cannot start the try", err.text[0] ? err.text : strerror(-r));
}

static void on_formatted(int r, json_t *ok, const char *why, void *data)
{
	struct webhook_try *try = data;
	const struct format_spec *spec = spec_of(try);
	struct tend_error err = {0};

	try->call = NULL;
	if (r == 0 && spec) {
		const struct request_context context = request_context_of(try, spec);

		r = request_of_format(&context, ok, &try->request, &err);
		why = err.text;
	} else if (r == 0) {
		r = -ENOEXEC;
		why = "its file was changed";
	}
	if (r < 0) {
		post_instead(try, why);
		return;
	}
	r = post(try);
	if (r < 0)
		fail(try, "cannot start the try", strerror(-r));
}

static json_t *format_args(const struct webhook_try *try)
{
	const struct try_context context = context_of(try);
	json_t *view;

	if (view_of_shipment(&context, try->shipment, &view) < 0)
		return NULL;
	return json_pack("{s:o, s:o}", "notice", view, "options", format_options(try->conf));
}

/* ---- the start ------------------------------------------------------------------------------ */

static int try_new(
	const struct try_context *context, struct shipment *s, struct webhook_try **ret_try)
{
	auto(try_free) struct webhook_try *try = calloc(1, sizeof(*try));

	if (!try)
		return -ENOMEM;
	try->alert = context->alert;
	try->conf = context->conf;
	try->held = conf_ref(context->alert->conf);
	try->shipment = shipment_ref(s);
	try->done = context->done;
	try->answer.max = POST_ANSWER_BYTES;
	*ret_try = TAKE(try);
	return 0;
}

static int start_built_in(struct webhook_try *try)
{
	int r = make_event(try, NULL);

	return r < 0 ? r : post(try);
}

int webhook_start(const struct try_context *context, struct shipment *s)
{
	struct format *f = formats_find(context->alert->formats, context->conf);
	auto(try_free) struct webhook_try *try = NULL;
	int r = try_new(context, s, &try);

	if (r < 0)
		return r;
	r = f ? format_ask(f, "format", format_args(try), on_formatted, try, &try->call)
	      : start_built_in(try);
	if (f && r < 0) {
		try->instead = true;
		snprintf(try->note, sizeof(try->note), "format '%.64s': %s; sent as CloudEvents",
			try->conf->format, strerror(-r));
		r = start_built_in(try);
	}
	if (r == 0)
		s->try = TAKE(try);
	return r;
}

/* ---- what the type says --------------------------------------------------------------------- */

static const struct format_spec *spec_for(struct alert *alert, const struct conf_receiver *conf)
{
	const struct format *f = formats_find(alert->formats, conf);

	return f ? format_get_spec(f) : NULL;
}

bool webhook_can_group(struct alert *alert, const struct conf_receiver *conf)
{
	const struct format *f = formats_find(alert->formats, conf);
	const struct format_spec *spec = f ? format_get_spec(f) : NULL;

	/* The built-in event can, also in place of a bad file. */
	return spec ? spec->group : !f || format_get_state(f) == FORMAT_BAD;
}

size_t webhook_max_notices(struct alert *alert, const struct conf_receiver *conf)
{
	const struct format_spec *spec = spec_for(alert, conf);

	return spec ? spec->max_notices : 0;
}

int64_t webhook_rate(struct alert *alert, const struct conf_receiver *conf)
{
	const struct format_spec *spec = spec_for(alert, conf);

	return spec && spec->rate_per_minute >= 0 ? spec->rate_per_minute : DEFAULT_RATE;
}

int64_t webhook_repeat_seconds(struct alert *alert, const struct conf_receiver *conf)
{
	const struct format_spec *spec = spec_for(alert, conf);

	return spec ? spec->repeat_seconds : 0;
}
