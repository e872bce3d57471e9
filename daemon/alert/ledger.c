/* SPDX-License-Identifier: MIT */
/*
 * alert/ledger.c: how deliveries get into the store and back. What changes is collected and written
 * together in the next turn; what the store does not take stays here, is delivered from memory, and
 * is written when the store is well again.
 */
#include <assert.h>
#include <string.h>
#include "alert/private.h"
#include "base/clock.h"
#include "base/log.h"

/* A page of the largest notices, parsed, is some 20 MiB. */
enum {
	FLUSH_MAX_ROWS = 500,
	LOAD_PAGE_ROWS = 200,
	LEDGER_MAX_TRIES = 5000, /* that the store has not taken */
	TRIES_KEPT_FIRST = 20,	 /* of one shipment, in the store */
	TRIES_KEPT_LAST = 30,
};
#define FLUSH_RETRY    (5 * USEC_PER_SEC)
#define RETRY_MAX_USEC (3600 * USEC_PER_SEC)
#define HOLD_MAX_USEC  (7 * 86400 * USEC_PER_SEC)

/* ---- rows ----------------------------------------------------------------------------------- */

static int write_record(struct store_batch *batch, const struct record *record)
{
	const struct notice *n = &record->notice;

	return store_batch_add(batch, STORE_NOTICE_PUT, "sssssij", n->id, notice_kind_name(n->kind),
		n->incident_id, n->fingerprint, conf_severity_names[n->severity], (int64_t)n->wall,
		record->doc);
}

static int write_receiver(struct store_batch *batch, const struct receiver *receiver)
{
	return store_batch_add(batch, STORE_RECEIVER_PUT, "siis", receiver->name,
		(int64_t)receiver->sequence, (int64_t)receiver->disabled_wall,
		receiver->disabled_wall ? receiver->disabled_why : NULL);
}

int ledger_write(struct store_batch *batch, struct delivery *d)
{
	int r = d->record->saved == d->record->version ? 0 : write_record(batch, d->record);

	if (r == 0)
		r = store_batch_add(batch, STORE_DELIVERY_PUT, "ssisiiissjisssjiii",
			d->record->notice.id, d->receiver->name, (int64_t)d->sequence,
			delivery_state_names[d->leaving ? DELIVERY_WAITING : d->state],
			(int64_t)d->n_tries, (int64_t)d->next_wall, (int64_t)d->delivered_wall,
			d->error[0] ? d->error : NULL,
			d->superseded_by[0] ? d->superseded_by : NULL, d->merged,
			(int64_t)d->added_wall, d->via, d->group, d->batch[0] ? d->batch : NULL,
			d->group_labels, (int64_t)d->due_wall, (int64_t)d->wait,
			(int64_t)d->interval);
	if (r == 0 && !d->saved)
		r = write_receiver(batch, d->receiver);
	return r;
}

/* ---- tries ---------------------------------------------------------------------------------- */

struct try_row {
	char id[UUID_TEXT_BYTES];
	char *receiver, *error, *detail;
	unsigned n;
	usec_t at, elapsed;
	enum verdict verdict;
	long code;
};

static struct try_row *try_row_free(struct try_row *row)
{
	if (row) {
		free(row->receiver);
		free(row->error);
		free(row->detail);
		free(row);
	}
	return NULL;
}

const char *try_row_shipment(const struct try_row *row)
{
	return row->id;
}

json_t *try_row_to_json(const struct try_row *row)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:o, s:s?, s:s?}", "shipment", row->id,
		"receiver", row->receiver, "n", (json_int_t)row->n, "at", (json_int_t)row->at,
		"elapsed_msec", (json_int_t)(row->elapsed / USEC_PER_MSEC), "verdict",
		verdict_names[row->verdict], "code",
		row->code ? json_integer(row->code) : json_null(), "error", row->error, "detail",
		row->detail);
}

/* The first n. */
static void drop_tries(struct alert *alert, size_t n)
{
	for (size_t i = 0; i < n; i++)
		try_row_free(alert->tries.items[i]);
	if (n > 0)
		memmove(alert->tries.items, alert->tries.items + n,
			(alert->tries.len - n) * sizeof(void *));
	alert->tries.len -= n;
}

static void arm_flush(struct alert *alert);

