/* SPDX-License-Identifier: MIT */
/* `tendctl check report`: somebody else's result for a passive check, in the words of a Nagios
 * plugin (a state or its exit status, TEXT | performance data) or as METRIC=VALUE. */
#include <errno.h>
#include <string.h>
#include "../plugins/exec/output.h"
#include "base/str.h"
#include "ctl/ask.h"
#include "ctl/check.h"

enum { REPORT_INPUT_BYTES = 64 << 10, REPORT_METRICS = 16 };

static const char *state_of(const char *word)
{
	static const char *const states[] = {"ok", "warning", "critical", "unknown"};

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(word, states[i]) == 0)
			return states[i];
	/* $? of a plugin: what it is not told to be is unknown, as Nagios has it. */
	if (!*word || word[strspn(word, "0123456789")] || strlen(word) > 3)
		return NULL;
	return strlen(word) == 1 && *word <= '3' ? states[*word - '0'] : states[3];
}

/* "rows=42", "size=3.5MB": a figure, in the form of performance data. */
static bool is_figure(const char *word)
{
	size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && word[n] == '=' && word[n + 1] && strchr("0123456789-.U", word[n + 1]) &&
	       !strpbrk(word, " \t\n|");
}

static bool has_name(const json_t *metrics, const char *name)
{
	size_t i;
	json_t *metric;

	json_array_foreach (metrics, i, metric)
		if (strcmp(json_string_value(json_object_get(metric, "name")), name) == 0)
			return true;
	return false;
}

static void add_metrics(json_t *metrics, const struct output *output, size_t *n_left_out)
{
	*n_left_out += output->n_unread;
	for (size_t i = 0; i < output->n_metrics; i++) {
		const struct output_metric *m = &output->metrics[i];
		/* Units are words here: what is none is left out, not the figure. */
		bool is_unit = m->unit[strspn(m->unit, "abcdefghijklmnopqrstuvwxyz"
						       "ABCDEFGHIJKLMNOPQRSTUVWXYZ%/")] == '\0';

		if (has_name(metrics, m->name))
			continue;
		if (json_array_size(metrics) == REPORT_METRICS) {
			*n_left_out += 1;
			continue;
		}
		(void)json_array_append_new(
			metrics, json_pack("{s:s, s:f, s:s}", "name", m->name, "value", m->value,
					 "unit", is_unit ? m->unit : ""));
	}
}

/* A cut may have gone through a character. */
static json_t *text_json(struct output *output)
{
	size_t n = strlen(output->text);
	char clean[OUTPUT_TEXT_BYTES];

	for (size_t i = 0; i < (n + 1 == sizeof(output->text) ? 4 : 1); i++)
		if (str_utf8_valid(output->text, n - i))
			return json_stringn(output->text, n - i);
	str_sanitize(clean, sizeof(clean), output->text, n);
	return json_string(clean);
}

json_t *check_report_body(char *const *words, size_t n_words, const char *input, size_t input_len,
	size_t *ret_left_out, struct tend_error *err)
{
	const char *state = state_of(words[0]), *text = NULL;
	auto_str struct str figures = STR_INIT(REPORT_INPUT_BYTES);
	auto_json json_t *metrics = json_array();
	struct output said, given;
	size_t n_left_out = 0;

	if (!state) {
		(void)tend_error_set(err, -EINVAL,
			"'%.40s' is no state: ok, warning, critical, unknown, or the exit status "
			"of a Nagios plugin",
			words[0]);
		return NULL;
	}
	(void)str_append(&figures, "|", 1);
	for (size_t i = 1; i < n_words; i++) {
		if (is_figure(words[i])) {
			(void)str_appendf(&figures, " %s", words[i]);
		} else if (text) {
			(void)tend_error_set(err, -EINVAL,
				"'%.40s' is neither METRIC=VALUE nor the text, which is there: put "
				"it in quotes",
				words[i]);
			return NULL;
		} else {
			text = words[i];
		}
	}
	output_parse(str_get(&figures), figures.len, &given);
	if (input)
		output_parse(input, input_len, &said);
	else
		output_parse(text ? text : "", text ? strlen(text) : 0, &said);
	/* What is asked for by name goes before what comes along. */
	add_metrics(metrics, &given, &n_left_out);
	add_metrics(metrics, &said, &n_left_out);
	*ret_left_out = n_left_out;
	return json_pack(
		"{s:s, s:o, s:O}", "state", state, "text", text_json(&said), "metrics", metrics);
}

/* TEXT is "-": what a plugin wrote comes through a pipe. */
static char *read_input(size_t *ret_len)
{
	char *input = malloc(REPORT_INPUT_BYTES);

	if (input)
		*ret_len = fread(input, 1, REPORT_INPUT_BYTES, stdin);
	return input;
}

static void taken_page(struct ctl *ctl, const json_t *doc)
{
	(void)fputs("taken as ", ctl->out);
	text_state(ctl, ctl_string(doc, "accepted"));
	(void)fputs(": ", ctl->out);
	text_put(ctl, ctl_string(doc, "text"));
	(void)fputs("\n", ctl->out);
}

int check_report(struct ctl *ctl, char *const *args, int n_args)
{
	auto_free char *path = client_path("/v1/checks/", args[0], "/report");
	const char *ttl = ctl->values[CTL_OPT_TTL], *reason = ctl->values[CTL_OPT_REASON];
	auto_free char *input = NULL;
	struct tend_error err = {0};
	size_t input_len = 0, n_left_out = 0;
	json_t *body;

	for (int i = 2; i < n_args && !input; i++)
		if (strcmp(args[i], "-") == 0)
			input = read_input(&input_len);
	body = check_report_body(args + 1, (size_t)n_args - 1, input, input_len, &n_left_out, &err);
	if (!body) {
		ctl_complain(ctl, "%s", err.text[0] ? err.text : "no memory");
		return CTL_USAGE;
	}
	if (ttl)
		(void)json_object_set_new(body, "ttl", json_string(ttl));
	if (reason)
		(void)json_object_set_new(body, "reason", json_string(reason));
	if (n_left_out)
		ctl_complain(ctl,
			"%zu of the figures are left out: not in the form NAME=NUMBER[UNIT], or "
			"more than the %d of a report",
			n_left_out, (int)REPORT_METRICS);
	return ask_do(ctl, path, body, taken_page);
}
