-- SPDX-License-Identifier: MIT
--
-- The weekly inspection of the key parts and the monthly one of everything, with a report.
--
-- Each runs the checks anew, looks at open findings and at the newest proven backup, keeps the
-- report as a record (tendctl record show report SYSTEM KEY) and sends its summary. A check of the
-- probe `passive` that the inspection answers tells when one was missed: give its name in
-- `report_to`, with a `ttl` a little longer than the time between two.
--
-- A system has one report however many hosts it has: the run of its first host (by name) writes it.
--
-- Parameters ([policy inspect-weekly], [policy inspect-monthly], param.NAME = ...):
--   kinds      kinds of components, separated by commas; empty: all
--   backup     a proven backup may be this old, in days (8); 0: backups are not looked at
--   report_to  check of the probe passive that is told of the inspection ("")

-- Lines of a notice, and of a report: a record has a size.
local MOST_TOLD, MOST_KEPT = 20, 200

local function listed(rows)
	return type(rows) == "table" and rows or {}
end

-- Appends to `lines`; returns how many checks were run and how many of them are not well.
local function run_checks(ctx, lines)
	local wanted, seen, wrong = {}, 0, 0
	for _, kind in ipairs(ctx.params.kinds) do
		wanted[kind] = true
	end
	for _, component in ipairs(listed(tend.components { system = ctx.system })) do
		local checks = {}
		if #ctx.params.kinds == 0 or wanted[component.kind] then
			checks = listed(tend.component.checks(component.name))
		end
		for _, check in ipairs(checks) do
			-- Its own answer is part of the report, not of what is reported on.
			if check.name ~= ctx.params.report_to then
				local now, why = tend.check.run(check.name)
				local state = now and now.state or "unknown"
				seen = seen + 1
				if state ~= "ok" then
					wrong = wrong + 1
					lines[#lines + 1] = ("%s is %s: %s"):format(check.name, state, now and now.text or why)
				end
			end
		end
	end
	return seen, wrong
end

local function of_system(ctx, row)
	return row.scope == ctx.system or row.scope:sub(1, #ctx.system + 1) == ctx.system .. "/"
end

local function open_findings(ctx, lines)
	local open = 0
	for _, one in ipairs(listed(tend.record.list { kind = "finding" })) do
		if of_system(ctx, one) and one.value.state == "open" then
			open = open + 1
			lines[#lines + 1] = ("finding since %s: %s"):format(one.value.since, one.value.text)
		end
	end
	return open
end

local function backup_text(ctx, lines)
	local newest
	for _, one in ipairs(listed(tend.record.list { kind = "backup" })) do
		local at = of_system(ctx, one) and one.value.proven_at
		if type(at) == "number" and (not newest or at > newest) then
			newest = at
		end
	end
	if not newest then
		lines[#lines + 1] = "no backup was ever proven by a restore"
		return "no proven backup"
	end
	local days = math.max(0, math.floor((ctx.trigger.at - newest) / 86400))
	if days > ctx.params.backup then
		lines[#lines + 1] = ("the newest proven backup is %d days old, it may be %d"):format(days,
			ctx.params.backup)
	end
	return ("proven backup %d days old"):format(days)
end

local function inspect(ctx, title)
	local p, lines = ctx.params, {}
	local hosts = listed(tend.components { system = ctx.system, kind = "host" })
	if ctx.trigger.kind == "schedule" and hosts[1] and hosts[1].name ~= ctx.component.name then
		return hosts[1].name .. " has the report"
	end
	local seen, wrong = run_checks(ctx, lines)
	local parts = { ("%d checks, %d not well"):format(seen, wrong),
		("%d findings open"):format(open_findings(ctx, lines)) }
	if p.backup > 0 then
		parts[#parts + 1] = backup_text(ctx, lines)
	end
	local summary = ("%s of %s: %s"):format(title, ctx.system, table.concat(parts, ", "))
	local kept = table.move(lines, 1, math.min(#lines, MOST_KEPT), 1, {})
	local key = title:gsub(" ", "-") .. "/" .. ctx.calendar.date
	local done, why, outcome = tend.record.put { kind = "report", scope = ctx.system, key = key,
		value = { summary = summary, lines = kept, n_lines = #lines, checks = seen, wrong = wrong } }
	if not done then
		return nil, "the report cannot be kept: " .. why, outcome
	end
	local text = summary
	if #lines > 0 then
		text = text .. ". " .. table.concat(lines, "; ", 1, math.min(#lines, MOST_TOLD))
	end
	if #lines > MOST_TOLD then
		text = ("%s; ... (tendctl record show report %s %s)"):format(text, ctx.system, key)
	end
	done, why, outcome = tend.notice.send(text, { severity = #lines > 0 and "warning" or "info" })
	if not done then
		return nil, "the report cannot be told: " .. why, outcome
	end
	if p.report_to ~= "" then
		done, why, outcome = tend.check.report { check = p.report_to, state = "ok", text = summary }
		if not done then
			return nil, why, outcome
		end
	end
	return summary
end

local function declare(name, title, doc, cron, kinds)
	policy(name) {
		doc = doc,
		schedule = { cron = cron, missed = "once" },
		targets = { kind = "host" },
		hand = true,
		timeout = "2h",
		params = {
			kinds = { type = "list", default = kinds, doc = "kinds of components; empty: all" },
			backup = { type = "integer", default = 8, min = 0, max = 10000,
				doc = "a proven backup may be so many days old; 0: not looked at" },
			report_to = { type = "string", default = "",
				doc = "check of the probe passive that is told of the inspection" },
		},
		run = function(ctx) return inspect(ctx, title) end,
	}
end

declare("inspect-weekly", "weekly inspection", "Run every check of the key parts anew and report.",
	"0 7 * * 1", { "web", "app", "scheduler", "database" })
declare("inspect-monthly", "monthly inspection", "Run every check of everything anew and report.",
	"0 7 1 * *", {})
