/* SPDX-License-Identifier: MIT */
#include "base/str.h"
#include "ctl/ask.h"
#include "ctl/commands.h"

static const struct ctl_column columns[] = {
	{"SYSTEM", "name", CTL_TEXT},
	{"STATE", "state", CTL_STATE},
	{"ENVIRONMENT", "environment", CTL_TEXT},
	{"COMPONENTS", "components", CTL_COUNT},
	{"OWNER", "owner", CTL_TEXT},
	{"DOC", "doc", CTL_TEXT},
	{0},
};

static const struct ctl_column fields[] = {
	{"System", "name", CTL_TEXT},
	{"State", "state", CTL_STATE},
	{"Environment", "environment", CTL_TEXT},
	{"Owner", "owner", CTL_TEXT},
	{"Doc", "doc", CTL_TEXT},
	{0},
};

static const struct ctl_column component_columns[] = {
	{"COMPONENT", "name", CTL_TEXT},
	{"STATE", "state", CTL_STATE},
	{"SINCE", "since", CTL_AGO},
	{"KIND", "kind", CTL_TEXT},
	{"CHECKS", "checks", CTL_COUNT},
	{"UNIT", "unit", CTL_TEXT},
	{"DEPENDS ON", "depends", CTL_JOIN},
	{0},
};

static int system_list(struct ctl *ctl, char *const *args, int n_args)
{
	return ask_list(ctl, "/v1/systems", NULL, columns);
}

static void system_page(struct ctl *ctl, const json_t *system)
{
	text_object(ctl, system, fields);
	text_title(ctl, "Components");
	text_list(ctl, ctl_lookup(system, "components"), component_columns);
}

/* The names of the components become the components. */
static int add_components(struct ctl *ctl, json_t *system)
{
	auto_free char *prefix = str_printf("%s/", ctl_string(system, "name"));
	auto_json json_t *all = NULL, *own = json_array();
	json_t *component;
	size_t i;
	int r = client_get(ctl, "/v1/components", &all);

	if (r != 0)
		return r;
	json_array_foreach (all, i, component)
		if (prefix && str_startswith(ctl_string(component, "name"), prefix))
			(void)json_array_append(own, component);
	(void)json_object_set(system, "components", own);
	return CTL_OK;
}

static int system_show(struct ctl *ctl, char *const *args, int n_args)
{
	auto_json json_t *system = NULL;
	int r = client_get_named(ctl, "/v1/systems", "system", args[0], &system);

	if (r == 0)
		r = add_components(ctl, system);
	if (r != 0)
		return r;
	ctl->writer->page(ctl, system, system_page);
	return CTL_OK;
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, 0, system_list, "the systems and their states"},
	{"show", "SYSTEM", 1, 1, 0, system_show, "one of them, with its components"},
	{0},
};
const struct ctl_command ctl_system = {"system", "CRM installations.", verbs};
