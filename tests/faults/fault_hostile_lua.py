# SPDX-License-Identifier: MIT
"""Policies that do all they can to harm: each ends within its limit, and nobody else notices.

Each case is a policy file of its own, started by hand on one component; while they run, a worker
on another component breaks again and again and must be healed, and the target is probed each
second. Then a policy that hits its limit three times in a row must be disabled, with a page, until
somebody enables it. What a run waits for a processor on a busy machine is told apart. The long run
prints a table: each case, its time, its limit, its end; the short one with TEND_FAULTS_VERBOSE=1.
"""

import collections
import datetime
import os
import re
import sys
import threading
import time

from common import TARGET_INTERVAL, Outcome, Yard, probe_pause
from tendbox import WaitTimeout, tend, wait_for

DOC = "hostile Lua: each case ends within its limit, others unaffected, three strikes disable"

# A run computes for at most this long; one that waits has a time limit of its own.
CPU_SECONDS = 10.0
WAIT_SECONDS = 3.0
GRACE_SECONDS = 0.25
HEAL_SECONDS = 30

HOSTILE, HEALED = "yard/worker0", "worker1"
POLICIES = "/etc/tend/policies"

Case = collections.namedtuple("Case", "name code state message limit short", defaults=(False,))

COMPUTED = r"computed for longer than it may"
MEMORY = r"not enough memory: a run has 64 MiB"
STEPS = r"takes more than 10000000 steps"

# What only the limit of the CPU can end.
ENDLESS = {
    "loop": "while true do end",
    "loop-in-pcall": "while true do pcall(error, 'x') end",
    "loop-in-xpcall-handler": "xpcall(error, function() while true do end end)",
    "recursion-in-pcall": "local function f() return pcall(f) end while true do f() end",
    "coroutine-storm": "while true do local co = coroutine.wrap(function() coroutine.yield() end) co() co() end",
    "close-handler": "local x <close> = setmetatable({}, { __close = function() while true do end end })",
    "index-handler": "local t t = setmetatable({}, { __index = function(_, k) return t[k + 1] end }) "
                     "while true do pcall(function() return t[1] end) end",
    "sort": "table.sort({ 3, 1, 2 }, function() while true do end end)",
    "gsub-callback": "return ('x'):gsub('x', function() while true do end end)",
    "re-callback": "return re.gsub('x', 'x', function() while true do end end)",
    "pattern-bombs-caught": "while true do pcall(string.find, ('a'):rep(30000), '.-.-.-.-b') end",
    "re-bombs-caught": "while true do pcall(re.match, ('a'):rep(5000), '(a*)*(a*)*b') end",
    "finally": "ctx:finally(function() while true do end end)",
    "branches": "tend.all(function() while true do end end, function() tend.sleep('1h') end)",
    "tostring": "tend.log(tostring(setmetatable({}, { __tostring = function() while true do end end })))",
}

BOMBS = {
    "table": "local t = {} while true do t[#t + 1] = {} end",
    "string": "local s = 'x' while true do s = s .. s end",
    "concat": "local t = {} for i = 1, 100 do t[i] = ('x'):rep(1 << 20) end return #table.concat(t)",
    "gsub": "return #('x'):rep(1 << 20):gsub('.', ('y'):rep(1000))",
    "threads": "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
    "closures": "local f = function() end while true do local g = f f = function() return g() end end",
    "caught": "while true do pcall(function() local t = {} while true do t[#t + 1] = {} end end) end",
    "json": "local t = {} while true do t[#t + 1] = json.decode('[' .. ('[],'):rep(40000) .. '1]') end",
}

