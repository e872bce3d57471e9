/* SPDX-License-Identifier: MIT */
#include "watch/depend.h"
#include <errno.h>

/* Higher is nearer to a cause. What is not named is a symptom like any other. */
static const unsigned char nearness[TEND_REASON_MAX] = {
	[TEND_REASON_DATABASE_MISSING] = 9,
	[TEND_REASON_FILE_MISSING] = 9,
	[TEND_REASON_PROCESS_MISSING] = 8,
	[TEND_REASON_CONNECTIONS_FULL] = 7,
	[TEND_REASON_READ_ONLY] = 7,
	[TEND_REASON_LOCKED] = 7,
	[TEND_REASON_STARTING] = 7,
	[TEND_REASON_OBJECT_MISSING] = 7,
	[TEND_REASON_ACCESS_DENIED] = 6,
	[TEND_REASON_SCHEMA_CHANGED] = 6,
	[TEND_REASON_VERSION_MISMATCH] = 6,
	[TEND_REASON_TLS_NAME] = 5,
	[TEND_REASON_TLS_REVOKED] = 5,
	[TEND_REASON_NO_REPLY] = 5,
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

static bool is_well(const struct component *member, bool confirmed)
{
	VEC_FOREACH (&member->checks, const struct check *, check) {
		bool seen = check->state.now == TEND_STATE_CRITICAL && !confirmed;

		if (check->state.hard == TEND_STATE_CRITICAL || (seen && !check->unreachable))
			return false;
	}
	return member->members.len == 0 || confirmed || !depend_is_down(member);
}

size_t depend_n_well(const struct component *group, bool confirmed, struct str *bad)
{
	size_t n = 0;

	VEC_FOREACH (&group->members, const struct component *, member) {
		if (is_well(member, confirmed))
			n++;
		else if (bad)
			(void)str_appendf(
				bad, "%s%s", bad->len ? ", " : "", member->conf->short_name);
	}
	return n;
}

bool depend_is_down(const struct component *component)
{
	VEC_FOREACH (&component->checks, const struct check *, check)
		if (is_down_now(check))
			return true;
	return component->members.len > 0 &&
	       depend_n_well(component, false, NULL) < (size_t)component->conf->needs;
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
	if (component->members.len == 0 || !depend_is_down(component))
		return NULL;
	VEC_FOREACH (&component->members, const struct component *, member) {
		struct component *deeper = depend_culprit(member, lookup, data);

		if (deeper)
			return deeper;
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

static int add_ancestor(
	struct component *parent, depend_lookup_fn lookup, void *data, struct vec *ret_components)
{
	int r;

	VEC_FOREACH (ret_components, struct component *, c)
		if (c == parent)
			return 0;
	r = vec_push(ret_components, parent);
	return r < 0 ? r : depend_ancestors(parent, lookup, data, ret_components);
}

int depend_ancestors(const struct component *component, depend_lookup_fn lookup, void *data,
	struct vec *ret_components)
{
	int r = 0;

	VEC_FOREACH (&component->conf->parents, const struct conf_component *, conf) {
		struct component *parent = lookup(conf, data);

		if (parent && r == 0)
			r = add_ancestor(parent, lookup, data, ret_components);
	}
	VEC_FOREACH (&component->members, struct component *, member)
		if (r == 0)
			r = add_ancestor(member, lookup, data, ret_components);
	return r;
}

bool depend_is_ancestor(const struct conf_component *ancestor, const struct conf_component *of)
{
	VEC_FOREACH (&of->parents, const struct conf_component *, parent)
		if (parent == ancestor || depend_is_ancestor(ancestor, parent))
			return true;
	return false;
}
