/* SPDX-License-Identifier: MIT */
/* Attempts of plugins whose libraries block: handed to a tend-work process, with the host's name
 * looked up before. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "watch/host_private.h"
#include "work/values.h"

/* Below that, waiting for a place is not worth a word. */
#define WAIT_TOLD_USEC (100 * USEC_PER_MSEC)

/* ---- the answer ----------------------------------------------------------------------------- */

static void take_metrics(struct tend_attempt *a, const json_t *metrics)
{
	size_t i;
	json_t *m;

	json_array_foreach (metrics, i, m) {
		const char *name = json_string_value(json_array_get(m, 0));
		const char *instance = json_string_value(json_array_get(m, 1));
		const char *unit = json_string_value(json_array_get(m, 3));

		if (name && instance)
			(void)tend_attempt_metric_of(
				a, name, instance, json_real_value(json_array_get(m, 2)), unit);
	}
}

static void take_answer(struct tend_attempt *a, const json_t *answer, usec_t waited)
{
	const char *name = json_string_value(json_object_get(answer, "reason"));
	const char *text = json_string_value(json_object_get(answer, "text"));
	json_t *outcome = json_object_get(answer, "outcome");
	json_t *memory = json_object_get(answer, "memory");
	int reason = name ? tend_reason_from_name(name) : -ENOENT;
	char span[CLOCK_TEXT_BYTES];

	if (reason < 0 || !text) {
		tend_attempt_finish(a, TEND_REASON_INTERNAL, "tend-work's answer is none");
		return;
	}
	take_metrics(a, json_object_get(answer, "metrics"));
	a->n_left_out += (size_t)json_integer_value(json_object_get(answer, "left_out"));
	if (outcome && !json_is_null(outcome))
		tend_attempt_outcome(a, json_incref(outcome));
	if (memory && !json_is_null(memory))
		(void)tend_attempt_remember(a, json_incref(memory));
	if (reason == TEND_REASON_OK || waited < WAIT_TOLD_USEC)
		tend_attempt_finish(a, (enum tend_reason)reason, "%s", text);
	else
		tend_attempt_finish(a, (enum tend_reason)reason,
			"%s (after waiting %s for a free tend-work)", text,
			clock_format_span(waited, span));
}

static void host_worked(const struct work_reply *reply, void *data)
{
	struct held *h = data;
	struct tend_attempt *a = h->attempt;

	held_drop(h);
	a->work = NULL;
	if (reply->r < 0)
		tend_attempt_finish(a, TEND_REASON_INTERNAL, "%s", reply->message);
	else
		take_answer(a, reply->ok, reply->waited);
}

/* ---- the question --------------------------------------------------------------------------- */

static json_t *pack_addresses(const struct tend_address *addresses, size_t n)
{
	json_t *array = json_array();
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < n; i++) {
		const struct tend_address *address = &addresses[i];
		bool six = address->sa.sa_family == AF_INET6;
		const void *bytes = six ? (const void *)&address->in6.sin6_addr
					: (const void *)&address->in.sin_addr;

		(void)inet_ntop(address->sa.sa_family, bytes, text, sizeof(text));
		(void)json_array_append_new(
			array, json_pack("[s, I]", text,
				       (json_int_t)(six ? address->in6.sin6_scope_id : 0)));
	}
	return array;
}

static json_t *optional(const json_t *value)
{
	return value ? json_incref((json_t *)(uintptr_t)value) : json_null();
}

/* The file that the probe was loaded from: tendd's own --plugin-dir counts there, too. */
static const char *plugin_file(const struct tend_probe *probe)
{
	Dl_info info;

	return dladdr(probe, &info) && info.dli_fname ? info.dli_fname : "";
}

static json_t *pack_call(
	const struct tend_attempt *a, const struct tend_address *addresses, size_t n_addresses)
{
	const struct tend_probe *probe = a->spec.probe;
	json_t *conf = NULL;

	if (work_values_pack(probe->options, a->spec.probe_conf, &conf) < 0)
		return NULL;
	return json_pack("{s:s, s:s, s:s, s:s?, s:o, s:o, s:o, s:o, s:I, s:I}", "plugin",
		plugin_file(probe), "probe", probe->name, "check", a->name, "method",
		a->spec.method, "args", optional(a->spec.args), "conf", conf, "memory",
		optional(a->spec.memory), "addresses", pack_addresses(addresses, n_addresses),
		"started", (json_int_t)a->started, "deadline",
		(json_int_t)tend_attempt_deadline(a));
}

