-- SPDX-License-Identifier: MIT
--
-- Renews a certificate that runs out, and sees that the server shows the new one; or reports how
-- long those of a component are good for.
--
-- Started by an incident of a check with `cert` in its name (crm/web/certificate), as of the probe
-- exec with check_http -C. The renewal is a command of the executor's manifest (certbot renew, a
-- script of the company's CA); afterwards the unit is reloaded, since many servers read their
-- certificate once, and the check is asked again. Without a command people are told.
--
-- Without a check (by a schedule, or by hand on a component) it reports: one notice with what each
-- such check of the component says, and a record of the kind `report`. For one each Monday:
--   [policy certificate]
--   schedule = 0 8 * * mon
--   match_component = crm/web
--
-- Parameters ([policy certificate], param.NAME = ...):
--   renew   command of the manifest; empty: it only tells ("")
--   reload  reload the component's unit afterwards; false: restart it (true)
--   ok      results in a row that must be well (1)
--   within  how long that may take (2m)

local heal = require "tend.heal"

local function report(ctx)
	local checks, why, outcome = tend.component.checks(ctx.component)
	if not checks then
		return nil, why, outcome
	end
	local lines, values = {}, {}
	for _, check in ipairs(checks) do
		if check.name:find("cert", 1, true) then
			local seen, unseen = tend.check.run(check.name)
			local text = seen and seen.text or unseen
			lines[#lines + 1] = ("%s: %s"):format(check.name, text)
			values[check.name] = text
		end
	end
	if #lines == 0 then
		return "no check of a certificate"
	end
	tend.record.put { kind = "report", key = "certificates", scope = ctx.component, value = values }
	local told, untold, how = tend.notice.send(table.concat(lines, "\n"), { severity = "info" })
	if not told then
		return nil, untold, how
	end
	return ("%d reported"):format(#lines)
end

local function renew(ctx)
	local p = ctx.params
	local done, why, outcome = tend.command.run(p.renew)
	if not done then
		return nil, ("%s: %s"):format(p.renew, why), outcome
	end
	if ctx.component.unit then
		local took, said, how = heal.act(ctx, p.reload and "reload" or "restart")
		if not took then
			-- The renewal may have done that itself.
			return heal.recovered(ctx, said, how)
		end
	end
	return heal.verify(ctx)
end

policy "certificate" {
	doc = "Renew a certificate that runs out, and see that the server shows the new one.",
	on = {
		incident = {
			check = "*cert*",
			reason = { "threshold", "tls-expired", "program-warning", "program-critical" },
		},
	},
	hand = true,
	params = {
		renew = { type = "string", default = "", doc = "command of the manifest that renews it" },
		reload = { type = "boolean", default = true,
			doc = "reload the unit afterwards; false: restart it" },
		ok = { type = "integer", default = 1, min = 1, max = 20,
			doc = "results in a row that must be well" },
		within = { type = "duration", default = "2m", min = "1s", max = "30m",
			doc = "how long that may take" },
	},
	run = function(ctx)
		if not ctx.check then
			return report(ctx)
		end
		if ctx.params.renew ~= "" then
			return renew(ctx)
		end
		tend.notice.send(("%s: %s; no renewal is configured, it is for people to do"):format(
			ctx.component.name, ctx.check.text), { severity = "warning" })
		return nil, "no renewal is configured: [policy certificate] param.renew", "refused"
	end,
}
