/* SPDX-License-Identifier: MIT */
/*
 * ctl/commands.h: the entry of each command; they have nothing else in common. All are constant.
 */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include "ctl/ctl.h"

extern const struct ctl_command ctl_action;
extern const struct ctl_command ctl_backup;
extern const struct ctl_command ctl_check;
extern const struct ctl_command ctl_component;
extern const struct ctl_command ctl_config;
extern const struct ctl_command ctl_delivery;
extern const struct ctl_command ctl_explain;
extern const struct ctl_command ctl_feedback;
extern const struct ctl_command ctl_finding;
extern const struct ctl_command ctl_flow;
extern const struct ctl_command ctl_format;
extern const struct ctl_command ctl_record;
extern const struct ctl_command ctl_heartbeat;
extern const struct ctl_command ctl_help;
extern const struct ctl_command ctl_incident;
extern const struct ctl_command ctl_init;
extern const struct ctl_command ctl_policy;
extern const struct ctl_command ctl_probe;
extern const struct ctl_command ctl_receiver;
extern const struct ctl_command ctl_reload;
extern const struct ctl_command ctl_notice;
extern const struct ctl_command ctl_rota;
extern const struct ctl_command ctl_route;
extern const struct ctl_command ctl_run;
extern const struct ctl_command ctl_silence;
extern const struct ctl_command ctl_approval;
extern const struct ctl_command ctl_status;
extern const struct ctl_command ctl_system;
extern const struct ctl_command ctl_version;
extern const struct ctl_command ctl_window;
extern const struct ctl_command ctl_metric;
extern const struct ctl_command ctl_report;

#endif