void ledger_add_try(const struct shipment *s, const struct judgement *j)
{
	struct alert *alert = s->receiver->alert;
	struct try_row *row;

	if (shipment_first(s)->memory_only)
		return;
	/* While the store is away the newest say most. */
	if (alert->tries.len >= LEDGER_MAX_TRIES) {
		try_row_free(alert->tries.items[alert->n_flushing_tries]);
		vec_remove(&alert->tries, alert->n_flushing_tries);
	}
	row = calloc(1, sizeof(*row));
	if (!row)
		return;
	memcpy(row->id, s->id, sizeof(row->id));
	row->receiver = strdup(s->receiver->name);
	row->error = j->error[0] ? strdup(j->error) : NULL;
	row->detail = j->detail[0] ? strdup(j->detail) : NULL;
	row->n = s->n_tries;
	row->at = clock_wall() - MIN(j->elapsed, clock_wall());
	row->elapsed = j->elapsed;
	row->verdict = j->verdict;
	row->code = j->code;
	if (!row->receiver || vec_push(&alert->tries, row) < 0)
		try_row_free(row);
	arm_flush(alert);
}

/* Of a long outage the first tries and the last are kept. */
static int64_t try_slot(unsigned n)
{
	return n <= TRIES_KEPT_FIRST ? n : TRIES_KEPT_FIRST + 1 + n % TRIES_KEPT_LAST;
}

static int collect_tries(const struct alert *alert, struct store_batch *batch, size_t *ret_n)
{
	size_t n = 0;
	int r = 0;

	for (; n < alert->tries.len && n < FLUSH_MAX_ROWS; n++) {
		const struct try_row *row = alert->tries.items[n];

		r = store_batch_add(batch, STORE_TRY_PUT, "ssiiiisiss", row->id, row->receiver,
			try_slot(row->n), (int64_t)row->n, (int64_t)row->at,
			(int64_t)(row->elapsed / USEC_PER_MSEC), verdict_names[row->verdict],
			(int64_t)row->code, row->error, row->detail);
		if (r < 0)
			break;
	}
	*ret_n = n;
	return r == -EFBIG ? 0 : r; /* the rest with the next batch */
}

/* ---- tokens: batches on their way ----------------------------------------------------------- */

int token_new(struct alert *alert, struct token **ret_token)
{
	struct token *token = calloc(1, sizeof(*token));

	if (!token)
		return -ENOMEM;
	token->alert = alert;
	token->number = ++alert->n_tokens;
	*ret_token = token;
	return 0;
}

struct token *token_free(struct token *token)
{
	if (!token)
		return NULL;
	VEC_FOREACH (&token->writes, struct write *, write) {
		write->delivery->n_writing--;
		delivery_unref(write->delivery);
		free(write);
	}
	vec_clear(&token->writes);
	shipment_unref(token->shipment);
	free(token);
	return NULL;
}

int token_add(struct token *token, struct delivery *d, bool missing)
{
	struct write *write = malloc(sizeof(*write));
	int r = write ? vec_push(&token->writes, write) : -ENOMEM;

	if (r < 0) {
		free(write);
		return r;
	}
	*write = (struct write){.delivery = delivery_ref(d),
		.version = d->version,
		.of_record = d->record->version,
		.missing = missing};
	d->n_writing++;
	return 0;
}

static void release(struct delivery *d, bool durable)
{
	if (d->released)
		return;
	d->released = true;
	d->undurable = !durable;
	if (d->chain)
		outbox_release(&d->receiver->outbox, d, clock_now());
}

static void apply_write(const struct write *write, int r)
{
	struct delivery *d = write->delivery;

	if (write->missing)
		r = -EFBIG;
	if (r == 0) {
		d->saved = MAX(d->saved, write->version);
		d->record->saved = MAX(d->record->saved, write->of_record);
		if (d->n_tries == 0 && !d->in_flight)
			d->undurable = false;
	}
	release(d, r == 0);
}

static void unwritten_push(struct alert *alert, struct delivery *d);

