/* SPDX-License-Identifier: MIT */
/* The store when its file or its disk is bad. */
#include "store_fixture.h"
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "base/fs.h"
#include "store/private.h"

static int n_files(const char *dir, const char *pattern)
{
	DIR *d = opendir(dir);
	int n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += fnmatch(pattern, e->d_name, 0) == 0;
	closedir(d);
	return n;
}

static void store_one_and_close(struct fixture *f)
{
	struct outcome o = {0};

	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(store_commit(f->store, batch_of_check("a/b/c", 1), on_done, &o), 0);
	WAIT_FOR(f->loop, o.n == 1 && o.last == 0);
	f->store = store_free(f->store);
}

static void damage_overwrite(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	for (int i = 0; i < 64; i++)
		assert_int_equal(pwrite(fd, "garbage garbage garbage garbage ", 32, i * 32), 32);
	close(fd);
}

static void damage_middle(const char *path)
{
	struct stat st = {0};
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	for (off_t at = 4096; at < st.st_size; at += 512)
		assert_int_equal(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, at), 8);
	close(fd);
}

static void damage_halve(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size / 2 + 100), 0);
}

static void damage_empty(const char *path)
{
	assert_int_equal(truncate(path, 0), 0);
}

/* Set aside, begun afresh, a new epoch, and actions are off until somebody resumes, also later. */
static void test_corrupt(void **state)
{
	static void (*const damages[])(const char *) = {
		damage_overwrite, damage_middle, damage_halve, damage_empty};
	struct fixture *f = *state;
	auto_free char *path = str_printf("%s/tend.db", f->dir);

	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		char epoch[UUID_TEXT_BYTES];

		store_one_and_close(f);
		assert_int_equal(fixture_open(f), 0);
		memcpy(epoch, store_epoch(f->store), sizeof(epoch));
		f->store = store_free(f->store);
		damages[i](path);
		assert_int_equal(fixture_open(f), 0);
		assert_true(f->fresh);
		assert_string_not_equal(store_epoch(f->store), epoch);
		auto_json json_t *rows = rows_now(f, STORE_QUERY_CHECK_STATES);
		assert_int_equal(json_array_size(rows), 0);
		f->store = store_free(f->store);

		assert_int_equal(fixture_open(f), 0);
		assert_false(f->fresh);
		auto_json json_t *sw = rows_now(f, STORE_QUERY_SWITCH);
		assert_int_equal(
			json_integer_value(json_object_get(json_array_get(sw, 0), "enabled")), 0);
		f->store = store_free(f->store);
		assert_true(n_files(f->dir, "tend.db.corrupt-*Z") >= 1);
	}
}

static void test_newer_version(void **state)
{
	struct fixture *f = *state;
	auto_free char *path = str_printf("%s/tend.db", f->dir);
	sqlite3 *db;

	store_one_and_close(f);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				 "UPDATE meta SET value = '9.8.7' WHERE key = 'written_by';"
				 "PRAGMA user_version = 99",
				 NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(fixture_open(f), -EPROTO);
	assert_null(f->store);
	assert_non_null(strstr(f->err.text, "schema 99, written by tend 9.8.7"));
	assert_non_null(strstr(f->err.text, "start tend 9.8.7 or newer"));
	assert_int_equal(n_files(f->dir, "tend.db.corrupt-*"), 0);
}

static void test_directory_is_a_file(void **state)
{
	struct fixture *f = *state;
	auto_free char *path = str_printf("%s/file", f->dir);

	assert_int_equal(fs_write_file_atomic(path, "x", 1, 0600), 0);
	snprintf(f->dir + strlen(f->dir), sizeof(f->dir) - strlen(f->dir), "/file");
	assert_int_equal(fixture_open(f), -ENOTDIR);
	assert_non_null(strstr(f->err.text, "state directory"));
	*strrchr(f->dir, '/') = '\0';
}

static void test_two_at_once(void **state)
{
	struct fixture *f = *state;
	struct store *second = NULL;
	bool fresh;

	assert_int_equal(fixture_open(f), 0);
	assert_int_equal(store_open(f->loop, f->dir, &f->err, &fresh, &second), -EBUSY);
	assert_non_null(strstr(f->err.text, "another tendd"));
}

