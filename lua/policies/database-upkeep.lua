-- SPDX-License-Identifier: MIT
--
-- Upkeep of a PostgreSQL database: analyse, reindex what has bloated, purge job tables.
--
-- Nightly, and only in an open window ([window] with actions = allow). Before each piece it looks
-- whether the database has something better to do: a vacuum against wraparound, a standby that
-- lags, a backup, a transaction that is open for long; then that piece and the rest of the night
-- are skipped, and the run says so. The work is done by commands and statements of the executor's
-- manifest (etc/commands.d/upkeep.conf.example) that carry lock limits of their own, so that nobody
-- waits for upkeep: an index that is locked is left for another night, and a purge that does not
-- get its lock within its lock_timeout fails and is told.
--
-- The role that looks (user of [database]) needs pg_monitor, and for the statistics of columns
-- pg_read_all_data or SELECT on the tables; an index without statistics is left alone.
--
-- Parameters ([policy database-upkeep], param.NAME = ...):
--   analyse       command that analyses (""); empty: not done
--   reindex       command with the parameter `index` that reindexes it concurrently and says
--                 result=done or result=locked (""); empty: not done
--   reindex_most  indexes a night, those with the most to win first (3)
--   bloat_pct     an index is reindexed when it is this much larger than its tuples need (60)
--   bloat_mib     and when at least so many MiB would be won (50)
--   purge         [sql NAME]s that purge job tables, separated by commas; each deletes at most as
--                 many rows as its statement says
--   lag           a standby may lag this much (30s)
--   longest       a transaction may be open this long (10m)
--
-- An index that stayed large although it was built anew is as large as it has to be, whatever the
-- statistics say: the size then is kept on record, and it is left alone until it has grown by
-- bloat_pct from there.

local answer = require "tend.answer"
local sql = require "tend.sql"

local MIB = 1024 * 1024
-- Candidates that are looked at: the largest.
local MOST_INDEXES = 500

-- Without pg_read_all_stats the server shows others' transactions as null: no answer is not "none".
local BUSY = [[
select
	pg_has_role(current_user, 'pg_read_all_stats', 'usage') as sees_all,
	pg_is_in_recovery() as standby,
	(select count(*) from pg_stat_activity where backend_type = 'autovacuum worker'
		and query like '%(to prevent wraparound)%') as wraparound,
	(select coalesce(max(extract(epoch from replay_lag)), 0)::float8
		from pg_stat_replication) as lag_sec,
	(select count(*) from pg_stat_progress_basebackup) + (select count(*) from pg_stat_activity
		where application_name like 'pgBackRest%backup%') as backups,
	(select coalesce(max(extract(epoch from now() - began)), 0)::float8 from (
		select xact_start as began from pg_stat_activity where backend_type = 'client backend'
		union all select prepared from pg_prepared_xacts where database = current_database()
	) open) as longest_sec
]]

