/* SPDX-License-Identifier: MIT */
/*
 * alert/mail_dialogue.h: what is said between EHLO and QUIT (RFC 5321) to hand over one mail, and
 * what the answers mean. libcurl connects, encrypts and logs in; it would block at the final dot,
 * and cannot say who was refused, so this part is ours. Pure: bytes in, bytes out. The recipients
 * and the mail are the caller's and stay until dialogue_clear(). Bounded: 64 KiB of answers.
 */
#ifndef ALERT_MAIL_DIALOGUE_H
#define ALERT_MAIL_DIALOGUE_H

#include "alert/shipment.h"
#include "base/str.h"

enum { REPLY_BYTES = 512, DIALOGUE_MAX_BYTES = 64 << 10 };

struct mail_recipient {
	const char *address;
	bool has_it;		 /* since an earlier try: is left out */
	int code;		 /* the answer to its RCPT; 0 = not asked */
	char reply[REPLY_BYTES]; /* when it was refused */
};

enum dialogue_step {
	DIALOGUE_FROM,
	DIALOGUE_RCPT,
	DIALOGUE_DATA,
	DIALOGUE_MAIL,
	DIALOGUE_DONE,
	DIALOGUE_BROKEN, /* what came was no answer */
};

struct mail_dialogue {
	const char *from;
	struct mail_recipient *recipients;
	size_t n_recipients;
	const struct str *mail; /* CRLF lines */
	struct str out;		/* to be sent; the caller takes what it has sent off */
	enum dialogue_step step;
	size_t at;		 /* the recipient that is asked about */
	int code;		 /* the last answer */
	char reply[REPLY_BYTES]; /* its text, lines joined by spaces */
	char line[REPLY_BYTES];	 /* the beginning of the one that is coming */
	size_t line_len, n_heard;
};

int dialogue_begin(struct mail_dialogue *d);
/* Goes on with what was said. -ENOMEM. */
int dialogue_hear(struct mail_dialogue *d, const char *data, size_t len);
static inline bool dialogue_is_over(const struct mail_dialogue *d)
{
	return d->step >= DIALOGUE_DONE;
}
void dialogue_clear(struct mail_dialogue *d);

/* So often those are tried who were refused for now, while others have got the mail: nobody waits
 * for a mailbox that is full. */
enum { MAIL_PARTIAL_TRIES = 4 };
/* What it means when the dialogue is over, or has ended early (`lost`: why). Marks who has it. */
void mail_judge(struct mail_dialogue *d, const char *lost, unsigned n_tries,
	struct judgement *ret_judgement);
/* Of an answer that came before the dialogue, in which nothing is about this mail: what failed and
 * the last thing the server said. */
void mail_judge_early(const char *what, const char *said, struct judgement *ret_judgement);

#endif
