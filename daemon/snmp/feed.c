/* SPDX-License-Identifier: MIT */
#include "snmp/feed.h"
#include <inttypes.h>
#include <string.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "snmp/feed_private.h"
#include "snmp/rows.h"
#include "snmp/text.h"

enum {
	TICK_MSEC = 250,
	ROWS_PER_NOTE = 200,	     /* about 4 KiB each at the worst: below RPC_LINE_BYTES */
	MAX_PENDING_BYTES = 1 << 20, /* what does not fit waits as a row, not as text */
	MAX_RECEIVERS = 64,
	KEY_BYTES = 48,
};
static void send_note(struct pass *p, json_t *more)
{
	json_t *rows = json_object(), *removed = json_object();
	auto_json json_t *update = json_pack("{s:I, s:b, s:o, s:o}", "generation",
		(json_int_t)++p->agentx->generation, "full", 0, "rows", rows, "removed", removed);

	for (size_t i = 0; i < MIB_TABLE_MAX; i++) {
		if (p->rows[i])
			json_object_set_new(rows, mib_tables[i].key, p->rows[i]);
		if (p->removed[i])
			json_object_set_new(removed, mib_tables[i].key, p->removed[i]);
		p->rows[i] = p->removed[i] = NULL;
	}
	if (more)
		json_object_update(update, more);
	(void)rpc_call(p->rpc, "update", TAKE(update), 0, NULL, NULL, NULL);
	p->n_rows = 0;
	p->full = rpc_output_pending(p->rpc) >= MAX_PENDING_BYTES;
}

/* As the helper has it: "7", or "3.7" where there are two indexes. */
static const char *format_key(enum mib_table_id table, uint64_t index, char buf[KEY_BYTES])
{
	if (mib_tables[table].n_indexes == 2)
		snprintf(buf, KEY_BYTES, "%" PRIu64 ".%" PRIu64, index >> 32, index & UINT32_MAX);
	else
		snprintf(buf, KEY_BYTES, "%" PRIu64, index);
	return buf;
}

void pass_add(struct pass *p, enum mib_table_id table, struct sent_row *row, json_t *values)
{
	char key[KEY_BYTES];

	if (!p->rows[table])
		p->rows[table] = json_object();
	if (json_object_set_new(p->rows[table], format_key(table, row->index, key), values) < 0) {
		row->brief = row->urgent = 0; /* no memory: tried again in the next pass */
		return;
	}
	row->has = true;
	row->when = p->now;
	if (++p->n_rows >= ROWS_PER_NOTE)
		send_note(p, NULL);
}

struct sent_row *pass_changed(
	struct pass *p, enum mib_table_id table, uint64_t index, uint64_t brief, uint64_t urgent)
{
	struct sent_row *row = sent_get(&p->agentx->sent[table], index);

	if (!row)
		return NULL;
	row->pass = p->agentx->pass;
	if (p->full || (row->has && row->brief == brief))
		return NULL;
	if (row->has && row->urgent == urgent && p->now - row->when < SLOW_USEC)
		return NULL;
	row->brief = brief;
	row->urgent = urgent;
	return row;
}

#define HASH(hash, value) hash_bytes((hash), &(value), sizeof(value))

uint32_t feed_index(struct agentx *a, enum mib_table_id table, const char *name)
{
	struct map *names = &a->names[table];
	uintptr_t index = (uintptr_t)map_get(names, name);

	if (index == 0) {
		index = names->len + 1;
		if (names->len >= MIB_MAX_ROWS || map_put(names, name, (void *)index) < 0)
			return 0;
	}
	return (uint32_t)index;
}

void pass_put(struct pass *p, enum mib_table_id table, uint64_t index, json_t *values)
{
	auto_free char *text = values ? json_dumps(values, JSON_COMPACT) : NULL;
	uint64_t hash = sent_hash_text(HASH_INIT, text);
	struct sent_row *row = text ? pass_changed(p, table, index, hash, hash) : NULL;

	if (row)
		pass_add(p, table, row, values);
	else
		json_decref(values);
}

