/* SPDX-License-Identifier: MIT */
#include "snmp/mib.h"
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"

const char *const mib_type_names[MIB_TYPE_MAX] = {
	[MIB_TEXT] = "s",
	[MIB_INTEGER] = "i",
	[MIB_UNSIGNED] = "u",
	[MIB_TICKS] = "t",
	[MIB_OID] = "o",
	[MIB_COUNTER64] = "c64",
	[MIB_COUNTER32] = "c",
	[MIB_DATE] = "d",
	[MIB_AGE] = "a",
};

const struct mib_object mib_daemon[] = {
	{"version", "tendVersion", 1, MIB_TEXT},
	{"started", "tendUpTime", 2, MIB_TICKS}, /* the update gives when it began */
	{"worst", "tendWorstState", 3, MIB_INTEGER},
	{"ok", "tendChecksOk", 4, MIB_UNSIGNED},
	{"warning", "tendChecksWarning", 5, MIB_UNSIGNED},
	{"critical", "tendChecksCritical", 6, MIB_UNSIGNED},
	{"unknown", "tendChecksUnknown", 7, MIB_UNSIGNED},
	{"pending", "tendChecksPending", 8, MIB_UNSIGNED},
	{"unreachable", "tendChecksUnreachable", 9, MIB_UNSIGNED},
	{"heartbeat", "tendHeartbeatCount", 10, MIB_COUNTER32},
	{"sequence", "tendLastSequence", 11, MIB_COUNTER64},
	{"epoch", "tendEpoch", 12, MIB_TEXT},
	{"outbox", "tendOutboxDepth", 13, MIB_UNSIGNED},
	{"actions", "tendActionsEnabled", 14, MIB_INTEGER},
	{"incidents", "tendOpenIncidents", 15, MIB_UNSIGNED},
	{"loop_lag", "tendLoopLag", 16, MIB_UNSIGNED},
	{"config", "tendConfigState", 17, MIB_INTEGER},
	{"config_time", "tendConfigTime", 18, MIB_DATE},
	{"log_rows", "tendLogMaxRows", 19, MIB_UNSIGNED},
	{"log_age", "tendLogMaxAge", 20, MIB_UNSIGNED},
};
const size_t mib_n_daemon = ARRAY_SIZE(mib_daemon);

const struct mib_object *mib_daemon_find(const char *key)
{
	for (size_t i = 0; i < mib_n_daemon; i++)
		if (strcmp(mib_daemon[i].key, key) == 0)
			return &mib_daemon[i];
	abort();
}

static const struct mib_object system_columns[] = {
	{"name", "tendSystemName", 2, MIB_TEXT},
	{"environment", "tendSystemEnvironment", 3, MIB_INTEGER},
	{"state", "tendSystemState", 4, MIB_INTEGER},
	{"owner", "tendSystemOwner", 5, MIB_TEXT},
};

static const struct mib_object component_columns[] = {
	{"name", "tendComponentName", 2, MIB_TEXT},
	{"system", "tendComponentSystem", 3, MIB_TEXT},
	{"kind", "tendComponentKind", 4, MIB_TEXT},
	{"state", "tendComponentState", 5, MIB_INTEGER},
	{"since", "tendComponentSince", 6, MIB_DATE},
	{"unit", "tendComponentUnit", 7, MIB_TEXT},
};

static const struct mib_object check_columns[] = {
	{"name", "tendCheckName", 2, MIB_TEXT},
	{"component", "tendCheckComponent", 3, MIB_TEXT},
	{"state", "tendCheckState", 4, MIB_INTEGER},
	{"soft", "tendCheckSoft", 5, MIB_INTEGER},
	{"reason", "tendCheckReason", 6, MIB_INTEGER},
	{"text", "tendCheckText", 7, MIB_TEXT},
	{"value", "tendCheckValue", 8, MIB_TEXT},
	{"since", "tendCheckSince", 9, MIB_DATE},
	{"last", "tendCheckLast", 10, MIB_DATE},
};

