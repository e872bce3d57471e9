/* SPDX-License-Identifier: MIT */
/*
 * Every kind of notice as the varbinds that tendd sends, for tests/system/test_snmp_files.py: one
 * line of JSON a kind, {"kind","varbinds"}; varbinds null where SNMP does not tell it.
 */
#include <stdio.h>
#include "base/cleanup.h"
#include "snmp/varbinds.h"

#define X(code, name) [NOTICE_##code] = name,
static const char *const kinds[NOTICE_KIND_MAX] = {NOTICE_KINDS(X)};
#undef X

int main(void)
{
	auto_json json_t *details = json_pack("{s:f, s:i, s:b, s:b, s:s, s:i}", "loop_lag_seconds",
		0.25, "outbox_depth", 7, "config_ok", 1, "actions_enabled", 0, "worst_state",
		"critical", "incidents_open", 3);

	for (enum notice_kind kind = 0; kind < NOTICE_KIND_MAX; kind++) {
		const struct notice notice = {.id = "0192f0c1-0000-7000-8000-000000000001",
			.kind = kind,
			.severity = SEVERITY_CRITICAL,
			.fingerprint = "crm/web/login",
			.incident_id = "0192f0c1-0000-7000-8000-000000000002",
			.system = "crm",
			.component = "crm/web",
			.check = "crm/web/login",
			.state = "critical",
			.reason = "connect-refused",
			.text = kinds[kind],
			.wall = 1795314699500000,
			.since_wall = 1795314690000000,
			.details = details};
		auto_json json_t *line = NULL;
		json_t *varbinds = NULL;

		(void)snmp_notice_varbinds(&notice, 40 + kind, "epoch", 420000000, &varbinds);
		line = json_pack("{s:s, s:o?}", "kind", kinds[kind], "varbinds", varbinds);
		if (!line || json_dumpf(line, stdout, JSON_COMPACT) < 0 || putchar('\n') == EOF)
			return 1;
	}
	return 0;
}
