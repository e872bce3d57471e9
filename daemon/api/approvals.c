/* SPDX-License-Identifier: MIT */
/* Approvals: who may give one is a matter of the peer's account, never of an argument. */
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>
#include "api/private.h"
#include "exec/people.h"
#include "policy/gates.h"

enum { APPROVALS_MAX = 10000, APPROVALS_DEFAULT = 100, APPROVAL_COMMENT_BYTES = 1000 };

static struct policies *policies_of(const struct request *request)
{
	return request->api->manager->policies;
}

void api_get_approvals(struct request *request)
{
	const char *run = request_query(request, "run");
	int limit, r;

	if (request_query_int(request, "limit", 1, APPROVALS_MAX, APPROVALS_DEFAULT, &limit) < 0)
		return;
	r = policies_approvals(
		policies_of(request), run, limit, api_answer_rows, request_ref(request));
	if (r < 0)
		api_answer_rows(r, NULL, request);
}

static void on_one(int r, json_t *rows, void *data)
{
	struct request *request = data;

	if (r < 0)
		request_fail(
			request, api_error_of(r), "the store cannot be read: %s", strerror(-r));
	else if (json_array_size(rows) == 0)
		request_fail(request, API_ERROR_NOT_FOUND, "there is no approval '%s'",
			request->subject);
	else if (json_array_size(rows) > 1)
		request_fail(request, API_ERROR_CONFLICT,
			"several approvals begin with '%s': write more of it", request->subject);
	else
		request_json(request, 200, json_incref(json_array_get(rows, 0)));
	request_unref(request);
}

static void show(struct request *request, const char *id)
{
	int r = policies_approval_show(policies_of(request), id, on_one, request_ref(request));

	if (r < 0)
		on_one(r, NULL, request);
}

void api_get_approval(struct request *request)
{
	show(request, request->subject);
}

/* ---- a decision ------------------------------------------------------------------------------ */

/* Tend's own accounts, and what has no account, approve nothing. */
static bool is_person(struct request *request, const char *name)
{
	if (request->origin == ORIGIN_TCP)
		request_fail(request, API_ERROR_FORBIDDEN,
			"the bearer token is nobody's name: decide by the unix socket (tendctl)");
	else if ((request->uid != 0 && request->uid == geteuid()) || strcmp(name, "tend") == 0 ||
		 strcmp(name, "tend-probe") == 0)
		request_fail(request, API_ERROR_FORBIDDEN,
			"'%s' is an account of Tend's own: people approve", name);
	else
		return true;
	return false;
}

static bool is_approver(struct request *request, const char *name)
{
	char *const *approvers =
		policies_approval_approvers(policies_of(request), request->subject);
	const struct passwd *p;

	if (!approvers)
		return true;
	p = getpwuid(request->uid);
	if (p && people_named(approvers, p->pw_name, p->pw_gid))
		return true;
	request_fail(request, API_ERROR_FORBIDDEN,
		"%s is none of those who may approve this: see 'approvers' in [daemon] and "
		"[policy]",
		name);
	return false;
}

static int decision_of(struct request *request, bool *ret_approve)
{
	const char *decision = request_string(request, "decision");

	if (!decision || (strcmp(decision, "approve") != 0 && strcmp(decision, "deny") != 0)) {
		request_fail(
			request, API_ERROR_INVALID, "'decision' must be \"approve\" or \"deny\"");
		return -EINVAL;
	}
	*ret_approve = strcmp(decision, "approve") == 0;
	return 0;
}

/* A refusal needs its reason. */
static int reason_of(struct request *request, bool approve, char buf[APPROVAL_COMMENT_BYTES])
{
	const char *comment = request_string(request, "comment");
	size_t len = comment ? strlen(comment) : 0;

	if (len >= APPROVAL_COMMENT_BYTES) {
		request_fail(request, API_ERROR_INVALID, "a comment has at most %d bytes",
			APPROVAL_COMMENT_BYTES - 1);
		return -EINVAL;
	}
	str_sanitize(buf, APPROVAL_COMMENT_BYTES, comment ? comment : "", len);
	if (approve || strspn(buf, " ") < strlen(buf))
		return 0;
	request_fail(request, API_ERROR_INVALID,
		"a comment is needed: say why not, for those who look later");
	return -EINVAL;
}

static void on_decided(int r, void *data)
{
	struct request *request = data;

	if (r < 0)
		request_fail(request, API_ERROR_UNAVAILABLE,
			"the store cannot write it, so it does not count: %s", strerror(-r));
	else
		show(request, request->subject);
	request_unref(request);
}

void api_post_approval(struct request *request)
{
	char name[ROLE_USER_BYTES], comment[APPROVAL_COMMENT_BYTES];
	struct policies_voter voter = {
		.name = api_author(request, name), .root = request->uid == 0};
	struct tend_error err = {0};
	bool approve;
	int r;

	if (!is_person(request, name) || decision_of(request, &approve) < 0 ||
		reason_of(request, approve, comment) < 0 ||
		(!voter.root && !is_approver(request, name)))
		return;
	r = policies_approval_decide(policies_of(request), request->subject, &voter, approve,
		comment[0] ? comment : NULL, on_decided, request_ref(request), &err);
	if (r == 0)
		return;
	request_fail(request, api_error_of(r), "%s", err.text[0] ? err.text : strerror(-r));
	request_unref(request);
}
