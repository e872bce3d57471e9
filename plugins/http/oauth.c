/* SPDX-License-Identifier: MIT */
/*
 * A token by client credentials (RFC 6749 section 4.4). It is a secret and stays in the memory of
 * the check; it is renewed shortly before it ends, and once when the server refuses it.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "form.h"
#include "run.h"
#include "token.h"

bool oauth_needs_token(const struct run *run)
{
	const struct http_session *session = run->conf->session;

	return run->conf->auth == HTTP_AUTH_OAUTH2 &&
	       (!session->token || tend_now() >= session->token_until);
}

void oauth_forget(struct run *run)
{
	struct http_session *session = run->conf->session;

	if (session->token)
		explicit_bzero(session->token, strlen(session->token));
	free(session->token);
	session->token = NULL;
}

static int fill(struct form *form, const struct http_oauth *o)
{
	int r = form_set(form, "grant_type", "client_credentials");

	if (r == 0 && o->scope)
		r = form_set(form, "scope", o->scope);
	if (r == 0 && o->client_auth == HTTP_CLIENT_BODY)
		r = form_set(form, "client_id", o->id);
	if (r == 0 && o->client_auth == HTTP_CLIENT_BODY)
		r = form_set(form, "client_secret", o->secret);
	for (char **p = o->params; r == 0 && p && *p; p++) {
		size_t n = strcspn(*p, "=");
		char *name = strndup(*p, n);

		r = name ? form_set(form, name, (*p)[n] ? *p + n + 1 : "") : -1;
		free(name);
	}
	return r;
}

void oauth_begin(struct run *run)
{
	struct ask ask = {.stage = ASK_TOKEN, .method = "POST"};
	struct form form = {0};

	oauth_forget(run);
	if (fill(&form, &run->conf->oauth) == 0)
		ask.body = form_encode(&form);
	form_clear(&form);
	ask.url = strdup(run->conf->oauth.url);
	if (!ask.body || !ask.url) {
		free(ask.body);
		free(ask.url);
		run_finish(run, TEND_REASON_INTERNAL, "no memory");
		return;
	}
	run_ask(run, &ask);
}

void oauth_answer(struct run *run)
{
	struct http_session *session = run->conf->session;
	struct token token = {0};
	char why[TOKEN_WHY_BYTES], text[TOKEN_WHY_BYTES + 64];
	long status = run_status(run);
	enum tend_reason reason =
		token_read(run->body ? run->body : "", run->n_body, status, &token, why);

	if (reason != TEND_REASON_OK) {
		(void)snprintf(text, sizeof(text), "no token: status %ld, %s", status, why);
		run_finish(run, reason, text);
		return;
	}
	session->token = token.text;
	session->token_until = tend_now() + token.lasts_usec;
	run->token_is_new = true;
	run_go_on(run);
}
