/* SPDX-License-Identifier: MIT */
/*
 * alert/plan.h: from a notice to whom it goes, how and when. plan_make() and follow_make() are
 * pure: the routes of the configuration, the notice, its labels and the time of day in, targets and
 * the gates that said no out. A plan owns its targets and gates; plan_clear() frees them. It
 * borrows from the struct conf, which must outlive it. Never blocks; fails only for want of memory.
 */
#ifndef ALERT_PLAN_H
#define ALERT_PLAN_H

#include <jansson.h>
#include "alert/alert.h"
#include "base/vec.h"
#include "conf/conf.h"

/* One receiver of a notice: a delivery once alert_queue() has taken it. */
struct plan_target {
	const struct conf_receiver *receiver;
	const char *route; /* the name of the route that chose it; NULL: none did (no routes, or
			      a notice of the daemon itself) */
	const struct conf_route *from; /* that route; NULL likewise */
	/* What may go together has the same key: the route and the values of its group_by, as in
	 * "crm{severity=\"critical\",system=\"crm\"}". "": the route groups nothing, the receiver's
	 * storm guard does. Never NULL. */
	char *group;
	json_t *group_labels; /* object text -> text: the values of group_by; NULL without */
	usec_t wait;	      /* the first shipment of the group waits so long for more; 0 = not */
	usec_t interval;      /* between shipments of the group; 0 = none */
	usec_t not_before;    /* clock_wall() before which it is not sent (digest); 0 = at once */
	bool storm;	      /* the receiver's storm guard is asked (group is "") */
	bool on_call;	      /* by a rota: another time it may be another */
};

struct plan {
	struct vec targets; /* struct plan_target *, each receiver once, in the order of the routes
			     */
	struct vec gates;   /* char *: every gate that said no, "NAME: reason", in order */
	bool terse;	    /* none are kept */
};

struct plan_question {
	const struct conf *conf;
	const struct notice *notice;
	json_t *labels; /* labels_of(); borrowed, NULL = none */
	usec_t wall;	/* when; routes have times of day */
	bool terse;	/* gates are not wanted */
};
int plan_make(const struct plan_question *question, struct plan *ret_plan);
void plan_clear(struct plan *plan);
static inline void cleanup_plan_clear(struct plan *plan) /* for auto(plan_clear) */
{
	plan_clear(plan);
}
/* A target of its own, at once and by no route. NULL: no memory. */
struct plan_target *plan_target_new(const struct conf_receiver *receiver);
struct plan_target *plan_target_free(struct plan_target *target);
DEFINE_AUTO(struct plan_target *, plan_target_free)
/* The same for one that was told before: grouped, or collected, as the first route does that has
 * the receiver, whatever else that route asks for. */
int plan_add_told(const struct plan_question *question, const struct conf_receiver *receiver,
	struct plan *plan);
/* Adds "NAME: reason"; what cannot be kept is left out. */
__attribute__((format(printf, 3, 4))) void plan_gate(
	struct plan *plan, const char *name, const char *format, ...);

/* ---- follow.c: what comes after the raise, as long as nobody has acknowledged ---------------- */

struct follow_told { /* who was told */
	const struct conf_receiver *receiver;
	usec_t told_wall, last_wall; /* of the raise; of the last reminder, or the raise */
	unsigned n_reminders;
	bool refused;  /* it does not want to know: not raised again, nor reminded */
	usec_t repeat; /* the receiver wants to hear again so often, whatever the routes say; 0 */
};
struct follow_question {
	struct plan_question plan; /* the notice as it would be raised now */
	usec_t since;		   /* when it was told first, or when an acknowledgement ended */
	bool acknowledged;
	bool abandoned; /* who was told is no longer configured: all that the routes name come in */
	const struct follow_told *told;
	size_t n_told;
};
struct follow {
	struct plan raise, remind; /* what is due now */
	usec_t next_wall;	   /* when something may be due again; USEC_INFINITY */
};
int follow_make(const struct follow_question *question, struct follow *ret_follow);
void follow_clear(struct follow *follow);
static inline void cleanup_follow_clear(struct follow *follow)
{
	follow_clear(follow);
}

/* ---- labels.c ------------------------------------------------------------------------------- */

/* The labels of a notice, an object text -> text: what Tend knows of it, and label.NAME of its
 * check, component or system (the nearest wins), and those that were pushed, as exported_NAME where
 * there is one of the name. `host`: of this daemon, for what does not run on
 * another. -ENOMEM. */
int labels_of(const struct conf *conf, const struct notice *notice, const char *host,
	json_t **ret_labels);
/* Those of them that are the same whatever happens there: system, environment, component, kind,
 * check, host (of what runs on another) and label.NAME. `check` may be NULL. -ENOMEM. */
int labels_of_place(const struct conf_component *component, const struct conf_check *check,
	json_t **ret_labels);

/* ---- routes.c ------------------------------------------------------------------------------- */

/* Does the route take the notice now? false: `why` (of ROUTE_WHY_BYTES; may be NULL) says what said
 * no. Pure. */
enum { ROUTE_WHY_BYTES = 256 };
bool route_takes(const struct conf_route *route, const struct plan_question *question, char *why);
/* The receivers of `names`, rotas resolved, each once; plan NULL: gates are not wanted. */
struct route_receiver {
	const struct conf_receiver *receiver;
	bool on_call;
};
enum { ROUTE_MAX_RECEIVERS = 256 };
size_t route_receivers(const struct plan_question *question, char *const *names, struct plan *plan,
	struct route_receiver ret_receivers[ROUTE_MAX_RECEIVERS]);

#endif
