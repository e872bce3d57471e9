-- SPDX-License-Identifier: MIT
--
-- Flows: what a user does, step by step (lua/flows). A file returns flow.new{...}; tend-run --flow
-- calls flow.describe() or flow.run() with it. What a flow needs of the world goes through
-- tend.ask(), which tendd serves: requests, time, figures. A step that fails raises a failure, a
-- table {reason, text}; the first one ends the steps, the clean-up comes all the same.

local flow = {}

-- Of a step with login = true these say: you are not let in.
local refused_status = { [400] = true, [401] = true, [403] = true, [422] = true }
local types = { string = true, number = true, boolean = true }
local QUOTE = 120

-- ---- failures ---------------------------------------------------------------------------------

local Failure = {}
Failure.__index = Failure
function Failure:__tostring()
	return self.text
end

local function raise(reason, text, status)
	error(setmetatable({ reason = reason, text = text, status = status }, Failure), 0)
end

-- Ends the step: `reason` is one of the reason codes ("read-only", "quota", ...).
function flow.fail(reason, text, ...)
	raise(reason, select("#", ...) > 0 and string.format(text, ...) or tostring(text))
end

-- Ends the step unless `value` is true in Lua's sense; returns it.
function flow.expect(value, text, ...)
	if not value then
		raise("content-unexpected",
			select("#", ...) > 0 and string.format(text, ...) or tostring(text))
	end
	return value
end

-- One line of foreign text in quotes, cut.
function flow.quote(text)
	local line = tostring(text):gsub("%s+", " ")
	if #line > QUOTE then
		local cut = QUOTE
		while cut > 0 and line:byte(cut + 1) >= 0x80 and line:byte(cut + 1) < 0xc0 do
			cut = cut - 1
		end
		line = line:sub(1, cut) .. "..."
	end
	return "'" .. line .. "'"
end

local function ask(name, arguments)
	local answer = tend.ask(name, arguments or {})
	if type(answer) == "table" and answer.failed then
		raise(answer.failed, answer.message)
	end
	return answer
end

-- ---- small things -----------------------------------------------------------------------------

function flow.sleep(seconds)
	ask("sleep", { seconds = tonumber(seconds) or 0 })
end

function flow.log(text, ...)
	ask("log", { text = select("#", ...) > 0 and string.format(text, ...) or tostring(text) })
end

-- unit: "s", "%", "B", "c" or nothing; instance: which of several.
function flow.metric(name, value, unit, instance)
	ask("metric", { name = name, value = value, unit = unit or "", instance = instance or "" })
end

-- A value that the server gave and that is as good as a password: *** in all texts from now on.
function flow.hide(value)
	ask("hide", { value = tostring(value) })
	return value
end

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

