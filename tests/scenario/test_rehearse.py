#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tend-rehearse from outside: what must fail fails, says where, and in which formats."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree

REHEARSE = os.environ["TEND_REHEARSE"]
TENDCTL = os.environ["TENDCTL"]
LUA = os.environ["TEND_LUADIR"]

SYSTEM = """\
[system crm]
environment = staging

[component crm/web]
kind = web
unit = crm-web.service

[check crm/web/login]
probe = http
url = http://127.0.0.1:8000/
interval = 10s
timeout = 5s
confirm = 2 of 2

"""

GOOD = """\
[scenario good]
policies = restart-unit
duration = 20m
at =
	10m fail crm/web/login connect-refused
answer =
	unit.restart -> done after=2s heals=crm/web/login
expect =
	action unit.restart unit=crm-web.service
	notice cleared crm/web/login
"""

HUNG = 'policy "x" { doc = "x", hand = true, run = function(ctx) while true do end end }\n'


class Rehearse(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="tend-scenario-")
        self.addCleanup(shutil.rmtree, self.dir)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def run_it(self, *args, stdin=None, program=REHEARSE):
        done = subprocess.run([program, *args], capture_output=True, text=True, timeout=120,
                              input=stdin, check=False)
        return done.returncode, done.stdout, done.stderr

    def play(self, scenario, *options):
        path = self.write("x.scenario", SYSTEM + scenario)
        code, out, _ = self.run_it("test", "--json", *options, path)
        return code, json.loads(out) if out else None

    def failures(self, scenario):
        code, results = self.play(scenario)
        self.assertEqual(code, 1, results)
        return [(f["mark"], f.get("expected")) for f in results[0]["failures"]]

    # ---- what must fail

    def test_good_one_passes(self):
        code, results = self.play(GOOD)
        self.assertEqual(code, 0, results)
        self.assertTrue(results[0]["passed"])

    def test_missing(self):
        self.assertEqual(self.failures(GOOD + "\trun restart-unit failed\n"),
                         [("missing", "run restart-unit failed")])

    def test_unexpected_action(self):
        self.assertEqual(self.failures(GOOD.replace(
            "\taction unit.restart unit=crm-web.service\n", "")), [("unexpected", None)])

    def test_forbidden(self):
        marks = self.failures(GOOD.replace("action unit.restart unit=crm-web.service", "no action"))
        self.assertEqual([mark for mark, _ in marks], ["forbidden", "unexpected"])

    def test_one_too_many(self):
        self.assertEqual(self.failures(GOOD.replace("crm-web.service\n\tnotice",
                                                    "crm-web.service times=2\n\tnotice"))[0][0],
                         "missing")

    def test_order(self):
        text = GOOD.replace("expect =\n", "expect =\n\tnotice cleared crm/web/login\n")
        text = text.replace("crm-web.service\n\tnotice cleared crm/web/login", "crm-web.service")
        self.assertEqual(self.failures(text), [("order", "action unit.restart unit=crm-web.service")])

    def test_late_and_early(self):
        late = GOOD.replace("unit=crm-web.service\n", "unit=crm-web.service within=5m\n")
        self.assertEqual(self.failures(late)[0][0], "late")
        early = GOOD.replace("unit=crm-web.service\n", "unit=crm-web.service after=15m\n")
        self.assertEqual(self.failures(early)[0][0], "early")

    def test_state_at_the_end(self):
        self.assertEqual(self.failures(GOOD + "\tstate crm/web/login critical\n"),
                         [("state", "state crm/web/login critical")])

    def test_unanswered_verb_fails_it(self):
        code, results = self.play(GOOD.replace("unit.restart -> done", "unit.stop -> done"))
        self.assertEqual(code, 1)
        self.assertIn("no line of 'answer' fits unit.restart", results[0]["faults"][0])

    def test_difference_for_people(self):
        path = self.write("x.scenario", SYSTEM + GOOD + "\tpage restart-unit\n")
        code, out, _ = self.run_it("test", path)
        self.assertEqual(code, 1)
        self.assertIn("FAIL", out)
        self.assertRegex(out, r"(?m)^    =  *10m\d+s  action unit\.restart .*\(line 23\)$")
        self.assertRegex(out, r"(?m)^    -  *line 25: page restart-unit: it never came$")
        self.assertNotIn("\x1b", out)

    # ---- what is wrong in a file

    def errors(self, scenario):
        path = self.write("x.scenario", SYSTEM + scenario)
        code, out, err = self.run_it("test", path)
        self.assertEqual(code, 64, out + err)
        return out + err

    def test_lines_and_nearest_names(self):
        rows = [
            ("10m fail", "10m fial", 19, "did you mean 'fail'?"),
            ("connect-refused", "connect-refuse", 19, "did you mean 'connect-refused'?"),
            ("10m fail", "soon fail", 19, "'soon' is no time"),
            ("10m fail", "3h fail", 19, "after the end"),
            ("fail crm/web/login", "fail crm/web/logins", 19, "did you mean 'crm/web/login'?"),
            ("unit.restart ->", "unit.restat ->", 21, "did you mean 'unit.restart'?"),
            ("unit.restart ->", "unit.restart times=2 ->", 21, "has no argument 'times'"),
            ("-> done", "-> dun", 21, "did you mean 'done'?"),
            ("after=2s", "after=2x", 21, "is no span"),
            ("after=2s", "afters=2s", 21, "did you mean 'after'?"),
            ("heals=crm/web/login", "heals=crm/web/nothing", 21, "no check fits"),
            ("\tnotice cleared", "\tnotise cleared", 24, "did you mean 'notice'?"),
            ("notice cleared crm/web/login", 'notice cleared text="open', 24, "is not closed"),
            ("duration = 20m", "duraton = 20m", 17, "the nearest is 'duration'"),
            ("policies = restart-unit", "policies = restart-units", 15, "there is no restart-units.lua"),
            ("duration = 20m", "duration = 20m\nsettings =\n\t[check crm/web/login] interva = 1s",
             19, "the nearest is 'interval'"),
        ]
        for old, new, line, text in rows:
            with self.subTest(new):
                self.assertIn(old, GOOD)
                said = self.errors(GOOD.replace(old, new, 1))
                self.assertRegex(said, rf"x\.scenario:{line}: .*")
                self.assertIn(text, said)

    def test_comments_do_not_shift_lines(self):
        text = GOOD.replace("at =\n", "at =\n\t# a comment\n\n\t; another\n")
        said = self.errors(text.replace("connect-refused", "nonsense"))
        self.assertIn("x.scenario:22: ", said)

    def test_configuration_errors_have_the_scenarios_lines(self):
        said = self.errors(GOOD.replace("[scenario good]", "[check crm/web/x]\nprobe = htp\n\n[scenario good]"))
        self.assertRegex(said, r"x\.scenario:16: .*htp")

    def test_broken_policy_is_told(self):
        self.write("x.lua", 'policy "x" {\n\tdoc = "x",\n\trun = 1,\n}\n')
        said = self.errors("[scenario x]\n")
        self.assertIn("x.lua:", said)

    # ---- bounds

    def test_hung_policy_ends(self):
        self.write("x.lua", HUNG)
        began = time.monotonic()
        code, results = self.play("[scenario hung]\nreal_limit = 1s\nat =\n\t1m run x crm/web\n")
        self.assertEqual(code, 1)
        self.assertIn("real_limit", results[0]["faults"][0])
        self.assertLess(time.monotonic() - began, 110)

    def test_a_day_of_five_checks_is_quick(self):
        checks = "".join(SYSTEM[SYSTEM.index("[check"):].replace("login", f"c{i}") for i in range(4))
        began = time.monotonic()
        code, results = self.play(checks + GOOD.replace("20m", "1d"))
        self.assertEqual(code, 0, results)
        # 43,200 attempts of a day: less than a second on a machine that is idle.
        self.assertLess(time.monotonic() - began, 110)

    def test_the_same_every_time(self):
        timelines = []
        for _ in range(3):
            _, results = self.play(GOOD)
            timelines.append([(e["at"], e["kind"]) for e in results[0]["timeline"]])
        self.assertEqual(timelines[0], timelines[1])
        self.assertEqual(timelines[0], timelines[2])

    def test_nothing_is_left_behind(self):
        folder = os.path.join(self.dir, "t")
        os.mkdir(folder)
        self.write("x.lua", HUNG)
        good = self.write("good.scenario", SYSTEM + GOOD)
        hung = self.write("x.scenario", SYSTEM + "[scenario hung]\nreal_limit = 1s\nat =\n"
                          "\t1m run x crm/web\n")
        env = dict(os.environ, TEND_REHEARSE_DIR=folder)
        for path in (good, hung):
            subprocess.run([REHEARSE, "test", path], env=env, capture_output=True, timeout=120,
                           check=False)
            self.assertEqual(os.listdir(folder), [])
        stopped = subprocess.Popen([REHEARSE, "test", hung], env=env, stdout=subprocess.DEVNULL)
        while not os.listdir(folder):
            self.assertIsNone(stopped.poll())
        stopped.terminate()
        self.assertEqual(stopped.wait(60), -signal.SIGTERM)
        self.assertEqual(os.listdir(folder), [])

    # ---- formats

    def test_junit(self):
        path = self.write("x.scenario", SYSTEM + GOOD + GOOD.replace("[scenario good]",
                          '[scenario <bad> & "worse"]').replace("notice cleared", "notice changed"))
        report = os.path.join(self.dir, "junit.xml")
        code, _, _ = self.run_it("test", f"--junit={report}", path)
        self.assertEqual(code, 1)
        root = xml.etree.ElementTree.parse(report).getroot()
        suite = root.find("testsuite")
        self.assertEqual((suite.get("tests"), suite.get("failures")), ("2", "1"))
        cases = suite.findall("testcase")
        self.assertEqual([case.get("name") for case in cases], ["good", '<bad> & "worse"'])
        self.assertIn("it never came", cases[1].find("failure").text)

    def test_folder_and_tendctl(self):
        self.write("a.scenario", SYSTEM + GOOD)
        self.write("b.scenario", SYSTEM + GOOD)
        libexec = os.path.join(self.dir, "libexec")
        os.mkdir(libexec)
        os.symlink(REHEARSE, os.path.join(libexec, "tend-rehearse"))
        os.symlink(os.path.join(os.environ["TEND_LIBEXECDIR"], "tend-run"),
                   os.path.join(libexec, "tend-run"))
        env = dict(os.environ, TEND_LIBEXECDIR=libexec)
        done = subprocess.run([TENDCTL, "policy", "test", "-o", "json", self.dir], env=env,
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(json.loads(done.stdout)), 2)

    # ---- check

    def check(self, source, *options):
        path = self.write("p.lua", source)
        code, out, err = self.run_it("check", "--json", *options, path)
        return code, [(f["line"], f["level"], f["text"]) for f in json.loads(out)] if out else err

    BODY = """\
policy "p" {
	doc = "p",
	on = { incident = { component = "nowhere/*" } },
	params = {
		used = { type = "string", default = "x" },
		idle = { type = "integer", default = 1 },
	},
	run = function(ctx)
		%s
		return tend.verify(ctx.check, { ok = 1 })
	end,
}
"""

    def test_check_calls(self):
        rows = [
            ('tend.unit.restart("x.service")', None),
            ('tend.unit.restart { unit = "x.service" }', None),
            ('tend.unit.restart(ctx.component.unit)', None),
            ('ctx.tend = { unit = 1 }; local n = tend.null; tend.log(ctx.tend.unit, n)', None),
            ('tend.command.run { command = "x", args = { a = 1 } }', None),
            ('tend.all(function() return tend.sleep("1s") end, function() return true end)', None),
            ('local t = { unit = "x" }; tend.unit.restart(t)', None),
            ('tend.log(("%s and %s"):format(1, 2))', None),
            ('tend.log "a -- string with tend.unit.nothing() in it"', None),
            ('-- tend.unit.nothing()', None),
            ('tend.unit.restat("x")', "did you mean tend.unit.restart?"),
            ('tend.unit.restart { unitt = "x" }', "did you mean 'unit'?"),
            ('tend.unit.restart { unit = 5 }', "must be a string"),
            ('tend.unit.restart()', "'unit' is missing"),
            ('tend.sleep("soon")', "duration"),
            ('tend.verify(ctx.check, { ok = "3" })', "must be an integer"),
            ('tend.command.run { command = "x", args = "no" }', "'args' must be a table"),
            ('tend.sql.query { sql = "select 1", params = 5 }', "'params' must be a list"),
            ('tend.notice.send("x", { severity = "crit" })', "must be info, warning or critical"),
            ('tend.notice.send("x", { severity = "critical" })', None),
            ('local s = "info"; tend.notice.send("x", { severity = s })', None),
            ('tend.unit("x")', "group of verbs"),
            # What it cannot see it says: warnings.
            ('local u = tend.unit; u.restart("x")', "tend.unit is used as a value"),
            ('local t = tend; t.log("x")', "tend is used as a value"),
            ('pcall(tend.sleep, "1s")', "tend.sleep is used as a value"),
            ('local verb = "restart"; tend.unit[verb]("x")', "the verb of tend.unit is computed"),
            ('local group = "unit"; tend[group].restart("x")', "the verb of tend is computed"),
        ]
        for call, text in rows:
            with self.subTest(call):
                source = self.BODY.replace("%s", call + "\n\t\ttend.log(ctx.params.used .. ctx.params.idle)", 1)
                _, found = self.check(source)
                if text is None:
                    self.assertEqual(found, [])
                else:
                    self.assertEqual([line for line, _, _ in found], [9], found)
                    self.assertIn(text, found[0][2])

    def test_check_says_what_is_computed(self):
        source = self.BODY.replace("%s", "tend.log(ctx.params.used .. ctx.params.idle)", 1)
        for name, warned in (('policy "p"', False), ('policy("p")', False),
                             ('policy("p" .. 1)', True), ('local n = "p"; policy(n)', True)):
            with self.subTest(name):
                code, found = self.check("\n" + source.replace('policy "p"', name, 1))
                self.assertEqual(code, 0)
                self.assertEqual([(line, level) for line, level, _ in found],
                                 [(2, "warning")] if warned else [])
                self.assertIn("the name of this policy is computed" if warned else "",
                              found[0][2] if found else "")

    def test_check_changes_need_a_look(self):
        body = self.BODY.replace("idle = { type = \"integer\", default = 1 },", "")
        body = body.replace("return tend.verify(ctx.check, { ok = 1 })", "tend.log(ctx.params.used)")
        _, found = self.check(body.replace("%s", 'tend.unit.restart("x")', 1))
        self.assertEqual(len(found), 1, found)
        self.assertIn("followed by no tend.verify", found[0][2])
        by_hand = body.replace("%s", 'tend.unit.restart("x")\n\t\tif not well(ctx) then return false end', 1)
        self.assertEqual(len(self.check("local function well(c) return true end\n" + by_hand)[1]), 1)
        _, found = self.check("local function well(c)\n\tif c then for _ = 1, 2 do tend.log('x') end end\n"
                              "\treturn tend.verify(c.check, { ok = 1 })\nend\n" + by_hand)
        self.assertEqual(found, [])
        _, found = self.check(body.replace("%s", '-- undo: none\n\t\ttend.unit.restart("x")', 1))
        self.assertEqual(found, [])

    TWO = """\
%s
policy "acts" {
	doc = "acts", hand = true,
	run = function(ctx)
		%s
		return true
	end,
}
policy "looks" {
	doc = "looks", hand = true,
	run = function(ctx)
		%s
		return tend.verify(ctx.check, { ok = 1 })
	end,
}
"""

    def test_check_a_look_is_in_the_same_policy(self):
        helper = "local function again(c) tend.unit.restart(c.component.unit) return true end"
        other = "local again = function(c) tend.unit.restart(c.component.unit) end"
        rows = [
            ("", 'tend.unit.restart("x")', "", [5]),
            ("", "", 'tend.unit.restart("x")', []),
            (helper, "", "again(ctx)", []),
            (other, "", "again(ctx)", []),
            (helper, "again(ctx)", "", [1]),
            (other, "again(ctx)", "again(ctx)", [1]),
            (helper, "tend.all(again)", "", [1]),
            (helper, "again(ctx) tend.verify(ctx.check)", "again(ctx)", []),
            (helper + " local function both(c) again(c) again(c) end", "", "both(ctx)", []),
            (helper + " local function both(c) again(c) again(c) end", "both(ctx)", "", [1]),
            (helper, "-- undo: none\n\t\tagain(ctx)", "again(ctx)", []),
            # Nobody calls it; or only itself.
            (helper, "", "", [1]),
            ("local function again(c) tend.unit.restart('x') return again(c) end", "", "", [1]),
        ]
        for first, acts, looks, lines in rows:
            with self.subTest((first, acts, looks)):
                _, found = self.check(self.TWO % (first, acts, looks))
                self.assertEqual([line for line, _, _ in found], lines, found)
                for _, _, text in found:
                    self.assertIn("followed by no tend.verify", text)

    def test_check_says_where_a_schedule_is_wrong(self):
        source = self.TWO % ("", "", "")
        for policy, line in (("acts", 4), ("looks", 11)):
            for schedule, text in (
                    ('{ cron = "30 2 * * *", timezone = "Europe/Berln" }, targets = {}',
                     f"policy '{policy}': 'Europe/Berln' is not a time zone"),
                    ('"30 2 * * *"', f"policy '{policy}': it has a schedule and no targets")):
                with self.subTest((policy, schedule)):
                    _, found = self.check(source.replace(
                        f'doc = "{policy}",', f'doc = "{policy}",\n\tschedule = {schedule},', 1))
                    self.assertEqual([at for at, _, _ in found], [line], found)
                    self.assertTrue(found[0][2].startswith(text), found)

    def test_check_params_targets_syntax(self):
        _, found = self.check(self.BODY.replace("%s", "tend.log(ctx.params.used)", 1))
        self.assertEqual([(line, level) for line, level, _ in found], [(6, "error")])
        conf = self.write("tend.conf", SYSTEM)
        _, found = self.check(self.BODY.replace("%s", "tend.log(ctx.params.used .. ctx.params.idle)", 1),
                              f"--config={conf}")
        self.assertEqual([(line, level) for line, level, _ in found], [(1, "warning")])
        code, found = self.check('policy "p" {\n\tdoc = "p",\n\trun = function( end,\n}\n')
        self.assertEqual((code, found[0][0]), (1, 3))

    # ---- an installation with policies of its own

    OWN = 'policy "%s" { doc = "o", on = { incident = { check = "*/login" } }, hand = true,' \
          ' run = function(ctx) tend.log("seen"); return true end }\n'
    SETTINGS = "[policy own-a]\nmode = auto\n\n[policy own-b]\nmode = auto\n\n"

    def own_conf(self, settings=SETTINGS):
        """Two policies of this place, in files that are not called as they are."""
        folder = os.path.join(self.dir, "own")
        os.mkdir(folder)
        for name in ("own-a", "own-b"):
            self.write(f"own/file-{name}.lua", self.OWN % name)
        return self.write("own.conf", f"[daemon]\nlua_dir = {LUA}\npolicy_dirs = {folder}\n\n"
                          + SYSTEM + settings)

    def test_test_beside_settings_of_other_policies(self):
        conf = self.own_conf()
        path = self.write("x.scenario", GOOD)
        code, out, err = self.run_it("test", "--json", f"--config={conf}", path)
        self.assertEqual(code, 0, out + err)
        # What a scenario itself sets is looked at.
        path = self.write("y.scenario", GOOD + "settings =\n\t[policy own-c] mode = auto\n")
        code, out, err = self.run_it("test", f"--config={conf}", path)
        self.assertEqual(code, 64, out + err)
        self.assertIn("there is no policy 'own-c'", out + err)

    def test_policy_is_no_scenario(self):
        code, _, err = self.run_it("test", self.write("x.lua", self.OWN % "x"))
        self.assertEqual(code, 64)
        self.assertIn("x.lua: this is a policy; scenarios end in .scenario", err)

    # ---- replay

    def replay(self, incidents, *options, policy="restart-unit", days=30, conf=None, runs=()):
        until = 1772755200 * 10**6
        since = until - days * 86400 * 10**6
        rows = [{"id": str(n), "fingerprint": check, "phase": "closed",
                 "opened": since + int(at * 1e6),
                 "closed": since + int((at + lasts) * 1e6),
                 "doc_json": {"check": check, "component": check.rsplit("/", 1)[0], "reason": reason,
                              "text": 'he said: "no"; twice'}}
                for n, (at, check, reason, lasts) in enumerate(incidents)]
        history = {"since": since, "until": until, "incidents": rows, "runs": list(runs),
                   "actions": []}
        conf = conf or self.write(
            "tend.conf", f"[daemon]\nlua_dir = {LUA}\n\n" + SYSTEM.replace("staging", "production"))
        code, out, err = self.run_it("replay", "--json", f"--config={conf}", *options, policy,
                                     stdin=json.dumps(history))
        self.assertEqual(code, 0, err + out)
        return json.loads(out)

    def test_replay(self):
        day = 86400
        found = self.replay([
            (1 * day, "crm/web/login", "connect-refused", 120),
            (2 * day, "crm/web/login", "auth-failed", 600),
            (3 * day, "crm/web/gone", "connect-refused", 600),
            # an hour in which a restart would not have helped
            (9 * day, "crm/web/login", "too-slow", 3600),
        ])
        self.assertEqual((found["incidents"], found["incidents_not_replayed"]), (4, 1))
        self.assertGreaterEqual(found["stopped_by"].get("breaker", 0), 1, found)
        self.assertGreaterEqual(found["actions"]["unit.restart"], 4)
        first = found["runs"][0]
        self.assertEqual(first["target"], "crm/web")
        self.assertTrue(first["started"].startswith("2026-02-04T23:59"), first)

    def test_replay_of_another_file(self):
        path = self.write("new.lua", 'policy "restart-unit" { doc = "n", on = { incident = { check = "*/login" } },'
                          ' run = function(ctx) tend.log("seen"); return true end }\n')
        found = self.replay([(3600, "crm/web/login", "auth-failed", 300)], f"--file={path}", days=1)
        self.assertEqual(found["actions"], {})
        self.assertGreaterEqual(sum(found["states"].values()), 1)

    def test_replay_beside_settings_of_other_policies(self):
        conf = self.own_conf()
        for name in ("own-a", "own-b", "restart-unit"):
            with self.subTest(name):
                found = self.replay([(3600, "crm/web/login", "connect-refused", 300)], days=1,
                                    policy=name, conf=conf)
                self.assertGreaterEqual(sum(found["states"].values()), 1, found)

    def test_replay_of_a_file_of_another_name(self):
        path = self.write("new.lua", self.OWN % "other")
        conf = self.own_conf()
        code, _, err = self.run_it("replay", f"--config={conf}", f"--file={path}", "own-a",
                                   stdin=json.dumps({"since": 10**12, "until": 2 * 10**12,
                                                     "incidents": [], "runs": []}))
        self.assertEqual(code, 64)
        self.assertIn("does not declare the policy 'own-a', but 'other'", err)

    def test_replay_counts_no_dry_runs_and_nothing_later(self):
        path = self.write("new.lua", 'policy "restart-unit" { doc = "n", schedule = { cron = "0 * * * *" },'
                          ' targets = { component = "crm/*" },'
                          ' run = function(ctx) return true end }\n')
        runs = [{"policy": "restart-unit", "dry": dry} for dry in (True, False, True)]
        # It ends at midnight.
        found = self.replay([(3600, "crm/web/login", "auth-failed", 300)], f"--file={path}", days=1,
                            runs=runs)
        self.assertEqual(found["ran_in_history"], 1)
        self.assertGreaterEqual(len(found["runs"]), 20)
        self.assertEqual([r for r in found["runs"] if r["started"].startswith("2026-03-06")], [])

    def test_replay_ends_with_the_history(self):
        day = 86400
        # A minute before its end; and open since.
        found = self.replay([(day - 60, "crm/web/login", "too-slow", 7 * day)], days=1)
        self.assertEqual((found["since"], found["until"]),
                         ("2026-03-05T00:00:00.000000Z", "2026-03-06T00:00:00.000000Z"))
        self.assertEqual(len(found["runs"]), 1, found)
        self.assertRegex(found["runs"][0]["started"], r"^2026-03-05T23:5\d:\d\d\.\d{6}Z$")
        # It began in time, and is played to its end.
        self.assertEqual(sum(found["states"].values()), 1, found)
        self.assertEqual(sum(found["actions"].values()), len(found["runs"][0]["actions"]), found)
        self.assertEqual(found["stopped_by"], {}, found)

    def test_replay_counts_refused_runs(self):
        path = self.write("new.lua", self.OWN.replace('tend.log("seen"); return true',
                          'return nil, "the breaker is open", "refused"') % "restart-unit")
        found = self.replay([(3600, "crm/web/login", "auth-failed", 300)], f"--file={path}", days=1)
        self.assertGreaterEqual(found["states"].get("refused", 0), 1, found)
        self.assertGreaterEqual(found["stopped_by"].get("breaker", 0), 1, found)


if __name__ == "__main__":
    unittest.main()
