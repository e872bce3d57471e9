/* SPDX-License-Identifier: MIT */
#include "api/inbound.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include "base/clock.h"
#include "base/hash.h"

/* ---- labels --------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && *text ? text : NULL;
}

/* What can be a label, cut to `size`; "" when it cannot. */
static const char *clean_value(const json_t *value, char *buf, size_t size)
{
	char number[64] = "";
	const char *text = json_string_value(value);

	if (json_is_integer(value))
		(void)snprintf(
			number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		(void)snprintf(number, sizeof(number), "%g", json_real_value(value));
	else if (json_is_boolean(value))
		(void)snprintf(
			number, sizeof(number), "%s", json_is_true(value) ? "true" : "false");
	text = text ? text : number;
	str_sanitize(buf, size, text, strlen(text));
	return buf;
}

/* What is there stays. */
static void add_label(json_t *labels, const char *name, const json_t *value)
{
	char clean[INBOUND_LABEL_BYTES];

	if (!match_name_valid(name, strlen(name)) || json_object_get(labels, name) ||
		json_object_size(labels) >= INBOUND_MAX_LABELS ||
		!*clean_value(value, clean, sizeof(clean)))
		return;
	(void)json_object_set_new(labels, name, json_string(clean));
}

static void add_labels(json_t *labels, const json_t *from)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)from, name, value)
		add_label(labels, name, value);
}

/* "my-label" -> "my_label", "1st" -> "_1st"; false: too long. */
static bool clean_name(const char *name, char buf[MATCH_NAME_BYTES])
{
	bool digit = *name >= '0' && *name <= '9';
	int n = snprintf(buf, MATCH_NAME_BYTES, "%s%s", digit ? "_" : "", name);

	for (char *p = buf; *p; p++)
		if (!match_name_valid(p, 1) && (*p < '0' || *p > '9'))
			*p = '_';
	return n > 0 && n < MATCH_NAME_BYTES;
}

static void tell_label(struct inbound_event *event, const char *name, const json_t *value)
{
	char clean[MATCH_NAME_BYTES], text[EVENT_LABEL_BYTES];
	size_t n;

	if (!clean_name(name, clean) || json_object_get(event->told, clean) ||
		json_object_size(event->told) >= EVENT_MAX_LABELS ||
		!*clean_value(value, text, sizeof(text)))
		return;
	n = strlen(clean) + strlen(text);
	if (event->told_bytes + n > EVENT_LABELS_BYTES ||
		json_object_set_new(event->told, clean, json_string(text)) < 0)
		return;
	event->told_bytes += n;
}

static void tell_labels(struct inbound_event *event, const json_t *from)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)from, name, value)
		tell_label(event, name, value);
}

/* ---- fingerprints --------------------------------------------------------------------------- */

/* Who can make two alike has the source's token and can say anything anyway. */
static uint64_t add_text(uint64_t hash, const char *text)
{
	return hash_bytes(hash_text(hash, text), "\xff", 1);
}

static void write_hash(uint64_t hash, char buf[EVENT_FINGERPRINT_BYTES])
{
	(void)snprintf(buf, EVENT_FINGERPRINT_BYTES, "%016" PRIx64, hash);
}

static int fingerprint_of_labels(const json_t *labels, char buf[EVENT_FINGERPRINT_BYTES])
{
	auto_free char *text = json_dumps(labels, JSON_COMPACT | JSON_SORT_KEYS);

	if (!text)
		return -ENOMEM;
	write_hash(add_text(HASH_INIT, text), buf);
	return 0;
}

static bool is_fingerprint(const char *text)
{
	return text && strlen(text) == EVENT_FINGERPRINT_BYTES - 1 &&
	       strspn(text, "0123456789abcdef") == EVENT_FINGERPRINT_BYTES - 1;
}

/* ---- what the source makes of it ------------------------------------------------------------ */

static bool is_among(char *const *words, const char *text)
{
	for (; words && *words; words++)
		if (strcasecmp(*words, text) == 0)
			return true;
	return false;
}

static void judge_severity(
	const struct conf_source *source, struct inbound_event *event, bool resolved)
{
	const char *severity =
		source->severity_label ? text_of(event->labels, source->severity_label) : NULL;

	/* An end is taken whatever it is called: it may be that of a worse one. */
	event->state = resolved ? TEND_STATE_OK : TEND_STATE_WARNING;
	if (resolved || !severity)
		return;
	if (is_among(source->critical, severity)) {
		event->state = TEND_STATE_CRITICAL;
	} else if (is_among(source->ignore, severity)) {
		event->ignored = true;
		event->state = TEND_STATE_OK;
	}
}

