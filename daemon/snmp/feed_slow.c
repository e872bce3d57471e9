/* SPDX-License-Identifier: MIT */
#include "snmp/feed_private.h"
#include <string.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "snmp/rows.h"

enum { MAX_RECEIVERS = 64, MAX_BACKUPS = 1000 };
#define BACKUPS_USEC (15 * USEC_PER_SEC)
#define LOG_USEC     (60 * USEC_PER_SEC) /* where nothing happens: old rows go */

bool feed_is_slow(enum mib_table_id table)
{
	return table == MIB_TABLE_POLICY || table == MIB_TABLE_BACKUP ||
	       table == MIB_TABLE_RECEIVER || table == MIB_TABLE_LOG || table == MIB_TABLE_WINDOW;
}

static struct slow *slow_unref(struct slow *slow)
{
	if (--slow->n_refs > 0)
		return NULL;
	json_decref(slow->backups);
	json_decref(slow->logs);
	free(slow);
	return NULL;
}

int slow_new(struct agentx *agentx, struct slow **ret_slow)
{
	struct slow *slow = calloc(1, sizeof(*slow));

	if (!slow)
		return -ENOMEM;
	*slow = (struct slow){
		.n_refs = 1, .agentx = agentx, .backups = json_object(), .logs = json_object()};
	*ret_slow = slow;
	return 0;
}

struct slow *slow_free(struct slow *slow)
{
	if (!slow)
		return NULL;
	slow->agentx = NULL;
	return slow_unref(slow);
}

/* ---- what the store has --------------------------------------------------------------------- */

static void on_backups(int r, json_t *rows, void *data)
{
	struct slow *slow = data;
	json_t *row;
	size_t i;

	slow->backups_asked = false;
	if (slow->agentx && r == 0) {
		json_object_clear(slow->backups);
		json_array_foreach (rows, i, row) {
			const char *component = json_string_value(json_object_get(row, "scope"));
			json_t *set = json_object_get(json_object_get(row, "doc_json"), "value");
			json_t *list = component ? json_object_get(slow->backups, component) : NULL;

			if (!component || !json_is_object(set))
				continue;
			if (!list && json_object_set_new(
					     slow->backups, component, list = json_array()) < 0)
				continue;
			(void)json_array_append(list, set);
		}
		slow->look_at = 0;
	}
	slow_unref(slow);
}

struct log_ask {
	struct slow *slow;
	char *receiver;
};

static void on_log(int r, json_t *rows, void *data)
{
	struct log_ask *ask = data;
	struct slow *slow = ask->slow;

	slow->n_log_asked--;
	if (slow->agentx && r == 0) {
		(void)json_object_set(slow->logs, ask->receiver, rows);
		slow->look_at = 0;
	}
	slow_unref(slow);
	free(ask->receiver);
	free(ask);
}

static void ask_backups(struct slow *slow, usec_t now)
{
	if (slow->backups_asked || now < slow->backups_at)
		return;
	slow->backups_at = now + BACKUPS_USEC;
	if (store_read(slow->agentx->manager->store, STORE_QUERY_RECORDS, on_backups, slow, "ssi",
		    "backup", NULL, (int64_t)MAX_BACKUPS) < 0)
		return;
	slow->n_refs++;
	slow->backups_asked = true;
}

static void ask_log(struct slow *slow, const char *receiver)
{
	const struct conf_daemon *d = &slow->agentx->conf->daemon;
	usec_t wall = clock_wall();
	struct log_ask *ask = calloc(1, sizeof(*ask));

	if (ask)
		ask->receiver = strdup(receiver);
	if (ask && ask->receiver) {
		ask->slow = slow;
		if (store_read(slow->agentx->manager->store, STORE_QUERY_NOTICE_LOG, on_log, ask,
			    "sii", receiver, (int64_t)(wall - MIN(d->agentx_log_age, wall)),
			    d->agentx_log_rows) == 0) {
			slow->n_refs++;
			slow->n_log_asked++;
			return;
		}
	}
	if (ask)
		free(ask->receiver);
	free(ask);
}

static bool is_snmp(const struct agentx *a, const char *receiver)
{
	const struct conf_receiver *conf = map_get(&a->conf->receivers, receiver);

	return conf && conf->type == RECEIVER_SNMP;
}

#define HASH(hash, value) hash_bytes((hash), &(value), sizeof(value))

