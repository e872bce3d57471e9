/* SPDX-License-Identifier: MIT */
/*
 * Mails of foreign words: a view (v), which becomes a mail that has no line it should not have;
 * what a mail server answers (d), to two recipients; an address (a). Parser:
 * daemon/alert/mail_compose.c, daemon/alert/mail_encode.c, daemon/alert/mail_dialogue.c,
 * daemon/alert/mail_address.c.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include "alert/mail_address.h"
#include "alert/mail_compose.h"
#include "alert/mail_dialogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char first[] = "a@x.example", second[] = "\xe5\x80\xbc <b@x.example>";
static char *const recipients_to[] = {first, second, NULL};

static void check_lines(const char *mail)
{
	for (const char *line = mail; *line;) {
		const char *end = strstr(line, "\r\n");

		assert(end && end - line <= (memchr(line, '<', 20) ? 250 : 78) && *line != '.');
		for (const char *p = line; p < end; p++)
			assert((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f);
		line = end + 2;
	}
}

/* Ours, or the lines that continue them. */
static void check_headers(const char *mail)
{
	static const char *const names[] = {
		"From: ", "To: ", "Subject: ", "Date: ", "Message-ID: <", "References: <",
		"In-Reply-To: <", "List-Id: <", "Auto-Submitted: ", "X-Auto-Response-Suppress: ",
		"Importance: ", "X-Priority: ", "X-Tend-", "MIME-Version: ", "Content-Type: ", " "};

	for (const char *line = mail; strncmp(line, "\r\n", 2) != 0;
		line = strstr(line, "\r\n") + 2) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			known = known || strncmp(line, names[i], strlen(names[i])) == 0;
		assert(known);
	}
}

static void try_view(const char *text, size_t len)
{
	json_t *view = json_loadb(text, len, 0, NULL);
	auto_str struct str mail = STR_INIT(1);
	const struct mail_source source = {.view = view,
		.from = "Tend <tend@x.example>",
		.to = recipients_to,
		.wall = 1700000000 * USEC_PER_SEC};

	if (view && mail_compose(&source, &mail) == 0) {
		check_lines(str_get(&mail));
		check_headers(str_get(&mail));
	}
	json_decref(view);
}

static void try_dialogue(unsigned char how, const char *text, size_t len)
{
	struct mail_recipient recipients[2] = {
		{.address = "a@x", .has_it = how & 1}, {.address = "b@x"}};
	auto_str struct str mail = STR_INIT(100);
	struct mail_dialogue d = {
		.from = "t@x", .recipients = recipients, .n_recipients = 2, .mail = &mail};
	struct judgement j = {.verdict = VERDICT_MAX};

	assert(str_appendf(&mail, "Subject: s\r\n\r\n.\r\n") == 0);
	assert(dialogue_begin(&d) == 0);
	assert(dialogue_hear(&d, text, len) == 0);
	mail_judge(&d, dialogue_is_over(&d) ? NULL : "lost", how >> 1, &j);
	assert(j.verdict < VERDICT_MAX && memchr(j.error, '\0', sizeof(j.error)) &&
		memchr(j.detail, '\0', sizeof(j.detail)));
	/* Delivered only when the server said so after the final dot, or had said so before. */
	if (j.verdict == VERDICT_DELIVERED)
		assert(recipients[0].has_it || recipients[1].has_it);
	dialogue_clear(&d);
	mail_judge_early("it failed", d.reply, &j);
}

static void try_address(const char *text, size_t len)
{
	auto_free char *copy = strndup(text, len);
	struct mail_address one;

	if (copy && mail_address_parse(copy, &one) == 0) {
		assert(strchr(one.address, '@') && !strpbrk(one.address, " \r\n<>\""));
		assert(!strpbrk(one.name, "\r\n<>\"\\"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	if (size < 2)
		return 0;
	if (text[0] == 'v')
		try_view(text + 1, size - 1);
	else if (text[0] == 'd')
		try_dialogue(data[1], text + 2, size - 2);
	else if (text[0] == 'a')
		try_address(text + 1, size - 1);
	return 0;
}