void token_end(struct token *token, int r)
{
	struct alert *alert = token->alert;
	auto(token_free) struct token *ended = r == -EINPROGRESS ? NULL : token;

	token->late = r == -EINPROGRESS;
	if (r < 0)
		alert_set_undurable(alert, true);
	VEC_FOREACH (&token->writes, struct write *, write) {
		apply_write(write, r);
		if (ended && write->delivery->saved != write->delivery->version)
			unwritten_push(alert, write->delivery);
	}
	if (r == 0 && alert->unwritten.len > 0)
		arm_flush(alert);
	/* Late or failed: the set is not fixed in the store, but the notices go. */
	if (token->shipment)
		shipment_committed(token->shipment);
	/* The receivers may call back and add tokens: nothing of this one is touched afterwards.
	 * Each once, as what one does at a time is bounded. */
	VEC_FOREACH (&token->writes, struct write *, write)
		write->delivery->receiver->pump_due = true;
	VEC_FOREACH (&token->writes, struct write *, write) {
		struct receiver *receiver = write->delivery->receiver;

		if (!receiver->pump_due)
			continue;
		receiver->pump_due = false;
		receiver_pump(receiver);
	}
}

/* ---- what is not written yet ---------------------------------------------------------------- */

static void drop_one_settled(struct alert *alert)
{
	for (size_t i = 0; i < alert->unwritten.len; i++) {
		struct delivery *d = alert->unwritten.items[i];

		if (d->state == DELIVERY_WAITING)
			continue;
		if (alert->n_dropped++ == 0)
			log_error(
				"outbox: the store does not take what was delivered, the oldest is "
				"forgotten: a restart may repeat it under the same id");
		vec_remove(&alert->unwritten, i);
		d->in_ledger = false;
		delivery_unref(d);
		return;
	}
}

static void unwritten_push(struct alert *alert, struct delivery *d)
{
	if (d->in_ledger)
		return;
	if (alert->unwritten.len >= LEDGER_MAX_UNWRITTEN)
		drop_one_settled(alert);
	if (vec_push(&alert->unwritten, d) < 0)
		return;
	d->in_ledger = true;
	delivery_ref(d);
}

static void arm_flush(struct alert *alert)
{
	if (!alert->flushing && !alert->undurable)
		loop_defer_set(alert->flush_defer, true);
}

void ledger_touch(struct delivery *d)
{
	struct alert *alert = d->receiver->alert;

	d->version++;
	unwritten_push(alert, d);
	arm_flush(alert);
}

void ledger_keep(struct delivery *d)
{
	struct alert *alert = d->receiver->alert;

	release(d, false);
	unwritten_push(alert, d);
	arm_flush(alert);
}

static void unwritten_compact(struct alert *alert)
{
	size_t kept = 0;

	for (size_t i = 0; i < alert->unwritten.len; i++) {
		struct delivery *d = alert->unwritten.items[i];

		if (d->saved == d->version) {
			d->in_ledger = false;
			delivery_unref(d);
		} else {
			alert->unwritten.items[kept++] = d;
		}
	}
	alert->unwritten.len = kept;
}

static bool any_late(const struct alert *alert)
{
	VEC_FOREACH (&alert->tokens, struct token *, token)
		if (token->late)
			return true;
	return false;
}

static void on_flushed(int r, void *data)
{
	struct token *token = data;
	struct alert *alert = token->alert;

	if (r == -EINPROGRESS) {
		token_end(token, r);
		return;
	}
	alert->flushing = NULL;
	drop_tries(alert, r == 0 ? alert->n_flushing_tries : 0);
	alert->n_flushing_tries = 0;
	token_end(token, r);
	unwritten_compact(alert);
	if (r < 0) {
		loop_timer_set(alert->flush_timer, clock_now() + FLUSH_RETRY);
		return;
	}
	if (alert->unwritten.len > 0 || alert->tries.len > 0)
		loop_defer_set(alert->flush_defer, true);
	else if (!any_late(alert))
		alert_set_undurable(alert, false);
}

static int collect(struct alert *alert, struct store_batch *batch, struct token *token)
{
	int r = 0;

	VEC_FOREACH (&alert->unwritten, struct delivery *, d) {
		if (token->writes.len >= FLUSH_MAX_ROWS)
			break;
		if (d->n_writing > 0 || d->saved == d->version)
			continue;
		r = ledger_write(batch, d);
		if (r == 0)
			r = token_add(token, d, false);
		if (r < 0)
			break;
	}
	/* What did not fit comes with the next batch. */
	return r == -EFBIG && token->writes.len > 0 ? 0 : r;
}

