# SPDX-License-Identifier: MIT
"""CPU of an HTTP check on a new connection: Tend beside haproxy, the same targets, in one run."""

import argparse
import csv
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("TEND_BUILD_DIR", os.path.join(TOP, "build/release"))
TICKS = os.sysconf("SC_CLK_TCK")
READY_SECONDS = 30
IN_NAMESPACE = "TEND_BENCH_NAMESPACE"


def enter_namespace():
    """Start over in a network of our own: nobody else's packets, and all ports are free."""
    if os.environ.get(IN_NAMESPACE):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    os.environ[IN_NAMESPACE] = "1"
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    os.execvp("unshare", ["unshare", "--net", *user, sys.executable, "-B", *sys.argv])


def pin(core):
    """For preexec_fn: checkers on the first core, the server on the second, if there are two."""
    cores = sorted(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {cores[min(core, len(cores) - 1)]})


class Server:
    """The targets: every address of the loopback, one port."""

    def __init__(self):
        self.process = subprocess.Popen([os.path.join(BUILD, "tests/bench/bench_http_server")],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=pin(1))
        self.port = int(self.process.stdout.readline())

    def answered(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


def target(number):
    return f"127.1.{number // 250}.{number % 250 + 1}"


def process_tree(pid):
    """pid and all below it."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = file.read().split()
    except FileNotFoundError:
        return []
    return [pid] + [one for child in children for one in process_tree(int(child))]


def cpu_seconds(pid):
    """Of all threads of the tree; children that ended are in their parents' cutime and cstime."""
    total = 0
    for one in process_tree(pid):
        with open(f"/proc/{one}/stat", encoding="ascii", errors="replace") as file:
            total += sum(int(part) for part in file.read().rsplit(")", 1)[1].split()[11:15])
    return total / TICKS


def memory_mib(pid):
    """RSS of the tree, and what of it is its own (RssAnon)."""
    kib = {"VmRSS": 0, "RssAnon": 0}
    for one in process_tree(pid):
        with open(f"/proc/{one}/status", encoding="ascii", errors="replace") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name in kib:
                    kib[name] += int(value.split()[0])
    return kib["VmRSS"] / 1024, kib["RssAnon"] / 1024


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)


class Tend:
    name = "tend"

    def __init__(self, folder, n_targets, port):
        self.folder = folder
        self.state = f"{folder}/state"
        os.makedirs(self.state, mode=0o700)
        with open(f"{folder}/tend.conf", "w", encoding="ascii") as file:
            file.write(f"[daemon]\nstate_dir = {self.state}\nrun_dir = {folder}\n"
                       f"plugin_dir = {BUILD}/plugins\nlibexec_dir = {folder}\n"
                       f"lua_dir = {TOP}/lua\nexec_socket = {folder}/exec.sock\n"
                       "[system bench]\nenvironment = staging\n[component bench/web]\nkind = web\n")
            for number in range(n_targets):
                file.write(f"[check bench/web/{number}]\nprobe = http\ninterval = 1s\n"
                           f"timeout = 1s\nurl = http://{target(number)}:{port}/\n")
        self.command = [f"{BUILD}/daemon/tendd", "-f", "-c", f"{folder}/tend.conf"]

    def n_well(self):
        connection = UnixConnection(f"{self.folder}/tend.sock")
        try:
            connection.request("GET", "/v1/checks")
            checks = json.load(connection.getresponse())
        finally:
            connection.close()
        checks = checks.get("checks", checks) if isinstance(checks, dict) else checks
        return sum(check.get("state") == "ok" for check in checks)


