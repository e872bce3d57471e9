-- SPDX-License-Identifier: MIT
--
-- Feishu and Lark (飞书), a group's bot: https://open.feishu.cn/open-apis/bot/v2/hook/...; with
-- `secret` set the requests are signed (the bot's setting 签名校验).

local judge = require "tend.judge"
local notice = require "tend.notice"
local text = require "tend.text"

-- The bot takes 20 KB; timestamp and sign come on top.
local MAX_BYTES = 20000
local ROOM_BYTES = 19500

local colors = { resolved = "green", critical = "red", warning = "orange", info = "blue" }

local function tag(name)
	if name == "all" then
		return '<at user_id="all"></at>', "<at id=all></at>"
	elseif name:match("^[%w_%-]+$") then
		return ('<at user_id="%s"></at>'):format(name), ("<at id=%s></at>"):format(name)
	end
	error(("option.mention: '%s' is neither all nor an open id (ou_...)"):format(name), 0)
end

local function tags(mentions, in_card)
	local found = {}
	for i, name in ipairs(mentions) do
		found[i] = select(in_card and 2 or 1, tag(name))
	end
	return table.concat(found, " ")
end

local function words(said)
	return { tag = "plain_text", content = said }
end

-- In plain_text nothing is markup: foreign words need no escape there.
local function card(n, mentions, budget)
	local elements = {}
	local body = notice.body(n, text.plain, budget)
	if body ~= "" then
		elements[1] = { tag = "div", text = words(body) }
	end
	local names = tags(mentions, true)
	if names ~= "" then
		elements[#elements + 1] = { tag = "div", text = { tag = "lark_md", content = names } }
	end
	local command = notice.acknowledgement(n)
	if command then
		elements[#elements + 1] = { tag = "note", elements = { words(command) } }
	end
	return {
		msg_type = "interactive",
		card = {
			config = { wide_screen_mode = true },
			header = {
				title = words(text.cut(notice.heading(n), 600)),
				template = colors[notice.mood(n)] or "grey",
			},
			elements = #elements > 0 and elements or nil,
		},
	}
end

local function plain(n, mentions, budget)
	local lines = { text.cut_escaped(notice.heading(n), 600, text.feishu) }
	for _, line in ipairs(notice.lines(n, text.feishu, budget, 1)) do
		lines[#lines + 1] = line
	end
	local command = notice.acknowledgement(n)
	if command then
		lines[#lines + 1] = n.words.acknowledge .. ": " .. command
	end
	local names = tags(mentions, false)
	lines[#lines + 1] = names ~= "" and names or nil
	return { msg_type = "text", content = { text = table.concat(lines, "\n") } }
end

local options = notice.mention_options(
	"who is mentioned: all, open ids (ou_...), separated by commas")
options.style = { default = "card", doc = "card or text" }

local codes = {
	-- 100 a minute, 5 a second; everybody's full and half hours make it worse.
	[11232] = { "retry", 60, "too fast" },
	[9499] = { "failed", nil, "it does not understand, or it is too long" },
	[19001] = { "failed", nil, "there is no such bot: the address" },
	[19021] = { "failed", nil, "the sign does not fit, or the clock is more than an hour off" },
	[19022] = { "failed", nil, "this address may not send to the bot" },
	[19024] = { "failed", nil, "without a keyword that the bot wants" },
}

return {
	name = "feishu",
	doc = "Feishu or Lark (飞书), by a group's bot",
	group = true,
	rate_per_minute = 24,
	max_bytes = MAX_BYTES,
	sign = "feishu",
	options = options,

	format = function(n, given)
		local style = notice.choice(given, "style", { "card", "text" }) == "card" and card or plain
		local mentions = notice.mentions(n, given)
		return {
			body = text.fit(ROOM_BYTES, ROOM_BYTES - 2000, function(budget)
				return style(n, mentions, budget)
			end),
		}
	end,

	-- Its refusals come as 200 and as 400; the code says which.
	judge = function(answer)
		local code = judge.member(answer, "code") or judge.member(answer, "StatusCode")
		local said = judge.member(answer, "msg") or judge.member(answer, "StatusMessage")
		-- It has this code for "I do not understand" as well.
		if code == 9499 and tostring(said):lower():find("too many", 1, true) then
			return "retry", 60, "Feishu 9499: too fast"
		end
		return judge.code(answer, "Feishu", code, said, codes)
	end,
}