void ledger_put_shipment(struct shipment *s, bool commit)
{
	struct alert *alert = s->receiver->alert;
	auto(store_batch_free) struct store_batch *batch = NULL;
	auto(token_free) struct token *token = NULL;
	int r = store_batch_new(&batch);

	if (r == 0)
		r = token_new(alert, &token);
	for (size_t i = 0; i < s->deliveries.len && r == 0; i++) {
		struct delivery *d = s->deliveries.items[i];

		r = d->memory_only ? 0 : ledger_write(batch, d);
		if (r == 0 && !d->memory_only)
			r = token_add(token, d, false);
	}
	if (r == 0) {
		token->shipment = commit ? shipment_ref(s) : NULL;
		(void)alert_commit_own(alert, TAKE(batch), TAKE(token));
		return;
	}
	/* The rows come with the next flush, as any other's. */
	log_warning("receiver '%s': cannot record shipment %s at once: %s", s->receiver->name,
		s->id, strerror(-r));
	if (commit)
		shipment_committed(s);
}

void ledger_flush(struct alert *alert)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	auto(token_free) struct token *token = NULL;
	size_t n_tries = 0;
	int r;

	if (alert->flushing)
		return;
	unwritten_compact(alert);
	r = store_batch_new(&batch);
	if (r == 0)
		r = token_new(alert, &token);
	if (r == 0)
		r = collect(alert, batch, token);
	if (r == 0)
		r = collect_tries(alert, batch, &n_tries);
	if (r == 0 && token->writes.len == 0 && n_tries == 0) {
		if (alert->undurable && alert->unwritten.len == 0 && !any_late(alert))
			alert_set_undurable(alert, false);
		return;
	}
	if (r == 0)
		r = store_commit(alert->deps.store, TAKE(batch), on_flushed, token);
	if (r == 0) {
		alert->flushing = TAKE(token);
		alert->n_flushing_tries = n_tries;
		return;
	}
	log_debug("outbox: cannot write the ledger: %s, next try in 5 s", strerror(-r));
	alert_set_undurable(alert, true);
	loop_timer_set(alert->flush_timer, clock_now() + FLUSH_RETRY);
}

/* One batch, from the `*at`th on; `ret_n` are in it. One that is too large for any batch is
 * skipped.
 */
static int flush_chunk(struct alert *alert, size_t *at, size_t *ret_n)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	size_t n = 0, n_tries = 0;
	int r = store_batch_new(&batch);

	while (r == 0 && *at < alert->unwritten.len && n < FLUSH_MAX_ROWS) {
		struct delivery *d = alert->unwritten.items[*at];

		if (d->saved != d->version)
			r = ledger_write(batch, d);
		if (r == -EFBIG && n > 0) { /* the first of the next batch */
			r = 0;
			break;
		}
		if (r == 0 && d->saved != d->version)
			n++;
		(*at)++;
	}
	if (r == 0 && collect_tries(alert, batch, &n_tries) == 0)
		drop_tries(alert, n_tries);
	n += n_tries;
	if (r == 0 && n > 0)
		r = store_commit(alert->deps.store, TAKE(batch), NULL, NULL);
	*ret_n = n;
	return r;
}

void ledger_flush_last(struct alert *alert)
{
	size_t at = 0, n, n_lost = 0;
	int r, why = 0;

	while (at < alert->unwritten.len || alert->tries.len > 0) {
		size_t began = at;

		r = flush_chunk(alert, &at, &n);
		if (r == 0)
			continue;
		why = r;
		n_lost += n + (r == -EFBIG ? 1 : 0);
		if (r == -ENOMEM || at == began || at >= alert->unwritten.len) {
			n_lost += alert->unwritten.len - at;
			break;
		}
	}
	if (why < 0)
		log_error(
			"outbox: the end of %zu deliveries is not recorded: %s; they are repeated "
			"under the same ids",
			n_lost, strerror(-why));
}

void ledger_clear(struct alert *alert)
{
	VEC_FOREACH (&alert->unwritten, struct delivery *, d) {
		delivery_unref(d);
	}
	vec_clear(&alert->unwritten);
	drop_tries(alert, alert->tries.len);
	vec_clear(&alert->tries);
	VEC_FOREACH (&alert->tokens, struct token *, token) {
		token_free(token);
	}
	vec_clear(&alert->tokens);
	alert->unsealed = token_free(alert->unsealed);
	alert->flushing = token_free(alert->flushing);
}

