/* SPDX-License-Identifier: MIT */
/*
 * The exec probe: a foreign program that keeps to the Nagios plugin interface. It runs in
 * tend-spawn, as another user, without a shell and without an environment; here its exit status
 * becomes a state, its first line the text, its performance data metrics.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tend/plugin.h>
#include "command.h"
#include "output.h"

struct exec_conf {
	char *command;
	char **argv;
};

static const struct tend_option exec_options[] = {
	TEND_OPT(STRING, struct exec_conf, command, "command", NULL,
		"The program's absolute path and its arguments: words, with quotes around those "
		"that have spaces, or one argument a line. No shell reads it.",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPTION_END,
};

static int exec_check(void *conf, struct tend_error *err)
{
	struct exec_conf *c = conf;

	return command_parse(c->command, &c->argv, err);
}

static void exec_clear(void *conf)
{
	struct exec_conf *c = conf;

	command_free(c->argv);
	c->argv = NULL;
}

static const char *program_name(const struct exec_conf *c)
{
	const char *slash = strrchr(c->argv[0], '/');

	return slash ? slash + 1 : c->argv[0];
}

/* The first line that says anything, for a text. */
static struct output_line {
	char text[200];
} first_line(const char *data, size_t len)
{
	struct output_line line = {.text = ""};
	size_t skip = strspn(data, " \t\r\n");

	if (skip < len)
		(void)snprintf(line.text, sizeof(line.text), ": %.*s",
			(int)strcspn(data + skip, "\r\n"), data + skip);
	return line;
}

static void finish_not_run(
	struct tend_attempt *a, const struct exec_conf *c, int r, const char *message)
{
	switch (r) {
	case -ECONNRESET:
		tend_attempt_finish(a, TEND_REASON_SPAWN_LOST, "%s: %s", program_name(c), message);
		break;
	case -EPERM:
	case -ENOENT:
	case -ENOEXEC:
		tend_attempt_finish(a, TEND_REASON_PROGRAM_FAILED, "%s was not run: %s",
			program_name(c), message);
		break;
	default:
		tend_attempt_finish(a, TEND_REASON_NO_EVIDENCE, "%s was not run: %s",
			program_name(c), message[0] ? message : strerror(-r));
		break;
	}
}

/* It did not end by itself. */
static void finish_cut_off(
	struct tend_attempt *a, const struct exec_conf *c, const struct tend_spawn_result *result)
{
	struct output_line said = first_line(result->out, result->out_len);
	const char *name;

	if (!said.text[0])
		said = first_line(result->err, result->err_len);
	if (result->timed_out) {
		tend_attempt_finish(a, TEND_REASON_TOO_SLOW, "%s had not ended after %.1f s%s",
			program_name(c), (double)result->elapsed_usec / 1e6, said.text);
		return;
	}
	name = sigabbrev_np(result->signo);
	tend_attempt_finish(a, TEND_REASON_PROGRAM_FAILED, "%s was killed by %s%s%s",
		program_name(c), name ? "SIG" : "a signal", name ? name : "", said.text);
}

static void finish_by_status(
	struct tend_attempt *a, const struct exec_conf *c, const struct tend_spawn_result *result)
{
	static const enum tend_reason reasons[] = {TEND_REASON_OK, TEND_REASON_PROGRAM_WARNING,
		TEND_REASON_PROGRAM_CRITICAL, TEND_REASON_PROGRAM_UNKNOWN};
	struct output_line complaint = first_line(result->err, result->err_len);
	struct output out;
	char unread[48] = "";

	output_parse(result->out, result->out_len, &out);
	if (result->exit_status >= (int)(sizeof(reasons) / sizeof(reasons[0]))) {
		if (!complaint.text[0])
			complaint = first_line(result->out, result->out_len);
		tend_attempt_finish(a, TEND_REASON_PROGRAM_FAILED,
			"%s ended with status %d, which says nothing of a state%s", program_name(c),
			result->exit_status, complaint.text);
		return;
	}
	for (size_t i = 0; i < out.n_metrics; i++)
		(void)tend_attempt_metric(
			a, out.metrics[i].name, out.metrics[i].value, out.metrics[i].unit);
	if (out.n_unread > 0)
		(void)snprintf(
			unread, sizeof(unread), " (%zu figures cannot be read)", out.n_unread);
	tend_attempt_finish(a, reasons[result->exit_status], "%.*s%s",
		(int)(OUTPUT_TEXT_BYTES - (unread[0] ? sizeof(unread) : 0)),
		out.text[0]	    ? out.text
		: complaint.text[0] ? complaint.text + 2
				    : "the program wrote nothing",
		unread);
}

static void on_end(
	struct tend_attempt *a, int r, const struct tend_spawn_result *result, void *data)
{
	const struct exec_conf *c = data;

	if (r < 0) {
		finish_not_run(a, c, r, result->message);
		return;
	}
	(void)tend_attempt_metric(a, "run_time", (double)result->elapsed_usec / 1e6, "s");
	if (result->timed_out || result->signo > 0)
		finish_cut_off(a, c, result);
	else
		finish_by_status(a, c, result);
}

static int exec_start(struct tend_attempt *a, const void *conf)
{
	const struct exec_conf *c = conf;

	return tend_spawn(a, (const char *const *)c->argv, on_end, (void *)(uintptr_t)c);
}

static const struct tend_metric_doc metric_docs[] = {
	TEND_METRIC("run_time", "s", "of the program"),
	TEND_METRIC("LABEL", "",
		"each figure of the program's performance data, by its label; times in seconds, "
		"sizes in bytes"),
	{0},
};

static const struct tend_reason_doc reason_docs[] = {
	{TEND_REASON_PROGRAM_WARNING, "it ends with 1"},
	{TEND_REASON_PROGRAM_CRITICAL, "it ends with 2"},
	{TEND_REASON_PROGRAM_UNKNOWN, "it ends with 3"},
	{TEND_REASON_PROGRAM_FAILED, "it ends otherwise, is killed, is missing or not allowed"},
	{TEND_REASON_TOO_SLOW, "it has not ended in time"},
	{TEND_REASON_SPAWN_LOST, "tend-spawn ended while it ran"},
	{TEND_REASON_NO_EVIDENCE, "tend-spawn cannot be asked, or too much else runs"},
	{0},
};

static const struct tend_probe exec_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "exec",
	.doc = "Runs a program that keeps to the Nagios plugin interface.",
	.options = exec_options,
	.conf_size = sizeof(struct exec_conf),
	.check = exec_check,
	.clear = exec_clear,
	.start = exec_start,
	.metric_docs = metric_docs,
	.reason_docs = reason_docs,
	.example = "command = /usr/lib/nagios/plugins/check_load -w 8,6,4 -c 16,12,8\n",
};
TEND_PROBE(exec, &exec_probe);
