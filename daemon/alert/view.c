/* SPDX-License-Identifier: MIT */
#include "alert/view.h"
#include <string.h>
#include "alert/text.h"
#include "base/clock.h"
#include "base/map.h"

enum { TEXT_BYTES = 16384, SUBJECTS = 3, WHAT_BYTES = 120, TIME_TEXT_BYTES = 32 };

const char *const view_status_names[VIEW_STATUS_MAX] = {
	[VIEW_FIRING] = "firing",
	[VIEW_RESOLVED] = "resolved",
	[VIEW_EVENT] = "event",
};

/* An alert of the view: an entry that no later one of the same incident has overtaken. */
struct item {
	const struct view_entry *entry;
	json_t *superseded; /* owned; NULL: none */
};
struct composer {
	const struct view_source *source;
	struct item *items;
	size_t n_items;
	unsigned n[VIEW_STATUS_MAX];
	int severity; /* the worst that fires, else the worst */
};

enum view_status view_status_of(enum notice_kind kind)
{
	switch (kind) {
	case NOTICE_INCIDENT_RAISED:
	case NOTICE_INCIDENT_CHANGED:
	case NOTICE_INCIDENT_REMINDER:
	case NOTICE_INCIDENT_ACKNOWLEDGED:
		return VIEW_FIRING;
	case NOTICE_INCIDENT_CLEARED:
		return VIEW_RESOLVED;
	default:
		return VIEW_EVENT;
	}
}

/* ---- what overtakes what -------------------------------------------------------------------- */

static int supersede(struct item *item, const struct item *old)
{
	const struct notice *n = old->entry->notice;

	if (!item->superseded)
		item->superseded = json_array();
	if (old->superseded && json_array_extend(item->superseded, old->superseded) < 0)
		return -ENOMEM;
	return json_array_append_new(item->superseded,
		       json_pack("{s:s, s:I, s:s, s:o}", "id", n->id, "sequence",
			       (json_int_t)old->entry->sequence, "kind", notice_kind_name(n->kind),
			       "time", clock_to_json(n->wall))) < 0
		       ? -ENOMEM
		       : 0;
}

static void items_free(struct composer *c)
{
	for (size_t i = 0; i < c->n_items; i++)
		json_decref(c->items[i].superseded);
	free(c->items);
}

/* The latest so far of each incident is in `latest`; what it overtakes has no entry any more. */
static int overtake(struct map *latest, struct item *item)
{
	const char *incident = item->entry->notice->incident_id;
	struct item *old = incident ? map_get(latest, incident) : NULL;
	int r = old ? supersede(item, old) : 0;

	if (r < 0 || !incident)
		return r;
	if (old) {
		json_decref(old->superseded);
		*old = (struct item){0};
	}
	return map_put(latest, incident, item);
}

static void compact(struct composer *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_items; i++)
		if (c->items[i].entry)
			c->items[n++] = c->items[i];
	c->n_items = n;
}

/* Of an incident only its latest notice shows; the others are named in it. */
static int collect(struct composer *c)
{
	const struct view_source *s = c->source;
	struct map latest = {0};
	int r = 0;

	c->items = calloc(s->n_entries, sizeof(*c->items));
	if (!c->items)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_entries && r == 0; i++) {
		const json_t *merged = s->entries[i].merged;

		c->items[i] = (struct item){.entry = &s->entries[i],
			.superseded = merged ? json_copy(s->entries[i].merged) : NULL};
		c->n_items++;
		r = overtake(&latest, &c->items[i]);
	}
	map_clear(&latest);
	compact(c);
	return r;
}

static void count(struct composer *c)
{
	int worst[VIEW_STATUS_MAX] = {-1, -1, -1};

	for (size_t i = 0; i < c->n_items; i++) {
		const struct notice *n = c->items[i].entry->notice;
		enum view_status status = view_status_of(n->kind);

		c->n[status]++;
		worst[status] = MAX(worst[status], (int)n->severity);
	}
	c->severity = worst[VIEW_FIRING] >= 0 ? worst[VIEW_FIRING]
					      : MAX(worst[VIEW_RESOLVED], worst[VIEW_EVENT]);
}

