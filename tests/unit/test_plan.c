/* SPDX-License-Identifier: MIT */
/* Who is told, how and when, and what comes after: routes, groups, digests, rotas, reminders,
 * escalation; over configurations as an admin writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "alert/plan.h"
#include "base/fs.h"
#include "base/str.h"

static const char head[] =
	"[daemon]\n"
	"[system crm]\nlabel.team = sales\nlabel.tier = 1\n"
	"[component crm/web]\nkind = web\nlabel.tier = 2\n"
	"[component crm/disk]\nkind = storage\n"
	"[receiver a]\ntype = webhook\nurl = http://127.0.0.1:1/\n"
	"secret = file:SECRET\n"
	"[receiver b]\ntype = webhook\nurl = http://127.0.0.1:1/\n"
	"secret = file:SECRET\n"
	"[receiver c]\ntype = webhook\nurl = http://127.0.0.1:1/\nsecret = file:SECRET\n"
	"min_severity = critical\n"
	"[receiver nms]\ntype = snmp\nhost = 127.0.0.1\nversion = 2c\n"
	"community = file:SECRET\n";

struct place {
	char dir[64];
	struct conf *conf;
	struct zone *zone;
};

static struct conf *load(struct place *p, const char *tail)
{
	auto_free char *path = str_printf("%s/tend.conf", p->dir);
	auto_free char *rota = str_printf("%s/rota", p->dir);
	auto_str struct str text = STR_INIT(1 << 20);
	struct conf_errors errors = {0};
	struct conf *conf = NULL;

	for (const char *c = head; *c; c++) {
		assert_int_equal(str_append(&text, c, 1), 0);
		if (str_startswith(c, ":SECRET")) {
			assert_int_equal(str_appendf(&text, "%s/secret", p->dir), 0);
			c += strlen(":SECRET") - 1;
		}
	}
	assert_int_equal(str_appendf(&text, "%s", tail), 0);
	assert_int_equal(
		str_appendf(&text, "[rota phone]\nfile = %s\ntimezone = Europe/Berlin\n", rota), 0);
	assert_int_equal(fs_write_file_atomic(path, text.data, text.len, 0600), 0);
	if (conf_load(path, NULL, &errors, &conf) < 0)
		fail_msg("%s:%u: %s", errors.items[0].file, errors.items[0].line,
			errors.items[0].text);
	return conf;
}

static void write_to(const struct place *p, const char *name, const char *text)
{
	auto_free char *path = str_printf("%s/%s", p->dir, name);

	assert_int_equal(fs_write_file_atomic(path, text, strlen(text), 0600), 0);
}

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct tend_error err = {0};

	snprintf(p->dir, sizeof(p->dir), "/tmp/test_plan.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	write_to(p, "secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
	write_to(p, "rota", "2026-11-23T08:00 a\nweekly 2026-11-30T08:00 b c\n");
	write_to(p, "rota_a", "2026-11-23T08:00 a\n");
	assert_int_equal(zone_get("Europe/Berlin", &p->zone, &err), 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	auto_free char *command = str_printf("rm -r '%s'", p->dir);

	zone_free(p->zone);
	if (system(command) != 0)
		return -1;
	free(p);
	return 0;
}

static usec_t at(const struct place *p, const char *text)
{
	struct tend_error err = {0};
	usec_t wall = 0;

	if (zone_parse(p->zone, text, &wall, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return wall;
}

static struct notice notice_of(const char *component, enum conf_severity severity)
{
	return (struct notice){.kind = NOTICE_INCIDENT_RAISED,
		.severity = severity,
		.fingerprint = "x",
		.incident_id = component ? "01" : NULL,
		.system = component ? "crm" : NULL,
		.environment = component ? "production" : NULL,
		.component = component,
		.state = "critical",
		.reason = "connect-refused"};
}

/* "a[group +wait/interval @not_before] b" */
static const char *plan_text(const struct plan *plan, char buf[512])
{
	buf[0] = '\0';
	VEC_FOREACH (&plan->targets, const struct plan_target *, t) {
		size_t len = strlen(buf);

		snprintf(buf + len, 512 - len, "%s%s", len ? " " : "", t->receiver->name);
		assert_true(t->storm == !*t->group);
		if (!*t->group)
			continue;
		len = strlen(buf);
		snprintf(buf + len, 512 - len, "[%s +%d/%d%s]", t->group,
			(int)(t->wait / USEC_PER_SEC), (int)(t->interval / USEC_PER_SEC),
			t->not_before ? " later" : "");
	}
	return buf;
}

