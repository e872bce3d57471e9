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

-- What an alert is called: the same while its labels are.
local function name_of(alert, labels)
	return text.line(labels.check or labels.component or alert.kind)
end

-- Labels that are an identity, out of those of a notice: none that changes without an end there.
local function identity(alert, given)
	local labels = alertmanager.clean_labels(given)
	for name in pairs(fleeting) do
		labels[name] = nil
	end
	labels.severity = labels.severity or alert.severity
	labels.alertname = labels.alertname or name_of(alert, labels)
	return labels
end

-- What there is to say of an alert. Another severity, another root or other labels of a new
-- configuration are another alert there: with a change those before end, with the end all of them.
-- What is told in between (a reminder, that somebody has it) is about the last.
local function add_alert(list, alert)
	local own, before, seen = identity(alert, alert.labels), {}, {}
	local changed = alert.kind == "incident.raised" or alert.kind == "incident.changed"
	local function add(labels, over)
		local fingerprint = alertmanager.fingerprint(labels)
		if not seen[fingerprint] then
			list[#list + 1] = { of = alert, labels = labels, fingerprint = fingerprint, over = over }
			seen[fingerprint] = true
		end
	end
	for i, labels in ipairs(alert.told or {}) do
		before[i] = identity(alert, labels)
	end
	add(changed and own or before[#before] or own, alert.status == "resolved")
	if changed or alert.status == "resolved" or #(alert.superseded or {}) > 0 then
		for _, labels in ipairs(before) do
			add(labels, true)
		end
	end
end

-- All alerts there that a notice is about, {of=, labels=, fingerprint=, over=}: they are the same
-- however short the annotations must be.
function alertmanager.all(n)
	local list = {}
	for _, alert in ipairs(n.alerts) do
		add_alert(list, alert)
	end
	return list
end

local function put(annotations, name, value, bytes)
	if value and value ~= "" then
		annotations[name] = text.cut(text.clean(value), bytes)
	end
end

-- How long an annotation may be, to begin with, so that the message has at most `bytes`: with a
-- fair share for each alert, which has a few long ones and its labels.
function alertmanager.budget(bytes, all)
	return math.min(4096, bytes // (6 * #all))
end

function alertmanager.annotations(n, one, bytes)
	local found, alert = {}, one.of
	local said = alert.text ~= "" and alert.text or alert.reason_text or alert.kind
	put(found, "summary", ("%s: %s"):format(name_of(alert, one.labels), text.line(said)),
		math.min(bytes, 300))
	put(found, "description", alert.text, bytes)
	put(found, "kind", alert.kind, bytes)
	put(found, "state", alert.state, bytes)
	put(found, "reason", alert.reason, bytes)
	put(found, "reason_text", alert.reason_text, bytes)
	put(found, "class", alert.class, bytes)
	put(found, "incident", alert.incident, bytes)
	put(found, "notice", alert.id, bytes)
	if alert.status == "firing" and not one.over and not alert.acknowledged then
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
