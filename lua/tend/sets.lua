-- SPDX-License-Identifier: MIT
--
-- Backup sets as they are on record: which are good, which are proven, which may go. Pure functions
-- over a list of sets, oldest first; the policy `backup` does the work, `patch` asks here.
--
-- A set (record of the kind `backup`, key = label, scope = component):
--   label, kind    full, differential or incremental
--   chain          labels it cannot be restored without, the full one first; its own is not in it
--   members        name -> { ok, ... }: each declared member of the set
--   at             when its contents are of: the restore point (seconds since 1970)
--   verified_at    when all of it was last read and found whole
--   proven_at      when it was restored and held what was recorded
--   rto, rpo       seconds: what the restore took; what would have been lost since the set before
--   why            why it is not good, if it is not

local sets = {}

-- All that is on record for the component, oldest first; or nil, message, outcome.
function sets.load(component)
	local rows, why, outcome = tend.record.list { kind = "backup", scope = component }
	if not rows then
		return nil, why, outcome
	end
	local list = {}
	for _, row in ipairs(type(rows) == "table" and rows or {}) do
		table.insert(list, row.value)
	end
	table.sort(list, function(a, b)
		if a.at ~= b.at then
			return a.at < b.at
		end
		return a.label < b.label
	end)
	return list
end

function sets.save(component, set)
	return tend.record.put { kind = "backup", key = set.label, value = set, scope = component }
end

function sets.find(list, label)
	for _, set in ipairs(list) do
		if set.label == label then
			return set
		end
	end
	return nil
end

-- Whole, with every member, and read through since it was taken.
function sets.good(set)
	return not set.why and set.verified_at ~= nil
end

function sets.proven(set)
	return sets.good(set) and set.proven_at ~= nil
end

-- The newest that `fits`, or nil.
function sets.newest(list, fits)
	for i = #list, 1, -1 do
		if fits(list[i]) then
			return list[i]
		end
	end
	return nil
end

-- The full set at the bottom of its chain.
function sets.root(set)
	return set.chain[1] or set.label
end

local function span(seconds)
	if seconds >= 172800 then
		return ("%d d"):format(seconds // 86400)
	elseif seconds >= 3600 then
		return ("%d h"):format(seconds // 3600)
	end
	return ("%d min"):format(seconds // 60)
end

-- What is to be told of all this now: state, text, metrics. limits: stale_after, unproven_after
-- (seconds). The worst comes first; what is lost if the machine burns now stands in the metrics.
function sets.judge(list, now, limits)
	local newest = list[#list]
	local good, proven = sets.newest(list, sets.good), sets.newest(list, sets.proven)
	local metrics = {
		age_of_good_seconds = good and now - good.at or nil,
		age_of_proven_seconds = proven and now - proven.at or nil,
		rto_seconds = proven and proven.rto or nil,
	}
	local kept = proven and ("the newest proven set is %s, %s old"):format(
		proven.label, span(now - proven.at)) or "no set is proven"
	if not newest then
		return "critical", "there is no backup", metrics
	elseif not good then
		return "critical", ("no set is good: %s: %s"):format(
			newest.label, newest.why or "it was not read through"), metrics
	elseif now - good.at > limits.stale_after then
		return "critical", ("the newest good set, %s, is %s old; %s"):format(
			good.label, span(now - good.at), kept), metrics
	elseif not proven then
		return "critical", ("no set is proven by a restore; the newest good one is %s"):format(
			good.label), metrics
	elseif now - proven.proven_at > limits.unproven_after then
		return "critical", ("no restore has proven a set for %s; %s"):format(
			span(now - proven.proven_at), kept), metrics
	elseif newest.why then
		return "critical", ("%s: %s; %s"):format(newest.label, newest.why, kept), metrics
	end
	return "ok", ("%s is good, %s old; %s, restored in %.1f s"):format(
		good.label, span(now - good.at), kept, proven.rto or 0), metrics
end

-- The full sets that may go, oldest first; with each goes what depends on it. Kept are the `keep`
-- newest chains whose full set is good, all that is newer than the oldest of them, and, whatever
-- its age, the chain of the newest proven set.
function sets.doomed(list, keep)
	local proven, kept, doomed = sets.newest(list, sets.proven), 0, {}
	for i = #list, 1, -1 do
		local set = list[i]
		if #set.chain == 0 then
			local needed = proven and sets.root(proven) == set.label
			if kept >= keep and not needed then
				table.insert(doomed, 1, set.label)
			elseif sets.good(set) then
				kept = kept + 1
			end
		end
	end
	return doomed
end

-- The labels that a full set takes with it, itself the last.
function sets.dependants(list, label)
	local found = {}
	for i = #list, 1, -1 do
		if sets.root(list[i]) == label then
			table.insert(found, list[i].label)
		end
	end
	return found
end

return sets