/* ---- labels --------------------------------------------------------------------------------- */

static void test_labels(void **state)
{
	static const struct {
		const char *component, *reason, *want;
	} rows[] = {
		{"crm/web", "connect-refused",
			"{\"class\":\"software\",\"component\":\"crm/web\",\"environment\":"
			"\"production\",\"host\":\"here\",\"kind\":\"web\",\"reason\":"
			"\"connect-refused\",\"severity\":\"critical\",\"state\":\"critical\","
			"\"system\":\"crm\",\"team\":\"sales\",\"tier\":\"2\"}"},
		{"crm/disk", "threshold",
			"{\"class\":\"hardware\",\"component\":\"crm/disk\",\"environment\":"
			"\"production\",\"host\":\"here\",\"kind\":\"storage\",\"reason\":"
			"\"threshold\",\"severity\":\"critical\",\"state\":\"critical\","
			"\"system\":\"crm\",\"team\":\"sales\",\"tier\":\"1\"}"},
		{NULL, NULL,
			"{\"host\":\"here\",\"severity\":\"critical\",\"source\":\"daemon\","
			"\"state\":\"critical\"}"},
	};
	struct place *p = *state;
	auto(conf_unref) struct conf *conf = load(p, "");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct notice n = notice_of(rows[i].component, SEVERITY_CRITICAL);
		auto_json json_t *labels = NULL;
		auto_free char *text = NULL;

		n.reason = rows[i].reason;
		assert_int_equal(labels_of(conf, &n, "here", &labels), 0);
		text = json_dumps(labels, JSON_COMPACT | JSON_SORT_KEYS);
		assert_string_equal(text, rows[i].want);
	}
}

/* What came with an event cannot pass for what Tend says, or the configuration. */
static void test_pushed_labels(void **state)
{
	struct place *p = *state;
	auto(conf_unref) struct conf *conf = load(p, "");
	struct notice n = notice_of("crm/web", SEVERITY_WARNING);
	auto_json json_t *pushed =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "job", "web", "severity", "page",
			"team", "ops", "alertname", "Slow", "check", "x", "exported_check", "y");
	auto_json json_t *labels = NULL;
	auto_free char *text = NULL;

	n.reason = "too-slow";
	n.pushed = pushed;
	assert_int_equal(labels_of(conf, &n, "here", &labels), 0);
	text = json_dumps(labels, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text,
		"{\"alertname\":\"Slow\",\"class\":\"software\",\"component\":\"crm/web\","
		"\"environment\":\"production\",\"exported_check\":\"x\",\"exported_exported_"
		"check\":\"y\",\"exported_severity\":"
		"\"page\",\"exported_team\":\"ops\",\"host\":\"here\",\"job\":\"web\",\"kind\":"
		"\"web\",\"reason\":\"too-slow\",\"severity\":\"warning\",\"state\":\"critical\","
		"\"system\":\"crm\",\"team\":\"sales\",\"tier\":\"2\"}");
}

/* ---- routes --------------------------------------------------------------------------------- */

#define DAY_ROUTE                                                                                  \
	"[route day]\nreceivers = a\ntimes = mon-fri 08:00-18:00\ntimezone = Europe/Berlin\n"

