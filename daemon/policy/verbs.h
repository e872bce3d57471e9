/* SPDX-License-Identifier: MIT */
/*
 * policy/verbs.h: the verb table: what a policy may ask for. One row gives a verb its arguments,
 * risk, time limit, whether a step without an outcome may be done again, its documentation and its
 * function. The same table validates, limits and documents. Pure but for the functions, which are
 * in act.c.
 */
#ifndef POLICY_VERBS_H
#define POLICY_VERBS_H

#include <jansson.h>
#include <tend/error.h>
#include <tend/option.h>
#include "conf/conf.h"

struct step;

enum verb_risk { RISK_OBSERVE, RISK_NOTIFY, RISK_CHANGE, RISK_DESTROY, RISK_MAX };
extern const char *const verb_risk_names[RISK_MAX + 1];

enum verb_arg_type {
	ARG_STRING,
	ARG_INTEGER,
	ARG_DURATION,
	ARG_OBJECT,
	ARG_ARRAY,
	ARG_SEVERITY,
	ARG_ANY,
	ARG_TYPE_MAX
};

struct verb_arg {
	const char *name;
	enum verb_arg_type type;
	bool required;
};

/* What becomes of a step that was begun and whose outcome is not known (Tend died in between). */
enum verb_resume {
	RESUME_AGAIN,  /* harmless: do it again */
	RESUME_ATTACH, /* ask the executor by the job's id */
	RESUME_DONE,   /* the journal entry was the deed (a notice in the same commit) */
	RESUME_MAX,
};

enum { VERB_MAX_ARGS = 6 };

struct verb {
	const char *name;
	struct verb_arg args[VERB_MAX_ARGS]; /* the first is the positional one in Lua */
	enum verb_risk risk;
	usec_t timeout;
	enum verb_resume resume;
	const char *undo; /* for people; NULL for what changes nothing */
	const char *doc;
	bool internal;	 /* the runner's own: it is in no reference, policies cannot call it */
	bool pretend;	 /* looks like one that only observes, and is not done in a dry run */
	const char *dry; /* its value in a dry run, as JSON; NULL: true */
	void (*execute)(struct step *step);
};

extern const struct verb verbs[];
extern const size_t n_verbs;

const struct verb *verb_find(const char *name);
/* Names what is wrong: a missing, unknown (with the nearest) or wrongly typed argument; -EINVAL. */
int verb_check_args(const struct verb *verb, const json_t *args, struct tend_error *err);
/* "10s" or a number of seconds. */
int verb_duration(const json_t *value, usec_t *ret_usec);
int verb_severity(const json_t *value, enum conf_severity *ret_severity);
/* For tend-run: [{"name","args":[...]}] */
json_t *verbs_to_json(void);

#endif