# name: (code, the message); ended at once by an error.
ERRORS = {
    "rep-of-gigabytes": ("return ('x'):rep(1 << 40)", r"longer than 1048576 bytes"),
    "recursion": ("local function f(a) return 1 + f(a) end f()", "stack overflow"),
    "c-recursion": ("local function f() return coroutine.wrap(f)() end f()", "c-recursion.lua:4: c-recursion.lua:4:"),
    "unpack": ("return table.unpack({}, 1, 1 << 30)", "too many results to unpack"),
    "move": ("table.move({}, 1, 1 << 40, 2, {})", "more than 10000000 values"),
    "utf8": ("return utf8.char(table.unpack({ ('x'):byte(1, -1) }, 1, 1 << 20))", "too many results"),
    "utf8-codes": ("for _ in utf8.codes(('\\xff'):rep(1 << 20)) do end", "invalid UTF-8 code"),
    "json-depth": ("error((select(2, json.decode(('['):rep(1 << 19)))))", "nested deeper than 32 levels"),
    "pattern-find": ("return (('a'):rep(30000)):find('.-.-.-.-b')", STEPS),
    "pattern-gsub": ("return (('a'):rep(5000)):gsub('(a*)(a*)(a*)b', '')", STEPS),
    "re-bomb": ("return re.match(('a'):rep(5000), '^(a+)+$' .. '(?<!a)')", "too many steps|not enough memory"),
    "huge-message": ("local s = ('x'):rep(1 << 20) tend.log(s .. s)", "larger than 1048576 bytes"),
    "many-values": ("local t = {} for i = 1, 200000 do t[i] = i end tend.notice.send{ text = t }", "more than 100000"),
    "cycle": ("local t = {} t.t = t tend.log(t)", "contains itself"),
    "gc": ("setmetatable({}, { __gc = function() end })", "__gc is not allowed"),
    "string-metatable": ("getmetatable('').__index = nil", "attempt to index a boolean"),
    "load": ("load('while true do end')()", "unknown name 'load'"),
    "bytecode": ("return require('tend.heal') and string.dump(function() end)", "field 'dump'"),
    "fork": ("os.execute('id')", "unknown name 'os'"),
    "popen": ("io.popen('id')", "unknown name 'io'"),
    "file": ("require('../../etc/shadow')", "there is no"),
    "own-globals": ("pcall = nil tend = nil tend.log('x')", "unknown name 'tend'"),
    "error-object": ("error(setmetatable({}, { __tostring = function() while true do end end }))",
                     "an error that is a table, not a text"),
    "branches-in-branches": ("local function f() return tend.all(f, f) end f()", "nested too deeply|more than 256"),
}

# Waits that end with the run's time limit, however they are held.
WAITS = {
    "sleep": "tend.sleep('24h')",
    "sleep-in-pcall": "while true do pcall(tend.sleep, '1h') end",
    "sleep-in-branches": "tend.all(function() tend.sleep('1h') end, function() pcall(tend.sleep, '1h') "
                         "tend.sleep('1h') end)",
    "many-verbs": "for i = 1, 100000 do tend.now() end",
    "many-caught-verbs": "while true do pcall(tend.now) end",
}


def cases():
    short = {"loop", "table", "rep-of-gigabytes", "pattern-find", "fork", "gc", "sleep-in-pcall", "json-depth"}
    every = [Case(name, code, "failed", COMPUTED, CPU_SECONDS) for name, code in ENDLESS.items()]
    every += [Case("memory-" + name, code, "failed", MEMORY, CPU_SECONDS) for name, code in BOMBS.items()]
    every += [Case(name, code, "failed", message, CPU_SECONDS) for name, (code, message) in ERRORS.items()]
    every += [Case(name, code, "cancelled|failed", "longer than|steps|8 MiB|bytes", WAIT_SECONDS)
              for name, code in WAITS.items()]
    every.append(Case("verbs-of-a-mebibyte", "while true do tend.log(('x'):rep((1 << 20) - 300)) end",
                      "failed|cancelled|refused", ".", WAIT_SECONDS))
    return [case._replace(short=case.name.removeprefix("memory-") in short) for case in every]


def source(case):
    timeout = [f"timeout = {WAIT_SECONDS:.0f},"] if case.limit == WAIT_SECONDS else []
    return "\n".join([f'policy "{case.name}" {{', "hand = true,", *timeout, "run = function(ctx)",
                      case.code, "end,", "}\n"])


# Files that harm while they are loaded.
TOP_LEVEL = {
    "top-loop": ("while true do end", "longer than"),
    "top-memory": ("local t = {} while true do t[#t + 1] = {} end", "not enough memory"),
    "top-bytecode": ("\x1bLua\x54", "binary chunk"),
    "top-nested": ("return " + "(" * 5000, "overflow"),
}


