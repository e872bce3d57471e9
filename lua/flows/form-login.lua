-- SPDX-License-Identifier: MIT
--
-- A web application with a form to log in: the page of the form is read, the form is sent with its
-- hidden fields (tokens against forged requests among them), a page that needs the log-in is read.

local flow = require "tend.flow"

return flow.new {
	doc = "Logs in by a web form, reads a page that needs the log-in, logs out.",
	params = {
		url = { required = true, doc = "the page with the form" },
		form = { doc = "id or name of the form; by default the first one with a password" },
		user = { required = true, doc = "who logs in" },
		user_field = { default = "username", doc = "the form's field for the user" },
		password_field = { default = "password", doc = "the form's field for the password" },
		refused = { doc = "a text that the answer shows only when the log-in is refused" },
		page = { required = true, doc = "a page that needs the log-in: URL or path" },
		text = { required = true, doc = "a text of that page that others do not see" },
		logout = { doc = "URL or path that logs out" },
		logout_method = { default = "GET", doc = "GET or POST" },
		think = { default = "0", type = "number", doc = "seconds to wait before each step" },
	},
	secrets = { password = { required = true, doc = "of the user" } },
	steps = {
		{ "open the form", run = function(v)
			v.web = flow.session(v.params.url)
			v.form = v.web:get(v.params.url):form(v.params.form)
			for _, name in ipairs { v.params.user_field, v.params.password_field } do
				flow.expect(v.form.fields[name], "the form at %s has no field '%s'",
					v.web.last.url, name)
			end
		end },
		{ "log in", login = true, run = function(v)
			flow.sleep(v.params.think)
			local page = v.web:submit(v.form, {
				[v.params.user_field] = v.params.user,
				[v.params.password_field] = "${secret:password}",
			})
			v.sent = true
			if v.params.refused then
				page:expect_no_text(v.params.refused)
			end
			-- Who is shown the same form once more has not been let in.
			local again = html.form(page.body, v.params.form)
			flow.expect(not (again and again.fields[v.params.password_field] ~= nil),
				"the form was shown again at %s: %s", page.url, flow.quote(page.body))
		end },
		{ "read a page", run = function(v)
			flow.sleep(v.params.think)
			v.web:get(v.params.page):expect_text(v.params.text)
		end },
	},
	cleanup = {
		{ "log out", run = function(v)
			if v.sent and v.params.logout then
				v.web:request(v.params.logout_method, v.params.logout,
					{ expect = { "2xx", "3xx" } })
			end
		end },
	},
}
