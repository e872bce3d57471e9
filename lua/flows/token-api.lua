-- SPDX-License-Identifier: MIT
--
-- An API that wants a token: OAuth 2 client credentials, or a log-in of its own. Then one call,
-- whose body may hold an error code although its status is 200, and whose headers tell the quota.

local flow = require "tend.flow"

-- "a, b" -> {a = true, b = true}; nothing -> nil.
local function split(text)
	local set
	for word in (text or ""):gmatch("[^,%s]+") do
		set = set or {}
		set[word] = true
	end
	return set
end

local function listed(text, code)
	local set = split(text)
	return set and set[tostring(code)]
end

local function parse(name, text)
	local doc, why = json.decode(text)
	if doc == nil then
		flow.fail("step-failed", "param.%s is no JSON: %s", name, why)
	end
	return doc
end

-- What no API calls an error: nothing, null, false, 0, "".
local function is_well(code, ok)
	if code == nil or code == tend.null then
		return true
	elseif ok then
		return ok[tostring(code)]
	end
	return code == false or code == "" or tostring(code) == "0"
end

local function check_code(v, answer)
	local p = v.params
	if not p.error_pointer then
		return
	end
	local code = answer:pointer(p.error_pointer)
	if is_well(code, split(p.error_ok)) then
		return
	end
	local said = p.error_text and answer:pointer(p.error_text)
	local reason = listed(p.error_auth, code) and "auth-failed" or
		listed(p.error_quota, code) and "quota" or "content-unexpected"
	flow.fail(reason, "status %d with error %s at %s%s", answer.status, tostring(code),
		p.error_pointer, said and ": " .. flow.quote(said) or "")
end

local function number_of(answer, name)
	return name and tonumber((answer.headers[name:lower()] or ""):match("%d+"))
end

local function check_quota(v, answer)
	local p = v.params
	local left = number_of(answer, p.quota_left)
	local limit, used = number_of(answer, p.quota_limit), number_of(answer, p.quota_used)
	if not left and limit and used then
		left = limit - used
	end
	if left then
		flow.metric("quota_left", left)
	end
	if left and limit and limit > 0 then
		flow.metric("quota_used_percent", (limit - left) * 100 / limit, "%")
	end
	if left and left <= 0 then
		flow.fail("quota", "the quota is used up%s", limit and ": " .. limit .. " a window" or "")
	end
end

local function get_token(v)
	local p = v.params
	local form = { grant_type = "client_credentials", scope = p.scope, audience = p.audience }
	local options = { form = form }
	if p.login_json then
		options = { json = parse("login_json", p.login_json) }
		if v.secrets.password then
			options.json[p.password_key] = "${secret:password}"
		end
	elseif p.client_auth == "body" then
		form.client_id, form.client_secret = p.client_id, "${secret:client_secret}"
	else
		options.user, options.password = p.client_id, "${secret:client_secret}"
	end
	local answer = v.api:post(p.token_url, options)
	check_code(v, answer)
	return flow.hide(answer:expect_json(p.token_pointer))
end

return flow.new {
	doc = "Gets a token, makes a call of an API with it, judges error code and quota.",
	params = {
		token_url = { required = true, doc = "where the token comes from" },
		client_id = { doc = "of OAuth 2 client credentials" },
		client_auth = { default = "basic", doc = "client_secret in the header (basic) or body" },
		scope = { doc = "of the token" },
		audience = { doc = "of the token" },
		login_json = { doc = "instead of OAuth 2: the JSON that is posted to log in" },
		password_key = { default = "password", doc = "where secret.password goes in login_json" },
		token_pointer = { default = "/access_token", doc = "JSON Pointer to the token" },
		url = { required = true, doc = "the call" },
		method = { default = "GET", doc = "of the call" },
		body_json = { doc = "what the call sends, as JSON" },
		token_header = { default = "Authorization", doc = "the header that holds the token" },
		token_prefix = { default = "Bearer ", doc = "what stands before it" },
		token_query = { doc = "instead of the header: the parameter of the URL" },
		error_pointer = { doc = "JSON Pointer to an error code inside a 200, as in /errcode" },
		error_text = { doc = "JSON Pointer to its text" },
		error_ok = { doc = "codes that are no error; by default null, false, 0 and ''" },
		error_auth = { doc = "codes that say: log in" },
		error_quota = { doc = "codes that say: too much" },
		expect_pointer = { doc = "JSON Pointer to what the answer must have" },
		expect_value = { doc = "and its value, as text" },
		quota_limit = { doc = "header with the limit" },
		quota_left = { doc = "header with what is left" },
		quota_used = { doc = "header with what is used" },
	},
	secrets = {
		client_secret = { doc = "of OAuth 2 client credentials" },
		password = { doc = "of login_json" },
	},
	steps = {
		{ "get a token", login = true, run = function(v)
			v.api = flow.session(v.params.token_url)
			v.token = get_token(v)
		end },
		{ "call", run = function(v)
			local p = v.params
			local url, headers = p.url, {}
			if p.token_query then
				url = url .. (url:find("?", 1, true) and "&" or "?") ..
					flow.escape(p.token_query) .. "=" .. flow.escape(v.token)
			else
				headers[p.token_header] = p.token_prefix .. v.token
			end
			local answer = v.api:request(p.method, url, { headers = headers,
				json = p.body_json and parse("body_json", p.body_json) or nil })
			check_code(v, answer)
			check_quota(v, answer)
			if p.expect_pointer then
				local value = answer:expect_json(p.expect_pointer)
				flow.expect(not p.expect_value or tostring(value) == p.expect_value,
					"expected %s at %s, got %s", flow.quote(p.expect_value or ""),
					p.expect_pointer, flow.quote(tostring(value)))
			end
		end },
	},
}
