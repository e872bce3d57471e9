-- SPDX-License-Identifier: MIT
--
-- Restarts the unit of a component that failed or hangs.
--
-- Started by an incident whose root is a component with a unit of its own, and whose reason says
-- that the program is gone or does not answer. What an operator stopped (reason unit-stopped) is
-- left alone. Success is the symptom gone: the check of the incident is well again, several times
-- in a row.
--
-- Parameters ([policy restart-unit], param.NAME = ...):
--   ok      results in a row that must be well (3)
--   within  how long that may take after the restart (45s)

local heal = require "tend.heal"

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
		ok = { type = "integer", default = 3, min = 1, max = 20,
			doc = "results in a row that must be well" },
		within = { type = "duration", default = "45s", min = "1s", max = "30m",
			doc = "how long that may take after the restart" },
	},
	run = function(ctx)
		return heal.unit(ctx, "restart")
	end,
}
