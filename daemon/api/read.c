/* SPDX-License-Identifier: MIT */
/* The GETs: each collects what the parts say about themselves. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include "api/private.h"

enum { ROWS_MAX = 10000, ROWS_DEFAULT = 100 };

static struct manager *manager_of(const struct request *request)
{
	return request->api->manager;
}

json_t *api_time(usec_t wall)
{
	char buf[CLOCK_TEXT_BYTES];

	return wall ? json_string(clock_format(wall, buf)) : json_null();
}

json_t *api_incidents_array(const struct vec *incidents, bool full, json_t *array)
{
	VEC_FOREACH (incidents, struct incident *, incident)
		(void)json_array_append_new(array, incident_to_json(incident, full));
	return array;
}

void api_answer_rows(int r, json_t *rows, void *data)
{
	struct request *request = data;

	request->partial = r < 0 && json_array_size(rows) > 0;
	if (r < 0 && !request->partial)
		request_fail(
			request, api_error_of(r), "the store cannot be read: %s", strerror(-r));
	else
		request_json(request, 200, rows ? json_incref(rows) : json_array());
	request_unref(request);
}

static json_t *counts_json(struct watch *watch)
{
	struct watch_stats stats = {0};
	json_t *counts = json_object();

	for (enum tend_state s = 0; s < TEND_STATE_MAX; s++)
		stats.n_by_state[s] = 0;
	MAP_FOREACH (watch_checks(watch), struct check *, check)
		stats.n_by_state[watch_check_shown_state(check)]++;
	for (enum tend_state s = 0; s < TEND_STATE_MAX; s++)
		(void)json_object_set_new(
			counts, tend_state_name(s), json_integer((json_int_t)stats.n_by_state[s]));
	return counts;
}

static json_t *systems_json(struct manager *m)
{
	json_t *systems = json_array();

	MAP_FOREACH (&m->conf->systems, struct conf_system *, system)
		(void)json_array_append_new(systems, watch_system_to_json(m->watch, system));
	return systems;
}

static json_t *store_json(const struct store *store)
{
	struct store_stats stats = {0};

	store_get_stats(store, &stats);
	return json_pack("{s:b,s:s,s:I,s:I,s:I,s:f,s:s}", "healthy", stats.healthy, "last_error",
		stats.last_error, "commits", (json_int_t)stats.n_commits, "failed",
		(json_int_t)stats.n_failed, "queued", (json_int_t)stats.n_queued,
		"last_commit_seconds", (double)stats.last_commit_usec / 1e6, "epoch",
		store_epoch(store));
}

static json_t *reload_json(const struct manager *m)
{
	return json_pack("{s:o,s:b,s:s,s:i}", "at", api_time(m->reload_wall), "ok", m->reload_ok,
		"error", m->reload_error, "errors", (int)m->reload_n_errors);
}

/* What an operator should look at beside the checks: health, and what was refused or stopped. */
/* Those of other hosts. */
static void executor_problems(json_t *problems, const json_t *executors)
{
	size_t i;
	json_t *one;

	json_array_foreach ((json_t *)(uintptr_t)executors, i, one)
		if (json_is_string(json_object_get(one, "host")) &&
			json_is_false(json_object_get(one, "connected")))
			(void)json_array_append_new(problems,
				json_sprintf("tend-exec of host %s cannot be reached, nothing can "
					     "be healed there: %s",
					json_string_value(json_object_get(one, "host")),
					json_string_value(json_object_get(one, "trouble"))
						?: "no connection"));
}

/* What nothing is done about until somebody looks. */
static void add_held(const struct manager *m, const json_t *actions, json_t *problems)
{
	size_t n = policies_n_waiting_approvals(m->policies), i;
	json_t *one;

	if (n > 0)
		(void)json_array_append_new(
			problems, json_sprintf("%zu %s for people: tendctl approval list", n,
					  n == 1 ? "step waits" : "steps wait"));
	json_array_foreach (json_object_get(actions, "breakers"), i, one)
		if (str_eq(json_string_value(json_object_get(one, "state")), "open"))
			(void)json_array_append_new(problems,
				json_sprintf("policy %s does nothing on %s until %s: its actions "
					     "there did not help",
					json_string_value(json_object_get(one, "policy")),
					json_string_value(json_object_get(one, "target")),
					json_string_value(json_object_get(one, "until"))));
}

