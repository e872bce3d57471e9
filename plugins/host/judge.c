/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "host.h"

struct scene {
	const struct host_conf *conf;
	const json_t *doc, *last; /* last: of the look before, this boot's; else NULL */
	const json_t *memory;
	double seconds;	    /* since then */
	json_t *stuck, *fs; /* for the next look */
	struct verdict *v;
};

/* What has grown since the look before; < 0: not known. */
static double grown(const struct scene *s, const char *group, const char *name, const char *key)
{
	const json_t *now = json_object_get(s->doc, group), *then = json_object_get(s->last, group);
	double a, b;

	if (name) {
		now = json_object_get(now, name);
		then = json_object_get(then, name);
	}
	a = doc_number(now, key, -1);
	b = doc_number(then, key, -1);
	return a >= 0 && b >= 0 && a >= b ? a - b : -1;
}

static void add_share(const struct scene *s, const char *name, double part, double whole)
{
	if (part >= 0 && whole > 0)
		verdict_metric(s->v, name, NULL, 100 * part / whole, "%");
}

static void judge_cpu(const struct scene *s)
{
	double total = grown(s, "cpu", NULL, "total"), idle = grown(s, "cpu", NULL, "idle"),
	       iowait = grown(s, "cpu", NULL, "iowait");
	const json_t *load = json_object_get(s->doc, "load");
	static const char *const names[] = {"load1", "load5", "load15"};

	if (idle >= 0 && iowait >= 0)
		add_share(s, "cpu_pct", total - idle - iowait, total);
	add_share(s, "cpu_user_pct", grown(s, "cpu", NULL, "user"), total);
	add_share(s, "cpu_system_pct", grown(s, "cpu", NULL, "system"), total);
	add_share(s, "iowait_pct", iowait, total);
	add_share(s, "steal_pct", grown(s, "cpu", NULL, "steal"), total);
	for (size_t i = 0; i < 3 && json_array_size(load) == 3; i++)
		verdict_metric(
			s->v, names[i], NULL, json_number_value(json_array_get(load, i)), "");
	if (json_array_size(load) == 3 && doc_number(s->doc, "cores", 0) > 0)
		verdict_metric(s->v, "load_per_core", NULL,
			json_number_value(json_array_get(load, 0)) / doc_number(s->doc, "cores", 1),
			"");
	verdict_metric(s->v, "tasks", NULL, doc_number(s->doc, "tasks", 0), "");
	verdict_metric(s->v, "blocked", NULL, doc_number(s->doc, "blocked", 0), "");
}

static void judge_memory(const struct scene *s)
{
	const json_t *m = json_object_get(s->doc, "memory");
	double total = doc_number(m, "total", 0), available = doc_number(m, "available", -1);
	double swap = doc_number(m, "swap_total", 0);
	double kills = doc_number(s->doc, "oom_kills", -1),
	       before = doc_number(s->last, "oom_kills", -1);

	if (total > 0 && available >= 0) {
		add_share(s, "memory_used_pct", total - available, total);
		verdict_metric(s->v, "memory_available", NULL, available, "B");
	}
	if (swap > 0)
		add_share(s, "swap_used_pct", swap - doc_number(m, "swap_free", 0), swap);
	if (kills >= 0 && before >= 0 && kills >= before)
		verdict_metric(s->v, "oom_kills", NULL, kills - before, "");
}

/* The share of the time since the look before; the kernel's mean of a minute at the first one. */
static void judge_pressure(const struct scene *s)
{
	static const struct {
		const char *name, *resource, *mean, *total;
	} rows[] = {
		{"pressure_cpu_pct", "cpu", "some", "some_total"},
		{"pressure_io_pct", "io", "some", "some_total"},
		{"pressure_memory_pct", "memory", "some", "some_total"},
		{"pressure_memory_full_pct", "memory", "full", "full_total"},
	};
	const json_t *pressure = json_object_get(s->doc, "pressure");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double waited = grown(s, "pressure", rows[i].resource, rows[i].total);
		double mean =
			doc_number(json_object_get(pressure, rows[i].resource), rows[i].mean, -1);

		if (waited >= 0 && s->seconds > 0)
			mean = waited / 1e4 / s->seconds;
		if (mean >= 0)
			verdict_metric(s->v, rows[i].name, NULL, mean > 100 ? 100 : mean, "%");
	}
}

static void add_rates(const struct scene *s, const char *group, const char *key, const char *name,
	double factor, const char *unit)
{
	const char *device;
	json_t *row;

	if (s->seconds <= 0)
		return;
	json_object_foreach (json_object_get(s->doc, group), device, row) {
		double n = grown(s, group, device, key);

		if (n >= 0)
			verdict_metric(s->v, name, device, n * factor / s->seconds, unit);
	}
}

static void judge_devices(const struct scene *s)
{
	const json_t *files = json_object_get(s->doc, "files");

	add_share(s, "files_used_pct", doc_number(files, "used", -1), doc_number(files, "max", 0));
	add_rates(s, "disks", "busy_msec", "disk_busy_pct", 0.1, "%");
	add_rates(s, "disks", "read_bytes", "disk_read", 1, "B");
	add_rates(s, "disks", "write_bytes", "disk_write", 1, "B");
	add_rates(s, "net", "rx", "net_rx", 1, "B");
	add_rates(s, "net", "tx", "net_tx", 1, "B");
	add_rates(s, "net", "errors", "net_errors", 1, "");
	add_rates(s, "net", "drops", "net_drops", 1, "");
}

