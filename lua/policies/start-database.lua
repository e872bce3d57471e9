-- SPDX-License-Identifier: MIT
--
-- Starts a database that died.
--
-- Started by an incident at a database that refuses connections or whose unit has ended. It starts,
-- never restarts: a database that still runs is not to be stopped by a guess, and starting one that
-- runs does nothing. What an operator stopped (reason unit-stopped) is left alone.
--
-- Parameters ([policy start-database], param.NAME = ...):
--   ok      results in a row that must be well (3)
--   within  how long that may take after the start; crash recovery reads the log first (2m)

local heal = require "tend.heal"

policy "start-database" {
	doc = "Start a database whose server has ended, then see that it is well again.",
	on = {
		incident = {
			unit = "*",
			kind = "database",
			reason = { "connect-refused", "connect-failed", "unit-failed", "unit-inactive" },
		},
	},
	hand = true,
	params = {
		ok = { type = "integer", default = 3, min = 1, max = 20,
			doc = "results in a row that must be well" },
		within = { type = "duration", default = "2m", min = "1s", max = "6h",
			doc = "how long that may take after the start" },
	},
	run = function(ctx)
		return heal.unit(ctx, "start")
	end,
}
