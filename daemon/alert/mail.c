/* SPDX-License-Identifier: MIT */
/*
 * alert/mail.c: one try of one shipment by mail. libcurl connects, encrypts and logs in without
 * blocking; the rest it would do blocking (7.88 waits within curl_multi_remove_handle() for the
 * answer to the final dot, and to QUIT), so mail_dialogue.c does it over libcurl's connection.
 * Who has got a shipment of which others were refused for now is remembered while tendd runs.
 */
#include <string.h>
#include <sys/epoll.h>
#include "alert/mail_address.h"
#include "alert/mail_compose.h"
#include "alert/mail_dialogue.h"
#include "alert/private.h"
#include "alert/view.h"
#include "base/clock.h"
#include "base/str.h"
#include "net/net.h"

enum { MAX_PROGRESS = 256, CHUNK_BYTES = 16384, SAID_BYTES = 256 };

struct mail_progress { /* of a shipment that some have and some have not */
	char id[UUID_TEXT_BYTES];
	char *receiver;
	char **have_it; /* addresses */
};

struct mail_try {
	struct alert *alert;
	struct shipment *shipment;
	const struct conf_receiver *conf;
	struct conf *held; /* that it is part of */
	try_fn done;
	usec_t deadline;
	CURL *easy;
	struct net_transfer *transfer;
	struct net_guard guard;
	char *const *lists[2]; /* of the guard */
	struct loop_source *io, *timer;
	struct mail_address *addresses; /* whom the dialogue's recipients are of */
	struct mail_address from;
	struct mail_dialogue dialogue;
	struct str mail;
	char *url;
	char said[SAID_BYTES]; /* the server's last line before the dialogue */
	char error[CURL_ERROR_SIZE];
};

/* ---- who has it ----------------------------------------------------------------------------- */

static struct mail_progress *progress_free(struct mail_progress *p)
{
	if (!p)
		return NULL;
	strv_free(p->have_it);
	free(p->receiver);
	free(p);
	return NULL;
}
DEFINE_AUTO(struct mail_progress *, progress_free)

void mail_progress_clear(struct alert *alert)
{
	VEC_FOREACH (&alert->mails, struct mail_progress *, p)
		progress_free(p);
	vec_clear(&alert->mails);
}

static struct mail_progress *find_progress(const struct mail_try *try, size_t *ret_at)
{
	const struct vec *mails = &try->alert->mails;

	for (size_t i = 0; i < mails->len; i++) {
		struct mail_progress *p = mails->items[i];

		if (strcmp(p->id, try->shipment->id) == 0 &&
			strcmp(p->receiver, try->conf->name) == 0) {
			*ret_at = i;
			return p;
		}
	}
	return NULL;
}

static void drop_progress(struct mail_try *try)
{
	size_t at = 0;
	struct mail_progress *p = find_progress(try, &at);

	if (!p)
		return;
	vec_remove(&try->alert->mails, at);
	progress_free(p);
}

/* Without memory for it somebody may get the mail twice, with one Message-ID. */
static void keep_progress(struct mail_try *try)
{
	auto(progress_free) struct mail_progress *p = calloc(1, sizeof(*p));
	const struct mail_dialogue *d = &try->dialogue;
	struct vec *mails = &try->alert->mails;
	size_t n = 0;

	drop_progress(try);
	if (!p)
		return;
	snprintf(p->id, sizeof(p->id), "%s", try->shipment->id);
	p->receiver = strdup(try->conf->name);
	p->have_it = calloc(d->n_recipients + 1, sizeof(char *));
	if (!p->receiver || !p->have_it)
		return;
	for (size_t i = 0; i < d->n_recipients; i++)
		if (d->recipients[i].has_it &&
			!(p->have_it[n++] = strdup(d->recipients[i].address)))
			return;
	if (n == 0)
		return;
	if (mails->len >= MAX_PROGRESS) {
		progress_free(mails->items[0]);
		vec_remove(mails, 0);
	}
	if (vec_push(mails, p) == 0)
		TAKE(p);
}

/* ---- the end -------------------------------------------------------------------------------- */

static struct mail_try *try_free(struct mail_try *try)
{
	if (!try)
		return NULL;
	loop_source_free(try->io);
	loop_source_free(try->timer);
	net_transfer_cancel(try->transfer);
	if (try->easy)
		curl_easy_cleanup(try->easy);
	free(try->dialogue.recipients);
	dialogue_clear(&try->dialogue);
	free(try->addresses);
	str_clear(&try->mail);
	free(try->url);
	shipment_unref(try->shipment);
	conf_unref(try->held);
	free(try);
	return NULL;
}
DEFINE_AUTO(struct mail_try *, try_free)

void mail_cancel(struct shipment *s)
{
	struct mail_try *try = s->try;

	s->try = NULL;
	try_free(try);
}

static void finish(struct mail_try *owned, const struct judgement *judgement)
{
	auto(try_free) struct mail_try *try = owned;
	struct judgement j = *judgement;

	if (j.verdict == VERDICT_RETRY)
		keep_progress(try);
	else
		drop_progress(try);
	try->shipment->try = NULL;
	try->done(try->shipment, &j);
}

