/* SPDX-License-Identifier: MIT */
/* What waits for a receiver: order, merging, shedding, what goes together and when. */
#include "outbox_fixture.h"
#include <time.h>

/* A script: letters add notices (R C X = raised, changed, cleared of incident 1; r c x of incident
 * 2, same fingerprint; M a message of the fingerprint; N a reminder, A an acknowledgement of
 * incident 1), '!' puts the first of the chain in flight, '.' ends it as delivered. What waits at
 * the end, and what each of it stands for as well. */
static void test_merging(void **state)
{
	static const struct {
		const char *script, *left, *superseded;
	} rows[] = {
		{"R", "R", ""},
		{"RX", "X", "R"}, /* was raised and cleared */
		{"RC", "RC", ""}, /* no change to what was not told */
		{"RCC", "RC", "C"},
		{"RCCX", "X", "CRC"},
		{"CX", "X", "C"},
		{"CC", "C", "C"},
		{"R!X", "RX", ""}, /* in flight: it may have arrived */
		{"R!.X", "X", ""},
		{"R!CX", "RX", "C"},
		{"RXr", "Xr", "R"}, /* another incident of the same check */
		{"RXrx", "Xx", "Rr"},
		{"Rr", "Rr", ""},
		{"MM", "MM", ""}, /* messages are never merged */
		{"RMX", "MX", "R"},
		{"RNN", "RN", "N"}, /* only the newest reminder is of use */
		{"RNC", "RC", "N"},
		{"RNAX", "X", "RNA"},
		{"RAN", "RAN", ""},
	};
	static const char letters[] = "RCXrcxMNA";
	static const enum notice_kind kinds[] = {NOTICE_INCIDENT_RAISED, NOTICE_INCIDENT_CHANGED,
		NOTICE_INCIDENT_CLEARED, NOTICE_INCIDENT_RAISED, NOTICE_INCIDENT_CHANGED,
		NOTICE_INCIDENT_CLEARED, NOTICE_POLICY_MESSAGE, NOTICE_INCIDENT_REMINDER,
		NOTICE_INCIDENT_ACKNOWLEDGED};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outbox outbox;
		char left[32] = "", superseded[32] = "", of[64] = "";
		size_t n_left = 0, n_superseded = 0, merged = 0;
		struct delivery *d;

		outbox_init(&outbox);
		for (const char *p = rows[i].script; *p; p++) {
			struct delivery *old = NULL;
			const char *letter = strchr(letters, *p);

			if (*p == '!') {
				assert_non_null(pick_at(&outbox, 1));
				continue;
			}
			if (*p == '.') {
				end(&outbox, outbox.oldest->shipment, 1);
				continue;
			}
			of[p - rows[i].script] = *p;
			d = make(kinds[letter - letters], "s/c/x",
				*p == 'M'  ? NULL
				: *p < 'a' ? "one"
					   : "two",
				(uint64_t)(p - rows[i].script), SEVERITY_WARNING);
			assert_int_equal(outbox_add(&outbox, d, 1, &old), 0);
			while (old) {
				struct delivery *next = old->next;

				assert_string_equal(old->superseded_by, d->record->notice.id);
				superseded[n_superseded++] = of[old->sequence];
				delivery_unref(old);
				old = next;
			}
			delivery_unref(d);
		}
		while (outbox.oldest) {
			left[n_left++] = of[outbox.oldest->sequence];
			merged += json_array_size(outbox.oldest->merged);
			outbox_remove(&outbox, outbox.oldest, 1);
		}
		if (strcmp(left, rows[i].left) != 0 || strcmp(superseded, rows[i].superseded) != 0)
			fail_msg("%s: left %s, superseded %s", rows[i].script, left, superseded);
		/* Everything that did not go is named by what went instead of it. */
		assert_int_equal(merged, n_superseded);
		assert_int_equal(outbox.n_waiting, 0);
		assert_int_equal(outbox.n_bytes, 0);
		assert_int_equal(outbox.n_shipments, 0);
		outbox_clear(&outbox);
	}
}

