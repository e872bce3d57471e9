/* SPDX-License-Identifier: MIT */
#include "snmp/pdu.h"
#include <string.h>
#include "base/cleanup.h"
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

	if (!json_is_integer(value) || n < numbers[type].min || n > numbers[type].max)
		return -EINVAL;
	if (type == MIB_DATE) {
		library_format_date((usec_t)n, date);
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

int pdu_from_json(json_t *varbinds, struct tend_error *err, netsnmp_pdu **ret_pdu)
{
	size_t i, n = json_array_size(varbinds);
	netsnmp_pdu *pdu;
	json_t *varbind;

	if (!json_is_array(varbinds) || n < 2 || n > PDU_MAX_VARBINDS)
		return tend_error_set(
			err, -EINVAL, "varbinds must be an array of 2 to %d", PDU_MAX_VARBINDS);
	pdu = snmp_pdu_create(SNMP_MSG_INFORM);
	if (!pdu)
		return tend_error_set(err, -ENOMEM, "out of memory");
	json_array_foreach (varbinds, i, varbind) {
		int r = add_varbind(pdu, varbind);

		if (r < 0) {
			snmp_free_pdu(pdu);
			return tend_error_set(
				err, r, "varbind %zu is not a valid oid, type and value", i + 1);
		}
	}
	*ret_pdu = pdu;
	return 0;
}
