-- SPDX-License-Identifier: MIT
--
-- The answers of tend.sql.query, row by row.

local sql = {}

-- answer: what tend.sql.query gave, {columns = {names}, rows = {{values}}}. Returns a list of
-- tables by name of column; a NULL is nil there.
function sql.rows(answer)
	local rows = {}
	for i, values in ipairs(answer.rows) do
		local row = {}
		for k, name in ipairs(answer.columns) do
			if values[k] ~= tend.null then
				row[name] = values[k]
			end
		end
		rows[i] = row
	end
	return rows
end

return sql
