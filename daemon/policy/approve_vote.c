/* SPDX-License-Identifier: MIT */
/* What people say to an approval: who may, what it changes. It counts when it is committed. */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "policy/approve.h"

unsigned approval_votes(const json_t *doc)
{
	auto_json json_t *names = approval_names(doc);

	return (unsigned)json_array_size(names);
}

static struct approval *find_by_id(const struct policies *p, const char *id, struct tend_error *err)
{
	struct approval *found = NULL;
	size_t len = strlen(id);

	VEC_FOREACH (&p->approvals, struct approval *, a) {
		if (len < 4 || strncmp(a->id, id, len) != 0)
			continue;
		if (found) {
			tend_error_set(err, -ENOTUNIQ, "several approvals begin with '%s'", id);
			return NULL;
		}
		found = a;
	}
	if (!found)
		tend_error_set(
			err, -ENOENT, "no approval '%s' waits: see 'tendctl approval list'", id);
	return found;
}

static bool has_voted(const json_t *doc, const char *author)
{
	json_t *vote;
	size_t i;

	json_array_foreach (json_object_get(doc, "votes"), i, vote)
		if (str_eq(json_string_value(json_object_get(vote, "author")), author) &&
			str_eq(json_string_value(json_object_get(vote, "decision")), "approve"))
			return true;
	return false;
}

static int may_vote(const struct approval *a, const struct policies_voter *voter, bool approve,
	struct tend_error *err)
{
	if (a->state != APPROVAL_WAITING)
		return tend_error_set(err, -EALREADY, "approval %s is %s: it cannot be given again",
			a->id, approval_state_names[a->state]);
	if (a->busy)
		return tend_error_set(
			err, -EBUSY, "approval %s changes right now: look at it again", a->id);
	if (clock_wall() >= a->expires)
		return tend_error_set(err, -EALREADY, "approval %s has expired", a->id);
	if (approve && voter->root && a->needed > 1)
		return tend_error_set(err, -EPERM,
			"%u different people must approve this, and root is no person: use your "
			"own "
			"account",
			a->needed);
	if (approve && has_voted(a->doc, voter->name))
		return tend_error_set(err, -EALREADY,
			"%s has approved it already: another person must", voter->name);
	return 0;
}

static json_t *doc_with_vote(
	const struct approval *a, const char *author, bool approve, const char *comment)
{
	json_t *doc = json_deep_copy(a->doc);
	char at[CLOCK_TEXT_BYTES];

	if (!doc || json_array_append_new(json_object_get(doc, "votes"),
			    json_pack("{s:s, s:s, s:s, s:s?}", "author", author, "at",
				    clock_format(clock_wall(), at), "decision",
				    approve ? "approve" : "deny", "comment", comment)) < 0) {
		json_decref(doc);
		return NULL;
	}
	if (!approve) {
		(void)json_object_set_new(doc, "ended_by", json_string(author));
		(void)json_object_set_new(doc, "comment", json_string(comment ? comment : ""));
	}
	return doc;
}

static void note_vote(
	struct approval *a, const char *author, bool approve, enum approval_state state)
{
	const char *incident_id = json_string_value(json_object_get(a->doc, "incident"));
	struct incident *incident =
		incident_id ? incidents_find(a->policies->deps.incidents, incident_id) : NULL;
	const char *deed = json_string_value(json_object_get(a->doc, "deed"));

	log_notice("approval %s: %s %s: %s%s", a->id, author, approve ? "approves" : "denies",
		deed ? deed : "", state == APPROVAL_WAITING ? ", one more person is needed" : "");
	if (incident)
		incident_note(a->policies->deps.incidents, incident, "approval", "%s %s: %s",
			author, approve ? "approves" : "denies", deed ? deed : "");
}

static int commit_vote(
	struct approval *a, const struct policies_voter *voter, bool approve, const char *comment)
{
	auto_json json_t *doc = doc_with_vote(a, voter->name, approve, comment);
	auto(store_batch_free) struct store_batch *batch = NULL;
	enum approval_state state = APPROVAL_DENIED;
	int r = doc ? store_batch_new(&batch) : -ENOMEM;

	if (r == 0)
		r = store_batch_add(batch, STORE_APPROVAL_VOTE_PUT, "ssiss", a->id, voter->name,
			(int64_t)clock_wall(), approve ? "approve" : "deny", comment);
	if (r < 0)
		return r;
	if (approve)
		state = approval_votes(doc) >= a->needed ? APPROVAL_GRANTED : APPROVAL_WAITING;
	r = approval_commit(a, TAKE(batch), state, doc);
	if (r == 0)
		note_vote(a, voter->name, approve, state);
	return r;
}

int policies_approval_decide(struct policies *policies, const char *id,
	const struct policies_voter *voter, bool approve, const char *comment, policies_kept_fn fn,
	void *data, struct tend_error *err)
{
	struct approval *a = find_by_id(policies, id, err);
	struct approve_call *call;
	int r = a ? may_vote(a, voter, approve, err) : -ENOENT;

	if (r < 0)
		return r;
	call = calloc(1, sizeof(*call));
	if (!call)
		return tend_error_set(err, -ENOMEM, "no memory: nothing was approved");
	*call = (struct approve_call){fn, data};
	a->call = call;
	r = commit_vote(a, voter, approve, comment);
	if (r == 0)
		return 0;
	free(TAKE(a->call));
	return tend_error_set(err, r, "it cannot be written, nothing was %s: %s",
		approve ? "approved" : "denied", strerror(-r));
}

char *const *policies_approval_approvers(const struct policies *policies, const char *id)
{
	struct tend_error err = {0};
	const struct approval *a = find_by_id(policies, id, &err);
	const char *policy = a ? json_string_value(json_object_get(a->doc, "policy")) : NULL;
	const struct conf_policy *settings = policy ? policy_settings(policies, policy) : NULL;

	return settings && settings->approvers ? settings->approvers
					       : policies->conf->daemon.approvers;
}
