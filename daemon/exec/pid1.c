/* SPDX-License-Identifier: MIT */
#include "exec/pid1.h"
#include <errno.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-id128.h>
#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "exec/pid1_internal.h"

#define SYSTEMD	       "org.freedesktop.systemd1"
#define MANAGER	       "org.freedesktop.systemd1.Manager"
#define OBJECT	       "/org/freedesktop/systemd1"
#define JOBS	       OBJECT "/job/"
#define ANSWER_IN_USEC (60 * USEC_PER_SEC)

struct pid1 {
	sd_bus *bus;
	struct pid1_handlers handlers;
	unsigned n_waiting; /* answers still due before `ready` */
};

struct pid1_call {
	sd_bus_slot *slot;
	pid1_fn fn;
	void *data;
	enum { ANSWER_UNIT, ANSWER_JOB, ANSWER_NOTHING } answer;
};

struct pid1_watch {
	sd_bus_slot *slot;
	void (*fn)(void *data);
	void *data;
};

DEFINE_AUTO(sd_bus_message *, sd_bus_message_unref)

struct pid1_call *pid1_call_cancel(struct pid1_call *call)
{
	if (!call)
		return NULL;
	sd_bus_slot_unref(call->slot);
	free(call);
	return NULL;
}

int pid1_boot_id(char ret[BOOT_ID_BYTES])
{
	sd_id128_t id;
	auto_free char *stat = NULL;
	char text[SD_ID128_STRING_MAX];
	unsigned long long started;
	const char *p;
	int r = sd_id128_get_boot(&id);

	if (r >= 0)
		r = fs_read_file("/proc/1/stat", 4096, &stat, NULL);
	if (r < 0)
		return r;
	/* proc(5): the 22nd field, when it started; the 2nd is a name in brackets. */
	p = strrchr(stat, ')');
	for (int i = 2; p && i < 22; i++)
		p = strchr(p + 1, ' ');
	if (!p || sscanf(p, "%llu", &started) != 1)
		return -EBADMSG;
	(void)snprintf(ret, BOOT_ID_BYTES, "%s.%llx", sd_id128_to_string(id, text), started);
	return 0;
}

/* ---- reading a unit's properties ---- */

static int read_text(sd_bus_message *m, size_t size, char *ret)
{
	const char *text;
	int r = sd_bus_message_read(m, "v", "s", &text);

	if (r >= 0)
		(void)snprintf(ret, size, "%s", text);
	return r;
}

static int read_invocation(sd_bus_message *m, char ret[INVOCATION_BYTES])
{
	const void *bytes;
	size_t n;
	int r = sd_bus_message_enter_container(m, 'v', "ay");

	if (r >= 0)
		r = sd_bus_message_read_array(m, 'y', &bytes, &n);
	if (r < 0)
		return r;
	if (n == sizeof(sd_id128_t)) {
		sd_id128_t id;

		memcpy(&id, bytes, n);
		(void)sd_id128_to_string(id, ret);
	}
	return sd_bus_message_exit_container(m);
}

static int read_property(sd_bus_message *m, const char *name, struct pid1_unit *unit)
{
	const struct {
		const char *name, *type;
		char *text;
		size_t size;
		void *number;
	} rows[] = {
		{"LoadState", "s", unit->load_state, sizeof(unit->load_state), NULL},
		{"ActiveState", "s", unit->active_state, sizeof(unit->active_state), NULL},
		{"SubState", "s", unit->sub_state, sizeof(unit->sub_state), NULL},
		{"Result", "s", unit->result, sizeof(unit->result), NULL},
		{"MainPID", "u", NULL, 0, &unit->main_pid},
		{"ActiveEnterTimestampMonotonic", "t", NULL, 0, &unit->active_since},
		{"ExecMainCode", "i", NULL, 0, &unit->exec_code},
		{"ExecMainStatus", "i", NULL, 0, &unit->exec_status},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (strcmp(rows[i].name, name) != 0)
			continue;
		return rows[i].text ? read_text(m, rows[i].size, rows[i].text)
				    : sd_bus_message_read(m, "v", rows[i].type, rows[i].number);
	}
	if (strcmp(name, "InvocationID") == 0)
		return read_invocation(m, unit->invocation);
	if (strcmp(name, "Job") == 0)
		return sd_bus_message_read(m, "v", "(uo)", &unit->job, NULL);
	return sd_bus_message_skip(m, "v");
}

static int read_unit(sd_bus_message *m, struct pid1_unit *ret_unit)
{
	struct pid1_unit unit = {0};
	const char *name;
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	if (r < 0)
		return r;
	while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		r = sd_bus_message_read(m, "s", &name);
		if (r >= 0)
			r = read_property(m, name, &unit);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	*ret_unit = unit;
	return 0;
}

/* ---- questions ---- */

