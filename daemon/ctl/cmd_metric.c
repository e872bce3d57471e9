/* SPDX-License-Identifier: MIT */
/* tendctl metric: which metrics a check has, and what one was, drawn in characters. */
#include <math.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/str.h"
#include "ctl/commands.h"
#include "ctl/writer.h"

enum { DAY = 86400, LINE_CELLS = 30 };
#define ROWS ((size_t)24)

static const struct ctl_column columns[] = {
	{"METRIC", "metric", CTL_TEXT},
	{"INSTANCE", "instance", CTL_TEXT},
	{"LAST", "value", CTL_TEXT},
	{"UNIT", "unit", CTL_TEXT},
	{0},
};

static int metric_list(struct ctl *ctl, char *const *args, int n_args)
{
	auto_free char *check = client_escape(args[0], false);
	auto_free char *path = check ? str_printf("/v1/metrics?check=%s", check) : NULL;
	auto_json json_t *rows = NULL;
	int r = client_get(ctl, path, &rows);

	if (r != 0)
		return r;
	ctl->writer->list(ctl, rows, columns);
	return CTL_OK;
}

/* ---- show ----------------------------------------------------------------------------------- */

struct cell {
	double n, min, mean, max;
};

static void cell_add(struct cell *cell, const json_t *point)
{
	double n = json_number_value(json_array_get(point, 0)),
	       min = json_number_value(json_array_get(point, 1)),
	       mean = json_number_value(json_array_get(point, 2)),
	       max = json_number_value(json_array_get(point, 3));

	if (n <= 0)
		return;
	cell->min = cell->n > 0 ? fmin(cell->min, min) : min;
	cell->max = cell->n > 0 ? fmax(cell->max, max) : max;
	cell->mean += (mean - cell->mean) * n / (cell->n + n);
	cell->n += n;
}

/* All points, in so many cells of equal spans, which are empty before. */
static struct cell gather(const json_t *points, size_t n_cells, struct cell *cells)
{
	size_t n = json_array_size(points);
	struct cell all = {0};

	for (size_t i = 0; i < n; i++) {
		cell_add(&cells[i * n_cells / n], json_array_get(points, i));
		cell_add(&all, json_array_get(points, i));
	}
	return all;
}

/* Seconds, bytes and counts as people read them: three digits and a prefix. */
static void put_value(char *buf, size_t size, double v, const char *unit)
{
	static const char *const small[] = {"", "m", "u", "n"};
	static const char *const large[] = {"", "k", "M", "G", "T", "P"};
	bool bytes = strcmp(unit, "B") == 0, seconds = strcmp(unit, "s") == 0;
	double a = fabs(v), step = bytes ? 1024 : 1000;
	size_t k = 0;

	if (seconds && a > 0 && a < 1) {
		for (; a < 1 && k + 1 < ARRAY_SIZE(small); k++)
			a *= 1000;
		(void)snprintf(buf, size, "%s%.3g %ss", v < 0 ? "-" : "", a, small[k]);
		return;
	}
	for (; a >= step && !seconds && strcmp(unit, "%") != 0 && k + 1 < ARRAY_SIZE(large); k++)
		a /= step;
	(void)snprintf(buf, size, "%s%.*f%s%s%s%s", v < 0 ? "-" : "",
		a == floor(a) || a >= 100 ? 0
		: a >= 10		  ? 1
					  : 2,
		a, k || *unit ? " " : "", large[k], bytes && k ? "i" : "",
		strcmp(unit, "c") == 0 ? "" : unit);
}

/* One character a cell: eight heights, a dot where nothing was measured. */
static void put_line(struct ctl *ctl, const struct cell *cells, size_t n, double low, double high)
{
	static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	const size_t n_bars = ARRAY_SIZE(bars);

	for (size_t i = 0; i < n; i++) {
		double share = high > low ? (cells[i].mean - low) / (high - low) : 0;

		fputs(cells[i].n > 0
				? bars[MIN((size_t)(fmax(share, 0) * (double)n_bars), n_bars - 1)]
				: "·",
			ctl->out);
	}
}

