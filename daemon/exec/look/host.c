/* SPDX-License-Identifier: MIT */
/* The machine as a whole: counters as the kernel gives them; rates are the asker's to reckon. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "exec/look/look.h"
#include "exec/look/mounts.h"
#include "exec/look/proc.h"

enum { MAX_DEVICES = 48, PROC_BYTES = 4 << 20 };

static char *read_proc(const char *path)
{
	char *text = NULL;

	return fs_read_file(path, PROC_BYTES, &text, NULL) < 0 ? NULL : text;
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)(n > INT64_MAX ? INT64_MAX : n));
}

static void add_stat(json_t *doc)
{
	auto_free char *text = read_proc("/proc/stat");
	struct proc_cpu cpu;

	if (!text || proc_cpu_parse(text, &cpu) < 0)
		return;
	(void)json_object_set_new(doc, "cpu",
		json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "total", number(cpu.total), "idle",
			number(cpu.idle), "iowait", number(cpu.iowait), "steal", number(cpu.steal),
			"user", number(cpu.user), "system", number(cpu.system)));
	(void)json_object_set_new(doc, "blocked", number(proc_number(text, "procs_blocked ")));
}

static void add_load(json_t *doc)
{
	auto_free char *text = read_proc("/proc/loadavg");
	double load[3];
	unsigned running, total;

	if (text && sscanf(text, "%lf %lf %lf %u/%u", &load[0], &load[1], &load[2], &running,
			    &total) == 5)
		(void)json_object_update_new(
			doc, json_pack("{s:[f, f, f], s:I}", "load", load[0], load[1], load[2],
				     "tasks", (json_int_t)total));
}

static void add_memory(json_t *doc)
{
	static const struct {
		const char *key, *name;
	} rows[] = {{"MemTotal:", "total"}, {"MemAvailable:", "available"}, {"MemFree:", "free"},
		{"SwapTotal:", "swap_total"}, {"SwapFree:", "swap_free"}, {"Dirty:", "dirty"},
		{"Committed_AS:", "committed"}, {"CommitLimit:", "commit_limit"}};
	auto_free char *text = read_proc("/proc/meminfo");
	json_t *memory = json_object();

	for (size_t i = 0; text && i < ARRAY_SIZE(rows); i++)
		(void)json_object_set_new(
			memory, rows[i].name, number(proc_kib(text, rows[i].key)));
	(void)json_object_set_new(doc, "memory", memory);
}

static void add_oom_kills(json_t *doc)
{
	auto_free char *text = read_proc("/proc/vmstat");

	if (text && strstr(text, "\noom_kill "))
		(void)json_object_set_new(doc, "oom_kills", number(proc_number(text, "oom_kill ")));
}

static void add_pressure(json_t *doc)
{
	static const char *const names[] = {"cpu", "io", "memory"};
	json_t *all = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[32];
		auto_free char *text = NULL;
		struct proc_pressure p;

		(void)snprintf(path, sizeof(path), "/proc/pressure/%s", names[i]);
		text = read_proc(path);
		if (text && proc_pressure_parse(text, &p) == 0)
			(void)json_object_set_new(all, names[i],
				json_pack("{s:f, s:o, s:f, s:o}", "some", p.some_avg60,
					"some_total", number(p.some_total_usec), "full",
					p.full_avg60, "full_total", number(p.full_total_usec)));
	}
	(void)json_object_set_new(doc, "pressure", all);
}

static void add_files(json_t *doc)
{
	auto_free char *text = read_proc("/proc/sys/fs/file-nr");
	unsigned long long used, unused, max;

	if (text && sscanf(text, "%llu %llu %llu", &used, &unused, &max) == 3)
		(void)json_object_set_new(doc, "files",
			json_pack("{s:o, s:o}", "used", number(used - MIN(unused, used)), "max",
				number(max)));
}

static bool on_net(const char *line, void *data)
{
	struct proc_net n;

	if (proc_net_parse(line, &n) == 0 && strcmp(n.name, "lo") != 0 &&
		json_object_size(data) < MAX_DEVICES)
		(void)json_object_set_new(data, n.name,
			json_pack("{s:o, s:o, s:o, s:o}", "rx", number(n.rx_bytes), "tx",
				number(n.tx_bytes), "errors", number(n.rx_errors + n.tx_errors),
				"drops", number(n.rx_drops + n.tx_drops)));
	return true;
}

static bool is_whole_disk(const char *name)
{
	char path[128];

	if (strncmp(name, "loop", 4) == 0 || strncmp(name, "ram", 3) == 0)
		return false;
	(void)snprintf(path, sizeof(path), "/sys/block/%s", name);
	return access(path, F_OK) == 0;
}

static bool on_disk(const char *line, void *data)
{
	struct proc_disk d;

	if (proc_disk_parse(line, &d) == 0 && is_whole_disk(d.name) &&
		json_object_size(data) < MAX_DEVICES)
		(void)json_object_set_new(data, d.name,
			json_pack("{s:o, s:o, s:o, s:o, s:o}", "reads", number(d.reads), "writes",
				number(d.writes), "read_bytes", number(d.read_sectors * 512),
				"write_bytes", number(d.write_sectors * 512), "busy_msec",
				number(d.busy_msec)));
	return true;
}

static void add_devices(
	json_t *doc, const char *path, const char *name, bool (*fn)(const char *line, void *data))
{
	auto_free char *text = read_proc(path);
	json_t *devices = json_object();

	if (text)
		proc_each_line(text, fn, devices);
	(void)json_object_set_new(doc, name, devices);
}

static void add_times(json_t *doc)
{
	auto_free char *boot = read_proc("/proc/sys/kernel/random/boot_id");
	struct timespec now = {0}, wall = {0};

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	(void)clock_gettime(CLOCK_REALTIME, &wall);
	(void)json_object_set_new(doc, "wall_usec",
		json_integer((json_int_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000));
	(void)json_object_set_new(doc, "at_usec",
		json_integer((json_int_t)now.tv_sec * 1000000 + now.tv_nsec / 1000));
	if (boot)
		(void)json_object_set_new(doc, "boot_id", json_stringn(boot, strcspn(boot, "\n")));
	(void)json_object_set_new(doc, "cores", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
}

static int look(const json_t *args, json_t **ret_doc, struct tend_error *err)
{
	int64_t timeout_msec = look_int(args, "mount_timeout_msec", 2000);
	json_t *doc;

	if (timeout_msec < 10 || timeout_msec > 600000)
		return tend_error_set(
			err, -EINVAL, "'mount_timeout_msec' is a number from 10 to 600000");
	doc = json_object();
	add_times(doc);
	add_stat(doc);
	add_load(doc);
	add_memory(doc);
	add_oom_kills(doc);
	add_pressure(doc);
	add_files(doc);
	add_devices(doc, "/proc/net/dev", "net", on_net);
	add_devices(doc, "/proc/diskstats", "disks", on_disk);
	(void)json_object_set_new(doc, "mounts",
		mounts_look(json_object_get(args, "mounts"), json_object_get(args, "stuck"),
			(usec_t)timeout_msec * USEC_PER_MSEC));
	*ret_doc = doc;
	return 0;
}

static const struct look_arg rows[] = {
	{"mounts", LOOK_TEXTS, false, "mount points that are told whatever their type"},
	{"mount_timeout_msec", LOOK_INT, false, "so long a file system may take to answer"},
	{"stuck", LOOK_OBJECT, false, "{MOUNT: hung}: what looks before have told"},
	{.name = NULL},
};

const struct look_kind look_host = {"host",
	"the machine: cpu, memory, pressure, load, file systems, disks, network", rows, look};
