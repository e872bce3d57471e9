# SPDX-License-Identifier: MIT
"""A real tendd with exec checks that run Debian's monitoring plugins, here and on another host."""

import re
import unittest

import hostnet
from spawnbox import PLUGINS, PROBES, prepare_programs
from tendbox import Box, tend, wait_for

# Debian's monitoring-plugins-basic, unchanged: (name, arguments, state, in the text, a metric).
CHECKS = (
    ("check_dummy", "0 fine", "ok", "OK: fine", None),
    ("check_dummy", "1", "warning", "WARNING", None),
    ("check_dummy", "2 'two words'", "critical", "CRITICAL: two words", None),
    ("check_dummy", "3", "unknown", "UNKNOWN", None),
    ("check_load", "-w 500,400,300 -c 600,500,400", "ok", "load average", "load1"),
    ("check_disk", "-w 1% -c 1% -p /", "ok", "DISK OK", "root"),
    ("check_procs", "-w 1:5000 -c 1:9000", "ok", "PROCS OK", "procs"),
    ("check_users", "-w 500 -c 600", "ok", "USERS OK", "users"),
    ("check_swap", "-w 1% -c 1% -n ok", "ok", "SWAP", None),
    ("check_tcp", "-H 127.0.0.1 -p 8099", "ok", "TCP OK", "time"),
    ("check_tcp", "-H 127.0.0.1 -p 8098 -t 3", "critical", "onnection refused", None),
    ("check_http", "-H 127.0.0.1 -I 127.0.0.1 -p 8099", "ok", "HTTP OK", "time"),
    ("check_http", "-I 127.0.0.1 -p 8099 -u /none -e 200", "critical", "Invalid HTTP", None),
    ("check_file_age", "-w 999999999 -c 999999999 -f /etc/passwd", "ok", "FILE_AGE OK", "age"),
    ("check_log", "-F /opt/probes/some.log -O /tmp/seen -q panic", "ok", "", None),
    ("check_cluster", "-h -l hosts -d 0,0,0 -w 1 -c 2", "ok", "CLUSTER OK", None),
    ("check_ssh", "-p 8098 127.0.0.1", "critical", "onnect", None),
    ("check_udp", "-H 127.0.0.1 -p 8097 -s x -e y -t 1", "critical", "", None),
    ("negate", f"{PLUGINS}/check_dummy 2 turned", "ok", "turned", None),
)


DIGITS = re.compile("[0-9.]+")
PERFORMANCE = re.compile("('[^']*'|[^ =]+)=(-?[0-9.]+)([a-zA-Z%]*)")
UNITS = {"": (1, ""), "s": (1, "s"), "ms": (0.001, "s"), "%": (1, "%"), "B": (1, "B"),
         "KB": (2**10, "B"), "MB": (2**20, "B"), "GB": (2**30, "B"), "c": (1, "c")}


def checks_conf():
    lines = ["[system plugins]", "environment = staging", "[component plugins/host]",
             "kind = host"]
    for i, (name, words, *_) in enumerate(CHECKS):
        lines += [f"[check plugins/host/{name.replace('_', '-')}-{i}]", "probe = exec",
                  f"command = {PLUGINS}/{name} {words}", "interval = 5m", "timeout = 8s"]
    for name, words in (("slow", f"{PROBES}/stubborn"), ("gone", f"{PROBES}/nothing"),
                        ("shell", "/bin/sh -c id"), ("segv", f"{PROBES}/segv"),
                        ("flood", f"{PROBES}/flood"), ("again", f"{PROBES}/ok"),
                        ("frozen", f"{PROBES}/frozen"), ("closed", f"{PROBES}/closed"),
                        ("garbage", f"{PROBES}/garbage"),
                        ("late", f"{PROBES}/late\ncritical.run_time = 0.3")):
        lines += [f"[check plugins/host/{name}]", "probe = exec", f"command = {words}",
                  "interval = 5m", "timeout = 2s", "confirm = 1 of 1"]
    # A plugin whose library blocks: its process must live within the limits of tendd's unit.
    lines += ["[check plugins/host/work]", "probe = mysql", "socket = /run/none.sock",
              "interval = 5m", "timeout = 5s"]
    for name, host in (("ping4", "127.0.0.1"), ("ping6", "::1")):
        lines += [f"[check plugins/host/{name}]", "probe = icmp", f"host = {host}",
                  "interval = 5m", "packet_interval = 20ms", "timeout = 2s"]
    return "\n".join(lines) + "\n"


