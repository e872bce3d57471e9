/* SPDX-License-Identifier: MIT */
/* Before an upgrade: no run begins any more, live ones end. */
#include <string.h>
#include "base/log.h"
#include "policy/private.h"

static size_t n_live(const struct policies *p)
{
	size_t n = 0;

	VEC_FOREACH (&p->runs, const struct run *, run)
		n += !run->describing && !run->queued && !run->settled;
	return n;
}

void policies_drain(struct policies *policies, bool on, const char *author)
{
	if (policies->draining == on)
		return;
	policies->draining = on;
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
