/* SPDX-License-Identifier: MIT */
#include "rehearse/report.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "base/clock.h"
#include "base/str.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* ---- one event
 * ---------------------------------------------------------------------------------------------------
 */

static void append_args(struct str *out, json_t *args)
{
	const char *key;
	json_t *value;

	json_object_foreach (args, key, value) {
		auto_free char *text = json_is_string(value)
					       ? strdup(json_string_value(value))
					       : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

		if (!text)
			continue;
		text[strcspn(text, "\n")] = '\0';
		(void)str_appendf(out, " %s=%.60s%s", key, text, strlen(text) > 60 ? "..." : "");
	}
}

static void append_names(struct str *out, const json_t *list)
{
	size_t i;
	json_t *name;

	json_array_foreach ((json_t *)(uintptr_t)list, i, name)
		(void)str_appendf(out, "%s%s", i ? ", " : " to ", json_string_value(name));
}

char *report_event(const json_t *event)
{
	struct str out = STR_INIT(65536);
	const char *kind = text_of(event, "kind"), *outcome = text_of(event, "outcome");

	if (strcmp(kind, "action") == 0) {
		(void)str_appendf(&out, "action %s", text_of(event, "verb"));
		append_args(&out, json_object_get(event, "args"));
		(void)str_appendf(&out, ": %s", *outcome ? outcome : "begun");
	} else if (strcmp(kind, "notice") == 0 || strcmp(kind, "page") == 0) {
		bool page = *kind == 'p';

		(void)str_appendf(&out, "%s %s %s: %s", kind,
			page ? text_of(event, "policy") : text_of(event, "notice"),
			page ? text_of(event, "component") : text_of(event, "check"),
			text_of(event, "text"));
		append_names(&out, json_object_get(event, "to"));
	} else if (strcmp(kind, "run") == 0) {
		(void)str_appendf(&out, "run %s %s on %s%s%s", text_of(event, "policy"),
			text_of(event, "state"), text_of(event, "on"),
			*text_of(event, "message") ? ": " : "", text_of(event, "message"));
	} else if (strcmp(kind, "state") == 0) {
		(void)str_appendf(
			&out, "state %s %s", text_of(event, "check"), text_of(event, "state"));
	} else if (strcmp(kind, "-") == 0) {
		(void)str_appendf(&out, "%s: %s", text_of(event, "what"), text_of(event, "text"));
	} else {
		(void)str_appendf(
			&out, "%s %s: %s", kind, text_of(event, "policy"), text_of(event, "text"));
	}
	return str_take(&out);
}

/* ---- for people
 * --------------------------------------------------------------------------------------------------
 */

enum paint { PLAIN, RED, GREEN, YELLOW, DIM };

static void paint(const struct results_page *report, enum paint which)
{
	static const char *const codes[] = {
		"\033[0m", "\033[31m", "\033[32m", "\033[33m", "\033[2m"};

	if (report->colour)
		(void)fputs(codes[which], report->out);
}

static void put_event(
	const struct results_page *report, const json_t *event, char mark, enum paint how)
{
	auto_free char *text = report_event(event);
	char span[CLOCK_TEXT_BYTES];
	json_int_t line = number_of(event, "expected");

	paint(report, how);
	(void)fprintf(report->out, "    %c %9s  %s", mark,
		clock_format_span((usec_t)number_of(event, "at"), span), text ? text : "?");
	if (line)
		(void)fprintf(report->out, "  (line %" JSON_INTEGER_FORMAT ")", line);
	paint(report, PLAIN);
	(void)fputc('\n', report->out);
}

static void put_failure(const struct results_page *report, const json_t *failure)
{
	paint(report, RED);
	(void)fprintf(report->out, "    - %9s  line %" JSON_INTEGER_FORMAT ": %s: %s", "",
		number_of(failure, "line"), text_of(failure, "expected"), text_of(failure, "text"));
	paint(report, PLAIN);
	(void)fputc('\n', report->out);
}

/* Those that stand before line `before` in the file, each once. */
static void put_failures_before(const struct results_page *report, const json_t *failures,
	json_int_t *from, json_int_t before)
{
	size_t i;
	json_t *failure;

	json_array_foreach ((json_t *)(uintptr_t)failures, i, failure) {
		json_int_t line = number_of(failure, "line");

		if (line > *from && line < before)
			put_failure(report, failure);
	}
	*from = before > *from ? before - 1 : *from;
}

static bool is_unexpected(const json_t *failures, const json_t *event)
{
	size_t i;
	json_t *failure;

	json_array_foreach ((json_t *)(uintptr_t)failures, i, failure)
		if (json_object_get(failure, "event") &&
			json_equal(json_object_get(failure, "event"), event))
			return true;
	return false;
}

/* What came, with what did not come where it was expected. */
static void put_difference(const struct results_page *report, const json_t *result)
{
	const json_t *failures = json_object_get(result, "failures");
	json_t *timeline = json_object_get(result, "timeline"), *event;
	json_int_t from = 0;
	size_t i;

	json_array_foreach (timeline, i, event) {
		const char *kind = text_of(event, "kind");
		json_int_t line = number_of(event, "expected");

		if ((strcmp(kind, "-") == 0 || strcmp(kind, "state") == 0) && !report->verbose)
			continue;
		if (line)
			put_failures_before(report, failures, &from, line);
		if (is_unexpected(failures, event))
			put_event(report, event, '+', RED);
		else
			put_event(report, event, line ? '=' : ' ', line ? GREEN : DIM);
	}
	put_failures_before(report, failures, &from, 1 << 30);
}

