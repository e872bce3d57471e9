/* SPDX-License-Identifier: MIT */
#include "secrets.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char start[] = "${secret:";

void secrets_wipe(char *text)
{
	needles_wipe(text);
}

/* ---- what must not be seen ------------------------------------------------------------------ */

int secrets_init(struct secrets *s, char *const *pairs)
{
	unsigned char random[(SECRETS_MARK_BYTES - 1) / 2];
	int r = 0;

	*s = (struct secrets){.pairs = pairs};
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	for (size_t i = 0; i < sizeof(random); i++)
		(void)snprintf(s->mark + 2 * i, 3, "%02x", random[i]);
	for (; r == 0 && pairs && *pairs; pairs++) {
		const char *equals = strchr(*pairs, '=');

		if (equals)
			r = needles_add(&s->needles, equals + 1);
	}
	if (r < 0)
		secrets_clear(s);
	return r;
}

void secrets_clear(struct secrets *s)
{
	needles_clear(&s->needles);
	*s = (struct secrets){0};
}

int secrets_hide(struct secrets *s, const char *value)
{
	if (strlen(value) > SECRETS_HIDDEN_BYTES || strlen(value) < SECRETS_MIN_BYTES)
		return 0;
	if (s->n_hidden == SECRETS_MAX_HIDDEN)
		return -E2BIG;
	s->n_hidden++;
	return needles_add(&s->needles, value);
}

void secrets_redact(const struct secrets *s, char *text, size_t *len)
{
	needles_redact(&s->needles, text, len, false);
}

void secrets_redact_cut(const struct secrets *s, char *text, size_t *len)
{
	needles_redact(&s->needles, text, len, true);
}

void secrets_show(const struct secrets *s, const char *text, char *buf, size_t size)
{
	char *copy = strdup(text);
	size_t len = strlen(text);

	if (copy)
		needles_redact(&s->needles, copy, &len, false);
	(void)snprintf(buf, size, "%s", copy ? copy : "no memory");
	secrets_wipe(copy);
}

/* ---- what is sent --------------------------------------------------------------------------- */

static const char *value_of(const struct secrets *s, const char *name, size_t len)
{
	for (char *const *pair = s->pairs; pair && *pair; pair++)
		if (strncmp(*pair, name, len) == 0 && (*pair)[len] == '=')
			return *pair + len + 1;
	return NULL;
}

struct filled {
	char *text;
	size_t len, cap;
};

static int append(struct filled *f, const char *text, size_t len)
{
	if (f->len + len > SECRETS_TEXT_BYTES)
		return -EMSGSIZE;
	if (f->len + len + 1 > f->cap) {
		size_t cap = (f->len + len + 1) * 2;
		char *grown = malloc(cap); /* not realloc(): it would leave secrets behind */

		if (!grown)
			return -ENOMEM;
		if (f->text)
			memcpy(grown, f->text, f->len + 1);
		secrets_wipe(f->text);
		f->text = grown;
		f->cap = cap;
	}
	memcpy(f->text + f->len, text, len);
	f->len += len;
	f->text[f->len] = '\0';
	return 0;
}

static int append_secret(struct filled *f, const char *value, const char *name, size_t name_len,
	enum secret_place place, struct tend_error *err)
{
	char *escaped = NULL;
	int r;

	if (place == SECRET_HEADER && strpbrk(value, "\r\n"))
		return tend_error_set(err, -EINVAL,
			"secret.%.*s holds a line break and cannot stand in a header",
			(int)name_len, name);
	if (place == SECRET_PERCENT || place == SECRET_JSON) {
		escaped = needles_escape(
			value, place == SECRET_JSON ? needles_json : needles_percent);
		if (!escaped)
			return -ENOMEM;
		value = escaped;
	}
	r = append(f, value, strlen(value));
	secrets_wipe(escaped);
	return r;
}

/* "MARK:NAME}" after "${secret:"; 0: it is no placeholder of this flow. */
static size_t name_length(const struct secrets *s, const char *text, const char **ret_name)
{
	size_t n = strlen(s->mark);
	const char *close;

	if (strncmp(text, s->mark, n) != 0 || text[n] != ':')
		return 0;
	close = strchr(text + n + 1, '}');
	*ret_name = text + n + 1;
	return close ? (size_t)(close - *ret_name) : 0;
}

static int fill_next(const struct secrets *s, const char **text, const char *found,
	enum secret_place place, struct filled *f, struct tend_error *err)
{
	const char *name, *value;
	size_t len = name_length(s, found + strlen(start), &name);
	int r;

	if (len == 0) {
		r = append(f, *text, (size_t)(found - *text) + strlen(start));
		*text = found + strlen(start);
		return r;
	}
	value = value_of(s, name, len);
	if (!value)
		return tend_error_set(
			err, -ENOENT, "secret.%.*s is not set", (int)(len < 64 ? len : 64), name);
	r = append(f, *text, (size_t)(found - *text));
	*text = name + len + 1;
	return r < 0 ? r : append_secret(f, value, name, len, place, err);
}

int secrets_fill(const struct secrets *s, const char *text, enum secret_place place,
	char **ret_text, struct tend_error *err)
{
	struct filled f = {0};
	const char *found;
	int r = 0;

	while (r == 0 && (found = strstr(text, start)))
		r = fill_next(s, &text, found, place, &f, err);
	if (r == 0)
		r = append(&f, text, strlen(text));
	if (r == 0) {
		*ret_text = f.text;
		return 0;
	}
	secrets_wipe(f.text);
	if (r == -EMSGSIZE)
		return tend_error_set(err, r, "what is to be sent is longer than %d bytes",
			(int)SECRETS_TEXT_BYTES);
	return r == -ENOMEM ? tend_error_set(err, r, "no memory") : r;
}
