# SPDX-License-Identifier: MIT
"""The probes of a machine in a box with a real systemd: a real tendd, tend-spawn and tend-look, here
and, by ssh, on another host. What needs no systemd is in test_look.py."""

import concurrent.futures
import unittest

import hostnet
from tendbox import Box, tend, wait_for

SPAWN_KEY = "/etc/tend/secrets/spawn-key"
LOG = "/srv/app.log"
SIX = "fd98::"

UNITS = {
    "job.service": "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'test ! -e /run/job-fails'\n",
    "job.timer": "[Timer]\nOnCalendar=hourly\nPersistent=no\n[Install]\nWantedBy=timers.target\n",
    "long.service": "[Service]\nType=oneshot\nExecStart=/bin/sleep 600\n",
    "long.timer": "[Timer]\nOnCalendar=hourly\n",
    "once.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "once.timer": "[Timer]\nOnCalendar=2001-01-01\n",
    "app.service": "[Service]\nExecStart=/bin/sleep 100000\n",
    # As multi-user.target does: a unit that nobody wants is forgotten when it ends, and in a box the
    # journal of this boot cannot be told from the host's by then.
    "wants.target": "[Unit]\nWants=app.service\n",
}

CHECKS = {
    "host": "probe = host\nmounts = /, /srv/small\n",
    "sleepers": "probe = process\nunit = app.service\n",
    "job": "probe = timer\ntimer = job.timer\nmax_age = 1d\n",
    "long": "probe = timer\ntimer = long.timer\nmax_run = 1s\n",
    "once": "probe = timer\ntimer = once.timer\n",
    "no-timer": "probe = timer\ntimer = none.timer\n",
    "unit": "probe = unit\nunit = app.service\n",
    "journal": "probe = journal\npattern.oops = Oops [0-9]+\nallow.oops = 1\nwindow = 1h\n"
               "units = grumble\n",
    "unwritten": "probe = journal\npattern.oops = Oops\nunits = nobody\n",
    "kinds": "probe = journal\nnew = yes\nlearn = 0\nwindow = 1h\nunits = noise, tend*\n",
    "log": f"probe = logfile\npath = {LOG}\npattern.bad = ERROR\nwindow = 1h\n",
    "folder": "probe = file\npath = /srv/attachments\ntype = folder\nrecurse = yes\ndrop_pct = 30\n",
    "secret": "probe = file\npath = /root/secret/file\n",
}

# On the host of tendd only: how they get there is the same for all.
CLAMD_SOCKET, SIGNATURES = "/run/clamd-test/ctl", "/srv/clam/test.hdb"
CHECKS_HERE = {
    "cert": "probe = certfile\npaths = /srv/tls/*.crt\nnames = crm.example\n",
    "ports": "probe = ports\nport.web = 8080/tcp loopback\nport.time = 8123/udp\n",
    "firewall": "probe = firewall\npolicy.input = drop\ntables = inet filter\n"
                "fingerprint = remember\nmin_rules = 2\n",
    "antivirus": f"probe = antivirus\nsocket = {CLAMD_SOCKET}\nfolder = /srv/clam\ntest = yes\n",
}
CLAMD = f"""DatabaseDirectory /srv/clam
LocalSocket {CLAMD_SOCKET}
LocalSocketMode 666
Foreground yes
SelfCheck 0
"""
# The MD5 and the length of the test file that every scanner knows.
EICAR = "44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test\n"
RULES = """table inet filter {
  chain input {
    type filter hook input priority 0; policy drop;
    iif lo counter accept
    iifname "tend*" counter accept
    tcp dport 22 counter accept
  }
}
"""
LISTEN = """import socket, time
web = socket.create_server(("127.0.0.1", 8080))
clock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
clock.bind(("0.0.0.0", 8123))
time.sleep(1e6)
"""
UNITS_HERE = {
    "clam.service": "[Service]\nRuntimeDirectory=clamd-test\nExecStart=/usr/sbin/clamd -c /srv/clamd.conf\n",
    "listen.service": "[Service]\nExecStart=/usr/bin/python3 /srv/listen.py\n",
    "listen-more.service": "[Service]\nExecStart=/usr/bin/python3 -c 'import socket, time; "
                           "s = socket.create_server((\"\", 8099)); time.sleep(1e6)'\n",
}