def settled(box, check):
    """Until it is not due for long and nothing of it runs: the next one is the test's own."""
    def well():
        got = tend.ctl(box, "check", "show", check)
        return (got["attempts"] > 0 and not got["running"] and
                "/stubborn" not in box.out("ps", "-eo", "args="))
    wait_for(well, 25, f"{check} to have been run")


class WithTendd(unittest.TestCase):
    """exec checks of a real tendd."""

    @classmethod
    def setUpClass(cls):
        cls.box = Box("spawnd").boot()
        cls.addClassCleanup(cls.box.close)
        tend.install(cls.box, etc=None)
        prepare_programs(cls.box)
        cls.box.write(f"{PROBES}/some.log", "all is well\n")
        cls.box.write("/etc/tend/spawn.conf", f"[spawn]\npaths = {PLUGINS}, {PROBES}\n")
        cls.box.write("/etc/tend/tend.conf", "[daemon]\n")
        cls.box.write("/etc/tend/conf.d/exec.conf", checks_conf())
        for leftover in ("crm.conf",):
            cls.box.run("rm", "-f", f"/etc/tend/conf.d/{leftover}")
        cls.box.run("systemd-run", "--unit=web", "/usr/bin/python3", "-m", "http.server", "8099",
                    "--bind", "127.0.0.1", "-d", "/usr/share/doc")
        done = tend.check(cls.box)
        assert done.returncode == 0, done.stdout
        tend.start(cls.box)

    def state(self, name):
        return tend.ctl(self.box, "check", "show", f"plugins/host/{name}")

    def run_now(self, name):
        return tend.ctl(self.box, "check", "run", f"plugins/host/{name}", check=False)

    def last(self, name):
        """The last result of a check, run now."""
        self.run_now(name)
        return self.state(name)

    def test_monitoring_plugins(self):
        seen = set()
        for i, (name, words, state, text, metric) in enumerate(CHECKS):
            with self.subTest(plugin=name, words=words):
                if name == "check_log":  # its first run, here and by hand, only notes where it is
                    self.last(f"{name.replace('_', '-')}-{i}")
                    self.by_hand(name, words)
                got = self.last(f"{name.replace('_', '-')}-{i}")
                print(f"    {name} {words}: {got['reason']}: {got['text']}")
                self.assertEqual(got["now"], state, got)
                self.assertIn(text, got["text"])
                names = [m["name"] for m in got["metrics"]]
                self.assertIn("run_time", names)
                if metric:
                    self.assertIn(metric, names)
                self.complete(name, words, got)
                seen.add(name)
        self.assertGreaterEqual(len(seen), 10)

    def by_hand(self, name, words):
        return self.box.run("sh", "-c", f"exec {PLUGINS}/{name} {words}", user="tend-probe",
                            check=False)

    def complete(self, name, words, got):
        """Compared with what the plugin says when it is run by hand: the text but for its numbers,
        and all of its performance data, units and values that do not change."""
        done = self.by_hand(name, words)
        said, _, performance = done.stdout.partition("|")
        self.assertEqual(DIGITS.sub("#", got["text"].splitlines()[0].strip()),
                         DIGITS.sub("#", said.splitlines()[0].strip()))
        wanted = {}
        for label, value, unit in PERFORMANCE.findall(performance.partition("\n")[0]):
            factor, unit = UNITS[unit]
            label = re.sub("[^a-z0-9]+", "_", label.strip("'").lower()).strip("_") or "root"
            wanted[label] = (float(value) * factor, unit)
        found = {m["name"]: (m["value"], m["unit"]) for m in got["metrics"]}
        found.pop("run_time")
        self.assertEqual({label: unit for label, (_, unit) in found.items()},
                         {label: unit for label, (_, unit) in wanted.items()})
        for label in ("users", "size", "swap"):
            if label in wanted:
                self.assertEqual(found[label], wanted[label])

    def test_reasons(self):
        # On a busy machine the attempt's own end may come before tend-spawn's word.
        for name, reason, text in (("slow", "too-slow", "stubborn had not ended|no answer within"),
                                   ("gone", "program-failed", "No such file"),
                                   ("shell", "program-failed", "none of the folders"),
                                   ("segv", "program-failed", "killed by SIGSEGV: half a line"),
                                   ("flood", "too-slow", "flooding"), ("again", "ok", "OK - args"),
                                   ("frozen", "too-slow", "frozen had not ended|no answer within"),
                                   ("closed", "program-failed", "not a program that can be run"),
                                   ("garbage", "program-failed", "status 77, which says nothing"),
                                   ("late", "threshold", "run_time is 0")):
            with self.subTest(name=name):
                got = self.last(name)
                self.assertEqual(got["reason"], reason, got)
                self.assertRegex(got["text"], text)

    def test_the_users(self):
        """No program runs as tend, and tendd has no child of that kind."""
        self.box.run("systemd-run", "--unit=ask", "tendctl", "check", "run", "plugins/host/slow")
        found = wait_for(lambda: [line for line in self.box.out(
            "ps", "-eo", "user:20=,args=").splitlines() if "/stubborn" in line], 5, "it to run")
        self.assertEqual([line.split()[0] for line in found], ["tend-probe"] * len(found))

    def test_tend_spawn_is_killed(self):
        self.last("again")
        settled(self.box, "plugins/host/slow")
        self.box.run("systemd-run", "--unit=ask2", "tendctl", "check", "run", "plugins/host/slow")

        def processes():
            return [line for line in self.box.out("ps", "-eo", "args=").splitlines()
                    if "/stubborn" in line]
        wait_for(processes, 5, "it to run")
        self.box.run("kill", "-KILL", str(self.box.main_pid("tend-spawn.service")))
        wait_for(lambda: self.state("slow")["reason"] == "spawn-lost", 3, "its own reason")
        wait_for(lambda: not processes(), 3, "nothing to be left")
        self.assertEqual(self.last("again")["reason"], "ok")

    def test_tend_work(self):
        got = self.last("work")
        self.assertEqual(got["reason"], "connect-refused", got)
        pid = self.box.out("pgrep", "-x", "tend-work").split()[0]
        status = self.box.read(f"/proc/{pid}/status")
        self.assertRegex(status, r"CapEff:\s+0+\n")
        self.assertRegex(status, r"Seccomp:\s+2\n")

    def test_ping(self):
        """By tend-spawn's sockets: the kernel allows tendd none of its own."""
        self.box.run("sysctl", "-q", "net.ipv4.ping_group_range=1 0")
        for name in ("ping4", "ping6"):
            got = self.last(name)
            self.assertEqual(got["reason"], "ok", got)
        pid = self.box.main_pid("tend-spawn.service")
        status = self.box.out("cat", f"/proc/{pid}/status")
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertIn(f"{kind}:\t0000000000000000", status)
        # tendd keeps what it was given.
        self.box.run("systemctl", "stop", "tend-spawn.socket", "tend-spawn.service")
        self.addCleanup(self.box.run, "systemctl", "start", "tend-spawn.socket")
        self.assertEqual(self.last("ping4")["reason"], "ok")

    def test_without_tend_spawn(self):
        self.box.run("systemctl", "stop", "tend-spawn.socket", "tend-spawn.service")
        self.addCleanup(self.box.run, "systemctl", "start", "tend-spawn.socket")
        got = self.last("again")
        self.assertEqual((got["reason"], got["now"]), ("no-evidence", "unknown"))
        self.assertIn("cannot be reached", got["text"])
        self.box.run("systemctl", "start", "tend-spawn.socket")
        self.assertEqual(self.last("again")["reason"], "ok")


