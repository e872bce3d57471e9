/* SPDX-License-Identifier: MIT */
#include "ctl/ask.h"
#include "ctl/commands.h"

static const struct ctl_column columns[] = {
	{"ID", "id", CTL_ID},
	{"SEVERITY", "severity", CTL_STATE},
	{"PHASE", "phase", CTL_STATE},
	{"OPENED", "opened", CTL_TIME},
	{"CLOSED", "closed", CTL_AGO},
	{"ACK", "acknowledged.author", CTL_TEXT},
	{"ROOT", "fingerprint", CTL_TEXT},
	{"TEXT", "text", CTL_TEXT},
	{0},
};

static const struct ctl_column fields[] = {
	{"Incident", "id", CTL_TEXT},
	{"Root", "fingerprint", CTL_TEXT},
	{"Severity", "severity", CTL_STATE},
	{"Phase", "phase", CTL_STATE},
	{"Reason", "reason", CTL_TEXT},
	{"Class", "class", CTL_TEXT},
	{"Text", "text", CTL_TEXT},
	{"Opened", "opened", CTL_TIME},
	{"Located", "located", CTL_TIME},
	{"Closed", "closed", CTL_TIME},
	{"Notices held", "held", CTL_YESNO},
	{"Cause unconfirmed", "unconfirmed", CTL_YESNO},
	{"Members", "members", CTL_JOIN},
	{"Acknowledged by", "acknowledged.author", CTL_TEXT},
	{"at", "acknowledged.at", CTL_TIME},
	{"until", "acknowledged.until", CTL_TIME},
	{"Also if worse", "acknowledged.sticky", CTL_YESNO},
	{"because", "acknowledged.comment", CTL_TEXT},
	{"Summary", "summary", CTL_TEXT},
	{0},
};

static const struct ctl_column timeline_columns[] = {
	{"WHEN", "at", CTL_TIME},
	{"WHAT", "kind", CTL_TEXT},
	{"TEXT", "text", CTL_TEXT},
	{0},
};

static int incident_list(struct ctl *ctl, char *const *args, int n_args)
{
	const struct ask_param params[] = {
		{"state", ctl->values[CTL_OPT_OPEN] ? "open" : NULL}, {0}};

	return ask_list(ctl, "/v1/incidents", params, columns);
}

static void incident_page(struct ctl *ctl, const json_t *incident)
{
	text_object(ctl, incident, fields);
	text_title(ctl, "Timeline");
	text_list(ctl, ctl_lookup(incident, "timeline"), timeline_columns);
}

static int incident_show(struct ctl *ctl, char *const *args, int n_args)
{
	return ask_show(ctl, "/v1/incidents/", args[0], incident_page);
}

static void acknowledged_page(struct ctl *ctl, const json_t *incident)
{
	(void)fputs("acknowledged ", ctl->out);
	text_put(ctl, ctl_string(incident, "id"));
	(void)fputs(" (", ctl->out);
	text_put(ctl, ctl_string(incident, "fingerprint"));
	(void)fputs(")\n", ctl->out);
}

static int incident_acknowledge(struct ctl *ctl, char *const *args, int n_args)
{
	auto_free char *path = client_path("/v1/incidents/", args[0], "/acknowledge");
	const char *comment =
		ask_comment(ctl, "a comment is needed: -m 'who looks after it, and how'");
	auto_json json_t *body = comment ? json_pack("{s:s}", "comment", comment) : NULL;
	int r = CTL_OK;

	if (!comment)
		return CTL_USAGE;
	if (ctl->values[CTL_OPT_STICKY])
		(void)json_object_set_new(body, "sticky", json_true());
	if (body)
		r = ctl_put_times(ctl, body);
	return r != CTL_OK ? r : ask_do(ctl, path, TAKE(body), acknowledged_page);
}

static void unacknowledged_page(struct ctl *ctl, const json_t *incident)
{
	(void)fputs("nobody has ", ctl->out);
	text_put(ctl, ctl_string(incident, "id"));
	(void)fputs(" any more (", ctl->out);
	text_put(ctl, ctl_string(incident, "fingerprint"));
	(void)fputs(")\n", ctl->out);
}

static int incident_unacknowledge(struct ctl *ctl, char *const *args, int n_args)
{
	auto_free char *path = client_path("/v1/incidents/", args[0], "/unacknowledge");

	return ask_do(ctl, path, json_pack("{s:s*}", "comment", ctl->values[CTL_OPT_COMMENT]),
		unacknowledged_page);
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, CTL_BIT(OPEN), incident_list,
		"the open and the latest closed incidents"},
	{"show", "ID", 1, 1, 0, incident_show, "one of them, with its timeline"},
	{"acknowledge", "ID -m COMMENT", 1, 1,
		CTL_BIT(COMMENT) | CTL_BIT(STICKY) | CTL_BIT(FOR) | CTL_BIT(UNTIL),
		incident_acknowledge, "say that somebody looks after it: no more reminders"},
	{"unacknowledge", "ID", 1, 1, CTL_BIT(COMMENT), incident_unacknowledge,
		"say that nobody does any more"},
	{0},
};
const struct ctl_command ctl_incident = {
	"incident",
	"Faults, one incident at its root cause each. An ID may be cut where it is still the only "
	"one.",
	verbs,
};