static void test_routes(void **state)
{
	static const struct {
		const char *routes, *component;
		enum conf_severity severity;
		const char *wall, *want, *gate; /* gate: part of one of them; NULL: none at all */
	} rows[] = {
		{"[route r]\nreceivers = a, b\nmatch = tier=2, team=~sal.*\n", "crm/web",
			SEVERITY_WARNING, "2026-11-23T12:00", "a b", NULL},
		{"[route r]\nreceivers = a\nmatch = tier=2\n", "crm/disk", SEVERITY_WARNING,
			"2026-11-23T12:00", "", "match: tier=\"2\" does not fit"},
		{"[route r]\nreceivers = a\nclass = hardware\n", "crm/web", SEVERITY_WARNING,
			"2026-11-23T12:00", "", "class: software is not among them"},
		{"[route r]\nreceivers = a\nclass = hardware, software\n", "crm/web",
			SEVERITY_WARNING, "2026-11-23T12:00", "a", NULL},
		{"[route r]\nreceivers = a\nenvironment = staging\n", "crm/web", SEVERITY_WARNING,
			"2026-11-23T12:00", "", "environment: production is not"},
		{"[route r]\nreceivers = a, c\n", "crm/web", SEVERITY_WARNING, "2026-11-23T12:00",
			"a", "min_severity = critical of receiver 'c'"},
		{DAY_ROUTE "[route night]\nreceivers = b\n", "crm/web", SEVERITY_CRITICAL,
			"2026-11-23T12:00", "a", NULL},
		{DAY_ROUTE "[route night]\nreceivers = b\n", "crm/web", SEVERITY_CRITICAL,
			"2026-11-23T18:00", "b",
			"next begin at 2026-11-24 08:00+01:00 Europe/Berlin"},
		{DAY_ROUTE, "crm/web", SEVERITY_CRITICAL, "2026-11-22T12:00", "",
			"no route takes it"},
		{DAY_ROUTE, NULL, SEVERITY_INFO, "2026-11-22T12:00", "a b nms",
			"'day' does not take it"}, /* of the daemon: better to all */
		{"[route r]\nreceivers = a\ncontinue = yes\n[route s]\nreceivers = a, b\n",
			"crm/web", SEVERITY_CRITICAL, "2026-11-23T12:00", "a b", NULL},
		{"[route r]\nreceivers = rota:phone\n", "crm/web", SEVERITY_WARNING,
			"2026-11-23T12:00", "a", NULL},
		{"[route r]\nreceivers = rota:phone, nms\n", "crm/web", SEVERITY_WARNING,
			"2026-12-01T12:00", "b nms", NULL},
		{"[route r]\nreceivers = rota:phone\n", "crm/web", SEVERITY_WARNING,
			"2026-11-20T12:00", "", "nobody is on call in 'phone'"},
		{"[route r]\nreceivers = a\ngroup_by = system, tier, nothing\n", "crm/web",
			SEVERITY_WARNING, "2026-11-23T12:00",
			"a[r{system=\"crm\",tier=\"2\",nothing=\"\"} +10/300]", NULL},
		{"[route r]\nreceivers = a\ngroup_by = system\ngroup_wait = 1s\n"
		 "group_interval = 1m\n",
			"crm/web", SEVERITY_WARNING, "2026-11-23T12:00",
			"a[r{system=\"crm\"} +1/60]", NULL},
		{"[route r]\nreceivers = a\ndigest = daily 08:00\n", "crm/web", SEVERITY_WARNING,
			"2026-11-23T12:00", "a[r digest +0/0 later]",
			"digest: 'a' is told at "
			"2026-11-24 08:00 UTC"},
		{"[route r]\nreceivers = a\ndigest = daily 08:00\n", "crm/web", SEVERITY_CRITICAL,
			"2026-11-23T12:00", "a", NULL},
		{"[route r]\nreceivers = a\ndigest = daily 08:00\ndigest_below = warning\n",
			"crm/web", SEVERITY_WARNING, "2026-11-23T12:00", "a", NULL},
	};
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto(conf_unref) struct conf *conf = load(p, rows[i].routes);
		struct notice n = notice_of(rows[i].component, rows[i].severity);
		struct plan_question q = {.conf = conf, .notice = &n, .wall = at(p, rows[i].wall)};
		auto(plan_clear) struct plan plan = {0};
		auto_json json_t *labels = NULL;
		bool found = false;
		char got[512];

		assert_int_equal(labels_of(conf, &n, "here", &labels), 0);
		q.labels = labels;
		assert_int_equal(plan_make(&q, &plan), 0);
		if (strcmp(plan_text(&plan, got), rows[i].want) != 0)
			fail_msg("row %zu: '%s', not '%s'", i, got, rows[i].want);
		VEC_FOREACH (&plan.gates, const char *, gate)
			found = found || !rows[i].gate || strstr(gate, rows[i].gate);
		if (found != (rows[i].gate != NULL))
			fail_msg("row %zu: gate '%s'", i,
				plan.gates.len ? (char *)plan.gates.items[0] : "none");
	}
}

