/* SPDX-License-Identifier: MIT */
#include "alert/sample.h"
#include <string.h>
#include "alert/view.h"
#include "base/str.h"

#define DAY_OF_SAMPLES ((usec_t)1772424306 * USEC_PER_SEC) /* 2026-03-02 04:05:06 */
#define INCIDENT_1     "019cac8a-1111-7000-8000-000000000001"
#define INCIDENT_2     "019cac8a-2222-7000-8000-000000000002"
#define INCIDENT_3     "019cac8a-3333-7000-8000-000000000003"
enum { MAX_NOTICES = 120, TEXT_BYTES = 4000 };

/* What stands in a sample; what does not apply is NULL. */
struct piece {
	enum notice_kind kind;
	enum conf_severity severity;
	const char *incident, *component, *check, *state, *reason, *class, *text;
	bool merged; /* a raise was merged into it */
};

#define LOGIN(kind, severity, state, reason, class, text)                                          \
	{                                                                                          \
		kind, severity, INCIDENT_1, "crm/web", "crm/web/login", state, reason, class,      \
			text, false                                                                \
	}
static const struct piece raised = LOGIN(NOTICE_INCIDENT_RAISED, SEVERITY_CRITICAL, "critical",
	"too-slow", "performance", "no answer from https://crm.example/login within 2 s");
static const struct piece changed = LOGIN(NOTICE_INCIDENT_CHANGED, SEVERITY_WARNING, "warning",
	"threshold", "performance", "total_seconds is 1.7, outside 0..1.5");
static const struct piece cleared =
	LOGIN(NOTICE_INCIDENT_CLEARED, SEVERITY_CRITICAL, "ok", "ok", NULL, "200 OK in 0.2 s");
static const struct piece reminder = LOGIN(NOTICE_INCIDENT_REMINDER, SEVERITY_CRITICAL, "critical",
	"too-slow", "performance", "no answer from https://crm.example/login within 2 s");
static const struct piece acknowledged =
	LOGIN(NOTICE_INCIDENT_ACKNOWLEDGED, SEVERITY_CRITICAL, "critical", "too-slow",
		"performance", "alice: the disk of the web server is being exchanged");
static const struct piece short_one = {NOTICE_INCIDENT_CLEARED, SEVERITY_CRITICAL, INCIDENT_1,
	"crm/web", "crm/web/login", "ok", "ok", NULL, "200 OK in 0.2 s", true};
static const struct piece message = {NOTICE_POLICY_MESSAGE, SEVERITY_INFO, NULL, "crm/database",
	NULL, NULL, NULL, NULL, "the nightly upkeep of the database is done: 3 indexes rebuilt",
	false};
static const struct piece failed = {NOTICE_POLICY_FAILED, SEVERITY_CRITICAL, NULL, "crm/web", NULL,
	NULL, NULL, NULL, "restart-unit on crm/web failed: tryton-server.service did not start",
	false};
static const struct piece alive = {NOTICE_HEARTBEAT, SEVERITY_INFO, NULL, NULL, NULL, NULL, NULL,
	NULL, "Tend lives: 0 notices wait, the configuration is in force", false};
static const struct piece test = {NOTICE_TEST, SEVERITY_INFO, NULL, NULL, NULL, NULL, NULL, NULL,
	"a test, asked for by hand: nothing is wrong", false};
static const struct piece group[] = {
	LOGIN(NOTICE_INCIDENT_RAISED, SEVERITY_CRITICAL, "critical", "too-slow", "performance",
		"no answer from https://crm.example/login within 2 s"),
	{NOTICE_INCIDENT_RAISED, SEVERITY_WARNING, INCIDENT_2, "crm/storage", "crm/storage/space",
		"warning", "threshold", "capacity", "used_percent is 91, outside 0..90", false},
	{NOTICE_INCIDENT_CLEARED, SEVERITY_CRITICAL, INCIDENT_3, "crm/database",
		"crm/database/blocked", "ok", "ok", NULL, "0 sessions are blocked", false},
};

static const struct sample {
	const char *doc;
	const struct piece *pieces;
	size_t n;
	size_t n_repeat; /* so many, each of a component of its own */
	size_t n_text;	 /* bytes of a text in three-byte characters instead of its own */
	int64_t late_seconds;
} samples[] = {
	{"a fault, critical", &raised, 1, 0, 0, 0},
	{"the same with another severity and reason", &changed, 1, 0, 0, 0},
	{"its end", &cleared, 1, 0, 0, 0},
	{"raised and over before anybody was told", &short_one, 1, 0, 0, 0},
	{"still open", &reminder, 1, 0, 0, 0},
	{"somebody has it", &acknowledged, 1, 0, 0, 0},
	{"12 minutes late", &raised, 1, 0, 0, 725},
	{"three notices in one: two faults and an end", group, 3, 0, 0, 0},
	{"120 faults in one", &raised, 1, MAX_NOTICES, 0, 0},
	{"a text of 4,000 bytes in Chinese", &raised, 1, 0, TEXT_BYTES, 0},
	{"a policy failed", &failed, 1, 0, 0, 0},
	{"a message of a policy", &message, 1, 0, 0, 0},
	{"Tend lives", &alive, 1, 0, 0, 0},
	{"asked for by `tendctl receiver test'", &test, 1, 0, 0, 0},
};
const char *const sample_names[] = {"raised", "changed", "cleared", "raised-cleared", "reminder",
	"acknowledged", "late", "group", "storm", "long", "policy", "message", "heartbeat", "test",
	NULL};
