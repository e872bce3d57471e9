-- SPDX-License-Identifier: MIT
--
-- WeCom (企业微信), a group's robot: https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=...; the
-- key is the secret, nothing is signed.

local judge = require "tend.judge"
local notice = require "tend.notice"
local text = require "tend.text"

local MARKDOWN_BYTES, TEXT_BYTES = 4096, 2048

-- Orange, grey and green are all the colours there are.
local colors = { critical = "warning", warning = "warning", info = "comment", resolved = "info" }

-- Users can be named in Markdown; everybody and phones only in a plain text.
local function sort_mentions(mentions)
	local users, phones, all = {}, {}, false
	for _, name in ipairs(mentions) do
		if name == "all" then
			all = true
		elseif name:match("^%+?%d+$") and #name >= 8 then
			phones[#phones + 1] = name
		elseif name:match("^[%w_%-%.@]+$") then
			users[#users + 1] = name
		else
			error(("option.mention: '%s' is neither all nor a phone's number nor a user's id")
				:format(name), 0)
		end
	end
	return users, phones, all
end

local function acknowledge(n)
	local command = notice.acknowledgement(n)
	return command and n.words.acknowledge .. ": " .. text.markdown(command)
end

-- Heading, lines, acknowledgement and names within `bytes`.
local function compose(n, bytes, heading, escape, prefix, names)
	local parts = { heading }
	local ack = acknowledge(n)
	local taken = #heading + #names + (ack and #ack or 0) + 3
	for _, line in ipairs(notice.lines(n, escape, bytes - taken, 1 + #prefix)) do
		parts[#parts + 1] = prefix .. line
	end
	parts[#parts + 1] = ack
	parts[#parts + 1] = names ~= "" and names or nil
	return table.concat(parts, "\n")
end

local function markdown(n, users, bytes)
	local color = colors[notice.mood(n)] or "comment"
	local heading = ('**<font color="%s">%s</font>**'):format(color,
		text.cut_escaped(notice.heading(n), 600, text.markdown))
	local names = {}
	for i, user in ipairs(users) do
		names[i] = ("<@%s>"):format(user)
	end
	return {
		msgtype = "markdown",
		markdown = {
			content = compose(n, bytes, heading, text.markdown, ">", table.concat(names)),
		},
	}
end

local function plain(n, users, phones, all, bytes)
	local heading = text.cut(text.quiet(notice.heading(n)), 600)
	if all then
		table.insert(users, "@all")
	end
	return {
		msgtype = "text",
		text = {
			content = compose(n, bytes, heading, text.quiet, "", ""),
			mentioned_list = #users > 0 and users or nil,
			mentioned_mobile_list = #phones > 0 and phones or nil,
		},
	}
end

local codes = {
	[45009] = { "retry", 60, "too fast: 20 a minute" },
	[45033] = { "retry", 60, "too many at once" },
	[-1] = { "retry", nil, "the system is busy" },
	[40058] = { "failed", nil, "too long, or a field is wrong" },
	[93000] = { "failed", nil, "there is no such robot: the key" },
}

local options = notice.mention_options(
	"who is mentioned: all, phone numbers, user ids, separated by commas")
options.style = {
	default = "markdown",
	doc = "markdown or text; a notice that mentions all or a phone is sent as text",
}

return {
	name = "wecom",
	doc = "WeCom (企业微信), by a group's robot",
	group = true,
	rate_per_minute = 17,
	max_bytes = 3 * MARKDOWN_BYTES,
	sign = "none",
	options = options,

	format = function(n, given)
		local style = notice.choice(given, "style", { "markdown", "text" })
		local users, phones, all = sort_mentions(notice.mentions(n, given))
		if style == "text" or all or #phones > 0 then
			return { body = plain(n, users, phones, all, TEXT_BYTES) }
		end
		return { body = markdown(n, users, MARKDOWN_BYTES) }
	end,

	judge = function(answer)
		return judge.code(answer, "WeCom", judge.member(answer, "errcode"),
			judge.member(answer, "errmsg"), codes)
	end,
}
