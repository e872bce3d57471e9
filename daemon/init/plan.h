/* SPDX-License-Identifier: MIT */
/*
 * init/plan.h: from facts (look.h) to what is to be watched: components and checks. Pure; the plan
 * is the caller's; NULL: no memory. {"system","doc","components":[{"name","kind","unit","doc",
 * "depends":[NAME],"checks":[{"name","doc","probe","options":[[KEY,VALUE]],"off":WHY or null}],
 * "database":[[KEY,VALUE]] or null,"notes":[TEXT]}],"notes":[TEXT]}. A check with "off" is written
 * as a comment, and so is a database, which needs a password; an option with a third member is one.
 */
#ifndef INIT_PLAN_H
#define INIT_PLAN_H

#include <jansson.h>
#include <stdbool.h>

json_t *plan_make(const json_t *facts);
/* text.c: the configuration as text, by the clock `when` (any text); the caller frees. */
char *plan_text(const json_t *facts, const json_t *plan, const char *when);

/* ---- of plan*.c ----------------------------------------------------------------------------- */

struct plan {
	const json_t *facts;
	json_t *doc;
};

const char *plan_get(const json_t *doc, const char *key); /* "" */
/* The component of this name, made when it is not there. */
json_t *plan_component(
	struct plan *plan, const char *name, const char *kind, const char *unit, const char *doc);
json_t *plan_find(const struct plan *plan, const char *name); /* NULL */
void plan_depends(json_t *component, const char *on);
json_t *plan_check(json_t *component, const char *name, const char *probe, const char *interval,
	const char *doc);
__attribute__((format(printf, 3, 4))) void plan_option(
	json_t *check, const char *key, const char *format, ...);
void plan_off(json_t *check, const char *why);
__attribute__((format(printf, 2, 3))) void plan_note(json_t *at, const char *format, ...);
/* An active unit whose name fits; NULL. */
const char *plan_unit(const struct plan *plan, const char *pattern);
const json_t *plan_listener(
	const struct plan *plan, const char *process, const char *unit, int port);

void plan_crms(struct plan *plan);
/* Options of a check that are thresholds become comments. False: it has none. */
bool plan_drop_thresholds(json_t *check);

#endif
