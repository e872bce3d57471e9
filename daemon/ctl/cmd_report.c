/* SPDX-License-Identifier: MIT */
#include "base/str.h"
#include "ctl/commands.h"
#include "ctl/writer.h"

enum { PAGE_ROWS = 5000 };

static const struct ctl_column columns[] = {
	{"COMPONENT", "component", CTL_TEXT},
	{"AVAILABLE", "percent", CTL_TEXT},
	{"FAILURES", "failures", CTL_TEXT},
	{"DOWN", "down_seconds", CTL_SPAN},
	{"MTBF", "mtbf_seconds", CTL_SPAN},
	{"MTTR", "mttr_seconds", CTL_SPAN},
	{"UNMONITORED", "unmonitored_seconds", CTL_SPAN},
	{0},
};

/* Never rounded up: 99.9996 % is not 100 %. */
static void add_percent(json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row) {
		const json_t *share = json_object_get(row, "availability");
		double thousandths = json_number_value(share) * 100000;
		char text[16] = "-";

		if (json_is_number(share))
			(void)snprintf(text, sizeof(text), "%.3f%%",
				(double)(int64_t)(thousandths + 1e-6) / 1000);
		(void)json_object_set_new(row, "percent", json_string(text));
	}
}

/* A page at a time: there is no bound on how many components there are, or were. */
static int get_all(struct ctl *ctl, const char *path, json_t *rows)
{
	auto_free char *after = NULL;
	size_t n;

	do {
		auto_free char *page_path =
			str_printf("%s%s%s", path, after ? "&after=" : "", after ? after : "");
		auto_json json_t *page = NULL;
		int r = client_get(ctl, page_path, &page);

		if (r != 0)
			return r;
		n = json_array_size(page);
		if (json_array_extend(rows, page) < 0)
			return CTL_FAILED;
		free(after);
		after = client_escape(
			ctl_string(json_array_get(page, n ? n - 1 : 0), "component"), false);
	} while (n >= PAGE_ROWS);
	return CTL_OK;
}

static int report_availability(struct ctl *ctl, char *const *args, int n_args)
{
	const char *span = ctl->values[CTL_OPT_SINCE];
	auto_free char *name = client_escape(n_args > 0 ? args[0] : "", false);
	auto_free char *path = NULL;
	auto_json json_t *rows = json_array();
	int64_t seconds = 30 * 86400, now = (int64_t)(ctl->now / USEC_PER_SEC);
	int r;

	if (span && ctl_span_of(span, &seconds) < 0) {
		ctl_complain(ctl, "--since: '%s' is no span: 12h, 30d", span);
		return CTL_USAGE;
	}
	path = name ? str_printf("/v1/reports/availability?since=%lld&limit=%d%s%s",
			      (long long)MAX(now - seconds, 1), PAGE_ROWS,
			      *name ? "&component=" : "", name)
		    : NULL;
	r = get_all(ctl, path, rows);
	if (r != 0)
		return r;
	add_percent(rows);
	ctl->writer->list(ctl, rows, columns);
	return CTL_OK;
}

static const struct ctl_verb verbs[] = {
	{"availability", "[COMPONENT]", 0, 1, CTL_BIT(SINCE), report_availability,
		"how long each component was there, and between failures (default: of 30 days)"},
	{0},
};
const struct ctl_command ctl_report = {"report", "What the past says of the systems.", verbs};
