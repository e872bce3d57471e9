-- SPDX-License-Identifier: MIT
--
-- Commands that answer in lines KEY=VALUE, as the helpers of etc/helpers do.

local answer = {}

-- text: what a command wrote. Returns a table KEY -> the last value, and a table KEY -> list of all
-- its values. Values are texts; those that look like a whole number are numbers in the first.
function answer.parse(text)
	local last, all = {}, {}
	for line in string.gmatch(text, "[^\n]+") do
		local key, value = string.match(line, "^([a-z0-9_]+)=(.*)$")
		if key then
			last[key] = math.tointeger(tonumber(value)) or value
			all[key] = all[key] or {}
			table.insert(all[key], value)
		end
	end
	return last, all
end

-- Runs a command of the manifest; `query` one that changes nothing. Returns the two tables of
-- answer.parse and what it wrote; or nil, message, outcome. In a dry run nothing was written: the
-- tables are empty.
function answer.run(command, args)
	return answer.take(command, tend.command.run(command, { args = args }))
end

function answer.query(command, args)
	return answer.take(command, tend.command.query(command, { args = args }))
end

function answer.take(command, done, why, outcome)
	if not done then
		return nil, ("%s: %s"):format(command, why), outcome
	end
	local text = type(done) == "table" and done.stdout or ""
	local last, all = answer.parse(text)
	return last, all, text
end

return answer
