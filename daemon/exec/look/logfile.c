/* SPDX-License-Identifier: MIT */
/*
 * What was written to a log file since the look before, over rotations: by renaming (the file is
 * found again by its inode) and by copying and truncating (the copy is found by how it begins).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "base/hash.h"
#include "base/str.h"
#include "exec/look/look.h"
#include "exec/look/sieve.h"

enum {
	HEAD_BYTES = 256,
	MAX_SIBLINGS = 64,
	MAX_LINE_BYTES = 65536,
	MIN_BYTES = 2 * MAX_LINE_BYTES, /* else a long line would never be passed */
};

struct position {
	bool known;
	uint64_t device, inode, offset, head_len;
	uint32_t head; /* a hash of the first head_len bytes */
};

struct sibling {
	char path[PATH_MAX];
	struct stat st;
};

struct reading {
	struct sieve *sieve;
	const char *path;
	struct position at;
	uint64_t left; /* bytes that may be read yet */
	double until;  /* of CLOCK_MONOTONIC */
	bool more, missed, rotated;
	struct sibling *siblings; /* oldest first */
	size_t n_siblings;
};

static double monotonic(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint32_t hash_of(int fd, uint64_t len)
{
	char buf[HEAD_BYTES];
	ssize_t n = pread(fd, buf, MIN(len, (uint64_t)sizeof(buf)), 0);
	uint32_t h = hash32_bytes(HASH32_INIT, buf, n > 0 ? (size_t)n : 0);

	return n == (ssize_t)len ? h : ~h;
}

static void read_position(const json_t *doc, struct position *at)
{
	if (!doc)
		return;
	at->known = true;
	at->device = (uint64_t)json_integer_value(json_object_get(doc, "device"));
	at->inode = (uint64_t)json_integer_value(json_object_get(doc, "inode"));
	at->offset = (uint64_t)json_integer_value(json_object_get(doc, "offset"));
	at->head_len = MIN((uint64_t)json_integer_value(json_object_get(doc, "head_len")),
		(uint64_t)HEAD_BYTES);
	at->head = (uint32_t)json_integer_value(json_object_get(doc, "head"));
}

static json_t *position_json(const struct position *at)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "device", (json_int_t)at->device, "inode",
		(json_int_t)at->inode, "offset", (json_int_t)at->offset, "head_len",
		(json_int_t)at->head_len, "head", (json_int_t)at->head);
}

static void set_position(struct reading *reading, int fd, const struct stat *st, uint64_t offset)
{
	uint64_t head_len = MIN(offset, (uint64_t)HEAD_BYTES);

	reading->at = (struct position){
		.known = true,
		.device = st->st_dev,
		.inode = st->st_ino,
		.offset = offset,
		.head_len = head_len,
		.head = hash_of(fd, head_len),
	};
}

/* Sifts the lines of buf; returns how much of it they are. Lines may take their time: expressions
 * are the asker's, what they are held against anybody's. */
static size_t sift(struct reading *reading, const char *buf, size_t have)
{
	size_t done = 0, n = 0;
	const char *end;

	while ((end = memchr(buf + done, '\n', have - done))) {
		size_t len = (size_t)(end - buf) - done;

		sieve_line(reading->sieve, "", buf + done, len);
		done += len + 1;
		if (++n % 16 == 0 && monotonic() > reading->until) {
			reading->left = 0;
			break;
		}
	}
	return done;
}

/* Lines of fd from `offset` on; returns where the last one ends. `whole`: nobody writes to it any
 * more, so its last line needs no newline. */
static uint64_t read_lines(struct reading *reading, int fd, uint64_t offset, bool whole)
{
	auto_free char *buf = malloc(MAX_LINE_BYTES);
	size_t have = 0;

	while (buf && reading->left > 0) {
		ssize_t n = pread(fd, buf + have, MIN(MAX_LINE_BYTES - have, reading->left),
			(off_t)(offset + have));
		size_t done;

		if (n <= 0 && !(n == 0 && whole && have > 0))
			return offset;
		have += (size_t)n;
		reading->left -= MIN(reading->left, (uint64_t)n);
		done = sift(reading, buf, have);
		/* A line without an end: too long, or the last one. */
		if (done == 0 && (have == MAX_LINE_BYTES || n == 0)) {
			sieve_line(reading->sieve, "", buf, have);
			done = have;
		}
		memmove(buf, buf + done, have - done);
		have -= done;
		offset += done;
	}
	reading->more = true;
	return offset;
}

/* ---- what it was rotated to ---- */

static bool is_packed(const char *name)
{
	static const char *const ends[] = {".gz", ".xz", ".bz2", ".zst", ".Z", ".lz4"};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (str_endswith(name, ends[i]))
			return true;
	return false;
}

static int by_time(const void *a, const void *b)
{
	const struct timespec x = ((const struct sibling *)a)->st.st_mtim,
			      y = ((const struct sibling *)b)->st.st_mtim;

	if (x.tv_sec != y.tv_sec)
		return x.tv_sec < y.tv_sec ? -1 : 1;
	return (x.tv_nsec > y.tv_nsec) - (x.tv_nsec < y.tv_nsec);
}

