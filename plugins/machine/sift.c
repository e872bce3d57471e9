/* SPDX-License-Identifier: MIT */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "sift.h"
#include <errno.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_PATTERNS = 60,
	HASH_CHARS = 8,
	MAX_SEEN = 6000, /* kinds; the oldest go */
	MAX_EVENTS = 60, /* of a pattern, within the window: neighbours become one */
	MAX_TOLD_NEW = 16,
};

/* ---- options ---- */

static int check_expression(const char *what, const char *text, struct tend_error *err)
{
	PCRE2_SIZE offset = 0;
	int code = 0;
	pcre2_code *compiled =
		pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, 0, &code, &offset, NULL);

	if (!compiled)
		return tend_error_set(err, -EINVAL, "'%.64s': no expression from character %zu on",
			what, offset + 1);
	pcre2_code_free(compiled);
	return 0;
}

/* The value of "NAME=value" in a map; NULL. */
static const char *map_value(char *const *map, const char *name, size_t len)
{
	for (; map && *map; map++)
		if (strncmp(*map, name, len) == 0 && (*map)[len] == '=')
			return *map + len + 1;
	return NULL;
}

static int check_allowed(const struct sift_conf *conf, struct tend_error *err)
{
	for (char **row = conf->allowed; row && *row; row++) {
		size_t len = strcspn(*row, "=");
		char *end;

		if (!map_value(conf->patterns, *row, len))
			return tend_error_set(err, -EINVAL, "allow.%.*s: there is no pattern.%.*s",
				(int)len, *row, (int)len, *row);
		(void)strtoull(*row + len + 1, &end, 10);
		if (*end || end == *row + len + 1 || (*row)[len + 1] == '-')
			return tend_error_set(err, -EINVAL, "allow.%.*s: '%s' is no number",
				(int)len, *row, *row + len + 1);
	}
	return 0;
}

int sift_check(const struct sift_conf *conf, struct tend_error *err)
{
	size_t n = 0;
	int r = check_allowed(conf, err);

	for (char **row = conf->patterns; r == 0 && row && *row; row++, n++)
		r = check_expression(*row, strchr(*row, '=') + 1, err);
	for (char **row = conf->ignore; r == 0 && row && *row; row++, n++)
		r = check_expression(*row, strchr(*row, '=') + 1, err);
	if (r == 0 && n > MAX_PATTERNS)
		r = tend_error_set(err, -EINVAL, "more than %d expressions", MAX_PATTERNS);
	if (r == 0 && !conf->patterns && !conf->new)
		r = tend_error_set(
			err, -EINVAL, "nothing is looked for: set pattern.NAME, or new = yes");
	return r;
}

void sift_ask(const struct sift_conf *conf, const json_t *memory, json_t *args)
{
	json_t *patterns = json_object(), *ignore = json_array();

	for (char **row = conf->ignore; row && *row; row++)
		(void)json_array_append_new(ignore, json_string(strchr(*row, '=') + 1));
	for (char **row = conf->patterns; row && *row; row++) {
		size_t len = strcspn(*row, "=");
		char name[64];

		(void)snprintf(name, sizeof(name), "%.*s", (int)len, *row);
		(void)json_object_set_new(patterns, name, json_string(*row + len + 1));
	}
	(void)json_object_set_new(args, "patterns", patterns);
	(void)json_object_set_new(args, "ignore", ignore);
	if (conf->new)
		(void)json_object_set_new(args, "seen", json_string(doc_text(memory, "seen")));
}

/* ---- what matched ---- */

struct scene {
	const struct sift_conf *conf;
	const json_t *doc, *memory;
	double now, window;
	bool first, learning;
	struct verdict *v;
};

/* [[at, n], ...] of before that still count, and what has come now. */
static json_t *count_events(const struct scene *s, const json_t *before, double n, double *ret_sum)
{
	json_t *events = json_array();
	double sum = 0, step = s->window / MAX_EVENTS, last = 0, last_n = 0;
	const json_t *event;
	size_t i;

	json_array_foreach (before, i, event) {
		double at = json_number_value(json_array_get(event, 0)),
		       count = json_number_value(json_array_get(event, 1));

		if (at <= s->now - s->window || at > s->now + 1)
			continue;
		(void)json_array_append_new(events, json_pack("[f, f]", at, count));
		sum += count;
		last = at;
		last_n = count;
	}
	if (n > 0 && last > 0 && s->now - last < step)
		(void)json_array_set_new(
			events, json_array_size(events) - 1, json_pack("[f, f]", last, last_n + n));
	else if (n > 0)
		(void)json_array_append_new(events, json_pack("[f, f]", s->now, n));
	*ret_sum = sum + n;
	return events;
}

