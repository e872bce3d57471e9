-- SPDX-License-Identifier: MIT
--
-- Backs up a PostgreSQL database with pgBackRest, and the files that belong to it, and proves by
-- restoring that it can be restored.
--
-- Each night: take a set (full on one day of the week, incremental on the others), make a restore
-- point and write down what the database holds at exactly that moment (a fingerprint of the schema,
-- the rows of each table), save the declared files, read the whole repository. After each full set,
-- and when the last proof is old, the set is restored beside the live server, isolated, up to its
-- restore point; it must hold exactly what was written down and be whole (amcheck, a dump of the
-- schema). What that takes is the measured recovery time.
--
-- A set that is found damaged is told at once; when the new set stands on it, a full one is taken
-- the same night. What is old goes, the newest proven set and what it needs never does. Whatever
-- comes of it is reported to the check `COMPONENT/backup` (probe passive), which also tells when
-- nothing is reported any more.
--
-- The commands are etc/commands.d/backup.conf.example; retention is this policy's, so pgBackRest's
-- own must be off (expire-auto=n, no repo1-retention-*).
--
-- Parameters ([policy backup], param.NAME = ...):
--   stanza          pgBackRest's name of the cluster (the system's name)
--   commands        what the names of the commands begin with (backup)
--   full_on         the day of the week of the full set (sunday)
--   members         what a set must have; one without is partial, never good (database, files)
--   drill_every     how old a proof may get before the next set is restored (6d); 0s: each is
--   stale_after     how old the newest good set may get (26h)
--   unproven_after  how old the newest proof may get (9d); tendd tells `backup.stale` by these two
--   keep_full       full sets kept, each with what depends on it (2)
--   check           where it is reported (COMPONENT/backup)

local answer = require "tend.answer"
local sets = require "tend.sets"

local TYPES = { full = "full", differential = "diff", incremental = "incr" }

local function command(ctx, name)
	return ctx.params.commands .. "-" .. name
end

local function stanza(ctx)
	return ctx.params.stanza ~= "" and ctx.params.stanza or ctx.system
end

local function check_name(ctx)
	return ctx.params.check ~= "" and ctx.params.check or ctx.component.name .. "/backup"
end

local function now()
	return tend.now().unix
end

local function report(ctx, state, text, metrics)
	return tend.check.report {
		check = check_name(ctx), state = state, text = text, metrics = metrics,
	}
end

-- Takes the set. Returns it with what pgBackRest says of it; or nil, message, outcome. Without a
-- label in a dry run.
local function take(ctx, kind, list)
	local name = command(ctx, "take")
	local done, why, outcome = tend.command.run(name,
		{ args = { stanza = stanza(ctx), type = TYPES[kind] } })
	if not done then
		return nil, ("%s: %s"):format(name, why), outcome
	end
	local said = type(done) == "table" and done.stdout or ""
	local label = string.match(said, "new backup label = (%S+)")
	-- pgBackRest takes a full one when there is none to stand on.
	local chain = {}
	if label and string.find(label, "_", 1, true) then
		local root = string.match(label, "^[^_]+")
		for _, set in ipairs(list) do
			if sets.root(set) == root then
				table.insert(chain, set.label)
			end
		end
		if chain[1] ~= root then
			table.insert(chain, 1, root)
		end
	end
	return {
		label = label,
		kind = #chain > 0 and kind or "full",
		chain = chain,
		members = {},
		at = now(),
		taken_at = now(),
		size = string.match(said, "backup size = ([%w.]+)"),
	}
end

-- The restore point, and what the database holds at it.
local function mark(ctx, set)
	local found, why, outcome = answer.query(command(ctx, "mark"),
		{ stanza = stanza(ctx), label = set.label })
	if not found then
		set.members.database = { ok = false }
		return nil, why, outcome
	end
	set.at = now()
	set.members.database = { ok = true }
	for _, key in ipairs { "target", "snapshot", "schema_sha256", "counts_sha256", "tables",
		"rows", "skipped" } do
		set[key] = found[key]
	end
	return true
end

local function take_files(ctx, set)
	local found, why, outcome = answer.run(command(ctx, "files-take"),
		{ stanza = stanza(ctx), label = set.label })
	if not found then
		set.members.files = { ok = false }
		return nil, why, outcome
	end
	set.members.files = { ok = true, sha256 = found.sha256, bytes = found.bytes,
		files = found.files }
	return true
end

-- Every declared member must be there.
local function complete(ctx, set)
	local missing = {}
	for _, name in ipairs(ctx.params.members) do
		if not (set.members[name] and set.members[name].ok) then
			table.insert(missing, name)
		end
	end
	if #missing > 0 then
		set.why = "partial: without " .. table.concat(missing, ", ")
	end
end

local function saved_files(set)
	return set.members.files and set.members.files.ok
end

local function as_set(list)
	local set = {}
	for _, each in ipairs(list or {}) do
		set[each] = true
	end
	return set
end

