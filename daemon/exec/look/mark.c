/* SPDX-License-Identifier: MIT */
#include "exec/look/mark.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "base/cleanup.h"

#define NEWS_USEC  (300 * USEC_PER_SEC) /* what is older says nothing of now */
#define FRESH_USEC (10 * USEC_PER_SEC)
#define LOST_USEC  (60 * USEC_PER_SEC) /* a marker is given up */

static bool is_near(usec_t at, usec_t span, usec_t now)
{
	return at > 0 && (at > now ? at - now : now - at) < span;
}

enum mark_step mark_decide(const struct mark_memory *before, usec_t newest, usec_t now)
{
	if (before->newest && newest != before->newest && is_near(newest, NEWS_USEC, now))
		return MARK_NEWS;
	if (is_near(before->marked, LOST_USEC, now))
		return MARK_AWAIT;
	return !before->marked && is_near(before->proved, FRESH_USEC, now) ? MARK_FRESH : MARK_SEND;
}

static int level_of(const char *value, size_t len)
{
	static const char *const names[] = {
		"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};

	for (int i = 0; i < (int)ARRAY_SIZE(names); i++)
		if ((len == strlen(names[i]) && strncasecmp(value, names[i], len) == 0) ||
			(len == 1 && value[0] == '0' + i))
			return i;
	return -1;
}

/* Which file has the last word is not asked: a marker that is too urgent is stored as well. */
int mark_level(const char *text, int level)
{
	static const char key[] = "MaxLevelStore";

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *p = line + strspn(line, " \t");
		int found;

		if (strncmp(p, key, sizeof(key) - 1) != 0)
			continue;
		p += sizeof(key) - 1;
		p += strspn(p, " \t");
		if (*p++ != '=')
			continue;
		p += strspn(p, " \t");
		found = level_of(p, strcspn(p, " \t\r\n"));
		if (found >= 0)
			level = MIN(level, found);
	}
	return level;
}