static void pass_systems(struct pass *p)
{
	const struct watch *watch = p->agentx->manager->watch;

	MAP_FOREACH (&watch_conf(watch)->systems, struct conf_system *, system) {
		enum tend_state state = watch_system_state(watch, system);
		uint64_t hash = sent_hash_text(HASH_INIT, system->name);
		struct sent_row *row;

		hash = sent_hash_text(hash, system->owner);
		hash = HASH(hash, system->environment);
		hash = HASH(hash, state);
		row = pass_changed(p, MIB_TABLE_SYSTEM,
			feed_index(p->agentx, MIB_TABLE_SYSTEM, system->name), hash, hash);
		if (row)
			pass_add(p, MIB_TABLE_SYSTEM, row, rows_system(system, state));
	}
}

static void pass_components(struct pass *p)
{
	MAP_FOREACH (watch_components(p->agentx->manager->watch), struct component *, component) {
		uint64_t hash = sent_hash_text(HASH_INIT, component->conf->name);
		struct sent_row *row;

		hash = sent_hash_text(hash, component->conf->unit);
		hash = HASH(hash, component->conf->kind);
		hash = HASH(hash, component->state);
		hash = HASH(hash, component->since_wall);
		row = pass_changed(p, MIB_TABLE_COMPONENT, component->snmp_index, hash, hash);
		if (row)
			pass_add(p, MIB_TABLE_COMPONENT, row, rows_component(component));
	}
}

static void pass_checks(struct pass *p, struct scalars *scalars)
{
	MAP_FOREACH (watch_checks(p->agentx->manager->watch), struct check *, check) {
		enum tend_state state = watch_check_shown_state(check);
		bool soft = state_is_soft(&check->state);
		uint64_t hash = HASH_INIT, brief;
		struct sent_row *row;

		scalars->n_by_state[state]++;
		/* Names change by a reload only, which forgets what was sent. */
		hash = HASH(hash, state);
		hash = HASH(hash, soft);
		hash = HASH(hash, check->state.hard_since_wall);
		hash = HASH(hash, check->last.reason);
		brief = HASH(hash, check->last.number);
		row = pass_changed(p, MIB_TABLE_CHECK, check->snmp_index, brief, hash);
		if (row)
			pass_add(p, MIB_TABLE_CHECK, row, rows_check(check));
	}
}

static void pass_incidents(struct pass *p)
{
	struct manager *m = p->agentx->manager;

	VEC_FOREACH (incidents_open(m->incidents), struct incident *, incident) {
		const struct check *check = watch_find_check(m->watch, incident->check);
		enum tend_state state = check ? watch_check_shown_state(check) : TEND_STATE_UNKNOWN;
		uint64_t hash = sent_hash_text(HASH_INIT, incident->id);
		struct sent_row *row;

		hash = sent_hash_text(hash, incident->fingerprint);
		hash = sent_hash_text(hash, incident->system);
		hash = sent_hash_text(hash, incident->component);
		hash = sent_hash_text(hash, incident->check);
		hash = sent_hash_text(hash, incident->text);
		hash = sent_hash_text(hash, incident->ack_author);
		hash = HASH(hash, state);
		hash = HASH(hash, incident->severity);
		hash = HASH(hash, incident->reason);
		hash = HASH(hash, incident->class);
		hash = HASH(hash, incident->phase);
		hash = HASH(hash, incident->members.len);
		row = pass_changed(p, MIB_TABLE_INCIDENT, incident->snmp_index, hash, hash);
		if (row)
			pass_add(p, MIB_TABLE_INCIDENT, row, rows_incident(incident, state));
	}
}

struct sweep {
	struct pass *pass;
	enum mib_table_id table;
};

static void on_gone(uint64_t index, void *data)
{
	struct sweep *sweep = data;
	json_t **list = &sweep->pass->removed[sweep->table];
	char key[KEY_BYTES];

	if (!*list)
		*list = json_array();
	(void)json_array_append_new(
		*list, mib_tables[sweep->table].n_indexes == 2
			       ? json_string(format_key(sweep->table, index, key))
			       : json_integer((json_int_t)index));
	sweep->pass->n_rows++;
}