static void test_migration(void **state)
{
	static const char *const migrations[] = {"CREATE TABLE a(x)",
		"ALTER TABLE a ADD COLUMN y; INSERT INTO a VALUES(1, 2)", "CREATE TABLE broken("};
	struct fixture *f = *state;
	auto_free char *path = str_printf("%s/m.db", f->dir);
	auto_free char *backup = str_printf("%s/m.db.v1-backup", f->dir);
	auto(database_close) sqlite3 *db = NULL, *old = NULL;
	int64_t value = 0;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(schema_migrate(db, path, migrations, 0, 1, NULL), 0);
	assert_int_equal(n_files(f->dir, "*-backup"), 0);
	assert_int_equal(schema_migrate(db, path, migrations, 1, 2, NULL), 0);
	assert_int_equal(database_get_int(db, "SELECT y FROM a", &value), 0);
	assert_int_equal(value, 2);
	assert_int_equal(sqlite3_open_v2(backup, &old, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(database_get_int(old, "PRAGMA user_version", &value), 0);
	assert_int_equal(value, 1);
	/* One that fails leaves everything as it was. */
	assert_int_not_equal(schema_migrate(db, path, migrations, 1, 3, &f->err), 0);
	assert_int_equal(database_get_int(db, "PRAGMA user_version", &value), 0);
	assert_int_equal(value, 2);
	assert_int_equal(database_get_int(db, "SELECT count(*) FROM a", &value), 0);
	assert_int_equal(value, 1);
}

/* A file of the version before, with rows: all of them are there afterwards, and the texts of
 * policies are known to be in use. */
static void test_from_version_2(void **state)
{
	static const char rows[] =
		"INSERT INTO run VALUES('r1', 'p', 't', NULL, 'done', 1000, 2000,"
		" '{\"source\": \"h1\", \"library_hash\": \"l1\"}');"
		"INSERT INTO run VALUES('r2', 'p', 't', NULL, 'live', 1000, NULL, NULL);"
		"INSERT INTO source VALUES('h1', 'text'), ('l1', 'text');"
		"INSERT INTO record VALUES('note', 's/a', 'k', 1000, '{}');"
		"INSERT INTO schedule VALUES('p', 't', 1000, NULL);"
		"INSERT INTO strike VALUES('p', 'h', 0, NULL, NULL);"
		"INSERT INTO action VALUES('t', 1000, 'r1', '1', 'unit.stop', 'open', 'p');";
	static const struct {
		const char *sql;
		int64_t want;
	} found[] = {
		{"SELECT count(*) FROM run WHERE id = 'r1' AND source = 'h1' AND library = 'l1'",
			1},
		{"SELECT count(*) FROM run WHERE id = 'r2' AND source IS NULL", 1},
		{"SELECT count(*) FROM source", 2},
		{"SELECT count(*) FROM record INDEXED BY record_at WHERE kind = 'note'", 1},
		{"SELECT count(*) FROM schedule INDEXED BY schedule_last WHERE last = 1000", 1},
		{"SELECT count(*) FROM strike WHERE n = 0", 1},
		{"SELECT count(*) FROM action WHERE own IS NULL AND boot IS NULL", 1},
	};
	struct fixture *f = *state;
	auto_free char *path = str_printf("%s/tend.db", f->dir);
	sqlite3 *db = NULL;
	bool fresh = true;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(schema_migrate(db, path, schema_migrations, 0, 2, NULL), 0);
	assert_int_equal(database_exec(db, rows, NULL), 0);
	database_close(db);
	if (database_open(f->dir, &f->err, &fresh, &db) < 0)
		fail_msg("%s", f->err.text);
	assert_false(fresh);
	assert_int_equal(n_files(f->dir, "tend.db.v2-backup"), 1);
	for (size_t i = 0; i < ARRAY_SIZE(found); i++) {
		int64_t value = -1;

		if (database_get_int(db, found[i].sql, &value) < 0 || value != found[i].want)
			fail_msg("%s: %lld", found[i].sql, (long long)value);
	}
	database_close(db);
}

static bool mount_small(const char *dir)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", dir, "tmpfs", 0, "size=8m,mode=0700") == 0;
}

static void fill(const char *path)
{
	static const char block[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

struct looked {
	struct outcome outcome;
	const struct store *store;
	bool healthy;
};

static void on_done_look(int r, void *data)
{
	struct looked *looked = data;

	looked->healthy = store_healthy(looked->store);
	on_done(r, &looked->outcome);
}

/* A real full disk: first the reserve carries the commits (not healthy), then they fail with
 * nothing written, old rows stay; when there is room again all is well by itself. */
static void test_disk_full(void **state)
{
	struct fixture *f = *state;
	auto_free char *ballast = str_printf("%s/ballast", f->dir);
	struct store_stats stats;
	bool failed = false;
	usec_t began;

	if (!mount_small(f->dir)) {
		print_message("skipped: needs root for a tmpfs\n");
		skip();
	}
	assert_int_equal(fixture_open(f), 0);
	fill(ballast);
	int n_on_reserve = 0;
	for (int i = 0; i < 200 && !failed; i++) {
		auto_free char *big = calloc(1, 65536 + 1);
		struct looked looked = {.store = f->store, .healthy = true};
		struct outcome *o = &looked.outcome;
		struct store_batch *batch;
		char hash[16];

		memset(big, 'x', 65536);
		snprintf(hash, sizeof(hash), "h%d", i);
		assert_int_equal(store_batch_new(&batch), 0);
		assert_int_equal(store_batch_add(batch, STORE_SOURCE_PUT, "ss", hash, big), 0);
		assert_int_equal(store_commit(f->store, batch, on_done_look, &looked), 0);
		WAIT_FOR(f->loop, o->n >= 1 && o->last != -EINPROGRESS);
		failed = o->last < 0;
		if (failed)
			assert_int_equal(o->last, -ENOSPC);
		else if (!store_healthy(f->store))
			n_on_reserve++;
		/* Who hears of a commit knows by then whether anything may be done. */
		assert_true(looked.healthy == store_healthy(f->store));
	}
	assert_true(failed);
	assert_true(n_on_reserve > 0);
	WAIT_FOR(f->loop, !store_healthy(f->store));
	store_get_stats(f->store, &stats);
	assert_true(stats.last_error[0]);
	print_message(
		"on the reserve: %d batches of 64 KiB; then: %s\n", n_on_reserve, stats.last_error);

	/* A batch that came before a barrier is lost: the barrier says so. */
	struct outcome lost = {0}, settled = {0};
	struct store_batch *batch;

	auto_free char *more = calloc(1, 65537);

	assert_non_null(more);
	memset(more, 'x', 65536);
	assert_int_equal(store_batch_new(&batch), 0);
	assert_int_equal(store_batch_add(batch, STORE_SOURCE_PUT, "ss", "lost", more), 0);
	assert_int_equal(store_commit(f->store, batch, on_done, &lost), 0);
	assert_int_equal(store_barrier(f->store, on_done, &settled), 0);
	WAIT_FOR(f->loop, settled.n > 0 && lost.n > 0 && lost.last != -EINPROGRESS);
	assert_int_equal(lost.last, -ENOSPC);
	assert_int_equal(settled.last, -ENOSPC);

	assert_int_equal(unlink(ballast), 0);
	began = clock_now();
	WAIT_FOR(f->loop, store_healthy(f->store));
	print_message("healthy %llu ms after there was room\n",
		(unsigned long long)((clock_now() - began) / USEC_PER_MSEC));
	struct outcome o = {0};
	assert_int_equal(store_commit(f->store, batch_of_check("after", 1), on_done, &o), 0);
	WAIT_FOR(f->loop, o.n == 1);
	assert_int_equal(o.last, 0);
	f->store = store_free(f->store);
	assert_int_equal(umount2(f->dir, MNT_DETACH), 0);
}

int main(void)
{
#define STORE_TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		STORE_TEST(test_corrupt),
		STORE_TEST(test_newer_version),
		STORE_TEST(test_directory_is_a_file),
		STORE_TEST(test_two_at_once),
		STORE_TEST(test_migration),
		STORE_TEST(test_from_version_2),
		STORE_TEST(test_disk_full),
	};

	log_to_stderr();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
