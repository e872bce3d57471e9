-- SPDX-License-Identifier: MIT
--
-- Tryton by JSON-RPC: log in, read a party, create one that is marked, find it, delete it. Tryton
-- tells its errors in a body of status 200, in the words of its database; these become reasons.

local flow = require "tend.flow"

-- In the words of PostgreSQL, psycopg2 and Tryton; the first that is found counts.
local words = {
	{ "read%-only transaction", "read-only", "the database takes no writes" },
	{ "read%-only mode", "read-only", "the database takes no writes" },
	{ "read%-write mode during recovery", "read-only", "the database is a standby, or recovers" },
	{ "during recovery", "read-only", "the database is a standby, or recovers" },
	{ "lock timeout", "locked", "a lock was not free in time" },
	{ "could not obtain lock", "locked", "a lock is not free" },
	{ "deadlock detected", "locked", "two sessions wait for each other" },
	{ "statement timeout", "too-slow", "a statement took too long" },
	{ "too many clients", "connections-full", "the database has no free connection" },
	{ "remaining connection slots", "connections-full", "the database has no free connection" },
	{ "too many connections", "connections-full", "the role has no free connection" },
	{ "connection pool exhausted", "connections-full", "the CRM has no free connection" },
	{ "is not permitted to log in", "access-denied", "the CRM's role may not log in" },
	{ "authentication failed", "access-denied", "the database does not let the CRM in" },
	{ "no pg_hba.conf entry", "access-denied", "the database does not let the CRM in" },
	{ "permission denied", "access-denied", "the CRM's role lacks a right" },
	{ "not allowed to", "access-denied", "this user lacks the right" },
	{ "starting up", "starting", "the database is starting" },
	{ "shutting down", "starting", "the database is shutting down" },
	{ "recovery mode", "starting", "the database recovers" },
	{ "administrator command", "starting", "the database ended the connection" },
	{ "maintenance", "starting", "the CRM is in maintenance" },
	{ "relation \"[^\"]*\" does not exist", "object-missing", "a table is missing" },
	{ "column .- does not exist", "object-missing", "a column is missing" },
	{ "database \"[^\"]*\" does not exist", "database-missing", "there is no such database" },
	{ "connection refused", "query-failed", "the CRM does not reach its database" },
	{ "no such file or directory", "query-failed", "the CRM does not reach its database" },
	{ "server closed the connection", "query-failed", "the CRM lost its database" },
	{ "connection already closed", "query-failed", "the CRM lost its database" },
	{ "could not connect", "query-failed", "the CRM does not reach its database" },
	{ "no space left", "query-failed", "the database's disk is full" },
}

local function reason_of(text)
	local lower = text:lower()
	for _, row in ipairs(words) do
		if lower:find(row[1]) then
			return row[2], row[3]
		end
	end
end

