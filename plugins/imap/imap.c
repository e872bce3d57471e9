/* SPDX-License-Identifier: MIT */
/*
 * The imap probe: greeting, log-in, a mailbox, its quota, and the marked mails that an smtp check
 * has sent: found, timed, deleted. libcurl is not used: it would wait, blocking, for the answer to
 * LOGOUT.
 */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "answer.h"
#include "common/dial.h"
#include "common/pattern.h"
#include "common/starttls.h"
#include "common/stream.h"
#include "common/text.h"

enum { QUOTE_CHARS = 160, MARKER_BYTES = 64, MAX_NAME_BYTES = 255 };

struct imap_conf {
	struct stream_conf net;
	char *user, *password, *mailbox, *expect_banner, *marker;
	char **expect_capabilities;
	bool quota;
	usec_t max_age;
	/* prepared by check() */
	struct pattern *banner;
};

enum command {
	SAY_NOTHING, /* the greeting is awaited */
	SAY_CAPABILITY,
	SAY_LOGIN,
	SAY_CAPABILITY_AGAIN,
	SAY_SELECT,
	SAY_QUOTA,
	SAY_SEARCH,
	SAY_FETCH,
	SAY_STORE,
	SAY_EXPUNGE,
	SAY_MAX,
};

struct run {
	const struct imap_conf *conf;
	enum command command;
	unsigned long tag;
	usec_t began;
	bool preauth, login_disabled, uidplus, has_quota_capability;
	uint64_t seen; /* bits of expect_capabilities */
	bool has_exists, has_quota;
	uint64_t exists;
	double quota_used, quota_max;
	size_t n_uids;
	uint32_t uids[ANSWER_MAX_UIDS];
	double newest; /* X-Tend-Sent of the newest; 0 = none found */
	double slowest;
	size_t n_found;
};

static const struct tend_option imap_options[] = {
	STREAM_OPTIONS(struct imap_conf, "143"),
	STREAM_TLS_OPTION(struct imap_conf),
	TEND_OPT(ENUM, struct imap_conf, net.starttls, "starttls", "no",
		"imap: ask for TLS by STARTTLS, and go no further without it.",
		.names = starttls_names),
	STREAM_VERIFY_OPTIONS(struct imap_conf),
	STREAM_SECURE_OPTIONS(struct imap_conf),
	TEND_OPT(STRING, struct imap_conf, user, "user", NULL, "User to log in as."),
	TEND_OPT(SECRET, struct imap_conf, password, "password", NULL, "Password to log in with."),
	TEND_OPT(STRING, struct imap_conf, mailbox, "mailbox", "INBOX",
		"Mailbox to open after the log-in, in ASCII."),
	TEND_OPT(BOOL, struct imap_conf, quota, "quota", "no",
		"Whether to ask for the quota of the mailbox; none at all is then a failure."),
	TEND_OPT(STRING, struct imap_conf, expect_banner, "expect_banner", NULL,
		"A PCRE2 expression that the greeting must match; not with starttls."),
	TEND_OPT(LIST, struct imap_conf, expect_capabilities, "expect_capabilities", NULL,
		"Capabilities that the server must have, such as IDLE, UIDPLUS."),
	TEND_OPT(STRING, struct imap_conf, marker, "marker", NULL,
		"Finds and deletes the mails in the mailbox that an smtp check with the same "
		"marker has sent, and tells how long they took."),
	TEND_OPT(USEC, struct imap_conf, max_age, "max_age", "15m",
		"The newest marked mail must have been sent within this time.", .min = 1000000),
	TEND_OPTION_END,
};

/* ---- configuration ------------------------------------------------------------------------ */

static bool is_quotable(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return strlen(text) <= MAX_NAME_BYTES;
}

static bool is_marker(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");

	return n > 0 && n <= MARKER_BYTES && text[n] == '\0';
}

