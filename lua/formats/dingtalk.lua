-- SPDX-License-Identifier: MIT
--
-- DingTalk (钉钉), a group's robot: https://oapi.dingtalk.com/robot/send?access_token=...; with
-- `secret` set the requests are signed (the robot's setting 加签).

local judge = require "tend.judge"
local notice = require "tend.notice"
local text = require "tend.text"

local MAX_BYTES = 20000
-- Its Markdown needs an empty line between two lines.
local GAP = "\n\n"

-- "all", a phone's number, or a user's id.
local function at(mentions)
	local found, names = {}, {}
	for _, name in ipairs(mentions) do
		if name == "all" then
			found.isAtAll = true
		elseif name:match("^%+?[%d%-]+$") and #name >= 8 then
			found.atMobiles = found.atMobiles or {}
			table.insert(found.atMobiles, name)
		elseif name:match("^[%w_%-%.]+$") then
			found.atUserIds = found.atUserIds or {}
			table.insert(found.atUserIds, name)
		else
			error(("option.mention: '%s' is neither all nor a phone's number nor a user's id")
				:format(name), 0)
		end
		-- Who is mentioned must be named in the text as well.
		names[#names + 1] = name ~= "all" and "@" .. name or nil
	end
	return found, table.concat(names, " ")
end

local function acknowledge(n)
	local command = notice.acknowledgement(n)
	return command and ("%s: %s"):format(n.words.acknowledge, text.markdown(command))
end

local function markdown(n, names, budget)
	local parts = { "#### " .. text.cut_escaped(notice.heading(n), 600, text.markdown) }
	for _, line in ipairs(notice.lines(n, text.markdown, budget, #GAP + 2)) do
		parts[#parts + 1] = "> " .. line
	end
	parts[#parts + 1] = acknowledge(n)
	parts[#parts + 1] = names ~= "" and names or nil
	return table.concat(parts, GAP)
end

-- The codes whose meaning is worth more than "failed".
local codes = {
	[130101] = { "retry", 600, "too fast: 20 a minute; it is deaf for ten minutes now" },
	[410100] = { "retry", 600, "too fast: it is deaf for a while now" },
	[-1] = { "retry", nil, "the system is busy" },
	[460101] = { "failed", nil, "longer than 20,000 bytes" },
	[300001] = { "failed", nil, "there is no such robot: the access token" },
	[310000] = { "failed", nil, "refused by the robot's security settings: sign, keyword or address" },
}

return {
	name = "dingtalk",
	doc = "DingTalk (钉钉), by a group's robot",
	group = true,
	rate_per_minute = 17,
	max_bytes = MAX_BYTES,
	sign = "dingtalk",
	options = notice.mention_options(
		"who is mentioned: all, phone numbers, user ids, separated by commas"),

	format = function(n, options)
		local found, names = at(notice.mentions(n, options))
		return {
			body = text.fit(MAX_BYTES - 500, MAX_BYTES - 3000, function(budget)
				return {
					msgtype = "markdown",
					markdown = {
						title = text.cut(notice.heading(n), 200),
						text = markdown(n, names, budget),
					},
					at = found,
				}
			end),
		}
	end,

	judge = function(answer)
		return judge.code(answer, "DingTalk", judge.member(answer, "errcode"),
			judge.member(answer, "errmsg"), codes)
	end,
}
