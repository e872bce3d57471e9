/* SPDX-License-Identifier: MIT */
#include "base/str.h"
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

void str_clear(struct str *s)
{
	free(s->data);
	s->data = NULL;
	s->len = s->cap = 0;
}

static int str_reserve(struct str *s, size_t more)
{
	size_t need = s->len + more + 1, cap = s->cap ? s->cap : 64;
	char *p;

	if (more > s->max || s->len + more > s->max)
		return -ENOBUFS;
	if (need <= s->cap)
		return 0;
	while (cap < need)
		cap *= 2;
	p = realloc(s->data, cap);
	if (!p)
		return -ENOMEM;
	s->data = p;
	s->cap = cap;
	return 0;
}

int str_append(struct str *s, const void *data, size_t len)
{
	int r = str_reserve(s, len);

	if (r < 0)
		return r;
	if (len)
		memcpy(s->data + s->len, data, len);
	s->len += len;
	s->data[s->len] = '\0';
	return 0;
}

/* Most fits: then it is formatted once. */
int str_vappendf(struct str *s, const char *format, va_list ap)
{
	size_t room = s->cap - s->len;
	va_list again;
	int n, r;

	va_copy(again, ap);
	n = vsnprintf(room ? s->data + s->len : NULL, room, format, ap);
	r = n < 0 ? -EINVAL : str_reserve(s, (size_t)n);
	if (r == 0 && (size_t)n >= room)
		(void)vsnprintf(s->data + s->len, (size_t)n + 1, format, again);
	va_end(again);
	if (r == 0)
		s->len += (size_t)n;
	else if (room)
		s->data[s->len] = '\0';
	return r;
}

int str_appendf(struct str *s, const char *format, ...)
{
	va_list ap;
	int r;

	va_start(ap, format);
	r = str_vappendf(s, format, ap);
	va_end(ap);
	return r;
}

const char *str_get(const struct str *s)
{
	return s->data ? s->data : "";
}

char *str_take(struct str *s)
{
	char *p = TAKE(s->data);

	s->len = s->cap = 0;
	return p;
}

char *str_printf(const char *format, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, format);
	n = vasprintf(&p, format, ap);
	va_end(ap);
	return n < 0 ? NULL : p;
}

/* Length of the character at s, 0 if it is not valid UTF-8 (RFC 3629). */
static size_t utf8_char_len(const unsigned char *s, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80		   ? 1
		   : (s[0] & 0xe0) == 0xc0 ? 2
		   : (s[0] & 0xf0) == 0xe0 ? 3
		   : (s[0] & 0xf8) == 0xf0 ? 4
					   : 0;
	uint32_t c;

	if (n <= 1)
		return n;
	if (n > left)
		return 0;
	c = s[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return n;
}

size_t str_cut_utf8(const char *text, size_t len, size_t max)
{
	if (len <= max)
		return len;
	while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
		max--;
	return max;
}

bool str_utf8_valid(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;

	for (size_t n; len > 0; p += n, len -= n) {
		n = utf8_char_len(p, len);
		if (n == 0)
			return false;
	}
	return true;
}

static const char *escape_of(unsigned char c)
{
	switch (c) {
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		return "?";
	}
}

void str_sanitize(char *dst, size_t dst_size, const char *src, size_t src_len)
{
	const unsigned char *p = (const unsigned char *)src;
	size_t out = 0;

	while (src_len > 0) {
		size_t n = utf8_char_len(p, src_len);
		const char *piece = (const char *)p;
		size_t piece_len = n, used = n ? n : 1;

		/* C1 controls (U+0080..U+009F) drive terminals as C0 does. */
		if (n == 0 || (n == 1 && (*p < 0x20 || *p == 0x7f)) ||
			(n == 2 && p[0] == 0xc2 && p[1] < 0xa0)) {
			piece = escape_of(*p);
			piece_len = strlen(piece);
		}
		if (out + piece_len + 1 > dst_size)
			break;
		memcpy(dst + out, piece, piece_len);
		out += piece_len;
		p += used;
		src_len -= used;
	}
	if (dst_size)
		dst[out] = '\0';
}

bool str_startswith(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_endswith(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool str_eq(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

enum { NEAREST_MAX = 64 };

/* Edit distance with swaps of neighbours (optimal string alignment). */
static size_t edit_distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t d[3][NEAREST_MAX + 1];

	for (size_t j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *row = d[i % 3], *up = d[(i - 1) % 3], *up2 = d[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);

			size_t gap = MIN(up[j], row[j - 1]) + 1;

			best = MIN(best, gap);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = MIN(best, up2[j - 2] + 1);
			row[j] = best;
		}
	}
	return d[n % 3][m];
}

const char *str_nearest(const char *word, const char *const *names, size_t n_names)
{
	size_t len = strlen(word), best = len / 3 + 2;
	const char *nearest = NULL;

	if (len > NEAREST_MAX)
		return NULL;
	for (size_t i = 0; i < n_names; i++) {
		size_t m = names[i] ? strlen(names[i]) : SIZE_MAX, d;

		if (m > NEAREST_MAX)
			continue;
		d = edit_distance(word, len, names[i], m);
		if (d < best) {
			best = d;
			nearest = names[i];
		}
	}
	return nearest;
}

bool str_glob(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			retry = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

void strv_free(char **v)
{
	if (!v)
		return;
	for (char **p = v; *p; p++)
		free(*p);
	free(v);
}

size_t strv_len(char *const *v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

bool strv_contains(char *const *v, const char *s)
{
	for (; v && *v; v++)
		if (strcmp(*v, s) == 0)
			return true;
	return false;
}

bool str_equal_secret(const char *given, const char *secret)
{
	size_t n = strlen(secret), m = strlen(given);
	unsigned differ = n != m;

	for (size_t i = 0; i < m; i++)
		differ |= (unsigned char)given[i] ^ (unsigned char)secret[n ? i % n : 0];
	return differ == 0;
}
