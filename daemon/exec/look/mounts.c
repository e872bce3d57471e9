/* SPDX-License-Identifier: MIT */
#include "exec/look/mounts.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/str.h"
#include "exec/look/look.h"
#include "exec/look/proc.h"

enum { MOUNTINFO_BYTES = 4 << 20 };

/* Not of a disk, or read-only by nature: told only when asked for. */
static const char *const passed_over[] = {"autofs", "bdev", "binfmt_misc", "bpf", "cgroup",
	"cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs", "fuse.lxcfs", "fusectl",
	"hugetlbfs", "iso9660", "mqueue", "nsfs", "overlay", "proc", "pstore", "ramfs",
	"rpc_pipefs", "securityfs", "selinuxfs", "squashfs", "sysfs", "tmpfs", "tracefs"};

struct found {
	struct proc_mount mounts[MOUNTS_MAX];
	size_t n;
	const json_t *wanted;
};

static bool is_wanted(const json_t *wanted, const char *mount)
{
	const json_t *item;
	size_t i;

	json_array_foreach (wanted, i, item)
		if (strcmp(json_string_value(item), mount) == 0)
			return true;
	return false;
}

static bool is_passed_over(const struct proc_mount *m)
{
	if (strcmp(m->mount, "/") == 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(passed_over); i++)
		if (strcmp(passed_over[i], m->type) == 0)
			return true;
	return false;
}

/* The whole of a file system before a part of it, a short way before a long one. */
static bool is_better(const struct proc_mount *a, const struct proc_mount *b)
{
	bool a_whole = strcmp(a->root, "/") == 0, b_whole = strcmp(b->root, "/") == 0;

	return a_whole != b_whole ? a_whole : strlen(a->mount) < strlen(b->mount);
}

static struct proc_mount *find(struct found *f, const struct proc_mount *m, bool wanted)
{
	for (size_t i = 0; i < f->n; i++) {
		/* The later one hides the earlier. */
		if (strcmp(f->mounts[i].mount, m->mount) == 0)
			return &f->mounts[i];
		if (!wanted && strcmp(f->mounts[i].device, m->device) == 0 &&
			!is_wanted(f->wanted, f->mounts[i].mount))
			return &f->mounts[i];
	}
	return NULL;
}

static bool on_line(const char *line, void *data)
{
	struct found *f = data;
	struct proc_mount m;
	struct proc_mount *known;
	bool wanted;

	if (proc_mount_parse(line, &m) < 0)
		return true;
	wanted = is_wanted(f->wanted, m.mount);
	known = find(f, &m, wanted);
	if (known && strcmp(known->mount, m.mount) == 0)
		*known = m;
	else if (!wanted && is_passed_over(&m))
		return true;
	else if (known && is_better(&m, known))
		*known = m;
	else if (!known && f->n < MOUNTS_MAX)
		f->mounts[f->n++] = m;
	return true;
}

/* ---- the child ---- */

struct report {
	uint32_t index;
	int32_t r;
	uint64_t block_bytes, blocks, free, available, inodes, inodes_free;
};

__attribute__((noreturn)) static void ask_all(const struct found *f, size_t from, int fd)
{
	for (size_t i = from; i < f->n; i++) {
		struct statvfs v = {0};
		struct report report = {.index = (uint32_t)i};

		if (statvfs(f->mounts[i].mount, &v) < 0)
			report.r = -errno;
		report.block_bytes = v.f_frsize;
		report.blocks = v.f_blocks;
		report.free = v.f_bfree;
		report.available = v.f_bavail;
		report.inodes = v.f_files;
		report.inodes_free = v.f_ffree;
		if (write(fd, &report, sizeof(report)) != (ssize_t)sizeof(report))
			_exit(1);
	}
	_exit(0);
}

static int start_child(const struct found *f, size_t from, int *ret_fd, pid_t *ret_pid)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	*ret_pid = fork();
	if (*ret_pid == 0) {
		/* Standard output is the answer's alone, also when this process stays behind. */
		(void)close(STDOUT_FILENO);
		(void)close(STDERR_FILENO);
		ask_all(f, from, fds[1]);
	}
	(void)close(fds[1]);
	*ret_fd = fds[0];
	return *ret_pid < 0 ? -errno : 0;
}

static uint64_t start_of(pid_t pid)
{
	auto_free char *text = NULL;
	char path[40];
	struct proc_stat stat;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (fs_read_file(path, 4096, &text, NULL) < 0 || proc_stat_parse(text, &stat) < 0 ||
		stat.state == 'Z')
		return 0;
	return stat.start_ticks;
}

