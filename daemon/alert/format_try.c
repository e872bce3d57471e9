/* SPDX-License-Identifier: MIT */
#include "alert/format_try.h"
#include <limits.h>
#include <string.h>
#include "alert/post.h"
#include "alert/private.h"
#include "base/clock.h"
#include "net/net.h"

#define CONFIG_PATH "/etc/tend/tend.conf"
#define WAIT_USEC   (15 * USEC_PER_SEC)
/* Of a receiver that nobody configured: shown as ***, as a real one is. */
#define SAMPLE_SECRET "whsec_dGVuZC1mb3JtYXQtdGVzdC1zYW1wbGU="

struct work {
	const struct format_try *try;
	struct format_tools *tools;
	struct conf *conf; /* NULL: no receiver was named */
	struct conf_daemon no_daemon;
	struct conf_receiver receiver; /* borrows from conf */
	char name[PATH_MAX];	       /* of the format */
	struct format *format;
	/* of the call under way */
	bool done;
	int r;
	json_t *ok;
	char why[FORMAT_ERROR_BYTES];
	struct request *request;
	struct net *net;
	struct post *post;
	bool answered;
	struct judgement judgement;
	struct str body;
	char retry_after[64];
};

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "tend-format: %s%s%s\n", what, why ? ": " : "", why ? why : "");
	return -EINVAL;
}

static int turn_until(struct work *w, const bool *done)
{
	usec_t until = clock_now() + WAIT_USEC;
	int r = 0;

	while (r >= 0 && !*done && clock_now() < until)
		r = loop_turn(w->tools->loop, 100 * USEC_PER_MSEC);
	return *done ? 0 : complain("no answer came", NULL);
}

/* ---- who gets it ---------------------------------------------------------------------------- */

static int load_receiver(struct work *w)
{
	const char *path = w->try->config ? w->try->config : CONFIG_PATH;
	struct conf_errors errors = {0};
	const struct conf_receiver *found;
	int r = conf_load(path, NULL, &errors, &w->conf);

	if (r < 0) {
		conf_errors_print(&errors, stderr);
		conf_errors_clear(&errors);
		return complain(path, "the configuration cannot be read");
	}
	conf_errors_clear(&errors);
	found = map_get(&w->conf->receivers, w->try->receiver);
	if (!found)
		return complain("there is no such receiver", w->try->receiver);
	if (found->type != RECEIVER_WEBHOOK)
		return complain("the receiver is no webhook", w->try->receiver);
	w->receiver = *found;
	return 0;
}

static int make_receiver(struct work *w)
{
	static char name[] = "sample", url[] = "https://receiver.invalid/hook",
		    secret[] = SAMPLE_SECRET;

	if (w->try->send)
		return complain("--send needs --receiver", NULL);
	w->receiver = (struct conf_receiver){.name = name,
		.type = RECEIVER_WEBHOOK,
		.url = url,
		.secret = secret,
		.sign = -1,
		.timeout = 10 * USEC_PER_SEC};
	return 0;
}

/* Options given here go before those of the configuration. */
static int add_options(struct work *w, char ***ret_options)
{
	size_t n_own = strv_len(w->try->options), n = strv_len(w->receiver.format_options);
	char **all = calloc(n_own + n + 1, sizeof(*all));

	for (size_t i = 0; all && i < n; i++)
		all[i] = w->receiver.format_options[i];
	for (size_t i = 0; all && i < n_own; i++) {
		all[n + i] = w->try->options[i];
		if (!strchr(all[n + i], '=')) {
			complain(all[n + i], "an option is written NAME=VALUE");
			free(all);
			return -EINVAL;
		}
	}
	if (!all)
		return -ENOMEM;
	w->receiver.format_options = *ret_options = all;
	return 0;
}

/* A file as it is, whatever folder we are in; else the name of a shipped one. */
static int find_format(struct work *w)
{
	const char *name = w->try->format;

	if (!strchr(name, '/') && !str_endswith(name, ".lua"))
		snprintf(w->name, sizeof(w->name), "%s", name);
	else if (!realpath(name, w->name))
		return complain(name, strerror(errno));
	w->receiver.format = w->name;
	return 0;
}

