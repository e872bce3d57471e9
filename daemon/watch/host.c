/* SPDX-License-Identifier: MIT */
#include "watch/host.h"
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "net/ping.h"
#include "watch/host_private.h"

/* Later than this is not the target's fault: the daemon was stopped, or the machine paused. */
#define LATE_DEADLINE_USEC (USEC_PER_SEC)

static void list_remove(struct tend_attempt *a)
{
	*a->prev = a->next;
	if (a->next)
		a->next->prev = a->prev;
}

struct held *held_new(struct tend_attempt *a, void (*cancel)(struct held *h), void *fn_data)
{
	struct held *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->cancel = cancel;
	h->attempt = a;
	h->fn_data = fn_data;
	h->next = a->held;
	h->prev = &a->held;
	if (h->next)
		h->next->prev = &h->next;
	a->held = h;
	return h;
}

void held_drop(struct held *h)
{
	*h->prev = h->next;
	if (h->next)
		h->next->prev = h->prev;
	free(h);
}

void held_cancel(struct held *h)
{
	if (h->cancel)
		h->cancel(h);
	held_drop(h);
}

static void arm_deadline(struct host *host)
{
	struct heap_node *top = heap_top(&host->deadlines);

	loop_timer_set(host->timer, top ? top->at : 0);
}

static void attempt_free(struct tend_attempt *a)
{
	conf_unref(a->spec.owner);
	json_decref(a->spec.args);
	json_decref(a->outcome);
	json_decref(a->remembered);
	hidden_free(a->hidden);
	json_decref((json_t *)(uintptr_t)a->spec.memory);
	free(a->metrics);
	map_clear(&a->instances);
	free(a->name);
	free(a);
}

static void attempt_end(struct tend_attempt *a, enum tend_reason reason)
{
	struct host *host = a->host;

	a->ended = true;
	a->reason = reason;
	a->finished = clock_now();
	/* A failure that was noticed so late speaks of Tend, whoever noticed it. */
	if (reason != TEND_REASON_OK &&
		a->finished > a->started + a->spec.timeout + LATE_DEADLINE_USEC)
		a->reason = TEND_REASON_CANCELLED;
	while (a->held)
		held_cancel(a->held);
	heap_remove(&host->deadlines, &a->deadline);
	list_remove(a);
	host->n_running--;
	a->next = NULL;
	a->prev = host->ended_tail;
	*host->ended_tail = a;
	host->ended_tail = &a->next;
	loop_defer_set(host->drain, true);
}

static void attempt_stop(struct tend_attempt *a, enum tend_reason reason, const char *text)
{
	if (a->ended)
		return;
	(void)snprintf(a->text, sizeof(a->text), "%s", text);
	host_hide_in_text(a, a->text);
	if (a->spec.probe->cancel)
		a->spec.probe->cancel(a);
	if (!a->ended)
		attempt_end(a, reason);
}

static void on_drain(void *data)
{
	struct host *host = data;

	while (host->ended) {
		struct tend_attempt *a = host->ended;
		struct attempt_end end = {
			.reason = a->reason,
			.text = a->text,
			.n_metrics = a->n_metrics,
			.n_left_out = a->n_left_out,
			.outcome = a->outcome,
			.remembered = a->finished_itself ? a->remembered : NULL,
			.started = a->started,
			.finished = a->finished,
		};

		host->ended = a->next;
		if (!host->ended)
			host->ended_tail = &host->ended;
		end.metrics = TAKE(a->metrics);
		if (a->spec.done)
			a->spec.done(&end, a->spec.data);
		free(end.metrics);
		attempt_free(a);
	}
}

static void on_deadline(void *data)
{
	struct host *host = data;
	struct heap_node *top;
	usec_t now = clock_now();

	while ((top = heap_top(&host->deadlines)) && top->at <= now) {
		struct tend_attempt *a = container_of(top, struct tend_attempt, deadline);
		char span[CLOCK_TEXT_BYTES], text[RESULT_TEXT_BYTES];
		enum tend_reason reason = TEND_REASON_TOO_SLOW;

		if (a->spec.probe->work)
			reason = host_work_late(a, text, sizeof(text));
		else
			(void)snprintf(text, sizeof(text), "no answer within %s",
				clock_format_span(a->spec.timeout, span));
		attempt_stop(a, reason, text);
	}
	arm_deadline(host);
}

int host_new(struct loop *loop, struct net *net, struct tend_units *units,
	void (*on_unit)(const char *check, void *data), void *data, struct host **ret_host)
{
	auto(host_free) struct host *host = calloc(1, sizeof(*host));
	int r;

	if (!host)
		return -ENOMEM;
	host->loop = loop;
	host->net = net;
	host->units = units;
	host->on_unit = on_unit;
	host->data = data;
	host->ended_tail = &host->ended;
	r = loop_timer_new(loop, on_deadline, host, &host->timer);
	if (r == 0)
		r = loop_defer_new(loop, on_drain, host, &host->drain);
	if (r < 0)
		return r;
	loop_source_name(host->timer, "attempt deadlines");
	loop_source_name(host->drain, "results");
	*ret_host = TAKE(host);
	return 0;
}

struct host *host_free(struct host *host)
{
	if (!host)
		return NULL;
	while (host->running)
		attempt_abandon(host->running);
	while (host->ended) {
		struct tend_attempt *a = host->ended;
		host->ended = a->next;
		attempt_free(a);
	}
	host_forget_interests(host);
	pinger_free(host->pinger);
	heap_clear(&host->deadlines);
	loop_source_free(host->timer);
	loop_source_free(host->drain);
	free(host);
	return NULL;
}