static const struct conf_component *find_component(const struct conf *conf,
	const struct conf_source *source, const struct inbound_event *event)
{
	const char *named =
		source->component_label ? text_of(event->labels, source->component_label) : NULL;
	const struct conf_component *component = NULL;

	VEC_FOREACH (&source->rules, const struct conf_source_rule *, rule)
		if (matchers_fit(rule->match, event->labels, NULL))
			return rule->component;
	if (named)
		component = map_get(&conf->components, named);
	return component ? component : source->component;
}

char *inbound_advice(const struct conf_source *source, const struct inbound_event *event)
{
	auto_free char *labels = json_dumps(event->labels, JSON_COMPACT | JSON_SORT_KEYS);

	return str_printf("the source '%s' does not say which component this is about: %.600s; add "
			  "`match.SYSTEM/COMPONENT = LABEL=VALUE' to [source %s], or `component =' "
			  "for all the rest",
		source->name, labels ? labels : "", source->name);
}

/* ---- Alertmanager --------------------------------------------------------------------------- */

static void say_alert(const json_t *alert, struct inbound_event *event)
{
	static const char *const annotations[] = {"summary", "description", "message"};
	const json_t *from = json_object_get(alert, "annotations");
	const char *name = text_of(event->labels, "alertname"), *said = NULL;
	const char *instance = text_of(event->labels, "instance");
	char raw[RESULT_TEXT_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(annotations) && !said; i++)
		said = text_of(from, annotations[i]);
	if (said)
		(void)snprintf(raw, sizeof(raw), "%.100s: %.400s", name ? name : "alert", said);
	else
		(void)snprintf(raw, sizeof(raw), "%.200s%s%.200s", name ? name : "alert",
			instance ? " at " : "", instance ? instance : "");
	str_sanitize(event->text, sizeof(event->text), raw, strlen(raw));
}

static int take_alert(const json_t *alert, const char *status, struct tend_error *err,
	struct inbound_event *event, bool *ret_resolved)
{
	const json_t *labels = json_object_get(alert, "labels");
	const char *fingerprint = text_of(alert, "fingerprint");
	const char *own = text_of(alert, "status");

	if (!json_is_object(labels) || json_object_size(labels) == 0)
		return tend_error_set(err, -EINVAL, "an alert has no labels");
	status = own ? own : status;
	if (!status || (strcmp(status, "firing") != 0 && strcmp(status, "resolved") != 0))
		return tend_error_set(
			err, -EINVAL, "the status of an alert is neither firing nor resolved");
	*ret_resolved = strcmp(status, "resolved") == 0;
	add_labels(event->labels, labels);
	tell_labels(event, labels);
	say_alert(alert, event);
	if (!is_fingerprint(fingerprint))
		return fingerprint_of_labels(event->labels, event->fingerprint);
	memcpy(event->fingerprint, fingerprint, sizeof(event->fingerprint));
	return 0;
}

/* ---- CloudEvents ---------------------------------------------------------------------------- */

static const char *const over[] = {"resolved", "cleared", "closed", "ok", "recovered", NULL};
static const char *const going[] = {
	"raised", "changed", "firing", "opened", "triggered", "reminder", NULL};

static bool is_word(const char *const *words, const char *text)
{
	for (; *words; words++)
		if (strcasecmp(*words, text) == 0)
			return true;
	return false;
}

/* Without a subject the same thing is told by the type, less the word that says how it is. */
static uint64_t hash_type(uint64_t hash, const char *type)
{
	const char *last = strrchr(type, '.');
	auto_free char *stem = last && (is_word(over, last + 1) || is_word(going, last + 1))
				       ? strndup(type, (size_t)(last - type))
				       : NULL;

	return add_text(hash, stem ? stem : type);
}

static void say_cloudevent(const json_t *data, const char *type, struct inbound_event *event)
{
	static const char *const keys[] = {"text", "summary", "message", "description"};
	const char *said = json_string_value(data);
	const char *subject = text_of(event->labels, "subject");
	char raw[RESULT_TEXT_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(keys) && !said; i++)
		said = text_of(data, keys[i]);
	(void)snprintf(raw, sizeof(raw), "%.120s%s%.380s", subject ? subject : type,
		said ? ": " : "", said ? said : "");
	str_sanitize(event->text, sizeof(event->text), raw, strlen(raw));
}

static bool is_extension(const char *name)
{
	static const char *const core[] = {"specversion", "id", "source", "type", "subject", "time",
		"datacontenttype", "dataschema", "data", "data_base64"};

	for (size_t i = 0; i < ARRAY_SIZE(core); i++)
		if (strcmp(core[i], name) == 0)
			return false;
	return true;
}

/* Members of data are for rules; many of them change all the time, and are no labels of notices
 * unless they are called so. */
