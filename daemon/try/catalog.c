/* SPDX-License-Identifier: MIT */
#include "try/catalog.h"
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/str.h"
#include "conf/options.h"
#include "conf/plugins.h"

/* What the core makes of any attempt. */
static const struct tend_reason_doc common[] = {
	{TEND_REASON_OK, "all is as expected"},
	{TEND_REASON_THRESHOLD,
		"a metric is outside the range of warning.METRIC or critical.METRIC"},
	{TEND_REASON_OFF_BASELINE, "a metric is far from what is usual at this hour of the week"},
	{TEND_REASON_TOO_SLOW, "the timeout has come first"},
	{TEND_REASON_OVERRUN, "the attempt before had not ended when this one was due"},
	{TEND_REASON_CANCELLED, "Tend itself was held up: nothing is said of the target"},
	{TEND_REASON_INTERNAL, "the probe could not do its work: no memory, a bug"},
	{0},
};

/* ---- options -------------------------------------------------------------------------------- */

/* Numbers as they are written: "2s", "64K". */
static json_t *limit_json(const struct tend_option *row, double limit)
{
	char buf[CONF_VALUE_BYTES];

	switch (row->type) {
	case TEND_OPT_USEC:
		return json_string(conf_format_span((usec_t)limit, buf));
	case TEND_OPT_BYTES:
		return json_string(conf_format_bytes((uint64_t)limit, buf));
	default:
		return json_string(conf_format_double(limit, buf));
	}
}

static json_t *choices_json(const struct tend_option *row)
{
	json_t *list = json_array();

	for (size_t i = 0; row->names[i]; i++)
		(void)json_array_append_new(list, json_string(row->names[i]));
	return list;
}

static json_t *option_json(const struct tend_option *row)
{
	bool bounded = row->min != 0 || row->max != 0;

	return json_pack("{s:s, s:s, s:s?, s:o, s:o, s:s?, s:o, s:b, s:b, s:s}", "name", row->name,
		"type", conf_option_type_name(row->type), "default", row->def, "least",
		bounded ? limit_json(row, row->min) : json_null(), "greatest",
		bounded && row->max >= row->min ? limit_json(row, row->max) : json_null(), "unit",
		row->unit, "choices", row->type == TEND_OPT_ENUM ? choices_json(row) : json_null(),
		"required", (row->flags & TEND_OPTION_REQUIRED) != 0, "map",
		(int)conf_option_is_map(row), "help", row->help);
}

/* ---- metrics and reasons -------------------------------------------------------------------- */

static json_t *metrics_json(const struct tend_metric_doc *docs)
{
	json_t *list = json_array();

	for (const struct tend_metric_doc *m = docs; m && m->name; m++)
		(void)json_array_append_new(
			list, json_pack("{s:s, s:s, s:b, s:b, s:s}", "name", m->name, "unit",
				      m->unit, "instances", m->comes == TEND_COMES_IN_INSTANCES,
				      "always", m->comes == TEND_COMES_ALWAYS, "help", m->help));
	return list;
}

static bool lists(const struct tend_reason_doc *docs, enum tend_reason reason)
{
	for (; docs && docs->when; docs++)
		if (docs->reason == reason)
			return true;
	return false;
}

static void add_reason(json_t *list, const struct tend_reason_doc *doc, bool of_all)
{
	(void)json_array_append_new(
		list, json_pack("{s:s, s:s, s:b, s:s}", "name", tend_reason_name(doc->reason),
			      "state", tend_state_name(tend_reason_verdict(doc->reason)), "common",
			      (int)of_all, "when", doc->when));
}

/* Tables that plugins share may name a reason that the plugin has more to say of. */
static bool join_reason(json_t *list, const struct tend_reason_doc *doc)
{
	size_t i;
	json_t *row;

	json_array_foreach (list, i, row)
		if (strcmp(json_string_value(json_object_get(row, "name")),
			    tend_reason_name(doc->reason)) == 0) {
			auto_free char *when = str_printf("%s; %s",
				json_string_value(json_object_get(row, "when")), doc->when);

			(void)json_object_set_new(row, "when", json_string(when ? when : ""));
			return true;
		}
	return false;
}

static json_t *reasons_json(const struct tend_reason_doc *docs)
{
	json_t *list = json_array();

	for (const struct tend_reason_doc *d = docs; d && d->when; d++)
		if (!join_reason(list, d))
			add_reason(list, d, false);
	for (const struct tend_reason_doc *d = common; d->when; d++)
		if (!lists(docs, d->reason))
			add_reason(list, d, true);
	return list;
}

json_t *catalog_probe(const struct tend_probe *probe)
{
	json_t *options = json_array();

	for (const struct tend_option *row = probe->options; row->name; row++)
		(void)json_array_append_new(options, option_json(row));
	return json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:s?}", "name", probe->name, "doc",
		probe->doc ? probe->doc : "", "service", probe->call || probe->work_methods,
		"options", options, "metrics", metrics_json(probe->metric_docs), "reasons",
		reasons_json(probe->reason_docs), "example", probe->example);
}

/* ---- a folder of plugins -------------------------------------------------------------------- */

static int is_plugin(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && str_endswith(entry->d_name, ".so");
}

int catalog_read(const char *dir, FILE *complaints, json_t **ret_list)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, is_plugin, alphasort), result = 0;
	json_t *list;

	if (n < 0)
		return -errno;
	list = json_array();
	for (int i = 0; i < n; i++) {
		auto_free char *name = strndup(entries[i]->d_name, strlen(entries[i]->d_name) - 3);
		const struct tend_probe *probe;
		struct tend_error err;

		free(entries[i]);
		if (!name)
			continue;
		if (plugin_load(dir, name, &probe, &err) == 0) {
			(void)json_array_append_new(list, catalog_probe(probe));
			continue;
		}
		(void)fprintf(complaints, "%s\n", err.text);
		result = -EINVAL;
	}
	free(entries);
	*ret_list = list;
	return result;
}
