/* SPDX-License-Identifier: MIT */
/* /v1/preview/NAME: the notice of an incident, or of what a check would raise now, as receivers
 * would get it. Nothing is sent. */
#include <errno.h>
#include <string.h>
#include "alert/plan.h"
#include "api/private.h"
#include "telling.h"
#include "watch/event.h"

/* As it would be raised now. Everything is borrowed. */
static struct notice notice_of_check(const struct manager *m, const struct check *check)
{
	const struct conf_component *component = check->conf->component;
	bool fails = state_failed(check->state.now);

	return (struct notice){.kind = NOTICE_INCIDENT_RAISED,
		.severity = check->conf->severity >= 0 ? (enum conf_severity)check->conf->severity
			    : fails && check->state.now != TEND_STATE_CRITICAL ? SEVERITY_WARNING
									       : SEVERITY_CRITICAL,
		.fingerprint = check->conf->name,
		.system = component->system->name,
		.environment = conf_environment_names[component->system->environment],
		.component = component->name,
		.check = check->conf->name,
		.state = tend_state_name(fails ? check->state.now : TEND_STATE_CRITICAL),
		.reason = fails ? tend_reason_name(check->last.reason) : "status-unexpected",
		.text = fails ? check->last.text : "this is what a fault would say",
		.wall = clock_wall(),
		.since_wall = clock_wall(),
		.pushed = watch_event_labels(check)};
}

static bool notice_for(struct request *request, struct notice *ret_notice, json_t **ret_details)
{
	struct manager *m = request->api->manager;
	const struct check *check = watch_find_check(m->watch, request->subject);
	const struct incident *incident = check ? incidents_of_check(m->incidents, request->subject)
						: incidents_find(m->incidents, request->subject);

	if (incident)
		*ret_notice = telling_notice(m, incident,
			incident->phase == INCIDENT_CLOSED ? NOTICE_INCIDENT_CLEARED
							   : NOTICE_INCIDENT_RAISED,
			ret_details);
	else if (check)
		*ret_notice = notice_of_check(m, check);
	else
		request_fail(request, API_ERROR_NOT_FOUND,
			"'%s' is neither a check nor an incident that is open or recent",
			request->subject);
	return incident || check;
}

static void on_preview(int r, json_t *answer, void *data)
{
	struct request *request = data;

	if (request->server && r < 0)
		request_fail(request, api_error_of(r), "%s", strerror(-r));
	else if (request->server)
		request_json(request, 200, json_incref(answer));
	request_unref(request);
}

/* Whom the routes name first; NULL: nobody. */
static const char *first_receiver(struct manager *m, const struct notice *notice)
{
	auto(plan_clear) struct plan plan = {0};
	auto_json json_t *labels = NULL;
	struct plan_question q = {.conf = m->conf, .notice = notice, .wall = clock_wall()};

	if (labels_of(m->conf, notice, alert_host(m->alert), &labels) < 0)
		return NULL;
	q.labels = labels;
	if (plan_make(&q, &plan) < 0 || plan.targets.len == 0)
		return NULL;
	return ((struct plan_target *)plan.targets.items[0])->receiver->name;
}

void api_get_preview(struct request *request)
{
	struct manager *m = request->api->manager;
	const char *receiver = request_query(request, "receiver");
	auto_json json_t *details = NULL;
	struct notice notice;
	int r;

	if (!notice_for(request, &notice, &details))
		return;
	if (!receiver)
		receiver = first_receiver(m, &notice);
	if (!receiver) {
		request_fail(request, API_ERROR_CONFLICT,
			"the routes name nobody for it: say --receiver, or see 'tendctl explain'");
		return;
	}
	r = alert_preview(m->alert, &notice, receiver, on_preview, request_ref(request));
	if (r < 0) {
		if (r == -ENOENT)
			request_fail(request, API_ERROR_NOT_FOUND, "there is no receiver '%s'",
				receiver);
		else
			request_fail(request, api_error_of(r), "%s", strerror(-r));
		request_unref(request);
	}
}
