/* SPDX-License-Identifier: MIT */
#include "questions.h"
#include <string.h>

/* A session as it is named in texts: pid, role, application. */
#define WHO(a)                                                                                     \
	"format('pid %s', " a ".pid) || coalesce(' ' || left(" a ".usename, 40), '')"              \
	" || coalesce(' (' || nullif(left(" a ".application_name, 40), '') || ')', '')"
#define SECONDS(since)	  "extract(epoch from clock_timestamp() - (" since "))"
#define NO_LESS_THAN_0(x) "greatest(0, coalesce(" x ", 0))::float8"
/* Where the WAL of this server ends: its own, or what came from the primary. */
#define WAL_END                                                                                    \
	"case when pg_is_in_recovery() then coalesce(pg_last_wal_receive_lsn(),"                   \
	" pg_last_wal_replay_lsn()) else pg_current_wal_lsn() end"

/* SQL, broken where it reads best. */
/* clang-format off */
const char postgres_first_question[] =
	"select pg_has_role(current_user, 'pg_read_all_stats', 'usage'), current_user, (select"
	" quote_ident(n.nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace"
	" where e.extname = 'pg_stat_statements')";

static const char connections[] =
	"with c as (select pid, state from pg_stat_activity where backend_type = 'client backend'),"
	" m as (select current_setting('max_connections')::float8 m, (select sum(setting::int) from"
	" pg_settings where name in ('superuser_reserved_connections', 'reserved_connections')) r),"
	" n as (select count(*)::float8 n, count(*) filter (where pid <> pg_backend_pid()) others"
	" from c) select 'connections', '', n from n"
	" union all select 'connections_max', '', m from m"
	" union all select 'connections_percent', '', 100 * n / m from n, m"
	" union all select 'connections_state', s, (select count(*) from c where c.state = s) from"
	" unnest(array['active', 'idle', 'idle in transaction', 'idle in transaction (aborted)']) s"
	" union all select case when others >= m - r then '!connections-full' else '.' end,"
	" format('%s of %s connections', n, m), 0 from n, m";

/* Only of those that wait for a lock: the function takes the lock manager's own locks. */
static const char blocked[] =
	"with w as materialized (select a.pid, a.usename, a.application_name, b.blocker, "
	SECONDS("coalesce((select min((to_jsonb(l)->>'waitstart')::timestamptz) from pg_locks l"
		" where l.pid = a.pid and not l.granted), a.query_start)")
	"::float8 s from pg_stat_activity a, lateral unnest(pg_blocking_pids(a.pid)) b(blocker)"
	" where a.wait_event_type = 'Lock'), n as (select count(distinct pid)::float8 n, max(s) s"
	" from w), t as (select string_agg(line, ', ') line from (select " WHO("w") " || format('"
	" waits %s s for ', round(w.s)) || case when w.blocker = 0 then 'a prepared transaction'"
	" else " WHO("h") " || format(', %s for %s s', coalesce(h.state, 'gone'), round(coalesce("
	SECONDS("h.state_change") ", 0))) end line from w left join"
	" pg_stat_activity h on h.pid = w.blocker order by w.s desc, w.pid limit 3) x) select"
	" 'blocked', '', n from n"
	" union all select 'longest_block_seconds', '', " NO_LESS_THAN_0("s") " from n"
	" union all select case when s > $1::float8 and $1::float8 > 0 then '!locked' else '.' end,"
	" format('%s blocked', n) || coalesce(': ' || line, ''), 0 from n, t";

static const char transactions[] =
	"with a as (select *, " SECONDS("xact_start") " x, case when state like 'idle in"
	" transaction%' then " SECONDS("state_change") " end i from pg_stat_activity where"
	" backend_type = 'client backend' and xact_start is not null and pid <> pg_backend_pid()),"
	" o as (select * from a order by x desc, pid limit 1) select 'longest_transaction_seconds',"
	" '', " NO_LESS_THAN_0("max(x)") " from a"
	" union all select 'idle_transaction_seconds', '', " NO_LESS_THAN_0("max(i)") " from a"
	" union all select '.', 'longest transaction ' || coalesce((select round(x) || ' s: ' || "
	WHO("o") " || ', ' || state from o), 'none'), 0";

/* A slot without its consumer, a standby without its primary and a paused replay are faults by
 * themselves; a restore_command alone needs no receiver. */
