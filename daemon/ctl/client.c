/* SPDX-License-Identifier: MIT */
/* The only user of libcurl in tendctl: HTTP over the daemon's unix socket. */
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include "base/str.h"
#include "ctl/ctl.h"
#include "ctl/writer.h"

enum {
	ANSWER_MAX_BYTES = 256 << 20,
	CONNECT_SEC = 5,
	ANSWER_SEC = 30,
	WAIT_SEC = 600, /* a check or a reload that is waited for */
};

static void curl_drop(CURL *curl)
{
	curl_easy_cleanup(curl);
}
DEFINE_AUTO(CURL *, curl_drop)

static void headers_drop(struct curl_slist *list)
{
	curl_slist_free_all(list);
}
DEFINE_AUTO(struct curl_slist *, headers_drop)

static size_t on_body(char *data, size_t size, size_t n, void *into)
{
	return str_append(into, data, size * n) < 0 ? 0 : size * n;
}

static size_t on_header(char *data, size_t size, size_t n, void *into)
{
	static const char name[] = "Tend-Partial:";
	bool *partial = into;

	if (size * n > strlen(name) && strncasecmp(data, name, strlen(name)) == 0)
		*partial = true;
	return size * n;
}

char *client_escape(const char *text, bool slashes)
{
	char *out = malloc(strlen(text) * 3 + 1), *p = out;

	for (; out && *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (isalnum(c) || strchr("-._~", c) || (slashes && c == '/'))
			*p++ = (char)c;
		else
			p += sprintf(p, "%%%02X", c);
	}
	if (out)
		*p = '\0';
	return out;
}

char *client_path(const char *head, const char *subject, const char *tail)
{
	auto_free char *escaped = client_escape(subject, true);

	return escaped ? str_printf("%s%s%s", head, escaped, tail) : NULL;
}

int client_exit_of(long status)
{
	if (status >= 200 && status < 300)
		return CTL_OK;
	return status == 401 || status == 403 ? CTL_NOPERM : CTL_FAILED;
}

static int complain_transport(struct ctl *ctl, CURL *curl, CURLcode code)
{
	long os_error = 0;

	(void)curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_error);
	if (code == CURLE_COULDNT_CONNECT)
		ctl_complain(ctl,
			"cannot reach tendd on %s: %s: is it running? (systemctl status "
			"tendd; another socket: -s PATH)",
			ctl->socket, os_error ? strerror((int)os_error) : "no connection");
	else if (code == CURLE_OPERATION_TIMEDOUT)
		ctl_complain(
			ctl, "tendd does not answer on %s: see 'journalctl -u tendd'", ctl->socket);
	else
		ctl_complain(ctl, "no answer from tendd on %s: %s", ctl->socket,
			curl_easy_strerror(code));
	return CTL_UNAVAILABLE;
}

static int complain_status(struct ctl *ctl, const struct ctl_answer *answer)
{
	const json_t *error = json_object_get(answer->json, "error");
	const char *message = json_string_value(json_object_get(error, "message"));

	if (message)
		ctl_complain(ctl, "%s", message);
	else
		ctl_complain(ctl, "tendd answered with status %ld", answer->status);
	return client_exit_of(answer->status);
}

static int perform(struct ctl *ctl, CURL *curl, const char *path, const char *body, bool wait,
	struct ctl_answer *ret_answer)
{
	auto_str struct str text = STR_INIT(ANSWER_MAX_BYTES);
	auto_free char *url = str_printf("http://tend%s", path);
	auto(headers_drop) struct curl_slist *headers =
		curl_slist_append(NULL, "Content-Type: application/json");
	struct ctl_answer answer = {0};
	bool partial = false;
	CURLcode code;

	if (!url || !headers)
		return CTL_FAILED;
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, ctl->socket);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SEC);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)(wait ? WAIT_SEC : ANSWER_SEC));
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &text);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, &partial);
	if (body) {
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, body);
	}
	code = curl_easy_perform(curl);
	if (code != CURLE_OK)
		return complain_transport(ctl, curl, code);
	if (partial)
		ctl_complain(
			ctl, "the store cannot be read: this is only what tendd has in memory");
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
	answer.json = json_loads(str_get(&text), JSON_DECODE_ANY, NULL);
	answer.text = str_take(&text);
	*ret_answer = answer;
	return 0;
}

static int call(struct ctl *ctl, const char *path, const char *body, bool wait,
	struct ctl_answer *ret_answer)
{
	auto(curl_drop) CURL *curl = curl_easy_init();
	struct ctl_answer answer = {0};
	int r;

	if (!curl || !path) {
		ctl_complain(ctl, "no memory");
		return CTL_FAILED;
	}
	r = perform(ctl, curl, path, body, wait, &answer);
	if (r != 0)
		return r;
	if (client_exit_of(answer.status) == CTL_OK) {
		*ret_answer = answer;
		return 0;
	}
	r = complain_status(ctl, &answer);
	json_decref(answer.json);
	free(answer.text);
	return r;
}

static int take_json(struct ctl *ctl, struct ctl_answer *answer, json_t **ret_json)
{
	free(answer->text);
	if (!answer->json) {
		ctl_complain(ctl, "tendd's answer is no JSON");
		return CTL_FAILED;
	}
	*ret_json = answer->json;
	return 0;
}

int client_get(struct ctl *ctl, const char *path, json_t **ret_json)
{
	struct ctl_answer answer = {0};
	int r = call(ctl, path, NULL, false, &answer);

	return r != 0 ? r : take_json(ctl, &answer, ret_json);
}

int client_get_named(
	struct ctl *ctl, const char *path, const char *what, const char *name, json_t **ret_row)
{
	auto_json json_t *rows = NULL;
	json_t *row;
	size_t i;
	int r = client_get(ctl, path, &rows);

	if (r != 0)
		return r;
	json_array_foreach (rows, i, row) {
		if (strcmp(ctl_string(row, "name"), name) == 0) {
			*ret_row = json_incref(row);
			return CTL_OK;
		}
	}
	ctl_complain(ctl, "there is no %s '%s'", what, name);
	return CTL_FAILED;
}

int client_post(struct ctl *ctl, const char *path, const json_t *body, bool wait, json_t **ret_json)
{
	auto_free char *text = body ? json_dumps(body, JSON_COMPACT) : strdup("{}");
	struct ctl_answer answer = {0};
	int r = text ? call(ctl, path, text, wait, &answer) : CTL_FAILED;

	return r != 0 ? r : take_json(ctl, &answer, ret_json);
}

int client_get_text(struct ctl *ctl, const char *path, char **ret_text)
{
	struct ctl_answer answer = {0};
	int r = call(ctl, path, NULL, false, &answer);

	if (r != 0)
		return r;
	json_decref(answer.json);
	*ret_text = answer.text ? answer.text : strdup("");
	return 0;
}
