-- SPDX-License-Identifier: MIT
-- Policies for twins.scenario: what they act on is not always the component that they run on.

policy "by-unit" {
	doc = "Restarts a unit by its name alone.",
	hand = true,
	params = { unit = { type = "string", doc = "which" } },
	run = function(ctx)
		-- undo: none
		local done, why, outcome = tend.unit.restart(ctx.params.unit)
		return done and true or nil, why, outcome
	end,
}

policy "by-component" {
	doc = "Restarts the unit of a component that is named.",
	hand = true,
	params = {
		unit = { type = "string", doc = "which" },
		component = { type = "string", doc = "of which component" },
	},
	run = function(ctx)
		local p = ctx.params
		-- undo: none
		local done, why, outcome = tend.unit.restart(p.unit, { component = p.component })
		return done and true or nil, why, outcome
	end,
}

policy "one-by-one" {
	doc = "Restarts the component, then one that hangs together with it and takes its time.",
	hand = true,
	params = { touch = { type = "boolean", default = true, doc = "the second, too" } },
	run = function(ctx)
		-- undo: none
		local done, why, outcome = tend.unit.restart(ctx.component.unit)
		if done and ctx.params.touch then
			-- undo: none
			done, why, outcome = tend.unit.restart("slow.service")
		end
		if not done then
			return nil, why, outcome
		end
		tend.sleep("5m")
		return true
	end,
}
