/* SPDX-License-Identifier: MIT */
#include "stale.h"
#include <string.h>
#include "alert/plan.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "telling.h"

enum { SETS_MAX = 1000, TOLD_MAX = 1000 };
#define RECORD_KIND "backup-stale"

struct stale {
	struct manager *manager; /* NULL: it is over, a read is still under way */
	unsigned n_refs;
	json_t *told; /* by component: {"why"} */
	bool asking;
};

/* ---- judging -------------------------------------------------------------------------------- */

/* Policies keep seconds since 1970. */
static usec_t time_of(const json_t *set, const char *key)
{
	double sec = json_number_value(json_object_get(set, key));

	return sec > 0 && sec < 1e11 ? (usec_t)(sec * 1e6) : 0;
}

struct stale_judgement stale_judge(
	const json_t *sets, const struct stale_limits *limits, usec_t wall)
{
	struct stale_judgement j = {0};
	usec_t oldest = 0, good, proven;

	for (size_t i = 0; i < json_array_size(sets); i++) {
		const json_t *set = json_array_get(sets, i);
		usec_t at = time_of(set, "at");

		if (at && (!oldest || at < oldest))
			oldest = at;
		if (json_object_get(set, "why") || !time_of(set, "verified_at"))
			continue;
		j.good = MAX(j.good, at);
		j.proven = MAX(j.proven, time_of(set, "proven_at"));
	}
	good = j.good ? j.good : oldest;
	proven = j.proven ? j.proven : oldest;
	if (limits->stale_after && good && wall > good && wall - good > limits->stale_after) {
		j.why = STALE_GOOD;
		j.age = wall - good;
	} else if (limits->unproven_after && proven && wall > proven &&
		   wall - proven > limits->unproven_after) {
		j.why = STALE_PROVEN;
		j.age = wall - proven;
	}
	return j;
}

/* ---- telling -------------------------------------------------------------------------------- */

static char *text_of(const char *component, const struct stale_judgement *j)
{
	char age[CLOCK_TEXT_BYTES];

	(void)clock_format_span(j->age, age);
	switch (j->why) {
	case STALE_GOOD:
		return j->good ? str_printf(
					 "the newest good backup of %s is %s old", component, age)
			       : str_printf("%s has had no good backup for %s", component, age);
	case STALE_PROVEN:
		return j->proven ? str_printf("no restore has proven a backup of %s for %s",
					   component, age)
				 : str_printf("no backup of %s was ever proven by a restore, the "
					      "first is %s old",
					   component, age);
	case STALE_NOT:
		break;
	}
	return str_printf("%s has a backup again that is good, proven and young enough", component);
}

static struct notice notice_of(const struct conf_component *c, const struct stale_judgement *j)
{
	return (struct notice){.kind = NOTICE_BACKUP_STALE,
		.severity = j->why == STALE_NOT ? SEVERITY_INFO : SEVERITY_CRITICAL,
		.system = c->system->name,
		.environment = conf_environment_names[c->system->environment],
		.component = c->name,
		.wall = clock_wall()};
}

/* What holds the notices of its incidents holds this one: it is looked at again then. */
static bool is_held(const struct manager *m, const struct notice *n)
{
	auto_json json_t *labels = NULL, *holds = NULL;

	if (labels_of(m->conf, n, alert_host(m->alert), &labels) < 0)
		return false;
	holds = telling_holds_of(m, n->component, labels, n->wall);
	return json_array_size(holds) > 0;
}

struct commit {
	struct alert *alert;
	uint64_t token;
};

static void on_committed(int r, void *data)
{
	struct commit *commit = data;

	alert_committed(commit->alert, commit->token, r);
	if (r != -EINPROGRESS)
		free(commit);
}

/* What was told is written together with the notice. */
static int write_told(struct store_batch *batch, const struct notice *n, json_t *details)
{
	if (n->severity == SEVERITY_INFO)
		return store_batch_add(
			batch, STORE_RECORD_DELETE, "sss", RECORD_KIND, n->component, "");
	return store_batch_add(batch, STORE_RECORD_PUT, "sssij", RECORD_KIND, n->component, "",
		(int64_t)n->wall, details);
}

static int commit_notice(struct manager *m, struct notice *n)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	struct commit *commit = calloc(1, sizeof(*commit));
	int r = commit ? store_batch_new(&batch) : -ENOMEM;

	if (r == 0)
		r = write_told(batch, n, n->details);
	if (r == 0)
		r = alert_add(m->alert, n, batch);
	if (r < 0) {
		free(commit);
		return r;
	}
	if (r == 0)
		log_notice("backup of %s: no route takes the notice, nobody is told: %s",
			n->component, n->text);
	*commit = (struct commit){.alert = m->alert, .token = alert_seal(m->alert)};
	r = store_commit(m->store, TAKE(batch), on_committed, commit);
	if (r < 0)
		on_committed(r, commit);
	return 0;
}