static const char replication[] =
	"with e as materialized (select pg_is_in_recovery() standby, " WAL_END " wal,"
	" pg_last_wal_replay_lsn() replayed), r as (select left(coalesce(nullif(application_name,"
	" ''), '?') || coalesce(' ' || host(client_addr), ''), 63) who, state, greatest(0,"
	" pg_wal_lsn_diff(wal, replay_lsn))::float8 bytes, case when replay_lsn = wal then 0 else "
	NO_LESS_THAN_0("extract(epoch from replay_lag)") " end s from pg_stat_replication, e where"
	" state <> 'backup'), l as (select slot_name, active, temporary, restart_lsn, greatest(0,"
	" pg_wal_lsn_diff(wal, restart_lsn))::float8 kept, coalesce(to_jsonb(p)->>'wal_status' ="
	" 'lost', false) lost from pg_replication_slots p, e), v as (select count(*) filter (where"
	" status = 'streaming') n from pg_stat_wal_receiver) select 'in_recovery', '',"
	" standby::int::float8 from e"
	" union all select 'standbys', '', count(*) filter (where state = 'streaming') from r"
	" union all (select 'replication_lag_bytes', who, max(bytes) from r where bytes is not null"
	" group by who order by 3 desc limit 30)"
	" union all (select 'replication_lag_seconds', who, max(s) from r group by who order by 3"
	" desc limit 30)"
	" union all (select 'slot_retained_bytes', slot_name, kept from l where kept is not null"
	" order by kept desc limit 30)"
	" union all (select '!replication-broken', case when lost then format('slot %s has lost WAL"
	" that it needs', slot_name) else format('slot %s has no consumer and keeps %s of WAL',"
	" slot_name, pg_size_pretty(kept::bigint)) end, 0 from l where lost or (not active and not"
	" temporary and restart_lsn is not null) order by kept desc limit 3)"
	" union all select 'replay_lag_bytes', '', greatest(0, pg_wal_lsn_diff(wal, replayed)) from"
	" e where standby"
	" union all select 'replay_lag_seconds', '', case when v.n > 0 and wal = replayed then 0"
	" else " NO_LESS_THAN_0(SECONDS("pg_last_xact_replay_timestamp()")) " end from e, v where"
	" standby"
	" union all select '!replication-broken', 'the WAL receiver does not stream', 0 from e, v"
	" where standby and v.n = 0 and exists (select from pg_settings where name ="
	" 'primary_conninfo' and setting <> '')"
	" union all select '!replication-broken', 'the replay is paused', 0 from e where standby"
	" and case when standby then pg_is_wal_replay_paused() end"
	" union all select '.', case when standby then 'standby' else format('standbys: %s',"
	" (select count(*) from r where state = 'streaming')) end, 0 from e";

static const char archiving[] =
	"with a as (select *, coalesce(last_failed_time > coalesce(last_archived_time,"
	" '-infinity'), false) failing from pg_stat_archiver where current_setting('archive_mode')"
	" <> 'off') select 'archive_failures', '', failed_count::float8 from a"
	" union all select 'archive_failing', '', failing::int from a"
	" union all select 'archive_age_seconds', '', "
	NO_LESS_THAN_0(SECONDS("last_archived_time")) " from a where last_archived_time is not null"
	" union all select '.', case when failing then format('archiving %s fails',"
	" last_failed_wal) else coalesce('archived ' || last_archived_wal, 'nothing archived yet')"
	" end, 0 from a"
	" union all select '.', 'archiving is off', 0 where not exists (select from a)";

static const char wraparound[] =
	"with d as (select datname, age(datfrozenxid)::float8 x, mxid_age(datminmxid)::float8 m"
	" from pg_database), p as (select datname, 100 * x /"
	" current_setting('autovacuum_freeze_max_age')::float8 x, 100 * x / 2147483648 hard, 100 *"
	" m / current_setting('autovacuum_multixact_freeze_max_age')::float8 m from d) select"
	" 'wraparound_percent', '', max(x) from p"
	" union all select 'wraparound_limit_percent', '', max(hard) from p"
	" union all select 'wraparound_multixact_percent', '', max(m) from p"
	" union all (select '.', format('wraparound %s %% in %s', round(greatest(x, m)), datname),"
	" 0 from p order by greatest(x, m) desc, datname limit 1)";