/* ---- titles --------------------------------------------------------------------------------- */

static const char *subject_of(const struct composer *c, const struct notice *n)
{
	return n->check	      ? n->check
	       : n->component ? n->component
	       : n->system    ? n->system
			      : c->source->host;
}

static void what_of(const struct composer *c, const struct notice *n, char buf[WHAT_BYTES])
{
	const char *reason = text_reason(n->reason, c->source->language);
	const char *text = reason ? reason : n->text ? n->text : "";
	size_t len = strcspn(text, "\n");

	snprintf(buf, WHAT_BYTES, "%.*s", (int)str_cut_utf8(text, len, WHAT_BYTES - 1), text);
}

static bool was_raised_and_cleared(const struct item *item)
{
	json_t *one;
	size_t i;

	if (item->entry->notice->kind != NOTICE_INCIDENT_CLEARED)
		return false;
	json_array_foreach (item->superseded, i, one) {
		const char *kind = json_string_value(json_object_get(one, "kind"));

		if (kind && strcmp(kind, notice_kind_name(NOTICE_INCIDENT_RAISED)) == 0)
			return true;
	}
	return false;
}

static enum text title_text(const struct item *item)
{
	switch (item->entry->notice->kind) {
	case NOTICE_INCIDENT_RAISED:
		return TEXT_TITLE_RAISED;
	case NOTICE_INCIDENT_CHANGED:
		return TEXT_TITLE_CHANGED;
	case NOTICE_INCIDENT_CLEARED:
		return was_raised_and_cleared(item) ? TEXT_TITLE_RAISED_CLEARED
						    : TEXT_TITLE_CLEARED;
	case NOTICE_INCIDENT_REMINDER:
		return TEXT_TITLE_REMINDER;
	case NOTICE_INCIDENT_ACKNOWLEDGED:
		return TEXT_TITLE_ACKNOWLEDGED;
	default:
		return TEXT_TITLE_EVENT;
	}
}

static int append_item_title(const struct composer *c, const struct item *item, struct str *out)
{
	const struct notice *n = item->entry->notice;
	enum conf_language language = c->source->language;
	char what[WHAT_BYTES];
	const struct text_word words[] = {{"severity", text_severity(n->severity, language)},
		{"subject", subject_of(c, n)}, {"what", what},
		{"kind", text_kind(n->kind, language)}, {NULL, NULL}};

	what_of(c, n, what);
	return text_append(out, title_text(item), language, words);
}

/* The first few of what the notices are about; of the others the number. */
static int append_subjects(const struct composer *c, struct str *out)
{
	enum conf_language language = c->source->language;
	auto_str struct str list = STR_INIT(TEXT_BYTES);
	struct map seen = {0};
	unsigned n = 0;
	char more[24];
	int r = 0;

	for (size_t i = 0; i < c->n_items && r == 0; i++) {
		const char *subject = subject_of(c, c->items[i].entry->notice);
		auto_free char *so_far = NULL;

		if (map_get(&seen, subject))
			continue;
		r = map_put(&seen, subject, &n);
		if (r < 0 || n++ >= SUBJECTS)
			continue;
		so_far = strdup(str_get(&list));
		const struct text_word words[] = {
			{"subjects", so_far}, {"subject", subject}, {NULL, NULL}};
		str_clear(&list);
		r = so_far ? n == 1 ? text_expand(&list, "{subject}", words)
				    : text_append(&list, TEXT_SUBJECTS_NEXT, language, words)
			   : -ENOMEM;
	}
	map_clear(&seen);
	if (r < 0 || n <= SUBJECTS)
		return r < 0 ? r : str_append(out, str_get(&list), list.len);
	/* English counts those that are not named, Chinese all of them. */
	snprintf(more, sizeof(more), "%u", language == LANGUAGE_ZH ? n : n - SUBJECTS);
	const struct text_word words[] = {{"subjects", str_get(&list)}, {"n", more}, {NULL, NULL}};
	return text_append(out, TEXT_SUBJECTS_MORE, language, words);
}

