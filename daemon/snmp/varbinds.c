/* SPDX-License-Identifier: MIT */
#include "snmp/varbinds.h"
#include <assert.h>
#include <string.h>
#include "snmp/mib.h"
#include "snmp/text.h"

static const char sysuptime_oid[] = "1.3.6.1.2.1.1.3.0";
static const char snmptrap_oid[] = "1.3.6.1.6.3.1.1.4.1.0";

enum { ABOUT_INCIDENT = 1, ABOUT_DAEMON = 2, ABOUT_LIFE = 3 };

/* Notifications and what of mib_notice each carries; the numbers are those of the MIB. */
static const struct {
	unsigned id, about;
} notifications[NOTICE_KIND_MAX] = {
	[NOTICE_INCIDENT_RAISED] = {1, ABOUT_INCIDENT},
	[NOTICE_INCIDENT_CHANGED] = {2, ABOUT_INCIDENT},
	[NOTICE_INCIDENT_CLEARED] = {3, ABOUT_INCIDENT},
	[NOTICE_POLICY_FAILED] = {4, ABOUT_DAEMON},
	[NOTICE_POLICY_MESSAGE] = {5, ABOUT_DAEMON},
	[NOTICE_ACTIONS_FROZEN] = {6, ABOUT_DAEMON},
	[NOTICE_CONFIG_FAILED] = {7, ABOUT_DAEMON},
	[NOTICE_STORE_FAILED] = {8, ABOUT_DAEMON},
	[NOTICE_RECEIVER_DISABLED] = {9, ABOUT_DAEMON},
	[NOTICE_RECEIVER_FAILING] = {10, ABOUT_DAEMON},
	[NOTICE_BACKUP_STALE] = {11, ABOUT_DAEMON},
	[NOTICE_HEARTBEAT] = {12, ABOUT_LIFE},
	[NOTICE_TEST] = {13, ABOUT_DAEMON},
	/* A station polls; people are reminded, and told who has it. */
	[NOTICE_INCIDENT_REMINDER] = {0},
	[NOTICE_INCIDENT_ACKNOWLEDGED] = {0},
};
/* A new kind gets its row here and its notification in the MIB, or a row without one. */
static_assert(NOTICE_KIND_MAX == 15, "give the new kind of notice its notification");

static bool carries(unsigned about, enum mib_notice_object object)
{
	return about == ABOUT_INCIDENT ||
	       (object != MIB_NOTICE_STATE && object != MIB_NOTICE_REASON &&
		       object != MIB_NOTICE_SINCE);
}

bool snmp_tells(enum notice_kind kind)
{
	return kind < NOTICE_KIND_MAX && notifications[kind].id != 0;
}

static int state_value(const char *state)
{
	int value = state ? tend_state_from_name(state) : -ENOENT;

	return value < 0 ? TEND_STATE_UNKNOWN : value;
}

static int reason_value(const char *reason)
{
	int value = reason ? tend_reason_from_name(reason) : -ENOENT;

	return value < 0 ? TEND_REASON_NO_EVIDENCE : value;
}

static json_t *object_value(
	enum mib_notice_object object, const struct notice *n, uint64_t sequence, const char *epoch)
{
	switch (object) {
	case MIB_NOTICE_ID:
		return text_json(n->id);
	case MIB_NOTICE_SEQUENCE:
		return json_integer((json_int_t)sequence);
	case MIB_NOTICE_EPOCH:
		return text_json(epoch);
	case MIB_NOTICE_INCIDENT:
		return text_json(n->incident_id);
	case MIB_NOTICE_FINGERPRINT:
		return text_json(n->fingerprint);
	case MIB_NOTICE_SEVERITY:
		return json_integer(n->severity);
	case MIB_NOTICE_SYSTEM:
		return text_json(n->system);
	case MIB_NOTICE_COMPONENT:
		return text_json(n->component);
	case MIB_NOTICE_CHECK:
		return text_json(n->check);
	case MIB_NOTICE_STATE:
		return json_integer(state_value(n->state));
	case MIB_NOTICE_REASON:
		return json_integer(reason_value(n->reason));
	case MIB_NOTICE_TEXT:
		return text_json(n->text);
	case MIB_NOTICE_SINCE:
		return json_integer((json_int_t)n->since_wall);
	case MIB_NOTICE_TIME:
		return json_integer((json_int_t)n->wall);
	case MIB_NOTICE_MAX:
		break;
	}
	return NULL;
}

