# SPDX-License-Identifier: MIT
"""A storm: thousands of checks that fail in one second, and four who are told of it.

Plain processes on the loopback: tendd with tend-snmp, one web server for all targets
(tests/bench/http_server.c), three webhook sinks and snmptrapd. `ops` takes all, `dead` is not there
until revive(), `slow` takes a few requests and answers 429 to the rest, `nms` gets informs. What was
told is what the sinks and snmptrapd have in their own logs.
"""

import base64
import collections
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

from snmpbox import AUTH, BUILD, PRIV, ROOT, USER, Scratch, end, free_port, trapd
from tendbox import wait_for

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
SINK = os.path.join(TOP, "tests/system/tendbox/guest/webhook_sink.py")
SECRET = "whsec_" + base64.b64encode(b"a storm: thirty-two bytes of key").decode()
WEBHOOKS = ("ops", "dead", "slow")
AT_MOST = "5/10"
PER_COMPONENT, PER_SYSTEM = 10, 50
INTERVAL = "20s"
HELPERS = ("snmp/tend-snmp", "snmp/tend-agentx", "run/tend-run")
ID, SEQUENCE, INCIDENT, FINGERPRINT, COMPONENT, TEXT = "1", "2", "4", "5", "8", "12"

# One thing that was told: where it stands in the receiver's order and what it says.
Told = collections.namedtuple("Told", "id sequence kind incident fingerprint component superseded at")


def tcp_ports(names):
    """One for each, which nobody else is given while the sink is not there."""
    ports = set()
    while len(ports) < len(names):
        ports.add(free_port(kind=socket.SOCK_STREAM))
    return dict(zip(names, ports))


