/* SPDX-License-Identifier: MIT */
/* Random histories of an outbox, with losses, repeats and crashes. */
#include "outbox_fixture.h"

enum { N_STEPS = 4000, N_CHECKS = 12, N_SEEDS = 40 };

/* What a receiver saw, and what the disk would have. */
struct world {
	struct outbox o;
	struct delivery *all[N_STEPS];		/* by sequence - 1; held */
	char sent_as[N_STEPS][UUID_TEXT_BYTES]; /* the id of the request it went in, once tried */
	bool arrived[N_STEPS], over[N_STEPS];
	uint64_t n, last_arrived[N_CHECKS];
	char open[N_CHECKS][UUID_TEXT_BYTES]; /* the incident of the check; "" */
	usec_t now;
	unsigned seed;
	struct vec flying; /* struct shipment * */
};

static unsigned roll(struct world *w, unsigned n)
{
	w->seed = w->seed * 1664525u + 1013904223u;
	return (w->seed >> 10) % n;
}

static unsigned check_of(const struct delivery *d)
{
	return (unsigned)strtoul(d->record->notice.fingerprint, NULL, 10);
}

static void step_add(struct world *w)
{
	static const char *const groups[] = {NULL, "", "", "g", "h"};
	unsigned check = roll(w, N_CHECKS);
	bool was_open = w->open[check][0];
	enum notice_kind kind = !was_open	  ? NOTICE_INCIDENT_RAISED
				: roll(w, 3) == 0 ? NOTICE_INCIDENT_CLEARED
						  : NOTICE_INCIDENT_CHANGED;
	struct delivery *superseded, *d;
	char fingerprint[8];

	if (!was_open)
		uuid7(w->open[check]);
	snprintf(fingerprint, sizeof(fingerprint), "%u", check);
	d = make_in(groups[roll(w, 5)], kind, fingerprint, w->open[check], w->n + 1,
		roll(w, SEVERITY_MAX));
	d->wait = roll(w, 20) * SEC;
	d->interval = roll(w, 100) * SEC;
	if (kind == NOTICE_INCIDENT_CLEARED)
		w->open[check][0] = '\0';
	w->all[w->n++] = d;
	assert_int_equal(outbox_add(&w->o, d, w->now, &superseded), 0);
	while (superseded) {
		struct delivery *next = superseded->next;

		assert_false(w->over[superseded->sequence - 1]);
		w->over[superseded->sequence - 1] = true;
		delivery_unref(superseded);
		superseded = next;
	}
}

static void arrive(struct world *w, const struct shipment *s)
{
	VEC_FOREACH (&s->deliveries, const struct delivery *, d) {
		size_t i = d->sequence - 1;

		/* In order, but for what is repeated. */
		if (!w->arrived[i] && d->sequence < w->last_arrived[check_of(d)])
			fail_msg("%u arrives after %u", (unsigned)d->sequence,
				(unsigned)w->last_arrived[check_of(d)]);
		if (!w->arrived[i])
			w->last_arrived[check_of(d)] = d->sequence;
		w->arrived[i] = true;
	}
}

static void step_pick(struct world *w)
{
	const struct outbox_gate gate = {.now = w->now, .window = 8, .probing = roll(w, 10) == 0};
	struct shipment *s = w->o.n_in_flight < 8 ? outbox_pick(&w->o, &gate) : NULL;

	if (!s)
		return;
	assert_true(s->deliveries.len == 1 || !gate.probing || s->n_tries > 0);
	VEC_FOREACH (&s->deliveries, struct delivery *, d) {
		char *as = w->sent_as[d->sequence - 1];

		assert_false(w->over[d->sequence - 1]);
		/* Whatever happens between, what may have arrived goes under the same id. */
		if (*as)
			assert_string_equal(as, s->id);
		memcpy(as, s->id, UUID_TEXT_BYTES);
		if (s->commit)
			memcpy(d->batch, s->id, UUID_TEXT_BYTES);
		d->n_tries++;
	}
	s->commit = false;
	s->n_tries++;
	assert_int_equal(vec_push(&w->flying, s), 0);
}

