-- SPDX-License-Identifier: MIT
--
-- Drains and restarts web nodes behind a load balancer, one at a time.
--
-- Started by hand on the balancer's component, or on a schedule of one's own. Each node is taken
-- out (drained: none begin there, those that run end), waited for until it is idle, closed,
-- restarted, seen well by its own checks, and put back; only then comes the next. When a node does
-- not come back well it stays out and the rest is left as it is: one node less is better than
-- none. A node that is out when the run is cancelled, or because a gate said no to its restart, is
-- put back if it is well.
--
-- Parameters ([policy rolling-restart], param.NAME = ...):
--   nodes     the components of the nodes in order, as in crm/web1, crm/web2
--   drain     command of the manifest, parameter `node` (the short name of the component)
--   idle      command that changes nothing (risk = observe) and succeeds when the node has nothing
--             left to do; empty: `patience` is waited
--   close     command that sends the last ones elsewhere (those whom a cookie ties to the node)
--             just before it is restarted; empty: not done
--   ready     command that puts it back, and fails when the balancer does not use it
--   patience  how long to wait for idle before it is restarted anyway (2m)
--   ok        results in a row that must be well (3)
--   within    how long that may take (2m)
-- etc/commands.d/balancer.conf.example has these commands for HAProxy.

local function short(name)
	return (name:gsub("^.*/", ""))
end

local function command(name, node)
	return tend.command.run(name, { args = { node = short(node) } })
end

local function wait_idle(p, node)
	if p.idle == "" then
		tend.sleep(p.patience)
		return
	end
	local waited = 0
	while not tend.command.query(p.idle, { args = { node = short(node) } }) do
		if waited >= p.patience then
			tend.log(node .. " is still at work, it is restarted all the same")
			return
		end
		local pause = math.min(2, p.patience - waited)
		tend.sleep(pause)
		waited = waited + pause
	end
end

local function well(p, node)
	for _, check in ipairs(tend.component.checks(node) or {}) do
		local good, why = tend.verify(check.name, { ok = p.ok, within = p.within })
		if not good then
			return nil, ("%s: %s"):format(check.name, why)
		end
	end
	return true
end

-- Returns true; or nil, message, outcome. What is out of the balancer stands in `state`: `drained`,
-- its process is the one that was well before; `restarted`, nobody knows yet whether it is well.
local function one_node(p, node, unit, state)
	state.drained = node
	-- undo: p.ready at the end of the run
	local done, why, outcome = command(p.drain, node)
	if not done then
		return nil, ("%s cannot be drained: %s"):format(node, why), outcome
	end
	wait_idle(p, node)
	if p.close ~= "" then
		done, why, outcome = command(p.close, node)
		if not done then
			return nil, ("%s cannot be closed: %s"):format(node, why), outcome
		end
	end
	done, why, outcome = tend.unit.restart(unit, { component = node })
	if not done and outcome == "refused" then
		return nil, ("%s was not restarted: %s"):format(node, why), outcome
	end
	state.drained = nil
	if not done then
		return nil, ("%s stays out, its restart failed: %s"):format(node, why), outcome
	end
	state.restarted = node
	done, why = well(p, node)
	if not done then
		state.restarted = nil
		return nil, ("%s stays out, it is not well: %s"):format(node, why)
	end
	-- undo: this is the undoing of p.drain
	done, why, outcome = command(p.ready, node)
	state.restarted = nil
	if not done then
		return nil, ("%s is well and cannot be put back: %s"):format(node, why), outcome
	end
	return true
end

-- Every node has a unit, and checks that are well: then all can spare one. Returns node -> unit.
local function fit(nodes)
	local all, why, outcome = tend.components {}
	if not all then
		return nil, why, outcome
	end
	local units, seen = {}, {}
	for _, one in ipairs(all) do
		units[one.name] = one.unit
	end
	for _, node in ipairs(nodes) do
		if not units[node] or seen[node] then
			return nil, ("%s is %s"):format(node, seen[node] and "named twice"
				or "no component with a unit"), "refused"
		end
		seen[node] = true
		local checks = tend.component.checks(node)
		if not checks or #checks == 0 then
			return nil, node .. " has no check that would see it come back", "refused"
		end
		for _, check in ipairs(checks) do
			if check.state ~= "ok" then
				return nil, ("%s is not well, nothing is taken out: %s"):format(check.name,
					check.text), "refused"
			end
		end
	end
	return units
end

policy "rolling-restart" {
	doc = "Drain and restart web nodes behind a load balancer, one at a time.",
	hand = true,
	timeout = "6h",
	-- Ten nodes: drain, close, restart, ready.
	budget = 40,
	params = {
		nodes = { type = "list", doc = "the components of the nodes, in order" },
		drain = { type = "string", default = "node-drain", doc = "command that takes a node out" },
		idle = { type = "string", default = "",
			doc = "command that succeeds when a node has nothing left to do" },
		close = { type = "string", default = "", doc = "command that sends the last ones elsewhere" },
		ready = { type = "string", default = "node-ready", doc = "command that puts it back" },
		patience = { type = "duration", default = "2m", min = "0s", max = "1h",
			doc = "how long to wait for idle" },
		ok = { type = "integer", default = 3, min = 1, max = 20,
			doc = "results in a row that must be well" },
		within = { type = "duration", default = "2m", min = "1s", max = "1h",
			doc = "how long that may take" },
	},
	run = function(ctx)
		local p, state = ctx.params, {}
		if #p.nodes < 2 then
			return nil, "one node cannot be spared: param.nodes has fewer than two", "refused"
		end
		local units, why, outcome = fit(p.nodes)
		if not units then
			return nil, why, outcome
		end
		ctx:finally(function()
			local node = state.drained or state.restarted
			if not node then
				return
			end
			local done, still = true, nil
			if not state.drained then
				done, still = well(p, node)
			end
			if done then
				-- undo: this is the undoing
				done, still = command(p.ready, node)
			end
			if not done then
				tend.log(("%s stays out: %s"):format(node, still))
			end
		end)
		for i, node in ipairs(p.nodes) do
			local done
			done, why, outcome = one_node(p, node, units[node], state)
			if not done then
				return nil, ("%s (%d of %d are restarted)"):format(why, i - 1, #p.nodes), outcome
			end
			tend.log(("%s restarted, %d of %d"):format(node, i, #p.nodes))
		end
		return ("%d nodes restarted"):format(#p.nodes)
	end,
}