static int check_login(const struct imap_conf *c, struct tend_error *err)
{
	if (!c->user != !c->password)
		return tend_error_set(err, -EINVAL, "user and password go together");
	if (!c->user)
		return c->marker || c->quota
			       ? tend_error_set(err, -EINVAL, "marker and quota need user")
			       : 0;
	if (!is_quotable(c->user) || !is_quotable(c->password) || !is_quotable(c->mailbox))
		return tend_error_set(err, -EINVAL,
			"user, password and mailbox have no control characters and at most %d "
			"bytes",
			MAX_NAME_BYTES);
	if (!c->net.tls && !c->net.starttls && !dial_stays_here(c->net.host))
		return tend_error_set(err, -EINVAL,
			"a password goes to another host by TLS only: set tls or starttls");
	return 0;
}

static size_t n_words(char *const *words)
{
	size_t n = 0;

	while (words && words[n])
		n++;
	return n;
}

static int imap_check(void *conf, struct tend_error *err)
{
	struct imap_conf *c = conf;
	int r = stream_conf_check(&c->net, err);

	if (r == 0 && c->net.starttls != STARTTLS_NO && c->net.starttls != STARTTLS_IMAP)
		r = tend_error_set(err, -EINVAL, "starttls is imap or no");
	if (r == 0 && c->net.starttls && c->expect_banner)
		r = tend_error_set(err, -EINVAL, "expect_banner is not seen with starttls");
	if (r == 0 && c->marker && !is_marker(c->marker))
		r = tend_error_set(err, -EINVAL,
			"marker consists of up to %d letters, digits, '.' and '-'", MARKER_BYTES);
	if (r == 0 && n_words(c->expect_capabilities) > 64)
		r = tend_error_set(err, -E2BIG, "expect_capabilities has more than 64 words");
	if (r == 0)
		r = check_login(c, err);
	if (r == 0 && c->expect_banner)
		r = pattern_new("expect_banner", c->expect_banner, err, &c->banner);
	return r;
}

static void imap_clear(void *conf)
{
	struct imap_conf *c = conf;

	c->banner = pattern_free(c->banner);
}

/* ---- the end ------------------------------------------------------------------------------ */

static double wall_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void add(struct stream *s, const char *name, double value, const char *unit)
{
	(void)tend_attempt_metric(stream_attempt(s), name, value, unit);
}

static void add_metrics(struct stream *s)
{
	const struct run *run = stream_owner(s);

	if (run->has_exists)
		add(s, "messages", (double)run->exists, "");
	if (run->has_quota) {
		add(s, "quota_used_bytes", run->quota_used, "B");
		add(s, "quota_max_bytes", run->quota_max, "B");
		if (run->quota_max > 0)
			add(s, "quota_used_pct", run->quota_used / run->quota_max * 100, "%");
	}
	if (run->n_found > 0)
		add(s, "roundtrip_seconds", run->slowest, "s");
}

static void finish(struct stream *s, enum tend_reason reason, const char *text)
{
	stream_send(s, "t0 LOGOUT\r\n", 11); /* nobody waits for the answer */
	stream_finish(s, reason, "%s", text);
}

/* What is known of marked mails is kept: when the newest was sent, or since when none came. */
static double remember(struct stream *s, bool *ret_any)
{
	const struct run *run = stream_owner(s);
	const json_t *memory = tend_attempt_memory(stream_attempt(s));
	double newest = json_number_value(json_object_get(memory, "newest"));
	double since = json_number_value(json_object_get(memory, "since"));
	double now = wall_seconds();
	json_t *doc;

	if (run->newest > newest)
		newest = run->newest;
	if (since <= 0 || since > now)
		since = now;
	doc = json_pack("{s:f,s:f}", "newest", newest, "since", since);
	if (doc)
		(void)tend_attempt_remember(stream_attempt(s), doc);
	*ret_any = newest > 0;
	return now - (newest > 0 ? newest : since);
}

static void finish_marked(struct stream *s)
{
	const struct run *run = stream_owner(s);
	bool any = false;
	double age = remember(s, &any), max = (double)run->conf->max_age / (double)USEC_PER_SEC;
	char text[200];

	if (any)
		add(s, "newest_age_seconds", age > 0 ? age : 0, "s");
	if (age > max) {
		(void)snprintf(text, sizeof(text),
			any ? "the newest mail marked '%s' was sent %.0f s ago"
			    : "no mail marked '%s' has come for %.0f s",
			run->conf->marker, age);
		finish(s, TEND_REASON_STALE, text);
		return;
	}
	if (run->n_found > 0)
		(void)snprintf(text, sizeof(text), "%zu marked mails came, within %.1f s",
			run->n_found, run->slowest);
	else
		(void)snprintf(text, sizeof(text), "no new mail marked '%s', %s %.0f s ago",
			run->conf->marker, any ? "the last one was sent" : "awaited since", age);
	finish(s, TEND_REASON_OK, text);
}

