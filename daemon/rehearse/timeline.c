/* SPDX-License-Identifier: MIT */
/* What the timeline of a scenario does, and whether its names are there. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include "base/clock.h"
#include "base/str.h"
#include "conf/options.h"
#include "policy/approve.h"
#include "policy/private.h"
#include "rehearse/play.h"

static const char *person(const struct words *words)
{
	const char *by = words_value(words, "by");

	return by ? by : "alice";
}

static json_t *numbers(const struct words *words)
{
	json_t *metrics = json_object();
	double number;

	for (size_t i = 0; i < words->n; i++)
		if (words->list[i].key && conf_parse_double(words->list[i].text, &number) == 0)
			(void)json_object_set_new(metrics, words->list[i].key, json_real(number));
	return metrics;
}

static void do_fail(const struct words *words)
{
	auto_json json_t *metrics = numbers(words);
	usec_t lasts = 0, every = 0;

	(void)words_span(words, "for", &lasts, NULL);
	(void)words_span(words, "every", &every, NULL);
	(void)json_object_del(metrics, "for");
	(void)json_object_del(metrics, "every");
	world_fail(play->world, words_plain(words, 2),
		(enum tend_reason)tend_reason_from_name(words_plain(words, 3)),
		words_value(words, "text"), metrics, lasts, every);
}

static void do_set(const struct words *words)
{
	auto_json json_t *metrics = numbers(words);

	world_fail(play->world, words_plain(words, 2), TEND_REASON_OK, NULL, metrics, 0, 0);
}

static void do_heal(const struct words *words)
{
	for (size_t i = 2; words_plain(words, i); i++)
		world_heal(play->world, words_plain(words, i));
}

static void do_unit(const struct words *words)
{
	const char *memory = words_value(words, "memory");

	world_unit(play->world, words_plain(words, 2), words_plain(words, 3), false);
	if (memory)
		world_unit_set_memory(
			play->world, words_plain(words, 2), strtoll(memory, NULL, 10));
}

static void do_run(const struct words *words)
{
	char id[UUID_TEXT_BYTES];
	struct tend_error why = {0};
	json_t *params = json_object();

	for (size_t i = 0; i < words->n; i++)
		if (words->list[i].key && strcmp(words->list[i].key, "by") != 0)
			(void)json_object_set_new(
				params, words->list[i].key, json_string(words->list[i].text));
	/* A run by hand that is refused is something to expect. */
	if (policies_run(play->manager.policies, words_plain(words, 2), words_plain(words, 3),
		    params, person(words), id, &why) < 0)
		(void)seen_add(SEEN_REFUSAL,
			json_pack("{s:s, s:s}", "policy", words_plain(words, 2), "text", why.text));
	json_decref(params);
}

static void do_pause(const struct words *words)
{
	const char *reason = words_value(words, "reason");
	struct tend_error why = {0};

	if (policies_pause(play->manager.policies, person(words), reason ? reason : "rehearsed",
		    NULL, NULL, &why) < 0)
		play_fault("pause: %s", why.text);
}

static void do_resume(const struct words *words)
{
	struct tend_error why = {0};

	if (policies_resume(play->manager.policies, person(words), NULL, NULL, &why) < 0)
		play_fault("resume: %s", why.text);
}

static void do_restart(const struct words *words)
{
	play->want_restart = true;
}

void timeline_kill_runner(const char *policy)
{
	VEC_FOREACH (&play->manager.policies->runs, const struct run *, run) {
		if (run->describing || run->state != RUN_LIVE || run->pid <= 0 ||
			(policy && !str_glob(policy, run->policy)))
			continue;
		seen_tell("kill", "kill -9 of the runner of %s", run->policy);
		(void)kill(run->pid, SIGKILL);
		return;
	}
	play_fault("kill-runner: no run of %s is live", policy ? policy : "any policy");
}

static void do_kill_runner(const struct words *words)
{
	timeline_kill_runner(words_plain(words, 2));
}

