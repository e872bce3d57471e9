/* SPDX-License-Identifier: MIT */
/* Who listens: /proc/net/tcp and tcp6 by inode, /proc/PID/fd where that can be read. */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include "base/fs.h"
#include "base/str.h"
#include "init/look.h"

enum { MAX_LISTENERS = 200, LISTEN_STATE = 0x0a, MAX_PROC_BYTES = 1 << 20 };

static void read_line(pid_t pid, const char *file, char *buf, size_t size)
{
	auto_free char *path = str_printf("/proc/%d/%s", (int)pid, file);
	auto_free char *text = NULL;

	*buf = '\0';
	if (path && fs_read_file(path, 65536, &text, NULL) == 0)
		(void)snprintf(buf, size, "%.*s", (int)strcspn(text, "\n"), text);
}

/* "0::/system.slice/nginx.service" -> nginx.service: the first part that is one. */
static void find_unit(pid_t pid, char unit[256])
{
	char line[1024];
	char *part, *rest = line;

	*unit = '\0';
	read_line(pid, "cgroup", line, sizeof(line));
	while ((part = strsep(&rest, "/")))
		if (str_endswith(part, ".service")) {
			(void)snprintf(unit, 256, "%.255s", part);
			return;
		}
}

/* Which socket of the list belongs to this process: adds who it is. */
static void mark_process(pid_t pid, json_t *by_inode)
{
	auto_free char *folder = str_printf("/proc/%d/fd", (int)pid);
	DIR *d = folder ? opendir(folder) : NULL;

	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));) {
		char target[64], unit[256], process[64];
		ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
		json_t *row;

		if (n <= 9)
			continue;
		target[n] = '\0';
		if (!str_startswith(target, "socket:[") || target[n - 1] != ']')
			continue;
		target[n - 1] = '\0';
		row = json_object_get(by_inode, target + 8);
		if (!row || json_object_get(row, "process"))
			continue;
		find_unit(pid, unit);
		read_line(pid, "comm", process, sizeof(process));
		(void)json_object_set_new(row, "process", json_string(process));
		(void)json_object_set_new(row, "unit", json_string(unit));
	}
	(void)closedir(d);
}

static void mark_owners(json_t *by_inode)
{
	DIR *d = opendir("/proc");

	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));)
		if (isdigit((unsigned char)e->d_name[0]))
			mark_process((pid_t)strtol(e->d_name, NULL, 10), by_inode);
	(void)closedir(d);
}

/* The kernel prints words of the machine's byte order. */
static const char *address_text(const char *hex, bool six, char buf[INET6_ADDRSTRLEN])
{
	uint32_t words[4] = {0};

	for (size_t i = 0; i < (six ? 4u : 1u); i++)
		if (sscanf(hex + i * 8, "%8" SCNx32, &words[i]) != 1)
			return "";
	return inet_ntop(six ? AF_INET6 : AF_INET, words, buf, INET6_ADDRSTRLEN) ? buf : "";
}

static void read_table(const char *path, bool six, json_t *by_inode)
{
	auto_free char *text = NULL;
	char *line, *rest;

	if (fs_read_file(path, MAX_PROC_BYTES, &text, NULL) < 0)
		return;
	rest = text;
	(void)strsep(&rest, "\n");
	while ((line = strsep(&rest, "\n")) && json_object_size(by_inode) < MAX_LISTENERS) {
		char local[64], inode[32], buf[INET6_ADDRSTRLEN];
		unsigned port, state;

		if (sscanf(line,
			    " %*d: %63[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*s %*s "
			    "%31[0-9]",
			    local, &port, &state, inode) != 4 ||
			state != LISTEN_STATE)
			continue;
		(void)json_object_set_new(by_inode, inode,
			json_pack("{s:i, s:s}", "port", (int)port, "address",
				address_text(local, six, buf)));
	}
}

void look_listeners(json_t *facts)
{
	auto_json json_t *by_inode = json_object();
	const char *inode;
	json_t *row;

	read_table("/proc/net/tcp", false, by_inode);
	read_table("/proc/net/tcp6", true, by_inode);
	mark_owners(by_inode);
	json_object_foreach (by_inode, inode, row) {
		if (!json_object_get(row, "process")) {
			(void)json_object_set_new(row, "process", json_string(""));
			(void)json_object_set_new(row, "unit", json_string(""));
		}
		(void)json_array_append(json_object_get(facts, "listeners"), row);
	}
}