/* Steals `value`. */
static int add_varbind(json_t *list, const char *oid, enum mib_type type, json_t *value)
{
	json_t *varbind = json_pack(
		"{s:s, s:s, s:o}", "oid", oid, "type", mib_type_names[type], "value", value);

	/* json_array_append_new() drops the reference when it fails, and takes NULL. */
	return json_array_append_new(list, varbind) < 0 ? -ENOMEM : 0;
}

/* A Gauge32 stays at its end. */
static json_int_t gauge(double value)
{
	return value > 0 ? (json_int_t)MIN(value, (double)UINT32_MAX) : 0;
}

/* TruthValue and TendConfigStatus have 1 for what is well. */
static json_t *life_value(const char *key, json_t *value)
{
	if (strcmp(key, "worst") == 0)
		return json_integer(state_value(json_string_value(value)));
	if (strcmp(key, "loop_lag") == 0)
		return json_integer(gauge(json_number_value(value) * 1e6));
	if (strcmp(key, "config") == 0 || strcmp(key, "actions") == 0)
		return json_integer(json_is_true(value) ? 1 : 2);
	return json_integer(gauge((double)json_integer_value(value)));
}

/* The scalars of a heartbeat, in the order of the MIB: from the notice, as it was then. */
static int add_life(json_t *list, json_t *details)
{
	static const struct {
		const char *key, *member; /* of mib_daemon, of the details */
	} life[] = {
		{"worst", "worst_state"},
		{"outbox", "outbox_depth"},
		{"actions", "actions_enabled"},
		{"incidents", "incidents_open"},
		{"loop_lag", "loop_lag_seconds"},
		{"config", "config_ok"},
	};
	char oid[sizeof(TEND_OID_ROOT) + 32];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(life); i++) {
		const struct mib_object *object = mib_daemon_find(life[i].key);

		snprintf(oid, sizeof(oid), "%s.%d.%d.%u.0", TEND_OID_ROOT, MIB_OBJECTS, MIB_DAEMON,
			object->id);
		r = add_varbind(list, oid, object->type,
			life_value(life[i].key, json_object_get(details, life[i].member)));
	}
	return r;
}

int snmp_notice_varbinds(const struct notice *notice, uint64_t sequence, const char *epoch,
	usec_t uptime_usec, json_t **ret_json)
{
	auto_json json_t *list = json_array();
	/* TimeTicks wrap after 497 days (RFC 2578, 7.1.8). */
	uint32_t ticks = (uint32_t)(uptime_usec / 10000);
	char oid[sizeof(TEND_OID_ROOT) + 32];
	int r;

	if (!snmp_tells(notice->kind))
		return -EINVAL;
	if (!list)
		return -ENOMEM;
	snprintf(oid, sizeof(oid), "%s.0.%u", TEND_OID_ROOT, notifications[notice->kind].id);
	r = add_varbind(list, sysuptime_oid, MIB_TICKS, json_integer(ticks));
	if (r == 0)
		r = add_varbind(list, snmptrap_oid, MIB_OID, json_string(oid));
	for (enum mib_notice_object i = 0; r == 0 && i < MIB_NOTICE_MAX; i++) {
		if (!carries(notifications[notice->kind].about, i))
			continue;
		snprintf(oid, sizeof(oid), "%s.%d.%d.%u.0", TEND_OID_ROOT, MIB_OBJECTS, MIB_NOTICE,
			mib_notice[i].id);
		r = add_varbind(
			list, oid, mib_notice[i].type, object_value(i, notice, sequence, epoch));
	}
	if (r == 0 && notifications[notice->kind].about == ABOUT_LIFE)
		r = add_life(list, notice->details);
	if (r < 0)
		return r;
	*ret_json = TAKE(list);
	return 0;
}
