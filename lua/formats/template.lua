-- SPDX-License-Identifier: MIT
--
-- Anything else that takes a request: option.body is sent with its {placeholders} filled in, such
-- as {"text": "{title}"}. Between quotes of JSON, in a form and in plain text foreign words are
-- escaped as it must be there. The placeholders are in lua/formats/README.md.

local judge = require "tend.judge"
local notice = require "tend.notice"
local text = require "tend.text"

local MAX_BYTES = 256 * 1024

local escapes = { json = text.json, form = text.percent, text = text.plain }

local function escape_of(options)
	if options.escape ~= "auto" then
		return escapes[notice.choice(options, "escape", { "auto", "json", "form", "text" })]
	end
	local kind = options.content_type:lower()
	if kind:find("json", 1, true) then
		return text.json
	end
	return kind:find("x-www-form-urlencoded", 1, true) and text.percent or text.plain
end

-- What a notice says, of the only alert or of the first.
local function values(n, bytes)
	local alert, look = n.alerts[1], notice.look(n)
	local found = {
		id = n.id, kind = n.kind, type = n.type, receiver = n.receiver, host = n.host,
		status = n.status, severity = n.severity, severity_text = n.severity_text,
		mood = notice.mood(n),
		time = n.time, sent = n.sent, late = n.late_seconds, sequence = n.sequence,
		epoch = n.epoch, n = #n.alerts + (n.n_more or 0), n_firing = n.n_firing,
		n_resolved = n.n_resolved,
		title = text.cut(text.line(n.title), 600),
		emoji = look.emoji, color = look.color, priority = look.priority,
		acknowledge = n.ack and n.ack.command,
		text = notice.body(n, text.quiet, bytes),
	}
	for _, name in ipairs { "system", "environment", "component", "check", "state", "reason",
		"reason_text", "class", "incident", "fingerprint", "since", "ended" } do
		found[name] = alert[name]
	end
	for name, value in pairs(alert.labels or {}) do
		found["label." .. name] = value
	end
	return found
end

local names = {}
for name in ([[id kind type receiver host status severity severity_text mood time sent late sequence
	epoch n n_firing n_resolved title emoji color priority acknowledge text system
	environment component check state reason reason_text class incident fingerprint since ended
	notice]]):gmatch("%S+") do
	names[name] = true
end

local function fill(template, found, escape)
	return (template:gsub("{({?)([%a_][%w_.]*)}", function(brace, name)
		if brace ~= "" then
			return nil
		elseif not names[name] and not name:match("^label%.") then
			error(("option.body: there is no {%s}"):format(name), 0)
		end
		local value = found[name]
		return value == nil and "" or escape(type(value) == "string" and text.clean(value)
			or tostring(value))
	end):gsub("{{", "{"))
end

local function check_json(body, options)
	if not options.content_type:lower():find("json", 1, true) then
		return
	end
	local value, why = json.decode(body)
	if value == nil then
		error(("option.body makes no valid JSON: %s"):format(why), 0)
	end
end

return {
	name = "template",
	doc = "Anything else: option.body with {placeholders}",
	group = true,
	max_bytes = MAX_BYTES,
	sign = "none",
	options = {
		body = { required = true, doc = "what is sent, with {placeholders}" },
		content_type = { default = "application/json", doc = "of the body" },
		escape = {
			default = "auto",
			doc = "how words are escaped: json, form, text; auto goes by content_type",
		},
		max_text = { default = "4000", doc = "the most bytes of {text}" },
		expect = {
			default = "",
			doc = "what the answer must have in it to be a yes, such as \"ok\":true",
		},
	},

	format = function(n, options)
		local bytes = math.tointeger(tonumber(options.max_text))
		if not bytes or bytes < 100 or bytes > 65536 then
			error(("option.max_text = %s: must be 100 to 65536"):format(options.max_text), 0)
		end
		local found = values(n, bytes)
		found.notice = options.body:find("{notice}", 1, true) and json.encode(n) or nil
		local body = fill(options.body, found, escape_of(options))
		check_json(body, options)
		return { body = body, content_type = options.content_type }
	end,

	judge = function(answer, options)
		if answer.status >= 300 then
			return judge.refused(answer)
		elseif not answer.body:find(options.expect, 1, true) then
			return "unclear", ("the answer does not have %s in it: %s"):format(
				text.cut(options.expect, 100), judge.said(answer))
		end
		return "delivered"
	end,
}
