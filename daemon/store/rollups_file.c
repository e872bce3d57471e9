/* SPDX-License-Identifier: MIT */
/*
 * store/rollups_file.c: the tables of the history. A minute comes in as one row for 512 series;
 * when its hour is over these rows are turned into one block a series, and when the day is, the
 * blocks into one of its hours. Every step is a transaction of its own and may be done twice.
 */
#include "store/rollups_private.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/str.h"
#include "store/private.h"

enum {
	VERSION = 1,
	/* A point costs at most so much, whatever precision that leaves. */
	HOUR_BLOCK_BYTES = 150,
	DAY_BLOCK_BYTES = 84,
};

static const char schema[] =
	"CREATE TABLE series(id INTEGER PRIMARY KEY, check_name TEXT NOT NULL, metric TEXT NOT "
	"NULL,"
	" instance TEXT NOT NULL, unit TEXT NOT NULL, UNIQUE(check_name, metric, instance));"
	/* points: series within the part (2 bytes), samples (4), min, mean, max (float, 4 each; all
	   three are one when it is a single value: samples then have their highest bit set) */
	"CREATE TABLE minutes(part INTEGER NOT NULL, minute INTEGER NOT NULL, points BLOB NOT NULL,"
	" PRIMARY KEY(part, minute)) WITHOUT ROWID;"
	"CREATE INDEX minutes_by_age ON minutes(minute, part);"
	"CREATE TABLE hours(hour INTEGER NOT NULL, series INTEGER NOT NULL, block BLOB NOT NULL,"
	" PRIMARY KEY(hour, series)) WITHOUT ROWID;"
	"CREATE TABLE days(day INTEGER NOT NULL, series INTEGER NOT NULL, block BLOB NOT NULL,"
	" PRIMARY KEY(day, series)) WITHOUT ROWID;"
	"CREATE TABLE progress(id INTEGER PRIMARY KEY CHECK(id = 1), day INTEGER NOT NULL,"
	" part INTEGER NOT NULL);";

enum statement {
	SERIES_PUT,
	MINUTE_PUT,
	MINUTES_GET,
	MINUTE_FIRST,
	MINUTES_DROP,
	HOUR_PUT,
	HOUR_GET,
	HOURS_OF_PART,
	HOURS_DROP,
	DAY_PUT,
	DAY_GET,
	DAYS_DROP,
	KEEP_PUT,
	MINUTES_ALL,
	MINUTES_LAST,
	STATEMENT_MAX,
};
_Static_assert(STATEMENT_MAX <= ARRAY_SIZE(((struct rollups_file *)0)->stmts), "room");

static const char *const statements[] = {
	[SERIES_PUT] = "INSERT OR IGNORE INTO series VALUES(?1, ?2, ?3, ?4, ?5)",
	[MINUTE_PUT] = "INSERT OR REPLACE INTO minutes(minute, part, points) VALUES(?1, ?2, ?3)",
	[MINUTES_GET] = "SELECT minute, points FROM minutes WHERE minute >= ?1 AND minute < ?2"
			" AND part = ?3",
	[MINUTE_FIRST] = "SELECT minute, part FROM minutes ORDER BY minute, part LIMIT 1",
	[MINUTES_DROP] = "DELETE FROM minutes WHERE minute >= ?1 AND minute < ?2 AND part = ?3",
	[HOUR_PUT] = "INSERT OR REPLACE INTO hours VALUES(?1, ?2, ?3)",
	[HOUR_GET] = "SELECT block FROM hours WHERE hour = ?1 AND series = ?2",
	[HOURS_OF_PART] = "SELECT series, block FROM hours WHERE hour = ?1 AND series >= ?2"
			  " AND series < ?3",
	[HOURS_DROP] = "DELETE FROM hours WHERE (hour, series) IN (SELECT hour, series FROM hours"
		       " WHERE hour < ?1 ORDER BY hour, series LIMIT 4096)",
	[DAY_PUT] = "INSERT OR REPLACE INTO days VALUES(?1, ?2, ?3)",
	[DAY_GET] = "SELECT block FROM days WHERE day = ?1 AND series = ?2",
	[DAYS_DROP] = "DELETE FROM days WHERE (day, series) IN (SELECT day, series FROM days"
		      " WHERE day < ?1 ORDER BY day, series LIMIT 4096)",
	[KEEP_PUT] = "INSERT OR IGNORE INTO temp.keep VALUES(?1)",
	[MINUTES_LAST] = "SELECT part, points FROM minutes ORDER BY part DESC, minute DESC LIMIT 1",
	[MINUTES_ALL] = "SELECT part, points FROM minutes",
};

