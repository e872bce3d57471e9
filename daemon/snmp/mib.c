/* SPDX-License-Identifier: MIT */
#include "snmp/mib.h"
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
	{"heartbeat", "tendHeartbeat", 10, MIB_COUNTER32},
	{"sequence", "tendLastSequence", 11, MIB_COUNTER64},
	{"epoch", "tendEpoch", 12, MIB_TEXT},
	{"outbox", "tendOutboxDepth", 13, MIB_UNSIGNED},
	{"actions", "tendActionsEnabled", 14, MIB_INTEGER},
	{"incidents", "tendOpenIncidents", 15, MIB_UNSIGNED},
};
const size_t mib_n_daemon = ARRAY_SIZE(mib_daemon);

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
};

#define TABLE(k, n, i, c)                                                                          \
	{                                                                                          \
		.key = (k), .name = (n), .id = (i), .columns = (c), .n_columns = ARRAY_SIZE(c)     \
	}
const struct mib_table mib_tables[MIB_TABLE_MAX] = {
	[MIB_TABLE_SYSTEM] = TABLE("system", "tendSystemTable", 2, system_columns),
	[MIB_TABLE_COMPONENT] = TABLE("component", "tendComponentTable", 3, component_columns),
	[MIB_TABLE_CHECK] = TABLE("check", "tendCheckTable", 4, check_columns),
	[MIB_TABLE_INCIDENT] = TABLE("incident", "tendIncidentTable", 5, incident_columns),
};

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
