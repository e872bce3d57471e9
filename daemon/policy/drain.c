/* SPDX-License-Identifier: MIT */
/* Before an upgrade: no run begins any more, live ones end. */
#include <string.h>
#include "base/log.h"
#include "policy/private.h"

/* In the table meta: who drained, or nothing. */
#define DRAIN_KEY "drained_by"
#define DRAIN_OFF ""

static size_t n_live(const struct policies *p)
{
	size_t n = 0;

	VEC_FOREACH (&p->runs, const struct run *, run)
		n += !run->describing && !run->queued && !run->settled;
	return n;
}

/* Whoever must know that it is kept asks the store (store_barrier()). */
static void keep(struct policies *p, const char *author)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	int r = store_batch_new(&batch);

	if (r == 0)
		r = store_batch_add(
			batch, STORE_META_PUT, "ss", DRAIN_KEY, p->draining ? author : DRAIN_OFF);
	if (r == 0)
		r = store_commit(p->deps.store, TAKE(batch), NULL, NULL);
	if (r < 0)
		log_error("policies: the drain is not kept over a restart: %s", strerror(-r));
}

int drain_load(struct policies *p)
{
	auto_json json_t *rows = NULL;
	int r = store_read_now(p->deps.store, STORE_QUERY_META, &rows, "s", DRAIN_KEY);
	const char *author = json_string_value(json_object_get(json_array_get(rows, 0), "value"));

	p->draining = r == 0 && author && *author;
	if (p->draining)
		log_notice("policies: still drained by %s: no run begins before 'tendctl action "
			   "undrain'",
			author);
	return r;
}

void policies_drain(struct policies *policies, bool on, const char *author)
{
	if (policies->draining == on)
		return;
	policies->draining = on;
	keep(policies, author);
	if (on) {
		log_notice("policies: drained by %s: no run begins any more, %zu are live", author,
			n_live(policies));
		return;
	}
	log_notice("policies: no longer drained, by %s", author);
	trigger_wish(policies, clock_now());
}

json_t *policies_drain_to_json(const struct policies *policies)
{
	size_t n = n_live(policies);

	return json_pack("{s:b, s:b, s:i}", "draining", policies->draining, "drained",
		policies->draining && n == 0, "live", (int)n);
}