static int prepare(struct rollups_file *file, enum statement which, sqlite3_stmt **ret_stmt)
{
	int code = SQLITE_OK;

	if (!file->stmts[which])
		code = sqlite3_prepare_v3(file->db, statements[which], -1,
			SQLITE_PREPARE_PERSISTENT, &file->stmts[which], NULL);
	*ret_stmt = file->stmts[which];
	return sqlite_errno(file->db, code);
}

static void bind_ints(sqlite3_stmt *stmt, const int64_t *values, int n)
{
	for (int i = 0; i < n; i++)
		(void)sqlite3_bind_int64(stmt, i + 1, values[i]);
}

/* A statement without rows; `blob` is its last parameter, if there is one. */
static int run(struct rollups_file *file, enum statement which, const int64_t *values, int n,
	const void *blob, size_t len)
{
	sqlite3_stmt *stmt;
	int r = prepare(file, which, &stmt);

	if (r < 0)
		return r;
	bind_ints(stmt, values, n);
	if (blob)
		(void)sqlite3_bind_blob64(stmt, n + 1, blob, len, SQLITE_STATIC);
	r = sqlite_errno(file->db, sqlite3_step(stmt));
	(void)sqlite3_reset(stmt);
	return r;
}

typedef int (*row_fn)(sqlite3_stmt *stmt, void *data);

static int each_row(struct rollups_file *file, enum statement which, const int64_t *values, int n,
	row_fn fn, void *data)
{
	sqlite3_stmt *stmt;
	int r = prepare(file, which, &stmt), code;

	if (r < 0)
		return r;
	bind_ints(stmt, values, n);
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW && r == 0)
		r = fn(stmt, data);
	if (r == 0)
		r = sqlite_errno(file->db, code);
	(void)sqlite3_reset(stmt);
	return r;
}

static int begin(struct rollups_file *file)
{
	return database_exec(file->db, "BEGIN IMMEDIATE", NULL);
}

static int end(struct rollups_file *file, int r)
{
	if (r == 0)
		r = database_exec(file->db, "COMMIT", NULL);
	if (r < 0 && !sqlite3_get_autocommit(file->db))
		(void)database_exec(file->db, "ROLLBACK", NULL);
	return r;
}

/* ---- a row of minutes ----------------------------------------------------------------------- */

enum { ENTRY_MAX_BYTES = 18, SINGLE = 1u << 31 };

static void put_bytes(uint8_t **at, const void *from, size_t n)
{
	memcpy(*at, from, n); /* the file stays on its machine: its byte order */
	*at += n;
}

static void entry_write(uint8_t **at, uint16_t slot, const struct point *p)
{
	float mean = (float)p->mean, min = (float)p->min, max = (float)p->max;
	bool single = min == mean && max == mean;
	uint32_t n = MIN(p->n, SINGLE - 1) | (single ? SINGLE : 0);

	put_bytes(at, &slot, sizeof(slot));
	put_bytes(at, &n, sizeof(n));
	put_bytes(at, &mean, sizeof(mean));
	if (!single) {
		put_bytes(at, &min, sizeof(min));
		put_bytes(at, &max, sizeof(max));
	}
}

static bool take_bytes(const uint8_t **at, const uint8_t *end, void *into, size_t n)
{
	if ((size_t)(end - *at) < n)
		return false;
	memcpy(into, *at, n);
	*at += n;
	return true;
}

static bool entry_read(
	const uint8_t **at, const uint8_t *end, uint16_t *ret_slot, struct point *ret_point)
{
	float mean, min, max;
	uint32_t n;

	if (!take_bytes(at, end, ret_slot, sizeof(*ret_slot)) ||
		!take_bytes(at, end, &n, sizeof(n)) || !take_bytes(at, end, &mean, sizeof(mean)))
		return false;
	min = max = mean;
	if (!(n & SINGLE) && (!take_bytes(at, end, &min, sizeof(min)) ||
				     !take_bytes(at, end, &max, sizeof(max))))
		return false;
	*ret_point = (struct point){.n = n & ~SINGLE, .min = min, .mean = mean, .max = max};
	return true;
}