static void put_texts(const struct results_page *report, const json_t *result)
{
	size_t i;
	json_t *item;

	json_array_foreach (json_object_get(result, "errors"), i, item) {
		const char *file = text_of(item, "file");

		(void)fputs("    ! ", report->out);
		if (*file && number_of(item, "line") == 0)
			(void)fprintf(report->out, "%s: ", file);
		else if (*file)
			(void)fprintf(report->out, "%s:%" JSON_INTEGER_FORMAT ": ", file,
				number_of(item, "line"));
		(void)fprintf(report->out, "%s\n", text_of(item, "text"));
	}
	json_array_foreach (json_object_get(result, "faults"), i, item)
		(void)fprintf(report->out, "    ! %s\n", json_string_value(item));
}

void report_result(struct results_page *report, const json_t *result)
{
	bool passed = json_is_true(json_object_get(result, "passed"));
	char span[CLOCK_TEXT_BYTES];

	if (strcmp(report->last_file, text_of(result, "file")) != 0)
		(void)fprintf(report->out, "%s\n", text_of(result, "file"));
	(void)snprintf(report->last_file, sizeof(report->last_file), "%s", text_of(result, "file"));
	paint(report, passed ? GREEN : RED);
	(void)fprintf(report->out, "  %s", passed ? "ok  " : "FAIL");
	paint(report, PLAIN);
	(void)fprintf(report->out, "  %s  (%s in %.2f s)\n", text_of(result, "name"),
		clock_format_span((usec_t)number_of(result, "virtual_sec") * USEC_PER_SEC, span),
		(double)number_of(result, "real_msec") / 1000);
	if (!passed)
		put_texts(report, result);
	if (!passed || report->verbose)
		put_difference(report, result);
	(void)fflush(report->out);
}

void report_total(struct results_page *report, const json_t *results)
{
	size_t i, n_failed = 0;
	json_t *result;

	json_array_foreach ((json_t *)(uintptr_t)results, i, result)
		n_failed += !json_is_true(json_object_get(result, "passed"));
	(void)fprintf(report->out, "%zu scenario%s, %zu failed\n", json_array_size(results),
		json_array_size(results) == 1 ? "" : "s", n_failed);
}

/* ---- JUnit
 * -------------------------------------------------------------------------------------------------------
 */

static void put_xml(FILE *f, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '&')
			(void)fputs("&amp;", f);
		else if (c == '<')
			(void)fputs("&lt;", f);
		else if (c == '>')
			(void)fputs("&gt;", f);
		else if (c == '"')
			(void)fputs("&quot;", f);
		else if (c >= 0x20 || c == '\n' || c == '\t')
			(void)fputc(c, f);
		else
			(void)fputc('?', f);
	}
}

static void put_case(FILE *f, const json_t *result)
{
	struct results_page plain = {.verbose = false};
	char *text = NULL;
	size_t len;

	(void)fputs("    <testcase classname=\"", f);
	put_xml(f, text_of(result, "file"));
	(void)fputs("\" name=\"", f);
	put_xml(f, text_of(result, "name"));
	(void)fprintf(f, "\" time=\"%.3f\"", (double)number_of(result, "real_msec") / 1000);
	if (json_is_true(json_object_get(result, "passed"))) {
		(void)fputs("/>\n", f);
		return;
	}
	plain.out = open_memstream(&text, &len);
	if (plain.out) {
		put_texts(&plain, result);
		put_difference(&plain, result);
		(void)fclose(plain.out);
	}
	(void)fputs(">\n      <failure message=\"not as expected\">", f);
	put_xml(f, text ? text : "");
	(void)fputs("</failure>\n    </testcase>\n", f);
	free(text);
}

static void put_suite(FILE *f, const json_t *results, size_t from, size_t to)
{
	size_t n_failed = 0;
	double sec = 0;

	for (size_t i = from; i < to; i++) {
		const json_t *result = json_array_get(results, i);

		n_failed += !json_is_true(json_object_get(result, "passed"));
		sec += (double)number_of(result, "real_msec") / 1000;
	}
	(void)fputs("  <testsuite name=\"", f);
	put_xml(f, text_of(json_array_get(results, from), "file"));
	(void)fprintf(f, "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" time=\"%.3f\">\n",
		to - from, n_failed, sec);
	for (size_t i = from; i < to; i++)
		put_case(f, json_array_get(results, i));
	(void)fputs("  </testsuite>\n", f);
}

int report_junit(const char *path, const json_t *results)
{
	auto_file FILE *f = fopen(path, "we");
	size_t n = json_array_size(results), from = 0;

	if (!f)
		return -errno;
	(void)fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", f);
	for (size_t i = 1; i <= n; i++) {
		const char *file = text_of(json_array_get(results, from), "file");

		if (i < n && strcmp(text_of(json_array_get(results, i), "file"), file) == 0)
			continue;
		put_suite(f, results, from, i);
		from = i;
	}
	(void)fputs("</testsuites>\n", f);
	return fflush(f) == 0 ? 0 : -errno;
}
