-- SPDX-License-Identifier: MIT
--
-- Findings of audits: open until closed, with exceptions that expire.
--
-- A finding is a record of the kind `finding` with a key of its own (what and where), so that the
-- same thing found again is the same finding: {state = open, accepted or closed, text, severity,
-- since, seen, closed}. An exception is a record of the kind `exception` under the same key:
-- {until_date = "2026-12-31", why, author}; a person makes it (tendctl finding accept), it ends by
-- itself, and then the finding is told again.

local finding = {}

-- In the order of keys: a run that is taken up again must take the same steps.
local function keys(map)
	local list = {}
	for key in pairs(map) do
		list[#list + 1] = key
	end
	table.sort(list)
	return list
end

local function listed(kind, scope)
	local rows, why, outcome = tend.record.list { kind = kind, scope = scope }
	if not rows then
		return nil, why, outcome
	end
	local byname = {}
	for _, one in ipairs(type(rows) == "table" and rows or {}) do
		byname[one.key] = one.value
	end
	return byname
end

-- Exceptions of the scope that hold today: key -> exception; or nil, message, outcome.
function finding.exceptions(scope, today)
	local all, why, outcome = listed("exception", scope)
	if not all then
		return nil, why, outcome
	end
	for _, key in ipairs(keys(all)) do
		if type(all[key]) ~= "table" or (all[key].until_date or "") < today then
			all[key] = nil
		end
	end
	return all
end

local function state_of(old)
	return type(old) == "table" and old.state or nil
end

-- found: key -> {text, severity}, everything that is wrong now. today: "2026-11-22". Brings the
-- records up to date and returns {opened, still, closed, accepted = lists of keys, sorted}; or nil,
-- message, outcome.
function finding.reconcile(scope, found, today)
	local before, why, outcome = listed("finding", scope)
	if not before then
		return nil, why, outcome
	end
	local exceptions
	exceptions, why, outcome = finding.exceptions(scope, today)
	if not exceptions then
		return nil, why, outcome
	end
	local result = { opened = {}, still = {}, closed = {}, accepted = {} }

	local function keep(list, key, value)
		list[#list + 1] = key
		local done
		done, why, outcome = tend.record.put { kind = "finding", scope = scope, key = key, value = value }
		return done
	end

	for _, key in ipairs(keys(found)) do
		local one, old = found[key], before[key]
		local was, list, state = state_of(old), result.opened, "open"
		if exceptions[key] then
			list, state = result.accepted, "accepted"
		elseif was == "open" then
			list = result.still
		end
		if not keep(list, key, { state = state, text = one.text, severity = one.severity or "warning",
			since = (was == "open" or was == "accepted") and old.since or today, seen = today }) then
			return nil, why, outcome
		end
	end
	for _, key in ipairs(keys(before)) do
		local old, was = before[key], state_of(before[key])
		if not found[key] and (was == "open" or was == "accepted") then
			old.state, old.closed = "closed", today
			if not keep(result.closed, key, old) then
				return nil, why, outcome
			end
		end
	end
	return result
end

-- "3 new, 2 still open, 1 closed, 1 accepted"
function finding.summary(result)
	return ("%d new, %d still open, %d closed, %d accepted"):format(#result.opened, #result.still,
		#result.closed, #result.accepted)
end

return finding
