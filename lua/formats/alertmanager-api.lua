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

local severities = { "info", "warning", "critical" }

local function after(moment, seconds)
	return time.format(time.add(time.parse(moment), seconds))
end

local function ends(n, alert, options)
	if alert.status == "resolved" then
		return alert.ended or alert.time
	elseif alert.status == "event" then
		return after(alert.time, options.event)
	end
	return after(n.sent, options.hold)
end

local function one(n, alert, labels, options, budget)
	return {
		labels = labels,
		annotations = alertmanager.annotations(n, alert, budget),
		startsAt = alert.since or alert.time,
		endsAt = ends(n, alert, options),
		generatorURL = n.ack and n.ack.url and text.url(n.ack.url) or nil,
	}
end

-- The severity is a label and so part of the identity: when it has changed, what was firing under
-- the other one must end.
local function other_severities(n, alert, labels, ret)
	if alert.kind ~= "incident.changed" and #(alert.superseded or {}) == 0 then
		return
	end
	for _, severity in ipairs(severities) do
		if severity ~= labels.severity then
			local other = {}
			for name, value in pairs(labels) do
				other[name] = value
			end
			other.severity = severity
			ret[#ret + 1] = {
				labels = other,
				startsAt = alert.since or alert.time,
				endsAt = alert.time or n.sent,
			}
		end
	end
end

return {
	name = "alertmanager-api",
	doc = "Alertmanager's /api/v2/alerts",
	group = true,
	-- Each of them counts there: none may be among those there was no room for.
	max_notices = 200,
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
		local labels = alertmanager.all_labels(n)
		return {
			body = text.fit(MAX_BYTES, alertmanager.budget(n, MAX_BYTES), function(budget)
				local alerts = {}
				for i, alert in ipairs(n.alerts) do
					alerts[#alerts + 1] = one(n, alert, labels[i], options, budget)
					other_severities(n, alert, labels[i], alerts)
				end
				return alerts
			end),
		}
	end,
}
