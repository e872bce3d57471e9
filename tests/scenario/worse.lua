-- SPDX-License-Identifier: MIT
-- A policy for worse.scenario: two changes at once.

policy "both" {
	doc = "Stops two units side by side.",
	hand = true,
	run = function()
		-- undo: the engine's own, when it makes things worse
		tend.all(function()
			return tend.unit.stop("a.service", { component = "crm/a" })
		end, function()
			return tend.unit.stop("b.service", { component = "crm/b" })
		end)
		tend.sleep("5m")
		return true
	end,
}
