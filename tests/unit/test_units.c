/* SPDX-License-Identifier: MIT */
/* What the end of a unit means: the pure parts of watch/units. The bus is
 * tests/system/test_units.py. */
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/str.h"
#include "watch/unit_journal.h"
#include "watch/unit_state.h"

/*
 * A story is a line of words: ACTIVE[/SUB][@INVOCATION][#JOB] is a state that the bus tells of;
 * new:N a job of someone, ours:N of Tend, which stops, begun:N of Tend, which starts; type:N=TYPE;
 * gone:N; gap; ended, stopped, unknown what the journal says; masked, not-found load states.
 */
static void tell(struct unit_state *s, struct unit_facts *f, const char *word)
{
	unsigned id = 0;
	char text[32] = "";

	if (sscanf(word, "new:%u", &id) == 1)
		unit_state_job_new(s, id, UNIT_JOB_FOREIGN);
	else if (sscanf(word, "ours:%u", &id) == 1)
		unit_state_job_new(s, id, UNIT_JOB_OUR_STOP);
	else if (sscanf(word, "begun:%u", &id) == 1)
		unit_state_job_new(s, id, UNIT_JOB_OURS);
	else if (sscanf(word, "type:%u=%31s", &id, text) == 2)
		unit_state_job_type(s, id, text);
	else if (sscanf(word, "gone:%u", &id) == 1)
		unit_state_job_removed(s, id);
	else if (strcmp(word, "gap") == 0)
		unit_state_gap(s);
	else if (strcmp(word, "ended") == 0)
		s->evidence = UNIT_EVIDENCE_ENDED;
	else if (strcmp(word, "stopped") == 0)
		s->evidence = UNIT_EVIDENCE_STOPPED;
	else if (strcmp(word, "unknown") == 0)
		s->evidence = UNIT_EVIDENCE_UNKNOWN;
	else if (strcmp(word, "masked") == 0 || strcmp(word, "not-found") == 0)
		(void)snprintf(f->load_state, sizeof(f->load_state), "%s", word);
	else {
		size_t n = strcspn(word, "/@#");
		const char *sub = strchr(word, '/'), *invocation = strchr(word, '@'),
			   *job = strchr(word, '#');
		(void)snprintf(f->active_state, sizeof(f->active_state), "%.*s", (int)n, word);
		(void)snprintf(f->sub_state, sizeof(f->sub_state), "%.*s",
			sub ? (int)strcspn(sub + 1, "@#") : 0, sub ? sub + 1 : "");
		if (invocation)
			(void)snprintf(f->invocation_id, sizeof(f->invocation_id), "%.*s",
				(int)strcspn(invocation + 1, "#"), invocation + 1);
		f->job_id = job ? (uint32_t)atoi(job + 1) : 0;
		if (f->job_id)
			unit_state_job_new(s, f->job_id, UNIT_JOB_FOREIGN);
		unit_state_step(s, f);
	}
}

