-- SPDX-License-Identifier: MIT
--
-- Alerts for Alertmanager itself, as Prometheus sends them: POST to
-- http://alertmanager.example.org:9093/api/v2/alerts. Routes, silences and inhibition are its own
-- then.

local alertmanager = require "tend.alertmanager"
local text = require "tend.text"

local MAX_BYTES = 500000
-- It forgets what it does not hear of; `hold` says for how long it is to remember.
local REPEAT_SECONDS = 300

local function after(moment, seconds)
	return time.format(time.add(time.parse(moment), seconds))
end

local function ends(n, one, options)
	local alert = one.of
	if one.over then
		return alert.ended or alert.time
	elseif alert.status == "event" then
		return after(alert.time, options.event)
	end
	return after(n.sent, options.hold)
end

local function shown(n, one, options, budget)
	return {
		labels = one.labels,
		annotations = alertmanager.annotations(n, one, budget),
		startsAt = one.of.since or one.of.time,
		endsAt = ends(n, one, options),
	}
end

return {
	name = "alertmanager-api",
	doc = "Alertmanager's /api/v2/alerts",
	group = true,
	-- Each of them counts there: none may be among those there was no room for.
	max_notices = 50,
	max_bytes = MAX_BYTES,
	sign = "none",
	repeat_seconds = REPEAT_SECONDS,
	options = {
		hold = {
			default = "1h",
			doc = "an incident of which it hears nothing more for so long counts as over there",
		},
		event = { default = "5m", doc = "how long a notice that is no incident is shown" },
	},

	format = function(n, options)
		local all = alertmanager.all(n)
		return {
			body = text.fit(MAX_BYTES, alertmanager.budget(MAX_BYTES, all), function(budget)
				local alerts = {}
				for i, one in ipairs(all) do
					alerts[i] = shown(n, one, options, budget)
				end
				return alerts
			end),
		}
	end,
}