void play_meanwhile(const char *what)
{
	if (strcmp(what, "restart") == 0)
		play->want_restart = true;
	else
		timeline_kill_runner(NULL);
}

static void do_clock(const struct words *words)
{
	const char *text = words_plain(words, 2);
	usec_t span = 0;

	(void)span_parse(text + (*text == '-' || *text == '+'), &span);
	loop_simulate_shift(*text == '-' ? -(int64_t)span : (int64_t)span);
}

static void do_acknowledge(const struct words *words)
{
	struct incidents *incidents = play->manager.incidents;
	struct incident *incident = incidents_of_check(incidents, words_plain(words, 2));
	const char *reason = words_value(words, "reason");
	const struct incident_ack ack = {
		.author = person(words), .comment = reason ? reason : "rehearsed"};
	struct tend_error why = {0};

	if (!incident)
		play_fault("acknowledge: there is no incident at %s", words_plain(words, 2));
	else if (incident_acknowledge(incidents, incident, &ack, &why) < 0)
		play_fault("acknowledge: %s", why.text);
}

static void do_people(const struct words *words)
{
	usec_t lasts = 0;

	(void)words_span(words, "for", &lasts, NULL);
	world_set_people(play->world, words_plain(words, 2), lasts);
}

static void do_cancel(const struct words *words)
{
	struct policies *p = play->manager.policies;
	struct tend_error why = {0};

	VEC_FOREACH (&p->runs, const struct run *, run) {
		if (run->describing || run->state != RUN_LIVE ||
			!str_glob(words_plain(words, 2), run->policy))
			continue;
		if (policies_run_cancel(
			    p, run->id, person(words), words_value(words, "reason"), &why) < 0)
			play_fault("cancel: %s", why.text);
		return;
	}
	play_fault("cancel: no run of %s is live", words_plain(words, 2));
}

static void do_event(const struct words *words)
{
	const char *name = words_plain(words, 2);
	json_t *details = json_object();

	for (size_t i = 0; i < words->n; i++)
		if (words->list[i].key && strcmp(words->list[i].key, "component") != 0)
			(void)json_object_set_new(
				details, words->list[i].key, json_string(words->list[i].text));
	for (int i = 0; i < POLICY_EVENT_MAX; i++)
		if (strcmp(policy_event_names[i], name) == 0) {
			policies_event(play->manager.policies, (enum policy_event)i,
				words_value(words, "component"), details);
			return;
		}
	json_decref(details);
}

/* ---- approvals
 * ------------------------------------------------------------------------------------------------
 */

static bool voted(const struct approval *a, const char *who)
{
	size_t i;
	json_t *vote;

	json_array_foreach (json_object_get(a->doc, "votes"), i, vote)
		if (str_eq(json_string_value(json_object_get(vote, "author")), who))
			return true;
	return false;
}

/* As the API decides who may: it knows groups of this machine, a scenario has none. */
static bool may_vote(const struct approval *a, const char *who)
{
	char *const *approvers = policies_approval_approvers(play->manager.policies, a->id);

	if (!approvers || strv_contains(approvers, who))
		return true;
	for (; *approvers; approvers++)
		if (**approvers == '@')
			return true;
	return false;
}

static struct approval *waiting_for(const char *policy, const char *who)
{
	VEC_FOREACH (&play->manager.policies->approvals, struct approval *, a) {
		const char *of = json_string_value(json_object_get(a->doc, "policy"));

		if (a->state == APPROVAL_WAITING && (!policy || str_glob(policy, of ? of : "")) &&
			!voted(a, who))
			return a;
	}
	return NULL;
}