/* ---- the format ----------------------------------------------------------------------------- */

static void on_answer(int r, json_t *ok, const char *why, void *data)
{
	struct work *w = data;

	w->r = r;
	w->ok = ok ? json_incref(ok) : NULL;
	snprintf(w->why, sizeof(w->why), "%s", why);
	w->done = true;
}

static int ask(struct work *w, const char *call, json_t *args)
{
	struct format_call *under_way;
	int r;

	w->done = false;
	json_decref(w->ok);
	w->ok = NULL;
	r = format_ask(w->format, call, args, on_answer, w, &under_way);
	if (r == 0)
		r = turn_until(w, &w->done);
	if (r == 0 && w->r < 0)
		return complain(w->name, w->why);
	return r;
}

static int start_format(struct work *w)
{
	struct tend_error err = {0};
	const char *key;
	usec_t until = clock_now() + WAIT_USEC;
	int r = formats_want(w->tools->formats, w->name, &w->format);

	while (r >= 0 && format_get_state(w->format) == FORMAT_STARTING && clock_now() < until)
		r = loop_turn(w->tools->loop, 100 * USEC_PER_MSEC);
	if (r < 0)
		return r;
	if (format_get_state(w->format) != FORMAT_UP)
		return complain(w->name, format_get_error(w->format));
	if (format_check_receiver(format_get_spec(w->format), &w->receiver, &key, &err) < 0)
		return complain(err.text, NULL);
	return 0;
}

static int make_request(struct work *w)
{
	const struct format_spec *spec = format_get_spec(w->format);
	const struct sample_options sample = {.name = w->try->sample,
		.receiver = w->receiver.name,
		.language = (enum conf_language)MAX(w->receiver.language, 0),
		.wall = clock_wall()};
	const struct request_context context = {.conf = &w->receiver,
		.id = "019cac8a-0000-7000-8000-000000000001",
		.wall = clock_wall(),
		.scheme = format_sign_of(spec, &w->receiver),
		.max_bytes = spec->max_bytes};
	struct tend_error err = {0};
	json_t *view;
	int r = sample_view(&sample, &view);

	if (r == -ENOENT)
		return complain("there is no such sample", w->try->sample);
	if (r < 0)
		return r;
	r = ask(w, "format",
		json_pack("{s:o, s:o}", "notice", view, "options", format_options(&w->receiver)));
	if (r == 0 && request_of_format(&context, w->ok, &w->request, &err) < 0)
		return complain(w->name, err.text);
	return r;
}

/* ---- what is printed ------------------------------------------------------------------------ */

static char *clean(struct work *w, const char *text)
{
	char *copy = strdup(text);

	if (copy)
		secrets_redact(&w->receiver, copy);
	return copy;
}

static json_t *headers_json(struct work *w)
{
	json_t *headers = json_object();

	for (const struct curl_slist *h = w->request->headers; h; h = h->next) {
		const char *colon = strstr(h->data, ": ");
		auto_free char *name = colon ? strndup(h->data, (size_t)(colon - h->data)) : NULL;
		auto_free char *value = colon ? clean(w, colon + 2) : NULL;

		if (name && value && *value)
			(void)json_object_set_new(headers, name, json_string(value));
	}
	return headers;
}

static json_t *request_json(struct work *w)
{
	const struct format_spec *spec = format_get_spec(w->format);
	auto_free char *url = clean(w, w->request->url), *body = clean(w, w->request->body);
	json_t *parsed = json_loads(body, 0, NULL);

	return json_pack("{s:s, s:o, s:o, s:I, s:I}", "url", url, "headers", headers_json(w),
		"body", parsed ? parsed : json_string(body), "bytes",
		(json_int_t)strlen(w->request->body), "max_bytes",
		(json_int_t)(spec->max_bytes ? spec->max_bytes : REQUEST_DEFAULT_BYTES));
}

