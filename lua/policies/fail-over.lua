-- SPDX-License-Identifier: MIT
--
-- Makes the standby the database when the primary (PostgreSQL) cannot be brought back.
--
-- A fail-over loses what the primary had not yet sent, and a primary that comes back afterwards is
-- a second truth. So it is never done by itself: it asks for a sign-off, which names how far behind
-- the standby is, once for an incident; to be asked again, start it by hand. Until the primary has
-- failed for `after`, the target is left to start-database. What it does then:
--
--   1. fence: a command of the manifest that makes sure that the primary is down and stays down
--      (systemctl mask --now UNIT; power off where its host does not answer)
--   2. promote: a command that makes the standby the primary, on the standby's host
--   3. wait until the standby takes writes
--   4. redirect, if there is one: a command that points the application to it
--   5. look at `check`, if there is one: the application works
--
-- Each is done only when all before are. It needs [database] of the standby. Which component is the
-- primary stands in match_component. The old primary's incident stays open until somebody makes
-- it the new standby.
--
-- Parameters ([policy fail-over], param.NAME = ...):
--   standby   the component that is the standby, as in crm/standby; without one nothing is done
--             ("")
--   fence     command of the manifest that keeps the primary down ("fence-primary")
--   fence_at  the component on whose host the fence is run; by default the primary ("")
--   promote   command that promotes the standby, run on its host ("promote-standby")
--   redirect  command that points the application to it, run on the standby's host; none if empty
--             ("")
--   check     a check that must be well afterwards, as in crm/web/login; empty: none ("")
--   after     how long the primary must have failed (5m)
--   people    how many people must sign (1)
--   within    how long the sign-off may take (30m)
--   takes     how long the promotion may take until writes are taken, and the check is well (2m)

local sql = require "tend.sql"

local STATE = [[
	select pg_is_in_recovery() as standby,
		extract(epoch from now() - pg_last_xact_replay_timestamp())::float8 as behind_sec,
		pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::float8 as unreplayed]]

-- The standby's own word; or nil and why.
local function state_of(standby)
	local answer, why = tend.sql.query { component = standby, sql = STATE }
	if not answer then
		return nil, why
	end
	return sql.rows(answer)[1]
end

local function describe(ctx, state)
	return ("fail over from %s to %s: the last change that the standby has replayed is %s, %d bytes "
		.. "that it has received are to be replayed; what the primary had not sent is lost, and it "
		.. "must not come back as it is"):format(ctx.component.name, ctx.params.standby,
		state.behind_sec and time.text(math.floor(state.behind_sec)) .. " old" or "of unknown age",
		math.floor(state.unreplayed or 0))
end

-- Why it is too early; nil: it is not. A person who starts it has looked.
local function too_early(ctx)
	if ctx.trigger.kind == "hand" or not ctx.incident
		or tend.now().unix - ctx.incident.opened >= ctx.params.after then
		return nil
	end
	return ("%s has failed for less than %s"):format(ctx.component.name, time.text(ctx.params.after))
end

-- Why people are not asked again; nil: they are asked.
local function asked_before(ctx)
	if ctx.trigger.kind == "hand" or not ctx.incident then
		return nil
	end
	local asked = tend.record.get { kind = "note", key = "fail-over", scope = ctx.component }
	if asked and asked.incident == ctx.incident.id then
		return ("people were asked before; to ask again: tendctl policy run fail-over %s"):format(
			ctx.component.name)
	end
	return nil
end

-- Asks for the sign-off. Returns true; or nil, message, outcome.
local function ask(ctx, state)
	if ctx.incident then
		tend.record.put { kind = "note", key = "fail-over", scope = ctx.component,
			value = { incident = ctx.incident.id } }
	end
	local signed, why, outcome = tend.sign_off {
		text = describe(ctx, state),
		people = ctx.params.people,
		within = ctx.params.within,
	}
	if not signed then
		return nil, "nothing was promoted: " .. why, outcome
	end
	return true
end