-- Pages of B-trees against what their tuples need, by the catalogue and the statistics alone: no
-- index is read, none is locked. A tuple is a header of 8 bytes and its columns, in multiples of 8,
-- and 4 bytes that point to it; pages of 8152 usable bytes are filled to the fillfactor. Equal keys
-- are stored once, with 6 bytes for each row (deduplication), unless the index is unique or has
-- included columns.
local BLOAT = [[
with column_stats as (
	select i.indexrelid,
		sum((1 - s.null_frac) * s.avg_width) as width,
		max(s.null_frac) as null_frac,
		exp(sum(ln(greatest(case when s.n_distinct < 0
			then -s.n_distinct * greatest(t.reltuples, 1) else s.n_distinct end, 1)::float8))) as n_distinct,
		count(s.avg_width) = count(*) as complete
	from pg_index i
	join pg_class t on t.oid = i.indrelid
	join pg_namespace n on n.oid = t.relnamespace
	join pg_class c on c.oid = i.indexrelid
	cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, position)
	left join pg_attribute a
		on a.attrelid = case when k.attnum = 0 then i.indexrelid else i.indrelid end
		and a.attnum = case when k.attnum = 0 then k.position else k.attnum end
	left join pg_stats s on s.schemaname = n.nspname and s.attname = a.attname
		and s.tablename = case when k.attnum = 0 then c.relname else t.relname end and not s.inherited
	group by i.indexrelid
), sized as (
	select i.indexrelid, c.relpages * 8192::float8 as bytes,
		c.reltuples::float8 as tuples,
		coalesce((select option_value::float8 from pg_options_to_table(c.reloptions)
			where option_name = 'fillfactor'), 90) / 100 as fill,
		8 + case when w.null_frac > 0 then 8 else 0 end + ceil(w.width / 8) * 8 as tuple_bytes,
		not i.indisunique and i.indnkeyatts = i.indnatts
			and coalesce((select option_value::boolean from pg_options_to_table(c.reloptions)
				where option_name = 'deduplicate_items'), true) as shared,
		least(w.n_distinct, c.reltuples) as n_distinct, w.complete
	from pg_index i
	join pg_class c on c.oid = i.indexrelid
	join column_stats w on w.indexrelid = i.indexrelid
	where i.indisvalid and i.indisready and not i.indisexclusion and c.relkind = 'i'
		and c.relpersistence <> 't' and c.reltuples >= 0
		and c.relam = (select oid from pg_am where amname = 'btree')
		and c.relnamespace not in (select oid from pg_namespace
			where nspname in ('pg_catalog', 'information_schema', 'pg_toast'))
		and c.relpages * 8192::float8 >= $1
	order by c.relpages desc, i.indexrelid
	limit 500
)
select indexrelid::regclass::text as index, bytes, complete,
	((case when shared then n_distinct * (tuple_bytes + 4)
			+ greatest(tuples - n_distinct, 0) * 6
		else tuples * (tuple_bytes + 4) end) / fill * 8192 / 8152 + 8192)::float8 as needed
from sized
]]

local SIZE = "select pg_relation_size($1::text::regclass)::float8 as bytes"

local function first_row(ctx, text, params)
	local found, why, outcome = tend.sql.query { component = ctx.component, sql = text,
		params = params }
	if not found then
		return nil, why, outcome
	end
	return sql.rows(found)[1]
end

-- Why the database has no time for upkeep, or nil; or false, message, outcome.
local function busy(ctx)
	local row, why, outcome = first_row(ctx, BUSY)
	if not row then
		return false, "its state cannot be read: " .. why, outcome
	elseif not row.sees_all then
		return false, "the role that looks cannot see the transactions of others: grant it pg_monitor"
	elseif row.standby then
		return "it is a standby"
	elseif row.wraparound > 0 then
		return "a vacuum against wraparound is at work"
	elseif row.lag_sec > ctx.params.lag then
		return ("a standby lags %.0f s"):format(row.lag_sec)
	elseif row.backups > 0 then
		return "a backup is being taken"
	elseif row.longest_sec > ctx.params.longest then
		return ("a transaction is open for %.0f s"):format(row.longest_sec)
	end
	local window
	window, why, outcome = tend.window.check { component = ctx.component }
	if not window then
		return false, why, outcome
	elseif not window.open then
		return "no window is open"
	end
	return nil
end