void ledger_put_receiver(struct alert *alert, const struct receiver *receiver)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	int r = store_batch_new(&batch);

	if (r == 0)
		r = write_receiver(batch, receiver);
	if (r == 0)
		r = store_commit(alert->deps.store, TAKE(batch), NULL, NULL);
	if (r < 0)
		log_warning("receiver '%s': its state is not recorded: %s", receiver->name,
			strerror(-r));
}

/* ---- back from the store -------------------------------------------------------------------- */

static usec_t get_time(json_t *row, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(row, key));

	return value > 0 ? (usec_t)value : 0;
}

static void get_text(json_t *row, const char *key, char *buf, size_t size)
{
	const char *text = json_string_value(json_object_get(row, key));

	snprintf(buf, size, "%s", text ? text : "");
}

static int load_record(struct map *records, json_t *row, struct record **ret_record)
{
	json_t *doc = json_object_get(row, "doc_json");
	const char *id = json_string_value(json_object_get(row, "notice"));
	struct record *record = id ? map_get(records, id) : NULL;
	int r;

	if (!id || !json_is_object(doc))
		return -EINVAL;
	if (!record) {
		r = record_from_json(doc, &record);
		if (r == 0)
			r = map_put(records, id, record);
		if (r < 0)
			return r;
		record->saved = record->version;
	}
	*ret_record = record;
	return 0;
}

/* What was tried, or was about to be, by the id it went under: it goes so again. */
struct loaded {
	struct vec deliveries;
	usec_t next_at;
};

static struct loaded *loaded_free(struct loaded *one)
{
	if (one) {
		VEC_FOREACH (&one->deliveries, struct delivery *, d)
			delivery_unref(d);
		vec_clear(&one->deliveries);
		free(one);
	}
	return NULL;
}

static int loaded_push(struct map *loaded, struct delivery *d)
{
	const char *id = d->batch[0] ? d->batch : d->record->notice.id;
	struct loaded *one = map_get(loaded, id);
	int r;

	if (!one) {
		one = calloc(1, sizeof(*one));
		r = one ? map_put(loaded, id, one) : -ENOMEM;
		if (r < 0) {
			free(one);
			return r;
		}
	}
	r = vec_push(&one->deliveries, d);
	if (r < 0)
		return r;
	delivery_ref(d);
	one->next_at = MAX(one->next_at, d->next_at);
	return 0;
}

/* Those that are still there: one may have been superseded by what was loaded after it. */
static int restore(struct receiver *receiver, const struct loaded *one)
{
	struct delivery **list = calloc(one->deliveries.len + 1, sizeof(*list));
	size_t n = 0;
	int r = 0;

	if (!list)
		return -ENOMEM;
	VEC_FOREACH (&one->deliveries, struct delivery *, d)
		if (d->chain)
			list[n++] = d;
	if (n > 0)
		r = outbox_restore(&receiver->outbox, list, n, one->next_at, clock_now());
	free(list);
	return r;
}

static int load_delivery(
	struct receiver *receiver, struct map *records, struct map *loaded, json_t *row)
{
	auto(delivery_unref) struct delivery *d = NULL;
	struct delivery *superseded;
	struct record *record;
	json_t *merged = json_object_get(row, "merged_json");
	json_t *labels = json_object_get(row, "group_json");
	const char *via = json_string_value(json_object_get(row, "via"));
	const char *group = json_string_value(json_object_get(row, "group_key"));
	usec_t wall = clock_wall(), now = clock_now(), longest;
	int r = load_record(records, row, &record);

