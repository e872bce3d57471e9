/* SPDX-License-Identifier: MIT */
#include "alert/silence.h"
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

/* The clock may be set: an end is looked for at least so often. */
#define LOOK_USEC (30 * USEC_PER_SEC)

struct silences {
	struct loop *loop;
	struct store *store;
	struct vec list; /* struct silence *, oldest first */
	struct loop_source *timer;
	size_t n_active; /* when it was looked last */
	struct pending *pending;
	void (*on_change)(void *data);
	void *data;
};

/* On its way to the store. */
struct pending {
	struct silences *silences;
	struct silence *silence; /* a new one: owned until it counts; else that of the list */
	bool is_new;
	usec_t ended_wall;
	char *ended_by;
	silence_done_fn fn;
	void *data;
	struct pending *next, **prev;
};

const char *const silence_state_names[SILENCE_STATE_MAX] = {
	[SILENCE_PENDING] = "pending",
	[SILENCE_ACTIVE] = "active",
	[SILENCE_ENDED] = "ended",
};

enum silence_state silence_state(const struct silence *silence, usec_t wall)
{
	if (silence->ended_wall || wall >= silence->ends_wall)
		return SILENCE_ENDED;
	return wall >= silence->starts_wall ? SILENCE_ACTIVE : SILENCE_PENDING;
}

static struct silence *silence_free(struct silence *silence)
{
	if (!silence)
		return NULL;
	matchers_free(silence->matchers);
	free(silence->author);
	free(silence->comment);
	free(silence->ended_by);
	free(silence);
	return NULL;
}
DEFINE_AUTO(struct silence *, silence_free)

static void pending_free(struct pending *p)
{
	*p->prev = p->next;
	if (p->next)
		p->next->prev = p->prev;
	if (p->is_new)
		silence_free(p->silence);
	free(p->ended_by);
	free(p);
}

/* ---- the clock ------------------------------------------------------------------------------ */

static size_t count(const struct silences *s, enum silence_state state, usec_t wall)
{
	size_t n = 0;

	VEC_FOREACH (&s->list, const struct silence *, silence)
		n += silence_state(silence, wall) == state;
	return n;
}

static usec_t next_edge(const struct silences *s, usec_t wall)
{
	usec_t next = USEC_INFINITY;

	VEC_FOREACH (&s->list, const struct silence *, silence) {
		if (silence->ended_wall)
			continue;
		if (silence->starts_wall > wall)
			next = MIN(next, silence->starts_wall);
		else if (silence->ends_wall > wall)
			next = MIN(next, silence->ends_wall);
	}
	return next;
}

static void trim(struct silences *s, usec_t wall)
{
	size_t n_ended = count(s, SILENCE_ENDED, wall);

	for (size_t i = 0; i < s->list.len && n_ended > SILENCE_MAX_ENDED;) {
		struct silence *silence = s->list.items[i];

		if (silence_state(silence, wall) != SILENCE_ENDED) {
			i++;
			continue;
		}
		for (const struct pending *p = s->pending; p; p = p->next)
			if (p->silence == silence)
				return;
		silence_free(silence);
		vec_remove(&s->list, i);
		n_ended--;
	}
}

static int put(struct store_batch *batch, const struct silence *silence, usec_t ended_wall,
	const char *ended_by);

/* What its time has ended stays ended when the clock is set back, also over a restart: a quiet that
 * came back would have nobody who expects it. */
static void end_expired(struct silences *s, usec_t wall)
{
	auto(store_batch_free) struct store_batch *batch = NULL;
	int r = 0;

	VEC_FOREACH (&s->list, struct silence *, silence) {
		if (silence->ended_wall || silence->ends_wall > wall)
			continue;
		silence->ended_wall = silence->ends_wall;
		if (r == 0 && !batch)
			r = store_batch_new(&batch);
		if (r == 0)
			r = put(batch, silence, silence->ended_wall, NULL);
	}
	if (r == 0 && batch)
		r = store_commit(s->store, TAKE(batch), NULL, NULL);
	if (r < 0)
		log_warning("silences: the end of some is not in the store: %s", strerror(-r));
}

