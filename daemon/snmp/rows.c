/* SPDX-License-Identifier: MIT */
#include "snmp/rows.h"
#include <string.h>
#include "snmp/mib.h"
#include "snmp/text.h"

void rows_format_value(const struct result *result, char buf[ROWS_VALUE_BYTES])
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < result->n_metrics; i++) {
		const struct metric *m = &result->metrics[i];
		int n = snprintf(buf + len, ROWS_VALUE_BYTES - len, "%s%s%s%s%s=%.6g%s",
			len ? " " : "", m->name, m->instance[0] ? "[" : "", m->instance,
			m->instance[0] ? "]" : "", m->value, m->unit);

		if (n < 0 || (size_t)n >= ROWS_VALUE_BYTES - len) {
			buf[len] = '\0';
			return;
		}
		len += (size_t)n;
	}
}

json_t *rows_system(const struct conf_system *system, enum tend_state state)
{
	return json_pack("{s:o, s:i, s:i, s:o}", "name", text_json(system->name), "environment",
		system->environment, "state", (int)state, "owner", text_json(system->owner));
}

json_t *rows_component(const struct component *component)
{
	const struct conf_component *conf = component->conf;

	return json_pack("{s:o, s:o, s:o, s:i, s:I, s:o}", "name", text_json(conf->name), "system",
		text_json(conf->system->name), "kind", text_json(conf_component_kinds[conf->kind]),
		"state", (int)component->state, "since", (json_int_t)component->since_wall, "unit",
		text_json(conf->unit));
}

json_t *rows_check(const struct check *check)
{
	const struct result *last = &check->last;
	bool any = last->number != 0;
	char value[ROWS_VALUE_BYTES];

	rows_format_value(last, value);
	return json_pack("{s:o, s:o, s:i, s:b, s:i, s:o, s:o, s:I, s:I}", "name",
		text_json(check->conf->name), "component", text_json(check->conf->component->name),
		"state", (int)watch_check_shown_state(check), "soft", state_is_soft(&check->state),
		"reason", (int)(any ? last->reason : TEND_REASON_NO_EVIDENCE), "text",
		text_json(any ? last->text : ""), "value", text_json(value), "since",
		(json_int_t)check->state.hard_since_wall, "last",
		(json_int_t)(any ? last->finished_wall : 0));
}

json_t *rows_incident(const struct incident *i, enum tend_state state)
{
	return json_pack("{s:o, s:o, s:i, s:o, s:o, s:o, s:i, s:i, s:o, s:I, s:i, s:I, s:o, s:i}",
		"id", text_json(i->id), "fingerprint", text_json(i->fingerprint), "severity",
		(int)i->severity, "system", text_json(i->system), "component",
		text_json(i->component), "check", text_json(i->check), "state", (int)state,
		"reason", (int)i->reason, "text", text_json(i->text), "since",
		(json_int_t)i->opened_wall, "phase", (int)i->phase, "members",
		(json_int_t)i->members.len, "acknowledged_by", text_json(i->ack_author), "class",
		(int)i->class);
}