def conf(host=None):
    text = "[system m]\nenvironment = staging\n"
    if host:
        text += hostnet.host_section("b", 1, spawn_identity_file=SPAWN_KEY)
        text += (f"[host six]\naddress = {SIX}2\nidentity_file = {hostnet.KEY}\n"
                 f"spawn_identity_file = {SPAWN_KEY}\n[component m/six]\nkind = host\nhost = six\n"
                 f"[check m/six/folder]\n{CHECKS['folder']}interval = 1h\ntimeout = 8s\n"
                 "confirm = 1 of 1\n")
    for component in ("here",) + (("there",) if host else ()):
        text += f"[component m/{component}]\nkind = host\n"
        text += "host = b\n" if component == "there" else ""
        here = CHECKS_HERE if component == "here" else {}
        for name, options in (CHECKS | here).items():
            text += (f"[check m/{component}/{name}]\n{options}interval = 1h\ntimeout = 8s\n"
                     "confirm = 1 of 1\n")
    return text


def prepare(box):
    for name, text in UNITS.items():
        box.write(f"/etc/systemd/system/{name}", text)
    box.run("mkdir", "-p", "/srv/attachments/deep")
    for i in range(10):
        box.write(f"/srv/attachments/deep/{i}", "x" * 100)
    box.write(LOG, "begun\n")
    box.run("mkdir", "-m", "0700", "-p", "/root/secret")
    for text in ("Oops 1", "Oops 2", "Oops 3"):
        box.run("systemd-cat", "-t", "grumble", "echo", text)
    box.run("systemd-cat", "-t", "noise", "echo", "served 5 in 17 ms")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "start", "job.timer", "long.timer", "once.timer", "wants.target",
            "job.service")


def certificate(box, name, *options, days=90):
    box.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"/srv/tls/{name}.key",
            "-out", f"/srv/tls/{name}.crt", "-days", str(days), "-subj", f"/CN={name}", "-addext",
            "subjectAltName=DNS:crm.example", *options)


def prepare_here(box):
    for name, text in UNITS_HERE.items():
        box.write(f"/etc/systemd/system/{name}", text)
    box.write("/srv/clamd.conf", CLAMD)
    box.write(SIGNATURES, EICAR)
    box.write("/srv/rules.nft", RULES)
    box.write("/srv/listen.py", LISTEN)
    box.run("mkdir", "-p", "/srv/tls")
    certificate(box, "one")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "start", "clam.service", "listen.service")
    box.run("nft", "-f", "/srv/rules.nft")
    box.run("systemctl", "start", "tend-firewall.timer")
    wait_for(lambda: box.run("test", "-s", "/run/tend-firewall/ruleset", check=False).returncode == 0,
             10, "the rules to be left in their file")
    wait_for(lambda: box.run("test", "-S", CLAMD_SOCKET, check=False).returncode == 0, 20, "clamd")