static void look(struct silences *s)
{
	usec_t wall = clock_wall(), next = next_edge(s, wall);
	size_t n_active = count(s, SILENCE_ACTIVE, wall);
	bool changed = n_active != s->n_active;

	end_expired(s, wall);
	trim(s, wall);
	s->n_active = n_active;
	loop_timer_set(s->timer,
		next == USEC_INFINITY ? 0 : clock_now() + MIN(next - wall + 1000, LOOK_USEC));
	if (changed && s->on_change)
		s->on_change(s->data);
}

static void on_timer(void *data)
{
	look(data);
}

/* ---- asking --------------------------------------------------------------------------------- */

const struct silence *silences_match(
	const struct silences *silences, const json_t *labels, bool stays)
{
	const struct silence *last = NULL;
	usec_t wall = clock_wall();

	VEC_FOREACH (&silences->list, const struct silence *, silence) {
		if (silence_state(silence, wall) != SILENCE_ACTIVE ||
			(stays && silence->until_resolved) ||
			(last && last->ends_wall >= silence->ends_wall))
			continue;
		if (matchers_fit(silence->matchers, labels, NULL))
			last = silence;
	}
	return last;
}

const struct vec *silences_list(const struct silences *silences)
{
	return &silences->list;
}

const struct silence *silences_find(const struct silences *silences, const char *id)
{
	const struct silence *found = NULL;

	VEC_FOREACH (&silences->list, const struct silence *, silence) {
		if (!*id || !str_startswith(silence->id, id))
			continue;
		if (found)
			return NULL;
		found = silence;
	}
	return found;
}

json_t *silence_to_json(const struct silence *silence)
{
	auto_free char *matchers = matchers_format(silence->matchers);

	return json_pack("{s:s, s:s, s:s?, s:o, s:o, s:s, s:s, s:b, s:o, s:o, s:s?}", "id",
		silence->id, "state", silence_state_names[silence_state(silence, clock_wall())],
		"matchers", matchers, "starts", clock_to_json(silence->starts_wall), "ends",
		clock_to_json(silence->ends_wall), "author", silence->author, "comment",
		silence->comment, "until_resolved", silence->until_resolved, "created",
		clock_to_json(silence->created_wall), "ended", clock_to_json(silence->ended_wall),
		"ended_by", silence->ended_by);
}

/* ---- the store ------------------------------------------------------------------------------ */

static int put(struct store_batch *batch, const struct silence *silence, usec_t ended_wall,
	const char *ended_by)
{
	auto_free char *matchers = matchers_format(silence->matchers);
	auto_json json_t *doc = json_pack("{s:s?, s:s, s:s, s:b, s:I, s:s?}", "matchers", matchers,
		"author", silence->author, "comment", silence->comment, "until_resolved",
		silence->until_resolved, "created", (json_int_t)silence->created_wall, "ended_by",
		ended_by);

	if (!doc || !matchers)
		return -ENOMEM;
	return store_batch_add(batch, STORE_SILENCE_PUT, "siiij", silence->id,
		(int64_t)silence->starts_wall, (int64_t)silence->ends_wall, (int64_t)ended_wall,
		doc);
}

static void settle(struct pending *p)
{
	struct silences *s = p->silences;
	struct silence *silence = p->silence;

	if (p->is_new) {
		if (vec_push(&s->list, silence) < 0)
			return;
		p->is_new = false;
		log_notice("silence %s of %s until it ends or is ended: %s", silence->id,
			silence->author, silence->comment);
		return;
	}
	silence->ended_wall = p->ended_wall;
	free(silence->ended_by);
	silence->ended_by = TAKE(p->ended_by);
	log_notice("silence %s of %s has ended, by %s", silence->id, silence->author,
		silence->ended_by ? silence->ended_by : "?");
}

static void on_committed(int r, void *data)
{
	struct pending *p = data;
	struct silences *s = p->silences;

	if (r == -EINPROGRESS) /* late: it counts when it is on the disk */
		return;
	if (r == 0)
		settle(p);
	if (p->is_new)
		r = r < 0 ? r : -ENOMEM;
	if (p->fn)
		p->fn(r, r == 0 ? p->silence : NULL, p->data);
	else if (r < 0)
		log_warning("silence %s: its end is not in the store: %s", p->silence->id,
			strerror(-r));
	pending_free(p);
	look(s);
}