static void test_order(void **state)
{
	struct outbox outbox;
	struct delivery *old, *a1 = make(NOTICE_POLICY_MESSAGE, "a", NULL, 1, SEVERITY_INFO);
	struct delivery *a2 = make(NOTICE_POLICY_MESSAGE, "a", NULL, 2, SEVERITY_CRITICAL);
	struct delivery *b3 = make(NOTICE_POLICY_MESSAGE, "b", NULL, 3, SEVERITY_WARNING);
	struct delivery *c4 = make(NOTICE_POLICY_MESSAGE, "c", NULL, 4, SEVERITY_INFO);
	struct delivery *all[] = {a1, a2, b3, c4};

	outbox_init(&outbox);
	a1->expires_at = 62;
	a2->expires_at = 70;
	b3->next_at = 50;
	c4->released = false;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(outbox_add(&outbox, all[i], 1, &old), 0);
	assert_ptr_equal(picked(&outbox, 1), a1); /* a2 waits for a1, the others do not */
	assert_null(picked(&outbox, 49));
	assert_int_equal(outbox_wake_at(&outbox), 50);
	assert_ptr_equal(picked(&outbox, 50), b3);
	outbox_retry(&outbox, a1->shipment, 60); /* its retry blocks a2 as well */
	assert_null(picked(&outbox, 59));
	assert_int_equal(outbox.n_in_flight, 1);
	/* Shedding: the least severe, of these the oldest; also what is not released yet, but not
	 * what is in flight. */
	assert_ptr_equal(outbox_victim(&outbox), a1);
	/* A second try is in flight as the first was: it ends by its answer. */
	assert_ptr_equal(picked(&outbox, 60), a1);
	assert_ptr_equal(outbox_victim(&outbox), c4);
	assert_null(outbox_expired(&outbox, 65));
	outbox_retry(&outbox, a1->shipment, 66);
	assert_ptr_equal(outbox_victim(&outbox), a1);
	assert_ptr_equal(outbox_expired(&outbox, 65), a1);
	outbox_remove(&outbox, a1, 60);
	assert_ptr_equal(outbox_victim(&outbox), c4);
	outbox_remove(&outbox, c4, 60);
	assert_ptr_equal(outbox_victim(&outbox), a2);
	/* Expiry sees those that wait behind another one too. */
	assert_null(outbox_expired(&outbox, 69));
	assert_ptr_equal(outbox_expired(&outbox, 70), a2);
	assert_int_equal(outbox_wake_expiry(&outbox), 70);
	assert_int_equal(outbox_oldest_wall(&outbox), 0);
	outbox_clear(&outbox);
	for (size_t i = 0; i < 4; i++)
		delivery_unref(all[i]);
}

/* No clear whose raise went is given up, whatever else must be. */
static void test_victims(void **state)
{
	struct outbox outbox;
	struct delivery *old, *all[4];

	outbox_init(&outbox);
	all[0] = make(NOTICE_INCIDENT_CLEARED, "a", "one", 1, SEVERITY_INFO);
	all[1] = make(NOTICE_INCIDENT_RAISED, "b", "two", 2, SEVERITY_WARNING);
	all[2] = make(NOTICE_INCIDENT_CLEARED, "b", "two", 3, SEVERITY_WARNING);
	all[3] = make(NOTICE_INCIDENT_RAISED, "c", "three", 4, SEVERITY_CRITICAL);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(outbox_add(&outbox, all[i], 1, &old), 0);
		delivery_unref(old);
	}
	assert_ptr_equal(outbox_victim(&outbox), all[2]); /* its raise never went */
	outbox_remove(&outbox, all[2], 1);
	assert_ptr_equal(outbox_victim(&outbox), all[3]);
	outbox_remove(&outbox, all[3], 1);
	assert_null(outbox_victim(&outbox));
	assert_int_equal(outbox.n_waiting, 1);
	outbox_clear(&outbox);
	for (size_t i = 0; i < 4; i++)
		delivery_unref(all[i]);
}

/* ---- together ------------------------------------------------------------------------------- */

