-- SPDX-License-Identifier: MIT
--
-- Patches one machine: the packages that the manifest names, to exact versions, and back to exactly
-- the versions of before when the component is not well with them.
--
-- In order: what is installed is recorded; apt simulates, and fetches what the way there and the
-- way back need; the gates: a backup proven lately, an open window with enough of it left, the
-- component well, versions that were not rolled back before; people are told what will be
-- installed; apt installs; units that still run files of before are restarted, if the manifest
-- allows; the component's own checks must stay well for the soak time. Whatever keeps it from
-- getting there (a check, a refused step, a cancelled run, something that depends on it and was
-- well before): the way back, the same restarts, the same checks. People are told what came of it,
-- and it is on record (kind `report`). Where it is not known what was installed, people are called
-- and nothing is done.
--
-- The way back is done when the run has ended, however it ended: there neither a window nor a
-- freeze nor a budget holds it up. Of a cancelled run the clean-up has ten minutes, so what it
-- waits for is shorter.
--
-- The commands are etc/commands.d/patch.conf.example: which packages may change stands there.
--
-- Parameters ([policy patch], param.NAME = ...):
--   backup_of    the component whose backup must be proven; empty: none is asked for
--                (SYSTEM/database)
--   proven       how old that proof may be (24h)
--   commands     what the names of the commands begin with (patch)
--   checks       the checks that say whether it is well (all of the component)
--   soak         how long they must stay well (15m)
--   pace         how often they are run meanwhile (15s)
--   bad          how often in a row one must fail to count (3)
--   left         how much of the window must be left at the start: patching, soak, the way back
--                and its soak (1h)
--   patience     how long the way back is tried while it is refused: somebody else has dpkg's
--                lock, for one (15m)
--   retry        what was rolled back here before may be tried again (no)
--
-- The versions of a set that was rolled back are suspects: a set that has all of them in it, alone
-- or among others, is refused until one of them is another, or an administrator has removed the
-- record (tendctl record remove note COMPONENT KEY; the refusal says which). Of those that are well
-- in another set the suspicion is taken.

local answer = require "tend.answer"
local sets = require "tend.sets"

local function command(ctx, name)
	return ctx.params.commands .. "-" .. name
end

-- Of a cancelled run's clean-up.
local CANCELLED_PATIENCE, CANCELLED_SOAK = 180, 60
-- Those around it that are looked at before and after.
local MAX_AROUND = 200
-- Of the steps that a run may take, for one soak; how often something is tried.
local MAX_ASKED, MAX_TRIES = 3000, 100

local function now()
	return tend.now().unix
end

local function words(changes)
	local list = {}
	for _, change in ipairs(changes) do
		table.insert(list, ("%s %s -> %s"):format(change.package, change.old, change.new))
	end
	return table.concat(list, ", ")
end

-- ---- gates: each gives true, or nil, message, outcome

