/* SPDX-License-Identifier: MIT */
/* The table of commands, in the order in which help shows them; each is in a file of its own. */
#include "ctl/commands.h"

const struct ctl_command *const ctl_commands[] = {
	&ctl_status,
	&ctl_system,
	&ctl_component,
	&ctl_check,
	&ctl_incident,
	&ctl_explain,
	&ctl_policy,
	&ctl_run,
	&ctl_approval,
	&ctl_action,
	&ctl_window,
	&ctl_silence,
	&ctl_route,
	&ctl_rota,
	&ctl_notice,
	&ctl_heartbeat,
	&ctl_feedback,
	&ctl_backup,
	&ctl_finding,
	&ctl_record,
	&ctl_delivery,
	&ctl_receiver,
	&ctl_format,
	&ctl_reload,
	&ctl_config,
	&ctl_version,
	&ctl_help,
	NULL,
};
