/* SPDX-License-Identifier: MIT */
#include "rehearse/scenario.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "base/fs.h"
#include "base/str.h"
#include <tend/reason.h>
#include "conf/options.h"

enum { MAX_ENTRIES = 5000, MAX_SPAN_DAYS = 1100 };
#define DAY_USEC (24 * 3600 * USEC_PER_SEC)

const char *const answer_outcome_names[] = {"done", "failed", "refused", "unknown", "never", NULL};

const char *const seen_kind_names[SEEN_KIND_MAX] = {
	[SEEN_ACTION] = "action",
	[SEEN_NOTICE] = "notice",
	[SEEN_PAGE] = "page",
	[SEEN_APPROVAL] = "approval",
	[SEEN_RUN] = "run",
	[SEEN_REFUSAL] = "refusal",
	[SEEN_STATE] = "state",
	[SEEN_OTHER] = "-",
};

/* What a kind of entry takes: plain words behind its name, and keys; `any` key is fine, too. */
struct grammar {
	const char *name;
	size_t min, max;
	const char *keys; /* " a b c " */
	bool any;
	const char *form; /* for the error */
};

static const struct grammar at_grammar[AT_KIND_MAX] = {
	[AT_FAIL] = {"fail", 2, 2, " text for ", true,
		"fail CHECK REASON [text=TEXT] [METRIC=NUMBER...] [for=SPAN]"},
	[AT_HEAL] = {"heal", 1, 50, " ", false, "heal CHECK..."},
	[AT_FLAP] = {"flap", 2, 2, " every for text ", true,
		"flap CHECK REASON every=SPAN [for=SPAN]"},
	[AT_SET] = {"set", 1, 1, " ", true, "set CHECK METRIC=NUMBER..."},
	[AT_UNIT] = {"unit", 2, 2, " memory ", false, "unit UNIT STATE [memory=BYTES]"},
	[AT_RUN] = {"run", 1, 2, " by ", true, "run POLICY [TARGET] [by=PERSON] [PARAM=VALUE...]"},
	[AT_APPROVE] = {"approve", 0, 1, " by ", false, "approve [POLICY] [by=PERSON]"},
	[AT_DENY] = {"deny", 0, 1, " by reason ", false, "deny [POLICY] [by=PERSON] [reason=TEXT]"},
	[AT_CANCEL] = {"cancel", 1, 1, " by reason ", false,
		"cancel POLICY [by=PERSON] [reason=TEXT]"},
	[AT_EVENT] = {"event", 1, 1, " component ", true,
		"event TYPE [component=NAME] [KEY=VALUE...]"},
	[AT_PAUSE] = {"pause", 0, 0, " by reason ", false, "pause [by=PERSON] [reason=TEXT]"},
	[AT_RESUME] = {"resume", 0, 0, " by ", false, "resume [by=PERSON]"},
	[AT_RESTART] = {"restart", 0, 0, " ", false, "restart"},
	[AT_KILL_RUNNER] = {"kill-runner", 0, 1, " ", false, "kill-runner [POLICY]"},
	[AT_CLOCK] = {"clock", 1, 1, " ", false, "clock [-]SPAN"},
	[AT_ACKNOWLEDGE] = {"acknowledge", 1, 1, " by reason ", false,
		"acknowledge CHECK [by=PERSON]"},
	[AT_PEOPLE] = {"people", 1, 1, " for ", false, "people TEXT|none [for=SPAN]"},
};

static const struct grammar expect_grammar[SEEN_OTHER] = {
	[SEEN_ACTION] = {"action", 1, 1, " on outcome times within after ", true,
		"action VERB [ARG=PATTERN...] [on=COMPONENT] [outcome=OUTCOME] [times=N]"},
	[SEEN_NOTICE] = {"notice", 1, 2, " text severity to times within after ", false,
		"notice KIND [CHECK] [text=PATTERN] [severity=S] [to=RECEIVER]"},
	[SEEN_PAGE] = {"page", 0, 1, " text to times within after ", false,
		"page [POLICY] [text=PATTERN] [to=RECEIVER]"},
	[SEEN_APPROVAL] = {"approval", 1, 1, " text on times within after ", false,
		"approval POLICY [text=PATTERN]"},
	[SEEN_RUN] = {"run", 2, 2, " message on times within after ", false,
		"run POLICY STATE [message=PATTERN] [on=COMPONENT]"},
	[SEEN_REFUSAL] = {"refusal", 0, 1, " text times within after ", false,
		"refusal [POLICY] [text=PATTERN]"},
	[SEEN_STATE] = {"state", 2, 2, " ", false, "state CHECK STATE"},
};