/* Steals a new silence, also on failure. */
static int commit(struct silences *s, struct silence *silence, bool is_new, const char *ended_by,
	silence_done_fn fn, void *data)
{
	struct store_batch *batch = NULL;
	struct pending *p = calloc(1, sizeof(*p));
	int r = p ? store_batch_new(&batch) : -ENOMEM;

	if (!p) {
		if (is_new)
			silence_free(silence);
		return r;
	}
	*p = (struct pending){.silences = s,
		.silence = silence,
		.is_new = is_new,
		.ended_wall = ended_by ? clock_wall() : 0,
		.ended_by = ended_by ? strdup(ended_by) : NULL,
		.fn = fn,
		.data = data,
		.next = s->pending,
		.prev = &s->pending};
	if (p->next)
		p->next->prev = &p->next;
	s->pending = p;
	if (r == 0)
		r = put(batch, silence, p->ended_wall, p->ended_by);
	if (r == 0)
		r = store_commit(s->store, TAKE(batch), on_committed, p);
	if (r < 0) {
		store_batch_free(batch);
		pending_free(p);
	}
	return r;
}

/* ---- acts ----------------------------------------------------------------------------------- */

static int check_wanted(
	const struct silences *s, const struct silence_wanted *wanted, struct tend_error *err)
{
	usec_t wall = clock_wall();
	size_t len = wanted->comment ? strlen(wanted->comment) : 0;

	if (len == 0 || strspn(wanted->comment, " \t\r\n") == len)
		return tend_error_set(
			err, -EINVAL, "a comment is needed: say why, for those who look later");
	if (len >= SILENCE_COMMENT_BYTES)
		return tend_error_set(
			err, -EINVAL, "a comment has at most %d bytes", SILENCE_COMMENT_BYTES - 1);
	if (wanted->ends_wall <= wanted->starts_wall || wanted->ends_wall <= wall)
		return tend_error_set(err, -EINVAL, "it would end before it begins, or has ended");
	if (count(s, SILENCE_ACTIVE, wall) + count(s, SILENCE_PENDING, wall) >= SILENCE_MAX)
		return tend_error_set(err, -ENOSPC,
			"there are %d silences that have not ended: expire some first",
			SILENCE_MAX);
	return 0;
}

int silences_add(struct silences *silences, const struct silence_wanted *wanted, silence_done_fn fn,
	void *data, struct tend_error *err)
{
	auto(silence_free) struct silence *silence = NULL;
	char comment[SILENCE_COMMENT_BYTES];
	int r = check_wanted(silences, wanted, err);

	if (r < 0)
		return r;
	silence = calloc(1, sizeof(*silence));
	if (!silence)
		return -ENOMEM;
	r = matchers_parse(wanted->matchers ? wanted->matchers : "", err, &silence->matchers);
	if (r < 0)
		return r;
	if (matchers_len(silence->matchers) == 0)
		return tend_error_set(err, -EINVAL,
			"what is to be silent? A matcher is needed, as in component=crm/web");
	str_sanitize(comment, sizeof(comment), wanted->comment, strlen(wanted->comment));
	uuid7(silence->id);
	silence->author = strdup(wanted->author);
	silence->comment = strdup(comment);
	silence->created_wall = clock_wall();
	silence->starts_wall = wanted->starts_wall;
	silence->ends_wall = wanted->ends_wall;
	silence->until_resolved = wanted->until_resolved;
	if (!silence->author || !silence->comment)
		return -ENOMEM;
	return commit(silences, TAKE(silence), true, NULL, fn, data);
}

static bool is_ending(const struct silences *s, const struct silence *silence)
{
	for (const struct pending *p = s->pending; p; p = p->next)
		if (p->silence == silence)
			return true;
	return false;
}

