/* SPDX-License-Identifier: MIT */
#include "api/route.h"
#include <errno.h>
#include <string.h>

const struct route routes[] = {
	/* clang-format off */
	{ "GET",  "/v1/status",                    api_get_status,        ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/systems",                   api_get_systems,       ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/components",                api_get_components,    ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/components/*",              api_get_component,     ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/checks",                    api_get_checks,        ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/checks/*",                  api_get_check,         ROLE_VIEWER,   false, false },
	{ "POST", "/v1/checks/*/run",              api_post_check_run,    ROLE_OPERATOR, false, false },
	{ "POST", "/v1/checks/*/report",           api_post_check_report, ROLE_NONE,     ROUTE_OWN, true },
	{ "GET",  "/v1/heartbeats",                api_get_heartbeats,    ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/heartbeats/*",              api_take_heartbeat,    ROLE_NONE,     ROUTE_OWN, true },
	{ "POST", "/v1/heartbeats/*",              api_take_heartbeat,    ROLE_NONE,     ROUTE_OWN, true },
	{ "POST", "/v1/events",                    api_post_events,       ROLE_NONE,     ROUTE_OWN, true },
	{ "GET",  "/v1/feedback",                  api_get_feedback,      ROLE_OPERATOR, false, false },
	{ "POST", "/v1/feedback",                  api_post_feedback,     ROLE_VIEWER,   false, true },
	{ "GET",  "/v1/feedback/*",                api_get_feedback_one,  ROLE_VIEWER,   false, false },
	{ "POST", "/v1/feedback/*/answer",         api_post_feedback_answer, ROLE_OPERATOR, false, true },
	{ "GET",  "/v1/incidents",                 api_get_incidents,     ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/incidents/*",               api_get_incident,      ROLE_VIEWER,   false, false },
	{ "POST", "/v1/incidents/*/acknowledge",   api_post_acknowledge,  ROLE_OPERATOR, false, true },
	{ "POST", "/v1/incidents/*/unacknowledge", api_post_unacknowledge, ROLE_OPERATOR, false, true },
	{ "GET",  "/v1/silences",                  api_get_silences,      ROLE_VIEWER,   false, false },
	{ "POST", "/v1/silences",                  api_post_silence,      ROLE_OPERATOR, false, true },
	{ "GET",  "/v1/silences/*",                api_get_silence,       ROLE_VIEWER,   false, false },
	{ "DELETE", "/v1/silences/*",              api_post_silence_expire, ROLE_OPERATOR, false, true },
	{ "POST", "/v1/silences/*/expire",         api_post_silence_expire, ROLE_OPERATOR, false, true },
	{ "GET",  "/v1/routes/test",               api_get_route_test,    ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/preview/*",                 api_get_preview,       ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/rotas",                     api_get_rotas,         ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/policies",                  api_get_policies,      ROLE_VIEWER,   false, false },
	{ "POST", "/v1/policies/*/run",            api_post_policy_run,   ROLE_OPERATOR, false, true },
	{ "GET",  "/v1/policies/*/next",           api_get_policy_next,   ROLE_VIEWER,   false, false },
	{ "POST", "/v1/policies/*/enable",         api_post_policy_enable, ROLE_OPERATOR, false, true },
	{ "POST", "/v1/drain",                     api_post_drain,        ROLE_ADMIN,    false, true },
	{ "GET",  "/v1/runs/*/follow",             api_get_follow,        ROLE_VIEWER,   false, false },
	{ "POST", "/v1/runs/*/cancel",             api_post_cancel,       ROLE_OPERATOR, false, true },
	{ "GET",  "/v1/runs",                      api_get_runs,          ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/runs/*",                    api_get_run,           ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/approvals",                 api_get_approvals,     ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/approvals/*",               api_get_approval,      ROLE_VIEWER,   false, false },
	{ "POST", "/v1/approvals/*",               api_post_approval,     ROLE_OPERATOR, false, false },
	{ "GET",  "/v1/actions",                   api_get_actions,       ROLE_VIEWER,   false, false },
	{ "POST", "/v1/actions/pause",             api_post_pause,        ROLE_OPERATOR, false, false },
	{ "POST", "/v1/actions/resume",            api_post_resume,       ROLE_ADMIN,    false, false },
	{ "GET",  "/v1/receivers",                 api_get_receivers,     ROLE_VIEWER,   false, false },
	{ "POST", "/v1/receivers/*/test",          api_post_receiver_test, ROLE_OPERATOR, false, false },
	{ "GET",  "/v1/deliveries",                api_get_deliveries,    ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/deliveries/*",              api_get_delivery,      ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/windows",                   api_get_windows,       ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/backups",                   api_get_backups,       ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/records",                   api_get_records,       ROLE_VIEWER,   false, false },
	{ "POST", "/v1/records/remove",            api_post_record_remove, ROLE_ADMIN, false, false },
	{ "POST", "/v1/findings/accept",           api_post_accept,       ROLE_OPERATOR, false, false },
	{ "GET",  "/v1/history",                   api_get_history,       ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/metrics",                   api_get_metric_list,   ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/metrics/points",            api_get_metric_points, ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/reports/availability",      api_get_availability,  ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/config",                    api_get_config,        ROLE_VIEWER,   false, false },
	{ "GET",  "/v1/explain/*",                 api_get_explain,       ROLE_VIEWER,   false, false },
	{ "POST", "/v1/reload",                    api_post_reload,       ROLE_ADMIN,    false, false },
	{ "GET",  "/metrics",                      api_get_metrics,       ROLE_VIEWER,   true, false },
	{ "GET",  "/healthz",                      api_get_healthz,       ROLE_NONE,     true, false },
	/* clang-format on */
};
const size_t n_routes = sizeof(routes) / sizeof(routes[0]);

static bool pattern_matches(const char *pattern, const char *path, char *subject)
{
	const char *star = strchr(pattern, '*');
	size_t head, tail, len = strlen(path);

	*subject = '\0';
	if (!star)
		return strcmp(pattern, path) == 0;
	head = (size_t)(star - pattern);
	tail = strlen(star + 1);
	if (len <= head + tail || strncmp(pattern, path, head) != 0 ||
		strcmp(path + len - tail, star + 1) != 0)
		return false;
	len -= head + tail;
	memcpy(subject, path + head, len);
	subject[len] = '\0';
	return true;
}

int route_find(const struct route *table, size_t n, const char *method, const char *path,
	char subject[REQUEST_PATH_BYTES], const struct route **ret_route, const char **ret_allow)
{
	const char *allow = NULL;

	if (strlen(path) >= REQUEST_PATH_BYTES)
		return -ENOENT;
	if (strcmp(method, "HEAD") == 0)
		method = "GET";
	for (const struct route *route = table; route < table + n; route++) {
		if (!pattern_matches(route->pattern, path, subject))
			continue;
		if (strcmp(route->method, method) == 0) {
			*ret_route = route;
			return 0;
		}
		/* A longer pattern says it better: POST .../run, not GET /v1/checks/NAME. */
		allow = strcmp(route->method, "GET") == 0 ? "GET, HEAD"
			: strcmp(route->method, "DELETE") == 0
				? "GET, HEAD, DELETE" /* what can be removed can be read */
				: route->method;
	}
	*subject = '\0';
	if (!allow)
		return -ENOENT;
	*ret_allow = allow;
	return -EOPNOTSUPP;
}
