/* SPDX-License-Identifier: MIT */
/* Groups: k of n members must be well. The check SYSTEM/GROUP/group says whether they are. */
#include <string.h>
#include "base/clock.h"
#include "watch/depend.h"
#include "watch/private.h"

static struct check *check_of(const struct component *group)
{
	VEC_FOREACH (&group->checks, struct check *, check)
		if (check->conf->probe == &conf_group_probe)
			return check;
	return NULL;
}

static void say(const struct component *group, bool confirmed, struct report *into)
{
	auto_str struct str bad = STR_INIT(RESULT_TEXT_BYTES / 2);
	size_t n = depend_n_well(group, confirmed, &bad);
	bool down = n < (size_t)group->conf->needs;

	*into = (struct report){
		.state = down ? TEND_STATE_CRITICAL : TEND_STATE_OK,
		.reason = down ? TEND_REASON_GROUP_DOWN : TEND_REASON_OK,
		.at_wall = clock_wall(),
		.judged = true,
		.n_metrics = 1,
		.metrics = {{.name = "well", .value = (double)n}},
	};
	(void)snprintf(into->text, sizeof(into->text), "%zu of %zu are well, %lld must be%s%s", n,
		group->members.len, (long long)group->conf->needs, bad.len ? "; not: " : "",
		str_get(&bad));
}

void group_report(const struct check *check, struct report *into)
{
	/* It fails when enough failures are confirmed; once it does, a member that is seen to fail
	 * is not well, or it would recover for a moment whenever one begins anew. */
	say(check->component, !state_failed(check->state.hard), into);
}

void group_look(struct watch *w, struct component *group)
{
	struct check *check = check_of(group);
	struct report said;
	struct attempt_end end = {.started = clock_now(), .finished = clock_now()};

	if (check && check->locate)
		watch_conclude(w, check); /* its own round asks the same */
	if (!check || state_failed(check->state.hard))
		return;
	say(group, false, &said);
	end.reason = said.reason;
	end.text = said.text;
	watch_take_located(w, check, &end);
}

void group_member_changed(struct watch *w, struct component *member)
{
	VEC_FOREACH (&member->groups, const struct component *, group) {
		struct check *check = check_of(group);

		if (check && !check->paused)
			(void)watch_run_now(w, check->conf->name, clock_now(), NULL, NULL);
	}
}
