/* SPDX-License-Identifier: MIT */
#include "base/fs.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/str.h"

static int read_all(int fd, size_t max, char **ret_data, size_t *ret_len)
{
	size_t cap = 4096, len = 0;
	auto_free char *data = malloc(cap + 1);

	if (!data)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, data + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
		if (len == cap) {
			char *p = realloc(data, cap * 2 + 1);
			if (!p)
				return -ENOMEM;
			data = p;
			cap *= 2;
		}
	}
	data[len] = '\0';
	*ret_data = TAKE(data);
	if (ret_len)
		*ret_len = len;
	return 0;
}

int fs_read_file(const char *path, size_t max, char **ret_data, size_t *ret_len)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	return read_all(fd, max, ret_data, ret_len);
}

int fs_fsync_parent(const char *path)
{
	char copy[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(copy))
		return -ENAMETOOLONG;
	memcpy(copy, path, len + 1);
	auto_close int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fsync(fd) < 0 ? -errno : 0;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int fs_write_file_atomic(const char *path, const void *data, size_t len, unsigned mode)
{
	auto_free char *temp = str_printf("%s.new", path);
	int r;

	if (!temp)
		return -ENOMEM;
	auto_close int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	r = write_all(fd, data, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && rename(temp, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(temp);
		return r;
	}
	return fs_fsync_parent(path);
}

static int secret_path(const char *reference, char **ret_path, struct tend_error *err)
{
	if (str_startswith(reference, "file:")) {
		if (reference[5] != '/')
			return tend_error_set(
				err, -EINVAL, "'%s' needs an absolute path", reference);
		*ret_path = strdup(reference + 5);
	} else if (str_startswith(reference, "cred:")) {
		const char *dir = getenv("CREDENTIALS_DIRECTORY");
		const char *name = reference + 5;

		if (!*name || strchr(name, '/') || *name == '.')
			return tend_error_set(
				err, -EINVAL, "'%s' is not a name of a credential", reference);
		if (!dir)
			return tend_error_set(err, -ENOENT,
				"'%s': no credentials were handed over, add LoadCredential=%s:PATH "
				"to the unit",
				reference, name);
		*ret_path = str_printf("%s/%s", dir, name);
	} else {
		return tend_error_set(err, -EINVAL,
			"a secret is written as cred:NAME or file:PATH, never in the open");
	}
	return *ret_path ? 0 : -ENOMEM;
}

int fs_read_secret(const char *reference, char **ret_secret, struct tend_error *err)
{
	auto_free char *path = NULL;
	char *data = NULL;
	size_t len = 0;
	struct stat st;
	int r = secret_path(reference, &path, err);

	if (r < 0)
		return r;
	assert(path);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return tend_error_set(
			err, -errno, "cannot read '%s': %s", reference, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return tend_error_set(err, -EINVAL, "'%s' is not a regular file", reference);
	if (str_startswith(reference, "file:") && (st.st_mode & 07))
		return tend_error_set(err, -EPERM,
			"'%s' can be read by others (mode %04o), chmod it to 0600 or 0640",
			reference, (unsigned)(st.st_mode & 07777));
	r = read_all(fd, 65536, &data, &len);
	if (r < 0)
		return tend_error_set(err, r, "cannot read '%s': %s", reference, strerror(-r));
	if (len > 0 && data[len - 1] == '\n')
		data[--len] = '\0';
	if (len == 0 || strlen(data) != len) {
		fs_free_secret(data);
		return tend_error_set(err, -EINVAL, "'%s' is empty or has a NUL byte", reference);
	}
	*ret_secret = data;
	return 0;
}

void fs_free_secret(char *secret)
{
	if (!secret)
		return;
	explicit_bzero(secret, strlen(secret));
	free(secret);
}