static void decide(const struct words *words, bool approve)
{
	const char *policy = words_plain(words, 2), *reason = words_value(words, "reason");
	const struct policies_voter voter = {.name = person(words)};
	struct approval *a = waiting_for(policy, voter.name);
	struct tend_error why = {0};
	int r = 0;

	if (!a) {
		play_fault("%s: nothing of %s waits for an approval by %s",
			approve ? "approve" : "deny", policy ? policy : "any policy", voter.name);
		return;
	}
	if (!may_vote(a, voter.name))
		r = tend_error_set(&why, -EPERM, "%s is none of its approvers", voter.name);
	else
		r = policies_approval_decide(play->manager.policies, a->id, &voter, approve,
			reason ? reason : "rehearsed", NULL, NULL, &why);
	if (r < 0)
		(void)seen_add(
			SEEN_REFUSAL, json_pack("{s:O?, s:s}", "policy",
					      json_object_get(a->doc, "policy"), "text", why.text));
}

static void do_approve(const struct words *words)
{
	decide(words, true);
}

static void do_deny(const struct words *words)
{
	decide(words, false);
}

static void (*const doers[AT_KIND_MAX])(const struct words *words) = {
	[AT_FAIL] = do_fail,
	[AT_HEAL] = do_heal,
	[AT_FLAP] = do_fail,
	[AT_SET] = do_set,
	[AT_UNIT] = do_unit,
	[AT_RUN] = do_run,
	[AT_PAUSE] = do_pause,
	[AT_RESUME] = do_resume,
	[AT_RESTART] = do_restart,
	[AT_KILL_RUNNER] = do_kill_runner,
	[AT_CLOCK] = do_clock,
	[AT_ACKNOWLEDGE] = do_acknowledge,
	[AT_PEOPLE] = do_people,
	[AT_CANCEL] = do_cancel,
	[AT_EVENT] = do_event,
	[AT_APPROVE] = do_approve,
	[AT_DENY] = do_deny,
};

static void on_entry(void *data)
{
	const struct at_entry *entry = data;

	seen_tell("at", "%s", entry->words->text);
	if (doers[entry->kind])
		doers[entry->kind](entry->words);
}

/* ---- names
 * ---------------------------------------------------------------------------------------------------
 */

static void no_such(
	const struct words *words, const char *what, const char *name, const struct map *of)
{
	auto_free const char **names = calloc(of->len + 1, sizeof(*names));
	const char *near = NULL;

	for (size_t i = 0; names && i < of->len; i++)
		names[i] = of->slots[i].key;
	if (names)
		near = str_nearest(name, names, of->len);
	(void)conf_errors_add(&play->errors, play->file->path, words->line, -ENOENT,
		"no %s fits '%s'%s%s%s", what, name, near ? ", did you mean '" : "",
		near ? near : "", near ? "'?" : "");
}

static void check_pattern(
	const struct words *words, const char *what, const char *pattern, const struct map *of)
{
	for (size_t i = 0; pattern && i < of->len; i++)
		if (str_glob(pattern, of->slots[i].key))
			return;
	if (pattern)
		no_such(words, what, pattern, of);
}

static void check_lists(const struct answer *answer, const struct map *checks)
{
	static const char *const keys[] = {"heals", "breaks"};

	for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
		const char *list = answer_option(answer, keys[k]);
		auto_free char *copy = list ? strdup(list) : NULL;
		char *save = NULL;

		for (char *item = copy ? strtok_r(copy, ",", &save) : NULL; item;
			item = strtok_r(NULL, ",", &save)) {
			if (k == 1)
				item[strcspn(item, ":")] = '\0';
			check_pattern(answer->words, "check", item, checks);
		}
	}
}

static void check_verb(const struct words *words, const char *name)
{
	auto_free const char **names = calloc(n_verbs, sizeof(*names));
	const char *near;

	if (strpbrk(name, "*?") || verb_find(name) || !names)
		return;
	for (size_t i = 0; i < n_verbs; i++)
		names[i] = verbs[i].name;
	near = str_nearest(name, names, n_verbs);
	(void)conf_errors_add(&play->errors, play->file->path, words->line, -ENOENT,
		"there is no verb '%s'%s%s%s", name, near ? ", did you mean '" : "",
		near ? near : "", near ? "'?" : "");
}

