-- SPDX-License-Identifier: MIT
--
-- PagerDuty, Events API v2: https://events.pagerduty.com/v2/enqueue; `secret` is the integration's
-- routing key. One incident there for one here: raised, acknowledged and resolved together.

local judge = require "tend.judge"
local text = require "tend.text"

local MAX_BYTES = 200000
local SUMMARY_BYTES, KEY_BYTES = 1024, 255

local function action(n, alert)
	if alert.kind == "incident.acknowledged" then
		return "acknowledge"
	end
	return n.status == "resolved" and "resolve" or "trigger"
end

-- The same for all that is told of one incident; the fingerprint outlives even a lost store.
local function key(alert)
	local fingerprint = alert.fingerprint or ""
	local name = "tend/" .. (alert.status ~= "event" and fingerprint ~= "" and fingerprint or alert.id)
	if #name > KEY_BYTES then
		name = "tend/" .. (alert.incident or alert.id)
	end
	return name
end

-- Names come from the configuration, but nothing is taken on trust.
local function word(s)
	return s and text.cut(text.line(s), 255)
end

local function details(n, alert, budget)
	local labels = {}
	for name, value in pairs(alert.labels or {}) do
		labels[text.line(name)] = text.cut(text.clean(value), budget)
	end
	return {
		text = text.cut(text.clean(n.text or ""), budget), labels = labels,
		state = alert.state, reason = alert.reason, incident = alert.incident,
		check = word(alert.check), environment = alert.environment, since = alert.since,
		tend_host = word(n.host),
		acknowledge = n.ack and n.ack.command or nil,
	}
end

local function event(n, budget)
	local alert = n.alerts[1]
	return {
		event_action = action(n, alert),
		dedup_key = text.clean(key(alert)),
		client = "Tend",
		payload = {
			summary = text.cut(text.line(n.title), SUMMARY_BYTES),
			source = word(alert.component or n.host),
			severity = n.severity,
			timestamp = alert.time or n.time,
			component = word(alert.component),
			group = word(alert.system),
			class = alert.class or alert.kind,
			custom_details = details(n, alert, budget),
		},
	}
end

return {
	name = "pagerduty",
	doc = "PagerDuty, Events API v2",
	-- Each of their incidents has a key of its own, so each notice is a request of its own.
	group = false,
	rate_per_minute = 100,
	max_bytes = MAX_BYTES,
	sign = "none",
	options = {},

	format = function(n)
		return {
			body = text.fit(MAX_BYTES - 100, 8192, function(budget)
				return event(n, budget)
			end),
			secrets = { ["/routing_key"] = "secret" },
		}
	end,

	judge = function(answer)
		local accepted = judge.member(answer, "status") == "success"
		if answer.status == 202 or answer.status < 300 and accepted then
			return "delivered"
		elseif answer.status < 300 then
			return judge.unclear(answer, "PagerDuty")
		end
		return judge.refused(answer)
	end,
}
