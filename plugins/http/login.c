/* SPDX-License-Identifier: MIT */
/* The log-in by a form: its page is read, filled in and sent; the answer is judged. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/text.h"
#include "form.h"
#include "run.h"

enum { LOGIN_MAX_REDIRECTS = 10, QUOTE_CHARS = 120 };

void login_begin(struct run *run)
{
	struct ask ask = {.stage = ASK_FORM,
		.url = strdup(run->conf->login.url),
		.method = "GET",
		.max_redirects = LOGIN_MAX_REDIRECTS};

	if (!ask.url)
		run_finish(run, TEND_REASON_INTERNAL, "no memory");
	else
		run_ask(run, &ask);
}

static void finish_quoting(struct run *run, enum tend_reason reason, const char *what)
{
	char quoted[QUOTE_CHARS + 8], text[400];

	(void)snprintf(text, sizeof(text), "%.250s: %s", what,
		run->n_body
			? text_quote(run->body, run->n_body, QUOTE_CHARS, quoted, sizeof(quoted))
			: "an empty page");
	run_finish(run, reason, text);
}

static int fill(struct form *form, char *const *entries)
{
	char name[FORM_NAME_BYTES];
	int r = 0;

	for (; r == 0 && entries && *entries; entries++) {
		size_t n = strcspn(*entries, "=");

		if (n >= sizeof(name))
			return -E2BIG;
		memcpy(name, *entries, n);
		name[n] = '\0';
		r = form_set(form, name, (*entries)[n] ? *entries + n + 1 : "");
	}
	return r;
}

/* Where the form goes, as an absolute URL. */
static char *target(const struct run *run, const struct form *form)
{
	CURLU *u = curl_url();
	char *text = NULL, *copy = NULL;

	if (u && curl_url_set(u, CURLUPART_URL, run_url(run), 0) == CURLUE_OK &&
		(form->action[0] == '\0' || curl_url_set(u, CURLUPART_URL, form->action,
						    CURLU_URLENCODE) == CURLUE_OK) &&
		curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
		curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK)
		copy = strdup(text);
	curl_free(text);
	curl_url_cleanup(u);
	return copy;
}

/* Fields of a form that is sent by GET stand in its URL, which is no place for a password. */
static const char *unfit(const struct run *run, const struct form *form, const char *url)
{
	if (!form->post)
		return "the form of the log-in page sends passwords in the URL (method is not "
		       "POST)";
	if (form->multipart)
		return "the form of the log-in page is multipart/form-data";
	if (!url)
		return "the form of the log-in page leads to no URL";
	return http_same_origin(url, run->conf->url)
		       ? NULL
		       : "the form of the log-in page leads to another server";
}

static void send_form(struct run *run, struct form *form)
{
	struct ask ask = {
		.stage = ASK_LOGIN, .method = "POST", .max_redirects = LOGIN_MAX_REDIRECTS};
	const char *why;
	int r = fill(form, run->conf->login.fields);

	if (r == 0)
		r = fill(form, run->conf->login.secrets);
	ask.url = target(run, form);
	why = unfit(run, form, ask.url);
	if (r < 0 || why) {
		free(ask.url);
		run_finish(run, r < 0 ? TEND_REASON_INTERNAL : TEND_REASON_CONTENT_UNEXPECTED,
			r < 0 ? "the form of the log-in page has too many fields" : why);
		return;
	}
	ask.body = form_encode(form);
	ask.referer = strdup(run_url(run));
	if (!ask.body || !ask.referer) {
		free(ask.url);
		free(ask.body);
		free(ask.referer);
		run_finish(run, TEND_REASON_INTERNAL, "no memory");
		return;
	}
	run_ask(run, &ask);
}

void login_page(struct run *run)
{
	struct form form = {0};
	long status = run_status(run);
	int r;

	if (status < 200 || status > 299) {
		run_finish_status(run, status);
		return;
	}
	r = form_find(run->body ? run->body : "", run->n_body, run->conf->login.form, &form);
	if (r == -ENOENT) {
		finish_quoting(
			run, TEND_REASON_CONTENT_UNEXPECTED, "the log-in page has no such form");
		return;
	}
	if (r < 0) {
		run_finish(run, TEND_REASON_CONTENT_UNEXPECTED,
			r == -E2BIG ? "the form of the log-in page is too large" : strerror(-r));
		return;
	}
	send_form(run, &form);
	form_clear(&form);
}

/* Without an expression: a page that asks for the password again. */
static bool is_refused(const struct run *run)
{
	struct form form = {0};
	const char *body = run->body ? run->body : "";
	bool refused;

	if (run->conf->login_expect)
		return pattern_match(run->conf->login_expect, body, run->n_body) != 1;
	if (form_find(body, run->n_body, run->conf->login.form, &form) < 0)
		return false;
	refused = form.password;
	form_clear(&form);
	return refused;
}

void login_answer(struct run *run)
{
	long status = run_status(run);

	/* 400 and 422: frameworks say so of a wrong password, too; a page tells. */
	if (status >= 500 || (status >= 300 && status < 400) || status == 429)
		run_finish_status(run, status);
	else if (status > 299 || is_refused(run))
		finish_quoting(run, TEND_REASON_AUTH_FAILED,
			run->conf->login_expect
				? "the log-in was refused: the page after it does not match "
				  "login.expect"
				: "the log-in was refused");
	else
		run_go_on(run);
}