class Haproxy:
    name = "haproxy"

    def __init__(self, folder, n_targets, port):
        self.folder = folder
        with open(f"{folder}/haproxy.cfg", "w", encoding="ascii") as file:
            file.write(f"global\n  stats socket {folder}/stats.sock level admin\n  nbthread 1\n"
                       f"  maxconn {n_targets * 4}\n"
                       "defaults\n  mode http\n  timeout connect 1s\n  timeout client 1s\n"
                       "  timeout server 1s\n  timeout check 1s\n"
                       "backend bench\n  option httpchk\n"
                       "  http-check send meth GET uri / ver HTTP/1.1 hdr Host bench\n"
                       "  http-check expect status 200-299\n  default-server inter 1s\n")
            for number in range(n_targets):
                file.write(f"  server s{number} {target(number)}:{port} check\n")
        self.command = ["haproxy", "-db", "-f", f"{folder}/haproxy.cfg"]

    def n_well(self):
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(10)
            link.connect(f"{self.folder}/stats.sock")
            link.sendall(b"show stat bench 4 -1\n")
            text = b"".join(iter(lambda: link.recv(65536), b"")).decode()
        return sum(row["status"].startswith("UP") and row["check_status"].endswith("L7OK") for row in
                   csv.DictReader(text.removeprefix("# ").splitlines()))


def wait_until_well(checker, process, n_targets):
    deadline = time.monotonic() + READY_SECONDS
    well = 0
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{checker.name}: ended, exit {process.returncode}")
        try:
            well = checker.n_well()
        except (OSError, ValueError, http.client.HTTPException):
            pass
        if well == n_targets:
            return
        time.sleep(0.2)
    raise RuntimeError(f"{checker.name}: {well} of {n_targets} targets are well "
                       f"after {READY_SECONDS} s")


def measure(kind, options, server):
    """One row of the table."""
    with tempfile.TemporaryDirectory(prefix="tend-bench-") as folder:
        checker = kind(folder, options.targets, server.port)
        with open(f"{folder}/log", "w+", encoding="utf-8", errors="replace") as log:
            process = subprocess.Popen(checker.command, stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, preexec_fn=pin(0))
            try:
                wait_until_well(checker, process, options.targets)
                cpu, count, began = cpu_seconds(process.pid), server.answered(), time.monotonic()
                time.sleep(options.seconds)
                cpu = cpu_seconds(process.pid) - cpu
                count, took = server.answered() - count, time.monotonic() - began
                rss, anon = memory_mib(process.pid)
                well = checker.n_well()
            except (RuntimeError, OSError):
                log.seek(0)
                sys.stderr.write(log.read()[-4000:])
                raise
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(30)
    if count < 0.95 * options.targets * took or well < options.targets:
        print(f"bench_http: {checker.name} fell behind: {count} of about "
              f"{options.targets * took:.0f} checks, {well} targets well", file=sys.stderr)
    return {"who": checker.name, "us_per_check": cpu / max(count, 1) * 1e6,
            "checks_per_second": count / took, "rss_mib": rss, "anon_mib": anon, "well": well}


def main():
    parser = argparse.ArgumentParser(prog="contrib/dev bench http", description=__doc__)
    parser.add_argument("--targets", type=int, default=1000, help="each is asked once a second")
    parser.add_argument("--seconds", type=int, default=30, help="how long to count [30]")
    parser.add_argument("--rounds", type=int, default=2, help="of both, in turns [2]")
    parser.add_argument("--json", metavar="FILE", help="write the rows as JSON too")
    options = parser.parse_args()
    if not shutil.which("haproxy"):
        parser.error("haproxy is not installed")
    enter_namespace()
    server = Server()
    rows = []
    try:
        for _ in range(options.rounds):
            rows += [measure(kind, options, server) for kind in (Haproxy, Tend)]
    finally:
        server.close()
    print(f"{'who':10}{'us/check':>10}{'checks/s':>10}{'RSS MiB':>10}{'anon MiB':>10}{'ratio':>8}")
    for number, row in enumerate(rows):
        row["ratio"] = row["us_per_check"] / rows[number - number % 2]["us_per_check"]
        print(f"{row['who']:10}{row['us_per_check']:10.1f}{row['checks_per_second']:10.1f}"
              f"{row['rss_mib']:10.1f}{row['anon_mib']:10.1f}{row['ratio']:8.2f}", flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
