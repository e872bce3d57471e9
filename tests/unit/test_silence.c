/* SPDX-License-Identifier: MIT */
/* Silences with a real store: what counts, when, and over a restart; and who inhibits whom. */
#include "store_fixture.h"
#include <time.h>
#include "alert/inhibit.h"
#include "alert/silence.h"
#include "base/clock.h"

struct world {
	struct fixture *f;
	struct silences *silences;
	int n_changes, n_done, last;
	char id[UUID_TEXT_BYTES];
};

static void on_change(void *data)
{
	struct world *w = data;

	w->n_changes++;
}

static void on_kept(int r, const struct silence *silence, void *data)
{
	struct world *w = data;

	w->n_done++;
	w->last = r;
	assert_true((r == 0) == (silence != NULL));
	if (silence)
		memcpy(w->id, silence->id, sizeof(w->id));
}

static void begin(struct world *w)
{
	assert_int_equal(silences_new(w->f->loop, w->f->store, &w->silences), 0);
	silences_on_change(w->silences, on_change, w);
}

static void restart(struct world *w)
{
	silences_free(w->silences);
	w->f->store = store_free(w->f->store);
	assert_int_equal(fixture_open(w->f), 0);
	begin(w);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	void *f = NULL;

	if (fixture_setup(&f) < 0)
		return -1;
	w->f = f;
	assert_int_equal(fixture_open(w->f), 0);
	begin(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	void *f = w->f;

	silences_free(w->silences);
	free(w);
	return fixture_teardown(&f);
}

static int add(struct world *w, const char *matchers, usec_t from, usec_t until, bool resolved,
	const char *comment, struct tend_error *err)
{
	const struct silence_wanted wanted = {.matchers = matchers,
		.author = "ann",
		.comment = comment,
		.starts_wall = clock_wall() + from,
		.ends_wall = clock_wall() + until,
		.until_resolved = resolved};

	return silences_add(w->silences, &wanted, on_kept, w, err);
}

static void must_add(
	struct world *w, const char *matchers, usec_t from, usec_t until, bool resolved)
{
	struct tend_error err = {0};
	int n = w->n_done;

	if (add(w, matchers, from, until, resolved, "why", &err) < 0)
		fail_msg("%s: %s", matchers, err.text);
	WAIT_FOR(w->f->loop, w->n_done > n);
	assert_int_equal(w->last, 0);
}

#define HOUR (3600 * USEC_PER_SEC)

static void test_life(void **state)
{
	struct world *w = *state;
	auto_json json_t *web = json_pack("{s:s}", "component", "crm/web");
	auto_json json_t *db = json_pack("{s:s}", "component", "crm/db");
	const struct silence *silence;
	struct tend_error err = {0};
	char id[UUID_TEXT_BYTES];

	assert_int_equal(add(w, "component=crm/web", 0, HOUR, false, "why", &err), 0);
	/* Not before it is in the store. */
	assert_null(silences_match(w->silences, web, false));
	WAIT_FOR(w->f->loop, w->n_done == 1);
	assert_int_equal(w->n_changes, 1);
	silence = silences_match(w->silences, web, false);
	assert_non_null(silence);
	assert_string_equal(silence->author, "ann");
	assert_null(silences_match(w->silences, db, false));
	assert_ptr_equal(silences_find(w->silences, silence->id), silence);
	memcpy(id, silence->id, sizeof(id));
	/* Over a restart of the store and of all. */
	restart(w);
	silence = silences_match(w->silences, web, false);
	assert_non_null(silence);
	assert_string_equal(silence->id, id);
	assert_string_equal(silence->comment, "why");
	/* Ended by somebody. */
	assert_int_equal(silences_expire(w->silences, id, "bob", on_kept, w, &err), 0);
	assert_int_equal(silences_expire(w->silences, id, "bob", on_kept, w, &err), -EALREADY);
	assert_non_null(silences_match(w->silences, web, false));
	WAIT_FOR(w->f->loop, w->n_done == 2);
	assert_int_equal(w->last, 0);
	assert_null(silences_match(w->silences, web, false));
	assert_int_equal(silences_expire(w->silences, id, "bob", on_kept, w, &err), -EALREADY);
	assert_int_equal(silences_expire(w->silences, "no", "bob", on_kept, w, &err), -ENOENT);
	restart(w);
	silence = silences_find(w->silences, id);
	assert_non_null(silence);
	assert_int_equal(silence_state(silence, clock_wall()), SILENCE_ENDED);
	assert_string_equal(silence->ended_by, "bob");
}

static void test_times(void **state)
{
	struct world *w = *state;
	auto_json json_t *labels = json_pack("{s:s}", "a", "b");

	must_add(w, "a=b", HOUR, 2 * HOUR, false);
	assert_null(silences_match(w->silences, labels, false));
	assert_int_equal(w->n_changes, 0);
	must_add(w, "a=b", USEC_PER_SEC / 10, USEC_PER_SEC / 2, false);
	WAIT_FOR(w->f->loop, silences_match(w->silences, labels, false) != NULL);
	WAIT_FOR(w->f->loop, w->n_changes == 1);
	WAIT_FOR(w->f->loop, w->n_changes == 2);
	assert_null(silences_match(w->silences, labels, false));
}

static usec_t behind;

static usec_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

static usec_t real_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static usec_t late_wall(void)
{
	return read_clock(CLOCK_REALTIME) - behind;
}

/* What has ended stays ended, however the clock is set: nothing would be there to end it again. */
static void test_clock_set_back(void **state)
{
	static const struct clock_source late = {real_now, late_wall};
	struct world *w = *state;
	auto_json json_t *labels = json_pack("{s:s}", "a", "b");

	clock_set_source(&late);
	must_add(w, "a=b", 0, USEC_PER_SEC / 2, false);
	assert_int_equal(w->n_changes, 1);
	WAIT_FOR(w->f->loop, w->n_changes == 2);
	behind = HOUR;
	assert_null(silences_match(w->silences, labels, false));
	WAIT_FOR(w->f->loop, store_idle(w->f->store));
	restart(w);
	assert_null(silences_match(w->silences, labels, false));
	assert_int_equal(
		silence_state(silences_find(w->silences, w->id), clock_wall()), SILENCE_ENDED);
	behind = 0;
	clock_set_source(NULL);
}

static void test_refused(void **state)
{
	static const struct {
		const char *matchers, *comment, *why;
		usec_t until;
	} rows[] = {
		{"a=b", "", "comment is needed", HOUR},
		{"a=b", " \t", "comment is needed", HOUR},
		{"a=b", NULL, "comment is needed", HOUR},
		{"", "why", "what is to be silent", HOUR},
		{NULL, "why", "what is to be silent", HOUR},
		{"a", "why", "after 'a'", HOUR},
		{"a=b", "why", "end before it begins", 0},
	};
	struct world *w = *state;
	struct tend_error err = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(
			add(w, rows[i].matchers, 0, rows[i].until, false, rows[i].comment, &err),
			-EINVAL);
		if (!strstr(err.text, rows[i].why))
			fail_msg("row %zu: %s", i, err.text);
	}
	assert_int_equal(silences_list(w->silences)->len, 0);
}

