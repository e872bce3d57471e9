/* SPDX-License-Identifier: MIT */
#include "watch/unit_props.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include "base/cleanup.h"

enum prop_kind { PROP_TEXT, PROP_U32, PROP_I32, PROP_JOB, PROP_ID128 };

static const struct prop {
	const char *name;
	enum prop_kind kind;
	size_t offset, size;
} props_table[] = {
#define PROP(name, kind, member)                                                                   \
	{                                                                                          \
		name, kind, offsetof(struct unit_props, member),                                   \
			sizeof(((struct unit_props *)0)->member)                                   \
	}
	PROP("Id", PROP_TEXT, id),
	PROP("LoadState", PROP_TEXT, facts.load_state),
	PROP("ActiveState", PROP_TEXT, facts.active_state),
	PROP("SubState", PROP_TEXT, facts.sub_state),
	PROP("Result", PROP_TEXT, facts.result),
	PROP("MainPID", PROP_U32, facts.main_pid),
	PROP("NRestarts", PROP_U32, facts.n_restarts),
	PROP("ExecMainCode", PROP_I32, facts.exit_code),
	PROP("ExecMainStatus", PROP_I32, facts.exit_status),
	PROP("Job", PROP_JOB, facts.job_id),
	PROP("InvocationID", PROP_ID128, facts.invocation_id),
#undef PROP
};

static int read_text(sd_bus_message *m, char *to, size_t size)
{
	const char *text = NULL;
	int r = sd_bus_message_read(m, "v", "s", &text);

	if (r < 0)
		return r;
	memset(to, 0, size); /* facts are compared as bytes */
	(void)snprintf(to, size, "%s", text);
	return 0;
}

static int read_job(sd_bus_message *m, struct unit_props *props)
{
	const char *path = NULL;
	uint32_t id = 0;
	int r = sd_bus_message_read(m, "v", "(uo)", &id, &path);

	if (r < 0)
		return r;
	props->facts.job_id = id;
	(void)snprintf(props->job_path, sizeof(props->job_path), "%s", path);
	return 0;
}

static int read_id128(sd_bus_message *m, char to[33])
{
	const uint8_t *bytes = NULL;
	size_t n = 0;
	int r = sd_bus_message_enter_container(m, 'v', "ay");

	if (r < 0)
		return r;
	r = sd_bus_message_read_array(m, 'y', (const void **)&bytes, &n);
	if (r < 0)
		return r;
	memset(to, 0, 33);
	if (n == 16)
		for (size_t i = 0; i < n; i++)
			(void)snprintf(to + 2 * i, 3, "%02x", bytes[i]);
	return sd_bus_message_exit_container(m);
}

static int read_value(sd_bus_message *m, const struct prop *p, struct unit_props *props)
{
	char *to = (char *)props + p->offset;
	uint32_t u = 0;
	uint64_t wide;
	int r;

	switch (p->kind) {
	case PROP_TEXT:
		return read_text(m, to, p->size);
	case PROP_U32:
		r = sd_bus_message_read(m, "v", "u", &u);
		wide = u;
		if (r >= 0)
			memcpy(to, &wide, sizeof(wide));
		return r;
	case PROP_I32:
		return sd_bus_message_read(m, "v", "i", to);
	case PROP_JOB:
		return read_job(m, props);
	case PROP_ID128:
		return read_id128(m, to);
	}
	return -EINVAL;
}

static int read_one(sd_bus_message *m, struct unit_props *props)
{
	const char *name = NULL;
	int r = sd_bus_message_read(m, "s", &name);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(props_table); i++)
		if (strcmp(props_table[i].name, name) == 0)
			return read_value(m, &props_table[i], props);
	return sd_bus_message_skip(m, "v");
}

int unit_props_read(sd_bus_message *m, struct unit_props *props)
{
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		r = read_one(m, props);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	if (r < 0)
		return r;
	r = sd_bus_message_exit_container(m);
	return r < 0 ? r : 0;
}