/* Errors that are not an answer of PID 1: it may have done what was asked. */
static bool leaves_open(const char *error)
{
	static const char *const names[] = {SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_TIMEOUT,
		SD_BUS_ERROR_DISCONNECTED, "org.freedesktop.DBus.Error.TimedOut"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], error) == 0)
			return true;
	return false;
}

static int on_answer(sd_bus_message *m, void *data, sd_bus_error *ret_error)
{
	struct pid1_call *call = data;
	const sd_bus_error *e = sd_bus_message_get_error(m);
	char message[512] = "";
	const char *path;
	struct pid1_unit unit;
	struct pid1_reply reply = {.error = "", .message = message};

	if (e) {
		reply.r = -sd_bus_error_get_errno(e);
		reply.error = e->name;
		reply.maybe = leaves_open(e->name);
		str_sanitize(message, sizeof(message), e->message ? e->message : e->name,
			strlen(e->message ? e->message : e->name));
	} else if (call->answer == ANSWER_UNIT) {
		reply.r = read_unit(m, &unit);
		reply.unit = &unit;
	} else if (call->answer == ANSWER_JOB) {
		reply.r = sd_bus_message_read(m, "o", &path);
		if (reply.r >= 0 && str_startswith(path, JOBS))
			reply.job = (uint32_t)strtoul(path + strlen(JOBS), NULL, 10);
	}
	reply.r = MIN(reply.r, 0);
	if (reply.r < 0 && !e) {
		reply.maybe = true;
		(void)snprintf(message, sizeof(message), "the answer cannot be read: %s",
			strerror(-reply.r));
	}
	/* The call is over before its answer is given: the owner forgets its pointer first thing.
	 */
	pid1_fn fn = call->fn;
	void *fn_data = call->data;
	pid1_call_cancel(call);
	fn(&reply, fn_data);
	return 0;
}

/* Takes the message over. */
static int ask(struct pid1 *pid1, sd_bus_message *m, int answer, pid1_fn fn, void *data,
	struct pid1_call **ret_call)
{
	struct pid1_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return -ENOMEM;
	*call = (struct pid1_call){.fn = fn, .data = data};
	call->answer = (__typeof__(call->answer))answer;
	r = sd_bus_call_async(pid1->bus, &call->slot, m, on_answer, call, ANSWER_IN_USEC);
	if (r < 0) {
		free(call);
		return r;
	}
	*ret_call = call;
	return 0;
}

static int manager_call(struct pid1 *pid1, const char *method, sd_bus_message **ret_message)
{
	return sd_bus_message_new_method_call(
		pid1->bus, ret_message, SYSTEMD, OBJECT, MANAGER, method);
}

int pid1_get_unit(
	struct pid1 *pid1, const char *unit, pid1_fn fn, void *data, struct pid1_call **ret_call)
{
	auto_free char *path = NULL;
	auto(sd_bus_message_unref) sd_bus_message *m = NULL;
	int r = sd_bus_path_encode(OBJECT "/unit", unit, &path);

	if (r >= 0)
		r = sd_bus_message_new_method_call(
			pid1->bus, &m, SYSTEMD, path, "org.freedesktop.DBus.Properties", "GetAll");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", "");
	return r < 0 ? r : ask(pid1, m, ANSWER_UNIT, fn, data, ret_call);
}

int pid1_unit_verb(struct pid1 *pid1, enum exec_verb verb, const char *unit, pid1_fn fn, void *data,
	struct pid1_call **ret_call)
{
	static const char *const methods[EXEC_VERB_MAX] = {
		[EXEC_VERB_START] = "StartUnit",
		[EXEC_VERB_STOP] = "StopUnit",
		[EXEC_VERB_RESTART] = "RestartUnit",
		[EXEC_VERB_RELOAD] = "ReloadUnit",
	};
	auto(sd_bus_message_unref) sd_bus_message *m = NULL;
	int r = manager_call(pid1, methods[verb], &m);

	if (r >= 0)
		r = sd_bus_message_append(m, "ss", unit, "fail");
	return r < 0 ? r : ask(pid1, m, ANSWER_JOB, fn, data, ret_call);
}

int pid1_get_job(
	struct pid1 *pid1, uint32_t job, pid1_fn fn, void *data, struct pid1_call **ret_call)
{
	auto(sd_bus_message_unref) sd_bus_message *m = NULL;
	int r = manager_call(pid1, "GetJob", &m);

	if (r >= 0)
		r = sd_bus_message_append(m, "u", job);
	return r < 0 ? r : ask(pid1, m, ANSWER_JOB, fn, data, ret_call);
}

int pid1_collect(struct pid1 *pid1, const char *unit, bool failed, pid1_fn fn, void *data,
	struct pid1_call **ret_call)
{
	auto(sd_bus_message_unref) sd_bus_message *m = NULL;
	int r = manager_call(pid1, failed ? "ResetFailedUnit" : "StopUnit", &m);