static void finish_dialogue(struct mail_try *try, const char *lost)
{
	struct judgement j;
	size_t n;

	if (!lost)
		(void)curl_easy_send(
			try->easy, "QUIT\r\n", 6, &n); /* nobody waits for the answer */
	mail_judge(&try->dialogue, lost, try->shipment->n_tries, &j);
	finish(try, &j);
}

/* ---- the dialogue --------------------------------------------------------------------------- */

/* 0: all is said, or the socket is full. */
static int say(struct mail_try *try)
{
	struct str *out = &try->dialogue.out;
	size_t sent = 0;
	CURLcode result = CURLE_OK;

	while (result == CURLE_OK && sent < out->len) {
		size_t n = 0;

		result = curl_easy_send(try->easy, out->data + sent, out->len - sent, &n);
		if (result == CURLE_OK)
			sent += n;
	}
	if (sent > 0) {
		memmove(out->data, out->data + sent, out->len - sent);
		out->len -= sent;
		out->data[out->len] = '\0';
	}
	return result == CURLE_OK || result == CURLE_AGAIN ? 0 : -EPIPE;
}

/* Until there is no more: what TLS has decrypted does not wake the loop again. */
static int hear(struct mail_try *try)
{
	char data[CHUNK_BYTES];

	while (!dialogue_is_over(&try->dialogue)) {
		size_t n = 0;
		CURLcode result = curl_easy_recv(try->easy, data, sizeof(data), &n);
		int r;

		if (result == CURLE_AGAIN)
			return 0;
		if (result != CURLE_OK || n == 0)
			return -EPIPE;
		r = dialogue_hear(&try->dialogue, data, n);
		if (r < 0)
			return r;
	}
	return 0;
}

static void talk(struct mail_try *try)
{
	int r = hear(try);

	if (r == 0 && !dialogue_is_over(&try->dialogue))
		r = say(try);
	if (r < 0)
		finish_dialogue(
			try, r == -EPIPE ? "the server has closed the connection" : strerror(-r));
	else if (dialogue_is_over(&try->dialogue))
		finish_dialogue(try, NULL);
	else
		(void)loop_io_set(try->io,
			(uint32_t)EPOLLIN | (try->dialogue.out.len > 0 ? (uint32_t)EPOLLOUT : 0));
}

static void on_ready(int fd, uint32_t events, void *data)
{
	talk(data);
}

static void on_deadline(void *data)
{
	struct mail_try *try = data;

	finish_dialogue(try, try->dialogue.step == DIALOGUE_MAIL
				     ? "timeout: it is not known whether the mail was taken"
				     : "timeout: the server does not answer");
}

static int begin(struct mail_try *try)
{
	struct loop *loop = try->alert->deps.loop;
	curl_socket_t fd = -1;
	int r = curl_easy_getinfo(try->easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK && fd >= 0
			? dialogue_begin(&try->dialogue)
			: -ENOTCONN;

	if (r == 0)
		r = loop_timer_new(loop, on_deadline, try, &try->timer);
	if (r == 0)
		r = loop_io_new(loop, fd, EPOLLIN | EPOLLOUT, on_ready, try, &try->io);
	if (r < 0)
		return r;
	loop_source_name(try->io, "mail");
	loop_source_name(try->timer, "mail deadline");
	loop_timer_set(try->timer, try->deadline);
	return 0;
}

/* ---- up to the dialogue --------------------------------------------------------------------- */

static const char *what_failed(const struct mail_try *try, int result, char buf[SAID_BYTES])
{
	if (result == -EACCES)
		return try->guard.refusal;
	if (result < 0)
		snprintf(buf, SAID_BYTES, "cannot look up the host: %s", strerror(-result));
	else if (result == CURLE_LOGIN_DENIED)
		snprintf(buf, SAID_BYTES, "the server refuses the login of '%.64s'",
			try->conf->user ? try->conf->user : "");
	else if (result == CURLE_USE_SSL_FAILED)
		snprintf(buf, SAID_BYTES, "the server offers no STARTTLS");
	else
		snprintf(buf, SAID_BYTES, "%.200s",
			try->error[0] ? try->error : curl_easy_strerror((CURLcode)result));
	return buf;
}

/* What the server said last matters where it is what has failed. */
static bool has_said_no(const struct mail_try *try, int result)
{
	return result == CURLE_LOGIN_DENIED || result == CURLE_WEIRD_SERVER_REPLY ||
	       try->said[0] == '4' || try->said[0] == '5';
}

static void on_connected(CURL *easy, int result, void *data)
{
	struct mail_try *try = data;
	char what[SAID_BYTES];
	struct judgement j;
	int r;

	if (result != CURLE_OK) {
		try->transfer = NULL;
		mail_judge_early(what_failed(try, result, what),
			has_said_no(try, result) ? try->said : "", &j);
		finish(try, &j);
		return;
	}
	r = begin(try);
	if (r < 0)
		finish_dialogue(try, strerror(-r));
}

static size_t on_line(char *data, size_t size, size_t n, void *user)
{
	struct mail_try *try = user;
	size_t len = size * n;

	while (len > 0 && strchr("\r\n", data[len - 1]))
		len--;
	str_sanitize(try->said, sizeof(try->said), data, len);
	return size * n;
}

static int set_options(struct mail_try *try)
{
	const struct conf_receiver *conf = try->conf;
	CURL *easy = try->easy;
	bool ok = true;

#define SET(option, value) ok = ok && curl_easy_setopt(easy, option, value) == CURLE_OK
	SET(CURLOPT_URL, try->url);
	SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	SET(CURLOPT_CONNECT_ONLY, 1L);
	SET(CURLOPT_USE_SSL,
		(long)(conf->tls == CONF_TLS_STARTTLS ? CURLUSESSL_ALL : CURLUSESSL_NONE));
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_HEADERFUNCTION, on_line);
	SET(CURLOPT_HEADERDATA, try);
	SET(CURLOPT_ERRORBUFFER, try->error);
	if (conf->user) {
		SET(CURLOPT_USERNAME, conf->user);
		SET(CURLOPT_PASSWORD, conf->password);
	}
	if (conf->ca_file)
		SET(CURLOPT_CAINFO, conf->ca_file);
	if (conf->cert_file)
		SET(CURLOPT_SSLCERT, conf->cert_file);
	if (conf->key_file)
		SET(CURLOPT_SSLKEY, conf->key_file);
#undef SET
	return ok ? 0 : -EINVAL;
}

