/* SPDX-License-Identifier: MIT */
#include "alert/mail_dialogue.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

/* ---- what is said --------------------------------------------------------------------------- */

/* A line that is a dot alone would end the mail. */
static int append_stuffed(struct str *out, const struct str *mail)
{
	const char *p = str_get(mail);
	int r = 0;

	while (r == 0 && *p) {
		const char *end = strstr(p, "\r\n");
		size_t n = end ? (size_t)(end - p) : strlen(p);

		if (*p == '.')
			r = str_append(out, ".", 1);
		if (r == 0)
			r = str_append(out, p, n);
		if (r == 0)
			r = str_append(out, "\r\n", 2);
		p += n + (end ? 2 : 0);
	}
	return r < 0 ? r : str_append(out, ".\r\n", 3);
}

static bool anybody_takes_it(const struct mail_dialogue *d)
{
	for (size_t i = 0; i < d->n_recipients; i++)
		if (d->recipients[i].code / 100 == 2)
			return true;
	return false;
}

/* The next recipient who has not got it, or what follows the last. */
static int ask_next(struct mail_dialogue *d)
{
	while (d->at < d->n_recipients && d->recipients[d->at].has_it)
		d->at++;
	if (d->at < d->n_recipients) {
		d->step = DIALOGUE_RCPT;
		return str_appendf(&d->out, "RCPT TO:<%s>\r\n", d->recipients[d->at].address);
	}
	if (!anybody_takes_it(d)) {
		d->step = DIALOGUE_DONE;
		return 0;
	}
	d->step = DIALOGUE_DATA;
	return str_appendf(&d->out, "DATA\r\n");
}

int dialogue_begin(struct mail_dialogue *d)
{
	d->out.max = d->mail->len * 2 + DIALOGUE_MAX_BYTES;
	d->step = DIALOGUE_FROM;
	return str_appendf(&d->out, "MAIL FROM:<%s>\r\n", d->from);
}

void dialogue_clear(struct mail_dialogue *d)
{
	str_clear(&d->out);
}

/* ---- what is heard -------------------------------------------------------------------------- */

static void note_recipient(struct mail_dialogue *d)
{
	struct mail_recipient *one = &d->recipients[d->at++];

	one->code = d->code;
	memcpy(one->reply, d->reply, sizeof(one->reply));
}

static int on_reply(struct mail_dialogue *d)
{
	bool fine = d->code / 100 == 2;

	switch (d->step) {
	case DIALOGUE_FROM:
		if (fine)
			return ask_next(d);
		break;
	case DIALOGUE_RCPT:
		note_recipient(d);
		/* 421: it hangs up. */
		if (d->code != 421)
			return ask_next(d);
		break;
	case DIALOGUE_DATA:
		if (d->code == 354) {
			d->step = DIALOGUE_MAIL;
			return append_stuffed(&d->out, d->mail);
		}
		break;
	case DIALOGUE_MAIL:
	default:
		break;
	}
	if (d->step != DIALOGUE_MAIL && (fine || d->code / 100 == 3))
		d->step = DIALOGUE_BROKEN;
	else
		d->step = DIALOGUE_DONE;
	return 0;
}

/* "250-text" goes on, "250 text" and "250" end an answer. */
static int on_line(struct mail_dialogue *d)
{
	const char *line = d->line;
	size_t len = strlen(d->reply);
	char after = d->line_len > 3 ? line[3] : ' ';

	if (d->line_len < 3 || !isdigit((unsigned char)line[0]) ||
		!isdigit((unsigned char)line[1]) || !isdigit((unsigned char)line[2]) ||
		line[0] < '2' || line[0] > '5' || (after != ' ' && after != '-')) {
		snprintf(d->reply, sizeof(d->reply), "%.100s", line);
		d->step = DIALOGUE_BROKEN;
		return 0;
	}
	d->code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
	if (d->line_len > 4 && len + 2 < sizeof(d->reply)) {
		if (len > 0)
			d->reply[len++] = ' ';
		str_sanitize(d->reply + len, sizeof(d->reply) - len, line + 4, d->line_len - 4);
	}
	if (after == '-')
		return 0;
	int r = on_reply(d);
	if (!dialogue_is_over(d))
		d->reply[0] = '\0';
	return r;
}

int dialogue_hear(struct mail_dialogue *d, const char *data, size_t len)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < len && !dialogue_is_over(d); i++) {
		if (++d->n_heard > DIALOGUE_MAX_BYTES) {
			d->step = DIALOGUE_BROKEN;
			break;
		}
		if (data[i] != '\n') {
			if (d->line_len + 1 < sizeof(d->line) && data[i])
				d->line[d->line_len++] = data[i];
			continue;
		}
		while (d->line_len > 0 && d->line[d->line_len - 1] == '\r')
			d->line_len--;
		d->line[d->line_len] = '\0';
		r = on_line(d);
		d->line_len = 0;
	}
	return r;
}

/* ---- what it means -------------------------------------------------------------------------- */

