# SPDX-License-Identifier: MIT
"""A soak: 2,000 mixed checks at 1 s, half of them failing in turns, for minutes, on a calendar that runs.

Plain processes on the loopback: tendd, and for each half a web server (http and tcp checks), Redis,
dnsmasq, nginx (tls), a role of PostgreSQL, and jobs that send heartbeats. Every turn the other half
fails, and some hours go by, so that days of retention pass. Each line of the table has a limit, and
the exit code says whether all were kept: contrib/dev soak MINUTES
"""

import argparse
import glob
import http.client
import http.server
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "../.."))
os.environ.setdefault("TEND_BUILD_DIR", os.path.join(TOP, "build/release"))
sys.path[:0] = [HERE, os.path.join(TOP, "tests/system")]

from bench_http import TICKS, cpu_seconds, process_tree  # noqa: E402
from inbox import SECRET, Unix  # noqa: E402
from pgserver import Postgres  # noqa: E402
from probes import Authority, tcp_port  # noqa: E402
from snmpbox import BUILD, Scratch, end, free_port  # noqa: E402
from tendbox import wait_for  # noqa: E402

HALVES = ("a", "b")
# Of 2,000; an even number of each.
MIX = {"http": 1200, "tcp": 500, "dns": 80, "redis": 80, "postgres": 60, "tls": 40, "heartbeat": 40}
PER_COMPONENT = 10
TURN_SECONDS, TURN_CALENDAR = 60, 16 * 3600
# So long after a turn what failed is still asked anew, besides its schedule.
UNREST_SECONDS = 12
SAMPLE_SECONDS = 8
SOCKETS_NOISE = 10
RSS_LIMIT, SCHEDULE_LIMIT, STORE_LIMIT = 0.02, 0.005, 0.10
# Half and all but a hundredth of the checks begin no later than that after they were due.
LATE_LIMITS = {50: 0.02, 99: 0.2}
# So many incidents it takes until all that is kept of them in memory is full: the last 500 times
# that a policy said no (POLICY_MAX_GATES), and the last 200 that are closed. Those lie in fresh
# memory; the next as many lie between what the first left behind, and so do all after them.
WARM_INCIDENTS = 2 * 500
# PRAGMA journal_size_limit, and a little.
STORES, WAL_LIMIT_MIB = ("tend.db", "history.db"), 4.1
TOO_SHORT = "(too short)"
# A round of the store's pruning begins so often, by the machine's clock; days that each store keeps.
PRUNE_SECONDS, KEPT_DAYS = 600, {"tend.db": 1, "history.db": 4}