static void put_row(struct ctl *ctl, const json_t *page, const json_t *points, size_t first,
	size_t n, const struct cell *all)
{
	const char *unit = ctl_string(page, "unit");
	time_t at = (time_t)(json_integer_value(json_object_get(page, "from")) +
			     (json_int_t)first * json_integer_value(json_object_get(page, "step")));
	auto_json json_t *part = json_array();
	struct cell cells[LINE_CELLS] = {0}, row;
	char when[32], texts[3][32];
	size_t n_cells;
	struct tm tm;

	for (size_t i = first; i < first + n && i < json_array_size(points); i++)
		(void)json_array_append(part, json_array_get(points, i));
	n_cells = MIN(n, ARRAY_SIZE(cells));
	row = gather(part, n_cells, cells);
	strftime(when, sizeof(when), "%m-%d %H:%M", localtime_r(&at, &tm));
	fprintf(ctl->out, "%-12s ", when);
	if (row.n > 0) {
		put_value(texts[0], sizeof(texts[0]), row.min, unit);
		put_value(texts[1], sizeof(texts[1]), row.mean, unit);
		put_value(texts[2], sizeof(texts[2]), row.max, unit);
		fprintf(ctl->out, "%10s %10s %10s  ", texts[0], texts[1], texts[2]);
	} else {
		fprintf(ctl->out, "%10s %10s %10s  ", "-", "-", "-");
	}
	put_line(ctl, cells, n_cells, all->min, all->max);
	fputc('\n', ctl->out);
}

static void metric_page(struct ctl *ctl, const json_t *page)
{
	const json_t *points = json_object_get(page, "points");
	const char *instance = ctl_string(page, "instance"), *unit = ctl_string(page, "unit");
	size_t n = json_array_size(points), rows = MIN(n, ROWS), per_row;
	struct cell one = {0}, all = gather(points, 1, &one);
	char texts[3][32];

	text_put(ctl, ctl_string(page, "check"));
	fputs("  ", ctl->out);
	text_put(ctl, ctl_string(page, "metric"));
	if (*instance) {
		fputs(" of ", ctl->out);
		text_put(ctl, instance);
	}
	if (all.n <= 0) {
		fputs(": nothing was measured in this span\n", ctl->out);
		return;
	}
	put_value(texts[0], sizeof(texts[0]), all.min, unit);
	put_value(texts[1], sizeof(texts[1]), all.mean, unit);
	put_value(texts[2], sizeof(texts[2]), all.max, unit);
	fprintf(ctl->out, "\nleast %s, mean %s, greatest %s, of %.0f samples\n\n", texts[0],
		texts[1], texts[2], all.n);
	fprintf(ctl->out, "%-12s %10s %10s %10s\n", "FROM", "LEAST", "MEAN", "GREATEST");
	per_row = (n + rows - 1) / rows;
	for (size_t i = 0; i < n; i += per_row)
		put_row(ctl, page, points, i, MIN(per_row, n - i), &all);
}

/* "free:/var": the metric and which of several. */
static char *points_path(const char *check, const char *text, int64_t span, usec_t now)
{
	const char *colon = strchr(text, ':');
	auto_free char *name = strndup(text, colon ? (size_t)(colon - text) : strlen(text));
	auto_free char *c = client_escape(check, false);
	auto_free char *m = name ? client_escape(name, false) : NULL;
	auto_free char *i = client_escape(colon ? colon + 1 : "", false);
	int64_t until = (int64_t)(now / USEC_PER_SEC) / 60 * 60 + 60;

	return c && m && i
		       ? str_printf("/v1/metrics/points?check=%s&metric=%s&instance=%s&since=%lld"
				    "&until=%lld",
				 c, m, i, (long long)MAX(until - span, 1), (long long)until)
		       : NULL;
}

static int metric_show(struct ctl *ctl, char *const *args, int n_args)
{
	const char *since = ctl->values[CTL_OPT_SINCE];
	auto_free char *path = NULL;
	auto_json json_t *page = NULL;
	int64_t span = DAY;
	int r;

	if (since && ctl_span_of(since, &span) < 0) {
		ctl_complain(ctl, "--since: '%s' is no span: 30m, 12h, 7d", since);
		return CTL_USAGE;
	}
	path = points_path(args[0], args[1], span, ctl->now);
	r = client_get(ctl, path, &page);
	if (r == 0)
		ctl->writer->page(ctl, page, metric_page);
	return r;
}

static const struct ctl_verb verbs[] = {
	{"show", "CHECK METRIC[:INSTANCE]", 2, 2, CTL_BIT(SINCE), metric_show,
		"what it was: least, mean, greatest, and a line (default: of the last day)"},
	{"list", "CHECK", 1, 1, 0, metric_list, "which metrics a check has, and their last values"},
	{0},
};
const struct ctl_command ctl_metric = {"metric", "What the metrics of a check were.", verbs};
