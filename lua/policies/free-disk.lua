-- SPDX-License-Identifier: MIT
--
-- Makes room on a disk that fills up, by what its owner has named: rotating logs, vacuuming the
-- journal, emptying caches. Nothing is guessed and nothing is searched for: each measure is a
-- command of the executor's manifest, and they are taken in the order of the list until the check
-- is well.
--
-- Started by an incident of a check whose name begins with `disk` (crm/storage/disk,
-- .../disk-data): of the probe exec with check_disk, or any other with a threshold. Each measure is
-- an action: a list of more than three needs a `budget` in [policy free-disk].
--
-- Parameters ([policy free-disk], param.NAME = ...):
--   commands  names of commands of the manifest, mildest first, separated by commas ()
--   ok        results in a row that must be well (2)
--   within    how long to look after each measure (1m)

local heal = require "tend.heal"

-- Returns the value of tend.verify; or nil, message, outcome.
local function take(ctx, name)
	local done, why, outcome = tend.command.run(name)
	if not done then
		return heal.recovered(ctx, ("%s: %s"):format(name, why), outcome)
	end
	local well, still, how = heal.verify(ctx)
	if not well then
		return nil, ("after %s: %s"):format(name, still), how
	end
	return well
end

policy "free-disk" {
	doc = "Make room on a disk by rotating and vacuuming what its owner has named.",
	on = {
		incident = {
			check = "*/disk*",
			reason = { "threshold", "program-warning", "program-critical" },
		},
	},
	hand = true,
	params = {
		commands = { type = "list", max = 20,
			doc = "commands of the manifest, mildest first" },
		ok = { type = "integer", default = 2, min = 1, max = 20,
			doc = "results in a row that must be well" },
		within = { type = "duration", default = "1m", min = "1s", max = "30m",
			doc = "how long to look after each measure" },
	},
	run = function(ctx)
		local commands = ctx.params.commands
		if #commands == 0 then
			return nil, "no measure is configured: [policy free-disk] param.commands", "refused"
		end
		local why, outcome
		for i, name in ipairs(commands) do
			local well
			well, why, outcome = take(ctx, name)
			if well or outcome == "unknown" then
				return well, why, outcome
			end
			if i < #commands then
				tend.log(why)
			end
		end
		return nil, why, outcome
	end,
}