static int compare_entries(const void *a, const void *b)
{
	const struct minute_entry *x = a, *y = b;

	return x->series < y->series ? -1 : x->series > y->series;
}

static int put_names(struct rollups_file *file, const struct minute *minute)
{
	sqlite3_stmt *stmt;
	int r = prepare(file, SERIES_PUT, &stmt);

	for (size_t i = 0; i < minute->n_names && r == 0; i++) {
		const struct minute_name *name = &minute->names[i];
		const char *const texts[] = {name->check, name->metric, name->instance, name->unit};

		(void)sqlite3_bind_int64(stmt, 1, name->series);
		for (int k = 0; k < (int)ARRAY_SIZE(texts); k++)
			(void)sqlite3_bind_text(stmt, k + 2, texts[k], -1, SQLITE_STATIC);
		r = sqlite_errno(file->db, sqlite3_step(stmt));
		(void)sqlite3_reset(stmt);
	}
	return r;
}

struct part_row {
	struct point points[PART_SERIES];
};

static int take_part(sqlite3_stmt *stmt, void *data)
{
	struct part_row *row = data;
	const uint8_t *at = sqlite3_column_blob(stmt, 1), *end;
	struct point point;
	uint16_t slot;

	if (!at)
		return 0;
	end = at + sqlite3_column_bytes(stmt, 1);
	while (entry_read(&at, end, &slot, &point))
		if (slot < PART_SERIES)
			point_add(&row->points[slot], &point);
	return 0;
}

/* A minute in which tendd was started again comes in two halves. */
static int put_part(struct rollups_file *file, int64_t at_minute, uint32_t part,
	const struct minute_entry *entries, size_t n)
{
	auto_free struct part_row *row = calloc(1, sizeof(*row));
	uint8_t blob[PART_SERIES * ENTRY_MAX_BYTES], *at = blob;
	int r;

	if (!row)
		return -ENOMEM;
	r = each_row(
		file, MINUTES_GET, (int64_t[]){at_minute, at_minute + 1, part}, 3, take_part, row);
	for (size_t i = 0; i < n; i++)
		point_add(&row->points[entries[i].series % PART_SERIES], &entries[i].point);
	for (unsigned slot = 0; slot < PART_SERIES; slot++)
		if (row->points[slot].n > 0)
			entry_write(&at, (uint16_t)slot, &row->points[slot]);
	return r < 0 ? r
		     : run(file, MINUTE_PUT, (int64_t[]){at_minute, part}, 2, blob,
			       (size_t)(at - blob));
}

int rollups_file_put(struct rollups_file *file, struct minute *minute)
{
	int r;

	if (minute->n_entries > 0)
		qsort(minute->entries, minute->n_entries, sizeof(*minute->entries),
			compare_entries);
	r = begin(file);
	if (r == 0)
		r = put_names(file, minute);
	for (size_t i = 0, n; i < minute->n_entries && r == 0; i += n) {
		uint32_t part = minute->entries[i].series / PART_SERIES;

		for (n = 1; i + n < minute->n_entries &&
			    minute->entries[i + n].series / PART_SERIES == part;)
			n++;
		r = put_part(file, minute->minute, part, minute->entries + i, n);
	}
	return end(file, r);
}

/* ---- packing -------------------------------------------------------------------------------- */

struct grid { /* of a part: a row a series */
	struct point *points;
	int64_t first;
	size_t width;
};

static int grid_take_minute(sqlite3_stmt *stmt, void *data)
{
	struct grid *grid = data;
	int64_t column = sqlite3_column_int64(stmt, 0) - grid->first;
	const uint8_t *at = sqlite3_column_blob(stmt, 1), *end;
	struct point point;
	uint16_t slot;

	if (!at || column < 0 || (size_t)column >= grid->width)
		return 0;
	end = at + sqlite3_column_bytes(stmt, 1);
	while (entry_read(&at, end, &slot, &point))
		if (slot < PART_SERIES)
			grid->points[slot * grid->width + (size_t)column] = point;
	return 0;
}

struct decoded {
	struct point *points;
	size_t max;
	int n;
};

