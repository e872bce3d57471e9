/* SPDX-License-Identifier: MIT */
/* A probe's page: on a terminal, and in tend-probes(7). */
#include <string.h>
#include "base/cleanup.h"
#include "try/catalog.h"

enum { WIDTH = 78, INDENT = 6 };

static const char *get(const json_t *doc, const char *key)
{
	const char *text = json_string_value(json_object_get(doc, key));

	return text ? text : "";
}

static bool is(const json_t *doc, const char *key)
{
	return json_is_true(json_object_get(doc, key));
}

/* ---- a terminal ----------------------------------------------------------------------------- */

/* Words in lines of at most WIDTH bytes. */
static void wrap(FILE *out, const char *text, size_t indent)
{
	size_t column = 0;

	while (*text) {
		size_t n = strcspn(text, " \n");

		if (column && column + 1 + n > WIDTH) {
			(void)fputc('\n', out);
			column = 0;
		}
		if (n)
			column += (size_t)fprintf(
				out, "%*s%.*s", column ? 1 : (int)indent, "", (int)n, text);
		text += n;
		text += strspn(text, " \n");
	}
	(void)fputc('\n', out);
}

void page_list(FILE *out, const json_t *list)
{
	size_t i;
	json_t *probe;

	json_array_foreach (list, i, probe)
		(void)fprintf(out, "%-12s %s\n", get(probe, "name"), get(probe, "doc"));
}

/* "duration, 1ms to 1h, default 5s" */
static void option_terms(FILE *out, const json_t *option)
{
	const json_t *choices = json_object_get(option, "choices");
	const char *least = get(option, "least"), *greatest = get(option, "greatest");
	size_t i;
	json_t *choice;

	if (json_is_array(choices)) {
		json_array_foreach (choices, i, choice)
			(void)fprintf(out, "%s%s", i ? " | " : "", json_string_value(choice));
	} else {
		(void)fputs(get(option, "type"), out);
	}
	if (*least && *greatest)
		(void)fprintf(out, ", %s to %s", least, greatest);
	else if (*least)
		(void)fprintf(out, ", at least %s", least);
	if (*get(option, "unit"))
		(void)fprintf(out, ", in %s", get(option, "unit"));
	if (is(option, "required"))
		(void)fputs("; required", out);
	else if (*get(option, "default"))
		(void)fprintf(out, "; default %s", get(option, "default"));
}

static void page_options(FILE *out, const json_t *options)
{
	size_t i;
	json_t *option;

	if (json_array_size(options) > 0)
		(void)fputs("\nOptions\n", out);
	json_array_foreach (options, i, option) {
		(void)fprintf(
			out, "  %s%s = ", get(option, "name"), is(option, "map") ? ".NAME" : "");
		option_terms(out, option);
		(void)fputc('\n', out);
		wrap(out, get(option, "help"), INDENT);
	}
}

static void page_metrics(FILE *out, const json_t *metrics)
{
	size_t i;
	json_t *metric;

	if (json_array_size(metrics) > 0)
		(void)fputs("\nMetrics\n", out);
	json_array_foreach (metrics, i, metric) {
		(void)fprintf(out, "  %s%s%s%s%s\n", get(metric, "name"),
			*get(metric, "unit") ? " (" : "", get(metric, "unit"),
			*get(metric, "unit") ? ")" : "",
			is(metric, "instances") ? ", one for each instance"
			: is(metric, "always")	? ", always"
						: "");
		wrap(out, get(metric, "help"), INDENT);
	}
}

static void page_reasons(FILE *out, const json_t *reasons)
{
	size_t i;
	json_t *reason;

	(void)fputs("\nReasons\n", out);
	json_array_foreach (reasons, i, reason) {
		(void)fprintf(out, "  %s (%s)%s\n", get(reason, "name"), get(reason, "state"),
			is(reason, "common") ? ", of any probe" : "");
		wrap(out, get(reason, "when"), INDENT);
	}
}

static void page_example(FILE *out, const json_t *probe)
{
	const char *line = get(probe, "example");

	if (!*line)
		return;
	(void)fprintf(out, "\nExample\n  [check crm/web/%s]\n  probe = %s\n", get(probe, "name"),
		get(probe, "name"));
	while (*line) {
		size_t n = strcspn(line, "\n");

		(void)fprintf(out, "  %.*s\n", (int)n, line);
		line += n + (line[n] == '\n');
	}
}