local function gate_backup(ctx)
	local component = ctx.params.backup_of
	if component == "" then
		return true
	elseif component == "SYSTEM/database" then
		component = ctx.system .. "/database"
	end
	local list, why, outcome = sets.load(component)
	if not list then
		return nil, why, outcome
	end
	local proven = sets.newest(list, sets.proven)
	if not proven then
		return nil, ("no backup of %s is proven"):format(component), "refused"
	elseif now() - proven.proven_at > ctx.params.proven then
		return nil, ("the newest proof of a backup of %s is %d h old, it may be %d h"):format(
			component, (now() - proven.proven_at) // 3600, ctx.params.proven // 3600),
			"refused"
	end
	return true
end

local function gate_window(ctx)
	local window, why, outcome = tend.window.check { component = ctx.component }
	if not window then
		return nil, why, outcome
	elseif not window.open then
		return nil, "no window is open" ..
			(window.next and window.next ~= tend.null and
				(": the next opens at " .. window.next) or ""), "refused"
	elseif math.type(window.left) and window.left < ctx.params.left then
		return nil, ("the window closes in %d min, %d min are wanted"):format(
			window.left // 60, ctx.params.left // 60), "refused"
	end
	return true
end

-- Every check, run now. Returns the name and text of the first that is not well, or nil.
local function first_bad(checks)
	for _, name in ipairs(checks) do
		local result, why = tend.check.run(name)
		if not result then
			return name, why
		elseif result.state ~= "ok" or result.now ~= "ok" then
			return name, result.text
		end
	end
	return nil
end

local function gate_health(checks)
	local name, text = first_bad(checks)
	if name then
		return nil, ("%s is not well before: %s"):format(name, text), "refused"
	end
	return true
end

-- "PACKAGE VERSION" of each, in order, and as a set.
local function versions(changes)
	local list, set = {}, {}
	for _, change in ipairs(changes) do
		local version = change.package .. " " .. change.new
		table.insert(list, version)
		set[version] = true
	end
	table.sort(list)
	return list, set
end

-- ---- suspects: versions that were installed together and not kept, a record (kind `note`) a set

-- The sets of suspects: key, versions; or nil, message, outcome.
local function suspects(ctx)
	local rows, why, outcome = tend.record.list { kind = "note", scope = ctx.component.name }
	if not rows then
		return nil, why, outcome
	end
	local list = {}
	for _, row in ipairs(type(rows) == "table" and rows or {}) do
		if type(row.value) == "table" and row.value.policy == "patch" and
			type(row.value.suspects) == "table" then
			table.insert(list, { key = row.key, value = row.value,
				versions = row.value.suspects })
		end
	end
	return list
end

local function keep_suspects(ctx, key, value, list)
	value.suspects = list
	value.text = "not together again: " .. table.concat(list, ", ")
	return tend.record.put { kind = "note", key = key, scope = ctx.component.name,
		value = value }
end

local function suspect(ctx, state, why)
	return keep_suspects(ctx, "patch suspects " .. state.plan,
		{ policy = "patch", why = why, at = now() }, versions(state.changes))
end

-- What is well now is suspect no more; what is left of its set was to blame. Without this the two
-- halves of a bad set could come one after the other.
local function acquit(ctx, changes)
	local _, well = versions(changes)
	for _, set in ipairs(suspects(ctx) or {}) do
		local left = {}
		for _, version in ipairs(set.versions) do
			if not well[version] then
				table.insert(left, version)
			end
		end
		if #left == 0 then
			tend.record.remove { kind = "note", key = set.key, scope = ctx.component.name }
		elseif #left < #set.versions then
			keep_suspects(ctx, set.key, set.value, left)
		end
	end
end

-- Any of a set may have been to blame, or several together: what has all of it, alone or among
-- others, is not tried again. With one of them in another version, or without it, it is.
local function gate_rejected(ctx, changes)
	if ctx.params.retry then
		return true
	end
	local sets_kept, why, outcome = suspects(ctx)
	if not sets_kept then
		return nil, why, outcome
	end
	local _, wanted = versions(changes)
	for _, set in ipairs(sets_kept) do
		local all = true
		for _, version in ipairs(set.versions) do
			all = all and wanted[version]
		end
		if all then
			return nil, ("held back by %s, which was rolled back here before (%s): another " ..
				"version of it is tried; so is this, after 'tendctl record remove note %s " ..
				"\"%s\"' or with param.retry = yes"):format(
				table.concat(set.versions, ", "), set.value.why or "no reason",
				ctx.component.name, set.key), "refused"
		end
	end
	return true
end

-- ---- work

local function inventory(ctx)
	local found, all, outcome = answer.query(command(ctx, "inventory"))
	if not found then
		return nil, all, outcome
	end
	return tend.record.put {
		kind = "inventory", key = "packages", scope = ctx.component.name,
		value = { packages = found.packages, sha256 = found.sha256,
			was = all.was or {}, is = all.is or {} },
	}
end

-- The plan's name and its changes; nothing to do: an empty list.
local function make_plan(ctx)
	local found, all, outcome = answer.query(command(ctx, "plan"))
	if not found then
		return nil, all, outcome
	end
	local changes = {}
	for _, line in ipairs(all.change or {}) do
		local package, old, new = string.match(line, "^(%S+) (%S+) (%S+)$")
		table.insert(changes, { package = package, old = old, new = new })
	end
	local plan = all.plan and all.plan[#all.plan]
	if not plan then
		return nil, command(ctx, "plan") .. " has named no plan"
	elseif #changes ~= (found.changes or #changes) then
		-- Only the end of a long answer arrives: people would not see all that is installed.
		return nil, ("%s: %d of %d changes arrived"):format(command(ctx, "plan"), #changes,
			found.changes), "refused"
	end
	return plan, changes
end

-- The manifest may leave a restart to people; a window or a freeze that begins just now may not.
local function held_up(ctx)
	local window = tend.window.check { component = ctx.component }
	return not window or not window.open
end

-- unit -> component, of this machine: others may have units of the same names.
local function owners(ctx)
	local all, owner, host = tend.components(), {}, nil
	for _, component in ipairs(all) do
		if component.name == ctx.component.name then
			host = component.host
		end
	end
	for _, component in ipairs(all) do
		local unit = component.unit
		if unit and component.host == host and owner[unit] ~= ctx.component.name then
			owner[unit] = component.name
		end
	end
	return owner
end

-- Units that run what is not there any more. Returns those that may not be restarted from here; or
-- nil, message, outcome of a restart that failed.
local function restart_units(ctx, back)
	local found, all, outcome = answer.query(command(ctx, "restarts"))
	if not found and back then
		-- The versions are back: whether that is enough the checks will say.
		return { ("not known which (%s)"):format(all) }
	elseif not found then
		return nil, all, outcome
	end
	local owner, left = owners(ctx), {}
	for _, unit in ipairs(all.unit or {}) do
		local done, why, how = nil, "no component has it", "refused"
		if owner[unit] then
			-- undo: the way back, after which it is restarted again
			done, why, how = tend.unit.restart { unit = unit, component = owner[unit] }
		end
		if not done and (how ~= "refused" or (owner[unit] and not back and held_up(ctx))) then
			return nil, ("restart of %s: %s"):format(unit, why), how
		elseif not done then
			table.insert(left, unit)
			tend.log(("%s is not restarted: %s"):format(unit, why))
		end
	end
	return left
end

-- All checks stay well for the soak time: a single bad result is not believed, as few are anywhere.
local function stays_well(ctx, checks, soak)
	local began, bad = now(), {}
	-- What a run may ask is limited, and the way back must have its share.
	local pause = math.max(ctx.params.pace, soak * (#checks + 2) // MAX_ASKED)
	while true do
		for _, name in ipairs(checks) do
			local result, why = tend.check.run(name)
			local well = result and result.now == "ok"
			bad[name] = well and 0 or (bad[name] or 0) + 1
			if bad[name] >= ctx.params.bad then
				return nil, ("%s: %s"):format(name, result and result.text or why)
			end
		end
		local still_bad = false
		for _, name in ipairs(checks) do
			still_bad = still_bad or bad[name] > 0
		end
		if now() - began >= soak and not still_bad then
			return true
		end
		tend.sleep(pause)
	end
end

local function tell(severity, text)
	return tend.notice.send { text = text, severity = severity }
end

local function keep(ctx, plan, changes, result, why)
	return tend.record.put {
		kind = "report", key = "patch " .. plan, scope = ctx.component.name,
		value = { policy = "patch", plan = plan, changes = changes, result = result,
			why = why, at = now() },
	}
end

-- The checks of all that belongs to the same system, by whether they are well.
local function around(ctx)
	local state, n = {}, 0
	for _, component in ipairs(tend.components { system = ctx.system } or {}) do
		if component.name ~= ctx.component.name and n < MAX_AROUND then
			n = n + 1
			for _, check in ipairs(tend.component.checks(component.name) or {}) do
				state[check.name] = check.state == "ok"
			end
		end
	end
	return state
end

local function by_hand(units)
	return #units > 0 and "; to be restarted by hand: " .. table.concat(units, ", ") or ""
end

-- ---- the way back, after the end of the run

-- No answer to the installation was seen: was anything begun? It may be at work yet.
local function was_begun(ctx, state, patience)
	local began, pause = now(), math.max(ctx.params.pace, patience // MAX_TRIES)
	while true do
		local found, why = answer.query(command(ctx, "state"), { plan = state.plan })
		if not found then
			tend.log(("what is installed is not known: %s"):format(why))
			return true
		elseif found.busy ~= 1 or now() - began >= patience then
			return found.busy == 1 or found.after ~= 0 or found.other ~= 0 or
				found.half ~= 0
		end
		tend.sleep(pause)
	end
end

-- Refused means that nothing was begun: somebody has dpkg's lock, or it was done too often.
local function put_back(ctx, state, patience)
	local began, pause = now(), math.max(ctx.params.pace, patience // MAX_TRIES)
	while true do
		local found, why, outcome = answer.run(command(ctx, "rollback"), { plan = state.plan })
		if found or outcome ~= "refused" or now() - began >= patience then
			return found, why
		end
		tend.sleep(pause)
	end
end

local function go_back(ctx, state, patience, soak)
	local found, why = put_back(ctx, state, patience)
	if not found then
		return nil, why
	end
	local left
	left, why = restart_units(ctx, true)
	if not left then
		return nil, why
	end
	local well
	well, why = stays_well(ctx, state.checks, soak)
	if not well then
		return nil, why
	end
	return left
end

-- What was well before and is not, after a time to come back: a text, or nil.
local function still_bad(ctx, state)
	local list, is = {}, around(ctx)
	for name, was_well in pairs(state.around) do
		-- While the first had its minute, the others had it too.
		if was_well and is[name] == false and
			not tend.verify(name, { ok = 1, within = #list == 0 and "1m" or "2s" }) then
			table.insert(list, name)
		end
	end
	return #list > 0 and table.concat(list, ", ") or nil
end

local function roll_back(ctx, state, how)
	local plan, changes = state.plan, state.changes
	-- An error begins with its place in this file.
	local why = state.why or string.gsub(how.message or "no reason", "^[%w/.-]+:%d+: ", "")
	local patience, soak = ctx.params.patience, ctx.params.soak
	if how.cancelled then
		patience, soak = math.min(patience, CANCELLED_PATIENCE), math.min(soak, CANCELLED_SOAK)
	end
	if state.stage == "asked" and not was_begun(ctx, state, patience) then
		return
	end
	tend.log(("going back to the versions of before: %s"):format(why))
	keep(ctx, plan, changes, "going back", why)
	suspect(ctx, state, why)
	local name, what = ctx.component.name, words(changes)
	local left, wrong = go_back(ctx, state, patience, soak)
	if not left then
		keep(ctx, plan, changes, "broken", wrong)
		tell("critical", ("%s: %s failed (%s), and the way back too: %s"):format(name, what, why,
			wrong))
		return
	end
	keep(ctx, plan, changes, "rolled back", why)
	local bad = still_bad(ctx, state)
	tell(bad and "critical" or "warning",
		("%s: %s was rolled back to the versions of before, and it is well again%s: %s%s"):format(
		name, what, bad and ", but not " .. bad or "", why, by_hand(left)))
end

-- Whatever the run has begun comes to an end that is on record.
local function settle(ctx, state, how)
	local plan, changes = state.plan, state.changes
	if state.accepted then
		keep(ctx, plan, changes, "installed")
		acquit(ctx, changes)
		tell("info", ("%s: installed %s; well for %d s%s"):format(ctx.component.name,
			words(changes), ctx.params.soak, by_hand(state.left)))
	elseif state.stage == "unknown" then
		keep(ctx, plan, changes, "unknown", how.message)
		suspect(ctx, state, how.message)
	elseif state.stage ~= "refused" then
		roll_back(ctx, state, how)
	end
end

-- ---- the way there

-- What keeps it from being accepted is told by `settle`.
local function install(ctx, state)
	local found, why, outcome = answer.run(command(ctx, "apply"), { plan = state.plan })
	-- Of these two nothing is to be taken back: nothing was begun, or nobody knows what.
	state.stage = not found and (outcome == "refused" or outcome == "unknown") and outcome or
		"begun"
	if not found then
		return nil, why, outcome
	end
	state.left, why = restart_units(ctx)
	if not state.left then
		return nil, why
	end
	local well
	well, why = stays_well(ctx, state.checks, ctx.params.soak)
	if not well then
		return nil, why
	end
	return tend.verify(state.checks[1], { ok = 1, within = "1m" })
end

local function patch(ctx, plan, changes, checks)
	local told, why, outcome = tell("info", ("%s: will install %s now"):format(
		ctx.component.name, words(changes)))
	if not told then
		return nil, why, outcome
	end
	local state = { plan = plan, changes = changes, checks = checks, around = around(ctx),
		stage = "asked" }
	-- Before the first step that changes anything: a run may be cancelled in it.
	ctx:finally(function(how) settle(ctx, state, how) end)
	local done
	done, why, outcome = install(ctx, state)
	if not done and state.stage == "begun" then
		state.why = why
		return nil, ("not kept, back to the versions of before: %s"):format(why)
	elseif not done then
		return nil, why, outcome
	end
	state.accepted = true
	return inventory(ctx)
end

local function checks_of(ctx)
	if #ctx.params.checks > 0 then
		return ctx.params.checks
	end
	local rows, why, outcome = tend.component.checks(ctx.component)
	if not rows then
		return nil, why, outcome
	end
	local names = {}
	for _, row in ipairs(type(rows) == "table" and rows or {}) do
		table.insert(names, row.name)
	end
	if #names == 0 then
		return nil, "no check says whether it is well", "refused"
	end
	return names
end

policy "patch" {
	doc = "Patch one machine to exact versions, and back to those of before if it is not well.",
	hand = true,
	timeout = "6h",
	budget = 20,
	concurrency = "skip",
	window = "required",
	params = {
		backup_of = { type = "string", default = "SYSTEM/database",
			doc = "the component whose backup must be proven; empty: none is asked for" },
		proven = { type = "duration", default = "24h", min = "1h", max = "30d",
			doc = "how old that proof may be" },
		commands = { type = "string", default = "patch",
			doc = "what the names of the executor's commands begin with" },
		checks = { type = "list", default = {},
			doc = "the checks that say whether it is well; by default all of the component" },
		soak = { type = "duration", default = "15m", min = "1s", max = "4h",
			doc = "how long they must stay well" },
		pace = { type = "duration", default = "15s", min = "1s", max = "10m",
			doc = "how often they are run meanwhile" },
		bad = { type = "integer", default = 3, min = 1, max = 100,
			doc = "how often in a row one must fail to count" },
		left = { type = "duration", default = "1h", min = "0s", max = "12h",
			doc = "how much of the window must be left at the start" },
		patience = { type = "duration", default = "15m", min = "0s", max = "2h",
			doc = "how long the way back is tried while it is refused" },
		retry = { type = "boolean", default = false,
			doc = "what was rolled back here before may be tried again" },
	},
	run = function(ctx)
		local checks, why, outcome = checks_of(ctx)
		if not checks then
			return nil, why, outcome
		end
		local passed
		passed, why, outcome = inventory(ctx)
		if not passed then
			return nil, why, outcome
		end
		local plan, changes, how = make_plan(ctx)
		if not plan then
			return nil, changes, how
		elseif #changes == 0 then
			tend.log("nothing to install")
			return true
		end
		for _, gate in ipairs { gate_backup, gate_window,
			function() return gate_health(checks) end,
			function() return gate_rejected(ctx, changes) end } do
			passed, why, outcome = gate(ctx)
			if not passed then
				return nil, ("%s: not now: %s"):format(words(changes), why), outcome
			end
		end
		return patch(ctx, plan, changes, checks)
	end,
}
