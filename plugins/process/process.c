/* SPDX-License-Identifier: MIT */
/* The process probe: processes of the component's machine that fit, and what they hold. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "process.h"
#include <errno.h>
#include <pcre2.h>

static const struct tend_option process_options[] = {
	TEND_OPT(STRING, struct process_conf, name, "name", NULL,
		"Pattern of the process's name, as in php-fpm*."),
	TEND_OPT(STRING, struct process_conf, exe, "exe", NULL,
		"Pattern of the path of its program, as it was called."),
	TEND_OPT(STRING, struct process_conf, cmdline, "cmdline", NULL,
		"Expression (PCRE) that its command line contains."),
	TEND_OPT(STRING, struct process_conf, user, "user", NULL, "The user it runs as."),
	TEND_OPT(STRING, struct process_conf, unit, "unit", NULL,
		"Pattern of the systemd unit it belongs to."),
	TEND_OPT(INT, struct process_conf, min, "min", "1",
		"So many must run; stopped ones and zombies do not.", .min = 0, .max = 1e6),
	TEND_OPT(INT, struct process_conf, max, "max", "0",
		"At most so many may be there; 0: any number.", .min = 0, .max = 1e6),
	TEND_OPTION_END,
};

static int process_check(void *conf, struct tend_error *err)
{
	const struct process_conf *c = conf;
	PCRE2_SIZE offset = 0;
	int code = 0;

	if (!c->name && !c->exe && !c->cmdline && !c->user && !c->unit)
		return tend_error_set(
			err, -EINVAL, "no process is named: set name, exe, cmdline, user or unit");
	if (c->max > 0 && c->max < c->min)
		return tend_error_set(err, -EINVAL, "max is less than min");
	if (c->cmdline) {
		pcre2_code *compiled = pcre2_compile(
			(PCRE2_SPTR)c->cmdline, PCRE2_ZERO_TERMINATED, 0, &code, &offset, NULL);

		if (!compiled)
			return tend_error_set(err, -EINVAL,
				"cmdline: no expression from its character %zu on", offset + 1);
		pcre2_code_free(compiled);
	}
	return 0;
}

static const struct machine_probe process_machine = {
	.kind = "process",
	.missing = TEND_REASON_PROCESS_MISSING,
	.judge = process_judge,
};

static int process_start(struct tend_attempt *a, const void *conf)
{
	const struct process_conf *c = conf;

	return machine_start(a, conf, &process_machine,
		json_pack("{s:s*, s:s*, s:s*, s:s*, s:s*}", "name", c->name, "exe", c->exe,
			"cmdline", c->cmdline, "user", c->user, "unit", c->unit));
}

static const struct tend_metric_doc process_metric_docs[] = {
	TEND_METRIC("blocked", "", "those that wait for a disk"),
	TEND_METRIC_ALWAYS("count", "", "that fit; zombies left out"),
	TEND_METRIC("cpu_pct", "%", "of one core, since the attempt before, of all together"),
	TEND_METRIC("fds", "", "descriptors of all together, where the kernel tells"),
	TEND_METRIC("oldest", "s", "since the start of the oldest"),
	TEND_METRIC("rss", "B", "resident memory of all together"),
	TEND_METRIC("stopped", "", "stopped by a signal"),
	TEND_METRIC("threads", "", "of all together"),
	TEND_METRIC("youngest", "s", "since the start of the youngest"),
	TEND_METRIC("zombies", "", "ended, and not collected"),
	{0},
};

static const struct tend_reason_doc process_reason_docs[] = {
	{TEND_REASON_PROCESS_MISSING, "fewer than `min' run, stopped ones left out"},
	{TEND_REASON_THRESHOLD, "more than `max'"},
	{TEND_REASON_ACCESS_DENIED, "the user tend-probe may not look there"},
	MACHINE_REASONS,
	{0},
};

static size_t process_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	return machine_metric_names(process_metric_docs, ret_names);
}

static const struct tend_probe process_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "process",
	.doc = "Looks for processes: how many run, how old, what they hold.",
	.options = process_options,
	.conf_size = sizeof(struct process_conf),
	.check = process_check,
	.start = process_start,
	.metrics = process_metrics,
	.metric_docs = process_metric_docs,
	.reason_docs = process_reason_docs,
	.example = "name = php-fpm*\nmin = 2\nwarning.rss = 4000000000\n",
};
TEND_PROBE(process, &process_probe);
