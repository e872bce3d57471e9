/* SPDX-License-Identifier: MIT */
/*
 * The host probe: the machine of its component as a whole. tend-look reads the kernel's counters
 * there; rates come of what the last attempt remembered.
 */
#include "host.h"
#include <errno.h>

static const struct tend_option host_options[] = {
	TEND_OPT(LIST, struct host_conf, mounts, "mounts", NULL,
		"Mount points that must be there, whatever their type; others are found."),
	TEND_OPT(LIST, struct host_conf, ignore, "ignore", NULL,
		"Patterns of mount points that are left out, as in /var/lib/docker/*."),
	TEND_OPT(LIST, struct host_conf, writable, "writable", "/",
		"Patterns of mount points whose file system must not have become read-only."),
	TEND_OPT(USEC, struct host_conf, mount_timeout, "mount_timeout", "2s",
		"A file system that has not answered by then hangs.", .min = 1e4, .max = 6e8,
		.unit = "s"),
	TEND_OPT(USEC, struct host_conf, full_within, "full_within", "3d",
		"A file system that will be full by then is told; 0: none is.", .max = 3.2e13,
		.unit = "s"),
	TEND_OPT(USEC, struct host_conf, full_over, "full_over", "6h",
		"The time that the trend of a file system is taken from, and believed ahead.",
		.min = 6e7, .max = 3.2e13, .unit = "s"),
	TEND_OPTION_END,
};

static int host_check(void *conf, struct tend_error *err)
{
	const struct host_conf *c = conf;

	for (char **mount = c->mounts; mount && *mount; mount++)
		if ((*mount)[0] != '/')
			return tend_error_set(
				err, -EINVAL, "mounts: '%s' is no absolute path", *mount);
	return 0;
}

static const struct machine_probe host_machine = {
	.kind = "host",
	.missing = TEND_REASON_NO_EVIDENCE,
	.judge = host_judge,
};

static int host_start(struct tend_attempt *a, const void *conf)
{
	const struct host_conf *c = conf;
	const json_t *stuck = json_object_get(tend_attempt_memory(a), "stuck");
	json_t *args = json_pack("{s:o, s:I}", "mounts", doc_list(c->mounts), "mount_timeout_msec",
		(json_int_t)(c->mount_timeout / USEC_PER_MSEC));

	if (json_object_size(stuck) > 0)
		(void)json_object_set_new(args, "stuck", json_deep_copy(stuck));
	return machine_start(a, conf, &host_machine, args);
}

static const struct tend_metric_doc host_metric_docs[] = {
	TEND_METRIC("blocked", "", "processes that wait for a disk"),
	TEND_METRIC("cpu_pct", "%", "busy, since the attempt before, of all cores"),
	TEND_METRIC("cpu_system_pct", "%", "in the kernel, since the attempt before"),
	TEND_METRIC("cpu_user_pct", "%", "in programs, since the attempt before"),
	TEND_METRIC_OF("disk_busy_pct", "%", "time in which the disk had something to do"),
	TEND_METRIC_OF("disk_read", "B", "bytes read a second"),
	TEND_METRIC_OF("disk_write", "B", "bytes written a second"),
	TEND_METRIC("files_used_pct", "%", "descriptors of the whole machine"),
	TEND_METRIC_OF("fs_available", "B", "what others than root can still write"),
	TEND_METRIC_OF("fs_full_in", "s", "until it is full, while it fills"),
	TEND_METRIC_OF("fs_inodes_pct", "%", "inodes used"),
	TEND_METRIC_OF("fs_used_pct", "%", "full, as df has it"),
	TEND_METRIC("iowait_pct", "%", "idle and waiting for a disk"),
	TEND_METRIC_ALWAYS("load1", "", "load of a minute"),
	TEND_METRIC_ALWAYS("load15", "", "load of 15 minutes"),
	TEND_METRIC_ALWAYS("load5", "", "load of 5 minutes"),
	TEND_METRIC_ALWAYS("load_per_core", "", "load1 by the number of cores"),
	TEND_METRIC_ALWAYS("memory_available", "B", "without swapping"),
	TEND_METRIC_ALWAYS("memory_used_pct", "%", "not available"),
	TEND_METRIC_OF("net_drops", "", "packets dropped a second"),
	TEND_METRIC_OF("net_errors", "", "errors a second"),
	TEND_METRIC_OF("net_rx", "B", "bytes received a second"),
	TEND_METRIC_OF("net_tx", "B", "bytes sent a second"),
	TEND_METRIC(
		"oom_kills", "", "processes killed for want of memory since the attempt before"),
	TEND_METRIC("pressure_cpu_pct", "%", "time in which some task waited for a core"),
	TEND_METRIC("pressure_io_pct", "%", "time in which some task waited for I/O"),
	TEND_METRIC("pressure_memory_full_pct", "%", "time in which all tasks waited for memory"),
	TEND_METRIC("pressure_memory_pct", "%", "time in which some task waited for memory"),
	TEND_METRIC("steal_pct", "%", "taken by other virtual machines"),
	TEND_METRIC("swap_used_pct", "%", "swap in use"),
	TEND_METRIC("tasks", "", "processes and threads"),
	{0},
};

static const struct tend_reason_doc host_reason_docs[] = {
	{TEND_REASON_OBJECT_MISSING, "one of `mounts' is not mounted"},
	{TEND_REASON_TOO_SLOW, "a file system does not answer"},
	{TEND_REASON_READ_ONLY, "the kernel has made a file system of `writable' read-only"},
	{TEND_REASON_FORECAST, "a file system will be full within `full_within'"},
	{TEND_REASON_ACCESS_DENIED, "the user tend-probe may not look there"},
	MACHINE_REASONS,
	{0},
};

static size_t host_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	return machine_metric_names(host_metric_docs, ret_names);
}

static const struct tend_probe host_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "host",
	.doc = "Looks at a machine: cpu, memory, pressure, load, file systems, disks, network.",
	.options = host_options,
	.conf_size = sizeof(struct host_conf),
	.check = host_check,
	.start = host_start,
	.metrics = host_metrics,
	.metric_docs = host_metric_docs,
	.reason_docs = host_reason_docs,
	.example = "mounts = /, /srv\nwarning.fs_used_pct = 90\ncritical.memory_used_pct = 97\n",
};
TEND_PROBE(host, &host_probe);
