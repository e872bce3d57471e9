/* SPDX-License-Identifier: MIT */
#include "work/attempt.h"
#include <arpa/inet.h>
#include <errno.h>
#include <libgen.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "base/clock.h"
#include "base/str.h"
#include "conf/options.h"
#include "conf/plugins.h"
#include "work/confine.h"
#include "work/values.h"

enum { TEXT_BYTES = 2048, MEMORY_MAX_BYTES = 256 << 10 };

struct tend_attempt {
	const struct tend_probe *probe;
	const char *name; /* borrowed of the call */
	const json_t *memory;
	void *data;
	usec_t started, deadline;
	struct tend_address addresses[TEND_RESOLVE_MAX];
	size_t n_addresses;
	attempt_phase_fn phase;
	void *phase_data;
	json_t *metrics, *outcome, *remembered;
	size_t n_left_out;
	bool ended;
	enum tend_reason reason;
	char text[TEXT_BYTES];
};

static struct tend_attempt *current; /* there is one at a time */

/* ---- tend/plugin.h -------------------------------------------------------------------------- */

void tend_attempt_finish(struct tend_attempt *a, enum tend_reason reason, const char *format, ...)
{
	char raw[TEXT_BYTES];
	va_list ap;

	if (a->ended)
		return;
	va_start(ap, format);
	(void)vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	str_sanitize(a->text, sizeof(a->text), raw, strlen(raw));
	a->reason = reason;
	a->ended = true;
}

int tend_attempt_metric_of(struct tend_attempt *a, const char *name, const char *instance,
	double value, const char *unit)
{
	char safe[64];

	if (a->ended || !isfinite(value))
		return -EINVAL;
	if (json_array_size(a->metrics) >= TEND_SAMPLES_MAX) {
		a->n_left_out++;
		return -ENOSPC;
	}
	str_sanitize(safe, sizeof(safe), instance, strlen(instance));
	if (json_array_append_new(
		    a->metrics, json_pack("[s, s, f, s]", name, safe, value, unit ? unit : "")) < 0)
		return -ENOMEM;
	return 0;
}

int tend_attempt_metric(struct tend_attempt *a, const char *name, double value, const char *unit)
{
	return tend_attempt_metric_of(a, name, "", value, unit);
}

const json_t *tend_attempt_memory(const struct tend_attempt *a)
{
	return a->memory;
}

int tend_attempt_remember(struct tend_attempt *a, json_t *doc)
{
	if (!doc)
		return -EINVAL;
	if (json_dumpb(doc, NULL, 0, JSON_COMPACT) > MEMORY_MAX_BYTES) {
		json_decref(doc);
		return -EMSGSIZE;
	}
	json_decref(a->remembered);
	a->remembered = doc;
	return 0;
}

size_t tend_attempt_addresses(
	const struct tend_attempt *a, const struct tend_address **ret_addresses)
{
	*ret_addresses = a->addresses;
	return a->n_addresses;
}

void tend_attempt_phase(struct tend_attempt *a, enum tend_reason reason, const char *text)
{
	const char *name = tend_reason_name(reason);
	char safe[256];

	str_sanitize(safe, sizeof(safe), text, strlen(text));
	if (name && a->phase)
		a->phase(name, safe, a->phase_data);
}

void tend_attempt_outcome(struct tend_attempt *a, json_t *outcome)
{
	json_decref(a->outcome);
	a->outcome = outcome;
}

void tend_attempt_set_data(struct tend_attempt *a, void *data)
{
	a->data = data;
}

void *tend_attempt_data(struct tend_attempt *a)
{
	return a->data;
}

const char *tend_attempt_name(const struct tend_attempt *a)
{
	return a->name;
}

usec_t tend_attempt_started(const struct tend_attempt *a)
{
	return a->started;
}

usec_t tend_attempt_deadline(const struct tend_attempt *a)
{
	return a->deadline;
}

usec_t tend_now(void)
{
	return clock_now();
}

size_t attempt_current_addresses(const struct tend_address **ret_addresses)
{
	if (!current)
		return 0;
	*ret_addresses = current->addresses;
	return current->n_addresses;
}

/* ---- the call ------------------------------------------------------------------------------- */

