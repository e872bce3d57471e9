# SPDX-License-Identifier: MIT
"""Attackers, each tried out against a real tendd, tend-exec and tend-spawn, and what they got.

One has taken over the user tend (a hole in tendd's parsers), one the user tend-probe (a bad plugin),
one has stolen the ssh key that another host's tendd acts with. What is tried, and the answer, is
printed; nothing may be "DONE".
"""

import json
import time
import unittest
import uuid

import hostnet
from execbox import new_id
from tendbox import Box, tend, wait_for

TARGET = "/var/log/target"

MANIFEST = f"""[unit victim.service]
allow = restart
max_per_hour = 5
[command note]
argv =
	/bin/sh
	-c
	echo "$1" >> {TARGET}
	sh
	{{word}}
user = root
max_per_hour = 5
writable = /var/log
param.word = pattern [a-z./ -]*
[command show]
argv =
	/bin/cat
	{{file}}
user = root
max_per_hour = 50
param.file = path /var/log
"""

VICTIM = "[Service]\nExecStart=/bin/sleep infinity\n"

# What all attackers on this host use. Prints one JSON list [what, answer] a line; "DONE" is bad.
TOOLS = r"""
import ctypes, http.client, json, os, signal, socket, subprocess, sys

def attempt(what, call, *args):
    try:
        answer = call(*args)
    except Exception as error:
        answer = "refused: %s" % (getattr(error, "strerror", None) or error)
    print(json.dumps([what, str(answer)[:200]]), flush=True)

def opened(path, mode="rb"):
    with open(path, mode) as file:
        if "r" in mode:
            file.read(1)
    return "DONE"

def listed(path):
    return "DONE: %d entries" % len(os.listdir(path))

def signalled(pid, number):
    os.kill(pid, number)
    return "DONE"

def traced(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, pid, None, None) < 0:  # PTRACE_ATTACH
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return "DONE"

def stolen_fd(pid):
    fd = os.pidfd_open(pid)
    libc = ctypes.CDLL(None, use_errno=True)
    for number in range(3, 64):
        if libc.syscall(438, fd, number, 0) >= 0:  # pidfd_getfd
            return "DONE: fd %d" % number
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def said(path, line):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(path)
    try:
        s.sendall(line)
    except BrokenPipeError:
        pass  # closed already; why can still be read
    data = b""
    while not data.endswith(b"\n"):
        more = s.recv(65536)
        if not more:
            break
        data += more
    if b'"ok"' in data:
        return "DONE: " + data.decode()
    return "refused: " + (json.loads(data)["args"]["message"] if data.strip() else "closed unheard")

def ran(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    if done.returncode == 0:
        return "DONE: " + done.stdout
    raise OSError(1, (done.stderr or done.stdout).strip().splitlines()[-1])

class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect("/run/tend/tend.sock")

def asked(method, path, body=None):
    for _ in range(20):  # it may close before it has read the body: then there is no answer
        c = Unix("localhost")
        try:
            c.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
            break
        except BrokenPipeError:
            continue
    r = c.getresponse()
    text = r.read().decode()
    if r.status in (401, 403):
        return "refused: %d %s" % (r.status, text.strip())
    return "DONE: %d %s" % (r.status, text)

HELLO = b'{"id":1,"call":"hello"}\n'
RESTART = json.dumps({"id": 1, "call": "unit", "args": {
    "id": ID, "verb": "restart", "unit": "victim.service", "why": "x"}}).encode() + b"\n"
RUN = json.dumps({"id": 1, "call": "run", "args": {
    "id": "x", "argv": ["/usr/lib/nagios/plugins/check_dummy", "0"], "timeout_msec": 1000,
    "output_max": 100}}).encode() + b"\n"
"""

