# SPDX-License-Identifier: MIT
"""The real tendd with a receiver of each format, against the services as vendors.py plays them: what is
raised and cleared arrives as they want it, and whatever they answer instead is rightly in the ledger."""

import http.server
import json
import os
import re
import subprocess
import threading
import time
import unittest
import urllib.request

import vendors
from inbox import Unix
from snmpbox import BUILD, Scratch, free_port
from tendbox import WaitTimeout, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAMES = sorted(vendors.PATHS)
OPTIONS = {
    "slack": "option.mention = channel\n",
    "dingtalk": "language = zh\noption.mention = all\n",
    "feishu": "language = zh\noption.mention = all\n",
    "wecom": "language = zh\noption.mention = zhangsan\n",
    "template": 'option.body = {"text": "{title}", "id": "{incident}"}\noption.expect = "ok": true\n',
}
# How quick the tests want it; no storm guard, as they send many notices to few.
PACE = "retry_min = 100ms\nretry_max = 300ms\ntimeout = 1s\nstorm_burst = 0\nrate_per_minute = 0\n"


class Web(http.server.BaseHTTPRequestHandler):
    """What is watched: well or not, as the test says."""

    broken = set()

    def do_GET(self):
        bad = self.path in self.broken
        self.send_response(500 if bad else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Case(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        self.web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
        Web.broken = set()
        threading.Thread(target=self.web.serve_forever, args=(0.05,), daemon=True).start()
        self.addCleanup(self.web.server_close)
        self.addCleanup(self.web.shutdown)
        for name in ("state", "run", "libexec", "secrets"):
            os.mkdir(self.scratch.file(name))
        for program in ("snmp/tend-snmp", "run/tend-run"):
            os.symlink(os.path.abspath(os.path.join(BUILD, "daemon", program)),
                       self.scratch.file(f"libexec/{os.path.basename(program)}"))
        for name, secret in vendors.SECRETS.items():
            self.secret(name, secret)

    def secret(self, name, text):
        path = self.scratch.file(f"secrets/{name}", text + "\n")
        os.chmod(path, 0o600)
        return path

    def sink(self, **how):
        sink = vendors.Sink(**how)
        self.addCleanup(sink.close)
        return sink

    def receiver(self, vendor, url, name=None, more=""):
        text = f"[receiver {name or vendor}]\ntype = webhook\nurl = {url}\n"
        if vendor != "cloudevents":
            text += f"format = {vendor}\n"
        if vendor in vendors.SECRETS:
            text += f"secret = file:{self.scratch.path}/secrets/{vendor}\n"
        return text + OPTIONS.get(vendor, "") + PACE + more + "\n"

    def start(self, receivers, route="", n_checks=1, checks=None):
        checks = checks or "".join(f"""[component crm/web{i}]
kind = web

[check crm/web{i}/page]
probe = http
interval = 1s
timeout = 900ms
confirm = 1 of 1
flap_high = 0
url = http://127.0.0.1:{self.web.server_address[1]}/page{i}

""" for i in range(n_checks))
        self.config = self.scratch.file("tend.conf", f"""[daemon]
state_dir = {self.scratch.path}/state
run_dir = {self.scratch.path}/run
libexec_dir = {self.scratch.path}/libexec
lua_dir = {ROOT}/lua
log_level = debug

[system crm]
environment = production

{checks}{receivers}{route}""")
        self.log = self.scratch.file("tendd.log")
        self.spawn()

    def spawn(self):
        log = open(self.log, "ab")
        self.addCleanup(log.close)
        # A sanitizer's report must not get lost.
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
        self.tendd = self.scratch.spawn(
            [os.path.join(BUILD, "daemon", "tendd"), "-f", "-c", self.config, "--plugin-dir",
             os.path.join(BUILD, "plugins")], stdout=log, stderr=log, env=env)
        self.wait(lambda: self.answers() or self.tendd.poll() is not None, 30, "tendd to start")
        self.assertIsNone(self.tendd.poll(), self.tail())

    def answers(self):
        # Up to 3 it is the state of what is watched.
        return self.run_ctl("status").returncode <= 3

    def tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-4000:]

    def run_ctl(self, *words):
        env = dict(os.environ, TEND_SOCKET=f"{self.scratch.path}/run/tend.sock")
        return subprocess.run([os.path.join(BUILD, "daemon", "ctl", "tendctl"), "-o", "json", *words],
                              capture_output=True, text=True, env=env, check=False, timeout=20)

    def ctl(self, *words):
        done = self.run_ctl(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def deliveries(self, receiver, kind=None):
        """Oldest first."""
        rows = self.ctl("delivery", "list", "--receiver", receiver, "--limit", "1000")
        rows = rows["deliveries"] if isinstance(rows, dict) else rows
        return sorted((row for row in rows if kind in (None, row["kind"])),
                      key=lambda row: row["sequence"])

    def last(self, receiver, kind):
        rows = self.deliveries(receiver, kind)
        return rows[-1] if rows else {"state": "none", "tries": 0, "last_error": None}

    def wait(self, what, seconds, text):
        try:
            return wait_for(what, seconds, text)
        except WaitTimeout as error:
            raise AssertionError(f"{error}\n{self.tail()}") from None

    def ends(self, receivers, kind, n):
        """Waits until each receiver has n deliveries of that kind, all of them ended; the last ones."""
        def all_ended():
            rows = [self.deliveries(name, kind) for name in receivers]
            return all(len(one) >= n and one[-1]["state"] in ("delivered", "failed", "expired")
                       for one in rows) and rows
        return {name: rows[-1] for name, rows in
                zip(receivers, self.wait(all_ended, 40, f"{kind} {n} at all"))}

    def break_pages(self, *pages):
        Web.broken = Web.broken | set(pages or ("/page0",))

    def heal(self):
        Web.broken = set()


class All(Case):
    """One receiver of each format at once."""

    def setUp(self):
        super().setUp()
        self.here = self.sink(limits=False)
        self.spare = self.sink(limits=False)

    def start_all(self, more="", route=""):
        receivers = "".join(self.receiver(name, self.here.url(name), more="fallback = spare\n" + more)
                            for name in NAMES)
        receivers += self.receiver("cloudevents", self.spare.url("cloudevents"), "spare")
        route = route or f"[route all]\nreceivers = {', '.join(NAMES)}\n"
        self.start(receivers, route)

    def test_raised_and_cleared(self):
        self.start_all()
        self.break_pages()
        self.ends(NAMES, "incident.raised", 1)
        self.heal()
        self.ends(NAMES, "incident.cleared", 1)
        for name in NAMES:
            with self.subTest(format=name):
                entries = self.here.requests(name)
                self.assertEqual([(one.answer, one.wrong) for one in entries], [("ok", None)] * 2)
                for kind in ("incident.raised", "incident.cleared"):
                    row = self.last(name, kind)
                    self.assertEqual((row["state"], row["tries"]), ("delivered", 1))
        self.assertEqual(self.spare.requests("cloudevents"), [])
        self.looks()
        self.no_secret_is_told()

    def looks(self):
        def sent(name):
            return [json.loads(body) for body in self.here.taken(name)]
        raised, cleared = sent("pagerduty")
        self.assertEqual((raised["event_action"], cleared["event_action"]), ("trigger", "resolve"))
        self.assertEqual(raised["dedup_key"], cleared["dedup_key"])
        raised, cleared = sent("slack")
        self.assertIn("<!channel>", raised["text"])
        self.assertNotIn("<!channel>", cleared["text"])
        self.assertIn("tendctl incident acknowledge", json.dumps(raised))
        raised, cleared = sent("dingtalk")
        self.assertEqual((raised["at"], cleared["at"]), ({"isAtAll": True}, {}))
        self.assertIn("组件", raised["markdown"]["text"])
        self.assertEqual([one["card"]["header"]["template"] for one in sent("feishu")], ["red", "green"])
        self.assertEqual([one["alerts"][0]["status"] for one in sent("alertmanager")],
                         ["firing", "resolved"])
        raised, cleared = sent("alertmanager-api")
        self.assertEqual(raised[0]["labels"], cleared[0]["labels"])

    def no_secret_is_told(self):
        told = self.tail()
        with open(self.log, encoding="utf-8", errors="replace") as file:
            told = file.read()
        for words in (("receiver", "list"), ("delivery", "list"), ("config", "show")):
            told += self.run_ctl(*words).stdout
        for secret in [*vendors.SECRETS.values(), vendors.WECOM_KEY, vendors.DINGTALK_TOKEN,
                       "/services/T0000"]:
            self.assertNotIn(secret, told)

    # mood -> what becomes of the notice: "again" (delivered at the second try), "no" (failed, the
    # fallback is told), "yes"
    MOODS = {
        "fail": "again", "unavailable": "again", "throttle": "again", "close": "again",
        "reset": "again", "garbage": "again", "half": "again", "slow": "again", "drip": "again",
        "redirect": "no", "deny": "no", "no": "no", "oversize": "no",
    }
    # A 200 of somebody else: a page to log in to, nothing, something without an end.
    FOREIGN = ("html", "empty", "huge")
    # To these it looks like a yes, as they say it by 2xx alone.
    BY_STATUS = {"alertmanager", "alertmanager-api", "cloudevents", "teams"}

    def test_moods(self):
        self.start_all()
        for i, (mood, want) in enumerate([*self.MOODS.items(), *((one, None) for one in self.FOREIGN)]):
            used = [name for name in NAMES if mood != "oversize" or name in vendors.TOO_LONG]
            with self.subTest(mood=mood):
                before = {name: len(self.here.requests(name)) for name in NAMES}
                n_spare = len(self.spare.requests("cloudevents"))
                for name in used:
                    self.here.moods[name].append(mood)
                self.break_pages()
                rows = self.ends(NAMES, "incident.raised", i + 1)
                n_failed = self.judge_mood(mood, want, used, rows, before)
                # One notice, however many could not deliver it, and its clear.
                if n_failed:
                    self.wait(lambda: self.spare_heard(n_spare, "tend.incident.raised"), 10,
                              "the notice by the fallback")
                self.heal()
                if n_failed:
                    self.wait(lambda: self.spare_heard(n_spare, "tend.incident.cleared"), 10,
                              "the clear by the fallback")
                told = [name for name in NAMES if rows[name]["state"] == "delivered"]
                for name in told:
                    self.wait(lambda one=name: self.here.taken(one)[-1:] and
                              self.last(one, "incident.cleared").get("incident") ==
                              rows[one]["incident"] and
                              self.last(one, "incident.cleared")["state"] == "delivered", 20,
                              f"the clear at {name}")
                self.quiet()

    def spare_heard(self, since, kind):
        bodies = self.spare.taken("cloudevents")[since:]
        return [json.loads(body)["type"] for body in bodies].count(kind) == 1

    def quiet(self):
        """Nothing is on its way, so that the next mood meets the next notice."""
        self.wait(lambda: all(one["waiting"] == 0 for one in self.ctl("receiver", "list")), 20,
                  "all that waits to go")

    def judge_mood(self, mood, want, used, rows, before):
        n_failed = 0
        for name in NAMES:
            expected = want if name in used else "yes"
            if name == "template" and mood == "no":
                expected = "again"  # by what is not in the answer: it may be somebody else's
            if mood in self.FOREIGN:
                # It is unclear to the others: tried again, and it goes then.
                page = name == "teams" and mood == "html"
                expected = "yes" if name in self.BY_STATUS and not page else "again"
            row, entries = rows[name], self.here.requests(name)[before[name]:]
            with self.subTest(mood=mood, format=name):
                self.assertEqual([one.wrong for one in entries], [None] * len(entries))
                # On a busy machine the time may be up before the bound of an answer's size is met.
                if mood == "huge" and row["tries"] == 2:
                    self.assertEqual((row["state"], len(entries)), ("delivered", 2), row)
                    continue
                if expected == "no":
                    n_failed += 1
                    self.assertEqual((row["state"], row["tries"], len(entries)), ("failed", 1, 1), row)
                    self.assertTrue(row["last_error"], row)
                else:
                    n = 2 if expected == "again" else 1
                    self.assertEqual((row["state"], row["tries"], len(entries)), ("delivered", n, n), row)
                if name == "cloudevents":
                    self.assertEqual({one.headers["webhook-id"] for one in entries}, {row["notice"]})
        return n_failed

    def test_too_often(self):
        """By the code in a 200: each waits as long as the service wants it."""
        self.start_all()
        for name in NAMES:
            self.here.moods[name].append("busy")
        began = time.time()
        self.break_pages()
        waits = {"dingtalk": 600, "feishu": 60, "wecom": 60, "teams": 60}
        quick = [name for name in NAMES if name not in waits]
        rows = self.ends(quick, "incident.raised", 1)
        for name in quick:
            self.assertEqual((rows[name]["state"], rows[name]["tries"]), ("delivered", 2), name)
            first, second = self.here.requests(name)
            if vendors.BUSY[name][1].get("Retry-After"):
                self.assertGreaterEqual(second.at - first.at, 1)
        for name, seconds in waits.items():
            with self.subTest(format=name):
                row = self.last(name, "incident.raised")
                self.assertEqual(row["tries"], 1)
                self.assertNotIn(row["state"], ("delivered", "failed"))
                due = row["next_at"] / 1e6
                self.assertTrue(began + seconds - 1 <= due <= time.time() + seconds * 1.2, row)
                self.assertRegex(row["last_error"], "130101|11232|45009|too many")
                self.assertEqual(len(self.here.requests(name)), 1)
        self.assertEqual(self.spare.requests("cloudevents"), [])

    def test_gone(self):
        """410: nothing more goes there, the fallback is told, and that it is so is told."""
        self.start_all()
        for name in NAMES:
            self.here.moods[name] += ["gone"] * 5
        self.break_pages()
        self.wait(lambda: all(not one["enabled"] for one in self.ctl("receiver", "list")
                              if one["name"] != "spare"), 20, "all to be disabled")
        self.wait(lambda: {"tend.incident.raised", "tend.receiver.disabled"} <= {
            json.loads(body)["type"] for body in self.spare.taken("cloudevents")}, 20,
            "the fallback to be told")
        # At most what was on its way as well: that others are gone.
        before = {name: len(self.here.requests(name)) for name in NAMES}
        self.heal()
        self.wait(lambda: "tend.incident.cleared" in {
            json.loads(body)["type"] for body in self.spare.taken("cloudevents")}, 20,
            "the fallback to hear of the end")
        for name in NAMES:
            self.assertEqual(len(self.here.requests(name)), before[name], name)
            self.assertEqual(self.last(name, "incident.raised")["state"], "failed")


class Grouped(Case):
    def test_one_request(self):
        """Thirty checks of a system fail at once: one message each, in which all are or are counted."""
        names = [name for name in NAMES if name != "pagerduty"]
        sink = self.sink(limits=False)
        receivers = "".join(self.receiver(name, sink.url(name)) for name in names)
        # Of a title it is said that there are more, of the text which.
        receivers = receivers.replace('"text": "{title}"', '"title": "{title}", "text": "{text}"')
        self.start(receivers,
                   f"[route all]\nreceivers = {', '.join(names)}\ngroup_by = system\ngroup_wait = 3s\n",
                   n_checks=30)
        self.break_pages(*(f"/page{i}" for i in range(30)))

        def all_told():
            return all(len({row["fingerprint"] for row in self.deliveries(name, "incident.raised")
                            if row["state"] == "delivered"}) == 30 for name in names)
        self.wait(all_told, 40, "thirty notices at each")
        for name in names:
            with self.subTest(format=name):
                entries = sink.requests(name)
                self.assertEqual({one.wrong for one in entries}, {None})
                self.assertLess(len(entries), 10)
                body = max((one.body for one in entries), key=len).decode()
                self.assertGreater(sum(f"crm/web{i}/page" in body for i in range(30)), 8, body)


class Paced(Case):
    def test_no_faster_than_allowed(self):
        """More at once than the services take: they go at the rate the format says, and none is
        answered by "too fast"."""
        names, n = ["dingtalk", "feishu", "teams", "wecom"], 7
        sink = self.sink()
        text = "".join(self.receiver(name, sink.url(name)) for name in names)
        self.start(text.replace("rate_per_minute = 0\n", ""),
                   f"[route all]\nreceivers = {', '.join(names)}\n", n_checks=n)
        self.break_pages(*(f"/page{i}" for i in range(n)))
        self.wait(lambda: all(len(sink.requests(name)) >= n for name in names), 60,
                  f"{n} requests to each")
        for name in names:
            entries = sink.requests(name)
            self.assertEqual([one.answer for one in entries], ["ok"] * n, name)
            # Not all at once, that is.
            self.assertGreater(entries[-1].at - entries[0].at, 5, name)


class Trust(Case):
    """Certificates and addresses."""

    def setUp(self):
        super().setUp()
        vendors.make_certificates(self.scratch.path)
        self.ca = f"ca_file = {self.scratch.path}/ca.pem\n"

    def told(self, receivers, names):
        self.start(receivers, f"[route all]\nreceivers = {', '.join(names)}\n")
        self.break_pages()

    def only_by(self, sink, name):
        """All that the sink was asked came by that receiver."""
        self.wait(lambda: len(sink.requests("slack")) ==
                  sum(row["state"] == "delivered" for row in self.deliveries(name)), 20,
                  f"what {name} has delivered, and nothing else")

    def test_certificates(self):
        good, other, own = (self.sink(certificate=self.scratch.file(f"{name}.pem"))
                            for name in ("good", "other", "selfsigned"))
        self.told(self.receiver("slack", good.url("slack"), "good", self.ca)
                  + self.receiver("slack", good.url("slack"), "noca")
                  + self.receiver("slack", other.url("slack"), "other", self.ca)
                  + self.receiver("slack", own.url("slack"), "own", self.ca),
                  ["good", "noca", "other", "own"])
        self.ends(["good"], "incident.raised", 1)
        self.assertEqual(self.last("good", "incident.raised")["state"], "delivered")
        for name in ("noca", "other", "own"):
            self.wait(lambda one=name: self.last(one, "incident.raised")["tries"] >= 2, 20,
                      f"{name} to be tried")
            row = self.last(name, "incident.raised")
            self.assertNotIn(row["state"], ("delivered", "failed"))
            self.assertRegex(row["last_error"], "(?i)certificate|SSL")
        self.only_by(good, "good")
        self.assertEqual(other.requests("slack") + own.requests("slack"), [])

    def test_client_certificate(self):
        sink = self.sink(certificate=self.scratch.file("good.pem"))
        sink.context.load_verify_locations(self.scratch.file("ca.pem"))
        sink.context.verify_mode = vendors.ssl.CERT_REQUIRED
        client = f"cert_file = {self.scratch.path}/client.pem\n"
        self.told(self.receiver("slack", sink.url("slack"), "known", self.ca + client)
                  + self.receiver("slack", sink.url("slack"), "unknown", self.ca), ["known", "unknown"])
        self.ends(["known"], "incident.raised", 1)
        self.assertEqual(self.last("known", "incident.raised")["state"], "delivered")
        self.wait(lambda: self.last("unknown", "incident.raised")["tries"] >= 2, 20, "it to be tried")
        self.only_by(sink, "known")

    def test_names(self):
        """A name that leads to this machine (any below localhost does) is not followed unless it is
        listed."""
        sink = self.sink(certificate=self.scratch.file("good.pem"))
        url = sink.url("slack", host="hooks.localhost")
        self.told(self.receiver("slack", url, "listed", self.ca + "allow = 127.0.0.0/8, ::1/128\n")
                  + self.receiver("slack", url, "unlisted", self.ca), ["listed", "unlisted"])
        self.ends(["listed"], "incident.raised", 1)
        self.assertEqual(self.last("listed", "incident.raised")["state"], "delivered")
        self.wait(lambda: self.last("unlisted", "incident.raised")["last_error"], 20, "it to be refused")
        self.assertNotEqual(self.last("unlisted", "incident.raised")["state"], "delivered")
        self.assertEqual(len(sink.requests("slack")), 1)


class Failing(Case):
    """A format that does not work loses no notice."""

    def own(self, name, code, judge='return answer.status < 300 and "delivered" or "failed"'):
        return self.scratch.file(f"{name}.lua", f"""return {{
	name = "own", doc = "One of one's own.",
	format = function(notice) {code} end,
	judge = function(answer) {judge} end,
}}
""")

    def test_the_event_goes_instead(self):
        sink = self.sink()
        codes = {"raises": 'error("no")', "loops": "while true do end", "eats": "local t = {} "
                 "while true do t[#t + 1] = ('x'):rep(1000) end", "odd": "return { body = 7 }"}
        text = ""
        for name, code in codes.items():
            text += self.receiver("cloudevents", sink.url("cloudevents"), name,
                                  f"format = {self.own(name, code)}\n")
        self.start(text, f"[route all]\nreceivers = {', '.join(codes)}\n")
        self.break_pages()
        rows = self.ends(codes, "incident.raised", 1)
        for name, row in rows.items():
            self.assertEqual((row["state"], row["tries"]), ("delivered", 1), row)
            self.assertIn("sent as CloudEvents", row["last_error"])
        self.assertEqual([one.wrong for one in sink.requests("cloudevents")], [None] * len(codes))
        self.assertEqual(self.tail().count("AddressSanitizer"), 0)

    def test_a_yes_that_nobody_can_read(self):
        """It may have been one: tried three times, not for ever, then the fallback tells."""
        sink, spare = self.sink(), self.sink(limits=False)
        mine = self.own("mute", "return { body = { text = notice.title } }", 'error("nothing to say")')
        self.start(self.receiver("cloudevents", sink.url("template"), "mute",
                                 f"format = {mine}\nfallback = spare\n")
                   + self.receiver("cloudevents", spare.url("cloudevents"), "spare"),
                   "[route all]\nreceivers = mute\n")
        self.break_pages()
        row = self.ends(["mute"], "incident.raised", 1)["mute"]
        self.assertEqual((row["state"], row["tries"]), ("failed", 3), row)
        self.assertIn("cannot be judged: mute.lua:4: nothing to say", row["last_error"])
        self.assertEqual(len(sink.requests("template")), 3)
        self.wait(lambda: self.deliveries("spare", "incident.raised"), 20, "the fallback to be told")
        self.ends(["spare"], "incident.raised", 1)
        self.assertEqual(self.last("spare", "incident.raised")["state"], "delivered")
        self.assertEqual(len(spare.requests("cloudevents")), 1)


class Repeated(Case):
    def test_while_it_is_open(self):
        """Alertmanager forgets what it does not hear of: here within a second, not five minutes."""
        with open(f"{ROOT}/lua/formats/alertmanager-api.lua", encoding="utf-8") as file:
            source = re.sub(r"(REPEAT_SECONDS = )300", r"\g<1>1", file.read())
        self.assertIn("REPEAT_SECONDS = 1\n", source)
        sink = self.sink(limits=False)
        mine = self.scratch.file("often.lua", source)
        receiver = self.receiver("alertmanager-api", sink.url("alertmanager-api"))
        self.start(receiver.replace("format = alertmanager-api", f"format = {mine}"),
                   "[route all]\nreceivers = alertmanager-api\n")
        self.break_pages()
        self.wait(lambda: len(sink.taken("alertmanager-api")) >= 4, 20, "it to be told four times")
        self.heal()
        self.ends(["alertmanager-api"], "incident.cleared", 1)
        sent = [json.loads(body) for body in sink.taken("alertmanager-api")]
        self.assertEqual(len({json.dumps(alerts[0]["labels"], sort_keys=True) for alerts in sent}), 1)
        ends = [alerts[0]["endsAt"] for alerts in sent[:-1]]
        self.assertEqual(ends, sorted(ends))
        self.assertLess(sent[-1][0]["endsAt"], ends[0])


class RealAlertmanager(Case):
    """What it holds is what Tend has open, and nothing else."""

    PROGRAM = "/usr/bin/prometheus-alertmanager"
    # A database, and the web server that needs it; what is wrong with them is told by a Prometheus.
    CHECKS = """[component crm/database]
kind = database

[component crm/web]
kind = web
depends = database

[source prom]
token = file:{secret}
component_label = tend_component
ttl = 1h

"""

    def setUp(self):
        super().setUp()
        port = free_port()
        config = self.scratch.file("am.yml", "route: {receiver: none}\nreceivers: [{name: none}]\n")
        log = open(self.scratch.file("am.log"), "wb")
        self.addCleanup(log.close)
        self.scratch.spawn([self.PROGRAM, f"--config.file={config}", "--cluster.listen-address=",
                            f"--storage.path={self.scratch.path}/am",
                            f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
        self.url = f"http://127.0.0.1:{port}/api/v2/alerts"
        wait_for(lambda: self.alerts() is not None, 20, "Alertmanager to start")

    def alerts(self):
        """Those that are not over."""
        try:
            with urllib.request.urlopen(self.url, timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return None

    def holds(self, *want):
        """(component, severity) of all that is active there is `want`, and so at what gets webhooks;
        but for what has no end."""
        def held():
            return sorted((one["labels"]["component"], one["labels"]["severity"])
                          for one in self.alerts() or ()
                          if one["labels"].get("component")) == sorted(want)
        self.wait(held, 30, f"{want} and nothing else to be active at Alertmanager")
        self.wait(lambda: sorted(self.firing()) == sorted(want), 30,
                  f"{want} and nothing else to fire for webhooks")

    def firing(self):
        """As what stands behind Alertmanager reckons it, by fingerprints."""
        held = {}
        for body in self.hooks.taken("alertmanager"):
            for alert in json.loads(body)["alerts"]:
                held.pop(alert["fingerprint"], None)
                if alert["status"] == "firing" and alert["labels"].get("component"):
                    held[alert["fingerprint"]] = (alert["labels"]["component"],
                                                  alert["labels"]["severity"])
        return held.values()

    def start_both(self):
        self.hooks = self.sink(limits=False)
        self.start(self.receiver("alertmanager-api", self.url)
                   + self.receiver("alertmanager", self.hooks.url("alertmanager")),
                   "[route all]\nreceivers = alertmanager-api, alertmanager\n", checks=self.CHECKS.format(secret=self.secret("prom", "prom-0123456789abcdef")))

    def say(self, component, severity):
        """None: it is over."""
        alert = {"status": "firing" if severity else "resolved", "annotations": {"summary": "bad"},
                 "labels": {"alertname": "Bad", "tend_component": f"crm/{component}",
                            "severity": severity or "none", "pod": f"pod-{severity}"},
                 "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
                 "fingerprint": f"{len(component):016x}"}
        client = Unix(f"{self.scratch.path}/run/tend.sock")
        client.request("POST", "/v1/events", json.dumps(
            {"version": "4", "groupKey": "x", "status": "firing", "receiver": "t", "groupLabels": {},
             "commonLabels": {}, "commonAnnotations": {}, "externalURL": "", "alerts": [alert]}),
            {"Content-Type": "application/json", "Authorization": "Bearer prom-0123456789abcdef"})
        answer = client.getresponse()
        self.assertLess(answer.status, 300, answer.read())
        client.close()

    def again(self):
        self.tendd.kill()
        self.tendd.wait()
        self.spawn()

    def test_it_fires_and_ends(self):
        self.start(self.receiver("alertmanager-api", self.url),
                   "[route all]\nreceivers = alertmanager-api\n")
        self.break_pages()
        self.wait(lambda: len(self.alerts()) == 1, 20, "the alert")
        alert = self.alerts()[0]
        self.assertEqual(alert["labels"]["alertname"], "crm/web0/page")
        self.assertEqual(alert["status"]["state"], "active")
        self.assertEqual(alert["fingerprint"], vendors.label_fingerprint(alert["labels"]))
        self.heal()
        self.wait(lambda: self.alerts() == [], 20, "its end")

    def test_another_severity(self):
        self.start_both()
        self.say("web", "warning")
        self.holds(("crm/web", "warning"))
        self.say("web", "critical")
        self.holds(("crm/web", "critical"))
        self.say("web", None)
        self.holds()

    def test_another_root(self):
        self.start_both()
        self.say("web", "warning")
        self.holds(("crm/web", "warning"))
        self.say("database", "critical")
        self.holds(("crm/database", "critical"))
        self.say("database", None)
        self.say("web", None)
        self.holds()

    def test_the_old_root_anew(self):
        """What the moved incident was known by is another incident's now: it does not end with it."""
        self.start_both()
        self.say("web", "warning")
        self.holds(("crm/web", "warning"))
        self.say("database", "warning")
        self.holds(("crm/database", "warning"))
        self.say("web", None)
        self.say("web", "warning")
        self.holds(("crm/database", "warning"), ("crm/web", "warning"))
        self.say("database", None)
        self.ends(["alertmanager", "alertmanager-api"], "incident.cleared", 1)
        self.holds(("crm/web", "warning"))
        self.say("web", None)
        self.holds()

    def test_another_root_after_a_kill(self):
        self.start_both()
        self.say("web", "warning")
        self.holds(("crm/web", "warning"))
        self.again()
        self.say("database", "critical")
        self.holds(("crm/database", "critical"))
        self.again()
        self.say("database", None)
        self.say("web", None)
        self.holds()

    def test_what_was_not_told_of_the_change(self):
        """The clear ends all that was ever raised, also where the change was refused."""
        self.start_both()
        self.say("web", "warning")
        self.holds(("crm/web", "warning"))
        self.hooks.moods["alertmanager"].append("deny")
        self.say("web", "critical")
        self.ends(["alertmanager"], "incident.changed", 1)
        self.assertEqual(list(self.firing()), [("crm/web", "warning")])
        self.say("web", None)
        self.holds()

    def test_labels_of_a_new_configuration(self):
        self.start_both()
        self.say("web", "warning")
        self.holds(("crm/web", "warning"))
        with open(self.config, encoding="utf-8") as file:
            text = file.read()
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text.replace("kind = web\n", "kind = web\nlabel.team = web\n"))
        self.ctl("reload")
        self.say("web", None)
        self.holds()


if __name__ == "__main__":
    unittest.main()
