/* SPDX-License-Identifier: MIT */
#include "answer.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* ---- one answer --------------------------------------------------------------------------- */

/* "{123}" or "{123+}" at the end of the line announces so many bytes. */
static bool literal_of(const char *line, size_t len, size_t *ret_n)
{
	size_t n = 0, digits = 0;

	if (len < 3 || line[len - 1] != '}')
		return false;
	len--;
	if (line[len - 1] == '+')
		len--;
	while (len > 0 && isdigit((unsigned char)line[len - 1]) && digits < 9) {
		digits++;
		len--;
	}
	if (digits == 0 || len == 0 || line[len - 1] != '{')
		return false;
	for (size_t i = 0; i < digits; i++)
		n = n * 10 + (size_t)(line[len + i] - '0');
	*ret_n = n;
	return true;
}

/* The length with all literals and the last line end; 0: more must come, -EPROTO. */
static long whole(const char *data, size_t len)
{
	size_t at = 0;

	for (;;) {
		const char *end = memchr(data + at, '\n', len - at);
		size_t line, literal;

		if (!end)
			return len >= ANSWER_MAX_BYTES ? -EPROTO : 0;
		line = (size_t)(end - data) - at;
		if (line > 0 && data[at + line - 1] == '\r')
			line--;
		if (!literal_of(data + at, line, &literal))
			return end - data + 1 <= ANSWER_MAX_BYTES ? end - data + 1 : -EPROTO;
		at = (size_t)(end - data) + 1;
		if (literal > ANSWER_MAX_LITERAL || at + literal > ANSWER_MAX_BYTES)
			return -EPROTO;
		if (at + literal > len)
			return 0;
		at += literal;
	}
}

static bool take_word(const char **text, size_t *len, const char *word)
{
	size_t n = strlen(word);

	if (*len < n || strncasecmp(*text, word, n) != 0 || (*len > n && (*text)[n] != ' '))
		return false;
	n += *len > n;
	*text += n;
	*len -= n;
	return true;
}

static enum answer_status take_status(const char **text, size_t *len)
{
	static const char *const words[] = {[STATUS_OK] = "OK",
		[STATUS_NO] = "NO",
		[STATUS_BAD] = "BAD",
		[STATUS_BYE] = "BYE",
		[STATUS_PREAUTH] = "PREAUTH"};

	for (size_t i = STATUS_OK; i < sizeof(words) / sizeof(*words); i++)
		if (take_word(text, len, words[i]))
			return (enum answer_status)i;
	return STATUS_NONE;
}

static void take_code(struct answer *a)
{
	const char *end;

	a->code = a->text;
	a->code_len = 0;
	if (a->status == STATUS_NONE || a->len < 2 || a->text[0] != '[')
		return;
	end = memchr(a->text, ']', a->len);
	if (!end)
		return;
	a->code = a->text + 1;
	a->code_len = (size_t)(end - a->text) - 1;
}

static bool take_tag(const char **text, size_t *len, unsigned long *ret_tag)
{
	unsigned long tag = 0;
	size_t n = 1;

	if (*len < 2 || (*text)[0] != 't')
		return false;
	for (; n < *len && n < 9 && isdigit((unsigned char)(*text)[n]); n++)
		tag = tag * 10 + (unsigned long)((*text)[n] - '0');
	if (n == 1 || n >= *len || (*text)[n] != ' ')
		return false;
	*text += n + 1;
	*len -= n + 1;
	*ret_tag = tag;
	return true;
}

/* What cannot become an answer any more, however it goes on. */
static bool is_hopeless(const char *data, size_t len)
{
	return len > 0 && data[0] != '*' && data[0] != '+' && data[0] != 't';
}