SPAWN_KEY = "/etc/tend/secrets/spawn-key"


def host_conf():
    """b can be reached, c has no key for it, d has another host key than it should."""
    text = "[system far]\nenvironment = staging\n"
    for name, more in (("b", f"spawn_identity_file = {SPAWN_KEY}\n"), ("c", ""),
                       ("d", f"spawn_identity_file = {SPAWN_KEY}\nknown_hosts = /etc/tend/wrong\n")):
        text += (f"[host {name}]\naddress = 127.0.0.1\nidentity_file = {hostnet.KEY}\n{more}"
                 f"[component far/{name}]\nkind = host\nhost = {name}\n")
        for check, words in (("ok", f"{PROBES}/environment"), ("slow", f"{PROBES}/stubborn")):
            text += (f"[check far/{name}/{check}]\nprobe = exec\ncommand = {words}\n"
                     "interval = 5m\ntimeout = 6s\nconfirm = 1 of 1\n")
    return text


class OnAnotherHost(unittest.TestCase):
    """By ssh; the other host is this one, and its tendd has no socket of tend-spawn's of its own."""

    @classmethod
    def setUpClass(cls):
        box = cls.box = Box("spawnh").boot()
        cls.addClassCleanup(box.close)
        tend.install(box, etc=None)
        prepare_programs(box)
        box.write("/etc/tend/spawn.conf", f"[spawn]\npaths = {PLUGINS}, {PROBES}\n")
        box.write("/etc/tend/tend.conf", "[daemon]\nspawn_socket = /run/none\n" + host_conf())
        box.run("sh", "-c", "rm -rf /etc/tend/conf.d/*")
        box.run("systemctl", "start", "tend-spawn-remote.socket")
        hostnet.serve_ssh(box, [hostnet.make_key(box)])
        path = f"{hostnet.HOME}/.ssh/authorized_keys"
        forced = hostnet.FORCED.replace("tend-exec", "tend-spawn")
        box.write(path, box.read(path) + f"{forced} {hostnet.make_key(box, SPAWN_KEY)}\n")
        kind, value = box.read("/etc/ssh/ssh_host_ed25519_key.pub").split()[:2]
        box.write(hostnet.KNOWN, f"127.0.0.1 {kind} {value}\n")
        other = box.read(f"{SPAWN_KEY}.pub").split()[1]
        box.write("/etc/tend/wrong", f"127.0.0.1 {kind} {other}\n")
        done = tend.check(box)
        assert done.returncode == 0, done.stdout
        tend.start(box)

    def last(self, name):
        tend.ctl(self.box, "check", "run", f"far/{name}", check=False)
        return tend.ctl(self.box, "check", "show", f"far/{name}")

    def test_there(self):
        got = self.last("b/ok")
        self.assertEqual(got["reason"], "ok", got)
        group = [entry for entry in self.box.journal("-u", "tend-spawn.service")
                 if "accepted" in str(entry.get("MESSAGE"))]
        uid = self.box.out("id", "-u", "tend-remote")
        self.assertIn(f"uid {uid} accepted", group[-1]["MESSAGE"])
        self.assertEqual(self.last("b/slow")["reason"], "too-slow")

    def test_not_there(self):
        for name, text in (("c/ok", "no spawn_identity_file"),
                           ("d/ok", "Host key verification failed")):
            got = self.last(name)
            self.assertEqual(got["reason"], "no-evidence", got)
            self.assertIn(text, got["text"])

    def test_the_link_is_cut(self):
        self.assertEqual(self.last("b/ok")["reason"], "ok")
        settled(self.box, "far/b/slow")
        self.box.run("systemd-run", "--unit=ask", "tendctl", "check", "run", "far/b/slow")

        def running():
            return [line for line in self.box.out("ps", "-eo", "args=").splitlines()
                    if line.endswith("/stubborn")]
        wait_for(running, 10, "it to run there")
        self.box.run("pkill", "-KILL", "-u", "tend-remote")
        wait_for(lambda: tend.ctl(self.box, "check", "show", "far/b/slow")["reason"] == "spawn-lost",
                 5, "its own reason")
        wait_for(lambda: not running(), 5, "nothing to be left there")
        wait_for(lambda: self.last("b/ok")["reason"] == "ok", 15, "a new link")

    def test_the_key_is_for_messages_only(self):
        done = self.box.run(
            "ssh", "-F", "none", "-T", "-oBatchMode=yes", "-oIdentitiesOnly=yes",
            f"-oUserKnownHostsFile={hostnet.KNOWN}", "-i", SPAWN_KEY, "-l", "tend-remote",
            "127.0.0.1", "id", user="tend", check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        for user in ("daemon", "tend", "tend-probe"):
            done = self.box.run("python3", "-c", "import socket; socket.socket(socket.AF_UNIX)."
                                "connect('/run/tend-spawn/remote.sock')", user=user, check=False)
            self.assertIn("PermissionError", done.stderr)


if __name__ == "__main__":
    unittest.main()