static void finish_well(struct stream *s)
{
	const struct run *run = stream_owner(s);
	char text[200];

	add_metrics(s);
	if (run->has_quota && run->quota_max > 0 && run->quota_used >= run->quota_max) {
		(void)snprintf(text, sizeof(text), "the mailbox is full: %.0f of %.0f KiB",
			run->quota_used / 1024, run->quota_max / 1024);
		finish(s, TEND_REASON_QUOTA, text);
	} else if (run->conf->quota && !run->has_quota) {
		finish(s, TEND_REASON_NO_EVIDENCE, "the server tells no quota of storage");
	} else if (run->conf->marker) {
		finish_marked(s);
	} else {
		if (run->has_exists)
			(void)snprintf(text, sizeof(text), "logged in, %llu messages in %.60s",
				(unsigned long long)run->exists, run->conf->mailbox);
		else
			(void)snprintf(text, sizeof(text), "greeted");
		finish(s, TEND_REASON_OK, text);
	}
}

/* ---- commands ----------------------------------------------------------------------------- */

static const char *const doings[SAY_MAX] = {[SAY_NOTHING] = "waiting for the greeting",
	[SAY_CAPABILITY] = "asking for capabilities",
	[SAY_LOGIN] = "logging in",
	[SAY_CAPABILITY_AGAIN] = "asking for capabilities",
	[SAY_SELECT] = "opening the mailbox",
	[SAY_QUOTA] = "asking for the quota",
	[SAY_SEARCH] = "looking for marked mails",
	[SAY_FETCH] = "reading marked mails",
	[SAY_STORE] = "deleting marked mails",
	[SAY_EXPUNGE] = "deleting marked mails"};

__attribute__((format(printf, 3, 4))) static void say(
	struct stream *s, enum command command, const char *format, ...)
{
	struct run *run = stream_owner(s);
	char line[2048];
	va_list ap;
	int head = snprintf(line, sizeof(line), "t%lu ", ++run->tag), n;

	va_start(ap, format);
	n = vsnprintf(line + head, sizeof(line) - (size_t)head - 2, format, ap);
	va_end(ap);
	run->command = command;
	run->began = tend_now();
	stream_doing(s, doings[command]);
	if (n > 0 && (size_t)head + (size_t)n < sizeof(line) - 2) {
		memcpy(line + head + n, "\r\n", 2);
		stream_send(s, line, (size_t)head + (size_t)n + 2);
	} else {
		stream_finish(s, TEND_REASON_INTERNAL, "a command is too long");
	}
	explicit_bzero(line, sizeof(line));
}

/* A quoted string: room for twice MAX_NAME_BYTES. */
static const char *quote(const char *text, char *buf)
{
	char *out = buf;

	*out++ = '"';
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			*out++ = '\\';
		*out++ = *text;
	}
	*out++ = '"';
	*out = '\0';
	return buf;
}

enum { QUOTED_BYTES = 2 * MAX_NAME_BYTES + 3 };

static void say_login(struct stream *s)
{
	const struct run *run = stream_owner(s);
	char user[QUOTED_BYTES], password[QUOTED_BYTES];

	say(s, SAY_LOGIN, "LOGIN %s %s", quote(run->conf->user, user),
		quote(run->conf->password, password));
	explicit_bzero(password, sizeof(password));
}

static void say_of_mailbox(struct stream *s, enum command command, const char *verb)
{
	const struct run *run = stream_owner(s);
	char mailbox[QUOTED_BYTES];

	say(s, command, "%s %s", verb, quote(run->conf->mailbox, mailbox));
}

static void say_of_uids(struct stream *s, enum command command, const char *verb, const char *what)
{
	const struct run *run = stream_owner(s);
	char uids[ANSWER_MAX_UIDS * 11 + 1];
	int n = 0;

	for (size_t i = 0; i < run->n_uids; i++)
		n += snprintf(
			uids + n, sizeof(uids) - (size_t)n, "%s%u", i > 0 ? "," : "", run->uids[i]);
	say(s, command, "UID %s %s%s", verb, uids, what);
}