long answer_parse(const char *data, size_t len, struct answer *ret_answer)
{
	struct answer a = {0};
	long n = is_hopeless(data, len) ? -EPROTO : whole(data, len);

	if (n <= 0)
		return n;
	a.text = data;
	a.len = (size_t)n;
	while (a.len > 0 && strchr("\r\n", a.text[a.len - 1]))
		a.len--;
	if (take_word(&a.text, &a.len, "*"))
		a.kind = ANSWER_UNTAGGED;
	else if (take_word(&a.text, &a.len, "+"))
		a.kind = ANSWER_CONTINUE;
	else if (take_tag(&a.text, &a.len, &a.tag))
		a.kind = ANSWER_TAGGED;
	else
		return -EPROTO;
	if (a.kind != ANSWER_CONTINUE)
		a.status = take_status(&a.text, &a.len);
	if (a.kind == ANSWER_TAGGED && a.status != STATUS_OK && a.status != STATUS_NO &&
		a.status != STATUS_BAD)
		return -EPROTO;
	take_code(&a);
	*ret_answer = a;
	return n;
}

/* ---- what it holds ------------------------------------------------------------------------ */

/* The next word; false: there is none. */
static bool word(const char **text, size_t *len, const char **ret_word, size_t *ret_len)
{
	size_t n = 0;

	while (*len > 0 && **text == ' ') {
		(*text)++;
		(*len)--;
	}
	while (n < *len && (*text)[n] != ' ')
		n++;
	*ret_word = *text;
	*ret_len = n;
	*text += n;
	*len -= n;
	return n > 0;
}

static bool number(const char *text, size_t len, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (len == 0 || len > 15)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	*ret_value = value;
	return true;
}

bool answer_is(const struct answer *a, const char *name)
{
	const char *text = a->text;
	size_t len = a->len;

	return a->kind == ANSWER_UNTAGGED && a->status == STATUS_NONE &&
	       take_word(&text, &len, name);
}

bool answer_has_capability(const struct answer *a, const char *name)
{
	const char *text = a->text, *one;
	size_t len = a->len, n;

	while (answer_is(a, "CAPABILITY") && word(&text, &len, &one, &n))
		if (n == strlen(name) && strncasecmp(one, name, n) == 0)
			return true;
	return false;
}

bool answer_exists(const struct answer *a, uint64_t *ret_n)
{
	const char *text = a->text, *count, *what;
	size_t len = a->len, count_len, what_len;

	return a->kind == ANSWER_UNTAGGED && word(&text, &len, &count, &count_len) &&
	       word(&text, &len, &what, &what_len) && what_len == 6 &&
	       strncasecmp(what, "EXISTS", 6) == 0 && number(count, count_len, ret_n);
}

static const char *find(const char *text, size_t len, const char *what)
{
	size_t n = strlen(what);

	for (; len >= n; text++, len--)
		if (strncasecmp(text, what, n) == 0)
			return text;
	return NULL;
}

bool answer_quota(const struct answer *a, double *ret_used, double *ret_max)
{
	const char *storage = answer_is(a, "QUOTA") ? find(a->text, a->len, "(STORAGE ") : NULL;
	const char *text, *used, *max;
	size_t len, used_len, max_len;
	uint64_t used_kib, max_kib;

	if (!storage)
		return false;
	text = storage + 9;
	len = a->len - (size_t)(text - a->text);
	if (!word(&text, &len, &used, &used_len) || !word(&text, &len, &max, &max_len))
		return false;
	if (max_len > 0 && max[max_len - 1] == ')')
		max_len--;
	if (!number(used, used_len, &used_kib) || !number(max, max_len, &max_kib))
		return false;
	*ret_used = (double)used_kib * 1024;
	*ret_max = (double)max_kib * 1024;
	return true;
}

size_t answer_search(const struct answer *a, uint32_t uids[ANSWER_MAX_UIDS])
{
	const char *text = a->text, *one;
	size_t len = a->len, n, n_uids = 0;
	uint64_t uid;

	if (!answer_is(a, "SEARCH"))
		return 0;
	(void)word(&text, &len, &one, &n);
	while (n_uids < ANSWER_MAX_UIDS && word(&text, &len, &one, &n))
		if (number(one, n, &uid) && uid > 0 && uid <= UINT32_MAX)
			uids[n_uids++] = (uint32_t)uid;
	return n_uids;
}