static int append_group_title(const struct composer *c, struct str *out)
{
	auto_str struct str subjects = STR_INIT(TEXT_BYTES);
	char numbers[VIEW_STATUS_MAX][16];
	enum text id = c->n[VIEW_FIRING] && c->n[VIEW_RESOLVED] ? TEXT_TITLE_GROUP
		       : c->n[VIEW_FIRING]			? TEXT_TITLE_FIRING
		       : c->n[VIEW_RESOLVED]			? TEXT_TITLE_RESOLVED
								: TEXT_TITLE_EVENTS;
	int r = append_subjects(c, &subjects);

	for (size_t i = 0; i < VIEW_STATUS_MAX; i++)
		snprintf(numbers[i], sizeof(numbers[i]), "%u", c->n[i]);
	const struct text_word words[] = {{"firing", numbers[VIEW_FIRING]},
		{"resolved", numbers[VIEW_RESOLVED]}, {"events", numbers[VIEW_EVENT]},
		{"subjects", str_get(&subjects)}, {NULL, NULL}};
	return r < 0 ? r : text_append(out, id, c->source->language, words);
}

static int cut_title(struct str *title, json_t **ret)
{
	size_t len = str_cut_utf8(str_get(title), title->len, VIEW_TITLE_BYTES);

	*ret = json_stringn(str_get(title), len);
	return *ret ? 0 : -ENOMEM;
}

/* ---- texts ---------------------------------------------------------------------------------- */

/* "2026-11-22 02:31:39 UTC" */
static const char *time_text(usec_t wall, char buf[TIME_TEXT_BYTES])
{
	char iso[CLOCK_TEXT_BYTES];

	clock_format(wall, iso);
	snprintf(buf, TIME_TEXT_BYTES, "%.10s %.8s UTC", iso, iso + 11);
	return buf;
}

static int add_line(const struct composer *c, struct str *out, enum text id, const char *name,
	const char *value, const char *name2, const char *value2)
{
	const struct text_word words[] = {{name, value}, {name2, value2}, {NULL, NULL}};
	int r = out->len ? str_append(out, "\n", 1) : 0;

	return r < 0 ? r : text_append(out, id, c->source->language, words);
}

static int append_times(const struct composer *c, const struct notice *n, struct str *out)
{
	char since[TIME_TEXT_BYTES], ended[TIME_TEXT_BYTES], span[TEXT_SPAN_BYTES];
	int r;

	if (!n->since_wall)
		return 0;
	r = add_line(c, out, TEXT_LINE_SINCE, "since", time_text(n->since_wall, since), NULL, NULL);
	if (r < 0 || n->kind != NOTICE_INCIDENT_CLEARED)
		return r;
	text_span(n->wall > n->since_wall ? n->wall - n->since_wall : 0, c->source->language, span);
	return add_line(c, out, TEXT_LINE_ENDED, "ended", time_text(n->wall, ended), "span", span);
}

static int append_own_text(const struct composer *c, const struct item *item, struct str *out)
{
	const struct notice *n = item->entry->notice;
	const struct text_word words[] = {{"text", n->text ? n->text : ""}, {NULL, NULL}};

	if (was_raised_and_cleared(item))
		return text_append(out, TEXT_RAISED_CLEARED, c->source->language, words);
	return text_expand(out, "{text}", words);
}

