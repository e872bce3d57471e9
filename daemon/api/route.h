/* SPDX-License-Identifier: MIT */
/*
 * api/route.h: the table of everything the API answers: method, path, role, handler. Pure: finding
 * a route does no I/O. A pattern has at most one '*', which stands for a name that may hold slashes
 * (checks are called system/component/check).
 */
#ifndef API_ROUTE_H
#define API_ROUTE_H

#include "api/request.h"

struct route {
	const char *method; /* GET (also serves HEAD) or POST */
	const char *pattern;
	void (*handle)(struct request *request);
	enum role role; /* the least that may */
	bool open;	/* on TCP also without a token */
	bool keeps;	/* the answer waits until what it says is on the disk */
};

extern const struct route routes[];
extern const size_t n_routes;

/* 0; -ENOENT: no such path; -EOPNOTSUPP: the path is there, not by this method (*ret_allow says
 * which). `subject` gets what '*' stands for. */
int route_find(const struct route *table, size_t n, const char *method, const char *path,
	char subject[REQUEST_PATH_BYTES], const struct route **ret_route, const char **ret_allow);

/* read.c */
void api_get_status(struct request *request);
void api_get_systems(struct request *request);
void api_get_components(struct request *request);
void api_get_component(struct request *request);
void api_get_checks(struct request *request);
void api_get_check(struct request *request);
void api_get_incidents(struct request *request);
void api_get_incident(struct request *request);
void api_get_policies(struct request *request);
void api_get_actions(struct request *request);
void api_get_receivers(struct request *request);
void api_get_deliveries(struct request *request);
void api_get_backups(struct request *request);
void api_get_records(struct request *request);
void api_post_accept(struct request *request);
void api_get_config(struct request *request);
/* record_remove.c */
void api_post_record_remove(struct request *request);
/* history.c */
void api_get_history(struct request *request);
/* windows.c */
void api_get_windows(struct request *request);
/* approvals.c */
void api_get_approvals(struct request *request);
void api_get_approval(struct request *request);
void api_post_approval(struct request *request);
/* runs.c */
void api_get_runs(struct request *request);
void api_get_run(struct request *request);
void api_get_follow(struct request *request);
void api_post_cancel(struct request *request);
void api_get_policy_next(struct request *request);
void api_post_policy_enable(struct request *request);
void api_post_drain(struct request *request);
/* explain.c */
void api_get_explain(struct request *request);
/* metrics.c */
void api_get_metrics(struct request *request);
void api_get_healthz(struct request *request);
/* act.c */
void api_post_check_run(struct request *request);
void api_post_acknowledge(struct request *request);
void api_post_policy_run(struct request *request);
void api_post_pause(struct request *request);
void api_post_resume(struct request *request);
void api_post_reload(struct request *request);

#endif
