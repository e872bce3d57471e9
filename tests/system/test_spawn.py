# SPDX-License-Identifier: MIT
"""tend-spawn under a real systemd: what a foreign program can do, and that nothing of it is left.

The first half talks to tend-spawn through a stand-in for tendd (see execbox.py), the second is a
real tendd with exec checks that run Debian's monitoring plugins unchanged.
"""

import json
import os
import re
import signal
import textwrap
import time
import unittest

import execbox
import hostnet
from tendbox import Box, tend, wait_for
from tendbox.tend import ROOT, build_dir, complaints

SOCKET = "/run/tend-spawn/spawn.sock"
PROBES = "/opt/probes"
PLUGINS = "/usr/lib/nagios/plugins"

# Each leaves its pid, or those of its children, in its arguments: all have MARK in their command line.
MARK = "tend-spawn-victim"
PROGRAMS = {
    "ok": "#!/bin/sh\necho \"OK - args $#: $*\"\n",
    "environment": "#!/usr/bin/python3\nimport os, json\n"
                   "print(json.dumps([dict(os.environ), os.getcwd(), os.getuid(), os.umask(0),\n"
                   "                  open('/proc/self/cgroup').read(),\n"
                   "                  open('/proc/self/status').read(), os.listdir('/proc/self/fd'),\n"
                   "                  open('/proc/self/limits').read()]))\n",
    "cat": "#!/bin/sh\ncat\n",
    "flood": "#!/bin/sh\nexec yes flooding\n",
    "frozen": "#!/bin/sh\nkill -STOP $$\n",
    "late": "#!/bin/sh\nsleep 0.4\necho OK late\n",
    "garbage": "#!/bin/sh\nprintf '\\377\\000\\001=;;|'\nexit 77\n",
    "flood2": "#!/bin/sh\n(yes err >&2) & yes out\n",
    "stubborn": "#!/bin/sh\ntrap '' TERM HUP INT\nwhile :; do sleep 0.1; done\n",
    "tree": "#!/bin/sh\nfor i in 1 2 3 4; do (sh -c \"trap '' TERM; sleep 1000 & sleep 1000 & wait\" "
            f"{MARK} &) ; done\necho planted\nsleep 1000\n",
    "daemon": "#!/usr/bin/python3\nimport os, time, sys, signal\n"
              "if os.fork():\n    print('OK - left a daemon'); sys.exit(0)\n"
              "os.setsid()\nif os.fork():\n    os._exit(0)\n"
              "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nfor fd in range(3): os.close(fd)\n"
              "time.sleep(1000)\n",
    "escape": "#!/usr/bin/python3\nimport os, time\n"
              "own = open('/proc/self/cgroup').read().strip().split('::')[1]\n"
              "for k in range(3):\n"
              "    if os.fork() == 0:\n"
              "        os.setsid()\n        if os.fork(): os._exit(0)\n"
              "        for fd in range(3): os.close(fd)\n        time.sleep(1000)\n"
              "print('forked', flush=True)\ntime.sleep(1000)\n",
    "silent": "#!/usr/bin/python3\nimport os, time\nfor fd in range(3): os.close(fd)\ntime.sleep(1000)\n",
    "holder": "#!/bin/sh\nsleep 1000 &\necho 'OK - a child holds the output'\n",
    "bomb": "#!/usr/bin/python3\nimport os, time\nn = 0\n"
            "while n < 500:\n    try:\n        if os.fork() == 0: time.sleep(1000)\n"
            "    except OSError as e:\n        print('stopped after', n, e, flush=True); break\n"
            "    n += 1\ntime.sleep(1000)\n",
    "hog": "#!/usr/bin/python3\nx = []\nwhile True: x.append(bytearray(1 << 20))\n",
    "segv": "#!/bin/sh\necho 'half a line'\nkill -SEGV $$\n",
    "binary": "#!/bin/sh\nprintf 'OK \\377\\376\\000\\033[31m\\303\\244 \\342\\202' \n",
    "sleep": "#!/bin/sh\nexec sleep \"$1\"\n",
    # Out of its session and its group, and then at those who watch it.
    "assassin": "#!/usr/bin/python3\nimport os, signal, sys, time\n"
                "warden = os.getppid()\n"
                "own = open('/proc/self/cgroup').read().strip().split('::')[1]\n"
                "if os.fork(): time.sleep(1000)\n"
                "os.setsid()\nif os.fork(): os._exit(0)\n"
                "with open('/sys/fs/cgroup' + os.path.dirname(own) + '/main/cgroup.procs', 'w') as f:\n"
                "    f.write('0')\n"
                "print('moved', flush=True)\n"
                "os.kill(warden, getattr(signal, sys.argv[1]))\n"
                "if len(sys.argv) > 2: os.kill(int(sys.argv[2]), signal.SIGSTOP)\n"
                "for fd in range(3): os.close(fd)\ntime.sleep(1000)\n",
    "burglar": "#!/usr/bin/python3\nimport ctypes, os, sys\n"
               "libc = ctypes.CDLL(None, use_errno=True)\n"
               "def attempt(name, call):\n    try:\n        call()\n        print(name, 'DONE')\n"
               "    except OSError as e:\n        print(name, 'refused', e.strerror)\n"
               "def write_into(pid):\n    byte = ctypes.create_string_buffer(1)\n"
               "    vec = (ctypes.c_size_t * 2)(ctypes.addressof(byte), 1)\n"
               "    if libc.process_vm_readv(pid, vec, 1, vec, 1, 0) < 0 and \\\n"
               "            ctypes.get_errno() != 14:\n"
               "        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))\n"
               "for pid in map(int, sys.argv[1:]):\n"
               "    attempt('memory', lambda: open(f'/proc/{pid}/mem', 'r+b').close())\n"
               "    attempt('fds', lambda: os.readlink(f'/proc/{pid}/fd/1'))\n"
               "    attempt('environment', lambda: open(f'/proc/{pid}/environ').read())\n"
               "    attempt('vm', lambda: write_into(pid))\n",
    "peers": "#!/usr/bin/python3\nimport os, signal, socket\n"
             "def attempt(name, call):\n    try:\n        call()\n        print(name, 'DONE')\n"
             "    except OSError as e:\n        print(name, 'refused', e.strerror)\n"
             "def connect(path):\n    s = socket.socket(socket.AF_UNIX)\n    s.connect(path)\n"
             "parent = int(open('/proc/%d/stat' % os.getppid()).read().rsplit(')', 1)[1].split()[1])\n"
             "attempt('memory', lambda: open(f'/proc/{parent}/mem', 'rb').read(1))\n"
             "attempt('fds', lambda: os.listdir(f'/proc/{parent}/fd'))\n"
             f"attempt('spawn', lambda: connect('{SOCKET}'))\n"
             "attempt('tendd', lambda: os.listdir('/var/lib/tend'))\n"
             "attempt('etc', lambda: open('/etc/x', 'w'))\n"
             "attempt('home', lambda: os.listdir('/root'))\n"
             "attempt('shadow', lambda: open('/etc/shadow'))\n",
}

