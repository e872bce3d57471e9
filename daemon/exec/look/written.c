/* SPDX-License-Identifier: MIT */
#include "exec/look/written.h"
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "exec/look/mark.h"

#define POLL_USEC (50 * USEC_PER_MSEC)
enum { CONF_MAX_BYTES = 65536 };

static usec_t number(const json_t *doc, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(doc, key));

	return value > 0 ? (usec_t)value : 0;
}

static struct mark_memory read_memory(const json_t *doc)
{
	const char *mark = json_string_value(json_object_get(doc, "mark"));
	struct mark_memory m = {
		.newest = number(doc, "newest"),
		.proved = number(doc, "proved"),
		.marked = number(doc, "marked"),
	};

	(void)snprintf(m.mark, sizeof(m.mark), "%s", mark ? mark : "");
	if (!m.mark[0])
		m.marked = 0;
	return m;
}

/* Stays 0 in an empty journal. */
static int find_newest(sd_journal *j, usec_t *ret_at)
{
	uint64_t at = 0;
	int r;

	sd_journal_flush_matches(j);
	r = sd_journal_seek_tail(j);
	if (r >= 0)
		r = sd_journal_previous(j);
	if (r > 0)
		r = sd_journal_get_realtime_usec(j, &at);
	if (r >= 0)
		*ret_at = at;
	return r;
}

/* By its name: a clock that was wrong may have left entries that seem to be newer. */
static int find_mark(sd_journal *j, const char *mark)
{
	char match[64];
	int r;

	(void)snprintf(match, sizeof(match), "TEND_MARK=%s", mark);
	sd_journal_flush_matches(j);
	r = sd_journal_add_match(j, match, 0);
	if (r >= 0)
		r = sd_journal_seek_head(j);
	return r < 0 ? r : sd_journal_next(j);
}

/* ---- the marker ---- */

static int level(void)
{
	static const char *const globs[] = {"/etc/systemd/journald.conf",
		"/etc/systemd/journald.conf.d/*.conf", "/run/systemd/journald.conf.d/*.conf",
		"/usr/local/lib/systemd/journald.conf.d/*.conf",
		"/usr/lib/systemd/journald.conf.d/*.conf"};
	int least = LOG_DEBUG;

	for (size_t i = 0; i < ARRAY_SIZE(globs); i++) {
		glob_t found = {0};

		if (glob(globs[i], 0, NULL, &found) == 0)
			for (size_t k = 0; k < found.gl_pathc; k++) {
				auto_free char *text = NULL;

				if (fs_read_file(found.gl_pathv[k], CONF_MAX_BYTES, &text, NULL) ==
					0)
					least = mark_level(text, least);
			}
		globfree(&found);
	}
	return MAX(least, LOG_ALERT); /* anything more urgent is shown on every terminal */
}

/* Never waits: the queue of a frozen journald may be full. Without `mark` it only asks who is
 * there. */
static int knock(const char *mark)
{
	static const struct sockaddr_un to = {
		.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char text[256];

	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	if (!mark)
		return 0;
	(void)snprintf(text, sizeof(text),
		"MESSAGE=Nothing else was written: is the journal still?\nPRIORITY=%d\n"
		"SYSLOG_IDENTIFIER=tend-look\nTEND_MARK=%s\n",
		level(), mark);
	return send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

bool written_is_marker(sd_journal *j)
{
	const void *data;
	size_t len;
	char uid[32];
	int n = snprintf(uid, sizeof(uid), "_UID=%u", (unsigned)getuid());

	/* Nobody else hides a message from the patterns by that field. */
	return sd_journal_get_data(j, "TEND_MARK", &data, &len) >= 0 &&
	       sd_journal_get_data(j, "_UID", &data, &len) >= 0 && len == (size_t)n &&
	       memcmp(data, uid, len) == 0;
}

/* > 0: it has come. */
static int await(sd_journal *j, const char *mark, usec_t until)
{
	int r;

	while ((r = find_mark(j, mark)) == 0 && clock_now() < until) {
		r = sd_journal_wait(j, POLL_USEC);
		if (r < 0)
			break;
	}
	return r;
}

/* ---- the look ---- */

static int send_mark(struct mark_memory *m)
{
	sd_id128_t id;
	int r = sd_id128_randomize(&id);

	if (r < 0)
		return r;
	(void)sd_id128_to_string(id, m->mark);
	r = knock(m->mark);
	m->marked = r < 0 ? 0 : clock_wall();
	return r;
}

static int prove(sd_journal *j, struct mark_memory *m, usec_t wait)
{
	int r = await(j, m->mark, clock_now() + wait);

	if (r > 0) {
		r = find_newest(j, &m->newest);
		m->proved = clock_wall();
		m->marked = 0;
	}
	return r;
}

int written_look(sd_journal *j, const json_t *before, bool mark, usec_t wait, json_t **ret_written)
{
	struct mark_memory m = read_memory(before);
	enum mark_step step;
	usec_t newest = 0;
	int sent = 0, r = find_newest(j, &newest);

	if (r < 0)
		return r;
	step = mark_decide(&m, newest, clock_wall());
	m.newest = newest;
	if (step == MARK_NEWS) {
		m.proved = clock_wall();
		m.marked = 0;
	} else if (!mark) {
		m.marked = 0;
		sent = knock(NULL);
	} else if (step != MARK_FRESH) {
		sent = step == MARK_SEND ? send_mark(&m) : 0;
		r = sent < 0 ? 0 : prove(j, &m, wait);
	}
	sd_journal_flush_matches(j);
	if (r < 0)
		return r;
	*ret_written = json_pack("{s:b, s:I, s:I, s:I, s:s, s:I, s:s*}", "ok",
		sent == 0 && !m.marked, "newest", (json_int_t)m.newest, "proved",
		(json_int_t)m.proved, "marked", (json_int_t)m.marked, "mark", m.mark, "now",
		(json_int_t)clock_wall(), "why",
		sent == -EAGAIN ? "its queue is full"
		: sent < 0	? strerror(-sent)
				: NULL);
	return *ret_written ? 0 : -ENOMEM;
}
