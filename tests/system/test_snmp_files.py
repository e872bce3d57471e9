# SPDX-License-Identifier: MIT
"""The files we give to others: TEND-MIB to smilint and net-snmp's tools, the snippet to snmpd."""

import os
import subprocess
import unittest

from tendbox import wait_for
from snmpbox import ROOT, NetSnmp, Scratch, free_port

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
