/* SPDX-License-Identifier: MIT */
#include "watch/unit_memory.h"
#include <stdlib.h>
#include <string.h>
#include "base/fs.h"
#include "base/str.h"

enum { UNIT_MAX_PROCESSES = 4096, MAX_PROC_BYTES = 64 << 10 };

static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

/* The number after `name` at the start of a line; 0 if there is none. */
static int64_t number_of(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) == 0)
			return strtoll(line + len, NULL, 10);
		if (!*line)
			break;
	}
	return 0;
}

static int64_t process_bytes(uint64_t pid)
{
	auto_free char *path = str_printf("/proc/%llu/status", (unsigned long long)pid);
	auto_free char *text = NULL;
	size_t len;

	if (!path || fs_read_file(path, MAX_PROC_BYTES, &text, &len) < 0)
		return 0;
	return (number_of(text, "RssAnon:") + number_of(text, "VmSwap:")) * 1024;
}

/* The folder of the process's cgroup below one of the mounts, "0::/system.slice/x.service". */
static char *cgroup_file(const char *mount, uint64_t pid, const char *file)
{
	auto_free char *path = str_printf("/proc/%llu/cgroup", (unsigned long long)pid);
	auto_free char *text = NULL;
	char *line, *end;
	size_t len;

	if (!path || fs_read_file(path, MAX_PROC_BYTES, &text, &len) < 0)
		return NULL;
	line = str_startswith(text, "0::") ? text : strstr(text, "\n0::");
	if (!line)
		return NULL;
	line = strchr(line, '/');
	end = line ? strchr(line, '\n') : NULL;
	if (end)
		*end = '\0';
	/* The root has everybody in it. */
	return line && line[1] ? str_printf("%s%s/%s", mount, line, file) : NULL;
}

/* As the kernel counts for the cgroup: what forked workers share is counted once. */
static int64_t counted_bytes(uint64_t pid)
{
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		auto_free char *stat = cgroup_file(mounts[i], pid, "memory.stat");
		auto_free char *swap = cgroup_file(mounts[i], pid, "memory.swap.current");
		auto_free char *text = NULL, *swapped = NULL;
		size_t len;

		if (!stat || fs_read_file(stat, MAX_PROC_BYTES, &text, &len) < 0)
			continue;
		if (swap && fs_read_file(swap, MAX_PROC_BYTES, &swapped, &len) < 0)
			swapped = NULL;
		return number_of(text, "anon ") + (swapped ? strtoll(swapped, NULL, 10) : 0);
	}
	return 0;
}

/* Where the kernel does not count memory for cgroups: each process by itself. */
static int64_t summed_bytes(uint64_t pid)
{
	int64_t sum = 0;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(mounts) && sum == 0; i++) {
		auto_free char *path = cgroup_file(mounts[i], pid, "cgroup.procs");
		auto_free char *text = NULL;
		char *rest, *line;
		size_t len;

		if (!path || fs_read_file(path, MAX_PROC_BYTES, &text, &len) < 0)
			continue;
		for (line = strtok_r(text, "\n", &rest); line && n < UNIT_MAX_PROCESSES;
			line = strtok_r(NULL, "\n", &rest), n++)
			sum += process_bytes(strtoull(line, NULL, 10));
	}
	return sum > 0 ? sum : process_bytes(pid);
}

json_t *unit_memory(const struct tend_unit_info *info)
{
	int64_t bytes;

	if (info->main_pid == 0)
		return json_null();
	bytes = counted_bytes(info->main_pid);
	if (bytes <= 0)
		bytes = summed_bytes(info->main_pid);
	return bytes > 0 ? json_integer(bytes) : json_null();
}
