/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "base/uuid.h"
#include "store/private.h"

int sqlite_errno(sqlite3 *db, int code)
{
	int system = db ? sqlite3_system_errno(db) : 0;

	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_IOERR:
		return system == ENOSPC || system == EDQUOT || system == EFBIG ? -ENOSPC : -EIO;
	case SQLITE_CANTOPEN:
		return system == ENOSPC ? -ENOSPC : system == EROFS ? -EROFS : -EACCES;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return -EROFS;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_TOOBIG:
		return -EFBIG;
	default:
		return -EIO;
	}
}

int database_exec(sqlite3 *db, const char *sql, struct tend_error *err)
{
	int code = sqlite3_exec(db, sql, NULL, NULL, NULL);

	if (code == SQLITE_OK)
		return 0;
	return tend_error_set(err, sqlite_errno(db, code), "'%s': %s",
		sqlite3_db_filename(db, "main"), sqlite3_errmsg(db));
}

int database_get_int(sqlite3 *db, const char *sql, int64_t *ret_value)
{
	sqlite3_stmt *stmt;
	int code = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	if (code != SQLITE_OK)
		return sqlite_errno(db, code);
	code = sqlite3_step(stmt);
	if (code == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	return code == SQLITE_DONE ? -ENOENT : sqlite_errno(db, code);
}

static char *get_text(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt;
	char *text = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return NULL;
	if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) == SQLITE_TEXT)
		text = strdup((const char *)sqlite3_column_text(stmt, 0));
	(void)sqlite3_finalize(stmt);
	return text;
}

sqlite3 *database_close(sqlite3 *db)
{
	(void)sqlite3_close_v2(db);
	return NULL;
}

static int open_file(const char *path, int flags, struct tend_error *err, sqlite3 **ret_db)
{
	auto(database_close) sqlite3 *db = NULL;
	int code = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL);

	if (code != SQLITE_OK)
		return tend_error_set(err, sqlite_errno(db, code), "cannot open '%s': %s", path,
			db ? sqlite3_errmsg(db) : "out of memory");
	(void)sqlite3_extended_result_codes(db, 1);
	(void)sqlite3_busy_timeout(db, STORE_BUSY_MSEC);
	*ret_db = TAKE(db);
	return 0;
}

int database_open_plain(const char *path, struct tend_error *err, sqlite3 **ret_db)
{
	return open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err, ret_db);
}

/* Commits reach the disk before they are reported; checkpoints are the writer's to time. */
static int set_pragmas(sqlite3 *db, struct tend_error *err)
{
	return database_exec(db,
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		"PRAGMA journal_size_limit = 4194304; PRAGMA wal_autocheckpoint = 0;"
		"PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF; PRAGMA cache_size = "
		"-512;",
		err);
}

/* ---- a new one ------------------------------------------------------------------------------ */

static int write_beginning(sqlite3 *db, bool fresh, struct tend_error *err)
{
	char epoch[UUID_TEXT_BYTES];
	auto_free char *sql = NULL, *freeze = NULL;
	int r;

	sql = str_printf("INSERT INTO meta VALUES('epoch', '%s'), ('created_at', '%llu'),"
			 " ('written_by', '" TEND_VERSION "')",
		uuid7(epoch), (unsigned long long)clock_wall());
	/* What was done before is forgotten: no action until an operator says so, also after the
	 * next start. */
	freeze = str_printf(
		"INSERT INTO switch VALUES(1, 0, 'tendd', 'the store was corrupt and was "
		"begun afresh: look, then resume', %llu)",
		(unsigned long long)clock_wall());
	if (!sql || !freeze)
		return -ENOMEM;
	r = database_exec(db, sql, err);
	return r == 0 && fresh ? database_exec(db, freeze, err) : r;
}

/* A log left over from a file that is gone would be replayed into the new one. */
static int drop_leftovers(const char *path)
{
	static const char *const suffixes[] = {".new", ".new-journal", "-wal", "-shm"};

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		auto_free char *name = str_printf("%s%s", path, suffixes[i]);

		if (!name)
			return -ENOMEM;
		(void)unlink(name);
	}
	return 0;
}

/* Made beside its place and renamed: a tend.db that exists was whole once. */
static int create(const char *path, bool fresh, struct tend_error *err)
{
	auto_free char *temp = str_printf("%s.new", path);
	sqlite3 *db = NULL;
	int r;

	if (!temp || drop_leftovers(path) < 0)
		return -ENOMEM;
	r = open_file(temp, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err, &db);
	if (r < 0)
		return r;
	r = schema_migrate(db, temp, schema_migrations, 0, schema_version, err);
	if (r == 0)
		r = write_beginning(db, fresh, err);
	database_close(db);
	if (r < 0)
		return r;
	if (rename(temp, path) < 0)
		return tend_error_set(err, -errno, "cannot rename '%s': %s", temp, strerror(errno));
	return fs_fsync_parent(path);
}

/* ---- one that is there ---------------------------------------------------------------------- */