class Machine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.a, cls.b = cls.box("macha"), cls.box("machb")
        hostnet.link(cls.a, cls.b, 1)
        for box in (cls.a, cls.b):
            tend.install(box, etc=None)
            box.run("sh", "-c", "rm -rf /etc/tend/conf.d/* /etc/tend/commands.d/*")
            prepare(box)
        prepare_here(cls.a)
        key = hostnet.make_key(cls.a, SPAWN_KEY)
        cls.b.run("systemctl", "start", "tend-spawn-remote.socket")
        hostnet.serve_ssh(cls.b, [key], hostnet.FORCED.replace("tend-exec", "tend-spawn"))
        hostnet.make_key(cls.a)
        hostnet.trust(cls.a, cls.b, 1)
        for box, end in ((cls.a, 1), (cls.b, 2)):
            box.run("ip", "addr", "add", f"{SIX}{end}/64", "dev", "tend1", "nodad")
        known = cls.a.read(hostnet.KNOWN)
        cls.a.write(hostnet.KNOWN, known + known.replace(hostnet.address(1, 2), f"{SIX}2"),
                    mode=0o644)
        cls.a.write("/etc/tend/tend.conf", "[daemon]\n" + conf("b"))
        done = tend.check(cls.a)
        assert done.returncode == 0, done.stdout
        tend.start(cls.a)

    @classmethod
    def box(cls, name):
        box = Box(name, nspawn=["--tmpfs=/srv/small:size=8m"])
        box.__enter__()
        cls.addClassCleanup(box.__exit__, None, None, None)
        return box

    def tearDown(self):
        for box in (self.a, self.b):
            self.assertEqual(tend.complaints(box), [])

    def places(self):
        return (("here", self.a), ("there", self.b))

    def look(self, place, name):
        tend.ctl(self.a, "check", "run", f"m/{place}/{name}", check=False)
        return tend.ctl(self.a, "check", "show", f"m/{place}/{name}")

    def expect(self, place, name, reason, text=""):
        got = self.look(place, name)
        print(f"    {place}/{name}: {got['reason']}: {got['text']}")
        self.assertEqual(got["reason"], reason, got)
        self.assertIn(text, got["text"])
        return {(m["name"], m.get("instance", "")): m["value"] for m in got["metrics"]}

    def test_host(self):
        for place, box in self.places():
            self.expect(place, "host", "ok")
            metrics = self.expect(place, "host", "ok", "cpu ")
            for name in ("memory_used_pct", "load1", "cpu_pct", "pressure_cpu_pct"):
                self.assertIn((name, ""), metrics)
            self.assertIn(("fs_used_pct", "/"), metrics)
            self.assertLess(metrics[("fs_used_pct", "/srv/small")], 10)
            box.run("dd", "if=/dev/zero", "of=/srv/small/fill", "bs=1M", "count=7")
            metrics = self.expect(place, "host", "ok", "/srv/small 8")
            self.assertGreater(metrics[("fs_used_pct", "/srv/small")], 80)
            box.run("rm", "/srv/small/fill")
            box.run("umount", "/srv/small")
            self.expect(place, "host", "object-missing", "/srv/small is not mounted")
            box.run("mount", "-t", "tmpfs", "-o", "size=8m", "none", "/srv/small")

    def test_process_of_a_unit(self):
        for place, box in self.places():
            metrics = self.expect(place, "sleepers", "ok", "1 of app.service run")
            self.assertEqual(metrics[("count", "")], 1)
            box.run("systemctl", "kill", "-s", "STOP", "app.service")
            self.expect(place, "sleepers", "process-missing", "1 stopped")
            box.run("systemctl", "kill", "-s", "CONT", "app.service")
            self.expect(place, "sleepers", "ok")

    def test_timers(self):
        for place, box in self.places():
            metrics = self.expect(place, "job", "ok", "last success")
            self.assertLess(metrics[("since_success", "")], 300)
            self.assertLessEqual(metrics[("next_in", "")], 3600)
            box.write("/run/job-fails", "")
            box.run("systemctl", "start", "job.service", check=False)
            self.expect(place, "job", "unit-failed", "exit-code, status 1")
            box.run("rm", "/run/job-fails")
            box.run("systemctl", "start", "job.service")
            self.expect(place, "job", "ok")
            box.run("systemctl", "stop", "job.timer")
            self.expect(place, "job", "unit-inactive", "nothing will run")
            box.run("systemctl", "start", "job.timer")
            box.run("systemctl", "start", "--no-block", "long.service")
            wait_for(lambda: self.look(place, "long")["reason"] == "job-stuck", 10, "it to be long")
            self.expect(place, "long", "job-stuck", "long.service runs for")
            box.run("systemctl", "stop", "long.service")
            self.expect(place, "once", "not-run", "has no next run")
            self.expect(place, "no-timer", "unit-missing")

    def test_unit(self):
        for place, box in self.places():
            self.expect(place, "unit", "ok", "app.service is active")
            box.run("systemctl", "kill", "-s", "KILL", "app.service")
            wait_for(lambda: not box.active("app.service"), 5, "its end")
            self.expect(place, "unit", "unit-failed", "killed by SIGKILL")
            box.run("systemctl", "start", "app.service")
            box.run("systemctl", "stop", "app.service")
            # There, only the journal can tell, and journald takes its time.
            wait_for(lambda: self.look(place, "unit")["reason"] == "unit-stopped", 10, "evidence")
            self.expect(place, "unit", "unit-stopped", "was stopped by a job")
            box.run("systemctl", "start", "app.service")
            self.expect(place, "unit", "ok")

    def say(self, box, text, unit="grumble"):
        box.run("systemd-cat", "-t", unit, "echo", text)

    def settle(self, box, text):
        wait_for(lambda: [e for e in box.journal("-t", "grumble", "-t", "noise") if text in str(e["MESSAGE"])], 10,
                 "journald to have it")

    def test_journal(self):
        for place, box in self.places():
            # What was there before the check was (prepare()) is not its business.
            metrics = self.expect(place, "journal", "ok")
            self.assertEqual(metrics[("matches", "oops")], 0)
            self.say(box, "Oops 12")
            self.settle(box, "Oops 12")
            self.assertEqual(self.expect(place, "journal", "ok")[("matches", "oops")], 1)
            # The cursor outlives tendd: nothing is counted twice, nothing is missed.
            self.a.run("systemctl", "stop", tend.UNIT)
            self.say(box, "Oops 13")
            self.settle(box, "Oops 13")
            self.a.run("systemctl", "start", tend.UNIT)
            metrics = self.expect(place, "journal", "pattern-seen", "the last: Oops 13")
            self.assertEqual(metrics[("matches", "oops")], 2)

    def test_journald_is_frozen(self):
        """A journal that nobody writes to can be read, and says nothing of now."""
        for place, box in self.places():
            self.expect(place, "unwritten", "ok")
            pid = str(box.main_pid("systemd-journald.service"))
            box.run("kill", "-STOP", pid)
            try:
                wait_for(lambda place=place: self.look(place, "unwritten")["reason"] != "ok", 60, "it to be seen")
                self.expect(place, "unwritten", "no-evidence", "the journal is not being written")
            finally:
                box.run("kill", "-CONT", pid)
            wait_for(lambda place=place: self.look(place, "unwritten")["reason"] == "ok", 20, "it to be well")

    def test_new_kinds(self):
        for place, box in self.places():
            self.expect(place, "kinds", "ok")
            self.say(box, "served 6 in 23 ms", "noise")
            self.settle(box, "served 6")
            # tendd itself writes all the while; that is left out.
            self.expect(place, "kinds", "ok")
            self.say(box, "the sky falls on 10.1.2.3:443", "noise")
            self.settle(box, "the sky")
            self.expect(place, "kinds", "pattern-new", "noise: the sky falls on #")

    def test_logfile(self):
        for place, box in self.places():
            self.expect(place, "log", "ok")
            box.run("sh", "-c", f"echo ERROR one >> {LOG}; mv {LOG} {LOG}.1; echo ERROR two > {LOG}")
            metrics = self.expect(place, "log", "pattern-seen", "ERROR two")
            self.assertEqual(metrics[("matches", "bad")], 2)
            box.run("rm", LOG)
            self.expect(place, "log", "file-missing")
            box.write(LOG, "again\n")
            self.expect(place, "log", "pattern-seen")

    def test_folder(self):
        for place, box in self.places():
            self.assertEqual(self.expect(place, "folder", "ok")[("files", "")], 10)
            box.run("sh", "-c", "rm /srv/attachments/deep/[0-4]")
            self.expect(place, "folder", "file-missing", "has 5 files, it had 10")
            box.run("mv", "/srv/attachments", "/srv/gone")
            self.expect(place, "folder", "file-missing", "does not exist")
            box.run("mv", "/srv/gone", "/srv/attachments")
            for i in range(5):
                box.write(f"/srv/attachments/deep/{i}", "x")
            self.expect(place, "folder", "ok")
            self.expect(place, "secret", "access-denied", "Permission denied")

    # ---- there only

    def test_the_host_is_frozen_and_dead(self):
        """Its sshd is still, with all sessions; then nobody listens there. By IPv4 and IPv6."""
        self.expect("there", "host", "ok")
        self.expect("six", "folder", "ok", "10 files")
        pids = self.b.out("pgrep", "-x", "sshd").split()
        self.b.run("kill", "-STOP", *pids)
        try:
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                for got in pool.map(lambda place: self.look(place, "folder"), ("there", "six")):
                    self.assertEqual(got["reason"], "too-slow", got)
        finally:
            self.b.run("kill", "-CONT", *pids, check=False)
        wait_for(lambda: self.look("there", "folder")["reason"] == "ok", 20, "it to be back")
        self.b.run("systemctl", "stop", "ssh.service", "ssh.socket", check=False)
        self.b.run("pkill", "-KILL", "-x", "sshd", check=False)
        try:
            wait_for(lambda: self.look("there", "folder")["reason"] == "no-evidence", 20, "its end")
            self.expect("there", "folder", "no-evidence", "Connection refused")
            wait_for(lambda: self.look("six", "folder")["reason"] == "no-evidence", 20, "its end")
            self.expect("six", "folder", "no-evidence", f"{SIX}2 port 22: Connection refused")
            self.expect("here", "folder", "ok")
        finally:
            self.b.run("systemctl", "start", "ssh.service")
        wait_for(lambda: self.look("there", "folder")["reason"] == "ok", 30, "it to be back")

    # ---- here only

    def test_certfile(self):
        metrics = self.expect("here", "cert", "ok", "expires in 90 days")
        self.assertAlmostEqual(metrics[("days_left", "/srv/tls/one.crt")], 90, delta=0.1)
        certificate(self.a, "two", days=3)
        self.expect("here", "cert", "tls-expires", "two expires in 3.0 days")
        self.a.run("sh", "-c", "echo nothing > /srv/tls/two.crt")
        self.expect("here", "cert", "protocol", "/srv/tls/two.crt: no certificate in it")
        self.a.run("chmod", "0600", "/srv/tls/two.crt")
        self.expect("here", "cert", "access-denied", "Permission denied")
        self.a.run("rm", "/srv/tls/two.crt")
        self.expect("here", "cert", "ok")
        self.a.run("mv", "/srv/tls/one.crt", "/srv/tls/one")
        self.expect("here", "cert", "file-missing")
        self.a.run("mv", "/srv/tls/one", "/srv/tls/one.crt")

    def test_ports(self):
        # D-Bus, sshd and their like listen where nobody else can, or not at all.
        metrics = self.expect("here", "ports", "ok", "as declared")
        self.assertGreaterEqual(metrics[("open", "")], 2)
        self.a.run("systemctl", "start", "listen-more.service")
        wait_for(lambda: self.look("here", "ports")["reason"] == "undeclared", 5, "it to be seen")
        self.expect("here", "ports", "undeclared", "not declared: 8099/tcp on 0.0.0.0, ")
        self.a.run("systemctl", "stop", "listen-more.service", "listen.service")
        self.expect("here", "ports", "object-missing", "nothing listens on web: 8080/tcp loopback")
        self.a.run("systemctl", "start", "listen.service")
        wait_for(lambda: self.look("here", "ports")["reason"] == "ok", 5, "it to be back")

    def rules(self):
        self.a.run("systemctl", "start", "tend-firewall.service")

    def test_firewall(self):
        self.rules()
        # Nobody else reads what only root may ask the kernel for.
        modes = self.a.run("stat", "-c", "%a %U %G", "/run/tend-firewall", "/run/tend-firewall/ruleset")
        self.assertEqual(modes.stdout.split("\n")[:2], ["750 root tend-probe", "640 root tend-probe"])
        self.assertEqual(self.expect("here", "firewall", "ok", "3 rules")[("rules", "")], 3)
        self.a.run("nft", "insert", "rule", "inet", "filter", "input", "accept")
        self.rules()
        self.expect("here", "firewall", "undeclared", "the rules are not those declared")
        self.a.run("nft", "flush", "ruleset")
        self.rules()
        self.expect("here", "firewall", "object-missing", "the firewall has 0 rules")
        self.a.run("nft", "-f", "/srv/rules.nft")
        self.rules()
        self.expect("here", "firewall", "ok")
        self.a.run("systemctl", "stop", "tend-firewall.timer")
        self.a.run("touch", "-d", "-1 hour", "/run/tend-firewall/ruleset")
        self.expect("here", "firewall", "stale", "does tend-firewall.timer run?")
        self.a.run("rm", "/run/tend-firewall/ruleset")
        self.expect("here", "firewall", "no-evidence", "enable tend-firewall.timer")
        self.a.run("systemctl", "start", "tend-firewall.timer")

    def test_antivirus(self):
        self.expect("here", "antivirus", "ok", "ClamAV")
        self.a.run("touch", "-d", "-5 days", SIGNATURES)
        self.expect("here", "antivirus", "stale", "are of 5.0 days ago")
        self.a.run("touch", SIGNATURES)
        self.a.run("systemctl", "kill", "-s", "STOP", "clam.service")
        self.expect("here", "antivirus", "too-slow", "clamd does not answer")
        self.a.run("systemctl", "kill", "-s", "KILL", "clam.service")
        wait_for(lambda: not self.a.active("clam.service"), 5, "its end")
        self.expect("here", "antivirus", "connect-refused", "clamd does not run")
        # It runs, and knows nothing.
        self.a.write(SIGNATURES, "00000000000000000000000000000000:68:Nothing\n")
        self.a.run("systemctl", "start", "clam.service")
        wait_for(lambda: self.look("here", "antivirus")["reason"] == "content-unexpected", 20, "it")
        self.expect("here", "antivirus", "content-unexpected", "does not find the test file")
        self.a.write(SIGNATURES, EICAR)
        self.a.run("systemctl", "restart", "clam.service")
        wait_for(lambda: self.look("here", "antivirus")["reason"] == "ok", 20, "it")

    def test_without_tend_spawn(self):
        self.a.run("systemctl", "stop", "tend-spawn.socket", "tend-spawn.service")
        try:
            self.expect("here", "host", "no-evidence", "cannot be reached")
        finally:
            self.a.run("systemctl", "start", "tend-spawn.socket")
        self.expect("here", "host", "ok")


if __name__ == "__main__":
    unittest.main()