static const struct {
	const char *story, *intent;
} stories[] = {
	{"", "unknown"},
	{"active", "running"},
	{"active reloading", "running"},
	{"activating/start#5", "changing"},
	{"activating/auto-restart", "changing"},
	{"active gap", "unknown"},
	/* it ended by itself */
	{"active@a failed", "ended"},
	{"active@a inactive", "ended"},
	{"active@a deactivating/stop-post inactive", "ended"},
	{"active@a deactivating", "changing"},
	{"active@a activating/auto-restart", "changing"},
	{"active@a activating/auto-restart failed", "ended"},
	{"activating@a/start#1 type:1=start failed gone:1", "ended"},
	/* an operator stopped it */
	{"active@a new:7 type:7=stop deactivating#7 inactive gone:7", "stopped"},
	{"active@a new:7 type:7=stop deactivating#7", "stopped"},
	{"active@a new:7 type:7=stop deactivating#7 failed gone:7", "stopped"},
	{"active@a deactivating#7 type:7=stop inactive gone:7", "stopped"},
	{"active@a new:7 deactivating#7 inactive gone:7",
		"stopped"}, /* too quick to ask: hands off */
	{"active@a new:7 inactive gone:7 type:7=stop", "stopped"},
	{"failed ended new:7 type:7=stop gone:7", "stopped"},
	{"active@a activating/auto-restart new:8 type:8=stop inactive gone:8", "stopped"},
	{"active@a activating/auto-restart new:8 inactive gone:8", "stopped"},
	{"activating@a/start#3 type:3=start new:4 type:4=stop gone:3 deactivating#4 inactive "
	 "gone:4",
		"stopped"},
	/* another job, or our own */
	{"active@a new:7 type:7=restart deactivating#7", "changing"},
	{"active@a new:7 deactivating#7 type:7=restart", "changing"},
	{"active@a new:7 type:7=restart deactivating#7 activating@b/start#7 failed gone:7",
		"ended"},
	{"active@a ours:7 type:7=stop deactivating#7 inactive gone:7", "ended"},
	/* what Tend restarts an operator may stop: */
	{"active@a begun:7 type:7=restart deactivating#7 failed gone:7", "ended"},
	{"active@a begun:7 deactivating#7 failed gone:7", "ended"},
	{"active@a begun:7 type:7=restart deactivating#7 begun:8 gone:7 type:8=stop inactive#8 "
	 "gone:8",
		"stopped"},
	{"active@a new:7 type:7=reload reloading#7 failed gone:7", "ended"},
	{"active@a ours:7 deactivating#7 inactive gone:7", "ended"},
	/* up again */
	{"active@a new:7 type:7=stop deactivating#7 inactive gone:7 new:8 type:8=start active@b "
	 "gone:8",
		"running"},
	{"active@a new:7 type:7=stop deactivating#7 inactive gone:7 new:8 type:8=start active@b "
	 "gone:8 "
	 "failed",
		"ended"},
	{"active@a new:7 type:7=stop inactive gone:7 new:8 type:8=start", "changing"},
	/* not seen: the journal tells, or nobody */
	{"inactive", "unknown"},
	{"failed@a ended", "ended"},
	{"failed@a stopped", "stopped"},
	{"inactive@a unknown", "unknown"},
	{"active@a gap failed", "unknown"},
	{"active@a gap failed stopped", "stopped"},
	{"active@a failed gap failed", "ended"}, /* what was seen stays true */
	{"active@a new:7 type:7=stop inactive gap inactive", "stopped"},
	{"active@a failed gap failed@b", "unknown"}, /* a start was missed */
	{"failed@a stopped active@b failed", "ended"},
	{"inactive@a#9 type:9=start", "changing"},
	/* masked, missing */
	{"active@a failed masked failed", "masked"},
	{"masked active", "masked"},
	{"not-found inactive", "missing"},
};

static void test_stories(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(stories); i++) {
		struct unit_state s = {0};
		struct unit_facts f = {.load_state = "loaded"};
		auto_free char *copy = strdup(stories[i].story);
		char *save = NULL;
		const char *why = NULL;

		for (char *word = strtok_r(copy, " ", &save); word;
			word = strtok_r(NULL, " ", &save))
			tell(&s, &f, word);
		const char *intent = units_intent_name(unit_state_intent(&s, &why));
		if (strcmp(intent, stories[i].intent) != 0)
			fail_msg("'%s' means %s: %s", stories[i].story, intent, why);
		assert_true(strlen(why) > 5);
	}
}

static void test_wants_evidence(void **state)
{
	static const struct {
		const char *story;
		bool wants;
	} rows[] = {
		{"", false},
		{"active", false},
		{"failed", true},
		{"inactive", true},
		{"active failed", false},
		{"active gap failed", true},
		{"failed new:1", false},
		{"masked failed", false},
		{"deactivating", false},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct unit_state s = {0};
		struct unit_facts f = {.load_state = "loaded"};
		auto_free char *copy = strdup(rows[i].story);
		char *save = NULL;

		for (char *word = strtok_r(copy, " ", &save); word;
			word = strtok_r(NULL, " ", &save))
			tell(&s, &f, word);
		if (unit_state_wants_evidence(&s) != rows[i].wants)
			fail_msg("'%s'", rows[i].story);
	}
}

