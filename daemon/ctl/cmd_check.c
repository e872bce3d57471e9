/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>
#include "base/str.h"
#include "ctl/become.h"
#include "ctl/check.h"
#include "ctl/ask.h"
#include "ctl/commands.h"

static const struct ctl_column columns[] = {
	{"CHECK", "name", CTL_TEXT},
	{"STATE", "state", CTL_STATE},
	{"NOW", "now", CTL_STATE},
	{"SINCE", "since", CTL_AGO},
	{"RESULT", "last_result", CTL_AGO},
	{"REASON", "reason", CTL_TEXT},
	{"TEXT", "paused_text|text", CTL_TEXT},
	{0},
};

static const struct ctl_column fields[] = {
	{"Check", "name", CTL_TEXT},
	{"State", "state", CTL_STATE},
	{"Confirmed", "hard", CTL_STATE},
	{"Now", "now", CTL_STATE},
	{"Soft", "soft", CTL_YESNO},
	{"Since", "since", CTL_TIME},
	{"Unreachable", "unreachable_because", CTL_TEXT},
	{"Reason", "reason", CTL_TEXT},
	{"Text", "text", CTL_TEXT},
	{"Paused", "paused_text", CTL_TEXT},
	{"Last result", "last_result", CTL_TIME},
	{"Took (ms)", "duration_ms", CTL_TEXT},
	{"Next in", "next_in", CTL_TEXT},
	{"Probe", "probe", CTL_TEXT},
	{"Interval", "interval", CTL_TEXT},
	{"Timeout", "timeout", CTL_TEXT},
	{"Attempts", "attempts", CTL_TEXT},
	{"Failed", "failed", CTL_TEXT},
	{"Overruns", "overruns", CTL_TEXT},
	{"Unit", "unit", CTL_TEXT},
	{"Doc", "doc", CTL_TEXT},
	{0},
};

static const struct ctl_column metric_columns[] = {
	{"METRIC", "name", CTL_TEXT},
	{"VALUE", "value", CTL_TEXT},
	{"UNIT", "unit", CTL_TEXT},
	{"STATE", "state", CTL_STATE},
	{"WARNING", "warning", CTL_TEXT},
	{"CRITICAL", "critical", CTL_TEXT},
	{0},
};

static int check_list(struct ctl *ctl, char *const *args, int n_args)
{
	const struct ask_param params[] = {{"component", ctl->values[CTL_OPT_COMPONENT]}, {0}};

	return ask_list(ctl, "/v1/checks", params, columns);
}

static void check_page(struct ctl *ctl, const json_t *check)
{
	const json_t *metrics = ctl_lookup(check, "metrics");

	text_object(ctl, check, fields);
	if (json_array_size(metrics) == 0)
		return;
	text_title(ctl, "Metrics");
	text_list(ctl, metrics, metric_columns);
}

static int check_show(struct ctl *ctl, char *const *args, int n_args)
{
	return ask_show(ctl, "/v1/checks/", args[0], check_page);
}

/* A quoted label: quotes in it are doubled, '=' cannot be had ("Nagios plugin guidelines"). */
static void nagios_word(struct str *out, const char *name)
{
	for (; *name; name++) {
		if (*name == '\'')
			(void)str_append(out, "''", 2);
		else
			(void)str_append(out, *name == '=' ? "_" : name, 1);
	}
}

static void nagios_label(struct str *out, const char *name, const char *instance)
{
	(void)str_append(out, "'", 1);
	nagios_word(out, name);
	if (*instance)
		(void)str_append(out, " ", 1);
	nagios_word(out, instance);
	(void)str_append(out, "'", 1);
}

static bool nagios_unit(const char *unit)
{
	static const char *const units[] = {"s", "ms", "us", "%", "B", "KB", "MB", "GB", "TB", "c"};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(units[i], unit) == 0)
			return true;
	return false;
}

