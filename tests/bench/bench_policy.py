# SPDX-License-Identifier: MIT
"""From an incident to the first verb of its policy: tendd, tend-run and the store as they are."""

import argparse
import datetime
import http.client
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("TEND_BUILD_DIR", os.path.join(TOP, "build/release"))
LIMIT_MSEC = 20  # p99; see the issue of the policies
READY_SECONDS = 30

POLICY = """policy "first" {
	on = { incident = { component = "bench/*" } },
	run = function(ctx)
		tend.log("the first verb")
		return true
	end,
}
"""


class Targets(http.server.ThreadingHTTPServer):
    """Every path is well until it is told to fail."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self):
        self.failing = set()
        super().__init__(("127.0.0.1", 0), Target)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Target(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(500 if self.path in self.server.failing else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)


class Tend:
    def __init__(self, folder, n_targets, port):
        self.folder = folder
        for name in ("state", "libexec", "lua", "lua/tend", "lua/policies"):
            os.makedirs(f"{folder}/{name}", mode=0o700)
        os.symlink(f"{BUILD}/daemon/run/tend-run", f"{folder}/libexec/tend-run")
        with open(f"{folder}/lua/policies/first.lua", "w", encoding="ascii") as file:
            file.write(POLICY)
        # The library that is shipped goes along with every run.
        for name in os.listdir(f"{TOP}/lua/tend"):
            shutil.copy(f"{TOP}/lua/tend/{name}", f"{folder}/lua/tend/{name}")
        with open(f"{folder}/tend.conf", "w", encoding="ascii") as file:
            file.write(f"[daemon]\nstate_dir = {folder}/state\nrun_dir = {folder}\n"
                       f"plugin_dir = {BUILD}/plugins\nlibexec_dir = {folder}/libexec\n"
                       f"lua_dir = {folder}/lua\nexec_socket = {folder}/exec.sock\n"
                       "mode.staging = auto\n[system bench]\nenvironment = staging\n")
            for number in range(n_targets):
                file.write(f"[component bench/c{number}]\nkind = web\n"
                           f"[check bench/c{number}/up]\nprobe = http\ninterval = 2s\n"
                           "timeout = 1s\nconfirm = 1 of 1\nflap_high = 0\n"
                           f"url = http://127.0.0.1:{port}/{number}\n")
        self.log = open(f"{folder}/log", "w", encoding="utf-8")
        self.process = subprocess.Popen([f"{BUILD}/daemon/tendd", "-f", "-c",
                                         f"{folder}/tend.conf"], stderr=self.log)

    def get(self, path):
        connection = Unix(f"{self.folder}/tend.sock")
        try:
            connection.request("GET", path)
            return json.load(connection.getresponse())
        finally:
            connection.close()

    def wait(self, condition, what, seconds=READY_SECONDS):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"tendd ended, exit {self.process.returncode}")
            try:
                found = condition()
            except (OSError, ValueError, http.client.HTTPException):
                found = None
            if found:
                return found
            time.sleep(0.05)
        raise RuntimeError(f"waited {seconds} s in vain for {what}")

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()


def msec(text):
    """Of an RFC 3339 time."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1e3


def run_of(tend, number):
    for run in tend.get(f"/v1/runs?target=bench/c{number}&limit=1"):
        if run["state"] != "live":
            return tend.get(f"/v1/runs/{run['id']}")
    return None


def measure(tend, targets, number):
    """One fault at a time: how long it took, in parts."""
    targets.failing.add(f"/{number}")
    run = tend.wait(lambda: run_of(tend, number), f"the run on c{number}")
    if run["state"] != "done":
        raise RuntimeError(f"the run on c{number}: {run['state']}, {run['message']}")
    incident = tend.get(f"/v1/incidents/{run['incident']}")
    targets.failing.discard(f"/{number}")
    step = run["steps"][0]
    return {"begin": msec(run["started"]) - msec(incident["opened"]),
            "process": msec(step["at"]) - msec(run["started"]),
            "journal": msec(step["ended"]) - msec(step["at"]),
            "all": msec(step["ended"]) - msec(incident["opened"])}


def quantile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=200, help="incidents, one after the other (200)")
    parser.add_argument("--limit", type=float, default=LIMIT_MSEC,
                        help=f"p99 in milliseconds ({LIMIT_MSEC})")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="tend-bench-")
    targets = Targets()
    tend = Tend(folder, options.n, targets.server_address[1])
    try:
        tend.wait(lambda: sum(check["state"] == "ok" for check in tend.get("/v1/checks")) ==
                  options.n and tend.get("/v1/policies"), "all to be well")
        rows = [measure(tend, targets, number) for number in range(options.n)]
    except RuntimeError:
        with open(f"{folder}/log", encoding="utf-8") as file:
            print(*file.readlines()[-20:], sep="", file=sys.stderr)
        raise
    finally:
        tend.close()
        shutil.rmtree(folder)
    names = {"begin": "incident to run", "process": "run to verb (process, Lua)",
             "journal": "verb (journal, done)", "all": "incident to verb executed"}
    print(f"{'milliseconds':<28} {'p50':>7} {'p90':>7} {'p99':>7} {'max':>7}   n = {options.n}")
    for key, name in names.items():
        values = [row[key] for row in rows]
        print(f"{name:<28} " + " ".join(f"{quantile(values, part):7.2f}"
                                        for part in (0.5, 0.9, 0.99, 1)))
    worst = quantile([row["all"] for row in rows], 0.99)
    if worst > options.limit:
        sys.exit(f"p99 is {worst:.1f} ms, more than {options.limit:g} ms")


if __name__ == "__main__":
    main()