static int take_address(const json_t *pair, struct tend_address *ret_address)
{
	const char *text = json_string_value(json_array_get(pair, 0));
	json_int_t scope = json_integer_value(json_array_get(pair, 1));

	*ret_address = (struct tend_address){0};
	if (text && inet_pton(AF_INET, text, &ret_address->in.sin_addr) == 1) {
		ret_address->length = sizeof(ret_address->in);
		ret_address->in.sin_family = AF_INET;
		return 0;
	}
	if (text && inet_pton(AF_INET6, text, &ret_address->in6.sin6_addr) == 1) {
		ret_address->length = sizeof(ret_address->in6);
		ret_address->in6.sin6_family = AF_INET6;
		ret_address->in6.sin6_scope_id = (uint32_t)scope;
		return 0;
	}
	return -EBADMSG;
}

static int take_call(struct tend_attempt *a, const json_t *args)
{
	const json_t *addresses = json_object_get(args, "addresses");
	const json_t *memory = json_object_get(args, "memory");

	a->name = json_string_value(json_object_get(args, "check"));
	a->memory = json_is_null(memory) ? NULL : memory;
	a->started = (usec_t)json_integer_value(json_object_get(args, "started"));
	a->deadline = (usec_t)json_integer_value(json_object_get(args, "deadline"));
	if (!a->name || !a->deadline || json_array_size(addresses) > TEND_RESOLVE_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < json_array_size(addresses); i++) {
		int r = take_address(json_array_get(addresses, i), &a->addresses[i]);

		if (r < 0)
			return r;
		a->n_addresses++;
	}
	return 0;
}

static int load(const json_t *args, const struct tend_probe **ret_probe, struct tend_error *err)
{
	const char *path = json_string_value(json_object_get(args, "plugin"));
	const char *name = json_string_value(json_object_get(args, "probe"));
	auto_free char *copy = path ? strdup(path) : NULL;
	int r;

	if (!copy || !name) {
		(void)tend_error_set(err, -EBADMSG, "the call names no plugin");
		return -EBADMSG;
	}
	r = plugin_load(dirname(copy), name, ret_probe, err);
	if (r == 0 && !(*ret_probe)->work)
		r = tend_error_set(err, -EINVAL, "the plugin '%s' has no work()", name);
	return r;
}

/* check() may also prepare what is in the configuration. */
static int read_conf(const struct tend_probe *probe, const json_t *args, void *conf,
	bool *ret_prepared, struct tend_error *err)
{
	int r = work_values_unpack(probe->options, json_object_get(args, "conf"), conf);

	if (r < 0)
		return tend_error_set(
			err, r, "the configuration is not that of this plugin's rows");
	r = probe->check ? probe->check(conf, err) : 0;
	*ret_prepared = r == 0;
	return r;
}

static json_t *optional(json_t *value)
{
	return value ? json_incref(value) : json_null();
}

static int run(struct tend_attempt *a, const json_t *args, void *conf, json_t **ret_answer)
{
	json_t *answer;

	a->metrics = json_array();
	current = a;
	a->probe->work(a, conf, json_string_value(json_object_get(args, "method")),
		json_object_get(args, "args"));
	current = NULL;
	if (!a->ended)
		tend_attempt_finish(
			a, TEND_REASON_INTERNAL, "the probe '%s' did not end it", a->probe->name);
	answer = json_pack("{s:s, s:s, s:O, s:I, s:o, s:o}", "reason", tend_reason_name(a->reason),
		"text", a->text, "metrics", a->metrics, "left_out", (json_int_t)a->n_left_out,
		"outcome", optional(a->outcome), "memory", optional(a->remembered));
	json_decref(a->metrics);
	json_decref(a->outcome);
	json_decref(a->remembered);
	if (!answer)
		return -ENOMEM;
	*ret_answer = answer;
	return 0;
}

int attempt_run(const json_t *args, attempt_phase_fn phase, void *data, struct tend_error *err,
	json_t **ret_answer)
{
	struct tend_attempt a = {.phase = phase, .phase_data = data};
	bool prepared = false;
	void *conf;
	int r = load(args, &a.probe, err);

	if (r < 0)
		return r;
	r = take_call(&a, args);
	if (r < 0)
		return tend_error_set(err, r, "the call is not what the protocol says");
	conf = calloc(1, MAX(a.probe->conf_size, (size_t)1));
	if (!conf)
		return -ENOMEM;
	r = read_conf(a.probe, args, conf, &prepared, err);
	if (r == 0) {
		r = confine(a.probe->options, conf);
		if (r < 0)
			(void)tend_error_set(err, r, "its files: %s", strerror(-r));
	}
	if (r == 0)
		r = run(&a, args, conf, ret_answer);
	if (prepared && a.probe->clear)
		a.probe->clear(conf);
	conf_options_free(a.probe->options, conf);
	free(conf);
	return r;
}
