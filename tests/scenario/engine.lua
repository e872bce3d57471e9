-- SPDX-License-Identifier: MIT
-- Policies that the scenarios of this folder play: small ones, for what the engine does around them

policy "on-failure" {
	doc = "Restarts what failed.",
	on = { incident = { unit = "*", reason = { "connect-refused", "too-slow" } } },
	hand = true,
	run = function(ctx)
		local done, why, outcome = tend.unit.restart(ctx.component.unit)
		if not done then
			return nil, why, outcome
		end
		return ctx.check and tend.verify(ctx.check, { ok = 2, within = "1m" }) or true
	end,
}

policy "nightly" {
	doc = "A job of every night, which needs a window.",
	schedule = { cron = "30 2 * * *", timezone = "Europe/Berlin", missed = "once" },
	targets = { kind = "database" },
	window = "required",
	hand = true,
	params = { depth = { type = "string", default = "full", doc = "how much" } },
	run = function(ctx)
		-- undo: none
		local done, why, outcome = tend.command.run {
			command = "upkeep",
			args = { target = ctx.component.name, depth = ctx.params.depth },
		}
		if not done then
			return nil, why, outcome
		end
		return tend.notice.send("upkeep of " .. ctx.component.name .. " is done", { severity = "info" })
	end,
}

policy "after-nightly" {
	doc = "Looks after the job of the night.",
	on = { event = { type = "policy-ended", policy = "nightly" } },
	targets = { kind = "database" },
	run = function(ctx)
		tend.log("the night's job has ended on " .. ctx.component.name)
		return true
	end,
}