static int append_single(const struct composer *c, const struct item *item, struct str *out)
{
	const struct notice *n = item->entry->notice;
	enum conf_language language = c->source->language;
	const char *reason = text_reason(n->reason, language);
	int r = append_own_text(c, item, out);

	if (r == 0 && reason && n->kind != NOTICE_INCIDENT_CLEARED)
		r = add_line(c, out, TEXT_LINE_REASON, "reason", reason, "name", n->reason);
	if (r == 0 && n->component)
		r = add_line(c, out, TEXT_LINE_COMPONENT, "component", n->component, "environment",
			n->environment ? text_environment(n->environment, language) : "");
	return r < 0 ? r : append_times(c, n, out);
}

static int append_list(const struct composer *c, struct str *out)
{
	char more[24];
	int r = 0;

	for (size_t i = 0; i < MIN(c->n_items, (size_t)VIEW_LINES) && r == 0; i++) {
		auto_str struct str title = STR_INIT(TEXT_BYTES);

		r = append_item_title(c, &c->items[i], &title);
		if (r == 0)
			r = add_line(c, out, TEXT_LINE_ALERT, "title", str_get(&title), NULL, NULL);
	}
	if (r < 0 || c->n_items <= VIEW_LINES)
		return r;
	snprintf(more, sizeof(more), "%zu", c->n_items - VIEW_LINES);
	return add_line(c, out, TEXT_WORD_MORE, "n", more, NULL, NULL);
}

/* Of a group the command is for one of it, as an example would be of no use: there is none. */
static char *ack_command(const struct composer *c)
{
	const struct notice *n = c->items[0].entry->notice;

	if (c->n_items != 1 || !n->incident_id || view_status_of(n->kind) != VIEW_FIRING ||
		n->kind == NOTICE_INCIDENT_ACKNOWLEDGED)
		return NULL;
	return str_printf("tendctl incident acknowledge %s --comment '...'", n->incident_id);
}

/* What is to be said of the sending itself: a line each. */
static json_t *notes_of(const struct composer *c)
{
	const struct view_source *s = c->source;
	auto_str struct str late = STR_INIT(TEXT_BYTES), instead = STR_INIT(TEXT_BYTES);
	json_t *notes = json_array();
	char span[TEXT_SPAN_BYTES];

	if (s->late_seconds > 0) {
		text_span((usec_t)s->late_seconds * USEC_PER_SEC, s->language, span);
		(void)add_line(c, &late, TEXT_LINE_LATE, "span", span, NULL, NULL);
		(void)json_array_append_new(notes, json_string(str_get(&late)));
	}
	if (s->via) {
		(void)add_line(c, &instead, TEXT_LINE_INSTEAD, "receiver", s->via, NULL, NULL);
		(void)json_array_append_new(notes, json_string(str_get(&instead)));
	}
	return notes;
}

static int append_tail(
	const struct composer *c, const char *command, const json_t *notes, struct str *out)
{
	json_t *note;
	size_t i;
	int r = 0;

	json_array_foreach (notes, i, note) {
		r = out->len ? str_append(out, "\n", 1) : 0;
		if (r == 0)
			r = str_append(out, json_string_value(note), json_string_length(note));
		if (r < 0)
			return r;
	}
	if (command)
		r = add_line(c, out, TEXT_LINE_ACKNOWLEDGE, "command", command, NULL, NULL);
	return r;
}

/* ---- alerts --------------------------------------------------------------------------------- */

