-- SPDX-License-Identifier: MIT
--
-- Frees a scheduler whose job died half-way and blocks the others.
--
-- Many CRMs mark a job as running and never take the mark off when the process is killed; from then
-- on nothing runs. What counts as stuck, and what puts it right, is the CRM's own rule: a check
-- whose name begins with `stuck` (crm/scheduler/stuck) counts such jobs by a query, and the
-- statement that frees them stands in the executor's manifest, [sql NAME], with the number of rows
-- it may touch. Both have the same condition; commands.d/heal.conf.example and
-- conf.d/heal.conf.example have them for Dolibarr.
--
-- A job that is slow looks as one that died: where the scheduler has a unit of its own, `restart`
-- ends what may still be running before its mark is taken off.
--
-- Parameters ([policy clear-scheduler], param.NAME = ...):
--   statement  the [sql NAME] that frees the job; without one nothing is done ("")
--   database   the component whose [database] it is in; by default that of the incident ("")
--   restart    restart the scheduler's unit before (false)
--   ok         results in a row that must be well (2)
--   within     how long that may take (2m)

local heal = require "tend.heal"

policy "clear-scheduler" {
	doc = "Free a scheduler's job that died half-way, by the CRM's own rule.",
	on = {
		incident = {
			check = "*/stuck*",
			reason = { "threshold", "content-unexpected", "program-warning",
				"program-critical" },
		},
	},
	hand = true,
	params = {
		statement = { type = "string",
			doc = "the [sql NAME] of the executor's manifest that frees the job" },
		database = { type = "string", default = "",
			doc = "the component whose [database] it is in; by default that of the incident" },
		restart = { type = "boolean", default = false,
			doc = "restart the scheduler's unit before" },
		ok = { type = "integer", default = 2, min = 1, max = 20,
			doc = "results in a row that must be well" },
		within = { type = "duration", default = "2m", min = "1s", max = "30m",
			doc = "how long that may take" },
	},
	run = function(ctx)
		local p = ctx.params
		if p.statement == "" then
			return nil, "no statement is configured: [policy clear-scheduler] param.statement",
				"refused"
		end
		if p.restart then
			local done, why, outcome = heal.act(ctx, "restart")
			if not done then
				return nil, "what may still run was not ended, nothing was freed: " .. why, outcome
			end
		end
		local freed, why, outcome = tend.sql.execute {
			name = p.statement,
			component = p.database ~= "" and p.database or ctx.component.name,
		}
		if not freed then
			return heal.recovered(ctx, ("%s: %s"):format(p.statement, why), outcome)
		end
		tend.log(("%s: %d row(s)"):format(p.statement, freed.affected))
		return heal.verify(ctx)
	end,
}