static int take_block(sqlite3_stmt *stmt, void *data)
{
	struct decoded *d = data;
	const uint8_t *blob = sqlite3_column_blob(stmt, 0);

	if (blob)
		d->n = block_decode(
			blob, (size_t)sqlite3_column_bytes(stmt, 0), d->points, d->max, NULL);
	return 0;
}

/* A row that came late must not wipe out what was packed before. */
static int keep_packed(struct rollups_file *file, int64_t hour, uint32_t series, struct point *row)
{
	struct point packed[HOUR_MINUTES];
	struct decoded d = {.points = packed, .max = HOUR_MINUTES};
	int r = each_row(file, HOUR_GET, (int64_t[]){hour, series}, 2, take_block, &d);

	for (int i = 0; i < d.n; i++)
		if (row[i].n == 0)
			row[i] = packed[i];
	return r;
}

static int pack_row(struct rollups_file *file, enum statement into, int64_t at, uint32_t series,
	const struct point *row, size_t n, size_t room)
{
	uint8_t block[BLOCK_MAX_BYTES];
	size_t len = block_encode(row, n, room, block);

	if (len == 0)
		return 0;
	file->n_block_bytes += into == HOUR_PUT ? len : 0;
	for (size_t i = 0; i < n && into == HOUR_PUT; i++)
		file->n_block_points += row[i].n > 0;
	return run(file, into, (int64_t[]){at, series}, 2, block, len);
}

static int pack_hour(struct rollups_file *file, int64_t hour, int64_t part)
{
	const int64_t range[] = {hour * HOUR_MINUTES, (hour + 1) * HOUR_MINUTES, part};
	auto_free struct point *points = calloc(PART_SERIES * HOUR_MINUTES, sizeof(*points));
	struct grid grid = {.points = points, .first = range[0], .width = HOUR_MINUTES};
	int r;

	if (!points)
		return -ENOMEM;
	r = begin(file);
	if (r == 0)
		r = each_row(file, MINUTES_GET, range, 3, grid_take_minute, &grid);
	for (uint32_t slot = 0; slot < PART_SERIES && r == 0; slot++) {
		struct point *row = points + slot * HOUR_MINUTES;
		uint32_t series = (uint32_t)part * PART_SERIES + slot;
		bool any = false;

		for (size_t i = 0; i < HOUR_MINUTES; i++)
			any |= row[i].n > 0;
		if (!any)
			continue;
		r = keep_packed(file, hour, series, row);
		if (r == 0)
			r = pack_row(
				file, HOUR_PUT, hour, series, row, HOUR_MINUTES, HOUR_BLOCK_BYTES);
	}
	if (r == 0)
		r = run(file, MINUTES_DROP, range, 3, NULL, 0);
	return end(file, r);
}

struct day_row {
	struct point *points; /* of a part: 24 a series */
	size_t hour;
	int64_t first_series;
};

static int take_hour(sqlite3_stmt *stmt, void *data)
{
	struct day_row *day = data;
	int64_t slot = sqlite3_column_int64(stmt, 0) - day->first_series;
	const uint8_t *blob = sqlite3_column_blob(stmt, 1);
	struct point minutes[HOUR_MINUTES];
	int n;

	if (!blob || slot < 0 || slot >= PART_SERIES)
		return 0;
	n = block_decode(blob, (size_t)sqlite3_column_bytes(stmt, 1), minutes, HOUR_MINUTES, NULL);
	for (int i = 0; i < n; i++)
		point_add(&day->points[(size_t)slot * DAY_HOURS + day->hour], &minutes[i]);
	return 0;
}

static int pack_day(struct rollups_file *file, int64_t day, int64_t part)
{
	auto_free struct point *points = calloc(PART_SERIES * DAY_HOURS, sizeof(*points));
	struct day_row row = {.points = points, .first_series = part * PART_SERIES};
	int r;

	if (!points)
		return -ENOMEM;
	r = begin(file);
	for (; row.hour < DAY_HOURS && r == 0; row.hour++)
		r = each_row(file, HOURS_OF_PART,
			(int64_t[]){day * DAY_HOURS + (int64_t)row.hour, row.first_series,
				row.first_series + PART_SERIES},
			3, take_hour, &row);
	for (uint32_t slot = 0; slot < PART_SERIES && r == 0; slot++)
		r = pack_row(file, DAY_PUT, day, (uint32_t)row.first_series + slot,
			points + slot * DAY_HOURS, DAY_HOURS, DAY_BLOCK_BYTES);
	return end(file, r);
}