static const struct mib_object incident_columns[] = {
	{"id", "tendIncidentId", 2, MIB_TEXT},
	{"fingerprint", "tendIncidentFingerprint", 3, MIB_TEXT},
	{"severity", "tendIncidentSeverity", 4, MIB_INTEGER},
	{"system", "tendIncidentSystem", 5, MIB_TEXT},
	{"component", "tendIncidentComponent", 6, MIB_TEXT},
	{"check", "tendIncidentCheck", 7, MIB_TEXT},
	{"state", "tendIncidentState", 8, MIB_INTEGER},
	{"reason", "tendIncidentReason", 9, MIB_INTEGER},
	{"text", "tendIncidentText", 10, MIB_TEXT},
	{"since", "tendIncidentSince", 11, MIB_DATE},
	{"phase", "tendIncidentPhase", 12, MIB_INTEGER},
	{"members", "tendIncidentMembers", 13, MIB_UNSIGNED},
	{"acknowledged_by", "tendIncidentAcknowledgedBy", 14, MIB_TEXT},
	{"class", "tendIncidentClass", 15, MIB_INTEGER},
};

static const struct mib_object policy_columns[] = {
	{"name", "tendPolicyName", 2, MIB_TEXT},
	{"mode", "tendPolicyMode", 3, MIB_INTEGER},
	{"modes", "tendPolicyModes", 4, MIB_TEXT},
	{"enabled", "tendPolicyEnabled", 5, MIB_INTEGER},
	{"started", "tendPolicyLastStarted", 6, MIB_DATE},
	{"ended", "tendPolicyLastEnded", 7, MIB_DATE},
	{"result", "tendPolicyLastResult", 8, MIB_INTEGER},
	{"text", "tendPolicyLastText", 9, MIB_TEXT},
	{"next", "tendPolicyNext", 10, MIB_DATE},
	{"error", "tendPolicyError", 11, MIB_TEXT},
};

static const struct mib_object backup_columns[] = {
	{"component", "tendBackupComponent", 2, MIB_TEXT},
	{"state", "tendBackupState", 3, MIB_INTEGER},
	{"newest", "tendBackupNewest", 4, MIB_TEXT},
	{"taken", "tendBackupTaken", 5, MIB_DATE},
	{"good", "tendBackupGood", 6, MIB_DATE},
	{"proven", "tendBackupProven", 7, MIB_DATE},
	{"age", "tendBackupAge", 8, MIB_AGE},
	{"rpo", "tendBackupRpo", 9, MIB_UNSIGNED},
	{"rto", "tendBackupRto", 10, MIB_UNSIGNED},
	{"sets", "tendBackupSets", 11, MIB_UNSIGNED},
	{"text", "tendBackupText", 12, MIB_TEXT},
};

static const struct mib_object receiver_columns[] = {
	{"name", "tendReceiverName", 2, MIB_TEXT},
	{"type", "tendReceiverType", 3, MIB_TEXT},
	{"state", "tendReceiverState", 4, MIB_INTEGER},
	{"waiting", "tendReceiverWaiting", 5, MIB_UNSIGNED},
	{"oldest", "tendReceiverOldest", 6, MIB_AGE},
	{"delivered", "tendReceiverDelivered", 7, MIB_COUNTER64},
	{"failed", "tendReceiverFailed", 8, MIB_COUNTER64},
	{"shed", "tendReceiverShed", 9, MIB_COUNTER64},
	{"tries", "tendReceiverTries", 10, MIB_COUNTER64},
	{"sequence", "tendReceiverSequence", 11, MIB_COUNTER64},
	{"last_delivered", "tendReceiverLastDelivered", 12, MIB_DATE},
	{"last_error", "tendReceiverLastError", 13, MIB_TEXT},
};

static const struct mib_object log_columns[] = {
	{"id", "tendLogId", 2, MIB_TEXT},
	{"kind", "tendLogKind", 3, MIB_TEXT},
	{"time", "tendLogTime", 4, MIB_DATE},
	{"severity", "tendLogSeverity", 5, MIB_INTEGER},
	{"incident", "tendLogIncident", 6, MIB_TEXT},
	{"fingerprint", "tendLogFingerprint", 7, MIB_TEXT},
	{"text", "tendLogText", 8, MIB_TEXT},
	{"state", "tendLogState", 9, MIB_INTEGER},
	{"delivered", "tendLogDelivered", 10, MIB_DATE},
};

