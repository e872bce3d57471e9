/* SPDX-License-Identifier: MIT */
/* A systemd timer: when it ran, when it will, and what came of it. Times are microseconds. */
#include <errno.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include "base/cleanup.h"
#include "exec/look/look.h"

#define SYSTEMD "org.freedesktop.systemd1"

struct unit {
	sd_bus *bus;
	char *path;
};

static void put_text(
	json_t *doc, const char *key, struct unit *u, const char *interface, const char *property)
{
	auto_free char *text = NULL;

	if (sd_bus_get_property_string(
		    u->bus, SYSTEMD, u->path, interface, property, NULL, &text) >= 0)
		(void)json_object_set_new(doc, key, look_string(text));
}

static void put_number(json_t *doc, const char *key, struct unit *u, const char *interface,
	const char *property, char type)
{
	union {
		uint64_t t;
		int32_t i;
	} value = {0};

	if (sd_bus_get_property_trivial(
		    u->bus, SYSTEMD, u->path, interface, property, NULL, type, &value) < 0)
		return;
	if (type == 'i')
		(void)json_object_set_new(doc, key, json_integer(value.i));
	else if (value.t != UINT64_MAX && value.t <= INT64_MAX)
		(void)json_object_set_new(doc, key, json_integer((json_int_t)value.t));
}

static int open_unit(sd_bus *bus, const char *name, struct unit *u)
{
	u->bus = bus;
	return sd_bus_path_encode("/org/freedesktop/systemd1/unit", name, &u->path);
}

static void put_state(json_t *doc, struct unit *u)
{
	put_text(doc, "load_state", u, SYSTEMD ".Unit", "LoadState");
	put_text(doc, "active_state", u, SYSTEMD ".Unit", "ActiveState");
	put_text(doc, "sub_state", u, SYSTEMD ".Unit", "SubState");
}

static json_t *look_at_service(sd_bus *bus, const char *name)
{
	struct unit u = {0};
	json_t *doc = json_object();

	if (open_unit(bus, name, &u) < 0)
		return doc;
	(void)json_object_set_new(doc, "name", look_string(name));
	put_state(doc, &u);
	put_text(doc, "result", &u, SYSTEMD ".Service", "Result");
	put_number(doc, "status", &u, SYSTEMD ".Service", "ExecMainStatus", 'i');
	put_number(doc, "started", &u, SYSTEMD ".Service", "ExecMainStartTimestamp", 't');
	put_number(doc, "exited", &u, SYSTEMD ".Service", "ExecMainExitTimestamp", 't');
	free(u.path);
	return doc;
}

static uint64_t clock_usec(clockid_t id)
{
	struct timespec t = {0};

	(void)clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int look_at_timer(sd_bus *bus, const char *name, json_t **ret_doc, struct tend_error *err)
{
	struct unit u = {0};
	auto_free char *service = NULL;
	json_t *doc;
	int r = open_unit(bus, name, &u);

	if (r < 0)
		return look_errno(err, r, name);
	doc = json_object();
	put_state(doc, &u);
	if (!json_object_get(doc, "load_state")) {
		json_decref(doc);
		free(u.path);
		return tend_error_set(err, -EIO, "systemd does not answer about %s", name);
	}
	put_number(doc, "last", &u, SYSTEMD ".Timer", "LastTriggerUSec", 't');
	put_number(doc, "next", &u, SYSTEMD ".Timer", "NextElapseUSecRealtime", 't');
	put_number(doc, "next_monotonic", &u, SYSTEMD ".Timer", "NextElapseUSecMonotonic", 't');
	(void)json_object_set_new(doc, "now", json_integer((json_int_t)clock_usec(CLOCK_REALTIME)));
	(void)json_object_set_new(
		doc, "now_monotonic", json_integer((json_int_t)clock_usec(CLOCK_MONOTONIC)));
	if (sd_bus_get_property_string(
		    bus, SYSTEMD, u.path, SYSTEMD ".Timer", "Unit", NULL, &service) >= 0 &&
		service[0])
		(void)json_object_set_new(doc, "service", look_at_service(bus, service));
	free(u.path);
	*ret_doc = doc;
	return 0;
}

static int look(const json_t *args, json_t **ret_doc, struct tend_error *err)
{
	sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	if (r < 0)
		(void)tend_error_set(
			err, -ENOTCONN, "the system bus cannot be reached: %s", strerror(-r));
	else
		r = look_at_timer(bus, look_text(args, "timer"), ret_doc, err);
	sd_bus_flush_close_unref(bus);
	return r < 0 && err->code ? err->code : r;
}

static const struct look_arg rows[] = {
	{"timer", LOOK_TEXT, true, "name of the timer, with .timer"},
	{.name = NULL},
};

const struct look_kind look_timer = {
	"timer", "a systemd timer: last and next run, and what came of it", rows, look};