static bool misses_capability(struct stream *s)
{
	const struct run *run = stream_owner(s);
	char *const *words = run->conf->expect_capabilities;
	char text[200];

	for (size_t i = 0; words && words[i]; i++) {
		if (run->seen & UINT64_C(1) << i)
			continue;
		(void)snprintf(text, sizeof(text), "the server has no capability %.100s", words[i]);
		finish(s, TEND_REASON_CONTENT_UNEXPECTED, text);
		return true;
	}
	return false;
}

static void after_capability(struct stream *s)
{
	struct run *run = stream_owner(s);

	if (run->conf->user && !run->preauth && run->command == SAY_CAPABILITY) {
		if (run->login_disabled)
			finish(s, TEND_REASON_AUTH_FAILED,
				"the server takes no password here: it wants TLS first");
		else
			say_login(s);
		return;
	}
	if (misses_capability(s))
		return;
	if (!run->conf->user && !run->preauth)
		finish_well(s);
	else
		say_of_mailbox(s, SAY_SELECT, run->conf->marker ? "SELECT" : "EXAMINE");
}

static void search(struct stream *s)
{
	const struct run *run = stream_owner(s);

	if (run->conf->marker)
		say(s, SAY_SEARCH, "UID SEARCH UNDELETED HEADER X-Tend-Marker \"%s\"",
			run->conf->marker);
	else
		finish_well(s);
}

static void after_select(struct stream *s)
{
	const struct run *run = stream_owner(s);

	if (run->conf->quota && run->has_quota_capability)
		say_of_mailbox(s, SAY_QUOTA, "GETQUOTAROOT");
	else
		search(s);
}

static void after(struct stream *s)
{
	struct run *run = stream_owner(s);

	switch (run->command) {
	case SAY_CAPABILITY:
	case SAY_CAPABILITY_AGAIN:
		after_capability(s);
		break;
	case SAY_LOGIN:
		stream_metric_seconds(s, "login_seconds", tend_now() - run->began);
		run->seen = 0;
		say(s, SAY_CAPABILITY_AGAIN, "CAPABILITY");
		break;
	case SAY_SELECT:
		stream_metric_seconds(s, "select_seconds", tend_now() - run->began);
		after_select(s);
		break;
	case SAY_QUOTA:
		search(s);
		break;
	case SAY_SEARCH:
		if (run->n_uids == 0)
			finish_well(s);
		else
			say_of_uids(s, SAY_FETCH, "FETCH",
				" (INTERNALDATE BODY.PEEK[HEADER.FIELDS (X-Tend-Sent)])");
		break;
	case SAY_FETCH:
		say_of_uids(s, SAY_STORE, "STORE", " +FLAGS.SILENT (\\Deleted)");
		break;
	case SAY_STORE:
		/* Without UIDPLUS, EXPUNGE would take what others have marked, too. */
		if (run->uidplus)
			say_of_uids(s, SAY_EXPUNGE, "EXPUNGE", "");
		else
			finish_well(s);
		break;
	default:
		finish_well(s);
		break;
	}
}

/* ---- answers ------------------------------------------------------------------------------ */

static void read_capabilities(struct run *run, const struct answer *a)
{
	char *const *words = run->conf->expect_capabilities;

	run->login_disabled = answer_has_capability(a, "LOGINDISABLED");
	run->uidplus = run->uidplus || answer_has_capability(a, "UIDPLUS");
	run->has_quota_capability = run->has_quota_capability || answer_has_capability(a, "QUOTA");
	for (size_t i = 0; words && words[i]; i++)
		if (answer_has_capability(a, words[i]))
			run->seen |= UINT64_C(1) << i;
}

/* The server's clock tells whole seconds only; the mail cannot have come later than now. */
static void read_sent(struct run *run, double sent, double taken)
{
	double now = wall_seconds(), took;

	if (sent > now + 60)
		return; /* not of ours */
	took = (taken > 0 && taken < now ? taken : now) - sent;
	took = took > 0 ? took : 0;
	run->n_found++;
	if (sent > run->newest)
		run->newest = sent;
	if (took > run->slowest)
		run->slowest = took;
}