struct tally {
	size_t n_have, n_new, n_later, n_never;
	char names[DELIVERY_ERROR_BYTES]; /* "a@b: 550 text; c@d: 450 text", of those refused */
};

static void name_refused(struct tally *tally, const struct mail_recipient *one)
{
	size_t len = strlen(tally->names);

	if (len + 8 < sizeof(tally->names))
		snprintf(tally->names + len, sizeof(tally->names) - len, "%s%.100s: %d %.100s",
			len ? "; " : "", one->address, one->code, one->reply);
}

static struct tally count(const struct mail_dialogue *d)
{
	struct tally tally = {0};

	for (size_t i = 0; i < d->n_recipients; i++) {
		const struct mail_recipient *one = &d->recipients[i];

		if (one->has_it)
			tally.n_have++;
		else if (one->code / 100 == 2)
			tally.n_new++;
		else if (one->code / 100 == 5)
			tally.n_never++;
		else
			tally.n_later++;
		if (!one->has_it && one->code / 100 >= 4)
			name_refused(&tally, one);
	}
	return tally;
}

/* 530, 534, 535, 538: about who we are, not about this mail: somebody will set it right. */
static bool may_be_taken_later(int code)
{
	return code / 100 == 4 || (code >= 530 && code <= 538);
}

static void set_error(struct judgement *j, const char *what, const char *more)
{
	char text[REPLY_BYTES * 2];

	snprintf(text, sizeof(text), "%s%s%s", what, *what && *more ? ": " : "", more);
	snprintf(j->error, sizeof(j->error), "%.*s",
		(int)str_cut_utf8(text, strlen(text), sizeof(j->error) - 1), text);
}

static void fill_detail(struct judgement *j, const char *text)
{
	snprintf(j->detail, sizeof(j->detail), "%.*s",
		(int)str_cut_utf8(text, strlen(text), sizeof(j->detail) - 1), text);
}

/* Nobody has got anything by this try: the answer is about the mail as a whole. */
static void judge_whole(const struct mail_dialogue *d, const char *what, struct judgement *j)
{
	char said[REPLY_BYTES + 16];

	snprintf(said, sizeof(said), "%d %s", d->code, d->reply);
	j->verdict = may_be_taken_later(d->code) ? VERDICT_RETRY : VERDICT_FAILED;
	set_error(j, what, said);
}

static void judge_people(const struct mail_dialogue *d, unsigned n_tries, struct judgement *j)
{
	struct tally tally = count(d);
	bool somebody = tally.n_have + tally.n_new > 0;

	fill_detail(j, tally.names[0] ? tally.names : d->reply);
	if (tally.n_later > 0 && (!somebody || n_tries + 1 < MAIL_PARTIAL_TRIES)) {
		j->verdict = VERDICT_RETRY;
		set_error(j, somebody ? "others have it; refused for now" : "refused for now",
			tally.names);
	} else if (somebody) {
		j->verdict = VERDICT_DELIVERED;
		if (tally.names[0])
			set_error(j, "delivered, but not to", tally.names);
	} else {
		j->verdict = VERDICT_FAILED;
		set_error(j, "refused", tally.names);
	}
}

static void note_who_has_it(struct mail_dialogue *d)
{
	for (size_t i = 0; i < d->n_recipients; i++)
		if (d->recipients[i].code / 100 == 2)
			d->recipients[i].has_it = true;
}

void mail_judge(struct mail_dialogue *d, const char *lost, unsigned n_tries,
	struct judgement *ret_judgement)
{
	struct judgement j = {.verdict = VERDICT_RETRY, .code = d->code};
	bool mail_was_sent = false, all_refused = false;

	fill_detail(&j, d->reply);
	if (lost || d->step == DIALOGUE_BROKEN) {
		set_error(&j, lost ? lost : "the server says what is no answer",
			lost ? "" : d->reply);
		*ret_judgement = j;
		return;
	}
	/* The last answer was to the whole mail, unless all were refused before it came to that. */
	for (size_t i = 0; i < d->n_recipients; i++)
		mail_was_sent = mail_was_sent || d->recipients[i].code / 100 == 2;
	all_refused = !mail_was_sent && d->at == d->n_recipients && d->n_recipients > 0;
	if (all_refused || (mail_was_sent && d->code / 100 == 2)) {
		judge_people(d, n_tries, &j);
		if (mail_was_sent)
			note_who_has_it(d);
	} else {
		judge_whole(d, mail_was_sent ? "the mail is refused" : "the sender is refused", &j);
	}
	*ret_judgement = j;
}

void mail_judge_early(const char *what, const char *said, struct judgement *ret_judgement)
{
	struct judgement j = {.verdict = VERDICT_RETRY};

	if (isdigit((unsigned char)said[0]) && strlen(said) >= 3)
		j.code = strtol(said, NULL, 10);
	fill_detail(&j, said);
	set_error(&j, what, said);
	*ret_judgement = j;
}
