/* SPDX-License-Identifier: MIT */
/* What was written to systemd's journal since the cursor of the look before. */
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include "base/str.h"
#include "exec/look/look.h"
#include "exec/look/sieve.h"
#include "exec/look/written.h"

/* A journald that is well answers within milliseconds; one with a slow disk takes longer. */
#define MARKER_USEC (5 * USEC_PER_SEC)

enum { MAX_ENTRIES = 200000, MAX_PRIORITY = 7 };

struct reading {
	sd_journal *journal;
	struct sieve *sieve;
	const json_t *units;
	double until; /* of CLOCK_MONOTONIC */
	uint64_t n;
	bool more, gap;
	char *cursor;
};

static double monotonic(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The value of a field of the entry; "" if it has none. */
static const char *field(sd_journal *j, const char *name, char *buf, size_t size)
{
	const void *data;
	size_t len, skip = strlen(name) + 1;

	buf[0] = '\0';
	if (sd_journal_get_data(j, name, &data, &len) >= 0 && len >= skip)
		(void)snprintf(buf, size, "%.*s", (int)(len - skip), (const char *)data + skip);
	return buf;
}

/* Whoever reads what he writes feeds on himself. */
static bool is_ours(sd_journal *j)
{
	static const char *const fields[] = {"_SYSTEMD_UNIT", "UNIT", "OBJECT_SYSTEMD_UNIT"};
	static const char *const ours[] = {"tendd.", "tend-exec.", "tend-exec-", "tend-firewall.",
		"tend-job-", "tend-spawn.", "tend-spawn-"};
	char unit[256];

	if (written_is_marker(j))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		(void)field(j, fields[i], unit, sizeof(unit));
		for (size_t k = 0; k < ARRAY_SIZE(ours); k++)
			if (str_startswith(unit, ours[k]))
				return true;
	}
	return false;
}

static bool is_wanted(const struct reading *reading, const char *unit, const char *about)
{
	const json_t *item;
	size_t i;

	if (json_array_size(reading->units) == 0)
		return true;
	json_array_foreach (reading->units, i, item)
		if (fnmatch(json_string_value(item), unit, 0) == 0 ||
			(about[0] && fnmatch(json_string_value(item), about, 0) == 0))
			return true;
	return false;
}

static void take_entry(struct reading *reading)
{
	sd_journal *j = reading->journal;
	char unit[256], about[256], source[256];
	const void *data;
	size_t len;

	if (is_ours(j))
		return;
	(void)field(j, "_SYSTEMD_UNIT", unit, sizeof(unit));
	(void)field(j, "UNIT", about, sizeof(about));
	if (!unit[0])
		(void)field(j, "SYSLOG_IDENTIFIER", unit, sizeof(unit));
	if (!is_wanted(reading, unit, about) ||
		sd_journal_get_data(j, "MESSAGE", &data, &len) < 0 || len < 8)
		return;
	(void)snprintf(source, sizeof(source), "%s", unit);
	sieve_line(reading->sieve, source, (const char *)data + 8, len - 8);
}

/* "Up to warning" is a match for each: matches of one field are alternatives. */
static int add_matches(sd_journal *j, const json_t *args)
{
	int64_t priority = look_int(args, "priority", MAX_PRIORITY);
	int r = 0;

	for (int i = 0; priority < MAX_PRIORITY && i <= priority && r >= 0; i++) {
		char match[24];

		(void)snprintf(match, sizeof(match), "PRIORITY=%d", i);
		r = sd_journal_add_match(j, match, 0);
	}
	return r;
}

static int seek(struct reading *reading, const json_t *args)
{
	const char *cursor = look_text(args, "cursor");
	int64_t since = look_int(args, "since_sec", 0);
	int r;

	if (!cursor)
		return sd_journal_seek_realtime_usec(reading->journal,
			(uint64_t)(time(NULL) - MIN((int64_t)time(NULL), since)) * USEC_PER_SEC);
	r = sd_journal_seek_cursor(reading->journal, cursor);
	if (r >= 0)
		r = sd_journal_next(reading->journal);
	if (r > 0 && sd_journal_test_cursor(reading->journal, cursor) > 0)
		return 0; /* the one that was read last */
	/* It has been rotated away: what is there now is later. */
	reading->gap = true;
	if (r > 0)
		(void)sd_journal_previous(reading->journal);
	return r < 0 ? r : 0;
}

static int read_on(struct reading *reading)
{
	int r;

	while ((r = sd_journal_next(reading->journal)) > 0) {
		take_entry(reading);
		free(reading->cursor);
		reading->cursor = NULL;
		(void)sd_journal_get_cursor(reading->journal, &reading->cursor);
		if (++reading->n >= MAX_ENTRIES ||
			(reading->n % 64 == 0 && monotonic() > reading->until)) {
			reading->more = true;
			return 0;
		}
	}
	return r;
}

