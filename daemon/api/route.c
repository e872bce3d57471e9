/* SPDX-License-Identifier: MIT */
#include "api/route.h"
#include <errno.h>
#include <string.h>

const struct route routes[] = {
	/* clang-format off */
	{ "GET",  "/v1/status",                    ROLE_VIEWER,   api_get_status,       false },
	{ "GET",  "/v1/systems",                   ROLE_VIEWER,   api_get_systems,      false },
	{ "GET",  "/v1/components",                ROLE_VIEWER,   api_get_components,   false },
	{ "GET",  "/v1/components/*",              ROLE_VIEWER,   api_get_component,    false },
	{ "GET",  "/v1/checks",                    ROLE_VIEWER,   api_get_checks,       false },
	{ "GET",  "/v1/checks/*",                  ROLE_VIEWER,   api_get_check,        false },
	{ "POST", "/v1/checks/*/run",              ROLE_OPERATOR, api_post_check_run,   false },
	{ "GET",  "/v1/incidents",                 ROLE_VIEWER,   api_get_incidents,    false },
	{ "GET",  "/v1/incidents/*",               ROLE_VIEWER,   api_get_incident,     false },
	{ "POST", "/v1/incidents/*/acknowledge",   ROLE_OPERATOR, api_post_acknowledge, false },
	{ "GET",  "/v1/policies",                  ROLE_VIEWER,   api_get_policies,     false },
	{ "POST", "/v1/policies/*/run",            ROLE_OPERATOR, api_post_policy_run,  false },
	{ "GET",  "/v1/runs",                      ROLE_VIEWER,   api_get_runs,         false },
	{ "GET",  "/v1/runs/*",                    ROLE_VIEWER,   api_get_run,          false },
	{ "GET",  "/v1/actions",                   ROLE_VIEWER,   api_get_actions,      false },
	{ "POST", "/v1/actions/pause",             ROLE_OPERATOR, api_post_pause,       false },
	{ "POST", "/v1/actions/resume",            ROLE_ADMIN,    api_post_resume,      false },
	{ "GET",  "/v1/receivers",                 ROLE_VIEWER,   api_get_receivers,    false },
	{ "GET",  "/v1/deliveries",                ROLE_VIEWER,   api_get_deliveries,   false },
	{ "GET",  "/v1/config",                    ROLE_VIEWER,   api_get_config,       false },
	{ "GET",  "/v1/explain/*",                 ROLE_VIEWER,   api_get_explain,      false },
	{ "POST", "/v1/reload",                    ROLE_ADMIN,    api_post_reload,      false },
	{ "GET",  "/metrics",                      ROLE_VIEWER,   api_get_metrics,      true },
	{ "GET",  "/healthz",                      ROLE_NONE,     api_get_healthz,      true },
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
		allow = strcmp(route->method, "GET") == 0 ? "GET, HEAD" : route->method;
	}
	*subject = '\0';
	if (!allow)
		return -ENOENT;
	*ret_allow = allow;
	return -EOPNOTSUPP;
}