/* Not when the helper does not read: what has gone stays in `sent` until it is told. */
static void pass_removed(struct pass *p)
{
	for (enum mib_table_id i = 0; i < MIB_TABLE_MAX && !p->full; i++) {
		struct sweep sweep = {.pass = p, .table = i};

		if (p->slow || !feed_is_slow(i))
			sent_sweep(&p->agentx->sent[i], p->agentx->pass, on_gone, &sweep);
	}
}

/* Of the receivers that speak SNMP, for the station to compare with what it received. */
static uint64_t newest_sequence(const struct manager *m)
{
	struct alert_receiver_stats stats[MAX_RECEIVERS];
	size_t n = alert_get_stats(m->alert, stats, MAX_RECEIVERS);
	uint64_t newest = 0;

	for (size_t i = 0; i < n && i < MAX_RECEIVERS; i++) {
		const struct conf_receiver *receiver =
			map_get(&watch_conf(m->watch)->receivers, stats[i].name);

		if (receiver && receiver->type == RECEIVER_SNMP)
			newest = MAX(newest, stats[i].sequence);
	}
	return newest;
}

static json_t *scalars_to_json(const struct agentx *a, const struct scalars *s)
{
	const uint64_t *n = s->n_by_state;

	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:b, "
			 "s:I, s:I, s:b, "
			 "s:I, s:I, s:I}",
		"version", TEND_VERSION, "started", (json_int_t)a->manager->started, "worst",
		(json_int_t)s->worst, "ok", (json_int_t)n[TEND_STATE_OK], "warning",
		(json_int_t)n[TEND_STATE_WARNING], "critical", (json_int_t)n[TEND_STATE_CRITICAL],
		"unknown", (json_int_t)n[TEND_STATE_UNKNOWN], "pending",
		(json_int_t)n[TEND_STATE_PENDING], "unreachable",
		(json_int_t)n[TEND_STATE_UNREACHABLE], "heartbeat", (json_int_t)a->heartbeat,
		"sequence", (json_int_t)s->sequence, "epoch",
		text_json(store_epoch(a->manager->store)), "outbox", (json_int_t)s->outbox,
		"actions", s->actions != 0, "incidents", (json_int_t)s->incidents, "loop_lag",
		(json_int_t)loop_recent_busy(a->manager->loop), "config", s->config != 0,
		"config_time", (json_int_t)MAX(a->manager->reload_wall, a->manager->started_wall),
		"log_rows", (json_int_t)a->conf->daemon.agentx_log_rows, "log_age",
		(json_int_t)(a->conf->daemon.agentx_log_age / USEC_PER_SEC));
}

static void pass_scalars(struct pass *p, struct scalars *now)
{
	struct agentx *a = p->agentx;
	struct manager *m = a->manager;
	auto_json json_t *more = NULL;
	bool due = a->scalars_sent == 0 || p->now - a->scalars_sent >= SLOW_USEC;

	now->worst = watch_worst_state(m->watch);
	now->sequence = newest_sequence(m);
	now->outbox = alert_outbox_depth(m->alert);
	now->actions = policies_actions_enabled(m->policies);
	now->incidents = incidents_open(m->incidents)->len;
	now->config = m->reload_ok;
	due = due || memcmp(now, &a->scalars, sizeof(*now)) != 0;
	if (due && !p->full) {
		a->scalars = *now;
		a->scalars_sent = p->now;
		a->heartbeat = (a->heartbeat + 1) & UINT32_MAX;
		more = json_pack("{s:o}", "scalars", scalars_to_json(a, now));
	}
	if (more || p->n_rows > 0)
		send_note(p, more);
}

static void on_tick(void *data)
{
	struct agentx *a = data;
	struct scalars scalars = {0};
	struct pass pass = {
		.agentx = a, .rpc = a->child ? child_rpc(a->child) : NULL, .now = clock_now()};

	if (!pass.rpc)
		return; /* on_up() starts again */
	loop_timer_set(a->timer, pass.now + TICK_MSEC * USEC_PER_MSEC);
	/* Still busy with what it has: let changes coalesce. */
	if (rpc_output_pending(pass.rpc) > 0)
		return;
	a->pass++;
	pass_systems(&pass);
	pass_components(&pass);
	pass_checks(&pass, &scalars);
	pass_incidents(&pass);
	slow_pass(&pass);
	pass_removed(&pass);
	pass_scalars(&pass, &scalars);
}