COMMON = r"""
attempt("tend-exec: hello", said, "/run/tend-exec/exec.sock", HELLO)
attempt("tend-exec: restart a unit", said, "/run/tend-exec/exec.sock", RESTART)
attempt("tend-exec: the other hosts' socket", said, "/run/tend-exec/remote.sock", HELLO)
attempt("tend-spawn: hello", said, "/run/tend-spawn/spawn.sock", HELLO)
attempt("tend-spawn: run a plugin", said, "/run/tend-spawn/spawn.sock", RUN)
attempt("ledger: list it", listed, "/var/lib/tend-exec/jobs")
attempt("ledger: read the command's output", listed, "/var/lib/tend-exec/output")
for path in ("/etc/tend/commands.d/mine.conf", "/etc/tend/commands.d/test.conf",
             "/etc/tend/spawn.conf", "/etc/tend/tend.conf", "/etc/tend/conf.d/mine.conf",
             "/usr/libexec/tend/tend-exec", "/usr/sbin/tendd", "/usr/lib/tend/plugins/exec.so",
             "/usr/lib/nagios/plugins/check_mine", "/etc/systemd/system/mine.service",
             "/run/systemd/system/mine.service", "/etc/shadow", "/etc/cron.d/mine"):
    attempt("write " + path, opened, path, "ab")
for name, pid in (("tend-exec", EXEC), ("PID 1", 1)):
    attempt("%s: its memory" % name, opened, "/proc/%d/mem" % pid)
    attempt("%s: its descriptors" % name, listed, "/proc/%d/fd" % pid)
    attempt("%s: take a descriptor" % name, stolen_fd, pid)
    attempt("%s: ptrace" % name, traced, pid)
    attempt("%s: kill" % name, signalled, pid, signal.SIGKILL)
for name, pid in (("tendd", TENDD), ("tend-spawn", SPAWN)):
    attempt("%s: its memory" % name, opened, "/proc/%d/mem" % pid)
    attempt("%s: its environment" % name, opened, "/proc/%d/environ" % pid)
    attempt("%s: its descriptors" % name, listed, "/proc/%d/fd" % pid)
    attempt("%s: take its connection" % name, stolen_fd, pid)
    attempt("%s: ptrace" % name, traced, pid)
attempt("systemd: restart a unit", ran, "systemctl", "--no-ask-password", "restart", "victim.service")
attempt("systemd: run as root", ran, "systemd-run", "--no-ask-password", "--wait", "id")
attempt("systemd: start tendd.service anew as its main process", ran, "systemctl",
        "--no-ask-password", "restart", "tendd.service")
attempt("systemd: change tendd.service", ran, "systemctl", "--no-ask-password", "set-property",
        "--runtime", "tendd.service", "CPUWeight=1")
attempt("systemd: a unit of the user's own named tendd.service", ran, "systemd-run", "--user",
        "--unit=tendd.service", "sleep", "5")
attempt("API: approve", asked, "POST", "/v1/approvals/0192a6f0-1111-7222-8333-444455556666",
        {"verdict": "approve", "comment": "x"})
attempt("API: run a policy", asked, "POST", "/v1/policies/restart-unit/run", {"component": "crm/app"})
attempt("API: let actions go on", asked, "POST", "/v1/actions/resume", {"comment": "x"})
attempt("API: pause actions", asked, "POST", "/v1/actions/pause", {"comment": "x"})
attempt("API: reload", asked, "POST", "/v1/reload", {})
attempt("API: drain", asked, "POST", "/v1/drain", {})
"""

AS_TEND = r"""
attempt("tend-spawn: kill", signalled, SPAWN, signal.SIGKILL)
attempt("tend-spawn: stop", signalled, SPAWN, signal.SIGSTOP)
"""

