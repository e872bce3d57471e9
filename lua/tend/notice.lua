-- SPDX-License-Identifier: MIT
--
-- What the chat formats have in common: how a notice looks, what of its alerts fits, whom it
-- mentions and how it is acknowledged. What a notice is: lua/formats/README.md.

local text = require "tend.text"

local notice = {}

local looks = {
	resolved = { emoji = "🟢", color = "#2e7d32", priority = 2 },
	critical = { emoji = "🔴", color = "#d32f2f", priority = 5 },
	warning = { emoji = "🟠", color = "#f9a825", priority = 4 },
	info = { emoji = "🔵", color = "#1976d2", priority = 3 },
}

-- The look of a notice or of one of its alerts.
function notice.look(one)
	return one.status == "resolved" and looks.resolved or looks[one.severity] or looks.info
end

-- "resolved", or the severity.
function notice.mood(one)
	return one.status == "resolved" and "resolved" or one.severity
end

function notice.heading(n)
	return notice.look(n).emoji .. " " .. text.line(n.title)
end

-- One line about one of several.
function notice.alert_line(alert)
	local line = notice.look(alert).emoji .. " " .. text.line(alert.title)
	local said = text.line(alert.text or "")
	-- That it is over is all there is to say of what is over.
	if alert.status == "resolved" or said == "" or line:find(said, 1, true) then
		return line
	end
	return line .. " · " .. said
end

-- How long one of several may get.
local ALERT_BYTES = 300

-- What the text says of the only alert, but for the line on acknowledging it, which is its last:
-- each format has its own way of showing that.
local function single_lines(n)
	local lines = text.lines(n.text or "")
	if n.ack and n.ack.command then
		lines[#lines] = nil
	end
	return lines
end

local function note_lines(n)
	local lines = {}
	for i, note in ipairs(n.notes or {}) do
		lines[i] = text.line(note)
	end
	return lines
end

-- The lines below the heading, at most `bytes` with `gap` between two: of one alert all that the
-- text says; of several one line each, how many more there are, and what is to be noted of all,
-- such as that they are late. escape() makes foreign words harmless for the vendor.
function notice.lines(n, escape, bytes, gap)
	if #n.alerts <= 1 then
		return (text.squeeze(single_lines(n), escape, bytes, gap))
	end
	local notes, used = text.squeeze(note_lines(n), escape, bytes // 4, gap)
	local render = function(i)
		return text.cut_escaped(notice.alert_line(n.alerts[i]), ALERT_BYTES, escape)
	end
	local more = function(count)
		return (n.words.more:gsub("{n}", tostring(count)))
	end
	-- n_more: what the daemon itself had no room for.
	local lines = text.fill(#n.alerts, render, bytes - used - gap, gap, more, n.n_more)
	return table.move(notes, 1, #notes, #lines + 1, lines)
end

-- The same as one text.
function notice.body(n, escape, bytes, separator)
	separator = separator or "\n"
	return table.concat(notice.lines(n, escape, bytes, #separator), separator)
end

-- The command by which somebody takes it; nil if there is nothing to be taken.
function notice.acknowledgement(n)
	local command = n.ack and n.ack.command
	if n.status ~= "firing" or not command then
		return nil
	end
	for _, alert in ipairs(n.alerts) do
		if not alert.acknowledged then
			return text.line(command)
		end
	end
	return nil
end

local ranks = { info = 1, warning = 2, critical = 3 }

-- The options a format with mentions declares, besides what its names look like.
function notice.mention_options(doc)
	return {
		mention = { default = "", doc = doc },
		mention_from = {
			default = "critical",
			doc = "the least severity that mentions anybody: info, warning or critical",
		},
	}
end

-- Whom this notice mentions: the names of option.mention, or none.
function notice.mentions(n, options)
	local from = ranks[options.mention_from or "critical"]
	if not from then
		error(("option.mention_from = %s: must be info, warning or critical")
			:format(options.mention_from), 0)
	end
	if n.status ~= "firing" or (ranks[n.severity] or 0) < from then
		return {}
	end
	return text.split(options.mention)
end

-- One of a few words; an option that is none of them is a mistake to be told.
function notice.choice(options, name, choices)
	local value = options[name]
	for _, one in ipairs(choices) do
		if value == one then
			return value
		end
	end
	error(("option.%s = %s: must be one of %s"):format(name, tostring(value),
		table.concat(choices, ", ")), 0)
end

return notice
