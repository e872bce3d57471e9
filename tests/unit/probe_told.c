/* SPDX-License-Identifier: MIT */
/*
 * A probe that answers what a file says: "REASON [METRIC[:INSTANCE]=VALUE]...", or "silence" until
 * its deadline. "remember=N" is kept for the next attempt, "recall=0" says it as a metric;
 * "remember:TEXT=0" keeps a text. `echo` stands in its own. With `ask` it puts the file's number to
 * a database by tend_sql(); as the service of one it gives what it was asked. It is what tests of
 * the core put in; it judges nothing.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tend/plugin.h>

struct told_conf {
	char *file, *ask, *database, *secret, *echo;
	usec_t delay;
	int64_t salt;
};

static const struct tend_option told_options[] = {
	TEND_OPT(STRING, struct told_conf, file, "file", NULL, "Where the answer stands.",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(USEC, struct told_conf, delay, "delay", "0", "How long it takes."),
	TEND_OPT(INT, struct told_conf, salt, "salt", "0", "Nothing but an option."),
#ifdef TOLD_OF_DATABASE
	TEND_OPT(STRING, struct told_conf, database, "database", NULL, "What it is about.",
		.flags = TEND_OPTION_DATABASE),
#endif
	TEND_OPT(SECRET, struct told_conf, secret, "secret", NULL, "What nobody may see."),
	TEND_OPT(STRING, struct told_conf, echo, "echo", NULL, "What the target says."),
	TEND_OPT(STRING, struct told_conf, ask, "ask", NULL, "The database to ask; own: its own."),
	TEND_OPTION_END,
};

static void add_metric(struct tend_attempt *a, char *name, double value)
{
	char *instance = strchr(name, ':');

	if (strcmp(name, "remember") == 0) {
		(void)tend_attempt_remember(a, json_pack("{s:f}", "n", value));
	} else if (strcmp(name, "remember_long") == 0) {
		char *text = calloc(1, (size_t)value + 1);

		memset(text, 'x', (size_t)value);
		(void)tend_attempt_metric(
			a, "remember_long", tend_attempt_remember(a, json_pack("[s]", text)), "");
		free(text);
	} else if (strcmp(name, "recall") == 0) {
		const json_t *memory = tend_attempt_memory(a);

		(void)tend_attempt_metric(a, "recall",
			memory ? json_number_value(json_object_get(memory, "n")) : -1, "");
	} else if (strncmp(name, "remember:", 9) == 0) {
		(void)tend_attempt_remember(a, json_pack("{s:[s]}", "said", instance + 1));
	} else if (instance) {
		*instance++ = '\0';
		(void)tend_attempt_metric_of(a, name, instance, value, "");
	} else {
		(void)tend_attempt_metric(a, name, value, "");
	}
}

static void add_metrics(struct tend_attempt *a, char *words)
{
	char *rest = NULL;

	for (char *word = strtok_r(words, " \n", &rest); word;
		word = strtok_r(NULL, " \n", &rest)) {
		char *equals = strchr(word, '=');

		if (!equals)
			continue;
		*equals = '\0';
		add_metric(a, word, atof(equals + 1));
	}
}

static void answer(struct tend_attempt *a, void *data)
{
	const struct told_conf *conf = data;
	FILE *file = fopen(conf->file, "re");
	char line[4096] = "ok", *words;
	int reason;

	if (file && !fgets(line, sizeof(line), file))
		line[0] = '\0';
	if (file)
		(void)fclose(file);
	line[strcspn(line, "\n")] = '\0';
	words = strchr(line, ' ');
	if (words)
		*words++ = '\0';
	if (strcmp(line, "silence") == 0)
		return;
	if (words)
		add_metrics(a, words);
	reason = tend_reason_from_name(line);
	tend_attempt_finish(a, reason < 0 ? TEND_REASON_INTERNAL : (enum tend_reason)reason,
		"told: %s%s", line, conf->echo ? conf->echo : "");
}

static void asked(struct tend_attempt *a, enum tend_reason reason, const char *text,
	const json_t *rows, void *data)
{
	if (rows)
		(void)tend_attempt_metric(a, "asked",
			(double)json_integer_value(json_array_get(
				json_array_get(json_object_get(rows, "rows"), 0), 0)),
			"");
	tend_attempt_finish(a, reason, "asked: %s", text);
}

static int ask(struct tend_attempt *a, const struct told_conf *c)
{
	const char *database = strcmp(c->ask, "own") == 0 ? NULL : c->ask;
	json_t *params = json_pack("[i]", (int)c->salt);
	int r = tend_sql(a, database, "select $1", params, 1, asked, NULL);

	json_decref(params);
	if (r < 0)
		tend_attempt_finish(a, TEND_REASON_INTERNAL, "tend_sql: %s", strerror(-r));
	return 0;
}

/* The first parameter comes back, unless the file has another reason than ok. */
static int told_call(
	struct tend_attempt *a, const void *conf, const char *method, const json_t *args)
{
	const struct told_conf *c = conf;
	FILE *file = fopen(c->file, "re");
	char line[64] = "ok";
	int reason;

	if (file && !fgets(line, sizeof(line), file))
		line[0] = '\0';
	if (file)
		(void)fclose(file);
	line[strcspn(line, " \n")] = '\0';
	if (strcmp(line, "silence") == 0)
		return 0;
	reason = tend_reason_from_name(line);
	if (reason == TEND_REASON_OK)
		tend_attempt_outcome(a, json_pack("{s:[s], s:[O], s:b}", "columns", "n", "rows",
						json_object_get(args, "params"), "truncated", 0));
	tend_attempt_finish(a, reason < 0 ? TEND_REASON_INTERNAL : (enum tend_reason)reason,
		"%s: %s", method, line);
	return 0;
}

static int told_start(struct tend_attempt *a, const void *conf)
{
	const struct told_conf *c = conf;
	union { /* the ABI's data pointers are not const */
		const void *in;
		void *out;
	} data = {conf};

	if (c->ask)
		return ask(a, c);
	if (c->delay)
		return tend_timer_new(a, tend_now() + c->delay, answer, data.out, NULL);
	answer(a, data.out);
	return 0;
}

#ifdef TOLD_OF_DATABASE /* the same, as a plugin of its own */
#define TOLD_NAME "tolddb"
#else
#define TOLD_NAME "told"
#endif

static const struct tend_metric_doc told_metrics[] = {
	TEND_METRIC("sometimes", "", "what may have nothing to say"),
	TEND_METRIC_ALWAYS("ever", "", "what comes with each good result"),
	TEND_METRIC("NAME_rate", "", "what is known the second time"),
	TEND_METRIC("NAME", "", "what the file says"),
	{0},
};

static const struct tend_probe told_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = TOLD_NAME,
	.doc = "Answers what it is told.",
	.options = told_options,
	.conf_size = sizeof(struct told_conf),
	.start = told_start,
	.call = told_call,
	.metric_docs = told_metrics,
};
#ifdef TOLD_OF_DATABASE
TEND_PROBE(tolddb, &told_probe);
#else
TEND_PROBE(told, &told_probe);
#endif