void host_set_spawn(struct host *host, struct spawn_client *spawn)
{
	host->spawn = spawn;
}

void host_set_work(struct host *host, struct work_pool *pool)
{
	host->work = pool;
}

size_t host_n_running(const struct host *host)
{
	return host->n_running;
}

int attempt_start(
	struct host *host, const struct attempt_spec *spec, struct tend_attempt **ret_attempt)
{
	struct tend_attempt *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->host = host;
	a->spec = *spec;
	a->spec.owner = conf_ref(spec->owner);
	a->spec.args = json_incref(spec->args);
	(void)json_incref((json_t *)(uintptr_t)spec->memory);
	a->name = strdup(spec->name);
	a->started = clock_now();
	a->deadline.index = HEAP_NOWHERE;
	if (!a->name || heap_put(&host->deadlines, &a->deadline, a->started + spec->timeout) < 0) {
		attempt_free(a);
		return -ENOMEM;
	}
	a->next = host->running;
	a->prev = &host->running;
	if (a->next)
		a->next->prev = &a->next;
	host->running = a;
	host->n_running++;
	arm_deadline(host);
	/* Ended attempts are freed from the loop only, so `a` outlives start() whatever it does. */
	*ret_attempt = a;
	if (spec->probe->work)
		r = host_work_start(a);
	else if (spec->method)
		r = spec->probe->call
			    ? spec->probe->call(a, spec->probe_conf, spec->method, spec->args)
			    : -EOPNOTSUPP;
	else
		r = spec->probe->start(a, spec->probe_conf);
	if (r < 0)
		attempt_stop(a, TEND_REASON_INTERNAL, strerror(-r));
	return 0;
}

void attempt_abandon(struct tend_attempt *a)
{
	a->spec.done = NULL;
	attempt_stop(a, TEND_REASON_CANCELLED, "cancelled");
}

/* ---- tend/plugin.h: attempt ----------------------------------------------------------------- */

void tend_attempt_finish(struct tend_attempt *a, enum tend_reason reason, const char *format, ...)
{
	char raw[2048];
	va_list ap;

	if (a->ended) {
		log_error("check '%s': the probe '%s' ended an attempt twice", a->name,
			a->spec.probe->name);
		return;
	}
	va_start(ap, format);
	(void)vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	host_hide_in_text(a, raw);
	str_sanitize(a->text, sizeof(a->text), raw, strlen(raw));
	a->finished_itself = true;
	attempt_end(a, reason);
}

static bool metric_name_valid(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && name[n] == '\0' && n < sizeof(((struct metric *)0)->name);
}

static int add_sample(struct tend_attempt *a, const struct metric *m)
{
	if (a->n_metrics == TEND_SAMPLES_MAX) {
		a->n_left_out++;
		return -ENOSPC;
	}
	if (a->n_metrics == a->metrics_cap) {
		size_t cap = a->metrics_cap ? a->metrics_cap * 2 : 4;
		struct metric *p = reallocarray(a->metrics, cap, sizeof(*p));

		if (!p)
			return -ENOMEM;
		a->metrics = p;
		a->metrics_cap = cap;
	}
	a->metrics[a->n_metrics++] = *m;
	return 0;
}

/* Two series of one name would make what is scraped invalid. */
static int add_instance(struct tend_attempt *a, const struct metric *m)
{
	char key[sizeof(m->name) + sizeof(m->instance)];
	int r;

	(void)snprintf(key, sizeof(key), "%s:%s", m->name, m->instance);
	if (map_get(&a->instances, key))
		return -EEXIST;
	r = add_sample(a, m);
	if (r == 0 && map_put(&a->instances, key, a) < 0) {
		a->n_metrics--;
		r = -ENOMEM;
	}
	return r;
}

int tend_attempt_metric_of(struct tend_attempt *a, const char *name, const char *instance,
	double value, const char *unit)
{
	struct metric m = {.value = value};
	char *shown;

	if (a->ended || !metric_name_valid(name) || !isfinite(value))
		return -EINVAL;
	(void)snprintf(m.name, sizeof(m.name), "%s", name);
	(void)snprintf(m.unit, sizeof(m.unit), "%s", unit ? unit : "");
	shown = instance[0] ? strdup(instance) : NULL;
	if (instance[0] && !shown)
		return -ENOMEM;
	if (shown) {
		host_hide_in_name(a, shown);
		str_sanitize(m.instance, sizeof(m.instance), shown, strlen(shown));
		free(shown);
	}
	return m.instance[0] ? add_instance(a, &m) : add_sample(a, &m);
}

int tend_attempt_metric(struct tend_attempt *a, const char *name, double value, const char *unit)
{
	return tend_attempt_metric_of(a, name, "", value, unit);
}

const json_t *tend_attempt_memory(const struct tend_attempt *a)
{
	return a->spec.memory;
}

int tend_attempt_remember(struct tend_attempt *a, json_t *doc)
{
	if (!doc)
		return -EINVAL;
	if (a->ended || json_dumpb(doc, NULL, 0, JSON_COMPACT) > MEMORY_MAX_BYTES) {
		json_decref(doc);
		return a->ended ? -EINVAL : -EMSGSIZE;
	}
	host_hide_in_json(a, doc);
	json_decref(a->remembered);
	a->remembered = doc;
	return 0;
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
	return a->started + a->spec.timeout;
}

usec_t tend_now(void)
{
	return clock_now();
}