/* What is being read. */
struct reading {
	struct scenario_file *file;
	struct conf_errors *errors;
	struct scenario *scenario;
	const struct conf_section *section;
	const char *text; /* of the whole file, to find the lines of entries */
};

__attribute__((format(printf, 3, 4))) static int fault(
	struct reading *rd, unsigned line, const char *format, ...)
{
	char text[TEND_ERROR_TEXT_BYTES];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	return conf_errors_add(rd->errors, rd->file->path, line, -EINVAL, "%s", text);
}

static int unknown_name(struct reading *rd, unsigned line, const char *what, const char *name,
	const char *const *names, size_t n)
{
	const char *near = str_nearest(name, names, n);

	return fault(rd, line, "'%.64s' is no %s%s%s%s", name, what, near ? ", did you mean '" : "",
		near ? near : "", near ? "'?" : "");
}

/* ---- freeing
 * ------------------------------------------------------------------------------------------------
 */

static void words_vec_clear(struct vec *v)
{
	VEC_FOREACH (v, struct words *, words)
		words_free(words);
	vec_clear(v);
}

static void scenario_free(struct scenario *s)
{
	VEC_FOREACH (&s->at, struct at_entry *, entry) {
		words_free(entry->words);
		free(entry);
	}
	VEC_FOREACH (&s->answers, struct answer *, answer) {
		words_free(answer->words);
		json_decref(answer->value);
		free(answer);
	}
	VEC_FOREACH (&s->expected, struct expectation *, expectation) {
		words_free(expectation->words);
		free(expectation);
	}
	words_vec_clear(&s->settings);
	vec_clear(&s->at);
	vec_clear(&s->answers);
	vec_clear(&s->expected);
	strv_free(s->policies);
	free(s->name);
	free(s->doc);
	free(s->timezone);
	free(s);
}

struct scenario_file *scenario_file_free(struct scenario_file *file)
{
	if (!file)
		return NULL;
	VEC_FOREACH (&file->scenarios, struct scenario *, scenario)
		scenario_free(scenario);
	vec_clear(&file->scenarios);
	conf_sections_clear(&file->sections);
	free(file->path);
	free(file);
	return NULL;
}

/* ---- entries and their lines
 * ---------------------------------------------------------------------------------- */

static const char *line_start(const char *text, unsigned line)
{
	while (text && line > 1) {
		text = strchr(text, '\n');
		if (text)
			text++;
		line--;
	}
	return text;
}

static bool counts(const char *line)
{
	line += strspn(line, " \t");
	return *line && *line != '\n' && *line != '\r' && *line != '#' && *line != ';';
}

/* The reader leaves comments out of a value, so lines are counted in the file itself: the n-th line
 * of a value whose key stands in line `key`. */
static unsigned line_of(const char *text, unsigned key, unsigned n)
{
	const char *p = line_start(text, key);
	unsigned line = key;

	for (; p && n > 0; line++) {
		p = strchr(p, '\n');
		if (!p || !*++p)
			return line;
		n -= counts(p);
	}
	return line;
}

/* The reader puts no newline behind an empty first line. */
static unsigned first_line_is_empty(const char *text, unsigned key)
{
	const char *line = line_start(text, key);
	const char *value = line ? strpbrk(line, "=:") : NULL;

	return value && !counts(value + 1);
}

/* Calls fn for each line of the key's value. */
static void each_entry(
	struct reading *rd, const char *key, void (*fn)(struct reading *rd, struct words *words))
{
	const struct conf_key *k = conf_section_key(rd->section, key);
	const char *p = k ? k->value : "";
	unsigned n = 0, n_entries = 0;
	unsigned first = k ? first_line_is_empty(rd->text, k->line) : 0;

	for (; *p; n++) {
		size_t len = strcspn(p, "\n");
		auto_free char *text = strndup(p, len);
		struct tend_error why = {0};
		struct words *words = NULL;
		unsigned line = line_of(rd->text, k->line, n + first);

		p += len + (p[len] == '\n');
		if (++n_entries > MAX_ENTRIES) {
			(void)fault(rd, line, "more than %d entries in '%s'", MAX_ENTRIES, key);
			return;
		}
		if (!text || words_parse(text, line, &words, &why) < 0)
			(void)fault(rd, line, "%s", why.text[0] ? why.text : "no memory");
		else if (words->n > 0)
			fn(rd, words);
		else
			words_free(words);
	}
}

