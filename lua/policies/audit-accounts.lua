-- SPDX-License-Identifier: MIT
--
-- Leavers and rights: who can log in and should not, who may do what he could not do yesterday.
--
-- Nightly. Two queries, read only: the accounts of the CRM with their rights, and the people who
-- work here (a table or view that is filled from the personnel system). It tells; it changes no
-- account. What is wrong is a finding (tendctl finding list): told when it opens, told again on
-- Mondays while it is open, closed when it is gone. A person may accept one until a day (tendctl
-- finding accept), after which it is told again.
--
--   leaver/LOGIN  can log in and is not among the people
--   idle/LOGIN    can log in, and nobody has for long
--   admins        more administrators than there may be
--   rights/LOGIN  not the rights of the last audit; stays open until the rights are as before or
--                 it is accepted: then the new rights are the ones that are compared with
--
-- Parameters ([policy audit-accounts], param.NAME = ...):
--   accounts  query: login, active (boolean), admin (boolean), rights (text), last_login_days
--             (number; null: never, or not known); a select that may stand in brackets. Its order
--             does not matter (""; empty: nothing is done)
--   people    query of the same kind: login of everybody who works here; empty: leavers are not
--             looked for ("")
--   idle      an active account that nobody used for so many days is a finding (90); 0: never
--   most      administrators there may be (3)

local finding = require "tend.finding"
local sql = require "tend.sql"

-- What one query gives at most, and how many of them there may be.
local PAGE_ROWS, MOST_PAGES = 1000, 20
-- Lines of a notice; all stand in `tendctl finding list`.
local MOST_LINES = 20
-- Rights are kept in so many records: a record has a size.
local PARTS = 32