static const char bloat[] =
	"with t as (select left(schemaname || '.' || relname, 63) who, n_dead_tup::float8 dead,"
	" (n_dead_tup + n_live_tup)::float8 rows from pg_stat_user_tables), w as (select who,"
	" max(100 * dead / rows) share from t where dead >= 1000 group by who order by 2 desc, 1"
	" limit 5) select 'dead_rows', '', " NO_LESS_THAN_0("sum(dead)") " from t"
	" union all select 'dead_percent', '', coalesce(100 * sum(dead) / nullif(sum(rows), 0), 0)"
	" from t"
	" union all select 'dead_percent', who, share from w"
	" union all (select '.', format('%s: %s %% dead rows', who, round(share)), 0 from w order"
	" by share desc, who limit 1)";

static const char cache[] =
	"select '#blocks_hit', '', sum(blks_hit)::float8 from pg_stat_database"
	" union all select '#blocks_read', '', sum(blks_read)::float8 from pg_stat_database";

/* Time and calls are summed over the roles that ran it. */
static const char statements[] =
	"with s as (select queryid::text who, sum(total_exec_time) / 1000 s, sum(calls)::float8 n"
	" from %s.pg_stat_statements where dbid = (select oid from pg_database where datname ="
	" current_database()) and queryid is not null group by 1 having sum(calls) > 0), w as"
	" (select who, s / n mean from s order by 2 desc, 1 limit 5) select"
	" 'statement_mean_seconds', '', coalesce(sum(s) / nullif(sum(n), 0), 0) from s"
	" union all select 'statement_mean_seconds', who, mean from w"
	" union all (select '.', format('slowest statement %s: %s s', who, round(mean::numeric,"
	" 3)), 0 from w order by mean desc, who limit 1)";

/* Sizes as the planner knows them: to ask for the files' would wait for locks. */
static const char indexes[] =
	"with b as (select current_setting('block_size')::float8 b), u as (select i.schemaname ||"
	" '.' || i.indexrelname who, c.relpages * b bytes from pg_stat_user_indexes i join pg_index"
	" x on x.indexrelid = i.indexrelid join pg_class c on c.oid = i.indexrelid, b where"
	" i.idx_scan = 0 and not x.indisunique and not x.indisexclusion), m as (select schemaname"
	" || '.' || relname who, seq_tup_read n from pg_stat_user_tables where seq_scan >= 50 and"
	" seq_scan > coalesce(idx_scan, 0) and seq_tup_read / seq_scan >= 10000) select"
	" 'unused_indexes', '', count(*)::float8 from u"
	" union all select 'unused_index_bytes', '', " NO_LESS_THAN_0("sum(bytes)") " from u"
	" union all select 'missing_indexes', '', count(*) from m"
	" union all (select '.', 'unused index ' || who, 0 from u order by bytes desc, who limit 1)"
	" union all (select '.', 'no index serves ' || who, 0 from m order by n desc, who limit 1)";

/* clang-format on */

const struct postgres_question postgres_questions[] = {
	{"connections", true, false, false, connections,
		{"connections", "connections_max", "connections_percent", "connections_state"}},
	{"blocked", true, true, false, blocked, {"blocked", "longest_block_seconds"}},
	{"transactions", true, false, false, transactions,
		{"longest_transaction_seconds", "idle_transaction_seconds"}},
	{"replication", true, false, false, replication,
		{"in_recovery", "standbys", "replication_lag_bytes", "replication_lag_seconds",
			"slot_retained_bytes", "replay_lag_bytes", "replay_lag_seconds"}},
	{"archiving", false, false, false, archiving,
		{"archive_failures", "archive_failing", "archive_age_seconds"}},
	{"wraparound", false, false, false, wraparound,
		{"wraparound_percent", "wraparound_limit_percent", "wraparound_multixact_percent"}},
	{"bloat", false, false, false, bloat, {"dead_rows", "dead_percent"}},
	{"cache", false, false, false, cache, {"cache_hit_percent"}},
	{"statements", true, false, true, statements, {"statement_mean_seconds"}},
	{"indexes", false, false, false, indexes,
		{"unused_indexes", "unused_index_bytes", "missing_indexes"}},
	{0},
};

const struct postgres_question *postgres_question_find(const char *look)
{
	for (const struct postgres_question *q = postgres_questions; q->look; q++)
		if (strcmp(q->look, look) == 0)
			return q;
	return NULL;
}