-- label -> sum of each archive of files that is whole; or nil, message, outcome.
local function files_sums(ctx)
	local sums = {}
	for _, name in ipairs(ctx.params.members) do
		if name == "files" then
			local found, all, outcome = answer.query(command(ctx, "files-verify"),
				{ stanza = stanza(ctx) })
			if not found then
				return nil, all, outcome
			end
			for _, line in ipairs(all.valid or {}) do
				local label, sum = string.match(line, "^(%S+) (%x+)$")
				if label then
					sums[label] = sum
				end
			end
		end
	end
	return sums
end

-- Reads all of the repository, and each set's files. Marks every set with what was found; returns
-- the sets that were good until now, or nil, message, outcome.
local function verify(ctx, list)
	local found, all, said = answer.query(command(ctx, "verify"), { stanza = stanza(ctx) })
	if not found then
		return nil, all, said
	end
	local files, wrong, outcome = files_sums(ctx)
	if not files then
		return nil, wrong, outcome
	end
	local fell, invalid, valid, at = {}, as_set(all.invalid), as_set(all.valid), now()
	for _, set in ipairs(list) do
		local why
		if invalid[set.label] then
			why = "damaged: the repository's files are not what was written"
		elseif not valid[set.label] then
			why = "missing: the repository does not have it any more"
		elseif saved_files(set) and files[set.label] ~= set.members.files.sha256 then
			why = "damaged: its files are not those that were saved"
		end
		if why and not set.why then
			set.why = why
			table.insert(fell, set)
		elseif not why then
			set.verified_at = at
		end
		local kept
		kept, wrong, outcome = sets.save(ctx.component.name, set)
		if not kept then
			return nil, wrong, outcome
		end
	end
	-- The log between a set and its restore point is a part of it; which set's, the next drill says.
	if (found.wal_errors or 0) > 0 then
		tend.log(("%d damaged or missing file(s) of the write-ahead log in the repository")
			:format(found.wal_errors))
	end
	return fell
end

-- What the restored database holds against what was written down; nil when it is the same.
local function compare(set, found, all)
	if (found.late_transactions or 0) > 0 then
		return ("%d transaction(s) ended while it was written down what it holds"):format(
			found.late_transactions)
	elseif found.schema_sha256 ~= set.schema_sha256 then
		return "the restored schema is not what was recorded"
	elseif found.counts_sha256 ~= set.counts_sha256 then
		return ("restored rows are not what was recorded: %s"):format(
			table.concat(all.differs or {}, "; "))
	elseif found.amcheck ~= "ok" or found.dump ~= "ok" then
		return ("restored, but amcheck is %s and the dump of the schema %s"):format(
			found.amcheck or "?", found.dump or "?")
	end
	return nil
end

-- Restores the set beside the live server. Returns true, or nil and why it proves nothing.
local function drill(ctx, set)
	local under_way = true
	ctx:finally(function()
		-- It may be going on, and its folder may be left.
		if under_way then
			answer.query(command(ctx, "clean"), { stanza = stanza(ctx) })
		end
	end)
	local found, all, outcome = answer.query(command(ctx, "drill"), {
		stanza = stanza(ctx), label = set.label, target = set.target,
		snapshot = set.snapshot,
	})
	local why
	if found then
		under_way = false
		why = compare(set, found, all)
	else
		why = all
	end
	local seconds = found and (found.rto_msec or 0) / 1000 or 0
	if not why and saved_files(set) then
		local files, wrong
		files, wrong, outcome = answer.query(command(ctx, "files-drill"),
			{ stanza = stanza(ctx), label = set.label })
		if files then
			seconds = seconds + (files.rto_msec or 0) / 1000
		else
			why = wrong
		end
	end
	if why and outcome == "refused" then
		return nil, why, outcome
	elseif why then
		set.why = "not restorable: " .. why
	else
		set.proven_at = now()
		set.rto = seconds
	end
	local kept, wrong
	kept, wrong, outcome = sets.save(ctx.component.name, set)
	if not kept then
		return nil, wrong, outcome
	end
	return not why, set.why
end

local function expire(ctx, list)
	for _, label in ipairs(sets.doomed(list, ctx.params.keep_full)) do
		local gone, why, outcome = answer.run(command(ctx, "expire"),
			{ stanza = stanza(ctx), label = label })
		if not gone then
			return nil, why, outcome
		end
		for _, each in ipairs(sets.dependants(list, label)) do
			local set = sets.find(list, each)
			if saved_files(set) then
				gone, why, outcome = answer.run(command(ctx, "files-expire"),
					{ stanza = stanza(ctx), label = each })
				if not gone then
					return nil, why, outcome
				end
			end
			gone, why, outcome = tend.record.remove {
				kind = "backup", key = each, scope = ctx.component.name,
			}
			if not gone then
				return nil, why, outcome
			end
		end
		tend.log(("expired %s and what stood on it"):format(label))
	end
	return true
end