	if (r == 0)
		r = delivery_new(record, receiver, &d);
	if (r < 0)
		return r;
	assert(d);
	d->sequence = get_time(row, "sequence");
	d->n_tries = (unsigned)get_time(row, "tries");
	d->next_wall = get_time(row, "next_at");
	d->added_wall = get_time(row, "added_at");
	d->wait = get_time(row, "group_wait");
	d->interval = get_time(row, "group_interval");
	d->due_wall = get_time(row, "due_at");
	if (!d->due_wall && d->n_tries == 0)
		d->due_wall = d->next_wall; /* a row of an older version */
	get_text(row, "last_error", d->error, sizeof(d->error));
	get_text(row, "batch", d->batch, sizeof(d->batch));
	d->group = group ? strdup(group) : NULL;
	d->group_labels = json_is_object(labels) ? json_incref(labels) : NULL;
	d->merged = json_is_array(merged) ? json_incref(merged) : NULL;
	d->via = via ? strdup(via) : NULL;
	d->released = true;
	d->saved = d->version;
	/* A clock that was set must not make it wait for years: Retry-After is an hour at most (and
	 * see receiver_retry_soon()), a digest or a window holds for days. */
	longest = d->n_tries > 0 ? RETRY_MAX_USEC : HOLD_MAX_USEC;
	d->next_at = d->next_wall > wall ? now + MIN(d->next_wall - wall, longest) : 0;
	if (d->group && d->next_wall <= d->added_wall && wall > d->added_wall)
		d->waited = wall - d->added_wall;
	if (d->n_tries > 0 || d->batch[0]) {
		r = loaded_push(loaded, d);
		d->next_at = 0; /* its shipment waits, not itself */
	}
	if (r == 0)
		r = outbox_add(&receiver->outbox, d, now, &superseded);
	while (r == 0 && superseded) {
		auto(delivery_unref) struct delivery *old = superseded;

		superseded = old->next;
		old->next = NULL;
		delivery_settle(old, DELIVERY_SUPERSEDED, NULL);
	}
	return r;
}

struct place { /* the last row of a page; a sequence can be there twice, see README.md */
	int64_t sequence;
	char notice[UUID_TEXT_BYTES];
};

/* What comes after `*place`, which moves on. Returns the number of rows. */
static int load_page(struct alert *alert, struct receiver *receiver, struct map *records,
	struct map *loaded, struct place *place)
{
	auto_json json_t *rows = NULL;
	json_t *row;
	size_t i;
	int r = store_read_now(alert->deps.store, STORE_QUERY_DELIVERIES_WAITING, &rows, "sisi",
		receiver->name, place->sequence, place->notice, (int64_t)LOAD_PAGE_ROWS);

	if (r < 0)
		return r;
	json_array_foreach (rows, i, row) {
		r = load_delivery(receiver, records, loaded, row);
		if (r == -EINVAL)
			log_error("receiver '%s': a waiting notice cannot be read, it stays in the "
				  "store",
				receiver->name);
		else if (r < 0)
			return r;
		place->sequence = json_integer_value(json_object_get(row, "sequence"));
		get_text(row, "notice", place->notice, sizeof(place->notice));
	}
	return (int)json_array_size(rows);
}

static int load_waiting(struct alert *alert, struct receiver *receiver, struct map *records)
{
	struct place place = {.sequence = -1};
	struct map loaded = {0};
	int r;

	do {
		r = load_page(alert, receiver, records, &loaded, &place);
	} while (r == LOAD_PAGE_ROWS);
	MAP_FOREACH (&loaded, struct loaded *, one) {
		if (r >= 0)
			r = restore(receiver, one);
		loaded_free(one);
	}
	map_clear(&loaded);
	if (r < 0)
		return r;
	if (receiver->outbox.n_waiting > 0)
		log_notice("receiver '%s': %zu notices wait since before the start", receiver->name,
			receiver->outbox.n_waiting);
	return 0;
}

static int load_receiver(struct alert *alert, struct map *records, json_t *row)
{
	auto(receiver_free) struct receiver *receiver = NULL;
	const char *name = json_string_value(json_object_get(row, "name"));
	struct receiver *kept;
	int r = name ? receiver_new(alert, name, &receiver) : -EINVAL;

	if (r == 0)
		r = map_put(&alert->receivers, name, receiver);
	if (r < 0)
		return r;
	kept = TAKE(receiver);
	kept->sequence = get_time(row, "sequence");
	kept->disabled_wall = get_time(row, "disabled_at");
	get_text(row, "disabled_why", kept->disabled_why, sizeof(kept->disabled_why));
	return load_waiting(alert, kept, records);
}

int ledger_load(struct alert *alert)
{
	auto_json json_t *rows = NULL;
	struct map records = {0};
	json_t *row;
	size_t i;
	int r = store_read_now(alert->deps.store, STORE_QUERY_RECEIVERS, &rows, "");

	json_array_foreach (rows, i, row) {
		if (r == 0)
			r = load_receiver(alert, &records, row);
	}
	MAP_FOREACH (&records, struct record *, record)
		record_unref(record);
	map_clear(&records);
	return r;
}
