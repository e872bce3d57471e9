/* SPDX-License-Identifier: MIT */
#include "exec/spawn/cgroup.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include "base/fs.h"
#include "base/str.h"
#include "base/vec.h"

struct cgroups {
	int fd; /* of the folder that was handed over */
	uint64_t n_made;
	bool limits;	 /* tasks and memory can be bounded */
	struct vec left; /* char *: names of groups that were not quite empty yet */
};

struct cgroup {
	struct cgroups *cgroups;
	int fd, procs_fd;
	char name[32];
};

static int write_file(int dir, const char *name, const char *text)
{
	auto_close int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static void remove_group(int dir, const char *name)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		(void)write_file(fd, "cgroup.kill", "1");
	(void)unlinkat(dir, name, AT_REMOVEDIR);
}

/* What an earlier tend-spawn left. */
static void sweep(struct cgroups *cgroups)
{
	int fd = openat(cgroups->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		safe_close(fd);
		return;
	}
	for (struct dirent *e; (e = readdir(dir));)
		if (e->d_type == DT_DIR && str_startswith(e->d_name, "program-"))
			remove_group(cgroups->fd, e->d_name);
	closedir(dir);
}

/* "0::/system.slice/tend-spawn.service" */
static int open_own(int *ret_fd)
{
	auto_free char *text = NULL;
	auto_free char *path = NULL;
	char *line, *end;
	size_t n;
	int r = fs_read_file("/proc/self/cgroup", 65536, &text, &n);

	if (r < 0)
		return r;
	line = strstr(text, "0::/");
	if (!line || (line != text && line[-1] != '\n') || !(end = strchr(line, '\n')))
		return -ENOENT;
	*end = '\0';
	path = str_printf("/sys/fs/cgroup%s", line + 3);
	if (!path)
		return -ENOMEM;
	r = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r < 0)
		return -errno;
	*ret_fd = r;
	return 0;
}

int cgroups_new(struct cgroups **ret_cgroups)
{
	auto(cgroups_free) struct cgroups *cgroups = calloc(1, sizeof(*cgroups));
	int r;

	if (!cgroups)
		return -ENOMEM;
	cgroups->fd = -EBADF;
	r = open_own(&cgroups->fd);
	if (r < 0)
		return r;
	sweep(cgroups);
	/* A group with processes of its own cannot hand controllers on. */
	if (mkdirat(cgroups->fd, "main", 0755) < 0 && errno != EEXIST)
		return -errno;
	r = write_file(cgroups->fd, "main/cgroup.procs", "0");
	if (r < 0)
		return r;
	cgroups->limits = write_file(cgroups->fd, "cgroup.subtree_control", "+pids +memory") == 0;
	*ret_cgroups = TAKE(cgroups);
	return 0;
}

struct cgroups *cgroups_free(struct cgroups *cgroups)
{
	if (!cgroups)
		return NULL;
	safe_close(cgroups->fd);
	VEC_FOREACH (&cgroups->left, char *, name)
		free(name);
	vec_clear(&cgroups->left);
	free(cgroups);
	return NULL;
}

static void remove_left(struct cgroups *cgroups)
{
	for (size_t i = cgroups->left.len; i-- > 0;) {
		char *name = cgroups->left.items[i];

		if (unlinkat(cgroups->fd, name, AT_REMOVEDIR) < 0 && errno == EBUSY)
			continue;
		vec_remove(&cgroups->left, i);
		free(name);
	}
}

int cgroup_new(struct cgroups *cgroups, int64_t tasks_max, uint64_t memory_max_bytes,
	struct cgroup **ret_cgroup)
{
	struct cgroup *cgroup;
	char number[32];
	int r = 0;

	*ret_cgroup = NULL;
	if (!cgroups)
		return 0;
	remove_left(cgroups);
	cgroup = calloc(1, sizeof(*cgroup));
	if (!cgroup)
		return -ENOMEM;
	*cgroup = (struct cgroup){.cgroups = cgroups, .fd = -EBADF, .procs_fd = -EBADF};
	(void)snprintf(cgroup->name, sizeof(cgroup->name), "program-%" PRIu64, ++cgroups->n_made);
	if (mkdirat(cgroups->fd, cgroup->name, 0755) < 0)
		r = -errno;
	if (r == 0)
		cgroup->fd = openat(cgroups->fd, cgroup->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r == 0 && cgroup->fd >= 0)
		cgroup->procs_fd = openat(cgroup->fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (r == 0 && cgroup->procs_fd < 0)
		r = -errno;
	if (r == 0 && cgroups->limits) {
		(void)snprintf(number, sizeof(number), "%" PRId64, tasks_max);
		r = write_file(cgroup->fd, "pids.max", number);
		(void)snprintf(number, sizeof(number), "%" PRIu64, memory_max_bytes);
		if (r == 0)
			r = write_file(cgroup->fd, "memory.max", number);
		/* A program that is over its memory ends whole, not in part. */
		(void)write_file(cgroup->fd, "memory.oom.group", "1");
	}
	if (r < 0) {
		cgroup_free(cgroup);
		return r;
	}
	*ret_cgroup = cgroup;
	return 0;
}

int cgroup_procs_fd(const struct cgroup *cgroup)
{
	return cgroup ? cgroup->procs_fd : -EBADF;
}

void cgroup_kill(const struct cgroup *cgroup)
{
	if (cgroup && cgroup->fd >= 0)
		(void)write_file(cgroup->fd, "cgroup.kill", "1");
}

struct cgroup *cgroup_free(struct cgroup *cgroup)
{
	if (!cgroup)
		return NULL;
	cgroup_kill(cgroup);
	safe_close(cgroup->fd);
	safe_close(cgroup->procs_fd);
	if (unlinkat(cgroup->cgroups->fd, cgroup->name, AT_REMOVEDIR) < 0 && errno == EBUSY) {
		char *name = strdup(cgroup->name);

		if (!name || vec_push(&cgroup->cgroups->left, name) < 0)
			free(name);
	}
	free(cgroup);
	return NULL;
}