static bool is_stuck_still(const json_t *stuck, const char *mount)
{
	const json_t *one = json_object_get(stuck, mount);
	json_int_t pid = json_integer_value(json_object_get(one, "pid"));
	json_int_t start = json_integer_value(json_object_get(one, "start"));

	return pid > 1 && start > 0 && start_of((pid_t)pid) == (uint64_t)start;
}

/* ---- what is told ---- */

static json_t *describe(const struct proc_mount *m)
{
	json_t *doc = json_pack("{s:o, s:o, s:o, s:b}", "mount", look_string(m->mount), "type",
		look_string(m->type), "source", look_string(m->source), "read_only", m->read_only);

	return doc;
}

static void set_number(json_t *doc, const char *key, uint64_t number)
{
	(void)json_object_set_new(
		doc, key, json_integer((json_int_t)(number > INT64_MAX ? INT64_MAX : number)));
}

static void take_report(json_t *doc, const struct report *v)
{
	if (v->r < 0) {
		(void)json_object_set_new(doc, "error", json_string(strerror(-v->r)));
		return;
	}
	set_number(doc, "size", v->blocks * v->block_bytes);
	set_number(doc, "used", (v->blocks - MIN(v->free, v->blocks)) * v->block_bytes);
	set_number(doc, "available", v->available * v->block_bytes);
	set_number(doc, "inodes", v->inodes);
	set_number(doc, "inodes_free", v->inodes_free);
}

/* It may survive KILL: what is told of it lets the next look see that. */
static void tell_hung(json_t *doc, pid_t pid)
{
	uint64_t start;

	(void)kill(pid, SIGKILL);
	for (int i = 0; i < 20 && waitpid(pid, NULL, WNOHANG) == 0; i++)
		(void)poll(NULL, 0, 5);
	start = start_of(pid);
	(void)json_object_set_new(doc, "hung",
		json_pack("{s:I, s:I}", "pid", start ? (json_int_t)pid : 0, "start",
			(json_int_t)start));
}

/* Asks from `from` on until one hangs; returns where to go on. */
static size_t ask(const struct found *f, json_t *docs, size_t from, usec_t timeout)
{
	auto_close int fd = -EBADF;
	struct report report;
	pid_t pid = -1;
	size_t i = from;

	if (start_child(f, from, &fd, &pid) < 0)
		return f->n;
	for (; i < f->n; i++) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (poll(&p, 1, (int)(timeout / USEC_PER_MSEC)) <= 0) {
			tell_hung(json_array_get(docs, i), pid);
			return i + 1;
		}
		if (read(fd, &report, sizeof(report)) != (ssize_t)sizeof(report))
			break;
		take_report(json_array_get(docs, i), &report);
	}
	(void)waitpid(pid, NULL, 0);
	return i < f->n ? i + 1 : i;
}

static void add_missing(const struct found *f, const json_t *wanted, json_t *docs)
{
	const json_t *item;
	size_t i;

	json_array_foreach (wanted, i, item) {
		bool there = false;

		for (size_t k = 0; k < f->n; k++)
			there = there || strcmp(f->mounts[k].mount, json_string_value(item)) == 0;
		if (!there && json_array_size(docs) < 2 * MOUNTS_MAX)
			(void)json_array_append_new(
				docs, json_pack("{s:o, s:b}", "mount",
					      look_string(json_string_value(item)), "missing", 1));
	}
}

/* Those with a child in them are told, and left out. */
static void leave_out_stuck(struct found *f, const json_t *stuck, json_t *docs)
{
	for (size_t i = f->n; i-- > 0;) {
		json_t *doc;

		if (!is_stuck_still(stuck, f->mounts[i].mount))
			continue;
		doc = describe(&f->mounts[i]);
		(void)json_object_set(doc, "hung", json_object_get(stuck, f->mounts[i].mount));
		(void)json_array_append_new(docs, doc);
		f->mounts[i] = f->mounts[--f->n];
	}
}

json_t *mounts_look(const json_t *wanted, const json_t *stuck, usec_t timeout)
{
	auto_free struct found *f = calloc(1, sizeof(*f));
	auto_free char *text = NULL;
	auto_json json_t *left_out = json_array();
	json_t *docs = json_array();

	if (!f || fs_read_file("/proc/self/mountinfo", MOUNTINFO_BYTES, &text, NULL) < 0)
		return docs;
	f->wanted = wanted;
	proc_each_line(text, on_line, f);
	add_missing(f, wanted, left_out);
	leave_out_stuck(f, stuck, left_out);
	for (size_t i = 0; i < f->n; i++)
		(void)json_array_append_new(docs, describe(&f->mounts[i]));
	for (size_t at = 0; at < f->n;)
		at = ask(f, docs, at, timeout);
	(void)json_array_extend(docs, left_out);
	return docs;
}