static bool key_known(const struct grammar *g, const char *key)
{
	const char *p = g->keys;
	size_t n = strlen(key);

	for (; (p = strstr(p, key)); p++)
		if (p > g->keys && p[-1] == ' ' && p[n] == ' ')
			return true;
	return false;
}

/* `skip` plain words stand before those that are the kind's. */
static int check_grammar(
	struct reading *rd, const struct grammar *g, const struct words *words, size_t skip)
{
	size_t n = words_n_plain(words) - skip;

	if (n < g->min || n > g->max)
		return fault(
			rd, words->line, "too %s words: %s", n < g->min ? "few" : "many", g->form);
	for (size_t i = 0; i < words->n; i++)
		if (words->list[i].key && !g->any && !key_known(g, words->list[i].key))
			return fault(rd, words->line, "'%s' takes no '%s=': %s", g->name,
				words->list[i].key, g->form);
	return 0;
}

/* ---- times
 * --------------------------------------------------------------------------------------------------
 */

int local_time_parse(const char *text, const char *zone, usec_t *ret_wall)
{
	struct tm tm = {.tm_isdst = -1};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t sec;

	if (!end) {
		tm = (struct tm){.tm_isdst = -1};
		end = strptime(text, "%Y-%m-%dT%H:%M", &tm);
	}
	if (!end || *end)
		return -EINVAL;
	tm.tm_isdst = -1;
	if (setenv("TZ", zone, 1) < 0)
		return -errno;
	tzset();
	sec = mktime(&tm);
	if (sec <= 0)
		return -EINVAL;
	*ret_wall = (usec_t)sec * USEC_PER_SEC;
	return 0;
}

static bool zone_exists(const char *zone)
{
	auto_free char *path = str_printf("/usr/share/zoneinfo/%s", zone);
	struct stat st;

	if (strcmp(zone, "UTC") == 0)
		return true;
	return path && zone[0] != '/' && !strstr(zone, "..") && stat(path, &st) == 0 &&
	       S_ISREG(st.st_mode);
}

static int parse_when(struct reading *rd, const struct words *words, usec_t *ret_at)
{
	const char *text = words_plain(words, 0);
	usec_t wall = 0;

	if (!text)
		return fault(rd, words->line, "a time is missing: 10m, 1h30m, 2026-03-02T03:00");
	if (span_parse(text, ret_at) == 0)
		return 0;
	if (local_time_parse(text, rd->scenario->timezone, &wall) < 0)
		return fault(rd, words->line,
			"'%.64s' is no time: write 10m, 1h30m (after the start) or "
			"2026-03-02T03:00",
			text);
	if (wall < rd->scenario->start_wall)
		return fault(rd, words->line, "%s is before the start", text);
	*ret_at = wall - rd->scenario->start_wall;
	return 0;
}

/* ---- at
 * -----------------------------------------------------------------------------------------------------
 */

const char *const at_kind_names[AT_KIND_MAX] = {
	"fail",
	"heal",
	"flap",
	"set",
	"unit",
	"run",
	"approve",
	"deny",
	"cancel",
	"event",
	"pause",
	"resume",
	"restart",
	"kill-runner",
	"clock",
	"acknowledge",
	"people",
};

static int check_metrics(struct reading *rd, const struct words *words, const struct grammar *g)
{
	double number;

	for (size_t i = 0; i < words->n; i++)
		if (words->list[i].key && !key_known(g, words->list[i].key) &&
			conf_parse_double(words->list[i].text, &number) < 0)
			return fault(rd, words->line, "%s=%s: a metric is a number",
				words->list[i].key, words->list[i].text);
	return 0;
}

static int check_reason(struct reading *rd, const struct words *words, size_t i)
{
	const char *names[TEND_REASON_MAX];
	const char *name = words_plain(words, i);

	for (int k = 0; k < TEND_REASON_MAX; k++)
		names[k] = tend_reason_name((enum tend_reason)k);
	if (tend_reason_from_name(name) >= 0)
		return 0;
	return unknown_name(rd, words->line, "reason", name, names, TEND_REASON_MAX);
}

static int check_unit_state(struct reading *rd, const struct words *words)
{
	static const char *const names[] = {
		"running", "ended", "stopped", "masked", "changing", "missing", "unknown"};
	const char *name = words_plain(words, 3), *memory = words_value(words, "memory");

	if (memory &&
		(!*memory || strspn(memory, "0123456789") != strlen(memory) || strlen(memory) > 15))
		return fault(rd, words->line, "memory is a number of bytes, not '%.64s'", memory);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return 0;
	return unknown_name(rd, words->line, "state of a unit", name, names, ARRAY_SIZE(names));
}