/* ---- what there is to do -------------------------------------------------------------------- */

enum { SETTLE_SECONDS = 90, HOUR_SECONDS = 3600, DAY_SECONDS = 86400 };

struct pair {
	int64_t a, b;
	bool any;
};

static int take_pair(sqlite3_stmt *stmt, void *data)
{
	struct pair *pair = data;

	*pair = (struct pair){.a = sqlite3_column_int64(stmt, 0),
		.b = sqlite3_column_int64(stmt, 1),
		.any = true};
	return 0;
}

static int get_int(struct rollups_file *file, const char *sql, int64_t *ret_value)
{
	int r = database_get_int(file->db, sql, ret_value);

	return r == -ENOENT ? 0 : r;
}

static int set_progress(struct rollups_file *file, int64_t day, int64_t part)
{
	auto_free char *sql = str_printf("INSERT OR REPLACE INTO progress VALUES(1, %lld, %lld)",
		(long long)day, (long long)part);

	return sql ? database_exec(file->db, sql, NULL) : -ENOMEM;
}

/* The oldest day whose hours are all packed and that is not. 1: one part was packed. */
static int tend_days(struct rollups_file *file, int64_t now, const struct pair *oldest)
{
	int64_t day = -1, part = 0, first = -1, last = -1;
	int r = get_int(file, "SELECT day FROM progress", &day);

	if (r == 0)
		r = get_int(file, "SELECT part FROM progress", &part);
	if (r == 0)
		r = get_int(file, "SELECT hour FROM hours ORDER BY hour LIMIT 1", &first);
	if (r == 0)
		r = get_int(file, "SELECT hour FROM hours ORDER BY hour DESC LIMIT 1", &last);
	if (r < 0 || first < 0)
		return r;
	if (day < first / DAY_HOURS) {
		day = first / DAY_HOURS;
		part = 0;
	}
	if (day > last / DAY_HOURS || now < (day + 1) * DAY_SECONDS + 2 * SETTLE_SECONDS ||
		(oldest->any && oldest->a < (day + 1) * DAY_MINUTES))
		return 0;
	first = 0;
	r = get_int(file, "SELECT max(id) FROM series", &first);
	if (r == 0)
		r = pack_day(file, day, part++);
	if (r == 0)
		r = part * PART_SERIES > first ? set_progress(file, day + 1, 0)
					       : set_progress(file, day, part);
	return r < 0 ? r : 1;
}

static int drop(struct rollups_file *file, enum statement which, int64_t before)
{
	int r = run(file, which, &before, 1, NULL, 0);

	return r < 0 ? r : sqlite3_changes(file->db) > 0;
}

int rollups_file_tend(
	struct rollups_file *file, int64_t now, int64_t minute_days, int64_t hour_days)
{
	struct pair oldest = {0};
	int r = each_row(file, MINUTE_FIRST, NULL, 0, take_pair, &oldest);

	if (r < 0)
		return r;
	if (oldest.any && now >= (oldest.a / HOUR_MINUTES + 1) * HOUR_SECONDS + SETTLE_SECONDS) {
		r = pack_hour(file, oldest.a / HOUR_MINUTES, oldest.b);
		return r < 0 ? r : 1;
	}
	r = tend_days(file, now, &oldest);
	if (r == 0)
		r = drop(file, HOURS_DROP, (now / DAY_SECONDS - minute_days) * DAY_HOURS);
	if (r == 0)
		r = drop(file, DAYS_DROP, now / DAY_SECONDS - hour_days);
	return r;
}

/* ---- reading -------------------------------------------------------------------------------- */

struct minute_look {
	struct point *points;
	int64_t first;
	size_t n;
	uint16_t slot;
};

static int find_in_minute(sqlite3_stmt *stmt, void *data)
{
	struct minute_look *look = data;
	int64_t column = sqlite3_column_int64(stmt, 0) - look->first;
	const uint8_t *at = sqlite3_column_blob(stmt, 1), *end;
	struct point point;
	uint16_t slot;

	if (!at || column < 0 || (size_t)column >= look->n)
		return 0;
	end = at + sqlite3_column_bytes(stmt, 1);
	while (entry_read(&at, end, &slot, &point) && slot <= look->slot)
		if (slot == look->slot)
			look->points[column] = point;
	return 0;
}

