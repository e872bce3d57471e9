/* SPDX-License-Identifier: MIT */
#include "snmp/pdu.h"
#include <string.h>
#include "base/cleanup.h"
#include "snmp/date.h"
#include "snmp/mib.h"

static int type_from_name(const char *name)
{
	for (int i = 0; name && i < MIB_TYPE_MAX; i++)
		if (strcmp(mib_type_names[i], name) == 0)
			return i;
	return -EINVAL;
}

static int add_text(netsnmp_pdu *pdu, const oid *name, size_t name_len, json_t *value)
{
	size_t len = json_string_length(value);

	if (!json_is_string(value) || len > PDU_MAX_TEXT_BYTES)
		return -EINVAL;
	return snmp_pdu_add_variable(
		       pdu, name, name_len, ASN_OCTET_STR, json_string_value(value), len)
		       ? 0
		       : -ENOMEM;
}

static int add_oid(netsnmp_pdu *pdu, const oid *name, size_t name_len, json_t *value)
{
	oid parts[MAX_OID_LEN];
	size_t n;

	if (!json_is_string(value) ||
		library_parse_oid(json_string_value(value), parts, MAX_OID_LEN, &n) < 0)
		return -EINVAL;
	return snmp_pdu_add_variable(
		       pdu, name, name_len, ASN_OBJECT_ID, parts, n * sizeof(parts[0]))
		       ? 0
		       : -ENOMEM;
}

static int add_number(
	netsnmp_pdu *pdu, const oid *name, size_t name_len, enum mib_type type, json_t *value)
{
	static const struct {
		u_char asn;
		json_int_t min, max;
	} numbers[MIB_TYPE_MAX] = {
		[MIB_INTEGER] = {ASN_INTEGER, INT32_MIN, INT32_MAX},
		[MIB_UNSIGNED] = {ASN_GAUGE, 0, UINT32_MAX},
		[MIB_TICKS] = {ASN_TIMETICKS, 0, UINT32_MAX},
		[MIB_COUNTER32] = {ASN_COUNTER, 0, UINT32_MAX},
		[MIB_COUNTER64] = {ASN_COUNTER64, 0, INT64_MAX},
		[MIB_DATE] = {ASN_OCTET_STR, 0, INT64_MAX},
	};
	json_int_t n = json_integer_value(value);
	unsigned char date[MIB_DATE_BYTES];
	const void *data;
	size_t len;
	long plain = (long)n;
	struct counter64 wide = {
		.high = (u_long)((uint64_t)n >> 32), .low = (u_long)((uint64_t)n & UINT32_MAX)};

	if (!json_is_integer(value) || numbers[type].asn == 0 || n < numbers[type].min ||
		n > numbers[type].max)
		return -EINVAL;
	if (type == MIB_DATE) {
		date_format((usec_t)n, date);
		data = date;
		len = sizeof(date);
	} else if (type == MIB_COUNTER64) {
		data = &wide;
		len = sizeof(wide);
	} else {
		data = &plain;
		len = sizeof(plain);
	}
	return snmp_pdu_add_variable(pdu, name, name_len, numbers[type].asn, data, len) ? 0
											: -ENOMEM;
}

static int add_varbind(netsnmp_pdu *pdu, json_t *varbind)
{
	const char *name = json_string_value(json_object_get(varbind, "oid"));
	int type = type_from_name(json_string_value(json_object_get(varbind, "type")));
	json_t *value = json_object_get(varbind, "value");
	oid parts[MAX_OID_LEN];
	size_t n;

	if (!name || type < 0 || library_parse_oid(name, parts, MAX_OID_LEN, &n) < 0)
		return -EINVAL;
	switch ((enum mib_type)type) {
	case MIB_TEXT:
		return add_text(pdu, parts, n, value);
	case MIB_OID:
		return add_oid(pdu, parts, n, value);
	default:
		return add_number(pdu, parts, n, (enum mib_type)type, value);
	}
}

static const oid uptime_oid[] = {1, 3, 6, 1, 2, 1, 1, 3, 0};
static const oid trap_oid[] = {1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0};
static const oid enterprise_oid[] = {1, 3, 6, 1, 6, 3, 1, 1, 4, 3, 0};
static const oid traps_oid[] = {1, 3, 6, 1, 6, 3, 1, 1, 5};

static bool is_named(const netsnmp_variable_list *v, const oid *name, size_t len)
{
	return snmp_oid_compare(v->name, v->name_length, name, len) == 0;
}

/* RFC 3416, 4.2.6: which two come first. */
static bool head_is_valid(const netsnmp_pdu *pdu)
{
	const netsnmp_variable_list *first = pdu->variables, *second = first->next_variable;

	return is_named(first, uptime_oid, OID_LENGTH(uptime_oid)) &&
	       first->type == ASN_TIMETICKS && is_named(second, trap_oid, OID_LENGTH(trap_oid)) &&
	       second->type == ASN_OBJECT_ID;
}