def listens(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def address(number):
    return f"127.1.{number // 250}.{number % 250 + 1}"


class Storm:
    """Checks run each 20 s, spread over 10 s; hold() keeps what they ask until fail()."""

    def __init__(self, n_checks):
        self.n_checks = n_checks
        self.scratch = Scratch()
        self.components = [self.component(number)
                           for number in range(0, n_checks, PER_COMPONENT)]
        self.ports = tcp_ports(WEBHOOKS)
        self.sinks, self.tendd, self.n_starts = {}, None, 0

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.scratch.close()
            raise
        return self

    def __exit__(self, kind, value, trace):
        keep = os.environ.get("TEND_FAULTS_KEEP")
        if keep:
            subprocess.run(["cp", "-r", self.scratch.path, keep], check=False)
        self.scratch.close()

    @staticmethod
    def component(number):
        number //= PER_COMPONENT
        return f"s{number // PER_SYSTEM}/c{number % PER_SYSTEM}"

    # ---- the parts ----

    def _start(self):
        for name in ("state", "run", "libexec"):
            os.mkdir(self.scratch.file(name))
        for program in HELPERS:
            path = os.path.abspath(os.path.join(BUILD, "daemon", program))
            os.symlink(path, self.scratch.file(f"libexec/{os.path.basename(path)}"))
        for name, secret in (("auth", AUTH), ("priv", PRIV), ("hook", SECRET)):
            os.chmod(self.scratch.file(name, secret + "\n"), 0o600)
        self.server = self.scratch.spawn_piped(
            [os.path.join(BUILD, "tests/bench/bench_http_server")])
        self.port = int(self.server.stdout.readline())
        self.trap_port = free_port()
        self.trapd = trapd(self.scratch, "trapd", f"udp:127.0.0.1:{self.trap_port}").start()
        self.start_sink("ops")
        self.start_sink("slow", "--at-most", AT_MOST)
        self.scratch.file("tend.conf", self.configuration())
        self.start_tendd()
        wait_for(lambda: self.n_in("ok") == self.n_checks, 120, "every check to be ok", interval=0.2)

    def configuration(self):
        path = self.scratch.path
        text = [f"[daemon]\nstate_dir = {path}/state\nrun_dir = {path}/run\n"
                f"libexec_dir = {path}/libexec\nplugin_dir = {BUILD}/plugins\nlua_dir = {TOP}/lua\n"
                f"exec_socket = {path}/exec.sock\n"]
        for name in WEBHOOKS:
            text.append(f"[receiver {name}]\ntype = webhook\nsecret = file:{path}/hook\n"
                        f"url = http://127.0.0.1:{self.ports[name]}/hook\n"
                        "retry_min = 1s\nretry_max = 10s\n")
        text.append(f"[receiver nms]\ntype = snmp\nhost = 127.0.0.1:{self.trap_port}\n"
                    f"user = {USER}\nauth_protocol = SHA-256\nauth_password = file:{path}/auth\n"
                    f"priv_protocol = AES\npriv_password = file:{path}/priv\ntimeout = 5s\n"
                    "rate_per_minute = 0\nretry_min = 1s\nretry_max = 5s\n")
        text.append("[route default]\nreceivers = ops, dead, slow, nms\n")
        for number in range(0, len(self.components), PER_SYSTEM):
            text.append(f"[system s{number // PER_SYSTEM}]\nenvironment = production\n")
        text += [f"[component {name}]\nkind = web\n" for name in self.components]
        text += [f"[check {self.component(number)}/{number}]\nprobe = http\n"
                 f"interval = {INTERVAL}\ntimeout = {INTERVAL}\nconfirm = 1 of 1\nflap_high = 0\n"
                 f"url = http://{address(number)}:{self.port}/\n" for number in range(self.n_checks)]
        return "".join(text)

    def start_tendd(self):
        self.n_starts += 1
        with open(self.scratch.file("tendd.log"), "ab") as log:
            self.tendd = self.scratch.spawn(
                [os.path.join(BUILD, "daemon", "tendd"), "-f", "-c",
                 self.scratch.file("tend.conf")], stdout=log, stderr=log)

    def kill_tendd(self):
        self.tendd.send_signal(signal.SIGKILL)
        self.tendd.wait()
        self.start_tendd()

    def kill_helper(self, name):
        """kill -9 of the child of tendd that has this name; whether there was one."""
        try:
            with open(f"/proc/{self.tendd.pid}/task/{self.tendd.pid}/children",
                      encoding="ascii") as file:
                children = file.read().split()
            for pid in children:
                with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                    if file.read().strip() == name:
                        os.kill(int(pid), signal.SIGKILL)
                        return True
        except (FileNotFoundError, ProcessLookupError):
            pass
        return False

    def start_sink(self, name, *more):
        self.sinks[name] = self.scratch.spawn(
            [sys.executable, "-B", SINK, "--port", str(self.ports[name]), "--log", self.log(name),
             "--secret-file", self.scratch.file("hook"), *more], stderr=subprocess.DEVNULL)
        wait_for(lambda: listens(self.ports[name]) or self.sinks[name].poll() is not None, 30,
                 f"the sink {name} to listen", interval=0.02)
        if self.sinks[name].poll() is not None:
            raise RuntimeError(f"the sink {name} ended at once: is its port {self.ports[name]} taken?")

    def stop_sink(self, name):
        end(self.sinks.pop(name))

    def revive(self, name):
        """The sink `name` is there from now on, and takes all."""
        if name in self.sinks:
            self.stop_sink(name)
        self.start_sink(name)

    def log(self, name):
        return self.scratch.file(f"{name}.jsonl")

    def _tell_server(self, line):
        self.server.stdin.write(f"{line}\n")
        self.server.stdin.flush()
        return int(self.server.stdout.readline())

    def hold(self):
        """Until every check waits for its answer."""
        wait_for(lambda: self._tell_server("hold") == self.n_checks, 60,
                 "every check to wait for its answer", interval=0.05)

    def fail(self, all_fail=True):
        """Answer all, now and from now on; the time of it."""
        began = time.time()
        self._tell_server("fail" if all_fail else "well")
        return began

    # ---- what Tend says ----

    def get(self, path):
        """The answer of tendd, or None while it cannot."""
        connection = http.client.HTTPConnection("localhost", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(10)
        try:
            connection.sock.connect(self.scratch.file("run/tend.sock"))
            connection.request("GET", path)
            return json.load(connection.getresponse())
        except (OSError, ValueError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def n_in(self, state):
        """How many checks are confirmed to be in this state."""
        answer = self.get("/v1/status") or {}
        return (answer.get("counts") or {}).get(state, 0)

    def waiting(self):
        """{receiver: notices that wait}, or None."""
        answer = self.get("/v1/receivers")
        rows = answer if isinstance(answer, list) else (answer or {}).get("receivers")
        return rows and {row["name"]: row["waiting"] for row in rows}

    def ctl(self, *words):
        """Seconds that tendctl took; None: it failed (3 and less is how things are)."""
        began = time.monotonic()
        done = subprocess.run([os.path.join(BUILD, "daemon/ctl/tendctl"), "--socket",
                               self.scratch.file("run/tend.sock"), *words], check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=60)
        return time.monotonic() - began if done.returncode <= 3 else None

    # ---- what the sinks say ----

    def requests(self, name):
        """Every request that the sink took: (time, event)."""
        try:
            with open(self.log(name), encoding="utf-8") as file:
                lines = file.read().split("\n")[:-1]
        except FileNotFoundError:
            return []
        entries = [json.loads(line) for line in lines]
        return [(one["time"], one["body"]) for one in entries
                if one["verified"] and one["answer"] < 300]

    def told(self, name):
        """Every incident's notice that the receiver has, in the order of its arrival, with repeats."""
        if name == "nms":
            return self._informs()
        return [one for when, event in self.requests(name) for one in unfold(when, event)]

    def _informs(self):
        kinds = {"1": "incident.raised", "2": "incident.changed", "3": "incident.cleared"}
        found = []
        for block in self.trapd.text().split("TRAP\n")[1:]:
            kind = re.search(rf"OID: \.{re.escape(ROOT)}\.0\.(\d+)", block)
            values = dict(re.findall(
                rf"\.{re.escape(ROOT)}\.1\.20\.(\d+)\.0 = [A-Za-z0-9-]+: \"?([^\t\n\"]*)", block))
            if not kind or kind.group(1) not in kinds or "END" not in block:
                continue
            merged = values.get(TEXT, "").startswith("was raised and cleared")
            found.append(Told(values[ID], int(values[SEQUENCE]), kinds[kind.group(1)],
                              values[INCIDENT], values[FINGERPRINT], values[COMPONENT],
                              [{"kind": "incident.raised"}] if merged else [], 0))
        return found


def unfold(when, event):
    """What one event tells of incidents: itself, or each of its group."""
    data = event.get("data") or {}
    if event["type"] == "tend.incident.group":
        return [Told(one["id"], int(one["sequence"]), one["kind"], one["incident"],
                     one["fingerprint"], one["component"], one.get("superseded") or [], when)
                for one in data["alerts"]]
    kind = event["type"].removeprefix("tend.")
    return [Told(event["id"], int(event["sequence"]), kind, data.get("incident"),
                 event.get("subject"), data.get("component"), data.get("superseded") or [], when)]


def firsts(told):
    """The first copy of each notice, and how many were repeats."""
    seen, found = set(), []
    for one in told:
        if one.id not in seen:
            seen.add(one.id)
            found.append(one)
    return found, len(told) - len(found)


def incidents(told):
    """{incident: (component, ids of its raise, whether it was cleared)} of first copies."""
    found = {}
    for one in told:
        component, raised, cleared = found.get(one.incident, (one.component, set(), False))
        if one.kind == "incident.raised":
            raised = raised | {one.id}
        for old in one.superseded:
            if old["kind"] == "incident.raised":
                raised = raised | {old.get("id", one.id)}
        found[one.incident] = (component, raised, cleared or one.kind == "incident.cleared")
    return found


def complaints(name, told, numbered):
    """What is wrong with what one receiver was told; numbered: superseded ones are named."""
    first, _ = firsts(told)
    first = [one for one in first if one.kind.startswith("incident.")]
    wrong = []
    for incident, (component, raised, cleared) in incidents(first).items():
        if len(raised) != 1:
            wrong.append(f"{name}: incident {incident} of {component}: {len(raised)} raises")
        if not cleared:
            wrong.append(f"{name}: incident {incident} of {component}: no clear")
    last = {}
    for one in first:
        if last.get(one.fingerprint, 0) > one.sequence:
            wrong.append(f"{name}: {one.fingerprint}: {one.sequence} after {last[one.fingerprint]}")
        last[one.fingerprint] = max(one.sequence, last.get(one.fingerprint, 0))
    return wrong + (gaps(name, told) if numbered else [])


def gaps(name, told):
    """Sequence numbers up to the last that neither came nor are named as superseded."""
    have = {one.sequence for one in told}
    have.update(int(old["sequence"]) for one in told for old in one.superseded)
    missing = [number for number in range(1, max(have, default=0)) if number not in have]
    return [f"{name}: {len(missing)} numbers never came: {missing[:5]} ..."] if missing else []