/* ---- the start ------------------------------------------------------------------------------ */

static int compose(const struct try_context *context, struct mail_try *try)
{
	const struct conf_receiver *conf = try->conf;
	auto_json json_t *view = NULL;
	int r = view_of_shipment(context, try->shipment, &view);
	const struct mail_source source = {
		.view = view, .from = conf->from, .to = conf->to, .wall = clock_wall()};

	if (r == 0)
		r = mail_compose(&source, &try->mail);
	return r;
}

static int set_recipients(struct mail_try *try)
{
	const struct conf_receiver *conf = try->conf;
	struct mail_dialogue *d = &try->dialogue;
	size_t n = strv_len(conf->to), at = 0;
	const struct mail_progress *p = find_progress(try, &at);
	int r = mail_address_parse(conf->from, &try->from);

	try->addresses = calloc(n, sizeof(*try->addresses));
	d->recipients = calloc(n, sizeof(*d->recipients));
	if (!try->addresses || !d->recipients)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = mail_address_parse(conf->to[i], &try->addresses[i]);
		d->recipients[i].address = try->addresses[i].address;
		d->recipients[i].has_it = p && strv_contains(p->have_it, d->recipients[i].address);
	}
	d->n_recipients = n;
	d->from = try->from.address;
	d->mail = &try->mail;
	return r;
}

/* The path is the name that libcurl greets with. */
static char *make_url(const struct mail_try *try)
{
	const char *url = try->conf->url, *host = strstr(url, "://") + 3;
	bool has_port = strrchr(host, ':') && !strchr(strrchr(host, ':'), ']');
	char name[MAIL_HOST_BYTES];

	mail_host(try->alert->host, name);
	return str_printf("%s%s/%s", url,
		has_port			      ? ""
		: try->conf->tls == CONF_TLS_IMPLICIT ? ":465"
						      : ":587",
		name);
}

static int try_new(const struct try_context *context, struct shipment *s, struct mail_try **ret_try)
{
	auto(try_free) struct mail_try *try = calloc(1, sizeof(*try));
	int r;

	if (!try)
		return -ENOMEM;
	try->alert = context->alert;
	try->conf = context->conf;
	try->held = conf_ref(context->alert->conf);
	try->shipment = shipment_ref(s);
	try->done = context->done;
	try->deadline = clock_now() + try->conf->timeout;
	try->easy = curl_easy_init();
	try->url = make_url(try);
	if (!try->easy || !try->url)
		return -ENOMEM;
	r = set_options(try);
	if (r == 0)
		r = set_recipients(try);
	if (r == 0)
		r = compose(context, try);
	if (r < 0)
		return r;
	*ret_try = TAKE(try);
	return 0;
}

int mail_start(const struct try_context *context, struct shipment *s)
{
	auto(try_free) struct mail_try *try = NULL;
	int r = try_new(context, s, &try);

	if (r < 0)
		return r;
	try->lists[0] = try->conf->allow;
	try->lists[1] = try->held->daemon.allow_addresses;
	try->guard = (struct net_guard){.lists = try->lists, .n_lists = ARRAY_SIZE(try->lists)};
	r = net_transfer_start_held(try->alert->deps.net, try->easy, try->url, try->deadline,
		&try->guard, on_connected, try, &try->transfer);
	if (r == 0)
		s->try = TAKE(try);
	return r;
}

bool mail_can_group(struct alert *alert, const struct conf_receiver *conf)
{
	return true;
}

int64_t mail_rate(struct alert *alert, const struct conf_receiver *conf)
{
	return 60; /* people read them */
}
