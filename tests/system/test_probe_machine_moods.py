# SPDX-License-Identifier: MIT
"""What the probes of a machine say when those whom they ask are dead, frozen, slow, closed or talk
nonsense: tend-spawn, tend-look, systemd and its bus, clamd, and a file system that nobody serves.
What they say of a machine that answers is in test_probe_machine.py."""

import concurrent.futures
import contextlib
import os
import subprocess
import sys
import time
import unittest

from tendbox import Box, tend, wait_for

LOOK = "/usr/libexec/tend/tend-look"
CLAMD, HUNG = "/run/clamd", "/srv/hung"
BUS = "/run/dbus/system_bus_socket"
JOURNALD = "systemd-journald.service"

# By tend-look, all of them.
LOOKS = {
    "host": "probe = host\n",
    "process": "probe = process\nunit = app.service\n",
    "file": "probe = file\npath = /srv/file\n",
    "logfile": "probe = logfile\npath = /srv/log\npattern.bad = ERROR\n",
    "certfile": "probe = certfile\npaths = /srv/cert.pem\n",
    "timer": "probe = timer\ntimer = app.timer\n",
    "journal": "probe = journal\npattern.oops = Oops\nunits = nobody\n",
    "ports": "probe = ports\nport.web = 8080/tcp\n",
    "firewall": "probe = firewall\n",
    "antivirus": f"probe = antivirus\nsocket = {CLAMD}\nfolder = /srv/clam\n",
}
CHECKS = {
    **LOOKS,
    # What came while journald was frozen; what Tend itself says; with it, what ops people confirm by.
    "journal-late": "probe = journal\npattern.oops = Oops\nunits = late\nwindow = 1h\n",
    "journal-ours": "probe = journal\nnew = yes\nlearn = 0\nunits = tend*\n",
    "journal-soft": "probe = journal\npattern.oops = Oops\nunits = nobody\nconfirm = 2 of 2\n",
    "journal-mute": "probe = journal\npattern.oops = Oops\nunits = nobody\nmarker = no\n",
    "unit": "probe = unit\nunit = app.service\n",
    "hung-file": f"probe = file\npath = {HUNG}/file\n",
    "hung-log": f"probe = logfile\npath = {HUNG}/log\npattern.bad = ERROR\n",
    "hung-cert": f"probe = certfile\npaths = {HUNG}/cert.pem\n",
    "hung-host": f"probe = host\nmounts = {HUNG}\n",
    "closed-log": "probe = logfile\npath = /root/closed\npattern.bad = ERROR\n",
}
UNITS = {
    "app.service": "[Service]\nExecStart=/bin/sleep 100000\n",
    "app.timer": "[Timer]\nOnCalendar=hourly\nUnit=once.service\n",
    "once.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
}
# Says its first argument to whoever comes, and nothing else ever; listens on its second.
CLAMD_TALK = """import contextlib, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[2])
os.chmod(sys.argv[2], 0o666)
server.listen()
kept = []
while True:
    kept.append(server.accept()[0])
    with contextlib.suppress(OSError):
        kept[-1].sendall(sys.argv[1].encode() + b"\\0")
"""
# Its first argument to the journal, without waiting for anybody.
SAY = """import socket, sys
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
out.sendto(f"SYSLOG_IDENTIFIER=late\\nMESSAGE={sys.argv[1]}\\n".encode(), "/run/systemd/journal/socket")
"""
# Opens FUSE outside and mounts it inside the box of process argv[1]; nobody ever answers it.
HANG = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
fuse = os.open("/dev/fuse", os.O_RDWR)
assert libc.setns(os.open(f"/proc/{sys.argv[1]}/ns/mnt", os.O_RDONLY), 0) == 0
options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
assert libc.mount(b"hang", sys.argv[2].encode(), b"fuse", 0, options) == 0, ctypes.get_errno()
print("mounted", flush=True)
time.sleep(1000)
"""


def conf():
    text = "[daemon]\n[system m]\nenvironment = staging\n[component m/c]\nkind = host\n"
    for name, options in CHECKS.items():
        text += f"[check m/c/{name}]\n{options}interval = 1h\n"
        # A marker has a quarter of it to come back.
        text += f"timeout = {'10s' if name.startswith('journal-') else '3s'}\n"
        text += "" if "confirm" in options else "confirm = 1 of 1\n"
    return text


class Moods(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = Box("moods").boot()
        cls.addClassCleanup(cls.box.close)
        box = cls.box
        tend.install(box, etc=None)
        box.run("sh", "-c", "rm -rf /etc/tend/conf.d/* /etc/tend/commands.d/*")
        for name, text in UNITS.items():
            box.write(f"/etc/systemd/system/{name}", text)
        for path in ("/srv/file", "/srv/log", "/srv/clam/test.hdb"):
            box.write(path, "x\n")
        box.write("/root/closed", "x\n")
        box.write("/srv/clamd.py", CLAMD_TALK)
        box.write("/srv/rules.nft", "table inet filter {\n chain input {\n  type filter hook input "
                                    "priority 0; policy drop;\n  iif lo accept\n }\n}\n")
        box.run("mkdir", "-p", HUNG)
        box.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "/srv/key.pem",
                "-out", "/srv/cert.pem", "-days", "90", "-subj", "/CN=x")
        box.run("systemctl", "daemon-reload")
        box.run("systemctl", "start", "app.service", "app.timer")
        box.run("nft", "-f", "/srv/rules.nft")
        box.run("systemctl", "start", "tend-firewall.service")
        box.run("systemd-run", "--unit=web", "/usr/bin/python3", "-m", "http.server", "8080")
        cls.clamd("ClamAV 1.0")
        box.write("/etc/tend/tend.conf", conf())
        done = tend.check(box)
        assert done.returncode == 0, done.stdout
        tend.start(box)

    @classmethod
    def clamd(cls, says):
        """A clamd by its word only: the real one is in test_probe_machine.py."""
        cls.box.run("sh", "-c", f"systemctl stop clam.service; rm -f {CLAMD}", check=False)
        cls.box.run("systemd-run", "--collect", "--unit=clam", "/usr/bin/python3", "/srv/clamd.py", says, CLAMD)
        wait_for(lambda: cls.box.run("test", "-S", CLAMD, check=False).returncode == 0, 10, "it")

    def tearDown(self):
        self.assertEqual(tend.complaints(self.box), [])

    def look(self, name):
        tend.ctl(self.box, "check", "run", f"m/c/{name}", check=False)
        return self.shown(name)

    def shown(self, name):
        return tend.ctl(self.box, "check", "show", f"m/c/{name}")

    def expect(self, name, reason, text=""):
        got = self.look(name)
        print(f"    {name}: {got['reason']}: {got['text']}")
        with self.subTest(name):
            self.assertEqual(got["reason"], reason, got)
            self.assertIn(text, got["text"])

    def expect_all(self, reason, text=""):
        for name in LOOKS:
            self.expect(name, reason, text)

    def well(self):
        for name in (*LOOKS, "unit"):
            wait_for(lambda name=name: self.look(name)["reason"] == "ok", 20, f"{name} to be well")

    @contextlib.contextmanager
    def frozen(self, *pids):
        for pid in pids:
            self.box.run("kill", "-STOP", str(pid))
        try:
            yield
        finally:
            for pid in pids:
                self.box.run("kill", "-CONT", str(pid))

    def test_tend_spawn(self):
        self.well()
        # All at once, for its watchdog ends it some seconds later: without us it is well again.
        self.box.run("kill", "-STOP", str(self.box.main_pid("tend-spawn.service")))
        with concurrent.futures.ThreadPoolExecutor(len(LOOKS)) as pool:
            for name, got in zip(LOOKS, pool.map(self.look, LOOKS)):
                with self.subTest(name):
                    self.assertEqual(got["reason"], "too-slow", got)
        self.expect("unit", "ok")  # tendd asks systemd itself
        self.well()
        self.box.run("systemctl", "stop", "tend-spawn.socket", "tend-spawn.service")
        try:
            self.expect_all("no-evidence", "cannot be reached")
        finally:
            self.box.run("systemctl", "start", "tend-spawn.socket")
        self.well()

    def test_tend_look(self):
        """One that is slow, one that is none, one that is not there."""
        self.box.run("mv", LOOK, LOOK + ".real")
        try:
            self.box.write(LOOK, f"#!/bin/sh\nsleep 10\nexec {LOOK}.real \"$@\"\n", mode=0o755)
            self.expect_all("too-slow", "tend-look had not ended")
            self.box.write(LOOK, "#!/bin/sh\necho nonsense\n", mode=0o755)
            self.expect_all("program-failed")
            self.box.run("rm", LOOK)
            self.expect_all("program-failed")
        finally:
            self.box.run("mv", LOOK + ".real", LOOK)
        self.well()

    def test_systemd(self):
        """PID 1 is the server of `unit` and `timer`; its bus is another one. Neither is critical: it tells
        nothing of the unit or timer, and nobody is to restart anything for that."""
        self.well()
        os.kill(self.box.leader, 19)
        try:
            self.expect("unit", "no-evidence", "timed out")
            self.expect("timer", "no-evidence", "systemd does not answer about app.timer")
        finally:
            os.kill(self.box.leader, 18)
        self.well()
        with self.frozen(self.box.main_pid("dbus.service")):
            self.expect("unit", "no-evidence", "timed out")
            self.expect("timer", "no-evidence", "the system bus cannot be reached: Connection timed out")
        self.well()

    def test_without_a_bus(self):
        self.well()
        self.box.run("mv", BUS, BUS + ".away")
        try:
            self.box.run("kill", "-KILL", str(self.box.main_pid("dbus.service")))
            wait_for(lambda: self.look("unit")["reason"] == "no-evidence", 10, "it to be seen")
            self.expect("unit", "no-evidence", "not connected")
            self.expect("timer", "no-evidence", "bus cannot be reached")
        finally:
            self.box.run("mv", BUS + ".away", BUS)
        self.well()

    def markers(self, since=None):
        return [e for e in self.box.journal("SYSLOG_IDENTIFIER=tend-look", since=since) if "TEND_MARK" in e]

    def journald(self, *verbs):
        for verb in verbs:
            self.box.run("systemctl", *verb.split(), JOURNALD)

    def unwritten(self, text, *names):
        for name in names or ("journal",):
            wait_for(lambda name=name: self.look(name)["reason"] == "no-evidence", 60, f"{name} to see it")
            self.expect(name, "no-evidence", text)

    def test_journald_is_frozen(self):
        """All files can be read, and nothing comes into them any more."""
        self.well()
        for name in ("journal-late", "journal-ours", "journal-soft"):
            self.expect(name, "ok")
        began = time.time()
        with self.frozen(self.box.main_pid(JOURNALD)):
            self.unwritten("the journal is not being written", "journal", "journal-late", "journal-ours")
            # One that is on its way is enough for all later looks.
            for _ in range(3):
                self.expect("journal", "no-evidence", "has not come into it")
            # What is only late has not been confirmed.
            wait_for(lambda: self.look("journal-soft")["now"] == "unknown", 60, "it to be seen")
            self.assertEqual(self.shown("journal-soft")["hard"], "ok")
            self.box.run("/usr/bin/python3", "-c", SAY, "Oops 1")
        self.well()
        wait_for(lambda: self.look("journal-late")["reason"] == "pattern-seen", 20, "what was said meanwhile")
        self.expect("journal-ours", "ok", "0 new lines")
        self.expect("journal-soft", "ok")
        n, most = len(self.markers(since=began)), 5 + 4 * int((time.time() - began) / 60)
        self.assertTrue(1 <= n <= most, f"{n} markers of 4 checks")

    def test_journald_is_dead(self):
        self.well()
        self.journald("mask --runtime", "kill -s KILL")
        try:
            self.unwritten("Connection refused", "journal", "journal-mute")
        finally:
            self.journald("unmask --runtime")
            self.box.run("systemctl", "start", "systemd-journald.socket", "systemd-journald-dev-log.socket",
                         JOURNALD)
        self.well()

    def test_journald_starts_again(self):
        """That is no fault: what is sent meanwhile waits in a socket that systemd keeps."""
        self.well()
        for _ in range(3):
            pid = self.box.main_pid(JOURNALD)
            self.box.run("kill", "-KILL", str(pid))
            self.expect("journal-soft", "ok")
            wait_for(lambda pid=pid: self.box.main_pid(JOURNALD) not in (0, pid) and self.box.active(JOURNALD),
                     10, "systemd to start it")
            self.journald("reset-failed", "restart")
            self.expect("journal-soft", "ok")

    def test_a_quiet_system(self):
        """Nobody writes anything: a marker proves that one could, and counts nowhere."""
        self.well()
        began = time.time()

        def look():
            for name in ("journal-soft", "journal-ours", "journal-mute"):
                self.expect(name, "ok", "0 new lines")
            return len(self.markers(since=began)) > 2
        wait_for(look, 120, "three markers", 1)
        for entry in self.markers(since=began):
            self.assertEqual((entry["PRIORITY"], entry["SYSLOG_IDENTIFIER"]), ("7", "tend-look"))
            self.assertEqual(entry["_SYSTEMD_UNIT"], "tend-spawn.service")
        seconds = time.time() - began
        self.assertLessEqual(len(self.markers(since=began)), seconds / 10 + 1)

    def test_a_journal_that_is_not_kept(self):
        self.well()
        path = "/etc/systemd/journald.conf.d/test.conf"
        try:
            self.box.write(path, "[Journal]\nMaxLevelStore=err\n")
            self.journald("restart")
            began = time.time()
            wait_for(lambda: self.look("journal")["reason"] != "ok" or self.markers(since=began), 120,
                     "a marker that is urgent enough", 1)
            self.expect("journal", "ok")
            self.box.write(path, "[Journal]\nStorage=none\n")
            self.journald("restart")
            self.unwritten("has not come into it")
            self.box.run("sh", "-c", "rm -rf /var/log/journal/* /run/log/journal/*")
            self.unwritten("there is no file of the journal")
        finally:
            self.box.run("rm", path)
            self.journald("restart")
            self.box.run("journalctl", "--flush")
        self.well()

    def test_a_file_system_that_hangs(self):
        hang = subprocess.Popen([sys.executable, "-c", HANG, str(self.box.leader), HUNG],
                                stdout=subprocess.PIPE, text=True)
        try:
            self.assertEqual(hang.stdout.readline(), "mounted\n")
            for name in ("hung-file", "hung-log", "hung-cert"):
                self.expect(name, "too-slow")
            # It asks each file system in a child, and says which one it is.
            self.expect("hung-host", "too-slow", HUNG)
            hang.kill()
            hang.wait()
            for name in ("hung-file", "hung-log", "hung-cert"):
                self.expect(name, "no-evidence", "Transport endpoint is not connected")
        finally:
            hang.kill()
            hang.wait()
            hang.stdout.close()
            self.box.run("umount", "-l", HUNG, check=False)

    def test_closed_to_us(self):
        self.expect("closed-log", "access-denied", "Permission denied")
        self.box.run("chmod", "0600", CLAMD)
        self.expect("antivirus", "access-denied", "may not be opened")
        self.box.run("chmod", "0666", CLAMD)
        self.box.run("chmod", "0600", "/run/tend-firewall/ruleset")
        self.box.run("chown", "root:root", "/run/tend-firewall/ruleset")
        self.expect("firewall", "access-denied", "Permission denied")
        self.box.run("systemctl", "start", "tend-firewall.service")
        path = "/etc/systemd/system/tend-spawn.service.d/no-journal.conf"
        self.box.write(path, "[Service]\nSupplementaryGroups=\n")
        self.restart_spawn()
        try:
            self.expect("journal", "access-denied", "systemd-journal")
        finally:
            self.box.run("rm", path)
            self.restart_spawn()
        self.well()

    def restart_spawn(self):
        self.box.run("systemctl", "daemon-reload")
        self.box.run("systemctl", "restart", "tend-spawn.service")

    def test_clamd(self):
        self.clamd("HTTP/1.1 400 Bad Request")
        self.expect("antivirus", "protocol", "this is not clamd: 'HTTP/1.1 400")
        with self.frozen(self.box.main_pid("clam.service")):
            self.expect("antivirus", "too-slow", "clamd does not answer")
        self.box.run("systemctl", "kill", "-s", "KILL", "clam.service")
        wait_for(lambda: not self.box.active("clam.service"), 5, "its end")
        self.expect("antivirus", "connect-refused", "clamd does not run")
        self.clamd("ClamAV 1.0")
        self.well()


if __name__ == "__main__":
    unittest.main()
