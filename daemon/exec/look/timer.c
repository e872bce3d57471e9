/* SPDX-License-Identifier: MIT */
/* A systemd timer: when it ran, when it will, and what came of it. Times are microseconds. */
#include <errno.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "exec/look/look.h"

#define SYSTEMD "org.freedesktop.systemd1"

/* One who is asked; r: why systemd has not answered, after which it is not asked any more. */
struct asking {
	sd_bus *bus;
	usec_t until;
	int r;
};

struct unit {
	struct asking *asking;
	char *path;
};

/* What it does not know of a unit is no failure of its. */
static bool begin(struct asking *asking)
{
	usec_t now = clock_now();

	if (asking->r == 0 && now >= asking->until)
		asking->r = -ETIMEDOUT;
	if (asking->r == 0)
		(void)sd_bus_set_method_call_timeout(asking->bus, asking->until - now);
	return asking->r == 0;
}

static void end(struct asking *asking, int r)
{
	if (r == -ETIMEDOUT || r == -ECONNRESET || r == -ENOTCONN)
		asking->r = r;
}

static char *get_text(struct unit *u, const char *interface, const char *property)
{
	char *text = NULL;

	if (begin(u->asking))
		end(u->asking, sd_bus_get_property_string(u->asking->bus, SYSTEMD, u->path,
				       interface, property, NULL, &text));
	return text;
}

static void put_text(
	json_t *doc, const char *key, struct unit *u, const char *interface, const char *property)
{
	auto_free char *text = get_text(u, interface, property);

	if (text)
		(void)json_object_set_new(doc, key, look_string(text));
}

static void put_number(json_t *doc, const char *key, struct unit *u, const char *interface,
	const char *property, char type)
{
	union {
		uint64_t t;
		int32_t i;
	} value = {0};
	int r;

	if (!begin(u->asking))
		return;
	r = sd_bus_get_property_trivial(
		u->asking->bus, SYSTEMD, u->path, interface, property, NULL, type, &value);
	end(u->asking, r);
	if (r < 0)
		return;
	if (type == 'i')
		(void)json_object_set_new(doc, key, json_integer(value.i));
	else if (value.t != UINT64_MAX && value.t <= INT64_MAX)
		(void)json_object_set_new(doc, key, json_integer((json_int_t)value.t));
}

static int open_unit(struct asking *asking, const char *name, struct unit *u)
{
	u->asking = asking;
	return sd_bus_path_encode("/org/freedesktop/systemd1/unit", name, &u->path);
}

static void put_state(json_t *doc, struct unit *u)
{
	put_text(doc, "load_state", u, SYSTEMD ".Unit", "LoadState");
	put_text(doc, "active_state", u, SYSTEMD ".Unit", "ActiveState");
	put_text(doc, "sub_state", u, SYSTEMD ".Unit", "SubState");
}

static json_t *look_at_service(struct asking *asking, const char *name)
{
	struct unit u = {0};
	json_t *doc = json_object();

	if (open_unit(asking, name, &u) < 0)
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

static void put_timer(json_t *doc, struct unit *u)
{
	auto_free char *service = NULL;

	put_state(doc, u);
	put_number(doc, "last", u, SYSTEMD ".Timer", "LastTriggerUSec", 't');
	put_number(doc, "next", u, SYSTEMD ".Timer", "NextElapseUSecRealtime", 't');
	put_number(doc, "next_monotonic", u, SYSTEMD ".Timer", "NextElapseUSecMonotonic", 't');
	(void)json_object_set_new(doc, "now", json_integer((json_int_t)clock_wall()));
	(void)json_object_set_new(doc, "now_monotonic", json_integer((json_int_t)clock_now()));
	service = get_text(u, SYSTEMD ".Timer", "Unit");
	if (service && service[0])
		(void)json_object_set_new(doc, "service", look_at_service(u->asking, service));
}

/* A part of the answer is none: what is missing would be taken for what is not so. */
static int look_at_timer(
	struct asking *asking, const char *name, json_t **ret_doc, struct tend_error *err)
{
	struct unit u = {0};
	auto_json json_t *doc = json_object();
	int r = open_unit(asking, name, &u);

	if (r < 0)
		return look_errno(err, r, name);
	put_timer(doc, &u);
	free(u.path);
	if (asking->r < 0)
		return tend_error_set(err, -ENOTCONN, "systemd does not answer about %s: %s", name,
			strerror(-asking->r));
	if (!json_object_get(doc, "load_state"))
		return tend_error_set(err, -EIO, "systemd does not answer about %s", name);
	*ret_doc = TAKE(doc);
	return 0;
}

/* The bus greets whoever comes; one that is frozen does not. */
static int connect_bus(struct asking *asking)
{
	int r = sd_bus_open_system(&asking->bus);

	while (r >= 0 && sd_bus_is_ready(asking->bus) == 0) {
		usec_t now = clock_now();

		if (now >= asking->until)
			return -ETIMEDOUT;
		r = sd_bus_process(asking->bus, NULL);
		if (r == 0)
			r = sd_bus_wait(asking->bus, asking->until - now);
	}
	return r;
}

static int look(const json_t *args, json_t **ret_doc, struct tend_error *err)
{
	int64_t time_msec = look_int(args, "time_msec", 5000);
	struct asking asking = {.until = clock_now() + (usec_t)MAX(time_msec, 1) * USEC_PER_MSEC};
	int r = connect_bus(&asking);

	if (r < 0)
		(void)tend_error_set(
			err, -ENOTCONN, "the system bus cannot be reached: %s", strerror(-r));
	else
		r = look_at_timer(&asking, look_text(args, "timer"), ret_doc, err);
	/* Nothing is waited for any more: whoever did not answer would not now. */
	sd_bus_close_unref(asking.bus);
	return r < 0 && err->code ? err->code : r;
}

static const struct look_arg rows[] = {
	{"timer", LOOK_TEXT, true, "name of the timer, with .timer"},
	{"time_msec", LOOK_INT, false, "so long systemd is asked"},
	{.name = NULL},
};

const struct look_kind look_timer = {
	"timer", "a systemd timer: last and next run, and what came of it", rows, look};