static json_t *problems_json(const struct api *api, const json_t *actions)
{
	const struct manager *m = api->manager;
	json_t *problems = api_health(api);

	alert_add_problems(m->alert, problems);
	add_held(m, actions, problems);
	if (!m->reload_ok && m->reload_wall)
		(void)json_array_append_new(problems,
			json_sprintf("the last reload was %s: %s",
				m->reload_partial ? "taken by some parts only"
						  : "refused, the configuration before is in force",
				m->reload_error));
	if (json_is_true(json_object_get(actions, "enabled")) &&
		json_is_false(json_object_get(actions, "executor_connected")))
		(void)json_array_append_new(problems,
			json_sprintf("tend-exec cannot be reached, nothing can be healed: %s",
				json_string_value(json_object_get(actions, "executor_trouble"))
					?: "no connection"));
	executor_problems(problems, json_object_get(actions, "executors"));
	if (!policies_runner_up(m->policies))
		(void)json_array_append_new(
			problems, json_string("tend-run is down, no policy can run"));
	if (policies_n_broken(m->policies) > 0)
		(void)json_array_append_new(problems,
			json_sprintf("%zu policy files or settings are broken, see 'tendctl "
				     "policy list'",
				policies_n_broken(m->policies)));
	if (api->tcp_error[0])
		(void)json_array_append_new(problems, json_string(api->tcp_error));
	return problems;
}

void api_get_status(struct request *request)
{
	struct manager *m = manager_of(request);
	char host[HOST_NAME_MAX + 1] = "";
	json_t *status;

	(void)gethostname(host, sizeof(host) - 1);
	status = json_pack("{s:s,s:s,s:o,s:f,s:s,s:i,s:o,s:i}", "version", TEND_VERSION, "hostname",
		host, "started", api_time(m->started_wall), "uptime_seconds",
		(double)(clock_now() - m->started) / 1e6, "state",
		tend_state_name(watch_worst_state(m->watch)), "checks",
		(int)watch_checks(m->watch)->len, "counts", counts_json(m->watch), "incidents_open",
		(int)incidents_open(m->incidents)->len);
	if (!status) {
		request_json(request, 500, NULL);
		return;
	}
	(void)json_object_set_new(status, "systems", systems_json(m));
	(void)json_object_set_new(status, "incidents",
		api_incidents_array(incidents_open(m->incidents), false, json_array()));
	(void)json_object_set_new(status, "drain", policies_drain_to_json(m->policies));
	(void)json_object_set_new(status, "windows", api_open_windows(m->conf));
	(void)json_object_set_new(status, "actions", policies_actions_to_json(m->policies));
	(void)json_object_set_new(status, "reload", reload_json(m));
	(void)json_object_set_new(status, "store", store_json(m->store));
	(void)json_object_set_new(
		status, "outbox", json_integer((json_int_t)alert_outbox_depth(m->alert)));
	(void)json_object_set_new(status, "receivers", alert_receivers_to_json(m->alert));
	(void)json_object_set_new(status, "problems",
		problems_json(request->api, json_object_get(status, "actions")));
	request_json(request, 200, status);
}

void api_get_systems(struct request *request)
{
	request_json(request, 200, systems_json(manager_of(request)));
}

void api_get_components(struct request *request)
{
	struct manager *m = manager_of(request);
	const char *system = request_query(request, "system");
	json_t *array = json_array();

	MAP_FOREACH (watch_components(m->watch), struct component *, component)
		if (!system || str_eq(component->conf->system->name, system))
			(void)json_array_append_new(
				array, watch_component_to_json(component, false));
	request_json(request, 200, array);
}

void api_get_component(struct request *request)
{
	struct manager *m = manager_of(request);
	struct component *component = watch_find_component(m->watch, request->subject);

	if (!component)
		request_fail(request, API_ERROR_NOT_FOUND, "there is no component '%s'",
			request->subject);
	else
		request_json(request, 200, watch_component_to_json(component, true));
}

void api_get_checks(struct request *request)
{
	struct manager *m = manager_of(request);
	const char *component = request_query(request, "component");
	const char *system = request_query(request, "system");
	json_t *array = json_array();

	MAP_FOREACH (watch_checks(m->watch), struct check *, check)
		if ((!component || str_eq(check->conf->component->name, component)) &&
			(!system || str_eq(check->conf->component->system->name, system)))
			(void)json_array_append_new(array, watch_check_to_json(check, false));
	request_json(request, 200, array);
}

