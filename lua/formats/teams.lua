-- SPDX-License-Identifier: MIT
--
-- Microsoft Teams, by the workflow "post to a channel when a webhook request is received": an
-- Adaptive Card 1.2. The URL is the secret.

local judge = require "tend.judge"
local notice = require "tend.notice"
local text = require "tend.text"

-- A message of Teams has 28 KB, and the card is sent on inside another message.
local MAX_BYTES = 25000

local colors = { resolved = "good", critical = "attention", warning = "warning", info = "accent" }

-- A run of a RichTextBlock is never read as Markdown, so foreign words stay words.
local function words(said, how)
	local run = { type = "TextRun", text = said }
	for name, value in pairs(how or {}) do
		run[name] = value
	end
	return { type = "RichTextBlock", inlines = { run } }
end

-- "Ann Lee <ann@example.org>" -> name, id
local function person(mention)
	local name, id = mention:match("^(.-)%s*<([^<>%s]+)>$")
	if not name or name == "" then
		error(("option.mention: '%s' is not NAME <USER PRINCIPAL NAME>, as in Ann Lee <ann@example.org>")
			:format(mention), 0)
	end
	return text.line(name), id
end

local function add_mentions(body, people)
	local entities, tags = {}, {}
	for i, mention in ipairs(people) do
		local name, id = person(mention)
		tags[i] = ("<at>%s</at>"):format(name)
		entities[i] = { type = "mention", text = tags[i], mentioned = { id = id, name = name } }
	end
	if #tags > 0 then
		body[#body + 1] = { type = "TextBlock", text = table.concat(tags, " "), wrap = true }
	end
	return #entities > 0 and entities or nil
end

local function card(n, options, budget)
	local body = {
		words(text.cut(notice.heading(n), 1000),
			{ weight = "bolder", size = "medium", color = colors[notice.mood(n)] or "default" }),
	}
	for _, line in ipairs(notice.lines(n, text.plain, budget, 60)) do
		body[#body + 1] = words(line)
	end
	local command = notice.acknowledgement(n)
	if command then
		body[#body + 1] = words(command, { fontType = "monospace", isSubtle = true })
	end
	local entities = add_mentions(body, notice.mentions(n, options))
	return {
		["$schema"] = "http://adaptivecards.io/schemas/adaptive-card.json",
		type = "AdaptiveCard",
		version = "1.2",
		fallbackText = text.cut(notice.heading(n), 1000),
		body = body,
		msteams = { width = "Full", entities = entities },
	}
end

return {
	name = "teams",
	doc = "Microsoft Teams, by a workflow's webhook",
	group = true,
	rate_per_minute = 24,
	max_bytes = MAX_BYTES,
	sign = "none",
	options = notice.mention_options(
		"who is mentioned: NAME <USER PRINCIPAL NAME>, separated by commas"),

	format = function(n, options)
		return {
			body = text.fit(MAX_BYTES, MAX_BYTES - 2000, function(budget)
				return {
					type = "message",
					attachments = { {
						contentType = "application/vnd.microsoft.card.adaptive",
						contentUrl = json.null,
						content = card(n, options, budget),
					} },
				}
			end),
		}
	end,

	-- The older connectors said 200 and put what went wrong into the text.
	judge = function(answer)
		local said = judge.said(answer)
		if answer.status >= 300 then
			return judge.refused(answer)
		elseif said:find("HTTP error 429", 1, true) then
			return "retry", 60, "Teams: too many messages"
		elseif said:lower():find("delivery failed", 1, true) then
			return "failed", "Teams says " .. said
		elseif said:find("^%s*<") then
			-- A page: somebody else's.
			return judge.unclear(answer, "Teams")
		end
		return "delivered"
	end,
}