	if (r >= 0)
		r = sd_bus_message_append(m, "s", unit);
	if (r >= 0 && !failed)
		r = sd_bus_message_append(m, "s", "replace");
	return r < 0 ? r : ask(pid1, m, ANSWER_NOTHING, fn, data, ret_call);
}

int pid1_start_transient(struct pid1 *pid1, const struct pid1_transient *transient, pid1_fn fn,
	void *data, struct pid1_call **ret_call)
{
	auto(sd_bus_message_unref) sd_bus_message *m = NULL;
	int r = manager_call(pid1, "StartTransientUnit", &m);

	if (r >= 0)
		r = transient_append(m, transient);
	return r < 0 ? r : ask(pid1, m, ANSWER_JOB, fn, data, ret_call);
}

/* ---- signals ---- */

static int on_watch(sd_bus_message *m, void *data, sd_bus_error *ret_error)
{
	struct pid1_watch *watch = data;

	watch->fn(watch->data);
	return 0;
}

struct pid1_watch *pid1_watch_free(struct pid1_watch *watch)
{
	if (!watch)
		return NULL;
	sd_bus_slot_unref(watch->slot);
	free(watch);
	return NULL;
}

int pid1_watch(struct pid1 *pid1, const char *unit, void (*fn)(void *data), void *data,
	struct pid1_watch **ret_watch)
{
	auto_free char *path = NULL;
	struct pid1_watch *watch;
	int r = sd_bus_path_encode(OBJECT "/unit", unit, &path);

	if (r < 0)
		return r;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->fn = fn;
	watch->data = data;
	r = sd_bus_match_signal_async(pid1->bus, &watch->slot, SYSTEMD, path,
		"org.freedesktop.DBus.Properties", "PropertiesChanged", on_watch, NULL, watch);
	if (r < 0) {
		pid1_watch_free(watch);
		return r;
	}
	*ret_watch = watch;
	return 0;
}

static int on_job_removed(sd_bus_message *m, void *data, sd_bus_error *ret_error)
{
	struct pid1 *pid1 = data;
	const char *unit, *result;
	uint32_t job;

	if (sd_bus_message_read(m, "uoss", &job, NULL, &unit, &result) >= 0)
		pid1->handlers.job_removed(job, unit, result, pid1->handlers.data);
	return 0;
}

static int on_disconnected(sd_bus_message *m, void *data, sd_bus_error *ret_error)
{
	/* sd-bus itself ends the loop (exit_on_disconnect). */
	log_error("the connection to the system bus is lost, ending; the open jobs are found again "
		  "at the next start");
	return 0;
}

static int on_installed(sd_bus_message *m, void *data, sd_bus_error *ret_error)
{
	struct pid1 *pid1 = data;

	if (sd_bus_message_is_method_error(m, NULL))
		log_error("PID 1 does not send its signals: %s",
			sd_bus_message_get_error(m)->message);
	else if (--pid1->n_waiting == 0)
		pid1->handlers.ready(pid1->handlers.data);
	return 0;
}

static int listen_to_signals(struct pid1 *pid1)
{
	int r = sd_bus_match_signal_async(pid1->bus, NULL, "org.freedesktop.DBus.Local", NULL,
		"org.freedesktop.DBus.Local", "Disconnected", on_disconnected, NULL, pid1);

	pid1->n_waiting = 2;
	if (r >= 0)
		r = sd_bus_match_signal_async(pid1->bus, NULL, SYSTEMD, OBJECT, MANAGER,
			"JobRemoved", on_job_removed, on_installed, pid1);
	if (r >= 0)
		r = sd_bus_call_method_async(pid1->bus, NULL, SYSTEMD, OBJECT, MANAGER, "Subscribe",
			on_installed, pid1, NULL);
	return r;
}

int pid1_new(struct loop *loop, const struct pid1_handlers *handlers, struct pid1 **ret_pid1,
	struct tend_error *err)
{
	auto(pid1_free) struct pid1 *pid1 = calloc(1, sizeof(*pid1));
	int r;

	if (!pid1)
		return -ENOMEM;
	pid1->handlers = *handlers;
	r = sd_bus_open_system_with_description(&pid1->bus, "tend-exec");
	if (r >= 0)
		r = sd_bus_set_exit_on_disconnect(pid1->bus, true);
	if (r >= 0)
		r = loop_attach_bus(loop, pid1->bus);
	if (r >= 0)
		r = listen_to_signals(pid1);
	if (r < 0)
		return tend_error_set(
			err, r, "cannot reach PID 1 over the system bus: %s", strerror(-r));
	*ret_pid1 = TAKE(pid1);
	return 0;
}

struct pid1 *pid1_free(struct pid1 *pid1)
{
	if (!pid1)
		return NULL;
	if (pid1->bus)
		loop_detach_bus(pid1->bus);
	sd_bus_close_unref(pid1->bus);
	free(pid1);
	return NULL;
}
