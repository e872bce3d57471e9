-- SPDX-License-Identifier: MIT
--
-- Restarts a worker that has grown above a memory limit, at a quiet time.
--
-- A leak kills at noon what a restart at night would have saved. The schedule is the quiet time;
-- each run looks at the memory of the unit's processes (their own, not what they share by files)
-- and restarts only what is above the limit and well otherwise: a unit with an open incident is
-- somebody else's business. A component without a check is left alone: nobody would see that it
-- came back.
--
-- Parameters ([policy recycle-worker], param.NAME = ...):
--   limit_mib  restart above this; 0: nothing is done (0)
--   ok         results in a row that must be well afterwards (2)
--   within     how long that may take (2m)

policy "recycle-worker" {
	doc = "Restart a worker that has grown above a memory limit, at a quiet time.",
	schedule = { cron = "*/20 2-4 * * *", missed = "skip" },
	targets = { unit = "*", kind = { "web", "app", "scheduler", "integration" } },
	hand = true,
	params = {
		limit_mib = { type = "integer", default = 0, min = 0, max = 1048576,
			doc = "restart above so many MiB; 0: nothing is done" },
		ok = { type = "integer", default = 2, min = 1, max = 20,
			doc = "results in a row that must be well" },
		within = { type = "duration", default = "2m", min = "1s", max = "1h",
			doc = "how long that may take" },
	},
	run = function(ctx)
		local p = ctx.params
		if p.limit_mib == 0 then
			return "no limit is configured"
		elseif not ctx.component.unit then
			return nil, ctx.component.name .. " has no unit", "refused"
		end
		local unit, why, outcome = tend.unit.show(ctx.component.unit)
		if not unit then
			return nil, why, outcome
		elseif unit.state ~= "active" then
			return nil, ("%s is %s, it is left alone"):format(unit.unit, unit.state), "refused"
		elseif math.type(unit.memory_bytes) ~= "integer" then
			return nil, ("what %s holds of memory is not known"):format(unit.unit), "refused"
		end
		local mib = unit.memory_bytes // (1024 * 1024)
		if mib <= p.limit_mib then
			return ("%d MiB, not above %d"):format(mib, p.limit_mib)
		end
		local checks
		checks, why, outcome = tend.component.checks(ctx.component)
		if not checks then
			return nil, why, outcome
		elseif #checks == 0 then
			return nil, ctx.component.name .. " has no check that would see it come back", "refused"
		end
		for _, check in ipairs(checks) do
			if check.state ~= "ok" then
				return nil, ("%s is not well, it is left alone: %s"):format(check.name, check.text),
					"refused"
			end
		end
		local done
		done, why, outcome = tend.unit.restart(ctx.component.unit)
		if not done then
			return nil, why, outcome
		end
		for _, check in ipairs(checks) do
			local well
			well, why, outcome = tend.verify(check.name, { ok = p.ok, within = p.within })
			if not well then
				return nil, ("restarted at %d MiB, and %s is not well: %s"):format(mib, check.name, why),
					outcome
			end
		end
		tend.notice.send(("%s had grown to %d MiB (limit %d) and was restarted"):format(
			ctx.component.name, mib, p.limit_mib), { severity = "info" })
		return ("restarted at %d MiB"):format(mib)
	end,
}