static void judge_pattern(struct scene *s, const char *name, const char *allowed, json_t *kept)
{
	const json_t *before = json_object_get(json_object_get(s->memory, "matches"), name);
	const json_t *now = json_object_get(json_object_get(s->doc, "matches"), name);
	double sum, n = s->first ? 0 : doc_number(now, "n", 0);
	const char *sample = n > 0 ? doc_text(now, "sample") : doc_text(before, "sample");
	double limit = allowed ? strtod(allowed, NULL) : 0;
	json_t *events = count_events(s, json_object_get(before, "events"), n, &sum);
	double undecided = doc_number(json_object_get(s->doc, "undecided"), name, 0);
	char span[32];

	verdict_metric(s->v, "matches", name, sum, "");
	if (sum > 0)
		(void)json_object_set_new(
			kept, name, json_pack("{s:O, s:s}", "events", events, "sample", sample));
	json_decref(events);
	if (sum > limit)
		verdict_fault(s->v, TEND_REASON_PATTERN_SEEN, "%s: %.0f in %s, the last: %.160s",
			name, sum, span_text(s->window, span), sample);
	if (undecided > 0)
		verdict_fault(s->v, TEND_REASON_NO_EVIDENCE,
			"%s: %.0f lines took too long to be matched, the expression is too costly",
			name, undecided);
}

static json_t *judge_patterns(struct scene *s)
{
	json_t *kept = json_object();

	for (char **row = s->conf->patterns; row && *row; row++) {
		size_t len = strcspn(*row, "=");
		char name[64];

		(void)snprintf(name, sizeof(name), "%.*s", (int)len, *row);
		judge_pattern(s, name, map_value(s->conf->allowed, *row, len), kept);
	}
	return kept;
}

/* ---- kinds ---- */

static json_t *seen_after(const struct scene *s)
{
	const char *before = doc_text(s->memory, "seen");
	const json_t *fresh = json_object_get(s->doc, "new"), *one;
	size_t i, n_new = json_array_size(fresh), n = strlen(before) / HASH_CHARS;
	size_t skip = n + n_new > MAX_SEEN ? n + n_new - MAX_SEEN : 0, len = 0;
	char *text = malloc((n + n_new) * HASH_CHARS + 1);
	json_t *json;

	if (!text)
		return NULL;
	skip = skip < n ? skip : n;
	len = (n - skip) * HASH_CHARS;
	memcpy(text, before + skip * HASH_CHARS, len);
	json_array_foreach (fresh, i, one) {
		const char *hash = doc_text(one, "hash");

		if (strlen(hash) == HASH_CHARS) {
			memcpy(text + len, hash, HASH_CHARS);
			len += HASH_CHARS;
		}
	}
	text[len] = '\0';
	json = json_string(text);
	free(text);
	return json;
}

static void tell_new(struct scene *s, json_t *told, double at, const char *source, const char *text)
{
	verdict_fault(s->v, TEND_REASON_PATTERN_NEW, "never seen before: %s%s%.160s", source,
		source[0] ? ": " : "", text);
	if (json_array_size(told) < MAX_TOLD_NEW)
		(void)json_array_append_new(told, json_pack("[f, s, s]", at, source, text));
}

/* A new kind is told for as long as a match counts. */
static json_t *judge_kinds(struct scene *s)
{
	json_t *told = json_array();
	const json_t *one;
	size_t i, n_new = 0;

	json_array_foreach (json_object_get(s->doc, "new"), i, one) {
		if (s->learning)
			continue;
		tell_new(s, told, s->now, doc_text(one, "source"), doc_text(one, "template"));
		n_new++;
	}
	json_array_foreach (json_object_get(s->memory, "told"), i, one) {
		double at = json_number_value(json_array_get(one, 0));
		const char *source = json_string_value(json_array_get(one, 1)),
			   *text = json_string_value(json_array_get(one, 2));

		if (at > s->now - s->window && at <= s->now + 1 && source && text)
			tell_new(s, told, at, source, text);
	}
	verdict_metric(s->v, "new_kinds", NULL, (double)n_new, "");
	return told;
}

void sift_judge(const struct sift_conf *conf, const json_t *doc, const json_t *memory, bool first,
	struct verdict *v)
{
	struct scene s = {
		.conf = conf,
		.doc = doc,
		.memory = memory,
		.first = first,
		.now = doc_number(doc, "now", 0),
		.window = (double)conf->window / 1e6,
		.v = v,
	};
	double since = doc_number(memory, "since", s.now), last = doc_number(memory, "now", 0);
	double lines = doc_number(doc, "lines", 0);

	s.learning = first || s.now - since < (double)conf->learn / 1e6;
	v->memory = json_pack("{s:f, s:f}", "since", since, "now", s.now);
	(void)json_object_set_new(v->memory, "matches", judge_patterns(&s));
	if (conf->new) {
		(void)json_object_set_new(v->memory, "told", judge_kinds(&s));
		(void)json_object_set_new(v->memory, "seen", seen_after(&s));
	}
	if (!first && last > 0 && s.now > last)
		verdict_metric(v, "line_rate", NULL, lines / (s.now - last), "");
	verdict_well(v, "%.0f new lines, nothing that is looked for%s%s", first ? 0 : lines,
		conf->new &&s.learning ? "; kinds are being learned" : "",
		doc_flag(doc, "more") ? "; there is more to read" : "");
}
