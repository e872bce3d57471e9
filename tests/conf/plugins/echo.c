/* SPDX-License-Identifier: MIT */
/* A probe with an option of every type, for the fixtures; it never runs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tend/plugin.h>

struct echo_conf {
	bool loud;
	int64_t count;
	double ratio;
	usec_t wait;
	uint64_t size;
	char *say;
	char *text;
	char **words;
	int colour;
	char *password;
	char **header;
	char *prepared; /* check() makes it, clear() frees it */
};

static const char *const colours[] = {"red", "green", "blue", NULL};

static const struct tend_option echo_options[] = {
	TEND_OPT(BOOL, struct echo_conf, loud, "loud", "no", "Loudly."),
	TEND_OPT(INT, struct echo_conf, count, "count", "1", "How often.", .min = 1, .max = 9),
	TEND_OPT(DOUBLE, struct echo_conf, ratio, "ratio", "0.5", "A ratio.", .max = 1),
	TEND_OPT(USEC, struct echo_conf, wait, "wait", NULL, "A pause.", .min = 1000, .max = 2e6),
	TEND_OPT(BYTES, struct echo_conf, size, "size", "64K", "A size."),
	TEND_OPT(STRING, struct echo_conf, say, "say", NULL, "What is said."),
	TEND_OPT(STRING, struct echo_conf, text, "text", "hello", "More that is said."),
	TEND_OPT(LIST, struct echo_conf, words, "words", "a, b", "Words."),
	TEND_OPT(ENUM, struct echo_conf, colour, "colour", NULL, "A colour.", .names = colours),
	TEND_OPT(SECRET, struct echo_conf, password, "password", NULL, "A secret."),
	TEND_OPT(MAP, struct echo_conf, header, "header", NULL, "Headers."),
	TEND_OPTION_END,
};

static int echo_check(void *conf, struct tend_error *err)
{
	struct echo_conf *c = conf;

	if (c->say && strcmp(c->say, "wrong") == 0)
		return tend_error_set(err, -EINVAL, "say: 'wrong' is not what one says");
	c->prepared = strdup(c->text ? c->text : "");
	return c->prepared ? 0 : -ENOMEM;
}

static void echo_clear(void *conf)
{
	struct echo_conf *c = conf;

	free(c->prepared);
	c->prepared = NULL;
}

static int echo_start(struct tend_attempt *a, const void *conf)
{
	(void)a;
	(void)conf;
	return -ENOSYS;
}

static int echo_call(
	struct tend_attempt *a, const void *conf, const char *method, const struct json_t *args)
{
	(void)method;
	(void)args;
	return echo_start(a, conf);
}

static size_t echo_metrics(const void *conf, const char *ret_names[TEND_METRICS_MAX])
{
	const struct echo_conf *c = conf;

	if (!c->say || strcmp(c->say, "measures") != 0)
		return 0;
	ret_names[0] = "loudness";
	ret_names[1] = "words";
	return 2;
}

static const struct tend_probe echo_probe = {
	.abi = TEND_PLUGIN_ABI,
	.name = "echo",
	.doc = "Says what it was told.",
	.options = echo_options,
	.conf_size = sizeof(struct echo_conf),
	.check = echo_check,
	.clear = echo_clear,
	.metrics = echo_metrics,
	.start = echo_start,
	.call = echo_call,
};
TEND_PROBE(echo, &echo_probe);