static void check_arg(const struct words *words, const struct verb *verb, const char *key)
{
	const char *names[VERB_MAX_ARGS + 1], *near;
	size_t n = 0;

	for (; n < VERB_MAX_ARGS && verb->args[n].name; n++)
		names[n] = verb->args[n].name;
	names[n++] = "component";
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], key) == 0)
			return;
	near = str_nearest(key, names, n);
	(void)conf_errors_add(&play->errors, play->file->path, words->line, -ENOENT,
		"%s has no argument '%s'%s%s%s", verb->name, key, near ? ", did you mean '" : "",
		near ? near : "", near ? "'?" : "; options of an answer stand behind the ->");
}

/* Parameters that the manifest names, not the verb. */
static bool takes_params(const char *name)
{
	return str_startswith(name, "command.") || strcmp(name, "sql.execute") == 0;
}

/* The keys of `words` up to `end` that are not in `ours` are arguments of the verb. Those of a
 * command are the manifest's. */
static void check_args(
	const struct words *words, const char *name, size_t end, const char *const *ours)
{
	const struct verb *verb = verb_find(name);

	for (size_t i = 0; verb && !takes_params(name) && i < end; i++) {
		const char *key = words->list[i].key;
		const char *const *own = ours;

		while (key && *own && strcmp(*own, key) != 0)
			own++;
		if (key && !*own)
			check_arg(words, verb, key);
	}
}

static void check_event(const struct words *words)
{
	const char *name = words_plain(words, 2), *near;

	for (int i = 0; i < POLICY_EVENT_MAX; i++)
		if (strcmp(policy_event_names[i], name) == 0)
			return;
	near = str_nearest(name, policy_event_names, POLICY_EVENT_MAX);
	(void)conf_errors_add(&play->errors, play->file->path, words->line, -ENOENT,
		"there is no event '%s'%s%s%s", name, near ? ", did you mean '" : "",
		near ? near : "", near ? "'?" : "");
}

static void check_names(const struct play *p)
{
	static const char *const no_own[] = {NULL}, *const own[] = {"on", "outcome", "times",
							    "within", "after", NULL};
	const struct conf *conf = p->manager.conf;

	VEC_FOREACH (&p->scenario->at, const struct at_entry *, entry) {
		const struct words *words = entry->words;

		if (entry->kind == AT_FAIL || entry->kind == AT_FLAP || entry->kind == AT_SET ||
			entry->kind == AT_ACKNOWLEDGE)
			check_pattern(words, "check", words_plain(words, 2), &conf->checks);
		if (entry->kind == AT_EVENT)
			check_event(words);
		for (size_t i = 2; entry->kind == AT_HEAL && words_plain(words, i); i++)
			check_pattern(words, "check", words_plain(words, i), &conf->checks);
	}
	VEC_FOREACH (&p->scenario->answers, const struct answer *, answer) {
		check_verb(answer->words, answer->verb);
		check_args(answer->words, answer->verb, answer->arrow, no_own);
		check_lists(answer, &conf->checks);
	}
	VEC_FOREACH (&p->scenario->expected, const struct expectation *, x) {
		const char *first = words_plain(x->words, x->first);

		if (x->kind == SEEN_ACTION && first) {
			check_verb(x->words, first);
			check_args(x->words, first, x->words->n, own);
		}
		if (x->kind == SEEN_STATE)
			check_pattern(x->words, "check", first, &conf->checks);
	}
}

int timeline_arm(struct play *p)
{
	check_names(p);
	VEC_FOREACH (&p->scenario->at, struct at_entry *, entry) {
		struct loop_source *timer;
		int r = loop_timer_new(p->manager.loop, on_entry, entry, &timer);

		if (r < 0)
			return r;
		if (vec_push(&p->timers, timer) < 0) {
			loop_source_free(timer);
			return -ENOMEM;
		}
		loop_timer_set(timer, p->began + entry->at);
	}
	return 0;
}