_Static_assert(ARRAY_SIZE(samples) + 1 == ARRAY_SIZE(sample_names), "each has a name");

const char *sample_doc(size_t i)
{
	return samples[i].doc;
}

/* Of one view: the notices and all that they borrow. */
struct made {
	struct notice notices[MAX_NOTICES];
	struct view_entry entries[MAX_NOTICES];
	char names[MAX_NOTICES][64], checks[MAX_NOTICES][64], incidents[MAX_NOTICES][64];
	char fingerprints[MAX_NOTICES][64];
	char text[TEXT_BYTES + 1];
	json_t *merged, *group_labels;
	size_t n;
};

static struct made *made_free(struct made *made)
{
	if (!made)
		return NULL;
	for (size_t i = 0; i < made->n; i++)
		json_decref(made->notices[i].labels);
	json_decref(made->merged);
	json_decref(made->group_labels);
	free(made);
	return NULL;
}
DEFINE_AUTO(struct made *, made_free)

static void make_text(struct made *made, size_t n)
{
	static const char character[] = "慢";

	for (size_t len = 0; len + sizeof(character) - 1 <= n; len += sizeof(character) - 1)
		memcpy(made->text + len, character, sizeof(character));
}

static json_t *labels_of_sample(const struct notice *n, const char *class)
{
	json_t *labels =
		json_pack("{s:s, s:s, s:s, s:s?}", "severity", conf_severity_names[n->severity],
			"host", "crm.example", "team", "crm", "class", class);
	const struct {
		const char *name, *value;
	} more[] = {{"system", n->system}, {"environment", n->environment},
		{"component", n->component}, {"kind", n->component ? "web" : NULL},
		{"check", n->check}, {"state", n->state}, {"reason", n->reason}};

	if (!class)
		(void)json_object_del(labels, "class");
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		if (more[i].value)
			(void)json_object_set_new(labels, more[i].name, json_string(more[i].value));
	return labels;
}

static void make_one(
	struct made *made, size_t i, const struct sample *s, const struct piece *p, usec_t wall)
{
	struct notice *n = &made->notices[i];
	struct view_entry *e = &made->entries[i];

	*n = (struct notice){.kind = p->kind,
		.severity = p->severity,
		.fingerprint = p->check	      ? p->check
			       : p->component ? p->component
					      : "daemon",
		.incident_id = p->incident,
		.system = p->component ? "crm" : NULL,
		.environment = p->component ? "production" : NULL,
		.component = p->component,
		.check = p->check,
		.state = p->state,
		.reason = p->reason,
		.text = s->n_text ? made->text : p->text,
		.wall = wall,
		.since_wall = !p->incident			  ? 0
			      : p->kind == NOTICE_INCIDENT_RAISED ? wall
								  : wall - 780 * USEC_PER_SEC};
	snprintf(n->id, sizeof(n->id), "019cac8a-0000-7000-8000-%012zx", i + 1);
	if (s->n_repeat) {
		snprintf(made->names[i], sizeof(made->names[i]), "crm/node%zu", i + 1);
		snprintf(made->checks[i], sizeof(made->checks[i]), "crm/node%zu/login", i + 1);
		snprintf(made->incidents[i], sizeof(made->incidents[i]),
			"019cac8a-1111-7000-8000-%012zx", i + 1);
		n->component = made->names[i];
		n->check = n->fingerprint = made->checks[i];
		n->incident_id = made->incidents[i];
	}
	n->labels = labels_of_sample(n, p->class);
	*e = (struct view_entry){
		.notice = n, .sequence = 41 + i, .merged = p->merged ? made->merged : NULL};
}

static int find_sample(const char *name)
{
	for (int i = 0; sample_names[i]; i++)
		if (strcmp(sample_names[i], name) == 0)
			return i;
	return -ENOENT;
}

int sample_view(const struct sample_options *options, json_t **ret_view)
{
	auto(made_free) struct made *made = calloc(1, sizeof(*made));
	int found = find_sample(options->name);
	usec_t wall = options->wall ? options->wall : DAY_OF_SAMPLES;
	const struct sample *s;

	if (found < 0 || !made)
		return found < 0 ? found : -ENOMEM;
	s = &samples[found];
	make_text(made, s->n_text);
	made->merged = json_pack("[{s:s, s:i, s:s, s:s}]", "id",
		"019cac8a-0000-7000-8000-00000000000f", "sequence", 40, "kind", "incident.raised",
		"time", "2026-03-02T03:52:06.000000Z");
	made->group_labels = json_pack("{s:s}", "system", "crm");
	for (size_t i = 0, n = s->n_repeat ? s->n_repeat : s->n; i < n; i++, made->n++)
		make_one(made, i, s, &s->pieces[s->n_repeat ? 0 : i], wall);
	const struct view_source source = {
		.id = made->n > 1 ? "019cac8a-4444-7000-8000-000000000004" : made->notices[0].id,
		.receiver = options->receiver ? options->receiver : "sample",
		.host = "crm.example",
		.epoch = "019cac89-0000-7000-8000-000000000000",
		.language = options->language,
		.wall = wall + (usec_t)s->late_seconds * USEC_PER_SEC,
		.late_seconds = s->late_seconds,
		.group_key = made->n > 1 ? "crm{system=\"crm\"}" : NULL,
		.group_labels = made->n > 1 ? made->group_labels : NULL,
		.entries = made->entries,
		.n_entries = made->n};
	return view_compose(&source, ret_view);
}