-- A primary that came back would be a second truth.
local function fence(ctx)
	local p = ctx.params
	local done, why, outcome = tend.command.run {
		command = p.fence,
		component = p.fence_at ~= "" and p.fence_at or ctx.component.name,
	}
	if not done then
		return nil, ("the old primary may come back, nothing was promoted: %s: %s"):format(p.fence,
			why), outcome
	end
	-- Where its host does not answer, the fence's word is all there is.
	local shown = ctx.component.unit and tend.unit.show(ctx.component.unit)
	if shown and shown.state ~= "inactive" and shown.state ~= "failed" then
		return nil, ("the old primary is %s after %s, nothing was promoted"):format(shown.state,
			p.fence), "failed"
	end
	return true
end

-- The command returns before the server takes writes. Returns true; or nil, message, outcome.
local function promote(p)
	local done, why, outcome = tend.command.run { command = p.promote, component = p.standby }
	if not done then
		return nil, ("the old primary is fenced, but %s was not promoted: %s"):format(p.standby, why),
			outcome
	end
	local last = tend.now().unix + p.takes
	-- A dry run does not sleep: then the count ends it.
	for _ = 1, p.takes do
		local state = state_of(p.standby)
		if state and not state.standby then
			return true
		elseif tend.now().unix > last then
			break
		end
		tend.sleep("1s")
	end
	return nil, ("%s takes no writes %s after %s"):format(p.standby, time.text(p.takes), p.promote),
		"failed"
end

local function redirect(p)
	if p.redirect == "" then
		return true
	end
	local done, why, outcome = tend.command.run { command = p.redirect, component = p.standby }
	if not done then
		return nil, ("%s is promoted, but the application still points to the old primary: %s"):format(
			p.standby, why), outcome
	end
	return true
end

policy "fail-over" {
	doc = "Promote the standby when the primary database cannot be brought back; asks people first.",
	on = {
		incident = {
			kind = "database",
			reason = { "connect-refused", "connect-failed", "connect-timeout", "unit-failed",
				"unit-inactive" },
		},
	},
	hand = true,
	timeout = "4h",
	params = {
		standby = { type = "string", doc = "the component that is the standby" },
		fence = { type = "string", default = "fence-primary",
			doc = "command of the manifest that keeps the primary down" },
		fence_at = { type = "string", default = "",
			doc = "the component on whose host the fence is run; by default the primary" },
		promote = { type = "string", default = "promote-standby",
			doc = "command of the manifest that promotes the standby" },
		redirect = { type = "string", default = "",
			doc = "command that points the application to it" },
		check = { type = "string", default = "", doc = "a check that must be well afterwards" },
		after = { type = "duration", default = "5m", min = "0s", max = "24h",
			doc = "how long the primary must have failed" },
		people = { type = "integer", default = 1, min = 1, max = 5,
			doc = "how many people must sign" },
		within = { type = "duration", default = "30m", min = "1m", max = "3h",
			doc = "how long the sign-off may take" },
		takes = { type = "duration", default = "2m", min = "1s", max = "30m",
			doc = "how long it may take until writes are taken, and the check is well" },
	},
	run = function(ctx)
		local p = ctx.params
		if p.standby == "" then
			return nil, "no standby is configured: [policy fail-over] param.standby", "refused"
		elseif p.standby == ctx.component.name then
			return nil, "it is the standby itself", "refused"
		end
		local not_now = too_early(ctx)
		if not_now then
			return nil, not_now, "refused"
		end
		local state, unknown = state_of(p.standby)
		if not state then
			return nil, ("%s cannot take over: %s"):format(p.standby, unknown), "failed"
		elseif not state.standby then
			return nil, ("%s is no standby: it takes writes already"):format(p.standby), "refused"
		end
		not_now = asked_before(ctx)
		if not_now then
			return nil, not_now, "refused"
		end
		for _, step in ipairs { function() return ask(ctx, state) end,
			function() return fence(ctx) end,
			function() return promote(p) end,
			function() return redirect(p) end } do
			local done, why, outcome = step()
			if not done then
				return nil, why, outcome
			end
		end
		tend.notice.send(("%s has taken over from %s, which stays down until it is made a standby")
			:format(p.standby, ctx.component.name), { severity = "warning" })
		if p.check ~= "" then
			local well, why, outcome = tend.verify(p.check, { ok = 2, within = p.takes })
			if not well then
				return nil, ("%s has taken over, but %s: %s"):format(p.standby, p.check, why), outcome
			end
		end
		return ("%s has taken over"):format(p.standby)
	end,
}
