/* SPDX-License-Identifier: MIT */
/* Approvals in words and as JSON. */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "policy/approve.h"

enum { SEARCHED = 2000 };

const char *approval_deed(const struct step *step, char *buf, size_t size)
{
	auto_free char *args =
		json_dumps(step->args, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	auto_free char *text = str_printf("%s %s", step->verb->name, args ? args : "");

	if (!text)
		return step->verb->name;
	str_sanitize(buf, size, text, strlen(text));
	return buf;
}

const char *approval_people(const json_t *votes, char *buf, size_t size)
{
	struct str text = STR_INIT(size - 1);
	const json_t *vote;
	size_t i;

	json_array_foreach (votes, i, vote) {
		const char *author = json_string_value(json_object_get(vote, "author"));

		if (author &&
			str_eq(json_string_value(json_object_get(vote, "decision")), "approve"))
			(void)str_appendf(&text, "%s%s", text.len ? ", " : "", author);
	}
	(void)snprintf(buf, size, "%s", str_get(&text));
	str_clear(&text);
	return buf;
}

static const char *text_of(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

char *approval_notice_text(const struct approval *a)
{
	char until[CLOCK_TEXT_BYTES];
	auto_free char *people =
		a->needed > 1 ? str_printf("%u different people", a->needed) : strdup("a person");

	clock_format(a->expires, until);
	if (a->sign_off)
		return str_printf("policy %s on %s waits until %s has signed off: %.400s; by %s: "
				  "tendctl approval grant %s",
			text_of(a->doc, "policy"), text_of(a->doc, "target"), people ? people : "",
			text_of(a->doc, "text"), until, a->id);
	return str_printf("policy %s on %s waits for the approval of %s to do this: %.400s; by %s: "
			  "tendctl approval grant %s",
		text_of(a->doc, "policy"), text_of(a->doc, "target"), people ? people : "",
		text_of(a->doc, "deed"), until, a->id);
}

/* What a row of the store and one in memory have in common. */
static json_t *to_json(const char *id, const char *run, const char *path, const char *hash,
	const char *state, json_int_t needed, const usec_t times[3], const json_t *doc)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o}", "id", id, "run",
		run, "path", path, "hash", hash, "state", state, "needed", needed, "created",
		clock_to_json(times[0]), "expires", clock_to_json(times[1]), "ended",
		clock_to_json(times[2]));
	json_int_t given = (json_int_t)approval_votes(doc);

	if (!json)
		return NULL;
	(void)json_object_update_missing(json, (json_t *)(uintptr_t)doc);
	(void)json_object_set_new(json, "given", json_integer(given));
	return json;
}

json_t *approval_to_json(const struct approval *a)
{
	const usec_t times[3] = {a->created, a->expires, a->ended};

	return to_json(a->id, a->run, a->path, a->hash, approval_state_names[a->state],
		(json_int_t)a->needed, times, a->doc);
}

static usec_t time_of(const json_t *row, const char *key)
{
	return (usec_t)json_integer_value(json_object_get(row, key));
}

static json_t *row_to_json(const json_t *row)
{
	const usec_t times[3] = {
		time_of(row, "created"), time_of(row, "expires"), time_of(row, "ended")};

	return to_json(text_of(row, "id"), text_of(row, "run"), text_of(row, "path"),
		text_of(row, "hash"), text_of(row, "state"),
		json_integer_value(json_object_get(row, "needed")), times,
		json_object_get(row, "doc_json"));
}

/* ---- questions ------------------------------------------------------------------------------- */

struct approvals_call {
	policies_rows_fn fn;
	void *data;
	char id[UUID_TEXT_BYTES]; /* only those that begin so; "" = all */
};

static void on_rows(int r, json_t *rows, void *data)
{
	auto_free struct approvals_call *call = data;
	auto_json json_t *list = json_array();
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row)
		if (str_startswith(text_of(row, "id"), call->id))
			(void)json_array_append_new(list, row_to_json(row));
	call->fn(r, list, call->data);
}

static int ask_store(struct policies *p, const char *run, const char *id, int limit,
	policies_rows_fn fn, void *data)
{
	struct approvals_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return -ENOMEM;
	call->fn = fn;
	call->data = data;
	(void)snprintf(call->id, sizeof(call->id), "%s", id);
	r = store_read(
		p->deps.store, STORE_QUERY_APPROVALS, on_rows, call, "si", run, (int64_t)limit);
	if (r < 0)
		free(call);
	return r;
}

int policies_approvals(
	struct policies *policies, const char *run, int limit, policies_rows_fn fn, void *data)
{
	return ask_store(policies, run, "", limit, fn, data);
}

int policies_approval_show(
	struct policies *policies, const char *id, policies_rows_fn fn, void *data)
{
	auto_json json_t *found = json_array();

	/* The latest are here; an older one is looked for among as many as fit into an answer. */
	VEC_FOREACH (&policies->approvals, const struct approval *, a)
		if (str_startswith(a->id, id) && !a->is_new)
			(void)json_array_append_new(found, approval_to_json(a));
	if (json_array_size(found) == 0)
		return ask_store(policies, NULL, id, SEARCHED, fn, data);
	fn(0, found, data);
	return 0;
}

size_t policies_n_waiting_approvals(const struct policies *policies)
{
	size_t n = 0;

	VEC_FOREACH (&policies->approvals, const struct approval *, a)
		n += a->state == APPROVAL_WAITING;
	return n;
}
