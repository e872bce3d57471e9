# SPDX-License-Identifier: MIT
"""The files we give to others: TEND-MIB to smilint and net-snmp's tools, the snippet to snmpd."""

import json
import os
import re
import subprocess
import unittest

from tendbox import wait_for
from snmpbox import AUTH, BUILD, PRIV, ROOT, USER, Helper, NetSnmp, Scratch, free_port, trapd

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BASE = os.path.join(os.environ.get("TEND_DEV_CACHE", "/var/cache/tend-dev"), "mibs")
SHARED = "/usr/share/snmp/mibs"
MIBS = os.path.join(TOP, "contrib", "mibs")


class Files(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        self.assertTrue(os.path.exists(os.path.join(BASE, "SNMPv2-SMI")),
                        f"no base modules in {BASE}: contrib/dev setup fetches them")

    def test_smilint_has_nothing_to_say(self):
        done = subprocess.run(
            ["smilint", "-l", "6", "-s", os.path.join(MIBS, "TEND-MIB.txt")], text=True,
            env=dict(os.environ, SMIPATH=f"{BASE}:{SHARED}"), capture_output=True, check=False)
        # It exits 0 even with warnings.
        self.assertEqual((done.stdout, done.stderr, done.returncode), ("", "", 0))

    def test_another_root_is_clean_too(self):
        for root in ("1.3.6.1.4.1.99999", "1.3.6.1.4.1.99999.7.4"):
            with self.subTest(root=root):
                binary = self.scratch.file("root-" + root)
                script = self.scratch.file("root.cmake", f"""
set(TEND_OID_ROOT {root})
set(CMAKE_CURRENT_SOURCE_DIR {MIBS})
set(CMAKE_CURRENT_BINARY_DIR {binary})
function(install)
endfunction()
function(set_property)
endfunction()
include({MIBS}/CMakeLists.txt)
""")
                os.makedirs(binary)
                subprocess.run(["cmake", "-P", script], check=True, capture_output=True)
                done = subprocess.run(
                    ["smilint", "-l", "6", "-s", f"{binary}/TEND-MIB.txt"], text=True,
                    env=dict(os.environ, SMIPATH=f"{BASE}:{SHARED}"), capture_output=True,
                    check=False)
                self.assertEqual((done.stdout, done.stderr), ("", ""))
                self.assertEqual(self.translate("tendCheckState", binary), f".{root}.1.4.1.4")

    def translate(self, name, folder=MIBS):
        env = dict(os.environ, MIBDIRS=f"{BASE}:{SHARED}:{folder}",
                   SNMP_PERSISTENT_DIR=self.scratch.file("client"))
        return subprocess.run(["snmptranslate", "-m", "TEND-MIB", "-On", f"TEND-MIB::{name}"],
                              env=env, text=True, capture_output=True, check=True).stdout.strip()

    def test_net_snmp_reads_it(self):
        self.assertEqual(self.translate("tendCheckState"), f".{ROOT}.1.4.1.4")
        self.assertEqual(self.translate("tendIncidentRaised"), f".{ROOT}.0.1")

    def test_every_notification_decodes_by_name(self):
        """What tendd sends for each kind of notice, by tend-snmp to a snmptrapd that has the MIB."""
        port = free_port()
        receiver = trapd(self.scratch, "trapd", f"udp:127.0.0.1:{port}")
        receiver.mibs = {"MIBS": "TEND-MIB:SNMPv2-MIB", "MIBDIRS": f"{BASE}:{SHARED}:{MIBS}"}
        receiver.start()
        notify = Helper(self.scratch, "tend-snmp", "notify")
        self.addCleanup(notify.close)
        tool = os.path.join(BUILD, "tests", "unit", "varbinds_tool")
        lines = subprocess.run([tool], capture_output=True, text=True, check=True).stdout
        kinds = [json.loads(line) for line in lines.splitlines()]
        sent = {}
        for notice in kinds:
            if notice["varbinds"]:
                sent[notify.call("inform", {
                    "host": f"127.0.0.1:{port}", "version": "3", "user": USER,
                    "auth_protocol": "SHA-256", "auth_password": AUTH, "priv_protocol": "AES",
                    "priv_password": PRIV, "timeout_msec": 5000,
                    "varbinds": notice["varbinds"]})] = notice
        for number in sent:
            self.assertTrue(notify.answer(number).get("ok", {}).get("acknowledged"))
        told = {}
        for trap in receiver.text().split("TRAP\n")[1:]:
            variables = trap.split("END\n")[0]
            self.assertNotRegex(variables, r"SNMPv2-SMI::|enterprises|8072", "a number, not a name")
            name = re.search(r"snmpTrapOID\.0 = OID: TEND-MIB::(\w+)", variables)[1]
            told[name] = dict(re.findall(r"TEND-MIB::(\w+)\.0 = (.*?)(?=\t|\n|$)", variables))
        self.assertEqual(len(told), len(sent))
        with open(os.path.join(MIBS, "TEND-MIB.txt"), encoding="ascii") as file:
            declared = re.findall(r"^(tend\w+) NOTIFICATION-TYPE\n +OBJECTS +\{(.*?)\}", file.read(),
                                  re.M | re.S)
        self.assertEqual(set(told), {name for name, _ in declared})
        for name, objects in declared:
            self.assertEqual(list(told[name]), re.findall(r"\w+", objects), name)
        self.assertEqual([notice["kind"] for notice in kinds if not notice["varbinds"]],
                         ["incident.reminder", "incident.acknowledged"])
        raised = told["tendIncidentRaised"]
        self.assertEqual(raised["tendNoticeSeverity"], "INTEGER: critical(2)")
        self.assertEqual(raised["tendNoticeReason"], "INTEGER: connectRefused(2)")
        self.assertEqual(raised["tendNoticeTime"], "STRING: 2026-11-22,2:31:39.5,+0:0")
        alive = told["tendHeartbeat"]
        self.assertEqual(alive["tendLoopLag"], "Gauge32: 250000 microseconds")
        self.assertEqual(alive["tendConfigState"], "INTEGER: loaded(1)")
        self.assertEqual(alive["tendActionsEnabled"], "INTEGER: false(2)")
        self.assertIn("test", told["tendTest"]["tendNoticeText"])

    def test_snmpd_takes_the_snippet(self):
        with open(os.path.join(TOP, "etc", "snmp", "tend.conf"), encoding="ascii") as file:
            text = file.read()
        # What is commented out is tried as well; paths and names of the machine are not there.
        text = text.replace("#view", "view").replace("#rouser", "rouser")
        text = text.replace("/run/agentx/master", self.scratch.file("master"))
        text = text.replace("Debian-snmp tend", "root root")
        snmpd = NetSnmp(self.scratch, "snippet", "/usr/sbin/snmpd", text,
                        f"udp:127.0.0.1:{free_port()}").start()
        wait_for(lambda: os.path.exists(self.scratch.file("master")), 5, "the AgentX socket")
        self.assertIn(f"view tend included .{ROOT}", text)
        for word in ("Unknown token", "Error", "error:", "Warning"):
            self.assertNotIn(word, snmpd.text())


if __name__ == "__main__":
    unittest.main()
