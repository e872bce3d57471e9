/* SPDX-License-Identifier: MIT */
#include "exec/fence.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include "base/map.h"
#include "base/str.h"

#define NEW_FILE ".new" /* no name of a lock begins with a dot */

struct fences {
	int fd;
	struct map highest; /* uint64_t *, by lock */
};

bool fence_lock_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > FENCE_MAX_NAME_BYTES || strchr("-_.", name[0]))
		return false;
	for (const char *p = name; *p; p++)
		if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) &&
			!strchr("-_.", *p))
			return false;
	return true;
}

struct fences *fences_free(struct fences *fences)
{
	if (!fences)
		return NULL;
	MAP_FOREACH (&fences->highest, uint64_t *, token)
		free(token);
	map_clear(&fences->highest);
	safe_close(fences->fd);
	free(fences);
	return NULL;
}

static int remember(struct fences *fences, const char *lock, uint64_t token)
{
	uint64_t *known = map_get(&fences->highest, lock);
	int r;

	if (known) {
		*known = token;
		return 0;
	}
	known = malloc(sizeof(*known));
	if (!known)
		return -ENOMEM;
	*known = token;
	r = map_put(&fences->highest, lock, known);
	if (r < 0)
		free(known);
	return r;
}

/* Decimal digits and a newline: what write_token() writes, nothing else. */
static int read_token(int dir, const char *name, uint64_t *ret_token)
{
	char text[32], again[32];
	auto_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	uint64_t token;

	if (n < 0)
		return -errno;
	text[n] = '\0';
	token = strtoull(text, NULL, 10);
	(void)snprintf(again, sizeof(again), "%" PRIu64 "\n", token);
	if (strcmp(text, again) != 0 || token == 0 || token > INT64_MAX)
		return -EBADMSG;
	*ret_token = token;
	return 0;
}

static int read_all(struct fences *fences, const char **ret_name, char name[256])
{
	int fd = openat(fences->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	int r = 0;

	if (!dir) {
		safe_close(fd);
		return -errno;
	}
	for (struct dirent *e; r == 0 && (e = readdir(dir));) {
		uint64_t token = 0;

		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(name, 256, "%s", e->d_name);
		*ret_name = name;
		r = fence_lock_valid(name) ? read_token(fences->fd, name, &token) : -EBADMSG;
		if (r == 0)
			r = remember(fences, name, token);
	}
	closedir(dir);
	return r;
}

int fences_open(const char *state_dir, struct fences **ret_fences, struct tend_error *err)
{
	auto(fences_free) struct fences *fences = calloc(1, sizeof(*fences));
	char buf[256];
	const char *name = "";
	struct stat st;
	int r;

	if (!fences)
		return -ENOMEM;
	fences->fd = -EBADF;
	auto_close int state = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state < 0 || (mkdirat(state, "fences", 0700) < 0 && errno != EEXIST))
		return tend_error_set(err, -errno, "'%s/fences': %s", state_dir, strerror(errno));
	fences->fd = openat(state, "fences", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fences->fd < 0 || fstat(fences->fd, &st) < 0 || fsync(state) < 0)
		return tend_error_set(err, -errno, "'%s/fences': %s", state_dir, strerror(errno));
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return tend_error_set(
			err, -EPERM, "'%s/fences' must be ours alone (mode 0700)", state_dir);
	r = read_all(fences, &name, buf);
	if (r < 0)
		return tend_error_set(err, r, "'%s/fences/%s': %s", state_dir, name,
			r == -EBADMSG ? "is not a token" : strerror(-r));
	*ret_fences = TAKE(fences);
	return 0;
}

static int write_token(int dir, const char *lock, uint64_t token)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%" PRIu64 "\n", token), r = 0;
	auto_close int fd =
		openat(dir, NEW_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	ssize_t done = write(fd, text, (size_t)n);
	if (done != n)
		r = done < 0 ? -errno : -ENOSPC;
	else if (fsync(fd) < 0 || renameat(dir, NEW_FILE, dir, lock) < 0 || fsync(dir) < 0)
		r = -errno;
	return r;
}

uint64_t fence_highest(const struct fences *fences, const char *lock)
{
	const uint64_t *known = map_get(&fences->highest, lock);

	return known ? *known : 0;
}

int fence_admit(struct fences *fences, const struct fence *fence, uint64_t *ret_highest)
{
	uint64_t highest = fence_highest(fences, fence->lock);
	int r;

	if (ret_highest)
		*ret_highest = highest;
	if (fence->token < highest)
		return -ESTALE;
	if (fence->token == highest)
		return 0;
	if (highest == 0 && fences->highest.len >= FENCE_MAX_LOCKS)
		return -EDQUOT;
	r = write_token(fences->fd, fence->lock, fence->token);
	return r < 0 ? r : remember(fences, fence->lock, fence->token);
}
