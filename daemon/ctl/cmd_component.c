/* SPDX-License-Identifier: MIT */
#include "ctl/ask.h"
#include "ctl/commands.h"

static const struct ctl_column columns[] = {
	{"COMPONENT", "name", CTL_TEXT},
	{"STATE", "state", CTL_STATE},
	{"SINCE", "since", CTL_AGO},
	{"KIND", "kind", CTL_TEXT},
	{"CHECKS", "checks", CTL_COUNT},
	{"UNIT", "unit", CTL_TEXT},
	{"DEPENDS ON", "depends", CTL_JOIN},
	{0},
};

static const struct ctl_column fields[] = {
	{"Component", "name", CTL_TEXT},
	{"State", "state", CTL_STATE},
	{"Since", "since", CTL_TIME},
	{"Kind", "kind", CTL_TEXT},
	{"Unit", "unit", CTL_TEXT},
	{"Depends on", "depends", CTL_JOIN},
	{"Doc", "doc", CTL_TEXT},
	{0},
};

static const struct ctl_column check_columns[] = {
	{"CHECK", "name", CTL_TEXT},
	{"STATE", "state", CTL_STATE},
	{"SINCE", "since", CTL_AGO},
	{"REASON", "reason", CTL_TEXT},
	{"TEXT", "text", CTL_TEXT},
	{0},
};

static int component_list(struct ctl *ctl, char *const *args, int n_args)
{
	return ask_list(ctl, "/v1/components", NULL, columns);
}

static void component_page(struct ctl *ctl, const json_t *component)
{
	text_object(ctl, component, fields);
	text_title(ctl, "Checks");
	text_list(ctl, ctl_lookup(component, "checks"), check_columns);
}

static int component_show(struct ctl *ctl, char *const *args, int n_args)
{
	return ask_show(ctl, "/v1/components/", args[0], component_page);
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, 0, component_list, "the parts of the systems and their states"},
	{"show", "COMPONENT", 1, 1, 0, component_show, "one of them, with its checks"},
	{0},
};
const struct ctl_command ctl_component = {"component", "The parts of a system.", verbs};