/* "x.log.1", "x.log-20261122", and so on. */
static void find_siblings(struct reading *reading)
{
	char copy[PATH_MAX], copy2[PATH_MAX];
	const char *folder, *name;
	const struct dirent *entry;
	DIR *dir;

	(void)snprintf(copy, sizeof(copy), "%s", reading->path);
	(void)snprintf(copy2, sizeof(copy2), "%s", reading->path);
	folder = dirname(copy);
	name = basename(copy2);
	reading->siblings = calloc(MAX_SIBLINGS, sizeof(struct sibling));
	dir = reading->siblings ? opendir(folder) : NULL;
	while (dir && (entry = readdir(dir)) && reading->n_siblings < MAX_SIBLINGS) {
		struct sibling *s = &reading->siblings[reading->n_siblings];
		size_t n = strlen(name);

		if (strncmp(entry->d_name, name, n) != 0 || !strchr(".-_", entry->d_name[n]) ||
			!entry->d_name[n] || is_packed(entry->d_name))
			continue;
		if (snprintf(s->path, sizeof(s->path), "%s/%s", folder, entry->d_name) <
				(int)sizeof(s->path) &&
			lstat(s->path, &s->st) == 0 && S_ISREG(s->st.st_mode))
			reading->n_siblings++;
	}
	if (dir)
		(void)closedir(dir);
	if (reading->n_siblings > 1)
		qsort(reading->siblings, reading->n_siblings, sizeof(struct sibling), by_time);
}

static bool begins_alike(const struct sibling *s, const struct position *at)
{
	auto_close int fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	return fd >= 0 && at->head_len > 0 && (uint64_t)s->st.st_size >= at->offset &&
	       hash_of(fd, at->head_len) == at->head;
}

/* The one that was read last; n_siblings: none. */
static size_t find_former(const struct reading *reading, bool by_inode)
{
	for (size_t i = 0; i < reading->n_siblings; i++) {
		const struct sibling *s = &reading->siblings[i];

		if (by_inode ? s->st.st_ino == reading->at.inode &&
					s->st.st_dev == reading->at.device
			     : begins_alike(s, &reading->at))
			return i;
	}
	return reading->n_siblings;
}

/* The rest of what was read last, then all that were begun and left since. */
static void read_former(struct reading *reading, bool by_inode)
{
	size_t first, i;

	reading->rotated = true;
	find_siblings(reading);
	first = find_former(reading, by_inode);
	if (first == reading->n_siblings && by_inode)
		first = find_former(reading, false);
	if (first == reading->n_siblings) {
		reading->missed = true;
		return;
	}
	for (i = first; i < reading->n_siblings && !reading->more; i++) {
		struct sibling *s = &reading->siblings[i];
		auto_close int fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		uint64_t offset = i == first ? reading->at.offset : 0;

		if (fd < 0) {
			reading->missed = true;
			continue;
		}
		offset = read_lines(reading, fd, offset, true);
		set_position(reading, fd, &s->st, offset);
	}
}

/* ---- the file itself ---- */

static bool is_continued(const struct position *at, int fd, const struct stat *st)
{
	return at->device == st->st_dev && at->inode == st->st_ino &&
	       (uint64_t)st->st_size >= at->offset && hash_of(fd, at->head_len) == at->head;
}

static int read_file(struct reading *reading, const json_t *args, struct tend_error *err)
{
	auto_close int fd = open(reading->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	uint64_t offset = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return look_errno(err, -errno, reading->path);
	if (!S_ISREG(st.st_mode))
		return tend_error_set(err, -EINVAL, "%s is no plain file", reading->path);
	if (!reading->at.known && !look_bool(args, "from_start"))
		offset = (uint64_t)st.st_size;
	else if (reading->at.known && is_continued(&reading->at, fd, &st))
		offset = reading->at.offset;
	else if (reading->at.known)
		read_former(
			reading, reading->at.device != st.st_dev || reading->at.inode != st.st_ino);
	/* What is left of the former ones comes first, at the next look. */
	if (reading->more)
		return 0;
	offset = read_lines(reading, fd, offset, false);
	set_position(reading, fd, &st, offset);
	return 0;
}

static int look(const json_t *args, json_t **ret_doc, struct tend_error *err)
{
	auto(sieve_free) struct sieve *sieve = NULL;
	struct reading reading = {.path = look_text(args, "path"),
		.until = monotonic() + (double)look_int(args, "time_msec", 5000) / 1e3,
		.left = (uint64_t)MAX(look_int(args, "max_bytes", 16 << 20), (int64_t)MIN_BYTES)};
	int r;

	if (reading.path[0] != '/')
		return tend_error_set(err, -EINVAL, "'path' is no absolute path");
	r = sieve_new(json_object_get(args, "patterns"), json_object_get(args, "ignore"),
		look_text(args, "seen"), &sieve, err);
	reading.sieve = sieve;
	read_position(json_object_get(args, "position"), &reading.at);
	if (r == 0)
		r = read_file(&reading, args, err);
	free(reading.siblings);
	if (r < 0)
		return r;
	*ret_doc = sieve_result(sieve);
	(void)json_object_update_new(
		*ret_doc, json_pack("{s:I, s:b, s:b, s:b, s:o}", "now", (json_int_t)time(NULL),
				  "more", reading.more, "gap", reading.missed, "rotated",
				  reading.rotated, "position", position_json(&reading.at)));
	return 0;
}

static const struct look_arg rows[] = {
	{"path", LOOK_TEXT, true, "absolute path of the file"},
	{"position", LOOK_OBJECT, false, "where the look before ended"},
	{"from_start", LOOK_BOOL, false, "without a position: from its beginning, not its end"},
	{"patterns", LOOK_OBJECT, false, "{NAME: expression}"},
	{"ignore", LOOK_TEXTS, false, "expressions of lines that do not count"},
	{"seen", LOOK_TEXT, false, "hashes of kinds that are known; without it kinds are not told"},
	{"max_bytes", LOOK_INT, false, "so much it may read"},
	{"time_msec", LOOK_INT, false, "so long it may read"},
	{.name = NULL},
};

const struct look_kind look_logfile = {"logfile",
	"a log file since the look before, over rotations: patterns, new kinds", rows, look};
