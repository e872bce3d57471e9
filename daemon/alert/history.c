/* SPDX-License-Identifier: MIT */
/*
 * alert/history.c: was it delivered? One notice, or one shipment of several: what became of it at
 * each receiver, and every try. From memory what goes on, from the ledger the rest.
 */
#include <string.h>
#include "alert/private.h"
#include "base/str.h"

struct question {
	struct alert *alert;
	char *id; /* as asked: perhaps only its beginning */
	json_t *deliveries;
	json_t *tries; /* of memory, when the store was asked for them; NULL */
	alert_delivery_fn fn;
	void *data;
};

static struct question *question_free(struct question *q)
{
	if (q) {
		free(q->id);
		json_decref(q->deliveries);
		json_decref(q->tries);
		free(q);
	}
	return NULL;
}
DEFINE_AUTO(struct question *, question_free)

static bool begins(const char *id, const char *with)
{
	return strncmp(id, with, strlen(with)) == 0;
}

/* What memory knows is newer than any row. */
static void put(json_t *list, const struct delivery *d)
{
	auto_json json_t *one = delivery_to_json(d);
	json_t *row;
	size_t i;

	(void)json_object_set(one, "doc_json", d->record->doc);
	json_array_foreach (list, i, row) {
		if (str_eq(json_string_value(json_object_get(row, "notice")),
			    d->record->notice.id) &&
			str_eq(json_string_value(json_object_get(row, "receiver")),
				d->receiver->name)) {
			(void)json_array_set(list, i, one);
			return;
		}
	}
	(void)json_array_append(list, one);
}

static void add_memory(const struct question *q)
{
	MAP_FOREACH (&q->alert->receivers, struct receiver *, receiver)
		for (struct delivery *d = receiver->outbox.oldest; d; d = d->newer)
			if (begins(d->record->notice.id, q->id) ||
				(d->batch[0] && begins(d->batch, q->id)))
				put(q->deliveries, d);
	VEC_FOREACH (&q->alert->unwritten, struct delivery *, d)
		if (begins(d->record->notice.id, q->id) || (d->batch[0] && begins(d->batch, q->id)))
			put(q->deliveries, d);
}

/* The whole id that was meant; NULL: none, or several begin so. */
static const char *meant(const struct question *q)
{
	const char *found = NULL;
	json_t *row;
	size_t i;

	json_array_foreach (q->deliveries, i, row) {
		const char *notice = json_string_value(json_object_get(row, "notice"));
		const char *batch = json_string_value(json_object_get(row, "batch"));
		const char *id = notice && begins(notice, q->id) ? notice : batch;

		if (!id || (found && strcmp(found, id) != 0))
			return NULL;
		found = id;
	}
	return found;
}

static bool same_try(json_t *a, json_t *b)
{
	return json_equal(json_object_get(a, "n"), json_object_get(b, "n")) &&
	       json_equal(json_object_get(a, "receiver"), json_object_get(b, "receiver"));
}

/* A row may be on its way: in memory and in the store, or, when the answer comes, in neither. */
static void add_tries(json_t *list, json_t *more)
{
	json_t *one, *known;
	size_t i, j;

	json_array_foreach (more, i, one) {
		bool found = false;

		json_array_foreach (list, j, known)
			found = found || same_try(one, known);
		if (!found)
			(void)json_array_append(list, one);
	}
}

/* What has not been written yet. */
static json_t *tries_of_memory(const struct alert *alert, const char *id)
{
	json_t *list = json_array();

	VEC_FOREACH (&alert->tries, const struct try_row *, one)
		if (id && strcmp(try_row_shipment(one), id) == 0)
			(void)json_array_append_new(list, try_row_to_json(one));
	return list;
}

static json_t *answer_of(const struct question *q, const char *id, json_t *tries)
{
	auto_json json_t *since = tries_of_memory(q->alert, id);
	json_t *first = json_array_get(q->deliveries, 0), *row, *notice;
	size_t i;

	notice = id && str_eq(json_string_value(json_object_get(first, "notice")), id)
			 ? json_object_get(first, "doc_json")
			 : NULL;
	notice = notice ? json_deep_copy(notice) : json_null();
	json_array_foreach (q->deliveries, i, row)
		(void)json_object_del(row, "doc_json");
	add_tries(tries, q->tries);
	add_tries(tries, since);
	return json_pack("{s:s?, s:o, s:O, s:O}", "id", id, "notice", notice, "deliveries",
		q->deliveries, "attempts", tries);
}

static void on_tries(int r, json_t *rows, void *data)
{
	auto(question_free) struct question *q = data;
	auto_json json_t *tries = r == 0 ? json_deep_copy(rows) : json_array();
	auto_json json_t *answer = answer_of(q, meant(q), tries);

	q->fn(answer ? 0 : -ENOMEM, answer, q->data);
}

static void on_rows(int r, json_t *rows, void *data)
{
	auto(question_free) struct question *q = data;
	auto_json json_t *empty = json_array();
	const char *id;

	if (r == 0)
		q->deliveries = json_deep_copy(rows);
	if (!q->deliveries)
		q->deliveries = json_array();
	add_memory(q);
	id = meant(q);
	q->tries = tries_of_memory(q->alert, id);
	/* Without the store, at least what memory has. */
	if (!id && json_array_size(q->deliveries) > 0)
		q->fn(-ENOTUNIQ, NULL, q->data);
	else if (!id ||
		 store_read(q->alert->deps.store, STORE_QUERY_TRIES_OF, on_tries, q, "s", id) < 0)
		on_tries(0, empty, TAKE(q));
	else
		TAKE(q);
}

int alert_delivery(struct alert *alert, const char *id, alert_delivery_fn fn, void *data)
{
	auto(question_free) struct question *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	q->alert = alert;
	q->fn = fn;
	q->data = data;
	q->id = strdup(id);
	if (!q->id)
		return -ENOMEM;
	r = store_read(alert->deps.store, STORE_QUERY_DELIVERIES_OF, on_rows, q, "s", id);
	if (r == 0)
		TAKE(q);
	return r;
}
