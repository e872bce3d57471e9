# SPDX-License-Identifier: MIT
"""tend-agentx with 10,000 checks behind a real snmpd: walks by GETBULK, single GETs, memory.

A GET of one of our cells is compared with a GET of what snmpd has itself, in turns, by one session of
net-snmp's own client (snmp_get.c): by SNMPv3 authPriv, as a station should, which is held to the limit,
and by SNMPv2c, where the way to the subagent and back is all that there is to see. Both, and a walk, are
compared in turns as well with what the least of all subagents answers (snmp_floor.c): snmpd asks for each
row by itself, and what that costs on a machine is nobody's to change.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
os.environ.setdefault("TEND_BUILD_DIR", os.path.join(TOP, "build/release"))
sys.path.insert(0, os.path.join(TOP, "tests/system"))
from snmpbox import ROOT, Helper, NetSnmp, Scratch, free_port  # noqa: E402
from tendbox import wait_for  # noqa: E402

CHECK = f"{ROOT}.1.4.1"
FLOOR = "1.3.6.1.4.1.8072.9999.9999.7364"
COLUMNS = (2, 4, 7)  # name, state, text
LIMIT_WALK, LIMIT_GET = 1.2, 1.5
SYS_NAME = "1.3.6.1.2.1.1.5.0"
USER = ("bench", "bench-auth-pass", "bench-priv-pass")


class Bench:
    def __init__(self, n_rows):
        self.n_rows = n_rows
        self.scratch = Scratch()
        self.port = free_port()
        master = self.scratch.file("agentx.sock")
        self.snmpd = NetSnmp(self.scratch, "snmpd", "/usr/sbin/snmpd", f"""master agentx