static void nagios_metric(struct str *out, const json_t *metric, bool first)
{
	double value = json_number_value(ctl_lookup(metric, "value"));
	const char *unit = ctl_string(metric, "unit");

	(void)str_append(out, first ? " | " : " ", first ? 3 : 1);
	nagios_label(out, ctl_string(metric, "name"), ctl_string(metric, "instance"));
	if (isfinite(value))
		(void)str_appendf(out, "=%.15g%s;", value, nagios_unit(unit) ? unit : "");
	else
		(void)str_appendf(out, "=U;");
	(void)str_appendf(
		out, "%s;%s", ctl_string(metric, "warning"), ctl_string(metric, "critical"));
	while (str_endswith(out->data, ";"))
		out->data[--out->len] = '\0';
}

char *check_nagios_line(const json_t *check, int *ret_code)
{
	static const char *const words[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
	auto_str struct str out = STR_INIT(64 << 10);
	auto_free char *text = ctl_format_value(NULL, ctl_lookup(check, "text"), CTL_TEXT);
	int code = ctl_exit_of_state(ctl_string(check, "now"));
	size_t i;
	json_t *metric;

	/* '|' begins the figures. */
	for (char *p = text; p && *p; p++)
		if (*p == '|')
			*p = '/';
	if (str_appendf(&out, "%s: %s", words[code], text ? text : "") < 0)
		return NULL;
	json_array_foreach (ctl_lookup(check, "metrics"), i, metric)
		nagios_metric(&out, metric, i == 0);
	*ret_code = code;
	return str_take(&out);
}

static void nagios_page(struct ctl *ctl, const json_t *check)
{
	int code;
	auto_free char *line = check_nagios_line(check, &code);

	(void)fprintf(ctl->out, "%s\n", line ? line : "UNKNOWN: no memory");
}

static int check_run(struct ctl *ctl, char *const *args, int n_args)
{
	auto_free char *path = client_path("/v1/checks/", args[0], "/run");
	auto_json json_t *check = NULL;
	int r = client_post(ctl, path, NULL, true, &check);

	if (r != 0) {
		/* To a monitoring system that runs us as a plugin, no answer is "unknown". */
		if (ctl->writer == ctl_writers)
			(void)fprintf(ctl->out, "UNKNOWN: tendctl could not have the check run\n");
		return r;
	}
	ctl->writer->page(ctl, check, nagios_page);
	return ctl_exit_of_state(ctl_string(check, "now"));
}

static int check_try(struct ctl *ctl, char *const *args, int n_args)
{
	struct ctl_call call = {0};

	ctl_call_add(&call, strdup("tend-try"));
	ctl_call_add(&call, strdup("check"));
	if (ctl->writer == ctl_writer_find("json"))
		ctl_call_option(&call, "json", "");
	ctl_call_option(&call, "nagios", ctl->values[CTL_OPT_NAGIOS]);
	ctl_call_option(&call, "verbose", ctl->values[CTL_OPT_VERBOSE]);
	ctl_call_add(&call, strdup("--"));
	for (int i = 0; i < n_args; i++)
		ctl_call_add(&call, strdup(args[i]));
	return ctl_become(ctl, &call);
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, CTL_BIT(COMPONENT), check_list,
		"the checks, confirmed and latest states"},
	{"show", "CHECK", 1, 1, 0, check_show, "one of them, with its metrics"},
	{"run", "CHECK", 1, 1, 0, check_run,
		"have it run now; prints and exits as a Nagios plugin does"},
	{"report", "CHECK STATE [TEXT|-] [METRIC=VALUE...]", 2, CTL_MAX_ARGS,
		CTL_BIT(TTL) | CTL_BIT(REASON), check_report,
		"give a passive check its result; TEXT as a Nagios plugin writes it"},
	{"try", "PROBE KEY=VALUE...", 1, CTL_MAX_ARGS, CTL_BIT(NAGIOS) | CTL_BIT(VERBOSE),
		check_try, "try one that is not configured (no daemon)"},
	{0},
};
const struct ctl_command ctl_check = {"check", "What is probed.", verbs};
