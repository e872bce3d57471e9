/* SPDX-License-Identifier: MIT */
#include "api/api.h"
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "api/private.h"
#include "base/fs.h"

/* The peer's uid and role, as the kernel knows them. */
static int peer_role(const struct api *api, int fd, uid_t *ret_uid, enum role *ret_role)
{
	gid_t groups[ROLE_MAX_GROUPS];
	socklen_t len = sizeof(groups);
	struct ucred peer;
	socklen_t peer_len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_len) < 0)
		return -errno;
	/* ERANGE: more groups than we look at; then only the first one counts. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		len = 0;
	*ret_uid = peer.uid;
	*ret_role = role_of(&api->roles, peer.uid, peer.gid, groups, len / sizeof(gid_t));
	return 0;
}

/* Loopback HTTP: the Host must be ours, an Origin ours too, and a token opens more than what is
 * open. */
static bool admit_tcp(struct api *api, struct request *request, const struct route *route)
{
	const char *host = request_header(request, "Host");
	const char *origin = request_header(request, "Origin");
	const char *authorization = request_header(request, "Authorization");
	static const char bearer[] = "Bearer ";

	if (!listen_host_allowed(api->tcp_listen, host)) {
		request_fail(request, API_ERROR_FORBIDDEN,
			"the Host header must be %s: other names are refused", api->tcp_listen);
		return false;
	}
	if (origin && !listen_origin_allowed(api->tcp_listen, origin)) {
		request_fail(request, API_ERROR_FORBIDDEN, "requests from other sites are refused");
		return false;
	}
	if (authorization && api->tcp_token && strncmp(authorization, bearer, 7) == 0 &&
		str_equal_secret(authorization + 7, api->tcp_token))
		request->role = ROLE_OPERATOR; /* nobody known by name: never admin */
	else if (route && route->open == ROUTE_OPEN && request->read_only)
		request->role = ROLE_VIEWER;
	else if (route && route->open == ROUTE_OWN)
		request->role = ROLE_NONE;
	else
		request_fail(request, API_ERROR_UNAUTHENTICATED,
			api->tcp_token ? "a valid bearer token is needed ([daemon] http_token)"
				       : "only /metrics and /healthz are open here, until [daemon] "
					 "http_token is set");
	return !request->answered;
}

static bool admit_local(struct api *api, struct request *request, int fd)
{
	int r = peer_role(api, fd, &request->uid, &request->role);

	if (r < 0)
		request_fail(
			request, API_ERROR_INTERNAL, "cannot tell who you are: %s", strerror(-r));
	return r == 0;
}

static bool admit_role(struct request *request, const struct route *route)
{
	char author[ROLE_USER_BYTES];

	if (request->role >= route->role)
		return true;
	request_fail(request, API_ERROR_FORBIDDEN,
		"%s has the role '%s', this needs '%s': see admins, operators and viewers in "
		"[daemon]",
		request->origin == ORIGIN_TCP ? "the token" : "your user",
		role_names[request->role], role_names[route->role]);
	if (!request->read_only)
		log_notice("api: %s was refused %s: it needs the role %s",
			api_author(request, author), request->path, role_names[route->role]);
	return false;
}

static bool api_admit(struct request *request, const char *method, int fd, void *data)
{
	struct api *api = data;
	const struct route *route = NULL;
	bool ok;
	int r;

	request->api = api;
	api->n_requests++;
	r = route_find(
		routes, n_routes, method, request->path, request->subject, &route, &request->allow);
	ok = request->origin == ORIGIN_TCP ? admit_tcp(api, request, route)
					   : admit_local(api, request, fd);
	if (ok && r == -EOPNOTSUPP)
		request_fail(request, API_ERROR_METHOD, "%s is answered for %s only", request->path,
			request->allow);
	else if (ok && r < 0)
		request_fail(request, API_ERROR_NOT_FOUND, "there is no %s", request->path);
	else if (ok)
		(void)admit_role(request, route);
	if (request->answered)
		api->n_refused++;
	request->route = route;
	return !request->answered;
}

static bool request_parse_body(struct request *request)
{
	json_error_t error;

	if (request->read_only || request->body.len == 0 || request->route->open == ROUTE_OWN)
		return true;
	request->json =
		json_loadb(request->body.data, request->body.len, JSON_REJECT_DUPLICATES, &error);
	if (json_is_object(request->json))
		return true;
	if (request->json)
		request_fail(request, API_ERROR_INVALID, "the body must be a JSON object");
	else
		request_fail(request, API_ERROR_INVALID, "the body is no JSON: line %d: %s",
			error.line, error.text);
	return false;
}

static void on_settled(int r, void *data)
{
	request_settled(data, r);
}

/* All that the handler has handed to the store, and what came before it. */
static int api_settle(struct request *request)
{
	int r = store_barrier(request->api->manager->store, on_settled, request_ref(request));

	if (r < 0)
		request_unref(request);
	return r;
}

static void api_dispatch(struct request *request, void *data)
{
	if (request->route->keeps)
		request->settle = api_settle;
	if (request_parse_body(request))
		request->route->handle(request);
}

static const struct server_calls *calls_of(struct api *api, struct server_calls *calls)
{
	*calls = (struct server_calls){api_admit, api_dispatch, api};
	return calls;
}