void page_probe(FILE *out, const json_t *probe)
{
	(void)fprintf(out, "%s%s\n", get(probe, "name"),
		is(probe, "service") ? " (also a service of [database])" : "");
	wrap(out, get(probe, "doc"), 2);
	page_options(out, json_object_get(probe, "options"));
	page_metrics(out, json_object_get(probe, "metrics"));
	page_reasons(out, json_object_get(probe, "reasons"));
	page_example(out, probe);
}

/* ---- roff ----------------------------------------------------------------------------------- */

/* No escapes, no requests; `word' in bold. */
static void roff(FILE *out, const char *text, size_t len)
{
	bool bold = false;

	for (size_t i = 0; i < len; i++) {
		if ((text[i] == '.' || text[i] == '\'') && (i == 0 || text[i - 1] == '\n'))
			(void)fputs("\\&", out);
		if (text[i] == '\\')
			(void)fputs("\\e", out);
		else if (text[i] == '-')
			(void)fputs("\\-", out);
		else if (text[i] == '`' || (text[i] == '\'' && bold))
			(void)fputs((bold = !bold) ? "\\fB" : "\\fR", out);
		else
			(void)fputc(text[i], out);
	}
}

static void roff_text(FILE *out, const char *text)
{
	roff(out, text, strlen(text));
}

static void roff_options(FILE *out, const json_t *options)
{
	size_t i;
	json_t *option;

	json_array_foreach (options, i, option) {
		char *terms = NULL;
		size_t size;
		FILE *memory = open_memstream(&terms, &size);

		if (!memory)
			return;
		option_terms(memory, option);
		(void)fclose(memory);
		(void)fputs(".TP\n\\fB", out);
		roff_text(out, get(option, "name"));
		(void)fprintf(out, "\\fR%s = ", is(option, "map") ? ".\\fINAME\\fR" : "");
		roff_text(out, terms);
		(void)fputc('\n', out);
		roff_text(out, get(option, "help"));
		(void)fputc('\n', out);
		free(terms);
	}
}

static void roff_metrics(FILE *out, const json_t *metrics)
{
	size_t i;
	json_t *metric;

	if (json_array_size(metrics) > 0)
		(void)fputs(".PP\nMetrics:\n", out);
	json_array_foreach (metrics, i, metric) {
		(void)fputs(".TP\n\\fB", out);
		roff_text(out, get(metric, "name"));
		(void)fputs("\\fR", out);
		if (*get(metric, "unit")) {
			(void)fputs(" (", out);
			roff_text(out, get(metric, "unit"));
			(void)fputc(')', out);
		}
		(void)fprintf(out, "%s\n",
			is(metric, "instances") ? ", of each instance"
			: is(metric, "always")	? ", always"
						: "");
		roff_text(out, get(metric, "help"));
		(void)fputc('\n', out);
	}
}

static void roff_reasons(FILE *out, const json_t *reasons)
{
	bool first = true;
	size_t i;
	json_t *reason;

	json_array_foreach (reasons, i, reason) {
		if (is(reason, "common"))
			continue;
		if (first)
			(void)fputs(".PP\nReasons, beside those of any probe:\n", out);
		first = false;
		(void)fputs(".TP\n\\fB", out);
		roff_text(out, get(reason, "name"));
		(void)fprintf(out, "\\fR (%s)\n", get(reason, "state"));
		roff_text(out, get(reason, "when"));
		(void)fputc('\n', out);
	}
}

void page_roff(FILE *out, const json_t *probe)
{
	const char *example = get(probe, "example");

	(void)fprintf(out, ".SS %s\n", get(probe, "name"));
	roff_text(out, get(probe, "doc"));
	(void)fputc('\n', out);
	roff_options(out, json_object_get(probe, "options"));
	roff_metrics(out, json_object_get(probe, "metrics"));
	roff_reasons(out, json_object_get(probe, "reasons"));
	if (!*example)
		return;
	(void)fprintf(out, ".PP\n.RS 4\n.nf\n[check crm/web/%s]\nprobe = %s\n", get(probe, "name"),
		get(probe, "name"));
	roff_text(out, example);
	if (example[strlen(example) - 1] != '\n')
		(void)fputc('\n', out);
	(void)fputs(".fi\n.RE\n", out);
}
