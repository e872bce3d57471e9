-- SPDX-License-Identifier: MIT
--
-- Branches, a winner, clean-up and a time limit, for parallel.scenario.
policy "parallel" {
	doc = "Several things at once, in the engine itself.",
	hand = true,
	timeout = "20m",
	params = { hang = { type = "boolean", default = false } },
	run = function(ctx)
		ctx:finally(function(how)
			tend.notice.send(("clean, ok %s, cancelled %s"):format(how.ok, how.cancelled))
		end)
		local results, ok = tend.all(
			function()
				return tend.unit.restart("a.service") -- undo: none
			end,
			function()
				return (tend.any(
					function()
						tend.sleep("5s")
						return tend.command.run("slow") -- undo: none
					end,
					function()
						tend.sleep("2m")
						return true
					end))
			end,
			function()
				tend.sleep("1m")
				if ctx.params.hang then
					pcall(tend.sleep, "10h")
				end
				return tend.unit.restart("b.service") -- undo: none
			end)
		if not ok then
			return nil, results[1].message or results[3].message or "not all went well"
		end
		return { winner = results[2][1] }
	end,
}