static void forget_sent(struct agentx *a)
{
	for (size_t i = 0; i < MIB_TABLE_MAX; i++)
		sent_clear(&a->sent[i]);
	a->scalars_sent = 0;
	a->slow->look_at = 0;
}

static void on_up(struct child *child, struct rpc *rpc, void *data)
{
	struct agentx *a = data;
	const struct conf_daemon *d = &a->conf->daemon;

	forget_sent(a);
	(void)rpc_call(rpc, "config",
		json_pack("{s:s, s:f}", "socket", d->agentx_socket, "ping_sec",
			(double)d->agentx_ping / (double)USEC_PER_SEC),
		0, NULL, NULL, NULL);
	(void)rpc_call(rpc, "update",
		json_pack("{s:I, s:b}", "generation", (json_int_t)++a->generation, "full", 1), 0,
		NULL, NULL, NULL);
	loop_timer_set(a->timer, clock_now() + 1);
}

static void on_down(struct child *child, const char *why, void *data)
{
	struct agentx *a = data;

	a->connected = false;
	loop_timer_set(a->timer, 0);
}

static void on_call(struct rpc *rpc, uint64_t id, const char *call, json_t *args, void *data)
{
	struct agentx *a = data;

	if (strcmp(call, "status") == 0)
		a->connected = json_is_true(json_object_get(args, "connected"));
	else if (id != 0)
		(void)rpc_error(rpc, id, "invalid", "there is no call of this name");
}

int agentx_new(struct manager *manager, struct agentx **ret_agentx)
{
	struct agentx *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->manager = manager;
	r = slow_new(a, &a->slow);
	if (r == 0)
		r = loop_timer_new(manager->loop, on_tick, a, &a->timer);
	if (r < 0) {
		slow_free(a->slow);
		free(a);
		return r;
	}
	loop_source_name(a->timer, "agentx-feed");
	*ret_agentx = a;
	return 0;
}

struct agentx *agentx_free(struct agentx *a)
{
	if (!a)
		return NULL;
	child_free(a->child);
	loop_source_free(a->timer);
	forget_sent(a);
	for (size_t i = 0; i < MIB_TABLE_MAX; i++)
		map_clear(&a->names[i]);
	slow_free(a->slow);
	conf_unref(a->conf);
	free(a);
	return NULL;
}

bool agentx_connected(const struct agentx *a)
{
	return a->connected;
}

static bool same_helper(const struct conf_daemon *a, const struct conf_daemon *b)
{
	return str_eq(a->agentx_socket, b->agentx_socket) && a->agentx_ping == b->agentx_ping &&
	       str_eq(a->libexec_dir, b->libexec_dir);
}

static int start_helper(struct agentx *a)
{
	const char *folder =
		a->conf->daemon.libexec_dir ? a->conf->daemon.libexec_dir : TEND_LIBEXECDIR;
	auto_free char *path = str_printf("%s/tend-agentx", folder);
	const char *const argv[] = {path, NULL};
	struct child_spec spec = {
		.name = "tend-agentx",
		.argv = argv,
		.on_call = on_call,
		.on_up = on_up,
		.on_down = on_down,
		.data = a,
	};

	return path ? child_new(a->manager->loop, &spec, &a->child) : -ENOMEM;
}

int agentx_apply(struct agentx *a, struct conf *conf)
{
	bool same = a->conf && same_helper(&a->conf->daemon, &conf->daemon);
	struct conf *old = a->conf;

	a->conf = conf_ref(conf);
	conf_unref(old);
	if (same) {
		/* Names and numbers may have changed hands: everything is looked at again. */
		for (size_t i = 0; i < MIB_TABLE_MAX; i++)
			for (size_t n = 0; n < a->sent[i].cap; n++)
				a->sent[i].rows[n].brief = a->sent[i].rows[n].urgent = 0;
		a->slow->look_at = 0;
		return 0;
	}
	a->child = child_free(a->child);
	a->connected = false;
	loop_timer_set(a->timer, 0);
	return conf->daemon.agentx_socket ? start_helper(a) : 0;
}
