/* SPDX-License-Identifier: MIT */
/* What the attempts of a check remember for the next one, over restarts: a row of its own, written
 * with a new state, after a result that is not well, else once a minute; forgotten with the options
 * that it belongs to. */
#include <inttypes.h>
#include <string.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "conf/options.h"
#include "watch/private.h"

enum { OPTIONS_MAX_BYTES = 1 << 20 };

/* Most memories hold a time or a counter, so they change with every attempt. What is lost of them
 * is seen once more. */
#define SAVE_EVERY_USEC (60 * USEC_PER_SEC)

static const struct conf_database *database_of(
	const struct conf *conf, const struct conf_check *cc, const struct tend_option *row)
{
	char *name;

	memcpy(&name, (const char *)cc->probe_conf + row->offset, sizeof(name));
	if (name)
		return map_get(&conf->databases, name);
	return cc->component ? cc->component->database : NULL;
}

/* Another server behind the same name has other tables. */
static void put_databases(struct str *text, const struct conf *conf, const struct conf_check *cc)
{
	for (const struct tend_option *row = cc->probe->options; row->name; row++) {
		const struct conf_database *database =
			row->flags & TEND_OPTION_DATABASE ? database_of(conf, cc, row) : NULL;

		if (database && database->service)
			(void)conf_options_dump(
				database->service->options, database->query_conf, row->name, text);
	}
}

/* Of the probe, its options and the databases they name as the dump shows them: schedule and
 * thresholds do not count. Nobody gains by a collision. */
static void fingerprint_of(const struct conf *conf, const struct conf_check *cc, char ret_text[17])
{
	auto_str struct str text = STR_INIT(OPTIONS_MAX_BYTES);

	(void)str_appendf(&text, "%s\n", cc->probe->name);
	(void)conf_options_dump(cc->probe->options, cc->probe_conf, "", &text);
	put_databases(&text, conf, cc);
	(void)snprintf(ret_text, 17, "%016" PRIx64, hash_text(HASH_INIT, str_get(&text)));
}

static void commit_delete(struct watch *w, const char *name)
{
	struct store_batch *batch;

	if (!w->store || store_batch_new(&batch) < 0)
		return;
	if (store_batch_add(batch, STORE_CHECK_MEMORY_DELETE, "s", name) < 0)
		store_batch_free(batch);
	else
		(void)store_commit(w->store, batch, NULL, NULL);
}

void memory_drop(struct check *check)
{
	check->watch->stats.memory_bytes -= check->memory_bytes;
	check->memory_bytes = 0;
	check->memory = (json_decref(check->memory), NULL);
}

static void set(struct check *check, json_t *doc, size_t n_bytes)
{
	memory_drop(check);
	check->memory = doc;
	check->memory_bytes = n_bytes;
	check->watch->stats.memory_bytes += n_bytes;
}

/* Beyond the bounds, which an earlier version may not have kept: gone for good, for an old memory
 * that came back later would say what is not so any more. */
static void leave_out(struct watch *w, const struct vec *names)
{
	if (names->len == 0)
		return;
	log_warning(
		"store: what %zu checks remember is left out (more than %d KiB of one, or %d MiB "
		"of all, newest first): '%s'%s; they begin anew",
		names->len, MEMORY_MAX_BYTES >> 10, MEMORY_ALL_MAX_BYTES >> 20,
		(const char *)names->items[0], names->len > 1 ? " and others" : "");
	w->stats.n_memories_refused += names->len;
	VEC_FOREACH (names, const char *, name)
		commit_delete(w, name);
}

void memory_load(struct watch *w)
{
	auto_json json_t *rows = NULL;
	struct vec left_out = {0};
	size_t i;
	json_t *row;

	if (!w->store || store_read_now(w->store, STORE_QUERY_CHECK_MEMORIES, &rows, "ii",
				 (int64_t)MEMORY_MAX_BYTES, (int64_t)MEMORY_ALL_MAX_BYTES) < 0)
		return;
	w->restored_memory = json_object();
	json_array_foreach (rows, i, row) {
		const char *name = json_string_value(json_object_get(row, "name"));

		if (!json_is_null(json_object_get(row, "doc_json")))
			(void)json_object_set(w->restored_memory, name, row);
		else if (vec_push(&left_out, (void *)(uintptr_t)name) < 0)
			log_warning("check '%s': what it remembered is left out", name);
	}
	leave_out(w, &left_out);
	vec_clear(&left_out);
}