static int check_at(struct reading *rd, enum at_kind kind, const struct words *words)
{
	const struct grammar *g = &at_grammar[kind];
	struct tend_error why = {0};
	usec_t span = 0;
	int r = check_grammar(rd, g, words, 2);

	if (r == 0 && (kind == AT_FAIL || kind == AT_FLAP))
		r = check_reason(rd, words, 3);
	if (r == 0 && (kind == AT_FAIL || kind == AT_FLAP || kind == AT_SET))
		r = check_metrics(rd, words, g);
	if (r == 0 && kind == AT_FLAP && !words_value(words, "every"))
		r = fault(rd, words->line, "flap needs every=SPAN");
	if (r == 0 && kind == AT_UNIT)
		r = check_unit_state(rd, words);
	if (r < 0)
		return r;
	if (kind == AT_CLOCK) {
		const char *text = words_plain(words, 2);

		if (span_parse(text + (*text == '-' || *text == '+'), &span) < 0)
			return fault(rd, words->line, "'%s' is no span: write 2h, -30m", text);
	}
	if (kind != AT_RUN && kind != AT_EVENT &&
		(words_span(words, "for", &span, &why) < 0 ||
			words_span(words, "every", &span, &why) < 0))
		return fault(rd, words->line, "%s", why.text);
	return 0;
}

static void add_at(struct reading *rd, struct words *words)
{
	auto(words_free) struct words *owned = words;
	const char *name = words_plain(words, 1);
	struct at_entry *entry;
	usec_t at;
	int kind = -1;

	if (parse_when(rd, words, &at) < 0)
		return;
	for (int i = 0; name && i < AT_KIND_MAX; i++)
		if (strcmp(at_kind_names[i], name) == 0)
			kind = i;
	if (kind < 0) {
		(void)unknown_name(rd, words->line, "entry of a timeline", name ? name : "",
			at_kind_names, AT_KIND_MAX);
		return;
	}
	if (at > rd->scenario->duration)
		(void)fault(rd, words->line, "this is after the end of the scenario");
	if (check_at(rd, (enum at_kind)kind, words) < 0)
		return;
	entry = calloc(1, sizeof(*entry));
	if (!entry || vec_push(&rd->scenario->at, entry) < 0) {
		free(entry);
		return;
	}
	*entry = (struct at_entry){.kind = (enum at_kind)kind, .at = at, .words = TAKE(owned)};
}

/* ---- answer
 * -------------------------------------------------------------------------------------------------
 */

const char *answer_option(const struct answer *answer, const char *key)
{
	const struct words *words = answer->words;

	for (size_t i = answer->arrow + 1; i < words->n; i++)
		if (words->list[i].key && strcmp(words->list[i].key, key) == 0)
			return words->list[i].text;
	return NULL;
}

static size_t find_arrow(const struct words *words)
{
	for (size_t i = 0; i < words->n; i++)
		if (!words->list[i].key && strcmp(words->list[i].text, "->") == 0)
			return i;
	return words->n;
}

static int load_value(struct reading *rd, struct answer *answer)
{
	const char *text = answer_option(answer, "value");
	auto_free char *data = NULL, *path = NULL;
	json_error_t why;
	size_t len;

	if (!text)
		return 0;
	if (*text == '@') {
		const char *slash = strrchr(rd->file->path, '/');

		path = str_printf("%.*s%s", slash ? (int)(slash - rd->file->path) + 1 : 0,
			rd->file->path, text + 1);
		if (!path || fs_read_file(path, 4 << 20, &data, &len) < 0)
			return fault(rd, answer->words->line, "cannot read %s: %m", text + 1);
	}
	answer->value = json_loads(data ? data : text, JSON_DECODE_ANY, &why);
	if (!answer->value)
		return fault(rd, answer->words->line, "value= is no JSON: %s", why.text);
	return 0;
}