/* Where to go on when nothing has come yet. */
static void find_end(struct reading *reading, const char *cursor)
{
	if (reading->cursor)
		return;
	if (cursor && !reading->gap)
		reading->cursor = strdup(cursor);
	else if (sd_journal_seek_tail(reading->journal) >= 0 &&
		 sd_journal_previous(reading->journal) > 0)
		(void)sd_journal_get_cursor(reading->journal, &reading->cursor);
}

static int may_not_list(const char *path, int code)
{
	return code == EACCES;
}

/* Storage=none of journald.conf(5), say. */
static bool has_no_files(void)
{
	static const char *const globs[] = {
		"/var/log/journal/*/*.journal", "/run/log/journal/*/*.journal"};

	for (size_t i = 0; i < ARRAY_SIZE(globs); i++) {
		glob_t found = {0};
		int r = glob(globs[i], 0, may_not_list, &found);

		globfree(&found);
		if (r != GLOB_NOMATCH)
			return false;
	}
	return true;
}

static int open_journal(const json_t *args, sd_journal **ret_journal, struct tend_error *err)
{
	const char *folder = look_text(args, "folder");
	int r = folder ? sd_journal_open_directory(ret_journal, folder, 0)
		       : sd_journal_open(ret_journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);

	if (r < 0)
		return look_errno(err, r, "the journal");
	/* Files that may not be read are passed over in silence. */
	if (sd_journal_has_persistent_files(*ret_journal) > 0 ||
		sd_journal_has_runtime_files(*ret_journal) > 0)
		return 0;
	if (!folder && has_no_files())
		return tend_error_set(err, -ENOENT,
			"there is no file of the journal: does systemd-journald run, and what is "
			"its Storage=?");
	return tend_error_set(err, -EACCES,
		"no file of the journal can be read: is the user of tend-spawn in the group "
		"systemd-journal?");
}

static int read_journal(struct reading *reading, const json_t *args)
{
	int r = add_matches(reading->journal, args);

	if (r >= 0)
		r = seek(reading, args);
	if (r >= 0)
		r = read_on(reading);
	if (r >= 0)
		find_end(reading, look_text(args, "cursor"));
	return r;
}

static int look(const json_t *args, json_t **ret_doc, struct tend_error *err)
{
	auto(sieve_free) struct sieve *sieve = NULL;
	auto_json json_t *written = NULL;
	auto_free char *cursor = NULL;
	const json_t *before = json_object_get(args, "written");
	int64_t time_msec = look_int(args, "time_msec", 2000);
	struct reading reading = {.units = json_object_get(args, "units")};
	int r = sieve_new(json_object_get(args, "patterns"), json_object_get(args, "ignore"),
		look_text(args, "seen"), &sieve, err);

	reading.sieve = sieve;
	reading.until = monotonic() + (double)time_msec / 1e3;
	if (r == 0)
		r = open_journal(args, &reading.journal, err);
	if (r >= 0 && reading.journal) {
		if (before)
			r = written_look(reading.journal, before, look_bool(args, "mark"),
				MIN((usec_t)MAX(time_msec, 0) * USEC_PER_MSEC / 2, MARKER_USEC),
				&written);
		if (r >= 0)
			r = read_journal(&reading, args);
		if (r < 0)
			(void)look_errno(err, r, "the journal");
	}
	sd_journal_close(reading.journal);
	cursor = reading.cursor;
	if (r < 0)
		return r;
	*ret_doc = sieve_result(sieve);
	(void)json_object_update_new(*ret_doc,
		json_pack("{s:I, s:b, s:b, s:s*, s:O*}", "now", (json_int_t)time(NULL), "more",
			reading.more, "gap", reading.gap, "cursor", cursor, "written", written));
	return 0;
}

static const struct look_arg rows[] = {
	{"cursor", LOOK_TEXT, false, "where the look before ended"},
	{"since_sec", LOOK_INT, false, "without a cursor: so far back"},
	{"units", LOOK_TEXTS, false, "patterns of units or identifiers; none: all"},
	{"priority", LOOK_INT, false, "the least urgent that counts, 0 to 7"},
	{"patterns", LOOK_OBJECT, false, "{NAME: expression}"},
	{"ignore", LOOK_TEXTS, false, "expressions of messages that do not count"},
	{"seen", LOOK_TEXT, false, "hashes of kinds that are known; without it kinds are not told"},
	{"time_msec", LOOK_INT, false, "so long it may read"},
	{"written", LOOK_OBJECT, false,
		"is it being written? What the look before told of that; {}: nothing"},
	{"mark", LOOK_BOOL, false, "where nothing was written, prove it by a message"},
	{"folder", LOOK_TEXT, false, "journal files of another machine"},
	{.name = NULL},
};

const struct look_kind look_journal = {
	"journal", "systemd's journal since the look before: patterns, new kinds", rows, look};
