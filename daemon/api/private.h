/* SPDX-License-Identifier: MIT */
/*
 * api/private.h: what the handlers share. struct api lives on the loop's thread; a request that
 * waits for another part keeps a reference to itself, and its `api` is NULL once the API is gone.
 */
#ifndef API_PRIVATE_H
#define API_PRIVATE_H

#include "api/api.h"
#include "api/listen.h"
#include "api/rate.h"
#include "api/request.h"
#include "api/role.h"
#include "api/route.h"
#include "api/server.h"
#include "base/clock.h"
#include "base/log.h"
#include "calendar/keeper.h"

/* The worst of late. That of the watch is reset by being read, and there may be several readers. */
struct api_lag {
	usec_t at, busy_usec, late_usec;
};

/* What others tell. */
enum api_inbound {
	API_INBOUND_EVENTS,
	API_INBOUND_HEARTBEATS,
	API_INBOUND_REPORTS,
	API_INBOUND_FEEDBACK,
	API_INBOUND_MAX
};
extern const char *const api_inbound_names[API_INBOUND_MAX];
/* in_limit.c: is it taken, or too much (answered then)? `whose`: the owner of a right token, NULL:
 * counted by the peer. */
bool api_limit(struct request *request, enum api_inbound kind, const char *whose);

struct api {
	struct manager *manager;
	struct role_table roles;
	char *socket_path;
	struct listen_file socket_file;
	struct server *local, *tcp;
	char *tcp_listen, *tcp_token; /* as applied; the token is wiped when freed */
	char tcp_error[512];	      /* why HTTP is off though configured; "" */
	struct loop_source *reload_defer;
	struct vec reload_waiters; /* struct request *, referenced */
	char reload_author[ROLE_USER_BYTES];
	struct api_lag lag;
	uint64_t n_requests, n_refused;
	struct rate rate; /* of what others tell */
	uint64_t n_limited[API_INBOUND_MAX];
};

void api_take_lag(struct api *api, struct api_lag *ret_lag);
/* Takes a wall-clock time to JSON: RFC 3339, or null for 0. */
json_t *api_time(usec_t wall);
/* A JSON array from a vec of things; steals nothing. NULL: no memory. */
json_t *api_incidents_array(const struct vec *incidents, bool full, json_t *array);
/* Who acts, for timelines: the peer's user name, or how it came in. */
const char *api_author(const struct request *request, char buf[ROLE_USER_BYTES]);
/* What makes the daemon unhealthy, one sentence each; an empty array when all is well. */
json_t *api_health(const struct api *api);
/* Answers a row query: r < 0 an error (or what `rows` has nevertheless, marked as partial), else
 * `rows`. Drops the reference in `data` (struct request). */
void api_answer_rows(int r, json_t *rows, void *data);

/* runs.c: calls `answer` once the policies' files have been read, or after a while. Their catalog
 * is replaced as a whole: what is said of it before may be wrong a moment later. */
void api_when_read(struct request *request, void (*answer)(struct request *request));

/* silences.c: "until" (RFC 3339) or "for" (seconds) of the body; 0 when there is neither. False:
 * answered. */
bool api_end_of(struct request *request, usec_t *ret_wall);
/* metric.c: a time of the query in seconds since 1970, `def` without one. False: answered. */
bool api_query_time(struct request *request, const char *key, int64_t def, int64_t *ret_time);
/* windows.c: the windows and freezes that are open now, as GET /v1/windows shows them. */
json_t *api_open_windows(const struct conf *conf);
/* "the window 'x' is open until TIME" */
enum { API_WINDOW_TEXT_BYTES = 256 };
const char *api_window_text(const struct conf_window *window, const struct window_span *span,
	char buf[API_WINDOW_TEXT_BYTES]);

/* explain.c, pure: why it is as it is, in sentences. Everything is borrowed; what is not known is
 * NULL. */
struct explain {
	const char *name;	   /* what was asked for */
	const struct check *check; /* asked for, or the incident's root */
	const struct incident *incident;
	const json_t *gates;	    /* policies_explain() */
	const json_t *deliveries;   /* of the incident, rows as the ledger has them */
	const json_t *actions;	    /* policies_actions_to_json() */
	size_t n_receivers;	    /* configured */
	int deliveries_error;	    /* they cannot be read: -errno */
	const char *quiet, *paused; /* api_window_text() of what holds notices, or the check, now */
	const json_t *holds;	    /* telling_holds() */
	const json_t *no;	    /* what says no to telling of it now: telling_gates() */
	const json_t *receivers;    /* alert_receivers_to_json() */
};
json_t *explain_because(const struct explain *x);

#endif