static void take_data(struct run *run, const struct answer *a)
{
	double x = 0, y = 0;

	if (answer_is(a, "CAPABILITY"))
		read_capabilities(run, a);
	else if (answer_exists(a, &run->exists))
		run->has_exists = true;
	else if (run->command == SAY_QUOTA && answer_quota(a, &run->quota_used, &run->quota_max))
		run->has_quota = true;
	else if (run->command == SAY_SEARCH && answer_is(a, "SEARCH"))
		run->n_uids = answer_search(a, run->uids);
	else if (run->command == SAY_FETCH && answer_sent(a, &x, &y))
		read_sent(run, x, y);
}

static void refused(struct stream *s, const struct answer *a)
{
	const struct run *run = stream_owner(s);
	enum answer_step step = run->command == SAY_NOTHING  ? ANSWER_GREETING
				: run->command == SAY_LOGIN  ? ANSWER_LOGIN
				: run->command == SAY_SELECT ? ANSWER_SELECT
							     : ANSWER_OTHER;
	char quoted[QUOTE_CHARS + 8], text[300];

	(void)snprintf(text, sizeof(text), "%s: %s", doings[run->command],
		text_quote(a->text, a->len, QUOTE_CHARS, quoted, sizeof(quoted)));
	finish(s, answer_reason(step, a), text);
}

static void broken(struct stream *s, const char *data, size_t len)
{
	char quoted[QUOTE_CHARS + 8];

	stream_finish(s, TEND_REASON_PROTOCOL, "this is no answer of IMAP: %s",
		text_quote(data, len, QUOTE_CHARS, quoted, sizeof(quoted)));
}

static void greeted(struct stream *s, const struct answer *a)
{
	struct run *run = stream_owner(s);
	const struct pattern *banner = run->conf->banner;
	char quoted[QUOTE_CHARS + 8], text[400];

	stream_metric_seconds(s, "greeting_seconds", tend_now() - run->began);
	run->preauth = a->status == STATUS_PREAUTH;
	if (banner && pattern_match(banner, a->text, a->len) != 1) {
		(void)snprintf(text, sizeof(text), "expected a greeting like /%.100s/, got %s",
			pattern_text(banner),
			text_quote(a->text, a->len, QUOTE_CHARS, quoted, sizeof(quoted)));
		finish(s, TEND_REASON_CONTENT_UNEXPECTED, text);
		return;
	}
	say(s, SAY_CAPABILITY, "CAPABILITY");
}

static void handle(struct stream *s, const struct answer *a, const char *data, size_t len)
{
	struct run *run = stream_owner(s);

	if (a->status == STATUS_BYE)
		refused(s, a);
	else if (run->command == SAY_NOTHING && a->kind == ANSWER_UNTAGGED &&
		 (a->status == STATUS_OK || a->status == STATUS_PREAUTH))
		greeted(s, a);
	else if (run->command == SAY_NOTHING || a->kind == ANSWER_CONTINUE)
		broken(s, data, len);
	else if (a->kind == ANSWER_UNTAGGED)
		take_data(run, a);
	else if (a->tag != run->tag)
		broken(s, data, len);
	else if (a->status == STATUS_OK)
		after(s);
	else
		refused(s, a);
}

static void on_opened(struct stream *s, void *owner)
{
	struct run *run = owner;

	run->began = tend_now();
	stream_doing(s, doings[SAY_NOTHING]);
	/* STARTTLS has read the greeting. */
	if (run->conf->net.starttls)
		say(s, SAY_CAPABILITY, "CAPABILITY");
}

static size_t on_input(struct stream *s, const char *data, size_t len, bool eof, void *owner)
{
	size_t used = 0;

	while (!stream_ended(s) && used < len) {
		struct answer a;
		long n = answer_parse(data + used, len - used, &a);

		if (n < 0)
			broken(s, data + used, len - used);
		if (n <= 0)
			break;
		handle(s, &a, data + used, (size_t)n);
		used += (size_t)n;
	}
	return used;
}

