/* SPDX-License-Identifier: MIT */
/*
 * What the SNMP helpers decode: varbinds for a PDU ('v' and JSON), an update of the tables ('u' and
 * JSON, several on lines), and a notice of any content ('n' and JSON), whose varbinds must be ones
 * that are taken.
 * Parser: daemon/snmp/pdu.c, daemon/snmp/mirror.c, daemon/snmp/varbinds.c.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/str.h"
#include "snmp/mirror.h"
#include "snmp/pdu.h"
#include "snmp/varbinds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pdu(const netsnmp_pdu *pdu)
{
	size_t n = 0;

	for (const netsnmp_variable_list *v = pdu->variables; v; v = v->next_variable, n++) {
		assert(v->name_length >= 1 && v->name_length <= MAX_OID_LEN);
		assert(v->val_len <= MAX((size_t)PDU_MAX_TEXT_BYTES, MAX_OID_LEN * sizeof(oid)));
		assert(v->type == ASN_OCTET_STR || v->type == ASN_INTEGER || v->type == ASN_GAUGE ||
			v->type == ASN_TIMETICKS || v->type == ASN_COUNTER ||
			v->type == ASN_COUNTER64 || v->type == ASN_OBJECT_ID);
	}
	assert(n <= PDU_MAX_VARBINDS && (n >= 2 || pdu->command == SNMP_MSG_TRAP));
}

static void check_v1(const netsnmp_pdu *pdu)
{
	assert(pdu->enterprise_length >= 1 && pdu->enterprise_length <= MAX_OID_LEN);
	assert(pdu->trap_type >= 0 && pdu->trap_type <= SNMP_TRAP_ENTERPRISESPECIFIC);
	assert(pdu->specific_type >= 0);
	for (const netsnmp_variable_list *v = pdu->variables; v; v = v->next_variable)
		assert(v->type != ASN_COUNTER64);
}

static int take_as(json_t *varbinds, int command)
{
	struct tend_error err = {0};
	netsnmp_pdu *pdu = NULL;
	int r = pdu_from_json(varbinds, command, &err, &pdu);

	assert(r == 0 || (!pdu && err.text[0]));
	if (pdu) {
		assert(pdu->command == command);
		check_pdu(pdu);
		if (command == SNMP_MSG_TRAP)
			check_v1(pdu);
		snmp_free_pdu(pdu);
	}
	return r;
}

/* SNMPv1 has no form of every snmpTrapOID, but of nothing else. */
static int take_varbinds(json_t *varbinds)
{
	int r = take_as(varbinds, SNMP_MSG_INFORM), r1 = take_as(varbinds, SNMP_MSG_TRAP);

	assert(take_as(varbinds, SNMP_MSG_TRAP2) == r && (r == 0 || r1 < 0));
	return r == 0 ? 0 : r1;
}

static void try_varbinds(const char *text)
{
	auto_json json_t *varbinds = json_loads(text, JSON_DECODE_ANY, NULL);

	if (varbinds)
		(void)take_varbinds(varbinds);
}

static void try_notice(const char *text)
{
	auto_json json_t *doc = json_loads(text, 0, NULL), *varbinds = NULL;
	struct notice notice = {
		.kind = (enum notice_kind)json_integer_value(json_object_get(doc, "kind")),
		.severity = SEVERITY_WARNING,
		.fingerprint = json_string_value(json_object_get(doc, "fingerprint")),
		.incident_id = json_string_value(json_object_get(doc, "incident")),
		.component = json_string_value(json_object_get(doc, "component")),
		.state = json_string_value(json_object_get(doc, "state")),
		.reason = json_string_value(json_object_get(doc, "reason")),
		.text = json_string_value(json_object_get(doc, "text")),
		.wall = (usec_t)json_integer_value(json_object_get(doc, "wall")) / 2,
		.details = json_object_get(doc, "details"),
	};
	uint64_t sequence = (uint64_t)json_integer_value(json_object_get(doc, "sequence")) / 2;
	int r;

	if (!doc || notice.wall > INT64_MAX || sequence > INT64_MAX)
		return;
	r = snmp_notice_varbinds(&notice, sequence, notice.text, notice.wall, &varbinds);
	assert((r == 0) == snmp_tells(notice.kind));
	if (r == 0)
		assert(take_varbinds(varbinds) == 0 && take_as(varbinds, SNMP_MSG_TRAP) == 0);
}

static void check_mirror(void)
{
	for (enum mib_table_id id = 0; id < MIB_TABLE_MAX; id++) {
		const struct mirror_table *table = mirror_table(id);

		for (size_t i = 0; i < table->n; i++) {
			const struct mirror_row *row = table->rows[i];

			assert(i == 0 || table->rows[i - 1]->key < row->key);
			assert(mirror_lower(table, row->key) == i);
			for (size_t c = 0; c < mib_tables[id].n_columns; c++)
				assert(!row->cells[c].text ||
					strlen(row->cells[c].text) <= MIB_TEXT_BYTES);
		}
	}
}

static void try_updates(char *text)
{
	auto_json json_t *clear = json_pack("{s:b}", "full", 1);

	for (char *line = strsep(&text, "\n"); line; line = strsep(&text, "\n")) {
		auto_json json_t *update = json_loads(line, 0, NULL);

		if (!update)
			continue;
		mirror_update(update);
		check_mirror();
	}
	mirror_update(clear);
	assert(mirror_n_rows() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = size > 0 ? strndup((const char *)data + 1, size - 1) : NULL;

	if (!text)
		return 0;
	if (data[0] == 'v')
		try_varbinds(text);
	else if (data[0] == 'u')
		try_updates(text);
	else if (data[0] == 'n')
		try_notice(text);
	return 0;
}
