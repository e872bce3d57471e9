/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include <string.h>
#include "base/cleanup.h"
#include "watch/depend.h"

/* Components a to e, each with up to three checks. A row says who depends on whom ("a<b": a depends
 * on b) and how checks are: letter of the component, then of its state now: o w c u, then, if the
 * confirmed state is another, that after a '/', '!' for unreachable, and the reason. */
enum { N_COMPONENTS = 5, N_CHECKS = 3 };

struct world {
	struct conf_component conf[N_COMPONENTS];
	struct component components[N_COMPONENTS];
	struct conf_check check_conf[N_COMPONENTS][N_CHECKS];
	struct check checks[N_COMPONENTS][N_CHECKS];
	char names[N_COMPONENTS][2];
};

static const struct {
	const char *edges, *checks;
	const char *culprit; /* of a; "" = none */
	int root;	     /* index of the root check of the culprit, or of a; -1 = none */
} rows[] = {
	{"", "ao", "", -1},
	{"", "ac:connect-refused", "", 0},
	{"a<b", "ac:connect-refused bo", "", 0},
	{"a<b", "ac:connect-refused bc:unit-failed", "b", 0},
	/* the deepest one, also beyond one that is well */
	{"a<b b<c", "ac:too-slow bc:too-slow cc:connect-refused", "c", 0},
	{"a<b b<c", "ac:too-slow bo cc:connect-refused", "c", 0},
	{"a<b b<c", "ac:too-slow bc:too-slow co", "b", 0},
	/* two branches: in order of configuration, depth first */
	{"a<b a<c", "ac:too-slow bc:too-slow cc:unit-failed", "b", 0},
	{"a<b a<c c<d", "ac:too-slow bo co dc:unit-failed", "d", 0},
	{"a<b a<c b<d c<d", "ac:too-slow bc:too-slow cc:too-slow dc:too-slow", "d", 0},
	/* warnings and unknowns take nobody down */
	{"a<b", "ac:too-slow bw:threshold", "", 0},
	{"a<b", "ac:too-slow bu:internal", "", 0},
	/* what is itself unreachable is not to blame */
	{"a<b", "ac:too-slow bc!:too-slow", "", 0},
	/* it answers again, but that is not confirmed */
	{"a<b", "ac:too-slow bo/c:ok", "b", -1},
	/* the root check: the worst, then the nearest to a cause, then the first */
	{"", "ac:too-slow ac:connect-refused ac:unit-failed", "", 2},
	{"", "ac:unit-failed ac:connect-refused ac:too-slow", "", 0},
	{"", "aw:unit-failed ac:too-slow", "", 1},
	{"", "ac:status-unexpected ac:content-unexpected", "", 0},
	{"", "ao ac!:unit-failed ac:too-slow", "", 2},
	{"a<b", "ac:too-slow bo bc:threshold bc:too-slow", "b", 1},
};

static enum tend_state state_of(char letter)
{
	switch (letter) {
	case 'o':
		return TEND_STATE_OK;
	case 'w':
		return TEND_STATE_WARNING;
	case 'c':
		return TEND_STATE_CRITICAL;
	case 'u':
		return TEND_STATE_UNKNOWN;
	default:
		fail_msg("no state '%c'", letter);
		return TEND_STATE_MAX;
	}
}

static void add_check(struct world *w, const char *word)
{
	int i = word[0] - 'a';
	size_t n = w->components[i].checks.len;
	struct check *check = &w->checks[i][n];
	const char *colon = strchr(word, ':'), *p = word + 2;

	assert_true(i >= 0 && i < N_COMPONENTS && n < N_CHECKS);
	check->conf = &w->check_conf[i][n];
	check->component = &w->components[i];
	check->state.now = check->state.hard = state_of(word[1]);
	if (*p == '/')
		check->state.hard = state_of(p[1]);
	check->unreachable = strchr(word, '!') != NULL;
	if (colon) {
		int reason = tend_reason_from_name(colon + 1);

		assert_true(reason >= 0);
		check->last.reason = (enum tend_reason)reason;
	}
	assert_int_equal(vec_push(&w->components[i].checks, check), 0);
}

static void build(struct world *w, const char *edges, const char *checks)
{
	char text[128], *rest = NULL;

	*w = (struct world){0};
	for (int i = 0; i < N_COMPONENTS; i++) {
		w->names[i][0] = (char)('a' + i);
		w->conf[i].name = w->names[i];
		w->components[i].conf = &w->conf[i];
	}
	(void)snprintf(text, sizeof(text), "%s", edges);
	for (char *e = strtok_r(text, " ", &rest); e; e = strtok_r(NULL, " ", &rest))
		assert_int_equal(vec_push(&w->conf[e[0] - 'a'].parents, &w->conf[e[2] - 'a']), 0);
	(void)snprintf(text, sizeof(text), "%s", checks);
	for (char *c = strtok_r(text, " ", &rest); c; c = strtok_r(NULL, " ", &rest))
		add_check(w, c);
}

static void clear(struct world *w)
{
	for (int i = 0; i < N_COMPONENTS; i++) {
		vec_clear(&w->conf[i].parents);
		vec_clear(&w->components[i].checks);
	}
}

static struct component *lookup(const struct conf_component *conf, void *data)
{
	struct world *w = data;

	return &w->components[conf - w->conf];
}

static void test_rows(void **unused)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w;
		struct component *culprit, *at;
		struct check *root;

		build(&w, rows[i].edges, rows[i].checks);
		culprit = depend_culprit(&w.components[0], lookup, &w);
		at = culprit ? culprit : &w.components[0];
		root = depend_root_check(at);
		if (strcmp(culprit ? culprit->conf->name : "", rows[i].culprit) != 0)
			fail_msg("'%s' '%s': the culprit is '%s'", rows[i].edges, rows[i].checks,
				culprit ? culprit->conf->name : "");
		if ((root ? (int)(root - w.checks[at - w.components]) : -1) != rows[i].root)
			fail_msg("'%s' '%s': the root is %d", rows[i].edges, rows[i].checks,
				root ? (int)(root - w.checks[at - w.components]) : -1);
		clear(&w);
	}
}

static void test_ancestors(void **unused)
{
	static const char *const expected[] = {"b", "d", "c"};
	struct vec found = {0};
	struct world w;

	build(&w, "a<b a<c b<d c<d", "");
	assert_int_equal(depend_ancestors(&w.components[0], lookup, &w, &found), 0);
	assert_int_equal(found.len, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_string_equal(((struct component *)found.items[i])->conf->name, expected[i]);
	assert_true(depend_is_ancestor(&w.conf[3], &w.conf[0]));
	assert_false(depend_is_ancestor(&w.conf[0], &w.conf[3]));
	assert_false(depend_is_ancestor(&w.conf[1], &w.conf[2]));
	vec_clear(&found);
	clear(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_ancestors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
