/* SPDX-License-Identifier: MIT */
/*
 * What was expected against what was seen. Entries are taken in their order; each takes the
 * earliest event that fits and is not earlier than the one before it (events of the same moment
 * have no order). Actions and pages that nobody expected are failures.
 */
#include <string.h>
#include "base/clock.h"
#include "base/str.h"
#include "rehearse/play.h"

struct judging {
	const struct play *play;
	json_t *failures;
	usec_t last; /* of the event that was taken last */
};

static const char *const kind_fields[SEEN_KIND_MAX][2] = {
	[SEEN_ACTION] = {"verb", NULL},
	[SEEN_NOTICE] = {"notice", "check"},
	[SEEN_PAGE] = {"policy", NULL},
	[SEEN_APPROVAL] = {"policy", NULL},
	[SEEN_RUN] = {"policy", "state"},
	[SEEN_REFUSAL] = {"policy", NULL},
	[SEEN_STATE] = {"check", "state"},
};

static usec_t at_of(const json_t *event)
{
	return (usec_t)json_integer_value(json_object_get(event, "at"));
}

static bool text_fits(const json_t *value, const char *pattern)
{
	auto_free char *text = NULL;
	size_t i;
	json_t *item;

	if (json_is_string(value))
		return str_glob(pattern, json_string_value(value));
	if (json_is_array(value)) {
		json_array_foreach ((json_t *)(uintptr_t)value, i, item)
			if (text_fits(item, pattern))
				return true;
		return false;
	}
	text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	return text && str_glob(pattern, text);
}

static bool is_ours(const char *key)
{
	return strcmp(key, "times") == 0 || strcmp(key, "within") == 0 || strcmp(key, "after") == 0;
}

static bool fits(const struct expectation *x, const json_t *event)
{
	const char *kind = json_string_value(json_object_get(event, "kind"));
	const json_t *args = json_object_get(event, "args");

	if (!str_eq(kind, seen_kind_names[x->kind]))
		return false;
	for (size_t i = 0; i < 2 && words_plain(x->words, x->first + i); i++)
		if (!text_fits(json_object_get(event, kind_fields[x->kind][i]),
			    words_plain(x->words, x->first + i)))
			return false;
	for (size_t i = 0; i < x->words->n; i++) {
		const struct word *word = &x->words->list[i];
		const json_t *value;

		if (!word->key || is_ours(word->key))
			continue;
		value = json_object_get(event, word->key);
		if (!value)
			value = json_object_get(args, word->key);
		if (!text_fits(value, word->text))
			return false;
	}
	return true;
}

static bool is_taken(const json_t *event)
{
	return json_object_get(event, "expected") != NULL;
}

__attribute__((format(printf, 4, 5))) static void fail(
	struct judging *jd, const char *mark, const struct expectation *x, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)json_array_append_new(
		jd->failures, json_pack("{s:s, s:s*, s:i, s:s}", "mark", mark, "expected",
				      x ? x->words->text : NULL, "line",
				      x ? (int)x->words->line : 0, "text", text));
}

static json_t *find(struct judging *jd, const struct expectation *x, bool in_order)
{
	size_t i;
	json_t *event;

	json_array_foreach (jd->play->seen, i, event)
		if (!is_taken(event) && (!in_order || at_of(event) >= jd->last) && fits(x, event))
			return event;
	return NULL;
}

static void check_times(struct judging *jd, const struct expectation *x, usec_t at)
{
	char span[CLOCK_TEXT_BYTES];
	usec_t since = at > jd->last ? at - jd->last : 0;

	if (x->within != USEC_INFINITY && since > x->within)
		fail(jd, "late", x, "it came %s after the entry before it",
			clock_format_span(since, span));
	if (since < x->after)
		fail(jd, "early", x, "it came %s after the entry before it",
			clock_format_span(since, span));
}

static void take_one(struct judging *jd, const struct expectation *x)
{
	json_t *event = find(jd, x, true), *earlier;
	char span[CLOCK_TEXT_BYTES];

	if (event) {
		check_times(jd, x, at_of(event));
		jd->last = at_of(event);
		(void)json_object_set_new(
			event, "expected", json_integer((json_int_t)x->words->line));
		return;
	}
	earlier = find(jd, x, false);
	if (!earlier) {
		fail(jd, "missing", x, "it never came");
		return;
	}
	fail(jd, "order", x, "it came too early, after %s",
		clock_format_span(at_of(earlier), span));
	(void)json_object_set_new(earlier, "expected", json_integer((json_int_t)x->words->line));
}

static void judge_state(struct judging *jd, const struct expectation *x)
{
	const char *check = words_plain(x->words, x->first);
	size_t i;
	json_t *event;

	json_array_foreach (jd->play->seen, i, event) {
		const char *state = json_string_value(json_object_get(event, "state"));

		if (!text_fits(json_object_get(event, "kind"), "state") ||
			!text_fits(json_object_get(event, "check"), check))
			continue;
		if (!str_glob(words_plain(x->words, x->first + 1), state ? state : ""))
			fail(jd, "state", x, "%s is %s",
				json_string_value(json_object_get(event, "check")),
				state ? state : "?");
	}
}

static void judge_never(struct judging *jd, const struct expectation *x)
{
	size_t i;
	json_t *event;
	char span[CLOCK_TEXT_BYTES];

	json_array_foreach (jd->play->seen, i, event)
		if (fits(x, event)) {
			fail(jd, "forbidden", x, "it came after %s",
				clock_format_span(at_of(event), span));
			return;
		}
}

static void judge_rest(struct judging *jd)
{
	size_t i;
	json_t *event;

	json_array_foreach (jd->play->seen, i, event) {
		const json_t *kind = json_object_get(event, "kind");

		if (is_taken(event) || (!text_fits(kind, "action") && !text_fits(kind, "page")))
			continue;
		(void)json_array_append_new(jd->failures,
			json_pack("{s:s, s:O, s:i, s:s}", "mark", "unexpected", "event", event,
				"line", 0, "text", "nobody expected it"));
	}
}

json_t *judge_failures(const struct play *p)
{
	struct judging jd = {.play = p, .failures = json_array()};

	VEC_FOREACH (&p->scenario->expected, const struct expectation *, x) {
		if (x->kind == SEEN_STATE)
			judge_state(&jd, x);
		else if (x->never)
			judge_never(&jd, x);
		else
			for (unsigned i = 0; i < x->times; i++)
				take_one(&jd, x);
	}
	judge_rest(&jd);
	return jd.failures;
}
