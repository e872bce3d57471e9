/* SPDX-License-Identifier: MIT */
/*
 * alert/labels.c: the labels of a notice, and of a place: what Tend knows of it, label.NAME of the
 * nearest section, and what an event that was pushed came with. Fixed when the notice is made; they
 * stand in its document from then on. Pure.
 */
#include <string.h>
#include "alert/plan.h"
#include "base/fault.h"
#include "base/str.h"

/* ---- labels --------------------------------------------------------------------------------- */

static int set(json_t *labels, const char *name, const char *value)
{
	if (!value || !*value)
		return 0;
	return json_object_set_new(labels, name, json_string(value)) < 0 ? -ENOMEM : 0;
}

/* "NAME=VALUE", of which those already there are nearer. */
static int add_own(json_t *labels, char *const *own)
{
	int r = 0;

	for (; own && *own && r == 0; own++) {
		size_t n = strcspn(*own, "=");
		auto_free char *name = strndup(*own, n);

		if (!name)
			return -ENOMEM;
		if ((*own)[n] && !json_object_get(labels, name))
			r = set(labels, name, *own + n + 1);
	}
	return r;
}

/* Each may be NULL. */
static int add_configured(json_t *labels, const struct conf_check *check,
	const struct conf_component *component, const struct conf_system *system)
{
	int r = check ? add_own(labels, check->labels) : 0;

	if (r == 0 && component) {
		r = add_own(labels, component->labels);
		if (r == 0)
			r = set(labels, "kind", conf_component_kinds[component->kind]);
		if (r == 0 && component->host_name)
			r = set(labels, "host", component->host_name);
	}
	if (r == 0 && component && !system)
		system = component->system;
	if (r == 0 && system)
		r = add_own(labels, system->labels);
	return r;
}

static int add_configured_of(json_t *labels, const struct conf *conf, const struct notice *n)
{
	return add_configured(labels, n->check ? map_get(&conf->checks, n->check) : NULL,
		n->component ? map_get(&conf->components, n->component) : NULL,
		n->system ? map_get(&conf->systems, n->system) : NULL);
}

int labels_of_place(
	const struct conf_component *component, const struct conf_check *check, json_t **ret_labels)
{
	auto_json json_t *labels = json_object();
	int r = labels ? add_configured(labels, check, component, NULL) : -ENOMEM;

	if (r == 0)
		r = set(labels, "system", component->system->name);
	if (r == 0)
		r = set(labels, "environment",
			conf_environment_names[component->system->environment]);
	if (r == 0)
		r = set(labels, "component", component->name);
	if (r == 0 && check)
		r = set(labels, "check", check->name);
	if (r < 0)
		return r;
	*ret_labels = TAKE(labels);
	return 0;
}

static int add_reason(json_t *labels, const struct notice *n)
{
	int reason = n->reason ? tend_reason_from_name(n->reason) : -1;
	int r = set(labels, "reason", n->reason);

	if (r == 0 && reason >= 0)
		r = set(labels, "class",
			fault_class_names[fault_class_of((enum tend_reason)reason,
				json_string_value(json_object_get(labels, "kind")))]);
	return r;
}

/* What another system says is not what Tend says, or the configuration: the former makes way, as
 * in Prometheus. */
static int add_pushed(json_t *labels, const json_t *pushed)
{
	char name[MATCH_NAME_BYTES];
	const char *key;
	json_t *value;
	int r = 0;

	json_object_foreach ((json_t *)(uintptr_t)pushed, key, value) {
		bool taken = json_object_get(labels, key) ||
			     (conf_label_is_own(key) && strcmp(key, "alertname") != 0);
		int n = snprintf(name, sizeof(name), "%s%s", taken ? "exported_" : "", key);

		if (r == 0 && n < (int)sizeof(name) && !json_object_get(labels, name))
			r = set(labels, name, json_string_value(value));
	}
	return r;
}

int labels_of(
	const struct conf *conf, const struct notice *n, const char *host, json_t **ret_labels)
{
	auto_json json_t *labels = json_object();
	const struct {
		const char *name, *value;
	} texts[] = {
		{"host", host},
		{"system", n->system},
		{"environment", n->environment},
		{"component", n->component},
		{"check", n->check},
		{"state", n->state},
		{"severity", conf_severity_names[n->severity]},
		{"source", n->component || n->system ? NULL : "daemon"},
	};
	int r = labels && (!conf || add_configured_of(labels, conf, n) == 0) ? 0 : -ENOMEM;

	for (size_t i = 0; i < ARRAY_SIZE(texts) && r == 0; i++)
		if (i > 0 || !json_object_get(labels, "host"))
			r = set(labels, texts[i].name, texts[i].value);
	if (r == 0)
		r = add_reason(labels, n);
	if (r == 0)
		r = add_pushed(labels, n->pushed);
	if (r < 0)
		return r;
	*ret_labels = TAKE(labels);
	return 0;
}
