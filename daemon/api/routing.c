/* SPDX-License-Identifier: MIT */
/* /v1/routes/test: who would be told; /v1/rotas: who is on call. Both only read. */
#include <errno.h>
#include <string.h>
#include "alert/plan.h"
#include "api/private.h"
#include "telling.h"

enum { ROTA_NEXT_DEFAULT = 4, ROTA_NEXT_MAX = 100, MAX_LABELS = 64 };

/* ---- what would be told --------------------------------------------------------------------- */

/* What a notice has of its own besides labels; each from the label of the same name. */
struct asked {
	struct notice notice;
	char system[256], component[256];
	json_t *labels; /* in the end all of them */
};

static const char *label(const json_t *labels, const char *name)
{
	const char *text = json_string_value(json_object_get(labels, name));

	return text && *text ? text : NULL;
}

/* "crm/web/login" -> "crm/web": without its last part. */
static const char *parent_of(const char *name, char *buf, size_t size)
{
	const char *slash = name ? strrchr(name, '/') : NULL;

	if (!slash || (size_t)(slash - name) >= size)
		return NULL;
	memcpy(buf, name, (size_t)(slash - name));
	buf[slash - name] = '\0';
	return buf;
}

static int severity_of(const char *text)
{
	for (int i = 0; text && i < SEVERITY_MAX; i++)
		if (strcmp(text, conf_severity_names[i]) == 0)
			return i;
	return text ? -EINVAL : SEVERITY_CRITICAL;
}

static bool read_labels(struct request *request, json_t *labels)
{
	const char *name;
	json_t *value;

	if (!json_is_object(labels) || json_object_size(labels) > MAX_LABELS) {
		request_fail(request, API_ERROR_INVALID,
			"'labels' must be an object with at most %d texts", MAX_LABELS);
		return false;
	}
	json_object_foreach (labels, name, value) {
		if (json_is_string(value) && match_name_valid(name, strlen(name)))
			continue;
		request_fail(request, API_ERROR_INVALID, "'%.64s' is no label with a text", name);
		return false;
	}
	if (severity_of(label(labels, "severity")) >= 0)
		return true;
	request_fail(request, API_ERROR_INVALID, "severity is info, warning or critical");
	return false;
}

/* What is not said follows from what is: the component from the check, the system from that. */
static int fill(const struct manager *m, json_t *labels, struct asked *asked)
{
	struct notice *n = &asked->notice;
	const struct conf_system *system;
	json_t *made = NULL;
	int r;

	n->kind = NOTICE_INCIDENT_RAISED;
	n->severity = (enum conf_severity)severity_of(label(labels, "severity"));
	n->fingerprint = "";
	n->check = label(labels, "check");
	n->component = label(labels, "component");
	n->system = label(labels, "system");
	n->reason = label(labels, "reason");
	n->state = label(labels, "state");
	if (!n->component)
		n->component = parent_of(n->check, asked->component, sizeof(asked->component));
	if (!n->system)
		n->system = parent_of(n->component, asked->system, sizeof(asked->system));
	system = n->system ? map_get(&m->conf->systems, n->system) : NULL;
	n->environment = label(labels, "environment");
	if (!n->environment && system)
		n->environment = conf_environment_names[system->environment];
	r = labels_of(m->conf, n, alert_host(m->alert), &made);
	if (r < 0)
		return r;
	asked->labels = made;
	return json_object_update(made, labels) < 0 ? -ENOMEM : 0;
}

static json_t *when_text(const struct plan_target *t)
{
	char span[CLOCK_TEXT_BYTES], text[ZONE_TEXT_BYTES];

	if (t->from && t->not_before)
		return json_sprintf(
			"in the digest of %s", zone_format(t->from->zone, t->not_before, text));
	if (!*t->group)
		return json_string("at once");
	return json_sprintf("with %s, after %s", t->group, clock_format_span(t->wait, span));
}

static void append_names(struct str *text, char *const *names)
{
	for (size_t i = 0; names && names[i]; i++)
		(void)str_appendf(text, "%s%s", i ? ", " : "", names[i]);
}

static json_t *then_text(const struct conf_route *route)
{
	auto_str struct str text = STR_INIT(4096);
	char span[CLOCK_TEXT_BYTES];

	if (route && route->remind)
		(void)str_appendf(&text, "reminded every %s, %d times",
			clock_format_span(route->remind, span), (int)route->remind_max);
	for (size_t i = 0; route && i < route->steps.len; i++) {
		const struct conf_step *step = route->steps.items[i];

		(void)str_appendf(&text, "%safter %s also ", text.len ? "; " : "",
			clock_format_span(step->after, span));
		append_names(&text, step->receivers);
	}
	return json_string(str_get(&text));
}

static json_t *steps_json(const struct conf_route *route)
{
	json_t *list = json_array();

	for (size_t i = 0; route && i < route->steps.len; i++) {
		const struct conf_step *step = route->steps.items[i];
		json_t *names = json_array();

		for (char **name = step->receivers; *name; name++)
			(void)json_array_append_new(names, json_string(*name));
		(void)json_array_append_new(list,
			json_pack("{s:I, s:o}", "after_seconds",
				(json_int_t)(step->after / USEC_PER_SEC), "receivers", names));
	}
	return list;
}