def parse_time(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def runners(box):
    """The processes of tend-run in the box, as this machine numbers them."""
    parents, found = {}, []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        parents[int(entry)] = int(text.rpartition(")")[2].split()[1])
        if text[text.index("(") + 1:text.rindex(")")] == "tend-run":
            found.append(int(entry))

    def in_box(pid):
        while pid > 1 and pid != box.leader:
            pid = parents.get(pid, 0)
        return pid == box.leader
    return {pid for pid in found if in_box(pid)}


def stolen(cpu):
    """Seconds of this processor that the machine's own host took (proc(5), /proc/stat)."""
    with open("/proc/stat", encoding="ascii") as file:
        row = next(line for line in file if line.startswith(f"cpu{cpu} "))
    return int(row.split()[8]) / os.sysconf("SC_CLK_TCK")


class Waiting(threading.Thread):
    """How long the newest runner was ready to run and was not let, by the machine or by its host
    where it ran: their load counts for nobody's limit."""

    def __init__(self, box):
        super().__init__(daemon=True)
        self.box, self.before = box, runners(box)
        self.queued = self.taken = 0.0
        self.over = threading.Event()
        self.at = None  # (processor, what its host had taken) when last seen

    def look(self, pid):
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
            self.queued = int(file.read().split()[1]) / 1e9
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            cpu = int(file.read().rpartition(")")[2].split()[36])
        now = stolen(cpu)
        if self.at and self.at[0] == cpu:
            self.taken += now - self.at[1]
        self.at = (cpu, now)

    def run(self):
        pid = None
        while not self.over.wait(0.01):
            try:
                if pid is None:
                    pid = next(iter(runners(self.box) - self.before), None)
                else:
                    self.look(pid)
            except (OSError, IndexError):
                return

    def end(self):
        self.over.set()
        self.join()
        return self.queued + self.taken


class Hostile:
    def __init__(self, yard, long):
        self.yard, self.box, self.long = yard, yard.box, long
        self.cases = [case for case in cases() if long or case.short]
        self.wrong, self.rows = [], []
        self.n_healed = self.n_broken = 0
        self.waited = 0.0  # of the last run

    def write_policies(self):
        for case in self.cases:
            self.box.write(f"{POLICIES}/{case.name}.lua", source(case))
        self.box.run("chown", "-R", "root:root", POLICIES)
        tend.ctl(self.box, "reload")
        wait_for(lambda: {case.name for case in self.cases} <= set(self.listed()), 60,
                 "the hostile policies to be listed", 0.3)

    def listed(self):
        return {one["name"]: one for one in tend.ctl(self.box, "policy", "list")}

    def runs(self, policy):
        return [run for run in tend.ctl(self.box, "run", "list") if run["policy"] == policy]

    def run(self, name, n=1):
        """Starts it by hand for the n-th time, and waits for its end."""
        waiting = Waiting(self.box)
        waiting.start()
        tend.ctl(self.box, "policy", "run", name, HOSTILE)

        def ended():
            runs = self.runs(name)
            return len(runs) == n and all(run["ended"] for run in runs) and runs
        runs = wait_for(ended, 120, f"the end of {name}", 0.1)
        self.waited = waiting.end()
        return max(runs, key=lambda run: run["started"])

    def try_case(self, case):
        run = self.run(case.name)
        took = parse_time(run["ended"]) - parse_time(run["started"])
        self.rows.append((case.name, took, self.waited, case.limit, run["state"], run["message"] or ""))
        if not re.fullmatch(case.state, run["state"]) or not re.search(case.message, run["message"] or ""):
            self.wrong.append(f"{case.name}: {run['state']}: {run['message']}")
        if self.long and took - self.waited > case.limit + GRACE_SECONDS:
            self.wrong.append(f"{case.name}: took {took:.2f} s, {self.waited:.2f} s of it for want of a "
                              f"processor, of {case.limit:.0f} s")

    def break_and_heal(self, during):
        """A policy of the usual kind does its work while the hostile one runs."""
        when, before = self.yard.break_worker(HEALED)
        self.n_broken += 1
        during()
        try:
            self.yard.told("incident.cleared", f"yard/{HEALED}", when, HEAL_SECONDS)
        except WaitTimeout:
            said = self.box.run("tendctl", "explain", f"yard/{HEALED}/unit", check=False).stdout
            self.wrong.append(f"the usual policy did not heal: {said}")
            return
        # It looks at what it healed for a while: broken meanwhile, it has not healed it.
        wait_for(lambda: all(run["ended"] for run in tend.ctl(self.box, "run", "list")
                             if run["target"] == f"yard/{HEALED}"), HEAL_SECONDS, "its run to end", 0.1)
        after = len(self.yard.starts()[HEALED]) - before
        if after != 1:
            self.wrong.append(f"the usual policy started its unit {after} times, not once")
        self.n_healed += after == 1

    def strike_out(self):
        """Three times in a row, then it is disabled, told, and enabled again."""
        name = "loop" if self.long else "gc"
        began = time.time()
        for n in (2, 3):
            self.run(name, n)
        wait_for(lambda: "disabled" in str(self.listed()[name]), 20, f"{name} to be disabled")
        said = self.box.run("tendctl", "policy", "run", name, HOSTILE, check=False)
        if said.returncode == 0:
            self.wrong.append("a disabled policy was run")
        wait_for(lambda: [1 for when, event in self.yard.events()
                          if when >= began and "is disabled after 3 runs" in str(event.get("data"))],
                 30, "the page that it is disabled", 0.3)
        self.box.run("tendctl", "policy", "enable", name)
        if "disabled" in str({k: v for k, v in self.listed()[name].items() if k == "strikes"}):
            self.wrong.append("it stayed disabled")

    def load_bad_files(self):
        for name, (text, _) in TOP_LEVEL.items():
            self.box.write(f"{POLICIES}/{name}.lua", text)
        tend.ctl(self.box, "reload")

        def all_said():
            listed = self.listed()
            return all("error" in listed.get(f"{name}.lua", {}) for name in TOP_LEVEL) and listed
        listed = wait_for(all_said, 90, "each bad file to be told", 0.3)
        for name, (_, message) in TOP_LEVEL.items():
            if not re.search(message, listed[f"{name}.lua"]["error"]):
                self.wrong.append(f"{name}: {listed[f'{name}.lua']['error']}")
        if "restart-unit" not in listed or "error" in listed["restart-unit"]:
            self.wrong.append("a bad file took a good one with it")

    def table(self):
        lines = [f"{'case':24} {'ended after':>11} {'of it waiting':>13} {'limit':>6}  how"]
        lines += [f"{name:24} {took:9.2f} s {waited:11.2f} s {limit:4.0f} s  {state}: {message[:60]}"
                  for name, took, waited, limit, state, message in self.rows]
        return "\n".join(lines)


class HostileYard(Yard):
    def configuration(self):
        return super().configuration().replace("[daemon]\n", f"[daemon]\npolicy_dirs = {POLICIES}\n")

    def _start(self):
        self.box.run("mkdir", "-p", POLICIES)
        super()._start()


def run(long):
    with HostileYard("hostile-lua", workers=2) as yard:
        hostile = Hostile(yard, long)
        hostile.write_policies()
        pid = yard.box.main_pid(tend.UNIT)
        began = time.time()
        for number, case in enumerate(hostile.cases):
            if number % 8 == 0:
                hostile.break_and_heal(lambda case=case: hostile.try_case(case))
            else:
                hostile.try_case(case)
        if long or os.environ.get("TEND_FAULTS_VERBOSE"):
            print(hostile.table(), file=sys.stderr, flush=True)
        hostile.strike_out()
        hostile.break_and_heal(hostile.load_bad_files)
        pause = probe_pause(yard.box, began)
        if yard.box.main_pid(tend.UNIT) != pid:
            hostile.wrong.append("tendd was started again")
    worst = max(hostile.rows, key=lambda row: row[1] - row[2] - row[3])
    held = not hostile.wrong and (pause < 2 * TARGET_INTERVAL or not long)
    return Outcome(held, f"{len(hostile.rows)} cases, nearest to its limit: {worst[0]} with "
                         f"{worst[1] - worst[2]:.2f} of {worst[3]:.0f} s; disabled after three strikes; "
                         f"healed meanwhile {hostile.n_healed} of {hostile.n_broken}; longest pause "
                         f"between checks {pause:.2f} s; wrong: {'; '.join(hostile.wrong) or 'nothing'}")