class Sink:
    """Takes every notice and forgets it."""

    def __init__(self):
        sink, self.n = self, 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                sink.n += 1
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Half:
    """The servers of one half, which fail and are well together."""

    def __init__(self, soak, name):
        self.soak, self.name, self.fails = soak, name, False
        self.ports = {"redis": tcp_port(), "tls": tcp_port(), "dns": free_port()}
        self.web = soak.scratch.spawn_piped([os.path.join(BUILD, "tests/bench/bench_http_server")])
        self.ports["http"] = int(self.web.stdout.readline())
        self.running = {}
        self.start()

    def commands(self):
        folder = self.soak.scratch.file(f"half-{self.name}")
        os.makedirs(folder, exist_ok=True)
        nginx = self.soak.scratch.file(
            f"half-{self.name}/nginx.conf",
            f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log /dev/null;\n"
            "events { worker_connections 256; }\nhttp { access_log off;\n"
            f"client_body_temp_path {folder}/1; proxy_temp_path {folder}/2;\n"
            f"fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;\n"
            f"server {{ listen 127.0.0.1:{self.ports['tls']} ssl;\n"
            f"ssl_certificate {self.soak.certificate[0]};\n"
            f"ssl_certificate_key {self.soak.certificate[1]}; return 204; }} }}\n")
        return {
            "redis": ["redis-server", "--port", str(self.ports["redis"]), "--bind", "127.0.0.1",
                      "--save", "", "--dir", folder],
            "dns": ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
                    "--no-hosts", f"--port={self.ports['dns']}", "--listen-address=127.0.0.1",
                    "--bind-interfaces", "--address=/crm.test/192.0.2.1", "--pid-file=",
                    "--user=root"],
            "tls": ["nginx", "-e", "/dev/null", "-c", nginx],
        }

    def start(self):
        for name, argv in self.commands().items():
            with open(os.devnull, "wb") as null:
                self.running[name] = self.soak.scratch.spawn(argv, stdout=null, stderr=null)

    def tell(self, line):
        self.web.stdin.write(line + "\n")
        self.web.stdin.flush()
        self.web.stdout.readline()

    def turn(self, fails):
        """From now on all of it fails, or is well."""
        self.fails = fails
        self.tell("fail" if fails else "well")
        self.soak.postgres.sql(f"alter role soak_{self.name} {'no' if fails else ''}login")
        if fails:
            for process in self.running.values():
                end(process)
                self.soak.scratch.forget(process)
            self.running = {}
        elif not self.running:
            self.start()

    def check(self, kind, number):
        """The options of the check with this number."""
        host = f"127.1.{number // 250}.{number % 250 + 1}"
        return {
            "http": lambda: ["probe = http", f"url = http://{host}:{self.ports['http']}/"],
            "tcp": lambda: ["probe = tcp", f"host = {host}", f"port = {self.ports['http']}",
                            r"send = GET / HTTP/1.0\r\n\r\n", "expect = ^HTTP/1.1 200 "],
            "dns": lambda: ["probe = dns", f"name = n{number}.crm.test", "servers = 127.0.0.1",
                            f"port = {self.ports['dns']}", "expect = 192.0.2.1"],
            "redis": lambda: ["probe = redis", "host = 127.0.0.1", f"port = {self.ports['redis']}"],
            "postgres": lambda: ["probe = postgres", f"host = {self.soak.postgres.run}",
                                 f"port = {self.soak.postgres.port}", "dbname = postgres",
                                 f"user = soak_{self.name}", "query = select 1", "expect = 1"],
            "tls": lambda: ["probe = tls", "host = 127.0.0.1", f"port = {self.ports['tls']}",
                            "tls_name = localhost", f"ca_file = {self.soak.authority}"],
            "heartbeat": lambda: ["probe = passive", "every = 1m",
                                  f"heartbeat_token = file:{self.soak.token(number)}"],
        }[kind]()