static json_t *target_json(const struct plan_target *t)
{
	const struct conf_route *route = t->from;

	return json_pack("{s:s, s:s, s:s?, s:s, s:O?, s:I, s:I, s:o, s:b, s:b, s:I, s:I, s:o, "
			 "s:o, s:o}",
		"receiver", t->receiver->name, "type", conf_receiver_type_names[t->receiver->type],
		"route", t->route, "group", t->group, "group_labels", t->group_labels,
		"wait_seconds", (json_int_t)(t->wait / USEC_PER_SEC), "interval_seconds",
		(json_int_t)(t->interval / USEC_PER_SEC), "not_before", api_time(t->not_before),
		"storm_guard", t->storm, "on_call", t->on_call, "remind_seconds",
		(json_int_t)(route ? route->remind / USEC_PER_SEC : 0), "remind_max",
		(json_int_t)(route && route->remind ? route->remind_max : 0), "escalate",
		steps_json(route), "when", when_text(t), "then", then_text(route));
}

static json_t *plan_json(
	const struct plan *plan, const struct asked *asked, usec_t wall, json_t *holds)
{
	json_t *targets = json_array(), *gates = json_array();

	VEC_FOREACH (&plan->targets, const struct plan_target *, target)
		(void)json_array_append_new(targets, target_json(target));
	VEC_FOREACH (&plan->gates, const char *, gate)
		(void)json_array_append_new(gates, json_string(gate));
	return json_pack("{s:O, s:o, s:o, s:o, s:o}", "labels", asked->labels, "at",
		clock_to_json(wall), "holds", holds, "targets", targets, "gates", gates);
}

static bool wall_of(struct request *request, usec_t *ret_wall)
{
	const char *at = request_query(request, "at");

	*ret_wall = clock_wall();
	if (!at)
		return true;
	if (clock_parse(at, ret_wall) == 0)
		return true;
	request_fail(request, API_ERROR_INVALID, "'at' must be a time, as in 2026-12-01T02:00:00Z");
	return false;
}

/* ?labels={"component":"crm/web"}&at=TIME */
void api_get_route_test(struct request *request)
{
	const struct manager *m = request->api->manager;
	const char *text = request_query(request, "labels");
	auto_json json_t *labels = text ? json_loads(text, 0, NULL) : json_object();
	auto(plan_clear) struct plan plan = {0};
	struct plan_question q = {.conf = m->conf};
	struct asked asked = {0};
	int r;

	if (!read_labels(request, labels) || !wall_of(request, &q.wall))
		return;
	r = fill(m, labels, &asked);
	q.notice = &asked.notice;
	q.labels = asked.labels;
	if (r == 0)
		r = plan_make(&q, &plan);
	if (r < 0)
		request_fail(request, api_error_of(r), "%s", strerror(-r));
	else
		request_json(request, 200,
			plan_json(&plan, &asked, q.wall,
				telling_holds_of(m, asked.notice.component, asked.labels, q.wall)));
	json_decref(asked.labels);
}

/* ---- rotas ---------------------------------------------------------------------------------- */

static json_t *turn_json(const struct conf_rota *rota, usec_t from, usec_t *ret_until)
{
	char *const *names = NULL;
	size_t n = rota_at(rota->rota, from, &names, ret_until);
	char from_text[ZONE_TEXT_BYTES], until_text[ZONE_TEXT_BYTES];
	json_t *receivers = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(receivers, json_string(names[i]));
	if (n == 0 && rota->fallback)
		(void)json_array_append_new(receivers, json_string(rota->fallback));
	return json_pack("{s:s, s:o, s:b, s:o, s:o, s:s, s:s, s:s?, s:s}", "name", rota->name,
		"receivers", receivers, "covered", n > 0, "from", clock_to_json(from), "until",
		*ret_until == USEC_INFINITY ? json_null() : clock_to_json(*ret_until), "from_text",
		zone_format(rota->zone, from, from_text), "until_text",
		zone_format(rota->zone, *ret_until, until_text), "doc", rota->doc, "timezone",
		rota->timezone);
}

static void add_turns(const struct conf_rota *rota, int limit, json_t *list)
{
	usec_t wall = clock_wall() / USEC_PER_SEC * USEC_PER_SEC;

	for (int i = 0; i < limit && wall != USEC_INFINITY; i++)
		(void)json_array_append_new(list, turn_json(rota, wall, &wall));
}

void api_get_rotas(struct request *request)
{
	const struct conf *conf = request->api->manager->conf;
	const char *name = request_query(request, "name");
	json_t *list;
	int limit;

	if (request_query_int(request, "limit", 1, ROTA_NEXT_MAX, ROTA_NEXT_DEFAULT, &limit) < 0)
		return;
	if (name && !map_get(&conf->rotas, name)) {
		request_fail(request, API_ERROR_NOT_FOUND, "there is no rota '%s'", name);
		return;
	}
	list = json_array();
	MAP_FOREACH (&conf->rotas, const struct conf_rota *, rota)
		if (!name || strcmp(name, rota->name) == 0)
			add_turns(rota, limit, list);
	request_json(request, 200, list);
}
