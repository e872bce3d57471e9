-- SPDX-License-Identifier: MIT
-- Policies for elsewhere.scenario: they act, and then look at a check that is named.

policy "look-at" {
	doc = "Restarts a unit, then verifies a check.",
	on = { incident = { component = "crm/web" } },
	hand = true,
	params = {
		unit = { type = "string", default = "web.service", doc = "which" },
		check = { type = "string", doc = "what is looked at" },
		rest = { type = "duration", default = "1s", doc = "waits so long then" },
	},
	run = function(ctx)
		local done, why, outcome = tend.unit.restart(ctx.params.unit)
		if not done then
			return nil, why, outcome
		end
		local well = tend.verify(ctx.params.check, { ok = 2, within = "1m" })
		tend.sleep(ctx.params.rest)
		return well
	end,
}

policy "nightly-restart" {
	doc = "Restarts the database every night and looks at it.",
	schedule = { cron = "30 2 * * *" },
	targets = { component = "crm/database" },
	run = function(ctx)
		local done, why, outcome = tend.unit.restart(ctx.component.unit)
		if not done then
			return nil, why, outcome
		end
		return tend.verify("crm/database/answers", { ok = 2, within = "1m" })
	end,
}
