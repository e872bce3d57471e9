/* SPDX-License-Identifier: MIT */
#include "watch/depend.h"
#include <errno.h>

/* Higher is nearer to a cause. What is not named is a symptom like any other. */
static const unsigned char nearness[TEND_REASON_MAX] = {
	[TEND_REASON_UNIT_MISSING] = 9,
	[TEND_REASON_UNIT_STOPPED] = 9,
	[TEND_REASON_UNIT_FAILED] = 8,
	[TEND_REASON_UNIT_INACTIVE] = 8,
	[TEND_REASON_THRESHOLD] = 6,
	[TEND_REASON_DNS_FAILED] = 5,
	[TEND_REASON_TLS_EXPIRED] = 5,
	[TEND_REASON_AUTH_FAILED] = 5,
	[TEND_REASON_CONNECT_REFUSED] = 4,
	[TEND_REASON_CONNECT_TIMEOUT] = 3,
	[TEND_REASON_CONNECT_FAILED] = 3,
	[TEND_REASON_TOO_SLOW] = 2,
	[TEND_REASON_CANCELLED] = 0,
};

static unsigned check_nearness(const struct check *check)
{
	unsigned n = nearness[check->last.reason];

	return n ? n : 1;
}

static bool is_down_now(const struct check *check)
{
	return !check->unreachable && (check->state.now == TEND_STATE_CRITICAL ||
					      check->state.hard == TEND_STATE_CRITICAL);
}

bool depend_is_down(const struct component *component)
{
	VEC_FOREACH (&component->checks, const struct check *, check)
		if (is_down_now(check))
			return true;
	return false;
}

struct component *depend_culprit(
	const struct component *component, depend_lookup_fn lookup, void *data)
{
	VEC_FOREACH (&component->conf->parents, const struct conf_component *, conf) {
		struct component *parent = lookup(conf, data), *deeper;

		if (!parent)
			continue;
		deeper = depend_culprit(parent, lookup, data);
		if (deeper)
			return deeper;
		if (depend_is_down(parent))
			return parent;
	}
	return NULL;
}

struct check *depend_root_check(const struct component *component)
{
	struct check *best = NULL;

	VEC_FOREACH (&component->checks, struct check *, check) {
		if (!state_failed(check->state.now) || check->unreachable)
			continue;
		enum tend_state worse =
			best ? state_worse(check->state.now, best->state.now) : check->state.now;
		if (!best || (worse == check->state.now && worse != best->state.now) ||
			(check->state.now == best->state.now &&
				check_nearness(check) > check_nearness(best)))
			best = check;
	}
	return best;
}

int depend_ancestors(const struct component *component, depend_lookup_fn lookup, void *data,
	struct vec *ret_components)
{
	VEC_FOREACH (&component->conf->parents, const struct conf_component *, conf) {
		struct component *parent = lookup(conf, data);
		bool known = false;
		int r;

		VEC_FOREACH (ret_components, struct component *, c)
			known = known || c == parent;
		if (!parent || known)
			continue;
		r = vec_push(ret_components, parent);
		if (r == 0)
			r = depend_ancestors(parent, lookup, data, ret_components);
		if (r < 0)
			return r;
	}
	return 0;
}

bool depend_is_ancestor(const struct conf_component *ancestor, const struct conf_component *of)
{
	VEC_FOREACH (&of->parents, const struct conf_component *, parent)
		if (parent == ancestor || depend_is_ancestor(ancestor, parent))
			return true;
	return false;
}
