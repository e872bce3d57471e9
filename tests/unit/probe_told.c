/* SPDX-License-Identifier: MIT */
/*
 * A probe that answers what a file says: "REASON [METRIC=VALUE]...", or "silence" until its
 * deadline. It is what tests of the core put in; it judges nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tend/plugin.h>

struct told_conf {
	char *file;
	usec_t delay;
};

static const struct tend_option told_options[] = {
	TEND_OPT(STRING, struct told_conf, file, "file", NULL, "Where the answer stands.",
		.flags = TEND_OPTION_REQUIRED),
	TEND_OPT(USEC, struct told_conf, delay, "delay", "0", "How long it takes."),
	TEND_OPTION_END,
};

static void add_metrics(struct tend_attempt *a, char *words)
{
	char *rest = NULL;

	for (char *word = strtok_r(words, " \n", &rest); word;
		word = strtok_r(NULL, " \n", &rest)) {
		char *equals = strchr(word, '=');

		if (!equals)
			continue;
		*equals = '\0';
		(void)tend_attempt_metric(a, word, atof(equals + 1), "");
	}
}

static void answer(struct tend_attempt *a, void *data)
{
	const struct told_conf *conf = data;
	FILE *file = fopen(conf->file, "re");
	char line[256] = "ok", *words;
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
	tend_attempt_finish(
		a, reason < 0 ? TEND_REASON_INTERNAL : (enum tend_reason)reason, "told: %s", line);
}

static int told_start(struct tend_attempt *a, const void *conf)
{
	const struct told_conf *c = conf;
	union { /* the ABI's data pointers are not const */
		const void *in;
		void *out;
	} data = {conf};

	if (c->delay)
		return tend_timer_new(a, tend_now() + c->delay, answer, data.out, NULL);
	answer(a, data.out);
	return 0;
}

static const struct tend_probe told_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "told",
	.doc = "Answers what it is told.",
	.options = told_options,
	.conf_size = sizeof(struct told_conf),
	.start = told_start,
};
TEND_PROBE(told, &told_probe);
