-- SPDX-License-Identifier: MIT
--
-- What the shipped policies that act on a unit have in common: act, then see that it helped.

local heal = {}

-- The check of the incident must be well `ctx.params.ok` times in a row within `ctx.params.within`
-- seconds. A run by hand may have no check: then nothing is known, and nothing claimed, beyond the
-- act. Returns what tend.verify returns.
function heal.verify(ctx)
	if not ctx.check then
		return true
	end
	return tend.verify(ctx.check, { ok = ctx.params.ok, within = ctx.params.within })
end

-- verb: "start", "stop", "reload" or "restart", of the component's unit. Returns true; or nil,
-- message, outcome.
function heal.act(ctx, verb)
	local unit = ctx.component.unit
	if not unit then
		return nil, ("component %s has no unit to %s"):format(ctx.component.name, verb), "refused"
	end
	local done, why, outcome = tend.unit[verb](unit, { component = ctx.component })
	if not done then
		return nil, ("%s of %s: %s"):format(verb, unit, why), outcome
	end
	return true
end

-- The same, and then the symptom. Returns true or the value of tend.verify; or nil, message,
-- outcome.
function heal.unit(ctx, verb)
	local done, why, outcome = heal.act(ctx, verb)
	if not done then
		return nil, why, outcome
	end
	return heal.verify(ctx)
end

-- A later step that was refused: the gates let nothing act on what is well again, and if the steps
-- before have done that, the refusal is good news. Returns the value of tend.verify then; else what
-- it was given.
function heal.recovered(ctx, why, outcome)
	if outcome == "refused" and ctx.check then
		local seen = tend.check.run(ctx.check)
		if seen and seen.now == "ok" then
			return heal.verify(ctx)
		end
	end
	return nil, why, outcome
end

return heal