-- All rows in the order of logins, whatever order and collation the database has.
local function query(ctx, text, what)
	local paged = ([[select * from (%s
) audited where login::text collate "C" > $1 order by login::text collate "C"]]):format(
		(text:gsub(";%s*$", "")))
	local all, last = {}, ""
	for _ = 1, MOST_PAGES do
		local answer, why, outcome = tend.sql.query { component = ctx.component, sql = paged,
			params = { last }, max_rows = PAGE_ROWS }
		if not answer then
			return nil, ("%s cannot be read: %s"):format(what, why), outcome
		end
		for _, row in ipairs(sql.rows(answer)) do
			if type(row.login) ~= "string" then
				return nil, what .. ": there is no text in the column 'login'"
			end
			all[#all + 1] = row
			last = row.login
		end
		if not answer.truncated then
			return all
		end
	end
	return nil, ("%s: more than %d rows, an audit of a part is none"):format(what,
		MOST_PAGES * PAGE_ROWS)
end

local function part_of(login)
	local sum = 0
	for i = 1, #login do
		sum = (sum * 31 + login:byte(i)) % PARTS
	end
	return ("rights/%02d"):format(sum)
end

-- The rights of the last audit: part -> login -> text, and whether there was one.
local function load_rights(ctx)
	local parts = {}
	local rows, why, outcome = tend.record.list { kind = "baseline", scope = ctx.component.name }
	if not rows then
		return nil, why, outcome
	end
	local known = false
	for _, row in ipairs(type(rows) == "table" and rows or {}) do
		if row.key:match("^rights/%d%d$") then
			known = true
			parts[row.key] = type(row.value.logins) == "table" and row.value.logins or {}
		end
	end
	return parts, known
end

local function rights_text(one)
	local text = (one.active and "" or "cannot log in; ") .. (one.admin and "administrator; " or "")
		.. tostring(one.rights or "")
	return #text > 300 and text:sub(1, 300) .. "..." or text
end

local function known_as(old)
	return old and ("'%s'"):format(old) or "no account"
end

-- Compares the rights and brings what is on record up to date. Returns true; or nil, message,
-- outcome.
local function look_at_rights(ctx, accounts, found)
	local parts, known, outcome = load_rights(ctx)
	if not parts then
		return nil, known, outcome
	end
	local accepted, why
	accepted, why, outcome = finding.exceptions(ctx.component.name, ctx.calendar.date)
	if not accepted then
		return nil, why, outcome
	end
	local changed = {}
	for _, one in ipairs(accounts) do
		local part, key, now = part_of(one.login), "rights/" .. one.login, rights_text(one)
		parts[part] = parts[part] or {}
		local old = parts[part][one.login]
		-- A new account without more than everybody has is no news.
		if known and old ~= now and (old or (one.active and one.admin)) and not accepted[key] then
			found[key] = { text = ("rights of %s changed: before %s, now '%s'"):format(one.login,
				known_as(old), now), severity = one.active and one.admin and "critical" or nil }
		elseif old ~= now then
			parts[part][one.login], changed[part] = now, true
			-- Accepted were these rights; other ones are news again.
			if accepted[key] then
				tend.record.remove { kind = "exception", scope = ctx.component.name, key = key }
			end
		end
	end
	for i = 0, PARTS - 1 do
		local part = ("rights/%02d"):format(i)
		if changed[part] then
			local done
			done, why, outcome = tend.record.put { kind = "baseline", scope = ctx.component.name,
				key = part, value = { logins = parts[part], at = ctx.calendar.date } }
			if not done then
				return nil, "the rights cannot be kept: " .. why, outcome
			end
		end
	end
	return true
end

local function look_at_accounts(ctx, accounts, people)
	local found, admins, p = {}, {}, ctx.params
	for _, one in ipairs(accounts) do
		local days = tonumber(one.last_login_days)
		if one.active and people and not people[one.login] then
			found["leaver/" .. one.login] = {
				text = one.login .. " can log in and is not among those who work here",
				severity = "critical" }
		end
		if one.active and p.idle > 0 and days and days > p.idle then
			found["idle/" .. one.login] = { text = ("%s can log in and has not for %.0f days"):format(
				one.login, days) }
		end
		if one.active and one.admin then
			admins[#admins + 1] = one.login
		end
	end
	if #admins > p.most then
		found["admins"] = { text = ("%d administrators, %d there may be: %s"):format(#admins, p.most,
			table.concat(admins, ", ", 1, math.min(#admins, MOST_LINES))) }
	end
	return found
end

local function tell(ctx, result, found)
	local monday = ctx.calendar.weekday == "monday"
	if #result.opened == 0 and not (monday and #result.still > 0) then
		return true
	end
	local lines, severity = {}, "warning"
	for _, list in ipairs { { "new", result.opened }, { "open", result.still } } do
		for _, key in ipairs(list[2]) do
			lines[#lines + 1] = ("%s: %s"):format(list[1], found[key].text)
			if found[key].severity == "critical" then
				severity = "critical"
			end
		end
	end
	local more = #lines > MOST_LINES and "; ... (tendctl finding list)" or ""
	return tend.notice.send(("accounts of %s: %s. %s%s"):format(ctx.component.name,
		finding.summary(result), table.concat(lines, "; ", 1, math.min(#lines, MOST_LINES)), more),
		{ severity = severity })
end

policy "audit-accounts" {
	doc = "Leavers that can still log in, unused accounts, too many administrators, changed rights.",
	schedule = { cron = "15 4 * * *", missed = "once" },
	targets = { kind = "database" },
	hand = true,
	params = {
		accounts = { type = "string", default = "", doc = "query of the accounts, see above" },
		people = { type = "string", default = "", doc = "query of the logins of those who work here" },
		idle = { type = "integer", default = 90, min = 0, max = 10000,
			doc = "days without use that are a finding; 0: never" },
		most = { type = "integer", default = 3, min = 0, max = 10000,
			doc = "administrators there may be" },
	},
	run = function(ctx)
		if ctx.params.accounts == "" then
			return "no query of the accounts is configured"
		end
		local people
		if ctx.params.people ~= "" then
			local rows, why, outcome = query(ctx, ctx.params.people, "the list of people")
			if not rows then
				return nil, why, outcome
			elseif #rows == 0 then
				-- Else everybody would have left.
				return nil, "the list of people is empty, nothing is concluded from it"
			end
			people = {}
			for _, one in ipairs(rows) do
				people[one.login] = true
			end
		end
		local accounts, why, outcome = query(ctx, ctx.params.accounts, "the accounts")
		if not accounts then
			return nil, why, outcome
		end
		local found = look_at_accounts(ctx, accounts, people)
		local done
		done, why, outcome = look_at_rights(ctx, accounts, found)
		if not done then
			return nil, why, outcome
		end
		local result
		result, why, outcome = finding.reconcile(ctx.component.name, found, ctx.calendar.date)
		if not result then
			return nil, why, outcome
		end
		done, why, outcome = tell(ctx, result, found)
		if not done then
			return nil, why, outcome
		end
		return finding.summary(result)
	end,
}
