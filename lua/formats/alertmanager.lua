-- SPDX-License-Identifier: MIT
--
-- What Alertmanager sends to its webhooks (version 4): for everything that is made to stand behind
-- Alertmanager, such as PrometheusAlert, Alerta, GoAlert, Grafana OnCall or n8n.

local alertmanager = require "tend.alertmanager"
local text = require "tend.text"

local MAX_BYTES = 500000
-- "Has not ended", as Go writes it.
local NEVER = "0001-01-01T00:00:00Z"

local function shown(n, one, budget)
	local alert = one.of
	return {
		-- There is no third word: an event is firing, and its end stands in endsAt.
		status = one.over and "resolved" or "firing",
		labels = one.labels,
		annotations = alertmanager.annotations(n, one, budget),
		startsAt = alert.since or alert.time,
		endsAt = alert.ended or (one.over or alert.status == "event") and alert.time or NEVER,
		generatorURL = "",
		fingerprint = one.fingerprint,
	}
end

local function message(n, all, budget)
	local alerts, labels, annotations = {}, {}, {}
	for i, one in ipairs(all) do
		alerts[i] = shown(n, one, budget)
		labels[i], annotations[i] = one.labels, alerts[i].annotations
	end
	local group = alertmanager.clean_labels(n.group and n.group.labels)
	local key = n.group and n.group.key or n.alerts[1].fingerprint or n.id
	return {
		version = "4",
		receiver = n.receiver,
		status = n.status == "resolved" and "resolved" or "firing",
		alerts = alerts,
		groupLabels = group,
		commonLabels = alertmanager.common(labels),
		commonAnnotations = alertmanager.common(annotations),
		externalURL = "",
		groupKey = ("%s:%s"):format(text.line(key), alertmanager.show(group)),
		truncatedAlerts = n.n_more or 0,
	}
end

return {
	name = "alertmanager",
	doc = "Whatever takes Alertmanager's webhooks, version 4",
	group = true,
	-- Each of them counts there: none may be among those there was no room for.
	max_notices = 50,
	max_bytes = MAX_BYTES,
	sign = "none",
	options = {},

	format = function(n)
		local all = alertmanager.all(n)
		return {
			body = text.fit(MAX_BYTES, alertmanager.budget(MAX_BYTES, all), function(budget)
				return message(n, all, budget)
			end),
		}
	end,
}