static void print_request(const json_t *request)
{
	const json_t *body = json_object_get(request, "body");
	long long n = json_integer_value(json_object_get(request, "bytes"));
	long long max = json_integer_value(json_object_get(request, "max_bytes"));
	json_t *headers = json_object_get(request, "headers"), *value;
	const char *name;

	printf("POST %s\n", json_string_value(json_object_get(request, "url")));
	json_object_foreach (headers, name, value)
		printf("%s: %s\n", name, json_string_value(value));
	putchar('\n');
	if (json_is_string(body))
		fputs(json_string_value(body), stdout);
	else
		(void)json_dumpf(body, stdout, JSON_INDENT(2));
	printf("\n\n%lld of %lld bytes (%lld %%)\n", n, max, n * 100 / max);
}

/* ---- sending -------------------------------------------------------------------------------- */

static void on_posted(const struct post_answer *answer, void *data)
{
	struct work *w = data;

	w->answered = answer->answered;
	w->judgement = answer->judgement;
	snprintf(w->retry_after, sizeof(w->retry_after), "%s", answer->retry_after);
	(void)str_append(&w->body, str_get(answer->body), answer->body->len);
	w->done = true;
}

static int judge(struct work *w)
{
	if (!w->answered || !format_get_spec(w->format)->judges || !webhook_has_more(&w->judgement))
		return 0;
	int r = ask(w, "judge",
		webhook_judge_args(
			w->judgement.code, w->retry_after, &w->body, format_options(&w->receiver)));
	if (r == 0)
		webhook_judge_more(w->ok, w->retry_after, clock_wall(), &w->judgement);
	return r;
}

static int send_it(struct work *w, json_t *report)
{
	const struct post_order order = {
		.daemon = &w->conf->daemon, .conf = &w->receiver, .request = w->request};
	struct post_order with_net = order;
	char answer[1024];
	int r = net_new(w->tools->loop, &w->net);

	with_net.net = w->net;
	w->body.max = POST_ANSWER_BYTES;
	w->done = false;
	if (r == 0)
		r = post_start(&with_net, on_posted, w, &w->post);
	if (r < 0)
		return complain("cannot post it", strerror(-r));
	r = turn_until(w, &w->done);
	if (r == 0)
		r = judge(w);
	if (r < 0)
		return r;
	str_sanitize(answer, sizeof(answer), str_get(&w->body), w->body.len);
	auto_free char *shown = clean(w, answer), *error = clean(w, w->judgement.error);
	return json_object_set_new(report, "answer",
		json_pack("{s:s, s:i, s:s, s:s}", "verdict",
			w->judgement.verdict < VERDICT_MAX ? verdict_names[w->judgement.verdict]
							   : "unclear",
			"code", (int)w->judgement.code, "error", error, "body", shown));
}

static void print_answer(const json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));

	printf("\n%s%s%s (HTTP %lld): %s\n", json_string_value(json_object_get(answer, "verdict")),
		error && *error ? ": " : "", error ? error : "",
		json_integer_value(json_object_get(answer, "code")),
		json_string_value(json_object_get(answer, "body")));
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int run(struct work *w, char ***options)
{
	json_t *answer;
	int r = w->try->receiver ? load_receiver(w) : make_receiver(w);

	if (r == 0 && w->try->language >= 0)
		w->receiver.language = w->try->language;
	if (r == 0)
		r = find_format(w);
	if (r == 0)
		r = add_options(w, options);
	if (r == 0)
		r = start_format(w);
	if (r == 0)
		r = make_request(w);
	if (r < 0)
		return r;
	auto_json json_t *report = request_json(w);
	if (w->try->send)
		r = send_it(w, report);
	answer = json_object_get(report, "answer");
	if (w->try->as_json) {
		(void)json_dumpf(report, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_request(report);
		if (answer)
			print_answer(answer);
	}
	return r < 0 || (answer && w->judgement.verdict != VERDICT_DELIVERED) ? -EINVAL : 0;
}

int format_try(struct format_tools *tools, const struct format_try *try)
{
	struct work w = {.tools = tools, .try = try};
	char **options = NULL;
	int r = run(&w, &options);

	post_free(w.post);
	net_free(w.net);
	request_free(w.request);
	json_decref(w.ok);
	str_clear(&w.body);
	free(options);
	conf_unref(w.conf);
	return r < 0;
}