static const char *storm_group(struct outbox *o, usec_t now)
{
	return outbox_admits(o, now) ? NULL : "";
}

/* The first go alone; then one an interval, of all there is; few enough: alone again. */
static void test_storm(void **state)
{
	struct outbox o;
	char fingerprint[16], text[256];
	usec_t now = 100 * SEC;
	uint64_t sequence = 0;

	set_pace(&o, 3);
	for (int i = 0; i < 8; i++) {
		snprintf(fingerprint, sizeof(fingerprint), "c%d", i);
		put(&o, storm_group(&o, now), fingerprint, ++sequence, now);
	}
	assert_ships(&o, now, "1");
	assert_ships(&o, now, "2");
	assert_ships(&o, now, "3");
	assert_ships(&o, now, "");
	assert_int_equal(outbox_wake_at(&o), 105 * SEC);
	assert_ships(&o, 105 * SEC - 1, "");
	assert_ships(&o, 105 * SEC, "4 5 6 7 8");
	/* It was more than a burst: the next is gathered, too, even if it comes alone. */
	put(&o, storm_group(&o, 131 * SEC), "d", ++sequence, 131 * SEC);
	assert_ships(&o, 135 * SEC - 1, "");
	assert_ships(&o, 135 * SEC, "9");
	/* That was little: alone, as many as are left of the burst. */
	put(&o, storm_group(&o, 136 * SEC), "e", ++sequence, 136 * SEC);
	put(&o, storm_group(&o, 136 * SEC), "f", ++sequence, 136 * SEC);
	put(&o, storm_group(&o, 136 * SEC), "g", ++sequence, 136 * SEC);
	assert_ships(&o, 136 * SEC, "10");
	assert_ships(&o, 136 * SEC, "11");
	assert_ships(&o, 136 * SEC, "");
	assert_string_equal(members(pick_at(&o, 141 * SEC), text), "12");
	/* Silence for an interval after a storm: over. */
	for (int i = 0; i < 4; i++)
		(void)storm_group(&o, 300 * SEC);
	assert_true(o.guard.storming);
	assert_null(storm_group(&o, 400 * SEC));
	outbox_clear(&o);
}

static void test_storm_off(void **state)
{
	struct outbox o;

	set_pace(&o, 0);
	for (int i = 0; i < 1000; i++)
		assert_null(storm_group(&o, 100 * SEC));
	outbox_clear(&o);
}

/* A route's group waits for company, and then keeps its interval. */
static void test_group(void **state)
{
	struct outbox o;
	struct delivery *old, *d;
	uint64_t sequence = 0;

	set_pace(&o, 10);
	for (int i = 0; i < 6; i++) {
		char fingerprint[2] = {(char)('a' + i % 3), '\0'};

		d = make_in(i == 4 ? "other" : "g", NOTICE_POLICY_MESSAGE, fingerprint, NULL,
			++sequence, SEVERITY_INFO);
		d->wait = 10 * SEC;
		d->interval = 300 * SEC;
		assert_int_equal(outbox_add(&o, d, (usec_t)(100 + i) * SEC, &old), 0);
		delivery_unref(d);
	}
	/* Two of one check go together, in order: 1 and 4 (a); 2 (b), behind it 5 of another
	 * group, which must wait until 2 is over; 3 and 6 (c). */
	assert_ships(&o, 110 * SEC - 1, "");
	struct shipment *s = pick_at(&o, 110 * SEC);
	char text[256];
	assert_string_equal(members(s, text), "1 2 3 4 6");
	assert_true(s->commit);
	assert_string_not_equal(s->id, shipment_first(s)->record->notice.id);
	assert_ships(&o, 200 * SEC, "");
	end(&o, s, 200 * SEC);
	assert_ships(&o, 209 * SEC, "");
	s = pick_at(&o, 210 * SEC);
	assert_string_equal(members(s, text), "5");
	assert_true(s->commit); /* it might have gone in company */
	assert_string_equal(s->id, shipment_first(s)->record->notice.id);
	end(&o, s, 210 * SEC);
	d = put(&o, "g", "a", ++sequence, 220 * SEC);
	assert_ships(&o, 409 * SEC, "");
	assert_ships(&o, 410 * SEC, "7");
	outbox_clear(&o);
}

