/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "process.h"

enum { MAX_REMEMBERED = 200 };

/* "PID:START" of a process that is told. */
static void key_of(const json_t *p, char buf[48])
{
	(void)snprintf(buf, 48, "%.0f:%.0f", doc_number(p, "pid", 0), doc_number(p, "start", 0));
}

/* Ticks of all since the look before; of one that was not there then, all of its own. */
static double ticks_since(const json_t *doc, const json_t *before, double at, double hz)
{
	const json_t *p;
	size_t i;
	double sum = 0;

	json_array_foreach (json_object_get(doc, "processes"), i, p) {
		double ticks = doc_number(p, "ticks", 0);
		char key[48];

		key_of(p, key);
		if (json_object_get(before, key))
			sum += ticks - doc_number(before, key, ticks);
		else if (doc_number(p, "start", 0) / hz >= at)
			sum += ticks;
	}
	return sum;
}

static json_t *to_remember(const json_t *doc)
{
	json_t *kept = json_object();
	const json_t *p;
	size_t i;

	json_array_foreach (json_object_get(doc, "processes"), i, p) {
		char key[48];

		if (json_object_size(kept) == MAX_REMEMBERED)
			break;
		key_of(p, key);
		(void)json_object_set_new(kept, key, json_real(doc_number(p, "ticks", 0)));
	}
	return json_pack("{s:o, s:f}", "ticks", kept, "now", doc_number(doc, "now", 0));
}

static void add_cpu(const json_t *doc, const json_t *memory, struct verdict *v)
{
	double now = doc_number(doc, "now", 0), then = doc_number(memory, "now", -1);
	double hz = doc_number(doc, "hz", 100);

	/* A clock that has gone back began with another boot. */
	if (then >= 0 && now > then && hz > 0)
		verdict_metric(v, "cpu_pct", NULL,
			100 * ticks_since(doc, json_object_get(memory, "ticks"), then, hz) / hz /
				(now - then),
			"%");
}

static const char *what_of(const struct process_conf *conf)
{
	return conf->name      ? conf->name
	       : conf->exe     ? conf->exe
	       : conf->unit    ? conf->unit
	       : conf->cmdline ? conf->cmdline
	       : conf->user    ? conf->user
			       : "any";
}

static void add_metrics(const json_t *doc, struct verdict *v)
{
	static const struct {
		const char *name, *unit;
	} rows[] = {{"count", ""}, {"stopped", ""}, {"zombies", ""}, {"blocked", ""},
		{"threads", ""}, {"rss", "B"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		verdict_metric(
			v, rows[i].name, NULL, doc_number(doc, rows[i].name, 0), rows[i].unit);
	if (json_object_get(doc, "fds"))
		verdict_metric(v, "fds", NULL, doc_number(doc, "fds", 0), "");
	if (doc_number(doc, "count", 0) > 0) {
		verdict_metric(v, "oldest", NULL, doc_number(doc, "oldest", 0), "s");
		verdict_metric(v, "youngest", NULL, doc_number(doc, "youngest", 0), "s");
	}
}

void process_judge(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *ret_verdict)
{
	const struct process_conf *c = conf;
	double count = doc_number(doc, "count", 0), stopped = doc_number(doc, "stopped", 0);
	char stopped_text[48] = "", rss[32], age[32];

	add_metrics(doc, ret_verdict);
	add_cpu(doc, memory, ret_verdict);
	if (stopped > 0)
		(void)snprintf(stopped_text, sizeof(stopped_text), ", %.0f stopped", stopped);
	if (count - stopped < (double)c->min)
		verdict_fault(ret_verdict, TEND_REASON_PROCESS_MISSING,
			"%.0f of %s run%s, %lld are needed", count - stopped, what_of(c),
			stopped_text, (long long)c->min);
	if (c->max > 0 && count > (double)c->max)
		verdict_fault(ret_verdict, TEND_REASON_THRESHOLD,
			"%.0f of %s run, at most %lld may", count, what_of(c), (long long)c->max);
	verdict_well(ret_verdict, "%.0f of %s run%s, %s, the oldest for %s", count, what_of(c),
		stopped_text, size_text(doc_number(doc, "rss", 0), rss),
		span_text(doc_number(doc, "oldest", 0), age));
	ret_verdict->memory = to_remember(doc);
}
