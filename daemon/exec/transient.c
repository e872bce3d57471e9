/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include "exec/pid1_internal.h"

#define STOP_IN_USEC (10 * USEC_PER_SEC)

static int append_strings(sd_bus_message *m, const char *name, char *const *strings)
{
	int r = sd_bus_message_open_container(m, 'r', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", name);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_append_strv(m, (char **)(uintptr_t)strings);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

/* ("ExecStart", a(sasb)): one command whose failure is a failure. */
static int append_exec_start(sd_bus_message *m, char *const *argv)
{
	int r = sd_bus_message_open_container(m, 'r', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "ExecStart");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "a(sasb)");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sasb)");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'r', "sasb");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", argv[0]);
	if (r >= 0)
		r = sd_bus_message_append_strv(m, (char **)(uintptr_t)argv);
	if (r >= 0)
		r = sd_bus_message_append(m, "b", false);
	for (int i = 0; r >= 0 && i < 4; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

/* How it lives and ends. ExitType=cgroup: a background grandchild counts, so that it cannot outlive
 * the limit; RemainAfterExit: the result stays to be read until it is in the ledger. */
static int append_life(sd_bus_message *m, const struct pid1_transient *t)
{
	return sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)(sv)", "Description", "s",
		t->description, "Type", "s", "exec", "ExitType", "s", "cgroup", "RemainAfterExit",
		"b", true, "RuntimeMaxUSec", "t", t->timeout, "TimeoutStopUSec", "t", STOP_IN_USEC,
		"KillMode", "s", "control-group", "SendSIGKILL", "b", true);
}

static int append_io(sd_bus_message *m, const struct pid1_transient *t)
{
	return sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)", "StandardInput", "s", "null",
		"StandardOutputFileToTruncate", "s", t->stdout_path, "StandardErrorFileToTruncate",
		"s", t->stderr_path, "WorkingDirectory", "s", "/", "Environment", "as", 2,
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG=C.UTF-8");
}

static int append_bounds(sd_bus_message *m, const struct pid1_transient *t)
{
	int r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)", "User", "s", t->user,
		"MemoryMax", "t", t->memory_max_bytes, "TasksMax", "t", t->tasks_max, "LimitCORE",
		"t", (uint64_t)0, "NoNewPrivileges", "b", true, "ProtectSystem", "s", "strict",
		"PrivateTmp", "b", true);

	if (r >= 0 && t->writable && t->writable[0])
		r = append_strings(m, "ReadWritePaths", t->writable);
	return r;
}

int transient_append(sd_bus_message *m, const struct pid1_transient *t)
{
	int r = sd_bus_message_append(m, "ss", t->name, "fail");

	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sv)");
	if (r >= 0)
		r = append_life(m, t);
	if (r >= 0)
		r = append_io(m, t);
	if (r >= 0)
		r = append_bounds(m, t);
	if (r >= 0)
		r = append_exec_start(m, t->argv);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	/* No auxiliary units. */
	return r < 0 ? r : sd_bus_message_append(m, "a(sa(sv))", 0);
}