static int check_answer_options(struct reading *rd, const struct answer *answer)
{
	static const char *const names[] = {"after", "value", "message", "heals", "breaks",
		"progress", "meanwhile", "times", "risk"};
	const struct words *words = answer->words;

	for (size_t i = answer->arrow + 2; i < words->n; i++) {
		const char *key = words->list[i].key;
		bool known = false;

		for (size_t k = 0; key && k < ARRAY_SIZE(names); k++)
			known = known || strcmp(names[k], key) == 0;
		if (!known)
			return unknown_name(rd, words->line, "part of an answer",
				key ? key : words->list[i].text, names, ARRAY_SIZE(names));
	}
	const char *meanwhile = answer_option(answer, "meanwhile");
	if (meanwhile && strcmp(meanwhile, "restart") != 0 && strcmp(meanwhile, "kill-runner") != 0)
		return fault(
			rd, words->line, "meanwhile= is restart or kill-runner, not %s", meanwhile);
	return 0;
}

static int parse_answer(struct reading *rd, struct answer *answer)
{
	struct words *words = answer->words;
	const char *outcome, *text;
	int64_t times;
	int k;

	answer->arrow = find_arrow(words);
	if (answer->arrow == words->n || answer->arrow == 0 || words->list[0].key)
		return fault(rd, words->line, "an answer is VERB [ARG=PATTERN...] -> OUTCOME ...");
	answer->verb = words->list[0].text;
	outcome = answer->arrow + 1 < words->n && !words->list[answer->arrow + 1].key
			  ? words->list[answer->arrow + 1].text
			  : "";
	for (k = 0; answer_outcome_names[k]; k++)
		if (strcmp(answer_outcome_names[k], outcome) == 0)
			break;
	if (!answer_outcome_names[k])
		return unknown_name(rd, words->line, "outcome", outcome, answer_outcome_names, 5);
	answer->outcome = (enum answer_outcome)k;
	if (check_answer_options(rd, answer) < 0)
		return -EINVAL;
	text = answer_option(answer, "after");
	answer->has_after = text != NULL;
	if (text && span_parse(text, &answer->after) < 0)
		return fault(rd, words->line, "after=%s is no span", text);
	text = answer_option(answer, "times");
	if (text && (conf_parse_int(text, &times) < 0 || times < 1 || times > 1000000))
		return fault(rd, words->line, "times=%s is no number", text);
	answer->times = text ? (unsigned)times : 0;
	return load_value(rd, answer);
}

static void add_answer(struct reading *rd, struct words *words)
{
	struct answer *answer = calloc(1, sizeof(*answer));

	if (!answer || vec_push(&rd->scenario->answers, answer) < 0) {
		words_free(words);
		free(answer);
		return;
	}
	answer->words = words;
	(void)parse_answer(rd, answer);
}

/* ---- expect
 * -------------------------------------------------------------------------------------------------
 */

static int kind_of_expectation(struct reading *rd, const struct words *words, const char *name)
{
	for (int i = 0; name && i < SEEN_OTHER; i++)
		if (strcmp(seen_kind_names[i], name) == 0)
			return i;
	return unknown_name(
		rd, words->line, "expectation", name ? name : "", seen_kind_names, SEEN_OTHER);
}

static int parse_expectation(struct reading *rd, struct expectation *x)
{
	struct words *words = x->words;
	const char *times = words_value(words, "times");
	struct grammar g;
	struct tend_error why = {0};
	int64_t n = 1;
	int kind;

	x->never = words_plain(words, 0) && strcmp(words_plain(words, 0), "no") == 0;
	kind = kind_of_expectation(rd, words, words_plain(words, x->never ? 1 : 0));
	if (kind < 0)
		return kind;
	x->kind = (enum seen_kind)kind;
	x->first = x->never ? 2 : 1;
	g = expect_grammar[kind];
	if (x->never)
		g.min = 0; /* `no action': none whatever */
	if (check_grammar(rd, &g, words, x->first) < 0)
		return -EINVAL;
	if (times && (conf_parse_int(times, &n) < 0 || n < 1 || n > 100000))
		return fault(rd, words->line, "times=%s is no number", times);
	x->times = (unsigned)n;
	x->within = USEC_INFINITY;
	if (words_span(words, "within", &x->within, &why) < 0 ||
		words_span(words, "after", &x->after, &why) < 0)
		return fault(rd, words->line, "%s", why.text);
	return 0;
}

static void add_expectation(struct reading *rd, struct words *words)
{
	struct expectation *x = calloc(1, sizeof(*x));

	if (!x || vec_push(&rd->scenario->expected, x) < 0) {
		words_free(words);
		free(x);
		return;
	}
	x->words = words;
	(void)parse_expectation(rd, x);
}

static void add_setting(struct reading *rd, struct words *words)
{
	const char *close = strchr(words->text, ']');

	if (words->text[0] != '[' || !close || !strchr(close, '='))
		(void)fault(rd, words->line, "a setting is [SECTION NAME] KEY = VALUE");
	if (vec_push(&rd->scenario->settings, words) < 0)
		words_free(words);
}