static int quick_check(sqlite3 *db, const char *path, struct tend_error *err)
{
	auto_free char *text = get_text(db, "PRAGMA quick_check(1)");

	if (text && strcmp(text, "ok") == 0)
		return 0;
	return tend_error_set(
		err, -EUCLEAN, "'%s' is corrupt: %s", path, text ? text : "unreadable");
}

static int refuse_newer(sqlite3 *db, const char *path, int64_t version, struct tend_error *err)
{
	auto_free char *by = get_text(db, "SELECT value FROM meta WHERE key = 'written_by'");

	return tend_error_set(err, -EPROTO,
		"'%s' is of schema %lld, written by tend %s; this is tend " TEND_VERSION
		", which reads up to schema %d: start tend %s or newer, or put a copy of before "
		"the "
		"upgrade (%s.v%d-backup) in its place",
		path, (long long)version, by ? by : "(unknown)", schema_version,
		by ? by : "of its time", path, schema_version);
}

static int note_version(sqlite3 *db, struct tend_error *err)
{
	auto_free char *by = get_text(db, "SELECT value FROM meta WHERE key = 'written_by'");

	if (by && strcmp(by, TEND_VERSION) == 0)
		return 0;
	return database_exec(
		db, "INSERT OR REPLACE INTO meta VALUES('written_by', '" TEND_VERSION "')", err);
}

static int open_existing(const char *path, struct tend_error *err, sqlite3 **ret_db)
{
	auto(database_close) sqlite3 *db = NULL;
	int64_t version = 0;
	struct stat st;
	int r;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
		return tend_error_set(err, -EUCLEAN, "'%s' is empty", path);
	r = open_file(path, SQLITE_OPEN_READWRITE, err, &db);
	if (r < 0)
		return r;
	r = database_get_int(db, "PRAGMA user_version", &version);
	if (r < 0)
		return tend_error_set(err, r, "'%s': %s", path, sqlite3_errmsg(db));
	if (version > schema_version)
		return refuse_newer(db, path, version, err);
	if (version < 1)
		return tend_error_set(err, -EUCLEAN, "'%s' has no schema", path);
	if (sqlite3_db_readonly(db, "main"))
		return tend_error_set(err, -EROFS, "'%s' cannot be written", path);
	r = quick_check(db, path, err);
	if (r == 0)
		r = set_pragmas(db, err);
	if (r == 0 && version < schema_version)
		r = schema_migrate(db, path, schema_migrations, (int)version, schema_version, err);
	if (r == 0)
		r = note_version(db, err);
	if (r == 0)
		*ret_db = TAKE(db);
	return r;
}

int database_set_aside(const char *path, struct tend_error *err)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	usec_t wall = clock_wall();
	time_t now = (time_t)(wall / USEC_PER_SEC);
	char day[32], stamp[48];
	struct tm tm;

	strftime(day, sizeof(day), "%Y%m%dT%H%M%S", gmtime_r(&now, &tm));
	snprintf(stamp, sizeof(stamp), "%s.%06uZ", day, (unsigned)(wall % USEC_PER_SEC));
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		auto_free char *from = str_printf("%s%s", path, suffixes[i]);
		auto_free char *to = str_printf("%s.corrupt-%s%s", path, stamp, suffixes[i]);

		if (!from || !to)
			return -ENOMEM;
		if (rename(from, to) < 0 && errno != ENOENT)
			return tend_error_set(
				err, -errno, "cannot set '%s' aside: %s", from, strerror(errno));
	}
	log_error("store: set the file aside as %s.corrupt-%s, begin a fresh one", path, stamp);
	return 0;
}

int database_open(const char *dir, struct tend_error *err, bool *ret_fresh, sqlite3 **ret_db)
{
	auto_free char *path = str_printf("%s/tend.db", dir);
	struct tend_error local = {0};
	bool fresh = false;
	struct stat st;
	int r;

	if (!path)
		return -ENOMEM;
	if (lstat(path, &st) < 0) {
		r = create(path, false, err);
		if (r < 0)
			return r;
	}
	r = open_existing(path, &local, ret_db);
	if (r == -EUCLEAN) {
		log_error("store: %s", local.text);
		r = database_set_aside(path, err);
		if (r == 0)
			r = create(path, true, err);
		if (r < 0)
			return r;
		log_error("store: actions stay frozen until somebody resumes them");
		fresh = true;
		r = open_existing(path, &local, ret_db);
	}
	if (r < 0)
		return tend_error_set(err, r, "%s", local.text);
	*ret_fresh = fresh;
	return 0;
}

int database_open_reader(const char *dir, struct tend_error *err, sqlite3 **ret_db)
{
	auto_free char *path = str_printf("%s/tend.db", dir);
	auto(database_close) sqlite3 *db = NULL;
	int r;

	if (!path)
		return -ENOMEM;
	r = open_file(path, SQLITE_OPEN_READWRITE, err, &db);
	if (r == 0)
		r = database_exec(db,
			"PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA cache_size = "
			"-256;",
			err);
	if (r == 0)
		*ret_db = TAKE(db);
	return r;
}
