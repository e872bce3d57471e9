/* SPDX-License-Identifier: MIT */
/*
 * The unit probe: what systemd says of a unit, and who ended it. The core keeps the unit in step by
 * signals and runs the check again at once when it changes; the interval only guards against
 * silence.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <tend/plugin.h>

struct unit_conf {
	char *unit;
};

static const struct tend_option unit_options[] = {
	TEND_OPT(STRING, struct unit_conf, unit, "unit", NULL,
		"Name of the systemd unit with its suffix, as in postgresql@15-main.service.",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPTION_END,
};

static int unit_check(void *conf, struct tend_error *err)
{
	static const char *const suffixes[] = {".service", ".socket", ".target", ".timer", ".mount",
		".automount", ".path", ".slice", ".scope", ".swap", ".device"};
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789:-_.\\@";
	const struct unit_conf *c = conf;
	size_t n = strlen(c->unit);
	const char *dot = strrchr(c->unit, '.');

	if (n > 255 || strspn(c->unit, allowed) != n)
		return tend_error_set(
			err, -EINVAL, "unit '%s' is no name of a systemd unit", c->unit);
	for (size_t i = 0; dot && dot != c->unit && i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (strcmp(dot, suffixes[i]) == 0)
			return 0;
	return tend_error_set(err, -EINVAL,
		"unit '%s' has no suffix of a systemd unit; did you mean '%s.service'?", c->unit,
		c->unit);
}

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* ", exit status 1", ", killed by SIGKILL", "" */
static const char *exit_text(const struct tend_unit_info *info, char *buf, size_t size)
{
	const char *name = NULL;
	char number[24];

	buf[0] = '\0';
	switch (info->exit_code) {
	case CLD_EXITED:
		(void)snprintf(buf, size, ", exit status %d", info->exit_status);
		break;
	case CLD_KILLED:
	case CLD_DUMPED:
		name = sigabbrev_np(info->exit_status);
		(void)snprintf(number, sizeof(number), "nal %d", info->exit_status);
		(void)snprintf(buf, size, ", %s by %s%s",
			info->exit_code == CLD_DUMPED ? "dumped core" : "killed",
			name ? "SIG" : "sig", name ? name : number);
		break;
	default:
		break;
	}
	return buf;
}

static void finish_down(struct tend_attempt *a, const struct tend_unit_info *info)
{
	char how[80];

	(void)exit_text(info, how, sizeof(how));
	if (is(info->intent, "stopped"))
		tend_attempt_finish(a, TEND_REASON_UNIT_STOPPED, "%s was stopped by a job (%s%s)",
			info->name, info->active_state, how);
	else if (is(info->active_state, "failed"))
		tend_attempt_finish(a, TEND_REASON_UNIT_FAILED, "%s has failed: %s%s", info->name,
			info->result, how);
	else if (is(info->intent, "unknown"))
		tend_attempt_finish(a, TEND_REASON_UNIT_INACTIVE,
			"%s is %s; how it ended is not known%s", info->name, info->active_state,
			how);
	else
		tend_attempt_finish(a, TEND_REASON_UNIT_INACTIVE, "%s is %s: it ended by itself%s",
			info->name, info->active_state, how);
}

static void judge(struct tend_attempt *a, const struct tend_unit_info *info)
{
	const char *active = info->active_state;

	if (is(active, "active") || is(active, "reloading"))
		tend_attempt_finish(a, TEND_REASON_OK, "%s is %s (%s)%s", info->name, active,
			info->sub_state, is(info->load_state, "masked") ? ", and masked" : "");
	else if (is(info->load_state, "not-found"))
		tend_attempt_finish(a, TEND_REASON_UNIT_MISSING, "there is no unit %s", info->name);
	else if (is(info->load_state, "masked"))
		tend_attempt_finish(
			a, TEND_REASON_UNIT_STOPPED, "%s is masked by an operator", info->name);
	else if (is(active, "activating") || is(active, "deactivating"))
		tend_attempt_finish(a, TEND_REASON_UNIT_CHANGING, "%s is %s (%s)%s%s", info->name,
			active, info->sub_state, info->job_type[0] ? ", job " : "", info->job_type);
	else if (!is(info->load_state, "loaded") && !is(info->load_state, "merged"))
		tend_attempt_finish(a, TEND_REASON_UNIT_FAILED, "%s cannot be loaded: %s",
			info->name, info->load_state);
	else
		finish_down(a, info);
}

static void on_unit(struct tend_attempt *a, int r, const struct tend_unit_info *info, void *data)
{
	const struct unit_conf *c = data;

	if (r < 0) {
		tend_attempt_finish(a, TEND_REASON_NO_EVIDENCE,
			"systemd cannot be asked about %s: %s", c->unit, strerror(-r));
		return;
	}
	(void)tend_attempt_metric(a, "restarts", (double)info->n_restarts, "c");
	judge(a, info);
}

static int unit_start(struct tend_attempt *a, const void *conf)
{
	const struct unit_conf *c = conf;

	return tend_unit_get(a, c->unit, on_unit, (void *)(uintptr_t)c);
}

static size_t unit_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	ret_names[0] = "restarts";
	return 1;
}

static const struct tend_metric_doc metric_docs[] = {
	TEND_METRIC("restarts", "c", "that systemd itself has made"),
	{0},
};

static const struct tend_reason_doc reason_docs[] = {
	{TEND_REASON_UNIT_FAILED,
		"it has failed; the text has systemd's result and how the process ended"},
	{TEND_REASON_UNIT_STOPPED, "an operator has stopped or masked it"},
	{TEND_REASON_UNIT_INACTIVE, "it does not run, and nobody stopped it"},
	{TEND_REASON_UNIT_MISSING, "there is no such unit"},
	{TEND_REASON_UNIT_CHANGING, "it is starting or stopping"},
	{TEND_REASON_NO_EVIDENCE, "systemd cannot be asked"},
	{0},
};

static const struct tend_probe unit_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "unit",
	.doc = "Asks systemd for the state of a unit, and who ended it.",
	.options = unit_options,
	.conf_size = sizeof(struct unit_conf),
	.check = unit_check,
	.start = unit_start,
	.metrics = unit_metrics,
	.metric_docs = metric_docs,
	.reason_docs = reason_docs,
	.example = "unit = postgresql@15-main.service\n",
};
TEND_PROBE(unit, &unit_probe);
