/* SPDX-License-Identifier: MIT */
/* The verbs check.report: a policy gives a result to a check of the probe `passive`; and
 * window.check: may it change something now? */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "calendar/window.h"
#include "policy/private.h"

static const char *arg_text(const struct step *step, const char *name)
{
	return json_string_value(json_object_get(step->args, name));
}

void act_report(struct step *step)
{
	const char *text = arg_text(step, "text");
	struct tend_error err = {0};
	int r;

	step->run->n_in_flight++;
	step->probing = true;
	r = watch_report(step->run->policies->deps.watch, arg_text(step, "check"),
		arg_text(step, "state"), arg_text(step, "reason"), text ? text : "",
		json_object_get(step->args, "metrics"), act_check_ran, step, &err);
	if (r == 0)
		return;
	step->probing = false;
	step_outcome(step, STEP_FAILED, NULL, "%s", err.text[0] ? err.text : strerror(-r));
	run_unref_step(step->run);
}

void act_window(struct step *step)
{
	const struct run *run = step->run;
	const struct conf *conf = run->policies->conf;
	const char *name = arg_text(step, "component");
	const struct conf_component *c = map_get(&conf->components, name ? name : run->component);

	if (c)
		step_outcome(step, STEP_DONE, windows_check(conf, c, run->policy, clock_wall()),
			"%s", "");
	else
		step_outcome(step, STEP_FAILED, NULL, "there is no component '%.200s'",
			name ? name : run->component);
}