static void step_answer(struct world *w)
{
	struct shipment *s;
	size_t i;

	if (w->flying.len == 0)
		return;
	i = roll(w, (unsigned)w->flying.len);
	s = w->flying.items[i];
	vec_remove(&w->flying, i);
	switch (roll(w, 3)) {
	case 0: /* lost on the way */
		outbox_retry(&w->o, s, w->now + roll(w, 60) * SEC);
		return;
	case 1: /* it arrived, its answer did not */
		arrive(w, s);
		outbox_retry(&w->o, s, w->now + roll(w, 60) * SEC);
		return;
	default:
		arrive(w, s);
		VEC_FOREACH (&s->deliveries, const struct delivery *, d)
			w->over[d->sequence - 1] = true;
		end(&w->o, s, w->now);
	}
}

/* kill -9: of what is in flight or was tried, the rows say all there is to know. Tries that were
 * not recorded (a notice of no group in flight) are not known. */
static void step_kill(struct world *w)
{
	struct delivery *copies[N_STEPS];
	size_t n = 0;

	VEC_FOREACH (&w->flying, struct shipment *, s)
		if (roll(w, 2))
			arrive(w, s);
	w->flying.len = 0;
	for (uint64_t i = 0; i < w->n; i++) {
		struct delivery *d = w->all[i], *copy;

		if (w->over[i])
			continue;
		assert_int_equal(delivery_new(d->record, NULL, &copy), 0);
		copy->sequence = d->sequence;
		copy->released = true;
		copy->group = d->group ? strdup(d->group) : NULL;
		copy->merged = d->merged ? json_incref(d->merged) : NULL;
		memcpy(copy->batch, d->batch, sizeof(d->batch));
		copy->n_tries = d->in_flight && !d->batch[0] && d->n_tries == 1 ? 0 : d->n_tries;
		copies[n++] = copy;
	}
	outbox_clear(&w->o);
	set_pace(&w->o, 5);
	for (size_t i = 0; i < n; i++) {
		struct delivery *superseded;

		delivery_unref(w->all[copies[i]->sequence - 1]);
		w->all[copies[i]->sequence - 1] = copies[i];
		assert_int_equal(outbox_add(&w->o, copies[i], w->now, &superseded), 0);
		/* What was in flight may be superseded now: it may have arrived, the newer one
		 * says so much. */
		while (superseded) {
			struct delivery *next = superseded->next;

			w->over[superseded->sequence - 1] = true;
			delivery_unref(superseded);
			superseded = next;
		}
	}
	for (size_t i = 0; i < n; i++) {
		struct delivery *list[N_STEPS];
		size_t n_list = 0;

		if (!copies[i]->chain || copies[i]->shipment ||
			(!copies[i]->batch[0] && copies[i]->n_tries == 0))
			continue;
		for (size_t j = i; j < n; j++)
			if (j == i || (copies[i]->batch[0] && copies[j]->chain &&
					      strcmp(copies[i]->batch, copies[j]->batch) == 0))
				list[n_list++] = copies[j];
		assert_int_equal(outbox_restore(&w->o, list, n_list, w->now, w->now), 0);
	}
}

/* Add, try, lose, repeat, crash, in any order: nothing is lost, the order of each check holds, and
 * a repeat has the id of the first time. */
static void test_random(void **state)
{
	static struct world w;

	for (unsigned seed = 1; seed <= N_SEEDS; seed++) {
		memset(&w, 0, sizeof(w));
		w.seed = seed;
		w.now = 1000 * SEC;
		set_pace(&w.o, 5);
		while (w.n < N_STEPS / 8) {
			unsigned what = roll(&w, 100);

			w.now += roll(&w, 2) * SEC;
			if (what < 35)
				step_add(&w);
			else if (what < 70)
				step_pick(&w);
			else if (what < 99)
				step_answer(&w);
			else
				step_kill(&w);
		}
		for (int i = 0; w.o.n_waiting > 0; i++) {
			assert_true(i < 100000);
			w.now += SEC;
			step_pick(&w);
			step_answer(&w);
		}
		for (uint64_t i = 0; i < w.n; i++) {
			assert_true(w.over[i]);
			delivery_unref(w.all[i]);
		}
		assert_int_equal(w.o.n_bytes, 0);
		assert_int_equal(w.o.n_in_flight, 0);
		assert_int_equal(w.o.n_shipments, 0);
		assert_int_equal(w.o.chains.len, 0);
		vec_clear(&w.flying);
		outbox_clear(&w.o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
