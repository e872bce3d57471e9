-- SPDX-License-Identifier: MIT
--
-- Alerts as Alertmanager and its friends have them; used by the formats alertmanager and
-- alertmanager-api.

local text = require "tend.text"

local alertmanager = {}

-- What says how an alert is just now. Labels are its identity: with these among them, a change
-- would be another alert and the old one would stay.
local fleeting = { state = true, reason = true, class = true }

-- Labels with names as Alertmanager wants them and no empty values.
function alertmanager.clean_labels(labels)
	local found = {}
	for name, value in pairs(labels or {}) do
		value = text.line(value)
		if value ~= "" then
			found[name:gsub("[^%w_]", "_"):gsub("^(%d)", "_%1")] = value
		end
	end
	return found
end

-- What an alert is called: the same while its incident lasts.
function alertmanager.name(alert)
	return text.line(alert.check or alert.component or alert.kind)
end

-- An alert's labels, none that changes.
function alertmanager.labels(alert)
	local labels = alertmanager.clean_labels(alert.labels)
	for name in pairs(fleeting) do
		labels[name] = nil
	end
	labels.severity = alert.severity
	labels.alertname = labels.alertname or alertmanager.name(alert)
	return labels
end

local function put(annotations, name, value, bytes)
	if value and value ~= "" then
		annotations[name] = text.cut(text.clean(value), bytes)
	end
end

-- How long an annotation may be, to begin with, so that the message has at most `bytes`: with a
-- fair share for each alert, which has a few long ones and its labels.
function alertmanager.budget(n, bytes)
	return math.min(4096, bytes // (6 * #n.alerts))
end

-- The labels of all alerts: they are the same however short the annotations must be.
function alertmanager.all_labels(n)
	local found = {}
	for i, alert in ipairs(n.alerts) do
		found[i] = alertmanager.labels(alert)
	end
	return found
end

function alertmanager.annotations(n, alert, bytes)
	local found = {}
	local said = alert.text ~= "" and alert.text or alert.reason_text or alert.kind
	put(found, "summary", ("%s: %s"):format(alertmanager.name(alert), text.line(said)),
		math.min(bytes, 300))
	put(found, "description", alert.text, bytes)
	put(found, "kind", alert.kind, bytes)
	put(found, "state", alert.state, bytes)
	put(found, "reason", alert.reason, bytes)
	put(found, "reason_text", alert.reason_text, bytes)
	put(found, "class", alert.class, bytes)
	put(found, "incident", alert.incident, bytes)
	put(found, "notice", alert.id, bytes)
	if alert.status == "firing" and not alert.acknowledged then
		put(found, "acknowledge", n.ack and n.ack.command, bytes)
	end
	if (n.late_seconds or 0) > 0 then
		put(found, "late_seconds", tostring(n.late_seconds), bytes)
	end
	return found
end

-- FNV-1a over the sorted labels, with 255 after each name and value: as Alertmanager reckons it, so
-- that the same alert has the same fingerprint there.
function alertmanager.fingerprint(labels)
	local names = {}
	for name in pairs(labels) do
		names[#names + 1] = name
	end
	table.sort(names)
	local hash = 0xcbf29ce484222325
	local function add(s)
		for i = 1, #s do
			hash = (hash ~ s:byte(i)) * 0x100000001b3
		end
		hash = (hash ~ 255) * 0x100000001b3
	end
	for _, name in ipairs(names) do
		add(name)
		add(labels[name])
	end
	return ("%016x"):format(hash)
end

-- What all of a list of tables have in common.
function alertmanager.common(list)
	local found = {}
	for name, value in pairs(list[1]) do
		local everywhere = true
		for i = 2, #list do
			everywhere = everywhere and list[i][name] == value
		end
		found[name] = everywhere and value or nil
	end
	return found
end

-- Labels as in a group's key: {a="b", c="d"}
function alertmanager.show(labels)
	local pairs_of = {}
	for name, value in pairs(labels) do
		pairs_of[#pairs_of + 1] = ("%s=%s"):format(name, json.encode(value))
	end
	table.sort(pairs_of)
	return "{" .. table.concat(pairs_of, ", ") .. "}"
end

return alertmanager