static bool never(const struct silence *silence, void *data)
{
	return false;
}

static bool always(const struct silence *silence, void *data)
{
	return true;
}

static void test_until_resolved(void **state)
{
	struct world *w = *state;
	auto_json json_t *labels = json_pack("{s:s}", "a", "b");
	auto_json json_t *other = json_pack("{s:s}", "a", "c");

	must_add(w, "a=b", 0, HOUR, true);
	assert_non_null(silences_match(w->silences, labels, false));
	/* It does not keep the end of its incident back. */
	assert_null(silences_match(w->silences, labels, true));
	silences_resolved(w->silences, other, never, NULL);
	silences_resolved(w->silences, labels, always, NULL);
	assert_true(store_idle(w->f->store));
	silences_resolved(w->silences, labels, never, NULL);
	WAIT_FOR(w->f->loop, silences_match(w->silences, labels, false) == NULL);
	assert_string_equal(
		silences_find(w->silences, w->id)->ended_by, "the end of what it matched");
	must_add(w, "a=b", 0, HOUR, false);
	silences_resolved(w->silences, labels, never, NULL);
	assert_true(store_idle(w->f->store));
	assert_non_null(silences_match(w->silences, labels, true));
}

/* ---- inhibition ----------------------------------------------------------------------------- */

static struct conf_inhibit inhibit(const char *name, const char *source, const char *target)
{
	struct conf_inhibit one = {.name = (char *)(uintptr_t)name};
	struct tend_error err = {0};

	assert_int_equal(matchers_parse(source, &err, &one.source), 0);
	assert_int_equal(matchers_parse(target, &err, &one.target), 0);
	return one;
}

static void test_inhibit(void **state)
{
	static const struct {
		const char *open, *asked, *want; /* open: "SEVERITY SYSTEM ..."; want: [inhibit] */
	} rows[] = {
		{"critical crm", "warning crm", "worse"},
		{"critical erp", "warning crm", NULL}, /* another system */
		{"warning crm", "warning crm", NULL},
		{"warning crm", "critical crm", NULL},
		{"", "warning crm", NULL},
		{"info net", "critical crm", "net"}, /* needs nothing equal */
		/* Fits both, as the asked one: they do not keep each other back. */
		{"info net", "info net", NULL},
	};
	static char *system_only[] = {(char *)(uintptr_t) "system", NULL};
	struct conf_inhibit worse = inhibit("worse", "severity=critical", "severity=warning");
	struct conf_inhibit net = inhibit("net", "system=net", "severity=~.*");
	struct conf conf = {0};

	worse.equal = system_only;
	assert_int_equal(map_put(&conf.inhibits, "worse", &worse), 0);
	assert_int_equal(map_put(&conf.inhibits, "net", &net), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto(inhibitor_free) struct inhibitor *in = NULL;
		char severity[16] = "", system[16] = "";
		auto_json json_t *asked = NULL, *open = NULL;
		const struct conf_inhibit *found;
		const char *source = NULL;

		assert_int_equal(inhibitor_new(&conf, &in), 0);
		(void)sscanf(rows[i].open, "%15s %15s", severity, system);
		open = json_pack("{s:s, s:s}", "severity", severity, "system", system);
		if (*rows[i].open)
			assert_int_equal(inhibitor_put(in, "source", open), 0);
		(void)sscanf(rows[i].asked, "%15s %15s", severity, system);
		asked = json_pack("{s:s, s:s}", "severity", severity, "system", system);
		found = inhibitor_find(in, "asked", asked, &source);
		if (!str_eq(found ? found->name : NULL, rows[i].want))
			fail_msg("row %zu: %s", i, found ? found->name : "none");
		if (found)
			assert_string_equal(source, "source");
		/* Never by itself, and no more when it is gone. */
		assert_null(inhibitor_find(in, "source", asked, &source));
		inhibitor_remove(in, "source");
		assert_null(inhibitor_find(in, "asked", asked, &source));
	}
	map_clear(&conf.inhibits);
	matchers_free(worse.source);
	matchers_free(worse.target);
	matchers_free(net.source);
	matchers_free(net.target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_life, setup, teardown),
		cmocka_unit_test_setup_teardown(test_times, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clock_set_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_until_resolved, setup, teardown),
		cmocka_unit_test(test_inhibit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
