-- SPDX-License-Identifier: MIT
--
-- What an answer means, for the judges of the formats. `answer` is {status=, headers=, body=,
-- json=}; all of it is foreign, so that json may be any value, or nil if the body is none.

local text = require "tend.text"

local judge = {}

-- How much of an answer is told.
local TOLD_BYTES = 200

-- A member of the answer's JSON object; nil if there is none.
function judge.member(answer, name)
	local json = answer.json
	return type(json) == "table" and json[name] or nil
end

-- The body in one line, to be told.
function judge.said(answer)
	return text.cut(text.line(answer.body), TOLD_BYTES)
end

-- No answer that the service gives: a proxy's page, something new. HTTP's no stays one; a yes is
-- tried again a few times, as nobody knows.
function judge.unclear(answer, vendor)
	return answer.status < 300 and "unclear" or "failed",
		("this is no answer of %s's: %s"):format(vendor, judge.said(answer))
end

-- An answer whose `code` is 0 for yes. `codes` has what the others mean: {verdict, seconds, words};
-- of those that are not in it nobody knows.
function judge.code(answer, vendor, code, said, codes)
	if math.type(code) ~= "integer" then
		return judge.unclear(answer, vendor)
	elseif code == 0 and answer.status < 300 then
		return "delivered"
	end
	local row = codes[code] or answer.status >= 300 and { "failed", nil, "refused" }
		or { "unclear", nil, "a code that is not known here" }
	local why = ("%s %d: %s"):format(vendor, code, row[3])
	if type(said) == "string" and said ~= "" then
		why = ("%s (%s)"):format(why, text.cut(text.line(said), TOLD_BYTES))
	end
	if row[1] == "retry" then
		return "retry", row[2], why
	end
	return row[1], why
end

-- The verdict where HTTP has said no; which status it was is told anyway.
function judge.refused(answer)
	return "failed", "it says " .. judge.said(answer)
end

return judge
