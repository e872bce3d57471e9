/* SPDX-License-Identifier: MIT */
#include "verdict.h"
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int badness(enum tend_reason reason)
{
	switch (tend_reason_verdict(reason)) {
	case TEND_STATE_CRITICAL:
		return 3;
	case TEND_STATE_WARNING:
		return 2;
	case TEND_STATE_OK:
		return 0;
	default:
		return 1;
	}
}

void verdict_fault(struct verdict *v, enum tend_reason reason, const char *format, ...)
{
	char text[400];
	size_t n = v->n_faults ? strlen(v->text) : 0;
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (v->n_faults++ == 0 || badness(reason) > badness(v->reason)) {
		/* The worst is said first. */
		char rest[sizeof(v->text)];

		(void)snprintf(rest, sizeof(rest), "%s%s", n ? "; " : "", n ? v->text : "");
		(void)snprintf(v->text, sizeof(v->text), "%s%.*s", text,
			(int)(sizeof(v->text) - 1 - strlen(text)), rest);
		v->reason = reason;
		return;
	}
	(void)snprintf(v->text + n, sizeof(v->text) - n, "; %s", text);
}

void verdict_well(struct verdict *v, const char *format, ...)
{
	va_list ap;

	if (v->n_faults > 0)
		return;
	va_start(ap, format);
	(void)vsnprintf(v->text, sizeof(v->text), format, ap);
	va_end(ap);
}

void verdict_metric(
	struct verdict *v, const char *name, const char *instance, double value, const char *unit)
{
	struct verdict_metric *m;

	if (v->n_metrics == TEND_SAMPLES_MAX || !isfinite(value))
		return;
	m = &v->metrics[v->n_metrics++];
	(void)snprintf(m->name, sizeof(m->name), "%s", name);
	(void)snprintf(m->instance, sizeof(m->instance), "%s", instance ? instance : "");
	m->value = value;
	m->unit = unit;
}

const struct verdict_metric *verdict_find(
	const struct verdict *v, const char *name, const char *instance)
{
	for (size_t i = 0; i < v->n_metrics; i++)
		if (strcmp(v->metrics[i].name, name) == 0 &&
			strcmp(v->metrics[i].instance, instance) == 0)
			return &v->metrics[i];
	return NULL;
}

void verdict_clear(struct verdict *v)
{
	json_decref(v->memory);
	v->memory = NULL;
}

static enum tend_reason reason_of(int r, enum tend_reason missing)
{
	switch (r) {
	case -ENOENT:
		return missing;
	case -EACCES:
		return TEND_REASON_ACCESS_DENIED;
	case -ETIMEDOUT:
		return TEND_REASON_TOO_SLOW;
	case -ECONNRESET:
		return TEND_REASON_SPAWN_LOST;
	case -EPERM:
	case -ENOEXEC:
	case -EINVAL:
	case -EPROTO: /* a tend-spawn or tend-look of another version */
		return TEND_REASON_PROGRAM_FAILED;
	default:
		return TEND_REASON_NO_EVIDENCE;
	}
}

/* Kinds can be learned once more; without the cursor all would be read anew, again and again. */
static void remember(struct tend_attempt *a, json_t *memory)
{
	json_t *now = json_object_get(memory, "now");

	if (tend_attempt_remember(a, json_incref(memory)) == -EMSGSIZE &&
		json_object_del(memory, "seen") == 0) {
		(void)json_object_del(memory, "told");
		(void)json_object_set(memory, "since", now);
		(void)tend_attempt_remember(a, json_incref(memory));
	}
	json_decref(memory);
}

static void finish(struct tend_attempt *a, struct verdict *v)
{
	for (size_t i = 0; i < v->n_metrics; i++) {
		const struct verdict_metric *m = &v->metrics[i];

		if (m->instance[0])
			(void)tend_attempt_metric_of(a, m->name, m->instance, m->value, m->unit);
		else
			(void)tend_attempt_metric(a, m->name, m->value, m->unit);
	}
	if (v->memory)
		remember(a, v->memory);
	v->memory = NULL;
	tend_attempt_finish(a, v->reason, "%s", v->text);
}

static void on_look(
	struct tend_attempt *a, int r, const char *message, const json_t *doc, void *data)
{
	const struct machine_probe *probe = data;
	struct verdict *v;

	if (r < 0) {
		tend_attempt_finish(a, reason_of(r, probe->missing), "%s", message);
		return;
	}
	v = calloc(1, sizeof(*v));
	if (!v) {
		tend_attempt_finish(a, TEND_REASON_INTERNAL, "no memory");
		return;
	}
	probe->judge(tend_attempt_data(a), doc, tend_attempt_memory(a), v);
	finish(a, v);
	free(v);
}

int machine_start(
	struct tend_attempt *a, const void *conf, const struct machine_probe *probe, json_t *args)
{
	int r;

	tend_attempt_set_data(a, (void *)(uintptr_t)conf);
	r = args ? tend_look(a, probe->kind, args, on_look, (void *)(uintptr_t)probe) : -ENOMEM;
	json_decref(args);
	return r;
}

size_t machine_metric_names(
	const struct tend_metric_doc *docs, const char *ret_names[TEND_METRICS_MAX])
{
	size_t n = 0;

	for (; docs[n].name && n < TEND_METRICS_MAX; n++)
		ret_names[n] = docs[n].name;
	return n;
}

const char *doc_text(const json_t *doc, const char *key)
{
	const char *text = json_string_value(json_object_get(doc, key));

	return text ? text : "";
}

double doc_number(const json_t *doc, const char *key, double otherwise)
{
	const json_t *value = json_object_get(doc, key);

	return json_is_number(value) ? json_number_value(value) : otherwise;
}

bool doc_flag(const json_t *doc, const char *key)
{
	return json_is_true(json_object_get(doc, key));
}

json_t *doc_list(char *const *list)
{
	json_t *array = json_array();

	for (; list && *list; list++)
		(void)json_array_append_new(array, json_string(*list));
	return array;
}

bool list_matches(char *const *globs, const char *text)
{
	for (; globs && *globs; globs++)
		if (fnmatch(*globs, text, 0) == 0)
			return true;
	return false;
}

const char *span_text(double seconds, char buf[32])
{
	if (seconds < 0)
		seconds = 0;
	if (seconds < 120)
		(void)snprintf(buf, 32, "%.0f s", seconds);
	else if (seconds < 7200)
		(void)snprintf(buf, 32, "%.0f min", seconds / 60);
	else if (seconds < 2 * 86400)
		(void)snprintf(buf, 32, "%.1f h", seconds / 3600);
	else
		(void)snprintf(buf, 32, "%.1f days", seconds / 86400);
	return buf;
}

const char *size_text(double bytes, char buf[32])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	size_t i = 0;

	while (bytes >= 1024 && i < 5) {
		bytes /= 1024;
		i++;
	}
	(void)snprintf(buf, 32, i ? "%.1f %s" : "%.0f %s", bytes, units[i]);
	return buf;
}