static int parse_varbinds(json_t *varbinds, netsnmp_pdu *pdu, struct tend_error *err)
{
	json_t *varbind;
	size_t i;

	json_array_foreach (varbinds, i, varbind) {
		int r = add_varbind(pdu, varbind);

		if (r < 0)
			return tend_error_set(
				err, r, "varbind %zu is not a valid oid, type and value", i + 1);
	}
	if (!head_is_valid(pdu))
		return tend_error_set(
			err, -EINVAL, "varbinds must begin with sysUpTime.0 and snmpTrapOID.0");
	return 0;
}

/* ---- SNMPv1 --------------------------------------------------------------------------------- */

static const netsnmp_variable_list *find(const netsnmp_pdu *pdu, const oid *name, size_t len)
{
	for (const netsnmp_variable_list *v = pdu->variables; v; v = v->next_variable)
		if (is_named(v, name, len) && v->type == ASN_OBJECT_ID)
			return v;
	return NULL;
}

static int set_enterprise(netsnmp_pdu *v1, const oid *id, size_t len)
{
	v1->enterprise = snmp_duplicate_objid(id, len);
	v1->enterprise_length = len;
	return v1->enterprise ? 0 : -ENOMEM;
}

/* RFC 3584, 3.2 (1) to (3). */
static int set_kind(netsnmp_pdu *v1, const netsnmp_pdu *v2)
{
	const netsnmp_variable_list *trap = v2->variables->next_variable;
	const oid *id = trap->val.objid;
	size_t len = trap->val_len / sizeof(oid), n = OID_LENGTH(traps_oid);

	if (len == n + 1 && memcmp(id, traps_oid, sizeof(traps_oid)) == 0 && id[n] >= 1 &&
		id[n] <= 6) {
		const netsnmp_variable_list *e =
			find(v2, enterprise_oid, OID_LENGTH(enterprise_oid));

		v1->trap_type = (long)id[n] - 1;
		v1->specific_type = 0;
		return e ? set_enterprise(v1, e->val.objid, e->val_len / sizeof(oid))
			 : set_enterprise(v1, traps_oid, n);
	}
	v1->trap_type = SNMP_TRAP_ENTERPRISESPECIFIC;
	if (len < 3 || id[len - 1] > INT32_MAX)
		return -EINVAL;
	v1->specific_type = (long)id[len - 1];
	return set_enterprise(v1, id, len - (id[len - 2] == 0 ? 2 : 1));
}

static int pdu_to_v1(const netsnmp_pdu *v2, struct tend_error *err, netsnmp_pdu **ret_pdu)
{
	const netsnmp_variable_list *v = v2->variables->next_variable->next_variable;
	netsnmp_pdu *v1 = snmp_pdu_create(SNMP_MSG_TRAP);
	int r = v1 ? set_kind(v1, v2) : -ENOMEM;

	if (r == 0)
		v1->time = (u_long)*v2->variables->val.integer;
	for (; r == 0 && v; v = v->next_variable) {
		/* There is no such type; what cannot be said stays out. */
		if (v->type == ASN_COUNTER64)
			continue;
		if (!snmp_pdu_add_variable(
			    v1, v->name, v->name_length, v->type, v->val.string, v->val_len))
			r = -ENOMEM;
	}
	if (r < 0) {
		snmp_free_pdu(v1);
		return tend_error_set(err, r,
			r == -EINVAL ? "SNMPv1 has no form of this snmpTrapOID" : "out of memory");
	}
	*ret_pdu = v1;
	return 0;
}

int pdu_from_json(json_t *varbinds, int command, struct tend_error *err, netsnmp_pdu **ret_pdu)
{
	size_t n = json_array_size(varbinds);
	netsnmp_pdu *pdu;
	int r;

	if (!json_is_array(varbinds) || n < 2 || n > PDU_MAX_VARBINDS)
		return tend_error_set(
			err, -EINVAL, "varbinds must be an array of 2 to %d", PDU_MAX_VARBINDS);
	pdu = snmp_pdu_create(command == SNMP_MSG_INFORM ? SNMP_MSG_INFORM : SNMP_MSG_TRAP2);
	if (!pdu)
		return tend_error_set(err, -ENOMEM, "out of memory");
	r = parse_varbinds(varbinds, pdu, err);
	if (r == 0 && command == SNMP_MSG_TRAP) {
		netsnmp_pdu *v2 = pdu;

		pdu = NULL;
		r = pdu_to_v1(v2, err, &pdu);
		snmp_free_pdu(v2);
	}
	if (r < 0) {
		snmp_free_pdu(pdu);
		return r;
	}
	*ret_pdu = pdu;
	return 0;
}
