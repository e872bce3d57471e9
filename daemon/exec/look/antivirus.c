/* SPDX-License-Identifier: MIT */
/* ClamAV: whether clamd answers and finds what it must find, and how old its signatures are. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include "base/clock.h"
#include "base/str.h"
#include "exec/look/clamav.h"
#include "exec/look/look.h"

enum { MAX_FILES = 40, ANSWER_BYTES = 512 };

/* The file that every scanner knows as a test, as a whole only: this program is none to it. */
static const char test_file[] = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-"
				"ANTIVIRUS-TEST-FILE!$H+H*";

static int wait_for(int fd, short events, usec_t until)
{
	struct pollfd p = {.fd = fd, .events = events};
	usec_t now = clock_now();
	int r = poll(&p, 1, until > now ? (int)((until - now) / USEC_PER_MSEC) : 0);

	return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

static int connect_to(const char *path, usec_t until, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -EINVAL;
	memcpy(address.sun_path, path, strlen(path) + 1);
	/* Frozen with a full queue, a unix socket says EAGAIN for ever. */
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (errno != EAGAIN)
			return -errno;
		if (clock_now() >= until)
			return -ETIMEDOUT;
		(void)poll(NULL, 0, 20);
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* One command, one answer without its end; "": the connection was closed. */
static int ask(const char *path, const void *command, size_t len, usec_t until,
	char ret_answer[ANSWER_BYTES])
{
	auto_close int fd = -EBADF;
	size_t n = 0;
	int r = connect_to(path, until, &fd);

	if (r == 0)
		r = wait_for(fd, POLLOUT, until);
	if (r == 0 && send(fd, command, len, MSG_NOSIGNAL) != (ssize_t)len)
		r = -EIO;
	ret_answer[0] = '\0';
	while (r == 0 && n < ANSWER_BYTES - 1) {
		ssize_t got;

		r = wait_for(fd, POLLIN, until);
		got = r == 0 ? read(fd, ret_answer + n, ANSWER_BYTES - 1 - n) : 0;
		if (r < 0 || got <= 0)
			break;
		n += (size_t)got;
		ret_answer[n] = '\0';
		if (memchr(ret_answer, '\0', n) || memchr(ret_answer, '\n', n))
			break;
	}
	ret_answer[strcspn(ret_answer, "\n")] = '\0';
	return r;
}

static int ask_test(const char *path, usec_t until, char ret_answer[ANSWER_BYTES])
{
	unsigned char command[10 + 4 + sizeof(test_file) + 4] = "zINSTREAM";
	size_t n = sizeof(test_file) - 1;

	command[13] = (unsigned char)n; /* the length, big-endian */
	memcpy(command + 14, test_file, n);
	return ask(path, command, 14 + n + 4, until, ret_answer);
}

static json_t *look_at_daemon(const json_t *args)
{
	const char *path = look_text(args, "socket");
	char answer[ANSWER_BYTES];
	usec_t until = clock_now() + (usec_t)look_int(args, "wait_msec", 5000) * USEC_PER_MSEC;
	json_t *doc = json_object();
	int r;

	path = path ? path : "/run/clamav/clamd.ctl";
	r = ask(path, "zVERSION", 9, until, answer);
	if (r == 0)
		(void)json_object_set_new(doc, "version", look_string(answer));
	if (r == 0 && look_bool(args, "test")) {
		r = ask_test(path, until, answer);
		if (r == 0)
			(void)json_object_set_new(doc, "test", look_string(answer));
	}
	if (r < 0)
		(void)json_object_update_new(
			doc, json_pack("{s:s, s:s}", "error",
				     r == -ETIMEDOUT			  ? "timeout"
				     : r == -ENOENT || r == -ECONNREFUSED ? "refused"
				     : r == -EACCES			  ? "denied"
									  : "failed",
				     "message", strerror(-r)));
	return doc;
}

static bool is_signatures(const char *name)
{
	static const char *const ends[] = {".cvd", ".cld", ".hdb", ".hsb", ".ndb", ".ldb", ".cud"};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (str_endswith(name, ends[i]))
			return true;
	return false;
}

static json_t *look_at_file(int folder, const char *name)
{
	auto_close int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char head[CLAMAV_HEAD_BYTES + 1];
	struct clamav_head parsed = {0};
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	n = read(fd, head, CLAMAV_HEAD_BYTES);
	if (n < 0 || clamav_head_parse(head, (size_t)n, &parsed) < 0)
		parsed = (struct clamav_head){.built = st.st_mtime};
	return json_pack("{s:o, s:I, s:I, s:I}", "name", look_string(name), "built",
		(json_int_t)parsed.built, "version", (json_int_t)parsed.version, "signatures",
		(json_int_t)parsed.n_signatures);
}

static int look_at_signatures(const json_t *args, json_t *doc, struct tend_error *err)
{
	const char *path = look_text(args, "folder");
	json_t *files = json_array();
	const struct dirent *entry;
	DIR *dir;

	path = path ? path : "/var/lib/clamav";
	dir = opendir(path);
	(void)json_object_set_new(doc, "files", files);
	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return look_errno(err, -errno, path);
	while ((entry = readdir(dir))) {
		json_t *file = is_signatures(entry->d_name) && json_array_size(files) < MAX_FILES
				       ? look_at_file(dirfd(dir), entry->d_name)
				       : NULL;

		if (file)
			(void)json_array_append_new(files, file);
	}
	(void)closedir(dir);
	return 0;
}

static int look(const json_t *args, json_t **ret_doc, struct tend_error *err)
{
	auto_json json_t *doc = json_pack("{s:I}", "now", (json_int_t)time(NULL));
	int r = look_at_signatures(args, doc, err);

	if (r < 0)
		return r;
	(void)json_object_set_new(doc, "daemon", look_at_daemon(args));
	*ret_doc = TAKE(doc);
	return 0;
}

static const struct look_arg rows[] = {
	{"socket", LOOK_TEXT, false, "clamd's socket; /run/clamav/clamd.ctl"},
	{"folder", LOOK_TEXT, false, "its signatures; /var/lib/clamav"},
	{"test", LOOK_BOOL, false, "have it scan the test file of all scanners"},
	{"wait_msec", LOOK_INT, false, "so long it may take"},
	{.name = NULL},
};

const struct look_kind look_antivirus = {"antivirus",
	"ClamAV: the daemon, its signatures, whether it finds the test file", rows, look};