void memory_restore(
	struct watch *w, const struct conf *conf, struct check *check, const struct conf_check *cc)
{
	const json_t *row = json_object_get(w->restored_memory, cc->name);
	const char *options = json_string_value(json_object_get(row, "options"));
	json_t *doc = json_object_get(row, "doc_json");
	char now[17];

	if (!options)
		return;
	fingerprint_of(conf, cc, now);
	if (strcmp(options, now) != 0)
		return; /* memory_loaded() takes the row away */
	set(check, json_incref(doc), json_dumpb(doc, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY));
	memcpy(check->memory_of, now, sizeof(now));
	(void)json_object_del(w->restored_memory, cc->name);
}

void memory_loaded(struct watch *w)
{
	const char *name;
	json_t *row;

	json_object_foreach (w->restored_memory, name, row)
		commit_delete(w, name);
	json_decref(w->restored_memory);
	w->restored_memory = NULL;
}

/* What is in memory is a few times as much: it is bounded as a whole, too. The check goes on with
 * what it remembered before. */
static bool has_room(struct check *check, size_t n_bytes)
{
	struct watch_stats *stats = &check->watch->stats;

	if (stats->memory_bytes - check->memory_bytes + n_bytes <= MEMORY_ALL_MAX_BYTES) {
		check->memory_refused = false;
		return true;
	}
	if (!check->memory_refused)
		log_warning(
			"check '%s': no room for the %zu bytes it wants to remember, all checks "
			"have %d MiB: it keeps what it remembered before",
			check->conf->name, n_bytes, MEMORY_ALL_MAX_BYTES >> 20);
	check->memory_refused = true;
	stats->n_memories_refused++;
	return false;
}

void memory_take(struct check *check, json_t *remembered)
{
	size_t n_bytes;

	if (!remembered || json_equal(check->memory, remembered))
		return;
	n_bytes = json_dumpb(remembered, NULL, 0, JSON_COMPACT);
	if (!has_room(check, n_bytes))
		return;
	if (!check->memory)
		fingerprint_of(check->conf_owner, check->conf, check->memory_of);
	set(check, json_incref(remembered), n_bytes);
	check->memory_unsaved = true;
}

int memory_put(const struct check *check, struct store_batch *batch)
{
	if (!check->memory_unsaved)
		return 0;
	return store_batch_add(batch, STORE_CHECK_MEMORY_PUT, "ssji", check->conf->name,
		check->memory_of, check->memory, (int64_t)clock_wall());
}

void memory_put_done(struct check *check)
{
	if (check->memory_unsaved)
		check->memory_saved = clock_now();
	check->memory_unsaved = false;
}

bool memory_is_due(const struct check *check)
{
	return check->memory_unsaved &&
	       (check->last.verdict != TEND_STATE_OK || !check->memory_saved ||
		       clock_now() >= check->memory_saved + SAVE_EVERY_USEC);
}

void memory_save(struct watch *w, struct check *check)
{
	struct store_batch *batch;

	if (!check->memory_unsaved || !w->store || store_batch_new(&batch) < 0)
		return;
	if (memory_put(check, batch) < 0) {
		store_batch_free(batch);
		return;
	}
	memory_put_done(check);
	if (store_commit(w->store, batch, NULL, NULL) < 0)
		log_warning("check '%s': what it remembers is not kept over a restart",
			check->conf->name);
}

bool memory_review(const struct conf *conf, struct check *check, const struct conf_check *cc)
{
	char now[17];

	if (!check->memory)
		return false;
	fingerprint_of(conf, cc, now);
	if (strcmp(now, check->memory_of) == 0)
		return false;
	memory_drop(check);
	check->memory_unsaved = false;
	commit_delete(check->watch, cc->name);
	return true;
}
