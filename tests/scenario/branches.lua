-- SPDX-License-Identifier: MIT
-- For branches.scenario: five at once, and it is content with less.
policy "act" {
	doc = "Restarts every web node, as far as it may.",
	hand = true,
	run = function()
		local branches = {}
		for _, node in ipairs(tend.components { kind = "web" }) do
			branches[#branches + 1] = function()
				-- undo: none
				return tend.unit.restart(node.unit, { component = node.name })
			end
		end
		tend.all(table.unpack(branches))
		return true
	end,
}
