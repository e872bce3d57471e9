/* SPDX-License-Identifier: MIT */
#include "alert/plan.h"
#include <stdarg.h>
#include <string.h>
#include "base/str.h"

enum { PLAN_MAX_GATES = 64, GROUP_MAX_BYTES = 1024 };

/* ---- targets and gates ---------------------------------------------------------------------- */

struct plan_target *plan_target_free(struct plan_target *target)
{
	if (!target)
		return NULL;
	json_decref(target->group_labels);
	free(target->group);
	free(target);
	return NULL;
}

struct plan_target *plan_target_new(const struct conf_receiver *receiver)
{
	auto(plan_target_free) struct plan_target *target = calloc(1, sizeof(*target));

	if (!target)
		return NULL;
	target->receiver = receiver;
	target->group = strdup("");
	target->storm = true;
	return target->group ? TAKE(target) : NULL;
}

void plan_clear(struct plan *plan)
{
	VEC_FOREACH (&plan->targets, struct plan_target *, target)
		plan_target_free(target);
	VEC_FOREACH (&plan->gates, char *, gate)
		free(gate);
	vec_clear(&plan->targets);
	vec_clear(&plan->gates);
}

void plan_gate(struct plan *plan, const char *name, const char *format, ...)
{
	char reason[512];
	auto_free char *gate = NULL;
	va_list ap;

	if (plan->terse)
		return;
	va_start(ap, format);
	(void)vsnprintf(reason, sizeof(reason), format, ap);
	va_end(ap);
	if (plan->gates.len < PLAN_MAX_GATES)
		gate = str_printf("%s: %s", name, reason);
	if (gate && vec_push(&plan->gates, gate) == 0)
		TAKE(gate);
}

/* ---- groups and digests --------------------------------------------------------------------- */

