/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a document of tend-look (a machine may be anybody's) and as what was remembered, judged
 * by each probe of a machine; the first byte chooses which. Invariants: metrics are finite, have
 * names and ends; texts end; what is to be remembered is JSON within its bound and can be judged
 * again. Parser: plugins/machine/verdict.c, plugins/machine/sift.c, plugins/host/judge.c,
 * plugins/host/forecast.c, plugins/process/judge.c, plugins/file/judge.c, plugins/timer/judge.c,
 * plugins/certfile/judge.c, plugins/ports/judge.c, plugins/firewall/judge.c,
 * plugins/antivirus/judge.c, plugins/journal/judge.c.
 */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/antivirus/antivirus.h"
#include "../../plugins/certfile/certfile.h"
#include "../../plugins/file/file.h"
#include "../../plugins/firewall/firewall.h"
#include "../../plugins/host/host.h"
#include "../../plugins/journal/journal.h"
#include "../../plugins/ports/ports.h"
#include "../../plugins/process/process.h"
#include "../../plugins/timer/timer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the host gives; here it is not asked for. */
int tend_look(
	struct tend_attempt *a, const char *kind, const json_t *args, tend_look_fn fn, void *data)
{
	/* The answer comes at once; `args' is the document. */
	fn(a, strcmp(kind, "refused") == 0 ? -ENOENT : 0, "not there", args, data);
	return 0;
}

static size_t n_finished, n_metrics;
static const json_t *remembered;

void tend_attempt_finish(struct tend_attempt *a, enum tend_reason reason, const char *format, ...)
{
	assert(reason < TEND_REASON_MAX);
	n_finished++;
}

int tend_attempt_metric(struct tend_attempt *a, const char *name, double value, const char *unit)
{
	assert(name[0] && isfinite(value) && unit);
	n_metrics++;
	return 0;
}

int tend_attempt_metric_of(struct tend_attempt *a, const char *name, const char *instance,
	double value, const char *unit)
{
	assert(instance[0]);
	return tend_attempt_metric(a, name, value, unit);
}

const json_t *tend_attempt_memory(const struct tend_attempt *a)
{
	return remembered;
}

int tend_attempt_remember(struct tend_attempt *a, json_t *doc)
{
	json_decref(doc);
	return 0;
}

static const void *attempt_data;

void tend_attempt_set_data(struct tend_attempt *a, void *data)
{
	attempt_data = data;
}

void *tend_attempt_data(struct tend_attempt *a)
{
	return (void *)(uintptr_t)attempt_data;
}

static char text_root[] = "/", text_all[] = "*", text_p[] = "p=x", text_allow[] = "p=2",
	    text_policy[] = "input=drop", text_table[] = "inet filter",
	    text_remember[] = "remember", text_owner[] = "root", text_mode[] = "0640",
	    text_path[] = "/x", text_timer[] = "a.timer";
static char *list_root[] = {text_root, NULL}, *list_ignore[] = {text_path, NULL},
	    *list_p[] = {text_p, NULL}, *list_allow[] = {text_allow, NULL},
	    *list_policy[] = {text_policy, NULL}, *list_table[] = {text_table, NULL};

static const struct host_conf host = {.writable = list_root,
	.ignore = list_ignore,
	.full_within = 86400 * USEC_PER_SEC,
	.full_over = 3600 * USEC_PER_SEC};
static const struct process_conf process = {.name = text_all, .min = 1, .max = 3};
static const struct file_conf file = {.path = text_path,
	.owner = text_owner,
	.group = text_owner,
	.mode = text_mode,
	.mode_max = text_mode,
	.checksum = text_remember,
	.type = FILE_FILE,
	.max_age = USEC_PER_SEC,
	.max_age_inside = USEC_PER_SEC,
	.min_files = 1,
	.drop_pct = 10};
static const struct file_conf folder = {.path = text_path, .drop_pct = 10, .absent = false};
static const struct file_conf absent = {.path = text_path, .absent = true};
static const struct timer_conf timer = {.timer = text_timer,
	.max_age = USEC_PER_SEC,
	.max_run = USEC_PER_SEC,
	.late = USEC_PER_SEC};
static const struct certfile_conf certfile = {
	.key = text_path, .expires_within = 86400 * USEC_PER_SEC, .min_bits = 2048};
static struct ports_rule port_rules[] = {
	{.name = "a", .address = "loopback", .first = 22, .last = 22},
	{.name = "b", .first = 53, .last = 99, .udp = true}};
static const struct ports_conf ports = {.rules = port_rules, .n_rules = 2, .udp_below = 32768};
static const struct firewall_conf firewall = {.fingerprint = text_remember,
	.tables = list_table,
	.policies = list_policy,
	.min_rules = 1,
	.max_age = USEC_PER_SEC,
	.ufw = true};
static const struct antivirus_conf antivirus = {
	.socket = text_path, .folder = text_path, .daemon = true, .test = true, .max_age = 1};
static const struct sift_conf sift = {.patterns = list_p,
	.allowed = list_allow,
	.ignore = list_p,
	.new = true,
	.window = 600 * USEC_PER_SEC};

static void judge_sift(const void *conf, const json_t *doc, const json_t *memory, struct verdict *v)
{
	json_t *args = json_object();

	sift_ask(conf, memory, args);
	json_decref(args);
	sift_judge(conf, doc, memory, !memory, v);
}

static const struct journal_conf journal = {.marker = true,
	.sift = {.patterns = list_p, .allowed = list_allow, .window = 600 * USEC_PER_SEC}};

static void judge_journal(
	const void *conf, const json_t *doc, const json_t *memory, struct verdict *v)
{
	json_decref(journal_written(memory));
	journal_judge(conf, doc, memory, v);
}

static const struct {
	verdict_fn judge;
	const void *conf;
} rows[] = {
	{host_judge, &host},
	{process_judge, &process},
	{file_judge, &file},
	{file_judge, &folder},
	{file_judge, &absent},
	{timer_judge, &timer},
	{certfile_judge, &certfile},
	{ports_judge, &ports},
	{firewall_judge, &firewall},
	{antivirus_judge, &antivirus},
	{judge_sift, &sift},
	{judge_journal, &journal},
};

static struct verdict verdict;

static void check(const struct verdict *v)
{
	assert(v->reason < TEND_REASON_MAX && memchr(v->text, '\0', sizeof(v->text)));
	assert(v->n_metrics <= TEND_SAMPLES_MAX);
	for (size_t i = 0; i < v->n_metrics; i++) {
		const struct verdict_metric *m = &v->metrics[i];

		assert(m->name[0] && memchr(m->instance, '\0', sizeof(m->instance)));
		assert(isfinite(m->value));
		(void)verdict_find(v, m->name, m->instance);
	}
}

/* Judged as it is, then with what was remembered of that. */
static void judge_twice(size_t row, const json_t *doc, const json_t *memory)
{
	json_t *kept;

	verdict = (struct verdict){0};
	rows[row].judge(rows[row].conf, doc, memory, &verdict);
	check(&verdict);
	kept = json_incref(verdict.memory);
	verdict_clear(&verdict);
	verdict = (struct verdict){0};
	rows[row].judge(rows[row].conf, doc, kept, &verdict);
	check(&verdict);
	verdict_clear(&verdict);
	json_decref(kept);
}

static void check_glue(size_t row, json_t *doc)
{
	const struct machine_probe probe = {
		.kind = "x", .missing = TEND_REASON_FILE_MISSING, .judge = rows[row].judge};
	const struct machine_probe refused = {.kind = "refused", .judge = rows[row].judge};

	n_finished = 0;
	assert(machine_start(NULL, rows[row].conf, &probe, json_incref(doc)) == 0);
	assert(machine_start(NULL, rows[row].conf, &refused, json_incref(doc)) == 0);
	assert(n_finished == 2);
}

static void check_options(const char *text)
{
	char pattern[128];
	char *list[] = {pattern, NULL};
	struct sift_conf conf = {.patterns = list, .ignore = list};
	struct ports_rule rule;

	(void)snprintf(pattern, sizeof(pattern), "p=%s", text);
	(void)sift_check(&conf, NULL);
	conf.patterns = NULL;
	conf.allowed = list;
	(void)sift_check(&conf, NULL);
	if (ports_rule_parse(text, &rule) == 0)
		assert(rule.first >= 1 && rule.first <= rule.last && rule.last <= 65535);
	(void)list_matches(list, text);
	json_decref(doc_list(list));
}

/* "ROW DOCUMENT" or "ROW [DOCUMENT, MEMORY]" */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t row = size > 0 ? data[0] % (sizeof(rows) / sizeof(rows[0])) : 0;
	json_t *doc = size > 0 ? json_loadb((const char *)data + 1, size - 1, 0, NULL) : NULL;
	char text[100] = "";

	memcpy(text, data, size < sizeof(text) - 1 ? size : sizeof(text) - 1);
	check_options(text);
	if (json_is_array(doc)) {
		judge_twice(row, json_array_get(doc, 0), json_array_get(doc, 1));
	} else if (json_is_object(doc)) {
		judge_twice(row, doc, NULL);
		check_glue(row, doc);
	}
	json_decref(doc);
	return 0;
}