/* Fixed until it ends: nothing supersedes it, nothing sheds it, it expires as a whole. */
static void test_fixed(void **state)
{
	struct outbox o;
	struct delivery *old = NULL, *d[4];
	struct shipment *s;

	set_pace(&o, 10);
	for (int i = 0; i < 3; i++) {
		char fingerprint[2] = {(char)('a' + i), '\0'};

		d[i] = make_in("", NOTICE_INCIDENT_RAISED, fingerprint, fingerprint,
			(uint64_t)i + 1, SEVERITY_INFO);
		d[i]->expires_at = (usec_t)(200 + i) * SEC;
		assert_int_equal(outbox_add(&o, d[i], 100 * SEC, &old), 0);
	}
	s = pick_at(&o, 100 * SEC);
	assert_int_equal(s->deliveries.len, 3);
	for (int i = 0; i < 3; i++)
		memcpy(d[i]->batch, s->id, sizeof(s->id));
	outbox_retry(&o, s, 150 * SEC);
	assert_int_equal(o.n_in_flight, 0);
	assert_null(outbox_victim(&o));
	assert_null(outbox_expired(&o, 300 * SEC));
	assert_null(outbox_expired_shipment(&o, 201 * SEC));
	assert_int_equal(outbox_wake_expiry(&o), 202 * SEC);
	d[3] = make_in("", NOTICE_INCIDENT_CLEARED, "a", "a", 4, SEVERITY_INFO);
	assert_int_equal(outbox_add(&o, d[3], 120 * SEC, &old), 0);
	assert_null(old);
	assert_ships(&o, 149 * SEC, ""); /* the clear waits for the raise */
	assert_ptr_equal(pick_at(&o, 150 * SEC), s);
	outbox_retry(&o, s, 210 * SEC);
	assert_ptr_equal(outbox_expired_shipment(&o, 202 * SEC), s);
	end(&o, s, 202 * SEC);
	assert_ships(&o, 202 * SEC, "4");
	assert_int_equal(o.n_shipments, 1);
	outbox_clear(&o);
	for (int i = 0; i < 4; i++)
		delivery_unref(d[i]);
}

/* As many as fit, the rest at once in the next. */
static void test_limits(void **state)
{
	struct outbox o;
	char fingerprint[16];
	struct shipment *s;

	set_pace(&o, 10);
	for (unsigned i = 0; i < 2600; i++) {
		snprintf(fingerprint, sizeof(fingerprint), "c%u", i % 1500);
		put(&o, "", fingerprint, i + 1, 100 * SEC);
	}
	s = pick_at(&o, 100 * SEC);
	assert_int_equal(s->deliveries.len, SHIPMENT_MAX_DELIVERIES);
	/* The others are behind one that goes first: of the same round. */
	assert_null(pick_at(&o, 100 * SEC));
	end(&o, s, 101 * SEC);
	assert_int_equal(pick_at(&o, 101 * SEC)->deliveries.len, 600);
	outbox_clear(&o);
	set_pace(&o, 10);
	for (unsigned i = 0; i < 5; i++) {
		snprintf(fingerprint, sizeof(fingerprint), "c%u", i);
		put(&o, "", fingerprint, i + 1, 0)->n_bytes = 300 * 1024;
	}
	assert_ships(&o, 100 * SEC, "1 2");
	assert_ships(&o, 100 * SEC, "3 4");
	assert_ships(&o, 100 * SEC, "5");
	outbox_clear(&o);
}