static void label_cloudevent(const json_t *doc, const json_t *data, struct inbound_event *event)
{
	static const char *const context[] = {"type", "source", "subject"};
	const char *name;
	json_t *value;

	for (size_t i = 0; i < ARRAY_SIZE(context); i++) {
		add_label(event->labels, context[i], json_object_get(doc, context[i]));
		tell_label(event, context[i], json_object_get(doc, context[i]));
	}
	add_labels(event->labels, data);
	add_labels(event->labels, json_object_get(data, "labels"));
	tell_labels(event, json_object_get(data, "labels"));
	json_object_foreach ((json_t *)(uintptr_t)doc, name, value)
		if (is_extension(name)) {
			add_label(event->labels, name, value);
			tell_label(event, name, value);
		}
}

static int take_cloudevent(
	const json_t *doc, struct tend_error *err, struct inbound_event *event, bool *ret_resolved)
{
	const json_t *data = json_object_get(doc, "data");
	const char *version = text_of(doc, "specversion"), *type = text_of(doc, "type");
	const char *source = text_of(doc, "source"), *subject = text_of(doc, "subject");
	const char *status, *last = type ? strrchr(type, '.') : NULL;
	uint64_t hash;

	if (!version || strcmp(version, "1.0") != 0)
		return tend_error_set(err, -EINVAL, "only CloudEvents 1.0 are understood");
	if (!type || !source || !text_of(doc, "id"))
		return tend_error_set(err, -EINVAL, "a CloudEvent needs id, source and type");
	label_cloudevent(doc, data, event);
	status = text_of(data, "status");
	status = status ? status : text_of(data, "state");
	*ret_resolved = (last && is_word(over, last + 1)) || (status && is_word(over, status));
	say_cloudevent(data, type, event);
	hash = add_text(HASH_INIT, source);
	write_hash(subject ? add_text(hash, subject) : hash_type(hash, type), event->fingerprint);
	return 0;
}

/* ---- all of it ------------------------------------------------------------------------------ */

void inbound_clear(struct inbound *inbound)
{
	for (size_t i = 0; i < inbound->n; i++) {
		json_decref(inbound->events[i].labels);
		json_decref(inbound->events[i].told);
	}
	free(inbound->events);
	*inbound = (struct inbound){0};
}

static int take_one(const struct conf *conf, const struct conf_source *source, const json_t *doc,
	const char *status, bool is_alert, struct tend_error *err, struct inbound *inbound)
{
	struct inbound_event *event = &inbound->events[inbound->n++];
	bool resolved = false;
	int r;

	event->labels = json_object();
	event->told = json_object();
	if (!event->labels || !event->told)
		return -ENOMEM;
	r = is_alert ? take_alert(doc, status, err, event, &resolved)
		     : take_cloudevent(doc, err, event, &resolved);
	if (r == -EINVAL) {
		event->refused = true;
		str_sanitize(event->text, sizeof(event->text), err->text, strlen(err->text));
		return 0;
	}
	if (r < 0)
		return r;
	judge_severity(source, event, resolved);
	event->component = find_component(conf, source, event);
	return 0;
}

/* Of several, those that are not understood do not take the others with them. */
static bool all_refused(const struct inbound *inbound)
{
	for (size_t i = 0; i < inbound->n; i++)
		if (!inbound->events[i].refused)
			return false;
	return inbound->n > 0;
}

int inbound_parse(const struct conf *conf, const struct conf_source *source, const char *body,
	size_t len, struct tend_error *err, struct inbound *ret_inbound)
{
	struct inbound inbound = {0};
	json_error_t error;
	auto_json json_t *doc = json_loadb(body, len, JSON_REJECT_DUPLICATES, &error);
	const json_t *alerts = json_object_get(doc, "alerts");
	const char *version = text_of(doc, "version"), *status = text_of(doc, "status");
	const json_t *list = json_is_array(doc) ? doc : alerts;
	size_t n = json_is_array(list) ? json_array_size(list) : 1;
	int r = 0;

	if (!doc)
		return tend_error_set(err, -EINVAL, "no JSON: line %d: %s", error.line, error.text);
	if (alerts && (!json_is_array(alerts) || !version || strcmp(version, "4") != 0))
		return tend_error_set(err, -EINVAL,
			"of webhooks of an Alertmanager only version 4 is understood");
	if (!alerts && !json_is_array(doc) && !json_object_get(doc, "specversion"))
		return tend_error_set(err, -EINVAL,
			"neither a webhook of an Alertmanager (alerts) nor a CloudEvent "
			"(specversion)");
	if (n > INBOUND_MAX)
		return tend_error_set(err, -E2BIG, "more than %d events at once", INBOUND_MAX);
	inbound.events = calloc(MAX(n, (size_t)1), sizeof(*inbound.events));
	if (!inbound.events)
		return -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++)
		r = take_one(conf, source, json_is_array(list) ? json_array_get(list, i) : doc,
			status, alerts != NULL, err, &inbound);
	if (r == 0 && all_refused(&inbound))
		r = -EINVAL; /* `err` has the last one's reason */
	if (r < 0) {
		inbound_clear(&inbound);
		return r;
	}
	*ret_inbound = inbound;
	return 0;
}