static json_t *optional(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *class_of(const json_t *labels)
{
	return optional(json_string_value(json_object_get(labels, "class")));
}

static json_t *text_of(const struct composer *c, const struct item *item, bool title)
{
	auto_str struct str out = STR_INIT(TEXT_BYTES);
	json_t *text = NULL;
	int r = title ? append_item_title(c, item, &out) : append_own_text(c, item, &out);

	if (r == 0 && title)
		(void)cut_title(&out, &text);
	else if (r == 0)
		text = json_stringn(str_get(&out), out.len);
	return text;
}

static json_t *item_to_json(const struct composer *c, const struct item *item)
{
	const struct notice *n = item->entry->notice;
	enum conf_language language = c->source->language;
	bool acknowledged = n->kind == NOTICE_INCIDENT_ACKNOWLEDGED ||
			    json_is_true(json_object_get(n->details, "acknowledged"));
	json_t *alert = json_pack("{s:s, s:I, s:s, s:s, s:o, s:o, s:s, s:s, s:s}", "id", n->id,
		"sequence", (json_int_t)item->entry->sequence, "kind", notice_kind_name(n->kind),
		"status", view_status_names[view_status_of(n->kind)], "title",
		text_of(c, item, true), "incident", optional(n->incident_id), "fingerprint",
		n->fingerprint && *n->fingerprint ? n->fingerprint : "daemon", "severity",
		conf_severity_names[n->severity], "severity_text",
		text_severity(n->severity, language));

	if (!alert ||
		json_object_update_new(alert,
			json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
				"system", optional(n->system), "environment",
				optional(n->environment), "component", optional(n->component),
				"check", optional(n->check), "state", optional(n->state), "reason",
				optional(n->reason), "reason_text",
				optional(text_reason(n->reason, language)), "class",
				class_of(n->labels), "text", text_of(c, item, false), "since",
				clock_to_json(n->since_wall), "time", clock_to_json(n->wall),
				"ended",
				clock_to_json(n->kind == NOTICE_INCIDENT_CLEARED ? n->wall : 0))) <
			0 ||
		json_object_update_new(alert,
			json_pack("{s:o, s:o, s:o, s:b, s:o}", "labels",
				n->labels ? json_incref(n->labels) : json_object(), "told",
				n->told ? json_incref(n->told) : json_array(), "superseded",
				item->superseded ? json_incref(item->superseded) : json_array(),
				"acknowledged", acknowledged, "details",
				n->details ? json_incref(n->details) : json_object())) < 0)
		return json_decref(alert), NULL;
	return alert;
}

