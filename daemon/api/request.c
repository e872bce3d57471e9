/* SPDX-License-Identifier: MIT */
#include "api/request.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "api/server.h"
#include "base/log.h"

static const struct {
	const char *name;
	unsigned status;
} errors[API_ERROR_MAX] = {
#define X(code, text, http) [API_ERROR_##code] = {.name = (text), .status = (http)},
	API_ERRORS(X)
#undef X
};

const char *api_error_name(enum api_error error)
{
	return errors[error].name;
}

unsigned api_error_status(enum api_error error)
{
	return errors[error].status;
}

enum api_error api_error_of(int r)
{
	switch (-r) {
	case EINVAL:
	case E2BIG:
	case ERANGE:
		return API_ERROR_INVALID;
	case ENOENT:
	case ESRCH:
		return API_ERROR_NOT_FOUND;
	case EPERM:
	case EACCES:
		return API_ERROR_FORBIDDEN;
	case EBUSY:
	case EEXIST:
	case EALREADY:
	case ENOTUNIQ:
		return API_ERROR_CONFLICT;
	case EAGAIN:
	case ENOBUFS:
	case ESHUTDOWN:
	case ECONNRESET:
	case EINPROGRESS:
		return API_ERROR_UNAVAILABLE;
	case ETIMEDOUT:
		return API_ERROR_TIMEOUT;
	default:
		return API_ERROR_INTERNAL;
	}
}

struct request *request_ref(struct request *request)
{
	request->n_refs++;
	return request;
}

struct request *request_unref(struct request *request)
{
	if (!request || --request->n_refs > 0)
		return NULL;
	server_forget(request);
	str_clear(&request->body);
	json_decref(request->json);
	free(request->answer);
	free(request);
	return NULL;
}

int request_query_int(
	struct request *request, const char *key, int min, int max, int def, int *ret_value)
{
	const char *text = request_query(request, key);
	char *end;
	long value;

	if (!text) {
		*ret_value = def;
		return 0;
	}
	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < min || value > max) {
		request_fail(request, API_ERROR_INVALID, "'%s' must be a number from %d to %d", key,
			min, max);
		return -EINVAL;
	}
	*ret_value = (int)value;
	return 0;
}

const char *request_string(const struct request *request, const char *key)
{
	return json_string_value(json_object_get(request->json, key));
}

static void answer_out(struct request *request)
{
	request->answered = true;
	if (request->suspended)
		server_resume(request);
}

static void fail_unkept(struct request *request, int r)
{
	request_fail(request, API_ERROR_UNAVAILABLE,
		"it is done, but a restart may forget it: the store cannot write: %s",
		strerror(-r));
}

void request_answer(
	struct request *request, unsigned status, const char *type, char *body, size_t len)
{
	bool good = status < 400;
	int r;

	if (request->answered || (good && request->settling)) {
		free(body);
		return;
	}
	free(request->answer); /* a good one that is overtaken: too late, or not kept */
	request->status = status;
	request->type = type;
	request->answer = body;
	request->answer_len = len;
	if (good && request->settle) {
		request->settling = true;
		r = request->settle(request);
		if (r < 0)
			fail_unkept(request, r);
		return;
	}
	answer_out(request);
}

void request_settled(struct request *request, int r)
{
	if (r < 0)
		fail_unkept(request, r);
	else if (!request->answered)
		answer_out(request);
	request_unref(request);
}

void request_json(struct request *request, unsigned status, json_t *json)
{
	static const char oom[] = "{\"error\":{\"code\":\"internal\",\"message\":\"no memory\"}}\n";
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0;
	char *line = text ? realloc(text, len + 2) : NULL;

	json_decref(json);
	if (!line) {
		free(text);
		line = strdup(oom);
		request_answer(request, 500, "application/json", line, line ? strlen(line) : 0);
		return;
	}
	line[len] = '\n';
	line[len + 1] = '\0';
	request_answer(request, status, "application/json", line, len + 1);
}

void request_fail(struct request *request, enum api_error error, const char *format, ...)
{
	char text[1024], clean[1024];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	str_sanitize(clean, sizeof(clean), text, strlen(text));
	/* What is behind it is somebody's secret. */
	log_debug("api: %s: %s: %s",
		str_startswith(request->path, "/v1/heartbeats/") ? "/v1/heartbeats/*"
								 : request->path,
		api_error_name(error), clean);
	request_json(request, api_error_status(error),
		json_pack(
			"{s:{s:s,s:s}}", "error", "code", api_error_name(error), "message", clean));
}
