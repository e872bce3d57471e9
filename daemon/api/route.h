/* SPDX-License-Identifier: MIT */
/*
 * api/route.h: the table of everything the API answers: method, path, role, handler. Pure: finding
 * a route does no I/O. A pattern has at most one '*', which stands for a name that may hold slashes
 * (checks are called system/component/check).
 */
#ifndef API_ROUTE_H
#define API_ROUTE_H

#include "api/request.h"

/* On TCP, where nobody is known, also without the bearer token; OWN: what comes in has a secret of
 * its own, which the handler looks at, on any socket, and its body is left as it is. */
enum route_open { ROUTE_CLOSED = 0, ROUTE_OPEN = 1, ROUTE_OWN = 2 };

struct route {
	const char *method; /* GET (also serves HEAD), POST or DELETE */
	const char *pattern;
	void (*handle)(struct request *request);
	enum role role; /* the least that may */
	enum route_open open;
	bool keeps; /* the answer waits until what it says is on the disk */
};

extern const struct route routes[];
extern const size_t n_routes;

/* 0; -ENOENT: no such path; -EOPNOTSUPP: the path is there, not by this method (*ret_allow says
 * which). `subject` gets what '*' stands for. */
int route_find(const struct route *table, size_t n, const char *method, const char *path,
	char subject[REQUEST_PATH_BYTES], const struct route **ret_route, const char **ret_allow);

/* in_heartbeat.c, in_report.c, in_events.c, in_feedback.c */
void api_take_heartbeat(struct request *request);
void api_post_check_report(struct request *request);
void api_get_heartbeats(struct request *request);
void api_post_events(struct request *request);
void api_post_feedback(struct request *request);
void api_post_feedback_answer(struct request *request);
void api_get_feedback(struct request *request);
void api_get_feedback_one(struct request *request);
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
void api_get_delivery(struct request *request);
void api_post_receiver_test(struct request *request);
void api_get_backups(struct request *request);
void api_get_records(struct request *request);
void api_post_accept(struct request *request);
void api_get_config(struct request *request);
/* record_remove.c */
void api_post_record_remove(struct request *request);
/* history.c */
void api_get_history(struct request *request);
/* metric.c */
void api_get_metric_list(struct request *request);
void api_get_metric_points(struct request *request);
/* report.c */
void api_get_availability(struct request *request);
/* windows.c */
void api_get_windows(struct request *request);
void api_get_route_test(struct request *request);
void api_get_preview(struct request *request);
void api_get_rotas(struct request *request);
void api_get_silences(struct request *request);
void api_get_silence(struct request *request);
void api_post_silence(struct request *request);
void api_post_silence_expire(struct request *request);
void api_post_unacknowledge(struct request *request);
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
