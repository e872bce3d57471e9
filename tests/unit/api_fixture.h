/* SPDX-License-Identifier: MIT */
/*
 * A whole tendd (manager_run() in a child process) in a folder of its own, watching three targets:
 * one that is fine (its own /healthz), one where nobody listens, one that takes connections and
 * never answers; and a receiver nobody listens for. And an HTTP client for both of its sockets.
 */
#ifndef API_FIXTURE_H
#define API_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/str.h"
#include "manager.h"

#define FIXTURE_WAIT_USEC (30 * USEC_PER_SEC)
#define FIXTURE_TOKEN	  "a-token-for-tests"

struct fixture {
	char dir[64], conf[96], socket[96], log[96];
	pid_t pid;
	int port, closed_port, silent_port, silent_fd;
};

struct reply {
	long status;
	char *type, *allow, *text;
	json_t *json;
};

static inline void reply_clear(struct reply *r)
{
	free(r->type);
	free(r->allow);
	free(r->text);
	json_decref(r->json);
}
#define auto_reply __attribute__((cleanup(reply_clear)))

static inline size_t fixture_on_body(char *data, size_t size, size_t n, void *into)
{
	return str_append(into, data, size * n) < 0 ? 0 : size * n;
}

static inline size_t fixture_on_header(char *data, size_t size, size_t n, void *into)
{
	struct reply *r = into;
	size_t len = size * n;

	if (len > 7 && strncasecmp(data, "Allow: ", 7) == 0)
		r->allow = strndup(data + 7, strcspn(data + 7, "\r\n"));
	return len;
}

/* headers: NULL-terminated, or NULL. tcp: over loopback, else the unix socket. -CURLcode or 0. */
static inline int fixture_try(const struct fixture *f, bool tcp, const char *method,
	const char *path, const char *body, const char *const *headers, struct reply *ret_reply)
{
	struct str text = STR_INIT(64 << 20);
	struct curl_slist *list = NULL;
	CURL *curl = curl_easy_init();
	struct reply reply = {0};
	char *type = NULL;
	char url[512];
	CURLcode code;

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", f->port, path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	if (!tcp)
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, f->socket);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, fixture_on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &text);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, fixture_on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, &reply);
	for (; headers && *headers; headers++)
		list = curl_slist_append(list, *headers);
	if (list)
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
	if (body)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	if (strcmp(method, "HEAD") == 0)
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	code = curl_easy_perform(curl);
	if (code == CURLE_OK) {
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply.status);
		curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
		reply.type = strdup(type ? type : "");
		reply.json = json_loads(str_get(&text), JSON_DECODE_ANY, NULL);
		reply.text = strdup(str_get(&text));
		*ret_reply = reply;
	} else {
		reply_clear(&reply);
	}
	str_clear(&text);
	curl_slist_free_all(list);
	curl_easy_cleanup(curl);
	return -(int)code;
}

static inline struct reply fixture_call(
	const struct fixture *f, const char *method, const char *path, const char *body)
{
	struct reply reply = {0};
	int r = fixture_try(f, false, method, path, body, NULL, &reply);

	if (r < 0)
		fail_msg("%s %s: %s", method, path, curl_easy_strerror((CURLcode)-r));
	return reply;
}

static inline struct reply fixture_call_tcp(const struct fixture *f, const char *method,
	const char *path, const char *body, const char *const *headers)
{
	struct reply reply = {0};
	int r = fixture_try(f, true, method, path, body, headers, &reply);

	if (r < 0)
		fail_msg("%s %s: %s", method, path, curl_easy_strerror((CURLcode)-r));
	return reply;
}

/* GETs `path` until done() says so; the reply is the caller's. */
static inline struct reply fixture_wait(
	const struct fixture *f, const char *path, bool (*done)(const struct reply *reply))
{
	usec_t until = clock_now() + FIXTURE_WAIT_USEC;

	for (;;) {
		struct reply reply = {0};

		if (fixture_try(f, false, "GET", path, NULL, NULL, &reply) == 0) {
			if (done(&reply))
				return reply;
			if (clock_now() > until)
				fail_msg("%s: still %ld: %s", path, reply.status, reply.text);
			reply_clear(&reply);
		} else if (clock_now() > until) {
			fail_msg("%s: no answer", path);
		}
		(void)usleep(20000);
	}
}