/* ---- afterwards ----------------------------------------------------------------------------- */

#define PLAIN	 "[route r]\nreceivers = a\n"
#define REMIND	 PLAIN "remind = 4h\nremind_max = 2\n"
#define ESCALATE PLAIN "escalate.15m = b\nescalate.1h = rota:phone, nms\n"

static void test_follow(void **state)
{
	/* Told at 2026-12-01T12:00, by which b is on call. told: "a b" receivers, each with the
	 * hours since its last reminder when there was one: "a2" two reminders, the last at 16:00,
	 * 20:00. */
	static const struct {
		const char *routes, *told, *wall, *since; /* since: an ack ended; NULL */
		bool acknowledged;
		const char *raise, *remind, *next; /* next NULL: never */
	} rows[] = {
		{PLAIN, "a", "2026-12-02T12:00", NULL, false, "", "", NULL},
		{REMIND, "a", "2026-12-01T15:59", NULL, false, "", "", "2026-12-01T16:00"},
		{REMIND, "a", "2026-12-01T16:00", NULL, false, "", "a", NULL},
		{REMIND, "a1", "2026-12-01T16:01", NULL, false, "", "", "2026-12-01T20:00"},
		{REMIND, "a1", "2026-12-01T20:00", NULL, false, "", "a", NULL},
		{REMIND, "a2", "2026-12-03T20:00", NULL, false, "", "", NULL}, /* no more */
		{REMIND, "a", "2026-12-01T20:00", NULL, true, "", "", NULL},
		/* From the end of the acknowledgement on. */
		{REMIND, "a", "2026-12-01T20:00", "2026-12-01T17:00", false, "", "",
			"2026-12-01T21:00"},
		{REMIND, "b", "2026-12-01T20:00", NULL, false, "", "", NULL}, /* not by it */
		{PLAIN "[route s]\nreceivers = b\nremind = 1h\n", "a", "2026-12-01T20:00", NULL,
			false, "", "", NULL}, /* no `continue` */
		{"[route r]\nreceivers = nms, a\nremind = 1h\n", "a nms", "2026-12-01T20:00", NULL,
			false, "", "a", NULL},
		{ESCALATE, "a", "2026-12-01T12:14", NULL, false, "", "", "2026-12-01T12:15"},
		{ESCALATE, "a", "2026-12-01T12:15", NULL, false, "b", "", "2026-12-01T13:00"},
		{ESCALATE, "a b", "2026-12-01T12:16", NULL, false, "", "", "2026-12-01T13:00"},
		{ESCALATE, "a b", "2026-12-01T13:00", NULL, false, "nms", "", "2026-12-07T08:00"},
		{ESCALATE, "a", "2026-12-01T13:00", NULL, false, "b nms", "", "2026-12-07T08:00"},
		{ESCALATE, "a", "2026-12-01T13:00", NULL, true, "", "", NULL},
		{ESCALATE, "a", "2026-12-01T13:00", "2026-12-01T12:50", false, "", "",
			"2026-12-01T13:05"},
		{ESCALATE, "", "2026-12-01T13:00", NULL, false, "", "", NULL},
		/* The day's people take over what is still open in the morning. */
		{DAY_ROUTE "[route n]\nreceivers = b\n", "b", "2026-12-02T07:59", NULL, false, "",
			"", "2026-12-02T08:00"},
		{DAY_ROUTE "[route n]\nreceivers = b\n", "b", "2026-12-02T08:00", NULL, false, "a",
			"", "2026-12-03T08:00"},
		{DAY_ROUTE, "", "2026-12-02T08:00", NULL, false, "a", "", "2026-12-03T08:00"},
		{DAY_ROUTE "[route n]\nreceivers = b\n", "b", "2026-12-02T08:00", NULL, true, "",
			"", NULL},
		/* Who has the phone next week hears of what nobody has acknowledged. */
		{"[route r]\nreceivers = rota:phone\n", "b", "2026-12-06T08:00", NULL, false, "",
			"", "2026-12-07T08:00"},
		{"[route r]\nreceivers = rota:phone\n", "b", "2026-12-07T08:00", NULL, false, "c",
			"", "2026-12-14T08:00"},
		/* A new receiver in a plain route hears of what comes, not of what was. */
		{"[route r]\nreceivers = a, b\n", "a", "2026-12-07T08:00", NULL, false, "", "",
			NULL},
		/* By night nobody is reminded of the day's work. */
		{DAY_ROUTE "remind = 7h\n", "a", "2026-12-01T19:00", NULL, false, "", "",
			"2026-12-02T08:00"},
		{DAY_ROUTE "remind = 7h\n", "a", "2026-12-02T08:00", NULL, false, "", "a",
			"2026-12-03T08:00"},
	};
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto(conf_unref) struct conf *conf = load(p, rows[i].routes);
		struct notice n = notice_of("crm/web", SEVERITY_CRITICAL);
		usec_t told_wall = at(p, "2026-12-01T12:00"), want;
		struct follow_told told[4] = {0};
		struct follow_question q = {
			.plan = {.conf = conf, .notice = &n, .wall = at(p, rows[i].wall)},
			.acknowledged = rows[i].acknowledged,
			.told = told};
		auto(follow_clear) struct follow f = {0};
		auto_json json_t *labels = NULL;
		char got[512], text[ZONE_TEXT_BYTES];

		for (const char *t = rows[i].told; *t; t += strcspn(t, " "), t += *t == ' ') {
			auto_free char *name = strndup(t, strcspn(t, " 0123456789"));
			struct follow_told *one = &told[q.n_told++];

			one->receiver = map_get(&conf->receivers, name);
			one->told_wall = told_wall;
			one->n_reminders = (unsigned)atoi(t + strlen(name));
			one->last_wall = told_wall + one->n_reminders * 4 * 3600 * USEC_PER_SEC;
		}
		q.since = rows[i].since ? at(p, rows[i].since) : q.n_told ? told_wall : 0;
		assert_int_equal(labels_of(conf, &n, "here", &labels), 0);
		q.plan.labels = labels;
		assert_int_equal(follow_make(&q, &f), 0);
		if (strcmp(plan_text(&f.raise, got), rows[i].raise) != 0)
			fail_msg("row %zu: raise '%s', not '%s'", i, got, rows[i].raise);
		if (strcmp(plan_text(&f.remind, got), rows[i].remind) != 0)
			fail_msg("row %zu: remind '%s', not '%s'", i, got, rows[i].remind);
		want = rows[i].next ? at(p, rows[i].next) : USEC_INFINITY;
		if (f.next_wall != want)
			fail_msg("row %zu: next %s", i, zone_format(p->zone, f.next_wall, text));
	}
}

