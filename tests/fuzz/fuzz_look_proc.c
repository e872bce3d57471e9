/* SPDX-License-Identifier: MIT */
/*
 * Bytes as lines of /proc, which hold names that others have given: of processes, mounts, devices.
 * Invariants: texts end within their bounds, ports and states within theirs.
 * Parser: daemon/exec/look/proc.c.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "exec/look/proc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENDS(text) assert(memchr((text), '\0', sizeof(text)))

static void check_socket(const char *line, bool v6)
{
	struct proc_socket s;

	if (proc_socket_parse(line, v6, &s) == 0)
		assert(s.port <= 65535 && s.remote_port <= 65535 && s.state <= 255 && s.v6 == v6);
}

static bool on_line(const char *line, void *data)
{
	size_t *n = data;
	struct proc_mount mount;
	struct proc_stat stat;
	struct proc_disk disk;
	struct proc_net net;

	assert(!strchr(line, '\n'));
	if (proc_mount_parse(line, &mount) == 0) {
		ENDS(mount.mount);
		ENDS(mount.type);
		ENDS(mount.source);
		ENDS(mount.root);
		ENDS(mount.device);
		assert(mount.type[0]);
	}
	if (proc_stat_parse(line, &stat) == 0)
		ENDS(stat.name);
	if (proc_disk_parse(line, &disk) == 0)
		ENDS(disk.name);
	if (proc_net_parse(line, &net) == 0)
		ENDS(net.name);
	check_socket(line, false);
	check_socket(line, true);
	return ++*n < 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct proc_cpu cpu;
	struct proc_pressure pressure;
	size_t n = 0;

	memcpy(text, data, size);
	text[size] = '\0';
	proc_each_line(text, on_line, &n);
	assert(n <= 1000);
	(void)proc_kib(text, "MemTotal:");
	if (proc_cpu_parse(text, &cpu) == 0)
		(void)cpu.total;
	if (proc_pressure_parse(text, &pressure) == 0)
		assert(pressure.some_known);
	free(text);
	return 0;
}
