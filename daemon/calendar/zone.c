/* SPDX-License-Identifier: MIT */
#include "calendar/zone.h"
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>
#include "base/str.h"
#include "base/vec.h"
#include "calendar/private.h"

enum {
	MAX_SPANS = 1024,
	STRIDE_DAYS = 14,
	MAX_NAMES = 1024,
};

/* Every zone that somebody holds. */
static struct vec cache;

/* ---- the file ------------------------------------------------------------------------------- */

static const char *zoneinfo_dir(void)
{
	const char *dir = getenv("TZDIR"); /* GLib looks there, too */

	return dir && dir[0] == '/' ? dir : "/usr/share/zoneinfo";
}

/* GLib takes offsets and rules ("+02:00", "CET-1CEST") as names as well; only files count here. */
static bool name_is_plain(const char *name)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
	static const char *const others[] = {"posix/", "right/", "posixrules", "localtime"};

	if (!((name[0] | 0x20) >= 'a' && (name[0] | 0x20) <= 'z') ||
		strlen(name) >= ZONE_NAME_BYTES || strspn(name, allowed) < strlen(name))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) /* right/ counts leap seconds */
		if (str_startswith(name, others[i]))
			return false;
	return true;
}

static bool file_exists(const char *name, struct timespec *ret_modified)
{
	auto_free char *path = str_printf("%s/%s", zoneinfo_dir(), name);
	auto_close int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	struct stat st;
	char magic[4];

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (read(fd, magic, sizeof(magic)) != sizeof(magic) || memcmp(magic, "TZif", 4) != 0)
		return false;
	*ret_modified = st.st_mtim;
	return true;
}

/* The names that people use, from a table of tzdata; none when it is not there. */
static size_t read_names(char *text, const char **names, size_t max)
{
	char *line, *next = text;
	size_t n = 0;

	while ((line = strsep(&next, "\n")) && n < max) {
		char *field = line;

		if (line[0] == '#' || !strsep(&field, "\t") || !strsep(&field, "\t"))
			continue;
		if (field)
			names[n++] = strsep(&field, "\t");
	}
	return n;
}

static int unknown_zone(const char *name, struct tend_error *err)
{
	auto_free char *path = str_printf("%s/zone.tab", zoneinfo_dir());
	auto_file FILE *f = path ? fopen(path, "re") : NULL;
	auto_free char *text = calloc(1, 65536);
	auto_free const char **names = calloc(MAX_NAMES, sizeof(*names));
	const char *nearest = NULL;

	if (f && text && names && strlen(name) < ZONE_NAME_BYTES && fread(text, 1, 65535, f) > 0)
		nearest = str_nearest(name, names, read_names(text, names, MAX_NAMES));
	if (nearest)
		return tend_error_set(err, -EINVAL,
			"'%.80s' is not a time zone of this host; the nearest is '%s'", name,
			nearest);
	return tend_error_set(err, -EINVAL,
		"'%.80s' is not a time zone of this host (%s), write it as in Europe/Berlin", name,
		zoneinfo_dir());
}

/* ---- the table ------------------------------------------------------------------------------ */

static int span_at(GTimeZone *tz, int64_t sec)
{
	return g_time_zone_find_interval(tz, G_TIME_TYPE_UNIVERSAL, sec);
}

/* The first second after `sec`, at most `to`, which lies in another interval. */
static int64_t find_change(GTimeZone *tz, int interval, int64_t sec, int64_t to)
{
	while (to - sec > 1) {
		int64_t middle = sec + (to - sec) / 2;

		if (span_at(tz, middle) == interval)
			sec = middle;
		else
			to = middle;
	}
	return to;
}

/* GLib's lookups are linear and its intervals cannot be listed, hence a table of our own. */
static size_t read_spans(GTimeZone *tz, struct zone_span *spans)
{
	int64_t end = calendar_days(ZONE_LAST_YEAR + 1, 1, 1) * DAY_SEC;
	int64_t sec = 0;
	int interval = span_at(tz, sec);
	size_t n = 0;

	spans[n++] = (struct zone_span){INT64_MIN, g_time_zone_get_offset(tz, interval)};
	while (sec < end && n < MAX_SPANS) {
		int64_t to = sec + STRIDE_DAYS * DAY_SEC;
		int32_t offset;

		if (span_at(tz, to) == interval) {
			sec = to;
			continue;
		}
		sec = find_change(tz, interval, sec, to);
		interval = span_at(tz, sec);
		offset = g_time_zone_get_offset(tz, interval);
		if (offset != spans[n - 1].offset_sec) /* not only another abbreviation */
			spans[n++] = (struct zone_span){sec, offset};
	}
	return n;
}

static struct zone *zone_new(const char *name)
{
	struct zone *zone = calloc(1, sizeof(*zone));
	struct zone_span *spans = calloc(MAX_SPANS, sizeof(*spans));

	if (!zone || !spans) {
		free(zone);
		free(spans);
		return NULL;
	}
	zone->n_refs = 1;
	zone->spans = spans;
	zone->n_spans = 1; /* of offset 0 */
	spans[0].from_sec = INT64_MIN;
	(void)snprintf(zone->name, sizeof(zone->name), "%s", name);
	return zone;
}

static int load(struct zone *zone, struct tend_error *err)
{
	GTimeZone *tz = g_time_zone_new_identifier(zone->name);
	struct zone_span *smaller;

	if (!tz)
		return unknown_zone(zone->name, err);
	zone->n_spans = read_spans(tz, zone->spans);
	g_time_zone_unref(tz);
	smaller = realloc(zone->spans, zone->n_spans * sizeof(*zone->spans));
	if (smaller)
		zone->spans = smaller;
	return 0;
}

/* ---- outside -------------------------------------------------------------------------------- */

int zone_get(const char *iana, struct zone **ret_zone, struct tend_error *err)
{
	auto(zone_free) struct zone *zone = NULL;
	struct timespec modified = {0};
	bool utc = strcmp(iana, "UTC") == 0; /* also on a host without tzdata */
	int r;

	if (!utc && (!name_is_plain(iana) || !file_exists(iana, &modified)))
		return unknown_zone(iana, err);
	VEC_FOREACH (&cache, struct zone *, known) {
		if (strcmp(known->name, iana) != 0 ||
			memcmp(&known->modified, &modified, sizeof(modified)) != 0)
			continue;
		known->n_refs++;
		*ret_zone = known;
		return 0;
	}
	zone = zone_new(iana);
	if (!zone)
		return tend_error_set(err, -ENOMEM, "no memory");
	zone->modified = modified;
	r = utc ? 0 : load(zone, err);
	if (r == 0 && vec_push(&cache, zone) < 0)
		r = tend_error_set(err, -ENOMEM, "no memory");
	if (r < 0)
		return r;
	*ret_zone = TAKE(zone);
	return 0;
}

struct zone *zone_free(struct zone *zone)
{
	if (!zone || --zone->n_refs > 0)
		return NULL;
	for (size_t i = 0; i < cache.len; i++) {
		if (cache.items[i] != zone)
			continue;
		vec_remove(&cache, i);
		break;
	}
	if (cache.len == 0)
		vec_clear(&cache);
	free(zone->spans);
	free(zone);
	return NULL;
}