int rollups_file_minutes(
	struct rollups_file *file, uint32_t series, int64_t first, struct point *points, size_t n)
{
	int64_t last = first + (int64_t)n - 1;
	struct minute_look look = {
		.points = points, .first = first, .n = n, .slot = series % PART_SERIES};
	int r = 0;

	memset(points, 0, n * sizeof(*points));
	for (int64_t hour = first / HOUR_MINUTES; hour <= last / HOUR_MINUTES && r == 0; hour++) {
		struct point block[HOUR_MINUTES];
		struct decoded d = {.points = block, .max = HOUR_MINUTES};

		r = each_row(file, HOUR_GET, (int64_t[]){hour, series}, 2, take_block, &d);
		for (int i = 0; i < d.n && r == 0; i++) {
			int64_t at = hour * HOUR_MINUTES + i - first;

			if (at >= 0 && (size_t)at < n)
				points[at] = block[i];
		}
	}
	if (r == 0)
		r = each_row(file, MINUTES_GET, (int64_t[]){first, last + 1, series / PART_SERIES},
			3, find_in_minute, &look);
	return r;
}

int rollups_file_hours(
	struct rollups_file *file, uint32_t series, int64_t first, struct point *points, size_t n)
{
	int r = 0;

	memset(points, 0, n * sizeof(*points));
	for (size_t i = 0; i < n && r == 0;) {
		int64_t hour = first + (int64_t)i, day = hour / DAY_HOURS;
		struct point block[HOUR_MINUTES];
		struct decoded d = {.points = block, .max = DAY_HOURS};
		size_t skip = (size_t)(hour % DAY_HOURS);

		r = each_row(file, DAY_GET, (int64_t[]){day, series}, 2, take_block, &d);
		for (size_t k = skip; k < DAY_HOURS && i < n && r == 0; k++, i++) {
			if (d.n > 0) {
				points[i] = k < (size_t)d.n ? block[k] : (struct point){0};
				continue;
			}
			r = rollups_file_minutes(file, series,
				(day * DAY_HOURS + (int64_t)k) * HOUR_MINUTES, block, HOUR_MINUTES);
			for (size_t m = 0; m < HOUR_MINUTES && r == 0; m++)
				point_add(&points[i], &block[m]);
		}
	}
	return r;
}

int rollups_file_series(struct rollups_file *file, rollups_series_fn fn, void *data)
{
	sqlite3_stmt *stmt;
	int code = sqlite3_prepare_v2(file->db,
		"SELECT id, check_name, metric, instance, unit FROM series ORDER BY id", -1, &stmt,
		NULL);

	if (code != SQLITE_OK)
		return sqlite_errno(file->db, code);
	while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *texts[4];

		for (int i = 0; i < (int)ARRAY_SIZE(texts); i++)
			texts[i] = (const char *)sqlite3_column_text(stmt, i + 1);
		if (texts[0] && texts[1] && texts[2] && texts[3])
			fn((uint32_t)sqlite3_column_int64(stmt, 0), texts[0], texts[1], texts[2],
				texts[3], data);
	}
	(void)sqlite3_finalize(stmt);
	return sqlite_errno(file->db, code);
}

/* ---- the file ------------------------------------------------------------------------------- */

static int open_existing(const char *path, struct tend_error *err, sqlite3 **ret_db)
{
	auto(database_close) sqlite3 *db = NULL;
	int64_t version = 0;
	int r = database_open_plain(path, err, &db);

	if (r == 0)
		r = database_get_int(db, "PRAGMA user_version", &version);
	if (r < 0 && db)
		return tend_error_set(err, r, "'%s': %s", path, sqlite3_errmsg(db));
	if (r == 0 && version != 0 && version != VERSION)
		r = tend_error_set(err, -EUCLEAN, "'%s' is of version %lld; this is %d", path,
			(long long)version, VERSION);
	if (r == 0)
		r = database_exec(db,
			"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
			"PRAGMA journal_size_limit = 4194304; PRAGMA cell_size_check = ON;"
			"PRAGMA trusted_schema = OFF; PRAGMA cache_size = -512;",
			err);
	if (r == 0 && version == 0)
		r = database_exec(db, "BEGIN IMMEDIATE", err);
	if (r == 0 && version == 0)
		r = database_exec(db, schema, err);
	if (r == 0 && version == 0)
		r = database_exec(db, "PRAGMA user_version = 1; COMMIT", err);
	if (r == 0)
		*ret_db = TAKE(db);
	return r;
}

