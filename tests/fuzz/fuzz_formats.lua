-- SPDX-License-Identifier: MIT
--
-- What must hold of the webhook formats whatever the words: a judge has a verdict and never raises,
-- a body is within its limit and without what turns or mentions. An error is a finding.

local names = {
	"alertmanager", "alertmanager-api", "dingtalk", "feishu", "pagerduty", "slack", "teams",
	"template", "wecom",
}
local formats = {}
for i, name in ipairs(names) do
	formats[i] = require("formats." .. name)
end
local template = require "formats.template"

local function pick(byte)
	return formats[byte % #formats + 1]
end

local function options_of(format, given)
	local found = {}
	for name, row in pairs(format.options) do
		found[name] = given[name] or row.default
	end
	return found
end

local function alert(words, status)
	return {
		id = "i", sequence = 1, kind = "incident.raised", status = status, title = words,
		incident = "n", fingerprint = words, severity = "critical", severity_text = words,
		system = "crm", environment = "production", component = words, check = words,
		state = "critical", reason = "too-slow", reason_text = words, class = "x", text = words,
		since = "2026-03-02T04:05:06Z", time = "2026-03-02T04:05:06Z", labels = { team = words },
		superseded = { { id = "o", kind = "incident.changed" } }, acknowledged = false, details = {},
	}
end

local function notice(words, n, status)
	local alerts = {}
	for i = 1, n do
		alerts[i] = alert(words, status)
	end
	return {
		id = "i", kind = "incident.raised", type = "t", receiver = "r", host = words,
		language = "en", time = "2026-03-02T04:05:06Z", sent = "2026-03-02T04:05:06Z",
		late_seconds = 70, sequence = 1, epoch = "e", undurable = false, status = status,
		severity = "critical", severity_text = words, title = words, text = words .. "\nack",
		notes = { words }, n_firing = n, n_resolved = 0, n_more = 0, alerts = alerts,
		words = { acknowledge = "Acknowledge", more = "+{n} more" },
		group = n > 1 and { key = words, labels = { team = words } } or nil,
		ack = { command = "tendctl incident acknowledge n" },
	}
end

local function make(format, n, given)
	local made = format.format(n, options_of(format, given)).body
	made = type(made) == "string" and made or json.encode(made)
	assert(#made <= format.max_bytes, format.name .. ": too long")
	return made
end

local body = '{"a": "{title}{text}{label.team}{check}"}'
local mentions = {
	slack = "channel, U1, S1", teams = "Ann <a@b>", dingtalk = "all, 13800000000, ann",
	feishu = "all, ou_1", wecom = "all, 13800000000, ann",
}

local function try_words(which, words)
	local format = pick(which)
	for _, n in ipairs { 1, 3 } do
		for _, status in ipairs { "firing", "resolved" } do
			local made = make(format, notice(words, n, status), { body = body })
			assert(json.decode(made), format.name .. ": no JSON")
			assert(not made:find("\u{202e}", 1, true), format.name .. ": turned")
			if format.name == "slack" or format.name == "wecom" then
				assert(not made:find("<[!@]"), format.name .. ": a mention")
			end
		end
	end
	-- With all that an administrator may want of it.
	local n = notice(words, 1, "firing")
	make(format, n, { body = body, mention = mentions[format.name] })
	make(format, n, { body = body, mention = mentions[format.name], style = "text" })
end

local verdicts = { delivered = true, retry = true, failed = true, unclear = true }
local statuses = { 200, 202, 204, 400, 404 }

local function try_judge(which, status, said)
	local format = pick(which)
	if not format.judge then
		return
	end
	local answer = {
		status = statuses[status % #statuses + 1], headers = {}, body = said,
		json = json.decode(said),
	}
	local verdict, a, b = format.judge(answer, options_of(format, { body = "x" }))
	assert(verdicts[verdict], format.name .. ": no verdict")
	assert(#tostring(verdict == "retry" and b or a) < 1024, format.name .. ": a long story")
	assert(verdict ~= "retry" or a == nil or a > 0, format.name .. ": no time")
end

local kinds = { "application/json", "text/plain", "application/x-www-form-urlencoded" }

local function try_template(form, words)
	for _, kind in ipairs(kinds) do
		local given = { body = form, content_type = kind, max_text = "200" }
		local done, why = pcall(make, template, notice(words, 1, "firing"), given)
		-- A template may be wrong: that is to be told of it, and of nothing else.
		assert(done or why:find("^option%.body"), why)
	end
end

return function(which, a, b, c)
	if which == "j" then
		try_judge(a, b, c)
	elseif which == "t" then
		try_template(a, b)
	else
		try_words(a, b)
	end
end
