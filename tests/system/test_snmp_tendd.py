# SPDX-License-Identifier: MIT
"""tendd with both helpers, a real snmpd and a real snmptrapd: a fault is walked and told by SNMP."""

import http.server
import os
import re
import signal
import subprocess
import threading
import time
import unittest

from tendbox import wait_for
from snmpbox import AUTH, BUILD, PRIV, ROOT, USER, NetSnmp, Scratch, end, free_port, trapd


class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


class Tendd(unittest.TestCase):
    more_daemon = more = ""  # configuration of those who build on this
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.close)
        self.agent_port, self.trap_port = free_port(), free_port()
        master = self.scratch.file("agentx.sock")
        self.snmpd = NetSnmp(self.scratch, "snmpd", "/usr/sbin/snmpd", f"""master agentx
agentXSocket unix:{master}
rocommunity public 127.0.0.1
""", f"udp:127.0.0.1:{self.agent_port}").start()
        self.trapd = trapd(self.scratch, "trapd", f"udp:127.0.0.1:{self.trap_port}").start()
        self.web = None
        self.start_web(0)
        self.addCleanup(self.stop_web)
        self.tendd = self.start_tendd(master)

    def start_web(self, port):
        self.web = http.server.ThreadingHTTPServer(("127.0.0.1", port), Web)
        self.web_port = self.web.server_address[1]
        threading.Thread(target=self.web.serve_forever, args=(0.05,), daemon=True).start()

    def stop_web(self):
        if self.web:
            self.web.shutdown()
            self.web.server_close()
            self.web = None

    def start_tendd(self, master):
        for name in ("state", "run", "libexec"):
            os.mkdir(self.scratch.file(name))
        for program in ("snmp/tend-snmp", "snmp/tend-agentx", "run/tend-run"):
            path = os.path.abspath(os.path.join(BUILD, "daemon", program))
            os.symlink(path, self.scratch.file(f"libexec/{os.path.basename(path)}"))
        for name, secret in (("auth", AUTH), ("priv", PRIV)):
            os.chmod(self.scratch.file(name, secret + "\n"), 0o600)
        config = self.scratch.file("tend.conf", f"""[daemon]
state_dir = {self.scratch.path}/state
run_dir = {self.scratch.path}/run
libexec_dir = {self.scratch.path}/libexec
agentx_socket = unix:{master}
agentx_ping = 1s
{self.more_daemon}

[system crm]
environment = production

[component crm/web]
kind = web

[check crm/web/page]
probe = http
interval = 1s
timeout = 500ms
confirm = 2 of 2
url = http://127.0.0.1:{self.web_port}/

[receiver nms]
type = snmp
host = 127.0.0.1:{self.trap_port}
user = {USER}
auth_protocol = SHA-256
auth_password = file:{self.scratch.path}/auth
priv_protocol = AES
priv_password = file:{self.scratch.path}/priv
timeout = 2s

[route default]
receivers = nms
{self.more}
""")
        self.log = self.scratch.file("tendd.log")
        log = open(self.log, "wb")
        self.addCleanup(log.close)
        return self.scratch.spawn(
            [os.path.join(BUILD, "daemon", "tendd"), "-f", "-c", config, "--plugin-dir",
             os.path.join(BUILD, "plugins")], stdout=log, stderr=log)

    def walk(self):
        env = dict(os.environ, MIBS="", SNMPCONFPATH=self.scratch.path,
                   SNMP_PERSISTENT_DIR=self.scratch.file("client"))
        out = subprocess.run(["snmpbulkwalk", "-v2c", "-c", "public", "-On", "-OQ", "-Oe", "-Ot",
                              "-t", "1", "-r", "0", f"udp:127.0.0.1:{self.agent_port}",
                              f".{ROOT}"], env=env, capture_output=True, text=True, check=False)
        return {name: value.strip('"') for name, value
                in re.findall(r"^(\.[0-9.]+) = (.*)$", out.stdout, re.M)}

    def told(self, notification):
        """The notices of one kind, each as {column: value}."""
        found = []
        for trap in self.trapd.text().split("TRAP\n")[1:]:
            if not re.search(rf"OID: \.{re.escape(ROOT)}\.0\.{notification}\b", trap):
                continue
            found.append(dict(re.findall(
                rf"\.{re.escape(ROOT)}\.1\.20\.(\d+)\.0 = [A-Za-z0-9-]+: \"?([^\t\n\"]*)", trap)))
        return found

    def wait(self, condition, timeout, what):
        self.assertIsNone(self.tendd.poll(), "tendd ended")
        try:
            return wait_for(condition, timeout, what, interval=0.1)
        except AssertionError as error:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                raise AssertionError(f"{error}\n{log.read()[-3000:]}") from error

    def test_a_fault_is_walked_and_told(self):
        state = f".{ROOT}.1.4.1.4."
        rows = self.wait(lambda: {k: v for k, v in self.walk().items() if k.startswith(state)
                                  and v == "0"}, 15, "the check to be ok")
        index = list(rows)[0][len(state):]
        self.assertEqual(self.walk()[f".{ROOT}.1.4.1.2.{index}"], "crm/web/page")
        self.stop_web()
        seen = self.wait(lambda: (self.walk().get(state + index) == "2"
                                  and any(name.startswith(f".{ROOT}.1.5.1.2.")
                                          for name in self.walk()) and self.walk()),
                         15, "the fault in the walk")
        self.assertEqual(seen[f".{ROOT}.1.1.3.0"], "2")
        self.assertEqual(seen[f".{ROOT}.1.1.6.0"], "1")
        self.assertEqual(seen[f".{ROOT}.1.4.1.6.{index}"], "2")  # connect-refused
        incident = [v for k, v in seen.items() if k.startswith(f".{ROOT}.1.5.1.2.")]
        raised = self.wait(lambda: self.told(1), 15, "the raise")
        self.assertEqual(len(raised), 1)
        self.assertEqual(raised[0]["4"], incident[0])
        self.assertEqual((raised[0]["5"], raised[0]["10"], raised[0]["11"]),
                         ("crm/web/page", "2", "2"))
        self.wait(lambda: self.walk().get(f".{ROOT}.1.1.11.0") == raised[0]["2"], 10,
                  "the sequence in the walk")
        self.assertEqual(self.walk()[f".{ROOT}.1.1.12.0"], raised[0]["3"])
        self.start_web(self.web_port)
        cleared = self.wait(lambda: self.told(3), 15, "the clear")
        self.assertEqual(cleared[0]["4"], incident[0])
        self.assertEqual(int(cleared[0]["2"]), int(raised[0]["2"]) + 1)
        self.wait(lambda: not any(name.startswith(f".{ROOT}.1.5.1.") for name in self.walk()), 10,
                  "the incident to leave the table")

    def test_snmpd_frozen_holds_nothing_up(self):
        self.wait(lambda: self.walk().get(f".{ROOT}.1.1.4.0") == "1", 15, "the check to be ok")
        self.snmpd.signal(signal.SIGSTOP)
        self.stop_web()
        began = time.monotonic()
        self.wait(lambda: self.told(1), 10, "the raise")
        self.assertLess(time.monotonic() - began, 60)
        self.snmpd.signal(signal.SIGCONT)
        self.wait(lambda: self.walk().get(f".{ROOT}.1.1.6.0") == "1", 15, "the fault in the walk")

    def test_the_inform_waits_for_its_receiver(self):
        self.wait(lambda: self.walk().get(f".{ROOT}.1.1.4.0") == "1", 15, "the check to be ok")
        self.trapd.stop()
        self.stop_web()
        self.wait(lambda: self.walk().get(f".{ROOT}.1.1.13.0") == "1", 15,
                  "one notice in the outbox")
        self.trapd.start()
        self.wait(lambda: self.told(1), 30, "the raise")
        self.wait(lambda: self.walk().get(f".{ROOT}.1.1.13.0") == "0", 10, "an empty outbox")
        self.assertEqual(len({trap["1"] for trap in self.told(1)}), 1)

    def test_helpers_that_are_killed_come_back(self):
        self.wait(lambda: self.walk().get(f".{ROOT}.1.1.4.0") == "1", 15, "the check to be ok")
        children = subprocess.run(["pgrep", "-P", str(self.tendd.pid), "-a"], text=True,
                                  capture_output=True, check=True).stdout
        pids = [int(line.split()[0]) for line in children.splitlines()
                if re.search("libexec/tend-(snmp|agentx)", line)]
        self.assertEqual(len(pids), 2, children)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.stop_web()
        self.wait(lambda: self.told(1), 15, "the raise")
        self.wait(lambda: self.walk().get(f".{ROOT}.1.1.6.0") == "1", 15, "the fault in the walk")
        end(self.tendd)


if __name__ == "__main__":
    unittest.main()