/* Read when something happened, and once more: rows are written a moment after. */
static void ask_logs(struct slow *slow, usec_t now)
{
	struct agentx *a = slow->agentx;
	struct alert_receiver_stats stats[MAX_RECEIVERS];
	size_t n = MIN(
		alert_get_stats(a->manager->alert, stats, MAX_RECEIVERS), (size_t)MAX_RECEIVERS);
	uint64_t seen = HASH_INIT;

	if (slow->n_log_asked > 0 || a->conf->daemon.agentx_log_rows == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (!is_snmp(a, stats[i].name))
			continue;
		seen = sent_hash_text(seen, stats[i].name);
		seen = HASH(seen, stats[i].sequence);
		seen = HASH(seen, stats[i].n_delivered);
		seen = HASH(seen, stats[i].n_failed);
		seen = HASH(seen, stats[i].n_waiting);
	}
	if (seen == slow->log_seen && now < slow->log_at)
		return;
	slow->log_at = seen == slow->log_seen ? now + LOG_USEC : now + SLOW_USEC;
	slow->log_seen = seen;
	for (size_t i = 0; i < n; i++)
		if (is_snmp(a, stats[i].name))
			ask_log(slow, stats[i].name);
}

/* ---- the tables ----------------------------------------------------------------------------- */

static void put_policy(const struct policies_glance *glance, void *data)
{
	struct pass *p = data;

	pass_put(p, MIB_TABLE_POLICY, feed_index(p->agentx, MIB_TABLE_POLICY, glance->name),
		rows_policy(glance));
}

static void put_backups(struct pass *p)
{
	const char *component;
	json_t *sets;

	json_object_foreach (p->agentx->slow->backups, component, sets)
		pass_put(p, MIB_TABLE_BACKUP, feed_index(p->agentx, MIB_TABLE_BACKUP, component),
			rows_backup(component, sets));
}

static void put_receivers(struct pass *p)
{
	auto_json json_t *list = alert_receivers_to_json(p->agentx->manager->alert);
	json_t *receiver;
	size_t i;

	json_array_foreach (list, i, receiver) {
		const char *name = json_string_value(json_object_get(receiver, "name"));

		if (name)
			pass_put(p, MIB_TABLE_RECEIVER,
				feed_index(p->agentx, MIB_TABLE_RECEIVER, name),
				rows_receiver(receiver));
	}
}

/* There may be thousands of them, and hardly one changes: looked at without making the row. */
static void put_notice(struct pass *p, uint64_t index, const json_t *row)
{
	json_int_t delivered = json_integer_value(json_object_get(row, "delivered_at"));
	uint64_t hash = sent_hash_text(HASH_INIT, json_string_value(json_object_get(row, "id")));
	struct sent_row *sent;

	hash = sent_hash_text(hash, json_string_value(json_object_get(row, "state")));
	hash = HASH(hash, delivered);
	sent = pass_changed(p, MIB_TABLE_LOG, index, hash, hash);
	if (sent)
		pass_add(p, MIB_TABLE_LOG, sent, rows_log(row));
}

static void put_log(struct pass *p)
{
	const struct conf_daemon *d = &p->agentx->conf->daemon;
	json_int_t oldest = (json_int_t)clock_wall() - (json_int_t)d->agentx_log_age;
	const char *receiver;
	json_t *rows, *row;
	size_t i;

	json_object_foreach (p->agentx->slow->logs, receiver, rows) {
		uint64_t first = feed_index(p->agentx, MIB_TABLE_RECEIVER, receiver);

		if (!is_snmp(p->agentx, receiver))
			continue;
		json_array_foreach (rows, i, row) {
			uint64_t sequence =
				(uint64_t)json_integer_value(json_object_get(row, "sequence"));

			if (first && json_integer_value(json_object_get(row, "at")) >= oldest)
				put_notice(p, first << 32 | (sequence & UINT32_MAX), row);
		}
	}
}

static void put_windows(struct pass *p, const struct map *windows)
{
	usec_t wall = clock_wall();

	MAP_FOREACH (windows, const struct conf_window *, window) {
		/* A window and a freeze may have the same name. */
		auto_free char *name =
			str_printf("%s %s", window->freeze ? "freeze" : "window", window->name);

		if (name)
			pass_put(p, MIB_TABLE_WINDOW, feed_index(p->agentx, MIB_TABLE_WINDOW, name),
				rows_window(window, wall));
	}
}

void slow_pass(struct pass *p)
{
	struct slow *slow = p->agentx->slow;
	const struct conf *conf = p->agentx->conf;

	if (p->now < slow->look_at)
		return;
	p->slow = true;
	slow->look_at = p->now + SLOW_USEC;
	ask_backups(slow, p->now);
	ask_logs(slow, p->now);
	policies_glance(p->agentx->manager->policies, put_policy, p);
	put_backups(p);
	put_receivers(p);
	put_log(p);
	put_windows(p, &conf->windows);
	put_windows(p, &conf->freezes);
	if (p->full)
		slow->look_at = 0;
}