agentXSocket unix:{master}
rocommunity public 127.0.0.1
createUser {USER[0]} SHA-256 "{USER[1]}" AES "{USER[2]}"
rouser {USER[0]} priv
sysName bench
""", f"udp:127.0.0.1:{self.port}").start()
        self.agent = Helper(self.scratch, "tend-agentx")
        self.agent.note("config", {"socket": f"unix:{master}", "ping_sec": 1})
        self.agent.note("update", {"generation": 1, "full": True, "scalars": {"version": "0"}})
        self.agent.wait_note(lambda note: note["call"] == "status" and note["args"]["connected"])
        self.floor = subprocess.Popen([tool("bench_snmp_floor"), master, str(n_rows)],
                                      stdout=subprocess.PIPE)
        if not self.floor.stdout.readline():
            raise SystemExit("snmp_floor was not registered")

    def close(self):
        self.floor.kill()
        self.floor.wait()
        self.floor.stdout.close()
        self.agent.close()
        self.scratch.close()

    def fill(self):
        """As tendd does: 200 rows a note. Seconds until the last row is served."""
        began = time.monotonic()
        for first in range(1, self.n_rows + 1, 200):
            last = min(first + 200, self.n_rows + 1)
            self.agent.note("update", {
                "generation": 2 + first // 200, "full": False,
                "rows": {"check": {str(n): {
                    "name": f"crm/component{n // 10}/check{n}",
                    "component": f"crm/component{n // 10}", "state": n % 4, "soft": False,
                    "reason": n % 30, "text": "HTTP 200 in 12.3 ms, 5120 bytes",
                    "value": "total_seconds=0.0123s bytes=5120B", "since": 1795314699_500000,
                    "last": 1795314799_500000} for n in range(first, last)}}})
        wait_for(lambda: self.walk(f"{CHECK}.2.{self.n_rows - 1}.0")[1] > 0, 30, "the last row",
                 interval=0.01)
        return time.monotonic() - began

    def gets(self, rounds, user):
        """Medians of a round in microseconds: [(ours, inside snmpd, the least subagent's)]."""
        out = subprocess.run([tool("bench_snmp_get"), str(self.port), str(rounds), "400", *user,
                              f"{CHECK}.2.{self.n_rows // 2}", SYS_NAME,
                              f"{FLOOR}.2.{self.n_rows // 2}"], check=True,
                             capture_output=True, text=True).stdout
        return [tuple(map(float, line.split())) for line in out.splitlines()]

    def walk(self, *names):
        """Seconds, rows: by net-snmp's own snmpbulkwalk."""
        rows = 0
        began = time.monotonic()
        for name in names:
            rows += subprocess.run(
                ["snmpbulkwalk", "-v2c", "-c", "public", "-Cr50", "-On", "-OQ", "-Oe", "-Ot",
                 f"udp:127.0.0.1:{self.port}", name], env=dict(os.environ, MIBS=""), check=True,
                capture_output=True).stdout.count(b"\n")
        return time.monotonic() - began, rows

    def anonymous_kib(self):
        with open(f"/proc/{self.agent.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"RssAnon:\s+(\d+)", status.read())[1])


def tool(name):
    return os.path.join(os.environ["TEND_BUILD_DIR"], "tests/bench", name)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def gets(bench, rounds, user):
    """Medians of ours, inside snmpd, the least's; of the ratios of ours and of the least's."""
    found = bench.gets(rounds, user)
    return [statistics.median(one) for one in
            (*zip(*found), [ours / theirs for ours, theirs, _ in found],
             [least / theirs for _, theirs, least in found])]


def walk(bench, root, cpu, subagent):
    """Seconds; those of CPU of the subagent and of snmpd are appended to `cpu`."""
    pids = (subagent, bench.snmpd.process.pid)
    before = [cpu_seconds(pid) for pid in pids]
    seconds, rows = bench.walk(*(f"{root}.{column}" for column in COLUMNS))
    cpu.append([cpu_seconds(pid) - was for pid, was in zip(pids, before)])
    if rows != len(COLUMNS) * bench.n_rows:
        raise SystemExit(f"the walk of {root} had {rows} rows")
    return seconds


def measure(bench, rounds):
    empty = bench.anonymous_kib()
    filled = bench.fill()
    memory = bench.anonymous_kib() - empty
    walks, floors, cpu = [], [], []
    for _ in range(rounds):
        walks.append(walk(bench, CHECK, cpu, bench.agent.process.pid))
        floors.append(walk(bench, FLOOR, cpu, bench.floor.pid))
    ours, floor = cpu[0::2], cpu[1::2]
    whole, rows = bench.walk(CHECK)
    if rows != 9 * bench.n_rows:
        raise SystemExit(f"the walk of the table had {rows} rows")
    return {"walk": statistics.median(walks), "walk_best": min(walks), "walk_worst": max(walks),
            "floor": statistics.median(floors),
            "ratio": statistics.median(own / least for own, least in zip(walks, floors)),
            "whole": whole, "v2c": gets(bench, rounds, ("", "", "")),
            "v3": gets(bench, rounds, USER), "filled": filled, "memory": memory,
            "cpu": [statistics.median(one) for one in (*zip(*ours), *zip(*floor))]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--limit-walk", type=float, default=LIMIT_WALK, help="seconds")
    parser.add_argument("--limit-get", type=float, default=LIMIT_GET, help="x a GET inside snmpd")
    options = parser.parse_args()
    bench = Bench(options.rows)
    try:
        m = measure(bench, options.rounds)
    finally:
        bench.close()
    print(f"{options.rows} checks, {options.rounds} rounds, medians")
    print(f"walk of {len(COLUMNS)} columns by GETBULK  {m['walk']:.2f} s "
          f"(best {m['walk_best']:.2f}, worst {m['walk_worst']:.2f}; limit {options.limit_walk})")
    print(f"  by the least of subagents  {m['floor']:.2f} s: {m['ratio']:.2f} x")
    print("  CPU of it                  tend-agentx {:.2f} s, snmpd {:.2f} s; "
          "least {:.2f} s, snmpd {:.2f} s".format(*m["cpu"]))
    print(f"walk of the whole table      {m['whole']:.2f} s ({9 * options.rows} values)")
    for version in ("v2c", "v3"):
        ours, theirs, least, ratio, least_ratio = m[version]
        print(f"GET of a cell, SNMP{version:<10}{ours:.0f} us, inside snmpd {theirs:.0f} us: "
              f"{ratio:.2f} x" + (f" (limit {options.limit_get})" if version == "v3" else "") +
              f"; by the least {least:.0f} us: {least_ratio:.2f} x")
    print(f"all rows fed and served in   {m['filled']:.2f} s")
    print(f"memory of the rows           {m['memory']} KiB, "
          f"{m['memory'] * 1024 // options.rows} bytes a row")
    return 0 if m["walk"] <= options.limit_walk and m["v3"][3] <= options.limit_get else 1


if __name__ == "__main__":
    sys.exit(main())