function flow.base64(text)
	local out = {}
	for i = 1, #text, 3 do
		local a, b, c = text:byte(i, i + 2)
		local n = a << 16 | (b or 0) << 8 | (c or 0)
		for k = 0, 3 do
			local at = (n >> (18 - 6 * k) & 63) + 1
			local missing = (k == 2 and not b) or (k == 3 and not c)
			out[#out + 1] = missing and "=" or alphabet:sub(at, at)
		end
	end
	return table.concat(out)
end

-- For a part of a URL: all but letters, digits and -._~ as %XX.
function flow.escape(text)
	return (tostring(text):gsub("[^%w%-._~]", function(c)
		return string.format("%%%02X", c:byte())
	end))
end

-- The value at a JSON Pointer ("/a/0/b"); nil if there is none. JSON's null is tend.null.
function flow.pointer(doc, path)
	if path == "" then
		return doc
	end
	if path:sub(1, 1) ~= "/" then
		error("'" .. path .. "' is no JSON Pointer: it begins with '/'", 2)
	end
	for part in path:sub(2):gmatch("([^/]*)/?") do
		if type(doc) ~= "table" then
			return nil
		end
		part = part:gsub("~1", "/"):gsub("~0", "~")
		local value = doc[part]
		if value == nil and part:find("^%d+$") then
			value = doc[tonumber(part) + 1]
		end
		doc = value
		if doc == nil then
			return nil
		end
	end
	return doc
end

-- `ref` as written in a page at `base`.
function flow.join(base, ref)
	if ref:find("^%a[%w+.-]*:") then
		return ref
	end
	local scheme, authority, path = base:match("^(%a[%w+.-]*:)//([^/?#]*)([^?#]*)")
	if not scheme then
		error("'" .. base .. "' is no URL", 2)
	end
	local root = scheme .. "//" .. authority
	if ref:sub(1, 2) == "//" then
		return scheme .. ref
	elseif ref == "" then
		return base:match("^[^#]*")
	elseif ref:sub(1, 1) == "/" then
		return root .. ref
	elseif ref:sub(1, 1) == "?" then
		return root .. path .. ref
	end
	return root .. (path:match("^(.*/)") or "/") .. ref
end

-- ---- answers ----------------------------------------------------------------------------------

local Answer = {}
Answer.__index = Answer

-- The body as JSON; that it is none fails the step.
function Answer:json()
	if self.parsed == nil then
		local doc = json.decode(self.body)
		if doc == nil then
			raise("protocol", string.format("expected JSON, got %s",
				self.body == "" and "an empty body" or flow.quote(self.body)), self.status)
		end
		self.parsed = doc
	end
	return self.parsed
end

function Answer:pointer(path)
	return flow.pointer(self:json(), path)
end

local function shown(value)
	if type(value) == "table" or type(value) == "userdata" then
		return flow.quote(json.encode(value) or "?")
	end
	return type(value) == "string" and flow.quote(value) or tostring(value)
end

-- What stands at the pointer must be `wanted`, or without it: must be there. Returns it.
function Answer:expect_json(path, wanted)
	local value = self:pointer(path)
	if value == nil or value == tend.null then
		raise("content-unexpected", string.format("expected %s at %s, it is not there: %s",
			wanted == nil and "something" or shown(wanted), path, flow.quote(self.body)),
			self.status)
	end
	if wanted ~= nil and value ~= wanted then
		raise("content-unexpected", string.format("expected %s at %s, got %s", shown(wanted),
			path, shown(value)), self.status)
	end
	return value
end

function Answer:expect_text(text)
	if not self.body:find(text, 1, true) then
		raise("content-unexpected", string.format("expected %s in the page at %s, got %s",
			flow.quote(text), self.url, flow.quote(self.body)), self.status)
	end
	return self
end

function Answer:expect_no_text(text)
	if self.body:find(text, 1, true) then
		raise("content-unexpected", string.format("%s is in the page at %s", flow.quote(text),
			self.url), self.status)
	end
	return self
end

local function fits(status, wanted)
	if type(wanted) == "table" then
		for _, one in ipairs(wanted) do
			if fits(status, one) then
				return true
			end
		end
		return false
	end
	wanted = tostring(wanted)
	local class = wanted:match("^(%d)xx$")
	return class and status // 100 == tonumber(class) or tostring(status) == wanted
end

local status_reasons = { [401] = "auth-failed", [403] = "access-denied", [429] = "quota" }

-- 200, "2xx", or a list of these.
function Answer:expect_status(wanted)
	if fits(self.status, wanted) then
		return self
	end
	if type(wanted) == "table" then
		wanted = table.concat(wanted, ", ")
	end
	raise(status_reasons[self.status] or "status-unexpected",
		string.format("%s: expected status %s, got %d%s", self.url, wanted, self.status,
			self.body ~= "" and ": " .. flow.quote(self.body) or ""), self.status)
end

-- A form of the page, to be sent by session:submit(); `name`: its id or name, else the first one
-- with a password, else the first.
function Answer:form(name)
	local form, why = html.form(self.body, name)
	if not form then
		raise("content-unexpected", string.format("%s: %s: %s", self.url, why,
			flow.quote(self.body)), self.status)
	end
	if form.multipart then
		raise("step-failed", self.url .. ": the form is for files, which cannot be sent")
	end
	form.action = flow.join(self.url, form.action)
	return form
end

-- ---- sessions ---------------------------------------------------------------------------------

local Session = {}
Session.__index = Session

-- base: what paths begin with; headers: sent with each request. Cookies are kept for the flow.
function flow.session(base, headers)
	return setmetatable({ base = base, headers = headers or {} }, Session)
end

-- options: headers, json or form or body, user and password (basic), follow = false, timeout
-- (seconds), expect = status (default "2xx"; false: any).
function Session:request(method, url, options)
	options = options or {}
	local headers = {}
	for name, value in pairs(self.headers) do
		headers[name] = value
	end
	for name, value in pairs(options.headers or {}) do
		headers[name] = value
	end
	local form
	if options.form then
		form = {}
		for name, value in pairs(options.form) do
			form[name] = tostring(value)
		end
	end
	local answer = setmetatable(ask("http", {
		method = method, url = flow.join(self.base, url), headers = headers,
		json = options.json, form = form, body = options.body, user = options.user,
		password = options.password, follow = options.follow, timeout = options.timeout,
	}), Answer)
	self.last = answer
	if options.expect ~= false then
		answer:expect_status(options.expect or "2xx")
	end
	return answer
end

for _, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD" } do
	Session[method:lower()] = function(self, url, options)
		return self:request(method, url, options)
	end
end

-- Sends a form of a page with its hidden fields; `fields` fill in the others.
function Session:submit(form, fields, options)
	local all = {}
	for name, value in pairs(form.fields) do
		all[name] = value
	end
	for name, value in pairs(fields or {}) do
		all[name] = value
	end
	local more = {}
	for name, value in pairs(options or {}) do
		more[name] = value
	end
	if form.method == "POST" then
		more.form = all
		return self:post(form.action, more)
	end
	local query = {}
	for name, value in pairs(all) do
		query[#query + 1] = flow.escape(name) .. "=" .. flow.escape(value)
	end
	return self:get(form.action:gsub("%?.*$", "") .. "?" .. table.concat(query, "&"), more)
end

-- ---- declarations -----------------------------------------------------------------------------

local Flow = {}
Flow.__index = Flow

local function check_keys(table_, known, what)
	for key in pairs(table_) do
		if not known[key] then
			error(what .. ": there is no '" .. tostring(key) .. "'", 4)
		end
	end
end

local parameter_keys = { doc = true, default = true, required = true, type = true }
local secret_keys = { doc = true, required = true }

local function check_named(list, known, what)
	for name, one in pairs(list) do
		if type(name) ~= "string" or type(one) ~= "table" then
			error(what .. "s are a table NAME = {doc = ...}", 3)
		end
		check_keys(one, known, what .. " '" .. name .. "'")
		if one.type and not types[one.type] then
			error(what .. " '" .. name .. "': type is string, number or boolean", 3)
		end
	end
end

local step_keys = { login = true, think = true, run = true, [1] = true }

local function check_steps(steps, what, seen)
	if type(steps) ~= "table" then
		error("'" .. what .. "' is a list", 3)
	end
	for i, step in ipairs(steps) do
		local name = type(step) == "table" and step[1]
		if type(name) ~= "string" or name == "" or #name > 60 or name:find("%c") then
			error(string.format("%s %d: it begins with a name, as in {\"log in\", run = ...}",
				what, i), 3)
		end
		check_keys(step, step_keys, "step '" .. name .. "'")
		if type(step.run) ~= "function" then
			error("step '" .. name .. "': 'run' is a function", 3)
		end
		if seen[name] then
			error("two steps are called '" .. name .. "'", 3)
		end
		seen[name] = true
	end
end

local flow_keys = {
	doc = true, params = true, secrets = true, steps = true, cleanup = true, diagnose = true,
}

-- doc, params = {NAME = {doc, default, required, type}}, secrets = {NAME = {doc, required}},
-- steps and cleanup = lists of {"name", run = function(v), login = true, think = SECONDS},
-- diagnose = function(v, failure): a closer look at what failed, which may change it.
function flow.new(declared)
	if type(declared) ~= "table" then
		error("flow.new{...} takes a table", 2)
	end
	check_keys(declared, flow_keys, "flow")
	local f = {
		doc = declared.doc or "", params = declared.params or {},
		secrets = declared.secrets or {}, steps = declared.steps or {},
		cleanup = declared.cleanup or {}, diagnose = declared.diagnose,
	}
	check_named(f.params, parameter_keys, "parameter")
	check_named(f.secrets, secret_keys, "secret")
	local seen = {}
	check_steps(f.steps, "steps", seen)
	check_steps(f.cleanup, "cleanup", seen)
	if #f.steps == 0 then
		error("a flow needs steps", 2)
	end
	return setmetatable(f, Flow)
end

local function must_be_flow(f)
	if getmetatable(f) ~= Flow then
		error("the file does not return flow.new{...}", 0)
	end
end

function flow.describe(f)
	must_be_flow(f)
	local function steps_of(list)
		local out = {}
		for i, step in ipairs(list) do
			out[i] = { name = step[1], login = step.login or false }
		end
		return out
	end
	return {
		doc = f.doc, params = f.params, secrets = f.secrets, steps = steps_of(f.steps),
		cleanup = steps_of(f.cleanup),
	}
end

-- ---- parameters -------------------------------------------------------------------------------

local function convert(name, text, kind)
	if kind == "number" then
		local number = tonumber(text)
		if not number then
			raise("internal", string.format("param.%s = %s: it must be a number", name,
				flow.quote(text)))
		end
		return number
	elseif kind == "boolean" and type(text) ~= "boolean" then
		local known = { yes = true, ["true"] = true, on = true, ["1"] = true,
			no = false, ["false"] = false, off = false, ["0"] = false }
		if known[text] == nil then
			raise("internal", string.format("param.%s = %s: it must be yes or no", name,
				flow.quote(text)))
		end
		return known[text]
	end
	return text
end

local function take(f, start)
	local params = {}
	for name in pairs(start.params) do
		if not f.params[name] then
			raise("internal", "param." .. name .. ": this flow has no such parameter")
		end
	end
	for name in pairs(start.secrets) do
		if not f.secrets[name] then
			raise("internal", "secret." .. name .. ": this flow has no such secret")
		end
	end
	for name, one in pairs(f.params) do
		local value = start.params[name]
		if value == nil then
			value = one.default
		end
		if value == nil and one.required then
			raise("internal", "param." .. name .. " is not set: " .. (one.doc or ""))
		end
		if value ~= nil then
			params[name] = convert(name, value, one.type)
		end
	end
	for name, one in pairs(f.secrets) do
		if one.required and not start.secrets[name] then
			raise("internal", "secret." .. name .. " is not set: " .. (one.doc or ""))
		end
	end
	return params, start.secrets
end

-- ---- the run ----------------------------------------------------------------------------------

-- What pcall() caught, as a failure.
local function failure_of(caught, step, is_cleanup)
	if getmetatable(caught) ~= Failure then
		caught = { reason = "step-failed", text = tostring(caught) }
	end
	local reason = caught.reason
	if step.login and (refused_status[caught.status] or reason == "content-unexpected") then
		reason = "auth-failed"
	end
	return {
		reason = reason, step = step[1], cleanup = is_cleanup, status = caught.status,
		text = string.format("%s '%s': %s", is_cleanup and "clean-up" or "step", step[1],
			caught.text),
	}
end

-- Calls it with what a step may take of time and memory: the rest is the clean-up's. `ended` is
-- true of what was ended because it took more.
local function bounded(seconds, run)
	local fine, caught, reason = tend.bounded(run, seconds)
	if reason then
		caught = setmetatable({ reason = reason, text = caught }, Failure)
	end
	return fine, caught, reason ~= nil
end

local function perform(step, v, is_cleanup)
	local function run()
		if step.think then
			flow.sleep(step.think)
		end
		step.run(v)
	end
	local fine, caught = pcall(ask, "step", { name = step[1], cleanup = is_cleanup })
	if fine and is_cleanup then
		fine, caught = pcall(run)
	elseif fine then
		fine, caught = bounded(caught.left, run)
	end
	tend.ask("step_end", {})
	return not fine and failure_of(caught, step, is_cleanup) or nil
end

local function look_closer(f, v, failure)
	if not f.diagnose then
		return failure
	end
	local step = tend.ask("step", { name = "diagnose", cleanup = true, half = true })
	local reason, text
	local fine, caught, ended = bounded(step.left, function()
		reason, text = f.diagnose(v, failure)
	end)
	tend.ask("step_end", {})
	if fine and reason then
		failure.reason = reason
	end
	if fine and text then
		failure.text = failure.text .. "; " .. text
	elseif ended then
		failure.text = failure.text .. "; and the closer look: " .. caught.text
	end
	return failure
end

function flow.run(f, start)
	must_be_flow(f)
	local v, failure = {}, nil
	local fine, caught = pcall(function()
		v.params, v.secrets = take(f, start)
	end)
	if not fine then
		return { reason = caught.reason or "internal", text = tostring(caught) }
	end
	tend.ask("begin", { cleanup = #f.cleanup > 0 or f.diagnose ~= nil })
	for _, step in ipairs(f.steps) do
		failure = perform(step, v, false)
		if failure then
			tend.ask("failed", failure)
			failure = look_closer(f, v, failure)
			tend.ask("failed", failure)
			break
		end
	end
	v.failure = failure
	for _, step in ipairs(f.cleanup) do
		local unclean = perform(step, v, true)
		failure = failure or unclean
	end
	if failure then
		return { reason = failure.reason, text = failure.text }
	end
	return { reason = "ok", text = string.format("%d steps went well", #f.steps) }
end

return flow
