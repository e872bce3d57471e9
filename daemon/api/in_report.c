/* SPDX-License-Identifier: MIT */
/* POST /v1/checks/NAME/report: somebody else gives a check of the probe passive its result. Who
 * may: whoever has the check's own token (report_token), or an operator. */
#include <errno.h>
#include <string.h>
#include "api/private.h"
#include "watch/report_read.h"

static bool has_token(const struct request *request, const struct check *check)
{
	const char *authorization = request_header(request, "Authorization");

	return check && check->conf->report_token && authorization &&
	       strncmp(authorization, "Bearer ", 7) == 0 &&
	       str_equal_secret(authorization + 7, check->conf->report_token);
}

/* Who has no right is told the same of a check that there is and of one that there is not. */
static struct check *find_check(struct request *request)
{
	struct watch *watch = request->api->manager->watch;
	struct check *check = watch_find_check(watch, request->subject);
	bool may = has_token(request, check) || request->role >= ROLE_OPERATOR;

	if (!api_limit(request, API_INBOUND_REPORTS, may && check ? check->conf->name : NULL))
		return NULL;
	if (!may && request->origin == ORIGIN_UNIX && !request_header(request, "Authorization"))
		request_fail(request, API_ERROR_FORBIDDEN,
			"this needs the role operator (see operators in [daemon]), or the bearer "
			"token of the check (its report_token)");
	else if (!may)
		request_fail(request, API_ERROR_UNAUTHENTICATED,
			"the bearer token of the check is needed (its report_token), or the role "
			"operator");
	else if (!check)
		request_fail(
			request, API_ERROR_NOT_FOUND, "there is no check '%s'", request->subject);
	return may ? check : NULL;
}

static json_t *accepted(const struct check *check, const struct report *report)
{
	usec_t ttl = report->ttl ? report->ttl : watch_report_ttl(check);

	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "accepted",
		tend_state_name(report->state), "check", check->conf->name, "reason",
		tend_reason_name(report->reason), "text", report->text, "ttl_seconds",
		ttl ? json_real((double)ttl / USEC_PER_SEC) : json_null(), "until",
		ttl ? api_time(report->at_wall + ttl) : json_null());
}

void api_post_check_report(struct request *request)
{
	const char *body = request->body.len ? request->body.data : "";
	struct check *check = find_check(request);
	struct report_frame frame = {.wall = clock_wall(), .now = clock_now()};
	struct tend_error err = {0};
	struct report report;
	bool observed = false;
	int r;

	if (!check)
		return;
	if (request->body.len > REPORT_BODY_BYTES) {
		request_fail(request, API_ERROR_TOO_LARGE, "a report has at most %d bytes",
			REPORT_BODY_BYTES);
		return;
	}
	frame.ttl = watch_report_ttl(check);
	r = report_read(body, request->body.len, &frame, &err, &report, &observed);
	if (r == 0)
		r = watch_take_report(check, &report, observed, &err);
	if (r < 0) {
		request_fail(request, api_error_of(r), "%s", err.text[0] ? err.text : strerror(-r));
		return;
	}
	log_info("check '%s': reported %s, from outside", check->conf->name,
		tend_state_name(report.state));
	request_json(request, 200, accepted(check, &report));
}