static const struct stream_handlers handlers = {
	.opened = on_opened, .input = on_input, .free_owner = free};

static int imap_start(struct tend_attempt *a, const void *conf)
{
	const struct imap_conf *c = conf;
	struct run *run = calloc(1, sizeof(*run));
	struct stream_spec spec = {.conf = &c->net,
		.handlers = &handlers,
		.owner = run,
		.max_input_bytes = ANSWER_MAX_BYTES * 2};

	if (!run)
		return -ENOMEM;
	run->conf = c;
	return stream_start(a, &spec);
}

static size_t imap_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	const struct imap_conf *c = conf;
	size_t n = stream_metric_names(&c->net, ret_names);

	if (!c->net.starttls)
		ret_names[n++] = "greeting_seconds";
	if (c->user) {
		ret_names[n++] = "login_seconds";
		ret_names[n++] = "select_seconds";
	}
	ret_names[n++] = "messages";
	if (c->quota) {
		ret_names[n++] = "quota_used_bytes";
		ret_names[n++] = "quota_max_bytes";
		ret_names[n++] = "quota_used_pct";
	}
	if (c->marker) {
		ret_names[n++] = "roundtrip_seconds";
		ret_names[n++] = "newest_age_seconds";
	}
	return n;
}

static const struct tend_metric_doc imap_metric_docs[] = {
	STREAM_METRIC_DOCS,
	STREAM_TLS_METRIC_DOCS,
	{"greeting_seconds", "s", "from the connection to the greeting; not with starttls", false},
	{"login_seconds", "s", "for the log-in", false},
	{"select_seconds", "s", "to open the mailbox", false},
	{"messages", "", "in the mailbox, marked ones included", false},
	{"quota_used_bytes", "B", "what is used of the mailbox's quota", false},
	{"quota_max_bytes", "B", "the mailbox's quota", false},
	{"quota_used_pct", "%", "used of the quota", false},
	{"roundtrip_seconds", "s",
		"of the marked mails found now the slowest: from sending until the server took it",
		false},
	{"newest_age_seconds", "s", "since the newest marked mail that came was sent", false},
	STREAM_DOCS_END,
};

static const struct tend_reason_doc imap_reason_docs[] = {
	STREAM_REASON_DOCS,
	STREAM_TLS_REASON_DOCS,
	{TEND_REASON_AUTH_FAILED, "user or password is wrong, or TLS is wanted first"},
	{TEND_REASON_ACCESS_DENIED, "no right to the mailbox"},
	{TEND_REASON_OBJECT_MISSING, "there is no such mailbox"},
	{TEND_REASON_READ_ONLY, "the mailbox takes no changes"},
	{TEND_REASON_LOCKED, "the mailbox is in use elsewhere"},
	{TEND_REASON_QUOTA, "the mailbox is full"},
	{TEND_REASON_STALE, "no marked mail was sent and came within max_age"},
	{TEND_REASON_CONNECTIONS_FULL, "it turns us away for now"},
	{TEND_REASON_NO_EVIDENCE, "it tells no quota"},
	{TEND_REASON_STATUS_UNEXPECTED, "it refuses for another reason"},
	{TEND_REASON_CONTENT_UNEXPECTED, "another greeting, or a capability is missing"},
	{TEND_REASON_PROTOCOL, "it does not speak IMAP, or hangs up"},
	STREAM_REASONS_END,
};

static const struct tend_probe imap_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "imap",
	.doc = "Asks a mailbox server: TLS, log-in, mailbox, quota, and how long marked mails "
	       "take.",
	.options = imap_options,
	.conf_size = sizeof(struct imap_conf),
	.check = imap_check,
	.clear = imap_clear,
	.start = imap_start,
	.cancel = stream_cancel,
	.metrics = imap_metrics,
	.metric_docs = imap_metric_docs,
	.reason_docs = imap_reason_docs,
	.example = "host = imap.crm.example\n"
		   "starttls = imap\n"
		   "user = probe\n"
		   "password = file:/etc/tend/secrets/mail\n"
		   "quota = yes\n"
		   "marker = crm-roundtrip\n"
		   "max_age = 15m\n"
		   "critical.roundtrip_seconds = 60\n",
};
TEND_PROBE(imap, &imap_probe);
