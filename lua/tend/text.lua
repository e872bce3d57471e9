-- SPDX-License-Identifier: MIT
--
-- Text for people in somebody else's chat: foreign words made harmless, cut where a character ends,
-- and kept within a number of bytes. All of it is pure; lengths are bytes, as the vendors count.

local text = {}

-- Without what moves the cursor, turns the direction of writing or hides; lines end with \n.
function text.clean(s)
	-- Most texts have nothing of the kind; the bytes are those with which it would begin.
	if not s:find("[\0-\9\11-\31\127\xC2\xE2\xEF]") then
		return s
	end
	s = s:gsub("\r\n?", "\n"):gsub("\u{2028}", "\n"):gsub("\u{2029}", "\n"):gsub("\t", " ")
	s = s:gsub("[\0-\9\11-\31\127]", ""):gsub("\xC2[\x80-\x9F]", "")
	-- U+202A..U+202E and U+2066..U+2069 turn the direction of what follows, U+FEFF is invisible.
	s = s:gsub("\xE2\x80[\xAA-\xAE]", ""):gsub("\xE2\x81[\xA6-\xA9]", "")
	return (s:gsub("\u{FEFF}", ""))
end

-- Clean and in one line.
function text.line(s)
	return (text.clean(s):gsub("%s*\n%s*", " "):gsub("^%s+", ""):gsub("%s+$", ""))
end

-- The lines of a text, clean, without empty ones.
function text.lines(s)
	local lines = {}
	for line in text.clean(s):gmatch("[^\n]+") do
		line = line:gsub("%s+$", "")
		if line ~= "" then
			lines[#lines + 1] = line
		end
	end
	return lines
end

-- At most `bytes` of s, at the end of a character; `mark` ("…") says that something was cut.
function text.cut(s, bytes, mark)
	mark = mark or "…"
	if #s <= bytes then
		return s
	end
	if #mark > bytes then
		mark = ""
	end
	local last = math.max(bytes - #mark, 0)
	while last > 0 and s:byte(last + 1) & 0xC0 == 0x80 do
		last = last - 1
	end
	return s:sub(1, last) .. mark
end

-- Cuts s so that what escape() makes of it has at most `bytes`; gives that. (What is cut after the
-- escape may end within one: `&am`.)
function text.cut_escaped(s, bytes, escape)
	local whole = escape(s)
	local room = bytes
	while #whole > bytes and room > 0 do
		whole = escape(text.cut(s, room))
		room = math.min(room - 1, room - (#whole - bytes))
	end
	return #whole <= bytes and whole or ""
end

-- Whoever writes @everyone into a text is not to wake everyone.
local crowds = { all = true, channel = true, everyone = true, here = true, team = true }

function text.quiet(s)
	s = s:gsub("@(%a+)", function(name)
		return crowds[name:lower()] and "@\u{200B}" .. name or nil
	end)
	return (s:gsub("@所有人", "@\u{200B}所有人"))
end

function text.plain(s)
	return s
end

-- Slack's mrkdwn has three characters to be escaped; they are all of its commands.
function text.slack(s)
	return (text.quiet(s):gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
end

-- The Markdown of DingTalk and WeCom knows no escapes that can be relied on: what begins a tag,
-- a mention (`<@name>`), a link, a quote of code or emphasis is replaced by what looks like it.
function text.markdown(s)
	s = text.quiet(s):gsub("[<>`*]", { ["<"] = "＜", [">"] = "＞", ["`"] = "'", ["*"] = "∗" })
	return (s:gsub("%](%s*%()", "] %1"):gsub("%]%[", "] ["))
end

-- Feishu's texts have <at ...>.
function text.feishu(s)
	return (text.quiet(s):gsub("<(%s*/?%s*[aA][tT])", "＜%1"))
end

-- As a part of a query or of a form.
function text.percent(s)
	return (s:gsub("[^%w%-._~]", function(c)
		return ("%%%02X"):format(c:byte())
	end))
end

-- Between the quotes of a JSON text.
function text.json(s)
	return json.encode(s):sub(2, -2)
end

-- Shortens the longest of `lines`, again and again, until all of them have at most `bytes` after
-- escape(), with `gap` bytes between two; the last ones are left out if that is not enough. Gives
-- the escaped lines and the bytes they take.
function text.squeeze(lines, escape, bytes, gap)
	local raw, done, total = {}, {}, -gap
	for i, line in ipairs(lines) do
		raw[i], done[i] = line, escape(line)
		total = total + #done[i] + gap
	end
	while total > bytes and #done > 0 do
		local longest = 1
		for i = 2, #done do
			longest = #done[i] > #done[longest] and i or longest
		end
		local size = #done[longest]
		if size <= 16 then
			total = total - #table.remove(done) - gap
			table.remove(raw)
		else
			raw[longest] = text.cut(raw[longest], #raw[longest] - 4)
			local room = math.max(size - (total - bytes), 8)
			done[longest] = text.cut_escaped(raw[longest], room, escape)
			total = total - size + #done[longest]
		end
	end
	return done, math.max(total, 0)
end

-- As many of the n items that render(i) gives as go into `bytes`, with `gap` bytes between two;
-- what did not, and the `rest` that is no item, is counted by more(n), which gives the last line.
-- An item is never cut, and what comes after the first that does not fit is not rendered.
function text.fill(n, render, bytes, gap, more, rest)
	local kept, used = {}, -gap
	rest = rest or 0
	for i = 1, n do
		local item, left = render(i), n - i + rest
		local reserve = left > 0 and gap + #more(left) or 0
		if used + gap + #item + reserve > bytes then
			kept[i] = more(left + 1)
			return kept
		end
		kept[i], used = item, used + gap + #item
	end
	if rest > 0 then
		kept[#kept + 1] = more(rest)
	end
	return kept
end

-- The value make(budget) gives whose JSON has at most `bytes`; the budget is of bytes for the texts
-- in it, and shrinks until all of it fits.
function text.fit(bytes, budget, make)
	while true do
		local value = make(budget)
		local over = #json.encode(value) - bytes
		if over <= 0 then
			return value
		elseif budget < 16 then
			error(("without its texts it is %d bytes over the %d allowed"):format(over, bytes), 0)
		end
		budget = math.max(math.min(budget * bytes // (bytes + over), budget - budget // 8), 8)
	end
end

-- "a, b" -> {"a", "b"}
function text.split(s)
	local found = {}
	for one in (s or ""):gmatch("[^,]+") do
		one = one:gsub("^%s+", ""):gsub("%s+$", "")
		if one ~= "" then
			found[#found + 1] = one
		end
	end
	return found
end

return text
