/* SPDX-License-Identifier: MIT */
/* The file probe: a file or folder of the component's machine, against what is declared. */
#include "file.h"
#include <errno.h>
#include <string.h>

static const char *const types[] = {"any", "file", "folder", "socket", NULL};

static const struct tend_option file_options[] = {
	TEND_OPT(STRING, struct file_conf, path, "path", NULL,
		"Absolute path of a file or folder; links are followed.",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(ENUM, struct file_conf, type, "type", "any", "What it must be.", .names = types),
	TEND_OPT(BOOL, struct file_conf, absent, "absent", "no",
		"It must not exist: an installer, a maintenance flag that was left on."),
	TEND_OPT(STRING, struct file_conf, owner, "owner", NULL, "The user it must belong to."),
	TEND_OPT(STRING, struct file_conf, group, "group", NULL, "The group it must be of."),
	TEND_OPT(STRING, struct file_conf, mode, "mode", NULL,
		"The mode it must have, in octal, as in 0640."),
	TEND_OPT(STRING, struct file_conf, mode_max, "mode_max", NULL,
		"The mode that allows the most it may, in octal: 0640 lets 0600 pass."),
	TEND_OPT(STRING, struct file_conf, checksum, "checksum", NULL,
		"SHA-256 of its content in hex; `remember': the first one that is seen."),
	TEND_OPT(USEC, struct file_conf, max_age, "max_age", "0",
		"It must have been written within this time; 0: at any time.", .max = 3.2e15,
		.unit = "s"),
	TEND_OPT(BOOL, struct file_conf, recurse, "recurse", "no",
		"Of a folder: count what lies in its folders, too."),
	TEND_OPT(STRING, struct file_conf, pattern, "pattern", NULL,
		"Of a folder: pattern of the names of the files that count, as in *.dump."),
	TEND_OPT(USEC, struct file_conf, max_age_inside, "max_age_inside", "0",
		"Of a folder: its newest file must have been written within this time; 0: any.",
		.max = 3.2e15, .unit = "s"),
	TEND_OPT(INT, struct file_conf, min_files, "min_files", "0",
		"Of a folder: so many files must be in it.", .min = 0, .max = 1e9),
	TEND_OPT(INT, struct file_conf, drop_pct, "drop_pct", "0",
		"Of a folder: told when it has so many percent less files than it ever had; 0: "
		"never.",
		.min = 0, .max = 100, .unit = "%"),
	TEND_OPTION_END,
};

static int check_octal(const char *name, const char *text, struct tend_error *err)
{
	if (text && (strlen(text) > 5 || !text[0] || text[strspn(text, "01234567")]))
		return tend_error_set(err, -EINVAL, "%s: '%s' is no mode in octal", name, text);
	return 0;
}

static int file_check(void *conf, struct tend_error *err)
{
	const struct file_conf *c = conf;
	int r = check_octal("mode", c->mode, err);

	if (r == 0)
		r = check_octal("mode_max", c->mode_max, err);
	if (r == 0 && c->path[0] != '/')
		r = tend_error_set(err, -EINVAL, "path: '%s' is no absolute path", c->path);
	if (r == 0 && c->checksum && strcmp(c->checksum, "remember") != 0 &&
		(strlen(c->checksum) != 64 ||
			c->checksum[strspn(c->checksum, "0123456789abcdefABCDEF")]))
		r = tend_error_set(
			err, -EINVAL, "checksum: 64 hexadecimal digits of SHA-256, or `remember'");
	return r;
}

static const struct machine_probe file_machine = {
	.kind = "file",
	.missing = TEND_REASON_FILE_MISSING,
	.judge = file_judge,
};

static int file_start(struct tend_attempt *a, const void *conf)
{
	const struct file_conf *c = conf;

	return machine_start(a, conf, &file_machine,
		json_pack("{s:s, s:b, s:b, s:s*}", "path", c->path, "checksum",
			file_wants_checksum(c), "recurse", c->recurse, "pattern", c->pattern));
}

static const struct tend_metric_doc file_metric_docs[] = {
	TEND_METRIC("age", "s", "since it was written"),
	TEND_METRIC("bytes", "B", "of all files in the folder"),
	TEND_METRIC("files", "", "in the folder"),
	TEND_METRIC("folders", "", "in the folder"),
	TEND_METRIC("newest_age", "s", "of the newest file in the folder"),
	TEND_METRIC("oldest_age", "s", "of the oldest file in the folder"),
	TEND_METRIC("size", "B", "of the file itself"),
	{0},
};

static const struct tend_reason_doc file_reason_docs[] = {
	{TEND_REASON_FILE_MISSING, "it does not exist; a folder has too few files"},
	{TEND_REASON_FILE_CHANGED, "type, owner, group, mode or content is not as declared"},
	{TEND_REASON_STALE, "it is older than it may be, or dated ahead"},
	{TEND_REASON_UNDECLARED, "`absent = yes', and it is there"},
	{TEND_REASON_ACCESS_DENIED, "the user tend-probe may not look there"},
	MACHINE_REASONS,
	{0},
};

static size_t file_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	return machine_metric_names(file_metric_docs, ret_names);
}

static const struct tend_probe file_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "file",
	.doc = "Looks at a file or folder: age, size, owner, mode, checksum, what lies in it.",
	.options = file_options,
	.conf_size = sizeof(struct file_conf),
	.check = file_check,
	.start = file_start,
	.metrics = file_metrics,
	.metric_docs = file_metric_docs,
	.reason_docs = file_reason_docs,
	.example = "path = /var/backups/crm\npattern = *.dump\nmax_age_inside = 26h\n",
};
TEND_PROBE(file, &file_probe);