/* A receiver that forgets what it does not hear of is told again and again, acknowledged or not, as
 * often as it wants and whatever the routes say of reminders; the others are not. */
static void test_repeats(void **state)
{
	static const struct {
		const char *routes, *wall;
		bool acknowledged;
		const char *remind, *next;
	} rows[] = {
		{"[route r]\nreceivers = a, b\n", "2026-12-01T12:04", false, "",
			"2026-12-01T12:05"},
		{"[route r]\nreceivers = a, b\n", "2026-12-01T12:05", false, "a", NULL},
		{"[route r]\nreceivers = a, b\n", "2026-12-01T12:05", true, "a", NULL},
		{"[route r]\nreceivers = c\n", "2026-12-01T12:05", false, "a", NULL},
		{"[route r]\nreceivers = a, b\nremind = 1h\nremind_max = 1\n", "2026-12-01T12:05",
			false, "a", "2026-12-01T13:00"},
	};
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto(conf_unref) struct conf *conf = load(p, rows[i].routes);
		struct notice n = notice_of("crm/web", SEVERITY_CRITICAL);
		usec_t noon = at(p, "2026-12-01T12:00"), want;
		struct follow_told told[] = {
			{.receiver = map_get(&conf->receivers, "a"),
				.told_wall = noon - 9 * 3600 * USEC_PER_SEC,
				.last_wall = noon,
				.n_reminders = 108,
				.repeat = 300 * USEC_PER_SEC},
			{.receiver = map_get(&conf->receivers, "b"),
				.told_wall = noon,
				.last_wall = noon},
		};
		struct follow_question q = {
			.plan = {.conf = conf, .notice = &n, .wall = at(p, rows[i].wall)},
			.acknowledged = rows[i].acknowledged,
			.since = noon,
			.told = told,
			.n_told = ARRAY_SIZE(told)};
		auto(follow_clear) struct follow f = {0};
		auto_json json_t *labels = NULL;
		char got[512];

		assert_int_equal(labels_of(conf, &n, "here", &labels), 0);
		q.plan.labels = labels;
		assert_int_equal(follow_make(&q, &f), 0);
		assert_string_equal(plan_text(&f.raise, got), "");
		assert_string_equal(plan_text(&f.remind, got), rows[i].remind);
		want = rows[i].next ? at(p, rows[i].next) : USEC_INFINITY;
		assert_int_equal(f.next_wall, want);
	}
}