static int keep_part(sqlite3_stmt *stmt, void *data)
{
	struct rollups_file *file = data;
	const uint8_t *at = sqlite3_column_blob(stmt, 1), *end;
	int64_t first = sqlite3_column_int64(stmt, 0) * PART_SERIES;
	struct point point;
	uint16_t slot;
	int r = 0;

	if (!at)
		return 0;
	end = at + sqlite3_column_bytes(stmt, 1);
	while (r == 0 && entry_read(&at, end, &slot, &point))
		r = run(file, KEEP_PUT, (int64_t[]){first + slot}, 1, NULL, 0);
	return r;
}

/* Names of what has no points any more. */
static int forget_names(struct rollups_file *file)
{
	int64_t n_series = 0;
	int r = database_get_int(file->db, "SELECT count(*) FROM series", &n_series);

	if (r < 0 || n_series <= ROLLUPS_MAX_SERIES / 2)
		return r;
	r = database_exec(file->db,
		"CREATE TEMP TABLE keep(id INTEGER PRIMARY KEY);"
		"INSERT OR IGNORE INTO keep SELECT series FROM hours;"
		"INSERT OR IGNORE INTO keep SELECT series FROM days",
		NULL);
	if (r == 0)
		r = each_row(file, MINUTES_ALL, NULL, 0, keep_part, file);
	if (r == 0)
		r = database_exec(
			file->db, "DELETE FROM series WHERE id NOT IN (SELECT id FROM keep)", NULL);
	(void)sqlite3_finalize(TAKE(file->stmts[KEEP_PUT]));
	(void)database_exec(file->db, "DROP TABLE IF EXISTS temp.keep", NULL);
	return r;
}

static int take_last(sqlite3_stmt *stmt, void *data)
{
	struct rollups_file *file = data;
	const uint8_t *at = sqlite3_column_blob(stmt, 1), *end;
	uint32_t first = (uint32_t)sqlite3_column_int64(stmt, 0) * PART_SERIES;
	struct point point;
	uint16_t slot;

	if (!at)
		return 0;
	end = at + sqlite3_column_bytes(stmt, 1);
	while (entry_read(&at, end, &slot, &point))
		if (first + slot > file->last_id)
			file->last_id = first + slot;
	return 0;
}

/* Beyond all that stands in the file, with a name or (a kill came between) without. */
static int read_last_id(struct rollups_file *file)
{
	static const char *const queries[] = {
		"SELECT ifnull(max(id), 0) FROM series",
		("SELECT ifnull(max(series), 0) FROM hours WHERE "
		 "hour = (SELECT max(hour) FROM hours)"),
		"SELECT ifnull(max(series), 0) FROM days WHERE day = (SELECT max(day) FROM days)",
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(queries) && r == 0; i++) {
		int64_t id = 0;

		r = database_get_int(file->db, queries[i], &id);
		if (id > file->last_id)
			file->last_id = (uint32_t)id;
	}
	return r < 0 ? r : each_row(file, MINUTES_LAST, NULL, 0, take_last, file);
}

int rollups_file_open(const char *dir, struct tend_error *err, struct rollups_file *ret_file)
{
	auto_free char *path = str_printf("%s/history.db", dir);
	struct tend_error local = {0};
	int r;

	if (!path)
		return -ENOMEM;
	*ret_file = (struct rollups_file){0};
	r = open_existing(path, &local, &ret_file->db);
	if (r == -EUCLEAN) {
		log_warning("history: %s", local.text);
		r = database_set_aside(path, err);
		if (r == 0)
			r = open_existing(path, &local, &ret_file->db);
	}
	if (r == 0)
		r = forget_names(ret_file);
	if (r == 0)
		r = read_last_id(ret_file);
	if (r < 0)
		rollups_file_close(ret_file);
	return r < 0 ? tend_error_set(err, r, "%s", local.text[0] ? local.text : strerror(-r)) : 0;
}

void rollups_file_close(struct rollups_file *file)
{
	for (size_t i = 0; i < ARRAY_SIZE(file->stmts); i++)
		(void)sqlite3_finalize(file->stmts[i]);
	if (file->db)
		database_close(file->db);
	*file = (struct rollups_file){0};
}