static void tell(
	struct stale *stale, const struct conf_component *c, const struct stale_judgement *j)
{
	static const char *const why_names[] = {
		[STALE_NOT] = "ended", [STALE_GOOD] = "stale", [STALE_PROVEN] = "unproven"};
	struct notice notice = notice_of(c, j);
	auto_free char *text = text_of(c->name, j);
	auto_free char *fingerprint = str_printf("%s/backup.stale", c->name);
	auto_json json_t *details = json_pack("{s:s, s:o, s:o}", "why", why_names[j->why],
		"last_good", clock_to_json(j->good), "last_proven", clock_to_json(j->proven));
	int r = text && fingerprint && details ? 0 : -ENOMEM;

	if (r == 0 && is_held(stale->manager, &notice))
		return;
	notice.text = text;
	notice.fingerprint = fingerprint;
	notice.details = details;
	if (r == 0)
		r = commit_notice(stale->manager, &notice);
	if (r < 0) {
		log_error("backup of %s: cannot be told: %s", c->name, strerror(-r));
		return;
	}
	if (j->why == STALE_NOT)
		(void)json_object_del(stale->told, c->name);
	else
		(void)json_object_set(stale->told, c->name, details);
}

/* ---- looking -------------------------------------------------------------------------------- */

/* One notice at the crossing: that the reason is another one later says no more. */
static void look_at(struct stale *stale, const char *component, const json_t *entry)
{
	const struct manager *m = stale->manager;
	const struct conf_component *c = map_get(&m->conf->components, component);
	const char *policy = json_string_value(json_object_get(entry, "policy"));
	bool told = json_object_get(stale->told, component);
	struct stale_limits limits = {0};
	struct stale_judgement j;

	if (!c || !policy ||
		policies_get_duration(m->policies, policy, "stale_after", &limits.stale_after) <
			0 ||
		policies_get_duration(
			m->policies, policy, "unproven_after", &limits.unproven_after) < 0)
		return;
	j = stale_judge(json_object_get(entry, "sets"), &limits, clock_wall());
	if ((j.why != STALE_NOT) != told)
		tell(stale, c, &j);
}

/* By component: its sets, and the policy that wrote the newest. */
static json_t *by_component(json_t *rows)
{
	json_t *all = json_object(), *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		const char *component = json_string_value(json_object_get(row, "scope"));
		json_t *doc = json_object_get(row, "doc_json");
		json_t *set = json_object_get(doc, "value");
		json_t *entry = component ? json_object_get(all, component) : NULL;

		if (!component || !json_is_object(set))
			continue;
		if (!entry) { /* the newest comes first */
			entry = json_pack(
				"{s:[], s:O?}", "sets", "policy", json_object_get(doc, "policy"));
			if (json_object_set_new(all, component, entry) < 0)
				continue;
		}
		(void)json_array_append(json_object_get(entry, "sets"), set);
	}
	return all;
}

static struct stale *stale_unref(struct stale *stale)
{
	if (--stale->n_refs > 0)
		return NULL;
	json_decref(stale->told);
	free(stale);
	return NULL;
}

static void on_sets(int r, json_t *rows, void *data)
{
	struct stale *stale = data;
	auto_json json_t *all = NULL;
	const char *component;
	json_t *entry;

	stale->asking = false;
	if (r == 0 && stale->manager) {
		all = by_component(rows);
		json_object_foreach (all, component, entry)
			look_at(stale, component, entry);
	}
	stale_unref(stale);
}

void stale_look(struct stale *stale)
{
	if (!stale || stale->asking)
		return;
	stale->asking = true;
	stale->n_refs++;
	if (store_read(stale->manager->store, STORE_QUERY_RECORDS, on_sets, stale, "ssi", "backup",
		    NULL, (int64_t)SETS_MAX) < 0) {
		stale->asking = false;
		stale_unref(stale);
	}
}

/* ---- life ----------------------------------------------------------------------------------- */

static int load_told(struct stale *stale)
{
	auto_json json_t *rows = NULL;
	json_t *row;
	size_t i;
	int r = store_read_now(stale->manager->store, STORE_QUERY_RECORDS, &rows, "ssi",
		RECORD_KIND, NULL, (int64_t)TOLD_MAX);

	json_array_foreach (rows, i, row) {
		const char *component = json_string_value(json_object_get(row, "scope"));

		if (component)
			(void)json_object_set(
				stale->told, component, json_object_get(row, "doc_json"));
	}
	return r;
}

int stale_new(struct manager *manager, struct stale **ret_stale)
{
	struct stale *stale = calloc(1, sizeof(*stale));
	int r;

	if (!stale)
		return -ENOMEM;
	*stale = (struct stale){.manager = manager, .n_refs = 1, .told = json_object()};
	r = stale->told ? load_told(stale) : -ENOMEM;
	if (r < 0) {
		stale_unref(stale);
		return r;
	}
	*ret_stale = stale;
	return 0;
}

struct stale *stale_free(struct stale *stale)
{
	if (!stale)
		return NULL;
	stale->manager = NULL;
	return stale_unref(stale);
}
