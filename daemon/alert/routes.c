/* SPDX-License-Identifier: MIT */
/* alert/routes.c: whether one route takes a notice, and what said no; who a route means. Pure. */
#include <stdarg.h>
#include <string.h>
#include "alert/plan.h"
#include "base/str.h"

/* ---- what a route takes --------------------------------------------------------------------- */

/* Texts are made for who asks why, not for each of ten thousand notices. */
__attribute__((format(printf, 2, 3))) static void say(char *why, const char *format, ...)
{
	va_list ap;

	if (!why)
		return;
	va_start(ap, format);
	(void)vsnprintf(why, ROUTE_WHY_BYTES, format, ap);
	va_end(ap);
}

static bool severity_fits(const struct conf_route *route, const struct plan_question *q, char *why)
{
	if ((int)q->notice->severity >= route->min_severity)
		return true;
	say(why, "severity: %s is below min_severity = %s",
		conf_severity_names[q->notice->severity], conf_severity_names[route->min_severity]);
	return false;
}

static bool component_fits(const struct conf_route *route, const struct plan_question *q, char *why)
{
	const char *component = q->notice->component;

	if (!route->match_component)
		return true;
	for (char **p = route->match_component; component && *p; p++)
		if (str_glob(*p, component))
			return true;
	say(why, "match_component: %.100s is not matched",
		component ? component : "a notice without a component");
	return false;
}

static bool word_fits(const char *key, char *const *words, const char *word, char *why)
{
	if (!words || (word && strv_contains(words, word)))
		return true;
	say(why, "%s: %s%.60s is not among them", key, word ? "" : "a notice without ",
		word ? word : key);
	return false;
}

static bool labels_fit(const struct conf_route *route, const struct plan_question *q, char *why)
{
	const char *no = NULL;

	if (matchers_fit(route->match, q->labels, &no))
		return true;
	say(why, "match: %.200s does not fit", no);
	return false;
}

static bool times_fit(const struct conf_route *route, const struct plan_question *q, char *why)
{
	char text[ZONE_TEXT_BYTES];

	if (!route->times.n || times_inside(&route->times, route->zone, q->wall))
		return true;
	if (!why)
		return false;
	say(why, "times: not now, the next begin at %s",
		zone_format(route->zone, times_next(&route->times, route->zone, q->wall), text));
	return false;
}

bool route_takes(const struct conf_route *route, const struct plan_question *q, char *why)
{
	const char *class = json_string_value(json_object_get(q->labels, "class"));

	return severity_fits(route, q, why) && component_fits(route, q, why) &&
	       word_fits("environment", route->environments, q->notice->environment, why) &&
	       word_fits("class", route->classes, class, why) && labels_fit(route, q, why) &&
	       times_fit(route, q, why);
}

/* ---- whom it means -------------------------------------------------------------------------- */

struct found {
	const struct plan_question *q;
	struct plan *plan;
	struct route_receiver *list;
	size_t n;
};

static void add(struct found *found, const char *name, bool on_call)
{
	const struct conf_receiver *receiver = map_get(&found->q->conf->receivers, name);

	for (size_t i = 0; i < found->n; i++)
		if (found->list[i].receiver == receiver)
			return;
	if (receiver && found->n < ROUTE_MAX_RECEIVERS)
		found->list[found->n++] = (struct route_receiver){receiver, on_call};
}

static void add_rota(struct found *found, const char *name)
{
	const struct conf_rota *rota = map_get(&found->q->conf->rotas, name);
	char *const *names = NULL;
	size_t n = rota && rota->rota ? rota_at(rota->rota, found->q->wall, &names, NULL) : 0;

	for (size_t i = 0; i < n; i++)
		add(found, names[i], true);
	if (n > 0 || !rota)
		return;
	if (found->plan)
		plan_gate(found->plan, "rota", "nobody is on call in '%s'%s%s", name,
			rota->fallback ? ", its fallback is " : "",
			rota->fallback ? rota->fallback : "");
	if (rota->fallback)
		add(found, rota->fallback, true);
}

size_t route_receivers(const struct plan_question *question, char *const *names, struct plan *plan,
	struct route_receiver ret_receivers[ROUTE_MAX_RECEIVERS])
{
	struct found found = {.q = question, .plan = plan, .list = ret_receivers};

	for (; names && *names; names++) {
		if (str_startswith(*names, "rota:"))
			add_rota(&found, *names + strlen("rota:"));
		else
			add(&found, *names, false);
	}
	return found.n;
}