static void cancel_work(struct held *h)
{
	h->attempt->work = NULL;
	work_job_cancel(h->u.work.job);
}

/* "system/component" of the check's, or the database's, name. */
static char *component_of(const char *name)
{
	const char *slash = strchr(name, '/');

	slash = slash ? strchr(slash + 1, '/') : NULL;
	return slash ? strndup(name, (size_t)(slash - name)) : strdup(name);
}

static void ask(struct tend_attempt *a, const struct tend_address *addresses, size_t n)
{
	auto_json json_t *args = pack_call(a, addresses, n);
	auto_free char *component = component_of(a->name);
	auto_free char *files = work_values_files(a->spec.probe->options, a->spec.probe_conf);
	struct work_order order = {.plugin = a->spec.probe->name,
		.component = component,
		.files = files,
		.args = args,
		.deadline = tend_attempt_deadline(a)};
	struct held *h = args && component && files ? held_new(a, cancel_work, NULL) : NULL;
	int r = h ? work_pool_ask(a->host->work, &order, host_worked, h, &h->u.work.job) : -ENOMEM;

	if (r == 0) {
		a->work = h->u.work.job;
		return;
	}
	if (h)
		held_drop(h);
	tend_attempt_finish(a, TEND_REASON_INTERNAL, "%s", strerror(-r));
}

static void on_resolved(struct tend_attempt *a, int r, const struct tend_address *addresses,
	size_t n_addresses, void *data)
{
	const char *host = a->spec.probe->work_host(a->spec.probe_conf);

	if (r < 0)
		tend_attempt_finish(a, TEND_REASON_DNS_FAILED, "%s: %s", host,
			r == -ENOENT ? "there is no such name" : strerror(-r));
	else
		ask(a, addresses, MIN(n_addresses, (size_t)TEND_RESOLVE_MAX));
}

int host_work_start(struct tend_attempt *a)
{
	const struct tend_probe *probe = a->spec.probe;
	const char *host = probe->work_host ? probe->work_host(a->spec.probe_conf) : NULL;

	if (!a->host->work)
		return -ENOTCONN;
	if (host)
		return tend_resolve(a, host, on_resolved, NULL);
	ask(a, NULL, 0);
	return 0;
}

/* ---- the deadline --------------------------------------------------------------------------- */

enum tend_reason host_work_late(const struct tend_attempt *a, char *buf, size_t size)
{
	char span[CLOCK_TEXT_BYTES], waited[CLOCK_TEXT_BYTES], busy[WORK_TEXT_BYTES];
	struct work_job_state state;

	(void)clock_format_span(a->spec.timeout, span);
	if (!a->work) { /* still the name server */
		(void)snprintf(buf, size, "the name was not looked up within %s", span);
		return TEND_REASON_DNS_FAILED;
	}
	work_job_state(a->work, busy, &state);
	(void)clock_format_span(state.waited, waited);
	if (state.waiting) {
		(void)snprintf(buf, size,
			"not asked: no tend-work process was free within %s (%s; see work_slots)",
			span, state.busy);
		return TEND_REASON_NO_EVIDENCE;
	}
	(void)snprintf(buf, size, "no answer within %s%s%s%s%s%s", span,
		state.phase_reason >= 0 ? ": " : "", state.phase_reason >= 0 ? state.phase : "",
		state.waited >= WAIT_TOLD_USEC ? " (after waiting " : "",
		state.waited >= WAIT_TOLD_USEC ? waited : "",
		state.waited >= WAIT_TOLD_USEC ? " for a free tend-work)" : "");
	return state.phase_reason >= 0 ? (enum tend_reason)state.phase_reason
				       : TEND_REASON_TOO_SLOW;
}

/* ---- tend/plugin.h: what only work() may ask for --------------------------------------------- */

size_t tend_attempt_addresses(
	const struct tend_attempt *a, const struct tend_address **ret_addresses)
{
	return 0;
}

void tend_attempt_phase(struct tend_attempt *a, enum tend_reason reason, const char *text)
{
}