# In the place of tend-look: what it was started as.
LOOK = """#!/usr/bin/python3
import json, os, sys, time
args = json.load(sys.stdin)
print(json.dumps([sys.argv[1:], open('/proc/self/status').read(), os.listdir('/proc/self/fd')]),
      flush=True)
if args.get("wait"):
    time.sleep(1000)
"""

RULES = f"[spawn]\npaths = {PLUGINS}, {PROBES}\nmax_programs = 8\nmax_queue = 4\nmemory_max = 64M\n"


def prepare_programs(box):
    for name, text in PROGRAMS.items():
        box.write(f"{PROBES}/{name}", text, mode=0o755)
    box.write(f"{PROBES}/plain", "no program\n", mode=0o644)
    box.write(f"{PROBES}/closed", "#!/bin/sh\n", mode=0o700)
    box.write(f"{PROBES}/interpreter", "#!/no/such/interpreter\n", mode=0o755)
    box.write(f"{PROBES}/writable", "#!/bin/sh\necho OK\n", mode=0o777)
    box.run("ln", "-s", "/bin/sh", f"{PROBES}/outside")
    box.run("ln", "-s", "ok", f"{PROBES}/inside")
    box.run("mkdir", "-m", "0777", f"{PROBES}/open")
    box.write(f"{PROBES}/open/x", "#!/bin/sh\necho OK\n", mode=0o755)


