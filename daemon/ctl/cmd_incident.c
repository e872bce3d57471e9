/* SPDX-License-Identifier: MIT */
#include "ctl/commands.h"
#include "ctl/writer.h"

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
	auto_json json_t *rows = NULL;
	int r = client_get(ctl,
		ctl->values[CTL_OPT_OPEN] ? "/v1/incidents?state=open" : "/v1/incidents", &rows);

	if (r != 0)
		return r;
	ctl->writer->list(ctl, rows, columns);
	return CTL_OK;
}

static void incident_page(struct ctl *ctl, const json_t *incident)
{
	text_object(ctl, incident, fields);
	text_title(ctl, "Timeline");
	text_list(ctl, ctl_lookup(incident, "timeline"), timeline_columns);
}

static int incident_show(struct ctl *ctl, char *const *args, int n_args)
{
	return ctl_show(ctl, "/v1/incidents/", args[0], incident_page);
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
	auto_json json_t *body = NULL, *incident = NULL;
	const char *comment = ctl->values[CTL_OPT_COMMENT];
	int r;

	if (!comment) {
		ctl_complain(ctl, "a comment is needed: -m 'who looks after it, and how'");
		return CTL_USAGE;
	}
	body = json_pack("{s:s}", "comment", comment);
	if (!body) {
		ctl_complain(ctl, "the comment is no valid UTF-8");
		return CTL_USAGE;
	}
	if (ctl->values[CTL_OPT_STICKY])
		(void)json_object_set_new(body, "sticky", json_true());
	r = ctl_put_times(ctl, body);
	if (r == 0)
		r = client_post(ctl, path, body, false, &incident);
	if (r != 0)
		return r;
	ctl->writer->page(ctl, incident, acknowledged_page);
	return CTL_OK;
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
	auto_json json_t *body = json_pack("{s:s*}", "comment", ctl->values[CTL_OPT_COMMENT]);
	auto_json json_t *incident = NULL;
	int r = client_post(ctl, path, body, false, &incident);

	if (r != 0)
		return r;
	ctl->writer->page(ctl, incident, unacknowledged_page);
	return CTL_OK;
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
