/* SPDX-License-Identifier: MIT */
/*
 * exec/look/proc.h: texts of /proc, read. Pure: no I/O, no allocation. What a line does not have
 * is 0; -EINVAL: it is not such a line.
 */
#ifndef EXEC_LOOK_PROC_H
#define EXEC_LOOK_PROC_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Calls fn for each line, without its end; stops when it returns false. */
void proc_each_line(const char *text, bool (*fn)(const char *line, void *data), void *data);

/* "MemTotal:    123 kB" of such a text, in bytes; 0 if it is not there. */
uint64_t proc_kib(const char *text, const char *key);
/* "processes 123" or "Threads:\t3"; 0. */
uint64_t proc_number(const char *text, const char *key);

struct proc_cpu { /* clock ticks since boot */
	uint64_t total, idle, iowait, steal, user, system;
};
int proc_cpu_parse(const char *stat, struct proc_cpu *ret_cpu);

struct proc_pressure { /* avg in %, total in microseconds */
	bool some_known, full_known;
	double some_avg10, some_avg60, full_avg10, full_avg60;
	uint64_t some_total_usec, full_total_usec;
};
int proc_pressure_parse(const char *text, struct proc_pressure *ret_pressure);

enum { PROC_PATH_BYTES = 512 };
struct proc_mount {
	char device[24], root[PROC_PATH_BYTES], mount[PROC_PATH_BYTES], type[48],
		source[PROC_PATH_BYTES];
	bool read_only; /* the file system itself, not this mount of it */
};
/* A line of mountinfo. */
int proc_mount_parse(const char *line, struct proc_mount *ret_mount);

struct proc_stat { /* /proc/PID/stat */
	char name[64], state;
	uint64_t ticks, start_ticks, threads, rss_pages;
	pid_t parent;
};
int proc_stat_parse(const char *text, struct proc_stat *ret_stat);

struct proc_socket { /* a line of /proc/net/{tcp,tcp6,udp,udp6} */
	bool v6;
	union {
		struct in_addr v4;
		struct in6_addr v6;
	} local;
	unsigned port, remote_port, state, uid;
	uint64_t inode;
};
int proc_socket_parse(const char *line, bool v6, struct proc_socket *ret_socket);

struct proc_disk { /* a line of /proc/diskstats */
	char name[64];
	uint64_t reads, writes, read_sectors, write_sectors, busy_msec;
};
int proc_disk_parse(const char *line, struct proc_disk *ret_disk);

struct proc_net { /* a line of /proc/net/dev */
	char name[32];
	uint64_t rx_bytes, rx_errors, rx_drops, tx_bytes, tx_errors, tx_drops;
};
int proc_net_parse(const char *line, struct proc_net *ret_net);

#endif
