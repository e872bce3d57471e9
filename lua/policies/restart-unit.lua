-- SPDX-License-Identifier: MIT
--
-- Restarts the unit of a component that failed or hangs, in steps from the mildest to the
-- strongest.
--
-- Started by an incident whose root is a component with a unit of its own, and whose reason says
-- that the program is gone or does not answer. What an operator stopped (reason unit-stopped) is
-- left alone. Success is the symptom gone: the check of the incident is well again, several times
-- in a row. The next step is taken only when the one before was done and did not help; when none
-- did, people are paged. When nobody knows whether a step happened, nothing is piled upon it.
--
-- All steps together are up to 2 actions on the component, and 1 on each that depends on it: within
-- the default budget.
--
-- Parameters ([policy restart-unit], param.NAME = ...):
--   reload      begin with a reload, for programs that mend themselves by it (false)
--   dependants  end with a restart of the units that depend on it, nearest first (false)
--   ok          results in a row that must be well (3)
--   within      how long that may take after each step (45s)

local heal = require "tend.heal"

-- A program that is gone has nobody who could reload.
local gone = {
	["connect-refused"] = true,
	["unit-failed"] = true,
	["unit-inactive"] = true,
}

-- What was started on top of the component may hold on to what was there before its restart. One
-- that an operator has stopped is refused by the gates, and passed over. why: what is wrong so far.
local function restart_dependants(ctx, why)
	local dependants, unlisted, outcome = tend.components { depends_on = ctx.component }
	if not dependants then
		return nil, "what depends on it cannot be listed: " .. unlisted, outcome
	end
	local n_restarted = 0
	for _, one in ipairs(dependants) do
		if one.unit and one.unit ~= ctx.component.unit then
			local done, said, how = tend.unit.restart(one.unit, { component = one.name })
			if done then
				n_restarted = n_restarted + 1
			elseif how == "unknown" then
				return nil, ("restart of %s: %s"):format(one.unit, said), how
			else
				local well = heal.recovered(ctx, said, how)
				if well then
					return well
				end
				tend.log(("restart of %s: %s"):format(one.unit, said))
			end
		end
	end
	if n_restarted == 0 then
		return nil, why .. "; no unit that depends on it was restarted", "failed"
	end
	return heal.verify(ctx)
end

policy "restart-unit" {
	doc = "Restart the unit of a component that failed or hangs, then see that it is well again.",
	on = {
		incident = {
			unit = "*",
			kind = { "web", "app", "scheduler", "cache", "mail", "integration" },
			reason = {
				"connect-refused", "connect-timeout", "connect-failed", "too-slow",
				"protocol", "unit-failed", "unit-inactive",
			},
		},
	},
	hand = true,
	params = {
		reload = { type = "boolean", default = false,
			doc = "begin with a reload, for programs that mend themselves by it" },
		dependants = { type = "boolean", default = false,
			doc = "end with a restart of the units that depend on it" },
		ok = { type = "integer", default = 3, min = 1, max = 20,
			doc = "results in a row that must be well" },
		within = { type = "duration", default = "45s", min = "1s", max = "30m",
			doc = "how long that may take after each step" },
	},
	run = function(ctx)
		local p = ctx.params
		local reload = p.reload and not (ctx.check and gone[ctx.check.reason])
		if reload then
			local well, why, outcome = heal.unit(ctx, "reload")
			if well or outcome == "unknown" then
				return well, why, outcome
			end
			tend.log("a reload did not help: " .. why)
		end
		local done, said, how = heal.act(ctx, "restart")
		if not done and reload then
			return heal.recovered(ctx, said, how)
		elseif not done then
			return nil, said, how
		end
		local well, why, outcome = heal.verify(ctx)
		if well or outcome ~= "failed" or not p.dependants then
			return well, why, outcome
		end
		tend.log("a restart did not help: " .. why)
		return restart_dependants(ctx, why)
	end,
}