AS_PROBE = r"""
attempt("state: list it", listed, "/var/lib/tend")
attempt("state: read the database", opened, "/var/lib/tend/state.db")
attempt("secrets: list them", listed, "/etc/tend/secrets")
attempt("secrets: read one", opened, "/etc/tend/secrets/webhook")
attempt("secrets: read the ssh key", opened, "/etc/tend/secrets/ssh-key")
attempt("tendd: kill", signalled, TENDD, signal.SIGKILL)
attempt("tendd: stop", signalled, TENDD, signal.SIGSTOP)
attempt("tendd's socket: replace it", opened, "/run/tend/tend.sock.mine", "wb")
attempt("API: read the state", asked, "GET", "/v1/status")
attempt("API: read incidents", asked, "GET", "/v1/incidents")
attempt("API: read the configuration", asked, "GET", "/v1/config")
"""

CONF = """[daemon]
[system crm]
environment = staging
[component crm/app]
kind = web
unit = victim.service
[check crm/app/unit]
probe = unit
unit = victim.service
interval = 5s
[check crm/app/dummy]
probe = exec
command = /usr/lib/nagios/plugins/check_dummy 0
interval = 5s
"""


NOT_FOR_COMMANDS = "tend-exec: this key is for Tend's messages, not for commands"


class Attack(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = Box("attack").boot()
        cls.addClassCleanup(cls.box.close)
        box = cls.box
        tend.install(box, etc=None)
        box.run("sh", "-c", "rm -rf /etc/tend/conf.d/* /etc/tend/commands.d/*")
        box.write("/etc/tend/tend.conf", CONF)
        box.write("/etc/tend/commands.d/test.conf", MANIFEST)
        box.write("/etc/systemd/system/victim.service", VICTIM)
        box.run("systemctl", "daemon-reload")
        box.run("systemctl", "start", "victim.service")
        hostnet.serve_ssh(box, [hostnet.make_key(box)])
        host_key = box.read("/etc/ssh/ssh_host_ed25519_key.pub").split()
        box.write("/tmp/known_hosts", f"127.0.0.1 {host_key[0]} {host_key[1]}\n")
        box.write("/tmp/stolen-key", box.read(hostnet.KEY), mode=0o600)
        box.write("/var/log/secret.log", "hidden\n", mode=0o600)
        tend.start(box)
        wait_for(lambda: (tend.ctl(box, "check", "show", "crm/app/dummy") or {}).get("state") == "ok",
                 20, "an exec check to be well")
        wait_for(lambda: box.active("tend-exec.service"), 20, "tend-exec to run")
        cls.pids = {name: box.main_pid(f"{unit}.service") for name, unit in
                    (("tendd", "tendd"), ("exec", "tend-exec"), ("spawn", "tend-spawn"))}

    def setUp(self):
        self.victim = self.box.show("victim.service", "InvocationID", "ActiveState")

    def tearDown(self):
        """Whatever was tried: all is as it was."""
        self.assertEqual(self.box.show("victim.service", "InvocationID", "ActiveState"), self.victim)
        for name, unit in (("tendd", "tendd"), ("exec", "tend-exec"), ("spawn", "tend-spawn")):
            self.assertEqual(self.box.main_pid(f"{unit}.service"), self.pids[name], unit)
        self.assertEqual(tend.complaints(self.box), [])

    def program(self, script):
        return (f"TENDD, EXEC, SPAWN = {self.pids['tendd']}, {self.pids['exec']}, "
                f"{self.pids['spawn']}\nID = '{new_id()}'\n" + TOOLS + script)

    def attack(self, user, script):
        self.box.write("/opt/attack.py", self.program(script))
        done = self.box.run("python3", "-B", "/opt/attack.py", user=user, check=False, timeout=120)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        tried = [json.loads(line) for line in done.stdout.splitlines()]
        print(f"\n    as {user}: {len(tried)} attempts")
        for what, answer in tried:
            print(f"    {what:55} {answer}")
        for what, answer in tried:
            with self.subTest(user=user, tried=what):
                self.assertNotIn("DONE", answer)
        return dict(tried)

    def test_user_tend(self):
        answers = self.attack("tend", COMMON + AS_TEND)
        # It gets as far as being looked at, and is told so: that is what tells the two apart.
        for what in ("tend-exec: restart a unit", "tend-spawn: run a plugin"):
            self.assertIn("only the main process of tendd.service", answers[what])
        self.assertIn("viewer", answers["API: approve"])

    def test_user_tend_probe(self):
        answers = self.attack("tend-probe", COMMON + AS_PROBE)
        self.assertIn("Permission denied", answers["tend-exec: restart a unit"])
        self.assertIn("Permission denied", answers["tend-spawn: run a plugin"])

    def test_a_child_of_tendd_is_not_tendd(self):
        """The uid and the unit are right, the process is not its main one."""
        box = self.box
        path = box.out("systemctl", "show", "-P", "ControlGroup", "tendd.service")
        box.write("/opt/attack.py", self.program("""
attempt("tend-exec: restart a unit", said, "/run/tend-exec/exec.sock", RESTART)
attempt("tend-spawn: run a plugin", said, "/run/tend-spawn/spawn.sock", RUN)
"""))
        done = box.run("sh", "-c", f"echo $$ > /sys/fs/cgroup{path}/cgroup.procs && exec setpriv "
                       "--reuid=tend --regid=tend --init-groups python3 -B /opt/attack.py")
        print("\n    in tendd's control group, as tend:")
        for line in done.stdout.splitlines():
            what, answer = json.loads(line)
            print(f"    {what:55} {answer}")
            self.assertIn("only the main process of tendd.service", answer)

    # ---- the holder of the key

    def ssh(self, *words, stdin="", timeout=30):
        return self.box.run(
            "ssh", "-F", "none", "-oBatchMode=yes", "-oIdentitiesOnly=yes",
            "-oUserKnownHostsFile=/tmp/known_hosts", "-i", "/tmp/stolen-key", "-l", "tend-remote",
            *words, check=False, stdin=stdin, timeout=timeout)

    def tell(self, what, answer):
        print(f"    {what:55} {' '.join(str(answer).split())[:170]}")

    def test_key_is_no_log_in(self):
        print("\n    with the stolen key")
        host = "127.0.0.1"
        for what, words in (
                ("a command", ("-T", host, "id")), ("a shell", ("-T", host, "sh")),
                ("a shell with a terminal", ("-tt", host, "bash -i")),
                ("sftp", ("-s", host, "sftp")), ("scp's side", ("-T", host, "scp -f /etc/shadow")),
                ("the same program otherwise", ("-T", host, "/usr/libexec/tend/tend-exec --state-dir /tmp")),
                ("the launcher", ("-T", host, "/usr/libexec/tend/tend-exec --launch /bin/id"))):
            done = self.ssh(*words)
            self.tell(what, done.stderr or done.stdout)
            # 2 is the program's own; its words may be lost when the connection ends. 255 is ssh's,
            # which was denied a terminal.
            self.assertIn(done.returncode, (2, 255), done)
            self.assertIn(done.stdout.strip(), ("", NOT_FOR_COMMANDS))
        for what, words, text in (
                ("a forward to a port", ("-W", "127.0.0.1:22"), "prohibited"),
                ("a port back", ("-T", "-oExitOnForwardFailure=yes", "-R", "9999:127.0.0.1:22"),
                 "forwarding failed"),
                ("the environment", ("-T", "-oSetEnv=LD_PRELOAD=/tmp/x.so"), None),
                ("the agent, X11", ("-T", "-A", "-X"), None)):
            done = self.ssh(*words, host)
            self.tell(what, done.stderr or done.stdout or f"exit {done.returncode}, nothing said")
            if text:
                self.assertIn(text, done.stderr)
            self.assertNotIn('"ok"', done.stdout)

    def test_key_forwards_no_socket(self):
        """A forward from here is granted when it is used: then it must be refused."""
        for target in ("/run/tend-exec/exec.sock", "/run/tend-exec/remote.sock", "/run/tend/tend.sock"):
            done = self.box.run("python3", "-c", FORWARD, target, check=False, timeout=60)
            self.tell(f"a forward to {target}", done.stdout or done.stderr)
            self.assertIn("listens closed, nothing said", done.stdout)

    def exchange(self, *messages):
        """The answers by number to what is written down the line at once."""
        lines = [json.dumps({"id": n + 1, **m}) if isinstance(m, dict) else m
                 for n, m in enumerate(messages)]
        process = self.box.run(
            "python3", "-c", FEED, *["ssh", "-F", "none", "-T", "-oBatchMode=yes",
                                     "-oIdentitiesOnly=yes",
                                     "-oUserKnownHostsFile=/tmp/known_hosts", "-i",
                                     "/tmp/stolen-key", "-l", "tend-remote", "127.0.0.1"],
            stdin=json.dumps(lines), check=False, timeout=60)
        answers = {}
        for line in process.stdout.splitlines():
            message = json.loads(line)
            if "call" not in message:
                answers[message["id"]] = message.get("ok") or message["error"]
        return [answers.get(n + 1) for n in range(len(messages))]

    def unit(self, verb, unit, **more):
        return {"call": "unit", "args": {"id": new_id(), "verb": verb, "unit": unit, "why": "x",
                                         **more}}

    def command(self, name, args, **more):
        return {"call": "command", "args": {"id": new_id(), "command": name, "args": args,
                                            "why": "x", **more}}

    def test_key_and_messages(self):
        tries = [
            ("a unit that is not listed", self.unit("restart", "ssh.service")),
            ("a verb that is not listed", self.unit("stop", "victim.service")),
            ("tend-exec itself", self.unit("restart", "tend-exec.service")),
            ("a verb that there is not", self.unit("kill", "victim.service")),
            ("a command that is not listed", self.command("rm", {})),
            ("a command by its path", self.command("/bin/sh", {})),
            ("an option as an argument", self.command("note", {"word": "-rf"})),
            ("a shell's words as an argument", self.command("note", {"word": "$(id)"})),
            ("a line break in an argument", self.command("note", {"word": "a\nb"})),
            ("one argument too many", self.command("note", {"word": "a", "more": "b"})),
            ("no argument", self.command("note", {})),
            ("a path with ..", self.command("show", {"file": "/var/log/../../etc/shadow"})),
            ("a path elsewhere", self.command("show", {"file": "/etc/shadow"})),
            ("a path that begins with -", self.command("show", {"file": "-n"})),
            ("an id that is a path", self.command("note", {"word": "a"}, id="../../../tmp/x")),
            ("an id of last year", self.command("note", {"word": "a"}, id=new_id(400 * 86400))),
            ("a key that there is not", self.unit("restart", "victim.service", user="root")),
            ("another call", {"call": "shell", "args": {"command": "id"}}),
            ("tend-spawn's call", {"call": "run", "args": {"id": "x", "argv": ["/bin/id"]}}),
            ("a job that is not its own", {"call": "attach", "args": {"id": str(uuid.uuid4())}}),
        ]
        answers = self.exchange(*(message for _, message in tries))
        print("\n    with the stolen key, as messages")
        for (what, _), answer in zip(tries, answers):
            self.tell(what, answer)
            with self.subTest(what):
                self.assertIsNotNone(answer)
                self.assertTrue("code" in answer and answer["code"] in (
                    "invalid", "not-allowed", "never-begun", "busy", "limited")
                    or answer.get("outcome") == "refused", answer)
        self.assertEqual(self.box.read(TARGET), "")
        self.assertNotIn("hidden", str(answers))

    def test_key_and_garbage(self):
        print("\n    with the stolen key, as bytes")
        for what, text in (("a line of 2 MiB", "x" * (2 << 20) + "\n"),
                           ("2 MiB without an end", '{"id":1,"call":"' + "y" * (2 << 20)),
                           ("no JSON", "id; cat /etc/shadow\n"), ("100,000 brackets", "[" * 100000 + "\n"),
                           ("a NUL", '{"id":1,"call":"hello\\u0000"}\n'),
                           ("a huge number", '{"id":1e999,"call":"hello"}\n'),
                           ("two lines in one", '{"id":1,"call":"hello"}{"id":2,"call":"hello"}\n')):
            begun = time.monotonic()
            done = self.ssh("-T", "127.0.0.1", stdin=text)
            self.tell(what, (done.stdout or done.stderr or "closed, nothing said") +
                      f" after {time.monotonic() - begun:.1f} s")
            self.assertNotIn('"ok"', done.stdout)
            self.assertNotIn("root:", done.stdout)
            self.assertTrue(self.box.active("tend-exec.service"))

    def test_key_and_ids_twice(self):
        """At most once holds for him too, by the target's own count."""
        job = new_id()
        message = self.command("note", {"word": "once"}, id=job)
        answers = self.exchange(message, message) + self.exchange(message)
        print("\n    with the stolen key, one id three times")
        for answer in answers:
            self.tell("a command with an id that was used", answer)
        wait_for(lambda: self.box.read(TARGET), 10, "the first to be done")
        self.assertEqual(self.box.read(TARGET), "once\n")
        self.box.run("rm", TARGET)

    def test_key_and_tokens(self):
        """A lower fencing token than one that was seen is refused."""
        high, low = ({"lock": "crm", "token": token} for token in (7, 6))
        answers = (self.exchange(self.command("note", {"word": "high"}, fence=high)) +
                   self.exchange(self.command("note", {"word": "late"}, fence=low)))
        self.tell("a higher token", answers[0])
        self.tell("a lower token", answers[1])
        self.assertEqual(answers[0].get("outcome"), "done", answers[0])
        self.assertNotEqual(answers[1].get("outcome"), "done")
        self.assertIn("token", str(answers[1]))
        self.assertEqual(self.box.read(TARGET), "high\n")
        self.box.run("rm", TARGET)


# Writes the lines (JSON from standard input) to a program and reads until all calls are answered.
FEED = r"""
import json, select, subprocess, sys, time
lines = json.load(sys.stdin)
p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
p.stdin.write("".join(line + "\n" for line in lines).encode())
p.stdin.flush()
left, data, end = len(lines), b"", time.monotonic() + 30
while left > 0 and time.monotonic() < end:
    if not select.select([p.stdout], [], [], 1)[0]:
        continue
    more = p.stdout.read1(65536)
    if not more:
        break
    data += more
    left = len(lines) - sum(1 for l in data.split(b"\n")[:-1] if b'"call"' not in l[:30])
p.stdin.close()
p.wait(10)
sys.stdout.buffer.write(data)
"""


# A local socket forwarded to argv[1], and what comes out of it.
FORWARD = r"""
import os, socket, subprocess, sys
if os.path.exists("/tmp/a.sock"):
    os.unlink("/tmp/a.sock")
p = subprocess.Popen(["ssh", "-F", "none", "-N", "-oBatchMode=yes", "-oIdentitiesOnly=yes",
                      "-oUserKnownHostsFile=/tmp/known_hosts", "-i", "/tmp/stolen-key", "-L",
                      "/tmp/a.sock:" + sys.argv[1], "-oPermitLocalCommand=yes",
                      "-oLocalCommand=echo listens", "-l", "tend-remote", "127.0.0.1"],
                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                     text=True)
data, why, listens = b"", "", ""
try:
    listens = p.stdout.readline()  # when its socket is there; "" when it ended before
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect("/tmp/a.sock")
    s.sendall(b'{"id":1,"call":"hello"}\\n')
    data = s.recv(4096)
except OSError as error:
    why = str(error)
finally:
    p.terminate()
    try:
        said = p.communicate(timeout=10)[1]
    except subprocess.TimeoutExpired:
        p.kill()
        said = p.communicate()[1]
print(listens.strip(), data.decode() or "closed, nothing said:", why, " ".join(said.split()))
"""


if __name__ == "__main__":
    unittest.main()