static int alerts_to_json(const struct composer *c, json_t **ret_alerts, size_t *ret_n_more)
{
	auto_json json_t *alerts = json_array();
	size_t bytes = 0, i;

	for (i = 0; i < c->n_items; i++) {
		auto_json json_t *alert = item_to_json(c, &c->items[i]);
		size_t size = alert ? json_dumpb(alert, NULL, 0, JSON_COMPACT) : 0;

		if (!alert)
			return -ENOMEM;
		if (bytes + size > VIEW_BYTES / 2 &&
			json_object_set_new(alert, "details", json_object()) == 0)
			size = json_dumpb(alert, NULL, 0, JSON_COMPACT);
		if (bytes + size > VIEW_BYTES)
			break;
		bytes += size;
		if (json_array_append(alerts, alert) < 0)
			return -ENOMEM;
	}
	*ret_n_more = c->n_items - i;
	*ret_alerts = TAKE(alerts);
	return 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static json_t *words_to_json(enum conf_language language)
{
	static const struct {
		const char *name;
		enum text id;
	} words[] = {
		{"component", TEXT_WORD_COMPONENT},
		{"check", TEXT_WORD_CHECK},
		{"environment", TEXT_WORD_ENVIRONMENT},
		{"severity", TEXT_WORD_SEVERITY},
		{"reason", TEXT_WORD_REASON},
		{"since", TEXT_WORD_SINCE},
		{"ended", TEXT_WORD_ENDED},
		{"incident", TEXT_WORD_INCIDENT},
		{"host", TEXT_WORD_HOST},
		{"acknowledge", TEXT_WORD_ACKNOWLEDGE},
		{"more", TEXT_WORD_MORE},
	};
	json_t *all = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (json_object_set_new(all, words[i].name,
			    json_string(text_sentence(words[i].id, language))) < 0)
			return json_decref(all), NULL;
	return all;
}

static json_t *type_of(const struct composer *c)
{
	const struct view_source *s = c->source;

	if (s->n_entries > 1)
		return json_string("tend.incident.group");
	return json_sprintf("tend.%s", notice_kind_name(s->entries[0].notice->kind));
}

static usec_t latest_of(const struct view_source *s)
{
	usec_t latest = 0;

	for (size_t i = 0; i < s->n_entries; i++)
		latest = MAX(latest, s->entries[i].notice->wall);
	return latest;
}

static json_t *head_to_json(const struct composer *c)
{
	const struct view_source *s = c->source;
	const char *kind =
		s->n_entries > 1 ? "incident.group" : notice_kind_name(s->entries[0].notice->kind);

	return json_pack("{s:s, s:s, s:o, s:s, s:o, s:s, s:s, s:o, s:o, s:I, s:I, s:s, s:b}", "id",
		s->id, "kind", kind, "type", type_of(c), "receiver", s->receiver, "via",
		optional(s->via), "host", s->host, "language", conf_language_names[s->language],
		"time", clock_to_json(latest_of(s)), "sent", clock_to_json(s->wall), "late_seconds",
		(json_int_t)s->late_seconds, "sequence",
		(json_int_t)s->entries[s->n_entries - 1].sequence, "epoch", s->epoch, "undurable",
		s->undurable);
}

static json_t *group_to_json(const struct view_source *s)
{
	if (s->n_entries == 1 && (!s->group_key || !*s->group_key))
		return json_null();
	return json_pack("{s:s, s:o}", "key", s->group_key ? s->group_key : "", "labels",
		s->group_labels ? json_incref(s->group_labels) : json_object());
}

static int add_texts(const struct composer *c, json_t *view)
{
	auto_str struct str title = STR_INIT(TEXT_BYTES), text = STR_INIT(TEXT_BYTES);
	auto_free char *command = ack_command(c);
	auto_json json_t *notes = notes_of(c);
	json_t *cut = NULL;
	int r = c->n_items == 1 ? append_item_title(c, &c->items[0], &title)
				: append_group_title(c, &title);

	if (r == 0)
		r = c->n_items == 1 ? append_single(c, &c->items[0], &text) : append_list(c, &text);
	if (r == 0)
		r = append_tail(c, command, notes, &text);
	/* No room: what is there stays. */
	if (r < 0 && r != -ENOBUFS)
		return r;
	r = cut_title(&title, &cut);
	if (r < 0)
		return r;
	return json_object_update_new(
		       view, json_pack("{s:o, s:o, s:O, s:{s:o}}", "title", cut, "text",
				     json_stringn(str_get(&text), text.len), "notes", notes, "ack",
				     "command", optional(command))) < 0
		       ? -ENOMEM
		       : 0;
}

static int compose(struct composer *c, json_t **ret_view)
{
	const struct view_source *s = c->source;
	auto_json json_t *view = NULL;
	json_t *alerts;
	size_t n_more;
	int r = collect(c);

	if (r < 0)
		return r;
	count(c);
	view = head_to_json(c);
	r = view ? alerts_to_json(c, &alerts, &n_more) : -ENOMEM;
	if (r < 0)
		return r;
	if (json_object_update_new(
		    view, json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "status",
				  view_status_names[c->n[VIEW_FIRING]	  ? VIEW_FIRING
						    : c->n[VIEW_RESOLVED] ? VIEW_RESOLVED
									  : VIEW_EVENT],
				  "severity", conf_severity_names[c->severity], "severity_text",
				  text_severity((enum conf_severity)c->severity, s->language),
				  "n_firing", (json_int_t)c->n[VIEW_FIRING], "n_resolved",
				  (json_int_t)c->n[VIEW_RESOLVED], "n_more", (json_int_t)n_more,
				  "group", group_to_json(s), "words", words_to_json(s->language),
				  "alerts", alerts)) < 0)
		return -ENOMEM;
	r = add_texts(c, view);
	if (r == 0)
		*ret_view = TAKE(view);
	return r;
}

int view_compose(const struct view_source *source, json_t **ret_view)
{
	struct composer c = {.source = source};
	int r = source->n_entries > 0 ? compose(&c, ret_view) : -EINVAL;

	items_free(&c);
	return r;
}
