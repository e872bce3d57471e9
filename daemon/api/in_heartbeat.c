/* SPDX-License-Identifier: MIT */
/* /v1/heartbeats: outside jobs say that they begin, are done, or failed. The token in the path is
 * all that is asked for: who has it can say this, and nothing else. */
#include <string.h>
#include "api/private.h"
#include "watch/heartbeat.h"

/* "TOKEN" or "TOKEN/start": cuts the signal off. */
static bool split_signal(char *subject, enum heartbeat_signal *ret_signal)
{
	char *slash = strchr(subject, '/');

	*ret_signal = HEARTBEAT_OK;
	if (!slash)
		return true;
	*slash = '\0';
	for (int i = 0; i < HEARTBEAT_SIGNAL_MAX; i++)
		if (strcmp(slash + 1, heartbeat_signal_names[i]) == 0) {
			*ret_signal = (enum heartbeat_signal)i;
			return true;
		}
	return false;
}

void api_take_heartbeat(struct request *request)
{
	struct watch *watch = request->api->manager->watch;
	const char *text = request->body.len ? request->body.data : "";
	enum heartbeat_signal signal;
	struct check *check;

	if (!split_signal(request->subject, &signal)) {
		request_fail(request, API_ERROR_NOT_FOUND,
			"after the token comes nothing, /start, /ok or /fail");
		return;
	}
	if (request->body.len > HEARTBEAT_TEXT_BYTES) {
		request_fail(request, API_ERROR_TOO_LARGE, "the text has at most %d bytes",
			HEARTBEAT_TEXT_BYTES);
		return;
	}
	check = watch_find_heartbeat(watch, request->subject);
	if (!api_limit(request, API_INBOUND_HEARTBEATS, check ? check->conf->name : NULL))
		return;
	if (!check) {
		request_fail(request, API_ERROR_NOT_FOUND, "nobody has this token");
		return;
	}
	watch_heartbeat(watch, check, signal, text, request->body.len);
	request_json(request, 200, json_pack("{s:s}", "accepted", heartbeat_signal_names[signal]));
}

void api_get_heartbeats(struct request *request)
{
	request_json(request, 200, watch_heartbeats_to_json(request->api->manager->watch));
}
