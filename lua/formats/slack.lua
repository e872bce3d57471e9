-- SPDX-License-Identifier: MIT
--
-- Slack, incoming webhooks: https://hooks.slack.com/services/...; the URL is the secret.

local judge = require "tend.judge"
local notice = require "tend.notice"
local text = require "tend.text"

local MAX_BYTES = 32000
-- A section takes 3,000 characters; in bytes that is never more.
local SECTION_BYTES = 2900

-- "channel", "U024BE7LH" -> <!channel>, <@U024BE7LH>
local function mention(name)
	if name == "channel" or name == "here" or name == "everyone" then
		return ("<!%s>"):format(name)
	elseif name:match("^[UW]%w+$") then
		return ("<@%s>"):format(name)
	elseif name:match("^S%w+$") then
		return ("<!subteam^%s>"):format(name)
	end
	error(("option.mention: '%s' is neither channel, here, everyone nor the ID of a user (U...) or a "
		.. "group (S...)"):format(name), 0)
end

local function section(words)
	-- verbatim: no names of channels or users are made out of words.
	return { type = "section", text = { type = "mrkdwn", text = words, verbatim = true } }
end

-- Lines, gathered into as few sections as take them.
local function sections(lines)
	local blocks, gathered = {}, nil
	for _, line in ipairs(lines) do
		if gathered and #gathered + 1 + #line <= SECTION_BYTES then
			gathered = gathered .. "\n" .. line
		else
			blocks[#blocks + 1] = gathered and section(gathered)
			gathered = line
		end
	end
	blocks[#blocks + 1] = gathered and section(gathered)
	return blocks
end

local function acknowledge(n)
	local command = notice.acknowledgement(n)
	return command and ("%s: `%s`"):format(n.words.acknowledge, text.slack(command))
end

local function heading(n, options)
	local words = { text.cut_escaped(notice.heading(n), SECTION_BYTES // 2, text.slack) }
	for _, name in ipairs(notice.mentions(n, options)) do
		words[#words + 1] = mention(name)
	end
	return table.concat(words, " ")
end

local options = notice.mention_options(
	"who is mentioned: channel, here, IDs of users (U...) and of groups (S...), separated by commas")

return {
	name = "slack",
	doc = "Slack, by an incoming webhook",
	group = true,
	rate_per_minute = 30,
	max_bytes = MAX_BYTES,
	sign = "none",
	options = options,

	format = function(n, given)
		return {
			body = text.fit(MAX_BYTES, 4 * SECTION_BYTES, function(budget)
				-- One alert is one section.
				local bytes = #n.alerts > 1 and budget or math.min(budget, SECTION_BYTES)
				local blocks = sections(notice.lines(n, text.slack, bytes, 1))
				local ack = acknowledge(n)
				blocks[#blocks + 1] = ack and section(ack)
				return {
					text = heading(n, given),
					attachments = #blocks > 0 and { { color = notice.look(n).color, blocks = blocks } }
						or nil,
				}
			end),
		}
	end,

	-- "ok" in plain text is the one answer that says yes; workflows say {"ok":true}.
	judge = function(answer)
		if answer.status >= 300 then
			return judge.refused(answer)
		elseif judge.member(answer, "ok") == true or text.line(answer.body) == "ok" then
			return "delivered"
		elseif #answer.body < 64 and text.line(answer.body):find("^%l[%l_]+$") then
			-- Its refusals are a word, such as no_service.
			return "failed", "Slack says " .. judge.said(answer)
		end
		return judge.unclear(answer, "Slack")
	end,
}