static int append_value(struct str *key, const char *name, const char *value)
{
	int r = str_appendf(key, "%s%s=\"", str_endswith(str_get(key), "{") ? "" : ",", name);

	for (; *value && r == 0; value++)
		r = str_appendf(key, *value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
	return r == 0 ? str_append(key, "\"", 1) : r;
}

static int set_group(
	const struct plan_question *q, const struct conf_route *route, struct plan_target *target)
{
	auto_str struct str key = STR_INIT(GROUP_MAX_BYTES);
	auto_json json_t *labels = json_object();
	int r = labels ? str_appendf(&key, "%s{", route->name) : -ENOMEM;

	for (char **name = route->group_by; *name && r == 0; name++) {
		const char *value = json_string_value(json_object_get(q->labels, *name));

		value = value ? value : "";
		if (json_object_set_new(labels, *name, json_string(value)) < 0)
			return -ENOMEM;
		r = append_value(&key, *name, value);
	}
	if (r == 0)
		r = str_append(&key, "}", 1);
	/* Too long to be told apart: then all of the route goes together. */
	if (r == -ENOBUFS) {
		str_clear(&key);
		r = str_appendf(&key, "%s{...}", route->name);
	}
	if (r < 0)
		return r;
	free(target->group);
	target->group = str_take(&key);
	target->group_labels = TAKE(labels);
	target->wait = route->group_wait;
	target->interval = route->group_interval;
	target->storm = false;
	return 0;
}

static int set_digest(
	const struct plan_question *q, const struct conf_route *route, struct plan_target *target)
{
	char *group = str_printf("%s digest", route->name);

	if (!group)
		return -ENOMEM;
	free(target->group);
	target->group = group;
	target->not_before = times_next(&route->digest, route->zone, q->wall);
	target->storm = false;
	return 0;
}

/* Nothing that is asked for by hand, or shows that Tend lives, waits for company. */
static bool may_wait(enum notice_kind kind)
{
	return kind != NOTICE_TEST && kind != NOTICE_HEARTBEAT;
}

static int set_route(
	const struct plan_question *q, const struct conf_route *route, struct plan_target *target)
{
	target->from = route;
	target->route = route->name;
	if (!may_wait(q->notice->kind))
		return 0;
	if (route->digest.n && (int)q->notice->severity < route->digest_below)
		return set_digest(q, route, target);
	return route->group_by ? set_group(q, route, target) : 0;
}

/* ---- routes --------------------------------------------------------------------------------- */

static bool has_receiver(const struct plan *plan, const struct conf_receiver *receiver)
{
	VEC_FOREACH (&plan->targets, const struct plan_target *, target)
		if (target->receiver == receiver)
			return true;
	return false;
}

static void note_digest(const struct plan_target *target, struct plan *plan)
{
	char text[ZONE_TEXT_BYTES];

	if (target->not_before && !plan->terse)
		plan_gate(plan, "digest", "'%s' is told at %s, with what else is collected by then",
			target->receiver->name,
			zone_format(target->from->zone, target->not_before, text));
}

static int add_once(const struct plan_question *q, const struct conf_route *route,
	const struct route_receiver *found, struct plan *plan)
{
	const struct conf_receiver *receiver = found->receiver;
	auto(plan_target_free) struct plan_target *target = NULL;
	int r;

	if (has_receiver(plan, receiver))
		return 0;
	if ((int)q->notice->severity < receiver->min_severity) {
		plan_gate(plan, "severity", "%s is below min_severity = %s of receiver '%s'",
			conf_severity_names[q->notice->severity],
			conf_severity_names[receiver->min_severity], receiver->name);
		return 0;
	}
	target = plan_target_new(receiver);
	r = target ? 0 : -ENOMEM;
	if (r == 0 && route)
		r = set_route(q, route, target);
	if (r < 0)
		return r;
	target->on_call = found->on_call;
	note_digest(target, plan);
	r = vec_push(&plan->targets, target);
	if (r == 0)
		TAKE(target);
	return r;
}

static int add_all(const struct plan_question *q, struct plan *plan)
{
	int r = 0;

	MAP_FOREACH (&q->conf->receivers, const struct conf_receiver *, receiver) {
		const struct route_receiver one = {.receiver = receiver};

		r = add_once(q, NULL, &one, plan);
		if (r < 0)
			break;
	}
	return r;
}

static int add_route(
	const struct plan_question *q, const struct conf_route *route, struct plan *plan)
{
	struct route_receiver found[ROUTE_MAX_RECEIVERS];
	size_t n = route_receivers(q, route->receivers, plan, found);
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = add_once(q, route, &found[i], plan);
	return r;
}

static int add_routes(const struct plan_question *q, struct plan *plan)
{
	char why[ROUTE_WHY_BYTES];
	bool matched = false;
	int r = 0;

	VEC_FOREACH (&q->conf->routes, const struct conf_route *, route) {
		if (!route_takes(route, q, plan->terse ? NULL : why)) {
			plan_gate(plan, "route", "'%s' does not take it: %s", route->name, why);
			continue;
		}
		matched = true;
		r = add_route(q, route, plan);
		if (r < 0 || !route->go_on)
			break;
	}
	/* Nobody said where notices go, or where those of the daemon itself go: better to all than
	 * to nobody. */
	if (r == 0 && !matched && (q->conf->routes.len == 0 || !q->notice->component))
		r = add_all(q, plan);
	else if (r == 0 && !matched)
		plan_gate(plan, "route", "no route takes it");
	return r;
}

int plan_make(const struct plan_question *question, struct plan *ret_plan)
{
	auto(plan_clear) struct plan plan = {.terse = question->terse};
	int r = add_routes(question, &plan);

	if (r < 0)
		return r;
	*ret_plan = plan;
	plan = (struct plan){0};
	return 0;
}

/* ---- those who were told -------------------------------------------------------------------- */

static int is_name(const char *name, unsigned line, void *data)
{
	return strcmp(name, data) == 0;
}

/* Among its receivers, or ever on call in one of its rotas. */
static bool route_has(const struct plan_question *q, const struct conf_route *route,
	const struct conf_receiver *receiver)
{
	for (char **name = route->receivers; name && *name; name++) {
		const struct conf_rota *rota =
			str_startswith(*name, "rota:") ? map_get(&q->conf->rotas, *name + 5) : NULL;

		if (strcmp(*name, receiver->name) == 0 ||
			(rota && rota->rota && rota_each_name(rota->rota, is_name, receiver->name)))
			return true;
	}
	return false;
}

int plan_add_told(const struct plan_question *question, const struct conf_receiver *receiver,
	struct plan *plan)
{
	auto(plan_target_free) struct plan_target *target = plan_target_new(receiver);
	struct plan_question any = *question;
	int r = target ? 0 : -ENOMEM;

	VEC_FOREACH (&question->conf->routes, const struct conf_route *, route) {
		struct conf_route whenever = *route;

		/* What became of its severity, or of the day, does not change how it is told. */
		whenever.min_severity = SEVERITY_INFO;
		whenever.times.n = 0;
		if (r < 0 || !route_has(question, route, receiver) ||
			!route_takes(&whenever, &any, NULL))
			continue;
		r = set_route(question, route, target);
		break;
	}
	if (r == 0)
		r = vec_push(&plan->targets, target);
	if (r == 0)
		TAKE(target);
	return r;
}
