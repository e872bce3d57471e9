/* SPDX-License-Identifier: MIT */
/* How often others may tell something. Who has a token is counted by it, so that one that runs wild
 * takes nothing from the others; who has none, or a wrong one, by where it comes from. */
#include "api/private.h"

enum { MIN_BURST = 10, FEEDBACK_BURST = 20 };
#define FEEDBACK_REFILL_USEC (6 * USEC_PER_SEC)

const char *const api_inbound_names[API_INBOUND_MAX] = {
	[API_INBOUND_EVENTS] = "events",
	[API_INBOUND_HEARTBEATS] = "heartbeats",
	[API_INBOUND_REPORTS] = "reports",
	[API_INBOUND_FEEDBACK] = "feedback",
};

/* People are slower than programs. */
static struct rate_limit limit_of(const struct conf_daemon *daemon, enum api_inbound kind)
{
	unsigned rate = (unsigned)daemon->inbound_rate_per_minute;

	if (kind == API_INBOUND_FEEDBACK)
		return (struct rate_limit){FEEDBACK_BURST, FEEDBACK_REFILL_USEC};
	return (struct rate_limit){MAX(rate / 10, (unsigned)MIN_BURST), 60 * USEC_PER_SEC / rate};
}

bool api_limit(struct request *request, enum api_inbound kind, const char *whose)
{
	struct api *api = request->api;
	const struct rate_limit limit = limit_of(&api->manager->conf->daemon, kind);
	char peer[32] = "http";
	auto_free char *name = NULL;
	usec_t wait = limit.refill;

	if (request->origin == ORIGIN_UNIX)
		(void)snprintf(peer, sizeof(peer), "uid %u", (unsigned)request->uid);
	name = str_printf(
		"%s %s %s", api_inbound_names[kind], whose ? "of" : "from", whose ? whose : peer);
	if (name && rate_admit(&api->rate, &limit, name, clock_now(), &wait))
		return true;
	api->n_limited[kind]++;
	request->retry_after_sec = (unsigned)((wait + USEC_PER_SEC - 1) / USEC_PER_SEC);
	request_fail(request, API_ERROR_LIMITED,
		"more than %u at once, and then one every %.3g seconds, are not taken", limit.burst,
		(double)limit.refill / USEC_PER_SEC);
	return false;
}
