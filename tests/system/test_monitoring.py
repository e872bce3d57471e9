# SPDX-License-Identifier: MIT
"""What we give to Zabbix, Prometheus and Grafana, against a live tendd with a real snmpd."""

import json
import os
import re
import shutil
import socket
import subprocess
import unittest
import urllib.request

import yaml

import test_snmp_tendd
from snmpbox import BUILD, ROOT, USER

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONTRIB = os.path.join(TOP, "contrib")
NUMBER = ("INTEGER", "Gauge32", "Counter32", "Counter64", "TimeTicks", "Unsigned32", "TruthValue")

POLICY = """policy "keep-sets" {
	doc = "Keeps two backup sets on record, as the policy of backups does.",
	hand = true,
	targets = { kind = "web" },
	schedule = { cron = "0 2 * * *", timezone = "UTC" },
	run = function(ctx)
		local now = tend.now()
		tend.record.put { kind = "backup", scope = "crm/web", key = "old",
			value = { label = "old", at = 1600000000, verified_at = 1600000100,
				proven_at = 1600000200, rto = 12.5, rpo = 86400 } }
		tend.record.put { kind = "backup", scope = "crm/web", key = "new",
			value = { label = "new", at = 1600090000, why = "it was cut short" } }
		return true
	end,
}
"""


def read(*path):
    with open(os.path.join(CONTRIB, *path), encoding="utf-8") as file:
        return file.read()


def template():
    return yaml.safe_load(read("zabbix", "tend_snmp.yaml"))["zabbix_export"]["templates"][0]


def items(tree):
    """(item, its rule or None)."""
    for item in tree["items"]:
        yield item, None
    for rule in tree["discovery_rules"]:
        for item in rule["item_prototypes"]:
            yield item, rule


class Mib:
    """Names, syntaxes and enumerations by the text of TEND-MIB."""

    def __init__(self):
        text = read("mibs", "TEND-MIB.txt")
        self.enums = {name: dict((value, label) for label, value in
                                 re.findall(r"([a-zA-Z]+)\((\d+)\)", body))
                      for name, body in re.findall(
                          r"^(Tend\w+) ::= TEXTUAL-CONVENTION.*?INTEGER \{(.*?)\}", text,
                          re.M | re.S)}
        self.enums["TruthValue"] = {"1": "true", "2": "false"}
        self.tables = {name: number for name, number in re.findall(
            r"^tend(\w+)Table OBJECT-TYPE.*?::= \{ tendObjects (\d+) \}", text, re.M | re.S)}
        self.syntax = {}
        for syntax, parent, number in re.findall(
                r"^tend\w+ OBJECT-TYPE\n +SYNTAX +(\S+).*?::= \{ (tend\w+) (\d+) \}", text,
                re.M | re.S):
            if parent == "tendDaemon":
                self.syntax[f"1.{number}.0"] = syntax
            elif parent.endswith("Entry"):
                self.syntax[f"{self.tables[parent[4:-5]]}.1.{number}"] = syntax

    def of(self, oid):
        """The syntax of a scalar or a column."""
        assert oid.startswith(f"{ROOT}.1."), oid
        return self.syntax[oid[len(ROOT) + 3:].removesuffix(".{#SNMPINDEX}")]