/* A digest holds what comes later of the same incident, but not what is worse. */
static void test_held(void **state)
{
	static const struct {
		enum notice_kind kind;
		enum conf_severity severity;
		const char *at_once, *later;
	} rows[] = {
		{NOTICE_INCIDENT_CHANGED, SEVERITY_WARNING, "", "1 2"},
		{NOTICE_INCIDENT_CHANGED, SEVERITY_CRITICAL, "1 2", ""},
		{NOTICE_INCIDENT_CLEARED, SEVERITY_WARNING, "", "2"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outbox o;
		struct delivery *old = NULL, *d = make_in("", NOTICE_INCIDENT_RAISED, "a", "one", 1,
						     SEVERITY_WARNING);

		set_pace(&o, 10);
		d->next_at = 900 * SEC;
		assert_int_equal(outbox_add(&o, d, 100 * SEC, &old), 0);
		delivery_unref(d);
		d = make_in("", rows[i].kind, "a", "one", 2, rows[i].severity);
		assert_int_equal(outbox_add(&o, d, 100 * SEC, &old), 0);
		delivery_unref(d);
		delivery_unref(old);
		assert_ships(&o, 899 * SEC, rows[i].at_once);
		assert_ships(&o, 900 * SEC, rows[i].later);
		outbox_clear(&o);
	}
}

/* What is held, and until when, is also what its row says. */
static void test_held_row(void **state)
{
	struct outbox o;
	struct delivery *old = NULL, *raise, *change, *worse;

	set_pace(&o, 10);
	raise = make_in("", NOTICE_INCIDENT_RAISED, "a", "one", 1, SEVERITY_WARNING);
	raise->next_at = 900 * SEC;
	raise->next_wall = raise->due_wall = 5900 * SEC;
	assert_int_equal(outbox_add(&o, raise, 100 * SEC, &old), 0);
	change = make_in("", NOTICE_INCIDENT_ACKNOWLEDGED, "a", "one", 2, SEVERITY_WARNING);
	assert_int_equal(outbox_add(&o, change, 100 * SEC, &old), 0);
	assert_int_equal(change->next_at, 900 * SEC);
	assert_int_equal(change->next_wall, 5900 * SEC);
	assert_int_equal(change->due_wall, 5900 * SEC);
	worse = make_in("", NOTICE_INCIDENT_CHANGED, "a", "one", 3, SEVERITY_CRITICAL);
	assert_int_equal(outbox_add(&o, worse, 100 * SEC, &old), 0);
	assert_int_equal(raise->next_wall, 0);
	assert_int_equal(change->next_wall, 0);
	assert_true(raise->due_wall <= 100 * SEC);
	assert_true(raise->unheld && change->unheld);
	delivery_unref(raise);
	delivery_unref(change);
	delivery_unref(worse);
	outbox_clear(&o);
}

/* ---- outages -------------------------------------------------------------------------------- */

/* One that always fails does not keep the breaker from seeing that the others get through. */
static void test_probing(void **state)
{
	struct outbox o;
	struct outbox_gate gate = {.probing = true, .window = 3};
	struct shipment *s;
	char text[256] = "", one[256];

	set_pace(&o, 10);
	for (unsigned i = 0; i < 6; i++) {
		char fingerprint[2] = {(char)('a' + i), '\0'};

		put(&o, "", fingerprint, i + 1, 100 * SEC);
	}
	for (unsigned i = 0; i < 7; i++) {
		gate.now = (100 + i) * SEC;
		s = outbox_pick(&o, &gate);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s|", members(s, one));
		outbox_retry(&o, s, gate.now + 60 * SEC);
	}
	/* Alone, and only so many are started; then those in turn. */
	assert_string_equal(text, "1|2|3|1|2|3|1|");
	outbox_retry_now(&o, 200 * SEC);
	assert_ships(&o, 200 * SEC, "1");
	outbox_clear(&o);
}

static void test_drain(void **state)
{
	struct outbox o;
	struct outbox_gate gate = {.now = 100 * SEC, .window = 8, .no_backlog = true};
	struct shipment *s;
	char text[256];

	set_pace(&o, 0);
	put(&o, NULL, "a", 1, 100 * SEC);
	put(&o, NULL, "b", 2, 100 * SEC);
	outbox_mark_backlog(&o, 100 * SEC);
	assert_int_equal(o.n_backlog, 2);
	put(&o, NULL, "a", 3, 100 * SEC); /* behind what waited: in order */
	put(&o, NULL, "c", 4, 100 * SEC);
	assert_string_equal(members(outbox_pick(&o, &gate), text), "4");
	assert_null(outbox_pick(&o, &gate));
	gate.no_backlog = false;
	s = outbox_pick(&o, &gate);
	assert_string_equal(members(s, text), "1");
	assert_true(s->backlog);
	end(&o, s, 100 * SEC);
	gate.no_backlog = true; /* 3 is new */
	assert_string_equal(members(outbox_pick(&o, &gate), text), "3");
	assert_int_equal(o.n_backlog, 1);
	outbox_clear(&o);
}

/* What was held anyway has not waited for the receiver. */
static void test_held_is_no_backlog(void **state)
{
	struct outbox o;
	struct delivery *old = NULL, *d;

	set_pace(&o, 0);
	put(&o, NULL, "a", 1, 100 * SEC);
	d = make_in(NULL, NOTICE_POLICY_MESSAGE, "b", NULL, 2, SEVERITY_WARNING);
	d->next_at = 900 * SEC;
	assert_int_equal(outbox_add(&o, d, 100 * SEC, &old), 0);
	delivery_unref(d);
	outbox_mark_backlog(&o, 100 * SEC);
	assert_int_equal(o.n_backlog, 1);
	assert_false(d->backlog);
	outbox_clear(&o);
}

static void test_restore(void **state)
{
	struct outbox o;
	struct delivery *list[3];
	struct shipment *s;
	char text[256], id[UUID_TEXT_BYTES];

	set_pace(&o, 10);
	uuid7(id);
	for (unsigned i = 0; i < 3; i++) {
		char fingerprint[2] = {(char)('a' + i), '\0'};

		list[i] = put(&o, "", fingerprint, i + 1, 100 * SEC);
	}
	memcpy(list[0]->batch, id, sizeof(id));
	memcpy(list[2]->batch, id, sizeof(id));
	list[1] = list[2];
	assert_int_equal(outbox_restore(&o, list, 2, 120 * SEC, 100 * SEC), 0);
	assert_ships(&o, 100 * SEC, "2");
	s = pick_at(&o, 120 * SEC);
	assert_string_equal(members(s, text), "1 3");
	assert_string_equal(s->id, id);
	assert_false(s->commit); /* the store has it */
	outbox_clear(&o);
}

/* ---- at scale ------------------------------------------------------------------------------- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Ten thousand wait: says how long it took, the figure is for people. */
static void test_scale(void **state)
{
	enum { N = 10000 };
	static struct delivery *all[N];
	char fingerprint[32];
	struct outbox o;
	struct shipment *s;
	struct delivery *old;
	double began, added;
	size_t n = 0;

	set_pace(&o, 10);
	for (size_t i = 0; i < N; i++) {
		snprintf(fingerprint, sizeof(fingerprint), "crm/web/check-%zu", i);
		all[i] = make(NOTICE_INCIDENT_RAISED, fingerprint, fingerprint, i + 1, i % 3);
		all[i]->expires_at = 5000 * SEC;
		all[i]->released = false;
	}
	began = seconds();
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(outbox_add(&o, all[i], 100 * SEC, &old), 0);
		outbox_release(&o, all[i], 100 * SEC);
	}
	added = seconds();
	while ((s = pick_at(&o, 100 * SEC))) {
		assert_null(outbox_expired(&o, 100 * SEC));
		assert_non_null(all[n]->shipment);
		end(&o, s, 100 * SEC);
		n++;
	}
	print_message("%d adds in %.1f ms, %zu picks in %.1f ms\n", N, 1e3 * (added - began), n,
		1e3 * (seconds() - added));
	assert_int_equal(n, N);
	assert_int_equal(o.n_waiting, 0);
	outbox_clear(&o);
	for (size_t i = 0; i < N; i++)
		delivery_unref(all[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merging),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_victims),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_storm_off),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_held_row),
		cmocka_unit_test(test_probing),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_held_is_no_backlog),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_scale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