/* ---- file systems ---- */

static void judge_forecast(struct scene *s, const char *mount, double used, double limit)
{
	double over = (double)s->conf->full_over / 1e6, left;
	const json_t *before = json_object_get(json_object_get(s->memory, "fs"), mount);
	json_t *past;
	char text[32];

	if (s->conf->full_within == 0)
		return;
	past = forecast_append(before, doc_number(s->doc, "wall_usec", 0) / 1e6, used, over);
	left = forecast_reaches(past, limit, over);
	(void)json_object_set_new(s->fs, mount, past);
	if (left < 0)
		return;
	verdict_metric(s->v, "fs_full_in", mount, left, "s");
	if (left < (double)s->conf->full_within / 1e6)
		verdict_fault(s->v, TEND_REASON_FORECAST, "%s will be full in %s", mount,
			span_text(left, text));
}

static void judge_space(struct scene *s, const char *mount, const json_t *m)
{
	double used = doc_number(m, "used", -1), available = doc_number(m, "available", 0);
	double inodes = doc_number(m, "inodes", 0), inodes_free = doc_number(m, "inodes_free", 0);

	/* As df has it: what only root may fill does not count. */
	if (used < 0 || used + available <= 0)
		return;
	verdict_metric(s->v, "fs_used_pct", mount, 100 * used / (used + available), "%");
	verdict_metric(s->v, "fs_available", mount, available, "B");
	if (inodes > 0)
		verdict_metric(
			s->v, "fs_inodes_pct", mount, 100 * (inodes - inodes_free) / inodes, "%");
	judge_forecast(s, mount, used, used + available);
}

static void judge_mount(struct scene *s, const json_t *m)
{
	const char *mount = doc_text(m, "mount");
	json_t *hung = json_object_get(m, "hung");

	if (!mount[0] || list_matches(s->conf->ignore, mount))
		return;
	if (doc_flag(m, "missing")) {
		verdict_fault(s->v, TEND_REASON_OBJECT_MISSING, "%s is not mounted", mount);
	} else if (hung) {
		verdict_fault(
			s->v, TEND_REASON_TOO_SLOW, "the file system %s does not answer", mount);
		if (doc_number(hung, "pid", 0) > 0)
			(void)json_object_set(s->stuck, mount, hung);
	} else if (doc_text(m, "error")[0]) {
		verdict_fault(s->v, TEND_REASON_NO_EVIDENCE, "the file system %s: %s", mount,
			doc_text(m, "error"));
	} else {
		if (doc_flag(m, "read_only") && list_matches(s->conf->writable, mount))
			verdict_fault(s->v, TEND_REASON_READ_ONLY,
				"the file system %s has become read-only", mount);
		judge_space(s, mount, m);
	}
}

static void judge_mounts(struct scene *s)
{
	const json_t *m;
	size_t i;

	json_array_foreach (json_object_get(s->doc, "mounts"), i, m)
		judge_mount(s, m);
}

static json_t *to_remember(const json_t *doc)
{
	static const char *const keys[] = {
		"at_usec", "boot_id", "cpu", "oom_kills", "pressure", "net", "disks"};
	json_t *kept = json_object();

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (json_object_get(doc, keys[i]))
			(void)json_object_set(kept, keys[i], json_object_get(doc, keys[i]));
	return kept;
}

static void summarise(const struct scene *s)
{
	const struct verdict_metric *cpu = verdict_find(s->v, "cpu_pct", ""),
				    *memory = verdict_find(s->v, "memory_used_pct", "");
	const struct verdict_metric *fullest = NULL;
	char first[40] = "", fs[100] = "";

	for (size_t i = 0; i < s->v->n_metrics; i++) {
		const struct verdict_metric *m = &s->v->metrics[i];

		if (strcmp(m->name, "fs_used_pct") == 0 && (!fullest || m->value > fullest->value))
			fullest = m;
	}
	if (cpu)
		(void)snprintf(first, sizeof(first), "cpu %.0f %%, ", cpu->value);
	if (fullest)
		(void)snprintf(
			fs, sizeof(fs), ", %s %.0f %% full", fullest->instance, fullest->value);
	verdict_well(s->v, "%smemory %.0f %% used%s", first, memory ? memory->value : 0, fs);
}

void host_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict)
{
	struct scene s = {
		.conf = conf,
		.doc = doc,
		.memory = memory,
		.last = json_object_get(memory, "last"),
		.stuck = json_object(),
		.fs = json_object(),
		.v = ret_verdict,
	};

	if (strcmp(doc_text(s.last, "boot_id"), doc_text(doc, "boot_id")) != 0)
		s.last = NULL;
	s.seconds =
		s.last ? (doc_number(doc, "at_usec", 0) - doc_number(s.last, "at_usec", 0)) / 1e6
		       : 0;
	judge_cpu(&s);
	judge_memory(&s);
	judge_pressure(&s);
	judge_mounts(&s);
	judge_devices(&s);
	summarise(&s);
	ret_verdict->memory = json_pack(
		"{s:o, s:o, s:o}", "last", to_remember(doc), "stuck", s.stuck, "fs", s.fs);
}