-- One set from its taking to its place in the list, which grows by it. Returns the set; or nil,
-- message, outcome.
local function one_set(ctx, kind, list)
	local before = sets.newest(list, sets.good)
	local set, why, outcome = take(ctx, kind, list)
	if not set or not set.label then
		return set, why, outcome
	end
	local marked, unmarked, how = mark(ctx, set)
	local files, lost
	for _, name in ipairs(ctx.params.members) do
		if name == "files" then
			files, lost = take_files(ctx, set)
			if not files then
				tend.log("the files were not saved: " .. lost)
			end
		end
	end
	complete(ctx, set)
	set.rpo = before and set.at - before.at or nil
	table.insert(list, set)
	local kept
	kept, why, outcome = sets.save(ctx.component.name, set)
	if not kept then
		return nil, why, outcome
	elseif not marked then
		return nil, unmarked, how
	end
	return set
end

local function due(ctx, set, list)
	local proven = sets.newest(list, sets.proven)
	return set.kind == "full" or not proven or
		now() - proven.proven_at >= ctx.params.drill_every
end

local function tell_damage(ctx, fell, list)
	local words = {}
	for _, set in ipairs(fell) do
		table.insert(words, set.label .. " is " .. set.why)
	end
	local proven = sets.newest(list, sets.proven)
	return report(ctx, "critical", ("%s; %s"):format(table.concat(words, "; "),
		proven and ("the newest proven set is " .. proven.label) or "no set is proven"))
end

-- Takes, verifies, and once more in full when the set is not whole or stands on what is not.
-- Returns the newest set; or nil, message, outcome.
local function take_whole(ctx, kind, list)
	for try = 1, 2 do
		local set, why, outcome = one_set(ctx, kind, list)
		if not set or not set.label then
			return set, why, outcome
		end
		local fell
		fell, why, outcome = verify(ctx, list)
		if not fell then
			return nil, why, outcome
		end
		if #fell > 0 then
			local told
			told, why, outcome = tell_damage(ctx, fell, list)
			if not told then
				return nil, why, outcome
			end
		end
		if #fell == 0 or sets.good(set) or try == 2 then
			return set
		end
		kind = "full"
	end
	return nil, "unreachable"
end

local function night(ctx, list)
	local kind = ctx.calendar.weekday == ctx.params.full_on and "full" or "incremental"
	local root = sets.newest(list, function(set)
		return #set.chain == 0
	end)
	if not root or root.why then
		kind = "full"
	end
	local set, why, outcome = take_whole(ctx, kind, list)
	if not set then
		return nil, why, outcome
	elseif not set.label then
		return true
	end
	if sets.good(set) and due(ctx, set, list) then
		local proved
		proved, why, outcome = drill(ctx, set)
		if not proved and outcome then
			return nil, why, outcome
		end
	end
	return expire(ctx, list)
end

policy "backup" {
	doc = "Back up a PostgreSQL database and its files, and prove each full set by restoring it.",
	schedule = { cron = "0 2 * * *", missed = "once" },
	targets = { kind = "database" },
	hand = true,
	timeout = "8h",
	-- A night's own: what heals the database must not find its budget used up by its backup.
	budget = 20,
	concurrency = "skip",
	params = {
		stanza = { type = "string", default = "",
			doc = "pgBackRest's name of the cluster; by default the system's name" },
		commands = { type = "string", default = "backup",
			doc = "what the names of the executor's commands begin with" },
		full_on = { type = "string", default = "sunday",
			choices = { "monday", "tuesday", "wednesday", "thursday", "friday",
				"saturday", "sunday" },
			doc = "the day of the week of the full set" },
		members = { type = "list", default = { "database", "files" },
			doc = "what a set must have; one without is partial, never good" },
		drill_every = { type = "duration", default = "6d", max = "90d",
			doc = "how old a proof may get before the next set is restored" },
		stale_after = { type = "duration", default = "26h", min = "1h", max = "90d",
			doc = "how old the newest good set may get" },
		unproven_after = { type = "duration", default = "9d", min = "1h", max = "180d",
			doc = "how old the newest proof may get" },
		keep_full = { type = "integer", default = 2, min = 1, max = 100,
			doc = "full sets kept, each with what depends on it" },
		check = { type = "string", default = "",
			doc = "the check it is reported to; by default COMPONENT/backup" },
	},
	run = function(ctx)
		local known, unknown = tend.check.run(check_name(ctx))
		if not known and ctx.trigger and ctx.trigger.kind == "schedule" then
			-- A database that nobody has set this up for.
			tend.log(unknown .. ": no backup is taken")
			return true
		elseif not known then
			return nil, unknown, "refused"
		end
		local list, why, outcome = sets.load(ctx.component.name)
		if not list then
			return nil, why, outcome
		end
		local done, failed, how = night(ctx, list)
		-- A night that failed says so, whatever older sets are worth; they are told as well.
		local state, text, metrics = sets.judge(list, now(), ctx.params)
		if not done then
			state, text = "critical", failed .. "; " .. text
		end
		local told
		told, why, outcome = report(ctx, state, text, metrics)
		if not done then
			return nil, failed, how
		elseif not told then
			return nil, why, outcome
		elseif state ~= "ok" then
			return nil, text
		end
		return tend.verify(check_name(ctx), { ok = 1, within = "1m" })
	end,
}