/* "22-Nov-2026 13:05:34 +0000" */
static double date(const char *text, size_t len)
{
	char copy[32];
	struct tm tm = {0};
	const char *end;
	long offset;

	if (len < 26)
		return 0;
	memcpy(copy, text, 26);
	copy[26] = '\0';
	end = strptime(copy[0] == ' ' ? copy + 1 : copy, "%d-%b-%Y %H:%M:%S %z", &tm);
	if (!end)
		return 0;
	offset = tm.tm_gmtoff;
	return (double)(timegm(&tm) - offset);
}

bool answer_sent(const struct answer *a, double *ret_sent, double *ret_taken)
{
	static const char header[] = "X-Tend-Sent:", taken[] = "INTERNALDATE \"";
	const char *p = a->kind == ANSWER_UNTAGGED ? find(a->text, a->len, header) : NULL;
	const char *end = a->text + a->len, *day = find(a->text, a->len, taken);
	double seconds = 0, unit = 1;
	bool any = false;

	if (!p || !find(a->text, a->len, " FETCH "))
		return false;
	for (p += sizeof(header) - 1; p < end && *p == ' '; p++)
		;
	for (; p < end && isdigit((unsigned char)*p) && seconds < 1e12; p++, any = true)
		seconds = seconds * 10 + (*p - '0');
	if (p < end && *p == '.')
		for (p++; p < end && isdigit((unsigned char)*p) && unit > 1e-6; p++)
			seconds += (*p - '0') * (unit /= 10);
	*ret_sent = seconds;
	day = day ? day + sizeof(taken) - 1 : end;
	*ret_taken = date(day, (size_t)(end - day));
	return any;
}

/* ---- reasons ------------------------------------------------------------------------------ */

static bool code_is(const struct answer *a, const char *name)
{
	size_t n = strlen(name);

	return a->code_len >= n && strncasecmp(a->code, name, n) == 0 &&
	       (a->code_len == n || a->code[n] == ' ');
}

/* RFC 5530. */
enum tend_reason answer_reason(enum answer_step step, const struct answer *a)
{
	static const struct {
		const char *code;
		enum tend_reason reason;
	} codes[] = {{"AUTHENTICATIONFAILED", TEND_REASON_AUTH_FAILED},
		{"AUTHORIZATIONFAILED", TEND_REASON_AUTH_FAILED},
		{"EXPIRED", TEND_REASON_AUTH_FAILED}, {"PRIVACYREQUIRED", TEND_REASON_AUTH_FAILED},
		{"UNAVAILABLE", TEND_REASON_STATUS_UNEXPECTED},
		{"SERVERBUG", TEND_REASON_STATUS_UNEXPECTED}, {"NOPERM", TEND_REASON_ACCESS_DENIED},
		{"READ-ONLY", TEND_REASON_READ_ONLY}, {"NONEXISTENT", TEND_REASON_OBJECT_MISSING},
		{"OVERQUOTA", TEND_REASON_QUOTA}, {"INUSE", TEND_REASON_LOCKED},
		{"LIMIT", TEND_REASON_CONNECTIONS_FULL}};

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (code_is(a, codes[i].code))
			return codes[i].reason;
	if (a->status == STATUS_BYE)
		return TEND_REASON_CONNECTIONS_FULL;
	if (a->status == STATUS_BAD)
		return TEND_REASON_PROTOCOL;
	if (step == ANSWER_LOGIN)
		return TEND_REASON_AUTH_FAILED;
	return step == ANSWER_SELECT ? TEND_REASON_OBJECT_MISSING : TEND_REASON_STATUS_UNEXPECTED;
}
