-- SPDX-License-Identifier: MIT
--
-- Ends the database session that blocks others longer than a limit (PostgreSQL 14 or newer).
--
-- Started by an incident at a database whose blocked-sessions check fails. It asks who waits for
-- whom and looks at the roots only: sessions that block others and wait for nobody themselves. Of
-- those, one that sits idle in a transaction is ended first: its client has done nothing for a
-- while, and what it had not committed is rolled back. A session at work is ended only if `active`
-- says so. One at a time, each named by pid and start, so that a pid that was given to somebody
-- else meanwhile is never hit.
--
-- Both roles of the [database] section need pg_read_all_stats (or pg_monitor), else states and
-- starts of other sessions are not seen; the one that ends sessions needs pg_signal_backend, too.
--
-- Parameters ([policy end-blocker], param.NAME = ...):
--   limit   how long others must have waited (30s)
--   active  may a session at work be ended, not only an idle one? (false)
--   most    sessions ended in one run (3)
--   ok      results in a row that must be well (3)
--   within  how long that may take afterwards (45s)

local heal = require "tend.heal"
local sql = require "tend.sql"

-- One row for each root: waiters are those that wait for a lock not granted, however many of them
-- stand between; waited_sec is the longest wait of them all.
local ROOTS = [[
with recursive waiting as (
	select l.pid, extract(epoch from clock_timestamp() - min(l.waitstart)) as waited
	from pg_catalog.pg_locks l
	where not l.granted
	group by l.pid
), chain as (
	select w.pid as waiter, w.waited, b.pid as blocker
	from waiting w, unnest(pg_catalog.pg_blocking_pids(w.pid)) as b(pid)
	union
	select c.waiter, c.waited, b.pid
	from chain c, unnest(pg_catalog.pg_blocking_pids(c.blocker)) as b(pid)
)
select a.pid, a.backend_start::text as backend_start, a.state, a.usename as username,
	a.application_name as application, count(distinct c.waiter) as n_waiters,
	round(coalesce(max(c.waited), 0)::numeric, 1)::float8 as waited_sec
from chain c join pg_catalog.pg_stat_activity a on a.pid = c.blocker
where a.backend_type = 'client backend'
	and cardinality(pg_catalog.pg_blocking_pids(a.pid)) = 0
group by a.pid, a.backend_start, a.state, a.usename, a.application_name
order by a.pid
]]

-- Seconds a session that was told to end may still be seen.
local PATIENCE = 10

local function is_idle(root)
	return root.state == "idle in transaction" or root.state == "idle in transaction (aborted)"
end

-- The roots, each {pid, backend_start, state, waited_sec, ...}: idle ones first, then by the
-- longest wait.
local function find_roots(ctx)
	local answer, why, outcome = tend.sql.query { sql = ROOTS, component = ctx.component }
	if not answer then
		return nil, "cannot see who blocks whom: " .. why, outcome
	end
	local roots = sql.rows(answer)
	table.sort(roots, function(a, b)
		if is_idle(a) ~= is_idle(b) then
			return is_idle(a)
		end
		return a.waited_sec > b.waited_sec
	end)
	return roots
end

-- The one to end now; or nil and how long to wait until one has blocked for too long; or nil, nil
-- and why there is none that may be ended.
local function choose(roots, params)
	local wait
	for _, root in ipairs(roots) do
		if is_idle(root) or (params.active and root.state) then
			local left = params.limit - root.waited_sec
			if left <= 0 then
				return root
			end
			wait = math.min(wait or left, left)
		end
	end
	if wait then
		return nil, wait
	end
	local state = roots[1].state or "in a state this role may not see"
	return nil, nil, ("session %s of %s blocks %s other(s) and is %s"):format(
		roots[1].pid, roots[1].username or "?", roots[1].n_waiters, state)
end

local function terminate(ctx, root)
	tend.log(("ending session %s of %s (%s): it blocks %s other(s), for %s s"):format(
		root.pid, root.username or "?", root.state, root.n_waiters, root.waited_sec))
	local done, why, outcome = tend.sql.terminate_backend {
		component = ctx.component,
		pid = root.pid,
		backend_start = root.backend_start,
	}
	if not done then
		return nil, ("session %s was not ended: %s"):format(root.pid, why), outcome
	end
	return true
end

-- Ends one root after the other until nobody blocks any more. Returns true; or nil, message,
-- outcome.
local function end_roots(ctx)
	local n_ended, asked = 0, {}
	while true do
		local roots, why, outcome = find_roots(ctx)
		if not roots then
			return nil, why, outcome
		end
		if #roots == 0 then
			return true
		end
		local root, wait, none = choose(roots, ctx.params)
		if none then
			return nil, none
		end
		local key = root and root.pid .. "@" .. root.backend_start
		if not root then
			tend.sleep(math.ceil(wait))
		elseif asked[key] == PATIENCE then
			return nil, ("session %s was told to end and is still there"):format(
				root.pid)
		elseif asked[key] then
			-- It was told a moment ago: a server under load takes its time.
			asked[key] = asked[key] + 1
			tend.sleep(1)
		elseif n_ended == ctx.params.most then
			return nil, ("%d session(s) ended, and session %s blocks others still"):format(
				n_ended, root.pid)
		else
			local done
			done, why, outcome = terminate(ctx, root)
			if not done then
				return nil, why, outcome
			end
			n_ended = n_ended + 1
			asked[key] = 0
		end
	end
end

policy "end-blocker" {
	doc = "End the database session that blocks others longer than a limit.",
	on = {
		incident = {
			kind = "database",
			check = "*/blocked*",
			reason = "threshold",
		},
	},
	hand = true,
	params = {
		limit = { type = "duration", default = "30s", max = "1h",
			doc = "how long others must have waited" },
		active = { type = "boolean", default = false,
			doc = "may a session at work be ended, not only an idle one?" },
		most = { type = "integer", default = 3, min = 1, max = 20,
			doc = "sessions ended in one run" },
		ok = { type = "integer", default = 3, min = 1, max = 20,
			doc = "results in a row that must be well" },
		within = { type = "duration", default = "45s", min = "1s", max = "30m",
			doc = "how long that may take afterwards" },
	},
	run = function(ctx)
		local done, why, outcome = end_roots(ctx)
		if not done then
			return nil, why, outcome
		end
		return heal.verify(ctx)
	end,
}