class Soak:
    """Everything of one soak; `measure()` is one sample."""

    def __init__(self, mix):
        self.mix, self.scratch, self.sink = mix, Scratch(), Sink()
        self.shift, self.tokens, self.stopped = 0, {name: [] for name in HALVES}, False
        ca = Authority(self.scratch.file("ca"))
        self.authority, self.certificate = ca.path("ca.pem"), ca.issue("localhost")
        self.postgres = self.tendd = None
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self):
        self.postgres = Postgres("max_connections = 100\nlog_min_messages = panic")
        self.postgres.sql("create role soak_a login; create role soak_b login")
        self.halves = {name: Half(self, name) for name in HALVES}
        for name in ("state", "run", "libexec"):
            os.mkdir(self.scratch.file(name))
        os.chmod(self.scratch.file("secret", SECRET + "\n"), 0o600)
        os.symlink(os.path.join(BUILD, "daemon/run/tend-run"),
                   self.scratch.file("libexec/tend-run"))
        self.pass_time(0)
        self.scratch.file("tend.conf", self.configuration())
        with open(self.scratch.file("tendd.log"), "ab") as log:
            self.tendd = self.scratch.spawn(
                [os.path.join(BUILD, "daemon/tendd"), "-f", "-c", self.scratch.file("tend.conf"),
                 "--plugin-dir", os.path.join(BUILD, "plugins"), "--calendar",
                 self.scratch.file("shift")], stdout=log, stderr=log)
        threading.Thread(target=self._report, daemon=True).start()

    def close(self):
        self.stopped = True
        keep = os.environ.get("TEND_SOAK_KEEP")
        if self.tendd:
            end(self.tendd)
        if keep:
            subprocess.run(["cp", "-r", self.scratch.path, keep], check=False)
        if self.postgres:
            self.postgres.stop()
            self.postgres.scratch.close()
        self.scratch.close()

    def token(self, number):
        path = self.scratch.file(f"token-{number}", f"soak-{number:016}\n")
        os.chmod(path, 0o600)
        return path

    def configuration(self):
        path = self.scratch.path
        text = [f"[daemon]\nstate_dir = {path}/state\nrun_dir = {path}/run\n"
                f"libexec_dir = {path}/libexec\nlua_dir = {TOP}/lua\nexec_socket = {path}/exec\n"
                f"spawn_socket = {path}/spawn\nactions = no\nkeep_notices = 1d\n"
                "keep_history = 1d\nkeep_minutes = 2d\nkeep_hours = 4d\n"
                "inbound_rate_per_minute = 10000\nlog_level = warning\n",
                f"[receiver ops]\ntype = webhook\nsecret = file:{path}/secret\n"
                f"url = http://127.0.0.1:{self.sink.port}/\n[route default]\nreceivers = ops\n"
                "[system soak]\nenvironment = production\n"]
        number = 0
        for half in HALVES:
            for kind, n in self.mix.items():
                for k in range(n // 2):
                    component = f"soak/{half}-{kind}-{k // PER_COMPONENT}"
                    if k % PER_COMPONENT == 0:
                        text.append(f"[component {component}]\nkind = app\n")
                    timing = "" if kind == "heartbeat" else "timeout = 1s\n"
                    text.append(f"[check {component}/c{number}]\ninterval = 1s\nflap_high = 0\n" +
                                timing + "\n".join(self.halves[half].check(kind, number)) + "\n")
                    if kind == "heartbeat":
                        self.tokens[half].append(f"soak-{number:016}")
                    number += 1
        return "".join(text)

    def _report(self):
        """Jobs of the half that is well say so, of the other that they failed, every few seconds."""
        while not self.stopped:
            for name in HALVES:
                for token in self.tokens[name]:
                    fails = "/fail" if self.halves[name].fails else ""
                    self.get(f"/v1/heartbeats/{token}{fails}")
            time.sleep(2)

    def pass_time(self, seconds):
        self.shift += seconds
        path = self.scratch.file("shift")
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(f"{self.shift}\n")
        os.rename(path + ".new", path)

    def get(self, path):
        client = Unix(self.scratch.file("run/tend.sock"))
        client.timeout = 10
        try:
            client.request("GET", path)
            return client.getresponse().read().decode()
        except (OSError, http.client.HTTPException):
            return ""
        finally:
            client.close()

    def n_well(self):
        found = re.search(r'^tend_checks\{state="ok"\} (\d+)$', self.get("/metrics"), re.M)
        return int(found[1]) if found else 0

    def turn(self, number):
        for k, name in enumerate(HALVES):
            self.halves[name].turn(number % 2 == k)

    def measure(self):
        # What the page itself takes in tendd is not there yet.
        pid = self.tendd.pid
        one = {"rss": rss_kib(pid), "fds": fds(pid), "cpu": cpu_seconds(pid),
               "machine": machine_seconds(), "sizes": sizes(self.scratch.file("state"))}
        before = time.monotonic()
        page = self.get("/metrics")
        one["at"] = (before + time.monotonic()) / 2

        def value(name):
            found = re.search(rf"^{name} ([0-9.e+-]+)$", page, re.M)
            return float(found[1]) if found else 0.0

        kinds = dict.fromkeys(self.mix, 0)
        for kind, n in re.findall(r'^tend_check_attempts_total\{[^}]*component="soak/[ab]-(\w+)-'
                                  r'[^}]*\} (\d+)$', page, re.M):
            kinds[kind] += int(n)
        states = dict(re.findall(r'^tend_checks\{state="(\w+)"\} (\d+)$', page, re.M))
        buckets = re.findall(r'^tend_check_start_delay_seconds_bucket\{le="([^"]+)"\} (\d+)$', page,
                             re.M)
        one |= {"kinds": kinds, "late": value("tend_check_start_lag_seconds"),
                "attempts": sum(n for kind, n in kinds.items() if kind != "heartbeat"),
                "lag": value("tend_loop_lag_seconds"), "overruns": value("tend_overruns_total"),
                "unwell": sum(int(n) for state, n in states.items() if state != "ok"),
                "delays": {float(bound): int(n) for bound, n in buckets}}
        return one


def rss_kib(pid):
    """{process: KiB} of tendd and all below it."""
    found = {}
    for one in process_tree(pid):
        try:
            with open(f"/proc/{one}/status", encoding="utf-8") as file:
                fields = dict(line.split(":", 1) for line in file if ":" in line)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if "VmRSS" in fields:
            name = fields["Name"].strip()
            found[name] = found.get(name, 0) + int(fields["VmRSS"].split()[0])
    return found


def fds(pid):
    """{kind: number} of tendd's file descriptors."""
    found = {}
    for path in glob.glob(f"/proc/{pid}/fd/*"):
        try:
            target = os.readlink(path)
        except OSError:
            continue
        special = re.match(r"(?:anon_inode:\[?)?(\w+)", target)
        kind = special[1] if special else "file"
        found[kind] = found.get(kind, 0) + 1
    return found


def sizes(folder):
    """{file: bytes} of the store; what is not there has none."""
    found = {}
    for name in STORES + tuple(f"{name}-wal" for name in STORES):
        try:
            found[name] = os.path.getsize(os.path.join(folder, name))
        except FileNotFoundError:
            found[name] = 0
    return found


def machine_seconds():
    """(CPU time that was used, idle, and taken by the host) of the whole machine."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(part) for part in file.readline().split()[1:9]]
    idle = ticks[3] + ticks[4]
    return (sum(ticks[:7]) - idle) / TICKS, idle / TICKS, ticks[7] / TICKS


# ---- the verdict --------------------------------------------------------------------------------

def quarters(values):
    n = max(1, len(values) // 4)
    return values[:n], values[-n:]


def growth(values):
    """How much the last quarter's median is above the first quarter's, as a share."""
    first, last = (statistics.median(part) for part in quarters(values))
    return (last - first) / first if first else 0.0


def between_turns(samples):
    """(attempts, overruns, seconds) of the stretches in which nothing turned."""
    turns = {}
    for one in samples:
        if one["since_turn"] >= UNREST_SECONDS:
            turns.setdefault(one["turn"], []).append(one)
    return tuple(sum(rows[-1][what] - rows[0][what] for rows in turns.values())
                 for what in ("attempts", "overruns", "at"))


def delay(first, last, percent):
    """The bound within which so many of the starts between two samples were, in seconds."""
    n = {bound: last["delays"][bound] - first["delays"].get(bound, 0) for bound in last["delays"]}
    wanted = n[max(n)] * percent / 100
    return min(bound for bound in n if n[bound] >= wanted)


def warm_up(minutes, mix):
    """(seconds, whether that is enough). Each component that fails in a turn is an incident."""
    a_turn = sum(-(-(n // 2) // PER_COMPONENT) for n in mix.values())
    wanted = WARM_INCIDENTS / a_turn * TURN_SECONDS
    return min(wanted, minutes * 30), minutes * 30 >= wanted


def memory_rows(samples, is_warm):
    for name in sorted(samples[-1]["rss"]):
        values = [one["rss"].get(name, 0) for one in samples]
        share = growth(values)
        yield (f"RSS of {name}, {min(values) / 1024:.1f}-{max(values) / 1024:.1f} MiB",
               f"{share:+.2%}", f"<= {RSS_LIMIT:.0%}" if is_warm else TOO_SHORT,
               share <= RSS_LIMIT or not is_warm)


def fd_rows(samples):
    """Connections of checks come and go: of sockets the fewest count, what leaks is there always."""
    for kind in sorted(set().union(*(one["fds"] for one in samples))):
        values = [one["fds"].get(kind, 0) for one in samples]
        pick = min if kind == "socket" else statistics.median
        more = pick(quarters(values)[1]) - pick(quarters(values)[0])
        noise = SOCKETS_NOISE if kind == "socket" else 0
        yield (f"descriptors: {kind}, {min(values)}-{max(values)}", f"{more:+.0f}",
               f"<= {noise}", more <= noise)


def schedule_rows(samples, mix):
    first, last = samples[0], samples[-1]
    n_active = sum(n for kind, n in mix.items() if kind != "heartbeat")
    n, overruns, elapsed = between_turns(samples)
    # One that was due while its attempt still ran has kept its place in the schedule.
    share = (n + overruns) / max(1.0, elapsed * n_active) - 1
    yield (f"attempts, {n:.0f} in {elapsed:.0f} s between turns", f"{share:+.2%}",
           f"+-{SCHEDULE_LIMIT:.1%}", abs(share) <= SCHEDULE_LIMIT)
    yield ("of these, still running when due", f"{overruns:.0f}", f"<= {SCHEDULE_LIMIT:.1%}",
           overruns <= SCHEDULE_LIMIT * max(n, 1))
    for percent, limit in LATE_LIMITS.items():
        late = delay(first, last, percent)
        yield (f"{percent} % of the starts are late by at most", f"{late * 1000:.0f} ms",
               f"<= {limit * 1000:.0f} ms", late <= limit)
    elapsed = last["at"] - first["at"]
    share = (last["attempts"] - first["attempts"]) / (elapsed * n_active) - 1
    yield ("attempts, with those that turns ask besides", f"{share:+.2%}", "", True)
    for kind, n in mix.items():
        rate = (last["kinds"][kind] - first["kinds"][kind]) / elapsed
        yield (f"results a second of {n} x {kind}", f"{rate:.1f}", "", True)
    yield ("latest start of a check", f"{max(one['late'] for one in samples):.3f} s", "", True)
    yield ("longest turn of the loop", f"{max(one['lag'] for one in samples):.3f} s", "", True)


def failing_rows(samples, mix):
    half = sum(mix.values()) / 2
    unwell = [one["unwell"] for one in samples if one["settled"]]
    if unwell:
        yield ("checks that failed at the ends of turns", f"{min(unwell)}-{max(unwell)}",
               f"{half:.0f} +-2%", all(abs(n / half - 1) <= 0.02 for n in unwell))


def store_rows(start, samples, minutes):
    """What is written until the first round of pruning tells how fast it grows: it may hold what is
    kept, and what comes until the next round. The logs grow while the disk or the machine is slow,
    and shrink again."""
    long_enough = minutes * 60 >= 2 * PRUNE_SECONDS
    filling = [one for one in samples if one["at"] - start["at"] <= PRUNE_SECONDS] or samples[:1]
    for name in STORES:
        rate = ((filling[-1]["sizes"][name] - start["sizes"][name])
                / (filling[-1]["at"] - start["at"]))
        kept = KEPT_DAYS[name] * 86400 / TURN_CALENDAR * TURN_SECONDS
        bound = (start["sizes"][name] + rate * (PRUNE_SECONDS + kept)) / 1048576
        top = max(one["sizes"][name] for one in samples) / 1048576
        yield (f"{name}, {rate / 1024:.1f} KiB/s when new: may have {bound:.1f} MiB", f"{top:.1f} MiB",
               f"<= +{STORE_LIMIT:.0%}" if long_enough else TOO_SHORT,
               top <= bound * (1 + STORE_LIMIT) or not long_enough)
        logs = [one["sizes"][f"{name}-wal"] / 1048576 for one in samples]
        least = min(quarters(logs)[1])
        yield (f"{name}-wal, at most {max(logs):.1f} MiB, shrinks to", f"{least:.1f} MiB",
               f"<= {WAL_LIMIT_MIB} MiB", least <= WAL_LIMIT_MIB)


def machine_rows(samples):
    """Where nothing was idle, it is the machine that was judged."""
    first, last = samples[0], samples[-1]
    used, idle, stolen = (b - a for a, b in zip(first["machine"], last["machine"]))
    cpu, n = last["cpu"] - first["cpu"], sum(last["kinds"].values()) - sum(first["kinds"].values())
    yield ("CPU of tendd and its children, a result", f"{cpu / max(n, 1) * 1e6:.0f} us", "", True)
    yield ("of one core", f"{cpu / (last['at'] - first['at']):.0%}", "", True)
    yield ("the whole machine was idle", f"{idle / max(used + idle + stolen, 0.01):.0%}", "", True)
    worst = max((b["machine"][2] - a["machine"][2]) / max(b["at"] - a["at"], 0.01)
                for a, b in zip(samples, samples[1:]))
    yield ("its host took at most, between two samples", f"{worst:.2f} of a core", "", True)


def verdict(start, samples, mix, minutes):
    """[(what, figure, limit, kept)]: one line each."""
    return [*memory_rows(samples, warm_up(minutes, mix)[1]), *fd_rows(samples), *schedule_rows(samples, mix),
            *failing_rows(samples, mix), *store_rows(start, samples, minutes), *machine_rows(samples)]


def phases(start, samples):
    """The same figures at the start, after the warm-up and at the end."""
    three = (start, samples[0], samples[-1])
    rows = [(f"RSS of {name}, KiB", [one["rss"].get(name, 0) for one in three])
            for name in sorted(set().union(*(one["rss"] for one in three)))]
    rows += [(f"descriptors: {kind}", [one["fds"].get(kind, 0) for one in three])
             for kind in sorted(set().union(*(one["fds"] for one in three)))]
    rows += [(f"{name}, KiB", [one["sizes"][name] // 1024 for one in three])
             for name in samples[0]["sizes"]]
    return rows


def soak(minutes, mix, say):
    run = Soak(mix)
    samples = []
    try:
        wait_for(lambda: run.n_well() == sum(mix.values()), 120, "every check to be ok", 0.5)
        began, start = time.monotonic(), run.measure()
        warm, over = began + warm_up(minutes, mix)[0], began + minutes * 60
        number, turned = 0, 0.0
        while time.monotonic() < over:
            now = time.monotonic()
            if now >= turned + TURN_SECONDS:
                run.turn(number)
                run.pass_time(TURN_CALENDAR)
                number, turned = number + 1, now
            time.sleep(max(0.0, min(SAMPLE_SECONDS - (time.monotonic() - now), over - now)))
            if run.tendd.poll() is not None:
                raise RuntimeError(f"tendd ended with {run.tendd.returncode}")
            one = run.measure()
            say(one["at"] - began, one)
            if time.monotonic() >= warm:
                one["turn"], one["since_turn"] = number, one["at"] - turned
                one["settled"] = time.monotonic() - turned >= TURN_SECONDS - SAMPLE_SECONDS - 1
                samples.append(one)
        return verdict(start, samples, mix, minutes), phases(start, samples), run.sink.n
    except BaseException:
        with open(run.scratch.file("tendd.log"), encoding="utf-8", errors="replace") as log:
            sys.stderr.write(log.read()[-4000:])
        raise
    finally:
        run.close()


def say(at, one):
    print(f"{at:6.0f} s: RSS {one['rss'].get('tendd', 0)} KiB, sockets {one['fds'].get('socket', 0)},"
          f" latest start {one['late']:.3f} s, overruns {one['overruns']:.0f}, not well {one['unwell']},"
          f" tend.db {one['sizes']['tend.db'] // 1024} KiB, history.db"
          f" {one['sizes']['history.db'] // 1024} KiB, taken by the host {one['machine'][2]:.1f} s",
          file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(prog="contrib/dev soak", description=__doc__.split("\n")[0])
    parser.add_argument("minutes", type=float, nargs="?", default=20.0)
    parser.add_argument("--share", type=float, default=1.0, help="of the 2,000 checks, to try it")
    parser.add_argument("--verbose", action="store_true", help="tell each sample as it is taken")
    options = parser.parse_args()
    mix = {kind: max(2, int(n * options.share) // 2 * 2) for kind, n in MIX.items()}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows, table, n_notices = soak(options.minutes, mix, say if options.verbose else lambda *_: None)
    print(f"{sum(mix.values())} checks at 1 s, {options.minutes:g} minutes, half of them failing in "
          f"turns; {n_notices} requests to the receiver")
    print(f"  {'':36}{'at the start':>14}{'after warm-up':>14}{'at the end':>14}")
    for what, three in table:
        print(f"  {what:36}" + "".join(f"{value:14}" for value in three))
    for what, figure, limit, kept in rows:
        judged = ("kept" if kept else "BROKEN") if limit not in ("", TOO_SHORT) else ""
        print(f"  {what:58}{figure:>10}  {limit:12} {judged}")
    held = all(row[-1] for row in rows)
    print(f"soak: {'held' if held else 'fell short'}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