static const struct mib_object window_columns[] = {
	{"name", "tendWindowName", 2, MIB_TEXT},
	{"kind", "tendWindowKind", 3, MIB_INTEGER},
	{"open", "tendWindowOpen", 4, MIB_INTEGER},
	{"opens", "tendWindowOpens", 5, MIB_DATE},
	{"closes", "tendWindowCloses", 6, MIB_DATE},
	{"text", "tendWindowText", 7, MIB_TEXT},
};

#define TABLE(k, n, i, c)                                                                          \
	{                                                                                          \
		.key = (k), .name = (n), .id = (i), .n_indexes = 1, .columns = (c),                \
		.n_columns = ARRAY_SIZE(c)                                                         \
	}
const struct mib_table mib_tables[MIB_TABLE_MAX] = {
	[MIB_TABLE_SYSTEM] = TABLE("system", "tendSystemTable", 2, system_columns),
	[MIB_TABLE_COMPONENT] = TABLE("component", "tendComponentTable", 3, component_columns),
	[MIB_TABLE_CHECK] = TABLE("check", "tendCheckTable", 4, check_columns),
	[MIB_TABLE_INCIDENT] = TABLE("incident", "tendIncidentTable", 5, incident_columns),
	[MIB_TABLE_POLICY] = TABLE("policy", "tendPolicyTable", 6, policy_columns),
	[MIB_TABLE_BACKUP] = TABLE("backup", "tendBackupTable", 7, backup_columns),
	[MIB_TABLE_RECEIVER] = TABLE("receiver", "tendReceiverTable", 8, receiver_columns),
	[MIB_TABLE_LOG] = {.key = "log",
		.name = "tendLogTable",
		.id = 10,
		.n_indexes = 2, /* tendReceiverIndex is another table's */
		.columns = log_columns,
		.n_columns = ARRAY_SIZE(log_columns)},
	[MIB_TABLE_WINDOW] = TABLE("window", "tendWindowTable", 11, window_columns),
};

const char *const mib_run_states[] = {
	"never", "live", "done", "refused", "failed", "unknown", "cancelled", NULL};
const char *const mib_backup_worths[] = {"none", "proven", "good", "unverified", "bad", NULL};
const char *const mib_receiver_healths[] = {"ok", "retrying", "open", "disabled", NULL};
const char *const mib_delivery_states[] = {
	"waiting", "delivered", "failed", "superseded", "expired", NULL};
const char *const mib_window_types[] = {"window", "freeze", NULL};

int mib_value(const char *const *names, const char *name)
{
	for (int i = 0; name && names[i]; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return 0;
}

const struct mib_object mib_notice[MIB_NOTICE_MAX] = {
	[MIB_NOTICE_ID] = {"id", "tendNoticeId", 1, MIB_TEXT},
	[MIB_NOTICE_SEQUENCE] = {"sequence", "tendNoticeSequence", 2, MIB_COUNTER64},
	[MIB_NOTICE_EPOCH] = {"epoch", "tendNoticeEpoch", 3, MIB_TEXT},
	[MIB_NOTICE_INCIDENT] = {"incident", "tendNoticeIncident", 4, MIB_TEXT},
	[MIB_NOTICE_FINGERPRINT] = {"fingerprint", "tendNoticeFingerprint", 5, MIB_TEXT},
	[MIB_NOTICE_SEVERITY] = {"severity", "tendNoticeSeverity", 6, MIB_INTEGER},
	[MIB_NOTICE_SYSTEM] = {"system", "tendNoticeSystem", 7, MIB_TEXT},
	[MIB_NOTICE_COMPONENT] = {"component", "tendNoticeComponent", 8, MIB_TEXT},
	[MIB_NOTICE_CHECK] = {"check", "tendNoticeCheck", 9, MIB_TEXT},
	[MIB_NOTICE_STATE] = {"state", "tendNoticeState", 10, MIB_INTEGER},
	[MIB_NOTICE_REASON] = {"reason", "tendNoticeReason", 11, MIB_INTEGER},
	[MIB_NOTICE_TEXT] = {"text", "tendNoticeText", 12, MIB_TEXT},
	[MIB_NOTICE_SINCE] = {"since", "tendNoticeSince", 13, MIB_DATE},
	[MIB_NOTICE_TIME] = {"time", "tendNoticeTime", 14, MIB_DATE},
};
