/* SPDX-License-Identifier: MIT */
#include "exec/ledger.h"
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include "base/str.h"

struct ledger {
	int jobs_fd, output_fd, lock_fd;
	char *output_path;
	size_t n_records;
};

struct ledger *ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return NULL;
	safe_close(ledger->jobs_fd);
	safe_close(ledger->output_fd);
	safe_close(ledger->lock_fd);
	free(ledger->output_path);
	free(ledger);
	return NULL;
}

static int open_folder(int dir, const char *name)
{
	struct stat st;

	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	auto_close int fd =
		openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return -EPERM;
	return TAKE_FD(fd);
}

static int lock_state(int dir)
{
	auto_close int fd =
		openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return TAKE_FD(fd);
}

static bool is_id(const char *name)
{
	return uuid_valid(name);
}

static int count_records(struct ledger *ledger)
{
	int fd = openat(ledger->jobs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (!dir) {
		safe_close(fd);
		return -errno;
	}
	for (struct dirent *e; (e = readdir(dir));)
		ledger->n_records += is_id(e->d_name);
	closedir(dir);
	return 0;
}

int ledger_open(const char *state_dir, struct ledger **ret_ledger, struct tend_error *err)
{
	auto(ledger_free) struct ledger *ledger = calloc(1, sizeof(*ledger));
	int r;

	if (!ledger)
		return -ENOMEM;
	ledger->jobs_fd = ledger->output_fd = ledger->lock_fd = -EBADF;
	auto_close int state = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state < 0)
		return tend_error_set(err, -errno, "cannot open the state directory '%s': %s",
			state_dir, strerror(errno));
	ledger->lock_fd = lock_state(state);
	if (ledger->lock_fd < 0)
		return tend_error_set(err, ledger->lock_fd, "cannot lock '%s': %s", state_dir,
			ledger->lock_fd == -EBUSY ? "another tend-exec uses it"
						  : strerror(-ledger->lock_fd));
	ledger->jobs_fd = open_folder(state, "jobs");
	ledger->output_fd = open_folder(state, "output");
	ledger->output_path = str_printf("%s/output", state_dir);
	if (ledger->jobs_fd < 0 || ledger->output_fd < 0 || !ledger->output_path) {
		r = ledger->jobs_fd < 0	    ? ledger->jobs_fd
		    : ledger->output_fd < 0 ? ledger->output_fd
					    : -ENOMEM;
		return tend_error_set(err, r, "cannot use '%s/jobs' and '%s/output': %s", state_dir,
			state_dir,
			r == -EPERM ? "they must be ours alone (mode 0700)" : strerror(-r));
	}
	r = count_records(ledger);
	if (r == 0 && fsync(state) < 0)
		r = -errno;
	if (r < 0)
		return tend_error_set(err, r, "cannot read '%s/jobs': %s", state_dir, strerror(-r));
	*ret_ledger = TAKE(ledger);
	return 0;
}

int ledger_output_dir(const struct ledger *ledger)
{
	return ledger->output_fd;
}

const char *ledger_output_path(const struct ledger *ledger)
{
	return ledger->output_path;
}

size_t ledger_n_records(const struct ledger *ledger)
{
	return ledger->n_records;
}

/* A line, on the disk when this returns. What was written of it in vain is cut off again. */
static int write_line(int fd, json_t *event)
{
	auto_json json_t *owned = event;
	auto_free char *line = owned ? json_dumps(owned, JSON_COMPACT) : NULL;
	off_t start = lseek(fd, 0, SEEK_END);
	size_t len = line ? strlen(line) : 0;
	int r = 0;

	if (!line)
		return -ENOMEM;
	if (start < 0)
		return -errno;
	if ((size_t)start + len + 1 > LEDGER_MAX_RECORD_BYTES)
		return -EFBIG;
	line[len++] = '\n';
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, line + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = -errno;
			break;
		}
		done += (size_t)n;
	}
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r < 0)
		(void)!ftruncate(fd, start);
	return r;
}

int ledger_begin(struct ledger *ledger, const char *id, json_t *begun)
{
	int r;

	if (ledger->n_records >= LEDGER_MAX_RECORDS) {
		json_decref(begun);
		return -EDQUOT;
	}
	auto_close int fd = openat(ledger->jobs_fd, id,
		O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0) {
		r = -errno;
		json_decref(begun);
		return r;
	}
	ledger->n_records++;
	r = write_line(fd, begun);
	if (r == 0 && fsync(ledger->jobs_fd) < 0)
		r = -errno;
	if (r < 0) {
		/* Nothing was begun. If the file cannot go either, it stays as an empty record, and
		 * the id is used up. */
		if (unlinkat(ledger->jobs_fd, id, 0) == 0)
			ledger->n_records--;
	}
	return r;
}

static int read_record(struct ledger *ledger, const char *id, int fd, struct record *ret_record)
{
	struct stat st;
	size_t len = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > LEDGER_MAX_RECORD_BYTES)
		return -EBADMSG;
	auto_free char *data = malloc((size_t)st.st_size + 1);
	if (!data)
		return -ENOMEM;
	while (len < (size_t)st.st_size) {
		ssize_t n = pread(fd, data + len, (size_t)st.st_size - len, (off_t)len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	data[len] = '\0';
	return record_parse(id, data, len, ret_record);
}

int ledger_read(struct ledger *ledger, const char *id, struct record *ret_record)
{
	auto_close int fd =
		openat(ledger->jobs_fd, id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	return read_record(ledger, id, fd, ret_record);
}

/* A line that a crash cut off goes first, so that the new one does not stick to it. */
static int cut_torn_line(struct ledger *ledger, const char *id, int fd)
{
	struct record record;
	off_t size = lseek(fd, 0, SEEK_END);
	char last = '\n';
	int r;

	if (size < 0 || (size > 0 && pread(fd, &last, 1, size - 1) != 1))
		return -errno;
	if (last == '\n')
		return 0;
	r = read_record(ledger, id, fd, &record);
	if (r < 0)
		return r;
	r = ftruncate(fd, (off_t)record.good_len) < 0 ? -errno : 0;
	record_clear(&record);
	return r;
}

int ledger_append(struct ledger *ledger, const char *id, json_t *event)
{
	auto_close int fd =
		openat(ledger->jobs_fd, id, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int r = fd < 0 ? -errno : cut_torn_line(ledger, id, fd);

	if (r < 0) {
		json_decref(event);
		return r;
	}
	return write_line(fd, event);
}

int ledger_scan(struct ledger *ledger, ledger_fn fn, void *data)
{
	int fd = openat(ledger->jobs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (!dir) {
		safe_close(fd);
		return -errno;
	}
	for (struct dirent *e; (e = readdir(dir));) {
		struct record record = {0};
		int r;

		if (!is_id(e->d_name))
			continue;
		r = ledger_read(ledger, e->d_name, &record);
		if (r < 0)
			(void)snprintf(record.id, sizeof(record.id), "%.36s", e->d_name);
		fn(r, &record, data);
		record_clear(&record);
	}
	closedir(dir);
	return 0;
}

int ledger_remove(struct ledger *ledger, const char *id)
{
	if (unlinkat(ledger->jobs_fd, id, 0) < 0)
		return -errno;
	ledger->n_records--;
	return 0;
}