class Files(unittest.TestCase):
    """What can be seen without a daemon."""

    def test_the_template_is_one(self):
        export = yaml.safe_load(read("zabbix", "tend_snmp.yaml"))["zabbix_export"]
        self.assertEqual((export["version"], len(export["templates"])), ("6.0", 1))
        tree = export["templates"][0]
        uuids = re.findall(r"uuid: (\S+)", read("zabbix", "tend_snmp.yaml"))
        self.assertEqual(len(uuids), len(set(uuids)))
        for uuid in uuids:
            self.assertRegex(uuid, r"^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$")
        maps = {one["name"]: {m["value"]: m["newvalue"] for m in one["mappings"]}
                for one in tree["valuemaps"]}
        mib = Mib()
        keys, used = [], set()
        for item, rule in items(tree):
            keys.append(item["key"])
            syntax = mib.of(item["snmp_oid"])
            with self.subTest(item=item["key"]):
                self.assertEqual(item["type"], "SNMP_AGENT")
                self.assertTrue(item["description"])
                text = syntax not in NUMBER and syntax not in mib.enums
                self.assertEqual(item.get("value_type", "UNSIGNED") in ("CHAR", "TEXT"), text)
                if syntax in mib.enums:
                    self.assertEqual(maps[item["valuemap"]["name"]], mib.enums[syntax])
                    used.add(syntax)
                if rule:
                    self.assertIn(re.search(r"\[(.*)\]", item["key"])[1], rule["snmp_oid"])
        self.assertEqual(len(keys), len(set(keys)))
        self.assertEqual(used, set(maps))

    def test_triggers_are_about_items_of_the_template(self):
        tree = template()
        keys = {item["key"] for item, _ in items(tree)}
        macros = {one["macro"] for one in tree["macros"]}
        n = 0
        for item, _ in items(tree):
            for trigger in item.get("triggers", []) + item.get("trigger_prototypes", []):
                expression = trigger["expression"]
                found = re.findall(r"\(/Tend by SNMP/([^,\[\)]+(?:\[[^\]]*\])?)", expression)
                self.assertTrue(found, expression)
                self.assertTrue(set(found) <= keys, expression)
                self.assertTrue(set(re.findall(r"\{\$[A-Z.]+\}", expression)) <= macros)
                self.assertIn(trigger["priority"],
                              ("INFO", "WARNING", "AVERAGE", "HIGH", "DISASTER"))
                n += 1
        self.assertGreater(n, 10)

    def test_the_rules_raise_when_they_should(self):
        scratch = self.enterContext(TemporaryFolder())
        shutil.copy(os.path.join(CONTRIB, "prometheus", "tend.rules.yml"), scratch)
        shutil.copy(os.path.join(CONTRIB, "prometheus", "scrape.yml"), scratch)
        shutil.copy(os.path.join(os.path.dirname(__file__), "tend_rules_test.yml"), scratch)
        for command in (("check", "config", "scrape.yml"), ("check", "rules", "tend.rules.yml"),
                        ("test", "rules", "tend_rules_test.yml")):
            done = subprocess.run(["promtool", *command], cwd=scratch, capture_output=True,
                                  text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_dashboard_is_one(self):
        board = json.loads(read("grafana", "tend.json"))
        panels = board["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        variables = {one["name"] for one in board["templating"]["list"]}
        expressions = dashboard_expressions()
        self.assertGreater(len(expressions), 20)
        names = {name for one in expressions for name in re.findall(r"\$\{?(\w+)", one)}
        self.assertTrue(names - {"__range"} <= variables, names)
        # promtool parses them as rules.
        rules = {"groups": [{"name": "all", "rules": [
            {"record": f"x{n}", "expr": one.replace("$__range", "1h").replace("$instance", ".*")
             .replace("$system", ".*")} for n, one in enumerate(expressions)]}]}
        scratch = self.enterContext(TemporaryFolder())
        with open(os.path.join(scratch, "board.yml"), "w", encoding="utf-8") as file:
            yaml.safe_dump(rules, file)
        done = subprocess.run(["promtool", "check", "rules", "board.yml"], cwd=scratch,
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        # No two panels on one place.
        taken = set()
        for panel in panels:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                     for y in range(at["y"], at["y"] + at["h"])}
            self.assertFalse(taken & cells, panel["title"])
            self.assertTrue(all(x < 24 for x, _ in cells), panel["title"])
            taken |= cells


class TemporaryFolder:
    def __enter__(self):
        from tempfile import mkdtemp
        self.path = mkdtemp(prefix="tend-monitoring-")
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path)


def dashboard_expressions():
    board = json.loads(read("grafana", "tend.json"))
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]


