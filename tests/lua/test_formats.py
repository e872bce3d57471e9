#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The shipped webhook formats: on every sample, on hostile words, on hundreds of alerts, what they
make is what the service takes (tests/system/vendors.py plays them), and their judges know its answers.

`--accept` writes tests/lua/formats/expected anew, to be looked at in the diff.
"""
import copy
import json
import os
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
import vendors  # noqa: E402
from formats import (NAMES, TEND_LUA, VIEWS, FormatError, Runner, encode, read,  # noqa: E402
                     view, view_names)

EXPECTED = os.path.join(VIEWS, "expected")
ACCEPT = "--accept" in sys.argv
TEMPLATE = {"body": '{"title": "{title}", "text": "{text}", "team": "{label.team}", "n": {n}, '
                    '"priority": {priority}, "take": "{acknowledge}"}'}
GIVEN = {"template": TEMPLATE}
# Tend promises at most so many bytes; what the vendor allows is in vendors.py.
HOSTILE = [
    'quotes " \' ` and \\ backslash \\u0041 \\n',
    "lines\none\r\ntwo\rthree\u2028four\u2029five\n\n\n",
    "controls \x00\x01\x1b[31mred\x1b[0m\x7f\x9b tab\there",
    "\u202egnp.exe\u202c \u2066isolate\u2069 \ufeffbom",
    "مرحبا بالعالم \u200fשלום עולם",
    "🔥👩‍👩‍👧‍👦🇨🇳e\u0301 𝒳",
    "<!channel> <!everyone> <@U123> <https://evil.example|click> &amp; & < >",
    "@all @everyone @here @Channel @所有人 @13800000000",
    '<at user_id="all">x</at> <at id=all></at> < /AT> <@all> <font color="warning">big</font>',
    "[click](https://evil.example) ![x](javascript:alert(1)) [a][b] **bold** # head\n> quote\n```code```",
    "{title} {{title}} ${x} %s %d %% {label.team}",
    "]]> --> </script><script>alert(1)</script>",
]


def hostile(words, base="raised-en"):
    """A view whose every foreign word is hostile."""
    notice = view(base)
    notice["title"] = f"[Critical] {words}"[:200]
    notice["text"] = f"{words}\nReason: {words}\nSince: 2026-03-02 04:05:06 UTC\nAcknowledge: tendctl x"
    notice["ack"]["command"] = "tendctl x"
    for alert in notice["alerts"]:
        alert.update(title=notice["title"], text=words, reason_text=words)
        alert["labels"]["team"] = words
    return notice


def many(n, text="used_percent is 91, outside 0..90", base="group-en"):
    """A group of n alerts."""
    notice = view(base)
    model = notice["alerts"][0]
    notice["alerts"] = []
    for i in range(n):
        alert = copy.deepcopy(model)
        alert.update(text=text, title=f"[Critical] crm/web/check-{i}: no answer in time",
                     check=f"crm/web/check-{i}", fingerprint=f"crm/web/check-{i}")
        alert["labels"]["check"] = alert["check"]
        notice["alerts"].append(alert)
    notice.update(n_firing=n, n_resolved=0, title=f"{n} firing: crm/web/check-0 +{n - 1} more",
                  text="\n".join(f"- [Critical] crm/web/check-{i}" for i in range(20)))
    return notice


def seal(name, value, declared):
    """What tendd does after Lua: secrets, signatures; the request as the vendor gets it."""
    body, query = value["body"], dict(re.findall(r"[?&](\w[\w-]*)=([^&]*)", vendors.PATHS[name]))
    stamp = time.time()
    for pointer, secret in value.get("secrets", {}).items():
        assert secret == "secret", secret
        body = encode({**json.loads(body), pointer[1:]: vendors.SECRETS[name]})
    if declared["sign"] == "dingtalk":
        text = str(int(stamp * 1000))
        query.update(timestamp=text, sign=vendors.dingtalk_sign(text, vendors.SECRETS[name]))
    elif declared["sign"] == "feishu":
        text = str(int(stamp))
        body = encode({**json.loads(body), "timestamp": text,
                       "sign": vendors.feishu_sign(text, vendors.SECRETS[name])})
    headers = {"content-type": value.get("content_type", "application/json"), **value.get("headers", {})}
    return vendors.Request(name, query, headers, body, stamp)


class Case(unittest.TestCase):
    runners = {}

    @classmethod
    def tearDownClass(cls):
        while cls.runners:
            cls.runners.popitem()[1].close()

    def runner(self, name):
        if name not in self.runners:
            self.runners[name] = Runner(name)
        return self.runners[name]

    def make(self, name, notice, **given):
        """The body, seen to be what the vendor takes."""
        runner = self.runner(name)
        value = runner.format(notice, **{**GIVEN.get(name, {}), **given})
        self.assertLessEqual(set(value), {"body", "content_type", "headers", "query", "path", "secrets"})
        self.assertLessEqual(len(value["body"]), runner.declared["max_bytes"])
        self.assertIsNone(vendors.wrong_with(seal(name, value, runner.declared)), value["body"].decode())
        return value["body"].decode()


class Shipped(Case):
    def test_all_are_here(self):
        self.assertEqual(NAMES, sorted(set(vendors.PATHS) - {"cloudevents"}))

    def test_declarations(self):
        for name in NAMES:
            declared = self.runner(name).declared
            self.assertEqual(declared["name"], name)
            self.assertLessEqual(set(declared), {
                "name", "doc", "group", "max_notices", "rate_per_minute", "max_bytes", "sign",
                "repeat_seconds", "options", "judge"})
            for option, row in declared["options"].items():
                self.assertTrue(row["doc"], option)
            for n, seconds in vendors.RATES.get(name, ()):
                # tendd lets ten seconds' worth go at once.
                rate = declared["rate_per_minute"] / 60
                self.assertLessEqual(int(rate * 10 + rate * seconds), n, name)

    def test_samples(self):
        for name in NAMES:
            for sample in view_names():
                with self.subTest(format=name, sample=sample):
                    body = self.make(name, view(sample))
                    self.expect(f"{name}.{sample}.json", body)

    def expect(self, name, body):
        path = os.path.join(EXPECTED, name)
        text = json.dumps(json.loads(body), ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        if ACCEPT:
            os.makedirs(EXPECTED, exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        self.assertEqual(read(path), text)

    def test_nothing_stale_is_expected(self):
        want = {f"{name}.{sample}.json" for name in NAMES for sample in view_names()}
        self.assertEqual(set(os.listdir(EXPECTED)), want)

    def test_late_and_language(self):
        for name in sorted(set(NAMES) - {"alertmanager", "alertmanager-api"}):
            self.assertIn("12 min", self.make(name, view("late-en")), name)
            self.assertIn("延迟送达", self.make(name, view("late-zh")), name)
        group = view("group-en")
        group["notes"] = ["Delivered late: by 12 min."]
        for name in ("slack", "teams", "dingtalk", "feishu", "wecom", "template"):
            self.assertIn("Delivered late: by 12 min.", self.make(name, group), name)
        for name in ("alertmanager", "alertmanager-api"):
            self.assertIn('"late_seconds":"725"', self.make(name, view("late-en")))


class Hostile(Case):
    def test_words(self):
        for name in NAMES:
            for words in HOSTILE + ["".join(HOSTILE), " ", ""]:
                for base in ("raised-en", "cleared-zh", "group-en", "message-en"):
                    with self.subTest(format=name, words=words, base=base):
                        body = self.make(name, hostile(words, base))
                        self.assertNotRegex(body, "[\x00-\x1f\x7f\x80-\x9f\u202a-\u202e\u2066-\u2069]")

    def test_long(self):
        pieces = ["x", "字", "🔥", '"', "\\", "<", "&", "a b ", "\n", "é\n"]
        for name in NAMES:
            for piece in pieces:
                for size in (1000, 4096):  # of a notice's text tendd keeps as much
                    with self.subTest(format=name, piece=piece, size=size):
                        words = (piece * size).encode()[:size].decode(errors="ignore")
                        body = self.make(name, hostile(words))
                        json.loads(body)
                        body = self.make(name, hostile(words, "group-en"))
                        self.assertNotIn("\ufffd", body)

    def test_the_end_is_not_lost(self):
        """However long the text, who reads it still learns since when, and how to acknowledge."""
        notice = hostile("字" * 8000)
        for name in ("slack", "teams", "dingtalk", "feishu", "wecom", "template"):
            body = self.make(name, notice)
            self.assertIn("2026-03-02 04:05:06 UTC", body, name)
            if name != "template":
                self.assertIn("tendctl x", body, name)
            self.assertIn("…", body, name)

    def test_many(self):
        for name in NAMES:
            for n in (2, 21, 100, 500):
                for text in ("used_percent is 91", "字" * 100, "x" * 300):
                    with self.subTest(format=name, n=n, text=text[:9]):
                        body = self.make(name, many(n, text))
                        self.counted(name, n, body)

    def counted(self, name, n, body):
        """Each alert is there, or counted."""
        if name == "pagerduty":
            return  # alone, by declaration
        shown = len(set(re.findall(r"crm/web/check-\d+(?=: no answer)", body)))
        if name.startswith("alertmanager"):
            shown = len(set(re.findall(r'"check":"(crm/web/check-\d+)"', body)))
        more = re.search(r"\+(\d+) more", body.replace(many(n)["title"], ""))
        self.assertEqual(shown + (int(more.group(1)) if more else 0), n)

    def test_no_room_for_the_daemon(self):
        notice = many(3)
        notice["n_more"] = 70
        for name in ("slack", "teams", "dingtalk", "feishu", "wecom", "template"):
            self.assertIn("+70 more", self.make(name, notice), name)
        self.assertIn('"truncatedAlerts":70', self.make("alertmanager", notice))

    def test_time_limit(self):
        """tendd kills a call after 250 ms: as much as one request has in it must take less, even in
        a build without optimisation."""
        most = many(500, "used_percent is 91, outside 0..90; " * 2)
        for name in NAMES:
            self.make(name, most)
            if self.sanitized(name):
                continue
            start = self.cpu(name)
            self.runner(name).format(most, **GIVEN.get(name, {}))
            self.assertLess(self.cpu(name) - start, 0.25, name)

    def sanitized(self, name):
        return "libasan" in read(f"/proc/{self.runner(name).host.pid}/maps")

    def cpu(self, name):
        with open(f"/proc/{self.runner(name).host.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Details(Case):
    def test_acknowledging(self):
        """The command, while there is something to be taken; a link nobody serves is nowhere."""
        command = view("raised-en")["ack"]["command"]
        self.assertIn("tendctl incident acknowledge 019", command)
        for name in NAMES:
            body = self.make(name, view("raised-en"))
            # Some put a quote in place of what could be markup.
            self.assertIn(command.split(" --")[0], body, name)
            self.assertNotRegex(body, "https?://(?!crm.example/login|adaptivecards.io/)", name)
            self.assertNotIn("tendctl", self.make(name, view("cleared-en")), name)
        for name in sorted(set(NAMES) - {"pagerduty", "template"}):
            acknowledged = view("raised-en")
            acknowledged["alerts"][0]["acknowledged"] = True
            self.assertNotIn("tendctl", self.make(name, acknowledged), name)

    def test_mentions(self):
        rows = [
            ("slack", "channel, U024BE7LH, S012", "<!channel> <@U024BE7LH> <!subteam^S012>"),
            ("teams", "Ann Lee <ann@example.org>", "<at>Ann Lee</at>"),
            ("dingtalk", "all", '"at":{"isAtAll":true}'),
            ("dingtalk", "13800000000, manager7", '"atMobiles":["13800000000"]'),
            ("feishu", "all, ou_1", "<at id=all></at> <at id=ou_1></at>"),
            ("wecom", "zhangsan", "<@zhangsan>"),
            ("wecom", "zhangsan, all", '"mentioned_list":["zhangsan","@all"]'),
            ("wecom", "13800000000", '"mentioned_mobile_list":["13800000000"]'),
        ]
        for name, mention, want in rows:
            with self.subTest(format=name, mention=mention):
                self.assertIn(want, self.make(name, view("raised-en"), mention=mention))
                for quiet in ("cleared-en", "message-en", "heartbeat-en"):
                    self.assertNotIn(want, self.make(name, view(quiet), mention=mention))
                notice = view("raised-en")
                notice["severity"] = "warning"
                self.assertNotIn(want, self.make(name, notice, mention=mention))
                self.assertIn(want, self.make(name, notice, mention=mention, mention_from="warning"))

    def test_wrong_options(self):
        rows = [
            ("slack", {"mention": "bob"}, "option.mention: 'bob' is neither channel"),
            ("teams", {"mention": "bob"}, "option.mention: 'bob' is not NAME <USER"),
            ("dingtalk", {"mention": "a b"}, "option.mention: 'a b' is neither all"),
            ("feishu", {"mention": "<at>"}, "option.mention: '<at>' is neither all"),
            ("wecom", {"mention": "a>b"}, "option.mention: 'a>b' is neither all"),
            ("slack", {"mention_from": "high"}, "option.mention_from = high: must be info"),
            ("feishu", {"style": "loud"}, "option.style = loud: must be one of card, text"),
            ("wecom", {"style": "loud"}, "option.style = loud: must be one of markdown, text"),
            ("template", {"body": "{word}"}, "option.body: there is no {word}"),
            ("template", {"body": '{"a": "{title}"'}, "option.body makes no valid JSON: line 1"),
            ("template", {"max_text": "1"}, "option.max_text = 1: must be 100 to 65536"),
            ("template", {"escape": "none"}, "option.escape = none: must be one of auto, json"),
            ("alertmanager-api", {"hold": "soon"}, "'soon' is no duration"),
        ]
        for name, given, message in rows:
            with self.subTest(format=name, given=given):
                with self.assertRaisesRegex(FormatError, re.escape(message)):
                    self.make(name, view("raised-en"), **given)

    def test_styles(self):
        for name in ("feishu", "wecom"):
            for words in HOSTILE + ["字" * 9000]:
                body = self.make(name, hostile(words), style="text", mention="all")
                self.assertTrue("mentioned_list" in body or '<at user_id=\\"all\\">' in body)

    def test_template(self):
        rows = [
            ({"body": "{severity}: {title} {{title}", "content_type": "text/plain"},
             "critical: [Critical] crm/web/login: no answer in time {title}"),
            ({"body": "t={title}&p={priority}", "content_type": "application/x-www-form-urlencoded"},
             "t=%5BCritical%5D%20crm%2Fweb%2Flogin%3A%20no%20answer%20in%20time&p=5"),
            ({"body": "{label.team} {label.none}{ended}|{late}|{sequence}", "escape": "text",
              "content_type": "text/plain"}, "crm |0|41"),
            ({"body": '{"a": {"b": "{check}"}}'}, '{"a": {"b": "crm/web/login"}}'),
        ]
        for given, want in rows:
            self.assertEqual(self.make("template", view("raised-en"), **given), want)
        whole = json.loads(self.make("template", view("raised-en"), body='{"n": {notice}}', escape="text"))
        self.assertEqual(whole["n"]["alerts"][0]["labels"]["team"], "crm")

    def alerts_of(self, name, sample, told=(), labels=None, **change):
        """(severity, component, is it over) of each alert there."""
        notice = view(sample)
        alert = notice["alerts"][0]
        alert["labels"].update(labels or {})
        alert.update(change, told=[{**alert["labels"], **one} for one in told])
        body = json.loads(self.make(name, notice))
        api = name == "alertmanager-api"
        return [(one["labels"]["severity"], one["labels"]["component"],
                 one["endsAt"] in (alert["time"], alert["ended"]) if api else one["status"] == "resolved")
                for one in (body if api else body["alerts"])]

    def test_alertmanager_identity(self):
        """What was raised there ends there, under the labels that it was raised with."""
        warning, critical = {"severity": "warning"}, {"severity": "critical"}
        web, database = {"component": "crm/web"}, {"component": "crm/database"}
        was, now = ("warning", "crm/web", True), ("critical", "crm/web", False)
        over = ("critical", "crm/web", True)
        superseded = [{"id": "1", "kind": "incident.changed"}]
        changed = {"kind": "incident.changed"}
        rows = [
            ("raised-en", {}, [now]),
            # Reason and state are no identity.
            ("raised-en", {**changed, "labels": {"reason": "x", "state": "y", "class": "z"}}, [now]),
            ("raised-en", {**changed, "told": [warning]}, [now, was]),
            ("raised-en", {**changed, "told": [warning, critical]}, [now, was]),
            ("raised-en", {**changed, "told": [web], "labels": database},
             [("critical", "crm/database", False), over]),
            # A reminder is of what was told last, whatever the labels are by now.
            ("raised-en", {"kind": "incident.reminder", "told": [warning]}, [("warning", "crm/web", False)]),
            ("raised-en", {"kind": "incident.reminder", "told": [warning, critical],
                           "superseded": superseded}, [now, was]),
            ("cleared-en", {}, [over]),
            ("cleared-en", {"told": [warning]}, [was]),
            ("cleared-en", {"told": [warning, critical]}, [over, was]),
            ("cleared-en", {"labels": database, "told": [web]}, [over]),
        ]
        for name in ("alertmanager", "alertmanager-api"):
            for sample, given, want in rows:
                with self.subTest(format=name, sample=sample, given=given):
                    self.assertEqual(self.alerts_of(name, sample, **given), want)

    def test_alertmanager_has_room(self):
        """As many alerts as one request has, each of which had as many other labels as tendd keeps."""
        for name in ("alertmanager", "alertmanager-api"):
            most = self.runner(name).declared["max_notices"]
            notice = many(most, "x" * 4096)
            for alert in notice["alerts"]:
                alert["kind"] = "incident.changed"
                alert["told"] = [{**alert["labels"], "team": f"team {i}"} for i in range(8)]
            body = json.loads(self.make(name, notice))
            self.assertEqual(len(body if name == "alertmanager-api" else body["alerts"]), 9 * most)

    def test_pagerduty_keys(self):
        raised = json.loads(self.make("pagerduty", view("raised-en")))
        cleared = json.loads(self.make("pagerduty", view("cleared-en")))
        self.assertEqual((raised["event_action"], cleared["event_action"]), ("trigger", "resolve"))
        self.assertEqual(raised["dedup_key"], cleared["dedup_key"])
        acknowledged = view("raised-en")
        acknowledged["alerts"][0]["kind"] = "incident.acknowledged"
        acknowledged["alerts"][0]["fingerprint"] = "x" * 300
        event = json.loads(self.make("pagerduty", acknowledged))
        self.assertEqual(event["event_action"], "acknowledge")
        self.assertEqual(event["dedup_key"], "tend/" + acknowledged["alerts"][0]["incident"])


class Judges(Case):
    def test_table(self):
        rows = [
            ("slack", 200, "ok", "delivered", None), ("slack", 200, '{"ok":true}', "delivered", None),
            ("slack", 404, "no_service", "failed", None), ("slack", 200, "no_service", "failed", None),
            ("slack", 200, "", "unclear", None),
            ("slack", 200, "x" * 64, "unclear", None), ("slack", 202, "", "unclear", None),
            ("slack", 200, "<html>", "unclear", None),
            ("teams", 202, "", "delivered", None), ("teams", 200, "1", "delivered", None),
            ("teams", 200, "Webhook message delivery failed with error: HTTP error 429", "retry", 60),
            ("teams", 200, "Webhook message delivery failed with error: 404", "failed", None),
            ("teams", 200, "\n <!DOCTYPE html>", "unclear", None),
            ("dingtalk", 200, '{"errcode":0,"errmsg":"ok"}', "delivered", None),
            ("dingtalk", 200, '{"errcode":130101,"errmsg":"too fast"}', "retry", 600),
            ("dingtalk", 200, '{"errcode":-1,"errmsg":"busy"}', "retry", None),
            ("dingtalk", 200, '{"errcode":460101}', "failed", None),
            ("dingtalk", 200, '{"errcode":310000,"errmsg":"sign not match"}', "failed", None),
            ("dingtalk", 200, '{"errcode":"0"}', "unclear", None),
            ("dingtalk", 200, "", "unclear", None), ("dingtalk", 200, "<html>", "unclear", None),
            ("dingtalk", 200, "[1]", "unclear", None), ("dingtalk", 200, '"x"', "unclear", None),
            ("dingtalk", 200, '{"errcode":7,"errmsg":"new"}', "unclear", None),
            ("dingtalk", 400, '{"errcode":7}', "failed", None), ("dingtalk", 400, "", "failed", None),
            ("feishu", 200, '{"code":0,"msg":"success"}', "delivered", None),
            ("feishu", 200, '{"StatusCode":0,"StatusMessage":"success"}', "delivered", None),
            ("feishu", 200, '{"code":11232,"msg":"frequency limited"}', "retry", 60),
            ("feishu", 400, '{"code":9499,"msg":"too many request"}', "retry", 60),
            ("feishu", 400, '{"code":9499,"msg":"Bad Request"}', "failed", None),
            ("feishu", 200, '{"code":19021,"msg":"sign match fail"}', "failed", None),
            ("feishu", 400, '{"code":0}', "failed", None), ("feishu", 200, "{}", "unclear", None),
            ("wecom", 200, '{"errcode":0}', "delivered", None),
            ("wecom", 200, '{"errcode":45009,"errmsg":"freq"}', "retry", 60),
            ("wecom", 200, '{"errcode":45033}', "retry", 60), ("wecom", 200, '{"errcode":-1}', "retry", None),
            ("wecom", 200, '{"errcode":40058}', "failed", None),
            ("wecom", 200, '{"errcode":93000}', "failed", None), ("wecom", 200, "ok", "unclear", None),
            ("pagerduty", 202, '{"status":"success"}', "delivered", None),
            ("pagerduty", 202, "", "delivered", None),
            ("pagerduty", 200, "<html>", "unclear", None),
            ("pagerduty", 400, '{"status":"invalid event"}', "failed", None),
            ("template", 200, "anything", "delivered", None), ("template", 404, "no", "failed", None),
        ]
        for name, status, body, verdict, after in rows:
            with self.subTest(format=name, status=status, body=body):
                got = self.runner(name).judge(status, body, **GIVEN.get(name, {}))
                self.assertEqual(got[:2], (verdict, after))
                self.assertEqual(bool(got[2]), verdict != "delivered")

    def test_expect(self):
        for body, verdict in (('{"ok":true}', "delivered"), ('{"ok":false}', "unclear")):
            got = self.runner("template").judge(200, body, expect='"ok":true', **TEMPLATE)
            self.assertEqual(got[0], verdict)

    def test_foreign_answers(self):
        """Whatever comes back, there is a verdict and it is short."""
        bodies = ["", "null", "[]", "{}", "0", '"x"', "{\"errcode\":{}}", '{"errcode":null,"code":[]}',
                  '{"errcode":1e300,"code":1e300}', '{"errcode":0.5}', '{"status":[1]}', '{"ok":"true"}',
                  '{"errcode":1,"errmsg":{"a":1}}', '{"code":1,"msg":[[[]]]}', "x" * 65536, "字" * 20000,
                  '{"errcode":1,"errmsg":"' + "\\u0000\\u202e" * 500 + '"}']
        for name in NAMES:
            if not self.runner(name).declared["judge"]:
                continue
            for body in bodies:
                for status in (200, 202, 204, 299, 400, 404):
                    with self.subTest(format=name, body=body[:40], status=status):
                        verdict, _, why = self.runner(name).judge(status, body, **GIVEN.get(name, {}))
                        self.assertIn(verdict, ("delivered", "retry", "failed", "unclear"))
                        self.assertFalse(verdict == "unclear" and status >= 400)
                        self.assertLess(len((why or "").encode()), 1024)


class Readme(Case):
    """The examples of lua/formats/README.md are formats, and say what they are said to say."""

    def blocks(self, language):
        text = read(os.path.join(TEND_LUA, "formats", "README.md"))
        return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)

    def test_formats(self):
        examples = self.blocks("lua")
        self.assertGreaterEqual(len(examples), 2)
        for source in examples:
            name = re.search(r'name = "(\w+)"', source).group(1)
            runner = Runner(name, source)
            self.addCleanup(runner.close)
            required = {option: "17" for option, row in runner.declared.get("options", {}).items()
                        if row.get("required")}
            notices = [view(sample) for sample in view_names()] + [many(500)]
            notices += [hostile(words) for words in HOSTILE]
            for notice in notices:
                body = runner.format(notice, **required)["body"]
                self.assertLessEqual(len(body), runner.declared["max_bytes"])
                self.assertTrue(body.decode())

    def test_the_pager_judges(self):
        runner = Runner("pager", self.blocks("lua")[0])
        self.addCleanup(runner.close)
        self.assertEqual(runner.judge(200, '{"state":"queued"}', number="17")[0], "delivered")
        self.assertEqual(runner.judge(200, '{"state":"busy"}', number="17")[:2], ("retry", 30))
        for body in ("", "[]", '{"state":1}'):
            self.assertEqual(runner.judge(200, body, number="17")[0], "unclear")

    def test_templates(self):
        n = 0
        for block in self.blocks("ini"):
            for section in block.split("\n\n"):
                given = dict(re.findall(r"^option\.(\w+) = (.*)$", section, re.M))
                if "format = template" not in section:
                    continue
                n += 1
                for sample in view_names():
                    self.make("template", view(sample), **given)
                for words in HOSTILE:
                    self.make("template", hostile(words), **given)
        self.assertEqual(n, 3)

    def test_every_placeholder_is_told(self):
        text = read(os.path.join(TEND_LUA, "formats", "README.md"))
        table = text.split("| placeholder | what |")[1].split("## Ten minutes")[0]
        told = set(re.findall(r"`([\w.]+)`", "\n".join(row.split("|")[1] for row in
                                                     table.split("\n") if row.startswith("| `"))))
        for name in told - {"label.NAME"}:
            self.make("template", view("raised-en"), body="{%s}" % name, content_type="text/plain")
        source = read(os.path.join(TEND_LUA, "formats", "template.lua"))
        names = set(re.search(r"\[\[(.*?)\]\]", source, re.S).group(1).split())
        self.assertEqual(told - {"label.NAME"}, names)

    def test_every_format_and_option_is_told(self):
        text = read(os.path.join(TEND_LUA, "formats", "README.md"))
        for name in NAMES:
            self.assertIn(f"| {name} |", text)
            for option in self.runner(name).declared["options"]:
                self.assertRegex(text, rf"`(option\.)?{option}`")


if __name__ == "__main__":
    unittest.main(argv=[one for one in sys.argv if one != "--accept"])