-- Indexes that are worth it, those with the most to win first: list of {index, bytes, needed}.
local function bloated(ctx)
	local p = ctx.params
	local found, why, outcome = tend.sql.query { component = ctx.component, sql = BLOAT,
		params = { math.max(p.bloat_mib * MIB, 8192) }, max_rows = MOST_INDEXES }
	if not found then
		return nil, "bloat cannot be estimated: " .. why, outcome
	end
	local list, unknown = {}, 0
	for _, row in ipairs(sql.rows(found)) do
		local won = row.bytes - (row.needed or row.bytes)
		if not row.complete then
			unknown = unknown + 1
		elseif won >= p.bloat_mib * MIB and won * 100 >= p.bloat_pct * row.needed then
			local last = tend.record.get { kind = "note", scope = ctx.component.name,
				key = "reindexed/" .. row.index }
			if type(last) ~= "table" or row.bytes * 100 >= last.after * (100 + p.bloat_pct) then
				list[#list + 1] = row
			end
		end
	end
	if unknown > 0 then
		tend.log(("%d indexes have no statistics that the role can read, they are left alone"):format(
			unknown))
	end
	table.sort(list, function(a, b)
		local x, y = a.bytes - a.needed, b.bytes - b.needed
		if x ~= y then
			return x > y
		end
		return a.index < b.index
	end)
	return list
end

-- Returns what was done, for people; or nil, message, outcome.
local function reindex(ctx, row)
	local said, why, outcome = answer.run(ctx.params.reindex, { index = row.index })
	if not said then
		return nil, why, outcome
	elseif said.result == "locked" then
		return row.index .. " is locked, left for another night"
			.. (said.leftovers and ", and so is what was begun of it" or "")
	end
	local after
	after, why, outcome = first_row(ctx, SIZE, { row.index })
	if not after then
		return nil, why, outcome
	end
	tend.record.put { kind = "note", scope = ctx.component.name, key = "reindexed/" .. row.index,
		value = { before = row.bytes, after = after.bytes, date = ctx.calendar.date } }
	return ("reindexed %s (%.1f to %.1f MiB)"):format(row.index, row.bytes / MIB, after.bytes / MIB)
end

-- undo: none: what the statement of the manifest purges is gone
local function purge(ctx, name)
	local done, why, outcome = tend.sql.execute { name = name, component = ctx.component.name }
	if not done then
		return nil, ("%s: %s"):format(name, why), outcome
	end
	local affected = type(done) == "table" and done.affected or 0
	return ("purged by %s: %s rows"):format(name, affected)
end

policy "database-upkeep" {
	doc = "Analyse, reindex what has bloated and purge job tables, with lock limits, in a window.",
	schedule = { cron = "30 3 * * *", missed = "skip" },
	targets = { kind = "database" },
	window = "required",
	hand = true,
	timeout = "4h",
	budget = 20,
	params = {
		analyse = { type = "string", default = "", doc = "command that analyses" },
		reindex = { type = "string", default = "", doc = "command that reindexes one `index`" },
		reindex_most = { type = "integer", default = 3, min = 0, max = 100, doc = "indexes a night" },
		bloat_pct = { type = "integer", default = 60, min = 1, max = 10000,
			doc = "reindex when so much larger than needed" },
		bloat_mib = { type = "integer", default = 50, min = 0, max = 1048576,
			doc = "and at least so many MiB would be won" },
		purge = { type = "list", default = {}, doc = "[sql NAME]s that purge job tables" },
		lag = { type = "duration", default = "30s", min = "0s", max = "1h",
			doc = "a standby may lag this much" },
		longest = { type = "duration", default = "10m", min = "1s", max = "24h",
			doc = "a transaction may be open this long" },
	},
	run = function(ctx)
		local p, did = ctx.params, {}

		local function said(end_text)
			if end_text then
				did[#did + 1] = end_text
			end
			return #did > 0 and table.concat(did, "; ") or "nothing to do"
		end

		-- Returns true; or false, message, outcome of the run: the rest of the night is left.
		local function piece(fn, ...)
			local why_not, why, outcome = busy(ctx)
			if why_not == false then
				return false, nil, said(why), outcome
			elseif why_not then
				return false, said("the rest is skipped: " .. why_not)
			end
			local text
			text, why, outcome = fn(ctx, ...)
			if not text then
				return false, nil, said(why), outcome
			end
			did[#did + 1] = text
			return true
		end

		local pieces = {}
		if p.analyse ~= "" then
			pieces[#pieces + 1] = { function()
				-- undo: none: these are only statistics
				local done, why, outcome = tend.command.run(p.analyse)
				return done and "analysed", why, outcome
			end }
		end
		if p.reindex ~= "" then
			pieces[#pieces + 1] = { function()
				local list, why, outcome = bloated(ctx)
				if not list then
					return nil, why, outcome
				end
				for i = math.min(#list, p.reindex_most), 1, -1 do
					table.insert(pieces, 1, { reindex, list[i] })
				end
				return ("%d bloated indexes"):format(#list)
			end }
		end
		for _, name in ipairs(p.purge) do
			pieces[#pieces + 1] = { purge, name }
		end
		while #pieces > 0 do
			local one = table.remove(pieces, 1)
			local went_on, value, why, outcome = piece(one[1], one[2])
			if not went_on then
				return value, why, outcome
			end
		end
		return said()
	end,
}
