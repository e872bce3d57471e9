/* SPDX-License-Identifier: MIT */
/*
 * alert/labels.c: the labels of a notice: what Tend knows of it, and label.NAME of the nearest
 * section. Fixed when the notice is made; they stand in its document from then on. Pure.
 */
#include <string.h>
#include "alert/plan.h"
#include "base/str.h"

/* ---- classes -------------------------------------------------------------------------------- */

/* Where the reason itself does not tell, the kind of the component does. */
static const char *class_of_kind(const char *kind)
{
	if (kind && (strcmp(kind, "host") == 0 || strcmp(kind, "storage") == 0))
		return "hardware";
	return "software";
}

const char *labels_class(enum tend_reason reason, const char *kind)
{
	switch (reason) {
	case TEND_REASON_TLS_EXPIRED:
	case TEND_REASON_TLS_UNTRUSTED:
	case TEND_REASON_AUTH_FAILED:
		return "security";
	case TEND_REASON_CONTENT_UNEXPECTED:
	case TEND_REASON_REPORTED_WARNING:
	case TEND_REASON_REPORTED_CRITICAL:
	case TEND_REASON_REPORTED_UNKNOWN:
	case TEND_REASON_REPORT_MISSING:
	case TEND_REASON_JOB_STUCK:
		return "business";
	default:
		return class_of_kind(kind);
	}
}

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

static int add_configured(json_t *labels, const struct conf *conf, const struct notice *n)
{
	const struct conf_check *check = n->check ? map_get(&conf->checks, n->check) : NULL;
	const struct conf_component *component =
		n->component ? map_get(&conf->components, n->component) : NULL;
	const struct conf_system *system = n->system ? map_get(&conf->systems, n->system) : NULL;
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

static int add_reason(json_t *labels, const struct notice *n)
{
	int reason = n->reason ? tend_reason_from_name(n->reason) : -1;
	int r = set(labels, "reason", n->reason);

	if (r == 0 && reason >= 0)
		r = set(labels, "class",
			labels_class((enum tend_reason)reason,
				json_string_value(json_object_get(labels, "kind"))));
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
	int r = labels && (!conf || add_configured(labels, conf, n) == 0) ? 0 : -ENOMEM;

	for (size_t i = 0; i < ARRAY_SIZE(texts) && r == 0; i++)
		if (i > 0 || !json_object_get(labels, "host"))
			r = set(labels, texts[i].name, texts[i].value);
	if (r == 0)
		r = add_reason(labels, n);
	if (r < 0)
		return r;
	*ret_labels = TAKE(labels);
	return 0;
}