/* More jobs than places: the oldest has gone. */
static void test_many_jobs(void **state)
{
	struct unit_state s = {0};

	for (uint32_t id = 1; id <= 20; id++)
		unit_state_job_new(&s, id, UNIT_JOB_FOREIGN);
	assert_null(unit_state_job(&s, 1));
	assert_non_null(unit_state_job(&s, 20));
	unit_state_job_type(&s, 3, "stop");
	assert_false(s.stopped_by_job);
	unit_state_job_type(&s, 20, "a-type-that-is-longer-than-its-place");
	assert_int_equal(strlen(unit_state_job(&s, 20)->type), sizeof(s.jobs[0].type) - 1);
}

#define I1	"\"INVOCATION_ID\":\"11111111111111111111111111111111\""
#define I2	"\"INVOCATION_ID\":\"22222222222222222222222222222222\""
#define SUCCESS "\"MESSAGE_ID\":\"7ad2d189f7e94e70a38c781354912448\""
#define FAILURE "\"MESSAGE_ID\":\"d9b373ed55a64feb8242e02dbe79a49c\""

static const struct {
	const char *lines, *invocation;
	enum unit_evidence evidence;
} journals[] = {
	{"", "", UNIT_EVIDENCE_UNKNOWN},
	{"{" I1 "}\n", "", UNIT_EVIDENCE_UNKNOWN},
	{"{" I1 "," FAILURE "}\n{" I1 ",\"JOB_TYPE\":\"start\",\"JOB_RESULT\":\"done\"}\n", "",
		UNIT_EVIDENCE_ENDED},
	{"{" I1 "," SUCCESS "}\n", "11111111111111111111111111111111", UNIT_EVIDENCE_ENDED},
	{"{" I1 ",\"JOB_TYPE\":\"stop\",\"JOB_RESULT\":\"done\"}\n{" I1 "," SUCCESS "}\n{" I1
	 ",\"JOB_TYPE\":\"stop\"}\n",
		"", UNIT_EVIDENCE_STOPPED},
	{"{" I1 "," SUCCESS "}\n{" I1 ",\"JOB_TYPE\":\"stop\"}\n", "", UNIT_EVIDENCE_STOPPED},
	{"{" I1 ",\"JOB_TYPE\":\"restart\",\"JOB_RESULT\":\"done\"}\n{" I1 "," SUCCESS "}\n{" I1
	 ",\"JOB_TYPE\":\"stop\"}\n",
		"", UNIT_EVIDENCE_ENDED},
	/* only the newest invocation counts, or the one that is asked for */
	{"{" I2 "," FAILURE "}\n{" I1 ",\"JOB_TYPE\":\"stop\",\"JOB_RESULT\":\"done\"}\n", "",
		UNIT_EVIDENCE_ENDED},
	{"{" I2 "," FAILURE "}\n{" I1 ",\"JOB_TYPE\":\"stop\",\"JOB_RESULT\":\"done\"}\n",
		"11111111111111111111111111111111", UNIT_EVIDENCE_STOPPED},
	{"{" I2 "," FAILURE "}\n", "11111111111111111111111111111111", UNIT_EVIDENCE_UNKNOWN},
	/* foreign and cut */
	{"no json\n[1]\n{" I1 ",\"MESSAGE_ID\":[1,2]}\n{" I1 "," FAILURE "}\n", "",
		UNIT_EVIDENCE_ENDED},
	{"{" I1 "," FAILURE "}", "", UNIT_EVIDENCE_UNKNOWN},
	{"{\"INVOCATION_ID\":\"short\"," FAILURE "}\n", "", UNIT_EVIDENCE_UNKNOWN},
};

static void test_journal(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(journals); i++) {
		enum unit_evidence e = unit_journal_judge(
			journals[i].lines, strlen(journals[i].lines), journals[i].invocation);
		if (e != journals[i].evidence)
			fail_msg("%zu: %d: %s", i, (int)e, journals[i].lines);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_wants_evidence),
		cmocka_unit_test(test_many_jobs),
		cmocka_unit_test(test_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
