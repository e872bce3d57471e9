/* SPDX-License-Identifier: MIT */
/*
 * policy/approve.h: approvals, as approve.c (how they are asked for, given, used up) and
 * approve_view.c (JSON, words) share them. An approval is for one step of one run, bound to the
 * hash of what it will do; it is used once and ends at a time. Owned by struct policies, in which
 * ended ones are kept for a while. Every change is committed before it counts.
 */
#ifndef POLICY_APPROVE_H
#define POLICY_APPROVE_H

#include "policy/private.h"

enum approval_state {
	APPROVAL_WAITING,
	APPROVAL_GRANTED,
	APPROVAL_DENIED,
	APPROVAL_EXPIRED,
	APPROVAL_USED,
	APPROVAL_VOID, /* its run ended, or does something else now */
	APPROVAL_STATE_MAX,
};
extern const char *const approval_state_names[APPROVAL_STATE_MAX + 1];

struct approval {
	struct policies *policies;
	char id[UUID_TEXT_BYTES], run[UUID_TEXT_BYTES];
	char *path;
	char hash[65];
	enum approval_state state;
	unsigned needed;		/* different people */
	usec_t created, expires, ended; /* time of day */
	json_t *doc; /* policy, target, verb, args, incident, text, sign_off, votes, ended_by */
	struct step *step; /* that waits for it; NULL: none yet, or no more */
	struct loop_source *timer;
	bool sign_off; /* asked for by the verb; else by the mode */
	/* A commit is under way: what it will be then. */
	bool busy, is_new;
	enum approval_state next_state;
	enum approval_state end_wish; /* how it is to end after that; waiting: it is not */
	json_t *next_doc;
	uint64_t token; /* of the notice that goes with it */
	struct approve_call *call;
};

/* Who asked for a change hears of it. */
struct approve_call {
	policies_kept_fn fn;
	void *data;
};

/* Steals the batch. Afterwards the approval is as asked, if the commit says so. `doc` NULL: it
 * stays; else borrowed. */
int approval_commit(
	struct approval *a, struct store_batch *batch, enum approval_state state, json_t *doc);
json_t *approval_names(const json_t *doc); /* of those who have approved */
struct approval *approval_find(const struct policies *p, const char *run, const char *path);
unsigned approval_votes(const json_t *doc);	 /* how many have approved */
bool approval_is_open(const struct approval *a); /* waiting or granted */
json_t *approval_to_json(const struct approval *a);
/* "unit.restart {"unit":"web.service"}", cut to fit. */
const char *approval_deed(const struct step *step, char *buf, size_t size);
/* What people are told, with the commands that answer. */
char *approval_notice_text(const struct approval *a);
/* "ann, bob" */
const char *approval_people(const json_t *votes, char *buf, size_t size);

#endif