/* ---- what the configuration refuses --------------------------------------------------------- */

static void test_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"[route r]\nreceivers = rota:fone\n", "there is no rota 'fone'; the nearest"},
		{"[route r]\nreceivers = a\nescalate.15m = bos\n", "there is no receiver 'bos'"},
		{"[route r]\nreceivers = a\nescalate.soon = b\n", "no time to wait"},
		{"[route r]\nreceivers = a\nmatch = severity\n", "match: after 'severity'"},
		{"[route r]\nreceivers = a\ntimes = mon-fri\ntimezone = Europa/Berlin\n",
			"timezone:"},
		{"[route r]\nreceivers = a\ntimes = 8-18\n", "times: '8-18' is not"},
		{"[route r]\nreceivers = a\ndigest = daily\n", "digest: 'daily' is not"},
		{"[route r]\nreceivers = a\nclass = hardwear\n", "the nearest is 'hardware'"},
		{"[route r]\nreceivers = a\nenvironment = prod\n", "there is no environment"},
		{"[route r]\nreceivers = a\ngroup_by = a-b\n", "no name of a label"},
		{"[component crm/x]\nlabel.severity = x\n", "Tend itself says"},
		{"[component crm/x]\nlabel.Team = x\n", "label.Team: the name of a label"},
		{"[inhibit i]\nsource_match = a=\"\ntarget_match = b=c\n", "source_match: a \""},
		{"[rota q]\nfile = /nonexistent\n", "cannot read '/nonexistent'"},
		{"[rota q]\nfile = rota\n", "is not an absolute path"},
	};
	struct place *p = *state;
	auto_free char *path = str_printf("%s/bad.conf", p->dir);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *text =
			str_printf("[daemon]\n[system crm]\n"
				   "[receiver a]\ntype = webhook\n"
				   "url = http://127.0.0.1:1/\n"
				   "secret = file:%s/secret\n"
				   "[rota phone]\nfile = %s/rota_a\nfallback = a\n%s",
				p->dir, p->dir, rows[i].text);
		struct conf_errors errors = {0};
		struct conf *conf = NULL;
		bool found = false;

		assert_int_equal(fs_write_file_atomic(path, text, strlen(text), 0600), 0);
		assert_int_equal(conf_load(path, NULL, &errors, &conf), -EINVAL);
		for (size_t j = 0; j < errors.len; j++)
			found = found || strstr(errors.items[j].text, rows[i].why);
		if (!found || errors.len > 2)
			fail_msg("row %zu: %s", i, errors.items[0].text);
		conf_errors_clear(&errors);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_pushed_labels),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_repeats),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
