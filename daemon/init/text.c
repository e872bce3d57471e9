/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "base/str.h"
#include "init/plan.h"

enum { TEXT_MAX_BYTES = 1 << 20, WIDTH = 98 };

static void comment(struct str *out, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t n = strcspn(text, " \n");

		if (column && column + 1 + n > WIDTH) {
			(void)str_append(out, "\n", 1);
			column = 0;
		}
		if (n) {
			(void)str_appendf(out, "%s%.*s", column ? " " : "# ", (int)n, text);
			column += n + (column ? 1 : 2);
		}
		text += n;
		text += strspn(text, " \n");
	}
	(void)str_append(out, "\n", 1);
}

static void comments(struct str *out, const json_t *notes)
{
	size_t i;
	json_t *note;

	json_array_foreach (notes, i, note)
		comment(out, json_string_value(note));
}

/* With a third member: it would alert today. */
static void put_option(struct str *out, const json_t *option, const char *mark)
{
	(void)str_appendf(out, "%s%s = %s\n", json_array_size(option) > 2 ? "#" : mark,
		json_string_value(json_array_get(option, 0)),
		json_string_value(json_array_get(option, 1)));
}

static void put_check(
	struct str *out, const char *system, const char *component, const json_t *check)
{
	const char *off = plan_get(check, "off"), *mark = *off ? "#" : "";
	size_t i;
	json_t *option;

	(void)str_append(out, "\n", 1);
	comment(out, plan_get(check, "doc"));
	if (*off) {
		auto_free char *why = str_printf("Not switched on: %s.", off);

		if (why)
			comment(out, why);
	}
	(void)str_appendf(out, "%s[check %s/%s/%s]\n%sprobe = %s\n", mark, system, component,
		plan_get(check, "name"), mark, plan_get(check, "probe"));
	json_array_foreach (json_object_get(check, "options"), i, option)
		put_option(out, option, mark);
}

static void put_database(
	struct str *out, const char *system, const char *component, const json_t *rows)
{
	size_t i;
	json_t *option;

	if (!json_is_array(rows))
		return;
	(void)str_append(out, "\n", 1);
	comment(out, "For the checks that ask it by SQL. Not switched on: it needs the name of the "
		     "database, a role that only reads, and its password in a file.");
	(void)str_appendf(out, "#[database %s/%s]\n", system, component);
	json_array_foreach (rows, i, option)
		put_option(out, option, "#");
}

static void put_component(struct str *out, const char *system, const json_t *component)
{
	const char *name = plan_get(component, "name");
	json_t *depends = json_object_get(component, "depends"), *item;
	size_t i;

	(void)str_append(out, "\n", 1);
	comments(out, json_object_get(component, "notes"));
	(void)str_appendf(out, "[component %s/%s]\nkind = %s\ndoc = %s\n", system, name,
		plan_get(component, "kind"), plan_get(component, "doc"));
	if (*plan_get(component, "unit"))
		(void)str_appendf(out, "unit = %s\n", plan_get(component, "unit"));
	json_array_foreach (depends, i, item)
		(void)str_appendf(out, "%s%s", i ? ", " : "depends = ", json_string_value(item));
	if (json_array_size(depends) > 0)
		(void)str_append(out, "\n", 1);
	put_database(out, system, name, json_object_get(component, "database"));
	json_array_foreach (json_object_get(component, "checks"), i, item)
		put_check(out, system, name, item);
}

char *plan_text(const json_t *facts, const json_t *plan, const char *when)
{
	auto_str struct str out = STR_INIT(TEXT_MAX_BYTES);
	const char *system = plan_get(plan, "system");
	size_t i;
	json_t *component;

	(void)str_appendf(&out,
		"# What `tendctl init' found on %s, %s. Read it, change it; then\n"
		"# put it into /etc/tend/conf.d/ and see `tendd -t'. Nothing here is a secret.\n",
		plan_get(facts, "host"), when);
	if (json_array_size(json_object_get(facts, "unseen")) > 0) {
		(void)str_appendf(&out, "#\n# What could not be seen:\n");
		comments(&out, json_object_get(facts, "unseen"));
	}
	if (json_array_size(json_object_get(plan, "notes")) > 0)
		(void)str_appendf(&out, "#\n");
	comments(&out, json_object_get(plan, "notes"));
	(void)str_appendf(&out, "\n[system %s]\nenvironment = production\n", system);
	json_array_foreach (json_object_get(plan, "components"), i, component)
		put_component(&out, system, component);
	if (str_append(&out, "", 0) < 0)
		return NULL;
	return str_take(&out);
}