class SpawnBox:
    """tend-spawn alone and a stand-in tendd; connect() is a connection of tendd's."""

    def __init__(self, name):
        self.box = Box(name)

    def __enter__(self):
        box = self.box.boot()
        try:
            for user in ("tend", "tend-probe"):
                if box.run("id", user, check=False).returncode != 0:
                    box.run("useradd", "--system", "--user-group", "--no-create-home", user)
            box.push(f"{build_dir()}/daemon/exec/spawn/tend-spawn", "/usr/libexec/tend/tend-spawn",
                     mode=0o755)
            box.write("/usr/libexec/tend/tend-look", LOOK, mode=0o755)
            for unit in ("tend-spawn.socket", "tend-spawn.service"):
                box.push(f"{ROOT}/etc/systemd/{unit}", f"/etc/systemd/system/{unit}")
            if execbox.sanitized():
                box.write("/etc/systemd/system/tend-spawn.service.d/asan.conf", "[Service]\n"
                          "MemoryMax=infinity\nSystemCallFilter=\n"
                          "Environment=ASAN_OPTIONS=detect_leaks=0\n")
            box.write("/usr/libexec/standin.py", execbox.STANDIN.replace(execbox.SOCKET, SOCKET))
            box.write("/etc/systemd/system/tendd.service", execbox.STANDIN_UNIT)
            box.write("/etc/tend/spawn.conf", RULES)
            prepare_programs(box)
            box.run("systemctl", "daemon-reload")
            box.run("systemctl", "start", "tend-spawn.socket", "tendd.service")
            wait_for(lambda: os.path.exists(box.path(execbox.PROXY)), 10, "the stand-in to listen")
        except BaseException:
            self.box.close(clean=False)
            raise
        return self

    def __exit__(self, kind, value, trace):
        try:
            if complaints(self.box) and not kind:
                raise AssertionError(complaints(self.box))
        finally:
            self.box.close(clean=kind is None)

    def connect(self):
        def attempt():
            try:
                connection = execbox.Connection(self.box.path(execbox.PROXY))
                connection.hello = connection.call("hello")
                return connection
            except (execbox.Gone, ConnectionRefusedError, FileNotFoundError):
                return None
        return wait_for(attempt, 20, "tend-spawn to listen to the stand-in")

    def processes(self):
        """[(pid in the box, user, command line)] of all in the unit but tend-spawn itself."""
        text = self.box.out("ps", "-eo", "pid=,stat=,user:20=,comm:20=,args=")
        found = []
        for line in text.splitlines():
            pid, stat, user, name, args = line.split(None, 4)
            if name == "tend-keeper":
                continue
            if user == "tend-probe" and not args.startswith("/usr/libexec/tend/tend-spawn"):
                found.append((int(pid), stat, args))
            elif user == "tend-probe" and int(pid) != self.box.main_pid("tend-spawn.service"):
                found.append((int(pid), stat, args))
        return found

    def groups(self):
        path = self.box.out("systemctl", "show", "-P", "ControlGroup", "tend-spawn.service").strip()
        text = self.box.out("ls", "/sys/fs/cgroup" + path)
        return [name for name in text.split() if name.startswith("program-")]