/* ---- the section
 * ------------------------------------------------------------------------------------------------
 */

struct head {
	char *doc, *start, *timezone;
	usec_t duration, real_limit;
	char **policies;
	char *settings, *at, *answer, *expect;
};

#define HEAD(kind, member, ...) TEND_OPT(kind, struct head, member, __VA_ARGS__)

static const struct tend_option head_rows[] = {
	HEAD(STRING, doc, "doc", NULL, "A sentence."),
	HEAD(STRING, start, "start", "2026-03-02T08:00", "Local time of the beginning."),
	HEAD(STRING, timezone, "timezone", "UTC", "IANA name of the zone."),
	HEAD(USEC, duration, "duration", "1h", "How long it lasts.", .min = 1,
		.max = MAX_SPAN_DAYS * DAY_USEC),
	HEAD(USEC, real_limit, "real_limit", "30s", "Wall-clock limit.", .min = 100000,
		.max = 3600 * USEC_PER_SEC),
	HEAD(LIST, policies, "policies", NULL, "Policy files to load."),
	HEAD(STRING, settings, "settings", NULL, "Changes of the configuration."),
	HEAD(STRING, at, "at", NULL, "The timeline."),
	HEAD(STRING, answer, "answer", NULL, "How verbs answer."),
	HEAD(STRING, expect, "expect", NULL, "What must come of it."),
	TEND_OPTION_END,
};

static void take_head(struct reading *rd, struct head *head)
{
	struct scenario *s = rd->scenario;

	s->doc = TAKE(head->doc);
	s->timezone = TAKE(head->timezone);
	s->policies = TAKE(head->policies);
	s->duration = head->duration;
	s->real_limit = head->real_limit;
	if (!zone_exists(s->timezone))
		(void)conf_section_error(rd->section, "timezone", rd->errors,
			"there is no time zone '%s'", s->timezone);
	else if (local_time_parse(head->start, s->timezone, &s->start_wall) < 0)
		(void)conf_section_error(rd->section, "start", rd->errors,
			"'%s' is no time: write 2026-03-01T02:00", head->start);
}

static void read_scenario(struct reading *rd)
{
	struct head head = {0};
	struct scenario *s = calloc(1, sizeof(*s));

	if (!s || vec_push(&rd->file->scenarios, s) < 0) {
		free(s);
		return;
	}
	rd->scenario = s;
	s->line = rd->section->line;
	s->name = strdup(rd->section->name ? rd->section->name : "");
	if (!rd->section->name)
		(void)fault(rd, s->line, "a scenario has a name: [scenario TEXT]");
	if (conf_section_parse(rd->section, head_rows, &head, rd->errors) == 0) {
		take_head(rd, &head);
		each_entry(rd, "settings", add_setting);
		each_entry(rd, "at", add_at);
		each_entry(rd, "answer", add_answer);
		each_entry(rd, "expect", add_expectation);
	}
	conf_options_free(head_rows, &head);
}

int scenario_text_read(const char *path, const char *text, size_t len, struct conf_errors *errors,
	struct scenario_file **ret_file)
{
	auto(scenario_file_free) struct scenario_file *file = calloc(1, sizeof(*file));
	struct reading rd = {.errors = errors, .text = text};
	size_t before = errors->n_total;

	if (!file)
		return -ENOMEM;
	rd.file = file;
	file->path = strdup(path);
	if (!file->path)
		return -ENOMEM;
	(void)conf_text_read(path, text, len, &file->sections, errors);
	VEC_FOREACH (&file->sections.list, const struct conf_section *, section) {
		rd.section = section;
		if (strcmp(section->kind, "scenario") == 0)
			read_scenario(&rd);
	}
	if (file->scenarios.len == 0)
		(void)fault(&rd, 0, "there is no [scenario TEXT] in it");
	if (errors->n_total > before)
		return -EINVAL;
	*ret_file = TAKE(file);
	return 0;
}

int scenario_file_read(
	const char *path, struct conf_errors *errors, struct scenario_file **ret_file)
{
	auto_free char *text = NULL;
	size_t len;
	int r = fs_read_file(path, 4 << 20, &text, &len);

	if (r < 0)
		return conf_errors_add(errors, path, 0, r, "cannot read it: %s", strerror(-r));
	return scenario_text_read(path, text, len, errors, ret_file);
}