int silences_expire(struct silences *silences, const char *id, const char *author,
	silence_done_fn fn, void *data, struct tend_error *err)
{
	struct silence *silence = (struct silence *)(uintptr_t)silences_find(silences, id);

	if (!silence)
		return tend_error_set(
			err, -ENOENT, "there is no silence '%.64s', or several begin like it", id);
	if (silence_state(silence, clock_wall()) == SILENCE_ENDED || is_ending(silences, silence))
		return tend_error_set(err, -EALREADY, "silence %s has ended", silence->id);
	return commit(silences, silence, false, author, fn, data);
}

void silences_resolved(struct silences *silences, const json_t *labels,
	bool (*still_open)(const struct silence *silence, void *data), void *data)
{
	usec_t wall = clock_wall();

	VEC_FOREACH (&silences->list, struct silence *, silence) {
		if (!silence->until_resolved || silence_state(silence, wall) != SILENCE_ACTIVE ||
			is_ending(silences, silence) ||
			!matchers_fit(silence->matchers, labels, NULL) || still_open(silence, data))
			continue;
		if (commit(silences, silence, false, "the end of what it matched", NULL, NULL) < 0)
			log_warning(
				"silence %s: it cannot be ended with its incident", silence->id);
	}
}

/* ---- life ----------------------------------------------------------------------------------- */

static char *dup_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? strdup(text) : NULL;
}

static usec_t get_wall(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 ? (usec_t)value : 0;
}

static int load_one(struct silences *s, const json_t *row)
{
	auto(silence_free) struct silence *silence = calloc(1, sizeof(*silence));
	const json_t *doc = json_object_get(row, "doc_json");
	const char *id = json_string_value(json_object_get(row, "id"));
	const char *matchers = json_string_value(json_object_get(doc, "matchers"));
	struct tend_error err = {0};
	int r;

	if (!silence)
		return -ENOMEM;
	if (!id || !uuid_valid(id) || !matchers)
		return -EINVAL;
	memcpy(silence->id, id, UUID_TEXT_BYTES);
	silence->starts_wall = get_wall(row, "starts");
	silence->ends_wall = get_wall(row, "ends");
	silence->ended_wall = get_wall(row, "ended");
	silence->created_wall = get_wall(doc, "created");
	silence->until_resolved = json_is_true(json_object_get(doc, "until_resolved"));
	silence->author = dup_text(doc, "author");
	silence->comment = dup_text(doc, "comment");
	silence->ended_by = dup_text(doc, "ended_by");
	r = matchers_parse(matchers, &err, &silence->matchers);
	if (r < 0 || !silence->author || !silence->comment)
		return r < 0 ? r : -EINVAL;
	r = vec_push(&s->list, silence);
	if (r == 0)
		TAKE(silence);
	return r;
}

static int load(struct silences *s)
{
	auto_json json_t *rows = NULL;
	json_t *row;
	size_t i;
	int r = store_read_now(s->store, STORE_QUERY_SILENCES, &rows, "ii", (int64_t)clock_wall(),
		(int64_t)SILENCE_MAX_ENDED);

	json_array_foreach (rows, i, row) {
		int one = load_one(s, row);

		if (one == -ENOMEM)
			return one;
		if (one < 0)
			log_warning("silences: a row of the database cannot be read, it is left "
				    "out");
	}
	return r;
}

int silences_new(struct loop *loop, struct store *store, struct silences **ret_silences)
{
	auto(silences_free) struct silences *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->store = store;
	r = loop_timer_new(loop, on_timer, s, &s->timer);
	if (r == 0)
		r = load(s);
	if (r < 0)
		return r;
	loop_source_name(s->timer, "silences");
	look(s);
	*ret_silences = TAKE(s);
	return 0;
}

struct silences *silences_free(struct silences *silences)
{
	if (!silences)
		return NULL;
	/* The store ends without calling back. */
	while (silences->pending)
		pending_free(silences->pending);
	VEC_FOREACH (&silences->list, struct silence *, silence)
		silence_free(silence);
	vec_clear(&silences->list);
	loop_source_free(silences->timer);
	free(silences);
	return NULL;
}

void silences_on_change(struct silences *silences, void (*fn)(void *data), void *data)
{
	silences->on_change = fn;
	silences->data = data;
}