-- {"error": [name or message, details]} of any shape: its words in a row.
local function words_of(value, depth)
	if type(value) == "table" and (depth or 0) < 3 then
		local parts = {}
		for _, part in ipairs(value) do
			parts[#parts + 1] = words_of(part, (depth or 0) + 1)
		end
		return table.concat(parts, ": ")
	end
	return type(value) == "string" and value:match("^%s*(.-)%s*$") or ""
end

local function fail_by_error(what, problem)
	local name = type(problem) == "table" and problem[1] or problem
	local text = words_of(type(problem) == "table" and
		(name == "UserError" or name == "UserWarning") and problem[2] or name)
	local reason, meaning = reason_of(text .. " " .. (words_of(problem)))
	if name == "ConcurrencyException" then
		reason, meaning = "locked", "somebody else changed the record"
	elseif name == "LoginException" then
		reason, meaning = "auth-failed", "the log-in wants something else than a password"
	end
	flow.fail(reason or "step-failed", "%s: %s%s", what, meaning and meaning .. ": " or "",
		flow.quote(text))
end

-- One call; fails by its error, or returns the result.
local function call(v, method, params, options)
	options = options or {}
	local answer = v.web:post(options.url or v.url, {
		headers = v.session and { Authorization = v.session } or nil,
		json = { id = 1, method = method, params = params }, timeout = options.timeout,
		expect = options.expect,
	})
	if answer.status ~= 200 then
		return nil, answer
	end
	local doc = answer:json()
	if type(doc) ~= "table" then
		flow.fail("protocol", "%s: expected {\"result\": ...}, got %s", method,
			flow.quote(answer.body))
	end
	if doc.error ~= nil and doc.error ~= tend.null then
		fail_by_error(method, doc.error)
	end
	return doc.result, answer
end

local function model(v, method, ...)
	local params = table.pack(...)
	params[params.n + 1] = v.context
	params.n = nil
	local result = call(v, "model." .. method, params)
	return result
end

-- The log-in says 404 of anything that is wrong with its database. The list of databases is asked
-- for by the same role, and has words for it.
local function fail_by_database(v)
	local list = call(v, "common.db.list", {}, { url = v.root, expect = false })
	if type(list) == "table" then
		for _, name in ipairs(list) do
			if name == v.params.database then
				flow.fail("query-failed", "Tryton does not reach the database '%s'", name)
			end
		end
		flow.fail("database-missing", "there is no database '%s'", v.params.database)
	end
	flow.fail("query-failed", "Tryton does not reach the database '%s', or there is none",
		v.params.database)
end

local function log_in(v)
	local p = v.params
	v.root = p.url:gsub("/*$", "") .. "/"
	v.url = v.root .. flow.escape(p.database) .. "/"
	v.web = flow.session(v.root)
	local result, answer = call(v, "common.db.login",
		{ p.user, { password = "${secret:password}" }, "en" }, { expect = false })
	if answer.status == 404 then
		fail_by_database(v)
	elseif answer.status == 429 then
		flow.fail("quota", "too many log-ins of '%s' have failed: Tryton makes it wait", p.user)
	end
	answer:expect_status(200)
	flow.expect(type(result) == "table" and result[1] and result[2],
		"expected a session, got %s", flow.quote(answer.body))
	flow.hide(result[2])
	v.session = "Session " .. flow.hide(flow.base64(p.user .. ":" .. result[1] .. ":" .. result[2]))
	v.context = { client = "tend", language = "en" }
end

local function delete_marked(v)
	local ids = model(v, "party.party.search", { { "name", "=", v.mark } }, 0, 100, tend.null)
	if type(ids) == "table" and #ids > 0 then
		model(v, "party.party.delete", ids)
	end
	return type(ids) == "table" and #ids or 0
end

return flow.new {
	doc = "Logs in to Tryton, reads a party, creates a marked one, finds it, deletes it.",
	params = {
		url = { required = true, doc = "Tryton's address, as http://crm.example:8000" },
		database = { required = true, doc = "the name of the database" },
		user = { required = true, doc = "who logs in" },
		party = { doc = "the name of a party that must be there; by default any" },
		write = { default = "yes", type = "boolean", doc = "no: read only" },
		mark = { default = "tend-probe", doc = "what the party is called that comes and goes" },
		think = { default = "0", type = "number", doc = "seconds to wait before each step" },
	},
	secrets = { password = { required = true, doc = "of the user" } },
	steps = {
		{ "log in", login = true, run = log_in },
		{ "read", run = function(v)
			flow.sleep(v.params.think)
			local wanted = v.params.party
			local rows = model(v, "party.party.search_read",
				{ wanted and { "name", "=", wanted } or { "id", ">", 0 } }, 0, 1, tend.null, { "name" })
			flow.expect(type(rows) == "table" and rows[1], wanted and
				"expected the party '%s', found none" or "expected a party, found none", wanted)
			flow.expect(type(rows[1].name) == "string", "expected a party's name, got %s",
				flow.quote(json.encode(rows[1])))
		end },
		{ "create", run = function(v)
			flow.sleep(v.params.think)
			if not v.params.write then
				return
			end
			-- Each user has a mark of its own: another's flow may be under way.
			v.mark = v.params.mark .. " " .. v.params.user
			local leftovers = delete_marked(v)
			if leftovers > 0 then
				flow.log("%d left by a former attempt deleted", leftovers)
			end
			flow.metric("leftovers", leftovers)
			local ids = model(v, "party.party.create", { { name = v.mark } })
			flow.expect(type(ids) == "table" and math.type(ids[1]) == "integer",
				"expected the new party's id, got %s", flow.quote(json.encode(ids)))
			v.party = ids[1]
		end },
		{ "find", run = function(v)
			flow.sleep(v.params.think)
			if v.party then
				local ids = model(v, "party.party.search", { { "name", "=", v.mark } }, 0, 2,
					tend.null)
				flow.expect(type(ids) == "table" and ids[1] == v.party,
					"expected the party %d under its name, got %s", v.party,
					flow.quote(json.encode(ids)))
			end
		end },
		{ "delete", run = function(v)
			flow.sleep(v.params.think)
			if v.party then
				model(v, "party.party.delete", { v.party })
				v.party = nil
				local ids = model(v, "party.party.search", { { "name", "=", v.mark } }, 0, 1,
					tend.null)
				flow.expect(type(ids) == "table" and ids[1] == nil,
					"expected the party gone, it is still there")
			end
		end },
	},
	-- A step that got no answer in time: does Tryton itself answer, and another table?
	diagnose = function(v, failure)
		if failure.reason ~= "too-slow" or not v.session then
			return
		end
		call(v, "common.server.version", {}, { url = v.root, timeout = 1 })
		local fine = pcall(call, v, "model.ir.lang.search",
			{ { { "code", "=", "en" } }, 0, 1, tend.null, v.context }, { timeout = 1 })
		if fine then
			return "locked", "Tryton answers what does not ask for parties: their table is locked"
		end
		return nil, "Tryton answers, its database does not"
	end,
	cleanup = {
		{ "remove what was made", run = function(v)
			if v.party and v.session then
				delete_marked(v)
			end
		end },
		{ "log out", run = function(v)
			if v.session then
				call(v, "common.db.logout", {}, { timeout = 2 })
			end
		end },
	},
}