class Programs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.spawn = cls.enterClassContext(SpawnBox("spawn"))
        cls.box = cls.spawn.box
        cls.next_id = 0

    def setUp(self):
        self.connection = self.spawn.connect()
        self.addCleanup(self.connection.close)

    def tearDown(self):
        self.gone(5)

    def gone(self, seconds):
        try:
            wait_for(lambda: not self.spawn.processes(), seconds, "nothing to be left")
        except AssertionError as late:
            raise AssertionError(f"{late}: {self.spawn.processes()}") from late
        wait_for(lambda: not self.spawn.groups(), 3, "their groups to be gone")

    def send(self, program, *words, timeout=5000, output_max=65536, **more):
        Programs.next_id += 1
        path = program if program.startswith("/") else f"{PROBES}/{program}"
        args = {"id": f"job-{Programs.next_id}", "argv": [path, *words], "timeout_msec": timeout,
                "output_max": output_max, **more}
        return self.connection.send("run", args), args["id"]

    def run_program(self, program, *words, **options):
        return self.connection.answer(self.send(program, *words, **options)[0])

    def refused(self, code, program, *words, **options):
        with self.assertRaises(execbox.Refused) as caught:
            self.run_program(program, *words, **options)
        self.assertEqual(caught.exception.code, code, caught.exception)
        return str(caught.exception)

    def test_plain(self):
        self.assertTrue(self.connection.hello["cgroups"])
        got = self.run_program("ok", "a b", "$HOME", "-x", "; id", "*")
        self.assertEqual((got["exit_status"], got["stdout"], got["timed_out"], got["truncated"]),
                         (0, "OK - args 5: a b $HOME -x ; id *\n", False, False))
        self.assertEqual(self.run_program("cat", stdin="päper")["stdout"], "päper")
        self.assertEqual(self.run_program("cat")["stdout"], "")
        self.assertEqual(self.run_program("inside")["exit_status"], 0)
        got = self.run_program(f"{PLUGINS}/check_dummy", "2", "bad")
        self.assertEqual((got["exit_status"], got["stdout"]), (2, "CRITICAL: bad\n"))

    def test_what_it_gets(self):
        got = json.loads(self.run_program("environment")["stdout"])
        environment, folder, uid, mask, group, status, fds, limits = got
        environment.pop("LC_CTYPE", None)  # Python's own
        self.assertEqual(sorted(environment), ["LANG", "PATH"])
        self.assertEqual((folder, mask), ("/", 0o077))
        self.assertEqual(uid, int(self.box.out("id", "-u", "tend-probe")))
        self.assertIn("/program-", group)
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        self.assertEqual(fields["NoNewPrivs"], "1")
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(fields[kind].strip("0"), "", kind)
        # CAP_NET_RAW and CAP_SETGID, which tend-spawn had for a moment; without new privileges
        # nobody gets them.
        self.assertEqual(int(fields["CapBnd"], 16), 1 << 13 | 1 << 6)
        self.assertEqual(fields["SigBlk"].strip("0"), "")
        names = {grp.split(":")[0] for grp in self.box.read("/etc/group").splitlines()
                 if grp.split(":")[2] in fields["Groups"].split()}
        self.assertEqual(names - {"tend-probe"}, set())  # those of the unit are for looks at logs
        self.assertEqual(len(fds), 4, fds)  # and the one that lists them
        self.assertRegex(limits, r"Max core file size +0 +0")

    def look(self, kind, **args):
        Programs.next_id += 1
        return self.connection.send("run", {
            "id": f"look-{Programs.next_id}", "look": kind, "args": args, "timeout_msec": 5000,
            "output_max": 65536})

    def groups_of(self, status):
        numbers = re.search(r"^Groups:(.*)$", status, re.M)[1].split()
        return {line.split(":")[0] for line in self.box.read("/etc/group").splitlines()
                if line.split(":")[2] in numbers}

    def keeper(self):
        return int(self.box.out("pgrep", "-x", "tend-keeper"))

    def test_groups_are_for_looks_at_logs(self):
        """What stands in for tend-look tells what it got."""
        for kind, wanted in (("journal", True), ("logfile", True), ("file", True), ("unit", True),
                             ("host", False), ("process", False)):
            got = json.loads(self.connection.answer(self.look(kind))["stdout"])
            self.assertEqual(got[0], [kind, "-"])
            self.assertEqual(self.groups_of(got[1]) - {"tend-probe"},
                             {"adm", "systemd-journal"} if wanted else set(), kind)
            for which in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                self.assertRegex(got[1], rf"(?m)^{which}:\t0+$")
            self.assertLessEqual(len(got[2]), 4, got[2])
        status = self.box.out("cat", f"/proc/{self.box.main_pid('tend-spawn.service')}/status")
        self.assertEqual(self.groups_of(status) - {"tend-probe"}, set())
        for pid in (self.box.main_pid("tend-spawn.service"), self.keeper()):
            status = self.box.out("cat", f"/proc/{pid}/status")
            for which in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                self.assertRegex(status, rf"(?m)^{which}:\t0+$")

    def test_a_look_is_out_of_reach(self):
        """Of a program of the same user: its groups are worth something."""
        waiting = self.look("journal", wait=True)
        victim = wait_for(lambda: self.box.run("pgrep", "-f", "tend-look journal", check=False)
                          .stdout.split(), 5, "it to run")[0]
        got = self.run_program("burglar", victim, str(self.keeper()))["stdout"]
        print("\n" + textwrap.indent(got, "    a program: "), end="")
        self.assertNotIn("DONE", got)
        self.assertEqual(got.count("refused"), 8)
        self.assertTrue(self.connection.answer(waiting)["timed_out"])

    def test_without_its_keeper(self):
        """A program of the same user can kill it: all begins anew."""
        before = self.box.main_pid("tend-spawn.service")
        self.box.run("kill", "-KILL", str(self.keeper()))
        wait_for(lambda: self.box.main_pid("tend-spawn.service") not in (0, before), 20,
                 "tend-spawn to start again")
        self.connection = self.spawn.connect()
        self.addCleanup(self.connection.close)
        got = json.loads(self.connection.answer(self.look("journal"))["stdout"])
        self.assertIn("adm", self.groups_of(got[1]))

    def test_others_are_out_of_reach(self):
        got = self.run_program("peers")["stdout"]
        print("\n" + textwrap.indent(got, "    a program: "), end="")
        self.assertNotIn("DONE", got)

    def test_dies_by_a_signal(self):
        got = self.run_program("segv")
        self.assertEqual((got["signal"], got["stdout"]), (signal.SIGSEGV, "half a line\n"))
        self.assertNotIn("exit_status", got)

    def test_bytes(self):
        got = self.run_program("binary")["stdout"]
        self.assertEqual(got, "OK ????[31mä ??")

    def test_what_is_not_run(self):
        self.assertIn("No such file", self.refused("missing", "no-such-program"))
        self.refused("not-executable", "plain")
        self.assertIn("start", self.refused("cannot-start", "interpreter"))
        self.assertIn("written by others", self.refused("not-allowed", "writable"))
        self.assertIn("written by others", self.refused("not-allowed", "open/x"))
        self.assertIn("leads to", self.refused("not-allowed", "outside"))
        self.refused("not-allowed", "/bin/sh", "-c", "id")
        self.refused("not-executable", f"{PROBES}/open")
        for path in (f"{PROBES}/../../bin/sh", f"{PROBES}//ok", f"{PROBES}/./ok", "ok/../ok/.."):
            self.refused("invalid", path if path[0] == "/" else f"{PROBES}/{path}")

    def test_bad_requests(self):
        good = {"id": "x", "argv": [f"{PROBES}/ok"], "timeout_msec": 1000, "output_max": 10}
        for key, values in {
                "id": ["", "../x", "a" * 65, 7, None, "-\n"],
                "argv": [[], "ok", ["ok"], [f"{PROBES}/ok"] * 65, [f"{PROBES}/ok", 7],
                         [f"{PROBES}/ok", "x" * 8193]],
                "timeout_msec": [0, -1, 600001, "5", 1.5], "output_max": [-1, 65537],
                "stdin": [7, "x" * 65537], "shell": [True]}.items():
            for value in values:
                with self.subTest(key=key, value=str(value)[:40]):
                    with self.assertRaises(execbox.Refused) as caught:
                        self.connection.call("run", {**good, key: value})
                    self.assertEqual(caught.exception.code, "invalid")
        for call in ("exec", "unit", "command", ""):
            with self.assertRaises(execbox.Refused):
                self.connection.call(call, good)
        self.assertEqual(self.connection.call("run", good)["exit_status"], 0)

    def ends_in_time(self, program, limit=0.8, **options):
        """It is answered at its limit, not at its own end, and nothing is left. How long that took
        is printed: the fault `plugin-flood` has limits for it."""
        begun = time.monotonic()
        got = self.run_program(program, timeout=int(limit * 1000), **options)
        answered = time.monotonic() - begun
        self.assertTrue(got["timed_out"], got)
        self.assertNotIn("exit_status", got)
        self.assertLess(answered, limit + 60)
        self.gone(60)
        took = time.monotonic() - begun
        print(f"    {program}: answered after {answered:.2f} s, nothing left after {took:.2f} s")
        return got

    def test_flood(self):
        got = self.ends_in_time("flood")
        self.assertEqual((len(got["stdout"]), got["truncated"]), (65536, True))
        got = self.ends_in_time("flood2", output_max=1000)
        self.assertEqual((len(got["stdout"]), len(got["stderr"])), (1000, 1000))

    def test_ignores_term(self):
        self.ends_in_time("stubborn")

    def test_a_tree(self):
        self.assertIn("planted", self.ends_in_time("tree")["stdout"])

    def test_setsid_and_away(self):
        self.ends_in_time("escape")

    def test_closes_its_output_and_hangs(self):
        self.ends_in_time("silent")

    def test_fork_bomb(self):
        got = self.ends_in_time("bomb", limit=2)
        self.assertRegex(got["stdout"], r"stopped after \d\d ")

    def test_memory_hog(self):
        got = self.run_program("hog")
        self.assertTrue(got.get("signal") == signal.SIGKILL or "MemoryError" in got["stderr"], got)

    def test_a_daemon_is_not_left(self):
        begun = time.monotonic()
        got = self.run_program("daemon")
        self.assertEqual((got["exit_status"], got["stdout"]), (0, "OK - left a daemon\n"))
        self.gone(60)
        got = self.run_program("holder")
        self.assertEqual((got["exit_status"], got["stdout"]), (0, "OK - a child holds the output\n"))
        self.gone(60)
        self.assertLess(time.monotonic() - begun, 120)

    def test_no_zombies(self):
        for _ in range(30):
            self.run_program("daemon")
        self.assertEqual([p for p in self.spawn.processes() if p[1].startswith("Z")], [])

    def test_cancel(self):
        number, job = self.send("sleep", "1000", timeout=60000)
        wait_for(self.spawn.processes, 5, "it to run")
        self.assertEqual(self.connection.call("cancel", {"id": job}), {"found": True})
        with self.assertRaises(execbox.Refused) as caught:
            self.connection.answer(number)
        self.assertEqual(caught.exception.code, "cancelled")
        self.gone(1)
        self.assertEqual(self.connection.call("cancel", {"id": job}), {"found": False})

    def test_end_of_the_connection(self):
        self.send("stubborn", timeout=60000)
        wait_for(self.spawn.processes, 5, "it to run")
        self.connection.close()
        self.gone(3)

    def test_queue(self):
        """8 run, 4 wait, the rest is refused; what waits runs when there is room."""
        numbers = [self.send("sleep", "1.2", timeout=8000)[0] for _ in range(14)]
        refused, done = [], []
        for number in numbers:
            try:
                done.append(self.connection.answer(number))
            except execbox.Refused as error:
                refused.append(error.code)
        self.assertEqual((refused, len(done)), (["busy"] * 2, 12))
        self.assertTrue(all(one["exit_status"] == 0 for one in done))
        # What has waited its whole time is not begun.
        numbers = [self.send("sleep", "1.2", timeout=4000)[0] for _ in range(8)]
        late = self.send("sleep", "0", timeout=200)[0]
        with self.assertRaises(execbox.Refused) as caught:
            self.connection.answer(late)
        self.assertEqual(caught.exception.code, "busy")
        for number in numbers:
            self.assertEqual(self.connection.answer(number)["exit_status"], 0)

    def test_killed_in_the_middle(self):
        for program in ("stubborn", "escape", "tree"):
            self.send(program, timeout=60000)
        wait_for(lambda: len(self.spawn.processes()) > 6, 5, "them to run")
        pid = self.box.main_pid("tend-spawn.service")
        self.box.run("kill", "-KILL", str(pid))
        with self.assertRaises(execbox.Gone):
            self.connection.answer(1)
        self.gone(5)
        self.connection.close()
        self.setUp()
        self.assertNotEqual(self.box.main_pid("tend-spawn.service"), pid)
        self.assertEqual(self.run_program("ok")["exit_status"], 0)

    def attacked(self, *words, seconds, timeout=700):
        """A program turns on its watchers: tend-spawn ends, nothing is left, and it is back."""
        before = self.box.main_pid("tend-spawn.service")
        begun = time.monotonic()
        self.send("assassin", *words, timeout=timeout)
        wait_for(lambda: self.box.main_pid("tend-spawn.service") not in (0, before), seconds,
                 "tend-spawn to be a new one")
        self.gone(2)
        print(f"    assassin {words}: all gone, tend-spawn anew after {time.monotonic() - begun:.1f} s")
        self.connection.close()
        self.setUp()
        self.assertEqual(self.run_program("ok")["exit_status"], 0)

    def test_kills_its_warden(self):
        self.attacked("SIGKILL", seconds=5)

    def test_stops_its_warden(self):
        self.attacked("SIGSTOP", seconds=10)

    def test_stops_tend_spawn(self):
        self.attacked("SIGCONT", str(self.box.main_pid("tend-spawn.service")), seconds=25)

    def test_only_tendd_is_heard(self):
        """By file permissions, by uid, and by being the main process."""
        # What it writes is not read: it may not even be able to.
        talk = ("import contextlib, socket; s = socket.socket(socket.AF_UNIX); s.settimeout(5)\n"
                f"s.connect('{SOCKET}')\n"
                "with contextlib.suppress(BrokenPipeError):\n"
                "    s.sendall(b'{\"id\":1,\"call\":\"hello\"}\\n')\n"
                "print(s.recv(4096).decode())")
        for user in ("daemon", "tend-probe"):
            done = self.box.run("python3", "-c", talk, user=user, check=False)
            self.assertIn("PermissionError", done.stderr)
        for user in ("tend", None):
            done = self.box.run("python3", "-c", talk, user=user, check=False)
            self.assertIn('"refused"', done.stdout, done)
            self.assertNotIn('"ok"', done.stdout)

    def test_rules_read_anew(self):
        self.addCleanup(self.box.run, "systemctl", "reload", "tend-spawn.service")
        self.addCleanup(self.box.write, "/etc/tend/spawn.conf", RULES)
        self.box.write("/etc/tend/spawn.conf", "[spawn]\npath = /x\n")
        self.box.run("systemctl", "reload", "tend-spawn.service")
        wait_for(lambda: self.connection.call("hello")["paths"] == [], 5, "the reload")
        self.assertIn("the nearest is 'paths'", self.refused("not-allowed", "ok"))
        done = self.box.run("/usr/libexec/tend/tend-spawn", "-t", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("/etc/tend/spawn.conf:2:", done.stderr)
        self.box.write("/etc/tend/spawn.conf", RULES, mode=0o666)
        done = self.box.run("/usr/libexec/tend/tend-spawn", "-t", check=False)
        self.assertIn("belongs to root", done.stderr)


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