static int api_start_local(struct api *api, const struct conf_daemon *conf, struct tend_error *err)
{
	struct server_calls calls;
	int r, fd = -EBADF;

	if (mkdir(conf->run_dir, 0755) < 0 && errno != EEXIST)
		return tend_error_set(
			err, -errno, "cannot make %s: %s", conf->run_dir, strerror(errno));
	api->socket_path =
		conf->socket ? strdup(conf->socket) : str_printf("%s/tend.sock", conf->run_dir);
	if (!api->socket_path)
		return tend_error_set(err, -ENOMEM, "no memory");
	r = listen_unix(api->socket_path, err, &api->socket_file, &fd);
	if (r < 0)
		return r;
	r = server_new(api->manager->loop, fd, ORIGIN_UNIX, calls_of(api, &calls), &api->local);
	return r < 0 ? tend_error_set(err, r, "cannot serve %s: %s", api->socket_path, strerror(-r))
		     : 0;
}

static void api_stop_tcp(struct api *api)
{
	api->tcp = server_free(api->tcp);
	free(api->tcp_listen);
	fs_free_secret(api->tcp_token);
	api->tcp_listen = api->tcp_token = NULL;
}

static int api_start_tcp(struct api *api, const struct conf_daemon *conf, struct tend_error *err)
{
	struct listen_address address;
	struct server_calls calls;
	int r, fd = -EBADF;

	api->tcp_listen = strdup(conf->http_listen);
	api->tcp_token = conf->http_token ? strdup(conf->http_token) : NULL;
	if (!api->tcp_listen || (conf->http_token && !api->tcp_token))
		return tend_error_set(err, -ENOMEM, "no memory");
	r = listen_parse(conf->http_listen, err, &address);
	if (r == 0)
		r = listen_tcp(&address, err, &fd);
	if (r < 0)
		return r;
	r = server_new(api->manager->loop, fd, ORIGIN_TCP, calls_of(api, &calls), &api->tcp);
	return r < 0 ? tend_error_set(err, r, "cannot serve: %s", strerror(-r)) : 0;
}

static int api_apply_tcp(struct api *api, const struct conf_daemon *conf)
{
	struct tend_error err = {0};
	int r;

	if (str_eq(api->tcp_listen, conf->http_listen) && str_eq(api->tcp_token, conf->http_token))
		return 0;
	api_stop_tcp(api);
	api->tcp_error[0] = '\0';
	if (!conf->http_listen)
		return 0;
	r = api_start_tcp(api, conf, &err);
	if (r < 0) {
		/* Watching and telling go on without it; status shows it as a problem. */
		(void)snprintf(api->tcp_error, sizeof(api->tcp_error),
			"[daemon] http_listen = %s: %.400s", conf->http_listen, err.text);
		log_error("api: %s; HTTP stays off, the unix socket serves", api->tcp_error);
		api_stop_tcp(api);
		return r == -ENOMEM ? r : 0;
	}
	log_info("api: listening on http://%s, %s", api->tcp_listen,
		api->tcp_token ? "with a token"
			       : "only /metrics and /healthz, for want of http_token");
	return 0;
}

int api_apply(struct api *api, struct conf *conf)
{
	const struct conf_daemon *daemon = &conf->daemon;
	struct role_table roles;
	int r = role_table_build(daemon, &roles);

	if (r < 0)
		return r;
	role_table_clear(&api->roles);
	api->roles = roles;
	if (daemon->socket && api->socket_path && !str_eq(daemon->socket, api->socket_path))
		log_warning(
			"api: [daemon] socket = %s takes effect at the next start, until then it "
			"is %s",
			daemon->socket, api->socket_path);
	return api_apply_tcp(api, daemon);
}

/* The policies' files are read by processes of their own: until then it is not all in force. */
static void answer_reloaded(struct request *request)
{
	request_json(request, 200,
		json_pack("{s:b, s:b}", "reloaded", true, "policies_read",
			!policies_reading(request->api->manager->policies)));
}

/* A reload is done from the loop, not from within a server it may stop. */
static void api_on_reload(void *data)
{
	struct api *api = data;
	struct tend_error err = {0};
	struct vec waiters = api->reload_waiters;
	int r;

	api->reload_waiters = (struct vec){0};
	log_notice("api: %s asked for a reload", api->reload_author);
	r = manager_reload(api->manager, &err);
	VEC_FOREACH (&waiters, struct request *, request) {
		if (r == 0)
			api_when_read(request, answer_reloaded);
		else if (err.file[0])
			request_fail(request, API_ERROR_UNPROCESSABLE,
				"%s:%u: %s; the old configuration stays", err.file, err.line,
				err.text);
		else
			request_fail(request, API_ERROR_UNPROCESSABLE,
				"%s; the old configuration stays",
				err.text[0] ? err.text : strerror(-r));
		request_unref(request);
	}
	vec_clear(&waiters);
}

int api_new(struct manager *manager, struct tend_error *err, struct api **ret_api)
{
	auto(api_free) struct api *api = calloc(1, sizeof(*api));
	int r;

	if (!api)
		return tend_error_set(err, -ENOMEM, "no memory");
	api->manager = manager;
	r = loop_defer_new(manager->loop, api_on_reload, api, &api->reload_defer);
	if (r < 0)
		return tend_error_set(err, r, "cannot make an event source: %s", strerror(-r));
	loop_defer_set(api->reload_defer, false);
	r = api_start_local(api, &manager->conf->daemon, err);
	if (r < 0)
		return r;
	*ret_api = TAKE(api);
	return 0;
}

struct api *api_free(struct api *api)
{
	if (!api)
		return NULL;
	VEC_FOREACH (&api->reload_waiters, struct request *, request)
		request_unref(request);
	vec_clear(&api->reload_waiters);
	api->local = server_free(api->local);
	api_stop_tcp(api);
	if (api->socket_path && api->socket_file.ino)
		listen_unix_remove(api->socket_path, &api->socket_file);
	api->reload_defer = loop_source_free(api->reload_defer);
	rate_clear(&api->rate);
	role_table_clear(&api->roles);
	free(api->socket_path);
	free(api);
	return NULL;
}