static inline const char *fixture_text(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

/* A loopback port: listening if ret_fd, else one where nobody does. */
static inline int fixture_port(int *ret_fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	if (ret_fd) {
		assert_int_equal(listen(fd, 64), 0);
		*ret_fd = fd;
	} else {
		close(fd);
	}
	return ntohs(a.sin_port);
}

static inline void fixture_write(const char *path, unsigned mode, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fputs(text, file) < 0, 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

/* `more` goes to the end; an error there is a bad configuration. */
static inline void fixture_configure(const struct fixture *f, const char *more)
{
	char *text = str_printf(
		"[daemon]\n"
		"state_dir = %s/state\nrun_dir = %s/run\nplugin_dir = " TEST_PLUGINS "\n"
		"http_listen = 127.0.0.1:%d\nhttp_token = file:%s/token\n"
		"exec_socket = %s/none.sock\n"
		"[system crm]\nenvironment = production\n"
		"[component crm/web]\nkind = web\n"
		"[component crm/database]\nkind = database\n"
		"[check crm/web/healthz]\nprobe = http\ninterval = 1h\ntimeout = 5s\n"
		"url = http://127.0.0.1:%d/healthz\n"
		"[check crm/database/down]\nprobe = http\ninterval = 1s\ntimeout = 500ms\n"
		"confirm = 2 of 2\nurl = http://127.0.0.1:%d/\n"
		"[check crm/web/silent]\nprobe = http\ninterval = 1h\ntimeout = 2s\nnotify = no\n"
		"confirm = 9 of 9\nurl = http://127.0.0.1:%d/\n"
		"[receiver ops]\ntype = webhook\nurl = http://127.0.0.1:%d/hook\n"
		"secret = file:%s/secret\n"
		"[route default]\nreceivers = ops\n%s",
		f->dir, f->dir, f->port, f->dir, f->dir, f->port, f->closed_port, f->silent_port,
		f->closed_port, f->dir, more);

	assert_non_null(text);
	fixture_write(f->conf, 0600, text);
	free(text);
}

/* tendd's whole life, in the child. */
static inline void fixture_child(const struct fixture *f, const char *log)
{
	struct manager_options options = {.config_path = f->conf, .foreground = true};
	int fd = open(log, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);

	(void)dup2(fd, STDERR_FILENO);
	(void)dup2(fd, STDOUT_FILENO);
	exit(manager_run(&options));
}

static inline pid_t fixture_spawn(const struct fixture *f, const char *log)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		fixture_child(f, log);
	return pid;
}

static inline bool fixture_is_up(const struct reply *reply)
{
	return reply->status == 200;
}

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[128];
	struct reply up;

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/tend-api-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->conf, sizeof(f->conf), "%s/tend.conf", f->dir);
	(void)snprintf(f->socket, sizeof(f->socket), "%s/run/tend.sock", f->dir);
	(void)snprintf(f->log, sizeof(f->log), "%s/log", f->dir);
	(void)snprintf(path, sizeof(path), "%s/state", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/token", f->dir);
	fixture_write(path, 0600, FIXTURE_TOKEN "\n");
	(void)snprintf(path, sizeof(path), "%s/secret", f->dir);
	fixture_write(path, 0600, "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\n");
	/* others must get at the socket, to be refused by role and not by the folder */
	assert_int_equal(chmod(f->dir, 0755), 0);
	f->port = fixture_port(NULL);
	f->closed_port = fixture_port(NULL);
	f->silent_port = fixture_port(&f->silent_fd);
	fixture_configure(f, "");
	f->pid = fixture_spawn(f, f->log);
	up = fixture_wait(f, "/healthz", fixture_is_up);
	reply_clear(&up);
	*state = f;
	return 0;
}

static inline void fixture_print_log(const struct fixture *f)
{
	char line[1024];
	FILE *file = fopen(f->log, "re");

	while (file && fgets(line, sizeof(line), file))
		print_message("  %s", line);
	if (file)
		fclose(file);
}

/* 0 when it ended as asked (under a sanitizer: and had nothing to say). */
static inline int fixture_stop(struct fixture *f)
{
	int status = 0;

	assert_int_equal(kill(f->pid, SIGTERM), 0);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	f->pid = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fixture_print_log(f);
	return status;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	int status = f->pid ? fixture_stop(f) : 0;
	char command[128];

	close(f->silent_fd);
	(void)snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	if (system(command) != 0)
		status = -1;
	free(f);
	return status;
}

#endif