def rule_expressions():
    groups = yaml.safe_load(read("prometheus", "tend.rules.yml"))["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def free_tcp_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Live(test_snmp_tendd.Tendd):
    # Those of the class it builds on run in its own file.
    test_a_fault_is_walked_and_told = test_snmpd_frozen_holds_nothing_up = None
    test_the_inform_waits_for_its_receiver = test_helpers_that_are_killed_come_back = None

    def setUp(self):
        self.http_port = free_tcp_port()
        super().setUp()

    def start_tendd(self, master):
        os.mkdir(self.scratch.file("policies"))
        self.scratch.file("policies/keep-sets.lua", POLICY)
        self.more_daemon = (f"http_listen = 127.0.0.1:{self.http_port}\n"
                            f"lua_dir = {TOP}/lua\npolicy_dirs = {self.scratch.path}/policies\n"
                            "admins = root\n")
        # The same station twice: nms by the route, watcher for heartbeats.
        self.more = f"""
[receiver watcher]
type = snmp
host = 127.0.0.1:{self.trap_port}
user = {USER}
auth_protocol = SHA-256
auth_password = file:{self.scratch.path}/auth
priv_protocol = AES
priv_password = file:{self.scratch.path}/priv
heartbeat = 2s

[window night]
cron = 0 2 * * *
duration = 1h
alerts = quiet
"""
        return super().start_tendd(master)

    def ctl(self, *argv):
        return subprocess.run(
            [os.path.join(BUILD, "daemon", "ctl", "tendctl"), "--socket",
             self.scratch.file("run/tend.sock"), *argv], capture_output=True, text=True,
            check=False)

    def with_everything(self):
        """A walk in which each table has a row: an incident is open, a policy has run."""
        self.wait(lambda: self.walk().get(f".{ROOT}.1.1.4.0") == "1", 15, "the check to be ok")
        self.wait(lambda: self.ctl("policy", "run", "keep-sets", "crm/web").returncode == 0, 20,
                  "the policy to be known and started")
        self.stop_web()

        def full():
            seen = self.walk()
            rows = [any(name.startswith(f".{ROOT}.1.{table}.1.") for name in seen)
                    for table in (2, 3, 4, 5, 6, 7, 8, 10, 11)]
            return seen if all(rows) else None

        return self.wait(full, 40, "a row in each table")

    def test_heartbeats_and_tests_are_told(self):
        first = self.wait(lambda: self.told(12), 20, "a heartbeat")[0]
        self.assertEqual((first["5"], first["6"]), ("daemon/heartbeat", "0"))
        self.wait(lambda: len(self.told(12)) >= 3, 20, "more of them")
        # They take no number of the sequence, but have ids of their own.
        self.assertEqual({one["2"] for one in self.told(12)}, {"0"})
        ids = [one["1"] for one in self.told(12)]
        self.assertEqual(len(ids), len(set(ids)))
        scalars = re.findall(rf"\.{re.escape(ROOT)}\.1\.1\.(\d+)\.0 = ([A-Za-z0-9]+): (\d+)",
                             self.trapd.text())
        self.assertEqual({number for number, _, _ in scalars},
                         {"3", "13", "14", "15", "16", "17"})
        self.assertIn(("17", "INTEGER", "1"), scalars)
        self.assertIn(("14", "INTEGER", "1"), scalars)
        done = self.ctl("receiver", "test", "watcher")
        self.assertEqual(done.returncode, 0, done.stderr)
        told = self.wait(lambda: self.told(13), 15, "the test")
        self.assertEqual(len(told), 1)

    def get(self, *names):
        """As Zabbix asks: the names of one request; {name: (type, value)}."""
        env = dict(os.environ, MIBS="", SNMPCONFPATH=self.scratch.path,
                   SNMP_PERSISTENT_DIR=self.scratch.file("client"))
        out = subprocess.run(["snmpget", "-v2c", "-c", "public", "-On", "-Oe", "-Ot",
                              f"udp:127.0.0.1:{self.agent_port}", *names], env=env,
                             capture_output=True, text=True, check=False).stdout
        return {name: (kind, value.strip('"')) for name, kind, value in
                re.findall(r'^\.([0-9.]+) = (?:([A-Za-z0-9-]+): )?(.*)$', out, re.M)}

    def test_zabbix_gets_all_that_it_polls(self):
        seen = self.with_everything()
        tree = template()
        n = 0
        for item, rule in items(tree):
            oids = [item["snmp_oid"]]
            if rule:
                # Discovery: {#MACRO},OID pairs; the index is what follows the first column's OID.
                pairs = re.fullmatch(r"discovery\[(.*)\]", rule["snmp_oid"])[1].split(",")
                self.assertEqual(len(pairs) % 2, 0)
                rows = {}
                for macro, oid in zip(pairs[0::2], pairs[1::2]):
                    for name, value in seen.items():
                        if name.startswith(f".{oid}."):
                            rows.setdefault(name[len(oid) + 2:], {})[macro] = value
                self.assertTrue(rows, rule["name"])
                for macros in rows.values():
                    self.assertEqual(set(macros), set(pairs[0::2]))
                    self.assertTrue(all(macros.values()), rule["name"])
                oids = [item["snmp_oid"].replace("{#SNMPINDEX}", index) for index in rows]
            answers = self.get(*oids)
            with self.subTest(item=item["key"]):
                self.assertEqual(set(answers), set(oids))
                for kind, value in answers.values():
                    self.assertNotIn("No Such", value)
                    text = item.get("value_type") in ("CHAR", "TEXT")
                    # An empty text has no type in this output, nor have TimeTicks.
                    self.assertEqual(kind == "STRING" or value == "", text, (kind, value))
                    if not text:
                        self.assertRegex(value, r"^\d+$")
                        n += 1
        self.assertGreater(n, 30)

    def test_the_tables_say_what_is_so(self):
        seen = self.with_everything()

        def row(table, column, wanted):
            found = [name.rsplit(".", 1)[1] for name, value in seen.items()
                     if name.startswith(f".{ROOT}.1.{table}.1.{column}.") and value == wanted]
            self.assertEqual(len(found), 1, (table, wanted))
            return lambda n: seen[f".{ROOT}.1.{table}.1.{n}.{found[0]}"]

        policy = row(6, 2, "keep-sets")
        self.assertEqual(policy(5), "1")
        self.assertEqual(policy(8), "2")  # done
        self.assertNotEqual(policy(10).split()[:2], ["00", "00"])  # its schedule's next time
        backup = row(7, 2, "crm/web")
        self.assertEqual((backup(3), backup(4), backup(11)), ("4", "new", "2"))  # bad
        self.assertEqual((backup(9), backup(10), backup(12)), ("86400", "13", "it was cut short"))
        self.assertGreater(int(backup(8)), 86400 * 365)
        receiver = row(8, 2, "nms")
        self.assertEqual((receiver(3), receiver(4)), ("snmp", "0"))
        window = row(11, 2, "night")
        self.assertEqual(window(3), "0")
        # A station that has seen nothing yet reads the log from 0 on and has what was told.
        told = self.wait(lambda: self.told(1), 15, "the raise")[0]
        index = [name.rsplit(".", 1)[1] for name, value in seen.items()
                 if name.startswith(f".{ROOT}.1.8.1.2.") and value == "nms"][0]
        log = f".{ROOT}.1.10.1"
        seen = self.wait(lambda: (self.walk().get(f"{log}.9.{index}.{told['2']}") == "1"
                                  and self.walk()), 20, "the log to say that it was delivered")
        self.assertEqual(seen[f"{log}.2.{index}.{told['2']}"], told["1"])
        self.assertEqual(seen[f"{log}.3.{index}.{told['2']}"], "incident.raised")
        self.assertEqual(seen[f"{log}.6.{index}.{told['2']}"], told["4"])
        self.assertEqual(seen[f"{log}.8.{index}.{told['2']}"], told["12"])

    def test_metrics_have_what_is_asked_of_them(self):
        self.with_everything()
        url = f"http://127.0.0.1:{self.http_port}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            text = answer.read().decode()
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True,
                              text=True, check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
        samples = set(re.findall(r"^(tend_[a-z_]+)[ {]", text, re.M))
        for expression in dashboard_expressions() + rule_expressions():
            for name in re.findall(r"\btend_[a-z_]+\b(?!:)", expression):
                with self.subTest(expression=expression):
                    self.assertIn(name, samples)
                labels = set(re.findall(r'[{,]\s*(\w+)=~?"', expression)) - {"instance", "job"}
                for label in labels:
                    self.assertRegex(text, rf"(?m)^tend_[a-z_]+{{.*\b{label}=")
        self.assertRegex(text, r'tend_notices_failed_total\{receiver="nms",reason="expired"\} 0\n')
        self.assertRegex(text, r'tend_policy_last_run_success\{policy="keep-sets"\} 1\n')
        self.assertRegex(text, r'tend_build_info\{version="[0-9.]+"\} 1\n')


if __name__ == "__main__":
    unittest.main()