/* "there is no check 'x', did you mean 'y'?" */
static void fail_check(struct request *request)
{
	const struct map *checks = watch_checks(manager_of(request)->watch);
	const char **names = calloc(checks->len + 1, sizeof(*names));
	const char *nearest = NULL;

	for (size_t i = 0; names && i < checks->len; i++)
		names[i] = checks->slots[i].key;
	if (names)
		nearest = str_nearest(request->subject, names, checks->len);
	if (nearest)
		request_fail(request, API_ERROR_NOT_FOUND,
			"there is no check '%s', did you mean '%s'?", request->subject, nearest);
	else
		request_fail(
			request, API_ERROR_NOT_FOUND, "there is no check '%s'", request->subject);
	free(names);
}

void api_get_check(struct request *request)
{
	struct check *check = watch_find_check(manager_of(request)->watch, request->subject);

	if (check)
		request_json(request, 200, watch_check_to_json(check, true));
	else
		fail_check(request);
}

void api_get_incidents(struct request *request)
{
	struct manager *m = manager_of(request);
	const char *state = request_query(request, "state");
	json_t *array;

	if (state && strcmp(state, "open") != 0 && strcmp(state, "recent") != 0) {
		request_fail(request, API_ERROR_INVALID, "'state' must be open or recent");
		return;
	}
	array = json_array();
	if (!state || strcmp(state, "recent") == 0)
		api_incidents_array(incidents_recent(m->incidents), false, array);
	if (!state || strcmp(state, "open") == 0)
		api_incidents_array(incidents_open(m->incidents), false, array);
	request_json(request, 200, array);
}

void api_get_incident(struct request *request)
{
	struct incident *incident =
		incidents_find(manager_of(request)->incidents, request->subject);

	if (!incident)
		request_fail(request, API_ERROR_NOT_FOUND,
			"there is no incident '%s', open or recent, or several begin like it",
			request->subject);
	else
		request_json(request, 200, incident_to_json(incident, true));
}

/* The calls below answer later; their reference is dropped by api_answer_rows(), or here if they
 * could not be begun. */
static void rows_begun(struct request *request, int r)
{
	if (r < 0)
		api_answer_rows(r, NULL, request);
}

void api_get_actions(struct request *request)
{
	request_json(request, 200, policies_actions_to_json(manager_of(request)->policies));
}

void api_get_receivers(struct request *request)
{
	request_json(request, 200, alert_receivers_to_json(manager_of(request)->alert));
}

void api_get_deliveries(struct request *request)
{
	struct manager *m = manager_of(request);
	const char *incident = request_query(request, "incident");
	const char *receiver = request_query(request, "receiver");
	int limit;

	if (request_query_int(request, "limit", 1, ROWS_MAX, ROWS_DEFAULT, &limit) < 0)
		return;
	if (receiver && !map_get(&m->conf->receivers, receiver)) {
		request_fail(request, API_ERROR_NOT_FOUND, "there is no receiver '%s'", receiver);
		return;
	}
	if (incident) {
		struct incident *found = incidents_find(m->incidents, incident);

		/* One that is too old to be in memory is still in the ledger, by its whole id. */
		incident = found ? found->id : incident;
	}
	rows_begun(request, alert_deliveries(m->alert, incident, receiver, limit, api_answer_rows,
				    request_ref(request)));
}

void api_get_config(struct request *request)
{
	struct manager *m = manager_of(request);
	const char *format = request_query(request, "format");
	auto_str struct str text = STR_INIT(16 << 20);
	size_t len;
	int r;

	if (!format || strcmp(format, "json") == 0) {
		request_json(request, 200, conf_to_json(m->conf));
		return;
	}
	if (strcmp(format, "ini") != 0) {
		request_fail(request, API_ERROR_INVALID, "'format' must be json or ini");
		return;
	}
	r = conf_dump(m->conf, &text);
	if (r < 0) {
		request_fail(request, api_error_of(r), "cannot write the configuration: %s",
			strerror(-r));
		return;
	}
	len = text.len;
	request_answer(request, 200, "text/plain; charset=utf-8", str_take(&text), len);
}
