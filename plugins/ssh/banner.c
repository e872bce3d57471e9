/* SPDX-License-Identifier: MIT */
#include "banner.h"
#include <string.h>

static bool begins(const char *line, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len >= n && memcmp(line, with, n) == 0;
}

static bool is_text(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' && line[i] != '\t')
			return false;
	return true;
}

/* "SSH-2.0-OpenSSH_9.2p1 Debian-2" */
static enum banner_what take(const char *line, size_t len, struct banner *banner)
{
	const char *protocol = line + 4, *dash = memchr(protocol, '-', len - 4);
	size_t n_protocol = dash ? (size_t)(dash - protocol) : 0, n_software;

	if (n_protocol == 0 || n_protocol >= sizeof(banner->protocol) || len >= BANNER_BYTES ||
		!is_text(line, len))
		return BANNER_BROKEN;
	memcpy(banner->protocol, protocol, n_protocol);
	banner->protocol[n_protocol] = '\0';
	n_software = len - 4 - n_protocol - 1;
	memcpy(banner->software, dash + 1, n_software);
	banner->software[n_software] = '\0';
	return BANNER_FOUND;
}

/* What sshd says instead of a banner. */
static enum banner_what judge_line(const char *line, size_t len)
{
	if (begins(line, len, "Exceeded MaxStartups"))
		return BANNER_FULL;
	if (begins(line, len, "Not allowed at this time"))
		return BANNER_DENIED;
	return is_text(line, len) ? BANNER_MORE : BANNER_BROKEN;
}

enum banner_what banner_find(const char *data, size_t len, struct banner *ret_banner)
{
	enum banner_what what;

	ret_banner->used = 0;
	for (int i = 0; i < BANNER_MAX_LINES; i++) {
		size_t left = len - ret_banner->used;
		const char *line = data + ret_banner->used, *end = memchr(line, '\n', left);
		size_t n = end ? (size_t)(end - line) : left;

		if (n > BANNER_MAX_LINE_BYTES)
			return BANNER_BROKEN;
		if (!end)
			return BANNER_MORE;
		ret_banner->used += n + 1;
		if (n > 0 && line[n - 1] == '\r')
			n--;
		what = begins(line, n, "SSH-") ? take(line, n, ret_banner) : judge_line(line, n);
		if (what != BANNER_MORE)
			return what;
	}
	return BANNER_BROKEN;
}
